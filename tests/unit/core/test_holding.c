/* Chats that nodes hold for each other. Each test starts nodes with history and says which joins. */
#include "core/history/holding.h"

#include <inttypes.h>

#include "base/memory.h"
#include "core/history/backfill.h"
#include "core/history/holders.h"
#include "core/routing/keeping.h"
#include "failing.h"
#include "suite.h"
#include "world.h"

enum { CHAT = 7, HISTORY_MS = 4000, DOWN_MS = 10000, NODES_MAX = 8 };

static world *w;
static unsigned delivered[NODES_MAX];
static unsigned nodes;

static bool on_deliver(void *user, unsigned node, unsigned loop, wsfan_message *message) {
    (void)user, (void)message;
    ck_assert_uint_eq(loop, 0);
    delivered[node]++;
    return true;
}

static bool is_meshed(void *user) {
    return world_meshed(user);
}

/* Every node has a view of all. */
static bool views_are_whole(void *user) {
    for (unsigned i = 0; i < nodes; i++)
        if (world_alive(w, i) &&
            (world_view(w, i) == NULL || world_view(w, i)->count != *(unsigned *)user))
            return false;
    return true;
}

static void mesh(unsigned count) {
    ck_assert(world_run_until(w, is_meshed, w, 20000));
    ck_assert(world_run_until(w, views_are_whole, &count, 20000));
}

/* The last `without` of the nodes have no history. */
static void begin(unsigned count, unsigned without, uint32_t copies) {
    static const world_watcher watcher = { .deliver = on_deliver };
    memset(delivered, 0, sizeof delivered);
    w = world_new(1, &watcher);
    nodes = count;
    world_config(w)->history_copies = copies;
    world_config(w)->recover_ms_max = 4000;
    for (unsigned i = 0; i < count; i++) {
        world_config(w)->history_ms = i < count - without ? HISTORY_MS : 0;
        world_start(w, i, i == 0 ? 0 : 1);
    }
    world_config(w)->history_ms = HISTORY_MS;
    mesh(count);
}

static void end(void) {
    world_destroy(w);
}

static uint64_t hash(void) {
    return world_chat_hash(w, CHAT);
}

static void join_chat(unsigned node, uint64_t chat) {
    wsf_ticket *ticket = wsf_alloc_zero(1, sizeof *ticket);
    ticket->hash = world_chat_hash(w, chat);
    ticket->history = true;
    wsf_core_join(world_core(w, node), ticket, world_now(w, node));
    world_touch(w, node);
}

static void join(unsigned node) {
    join_chat(node, CHAT);
    world_run(w, 500);
}

static void leave(unsigned node) {
    world_leave(w, node, CHAT);
    world_run(w, 500);
}

static bool is_kept_at(unsigned node) {
    return world_alive(w, node) &&
           wsf_archive_find(&world_core(w, node)->keeping.archive, hash()) != WSF_TABLE_NONE;
}

static const wsf_keeping_chat *chat_at(unsigned node) {
    const wsf_core *core = world_core(w, node);
    return &core->keeping.chats[wsf_archive_find(&core->keeping.archive, hash())];
}

/* The nodes that keep the chat. */
static unsigned kept_by(void) {
    unsigned count = 0;
    for (unsigned i = 0; i < nodes; i++)
        count += is_kept_at(i);
    return count;
}

/* Another node than this one that keeps the chat. */
static unsigned holder_for(unsigned node) {
    for (unsigned i = 0; i < nodes; i++)
        if (i != node && is_kept_at(i))
            return i;
    ck_abort_msg("nobody holds the chat");
    return 0;
}

static uint64_t messages_at(unsigned node) {
    wsf_history_counts counts;
    wsf_keeping_counts(world_core(w, node), &counts);
    return counts.messages;
}

static bool nobody_keeps(void *user) {
    (void)user;
    return kept_by() == 0;
}

static bool is_kept_by_two(void *user) {
    (void)user;
    return kept_by() == 2;
}

