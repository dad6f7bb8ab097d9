/* Positions of chats, as nodes on real sockets tell them. */
#include <string.h>
#include <wsfan/history.h>

#include "base/position.h"
#include "live.h"
#include "loop/state.h"
#include "suite.h"

enum { NODES_MAX = 2 };

typedef struct {
    wsfan_node *node;
    wsfan_loop *loop;
    wsfan_session session;
    unsigned joined;
    unsigned messages;
    uint64_t gap;
    uint64_t rest; /* of the position in on_gap; 0: none was told */
    wsfan_message_id last;
    int error; /* of the position in on_message */
    char position[WSFAN_POSITION_TEXT_SIZE];
} replica;

static replica replicas[NODES_MAX];
static uint32_t inbox_count_max; /* of node 1; 0: as ever */
static const char *key;          /* history_key of nodes that start */

static const wsfan_bytes LOBBY = { "lobby", 5 };

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    replica *r = user;
    (void)recipients, (void)count;
    r->messages++;
    r->last = wsfan_message_get_id(message);
    r->error = wsfan_chat_position(r->loop, LOBBY, r->position);
}

static wsf_position read_it(const char *text);

static void on_gap(void *user, const wsfan_gap *gap) {
    replica *r = user;
    char text[WSFAN_POSITION_TEXT_SIZE];
    r->gap += gap->count;
    if (wsfan_chat_position(r->loop, LOBBY, text) == WSFAN_OK)
        r->rest = read_it(text).seen.rest;
}

static void on_joined(void *user, const wsfan_joined *joined) {
    ck_assert_int_eq(joined->status, WSFAN_OK);
    ((replica *)user)->joined++;
}

static void start(int i, const char *peer, uint32_t history_ms) {
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_message = on_message,
                                               .on_gap = on_gap,
                                               .on_joined = on_joined };
    replica *r = &replicas[i];
    *r = (replica){ .node = NULL };
    wsfan_options options = quick_options("tcp://127.0.0.1:*");
    options.history_ms = history_ms;
    options.history_key = key;
    if (i == 1 && inbox_count_max > 0)
        options.inbox_count_max = inbox_count_max;
    options.peers = &peer;
    options.peers_count = peer != NULL;
    ck_assert_int_eq(wsfan_node_open(&r->node, &options), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_open(&r->loop, r->node, &callbacks, r), WSFAN_OK);
    live[i] = r->loop;
    ck_assert_int_eq(wsfan_session_open(&r->session, r->loop, wsfan_string("ann"), NULL), WSFAN_OK);
}

static uint32_t peers_up(int i) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_node_get_stats(replicas[i].node, &stats), WSFAN_OK);
    return stats.peers_up;
}

static void begin(uint32_t history_ms) {
    key = "a secret of all nodes";
    start(0, NULL, history_ms);
    start(1, wsfan_node_endpoint(replicas[0].node), history_ms);
    for (int i = 0; i < NODES_MAX; i++)
        WAIT(wsfan_node_ready(replicas[i].node) > 0);
    WAIT(peers_up(0) == 1 && peers_up(1) == 1);
}

static void end(void) {
    for (int i = 0; i < NODES_MAX; i++) {
        ck_assert_int_eq(wsfan_loop_close(replicas[i].loop), WSFAN_OK);
        ck_assert_int_eq(wsfan_node_close(replicas[i].node), WSFAN_OK);
        live[i] = NULL;
    }
}

static void join(int i, wsfan_bytes chat, uint32_t flags) {
    const wsfan_join_options options = { .struct_size = sizeof options, .flags = flags };
    unsigned before = replicas[i].joined;
    ck_assert_int_eq(wsfan_session_join_with(replicas[i].loop, replicas[i].session, chat, &options),
                     WSFAN_OK);
    WAIT(replicas[i].joined > before);
}

static void say(int i) {
    unsigned before[] = { replicas[0].messages, replicas[1].messages };
    ck_assert_int_eq(wsfan_broadcast(replicas[i].node, LOBBY, wsfan_string("hello"), NULL),
                     WSFAN_OK);
    WAIT(replicas[0].messages > before[0] && replicas[1].messages > before[1]);
}

static int ask(int i, char text[WSFAN_POSITION_TEXT_SIZE]) {
    return wsfan_chat_position(replicas[i].loop, LOBBY, text);
}

/* The first bytes of a text: a version, then the epoch in 32 bits. */
static uint32_t epoch_of(const char *text) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint64_t word = 0;
    for (int i = 0; i < 8; i++)
        word = word << 6 | (uint64_t)(strchr(digits, text[i]) - digits);
    return (uint32_t)(word >> 8);
}

