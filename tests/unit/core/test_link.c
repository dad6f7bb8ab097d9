#include "core/link/link.h"

#include <string.h>

#include "runs.h"

static wsf_link link_;
static const wsf_link_limits LIMITS = { 1000, 10000, 8, NULL, NULL };

static void send_one(uint64_t number, uint32_t size, uint64_t serial) {
    ck_assert_uint_eq(link_.next, number);
    wsf_buffer *frame = wsf_buffer_new(size);
    frame->size = size;
    ck_assert_int_eq(wsf_link_keep(&link_, frame, serial, 2, false), WSFAN_OK);
    wsf_buffer_unref(frame);
}

static wsfan_message *message_of(size_t payload_size) {
    static uint8_t payload[100000];
    wsf_hash_key key;
    wsf_hash_key_init(&key, "c");
    wsfan_target target = { WSFAN_CHAT, { "x", 1 } };
    wsf_message_parts parts = { .targets = &target,
                                .targets_count = 1,
                                .payload = { payload, payload_size } };
    return wsf_message_new(&key, &parts);
}

static uint64_t enqueue(size_t payload_size) {
    wsfan_message *message = message_of(payload_size);
    uint64_t dropped = wsf_link_enqueue(&link_, wsf_span_of(message));
    wsfan_message_unref(message);
    return dropped;
}

