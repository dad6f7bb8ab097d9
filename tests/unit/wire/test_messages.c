/* MESSAGES entries: runs and ranges of them are read as they were written, and nothing else is read. */
#include <msgpack.h>
#include <stdio.h>
#include <string.h>

#include "runs.h"
#include "wire/decode.h"

enum { RECEIVER = 77, SENDER = 66, FRAME_MAX = 4 * 1024 * 1024 };

static uint8_t frame_bytes[FRAME_MAX];
static wsf_reader *reader;
static wsf_entry entry;

static wsf_writer begin(const wsf_buffer *rest) {
    wsf_writer writer = { frame_bytes, sizeof frame_bytes, 0 };
    wsf_frame_head head = {
        .version = 1, .sender = SENDER, .epoch = 5, .number = 9, .ack_epoch = 4, .ack = 3
    };
    if (rest != NULL) {
        head.rest_size = rest->size;
        head.rest_checksum = wsf_payload_checksum(rest->data, rest->size);
    }
    wsf_write_head(&writer, RECEIVER, &head);
    return writer;
}

/* Seals and opens it, and reads the first entry. Memory of just its size, so that a sanitizer sees what is read beside. */
static int read_first(wsf_writer *writer, wsf_buffer *rest) {
    static uint8_t *exact;
    wsf_frame_head head;
    wsf_seal(writer);
    free(exact);
    exact = malloc(writer->size);
    memcpy(exact, writer->data, writer->size);
    wsf_buffer frame = { .data = exact, .size = (uint32_t)writer->size, .rest = rest };
    if (reader == NULL)
        reader = wsf_reader_new();
    ck_assert_int_eq(wsf_reader_open(reader, &frame, RECEIVER, &head), WSFAN_OK);
    memset(&entry, 0, sizeof entry);
    return wsf_reader_next(reader, &entry);
}

/* The entry of a span, and another behind it, as they were written; the entry is within its bound. */
static void round_trip(wsf_span span, const uint32_t *numbers) {
    bool apart = wsf_span_is_apart(span);
    wsf_buffer *body = apart ? wsf_run_body(span.message) : NULL;
    wsf_writer writer = begin(body);
    size_t before = writer.size;
    size_t bound = wsf_span_bound(span);
    wsf_writer exact = { frame_bytes + before, bound, 0 };
    wsf_write_span(&exact, span);
    writer.size += exact.size;
    ck_assert_uint_le(exact.size, bound);
    wsf_write_lost(&writer, 5, 6, 0);
    ck_assert_int_eq(read_first(&writer, body), 1);
    ck_assert_int_eq(entry.type, WSF_MESSAGES);
    const wsf_messages *read = &entry.messages;
    ck_assert_uint_eq(read->count, wsf_span_count(span));
    ck_assert_uint_eq(read->clock, wsf_span_clock(span));
    ck_assert_int_eq(read->apart, apart);
    const uint8_t *payload = read->payloads.data;
    for (uint32_t i = 0; i < read->count; i++) {
        wsf_message_at at = wsf_get_message_at(read->index, i);
        const wsf_run_head *head = wsf_run_head_of(span.message, span.from + i);
        ck_assert_uint_lt(at.head, read->heads_count);
        const wsf_messages_head *found = &read->heads[at.head];
        ck_assert_int_eq(found->target.kind, head->target.kind);
        ck_assert_uint_eq(found->target.name.size, wsf_run_name(head).size);
        ck_assert_mem_eq(found->target.name.data, wsf_run_name(head).data, found->target.name.size);
        ck_assert_uint_eq(found->flags, head->flags);
        ck_assert_uint_eq(found->except.node, head->except.node);
        ck_assert_uint_eq(found->except.session, head->except.session);
        ck_assert_uint_eq(read->clock + at.offset,
                          span.message->id.clock +
                              span.message->run->entries[span.from + i].offset);
        ck_assert_uint_eq(number_of((wsfan_bytes){ payload, at.payload_size }),
                          numbers == NULL ? span.from + i : numbers[span.from + i]);
        payload += at.payload_size;
    }
    ck_assert_ptr_eq(payload, (const uint8_t *)read->payloads.data + read->payloads.size);
    ck_assert_int_eq(wsf_reader_next(reader, &entry), 1);
    ck_assert_int_eq(entry.type, WSF_LOST);
    ck_assert_int_eq(wsf_reader_next(reader, &entry), 0);
    wsf_buffer_unref(body);
}

