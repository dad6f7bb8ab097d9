/* Memory that runs out while a session comes back to another node: each allocation fails in turn, once or from there on.
 * Whoever is told that it has everything has it, but for what gaps are told of, once and in order. */
#include <stdio.h>
#include <wsfan/history.h>

#include "failing.h"
#include "live.h"

enum { NODES = 2, LAST = 62 /* and the next, one of each node */, PUMP_MS = 5 };

typedef struct {
    int at; /* of its node; -1: away */
    wsfan_session session;
    wsfan_address former;
    unsigned joined; /* how often on_joined was called since it came */
    int status;
    wsfan_recovered recovered;
    unsigned replayed;
    char position[WSFAN_POSITION_TEXT_SIZE]; /* the newest; "": none */
    uint64_t at_position;                    /* what it had seen then, as bits */
    uint64_t seen;
    unsigned doubled;
} client;

static wsfan_node *nodes[NODES];
static client stays;
static client comes_back;
static char chat[32];
static uint64_t accepted; /* bits */
static uint64_t gap;
static bool gap_unknown;
static unsigned wholes;

static wsfan_bytes chat_name(void) {
    return wsfan_string(chat);
}

static void keep_position(client *c) {
    char text[WSFAN_POSITION_TEXT_SIZE];
    int error = wsfan_chat_position(live[c->at], chat_name(), text);
    if (error == WSFAN_OK) {
        memcpy(c->position, text, sizeof text);
        c->at_position = c->seen;
        return;
    }
    ck_assert_msg(error == WSFAN_EAGAIN || error == WSFAN_ENOENT, "%s", wsfan_error_text(error));
}

static void on_joined(void *user, const wsfan_joined *joined) {
    client *c = joined->session_user;
    (void)user;
    ck_assert_ptr_nonnull(joined->recovered);
    ck_assert_uint_eq(c->joined, 0);
    c->joined++;
    c->status = joined->status;
    c->recovered = *joined->recovered;
    c->replayed = 0;
    if (joined->recovered->recovery != WSFAN_RECOVERY_WHOLE)
        c->seen = 0;
    keep_position(c);
}

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    unsigned number = *(const uint8_t *)wsfan_message_payload(message).data;
    bool replayed = (wsfan_message_flags(message) & WSFAN_REPLAYED) != 0;
    (void)user;
    for (size_t i = 0; i < count; i++) {
        client *c = recipients[i].session_user;
        ck_assert_uint_eq(c->joined, 1);
        c->replayed += replayed;
        ck_assert_uint_le(c->replayed, c->recovered.replayed_count);
        c->doubled += (c->seen >> number & 1) != 0 && number < LAST;
        c->seen |= UINT64_C(1) << number;
        keep_position(c);
    }
}

static void on_gap(void *user, const wsfan_gap *told) {
    (void)user;
    gap += told->count;
    gap_unknown |= told->count == 0;
}

static void start(int i) {
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_joined = on_joined,
                                               .on_message = on_message,
                                               .on_gap = on_gap };
    char name[] = { 'n', (char)('0' + i), 0 };
    const char *peer = i > 0 ? wsfan_node_endpoint(nodes[0]) : NULL;
    wsfan_options options = quick_options("tcp://127.0.0.1:*");
    options.name = name;
    options.peers = &peer;
    options.peers_count = peer != NULL;
    options.silent_ms = 20000;
    options.down_ms = 30000;
    options.join_ms_max = 300;
    options.recover_ms_max = 200;
    options.history_ms = 60000;
    options.history_key = "sixteen bytes or more";
    options.allocator = &FAILING;
    ck_assert_int_eq(wsfan_node_open(&nodes[i], &options), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_open(&live[i], nodes[i], &callbacks, NULL), WSFAN_OK);
}

static bool come(client *c, int at) {
    const wsfan_join_options options = { .struct_size = sizeof options,
                                         .flags = WSFAN_HISTORY,
                                         .position = wsfan_string(c->position),
                                         .former = c->former };
    c->joined = 0;
    c->seen = c->at_position;
    c->at = at;
    if (!all_or_no_memory(wsfan_session_open(&c->session, live[at], wsfan_string("u"), c)))
        return false;
    if (all_or_no_memory(wsfan_session_join_with(live[at], c->session, chat_name(), &options)))
        return true;
    wsfan_session_close(live[at], c->session);
    return false;
}