START_TEST(the_window_is_bounded_and_opens_with_acknowledgements) {
    uint64_t serial = 0;
    wsf_link_init(&link_, &LIMITS, 5, 0);
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

START_TEST(a_frame_larger_than_the_window_does_not_wait_until_nothing_is_under_way) {
    uint64_t serial = 0;
    wsf_link_init(&link_, &LIMITS, 5, 0);
    send_one(1, 100, 1);
    send_one(2, 500, 2);
    ck_assert(!wsf_link_has_room(&link_, 5000));
    ck_assert(wsf_link_acknowledge(&link_, 5, 1, &serial));
    ck_assert(wsf_link_has_room(&link_, 5000));
    wsf_link_destroy(&link_);
}
END_TEST

START_TEST(an_acknowledgement_of_what_was_not_sent_is_refused) {
    uint64_t serial = 0;
    wsf_link_init(&link_, &LIMITS, 5, 0);
    send_one(1, 10, 1);
    ck_assert(!wsf_link_acknowledge(&link_, 5, 2, &serial));
    ck_assert(wsf_link_acknowledge(&link_, 4, 100, &serial)); /* an old stream: no matter */
    ck_assert_uint_eq(link_.sent.count, 1);
    ck_assert(wsf_link_acknowledge(&link_, 5, 1, &serial));
    ck_assert(wsf_link_acknowledge(&link_, 5, 1, &serial)); /* again: no matter */
    wsf_link_destroy(&link_);
}
END_TEST

static void ask_again(uint64_t from, uint64_t to, uint64_t now_ms) {
    wsf_range range = { from, to };
    wsf_link_ask_again(&link_, &range, 1, now_ms);
}

static void expect_again(uint32_t size) {
    wsf_buffer *frame = wsf_link_next_again(&link_);
    ck_assert_ptr_nonnull(frame);
    ck_assert_uint_eq(frame->size, size);
}

START_TEST(what_is_asked_for_goes_again_in_order_and_once) {
    uint64_t serial = 0;
    wsf_link_init(&link_, &LIMITS, 5, 0);
    for (uint64_t n = 1; n <= 6; n++)
        send_one(n, (uint32_t)n, n);
    ck_assert_ptr_null(wsf_link_next_again(&link_));
    wsf_link_acknowledge(&link_, 5, 1, &serial);
    static const wsf_range ranges[] = {
        { 5, 5 }, { 0, 2 },          /* 1 was acknowledged */
        { 2, 3 }, { 7, UINT64_MAX }, /* not sent yet */
        { 4, 3 },
    };
    wsf_link_ask_again(&link_, ranges, sizeof ranges / sizeof *ranges, 1000);
    expect_again(2);
    expect_again(3);
    expect_again(5);
    ck_assert_ptr_null(wsf_link_next_again(&link_));
    ask_again(3, UINT64_MAX, 2000);
    expect_again(3);
    wsf_link_acknowledge(&link_, 5, 5, &serial); /* in the middle of it */
    expect_again(6);
    ck_assert_ptr_null(wsf_link_next_again(&link_));
    wsf_link_destroy(&link_);
}
END_TEST

static uint32_t count_again(void) {
    uint32_t count = 0;
    while (wsf_link_next_again(&link_) != NULL)
        count++;
    return count;
}

/* How many of frames 1 to 6, which the peer lacks, are sent again while it asks for them every ms. */
static uint32_t asked_every_ms(uint64_t from_ms, uint64_t to_ms) {
    uint32_t count = 0;
    for (uint64_t ms = from_ms; ms < to_ms; ms++) {
        ask_again(link_.acked + 1, 6, ms);
        count += count_again();
    }
    return count;
}

START_TEST(what_was_sent_again_is_on_its_way) {
    uint64_t serial = 0;
    wsf_link_init(&link_, &LIMITS, 5, 0);
    for (uint64_t n = 1; n <= 7; n++)
        send_one(n, 10, n);
    /* At once, and after 50, 100, 200, 400 and 800 ms more without an acknowledgement. */
    ck_assert_uint_eq(asked_every_ms(1000, 1000 + 50), 6);
    ck_assert_uint_eq(asked_every_ms(1050, 1050 + 100), 6);
    ck_assert_uint_eq(asked_every_ms(1150, 1150 + 1400), 3 * 6);

    /* On a slow wire each acknowledgement says that the rest is on its way. */
    for (uint64_t n = 1; n <= 4; n++) {
        ck_assert(wsf_link_acknowledge(&link_, 5, n, &serial));
        wsf_link_progress(&link_, 2600 + n * 700);
        ck_assert_uint_eq(asked_every_ms(2600 + n * 700, 2600 + n * 700 + 700), 0);
    }

    /* A frame that was not asked for before is sent at once; one once more when it is time. */
    ask_again(5, 7, 6100);
    expect_again(10);
    ck_assert_uint_eq(count_again(), 0);
    ck_assert_uint_eq(asked_every_ms(6101, 6000 + 1700), 2);

    /* What had been sent by the last doubling is acknowledged. */
    ck_assert(wsf_link_acknowledge(&link_, 5, 7, &serial));
    wsf_link_progress(&link_, 9000);
    for (uint64_t n = 8; n <= 9; n++)
        send_one(n, 10, n);
    ask_again(8, 9, 9001);
    ck_assert_uint_eq(count_again(), 2);
    ask_again(8, 9, 9050);
    ck_assert_uint_eq(count_again(), 0);
    ask_again(8, 9, 9051);
    ck_assert_uint_eq(count_again(), 2);
    wsf_link_destroy(&link_);
}
END_TEST

START_TEST(a_new_connection_has_nothing_of_what_was_sent_again) {
    wsf_link_init(&link_, &LIMITS, 5, 0);
    for (uint64_t n = 1; n <= 6; n++)
        send_one(n, 10, n);
    ck_assert_uint_eq(asked_every_ms(1000, 2000), 5 * 6);
    wsf_link_reconnected(&link_);
    ck_assert_uint_eq(asked_every_ms(2000, 2050), 6);
    ck_assert_uint_eq(asked_every_ms(2050, 2051), 6);
    wsf_link_destroy(&link_);
}
END_TEST

START_TEST(a_repetition_waits_for_two_round_trips) {
    uint64_t serial = 0;
    uint64_t ms;
    wsf_link_init(&link_, &LIMITS, 5, 0);
    for (uint64_t n = 1; n <= 6; n++) {
        send_one(n, 10, n);
        wsf_link_time_begin(&link_, 1000);
    }
    ck_assert(wsf_link_acknowledge(&link_, 5, 1, &serial));
    ck_assert(wsf_link_time_end(&link_, 1300, &ms));
    ck_assert_uint_eq(asked_every_ms(2000, 2000 + 650), 5);
    ck_assert_uint_eq(asked_every_ms(2650, 2651), 5);
    wsf_link_destroy(&link_);
}
END_TEST

START_TEST(a_full_queue_drops_the_oldest_and_counts_them) {
    wsf_link_init(&link_, &LIMITS, 5, 0);
    for (size_t i = 0; i < 8; i++)
        ck_assert_uint_eq(enqueue(i), 0);
    ck_assert_uint_eq(enqueue(8), 1); /* by count */
    ck_assert_uint_eq(wsf_link_front(&link_)->message->payload_size, 1);
    ck_assert_uint_eq(link_.queue.count, 8);
    ck_assert_uint_eq(enqueue(9880), 8); /* by bytes */
    ck_assert_uint_eq(link_.queue.count, 1);
    ck_assert_uint_eq(enqueue(20000), 1); /* larger than all of it: alone */
    ck_assert_uint_eq(link_.queue.count, 1);
    ck_assert_uint_eq(link_.lost, 10);
    wsf_link_destroy(&link_);
}
END_TEST

static void enqueue_at(uint64_t clock, uint64_t slot) {
    wsfan_message *message = message_of(8);
    message->id.clock = clock;
    message->slot = slot;
    if (slot == 0 || !wsf_link_replace(&link_, message))
        wsf_link_enqueue(&link_, wsf_span_of(message));
    wsfan_message_unref(message);
}

START_TEST(the_least_clock_that_waits_is_that_of_the_front_but_for_latest_values) {
    wsf_link_init(&link_, &LIMITS, 5, 0);
    ck_assert_uint_eq(wsf_link_least_clock(&link_), UINT64_MAX);
    enqueue_at(50, 7);
    ck_assert_uint_eq(wsf_link_least_clock(&link_), 50);
    enqueue_at(60, 0);
    enqueue_at(70, 0);
    enqueue_at(100, 7); /* in the place of 50: it overtakes */
    ck_assert_uint_eq(wsf_link_least_clock(&link_), 60);
    wsf_link_take(&link_, 1);
    ck_assert_uint_eq(wsf_link_least_clock(&link_), 60);
    wsf_link_take(&link_, 1);
    wsf_link_take(&link_, 1);
    ck_assert_uint_eq(wsf_link_least_clock(&link_), UINT64_MAX);
    wsf_link_destroy(&link_);
}
END_TEST

START_TEST(what_is_lost_is_not_newer_than_the_clock_that_is_noted) {
    wsf_link_init(&link_, &LIMITS, 5, 0);
    for (uint64_t clock = 1; clock <= 10; clock++)
        enqueue_at(clock, 0);
    ck_assert_uint_eq(link_.lost, 2); /* of ten, eight of which may wait */
    ck_assert_uint_eq(link_.lost_clock, 2);
    wsf_link_drop_queue(&link_);
    ck_assert_uint_eq(link_.lost_clock, 10);
    wsf_link_restart_out(&link_, 6, 20);
    ck_assert_uint_eq(link_.lost_clock, 20);
    wsf_link_destroy(&link_);
}
END_TEST

START_TEST(a_restart_counts_what_was_under_way_and_keeps_what_waits) {
    wsf_link_init(&link_, &LIMITS, 5, 0);
    send_one(1, 10, 1);
    send_one(2, 10, 1);
    enqueue(1);
    wsf_link_restart_out(&link_, 6, 0);
    ck_assert_uint_eq(link_.lost, 4); /* two frames of two messages */
    ck_assert_uint_eq(link_.queue.count, 1);
    send_one(1, 10, 1);
    ck_assert_uint_eq(link_.epoch, 6);
    wsf_link_destroy(&link_);
}
END_TEST

START_TEST(what_an_open_frame_holds_is_lost_with_its_stream) {
    wsf_link_init(&link_, &LIMITS, 5, 0);
    link_.open = (wsf_open_frame){ .frame = wsf_buffer_new(100), .messages = 3 };
    wsf_link_restart_out(&link_, 6, 0);
    ck_assert_uint_eq(link_.lost, 3);
    ck_assert_uint_eq(link_.open.messages, 0);
    ck_assert_ptr_null(link_.open.frame);
    link_.open = (wsf_open_frame){ .frame = wsf_buffer_new(100), .messages = 3 };
    wsf_link_destroy(&link_); /* a sanitizer watches */
}
END_TEST

/* ---------------------------------------------------------------------------------------- runs */

static uint64_t enqueue_run(uint32_t count, size_t size) {
    wsfan_message *run = wsf_run_fit(run_of(count, "x", size));
    uint64_t dropped = wsf_link_enqueue(&link_, wsf_span_of(run));
    wsfan_message_unref(run);
    return dropped;
}

static uint32_t front_number(void) {
    const wsf_span *front = wsf_link_front(&link_);
    return number_of(wsf_run_payload(front->message, front->from));
}

static void check_queue(uint32_t spans, uint32_t count) {
    uint64_t bytes = 0;
    uint32_t counted = 0;
    for (uint32_t i = 0; i < link_.queue.count; i++) {
        const wsf_span *span = wsf_deque_at(&link_.queue, i);
        ck_assert_uint_gt(wsf_span_count(*span), 0);
        counted += wsf_span_count(*span);
        bytes += wsf_span_bytes(*span);
    }
    ck_assert_uint_eq(link_.queue.count, spans);
    ck_assert_uint_eq(counted, count);
    ck_assert_uint_eq(link_.queue_count, count);
    ck_assert_uint_eq(link_.queue_bytes, bytes);
}

START_TEST(a_run_in_a_full_queue_drops_as_many_of_the_oldest_as_it_has_itself) {
    static const wsf_link_limits limits = { 1000, 1 << 20, 20, NULL, NULL };
    wsf_link_init(&link_, &limits, 5, 0);
    ck_assert_uint_eq(enqueue_run(12, 30), 0);
    ck_assert_uint_eq(enqueue_run(8, 30), 0); /* just full */
    check_queue(2, 20);
    ck_assert_uint_eq(enqueue(7), 1);
    check_queue(3, 20);
    ck_assert_uint_eq(front_number(), 1);
    ck_assert_uint_eq(enqueue_run(10, 30), 10); /* inside the first */
    check_queue(4, 20);
    ck_assert_uint_eq(front_number(), 11);
    ck_assert_uint_eq(enqueue_run(3, 30), 3); /* its last one, and two of the next */
    check_queue(4, 20);
    ck_assert_uint_eq(front_number(), 2);
    ck_assert_uint_eq(enqueue_run(20, 30), 20); /* all */
    check_queue(1, 20);
    ck_assert_uint_eq(front_number(), 0);
    ck_assert_uint_eq(enqueue_run(25, 30), 25); /* and five of its own */
    check_queue(1, 20);
    ck_assert_uint_eq(front_number(), 5);
    ck_assert_uint_eq(link_.lost, 59);
    wsf_link_destroy(&link_);
}
END_TEST

START_TEST(by_bytes_no_message_more_is_dropped_than_must_be) {
    wsfan_message *run = wsf_run_fit(run_of(40, "x", 100));
    for (uint64_t over = 0; over < 3000; over += 37) {
        wsf_link_limits limits = { 1000, 2 * run->size - over, 1000, NULL, NULL };
        wsf_link_init(&link_, &limits, 5, 0);
        ck_assert_uint_eq(wsf_link_enqueue(&link_, wsf_span_of(run)), 0);
        uint64_t dropped = wsf_link_enqueue(&link_, wsf_span_of(run));
        check_queue(2, 80 - (uint32_t)dropped);
        ck_assert_uint_le(link_.queue_bytes, limits.queue_bytes_max);
        if (dropped > 0) { /* with one more it would be too much */
            wsf_span last = { run, (uint32_t)dropped - 1, (uint32_t)dropped };
            ck_assert_uint_gt(link_.queue_bytes + wsf_span_bytes(last), limits.queue_bytes_max);
        }
        ck_assert_int_eq(dropped > 0, over > 0);
        wsf_link_destroy(&link_);
    }
    wsfan_message_unref(run);
}
END_TEST

START_TEST(a_run_larger_than_the_queue_leaves_its_newest_messages) {
    wsfan_message *run = wsf_run_fit(run_of(40, "x", 100));
    wsf_link_limits limits = { 1000, run->size / 2, 1000, NULL, NULL };
    wsf_link_init(&link_, &limits, 5, 0);
    ck_assert(!wsf_link_fits(&link_, wsf_span_of(run)));
    uint64_t dropped = wsf_link_enqueue(&link_, wsf_span_of(run));
    ck_assert_uint_eq(dropped, 20);
    check_queue(1, 20);
    ck_assert_uint_eq(front_number(), 20);
    wsf_link_destroy(&link_);
    limits.queue_bytes_max = 1; /* an empty queue takes one */
    wsf_link_init(&link_, &limits, 5, 0);
    ck_assert_uint_eq(wsf_link_enqueue(&link_, wsf_span_of(run)), 39);
    check_queue(1, 1);
    ck_assert_uint_eq(front_number(), 39);
    wsf_link_destroy(&link_);
    wsfan_message_unref(run);
}
END_TEST

START_TEST(messages_of_runs_are_taken_in_any_portions) {
    static const wsf_link_limits limits = { 1000, 1 << 20, 1000, NULL, NULL };
    uint64_t random = 8;
    wsf_link_init(&link_, &limits, 5, 0);
    for (unsigned round = 0; round < 20; round++) {
        enqueue_run(1 + (uint32_t)(next_random(&random) % 30), 20);
        enqueue_run(1 + (uint32_t)(next_random(&random) % 30), 20);
    }
    uint32_t next = 0;
    uint32_t left = link_.queue_count;
    while (left > 0) {
        uint32_t most = wsf_span_count(*wsf_link_front(&link_));
        uint32_t count = 1 + (uint32_t)(next_random(&random) % most);
        ck_assert_uint_eq(front_number(), next);
        next = count == most ? 0 : next + count;
        wsf_link_take(&link_, count);
        left -= count;
        check_queue(link_.queue.count, left);
    }
    ck_assert_ptr_null(wsf_link_front(&link_));
    ck_assert_uint_eq(link_.queue_bytes, 0);
    enqueue_run(7, 20);
    wsf_link_take(&link_, 3);
    ck_assert_uint_eq(wsf_link_drop_queue(&link_), 4);
    ck_assert_uint_eq(link_.lost, 4);
    ck_assert_uint_eq(link_.queue_bytes, 0);
    wsf_link_destroy(&link_);
}
END_TEST

START_TEST(a_latest_value_is_replaced_between_runs_that_come_and_go) {
    static const wsf_link_limits limits = { 1000, 1 << 20, 100, NULL, NULL };
    wsf_link_init(&link_, &limits, 5, 0);
    enqueue_run(10, 20);
    wsfan_message *older = message_of(5);
    older->slot = 77;
    ck_assert(!wsf_link_replace(&link_, older));
    wsf_link_enqueue(&link_, wsf_span_of(older));
    enqueue_run(10, 20);
    wsf_link_take(&link_, 4); /* inside the first run */
    wsfan_message *newer = message_of(6);
    newer->slot = 77;
    ck_assert(wsf_link_replace(&link_, newer));
    wsf_link_take(&link_, 6);
    ck_assert_ptr_eq(wsf_link_front(&link_)->message, newer);
    ck_assert(wsf_link_replace(&link_, older));
    ck_assert_ptr_eq(wsf_link_front(&link_)->message, older);
    wsf_link_take(&link_, 1);
    ck_assert(!wsf_link_replace(&link_, newer));
    ck_assert_uint_eq(front_number(), 0);
    wsfan_message_unref(older);
    wsfan_message_unref(newer);
    wsf_link_destroy(&link_);
}
END_TEST

static wsf_receive receive_of(uint64_t epoch, uint64_t number, uint32_t size) {
    wsf_buffer *frame = wsf_buffer_new(size);
    frame->size = size;
    memset(frame->data, (uint8_t)number, size);
    wsf_receive verdict = wsf_link_receive(&link_, epoch, number, frame);
    wsf_buffer_unref(frame);
    return verdict;
}

static wsf_receive receive(uint64_t number) {
    return receive_of(9, number, 100);
}

static void expect_missing(const wsf_range *expected, uint32_t count) {
    wsf_range ranges[WSF_NACK_RANGES_MAX];
    ck_assert_uint_eq(wsf_link_missing(&link_, ranges), count);
    ck_assert_int_eq(wsf_link_complete(&link_), count == 0);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_uint_eq(ranges[i].from, expected[i].from);
        ck_assert_uint_eq(ranges[i].to, expected[i].to);
    }
}

