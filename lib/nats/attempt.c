/* Answers for attempts that libnats never ends. 3.4.1 reads in circles, for ever and without a pause, where a connection breaks
 * or its server says nothing between CONNECT and PONG: natsConnection_Connect() does not return, and nothing of the connection is
 * known outside. Its thread is known by what it takes of the processor, where one that waits takes nothing, and it is
 * cancelled in poll() or recv(), where it holds no lock but that of this connection.
 *
 * A handshake of TLS waits for ever where its server says no more: libnats gives it no time limit. What a name server may
 * take is not known either, so such an attempt is given up late. Its options have a lock that it holds: they stay. */
#include "attempt.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "options.h"

enum {
    LOOK_MS = 100,
    CIRCLES_MS = 300,    /* of the processor: many times what it takes to connect, with TLS too */
    STUCK_MS = 5000,     /* besides what libnats has a limit for */
    NAME_MS_MAX = 20000, /* for the name of a server, as the system resolves it */
    RETRY_MS = 100,
    RETRY_MS_MAX = 2000,
    HUNG_MS = 250, /* doubled by each attempt in a row that hung: they leave something behind */
    HUNG_MS_MAX = 10 * 60 * 1000
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

/* Of SCHEME://[USER:PASSWORD@]HOST[:PORT]. */
static bool has_name(const char *url, size_t size) {
    const char *end = url + size;
    const char *host = url;
    for (const char *at = url; at < end; at++)
        if (*at == '/' || *at == '@')
            host = at + 1;
    size_t digits = strspn(host, "0123456789.");
    return host < end && *host != '[' && host + digits < end && host[digits] != ':';
}

/* The time of one attempt with each server at most, where nothing waits for ever. */
static uint64_t ms_max_of(const wsfan_nats_options *options) {
    uint64_t ms = STUCK_MS;
    for (const char *at = options->urls; *at != '\0';) {
        size_t size = strcspn(at, ", ");
        if (size > 0)
            ms += 2 * (uint64_t)options->connect_ms_max + (has_name(at, size) ? NAME_MS_MAX : 0);
        at += size;
        at += strspn(at, ", ");
    }
    return ms;
}

typedef enum { OVER, IN_CIRCLES, STUCK } course;

/* Waits for the end. Other than OVER: there is none. */
static course wait_for_end(const attempt *a, pthread_t thread, const wsfan_nats_options *options) {
    struct pollfd over = { .fd = a->over, .events = POLLIN };
    for (uint64_t ms = 0; poll(&over, 1, LOOK_MS) <= 0; ms += LOOK_MS) {
        if (ms >= options->connect_ms_max && processor_ms(thread) >= CIRCLES_MS)
            return IN_CIRCLES;
        if (ms >= ms_max_of(options))
            return STUCK;
    }
    return OVER;
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

natsStatus wsf_nats_attempt(natsConnection **nats, const wsfan_nats_options *options,
                            const char *name, char detail[WSF_NATS_DETAIL_SIZE]) {
    attempt a = { .status = NATS_SYS_ERROR, .over = eventfd(0, EFD_CLOEXEC) };
    course went = OVER;
    pthread_t thread;
    detail[0] = '\0';
    if (a.over < 0)
        return NATS_SYS_ERROR;
    natsStatus s = wsf_nats_options_apply(&a.how, options, name);
    if (s != NATS_OK) {
        close(a.over);
        return s;
    }
    if (pthread_create(&thread, NULL, run, &a) == 0) {
        went = wait_for_end(&a, thread, options);
        if (went == OVER)
            pthread_join(thread, NULL);
        else
            give_up(&a, thread);
    }
    close(a.over);
    if (went != STUCK)
        natsOptions_Destroy(a.how);
    *nats = a.nats;
    snprintf(detail, WSF_NATS_DETAIL_SIZE, "%s", a.detail);
    return a.status;
}

void wsf_nats_attempts_count(wsf_nats_attempts *attempts, natsStatus s) {
    attempts->count = s == NATS_OK ? 0 : attempts->count + 1;
    attempts->hung = s == WSF_NATS_HUNG ? attempts->hung + 1 : 0;
}

uint64_t wsf_nats_retry_ms(const wsf_nats_attempts *attempts, unsigned *random) {
    uint32_t before = attempts->count > 0 ? attempts->count - 1 : 0;
    uint32_t hung = attempts->hung;
    uint64_t ms = (uint64_t)RETRY_MS << (before < 8 ? before : 8);
    uint64_t hung_ms = hung > 0 ? (uint64_t)HUNG_MS << (hung < 16 ? hung : 16) : 0;
    ms = ms < RETRY_MS_MAX ? ms : RETRY_MS_MAX;
    hung_ms = hung_ms < HUNG_MS_MAX ? hung_ms : HUNG_MS_MAX;
    return hung_ms + ms / 2 + (uint64_t)rand_r(random) % ms;
}
