/* Requests between cores: who is asked, what is answered for whom, and what bytes can do. */
#include <string.h>

#include "core/core.h"
#include "core/state.h"
#include "suite.h"
#include "world.h"

enum { TEN_S = 10000, ANSWERS_MAX = 8 };

static world *w;
static unsigned loop_calls[8];
static bool hold;             /* loop calls stay with the loop */
static uint64_t named;        /* 0, or whom a node says to be missing though all is well */
static unsigned requests_max; /* 0: as ever */
static wsf_loop_call *held[64];
static unsigned held_count;
static unsigned deliveries[8];
static unsigned replies;
static wsfan_reply last;
static wsfan_answer answers[ANSWERS_MAX];
static uint64_t missing[ANSWERS_MAX];
static uint64_t reply_ms;

static bool on_deliver(void *user, unsigned node, unsigned loop, wsfan_message *message) {
    (void)user, (void)loop, (void)message;
    deliveries[node]++;
    return true;
}

static bool on_call(void *user, unsigned node, unsigned loop, wsf_loop_call *loop_call) {
    (void)user, (void)loop;
    loop_calls[node]++;
    if (hold)
        held[held_count++] = loop_call;
    loop_call->answer.sessions = 10 + node;
    if (named != 0)
        wsf_answer_name_peer(&loop_call->answer, named);
    return hold;
}

static uint8_t next[64]; /* of the last reply's page */
static size_t next_size;

static void keep_reply(void *user, const wsfan_reply *reply) {
    (void)user;
    replies++;
    last = *reply;
    reply_ms = world_ms(w);
    ck_assert_uint_le(reply->next.size, sizeof next);
    next_size = reply->next.size;
    if (next_size > 0)
        memcpy(next, reply->next.data, next_size);
    ck_assert_uint_le(reply->answers_count, ANSWERS_MAX);
    if (reply->answers_count > 0)
        memcpy(answers, reply->answers, reply->answers_count * sizeof *answers);
    if (reply->missing_count > 0)
        memcpy(missing, reply->missing, reply->missing_count * sizeof *missing);
}

static void (*tell)(void *user, const wsfan_reply *reply) = keep_reply;

static bool on_reply(void *user, unsigned node, wsf_request *ask) {
    (void)node;
    wsf_request_tell(ask, tell, user);
    wsf_request_free(ask);
    return true;
}

static bool meshed(void *user) {
    (void)user;
    return world_meshed(w);
}

static bool answered(void *user) {
    return replies >= *(unsigned *)user;
}

static void begin(uint64_t seed, unsigned count) {
    world_watcher watcher = { .deliver = on_deliver, .loop_call = on_call, .reply = on_reply };
    memset(loop_calls, 0, sizeof loop_calls);
    memset(deliveries, 0, sizeof deliveries);
    hold = false;
    held_count = replies = 0;
    w = world_new(seed, &watcher);
    if (requests_max != 0)
        world_config(w)->requests_count_max = requests_max;
    world_start(w, 0, 0);
    for (unsigned i = 1; i < count; i++)
        world_start(w, i, 1);
    ck_assert(world_run_until(w, meshed, NULL, TEN_S));
}

static void end(void) {
    world_destroy(w);
    for (unsigned i = 0; i < held_count; i++)
        wsf_call_unref(wsf_loop_call_end(held[i]));
}

static wsfan_message *message_to(wsfan_target_kind kind, wsfan_bytes name, size_t payload_size) {
    static uint8_t payload[200000];
    wsf_hash_key key;
    wsf_hash_key_init(&key, world_config(w)->cluster);
    return wsf_message_new(&key, &(wsf_message_parts){ .targets = &(wsfan_target){ kind, name },
                                                       .targets_count = 1,
                                                       .payload = { payload, payload_size } });
}

static void ask(unsigned node, int kind, wsfan_message *message, uint32_t number) {
    wsf_request *request = wsf_request_new((wsfan_request_kind)kind, message, number, 2000);
    wsf_core_request(world_core(w, node), request, world_now(w, node));
    world_touch(w, node);
}

static void ask_after(unsigned node, int kind, wsfan_bytes after, uint32_t number) {
    wsf_hash_key key;
    wsf_hash_key_init(&key, world_config(w)->cluster);
    wsfan_message *message = wsf_message_new(
        &key, &(wsf_message_parts){ .targets = &(wsfan_target){ WSFAN_ALL, { NULL, 0 } },
                                    .targets_count = 1,
                                    .payload = after });
    ask(node, kind, message, number);
}

