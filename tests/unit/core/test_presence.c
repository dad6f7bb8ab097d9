/* Presence, counts and latest values as a host sees them: one node, its loops, and two nodes on the
 * world's clock. */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wsfan/presence.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>

#include "core/core.h"
#include "core/presence/owed.h"
#include "core/state.h"
#include "suite.h"
#include "world.h"

enum { DEADLINE_MS = 20000, USERS_MAX = 64 };

typedef struct seen {
    wsfan_loop *loop;
    void (*then)(struct seen *s, const wsfan_presence *presence); /* at the end of on_presence */
    unsigned calls;
    unsigned anew;
    bool large;
    unsigned joins, leaves;
    uint64_t users;
    uint64_t sessions[USERS_MAX]; /* of the user "u<i>"; 0: it is not there */
    char metadata[257];           /* of the last change */
    unsigned messages;
    char last[32];
} seen;

static wsfan_node *node;

/* The number in "u12". */
static int number_of(wsfan_bytes name) {
    char text[16] = { 0 };
    memcpy(text, name.data, name.size < 15 ? name.size : 15);
    return atoi(text + 1);
}

static void on_presence(void *user, const wsfan_presence *presence) {
    seen *s = user;
    s->calls++;
    s->users = presence->users;
    s->large = (presence->flags & WSFAN_PRESENCE_LARGE) != 0;
    if ((presence->flags & WSFAN_PRESENCE_ANEW) != 0) {
        s->anew++;
        memset(s->sessions, 0, sizeof s->sessions);
    }
    for (size_t i = 0; i < presence->members_count; i++) {
        const wsfan_member *member = &presence->members[i];
        int number = number_of(member->user);
        s->joins += member->event == WSFAN_MEMBER_JOIN;
        s->leaves += member->event == WSFAN_MEMBER_LEAVE;
        s->sessions[number] = member->sessions;
        if (member->places_count > 0) {
            memset(s->metadata, 0, sizeof s->metadata);
            memcpy(s->metadata, member->places[0].metadata.data, member->places[0].metadata.size);
        }
    }
    if (s->then != NULL)
        s->then(s, presence);
}

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    seen *s = user;
    wsfan_bytes payload = wsfan_message_payload(message);
    (void)recipients, (void)count;
    s->messages++;
    memset(s->last, 0, sizeof s->last);
    memcpy(s->last, payload.data, payload.size);
}

static void open_node(uint32_t members_count_max, uint32_t grace_ms) {
    wsfan_options options;
    wsfan_options_init(&options);
    options.presence_members_count_max = members_count_max;
    options.presence_grace_ms = grace_ms;
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_OK);
}

static void open_loop(seen *s) {
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_message = on_message,
                                               .on_presence = on_presence };
    memset(s, 0, sizeof *s);
    ck_assert_int_eq(wsfan_loop_open(&s->loop, node, &callbacks, s), WSFAN_OK);
}

static void close_all(seen *s, size_t count) {
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(wsfan_loop_close(s[i].loop), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_close(node), WSFAN_OK);
}

static void serve(seen *s) {
    struct pollfd item = { wsfan_loop_fd(s->loop), POLLIN, 0 };
    poll(&item, 1, 10);
    ck_assert_int_ge(wsfan_loop_dispatch(s->loop, 0), 0);
}

