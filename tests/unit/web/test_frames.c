#include "frames.h"

#include <stdio.h>
#include <string.h>

#include "suite.h"

/* A case is written as words, each a frame of a client: its first byte in hexadecimal digits and its payload,
 *   81:hello   as text ('_' is a space)
 *   81#c3a9    in hexadecimal digits
 *   81*200     so many letters a
 * before it perhaps "n" (not masked), "2" (its size in two bytes, if need be or not), "8" (in eight). "=81ff": raw bytes.
 * What is read is written as words, too: T, B, P (ping), O (pong) with the payload, C with code and reason, E with a
 * code. Payloads of more than 40 bytes are given by their size. */
enum { BYTES_MAX = 200 * 1024, MESSAGE_MAX = 70000, SHORT = 40 };

struct example {
    const char *section; /* of RFC 6455 */
    const char *frames;
    const char *events;
};

static const struct example examples[] = {
    { "5.7 a text", "81:Hello", "T:Hello" },
    { "5.7 fragments", "01:Hel 80:lo", "T:Hello" },
    { "5.7 a ping", "89:Hello", "P:Hello" },
    { "5.7 256 bytes", "82*256", "B*256" },
    { "5.7 65536 bytes", "82*65536", "B*65536" },
    { "5.2 nothing", "81: 82:", "T: B:" },
    { "5.2 125, 126 and 127 bytes", "81*125 81*126 81*127", "T*125 T*126 T*127" },
    { "5.2 65535 bytes", "82*65535", "B*65535" },
    { "5.2 the shortest form: 125 in 2 bytes", "281*125", "E1002" },
    { "5.2 the shortest form: 0 in 2 bytes", "282:", "E1002" },
    { "5.2 the shortest form: 126 in 8 bytes", "881*126", "E1002" },
    { "5.2 the shortest form: 65535 in 8 bytes", "881*65535", "E1002" },
    { "5.2 the highest bit of 64", "=81ff8000000000000000", "E1002" },
    { "5.2 a reserved bit, 1", "c1:x", "E1002" },
    { "5.2 a reserved bit, 2", "a1:x", "E1002" },
    { "5.2 a reserved bit, 3", "91:x", "E1002" },
    { "5.2 a reserved bit of a control frame", "c9:x", "E1002" },
    { "5.2 a reserved bit of a close frame", "98#03e8", "E1002" },
    { "5.2 a reserved bit of a continuation", "01:x c0:y", "E1002" },
    { "5.2 opcode 3", "83:x", "E1002" },
    { "5.2 opcode 4", "84:x", "E1002" },
    { "5.2 opcode 5", "85:x", "E1002" },
    { "5.2 opcode 6", "86:x", "E1002" },
    { "5.2 opcode 7", "87:x", "E1002" },
    { "5.2 opcode 11", "8b:x", "E1002" },
    { "5.2 opcode 12", "8c:x", "E1002" },
    { "5.2 opcode 13", "8d:x", "E1002" },
    { "5.2 opcode 14", "8e:x", "E1002" },
    { "5.2 opcode 15", "8f:x", "E1002" },
    { "5.2 an opcode that is reserved, within a message", "01:x 83:y", "E1002" },
    { "5.2 the same without FIN", "03:x", "E1002" },
    { "5.2 nothing behind an error", "81:a 83:x 81:b 89:c", "T:a E1002" },
    { "5.2 the first byte is enough", "=c1", "E1002" },
    { "5.1 not masked", "n81:x", "E1002" },
    { "5.1 not masked, empty", "n81:", "E1002" },
    { "5.1 not masked, a ping", "n89:x", "E1002" },
    { "5.1 not masked, a close", "n88#03e8", "E1002" },
    { "5.1 two bytes are enough", "=8101", "E1002" },
    { "5.3 a mask of zeros", "=82840000000001020304", "B#01020304" },
    { "5.3 another mask for each frame", "=818101020304608181a0b0c0d0c1", "T:a T:a" },
    { "5.4 empty fragments", "01: 00: 80:", "T:" },
    { "5.4 text between empty fragments", "01: 00:mid 80:", "T:mid" },
    { "5.4 text in the last fragment", "01: 00: 80:end", "T:end" },
    { "5.4 text in the first fragment", "01:begin 00: 80:", "T:begin" },
    { "5.4 binary fragments", "02#00ff 00#01 80#fe", "B#00ff01fe" },
    { "5.4 many fragments", "01:a 00:b 00:c 00:d 00:e 00:f 00:g 80:h", "T:abcdefgh" },
    { "5.4 one message behind another", "01:a 80:b 02:c 80:d 81:e", "T:ab B:cd T:e" },
    { "5.4 large fragments", "01*300 00*300 80*300", "T*900" },
    { "5.4 a ping between fragments", "01:ab 89:p 80:cd", "P:p T:abcd" },
    { "5.4 pings and a pong between fragments", "01:a 89:p 00:b 8a:q 89: 80:c",
      "P:p O:q P: T:abc" },
    { "5.4 a close between fragments", "01:a 88#03e8 80:b", "C1000:" },
    { "5.4 a continuation first", "80:x", "E1002" },
    { "5.4 a continuation first, without FIN", "00:x", "E1002" },
    { "5.4 a continuation behind the end", "01:a 80:b 80:c", "T:ab E1002" },
    { "5.4 a continuation behind a whole message", "81:a 80:c", "T:a E1002" },
    { "5.4 a continuation behind a ping", "89:a 80:c", "P:a E1002" },
    { "5.4 a text within a text", "01:a 81:b", "E1002" },
    { "5.4 a text within an empty text", "01: 81:b", "E1002" },
    { "5.4 a fragment of a text within a text", "01:a 01:b", "E1002" },
    { "5.4 a binary within a text", "01:a 82:b", "E1002" },
    { "5.4 a text within a binary", "02:a 81:b", "E1002" },
    { "5.5 a ping of 125 bytes", "89*125", "P*125" },
    { "5.5 a ping of 126 bytes", "89*126", "E1002" },
    { "5.5 a pong of 126 bytes", "8a*126", "E1002" },
    { "5.5 a close of 126 bytes", "88*126", "E1002" },
    { "5.5 a ping with its size in 8 bytes", "889*3", "E1002" },
    { "5.5 a fragmented ping", "09:a 80:b", "E1002" },
    { "5.5 a fragmented pong", "0a:a", "E1002" },
    { "5.5 a fragmented close", "08#03e8", "E1002" },
    { "5.5.2 every ping is told", "89:1 89:2 89: 89:3", "P:1 P:2 P: P:3" },
    { "5.5.2 any bytes", "89#00ff80c0", "P#00ff80c0" },
    { "5.5.3 pongs that nobody asked for", "8a: 8a:x 81:y", "O: O:x T:y" },
    { "5.5.1 a close without a code", "88:", "C1005:" },
    { "5.5.1 a close with a code", "88#03e8", "C1000:" },
    { "5.5.1 a close with a reason", "88#03e8627965", "C1000:bye" },
    { "5.5.1 half a code", "88#03", "E1002" },
    { "5.5.1 half a code, before it comes", "=8881", "E1002" },
    { "5.5.1 a reason with a character beyond ASCII", "88#03e8c3a9", "C1000#c3a9" },
    { "5.5.1 a reason that is not UTF-8", "88#03e8ff", "E1007" },
    { "5.5.1 a reason that ends within a character", "88#03e861c3", "E1007" },
    { "5.5.1 nothing behind a close", "81:a 88#03e8 81:b 89:c 88#03e9", "T:a C1000:" },
    { "5.5.1 no error behind a close", "88: 83:x n81:y", "C1005:" },
    { "7.4 code 0", "88#0000", "E1002" },
    { "7.4 code 999", "88#03e7", "E1002" },
    { "7.4 a bad code before a bad reason", "88#03e7ff", "E1002" },
    { "7.4.1 1001", "88#03e9", "C1001:" },
    { "7.4.1 1002", "88#03ea", "C1002:" },
    { "7.4.1 1003", "88#03eb", "C1003:" },
    { "7.4.1 1004 is reserved", "88#03ec", "E1002" },
    { "7.4.1 1005 is never sent", "88#03ed", "E1002" },
    { "7.4.1 1006 is never sent", "88#03ee", "E1002" },
    { "7.4.1 1007", "88#03ef", "C1007:" },
    { "7.4.1 1011", "88#03f3", "C1011:" },
    { "7.4.2 1012 (IANA)", "88#03f4", "C1012:" },
    { "7.4.2 1013 (IANA)", "88#03f5", "C1013:" },
    { "7.4.2 1014 (IANA)", "88#03f6", "C1014:" },
    { "7.4.1 1015 is never sent", "88#03f7", "E1002" },
    { "7.4.2 1016", "88#03f8", "E1002" },
    { "7.4.2 2000", "88#07d0", "E1002" },
    { "7.4.2 2999", "88#0bb7", "E1002" },
    { "7.4.2 3000", "88#0bb8", "C3000:" },
    { "7.4.2 3999", "88#0f9f", "C3999:" },
    { "7.4.2 4000", "88#0fa0", "C4000:" },
    { "7.4.2 4999", "88#1387", "C4999:" },
    { "7.4.2 5000", "88#1388", "E1002" },
    { "7.4.2 65535", "88#ffff", "E1002" },
    { "8.1 a text beyond ASCII", "81#c3a9f09fa68a", "T#c3a9f09fa68a" },
    { "8.1 a character over two fragments", "01#f09f 80#a68a", "T#f09fa68a" },
    { "8.1 a character byte by byte", "01#f0 00#9f 89:p 00#a6 80#8a", "P:p T#f09fa68a" },
    { "8.1 not UTF-8", "81#61ff62", "E1007" },
    { "8.1 a surrogate", "81#eda080", "E1007" },
    { "8.1 overlong", "81#c080", "E1007" },
    { "8.1 above U+10FFFF", "81#f4908080", "E1007" },
    { "8.1 a text that ends within a character", "81#61c3", "E1007" },
    { "8.1 fragments that end within a character", "01#61 80#c3", "E1007" },
    { "8.1 the same, with an empty last one", "01#61c3 80:", "E1007" },
    { "8.1 not UTF-8 over two fragments", "01#c3 80#28", "E1007" },
    { "8.1 not UTF-8, before the end is there", "01#ff 00:b", "E1007" },
    { "8.1 the same within a frame", "=81850000000061ff", "E1007" },
    { "8.1 not UTF-8 before what is no frame", "01#ff 83:b", "E1007" },
    { "8.1 a binary need not be text", "82#ffc3 02#ff 80#c3", "B#ffc3 B#ffc3" },
    { "8.1 a text behind a binary that is none", "82#c3 81:a", "B#c3 T:a" },
    { "8.1 a text behind a text", "81#c3a9 81#a9", "T#c3a9 E1007" },
    { "10.4 as large as may be", "82*70000", "B*70000" },
    { "10.4 too large", "=82ff0000000000011171", "E1009" },
    { "10.4 much too large", "=82ff7fffffffffffffff", "E1009" },
    { "10.4 as large as may be in fragments", "02*35000 00*35000 80:", "B*70000" },
    { "10.4 too large in fragments", "02*35000 00*35000 80:x 81:y", "E1009" },
    { "10.4 too large, at the head of the last", "02*65536 00*4464 =8081", "E1009" },
    { "10.4 a ping is not part of the message", "02*65536 00*4464 89*125 80: 89:x",
      "P*125 B*70000 P:x" },
    { "10.4 each message has the whole limit", "82*70000 82*70000", "B*70000 B*70000" },
};

