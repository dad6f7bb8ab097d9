/* What a peer can do by HOLD, and what it cannot. All nodes have history. */
#include "core/routing/keeping.h"
#include "liar.h"

enum { HASHES_COUNT = 2000, BYTES_MAX = 1024 * 1024 };

static uint8_t hashes[HASHES_COUNT * 8];

static void begin_with_history(void) {
    history_ms = 5000;
    begin();
    world_core(w, 0)->config.history_bytes_max = BYTES_MAX;
    world_block(w, LIAR, 0, true); /* it says nothing else */
}

/* From `first` on. */
static wsfan_bytes hashes_from(uint64_t first) {
    for (uint64_t i = 0; i < HASHES_COUNT; i++)
        wsf_put_u64(hashes + 8 * i, first + i);
    return (wsfan_bytes){ hashes, sizeof hashes };
}

static void say(const wsf_hold *hold) {
    frame f = begin_frame(next_number(), 0);
    wsf_write_hold(writer_of(&f), hold);
    send(&f);
    world_touch(w, 0);
    world_run(w, 1);
}

static wsf_history_counts counts(void) {
    wsf_history_counts of;
    wsf_keeping_counts(world_core(w, 0), &of);
    return of;
}

static uint32_t limit(void) {
    return BYTES_MAX / 512 / (wsf_peers_count(world_core(w, 0)->linked) + 1);
}

START_TEST(a_flood_of_holds_ends_at_a_limit_and_is_counted) {
    begin_with_history();
    uint64_t before = counts().chats;
    uint64_t drops = dropped(WSFAN_DROP_LIMIT);
    for (uint64_t i = 0; i < 20; i++)
        say(&(wsf_hold){ .adds = hashes_from(1000 + i * HASHES_COUNT) });
    ck_assert_uint_eq(counts().chats - before, limit());
    ck_assert_uint_eq(counts().asked, limit());
    ck_assert_uint_eq(peer_at(0, LIAR)->holding.held_count, limit());
    ck_assert_uint_eq(counts().holds_refused, 20 * HASHES_COUNT - limit());
    ck_assert_uint_eq(dropped(WSFAN_DROP_LIMIT) - drops, 20 * HASHES_COUNT - limit());
    ck_assert_uint_le(counts().bytes, BYTES_MAX / 2);
    /* Another peer finds room all the same. */
    wsf_core *core = world_core(w, 0);
    ck_assert(wsf_keeping_hold(core, 77, wsf_peer_index(core, peer_at(0, 2)), true));
    ck_assert(wsf_keeping_hold(core, 77, wsf_peer_index(core, peer_at(0, 2)), false));
    end();
}
END_TEST

START_TEST(holds_that_come_and_go_leave_nothing) {
    begin_with_history();
    uint64_t before = counts().chats;
    for (uint64_t i = 0; i < 200; i++) {
        say(&(wsf_hold){ .inherits = hashes_from(1000 + i * HASHES_COUNT) });
        say(&(wsf_hold){ .removes = hashes_from(1000 + i * HASHES_COUNT) });
    }
    ck_assert_uint_eq(counts().chats, before);
    ck_assert_uint_eq(peer_at(0, LIAR)->holding.held_count, 0);
    ck_assert_uint_eq(peer_at(0, LIAR)->holding.held_digest, 0);
    ck_assert_uint_eq(world_core(w, 0)->keeping.lines[WSF_KEEPING_ANSWERS].count, 0);
    ck_assert_uint_le(peer_at(0, LIAR)->holding.answers.count, 65536);
    end();
}
END_TEST

START_TEST(the_same_hold_many_times_is_one) {
    begin_with_history();
    uint64_t before = counts().chats;
    memset(hashes, 7, sizeof hashes);
    for (unsigned i = 0; i < 100; i++)
        say(&(wsf_hold){ .adds = { hashes, sizeof hashes } });
    ck_assert_uint_eq(counts().chats - before, 1);
    ck_assert_uint_eq(peer_at(0, LIAR)->holding.held_count, 1);
    ck_assert_uint_le(peer_at(0, LIAR)->holding.answers.count, 101);
    end();
}
END_TEST

