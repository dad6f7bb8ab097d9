/* Memory that runs out between nodes: two cores on the world's clock, where every allocation can fail
 * in turn, and two nodes with sockets and threads. */
#include <poll.h>

#include "base/memory.h"
#include "core/core.h"
#include "core/state.h"
#include "failing.h"
#include "world.h"

typedef struct {
    unsigned delivered[4000];
    uint64_t gap;
    unsigned joined;
} receiver;

static bool on_deliver(void *user, unsigned node, unsigned loop, wsfan_message *message) {
    (void)loop;
    if (node == 1)
        ((receiver *)user)->delivered[world_payload(message)]++;
    return true;
}

static void on_world_gap(void *user, unsigned node, const wsfan_gap *gap) {
    if (node == 1)
        ((receiver *)user)->gap += gap->count;
}

static bool on_world_joined(void *user, unsigned node, wsf_ticket *ticket) {
    ((receiver *)user)->joined += node == 1 && ticket->status == WSFAN_OK;
    return false;
}

static bool meshed(void *user) {
    return world_meshed(user);
}

START_TEST(a_link_between_nodes_that_run_out_of_memory_loses_nothing_silently) {
    static receiver r;
    world_watcher watcher = {
        .user = &r, .deliver = on_deliver, .joined = on_world_joined, .gap = on_world_gap
    };
    ck_assert_int_eq(wsf_memory_use(&FAILING), WSFAN_OK);
    world *w = world_new(1, &watcher);
    bool accepted[4000] = { false };
    disarm();
    world_start(w, 0, 0);
    world_start(w, 1, 1);
    ck_assert(world_run_until(w, meshed, w, 10000));
    world_join(w, 1, 100);
    world_run(w, 100);
    ck_assert_uint_eq(r.joined, 1);
    atomic_store(&fail_one_in, 20);
    for (uint64_t i = 0; i < 3000; i++) {
        accepted[i] = world_publish(w, 0, 100, i);
        world_join(w, 1, 1000 + i);
        if (i % 3 == 0)
            world_leave(w, 1, 1000 + i / 2);
        world_run(w, 1);
    }
    atomic_store(&fail_one_in, 0);
    disarm();
    world_run(w, 5000);
    for (uint64_t i = 3000; i < 3100; i++)
        accepted[i] = world_publish(w, 0, 100, i);
    world_run(w, 1000);
    uint64_t missing = 0;
    for (int i = 0; i < 4000; i++) {
        ck_assert_uint_le(r.delivered[i], accepted[i]);
        missing += accepted[i] && r.delivered[i] == 0;
    }
    for (int i = 3000; i < 3100; i++)
        ck_assert_uint_eq(r.delivered[i], 1);
    ck_assert_uint_eq(r.gap, missing);
    world_destroy(w);
}
END_TEST

/* --------------------------------------------------------------------------- two cores, each place */

enum { CHAT = 100, LATER = 101, USERS = 2, PUBLISHED = 12 };

typedef struct {
    world *w;
    wsf_hash_key key;
    unsigned delivered[2][PUBLISHED]; /* by publisher */
    bool accepted[2][PUBLISHED];
    uint64_t gap[2];
    unsigned tickets_out, tickets_back;
    unsigned receipts_out, receipts_back;
    unsigned asks_out, asks_back;
    unsigned probes[2];
    unsigned probe;
    wsf_presence_session *present[2]; /* one session on each node */
} pair;

enum { PROBES = 1000000 }; /* payloads from here on are probes */

static bool pair_deliver(void *user, unsigned node, unsigned loop, wsfan_message *message) {
    pair *p = user;
    uint64_t payload = world_payload(message);
    unsigned origin = message->id.origin == world_node_id(p->w, 0) ? 0 : 1;
    (void)loop;
    if (payload >= PROBES)
        p->probes[node] += payload == PROBES + p->probe && origin != node;
    else if (origin != node && message->slot == 0)
        p->delivered[origin][payload]++;
    if (message->receipt != NULL && wsf_receipt_loop_done(message->receipt, 1)) {
        /* the core's own turn is still to come, so this was not the last */
        ck_abort_msg("a receipt without its core");
    }
    return true;
}

static bool pair_joined(void *user, unsigned node, wsf_ticket *ticket) {
    (void)node, (void)ticket;
    ((pair *)user)->tickets_back++;
    return false;
}

