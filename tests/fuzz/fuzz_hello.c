/* What is written is read as it was, or refused; and the other way round. */
#include "target.h"
#include "wire/decode.h"

static uint64_t take_u64(const uint8_t **data, size_t *size) {
    uint64_t value = 0;
    for (int i = 0; i < 8 && *size > 0; i++, ++*data, --*size)
        value = value << 8 | **data;
    return value;
}

static wsfan_bytes take_bytes(const uint8_t **data, size_t *size, size_t max) {
    size_t count = *size > 0 ? **data : 0;
    if (*size > 0)
        ++*data, --*size;
    count = count < *size ? count : *size;
    count = count < max ? count : max;
    wsfan_bytes bytes = { *data, count };
    *data += count;
    *size -= count;
    return bytes;
}

static int same(wsfan_bytes a, wsfan_bytes b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t frame[WSF_FRAME_HEAD_BOUND + WSF_HELLO_BOUND];
    wsf_writer writer = { frame, sizeof frame, 0 };
    wsf_frame_head head = { .version = 1, .sender = take_u64(&data, &size) | 1, .epoch = 3 };
    wsf_hello hello = { .protocol_min = (uint32_t)take_u64(&data, &size),
                        .protocol_max = (uint32_t)take_u64(&data, &size),
                        .features = take_u64(&data, &size),
                        .incarnation = take_u64(&data, &size),
                        .epoch = take_u64(&data, &size),
                        .frame_size_max = take_u64(&data, &size) };
    hello.cluster = take_bytes(&data, &size, WSF_CLUSTER_SIZE_MAX);
    hello.name = take_bytes(&data, &size, WSF_NAME_SIZE_MAX);
    hello.endpoint = take_bytes(&data, &size, WSF_ENDPOINT_SIZE_MAX);
    hello.met = head.sender % 3 == 0;
    wsf_write_head(&writer, 9, &head);
    wsf_write_hello(&writer, &hello);
    wsf_seal(&writer);
    CHECK(writer.size <= sizeof frame);

    wsf_reader *reader = wsf_reader_new();
    CHECK(reader != NULL);
    wsf_frame_head head_read;
    wsf_entry entry;
    wsf_buffer whole = { .data = frame, .size = (uint32_t)writer.size };
    CHECK(wsf_reader_open(reader, &whole, 9, &head_read) == WSFAN_OK);
    CHECK(head_read.sender == head.sender && head_read.epoch == 3);
    if (wsf_reader_next(reader, &entry) == 1) {
        CHECK(entry.type == WSF_HELLO);
        CHECK(same(entry.hello.cluster, hello.cluster) && same(entry.hello.name, hello.name) &&
              same(entry.hello.endpoint, hello.endpoint));
        CHECK(entry.hello.met == hello.met);
        CHECK(entry.hello.epoch == hello.epoch && entry.hello.incarnation == hello.incarnation);
    }
    CHECK(wsf_reader_next(reader, &entry) == 0);
    wsf_reader_destroy(reader);
    return 0;
}
