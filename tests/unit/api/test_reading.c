/* The only loop of a node reads the sockets in dispatch; the mesh thread does when that loop is late or there are
 * several. */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>

#include "core/state.h"
#include "live.h"
#include "loop/state.h"
#include "mesh/socket.h"
#include "mesh/state.h"
#include "suite.h"

/* How many descriptors an epoll descriptor watches. */
static unsigned watched(int fd) {
    char path[40];
    char line[200];
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL)
        count += strncmp(line, "tfd:", 4) == 0;
    fclose(file);
    return count;
}

/* ---------------------------------------------------------------------------------------- nodes */

typedef struct {
    wsfan_node *node;
    wsfan_loop *loop;
    atomic_uint next; /* the number of the message that comes next */
    atomic_uint wrong;
    atomic_uint joined;
    atomic_uint gaps;
    atomic_uint peers_lost;
    unsigned results;
    unsigned results_whole;
    void (*in_message)(void);
} replica;

/* Called on the host's thread as well, where an assertion of Check would hold its lock and stop. */
static void on_message(void *user, wsfan_message *message, const wsfan_recipient *sessions,
                       size_t count) {
    replica *r = user;
    wsfan_bytes payload = wsfan_message_payload(message);
    unsigned number = 0;
    (void)sessions;
    if (payload.size >= sizeof number)
        memcpy(&number, payload.data, sizeof number);
    if (count != 1 || payload.size < sizeof number || number != atomic_load(&r->next))
        atomic_fetch_add(&r->wrong, 1);
    if (r->in_message != NULL)
        r->in_message();
    atomic_fetch_add(&r->next, 1);
}

static void on_joined(void *user, const wsfan_joined *joined) {
    ck_assert_int_eq(joined->status, WSFAN_OK);
    atomic_fetch_add(&((replica *)user)->joined, 1);
}

static void on_gap(void *user, const wsfan_gap *gap) {
    (void)gap;
    atomic_fetch_add(&((replica *)user)->gaps, 1);
}

static void on_peer(void *user, const wsfan_peer *peer) {
    if (peer->event == WSFAN_PEER_SILENT || peer->event == WSFAN_PEER_DOWN)
        atomic_fetch_add(&((replica *)user)->peers_lost, 1);
}

static void on_result(void *user, const wsfan_result *result) {
    replica *r = user;
    r->results++;
    r->results_whole += result->status == WSFAN_OK && result->peers == 1;
}

static void open_loop(replica *r, wsfan_node *node, wsfan_loop **loop) {
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_message = on_message,
                                               .on_joined = on_joined,
                                               .on_gap = on_gap,
                                               .on_peer = on_peer,
                                               .on_result = on_result };
    ck_assert_int_eq(wsfan_loop_open(loop, node, &callbacks, r), WSFAN_OK);
}

static void open_replica(replica *r, wsfan_options options) {
    memset(r, 0, sizeof *r);
    ck_assert_int_eq(wsfan_node_open(&r->node, &options), WSFAN_OK);
    open_loop(r, r->node, &r->loop);
}

static void join(replica *r, wsfan_loop *loop) {
    wsfan_session session;
    ck_assert_int_eq(wsfan_session_open(&session, loop, wsfan_string("u"), NULL), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join(loop, session, wsfan_string("chat")), WSFAN_OK);
    unsigned joined = atomic_load(&r->joined);
    WAIT(atomic_load(&r->joined) == joined + 1);
}

static replica publisher;
static replica subscriber;

/* Two nodes that have met, of which the second has a session in the chat. */
static void open_both(wsfan_options options) {
    open_replica(&publisher, options);
    const char *peers[] = { wsfan_node_endpoint(publisher.node) };
    options.peers = peers;
    options.peers_count = 1;
    open_replica(&subscriber, options);
    live[0] = publisher.loop;
    live[1] = subscriber.loop;
    WAIT(wsfan_node_ready(publisher.node) == 1 && wsfan_node_ready(subscriber.node) == 1);
    join(&subscriber, subscriber.loop);
}

static uint64_t published(wsfan_node *node) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_node_get_stats(node, &stats), WSFAN_OK);
    return stats.published;
}

