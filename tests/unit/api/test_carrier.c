/* Nodes over a carrier of the host that loses, doubles and reorders. */
#include <stdio.h>
#include <string.h>
#include <wsfan/carrier.h>
#include <wsfan/diagnosis.h>

#include "air.h"
#include "replica.h"
#include "suite.h"
#include "wire/encode.h"
#include "wire/message_codec.h"

static wsfan_options over_air(int i) {
    wsfan_options options = quick_options(NULL);
    options.carrier = air_carrier((unsigned)i);
    return options;
}

static void start(int i) {
    replica_start(i, over_air(i), NULL, 0, NULL);
}

static void set_trouble(unsigned loss, unsigned doubled, unsigned reordered) {
    pthread_mutex_lock(&air.lock);
    air.loss_permille = loss;
    air.doubled_permille = doubled;
    air.reordered_permille = reordered;
    pthread_mutex_unlock(&air.lock);
}

static bool all_up(int count) {
    for (int i = 0; i < count; i++)
        for (int of = 0; of < count; of++)
            if (i != of && !replica_up(i, of))
                return false;
    return true;
}

static wsfan_endpoint group(int i) {
    wsfan_endpoint endpoints[8] = { { .struct_size = sizeof endpoints[0] } };
    size_t count;
    ck_assert_int_eq(wsfan_node_get_endpoints(replicas[i].node, endpoints, 8, &count), WSFAN_OK);
    for (size_t e = 0; e < count; e++)
        if (strcmp(endpoints[e].endpoint, "air:*") == 0)
            return endpoints[e];
    return (wsfan_endpoint){ .state = WSFAN_ENDPOINT_DIALLING };
}

/* --------------------------------------------------------------------------------------- meeting */

START_TEST(nodes_find_each_other_without_any_being_named) {
    for (int i = 0; i < 3; i++)
        start(i);
    ck_assert_str_eq(replica_endpoint(0), "air:n0");
    WAIT(all_up(3));
    ck_assert_uint_eq(group(0).state, WSFAN_ENDPOINT_RESOLVED);
    replica_join(1, "lobby");
    replica_join(2, "lobby");
    ck_assert_int_eq(replicas[2].joined_status, WSFAN_OK);
    replica_broadcast(0, "lobby", "hello");
    WAIT(replicas[1].messages == 1 && replicas[2].messages == 1);
    ck_assert_str_eq(replicas[2].last, "hello");
    replicas_stop();
}
END_TEST

START_TEST(a_carrier_that_cannot_reach_all_needs_one_named_peer) {
    static const char *const peers[] = { "air:n0" };
    air.to_all = false;
    start(0);
    replica_start(1, over_air(1), peers, 1, NULL);
    replica_start(2, over_air(2), peers, 1, NULL);
    WAIT(all_up(3));
    ck_assert_int_eq(wsfan_node_set_peers(replicas[0].node, peers, 1), WSFAN_OK); /* its own */
    static const char *const tcp[] = { "tcp://127.0.0.1:7000" };
    ck_assert_int_eq(wsfan_node_set_peers(replicas[0].node, tcp, 1), WSFAN_EENDPOINT);
    air.to_all = true;
    replicas_stop();
}
END_TEST

START_TEST(a_node_is_ready_once_it_has_met_those_who_are_there) {
    start(0);
    WAIT(wsfan_node_ready(replicas[0].node) == WSFAN_READY_MET);
    start(1);
    WAIT(wsfan_node_ready(replicas[1].node) != 0);
    ck_assert(replica_up(1, 0) || wsfan_node_ready(replicas[1].node) == WSFAN_READY_MET);
    WAIT(all_up(2));
    replicas_stop();
}
END_TEST

START_TEST(a_node_that_went_without_a_goodbye_is_met_again_by_its_name) {
    start(0);
    start(1);
    WAIT(all_up(2));
    uint64_t before = wsfan_node_id(replicas[1].node);
    air_set(1, false); /* its goodbye is lost */
    replica_stop(1);
    start(1);
    ck_assert_uint_ne(wsfan_node_id(replicas[1].node), before);
    WAIT(all_up(2));
    replica_join(1, "lobby");
    replica_broadcast(0, "lobby", "back");
    WAIT(replicas[1].messages == 1);
    replicas_stop();
}
END_TEST

/* --------------------------------------------------------------------------------------- trouble */

enum { NODES = 3, MESSAGES = 300 };

static struct {
    unsigned next; /* number of the next message that is expected */
    unsigned wrong;
} heard[NODES][NODES];

static void on_numbered(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                        size_t count) {
    unsigned from;
    unsigned number;
    char text[32] = "";
    wsfan_bytes payload = wsfan_message_payload(message);
    (void)recipients;
    memcpy(text, payload.data, payload.size < 31 ? payload.size : 31);
    ck_assert_int_eq(sscanf(text, "%u %u", &from, &number), 2);
    int i = (int)((replica *)user - replicas);
    heard[i][from].wrong += number != heard[i][from].next || count != 1;
    heard[i][from].next = number + 1;
}