static void expect_held(uint8_t number) {
    ck_assert_ptr_nonnull(wsf_link_held(&link_));
    ck_assert_uint_eq(wsf_link_held(&link_)->data[0], number);
    wsf_link_take_held(&link_);
}

START_TEST(frames_of_another_stream_are_foreign_and_old_ones_duplicates) {
    wsf_link_init(&link_, &LIMITS, 5, 0);
    ck_assert_int_eq(receive(1), WSF_RECEIVE_FOREIGN);
    ck_assert_int_eq(receive_of(0, 1, 1), WSF_RECEIVE_FOREIGN);
    link_.in_epoch = 9;
    ck_assert_int_eq(receive(1), WSF_RECEIVE_NEXT);
    ck_assert_int_eq(receive(1), WSF_RECEIVE_DUPLICATE);
    ck_assert_int_eq(receive(2), WSF_RECEIVE_NEXT);
    wsf_link_destroy(&link_);
}
END_TEST

START_TEST(what_comes_too_early_waits_and_what_is_missing_is_known_by_range) {
    wsf_link_init(&link_, &LIMITS, 5, 0);
    link_.in_epoch = 9;
    expect_missing(NULL, 0);
    ck_assert_int_eq(receive(3), WSF_RECEIVE_HELD);
    ck_assert_int_eq(receive(4), WSF_RECEIVE_HELD);
    ck_assert_int_eq(receive(7), WSF_RECEIVE_HELD);
    ck_assert_int_eq(receive(4), WSF_RECEIVE_DUPLICATE);
    expect_missing((wsf_range[]){ { 1, 2 }, { 5, 6 } }, 2);
    wsf_link_note_newest(&link_, 9);
    expect_missing((wsf_range[]){ { 1, 2 }, { 5, 6 }, { 8, 9 } }, 3);
    ck_assert_ptr_null(wsf_link_held(&link_));
    ck_assert_int_eq(receive(1), WSF_RECEIVE_NEXT);
    ck_assert_ptr_null(wsf_link_held(&link_));
    ck_assert_int_eq(receive(2), WSF_RECEIVE_NEXT);
    expect_held(3);
    expect_held(4);
    ck_assert_ptr_null(wsf_link_held(&link_));
    ck_assert_int_eq(receive(5), WSF_RECEIVE_NEXT);
    ck_assert_int_eq(receive(6), WSF_RECEIVE_NEXT);
    wsf_link_drop_held(&link_); /* there was no memory to read it */
    expect_missing((wsf_range[]){ { 7, 9 } }, 1);
    for (uint64_t n = 7; n <= 9; n++)
        ck_assert_int_eq(receive(n), WSF_RECEIVE_NEXT);
    expect_missing(NULL, 0);
    ck_assert_uint_eq(link_.held_bytes, 0);
    wsf_link_destroy(&link_);
}
END_TEST