static void close_replica(replica *r) {
    ck_assert_int_eq(wsfan_loop_close(r->loop), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_close(r->node), WSFAN_OK);
}

static void close_both(void) {
    ck_assert_uint_eq(atomic_load(&subscriber.wrong), 0);
    live[0] = live[1] = live[2] = NULL;
    close_replica(&subscriber);
    close_replica(&publisher);
}

static void publish(unsigned number, size_t size, bool asks) {
    static uint8_t payload[100 * 1000];
    wsfan_publish_options options = { .struct_size = sizeof options };
    options.result_loop = asks ? publisher.loop : NULL;
    memcpy(payload, &number, sizeof number);
    int error;
    while ((error = wsfan_broadcast(publisher.node, wsfan_string("chat"),
                                    (wsfan_bytes){ payload, size }, &options)) == WSFAN_EAGAIN)
        dispatch_all();
    ck_assert_int_eq(error, WSFAN_OK);
}

/* ------------------------------------------------------------------------------ a host that stops */

typedef enum { NOWHERE, IN_MESSAGE, BEFORE_DISPATCH, AFTER_DISPATCH, POINTS } point;

/* The host's thread stops where it is told to, until it is let go. */
static pthread_t host;
static atomic_bool host_ends;
static atomic_int stops_at;
static sem_t stopped;
static sem_t let_go;

static void reach(point at) {
    int expected = (int)at;
    if (!atomic_compare_exchange_strong(&stops_at, &expected, NOWHERE))
        return;
    sem_post(&stopped);
    sem_wait(&let_go);
}

static void stop_in_message(void) {
    reach(IN_MESSAGE);
}

/* Handles a few messages in each dispatch, so that it leaves something at most times. */
static void *run_host(void *user) {
    replica *r = user;
    while (!atomic_load(&host_ends)) {
        struct pollfd item = { .fd = wsfan_loop_fd(r->loop), .events = POLLIN };
        poll(&item, 1, 100);
        if (item.revents == 0)
            continue;
        reach(BEFORE_DISPATCH);
        if (wsfan_loop_dispatch(r->loop, 3) < 0)
            atomic_fetch_add(&r->wrong, 1);
        reach(AFTER_DISPATCH);
    }
    return NULL;
}

static void start_host(void (*in_message)(void)) {
    ck_assert_int_eq(sem_init(&stopped, 0, 0), 0);
    ck_assert_int_eq(sem_init(&let_go, 0, 0), 0);
    subscriber.in_message = in_message;
    atomic_store(&host_ends, false);
    live[1] = NULL; /* the host's */
    ck_assert_int_eq(pthread_create(&host, NULL, run_host, &subscriber), 0);
}

static void end_host(void) {
    atomic_store(&host_ends, true);
    ck_assert_int_eq(pthread_join(host, NULL), 0);
    live[1] = subscriber.loop;
}

/* Nothing comes or is due but what a test publishes: what waits for the next heartbeat waits for 10 s, and the test
 * for its deadline. */
static wsfan_options calm_options(void) {
    wsfan_options options = quick_options("tcp://127.0.0.1:*");
    options.heartbeat_ms = 10000;
    options.silent_ms = 30000;
    options.down_ms = 50000;
    return options;
}

static void publish_and_await_acknowledgement(unsigned number) {
    unsigned results = publisher.results;
    publish(number, 100, true);
    WAIT(publisher.results == results + 1);
    ck_assert_uint_eq(publisher.results_whole, publisher.results);
}

/* The peer acknowledges on while its host stands still: first the frames that the last reading has left, then what
 * comes later. */
