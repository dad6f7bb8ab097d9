/* Runs in the inbox of a loop: as many of the first messages as have room, and a gap for the rest. */
#include "exchange/inbox.h"

#include "base/memory.h"
#include "runs.h"

enum { ROOMY = 1 << 24 };

static wsf_inbox *inbox;

static void begin(uint64_t count_max, uint64_t bytes_max) {
    int error;
    inbox = wsf_inbox_new(count_max, bytes_max, &error);
    ck_assert_ptr_nonnull(inbox);
}

static void end(void) {
    wsf_inbox_unref(inbox);
}

static uint64_t gap(void) {
    return atomic_load(&inbox->gap);
}

static void check_depth(uint64_t count, uint64_t bytes) {
    uint64_t counted;
    uint64_t counted_bytes;
    wsf_queue_depth(&inbox->mailbox.queue, &counted, &counted_bytes);
    ck_assert_uint_eq(counted, count);
    ck_assert_uint_eq(counted_bytes, bytes);
}

/* Takes everything; the messages are numbered from `next` on, which is returned as it is then. */
static uint32_t take_all(uint32_t next) {
    uint64_t count = 0;
    uint64_t bytes = 0;
    wsf_item *item = wsf_mailbox_take(&inbox->mailbox);
    while (item != NULL) {
        wsf_item *following = item->next;
        if (item->kind == WSF_INBOX_RUN) {
            wsf_span span = ((wsf_inbox_run *)item)->span;
            ck_assert_uint_gt(wsf_span_count(span), 0);
            for (uint32_t i = span.from; i < span.to; i++)
                ck_assert_uint_eq(number_of(wsf_run_payload(span.message, i)), next++);
            count += wsf_span_count(span);
        } else {
            ck_assert_uint_eq(number_of(wsfan_message_payload(wsf_inbox_message(item))), next++);
            count++;
        }
        bytes += item->bytes;
        wsf_inbox_free_item(item);
        item = following;
    }
    check_depth(count, bytes); /* what it was counted as */
    wsf_queue_release(&inbox->mailbox.queue, count, bytes);
    return next;
}

static uint32_t put(wsfan_message *message) {
    uint32_t taken = wsf_inbox_put_message(inbox, message);
    wsf_inbox_flush(inbox);
    return taken;
}

START_TEST(a_run_counts_as_its_messages_and_its_memory) {
    begin(1000, ROOMY);
    wsfan_message *run = run_of(100, "x", 200);
    uint64_t bytes = sizeof(wsf_inbox_run) + run->size;
    ck_assert_uint_eq(put(run), 100);
    check_depth(100, bytes);
    ck_assert_uint_eq(take_all(0), 100);
    check_depth(0, 0);
    ck_assert_uint_eq(gap(), 0);
    end();
}
END_TEST

static bool is_half_full_with(wsfan_message *run) {
    put(run);
    bool half_full = wsf_inbox_is_half_full(inbox);
    take_all(0);
    ck_assert(!wsf_inbox_is_half_full(inbox));
    return half_full;
}

START_TEST(an_inbox_is_half_full_by_count_or_by_bytes_until_items_are_taken) {
    begin(200, ROOMY);
    ck_assert(!is_half_full_with(run_of(99, "x", 10)));
    ck_assert(is_half_full_with(run_of(100, "x", 10)));
    end();
    for (unsigned more = 0; more <= 2; more += 2) {
        wsfan_message *run = run_of(10, "x", 1000);
        begin(1000, 2 * (sizeof(wsf_inbox_run) + run->size) + more);
        ck_assert_int_eq(is_half_full_with(run), more == 0);
        end();
    }
}
END_TEST

START_TEST(of_a_run_with_too_many_messages_the_first_ones_have_room) {
    for (uint32_t max = 1; max <= 100; max += 9) {
        begin(max, ROOMY);
        ck_assert_uint_eq(put(run_of(100, "x", 200)), max);
        ck_assert_uint_eq(gap(), 100 - max);
        ck_assert_uint_eq(put(run_of(3, "x", 4)), 0);
        ck_assert_uint_eq(gap(), 103 - max);
        ck_assert_uint_eq(take_all(0), max);
        ck_assert_uint_eq(put(run_of(1, "x", 4)), 1);
        ck_assert_uint_eq(take_all(0), 1);
        end();
    }
}
END_TEST

