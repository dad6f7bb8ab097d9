/* test_mesh [NODES]: as many processes, a node each, and all but the first know only the first. Each joins a chat, and when all have
 * met, each publishes once: every node must get every message, once. Prints how long that took, and what a node costs at rest. */
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>

enum {
    NODES_MAX = WSFAN_PEERS_MAX + 1,
    SETUP_MS = 240000, /* until all have met; the machine may be slow */
    TOLD_MS = 60000,
    REST_MS = 10000,
    DESCRIPTORS = 2048
};

enum { OPENED = 1, MET, JOINED, GOT_ALL, RESTED, ENDED }; /* what the parent waits for, in order */

typedef struct {
    atomic_int phase; /* what the parent wants next */
    char address[160];
    atomic_int reached[NODES_MAX];
    atomic_int messages[NODES_MAX];
    atomic_int peers[NODES_MAX];
    atomic_long rest_us[NODES_MAX]; /* of processor time, in REST_MS */
    atomic_long kib[NODES_MAX];     /* the most memory that there was */
} board;

static board *shared;
static int nodes = 70;
static pid_t pids[NODES_MAX];

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "test_mesh: ");
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
    bool joined;
    bool got[NODES_MAX];
} child;

static void on_joined(void *user, const wsfan_joined *joined) {
    must(joined->status, "join");
    ((child *)user)->joined = true;
}

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t recipients_count) {
    child *c = user;
    int from;
    wsfan_bytes payload = wsfan_message_payload(message);
    (void)recipients;
    if (recipients_count != 1 || payload.size != sizeof from)
        die("node %d got something else", c->number);
    memcpy(&from, payload.data, sizeof from);
    if (from < 0 || from >= nodes || c->got[from])
        die("node %d got a message of node %d once more", c->number, from);
    c->got[from] = true;
    atomic_fetch_add(&shared->messages[c->number], 1);
}

static void on_gap(void *user, const wsfan_gap *gap) {
    die("node %d was told of a gap of %s", ((child *)user)->number, gap->name);
}

static long used_us(const struct rusage *usage) {
    return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000 + usage->ru_utime.tv_usec +
           usage->ru_stime.tv_usec;
}

static void serve(wsfan_loop *loop, int timeout_ms) {
    struct pollfd item = { wsfan_loop_fd(loop), POLLIN, 0 };
    poll(&item, 1, timeout_ms);
    if (wsfan_loop_dispatch(loop, 0) < 0)
        die("dispatch");
}

static void reach(int number, int phase) {
    atomic_store(&shared->reached[number], phase);
}

/* Until the parent wants the next phase. */
static void await_parent(wsfan_loop *loop, int phase) {
    while (atomic_load(&shared->phase) < phase)
        serve(loop, 100);
}

static void await_peers(wsfan_node *node, wsfan_loop *loop, int number) {
    for (;;) {
        wsfan_stats stats = { .struct_size = sizeof stats };
        must(wsfan_node_get_stats(node, &stats), "statistics");
        atomic_store(&shared->peers[number], (int)stats.peers_up);
        if (stats.peers_up == (uint32_t)nodes - 1)
            return;
        serve(loop, 50);
    }
}

static void rest(wsfan_loop *loop, int number) {
    struct rusage before;
    struct rusage after;
    int64_t until = now_ms() + REST_MS;
    getrusage(RUSAGE_SELF, &before);
    for (int64_t left; (left = until - now_ms()) > 0;)
        serve(loop, (int)left);
    getrusage(RUSAGE_SELF, &after);
    atomic_store(&shared->rest_us[number], used_us(&after) - used_us(&before));
    atomic_store(&shared->kib[number], after.ru_maxrss);
}

