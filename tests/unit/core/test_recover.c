/* What becomes of positions. All nodes have history; a session is a ticket and a recovery. */
#include "core/history/recover.h"

#include "base/memory.h"
#include "base/position.h"
#include "core/history/backfill.h"
#include "core/link/gaps.h"
#include "core/routing/keeping.h"
#include "core/statistics.h"
#include "suite.h"
#include "world.h"

enum { CHAT = 7, HISTORY_MS = 60000, RECOVER_MS = 4000, COUNT_MAX = 64, NODES_MAX = 8 };

static world *w;
static unsigned answers;
static unsigned verdicts[WSFAN_RECOVERY_OFF + 1];
static unsigned replayed; /* of the last answer */
static uint64_t pinned;   /* the clock of all others of the last answer that was not WHOLE */

static bool on_recovered(void *user, unsigned node, wsf_recovery *recovery) {
    (void)user, (void)node;
    answers++;
    verdicts[recovery->verdict]++;
    replayed = wsf_recovery_count(recovery);
    pinned = recovery->seen.rest;
    wsf_recovery_free(recovery);
    return true;
}

static bool on_deliver(void *user, unsigned node, unsigned loop, wsfan_message *message) {
    (void)user, (void)node, (void)loop, (void)message;
    return true;
}

static bool meshed(void *user) {
    return world_meshed(user);
}

static void start(unsigned node) {
    world_start(w, node, 7);
    ck_assert(world_run_until(w, meshed, w, 20000));
    world_run(w, 3000);
}

static void begin(unsigned nodes, uint32_t copies) {
    static const world_watcher watcher = { .recovered = on_recovered, .deliver = on_deliver };
    answers = replayed = 0;
    memset(verdicts, 0, sizeof verdicts);
    w = world_new(1, &watcher);
    world_config(w)->history_ms = HISTORY_MS;
    world_config(w)->recover_ms_max = RECOVER_MS;
    world_config(w)->history_copies = copies;
    world_config(w)->recoveries_count_max = COUNT_MAX;
    for (unsigned i = 0; i < nodes; i++)
        world_start(w, i, (UINT64_C(1) << nodes) - 1);
    ck_assert(world_run_until(w, meshed, w, 20000));
    world_run(w, 3000);
}

static void join_chat(unsigned node, uint64_t chat) {
    wsf_ticket *ticket = wsf_alloc_zero(1, sizeof *ticket);
    ticket->hash = world_chat_hash(w, chat);
    ticket->history = true;
    wsf_core_join(world_core(w, node), ticket, world_now(w, node));
    world_touch(w, node);
}

static void publish(unsigned node, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        ck_assert(world_publish(w, node, CHAT, i));
        world_run(w, 5);
    }
    world_run(w, 500);
}

/* As the loops of a node have it, without what came since its last reach. */
static void position_at(unsigned node, uint64_t chat, char text[WSF_POSITION_TEXT_SIZE]) {
    const wsf_reach *reach = world_core(w, node)->reach.newest;
    ck_assert(reach != NULL && reach->told);
    wsf_position position = { reach->epoch, reach->whole };
    ck_assert_uint_gt(wsf_position_write(&world_config(w)->history_key,
                                         (wsfan_bytes){ &chat, sizeof chat }, &position, text),
                      0);
}

/* text: "": none. */
static void come_to(unsigned node, uint64_t chat, const char *text) {
    wsf_recovery *recovery = wsf_recovery_new((wsfan_bytes){ &chat, sizeof chat },
                                              wsfan_string(text));
    recovery->hash = world_chat_hash(w, chat);
    wsf_core_recover(world_core(w, node), recovery, world_now(w, node));
    world_touch(w, node);
}

static bool all_answered(void *user) {
    return answers >= *(unsigned *)user;
}

static void await(unsigned count) {
    ck_assert(world_run_until(w, all_answered, &count, 2 * RECOVER_MS));
    ck_assert_uint_eq(answers, count);
}

