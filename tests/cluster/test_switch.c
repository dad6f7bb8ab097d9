/* What the switch does to packets: every byte of them counts, or a kernel drops them without a word. */
#include <string.h>

#include "balancer.h"
#include "packet.h"
#include "suite.h"

enum { HEADS = 40, SYN = 2, RST = 4, ACK = 16 };

static const packet_end client = { 0x0a630001, 40000 };
static const packet_end server = { 0x0a630002, 7000 };

/* A TCP packet from the client to the server, whose checksums are not made yet. */
static size_t make(uint8_t out[PACKET_SIZE_MAX], uint8_t flags, const char *payload) {
    static const uint8_t heads[HEADS] = { 0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6,
                                          0,    0, 0, 0, 0, 0, 0,    0, 0,  0 };
    size_t size = HEADS + strlen(payload);
    memcpy(out, heads, HEADS);
    out[3] = (uint8_t)size;
    memcpy(out + 24, "\0\0\3\350\0\0\7\320", 8); /* sequence 1000, acknowledges 2000 */
    out[32] = 0x50;
    out[33] = flags;
    memcpy(out + HEADS, payload, strlen(payload));
    packet_redirect(out, size, client, server);
    return size;
}

static uint32_t number_at(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Sums of a packet with right checksums fold to all ones. */
static uint32_t folded(const uint8_t *bytes, size_t size, uint32_t sum) {
    for (size_t i = 0; i < size; i++)
        sum += (uint32_t)bytes[i] << (i % 2 == 0 ? 8 : 0);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static void check_sums(const uint8_t *packet, size_t size) {
    ck_assert(packet_valid(packet, size));
    ck_assert_uint_eq(folded(packet, 20, 0), 0xffff);
    uint32_t heads = folded(packet + 12, 8, 0) + packet[9] + (uint32_t)(size - 20);
    ck_assert_uint_eq(folded(packet + 20, size - 20, heads), 0xffff);
}

START_TEST(a_packet_has_the_checksums_of_its_bytes) {
    uint8_t packet[PACKET_SIZE_MAX];
    check_sums(packet, make(packet, ACK, ""));
    check_sums(packet, make(packet, ACK, "even"));
    check_sums(packet, make(packet, ACK, "seven.."));
    packet[41] ^= 1;
    ck_assert_uint_ne(folded(packet + 20, 27, folded(packet + 12, 8, 0) + 6 + 27), 0xffff);
}
END_TEST

START_TEST(a_flipped_bit_is_one_of_the_payload_and_passes_the_checksum) {
    for (size_t bit = 0; bit < 100; bit++) {
        uint8_t packet[PACKET_SIZE_MAX];
        uint8_t before[PACKET_SIZE_MAX];
        size_t size = make(packet, ACK, "abcde");
        memcpy(before, packet, size);
        packet_flip(packet, size, bit);
        check_sums(packet, size);
        unsigned bits = 0;
        for (size_t i = HEADS; i < size; i++)
            bits += (unsigned)__builtin_popcount((unsigned)(packet[i] ^ before[i]));
        ck_assert_uint_eq(bits, 1);
        ck_assert_mem_eq(packet + 20, before + 20, 16); /* up to the checksum */
    }
}
END_TEST

START_TEST(a_reset_has_the_number_that_its_receiver_waits_for) {
    uint8_t packet[PACKET_SIZE_MAX];
    make(packet, ACK, "abcde");
    size_t size = packet_make_reset(packet);
    check_sums(packet, size);
    ck_assert_uint_eq(size, HEADS);
    ck_assert_uint_eq(packet[33], RST | ACK);
    ck_assert_uint_eq(number_at(packet + 24), 1000);
    ck_assert_uint_eq(packet_target(packet).port, server.port);
}
END_TEST

START_TEST(a_reset_back_has_the_number_that_the_sender_waits_for) {
    uint8_t packet[PACKET_SIZE_MAX];
    make(packet, ACK, "abcde");
    size_t size = packet_make_reset_back(packet);
    check_sums(packet, size);
    ck_assert_uint_eq(packet[33], RST | ACK);
    ck_assert_uint_eq(number_at(packet + 24), 2000);
    ck_assert_uint_eq(number_at(packet + 28), 1005);
    ck_assert_uint_eq(packet_target(packet).port, client.port);
    ck_assert_uint_eq(packet_source(packet).port, server.port);
}
END_TEST

START_TEST(a_syn_is_refused_by_a_reset_that_acknowledges_it) {
    uint8_t packet[PACKET_SIZE_MAX];
    make(packet, SYN, "");
    check_sums(packet, packet_make_reset_back(packet));
    ck_assert_uint_eq(number_at(packet + 24), 0);
    ck_assert_uint_eq(number_at(packet + 28), 1001);
}
END_TEST

START_TEST(what_is_no_whole_packet_is_not_valid) {
    uint8_t packet[PACKET_SIZE_MAX];
    size_t size = make(packet, ACK, "abcde");
    for (size_t less = 0; less < size; less++)
        ck_assert(!packet_valid(packet, less));
    packet[32] = 0xf0; /* TCP's head is longer than the packet */
    ck_assert(!packet_valid(packet, size));
    make(packet, ACK, "abcde");
    packet[6] = 0x20; /* more fragments */
    ck_assert(!packet_valid(packet, size));
    make(packet, ACK, "abcde");
    packet[0] = 0x65;
    ck_assert(!packet_valid(packet, size));
}
END_TEST

/* ------------------------------------------------------------------------------------- balancer */

static balancer b;
static const packet_end service = { 0x0a6300c8, 7000 };

static void set_servers(unsigned count) {
    memset(&b, 0, sizeof b);
    b.address = service.address;
    for (unsigned i = 0; i < count; i++)
        b.servers[i] = 0x0a630001 + i;
    b.servers_count = count;
}

/* Where a connection from the client's port leads; 0: nowhere. */
static packet_end connect_from(uint16_t port, packet_end *seen_as) {
    uint8_t packet[PACKET_SIZE_MAX];
    size_t size = make(packet, SYN, "");
    packet_redirect(packet, size, (packet_end){ client.address, port }, service);
    if (!balancer_translate(&b, packet, size))
        return (packet_end){ 0, 0 };
    check_sums(packet, size);
    *seen_as = packet_source(packet);
    return packet_target(packet);
}

START_TEST(connections_lead_to_one_server_after_another_and_stay_there) {
    packet_end seen_as;
    set_servers(2);
    packet_end first = connect_from(40000, &seen_as);
    packet_end second = connect_from(40001, &seen_as);
    ck_assert_uint_eq(first.port, 7000);
    ck_assert_uint_ne(first.address, second.address);
    ck_assert_uint_eq(connect_from(40000, &seen_as).address, first.address);
    ck_assert_uint_eq(seen_as.address, service.address);
}
END_TEST

START_TEST(an_answer_comes_from_the_service) {
    uint8_t packet[PACKET_SIZE_MAX];
    packet_end seen_as;
    set_servers(1);
    packet_end to = connect_from(40000, &seen_as);
    size_t size = make(packet, SYN | ACK, "");
    packet_redirect(packet, size, to, seen_as);
    ck_assert(balancer_translate(&b, packet, size));
    check_sums(packet, size);
    ck_assert_uint_eq(packet_source(packet).address, service.address);
    ck_assert_uint_eq(packet_source(packet).port, service.port);
    ck_assert_uint_eq(packet_target(packet).address, client.address);
    ck_assert_uint_eq(packet_target(packet).port, 40000);
}
END_TEST

START_TEST(without_a_server_or_a_connection_nothing_is_translated) {
    uint8_t packet[PACKET_SIZE_MAX];
    packet_end seen_as;
    set_servers(0);
    ck_assert_uint_eq(connect_from(40000, &seen_as).address, 0);
    set_servers(1);
    size_t size = make(packet, ACK, "abcde");
    packet_redirect(packet, size, client, service);
    ck_assert(!balancer_translate(&b, packet, size));
    packet_redirect(packet, size, server, (packet_end){ service.address, 20000 });
    ck_assert(!balancer_translate(&b, packet, size));
}
END_TEST

SUITE_MAIN("packets of the switch", a_packet_has_the_checksums_of_its_bytes,
           a_flipped_bit_is_one_of_the_payload_and_passes_the_checksum,
           a_reset_has_the_number_that_its_receiver_waits_for,
           a_reset_back_has_the_number_that_the_sender_waits_for,
           a_syn_is_refused_by_a_reset_that_acknowledges_it, what_is_no_whole_packet_is_not_valid,
           connections_lead_to_one_server_after_another_and_stay_there,
           an_answer_comes_from_the_service, without_a_server_or_a_connection_nothing_is_translated)