/* ---------------------------------------------------------------------------- words to frames */

static unsigned char *put_hex(unsigned char *at, const char *digits, size_t count) {
    for (size_t i = 0; i + 1 < count; i += 2) {
        unsigned byte;
        ck_assert_int_eq(sscanf(digits + i, "%2x", &byte), 1);
        *at++ = (unsigned char)byte;
    }
    return at;
}

/* Masks the payload, which is at `at` for now. */
static unsigned char *put_frame(unsigned char *at, unsigned first, bool masked, char form,
                                size_t size) {
    static const unsigned char mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
    unsigned char head[14];
    size_t used = 2, count = form == '8' || size > 65535 ? 8 : form == '2' || size > 125 ? 2 : 0;
    head[0] = (unsigned char)first;
    head[1] = (unsigned char)((masked ? 0x80 : 0) | (count == 8 ? 127 : count == 2 ? 126 : size));
    for (size_t i = count; i > 0; i--)
        head[used++] = (unsigned char)((uint64_t)size >> 8 * (i - 1));
    for (size_t i = 0; masked && i < size; i++)
        at[i] ^= mask[i % 4];
    for (size_t i = 0; masked && i < 4; i++)
        head[used++] = mask[i];
    memmove(at + used, at, size);
    memcpy(at, head, used);
    return at + used + size;
}

