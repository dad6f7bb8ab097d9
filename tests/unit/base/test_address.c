/* Addresses as text, and what a target may be named. */
#include <string.h>

#include "message/message.h"
#include "suite.h"

static int parse(const char *text, wsfan_address *address) {
    return wsfan_address_parse(address, wsfan_string(text));
}

START_TEST(an_address_is_read_back_as_it_was_written) {
    static const wsfan_address addresses[] = {
        { 1, 1 }, { UINT64_MAX, UINT64_MAX }, { UINT64_C(0x0123456789abcdef), 16 }, { 42, 0 }
    };
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        char text[WSFAN_ADDRESS_TEXT_SIZE];
        wsfan_address read = { 0, 0 };
        ck_assert_ptr_eq(wsfan_address_text(addresses[i], text), text);
        ck_assert_uint_eq(strlen(text), addresses[i].session != 0 ? 33 : 16);
        ck_assert_int_eq(parse(text, &read), WSFAN_OK);
        ck_assert_uint_eq(read.node, addresses[i].node);
        ck_assert_uint_eq(read.session, addresses[i].session);
    }
    char text[WSFAN_ADDRESS_TEXT_SIZE];
    ck_assert_str_eq(wsfan_address_text((wsfan_address){ 0xabc, 0xdef }, text),
                     "0000000000000abc-0000000000000def");
}
END_TEST

START_TEST(any_other_text_is_no_address) {
    static const char *const texts[] = { "",
                                         "0000000000000abc-",
                                         "0000000000000abc-0000000000000de",
                                         "0000000000000abc-0000000000000def0",
                                         "0000000000000ABC-0000000000000def",
                                         "0000000000000abc_0000000000000def",
                                         "0000000000000abc-000000000000 def",
                                         "0000000000000000-0000000000000def",
                                         "0000000000000abc-0000000000000000",
                                         "0000000000000000",
                                         "000000000000abc" };
    wsfan_address address = { 7, 8 };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(parse(texts[i], &address) == WSFAN_EINVAL, "%s", texts[i]);
    ck_assert_uint_eq(address.node, 7);
    ck_assert_int_eq(wsfan_address_parse(NULL, wsfan_string("0000000000000abc")), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_address_parse(&address, (wsfan_bytes){ NULL, 16 }), WSFAN_EINVAL);
}
END_TEST

static bool valid(int kind, const char *name) {
    return wsf_target_valid(&(wsfan_target){ (wsfan_target_kind)kind, wsfan_string(name) });
}

START_TEST(each_kind_of_target_wants_a_name_of_its_own_sort) {
    const char *session = "0000000000000abc-0000000000000def";
    const char *node = "0000000000000abc";
    for (int no = 0; no <= WSF_NOT; no += WSF_NOT) {
        ck_assert(valid(WSFAN_CHAT + no, "x") && !valid(WSFAN_CHAT + no, ""));
        ck_assert(valid(WSFAN_USER + no, "x") && !valid(WSFAN_USER + no, ""));
        ck_assert(valid(WSFAN_SESSION + no, session) && !valid(WSFAN_SESSION + no, node));
        ck_assert(valid(WSFAN_NODE + no, node) && !valid(WSFAN_NODE + no, session));
        ck_assert(!valid(WSFAN_SESSION + no, "x") && !valid(WSFAN_NODE + no, ""));
    }
    ck_assert(valid(WSFAN_ALL, "") && !valid(WSFAN_ALL, "x"));
    ck_assert(!valid(WSFAN_ALL + WSF_NOT, "") && !valid(0, "") && !valid(6, "x"));
    ck_assert(!valid(WSF_NOT, "") && !valid(WSFAN_CHAT + 2 * WSF_NOT, "x"));
    ck_assert(!wsf_target_valid(&(wsfan_target){ WSFAN_CHAT, { NULL, 1 } }));
}
END_TEST

SUITE_MAIN("address", an_address_is_read_back_as_it_was_written, any_other_text_is_no_address,
           each_kind_of_target_wants_a_name_of_its_own_sort)