static void await(unsigned count) {
    ck_assert(world_run_until(w, answered, &count, TEN_S));
}

static wsfan_bytes chat(uint64_t number) {
    static uint64_t name;
    name = number;
    return (wsfan_bytes){ &name, sizeof name };
}

static const wsfan_bytes NOTHING = { NULL, 0 };

static const wsfan_answer *answer_of(unsigned node) {
    for (size_t i = 0; i < last.answers_count; i++)
        if (answers[i].node == world_node_id(w, node))
            return &answers[i];
    ck_abort_msg("node %u was not asked", node);
    return NULL;
}

START_TEST(only_nodes_with_somebody_concerned_are_asked) {
    begin(1, 4);
    world_join(w, 1, 5);
    world_join(w, 2, 6);
    world_run(w, 100);
    ask(0, WSFAN_REQUEST_LEAVE, message_to(WSFAN_CHAT, chat(5), 1), 0);
    await(1);
    ck_assert_int_eq(last.status, WSFAN_OK);
    ck_assert_uint_eq(last.answers_count, 1);
    ck_assert_uint_eq(answer_of(1)->sessions, 11);
    ck_assert_uint_eq(loop_calls[0] + loop_calls[2] + loop_calls[3], 0);
    ask(0, WSFAN_REQUEST_LEAVE, message_to(WSFAN_CHAT, chat(7), 1), 0);
    await(2);
    ck_assert_int_eq(last.status, WSFAN_OK); /* nobody is in it */
    ck_assert_uint_eq(last.answers_count, 0);
    end();
}
END_TEST

/* The join does not wait for it, as it publishes nothing more. */
START_TEST(who_is_quiet_asks_all_as_joins_do_not_wait_for_it) {
    begin(1, 2);
    world_drain(w, 0, TEN_S);
    world_run(w, 500);
    ck_assert_int_ne(
        wsf_peer_find(world_core(w, 1), world_node_id(w, 0))->status.flags & WSF_STATUS_QUIET, 0);
    world_block(w, 1, 0, true);
    world_join(w, 1, 5);
    world_run(w, 100);
    ask(0, WSFAN_REQUEST_LEAVE, message_to(WSFAN_CHAT, chat(5), 1), 0);
    world_run(w, 100);
    ck_assert_uint_eq(replies, 0);
    world_block(w, 1, 0, false);
    await(1);
    ck_assert_int_eq(last.status, WSFAN_OK);
    ck_assert_uint_eq(answer_of(1)->sessions, 11);
    end();
}
END_TEST

START_TEST(a_session_and_a_node_are_reached_there_and_nowhere_else) {
    begin(2, 4);
    char name[WSFAN_ADDRESS_TEXT_SIZE];
    wsfan_address_text((wsfan_address){ world_node_id(w, 2), 1 }, name);
    wsf_core_publish(world_core(w, 0), message_to(WSFAN_SESSION, wsfan_string(name), 10),
                     world_now(w, 0));
    wsfan_address_text((wsfan_address){ world_node_id(w, 3), 0 }, name);
    wsf_core_publish(world_core(w, 0), message_to(WSFAN_NODE, wsfan_string(name), 10),
                     world_now(w, 0));
    wsfan_address_text((wsfan_address){ 12345, 0 }, name);
    wsf_core_publish(world_core(w, 0), message_to(WSFAN_NODE, wsfan_string(name), 10),
                     world_now(w, 0));
    world_touch(w, 0);
    world_run(w, 100);
    wsfan_peer_stats peers[4];
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(deliveries[i], i >= 2);
        uint64_t received = 0;
        size_t count = wsf_core_peers(world_core(w, i), peers, 4);
        for (size_t p = 0; p < count; p++)
            received += peers[p].messages_in;
        ck_assert_uint_eq(received, i >= 2);
    }
    end();
}
END_TEST

