/* object.c - whether a text is a JSON object without an id or a position (RFC 8259), read once and not built.
 *
 * Every message of the mesh is looked at so, before it becomes a frame. It says yes only where it is sure: the rest,
 * such as no member at all, keys with escapes, surrogates, fractions, and what is nested deeply, is left to a reader that knows all of
 * JSON. The text is UTF-8 as a whole, so a byte above 0x7F is of a character, and no string ends within one. */
#include "echo_chat.h"

enum { DEPTH_MAX = 8, DIGITS_MAX = 15 };

struct scan {
    const char *at, *end;
};

static bool take_value(struct scan *scan, unsigned depth);

/* The next byte that is no white space; '\0', which JSON has nowhere: there is none. */
static char peek(struct scan *scan) {
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r'))
        scan->at++;
    if (scan->at == scan->end)
        return '\0';
    return *scan->at;
}

static char take(struct scan *scan) {
    char byte = peek(scan);
    if (byte != '\0')
        scan->at++;
    return byte;
}

/* Behind the backslash. */
static bool take_escape(struct scan *scan) {
    size_t left = (size_t)(scan->end - scan->at);
    if (left > 0 && *scan->at != '\0' && strchr("\"\\/bfnrt", *scan->at) != NULL) {
        scan->at++;
        return true;
    }
    if (left < 5 || *scan->at != 'u' || scan->at[1] == 'd' || scan->at[1] == 'D')
        return false; /* 'd': of a surrogate, as a rule */
    for (unsigned i = 1; i < 5; i++)
        if (syntax_hex((unsigned char)scan->at[i]) < 0)
            return false;
    scan->at += 5;
    return true;
}

/* Behind the first quote, and then behind the last. */
static bool take_string(struct scan *scan) {
    while (scan->at < scan->end) {
        scan->at += writer_plain_size(scan->at, (size_t)(scan->end - scan->at));
        if (scan->at == scan->end)
            break;
        unsigned char byte = (unsigned char)*scan->at++;
        if (byte == '"')
            return true;
        if (byte < 0x20 || (byte == '\\' && !take_escape(scan)))
            return false;
    }
    return false;
}

/* Of those that frame.c puts before the members. */
static bool is_stamped(const char *key, size_t size) {
    return (size == 2 && memcmp(key, "id", 2) == 0) ||
           (size == 8 && (memcmp(key, "position", 8) == 0 || memcmp(key, "replayed", 8) == 0));
}

static bool take_key(struct scan *scan, unsigned depth) {
    if (take(scan) != '"')
        return false;
    const char *key = scan->at;
    if (!take_string(scan))
        return false;
    size_t size = (size_t)(scan->at - key) - 1;
    bool stamped = depth == 1 && is_stamped(key, size);
    return !stamped && (size == 0 || memchr(key, '\\', size) == NULL) && take(scan) == ':';
}

static bool take_integer(struct scan *scan) {
    if (*scan->at == '-')
        scan->at++;
    const char *first = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    ptrdiff_t count = scan->at - first;
    return count == 1 || (count > 1 && count <= DIGITS_MAX && *first != '0');
}

static bool take_word(struct scan *scan, const char *word) {
    size_t size = strlen(word);
    if ((size_t)(scan->end - scan->at) < size || memcmp(scan->at, word, size) != 0)
        return false;
    scan->at += size;
    return true;
}

/* An object or an array, behind its first bracket, and then behind its last. */
static bool take_members(struct scan *scan, char last, unsigned depth) {
    char byte;
    if (peek(scan) == last)
        return take(scan) == last;
    do {
        if (last == '}' && !take_key(scan, depth))
            return false;
        if (!take_value(scan, depth))
            return false;
        byte = take(scan);
    } while (byte == ',');
    return byte == last;
}

static bool take_value(struct scan *scan, unsigned depth) {
    switch (peek(scan)) {
    case '{':
    case '[':
        return depth < DEPTH_MAX && take_members(scan, take(scan) == '{' ? '}' : ']', depth + 1);
    case '"':
        scan->at++;
        return take_string(scan);
    case 't':
        return take_word(scan, "true");
    case 'f':
        return take_word(scan, "false");
    case 'n':
        return take_word(scan, "null");
    case '\0':
        return false;
    default:
        return take_integer(scan);
    }
}

bool object_has_members(const char *text, size_t size, struct slice *members) {
    struct scan scan = { text, text + size };
    if (take(&scan) != '{')
        return false;
    const char *first = scan.at;
    if (peek(&scan) == '}' || !take_members(&scan, '}', 1) || peek(&scan) != '\0' ||
        scan.at != scan.end)
        return false;
    *members = (struct slice){ first, (size_t)(scan.end - first) };
    return true;
}