static void pair_gap(void *user, unsigned node, const wsfan_gap *gap) {
    pair *p = user;
    p->gap[node == 0 ? 1 : 0] += gap->count; /* of what the other one published */
}

static void pair_result(void *user, unsigned node, const wsfan_result *result) {
    (void)node, (void)result;
    ((pair *)user)->receipts_back++;
}

static void see_reply(void *user, const wsfan_reply *reply) {
    (void)user;
    ck_assert(reply->status == WSFAN_OK || reply->status == WSFAN_EPARTIAL ||
              reply->status == WSFAN_ENOMEM);
}

static bool pair_reply(void *user, unsigned node, wsf_request *ask) {
    (void)node;
    ((pair *)user)->asks_back++;
    wsf_request_tell(ask, see_reply, NULL);
    wsf_request_free(ask);
    return true;
}

static void pair_join(pair *p, unsigned node, uint64_t chat) {
    p->tickets_out += world_join(p->w, node, chat);
}

static void be_present(pair *p, unsigned node) {
    wsf_presence_session *a = wsf_alloc_zero(1, sizeof *a + 3);
    if (a == NULL)
        return;
    const char user = (char)('a' + node);
    a->chat_hash = world_chat_hash(p->w, CHAT);
    a->user_hash = wsf_hash_target(&p->key, &(wsfan_target){ WSFAN_USER, { &user, 1 } });
    a->chat_size = a->user_size = a->metadata_size = 1;
    a->bytes[0] = 'c';
    a->bytes[1] = (uint8_t)user;
    p->present[node] = a;
    wsf_core_present(world_core(p->w, node), a, world_now(p->w, node));
    world_touch(p->w, node);
}

static void be_absent(pair *p, unsigned node) {
    wsf_presence_session *a = p->present[node];
    if (a == NULL)
        return;
    p->present[node] = NULL;
    a->closes = true;
    wsf_core_absent(world_core(p->w, node), a, world_now(p->w, node));
    world_touch(p->w, node);
}

static void pair_publish(pair *p, unsigned node, uint64_t number, uint64_t slot) {
    const uint64_t chat = CHAT;
    wsfan_target target = { WSFAN_CHAT, { &chat, sizeof chat } };
    wsf_message_parts parts = {
        .targets = &target, .targets_count = 1, .payload = { &number, sizeof number }, .slot = slot
    };
    wsfan_message *message = wsf_message_new(&p->key, &parts);
    if (message == NULL)
        return;
    if (slot == 0 && number % 2 == 0 && (message->receipt = wsf_receipt_new(NULL, NULL)) != NULL)
        p->receipts_out++;
    p->accepted[node][number] = slot == 0;
    wsf_core_publish(world_core(p->w, node), message, world_now(p->w, node));
    world_touch(p->w, node);
}

static void pair_ask(pair *p, unsigned node, wsfan_request_kind kind, wsfan_bytes payload,
                     uint32_t number) {
    wsfan_target all = { WSFAN_ALL, { NULL, 0 } };
    wsf_message_parts parts = { .targets = &all, .targets_count = 1, .payload = payload };
    wsfan_message *message = wsf_message_new(&p->key, &parts);
    wsf_request *ask = message != NULL ? wsf_request_new(kind, message, number, 1000) : NULL;
    if (ask == NULL) {
        wsfan_message_unref(message);
        return;
    }
    p->asks_out++;
    wsf_core_request(world_core(p->w, node), ask, world_now(p->w, node));
    world_touch(p->w, node);
}

/* What two nodes may do to each other. */
static void do_everything(pair *p) {
    for (unsigned node = 0; node < 2; node++) {
        be_present(p, node);
        pair_join(p, node, CHAT);
    }
    world_run(p->w, 100);
    for (uint64_t i = 0; i < PUBLISHED; i++) {
        pair_publish(p, i % 2, i, i % 5 == 4 ? 7 : 0);
        world_run(p->w, 1);
    }
    for (unsigned node = 0; node < 2; node++) {
        pair_ask(p, node, WSFAN_REQUEST_JOIN, wsfan_string("d"), 0);
        pair_ask(p, node, WSFAN_REQUEST_CLOSE, wsfan_string("away"), 1001);
        pair_ask(p, node, WSFAN_REQUEST_CHATS, wsfan_string(""), 10);
        pair_ask(p, node, WSFAN_REQUEST_NODES, wsfan_string(""), 10);
        pair_ask(p, node, WSFAN_REQUEST_SEND, wsfan_string("hello"), 0);
    }
    pair_join(p, 1, LATER);
    world_run(p->w, 50);
    world_leave(p->w, 1, LATER);
    wsf_core_name_endpoints(world_core(p->w, 0), WSF_SOURCE_HOST,
                            (const char *[]){ "tcp://10.0.0.9:7000" }, 1, world_now(p->w, 0));
    world_break(p->w, 0, 1);
    world_run(p->w, 3000);
}

