/* Answers for every byte that leaves, and for the topics that peers subscribe to. A frame is
 *     inbox topic | checksum | head: [version, sender, epoch, number, ack epoch, ack] | entry ...
 * in MessagePack, where an entry is an array that begins with its type. The checksum turns a frame
 * that was damaged on its way (TCP's is 16 bits) into one that is missing, which is repaired. A large
 * payload is a second part, the same bytes for all receivers; the head has its size and checksum. */
#include "wire/encode.h"

#include <assert.h>
#include <msgpack.h>
#include <string.h>

#include "wire/checksum.h"

static const uint8_t INBOX_MAGIC[4] = { 'W', 'S', 'F', 'N' };
static const uint8_t INTRODUCTION_MAGIC[4] = { 'W', 'S', 'F', 'I' };

/* ------------------------------------------------------------------------------------- writing */

static int put(void *data, const char *bytes, size_t size) {
    wsf_writer *writer = data;
    assert(size <= writer->capacity - writer->size);
    memcpy(writer->data + writer->size, bytes, size);
    writer->size += size;
    return 0;
}

static msgpack_packer packer_of(wsf_writer *writer) {
    msgpack_packer packer;
    msgpack_packer_init(&packer, writer, put);
    return packer;
}

static void pack_bin(msgpack_packer *packer, wsfan_bytes bytes) {
    msgpack_pack_bin(packer, bytes.size);
    if (bytes.size > 0)
        msgpack_pack_bin_body(packer, bytes.data, bytes.size);
}

void wsf_write_inbox(uint8_t topic[WSF_TOPIC_SIZE], uint64_t node) {
    memcpy(topic, INBOX_MAGIC, sizeof INBOX_MAGIC);
    wsf_put_u64(topic + sizeof INBOX_MAGIC, node);
}

void wsf_write_head(wsf_writer *writer, uint64_t receiver, const wsf_frame_head *head) {
    uint8_t topic[WSF_TOPIC_SIZE];
    wsf_write_inbox(topic, receiver);
    static const char unsealed[WSF_CHECKSUM_SIZE];
    put(writer, (const char *)topic, sizeof topic);
    put(writer, unsealed, sizeof unsealed);

    msgpack_packer packer = packer_of(writer);
    msgpack_pack_array(&packer, head->rest_size > 0 ? 9 : 6);
    msgpack_pack_uint32(&packer, head->version);
    msgpack_pack_uint64(&packer, head->sender);
    msgpack_pack_uint64(&packer, head->epoch);
    msgpack_pack_uint64(&packer, head->number);
    msgpack_pack_uint64(&packer, head->ack_epoch);
    msgpack_pack_uint64(&packer, head->ack);
    if (head->rest_size == 0)
        return;
    msgpack_pack_uint32(&packer, head->rest_size);
    msgpack_pack_uint32(&packer, head->rest_room);
    msgpack_pack_uint64(&packer, head->rest_checksum);
}

uint64_t wsf_frame_checksum(const uint8_t *frame, size_t size) {
    uint64_t receiver = wsf_get_u64(frame + sizeof INBOX_MAGIC);
    return wsf_checksum(frame + WSF_BODY_OFFSET, size - WSF_BODY_OFFSET, receiver);
}

void wsf_seal(wsf_writer *writer) {
    wsf_put_u64(writer->data + WSF_TOPIC_SIZE, wsf_frame_checksum(writer->data, writer->size));
}

/* Without a seed, so that it is computed once for all receivers. It is in the head, which the seal covers. */
uint64_t wsf_payload_checksum(const void *payload, size_t size) {
    return wsf_checksum(payload, size, 0);
}

void wsf_write_hello(wsf_writer *writer, const wsf_hello *hello) {
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_array(&packer, 11);
    msgpack_pack_uint32(&packer, WSF_HELLO);
    msgpack_pack_uint32(&packer, hello->protocol_min);
    msgpack_pack_uint32(&packer, hello->protocol_max);
    msgpack_pack_uint64(&packer, hello->features);
    pack_bin(&packer, hello->cluster);
    pack_bin(&packer, hello->name);
    msgpack_pack_uint64(&packer, hello->incarnation);
    pack_bin(&packer, hello->endpoint);
    msgpack_pack_uint64(&packer, hello->epoch);
    msgpack_pack_uint64(&packer, hello->frame_size_max);
    msgpack_pack_uint32(&packer, hello->met);
}

void wsf_write_number(wsf_writer *writer, wsf_entry_type type, uint64_t number) {
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_array(&packer, 2);
    msgpack_pack_uint32(&packer, type);
    msgpack_pack_uint64(&packer, number);
}

