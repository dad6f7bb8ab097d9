/* Peers that say anything to the core under test, right or wrong. They know what it said to them, so
 * that the bytes reach established links. */
#include "base/memory.h"
#include "core_world.h"

enum { ENTRIES_MAX = 8192, ROWS_MAX = 6, RUN_MAX = 24 };

static uint32_t
    rest_wanted; /* bytes of the second part that an entry of the next frame leaves out; 0: none */

static wsfan_target_kind take_kind(input *in) {
    static const wsfan_target_kind kinds[] = { WSFAN_CHAT,     WSFAN_CHAT,     WSFAN_USER,
                                               WSFAN_ALL,      WSFAN_SESSION,  WSFAN_NODE,
                                               WSFAN_NOT_CHAT, WSFAN_NOT_USER, WSFAN_NOT_SESSION,
                                               WSFAN_NOT_NODE };
    return kinds[take(in) % (sizeof kinds / sizeof *kinds)];
}

wsfan_message *take_message(const state *s, input *in, wsfan_bytes payload) {
    char names[TARGETS][WSFAN_ADDRESS_TEXT_SIZE];
    wsfan_target targets[TARGETS];
    uint32_t count = 1 + take(in) % TARGETS;
    for (uint32_t i = 0; i < count; i++) {
        wsfan_target_kind kind = take_kind(in);
        wsfan_address address = { 1 + take(in) % 6u, 0 };
        names[i][0] = (char)('a' + address.node);
        targets[i] = (wsfan_target){ kind, { names[i], 1 } };
        if (kind == WSFAN_ALL)
            targets[i].name.size = 0;
        kind = wsf_kind_without_not(kind);
        if (kind != WSFAN_SESSION && kind != WSFAN_NODE)
            continue;
        if (kind == WSFAN_SESSION)
            address.session = 1 + take_u64(in) % (UINT64_MAX - 1);
        targets[i].name = wsfan_string(wsfan_address_text(address, names[i]));
    }
    if (wsf_kind_is_not(targets[0].kind)) /* one names somebody */
        targets[0] = (wsfan_target){ WSFAN_ALL, { names[0], 0 } };
    wsf_message_parts parts = { .targets = targets, .targets_count = count, .payload = payload };
    uint8_t how = take(in);
    parts.apart = (how & 2) != 0 && payload.size > 0;
    if ((how & 1) != 0)
        parts.slot = 1 + take(in) % 3u;
    wsfan_message *message = wsf_message_new(&s->key, &parts);
    CHECK(message != NULL);
    return message;
}

wsfan_message *take_run(const state *s, input *in) {
    char name;
    wsf_run_writer runs;
    wsfan_message *run = wsf_run_new(NULL, 4 * WSF_RUN_BYTES_MIN);
    CHECK(run != NULL);
    wsf_run_begin_writing(&runs, run);
    for (unsigned count = 1 + take(in) % RUN_MAX; count > 0; count--) {
        uint8_t how = take(in);
        wsfan_target target = { (how & 1) != 0 ? WSFAN_USER : WSFAN_CHAT, { &name, 1 } };
        wsf_message_parts parts = { .targets = &target, .targets_count = 1, .flags = how >> 7 };
        name = (char)('a' + how / 2 % CHATS);
        if ((how & 32) != 0)
            parts.except = (wsfan_address){ id_of(how / 2 % SPEAKERS), 1 + (how & 3u) };
        if ((how & 64) != 0)
            parts.payload = take_bytes(in, take(in) % 32);
        CHECK(wsf_run_write(&runs, &parts));
    }
    run->id = (wsfan_message_id){ take_u64(in), s->speakers[0].epoch };
    return run;
}

/* A second part of just this size, with its checksum. */
static void add_payloads(wsf_buffer *frame, wsf_frame_head *head, uint32_t size) {
    frame->rest = wsf_buffer_new(size);
    CHECK(frame->rest != NULL);
    frame->rest->size = head->rest_size = size;
    memset(frame->rest->data, 'p', size);
    head->rest_checksum = wsf_payload_checksum(frame->rest->data, size);
}

