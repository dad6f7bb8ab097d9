#include "message/message.h"

#include <string.h>

#include "suite.h"

static wsf_hash_key key(void) {
    wsf_hash_key k;
    wsf_hash_key_init(&k, "cluster");
    return k;
}

static wsfan_message *make(const wsfan_target *targets, uint32_t count, const char *payload,
                           uint32_t headroom_size) {
    wsf_hash_key k = key();
    wsf_message_parts parts = { .targets = targets,
                                .targets_count = count,
                                .headroom_size = headroom_size,
                                .payload = wsfan_string(payload) };
    return wsf_message_new(&k, &parts);
}

START_TEST(it_keeps_copies_of_all_that_it_was_made_of) {
    char chat[] = "chat-name";
    char payload[] = "hello";
    wsfan_target targets[] = { { WSFAN_CHAT, wsfan_string(chat) },
                               { WSFAN_USER, { "u", 1 } },
                               { WSFAN_ALL, { NULL, 0 } } };
    wsfan_message *message = make(targets, 3, payload, 14);
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
    wsfan_target target = { WSFAN_CHAT, { "c", 1 } };
    wsfan_message *message = make(&target, 1, "body", 4);
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
    wsfan_target target = { WSFAN_CHAT, { "chat", 4 } };
    wsfan_message *message = make(&target, 1, "body", 4);
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

static wsf_message_parts parts_of(const wsfan_target *target, wsfan_bytes payload) {
    return (wsf_message_parts){ .targets = target,
                                .targets_count = 1,
                                .headroom_size = 4,
                                .payload = payload,
                                .flags = WSFAN_BINARY,
                                .except = { 7, 8 } };
}

/* Any of them may go first, and the slab stays for the rest: a sanitizer watches. */
START_TEST(messages_of_one_slab_live_and_end_by_themselves) {
    enum { COUNT = 100 };
    wsf_message_pool pool = { 0 };
    wsfan_message *messages[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        wsfan_target target = { WSFAN_CHAT, { &i, 4 } };
        wsf_message_parts parts = parts_of(&target, (wsfan_bytes){ &i, 4 });
        messages[i] = wsf_message_make(&pool, &parts, wsf_message_need(&parts));
        ck_assert_uint_eq((uintptr_t)wsfan_message_payload(messages[i]).data % 16, 0);
        memset(wsfan_message_headroom(messages[i], 4), 0xff, 4);
    }
    wsf_message_pool_close(&pool);
    wsf_message_bin bin = { 0 };
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t turn = i * 37 % COUNT;
        ck_assert_mem_eq(wsfan_message_payload(messages[turn]).data, &turn, 4);
        ck_assert_mem_eq(wsfan_message_target(messages[turn], 0).name.data, &turn, 4);
        wsfan_message_ref(messages[turn]);
        if (turn % 2 == 0)
            wsfan_message_unref(messages[turn]);
        else
            wsf_message_bin_add(&bin, messages[turn]);
        wsfan_message_unref(messages[turn]);
    }
    wsf_message_bin_empty(&bin);
}
END_TEST

START_TEST(a_slice_keeps_its_frame_and_a_clone_of_it_does_not) {
    wsf_hash_key k = key();
    wsfan_target target = { WSFAN_CHAT, { "chat", 4 } };
    wsf_buffer *frame = wsf_buffer_new(100);
    frame->size = 100;
    memset(frame->data, 'x', 100);
    wsf_message_parts parts = parts_of(&target, (wsfan_bytes){ frame->data + 20, 80 });
    wsfan_message *slice = wsf_message_slice(&k, &parts, frame);
    ck_assert_ptr_eq(wsfan_message_payload(slice).data, frame->data + 20);
    ck_assert_ptr_eq(wsfan_message_headroom(slice, 4), frame->data + 16);
    ck_assert_uint_ge(wsf_message_size(slice), 80);
    ck_assert_uint_eq(atomic_load(&frame->refs), 2);
    wsfan_message *clone = wsf_message_clone(slice);
    wsfan_message_unref(slice);
    ck_assert_uint_eq(atomic_load(&frame->refs), 1);
    wsf_buffer_unref(frame);
    ck_assert_uint_eq(wsfan_message_payload(clone).size, 80);
    ck_assert_mem_eq(wsfan_message_payload(clone).data, "xxxx", 4);
    ck_assert_ptr_nonnull(wsfan_message_headroom(clone, 4));
    wsfan_message_unref(clone);
}
END_TEST

START_TEST(a_payload_apart_has_a_buffer_of_its_own_with_the_headroom_in_it) {
    wsf_hash_key k = key();
    wsfan_target target = { WSFAN_CHAT, { "chat", 4 } };
    wsf_message_parts parts = {
        .targets = &target, .targets_count = 1, .headroom_size = 4, .payload = { "body", 4 }
    };
    parts.apart = true;
    wsfan_message *message = wsf_message_new(&k, &parts);
    ck_assert_uint_eq(wsf_message_size(message), wsf_message_need(&parts));
    ck_assert_uint_eq(message->item.bytes, wsf_message_need(&parts));
    ck_assert_ptr_eq(message->payload + 4, message->frame->data + message->frame->size);
    for (uint8_t *at = message->frame->data; at < message->payload; at++)
        ck_assert_uint_eq(*at, 0); /* peers may be sent it */
    ck_assert_uint_eq((uintptr_t)message->payload % 16, 0);
    wsfan_message *clone = wsf_message_clone(message);
    memcpy(wsfan_message_headroom(clone, 4), "head", 4);
    ck_assert_mem_eq(wsfan_message_headroom(message, 4), "\0\0\0\0body", 8);
    ck_assert_mem_eq(wsfan_message_headroom(clone, 4), "headbody", 8);
    wsf_buffer *bytes = wsf_buffer_ref(message->frame);
    wsfan_message_unref(message);
    ck_assert_uint_eq(atomic_load(&bytes->refs), 1);
    wsf_buffer_unref(bytes);
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
           messages_of_one_slab_live_and_end_by_themselves,
           a_slice_keeps_its_frame_and_a_clone_of_it_does_not,
           a_payload_apart_has_a_buffer_of_its_own_with_the_headroom_in_it,
           hashes_depend_on_kind_name_and_cluster)
