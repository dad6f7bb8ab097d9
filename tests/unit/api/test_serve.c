/* Placement, readiness, draining and nodes without a mesh, by the public functions alone. */
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wsfan/placement.h>
#include <wsfan/wsfan.h>

#include "live.h"
#include "suite.h"

enum { NODES_MAX = 3, SESSIONS = 200 };

typedef struct {
    wsfan_node *node;
    wsfan_loop *loop;
    unsigned messages;
    unsigned joined;
    unsigned moved;
    size_t moved_sessions;
    char moved_chat[32];
    char moved_to[32];
    int moved_here;
    unsigned shed;
    unsigned shed_calls;
    bool drained;
    int drained_status;
    unsigned results;
    int result_status;
} replica;

static replica replicas[NODES_MAX];

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    (void)message, (void)recipients;
    ((replica *)user)->messages += (unsigned)count;
}

static void on_joined(void *user, const wsfan_joined *event) {
    ck_assert_int_eq(event->status, WSFAN_OK);
    ((replica *)user)->joined++;
}

static void on_owner(void *user, const wsfan_moved *event) {
    replica *r = user;
    r->moved++;
    r->moved_sessions = event->sessions_count;
    r->moved_here = event->here;
    snprintf(r->moved_chat, sizeof r->moved_chat, "%.*s", (int)event->chat.size,
             (const char *)event->chat.data);
    snprintf(r->moved_to, sizeof r->moved_to, "%s", event->public_address);
}

static void on_drain(void *user, const wsfan_recipient *sessions, size_t count) {
    replica *r = user;
    r->shed += (unsigned)count;
    r->shed_calls++;
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(wsfan_session_close(r->loop, sessions[i].session), WSFAN_OK);
}

static void on_drained(void *user, int status) {
    replica *r = user;
    ck_assert(!r->drained);
    r->drained = true;
    r->drained_status = status;
}

static void on_result(void *user, const wsfan_result *result) {
    ((replica *)user)->results++;
    ((replica *)user)->result_status = result->status;
}

static void start(int i, wsfan_options options) {
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_message = on_message,
                                               .on_joined = on_joined,
                                               .on_result = on_result,
                                               .on_owner = on_owner,
                                               .on_drain = on_drain,
                                               .on_drained = on_drained };
    live_messages_max = 7; /* so that a batch takes several */
    replica *r = &replicas[i];
    char name[8];
    char address[32];
    memset(r, 0, sizeof *r);
    snprintf(name, sizeof name, "n%d", i);
    snprintf(address, sizeof address, "http://n%d.example/", i);
    options.name = name;
    options.public_address = address;
    ck_assert_int_eq(wsfan_node_open(&r->node, &options), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_open(&r->loop, r->node, &callbacks, r), WSFAN_OK);
    live[i] = r->loop;
}

static void stop(int i) {
    ck_assert_int_eq(wsfan_loop_close(replicas[i].loop), WSFAN_OK);
    replicas[i].loop = live[i] = NULL;
    ck_assert_int_eq(wsfan_node_close(replicas[i].node), WSFAN_OK);
    replicas[i].node = NULL;
}

static wsfan_owner owner_of(int i, const char *chat) {
    wsfan_owner owner = { .struct_size = sizeof owner };
    ck_assert_int_eq(wsfan_node_get_owner(replicas[i].node, wsfan_string(chat), &owner), WSFAN_OK);
    return owner;
}

/* Whether a node knows of all three that they may own chats. */
static bool sees_three(int i) {
    unsigned seen = 0;
    for (int c = 0; c < 100; c++) {
        char chat[16];
        snprintf(chat, sizeof chat, "%d", c);
        wsfan_owner owner = owner_of(i, chat);
        for (int n = 0; n < 3; n++)
            if (owner.node == wsfan_node_id(replicas[n].node))
                seen |= 1u << n;
    }
    return seen == 7;
}

