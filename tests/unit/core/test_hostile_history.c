/* What an authenticated peer can do with questions for kept messages and with answers, and what it cannot. Node 0 has history. */
#include "core/history/backfill.h"
#include "core/history/extent.h"
#include "core/routing/keeping.h"
#include "liar.h"
#include "wire/history_codec.h"

enum { HISTORY_MS = 10000 };

static uint8_t bytes[30000];

/* The liar is interested in a chat that node 0 keeps, and does not run. */
static void begin_with_chat(void) {
    history_ms = HISTORY_MS;
    begin();
    for (unsigned node = 0; node < 3; node++)
        world_core(w, node)->config.history_copies = 0; /* nobody else keeps it */
    for (unsigned node = 0; node < 2; node++) {
        wsf_ticket *ticket = wsf_alloc_zero(1, sizeof *ticket);
        ticket->hash = world_chat_hash(w, CHAT);
        ticket->history = true;
        wsf_core_join(world_core(w, node), ticket, world_now(w, node));
        world_touch(w, node);
    }
    world_leave(w, 2, CHAT); /* so that nobody else is asked */
    world_run(w, 2000);
    world_freeze(w, LIAR, true);
}

static uint64_t ask(void) {
    wsf_core *core = world_core(w, 0);
    wsf_vector seen;
    wsf_vector_init(&seen, 1);
    ck_assert(wsf_backfill_begin(core, world_chat_hash(w, CHAT), &seen, world_now(w, 0)));
    world_touch(w, 0);
    world_run(w, 1);
    return core->rpc.request_ids;
}

static void say_page(uint64_t id, size_t size) {
    wsf_answer answer;
    wsf_answer_init(&answer, 0);
    answer.payload = wsf_alloc(size + 1);
    memcpy(answer.payload, bytes, size);
    answer.payload_size = size;
    frame f = begin_frame(next_number(), 0);
    wsf_write_reply(writer_of(&f), id, &answer);
    wsf_answer_destroy(&answer);
    send(&f);
}

static uint8_t *write_head(void) {
    wsf_page_origin origin = { world_node_id(w, LIAR), UINT64_MAX, 0, UINT64_MAX };
    return wsf_page_write_head(bytes, world_core(w, 0)->cluster_epoch.number, &origin, 1);
}

static uint8_t *write_chat(uint8_t *at, uint32_t flags, uint32_t messages) {
    wsf_page_chat chat = { .hash = world_chat_hash(w, CHAT),
                           .flags = flags,
                           .messages_count = messages };
    return wsf_page_write_chat(at, &chat, NULL);
}

static uint8_t *write_message_of(uint8_t *at, uint64_t origin, uint64_t chat, uint64_t clock) {
    wsfan_target target = { WSFAN_CHAT, { &chat, sizeof chat } };
    wsf_kept kept = { .id = { clock, origin },
                      .parts = {
                          .targets = &target, .targets_count = 1, .payload = wsfan_string("x") } };
    return wsf_page_write_message(at, &kept);
}

static uint8_t *write_message(uint8_t *at, uint64_t chat, uint64_t clock) {
    return write_message_of(at, world_node_id(w, LIAR), chat, clock);
}

static uint64_t kept_count(void) {
    wsf_history_counts counts;
    wsf_keeping_counts(world_core(w, 0), &counts);
    return counts.messages;
}

static bool waits(void) {
    return wsf_backfill_waits(world_core(w, 0), world_chat_hash(w, CHAT));
}

static void end_with_all(void) {
    ck_assert(world_join(w, 2, CHAT));
    world_run(w, 1000);
    end();
}

START_TEST(pages_that_are_none_are_counted_and_end_the_question) {
    begin_with_chat();
    for (size_t size = 0; size < 200; size++) {
        uint64_t id = ask();
        uint8_t *end_of = write_message(write_chat(write_head(), 0, 1), CHAT, 5);
        size_t whole = (size_t)(end_of - bytes);
        uint64_t before = dropped(WSFAN_DROP_MALFORMED);
        if (size >= whole)
            break;
        say_page(id, size);
        ck_assert(!waits());
        /* Without any chat it is a page, and says nothing of what was asked. */
        ck_assert(dropped(WSFAN_DROP_MALFORMED) == before + 1 ||
                  size == WSF_PAGE_HEAD_SIZE + WSF_PAGE_ORIGIN_SIZE);
        ck_assert_uint_eq(kept_count(), 0);
        ck_assert(wsf_backfill_failed(world_core(w, 0), world_chat_hash(w, CHAT)));
        world_run(w, 3000); /* until it may be asked again; it is not up for a while then */
        world_freeze(w, LIAR, false);
        world_run(w, 3000);
        world_freeze(w, LIAR, true);
        size += 12;
    }
    end_with_all();
}
END_TEST

START_TEST(messages_that_are_not_of_the_chat_are_no_answer) {
    begin_with_chat();
    uint64_t id = ask();
    uint8_t *at = write_message(write_chat(write_head(), 0, 1), CHAT + 1, 5);
    say_page(id, (size_t)(at - bytes));
    ck_assert(!waits());
    ck_assert_uint_eq(kept_count(), 0);
    end_with_all();
}
END_TEST

