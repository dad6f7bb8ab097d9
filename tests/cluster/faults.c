/* Five recorders in five network namespaces, under load, while cables are cut and processes are
 * stopped and killed. Then everything heals, and the logs are checked by the invariants of
 * docs/reliability.md. A seed chooses what happens; the kernel's timing is its own. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "network.h"
#include "recorder.h"
#include "replay.h"

enum {
    NODES = 5,
    LIVES_MAX = 60,
    ACTIVE_MAX = 3,
    STEP_MS = 20,
    MEET_MS_MAX = 20000,
    HEAL_MS_MAX = 60000, /* from the last fault to the end of the last repair */
    AGREED_MS = 1500,    /* so long all must be of one mind */
    LAST_LOAD_MS = 1000,
    END_MS_MAX = 10000
};

/* name, text */
#define FAULT_LIST(X)                                                                              \
    X(CUT_BOTH, "cut_both_ways")                                                                   \
    X(CUT_ONE_WAY, "cut_one_way")                                                                  \
    X(ISOLATE, "cut_from_all")                                                                     \
    X(UNPLUG, "link_down")                                                                         \
    X(STOP, "sigstop")                                                                             \
    X(KILL, "sigkill_restart_same_address")                                                        \
    X(MOVE, "sigkill_restart_other_address")

#define FAULT_ENUM(name, text) name,
typedef enum { FAULT_LIST(FAULT_ENUM) FAULT_COUNT } fault_kind;
#undef FAULT_ENUM

#define FAULT_TEXT(name, text) text,
static const char *const TEXTS[] = { FAULT_LIST(FAULT_TEXT) };
#undef FAULT_TEXT

typedef struct {
    fault_kind kind;
    unsigned node;
    unsigned other;
    uint64_t until_ms;
} active;

typedef struct {
    pid_t pid; /* 0: does not run */
    bool stopped;
    unsigned address;
    life_log *log;
} process;

typedef struct {
    uint64_t seed;
    uint64_t random;
    bool verbose;
    uint64_t began_ns;
    process nodes[NODES];
    char endpoints[NODES * NETWORK_ADDRESSES][NETWORK_ENDPOINT_SIZE];
    const char *named[NODES * NETWORK_ADDRESSES];
    unsigned named_count;
    uint32_t forget_ms;
    life_log *logs[LIVES_MAX];
    unsigned lives;
    active active[ACTIVE_MAX];
    unsigned active_count;
    unsigned counts[FAULT_COUNT];
    unsigned violations;
} test;