#define WAIT(s, condition)                                                                         \
    do {                                                                                           \
        for (int waited = 0; !(condition); waited += 10) {                                         \
            ck_assert_msg(waited < DEADLINE_MS, "waited for: %s", #condition);                     \
            serve(s);                                                                              \
        }                                                                                          \
    } while (0)

static wsfan_session open_user(seen *s, const char *user) {
    wsfan_session session;
    ck_assert_int_eq(wsfan_session_open(&session, s->loop, wsfan_string(user), NULL), WSFAN_OK);
    return session;
}

static int present(seen *s, wsfan_session session, const char *chat, const char *metadata) {
    wsfan_join_options options = { .struct_size = sizeof options,
                                   .flags = WSFAN_PRESENCE,
                                   .metadata = wsfan_string(metadata) };
    return wsfan_session_join_with(s->loop, session, wsfan_string(chat), &options);
}

static wsfan_count count_of(const char *chat) {
    wsfan_count count = { .struct_size = sizeof count };
    ck_assert_int_eq(wsfan_chat_get_count(node, wsfan_string(chat), &count), WSFAN_OK);
    return count;
}

START_TEST(a_member_joins_with_its_first_session_and_leaves_with_its_last) {
    seen s;
    open_node(1000, 50);
    open_loop(&s);
    wsfan_session tabs[3];
    wsfan_session watcher = open_user(&s, "u0");
    ck_assert_int_eq(present(&s, watcher, "chat", "here"), WSFAN_OK);
    WAIT(&s, s.sessions[0] == 1);
    ck_assert_uint_eq(s.anew, 1);
    ck_assert_str_eq(s.metadata, "here");
    for (int i = 0; i < 3; i++) {
        tabs[i] = open_user(&s, "u1");
        ck_assert_int_eq(present(&s, tabs[i], "chat", ""), WSFAN_OK);
    }
    WAIT(&s, s.sessions[1] == 3);
    ck_assert_uint_eq(s.joins, 2);
    ck_assert_uint_eq(s.users, 2);
    wsfan_count count = count_of("chat");
    ck_assert_uint_eq(count.sessions, 4);
    ck_assert_uint_eq(count.users, 2);
    ck_assert_int_eq(count.complete, 1);
    ck_assert_int_eq(wsfan_session_close(s.loop, tabs[0]), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_leave(s.loop, tabs[1], wsfan_string("chat")), WSFAN_OK);
    WAIT(&s, s.sessions[1] == 1);
    ck_assert_uint_eq(s.leaves, 0);
    ck_assert_int_eq(wsfan_session_close(s.loop, tabs[2]), WSFAN_OK);
    WAIT(&s, s.leaves == 1);
    ck_assert_uint_eq(s.users, 1);
    ck_assert_uint_eq(count_of("chat").sessions, 1);
    close_all(&s, 1);
}
END_TEST

START_TEST(who_comes_back_within_the_grace_time_has_not_left) {
    seen s;
    open_node(1000, 600000);
    open_loop(&s);
    present(&s, open_user(&s, "u0"), "chat", "");
    for (int i = 0; i < 20; i++) { /* each time the last session of u1 */
        wsfan_session tab = open_user(&s, "u1");
        ck_assert_int_eq(present(&s, tab, "chat", ""), WSFAN_OK);
        WAIT(&s, count_of("chat").sessions == 2);
        ck_assert_int_eq(wsfan_session_close(s.loop, tab), WSFAN_OK);
        WAIT(&s, count_of("chat").sessions == 1);
        ck_assert_uint_eq(count_of("chat").users, 2);
    }
    present(&s, open_user(&s, "u2"), "chat", "");
    WAIT(&s, s.sessions[2] == 1); /* and with it all that was told before */
    ck_assert_uint_eq(s.leaves, 0);
    ck_assert_uint_eq(s.joins, 3);
    close_all(&s, 1);
}
END_TEST

START_TEST(other_metadata_is_an_update) {
    seen s;
    open_node(1000, 50);
    open_loop(&s);
    wsfan_session session = open_user(&s, "u0");
    char long_text[258];
    memset(long_text, 'm', sizeof long_text - 1);
    long_text[257] = '\0';
    ck_assert_int_eq(present(&s, session, "chat", long_text), WSFAN_ETOOBIG);
    ck_assert_int_eq(present(&s, session, "chat", long_text + 1), WSFAN_OK); /* 256: the limit */
    ck_assert_int_eq(present(&s, session, "chat", "again"), WSFAN_EEXIST);
    ck_assert_int_eq(
        wsfan_session_set_metadata(s.loop, session, wsfan_string("chat"), wsfan_string("busy")),
        WSFAN_OK);
    WAIT(&s, strcmp(s.metadata, "busy") == 0);
    ck_assert_uint_eq(s.sessions[0], 1);
    ck_assert_uint_eq(s.joins, 1);
    ck_assert_int_eq(
        wsfan_session_set_metadata(s.loop, session, wsfan_string("chat"), wsfan_string(long_text)),
        WSFAN_ETOOBIG);
    ck_assert_int_eq(
        wsfan_session_set_metadata(s.loop, session, wsfan_string("other"), wsfan_string("")),
        WSFAN_ENOENT);
    ck_assert_int_eq(wsfan_session_join(s.loop, session, wsfan_string("plain")), WSFAN_OK);
    ck_assert_int_eq(
        wsfan_session_set_metadata(s.loop, session, wsfan_string("plain"), wsfan_string("")),
        WSFAN_ENOENT);
    ck_assert_uint_eq(count_of("plain").sessions, 0); /* it is not shown there */
    wsfan_session nobody = open_user(&s, "");
    ck_assert_int_eq(present(&s, nobody, "chat", ""), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_session_close(s.loop, session), WSFAN_OK);
    ck_assert_int_eq(
        wsfan_session_set_metadata(s.loop, session, wsfan_string("chat"), wsfan_string("")),
        WSFAN_ESTALE);
    close_all(&s, 1);
}
END_TEST

START_TEST(a_large_chat_is_told_in_numbers_until_it_is_half_as_large) {
    seen s;
    wsfan_session sessions[8];
    char user[8];
    open_node(4, 0);
    open_loop(&s);
    for (int i = 0; i < 4; i++) { /* the limit */
        snprintf(user, sizeof user, "u%d", i);
        sessions[i] = open_user(&s, user);
        ck_assert_int_eq(present(&s, sessions[i], "chat", ""), WSFAN_OK);
    }
    WAIT(&s, s.joins == 4);
    ck_assert(!s.large);
    sessions[4] = open_user(&s, "u4");
    ck_assert_int_eq(present(&s, sessions[4], "chat", ""), WSFAN_OK);
    WAIT(&s, s.large);
    ck_assert_uint_eq(s.anew, 2);
    for (int i = 5; i < 8; i++) {
        snprintf(user, sizeof user, "u%d", i);
        sessions[i] = open_user(&s, user);
        ck_assert_int_eq(present(&s, sessions[i], "chat", ""), WSFAN_OK);
    }
    WAIT(&s, s.users == 8);
    ck_assert_uint_eq(s.joins, 4);
    ck_assert_uint_eq(count_of("chat").users, 8);
    for (int i = 2; i < 8; i++)
        ck_assert_int_eq(wsfan_session_close(s.loop, sessions[i]), WSFAN_OK);
    WAIT(&s, !s.large && s.sessions[0] == 1 && s.sessions[1] == 1);
    ck_assert_uint_eq(s.leaves, 0);
    close_all(&s, 1);
}
END_TEST

START_TEST(a_loop_is_told_of_everyone_when_its_first_session_comes) {
    seen s[2];
    open_node(1000, 50);
    open_loop(&s[0]);
    open_loop(&s[1]);
    wsfan_session first = open_user(&s[0], "u0");
    present(&s[0], first, "chat", "");
    WAIT(&s[0], s[0].joins == 1);
    wsfan_session other = open_user(&s[1], "u1");
    present(&s[1], other, "chat", "");
    WAIT(&s[1], s[1].joins == 2);
    WAIT(&s[0], s[0].joins == 2);
    ck_assert_uint_eq(s[1].users, 2);
    /* Without a session in the chat it is told nothing. */
    ck_assert_int_eq(wsfan_session_close(s[1].loop, other), WSFAN_OK);
    WAIT(&s[0], s[0].leaves == 1);
    unsigned calls = s[1].calls;
    present(&s[0], open_user(&s[0], "u2"), "chat", "");
    WAIT(&s[0], s[0].joins == 3);
    serve(&s[1]);
    ck_assert_uint_eq(s[1].calls, calls);
    close_all(s, 2);
}
END_TEST

static wsfan_session restless;

static void close_restless(seen *s, const wsfan_presence *presence) {
    (void)presence;
    ck_assert_int_eq(wsfan_session_close(s->loop, restless), WSFAN_OK);
}

static void be_told_of_a_and_b(seen s[2]) {
    restless = open_user(&s[0], "u0");
    present(&s[0], restless, "a", "");
    present(&s[0], restless, "b", "");
    WAIT(&s[0], s[0].joins == 2);
    wsfan_session other = open_user(&s[1], "u1");
    present(&s[1], other, "a", "");
    present(&s[1], other, "b", "");
    WAIT(&s[1], s[1].joins == 4); /* the first loop's news are on their way too */
}

START_TEST(nothing_is_told_after_the_last_session_has_closed) {
    seen s[2];
    open_node(1000, 50);
    open_loop(&s[0]);
    open_loop(&s[1]);
    be_told_of_a_and_b(s);
    unsigned calls = s[0].calls;
    s[0].then = close_restless;
    WAIT(&s[0], s[0].calls > calls);
    present(&s[1], open_user(&s[1], "u2"), "a", "");
    WAIT(&s[1], s[1].sessions[2] == 1);
    serve(&s[0]);
    ck_assert_uint_eq(s[0].calls, calls + 1);
    close_all(s, 2);
}
END_TEST

static bool began_anew[2]; /* "a", "b" */

static void expect_anew_first(seen *s, const wsfan_presence *presence) {
    (void)s;
    bool *anew = &began_anew[*(const char *)presence->chat.data - 'a'];
    *anew = *anew || (presence->flags & WSFAN_PRESENCE_ANEW) != 0;
    ck_assert(*anew);
}

static void leave_and_join_again(seen *s, const wsfan_presence *presence) {
    (void)presence;
    for (int i = 0; i < 2; i++) {
        const char *chat = i == 0 ? "a" : "b";
        ck_assert_int_eq(wsfan_session_leave(s->loop, restless, wsfan_string(chat)), WSFAN_OK);
        ck_assert_int_eq(present(s, restless, chat, ""), WSFAN_OK);
    }
    s->then = expect_anew_first;
}

START_TEST(who_joins_again_is_told_of_everyone_before_any_change) {
    seen s[2];
    open_node(1000, 50);
    open_loop(&s[0]);
    open_loop(&s[1]);
    be_told_of_a_and_b(s);
    began_anew[0] = began_anew[1] = false;
    s[0].then = leave_and_join_again;
    WAIT(&s[0], began_anew[0] && began_anew[1]);
    close_all(s, 2);
}
END_TEST

static void on_member(void *user, const wsfan_member *member) {
    unsigned *met = user;
    met[number_of(member->user)] += (unsigned)member->sessions;
}

START_TEST(members_are_visited_once_each_in_pages_of_any_size) {
    seen s;
    char user[8];
    open_node(1000, 50);
    open_loop(&s);
    for (int i = 0; i < USERS_MAX; i++) {
        snprintf(user, sizeof user, "u%d", i);
        present(&s, open_user(&s, user), i % 2 == 0 ? "even" : "odd", "");
    }
    WAIT(&s, count_of("even").users + count_of("odd").users == USERS_MAX);
    for (uint32_t max = 1; max <= USERS_MAX; max++) {
        unsigned met[USERS_MAX] = { 0 };
        uint64_t cursor = 0;
        do
            ck_assert_int_eq(
                wsfan_chat_members(node, wsfan_string("even"), &cursor, max, on_member, met),
                WSFAN_OK);
        while (cursor != 0);
        for (int i = 0; i < USERS_MAX; i++)
            ck_assert_uint_eq(met[i], i % 2 == 0);
    }
    uint64_t cursor = 0;
    ck_assert_int_eq(wsfan_chat_members(node, wsfan_string("nobody"), &cursor, 1, on_member, NULL),
                     WSFAN_OK);
    ck_assert_int_eq(wsfan_chat_members(node, wsfan_string("even"), &cursor, 0, on_member, NULL),
                     WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_chat_members(node, wsfan_string(""), &cursor, 1, on_member, NULL),
                     WSFAN_EINVAL);
    wsfan_count count = { .struct_size = 0 };
    ck_assert_int_eq(wsfan_chat_get_count(node, wsfan_string("even"), &count), WSFAN_EINVAL);
    close_all(&s, 1);
}
END_TEST

static int say(const char *text, const char *key) {
    wsfan_publish_options options = { .struct_size = sizeof options, .key = wsfan_string(key) };
    return wsfan_broadcast(node, wsfan_string("chat"), wsfan_string(text), &options);
}

START_TEST(of_one_key_only_the_newest_waits_in_an_inbox) {
    seen s;
    wsfan_stats stats = { .struct_size = sizeof stats };
    open_node(1000, 50);
    open_loop(&s);
    present(&s, open_user(&s, "u0"), "chat", "");
    WAIT(&s, s.joins == 1);
    char text[16];
    unsigned published = 0;
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "value %d", i);
        ck_assert_int_eq(say(text, "place"), WSFAN_OK);
        ck_assert_int_eq(say("other", "other"), WSFAN_OK);
        published += 2;
    }
    ck_assert_int_eq(say("plain", ""), WSFAN_OK);
    do /* the loop does not dispatch meanwhile */
        ck_assert_int_eq(wsfan_node_get_stats(node, &stats), WSFAN_OK);
    while (stats.delivered < published + 1);
    WAIT(&s, s.messages == 3);
    ck_assert_uint_eq(stats.dropped[WSFAN_DROP_REPLACED], 198);
    ck_assert_uint_eq(stats.dropped[WSFAN_DROP_INBOX], 0);
    ck_assert_str_eq(s.last, "plain");
    ck_assert_int_eq(say("after", "place"), WSFAN_OK); /* what was dispatched is not replaced */
    WAIT(&s, s.messages == 4);
    ck_assert_str_eq(s.last, "after");
    char key[258];
    memset(key, 'k', sizeof key - 1);
    key[257] = '\0';
    ck_assert_int_eq(say("x", key), WSFAN_ETOOBIG);
    ck_assert_int_eq(say("x", key + 1), WSFAN_OK);
    wsfan_publish_options asked = { .struct_size = sizeof asked,
                                    .key = wsfan_string("k"),
                                    .result_loop = s.loop };
    ck_assert_int_eq(wsfan_broadcast(node, wsfan_string("chat"), wsfan_string("x"), &asked),
                     WSFAN_EINVAL);
    close_all(&s, 1);
}
END_TEST

