/* What an authenticated peer can do to links, interest and messages, and what it cannot. */
#include "liar.h"

START_TEST(lies_in_acknowledgements_are_counted_and_change_nothing) {
    begin();
    uint64_t acked = peer_at(0, LIAR)->link.acked;
    static const uint64_t lies[] = { 1000000, UINT64_MAX, UINT64_MAX - 1 };
    uint64_t before = dropped(WSFAN_DROP_MALFORMED);
    for (size_t i = 0; i < 3; i++) {
        frame f = begin_frame(0, lies[i]);
        wsf_write_heartbeat(writer_of(&f), 0, NULL);
        send(&f);
    }
    ck_assert_uint_eq(dropped(WSFAN_DROP_MALFORMED) - before, 3);
    ck_assert_uint_eq(peer_at(0, LIAR)->link.acked, acked);
    end();
}
END_TEST

START_TEST(a_flood_of_nacks_costs_a_window_now_and_then) {
    begin();
    world_block(w, 0, LIAR, true); /* so that nothing is acknowledged */
    for (uint64_t i = 0; i < 40; i++) {
        world_publish(w, 0, CHAT, i);
        world_run(w, 1);
    }
    uint64_t sent = peer_at(0, LIAR)->link.sent.count;
    ck_assert_uint_ge(sent, 20);
    uint64_t before = peer_at(0, LIAR)->stats.frames_resent;
    uint64_t ms = world_ms(w);
    for (int i = 0; i < 10000; i++) {
        frame f = begin_frame(0, 0);
        wsf_range ranges[] = { { 0, UINT64_MAX }, { UINT64_MAX, 0 }, { 5, 4 } };
        wsf_write_nack(writer_of(&f), ranges, 3);
        send(&f);
        if (i % 100 == 0)
            world_run(w, 1);
    }
    uint64_t passed = world_ms(w) - ms;
    uint64_t resent = peer_at(0, LIAR)->stats.frames_resent - before;
    uint64_t windows = 1;
    for (uint64_t at_ms = WSF_REPAIR_MS; at_ms <= passed; at_ms = 2 * at_ms + WSF_REPAIR_MS)
        windows++;
    ck_assert_uint_ge(resent, sent);           /* it is served, */
    ck_assert_uint_le(resent, sent * windows); /* not at its pace */
    world_block(w, 0, LIAR, false);
    end();
}
END_TEST

START_TEST(a_flood_of_introductions_keeps_no_honest_node_out) {
    begin();
    for (uint32_t i = 0; i < 5000; i++) {
        uint8_t topic[WSF_INTRODUCTION_SIZE_MAX];
        wsf_introduction introduction = { .protocol_min = WSF_PROTOCOL_MIN,
                                          .protocol_max = WSF_PROTOCOL_MAX,
                                          .node = id_of(100 + LIAR, 1000 + i) };
        strcpy(introduction.cluster, world_config(w)->cluster);
        snprintf(introduction.endpoint, sizeof introduction.endpoint, "tcp://10.9.%u.%u:7000",
                 i / 256, i % 256);
        size_t size = wsf_write_introduction(topic, &introduction);
        wsf_core_subscription(world_core(w, 0), true, topic, size, world_now(w, 0));
        wsf_write_inbox(topic, introduction.node);
        wsf_core_subscription(world_core(w, 0), true, topic, WSF_TOPIC_SIZE, world_now(w, 0));
        if (i == 2500) {
            world_touch(w, 0);
            world_start_as(w, 3, "n3", id_of(103, 4), 1, 1);
        }
        if (i % 100 == 0)
            world_run(w, 10);
    }
    ck_assert_ptr_nonnull(peer_at(0, 3));
    world_run(w, 5000);
    ck_assert(peer_at(0, 3)->linked && peer_at(3, 0)->linked);
    ck_assert(peer_at(0, 2)->linked); /* and none of those that were here had to go */
    ck_assert_uint_eq(downs[2], 0);
    world_crash(w, 3);
    end();
}
END_TEST

static unsigned count_connections(void) {
    unsigned count = 0;
    for (uint32_t i = 0; i < WSF_CONNECTIONS_MAX; i++)
        count += world_core(w, 0)->dialer.endpoints[i].used;
    return count;
}

