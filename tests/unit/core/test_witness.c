/* How far a node got with a peer, by what the peer says, the truth or lies. Node 0 has history. */
#include "core/witness.h"

#include "liar.h"

enum { HISTORY_MS = 10000 };

/* The liar's own node does not run: it says what the test makes it say. */
static void begin_alone(void) {
    history_ms = HISTORY_MS;
    begin();
    world_freeze(w, LIAR, true);
}

static const wsf_origin *origin_of(unsigned node) {
    return wsf_witness_find(world_core(w, 0), world_node_id(w, node));
}

static uint64_t now_clock(void) {
    return world_now(w, 0).wall_ms << 16;
}

static uint64_t newest(void) {
    return next_number() - 1;
}

/* A mark of the liar that acknowledges all that it was sent. */
static void say_mark(uint64_t clock, uint64_t up_to, uint64_t last) {
    frame f = begin_frame(0, peer_at(0, LIAR)->link.acked);
    wsf_write_mark(writer_of(&f), &(wsf_mark){ clock, up_to, last });
    send(&f);
}

static void say_lost(uint64_t count, uint64_t reason, uint64_t clock) {
    frame f = begin_frame(next_number(), 0);
    wsf_write_lost(writer_of(&f), count, reason, clock);
    send(&f);
}

static void say_message(uint64_t clock, uint64_t slot, size_t name_size) {
    static char name[1000];
    wsf_hash_key key;
    wsf_hash_key_init(&key, world_config(w)->cluster);
    wsfan_target target = { WSFAN_CHAT, { name, name_size } };
    wsf_message_parts parts = {
        .targets = &target, .targets_count = 1, .payload = wsfan_string("x"), .slot = slot
    };
    wsfan_message *message = wsf_message_new(&key, &parts);
    message->id.clock = clock;
    frame f = begin_frame(next_number(), 0);
    wsf_write_message(writer_of(&f), message);
    send(&f);
    wsfan_message_unref(message);
}

START_TEST(a_mark_says_how_far_the_messages_came) {
    begin_alone();
    const wsf_origin *origin = origin_of(LIAR);
    ck_assert_ptr_nonnull(origin);
    ck_assert(!origin->open); /* the first mark has come with the link */
    ck_assert_uint_eq(origin->whole, 0);
    uint64_t clock = now_clock();
    say_message(clock - 9, 0, 8);
    ck_assert_uint_eq(origin->clock, clock - 9);
    say_mark(clock, newest(), clock - 9);
    ck_assert_uint_eq(origin->clock, clock);
    ck_assert_uint_eq(origin->last, clock - 9);
    ck_assert_uint_eq(origin->whole, 0);
    ck_assert_uint_eq(wsf_origin_reached(origin), clock);
    end();
}
END_TEST

START_TEST(a_mark_counts_when_the_frames_that_it_speaks_of_have_come) {
    begin_alone();
    uint64_t clock = now_clock();
    uint64_t before = origin_of(LIAR)->clock;
    say_mark(clock, newest() + 1, 0);
    say_mark(clock, UINT64_MAX, 0);
    ck_assert_uint_eq(origin_of(LIAR)->clock, before);
    say_mark(clock, newest(), 0);
    ck_assert_uint_eq(origin_of(LIAR)->clock, clock);
    end();
}
END_TEST

START_TEST(late_marks_and_clocks_that_fall_change_nothing) {
    begin_alone();
    uint64_t clock = now_clock();
    say_mark(clock, newest(), clock - 1);
    say_mark(clock - 100, newest(), clock - 100);
    say_mark(0, 0, 0);
    ck_assert_uint_eq(origin_of(LIAR)->clock, clock);
    ck_assert_uint_eq(origin_of(LIAR)->last, clock - 1);
    frame f = begin_frame(0, peer_at(0, LIAR)->link.acked - 1); /* sent before the last ones */
    wsf_write_mark(writer_of(&f), &(wsf_mark){ clock + 1, newest(), clock + 1 });
    send(&f);
    ck_assert_uint_eq(origin_of(LIAR)->clock, clock);
    end();
}
END_TEST

START_TEST(a_mark_of_an_epoch_that_is_over_is_counted_and_not_taken) {
    begin_alone();
    uint64_t before = origin_of(LIAR)->clock;
    uint64_t strangers = dropped(WSFAN_DROP_STRANGER);
    const wsf_peer *peer = peer_at(0, LIAR);
    frame f = { .writer = { .data = NULL } };
    f.writer = (wsf_writer){ f.data, sizeof f.data, 0 };
    wsf_frame_head head = { .version = WSF_PROTOCOL_MAX,
                            .sender = world_node_id(w, LIAR),
                            .epoch = peer->link.in_epoch - 1,
                            .ack_epoch = peer->link.epoch,
                            .ack = peer->link.acked };
    wsf_write_head(&f.writer, world_node_id(w, 0), &head);
    wsf_write_mark(&f.writer, &(wsf_mark){ now_clock(), 0, 0 });
    send(&f);
    ck_assert_uint_eq(origin_of(LIAR)->clock, before);
    ck_assert_uint_eq(dropped(WSFAN_DROP_STRANGER), strangers + 1);
    end();
}
END_TEST

