/* What a host asks its own loop: who is in a chat or of a user, whether a session is in a chat, and whose it
 * is. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wsfan/presence.h>
#include <wsfan/registry.h>

#include "live.h"
#include "suite.h"

static wsfan_node *node;
static wsfan_loop *loops[2];
static int hosts[4]; /* what the host's pointers point to */
static wsfan_recipient found[8];
static size_t count;
static unsigned messages;
static unsigned told; /* by on_presence */
static uint64_t told_users;

static wsfan_target target_of(wsfan_target_kind kind, const char *name) {
    return (wsfan_target){ kind, wsfan_string(name) };
}

/* How many there are; those that were copied are in found. */
static size_t list(wsfan_loop *loop, wsfan_target_kind kind, const char *name, size_t capacity) {
    wsfan_target target = target_of(kind, name);
    memset(found, 0, sizeof found);
    count = 77;
    ck_assert_int_eq(wsfan_loop_get_sessions(loop, &target, found, capacity, &count), WSFAN_OK);
    return count;
}

static bool has(wsfan_session session, void *session_user) {
    for (size_t i = 0; i < sizeof found / sizeof *found; i++)
        if (found[i].session.id == session.id)
            return found[i].session_user == session_user;
    return false;
}

/* Recipients stay as they were, whatever the callback asks. */
static void on_message(void *user, wsfan_message *message, const wsfan_recipient *to, size_t size) {
    wsfan_recipient before = to[0];
    (void)message;
    ck_assert_uint_eq(size, 1);
    ck_assert_uint_eq(list(*(wsfan_loop **)user, WSFAN_ALL, "", 8), 3);
    ck_assert_uint_eq(to[0].session.id, before.session.id);
    ck_assert_ptr_eq(to[0].session_user, before.session_user);
    messages++;
}

/* Recipients are copied to found. */
static void on_presence(void *user, const wsfan_presence *presence) {
    (void)user;
    ck_assert_uint_le(presence->recipients_count, 8);
    memset(found, 0, sizeof found);
    memcpy(found, presence->recipients, presence->recipients_count * sizeof *found);
    count = presence->recipients_count;
    told_users = presence->users;
    told++;
}

static void open_loops(void) {
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_message = on_message,
                                               .on_presence = on_presence };
    wsfan_options options;
    wsfan_options_init(&options);
    options.name_bytes_max = 20;
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_OK);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(wsfan_loop_open(&loops[i], node, &callbacks, &loops[i]), WSFAN_OK);
}

static void close_loops(void) {
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(wsfan_loop_close(loops[i]), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_close(node), WSFAN_OK);
}

static wsfan_session enter(int loop, const char *user, const char *chat, int *host) {
    wsfan_session session;
    ck_assert_int_eq(wsfan_session_open(&session, loops[loop], wsfan_string(user), host), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join(loops[loop], session, wsfan_string(chat)), WSFAN_OK);
    return session;
}

START_TEST(sessions_of_a_chat_and_of_a_user_are_listed) {
    open_loops();
    wsfan_session a = enter(0, "ann", "ann", &hosts[0]); /* a chat of the same name as a user */
    wsfan_session b = enter(0, "ann", "news", &hosts[1]);
    wsfan_session c = enter(0, "", "news", NULL);
    wsfan_session d = enter(1, "ann", "news", &hosts[3]);
    ck_assert_uint_eq(list(loops[0], WSFAN_CHAT, "news", 8), 2);
    ck_assert(has(b, &hosts[1]) && has(c, NULL) && !has(a, &hosts[0]) && !has(d, &hosts[3]));
    ck_assert_uint_eq(list(loops[0], WSFAN_USER, "ann", 8), 2);
    ck_assert(has(a, &hosts[0]) && has(b, &hosts[1]) && !has(c, NULL));
    ck_assert_uint_eq(list(loops[0], WSFAN_CHAT, "ann", 8), 1);
    ck_assert(has(a, &hosts[0]));
    ck_assert_uint_eq(list(loops[0], WSFAN_ALL, "", 8), 3);
    ck_assert(has(a, &hosts[0]) && has(b, &hosts[1]) && has(c, NULL));
    ck_assert_uint_eq(list(loops[1], WSFAN_ALL, "", 8), 1);
    ck_assert(has(d, &hosts[3]));
    ck_assert_uint_eq(list(loops[0], WSFAN_CHAT, "nobody", 8), 0);
    ck_assert_int_eq(wsfan_session_close(loops[0], b), WSFAN_OK);
    ck_assert_uint_eq(list(loops[0], WSFAN_CHAT, "news", 8), 1);
    ck_assert(has(c, NULL));
    ck_assert_uint_eq(list(loops[0], WSFAN_ALL, "", 8), 2);
    ck_assert(has(a, &hosts[0]) && has(c, NULL));
    close_loops();
}
END_TEST