START_TEST(names_that_others_say_are_counted_and_never_dialled) {
    static const char *const names[] = { "tcp://chat.example:7000", "tcp://localhost:7000",
                                         "tcp://[fe80::1%eth0]:7000", "tcp://0.0.0.0:7000" };
    begin();
    unsigned connections = count_connections();
    uint64_t before = dropped(WSFAN_DROP_MALFORMED);
    for (uint32_t i = 0; i < 4; i++) {
        uint8_t topic[WSF_INTRODUCTION_SIZE_MAX];
        wsf_introduction introduction = { .protocol_min = WSF_PROTOCOL_MIN,
                                          .protocol_max = WSF_PROTOCOL_MAX,
                                          .node = id_of(100 + LIAR, 1000 + i) };
        strcpy(introduction.cluster, world_config(w)->cluster);
        strcpy(introduction.endpoint, names[i]);
        size_t size = wsf_write_introduction(topic, &introduction);
        wsf_core_subscription(world_core(w, 0), true, topic, size, world_now(w, 0));

        wsf_known_peer known = { id_of(200, i + 1), wsfan_string(names[i]) };
        frame f = begin_frame(0, 0);
        wsf_write_peers(writer_of(&f), &known, 1);
        send(&f);

        wsf_hello hello = { .protocol_min = WSF_PROTOCOL_MIN,
                            .protocol_max = WSF_PROTOCOL_MAX,
                            .cluster = wsfan_string(world_config(w)->cluster),
                            .name = wsfan_string("n1"),
                            .incarnation = 1,
                            .endpoint = wsfan_string(names[i]),
                            .epoch = 1,
                            .frame_size_max = 1 << 20 };
        f = begin_frame(0, 0);
        wsf_write_hello(writer_of(&f), &hello);
        send(&f);
    }
    ck_assert_uint_eq(dropped(WSFAN_DROP_MALFORMED) - before, 12);
    ck_assert_uint_eq(count_connections(), connections);
    end();
}
END_TEST

START_TEST(a_flood_of_addresses_keeps_no_honest_node_out) {
    begin();
    for (uint32_t i = 0; i < 2000; i++) {
        frame f = begin_frame(next_number(), 0);
        char text[32];
        snprintf(text, sizeof text, "tcp://10.9.%u.%u:7000", i / 256, i % 256);
        wsf_known_peer known = { id_of(7, i + 1), wsfan_string(text) };
        wsf_write_peers(writer_of(&f), &known, 1);
        send(&f);
    }
    unsigned dialled = 0;
    for (uint32_t i = 0; i < WSF_CONNECTIONS_MAX; i++)
        dialled += world_core(w, 0)->dialer.endpoints[i].dialled;
    ck_assert_uint_le(dialled, 2 + WSF_GOSSIP_MAX);
    world_start_as(w, 3, "n3", id_of(103, 4), 1, 1);
    world_run(w, 3000);
    ck_assert(peer_at(0, 3) != NULL && peer_at(0, 3)->linked && peer_at(3, 0)->linked);
    world_crash(w, 3);
    end();
}
END_TEST

START_TEST(a_peer_that_wants_every_chat_there_is_gets_everything_and_the_others_what_they_want) {
    begin();
    uint64_t random = 5;
    for (int i = 0; i < 100; i++) {
        uint8_t hashes[100 * 8];
        for (int k = 0; k < 100; k++)
            wsf_put_u64(hashes + 8 * k, next_random(&random));
        frame f = begin_frame(next_number(), 0);
        wsf_write_interest(writer_of(&f), 0, (wsfan_bytes){ hashes, sizeof hashes },
                           (wsfan_bytes){ NULL, 0 }, NULL);
        send(&f);
    }
    const wsf_core *core = world_core(w, 0);
    ck_assert_uint_le(core->interest.remote_count, 1000);
    ck_assert(!wsf_peers_has(core->complete, wsf_peer_index(core, peer_at(0, LIAR))));
    ck_assert_uint_ge(dropped(WSFAN_DROP_LIMIT), 10000 - 1000);
    end();
}
END_TEST

START_TEST(messages_beyond_the_limits_are_counted_and_not_delivered) {
    begin();
    char name[2000];
    memset(name, 'x', sizeof name);
    wsf_hash_key key;
    wsf_hash_key_init(&key, world_config(w)->cluster);
    uint64_t before = dropped(WSFAN_DROP_TOO_BIG);
    for (size_t size = world_config(w)->name_bytes_max + 1; size < sizeof name; size += 100) {
        wsfan_target target = { WSFAN_CHAT, { name, size } };
        wsf_message_parts parts = { .targets = &target,
                                    .targets_count = 1,
                                    .payload = wsfan_string("x") };
        wsfan_message *message = wsf_message_new(&key, &parts);
        frame f = begin_frame(next_number(), 0);
        wsf_write_message(writer_of(&f), message);
        wsfan_message_unref(message);
        send(&f);
    }
    ck_assert_uint_gt(dropped(WSFAN_DROP_TOO_BIG), before + 10);
    ck_assert_uint_eq(delivered[0], 0);
    end();
}
END_TEST

