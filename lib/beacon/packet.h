/* Every byte of a beacon. */
#ifndef WSF_BEACON_PACKET_H
#define WSF_BEACON_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WSF_PACKET_MAGIC_SIZE = 5, /* with the version */
    WSF_PACKET_CLUSTER_MAX = 32,
    WSF_PACKET_ENDPOINT_MAX = 64, /* tcp:// with an address and a port fits */
    WSF_PACKET_SIZE_MAX = WSF_PACKET_MAGIC_SIZE + 8 + 1 + WSF_PACKET_CLUSTER_MAX + 1 +
                          WSF_PACKET_ENDPOINT_MAX
};

extern const uint8_t wsf_packet_magic[WSF_PACKET_MAGIC_SIZE];

typedef struct {
    uint64_t node;
    char cluster[WSF_PACKET_CLUSTER_MAX + 1];
    char endpoint[WSF_PACKET_ENDPOINT_MAX + 1];
} wsf_packet;

/* Whether an endpoint can be announced: tcp://ADDRESS:PORT, without a name to resolve. */
bool wsf_packet_endpoint_valid(const char *endpoint);

/* Returns the size. */
size_t wsf_packet_write(const wsf_packet *packet, uint8_t out[WSF_PACKET_SIZE_MAX]);

/* False: not a beacon. */
bool wsf_packet_read(wsf_packet *packet, const void *data, size_t size);

#endif