void wsf_write_heartbeat(wsf_writer *writer, uint64_t newest, const uint64_t *digest) {
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_array(&packer, digest != NULL ? 3 : 2);
    msgpack_pack_uint32(&packer, WSF_HEARTBEAT);
    msgpack_pack_uint64(&packer, newest);
    if (digest != NULL)
        msgpack_pack_uint64(&packer, *digest);
}

void wsf_write_nack(wsf_writer *writer, const wsf_range *ranges, uint32_t count) {
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_array(&packer, 2);
    msgpack_pack_uint32(&packer, WSF_NACK);
    msgpack_pack_array(&packer, (size_t)count * 2);
    for (uint32_t i = 0; i < count; i++) {
        msgpack_pack_uint64(&packer, ranges[i].from);
        msgpack_pack_uint64(&packer, ranges[i].to);
    }
}

static void pack_targets(msgpack_packer *packer, const wsfan_message *message) {
    msgpack_pack_array(packer, (size_t)message->targets_count * 2);
    for (uint32_t i = 0; i < message->targets_count; i++) {
        wsfan_target target = wsfan_message_target(message, i);
        msgpack_pack_uint32(packer, target.kind);
        pack_bin(packer, target.name);
    }
}

void wsf_write_message(wsf_writer *writer, const wsfan_message *message) {
    assert(wsf_message_entry_bound(message) <= writer->capacity - writer->size);
    uint8_t *end = wsf_entry_write(writer->data + writer->size, message);
    writer->size = (size_t)(end - writer->data);
}

void wsf_write_entry(wsf_writer *writer, const void *entry, size_t size) {
    put(writer, entry, size);
}

void wsf_write_request(wsf_writer *writer, const wsf_request *request) {
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_array(&packer, 7);
    msgpack_pack_uint32(&packer, WSF_REQUEST);
    msgpack_pack_uint64(&packer, request->id);
    msgpack_pack_uint32(&packer, request->kind);
    msgpack_pack_uint32(&packer, request->ms_max);
    msgpack_pack_uint32(&packer, request->number);
    pack_targets(&packer, request->message);
    pack_bin(&packer, wsfan_message_payload(request->message));
}

void wsf_write_reply(wsf_writer *writer, uint64_t id, const wsf_answer *answer) {
    const wsf_rows *rows = &answer->rows;
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_array(&packer, 8);
    msgpack_pack_uint32(&packer, WSF_REPLY);
    msgpack_pack_uint64(&packer, id);
    msgpack_pack_uint32(&packer, (uint32_t)-answer->status);
    msgpack_pack_uint64(&packer, answer->sessions);
    msgpack_pack_uint64(&packer, answer->sessions_failed);
    msgpack_pack_uint32(&packer, rows->more);
    msgpack_pack_array(&packer, (size_t)rows->count * 3);
    for (uint32_t i = 0; i < rows->count; i++) {
        pack_bin(&packer, wsf_row_key(rows->list[i]));
        pack_bin(&packer, wsf_row_text(rows->list[i]));
        msgpack_pack_uint64(&packer, rows->list[i]->count);
    }
    pack_bin(&packer, (wsfan_bytes){ answer->payload, answer->payload_size });
}

static wsfan_bytes payloads_of(wsf_span span) {
    return (wsfan_bytes){ wsf_run_payload(span.message, span.from).data,
                          (size_t)wsf_span_payload_bytes(span) };
}

/* high: the number of the head that is written first. */
static void write_index(wsf_writer *writer, wsf_span span, uint32_t high) {
    const wsf_run_entry *entry = &span.message->run->entries[span.from];
    const wsf_run_entry *end = entry + wsf_span_count(span);
    uint8_t *at = writer->data + writer->size;
    uint32_t begin = wsf_run_begin(span.message, span.from);
    uint32_t first = entry->offset;
    uint32_t place = 0; /* of the head before; no head has this one */
    uint64_t head = 0;
    for (; entry < end; entry++, at += WSF_MESSAGE_AT_SIZE) {
        wsf_run_entry now = *entry;
        if (now.head != place) {
            place = now.head;
            head = (uint64_t)(high - wsf_run_head_at(span.message, place)->number) << 16;
        }
        wsf_put_u64(at, (uint64_t)(now.end - begin) << 32 | head | (now.offset - first));
        begin = now.end;
    }
    writer->size = (size_t)(at - writer->data);
}

static size_t head_size(const wsf_run_head *head) {
    size_t except = head->except.node != 0 ? WSF_MESSAGES_EXCEPT_SIZE : 0;
    return WSF_MESSAGES_HEAD_SIZE + except + head->target.name_size;
}

