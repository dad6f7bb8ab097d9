/* Answers for attempts that libnats never ends. 3.4.1 reads in circles, for ever and without a pause, where a connection breaks
 * or its server says nothing between CONNECT and PONG: natsConnection_Connect() does not return, and nothing of the connection is
 * known outside. Its thread is known by what it takes of the processor, where one that waits takes nothing, and it is
 * cancelled in poll() or recv(), where it holds no lock but that of this connection. */
#include "attempt.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOK_MS = 100,
    CIRCLES_MS = 300 /* of the processor: many times what it takes to connect, with TLS too */
};

typedef struct {
    natsConnection *nats;
    natsOptions *how;
    natsStatus status;
    int over; /* descriptor: readable afterwards */
    char detail[WSF_NATS_DETAIL_SIZE];
} attempt;

static void *run(void *user) {
    attempt *a = user;
    int before;
    a->status = natsConnection_Connect(&a->nats, a->how);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    const char *detail = nats_GetLastError(NULL); /* of this thread */
    snprintf(a->detail, sizeof a->detail, "%s", detail != NULL ? detail : "");
    nats_ReleaseThreadMemory();
    eventfd_write(a->over, 1);
    return NULL;
}

static uint64_t processor_ms(pthread_t thread) {
    clockid_t clock;
    struct timespec used;
    if (pthread_getcpuclockid(thread, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return 0;
    return (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
}

/* Waits for the end. False: there is none. */
static bool ends(const attempt *a, pthread_t thread, uint32_t ms_max) {
    struct pollfd over = { .fd = a->over, .events = POLLIN };
    for (uint64_t ms = 0; poll(&over, 1, LOOK_MS) <= 0; ms += LOOK_MS)
        if (ms >= ms_max && processor_ms(thread) >= CIRCLES_MS)
            return false;
    return true;
}

/* The thread may have come to its end meanwhile. */
static void give_up(attempt *a, pthread_t thread) {
    void *result;
    pthread_cancel(thread);
    pthread_join(thread, &result);
    if (result != PTHREAD_CANCELED)
        return;
    a->status = WSF_NATS_HUNG;
    snprintf(a->detail, sizeof a->detail, "the server did not answer, and libnats did not notice");
}

natsStatus wsf_nats_attempt(natsConnection **nats, natsOptions *how, uint32_t ms_max,
                            char detail[WSF_NATS_DETAIL_SIZE]) {
    attempt a = { .how = how, .status = NATS_SYS_ERROR, .over = eventfd(0, EFD_CLOEXEC) };
    pthread_t thread;
    if (a.over < 0)
        return NATS_SYS_ERROR;
    if (pthread_create(&thread, NULL, run, &a) == 0) {
        if (ends(&a, thread, ms_max))
            pthread_join(thread, NULL);
        else
            give_up(&a, thread);
    }
    close(a.over);
    *nats = a.nats;
    snprintf(detail, WSF_NATS_DETAIL_SIZE, "%s", a.detail);
    return a.status;
}
