/* Uses the public headers alone, as a host would: one thread, two loops. */
#include "recorder.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#ifdef NATS_SERVER
#include <wsfan/nats.h>
#endif

#include "recorder_parts.h"

enum {
    ACTS_PER_S = 40,
    STEP_MS = 5,
    SLEPT_MS = 500, /* between two steps: it was stopped */
    LOOK_MS = 100,  /* between two looks at its own counters */
    DNS_INTERVAL_MS = 1000
};

/* ---------------------------------------------------------------------------------------- clock */

static const life_log *dated_by; /* NULL: by the system alone */

/* In place of libc's, for the library too: no namespace has a wall clock of its own. */
int clock_gettime(clockid_t clock, struct timespec *at) {
    int status = (int)syscall(SYS_clock_gettime, clock, at);
    if (status == 0 && clock == CLOCK_REALTIME && dated_by != NULL)
        at->tv_sec += (time_t)atomic_load(&dated_by->wall_s);
    return status;
}

uint64_t recorder_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

/* ----------------------------------------------------------------------------------------- log */

void recorder_write(recorder *r, event value) {
    unsigned count = atomic_load_explicit(&r->log->count, memory_order_relaxed);
    if (count - atomic_load(&r->log->read) == EVENTS_MAX)
        abort(); /* the test sees a recorder that died by itself */
    if (value.ns == 0)
        value.ns = recorder_ns();
    r->log->events[count % EVENTS_MAX] = value;
    atomic_store_explicit(&r->log->count, count + 1, memory_order_release);
}

void recorder_broken(recorder *r, recorder_fault what, uint64_t count) {
    recorder_write(r, (event){ .kind = EVENT_BROKEN, .number = (uint32_t)what, .count = count });
}

/* --------------------------------------------------------------------------------------- running */

/* Waits for work, a moment at most. What it was stopped for meanwhile it could not do. */
static uint64_t wait_for_work(recorder *r, uint64_t before_ns) {
    struct pollfd fds[EVENTS_LOOPS];
    for (unsigned i = 0; i < EVENTS_LOOPS; i++)
        fds[i] = (struct pollfd){ .fd = wsfan_loop_fd(r->loops[i].loop), .events = POLLIN };
    poll(fds, EVENTS_LOOPS, STEP_MS);
    uint64_t slept_ms = (recorder_ns() - before_ns) / 1000000;
    if (slept_ms < SLEPT_MS)
        return 0;
    recorder_write(r, (event){ .kind = EVENT_SLEPT, .count = slept_ms });
    return slept_ms;
}

static void run_load(recorder *r) {
    uint64_t before_ns = recorder_ns();
    uint64_t began_ms = before_ns / 1000000;
    uint64_t published = 0;
    uint64_t acts = 0;
    while (!atomic_load(&r->log->finish)) {
        began_ms += wait_for_work(r, before_ns);
        before_ns = recorder_ns();
        bool quiet = atomic_load(&r->log->quiet);
        for (unsigned i = 0; i < EVENTS_LOOPS; i++)
            wsfan_loop_dispatch(r->loops[i].loop, 0);
        recorder_let_go(r);
        if (before_ns - r->looked_ns >= LOOK_MS * UINT64_C(1000000)) {
            recorder_look(r, quiet);
            r->looked_ns = before_ns;
        }
        uint64_t ran_ms = before_ns / 1000000 - began_ms;
        for (; acts < ran_ms * ACTS_PER_S / 1000; acts++)
            if (!quiet)
                recorder_act(r);
        for (; published < ran_ms * r->log->config.messages_per_s / 1000; published++)
            if (!quiet)
                recorder_publish(r);
    }
}

#ifdef NATS_SERVER
static wsfan_nats *nats; /* what the mesh is over; NULL: ZeroMQ */

static int open_carrier(const recorder_config *config, wsfan_options *options) {
    wsfan_nats_options how;
    wsfan_nats_options_init(&how);
    how.urls = config->servers;
    if (config->servers[0] == '\0')
        return WSFAN_OK;
    int error = wsfan_nats_open(&nats, &how);
    if (error == WSFAN_OK)
        options->carrier = wsfan_nats_carrier(nats);
    return error;
}

