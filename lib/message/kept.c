/* Entries are written by this process for itself, so they are read without checks. */
#include "message/kept.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

/* -------------------------------------------------------------------------------------- entries */

size_t wsf_kept_general_size(const wsf_kept *kept) {
    size_t size = sizeof(wsf_kept_general);
    for (uint32_t i = 0; i < kept->parts.targets_count; i++)
        size += sizeof(wsf_kept_target) + kept->parts.targets[i].name.size;
    return wsf_kept_padded(size);
}

static uint8_t *append(uint8_t *at, const void *bytes, size_t size) {
    if (size > 0)
        memcpy(at, bytes, size);
    return at + size;
}

static uint8_t *write_general(uint8_t *at, const wsf_kept *kept) {
    const wsf_message_parts *parts = &kept->parts;
    wsf_kept_general general = { parts->slot, parts->targets_count,
                                 (uint32_t)wsf_kept_general_size(kept) };
    uint8_t *end = at + general.bytes;
    at = append(at, &general, sizeof general);
    for (uint32_t i = 0; i < parts->targets_count; i++) {
        wsfan_bytes name = parts->targets[i].name;
        wsf_kept_target target = { (uint16_t)parts->targets[i].kind, (uint16_t)name.size };
        at = append(at, &target, sizeof target);
        at = append(at, name.data, name.size);
    }
    return end;
}

void wsf_kept_write(uint8_t *at, const wsf_kept *kept, bool plain, uint32_t stamp) {
    const wsf_message_parts *parts = &kept->parts;
    wsf_kept_head *head = (wsf_kept_head *)(void *)at;
    assert(parts->payload.size <= WSF_KEPT_PAYLOAD_MAX);
    *head = (wsf_kept_head){
        kept->id,
        stamp,
        (uint32_t)parts->payload.size | ((parts->flags & WSFAN_BINARY) != 0 ? WSF_KEPT_BINARY : 0) |
            (parts->except.node != 0 ? WSF_KEPT_EXCEPT : 0) | (plain ? 0 : WSF_KEPT_GENERAL) |
            (kept->buffer != NULL ? WSF_KEPT_BUFFER : 0),
    };
    at += sizeof *head;
    if (parts->except.node != 0)
        at = append(at, &parts->except, sizeof parts->except);
    if (!plain)
        at = write_general(at, kept);
    if (kept->buffer != NULL) {
        wsf_kept_slice slice = { wsf_buffer_ref(kept->buffer), parts->payload.data };
        append(at, &slice, sizeof slice);
    } else {
        append(at, parts->payload.data, parts->payload.size);
    }
}

static const uint8_t *general_at(const uint8_t *at) {
    bool has_except = (wsf_kept_head_at(at)->form & WSF_KEPT_EXCEPT) != 0;
    return at + sizeof(wsf_kept_head) + (has_except ? sizeof(wsfan_address) : 0);
}

uint32_t wsf_kept_targets_at(const uint8_t *at) {
    wsf_kept_general general;
    if ((wsf_kept_head_at(at)->form & WSF_KEPT_GENERAL) == 0)
        return 1;
    memcpy(&general, general_at(at), sizeof general);
    return general.targets_count;
}

wsf_buffer *wsf_kept_own_buffer(const wsfan_message *message) {
    wsf_buffer *frame = message->frame;
    if (frame == NULL || message->payload_size < WSF_APART_MIN)
        return NULL;
    return wsf_buffer_cost(frame) - message->payload_size <= message->payload_size / 8 ? frame
                                                                                       : NULL;
}

/* Targets are written to `targets`, if the message has other ones than its chat. */
static void read_entry(const uint8_t *at, const wsfan_target *chat, wsfan_target *targets,
                       uint32_t now_ms, wsf_kept *kept) {
    const wsf_kept_head *head = wsf_kept_head_at(at);
    wsf_message_parts *parts = &kept->parts;
    memset(kept, 0, sizeof *kept);
    kept->id = head->id;
    kept->age_ms = now_ms - head->stamp;
    kept->buffer = wsf_kept_buffer_at(at);
    parts->flags = (head->form & WSF_KEPT_BINARY) != 0 ? (uint32_t)WSFAN_BINARY : 0;
    parts->targets = chat;
    parts->targets_count = wsf_kept_targets_at(at);
    parts->payload = (wsfan_bytes){ wsf_kept_payload_at(at), head->form & WSF_KEPT_PAYLOAD_MAX };
    if (kept->buffer != NULL)
        memcpy(&parts->payload.data, wsf_kept_payload_at(at) + offsetof(wsf_kept_slice, payload),
               sizeof parts->payload.data);
    if ((head->form & WSF_KEPT_EXCEPT) != 0)
        memcpy(&parts->except, at + sizeof *head, sizeof parts->except);
    if ((head->form & WSF_KEPT_GENERAL) == 0)
        return;
    wsf_kept_general general;
    const uint8_t *next = general_at(at);
    memcpy(&general, next, sizeof general);
    next += sizeof general;
    parts->slot = general.slot;
    parts->targets = targets;
    for (uint32_t i = 0; i < general.targets_count; i++) {
        wsf_kept_target target;
        memcpy(&target, next, sizeof target);
        next += sizeof target;
        targets[i] = (wsfan_target){ (wsfan_target_kind)target.kind, { next, target.size } };
        next += target.size;
    }
}

