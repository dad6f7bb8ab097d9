/* magic | version | node id, 8 bytes, big end first | size, cluster | size, endpoint
 *
 * A beacon comes by UDP from anyone. Its endpoint has an address and no name: a sender must not be able to
 * make every node ask DNS for a name of its choice. */
#include "packet.h"

#include <arpa/inet.h>
#include <string.h>

const uint8_t wsf_packet_magic[WSF_PACKET_MAGIC_SIZE] = { 'W', 'S', 'F', 'B', 1 };

static bool port_valid(const char *port) {
    unsigned number = 0;
    size_t size = strlen(port);
    for (size_t i = 0; i < size; i++) {
        if (port[i] < '0' || port[i] > '9' || size > 5)
            return false;
        number = number * 10 + (unsigned)(port[i] - '0');
    }
    return number > 0 && number <= 65535;
}

bool wsf_packet_endpoint_valid(const char *endpoint) {
    char host[WSF_PACKET_ENDPOINT_MAX + 1];
    struct in6_addr address; /* large enough for IPv4 as well */
    const char *colon = strrchr(endpoint, ':');
    size_t size = strlen(endpoint);
    if (size > WSF_PACKET_ENDPOINT_MAX || strncmp(endpoint, "tcp://", 6) != 0 ||
        colon <= endpoint + 6 || !port_valid(colon + 1))
        return false;
    size = (size_t)(colon - endpoint) - 6;
    memcpy(host, endpoint + 6, size);
    host[size] = '\0';
    if (host[0] != '[')
        return inet_pton(AF_INET, host, &address) == 1;
    if (host[size - 1] != ']')
        return false;
    host[size - 1] = '\0';
    return inet_pton(AF_INET6, host + 1, &address) == 1;
}

static uint8_t *write_text(uint8_t *out, const char *text) {
    size_t size = strlen(text);
    *out++ = (uint8_t)size;
    memcpy(out, text, size);
    return out + size;
}

size_t wsf_packet_write(const wsf_packet *packet, uint8_t out[WSF_PACKET_SIZE_MAX]) {
    uint8_t *at = out;
    memcpy(at, wsf_packet_magic, WSF_PACKET_MAGIC_SIZE);
    at += WSF_PACKET_MAGIC_SIZE;
    for (int shift = 56; shift >= 0; shift -= 8)
        *at++ = (uint8_t)(packet->node >> shift);
    at = write_text(at, packet->cluster);
    at = write_text(at, packet->endpoint);
    return (size_t)(at - out);
}

/* Reads a size and a text; returns where the text ends. NULL: truncated, empty, too large, or with a NUL. */
static const uint8_t *read_text(const uint8_t *at, const uint8_t *end, char *out, size_t size_max) {
    if (at == NULL || at == end)
        return NULL;
    size_t size = *at++;
    if (size == 0 || size > size_max || size > (size_t)(end - at) || memchr(at, '\0', size) != NULL)
        return NULL;
    memcpy(out, at, size);
    out[size] = '\0';
    return at + size;
}

bool wsf_packet_read(wsf_packet *packet, const void *data, size_t size) {
    const uint8_t *at = data;
    if (size < WSF_PACKET_MAGIC_SIZE + 8 ||
        memcmp(data, wsf_packet_magic, WSF_PACKET_MAGIC_SIZE) != 0)
        return false;
    const uint8_t *end = at + size;
    at += WSF_PACKET_MAGIC_SIZE;
    packet->node = 0;
    for (int i = 0; i < 8; i++)
        packet->node = packet->node << 8 | *at++;
    at = read_text(at, end, packet->cluster, WSF_PACKET_CLUSTER_MAX);
    at = read_text(at, end, packet->endpoint, WSF_PACKET_ENDPOINT_MAX);
    return at == end && packet->node != 0 && wsf_packet_endpoint_valid(packet->endpoint);
}
