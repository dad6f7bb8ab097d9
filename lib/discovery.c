/* The only file that knows the resolver, c-ares. Answers for when a name is asked for and which
 * answers count: only one with an address replaces the set of its name. Whatever else comes - no
 * such name, no address, an error, nothing - leaves the last set as it is.
 *
 * c-ares never blocks, so that closing does not wait for a name server. What to know of it:
 * - ares_library_init() does nothing on Linux but count, without a lock: it is not called.
 * - A channel reads resolv.conf and the environment when it is made: once in wsfan_node_open(), on
 *   the host's thread, and again only when resolv.conf has changed.
 * - Without ARES_AI_NOSORT it opens a socket for each address to find out which is nearest. */
#include "discovery.h"

#include <ares.h>
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"

enum {
    ADDRESSES_MAX = WSFAN_ENDPOINTS_MAX, /* of one name */
    ENDPOINT_SIZE = 64,                  /* of an address, with its NUL */
    SOCKETS_MAX = 64,
    FIRST_RETRY_MS = 250,
    SERVER_TIMEOUT_MS = 2000, /* at the first try; c-ares doubles it */
    SERVER_TRIES = 2
};

static const char RESOLV_CONF[] = "/etc/resolv.conf";

typedef struct {
    wsf_discovery *discovery;
    char host[WSF_ENDPOINT_SIZE_MAX + 1];
    unsigned port;
    unsigned source;
    bool asked;    /* and not answered yet */
    bool answered; /* well, at least once */
    uint32_t retry_ms;
    uint64_t due_ms;
    uint64_t surplus;
} question;

struct wsf_discovery {
    wsf_mesh *mesh;
    pthread_t thread;
    int wake_fd;
    atomic_bool stop;
    uint32_t interval_ms;
    unsigned seed;
    ares_channel channel;    /* NULL: could not be made yet */
    struct stat resolv_conf; /* as the channel has read it */
    struct pollfd sockets[SOCKETS_MAX + 1];
    nfds_t sockets_count;
    size_t questions_count;
    question questions[WSF_DNS_SOURCES_MAX];
    atomic_uint_fast64_t answers;
    atomic_uint_fast64_t failures;
    atomic_uint_fast64_t surplus;
};

static uint64_t now_ms(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000 + (uint64_t)at.tv_nsec / 1000000;
}

/* Nodes that start together shall not ask together for ever. */
static uint64_t jittered(wsf_discovery *d, uint32_t ms) {
    return ms - ms / 10 + (uint64_t)rand_r(&d->seed) % (ms / 5 + 1);
}

/* ---------------------------------------------------------------------------------- the channel */

static void on_socket(void *user, ares_socket_t fd, int readable, int writable) {
    wsf_discovery *d = user;
    nfds_t i = 0;
    while (i < d->sockets_count && d->sockets[i].fd != fd)
        i++;
    if (!readable && !writable) {
        if (i < d->sockets_count)
            d->sockets[i] = d->sockets[--d->sockets_count];
        return;
    }
    if (i == SOCKETS_MAX)
        return; /* not watched: its question ends with a time-out */
    if (i == d->sockets_count)
        d->sockets_count++;
    d->sockets[i] = (struct pollfd){
        .fd = fd,
        .events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0)),
    };
}

static struct stat resolv_conf_now(void) {
    struct stat now = { 0 };
    if (stat(RESOLV_CONF, &now) != 0)
        now = (struct stat){ 0 };
    return now;
}