/* ------------------------------------------------------------------------------------- two nodes */

static wsf_presence_session *attend(world *w, unsigned n, const char *user, uint64_t chat) {
    wsf_presence_session *a = calloc(1, sizeof *a + 16);
    wsfan_target target = { WSFAN_USER, wsfan_string(user) };
    wsf_hash_key key;
    wsf_hash_key_init(&key, world_config(w)->cluster);
    a->chat_hash = world_chat_hash(w, chat);
    a->user_hash = wsf_hash_target(&key, &target);
    a->chat_size = 1;
    a->user_size = (uint16_t)strlen(user);
    a->bytes[0] = 'c';
    memcpy(a->bytes + 1, user, strlen(user));
    wsf_core_present(world_core(w, n), a, world_now(w, n));
    world_join(w, n, chat);
    return a;
}

static wsfan_count world_count(world *w, unsigned n, uint64_t chat) {
    wsfan_count count = { .struct_size = sizeof count };
    wsf_core_count(world_core(w, n), world_chat_hash(w, chat), &count);
    return count;
}

typedef struct {
    unsigned last; /* value */
    unsigned values;
} reader;

static void on_value(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                     size_t count) {
    (void)user;
    unsigned value = (unsigned)atoi(wsfan_message_payload(message).data);
    for (size_t i = 0; i < count; i++) {
        reader *r = recipients[i].session_user;
        ck_assert_uint_gt(value, r->last);
        r->last = value;
        r->values++;
    }
}