/* Three nodes that name the same owner of everything. */
static void start_three(void) {
    wsfan_options options = quick_options("tcp://127.0.0.1:*");
    start(0, options);
    const char *peers[] = { wsfan_node_endpoint(replicas[0].node) };
    options.peers = peers;
    options.peers_count = 1;
    start(1, options);
    start(2, options);
    for (int i = 0; i < 3; i++)
        WAIT(wsfan_node_ready(replicas[i].node) == 1);
    for (int i = 0; i < 3; i++)
        WAIT(sees_three(i)); /* that the others are ready */
    for (int i = 0; i < 3; i++) {
        char chat[16] = "a";
        for (int n = 0; n < 100; n++) {
            snprintf(chat, sizeof chat, "%d", n);
            WAIT(owner_of(0, chat).node == owner_of(i, chat).node);
        }
    }
    for (int n = 0; n < 3; n++) {
        bool owns = false;
        for (int c = 0; c < 100; c++) {
            char chat[16];
            snprintf(chat, sizeof chat, "%d", c);
            owns = owns || owner_of(0, chat).node == wsfan_node_id(replicas[n].node);
        }
        ck_assert(owns);
    }
}

/* A chat that node n owns. */
static const char *chat_of(int n) {
    static char chat[16];
    int i = 0;
    do
        snprintf(chat, sizeof chat, "%d", i++);
    while (owner_of(0, chat).node != wsfan_node_id(replicas[n].node));
    return chat;
}

/* ------------------------------------------------------------------------------ without a mesh */

static unsigned count_entries(const char *directory) {
    DIR *d = opendir(directory);
    ck_assert_ptr_nonnull(d);
    unsigned count = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        count += e->d_name[0] != '.';
    closedir(d);
    return count;
}

static unsigned count_sockets(void) {
    unsigned count = 0;
    DIR *d = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[300];
        char target[64] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%s", e->d_name);
        if (readlink(path, target, sizeof target - 1) > 0)
            count += strncmp(target, "socket:", 7) == 0;
    }
    closedir(d);
    return count;
}

START_TEST(nobody_owns_a_chat_at_a_node_that_has_just_opened) {
    for (int round = 0; round < 50; round++) {
        wsfan_node *node;
        wsfan_owner owner = { .struct_size = sizeof owner, .node = 7 };
        wsfan_options options = quick_options("tcp://127.0.0.1:*");
        ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_OK);
        ck_assert_int_eq(wsfan_node_get_owner(node, wsfan_string("c"), &owner), WSFAN_OK);
        ck_assert(owner.node == 0 || owner.node == wsfan_node_id(node)); /* not yet, or just now */
        ck_assert_int_eq(wsfan_node_close(node), WSFAN_OK);
    }
}
END_TEST

START_TEST(a_node_without_a_mesh_has_no_socket_and_no_thread_and_delivers) {
    wsfan_options options = quick_options("tcp://127.0.0.1:*");
    options.endpoint = NULL;
    unsigned threads = count_entries("/proc/self/task");
    unsigned sockets = count_sockets();
    start(0, options);
    wsfan_session session;
    wsfan_loop *loop = replicas[0].loop;
    ck_assert_int_eq(wsfan_node_ready(replicas[0].node), 1);
    ck_assert_int_eq(wsfan_session_open(&session, loop, wsfan_string("u"), NULL), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join(loop, session, wsfan_string("c")), WSFAN_OK);
    WAIT(replicas[0].joined == 1);
    ck_assert_int_eq(wsfan_broadcast(replicas[0].node, wsfan_string("c"), wsfan_string("x"), NULL),
                     WSFAN_OK);
    ck_assert_int_eq(wsfan_broadcast_all(replicas[0].node, wsfan_string("x"), NULL), WSFAN_OK);
    WAIT(replicas[0].messages == 2);
    wsfan_owner owner = owner_of(0, "c");
    ck_assert_int_eq(owner.here, 1);
    ck_assert_str_eq(owner.name, "n0");
    ck_assert_uint_eq(count_entries("/proc/self/task"), threads);
    ck_assert_uint_eq(count_sockets(), sockets);
    ck_assert_str_eq(wsfan_node_endpoint(replicas[0].node), "");
    stop(0);
}
END_TEST

