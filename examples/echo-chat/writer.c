/* writer.c - writes JSON text; never anything that is no JSON, whatever the strings hold. */
#include "echo_chat.h"

#include <stdio.h>
#include <stdlib.h>

static bool reserve(struct writer *json, size_t more) {
    size_t needed = json->size + more;
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

void writer_raw(struct writer *json, const char *text, size_t size) {
    if (!reserve(json, size))
        return;
    memcpy(json->data + json->size, text, size);
    json->size += size;
}

void writer_free(struct writer *json) {
    free(json->data);
    memset(json, 0, sizeof *json);
}

wsfan_bytes writer_text(const struct writer *json) {
    return (wsfan_bytes){ json->data, json->size };
}

void writer_format(struct writer *json, const char *format, ...) {
    char text[256]; /* only for pieces of known size; strings go through writer_string() */
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= sizeof text)
        json->failed = true;
    else
        writer_raw(json, text, (size_t)size);
}

void writer_string_sized(struct writer *json, const char *text, size_t size) {
    writer_raw(json, "\"", 1);
    while (size > 0) {
        size_t count = utf8_size(text, size);
        if (count == 0) {
            writer_raw(json, "\xEF\xBF\xBD", 3);
            count = 1;
        } else if (*text == '"' || *text == '\\')
            writer_format(json, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            writer_format(json, "\\u%04x", (unsigned)*text);
        else
            writer_raw(json, text, count);
        text += count;
        size -= count;
    }
    writer_raw(json, "\"", 1);
}

void writer_string(struct writer *json, const char *text) {
    writer_string_sized(json, text, strlen(text));
}
