#include "wire/decode.h"

#include <msgpack.h>
#include <string.h>

#include "suite.h"

enum { RECEIVER = 77, SENDER = 66, CAPACITY = 4096 };

static uint8_t bytes[CAPACITY];

static wsf_writer begin(void) {
    wsf_writer writer = { bytes, sizeof bytes, 0 };
    wsf_frame_head head = {
        .version = 1, .sender = SENDER, .epoch = 5, .number = 9, .ack_epoch = 4, .ack = UINT64_MAX
    };
    wsf_write_head(&writer, RECEIVER, &head);
    return writer;
}

static wsfan_message *message_of(const wsfan_target *targets, uint32_t count, wsfan_bytes payload) {
    wsf_hash_key key;
    wsf_hash_key_init(&key, "c");
    wsf_message_parts parts = { .targets = targets, .targets_count = count, .payload = payload };
    wsfan_message *message = wsf_message_new(&key, &parts);
    message->id.clock = UINT64_C(0x1122334455667788);
    message->flags = WSFAN_BINARY;
    message->except = (wsfan_address){ 1, 2 };
    return message;
}

static void write_request(wsf_writer *writer) {
    wsfan_target targets[] = { { WSFAN_USER, wsfan_string("ann") },
                               { WSFAN_NOT_CHAT, wsfan_string("room") } };
    wsf_request *ask = wsf_request_new(WSFAN_REQUEST_CLOSE,
                                       message_of(targets, 2, wsfan_string("why")), 4999, 6000);
    ask->id = UINT64_MAX;
    wsf_write_request(writer, ask);
    wsf_request_free(ask);
}

static void write_reply(wsf_writer *writer) {
    wsf_answer answer;
    wsf_answer_init(&answer, 10);
    answer.status = WSFAN_EPARTIAL;
    answer.sessions = 3;
    answer.sessions_failed = UINT64_MAX;
    wsf_rows_add(&answer.rows, wsfan_string("k"), wsfan_string("ey"), wsfan_string("text"), 7);
    answer.rows.more = true;
    wsf_write_reply(writer, 12, &answer);
    wsf_answer_destroy(&answer);
}

static void check_talk(wsf_reader *reader) {
    wsf_entry e;
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_int_eq(e.type, WSF_REQUEST);
    ck_assert_uint_eq(e.request.id, UINT64_MAX);
    ck_assert_uint_eq(e.request.kind, WSFAN_REQUEST_CLOSE);
    ck_assert_uint_eq(e.request.ms_max, 6000);
    ck_assert_uint_eq(e.request.number, 4999);
    ck_assert_uint_eq(e.request.targets_count, 2);
    ck_assert_int_eq(e.request.targets[1].kind, WSFAN_NOT_CHAT);
    ck_assert_mem_eq(e.request.targets[1].name.data, "room", 4);
    ck_assert_mem_eq(e.request.payload.data, "why", 3);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_int_eq(e.type, WSF_REPLY);
    ck_assert_uint_eq(e.reply.id, 12);
    ck_assert_uint_eq(e.reply.status, (uint32_t)-WSFAN_EPARTIAL);
    ck_assert_uint_eq(e.reply.sessions, 3);
    ck_assert_uint_eq(e.reply.sessions_failed, UINT64_MAX);
    ck_assert(e.reply.more);
    ck_assert_uint_eq(e.reply.rows_count, 1);
    ck_assert_mem_eq(e.reply.rows[0].key.data, "key", 3);
    ck_assert_mem_eq(e.reply.rows[0].text.data, "text", 4);
    ck_assert_uint_eq(e.reply.rows[0].count, 7);
    ck_assert_uint_eq(e.reply.payload.size, 0);
}

enum { NEIGHBOURS_WRITTEN = 3 };

static void write_single(wsf_writer *writer) {
    wsfan_target target = { WSFAN_CHAT, wsfan_string("room") };
    wsfan_message *message = message_of(&target, 1, wsfan_string("payload"));
    wsf_write_message(writer, message);
    wsfan_message_unref(message);
}

static void write_everything(wsf_writer *writer) {
    wsf_hello hello = { 1,
                        2,
                        3,
                        wsfan_string("cluster"),
                        wsfan_string("name"),
                        1234,
                        wsfan_string("ipc://h:1"),
                        99,
                        100000,
                        true };
    wsfan_target targets[] = { { WSFAN_CHAT, wsfan_string("room") }, { WSFAN_ALL, { NULL, 0 } } };
    wsf_known_peer peers[] = { { 5, wsfan_string("ipc://a:1") }, { 6, wsfan_string("ipc://b:2") } };
    wsfan_message *message = message_of(targets, 2, wsfan_string("payload"));
    wsf_write_hello(writer, &hello);
    wsf_write_number(writer, WSF_HELLO_ACK, 99);
    wsf_write_message(writer, message);
    for (int i = 0; i < NEIGHBOURS_WRITTEN;
         i++) /* of one target: they are read in a way of their own */
        write_single(writer);
    wsf_write_interest(writer, WSF_SNAPSHOT_END, (wsfan_bytes){ "12345678", 8 },
                       (wsfan_bytes){ "abcdefghABCDEFGH", 16 }, NULL);
    wsf_write_peers(writer, peers, 2);
    uint64_t digest = UINT64_MAX;
    wsf_write_heartbeat(writer, 8, &digest);
    wsf_write_nack(writer, (wsf_range[]){ { 3, 3 }, { 5, UINT64_MAX } }, 2);
    wsf_write_lost(writer, 17, WSFAN_GAP_PEER_QUEUE, 0);
    write_request(writer);
    write_reply(writer);
    wsf_write_status(writer, &(wsf_status){ 5, 1000, wsfan_string("http://a/"), { 0, 0 } });
    wsf_write_status(writer, &(wsf_status){ 5, 0, { NULL, 0 }, { UINT64_MAX, 77 } });
    wsf_write_type(writer, WSF_RESYNC);
    wsf_write_type(writer, WSF_BYE);
    wsf_presence_row rows[] = {
        { 77, 2, wsfan_string("ann"), wsfan_string("busy") },
        { 77, 0, wsfan_string("ben"), { NULL, 0 } },
        { UINT64_MAX, 1, wsfan_string("carl"), { NULL, 0 } },
    };
    wsf_write_presence(writer, WSF_PRESENCE_FORGET, 12, rows, 3);
    wsf_write_presence_sum(writer, &(wsf_presence_sum){ 8, 12, UINT64_MAX });
    wsf_write_type(writer, WSF_PRESENCE_RESYNC);
    message->slot = 4711;
    wsf_write_message(writer, message);
    uint64_t serial = 12;
    wsf_write_interest(writer, 0, (wsfan_bytes){ NULL, 0 }, (wsfan_bytes){ NULL, 0 }, &serial);
    wsf_write_mark(writer, &(wsf_mark){ UINT64_MAX, 8, 77 });
    wsf_write_number(writer, WSF_MARK_ASK, 99);
    wsf_write_lost(writer, 0, WSFAN_GAP_AWAY, 77);
    wsf_write_hold(writer, &(wsf_hold){ .flags = WSF_HOLD_FORGET,
                                        .inherits = { "12345678", 8 },
                                        .removes = { "abcdefghABCDEFGH", 16 },
                                        .held = { "87654321", 8 } });
    wsf_write_hold_sum(writer, &(wsf_hold_sum){ 8, UINT64_MAX });
    wsf_write_type(writer, WSF_HOLD_RESYNC);
    wsf_seal(writer);
    wsfan_message_unref(message);
}

