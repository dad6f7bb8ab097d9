/* One node without a mesh: loops, sessions, dispatch and what callbacks may do. */
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include <wsfan/presence.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>

#include "exchange/inbox.h"
#include "now.h"
#include "suite.h"

enum { DEADLINE_MS = 20000 };

typedef struct recorder recorder;
struct recorder {
    wsfan_loop *loop;
    unsigned messages;
    unsigned recipients;
    unsigned joined;
    unsigned settled; /* joins of settle() */
    uint64_t gap;
    unsigned results;
    wsfan_result result; /* the last one; without what it points to */
    char last[64];
    wsfan_message *kept;
    wsfan_session sessions[8];
    void (*then)(recorder *r, const wsfan_recipient *recipients, size_t count);
};

static wsfan_node *node;

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    recorder *r = user;
    wsfan_bytes payload = wsfan_message_payload(message);
    r->messages++;
    r->recipients += (unsigned)count;
    memset(r->last, 0, sizeof r->last);
    memcpy(r->last, payload.data,
           payload.size < sizeof r->last ? payload.size : sizeof r->last - 1);
    if (r->kept != NULL)
        wsfan_message_unref(r->kept);
    r->kept = wsfan_message_ref(message);
    if (r->then != NULL)
        r->then(r, recipients, count);
}

static void on_joined(void *user, const wsfan_joined *joined) {
    recorder *r = user;
    bool settles = joined->chat.size == 6 && memcmp(joined->chat.data, "settle", 6) == 0;
    ck_assert_int_eq(joined->status, WSFAN_OK);
    if (settles)
        r->settled++;
    else
        r->joined++;
}

static void on_gap(void *user, const wsfan_gap *gap) {
    recorder *r = user;
    ck_assert_uint_eq(gap->node, wsfan_node_id(node));
    ck_assert_int_eq(gap->reason, WSFAN_GAP_INBOX);
    r->gap += gap->count;
}

static void on_result(void *user, const wsfan_result *result) {
    recorder *r = user;
    r->results++;
    r->result = *result;
}

static const wsfan_callbacks CALLBACKS = { .struct_size = sizeof CALLBACKS,
                                           .on_message = on_message,
                                           .on_joined = on_joined,
                                           .on_gap = on_gap,
                                           .on_result = on_result };

static void open_node(const wsfan_options *options) {
    wsfan_options defaults;
    wsfan_options_init(&defaults);
    ck_assert_int_eq(wsfan_node_open(&node, options != NULL ? options : &defaults), WSFAN_OK);
}

static recorder *open_recorder(void) {
    recorder *r = calloc(1, sizeof *r);
    ck_assert_int_eq(wsfan_loop_open(&r->loop, node, &CALLBACKS, r), WSFAN_OK);
    return r;
}

static void close_recorder(recorder *r) {
    ck_assert_int_eq(wsfan_loop_close(r->loop), WSFAN_OK);
    wsfan_message_unref(r->kept);
    free(r);
}

static void close_node(void) {
    ck_assert_int_eq(wsfan_node_close(node), WSFAN_OK);
}

/* Dispatches until *counter has reached value. */
static void wait_for(recorder *r, const unsigned *counter, unsigned value) {
    for (int64_t until_ms = now_ms() + DEADLINE_MS; *counter < value && now_ms() < until_ms;) {
        struct pollfd item = { .fd = wsfan_loop_fd(r->loop), .events = POLLIN };
        poll(&item, 1, 100);
        ck_assert_int_ge(wsfan_loop_dispatch(r->loop, 0), 0);
    }
    ck_assert_uint_ge(*counter, value);
}

static wsfan_session open_in(recorder *r, const char *user, const char *chat) {
    wsfan_session session;
    unsigned before = r->joined;
    ck_assert_int_eq(wsfan_session_open(&session, r->loop, wsfan_string(user), NULL), WSFAN_OK);
    if (chat != NULL) {
        ck_assert_int_eq(wsfan_session_join(r->loop, session, wsfan_string(chat)), WSFAN_OK);
        wait_for(r, &r->joined, before + 1);
    }
    return session;
}

static void say(const char *chat, const char *text) {
    ck_assert_int_eq(wsfan_broadcast(node, wsfan_string(chat), wsfan_string(text), NULL), WSFAN_OK);
}

