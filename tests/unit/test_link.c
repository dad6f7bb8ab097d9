#include "link.h"

#include "suite.h"

static wsf_link link_;
static const wsf_link_limits LIMITS = { 1000, 10000, 8 };

static void send_one(uint64_t number, uint32_t size, uint64_t serial) {
    ck_assert_uint_eq(link_.next, number);
    wsf_buffer *frame = wsf_buffer_new(size);
    frame->size = size;
    ck_assert_int_eq(wsf_link_keep(&link_, frame, serial, 2), WSFAN_OK);
    wsf_buffer_unref(frame);
}

static wsfan_message *message_of(size_t payload_size) {
    static uint8_t payload[100000];
    wsf_hash_key key;
    wsf_hash_key_init(&key, "c");
    wsfan_target target = { WSFAN_CHAT, { "x", 1 } };
    return wsf_message_new(&key, &target, 1, (wsfan_bytes){ payload, payload_size }, 0);
}

static uint64_t enqueue(size_t payload_size) {
    wsfan_message *message = message_of(payload_size);
    uint64_t dropped = wsf_link_enqueue(&link_, message);
    wsfan_message_unref(message);
    return dropped;
}

START_TEST(the_window_is_bounded_and_opens_with_acknowledgements) {
    uint64_t serial = 0;
    wsf_link_init(&link_, &LIMITS, 5);
    ck_assert(wsf_link_has_room(&link_, 5000)); /* one of any size when nothing is under way */
    send_one(1, 600, 10);
    ck_assert(wsf_link_has_room(&link_, 400));
    ck_assert(!wsf_link_has_room(&link_, 401));
    send_one(2, 400, 20);
    ck_assert(wsf_link_acknowledge(&link_, 5, 1, &serial));
    ck_assert_uint_eq(serial, 10);
    ck_assert(wsf_link_has_room(&link_, 600));
    ck_assert(wsf_link_acknowledge(&link_, 5, 2, &serial));
    ck_assert_uint_eq(serial, 20);
    ck_assert_uint_eq(link_.sent_bytes, 0);
    wsf_link_destroy(&link_);
}
END_TEST

START_TEST(an_acknowledgement_of_what_was_not_sent_is_refused) {
    uint64_t serial = 0;
    wsf_link_init(&link_, &LIMITS, 5);
    send_one(1, 10, 1);
    ck_assert(!wsf_link_acknowledge(&link_, 5, 2, &serial));
    ck_assert(wsf_link_acknowledge(&link_, 4, 100, &serial)); /* an old stream: no matter */
    ck_assert_uint_eq(link_.sent.count, 1);
    ck_assert(wsf_link_acknowledge(&link_, 5, 1, &serial));
    ck_assert(wsf_link_acknowledge(&link_, 5, 1, &serial)); /* again: no matter */
    wsf_link_destroy(&link_);
}
END_TEST

START_TEST(what_is_not_acknowledged_goes_again_in_order) {
    uint64_t serial = 0;
    wsf_link_init(&link_, &LIMITS, 5);
    for (uint64_t n = 1; n <= 4; n++)
        send_one(n, (uint32_t)n, n);
    ck_assert_ptr_null(wsf_link_next_resend(&link_));
    wsf_link_acknowledge(&link_, 5, 1, &serial);
    wsf_link_resend(&link_, 0);
    for (uint32_t n = 2; n <= 4; n++)
        ck_assert_uint_eq(wsf_link_next_resend(&link_)->size, n);
    ck_assert_ptr_null(wsf_link_next_resend(&link_));
    wsf_link_resend(&link_, 4);
    wsf_link_resend(&link_, 3);
    ck_assert_uint_eq(wsf_link_next_resend(&link_)->size, 3);
    wsf_link_acknowledge(&link_, 5, 4, &serial);
    ck_assert_ptr_null(wsf_link_next_resend(&link_));
    wsf_link_destroy(&link_);
}
END_TEST

START_TEST(a_full_queue_drops_the_oldest_and_counts_them) {
    wsf_link_init(&link_, &LIMITS, 5);
    for (size_t i = 0; i < 8; i++)
        ck_assert_uint_eq(enqueue(i), 0);
    ck_assert_uint_eq(enqueue(8), 1); /* by count */
    ck_assert_uint_eq(wsf_link_front(&link_)->payload_size, 1);
    ck_assert_uint_eq(link_.queue.count, 8);
    ck_assert_uint_eq(enqueue(9880), 8); /* by bytes */
    ck_assert_uint_eq(link_.queue.count, 1);
    ck_assert_uint_eq(enqueue(20000), 1); /* larger than all of it: alone */
    ck_assert_uint_eq(link_.queue.count, 1);
    ck_assert_uint_eq(link_.lost, 10);
    wsf_link_destroy(&link_);
}
END_TEST

START_TEST(a_restart_counts_what_was_under_way_and_keeps_what_waits) {
    wsf_link_init(&link_, &LIMITS, 5);
    send_one(1, 10, 1);
    send_one(2, 10, 1);
    enqueue(1);
    wsf_link_restart(&link_, 6);
    ck_assert_uint_eq(link_.lost, 4); /* two frames of two messages */
    ck_assert_uint_eq(link_.queue.count, 1);
    send_one(1, 10, 1);
    ck_assert_uint_eq(link_.epoch, 6);
    wsf_link_destroy(&link_);
}
END_TEST

START_TEST(frames_are_taken_strictly_by_number) {
    wsf_link_init(&link_, &LIMITS, 5);
    ck_assert_int_eq(wsf_link_receive(&link_, 9, 1), WSF_RECEIVE_FOREIGN);
    ck_assert_int_eq(wsf_link_receive(&link_, 0, 1), WSF_RECEIVE_FOREIGN);
    link_.in_epoch = 9;
    ck_assert_int_eq(wsf_link_receive(&link_, 9, 1), WSF_RECEIVE_NEXT);
    ck_assert_int_eq(wsf_link_receive(&link_, 9, 1), WSF_RECEIVE_DUPLICATE);
    ck_assert_int_eq(wsf_link_receive(&link_, 9, 3), WSF_RECEIVE_GAP);
    ck_assert_int_eq(wsf_link_receive(&link_, 9, 2), WSF_RECEIVE_NEXT);
    ck_assert_int_eq(wsf_link_receive(&link_, 9, 3), WSF_RECEIVE_NEXT);
    wsf_link_destroy(&link_);
}
END_TEST

SUITE_MAIN("link", the_window_is_bounded_and_opens_with_acknowledgements,
           an_acknowledgement_of_what_was_not_sent_is_refused,
           what_is_not_acknowledged_goes_again_in_order,
           a_full_queue_drops_the_oldest_and_counts_them,
           a_restart_counts_what_was_under_way_and_keeps_what_waits,
           frames_are_taken_strictly_by_number)