/* Of all heads; or of `first` and those behind it in memory, down to the number `low`. */
static size_t heads_size(const wsfan_message *run, const wsf_run_head *first, uint32_t low) {
    size_t size = 0;
    if (low == 0 && first == wsf_run_next_head(run, NULL))
        return run->run->heads_count * (size_t)WSF_MESSAGES_HEAD_SIZE +
               run->run->excepts_count * (size_t)WSF_MESSAGES_EXCEPT_SIZE + run->run->name_bytes;
    for (; first != NULL && first->number >= low; first = wsf_run_next_head(run, first))
        size += head_size(first);
    return size;
}

/* Returns where it ends. */
static uint8_t *write_run_head(uint8_t *at, const wsf_run_head *head) {
    bool except = head->except.node != 0;
    *at++ = (uint8_t)(head->target.kind | (except ? WSF_MESSAGES_EXCEPT : 0));
    *at++ = head->flags;
    *at++ = (uint8_t)(head->target.name_size >> 8);
    *at++ = (uint8_t)head->target.name_size;
    if (except) {
        wsf_put_u64(at, head->except.node);
        wsf_put_u64(at + 8, head->except.session);
        at += WSF_MESSAGES_EXCEPT_SIZE;
    }
    wsf_copy_short(at, head + 1, head->target.name_size);
    return at + head->target.name_size;
}

/* The lowest and the highest number of the heads that a span uses; or, for a whole run, of all heads, so that not every
 * message need be looked at. The bound of a single message has room for its own head only. */
static void find_heads(wsf_span span, uint32_t *low, const wsf_run_head **high) {
    const wsf_run_entry *entries = span.message->run->entries;
    *low = 0;
    *high = wsf_run_next_head(span.message, NULL);
    if (wsf_span_count(span) == span.message->count && span.message->count > 1)
        return;
    *low = UINT32_MAX;
    *high = NULL;
    for (uint32_t i = span.from; i < span.to; i++) {
        if (i > span.from && entries[i].head == entries[i - 1].head)
            continue;
        const wsf_run_head *head = wsf_run_head_of(span.message, i);
        *low = head->number < *low ? head->number : *low;
        *high = *high == NULL || head->number > (*high)->number ? head : *high;
    }
}

/* The heads from the highest to the lowest number, as they lie in memory. */
static void write_messages(wsf_writer *writer, wsf_span span) {
    const wsfan_message *run = span.message;
    uint32_t low;
    const wsf_run_head *high;
    find_heads(span, &low, &high);
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_array(&packer, wsf_span_is_apart(span) ? 4 : 5);
    msgpack_pack_uint32(&packer, WSF_MESSAGES);
    msgpack_pack_uint64(&packer, wsf_span_clock(span));
    msgpack_pack_bin(&packer, heads_size(run, high, low));
    uint8_t *at = writer->data + writer->size;
    for (const wsf_run_head *head = high; head != NULL && head->number >= low;
         head = wsf_run_next_head(run, head))
        at = write_run_head(at, head);
    writer->size = (size_t)(at - writer->data);
    msgpack_pack_bin(&packer, (size_t)wsf_span_count(span) * WSF_MESSAGE_AT_SIZE);
    write_index(writer, span, high->number);
    if (!wsf_span_is_apart(span))
        pack_bin(&packer, payloads_of(span));
}

void wsf_write_span(wsf_writer *writer, wsf_span span) {
    assert(wsf_span_bound(span) <= writer->capacity - writer->size);
    if (wsf_message_is_run(span.message))
        write_messages(writer, span);
    else
        wsf_write_message(writer, span.message);
}

void wsf_write_interest(wsf_writer *writer, uint32_t flags, wsfan_bytes adds, wsfan_bytes removes,
                        const uint64_t *serial) {
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_array(&packer, serial != NULL ? 5 : 4);
    msgpack_pack_uint32(&packer, WSF_INTEREST);
    msgpack_pack_uint32(&packer, flags);
    pack_bin(&packer, adds);
    pack_bin(&packer, removes);
    if (serial != NULL)
        msgpack_pack_uint64(&packer, *serial);
}