/* Whoever asks for a result needs somebody who keeps the time for him. */
START_TEST(a_node_without_a_mesh_gives_results_in_time_though_a_loop_is_stalled) {
    wsfan_options options = quick_options("tcp://127.0.0.1:*");
    options.endpoint = NULL;
    options.result_ms_max = 300;
    start(0, options);
    wsfan_loop *stalled;
    wsfan_session session;
    static const wsfan_callbacks none = { .struct_size = sizeof none };
    ck_assert_int_eq(wsfan_loop_open(&stalled, replicas[0].node, &none, NULL), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_open(&session, stalled, wsfan_string("u"), NULL), WSFAN_OK);
    wsfan_publish_options asked = { .struct_size = sizeof asked, .result_loop = replicas[0].loop };
    ck_assert_int_eq(wsfan_broadcast_all(replicas[0].node, wsfan_string("x"), &asked), WSFAN_OK);
    WAIT(replicas[0].results == 1);
    ck_assert_int_eq(replicas[0].result_status, WSFAN_EPARTIAL);
    ck_assert_int_eq(wsfan_broadcast_all(replicas[0].node, wsfan_string("x"), NULL), WSFAN_OK);
    ck_assert_int_ge(wsfan_loop_dispatch(stalled, 0), 0);
    ck_assert_int_eq(wsfan_loop_close(stalled), WSFAN_OK);
    stop(0);
}
END_TEST

/* -------------------------------------------------------------------------------------- placement */

START_TEST(nodes_agree_on_owners_and_tell_their_public_addresses) {
    start_three();
    wsfan_owner owner = owner_of(1, chat_of(2));
    ck_assert_str_eq(owner.name, "n2");
    ck_assert_str_eq(owner.public_address, "http://n2.example/");
    ck_assert_int_eq(owner.here, 0);
    ck_assert_int_eq(owner.up, 1);
    ck_assert_int_eq(owner_of(2, chat_of(2)).here, 1);
    for (int i = 0; i < 3; i++)
        stop(i);
}
END_TEST

START_TEST(a_loop_is_told_when_a_chat_of_its_sessions_moves_and_of_no_other) {
    start_three();
    wsfan_session session;
    char chat[16];
    const char *of[] = { chat_of(2), NULL };
    snprintf(chat, sizeof chat, "%s", of[0]);
    ck_assert_int_eq(wsfan_session_open(&session, replicas[0].loop, wsfan_string("u"), NULL),
                     WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join(replicas[0].loop, session, wsfan_string(chat)), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join(replicas[0].loop, session, wsfan_string(chat_of(1))),
                     WSFAN_OK); /* this one stays where it is */
    WAIT(replicas[0].joined == 2);
    unsigned before = replicas[0].moved;
    stop(2); /* goodbye: at once */
    WAIT(replicas[0].moved > before);
    ck_assert_uint_eq(replicas[0].moved, before + 1);
    ck_assert_str_eq(replicas[0].moved_chat, chat);
    ck_assert_uint_eq(replicas[0].moved_sessions, 1);
    wsfan_owner owner = owner_of(0, chat);
    ck_assert_str_eq(replicas[0].moved_to, owner.public_address);
    ck_assert_int_eq(replicas[0].moved_here, owner.here);
    ck_assert_uint_eq(replicas[1].moved, 0); /* it has nobody in it */
    stop(0);
    stop(1);
}
END_TEST

START_TEST(a_publisher_only_node_publishes_learns_the_result_and_has_no_sessions) {
    wsfan_options options = quick_options("tcp://127.0.0.1:*");
    start(0, options);
    const char *peers[] = { wsfan_node_endpoint(replicas[0].node) };
    options.peers = peers;
    options.peers_count = 1;
    options.publisher_only = 1;
    start(1, options);
    WAIT(wsfan_node_ready(replicas[1].node) == 1);
    wsfan_session session;
    ck_assert_int_eq(wsfan_session_open(&session, replicas[1].loop, wsfan_string("u"), NULL),
                     WSFAN_EINVAL);
    ck_assert_ptr_nonnull(strstr(wsfan_error_text(WSFAN_EINVAL), "with these options"));
    ck_assert_int_eq(wsfan_session_open(&session, replicas[0].loop, wsfan_string("u"), NULL),
                     WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join(replicas[0].loop, session, wsfan_string("c")), WSFAN_OK);
    WAIT(replicas[0].joined == 1);
    wsfan_publish_options asked = { .struct_size = sizeof asked, .result_loop = replicas[1].loop };
    ck_assert_int_eq(
        wsfan_broadcast(replicas[1].node, wsfan_string("c"), wsfan_string("x"), &asked), WSFAN_OK);
    WAIT(replicas[1].results == 1 && replicas[0].messages == 1);
    ck_assert_int_eq(replicas[1].result_status, WSFAN_OK);
    WAIT(owner_of(1, "c").node == wsfan_node_id(replicas[0].node));
    for (int i = 0; i < 100; i++) {
        char chat[16];
        snprintf(chat, sizeof chat, "%d", i);
        ck_assert_str_eq(owner_of(0, chat).name, "n0");
    }
    stop(1);
    stop(0);
}
END_TEST

