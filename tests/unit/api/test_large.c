/* Payloads that are the second part of a frame, between nodes of one process on real sockets. */
#include <stdlib.h>
#include <string.h>
#include <wsfan/peers.h>
#include <wsfan/stats.h>
#include <zmq.h>

#include "live.h"
#include "suite.h"
#include "wire/encode.h"

enum { NODES = 3, HEADROOM = 20, KEPT_MAX = 64 };

typedef struct {
    wsfan_node *node;
    wsfan_loop *loop;
    unsigned number;
    unsigned peers_up;
    unsigned joined;
    uint64_t gap;
    unsigned count;
    wsfan_message *kept[KEPT_MAX]; /* the first that came */
} replica;

static replica replicas[NODES];

/* A payload begins with its number; the other bytes follow from it. */
enum { NUMBER_SIZE = sizeof(uint32_t), SHIFTS = 256, PAYLOAD_MAX = 1024 * 1024 };

static uint8_t pattern[PAYLOAD_MAX + SHIFTS];

static const uint8_t *rest_of(uint32_t number) {
    if (pattern[0] == 0) {
        uint64_t random = 1;
        for (size_t i = 0; i < sizeof pattern; i++)
            pattern[i] = (uint8_t)(next_random(&random) | 1);
    }
    return pattern + number * 31 % SHIFTS;
}

static void broadcast(int node, uint32_t number, size_t size) {
    uint8_t *payload = malloc(size);
    memcpy(payload, &number, NUMBER_SIZE);
    memcpy(payload + NUMBER_SIZE, rest_of(number), size - NUMBER_SIZE);
    ck_assert_int_eq(wsfan_broadcast(replicas[node].node, wsfan_string("chat"),
                                     (wsfan_bytes){ payload, size }, NULL),
                     WSFAN_OK);
    free(payload);
}

static void check_payload(const wsfan_message *message) {
    uint32_t number;
    wsfan_bytes payload = wsfan_message_payload(message);
    const uint8_t *bytes = payload.data;
    ck_assert_uint_ge(payload.size, NUMBER_SIZE);
    memcpy(&number, bytes, NUMBER_SIZE);
    ck_assert_mem_eq(bytes + NUMBER_SIZE, rest_of(number), payload.size - NUMBER_SIZE);
}

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    replica *r = user;
    (void)recipients;
    ck_assert_uint_eq(count, 1);
    check_payload(message);
    void *headroom = wsfan_message_headroom(message, HEADROOM);
    if (headroom != NULL)
        memset(headroom, 'a' + (int)r->number, HEADROOM);
    if (r->count < KEPT_MAX)
        r->kept[r->count] = wsfan_message_ref(message);
    r->count++;
}

static void on_joined(void *user, const wsfan_joined *joined) {
    ck_assert_int_eq(joined->status, WSFAN_OK);
    ((replica *)user)->joined++;
}

static void on_peer(void *user, const wsfan_peer *peer) {
    ((replica *)user)->peers_up += peer->event == WSFAN_PEER_UP;
}

static void on_gap(void *user, const wsfan_gap *gap) {
    ((replica *)user)->gap += gap->count;
}

static void start(unsigned i, uint32_t headroom_bytes) {
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_message = on_message,
                                               .on_joined = on_joined,
                                               .on_peer = on_peer,
                                               .on_gap = on_gap };
    replica *r = &replicas[i];
    const char *peer = i > 0 ? wsfan_node_endpoint(replicas[0].node) : NULL;
    wsfan_session session;
    wsfan_options options;
    wsfan_options_init(&options);
    options.endpoint = "tcp://127.0.0.1:*";
    options.peers = &peer;
    options.peers_count = i > 0;
    options.headroom_bytes = headroom_bytes;
    *r = (replica){ .number = i };
    ck_assert_int_eq(wsfan_node_open(&r->node, &options), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_open(&r->loop, r->node, &callbacks, r), WSFAN_OK);
    live[i] = r->loop;
    ck_assert_int_eq(wsfan_session_open(&session, r->loop, wsfan_string("u"), NULL), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join(r->loop, session, wsfan_string("chat")), WSFAN_OK);
}

static void start_mesh(unsigned count, const uint32_t headroom_bytes[]) {
    for (unsigned i = 0; i < count; i++)
        start(i, headroom_bytes[i]);
    for (unsigned i = 0; i < count; i++)
        WAIT(replicas[i].joined == 1 && replicas[i].peers_up == count - 1);
}

