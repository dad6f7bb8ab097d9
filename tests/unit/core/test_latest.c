/* Latest values where they wait, in a peer's queue and in a loop's inbox: whoever a value is for gets it or
 * a newer one, and never an older one after it, whoever else is left out. */
#include <stdbool.h>
#include <string.h>

#include "core/link/link.h"
#include "exchange/inbox.h"
#include "suite.h"

enum { RECEIVERS = 3, SLOTS = 2, SEEDS = 300, PUBLISHED = 200, NODE = 7 };

static const wsf_link_limits LIMITS = { 1000, 1 << 20, 1000, NULL, NULL };

static struct {
    uint64_t published[SLOTS][RECEIVERS]; /* the last value of a slot that is for a receiver */
    uint64_t received[SLOTS][RECEIVERS];
} seen;

/* except: a receiver, or RECEIVERS: nobody. */
static wsfan_message *message_of(uint64_t number, uint64_t slot, uint64_t except, size_t size) {
    static uint8_t payload[4096];
    wsf_hash_key key;
    wsf_hash_key_init(&key, "c");
    wsfan_target all = { WSFAN_ALL, { NULL, 0 } };
    memcpy(payload, &number, sizeof number);
    wsf_message_parts parts = {
        .targets = &all, .targets_count = 1, .payload = { payload, size }, .slot = slot
    };
    if (except < RECEIVERS)
        parts.except = (wsfan_address){ NODE, 1 + except };
    wsfan_message *message = wsf_message_new(&key, &parts);
    message->id.origin = NODE;
    return message;
}

static wsfan_message *random_message(uint64_t *dice, uint64_t number) {
    uint64_t slot = next_random(dice) % SLOTS;
    uint64_t except = next_random(dice) % (2 * RECEIVERS);
    for (uint64_t r = 0; r < RECEIVERS; r++)
        if (r != except)
            seen.published[slot][r] = number;
    return message_of(number, 1 + slot, except, (size_t)(sizeof number + next_random(dice) % 100));
}

static void receive(const wsfan_message *message) {
    uint64_t number;
    memcpy(&number, wsfan_message_payload(message).data, sizeof number);
    for (uint64_t r = 0; r < RECEIVERS; r++) {
        uint64_t *last = &seen.received[message->slot - 1][r];
        if (message->except.node == NODE && message->except.session == 1 + r)
            continue;
        ck_assert_uint_gt(number, *last);
        *last = number;
    }
}

START_TEST(in_a_peers_queue_no_value_overtakes_one_of_its_own_key) {
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint64_t dice = seed;
        wsf_link link;
        memset(&seen, 0, sizeof seen);
        wsf_link_init(&link, &LIMITS, 5, 0);
        for (uint64_t number = 1; number <= PUBLISHED; number++) {
            wsfan_message *message = random_message(&dice, number);
            if (!wsf_link_replace(&link, message))
                ck_assert_uint_eq(wsf_link_enqueue(&link, wsf_span_of(message)), 0);
            wsfan_message_unref(message);
            while (next_random(&dice) % 3 == 0 && link.queue.count > 0) {
                receive(wsf_link_front(&link)->message);
                wsf_link_take(&link, 1);
            }
        }
        for (; link.queue.count > 0; wsf_link_take(&link, 1))
            receive(wsf_link_front(&link)->message);
        ck_assert_uint_eq(link.latest.count, 0);
        ck_assert_mem_eq(seen.received, seen.published, sizeof seen.received);
        wsf_link_destroy(&link);
    }
}
END_TEST

static void empty(wsf_inbox *inbox) {
    uint64_t count = 0;
    uint64_t bytes = 0;
    for (wsf_item *item = wsf_mailbox_take(&inbox->mailbox); item != NULL; count++) {
        wsf_item *next = item->next;
        receive(wsf_inbox_message(item));
        bytes += item->bytes;
        wsf_inbox_free_item(item);
        item = next;
    }
    wsf_queue_release(&inbox->mailbox.queue, count, bytes);
}

START_TEST(in_an_inbox_no_value_overtakes_one_of_its_own_key) {
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint64_t dice = seed;
        int error;
        wsf_inbox *inbox = wsf_inbox_new(1000, 1 << 20, &error);
        ck_assert_ptr_nonnull(inbox);
        memset(&seen, 0, sizeof seen);
        for (uint64_t number = 1; number <= PUBLISHED; number++) {
            ck_assert(wsf_inbox_put_message(inbox, random_message(&dice, number)));
            if (next_random(&dice) % 10 == 0)
                empty(inbox);
        }
        empty(inbox);
        ck_assert_mem_eq(seen.received, seen.published, sizeof seen.received);
        wsf_inbox_unref(inbox);
    }
}
END_TEST

START_TEST(of_values_that_leave_out_the_same_only_the_newest_waits) {
    int error;
    wsf_link link;
    wsf_link_init(&link, &LIMITS, 5, 0);
    wsf_inbox *inbox = wsf_inbox_new(1000, 1 << 20, &error);
    for (uint64_t number = 1; number <= 100; number++) {
        wsfan_message *message = message_of(number, 1, 2, 100);
        if (!wsf_link_replace(&link, message))
            wsf_link_enqueue(&link, wsf_span_of(message));
        ck_assert(wsf_inbox_put_message(inbox, message));
    }
    ck_assert_uint_eq(link.queue.count, 1);
    ck_assert_uint_eq(inbox->replaced, 99);
    wsf_inbox_unref(inbox);
    wsf_link_destroy(&link);
}
END_TEST

START_TEST(values_that_grow_take_no_more_than_there_is_room_for) {
    enum { KEYS = 50, LARGE = 4000, BYTES_MAX = 64 * 1024 };
    static const wsf_link_limits limits = { 1000, BYTES_MAX, 1000, NULL, NULL };
    int error;
    wsf_link link;
    wsf_link_init(&link, &limits, 5, 0);
    wsf_inbox *inbox = wsf_inbox_new(1000, BYTES_MAX, &error);
    uint64_t waiting;
    uint64_t bytes;
    for (uint64_t number = 1; number <= 4 * KEYS; number++) {
        wsfan_message *message = message_of(number, 1 + number % KEYS, RECEIVERS,
                                            number <= KEYS ? sizeof number : LARGE);
        if (!wsf_link_replace(&link, message))
            wsf_link_enqueue(&link, wsf_span_of(message));
        (void)wsf_inbox_put_message(inbox, message);
        wsf_queue_depth(&inbox->mailbox.queue, &waiting, &bytes);
        ck_assert_uint_le(bytes, BYTES_MAX);
        ck_assert_uint_le(link.queue_bytes, BYTES_MAX);
    }
    ck_assert_uint_gt(link.lost, 0);                /* the oldest of the link, */
    ck_assert_uint_gt(atomic_load(&inbox->gap), 0); /* the newest of the inbox, and it is told */
    wsf_inbox_unref(inbox);
    wsf_link_destroy(&link);
}
END_TEST

SUITE_MAIN("latest", in_a_peers_queue_no_value_overtakes_one_of_its_own_key,
           in_an_inbox_no_value_overtakes_one_of_its_own_key,
           of_values_that_leave_out_the_same_only_the_newest_waits,
           values_that_grow_take_no_more_than_there_is_room_for)
