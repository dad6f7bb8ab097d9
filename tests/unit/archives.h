/* What tests of the archive share: an allocator that counts bytes and fails at random, and messages whose payloads follow from
 * their ids. */
#ifndef ARCHIVES_H
#define ARCHIVES_H

#include "base/memory.h"
#include "message/archive.h"
#include "suite.h"

/* ------------------------------------------------------------------------------------ allocator */

static size_t live_bytes; /* allocated and not given back */
static unsigned fail_one_in;
static uint64_t fail_random;

static inline bool fails(void) {
    return fail_one_in > 0 && next_random(&fail_random) % fail_one_in == 0;
}

static inline void *count_alloc(void *user, size_t size) {
    (void)user;
    uint64_t *block = fails() ? NULL : malloc(16 + size);
    if (block == NULL)
        return NULL;
    *block = size;
    live_bytes += size;
    return block + 2;
}

static inline void *count_realloc(void *user, void *memory, size_t size) {
    if (memory == NULL)
        return count_alloc(user, size);
    uint64_t *block = fails() ? NULL : realloc((uint64_t *)memory - 2, 16 + size);
    if (block == NULL)
        return NULL;
    live_bytes += size - *block;
    *block = size;
    return block + 2;
}

static inline void count_free(void *user, void *memory) {
    (void)user;
    if (memory == NULL)
        return;
    uint64_t *block = (uint64_t *)memory - 2;
    live_bytes -= *block;
    free(block);
}

static wsfan_allocator usual_allocator;

static inline void begin_counting(void) {
    usual_allocator = wsf_allocator;
    wsf_allocator = (wsfan_allocator){ NULL, count_alloc, count_realloc, count_free };
    live_bytes = 0;
    fail_one_in = 0;
}

static inline void end_counting(void) {
    ck_assert_uint_eq(live_bytes, 0);
    wsf_allocator = usual_allocator;
}

/* ------------------------------------------------------------------------------------- messages */

enum { HEAD = 24, EXCEPT = 16 }; /* bytes of an entry */

static const wsf_archive_limits LIMITS = {
    .count_max = 100, .chat_bytes_max = 65536, .age_ms_max = 60000, .bytes_max = 1 << 24
};

static inline wsf_hash_key hash_key(void) {
    wsf_hash_key key;
    wsf_hash_key_init(&key, "cluster");
    return key;
}

static inline uint64_t hash_of(const char *chat) {
    wsf_hash_key key = hash_key();
    wsfan_target target = { WSFAN_CHAT, wsfan_string(chat) };
    return wsf_hash_target(&key, &target);
}

static inline wsfan_message_id id_of(uint64_t clock, uint64_t origin) {
    return (wsfan_message_id){ .clock = clock, .origin = origin };
}

/* Bytes that follow from an id. */
static inline wsfan_bytes payload_of(wsfan_message_id id, size_t size) {
    static uint64_t payload[(1 << 20) / 8];
    uint64_t random = id.clock * 1000003 + id.origin;
    for (size_t i = 0; i < (size + 7) / 8; i++)
        payload[i] = next_random(&random);
    return (wsfan_bytes){ payload, size };
}

static inline void assert_payload(const wsf_kept *kept, size_t size) {
    if (kept->parts.payload.size != size)
        ck_abort_msg("%zu bytes are %zu", size, kept->parts.payload.size);
    if (size > 0 && memcmp(kept->parts.payload.data, payload_of(kept->id, size).data, size) != 0)
        ck_abort_msg("%zu bytes are others", size);
}

static inline void keep_parts(wsf_archive *archive, wsf_message_parts *parts, wsfan_message_id id,
                              uint64_t now) {
    wsf_hash_key key = hash_key();
    unsigned failing = fail_one_in;
    fail_one_in = 0;
    wsfan_message *message = wsf_message_new(&key, parts);
    fail_one_in = failing;
    if (message == NULL)
        ck_abort_msg("out of memory");
    message->id = id;
    wsf_archive_keep(archive, message, now);
    wsfan_message_unref(message);
}

static inline void say(wsf_archive *archive, const char *chat, uint64_t clock, uint64_t origin,
                       size_t size, uint64_t now) {
    wsfan_target target = { WSFAN_CHAT, wsfan_string(chat) };
    wsfan_message_id id = id_of(clock, origin);
    wsf_message_parts parts = { .targets = &target,
                                .targets_count = 1,
                                .payload = payload_of(id, size) };
    keep_parts(archive, &parts, id, now);
}

static inline uint32_t open_chat(wsf_archive *archive, const char *chat) {
    uint32_t number;
    ck_assert_int_eq(wsf_archive_open(archive, hash_of(chat), &number), WSFAN_OK);
    return number;
}

static const wsf_kept_query ALL;

static inline wsf_kept_list *list_all(wsf_archive *archive, uint32_t chat, uint64_t now) {
    wsf_kept_list *list = wsf_archive_list(archive, chat, &ALL, now);
    ck_assert_ptr_nonnull(list);
    ck_assert(!list->more);
    for (uint32_t i = 1; i < list->count; i++)
        ck_assert(wsf_kept_id_less(list->messages[i - 1].id, list->messages[i].id));
    return list;
}

static inline void assert_clocks(wsf_archive *archive, uint32_t chat, uint64_t now, uint64_t from,
                                 uint64_t to) {
    wsf_kept_list *list = list_all(archive, chat, now);
    ck_assert_uint_eq(list->count, to + 1 - from);
    for (uint32_t i = 0; i < list->count; i++)
        ck_assert_uint_eq(list->messages[i].id.clock, from + i);
    wsf_kept_list_free(list);
}

#endif
