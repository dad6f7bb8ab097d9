/* What recorders publish, which tells whether it arrived as it was sent. */
#include <string.h>

#include "recorder_parts.h"

static uint8_t pattern(uint64_t id, uint32_t number, uint32_t i) {
    return (uint8_t)(id + number * 31 + i);
}

void payload_fill(uint8_t *payload, uint32_t size, uint64_t id, uint32_t number) {
    memcpy(payload, &id, sizeof id);
    memcpy(payload + sizeof id, &number, sizeof number);
    for (uint32_t i = PAYLOAD_HEAD; i < size; i++)
        payload[i] = pattern(id, number, i);
}

bool payload_read(wsfan_bytes payload, uint64_t *id, uint32_t *number) {
    const uint8_t *bytes = payload.data;
    if (payload.size < PAYLOAD_HEAD)
        return false;
    memcpy(id, bytes, sizeof *id);
    memcpy(number, bytes + sizeof *id, sizeof *number);
    for (uint32_t i = PAYLOAD_HEAD; i < payload.size; i++)
        if (bytes[i] != pattern(*id, *number, i))
            return false;
    return true;
}
