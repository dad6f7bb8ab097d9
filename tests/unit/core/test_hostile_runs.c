/* Runs of messages from an authenticated peer: harm that such a peer can do, and harm that it cannot. */
#include "liar.h"
#include "runs.h"

enum { LARGE_MAX = 4 * 1024 * 1024 };

static uint8_t large[LARGE_MAX];
static wsf_writer writer;

static void begin_large(void) {
    frame f = begin_frame(next_number(), 0);
    memcpy(large, f.data, f.writer.size);
    writer = (wsf_writer){ large, sizeof large, f.writer.size };
}

static void send_large(void) {
    wsf_seal(&writer);
    world_inject(w, 0, connection_at(0, LIAR), large, writer.size);
}

/* A run of its own limits; the last message is for the chat that everybody is in. */
static wsfan_message *run_of_names(uint32_t heads, size_t name_size, size_t payload_size) {
    static uint8_t name[65535];
    static uint8_t payload[65535];
    uint64_t chat = CHAT;
    wsfan_message *run = wsf_run_new_for(heads, heads * payload_size,
                                         heads * wsf_run_head_bytes(name_size));
    for (uint32_t i = 0; i < heads; i++) {
        bool last = i == heads - 1;
        memcpy(name, &i, sizeof i);
        wsfan_target target = { WSFAN_CHAT, { name, name_size } };
        if (last)
            target.name = (wsfan_bytes){ &chat, sizeof chat };
        wsf_message_parts parts = { .targets = &target, .targets_count = 1 };
        const wsf_run_head *head = wsf_run_add_head(run, &parts);
        ck_assert_ptr_nonnull(head);
        ck_assert(wsf_run_add(run, head, numbered(payload, i, payload_size), i));
    }
    run->id.clock = 1;
    return run;
}

static void send_run(wsfan_message *run, uint32_t step) {
    begin_large();
    for (uint32_t from = 0; from < run->count; from += step)
        wsf_write_span(
            &writer, (wsf_span){ run, from, from + step < run->count ? from + step : run->count });
    send_large();
}

static void put_bin(const uint8_t *data, size_t size) {
    const uint8_t length[] = { 0xc6, (uint8_t)(size >> 24), (uint8_t)(size >> 16),
                               (uint8_t)(size >> 8), (uint8_t)size };
    wsf_write_entry(&writer, length, sizeof length);
    wsf_write_entry(&writer, data, size);
}

/* A message of a byte for each of so many heads, of which the last is that of the chat that everybody is in. No run of
 * this node has so many with such names. */
static void write_many(uint32_t count, size_t name_size) {
    static const uint8_t begin_entry[] = { 0x95, WSF_MESSAGES, 0x01 };
    static uint8_t heads[LARGE_MAX];
    static uint8_t filling[WSF_RUN_COUNT_MAX];
    static uint8_t index[WSF_RUN_COUNT_MAX * WSF_MESSAGE_AT_SIZE];
    uint64_t chat = CHAT;
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool last = i == count - 1;
        size_t size = last ? sizeof chat : name_size;
        wsf_put_u64(index + (size_t)i * WSF_MESSAGE_AT_SIZE, UINT64_C(1) << 32 | i << 16 | i);
        heads[at++] = WSFAN_CHAT;
        heads[at++] = 0;
        heads[at++] = (uint8_t)(size >> 8);
        heads[at++] = (uint8_t)size;
        memcpy(heads + at, last ? (const void *)&chat : &i, last ? sizeof chat : sizeof i);
        heads[at + size - 1] ^= last ? 0 : 0xff; /* no name is that of the chat */
        at += size;
    }
    wsf_write_entry(&writer, begin_entry, sizeof begin_entry);
    put_bin(heads, at);
    put_bin(index, (size_t)count * WSF_MESSAGE_AT_SIZE);
    put_bin(filling, count);
}

static uint64_t received(void) {
    return peer_at(0, LIAR)->stats.messages_in;
}