/* A second part, with or without its payload's checksum. */
static void add_rest(input *in, wsf_buffer *frame, wsf_frame_head *head) {
    uint8_t size = take(in);
    frame->rest = wsf_buffer_new(size);
    CHECK(frame->rest != NULL);
    frame->rest->size = size;
    memset(frame->rest->data, size, size);
    head->rest_size = size;
    head->rest_room = take(in);
    if (head->rest_room < size && take(in) != 0)
        head->rest_checksum = wsf_payload_checksum(frame->rest->data + head->rest_room,
                                                   size - head->rest_room);
}

/* A frame of a speaker whose entries are what the bytes say. */
static void say(state *s, input *in, unsigned i, uint64_t number, const uint8_t *entries,
                size_t size) {
    wsf_buffer *frame = wsf_buffer_new(WSF_FRAME_HEAD_BOUND + ENTRIES_MAX);
    CHECK(frame != NULL);
    speaker *p = &s->speakers[i];
    uint8_t how = take(in);
    wsf_writer writer = { frame->data, frame->capacity, 0 };
    wsf_frame_head head = { .version = (how & 1) != 0 ? take(in) : 1,
                            .sender = id_of(i),
                            .epoch = (how & 2) != 0 ? take_u64(in) : p->epoch,
                            .number = number,
                            .ack_epoch = (how & 4) != 0 ? take_u64(in) : p->core_epoch,
                            .ack = (how & 8) != 0 ? take_u64(in) : p->core_number };
    if (rest_wanted > 0)
        add_payloads(frame, &head, rest_wanted);
    else if (how >= 128)
        add_rest(in, frame, &head);
    rest_wanted = 0;
    wsf_write_head(&writer, 1, &head);
    CHECK(writer.size + size <= frame->capacity);
    memcpy(frame->data + writer.size, entries, size);
    writer.size += size;
    wsf_seal(&writer);
    frame->size = (uint32_t)writer.size;
    wsf_core_receive(s->core, i, frame, s->now);
    wsf_buffer_unref(frame);
}

static uint64_t next_number(state *s, input *in, unsigned i) {
    uint8_t how = take(in);
    if (how < 200)
        return ++s->speakers[i].number;
    if (how < 240)
        return s->speakers[i].number += how - 200;
    return take_u64(in);
}

void say_raw_entries(state *s, input *in, unsigned i, bool loose) {
    uint8_t entries[256];
    wsfan_bytes bytes = take_bytes(in, take(in));
    if (bytes.size > 0)
        memcpy(entries, bytes.data, bytes.size);
    say(s, in, i, loose ? 0 : next_number(s, in, i), entries, bytes.size);
}

void introduce(state *s, input *in, unsigned i) {
    uint8_t entries[512];
    char name[16];
    char endpoint[64];
    wsf_writer writer = { entries, sizeof entries, 0 };
    uint8_t how = take(in);
    if ((how & 3) == 0) {
        s->speakers[i].epoch += 1 + (how >> 2);
        s->speakers[i].number = 0;
    }
    snprintf(name, sizeof name, "n%u", (how & 4) != 0 ? take(in) % 3 : i + 2);
    snprintf(endpoint, sizeof endpoint, "tcp://10.0.0.%u:7000", take(in) % 8 + 1);
    wsf_hello hello = { .protocol_min = WSF_PROTOCOL_MIN,
                        .protocol_max = WSF_PROTOCOL_MAX,
                        .features = (how & 4) != 0 ? 0 : WSF_FEATURE_HISTORY | WSF_FEATURE_MARKS,
                        .cluster = wsfan_string(how == 255 ? "other" : "c"),
                        .name = wsfan_string(name),
                        .incarnation = (how & 8) != 0 ? take_u64(in) : 7,
                        .endpoint = wsfan_string(endpoint),
                        .epoch = s->speakers[i].epoch,
                        .frame_size_max = (how & 16) != 0 ? take_u64(in) : 1 << 20 };
    wsf_write_hello(&writer, &hello);
    say(s, in, i, 0, entries, writer.size);
    writer.size = 0;
    wsf_write_number(&writer, WSF_HELLO_ACK, s->speakers[i].core_epoch);
    say(s, in, i, 0, entries, writer.size);
}

