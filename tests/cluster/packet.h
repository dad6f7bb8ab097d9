/* The bytes of one IPv4 packet, as a TUN device gives and takes them. Every function takes a packet that
 * packet_valid() accepts, and leaves all of its checksums right. Addresses and ports in host order. */
#ifndef PACKET_H
#define PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PACKET_SIZE_MAX = 1500 };

typedef struct {
    uint32_t address;
    uint16_t port;
} packet_end;

/* Whether it is a whole, unfragmented IPv4 packet that carries TCP or UDP. */
bool packet_valid(const uint8_t *packet, size_t size);

packet_end packet_source(const uint8_t *packet);
packet_end packet_target(const uint8_t *packet);
void packet_redirect(uint8_t *packet, size_t size, packet_end source, packet_end target);

bool packet_is_tcp(const uint8_t *packet);
bool packet_begins_connection(const uint8_t *packet);            /* a SYN without an ACK */
size_t packet_payload_bytes(const uint8_t *packet, size_t size); /* of TCP */

/* Flips one bit of a TCP payload, which is not empty. */
void packet_flip(uint8_t *packet, size_t size, size_t bit);

/* Turns a TCP packet into the reset that its receiver accepts in its place. Returns the new size. */
size_t packet_make_reset(uint8_t *packet);

/* The same, but for its sender: as if the receiver had answered with a reset. */
size_t packet_make_reset_back(uint8_t *packet);

#endif