START_TEST(as_many_heads_of_names_as_long_as_may_be_are_taken) {
    static const size_t sizes[] = { 8, 900, 940, 1000, 2000, 3000 };
    begin();
    world_core(w, 0)->config.name_bytes_max = UINT16_MAX;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t before = received();
        unsigned before0 = delivered[0];
        uint64_t unwanted = dropped(WSFAN_DROP_UNWANTED);
        /* Of heads beyond a run's own limit: written by hand, as no run has them. */
        begin_large();
        uint32_t heads = WSF_RUN_HEADS_MAX;
        write_many(heads, sizes[i]);
        send_large();
        ck_assert_uint_eq(received() - before, heads);
        ck_assert_uint_eq(delivered[0] - before0, 1);
        ck_assert_uint_eq(dropped(WSFAN_DROP_UNWANTED) - unwanted, heads - 1);
    }
    end();
}
END_TEST

START_TEST(of_a_run_only_the_messages_beyond_the_limits_are_lost) {
    begin();
    uint32_t payload_max = world_core(w, 0)->config.payload_bytes_max;
    uint32_t name_max = world_core(w, 0)->config.name_bytes_max;
    uint64_t too_big = dropped(WSFAN_DROP_TOO_BIG);
    uint64_t before = received();
    wsfan_message *run = run_of_names(10, name_max + 1, 8);
    send_run(run, 10);
    wsfan_message_unref(run);
    ck_assert_uint_eq(delivered[0], 1); /* the last one */
    ck_assert_uint_eq(dropped(WSFAN_DROP_TOO_BIG) - too_big, 9);
    ck_assert_uint_eq(gap[0], 9);
    run = run_of_names(3, name_max, 8);
    run->run->entries[1].end = run->run->entries[0].end; /* 8, 0, 8 */
    send_run(run, 3);
    wsfan_message_unref(run);
    ck_assert_uint_eq(delivered[0], 2);
    world_core(w, 0)->config.payload_bytes_max = 100;
    run = run_of_names(2, 8, 101);
    send_run(run, 2);
    wsfan_message_unref(run);
    ck_assert_uint_eq(delivered[0], 2);
    ck_assert_uint_eq(gap[0], 11);
    run = run_of_names(2, 8, 100);
    send_run(run, 2);
    wsfan_message_unref(run);
    ck_assert_uint_eq(delivered[0], 3);
    ck_assert_uint_eq(gap[0], 11);
    ck_assert_uint_eq(received() - before, 17);
    world_core(w, 0)->config.payload_bytes_max = payload_max;
    end();
}
END_TEST

START_TEST(a_broken_run_is_a_gap_of_unknown_size_and_any_other_broken_entry_is_one_of_one) {
    static const uint8_t broken[] = { 0x93, WSF_MESSAGES, 0x01, 0x90 };
    static const uint8_t number[] = { 0x05 };
    static const uint8_t message[] = { 0x92, WSF_MESSAGE, 0xc0 };
    begin();
    uint64_t before = dropped(WSFAN_DROP_MALFORMED);
    begin_large();
    wsf_write_entry(&writer, broken, sizeof broken);
    send_large();
    ck_assert_uint_eq(dropped(WSFAN_DROP_MALFORMED) - before, 1);
    ck_assert_uint_eq(gap[0], 0);
    begin_large();
    wsf_write_entry(&writer, broken, sizeof broken);
    wsf_write_entry(&writer, number, sizeof number); /* not even an array: of no type */
    wsf_write_entry(&writer, message, sizeof message);
    send_large();
    ck_assert_uint_eq(dropped(WSFAN_DROP_MALFORMED) - before, 4);
    ck_assert_uint_eq(gap[0], 2);
    end();
}
END_TEST

START_TEST(a_clock_at_the_end_of_time_is_taken_for_nothing) {
    begin();
    world_publish(w, 2, CHAT, 1);
    world_publish(w, 0, CHAT, 2);
    world_run(w, 1000);
    uint64_t clock = world_core(w, 0)->clock;
    delivered[0] = 0;
    wsfan_message *run = run_of_names(5, 8, 8);
    run->id.clock = UINT64_MAX - 2; /* and the offsets lead past it */
    send_run(run, 5);
    wsfan_message_unref(run);
    ck_assert_uint_eq(delivered[0], 1);
    ck_assert_uint_eq(world_core(w, 0)->clock, clock);
    end();
}
END_TEST

static unsigned kept_count;

/* As a loop that does not dispatch: what waits for it keeps so much memory, and counts as its size. */
static uint32_t keep(void *user, unsigned loop, wsfan_message *message) {
    (void)user, (void)loop;
    kept_count++;
    if (message->frame != NULL)
        ck_assert_uint_lt(wsf_buffer_bytes(message->frame), (uint64_t)16 * message->size);
    wsfan_message_unref(message);
    return 1;
}