START_TEST(what_is_held_is_bounded) {
    wsf_link_init(&link_, &LIMITS, 5, 0); /* ten frames of 100 bytes */
    link_.in_epoch = 9;
    for (uint64_t n = 2; n <= 11; n++)
        ck_assert_int_eq(receive(n), WSF_RECEIVE_HELD);
    ck_assert_int_eq(receive(12), WSF_RECEIVE_NO_ROOM);
    ck_assert_uint_eq(link_.held_bytes, 1000);
    ck_assert_int_eq(receive(1), WSF_RECEIVE_NEXT);
    for (uint8_t n = 2; n <= 11; n++)
        expect_held(n);
    expect_missing((wsf_range[]){ { 12, 12 } }, 1);
    ck_assert_int_eq(receive(1000000), WSF_RECEIVE_NO_ROOM); /* nobody is that far ahead */
    wsf_link_restart_in(&link_, 6);
    expect_missing(NULL, 0);
    wsf_link_destroy(&link_);
}
END_TEST

/* Small parts may lie in memory that ZeroMQ received many frames in. */
START_TEST(small_parts_that_are_held_are_copied_and_large_ones_are_not) {
    static const uint32_t sizes[] = { 40, 10000 };
    wsf_link_limits limits = LIMITS;
    limits.window_bytes = 100000;
    wsf_link_init(&link_, &limits, 5, 0);
    link_.in_epoch = 9;
    for (unsigned first = 0; first < 2; first++)
        for (unsigned rest = 0; rest < 2; rest++) {
            wsf_buffer *frame = wsf_buffer_new(sizes[first]);
            frame->size = frame->capacity;
            frame->rest = wsf_buffer_new(sizes[rest]);
            memset(frame->rest->data, 7, sizes[rest]);
            wsf_buffer *second = frame->rest;
            second->size = sizes[rest];
            uint64_t before = link_.held_bytes;
            ck_assert_int_eq(wsf_link_receive(&link_, 9, 2 + first * 2 + rest, frame),
                             WSF_RECEIVE_HELD);
            ck_assert_uint_eq(link_.held_bytes - before, sizes[first] + sizes[rest]);
            wsf_buffer *kept = *(wsf_buffer **)wsf_deque_at(&link_.held, 1 + first * 2 + rest);
            ck_assert_int_eq(kept == frame, first == 1 && rest == 1);
            ck_assert_int_eq(kept->rest == second, rest == 1);
            ck_assert_uint_eq(kept->rest->size, sizes[rest]);
            ck_assert_uint_eq(kept->rest->data[sizes[rest] - 1], 7);
            wsf_buffer_unref(frame);
        }
    wsf_link_destroy(&link_);
}
END_TEST

