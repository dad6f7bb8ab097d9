/* echo-chat's query strings: pieces, divided by &, with any bytes, as libwebsockets hands them over. */
#include "echo_chat.h"
#include "target.h"

static const wsfan_bytes *piece_bytes(const void *from, int i, wsfan_bytes *piece) {
    const wsfan_bytes *all = from;
    const char *at = all->data, *end = at + all->size;
    for (;; i--) {
        const char *next = at < end ? memchr(at, '&', (size_t)(end - at)) : NULL;
        *piece = (wsfan_bytes){ at, (size_t)((next != NULL ? next : end) - at) };
        if (i == 0)
            return piece;
        if (next == NULL)
            return NULL;
        at = next + 1;
    }
}

/* As lws_hdr_copy_fragment() does. */
static int piece(void *from, int i, char *text, int size) {
    wsfan_bytes bytes;
    if (piece_bytes(from, i, &bytes) == NULL || bytes.size >= (size_t)size)
        return -1;
    memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = '\0';
    return (int)bytes.size;
}

/* Whether `value` is what the first piece with the key says, which is found here in another way. */
static void check_found(const wsfan_bytes *all, const char *key, const char *value, int size) {
    char start[16];
    int start_size = snprintf(start, sizeof start, "%s=", key);
    wsfan_bytes bytes;
    int i = 0;
    while (piece_bytes(all, i, &bytes) != NULL &&
           (bytes.size < (size_t)start_size || memcmp(bytes.data, start, (size_t)start_size) != 0))
        i++;
    bool found = piece_bytes(all, i, &bytes) != NULL;
    CHECK(found == (size != ARGUMENT_MISSING));
    if (size >= 0) {
        CHECK(bytes.size == (size_t)(start_size + size));
        CHECK(memcmp((const char *)bytes.data + start_size, value, (size_t)size) == 0);
        CHECK(value[size] == '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const keys[] = { "chat", "user", "token", "session", "after", "hops" };
    if (size > ARGUMENT_BYTES_MAX)
        return 0; /* libwebsockets refuses it */
    wsfan_bytes all = { data != NULL ? (const char *)data : "", size };
    struct arguments arguments = { piece, &all };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        /* Exactly so large, that a write behind the end is seen. */
        size_t room = i < 2 ? USER_BYTES_MAX : 8 * i;
        char *value = malloc(room + 1);
        CHECK(value != NULL);
        int found = argument_find(&arguments, keys[i], value, room);
        check_found(&all, keys[i], value, found);
        int named = argument_name(&arguments, keys[i], value, room);
        CHECK(named < 0 || (named > 0 && (size_t)named <= room && strlen(value) == (size_t)named));
        CHECK(named < 0 || (named == found && utf8_valid(value, (size_t)named)));
        CHECK(argument_digit(&arguments, keys[i]) <= 9);
        int bytes = argument_hex(&arguments, keys[i], (unsigned char *)value, room);
        CHECK(bytes <= (int)room);
        CHECK(found < 0 || bytes < 0 || bytes * 2 == found);
        for (int j = 0; found >= 0 && j < bytes; j++) { /* written again it is the same */
            char pair[3], text[ARGUMENT_BYTES_MAX + 1];
            snprintf(pair, sizeof pair, "%02x", (unsigned char)value[j]);
            CHECK(argument_find(&arguments, keys[i], text, ARGUMENT_BYTES_MAX) == found);
            CHECK(memcmp(text + (size_t)(2 * j), pair, 2) == 0);
        }
        free(value);
    }
    return 0;
}
