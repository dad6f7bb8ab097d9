/* Answers for what counts as a frame, and for what is read in it.
 *
 * msgpack-c allocates what a length claims, so nothing reaches it before scan() has found that every claim
 * is covered by bytes that are there. Entries are then unpacked one at a time into one zone. */
#include "wire/decode.h"

#include <msgpack.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

/* The largest entry, 1024 rows of presence, has some 4100 objects. */
enum { DEPTH_MAX = 4, OBJECTS_COUNT_MAX = 8192, ZONE_CHUNK_BYTES = 8192 };

typedef struct {
    const uint8_t *at;
    const uint8_t *end;
    uint32_t objects_left; /* of this entry */
} scanner;

static bool take(scanner *scan, size_t width, uint64_t *value) {
    if ((size_t)(scan->end - scan->at) < width)
        return false;
    *value = 0;
    for (size_t i = 0; i < width; i++)
        *value = *value << 8 | *scan->at++;
    return true;
}

/* What the first byte of an object says of the rest (MessagePack specification, "Formats"). */
typedef struct {
    uint8_t length_width; /* bytes of a length that follows */
    uint8_t extra;        /* bytes besides: an extension's type, a number's value */
    uint32_t length;      /* if it is in the first byte itself */
    uint8_t children;     /* 0: the length counts bytes; 1 or 2: objects for each element */
    bool valid;
} format;

static format format_of(uint8_t byte) {
    static const uint8_t number_size[] = { 4, 8, 1, 2, 4, 8, 1, 2, 4, 8 }; /* 0xca .. 0xd3 */
    if (byte <= 0x7f || byte >= 0xe0 || byte == 0xc0 || byte == 0xc2 || byte == 0xc3)
        return (format){ .valid = true };
    if (byte <= 0x8f)
        return (format){ .valid = true, .length = byte & 0x0f, .children = 2 };
    if (byte <= 0x9f)
        return (format){ .valid = true, .length = byte & 0x0f, .children = 1 };
    if (byte <= 0xbf)
        return (format){ .valid = true, .length = byte & 0x1f };
    if (byte >= 0xc4 && byte <= 0xc6)
        return (format){ .valid = true, .length_width = (uint8_t)(1u << (byte - 0xc4)) };
    if (byte >= 0xc7 && byte <= 0xc9)
        return (
            format){ .valid = true, .length_width = (uint8_t)(1u << (byte - 0xc7)), .extra = 1 };
    if (byte >= 0xca && byte <= 0xd3)
        return (format){ .valid = true, .extra = number_size[byte - 0xca] };
    if (byte >= 0xd4 && byte <= 0xd8)
        return (format){ .valid = true, .length = 1u << (byte - 0xd4), .extra = 1 };
    if (byte >= 0xd9 && byte <= 0xdb)
        return (format){ .valid = true, .length_width = (uint8_t)(1u << (byte - 0xd9)) };
    if (byte == 0xdc || byte == 0xdd)
        return (format){ .valid = true, .length_width = byte == 0xdc ? 2 : 4, .children = 1 };
    if (byte == 0xde || byte == 0xdf)
        return (format){ .valid = true, .length_width = byte == 0xde ? 2 : 4, .children = 2 };
    return (format){ .valid = false }; /* 0xc1 is never used */
}

static bool scan_object(scanner *scan, unsigned depth) {
    if (scan->at == scan->end || scan->objects_left == 0)
        return false;
    scan->objects_left--;
    format f = format_of(*scan->at++);
    uint64_t length = f.length;
    if (!f.valid || (f.length_width > 0 && !take(scan, f.length_width, &length)))
        return false;

    size_t left = (size_t)(scan->end - scan->at);
    if (f.children == 0) {
        if (left < f.extra || left - f.extra < length)
            return false;
        scan->at += f.extra + length;
        return true;
    }
    if (length > left || depth == DEPTH_MAX)
        return false;
    for (uint64_t i = 0; i < length * f.children; i++)
        if (!scan_object(scan, depth + 1))
            return false;
    return true;
}

