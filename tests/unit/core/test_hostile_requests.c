/* What an authenticated peer can do to presence, requests and latest values, and what it cannot. */
#include "base/memory.h"
#include "exchange/inbox.h"
#include "liar.h"

/* ------------------------------------------------------------------------------------- presence */

static void attend(unsigned node, char user, uint64_t chat) {
    wsf_presence_session *a = wsf_alloc_zero(1, sizeof *a + 2);
    wsf_hash_key key;
    wsf_hash_key_init(&key, world_config(w)->cluster);
    a->chat_hash = world_chat_hash(w, chat);
    a->user_hash = wsf_hash_target(&key, &(wsfan_target){ WSFAN_USER, { &user, 1 } });
    a->chat_size = a->user_size = 1;
    a->bytes[0] = 'c';
    a->bytes[1] = (uint8_t)user;
    wsf_core_present(world_core(w, node), a, world_now(w, node));
    world_touch(w, node);
}

static wsf_presence_row row_of(uint64_t chat, const char *user, uint32_t sessions) {
    return (
        wsf_presence_row){ world_chat_hash(w, chat), sessions, wsfan_string(user), { NULL, 0 } };
}

static void say_rows(const wsf_presence_row *rows, uint32_t count) {
    frame f = begin_frame(next_number(), 0);
    wsf_write_presence(writer_of(&f), 0, world_core(w, 0)->interest.serial + 1, rows, count);
    send(&f);
}

static wsfan_count count_at(unsigned node) {
    wsfan_count count = { .struct_size = sizeof count };
    wsf_core_count(world_core(w, node), world_chat_hash(w, CHAT), &count);
    return count;
}

START_TEST(a_flood_of_rows_leaves_room_for_those_of_others) {
    enum { FLOOD = 5000 };
    begin();
    attend(0, 'a', CHAT);
    world_run(w, 1000);
    for (unsigned i = 0; i < FLOOD; i++) {
        char user[16];
        snprintf(user, sizeof user, "liar%u", i);
        wsf_presence_row row = row_of(CHAT, user, 1);
        say_rows(&row, 1);
    }
    const wsf_presence *presence = &world_core(w, 0)->presence;
    ck_assert_uint_le(presence->row_slots.count, ROWS_MAX * 4 / 5 + 1);
    ck_assert_uint_le(presence->member_slots.count, presence->row_slots.count + 1);
    ck_assert_uint_ge(dropped(WSFAN_DROP_LIMIT), FLOOD - ROWS_MAX);
    attend(2, 'h', CHAT);
    world_run(w, 1000);
    ck_assert_uint_eq(presence->peer_rows[wsf_peer_index(world_core(w, 0), peer_at(0, 2))], 1);
    ck_assert_int_eq(count_at(0).complete, 0);
    ck_assert_uint_eq(count_at(0).missing_count, 1); /* and that is */
    ck_assert_uint_eq(count_at(0).missing[0], world_node_id(w, LIAR));
    ck_assert_uint_eq(count_at(2).users, 2);
    end();
}
END_TEST

START_TEST(rows_that_nobody_may_say_are_counted_and_not_kept) {
    static const char text[5000];
    begin();
    attend(0, 'a', CHAT);
    world_run(w, 1000);
    wsf_presence_row rows[] = { row_of(CHAT, "x", UINT32_MAX), row_of(CHAT, "y", 1),
                                row_of(CHAT, "z", 1) };
    rows[1].metadata = (wsfan_bytes){ text, 4097 };
    rows[2].user = (wsfan_bytes){ text, world_config(w)->name_bytes_max + 1 };
    uint64_t before = dropped(WSFAN_DROP_LIMIT) + dropped(WSFAN_DROP_MALFORMED);
    for (unsigned i = 0; i < 3; i++)
        say_rows(&rows[i], 1);
    ck_assert_uint_eq(dropped(WSFAN_DROP_LIMIT) + dropped(WSFAN_DROP_MALFORMED) - before, 3);
    for (uint64_t chat = 1000; chat < 3000; chat++) { /* where we have nobody */
        wsf_presence_row row = row_of(chat, "x", 1);
        say_rows(&row, 1);
        row.sessions = 0;
        say_rows(&row, 1);
    }
    ck_assert_uint_eq(world_core(w, 0)->presence.row_slots.count, 0);
    ck_assert_uint_eq(world_core(w, 0)->presence.chat_slots.count, 1);
    ck_assert_uint_eq(count_at(0).sessions, 1);
    end();
}
END_TEST

