/* [loop]: one thread at a time, and the thread that dispatches while callbacks run. A host may use a mutex; a
 * library with assertions finds who breaks this rule, and who calls it while it visits members. */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wsfan/presence.h>
#include <wsfan/registry.h>
#include <wsfan/stats.h>

#include "live.h"
#include "suite.h"

/* -------------------------------------------------------------------------------------- a mutex */

enum { THREADS = 3, ROUNDS = 300 };

static wsfan_node *node;
static wsfan_loop *loop;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of the loop, and of what follows */
static unsigned recipients;
static bool joined;

/* Each takes its turn within the lock of who dispatches, and calls back without locking again. */
static void on_message(void *user, wsfan_message *message, const wsfan_recipient *to,
                       size_t count) {
    wsfan_session session;
    (void)user;
    (void)message;
    (void)to;
    recipients += (unsigned)count;
    ck_assert_int_eq(wsfan_session_open(&session, loop, wsfan_string("guest"), NULL), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_close(loop, session), WSFAN_OK);
}

static void on_joined(void *user, const wsfan_joined *join) {
    (void)user;
    joined = joined || join->status == WSFAN_OK;
}

static const wsfan_callbacks CALLBACKS = { .struct_size = sizeof CALLBACKS,
                                           .on_message = on_message,
                                           .on_joined = on_joined };

static void open_loop(void) {
    wsfan_options options;
    wsfan_options_init(&options);
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_open(&loop, node, &CALLBACKS, NULL), WSFAN_OK);
}

static wsfan_session enter(const char *user) {
    wsfan_session session;
    ck_assert_int_eq(wsfan_session_open(&session, loop, wsfan_string(user), NULL), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join(loop, session, wsfan_string("chat")), WSFAN_OK);
    return session;
}

static void *take_turns(void *unused) {
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        wsfan_session session = enter("user");
        pthread_mutex_unlock(&mutex);
        ck_assert_int_eq(wsfan_broadcast(node, wsfan_string("chat"), wsfan_string("hi"), NULL),
                         WSFAN_OK);
        pthread_mutex_lock(&mutex);
        ck_assert_int_ge(wsfan_loop_dispatch(loop, 0), 0);
        ck_assert_int_eq(wsfan_session_leave(loop, session, wsfan_string("chat")), WSFAN_OK);
        ck_assert_int_eq(wsfan_session_close(loop, session), WSFAN_OK);
        pthread_mutex_unlock(&mutex);
    }
    return unused;
}

static uint64_t messages(void) {
    wsfan_loop_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_loop_get_stats(loop, &stats), WSFAN_OK);
    return stats.messages;
}

START_TEST(a_host_may_use_a_mutex) {
    pthread_t threads[THREADS];
    open_loop();
    live[0] = loop;
    enter("who stays");
    WAIT(joined);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_turns, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    WAIT(messages() == THREADS * ROUNDS);
    ck_assert_uint_ge(recipients, THREADS * ROUNDS);
    live[0] = NULL;
    ck_assert_int_eq(wsfan_loop_close(loop), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_close(node), WSFAN_OK);
}
END_TEST

/* --------------------------------------------------------------------------- who breaks the rule */

#ifndef NDEBUG

enum { SAID_SIZE = 1000 };

static wsfan_session own; /* of the loop, in the chat */
static void *(*intruder)(void *);

/* A callback that waits for another thread, which calls what only this one may. */
static void on_message_intrude(void *user, wsfan_message *message, const wsfan_recipient *to,
                               size_t count) {
    pthread_t thread;
    (void)user;
    (void)message;
    (void)to;
    (void)count;
    pthread_create(&thread, NULL, intruder, NULL);
    pthread_join(thread, NULL);
}

/* A callback of wsfan_chat_members(), which has the lock that the call waits for. */
static void ask_again(void *user, const wsfan_member *member) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    (void)user;
    (void)member;
    wsfan_node_get_stats(node, &stats);
}

static void visit_and_call(void) {
    uint64_t cursor = 0;
    wsfan_join_options present = { .struct_size = sizeof present, .flags = WSFAN_PRESENCE };
    own = enter("own");
    wsfan_session_join_with(loop, own, wsfan_string("shown"), &present);
    signal(SIGALRM, SIG_DFL); /* not that of Check */
    alarm(DEADLINE_MS / 1000);
    wsfan_chat_members(node, wsfan_string("shown"), &cursor, 1, ask_again, NULL);
}