START_TEST(no_more_ranges_than_a_nack_may_hold) {
    wsf_range ranges[WSF_NACK_RANGES_MAX];
    static const wsf_link_limits roomy = { 100000, 10000, 8, NULL, NULL };
    wsf_link_init(&link_, &roomy, 5, 0);
    link_.in_epoch = 9;
    for (uint64_t n = 2; n <= 100; n += 2)
        ck_assert_int_eq(receive(n), WSF_RECEIVE_HELD);
    ck_assert_uint_eq(wsf_link_missing(&link_, ranges), WSF_NACK_RANGES_MAX);
    ck_assert_uint_eq(ranges[15].from, 31);
    ck_assert_uint_eq(ranges[15].to, 31);
    wsf_link_destroy(&link_);
}
END_TEST

START_TEST(a_round_trip_is_that_of_a_frame_that_was_sent_once) {
    uint64_t serial = 0;
    uint64_t ms = 0;
    wsf_link_init(&link_, &LIMITS, 5, 0);
    send_one(1, 100, 10);
    wsf_link_time_begin(&link_, 1000);
    send_one(2, 100, 10);
    wsf_link_time_begin(&link_, 1010); /* the first is still timed */
    ck_assert(!wsf_link_time_end(&link_, 1020, &ms));
    ck_assert(wsf_link_acknowledge(&link_, 5, 1, &serial));
    ck_assert(wsf_link_time_end(&link_, 1030, &ms));
    ck_assert_uint_eq(ms, 30);
    ck_assert(!wsf_link_time_end(&link_, 1040, &ms));

    send_one(3, 100, 10);
    wsf_link_time_begin(&link_, 1050);
    ask_again(2, 2, 1055); /* holds up the acknowledgement of 3 */
    ck_assert(wsf_link_acknowledge(&link_, 5, 3, &serial));
    ck_assert(!wsf_link_time_end(&link_, 1060, &ms));

    send_one(4, 100, 10);
    wsf_link_time_begin(&link_, 1070);
    wsf_link_restart_out(&link_, 6, 0); /* numbers begin anew */
    for (uint64_t n = 1; n <= 4; n++)
        send_one(n, 100, 10);
    ck_assert(wsf_link_acknowledge(&link_, 6, 4, &serial));
    ck_assert(!wsf_link_time_end(&link_, 1080, &ms));
    wsf_link_destroy(&link_);
}
END_TEST