static void stop_all(void) {
    for (int i = 0; i < NODES; i++) {
        replica *r = &replicas[i];
        if (r->node == NULL)
            continue;
        live[i] = NULL;
        ck_assert_uint_eq(r->gap, 0);
        for (unsigned k = 0; k < KEPT_MAX; k++)
            wsfan_message_unref(r->kept[k]);
        ck_assert_int_eq(wsfan_loop_close(r->loop), WSFAN_OK);
        ck_assert_int_eq(wsfan_node_close(r->node), WSFAN_OK);
        *r = (replica){ 0 };
    }
}

static wsfan_stats stats_of(int i) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_node_get_stats(replicas[i].node, &stats), WSFAN_OK);
    return stats;
}

static uint64_t malformed(int i) {
    return stats_of(i).dropped[WSFAN_DROP_MALFORMED];
}

/* ---------------------------------------------------------------------------------------- sizes */

/* Everybody writes headroom, and nobody sees it in another's, nor in a payload. */
static void check_headroom(unsigned count, const uint32_t headroom_bytes[]) {
    for (unsigned i = 0; i < count; i++)
        for (unsigned k = 0; k < replicas[i].count; k++) {
            wsfan_message *message = replicas[i].kept[k];
            check_payload(message);
            const char *headroom = wsfan_message_headroom(message, HEADROOM);
            ck_assert((headroom != NULL) == (headroom_bytes[i] >= HEADROOM));
            for (int b = 0; headroom != NULL && b < HEADROOM; b++)
                ck_assert_int_eq(headroom[b], 'a' + (int)i);
        }
}

START_TEST(payloads_of_all_sizes_arrive_whole_with_the_headroom_of_each_node) {
    static const uint32_t headroom_bytes[][NODES] = {
        { 0, 0, 0 },           { HEADROOM, HEADROOM, HEADROOM },
        { 0, HEADROOM, 0 },    /* the second copies what it gets */
        { HEADROOM, 0, 4096 }, /* the third too */
        { 4096, HEADROOM, 0 },
    };
    static const size_t sizes[] = { PAYLOAD_MAX,   WSF_APART_MIN - 1,
                                    WSF_APART_MIN, WSF_APART_MIN + 1,
                                    100,           65536 };
    enum { SIZES = sizeof sizes / sizeof *sizes };
    for (size_t h = 0; h < sizeof headroom_bytes / sizeof *headroom_bytes; h++) {
        start_mesh(NODES, headroom_bytes[h]);
        for (uint32_t i = 0; i < SIZES * NODES; i++)
            broadcast((int)(i % NODES), i, sizes[i / NODES]);
        WAIT(replicas[0].count == SIZES * NODES && replicas[1].count == SIZES * NODES &&
             replicas[2].count == SIZES * NODES);
        check_headroom(NODES, headroom_bytes[h]);
        stop_all();
    }
}
END_TEST

/* -------------------------------------------------------------------------------------- hostile */

static void send_parts(void *socket, wsf_frame_head head, const char *const parts[]) {
    uint8_t data[256];
    wsf_writer writer = { data, sizeof data, 0 };
    head.version = WSF_PROTOCOL_MAX;
    head.sender = 5;
    wsf_write_head(&writer, wsfan_node_id(replicas[0].node), &head);
    wsf_write_heartbeat(&writer, 0, NULL);
    wsf_seal(&writer);
    zmq_send(socket, data, writer.size, parts[0] != NULL ? ZMQ_SNDMORE : 0);
    for (int i = 0; parts[i] != NULL; i++)
        zmq_send(socket, parts[i], strlen(parts[i]), parts[i + 1] != NULL ? ZMQ_SNDMORE : 0);
}

