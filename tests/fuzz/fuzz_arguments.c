/* echo-chat's query strings: pieces, divided by &, with any bytes, as libwebsockets hands them over. */
#include "echo_chat.h"
#include "target.h"

struct pieces {
    int count;
    wsfan_bytes list[ARGUMENT_BYTES_MAX + 1];
};

static void divide(struct pieces *pieces, const char *at, size_t size) {
    const char *end = at + size;
    pieces->count = 0;
    for (;;) {
        const char *next = at < end ? memchr(at, '&', (size_t)(end - at)) : NULL;
        const char *stop = next != NULL ? next : end;
        pieces->list[pieces->count++] = (wsfan_bytes){ at, (size_t)(stop - at) };
        if (next == NULL)
            return;
        at = next + 1;
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

/* Whether `value` is what the first piece with the key says, which is found here in another way. */
static void check_found(const struct pieces *pieces, const char *key, const char *value, int size) {
    char start[16];
    int start_size = snprintf(start, sizeof start, "%s=", key);
    const wsfan_bytes *bytes = pieces->list;
    const wsfan_bytes *end = bytes + pieces->count;
    while (bytes < end && (bytes->size < (size_t)start_size ||
                           memcmp(bytes->data, start, (size_t)start_size) != 0))
        bytes++;
    CHECK((bytes < end) == (size != ARGUMENT_MISSING));
    if (size >= 0) {
        CHECK(bytes->size == (size_t)(start_size + size));
        CHECK(memcmp((const char *)bytes->data + start_size, value, (size_t)size) == 0);
        CHECK(value[size] == '\0');
    }
}

/* Whether the bytes, written again, are the same text. */
static void check_hex(struct arguments *arguments, const char *key, const char *bytes, int count) {
    static const char digits[] = "0123456789abcdef";
    char text[ARGUMENT_BYTES_MAX + 1];
    CHECK(argument_find(arguments, key, text, ARGUMENT_BYTES_MAX) == 2 * count);
    for (int i = 0; i < count; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        CHECK(text[2 * i] == digits[byte >> 4] && text[2 * i + 1] == digits[byte & 15]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const keys[] = { "chat", "user", "token", "session", "after", "hops" };
    if (size > ARGUMENT_BYTES_MAX)
        return 0; /* libwebsockets refuses it */
    static struct pieces pieces; /* too large for the stack of a sanitizer */
    divide(&pieces, data != NULL ? (const char *)data : "", size);
    struct arguments arguments = { piece, &pieces };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        /* Exactly so large, that a write behind the end is seen. */
        size_t room = i < 2 ? USER_BYTES_MAX : 8 * i;
        char *value = malloc(room + 1);
        CHECK(value != NULL);
        int found = argument_find(&arguments, keys[i], value, room);
        check_found(&pieces, keys[i], value, found);
        int named = argument_name(&arguments, keys[i], value, room);
        CHECK(named < 0 || (named > 0 && (size_t)named <= room && strlen(value) == (size_t)named));
        CHECK(named < 0 || (named == found && utf8_valid(value, (size_t)named)));
        CHECK(argument_digit(&arguments, keys[i]) <= 9);
        int bytes = argument_hex(&arguments, keys[i], (unsigned char *)value, room);
        CHECK(bytes <= (int)room);
        CHECK(found < 0 || bytes < 0 || bytes * 2 == found);
        if (found >= 0 && bytes > 0)
            check_hex(&arguments, keys[i], value, bytes);
        free(value);
    }
    return 0;
}
