#include "target.h"

#include <string.h>

#include "suite.h"

struct form {
    const char *section; /* of RFC 9112, if no other is named */
    const char *text;
    int form; /* -1: refused */
    const char *authority, *path, *query;
};

static const struct form forms[] = {
    { "3.2.1", "/", TARGET_ORIGIN, NULL, "/", NULL },
    { "3.2.1", "/a/b?c?d/e", TARGET_ORIGIN, NULL, "/a/b", "c?d/e" },
    { "3.2.1", "/?", TARGET_ORIGIN, NULL, "/", "" },
    { "3.2.1", "//a/b", TARGET_ORIGIN, NULL, "//a/b", NULL },
    { "3.2.1", "/%zz", TARGET_ORIGIN, NULL, "/%zz", NULL },
    { "3.2.1", "/a:b@c", TARGET_ORIGIN, NULL, "/a:b@c", NULL },
    { "3.2.1", "", -1, NULL, NULL, NULL },
    { "3.2.1", "a", -1, NULL, NULL, NULL },
    { "3.2.1", "?a", -1, NULL, NULL, NULL },
    { "3.2.1", "\\a", -1, NULL, NULL, NULL },
    { "3.2.1 browsers make / of it", "/a\\b", -1, NULL, NULL, NULL },
    { "3.2.1 they send it in a query", "/a?\\", TARGET_ORIGIN, NULL, "/a", "\\" },
    { "3.2", "/a b", -1, NULL, NULL, NULL },
    { "3.2", "/a#b", -1, NULL, NULL, NULL },
    { "3.2", "/a?b#c", -1, NULL, NULL, NULL },
    { "3.2", "/\"", -1, NULL, NULL, NULL },
    { "3.2", "/<", -1, NULL, NULL, NULL },
    { "3.2", "/>", -1, NULL, NULL, NULL },
    { "3.2", "/\x7f", -1, NULL, NULL, NULL },
    { "3.2", "/\x1f", -1, NULL, NULL, NULL },
    { "3.2", "/\x80", -1, NULL, NULL, NULL },
    { "3.2.2", "http://a", TARGET_ABSOLUTE, "a", "", NULL },
    { "3.2.2", "http://a?b", TARGET_ABSOLUTE, "a", "", "b" },
    { "3.2.2", "http://a/b?c", TARGET_ABSOLUTE, "a", "/b", "c" },
    { "3.2.2", "HtTpS://A:443/", TARGET_ABSOLUTE, "A:443", "/", NULL },
    { "3.2.2", "http://[::1]:8/x", TARGET_ABSOLUTE, "[::1]:8", "/x", NULL },
    { "3.2.2", "http://a:/x", TARGET_ABSOLUTE, "a:", "/x", NULL },
    { "RFC 9110 4.2.1", "http://", -1, NULL, NULL, NULL },
    { "RFC 9110 4.2.1", "http:///x", -1, NULL, NULL, NULL },
    { "RFC 9110 4.2.1", "http://:80/x", -1, NULL, NULL, NULL },
    { "RFC 9110 4.2.1", "http://?x", -1, NULL, NULL, NULL },
    { "RFC 9110 4.2.4", "http://u@a/", -1, NULL, NULL, NULL },
    { "RFC 9110 4.2.4", "https://u:p@a/", -1, NULL, NULL, NULL },
    { "3.2.2", "http:/a", -1, NULL, NULL, NULL },
    { "3.2.2", "http:a", -1, NULL, NULL, NULL },
    { "3.2.2", "ws://a/", -1, NULL, NULL, NULL },
    { "3.2.2", "ftp://a/", -1, NULL, NULL, NULL },
    { "3.2.2", "xhttp://a/", -1, NULL, NULL, NULL },
    { "3.2.2", "http://a:b/", -1, NULL, NULL, NULL },
    { "3.2.2", "http://a\\b/", -1, NULL, NULL, NULL },
    { "3.2.2", "http://a/b\\c", -1, NULL, NULL, NULL },
    { "3.2.3", "a:80", -1, NULL, NULL, NULL },
    { "3.2.4", "*", TARGET_ASTERISK, NULL, "*", NULL },
    { "3.2.4", "**", -1, NULL, NULL, NULL },
    { "3.2.4", "*?a", -1, NULL, NULL, NULL },
};

static void check_part(const struct form *form, struct slice part, const char *expected) {
    ck_assert_msg((part.data == NULL) == (expected == NULL), "%s: %s", form->section, form->text);
    ck_assert_msg(expected == NULL || slice_is(part, expected), "%s: %s", form->section,
                  form->text);
}

