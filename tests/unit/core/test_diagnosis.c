/* Where endpoints stand, and who called: what the core tells of them, and how often, on a virtual clock. */
#include "core/dialer.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "suite.h"
#include "world.h"

enum { TEN_S = 10000, MINUTE_MS = 60000 };

static const char *const NODE_0 = "tcp://10.0.0.1:7000"; /* as the world has it */
static const char *const NOWHERE = "tcp://10.9.9.9:7000";

static world *w;
static unsigned endpoint_events;
static unsigned caller_events;
static unsigned searching_events;
static wsfan_event last; /* its texts are not valid */

static void on_event(void *user, unsigned node, const wsfan_event *event) {
    (void)user;
    if (node != 0)
        return;
    endpoint_events += event->kind == WSFAN_EVENT_ENDPOINT;
    caller_events += event->kind == WSFAN_EVENT_CALLER;
    searching_events += event->kind == WSFAN_EVENT_NODE &&
                        event->state == (int)WSFAN_NODE_SEARCHING;
    last = *event;
}

static void begin(void) {
    static const world_watcher watcher = { .event = on_event };
    endpoint_events = caller_events = searching_events = 0;
    w = world_new(1, &watcher);
    world_start(w, 0, 0);
}

static void name(const char *endpoint) {
    wsf_core_name_endpoints(world_core(w, 0), WSF_SOURCE_HOST, &endpoint, endpoint != NULL,
                            world_now(w, 0));
    world_touch(w, 0);
}

static wsfan_endpoint first_endpoint(void) {
    wsfan_endpoint endpoint = { 0 };
    ck_assert_uint_ge(wsf_core_endpoints(world_core(w, 0), &endpoint, 1, world_now(w, 0)), 1);
    return endpoint;
}

static void found(wsfan_endpoint_state state) {
    wsf_core_carrier(world_core(w, 0), 0, state, 1);
    world_touch(w, 0);
    world_run(w, 1);
}

static void called(const char *address, wsfan_endpoint_state cause) {
    wsf_core_caller(world_core(w, 0), address, cause, world_now(w, 0));
}

static uint64_t failures(void) {
    wsfan_stats stats;
    wsf_core_stats(world_core(w, 0), &stats);
    return stats.endpoint_failures;
}

START_TEST(a_state_is_told_once_however_often_it_is_found) {
    begin();
    name(NOWHERE);
    found(WSFAN_ENDPOINT_REFUSED_TCP);
    ck_assert_uint_eq(endpoint_events, 1);
    ck_assert_int_eq(last.state, WSFAN_ENDPOINT_REFUSED_TCP);
    uint64_t before = failures();
    for (int i = 0; i < 10; i++)
        found(WSFAN_ENDPOINT_REFUSED_TCP);
    ck_assert_uint_eq(endpoint_events, 1);
    ck_assert_uint_eq(failures(), before + 10);
    ck_assert_uint_ge(first_endpoint().attempts, 11);
    found(WSFAN_ENDPOINT_NO_ANSWER);
    ck_assert_uint_eq(endpoint_events, 2);
    world_run(w, TEN_S);
    ck_assert_uint_ge(first_endpoint().since_ms, TEN_S);
    world_destroy(w);
}
END_TEST

/* Whoever listens there, or has put itself into the table, changes its mind as often as it likes. */
START_TEST(an_endpoint_that_changes_all_the_time_is_told_of_now_and_then) {
    begin();
    name(NOWHERE);
    for (int i = 0; i < 200; i++)
        found(i % 2 == 0 ? WSFAN_ENDPOINT_REFUSED_TCP : WSFAN_ENDPOINT_NO_ANSWER);
    ck_assert_uint_eq(endpoint_events, 8);
    ck_assert_int_eq(first_endpoint().state, WSFAN_ENDPOINT_NO_ANSWER);
    found(WSFAN_ENDPOINT_FOREIGN);
    ck_assert_int_eq(first_endpoint().state, WSFAN_ENDPOINT_FOREIGN);
    ck_assert_uint_eq(endpoint_events, 8);
    world_run(w, TEN_S);
    ck_assert_uint_eq(endpoint_events, 9); /* how it stands, without another cause */
    ck_assert_int_eq(last.state, WSFAN_ENDPOINT_FOREIGN);
    world_destroy(w);
}
END_TEST