START_TEST(ids_that_do_not_rise_are_no_answer) {
    begin_with_chat();
    uint64_t id = ask();
    uint8_t *at = write_message(write_message(write_chat(write_head(), 0, 2), CHAT, 5), CHAT, 5);
    say_page(id, (size_t)(at - bytes));
    ck_assert(!waits());
    end_with_all();
}
END_TEST

START_TEST(pages_without_end_are_asked_for_no_longer_than_its_share_of_time) {
    begin_with_chat();
    uint64_t before = world_ms(w);
    uint64_t id = ask();
    uint64_t clock = 5;
    for (; waits(); clock++) {
        uint8_t *at = write_message(write_chat(write_head(), WSF_CHAT_MORE, 1), CHAT, clock);
        say_page(id, (size_t)(at - bytes));
        world_run(w, 1);
        id = world_core(w, 0)->rpc.request_ids;
        ck_assert_uint_le(world_ms(w) - before, world_config(w)->recover_ms_max);
    }
    ck_assert_uint_gt(clock, 100);
    ck_assert_uint_le(kept_count(), world_config(w)->history_count_max);
    end_with_all();
}
END_TEST

START_TEST(a_page_that_goes_on_where_it_was_ends_the_question) {
    begin_with_chat();
    uint64_t id = ask();
    uint8_t *at = write_chat(write_head(), WSF_CHAT_MORE, 0);
    say_page(id, (size_t)(at - bytes));
    ck_assert(!waits());
    end_with_all();
}
END_TEST

/* Whoever was replayed one would be taken to have seen all of its publisher, for ever. */
START_TEST(messages_of_the_far_future_are_not_taken) {
    enum { STRANGER = 77 };
    begin_with_chat();
    uint64_t id = ask();
    uint8_t *at = write_chat(write_head(), 0, 3);
    at = write_message_of(at, STRANGER, CHAT,
                          5); /* nobody here knows that node, so it may be true */
    at = write_message_of(at, STRANGER + 1, CHAT, UINT64_MAX - 1);
    at = write_message_of(at, STRANGER, CHAT, UINT64_MAX);
    say_page(id, (size_t)(at - bytes));
    ck_assert(!waits());
    ck_assert_uint_eq(kept_count(), 1);
    end_with_all();
}
END_TEST

START_TEST(answers_that_nobody_waits_for_cost_nothing) {
    begin_with_chat();
    uint64_t before = dropped(WSFAN_DROP_UNWANTED);
    uint8_t *at = write_message(write_chat(write_head(), 0, 1), CHAT, 5);
    for (uint64_t id = 0; id < 100; id++)
        say_page(id, (size_t)(at - bytes));
    ck_assert_uint_eq(dropped(WSFAN_DROP_UNWANTED) - before, 100);
    ck_assert_uint_eq(kept_count(), 0);
    end_with_all();
}
END_TEST

START_TEST(a_flood_of_questions_is_one_at_a_time) {
    enum { FLOOD = 2000 };
    begin_with_chat();
    wsf_asked_chat chats[WSF_QUESTION_CHATS_MAX];
    for (unsigned i = 0; i < WSF_QUESTION_CHATS_MAX; i++)
        chats[i] = (wsf_asked_chat){ .hash = world_chat_hash(w, CHAT) };
    static uint8_t question[WSF_QUESTION_HEAD_SIZE + sizeof chats];
    wsf_question_write(question, UINT64_MAX, chats, WSF_QUESTION_CHATS_MAX);
    wsf_hash_key key;
    wsf_hash_key_init(&key, world_config(w)->cluster);
    wsf_message_parts parts = { .targets = &(wsfan_target){ WSFAN_ALL, { NULL, 0 } },
                                .targets_count = 1,
                                .payload = { question,
                                             WSF_QUESTION_HEAD_SIZE +
                                                 WSF_QUESTION_CHATS_MAX * WSF_ASKED_CHAT_SIZE } };
    for (unsigned i = 0; i < FLOOD; i++) {
        if (i == FLOOD / 2)
            parts.payload.size -= 7; /* not a question any more */
        wsf_request request = { .id = 1 + i,
                                .kind = (wsfan_request_kind)WSF_REQUEST_KEPT,
                                .ms_max = UINT32_MAX };
        request.message = wsf_message_new(&key, &parts);
        frame f = begin_frame(next_number(), 0);
        wsf_write_request(writer_of(&f), &request);
        wsfan_message_unref(request.message);
        send(&f);
        ck_assert_uint_eq(wsf_peers_count(world_core(w, 0)->backfill.askers), 1);
    }
    ck_assert_uint_le(peer_at(0, LIAR)->link.talk_bytes, world_config(w)->link.queue_bytes_max);
    world_run(w, world_config(w)->recover_ms_max + 1000);
    ck_assert(wsf_peers_is_empty(world_core(w, 0)->backfill.askers));
    end_with_all();
}
END_TEST

SUITE_MAIN("hostile_history", pages_that_are_none_are_counted_and_end_the_question,
           messages_that_are_not_of_the_chat_are_no_answer, ids_that_do_not_rise_are_no_answer,
           pages_without_end_are_asked_for_no_longer_than_its_share_of_time,
           a_page_that_goes_on_where_it_was_ends_the_question,
           messages_of_the_far_future_are_not_taken, answers_that_nobody_waits_for_cost_nothing,
           a_flood_of_questions_is_one_at_a_time)
