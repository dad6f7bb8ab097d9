/* Layout of the one block: struct | targets | names | padding | headroom | payload. */
#include "message.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

wsfan_message *wsf_message_new(const wsf_hash_key *key, const wsfan_target *targets,
                               uint32_t targets_count, wsfan_bytes payload,
                               uint32_t headroom_size) {
    size_t names_offset = sizeof(wsfan_message) + targets_count * sizeof(wsf_message_target);
    size_t names_size = 0;
    for (uint32_t i = 0; i < targets_count; i++)
        names_size += targets[i].name.size;

    /* The payload is aligned; the headroom grows backwards from it. */
    size_t payload_offset = (names_offset + names_size + headroom_size + 15) & ~(size_t)15;
    assert(payload_offset + payload.size <= UINT32_MAX);
    wsfan_message *message = malloc(payload_offset + payload.size);
    if (message == NULL)
        return NULL;

    memset(message, 0, sizeof *message);
    atomic_init(&message->refs, 1);
    message->targets_count = targets_count;
    message->headroom_size = headroom_size;
    message->payload_offset = (uint32_t)payload_offset;
    message->payload_size = (uint32_t)payload.size;
    message->item.bytes = (uint32_t)(payload_offset + payload.size);

    uint8_t *base = (uint8_t *)message;
    size_t offset = names_offset;
    for (uint32_t i = 0; i < targets_count; i++) {
        message->targets[i] = (wsf_message_target){
            .hash = targets[i].kind == WSFAN_ALL ? 0 : wsf_hash_target(key, &targets[i]),
            .name_offset = (uint32_t)offset,
            .name_size = (uint32_t)targets[i].name.size,
            .kind = targets[i].kind,
        };
        if (targets[i].name.size > 0)
            memcpy(base + offset, targets[i].name.data, targets[i].name.size);
        offset += targets[i].name.size;
    }
    if (payload.size > 0)
        memcpy(base + payload_offset, payload.data, payload.size);
    return message;
}

wsfan_message *wsf_message_clone(const wsfan_message *message) {
    size_t size = wsf_message_size(message);
    wsfan_message *clone = malloc(size);
    if (clone == NULL)
        return NULL;
    /* Field by field up to the data: the reference count of the original is not ours to read. */
    memset(clone, 0, sizeof *clone);
    atomic_init(&clone->refs, 1);
    clone->receipt = wsf_receipt_ref(message->receipt);
    clone->flags = message->flags;
    clone->id = message->id;
    clone->except = message->except;
    clone->slot = message->slot;
    clone->targets_count = message->targets_count;
    clone->headroom_size = message->headroom_size;
    clone->payload_offset = message->payload_offset;
    clone->payload_size = message->payload_size;
    clone->item.bytes = message->item.bytes;
    size_t head = message->payload_offset - message->headroom_size;
    memcpy(clone->targets, message->targets, head - sizeof *message);
    memcpy((uint8_t *)clone + clone->payload_offset,
           (const uint8_t *)message + message->payload_offset, message->payload_size);
    return clone;
}

size_t wsf_message_size(const wsfan_message *message) {
    return (size_t)message->payload_offset + message->payload_size;
}

wsfan_message *wsfan_message_ref(wsfan_message *message) {
    atomic_fetch_add_explicit(&message->refs, 1, memory_order_relaxed);
    return message;
}

void wsfan_message_unref(wsfan_message *message) {
    if (message == NULL || atomic_fetch_sub_explicit(&message->refs, 1, memory_order_acq_rel) != 1)
        return;
    wsf_receipt_unref(message->receipt);
    free(message);
}

wsfan_bytes wsfan_message_payload(const wsfan_message *message) {
    return (wsfan_bytes){ (const uint8_t *)message + message->payload_offset,
                          message->payload_size };
}

uint32_t wsfan_message_flags(const wsfan_message *message) {
    return message->flags;
}

wsfan_message_id wsfan_message_get_id(const wsfan_message *message) {
    return message->id;
}

size_t wsfan_message_targets_count(const wsfan_message *message) {
    return message->targets_count;
}

wsfan_target wsfan_message_target(const wsfan_message *message, size_t i) {
    assert(i < message->targets_count);
    const wsf_message_target *target = &message->targets[i];
    return (wsfan_target){ target->kind,
                           { (const uint8_t *)message + target->name_offset, target->name_size } };
}

void *wsfan_message_headroom(wsfan_message *message, size_t size) {
    if (size > message->headroom_size)
        return NULL;
    return (uint8_t *)message + message->payload_offset - size;
}
