/* writer.c - writes JSON text; never anything that is no JSON, whatever the strings hold. */
#include "echo_chat.h"

#include <stdio.h>
#include <stdlib.h>

static bool reserve(struct writer *json, size_t more) {
    size_t needed = json->size + more;
    if (json->failed || needed <= json->capacity)
        return !json->failed;
    size_t capacity = json->capacity == 0 ? 512 : json->capacity; /* a message of some words */
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

void writer_literal(struct writer *json, const char *text) {
    writer_raw(json, text, strlen(text));
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

/* Not 0: one of eight bytes is below `byte`, or equal to it. None is above 0x7F, so without a hit there is no borrow. */
static const uint64_t ones = UINT64_C(0x0101010101010101), high_bits = UINT64_C(0x8080808080808080);

static uint64_t below(uint64_t bytes, unsigned char byte) {
    return (bytes - ones * byte) & high_bits;
}

static uint64_t equal(uint64_t bytes, unsigned char byte) {
    return below(bytes ^ ones * byte, 1);
}

static bool is_plain(unsigned char byte) {
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

size_t writer_plain_size(const char *text, size_t size) {
    uint64_t bytes;
    size_t i = 0;
    for (; size - i >= sizeof bytes; i += sizeof bytes) {
        memcpy(&bytes, text + i, sizeof bytes);
        if ((bytes & high_bits) != 0 ||
            (below(bytes, 0x20) | equal(bytes, '"') | equal(bytes, '\\')) != 0)
            break;
    }
    while (i < size && is_plain((unsigned char)text[i]))
        i++;
    return i;
}

/* One character, and what stands for it. Returns its size. */
static size_t write_character(struct writer *json, const char *text, size_t size) {
    size_t count = utf8_size(text, size);
    if (count == 0)
        writer_literal(json, "\xEF\xBF\xBD");
    else if (*text == '"' || *text == '\\')
        writer_format(json, "\\%c", *text);
    else if ((unsigned char)*text < 0x20)
        writer_format(json, "\\u%04x", (unsigned)*text);
    else
        writer_raw(json, text, count);
    return count == 0 ? 1 : count;
}

void writer_string_sized(struct writer *json, const char *text, size_t size) {
    writer_raw(json, "\"", 1);
    while (size > 0) {
        size_t count = writer_plain_size(text, size);
        if (count > 0)
            writer_raw(json, text, count);
        else
            count = write_character(json, text, size);
        text += count;
        size -= count;
    }
    writer_raw(json, "\"", 1);
}

void writer_string(struct writer *json, const char *text) {
    writer_string_sized(json, text, strlen(text));
}

static void write_hex(char text[16], uint64_t number) {
    for (unsigned i = 0; i < 16; i++)
        text[i] = "0123456789abcdef"[number >> (60 - 4 * i) & 15];
}

void writer_id(char text[ID_BYTES + 1], uint64_t first, uint64_t second) {
    write_hex(text, first);
    text[16] = '-';
    write_hex(text + 17, second);
    text[ID_BYTES] = '\0';
}