START_TEST(a_silent_node_costs_the_time_limit_and_is_named) {
    begin(3, 3);
    world_freeze(w, 2, true);
    uint64_t began_ms = world_ms(w);
    ask(0, WSFAN_REQUEST_NODES, message_to(WSFAN_ALL, NOTHING, 0), 100);
    await(1);
    ck_assert_uint_ge(reply_ms, began_ms + 2000);
    ck_assert_uint_le(reply_ms, began_ms + 2100);
    ck_assert_int_eq(last.status, WSFAN_EPARTIAL);
    ck_assert_uint_eq(last.missing_count, 1);
    ck_assert_uint_eq(missing[0], world_node_id(w, 2));
    ck_assert_int_eq(answer_of(2)->status, WSFAN_ESILENT);
    ck_assert_int_eq(answer_of(1)->status, WSFAN_OK);
    ck_assert_uint_eq(last.sessions, 10 + 11);
    world_freeze(w, 2, false);
    world_run(w, 3000); /* its answer comes too late, and does no harm */
    ask(0, WSFAN_REQUEST_NODES, message_to(WSFAN_ALL, NOTHING, 0), 100);
    await(2);
    ck_assert_int_eq(last.status, WSFAN_OK);
    end();
}
END_TEST

static uint64_t published_of[3];
static uint64_t messages_between;

static void keep_statistics(void *user, const wsfan_reply *reply) {
    keep_reply(user, reply);
    for (size_t r = 0; r < reply->rows_count; r++) {
        const wsfan_row *row = &reply->rows[r];
        for (unsigned i = 0; i < 3; i++)
            if (row->address.node == world_node_id(w, i) && row->address.session == 0 &&
                row->name.size == strlen("published") &&
                memcmp(row->name.data, "published", row->name.size) == 0)
                published_of[i] = row->sessions;
        if (row->address.node == world_node_id(w, 1) &&
            row->address.session == world_node_id(w, 2) &&
            row->name.size == strlen("messages_out") &&
            memcmp(row->name.data, "messages_out", row->name.size) == 0)
            messages_between = row->sessions;
    }
}

START_TEST(every_node_tells_its_statistics_and_those_of_its_peers_page_by_page) {
    begin(6, 3);
    world_join(w, 2, 5);
    world_run(w, 100);
    for (unsigned i = 0; i < 4; i++)
        wsf_core_publish(world_core(w, 1), message_to(WSFAN_CHAT, chat(5), 10), world_now(w, 1));
    world_touch(w, 1);
    world_run(w, 100);
    tell = keep_statistics;
    unsigned rows = 0;
    unsigned pages = 0;
    for (wsfan_bytes after = NOTHING;; after = (wsfan_bytes){ next, next_size }) {
        ask_after(0, WSFAN_REQUEST_STATS, after, 40);
        await(++pages);
        ck_assert_int_eq(last.status, WSFAN_OK);
        ck_assert_uint_eq(last.answers_count, 3);
        ck_assert_uint_le(last.rows_count, 40);
        rows += (unsigned)last.rows_count;
        if (next_size == 0)
            break;
    }
    tell = keep_reply;
    ck_assert_uint_gt(pages, 3);
    ck_assert_uint_gt(rows, 3 * (27 + 2 * 18) - 1); /* 27 of a node, and 18 of each of its peers */
    ck_assert_uint_eq(published_of[0], 0);
    ck_assert_uint_eq(published_of[1], 4);
    ck_assert_uint_eq(messages_between, 4);
    ck_assert_uint_eq(loop_calls[0] + loop_calls[1] + loop_calls[2], 0);
    end();
}
END_TEST

static bool down(void *user) {
    wsfan_peer_stats peers[4];
    (void)user;
    size_t count = wsf_core_peers(world_core(w, 0), peers, 4);
    for (size_t p = 0; p < count; p++)
        if (peers[p].node == world_node_id(w, 1))
            return peers[p].state == WSFAN_PEER_DOWN;
    return false;
}

START_TEST(a_node_that_is_down_is_named_at_once_even_for_a_chat_it_was_not_known_to_have) {
    begin(4, 3);
    world_block(w, 0, 1, true);
    world_block(w, 1, 0, true);
    ck_assert(world_run_until(w, down, NULL, 2 * TEN_S));
    uint64_t began_ms = world_ms(w);
    ask(0, WSFAN_REQUEST_SESSIONS, message_to(WSFAN_CHAT, chat(5), 0), 100);
    await(1);
    ck_assert_uint_le(reply_ms, began_ms + 100);
    ck_assert_int_eq(last.status, WSFAN_EPARTIAL);
    ck_assert_uint_eq(missing[0], world_node_id(w, 1));
    ck_assert_uint_eq(loop_calls[2], 0); /* up, and without anybody in it */
    end();
}
END_TEST