/* ----------------------------------------------------------------------------------------- drain */

START_TEST(a_drain_closes_sessions_a_few_at_a_time_loses_nothing_and_ends) {
    start_three();
    wsfan_session sessions[SESSIONS];
    for (int i = 0; i < SESSIONS; i++) {
        ck_assert_int_eq(
            wsfan_session_open(&sessions[i], replicas[1].loop, wsfan_string("u"), NULL), WSFAN_OK);
        ck_assert_int_eq(wsfan_session_join(replicas[1].loop, sessions[i], wsfan_string("c")),
                         WSFAN_OK);
    }
    wsfan_session listener;
    ck_assert_int_eq(wsfan_session_open(&listener, replicas[0].loop, wsfan_string("l"), NULL),
                     WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join(replicas[0].loop, listener, wsfan_string("c")), WSFAN_OK);
    WAIT(replicas[1].joined == SESSIONS && replicas[0].joined == 1);

    ck_assert_int_eq(wsfan_node_drain(replicas[1].node, 6000), WSFAN_OK);
    wsfan_session late;
    ck_assert_int_eq(wsfan_session_open(&late, replicas[1].loop, wsfan_string("u"), NULL),
                     WSFAN_ECLOSED);
    ck_assert_int_eq(wsfan_session_join(replicas[1].loop, sessions[0], wsfan_string("d")),
                     WSFAN_ECLOSED);
    unsigned published = 0;
    int64_t give_up_ms = now_ms() + DEADLINE_MS;
    while (!replicas[1].drained) {
        int error = wsfan_broadcast(replicas[1].node, wsfan_string("c"), wsfan_string("x"), NULL);
        ck_assert(error == WSFAN_OK || error == WSFAN_ECLOSED);
        ck_assert(error != WSFAN_ECLOSED || replicas[1].shed == SESSIONS);
        published += error == WSFAN_OK;
        dispatch_all();
        ck_assert(now_ms() < give_up_ms);
    }
    ck_assert_int_eq(replicas[1].drained_status, WSFAN_OK);
    ck_assert_uint_eq(replicas[1].shed, SESSIONS);
    ck_assert_uint_ge(replicas[1].shed_calls, 10);
    ck_assert_int_eq(wsfan_broadcast(replicas[1].node, wsfan_string("c"), wsfan_string("x"), NULL),
                     WSFAN_ECLOSED);
    WAIT(replicas[0].messages == published); /* acknowledged, so there already */
    WAIT(owner_of(0, "c").node != wsfan_node_id(replicas[1].node));
    for (int i = 0; i < 100; i++) {
        char chat[16];
        snprintf(chat, sizeof chat, "%d", i);
        ck_assert_uint_ne(owner_of(0, chat).node, wsfan_node_id(replicas[1].node));
        ck_assert_uint_ne(owner_of(1, chat).node, wsfan_node_id(replicas[1].node));
    }
    for (int i = 0; i < 3; i++)
        stop(i);
}
END_TEST

START_TEST(a_node_without_a_mesh_drains_too) {
    wsfan_options options = quick_options("tcp://127.0.0.1:*");
    options.endpoint = NULL;
    start(0, options);
    wsfan_session session;
    ck_assert_int_eq(wsfan_session_open(&session, replicas[0].loop, wsfan_string("u"), NULL),
                     WSFAN_OK);
    ck_assert_int_eq(wsfan_node_drain(replicas[0].node, 10000), WSFAN_OK);
    WAIT(replicas[0].drained);
    ck_assert_int_eq(replicas[0].drained_status, WSFAN_OK);
    ck_assert_uint_eq(replicas[0].shed, 1);
    ck_assert_int_eq(wsfan_broadcast_all(replicas[0].node, wsfan_string("x"), NULL), WSFAN_ECLOSED);
    stop(0);
}
END_TEST