static bool scan(const uint8_t *data, size_t size) {
    wsf_message_entry entry = { .clock = 0 };
    wsfan_target target;
    scanner scan = { .at = data, .end = data + size };
    while (scan.at < scan.end) {
        if (wsf_entry_parse(&scan.at, scan.end, &entry, &target))
            continue;
        scan.objects_left = OBJECTS_COUNT_MAX;
        if (!scan_object(&scan, 0))
            return false;
    }
    return true;
}

struct wsf_reader {
    msgpack_zone zone;
    const uint8_t *data;
    size_t size;
    size_t offset;
    wsfan_bytes rest;   /* payload of the second part; NULL: none, or a message has it */
    uint32_t rest_room; /* bytes before it */
    wsfan_target targets[WSF_TARGETS_COUNT_MAX];
    wsf_known_peer peers[WSF_KNOWN_PEERS_MAX];
    wsf_range ranges[WSF_NACK_RANGES_MAX];
    wsf_reply_row rows[WSF_ROWS_COUNT_MAX];
    wsf_presence_row presence[WSF_PRESENCE_ROWS_MAX];
    wsf_messages_head heads[WSF_RUN_HEADS_MAX];
};

wsf_reader *wsf_reader_new(void) {
    wsf_reader *reader = wsf_alloc(sizeof *reader);
    if (reader != NULL && !msgpack_zone_init(&reader->zone, ZONE_CHUNK_BYTES)) {
        wsf_free(reader);
        return NULL;
    }
    return reader;
}

void wsf_reader_destroy(wsf_reader *reader) {
    if (reader == NULL)
        return;
    msgpack_zone_destroy(&reader->zone);
    wsf_free(reader);
}

/* The next object as an array, or NULL with *error set. */
static const msgpack_object_array *unpack_array(wsf_reader *reader, msgpack_object *object,
                                                int *error) {
    msgpack_zone_clear(&reader->zone);
    msgpack_unpack_return result = msgpack_unpack((const char *)reader->data, reader->size,
                                                  &reader->offset, &reader->zone, object);
    *error = WSFAN_OK;
    if (result == MSGPACK_UNPACK_NOMEM_ERROR)
        *error = WSFAN_ENOMEM;
    else if ((result != MSGPACK_UNPACK_SUCCESS && result != MSGPACK_UNPACK_EXTRA_BYTES) ||
             object->type != MSGPACK_OBJECT_ARRAY)
        *error = WSFAN_EINVAL;
    if (*error == WSFAN_EINVAL && result != MSGPACK_UNPACK_SUCCESS &&
        result != MSGPACK_UNPACK_EXTRA_BYTES)
        reader->offset = reader->size; /* where the next entry begins is unknown */
    return *error == WSFAN_OK ? &object->via.array : NULL;
}

static bool get_u64(const msgpack_object_array *array, uint32_t i, uint64_t *value) {
    if (i >= array->size || array->ptr[i].type != MSGPACK_OBJECT_POSITIVE_INTEGER)
        return false;
    *value = array->ptr[i].via.u64;
    return true;
}

static bool get_u32(const msgpack_object_array *array, uint32_t i, uint32_t *value) {
    uint64_t wide;
    if (!get_u64(array, i, &wide) || wide > UINT32_MAX)
        return false;
    *value = (uint32_t)wide;
    return true;
}

static bool get_bin(const msgpack_object_array *array, uint32_t i, size_t size_max,
                    wsfan_bytes *bytes) {
    if (i >= array->size || array->ptr[i].type != MSGPACK_OBJECT_BIN ||
        array->ptr[i].via.bin.size > size_max)
        return false;
    *bytes = (wsfan_bytes){ array->ptr[i].via.bin.ptr, array->ptr[i].via.bin.size };
    return true;
}