START_TEST(sums_that_are_wrong_are_counted_and_answered_now_and_then) {
    enum { FLOOD = 20000 };
    begin();
    attend(0, 'a', CHAT);
    world_run(w, 1000);
    uint64_t sent = peer_at(0, LIAR)->stats.frames_out;
    uint64_t ms = world_ms(w);
    for (unsigned i = 0; i < FLOOD; i++) {
        frame f = begin_frame(0, 0);
        wsf_presence_sum sum = { next_number() - 1, world_core(w, 0)->interest.serial + 1,
                                 12345 + i };
        wsf_write_presence_sum(writer_of(&f), &sum);
        send(&f);
        if (i % 100 == 0)
            world_run(w, 1);
    }
    uint64_t passed = world_ms(w) - ms;
    wsfan_stats stats;
    wsf_core_stats(world_core(w, 0), &stats);
    ck_assert_uint_ge(stats.presence_mended, FLOOD / 2);
    /* With acknowledgements and heartbeats of our own. */
    ck_assert_uint_le(peer_at(0, LIAR)->stats.frames_out - sent,
                      passed / WSF_ANEW_INTERVAL_MS + passed / WSF_ACK_DELAY_MS + 10);
    end();
}
END_TEST

START_TEST(who_wants_everything_again_and_again_gets_it_now_and_then) {
    enum { FLOOD = 5000, USERS = 100, ROW_BYTES = 64 };
    begin();
    for (unsigned i = 0; i < USERS; i++)
        attend(0, (char)('!' + i % 90), CHAT);
    attend(LIAR, 'l', CHAT);
    world_run(w, 2000);
    for (int presence = 0; presence < 2; presence++) {
        uint64_t bytes = peer_at(0, LIAR)->stats.bytes_out;
        uint64_t frames = peer_at(0, LIAR)->stats.frames_out;
        uint64_t ms = world_ms(w);
        for (unsigned i = 0; i < FLOOD; i++) {
            frame f = begin_frame(0, 0);
            wsf_write_type(writer_of(&f), presence ? WSF_PRESENCE_RESYNC : WSF_RESYNC);
            send(&f);
            if (i % 5 == 0)
                world_run(w, 1);
        }
        uint64_t passed = world_ms(w) - ms;
        uint64_t times = passed / WSF_ANEW_INTERVAL_MS + 2;
        ck_assert_uint_le(peer_at(0, LIAR)->stats.bytes_out - bytes,
                          times * USERS * ROW_BYTES + passed / WSF_ACK_DELAY_MS * 200);
        ck_assert_uint_le(peer_at(0, LIAR)->stats.frames_out - frames,
                          3 * times + passed / WSF_ACK_DELAY_MS);
    }
    end();
}
END_TEST

START_TEST(rows_that_are_to_be_forgotten_are_missed_until_all_is_told_again) {
    uint32_t grace_ms;
    begin();
    grace_ms = world_config(w)->presence.grace_ms;
    attend(0, 'a', CHAT);
    attend(LIAR, 'l', CHAT);
    world_run(w, 1000);
    ck_assert_int_eq(count_at(0).complete, 1);
    uint64_t before = next_number() - 1;
    uint64_t heard = world_core(w, 0)->interest.serial + 1;
    frame f = begin_frame(next_number(), 0);
    wsf_write_presence(writer_of(&f), WSF_PRESENCE_FORGET, heard, NULL, 0);
    send(&f);
    f = begin_frame(0, 0); /* that it has told all, of before */
    wsf_write_presence_sum(writer_of(&f), &(wsf_presence_sum){ before, heard, 0 });
    send(&f);
    ck_assert_int_eq(count_at(0).complete, 0);
    ck_assert_uint_eq(count_at(0).sessions, 1);
    world_freeze(w, LIAR, true);
    world_run(w, grace_ms + 1000);
    ck_assert_uint_eq(count_at(0).users, 2); /* nobody has said that it left */
    world_freeze(w, LIAR, false);
    for (uint64_t i = 0; i < 2;
         i++) { /* the true one knows nothing of that frame: its next is lost */
        world_publish(w, LIAR, CHAT, i);
        world_run(w, 2000);
    }
    ck_assert_int_eq(count_at(0).complete, 1);
    ck_assert_uint_eq(count_at(0).sessions, 2);
    end();
}
END_TEST