static bool counted_whole(pair *p, unsigned node) {
    wsfan_count count = { .struct_size = sizeof count };
    wsf_core_count(world_core(p->w, node), world_chat_hash(p->w, CHAT), &count);
    return count.complete && count.users == 2 && count.sessions == 2;
}

static const char *what_is_wrong(pair *p) {
    if (!world_meshed(p->w))
        return "the nodes do not know each other's interest";
    return counted_whole(p, 0) ? "node 1 does not count all" : "node 0 does not count all";
}

static bool all_well(void *user) {
    pair *p = user;
    return world_meshed(p->w) && counted_whole(p, 0) && counted_whole(p, 1);
}

/* With memory again, all is as if nothing had been, and what was lost was said to be. */
static void check_pair(pair *p, long n) {
    world_run(p->w, 1000);
    for (unsigned node = 0; node < 2; node++) {
        be_absent(p, node);
        world_leave(p->w, node, CHAT);
    }
    world_run(p->w, 6000);
    for (unsigned node = 0; node < 2; node++) {
        be_present(p, node);
        pair_join(p, node, CHAT);
    }
    if (!world_run_until(p->w, all_well, p, 60000))
        ck_abort_msg("not well after allocation %ld failed: %s", n, what_is_wrong(p));
    ck_assert_uint_eq(p->tickets_back, p->tickets_out);
    ck_assert_uint_eq(p->receipts_back, p->receipts_out);
    ck_assert_uint_eq(p->asks_back, p->asks_out);
    for (unsigned origin = 0; origin < 2; origin++) {
        uint64_t missing = 0;
        for (unsigned i = 0; i < PUBLISHED; i++) {
            ck_assert_uint_le(p->delivered[origin][i], p->accepted[origin][i]);
            missing += p->accepted[origin][i] && p->delivered[origin][i] == 0;
        }
        p->probe = (unsigned)missing;
        ck_assert(world_publish(p->w, origin, CHAT, PROBES + missing));
        world_run(p->w, 500);
        ck_assert_uint_eq(p->probes[origin == 0 ? 1 : 0], 1);
    }
}

/* Returns whether there was an allocation to fail. */
static bool run_pair(long n, bool all) {
    pair p = { .w = NULL };
    world_watcher watcher = { .user = &p,
                              .deliver = pair_deliver,
                              .joined = pair_joined,
                              .gap = pair_gap,
                              .result = pair_result,
                              .reply = pair_reply };
    p.w = world_new(1, &watcher);
    wsf_core_config *config = world_config(p.w);
    config->presence.grace_ms = 100;
    config->interest_log_count_max = 64;
    wsf_hash_key_init(&p.key, config->cluster);
    world_start(p.w, 0, 0);
    world_start(p.w, 1, 1);
    arm(n, all);
    world_run(p.w, 500);
    do_everything(&p);
    bool failed = disarm();
    check_pair(&p, n);
    world_destroy(p.w);
    ck_assert_int_eq(atomic_load(&live_count), 0);
    return failed;
}

START_TEST(any_one_allocation_of_two_cores_may_fail) {
    long n = 0;
    ck_assert_int_eq(wsf_memory_use(&FAILING), WSFAN_OK);
    while (run_pair(n, false))
        n += STRIDE;
    ck_assert_int_gt(n, 200);
}
END_TEST

START_TEST(two_cores_may_be_without_memory_for_a_while_from_any_place_on) {
    long n = 0;
    ck_assert_int_eq(wsf_memory_use(&FAILING), WSFAN_OK);
    while (run_pair(n, true))
        n += STRIDE;
    ck_assert_int_gt(n, 200);
}
END_TEST

SUITE_MAIN("memory_peers", a_link_between_nodes_that_run_out_of_memory_loses_nothing_silently,
           any_one_allocation_of_two_cores_may_fail,
           two_cores_may_be_without_memory_for_a_while_from_any_place_on)