/* Waits until everything that was published so far has been dispatched on this loop. */
static void settle(recorder *r) {
    wsfan_session session = open_in(r, "", NULL);
    unsigned before = r->messages;
    ck_assert_int_eq(wsfan_session_join(r->loop, session, wsfan_string("settle")), WSFAN_OK);
    wait_for(r, &r->settled, r->settled + 1); /* and with it every join before */
    say("settle", "settled");
    while (strcmp(r->last, "settled") != 0 || r->messages == before)
        wait_for(r, &r->messages, r->messages + 1);
    r->messages--;
    r->recipients--;
    ck_assert_int_eq(wsfan_session_close(r->loop, session), WSFAN_OK);
}

START_TEST(without_an_endpoint_no_socket_is_opened_and_all_works) {
    open_node(NULL);
    ck_assert_str_eq(wsfan_node_endpoint(node), "");
    recorder *r = open_recorder();
    open_in(r, "ann", "chat");
    open_in(r, "bob", "chat");
    open_in(r, "eve", "other");
    say("chat", "hello");
    wait_for(r, &r->messages, 1);
    ck_assert_uint_eq(r->recipients, 2);
    ck_assert_str_eq(r->last, "hello");
    close_recorder(r);
    close_node();
}
END_TEST

START_TEST(a_broadcast_to_all_needs_no_chat) {
    open_node(NULL);
    recorder *r = open_recorder();
    open_in(r, "", NULL);
    open_in(r, "bob", NULL);
    ck_assert_int_eq(wsfan_broadcast_all(node, wsfan_string("x"), NULL), WSFAN_OK);
    wait_for(r, &r->messages, 1);
    ck_assert_uint_eq(r->recipients, 2);
    close_recorder(r);
    close_node();
}
END_TEST

START_TEST(one_delivery_per_session_however_many_targets) {
    open_node(NULL);
    recorder *r = open_recorder();
    wsfan_session a = open_in(r, "ann", "x");
    ck_assert_int_eq(wsfan_session_join(r->loop, a, wsfan_string("y")), WSFAN_OK);
    wait_for(r, &r->joined, 2);
    open_in(r, "ann", NULL);
    wsfan_target targets[] = { { WSFAN_CHAT, wsfan_string("x") },
                               { WSFAN_CHAT, wsfan_string("y") },
                               { WSFAN_USER, wsfan_string("ann") } };
    wsfan_publish_options options = { .struct_size = sizeof options, .flags = WSFAN_BINARY };
    ck_assert_int_eq(wsfan_publish(node, targets, 3, wsfan_string("m"), &options), WSFAN_OK);
    settle(r);
    ck_assert_uint_eq(r->messages, 1);
    ck_assert_uint_eq(r->recipients, 2);
    options.except = wsfan_session_address(r->loop, a);
    ck_assert_int_eq(wsfan_publish(node, targets, 3, wsfan_string("m"), &options), WSFAN_OK);
    settle(r);
    ck_assert_uint_eq(r->recipients, 3);
    /* Half an address is neither a session nor nobody. */
    options.except = wsfan_session_address(r->loop, (wsfan_session){ 0 });
    ck_assert_int_eq(wsfan_publish(node, targets, 3, wsfan_string("m"), &options), WSFAN_EINVAL);
    options.except = (wsfan_address){ 0, a.id };
    ck_assert_int_eq(wsfan_publish(node, targets, 3, wsfan_string("m"), &options), WSFAN_EINVAL);
    close_recorder(r);
    close_node();
}
END_TEST

START_TEST(flags_targets_and_ids_reach_the_callback) {
    open_node(NULL);
    recorder *r = open_recorder();
    open_in(r, "ann", "x");
    wsfan_publish_options options = { .struct_size = sizeof options, .flags = WSFAN_BINARY };
    ck_assert_int_eq(wsfan_broadcast(node, wsfan_string("x"), wsfan_string("m"), &options),
                     WSFAN_OK);
    wait_for(r, &r->messages, 1);
    ck_assert_uint_eq(wsfan_message_flags(r->kept), WSFAN_BINARY);
    ck_assert_uint_eq(wsfan_message_targets_count(r->kept), 1);
    ck_assert_mem_eq(wsfan_message_target(r->kept, 0).name.data, "x", 1);
    wsfan_message_id first = wsfan_message_get_id(r->kept);
    ck_assert_uint_eq(first.origin, wsfan_node_id(node));
    say("x", "again");
    wait_for(r, &r->messages, 2);
    ck_assert_uint_gt(wsfan_message_get_id(r->kept).clock, first.clock);
    ck_assert_uint_eq(wsfan_message_flags(r->kept), 0);
    close_recorder(r);
    close_node();
}
END_TEST

