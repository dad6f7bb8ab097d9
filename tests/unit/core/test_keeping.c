/* Chats whose messages a node keeps: node 0 has history. */
#include "core/routing/keeping.h"

#include "base/memory.h"
#include "suite.h"
#include "world.h"

enum { CHAT = 7, HISTORY_MS = 4000, NODES = 2 };

static world *w;
static unsigned delivered[NODES];

static bool on_deliver(void *user, unsigned node, unsigned loop, wsfan_message *message) {
    (void)user, (void)message;
    ck_assert_uint_eq(loop, 0);
    delivered[node]++;
    return true;
}

static bool meshed(void *user) {
    return world_meshed(user);
}

static void begin(void) {
    static const world_watcher watcher = { .deliver = on_deliver };
    memset(delivered, 0, sizeof delivered);
    w = world_new(1, &watcher);
    wsf_core_config *config = world_config(w);
    for (unsigned i = 0; i < NODES; i++) {
        config->history_ms = i == 0 ? HISTORY_MS : 0;
        world_start(w, i, i == 0 ? 0 : 1);
    }
    ck_assert(world_run_until(w, meshed, w, 20000));
}

static wsf_core *core(void) {
    return world_core(w, 0);
}

static uint64_t hash(void) {
    return world_chat_hash(w, CHAT);
}

static void join(bool history) {
    wsf_ticket *ticket = wsf_alloc_zero(1, sizeof *ticket);
    ticket->hash = hash();
    ticket->history = history;
    wsf_core_join(core(), ticket, world_now(w, 0));
    world_touch(w, 0);
    world_run(w, 500);
}

static void leave(void) {
    world_leave(w, 0, CHAT);
    world_run(w, 500);
}

static wsf_history_counts counts(void) {
    wsf_history_counts of;
    wsf_keeping_counts(core(), &of);
    return of;
}

static bool kept(void) {
    return wsf_archive_find(&core()->keeping.archive, hash()) != WSF_TABLE_NONE;
}

static bool begun(void) {
    return core()->keeping.chats[wsf_archive_find(&core()->keeping.archive, hash())].begun;
}

static uint64_t since(void) {
    const wsf_archive *archive = &core()->keeping.archive;
    return wsf_archive_since(archive, wsf_archive_find(archive, hash()), world_node_id(w, 1));
}

static uint64_t loops(void) {
    uint64_t found;
    wsf_peers peers;
    wsf_interest_find(&core()->interest, hash(), &found, &peers);
    return found;
}

static void publish(unsigned node) {
    ck_assert(world_publish(w, node, CHAT, 1));
    world_run(w, 500);
}

START_TEST(a_join_with_history_makes_the_node_keep_the_chat) {
    begin();
    join(false);
    publish(1);
    ck_assert(!kept());
    join(true);
    ck_assert(kept() && begun());
    ck_assert_uint_eq(loops(), UINT64_C(1) << WSF_LOOP_ARCHIVE | 1);
    publish(0);
    publish(1);
    ck_assert_uint_eq(counts().chats, 1);
    ck_assert_uint_eq(counts().held, 0);
    ck_assert_uint_eq(counts().messages, 2);
    ck_assert_uint_gt(counts().bytes, 0);
    ck_assert_uint_eq(delivered[0], 3); /* once to the loop, none to another one */
    world_destroy(w);
}
END_TEST

START_TEST(a_chat_is_kept_for_a_while_after_its_last_session) {
    begin();
    join(true);
    leave();
    ck_assert_uint_eq(loops(), UINT64_C(1) << WSF_LOOP_ARCHIVE);
    ck_assert_uint_eq(counts().held, 1);
    publish(1);
    ck_assert_uint_eq(delivered[0], 0);
    ck_assert_uint_eq(counts().messages, 1);
    world_run(w, HISTORY_MS - 1200);
    ck_assert(kept());
    world_run(w, 400);
    ck_assert(!kept());
    ck_assert_uint_eq(loops(), 0);
    ck_assert_uint_eq(counts().bytes, 0);
    ck_assert_uint_eq(counts().chats + counts().held, 0);
    wsf_peers peers;
    uint64_t none;
    world_run(w, 500);
    wsf_interest_find(&world_core(w, 1)->interest, hash(), &none, &peers);
    ck_assert(wsf_peers_is_empty(peers));
    world_destroy(w);
}
END_TEST