START_TEST(a_node_that_refuses_this_one_is_named_and_not_waited_for) {
    begin(12, 0);
    world_crash(w, 0);
    world_config(w)->peers_count_max = 1;
    for (unsigned i = 0; i < 3; i++)
        world_start(w, i, 1);
    world_run(w, TEN_S);
    uint64_t refuser = world_node_id(w, 0); /* has no room for node 2 */
    ask(2, WSFAN_REQUEST_CLOSE, message_to(WSFAN_ALL, (wsfan_bytes){ NULL, 0 }, 0), 4000);
    world_run(w, 100);
    ck_assert_uint_eq(replies, 1);
    ck_assert_int_eq(last.status, WSFAN_EPARTIAL);
    ck_assert_uint_eq(last.missing_count, 1);
    ck_assert_uint_eq(missing[0], refuser);
    const wsfan_answer *answer = &answers[last.answers_count - 1];
    ck_assert_uint_eq(answer->node, refuser);
    ck_assert_int_eq(answer->status, WSFAN_EREFUSED);
    ck_assert_uint_eq(loop_calls[0], 0);
    char text[WSFAN_ADDRESS_TEXT_SIZE];
    wsfan_address_text((wsfan_address){ world_node_id(w, 2), 0 }, text);
    ask(2, WSFAN_REQUEST_CLOSE, message_to(WSFAN_NODE, wsfan_string(text), 0), 4000);
    world_run(w, 100);
    ck_assert_uint_eq(replies, 2);
    ck_assert_int_eq(last.status, WSFAN_OK); /* it is for nobody there */
    end();
}
END_TEST

START_TEST(a_peer_that_goes_for_good_is_not_waited_for) {
    begin(5, 3);
    hold = true;
    ask(0, WSFAN_REQUEST_NODES, message_to(WSFAN_ALL, NOTHING, 0), 100);
    world_run(w, 50);
    ck_assert_uint_eq(held_count, 3);
    wsf_core_say_bye(world_core(w, 1), world_now(w, 1));
    world_touch(w, 1);
    for (unsigned i = 0; i < held_count; i++) {
        /* In order of arrival: our own first, then the peers' in either order. */
        wsf_call *call = wsf_loop_call_end(held[i]);
        for (unsigned n = 0; n < 3; n++)
            if (n != 1)
                for (wsf_call *t = world_core(w, n)->rpc.calls; t != NULL; t = t->next)
                    if (t == call) {
                        wsf_core_call_through(world_core(w, n), call);
                        world_touch(w, n);
                        call = NULL;
                        break;
                    }
        wsf_call_unref(call);
    }
    held_count = 0;
    uint64_t began_ms = world_ms(w);
    await(1);
    ck_assert_uint_le(reply_ms, began_ms + 100);
    ck_assert_int_eq(answer_of(1)->status, WSFAN_ESILENT);
    ck_assert_int_eq(answer_of(2)->status, WSFAN_OK);
    end();
}
END_TEST

START_TEST(a_kind_of_a_later_version_is_answered_unsupported_not_by_silence) {
    begin(6, 2);
    uint64_t began_ms = world_ms(w);
    ask(0, 99, message_to(WSFAN_ALL, NOTHING, 0), 0);
    await(1);
    ck_assert_uint_le(reply_ms, began_ms + 100);
    ck_assert_int_eq(answer_of(1)->status, WSFAN_ENOTSUP);
    ck_assert_uint_eq(loop_calls[1], 0);
    end();
}
END_TEST