START_TEST(a_clock_that_is_far_ahead_says_nothing_until_the_peer_comes_to_itself) {
    begin_alone();
    wsf_core *core = world_core(w, 0);
    const wsf_origin *origin = origin_of(LIAR);
    uint64_t before = origin->clock;
    uint64_t far = now_clock() + (UINT64_C(61000) << 16);
    say_mark(far, newest(), 0);
    say_mark(now_clock(), newest(), far);
    say_mark(UINT64_MAX, newest(), UINT64_MAX);
    say_message(far, 0, 8);
    ck_assert_uint_eq(core->witness.refused, 3);
    ck_assert_uint_eq(origin->clock, before);
    ck_assert(origin->open);
    ck_assert_uint_lt(core->clock, far);

    uint64_t since;
    uint64_t serial = core->interest.serial +
                      1; /* of which the liar does not say that it knows it */
    ck_assert(world_join(w, 0, CHAT + 1));
    world_run(w, 100);
    ck_assert(wsf_witness_begin(core, serial, world_now(w, 0), &since)); /* nobody waits for it */
    ck_assert_uint_le(since, core->clock);
    ck_assert(origin->frozen);

    frame f = begin_frame(0, peer_at(0, LIAR)->link.next - 1);
    wsf_write_mark(writer_of(&f), &(wsf_mark){ now_clock(), newest(), now_clock() - 5 });
    send(&f);
    ck_assert(!origin->open && !origin->frozen);
    ck_assert_uint_eq(origin->clock, now_clock());
    ck_assert_uint_eq(origin->whole, now_clock() - 5);
    ck_assert_uint_eq(aways[0], 1);
    end();
}
END_TEST

START_TEST(what_is_lost_is_not_vouched_for_up_to_the_clock_that_is_told) {
    begin_alone();
    const wsf_origin *origin = origin_of(LIAR);
    uint64_t clock = now_clock();
    say_lost(3, WSFAN_GAP_TOO_BIG, clock - 10);
    ck_assert_uint_eq(origin->whole, clock - 10);
    say_lost(3, WSFAN_GAP_PEER_QUEUE, clock - 30);
    ck_assert_uint_eq(origin->whole, clock - 10);
    say_message(clock - 20, 0, 8); /* it waited, and is not lost; the mark rounds up */
    ck_assert(!origin->open);
    say_mark(clock, newest(), clock - 20);
    ck_assert_uint_eq(origin->whole, clock - 10);
    ck_assert_uint_eq(gap[0], 6);
    end();
}
END_TEST

START_TEST(of_a_loss_without_a_clock_the_next_mark_says_how_far_it_may_go) {
    begin_alone();
    const wsf_origin *origin = origin_of(LIAR);
    uint64_t clock = now_clock();
    uint64_t lies[] = { 0, UINT64_MAX, now_clock() + (UINT64_C(61000) << 16) };
    for (size_t i = 0; i < 3; i++) {
        uint64_t last = clock - 10 + i;
        say_lost(1, WSFAN_GAP_LINK, lies[i]);
        ck_assert(origin->open);
        say_mark(clock + i, newest() - 1, last + 100); /* was under way before */
        ck_assert(origin->open);
        say_mark(clock + 200 + i, newest(), last + 200);
        ck_assert(!origin->open);
        ck_assert_uint_eq(origin->whole, last + 200);
        clock += 1000;
    }
    end();
}
END_TEST

START_TEST(an_entry_with_wrong_content_may_have_been_a_message) {
    begin_alone();
    frame f = begin_frame(next_number(), 0);
    wsf_write_number(writer_of(&f), WSF_LOST, 1);
    send(&f);
    ck_assert_uint_eq(gap[0], 1);
    ck_assert(origin_of(LIAR)->open);
    end();
}
END_TEST

START_TEST(a_message_beyond_the_limits_is_not_vouched_for) {
    begin_alone();
    uint64_t clock = now_clock();
    say_message(clock, 0, 1000);
    ck_assert_uint_eq(origin_of(LIAR)->whole, clock);
    ck_assert(!origin_of(LIAR)->open);
    end();
}
END_TEST

START_TEST(a_latest_value_says_nothing_of_others) {
    begin_alone();
    uint64_t before = origin_of(LIAR)->clock;
    say_message(now_clock(), 5, 8);
    ck_assert_uint_eq(origin_of(LIAR)->clock, before);
    end();
}
END_TEST