static void write_interest(const state *s, input *in, wsf_writer *writer) {
    uint8_t hashes[64];
    size_t count = take(in) % 8;
    for (size_t k = 0; k < count; k++) {
        unsigned number = take(in);
        uint64_t hash = hash_of(s, (number & 64) != 0 ? WSFAN_USER : WSFAN_CHAT, number % CHATS);
        wsf_put_u64(hashes + 8 * k, (number & 128) != 0 ? number : hash);
    }
    size_t adds = count > 0 ? take(in) % (count + 1) : 0;
    uint8_t how = take(in);
    uint64_t serial = (how & 8) != 0 ? take_u64(in) : how >> 4;
    wsf_write_interest(writer, how % 4, (wsfan_bytes){ hashes, 8 * adds },
                       (wsfan_bytes){ hashes + 8 * adds, 8 * (count - adds) },
                       (how & 4) != 0 ? &serial : NULL);
}

/* What the core would take: said when its interest was known. */
static uint64_t take_heard(const state *s, input *in, unsigned i) {
    uint8_t how = take(in);
    return how == 255 ? take_u64(in) : s->speakers[i].serial + (how & 7);
}

static void write_presence(const state *s, input *in, unsigned i, wsf_writer *writer) {
    static const char long_text[6000];
    wsf_presence_row rows[ROWS_MAX];
    char users[ROWS_MAX];
    uint64_t heard = take_heard(s, in, i);
    uint32_t count = take(in) % (ROWS_MAX + 1);
    for (uint32_t k = 0; k < count; k++) {
        uint8_t what = take(in);
        uint8_t how = take(in);
        users[k] = (char)('a' + what / CHATS % (2 * USERS));
        rows[k] = (wsf_presence_row){
            hash_of(s, WSFAN_CHAT, what % CHATS), how % 4u, { &users[k], 1 }, { NULL, 0 }
        };
        if ((how & 4) != 0)
            rows[k].metadata = take_bytes(in, how >> 4);
        if (how == 255) /* more than anybody may say */
            rows[k].user = (wsfan_bytes){ long_text, 17 };
        if (how == 254 && k == 0)
            rows[k].metadata = (wsfan_bytes){ long_text, 4097 };
        if (how == 253)
            rows[k].sessions = UINT32_MAX;
    }
    wsf_write_presence(writer, take(in) % 2, heard, rows, count);
}

static void write_sum(const state *s, input *in, unsigned i, wsf_writer *writer) {
    uint8_t how = take(in);
    wsf_presence_sum sum = { .newest = s->speakers[i].number + (how & 1),
                             .heard = take_heard(s, in, i) };
    const wsf_peer *peer = wsf_peer_find(s->core, id_of(i));
    if ((how & 2) != 0)
        sum.digest = take_u64(in);
    else if (peer != NULL)
        sum.digest = s->core->presence.peer_digests[wsf_peer_index(s->core, peer)];
    wsf_write_presence_sum(writer, &sum);
}

static void write_request(const state *s, input *in, wsf_writer *writer) {
    wsfan_bytes payload = take_bytes(in, take(in) % 32);
    wsf_request *ask = wsf_request_new(WSFAN_REQUEST_JOIN, take_message(s, in, payload),
                                       take(in) * 16u, take(in) * 8u);
    CHECK(ask != NULL);
    ask->id = take(in) % 8;
    ask->kind = (wsfan_request_kind)(take(in) % 9);
    wsf_write_request(writer, ask);
    wsf_request_free(ask);
}

static void write_reply(const state *s, input *in, unsigned i, wsf_writer *writer) {
    static const wsfan_bytes none = { NULL, 0 };
    wsf_answer answer;
    wsf_answer_init(&answer, ROWS_MAX);
    uint8_t how = take(in);
    answer.status = -(int)(how % 32);
    answer.sessions = take_u64(in);
    answer.sessions_failed = take(in);
    for (unsigned count = take(in) % (ROWS_MAX + 2); count > 0; count--) {
        wsfan_bytes key = take_bytes(in, take(in) % 32);
        wsf_rows_add(&answer.rows, key, none, take_bytes(in, take(in) % 8), take_u64(in));
    }
    wsfan_bytes payload = take_bytes(in, (how & 32) != 0 ? take(in) : 0);
    if (payload.size > 0) {
        answer.payload = wsf_alloc(payload.size);
        CHECK(answer.payload != NULL);
        memcpy(answer.payload, payload.data, payload.size);
        answer.payload_size = payload.size;
    }
    wsf_write_reply(writer, (how & 64) != 0 ? take_u64(in) : s->speakers[i].asked, &answer);
    wsf_answer_destroy(&answer);
}

