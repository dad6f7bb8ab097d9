/* A run in the inbox of a loop: the host is shown the same as if each message had come by itself. */
#include <poll.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>

#include "failing.h"
#include "loop/state.h"
#include "runs.h"

enum { SEEN_MAX = 512, SESSIONS = 4, HEADROOM = 14 };

typedef struct {
    uint32_t number;
    size_t count;
    uint64_t sessions[SESSIONS + 1]; /* of its recipients */
    wsfan_message_id id;
    wsfan_message *message; /* a reference */
} seen;

static wsfan_node *node;
static wsfan_loop *loop;
static wsfan_session sessions[SESSIONS];
static seen log_[SEEN_MAX];
static unsigned shown;
static bool kept = true; /* messages are */
static uint32_t headroom = HEADROOM;
static uint64_t gap;
static unsigned gap_at;          /* messages that were shown before */
static void (*then)(unsigned i); /* in the callback of the i-th message */

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    (void)user;
    ck_assert_uint_lt(shown, SEEN_MAX);
    ck_assert_uint_le(count, SESSIONS + 1);
    seen *s = &log_[shown];
    *s = (seen){ .number = number_of(wsfan_message_payload(message)),
                 .count = count,
                 .id = wsfan_message_get_id(message),
                 .message = kept ? wsfan_message_ref(message) : NULL };
    for (size_t i = 0; i < count; i++)
        s->sessions[i] = recipients[i].session.id;
    shown++;
    if (then != NULL)
        then(shown - 1);
}

static void on_gap(void *user, const wsfan_gap *told) {
    (void)user;
    gap += told->count;
    gap_at = shown;
}

static void forget(void) {
    while (shown > 0)
        wsfan_message_unref(log_[--shown].message);
}

static void dispatch(void) {
    ck_assert_int_ge(wsfan_loop_dispatch(loop, 0), 0);
}

static void join(unsigned i, const char *chat) {
    ck_assert_int_eq(wsfan_session_join(loop, sessions[i], wsfan_string(chat)), WSFAN_OK);
}

static void leave(unsigned i, const char *chat) {
    ck_assert_int_eq(wsfan_session_leave(loop, sessions[i], wsfan_string(chat)), WSFAN_OK);
}

static void begin(void) {
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_message = on_message,
                                               .on_gap = on_gap };
    wsfan_options options;
    wsfan_options_init(&options);
    options.headroom_bytes = headroom;
    options.allocator = &FAILING;
    gap = 0;
    then = NULL;
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_open(&loop, node, &callbacks, NULL), WSFAN_OK);
    for (unsigned i = 0; i < SESSIONS; i++)
        ck_assert_int_eq(wsfan_session_open(&sessions[i], loop, wsfan_string(""), NULL), WSFAN_OK);
    join(0, "x");
    join(1, "x");
    join(2, "y");
    dispatch();
}

static void end(void) {
    forget();
    ck_assert_int_eq(wsfan_loop_close(loop), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_close(node), WSFAN_OK);
}

/* The test puts the run down in place of the mesh thread, which a node without an endpoint does not have. Takes over the run. */
static void put(wsfan_message *run) {
    uint32_t count = run->count;
    run->id = (wsfan_message_id){ 1000, 77 };
    run_know(run, loop->node.key);
    ck_assert_uint_eq(wsf_inbox_put_message(loop->inbox, run), count);
    wsf_inbox_flush(loop->inbox);
}

static bool readable(void) {
    struct pollfd item = { .fd = wsfan_loop_fd(loop), .events = POLLIN };
    return poll(&item, 1, 0) == 1;
}

static void check_inbox(uint64_t count) {
    wsfan_loop_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_loop_get_stats(loop, &stats), WSFAN_OK);
    ck_assert_uint_eq(stats.inbox_count, count);
    ck_assert_int_eq(stats.inbox_bytes > 0, count > 0);
}