START_TEST(a_node_is_at_so_many_requests_and_refuses_one_more) {
    requests_max = 5;
    begin(7, 2);
    requests_max = 0;
    hold = true;
    unsigned limit = world_config(w)->requests_count_max;
    char name[WSFAN_ADDRESS_TEXT_SIZE];
    wsfan_address_text((wsfan_address){ world_node_id(w, 1), 0 }, name);
    for (unsigned i = 0; i < limit; i++)
        ask(0, WSFAN_REQUEST_LEAVE, message_to(WSFAN_NODE, wsfan_string(name), 1), 0);
    world_run(w, 100);
    ck_assert_uint_eq(replies, 0);
    ck_assert_uint_eq(loop_calls[1], limit);
    ask(0, WSFAN_REQUEST_LEAVE, message_to(WSFAN_NODE, wsfan_string(name), 1), 0);
    await(1);
    ck_assert_int_eq(answer_of(1)->status, WSFAN_ELIMIT);
    /* The others run out of time. What loops still have counts on, so that stalled ones are bounded. */
    await(limit + 1);
    ck_assert_int_eq(answer_of(1)->status, WSFAN_ESILENT);
    ask(0, WSFAN_REQUEST_LEAVE, message_to(WSFAN_NODE, wsfan_string(name), 1), 0);
    await(limit + 2);
    ck_assert_int_eq(answer_of(1)->status, WSFAN_ELIMIT);
    for (unsigned i = 0; i < limit; i++) {
        wsf_call *call = wsf_loop_call_end(held[i]);
        ck_assert_ptr_nonnull(call);
        ck_assert(atomic_load(&call->expired));
        wsf_core_call_through(world_core(w, 1), call);
    }
    held_count = 0;
    hold = false;
    ask(0, WSFAN_REQUEST_LEAVE, message_to(WSFAN_NODE, wsfan_string(name), 1), 0);
    await(limit + 3);
    ck_assert_int_eq(answer_of(1)->status, WSFAN_OK);
    end();
}
END_TEST

START_TEST(what_a_peer_asks_must_be_within_our_limits) {
    static const uint32_t codes[] = { 0,    999,  1004, 1005,  1006,
                                      1015, 2999, 5000, 70000, 65536 + 1000 };
    unsigned told = 0;
    begin(11, 2);
    memset(loop_calls, 0, sizeof loop_calls);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        ask(0, WSFAN_REQUEST_CLOSE, message_to(WSFAN_ALL, NOTHING, 1), codes[i]);
        await(++told);
        ck_assert_msg(answer_of(1)->status == WSFAN_ETOOBIG, "%u", codes[i]);
    }
    wsf_hash_key key;
    wsf_hash_key_init(&key, world_config(w)->cluster);
    wsfan_target all = { WSFAN_ALL, NOTHING };
    wsf_message_parts parts = { .targets = &all,
                                .targets_count = 1,
                                .payload = wsfan_string("\xff") };
    ask(0, WSFAN_REQUEST_CLOSE, wsf_message_new(&key, &parts), 1000);
    await(++told);
    ck_assert_int_eq(answer_of(1)->status, WSFAN_ETOOBIG);
    ck_assert_uint_eq(loop_calls[1], 0);
    ask(0, WSFAN_REQUEST_CLOSE, message_to(WSFAN_ALL, NOTHING, 1), 1012);
    await(++told);
    ck_assert_int_eq(answer_of(1)->status, WSFAN_OK);
    ck_assert_uint_eq(loop_calls[1], 1);
    end();
}
END_TEST

static void expect_name_size(void *user, const wsfan_reply *reply) {
    ck_assert_uint_eq(reply->rows_count, 1);
    ck_assert_uint_eq(reply->rows[0].address.node, 7);
    ck_assert_uint_eq(reply->rows[0].name.size, *(size_t *)user);
}

START_TEST(names_in_lists_of_nodes_are_printable) {
    static const char *const names[] = { "n7", "a\r\nb", "\x1b[2J", "\xff" };
    begin(12, 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        wsf_request *request = wsf_request_new(WSFAN_REQUEST_NODES,
                                               message_to(WSFAN_ALL, NOTHING, 0), 10, 1000);
        uint8_t key[8] = { 0, 0, 0, 0, 0, 0, 0, 7 };
        wsf_answer answer;
        wsf_answer_init(&answer, 10);
        wsf_rows_add(&answer.rows, (wsfan_bytes){ key, sizeof key }, NOTHING,
                     wsfan_string(names[i]), 1);
        ck_assert(wsf_request_make_room(request, 0, NULL, 0));
        request->nodes[0].node = 7;
        request->nodes[0].open = true;
        request->open_count = 1;
        ck_assert(wsf_request_answer(request, 0, &answer));
        size_t size = i == 0 ? strlen(names[i]) : 0;
        wsf_request_tell(request, expect_name_size, &size);
        wsf_request_free(request);
    }
    end();
}
END_TEST