START_TEST(no_more_are_copied_than_there_is_room_for) {
    open_loops();
    for (int i = 0; i < 3; i++)
        enter(0, "ann", "news", &hosts[i]);
    ck_assert_uint_eq(list(loops[0], WSFAN_CHAT, "news", 2), 3);
    ck_assert_ptr_nonnull(found[1].session_user);
    ck_assert_uint_eq(found[2].session.id, 0);
    ck_assert_uint_eq(list(loops[0], WSFAN_ALL, "", 2), 3);
    ck_assert_ptr_nonnull(found[1].session_user);
    ck_assert_uint_eq(found[2].session.id, 0);
    wsfan_target target = target_of(WSFAN_USER, "ann");
    ck_assert_int_eq(wsfan_loop_get_sessions(loops[0], &target, NULL, 0, &count), WSFAN_OK);
    ck_assert_uint_eq(count, 3);
    close_loops();
}
END_TEST

START_TEST(a_session_is_in_a_chat_from_join_to_leave) {
    wsfan_session session;
    wsfan_bytes news = wsfan_string("news");
    open_loops();
    ck_assert_int_eq(wsfan_session_open(&session, loops[0], news, NULL), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_is_in(loops[0], session, news), WSFAN_ENOENT); /* its user */
    enter(0, "", "news", NULL);
    ck_assert_int_eq(wsfan_session_is_in(loops[0], session, news), WSFAN_ENOENT);
    for (int i = 0; i < 3; i++) {
        char chat[8];
        snprintf(chat, sizeof chat, "c%d", i);
        ck_assert_int_eq(wsfan_session_join(loops[0], session, wsfan_string(chat)), WSFAN_OK);
    }
    ck_assert_int_eq(wsfan_session_join(loops[0], session, news), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_is_in(loops[0], session, news), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_is_in(loops[0], session, wsfan_string("c1")), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_is_in(loops[0], session, wsfan_string("c3")), WSFAN_ENOENT);
    ck_assert_int_eq(wsfan_session_is_in(loops[1], session, news), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_session_leave(loops[0], session, news), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_is_in(loops[0], session, news), WSFAN_ENOENT);
    ck_assert_int_eq(wsfan_session_close(loops[0], session), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_is_in(loops[0], session, news), WSFAN_ESTALE);
    close_loops();
}
END_TEST

START_TEST(the_hosts_pointer_is_told) {
    void *pointer = &pointer;
    open_loops();
    wsfan_session a = enter(0, "ann", "news", &hosts[0]);
    wsfan_session b = enter(0, "", "news", NULL);
    ck_assert_int_eq(wsfan_session_get_pointer(loops[0], a, &pointer), WSFAN_OK);
    ck_assert_ptr_eq(pointer, &hosts[0]);
    ck_assert_int_eq(wsfan_session_get_pointer(loops[0], b, &pointer), WSFAN_OK);
    ck_assert_ptr_null(pointer);
    ck_assert_int_eq(wsfan_session_get_pointer(loops[1], a, &pointer), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_session_get_pointer(loops[0], a, NULL), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_session_close(loops[0], a), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_get_pointer(loops[0], a, &pointer), WSFAN_ESTALE);
    ck_assert_int_eq(wsfan_session_get_pointer(loops[0], (wsfan_session){ 0 }, &pointer),
                     WSFAN_ESTALE);
    ck_assert_ptr_null(pointer);
    close_loops();
}
END_TEST