START_TEST(a_session_that_comes_back_in_time_finds_the_same_history) {
    begin();
    join(true);
    uint64_t before = since();
    leave();
    publish(1);
    join(true);
    world_run(w, HISTORY_MS);
    publish(1);
    ck_assert(kept());
    ck_assert_uint_eq(since(), before);
    ck_assert_uint_eq(counts().held, 0);
    world_destroy(w);
}
END_TEST

START_TEST(the_last_member_with_history_ends_it_though_others_stay) {
    begin();
    join(true);
    join(false);
    ck_assert_uint_eq(counts().held, 1);
    world_run(w, HISTORY_MS);
    ck_assert(!kept());
    ck_assert_uint_eq(loops(), 1);
    world_destroy(w);
}
END_TEST

START_TEST(a_history_begins_when_the_peers_know_of_the_interest) {
    begin();
    world_block(w, 0, 1, true);
    join(true);
    ck_assert(kept() && !begun());
    ck_assert_uint_eq(since(), UINT64_MAX);
    world_block(w, 0, 1, false);
    world_run(w, 1000);
    ck_assert(begun());
    ck_assert_uint_lt(since(), UINT64_MAX);
    world_destroy(w);
}
END_TEST

START_TEST(a_loop_that_ends_leaves_its_chats_to_linger) {
    begin();
    join(true);
    wsf_core_remove_loop(core(), 0, world_now(w, 0));
    ck_assert_uint_eq(loops(), UINT64_C(1) << WSF_LOOP_ARCHIVE);
    ck_assert_uint_eq(counts().held, 1);
    world_run(w, HISTORY_MS + 500);
    ck_assert(!kept());
    world_destroy(w);
}
END_TEST

START_TEST(messages_go_for_their_age_without_anybody_asking) {
    begin();
    join(true);
    publish(1);
    ck_assert_uint_eq(counts().messages, 1);
    world_run(w, 2 * HISTORY_MS);
    ck_assert_uint_eq(counts().messages, 0);
    ck_assert_uint_eq(counts().expired, 1);
    world_destroy(w);
}
END_TEST

START_TEST(a_message_to_all_is_not_kept_and_goes_to_no_other_loop) {
    begin();
    join(true);
    wsf_message_parts parts = { .targets = &(wsfan_target){ WSFAN_ALL, { NULL, 0 } },
                                .targets_count = 1,
                                .payload = wsfan_string("12345678") };
    wsf_core_publish(core(), wsf_message_new(&core()->key, &parts), world_now(w, 0));
    ck_assert_uint_eq(delivered[0], 1);
    ck_assert_uint_eq(counts().messages, 0);
    world_destroy(w);
}
END_TEST

START_TEST(without_history_the_flag_of_a_join_means_nothing) {
    begin();
    wsf_ticket *ticket = wsf_alloc_zero(1, sizeof *ticket);
    ticket->hash = hash();
    ticket->history = true;
    wsf_core_join(world_core(w, 1), ticket, world_now(w, 1));
    world_touch(w, 1);
    world_run(w, 500);
    publish(1);
    ck_assert_uint_eq(delivered[1], 1);
    ck_assert_uint_eq(world_core(w, 1)->keeping.archive.stats.bytes, 0);
    world_leave(w, 1, CHAT);
    ck_assert_uint_eq(world_core(w, 1)->interest.local_count, 0);
    world_destroy(w);
}
END_TEST

START_TEST(a_chat_without_room_is_not_kept_and_is_counted) {
    begin();
    core()->keeping.archive.limits.bytes_max = 1;
    join(true);
    ck_assert(!kept());
    ck_assert_uint_eq(loops(), 1);
    ck_assert_uint_eq(counts().refused, 1);
    publish(1);
    ck_assert_uint_eq(delivered[0], 1);
    leave();
    ck_assert_uint_eq(loops(), 0);
    world_destroy(w);
}
END_TEST

SUITE_MAIN("keeping", a_join_with_history_makes_the_node_keep_the_chat,
           a_chat_is_kept_for_a_while_after_its_last_session,
           a_session_that_comes_back_in_time_finds_the_same_history,
           the_last_member_with_history_ends_it_though_others_stay,
           a_history_begins_when_the_peers_know_of_the_interest,
           a_loop_that_ends_leaves_its_chats_to_linger,
           messages_go_for_their_age_without_anybody_asking,
           a_message_to_all_is_not_kept_and_goes_to_no_other_loop,
           without_history_the_flag_of_a_join_means_nothing,
           a_chat_without_room_is_not_kept_and_is_counted)