static void rewind_at(unsigned node, uint32_t count) {
    unsigned all = answers + 1;
    const uint64_t chat = CHAT;
    wsf_recovery *recovery = wsf_recovery_new((wsfan_bytes){ &chat, sizeof chat },
                                              wsfan_string(""));
    recovery->hash = world_chat_hash(w, CHAT);
    recovery->rewind_count = count;
    join_chat(node, CHAT);
    wsf_core_recover(world_core(w, node), recovery, world_now(w, node));
    world_touch(w, node);
    await(all);
}

static void come(unsigned node, const char *text) {
    unsigned count = answers + 1;
    join_chat(node, CHAT);
    come_to(node, CHAT, text);
    await(count);
}

static void forget_verdicts(void) {
    memset(verdicts, 0, sizeof verdicts);
}

/* With a session at node 0, whose position is taken. */
static void begin_at(unsigned nodes, char text[WSF_POSITION_TEXT_SIZE]) {
    begin(nodes, 0);
    come(0, "");
    world_run(w, 2000);
    position_at(0, CHAT, text);
}

START_TEST(who_comes_back_gets_what_it_missed) {
    char text[WSF_POSITION_TEXT_SIZE];
    begin_at(3, text);
    publish(0, 2);
    publish(2, 3);
    come(0, text);
    ck_assert_uint_eq(replayed, 5);
    come(1, text); /* which asks node 0 */
    ck_assert_uint_eq(replayed, 5);
    ck_assert_uint_eq(verdicts[WSFAN_RECOVERY_WHOLE], 2);
    wsfan_stats stats;
    wsf_statistics_node(world_core(w, 1), &stats);
    ck_assert_uint_eq(stats.recoveries_waiting, 0);
    ck_assert_uint_eq(stats.recoveries_remote, 1);
    ck_assert_uint_eq(stats.history_asked, 1);
    ck_assert_uint_eq(stats.history_unanswered, 0);
    wsf_statistics_node(world_core(w, 0), &stats);
    ck_assert_uint_eq(stats.recoveries_remote, 0);
    ck_assert_uint_eq(stats.history_answered, 1);
    world_destroy(w);
}
END_TEST

/* All nodes are restarted by and by, in any order, while one client has the chat; it moves where its node is among those. */
static void restart_one(uint64_t *random, unsigned nodes, unsigned *at) {
    char text[WSF_POSITION_TEXT_SIZE];
    unsigned node = (unsigned)(next_random(random) % nodes);
    unsigned to = (unsigned)(next_random(random) % nodes);
    bool late = next_random(random) % 2 != 0;
    publish((unsigned)(next_random(random) % nodes), 2);
    world_run(w, 1500);
    position_at(*at, CHAT, text);
    world_leave(w, *at, CHAT);
    if (next_random(random) % 2 != 0) {
        world_drain(w, node, 10000);
        world_run(w, 11000);
    }
    world_crash(w, node);
    world_run(w, next_random(random) % 2 != 0 ? 1000 : 12000);
    publish((node + 1) % nodes, 1);
    *at = !late && to == node ? (node + 1) % nodes : to;
    if (late)
        start(node);
    come(*at, text);
    ck_assert_uint_eq(replayed, 1);
    if (!late)
        start(node);
    world_run(w, 8000);
}

START_TEST(restarts_one_after_another_leave_every_position_good) {
    enum { SEEDS = 20, RESTARTS = 8, NODES = 3 };
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint64_t random = seed;
        unsigned at = (unsigned)(next_random(&random) % NODES);
        begin(NODES, 1);
        come(at, "");
        world_run(w, 4000);
        for (unsigned i = 0; i < RESTARTS; i++)
            restart_one(&random, NODES, &at);
        ck_assert_uint_eq(verdicts[WSFAN_RECOVERY_WHOLE], RESTARTS);
        world_destroy(w);
    }
}
END_TEST

