/* arguments.c - what the query string of a URL says. libwebsockets takes it apart at & and decodes each
 * piece; what is made of the pieces is here, and knows nothing of it, so that it can be given any
 * bytes: zeros, no "=", no UTF-8. The first piece with a key counts. */
#include "echo_chat.h"

int argument_find(const struct arguments *arguments, const char *key, char *value,
                  size_t bytes_max) {
    char piece[ARGUMENT_BYTES_MAX + 1];
    size_t key_size = strlen(key);
    int got = 0;
    for (int i = 0; got >= 0; i++) {
        got = arguments->piece(arguments->from, i, piece, sizeof piece);
        if (got <= (int)key_size || memcmp(piece, key, key_size) != 0 || piece[key_size] != '=')
            continue;
        size_t size = (size_t)got - key_size - 1;
        if (size > bytes_max)
            return ARGUMENT_TOO_LONG;
        memcpy(value, piece + key_size + 1, size);
        value[size] = '\0';
        return (int)size;
    }
    return ARGUMENT_MISSING;
}

int argument_name(const struct arguments *arguments, const char *key, char *name,
                  size_t bytes_max) {
    int size = argument_find(arguments, key, name, bytes_max);
    if (size <= 0)
        return size == 0 ? ARGUMENT_MISSING : size;
    if (!utf8_valid(name, (size_t)size) || memchr(name, '\0', (size_t)size) != NULL)
        return ARGUMENT_NO_TEXT;
    return size;
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