/* Of any heads, and sizes up to size_max. */
static wsfan_message *random_run(uint64_t *random, uint32_t count, unsigned chats,
                                 size_t size_max) {
    static uint8_t payload[4096];
    wsf_run_writer writer;
    wsfan_message *run = run_begin(&writer, WSF_RUN_BYTES_MAX);
    run->id = (wsfan_message_id){ next_random(random) >> next_random(random) % 64, 1 };
    for (uint32_t i = 0; i < count; i++) {
        char name[300];
        unsigned chat = (unsigned)(next_random(random) % chats);
        memset(name, 'a' + (int)(chat % 26), sizeof name);
        snprintf(name, sizeof name, "%u", chat);
        if (chat % 16 == 3)
            name[strlen(name)] = 'x', name[290] = '\0'; /* a long one */
        wsfan_target target = { chat % 5 == 0 ? WSFAN_USER : WSFAN_CHAT, wsfan_string(name) };
        size_t size = 4 + next_random(random) % size_max;
        wsf_message_parts parts = { .targets = &target,
                                    .targets_count = 1,
                                    .payload = numbered(payload, i, size),
                                    .flags = chat % 3 == 0 ? WSFAN_BINARY : 0 };
        if (next_random(random) % 4 == 0)
            parts.except = (wsfan_address){ UINT64_MAX - chat, 1 + chat };
        if (!wsf_run_write(&writer, &parts))
            break;
    }
    return run;
}

START_TEST(runs_and_ranges_of_them_are_read_as_they_were_written) {
    uint64_t random = 21;
    for (unsigned round = 0; round < 60; round++) {
        uint32_t count = 1 + (uint32_t)(next_random(&random) % (round % 3 == 0 ? 2048 : 60));
        wsfan_message *run = random_run(&random, count, 1 + round % 40 * 8,
                                        round % 5 == 0 ? 2000 : 40);
        round_trip(wsf_span_of(run), NULL);
        for (unsigned part = 0; part < 10; part++) {
            uint32_t from = (uint32_t)(next_random(&random) % run->count);
            uint32_t to = from + 1 + (uint32_t)(next_random(&random) % (run->count - from));
            round_trip((wsf_span){ run, from, to }, NULL);
        }
        round_trip((wsf_span){ run, run->count - 1, run->count }, NULL);
        wsfan_message_unref(run);
    }
}
END_TEST

START_TEST(parts_of_runs_keep_the_clocks_of_what_was_between) {
    uint64_t random = 22;
    for (unsigned round = 0; round < 50; round++) {
        wsfan_message *run = random_run(&random, 300, 12, 60);
        for (wsf_run_head *head = NULL; (head = wsf_run_next_head(run, head)) != NULL;)
            head->wanted = next_random(&random) % 2 == 0;
        wsf_run_head_of(run, 7)->wanted = true;
        uint32_t numbers[300];
        uint32_t wanted = 0;
        for (uint32_t i = 0; i < run->count; i++)
            if (wsf_run_head_of(run, i)->wanted)
                numbers[wanted++] = i;
        wsfan_message *part = wsf_run_pick(wsf_span_of(run));
        round_trip(wsf_span_of(part), numbers);
        if (part->count > 2)
            round_trip((wsf_span){ part, 1, part->count - 1 }, numbers);
        wsfan_message_unref(run);
        wsfan_message_unref(part);
    }
}
END_TEST

START_TEST(the_payloads_of_a_large_run_are_the_second_part) {
    uint64_t random = 23;
    unsigned apart = 0;
    for (unsigned round = 0; round < 30; round++) {
        wsfan_message *run = random_run(&random, 20 + round, 5, 500);
        apart += wsf_span_is_apart(wsf_span_of(run));
        round_trip(wsf_span_of(run), NULL);
        wsfan_message_unref(run);
    }
    ck_assert_uint_gt(apart, 0);
    ck_assert_uint_lt(apart, 30);
}
END_TEST