static unsigned char *put_word(unsigned char *at, const char *word, size_t size) {
    const char *end = word + size;
    if (*word == '=')
        return put_hex(at, word + 1, size - 1);
    bool masked = *word != 'n';
    char form = *word == '2' || (*word == '8' && strchr(":#*", word[2]) == NULL) ? *word : '0';
    word += !masked || form != '0';
    unsigned first;
    ck_assert_int_eq(sscanf(word, "%2x", &first), 1);
    word += 3;
    unsigned char *payload = at;
    if (word[-1] == '*') {
        size_t count = strtoul(word, NULL, 10);
        memset(at, 'a', count);
        payload += count;
    } else if (word[-1] == '#') {
        payload = put_hex(at, word, (size_t)(end - word));
    } else {
        ck_assert_int_eq(word[-1], ':');
        for (; word < end; word++)
            *payload++ = *word == '_' ? ' ' : (unsigned char)*word;
    }
    return put_frame(at, first, masked, form, (size_t)(payload - at));
}

static size_t put_frames(unsigned char *bytes, const char *words) {
    unsigned char *at = bytes;
    while (*words != '\0') {
        size_t size = strcspn(words, " ");
        at = put_word(at, words, size);
        words += size + strspn(words + size, " ");
    }
    return (size_t)(at - bytes);
}