/* Of one part. */
static int open_bytes(wsf_reader *reader, const void *data, size_t size, uint64_t receiver,
                      wsf_frame_head *head) {
    wsf_buffer frame = { .data = (uint8_t *)(uintptr_t)data, .size = (uint32_t)size };
    return wsf_reader_open(reader, &frame, receiver, head);
}

/* Reads a frame to its end; returns how many entries were good, *bad how many were not. */
static int read_all(wsf_reader *reader, const uint8_t *data, size_t size, int *bad) {
    wsf_frame_head head;
    wsf_entry entry;
    int good = 0;
    int more;
    *bad = 0;
    if (open_bytes(reader, data, size, RECEIVER, &head) != WSFAN_OK)
        return -1;
    while ((more = wsf_reader_next(reader, &entry)) != 0) {
        if (more == 1)
            good++;
        else
            ++*bad;
        ck_assert_int_lt(good + *bad, 100000);
    }
    return good;
}

START_TEST(every_entry_comes_back_as_it_was_written) {
    wsf_writer writer = begin();
    write_everything(&writer);
    wsf_reader *reader = wsf_reader_new();
    wsf_frame_head head;
    wsf_entry e;
    ck_assert_int_eq(open_bytes(reader, bytes, writer.size, RECEIVER, &head), WSFAN_OK);
    ck_assert_uint_eq(head.sender, SENDER);
    ck_assert_uint_eq(head.epoch, 5);
    ck_assert_uint_eq(head.number, 9);
    ck_assert_uint_eq(head.ack_epoch, 4);
    ck_assert_uint_eq(head.ack, UINT64_MAX);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_int_eq(e.type, WSF_HELLO);
    ck_assert_uint_eq(e.hello.protocol_max, 2);
    ck_assert_uint_eq(e.hello.features, 3);
    ck_assert_mem_eq(e.hello.cluster.data, "cluster", 7);
    ck_assert_mem_eq(e.hello.name.data, "name", 4);
    ck_assert_uint_eq(e.hello.incarnation, 1234);
    ck_assert_mem_eq(e.hello.endpoint.data, "ipc://h:1", 9);
    ck_assert_uint_eq(e.hello.epoch, 99);
    ck_assert_uint_eq(e.hello.frame_size_max, 100000);
    ck_assert(e.hello.met);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_uint_eq(e.hello_ack, 99);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_int_eq(e.type, WSF_MESSAGE);
    ck_assert_uint_eq(e.message.clock, UINT64_C(0x1122334455667788));
    ck_assert_uint_eq(e.message.flags, WSFAN_BINARY);
    ck_assert_uint_eq(e.message.except.node, 1);
    ck_assert_uint_eq(e.message.except.session, 2);
    ck_assert_uint_eq(e.message.targets_count, 2);
    ck_assert_int_eq(e.message.targets[0].kind, WSFAN_CHAT);
    ck_assert_mem_eq(e.message.targets[0].name.data, "room", 4);
    ck_assert_int_eq(e.message.targets[1].kind, WSFAN_ALL);
    ck_assert_mem_eq(e.message.payload.data, "payload", 7);
    ck_assert_uint_eq(e.message.slot, 0);
    for (int i = 0; i < NEIGHBOURS_WRITTEN; i++) {
        ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
        ck_assert_uint_eq(e.message.targets_count, 1);
        ck_assert_mem_eq(e.message.payload.data, "payload", 7);
    }
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_int_eq(e.type, WSF_INTEREST);
    ck_assert_uint_eq(e.interest.flags, WSF_SNAPSHOT_END);
    ck_assert_uint_eq(e.interest.adds.size, 8);
    ck_assert_mem_eq(e.interest.removes.data, "abcdefghABCDEFGH", 16);
    ck_assert(!e.interest.has_serial);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_uint_eq(e.peers.count, 2);
    ck_assert_uint_eq(e.peers.list[1].node, 6);
    ck_assert_mem_eq(e.peers.list[1].endpoint.data, "ipc://b:2", 9);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_uint_eq(e.heartbeat.newest, 8);
    ck_assert(e.heartbeat.has_digest);
    ck_assert_uint_eq(e.heartbeat.digest, UINT64_MAX);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_uint_eq(e.nack.count, 2);
    ck_assert_uint_eq(e.nack.ranges[0].to, 3);
    ck_assert_uint_eq(e.nack.ranges[1].from, 5);
    ck_assert_uint_eq(e.nack.ranges[1].to, UINT64_MAX);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_uint_eq(e.lost.count, 17);
    ck_assert_uint_eq(e.lost.reason, WSFAN_GAP_PEER_QUEUE);
    ck_assert_uint_eq(e.lost.clock, 0);
    check_talk(reader);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_int_eq(e.type, WSF_STATUS);
    ck_assert_uint_eq(e.node_status.flags, 5);
    ck_assert_uint_eq(e.node_status.weight, 1000);
    ck_assert_uint_eq(e.node_status.address.size, 9);
    ck_assert_mem_eq(e.node_status.address.data, "http://a/", 9);
    ck_assert_uint_eq(e.node_status.cluster_epoch.number, 0);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_int_eq(e.type, WSF_STATUS);
    ck_assert_uint_eq(e.node_status.cluster_epoch.number, UINT64_MAX);
    ck_assert_uint_eq(e.node_status.cluster_epoch.birth_ms, 77);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_int_eq(e.type, WSF_RESYNC);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_int_eq(e.type, WSF_BYE);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_int_eq(e.type, WSF_PRESENCE);
    ck_assert_uint_eq(e.presence.flags, WSF_PRESENCE_FORGET);
    ck_assert_uint_eq(e.presence.heard, 12);
    ck_assert_uint_eq(e.presence.count, 3);
    ck_assert_uint_eq(e.presence.rows[0].sessions, 2);
    ck_assert_mem_eq(e.presence.rows[0].metadata.data, "busy", 4);
    ck_assert_uint_eq(e.presence.rows[1].chat_hash, 77);
    ck_assert_mem_eq(e.presence.rows[1].user.data, "ben", 3);
    ck_assert_uint_eq(e.presence.rows[2].chat_hash, UINT64_MAX);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_uint_eq(e.presence_sum.newest, 8);
    ck_assert_uint_eq(e.presence_sum.heard, 12);
    ck_assert_uint_eq(e.presence_sum.digest, UINT64_MAX);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_int_eq(e.type, WSF_PRESENCE_RESYNC);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_uint_eq(e.message.slot, 4711);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert(e.interest.has_serial);
    ck_assert_uint_eq(e.interest.serial, 12);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_int_eq(e.type, WSF_MARK);
    ck_assert_uint_eq(e.mark.clock, UINT64_MAX);
    ck_assert_uint_eq(e.mark.newest, 8);
    ck_assert_uint_eq(e.mark.last, 77);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_int_eq(e.type, WSF_MARK_ASK);
    ck_assert_uint_eq(e.mark_ask, 99);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_int_eq(e.type, WSF_LOST);
    ck_assert_uint_eq(e.lost.clock, 77);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_int_eq(e.type, WSF_HOLD);
    ck_assert_uint_eq(e.hold.flags, WSF_HOLD_FORGET);
    ck_assert_uint_eq(e.hold.adds.size, 0);
    ck_assert_mem_eq(e.hold.inherits.data, "12345678", e.hold.inherits.size);
    ck_assert_uint_eq(e.hold.removes.size, 16);
    ck_assert_mem_eq(e.hold.held.data, "87654321", 8);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_int_eq(e.type, WSF_HOLD_SUM);
    ck_assert_uint_eq(e.hold_sum.newest, 8);
    ck_assert_uint_eq(e.hold_sum.digest, UINT64_MAX);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_int_eq(e.type, WSF_HOLD_RESYNC);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 0);
    wsf_reader_destroy(reader);
}
END_TEST