START_TEST(what_a_peer_does_not_take_is_answered_too_big) {
    world_watcher watcher = { .loop_call = on_call, .reply = on_reply };
    replies = 0;
    hold = false;
    w = world_new(8, &watcher);
    world_start(w, 0, 0);
    world_config(w)->payload_bytes_max = 1000;
    world_config(w)->name_bytes_max = 8;
    world_start(w, 1, 1);
    ck_assert(world_run_until(w, meshed, NULL, TEN_S));
    memset(loop_calls, 0, sizeof loop_calls);
    ask(0, WSFAN_REQUEST_SEND, message_to(WSFAN_ALL, NOTHING, 1000), 0);
    world_run(w, 100);
    ck_assert_uint_eq(loop_calls[1], 1);
    ask(0, WSFAN_REQUEST_SEND, message_to(WSFAN_ALL, NOTHING, 1001), 0);
    world_run(w, 100);
    ck_assert_uint_eq(loop_calls[1], 1);
    ask(0, WSFAN_REQUEST_SEND, message_to(WSFAN_ALL, NOTHING, 150000),
        0); /* than any frame it takes */
    world_run(w, 100);
    ck_assert_uint_eq(loop_calls[1], 1);
    await(3);
    ck_assert_int_eq(answer_of(1)->status, WSFAN_ETOOBIG);
    /* Names and numbers that its loops must not see. */
    ask(0, WSFAN_REQUEST_JOIN, message_to(WSFAN_ALL, NOTHING, 9), 0);
    await(4);
    ck_assert_int_eq(answer_of(1)->status, WSFAN_ETOOBIG);
    ask(0, WSFAN_REQUEST_JOIN, message_to(WSFAN_ALL, NOTHING, 0), 0);
    ask(0, WSFAN_REQUEST_CLOSE, message_to(WSFAN_ALL, NOTHING, 1), 70000);
    ask(0, WSFAN_REQUEST_CHATS, message_to(WSFAN_ALL, NOTHING, 1), 0);
    ask(0, WSFAN_REQUEST_CHATS, message_to(WSFAN_ALL, NOTHING, 1), WSF_ROWS_COUNT_MAX + 1);
    await(8);
    ck_assert_uint_eq(loop_calls[1], 1);
    end();
}
END_TEST

START_TEST(a_peer_that_says_ok_and_names_somebody_as_missing_is_not_believed) {
    begin(10, 2);
    named = 12345;
    ask(0, WSFAN_REQUEST_JOIN, message_to(WSFAN_ALL, NOTHING, 1), 0);
    await(1);
    named = 0;
    ck_assert_int_eq(last.status, WSFAN_OK);
    ck_assert_uint_eq(last.missing_count, 0);
    end();
}
END_TEST

START_TEST(requests_pass_a_network_that_loses_and_doubles_frames_once) {
    begin(9, 3);
    world_lose(w, 200000);
    world_duplicate(w, 200000);
    for (unsigned i = 0; i < 50; i++) {
        ask(0, WSFAN_REQUEST_LEAVE, message_to(WSFAN_ALL, NOTHING, 1), 0);
        world_run(w, 20);
    }
    await(50);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_le(loop_calls[i], 50);
    ck_assert_uint_eq(loop_calls[0], 50);
    ck_assert_uint_ge(loop_calls[1], 40); /* some come when nobody waits any more */
    end();
}
END_TEST

SUITE_MAIN("rpc", only_nodes_with_somebody_concerned_are_asked,
           who_is_quiet_asks_all_as_joins_do_not_wait_for_it,
           a_session_and_a_node_are_reached_there_and_nowhere_else,
           a_silent_node_costs_the_time_limit_and_is_named,
           every_node_tells_its_statistics_and_those_of_its_peers_page_by_page,
           a_node_that_is_down_is_named_at_once_even_for_a_chat_it_was_not_known_to_have,
           a_node_that_refuses_this_one_is_named_and_not_waited_for,
           a_peer_that_goes_for_good_is_not_waited_for,
           a_kind_of_a_later_version_is_answered_unsupported_not_by_silence,
           a_node_is_at_so_many_requests_and_refuses_one_more,
           what_a_peer_asks_must_be_within_our_limits, names_in_lists_of_nodes_are_printable,
           what_a_peer_does_not_take_is_answered_too_big,
           a_peer_that_says_ok_and_names_somebody_as_missing_is_not_believed,
           requests_pass_a_network_that_loses_and_doubles_frames_once)