START_TEST(values_that_leave_somebody_out_are_not_overtaken_by_their_own_key) {
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_message = on_value };
    seen s = { 0 };
    reader readers[2] = { 0 };
    wsfan_session sessions[2];
    open_node(1000, 50);
    ck_assert_int_eq(wsfan_loop_open(&s.loop, node, &callbacks, &s), WSFAN_OK);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(wsfan_session_open(&sessions[i], s.loop, wsfan_string("u"), &readers[i]),
                         WSFAN_OK);
        ck_assert_int_eq(wsfan_session_join(s.loop, sessions[i], wsfan_string("chat")), WSFAN_OK);
    }
    for (int value = 1; value <= 3; value++) {
        char text[2] = { (char)('0' + value), 0 };
        wsfan_publish_options options = { .struct_size = sizeof options,
                                          .key = wsfan_string("place") };
        if (value == 2)
            options.except = wsfan_session_address(s.loop, sessions[1]);
        ck_assert_int_eq(
            wsfan_broadcast(node, wsfan_string("chat"), (wsfan_bytes){ text, 2 }, &options),
            WSFAN_OK);
    }
    WAIT(&s, readers[0].last == 3 && readers[1].last == 3);
    ck_assert_uint_eq(readers[1].values, 2); /* 1 is the latest before 3 that is for it */
    close_all(&s, 1);
}
END_TEST