START_TEST(each_message_of_a_run_is_shown_with_its_own_recipients_and_id) {
    static uint8_t payload[64];
    static const char *const chats[] = { "x", "y", "nobody", "x", "x", "y" };
    begin();
    wsf_run_writer writer;
    wsfan_message *run = run_begin(&writer, WSF_RUN_BYTES_MIN);
    wsfan_address except = wsfan_session_address(loop, sessions[0]);
    for (uint32_t i = 0; i < 6; i++)
        ck_assert(run_write(&writer, chats[i], i == 4 ? except : RUN_NOBODY,
                            numbered(payload, i, 4 + i)));
    put(run);
    dispatch();
    static const unsigned expected[] = { 2, 1, 2, 1, 1 }; /* none are told of `nobody` */
    static const uint32_t numbers[] = { 0, 1, 3, 4, 5 };
    ck_assert_uint_eq(shown, 5);
    for (unsigned i = 0; i < 5; i++) {
        ck_assert_uint_eq(log_[i].number, numbers[i]);
        ck_assert_uint_eq(log_[i].count, expected[i]);
        ck_assert_uint_eq(log_[i].id.clock, 1000 + numbers[i]);
        ck_assert_uint_eq(log_[i].id.origin, 77);
        ck_assert_uint_eq(wsfan_message_targets_count(log_[i].message), 1);
        ck_assert_mem_eq(wsfan_message_target(log_[i].message, 0).name.data, chats[numbers[i]], 1);
    }
    ck_assert_uint_eq(log_[3].sessions[0], sessions[1].id);
    check_inbox(0);
    end();
}
END_TEST

START_TEST(a_dispatch_of_few_ends_inside_a_run_and_the_next_goes_on) {
    enum { COUNT = 7 };
    begin();
    put(run_of(COUNT, "x", 100));
    check_inbox(COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        ck_assert(readable());
        ck_assert_int_eq(wsfan_loop_dispatch(loop, 1), 1);
        ck_assert_uint_eq(shown, i + 1);
        ck_assert_uint_eq(log_[i].number, i);
        check_inbox(COUNT - 1 - i);
    }
    ck_assert_int_eq(wsfan_loop_dispatch(loop, 1), 0);
    ck_assert(!readable());
    put(run_of(COUNT, "x", 100));
    put(run_of(COUNT, "x", 100));
    ck_assert_int_eq(wsfan_loop_dispatch(loop, COUNT + 2), COUNT + 2);
    check_inbox(COUNT - 2);
    put(run_of(1, "y", 4)); /* behind what is left of it */
    ck_assert_int_eq(wsfan_loop_dispatch(loop, 0), COUNT - 2);
    ck_assert(readable());
    ck_assert_int_eq(wsfan_loop_dispatch(loop, 0), 1);
    ck_assert_uint_eq(shown, 3 * COUNT + 1);
    ck_assert_uint_eq(log_[3 * COUNT].sessions[0], sessions[2].id);
    check_inbox(0);
    end();
}
END_TEST

/* Before the message after the i-th. */
static void change(unsigned i) {
    switch (i) {
    case 0:
        join(3, "x");
        break;
    case 1:
        leave(0, "x");
        break;
    case 2: /* two changes that leave as many as there were */
        leave(1, "x");
        join(2, "x");
        break;
    case 3:
        ck_assert_int_eq(wsfan_session_close(loop, sessions[3]), WSFAN_OK);
        ck_assert_int_eq(wsfan_session_open(&sessions[3], loop, wsfan_string(""), NULL), WSFAN_OK);
        break;
    case 4: /* the chat goes, and its place is another's */
        leave(2, "x");
        join(0, "z");
        break;
    default:
        break;
    }
}

static void check_recipients(unsigned i, uint32_t number, const unsigned *who, size_t count) {
    ck_assert_uint_eq(log_[i].number, number);
    ck_assert_msg(log_[i].count == count, "message %u has %zu recipients of %zu", number,
                  log_[i].count, count);
    for (size_t k = 0; k < count; k++) {
        bool found = false;
        for (size_t r = 0; r < count; r++)
            found = found || log_[i].sessions[r] == sessions[who[k]].id;
        ck_assert_msg(found, "message %u is not for %u", number, who[k]);
    }
}