static bool same_file(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* A channel that reads resolv.conf as it is now. */
static int open_channel(wsf_discovery *d) {
    static char lookups[] = "fb"; /* the hosts file, then DNS */
    struct ares_options options = {
        .flags = ARES_FLAG_NOALIASES,
        .timeout = SERVER_TIMEOUT_MS,
        .tries = SERVER_TRIES,
        .lookups = lookups,
        .sock_state_cb = on_socket,
        .sock_state_cb_data = d,
    };
    int set = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
              ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE;
#ifdef ARES_OPT_QUERY_CACHE
    set |= ARES_OPT_QUERY_CACHE; /* of no entries: we ask because we want to know */
#endif
    if (d->channel != NULL)
        ares_destroy(d->channel);
    d->channel = NULL;
    d->resolv_conf = resolv_conf_now();
    ares_channel channel;
    int status = ares_init_options(&channel, &options, set);
    if (status == ARES_SUCCESS)
        d->channel = channel;
    return status == ARES_ENOMEM ? WSFAN_ENOMEM : WSFAN_OK; /* for the rest we try again */
}

/* ------------------------------------------------------------------------------------- answers */

static bool write_endpoint(char out[ENDPOINT_SIZE], const struct sockaddr *address, unsigned port) {
    char host[INET6_ADDRSTRLEN];
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *ip = (const struct sockaddr_in *)(const void *)address;
        inet_ntop(AF_INET, &ip->sin_addr, host, sizeof host);
        snprintf(out, ENDPOINT_SIZE, "tcp://%s:%u", host, port);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *ip = (const struct sockaddr_in6 *)(const void *)address;
        inet_ntop(AF_INET6, &ip->sin6_addr, host, sizeof host);
        snprintf(out, ENDPOINT_SIZE, "tcp://[%s]:%u", host, port);
    } else {
        return false;
    }
    return true;
}

static int compare(const void *a, const void *b) {
    return strcmp(a, b);
}

/* Sorted, because servers rotate their answers: all nodes shall keep the same of too many. */
static bool name_addresses(question *q, const struct ares_addrinfo_node *first) {
    size_t count = 0;
    for (const struct ares_addrinfo_node *i = first; i != NULL; i = i->ai_next)
        count++;
    if (count == 0)
        return false;
    char(*all)[ENDPOINT_SIZE] = wsf_alloc_zero(count, sizeof *all);
    if (all == NULL)
        return false;
    count = 0;
    for (const struct ares_addrinfo_node *i = first; i != NULL; i = i->ai_next)
        if (write_endpoint(all[count], i->ai_addr, q->port))
            count++;
    qsort(all, count, sizeof *all, compare);

    const char *kept[ADDRESSES_MAX];
    size_t kept_count = 0;
    q->surplus = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(all[i], all[i - 1]) == 0)
            continue;
        if (kept_count < ADDRESSES_MAX)
            kept[kept_count++] = all[i];
        else
            q->surplus++;
    }
    bool named = kept_count > 0 && wsf_mesh_name_endpoints(q->discovery->mesh, q->source, kept,
                                                           kept_count) == WSFAN_OK;
    wsf_free(all);
    return named;
}

static void count_surplus(wsf_discovery *d) {
    uint64_t surplus = 0;
    for (size_t i = 0; i < d->questions_count; i++)
        surplus += d->questions[i].surplus;
    atomic_store(&d->surplus, surplus);
}

static void on_failure(question *q) {
    wsf_discovery *d = q->discovery;
    atomic_fetch_add(&d->failures, 1);
    uint32_t wait_ms = q->answered ? d->interval_ms : q->retry_ms;
    q->due_ms = now_ms() + jittered(d, wait_ms);
    q->retry_ms = q->retry_ms < d->interval_ms / 2 ? q->retry_ms * 2 : d->interval_ms;
}

static void on_answer(void *user, int status, int timeouts, struct ares_addrinfo *answer) {
    question *q = user;
    wsf_discovery *d = q->discovery;
    (void)timeouts;
    q->asked = false;
    if (status == ARES_EDESTRUCTION) {
        q->due_ms = 0; /* the new channel is asked at once */
    } else if (status == ARES_SUCCESS && name_addresses(q, answer->nodes)) {
        q->answered = true;
        q->due_ms = now_ms() + jittered(d, d->interval_ms);
        count_surplus(d);
        atomic_fetch_add(&d->answers, 1);
    } else {
        on_failure(q);
    }
    if (answer != NULL)
        ares_freeaddrinfo(answer);
}

/* -------------------------------------------------------------------------------------- thread */

static void ask(wsf_discovery *d, question *q) {
    struct stat now = resolv_conf_now();
    if (d->channel == NULL || !same_file(&now, &d->resolv_conf))
        open_channel(d);
    if (d->channel == NULL) {
        on_failure(q);
        return;
    }
    struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NOSORT,
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };
    q->asked = true;
    ares_getaddrinfo(d->channel, q->host, NULL, &hints, on_answer, q);
}