START_TEST(a_count_names_whom_it_lacks) {
    world *w = world_new(1, NULL);
    world_start(w, 0, 0);
    world_start(w, 1, 1);
    world_start(w, 2, 1);
    world_run(w, 2000);
    attend(w, 0, "ann", 7);
    attend(w, 1, "ben", 7);
    world_run(w, 500);
    for (unsigned n = 0; n < 2; n++) {
        ck_assert_uint_eq(world_count(w, n, 7).users, 2);
        ck_assert_int_eq(world_count(w, n, 7).complete, 1);
    }
    /* A node with nobody in the chat knows who has, and no more. */
    wsfan_count outside = world_count(w, 2, 7);
    ck_assert_uint_eq(outside.users, 0);
    ck_assert_int_eq(outside.complete, 0);
    ck_assert_uint_eq(outside.missing_count, 2);
    ck_assert_int_eq(world_count(w, 2, 8).complete, 1); /* nobody is there at all */
    /* Silent, it may have changed; down, it counts no more, and its members leave. */
    world_block(w, 0, 1, true);
    world_block(w, 1, 0, true);
    world_run(w, world_config(w)->silent_ms + 500);
    ck_assert_int_eq(world_count(w, 0, 7).complete, 0);
    ck_assert_uint_eq(world_count(w, 0, 7).sessions, 2);
    world_run(w, world_config(w)->down_ms);
    ck_assert_int_eq(world_count(w, 0, 7).complete, 1);
    ck_assert_uint_eq(world_count(w, 0, 7).sessions, 1);
    ck_assert_uint_eq(world_count(w, 0, 7).users, 2);
    world_run(w, world_config(w)->presence.grace_ms);
    ck_assert_uint_eq(world_count(w, 0, 7).users, 1);
    world_destroy(w);
}
END_TEST

static unsigned leaves_told;

static void count_leaves(void *user, unsigned n, unsigned loop, const wsfan_presence *presence) {
    (void)user, (void)n, (void)loop;
    for (size_t i = 0; i < presence->members_count; i++)
        leaves_told += presence->members[i].event == WSFAN_MEMBER_LEAVE;
}

static void end_presence_session(world *w, unsigned n, wsf_presence_session *a, uint64_t chat) {
    a->closes = true;
    wsf_core_absent(world_core(w, n), a, world_now(w, n));
    world_leave(w, n, chat);
}

/* The peer is cut off so long, from the moment when we join the chat again. */
static void come_again(uint32_t cut_off_ms) {
    static const world_watcher watcher = { .presence = count_leaves };
    world *w = world_new(1, &watcher);
    leaves_told = 0;
    world_start(w, 0, 0);
    world_start(w, 1, 1);
    world_run(w, 2000);
    wsf_presence_session *first = attend(w, 0, "ann", 7);
    attend(w, 1, "ben", 7);
    world_run(w, 500);
    ck_assert_uint_eq(world_count(w, 0, 7).users, 2);
    end_presence_session(w, 0, first, 7);
    world_run(w, 500);
    world_freeze(w, 1, true);
    attend(w, 0, "ann", 7);
    world_run(w, cut_off_ms);
    if (cut_off_ms > world_config(w)->down_ms) {
        ck_assert_uint_eq(leaves_told, 1);
    } else {
        ck_assert_uint_eq(leaves_told, 0);
        world_freeze(w, 1, false);
        world_run(w, 2000 + world_config(w)->presence.grace_ms);
        ck_assert_uint_eq(world_count(w, 0, 7).sessions, 2);
        ck_assert_uint_eq(leaves_told, 0);
    }
    world_destroy(w);
}

START_TEST(a_count_lacks_those_on_a_node_that_refuses_this_one) {
    world *w = world_new(2, NULL);
    world_config(w)->peers_count_max = 1;
    for (unsigned i = 0; i < 3; i++)
        world_start(w, i, 1);
    world_run(w, 5000);
    attend(w, 0, "ann", 7);
    attend(w, 2, "ben", 7); /* for which node 0 has no room */
    world_run(w, 500);
    wsfan_count count = world_count(w, 2, 7);
    ck_assert_uint_eq(count.users, 1);
    ck_assert_int_eq(count.complete, 0);
    ck_assert_uint_eq(count.missing_count, 1);
    ck_assert_uint_eq(count.missing[0], world_node_id(w, 0));
    ck_assert_int_eq(world_count(w, 1, 7).complete, 0); /* nobody is in the chat here, */
    ck_assert_uint_eq(world_count(w, 1, 7).missing_count, 1);
    ck_assert_int_eq(world_count(w, 1, 8).complete, 1); /* or anywhere */
    world_crash(w, 1);
    world_run(w, 60000);
    ck_assert_uint_eq(world_count(w, 2, 7).users, 2);
    ck_assert_int_eq(world_count(w, 2, 7).complete, 1);
    world_destroy(w);
}
END_TEST

