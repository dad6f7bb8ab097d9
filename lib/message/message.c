/* Layout: struct | targets | names | padding | headroom | payload. A slab has one message alone, or several
 * small ones, one after another. References count per slab, so a slab goes when none of its messages is left.
 * Only a message that is alone may have a receipt or a frame, which go with the slab.
 *
 * A payload can be in a buffer instead: a received one in its frame, a large one that is published in a
 * buffer of its own (padding | headroom | payload). */
#include "message/message.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

enum { OPEN_REFS = 1 << 16 }; /* of a slab that is being filled: more than it can hold messages */

bool wsf_target_valid(const wsfan_target *target) {
    wsfan_address address;
    if (target->name.data == NULL && target->name.size > 0)
        return false;
    switch (target->kind) {
    case WSFAN_ALL:
        return target->name.size == 0;
    case WSFAN_CHAT:
    case WSFAN_USER:
    case WSFAN_NOT_CHAT:
    case WSFAN_NOT_USER:
        return target->name.size > 0;
    case WSFAN_SESSION:
    case WSFAN_NOT_SESSION:
        return wsfan_address_parse(&address, target->name) == WSFAN_OK && address.session != 0;
    case WSFAN_NODE:
    case WSFAN_NOT_NODE:
        return wsfan_address_parse(&address, target->name) == WSFAN_OK && address.session == 0;
    }
    return false;
}

static uint64_t hash_of(const wsf_hash_key *key, const wsfan_target *target) {
    wsfan_target base = { wsf_kind_without_not(target->kind), target->name };
    wsfan_address address = { 0, 0 };
    if (base.kind == WSFAN_CHAT || base.kind == WSFAN_USER)
        return wsf_hash_target(key, &base);
    if (base.kind != WSFAN_ALL)
        wsfan_address_parse(&address, base.name);
    return address.node;
}

/* --------------------------------------------------------------------------------------- layout */

typedef struct {
    size_t payload_offset;
    size_t size;
} layout;

/* The payload is aligned; the headroom grows backwards from it. */
static inline layout layout_of(const wsf_message_parts *parts, bool with_payload) {
    size_t end = sizeof(wsfan_message) + parts->targets_count * sizeof(wsf_message_target);
    for (uint32_t i = 0; i < parts->targets_count; i++)
        end += parts->targets[i].name.size;
    if (!with_payload)
        return (layout){ end, end };
    size_t payload_offset = wsf_message_payload_offset(end, parts->headroom_size);
    return (layout){ payload_offset, payload_offset + parts->payload.size };
}

static inline wsfan_message *fill(uint8_t *at, uint32_t slab_offset, const wsf_message_parts *parts,
                                  layout where) {
    wsfan_message *message = (wsfan_message *)(void *)at;
    assert(where.size + parts->payload.size <= UINT32_MAX);
    wsf_message_init(message, slab_offset, where.payload_offset, where.size - where.payload_offset,
                     parts->targets_count, parts->headroom_size, parts->flags, parts->except,
                     (wsfan_message_id){ 0, 0 });
    message->payload_size = (uint32_t)parts->payload.size;
    message->slot = parts->slot;

    size_t offset = sizeof *message + parts->targets_count * sizeof(wsf_message_target);
    for (uint32_t i = 0; i < parts->targets_count; i++) {
        wsfan_bytes name = parts->targets[i].name;
        message->targets[i] = (wsf_message_target){
            .name_offset = (uint32_t)offset,
            .name_size = (uint16_t)name.size,
            .kind = (uint8_t)parts->targets[i].kind,
        };
        if (name.size > 0)
            memcpy(at + offset, name.data, name.size);
        offset += name.size;
    }
    return message;
}

static void copy_payload(wsfan_message *message, wsfan_bytes payload) {
    if (payload.size > 0)
        memcpy(message->payload, payload.data, payload.size);
}

/* ---------------------------------------------------------------------------------------- alone */

static wsfan_message *new_alone(const wsf_hash_key *key, const wsf_message_parts *parts,
                                layout where) {
    wsf_slab *slab = wsf_alloc(sizeof *slab + where.size);
    if (slab == NULL)
        return NULL;
    atomic_init(&slab->refs, 1);
    slab->cache = NULL;
    wsfan_message *message = fill((uint8_t *)(slab + 1), sizeof *slab, parts, where);
    for (uint32_t i = 0; key != NULL && i < parts->targets_count; i++)
        message->targets[i].hash = hash_of(key, &parts->targets[i]);
    return message;
}

/* Headroom that keeps the payload behind it aligned. */
static uint32_t room_of(const wsf_message_parts *parts) {
    return (parts->headroom_size + 15) & ~15u;
}

static wsfan_message *new_apart(const wsf_hash_key *key, const wsf_message_parts *parts) {
    assert(parts->payload.size > 0); /* an empty one could be no second part */
    uint32_t room = room_of(parts);
    wsf_buffer *bytes = wsf_buffer_new(room + (uint32_t)parts->payload.size);
    if (bytes == NULL)
        return NULL;
    wsfan_message *message = new_alone(key, parts, layout_of(parts, false));
    if (message == NULL) {
        wsf_buffer_unref(bytes);
        return NULL;
    }
    memset(bytes->data, 0, room); /* peers may be sent these bytes */
    bytes->size = bytes->capacity;
    message->frame = bytes;
    message->payload = bytes->data + room;
    message->size = message->item.bytes = (uint32_t)wsf_message_need(parts);
    copy_payload(message, parts->payload);
    return message;
}