static void close_carrier(void) {
    wsfan_nats_close(nats);
}
#else
static int open_carrier(const recorder_config *config, wsfan_options *options) {
    (void)config;
    (void)options;
    return WSFAN_OK;
}

static void close_carrier(void) {
}
#endif

static int open_node(recorder *r) {
    const recorder_config *config = &r->log->config;
    const char *peers[CONFIG_PEERS_MAX];
    const char *allow[CONFIG_KEYS_MAX];
    for (unsigned i = 0; i < config->peers_count; i++)
        peers[i] = config->peers[i];
    for (unsigned i = 0; i < config->allow_count; i++)
        allow[i] = config->allow[i];
    wsfan_options options;
    wsfan_options_init(&options);
    options.cluster = "recorders";
    options.name = config->name;
    options.endpoint = config->endpoint;
    options.allow_insecure = 1; /* in a network of our own */
    options.peers = peers;
    options.peers_count = config->peers_count;
    options.secret_key = config->secret_key[0] != '\0' ? config->secret_key : NULL;
    options.allow = allow;
    options.allow_count = config->allow_count;
    options.dns_interval_ms = DNS_INTERVAL_MS;
    options.payload_bytes_max = PAYLOAD_BYTES_MAX;
    options.link_window_bytes = WINDOW_BYTES;
    options.link_queue_bytes_max = QUEUE_BYTES;
    options.link_queue_count_max = QUEUE_COUNT;
    options.heartbeat_ms = RECORDER_HEARTBEAT_MS;
    options.silent_ms = 4 * RECORDER_HEARTBEAT_MS;
    options.down_ms = RECORDER_DOWN_MS;
    options.forget_ms = config->forget_ms;
    options.join_ms_max = RECORDER_JOIN_MS_MAX;
    options.result_ms_max = RECORDER_RESULT_MS_MAX;
    options.presence_grace_ms = RECORDER_GRACE_MS;
    options.ready_ms_max = RECORDER_READY_MS_MAX; /* some endpoints that are named never answer */
    options.history_ms = config->history_ms;
    options.history_count_max = config->history_count_max;
    options.history_chat_bytes_max = config->history_chat_bytes_max;
    options.recover_ms_max = RECORDER_RECOVER_MS_MAX;
    options.history_key = "known to all recorders";
    int error = open_carrier(config, &options);
    if (error != WSFAN_OK)
        return error;
    uint64_t born_ns = recorder_ns(); /* peers may see it before the call returns */
    error = wsfan_node_open(&r->node, &options);
    if (error != WSFAN_OK)
        return error;
    r->id = wsfan_node_id(r->node);
    recorder_write(r, (event){ .kind = EVENT_BORN, .ns = born_ns, .id = r->id });
    wsfan_callbacks callbacks = recorder_callbacks();
    for (unsigned i = 0; i < EVENTS_LOOPS && error == WSFAN_OK; i++) {
        r->loops[i] = (thread){ .owner = r, .index = i };
        error = wsfan_loop_open(&r->loops[i].loop, r->node, &callbacks, &r->loops[i]);
    }
    return error;
}

int recorder_run(life_log *log) {
    static recorder r;
    r = (recorder){ .log = log, .random = log->config.seed };
    r.travellers = travellers_map(log->config.travellers);
    dated_by = log;
    int error = r.travellers == NULL ? WSFAN_ESYSTEM : open_node(&r);
    if (error != WSFAN_OK) {
        fprintf(stderr, "%s: %s\n", log->config.name, wsfan_error_text(error));
        return EXIT_FAILURE;
    }
    for (unsigned i = 0; i < SESSIONS_MAX / 2; i++)
        recorder_open_session(&r);
    atomic_store(&log->ready, true);
    run_load(&r);
    if (!log->config.passes) {
        recorder_look_at_the_end(&r);
        recorder_write(&r, (event){ .kind = EVENT_END });
    }
    for (unsigned i = 0; i < EVENTS_LOOPS; i++)
        wsfan_loop_close(r.loops[i].loop);
    error = wsfan_node_close(r.node);
    close_carrier();
    return error == WSFAN_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
