/* A carrier in memory that loses, doubles and reorders datagrams. Nodes of one process send through the air. */
#ifndef AIR_H
#define AIR_H

#include <check.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <wsfan/carrier.h>

#include "suite.h"

enum { AIR_MASTS_MAX = 8, AIR_WAITING_MAX = 4096 };

typedef struct {
    size_t size;
    char from[WSFAN_CARRIED_NAME_MAX + 1];
    uint8_t data[];
} air_datagram;

/* The means by which a node sends and receives. */
typedef struct {
    wsfan_carrier carrier;
    const wsfan_carrier_mesh *mesh; /* NULL: not open */
    int fd;
    bool works;     /* else what is sent is lost */
    bool told;      /* of `works`, as it is now */
    bool deaf;      /* what is sent to it is lost */
    int open_error; /* of open() */
    unsigned count;
    air_datagram *waiting[AIR_WAITING_MAX];
} air_mast;

static struct {
    pthread_mutex_t lock;
    uint64_t random;
    unsigned loss_permille;
    unsigned doubled_permille;
    unsigned reordered_permille;
    bool to_all; /* a datagram may go to all nodes */
    uint64_t lost;
    uint64_t doubled;
    uint64_t reordered;
    air_mast masts[AIR_MASTS_MAX];
} air = { .lock = PTHREAD_MUTEX_INITIALIZER, .random = 1, .to_all = true };

static inline bool air_happens(unsigned permille, uint64_t *count) {
    bool happens = next_random(&air.random) % 1000 < permille;
    *count += happens;
    return happens;
}

/* With the lock. */
static inline void air_put(air_mast *to, const char *from, const wsfan_bytes *parts, size_t count) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    ck_assert_uint_le(size, to->mesh->datagram_bytes_max);
    if (to->count == AIR_WAITING_MAX || to->deaf)
        return;
    air_datagram *d = malloc(sizeof *d + size);
    ck_assert_ptr_nonnull(d);
    d->size = 0;
    snprintf(d->from, sizeof d->from, "%s", from);
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > 0)
            memcpy(d->data + d->size, parts[i].data, parts[i].size);
        d->size += parts[i].size;
    }
    unsigned at = to->count++;
    if (at > 0 && air_happens(air.reordered_permille, &air.reordered)) {
        unsigned back = (unsigned)(next_random(&air.random) % (at < 8 ? at : 8)) + 1;
        memmove(&to->waiting[at - back + 1], &to->waiting[at - back], back * sizeof to->waiting[0]);
        at -= back;
    }
    to->waiting[at] = d;
    eventfd_write(to->fd, 1);
}

static inline bool air_leads_to(const air_mast *mast, const air_mast *from, const char *to) {
    if (mast->mesh == NULL || strcmp(mast->mesh->cluster, from->mesh->cluster) != 0)
        return false;
    return to != NULL ? strcmp(mast->mesh->name, to) == 0 : mast != from && air.to_all;
}

static inline void air_send(void *user, const char *to, const wsfan_bytes *parts, size_t count) {
    air_mast *from = user;
    pthread_mutex_lock(&air.lock);
    for (unsigned i = 0; i < AIR_MASTS_MAX && from->works; i++) {
        air_mast *mast = &air.masts[i];
        if (!air_leads_to(mast, from, to) || air_happens(air.loss_permille, &air.lost))
            continue;
        air_put(mast, from->mesh->name, parts, count);
        if (air_happens(air.doubled_permille, &air.doubled))
            air_put(mast, from->mesh->name, parts, count);
    }
    pthread_mutex_unlock(&air.lock);
}

static inline int air_open(void *user, const wsfan_carrier_mesh *mesh) {
    air_mast *mast = user;
    if (mast->open_error != WSFAN_OK)
        return mast->open_error;
    pthread_mutex_lock(&air.lock);
    mast->mesh = mesh;
    mast->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    mast->works = true;
    mast->told = mast->deaf = false;
    pthread_mutex_unlock(&air.lock);
    return WSFAN_OK;
}

static inline int air_fd(void *user) {
    return ((air_mast *)user)->fd;
}

static inline air_datagram *air_take(air_mast *mast) {
    air_datagram *d = NULL;
    pthread_mutex_lock(&air.lock);
    if (mast->count > 0) {
        d = mast->waiting[0];
        memmove(&mast->waiting[0], &mast->waiting[1], --mast->count * sizeof mast->waiting[0]);
    }
    pthread_mutex_unlock(&air.lock);
    return d;
}

static inline void air_receive(void *user) {
    air_mast *mast = user;
    eventfd_t count;
    eventfd_read(mast->fd, &count);
    pthread_mutex_lock(&air.lock);
    bool tell = !mast->told;
    bool works = mast->works;
    mast->told = true;
    pthread_mutex_unlock(&air.lock);
    if (tell)
        mast->mesh->stands(mast->mesh->mesh,
                           works ? WSFAN_ENDPOINT_RESOLVED : WSFAN_ENDPOINT_NO_ANSWER);
    air_datagram *d;
    bool more = true;
    while (more && (d = air_take(mast)) != NULL) {
        more = mast->mesh->received(mast->mesh->mesh, d->from, d->data, d->size) != 0;
        free(d);
    }
    if (!more)
        eventfd_write(mast->fd, 1);
}

static inline void air_close(void *user, int linger_ms) {
    air_mast *mast = user;
    (void)linger_ms;
    pthread_mutex_lock(&air.lock);
    mast->mesh = NULL;
    while (mast->count > 0)
        free(mast->waiting[--mast->count]);
    close(mast->fd);
    pthread_mutex_unlock(&air.lock);
}

/* The carrier of node i. */
static inline const wsfan_carrier *air_carrier(unsigned i) {
    air_mast *mast = &air.masts[i];
    mast->carrier = (wsfan_carrier){ .struct_size = sizeof mast->carrier,
                                     .user = mast,
                                     .scheme = "air",
                                     .open = air_open,
                                     .send = air_send,
                                     .fd = air_fd,
                                     .receive = air_receive,
                                     .close = air_close };
    return &mast->carrier;
}

/* The carrier of node i works, or does not. */
static inline void air_set(unsigned i, bool works) {
    pthread_mutex_lock(&air.lock);
    air.masts[i].works = works;
    air.masts[i].told = false;
    eventfd_write(air.masts[i].fd, 1);
    pthread_mutex_unlock(&air.lock);
}

static inline void air_set_deaf(unsigned i, bool deaf) {
    pthread_mutex_lock(&air.lock);
    air.masts[i].deaf = deaf;
    pthread_mutex_unlock(&air.lock);
}

/* Something of the test's own comes to node i. */
static inline void air_inject(unsigned i, const char *from, const void *data, size_t size) {
    pthread_mutex_lock(&air.lock);
    air_put(&air.masts[i], from, &(wsfan_bytes){ data, size }, 1);
    pthread_mutex_unlock(&air.lock);
}

#endif