START_TEST(arguments_are_checked) {
    open_loops();
    wsfan_session a = enter(0, "ann", "news", NULL);
    wsfan_target chat = target_of(WSFAN_CHAT, "news");
    wsfan_target wrong[] = { target_of(WSFAN_CHAT, ""),         target_of(WSFAN_USER, ""),
                             target_of(WSFAN_ALL, "news"),      target_of(WSFAN_SESSION, "news"),
                             target_of(WSFAN_NOT_CHAT, "news"), { WSFAN_CHAT, { NULL, 4 } } };
    wsfan_bytes longer = wsfan_string("123456789012345678901");
    count = 77;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_int_eq(wsfan_loop_get_sessions(loops[0], &wrong[i], found, 8, &count),
                         WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_loop_get_sessions(NULL, &chat, found, 8, &count), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_loop_get_sessions(loops[0], NULL, found, 8, &count), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_loop_get_sessions(loops[0], &chat, NULL, 8, &count), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_loop_get_sessions(loops[0], &chat, found, 8, NULL), WSFAN_EINVAL);
    chat.name = longer;
    ck_assert_int_eq(wsfan_loop_get_sessions(loops[0], &chat, found, 8, &count), WSFAN_ETOOBIG);
    ck_assert_uint_eq(count, 77);
    ck_assert_int_eq(wsfan_session_is_in(loops[0], a, longer), WSFAN_ETOOBIG);
    ck_assert_int_eq(wsfan_session_is_in(loops[0], a, wsfan_string("")), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_session_is_in(NULL, a, wsfan_string("news")), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_session_get_pointer(NULL, a, (void *[1]){ 0 }), WSFAN_EINVAL);
    close_loops();
}
END_TEST

START_TEST(a_callback_may_ask_and_keeps_its_recipients) {
    open_loops();
    enter(0, "ann", "news", &hosts[0]);
    enter(0, "bob", "other", &hosts[1]);
    enter(0, "", "other", &hosts[2]);
    live[0] = loops[0];
    messages = 0;
    ck_assert_int_eq(wsfan_broadcast(node, wsfan_string("news"), wsfan_string("hi"), NULL),
                     WSFAN_OK);
    WAIT(messages == 1);
    live[0] = NULL;
    close_loops();
}
END_TEST

static wsfan_session enter_present(const char *user, const char *chat, int *host) {
    wsfan_join_options options = { .struct_size = sizeof options, .flags = WSFAN_PRESENCE };
    wsfan_session session;
    ck_assert_int_eq(wsfan_session_open(&session, loops[0], wsfan_string(user), host), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join_with(loops[0], session, wsfan_string(chat), &options),
                     WSFAN_OK);
    return session;
}

static void change(wsfan_session session, const char *metadata) {
    told = 0;
    ck_assert_int_eq(
        wsfan_session_set_metadata(loops[0], session, wsfan_string("news"), wsfan_string(metadata)),
        WSFAN_OK);
    WAIT(told > 0);
}

START_TEST(presence_tells_its_recipients) {
    open_loops();
    live[0] = loops[0];
    wsfan_session a = enter_present("ann", "news", &hosts[0]);
    WAIT(told_users == 1);
    ck_assert_uint_eq(count, 1);
    ck_assert(has(a, &hosts[0]));
    wsfan_session c = enter(0, "cid", "news", &hosts[2]); /* without presence */
    enter(0, "dan", "other", &hosts[3]);
    wsfan_session b = enter_present("bob", "news", &hosts[1]);
    WAIT(told_users == 2);
    ck_assert_uint_eq(count, 2);
    ck_assert(has(a, &hosts[0]) && has(b, &hosts[1]) && !has(c, &hosts[2]));
    ck_assert_int_eq(wsfan_session_leave(loops[0], c, wsfan_string("news")), WSFAN_OK);
    change(a, "x");
    ck_assert_uint_eq(count, 2);
    ck_assert(has(a, &hosts[0]) && has(b, &hosts[1]));
    ck_assert_int_eq(wsfan_session_close(loops[0], a), WSFAN_OK);
    change(b, "y");
    ck_assert_uint_eq(count, 1);
    ck_assert(has(b, &hosts[1]));
    live[0] = NULL;
    close_loops();
}
END_TEST

SUITE_MAIN("query", sessions_of_a_chat_and_of_a_user_are_listed,
           no_more_are_copied_than_there_is_room_for, a_session_is_in_a_chat_from_join_to_leave,
           the_hosts_pointer_is_told, arguments_are_checked,
           a_callback_may_ask_and_keeps_its_recipients, presence_tells_its_recipients)
