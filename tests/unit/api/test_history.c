/* Sessions that come back, by the public functions, on nodes with real sockets. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wsfan/wsfan.h>

#include "live.h"
#include "suite.h"

enum { NODES_MAX = 3, CLIENTS_MAX = 8, TEXTS_MAX = 512 };

/* A client, with a session wherever it is now. */
typedef struct {
    int at; /* of its node; -1: away */
    wsfan_session session;
    wsfan_address former;
    bool joined;
    wsfan_recovered recovered;
    uint32_t to_replay;
    char position[WSFAN_POSITION_TEXT_SIZE]; /* the newest; "": none */
    char at_join[WSFAN_POSITION_TEXT_SIZE];
    unsigned count; /* messages of this membership */
    unsigned replayed;
    uint32_t numbers[TEXTS_MAX];
} client;

static wsfan_node *nodes[NODES_MAX];
static client clients[CLIENTS_MAX];
static uint32_t history_ms = 60000;
static void (*then)(client *c); /* in each on_message and on_joined */

static void keep_position(int at, client *c, wsfan_bytes chat) {
    char text[WSFAN_POSITION_TEXT_SIZE];
    int error = wsfan_chat_position(live[at], chat, text);
    if (error == WSFAN_OK)
        memcpy(c->position, text, sizeof text);
    else
        ck_assert(error == WSFAN_EAGAIN || error == WSFAN_ENOTSUP);
}

static void on_joined(void *user, const wsfan_joined *joined) {
    int at = (int)(uintptr_t)user;
    client *c = joined->session_user;
    ck_assert_int_eq(joined->status, WSFAN_OK);
    c->joined = true;
    c->count = c->replayed = 0;
    if (joined->recovered != NULL) {
        c->recovered = *joined->recovered;
        c->to_replay = joined->recovered->replayed_count;
        keep_position(at, c, joined->chat);
        memcpy(c->at_join, c->position, sizeof c->at_join);
    }
    if (then != NULL)
        then(c);
}

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    int at = (int)(uintptr_t)user;
    wsfan_recipient all[CLIENTS_MAX];
    wsfan_bytes payload = wsfan_message_payload(message);
    uint32_t number;
    bool replayed = (wsfan_message_flags(message) & WSFAN_REPLAYED) != 0;
    memcpy(&number, payload.data, sizeof number);
    ck_assert_uint_le(count, CLIENTS_MAX);
    memcpy(all, recipients, count * sizeof *all);
    for (size_t i = 0; i < count; i++) {
        client *c = all[i].session_user;
        ck_assert_uint_lt(c->count, TEXTS_MAX);
        ck_assert_int_eq(replayed, c->to_replay > 0);
        c->to_replay -= replayed;
        c->replayed += replayed;
        c->numbers[c->count++] = number;
        keep_position(at, c, wsfan_message_target(message, 0).name);
    }
    for (size_t i = 0; then != NULL && i < count; i++)
        then(all[i].session_user);
}

/* Nobody is silent only because the machine is slow. */
static wsfan_options patient_options(void) {
    wsfan_options options = quick_options("tcp://127.0.0.1:*");
    options.silent_ms = 20000;
    options.down_ms = 30000;
    options.recover_ms_max = 50000;
    options.join_ms_max = 50000;
    options.request_ms_max = 60000;
    return options;
}

static uint32_t peers_up(int i) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_node_get_stats(nodes[i], &stats), WSFAN_OK);
    return stats.peers_up;
}

static void start(int i) {
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_joined = on_joined,
                                               .on_message = on_message };
    const char *peers[NODES_MAX];
    wsfan_options options = patient_options();
    char name[] = { 'n', (char)('0' + i), 0 };
    options.name = name;
    options.peers = peers;
    for (int p = 0; p < NODES_MAX; p++)
        if (nodes[p] != NULL)
            peers[options.peers_count++] = wsfan_node_endpoint(nodes[p]);
    options.history_ms = history_ms;
    options.history_key = "sixteen bytes or more";
    ck_assert_int_eq(wsfan_node_open(&nodes[i], &options), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_open(&live[i], nodes[i], &callbacks, (void *)(uintptr_t)i),
                     WSFAN_OK);
    WAIT(wsfan_node_ready(nodes[i]) > 0);
}

static void stop(int i) {
    if (live[i] != NULL)
        ck_assert_int_eq(wsfan_loop_close(live[i]), WSFAN_OK);
    live[i] = NULL;
    ck_assert_int_eq(wsfan_node_close(nodes[i]), WSFAN_OK);
    nodes[i] = NULL;
}

static void begin(int count) {
    memset(clients, 0, sizeof clients);
    then = NULL;
    for (int i = 0; i < count; i++)
        start(i);
    for (int i = 0; i < count; i++)
        WAIT(peers_up(i) == (uint32_t)count - 1);
}