START_TEST(a_repair_lasts_from_the_first_look_at_a_gap_until_nothing_is_missing) {
    uint64_t ms = 0;
    wsf_link_init(&link_, &LIMITS, 5, 0);
    link_.in_epoch = 9;
    ck_assert_int_eq(receive(1), WSF_RECEIVE_NEXT);
    ck_assert(!wsf_link_repaired(&link_, 1000, &ms));
    ck_assert_int_eq(receive(3), WSF_RECEIVE_HELD);
    ck_assert(!wsf_link_repaired(&link_, 1010, &ms));
    ck_assert_int_eq(receive(5), WSF_RECEIVE_HELD);
    ck_assert(!wsf_link_repaired(&link_, 1020, &ms));
    ck_assert_int_eq(receive(2), WSF_RECEIVE_NEXT);
    expect_held(3);
    ck_assert(!wsf_link_repaired(&link_, 1030, &ms)); /* 4 is missing */
    ck_assert_int_eq(receive(4), WSF_RECEIVE_NEXT);
    expect_held(5);
    ck_assert(wsf_link_repaired(&link_, 1040, &ms));
    ck_assert_uint_eq(ms, 30);
    ck_assert(!wsf_link_repaired(&link_, 1050, &ms));

    ck_assert_int_eq(receive(7), WSF_RECEIVE_HELD);
    ck_assert(!wsf_link_repaired(&link_, 1060, &ms));
    wsf_link_restart_in(&link_, 10); /* what was missing will never come */
    ck_assert(!wsf_link_repaired(&link_, 1070, &ms));
    wsf_link_destroy(&link_);
}
END_TEST