START_TEST(a_chat_with_a_session_is_held_by_the_first_of_its_order) {
    begin(5, 0, 1);
    join(0);
    wsf_view *others = wsf_view_new(world_view(w, 0)->count);
    others->count = 0;
    for (uint32_t i = 0; i < world_view(w, 0)->count; i++)
        if (world_view(w, 0)->places[i].node != world_node_id(w, 0))
            others->places[others->count++] = world_view(w, 0)->places[i];
    unsigned holder = holder_for(0);
    ck_assert_uint_eq(kept_by(), 2);
    ck_assert_uint_eq(world_node_id(w, holder), wsf_view_owner(others, hash())->node);
    wsf_view_unref(others);
    ck_assert(chat_at(holder)->begun);
    ck_assert_uint_eq(wsf_peers_count(chat_at(0)->held), 1);
    ck_assert(wsf_peers_is_empty(chat_at(holder)->asked)); /* a holder asks nobody */
    unsigned other = holder == 1 ? 2 : 1;
    ck_assert(world_publish(w, other, CHAT, 1)); /* which has no idea of holders */
    world_run(w, 500);
    ck_assert_uint_eq(messages_at(0), 1);
    ck_assert_uint_eq(messages_at(holder), 1);
    ck_assert_uint_eq(delivered[holder], 0);
    end();
}
END_TEST

START_TEST(several_copies_are_held_by_several_nodes_and_none_by_none) {
    begin(5, 0, 3);
    join(0);
    ck_assert_uint_eq(kept_by(), 4);
    end();
    begin(5, 0, 0);
    join(0);
    ck_assert_uint_eq(kept_by(), 1);
    end();
}
END_TEST

START_TEST(nodes_without_history_are_not_asked_and_are_told_nothing) {
    begin(2, 1, 1);
    uint64_t before = world_counted(w).sent;
    world_run(w, 10000);
    uint64_t idle = world_counted(w).sent - before;
    join(0);
    ck_assert_uint_eq(kept_by(), 1);
    ck_assert_uint_eq(world_core(w, 0)->holders.unheld, 0);
    before = world_counted(w).sent;
    world_run(w, 10000);
    ck_assert_uint_le(world_counted(w).sent - before, idle + 2);
    end();
}
END_TEST

START_TEST(when_the_asker_lingers_no_more_its_holder_is_done_too) {
    begin(3, 0, 1);
    join(0);
    leave(0);
    world_run(w, HISTORY_MS - 1000);
    ck_assert_uint_eq(kept_by(), 2);
    world_run(w, 1000);
    ck_assert_uint_eq(kept_by(), 0);
    end();
}
END_TEST

START_TEST(a_holder_keeps_the_chat_for_a_while_when_the_asker_has_died) {
    begin(3, 0, 1);
    join(0);
    unsigned holder = holder_for(0);
    ck_assert(world_publish(w, 0, CHAT, 1));
    world_run(w, 500);
    world_crash(w, 0);
    world_run(w, HISTORY_MS - 500);
    ck_assert(is_kept_at(holder));
    ck_assert_uint_eq(kept_by(), 1); /* and asks nobody */
    ck_assert_uint_eq(messages_at(holder), 1);
    ck_assert(world_run_until(w, nobody_keeps, NULL, DOWN_MS + HISTORY_MS));
    ck_assert_uint_eq(world_core(w, holder)->interest.local_count, 0);
    end();
}
END_TEST

static bool holds_for_nobody(void *user) {
    unsigned node = *(unsigned *)user;
    return !is_kept_at(node) || wsf_peers_is_empty(chat_at(node)->askers);
}

static bool is_refused_once(void *user) {
    const wsf_peer *peer = wsf_peer_find(world_core(w, *(unsigned *)user), world_node_id(w, 0));
    return peer->probe.refusals == 1;
}