/* A name or endpoint that will be shown and handled as a C string. */
static bool get_text(const msgpack_object_array *array, uint32_t i, size_t size_max,
                     wsfan_bytes *bytes) {
    return get_bin(array, i, size_max, bytes) &&
           (bytes->size == 0 || memchr(bytes->data, '\0', bytes->size) == NULL);
}

/* False: the fields of a second part are malformed. */
static bool read_rest(const msgpack_object_array *array, wsf_frame_head *head) {
    head->rest_size = head->rest_room = 0;
    head->rest_checksum = 0;
    return array->size <= 6 ||
           (get_u32(array, 6, &head->rest_size) && get_u32(array, 7, &head->rest_room) &&
            get_u64(array, 8, &head->rest_checksum));
}

static bool take_rest(wsf_reader *reader, const wsf_buffer *rest, const wsf_frame_head *head) {
    if (rest == NULL || head->rest_size != rest->size || head->rest_room >= rest->size)
        return rest == NULL && head->rest_size == 0;
    reader->rest = (wsfan_bytes){ rest->data + head->rest_room, rest->size - head->rest_room };
    reader->rest_room = head->rest_room;
    return wsf_payload_checksum(reader->rest.data, reader->rest.size) == head->rest_checksum;
}

int wsf_reader_open(wsf_reader *reader, const wsf_buffer *frame, uint64_t receiver,
                    wsf_frame_head *head) {
    const uint8_t *data = frame->data;
    size_t size = frame->size;
    uint8_t topic[WSF_TOPIC_SIZE];
    wsf_write_inbox(topic, receiver);
    if (size <= WSF_BODY_OFFSET || memcmp(data, topic, sizeof topic) != 0 ||
        wsf_get_u64(data + sizeof topic) != wsf_frame_checksum(data, size) ||
        !scan(data + WSF_BODY_OFFSET, size - WSF_BODY_OFFSET))
        return WSFAN_EINVAL;
    reader->data = data;
    reader->size = size;
    reader->offset = WSF_BODY_OFFSET;
    reader->rest = (wsfan_bytes){ NULL, 0 };

    int error;
    msgpack_object object;
    const msgpack_object_array *array = unpack_array(reader, &object, &error);
    if (array == NULL)
        return error;
    bool valid = get_u32(array, 0, &head->version) && get_u64(array, 1, &head->sender) &&
                 get_u64(array, 2, &head->epoch) && get_u64(array, 3, &head->number) &&
                 get_u64(array, 4, &head->ack_epoch) && get_u64(array, 5, &head->ack) &&
                 head->sender != 0 && read_rest(array, head) &&
                 take_rest(reader, frame->rest, head);
    return valid ? WSFAN_OK : WSFAN_EINVAL;
}

static bool read_hello(const msgpack_object_array *array, wsf_hello *hello) {
    uint64_t met = 1;
    hello->met = !get_u64(array, 10, &met) || met != 0; /* a node that does not say may have */
    return get_u32(array, 1, &hello->protocol_min) && get_u32(array, 2, &hello->protocol_max) &&
           get_u64(array, 3, &hello->features) &&
           get_text(array, 4, WSF_CLUSTER_SIZE_MAX, &hello->cluster) &&
           get_text(array, 5, WSF_NAME_SIZE_MAX, &hello->name) && hello->name.size > 0 &&
           wsf_text_is_printable(hello->name.data, hello->name.size) &&
           get_u64(array, 6, &hello->incarnation) &&
           get_text(array, 7, WSF_ENDPOINT_SIZE_MAX, &hello->endpoint) &&
           wsf_endpoint_to_tell(hello->endpoint.data, hello->endpoint.size) &&
           get_u64(array, 8, &hello->epoch) && hello->epoch != 0 &&
           get_u64(array, 9, &hello->frame_size_max);
}