START_TEST(of_a_run_with_too_many_bytes_as_many_have_room_as_the_limit_allows) {
    wsfan_message *run = run_of(100, "x", 200);
    for (uint32_t fit = 0; fit <= 100; fit++) {
        wsf_span span = { run, 0, fit };
        uint64_t room = sizeof(wsf_inbox_run) + (fit > 0 ? wsf_span_bytes(span) : 0);
        begin(1000, room);
        uint32_t most = fit > 0 ? fit : 1; /* an empty inbox takes one message of any size */
        ck_assert_uint_eq(put(wsfan_message_ref(run)), most);
        ck_assert_uint_eq(gap(), 100 - most);
        ck_assert_uint_eq(take_all(0), most);
        end();
        if (fit > 1) { /* one byte less is one message less */
            begin(1000, room - 1);
            ck_assert_uint_eq(put(wsfan_message_ref(run)), fit - 1);
            end();
        }
    }
    wsfan_message_unref(run);
}
END_TEST

/* A run as the router hands it on to a loop that wants a part of it. */
START_TEST(the_first_messages_of_a_part_of_a_run_are_kept_like_those_of_a_whole_one) {
    for (uint32_t fit = 1; fit <= 50; fit += 7) {
        wsf_run_writer writer;
        wsfan_message *run = run_begin(&writer, WSF_RUN_BYTES_MAX);
        for (uint32_t i = 0; i < 50; i++) {
            run_say(&writer, "wanted", i, 100);
            run_say(&writer, "other", i, 100);
        }
        for (wsf_run_head *head = NULL; (head = wsf_run_next_head(run, head)) != NULL;)
            head->wanted = wsf_run_name(head).size == 6;
        wsfan_message *part = wsf_run_pick(wsf_span_of(run));
        wsfan_message_unref(run);
        ck_assert_uint_eq(part->count, 50);
        begin(fit, ROOMY);
        ck_assert_uint_eq(put(part), fit);
        ck_assert_uint_eq(gap(), 50 - fit);
        ck_assert_uint_eq(take_all(0), fit);
        end();
    }
}
END_TEST

START_TEST(a_few_messages_do_not_keep_the_memory_of_a_whole_run) {
    begin(5, ROOMY);
    wsfan_message *run = run_of(100, "x", 200);
    uint64_t share = sizeof(wsf_inbox_run) + run->size / 4;
    run_want_all(run, true);
    ck_assert_uint_eq(put(run), 5);
    uint64_t count;
    uint64_t bytes;
    wsf_queue_depth(&inbox->mailbox.queue, &count, &bytes);
    ck_assert_uint_eq(count, 5);
    ck_assert_uint_lt(bytes, share);
    ck_assert_uint_eq(take_all(0), 5);
    end();
}
END_TEST

START_TEST(runs_and_single_messages_stay_in_their_order_within_the_limit) {
    enum { MAX = 50 };
    uint64_t random = 3;
    static uint8_t payload[64];
    wsfan_target target = { WSFAN_CHAT, wsfan_string("x") };
    begin(MAX, ROOMY);
    for (unsigned round = 0; round < 200; round++) {
        uint32_t next = 0;
        uint64_t lost = gap();
        while (gap() == lost) {
            wsf_run_writer writer;
            uint32_t count = 1 + (uint32_t)(next_random(&random) % 20);
            uint32_t room = MAX - next;
            if (next_random(&random) % 2 == 0) {
                wsf_message_parts parts = { .targets = &target,
                                            .targets_count = 1,
                                            .payload = numbered(payload, next, 32) };
                next += put(wsf_message_new(NULL, &parts));
                continue;
            }
            wsfan_message *run = run_begin(&writer, 4 * WSF_RUN_BYTES_MIN);
            for (uint32_t i = 0; i < count; i++)
                run_say(&writer, "x", next + i, 32);
            uint32_t taken = put(run);
            ck_assert_uint_eq(taken, count < room ? count : room);
            next += taken;
        }
        ck_assert_uint_eq(next, MAX);
        ck_assert_uint_eq(take_all(0), MAX);
    }
    end();
}
END_TEST

START_TEST(a_run_for_several_inboxes_is_in_each_of_them) {
    begin(10, ROOMY);
    wsf_inbox *first = inbox;
    begin(1000, ROOMY);
    wsfan_message *run = run_of(30, "x", 50);
    run_want_all(run, true);
    ck_assert_uint_eq(put(wsfan_message_ref(run)), 30);
    wsf_inbox *second = inbox;
    inbox = first;
    ck_assert_uint_eq(put(run), 10);
    ck_assert_uint_eq(gap(), 20);
    ck_assert_uint_eq(take_all(0), 10);
    end();
    inbox = second;
    ck_assert_uint_eq(gap(), 0);
    ck_assert_uint_eq(take_all(0), 30);
    end();
}
END_TEST

START_TEST(a_closed_inbox_frees_runs) {
    begin(1000, ROOMY);
    wsf_inbox_put_message(inbox, run_of(10, "x", 50));
    wsf_queue_close(&inbox->mailbox.queue);
    wsf_inbox_flush(inbox);
    end(); /* a sanitizer watches */
    begin(1000, ROOMY);
    put(run_of(10, "x", 50));
    end();
}
END_TEST

