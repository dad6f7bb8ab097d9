/* A frame as it comes from the network. The first byte says how much is made right before: nothing,
 * topic and checksum, or also the head, so that the rest are entries; or that with a second part, which
 * is the second half of the bytes. */
#include "target.h"
#include "wire/decode.h"

static const uint64_t RECEIVER = 0x0123456789abcdef;

/* Touches everything that an entry points to. */
static uint64_t sum_bytes(wsfan_bytes bytes) {
    uint64_t sum = bytes.size;
    for (size_t i = 0; i < bytes.size; i++)
        sum += ((const uint8_t *)bytes.data)[i];
    return sum;
}

static uint64_t sum_run(const wsf_messages *run, size_t frame_size) {
    const uint8_t *payload = run->payloads.data;
    uint64_t sum = 0;
    CHECK(run->count >= 1 && run->count <= WSF_RUN_COUNT_MAX);
    CHECK(run->heads_count >= 1 && run->heads_count <= WSF_RUN_HEADS_MAX);
    CHECK(run->payloads.size < frame_size || run->apart);
    for (uint32_t i = 0; i < run->heads_count; i++) {
        CHECK(run->heads[i].target.kind == WSFAN_CHAT || run->heads[i].target.kind == WSFAN_USER);
        CHECK(run->heads[i].target.name.size > 0);
        sum += sum_bytes(run->heads[i].target.name);
    }
    for (uint32_t i = 0; i < run->count; i++) {
        wsf_message_at at = wsf_get_message_at(run->index, i);
        CHECK(at.head < run->heads_count);
        CHECK(i == 0 ? at.offset == 0 : at.offset > wsf_get_message_at(run->index, i - 1).offset);
        sum += sum_bytes((wsfan_bytes){ payload, at.payload_size });
        payload += at.payload_size;
    }
    CHECK(payload == (const uint8_t *)run->payloads.data + run->payloads.size);
    return sum;
}

static uint64_t sum_entry(const wsf_entry *entry, size_t frame_size) {
    uint64_t sum = 0;
    switch (entry->type) {
    case WSF_HELLO:
        CHECK(entry->hello.cluster.size <= WSF_CLUSTER_SIZE_MAX);
        CHECK(entry->hello.name.size <= WSF_NAME_SIZE_MAX);
        CHECK(entry->hello.endpoint.size <= WSF_ENDPOINT_SIZE_MAX);
        return sum_bytes(entry->hello.cluster) + sum_bytes(entry->hello.name) +
               sum_bytes(entry->hello.endpoint);
    case WSF_MESSAGE:
        CHECK(entry->message.targets_count >= 1);
        CHECK(entry->message.targets_count <= WSF_TARGETS_COUNT_MAX);
        CHECK(entry->message.payload.size < frame_size || entry->message.apart);
        for (uint32_t i = 0; i < entry->message.targets_count; i++)
            sum += sum_bytes(entry->message.targets[i].name);
        return sum + sum_bytes(entry->message.payload);
    case WSF_MESSAGES:
        return sum_run(&entry->messages, frame_size);
    case WSF_INTEREST:
        CHECK(entry->interest.adds.size % 8 == 0 && entry->interest.removes.size % 8 == 0);
        return sum_bytes(entry->interest.adds) + sum_bytes(entry->interest.removes);
    case WSF_PEERS:
        CHECK(entry->peers.count <= WSF_KNOWN_PEERS_MAX);
        for (uint32_t i = 0; i < entry->peers.count; i++) {
            CHECK(entry->peers.list[i].endpoint.size <= WSF_ENDPOINT_SIZE_MAX);
            sum += sum_bytes(entry->peers.list[i].endpoint);
        }
        return sum;
    case WSF_NACK:
        CHECK(entry->nack.count <= WSF_NACK_RANGES_MAX);
        return sum;
    default:
        return sum;
    }
}

static void read_frame(const wsf_buffer *frame) {
    static volatile uint64_t sink; /* so that nothing is left out */
    static wsf_reader *reader;
    if (reader == NULL)
        reader = wsf_reader_new();
    wsf_frame_head head;
    if (wsf_reader_open(reader, frame, RECEIVER, &head) != WSFAN_OK)
        return;
    size_t size = frame->size;
    CHECK(head.sender != 0);
    CHECK((head.rest_size > 0) == (frame->rest != NULL));
    wsf_entry entry;
    size_t count = 0;
    int more;
    while ((more = wsf_reader_next(reader, &entry)) != 0) {
        CHECK(++count <= size);
        if (more == 1)
            sink = sink + sum_entry(&entry, size);
    }
}

/* In memory of just that size, so that a sanitizer sees one byte too many. */
static wsf_buffer *exact_buffer(const uint8_t *data, size_t size) {
    wsf_buffer *buffer = wsf_buffer_new((uint32_t)size);
    CHECK(buffer != NULL);
    buffer->size = (uint32_t)size;
    if (size > 0)
        memcpy(buffer->data, data, size);
    return buffer;
}

/* The first byte is its room; an odd one tells lies about the others. */
static void tell_rest(wsf_frame_head *head, const wsf_buffer *rest) {
    uint8_t how = rest->data[0];
    head->rest_size = rest->size;
    head->rest_room = how / 2;
    if (head->rest_room < rest->size)
        head->rest_checksum = wsf_payload_checksum(rest->data + head->rest_room,
                                                   rest->size - head->rest_room);
    head->rest_checksum += how % 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    uint8_t mode = data[0] % 4;
    data++;
    size--;
    uint8_t *frame = malloc(WSF_FRAME_HEAD_BOUND + size + 1);
    CHECK(frame != NULL);
    wsf_writer writer = { frame, WSF_FRAME_HEAD_BOUND, 0 };
    wsf_buffer *rest = mode == 3 ? exact_buffer(data + size / 2, size - size / 2) : NULL;
    if (rest != NULL)
        size /= 2;
    if (mode >= 2) {
        wsf_frame_head head = { .version = 1, .sender = 2, .epoch = 3, .number = 4 };
        if (rest != NULL && rest->size > 0)
            tell_rest(&head, rest);
        wsf_write_head(&writer, RECEIVER, &head);
    } else if (mode == 1) {
        wsf_write_inbox(frame, RECEIVER);
        writer.size = WSF_TOPIC_SIZE + WSF_CHECKSUM_SIZE;
    }
    memcpy(frame + writer.size, data, size);
    writer.size += size;
    if (mode > 0)
        wsf_seal(&writer);
    wsf_buffer *exact = exact_buffer(frame, writer.size);
    free(frame);
    exact->rest = rest;
    read_frame(exact);
    wsf_buffer_unref(exact);
    return 0;
}