START_TEST(parts_that_are_too_few_too_many_or_not_told_of_are_counted) {
    static const uint32_t headroom_bytes[NODES] = { 0 };
    start_mesh(2, headroom_bytes);
    void *context = zmq_ctx_new();
    void *liar = zmq_socket(context, ZMQ_XPUB);
    int zero = 0;
    char endpoint[128];
    size_t size = sizeof endpoint;
    zmq_setsockopt(liar, ZMQ_LINGER, &zero, sizeof zero);
    ck_assert_int_eq(zmq_bind(liar, "tcp://127.0.0.1:*"), 0);
    ck_assert_int_eq(zmq_getsockopt(liar, ZMQ_LAST_ENDPOINT, endpoint, &size), 0);
    const char *peers[] = { endpoint };
    ck_assert_int_eq(wsfan_node_set_peers(replicas[0].node, peers, 1), WSFAN_OK);
    char byte;
    WAIT(zmq_recv(liar, &byte, 1, ZMQ_DONTWAIT) >= 0);
    WAIT(zmq_recv(liar, &byte, 1, ZMQ_DONTWAIT) >= 0); /* the inbox and the introduction */
    wsf_frame_head told = { .rest_size = 4, .rest_checksum = wsf_payload_checksum("rest", 4) };
    wsf_frame_head untold = { .rest_size = 0 };
    uint64_t before = malformed(0);
    send_parts(liar, told, (const char *const[]){ NULL });
    send_parts(liar, told, (const char *const[]){ "lies", NULL });
    send_parts(liar, told, (const char *const[]){ "rest", "more", NULL });
    send_parts(liar, told, (const char *const[]){ "rest", "more", "and", "more", NULL });
    send_parts(liar, told, (const char *const[]){ "", NULL });
    send_parts(liar, untold, (const char *const[]){ "rest", NULL });
    send_parts(liar, untold, (const char *const[]){ "", NULL });
    WAIT(malformed(0) == before + 7);
    broadcast(1, 1, PAYLOAD_MAX);
    WAIT(replicas[0].count == 1);
    zmq_close(liar);
    zmq_ctx_term(context);
    stop_all();
}
END_TEST

/* One that gets what node 0 sends to node 1, as nobody can with keys, and reads only when it is asked to. */
static void *connect_spy(void *context) {
    int zero = 0;
    int one = 1;
    uint8_t inbox[WSF_TOPIC_SIZE];
    void *spy = zmq_socket(context, ZMQ_SUB);
    zmq_setsockopt(spy, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(spy, ZMQ_RCVHWM, &one, sizeof one);
    wsf_write_inbox(inbox, wsfan_node_id(replicas[1].node));
    ck_assert_int_eq(zmq_setsockopt(spy, ZMQ_SUBSCRIBE, inbox, sizeof inbox), 0);
    ck_assert_int_eq(zmq_connect(spy, wsfan_node_endpoint(replicas[0].node)), 0);
    return spy;
}

static void broadcast_and_wait(uint32_t *said) {
    broadcast(0, (*said)++, PAYLOAD_MAX);
    WAIT(replicas[1].count == *said && replicas[0].count == *said);
}

/* Libzmq's sessions throw the rest of a half-sent message away when their connection ends, or end the
 * process if they cannot. */
START_TEST(connections_that_end_within_a_frame_harm_nobody) {
    enum { CUTS = 30 };
    static const uint32_t headroom_bytes[NODES] = { 0 };
    start_mesh(2, headroom_bytes);
    void *context = zmq_ctx_new();
    uint32_t said = 0;
    for (int i = 0; i < CUTS; i++) {
        /* One that takes some of it, and is gone; every other one is turned out before, for a topic that
         * no peer subscribes to. */
        void *spy = connect_spy(context);
        uint64_t ended = stats_of(0).connections_ended;
        char byte;
        do {
            broadcast_and_wait(&said);
        } while (zmq_recv(spy, &byte, 1, ZMQ_DONTWAIT) < 0);
        if (i % 2 == 1) {
            ck_assert_int_eq(zmq_setsockopt(spy, ZMQ_SUBSCRIBE, "WSFN", 4), 0);
            do {
                broadcast_and_wait(&said);
            } while (stats_of(0).connections_ended == ended);
        }
        for (int more = 0; more < i % 4; more++)
            broadcast(0, said++, PAYLOAD_MAX);
        zmq_close(spy);
        WAIT(replicas[1].count == said && replicas[0].count == said);
    }
    /* One that has stopped reading is there when the node closes. */
    void *stalled = connect_spy(context);
    for (int i = 0; i < 30; i++)
        broadcast_and_wait(&said);
    stop_all();
    zmq_close(stalled);
    zmq_ctx_term(context);
}
END_TEST

SUITE_MAIN("large", payloads_of_all_sizes_arrive_whole_with_the_headroom_of_each_node,
           parts_that_are_too_few_too_many_or_not_told_of_are_counted,
           connections_that_end_within_a_frame_harm_nobody)