START_TEST(a_host_that_stops_anywhere_holds_nobody_up) {
    enum { ROUNDS = 4, BURST = 100, LATER = 10 };
    unsigned sent = 0;
    open_both(calm_options());
    start_host(stop_in_message);
    for (unsigned round = 0; round < ROUNDS * (POINTS - 1); round++) {
        for (unsigned i = 0; i < BURST; i++) {
            if (i == BURST / 2)
                atomic_store(&stops_at, IN_MESSAGE + (int)round % (POINTS - 1));
            publish(sent++, i % 3 == 0 ? 60 * 1000 : 100, false);
        }
        ck_assert_int_eq(sem_wait(&stopped), 0);
        unsigned shown = atomic_load(&subscriber.next);
        for (unsigned i = 0; i < LATER; i++)
            publish_and_await_acknowledgement(sent++);
        ck_assert_uint_eq(atomic_load(&subscriber.next), shown);
        ck_assert_int_eq(sem_post(&let_go), 0);
        WAIT(atomic_load(&subscriber.next) == sent);
    }
    end_host();
    ck_assert_uint_eq(atomic_load(&subscriber.gaps) + atomic_load(&publisher.gaps), 0);
    ck_assert_uint_eq(atomic_load(&subscriber.peers_lost) + atomic_load(&publisher.peers_lost), 0);
    close_both();
}
END_TEST

static void answer(void) {
    unsigned number = atomic_load(&subscriber.next) + 1;
    if (number % 2 == 1) /* the peer's are even */
        ck_assert_int_eq(wsfan_broadcast(subscriber.node, wsfan_string("chat"),
                                         (wsfan_bytes){ &number, sizeof number }, NULL),
                         WSFAN_OK);
}

START_TEST(a_loop_is_told_of_what_its_own_callbacks_publish) {
    enum { COUNT = 40 };
    open_both(calm_options());
    start_host(answer);
    for (unsigned sent = 0; sent < COUNT; sent += 2) {
        publish(sent, 100, false);
        WAIT(atomic_load(&subscriber.next) == sent + 2);
    }
    end_host();
    close_both();
}
END_TEST

/* ------------------------------------------------------------------------------------ one or more */

START_TEST(the_only_loop_watches_the_sockets_and_several_do_not) {
    open_both(quick_options("tcp://127.0.0.1:*"));
    ck_assert_uint_eq(watched(wsfan_loop_fd(subscriber.loop)), 2);
    wsfan_loop *first = subscriber.loop;
    wsfan_loop *second;
    replica other = { .node = subscriber.node };
    open_loop(&other, subscriber.node, &second);
    live[2] = second;
    join(&other, second);
    ck_assert_uint_eq(watched(wsfan_loop_fd(first)), 1);
    ck_assert_uint_eq(watched(wsfan_loop_fd(second)), 1);
    unsigned sent = 0;
    for (; sent < 100; sent++)
        publish(sent, 100, false);
    WAIT(atomic_load(&subscriber.next) == sent && atomic_load(&other.next) == sent);

    live[1] = NULL;
    ck_assert_int_eq(wsfan_loop_close(first), WSFAN_OK);
    WAIT(watched(wsfan_loop_fd(second)) == 2);
    for (; sent < 200; sent++)
        publish(sent, 100, false);
    WAIT(atomic_load(&other.next) == sent);
    ck_assert_uint_eq(atomic_load(&other.wrong), 0);
    subscriber.loop = second;
    close_both();
}
END_TEST

static bool is_readable(int fd) {
    struct pollfd item = { .fd = fd, .events = POLLIN };
    return poll(&item, 1, 0) == 1;
}

/* The inbox is half full with each frame, so that every reading leaves something to the next. */
START_TEST(a_loop_rests_when_it_has_left_frames_to_the_mesh_thread) {
    enum { ROUNDS = 8, SIZE = 1000 };
    wsfan_options options = calm_options();
    options.inbox_bytes_max = SIZE;
    open_both(options);
    wsfan_loop *first = subscriber.loop;
    for (unsigned round = 0; round < ROUNDS; round++) {
        replica other = { .node = subscriber.node };
        WAIT(!is_readable(wsfan_loop_fd(first)));
        publish(round, SIZE, false);
        while (atomic_load(&subscriber.next) == round)
            ck_assert_int_ge(wsfan_loop_dispatch(first, 1), 0);
        open_loop(&other, subscriber.node, &other.loop);
        live[1] = NULL;
        live[2] = other.loop;
        WAIT(watched(wsfan_loop_fd(first)) == 1);
        live[1] = first;
        WAIT(!is_readable(wsfan_loop_fd(first)));
        live[2] = NULL;
        ck_assert_int_eq(wsfan_loop_close(other.loop), WSFAN_OK);
        WAIT(watched(wsfan_loop_fd(first)) == 2);
    }
    close_both();
}
END_TEST

