/* target.c - the target of a request: its forms, its path (RFC 9112, section 3.2; RFC 3986). */
#include "target.h"

#include <string.h>
#include <strings.h>

#include "utf8.h"

static bool all_chars(struct slice text) {
    for (size_t i = 0; i < text.size; i++)
        if (!target_is_char((unsigned char)text.data[i]))
            return false;
    return true;
}

/* path-absolute or nothing, and the query behind it. */
static bool read_path(struct target *target, struct slice text) {
    const char *mark = text.size > 0 ? memchr(text.data, '?', text.size) : NULL;
    target->path = text;
    if (mark != NULL) {
        target->path.size = (size_t)(mark - text.data);
        target->query = (struct slice){ mark + 1, text.size - target->path.size - 1 };
    }
    return target->path.size == 0 || memchr(target->path.data, '\\', target->path.size) == NULL;
}

/* "http://HOST[:PORT]" and a path (RFC 9112, section 3.2.2; RFC 9110, sections 4.2.1, 4.2.2 and 4.2.4). */
static bool read_absolute(struct target *target, struct slice text) {
    static const char http[] = "http://", https[] = "https://";
    size_t scheme = text.size >= sizeof http && strncasecmp(text.data, http, sizeof http - 1) == 0
                        ? sizeof http - 1
                    : text.size >= sizeof https &&
                            strncasecmp(text.data, https, sizeof https - 1) == 0
                        ? sizeof https - 1
                        : 0;
    if (scheme == 0)
        return false;
    struct slice rest = { text.data + scheme, text.size - scheme };
    size_t size = 0;
    while (size < rest.size && rest.data[size] != '/' && rest.data[size] != '?')
        size++;
    target->form = TARGET_ABSOLUTE;
    target->authority = (struct slice){ rest.data, size };
    return size > 0 && rest.data[0] != ':' && syntax_is_authority(target->authority) &&
           read_path(target, (struct slice){ rest.data + size, rest.size - size });
}

bool target_read(struct target *target, struct slice text) {
    memset(target, 0, sizeof *target);
    if (!all_chars(text) || text.size == 0)
        return false;
    if (text.data[0] == '/')
        return read_path(target, text); /* RFC 9112, section 3.2.1 */
    if (text.data[0] != '*')
        return read_absolute(target, text);
    target->form = TARGET_ASTERISK; /* RFC 9112, section 3.2.4 */
    target->path = text;
    return text.size == 1;
}

/* --------------------------------------------------------------------------------------- path */

/* Decodes once (RFC 3986, section 2.4). Returns the size, or -1. */
static int decode(struct slice text, char *path, size_t bytes_max) {
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '%') {
            int high = text.size - i > 2 ? syntax_hex((unsigned char)text.data[i + 1]) : -1;
            int low = text.size - i > 2 ? syntax_hex((unsigned char)text.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                return -1;
            c = (char)(high * 16 + low);
            i += 2;
            if (c == '\0' || c == '/')
                return -1;
        }
        if (size == bytes_max)
            return -1;
        path[size++] = c;
    }
    return utf8_valid(path, size) ? (int)size : -1;
}

static bool is_dots(const char *segment, size_t size, size_t dots) {
    return size == dots + 1 && memcmp(segment, "/..", dots + 1) == 0;
}

/* Takes the dot segments out (RFC 3986, section 5.2.4), in place: what is written is never ahead of what is read.
 * The path begins with '/'. Returns the new size. */
static size_t remove_dots(char *path, size_t size) {
    size_t written = 0;
    for (size_t i = 0; i < size;) {
        const char *end = memchr(path + i + 1, '/', size - i - 1);
        size_t segment = end != NULL ? (size_t)(end - path) - i : size - i;
        bool one = is_dots(path + i, segment, 1), two = is_dots(path + i, segment, 2);
        if (two && written > 0)
            do
                written--;
            while (path[written] != '/');
        if (!one && !two) {
            memmove(path + written, path + i, segment);
            written += segment;
        } else if (end == NULL) {
            path[written++] = '/'; /* "/a/.." is "/", "/a/." is "/a/" */
        }
        i += segment;
    }
    return written;
}

int target_path(const struct target *target, char *path, size_t bytes_max) {
    struct slice text = target->path.size > 0 ? target->path : slice_of("/");
    int size = decode(text, path, bytes_max);
    if (size < 0)
        return -1;
    if (target->form != TARGET_ASTERISK)
        size = (int)remove_dots(path, (size_t)size);
    path[size] = '\0';
    return size;
}