START_TEST(on_joined_comes_once_for_each_join_and_not_after_leave_or_close) {
    open_node(NULL);
    recorder *r = open_recorder();
    wsfan_session a = open_in(r, "a", "x");
    wsfan_session b = open_in(r, "b", NULL);
    unsigned before = r->joined;
    /* In a chat that is settled already. */
    ck_assert_int_eq(wsfan_session_join(r->loop, b, wsfan_string("x")), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_leave(r->loop, b, wsfan_string("x")), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join(r->loop, b, wsfan_string("x")), WSFAN_OK);
    settle(r);
    ck_assert_uint_eq(r->joined, before + 1);
    /* In a new one. */
    before = r->joined;
    ck_assert_int_eq(wsfan_session_join(r->loop, a, wsfan_string("new")), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join(r->loop, b, wsfan_string("new")), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_leave(r->loop, a, wsfan_string("new")), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_close(r->loop, b), WSFAN_OK);
    settle(r);
    ck_assert_uint_eq(r->joined, before);
    /* And again, while the first ticket is still under way. */
    before = r->joined;
    ck_assert_int_eq(wsfan_session_join(r->loop, a, wsfan_string("third")), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_leave(r->loop, a, wsfan_string("third")), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join(r->loop, a, wsfan_string("third")), WSFAN_OK);
    settle(r);
    ck_assert_uint_eq(r->joined, before + 1);
    close_recorder(r);
    close_node();
}
END_TEST

START_TEST(nothing_arrives_after_leave_or_close) {
    open_node(NULL);
    recorder *r = open_recorder();
    wsfan_session a = open_in(r, "a", "x");
    wsfan_session b = open_in(r, "b", "x");
    say("x", "1");
    ck_assert_int_eq(wsfan_session_leave(r->loop, a, wsfan_string("x")), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_close(r->loop, b), WSFAN_OK);
    settle(r);
    ck_assert_uint_eq(r->recipients, 0);
    ck_assert_int_eq(wsfan_session_close(r->loop, b), WSFAN_ESTALE);
    ck_assert_int_eq(wsfan_session_join(r->loop, b, wsfan_string("x")), WSFAN_ESTALE);
    ck_assert_int_eq(wsfan_session_leave(r->loop, b, wsfan_string("x")), WSFAN_ESTALE);
    ck_assert_int_eq(wsfan_session_leave(r->loop, a, wsfan_string("x")), WSFAN_ENOENT);
    close_recorder(r);
    close_node();
}
END_TEST

static void close_all_and_open_more(recorder *r, const wsfan_recipient *recipients, size_t count) {
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(wsfan_session_close(r->loop, recipients[i].session), WSFAN_OK);
    for (int i = 0; i < 100; i++) {
        wsfan_session session;
        ck_assert_int_eq(wsfan_session_open(&session, r->loop, wsfan_string("new"), NULL),
                         WSFAN_OK);
        ck_assert_int_eq(wsfan_session_join(r->loop, session, wsfan_string("x")), WSFAN_OK);
    }
    ck_assert_int_eq(wsfan_loop_dispatch(r->loop, 0), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_loop_close(r->loop), WSFAN_EINVAL);
    r->then = NULL;
}

START_TEST(a_callback_may_close_and_open_what_it_runs_in) {
    open_node(NULL);
    recorder *r = open_recorder();
    for (int i = 0; i < 20; i++)
        open_in(r, "u", "x");
    r->then = close_all_and_open_more;
    say("x", "1");
    wait_for(r, &r->messages, 1);
    ck_assert_uint_eq(r->recipients, 20);
    wait_for(r, &r->joined, 120);
    say("x", "2");
    wait_for(r, &r->messages, 2);
    ck_assert_uint_eq(r->recipients, 120);
    close_recorder(r);
    close_node();
}
END_TEST

static bool readable(recorder *r) {
    struct pollfd item = { .fd = wsfan_loop_fd(r->loop), .events = POLLIN };
    return poll(&item, 1, 0) == 1;
}