/* ---------------------------------------------------------------------------------------- lists */

/* Merges two sorted neighbours, of which the first is short: it is moved to `room`. */
static void merge(wsf_kept_ref *refs, uint32_t middle, uint32_t end, wsf_kept_ref *room) {
    if (middle >= end || !wsf_kept_id_less(refs[middle].id, refs[middle - 1].id))
        return;
    memcpy(room, refs, middle * sizeof *refs);
    uint32_t i = 0;
    uint32_t j = middle;
    for (uint32_t k = 0; i < middle; k++)
        refs[k] = j < end && wsf_kept_id_less(refs[j].id, room[i].id) ? refs[j++] : room[i++];
}

void wsf_kept_sort(wsf_kept_ref *refs, uint32_t count) {
    for (uint32_t width = 1; width < count; width *= 2)
        for (uint32_t from = 0; from + width < count; from += 2 * width) {
            uint32_t end = count - from < 2 * width ? count - from : 2 * width;
            merge(refs + from, width, end, refs + count);
        }
}

bool wsf_kept_is_among(const wsf_kept_ref *refs, uint32_t count, wsfan_message_id id) {
    uint32_t from = 0;
    while (from < count) {
        uint32_t middle = from + (count - from) / 2;
        if (wsf_kept_id_less(refs[middle].id, id))
            from = middle + 1;
        else if (wsf_kept_id_less(id, refs[middle].id))
            count = middle;
        else
            return true;
    }
    return false;
}

uint32_t wsf_kept_fit(const wsf_kept_ref *refs, uint32_t count, uint64_t bytes_max) {
    uint64_t bytes = 0;
    uint32_t fitting = 0;
    for (; fitting < count; fitting++) {
        uint32_t payload = wsf_kept_head_at(refs[fitting].at)->form & WSF_KEPT_PAYLOAD_MAX;
        bytes += wsf_kept_size_at(refs[fitting].at) +
                 (wsf_kept_buffer_at(refs[fitting].at) != NULL ? payload : 0);
        if (fitting > 0 && bytes > bytes_max)
            break;
    }
    return fitting;
}

wsf_kept_list *wsf_kept_list_new(const wsf_kept_ref *refs, uint32_t count, wsfan_bytes chat,
                                 uint32_t now_ms) {
    size_t targets_count = 1; /* the first one is the chat */
    size_t bytes = 0;
    size_t buffers = 0;
    for (uint32_t i = 0; i < count; i++) {
        bytes += wsf_kept_size_at(refs[i].at);
        buffers += wsf_kept_buffer_cost(wsf_kept_buffer_at(refs[i].at));
        if ((wsf_kept_head_at(refs[i].at)->form & WSF_KEPT_GENERAL) != 0)
            targets_count += wsf_kept_targets_at(refs[i].at);
    }
    size_t size = sizeof(wsf_kept_list) + count * sizeof(wsf_kept) +
                  targets_count * sizeof(wsfan_target) + bytes + chat.size;
    wsf_kept_list *list = wsf_alloc(size);
    if (list == NULL)
        return NULL;
    *list = (wsf_kept_list){ count, false, size + buffers };
    wsfan_target *targets = (wsfan_target *)(void *)(list->messages + count);
    uint8_t *at = (uint8_t *)(targets + targets_count);
    if (chat.size > 0)
        memcpy(at + bytes, chat.data, chat.size);
    wsfan_target *next = targets;
    *next++ = (wsfan_target){ WSFAN_CHAT, { at + bytes, chat.size } };
    for (uint32_t i = 0; i < count; i++) {
        size_t entry = wsf_kept_size_at(refs[i].at);
        memcpy(at, refs[i].at, entry);
        read_entry(at, targets, next, now_ms, &list->messages[i]);
        if (list->messages[i].parts.targets == next)
            next += list->messages[i].parts.targets_count;
        if (list->messages[i].buffer != NULL)
            wsf_buffer_ref(list->messages[i].buffer);
        at += entry;
    }
    return list;
}

void wsf_kept_list_free(wsf_kept_list *list) {
    for (uint32_t i = 0; list != NULL && i < list->count; i++)
        wsf_buffer_unref(list->messages[i].buffer);
    wsf_free(list);
}