START_TEST(who_stayed_on_a_peer_does_not_leave_before_the_peer_was_heard_or_is_down) {
    come_again(7000); /* more than the grace time */
    come_again(17000);
}
END_TEST

START_TEST(more_rows_than_the_limit_make_a_count_incomplete) {
    world *w = world_new(1, NULL);
    world_config(w)->presence.remote_count_max = 3;
    world_start(w, 0, 0);
    world_start(w, 1, 1);
    world_run(w, 2000);
    attend(w, 0, "ann", 7);
    attend(w, 1, "b1", 7);
    attend(w, 1, "b2", 7);
    attend(w, 1, "b3", 7);
    world_run(w, 500);
    ck_assert_int_eq(world_count(w, 0, 7).complete, 1);
    ck_assert_uint_eq(world_count(w, 0, 7).users, 4);
    attend(w, 1, "b4", 7);
    world_run(w, 3000);
    ck_assert_int_eq(world_count(w, 0, 7).complete, 0);
    ck_assert_uint_eq(world_count(w, 0, 7).missing[0], world_node_id(w, 1));
    ck_assert_uint_eq(world_core(w, 0)->presence.row_slots.count, 3);
    world_destroy(w);
}
END_TEST

START_TEST(the_end_of_a_row_that_found_no_room_leaves_no_chat_behind) {
    world *w = world_new(1, NULL);
    world_config(w)->presence.remote_count_max = 1;
    world_start(w, 0, 0);
    world_start(w, 1, 1);
    world_run(w, 2000);
    attend(w, 0, "ann", 7);
    world_join(w, 0, 8);
    world_join(w, 0, 9);
    wsf_presence_session *kept = attend(w, 1, "ben", 8);
    wsf_presence_session *refused = attend(w, 1, "ben", 9);
    world_run(w, 3000);
    wsfan_stats stats;
    wsf_core_stats(world_core(w, 0), &stats);
    ck_assert_uint_eq(stats.presence_rows, 1);
    ck_assert_uint_eq(stats.presence_chats, 2); /* that of ann, and that of the row */
    kept->closes = refused->closes = true;
    wsf_core_absent(world_core(w, 1), refused, world_now(w, 1));
    wsf_core_absent(world_core(w, 1), kept, world_now(w, 1));
    world_touch(w, 1);
    world_run(w, 3000 + world_config(w)->presence.grace_ms);
    wsf_core_stats(world_core(w, 0), &stats);
    ck_assert_uint_eq(stats.presence_rows, 0);
    ck_assert_uint_eq(stats.presence_chats, 1);
    world_destroy(w);
}
END_TEST

START_TEST(a_row_that_went_wrong_is_found_and_mended) {
    world *w = world_new(1, NULL);
    world_start(w, 0, 0);
    world_start(w, 1, 1);
    world_run(w, 2000);
    attend(w, 0, "ann", 7);
    attend(w, 1, "ben", 7);
    attend(w, 1, "carl", 7);
    world_run(w, 2000);
    wsf_presence *presence = &world_core(w, 0)->presence;
    wsf_presence_row gone = { world_chat_hash(w, 7), 0, wsfan_string("ben"), { NULL, 0 } };
    wsfan_target target = { WSFAN_USER, wsfan_string("ben") };
    wsf_hash_key key;
    wsf_hash_key_init(&key, world_config(w)->cluster);
    ck_assert_int_eq(wsf_presence_put(presence, 0, &gone, wsf_hash_target(&key, &target)),
                     WSFAN_OK);
    ck_assert_uint_eq(world_count(w, 0, 7).sessions, 2);
    world_run(w, 3000);
    ck_assert_uint_eq(world_count(w, 0, 7).sessions, 3);
    ck_assert_int_eq(world_count(w, 0, 7).complete, 1);
    wsfan_stats stats;
    wsf_core_stats(world_core(w, 0), &stats);
    ck_assert_uint_eq(stats.presence_mended, 1);
    world_destroy(w);
}
END_TEST

/* ---------------------------------------------------------------------------------- the structure */

static wsf_presence_session *presence_session_of(uint64_t user) {
    wsf_presence_session *a = calloc(1, sizeof *a + 16);
    a->chat_hash = 7;
    a->user_hash = user;
    a->chat_size = 1;
    a->user_size = 2;
    memcpy(a->bytes, "cu1", 3);
    return a;
}