START_TEST(who_comes_and_goes_in_a_callback_counts_from_the_next_message_on) {
    begin();
    then = change;
    uint64_t third = sessions[3].id;
    put(run_of(6, "x", 10));
    dispatch();
    ck_assert_uint_eq(shown, 5); /* the last one is for nobody */
    check_recipients(0, 0, (unsigned[]){ 0, 1 }, 2);
    ck_assert_uint_eq(log_[1].count, 3);
    ck_assert(log_[1].sessions[0] == third || log_[1].sessions[1] == third ||
              log_[1].sessions[2] == third);
    ck_assert_uint_eq(log_[2].count, 2);
    ck_assert_uint_eq(log_[3].count, 2);
    ck_assert(log_[3].sessions[0] == third || log_[3].sessions[1] == third);
    check_recipients(4, 4, (unsigned[]){ 2 }, 1);
    end();
}
END_TEST

static void keep_changing(unsigned i) {
    static const char *const chats[] = { "x", "y" };
    for (unsigned s = 0; s < SESSIONS; s++)
        if ((i * 2654435761u >> (7 + s) & 1) != 0) {
            wsfan_bytes chat = wsfan_string(chats[(i >> s) % 2]);
            if (wsfan_session_leave(loop, sessions[s], chat) == WSFAN_ENOENT)
                ck_assert_int_eq(wsfan_session_join(loop, sessions[s], chat), WSFAN_OK);
        }
    if (i % 5 == 0) {
        ck_assert_int_eq(wsfan_session_close(loop, sessions[i % SESSIONS]), WSFAN_OK);
        ck_assert_int_eq(wsfan_session_open(&sessions[i % SESSIONS], loop, wsfan_string(""), NULL),
                         WSFAN_OK);
    }
}

/* The same messages in a run, and each in a run of its own, which needs no recipients of a message before. */
START_TEST(a_run_has_the_recipients_of_messages_by_themselves_whatever_callbacks_do) {
    enum { COUNT = 200 };
    static const char *const chats[] = { "x", "y" };
    size_t counts[2][COUNT];
    for (unsigned round = 0; round < 2; round++) {
        begin();
        then = keep_changing;
        join(3, "x"); /* in both, so that all are shown */
        join(2, "x");
        dispatch();
        unsigned told = 0;
        wsf_run_writer writer;
        wsfan_message *run = NULL;
        for (uint32_t i = 0; i < COUNT; i++) {
            if (run == NULL)
                run = run_begin(&writer, WSF_RUN_BYTES_MAX);
            run_say(&writer, chats[i / 3 % 2], i, 8);
            if (round == 0) {
                put(run);
                run = NULL;
            }
        }
        if (run != NULL)
            put(run);
        dispatch();
        memset(counts[round], 0, sizeof counts[round]);
        for (unsigned i = 0; i < shown; i++, told++)
            counts[round][log_[i].number] = log_[i].count;
        ck_assert_uint_gt(told, COUNT / 2);
        end();
    }
    ck_assert_mem_eq(counts[0], counts[1], sizeof counts[0]);
}
END_TEST

static void write_headroom(unsigned i) {
    memset(wsfan_message_headroom(log_[i].message, HEADROOM), (int)(i + 1), HEADROOM);
}

START_TEST(a_host_may_keep_messages_of_a_run_and_write_before_their_payloads) {
    enum { COUNT = 300 };
    static uint8_t payload[4000];
    begin();
    then = write_headroom;
    wsf_run_writer writer;
    wsfan_message *run = run_begin(&writer, WSF_RUN_BYTES_MAX);
    for (uint32_t i = 0; i < COUNT; i++) /* small ones, and such as have memory of their own */
        ck_assert(run_write(&writer, i % 4 == 0 ? "x" : "y", RUN_NOBODY,
                            numbered(payload, i, i % 50 == 49 ? sizeof payload : 4 + i % 90)));
    put(run);
    dispatch();
    ck_assert_uint_eq(shown, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        ck_assert_uint_eq(number_of(wsfan_message_payload(log_[i].message)), i);
        const uint8_t *room = wsfan_message_headroom(log_[i].message, HEADROOM);
        for (unsigned k = 0; k < HEADROOM; k++)
            ck_assert_uint_eq(room[k], (uint8_t)(i + 1));
        ck_assert_uint_eq((uintptr_t)(room + HEADROOM) % 16, 0);
        ck_assert_ptr_null(wsfan_message_headroom(log_[i].message, HEADROOM + 1));
    }
    end();
}
END_TEST