wsfan_message *wsf_message_new(const wsf_hash_key *key, const wsf_message_parts *parts) {
    if (parts->apart)
        return new_apart(key, parts);
    wsfan_message *message = new_alone(key, parts, layout_of(parts, true));
    if (message != NULL)
        copy_payload(message, parts->payload);
    return message;
}

void wsf_message_know(const wsfan_message *message, wsf_message_target *target,
                      const wsf_hash_key *key) {
    wsfan_target named = wsf_message_target_of(message, target);
    if (target->hash == 0)
        target->hash = hash_of(key, &named);
}

wsfan_message *wsf_message_slice(const wsf_hash_key *key, const wsf_message_parts *parts,
                                 wsf_buffer *frame) {
    const uint8_t *payload = parts->payload.data;
    assert(payload >= frame->data + parts->headroom_size &&
           payload + parts->payload.size <= frame->data + frame->size);
    wsfan_message *message = new_alone(key, parts, layout_of(parts, false));
    if (message == NULL)
        return NULL;
    message->payload = frame->data + (payload - frame->data);
    message->frame = wsf_buffer_ref(frame);
    message->size += message->payload_size;
    return message;
}

wsfan_message *wsf_message_clone(const wsfan_message *message) {
    size_t head = sizeof *message + message->targets_count * sizeof(wsf_message_target);
    for (uint32_t i = 0; i < message->targets_count; i++)
        head += message->targets[i].name_size;
    size_t payload_offset = wsf_message_payload_offset(head, message->headroom_size);
    size_t size = payload_offset + message->payload_size;
    wsf_slab *slab = wsf_alloc(sizeof *slab + size);
    if (slab == NULL)
        return NULL;
    atomic_init(&slab->refs, 1);
    slab->cache = NULL;
    wsfan_message *clone = (wsfan_message *)(void *)(slab + 1);
    memcpy(clone, message, head);
    clone->receipt = wsf_receipt_ref(message->receipt);
    clone->frame = NULL;
    clone->slab_offset = sizeof *slab;
    clone->payload = (uint8_t *)clone + payload_offset;
    clone->size = clone->item.bytes = (uint32_t)size;
    clone->taken = clone->in_inbox = clone->shared = false;
    memcpy(clone->payload, message->payload, message->payload_size);
    return clone;
}

/* ------------------------------------------------------------------------------------ in slabs */

size_t wsf_message_need_any(const wsf_message_parts *parts) {
    if (parts->apart)
        return layout_of(parts, false).size + room_of(parts) + parts->payload.size;
    return layout_of(parts, true).size;
}

static void close_slab(wsf_message_pool *pool) {
    if (pool->slab != NULL)
        wsf_slab_unref(pool->slab, OPEN_REFS - pool->count);
    pool->slab = NULL;
    pool->used = pool->count = 0;
}

void wsf_message_pool_close(wsf_message_pool *pool) {
    close_slab(pool);
    wsf_slab_cache_close(pool->cache);
    pool->cache = NULL;
}

void wsf_message_pool_trim(wsf_message_pool *pool) {
    if (pool->cache != NULL)
        wsf_slab_cache_trim(pool->cache);
}

bool wsf_message_pool_next(wsf_message_pool *pool) {
    close_slab(pool);
    if (pool->cache == NULL)
        pool->cache = wsf_slab_cache_new(WSF_SLAB_BYTES);
    if (pool->cache != NULL)
        pool->slab = wsf_slab_cache_take(pool->cache, OPEN_REFS);
    pool->used = sizeof(wsf_slab);
    return pool->slab != NULL;
}

wsfan_message *wsf_message_make(wsf_message_pool *pool, const wsf_message_parts *parts,
                                size_t need) {
    layout where = { need - parts->payload.size, need };
    assert(need <= WSF_MESSAGE_SMALL);
    wsfan_message *message = wsf_message_pool_take(pool, need);
    if (message == NULL)
        return NULL;
    fill((uint8_t *)message, message->slab_offset, parts, where);
    copy_payload(message, parts->payload);
    return message;
}

/* ----------------------------------------------------------------------------------- references */

void wsf_message_bin_empty(wsf_message_bin *bin) {
    if (bin->count > 0)
        wsf_slab_unref(bin->slab, bin->count);
    bin->count = 0;
}

wsfan_message *wsfan_message_ref(wsfan_message *message) {
    atomic_fetch_add_explicit(&wsf_message_slab(message)->refs, 1, memory_order_relaxed);
    return message;
}

void wsfan_message_unref(wsfan_message *message) {
    if (message == NULL)
        return;
    wsf_slab *slab = wsf_message_slab(message);
    if (slab->cache != NULL) {
        wsf_slab_unref(slab, 1);
    } else if (atomic_fetch_sub_explicit(&slab->refs, 1, memory_order_acq_rel) == 1) {
        wsf_receipt_unref(message->receipt);
        wsf_buffer_unref(message->frame);
        wsf_free(slab);
    }
}

/* -------------------------------------------------------------------------------------- content */

wsfan_bytes wsfan_message_payload(const wsfan_message *message) {
    return (wsfan_bytes){ message->payload, message->payload_size };
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
    return wsf_message_target_of(message, &message->targets[i]);
}

void *wsfan_message_headroom(wsfan_message *message, size_t size) {
    if (size > message->headroom_size)
        return NULL;
    return message->payload - size;
}
