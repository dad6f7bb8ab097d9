/* What nodes ask each other of kept messages, and the pages of answers: as they come, and written again as they were read. */
#include <stdlib.h>

#include "target.h"
#include "wire/history_codec.h"

enum { TARGETS = 64 };

static void check_question(wsfan_bytes payload) {
    static wsf_asked_chat chats[WSF_QUESTION_CHATS_MAX];
    static uint8_t again[WSF_QUESTION_HEAD_SIZE + WSF_QUESTION_CHATS_MAX * WSF_ASKED_CHAT_SIZE];
    uint64_t reach;
    uint32_t count;
    if (!wsf_question_read(payload, &reach, chats, &count))
        return;
    CHECK(count >= 1 && count <= WSF_QUESTION_CHATS_MAX);
    wsf_question_write(again, reach, chats, count);
    CHECK(memcmp(again, payload.data, payload.size) == 0);
}

static void check_inside(wsfan_bytes bytes, wsfan_bytes payload) {
    const uint8_t *from = bytes.data;
    const uint8_t *begin = payload.data;
    CHECK(from >= begin && bytes.size <= payload.size && from + bytes.size <= begin + payload.size);
}

/* A message that was read has the size that it is written with, and says the same again. */
static void check_message(const wsf_kept *kept, wsfan_bytes payload) {
    wsfan_target targets[TARGETS];
    wsf_kept again;
    check_inside(kept->parts.payload, payload);
    for (uint32_t i = 0; i < kept->parts.targets_count; i++)
        check_inside(kept->parts.targets[i].name, payload);
    size_t size = wsf_page_message_size(kept);
    uint8_t *bytes = malloc(size);
    CHECK(bytes != NULL && wsf_page_write_message(bytes, kept) == bytes + size);
    wsf_page page = { .at = bytes, .end = bytes + size };
    CHECK(wsf_page_read_message(&page, &again, targets, TARGETS) && wsf_page_is_over(&page));
    CHECK(again.id.clock == kept->id.clock && again.id.origin == kept->id.origin &&
          again.age_ms == kept->age_ms && again.parts.slot == kept->parts.slot &&
          again.parts.targets_count == kept->parts.targets_count &&
          again.parts.payload.size == kept->parts.payload.size);
    free(bytes);
}

static void check_page(wsfan_bytes payload) {
    wsfan_target targets[TARGETS];
    wsf_page page;
    wsf_page_chat chat;
    wsf_kept kept;
    if (!wsf_page_open(&page, payload))
        return;
    for (uint32_t i = 0; i < page.origins_count; i++)
        wsf_page_origin_at(&page, i);
    while (wsf_page_read_chat(&page, &chat)) {
        for (uint32_t i = 0; i < chat.extents_count; i++)
            wsf_page_extent_at(&chat, i);
        for (uint32_t i = 0; i < chat.messages_count; i++) {
            if (!wsf_page_read_message(&page, &kept, targets, TARGETS))
                return;
            check_message(&kept, payload);
        }
    }
    CHECK(page.at <= page.end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wsfan_bytes payload = { data, size };
    if (size == 0)
        return 0;
    check_question(payload);
    check_page(payload);
    return 0;
}