/* The second probe is on its way when the holder freezes, and tells of the asker's end before the first round after that. */
START_TEST(so_does_one_that_was_frozen_before_it_heard_that) {
    begin(3, 0, 1);
    join(0);
    unsigned holder = holder_for(0);
    world_crash(w, 0);
    ck_assert(world_run_until(w, is_refused_once, &holder, DOWN_MS));
    world_run(w, 101);
    ck_assert(is_refused_once(&holder));
    world_freeze(w, holder, true);
    world_run(w, 2 * HISTORY_MS);
    world_freeze(w, holder, false);
    ck_assert(world_run_until(w, holds_for_nobody, &holder, DOWN_MS));
    world_run(w, HISTORY_MS - 500);
    ck_assert(is_kept_at(holder));
    end();
}
END_TEST

START_TEST(an_asker_that_is_cut_off_and_comes_back_finds_its_holder) {
    begin(2, 0, 1);
    join(0);
    world_block(w, 0, 1, true);
    world_block(w, 1, 0, true);
    world_run(w, DOWN_MS + 2 * HISTORY_MS);
    ck_assert(!is_kept_at(1));
    ck_assert(is_kept_at(0));
    world_block(w, 0, 1, false);
    world_block(w, 1, 0, false);
    world_run(w, 10000);
    ck_assert(is_kept_at(1));
    ck_assert_uint_eq(world_core(w, 0)->holders.unheld, 0);
    ck_assert_uint_eq(wsf_peers_count(chat_at(0)->held), 1);
    end();
}
END_TEST

/* Only one direction: the holder takes the asker for down, and that one does not notice. */
START_TEST(what_a_holder_gave_up_unknown_to_the_asker_is_asked_for_again) {
    begin(2, 0, 1);
    join(0);
    wsf_core *holder = world_core(w, 1);
    wsf_holding_part.down(holder, wsf_peer_find(holder, world_node_id(w, 0)), true);
    ck_assert(chat_at(1)->rests);
    ck_assert(wsf_peers_is_empty(chat_at(1)->askers));
    world_run(w, 3000);
    ck_assert(!wsf_peers_is_empty(chat_at(1)->askers));
    ck_assert_uint_eq(holder->holding.mended, 1);
    world_run(w, 3 * HISTORY_MS);
    ck_assert(is_kept_at(1));
    ck_assert_uint_eq(holder->holding.mended, 1);
    end();
}
END_TEST

START_TEST(what_a_holder_should_have_given_up_it_gives_up) {
    begin(2, 0, 1);
    join(0);
    wsf_core *holder = world_core(w, 1);
    wsf_peer *asker = wsf_peer_find(holder, world_node_id(w, 0));
    ck_assert(wsf_keeping_hold(holder, 4711, wsf_peer_index(holder, asker), true));
    asker->holding.held_digest += 4711;
    asker->holding.held_count++;
    world_run(w, 3000 + HISTORY_MS);
    ck_assert_uint_eq(wsf_archive_find(&holder->keeping.archive, 4711), WSF_TABLE_NONE);
    ck_assert(is_kept_at(1));
    ck_assert_uint_eq(asker->holding.held_count, 1);
    end();
}
END_TEST

START_TEST(a_holder_that_dies_is_replaced_with_the_history_that_others_have) {
    begin(4, 0, 1);
    join(0);
    unsigned holder = holder_for(0);
    world_crash(w, holder);
    ck_assert(world_publish(w, 0, CHAT, 1));
    ck_assert(world_run_until(w, is_kept_by_two, NULL, DOWN_MS + 1000));
    world_run(w, 500);
    unsigned next = holder_for(0);
    ck_assert_uint_ne(next, holder);
    ck_assert_uint_eq(kept_by(), 2);
    ck_assert(wsf_peers_is_empty(chat_at(next)->sources));
    ck_assert_uint_eq(messages_at(next), 1);
    ck_assert_uint_eq(world_core(w, 0)->holders.unheld, 0);
    end();
}
END_TEST

