/* A beacon: what is understood is written as it came. */
#include "packet.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wsf_packet packet;
    uint8_t again[WSF_PACKET_SIZE_MAX];
    if (!wsf_packet_read(&packet, data, size))
        return 0;
    CHECK(wsf_packet_endpoint_valid(packet.endpoint));
    CHECK(wsf_packet_write(&packet, again) <= size);
    return 0;
}
