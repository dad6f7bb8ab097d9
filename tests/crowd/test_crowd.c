/* Five processes, a node each, 20,000 sessions on every one. Half of the users have a session on each
 * node, half on one alone. Then one process is killed, and some of its users come back on another
 * node: who has a session elsewhere must not be said to have left, whoever has not must, once, and
 * every count must be right again within down_ms + presence_grace_ms and some time to be told. */
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wsfan/presence.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>

enum {
    NODES = 5,
    VICTIM = NODES - 1,
    CHATS = 100,
    OWN = 10000,    /* sessions of a node whose users are nowhere else */
    SHARED = 10000, /* sessions of a node whose users are on every node */
    BACK = 1000,    /* users of the victim that come back, on node 0 */
    DOWN_MS = 8000,
    GRACE_MS = 5000, /* the users come back within it: a killed process is down at once */
    TOLD_MS = 5000,  /* beyond these two, until it has been told everywhere */
    SETUP_MS = 90000
};

/* What every chat must count, and what "everyone" must, in which all sessions are. */
enum {
    SESSIONS_BEFORE = NODES * (OWN + SHARED),
    USERS_BEFORE = NODES * OWN + SHARED,
    SESSIONS_AFTER = SESSIONS_BEFORE - OWN - SHARED + BACK,
    USERS_AFTER = USERS_BEFORE - OWN + BACK
};

typedef struct {
    atomic_int phase;          /* what the parent wants: see run() */
    char address[160];         /* of node 0 */
    atomic_int reached[NODES]; /* the phase that a child has come to */
    atomic_long wrong[NODES];  /* leaves of users that have a session somewhere */
    atomic_long leaves[NODES];
    atomic_long joins[NODES];
    char last[NODES][160]; /* what a child still waits for */
} board;

static board *shared;

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "test_crowd: ");
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void must(int error, const char *what) {
    if (error != WSFAN_OK)
        die("%s: %s", what, wsfan_error_text(error));
}

/* -------------------------------------------------------------------------------------- a child */

typedef struct {
    int number;
    wsfan_node *node;
    wsfan_loop *loop;
    long joined;
    uint8_t left[OWN]; /* how often each of the victim's own users was said to leave */
} child;

static void on_joined(void *user, const wsfan_joined *joined) {
    must(joined->status, "join");
    ((child *)user)->joined++;
}

static void on_presence(void *user, const wsfan_presence *presence) {
    child *c = user;
    if ((presence->flags & WSFAN_PRESENCE_LARGE) != 0 && presence->members_count > 0)
        die("members of a large chat are told");
    for (size_t i = 0; i < presence->members_count; i++) {
        const wsfan_member *member = &presence->members[i];
        char name[32] = { 0 };
        int number;
        memcpy(name, member->user.data, member->user.size);
        if (member->event == WSFAN_MEMBER_JOIN)
            atomic_fetch_add(&shared->joins[c->number], 1);
        if (member->event != WSFAN_MEMBER_LEAVE)
            continue;
        atomic_fetch_add(&shared->leaves[c->number], 1);
        char format[32];
        snprintf(format, sizeof format, "own-%d-%%d", VICTIM);
        if (sscanf(name, format, &number) != 1 || number < BACK || c->left[number]++ > 0)
            atomic_fetch_add(&shared->wrong[c->number], 1);
    }
}

static void serve(child *c, int timeout_ms) {
    struct pollfd item = { wsfan_loop_fd(c->loop), POLLIN, 0 };
    poll(&item, 1, timeout_ms);
    if (wsfan_loop_dispatch(c->loop, 0) < 0)
        die("dispatch");
}

/* A session in "everyone" and in one of the chats. */
static void open_session(child *c, const char *user, int number) {
    static const wsfan_join_options present = { .struct_size = sizeof present,
                                                .flags = WSFAN_PRESENCE };
    wsfan_session session;
    char chat[32];
    snprintf(chat, sizeof chat, "chat-%d", number % CHATS);
    must(wsfan_session_open(&session, c->loop, wsfan_string(user), NULL), "open a session");
    must(wsfan_session_join_with(c->loop, session, wsfan_string("everyone"), &present), "join");
    must(wsfan_session_join_with(c->loop, session, wsfan_string(chat), &present), "join");
    if (number % 64 == 0)
        serve(c, 0);
}

static void open_sessions(child *c, int of, int count) {
    char user[32];
    for (int i = 0; i < count; i++) {
        snprintf(user, sizeof user, "own-%d-%d", of, i);
        open_session(c, user, i);
    }
    for (int i = 0; of == c->number && i < SHARED; i++) {
        snprintf(user, sizeof user, "shared-%d", i);
        open_session(c, user, i);
    }
}

static bool counts(child *c, const char *chat, uint64_t sessions, uint64_t users) {
    wsfan_count count = { .struct_size = sizeof count };
    must(wsfan_chat_get_count(c->node, wsfan_string(chat), &count), "count");
    if (count.complete && count.sessions == sessions && count.users == users)
        return true;
    snprintf(shared->last[c->number], sizeof shared->last[c->number],
             "%s has %llu sessions of %llu, %llu users of %llu, %u nodes missing", chat,
             (unsigned long long)count.sessions, (unsigned long long)sessions,
             (unsigned long long)count.users, (unsigned long long)users, count.missing_count);
    return false;
}

