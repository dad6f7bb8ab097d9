/* What tests of runs share: messages for one chat each, told apart by a number. */
#ifndef RUNS_H
#define RUNS_H

#include <stdbool.h>
#include <string.h>

#include "message/run.h"
#include "suite.h"

static const wsfan_address RUN_NOBODY = { 0, 0 };

static inline wsfan_message *run_begin(wsf_run_writer *writer, size_t bytes) {
    wsfan_message *run = wsf_run_new(NULL, bytes);
    ck_assert_ptr_nonnull(run);
    wsf_run_begin_writing(writer, run);
    return run;
}

static inline bool run_write(wsf_run_writer *writer, const char *chat, wsfan_address except,
                             wsfan_bytes payload) {
    wsfan_target target = { WSFAN_CHAT, wsfan_string(chat) };
    wsf_message_parts parts = {
        .targets = &target, .targets_count = 1, .payload = payload, .except = except
    };
    return wsf_run_write(writer, &parts);
}

/* The number, and behind it bytes that follow from it. */
static inline wsfan_bytes numbered(uint8_t *payload, uint32_t number, size_t size) {
    ck_assert_uint_ge(size, sizeof number);
    memset(payload, (uint8_t)(number * 7 + 1), size);
    memcpy(payload, &number, sizeof number);
    return (wsfan_bytes){ payload, size };
}

static inline uint32_t number_of(wsfan_bytes payload) {
    uint32_t number;
    ck_assert_uint_ge(payload.size, sizeof number);
    memcpy(&number, payload.data, sizeof number);
    size_t wrong = 0;
    for (size_t i = sizeof number; i < payload.size; i++)
        wrong += ((const uint8_t *)payload.data)[i] != (uint8_t)(number * 7 + 1);
    ck_assert_uint_eq(wrong, 0);
    return number;
}

static inline void run_say(wsf_run_writer *writer, const char *chat, uint32_t number, size_t size) {
    static uint8_t payload[WSF_RUN_BYTES_MAX];
    ck_assert(run_write(writer, chat, RUN_NOBODY, numbered(payload, number, size)));
}

/* A run of messages 0 .. count-1 of `size` bytes, for one chat. */
static inline wsfan_message *run_of(uint32_t count, const char *chat, size_t size) {
    wsf_run_writer writer;
    wsfan_message *run = run_begin(&writer, WSF_RUN_BYTES_MAX);
    for (uint32_t i = 0; i < count; i++)
        run_say(&writer, chat, i, size);
    return run;
}

/* As the router leaves it. */
static inline void run_know(wsfan_message *run, const wsf_hash_key *key) {
    for (wsf_run_head *head = NULL; (head = wsf_run_next_head(run, head)) != NULL;)
        wsf_message_know(run, &head->target, key);
}

static inline void run_want_all(wsfan_message *run, bool wanted) {
    for (wsf_run_head *head = NULL; (head = wsf_run_next_head(run, head)) != NULL;)
        head->wanted = wanted;
}

#endif