static bool all_heard(unsigned number) {
    for (int i = 0; i < NODES; i++)
        for (int from = 0; from < NODES; from++)
            if (heard[i][from].next < number)
                return false;
    return true;
}

static void start_numbered(int i) {
    static wsfan_callbacks callbacks;
    callbacks = (wsfan_callbacks){ .struct_size = sizeof callbacks,
                                   .on_message = on_numbered,
                                   .on_joined = replica_on_joined,
                                   .on_peer = replica_on_peer,
                                   .on_gap = replica_on_gap };
    wsfan_options options = over_air(i);
    replica *r = &replicas[i];
    memset(r, 0, sizeof *r);
    snprintf(r->name, sizeof r->name, "n%d", i);
    options.name = r->name;
    options.down_ms = 20000;   /* trouble is no death, */
    options.silent_ms = 10000; /* and joins wait for all */
    options.join_ms_max = 30000;
    ck_assert_int_eq(wsfan_node_open(&r->node, &options), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_open(&r->loop, r->node, &callbacks, r), WSFAN_OK);
    live[i] = r->loop;
    ck_assert_int_eq(wsfan_session_open(&r->session, r->loop, wsfan_string(r->name), NULL),
                     WSFAN_OK);
}

static void publish_numbered(int i, unsigned number) {
    char text[24000];
    memset(text, ' ', sizeof text);
    int used = snprintf(text, sizeof text, "%d %u", i, number);
    text[used] = ' ';
    size_t size = number % 16 == 0 ? sizeof text : 32; /* some are a second part */
    ck_assert_int_eq(
        wsfan_broadcast(replicas[i].node, wsfan_string("lobby"), (wsfan_bytes){ text, size }, NULL),
        WSFAN_OK);
}

/* Each message comes once and in its order, or the gap is told; here none is, as nobody is away for long. */
START_TEST(what_is_lost_doubled_or_reordered_reaches_everybody_once_and_in_order) {
    memset(heard, 0, sizeof heard);
    set_trouble(200, 200, 200);
    for (int i = 0; i < NODES; i++)
        start_numbered(i);
    WAIT(all_up(NODES));
    for (int i = 0; i < NODES; i++) {
        replica_join(i, "lobby");
        ck_assert_int_eq(replicas[i].joined_status, WSFAN_OK);
    }
    for (unsigned number = 0; number < MESSAGES; number++) {
        for (int i = 0; i < NODES; i++)
            publish_numbered(i, number);
        if (number % 4 == 0)
            dispatch_all();
    }
    WAIT(all_heard(MESSAGES));
    for (int i = 0; i < NODES; i++) {
        ck_assert_uint_eq(replicas[i].gap, 0);
        ck_assert_uint_eq(replica_stats(i).dropped[WSFAN_DROP_MALFORMED], 0);
        for (int from = 0; from < NODES; from++)
            ck_assert_uint_eq(heard[i][from].wrong, 0);
    }
    ck_assert(air.lost > 0 && air.doubled > 0 && air.reordered > 0);
    set_trouble(0, 0, 0);
    replicas_stop();
}
END_TEST

START_TEST(a_carrier_that_fails_is_told_and_what_was_published_meanwhile_comes_after) {
    memset(heard, 0, sizeof heard);
    for (int i = 0; i < NODES; i++)
        start_numbered(i);
    WAIT(all_up(NODES));
    for (int i = 0; i < NODES; i++)
        replica_join(i, "lobby");
    air_set(0, false);
    air_set_deaf(0, true);
    WAIT(group(0).state == WSFAN_ENDPOINT_NO_ANSWER);
    for (unsigned number = 0; number < 50; number++)
        for (int i = 0; i < NODES; i++)
            publish_numbered(i, number);
    WAIT(heard[0][0].next == 50 && heard[1][2].next == 50);
    ck_assert_uint_eq(heard[1][0].next, 0);
    ck_assert_uint_eq(heard[0][1].next, 0);
    air_set_deaf(0, false);
    air_set(0, true);
    WAIT(all_heard(50));
    ck_assert_uint_eq(group(0).state, WSFAN_ENDPOINT_RESOLVED);
    for (int i = 0; i < NODES; i++)
        ck_assert_uint_eq(replicas[i].gap, 0);
    replicas_stop();
}
END_TEST

/* -------------------------------------------------------------------------------------- strangers */

START_TEST(nobody_speaks_in_the_name_of_another) {
    enum { SUBSCRIBE = 2, UNSUBSCRIBE = 3 };
    uint8_t data[9 + WSF_TOPIC_SIZE] = { SUBSCRIBE };
    start(0);
    start(1);
    WAIT(all_up(2));
    wsf_put_u64(data + 1, UINT64_MAX);
    wsf_write_inbox(data + 9, wsfan_node_id(replicas[1].node));
    uint64_t before = replica_stats(0).dropped[WSFAN_DROP_FORGED];
    air_inject(0, "other", data, sizeof data); /* would lead what is for n1 to itself */
    WAIT(replica_stats(0).dropped[WSFAN_DROP_FORGED] == before + 1);
    data[0] = UNSUBSCRIBE;
    air_inject(0, "other", data, 9);
    replica_join(1, "lobby");
    replica_broadcast(0, "lobby", "x");
    WAIT(replicas[1].messages == 1);
    ck_assert_uint_eq(replicas[0].troubles, 0);
    replicas_stop();
}
END_TEST