static bool read_met(wsf_writer *writer) {
    wsf_reader *reader = wsf_reader_new();
    wsf_frame_head head;
    wsf_entry e;
    wsf_seal(writer);
    ck_assert_int_eq(open_bytes(reader, bytes, writer->size, RECEIVER, &head), WSFAN_OK);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_int_eq(e.type, WSF_HELLO);
    bool met = e.hello.met;
    wsf_reader_destroy(reader);
    return met;
}

START_TEST(a_hello_without_the_word_that_its_sender_is_new_is_not_of_a_new_one) {
    wsf_hello hello = { .protocol_min = 1,
                        .protocol_max = 1,
                        .name = wsfan_string("name"),
                        .endpoint = wsfan_string("tcp://192.0.2.1:1"),
                        .epoch = 99 };
    wsf_writer writer = begin();
    size_t at = writer.size;
    wsf_write_hello(&writer, &hello);
    ck_assert(!read_met(&writer));
    ck_assert_uint_eq(bytes[at], 0x9b); /* an array of 11 */
    bytes[at] = 0x9a;
    writer.size--;
    ck_assert(read_met(&writer));
}
END_TEST

/* As docs/protocol.md shows them: another implementation begins with these. */
START_TEST(bytes_are_those_of_the_protocols_example) {
    static const uint8_t frame[] = {
        0x57, 0x53, 0x46, 0x4e, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x4d, 0xf9, 0xe0, 0x70,
        0x8b, 0xfe, 0x1e, 0x8c, 0x95, 0x96, 0x01, 0x42, 0x05, 0x09, 0x04, 0xcd, 0x01, 0x2c, 0x97,
        0x04, 0xcf, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x00, 0x42, 0x07, 0x92, 0x01,
        0xc4, 0x05, 0x6c, 0x6f, 0x62, 0x62, 0x79, 0xc4, 0x02, 0x68, 0x69, 0x93, 0x09, 0x11, 0x01,
    };
    static const uint8_t topic[] = {
        0x57, 0x53, 0x46, 0x49, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x42,
        0x05, 0x77, 0x73, 0x66, 0x61, 0x6e, 0x13, 0x74, 0x63, 0x70, 0x3a, 0x2f, 0x2f, 0x31,
        0x30, 0x2e, 0x30, 0x2e, 0x30, 0x2e, 0x31, 0x3a, 0x37, 0x30, 0x30, 0x30,
    };
    wsf_hash_key key;
    wsf_hash_key_init(&key, "wsfan");
    wsfan_target target = { WSFAN_CHAT, wsfan_string("lobby") };
    wsfan_message *message = wsf_message_new(
        &key, &(wsf_message_parts){
                  .targets = &target, .targets_count = 1, .payload = wsfan_string("hi") });
    message->id.clock = UINT64_C(0x0123456789abcdef);
    message->except = (wsfan_address){ 0x42, 7 };
    wsf_frame_head head = {
        .version = 1, .sender = 0x42, .epoch = 5, .number = 9, .ack_epoch = 4, .ack = 300
    };
    wsf_writer writer = { bytes, sizeof bytes, 0 };
    wsf_write_head(&writer, 0x4d, &head);
    wsf_write_message(&writer, message);
    wsf_write_lost(&writer, 17, WSFAN_GAP_PEER_QUEUE, 0);
    wsf_seal(&writer);
    ck_assert_uint_eq(writer.size, sizeof frame);
    ck_assert_mem_eq(bytes, frame, sizeof frame);
    wsfan_message_unref(message);

    wsf_introduction introduction = { 1, 1, 0x42, "wsfan", "tcp://10.0.0.1:7000" };
    ck_assert_uint_eq(wsf_write_introduction(bytes, &introduction), sizeof topic);
    ck_assert_mem_eq(bytes, topic, sizeof topic);

    ck_assert_uint_eq(wsf_hash_target(&key, &target), UINT64_C(0xc480dff7580b1db3));
    target.kind = WSFAN_USER;
    ck_assert_uint_eq(wsf_hash_target(&key, &target), UINT64_C(0xdb13048863173a1d));
}
END_TEST