static void write_status(input *in, wsf_writer *writer) {
    uint8_t how = take(in);
    wsf_status status = { how % 32, take(in) * 8u, { NULL, 0 }, { how / 32, how } };
    if ((how & 32) != 0)
        status.address = wsfan_string("wss://chat.example/");
    wsf_write_status(writer, &status);
}

/* The entry without its last field, the payloads of `size` bytes. */
static void leave_out_payloads(wsf_writer *writer, size_t begin, uint32_t size) {
    writer->data[begin]--; /* fields of the array */
    writer->size -= size + 2;
    rest_wanted = size;
}

/* A run, or a range of it, perhaps with its payloads apart, or with a byte that is wrong. */
static void write_run(const state *s, input *in, wsf_writer *writer) {
    wsfan_message *run = take_run(s, in);
    wsf_span span = wsf_span_of(run);
    uint8_t how = take(in);
    size_t begin = writer->size;
    if ((how & 1) != 0)
        span.from = take(in) % span.to;
    if ((how & 2) != 0)
        span.to = span.from + 1 + take(in) % (span.to - span.from);
    wsf_write_span(writer, span);
    uint32_t payloads = (uint32_t)wsf_span_payload_bytes(span);
    if ((how & 4) != 0 && payloads > 0 && payloads <= UINT8_MAX)
        leave_out_payloads(writer, begin, payloads);
    if (how >= 192) /* most bytes are of the index */
        writer->data[begin + take(in) % (writer->size - begin)] ^= take(in);
    wsfan_message_unref(run);
}

static void write_message(const state *s, input *in, wsf_writer *writer) {
    wsfan_bytes payload = take_bytes(in, take(in) % 16);
    wsfan_message *message = take_message(s, in, payload);
    message->id.clock = take_u64(in);
    if ((message->id.clock & 1) != 0)
        write_run(s, in, writer);
    else
        wsf_write_message(writer, message);
    wsfan_message_unref(message);
}

/* Any clock, or one about that of the core, which takes no other one. */
static uint64_t take_clock(const state *s, input *in) {
    enum { ABOUT = 128 };
    uint8_t how = take(in);
    return how == UINT8_MAX ? take_u64(in) : s->core->clock - ABOUT + how;
}

/* Of all values of the byte that says what a peer says, the highest ones are for marks and their like: the corpus was
 * there before. */
enum { OF_MARKS = 0xf0, OF_HOLDS = 0xf8 };

static void write_mark(const state *s, input *in, unsigned i, wsf_writer *writer) {
    wsf_mark mark = { .clock = take_clock(s, in), .last = take_clock(s, in) };
    mark.newest = s->speakers[i].number + take(in) % 4 - 1;
    wsf_write_mark(writer, &mark);
}

/* The same chats may be in several lists. */
static void write_hold(const state *s, input *in, wsf_writer *writer) {
    enum { LISTS = 4, PLACES = 8 };
    uint8_t hashes[PLACES * 8];
    wsfan_bytes lists[LISTS];
    for (size_t k = 0; k < PLACES; k++) {
        unsigned number = take(in);
        wsf_put_u64(hashes + 8 * k,
                    number == UINT8_MAX ? 0 : hash_of(s, WSFAN_CHAT, number % CHATS));
    }
    for (size_t k = 0; k < LISTS; k++) {
        uint8_t place = take(in);
        size_t from = place % PLACES;
        lists[k] = (wsfan_bytes){ hashes + 8 * from, 8 * (place / PLACES % (PLACES + 1 - from)) };
    }
    wsf_hold hold = { take(in) % 4, lists[0], lists[1], lists[2], lists[3] };
    wsf_write_hold(writer, &hold);
}

