#include "query.h"

#include <string.h>

#include "suite.h"

static const char *const keys[] = { "chat", "user", "hops", NULL };

struct example {
    const char *query;
    const char *name; /* of "chat", NULL: problem */
    int problem;
};

static const struct example names[] = {
    /* URL Standard, section 5.1 */
    { "chat=lobby", "lobby", 0 },
    { "chat=a&user=b", "a", 0 },
    { "user=b&chat=a", "a", 0 },
    { "user=&chat=a", "a", 0 },
    { "chat=a+b", "a b", 0 },
    { "chat=a%2Bb", "a+b", 0 },
    { "chat=a%20b", "a b", 0 },
    { "chat=%61%7A%7a", "azz", 0 },
    { "%63hat=a", "a", 0 },
    { "chat=a=b", "a=b", 0 },
    { "chat==", "=", 0 },
    { "chat=a%26b", "a&b", 0 },
    { "chat=a%3db%25", "a=b%", 0 },
    { "chat=a?b/c", "a?b/c", 0 },
    { "chat=%C3%A9", "\xc3\xa9", 0 },
    { "chat=\xc3\xa9", "\xc3\xa9", 0 },
    { "chat=%25zz", "%zz", 0 },
    { "chat=a%0ab", "a\nb", 0 },
    /* ';' divides nothing */
    { "chat=a;b", "a;b", 0 },
    { "chat=a%3Bb", "a;b", 0 },
    { "chat=a;;b;", "a;;b;", 0 },
    { "chat=a;b=1&user=u", "a;b=1", 0 },
    { "chat=a;user=v&user=u", "a;user=v", 0 },
    { "chat=;%26", ";&", 0 },
    { NULL, NULL, QUERY_MISSING },
    { "", NULL, QUERY_MISSING },
    { "user=a", NULL, QUERY_MISSING },
    { "chat=", NULL, QUERY_MISSING },
    { "chat", NULL, QUERY_MISSING },
    { "xchat=a", NULL, QUERY_MISSING },
    { "chatx=a", NULL, QUERY_MISSING },
    { "cha=a", NULL, QUERY_MISSING },
    { "Chat=a", NULL, QUERY_MISSING },
    { "user=chat=a", NULL, QUERY_MISSING },
    { "user=a;chat=b", NULL, QUERY_MISSING },
    { "chat%3Da=b", NULL, QUERY_MISSING },
    { "%63hat%=a", NULL, QUERY_MISSING },
    { "chat%00=a", NULL, QUERY_MISSING },
    { "chat=12345678", "12345678", 0 },
    { "chat=123456789", NULL, QUERY_TOO_LONG },
    { "chat=%31%32%33%34%35%36%37%38", "12345678", 0 },
    { "chat=%ff%fe", NULL, QUERY_NO_TEXT },
    { "chat=%C3", NULL, QUERY_NO_TEXT },
    { "chat=%ed%a0%80", NULL, QUERY_NO_TEXT },
    { "chat=a%00b", NULL, QUERY_NO_TEXT },
    { "chat=%00", NULL, QUERY_NO_TEXT },
    { "chat=%", NULL, QUERY_NO_TEXT },
    { "chat=%6", NULL, QUERY_NO_TEXT },
    { "chat=%zz", NULL, QUERY_NO_TEXT },
    { "chat=%6z", NULL, QUERY_NO_TEXT },
    { "chat=a%gf", NULL, QUERY_NO_TEXT },
    { "chat=%%61", NULL, QUERY_NO_TEXT },
    { "chat=%6&user=1", NULL, QUERY_NO_TEXT },
    { "chat=a&chat=b", NULL, QUERY_AMBIGUOUS },
    { "chat=a&chat=a", NULL, QUERY_AMBIGUOUS },
    { "chat=a&%63hat=b", NULL, QUERY_AMBIGUOUS },
    { "chat=a&chat=", NULL, QUERY_AMBIGUOUS },
    /* It may be a part of the name */
    { "chat=a&b", NULL, QUERY_AMBIGUOUS },
    { "chat=a&b=c", NULL, QUERY_AMBIGUOUS },
    { "chat=a&", NULL, QUERY_AMBIGUOUS },
    { "&chat=a", NULL, QUERY_AMBIGUOUS },
    { "chat=a&&user=u", NULL, QUERY_AMBIGUOUS },
    { "chat=a&user", NULL, QUERY_AMBIGUOUS },
    { "chat=a&user%=u", NULL, QUERY_AMBIGUOUS },
};