START_TEST(a_frame_for_another_node_is_refused) {
    wsf_reader *reader = wsf_reader_new();
    wsf_frame_head head;
    wsf_writer writer = begin();
    wsf_seal(&writer);
    ck_assert_int_eq(open_bytes(reader, bytes, writer.size, RECEIVER, &head), WSFAN_OK);
    ck_assert_int_eq(open_bytes(reader, bytes, writer.size, RECEIVER + 1, &head), WSFAN_EINVAL);
    wsf_reader_destroy(reader);
}
END_TEST

START_TEST(a_frame_that_was_damaged_anywhere_is_refused) {
    wsf_writer writer = begin();
    write_everything(&writer);
    wsf_reader *reader = wsf_reader_new();
    int bad;
    for (size_t bit = 0; bit < writer.size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_int_eq(read_all(reader, bytes, writer.size, &bad), -1);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t size = 0; size < writer.size; size++) {
        uint8_t *copy = malloc(size + 1); /* so that a sanitizer sees a read past the end */
        memcpy(copy, bytes, size);
        copy = realloc(copy, size > 0 ? size : 1);
        ck_assert_int_eq(read_all(reader, copy, size, &bad), -1);
        free(copy);
    }
    wsf_reader_destroy(reader);
}
END_TEST

/* A sender with a bug, or with ill will, seals what it likes. */
static void seal(uint8_t *frame, size_t size) {
    if (size >= WSF_TOPIC_SIZE + WSF_CHECKSUM_SIZE)
        wsf_seal(&(wsf_writer){ frame, size, size });
}

START_TEST(a_cut_frame_with_a_good_seal_is_refused_or_ends_early_at_every_length) {
    wsf_writer writer = begin();
    write_everything(&writer);
    wsf_reader *reader = wsf_reader_new();
    int whole = 0;
    for (size_t size = 0; size < writer.size; size++) {
        uint8_t *copy = malloc(size + 1);
        memcpy(copy, bytes, size);
        copy = realloc(copy, size > 0 ? size : 1);
        seal(copy, size);
        int bad;
        int good = read_all(reader, copy, size, &bad);
        ck_assert_int_lt(good, 25 + NEIGHBOURS_WRITTEN);
        ck_assert_int_eq(bad, 0);
        whole += good > 0;
        free(copy);
    }
    ck_assert_int_eq(whole, 24 + NEIGHBOURS_WRITTEN); /* only where a cut falls between entries */
    wsf_reader_destroy(reader);
}
END_TEST

START_TEST(flipped_bits_and_noise_with_a_good_seal_never_do_harm) {
    uint64_t random = 3;
    wsf_reader *reader = wsf_reader_new();
    for (int round = 0; round < 30000; round++) {
        wsf_writer writer = begin();
        size_t fixed = WSF_TOPIC_SIZE + WSF_CHECKSUM_SIZE;
        write_everything(&writer);
        uint8_t *copy = malloc(writer.size);
        memcpy(copy, bytes, writer.size);
        if (round % 3 == 0)
            for (size_t i = fixed; i < writer.size; i++)
                copy[i] = (uint8_t)next_random(&random);
        for (int flip = 0; flip < 4; flip++) {
            size_t at = fixed + (size_t)(next_random(&random) % (writer.size - fixed));
            copy[at] ^= (uint8_t)(1u << (next_random(&random) % 8));
        }
        seal(copy, writer.size);
        int bad;
        read_all(reader, copy, writer.size, &bad);
        free(copy);
    }
    wsf_reader_destroy(reader);
}
END_TEST

/* Appends raw bytes behind a good head and says how the frame is taken. */
static int read_raw(const void *raw, size_t size, int *bad) {
    wsf_writer writer = begin();
    memcpy(bytes + writer.size, raw, size);
    writer.size += size;
    wsf_seal(&writer);
    wsf_reader *reader = wsf_reader_new();
    int good = read_all(reader, bytes, writer.size, bad);
    wsf_reader_destroy(reader);
    return good;
}

START_TEST(a_length_that_the_frame_does_not_hold_is_refused_before_memory_is_taken) {
    int bad;
    static const uint8_t claims[][6] = {
        { 0xdd, 0x01, 0, 0, 0, 0 },          /* array of 16 Mi: held 512 MiB when unpacked */
        { 0xdf, 0x7f, 0xff, 0xff, 0xff, 0 }, /* map */
        { 0xc6, 0xff, 0xff, 0xff, 0xff, 0 }, /* bin */
        { 0xdb, 0xff, 0xff, 0xff, 0xff, 0 }, /* str */
        { 0xc9, 0xff, 0xff, 0xff, 0xff, 1 }, /* ext */
        { 0xc1, 0, 0, 0, 0, 0 },             /* never used */
    };
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++)
        ck_assert_int_eq(read_raw(claims[i], sizeof claims[i], &bad), -1);
}
END_TEST

