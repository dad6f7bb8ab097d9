/* A node's core under any sequence of operations: peers that say anything, right or wrong, and a
 * host that joins, leaves and publishes. Peers know what the core said to them, so that the bytes
 * reach established links. What must hold: nothing is delivered to a loop that is not open, no
 * queue exceeds its limit, and every ticket comes back exactly once. */
#include "core.h"
#include "target.h"

enum {
    SPEAKERS = 4,
    CHATS = 8,
    LOOPS = 2,
    WINDOW = 64 * 1024,
    CONTROL = 128 * 1024, /* beyond the window, for what is no message: see sender.c */
    QUEUE_COUNT = 32,
    QUEUE_BYTES = 8192
};

typedef struct {
    uint64_t epoch;      /* its own stream */
    uint64_t number;     /* of its last frame */
    uint64_t core_epoch; /* as the core says */
    uint64_t core_number;
} speaker;

typedef struct {
    const uint8_t *data;
    size_t size;
} input;

typedef struct {
    wsf_core *core;
    wsf_reader *reader;
    wsf_now now;
    speaker speakers[SPEAKERS];
    uint32_t loops; /* open, as bits */
    bool joined[LOOPS][CHATS];
    uint64_t tickets_out;
    uint64_t tickets_back;
    bool connected[256];
} state;

static const wsf_hash_key KEY = { { 0 } };

static uint64_t id_of(unsigned i) {
    return i + 2;
}

static uint8_t take(input *in) {
    if (in->size == 0)
        return 0;
    in->size--;
    return *in->data++;
}

static uint64_t take_u64(input *in) {
    uint64_t value = 0;
    for (unsigned count = take(in) % 9; count > 0; count--)
        value = value << 8 | take(in);
    return value;
}

/* ------------------------------------------------------------------------------------- effects */

static void on_connect(void *user, uint32_t connection, const char *endpoint) {
    state *s = user;
    CHECK(connection < 256 && !s->connected[connection] && endpoint[0] != '\0');
    s->connected[connection] = true;
}

static void on_disconnect(void *user, uint32_t connection) {
    state *s = user;
    CHECK(connection < 256 && s->connected[connection]);
    s->connected[connection] = false;
}

static void on_send(void *user, wsf_buffer *frame) {
    state *s = user;
    wsf_frame_head head;
    wsf_entry entry;
    CHECK(frame->size >= WSF_TOPIC_SIZE && frame->size <= frame->capacity);
    uint64_t receiver = wsf_get_u64(frame->data + WSF_TOPIC_SIZE - 8);
    CHECK(wsf_reader_open_frame(s->reader, frame, receiver, &head) == WSFAN_OK);
    int more;
    while ((more = wsf_reader_next(s->reader, &entry)) != 0)
        CHECK(more == 1); /* what we write can be read */
    for (unsigned i = 0; i < SPEAKERS; i++) {
        if (id_of(i) != receiver || head.epoch == 0)
            continue;
        if (head.epoch != s->speakers[i].core_epoch)
            s->speakers[i].core_number = 0;
        s->speakers[i].core_epoch = head.epoch;
        if (head.number > s->speakers[i].core_number)
            s->speakers[i].core_number = head.number;
    }
}

static bool on_deliver(void *user, unsigned loop, wsfan_message *message) {
    CHECK((((state *)user)->loops >> loop & 1) != 0);
    CHECK(wsfan_message_targets_count(message) >= 1);
    bool room = wsfan_message_payload(message).size % 3 != 0; /* some find none */
    wsfan_message_unref(message);
    return room;
}

static void on_joined(void *user, wsf_ticket *ticket) {
    ((state *)user)->tickets_back++;
    free(ticket->missing);
    free(ticket);
}

static void on_peer(void *user, uint64_t loops, const wsfan_peer *peer) {
    CHECK((loops & ~(uint64_t)((state *)user)->loops) == 0);
    CHECK(peer->event >= WSFAN_PEER_UP && peer->event <= WSFAN_PEER_REFUSED);
    CHECK(strlen(peer->name) <= WSF_NAME_SIZE_MAX);
}

static void on_gap(void *user, const wsfan_gap *gap) {
    (void)user;
    CHECK(gap->reason >= WSFAN_GAP_PEER_QUEUE && gap->reason <= WSFAN_GAP_AWAY);
}

static void on_result(void *user, wsf_receipt *receipt) {
    (void)user;
    wsf_receipt_unref(receipt);
}

static void on_errand(void *user, unsigned loop, wsf_errand *errand) {
    CHECK((((state *)user)->loops >> loop & 1) != 0);
    wsf_task_unref(wsf_errand_end(errand)); /* its sessions are gone */
}

static void on_view(void *user, wsf_view *view) {
    (void)user;
    CHECK(view != NULL);
}