/* A sum that is right, or not. */
static void write_hold_sum(const state *s, input *in, unsigned i, wsf_writer *writer) {
    uint8_t how = take(in);
    const wsf_peer *peer = wsf_peer_find(s->core, id_of(i));
    wsf_hold_sum sum = { .newest = s->speakers[i].number + how % 4 - 1 };
    sum.digest = peer != NULL && how >= 128 ? peer->holding.held_digest : how;
    wsf_write_hold_sum(writer, &sum);
}

static void write_loose(const state *s, input *in, unsigned i, wsf_writer *writer) {
    uint8_t what = take(in);
    if (what >= OF_HOLDS) {
        if (what % 4 == 0)
            wsf_write_type(writer, WSF_HOLD_RESYNC);
        else
            write_hold_sum(s, in, i, writer);
        return;
    }
    if (what >= OF_MARKS) {
        if (what % 4 == 0)
            wsf_write_number(writer, WSF_MARK_ASK, take_clock(s, in));
        else
            write_mark(s, in, i, writer);
        return;
    }
    switch (what % 5) {
    case 0: {
        uint64_t digest = take_u64(in);
        wsf_write_heartbeat(writer, s->speakers[i].number + take(in) % 4, &digest);
        break;
    }
    case 1: {
        wsf_range range = { take_u64(in), 0 };
        range.to = range.from + take(in);
        wsf_write_nack(writer, &range, 1);
        break;
    }
    case 2:
        wsf_write_type(writer, WSF_RESYNC);
        break;
    case 3:
        write_sum(s, in, i, writer);
        break;
    default:
        wsf_write_type(writer, WSF_PRESENCE_RESYNC);
    }
}

static void write_numbered(const state *s, input *in, unsigned i, wsf_writer *writer) {
    uint8_t what = take(in);
    if (what >= OF_HOLDS) {
        write_hold(s, in, writer);
        return;
    }
    if (what >= OF_MARKS) {
        uint64_t count = take_u64(in);
        uint8_t reason = take(in);
        wsf_write_lost(writer, count, reason, take_clock(s, in));
        return;
    }
    switch (what % 10) {
    case 0:
        wsf_write_lost(writer, take_u64(in), take(in), 0);
        break;
    case 1:
        wsf_write_type(writer, WSF_BYE);
        break;
    case 2:
        write_request(s, in, writer);
        break;
    case 3:
        write_reply(s, in, i, writer);
        break;
    case 4:
        write_status(in, writer);
        break;
    case 5:
    case 6:
        write_presence(s, in, i, writer);
        break;
    case 7:
    case 8:
        write_interest(s, in, writer);
        break;
    default:
        write_message(s, in, writer);
    }
}

void say_entry(state *s, input *in, unsigned i) {
    uint8_t entries[ENTRIES_MAX];
    wsf_writer writer = { entries, sizeof entries, 0 };
    bool loose = take(in) % 3 == 0;
    unsigned count = loose ? 1 : 1 + take(in) % 3;
    for (; count > 0 && writer.size < sizeof entries / 4; count--)
        if (loose)
            write_loose(s, in, i, &writer);
        else
            write_numbered(s, in, i, &writer);
    say(s, in, i, loose ? 0 : next_number(s, in, i), entries, writer.size);
}

void subscribe(state *s, input *in, unsigned i) {
    uint8_t topic[WSF_INTRODUCTION_SIZE_MAX];
    uint8_t how = take(in);
    wsf_introduction introduction = { .protocol_min = 1, .protocol_max = 1, .node = id_of(i) };
    wsf_write_inbox(topic, id_of(i));
    wsf_core_subscription(s->core, how % 8 != 0, topic, WSF_TOPIC_SIZE, s->now);
    strcpy(introduction.cluster, "c");
    snprintf(introduction.endpoint, sizeof introduction.endpoint, "tcp://10.0.0.%u:7000",
             take(in) % 8 + 1);
    size_t size = wsf_write_introduction(topic, &introduction);
    if (how == 255)
        topic[take(in) % size] ^= take(in);
    wsf_core_subscription(s->core, how % 8 != 0, topic, size, s->now);
}