START_TEST(the_old_holder_is_asked_until_the_new_one_holds) {
    begin(5, 0, 1);
    join(0);
    unsigned old = holder_for(0);
    world_drain(w, old, 60000);
    unsigned most = 0;
    for (unsigned ms = 0; ms < 2000; ms++) {
        world_run(w, 1);
        bool another = false;
        for (unsigned i = 1; i < nodes; i++)
            another = another || (i != old && is_kept_at(i) && chat_at(i)->begun);
        ck_assert(is_kept_at(old) || another);
        most = kept_by() > most ? kept_by() : most;
    }
    ck_assert_uint_eq(most, 3);
    ck_assert_uint_eq(kept_by(), 2);
    ck_assert(!is_kept_at(old));
    int status;
    ck_assert(world_drained(w, old, &status));
    ck_assert_int_eq(status, WSFAN_OK);
    end();
}
END_TEST

START_TEST(a_node_that_drains_hands_over_what_only_it_keeps) {
    begin(4, 0, 0); /* nobody holds for others, until it is needed */
    join(0);
    ck_assert(world_publish(w, 1, CHAT, 1));
    world_run(w, 500);
    ck_assert_uint_eq(kept_by(), 1);
    leave(0);
    world_drain(w, 0, 3000);
    world_run(w, 1000);
    int status;
    ck_assert(world_drained(w, 0, &status));
    ck_assert_int_eq(status, WSFAN_OK);
    ck_assert_uint_eq(kept_by(), 2);
    unsigned heir = holder_for(0);
    ck_assert(chat_at(heir)->begun);
    ck_assert_uint_eq(messages_at(heir), 1);
    wsf_core_say_bye(world_core(w, 0), world_now(w, 0));
    world_run(w, 100);
    world_crash(w, 0);
    world_run(w, HISTORY_MS - 500);
    ck_assert(is_kept_at(heir));
    ck_assert(world_run_until(w, nobody_keeps, NULL, HISTORY_MS));
    end();
}
END_TEST

static bool has_begun(void *user) {
    return chat_at(*(unsigned *)user)->begun;
}

START_TEST(a_holder_that_was_not_answered_does_not_say_that_it_holds) {
    begin(3, 0, 0);
    join(0);
    ck_assert(world_publish(w, 1, CHAT, 1));
    world_run(w, 500);
    leave(0);
    world_drain(w, 0, 20000);
    ck_assert(world_run_until(w, is_kept_by_two, NULL, 1000));
    unsigned heir = holder_for(0);
    world_core(w, heir)->config.recover_ms_max = 600; /* an answer has a third of that */
    ck_assert(world_run_until(w, has_begun, &heir, 1000));
    world_block(w, 0, heir, true);
    world_run(w, 300);
    ck_assert_uint_eq(messages_at(heir), 0);
    world_block(w, 0, heir, false);
    world_run(w, 1500);
    int status;
    ck_assert(world_drained(w, 0, &status));
    ck_assert_int_eq(status, WSFAN_OK);
    ck_assert_uint_eq(messages_at(heir), 1);
    end();
}
END_TEST

/* Whether another node than this one has the chat from then on. */
static bool is_elsewhere(unsigned node, uint64_t chat, uint64_t clock) {
    for (unsigned i = 0; i < nodes; i++) {
        const wsf_archive *archive = &world_core(w, i)->keeping.archive;
        uint32_t number = wsf_archive_find(archive, world_chat_hash(w, chat));
        if (i != node && number != WSF_TABLE_NONE && wsf_archive_since(archive, number, 0) <= clock)
            return true;
    }
    return false;
}

START_TEST(what_an_asker_has_is_inherited_also_where_another_node_has_less) {
    enum { CHATS = 16 }; /* of different orders of nodes, by which these are asked */
    begin(5, 0, 0);
    for (uint64_t chat = 1; chat <= CHATS; chat++)
        join_chat(1, chat);
    world_run(w, 500);
    uint64_t clock = world_core(w, 1)->clock;
    for (uint64_t chat = 1; chat <= CHATS; chat++)
        join_chat(2, chat);
    world_run(w, 500);
    for (uint64_t chat = 1; chat <= CHATS; chat++)
        world_leave(w, 1, chat);
    world_run(w, 100);
    world_drain(w, 1, 20000);
    world_run(w, 1500);
    int status;
    ck_assert(world_drained(w, 1, &status));
    ck_assert_int_eq(status, WSFAN_OK);
    for (uint64_t chat = 1; chat <= CHATS; chat++)
        ck_assert_msg(is_elsewhere(1, chat, clock), "chat %" PRIu64, chat);
    end();
}
END_TEST

