/* Frames as released versions wrote them are read as they were meant. They stand in stored.txt, which grows and does not
 * change: a line that had to change there would be a frame that nodes of that version still send. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "suite.h"
#include "wire/decode.h"

enum { LINE_MAX_SIZE = 4096, FRAME_MAX = 1024, TYPES_MAX = 32 };

/* Every kind of entry. A kind without a case in describe() is a warning of the compiler. */
static const wsf_entry_type types[] = {
    WSF_HELLO,  WSF_HELLO_ACK, WSF_REFUSE,      WSF_MESSAGE,      WSF_INTEREST,
    WSF_PEERS,  WSF_HEARTBEAT, WSF_NACK,        WSF_LOST,         WSF_BYE,
    WSF_RESYNC, WSF_STATUS,    WSF_REQUEST,     WSF_REPLY,        WSF_MESSAGES,
    WSF_MARK,   WSF_MARK_ASK,  WSF_PRESENCE,    WSF_PRESENCE_SUM, WSF_PRESENCE_RESYNC,
    WSF_HOLD,   WSF_HOLD_SUM,  WSF_HOLD_RESYNC,
};

static char text[LINE_MAX_SIZE];
static size_t text_size;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
    va_list values;
    va_start(values, format);
    text_size += (size_t)vsnprintf(text + text_size, sizeof text - text_size, format, values);
    va_end(values);
    ck_assert_uint_lt(text_size, sizeof text);
}

static void say_bytes(const char *name, wsfan_bytes bytes) {
    const uint8_t *data = bytes.data;
    say(" %s \"", name);
    for (size_t i = 0; i < bytes.size; i++)
        say(isprint(data[i]) && data[i] != '"' && data[i] != '\\' ? "%c" : "\\x%02x", data[i]);
    say("\"");
}

static void say_number(const char *name, uint64_t number) {
    say(" %s %llu", name, (unsigned long long)number);
}

static void say_target(const wsfan_target *target) {
    say_number("kind", (uint64_t)target->kind);
    say_bytes("name", target->name);
}

static void say_except(wsfan_address except) {
    say_number("except", except.node);
    say_number("session", except.session);
}

static void describe_hello(const wsf_hello *hello) {
    say("HELLO");
    say_number("min", hello->protocol_min);
    say_number("max", hello->protocol_max);
    say_number("features", hello->features);
    say_bytes("cluster", hello->cluster);
    say_bytes("name", hello->name);
    say_number("incarnation", hello->incarnation);
    say_bytes("endpoint", hello->endpoint);
    say_number("epoch", hello->epoch);
    say_number("frame_size_max", hello->frame_size_max);
    say_number("met", hello->met);
}

static void describe_message(const wsf_message_entry *message) {
    say(message->apart ? "MESSAGE-APART" : "MESSAGE");
    say_number("clock", message->clock);
    say_number("flags", message->flags);
    say_except(message->except);
    for (uint32_t i = 0; i < message->targets_count; i++)
        say_target(&message->targets[i]);
    say_bytes("payload", message->payload);
    say_number("slot", message->slot);
}

static void describe_messages(const wsf_messages *messages) {
    const uint8_t *payload = messages->payloads.data;
    say("MESSAGES");
    say_number("apart", messages->apart);
    for (uint32_t i = 0; i < messages->count; i++) {
        wsf_message_at at = wsf_get_message_at(messages->index, i);
        const wsf_messages_head *head = &messages->heads[at.head];
        say_number("clock", messages->clock + at.offset);
        say_number("flags", head->flags);
        say_except(head->except);
        say_target(&head->target);
        say_bytes("payload", (wsfan_bytes){ payload, at.payload_size });
        payload += at.payload_size;
    }
}

static void describe_request(const wsf_entry *entry) {
    say("REQUEST");
    say_number("id", entry->request.id);
    say_number("kind", entry->request.kind);
    say_number("ms_max", entry->request.ms_max);
    say_number("number", entry->request.number);
    for (uint32_t i = 0; i < entry->request.targets_count; i++)
        say_target(&entry->request.targets[i]);
    say_bytes("payload", entry->request.payload);
}

