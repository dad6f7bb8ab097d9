/* Who gets what, between two nodes with several loops, against a plain list of who is where: messages that follow
 * each other are mostly for the same chat, are then written as repeats, and take shortcuts on their way. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "live.h"
#include "suite.h"

enum {
    NODES = 2,
    LOOPS = 3,
    SESSIONS = 24,
    HELPER = SESSIONS, /* not in the list */
    NAMES = 6,
    ROUNDS = 60,
    BURST = 80,
    MESSAGES = ROUNDS * BURST
};

typedef struct {
    wsfan_session handle;
    unsigned loop;
    int user; /* a name; -1: without one */
    bool open;
    bool in[NAMES];
} member;

static wsfan_node *nodes[NODES];
static const unsigned node_of[LOOPS] = { 0, 1, 1 };
static char names[NAMES][100];
static member members[SESSIONS];
static unsigned settled; /* joins of helpers that were told */
static unsigned marks[LOOPS];
static bool expected[MESSAGES][SESSIONS];
static uint8_t got[MESSAGES][SESSIONS];
static uint32_t flags[MESSAGES];
static unsigned published;
static unsigned wrong;
static uint64_t seed;

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    uint32_t number;
    wsfan_bytes payload = wsfan_message_payload(message);
    ck_assert_uint_ge(payload.size, sizeof number);
    memcpy(&number, payload.data, sizeof number);
    if (number == UINT32_MAX) {
        marks[(uintptr_t)user]++;
        return;
    }
    ck_assert_uint_lt(number, published);
    wrong += wsfan_message_flags(message) != flags[number];
    for (size_t i = 0; i < count; i++) {
        uintptr_t who = (uintptr_t)recipients[i].session_user;
        if (who == HELPER)
            continue;
        ck_assert_uint_lt(who, SESSIONS);
        ck_assert_uint_eq(members[who].loop, (uintptr_t)user);
        got[number][who]++;
    }
}

static void on_joined(void *user, const wsfan_joined *joined) {
    (void)user;
    ck_assert_int_eq(joined->status, WSFAN_OK);
    settled += (uintptr_t)joined->session_user == HELPER;
}

static void start(void) {
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_message = on_message,
                                               .on_joined = on_joined };
    const char *peer = NULL;
    for (unsigned n = 0; n < NODES; n++) {
        wsfan_options options = quick_options("tcp://127.0.0.1:*");
        options.name = n == 0 ? "a" : "b";
        options.peers = peer != NULL ? &peer : NULL;
        options.peers_count = peer != NULL;
        ck_assert_int_eq(wsfan_node_open(&nodes[n], &options), WSFAN_OK);
        peer = wsfan_node_endpoint(nodes[n]);
    }
    for (uintptr_t i = 0; i < LOOPS; i++)
        ck_assert_int_eq(wsfan_loop_open(&live[i], nodes[node_of[i]], &callbacks, (void *)i),
                         WSFAN_OK);
    for (unsigned n = 0; n < NAMES;
         n++) /* one name ends another, and some are too long for shortcuts */
        snprintf(names[n], sizeof names[n], "%.*s%u",
                 n % 3 == 0   ? 63
                 : n % 3 == 1 ? 64
                              : 2,
                 "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", n);
    for (unsigned n = 0; n < NODES; n++)
        WAIT(wsfan_node_ready(nodes[n]) == WSFAN_READY_MET);
}

static void stop(void) {
    for (int i = 0; i < LOOPS; i++) {
        ck_assert_int_eq(wsfan_loop_close(live[i]), WSFAN_OK);
        live[i] = NULL;
    }
    for (int n = 0; n < NODES; n++)
        ck_assert_int_eq(wsfan_node_close(nodes[n]), WSFAN_OK);
}

static unsigned dice(unsigned sides) {
    return (unsigned)(next_random(&seed) % sides);
}

/* Opens or closes a session, or has it join or leave. */
static void change(void) {
    unsigned who = dice(SESSIONS);
    member *m = &members[who];
    if (!m->open) {
        *m = (member){ .loop = dice(LOOPS), .user = (int)dice(NAMES + 1) - 1, .open = true };
        ck_assert_int_eq(wsfan_session_open(&m->handle, live[m->loop],
                                            wsfan_string(m->user < 0 ? "" : names[m->user]),
                                            (void *)(uintptr_t)who),
                         WSFAN_OK);
    } else if (dice(4) == 0) {
        m->open = false;
        ck_assert_int_eq(wsfan_session_close(live[m->loop], m->handle), WSFAN_OK);
    }
    for (unsigned i = dice(4); m->open && i > 0; i--) {
        unsigned chat = dice(NAMES);
        wsfan_bytes name = wsfan_string(names[chat]);
        int error = m->in[chat] ? wsfan_session_leave(live[m->loop], m->handle, name)
                                : wsfan_session_join(live[m->loop], m->handle, name);
        ck_assert_int_eq(error, WSFAN_OK);
        m->in[chat] = !m->in[chat];
    }
}