static uint64_t fill(wsf_link *link) {
    uint64_t dropped = 0;
    for (unsigned i = 0; i < 1000; i++) {
        wsfan_message *message = message_of(100);
        dropped += wsf_link_enqueue(link, wsf_span_of(message));
        wsfan_message_unref(message);
    }
    return dropped;
}

START_TEST(links_share_a_budget_and_none_takes_the_part_of_another) {
    enum { LINKS = 4, ALL = 100000 };
    wsf_link_budget budget = { .bytes_max = ALL };
    const wsf_link_limits limits = { ALL, ALL, 100000, &budget, NULL };
    static wsf_link links[LINKS];
    for (unsigned i = 0; i < LINKS; i++)
        wsf_link_init(&links[i], &limits, 5, i);
    ck_assert_uint_eq(budget.links, LINKS);
    ck_assert_uint_gt(fill(&links[0]), 0);
    ck_assert_uint_gt(links[0].queue_bytes, ALL / 2 - 1000); /* nobody else needs the common half */
    ck_assert_uint_le(links[0].queue_bytes, ALL / 2);
    ck_assert(wsf_link_crowded(&links[0]));
    for (unsigned i = 1; i < LINKS; i++) {
        ck_assert(!wsf_link_crowded(&links[i]));
        ck_assert(wsf_link_has_room(&links[i], ALL / 2 / LINKS - 1000));
        ck_assert_uint_gt(fill(&links[i]), 0);
        ck_assert_uint_gt(links[i].queue_bytes, ALL / 2 / LINKS - 1000);
        ck_assert_uint_le(links[i].queue_bytes, ALL / 2 / LINKS);
    }
    ck_assert_uint_le(budget.bytes, ALL);
    fill(&links[0]); /* it may not have more than its own part now */
    ck_assert_uint_le(links[0].queue_bytes, ALL / 2 / LINKS);
    for (unsigned i = 0; i < LINKS; i++)
        wsf_link_destroy(&links[i]);
    ck_assert_uint_eq(budget.bytes, 0);
    ck_assert_uint_eq(budget.links, 0);
}
END_TEST