START_TEST(what_is_found_of_an_endpoint_that_is_not_dialled_is_ignored) {
    begin();
    found(WSFAN_ENDPOINT_REFUSED_TCP); /* none was ever named */
    wsf_core_carrier(world_core(w, 0), WSF_CONNECTIONS_MAX - 1, WSFAN_ENDPOINT_MUTE, 1);
    ck_assert_uint_eq(endpoint_events, 0);
    ck_assert_uint_eq(failures(), 0);
    world_destroy(w);
}
END_TEST

static bool meshed(void *user) {
    (void)user;
    return world_meshed(w);
}

START_TEST(a_link_ends_what_was_wrong_and_its_loss_is_told) {
    begin();
    name(NODE_0); /* its own: not an endpoint of the table */
    ck_assert_uint_eq(wsf_core_endpoints(world_core(w, 0), NULL, 0, world_now(w, 0)), 0);
    world_start(w, 1, 1); /* node 1 calls node 0, which dials back */
    ck_assert(world_run_until(w, meshed, NULL, TEN_S));
    world_run(w, 100);
    ck_assert_int_eq(first_endpoint().state, WSFAN_ENDPOINT_LINKED);
    ck_assert_uint_eq(first_endpoint().sources, WSFAN_SOURCE_PEERS);
    ck_assert_uint_eq(first_endpoint().hears_us, 1);
    ck_assert_uint_eq(failures(), 0);
    world_crash(w, 1);
    world_run(w, 1000);
    ck_assert_int_eq(first_endpoint().state, WSFAN_ENDPOINT_LOST);
    ck_assert_uint_gt(failures(), 0);
    found(WSFAN_ENDPOINT_REFUSED_TCP); /* says more */
    ck_assert_int_eq(first_endpoint().state, WSFAN_ENDPOINT_REFUSED_TCP);
    world_destroy(w);
}
END_TEST

/* It has not looked for anybody; who called and is lost is another matter. */
START_TEST(a_node_that_is_called_goes_from_alone_into_the_mesh) {
    begin();
    world_run(w, 100);
    ck_assert_int_eq(last.state, WSFAN_NODE_ALONE);
    world_start(w, 1, 1);
    ck_assert(world_run_until(w, meshed, NULL, TEN_S));
    world_run(w, 100);
    ck_assert_uint_eq(searching_events, 0);
    world_crash(w, 1);
    world_run(w, 2 * TEN_S);
    ck_assert_uint_eq(searching_events, 1);
    world_destroy(w);
}
END_TEST

START_TEST(a_caller_that_comes_again_is_told_of_once_a_minute) {
    begin();
    for (int i = 0; i < 100; i++)
        called("192.0.2.1", WSFAN_ENDPOINT_KEY_UNKNOWN_HERE);
    ck_assert_uint_eq(caller_events, 1);
    world_run(w, MINUTE_MS);
    called("192.0.2.1", WSFAN_ENDPOINT_KEY_UNKNOWN_HERE);
    ck_assert_uint_eq(caller_events, 2);
    ck_assert_uint_eq(last.count, 101);
    called("192.0.2.1", WSFAN_ENDPOINT_PLAIN_THERE); /* another cause */
    ck_assert_uint_eq(caller_events, 3);
    world_destroy(w);
}
END_TEST

/* So do nodes with a key each, time after time, when they meet. */
START_TEST(a_caller_that_tries_its_keys_is_told_of_when_it_goes_on) {
    const wsfan_endpoint_state unknown = WSFAN_ENDPOINT_KEY_UNKNOWN_THERE;
    begin();
    for (int meeting = 0; meeting < 3; meeting++) {
        for (int key = 0; key < 3; key++)
            called("192.0.2.1", unknown);
        world_run(w, TEN_S);
    }
    ck_assert_uint_eq(caller_events, 0);
    ck_assert_uint_eq(wsf_core_callers(world_core(w, 0), NULL, 0, world_now(w, 0)), 1);
    for (int i = 0; i < 30; i++) {
        called("192.0.2.1", unknown);
        world_run(w, 100);
    }
    ck_assert_uint_eq(caller_events, 1);
    world_destroy(w);
}
END_TEST

