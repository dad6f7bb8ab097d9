/* What comes by UDP from anyone. */
#include "packet.h"

#include <string.h>

#include "suite.h"

static const wsf_packet PACKET = { UINT64_C(0x0102030405060708), "wsfan", "tcp://192.0.2.1:7000" };

START_TEST(what_is_written_is_read) {
    wsf_packet most = { .node = UINT64_MAX };
    wsf_packet read;
    uint8_t bytes[WSF_PACKET_SIZE_MAX];
    ck_assert(wsf_packet_read(&read, bytes, wsf_packet_write(&PACKET, bytes)));
    ck_assert_uint_eq(read.node, PACKET.node);
    ck_assert_str_eq(read.cluster, "wsfan");
    ck_assert_str_eq(read.endpoint, "tcp://192.0.2.1:7000");
    memset(most.cluster, 'c', WSF_PACKET_CLUSTER_MAX);
    strcpy(most.endpoint, "tcp://[1111:2222:3333:4444:5555:6666:255.255.255.255]:65535");
    ck_assert(wsf_packet_read(&read, bytes, wsf_packet_write(&most, bytes)));
    ck_assert_str_eq(read.endpoint, most.endpoint);
}
END_TEST

START_TEST(addresses_only_can_be_announced) {
    static const char *const good[] = { "tcp://192.0.2.1:1", "tcp://[::1]:65535",
                                        "tcp://[2001:db8::7]:7000" };
    static const char *const bad[] = { "",
                                       "tcp://",
                                       "tcp://chat:7000",
                                       "tcp://192.0.2.1",
                                       "tcp://192.0.2.1:",
                                       "tcp://192.0.2.1:0",
                                       "tcp://192.0.2.1:65536",
                                       "tcp://192.0.2.1:4294967297",
                                       "tcp://192.0.2.1:7x",
                                       "tcp://192.0.2:7000",
                                       "tcp://*:7000",
                                       "tcp://:7000",
                                       "tcp://[]:7000",
                                       "tcp://[::1:7000",
                                       "tcp://[fe80::1%eth0]:7000",
                                       "tcp://192.0.2.1;192.0.2.2:7000",
                                       "ipc:///run/wsfan",
                                       "udp://192.0.2.1:7000" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(wsf_packet_endpoint_valid(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!wsf_packet_endpoint_valid(bad[i]), "%s", bad[i]);
}
END_TEST

/* In memory of just that size, so that a sanitizer sees one byte too many. */
static bool readable(const uint8_t *bytes, size_t size) {
    wsf_packet read;
    uint8_t *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, bytes, size);
    bool ok = wsf_packet_read(&read, copy, size);
    free(copy);
    return ok;
}

START_TEST(a_part_of_a_beacon_and_one_with_more_behind_it_are_refused) {
    uint8_t bytes[WSF_PACKET_SIZE_MAX + 1] = { 0 };
    size_t size = wsf_packet_write(&PACKET, bytes);
    for (size_t i = 0; i < size; i++)
        ck_assert(!readable(bytes, i));
    ck_assert(readable(bytes, size));
    ck_assert(!readable(bytes, size + 1));
}
END_TEST

START_TEST(sizes_and_contents_that_lie_are_refused) {
    uint8_t bytes[WSF_PACKET_SIZE_MAX];
    size_t size = wsf_packet_write(&PACKET, bytes);
    size_t cluster = WSF_PACKET_MAGIC_SIZE + 8;
    for (unsigned value = 0; value < 256; value++) {
        bytes[cluster] = (uint8_t)value;
        ck_assert(readable(bytes, size) == (value == 5));
    }
    bytes[cluster] = 5;
    for (unsigned value = 0; value < 256; value++) {
        bytes[cluster + 6] = (uint8_t)value;
        ck_assert(readable(bytes, size) == (value == 20));
    }
    bytes[cluster + 6] = 20;
    bytes[cluster + 2] = '\0'; /* a NUL within the name */
    ck_assert(!readable(bytes, size));
    wsf_packet nobody = PACKET;
    nobody.node = 0;
    ck_assert(!readable(bytes, wsf_packet_write(&nobody, bytes)));
}
END_TEST

START_TEST(noise_is_survived) {
    uint64_t random = 1;
    uint8_t bytes[255];
    for (int round = 0; round < 100000; round++) {
        size_t size = (size_t)next_random(&random) % sizeof bytes;
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)next_random(&random);
        if (round % 2 == 0 && size >= WSF_PACKET_MAGIC_SIZE)
            memcpy(bytes, wsf_packet_magic, WSF_PACKET_MAGIC_SIZE);
        readable(bytes, size);
    }
}
END_TEST

SUITE_MAIN("packet", what_is_written_is_read, addresses_only_can_be_announced,
           a_part_of_a_beacon_and_one_with_more_behind_it_are_refused,
           sizes_and_contents_that_lie_are_refused, noise_is_survived)