SUITE_MAIN("link", links_share_a_budget_and_none_takes_the_part_of_another,
           a_round_trip_is_that_of_a_frame_that_was_sent_once,
           a_repair_lasts_from_the_first_look_at_a_gap_until_nothing_is_missing,
           what_an_open_frame_holds_is_lost_with_its_stream,
           the_window_is_bounded_and_opens_with_acknowledgements,
           a_frame_larger_than_the_window_does_not_wait_until_nothing_is_under_way,
           an_acknowledgement_of_what_was_not_sent_is_refused,
           what_is_asked_for_goes_again_in_order_and_once, what_was_sent_again_is_on_its_way,
           a_new_connection_has_nothing_of_what_was_sent_again,
           a_repetition_waits_for_two_round_trips, a_full_queue_drops_the_oldest_and_counts_them,
           the_least_clock_that_waits_is_that_of_the_front_but_for_latest_values,
           what_is_lost_is_not_newer_than_the_clock_that_is_noted,
           a_restart_counts_what_was_under_way_and_keeps_what_waits,
           frames_of_another_stream_are_foreign_and_old_ones_duplicates,
           what_comes_too_early_waits_and_what_is_missing_is_known_by_range,
           a_run_in_a_full_queue_drops_as_many_of_the_oldest_as_it_has_itself,
           by_bytes_no_message_more_is_dropped_than_must_be,
           a_run_larger_than_the_queue_leaves_its_newest_messages,
           messages_of_runs_are_taken_in_any_portions,
           a_latest_value_is_replaced_between_runs_that_come_and_go, what_is_held_is_bounded,
           small_parts_that_are_held_are_copied_and_large_ones_are_not,
           no_more_ranges_than_a_nack_may_hold)