START_TEST(a_flood_of_asks_is_answered_now_and_then) {
    history_ms = HISTORY_MS;
    begin();
    uint64_t before = peer_at(0, LIAR)->stats.frames_out;
    uint64_t ms = world_ms(w);
    for (int i = 0; i < 10000; i++) {
        frame f = begin_frame(0, 0);
        wsf_write_number(writer_of(&f), WSF_MARK_ASK, i % 2 == 0 ? UINT64_MAX : now_clock());
        send(&f);
        if (i % 20 == 0)
            world_run(w, 1);
    }
    uint64_t passed = world_ms(w) - ms;
    uint64_t sent = peer_at(0, LIAR)->stats.frames_out - before;
    ck_assert_uint_ge(sent, passed / WSF_MARK_INTERVAL_MS / 2);
    ck_assert_uint_le(sent, passed / WSF_MARK_INTERVAL_MS + passed / 1000 + 2);
    ck_assert_uint_lt(world_core(w, 0)->clock, UINT64_MAX);
    end();
}
END_TEST

START_TEST(who_is_asked_answers_with_a_clock_that_reaches_it) {
    history_ms = HISTORY_MS;
    begin();
    uint64_t ahead = now_clock() + (UINT64_C(20000) << 16);
    wsf_core *core = world_core(w, 0);
    core->clock = ahead; /* as if a peer had been so far ahead */
    wsf_witness_ask(core, ahead);
    world_run(w, 50);
    ck_assert_uint_ge(origin_of(LIAR)->clock, ahead);
    ck_assert_uint_ge(origin_of(2)->clock, ahead);
    uint64_t before = peer_at(2, 0)->stats.frames_in;
    wsf_witness_ask(core, ahead); /* nobody has to be asked */
    ck_assert_uint_eq(peer_at(2, 0)->stats.frames_in, before);
    end();
}
END_TEST

START_TEST(no_mark_passes_a_loss_that_is_not_told) {
    enum { MUCH = 1 << 30 };
    history_ms = HISTORY_MS;
    begin();
    wsf_link *link = &peer_at(2, 0)->link;
    link->sent_bytes += MUCH; /* no room for LOST */
    ck_assert(world_publish(w, 2, CHAT, 1));
    uint64_t missed = world_core(w, 2)->clock;
    ck_assert_uint_eq(wsf_link_drop_queue(link), 1);
    world_run(w, 3000);
    ck_assert_uint_lt(origin_of(2)->clock, missed);
    link->sent_bytes -= MUCH;
    world_run(w, 2000);
    ck_assert_uint_gt(origin_of(2)->clock, missed);
    ck_assert_uint_eq(origin_of(2)->whole, missed);
    ck_assert_uint_eq(gap[0], 1);
    end();
}
END_TEST

START_TEST(a_history_begins_when_every_peer_that_is_up_knows_the_interest) {
    uint64_t since;
    uint64_t marked;
    history_ms = HISTORY_MS;
    begin();
    wsf_core *core = world_core(w, 0);
    world_block(w, 2, 0, true); /* its word does not come */
    uint64_t serial = core->interest.serial + 1;
    ck_assert(world_join(w, 0, CHAT + 1));
    ck_assert(!wsf_witness_begin(core, serial, world_now(w, 0), &since));
    world_run(w, 500);
    ck_assert(!wsf_witness_begin(core, serial, world_now(w, 0), &since));
    ck_assert(!origin_of(2)->frozen);
    world_publish(w, 2, CHAT, 1); /* below since, whenever the interest was known */
    marked = world_core(w, 2)->clock;
    world_block(w, 2, 0, false);
    world_run(w, 20);
    ck_assert(wsf_witness_begin(core, serial, world_now(w, 0), &since));
    ck_assert_uint_ge(since, marked);
    ck_assert_uint_eq(origin_of(LIAR)->whole, 0);
    end();
}
END_TEST

START_TEST(a_peer_that_a_begin_skipped_gets_no_further_until_its_gap_is_told) {
    uint64_t since;
    history_ms = HISTORY_MS;
    begin();
    wsf_core *core = world_core(w, 0);
    world_freeze(w, 2, true);
    world_run(w, 4000);
    ck_assert_int_eq(peer_at(0, 2)->state, WSFAN_PEER_SILENT);
    uint64_t serial = core->interest.serial + 1;
    ck_assert(world_join(w, 0, CHAT + 1));
    world_run(w, 100);
    ck_assert(wsf_witness_begin(core, serial, world_now(w, 0), &since));
    ck_assert(origin_of(2)->frozen);
    uint64_t reached = wsf_origin_reached(origin_of(2));
    ck_assert_uint_le(reached, since);
    world_publish(w, 2, CHAT + 1, 5); /* it does not know who wants that */
    uint64_t missed = world_core(w, 2)->clock;
    world_freeze(w, 2, false);
    for (int ms = 0; ms < 3000 && aways[0] == 0; ms++) {
        ck_assert_uint_eq(wsf_origin_reached(origin_of(2)), reached);
        world_run(w, 1);
    }
    ck_assert_uint_eq(aways[0], 1);
    world_run(w, 2000);
    ck_assert_uint_eq(aways[0], 1);
    ck_assert(!origin_of(2)->frozen && !origin_of(2)->open);
    ck_assert_uint_ge(origin_of(2)->whole, missed);
    end();
}
END_TEST