static wsf_position_verdict read_as(const char *secret, const char *chat, const char *text,
                                    wsf_position *position) {
    wsf_hash_seal_key seal;
    wsf_hash_seal_key_init(&seal, wsfan_string(secret), "wsfan position");
    return wsf_position_read(&seal, wsfan_string(chat), epoch_of(text), wsfan_string(text),
                             position);
}

static wsf_position read_it(const char *text) {
    wsf_position position;
    ck_assert_int_eq(read_as(key, "lobby", text, &position), WSF_POSITION_GOOD);
    return position;
}

START_TEST(in_on_message_a_position_is_that_after_the_message_on_each_node) {
    char text[WSFAN_POSITION_TEXT_SIZE];
    begin(60000);
    for (int i = 0; i < NODES_MAX; i++)
        join(i, LOBBY, WSFAN_HISTORY);
    for (int i = 0; i < NODES_MAX; i++)
        WAIT(ask(i, text) == WSFAN_OK);
    for (int n = 0; n < 10; n++) {
        say(n % 2);
        for (int i = 0; i < NODES_MAX; i++) {
            ck_assert_int_eq(replicas[i].error, WSFAN_OK);
            wsf_position position = read_it(replicas[i].position);
            wsfan_message_id next = replicas[i].last;
            ck_assert(wsf_vector_covers(&position.seen, next));
            next.clock++;
            ck_assert(!wsf_vector_covers(&position.seen, next));
            ck_assert(!wsf_vector_is_ragged(&position.seen));
            ck_assert_uint_le(strlen(replicas[i].position), 66);
        }
        ck_assert_uint_eq(epoch_of(replicas[0].position), epoch_of(replicas[1].position));
    }
    end();
}
END_TEST

/* What was put down for the loop and not taken yet, which stays there. */
static uint64_t put_down(int i) {
    wsf_inbox *inbox = replicas[i].loop->inbox;
    wsf_reach *none = NULL;
    wsf_reach *reach = atomic_exchange(&inbox->reach, NULL);
    uint64_t rest = reach != NULL ? reach->whole.rest : 0;
    if (reach != NULL && !atomic_compare_exchange_strong(&inbox->reach, &none, reach))
        wsf_reach_unref(reach); /* there is a newer one */
    return rest;
}

/* Node 0 publishes `count` messages that node 1 does not dispatch, and node 1's mesh thread knows that it has them all. */
static void let_pile_up(unsigned count) {
    char text[WSFAN_POSITION_TEXT_SIZE];
    for (int i = 0; i < NODES_MAX; i++)
        join(i, LOBBY, WSFAN_HISTORY);
    WAIT(ask(1, text) == WSFAN_OK);
    live[1] = NULL;
    unsigned before = replicas[0].messages;
    for (unsigned n = 0; n < count; n++)
        ck_assert_int_eq(wsfan_broadcast(replicas[0].node, LOBBY, wsfan_string("hello"), NULL),
                         WSFAN_OK);
    WAIT(replicas[0].messages == before + count);
    WAIT(put_down(1) >= replicas[0].last.clock);
}

START_TEST(a_position_claims_no_message_that_is_yet_to_be_dispatched) {
    enum { COUNT = 10 };
    wsf_position position;
    begin(60000);
    let_pile_up(COUNT);
    for (unsigned n = 0; n < COUNT;) {
        unsigned before = replicas[1].messages;
        ck_assert_int_ge(wsfan_loop_dispatch(replicas[1].loop, 1), 0);
        if (replicas[1].messages == before)
            continue;
        n++;
        ck_assert_int_eq(replicas[1].error, WSFAN_OK);
        position = read_it(replicas[1].position);
        wsfan_message_id next = replicas[1].last;
        ck_assert(wsf_vector_covers(&position.seen, next));
        next.clock++;
        ck_assert(!wsf_vector_covers(&position.seen, next));
    }
    live[1] = replicas[1].loop;
    uint64_t last = replicas[1].last.clock;
    char text[WSFAN_POSITION_TEXT_SIZE];
    WAIT(ask(1, text) == WSFAN_OK && read_it(text).seen.rest >= last);
    end();
}
END_TEST

START_TEST(a_position_passes_a_gap_when_the_host_was_told) {
    enum { COUNT = 10, ROOM = 4 };
    inbox_count_max = ROOM;
    begin(60000);
    let_pile_up(COUNT);
    uint64_t last = replicas[0].last.clock;
    live[1] = replicas[1].loop;
    WAIT(replicas[1].messages == ROOM);
    ck_assert_uint_eq(replicas[1].gap, COUNT - ROOM);
    ck_assert_uint_ne(replicas[1].rest, 0);
    ck_assert_uint_lt(replicas[1].rest, last);
    char text[WSFAN_POSITION_TEXT_SIZE];
    WAIT(ask(1, text) == WSFAN_OK && read_it(text).seen.rest >= last);
    end();
    inbox_count_max = 0;
}
END_TEST

