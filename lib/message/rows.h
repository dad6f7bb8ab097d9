/* One page of a list: rows in order of their keys, each key once. */
#ifndef WSF_MESSAGE_ROWS_H
#define WSF_MESSAGE_ROWS_H

#include <stdbool.h>
#include <wsfan/wsfan.h>

/* Bytes of the rows of one page; a single row may be larger. Further rows are on the next page. */
enum { WSF_PAGE_BYTES_MAX = 64 * 1024 };

typedef struct {
    uint64_t count; /* summed over rows with the same key */
    uint32_t key_size;
    uint32_t text_size;
    uint8_t bytes[]; /* key, text */
} wsf_row;

typedef struct {
    wsf_row **list;
    uint32_t count;
    uint32_t capacity;
    uint32_t count_max;
    size_t bytes;
    bool more;   /* there are rows behind the last one */
    bool failed; /* a row is missing for want of memory */
} wsf_rows;

void wsf_rows_init(wsf_rows *rows, uint32_t count_max);
void wsf_rows_destroy(wsf_rows *rows);

/* Adds a row whose key is `head` followed by `tail`, if it belongs to this page. Either may be empty. */
void wsf_rows_add(wsf_rows *rows, wsfan_bytes head, wsfan_bytes tail, wsfan_bytes text,
                  uint64_t count);

/* Merges two pages, each the first rows of its list: `into` becomes the first rows of both lists together. */
void wsf_rows_merge(wsf_rows *into, const wsf_rows *from);

/* Compares `head` followed by `tail` with a key: below 0, 0 or above. */
int wsf_key_compare(wsfan_bytes head, wsfan_bytes tail, wsfan_bytes key);

static inline wsfan_bytes wsf_row_key(const wsf_row *row) {
    return (wsfan_bytes){ row->bytes, row->key_size };
}

static inline wsfan_bytes wsf_row_text(const wsf_row *row) {
    return (wsfan_bytes){ row->bytes + row->key_size, row->text_size };
}

#endif