static void lack_memory_once(unsigned i) {
    if (i == 2)
        arm(0, false);
}

/* What is told after it claims it, see wsfan_chat_position(). */
START_TEST(a_message_that_is_missing_for_lack_of_memory_is_told_of_before_the_next) {
    enum { COUNT = 6, SIZE = 4000 }; /* in memory of their own */
    static uint8_t payload[SIZE];
    begin();
    then = lack_memory_once;
    wsf_run_writer writer;
    wsfan_message *run = run_begin(&writer, WSF_RUN_BYTES_MAX);
    for (uint32_t i = 0; i < COUNT; i++)
        ck_assert(run_write(&writer, "x", RUN_NOBODY, numbered(payload, i, SIZE)));
    put(run);
    dispatch();
    ck_assert(disarm());
    ck_assert_uint_eq(shown, COUNT - 1);
    ck_assert_uint_eq(log_[2].number, 2);
    ck_assert_uint_eq(log_[3].number, 4);
    ck_assert_uint_eq(gap, 1);
    ck_assert_uint_eq(gap_at, 3);
    end();
}
END_TEST

/* Large payloads stay in the frame. */
START_TEST(messages_of_a_received_run_may_end_with_their_callback) {
    enum { COUNT = 8, SIZE = 6000 };
    headroom = 0;
    kept = false;
    begin();
    wsf_buffer *frame = wsf_buffer_new(COUNT * SIZE);
    frame->size = frame->capacity;
    wsfan_message *run = wsf_run_new_for(COUNT, 0, wsf_run_head_bytes(1));
    wsfan_target target = { WSFAN_CHAT, { "x", 1 } };
    wsf_message_parts parts = { .targets = &target, .targets_count = 1 };
    uint16_t place = wsf_run_place(run, wsf_run_add_head(run, &parts));
    uint32_t at = 0;
    for (uint32_t i = 0; i < COUNT; i++) { /* large and small in turns */
        uint32_t size = i % 3 == 2 ? 20 : SIZE;
        numbered(frame->data + at, i, size);
        at += size;
        run->run->entries[i] = (wsf_run_entry){ at, place, (uint16_t)i };
    }
    wsf_run_set(run, COUNT, (wsfan_bytes){ frame->data, at }, frame);
    wsf_buffer_unref(frame);
    put(run);
    dispatch();
    ck_assert_uint_eq(shown, COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        check_recipients(i, i, (unsigned[]){ 0, 1 }, 2);
    end();
    headroom = HEADROOM;
    kept = true;
}
END_TEST

START_TEST(a_loop_closes_inside_a_run) {
    begin();
    put(run_of(100, "x", 100));
    put(run_of(100, "x", 100));
    ck_assert_int_eq(wsfan_loop_dispatch(loop, 5), 5);
    end(); /* a sanitizer watches */
}
END_TEST

SUITE_MAIN("dispatch", each_message_of_a_run_is_shown_with_its_own_recipients_and_id,
           a_dispatch_of_few_ends_inside_a_run_and_the_next_goes_on,
           who_comes_and_goes_in_a_callback_counts_from_the_next_message_on,
           a_run_has_the_recipients_of_messages_by_themselves_whatever_callbacks_do,
           a_host_may_keep_messages_of_a_run_and_write_before_their_payloads,
           a_message_that_is_missing_for_lack_of_memory_is_told_of_before_the_next,
           messages_of_a_received_run_may_end_with_their_callback, a_loop_closes_inside_a_run)