/* An array within the array; NULL: there is none. */
static const msgpack_object_array *get_array(const msgpack_object_array *array, uint32_t i) {
    if (i >= array->size || array->ptr[i].type != MSGPACK_OBJECT_ARRAY)
        return NULL;
    return &array->ptr[i].via.array;
}

static bool read_targets(wsf_reader *reader, const msgpack_object_array *list,
                         const wsfan_target **targets, uint32_t *count) {
    if (list == NULL)
        return false;
    if (list->size == 0 || list->size % 2 != 0 || list->size / 2 > WSF_TARGETS_COUNT_MAX)
        return false;
    for (uint32_t i = 0; i < list->size; i += 2) {
        uint32_t kind;
        wsfan_target *target = &reader->targets[i / 2];
        if (!get_u32(list, i, &kind) || !get_bin(list, i + 1, UINT16_MAX, &target->name))
            return false;
        target->kind = (wsfan_target_kind)kind;
        if (!wsf_target_valid(target))
            return false;
    }
    *targets = reader->targets;
    *count = list->size / 2;
    return true;
}

/* An apart payload is the second part's, for one entry only: two messages must not have the same headroom. */
static bool read_payload(wsf_reader *reader, const msgpack_object_array *array, wsf_entry *entry) {
    entry->message.head_size = 0; /* not known */
    if (!entry->message.apart)
        return get_bin(array, 6, UINT32_MAX, &entry->message.payload);
    entry->message.payload = reader->rest;
    entry->message.head_size = reader->rest_room;
    reader->rest = (wsfan_bytes){ NULL, 0 };
    return entry->message.payload.data != NULL;
}

static bool read_message(wsf_reader *reader, const msgpack_object_array *array, wsf_entry *entry,
                         bool apart) {
    entry->type = WSF_MESSAGE;
    entry->message.apart = apart;
    if (!get_u64(array, apart ? 6 : 7, &entry->message.slot))
        entry->message.slot = 0;
    return get_u64(array, 1, &entry->message.clock) && get_u32(array, 2, &entry->message.flags) &&
           get_u64(array, 3, &entry->message.except.node) &&
           get_u64(array, 4, &entry->message.except.session) &&
           read_targets(reader, get_array(array, 5), &entry->message.targets,
                        &entry->message.targets_count) &&
           read_payload(reader, array, entry);
}

/* Reads a head and moves *at behind it. */
static bool read_run_head(const uint8_t **at, const uint8_t *end, wsf_messages_head *head) {
    const uint8_t *from = *at;
    if (end - from < WSF_MESSAGES_HEAD_SIZE)
        return false;
    bool except = (from[0] & WSF_MESSAGES_EXCEPT) != 0;
    unsigned kind = from[0] & ~(unsigned)WSF_MESSAGES_EXCEPT;
    size_t name_size = (size_t)from[2] << 8 | from[3];
    head->flags = from[1];
    from += WSF_MESSAGES_HEAD_SIZE;
    if ((kind != WSFAN_CHAT && kind != WSFAN_USER) || name_size == 0 ||
        (size_t)(end - from) < (except ? WSF_MESSAGES_EXCEPT_SIZE : 0) + name_size)
        return false;
    head->except = (wsfan_address){ 0, 0 };
    if (except) {
        head->except = (wsfan_address){ .node = wsf_get_u64(from),
                                        .session = wsf_get_u64(from + 8) };
        from += WSF_MESSAGES_EXCEPT_SIZE;
    }
    head->target = (wsfan_target){ (wsfan_target_kind)kind, { from, name_size } };
    *at = from + name_size;
    return true;
}

static bool read_heads(wsf_reader *reader, wsfan_bytes heads, wsf_messages *messages) {
    const uint8_t *at = heads.data;
    const uint8_t *end = at + heads.size;
    messages->heads = reader->heads;
    messages->heads_count = 0;
    while (at < end)
        if (messages->heads_count == WSF_RUN_HEADS_MAX ||
            !read_run_head(&at, end, &reader->heads[messages->heads_count++]))
            return false;
    return true;
}

