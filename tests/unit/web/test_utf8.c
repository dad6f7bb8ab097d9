#include "utf8.h"

#include <string.h>

#include "suite.h"

enum { NEVER = -1 };

struct text {
    const char *section; /* of RFC 3629, or what it is about */
    const char *bytes;
    int fails_at;  /* the byte that cannot be there, NEVER: there is none */
    bool complete; /* if it does not fail */
};

static const struct text texts[] = {
    { "3 ASCII", "hello", NEVER, true },
    { "3 nothing", "", NEVER, true },
    { "3 DEL", "\x7f", NEVER, true },
    { "3 the first of 2 bytes", "\xc2\x80", NEVER, true },
    { "3 the last of 2 bytes", "\xdf\xbf", NEVER, true },
    { "3 the first of 3 bytes", "\xe0\xa0\x80", NEVER, true },
    { "3 before the surrogates", "\xed\x9f\xbf", NEVER, true },
    { "3 behind the surrogates", "\xee\x80\x80", NEVER, true },
    { "3 U+FFFF", "\xef\xbf\xbf", NEVER, true },
    { "3 the first of 4 bytes", "\xf0\x90\x80\x80", NEVER, true },
    { "3 U+10FFFF", "\xf4\x8f\xbf\xbf", NEVER, true },
    { "7 examples", "A\xe2\x89\xa2\xce\x91.\xed\x95\x9c\xea\xb5\xad\xf0\xa3\x8e\xb4", NEVER, true },
    { "6 a byte order mark is a character", "\xef\xbb\xbfx", NEVER, true },
    { "3 1 of 2", "ab\xc3", NEVER, false },
    { "3 1 of 3", "\xe2", NEVER, false },
    { "3 2 of 3", "\xe2\x82", NEVER, false },
    { "3 3 of 4", "\xf0\x9f\xa6", NEVER, false },
    { "3 a continuation alone", "a\x80", 1, false },
    { "3 the last continuation alone", "\xbf", 0, false },
    { "3 one continuation too many", "\xc3\xa9\xa9", 2, false },
    { "3 C0", "\xc0\x80", 0, false },
    { "3 C1", "\xc1\xbf", 0, false },
    { "3 ASCII in the place of the second byte", "\xc3(", 1, false },
    { "3 the same behind E0", "\xe0(", 1, false },
    { "3 a first byte in the place of the second", "\xc3\xc3", 1, false },
    { "3 ASCII in the place of the third byte", "\xe2\x82(", 2, false },
    { "3 ASCII in the place of the fourth byte", "\xf0\x9f\xa6(", 3, false },
    { "3 overlong, 3 bytes", "\xe0\x9f\xbf", 1, false },
    { "3 overlong, 4 bytes", "\xf0\x8f\xbf\xbf", 1, false },
    { "3 the first surrogate", "\xed\xa0\x80", 1, false },
    { "3 the last surrogate", "\xed\xbf\xbf", 1, false },
    { "3 above U+10FFFF", "\xf4\x90\x80\x80", 1, false },
    { "3 F5", "\xf5\x80\x80\x80", 0, false },
    { "3 FF", "\xff", 0, false },
    { "3 behind 40 bytes", "0123456789012345678901234567890123456789\xff", 40, false },
    { "3 among 40 bytes", "01234567890123456789\xe9zzzzzzzzzzzzzzzzzzzzzzzzzzzz", 21, false },
    { "3 behind 16 bytes", "0123456789abcdef\xc3\xa9z", NEVER, true },
    { "3 a bad one behind a good one and 16 bytes",
      "\xc3\xa9"
      "0123456789abcdef\x80",
      18, false },
};