void wsf_write_presence(wsf_writer *writer, uint32_t flags, uint64_t heard,
                        const wsf_presence_row *rows, uint32_t count) {
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_array(&packer, 4);
    msgpack_pack_uint32(&packer, WSF_PRESENCE);
    msgpack_pack_uint32(&packer, flags);
    msgpack_pack_uint64(&packer, heard);
    msgpack_pack_array(&packer, (size_t)count * 4);
    for (uint32_t i = 0; i < count; i++) {
        /* 0 stands for the chat of the row before, which is usual. */
        bool same = i > 0 && rows[i].chat_hash == rows[i - 1].chat_hash;
        msgpack_pack_uint64(&packer, same ? 0 : rows[i].chat_hash);
        msgpack_pack_uint32(&packer, rows[i].sessions);
        pack_bin(&packer, rows[i].user);
        pack_bin(&packer, rows[i].metadata);
    }
}

void wsf_write_presence_sum(wsf_writer *writer, const wsf_presence_sum *sum) {
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_array(&packer, 4);
    msgpack_pack_uint32(&packer, WSF_PRESENCE_SUM);
    msgpack_pack_uint64(&packer, sum->newest);
    msgpack_pack_uint64(&packer, sum->heard);
    msgpack_pack_uint64(&packer, sum->digest);
}

void wsf_write_peers(wsf_writer *writer, const wsf_known_peer *peers, uint32_t count) {
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_array(&packer, 2);
    msgpack_pack_uint32(&packer, WSF_PEERS);
    msgpack_pack_array(&packer, (size_t)count * 2);
    for (uint32_t i = 0; i < count; i++) {
        msgpack_pack_uint64(&packer, peers[i].node);
        pack_bin(&packer, peers[i].endpoint);
    }
}

void wsf_write_lost(wsf_writer *writer, uint64_t count, uint64_t reason, uint64_t clock) {
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_array(&packer, clock != 0 ? 4 : 3);
    msgpack_pack_uint32(&packer, WSF_LOST);
    msgpack_pack_uint64(&packer, count);
    msgpack_pack_uint64(&packer, reason);
    if (clock != 0)
        msgpack_pack_uint64(&packer, clock);
}

void wsf_write_mark(wsf_writer *writer, const wsf_mark *mark) {
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_array(&packer, 4);
    msgpack_pack_uint32(&packer, WSF_MARK);
    msgpack_pack_uint64(&packer, mark->clock);
    msgpack_pack_uint64(&packer, mark->newest);
    msgpack_pack_uint64(&packer, mark->last);
}

void wsf_write_hold(wsf_writer *writer, const wsf_hold *hold) {
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_array(&packer, 6);
    msgpack_pack_uint32(&packer, WSF_HOLD);
    msgpack_pack_uint32(&packer, hold->flags);
    pack_bin(&packer, hold->adds);
    pack_bin(&packer, hold->inherits);
    pack_bin(&packer, hold->removes);
    pack_bin(&packer, hold->held);
}

void wsf_write_hold_sum(wsf_writer *writer, const wsf_hold_sum *sum) {
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_array(&packer, 3);
    msgpack_pack_uint32(&packer, WSF_HOLD_SUM);
    msgpack_pack_uint64(&packer, sum->newest);
    msgpack_pack_uint64(&packer, sum->digest);
}

void wsf_write_status(wsf_writer *writer, const wsf_status *status) {
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_array(&packer, status->cluster_epoch.number != 0 ? 6 : 4);
    msgpack_pack_uint32(&packer, WSF_STATUS);
    msgpack_pack_uint32(&packer, status->flags);
    msgpack_pack_uint32(&packer, status->weight);
    pack_bin(&packer, status->address);
    if (status->cluster_epoch.number == 0)
        return;
    msgpack_pack_uint64(&packer, status->cluster_epoch.number);
    msgpack_pack_uint64(&packer, status->cluster_epoch.birth_ms);
}

void wsf_write_type(wsf_writer *writer, wsf_entry_type type) {
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_array(&packer, 1);
    msgpack_pack_uint32(&packer, type);
}

enum { TARGET_BOUND = 8 }; /* kind and length of one target's name */

size_t wsf_message_bound(const wsfan_message *message) {
    size_t bound = WSF_ENTRY_BOUND + message->payload_size;
    for (uint32_t i = 0; i < message->targets_count; i++)
        bound += TARGET_BOUND + message->targets[i].name_size;
    return bound;
}

size_t wsf_message_entry_bound(const wsfan_message *message) {
    return wsf_message_bound(message) - (wsf_message_is_apart(message) ? message->payload_size : 0);
}