START_TEST(a_clock_from_the_far_future_does_not_carry_ours_away) {
    begin();
    wsf_hash_key key;
    wsf_hash_key_init(&key, world_config(w)->cluster);
    wsfan_target target = { WSFAN_ALL, { NULL, 0 } };
    wsf_message_parts parts = { .targets = &target,
                                .targets_count = 1,
                                .payload = wsfan_string("x") };
    wsfan_message *message = wsf_message_new(&key, &parts);
    message->id.clock = UINT64_MAX;
    frame f = begin_frame(next_number(), 0);
    wsf_write_message(writer_of(&f), message);
    wsfan_message_unref(message);
    send(&f);
    ck_assert_uint_eq(delivered[0], 1);
    ck_assert_uint_le(world_core(w, 0)->clock >> 16, world_now(w, 0).wall_ms + 60000);
    end();
}
END_TEST

START_TEST(numbers_that_were_never_used_are_asked_for_at_a_bounded_rate) {
    begin();
    static const uint64_t newest[] = { 1000, UINT64_MAX, UINT64_MAX - 1, 0 };
    for (size_t i = 0; i < 4; i++) {
        frame f = begin_frame(0, 0);
        wsf_write_heartbeat(writer_of(&f), newest[i], NULL);
        send(&f);
        frame far = begin_frame(newest[i] | 1, 0);
        wsf_write_lost(writer_of(&far), UINT64_MAX, UINT64_MAX, 0);
        send(&far);
    }
    uint64_t sent = world_counted(w).sent;
    world_run(w, 10000);
    ck_assert_uint_lt(world_counted(w).sent - sent, 3000);
    ck_assert_uint_le(peer_at(0, LIAR)->link.held_bytes, world_config(w)->link.window_bytes);
    end();
}
END_TEST

START_TEST(greetings_again_and_again_cost_nothing_that_stays) {
    begin();
    for (uint64_t i = 0; i < 3000; i++) {
        frame f = begin_frame(0, 0);
        wsf_hello hello = { .protocol_min = WSF_PROTOCOL_MIN,
                            .protocol_max = WSF_PROTOCOL_MAX,
                            .cluster = wsfan_string(world_config(w)->cluster),
                            .name = wsfan_string("n1"),
                            .incarnation = peer_at(0, LIAR)->handshake.incarnation,
                            .endpoint = wsfan_string("tcp://10.0.0.2:7000"),
                            .epoch = peer_at(0, LIAR)->link.in_epoch + 1 + i % 2,
                            .frame_size_max = i % 3 == 0   ? 0
                                              : i % 3 == 1 ? UINT64_MAX
                                                           : 100 };
        wsf_write_hello(writer_of(&f), &hello);
        send(&f);
        frame answer = begin_frame(0, 0);
        wsf_write_number(writer_of(&answer), WSF_HELLO_ACK, peer_at(0, LIAR)->link.epoch);
        send(&answer);
        if (i % 10 == 0)
            world_publish(w, 0, CHAT, i);
        if (i % 100 == 0)
            world_run(w, 1);
    }
    ck_assert_uint_le(peer_at(0, LIAR)->link.sent_bytes, world_config(w)->link.window_bytes);
    world_run(w, 20000); /* the true replica 1 comes back to its senses */
    end();
}
END_TEST

static void say_standing(const char *address) {
    wsf_status status = { WSF_STATUS_READY, 100, wsfan_string(address), { 0, 0 } };
    frame f = begin_frame(next_number(), 0);
    wsf_write_status(writer_of(&f), &status);
    send(&f);
}

static void say_hello_as(const char *name, const char *endpoint) {
    frame f = begin_frame(0, 0);
    wsf_hello hello = { .protocol_min = WSF_PROTOCOL_MIN,
                        .protocol_max = WSF_PROTOCOL_MAX,
                        .cluster = wsfan_string(world_config(w)->cluster),
                        .name = wsfan_string(name),
                        .incarnation = 1,
                        .endpoint = wsfan_string(endpoint),
                        .epoch = peer_at(0, LIAR)->link.in_epoch + 1,
                        .frame_size_max = 1 << 20 };
    wsf_write_hello(writer_of(&f), &hello);
    send(&f);
}