START_TEST(targets_are_taken_apart_as_the_standard_says) {
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct target target;
        bool good = target_read(&target, slice_of(forms[i].text));
        ck_assert_msg(good == (forms[i].form >= 0), "%s: %s", forms[i].section, forms[i].text);
        if (!good)
            continue;
        ck_assert_int_eq((int)target.form, forms[i].form);
        check_part(&forms[i], target.authority, forms[i].authority);
        check_part(&forms[i], target.path, forms[i].path);
        check_part(&forms[i], target.query, forms[i].query);
    }
    struct target target;
    ck_assert(!target_read(&target, (struct slice){ "/a\0b", 4 }));
    ck_assert(!target_read(&target, (struct slice){ NULL, 0 }));
}
END_TEST

/* RFC 3986 */
static const struct {
    const char *section, *text, *path; /* NULL: refused */
} paths[] = {
    { "6.2.3", "http://a", "/" },
    { "6.2.3", "http://a?b", "/" },
    { "RFC 9112 3.2.4", "*", "*" },
    { "3.3", "/a/b", "/a/b" },
    { "3.3 a segment may be empty", "//a//b/", "//a//b/" },
    { "3.3 the absolute form, too", "http://a//b", "//b" },
    { "2.1", "/%61%7A%7a", "/azz" },
    { "2.1 beyond ASCII", "/%C3%a9", "/\xc3\xa9" },
    { "2.4 decoded once", "/%2561", "/%61" },
    { "2.4", "/a%3fb%23", "/a?b#" },
    { "2.4", "/+", "/+" },
    { "2.1 not two digits", "/%", NULL },
    { "2.1", "/%6", NULL },
    { "2.1", "/%6g", NULL },
    { "2.1", "/%g6", NULL },
    { "2.1", "/%g1%80%80%80", NULL },
    { "2.1", "/%%61", NULL },
    { "2.1", "/a%", NULL },
    { "7.3 NUL", "/%00", NULL },
    { "7.3 NUL", "/a%00b", NULL },
    { "2.2 a slash", "/a%2fb", NULL },
    { "2.2 a slash", "/a%2Fb", NULL },
    { "2.2 a backslash is a character", "/a%5Cb", "/a\\b" },
    { "2.5 not UTF-8", "/%ff", NULL },
    { "2.5 overlong", "/%c0%af", NULL },
    { "5.2.4", "/.", "/" },
    { "5.2.4", "/./", "/" },
    { "5.2.4", "/..", "/" },
    { "5.2.4", "/../", "/" },
    { "5.2.4", "/../../a", "/a" },
    { "5.2.4", "/a/.", "/a/" },
    { "5.2.4", "/a/..", "/" },
    { "5.2.4", "/a/../b", "/b" },
    { "5.2.4", "/a/./b", "/a/b" },
    { "5.2.4", "/a/b/../c", "/a/c" },
    { "5.2.4", "/a/b/..", "/a/" },
    { "5.2.4", "/a/b/../..", "/" },
    { "5.2.4", "/a/b/c/./../../g", "/a/g" },
    { "5.2.4", "/a//../b", "/a/b" },
    { "5.2.4", "//..", "/" },
    { "5.2.4", "/..//a", "//a" },
    { "5.2.4 not dots alone", "/.a/..b/a./b../...", "/.a/..b/a./b../..." },
    { "6.2.2.2 however they are written", "/x/%2e%2e/y", "/y" },
    { "6.2.2.2", "/x/.%2E/y", "/y" },
    { "6.2.2.2", "/%2e/y", "/y" },
};

START_TEST(paths_are_decoded_and_normalised_once) {
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct target target;
        char path[64];
        ck_assert_msg(target_read(&target, slice_of(paths[i].text)), "%s", paths[i].text);
        int size = target_path(&target, path, sizeof path - 1);
        if (paths[i].path == NULL)
            ck_assert_msg(size < 0, "%s: %s", paths[i].section, paths[i].text);
        else
            ck_assert_msg(size == (int)strlen(paths[i].path) && strcmp(path, paths[i].path) == 0,
                          "%s: %s: %s", paths[i].section, paths[i].text, path);
    }
}
END_TEST

START_TEST(a_path_is_written_within_its_room) {
    struct target target;
    char path[8];
    ck_assert(target_read(&target, slice_of("/%61bc")));
    memset(path, 'x', sizeof path);
    ck_assert_int_eq(target_path(&target, path, 4), 4);
    ck_assert_mem_eq(path, "/abc\0xxx", 8);
    memset(path, 'x', sizeof path);
    ck_assert_int_eq(target_path(&target, path, 3), -1);
    ck_assert_mem_eq(path + 3, "xxxxx", 5);
    ck_assert_int_eq(target_path(&target, path, 0), -1);
    ck_assert(target_read(&target, slice_of("http://a")));
    ck_assert_int_eq(target_path(&target, path, 1), 1);
}
END_TEST

SUITE_MAIN("target", targets_are_taken_apart_as_the_standard_says,
           paths_are_decoded_and_normalised_once, a_path_is_written_within_its_room)
