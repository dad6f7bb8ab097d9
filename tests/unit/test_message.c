#include "message.h"

#include <string.h>

#include "suite.h"

static wsf_hash_key key(void) {
    wsf_hash_key k;
    wsf_hash_key_init(&k, "cluster");
    return k;
}

START_TEST(it_keeps_copies_of_all_that_it_was_made_of) {
    wsf_hash_key k = key();
    char chat[] = "chat-name";
    char payload[] = "hello";
    wsfan_target targets[] = { { WSFAN_CHAT, wsfan_string(chat) },
                               { WSFAN_USER, { "u", 1 } },
                               { WSFAN_ALL, { NULL, 0 } } };
    wsfan_message *message = wsf_message_new(&k, targets, 3, wsfan_string(payload), 14);
    memset(chat, 'x', sizeof chat - 1);
    memset(payload, 'x', sizeof payload - 1);
    ck_assert_uint_eq(wsfan_message_targets_count(message), 3);
    wsfan_target first = wsfan_message_target(message, 0);
    ck_assert_int_eq(first.kind, WSFAN_CHAT);
    ck_assert_uint_eq(first.name.size, 9);
    ck_assert_mem_eq(first.name.data, "chat-name", 9);
    ck_assert_mem_eq(wsfan_message_target(message, 1).name.data, "u", 1);
    ck_assert_int_eq(wsfan_message_target(message, 2).kind, WSFAN_ALL);
    ck_assert_uint_eq(wsfan_message_payload(message).size, 5);
    ck_assert_mem_eq(wsfan_message_payload(message).data, "hello", 5);
    wsfan_message_unref(message);
}
END_TEST

START_TEST(the_headroom_ends_where_the_payload_begins) {
    wsf_hash_key k = key();
    wsfan_target target = { WSFAN_CHAT, { "c", 1 } };
    wsfan_message *message = wsf_message_new(&k, &target, 1, wsfan_string("body"), 4);
    char *header = wsfan_message_headroom(message, 4);
    ck_assert_ptr_nonnull(header);
    ck_assert_ptr_null(wsfan_message_headroom(message, 5));
    memcpy(header, "head", 4);
    ck_assert_mem_eq(header, "headbody", 8);
    ck_assert_mem_eq(wsfan_message_target(message, 0).name.data, "c", 1);
    wsfan_message_unref(message);
}
END_TEST

START_TEST(a_clone_has_the_same_content_and_its_own_headroom) {
    wsf_hash_key k = key();
    wsfan_target target = { WSFAN_CHAT, { "chat", 4 } };
    wsfan_message *message = wsf_message_new(&k, &target, 1, wsfan_string("body"), 4);
    message->flags = WSFAN_BINARY;
    message->id = (wsfan_message_id){ 5, 6 };
    message->except = (wsfan_address){ 7, 8 };
    wsfan_message *clone = wsf_message_clone(message);
    memcpy(wsfan_message_headroom(message, 4), "one:", 4);
    memcpy(wsfan_message_headroom(clone, 4), "two:", 4);
    ck_assert_mem_eq(wsfan_message_headroom(message, 4), "one:body", 8);
    ck_assert_mem_eq(wsfan_message_headroom(clone, 4), "two:body", 8);
    wsfan_message_unref(message);
    ck_assert_uint_eq(wsfan_message_flags(clone), WSFAN_BINARY);
    ck_assert_uint_eq(wsfan_message_get_id(clone).clock, 5);
    ck_assert_uint_eq(wsfan_message_get_id(clone).origin, 6);
    ck_assert_uint_eq(clone->except.session, 8);
    ck_assert_mem_eq(wsfan_message_target(clone, 0).name.data, "chat", 4);
    wsfan_message_unref(clone);
}
END_TEST

START_TEST(hashes_depend_on_kind_name_and_cluster) {
    wsf_hash_key k = key();
    wsf_hash_key other;
    wsf_hash_key_init(&other, "other cluster");
    wsfan_target chat = { WSFAN_CHAT, { "name", 4 } };
    wsfan_target user = { WSFAN_USER, { "name", 4 } };
    wsfan_target longer = { WSFAN_CHAT, { "name\0", 5 } };
    ck_assert_uint_eq(wsf_hash_target(&k, &chat), wsf_hash_target(&k, &chat));
    ck_assert_uint_ne(wsf_hash_target(&k, &chat), wsf_hash_target(&k, &user));
    ck_assert_uint_ne(wsf_hash_target(&k, &chat), wsf_hash_target(&k, &longer));
    ck_assert_uint_ne(wsf_hash_target(&k, &chat), wsf_hash_target(&other, &chat));
}
END_TEST

SUITE_MAIN("message", it_keeps_copies_of_all_that_it_was_made_of,
           the_headroom_ends_where_the_payload_begins,
           a_clone_has_the_same_content_and_its_own_headroom,
           hashes_depend_on_kind_name_and_cluster)