static unsigned callers;

static void on_event(void *user, const wsfan_event *event) {
    (void)user;
    callers += event->kind == WSFAN_EVENT_CALLER && strcmp(event->address, "n0") == 0;
}

START_TEST(a_second_node_of_the_same_name_is_told_of) {
    static const wsfan_callbacks more = { .struct_size = sizeof more, .on_event = on_event };
    replica_start(0, over_air(0), NULL, 0, &more);
    air_inject(0, "n0", "\4", 1);
    WAIT(callers == 1);
    replicas_stop();
}
END_TEST

/* Each byte that may come, and each length: never an abort, and the mesh goes on. */
START_TEST(any_bytes_may_come) {
    uint64_t random = 7;
    uint8_t data[128];
    static const char *const names[] = { "n1", "other", "n0", "", "a name that is none" };
    start(0);
    start(1);
    WAIT(all_up(2));
    for (unsigned round = 0; round < 4000; round++) {
        size_t size = next_random(&random) % sizeof data;
        for (size_t i = 0; i < size; i++)
            data[i] = (uint8_t)next_random(&random);
        data[0] = (uint8_t)(round % 6);
        if (round % 3 == 0)
            memset(data + 1, 0, 7); /* a size that may be right, or a serial */
        if (round % 6 == 2 || round % 6 == 4)
            wsf_write_inbox(data + (round % 6 == 2 ? 9 : 1), next_random(&random));
        air_inject(0, names[round % 5], data, size);
        if (round % 64 == 0)
            dispatch_all();
    }
    replica_join(1, "lobby");
    WAIT(all_up(2));
    replica_broadcast(0, "lobby", "x");
    WAIT(replicas[1].messages == 1);
    replicas_stop();
}
END_TEST

/* --------------------------------------------------------------------------------------- options */

static void refuses(wsfan_options options, int error, const char *field) {
    const char *found = NULL;
    ck_assert_int_eq(wsfan_options_check(&options, &found), error);
    ck_assert_str_eq(found, field);
}

START_TEST(options_that_do_not_go_with_a_carrier_are_refused) {
    static const char *const tcp[] = { "tcp://127.0.0.1:7000" };
    wsfan_options options = over_air(0);
    ck_assert_int_eq(wsfan_options_check(&options, NULL), WSFAN_OK);
    options.endpoint = "tcp://127.0.0.1:7000";
    refuses(options, WSFAN_EENDPOINT, "endpoint");
    options.endpoint = "nats:n0";
    refuses(options, WSFAN_EENDPOINT, "endpoint");
    options.endpoint = NULL;
    options.name = "a b";
    refuses(options, WSFAN_EENDPOINT, "name");
    options.endpoint = "air:a-b";
    ck_assert_int_eq(wsfan_options_check(&options, NULL), WSFAN_OK);
    options.advertise = "air:c";
    refuses(options, WSFAN_EINVAL, "advertise");
    options.advertise = NULL;
    options.peers = tcp;
    options.peers_count = 1;
    refuses(options, WSFAN_EENDPOINT, "peers");
    options.peers_count = 0;
    options.allow_path = "/nowhere";
    refuses(options, WSFAN_EINVAL, "carrier");
    options.allow_path = NULL;
    air.masts[0].carrier.scheme = "Air";
    refuses(options, WSFAN_EENDPOINT, "carrier");
    air.masts[0].carrier.scheme = "air";
    air.masts[0].carrier.send = NULL;
    refuses(options, WSFAN_EINVAL, "carrier");
}
END_TEST

START_TEST(what_open_of_the_carrier_returns_is_what_the_node_returns) {
    wsfan_options options = over_air(0);
    wsfan_node *node = NULL;
    air.masts[0].open_error = WSFAN_ELIMIT;
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_ELIMIT);
    ck_assert_ptr_null(node);
    air.masts[0].open_error = WSFAN_OK;
}
END_TEST

SUITE_MAIN("carrier", nodes_find_each_other_without_any_being_named,
           a_carrier_that_cannot_reach_all_needs_one_named_peer,
           a_node_is_ready_once_it_has_met_those_who_are_there,
           a_node_that_went_without_a_goodbye_is_met_again_by_its_name,
           what_is_lost_doubled_or_reordered_reaches_everybody_once_and_in_order,
           a_carrier_that_fails_is_told_and_what_was_published_meanwhile_comes_after,
           nobody_speaks_in_the_name_of_another, a_second_node_of_the_same_name_is_told_of,
           any_bytes_may_come, options_that_do_not_go_with_a_carrier_are_refused,
           what_open_of_the_carrier_returns_is_what_the_node_returns)