/* A grace time that began before we overslept is as much longer; one that began since is not. */
START_TEST(an_oversleep_makes_only_those_grace_times_longer_that_it_was_in) {
    enum { GRACE_MS = 5000, SLEPT_MS = 4000 };
    static wsf_presence p;
    wsf_presence_limits limits = { .grace_ms = GRACE_MS, .members_count_max = 1000 };
    wsf_presence_store_init(&p, &limits, 1);
    wsf_presence_store_open_chat(&p, 7, (wsf_peers){ 0 });
    wsf_presence_session *first = presence_session_of(1);
    wsf_presence_session *second = presence_session_of(2);
    ck_assert_int_eq(wsf_presence_begin(&p, first), WSFAN_OK);
    ck_assert_int_eq(wsf_presence_begin(&p, second), WSFAN_OK);
    ck_assert_int_eq(wsf_presence_begin(&p, presence_session_of(3)), WSFAN_OK);
    wsf_presence_tick(&p, 1000, NULL);
    wsf_presence_end(&p, first);
    ck_assert_uint_eq(wsf_presence_deadline(&p), 1000 + GRACE_MS);
    p.now_ms = 1000 +
               SLEPT_MS; /* we wake up; before the clock was looked at somebody else leaves */
    wsf_presence_end(&p, second);
    wsf_presence_overslept(&p, SLEPT_MS - 1000);
    ck_assert_uint_eq(wsf_presence_deadline(&p), 1000 + GRACE_MS + SLEPT_MS - 1000);
    wsf_presence_tick(&p, 1000 + GRACE_MS + SLEPT_MS - 1001, NULL);
    ck_assert_uint_eq(p.chats[0].users, 3);
    wsf_presence_tick(&p, 1000 + GRACE_MS + SLEPT_MS - 1000, NULL);
    ck_assert_uint_eq(p.chats[0].users, 2);
    ck_assert_uint_eq(wsf_presence_deadline(&p), 1000 + SLEPT_MS + GRACE_MS); /* no longer */
    wsf_presence_tick(&p, 1000 + SLEPT_MS + GRACE_MS, NULL);
    ck_assert_uint_eq(p.chats[0].users, 1);
    ck_assert_uint_eq(wsf_presence_deadline(&p), UINT64_MAX);
    wsf_presence_overslept(&p, SLEPT_MS); /* with nobody in a grace time nothing happens */
    ck_assert_uint_eq(wsf_presence_deadline(&p), UINT64_MAX);
    wsf_presence_store_destroy(&p);
}
END_TEST

static bool always(void *user, uint64_t chat_hash) {
    ++*(unsigned *)user;
    return chat_hash == 7;
}

/* A peer may never say that it has told all. */
START_TEST(a_doubt_that_nobody_ends_ends_after_a_minute) {
    enum { GRACE_MS = 5000, DOUBT_MS = 60000 };
    static wsf_presence p;
    unsigned asked = 0;
    wsf_presence_doubt doubt = { &asked, always };
    wsf_presence_limits limits = { .grace_ms = GRACE_MS, .members_count_max = 1000 };
    wsf_presence_store_init(&p, &limits, 1);
    wsf_presence_store_open_chat(&p, 7, (wsf_peers){ 0 });
    wsf_presence_session *first = presence_session_of(1);
    wsf_presence_session *second = presence_session_of(2);
    ck_assert_int_eq(wsf_presence_begin(&p, first), WSFAN_OK);
    ck_assert_int_eq(wsf_presence_begin(&p, second), WSFAN_OK);
    wsf_presence_tick(&p, 1000, &doubt);
    wsf_presence_end(&p, first);
    wsf_presence_tick(&p, 2000, &doubt);
    wsf_presence_end(&p, second);
    while (wsf_presence_deadline(&p) < 2000 + GRACE_MS + DOUBT_MS) {
        wsf_presence_tick(&p, wsf_presence_deadline(&p), &doubt);
        ck_assert_uint_eq(p.chats[0].users, p.now_ms < 1000 + GRACE_MS + DOUBT_MS ? 2 : 1);
    }
    ck_assert_uint_eq(asked, 2 * 60);
    wsf_presence_tick(&p, wsf_presence_deadline(&p), &doubt);
    ck_assert_uint_eq(p.chats[0].users, 0);
    ck_assert_uint_eq(wsf_presence_deadline(&p), UINT64_MAX);
    /* Who comes back is in no list. */
    first = presence_session_of(1);
    ck_assert_int_eq(wsf_presence_begin(&p, first), WSFAN_OK);
    wsf_presence_end(&p, first);
    wsf_presence_tick(&p, wsf_presence_deadline(&p), &doubt);
    ck_assert_int_eq(wsf_presence_begin(&p, presence_session_of(1)), WSFAN_OK);
    ck_assert_uint_eq(wsf_presence_deadline(&p), UINT64_MAX);
    wsf_presence_store_destroy(&p);
}
END_TEST

static unsigned take_reports(wsf_presence *p) {
    uint64_t nodes[64] = { 0 };
    unsigned reports = 0;
    wsf_presence_events *events;
    for (; (events = wsf_presence_events_take(p, 0, nodes, 1)) != NULL; reports++)
        free(events);
    return reports;
}

/* How often a loop is told of a chat in PACED_MS, in which somebody comes or goes all the time. */
enum { PACED_MS = 40000 };

static uint64_t reports_of(uint64_t sessions) {
    static wsf_presence p;
    wsf_presence_limits limits = { .grace_ms = 0, .members_count_max = 10 };
    uint64_t reports = 0;
    uint64_t now_ms = PACED_MS;
    wsf_presence_store_init(&p, &limits, 1);
    wsf_presence_store_open_chat(&p, 7, (wsf_peers){ 0 });
    for (uint64_t user = 1; user <= sessions; user++)
        ck_assert_int_eq(wsf_presence_begin(&p, presence_session_of(user)), WSFAN_OK);
    wsf_presence_tick(&p, now_ms, NULL);
    take_reports(&p);
    for (; now_ms < 2 * PACED_MS; now_ms += 10) {
        wsf_presence_session *a = presence_session_of(sessions + 1);
        ck_assert_int_eq(wsf_presence_begin(&p, a), WSFAN_OK);
        wsf_presence_end(&p, a);
        wsf_presence_tick(&p, now_ms, NULL);
        reports += take_reports(&p);
    }
    wsf_presence_store_destroy(&p);
    return reports;
}