static void describe_reply(const wsf_entry *entry) {
    say("REPLY");
    say_number("id", entry->reply.id);
    say_number("status", entry->reply.status);
    say_number("sessions", entry->reply.sessions);
    say_number("failed", entry->reply.sessions_failed);
    say_number("more", entry->reply.more);
    for (uint32_t i = 0; i < entry->reply.rows_count; i++) {
        say_bytes("key", entry->reply.rows[i].key);
        say_bytes("text", entry->reply.rows[i].text);
        say_number("count", entry->reply.rows[i].count);
    }
    say_bytes("payload", entry->reply.payload);
}

static void describe_interest(const wsf_entry *entry) {
    say("INTEREST");
    say_number("flags", entry->interest.flags);
    say_bytes("adds", entry->interest.adds);
    say_bytes("removes", entry->interest.removes);
    if (entry->interest.has_serial)
        say_number("serial", entry->interest.serial);
}

static void describe_presence(const wsf_entry *entry) {
    say("PRESENCE");
    say_number("flags", entry->presence.flags);
    say_number("heard", entry->presence.heard);
    for (uint32_t i = 0; i < entry->presence.count; i++) {
        const wsf_presence_row *row = &entry->presence.rows[i];
        say_number("chat", row->chat_hash);
        say_number("sessions", row->sessions);
        say_bytes("user", row->user);
        say_bytes("metadata", row->metadata);
    }
}

static void describe_link(const wsf_entry *entry) {
    if (entry->type == WSF_HEARTBEAT) {
        say("HEARTBEAT");
        say_number("newest", entry->heartbeat.newest);
        if (entry->heartbeat.has_digest)
            say_number("digest", entry->heartbeat.digest);
    } else if (entry->type == WSF_NACK) {
        say("NACK");
        for (uint32_t i = 0; i < entry->nack.count; i++) {
            say_number("from", entry->nack.ranges[i].from);
            say_number("to", entry->nack.ranges[i].to);
        }
    } else {
        say("LOST");
        say_number("count", entry->lost.count);
        say_number("reason", entry->lost.reason);
        say_number("clock", entry->lost.clock);
    }
}

static void describe_node(const wsf_entry *entry) {
    if (entry->type == WSF_PEERS) {
        say("PEERS");
        for (uint32_t i = 0; i < entry->peers.count; i++) {
            say_number("node", entry->peers.list[i].node);
            say_bytes("endpoint", entry->peers.list[i].endpoint);
        }
    } else {
        say("STATUS");
        say_number("flags", entry->node_status.flags);
        say_number("weight", entry->node_status.weight);
        say_bytes("address", entry->node_status.address);
        if (entry->node_status.cluster_epoch.number != 0) {
            say_number("cluster_epoch", entry->node_status.cluster_epoch.number);
            say_number("birth_ms", entry->node_status.cluster_epoch.birth_ms);
        }
    }
}

static void describe_hold(const wsf_hold *hold) {
    say("HOLD");
    say_number("flags", hold->flags);
    say_bytes("adds", hold->adds);
    say_bytes("inherits", hold->inherits);
    say_bytes("removes", hold->removes);
    say_bytes("held", hold->held);
}

static void describe_sums(const wsf_entry *entry) {
    if (entry->type == WSF_MARK) {
        say("MARK");
        say_number("clock", entry->mark.clock);
        say_number("newest", entry->mark.newest);
        say_number("last", entry->mark.last);
    } else if (entry->type == WSF_HOLD_SUM) {
        say("HOLD-SUM");
        say_number("newest", entry->hold_sum.newest);
        say_number("digest", entry->hold_sum.digest);
    } else {
        say("PRESENCE-SUM");
        say_number("newest", entry->presence_sum.newest);
        say_number("heard", entry->presence_sum.heard);
        say_number("digest", entry->presence_sum.digest);
    }
}

static void say_one(const char *name, uint64_t number) {
    say("%s %llu", name, (unsigned long long)number);
}