START_TEST(nesting_and_object_counts_are_bounded) {
    int bad;
    uint8_t deep[10];
    memset(deep, 0x91, sizeof deep);
    deep[9] = 0xc0;
    ck_assert_int_eq(read_raw(deep, sizeof deep, &bad), -1);
    ck_assert_int_ge(read_raw(deep + 6, 4, &bad), 0);
    static uint8_t many[3 + 3000];
    memset(many, 0x90, sizeof many); /* empty arrays */
    memcpy(many, "\xdc\x0b\xb8", 3);
    ck_assert_int_eq(read_raw(many, sizeof many, &bad), 0);
    ck_assert_int_eq(bad, 1); /* within bounds, but no entry */
}
END_TEST

START_TEST(unknown_entries_and_further_fields_are_skipped) {
    wsf_writer writer = begin();
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    msgpack_pack_array(&packer, 3); /* a type of the future */
    msgpack_pack_int(&packer, 200);
    msgpack_pack_map(&packer, 1);
    msgpack_pack_str_with_body(&packer, "k", 1);
    msgpack_pack_double(&packer, 1.5);
    msgpack_pack_nil(&packer);
    msgpack_pack_array(&packer, 3); /* a heartbeat with one more field */
    msgpack_pack_int(&packer, WSF_HEARTBEAT);
    msgpack_pack_int(&packer, 42);
    msgpack_pack_true(&packer);
    memcpy(bytes + writer.size, buffer.data, buffer.size);
    writer.size += buffer.size;
    wsf_seal(&writer);
    wsf_reader *reader = wsf_reader_new();
    wsf_frame_head head;
    wsf_entry e;
    ck_assert_int_eq(open_bytes(reader, bytes, writer.size, RECEIVER, &head), WSFAN_OK);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_int_eq(e.type, WSF_HEARTBEAT);
    ck_assert_uint_eq(e.heartbeat.newest, 42);
    ck_assert(!e.heartbeat.has_digest);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 0);
    wsf_reader_destroy(reader);
    msgpack_sbuffer_destroy(&buffer);
}
END_TEST

START_TEST(a_known_entry_with_wrong_content_is_reported_and_passed_over) {
    int bad;
    static const uint8_t wrong[] = { 0x92, 0x07, 0xa1, 'x' /* a heartbeat of text */,
                                     0x92, 0x07, 0x2a /* and a good one */ };
    ck_assert_int_eq(read_raw(wrong, sizeof wrong, &bad), 1);
    ck_assert_int_eq(bad, 1);
}
END_TEST

static void pack_bytes(msgpack_packer *packer, wsfan_bytes value) {
    msgpack_pack_bin(packer, value.size);
    msgpack_pack_bin_body(packer, value.data, value.size);
}

START_TEST(a_message_is_written_as_msgpack_would) {
    static uint8_t large[70000];
    static const uint64_t numbers[] = {
        0, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000, 0xffffffff, UINT64_C(0x100000000), UINT64_MAX
    };
    static const size_t sizes[] = { 1, 31, 32, 255, 256, 65535, 65536 };
    static uint8_t out[200000];
    for (uint32_t round = 0; round < 7 * 10; round++) {
        wsfan_target targets[20];
        uint32_t count = round % 20 + 1;
        for (uint32_t t = 0; t < count; t++)
            targets[t] = (wsfan_target){ WSFAN_USER, { large, 1 + t * round * 3 } };
        wsfan_message *message = message_of(targets, count,
                                            (wsfan_bytes){ large, sizes[round % 7] });
        message->id.clock = numbers[round % 10];
        message->except = (wsfan_address){ numbers[(round + 3) % 10], numbers[(round + 7) % 10] };
        wsf_writer writer = { out, sizeof out, 0 };
        wsf_write_message(&writer, message);

        msgpack_sbuffer buffer;
        msgpack_packer packer;
        msgpack_sbuffer_init(&buffer);
        msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
        msgpack_pack_array(&packer, 7);
        msgpack_pack_uint64(&packer, WSF_MESSAGE);
        msgpack_pack_uint64(&packer, message->id.clock);
        msgpack_pack_uint64(&packer, message->flags);
        msgpack_pack_uint64(&packer, message->except.node);
        msgpack_pack_uint64(&packer, message->except.session);
        msgpack_pack_array(&packer, (size_t)count * 2);
        for (uint32_t t = 0; t < count; t++) {
            msgpack_pack_uint64(&packer, targets[t].kind);
            pack_bytes(&packer, targets[t].name);
        }
        pack_bytes(&packer, wsfan_message_payload(message));
        ck_assert_uint_eq(writer.size, buffer.size);
        ck_assert_mem_eq(out, buffer.data, buffer.size);
        msgpack_sbuffer_destroy(&buffer);
        wsfan_message_unref(message);
    }
}
END_TEST

enum { NEIGHBOURS = 400 };

typedef struct {
    uint64_t clock;
    uint32_t flags;
    wsfan_address except;
    uint32_t name;
    uint32_t names_count;
    uint32_t payload_size;
} neighbour;

/* Each differs from the one before in one way at most, or is for two chats. */
static neighbour next_neighbour(neighbour n, uint64_t *random) {
    n.clock += 1 + next_random(random) % 3;
    n.payload_size = (uint32_t)(next_random(random) % 4 == 0 ? next_random(random) % 300 : 40);
    n.names_count = next_random(random) % 8 == 0 ? 2 : 1;
    switch (next_random(random) % 8) {
    case 0:
        n.flags ^= WSFAN_BINARY;
        break;
    case 1:
        n.except.node = next_random(random) % 3 == 0 ? 0 : next_random(random);
        break;
    case 2:
        n.except.session = (uint64_t)1 << next_random(random) % 64;
        break;
    case 3:
        n.name = (uint32_t)next_random(random);
        break;
    case 4:
        if (next_random(random) % 4 == 0) /* to one of fewer bytes, or back */
            n.clock = n.clock < UINT32_MAX ? UINT64_C(1) << 60 : 5;
        break;
    default:
        break;
    }
    return n;
}