/* Each report goes to every session. */
START_TEST(a_large_chat_is_told_to_so_many_sessions_a_second_however_many_it_has) {
    enum { A_SECOND = 10000, SECONDS = PACED_MS / 1000 };
    const uint64_t sizes[] = { 100, 2400, 10000, 90000 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t reports = reports_of(sizes[i]);
        ck_assert_uint_le(reports * sizes[i], (SECONDS + 1) * A_SECOND);
        ck_assert_uint_le(reports, SECONDS * 4 + 1);
        ck_assert_uint_ge(reports, SECONDS / 10 - 1);
    }
    ck_assert_uint_ge(reports_of(150000), SECONDS / 10 - 1); /* however large: once in 10 s */
}
END_TEST

/* Takes everything that a loop is owed: one member, after the order to forget. */
static void take_one_member(wsf_presence *p, unsigned loop) {
    uint64_t nodes[64] = { 0 };
    unsigned members = 0;
    unsigned anew = 0;
    wsf_presence_events *events;
    while ((events = wsf_presence_events_take(p, loop, nodes, 1)) != NULL) {
        members += (unsigned)events->presence.members_count;
        anew += (events->presence.flags & WSFAN_PRESENCE_ANEW) != 0;
        free(events);
    }
    ck_assert_uint_eq(members, 1); /* who came and went is not told */
    ck_assert_uint_eq(anew, 1);
}

START_TEST(loops_that_take_nothing_cost_a_bounded_number_of_members) {
    enum { USERS = 150000, GONE_MAX = 65536 };
    static wsf_presence p;
    wsf_presence_limits limits = { .grace_ms = 0, .members_count_max = 1000 };
    wsf_presence_store_init(&p, &limits, 1);
    wsf_presence_store_open_chat(&p, 7, (wsf_peers){ 0 });
    for (unsigned peer = 0; peer < 2; peer++) /* they take nothing either */
        wsf_presence_want(&p, peer, 7);
    for (uint8_t loop = 0; loop < 2; loop++) {
        wsf_presence_session *stays = presence_session_of(1);
        stays->loop = loop;
        ck_assert_int_eq(wsf_presence_begin(&p, stays), WSFAN_OK);
    }
    uint64_t now = 1;
    for (uint64_t user = 2; user < USERS; user++) {
        wsf_presence_session *a = presence_session_of(user);
        ck_assert_int_eq(wsf_presence_begin(&p, a), WSFAN_OK);
        wsf_presence_end(&p, a);
        wsf_presence_tick(&p, ++now, NULL);
        ck_assert_uint_le(p.member_slots.count, GONE_MAX + 16);
        ck_assert_uint_le(p.loop_queues[0].count, GONE_MAX + 16);
        ck_assert_uint_le(p.loop_queues[1].count, GONE_MAX + 16);
        ck_assert_uint_le(p.peer_queues[1].count, GONE_MAX + 16);
    }
    take_one_member(&p, 0);
    take_one_member(&p, 1);
    wsf_presence_row row;
    for (unsigned peer = 0; peer < 2; peer++) {
        unsigned rows = 0;
        uint32_t owed = wsf_presence_owed(&p, peer);
        for (uint32_t i = 0; i < owed; i++)
            if (wsf_presence_owed_row(&p, peer, i, &row))
                rows += row.sessions;
        ck_assert_uint_eq(rows, 2);
        wsf_presence_sent(&p, peer, owed);
    }
    ck_assert_uint_eq(p.member_slots.count, 1);
    ck_assert_uint_eq(p.gone_count, 0);
    wsf_presence_store_destroy(&p);
}
END_TEST

SUITE_MAIN("presence", a_member_joins_with_its_first_session_and_leaves_with_its_last,
           who_comes_back_within_the_grace_time_has_not_left, other_metadata_is_an_update,
           a_large_chat_is_told_in_numbers_until_it_is_half_as_large,
           a_loop_is_told_of_everyone_when_its_first_session_comes,
           nothing_is_told_after_the_last_session_has_closed,
           who_joins_again_is_told_of_everyone_before_any_change,
           members_are_visited_once_each_in_pages_of_any_size,
           of_one_key_only_the_newest_waits_in_an_inbox,
           values_that_leave_somebody_out_are_not_overtaken_by_their_own_key,
           a_count_names_whom_it_lacks, a_count_lacks_those_on_a_node_that_refuses_this_one,
           who_stayed_on_a_peer_does_not_leave_before_the_peer_was_heard_or_is_down,
           a_doubt_that_nobody_ends_ends_after_a_minute,
           more_rows_than_the_limit_make_a_count_incomplete,
           the_end_of_a_row_that_found_no_room_leaves_no_chat_behind,
           a_row_that_went_wrong_is_found_and_mended,
           an_oversleep_makes_only_those_grace_times_longer_that_it_was_in,
           a_large_chat_is_told_to_so_many_sessions_a_second_however_many_it_has,
           loops_that_take_nothing_cost_a_bounded_number_of_members)