/* A user's interest has no on_joined: a join that is told is behind all that was said before it. */
static void settle(void) {
    static unsigned count;
    wsfan_session sessions[LOOPS];
    for (int i = 0; i < LOOPS; i++) {
        char name[32];
        snprintf(name, sizeof name, "settle-%u", count++);
        ck_assert_int_eq(
            wsfan_session_open(&sessions[i], live[i], wsfan_string(""), (void *)HELPER), WSFAN_OK);
        unsigned before = settled;
        ck_assert_int_eq(wsfan_session_join(live[i], sessions[i], wsfan_string(name)), WSFAN_OK);
        WAIT(settled > before); /* and no earlier join of others */
    }
    for (int i = 0; i < LOOPS; i++)
        ck_assert_int_eq(wsfan_session_close(live[i], sessions[i]), WSFAN_OK);
}

static bool addressed(const member *m, const wsfan_target *target, unsigned name) {
    switch (target->kind) {
    case WSFAN_CHAT:
        return m->in[name];
    case WSFAN_USER:
        return m->user == (int)name;
    default:
        return true;
    }
}

static void say(wsfan_node *node, const wsfan_target *targets, const unsigned *chosen, size_t count,
                int except, uint32_t how) {
    uint8_t payload[6000] = { 0 };
    static const size_t sizes[] = { 4000, 6000 }; /* not in a slab; not to be repeated either */
    size_t size = dice(10) == 0 ? sizes[dice(2)] : sizeof(uint32_t) + dice(40);
    wsfan_publish_options options = { .struct_size = sizeof options, .flags = how };
    memcpy(payload, &published, sizeof published);
    if (except >= 0)
        options.except = wsfan_session_address(live[members[except].loop], members[except].handle);
    for (int s = 0; s < SESSIONS; s++) {
        bool hit = false;
        for (size_t t = 0; t < count; t++)
            hit = hit || addressed(&members[s], &targets[t], chosen[t]);
        expected[published][s] = members[s].open && hit && s != except;
    }
    flags[published] = how;
    ck_assert_int_eq(wsfan_publish(node, targets, count, (wsfan_bytes){ payload, size }, &options),
                     WSFAN_OK);
    published++;
}

/* Messages of one node: a few in a row with the same head, then another. The first may go on with the last head of
 * the burst before. */
static void burst(wsfan_node *node) {
    static wsfan_target targets[3];
    static unsigned chosen[3];
    static size_t count;
    static int except = -1;
    static uint32_t how;
    if (except >= 0 && !members[except].open)
        except = -1;
    for (int i = 0; i < BURST; i++) {
        if (count == 0 || dice(5) == 0) {
            count = dice(6) == 0 ? 2 + dice(2) : 1;
            for (size_t t = 0; t < count; t++) {
                wsfan_target_kind kind = dice(20) == 0  ? WSFAN_ALL
                                         : dice(3) == 0 ? WSFAN_USER
                                                        : WSFAN_CHAT;
                chosen[t] = dice(NAMES);
                targets[t] = (wsfan_target){ kind, kind == WSFAN_ALL
                                                       ? (wsfan_bytes){ NULL, 0 }
                                                       : wsfan_string(names[chosen[t]]) };
            }
        }
        if (dice(5) == 0) {
            except = dice(2) == 0 ? -1 : (int)dice(SESSIONS);
            if (except >= 0 && !members[except].open)
                except = -1;
        }
        if (dice(8) == 0)
            how ^= dice(2) == 0 ? WSFAN_BINARY : WSFAN_FLEETING;
        say(node, targets, chosen, count, except, how);
    }
}

static bool marked(unsigned times) {
    for (int i = 0; i < LOOPS; i++)
        if (marks[i] < times)
            return false;
    return true;
}

/* A session in each loop, so that what is for all comes there behind all the rest. */
static void drain(wsfan_node *node) {
    uint32_t mark = UINT32_MAX;
    wsfan_session sessions[LOOPS];
    memset(marks, 0, sizeof marks);
    for (int i = 0; i < LOOPS; i++)
        ck_assert_int_eq(
            wsfan_session_open(&sessions[i], live[i], wsfan_string(""), (void *)HELPER), WSFAN_OK);
    ck_assert_int_eq(wsfan_broadcast_all(node, (wsfan_bytes){ &mark, sizeof mark }, NULL),
                     WSFAN_OK);
    WAIT(marked(1));
    for (int i = 0; i < LOOPS; i++)
        ck_assert_int_eq(wsfan_session_close(live[i], sessions[i]), WSFAN_OK);
}

START_TEST(a_message_reaches_every_session_that_it_addresses_and_no_other) {
    seed = 20261129;
    published = wrong = 0;
    memset(got, 0, sizeof got);
    memset(members, 0, sizeof members);
    start();
    for (int round = 0; round < ROUNDS; round++) {
        for (unsigned i = dice(12); i > 0; i--)
            change();
        settle();
        wsfan_node *node = nodes[dice(NODES)];
        burst(node);
        drain(node);
    }
    ck_assert_uint_eq(wrong, 0);
    for (unsigned m = 0; m < published; m++)
        for (int s = 0; s < SESSIONS; s++)
            ck_assert_msg(got[m][s] == expected[m][s], "message %u, session %d: %u times, not %d",
                          m, s, got[m][s], expected[m][s]);
    stop();
}
END_TEST

SUITE_MAIN("addressing", a_message_reaches_every_session_that_it_addresses_and_no_other)