static bool counts_all(child *c, uint64_t sessions, uint64_t users) {
    if (!counts(c, "everyone", sessions, users))
        return false;
    for (int i = 0; i < CHATS; i++) {
        char chat[32];
        snprintf(chat, sizeof chat, "chat-%d", i);
        if (!counts(c, chat, sessions / CHATS, users / CHATS))
            return false;
    }
    return true;
}

static void run(int number) {
    static child c;
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_joined = on_joined,
                                               .on_presence = on_presence };
    char name[16];
    const char *peers[] = { shared->address };
    wsfan_options options;
    wsfan_options_init(&options);
    snprintf(name, sizeof name, "node-%d", number);
    options.name = name;
    options.endpoint = "tcp://127.0.0.1:*";
    options.peers = number > 0 ? peers : NULL;
    options.peers_count = number > 0;
    options.down_ms = DOWN_MS;
    options.join_ms_max = SETUP_MS;
    options.presence_grace_ms = GRACE_MS;
    c.number = number;
    must(wsfan_node_open(&c.node, &options), "open a node");
    must(wsfan_loop_open(&c.loop, c.node, &callbacks, &c), "open a loop");
    if (number == 0)
        snprintf(shared->address, sizeof shared->address, "%s", wsfan_node_endpoint(c.node));
    atomic_store(&shared->reached[number], 1);
    for (;;) {
        int phase = atomic_load(&shared->phase);
        int reached = atomic_load(&shared->reached[number]);
        serve(&c, reached < phase ? 10 : 50);
        if (phase == 9)
            break;
        if (reached >= phase)
            continue;
        wsfan_stats stats = { .struct_size = sizeof stats };
        must(wsfan_node_get_stats(c.node, &stats), "statistics");
        bool done = false;
        if (phase == 2)
            done = stats.peers_up == NODES - 1;
        if (phase == 3) {
            open_sessions(&c, number, OWN);
            done = true;
        }
        if (phase == 4) /* everyone is there, and was told by name in the chats */
            done = counts_all(&c, SESSIONS_BEFORE, USERS_BEFORE) &&
                   atomic_load(&shared->joins[number]) >= USERS_BEFORE;
        if (phase == 5) {
            if (number == 0)
                open_sessions(&c, VICTIM, BACK);
            done = true;
        }
        if (phase == 6)
            done = counts_all(&c, SESSIONS_AFTER, USERS_AFTER) &&
                   atomic_load(&shared->leaves[number]) >= OWN - BACK;
        if (done)
            atomic_store(&shared->reached[number], phase);
    }
    must(wsfan_loop_close(c.loop), "close the loop");
    must(wsfan_node_close(c.node), "close the node");
}

/* ------------------------------------------------------------------------------------- the parent */

static pid_t pids[NODES];

static int64_t await(int phase, int nodes, int64_t ms_max) {
    int64_t begin = now_ms();
    atomic_store(&shared->phase, phase);
    for (int i = 0; i < nodes; i++)
        while (atomic_load(&shared->reached[i]) < phase) {
            struct timespec pause = { 0, 2000000 };
            nanosleep(&pause, NULL);
            if (waitpid(pids[i], NULL, WNOHANG) == pids[i])
                die("node %d ended in phase %d", i, phase);
            if (now_ms() - begin > ms_max)
                die("node %d did not come to phase %d in %lld ms: %s", i, phase, (long long)ms_max,
                    shared->last[i]);
        }
    return now_ms() - begin;
}

static void end_children(void) {
    for (int i = 0; i < NODES; i++)
        if (pids[i] > 0)
            kill(pids[i], SIGKILL);
}

static void start(int number) {
    pids[number] = fork();
    if (pids[number] < 0)
        die("fork");
    if (pids[number] > 0)
        return;
    memset(pids, 0, sizeof pids); /* they are not this one's children */
    run(number);
    exit(0);
}

int main(void) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        die("mmap");
    atexit(end_children);
    atomic_store(&shared->phase, 1);
    start(0);
    await(1, 1, SETUP_MS);
    for (int i = 1; i < NODES; i++)
        start(i);
    await(2, NODES, SETUP_MS);
    int64_t begin = now_ms();
    await(3, NODES, SETUP_MS);
    await(4, NODES, SETUP_MS);
    printf("%d sessions on %d nodes: all counts right after %lld ms\n", SESSIONS_BEFORE, NODES,
           (long long)(now_ms() - begin));

    kill(pids[VICTIM], SIGKILL);
    waitpid(pids[VICTIM], NULL, 0);
    pids[VICTIM] = 0;
    int64_t killed = now_ms();
    await(5, NODES - 1, SETUP_MS);
    await(6, NODES - 1, DOWN_MS + GRACE_MS + TOLD_MS);
    printf("one of them killed: all counts right after %lld ms (down %d, grace %d)\n",
           (long long)(now_ms() - killed), DOWN_MS, GRACE_MS);
    for (int i = 0; i < NODES - 1; i++) {
        printf("node %d: %ld joins, %ld leaves, %ld of them wrong\n", i,
               atomic_load(&shared->joins[i]), atomic_load(&shared->leaves[i]),
               atomic_load(&shared->wrong[i]));
        if (atomic_load(&shared->wrong[i]) > 0 || atomic_load(&shared->leaves[i]) != OWN - BACK)
            die("node %d was told wrong leaves", i);
    }
    atomic_store(&shared->phase, 9);
    for (int i = 0; i < NODES - 1; i++) {
        int status;
        if (waitpid(pids[i], &status, 0) != pids[i] || status != 0)
            die("node %d ended with status %x", i, status);
        pids[i] = 0;
    }
    return 0;
}