START_TEST(a_name_is_what_a_form_says_or_nothing) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct example *example = &names[i];
        /* Of just that size, so that a sanitizer sees what is read or written beside it. */
        size_t size = example->query != NULL ? strlen(example->query) : 0;
        char *copy = malloc(size > 0 ? size : 1), *name = malloc(9);
        if (size > 0)
            memcpy(copy, example->query, size);
        struct query query = { { example->query != NULL ? copy : NULL, size }, keys };
        int found = query_name(&query, "chat", name, 8);
        if (example->name == NULL)
            ck_assert_msg(found == example->problem, "%s: %d", example->query, found);
        else
            ck_assert_msg(found == (int)strlen(example->name) && strcmp(name, example->name) == 0,
                          "%s: %d", example->query, found);
        free(copy);
        free(name);
    }
}
END_TEST

static struct query query_of(const char *text) {
    return (struct query){ slice_of(text), keys };
}

START_TEST(a_value_may_be_empty_and_beside_anything) {
    char value[9];
    struct query query = query_of("x=1&&token=a%00b&empty=&y");
    ck_assert_int_eq(query_find(&query, "token", value, 8), 3);
    ck_assert_mem_eq(value, "a\0b", 4);
    ck_assert_int_eq(query_find(&query, "empty", value, 8), 0);
    ck_assert_str_eq(value, "");
    ck_assert_int_eq(query_find(&query, "y", value, 8), QUERY_MISSING);
    ck_assert_int_eq(query_find(&query, "", value, 8), QUERY_MISSING);
    ck_assert_int_eq(query_find(&query, "token", value, 2), QUERY_TOO_LONG);
    ck_assert_int_eq(query_find(&query, "empty", value, 0), 0);
    query = query_of("=a");
    ck_assert_int_eq(query_find(&query, "", value, 8), 1);
}
END_TEST

START_TEST(hexadecimal_digits_are_read_as_they_are_written) {
    static const struct {
        const char *query;
        int result;
    } cases[] = {
        { "after=", 0 },
        { "after=00ff0a", 3 },
        { "after=%30%30", 1 },
        { "after=0", QUERY_NO_TEXT },
        { "after=00f", QUERY_NO_TEXT },
        { "after=0A", QUERY_NO_TEXT },
        { "after=A0", QUERY_NO_TEXT },
        { "after=0g", QUERY_NO_TEXT },
        { "after=+0", QUERY_NO_TEXT },
        { "after=0%3", QUERY_NO_TEXT },
        { "after=00000000", 4 },
        { "after=0000000000", QUERY_TOO_LONG },
        { "after=00&after=00", QUERY_AMBIGUOUS },
        { "x=00", QUERY_MISSING },
    };
    unsigned char bytes[4];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct query query = query_of(cases[i].query);
        ck_assert_msg(query_hex(&query, "after", bytes, sizeof bytes) == cases[i].result, "%s",
                      cases[i].query);
    }
    struct query query = query_of("after=00ff0a");
    query_hex(&query, "after", bytes, sizeof bytes);
    ck_assert_mem_eq(bytes, "\0\xff\n", 3);
}
END_TEST

START_TEST(a_digit_is_one_digit) {
    static const struct {
        const char *query;
        unsigned digit;
    } cases[] = { { "hops=2", 2 },        { "hops=9&x", 9 }, { "hops=10", 0 }, { "hops=", 0 },
                  { "hops=a", 0 },        { "hops=:", 0 },   { "hops=/", 0 },  { "", 0 },
                  { "hops=1&hops=1", 0 }, { "hops=%32", 2 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct query query = query_of(cases[i].query);
        ck_assert_msg(query_digit(&query, "hops") == cases[i].digit, "%s", cases[i].query);
    }
}
END_TEST

START_TEST(encoding_is_judged_over_all) {
    ck_assert(query_is_encoded((struct slice){ NULL, 0 }));
    ck_assert(query_is_encoded(slice_of("a=b&c=%25%ff%00")));
    ck_assert(!query_is_encoded(slice_of("a=b&c=%zz")));
    ck_assert(!query_is_encoded(slice_of("a=b&%")));
    ck_assert(!query_is_encoded(slice_of("a=%gf")));
    ck_assert(!query_is_encoded(slice_of("%4&4=1")));
}
END_TEST

SUITE_MAIN("query", a_name_is_what_a_form_says_or_nothing, a_value_may_be_empty_and_beside_anything,
           hexadecimal_digits_are_read_as_they_are_written, a_digit_is_one_digit,
           encoding_is_judged_over_all)
