/* Which bytes pass for text. */
#include "base/text.h"

#include <string.h>

#include "suite.h"

static const char *const UTF8[] = { "",
                                    "a",
                                    "\x7f",
                                    "\xc2\x80",         /* U+0080, the first of two bytes */
                                    "\xdf\xbf",         /* U+07FF, the last */
                                    "\xe0\xa0\x80",     /* U+0800 */
                                    "\xed\x9f\xbf",     /* before the surrogates */
                                    "\xee\x80\x80",     /* behind them */
                                    "\xef\xbf\xbf",     /* U+FFFF */
                                    "\xf0\x90\x80\x80", /* U+10000 */
                                    "\xf4\x8f\xbf\xbf" /* U+10FFFF */ };

static const char *const NOT_UTF8[] = { "\x80",
                                        "\xbf",
                                        "a\x80",
                                        "\xc0\x80", /* overlong */
                                        "\xc1\xbf",
                                        "\xe0\x9f\xbf",
                                        "\xf0\x8f\xbf\xbf",
                                        "\xed\xa0\x80", /* surrogates */
                                        "\xed\xbf\xbf",
                                        "\xf4\x90\x80\x80", /* U+110000 */
                                        "\xf8\x88\x80\x80\x80",
                                        "\xff",
                                        "\xc2", /* cut off */
                                        "\xe0\xa0",
                                        "\xf0\x90\x80",
                                        "\xc2\x41",
                                        "\xe0\xa0\x41" };

START_TEST(utf8_ends_where_rfc_3629_says) {
    for (size_t i = 0; i < sizeof UTF8 / sizeof *UTF8; i++)
        ck_assert_msg(wsf_text_is_utf8(UTF8[i], strlen(UTF8[i])), "good %zu", i);
    for (size_t i = 0; i < sizeof NOT_UTF8 / sizeof *NOT_UTF8; i++) {
        ck_assert_msg(!wsf_text_is_utf8(NOT_UTF8[i], strlen(NOT_UTF8[i])), "bad %zu", i);
        ck_assert_msg(!wsf_text_is_printable(NOT_UTF8[i], strlen(NOT_UTF8[i])), "bad %zu", i);
    }
    ck_assert(wsf_text_is_utf8("a\0b", 3));
    ck_assert(wsf_text_is_utf8(NULL, 0) && wsf_text_is_printable(NULL, 0) &&
              wsf_text_is_visible(NULL, 0));
}
END_TEST

START_TEST(control_characters_are_not_printable) {
    for (unsigned code = 0; code < 0x100; code++) {
        char text[2] = { (char)code, 0 };
        size_t size = 1;
        if (code >= 0x80) {
            text[0] = (char)(0xc0 | code >> 6);
            text[1] = (char)(0x80 | (code & 0x3f));
            size = 2;
        }
        bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
        ck_assert_msg(wsf_text_is_printable(text, size) == !control, "U+%04X", code);
    }
    ck_assert(wsf_text_is_printable("Nürnberg 2", strlen("Nürnberg 2")));
    ck_assert(!wsf_text_is_printable("two\nlines", 9));
    ck_assert(
        wsf_text_is_printable("\u05d0\u0628\u2014\u200d", strlen("\u05d0\u0628\u2014\u200d")));
}
END_TEST

/* "Trojan Source", CVE-2021-42574, in a log; and line ends of Unicode. */
START_TEST(what_turns_the_direction_of_a_line_or_ends_it_is_not_printable) {
    for (uint32_t code = 0x600; code < 0x2100; code++) {
        uint8_t text[3];
        size_t size = code < 0x800 ? 2 : 3;
        text[0] = (uint8_t)(size == 2 ? 0xc0 | code >> 6 : 0xe0 | code >> 12);
        text[1] = (uint8_t)(0x80 | (size == 2 ? code & 0x3f : (code >> 6 & 0x3f)));
        text[2] = (uint8_t)(0x80 | (code & 0x3f));
        bool turns = code == 0x61c || code == 0x200e || code == 0x200f ||
                     (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
        bool ends = code == 0x2028 || code == 0x2029;
        ck_assert(wsf_text_is_utf8(text, size));
        ck_assert_msg(wsf_text_is_printable(text, size) == !(turns || ends), "U+%04X",
                      (unsigned)code);
    }
}
END_TEST

START_TEST(visible_is_ascii_between_space_and_delete) {
    for (unsigned byte = 0; byte < 0x100; byte++)
        ck_assert_msg(wsf_text_is_visible(&(uint8_t){ (uint8_t)byte }, 1) ==
                          (byte > 0x20 && byte < 0x7f),
                      "byte %u", byte);
    ck_assert(wsf_text_is_visible("http://[::1]:8080/x?y=%20", 25));
    ck_assert(!wsf_text_is_visible("http://a\r\nX: b", 14));
}
END_TEST

SUITE_MAIN("text", utf8_ends_where_rfc_3629_says, control_characters_are_not_printable,
           what_turns_the_direction_of_a_line_or_ends_it_is_not_printable,
           visible_is_ascii_between_space_and_delete)