static void check_neighbour(const wsf_entry *e, const neighbour *n, const uint8_t *filling) {
    ck_assert_int_eq(e->type, WSF_MESSAGE);
    ck_assert_uint_eq(e->message.clock, n->clock);
    ck_assert_uint_eq(e->message.flags, n->flags);
    ck_assert_uint_eq(e->message.except.node, n->except.node);
    ck_assert_uint_eq(e->message.except.session, n->except.session);
    ck_assert_uint_eq(e->message.targets_count, n->names_count);
    for (uint32_t t = 0; t < n->names_count; t++) {
        ck_assert_int_eq(e->message.targets[t].kind, WSFAN_CHAT);
        ck_assert_uint_eq(e->message.targets[t].name.size, 4);
        ck_assert_mem_eq(e->message.targets[t].name.data, &n->name, 4);
    }
    ck_assert_uint_eq(e->message.payload.size, n->payload_size);
    if (n->payload_size > 0)
        ck_assert_mem_eq(e->message.payload.data, filling, n->payload_size);
}

START_TEST(neighbours_are_read_as_they_are_whatever_they_have_in_common) {
    static uint8_t frame[200000];
    static neighbour all[NEIGHBOURS];
    static uint8_t filling[300];
    uint64_t random = 12;
    for (size_t i = 0; i < sizeof filling; i++)
        filling[i] = (uint8_t)next_random(&random);
    wsf_writer head = begin();
    memcpy(frame, bytes, head.size);
    wsf_writer writer = { frame, sizeof frame, head.size };
    neighbour n = { .clock = UINT64_C(1) << 60, .name = 1, .names_count = 1 };
    for (int i = 0; i < NEIGHBOURS; i++) {
        n = all[i] = next_neighbour(n, &random);
        wsfan_target target = { WSFAN_CHAT, { &all[i].name, 4 } };
        wsfan_message *message = message_of((wsfan_target[]){ target, target }, n.names_count,
                                            (wsfan_bytes){ filling, n.payload_size });
        message->id.clock = n.clock;
        message->flags = (uint8_t)n.flags;
        message->except = n.except;
        wsf_write_message(&writer, message);
        wsfan_message_unref(message);
    }
    wsf_seal(&writer);
    wsf_reader *reader = wsf_reader_new();
    wsf_frame_head read_head;
    wsf_entry e;
    ck_assert_int_eq(open_bytes(reader, frame, writer.size, RECEIVER, &read_head), WSFAN_OK);
    for (int i = 0; i < NEIGHBOURS; i++) {
        ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
        check_neighbour(&e, &all[i], filling);
    }
    ck_assert_int_eq(wsf_reader_next(reader, &e), 0);
    wsf_reader_destroy(reader);
}
END_TEST

/* -------------------------------------------------------------------------------- second parts */

enum { ROOM = 16, APART_SIZE = 1000 };

static wsfan_message *message_apart(void) {
    static const wsfan_target target = { WSFAN_CHAT, { "chat", 4 } };
    static uint8_t payload[APART_SIZE];
    wsf_hash_key key;
    wsf_hash_key_init(&key, "c");
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 7);
    wsf_message_parts parts = { .targets = &target,
                                .targets_count = 1,
                                .headroom_size = ROOM,
                                .payload = { payload, sizeof payload },
                                .apart = true };
    wsfan_message *message = wsf_message_new(&key, &parts);
    message->id.clock = 99;
    return message;
}

/* A frame with so many entries of this message, whose head tells of a second part as `head` does. */
static wsf_buffer *frame_apart(const wsfan_message *message, wsf_frame_head head, int entries) {
    wsf_buffer *frame = wsf_buffer_new(CAPACITY);
    wsf_writer writer = { frame->data, CAPACITY, 0 };
    head.version = 1;
    head.sender = SENDER;
    wsf_write_head(&writer, RECEIVER, &head);
    for (int i = 0; i < entries; i++)
        wsf_write_message(&writer, message);
    wsf_seal(&writer);
    frame->size = (uint32_t)writer.size;
    return frame;
}

static wsf_frame_head head_apart(const wsfan_message *message) {
    return (wsf_frame_head){ .rest_size = ROOM + APART_SIZE,
                             .rest_room = ROOM,
                             .rest_checksum = wsf_payload_checksum(message->payload, APART_SIZE) };
}

static int open_apart(wsf_reader *reader, wsf_buffer *frame, wsf_buffer *rest) {
    wsf_frame_head head;
    frame->rest = rest; /* borrowed */
    int error = wsf_reader_open(reader, frame, RECEIVER, &head);
    frame->rest = NULL;
    return error;
}

START_TEST(a_payload_that_is_apart_is_the_second_part_behind_its_room) {
    wsfan_message *message = message_apart();
    wsf_buffer *frame = frame_apart(message, head_apart(message), 1);
    wsf_reader *reader = wsf_reader_new();
    wsf_entry e;
    ck_assert_uint_lt(frame->size, WSF_FRAME_HEAD_BOUND + WSF_ENTRY_BOUND);
    ck_assert_int_eq(open_apart(reader, frame, message->frame), WSFAN_OK);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_int_eq(e.type, WSF_MESSAGE);
    ck_assert(e.message.apart);
    ck_assert_uint_eq(e.message.clock, 99);
    ck_assert_uint_eq(e.message.head_size, ROOM);
    ck_assert_ptr_eq(e.message.payload.data, message->frame->data + ROOM);
    ck_assert_uint_eq(e.message.payload.size, APART_SIZE);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 0);
    wsf_reader_destroy(reader);
    wsf_buffer_unref(frame);
    wsfan_message_unref(message);
}
END_TEST