static bool read_payloads(wsf_reader *reader, const msgpack_object_array *array,
                          wsf_messages *messages) {
    messages->apart = array->size == 4;
    if (!messages->apart)
        return get_bin(array, 4, UINT32_MAX, &messages->payloads);
    messages->payloads = reader->rest;
    reader->rest = (wsfan_bytes){ NULL, 0 };
    return messages->payloads.data != NULL;
}

/* Every message has a head and its bytes, and the clocks rise from that of the entry. */
static bool is_index_right(const wsf_messages *messages) {
    uint64_t bytes = 0;
    int32_t before = -1;
    bool wrong = wsf_get_message_at(messages->index, 0).offset != 0;
    for (uint32_t i = 0; i < messages->count; i++) {
        wsf_message_at at = wsf_get_message_at(messages->index, i);
        wrong |= at.head >= messages->heads_count;
        wrong |= at.offset <= before;
        before = at.offset;
        bytes += at.payload_size;
    }
    return !wrong && bytes == messages->payloads.size;
}

/* Column by column. */
static bool read_messages(wsf_reader *reader, const msgpack_object_array *array,
                          wsf_messages *messages) {
    wsfan_bytes heads;
    wsfan_bytes index;
    if (!get_u64(array, 1, &messages->clock) || !get_bin(array, 2, UINT32_MAX, &heads) ||
        !read_heads(reader, heads, messages) ||
        !get_bin(array, 3, (size_t)WSF_RUN_COUNT_MAX * WSF_MESSAGE_AT_SIZE, &index) ||
        !read_payloads(reader, array, messages) || index.size % WSF_MESSAGE_AT_SIZE != 0 ||
        index.size == 0)
        return false;
    messages->index = index.data;
    messages->count = (uint32_t)(index.size / WSF_MESSAGE_AT_SIZE);
    return is_index_right(messages);
}

static bool read_request(wsf_reader *reader, const msgpack_object_array *array, wsf_entry *entry) {
    return get_u64(array, 1, &entry->request.id) && get_u32(array, 2, &entry->request.kind) &&
           get_u32(array, 3, &entry->request.ms_max) && get_u32(array, 4, &entry->request.number) &&
           read_targets(reader, get_array(array, 5), &entry->request.targets,
                        &entry->request.targets_count) &&
           get_bin(array, 6, UINT32_MAX, &entry->request.payload);
}

static bool read_reply(wsf_reader *reader, const msgpack_object_array *array, wsf_entry *entry) {
    uint32_t more;
    const msgpack_object_array *list = get_array(array, 6);
    if (!get_u64(array, 1, &entry->reply.id) || !get_u32(array, 2, &entry->reply.status) ||
        !get_u64(array, 3, &entry->reply.sessions) ||
        !get_u64(array, 4, &entry->reply.sessions_failed) || !get_u32(array, 5, &more) ||
        list == NULL || list->size % 3 != 0 || list->size / 3 > WSF_ROWS_COUNT_MAX ||
        !get_bin(array, 7, UINT32_MAX, &entry->reply.payload))
        return false;
    for (uint32_t i = 0; i < list->size; i += 3) {
        wsf_reply_row *row = &reader->rows[i / 3];
        if (!get_bin(list, i, WSF_PAGE_BYTES_MAX + UINT16_MAX, &row->key) ||
            !get_bin(list, i + 1, UINT16_MAX, &row->text) || !get_u64(list, i + 2, &row->count))
            return false;
    }
    entry->reply.more = more != 0;
    entry->reply.rows = reader->rows;
    entry->reply.rows_count = list->size / 3;
    return true;
}

