/* The state of an archive, which its files share. */
#ifndef WSF_MESSAGE_ARCHIVE_STATE_H
#define WSF_MESSAGE_ARCHIVE_STATE_H

#include "base/slots.h"
#include "base/table.h"

typedef struct {
    uint32_t count_max;      /* messages of a chat, >= 1 */
    uint32_t chat_bytes_max; /* of them, with buffers that they refer to; >= 1024 */
    uint32_t age_ms_max;     /* >= 1, below 2^31 */
    uint64_t bytes_max;      /* of memory, of all chats */
} wsf_archive_limits;

typedef struct {
    uint64_t messages; /* kept now */
    uint64_t bytes; /* memory of chats, chunks and buffers; spare rows and the table not counted */
    uint64_t evicted; /* for a limit or for lack of memory, so far; some before they were kept */
    uint64_t expired; /* for their age, so far */
} wsf_archive_stats;

typedef struct {
    wsf_archive_limits limits;
    wsf_archive_stats stats;
    wsf_table table;
    wsf_slots slots; /* slots.count: open chats */
    struct wsf_archive_chat *chats;
    struct wsf_archive_chunk *oldest; /* by when the last message was put in */
    struct wsf_archive_chunk *newest;
    uint32_t round; /* of messages with several targets */
} wsf_archive;

#endif