START_TEST(a_quiet_chat_needs_no_entry_after_a_while) {
    char text[WSFAN_POSITION_TEXT_SIZE];
    begin(60000);
    for (int i = 0; i < NODES_MAX; i++)
        join(i, LOBBY, WSFAN_HISTORY);
    WAIT(ask(0, text) == WSFAN_OK);
    say(1);
    WAIT(ask(0, text) == WSFAN_OK && read_it(text).seen.rest >= replicas[0].last.clock);
    ck_assert_uint_eq(read_it(text).seen.count, 0);
    ck_assert_uint_lt(strlen(text), 42);
    end();
}
END_TEST

START_TEST(a_position_is_of_one_chat_and_of_one_key) {
    char text[WSFAN_POSITION_TEXT_SIZE];
    wsf_position position;
    begin(60000);
    join(0, LOBBY, WSFAN_HISTORY);
    WAIT(ask(0, text) == WSFAN_OK);
    ck_assert_int_eq(read_as(key, "lobby", text, &position), WSF_POSITION_GOOD);
    ck_assert_int_eq(read_as(key, "lobbz", text, &position), WSF_POSITION_FALSE);
    ck_assert_int_eq(read_as("a secret of no nodes at all", "lobby", text, &position),
                     WSF_POSITION_FALSE);
    end();
}
END_TEST

START_TEST(what_cannot_be_asked_is_an_error) {
    char text[WSFAN_POSITION_TEXT_SIZE];
    char name[300] = { 0 };
    begin(60000);
    ck_assert_int_eq(wsfan_chat_position(NULL, LOBBY, text), WSFAN_EINVAL);
    ck_assert_int_eq(ask(0, NULL), WSFAN_EINVAL);
    wsfan_loop *loop = replicas[0].loop;
    ck_assert_int_eq(wsfan_chat_position(loop, (wsfan_bytes){ NULL, 0 }, text), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_chat_position(loop, (wsfan_bytes){ NULL, 5 }, text), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_chat_position(loop, (wsfan_bytes){ name, 257 }, text), WSFAN_ETOOBIG);
    ck_assert_int_eq(ask(0, text), WSFAN_ENOENT);
    join(0, LOBBY, 0);
    ck_assert_int_eq(ask(0, text), WSFAN_ENOENT);
    ck_assert_int_eq(wsfan_session_leave(loop, replicas[0].session, LOBBY), WSFAN_OK);
    join(0, LOBBY, WSFAN_HISTORY);
    WAIT(ask(0, text) == WSFAN_OK);
    ck_assert_int_eq(wsfan_session_leave(loop, replicas[0].session, LOBBY), WSFAN_OK);
    ck_assert_int_eq(ask(0, text), WSFAN_ENOENT);
    end();
}
END_TEST

START_TEST(without_history_there_are_no_positions) {
    char text[WSFAN_POSITION_TEXT_SIZE];
    begin(0);
    join(0, LOBBY, WSFAN_HISTORY);
    ck_assert_int_eq(ask(0, text), WSFAN_ENOTSUP);
    end();
}
END_TEST

START_TEST(a_node_that_is_not_ready_tells_none) {
    char text[WSFAN_POSITION_TEXT_SIZE];
    key = "a secret of all nodes";
    start(0, "tcp://127.0.0.1:1", 60000); /* nobody is there */
    start(1, NULL, 60000);
    join(0, LOBBY, WSFAN_HISTORY);
    join(1, LOBBY, WSFAN_HISTORY);
    WAIT(ask(1, text) == WSFAN_OK); /* alone is ready, too */
    if (wsfan_node_ready(replicas[0].node) == 0)
        ck_assert_int_eq(ask(0, text), WSFAN_EAGAIN);
    WAIT(ask(0, text) == WSFAN_OK);
    end();
}
END_TEST

SUITE_MAIN("chat_position", in_on_message_a_position_is_that_after_the_message_on_each_node,
           a_position_claims_no_message_that_is_yet_to_be_dispatched,
           a_position_passes_a_gap_when_the_host_was_told,
           a_quiet_chat_needs_no_entry_after_a_while, a_position_is_of_one_chat_and_of_one_key,
           what_cannot_be_asked_is_an_error, without_history_there_are_no_positions,
           a_node_that_is_not_ready_tells_none)