static bool read_peers(wsf_reader *reader, const msgpack_object_array *array, wsf_entry *entry) {
    if (array->size < 2 || array->ptr[1].type != MSGPACK_OBJECT_ARRAY)
        return false;
    const msgpack_object_array *list = &array->ptr[1].via.array;
    if (list->size % 2 != 0 || list->size / 2 > WSF_KNOWN_PEERS_MAX)
        return false;
    for (uint32_t i = 0; i < list->size; i += 2) {
        wsf_known_peer *peer = &reader->peers[i / 2];
        if (!get_u64(list, i, &peer->node) || peer->node == 0 ||
            !get_text(list, i + 1, WSF_ENDPOINT_SIZE_MAX, &peer->endpoint) ||
            !wsf_endpoint_to_tell(peer->endpoint.data, peer->endpoint.size))
            return false;
    }
    entry->peers.list = reader->peers;
    entry->peers.count = list->size / 2;
    return true;
}

static bool read_nack(wsf_reader *reader, const msgpack_object_array *array, wsf_entry *entry) {
    if (array->size < 2 || array->ptr[1].type != MSGPACK_OBJECT_ARRAY)
        return false;
    const msgpack_object_array *list = &array->ptr[1].via.array;
    if (list->size % 2 != 0 || list->size / 2 > WSF_NACK_RANGES_MAX)
        return false;
    for (uint32_t i = 0; i < list->size; i += 2) {
        wsf_range *range = &reader->ranges[i / 2];
        if (!get_u64(list, i, &range->from) || !get_u64(list, i + 1, &range->to))
            return false;
    }
    entry->nack.ranges = reader->ranges;
    entry->nack.count = list->size / 2;
    return true;
}

static bool read_presence(wsf_reader *reader, const msgpack_object_array *array, wsf_entry *entry) {
    if (!get_u32(array, 1, &entry->presence.flags) || !get_u64(array, 2, &entry->presence.heard) ||
        array->size < 4 || array->ptr[3].type != MSGPACK_OBJECT_ARRAY)
        return false;
    const msgpack_object_array *list = &array->ptr[3].via.array;
    if (list->size % 4 != 0 || list->size / 4 > WSF_PRESENCE_ROWS_MAX)
        return false;
    uint64_t chat_hash = 0;
    for (uint32_t i = 0; i < list->size; i += 4) {
        wsf_presence_row *row = &reader->presence[i / 4];
        if (!get_u64(list, i, &row->chat_hash) || !get_u32(list, i + 1, &row->sessions) ||
            !get_bin(list, i + 2, UINT16_MAX, &row->user) || row->user.size == 0 ||
            !get_bin(list, i + 3, UINT16_MAX, &row->metadata))
            return false;
        if (row->chat_hash == 0)
            row->chat_hash = chat_hash;
        chat_hash = row->chat_hash;
        if (chat_hash == 0)
            return false;
    }
    entry->presence.rows = reader->presence;
    entry->presence.count = list->size / 4;
    return true;
}

static bool get_hashes(const msgpack_object_array *array, uint32_t i, wsfan_bytes *hashes) {
    return get_bin(array, i, SIZE_MAX, hashes) && hashes->size % 8 == 0;
}

static bool read_hold(const msgpack_object_array *array, wsf_hold *hold) {
    return get_u32(array, 1, &hold->flags) && get_hashes(array, 2, &hold->adds) &&
           get_hashes(array, 3, &hold->inherits) && get_hashes(array, 4, &hold->removes) &&
           get_hashes(array, 5, &hold->held);
}