/* ------------------------------------------------------------------------------------- requests */

static wsfan_message *message_to(wsfan_target_kind kind, wsfan_bytes name, size_t size) {
    static const char payload[4096];
    wsf_hash_key key;
    wsf_hash_key_init(&key, world_config(w)->cluster);
    return wsf_message_new(&key, &(wsf_message_parts){ .targets = &(wsfan_target){ kind, name },
                                                       .targets_count = 1,
                                                       .payload = { payload, size } });
}

static wsf_request *new_ask(wsfan_request_kind kind, uint32_t number, size_t size) {
    wsf_request *ask = wsf_request_new(kind, message_to(WSFAN_ALL, (wsfan_bytes){ NULL, 0 }, size),
                                       number, 5000);
    ck_assert_ptr_nonnull(ask);
    return ask;
}

static void flood_with_requests(unsigned count, size_t size) {
    for (unsigned i = 0; i < count; i++) {
        wsf_request *ask = new_ask(WSFAN_REQUEST_LEAVE, 0, 1);
        if (i % 2 == 0) {
            wsf_request_free(ask);
            ask = new_ask(WSFAN_REQUEST_SEND, 0, size);
        }
        ask->id = 1 + i % 7; /* the same again */
        frame f = begin_frame(next_number(), 0);
        wsf_write_request(writer_of(&f), ask);
        wsf_request_free(ask);
        send(&f);
        if (i % 10 == 0)
            world_run(w, 1);
    }
}

START_TEST(a_flood_of_requests_leaves_room_for_those_of_others) {
    enum { FLOOD = 2000 };
    begin();
    flood_with_requests(FLOOD, 1);
    const wsf_core *core = world_core(w, 0);
    ck_assert_uint_le(core->rpc.calls_count, TASKS_MAX * 4 / 5 + 1);
    ck_assert_uint_le(held_count, TASKS_MAX * 4 / 5 + 1);
    ck_assert_uint_ge(core->stats.requests_refused, FLOOD - TASKS_MAX);
    ck_assert_uint_le(peer_at(0, LIAR)->link.talk_bytes, world_config(w)->link.queue_bytes_max);
    for (unsigned node = 0; node < 3; node += 2) { /* of the honest one, and our own */
        unsigned before = replies;
        char name[WSFAN_ADDRESS_TEXT_SIZE];
        wsfan_address_text((wsfan_address){ world_node_id(w, 0), 0 }, name);
        wsf_request *ask = wsf_request_new(WSFAN_REQUEST_LEAVE,
                                           message_to(WSFAN_NODE, wsfan_string(name), 1), 0, 2000);
        wsf_core_request(world_core(w, node), ask, world_now(w, node));
        world_touch(w, node);
        world_run(w, 500);
        ck_assert_uint_eq(replies, before + 1);
        ck_assert_int_eq(reply.status, WSFAN_OK);
    }
    end();
}
END_TEST

START_TEST(requests_take_no_more_memory_than_may_wait_for_a_peer) {
    queue_bytes_max = 16384;
    begin();
    flood_with_requests(200, 3000);
    ck_assert_uint_gt(peer_at(0, LIAR)->rpc.calls_count, 1);
    ck_assert_uint_le(peer_at(0, LIAR)->rpc.calls_bytes, queue_bytes_max);
    queue_bytes_max = 0;
    end();
}
END_TEST

/* The reply of the liar, with more and larger rows than were asked for, and counts that cannot be. */
static void say_reply(uint64_t id) {
    static const char text[2000];
    wsf_answer answer;
    wsf_answer_init(&answer, WSF_ROWS_COUNT_MAX);
    answer.sessions = answer.sessions_failed = UINT64_MAX;
    for (unsigned i = 0; i < 14; i++) {
        char key[4] = { 'k', (char)('a' + i), 0, 0 };
        wsf_rows_add(&answer.rows, (wsfan_bytes){ key, 1 + i % 3 }, (wsfan_bytes){ NULL, 0 },
                     (wsfan_bytes){ text, sizeof text }, UINT64_MAX);
    }
    answer.payload = wsf_alloc(100);
    memset(answer.payload, 0, 100);
    answer.payload_size = 100;
    frame f = begin_frame(next_number(), 0);
    wsf_write_reply(writer_of(&f), id, &answer);
    wsf_answer_destroy(&answer);
    send(&f);
}