/* ---------------------------------------------------------------------------- events to words */

struct reader {
    struct frames frames;
    char words[1024];
};

static void write_event(struct reader *reader, enum frames_kind kind,
                        const struct frames_event *event) {
    static const char letters[] = "-TBPOCE";
    char *at = reader->words + strlen(reader->words);
    bool text = true;
    at += sprintf(at, "%s%c", at > reader->words ? " " : "", letters[kind]);
    if (kind == FRAMES_CLOSE || kind == FRAMES_ERROR)
        at += sprintf(at, "%u", event->code);
    if (kind == FRAMES_ERROR) {
        ck_assert(event->text != NULL && strlen(event->text) <= FRAMES_CLOSE_REASON_BYTES_MAX);
        return;
    }
    ck_assert_ptr_nonnull(event->data);
    for (size_t i = 0; i < event->size; i++)
        text = text && event->data[i] > ' ' && event->data[i] < 0x7f;
    if (event->size > SHORT) {
        for (size_t i = 0; i < event->size; i++)
            if (event->data[i] != 'a')
                ck_abort_msg("byte %zu of %zu", i, event->size);
        sprintf(at, "*%zu", event->size);
        return;
    }
    at += sprintf(at, "%c", text ? ':' : '#');
    for (size_t i = 0; i < event->size; i++)
        at += sprintf(at, text ? "%c" : "%02x", event->data[i]);
}

/* From memory of just that size, so that a sanitizer sees what is read or written beside it. (Check's
 * assertions take a system call each: here they would take minutes.) */
static void feed(struct reader *reader, const unsigned char *bytes, size_t size) {
    unsigned char *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, bytes, size);
    enum frames_kind kind;
    size_t used = 0, taken;
    do {
        struct frames_event event;
        kind = frames_read(&reader->frames, copy + used, size - used, &taken, &event);
        used += taken;
        if (used > size || (kind == FRAMES_MORE && used < size))
            ck_abort_msg("%zu of %zu bytes were taken", used, size);
        if (kind != FRAMES_MORE)
            write_event(reader, kind, &event);
    } while (kind != FRAMES_MORE);
    free(copy);
}

static void check(const struct example *example, const unsigned char *bytes, size_t size,
                  size_t one, size_t two) {
    struct reader reader = { .words = "" };
    frames_open(&reader.frames, MESSAGE_MAX);
    feed(&reader, bytes, one);
    feed(&reader, bytes + one, two - one);
    feed(&reader, bytes + two, size - two);
    if (strcmp(reader.words, example->events) != 0)
        ck_abort_msg("%s, cut at %zu and %zu: %s", example->section, one, two, reader.words);
    frames_close(&reader.frames);
}

START_TEST(frames_are_read_as_the_standard_says) {
    static unsigned char bytes[BYTES_MAX];
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        size_t size = put_frames(bytes, examples[i].frames);
        check(&examples[i], bytes, size, size, size);
    }
}
END_TEST