START_TEST(over_the_limit_only_those_are_busy_that_bring_a_position) {
    char text[WSF_POSITION_TEXT_SIZE];
    begin_at(2, text);
    forget_verdicts();
    join_chat(1, CHAT + 1); /* so that its history has not begun when the others come */
    for (unsigned i = 0; i < COUNT_MAX + 3; i++)
        come_to(1, CHAT + 1, text);
    ck_assert_uint_eq(verdicts[WSFAN_RECOVERY_BUSY], 3);
    for (unsigned i = 0; i < 3 * COUNT_MAX; i++)
        come_to(1, CHAT + 1, "");
    ck_assert_uint_eq(verdicts[WSFAN_RECOVERY_NONE], 0);
    await(1 + 3 + 4 * COUNT_MAX);
    ck_assert_uint_eq(verdicts[WSFAN_RECOVERY_NONE], 3 * COUNT_MAX);
    /* A position that they are told now is of use. */
    const wsf_core *core = world_core(w, 1);
    uint32_t number = wsf_archive_find(&core->keeping.archive, world_chat_hash(w, CHAT + 1));
    ck_assert_uint_ge(pinned, wsf_archive_since(&core->keeping.archive, number, 0));
    ck_assert_uint_eq(core->recover.count, 0);
    world_destroy(w);
}
END_TEST

/* Of 500 sessions in 50 chats that wait for node 0, none is looked at before something has come of it. */
START_TEST(a_storm_costs_nothing_while_it_waits) {
    enum { CHATS = 50, EACH = 10 };
    static char texts[CHATS][WSF_POSITION_TEXT_SIZE];
    begin(2, 0);
    for (unsigned chat = 0; chat < CHATS; chat++)
        join_chat(0, 100 + chat);
    world_run(w, 2000);
    for (unsigned chat = 0; chat < CHATS; chat++) {
        position_at(0, 100 + chat, texts[chat]);
        ck_assert(world_publish(w, 0, 100 + chat, chat));
        join_chat(1, 100 + chat);
    }
    world_run(w, 3000);
    wsf_core *core = world_core(w, 1);
    core->config.recoveries_count_max = CHATS * EACH;
    world_block(w, 0, 1, true);
    for (unsigned i = 0; i < CHATS * EACH; i++)
        come_to(1, 100 + i % CHATS, texts[i % CHATS]);
    world_run(w, 200);
    ck_assert_uint_eq(answers, 0);
    ck_assert_ptr_null(core->recover.due.first);
    ck_assert_uint_eq(core->recover.count, CHATS * EACH);
    ck_assert_uint_gt(wsf_recover_deadline(core), world_ms(w) + RECOVER_MS / 2);
    world_block(w, 0, 1, false);
    await(CHATS * EACH);
    ck_assert_uint_eq(verdicts[WSFAN_RECOVERY_WHOLE], CHATS * EACH);
    ck_assert_uint_eq(core->backfill.asked, 1);
    world_destroy(w);
}
END_TEST

START_TEST(without_room_for_the_chat_it_is_old) {
    char text[WSF_POSITION_TEXT_SIZE];
    begin_at(2, text);
    world_core(w, 1)->keeping.archive.limits.bytes_max = 1;
    come(1, text);
    ck_assert_uint_eq(verdicts[WSFAN_RECOVERY_OLD], 1);
    world_destroy(w);
}
END_TEST

static bool has_begun(void *user) {
    const wsf_core *core = world_core(w, *(unsigned *)user);
    uint32_t number = wsf_archive_find(&core->keeping.archive, world_chat_hash(w, CHAT));
    return core->keeping.chats[number].begun;
}

/* Until its time is over node 1 waits for what its loops may claim to pass the begin of the chat, and asks nobody. */
START_TEST(what_was_asked_of_nobody_is_not_called_unkept) {
    char text[WSF_POSITION_TEXT_SIZE];
    unsigned node = 1;
    begin_at(3, text);
    publish(0, 1);
    join_chat(1, CHAT);
    ck_assert(world_run_until(w, has_begun, &node, 1000));
    world_core(w, 1)->config.recover_ms_max = 2;
    come_to(1, CHAT, text);
    await(2);
    ck_assert_uint_eq(verdicts[WSFAN_RECOVERY_SILENT], 1);
    world_destroy(w);
}
END_TEST

START_TEST(sessions_of_a_loop_that_ends_are_handed_back_wherever_they_wait) {
    begin(2, 0);
    join_chat(0, CHAT);
    come_to(0, CHAT, "");
    wsf_core_remove_loop(world_core(w, 0), 0, world_now(w, 0));
    ck_assert_uint_eq(answers, 1);
    ck_assert_ptr_null(world_core(w, 0)->recover.all.first);
    world_destroy(w);
}
END_TEST