START_TEST(what_a_node_gets_later_its_holder_gets_too) {
    begin(3, 0, 1);
    world_config(w)->history_copies = 0;
    world_start(w, 3, 1);
    nodes = 4;
    mesh(nodes);
    join(3);
    uint64_t before = (world_now(w, 0).wall_ms << 16) - 1;
    ck_assert(world_publish(w, 1, CHAT, 1));
    world_run(w, 500);
    ck_assert_uint_eq(kept_by(), 1);
    join(0);
    unsigned holder = holder_for(0);
    ck_assert_uint_ne(holder, 3);
    ck_assert_uint_eq(messages_at(holder), 0);
    wsf_vector seen;
    wsf_vector_init(&seen, before);
    ck_assert(wsf_backfill_begin(world_core(w, 0), hash(), &seen, world_now(w, 0)));
    world_touch(w, 0);
    world_run(w, 1000);
    ck_assert_uint_eq(messages_at(0), 1);
    ck_assert_uint_eq(messages_at(holder), 1);
    ck_assert_uint_eq(world_core(w, 0)->holders.unheld, 0);
    end();
}
END_TEST

START_TEST(a_drain_does_not_wait_for_a_holder_where_there_is_none) {
    begin(2, 1, 1);
    join(0);
    leave(0);
    world_drain(w, 0, 60000);
    world_run(w, 1000);
    int status;
    ck_assert(world_drained(w, 0, &status));
    ck_assert_int_eq(status, WSFAN_OK);
    end();
}
END_TEST

START_TEST(a_drain_that_cannot_hand_over_ends_at_its_time_and_says_so) {
    begin(3, 0, 1);
    unsigned last = 2;
    for (unsigned i = 1; i < 3; i++) {
        world_core(w, i)->keeping.archive.limits.bytes_max = 1; /* it has no room for a chat */
    }
    join(0);
    leave(0);
    ck_assert_uint_eq(world_core(w, 0)->holders.unheld, 1);
    ck_assert_uint_eq(world_core(w, 1)->holding.refused + world_core(w, last)->holding.refused, 1);
    world_drain(w, 0, 2000);
    int status;
    world_run(w, 1000);
    ck_assert(!world_drained(w, 0, &status));
    world_run(w, 1500);
    ck_assert(world_drained(w, 0, &status));
    ck_assert_int_eq(status, WSFAN_EPARTIAL);
    end();
}
END_TEST

START_TEST(what_found_no_room_is_held_once_there_is_some) {
    begin(2, 0, 1);
    uint64_t max = world_core(w, 1)->keeping.archive.limits.bytes_max;
    world_core(w, 1)->keeping.archive.limits.bytes_max = 1;
    join(0);
    world_run(w, 5000);
    ck_assert(!is_kept_at(1));
    ck_assert_uint_eq(world_core(w, 1)->holding.mended, 0);
    world_core(w, 1)->keeping.archive.limits.bytes_max = max;
    world_run(w, DOWN_MS);
    ck_assert(is_kept_at(1));
    ck_assert_uint_eq(world_core(w, 0)->holders.unheld, 0);
    end();
}
END_TEST