START_TEST(dispatch_handles_no_more_than_asked_and_stays_readable) {
    enum { COUNT = 10 };
    open_node(NULL);
    recorder *r = open_recorder();
    open_in(r, "", "x");
    for (int i = 0; i < COUNT; i++)
        say("x", "m");
    wsfan_loop_stats stats = { .struct_size = sizeof stats };
    do /* until all are here */
        ck_assert_int_eq(wsfan_loop_get_stats(r->loop, &stats), WSFAN_OK);
    while (stats.inbox_count < COUNT);
    for (unsigned i = 1; i <= COUNT; i++) {
        ck_assert(readable(r));
        ck_assert_int_eq(wsfan_loop_dispatch(r->loop, 1), 1);
        ck_assert_uint_eq(r->messages, i);
    }
    ck_assert_int_eq(wsfan_loop_dispatch(r->loop, 1), 0);
    ck_assert(!readable(r));
    wsfan_loop_get_stats(r->loop, &stats);
    ck_assert_uint_eq(stats.inbox_count, 0);
    ck_assert_uint_eq(stats.inbox_bytes, 0);
    ck_assert_uint_eq(stats.messages, COUNT);
    close_recorder(r);
    close_node();
}
END_TEST

START_TEST(a_loop_that_does_not_dispatch_loses_with_a_count_and_the_other_does_not) {
    wsfan_options options;
    wsfan_options_init(&options);
    options.inbox_count_max = 10;
    open_node(&options);
    recorder *slow = open_recorder();
    recorder *fast = open_recorder();
    open_in(slow, "", "x");
    open_in(fast, "", "x");
    for (unsigned i = 1; i <= 50; i++) {
        say("x", "m");
        wait_for(fast, &fast->messages, i);
    }
    settle(fast);
    wsfan_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_node_get_stats(node, &stats), WSFAN_OK);
    ck_assert_uint_eq(stats.dropped[WSFAN_DROP_INBOX], 40);
    while (slow->messages < 10)
        wsfan_loop_dispatch(slow->loop, 0);
    ck_assert_uint_eq(slow->gap, 40);
    say("x", "m");
    wait_for(slow, &slow->messages, 11);
    ck_assert_uint_eq(slow->messages, 11);
    ck_assert_uint_eq(slow->gap, 40);
    close_recorder(slow);
    close_recorder(fast);
    close_node();
}
END_TEST

START_TEST(gaps_that_find_no_place_in_an_inbox_are_added_to_its_own) {
    enum { NOTICES_MAX = 4096, COUNT = 3 };
    const wsfan_gap counted = { 7, "n7", COUNT, WSFAN_GAP_LINK };
    const wsfan_gap away = { 7, "n7", 0, WSFAN_GAP_AWAY };
    int error;
    wsf_inbox *inbox = wsf_inbox_new(1000, 1 << 20, &error);
    ck_assert_ptr_nonnull(inbox);
    for (int i = 0; i < NOTICES_MAX; i++)
        ck_assert(wsf_inbox_put_gap(inbox, &counted));
    ck_assert_uint_eq(atomic_load(&inbox->gap), 0);
    ck_assert(!wsf_inbox_put_gap(inbox, &counted));
    ck_assert_uint_eq(atomic_load(&inbox->gap), COUNT);
    ck_assert(!wsf_inbox_put_gap(inbox, &away));
    ck_assert_uint_eq(atomic_load(&inbox->gap), COUNT + 1);
    wsf_inbox_unref(inbox);
}
END_TEST

START_TEST(each_loop_may_write_its_own_headroom) {
    wsfan_options options;
    wsfan_options_init(&options);
    options.headroom_bytes = 4;
    open_node(&options);
    recorder *a = open_recorder();
    recorder *b = open_recorder();
    open_in(a, "", "x");
    open_in(b, "", "x");
    say("x", "body");
    wait_for(a, &a->messages, 1);
    wait_for(b, &b->messages, 1);
    memcpy(wsfan_message_headroom(a->kept, 4), "aaaa", 4);
    memcpy(wsfan_message_headroom(b->kept, 4), "bbbb", 4);
    ck_assert_mem_eq(wsfan_message_headroom(a->kept, 4), "aaaabody", 8);
    ck_assert_mem_eq(wsfan_message_headroom(b->kept, 4), "bbbbbody", 8);
    ck_assert_ptr_null(wsfan_message_headroom(a->kept, 5));
    close_recorder(a);
    close_recorder(b);
    close_node();
}
END_TEST

enum { PUBLISHERS = 4, EACH = 2000 };

static void *publish_many(void *user) {
    uint32_t *number = user;
    for (uint32_t i = 0; i < EACH; i++) {
        uint32_t payload[2] = { *number, i };
        int error;
        do
            error = wsfan_broadcast(node, wsfan_string("x"),
                                    (wsfan_bytes){ payload, sizeof payload }, NULL);
        while (error == WSFAN_EAGAIN);
        ck_assert_int_eq(error, WSFAN_OK);
    }
    return NULL;
}