START_TEST(as_many_heads_as_a_run_may_have_are_read) {
    wsf_run_writer writer;
    static uint8_t payload[8];
    wsfan_message *run = run_begin(&writer, WSF_RUN_BYTES_MAX);
    for (uint32_t i = 0; i < WSF_RUN_HEADS_MAX; i++) {
        char name[8];
        snprintf(name, sizeof name, "%u", i);
        ck_assert(run_write(&writer, name, RUN_NOBODY, numbered(payload, i, 4)));
    }
    ck_assert_uint_eq(run->run->heads_count, WSF_RUN_HEADS_MAX);
    round_trip(wsf_span_of(run), NULL);
    round_trip((wsf_span){ run, 1000, 1001 }, NULL);
    wsfan_message_unref(run);
}
END_TEST

START_TEST(an_entry_of_what_fits_is_within_the_room_and_of_one_more_may_not_be) {
    uint64_t random = 24;
    for (unsigned round = 0; round < 30; round++) {
        wsfan_message *run = random_run(&random, 200, 1 + round % 50, round % 2 == 0 ? 20 : 400);
        for (unsigned part = 0; part < 10; part++) {
            uint32_t from = (uint32_t)(next_random(&random) % run->count);
            wsf_span span = { run, from == 0 ? 1 : from, run->count };
            if (span.from == run->count)
                break;
            size_t room = next_random(&random) % 30000;
            uint32_t fit = wsf_span_fit(span, room);
            ck_assert_uint_le(fit, wsf_span_count(span));
            wsf_span first = { run, span.from, span.from + fit };
            if (fit > 0) {
                ck_assert_uint_le(wsf_span_bound(first), room);
                round_trip(first, NULL);
            }
            first.to++;
            if (first.to <= span.to)
                ck_assert_uint_gt(wsf_span_bound(first), room);
        }
        wsfan_message_unref(run);
    }
}
END_TEST

/* ------------------------------------------------------------------------------- broken entries */

typedef struct {
    uint8_t kind;
    bool except;
    size_t name_size;
    size_t name_missing; /* bytes of it that are not there */
} told_head;

/* An entry that each test breaks in one place. */
typedef struct {
    uint64_t clock;
    told_head heads[WSF_RUN_HEADS_MAX + 1];
    uint32_t heads_count;
    size_t heads_bytes_more;
    struct {
        uint64_t size;
        uint64_t head;
        uint64_t offset;
    } index[WSF_RUN_COUNT_MAX + 1];
    uint32_t count;
    uint32_t index_bytes_more; /* or fewer */
    size_t payloads_size;
    bool apart;
    unsigned fields; /* 0: as many as there are */
} told;

static told t;

static void tell_right(void) {
    memset(&t, 0, sizeof t);
    t.clock = 1000;
    t.heads_count = 2;
    t.heads[0] = (told_head){ .kind = WSFAN_CHAT, .name_size = 3 };
    t.heads[1] = (told_head){ .kind = WSFAN_USER, .except = true, .name_size = 1 };
    t.count = 3;
    for (uint32_t i = 0; i < 3; i++) {
        t.index[i].size = 10 * i; /* the first one is empty */
        t.index[i].head = i % 2;
        t.index[i].offset = 5 * i;
    }
    t.payloads_size = 30;
}

static void pack_bin(msgpack_packer *packer, const void *data, size_t size) {
    msgpack_pack_bin(packer, size);
    msgpack_pack_bin_body(packer, data, size);
}

static int append(void *data, const char *bytes, size_t size) {
    wsf_writer *writer = data;
    ck_assert_uint_le(size, writer->capacity - writer->size);
    memcpy(writer->data + writer->size, bytes, size);
    writer->size += size;
    return 0;
}

static size_t write_head(uint8_t *heads, size_t at, const told_head *head) {
    heads[at++] = (uint8_t)(head->kind | (head->except ? WSF_MESSAGES_EXCEPT : 0));
    heads[at++] = WSFAN_BINARY;
    heads[at++] = (uint8_t)(head->name_size >> 8);
    heads[at++] = (uint8_t)head->name_size;
    if (head->except) {
        wsf_put_u64(heads + at, 7);
        wsf_put_u64(heads + at + 8, 8);
        at += WSF_MESSAGES_EXCEPT_SIZE;
    }
    memset(heads + at, 'n', head->name_size);
    return at + head->name_size - head->name_missing;
}