START_TEST(a_second_part_that_is_missing_damaged_or_another_one_voids_the_frame) {
    wsfan_message *message = message_apart();
    wsf_frame_head head = head_apart(message);
    wsf_buffer *frame = frame_apart(message, head, 1);
    wsf_buffer *rest = wsf_buffer_copy(message->frame);
    wsf_reader *reader = wsf_reader_new();
    ck_assert_int_eq(open_apart(reader, frame, NULL), WSFAN_EINVAL);
    for (size_t bit = ROOM * 8; bit < rest->size * 8u; bit++) {
        rest->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_int_eq(open_apart(reader, frame, rest), WSFAN_EINVAL);
        rest->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (rest->size = 0; rest->size < rest->capacity; rest->size++)
        ck_assert_int_eq(open_apart(reader, frame, rest), WSFAN_EINVAL);
    ck_assert_int_eq(open_apart(reader, frame, rest), WSFAN_OK);
    wsf_buffer_unref(frame);

    frame = frame_apart(message, (wsf_frame_head){ .number = 1 }, 0);
    ck_assert_int_eq(open_apart(reader, frame, NULL), WSFAN_OK);
    ck_assert_int_eq(open_apart(reader, frame, rest), WSFAN_EINVAL); /* nobody told of it */
    wsf_buffer_unref(frame);
    wsf_reader_destroy(reader);
    wsf_buffer_unref(rest);
    wsfan_message_unref(message);
}
END_TEST

START_TEST(sizes_of_a_second_part_that_lie_are_refused) {
    wsfan_message *message = message_apart();
    wsf_reader *reader = wsf_reader_new();
    static const uint32_t sizes[] = {
        0, 1, ROOM, APART_SIZE, ROOM + APART_SIZE - 1, ROOM + APART_SIZE + 1, UINT32_MAX
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        wsf_frame_head head = head_apart(message);
        head.rest_size = sizes[i];
        wsf_buffer *frame = frame_apart(message, head, 1);
        ck_assert_int_eq(open_apart(reader, frame, message->frame), WSFAN_EINVAL);
        wsf_buffer_unref(frame);
        head = head_apart(message);
        head.rest_room = sizes[i];
        frame = frame_apart(message, head, 1);
        ck_assert_int_eq(open_apart(reader, frame, message->frame),
                         sizes[i] == ROOM ? WSFAN_OK : WSFAN_EINVAL);
        wsf_buffer_unref(frame);
    }
    wsf_reader_destroy(reader);
    wsfan_message_unref(message);
}
END_TEST

/* Two messages would have the same headroom. */
START_TEST(a_second_part_belongs_to_one_message_and_no_message_has_it_without_one) {
    wsfan_message *message = message_apart();
    wsf_reader *reader = wsf_reader_new();
    wsf_entry e;
    wsf_buffer *frame = frame_apart(message, head_apart(message), 2);
    ck_assert_int_eq(open_apart(reader, frame, message->frame), WSFAN_OK);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 1);
    ck_assert_int_eq(wsf_reader_next(reader, &e), WSFAN_EINVAL);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 0);
    wsf_buffer_unref(frame);
    frame = frame_apart(message, (wsf_frame_head){ .number = 1 }, 1);
    ck_assert_int_eq(open_apart(reader, frame, NULL), WSFAN_OK);
    ck_assert_int_eq(wsf_reader_next(reader, &e), WSFAN_EINVAL);
    ck_assert_int_eq(wsf_reader_next(reader, &e), 0);
    wsf_buffer_unref(frame);
    wsf_reader_destroy(reader);
    wsfan_message_unref(message);
}
END_TEST

START_TEST(a_message_is_never_larger_than_its_bound) {
    static uint8_t large[200000];
    static uint8_t name[65535];
    static const size_t sizes[] = { 0, 1, 31, 32, 255, 256, 65535, 65536 };
    for (size_t p = 0; p < sizeof sizes / sizeof *sizes; p++)
        for (size_t n = 1; n < 7; n++) {
            wsfan_target target = { WSFAN_CHAT, { name, sizes[n] } };
            wsfan_message *message = message_of(&target, 1, (wsfan_bytes){ large, sizes[p] });
            message->id.clock = message->except.node = message->except.session = UINT64_MAX;
            uint8_t *out = malloc(wsf_message_bound(message));
            wsf_writer writer = { out, wsf_message_bound(message), 0 };
            wsf_write_message(&writer, message); /* asserts that it fits */
            ck_assert_uint_le(WSF_FRAME_HEAD_BOUND + writer.size,
                              wsf_frame_bound(sizes[p], sizes[n], 1));
            free(out);
            wsfan_message_unref(message);
        }
}
END_TEST