START_TEST(frames_are_read_the_same_in_any_pieces) {
    static unsigned char bytes[BYTES_MAX];
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        size_t size = put_frames(bytes, examples[i].frames);
        size_t step = size > 1000 ? size / 10 : 1;
        for (size_t one = 0; one <= size; one += step)
            for (size_t two = one; two <= size; two += size > SHORT ? size / 5 : 1)
                check(&examples[i], bytes, size, one, two);
        struct reader reader = { .words = "" };
        frames_open(&reader.frames, MESSAGE_MAX);
        for (size_t at = 0; at < size; at++)
            feed(&reader, bytes + at, 1);
        ck_assert_msg(strcmp(reader.words, examples[i].events) == 0, "%s, byte by byte: %s",
                      examples[i].section, reader.words);
        frames_close(&reader.frames);
    }
}
END_TEST

START_TEST(every_close_code_is_judged_and_no_other_number) {
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        bool good = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                    (code >= 3000 && code <= 4999);
        ck_assert_msg(frames_is_close_code(code) == good, "%u", code);
    }
    ck_assert(!frames_is_close_code(0x10000 + 1000));
}
END_TEST

START_TEST(a_mask_is_taken_off_wherever_a_piece_begins_and_ends) {
    static const unsigned char mask[4] = { 1, 0x20, 0x84, 0xff };
    unsigned char sent[64 + 6], expected[64];
    for (size_t size = 1; size <= sizeof expected; size++)
        for (size_t cut = 0; cut <= size; cut++) {
            struct frames frames;
            struct frames_event event;
            size_t taken;
            memcpy(sent, (unsigned char[]){ 0x82, (unsigned char)(0x80 + size) }, 2);
            memcpy(sent + 2, mask, 4);
            for (size_t i = 0; i < size; i++) {
                expected[i] = (unsigned char)(7 * i + size);
                sent[6 + i] = expected[i] ^ mask[i % 4];
            }
            frames_open(&frames, sizeof expected);
            if (cut < size)
                ck_assert_int_eq(frames_read(&frames, sent, 6 + cut, &taken, &event), FRAMES_MORE);
            size_t from = cut < size ? 6 + cut : 0;
            ck_assert_int_eq(frames_read(&frames, sent + from, 6 + size - from, &taken, &event),
                             FRAMES_BINARY);
            ck_assert_uint_eq(event.size, size);
            ck_assert_mem_eq(event.data, expected, size);
            frames_close(&frames);
        }
}
END_TEST

START_TEST(a_message_in_one_piece_is_not_copied_and_leaves_no_memory) {
    unsigned char sent[] = { 0x81, 0x82, 0, 0, 0, 0, 'o', 'k', 0x81, 0x81, 0, 0, 0, 0, 'x' };
    struct frames frames;
    struct frames_event event;
    size_t taken;
    frames_open(&frames, 100);
    ck_assert_int_eq(frames_read(&frames, sent, sizeof sent, &taken, &event), FRAMES_TEXT);
    ck_assert_uint_eq(taken, 8);
    ck_assert_ptr_eq(event.data, sent + 6);
    ck_assert_ptr_null(frames.buffer);
    frames_read(&frames, sent + 8, 6, &taken, &event);
    ck_assert_int_eq(frames_read(&frames, sent + 14, 1, &taken, &event), FRAMES_TEXT);
    /* Its head alone was read before. */
    ck_assert_ptr_eq(event.data, sent + 14);
    frames_close(&frames);
}
END_TEST

START_TEST(a_buffer_is_as_large_as_what_has_come_and_goes_with_the_message) {
    enum { SIZE = 60000 };
    static unsigned char sent[SIZE + 8] = { 0x82, 0xfe, SIZE >> 8, SIZE & 0xff };
    struct frames frames;
    struct frames_event event;
    size_t taken;
    frames_open(&frames, MESSAGE_MAX);
    for (size_t at = 0; at < sizeof sent - 1; at += taken) {
        size_t size = at == 0 ? 9 : sizeof sent - 1 - at < 1000 ? sizeof sent - 1 - at : 1000;
        ck_assert_int_eq(frames_read(&frames, sent + at, size, &taken, &event), FRAMES_MORE);
        ck_assert_uint_le(frames.buffer_size,
                          frames.message_size < 256 ? 512 : 2 * frames.message_size);
        ck_assert_uint_le(frames.buffer_size, SIZE);
    }
    ck_assert_int_eq(frames_read(&frames, sent + sizeof sent - 1, 1, &taken, &event),
                     FRAMES_BINARY);
    ck_assert_uint_eq(event.size, SIZE);
    ck_assert_int_eq(frames_read(&frames, sent, 0, &taken, &event), FRAMES_MORE);
    ck_assert_ptr_null(frames.buffer);
    ck_assert_uint_eq(frames.buffer_size, 0);
    frames_close(&frames);
}
END_TEST