START_TEST(many_chats_move_in_slices_and_all_arrive) {
    enum { CHATS = 20000 };
    begin(3, 0, 1);
    wsf_core *core = world_core(w, 0);
    for (uint64_t chat = 0; chat < CHATS; chat++)
        wsf_keeping_add_loop(core, 1000 + chat * 7919, 0);
    world_touch(w, 0);
    world_run(w, 3000);
    ck_assert_uint_eq(core->holders.unheld, 0);
    uint32_t held1 = world_core(w, 1)->keeping.asked;
    uint32_t held2 = world_core(w, 2)->keeping.asked;
    ck_assert_uint_eq(held1 + held2, CHATS);
    ck_assert_uint_gt(held1, CHATS / 3);
    ck_assert_uint_gt(held2, CHATS / 3);
    world_drain(w, 1, 60000);
    world_run(w, 5000);
    ck_assert_uint_eq(core->holders.unheld, 0);
    ck_assert_uint_eq(world_core(w, 1)->keeping.asked, 0);
    ck_assert_uint_eq(world_core(w, 2)->keeping.asked, CHATS);
    int status;
    ck_assert(world_drained(w, 1, &status));
    ck_assert_int_eq(status, WSFAN_OK);
    end();
}
END_TEST

/* What node `asker` asks node `holder` to hold is what that one holds for it. */
static void check_same(unsigned asker, unsigned holder) {
    const wsf_peer *to = wsf_peer_find(world_core(w, asker), world_node_id(w, holder));
    const wsf_peer *from = wsf_peer_find(world_core(w, holder), world_node_id(w, asker));
    ck_assert_uint_ne(to->holding.asked_digest, 0);
    ck_assert_uint_eq(to->holding.asked_digest, from->holding.held_digest);
}

START_TEST(nodes_that_run_out_of_memory_hold_the_right_chats_in_the_end) {
    ck_assert_int_eq(wsf_memory_use(&FAILING), WSFAN_OK);
    disarm();
    begin(3, 0, 1);
    wsf_core *core = world_core(w, 0);
    atomic_store(&fail_one_in, 10);
    for (uint64_t i = 0; i < 2000; i++) {
        wsf_keeping_add_loop(core, 1000 + i * 7919, 0);
        if (i % 2 == 0)
            wsf_keeping_remove_loop(core, 1000 + i / 2 * 7919, 0, world_now(w, 0));
        world_touch(w, 0);
        world_run(w, 1);
    }
    atomic_store(&fail_one_in, 0);
    disarm();
    world_run(w, 2 * DOWN_MS + HISTORY_MS);
    wsf_history_counts counts;
    wsf_keeping_counts(core, &counts);
    ck_assert_uint_gt(counts.chats, 500);
    ck_assert_uint_eq(counts.unheld, 0);
    check_same(0, 1);
    check_same(0, 2);
    ck_assert_uint_eq(world_core(w, 1)->keeping.asked + world_core(w, 2)->keeping.asked,
                      counts.chats);
    ck_assert_uint_eq(world_core(w, 1)->keeping.archive.slots.count,
                      world_core(w, 1)->keeping.asked);
    end();
}
END_TEST

SUITE_MAIN("holding", a_chat_with_a_session_is_held_by_the_first_of_its_order,
           several_copies_are_held_by_several_nodes_and_none_by_none,
           nodes_without_history_are_not_asked_and_are_told_nothing,
           when_the_asker_lingers_no_more_its_holder_is_done_too,
           a_holder_keeps_the_chat_for_a_while_when_the_asker_has_died,
           so_does_one_that_was_frozen_before_it_heard_that,
           an_asker_that_is_cut_off_and_comes_back_finds_its_holder,
           what_a_holder_gave_up_unknown_to_the_asker_is_asked_for_again,
           what_a_holder_should_have_given_up_it_gives_up,
           a_holder_that_dies_is_replaced_with_the_history_that_others_have,
           the_old_holder_is_asked_until_the_new_one_holds,
           a_node_that_drains_hands_over_what_only_it_keeps,
           a_holder_that_was_not_answered_does_not_say_that_it_holds,
           what_an_asker_has_is_inherited_also_where_another_node_has_less,
           what_a_node_gets_later_its_holder_gets_too,
           a_drain_does_not_wait_for_a_holder_where_there_is_none,
           a_drain_that_cannot_hand_over_ends_at_its_time_and_says_so,
           what_found_no_room_is_held_once_there_is_some, many_chats_move_in_slices_and_all_arrive,
           nodes_that_run_out_of_memory_hold_the_right_chats_in_the_end)
