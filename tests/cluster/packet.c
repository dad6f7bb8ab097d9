/* RFC 791 (IPv4), RFC 9293 (TCP), RFC 768 (UDP). Checksums are made anew, not updated: a packet is
 * small, and a device without offloads takes none that is wrong. */
#include "packet.h"

#include <netinet/in.h>
#include <string.h>

enum {
    IP_SIZE_AT = 2,
    IP_FRAGMENT_AT = 6,
    IP_PROTOCOL_AT = 9,
    IP_CHECKSUM_AT = 10,
    IP_SOURCE_AT = 12,
    IP_TARGET_AT = 16,
    IP_HEAD_SIZE = 20,
    TCP_SEQUENCE_AT = 4,
    TCP_ACKNOWLEDGED_AT = 8,
    TCP_OFFSET_AT = 12,
    TCP_FLAGS_AT = 13,
    TCP_CHECKSUM_AT = 16,
    TCP_HEAD_SIZE = 20,
    UDP_CHECKSUM_AT = 6,
    UDP_HEAD_SIZE = 8,
    FIN = 1,
    SYN = 2,
    RST = 4,
    ACK = 16
};

static uint16_t get16(const uint8_t *at) {
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at) {
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static void put16(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value) {
    put16(at, value >> 16);
    put16(at + 2, value);
}

static size_t ip_head(const uint8_t *packet) {
    return (size_t)(packet[0] & 15) * 4;
}

static size_t tcp_head(const uint8_t *tcp) {
    return (size_t)(tcp[TCP_OFFSET_AT] >> 4) * 4;
}

bool packet_is_tcp(const uint8_t *packet) {
    return packet[IP_PROTOCOL_AT] == IPPROTO_TCP;
}

bool packet_valid(const uint8_t *packet, size_t size) {
    if (size < IP_HEAD_SIZE || size > PACKET_SIZE_MAX || packet[0] >> 4 != 4 ||
        get16(packet + IP_SIZE_AT) != size || (get16(packet + IP_FRAGMENT_AT) & 0x3fff) != 0)
        return false;
    size_t head = ip_head(packet);
    if (head < IP_HEAD_SIZE || head > size)
        return false;
    if (packet[IP_PROTOCOL_AT] == IPPROTO_UDP)
        return size - head >= UDP_HEAD_SIZE;
    return packet_is_tcp(packet) && size - head >= TCP_HEAD_SIZE &&
           tcp_head(packet + head) >= TCP_HEAD_SIZE && tcp_head(packet + head) <= size - head;
}

/* ----------------------------------------------------------------------------------- checksums */

/* RFC 1071. */
static uint32_t add_up(uint32_t sum, const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i + 1 < size; i += 2)
        sum += get16(bytes + i);
    if (size % 2 == 1)
        sum += (uint32_t)bytes[size - 1] << 8;
    return sum;
}

static uint16_t fold(uint32_t sum) {
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void sign(uint8_t *packet, size_t size) {
    size_t head = ip_head(packet);
    uint8_t *inner = packet + head;
    uint8_t *checksum = inner + (packet_is_tcp(packet) ? TCP_CHECKSUM_AT : UDP_CHECKSUM_AT);
    put16(packet + IP_CHECKSUM_AT, 0);
    put16(packet + IP_CHECKSUM_AT, fold(add_up(0, packet, head)));
    put16(checksum, 0);
    uint32_t sum = packet[IP_PROTOCOL_AT] + (uint32_t)(size - head);
    sum = add_up(sum, packet + IP_SOURCE_AT, 8);
    uint16_t value = fold(add_up(sum, inner, size - head));
    put16(checksum, value == 0 && !packet_is_tcp(packet) ? 0xffff : value);
}

/* --------------------------------------------------------------------------------------- ends */

packet_end packet_source(const uint8_t *packet) {
    return (packet_end){ get32(packet + IP_SOURCE_AT), get16(packet + ip_head(packet)) };
}

packet_end packet_target(const uint8_t *packet) {
    return (packet_end){ get32(packet + IP_TARGET_AT), get16(packet + ip_head(packet) + 2) };
}

static void set_ends(uint8_t *packet, packet_end source, packet_end target) {
    uint8_t *inner = packet + ip_head(packet);
    put32(packet + IP_SOURCE_AT, source.address);
    put32(packet + IP_TARGET_AT, target.address);
    put16(inner, source.port);
    put16(inner + 2, target.port);
}

void packet_redirect(uint8_t *packet, size_t size, packet_end source, packet_end target) {
    set_ends(packet, source, target);
    sign(packet, size);
}

/* ---------------------------------------------------------------------------------------- TCP */

bool packet_begins_connection(const uint8_t *packet) {
    return packet_is_tcp(packet) && (packet[ip_head(packet) + TCP_FLAGS_AT] & (SYN | ACK)) == SYN;
}

size_t packet_payload_bytes(const uint8_t *packet, size_t size) {
    size_t head = ip_head(packet);
    return size - head - tcp_head(packet + head);
}

void packet_flip(uint8_t *packet, size_t size, size_t bit) {
    size_t payload = packet_payload_bytes(packet, size);
    packet[size - payload + bit / 8 % payload] ^= (uint8_t)(1u << bit % 8);
    sign(packet, size);
}

/* Cuts the packet behind its heads, without options of TCP. */
static size_t finish_reset(uint8_t *packet, uint8_t flags) {
    size_t size = ip_head(packet) + TCP_HEAD_SIZE;
    uint8_t *tcp = packet + ip_head(packet);
    put16(packet + IP_SIZE_AT, (uint32_t)size);
    tcp[TCP_OFFSET_AT] = TCP_HEAD_SIZE / 4 << 4;
    tcp[TCP_FLAGS_AT] = flags;
    sign(packet, size);
    return size;
}

size_t packet_make_reset(uint8_t *packet) {
    const uint8_t *tcp = packet + ip_head(packet);
    return finish_reset(packet, RST | (tcp[TCP_FLAGS_AT] & ACK));
}

/* Before a connection stands its sender takes a reset that acknowledges the SYN; afterwards, one with
 * the number that it waits for. */
size_t packet_make_reset_back(uint8_t *packet) {
    uint8_t *tcp = packet + ip_head(packet);
    uint32_t sequence = get32(tcp + TCP_SEQUENCE_AT);
    uint32_t acknowledged = get32(tcp + TCP_ACKNOWLEDGED_AT);
    uint8_t flags = tcp[TCP_FLAGS_AT];
    size_t payload = packet_payload_bytes(packet, get16(packet + IP_SIZE_AT));
    uint32_t counted = ((flags & SYN) != 0 ? 1u : 0) + ((flags & FIN) != 0 ? 1u : 0);
    set_ends(packet, packet_target(packet), packet_source(packet));
    put32(tcp + TCP_SEQUENCE_AT, (flags & ACK) != 0 ? acknowledged : 0);
    put32(tcp + TCP_ACKNOWLEDGED_AT, sequence + (uint32_t)payload + counted);
    return finish_reset(packet, RST | ACK);
}