static bool read_entry(wsf_reader *reader, const msgpack_object_array *array, wsf_entry *entry,
                       bool *known) {
    uint64_t type;
    *known = true;
    if (!get_u64(array, 0, &type))
        return false;
    entry->type = (wsf_entry_type)type;
    switch (type) {
    case WSF_HELLO:
        return read_hello(array, &entry->hello);
    case WSF_HELLO_ACK:
        return get_u64(array, 1, &entry->hello_ack);
    case WSF_REFUSE:
        return get_u64(array, 1, &entry->refuse);
    case WSF_MESSAGE:
    case WSF_MESSAGE_APART:
        return read_message(reader, array, entry, type == WSF_MESSAGE_APART);
    case WSF_MESSAGES:
        return read_messages(reader, array, &entry->messages);
    case WSF_INTEREST:
        entry->interest.has_serial = get_u64(array, 4, &entry->interest.serial);
        return get_u32(array, 1, &entry->interest.flags) &&
               get_hashes(array, 2, &entry->interest.adds) &&
               get_hashes(array, 3, &entry->interest.removes);
    case WSF_PEERS:
        return read_peers(reader, array, entry);
    case WSF_HEARTBEAT:
        entry->heartbeat.has_digest = get_u64(array, 2, &entry->heartbeat.digest);
        return get_u64(array, 1, &entry->heartbeat.newest);
    case WSF_NACK:
        return read_nack(reader, array, entry);
    case WSF_LOST:
        if (!get_u64(array, 3, &entry->lost.clock))
            entry->lost.clock = 0;
        return get_u64(array, 1, &entry->lost.count) && get_u64(array, 2, &entry->lost.reason);
    case WSF_STATUS:
        if (!get_u64(array, 4, &entry->node_status.cluster_epoch.number) ||
            !get_u64(array, 5, &entry->node_status.cluster_epoch.birth_ms))
            entry->node_status.cluster_epoch = (wsf_cluster_epoch){ 0, 0 };
        return get_u32(array, 1, &entry->node_status.flags) &&
               get_u32(array, 2, &entry->node_status.weight) &&
               entry->node_status.weight <= WSF_WEIGHT_MAX &&
               get_text(array, 3, WSF_PUBLIC_SIZE_MAX, &entry->node_status.address);
    case WSF_REQUEST:
        return read_request(reader, array, entry);
    case WSF_REPLY:
        return read_reply(reader, array, entry);
    case WSF_PRESENCE:
        return read_presence(reader, array, entry);
    case WSF_PRESENCE_SUM:
        return get_u64(array, 1, &entry->presence_sum.newest) &&
               get_u64(array, 2, &entry->presence_sum.heard) &&
               get_u64(array, 3, &entry->presence_sum.digest);
    case WSF_MARK:
        return get_u64(array, 1, &entry->mark.clock) && get_u64(array, 2, &entry->mark.newest) &&
               get_u64(array, 3, &entry->mark.last);
    case WSF_MARK_ASK:
        return get_u64(array, 1, &entry->mark_ask);
    case WSF_HOLD:
        return read_hold(array, &entry->hold);
    case WSF_HOLD_SUM:
        return get_u64(array, 1, &entry->hold_sum.newest) &&
               get_u64(array, 2, &entry->hold_sum.digest);
    case WSF_BYE:
    case WSF_RESYNC:
    case WSF_PRESENCE_RESYNC:
    case WSF_HOLD_RESYNC:
        return true;
    default:
        *known = false;
        return true;
    }
}

/* The next entry of a known type that message_codec.c does not read. */
static int unpack_entry(wsf_reader *reader, wsf_entry *entry) {
    int error;
    bool known = false;
    msgpack_object object;
    entry->type = (wsf_entry_type)0; /* none is known of what is no entry */
    while (!known && reader->offset < reader->size) {
        const msgpack_object_array *array = unpack_array(reader, &object, &error);
        if (array == NULL)
            return error;
        if (!read_entry(reader, array, entry, &known))
            return WSFAN_EINVAL;
    }
    return known;
}

int wsf_reader_next(wsf_reader *reader, wsf_entry *entry) {
    if (reader->offset == reader->size)
        return 0;
    const uint8_t *at = reader->data + reader->offset;
    if (!wsf_entry_parse(&at, reader->data + reader->size, &entry->message, reader->targets))
        return unpack_entry(reader, entry);
    entry->type = WSF_MESSAGE;
    reader->offset = (size_t)(at - reader->data);
    return 1;
}