static void describe(const wsf_entry *entry) {
    switch (entry->type) {
    case WSF_HELLO:
        describe_hello(&entry->hello);
        break;
    case WSF_HELLO_ACK:
        say_one("HELLO-ACK", entry->hello_ack);
        break;
    case WSF_REFUSE:
        say_one("REFUSE", entry->refuse);
        break;
    case WSF_MESSAGE:
    case WSF_MESSAGE_APART:
        describe_message(&entry->message);
        break;
    case WSF_MESSAGES:
        describe_messages(&entry->messages);
        break;
    case WSF_INTEREST:
        describe_interest(entry);
        break;
    case WSF_HEARTBEAT:
    case WSF_NACK:
    case WSF_LOST:
        describe_link(entry);
        break;
    case WSF_PEERS:
    case WSF_STATUS:
        describe_node(entry);
        break;
    case WSF_REQUEST:
        describe_request(entry);
        break;
    case WSF_REPLY:
        describe_reply(entry);
        break;
    case WSF_PRESENCE:
        describe_presence(entry);
        break;
    case WSF_HOLD:
        describe_hold(&entry->hold);
        break;
    case WSF_MARK:
    case WSF_HOLD_SUM:
    case WSF_PRESENCE_SUM:
        describe_sums(entry);
        break;
    case WSF_MARK_ASK:
        say_one("MARK-ASK", entry->mark_ask);
        break;
    case WSF_BYE:
        say("BYE");
        break;
    case WSF_RESYNC:
        say("RESYNC");
        break;
    case WSF_PRESENCE_RESYNC:
        say("PRESENCE-RESYNC");
        break;
    case WSF_HOLD_RESYNC:
        say("HOLD-RESYNC");
        break;
    }
}

static void describe_head(const wsf_frame_head *head) {
    say("FRAME");
    say_number("version", head->version);
    say_number("sender", head->sender);
    say_number("epoch", head->epoch);
    say_number("number", head->number);
    say_number("ack_epoch", head->ack_epoch);
    say_number("ack", head->ack);
    say_number("rest", head->rest_size);
    say_number("room", head->rest_room);
}

/* Hexadecimal digits, and any spaces. */
static uint32_t read_bytes(const char *line, uint8_t *bytes) {
    uint32_t count = 0;
    int used;
    for (; sscanf(line, " %2hhx%n", &bytes[count], &used) == 1; line += used)
        ck_assert_uint_lt(++count, FRAME_MAX);
    ck_assert_str_eq(line, "");
    return count;
}

static bool next_line(FILE *file, char line[LINE_MAX_SIZE]) {
    do {
        if (fgets(line, LINE_MAX_SIZE, file) == NULL)
            return false;
        ck_assert_ptr_nonnull(strchr(line, '\n'));
        *strchr(line, '\n') = '\0';
    } while (line[0] == '#' || line[0] == '\0');
    return true;
}

static void expect_line(FILE *file) {
    char line[LINE_MAX_SIZE];
    ck_assert(next_line(file, line));
    ck_assert_str_eq(line, text);
    text_size = 0;
}

/* The frame in these bytes, and what stands behind them in the file. */
static void check_frame(FILE *file, uint64_t receiver, wsf_buffer *frame, bool seen[TYPES_MAX]) {
    wsf_reader *reader = wsf_reader_new();
    wsf_frame_head head;
    wsf_entry entry;
    int more;
    ck_assert_int_eq(wsf_reader_open(reader, frame, receiver, &head), WSFAN_OK);
    text_size = 0;
    describe_head(&head);
    expect_line(file);
    while ((more = wsf_reader_next(reader, &entry)) == 1) {
        seen[entry.type] = true;
        describe(&entry);
        expect_line(file);
    }
    ck_assert_int_eq(more, 0);
    wsf_reader_destroy(reader);
}

START_TEST(frames_of_released_versions_are_read_as_they_were_meant) {
    static char line[LINE_MAX_SIZE];
    static uint8_t first[FRAME_MAX], second[FRAME_MAX];
    bool seen[TYPES_MAX] = { false };
    int frames = 0;
    FILE *file = fopen(STORED_FRAMES, "r");
    ck_assert_ptr_nonnull(file);
    while (next_line(file, line)) {
        unsigned long long receiver;
        ck_assert_int_eq(sscanf(line, "to %llu", &receiver), 1);
        ck_assert(next_line(file, line));
        wsf_buffer frame = { .data = first, .size = read_bytes(line, first) };
        ck_assert(next_line(file, line));
        wsf_buffer rest = { .data = second,
                            .size = read_bytes(line + strlen("second part"), second) };
        frame.rest = rest.size > 0 ? &rest : NULL;
        check_frame(file, receiver, &frame, seen);
        frames++;
    }
    fclose(file);
    ck_assert_int_ge(frames, 4);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        ck_assert_msg(seen[types[i]], "no stored frame has an entry of type %d", types[i]);
}
END_TEST

SUITE_MAIN("frames of released versions", frames_of_released_versions_are_read_as_they_were_meant)