START_TEST(a_text_fails_at_the_byte_that_cannot_be_there_in_however_many_pieces) {
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct text *text = &texts[i];
        int size = (int)strlen(text->bytes);
        for (int cut = 0; cut <= size; cut++) {
            struct utf8 utf8 = { 0 };
            bool first = utf8_read(&utf8, text->bytes, (size_t)cut);
            ck_assert_msg(first == (text->fails_at == NEVER || text->fails_at >= cut),
                          "%s, cut at %d", text->section, cut);
            bool whole = utf8_read(&utf8, text->bytes + cut, (size_t)(size - cut));
            ck_assert_msg(whole == (text->fails_at == NEVER), "%s, cut at %d", text->section, cut);
            ck_assert_msg(utf8_complete(&utf8) == text->complete, "%s", text->section);
        }
        struct utf8 slow = { 0 };
        for (int at = 0; at < size; at++)
            ck_assert_msg(utf8_read(&slow, text->bytes + at, 1) ==
                              (text->fails_at == NEVER || at < text->fails_at),
                          "%s, byte %d", text->section, at);
        ck_assert_msg(utf8_valid(text->bytes, (size_t)size) == text->complete, "%s", text->section);
    }
}
END_TEST

START_TEST(a_failed_check_stays_failed) {
    struct utf8 utf8 = { 0 };
    ck_assert(!utf8_read(&utf8, "\xff", 1));
    ck_assert(!utf8_read(&utf8, "a", 1));
    ck_assert(!utf8_read(&utf8, NULL, 0));
    ck_assert(!utf8_complete(&utf8));
    ck_assert(utf8_valid(NULL, 0));
}
END_TEST

/* What section 3 says: the code is put together, then judged. */
static size_t character(const unsigned char *at, size_t size) {
    static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t width = at[0] < 0x80 ? 1 : at[0] < 0xc0 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (width == 0 || at[0] >= 0xf8 || width > size)
        return 0;
    uint32_t code = width == 1 ? at[0] : at[0] & (0x7fu >> width);
    for (size_t i = 1; i < width; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3f);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < smallest[width] || surrogate || code > 0x10ffff ? 0 : width;
}

static void check_character(const unsigned char bytes[4], size_t size) {
    size_t expected = character(bytes, size);
    if (utf8_size((const char *)bytes, size) != expected)
        ck_abort_msg("%02x %02x %02x %02x", bytes[0], bytes[1], bytes[2], bytes[3]);
    if (expected == size && !utf8_valid((const char *)bytes, size))
        ck_abort_msg("%02x %02x %02x %02x", bytes[0], bytes[1], bytes[2], bytes[3]);
}

START_TEST(every_sequence_of_three_bytes_and_every_edge_of_four_is_judged_as_the_standard_says) {
    static const unsigned char edges[] = { 0, 0x28, 0x7f, 0x80, 0x8f, 0x90, 0xbf, 0xc0, 0xff };
    for (uint32_t i = 0; i < 1u << 24; i++) {
        unsigned char bytes[4] = { (unsigned char)(i >> 16), (unsigned char)(i >> 8),
                                   (unsigned char)i, 0 };
        if (bytes[0] < 0x7f)
            continue; /* one byte each */
        check_character(bytes, 3);
        if ((i & 0xff) == 0)
            check_character(bytes, 2);
        if (bytes[0] < 0xf0)
            continue;
        for (size_t k = 0; k < sizeof edges; k++) {
            bytes[3] = edges[k];
            check_character(bytes, 4);
        }
    }
}
END_TEST

START_TEST(a_byte_is_seen_at_every_place_of_a_long_text) {
    char text[100];
    for (size_t size = 1; size <= sizeof text; size++)
        for (size_t at = 0; at < size; at++) {
            memset(text, 'a', sizeof text);
            text[at] = '\x80';
            ck_assert(!utf8_valid(text, size));
            text[at] = '\xc3';
            ck_assert(!utf8_valid(text, size));
            if (at + 1 < size) {
                text[at + 1] = '\xa9';
                ck_assert(utf8_valid(text, size));
            }
        }
}
END_TEST

SUITE_MAIN("utf8", a_text_fails_at_the_byte_that_cannot_be_there_in_however_many_pieces,
           a_failed_check_stays_failed,
           every_sequence_of_three_bytes_and_every_edge_of_four_is_judged_as_the_standard_says,
           a_byte_is_seen_at_every_place_of_a_long_text)
