/* arguments.c - the arguments of a URL. libwebsockets takes a query string apart and decodes each piece; what
 * is made of the pieces is here, and knows nothing of it, so that it can be given any bytes: zeros,
 * no "=", no UTF-8. */
#include "web.h"

/* Whether the piece is KEY=... */
static bool has_key(const char *piece, int size, const char *key) {
    size_t key_size = strlen(key);
    return size > (int)key_size && memcmp(piece, key, key_size) == 0 && piece[key_size] == '=';
}

struct value {
    char *text; /* with room for bytes_max, and a NUL */
    size_t size;
    size_t bytes_max;
    bool too_long;
};

static void append(struct value *value, const char *text, size_t size) {
    value->too_long = value->too_long || size > value->bytes_max - value->size;
    if (value->too_long)
        return;
    memcpy(value->text + value->size, text, size);
    value->size += size;
}

/* Appends ';' and each piece without a key that follows piece i. Returns the whole size, or a problem. */
static int append_rest(const struct arguments *arguments, int i, struct value *value) {
    char piece[ARGUMENT_BYTES_MAX + 1];
    for (;;) {
        int got = arguments->piece(arguments->from, ++i, piece, sizeof piece);
        if (got < 0 || memchr(piece, '=', (size_t)got) != NULL)
            break;
        if (got == 1 && piece[0] == '/')
            return ARGUMENT_AMBIGUOUS; /* what libwebsockets makes of "&" or ";" at the end */
        append(value, ";", 1);
        append(value, piece, (size_t)got);
    }
    if (value->too_long)
        return ARGUMENT_TOO_LONG;
    value->text[value->size] = '\0';
    return (int)value->size;
}

int argument_find(const struct arguments *arguments, const char *key, char *text,
                  size_t bytes_max) {
    char piece[ARGUMENT_BYTES_MAX + 1];
    size_t start = strlen(key) + 1;
    int found = ARGUMENT_MISSING;
    int got = 0;
    for (int i = 0; got >= 0; i++) {
        struct value value = { .text = text, .bytes_max = bytes_max };
        got = arguments->piece(arguments->from, i, piece, sizeof piece);
        if (!has_key(piece, got, key))
            continue;
        if (found != ARGUMENT_MISSING)
            return ARGUMENT_AMBIGUOUS;
        append(&value, piece + start, (size_t)got - start);
        found = append_rest(arguments, i, &value);
    }
    return found;
}

/* Whether each piece that has a key has one that the server knows. */
static bool all_known(const struct arguments *arguments) {
    char piece[ARGUMENT_BYTES_MAX + 1];
    int got = 0;
    for (int i = 0; got >= 0; i++) {
        got = arguments->piece(arguments->from, i, piece, sizeof piece);
        bool known = got < 0 || memchr(piece, '=', (size_t)got) == NULL;
        for (const char *const *key = arguments->keys; !known && *key != NULL; key++)
            known = has_key(piece, got, *key);
        if (!known)
            return false;
    }
    return true;
}

int argument_name(const struct arguments *arguments, const char *key, char *name,
                  size_t bytes_max) {
    int size = argument_find(arguments, key, name, bytes_max);
    if (size <= 0)
        return size == 0 ? ARGUMENT_MISSING : size;
    if (!utf8_valid(name, (size_t)size) || memchr(name, '\0', (size_t)size) != NULL)
        return ARGUMENT_NO_TEXT;
    return all_known(arguments) ? size : ARGUMENT_AMBIGUOUS;
}

static int digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int argument_hex(const struct arguments *arguments, const char *key, unsigned char *bytes,
                 size_t bytes_max) {
    char text[ARGUMENT_BYTES_MAX + 1];
    int size = argument_find(arguments, key, text, ARGUMENT_BYTES_MAX);
    if (size < 0)
        return size;
    if (size % 2 != 0)
        return ARGUMENT_NO_TEXT;
    if ((size_t)size / 2 > bytes_max)
        return ARGUMENT_TOO_LONG;
    for (int i = 0; i < size / 2; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return ARGUMENT_NO_TEXT;
        bytes[i] = (unsigned char)(high * 16 + low);
    }
    return size / 2;
}

unsigned argument_digit(const struct arguments *arguments, const char *key) {
    char text[2];
    bool one = argument_find(arguments, key, text, 1) == 1;
    return one && text[0] >= '0' && text[0] <= '9' ? (unsigned)(text[0] - '0') : 0;
}