/* ---------------------------------------------------------------------------------- operations */

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
    wsf_buffer *frame = wsf_buffer_new(WSF_FRAME_HEAD_BOUND + 512);
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
    if (how >= 128)
        add_rest(in, frame, &head);
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

static void say_raw_entries(state *s, input *in, unsigned i, bool loose) {
    uint8_t entries[256];
    size_t size = take(in);
    size = size < in->size ? size : in->size;
    memcpy(entries, in->data, size);
    in->data += size;
    in->size -= size;
    say(s, in, i, loose ? 0 : next_number(s, in, i), entries, size);
}

static void greet(state *s, input *in, unsigned i) {
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

static void say_entry(state *s, input *in, unsigned i) {
    uint8_t entries[512];
    uint8_t hashes[64];
    wsf_writer writer = { entries, sizeof entries, 0 };
    bool loose = false;
    switch (take(in) % 7) {
    case 0: {
        uint64_t digest = take_u64(in);
        wsf_write_heartbeat(&writer, s->speakers[i].number + take(in) % 4, &digest);
        loose = true;
        break;
    }
    case 1: {
        wsf_range range = { take_u64(in), 0 };
        range.to = range.from + take(in);
        wsf_write_nack(&writer, &range, 1);
        loose = true;
        break;
    }
    case 2: {
        size_t count = take(in) % 8;
        for (size_t k = 0; k < count; k++) {
            char chat = (char)('a' + take(in) % CHATS);
            wsfan_target target = { WSFAN_CHAT, { &chat, 1 } };
            wsf_put_u64(hashes + 8 * k, wsf_hash_target(&KEY, &target));
        }
        size_t adds = count > 0 ? take(in) % (count + 1) : 0;
        wsf_write_interest(&writer, take(in) % 4, (wsfan_bytes){ hashes, 8 * adds },
                           (wsfan_bytes){ hashes + 8 * adds, 8 * (count - adds) }, NULL);
        break;
    }
    case 3:
        wsf_write_lost(&writer, take_u64(in), take(in));
        break;
    case 4:
        wsf_write_type(&writer, WSF_RESYNC);
        loose = true;
        break;
    case 5:
        wsf_write_type(&writer, WSF_BYE);
        break;
    default: {
        char chat = (char)('a' + take(in) % CHATS);
        wsfan_target target = { WSFAN_CHAT, { &chat, 1 } };
        wsfan_bytes payload = { in->data, in->size < 9 ? in->size : 9 };
        wsf_message_parts parts = {
            .targets = &target, .targets_count = 1, .payload = payload, .apart = in->size % 2 == 0
        };
        wsfan_message *message = wsf_message_new(&KEY, &parts);
        CHECK(message != NULL);
        message->id.clock = take_u64(in);
        wsf_write_message(&writer, message);
        wsfan_message_unref(message);
    }
    }
    say(s, in, i, loose ? 0 : next_number(s, in, i), entries, writer.size);
}

static void subscribe(state *s, input *in, unsigned i) {
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

static void host(state *s, input *in) {
    unsigned loop = take(in) % LOOPS;
    unsigned chat = take(in) % CHATS;
    char name = (char)('a' + chat);
    wsfan_target target = { WSFAN_CHAT, { &name, 1 } };
    uint64_t hash = wsf_hash_target(&KEY, &target);
    if ((s->loops >> loop & 1) != 0 && !s->joined[loop][chat]) {
        wsf_ticket *ticket = calloc(1, sizeof *ticket);
        CHECK(ticket != NULL);
        ticket->hash = hash;
        ticket->loop = (uint8_t)loop;
        s->joined[loop][chat] = true;
        s->tickets_out++;
        wsf_core_join(s->core, ticket, s->now);
    } else if ((s->loops >> loop & 1) != 0) {
        s->joined[loop][chat] = false;
        wsf_core_leave(s->core, hash, loop);
    }
}

static void publish(state *s, input *in) {
    char name = (char)('a' + take(in) % CHATS);
    wsfan_target target = { WSFAN_CHAT, { &name, 1 } };
    static const char zeros[4096];
    wsfan_bytes payload = { zeros, take(in) * 16u };
    wsf_message_parts parts = {
        .targets = &target, .targets_count = 1, .payload = payload, .apart = payload.size > 512
    };
    wsfan_message *message = wsf_message_new(&KEY, &parts);
    CHECK(message != NULL);
    wsf_core_publish(s->core, message, s->now);
}

static void change_loop(state *s, input *in) {
    unsigned loop = take(in) % LOOPS;
    if ((s->loops >> loop & 1) == 0) {
        s->loops |= 1u << loop;
        wsf_core_add_loop(s->core, loop);
    } else {
        wsf_core_remove_loop(s->core, loop);
        s->loops &= ~(1u << loop);
        memset(s->joined[loop], 0, sizeof s->joined[loop]);
    }
}

static void check_bounds(state *s) {
    wsfan_peer_stats peers[64];
    wsfan_stats stats;
    size_t count = wsf_core_peers(s->core, peers, 64);
    CHECK(count <= 64);
    for (size_t i = 0; i < count; i++) {
        CHECK(peers[i].window_bytes <= WINDOW + CONTROL && peers[i].held_bytes <= WINDOW);
        CHECK(peers[i].queue_count <= QUEUE_COUNT);
    }
    wsf_core_stats(s->core, &stats);
    CHECK(stats.chats <= CHATS && stats.peers <= 3);
    CHECK(stats.joins_pending == s->tickets_out - s->tickets_back);
}

static void step(state *s, input *in) {
    uint8_t operation = take(in);
    unsigned i = operation / 16 % SPEAKERS;
    switch (operation % 16) {
    case 0:
    case 1:
        s->now.ms += take(in);
        s->now.wall_ms += take(in);
        wsf_core_flush(s->core, s->now);
        CHECK(wsf_core_deadline(s->core) > 0);
        break;
    case 2:
        s->now.ms += 100u * take(in);
        wsf_core_flush(s->core, s->now);
        break;
    case 3:
        subscribe(s, in, i);
        break;
    case 4:
    case 5:
        greet(s, in, i);
        break;
    case 6:
    case 7:
    case 8:
        say_entry(s, in, i);
        break;
    case 9:
        say_raw_entries(s, in, i, false);
        break;
    case 10:
        say_raw_entries(s, in, i, true);
        break;
    case 11:
    case 12:
        host(s, in);
        break;
    case 13:
        publish(s, in);
        break;
    case 14:
        change_loop(s, in);
        break;
    default: {
        static const char *const endpoints[] = { "tcp://10.0.0.1:7000", "tcp://10.0.0.2:7000",
                                                 "tcp://10.0.0.3:7000", "tcp://10.0.0.4:7000" };
        wsf_core_name_endpoints(s->core, take(in) % 3, endpoints, take(in) % 5, s->now);
    }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    state s = { .now = { 1000, UINT64_C(1700000000000) } };
    input in = { data, size };
    wsf_core_config config = { .node = 1,
                               .incarnation = 5,
                               .seed = 6,
                               .cluster = "c",
                               .name = "n1",
                               .endpoint = "tcp://10.0.0.1:7000",
                               .payload_bytes_max = 2048,
                               .name_bytes_max = 16,
                               .targets_count_max = 4,
                               .peers_count_max = 3,
                               .remote_chats_count_max = 16,
                               .interest_log_count_max = 64,
                               .link = { .window_bytes = WINDOW,
                                         .queue_bytes_max = QUEUE_BYTES,
                                         .queue_count_max = QUEUE_COUNT },
                               .heartbeat_ms = 100,
                               .silent_ms = 300,
                               .down_ms = 1000,
                               .forget_ms = 5000,
                               .join_ms_max = 500,
                               .result_ms_max = 500,
                               .protocol_min = WSF_PROTOCOL_MIN,
                               .protocol_max = WSF_PROTOCOL_MAX,
                               .slow_peer = size % 2 == 0 ? WSFAN_SLOW_DROP : WSFAN_SLOW_CUT };
    wsf_effects effects = { .user = &s,
                            .connect = on_connect,
                            .disconnect = on_disconnect,
                            .send = on_send,
                            .deliver = on_deliver,
                            .joined = on_joined,
                            .peer = on_peer,
                            .gap = on_gap,
                            .result = on_result,
                            .errand = on_errand,
                            .view = on_view };
    for (unsigned i = 0; i < SPEAKERS; i++)
        s.speakers[i].epoch = 100 * (i + 1);
    s.reader = wsf_reader_new();
    CHECK(s.reader != NULL);
    CHECK(wsf_core_new(&s.core, &config, &effects, s.now) == WSFAN_OK);
    static const char *const endpoints[] = { "tcp://10.0.0.2:7000", "tcp://10.0.0.3:7000",
                                             "tcp://10.0.0.4:7000", "tcp://10.0.0.5:7000" };
    wsf_core_name_endpoints(s.core, WSF_SOURCE_OPTIONS, endpoints, SPEAKERS, s.now);
    s.loops = 1;
    wsf_core_add_loop(s.core, 0);
    while (in.size > 0) {
        step(&s, &in);
        check_bounds(&s);
    }
    wsf_core_flush(s.core, s.now);
    wsf_core_say_bye(s.core, s.now);
    wsf_core_destroy(s.core);
    CHECK(s.tickets_back == s.tickets_out);
    wsf_reader_destroy(s.reader);
    return 0;
}