START_TEST(replies_that_nobody_waits_for_or_twice_are_counted_and_change_nothing) {
    begin();
    uint64_t before = dropped(WSFAN_DROP_UNWANTED);
    for (uint64_t id = 0; id < 500; id++)
        say_reply(id);
    ck_assert_uint_eq(dropped(WSFAN_DROP_UNWANTED) - before, 500);
    ck_assert_uint_eq(replies, 0);
    wsf_request *ask = new_ask(WSFAN_REQUEST_CHATS, 5, 0);
    wsf_core_request(world_core(w, 0), ask, world_now(w, 0));
    world_touch(w, 0);
    world_run(w, 200); /* all but the liar have answered */
    ck_assert_uint_eq(replies, 0);
    before = dropped(WSFAN_DROP_UNWANTED);
    for (int i = 0; i < 10; i++)
        say_reply(ask->id);
    ck_assert_uint_eq(dropped(WSFAN_DROP_UNWANTED) - before, 9);
    world_run(w, 200);
    ck_assert_uint_eq(replies, 1);
    ck_assert_int_eq(reply.status, WSFAN_OK);
    ck_assert_uint_le(reply.rows_count, 5);
    end();
}
END_TEST

/* Rows as they may be, before the key to go on after, of another node, and too short; and that more are to come. */
static void say_list(uint64_t id, uint64_t node, wsfan_bytes tail) {
    uint8_t own[8];
    uint8_t other[8];
    wsf_put_u64(own, node);
    wsf_put_u64(other, node + 1);
    wsf_answer answer;
    wsf_answer_init(&answer, WSF_ROWS_COUNT_MAX);
    wsfan_bytes head = { own, sizeof own };
    static const wsfan_bytes none = { NULL, 0 };
    wsf_rows_add(&answer.rows, head, tail, none, 1);
    wsf_rows_add(&answer.rows, (wsfan_bytes){ other, sizeof other }, tail, none, 1);
    wsf_rows_add(&answer.rows, (wsfan_bytes){ own, 7 }, none, none, 1);
    wsf_rows_add(&answer.rows, none, none, none, 1);
    answer.rows.more = true;
    frame f = begin_frame(next_number(), 0);
    wsf_write_reply(writer_of(&f), id, &answer);
    wsf_answer_destroy(&answer);
    send(&f);
}

START_TEST(a_list_of_one_that_lies_ends_and_names_that_node_alone) {
    static const struct {
        wsfan_request_kind kind;
        wsfan_bytes tail;
    } kinds[] = { { WSFAN_REQUEST_NODES, { NULL, 0 } },
                  { WSFAN_REQUEST_SESSIONS, { "a session", 9 } },
                  { WSFAN_REQUEST_STATS, { "the peer and name", 17 } } };
    begin();
    char name[WSFAN_ADDRESS_TEXT_SIZE];
    wsfan_address_text((wsfan_address){ world_node_id(w, LIAR), 0 }, name);
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        uint8_t key[64] = { 0 };
        size_t size = 0;
        for (unsigned page = 0; page < 2; page++) { /* the second goes on behind the first */
            wsf_hash_key hash;
            wsf_hash_key_init(&hash, world_config(w)->cluster);
            wsfan_target target = { WSFAN_NODE, wsfan_string(name) };
            wsf_message_parts parts = { .targets = &target,
                                        .targets_count = 1,
                                        .payload = { key, size } };
            wsf_request *ask = wsf_request_new(kinds[i].kind, wsf_message_new(&hash, &parts), 10,
                                               5000);
            uint64_t before = dropped(WSFAN_DROP_MALFORMED);
            unsigned replies_before = replies;
            wsf_core_request(world_core(w, 0), ask, world_now(w, 0));
            say_list(ask->id, world_node_id(w, LIAR), kinds[i].tail);
            world_touch(w, 0);
            world_run(w, 1);
            ck_assert_uint_eq(replies, replies_before + 1);
            ck_assert_uint_eq(reply.rows_count, page == 0);
            ck_assert_uint_eq(dropped(WSFAN_DROP_MALFORMED) - before, page == 0 ? 3 : 4);
            wsf_put_u64(key, world_node_id(w, LIAR));
            memcpy(key + 8, kinds[i].tail.data == NULL ? "" : kinds[i].tail.data,
                   kinds[i].tail.size);
            size = 8 + kinds[i].tail.size;
        }
    }
    end();
}
END_TEST