static void write_told(wsf_writer *writer) {
    static uint8_t filling[100000];
    static uint8_t index[(WSF_RUN_COUNT_MAX + 2) * WSF_MESSAGE_AT_SIZE];
    static uint8_t heads[2 * 65536];
    msgpack_packer packer;
    msgpack_packer_init(&packer, writer, append);
    unsigned fields = t.fields != 0 ? t.fields : t.apart ? 4 : 5;
    msgpack_pack_array(&packer, fields);
    msgpack_pack_uint32(&packer, WSF_MESSAGES);
    if (fields > 1)
        msgpack_pack_uint64(&packer, t.clock);
    size_t size = 0;
    for (uint32_t i = 0; i < t.heads_count; i++)
        size = write_head(heads, size, &t.heads[i]);
    if (fields > 2)
        pack_bin(&packer, heads, size + t.heads_bytes_more);
    for (uint32_t i = 0; i < t.count; i++)
        wsf_put_u64(index + (size_t)i * WSF_MESSAGE_AT_SIZE,
                    t.index[i].size << 32 | t.index[i].head << 16 | t.index[i].offset);
    if (fields > 3)
        pack_bin(&packer, index, (size_t)t.count * WSF_MESSAGE_AT_SIZE + t.index_bytes_more);
    if (fields > 4)
        pack_bin(&packer, filling, t.payloads_size);
    for (unsigned i = 5; i < fields; i++)
        msgpack_pack_nil(&packer);
}

/* What it is read as; what follows is read whatever it is. */
static int read_told_with(wsf_buffer *rest) {
    wsf_writer writer = begin(rest);
    write_told(&writer);
    wsf_write_lost(&writer, 5, 6, 0);
    int result = read_first(&writer, rest);
    ck_assert_int_eq(entry.type, WSF_MESSAGES);
    wsf_entry behind;
    ck_assert_int_eq(wsf_reader_next(reader, &behind), 1);
    ck_assert_int_eq(behind.type, WSF_LOST);
    ck_assert_uint_eq(behind.lost.count, 5);
    ck_assert_int_eq(wsf_reader_next(reader, &behind), 0);
    return result;
}

static int read_told(void) {
    return read_told_with(NULL);
}

