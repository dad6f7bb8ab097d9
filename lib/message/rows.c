/* Answers for a page being the first rows of a whole list, over all loops and nodes: a row that was cut
 * off anywhere has a key behind the last row of the page, and later rows there are left out, too. So pages
 * of several loops and nodes can be merged, and a list goes on behind a key. */
#include "message/rows.h"

#include <string.h>

#include "base/memory.h"

void wsf_rows_init(wsf_rows *rows, uint32_t count_max) {
    memset(rows, 0, sizeof *rows);
    rows->count_max = count_max;
}

void wsf_rows_destroy(wsf_rows *rows) {
    for (uint32_t i = 0; i < rows->count; i++)
        wsf_free(rows->list[i]);
    wsf_free(rows->list);
    rows->list = NULL;
    rows->count = rows->capacity = 0;
}

static int compare(const void *a, size_t a_size, const void *b, size_t b_size) {
    size_t size = a_size < b_size ? a_size : b_size;
    return size == 0 ? 0 : memcmp(a, b, size);
}

int wsf_key_compare(wsfan_bytes head, wsfan_bytes tail, wsfan_bytes key) {
    int order = compare(head.data, head.size, key.data, key.size);
    if (order != 0)
        return order;
    if (key.size > head.size) {
        size_t left = key.size - head.size;
        order = compare(tail.data, tail.size, (const uint8_t *)key.data + head.size, left);
        if (order != 0)
            return order;
    }
    size_t size = head.size + tail.size;
    return size < key.size ? -1 : size > key.size;
}

static size_t cost(const wsf_row *row) {
    return sizeof *row + row->key_size + row->text_size;
}

static void drop_last(wsf_rows *rows) {
    wsf_row *last = rows->list[--rows->count];
    rows->bytes -= cost(last);
    wsf_free(last);
    rows->more = true;
}

/* The index of the key, or where it would be inserted. */
static uint32_t find(const wsf_rows *rows, wsfan_bytes head, wsfan_bytes tail, bool *there) {
    uint32_t from = 0;
    uint32_t to = rows->count;
    *there = false;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        int order = wsf_key_compare(head, tail, wsf_row_key(rows->list[middle]));
        if (order == 0) {
            *there = true;
            return middle;
        }
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return from;
}

static wsf_row *new_row(wsfan_bytes head, wsfan_bytes tail, wsfan_bytes text, uint64_t count) {
    wsf_row *row = wsf_alloc(sizeof *row + head.size + tail.size + text.size);
    if (row == NULL)
        return NULL;
    row->count = count;
    row->key_size = (uint32_t)(head.size + tail.size);
    row->text_size = (uint32_t)text.size;
    if (head.size > 0)
        memcpy(row->bytes, head.data, head.size);
    if (tail.size > 0)
        memcpy(row->bytes + head.size, tail.data, tail.size);
    if (text.size > 0)
        memcpy(row->bytes + row->key_size, text.data, text.size);
    return row;
}

static bool reserve(wsf_rows *rows) {
    if (rows->count < rows->capacity)
        return true;
    uint32_t capacity = rows->capacity == 0 ? 16 : rows->capacity * 2;
    wsf_row **list = wsf_realloc(rows->list, capacity * sizeof *list);
    if (list == NULL)
        return false;
    rows->list = list;
    rows->capacity = capacity;
    return true;
}

void wsf_rows_add(wsf_rows *rows, wsfan_bytes head, wsfan_bytes tail, wsfan_bytes text,
                  uint64_t count) {
    bool there;
    uint32_t at = find(rows, head, tail, &there);
    if (there) {
        rows->list[at]->count += count;
        return;
    }
    if (at == rows->count && (rows->more || rows->count == rows->count_max)) {
        rows->more = true;
        return;
    }
    wsf_row *row = reserve(rows) ? new_row(head, tail, text, count) : NULL;
    if (row == NULL) {
        rows->failed = true;
        return;
    }
    memmove(&rows->list[at + 1], &rows->list[at], (rows->count - at) * sizeof *rows->list);
    rows->list[at] = row;
    rows->count++;
    rows->bytes += cost(row);
    while (rows->count > rows->count_max || (rows->count > 1 && rows->bytes > WSF_PAGE_BYTES_MAX))
        drop_last(rows);
}

static const wsf_row *last_of(const wsf_rows *rows) {
    return rows->count > 0 ? rows->list[rows->count - 1] : NULL;
}

static bool stands_behind(const wsf_row *row, const wsf_row *last) {
    static const wsfan_bytes none = { NULL, 0 };
    return wsf_key_compare(wsf_row_key(row), none, wsf_row_key(last)) > 0;
}

void wsf_rows_merge(wsf_rows *into, const wsf_rows *from) {
    static const wsfan_bytes none = { NULL, 0 };
    bool more = into->more || from->more;
    /* A page with `more` may lack rows behind its last: those of the other page from there on are cut off. */
    uint32_t count = from->count;
    while (into->more && into->count > 0 && count > 0 &&
           stands_behind(from->list[count - 1], last_of(into)))
        count--;
    while (from->more && from->count > 0 && into->count > 0 &&
           stands_behind(last_of(into), last_of(from)))
        drop_last(into);
    into->more = false;
    for (uint32_t i = 0; i < count; i++)
        wsf_rows_add(into, wsf_row_key(from->list[i]), none, wsf_row_text(from->list[i]),
                     from->list[i]->count);
    into->more = into->more || more;
    into->failed = into->failed || from->failed;
}