/* A flood from many addresses costs a table and a few events; the rest is counted. */
START_TEST(callers_are_bounded_and_the_latest_come_first) {
    wsfan_caller callers[WSFAN_CALLERS_MAX + 1];
    char address[WSFAN_CALLER_ADDRESS_SIZE];
    wsfan_stats stats;
    begin();
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(address, sizeof address, "192.0.%u.%u", i / 250, i % 250);
        called(address, WSFAN_ENDPOINT_FOREIGN);
        world_run(w, 1);
    }
    ck_assert_uint_eq(caller_events, 32);
    ck_assert_uint_eq(
        wsf_core_callers(world_core(w, 0), callers, WSFAN_CALLERS_MAX + 1, world_now(w, 0)),
        WSFAN_CALLERS_MAX);
    ck_assert_str_eq(callers[0].address, address);
    for (unsigned i = 1; i < WSFAN_CALLERS_MAX; i++)
        ck_assert_uint_le(callers[i - 1].last_ms, callers[i].last_ms);
    wsf_core_stats(world_core(w, 0), &stats);
    ck_assert_uint_eq(stats.caller_failures, 1000);
    ck_assert_uint_eq(stats.dropped[WSFAN_DROP_EVENT], 1000 - 32);
    world_run(w, TEN_S);
    called("198.51.100.1", WSFAN_ENDPOINT_FOREIGN);
    ck_assert_uint_eq(caller_events, 33);
    world_destroy(w);
}
END_TEST

/* A list of one name in a state. */
static wsf_name *name_in(wsfan_endpoint_state state, uint64_t questions) {
    wsf_name *n = wsf_alloc_zero(1, sizeof *n);
    ck_assert_ptr_nonnull(n);
    snprintf(n->endpoint, sizeof n->endpoint, "tcp://chat.example:7000");
    n->state = state;
    n->questions = questions;
    return n;
}

START_TEST(names_have_states_of_their_own) {
    wsf_core *core;
    begin();
    core = world_core(w, 0);
    world_run(w, 100); /* it is ready, and alone */
    ck_assert_int_eq(last.state, WSFAN_NODE_ALONE);
    wsf_core_set_names(core, name_in(WSFAN_ENDPOINT_RESOLVING, 1), world_now(w, 0));
    ck_assert_uint_eq(endpoint_events, 0);
    wsf_core_set_names(core, name_in(WSFAN_ENDPOINT_NO_NAME, 1), world_now(w, 0));
    wsf_core_set_names(core, name_in(WSFAN_ENDPOINT_NO_NAME, 2), world_now(w, 0));
    ck_assert_uint_eq(endpoint_events, 1);
    ck_assert_uint_eq(failures(), 2);
    ck_assert_int_eq(first_endpoint().state, WSFAN_ENDPOINT_NO_NAME);
    wsfan_node_state state;
    wsf_core_state(core, &state, world_now(w, 0));
    ck_assert_int_eq(state.phase, WSFAN_NODE_SEARCHING);
    ck_assert_uint_eq(state.endpoints_failing, 1);
    wsf_core_set_names(core, NULL, world_now(w, 0));
    wsf_core_state(core, &state, world_now(w, 0));
    ck_assert_int_eq(state.phase, WSFAN_NODE_ALONE);
    world_destroy(w);
}
END_TEST

SUITE_MAIN("diagnosis", a_state_is_told_once_however_often_it_is_found,
           an_endpoint_that_changes_all_the_time_is_told_of_now_and_then,
           what_is_found_of_an_endpoint_that_is_not_dialled_is_ignored,
           a_link_ends_what_was_wrong_and_its_loss_is_told,
           a_node_that_is_called_goes_from_alone_into_the_mesh,
           a_caller_that_comes_again_is_told_of_once_a_minute,
           a_caller_that_tries_its_keys_is_told_of_when_it_goes_on,
           callers_are_bounded_and_the_latest_come_first, names_have_states_of_their_own)