START_TEST(heads_and_control_entries_fit_their_bounds) {
    uint8_t text[WSF_ENDPOINT_SIZE_MAX];
    memset(text, 'x', sizeof text);
    wsf_range ranges[WSF_NACK_RANGES_MAX];
    for (int i = 0; i < WSF_NACK_RANGES_MAX; i++)
        ranges[i] = (wsf_range){ UINT64_MAX, UINT64_MAX };
    wsf_frame_head head = { UINT32_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
                            UINT64_MAX, UINT32_MAX, UINT32_MAX, UINT64_MAX };
    wsf_hello hello = { UINT32_MAX,
                        UINT32_MAX,
                        UINT64_MAX,
                        { text, WSF_CLUSTER_SIZE_MAX },
                        { text, WSF_NAME_SIZE_MAX },
                        UINT64_MAX,
                        { text, WSF_ENDPOINT_SIZE_MAX },
                        UINT64_MAX,
                        UINT64_MAX,
                        true };
    uint64_t digest = UINT64_MAX;
    wsf_writer writer = { bytes, WSF_FRAME_HEAD_BOUND, 0 }; /* writing asserts that it fits */
    wsf_write_head(&writer, UINT64_MAX, &head);
    writer = (wsf_writer){ bytes, WSF_HELLO_BOUND, 0 };
    wsf_write_hello(&writer, &hello);
    writer = (wsf_writer){ bytes, WSF_ENTRY_BOUND, 0 };
    wsf_write_heartbeat(&writer, UINT64_MAX, &digest);
    writer = (wsf_writer){ bytes, WSF_NACK_BOUND, 0 };
    wsf_write_nack(&writer, ranges, WSF_NACK_RANGES_MAX);
    writer = (wsf_writer){ bytes, WSF_ENTRY_BOUND + WSF_KNOWN_PEER_BOUND, 0 };
    wsf_write_peers(&writer, &(wsf_known_peer){ UINT64_MAX, { text, WSF_ENDPOINT_SIZE_MAX } }, 1);
    writer = (wsf_writer){ bytes, WSF_ENTRY_BOUND, 0 };
    wsf_write_lost(&writer, UINT64_MAX, UINT64_MAX, UINT64_MAX);
    writer = (wsf_writer){ bytes, WSF_ENTRY_BOUND, 0 };
    wsf_write_mark(&writer, &(wsf_mark){ UINT64_MAX, UINT64_MAX, UINT64_MAX });
    static uint8_t large[70000];
    wsfan_bytes hashes = { large, 16384 };
    writer = (wsf_writer){ bytes, WSF_ENTRY_BOUND, 0 };
    wsf_write_hold_sum(&writer, &(wsf_hold_sum){ UINT64_MAX, UINT64_MAX });
    static uint8_t hold[WSF_ENTRY_BOUND + 4 * 16384];
    writer = (wsf_writer){ hold, sizeof hold, 0 };
    wsf_write_hold(&writer, &(wsf_hold){ UINT32_MAX, hashes, hashes, hashes, hashes });
    wsf_answer answer;
    wsf_answer_init(&answer, 10);
    answer.status = WSFAN_ENOTSUP;
    answer.sessions = answer.sessions_failed = UINT64_MAX;
    wsf_rows_add(&answer.rows, (wsfan_bytes){ large, sizeof large }, (wsfan_bytes){ NULL, 0 },
                 (wsfan_bytes){ large, 65535 }, UINT64_MAX);
    static uint8_t out[200000];
    writer = (wsf_writer){ out, wsf_reply_bound(&answer), 0 };
    ck_assert_uint_le(writer.capacity, sizeof out);
    wsf_write_reply(&writer, UINT64_MAX, &answer);
    wsf_answer_destroy(&answer);
    wsfan_target all = { WSFAN_ALL, { NULL, 0 } };
    wsf_request *ask = wsf_request_new(WSFAN_REQUEST_SEND,
                                       message_of(&all, 1, (wsfan_bytes){ large, 70000 }),
                                       UINT32_MAX, UINT32_MAX);
    ask->id = UINT64_MAX;
    writer = (wsf_writer){ out, wsf_message_bound(ask->message), 0 };
    wsf_write_request(&writer, ask);
    wsf_request_free(ask);
}
END_TEST

START_TEST(an_introduction_comes_back_and_fits_at_its_largest) {
    wsf_introduction in = { .protocol_min = 1, .protocol_max = 3, .node = 12345 };
    wsf_introduction out;
    uint8_t topic[WSF_INTRODUCTION_SIZE_MAX];
    memset(in.cluster, 'c', WSF_CLUSTER_SIZE_MAX);
    memset(in.endpoint, 'e', WSF_ENDPOINT_SIZE_MAX);
    memcpy(in.endpoint, "ipc://", 6);
    size_t size = wsf_write_introduction(topic, &in);
    ck_assert_uint_le(size, sizeof topic);
    ck_assert_int_eq(wsf_read_topic(topic, size, &out), WSF_TOPIC_INTRODUCTION);
    ck_assert_uint_eq(out.node, 12345);
    ck_assert_uint_eq(out.protocol_max, 3);
    ck_assert_str_eq(out.cluster, in.cluster);
    ck_assert_str_eq(out.endpoint, in.endpoint);
    for (size_t cut = 0; cut < size; cut++)
        ck_assert_int_eq(wsf_read_topic(topic, cut, &out), WSF_TOPIC_OTHER);
    uint8_t inbox[WSF_TOPIC_SIZE];
    wsf_write_inbox(inbox, 12345);
    ck_assert_int_eq(wsf_read_topic(inbox, sizeof inbox, &out), WSF_TOPIC_INBOX);
    ck_assert_uint_eq(out.node, 12345);
}
END_TEST

START_TEST(a_topic_of_noise_is_neither) {
    uint64_t random = 4;
    wsf_introduction out;
    for (int round = 0; round < 20000; round++) {
        size_t size = next_random(&random) % 64;
        uint8_t *topic = malloc(size + 1);
        for (size_t i = 0; i < size; i++)
            topic[i] = (uint8_t)next_random(&random);
        if (round % 2 == 0 && size >= 4)
            memcpy(topic, "WSFI", 4);
        wsf_topic_kind kind = wsf_read_topic(topic, size, &out);
        ck_assert(kind == WSF_TOPIC_OTHER || out.node != 0);
        free(topic);
    }
}
END_TEST

SUITE_MAIN("wire", every_entry_comes_back_as_it_was_written,
           a_hello_without_the_word_that_its_sender_is_new_is_not_of_a_new_one,
           bytes_are_those_of_the_protocols_example, a_frame_for_another_node_is_refused,
           a_frame_that_was_damaged_anywhere_is_refused,
           a_cut_frame_with_a_good_seal_is_refused_or_ends_early_at_every_length,
           flipped_bits_and_noise_with_a_good_seal_never_do_harm,
           a_length_that_the_frame_does_not_hold_is_refused_before_memory_is_taken,
           nesting_and_object_counts_are_bounded, unknown_entries_and_further_fields_are_skipped,
           a_known_entry_with_wrong_content_is_reported_and_passed_over,
           a_message_is_written_as_msgpack_would,
           neighbours_are_read_as_they_are_whatever_they_have_in_common,
           a_payload_that_is_apart_is_the_second_part_behind_its_room,
           a_second_part_that_is_missing_damaged_or_another_one_voids_the_frame,
           sizes_of_a_second_part_that_lie_are_refused,
           a_second_part_belongs_to_one_message_and_no_message_has_it_without_one,
           a_message_is_never_larger_than_its_bound, heads_and_control_entries_fit_their_bounds,
           an_introduction_comes_back_and_fits_at_its_largest, a_topic_of_noise_is_neither)