START_TEST(texts_that_would_break_a_line_are_shown_to_nobody) {
    static const char *const addresses[] = { "http://a\r\nSet-Cookie: b=1", "http://a b", "\x7f",
                                             "http://\xff\xfe", "\t" };
    begin();
    say_standing("http://one.example/");
    ck_assert_str_eq(peer_at(0, LIAR)->status.address, "http://one.example/");
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        uint64_t before = dropped(WSFAN_DROP_MALFORMED);
        say_standing(addresses[i]);
        ck_assert_str_eq(peer_at(0, LIAR)->status.address, "");
        ck_assert_uint_eq(dropped(WSFAN_DROP_MALFORMED) - before, 1);
        ck_assert_uint_eq(gap[0], 0); /* all else that it says of itself counts */
    }
    uint64_t before = dropped(WSFAN_DROP_MALFORMED);
    uint64_t epoch = peer_at(0, LIAR)->link.in_epoch;
    say_hello_as("a\r\nb", "tcp://10.0.0.2:7000");
    say_hello_as("\x1b[2J", "tcp://10.0.0.2:7000");
    say_hello_as("\xff", "tcp://10.0.0.2:7000");
    say_hello_as("n1", "ipc:///tmp/\x1b[2J");
    ck_assert_uint_eq(dropped(WSFAN_DROP_MALFORMED) - before, 4);
    ck_assert_str_eq(peer_at(0, LIAR)->name, "n1");
    ck_assert_uint_eq(peer_at(0, LIAR)->link.in_epoch, epoch);
    end();
}
END_TEST

START_TEST(nobody_takes_the_name_of_a_live_node_with_another_key) {
    begin();
    frame f = begin_frame(0, 0);
    wsf_hello hello = { .protocol_min = WSF_PROTOCOL_MIN,
                        .protocol_max = WSF_PROTOCOL_MAX,
                        .cluster = wsfan_string(world_config(w)->cluster),
                        .name = wsfan_string("n2"),
                        .incarnation = UINT64_MAX,
                        .endpoint = wsfan_string("tcp://10.0.0.2:7000"),
                        .epoch = 9,
                        .frame_size_max = 1 << 20 };
    wsf_frame_head head = { .version = WSF_PROTOCOL_MAX, .sender = id_of(101, 77), .epoch = 9 };
    f.writer = (wsf_writer){ f.data, sizeof f.data, 0 };
    wsf_write_head(&f.writer, world_node_id(w, 0), &head);
    wsf_write_hello(&f.writer, &hello);
    unsigned before = refused;
    wsf_core_name_endpoints(world_core(w, 0), WSF_SOURCE_HOST,
                            &(const char *){ "tcp://10.9.9.9:7000" }, 1, world_now(w, 0));
    uint32_t other = 0;
    while (strcmp(world_core(w, 0)->dialer.endpoints[other].endpoint, "tcp://10.9.9.9:7000") != 0)
        other++;
    wsf_seal(&f.writer);
    world_inject(w, 0, other, f.data, f.writer.size);
    ck_assert_uint_gt(refused, before);
    ck_assert_ptr_nonnull(peer_at(0, 2));
    ck_assert_int_eq(peer_at(0, 2)->state, WSFAN_PEER_UP);
    end();
}
END_TEST

static bool not_liar(void *user, uint32_t identity) {
    (void)user;
    return identity != 100 + LIAR;
}

START_TEST(a_peer_that_is_expelled_is_down_at_once_and_the_others_are_not) {
    begin();
    wsf_core_expel(world_core(w, 0), not_liar, NULL);
    ck_assert_ptr_null(peer_at(0, LIAR));
    ck_assert_uint_eq(downs[0], 1);
    for (unsigned i = 0; i < WSF_SUBSCRIBERS_MAX; i++)
        ck_assert_uint_ne(world_core(w, 0)->handshake.subscribers[i].node, world_node_id(w, LIAR));
    ck_assert_int_eq(peer_at(0, 2)->state, WSFAN_PEER_UP);
    world_crash(w, LIAR);
    end();
}
END_TEST

SUITE_MAIN("hostile", lies_in_acknowledgements_are_counted_and_change_nothing,
           a_flood_of_nacks_costs_a_window_now_and_then,
           a_flood_of_introductions_keeps_no_honest_node_out,
           names_that_others_say_are_counted_and_never_dialled,
           a_flood_of_addresses_keeps_no_honest_node_out,
           a_peer_that_wants_every_chat_there_is_gets_everything_and_the_others_what_they_want,
           messages_beyond_the_limits_are_counted_and_not_delivered,
           a_clock_from_the_far_future_does_not_carry_ours_away,
           numbers_that_were_never_used_are_asked_for_at_a_bounded_rate,
           greetings_again_and_again_cost_nothing_that_stays,
           texts_that_would_break_a_line_are_shown_to_nobody,
           nobody_takes_the_name_of_a_live_node_with_another_key,
           a_peer_that_is_expelled_is_down_at_once_and_the_others_are_not)