static void end(void) {
    for (int i = 0; i < NODES_MAX; i++)
        if (nodes[i] != NULL)
            stop(i);
    history_ms = 60000;
}

static void come(client *c, int at, const char *chat, const wsfan_join_options *options) {
    c->at = at;
    c->joined = false;
    ck_assert_int_eq(wsfan_session_open(&c->session, live[at], wsfan_string("u"), c), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join_with(live[at], c->session, wsfan_string(chat), options),
                     WSFAN_OK);
}

/* Comes to a chat with history, perhaps with a position, and is told what became of it. */
static wsfan_recovery join_with(client *c, int at, const char *chat, const char *position,
                                uint32_t rewind_count) {
    wsfan_join_options options = { .struct_size = sizeof options,
                                   .flags = WSFAN_HISTORY,
                                   .position = wsfan_string(position),
                                   .rewind_count = rewind_count,
                                   .former = c->former };
    come(c, at, chat, &options);
    WAIT(c->joined && c->to_replay == 0);
    return c->recovered.recovery;
}

static void go(client *c) {
    c->former = wsfan_session_address(live[c->at], c->session);
    ck_assert_int_eq(wsfan_session_close(live[c->at], c->session), WSFAN_OK);
    c->at = -1;
}

static void publish_as(int at, const char *chat, uint32_t number,
                       const wsfan_publish_options *options) {
    wsfan_bytes payload = { &number, sizeof number };
    ck_assert_int_eq(wsfan_broadcast(nodes[at], wsfan_string(chat), payload, options), WSFAN_OK);
}

static void publish(int at, const char *chat, uint32_t number) {
    publish_as(at, chat, number, NULL);
}

static void check_numbers(const client *c, uint32_t from, uint32_t to) {
    ck_assert_uint_eq(c->count, to - from + 1);
    for (uint32_t i = 0; i < c->count; i++)
        ck_assert_uint_eq(c->numbers[i], from + i);
}

START_TEST(who_comes_back_gets_just_what_was_missed) {
    begin(1);
    client *a = &clients[0];
    client *b = &clients[1];
    ck_assert_int_eq(join_with(a, 0, "x", "", 0), WSFAN_RECOVERY_NONE);
    ck_assert_int_eq(join_with(b, 0, "x", "", 0), WSFAN_RECOVERY_NONE);
    WAIT(a->position[0] != 0);
    for (uint32_t n = 1; n <= 5; n++)
        publish(0, "x", n);
    WAIT(a->count == 5 && b->count == 5);
    go(a);
    for (uint32_t n = 6; n <= 9; n++)
        publish(0, "x", n);
    WAIT(b->count == 9);
    ck_assert_int_eq(join_with(a, 0, "x", a->position, 0), WSFAN_RECOVERY_WHOLE);
    ck_assert_uint_eq(a->recovered.replayed_count, 4);
    publish(0, "x", 10);
    WAIT(a->count == 5);
    check_numbers(a, 6, 10);

    go(a); /* and nothing was missed */
    ck_assert_int_eq(join_with(a, 0, "x", a->position, 0), WSFAN_RECOVERY_WHOLE);
    ck_assert_uint_eq(a->recovered.replayed_count, 0);
    end();
}
END_TEST

START_TEST(a_quiet_chat_is_kept_for_who_has_nobody_left_there) {
    begin(1);
    client *a = &clients[0];
    ck_assert_int_eq(join_with(a, 0, "x", "", 0), WSFAN_RECOVERY_NONE);
    ck_assert_str_ne(a->position, ""); /* told by on_joined */
    go(a);
    publish(0, "x", 1);
    ck_assert_int_eq(join_with(a, 0, "x", a->position, 0), WSFAN_RECOVERY_WHOLE);
    WAIT(a->count == 1); /* replayed, or live */
    check_numbers(a, 1, 1);
    end();
}
END_TEST

START_TEST(a_replayed_message_moves_the_position) {
    begin(1);
    client *a = &clients[0];
    client *b = &clients[1];
    join_with(a, 0, "x", "", 0);
    join_with(b, 0, "x", "", 0);
    publish(0, "x", 1);
    WAIT(a->count == 1 && b->count == 1);
    go(a);
    for (uint32_t n = 2; n <= 4; n++)
        publish(0, "x", n);
    WAIT(b->count == 4);
    live_messages_max = 1; /* the client goes in the middle of it */
    wsfan_join_options options = { .struct_size = sizeof options,
                                   .flags = WSFAN_HISTORY,
                                   .position = wsfan_string(a->position) };
    come(a, 0, "x", &options);
    WAIT(a->joined && a->count == 2);
    live_messages_max = 0;
    check_numbers(a, 2, 3);
    go(a);
    ck_assert_int_eq(join_with(a, 0, "x", a->position, 0), WSFAN_RECOVERY_WHOLE);
    check_numbers(a, 4, 4);
    end();
}
END_TEST

