/* What one node asks another of the messages that it keeps, and a page of the answer: payloads of REQUEST and REPLY. Format:
 * docs/protocol.md. */
#ifndef WSF_WIRE_HISTORY_CODEC_H
#define WSF_WIRE_HISTORY_CODEC_H

#include <stdbool.h>

#include "base/limits.h"
#include "message/kept.h"

enum {
    WSF_REQUEST_KEPT = 32, /* the kind: those from here on are asked by cores, not by hosts */
    WSF_QUESTION_CHATS_MAX = 256,
    WSF_PAGE_BYTES = WSF_SIZE(64, 6) * 1024, /* and one message at least */
    WSF_PAGE_ORIGINS_MAX = 352
};

/* ------------------------------------------------------------------------------------- questions */

typedef struct {
    uint64_t hash;
    wsfan_message_id after; /* messages with a greater id are asked for; {0}: all */
} wsf_asked_chat;

enum { WSF_QUESTION_HEAD_SIZE = 8, WSF_ASKED_CHAT_SIZE = 24 };

/* reach: the clock up to which the one that is asked should have got with all nodes that are up. Writes
 * WSF_QUESTION_HEAD_SIZE and count times WSF_ASKED_CHAT_SIZE bytes. */
void wsf_question_write(uint8_t *at, uint64_t reach, const wsf_asked_chat *chats, uint32_t count);

/* False: it is none. chats has room for WSF_QUESTION_CHATS_MAX. */
bool wsf_question_read(wsfan_bytes payload, uint64_t *reach, wsf_asked_chat *chats,
                       uint32_t *count);

/* ----------------------------------------------------------------------------------------- pages */

/* What the node says of an origin, for all chats that do not say otherwise. */
typedef struct {
    uint64_t node;
    uint64_t
        last; /* since then it published nothing else, if it is up; UINT64_MAX: nothing is said */
    uint64_t whole; /* as wsf_extent has them */
    uint64_t to;
} wsf_page_origin;

/* What it says of one in a chat. */
typedef struct {
    uint64_t node;
    uint64_t since;
    uint64_t floor;
    uint64_t whole;
    uint64_t to;
} wsf_page_extent;

enum {
    WSF_CHAT_MORE = 1,  /* other messages follow, in the next page */
    WSF_CHAT_UNKEPT = 2 /* the node does not keep the chat */
};

typedef struct {
    uint64_t hash;
    uint32_t flags;
    uint64_t since; /* of all origins without an extent here */
    uint64_t floor;
    uint32_t extents_count;
    uint32_t messages_count;
    const uint8_t *extents; /* see wsf_page_extent_at() */
} wsf_page_chat;

enum {
    WSF_PAGE_HEAD_SIZE = 10,
    WSF_PAGE_ORIGIN_SIZE = 32,
    WSF_PAGE_CHAT_SIZE = 29,
    WSF_PAGE_EXTENT_SIZE = 40
};

/* Each writes at `at` and returns where it ends; the caller has made room. */
uint8_t *wsf_page_write_head(uint8_t *at, uint64_t epoch, const wsf_page_origin *origins,
                             uint32_t count);
uint8_t *wsf_page_write_chat(uint8_t *at, const wsf_page_chat *chat,
                             const wsf_page_extent *extents);
size_t wsf_page_message_size(const wsf_kept *kept);
uint8_t *wsf_page_write_message(uint8_t *at, const wsf_kept *kept);

typedef struct {
    const uint8_t *at;
    const uint8_t *end;
    const uint8_t *origins;
    uint64_t epoch;
    uint32_t origins_count;
} wsf_page;

/* Each returns false where nothing follows, or nothing that can be read: wsf_page_is_over() tells which. What is read points
 * into the payload. */
bool wsf_page_open(wsf_page *page, wsfan_bytes payload);
wsf_page_origin wsf_page_origin_at(const wsf_page *page, uint32_t i);
bool wsf_page_read_chat(wsf_page *page, wsf_page_chat *chat);
wsf_page_extent wsf_page_extent_at(const wsf_page_chat *chat, uint32_t i);

/* Reads one of the chat's messages. targets has room for `room`; more of them, or a kind or a name that no target has, are no
 * message. */
bool wsf_page_read_message(wsf_page *page, wsf_kept *kept, wsfan_target *targets, uint32_t room);
bool wsf_page_is_over(const wsf_page *page);

#endif