/* Of a run all heads count, where there are several messages. */
size_t wsf_span_bound(wsf_span span) {
    enum { HEAD_BOUND = WSF_MESSAGES_HEAD_SIZE + WSF_MESSAGES_EXCEPT_SIZE }; /* without its name */
    if (!wsf_message_is_run(span.message))
        return wsf_message_entry_bound(span.message);
    const wsf_run *run = span.message->run;
    uint32_t count = wsf_span_count(span);
    size_t heads = count == 1 ? (size_t)HEAD_BOUND +
                                    wsf_run_head_of(span.message, span.from)->target.name_size
                              : run->heads_count * (size_t)HEAD_BOUND + run->name_bytes;
    return WSF_ENTRY_BOUND + heads + count * (size_t)WSF_MESSAGE_AT_SIZE +
           (wsf_span_is_apart(span) ? 0 : (size_t)wsf_span_payload_bytes(span));
}

uint32_t wsf_span_fit(wsf_span span, size_t room) {
    uint32_t least = span.from; /* fit, */
    uint32_t most = span.to;    /* and these do not */
    if (wsf_span_bound(span) <= room)
        return wsf_span_count(span);
    while (most - least > 1) {
        span.to = least + (most - least) / 2;
        if (wsf_span_bound(span) <= room)
            least = span.to;
        else
            most = span.to;
    }
    return least - span.from;
}

size_t wsf_reply_bound(const wsf_answer *answer) {
    enum { ROW_BOUND = 20 }; /* two lengths and a number */
    size_t bound = WSF_ENTRY_BOUND + answer->payload_size;
    for (uint32_t i = 0; i < answer->rows.count; i++)
        bound += ROW_BOUND + wsf_row_key(answer->rows.list[i]).size +
                 wsf_row_text(answer->rows.list[i]).size;
    return bound;
}

size_t wsf_frame_bound(size_t payload_size_max, size_t name_size_max, size_t targets_count_max) {
    return WSF_FRAME_HEAD_BOUND + WSF_ENTRY_BOUND + payload_size_max +
           targets_count_max * (TARGET_BOUND + name_size_max);
}

/* ------------------------------------------------------------------------------- introductions */

size_t wsf_write_introduction(uint8_t topic[WSF_INTRODUCTION_SIZE_MAX],
                              const wsf_introduction *introduction) {
    size_t cluster_size = strlen(introduction->cluster);
    size_t endpoint_size = strlen(introduction->endpoint);
    uint8_t *at = topic;
    memcpy(at, INTRODUCTION_MAGIC, sizeof INTRODUCTION_MAGIC);
    at += sizeof INTRODUCTION_MAGIC;
    *at++ = introduction->protocol_min;
    *at++ = introduction->protocol_max;
    wsf_put_u64(at, introduction->node);
    at += 8;
    *at++ = (uint8_t)cluster_size;
    memcpy(at, introduction->cluster, cluster_size);
    at += cluster_size;
    *at++ = (uint8_t)endpoint_size;
    memcpy(at, introduction->endpoint, endpoint_size);
    at += endpoint_size;
    return (size_t)(at - topic);
}

static bool take_text(const uint8_t **at, const uint8_t *end, char *out, size_t size_max) {
    size_t size = *at < end ? **at : SIZE_MAX;
    if (size > size_max || (size_t)(end - *at) < 1 + size || memchr(*at + 1, '\0', size) != NULL)
        return false;
    memcpy(out, *at + 1, size);
    out[size] = '\0';
    *at += 1 + size;
    return true;
}

wsf_topic_kind wsf_read_topic(const void *data, size_t size, wsf_introduction *introduction) {
    const uint8_t *at = data;
    const uint8_t *end = at + size;
    if (size == WSF_TOPIC_SIZE && memcmp(at, INBOX_MAGIC, sizeof INBOX_MAGIC) == 0) {
        introduction->node = wsf_get_u64(at + sizeof INBOX_MAGIC);
        return introduction->node != 0 ? WSF_TOPIC_INBOX : WSF_TOPIC_OTHER;
    }
    enum { FIXED_SIZE = 4 + 2 + 8 };
    if (size < FIXED_SIZE || memcmp(at, INTRODUCTION_MAGIC, sizeof INTRODUCTION_MAGIC) != 0)
        return WSF_TOPIC_OTHER;
    introduction->protocol_min = at[4];
    introduction->protocol_max = at[5];
    introduction->node = wsf_get_u64(at + 6);
    at += FIXED_SIZE;
    /* Bytes that a later version appends are passed over. */
    bool valid = introduction->node != 0 &&
                 take_text(&at, end, introduction->cluster, WSF_CLUSTER_SIZE_MAX) &&
                 take_text(&at, end, introduction->endpoint, WSF_ENDPOINT_SIZE_MAX) &&
                 wsf_endpoint_to_tell(introduction->endpoint, strlen(introduction->endpoint));
    return valid ? WSF_TOPIC_INTRODUCTION : WSF_TOPIC_OTHER;
}