/* A host that does not wait between its dispatches would have the lock nearly always. */
START_TEST(a_loop_leaves_the_lock_to_others_where_nothing_has_come) {
    open_replica(&subscriber, calm_options());
    wsf_mesh *mesh = subscriber.loop->node.mesh;
    live[0] = subscriber.loop;
    WAIT(watched(wsfan_loop_fd(subscriber.loop)) == 2 && !is_readable(wsfan_loop_fd(live[0])));
    pthread_mutex_lock(&mesh->lock);
    mesh->reading = NULL;
    pthread_mutex_unlock(&mesh->lock);
    ck_assert_int_eq(wsfan_loop_dispatch(subscriber.loop, 0), 0);
    pthread_mutex_lock(&mesh->lock);
    ck_assert_ptr_null(mesh->reading);
    pthread_mutex_unlock(&mesh->lock);
    live[0] = NULL;
    close_replica(&subscriber);
}
END_TEST

START_TEST(a_loop_rests_while_another_thread_has_the_lock) {
    enum { ROUNDS = 8 };
    open_both(calm_options());
    wsf_mesh *mesh = subscriber.loop->node.mesh;
    for (unsigned round = 0; round < ROUNDS; round++) {
        pthread_mutex_lock(&mesh->lock);
        publish(round, 100, false);
        WAIT(is_readable(wsf_mesh_effects_fd(&mesh->out)));
        WAIT(!is_readable(wsfan_loop_fd(subscriber.loop)));
        pthread_mutex_unlock(&mesh->lock);
        WAIT(atomic_load(&subscriber.next) == round + 1);
    }
    close_both();
}
END_TEST

/* ----------------------------------------------------------------------------------- publishing */

/* A command that waited for the core, with none taken before it: its publisher has woken the mesh thread in vain. */
START_TEST(what_waited_for_a_peer_to_acknowledge_leaves_when_the_loop_has_read) {
    enum { ROUNDS = 8 };
    open_replica(&publisher, calm_options());
    live[0] = publisher.loop;
    wsf_mesh *mesh = publisher.loop->node.mesh;
    wsf_core *core = mesh->out.core;
    WAIT(watched(wsfan_loop_fd(publisher.loop)) == 2);
    for (unsigned round = 0; round < ROUNDS; round++) {
        pthread_mutex_lock(&mesh->lock);
        wsf_peers_put(&core->congested, 0, true);
        pthread_mutex_unlock(&mesh->lock);
        publish(round, 100, false);
        WAIT(!is_readable(mesh->mailbox.fd));
        pthread_mutex_lock(&mesh->lock);
        wsf_peers_put(&core->congested, 0, false);
        atomic_store(&mesh->unread, true); /* what the peer acknowledges */
        pthread_mutex_unlock(&mesh->lock);
        WAIT(published(publisher.node) == round + 1);
    }
    live[0] = NULL;
    close_replica(&publisher);
}
END_TEST

START_TEST(a_loop_without_peers_watches_no_sockets) {
    replica alone;
    wsfan_options options = quick_options("tcp://127.0.0.1:*");
    options.endpoint = NULL;
    open_replica(&alone, options);
    live[0] = alone.loop;
    ck_assert_int_ge(wsfan_loop_dispatch(alone.loop, 0), 0);
    ck_assert_uint_eq(watched(wsfan_loop_fd(alone.loop)), 1);
    live[0] = NULL;
    close_replica(&alone);
}
END_TEST

SUITE_MAIN("reading", a_host_that_stops_anywhere_holds_nobody_up,
           a_loop_is_told_of_what_its_own_callbacks_publish,
           the_only_loop_watches_the_sockets_and_several_do_not,
           a_loop_rests_when_it_has_left_frames_to_the_mesh_thread,
           a_loop_rests_while_another_thread_has_the_lock,
           a_loop_leaves_the_lock_to_others_where_nothing_has_come,
           what_waited_for_a_peer_to_acknowledge_leaves_when_the_loop_has_read,
           a_loop_without_peers_watches_no_sockets)
