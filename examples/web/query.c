/* query.c - the arguments in the query of a target (URL Standard, section 5.1). Pieces are decoded byte by byte where
 * they are compared or written, so nothing has to be kept. */
#include "query.h"

#include <limits.h>
#include <string.h>

#include "utf8.h"

enum { END = -1, BAD = -2 };

/* Takes the next byte off the encoded text, decoded. END: there is none. BAD: a '%' without two digits. */
static int next_byte(struct slice *text) {
    if (text->size == 0)
        return END;
    int byte = (unsigned char)text->data[0];
    size_t size = 1;
    if (byte == '+') {
        byte = ' ';
    } else if (byte == '%') {
        int high = text->size > 2 ? syntax_hex((unsigned char)text->data[1]) : -1;
        int low = text->size > 2 ? syntax_hex((unsigned char)text->data[2]) : -1;
        if (high < 0 || low < 0)
            return BAD;
        byte = high * 16 + low;
        size = 3;
    }
    text->data += size;
    text->size -= size;
    return byte;
}

bool query_is_encoded(struct slice text) {
    int byte;
    while ((byte = next_byte(&text)) >= 0)
        ;
    return byte == END;
}

/* Takes the next piece off the text: its key, and its value, NULL without '='. false: there is none. */
static bool next_piece(struct slice *text, struct slice *key, struct slice *value) {
    if (text->data == NULL)
        return false;
    const char *end = text->size > 0 ? memchr(text->data, '&', text->size) : NULL;
    struct slice piece = { text->data, end != NULL ? (size_t)(end - text->data) : text->size };
    *text = end != NULL ? (struct slice){ end + 1, text->size - piece.size - 1 }
                        : (struct slice){ NULL, 0 };
    const char *equals = piece.size > 0 ? memchr(piece.data, '=', piece.size) : NULL;
    *key = piece;
    *value = (struct slice){ NULL, 0 };
    if (equals != NULL) {
        key->size = (size_t)(equals - piece.data);
        *value = (struct slice){ equals + 1, piece.size - key->size - 1 };
    }
    return true;
}

static bool is_key(struct slice encoded, const char *key) {
    int byte;
    while ((byte = next_byte(&encoded)) >= 0 && byte == (unsigned char)*key && *key != '\0')
        key++;
    return byte == END && *key == '\0';
}

/* The only value of the key, still encoded. Returns 0, or a problem. */
static int find(const struct query *query, const char *key, struct slice *value) {
    struct slice rest = query->text, name, other;
    int found = QUERY_MISSING;
    while (next_piece(&rest, &name, &other)) {
        if (other.data == NULL || !is_key(name, key))
            continue;
        if (found == 0)
            return QUERY_AMBIGUOUS;
        *value = other;
        found = 0;
    }
    return found;
}

int query_find(const struct query *query, const char *key, char *text, size_t bytes_max) {
    struct slice value;
    size_t size = 0;
    int byte, problem = find(query, key, &value);
    if (problem != 0)
        return problem;
    if (!query_is_encoded(value))
        return QUERY_NO_TEXT;
    if (bytes_max > INT_MAX)
        bytes_max = INT_MAX;
    while ((byte = next_byte(&value)) >= 0) {
        if (size == bytes_max)
            return QUERY_TOO_LONG;
        text[size++] = (char)byte;
    }
    text[size] = '\0';
    return (int)size;
}

static bool is_known(const struct query *query, struct slice name) {
    for (const char *const *key = query->keys; *key != NULL; key++)
        if (is_key(name, *key))
            return true;
    return false;
}

static bool all_known(const struct query *query) {
    struct slice rest = query->text, name, value;
    while (next_piece(&rest, &name, &value))
        if (value.data == NULL || !is_known(query, name))
            return false;
    return true;
}

int query_name(const struct query *query, const char *key, char *name, size_t bytes_max) {
    int size = query_find(query, key, name, bytes_max);
    if (size <= 0)
        return size == 0 ? QUERY_MISSING : size;
    if (!utf8_valid(name, (size_t)size) || memchr(name, '\0', (size_t)size) != NULL)
        return QUERY_NO_TEXT;
    return all_known(query) ? size : QUERY_AMBIGUOUS;
}

/* The value of a digit as we write it; -1: it is none. */
static int lower_hex(int byte) {
    return byte >= 'A' && byte <= 'F' ? -1 : byte < 0 ? -1 : syntax_hex((unsigned char)byte);
}

int query_hex(const struct query *query, const char *key, unsigned char *bytes, size_t bytes_max) {
    struct slice value;
    size_t size = 0;
    int problem = find(query, key, &value);
    if (problem != 0)
        return problem;
    while (value.size > 0) {
        int high = lower_hex(next_byte(&value)), low = lower_hex(next_byte(&value));
        if (high < 0 || low < 0)
            return QUERY_NO_TEXT;
        if (size == bytes_max || size == INT_MAX)
            return QUERY_TOO_LONG;
        bytes[size++] = (unsigned char)(high * 16 + low);
    }
    return (int)size;
}

unsigned query_digit(const struct query *query, const char *key) {
    char text[2];
    bool one = query_find(query, key, text, 1) == 1;
    return one && text[0] >= '0' && text[0] <= '9' ? (unsigned)(text[0] - '0') : 0;
}
