/* json.c - writes JSON text; never anything that is no JSON, whatever the strings hold. */
#include "echo_chat.h"

#include <stdio.h>
#include <stdlib.h>

static bool reserve(struct json *json, size_t more) {
    size_t needed = LWS_PRE + json->size + more;
    if (json->failed || needed <= json->capacity)
        return !json->failed;
    size_t capacity = json->capacity == 0 ? 256 : json->capacity;
    while (capacity < needed)
        capacity *= 2;
    char *data = realloc(json->data, capacity);
    if (data == NULL) {
        json->failed = true;
        return false;
    }
    json->data = data;
    json->capacity = capacity;
    return true;
}

void json_raw(struct json *json, const char *text, size_t size) {
    if (!reserve(json, size))
        return;
    memcpy(json->data + LWS_PRE + json->size, text, size);
    json->size += size;
}

void json_free(struct json *json) {
    free(json->data);
    memset(json, 0, sizeof *json);
}

wsfan_bytes json_text(const struct json *json) {
    wsfan_bytes text = { json->data == NULL ? NULL : json->data + LWS_PRE, json->size };
    return text;
}

void json_format(struct json *json, const char *format, ...) {
    char text[256]; /* only for pieces of known size; strings go through json_string() */
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= sizeof text)
        json->failed = true;
    else
        json_raw(json, text, (size_t)size);
}

/* The size of the UTF-8 character at `text`, 0 where there is none (RFC 3629, section 4). */
static size_t utf8_size(const unsigned char *text, size_t size) {
    unsigned char first = text[0];
    if (first < 0x80)
        return 1;
    size_t count = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    if (count == 0 || count > size)
        return 0;
    unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;  /* no overlong form */
    unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF; /* no surrogate */
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < count; i++)
        if (text[i] < 0x80 || text[i] > 0xBF)
            return 0;
    return count;
}

bool utf8_valid(const char *text, size_t size) {
    while (size > 0) {
        size_t count = utf8_size((const unsigned char *)text, size);
        if (count == 0)
            return false;
        text += count;
        size -= count;
    }
    return true;
}

void json_string_sized(struct json *json, const char *text, size_t size) {
    json_raw(json, "\"", 1);
    while (size > 0) {
        size_t count = utf8_size((const unsigned char *)text, size);
        if (count == 0) {
            json_raw(json, "\xEF\xBF\xBD", 3);
            count = 1;
        } else if (*text == '"' || *text == '\\')
            json_format(json, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            json_format(json, "\\u%04x", (unsigned)*text);
        else
            json_raw(json, text, count);
        text += count;
        size -= count;
    }
    json_raw(json, "\"", 1);
}

void json_string(struct json *json, const char *text) {
    json_string_sized(json, text, strlen(text));
}