START_TEST(the_last_messages_are_replayed_where_there_is_no_position) {
    begin(1);
    client *a = &clients[0];
    client *b = &clients[1];
    join_with(a, 0, "x", "", 0);
    for (uint32_t n = 1; n <= 6; n++)
        publish(0, "x", n);
    WAIT(a->count == 6);
    ck_assert_int_eq(join_with(b, 0, "x", "", 3), WSFAN_RECOVERY_NONE);
    check_numbers(b, 4, 6);
    go(b);
    ck_assert_int_eq(join_with(b, 0, "x", "no position", 2), WSFAN_RECOVERY_POSITION);
    check_numbers(b, 5, 6);
    go(b);
    ck_assert_int_eq(join_with(b, 0, "x", a->position, 2), WSFAN_RECOVERY_WHOLE);
    ck_assert_uint_eq(b->count, 0); /* the position was of use */
    end();
}
END_TEST

START_TEST(fleeting_messages_and_those_that_left_the_client_out_are_not_replayed) {
    begin(1);
    client *a = &clients[0];
    client *b = &clients[1];
    join_with(a, 0, "x", "", 0);
    join_with(b, 0, "x", "", 0);
    go(a);
    wsfan_publish_options fleeting = { .struct_size = sizeof fleeting, .flags = WSFAN_FLEETING };
    wsfan_publish_options without = { .struct_size = sizeof without, .except = a->former };
    publish(0, "x", 1);
    publish_as(0, "x", 2, &fleeting);
    publish_as(0, "x", 3, &without);
    publish(0, "x", 4);
    WAIT(b->count == 4);
    ck_assert_int_eq(join_with(a, 0, "x", a->position, 0), WSFAN_RECOVERY_WHOLE);
    ck_assert_uint_eq(a->count, 2);
    ck_assert_uint_eq(a->numbers[0], 1);
    ck_assert_uint_eq(a->numbers[1], 4);
    end();
}
END_TEST

START_TEST(statistics_count_what_is_kept_and_what_became_of_positions) {
    begin(1);
    client *a = &clients[0];
    client *b = &clients[1];
    wsfan_stats stats = { .struct_size = sizeof stats };
    join_with(a, 0, "x", "", 0);
    join_with(b, 0, "y", "", 0);
    for (uint32_t n = 1; n <= 4; n++)
        publish(0, "x", n);
    WAIT(a->count == 4);
    go(b);
    join_with(b, 0, "x", a->position, 0);
    go(b);
    join_with(b, 0, "x", "no position", 3);
    WAIT(wsfan_node_get_stats(nodes[0], &stats) == WSFAN_OK && stats.history_held == 1);
    ck_assert_uint_eq(stats.history_chats, 2);
    ck_assert_uint_eq(stats.history_messages, 4);
    ck_assert_uint_gt(stats.history_bytes, 4 * sizeof(uint32_t));
    ck_assert_uint_eq(stats.history_refused + stats.history_evicted + stats.history_expired, 0);
    ck_assert_uint_eq(stats.recoveries[WSFAN_RECOVERY_NONE], 2);
    ck_assert_uint_eq(stats.recoveries[WSFAN_RECOVERY_WHOLE], 1);
    ck_assert_uint_eq(stats.recoveries[WSFAN_RECOVERY_POSITION], 1);
    ck_assert_uint_eq(stats.replayed, 3);
    ck_assert_int_eq(wsfan_loop_close(live[0]), WSFAN_OK);
    live[0] = NULL;
    ck_assert_int_eq(wsfan_node_get_stats(nodes[0], &stats), WSFAN_OK);
    ck_assert_uint_eq(stats.replayed, 3); /* counters only rise */
    end();
}
END_TEST

START_TEST(where_history_is_off_the_join_says_so) {
    history_ms = 0;
    begin(1);
    client *a = &clients[0];
    ck_assert_int_eq(join_with(a, 0, "x", "anything", 5), WSFAN_RECOVERY_OFF);
    publish(0, "x", 1);
    WAIT(a->count == 1);
    ck_assert_str_eq(a->position, "");
    end();
}
END_TEST