static wsf_recovery *recovery_of(uint32_t count, size_t bytes) {
    wsf_recovery *recovery = wsf_recovery_new(wsfan_string("x"), wsfan_string(""));
    recovery->verdict = WSFAN_RECOVERY_WHOLE;
    recovery->list = wsf_alloc_zero(1, sizeof *recovery->list + count * sizeof(wsf_kept));
    recovery->list->count = count;
    recovery->list->size = bytes;
    return recovery;
}

static void put_value(unsigned slot) {
    wsfan_target target = { WSFAN_CHAT, wsfan_string("x") };
    wsf_message_parts parts = {
        .targets = &target, .targets_count = 1, .payload = wsfan_string("v"), .slot = slot
    };
    wsf_inbox_put_message(inbox, wsf_message_new(NULL, &parts));
}

static void check_kinds(wsf_item *item, const wsf_inbox_kind *kinds, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        wsf_item *next = item->next;
        ck_assert_uint_eq(item->kind, kinds[i]);
        wsf_inbox_free_item(item);
        item = next;
    }
    ck_assert_ptr_null(item);
}

START_TEST(a_recovery_takes_the_room_of_its_list_and_is_busy_without) {
    begin(10, ROOMY);
    put(run_of(4, "x", 10));
    uint64_t count;
    uint64_t bytes;
    wsf_queue_depth(&inbox->mailbox.queue, &count, &bytes);
    wsf_recovery *fits = recovery_of(6, ROOMY - bytes);
    wsf_recovery *busy = recovery_of(1, 1);
    wsf_inbox_put_recovered(inbox, fits);
    check_depth(10, ROOMY);
    wsf_inbox_put_recovered(inbox, busy);
    check_depth(10, ROOMY);
    ck_assert_int_eq(fits->verdict, WSFAN_RECOVERY_WHOLE);
    ck_assert_uint_eq(wsf_recovery_count(fits), 6);
    ck_assert_int_eq(busy->verdict, WSFAN_RECOVERY_BUSY);
    ck_assert_ptr_null(busy->list);
    ck_assert_uint_eq(gap(), 0);
    static const wsf_inbox_kind KINDS[] = { WSF_INBOX_RUN, WSF_INBOX_RECOVERED,
                                            WSF_INBOX_RECOVERED };
    check_kinds(wsf_mailbox_take(&inbox->mailbox), KINDS, 3);
    end();
}
END_TEST

/* The recovered session gets the value of the list, and none that waits before. */
START_TEST(a_recovery_stands_between_what_was_put_before_and_what_comes_later) {
    begin(10, ROOMY);
    put(run_of(4, "x", 10));
    put_value(7);
    put_value(7);
    wsf_inbox_put_recovered(inbox, recovery_of(0, 0));
    put_value(7);
    put_value(7);
    ck_assert_uint_eq(inbox->replaced, 2);
    static const wsf_inbox_kind KINDS[] = { WSF_INBOX_RUN, WSF_INBOX_SHARED, WSF_INBOX_RECOVERED,
                                            WSF_INBOX_SHARED };
    check_kinds(wsf_mailbox_take(&inbox->mailbox), KINDS, 4);
    end();
}
END_TEST

START_TEST(a_closed_inbox_frees_recoveries) {
    begin(10, ROOMY);
    wsf_recovery *recovery = recovery_of(2, 2);
    recovery->missing = wsf_alloc(8);
    wsf_inbox_put_recovered(inbox, recovery);
    wsf_queue_close(&inbox->mailbox.queue);
    wsf_inbox_put_recovered(inbox, recovery_of(1, 1));
    end(); /* a sanitizer watches */
}
END_TEST

SUITE_MAIN("inbox", a_run_counts_as_its_messages_and_its_memory,
           an_inbox_is_half_full_by_count_or_by_bytes_until_items_are_taken,
           of_a_run_with_too_many_messages_the_first_ones_have_room,
           of_a_run_with_too_many_bytes_as_many_have_room_as_the_limit_allows,
           the_first_messages_of_a_part_of_a_run_are_kept_like_those_of_a_whole_one,
           a_few_messages_do_not_keep_the_memory_of_a_whole_run,
           runs_and_single_messages_stay_in_their_order_within_the_limit,
           a_run_for_several_inboxes_is_in_each_of_them, a_closed_inbox_frees_runs,
           a_recovery_takes_the_room_of_its_list_and_is_busy_without,
           a_recovery_stands_between_what_was_put_before_and_what_comes_later,
           a_closed_inbox_frees_recoveries)