static uint32_t next_of[2][PUBLISHERS];
static uint64_t order_hash[2];

static void check_order(recorder *r, const wsfan_recipient *recipients, size_t count) {
    uint32_t payload[2];
    int which = (int)(uintptr_t)recipients[0].session_user;
    memcpy(payload, wsfan_message_payload(r->kept).data, sizeof payload);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(payload[1], next_of[which][payload[0]]++);
    order_hash[which] = order_hash[which] * 31 + payload[0] * EACH + payload[1];
}

START_TEST(threads_publish_side_by_side_and_every_loop_sees_one_order) {
    open_node(NULL);
    recorder *loops[2];
    pthread_t threads[PUBLISHERS];
    uint32_t numbers[PUBLISHERS];
    memset(next_of, 0, sizeof next_of);
    memset(order_hash, 0, sizeof order_hash);
    for (uintptr_t i = 0; i < 2; i++) {
        wsfan_session session;
        loops[i] = open_recorder();
        loops[i]->then = check_order;
        wsfan_session_open(&session, loops[i]->loop, wsfan_string(""), (void *)i);
        wsfan_session_join(loops[i]->loop, session, wsfan_string("x"));
        wait_for(loops[i], &loops[i]->joined, 1);
    }
    for (uint32_t i = 0; i < PUBLISHERS; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, publish_many, &numbers[i]);
    }
    for (unsigned n = 1000; n <= PUBLISHERS * EACH; n += 1000)
        for (int i = 0; i < 2; i++)
            wait_for(loops[i], &loops[i]->messages, n);
    for (int i = 0; i < PUBLISHERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(order_hash[0], order_hash[1]);
    close_recorder(loops[0]);
    close_recorder(loops[1]);
    close_node();
}
END_TEST

START_TEST(a_node_with_an_open_loop_does_not_close) {
    open_node(NULL);
    recorder *r = open_recorder();
    ck_assert_int_eq(wsfan_node_close(node), WSFAN_EBUSY);
    close_recorder(r);
    close_node();
    ck_assert_int_eq(wsfan_node_close(NULL), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_close(NULL), WSFAN_OK);
}
END_TEST

START_TEST(a_loop_closes_with_sessions_joins_and_messages_under_way) {
    open_node(NULL);
    for (int round = 0; round < 50; round++) {
        recorder *r = open_recorder();
        wsfan_session session;
        for (int i = 0; i < 20; i++) {
            wsfan_session_open(&session, r->loop, wsfan_string("u"), NULL);
            wsfan_session_join(r->loop, session, wsfan_string("x"));
            say("x", "m");
        }
        if (round % 2 == 0)
            wsfan_loop_dispatch(r->loop, 5);
        close_recorder(r);
    }
    wsfan_stats stats = { .struct_size = sizeof stats };
    do
        wsfan_node_get_stats(node, &stats);
    while (stats.loops > 0);
    ck_assert_uint_eq(stats.chats, 0);
    ck_assert_uint_eq(stats.joins_pending, 0);
    close_node();
}
END_TEST

START_TEST(a_session_of_another_loop_is_not_told_to_be_closed) {
    open_node(NULL);
    recorder *a = open_recorder();
    recorder *b = open_recorder();
    wsfan_session session = open_in(a, "", NULL);
    wsfan_join_options present = { .struct_size = sizeof present, .flags = WSFAN_PRESENCE };
    wsfan_bytes x = wsfan_string("x");
    ck_assert_int_eq(wsfan_session_join(b->loop, session, x), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_session_join_with(b->loop, session, x, &present), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_session_set_metadata(b->loop, session, x, x), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_session_leave(b->loop, session, x), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_session_close(b->loop, session), WSFAN_EINVAL);
    ck_assert_ptr_nonnull(strstr(wsfan_error_text(WSFAN_EINVAL), "of another loop"));
    ck_assert_int_eq(wsfan_session_close(a->loop, session),
                     WSFAN_OK); /* it was open all the time */
    close_recorder(a);
    close_recorder(b);
    close_node();
}
END_TEST

static int ask(recorder *r, void *user) {
    wsfan_publish_options options = { .struct_size = sizeof options,
                                      .result_loop = r->loop,
                                      .result_user = user };
    return wsfan_broadcast(node, wsfan_string("x"), wsfan_string("?"), &options);
}