static void go(client *c) {
    c->former = wsfan_session_address(live[c->at], c->session);
    ck_assert_int_eq(wsfan_session_close(live[c->at], c->session), WSFAN_OK);
    c->at = -1;
}

static bool is_told(const client *c) {
    return c->joined == 1 && c->replayed == c->recovered.replayed_count;
}

static void publish(unsigned from, unsigned to) {
    for (unsigned number = from; number < to; number++) {
        uint8_t payload = (uint8_t)number;
        if (all_or_no_memory(wsfan_broadcast(nodes[number % NODES], chat_name(),
                                             (wsfan_bytes){ &payload, 1 }, NULL)))
            accepted |= UINT64_C(1) << number;
    }
}

static void pump(void) {
    int64_t until_ms = now_ms() + PUMP_MS;
    while (now_ms() < until_ms)
        dispatch_all();
}

/* Nothing is to come of what was published before the last two. */
static bool has_last(const client *c) {
    return c->seen >> LAST == 3;
}

/* Publishes the last two again and again, from the node of each. */
static void await_last(const client *c) {
    int64_t until_ms = now_ms() + DEADLINE_MS;
    while (!has_last(c)) {
        ck_assert_int_lt(now_ms(), until_ms);
        publish(LAST, LAST + NODES);
        pump();
    }
}

/* Nothing from the first message on is missing. */
static void check(const client *c) {
    uint64_t missing = accepted & ~c->seen;
    ck_assert_msg((uint64_t)__builtin_popcountll(missing) <= gap || gap_unknown,
                  "missing %llx, told %llu", (unsigned long long)missing, (unsigned long long)gap);
}

static void leave_and_come_back(void) {
    if (!come(&stays, 1))
        return;
    if (!come(&comes_back, 0)) {
        go(&stays);
        return;
    }
    WAIT(is_told(&stays) && is_told(&comes_back));
    publish(0, 8);
    pump();
    go(&comes_back);
    publish(8, 16);
    pump();
    bool back = come(&comes_back, 1);
    if (back)
        WAIT(comes_back.joined == 1);
    publish(16, 24);
    pump();
    disarm();
    if (back && comes_back.status != WSFAN_ENOMEM &&
        comes_back.recovered.recovery == WSFAN_RECOVERY_WHOLE) {
        wholes++;
        await_last(&comes_back);
        check(&comes_back);
        ck_assert_uint_eq(comes_back.doubled, 0);
    }
    if (back)
        go(&comes_back);
    go(&stays);
}

static unsigned peers_up(int i) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_node_get_stats(nodes[i], &stats), WSFAN_OK);
    return stats.peers_up;
}

/* Threads allocate as it comes, so which one fails differs from run to run. */
static void come_back_without_memory(bool all) {
    long n = 0;
    bool failed = true;
    for (int i = 0; i < NODES; i++)
        start(i);
    WAIT(peers_up(0) == 1 && peers_up(1) == 1);
    for (; failed; n += STRIDE) {
        snprintf(chat, sizeof chat, "c%ld", n);
        memset(&stays, 0, sizeof stays);
        memset(&comes_back, 0, sizeof comes_back);
        accepted = gap = 0;
        gap_unknown = false;
        arm(n, all);
        leave_and_come_back();
        failed = atomic_load(&ran_out);
        disarm();
        WAIT(peers_up(0) == 1 && peers_up(1) == 1);
    }
    ck_assert_int_eq(comes_back.recovered.recovery, WSFAN_RECOVERY_WHOLE);
    ck_assert_int_gt(n, 50); /* how many exactly is up to the threads */
    ck_assert_uint_gt(wholes, 1);
    for (int i = 0; i < NODES; i++) {
        ck_assert_int_eq(wsfan_loop_close(live[i]), WSFAN_OK);
        ck_assert_int_eq(wsfan_node_close(nodes[i]), WSFAN_OK);
    }
    ck_assert_int_eq(atomic_load(&live_count), 0);
}

START_TEST(any_one_allocation_may_fail_while_a_session_comes_back) {
    come_back_without_memory(false);
}
END_TEST

START_TEST(memory_may_be_gone_at_any_place_while_a_session_comes_back) {
    come_back_without_memory(true);
}
END_TEST

SUITE_MAIN("history_memory", any_one_allocation_may_fail_while_a_session_comes_back,
           memory_may_be_gone_at_any_place_while_a_session_comes_back)