static bool no_memory;
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size) {
    return no_memory ? NULL : __real_realloc(old, size);
}

START_TEST(without_memory_the_connection_fails_and_nothing_else) {
    for (int before = 0; before < 2; before++) {
        struct reader reader = { .words = "" };
        static unsigned char bytes[4096];
        size_t size = put_frames(bytes, "01:begin 00*600 81:x");
        frames_open(&reader.frames, 1000);
        feed(&reader, bytes, before == 0 ? 0 : 11);
        no_memory = true;
        feed(&reader, bytes + (before == 0 ? 0 : 11), size - (before == 0 ? 0 : 11));
        no_memory = false;
        ck_assert_str_eq(reader.words, "E1011");
        frames_close(&reader.frames);
    }
}
END_TEST

START_TEST(heads_are_written_in_their_shortest_form) {
    static const struct {
        uint64_t size;
        size_t head_size;
        unsigned char head[10];
    } cases[] = {
        { 0, 2, { 0x81, 0 } },
        { 125, 2, { 0x81, 125 } },
        { 126, 4, { 0x81, 126, 0, 126 } },
        { 0xfffe, 4, { 0x81, 126, 0xff, 0xfe } },
        { 0xffff, 4, { 0x81, 126, 0xff, 0xff } },
        { 0x10000, 10, { 0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0 } },
        { 0x0102030405060708, 10, { 0x81, 127, 1, 2, 3, 4, 5, 6, 7, 8 } },
    };
    unsigned char head[FRAMES_HEAD_BYTES_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_uint_eq(frames_write_head(head, FRAMES_OP_TEXT, cases[i].size),
                          cases[i].head_size);
        ck_assert_mem_eq(head, cases[i].head, cases[i].head_size);
    }
    frames_write_head(head, FRAMES_OP_BINARY, 1);
    ck_assert_uint_eq(head[0], 0x82);
}
END_TEST

START_TEST(control_frames_are_written_within_their_limit) {
    unsigned char frame[FRAMES_CONTROL_BYTES_MAX];
    char reason[200];
    ck_assert_uint_eq(frames_write_control(frame, FRAMES_OP_PONG, "abc", 3), 5);
    ck_assert_mem_eq(frame,
                     "\x8a\x03"
                     "abc",
                     5);
    ck_assert_uint_eq(frames_write_control(frame, FRAMES_OP_PING, NULL, 0), 2);
    ck_assert_mem_eq(frame, "\x89\x00", 2);
    memset(reason, 'r', sizeof reason);
    ck_assert_uint_eq(frames_write_control(frame, FRAMES_OP_PING, reason, 200), 127);
    ck_assert_uint_eq(frame[1], 125);
    ck_assert_uint_eq(frames_write_close(frame, 1013, "slow", 4), 8);
    ck_assert_mem_eq(frame, "\x88\x06\x03\xf5slow", 8);
    ck_assert_uint_eq(frames_write_close(frame, 1000, NULL, 0), 4);
    ck_assert_uint_eq(frames_write_close(frame, FRAMES_NO_CODE, "x", 1), 2);
    ck_assert_mem_eq(frame, "\x88\x00", 2);
    ck_assert_uint_eq(frames_write_close(frame, 1000, reason, 123), 127);
    ck_assert_uint_eq(frames_write_close(frame, 1000, reason, 124), 127);
    memcpy(reason + 120, "\xf0\x9f\xa6\x8a", 4); /* bytes 120 to 123: the 124th is one too many */
    ck_assert_uint_eq(frames_write_close(frame, 1000, reason, 124), 2 + 2 + 120);
    memcpy(reason + 119, "\xf0\x9f\xa6\x8a", 4);
    reason[123] = 'r';
    ck_assert_uint_eq(frames_write_close(frame, 1000, reason, 124), 2 + 2 + 123);
}
END_TEST

SUITE_MAIN("frames", frames_are_read_as_the_standard_says, frames_are_read_the_same_in_any_pieces,
           every_close_code_is_judged_and_no_other_number,
           a_mask_is_taken_off_wherever_a_piece_begins_and_ends,
           a_message_in_one_piece_is_not_copied_and_leaves_no_memory,
           a_buffer_is_as_large_as_what_has_come_and_goes_with_the_message,
           without_memory_the_connection_fails_and_nothing_else,
           heads_are_written_in_their_shortest_form, control_frames_are_written_within_their_limit)