/* Asks what is due. Returns how long to wait at most, without regard to sockets. */
static int ask_due(wsf_discovery *d) {
    for (size_t i = 0; i < d->questions_count; i++)
        if (!d->questions[i].asked && d->questions[i].due_ms <= now_ms())
            ask(d, &d->questions[i]);
    uint64_t at_ms = now_ms();
    uint64_t wait_ms = 3600000;
    for (size_t i = 0; i < d->questions_count; i++) {
        const question *q = &d->questions[i];
        uint64_t left_ms = q->due_ms > at_ms ? q->due_ms - at_ms : 0;
        if (!q->asked && left_ms < wait_ms)
            wait_ms = left_ms;
    }
    struct timeval until;
    if (d->channel != NULL && ares_timeout(d->channel, NULL, &until) != NULL) {
        uint64_t left_ms = (uint64_t)until.tv_sec * 1000 + (uint64_t)until.tv_usec / 1000 + 1;
        wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
    }
    return (int)wait_ms;
}

static void *run(void *user) {
    wsf_discovery *d = user;
    while (!atomic_load(&d->stop)) {
        int timeout_ms = ask_due(d);
        /* A copy: c-ares opens and closes sockets while it handles them. */
        struct pollfd ready[SOCKETS_MAX + 1];
        nfds_t count = d->sockets_count;
        memcpy(ready, d->sockets, count * sizeof *ready);
        ready[count] = (struct pollfd){ .fd = d->wake_fd, .events = POLLIN };
        poll(ready, count + 1, timeout_ms);
        for (nfds_t i = 0; i < count && d->channel != NULL; i++) {
            bool out = (ready[i].revents & POLLOUT) != 0;
            bool in = (ready[i].revents & ~POLLOUT) != 0;
            if (in || out)
                ares_process_fd(d->channel, in ? ready[i].fd : ARES_SOCKET_BAD,
                                out ? ready[i].fd : ARES_SOCKET_BAD);
        }
        if (d->channel != NULL) /* what has timed out */
            ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
    return NULL;
}

static int start_thread(wsf_discovery *d) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int result = pthread_create(&d->thread, NULL, run, d);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result == 0 ? WSFAN_OK : WSFAN_ESYSTEM;
}

/* ------------------------------------------------------------------------------ open and close */

static void release(wsf_discovery *d) {
    if (d->channel != NULL)
        ares_destroy(d->channel);
    if (d->wake_fd >= 0)
        close(d->wake_fd);
    wsf_free(d);
}

int wsf_discovery_open(wsf_discovery **out, wsf_mesh *mesh, const char *const *names, size_t count,
                       uint32_t interval_ms, uint64_t seed) {
    wsf_discovery *d = wsf_alloc_zero(1, sizeof *d);
    if (d == NULL)
        return WSFAN_ENOMEM;
    d->mesh = mesh;
    d->interval_ms = interval_ms;
    d->seed = (unsigned)seed;
    d->questions_count = count;
    for (size_t i = 0; i < count; i++) {
        question *q = &d->questions[i];
        q->discovery = d;
        q->source = WSF_SOURCE_DNS + (unsigned)i;
        q->retry_ms = interval_ms < FIRST_RETRY_MS ? interval_ms : FIRST_RETRY_MS;
        wsf_endpoint_split_dns(names[i], q->host, &q->port);
    }
    int error = WSFAN_ESYSTEM;
    d->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (d->wake_fd >= 0 && (error = open_channel(d)) == WSFAN_OK)
        error = start_thread(d);
    if (error != WSFAN_OK) {
        release(d);
        return error;
    }
    *out = d;
    return WSFAN_OK;
}

void wsf_discovery_close(wsf_discovery *d) {
    if (d == NULL)
        return;
    atomic_store(&d->stop, true);
    ssize_t written = write(d->wake_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
    (void)written;
    pthread_join(d->thread, NULL);
    release(d);
}

void wsf_discovery_stats(wsf_discovery *d, wsfan_stats *stats) {
    if (d == NULL)
        return;
    stats->dns_answers = atomic_load(&d->answers);
    stats->dns_failures = atomic_load(&d->failures);
    stats->dns_surplus = atomic_load(&d->surplus);
}