START_TEST(what_makes_no_sense_changes_nothing) {
    begin_with_history();
    uint64_t before = counts().chats;
    memset(hashes, 0, sizeof hashes);
    say(&(wsf_hold){ .adds = { hashes, 8 }, .inherits = { hashes, 8 } }); /* no hash is 0 */
    hashes_from(1000);
    say(&(wsf_hold){ .removes = { hashes, sizeof hashes }, .held = { hashes, sizeof hashes } });
    say(&(wsf_hold){ .flags = UINT32_MAX });
    ck_assert_uint_eq(counts().chats, before);
    ck_assert_uint_eq(counts().holds_refused, 2);
    end();
}
END_TEST

/* It would make the node walk all its chats as often as the peer likes. */
START_TEST(a_peer_begins_anew_only_when_it_was_asked_to) {
    begin_with_history();
    hashes_from(1000);
    say(&(wsf_hold){ .adds = { hashes, 80 } });
    say(&(wsf_hold){ .flags = WSF_HOLD_FORGET });
    ck_assert_uint_eq(peer_at(0, LIAR)->holding.held_count, 10);
    frame f = begin_frame(0, 0);
    wsf_write_hold_sum(writer_of(&f), &(wsf_hold_sum){ next_number() - 1, 4711 });
    send(&f);
    ck_assert_uint_eq(world_core(w, 0)->holding.mended, 1);
    say(&(wsf_hold){ .flags = WSF_HOLD_FORGET, .adds = { hashes, 24 } });
    ck_assert_uint_eq(peer_at(0, LIAR)->holding.held_count, 3);
    say(&(wsf_hold){ .flags = WSF_HOLD_FORGET });
    ck_assert_uint_eq(peer_at(0, LIAR)->holding.held_count, 3);
    end();
}
END_TEST

START_TEST(a_flood_of_resyncs_is_served_now_and_then) {
    begin_with_history();
    wsf_keeping_add_loop(world_core(w, 0), 4711, 0);
    world_run(w, 100);
    uint64_t before = peer_at(0, LIAR)->link.next;
    for (unsigned i = 0; i < 1000; i++) {
        frame f = begin_frame(0, 0);
        wsf_write_type(writer_of(&f), WSF_HOLD_RESYNC);
        send(&f);
        world_run(w, 1);
    }
    ck_assert_uint_le(peer_at(0, LIAR)->link.next - before, 1000 / WSF_ANEW_INTERVAL_MS + 2);
    end();
}
END_TEST

START_TEST(a_node_without_history_holds_nothing) {
    history_ms = 0;
    begin();
    hashes_from(1000);
    say(&(wsf_hold){ .adds = { hashes, 80 }, .inherits = { hashes, 80 }, .held = { hashes, 80 } });
    frame f = begin_frame(0, 0);
    wsf_write_hold_sum(writer_of(&f), &(wsf_hold_sum){ next_number() - 1, 4711 });
    wsf_write_type(writer_of(&f), WSF_HOLD_RESYNC);
    send(&f);
    world_run(w, 3000);
    ck_assert_uint_eq(world_core(w, 0)->holding.mended, 0);
    ck_assert_uint_eq(world_core(w, 0)->interest.local_count, 1);
    end();
}
END_TEST

SUITE_MAIN("hostile holds", a_flood_of_holds_ends_at_a_limit_and_is_counted,
           holds_that_come_and_go_leave_nothing, the_same_hold_many_times_is_one,
           what_makes_no_sense_changes_nothing, a_peer_begins_anew_only_when_it_was_asked_to,
           a_flood_of_resyncs_is_served_now_and_then, a_node_without_history_holds_nothing)