/* A page that ends with a chat without a name would be the last one, as the next one goes on after its name: other nodes' chats
 * behind it would be told by nobody. */
START_TEST(a_chat_without_a_name_ends_no_list) {
    begin();
    char name[WSFAN_ADDRESS_TEXT_SIZE];
    wsfan_address_text((wsfan_address){ world_node_id(w, LIAR), 0 }, name);
    wsf_request *ask = wsf_request_new(WSFAN_REQUEST_CHATS,
                                       message_to(WSFAN_NODE, wsfan_string(name), 0), 10, 5000);
    uint64_t before = dropped(WSFAN_DROP_MALFORMED);
    wsf_core_request(world_core(w, 0), ask, world_now(w, 0));
    static const wsfan_bytes none = { NULL, 0 };
    wsf_answer answer;
    wsf_answer_init(&answer, WSF_ROWS_COUNT_MAX);
    wsf_rows_add(&answer.rows, none, none, none, 1);
    answer.rows.more = true;
    frame f = begin_frame(next_number(), 0);
    wsf_write_reply(writer_of(&f), ask->id, &answer);
    wsf_answer_destroy(&answer);
    send(&f);
    world_touch(w, 0);
    world_run(w, 1);
    ck_assert_uint_eq(replies, 1);
    ck_assert_uint_eq(reply.rows_count, 0);
    ck_assert_uint_eq(dropped(WSFAN_DROP_MALFORMED) - before, 1);
    end();
}
END_TEST

/* -------------------------------------------------------------------------------- latest values */

START_TEST(a_flood_of_latest_values_fills_an_inbox_and_no_more) {
    enum { COUNT_MAX = 100, FLOOD = 5000 };
    begin();
    int error;
    wsf_inbox *inbox = wsf_inbox_new(COUNT_MAX, 1 << 20, &error);
    ck_assert_ptr_nonnull(inbox);
    unsigned taken = 0;
    for (uint64_t i = 0; i < FLOOD; i++) {
        wsfan_message *message = message_to(WSFAN_ALL, (wsfan_bytes){ NULL, 0 }, 8);
        message->slot = 1 + i;
        message->id.origin = world_node_id(w, LIAR);
        taken += wsf_inbox_put_message(inbox, message);
        ck_assert_uint_le(inbox->latest.count, COUNT_MAX);
    }
    ck_assert_uint_eq(taken, COUNT_MAX);
    for (uint64_t i = 0; i < FLOOD; i++) { /* one of those that wait is still replaced */
        wsfan_message *message = message_to(WSFAN_ALL, (wsfan_bytes){ NULL, 0 }, 8);
        message->slot = 1 + i % COUNT_MAX;
        message->id.origin = world_node_id(w, LIAR);
        ck_assert(wsf_inbox_put_message(inbox, message));
    }
    ck_assert_uint_eq(inbox->replaced, FLOOD);
    ck_assert_uint_eq(inbox->latest.count, COUNT_MAX);
    for (wsf_item *item = wsf_mailbox_take(&inbox->mailbox); item != NULL;) {
        wsf_item *next = item->next;
        wsf_inbox_free_item(item);
        item = next;
    }
    wsf_inbox_unref(inbox);
    end();
}
END_TEST

SUITE_MAIN("hostile_requests", a_flood_of_rows_leaves_room_for_those_of_others,
           rows_that_nobody_may_say_are_counted_and_not_kept,
           rows_that_are_to_be_forgotten_are_missed_until_all_is_told_again,
           sums_that_are_wrong_are_counted_and_answered_now_and_then,
           who_wants_everything_again_and_again_gets_it_now_and_then,
           a_flood_of_requests_leaves_room_for_those_of_others,
           requests_take_no_more_memory_than_may_wait_for_a_peer,
           replies_that_nobody_waits_for_or_twice_are_counted_and_change_nothing,
           a_list_of_one_that_lies_ends_and_names_that_node_alone,
           a_chat_without_a_name_ends_no_list, a_flood_of_latest_values_fills_an_inbox_and_no_more)