START_TEST(an_origin_is_remembered_for_as_long_as_history) {
    history_ms = HISTORY_MS;
    begin();
    uint64_t id = world_node_id(w, LIAR);
    ck_assert(world_publish(w, LIAR, CHAT, 1));
    world_run(w, 100);
    uint64_t clock = origin_of(LIAR)->clock;
    wsf_core_say_bye(world_core(w, LIAR), world_now(w, LIAR));
    world_run(w, 100);
    world_crash(w, LIAR);
    ck_assert_ptr_null(wsf_peer_find(world_core(w, 0), id));
    world_run(w, HISTORY_MS - 2000);
    ck_assert_ptr_nonnull(wsf_witness_find(world_core(w, 0), id));
    ck_assert_uint_ge(wsf_witness_find(world_core(w, 0), id)->clock, clock);
    world_run(w, 5000);
    ck_assert_ptr_null(wsf_witness_find(world_core(w, 0), id));
    end();
}
END_TEST

/* It was looked at for the last time almost a heartbeat before it published and went. */
START_TEST(an_origin_is_remembered_for_as_long_as_its_last_message_is_kept) {
    history_ms = HISTORY_MS;
    begin();
    wsf_core *core = world_core(w, 0);
    uint64_t id = world_node_id(w, LIAR);
    uint64_t look_ms = core->witness.look_ms;
    while (core->witness.look_ms == look_ms)
        world_run(w, 1);
    world_run(w, core->config.heartbeat_ms - 100);
    ck_assert(world_publish(w, LIAR, CHAT, 1));
    uint64_t published_ms = world_ms(w);
    world_run(w, 20);
    wsf_core_say_bye(world_core(w, LIAR), world_now(w, LIAR));
    world_run(w, 20);
    world_crash(w, LIAR);
    ck_assert_ptr_null(wsf_peer_find(core, id));
    world_run(w, published_ms + HISTORY_MS - 1 - world_ms(w));
    ck_assert_ptr_nonnull(wsf_witness_find(core, id));
    end();
}
END_TEST

START_TEST(marks_go_to_those_who_want_them_alone) {
    history_ms = 0;
    begin(); /* three nodes without */
    for (unsigned node = 0; node < 3; node++) {
        ck_assert(wsf_peers_is_empty(world_core(w, node)->witness.askers));
        ck_assert_ptr_null(world_core(w, node)->witness.origins);
    }
    world_config(w)->history_ms = HISTORY_MS;
    world_start_as(w, 3, "n3", id_of(103, 4), 1, 1);
    world_run(w, 3000);
    for (unsigned node = 0; node < 3; node++) {
        ck_assert(peer_at(3, node)->witness.heard);
        ck_assert(!peer_at(node, 3)->witness.heard);
        ck_assert_ptr_null(peer_at(node, 3)->witness.origin);
        ck_assert(!wsf_witness_find(world_core(w, 3), world_node_id(w, node))->open);
    }
    world_crash(w, 3);
    end();
}
END_TEST

SUITE_MAIN("witness", a_mark_says_how_far_the_messages_came,
           a_mark_counts_when_the_frames_that_it_speaks_of_have_come,
           late_marks_and_clocks_that_fall_change_nothing,
           a_mark_of_an_epoch_that_is_over_is_counted_and_not_taken,
           a_clock_that_is_far_ahead_says_nothing_until_the_peer_comes_to_itself,
           what_is_lost_is_not_vouched_for_up_to_the_clock_that_is_told,
           of_a_loss_without_a_clock_the_next_mark_says_how_far_it_may_go,
           an_entry_with_wrong_content_may_have_been_a_message,
           a_message_beyond_the_limits_is_not_vouched_for, a_latest_value_says_nothing_of_others,
           a_flood_of_asks_is_answered_now_and_then,
           who_is_asked_answers_with_a_clock_that_reaches_it,
           no_mark_passes_a_loss_that_is_not_told,
           a_history_begins_when_every_peer_that_is_up_knows_the_interest,
           a_peer_that_a_begin_skipped_gets_no_further_until_its_gap_is_told,
           an_origin_is_remembered_for_as_long_as_history,
           an_origin_is_remembered_for_as_long_as_its_last_message_is_kept,
           marks_go_to_those_who_want_them_alone)