static void call_in_on_message(void) {
    own = enter("own");
    WAIT(joined);
    wsfan_broadcast(node, wsfan_string("chat"), wsfan_string("hi"), NULL);
    WAIT(messages() > 0);
}

/* What became of a process of its own, and what it said on stderr. */
static int intrude(void (*deed)(void), void *(*calls)(void *), char said[SAID_SIZE]) {
    int out[2];
    size_t size = 0;
    int status;
    ck_assert_int_eq(pipe(out), 0);
    pid_t child = fork();
    if (child == 0) {
        wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                      .on_message = on_message_intrude,
                                      .on_joined = on_joined };
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        dup2(out[1], STDERR_FILENO);
        intruder = calls;
        open_loop();
        wsfan_loop_close(loop);
        wsfan_loop_open(&loop, node, &callbacks, NULL);
        live[0] = loop;
        deed();
        _exit(0);
    }
    close(out[1]);
    for (ssize_t got; size < SAID_SIZE - 1; size += (size_t)got)
        if ((got = read(out[0], said + size, SAID_SIZE - 1 - size)) <= 0)
            break;
    said[size] = '\0';
    close(out[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

#define INTRUDER(name, call)                                                                       \
    static void *name(void *unused) {                                                              \
        (void)(call);                                                                              \
        return unused;                                                                             \
    }

static wsfan_session other;
static wsfan_loop_stats own_stats = { .struct_size = sizeof own_stats };
INTRUDER(opens, wsfan_session_open(&other, loop, wsfan_string("other"), NULL))
INTRUDER(closes, wsfan_session_close(loop, own))
INTRUDER(joins, wsfan_session_join(loop, own, wsfan_string("other")))
INTRUDER(leaves, wsfan_session_leave(loop, own, wsfan_string("chat")))
INTRUDER(tells, wsfan_session_set_metadata(loop, own, wsfan_string("chat"), wsfan_string("")))
INTRUDER(counts, wsfan_loop_get_stats(loop, &own_stats))
INTRUDER(asks, wsfan_session_is_in(loop, own, wsfan_string("chat")))
INTRUDER(dispatches, wsfan_loop_dispatch(loop, 0))
INTRUDER(ends, wsfan_loop_close(loop))
INTRUDER(may, wsfan_broadcast(node, wsfan_string("nobody"), wsfan_string("hi"), NULL))

START_TEST(a_call_from_another_thread_during_a_callback_is_found) {
    static const struct {
        void *(*calls)(void *);
        const char *function;
    } intruders[] = {
        { opens, "wsfan_session_open()" },
        { closes, "wsfan_session_close()" },
        { joins, "wsfan_session_join()" },
        { leaves, "wsfan_session_leave()" },
        { tells, "wsfan_session_set_metadata()" },
        { counts, "wsfan_loop_get_stats()" },
        { asks, "wsfan_session_is_in()" },
        { dispatches, "wsfan_loop_dispatch()" },
        { ends, "wsfan_loop_close()" },
    };
    char said[SAID_SIZE];
    for (size_t i = 0; i < sizeof intruders / sizeof *intruders; i++) {
        int status = intrude(call_in_on_message, intruders[i].calls, said);
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%s is not found",
                      intruders[i].function);
        ck_assert_ptr_nonnull(strstr(said, intruders[i].function));
        ck_assert_ptr_nonnull(strstr(said, "another thread is in it, or it is closed"));
    }
    ck_assert_int_eq(intrude(call_in_on_message, may, said), 0); /* [any] */
    ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(a_call_while_members_are_visited_is_found) {
    char said[SAID_SIZE];
    int status = intrude(visit_and_call, NULL, said);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%s", said);
    ck_assert_ptr_nonnull(strstr(said, "wsfan_chat_members() must not call the library"));
}
END_TEST

SUITE_MAIN("alone", a_call_from_another_thread_during_a_callback_is_found,
           a_call_while_members_are_visited_is_found, a_host_may_use_a_mutex)

#else

SUITE_MAIN("alone", a_host_may_use_a_mutex)

#endif