static uint64_t random_below(test *t, uint64_t below) {
    uint64_t z = t->random += UINT64_C(0x9e3779b97f4a7c15); /* SplitMix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

static uint64_t now_ms(const test *t) {
    return (recorder_ns() - t->began_ns) / 1000000;
}

static void pause_ms(unsigned ms) {
    nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000L }, NULL);
}

static void violation(test *t, const char *text, unsigned node) {
    fprintf(stderr, "  at %" PRIu64 " ms: node %u %s\n", now_ms(t), node, text);
    t->violations++;
}

static void tell(const test *t, const char *what, const active *a) {
    if (t->verbose)
        fprintf(stderr, "%8" PRIu64 "  %s %s, node %u, other %u\n", now_ms(t), TEXTS[a->kind], what,
                a->node, a->other);
}

/* ------------------------------------------------------------------------------------- processes */

static void become_recorder(test *t, unsigned node, life_log *log) {
    char name[8];
    char endpoint[NETWORK_ENDPOINT_SIZE];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(name, sizeof name, "r%u", node);
    network_endpoint(node, t->nodes[node].address, endpoint);
    recorder_config config = {
        .seed = t->seed * 1000 + t->lives,
        .name = name,
        .endpoint = endpoint,
        .peers = t->named,
        .peers_count = t->named_count,
        .forget_ms = t->forget_ms,
        .messages_per_s = 200,
        .payload_size_max = 2000,
    };
    _exit(network_enter(node) ? recorder_run(&config, log) : EXIT_FAILURE);
}

static bool start(test *t, unsigned node, unsigned address) {
    if (t->lives == LIVES_MAX)
        return false;
    life_log *log = mmap(NULL, sizeof *log, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (log == MAP_FAILED)
        abort();
    process *p = &t->nodes[node];
    *p = (process){ .address = address, .log = log };
    t->logs[t->lives++] = log;
    p->pid = fork();
    if (p->pid == 0)
        become_recorder(t, node, log);
    return p->pid > 0;
}

static void kill_node(test *t, unsigned node) {
    process *p = &t->nodes[node];
    int status;
    kill(p->pid, SIGKILL);
    waitpid(p->pid, &status, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        violation(t, "had ended by itself", node);
    p->pid = 0;
    p->stopped = false;
}

/* ---------------------------------------------------------------------------------------- faults */

static void cut_from_all(const active *a, bool cut) {
    for (unsigned other = 0; other < NODES; other++) {
        if (other == a->node)
            continue;
        network_cut(a->node, other, cut);
        network_cut(other, a->node, cut);
    }
}

static void apply(test *t, const active *a, bool begins) {
    process *p = &t->nodes[a->node];
    switch (a->kind) {
    case CUT_BOTH:
        network_cut(a->other, a->node, begins);
        network_cut(a->node, a->other, begins);
        break;
    case CUT_ONE_WAY:
        network_cut(a->node, a->other, begins);
        break;
    case ISOLATE:
        cut_from_all(a, begins);
        break;
    case UNPLUG:
        network_plug(a->node, !begins);
        break;
    case STOP:
        p->stopped = begins;
        kill(p->pid, begins ? SIGSTOP : SIGCONT);
        break;
    case KILL:
    case MOVE:
        if (begins)
            kill_node(t, a->node);
        else if (!start(t, a->node, a->kind == MOVE ? 1 - p->address : p->address))
            violation(t, "could not be started", a->node);
        break;
    default:
        break;
    }
}

/* What happens to a node happens to no other node at the same time, except that networks break as
 * they like. */
static bool possible(const test *t, const active *wanted) {
    bool to_process = wanted->kind == STOP || wanted->kind == KILL || wanted->kind == MOVE;
    if (wanted->kind == MOVE && t->named_count < NODES && wanted->node < t->named_count)
        return false; /* the others would not find it */
    for (unsigned i = 0; i < t->active_count; i++) {
        const active *a = &t->active[i];
        if (a->node != wanted->node)
            continue;
        if (a->kind == wanted->kind)
            return false;
        if (to_process && (a->kind == STOP || a->kind == KILL || a->kind == MOVE))
            return false;
    }
    return true;
}

/* Mostly short, some until the peer is down, and some until it is forgotten. */
static uint64_t choose_ms(test *t) {
    return random_below(t, 3) != 0 ? UINT64_C(50) << random_below(t, 6)
                                   : 2000 + random_below(t, 8000);
}

static void begin(test *t, fault_kind kind) {
    active a = { .kind = kind, .node = (unsigned)random_below(t, NODES) };
    a.other = (a.node + 1 + (unsigned)random_below(t, NODES - 1)) % NODES;
    a.until_ms = now_ms(t) + choose_ms(t);
    while (kind == MOVE && !possible(t, &a) && t->active_count == 0)
        a.node = (unsigned)random_below(t, NODES);
    if (t->active_count == ACTIVE_MAX || !possible(t, &a))
        return;
    t->active[t->active_count++] = a;
    t->counts[kind]++;
    tell(t, "begins", &a);
    apply(t, &a, true);
}

static void end(test *t, unsigned i) {
    active a = t->active[i];
    t->active[i] = t->active[--t->active_count];
    apply(t, &a, false);
    tell(t, "ends", &a);
}

static void make_trouble(test *t, uint64_t ms) {
    uint64_t until_ms = now_ms(t) + ms;
    uint64_t next_ms = 0;
    unsigned first = (unsigned)random_below(t, FAULT_COUNT);
    while (now_ms(t) < until_ms) {
        for (unsigned i = t->active_count; i-- > 0;)
            if (now_ms(t) >= t->active[i].until_ms)
                end(t, i);
        if (now_ms(t) >= next_ms) {
            fault_kind kind = (fault_kind)random_below(t, FAULT_COUNT);
            for (unsigned k = 0; k < FAULT_COUNT; k++) /* each kind once, before any twice */
                if (t->counts[(first + k) % FAULT_COUNT] == 0) {
                    kind = (fault_kind)((first + k) % FAULT_COUNT);
                    break;
                }
            begin(t, kind);
            next_ms = now_ms(t) + 100 + random_below(t, 1500);
        }
        pause_ms(STEP_MS);
    }
    while (t->active_count > 0)
        end(t, t->active_count - 1);
}

/* ------------------------------------------------------------------------------------ agreement */

static bool ready(const process *p) {
    return atomic_load(&p->log->ready) && atomic_load(&p->log->peers_up) == NODES - 1;
}

static bool at_rest(const process *p) {
    return ready(p) && !atomic_load(&p->log->busy);
}

/* Waits until it holds for all, for a while. */
static void wait_for_all(test *t, bool (*holds)(const process *p), uint64_t ms_max,
                         const char *otherwise) {
    uint64_t until_ms = now_ms(t) + ms_max;
    uint64_t since_ms = now_ms(t);
    while (now_ms(t) < since_ms + AGREED_MS) {
        for (unsigned i = 0; i < NODES; i++) {
            if (holds(&t->nodes[i]))
                continue;
            since_ms = now_ms(t);
            if (now_ms(t) < until_ms)
                continue;
            violation(t, otherwise, i);
            return;
        }
        pause_ms(STEP_MS);
    }
}

static void be_quiet(test *t, bool quiet) {
    for (unsigned i = 0; i < NODES; i++)
        atomic_store(&t->nodes[i].log->quiet, quiet);
}

static void finish(test *t) {
    for (unsigned i = 0; i < NODES; i++)
        atomic_store(&t->nodes[i].log->finish, true);
    uint64_t until_ms = now_ms(t) + END_MS_MAX;
    for (unsigned i = 0; i < NODES; i++) {
        int status = 0;
        pid_t ended;
        while ((ended = waitpid(t->nodes[i].pid, &status, WNOHANG)) == 0 && now_ms(t) < until_ms)
            pause_ms(STEP_MS);
        if (ended == t->nodes[i].pid && status == 0)
            continue;
        violation(t, ended == 0 ? "does not end" : "ended badly", i);
        kill(t->nodes[i].pid, SIGKILL);
    }
}

/* ------------------------------------------------------------------------------------------ main */

static void check_logs(test *t, bool trace) {
    replay_totals totals;
    const char *texts[LEDGER_VIOLATIONS_MAX];
    ledger *l = ledger_new();
    ledger_set_trace(l, trace);
    replay(l, (const life_log *const *)t->logs, t->lives, t->began_ns, &totals);
    ledger_check(l);
    size_t count = ledger_violations(l, texts);
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "  %s\n", texts[i]);
    t->violations += (unsigned)count;
    printf("seed       %" PRIu64 "\nran        %.1f s, %u lives of %d nodes\nfaults    ", t->seed,
           (double)now_ms(t) / 1000, t->lives, NODES);
    for (unsigned i = 0; i < FAULT_COUNT; i++)
        printf(" %s %u%s", TEXTS[i], t->counts[i], i + 1 < FAULT_COUNT ? "," : "\n");
    printf("published  %" PRIu64 ", refused %" PRIu64 "\n", totals.published, totals.refused);
    printf("deliveries %" PRIu64 " checked\n", ledger_deliveries(l));
    printf("gaps       %" PRIu64 ", of %" PRIu64 " messages that were counted\n", totals.gaps,
           totals.missing);
    printf("violations %u\n", t->violations);
    ledger_destroy(l);
}

static void set_up(test *t) {
    if (!network_make(NODES))
        exit(EXIT_FAILURE);
    for (unsigned i = 0; i < NODES * NETWORK_ADDRESSES; i++) {
        network_endpoint(i % NODES, i / NODES, t->endpoints[i]);
        t->named[i] = t->endpoints[i];
    }
    t->named_count = random_below(t, 2) == 0 ? NODES * NETWORK_ADDRESSES : 2;
    t->forget_ms = random_below(t, 2) == 0 ? 6000 : 60000;
    t->began_ns = recorder_ns();
    for (unsigned i = 0; i < NODES; i++)
        if (!start(t, i, 0))
            exit(EXIT_FAILURE);
}

static bool parse_number(const char *text, uint64_t max, uint64_t *value) {
    char *last;
    *value = strtoull(text, &last, 10);
    return *text >= '0' && *text <= '9' && *last == '\0' && *value <= max;
}

int main(int count, char **values) {
    static const struct option options[] = { { "seed", required_argument, NULL, 's' },
                                             { "seconds", required_argument, NULL, 't' },
                                             { "verbose", no_argument, NULL, 'v' },
                                             { NULL, 0, NULL, 0 } };
    static test t;
    uint64_t seconds = 25;
    t.seed = (uint64_t)time(NULL) % 1000000;
    int option;
    bool good = true;
    while (good && (option = getopt_long(count, values, "", options, NULL)) != -1) {
        if (option == 's')
            good = parse_number(optarg, UINT32_MAX, &t.seed);
        else if (option == 't')
            good = parse_number(optarg, 300, &seconds) && seconds > 0;
        else
            good = t.verbose = option == 'v';
    }
    if (!good || optind != count) {
        fputs(
            "usage: wsfan-faults [--seed N] [--seconds 1..300 (25)] [--verbose]\n"
            "Needs a network namespace of its own: sh tests/discovery/namespace.sh wsfan-faults\n",
            stderr);
        return 2;
    }
    t.random = t.seed;
    set_up(&t);
    wait_for_all(&t, ready, MEET_MS_MAX, "did not meet the others");
    make_trouble(&t, seconds * 1000);
    wait_for_all(&t, ready, HEAL_MS_MAX, "did not meet the others again");
    pause_ms(LAST_LOAD_MS / 2);
    be_quiet(&t, true);
    wait_for_all(&t, at_rest, HEAL_MS_MAX, "does not come to rest");
    finish(&t);
    check_logs(&t, t.verbose);
    if (t.violations > 0)
        fprintf(stderr, "repeat it with: wsfan-faults --seed %" PRIu64 " --seconds %" PRIu64 "\n",
                t.seed, seconds);
    return t.violations > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