START_TEST(a_drain_of_no_time_is_over_at_once) {
    wsfan_options options = quick_options("tcp://127.0.0.1:*");
    options.endpoint = NULL;
    start(0, options);
    ck_assert_int_eq(wsfan_node_drain(replicas[0].node, 0), WSFAN_OK);
    WAIT(replicas[0].drained);
    ck_assert_int_eq(wsfan_broadcast_all(replicas[0].node, wsfan_string("x"), NULL), WSFAN_ECLOSED);
    ck_assert_int_eq(wsfan_node_drain(NULL, 0), WSFAN_EINVAL);
    wsfan_owner owner = { 0 };
    ck_assert_int_eq(wsfan_node_get_owner(replicas[0].node, wsfan_string("c"), &owner),
                     WSFAN_EINVAL);
    owner = (wsfan_owner){ .struct_size = sizeof owner };
    ck_assert_int_eq(wsfan_node_get_owner(replicas[0].node, wsfan_string(""), &owner),
                     WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_node_get_owner(replicas[0].node, wsfan_string("c"), &owner), WSFAN_OK);
    ck_assert_uint_eq(owner.node, 0);
    stop(0);
}
END_TEST

struct served {
    wsfan_loop *loop;
    bool told; /* that the drain is over */
};

static void on_told(void *user, int status) {
    (void)status;
    ((struct served *)user)->told = true;
}

/* As an event loop does it: dispatches when the descriptor says so, and at no other time. */
static void *serve(void *user) {
    struct served *served = user;
    struct pollfd item = { wsfan_loop_fd(served->loop), POLLIN, 0 };
    while (!served->told && poll(&item, 1, DEADLINE_MS) > 0)
        wsfan_loop_dispatch(served->loop, 0);
    return NULL;
}

/* The mesh may be done before wsfan_node_drain() has told the last loop that there is a drain. */
START_TEST(each_thread_is_told_that_a_drain_is_over_however_soon) {
    enum { ROUNDS = 100, THREADS = 3 };
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_drained = on_told };
    wsfan_options options = quick_options("tcp://127.0.0.1:*");
    for (int round = 0; round < ROUNDS; round++) {
        wsfan_node *node;
        pthread_t threads[THREADS];
        struct served served[THREADS];
        ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_OK);
        for (int i = 0; i < THREADS; i++) {
            served[i] = (struct served){ .told = false };
            ck_assert_int_eq(wsfan_loop_open(&served[i].loop, node, &callbacks, &served[i]),
                             WSFAN_OK);
            ck_assert_int_eq(pthread_create(&threads[i], NULL, serve, &served[i]), 0);
        }
        ck_assert_int_eq(wsfan_node_drain(node, 0), WSFAN_OK);
        for (int i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
            ck_assert(served[i].told);
            ck_assert_int_eq(wsfan_loop_close(served[i].loop), WSFAN_OK);
        }
        ck_assert_int_eq(wsfan_node_close(node), WSFAN_OK);
    }
}
END_TEST

SUITE_MAIN("serve", nobody_owns_a_chat_at_a_node_that_has_just_opened,
           a_node_without_a_mesh_has_no_socket_and_no_thread_and_delivers,
           a_node_without_a_mesh_gives_results_in_time_though_a_loop_is_stalled,
           nodes_agree_on_owners_and_tell_their_public_addresses,
           a_loop_is_told_when_a_chat_of_its_sessions_moves_and_of_no_other,
           a_publisher_only_node_publishes_learns_the_result_and_has_no_sessions,
           a_drain_closes_sessions_a_few_at_a_time_loses_nothing_and_ends,
           a_node_without_a_mesh_drains_too, a_drain_of_no_time_is_over_at_once,
           each_thread_is_told_that_a_drain_is_over_however_soon)