#define REFUSED(change)                                                                            \
    do {                                                                                           \
        tell_right();                                                                              \
        change;                                                                                    \
        ck_assert_msg(read_told() == WSFAN_EINVAL, "%s", #change);                                 \
    } while (0)

#define TAKEN(change)                                                                              \
    do {                                                                                           \
        tell_right();                                                                              \
        change;                                                                                    \
        ck_assert_msg(read_told() == 1, "%s", #change);                                            \
    } while (0)

START_TEST(an_entry_that_is_right_is_taken) {
    TAKEN((void)0);
    ck_assert_uint_eq(entry.messages.count, 3);
    ck_assert_uint_eq(entry.messages.heads_count, 2);
    ck_assert_uint_eq(entry.messages.heads[0].except.node, 0);
    ck_assert_uint_eq(entry.messages.heads[0].except.session, 0);
    ck_assert_uint_eq(entry.messages.heads[1].except.node, 7);
    ck_assert_uint_eq(entry.messages.heads[1].except.session, 8);
    TAKEN(t.clock = UINT64_MAX);
    TAKEN(t.fields = 7); /* of a later version */
    TAKEN(t.index[2].offset = UINT16_MAX);
    TAKEN(t.heads[0].name_size = UINT16_MAX);
}
END_TEST

START_TEST(a_wrong_index_is_refused) {
    REFUSED(t.count = 0);
    REFUSED(t.count = 0; t.payloads_size = 0);
    for (uint32_t more = 1; more < WSF_MESSAGE_AT_SIZE; more++)
        REFUSED(t.index_bytes_more = more);
    REFUSED(t.index[0].head = 2);
    REFUSED(t.index[2].head = UINT16_MAX);
    REFUSED(t.index[0].offset = 1);
    REFUSED(t.index[1].offset = 0);
    REFUSED(t.index[2].offset = 5);
    REFUSED(t.index[2].offset = 4);
    tell_right();
    t.count = WSF_RUN_COUNT_MAX + 1;
    for (uint32_t i = 0; i < t.count; i++) {
        t.index[i].size = t.index[i].head = 0;
        t.index[i].offset = i;
    }
    t.payloads_size = 0;
    ck_assert_int_eq(read_told(), WSFAN_EINVAL);
    t.count--;
    ck_assert_int_eq(read_told(), 1);
}
END_TEST

START_TEST(sizes_that_do_not_add_up_are_refused) {
    REFUSED(t.payloads_size = 29);
    REFUSED(t.payloads_size = 31);
    REFUSED(t.payloads_size = 0);
    REFUSED(t.index[0].size = 1);
    REFUSED(t.index[1].size = UINT32_MAX);
    REFUSED(t.index[1].size = UINT32_MAX; t.index[2].size = 31); /* the right sum, modulo 2^32 */
    TAKEN(t.index[1].size = 0; t.index[2].size = 30);
}
END_TEST

START_TEST(heads_of_anything_but_a_chat_or_user_with_a_name_are_refused) {
    for (unsigned kind = 0; kind < WSF_MESSAGES_EXCEPT; kind++)
        for (unsigned h = 0; h < 2; h++)
            if (kind != WSFAN_CHAT && kind != WSFAN_USER)
                REFUSED(t.heads[h].kind = (uint8_t)kind);
    REFUSED(t.heads[0].name_size = 0);
    REFUSED(t.heads[1].name_size = 0);
    REFUSED(t.heads_count = 0);
    REFUSED(t.heads_count = 1);
    REFUSED(t.heads[1].name_missing = 1);
    REFUSED(t.heads[1].except = false; t.heads[1].name_size = 3; t.heads[1].name_missing = 3);
    REFUSED(t.heads[1].name_missing = 1 + WSF_MESSAGES_EXCEPT_SIZE);
    for (size_t more = 1; more <= WSF_MESSAGES_HEAD_SIZE; more++)
        REFUSED(t.heads_bytes_more = more); /* of zeros */
    tell_right();
    t.heads_count = WSF_RUN_HEADS_MAX + 1;
    for (uint32_t i = 0; i < t.heads_count; i++)
        t.heads[i] = (told_head){ .kind = WSFAN_CHAT, .name_size = 1 };
    ck_assert_int_eq(read_told(), WSFAN_EINVAL);
    t.heads_count--;
    ck_assert_int_eq(read_told(), 1);
}
END_TEST

START_TEST(an_entry_with_a_field_missing_is_refused) {
    REFUSED(t.fields = 1);
    REFUSED(t.fields = 2);
    REFUSED(t.fields = 3);
    REFUSED(t.fields = 4);
    REFUSED(t.apart = true); /* without a second part */
}
END_TEST

START_TEST(payloads_apart_are_all_of_the_second_part) {
    wsf_buffer *rest = wsf_buffer_new(31);
    memset(rest->data, 'r', 31);
    rest->size = 30;
    tell_right();
    t.apart = true;
    ck_assert_int_eq(read_told_with(rest), 1);
    ck_assert(entry.messages.apart);
    ck_assert_ptr_eq(entry.messages.payloads.data, rest->data);
    rest->size = 29;
    ck_assert_int_eq(read_told_with(rest), WSFAN_EINVAL);
    rest->size = 31;
    ck_assert_int_eq(read_told_with(rest), WSFAN_EINVAL);
    /* One entry has it. */
    rest->size = 30;
    wsf_writer writer = begin(rest);
    write_told(&writer);
    write_told(&writer);
    ck_assert_int_eq(read_first(&writer, rest), 1);
    ck_assert_int_eq(wsf_reader_next(reader, &entry), WSFAN_EINVAL);
    wsf_buffer_unref(rest);
}
END_TEST

SUITE_MAIN("messages", runs_and_ranges_of_them_are_read_as_they_were_written,
           parts_of_runs_keep_the_clocks_of_what_was_between,
           the_payloads_of_a_large_run_are_the_second_part,
           as_many_heads_as_a_run_may_have_are_read,
           an_entry_of_what_fits_is_within_the_room_and_of_one_more_may_not_be,
           an_entry_that_is_right_is_taken, a_wrong_index_is_refused,
           sizes_that_do_not_add_up_are_refused,
           heads_of_anything_but_a_chat_or_user_with_a_name_are_refused,
           an_entry_with_a_field_missing_is_refused, payloads_apart_are_all_of_the_second_part)