/* Without a mark that counts, as its clock is far ahead, node 1 has nothing lost. Or a first message, which sessions of before were
 * told. Then it is gone. */
static void lose_one_that_is_far_ahead(int64_t ms, bool gap) {
    wsf_core *core = world_core(w, 0);
    world_jump(w, 1, ms);
    world_run(w, 2000);
    if (gap)
        wsf_gaps_tell(core, wsf_peer_find(core, world_node_id(w, 1)), 1, WSFAN_GAP_PEER_QUEUE, 0);
    publish(1, 2);
    world_run(w, 2000);
    world_crash(w, 1);
    world_run(w, 20000);
    ck_assert_int_eq(wsf_peer_find(core, world_node_id(w, 1))->state, WSFAN_PEER_DOWN);
}

START_TEST(a_hole_of_one_that_is_gone_is_told_though_its_clock_was_far_ahead) {
    char text[WSF_POSITION_TEXT_SIZE];
    begin_at(2, text);
    lose_one_that_is_far_ahead(2 * WSF_CLOCK_APART_MS_MAX, true);
    come(0, text);
    ck_assert_uint_eq(replayed, 0);
    ck_assert_uint_eq(verdicts[WSFAN_RECOVERY_GAP], 1);
    world_destroy(w);
}
END_TEST

/* The chat has a message between the two, and another chat the one behind the second. */
START_TEST(of_two_holes_of_one_that_was_far_ahead_both_are_told) {
    char text[WSF_POSITION_TEXT_SIZE];
    begin(2, 0);
    come(0, "");
    join_chat(0, CHAT + 1);
    world_run(w, 2000);
    position_at(0, CHAT, text);
    wsf_core *core = world_core(w, 0);
    wsf_peer *peer = wsf_peer_find(core, world_node_id(w, 1));
    world_jump(w, 1, 2 * WSF_CLOCK_APART_MS_MAX);
    for (uint64_t i = 0; i < 2; i++) {
        wsf_gaps_tell(core, peer, 1, WSFAN_GAP_PEER_QUEUE, 0);
        ck_assert(world_publish(w, 1, CHAT + i, i));
        world_run(w, 100);
    }
    world_crash(w, 1);
    world_run(w, 20000);
    come(0, text);
    ck_assert_uint_eq(replayed, 0);
    ck_assert_uint_eq(verdicts[WSFAN_RECOVERY_GAP], 1);
    world_destroy(w);
}
END_TEST

START_TEST(a_clock_that_was_far_ahead_is_no_hole) {
    char text[WSF_POSITION_TEXT_SIZE];
    begin_at(2, text);
    lose_one_that_is_far_ahead(2 * WSF_CLOCK_APART_MS_MAX, false);
    come(0, text);
    ck_assert_uint_eq(replayed, 2);
    ck_assert_uint_eq(verdicts[WSFAN_RECOVERY_WHOLE], 1);
    world_destroy(w);
}
END_TEST

/* Messages from behind the hole, of any publisher, are shown. */
START_TEST(who_rewinds_gets_what_came_behind_the_hole_of_one_that_was_far_ahead) {
    begin(3, 0);
    come(0, "");
    publish(2, 1);
    lose_one_that_is_far_ahead(2 * WSF_CLOCK_APART_MS_MAX, true);
    publish(2, 3);
    rewind_at(0, 50);
    ck_assert_uint_eq(replayed, 5);
    world_destroy(w);
}
END_TEST

