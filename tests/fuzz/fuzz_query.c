/* The query strings of the example servers: pieces, divided by & and by ;, with any bytes, as libwebsockets
 * hands them over. */
#include "target.h"
#include "web.h"

#include <wsfan/wsfan.h>

static const char *const keys[] = { "chat", "user", "token", "session", "after", "hops", NULL };

struct pieces {
    int count;
    wsfan_bytes list[ARGUMENT_BYTES_MAX + 1];
};

static void divide(struct pieces *pieces, const char *at, size_t size) {
    const char *end = at + size;
    pieces->count = 0;
    for (;;) {
        const char *stop = at;
        while (stop < end && *stop != '&' && *stop != ';')
            stop++;
        pieces->list[pieces->count++] = (wsfan_bytes){ at, (size_t)(stop - at) };
        if (stop == end)
            return;
        at = stop + 1;
    }
}

/* As lws_hdr_copy_fragment() does. */
static int piece(void *from, int i, char *text, int size) {
    const struct pieces *pieces = from;
    if (i >= pieces->count || pieces->list[i].size >= (size_t)size)
        return -1;
    memcpy(text, pieces->list[i].data, pieces->list[i].size);
    text[pieces->list[i].size] = '\0';
    return (int)pieces->list[i].size;
}

static bool begins(const wsfan_bytes *bytes, const char *key) {
    char start[16];
    int size = snprintf(start, sizeof start, "%s=", key);
    return bytes->size >= (size_t)size && memcmp(bytes->data, start, (size_t)size) == 0;
}

/* What a query string says of a key, found in another way: its only value, as a text with room for all. */
static int expected(const struct pieces *pieces, const char *key, char *value) {
    int size = ARGUMENT_MISSING;
    bool goes_on = false;
    for (int i = 0; i < pieces->count; i++) {
        const wsfan_bytes *bytes = &pieces->list[i];
        size_t skipped = begins(bytes, key) ? strlen(key) + 1 : 0;
        if (skipped > 0) {
            if (size != ARGUMENT_MISSING)
                return ARGUMENT_AMBIGUOUS;
            size = 0;
            goes_on = true;
        } else if (memchr(bytes->data, '=', bytes->size) != NULL) {
            goes_on = false;
        } else if (goes_on && bytes->size == 1 && *(const char *)bytes->data == '/') {
            return ARGUMENT_AMBIGUOUS;
        } else if (goes_on) {
            value[size++] = ';';
        }
        if (goes_on) {
            memcpy(value + size, (const char *)bytes->data + skipped, bytes->size - skipped);
            size += (int)(bytes->size - skipped);
        }
    }
    return size;
}

static bool all_known(const struct pieces *pieces) {
    for (int i = 0; i < pieces->count; i++) {
        bool known = memchr(pieces->list[i].data, '=', pieces->list[i].size) == NULL;
        for (size_t k = 0; keys[k] != NULL; k++)
            known = known || begins(&pieces->list[i], keys[k]);
        if (!known)
            return false;
    }
    return true;
}

/* Whether the bytes, written again, are the same text. */
static void check_hex(const struct arguments *arguments, const char *key, const char *bytes,
                      int count) {
    static const char digits[] = "0123456789abcdef";
    char text[ARGUMENT_BYTES_MAX + 1];
    CHECK(argument_find(arguments, key, text, ARGUMENT_BYTES_MAX) == 2 * count);
    for (int i = 0; i < count; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        CHECK(text[2 * i] == digits[byte >> 4] && text[2 * i + 1] == digits[byte & 15]);
    }
}

/* With room for exactly `room` bytes, so that a write behind the end is seen. */
static void check_key(const struct pieces *pieces, const char *key, size_t room) {
    static char whole[2 * ARGUMENT_BYTES_MAX];
    struct arguments arguments = { piece, (void *)(uintptr_t)pieces, keys };
    char *value = malloc(room + 1);
    CHECK(value != NULL);
    int size = expected(pieces, key, whole);
    int found = argument_find(&arguments, key, value, room);
    CHECK(found == (size > (int)room ? ARGUMENT_TOO_LONG : size));
    CHECK(found < 0 || (memcmp(value, whole, (size_t)found) == 0 && value[found] == '\0'));
    int named = argument_name(&arguments, key, value, room);
    CHECK(named < 0 || (named > 0 && named == found && strlen(value) == (size_t)named));
    CHECK(named < 0 || (utf8_valid(value, (size_t)named) && all_known(pieces)));
    CHECK(argument_digit(&arguments, key) <= 9);
    int bytes = argument_hex(&arguments, key, (unsigned char *)value, room);
    CHECK(bytes <= (int)room);
    CHECK(found < 0 || bytes < 0 || bytes * 2 == found);
    if (found >= 0 && bytes > 0)
        check_hex(&arguments, key, value, bytes);
    free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct pieces pieces; /* too large for the stack of a sanitizer */
    if (size > ARGUMENT_BYTES_MAX)
        return 0; /* libwebsockets refuses it */
    divide(&pieces, data != NULL ? (const char *)data : "", size);
    for (size_t i = 0; keys[i] != NULL; i++)
        check_key(&pieces, keys[i], i < 2 ? 64 : 8 * i);
    return 0;
}
