#include "syntax.h"

#include <string.h>

#include "suite.h"

START_TEST(each_character_is_in_the_classes_that_the_standards_say) {
    static const char alphanumeric[] =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for (int c = 0; c < 256; c++) {
        bool word = c != 0 && strchr(alphanumeric, c) != NULL, visible = c > 0x20 && c < 0x7f;
        unsigned expected = 0;
        if (word || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL))
            expected |= SYNTAX_TCHAR; /* RFC 9110, section 5.6.2 */
        if (visible || c == ' ' || c == '\t' || c >= 0x80)
            expected |= SYNTAX_FIELD; /* RFC 9110, section 5.5 */
        if (visible && strchr("#\"<>", c) == NULL)
            expected |= SYNTAX_TARGET;
        if (word || (c != 0 && strchr("-._~!$&'()*+,;=", c) != NULL))
            expected |= SYNTAX_NAME; /* RFC 3986, sections 2.2 and 2.3 */
        ck_assert_msg(syntax_classes[c] == expected, "%02x", (unsigned)c);
        bool hex = c != 0 && strchr("0123456789abcdefABCDEF", c) != NULL;
        ck_assert_int_eq(syntax_hex((unsigned char)c),
                         hex ? (int)strtol((char[]){ (char)c, 0 }, NULL, 16) : -1);
    }
}
END_TEST

START_TEST(slices_are_compared_whole) {
    ck_assert(slice_is(slice_of("ab"), "ab"));
    ck_assert(!slice_is(slice_of("ab"), "aB"));
    ck_assert(!slice_is(slice_of("ab"), "abc"));
    ck_assert(!slice_is(slice_of("ab"), "a"));
    ck_assert(slice_is_nocase(slice_of("aB"), "Ab"));
    ck_assert(!slice_is_nocase(slice_of("aB"), "Abc"));
    ck_assert(!slice_is_nocase((struct slice){ "a\0b", 3 }, "a"));
    ck_assert(!slice_is_nocase(slice_of("@"), "`"));
    ck_assert(slice_is((struct slice){ NULL, 0 }, ""));
    ck_assert(slice_is(slice_trim(slice_of(" \t a b\t ")), "a b"));
    ck_assert_uint_eq(slice_trim(slice_of(" \t")).size, 0);
    ck_assert(slice_is(slice_trim(slice_of("\v")), "\v"));
    ck_assert(syntax_is_token(slice_of("a-B!")));
    ck_assert(!syntax_is_token(slice_of("")));
    ck_assert(!syntax_is_token(slice_of("a b")));
}
END_TEST

START_TEST(a_list_has_one_element_more_than_commas) {
    static const struct {
        const char *list;
        int count;
        const char *elements[4];
    } lists[] = {
        { "", 1, { "" } },
        { "a", 1, { "a" } },
        { " a b ", 1, { "a b" } },
        { "a,b", 2, { "a", "b" } },
        { "a , \tb\t", 2, { "a", "b" } },
        { ",", 2, { "", "" } },
        { ", ,a", 3, { "", "", "a" } },
        { "a,", 2, { "a", "" } },
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct slice rest = slice_of(lists[i].list), element;
        for (int k = 0; k < lists[i].count; k++) {
            ck_assert_msg(syntax_next(&rest, &element), "%s", lists[i].list);
            ck_assert_msg(slice_is(element, lists[i].elements[k]), "%s", lists[i].list);
        }
        ck_assert_msg(!syntax_next(&rest, &element), "%s", lists[i].list);
    }
}
END_TEST

START_TEST(an_authority_is_a_host_and_perhaps_a_port) {
    static const char *const good[] = { "",
                                        "a",
                                        "example.org",
                                        "a_b",
                                        "127.0.0.1",
                                        "a:80",
                                        "a:",
                                        "a:0",
                                        "a:65535",
                                        "[::1]",
                                        "[::1]:80",
                                        "[fe80::1]",
                                        "[::ffff:1.2.3.4]",
                                        "a%41",
                                        "a!$&'()*+,;=~" };
    static const char *const bad[] = { "a b",
                                       "a/b",
                                       "a?b",
                                       "a#b",
                                       "u@a",
                                       "a\\b",
                                       "a:b",
                                       "a:80:80",
                                       "a:-1",
                                       "a:65536",
                                       "a:99999999999999999999",
                                       "a: 80",
                                       "[]",
                                       "[",
                                       "[::1",
                                       "::1]",
                                       "[::1]a",
                                       "[::1]80",
                                       "[a]",
                                       "[1.2.3.4]",
                                       "[::1%25eth0]",
                                       "[::g]",
                                       "a%",
                                       "a%4",
                                       "a%zz",
                                       "a%z4",
                                       "a%4z",
                                       "a[::1]",
                                       "\xc3\xa9",
                                       "a\x7f",
                                       "a\"",
                                       "[1:2:3:4:5:6:7:8:9:a:b:c:d:e:f:1:2:3:4:5:6:7:8]" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(syntax_is_authority(slice_of(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!syntax_is_authority(slice_of(bad[i])), "%s", bad[i]);
    ck_assert(!syntax_is_authority((struct slice){ "a\0", 2 }));
    ck_assert(!syntax_is_authority((struct slice){ "[::1\0]", 6 }));
}
END_TEST

SUITE_MAIN("syntax", each_character_is_in_the_classes_that_the_standards_say,
           slices_are_compared_whole, a_list_has_one_element_more_than_commas,
           an_authority_is_a_host_and_perhaps_a_port)