static void write_apart(wsfan_message *run, wsf_entry_type type, size_t payload_size) {
    static const uint8_t messages[] = { 0x94, WSF_MESSAGES, 0x01, 0xc4, 12, WSFAN_CHAT, 0, 0, 8 };
    static const uint8_t message[] = { 0x96, WSF_MESSAGE_APART, 0x01, 0, 0, 0, 0x92, WSFAN_CHAT };
    uint64_t chat = CHAT;
    uint8_t index[WSF_MESSAGE_AT_SIZE];
    if (type == WSF_MESSAGES) {
        wsf_write_entry(&writer, messages, sizeof messages);
        wsf_write_entry(&writer, &chat, sizeof chat);
        wsf_put_u64(index, (uint64_t)payload_size << 32);
        put_bin(index, sizeof index);
    } else if (type == WSF_MESSAGE_APART) {
        wsf_write_entry(&writer, message, sizeof message);
        put_bin((const uint8_t *)&chat, sizeof chat);
    } else {
        wsf_write_span(&writer, wsf_span_of(run));
    }
}

/* A frame with a second part of a megabyte, of which the last bytes are the payload if an entry uses it. */
static void send_with_rest(wsfan_message *run, wsf_entry_type type, size_t payload_size) {
    enum { REST = 1024 * 1024 };
    wsf_buffer *first = wsf_buffer_new(32768);
    const wsf_peer *peer = peer_at(0, LIAR);
    wsf_buffer *rest = wsf_buffer_new(REST);
    memset(rest->data, 0, REST);
    rest->size = REST;
    writer = (wsf_writer){ first->data, first->capacity, 0 };
    wsf_frame_head head = { .version = WSF_PROTOCOL_MAX,
                            .sender = world_node_id(w, LIAR),
                            .epoch = peer->link.in_epoch,
                            .number = next_number(),
                            .ack_epoch = peer->link.epoch,
                            .rest_size = REST,
                            .rest_room = (uint32_t)(REST - payload_size) };
    head.rest_checksum = wsf_payload_checksum(rest->data + head.rest_room, payload_size);
    wsf_write_head(&writer, world_node_id(w, 0), &head);
    write_apart(run, type, payload_size);
    wsf_seal(&writer);
    first->size = (uint32_t)writer.size;
    first->rest = rest;
    wsf_core_receive(world_core(w, 0), connection_at(0, LIAR), first, world_now(w, 0));
    ck_assert_uint_eq(atomic_load(&first->refs), 1);
    wsf_buffer_unref(first);
}

START_TEST(what_waits_keeps_no_second_part_that_is_much_larger) {
    begin();
    wsf_effects *effects = (wsf_effects *)&world_core(w, 0)->effects;
    wsf_effects before = *effects;
    effects->deliver = keep;
    kept_count = 0;
    wsfan_message *run = run_of_names(1, 8, 5000);
    send_with_rest(run, WSF_MESSAGE, 1); /* none uses it */
    wsfan_target target = { WSFAN_CHAT, wsf_run_name(wsf_run_head_of(run, 0)) };
    wsf_message_parts parts = { .targets = &target,
                                .targets_count = 1,
                                .payload = wsf_run_payload(run, 0) };
    wsfan_message *message = wsf_message_new(NULL, &parts);
    send_with_rest(message, WSF_MESSAGE, 1);
    static const size_t sizes[] = { 1, 5000, 32768 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        send_with_rest(NULL, WSF_MESSAGES, sizes[i]);
        send_with_rest(NULL, WSF_MESSAGE_APART, sizes[i]);
    }
    ck_assert_uint_eq(kept_count, 8);
    wsfan_message_unref(message);
    wsfan_message_unref(run);
    *effects = before;
    end();
}
END_TEST

SUITE_MAIN("hostile_runs", as_many_heads_of_names_as_long_as_may_be_are_taken,
           of_a_run_only_the_messages_beyond_the_limits_are_lost,
           a_broken_run_is_a_gap_of_unknown_size_and_any_other_broken_entry_is_one_of_one,
           a_clock_at_the_end_of_time_is_taken_for_nothing,
           what_waits_keeps_no_second_part_that_is_much_larger)
