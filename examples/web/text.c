/* text.c - JSON whose strings C can keep whole. */
#include "web.h"

#include <string.h>

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
    *status = kept ? 400 : 422;
    return NULL;
}