START_TEST(a_publisher_that_asks_is_told_who_got_its_message) {
    int user;
    open_node(NULL);
    recorder *a = open_recorder();
    recorder *b = open_recorder();
    open_in(a, "", "x");
    open_in(a, "", "x");
    open_in(b, "", "x");
    ck_assert_int_eq(ask(a, &user), WSFAN_OK);
    wait_for(b, &b->messages, 1);
    wait_for(a, &a->results, 1);
    ck_assert_ptr_eq(a->result.result_user, &user);
    ck_assert_int_eq(a->result.status, WSFAN_OK);
    ck_assert_uint_eq(a->result.loops, 2);
    ck_assert_uint_eq(a->result.sessions, 3);
    ck_assert_uint_eq(a->result.peers, 0);
    ck_assert_uint_eq(a->result.id.origin, wsfan_node_id(node));
    ck_assert_uint_eq(b->results, 0);
    close_recorder(a);
    close_recorder(b);
    close_node();
}
END_TEST

START_TEST(a_result_does_not_wait_for_ever_and_only_so_many_are_open) {
    wsfan_options options;
    wsfan_options_init(&options);
    options.results_count_max = 2;
    options.result_ms_max = 50;
    open_node(&options);
    recorder *a = open_recorder();
    recorder *b = open_recorder(); /* does not dispatch */
    open_in(a, "", "x");
    open_in(b, "", "x");
    ck_assert_int_eq(ask(a, NULL), WSFAN_OK);
    ck_assert_int_eq(ask(a, NULL), WSFAN_OK);
    ck_assert_int_eq(ask(a, NULL), WSFAN_ELIMIT);
    wait_for(a, &a->results, 2);
    ck_assert_int_eq(a->result.status, WSFAN_EPARTIAL);
    ck_assert_uint_eq(a->result.loops, 2);
    ck_assert_uint_eq(a->result.loops_behind, 1);
    ck_assert_uint_eq(a->result.sessions, 1);
    ck_assert_int_eq(ask(a, NULL), WSFAN_OK);
    wait_for(b, &b->messages, 3); /* later than it was waited for */
    close_recorder(b);
    close_recorder(a); /* with a result under way, or not */
    close_node();
}
END_TEST

START_TEST(a_chat_may_end_between_a_join_and_its_on_joined) {
    open_node(NULL);
    recorder *r = open_recorder();
    wsfan_session other = open_in(r, "", "first");
    wsfan_session leaver = open_in(r, "", "second");
    wsfan_session stayer = open_in(r, "", "x");
    for (int i = 0; i < 3; i++) {
        char chat[2] = { (char)('a' + i), '\0' };
        ck_assert_int_eq(wsfan_session_join(r->loop, other, wsfan_string(chat)), WSFAN_OK);
        wait_for(r, &r->joined, 4 + (unsigned)i);
    }
    ck_assert_int_eq(wsfan_session_leave(r->loop, leaver, wsfan_string("second")), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join(r->loop, other, wsfan_string("x")), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_leave(r->loop, other, wsfan_string("x")), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_leave(r->loop, stayer, wsfan_string("x")), WSFAN_OK);
    ck_assert_int_ge(wsfan_loop_dispatch(r->loop, 0), 0);
    settle(r);
    ck_assert_uint_eq(r->joined, 6);
    close_recorder(r);
    close_node();
}
END_TEST

SUITE_MAIN("loop", without_an_endpoint_no_socket_is_opened_and_all_works,
           a_broadcast_to_all_needs_no_chat, one_delivery_per_session_however_many_targets,
           flags_targets_and_ids_reach_the_callback,
           on_joined_comes_once_for_each_join_and_not_after_leave_or_close,
           nothing_arrives_after_leave_or_close, a_callback_may_close_and_open_what_it_runs_in,
           dispatch_handles_no_more_than_asked_and_stays_readable,
           a_loop_that_does_not_dispatch_loses_with_a_count_and_the_other_does_not,
           gaps_that_find_no_place_in_an_inbox_are_added_to_its_own,
           each_loop_may_write_its_own_headroom,
           threads_publish_side_by_side_and_every_loop_sees_one_order,
           a_node_with_an_open_loop_does_not_close,
           a_loop_closes_with_sessions_joins_and_messages_under_way,
           a_session_of_another_loop_is_not_told_to_be_closed,
           a_publisher_that_asks_is_told_who_got_its_message,
           a_result_does_not_wait_for_ever_and_only_so_many_are_open,
           a_chat_may_end_between_a_join_and_its_on_joined)