static void run(int number) {
    static child c;
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_joined = on_joined,
                                               .on_message = on_message,
                                               .on_gap = on_gap };
    static const wsfan_target target = { WSFAN_CHAT, { "all", 3 } };
    wsfan_node *node;
    wsfan_loop *loop;
    wsfan_session session;
    char name[16];
    const char *peers[] = { shared->address };
    wsfan_options options;
    wsfan_options_init(&options);
    snprintf(name, sizeof name, "node-%d", number);
    options.name = name;
    options.endpoint = "tcp://127.0.0.1:*";
    options.peers = number > 0 ? peers : NULL;
    options.peers_count = number > 0;
    options.join_ms_max = SETUP_MS;
    /* So many processes on few processors: one may not run for seconds. */
    options.silent_ms = 30000;
    options.down_ms = 60000;
    c.number = number;
    must(wsfan_node_open(&node, &options), "open a node");
    must(wsfan_loop_open(&loop, node, &callbacks, &c), "open a loop");
    if (number == 0)
        snprintf(shared->address, sizeof shared->address, "%s", wsfan_node_endpoint(node));
    reach(number, OPENED);
    await_parent(loop, MET);
    await_peers(node, loop, number);
    reach(number, MET);
    await_parent(loop, JOINED);
    must(wsfan_session_open(&session, loop, (wsfan_bytes){ NULL, 0 }, NULL), "open a session");
    must(wsfan_session_join(loop, session, target.name), "join");
    while (!c.joined)
        serve(loop, 100);
    reach(number, JOINED);
    await_parent(loop, GOT_ALL);
    must(wsfan_publish(node, &target, 1, (wsfan_bytes){ &number, sizeof number }, NULL), "publish");
    while (atomic_load(&shared->messages[number]) < nodes)
        serve(loop, 100);
    reach(number, GOT_ALL);
    await_parent(loop, RESTED);
    rest(loop, number);
    reach(number, RESTED);
    await_parent(loop, ENDED);
    must(wsfan_loop_close(loop), "close the loop");
    must(wsfan_node_close(node), "close the node");
}

/* ------------------------------------------------------------------------------------- the parent */

static int64_t await(int phase, int count, int64_t ms_max) {
    int64_t begin = now_ms();
    atomic_store(&shared->phase, phase);
    for (int i = 0; i < count; i++)
        while (atomic_load(&shared->reached[i]) < phase) {
            struct timespec pause = { 0, 2000000 };
            nanosleep(&pause, NULL);
            if (waitpid(pids[i], NULL, WNOHANG) == pids[i])
                die("node %d ended in phase %d", i, phase);
            if (now_ms() - begin > ms_max)
                die("node %d did not come to phase %d in %lld ms: %d peers up, %d messages", i,
                    phase, (long long)ms_max, atomic_load(&shared->peers[i]),
                    atomic_load(&shared->messages[i]));
        }
    return now_ms() - begin;
}

static void end_children(void) {
    for (int i = 0; i < nodes; i++)
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

static void print_costs(void) {
    long rest_us = 0;
    long kib = 0;
    for (int i = 0; i < nodes; i++) {
        rest_us += atomic_load(&shared->rest_us[i]);
        long more = atomic_load(&shared->kib[i]);
        kib = more > kib ? more : kib;
    }
    printf("at rest %.2f %% of a processor each; %.1f MB at most\n",
           (double)rest_us / nodes / ((double)REST_MS * 10), (double)kib / 1024);
}

static void end_all(void) {
    atomic_store(&shared->phase, ENDED);
    for (int i = 0; i < nodes; i++) {
        int status;
        if (waitpid(pids[i], &status, 0) != pids[i] || status != 0)
            die("node %d ended with status %x", i, status);
        pids[i] = 0;
    }
}

int main(int count, char **values) {
    struct rlimit limit;
    if (count > 1)
        nodes = (int)strtol(values[1], NULL, 10);
    if (nodes < 2 || nodes > NODES_MAX)
        die("2 to %d nodes", NODES_MAX);
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < DESCRIPTORS && limit.rlim_max >= DESCRIPTORS) {
        limit.rlim_cur = DESCRIPTORS;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        die("mmap");
    atexit(end_children);
    start(0);
    await(OPENED, 1, SETUP_MS);
    int64_t begin = now_ms();
    for (int i = 1; i < nodes; i++)
        start(i);
    await(OPENED, nodes, SETUP_MS);
    await(MET, nodes, SETUP_MS);
    printf("%d nodes have met after %lld ms\n", nodes, (long long)(now_ms() - begin));
    printf("all joined after %lld ms\n", (long long)await(JOINED, nodes, SETUP_MS));
    printf("%d messages got to all after %lld ms\n", nodes,
           (long long)await(GOT_ALL, nodes, TOLD_MS));
    await(RESTED, nodes, REST_MS + TOLD_MS);
    print_costs();
    end_all();
    return 0;
}