/* Also where another node tells of it: node 3 has the chat from node 0, and came when that one was gone. */
START_TEST(a_message_of_days_ahead_is_in_the_way_of_nobody_when_it_is_too_old) {
    char text[WSF_POSITION_TEXT_SIZE];
    static const bool gaps[] = { false, true };
    for (unsigned i = 0; i < 2; i++) {
        begin(3, 0);
        come(0, "");
        lose_one_that_is_far_ahead(UINT64_C(10) * 86400000, gaps[i]);
        start(3);
        rewind_at(3, 50);
        world_run(w, 3 * HISTORY_MS + 2 * WSF_CLOCK_APART_MS_MAX);
        position_at(0, CHAT, text);
        publish(2, 1);
        for (unsigned node = 0; node < 4; node += 3) {
            come(node, text);
            ck_assert_uint_eq(replayed, 1);
            rewind_at(node, 50);
            ck_assert_uint_eq(replayed, 1);
        }
        ck_assert_uint_eq(verdicts[WSFAN_RECOVERY_WHOLE], 2);
        world_destroy(w);
    }
}
END_TEST

/* As a loop tells them that has dispatched a message of days ahead. */
START_TEST(a_position_may_claim_what_is_days_ahead_of_one_that_is_forgotten) {
    char text[WSF_POSITION_TEXT_SIZE];
    begin(2, 0);
    come(0, "");
    world_run(w, 2000);
    wsf_position position = { world_core(w, 0)->reach.newest->epoch,
                              world_core(w, 0)->reach.newest->whole };
    uint64_t far = world_core(w, 0)->clock + (UINT64_C(86400000) << 16);
    uint64_t nodes[] = { world_node_id(w, 1) + 1, world_node_id(w, 1) };
    static const wsfan_recovery expected[] = { WSFAN_RECOVERY_WHOLE, WSFAN_RECOVERY_CLOCK };
    for (unsigned i = 0; i < 2; i++) {
        ck_assert(wsf_vector_saw(&position.seen, nodes[i], far));
        ck_assert_uint_gt(wsf_position_write(&world_config(w)->history_key,
                                             (wsfan_bytes){ &(uint64_t){ CHAT }, 8 }, &position,
                                             text),
                          0);
        forget_verdicts();
        come(0, text);
        ck_assert_uint_eq(verdicts[expected[i]], 1);
    }
    world_destroy(w);
}
END_TEST

/* The peer's messages would be taken for seen until its clock is past the position: one alone, one with a later one, and also while
 * the peer is down. */
START_TEST(a_position_from_before_a_peer_came_whose_clock_is_far_behind_is_not_good) {
    char both[2 * WSF_POSITION_TEXT_SIZE];
    char *later;
    begin_at(1, both);
    world_jump(w, 1, -2 * WSF_CLOCK_APART_MS_MAX);
    start(1);
    later = both + strlen(both) + 1;
    position_at(0, CHAT, later);
    come(0, later);
    ck_assert_uint_eq(verdicts[WSFAN_RECOVERY_WHOLE], 1);
    for (unsigned down = 0; down < 2; down++) {
        forget_verdicts();
        later[-1] = '\0';
        come(0, both);
        later[-1] = ' ';
        come(0, both);
        ck_assert_uint_eq(verdicts[WSFAN_RECOVERY_CLOCK], 2);
        world_block(w, 0, 1, true);
        world_block(w, 1, 0, true);
        world_run(w, 12000);
    }
    ck_assert_int_eq(wsf_peer_find(world_core(w, 0), world_node_id(w, 1))->state, WSFAN_PEER_DOWN);
    world_destroy(w);
}
END_TEST

SUITE_MAIN("recover", who_comes_back_gets_what_it_missed,
           restarts_one_after_another_leave_every_position_good,
           over_the_limit_only_those_are_busy_that_bring_a_position,
           a_storm_costs_nothing_while_it_waits, without_room_for_the_chat_it_is_old,
           what_was_asked_of_nobody_is_not_called_unkept,
           sessions_of_a_loop_that_ends_are_handed_back_wherever_they_wait,
           a_hole_of_one_that_is_gone_is_told_though_its_clock_was_far_ahead,
           of_two_holes_of_one_that_was_far_ahead_both_are_told,
           a_clock_that_was_far_ahead_is_no_hole,
           who_rewinds_gets_what_came_behind_the_hole_of_one_that_was_far_ahead,
           a_message_of_days_ahead_is_in_the_way_of_nobody_when_it_is_too_old,
           a_position_may_claim_what_is_days_ahead_of_one_that_is_forgotten,
           a_position_from_before_a_peer_came_whose_clock_is_far_behind_is_not_good)