START_TEST(what_needs_history_is_refused_without_it) {
    begin(1);
    client *a = &clients[0];
    wsfan_bytes x = wsfan_string("x");
    ck_assert_int_eq(wsfan_session_open(&a->session, live[0], wsfan_string(""), a), WSFAN_OK);
    wsfan_join_options options = { .struct_size = sizeof options, .position = wsfan_string("p") };
    ck_assert_int_eq(wsfan_session_join_with(live[0], a->session, x, &options), WSFAN_EINVAL);
    options = (wsfan_join_options){ .struct_size = sizeof options, .rewind_count = 1 };
    ck_assert_int_eq(wsfan_session_join_with(live[0], a->session, x, &options), WSFAN_EINVAL);
    options = (wsfan_join_options){ .struct_size = sizeof options, .former = { 1, 1 } };
    ck_assert_int_eq(wsfan_session_join_with(live[0], a->session, x, &options), WSFAN_EINVAL);
    options = (wsfan_join_options){ .struct_size = sizeof options,
                                    .flags = WSFAN_HISTORY,
                                    .position = { NULL, 1 } };
    ck_assert_int_eq(wsfan_session_join_with(live[0], a->session, x, &options), WSFAN_EINVAL);
    static char large[100000];
    options.position = (wsfan_bytes){ large, sizeof large };
    ck_assert_int_eq(wsfan_session_join_with(live[0], a->session, x, &options), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join_with(live[0], a->session, x, &options), WSFAN_EEXIST);
    WAIT(a->joined);
    ck_assert_int_eq(a->recovered.recovery, WSFAN_RECOVERY_POSITION);
    end();
}
END_TEST

START_TEST(a_client_comes_back_to_another_node) {
    begin(2);
    client *a = &clients[0];
    client *b = &clients[1];
    client *c = &clients[2];
    join_with(a, 0, "x", "", 0);
    join_with(b, 0, "x", "", 0);
    join_with(c, 1, "x", "", 0);
    for (uint32_t n = 1; n <= 8; n++) {
        publish((int)(n % 2), "x", n);
        WAIT(a->count == n && b->count == n && c->count == n);
    }
    WAIT(a->position[0] != 0);
    go(a);
    for (uint32_t n = 9; n <= 12; n++) {
        publish((int)(n % 2), "x", n);
        WAIT(b->count == n && c->count == n);
    }
    ck_assert_int_eq(join_with(a, 1, "x", a->position, 0), WSFAN_RECOVERY_WHOLE);
    check_numbers(a, 9, 12);
    publish(0, "x", 13);
    WAIT(a->count == 5);
    check_numbers(a, 9, 13);
    end();
}
END_TEST

/* ----------------------------------------------------------------------------------------- at random */

static uint64_t seed;
static unsigned changes;

/* In a callback: the client leaves, goes, or joins again with what it has. */
static void change(client *c) {
    if (next_random(&seed) % 5 != 0 || c->at < 0)
        return;
    wsfan_bytes chat = wsfan_string("x");
    wsfan_join_options options = { .struct_size = sizeof options, .flags = WSFAN_HISTORY };
    changes++;
    switch (next_random(&seed) % 4) {
    case 0:
        publish(c->at, "x", 0);
        break;
    case 1:
        go(c);
        break;
    case 2:
        wsfan_session_leave(live[c->at], c->session, chat);
        break;
    default:
        wsfan_session_leave(live[c->at], c->session, chat);
        c->to_replay = 0;
        options.position = wsfan_string(c->position);
        c->joined = false;
        wsfan_session_join_with(live[c->at], c->session, chat, &options);
    }
}

START_TEST(callbacks_may_do_anything_while_messages_are_replayed) {
    begin(2);
    seed = 3;
    then = change;
    wsfan_join_options options = { .struct_size = sizeof options,
                                   .flags = WSFAN_HISTORY,
                                   .rewind_count = 5 };
    for (int i = 0; i < CLIENTS_MAX; i++)
        clients[i].at = -1;
    for (int round = 0; round < 400; round++) {
        live_messages_max = (uint32_t)(next_random(&seed) % 4);
        for (int i = 0; i < CLIENTS_MAX; i++) {
            client *c = &clients[i];
            if (c->at >= 0 && next_random(&seed) % 4 == 0)
                go(c);
            if (c->at < 0) {
                c->to_replay = c->count = 0;
                options.position = wsfan_string(c->position);
                come(c, (int)(next_random(&seed) % 2), "x", &options);
            }
        }
        publish((int)(next_random(&seed) % 2), "x", (uint32_t)round);
        for (int i = 0; i < 4; i++)
            dispatch_all();
    }
    ck_assert_uint_gt(changes, 100);
    live_messages_max = 0;
    end();
}
END_TEST

SUITE_MAIN("history", who_comes_back_gets_just_what_was_missed,
           a_quiet_chat_is_kept_for_who_has_nobody_left_there,
           a_replayed_message_moves_the_position,
           the_last_messages_are_replayed_where_there_is_no_position,
           fleeting_messages_and_those_that_left_the_client_out_are_not_replayed,
           statistics_count_what_is_kept_and_what_became_of_positions,
           where_history_is_off_the_join_says_so, what_needs_history_is_refused_without_it,
           a_client_comes_back_to_another_node,
           callbacks_may_do_anything_while_messages_are_replayed)
