/* text.c - UTF-8, and JSON whose strings C can keep whole. */
#include "web.h"

size_t utf8_size(const char *text, size_t size) {
    const unsigned char *bytes = (const unsigned char *)text;
    unsigned char first = bytes[0];
    if (first < 0x80)
        return 1;
    size_t count = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    if (count == 0 || count > size)
        return 0;
    unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;  /* no overlong form */
    unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF; /* no surrogate */
    if (bytes[1] < low || bytes[1] > high)
        return 0;
    for (size_t i = 2; i < count; i++)
        if (bytes[i] < 0x80 || bytes[i] > 0xBF)
            return 0;
    return count;
}

bool utf8_valid(const char *text, size_t size) {
    while (size > 0) {
        size_t count = utf8_size(text, size);
        if (count == 0)
            return false;
        text += count;
        size -= count;
    }
    return true;
}

/* A lone surrogate, as in "\\ud800", has no code of its own among jansson's errors, only a text. */
json_t *web_json(const char *text, size_t size, unsigned *status) {
    json_error_t error;
    json_t *value = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (value != NULL)
        return value;
    enum json_error_code code = json_error_code(&error);
    bool kept = code != json_error_invalid_utf8 && code != json_error_null_character &&
                code != json_error_null_byte_in_key && code != json_error_duplicate_key &&
                strncmp(error.text, "invalid Unicode", sizeof "invalid Unicode" - 1) != 0;
    *status = kept ? HTTP_STATUS_BAD_REQUEST : 422;
    return NULL;
}
