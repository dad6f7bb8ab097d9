/* Positions of one loop: what the mesh thread put down for it counts when what was in its inbox then is dispatched. */
#include "loop/positions.h"

#include "base/memory.h"
#include "suite.h"

enum { A = 11, B = 22 };

static const wsf_registry_limits LIMITS = { 10, 10, 10 };
static const wsf_hash_seal_key KEY;
static wsf_hash_key names;
static wsf_registry registry;
static wsf_positions positions;
static wsf_inbox *inbox;
static wsfan_session session;
static wsf_position position;

static uint64_t hash_of(const char *chat) {
    return wsf_hash_target(&names, &(wsfan_target){ WSFAN_CHAT, wsfan_string(chat) });
}

static void join(const char *chat, bool history) {
    uint32_t audience;
    wsfan_target target = { WSFAN_CHAT, wsfan_string(chat) };
    ck_assert_int_eq(wsf_registry_join(&registry, session, &target, hash_of(chat), &audience),
                     WSFAN_OK);
    if (history)
        wsf_registry_set_history(&registry, session, audience);
}

static void begin(const wsf_hash_seal_key *key) {
    int error;
    wsf_hash_key_init(&names, "test");
    wsf_registry_init(&registry, &LIMITS, 0, 3);
    ck_assert_int_eq(wsf_registry_open(&registry, NULL, &session), WSFAN_OK);
    join("lobby", true);
    join("kitchen", false);
    inbox = wsf_inbox_new(100, 10000, &error);
    ck_assert_ptr_nonnull(inbox);
    wsf_positions_init(&positions, key, 5);
}

static void end(void) {
    wsf_positions_destroy(&positions);
    wsf_inbox_unref(inbox);
    wsf_registry_destroy(&registry);
}

static void put_down(uint64_t rest, bool told) {
    wsf_reach *reach = wsf_reach_new();
    ck_assert_ptr_nonnull(reach);
    reach->epoch = 4711;
    reach->told = told;
    wsf_vector_init(&reach->whole, rest);
    wsf_inbox_put_reach(inbox, reach);
    wsf_reach_unref(reach);
}

static void see_for(const wsfan_target *targets, uint32_t count, uint64_t clock, uint64_t slot) {
    wsf_message_parts parts = { .targets = targets, .targets_count = count, .slot = slot };
    wsfan_message *message = wsf_message_new(&names, &parts);
    message->id = (wsfan_message_id){ clock, A };
    wsf_positions_see(&positions, &registry, message);
    wsfan_message_unref(message);
}

static void see(const char *chat, uint64_t clock, uint64_t slot) {
    see_for(&(wsfan_target){ WSFAN_CHAT, wsfan_string(chat) }, 1, clock, slot);
}

static bool tells(const char *chat) {
    return wsf_positions_tell(&positions, hash_of(chat), &position);
}

START_TEST(what_was_put_down_counts_when_the_inbox_of_then_is_dispatched) {
    begin(&KEY);
    ck_assert(!tells("lobby"));
    put_down(100, true);
    wsf_positions_take(&positions, inbox);
    ck_assert(!tells("lobby"));
    put_down(200, true);
    wsf_positions_take(&positions,
                       inbox); /* not in place of the first: the mailbox was taken before */
    wsf_positions_reach(&positions);
    ck_assert(tells("lobby"));
    ck_assert_uint_eq(position.epoch, 4711);
    ck_assert_uint_eq(position.seen.rest, 100);
    wsf_positions_take(&positions, inbox);
    ck_assert(tells("lobby"));
    ck_assert_uint_eq(position.seen.rest, 100);
    wsf_positions_reach(&positions);
    wsf_positions_reach(&positions);
    ck_assert(tells("lobby"));
    ck_assert_uint_eq(position.seen.rest, 200);
    end();
}
END_TEST

START_TEST(the_newest_that_was_put_down_counts) {
    begin(&KEY);
    put_down(100, true);
    put_down(200, false);
    wsf_positions_take(&positions, inbox);
    wsf_positions_reach(&positions);
    ck_assert(!tells("lobby"));
    put_down(300, true);
    end(); /* which frees it */
}
END_TEST

START_TEST(messages_of_chats_with_history_are_in_positions_at_once) {
    begin(&KEY);
    put_down(100, true);
    wsf_positions_take(&positions, inbox);
    wsf_positions_reach(&positions);
    see("lobby", 120, 0);
    see("kitchen", 130, 0); /* without history */
    see("lobby", 140, 1);   /* a latest value */
    ck_assert(tells("lobby"));
    ck_assert_uint_eq(wsf_vector_at(&position.seen, A), 120);
    ck_assert_uint_eq(wsf_vector_at(&position.seen, B), 100);
    ck_assert(tells("kitchen"));
    ck_assert_uint_eq(wsf_vector_at(&position.seen, A), 100);
    const wsfan_target targets[] = { { WSFAN_CHAT, wsfan_string("kitchen") },
                                     { WSFAN_NOT_CHAT, wsfan_string("lobby") },
                                     { WSFAN_USER, wsfan_string("lobby") } };
    see_for(targets, 3, 150, 0);
    ck_assert(tells("lobby"));
    ck_assert_uint_eq(wsf_vector_at(&position.seen, A), 120);
    const wsfan_target both[] = { { WSFAN_CHAT, wsfan_string("kitchen") },
                                  { WSFAN_CHAT, wsfan_string("lobby") } };
    see_for(both, 2, 160, 0);
    ck_assert(tells("lobby"));
    ck_assert_uint_eq(wsf_vector_at(&position.seen, A), 160);
    end();
}
END_TEST

START_TEST(without_history_what_is_put_down_stays_there) {
    begin(NULL);
    put_down(100, true);
    wsf_positions_take(&positions, inbox);
    wsf_positions_reach(&positions);
    ck_assert(!tells("lobby"));
    ck_assert_ptr_nonnull(atomic_load(&inbox->reach));
    end();
}
END_TEST

SUITE_MAIN("positions", what_was_put_down_counts_when_the_inbox_of_then_is_dispatched,
           the_newest_that_was_put_down_counts,
           messages_of_chats_with_history_are_in_positions_at_once,
           without_history_what_is_put_down_stays_there)
