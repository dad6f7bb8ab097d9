/* Columns of numbers, big endian, as in MESSAGES. */
#include "wire/history_codec.h"

#include <string.h>

#include "wire/message_codec.h"

enum { FORM_EXCEPT = 1, FORM_SLOT = 2, MESSAGE_HEAD_SIZE = 28, TARGET_HEAD_SIZE = 3 };

static uint8_t *put_u16(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

static uint8_t *put_u32(uint8_t *at, uint32_t value) {
    return put_u16(put_u16(at, value >> 16), value);
}

static uint8_t *put_u64(uint8_t *at, uint64_t value) {
    wsf_put_u64(at, value);
    return at + 8;
}

static uint8_t *put_bytes(uint8_t *at, wsfan_bytes bytes) {
    if (bytes.size > 0)
        memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

static uint32_t get_u16(const uint8_t *at) {
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t get_u32(const uint8_t *at) {
    return get_u16(at) << 16 | get_u16(at + 2);
}

/* ------------------------------------------------------------------------------------- questions */

void wsf_question_write(uint8_t *at, uint64_t reach, const wsf_asked_chat *chats, uint32_t count) {
    at = put_u64(at, reach);
    for (uint32_t i = 0; i < count; i++) {
        at = put_u64(at, chats[i].hash);
        at = put_u64(at, chats[i].after.clock);
        at = put_u64(at, chats[i].after.origin);
    }
}

bool wsf_question_read(wsfan_bytes payload, uint64_t *reach, wsf_asked_chat *chats,
                       uint32_t *count) {
    const uint8_t *at = payload.data;
    if (payload.size < WSF_QUESTION_HEAD_SIZE + WSF_ASKED_CHAT_SIZE ||
        (payload.size - WSF_QUESTION_HEAD_SIZE) % WSF_ASKED_CHAT_SIZE != 0 ||
        (payload.size - WSF_QUESTION_HEAD_SIZE) / WSF_ASKED_CHAT_SIZE > WSF_QUESTION_CHATS_MAX)
        return false;
    *reach = wsf_get_u64(at);
    *count = (uint32_t)((payload.size - WSF_QUESTION_HEAD_SIZE) / WSF_ASKED_CHAT_SIZE);
    at += WSF_QUESTION_HEAD_SIZE;
    for (uint32_t i = 0; i < *count; i++, at += WSF_ASKED_CHAT_SIZE)
        chats[i] = (wsf_asked_chat){
            wsf_get_u64(at), { .clock = wsf_get_u64(at + 8), .origin = wsf_get_u64(at + 16) }
        };
    return true;
}

/* --------------------------------------------------------------------------------------- writing */

uint8_t *wsf_page_write_head(uint8_t *at, uint64_t epoch, const wsf_page_origin *origins,
                             uint32_t count) {
    at = put_u16(put_u64(at, epoch), count);
    for (uint32_t i = 0; i < count; i++) {
        at = put_u64(put_u64(at, origins[i].node), origins[i].last);
        at = put_u64(put_u64(at, origins[i].whole), origins[i].to);
    }
    return at;
}

uint8_t *wsf_page_write_chat(uint8_t *at, const wsf_page_chat *chat,
                             const wsf_page_extent *extents) {
    at = put_u64(at, chat->hash);
    *at++ = (uint8_t)chat->flags;
    at = put_u64(put_u64(at, chat->since), chat->floor);
    at = put_u16(put_u16(at, chat->extents_count), chat->messages_count);
    for (uint32_t i = 0; i < chat->extents_count; i++) {
        at = put_u64(at, extents[i].node);
        at = put_u64(put_u64(at, extents[i].since), extents[i].floor);
        at = put_u64(put_u64(at, extents[i].whole), extents[i].to);
    }
    return at;
}

size_t wsf_page_message_size(const wsf_kept *kept) {
    size_t size = MESSAGE_HEAD_SIZE + kept->parts.payload.size +
                  (kept->parts.except.node != 0 ? 16 : 0) + (kept->parts.slot != 0 ? 8 : 0);
    for (uint32_t i = 0; i < kept->parts.targets_count; i++)
        size += TARGET_HEAD_SIZE + kept->parts.targets[i].name.size;
    return size;
}

uint8_t *wsf_page_write_message(uint8_t *at, const wsf_kept *kept) {
    const wsf_message_parts *parts = &kept->parts;
    at = put_u64(put_u64(at, kept->id.clock), kept->id.origin);
    at = put_u32(at, kept->age_ms);
    *at++ = (uint8_t)parts->flags;
    *at++ = (uint8_t)((parts->except.node != 0 ? FORM_EXCEPT : 0) |
                      (parts->slot != 0 ? FORM_SLOT : 0));
    at = put_u32(put_u16(at, parts->targets_count), (uint32_t)parts->payload.size);
    if (parts->except.node != 0)
        at = put_u64(put_u64(at, parts->except.node), parts->except.session);
    if (parts->slot != 0)
        at = put_u64(at, parts->slot);
    for (uint32_t i = 0; i < parts->targets_count; i++) {
        *at++ = (uint8_t)parts->targets[i].kind;
        at = put_bytes(put_u16(at, (uint32_t)parts->targets[i].name.size), parts->targets[i].name);
    }
    return put_bytes(at, parts->payload);
}

/* --------------------------------------------------------------------------------------- reading */

static size_t left(const wsf_page *page) {
    return (size_t)(page->end - page->at);
}

bool wsf_page_is_over(const wsf_page *page) {
    return page->at == page->end;
}

bool wsf_page_open(wsf_page *page, wsfan_bytes payload) {
    *page = (wsf_page){ .at = payload.data, .end = (const uint8_t *)payload.data + payload.size };
    if (payload.size < WSF_PAGE_HEAD_SIZE)
        return false;
    page->epoch = wsf_get_u64(page->at);
    page->origins_count = get_u16(page->at + 8);
    page->origins = page->at + WSF_PAGE_HEAD_SIZE;
    if (page->origins_count > WSF_PAGE_ORIGINS_MAX ||
        left(page) - WSF_PAGE_HEAD_SIZE < (size_t)page->origins_count * WSF_PAGE_ORIGIN_SIZE)
        return false;
    page->at = page->origins + (size_t)page->origins_count * WSF_PAGE_ORIGIN_SIZE;
    return true;
}

wsf_page_origin wsf_page_origin_at(const wsf_page *page, uint32_t i) {
    const uint8_t *at = page->origins + (size_t)i * WSF_PAGE_ORIGIN_SIZE;
    return (wsf_page_origin){ wsf_get_u64(at), wsf_get_u64(at + 8), wsf_get_u64(at + 16),
                              wsf_get_u64(at + 24) };
}

bool wsf_page_read_chat(wsf_page *page, wsf_page_chat *chat) {
    const uint8_t *at = page->at;
    if (left(page) < WSF_PAGE_CHAT_SIZE)
        return false;
    *chat = (wsf_page_chat){ .hash = wsf_get_u64(at),
                             .flags = at[8],
                             .since = wsf_get_u64(at + 9),
                             .floor = wsf_get_u64(at + 17),
                             .extents_count = get_u16(at + 25),
                             .messages_count = get_u16(at + 27),
                             .extents = at + WSF_PAGE_CHAT_SIZE };
    if (chat->extents_count > WSF_PAGE_ORIGINS_MAX ||
        left(page) - WSF_PAGE_CHAT_SIZE < (size_t)chat->extents_count * WSF_PAGE_EXTENT_SIZE)
        return false;
    page->at = chat->extents + (size_t)chat->extents_count * WSF_PAGE_EXTENT_SIZE;
    return true;
}

wsf_page_extent wsf_page_extent_at(const wsf_page_chat *chat, uint32_t i) {
    const uint8_t *at = chat->extents + (size_t)i * WSF_PAGE_EXTENT_SIZE;
    return (wsf_page_extent){ wsf_get_u64(at), wsf_get_u64(at + 8), wsf_get_u64(at + 16),
                              wsf_get_u64(at + 24), wsf_get_u64(at + 32) };
}

static bool read_targets(wsf_page *page, wsfan_target *targets, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (left(page) < TARGET_HEAD_SIZE)
            return false;
        size_t size = get_u16(page->at + 1);
        targets[i].kind = (wsfan_target_kind)page->at[0];
        targets[i].name = (wsfan_bytes){ page->at + TARGET_HEAD_SIZE, size };
        if (left(page) - TARGET_HEAD_SIZE < size || !wsf_target_valid(&targets[i]))
            return false;
        page->at += TARGET_HEAD_SIZE + size;
    }
    return true;
}

static bool read_optional(wsf_page *page, uint32_t form, wsf_message_parts *parts) {
    size_t size = ((form & FORM_EXCEPT) != 0 ? 16 : 0) + ((form & FORM_SLOT) != 0 ? 8 : 0);
    if (left(page) < size)
        return false;
    if ((form & FORM_EXCEPT) != 0) {
        parts->except = (wsfan_address){ .node = wsf_get_u64(page->at),
                                         .session = wsf_get_u64(page->at + 8) };
        page->at += 16;
    }
    if ((form & FORM_SLOT) != 0) {
        parts->slot = wsf_get_u64(page->at);
        page->at += 8;
    }
    return true;
}

bool wsf_page_read_message(wsf_page *page, wsf_kept *kept, wsfan_target *targets, uint32_t room) {
    const uint8_t *at = page->at;
    if (left(page) < MESSAGE_HEAD_SIZE)
        return false;
    uint32_t form = at[21];
    uint32_t count = get_u16(at + 22);
    size_t payload_size = get_u32(at + 24);
    *kept = (wsf_kept){
        .id = { .clock = wsf_get_u64(at), .origin = wsf_get_u64(at + 8) },
        .age_ms = get_u32(at + 16),
        .parts = { .targets = targets, .targets_count = count, .flags = at[20] & WSFAN_BINARY }
    };
    page->at += MESSAGE_HEAD_SIZE;
    if (count == 0 || count > room || !read_optional(page, form, &kept->parts) ||
        !read_targets(page, targets, count) || left(page) < payload_size)
        return false;
    kept->parts.payload = (wsfan_bytes){ page->at, payload_size };
    page->at += payload_size;
    return true;
}
