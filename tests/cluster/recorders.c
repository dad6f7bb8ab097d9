#include "recorders.h"

#include <fcntl.h>
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

enum {
    STEP_MS = 20,
    LAG_MS = 500,     /* so far behind the events are checked: by then each is written */
    SAMPLE_MS = 2000, /* of memory */
    MEET_MS_MAX = 20000,
    AGREED_MS = 1500, /* so long all must be of one mind, */
    LOOKS_MIN = 5,    /* and have looked so often */
    LAST_LOAD_MS = 500,
    END_MS_MAX = 10000
};

_Static_assert(CONFIG_PEERS_MAX >= RECORDERS * NETWORK_ADDRESSES, "all may be named");

#define FAULT_TEXT(name, text) text,
static const char *const TEXTS[] = { FAULT_LIST(FAULT_TEXT) };
#undef FAULT_TEXT

uint64_t recorders_below(recorders *r, uint64_t below) {
    uint64_t z = r->random += UINT64_C(0x9e3779b97f4a7c15); /* SplitMix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

uint64_t recorders_ms(const recorders *r) {
    return (recorder_ns() - r->began_ns) / 1000000;
}

static void violation(recorders *r, const char *text, unsigned node) {
    fprintf(stderr, "  at %" PRIu64 " ms: node %u %s\n", recorders_ms(r), node, text);
    r->violations++;
}

static void tell(const recorders *r, const char *what, const fault *f) {
    if (r->verbose)
        fprintf(stderr, "%8" PRIu64 "  %s %s, node %u, other %u\n", recorders_ms(r), TEXTS[f->kind],
                what, f->node, f->other);
}

/* ------------------------------------------------------------------------------------- processes */

int recorders_main(const char *log_descriptor) {
    int descriptor = atoi(log_descriptor);
    life_log *log = mmap(NULL, sizeof *log, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (log == MAP_FAILED)
        return EXIT_FAILURE;
    close(descriptor);
    return recorder_run(log);
}

/* A program of its own, so that its memory is its own too. */
static void become_recorder(unsigned node, int descriptor) {
    char text[16];
    snprintf(text, sizeof text, "%d", descriptor);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fcntl(descriptor, F_SETFD, 0); /* goes on over exec */
    if (network_enter(node))
        execl("/proc/self/exe", "recorder", RECORDERS_ARGUMENT, text, (char *)NULL);
    _exit(EXIT_FAILURE);
}

static bool start(recorders *r, unsigned node, unsigned address) {
    process *p = &r->nodes[node];
    int descriptor = memfd_create("life", MFD_CLOEXEC);
    life_log *log;
    if (descriptor < 0 || ftruncate(descriptor, (off_t)sizeof *log) != 0)
        return false;
    log = mmap(NULL, sizeof *log, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (log == MAP_FAILED)
        abort();
    log->config = r->config;
    log->config.seed = r->seed * 1000 + ++r->lives;
    snprintf(log->config.name, sizeof log->config.name, "r%u", node);
    network_endpoint(node, address, log->config.endpoint);
    memory_clear(&p->memory);
    *p = (process){ .address = address, .log = log };
    p->pid = fork();
    if (p->pid == 0)
        become_recorder(node, descriptor);
    close(descriptor);
    replay_begin(r->replay, log);
    return p->pid > 0;
}

static void ended(recorders *r, process *p) {
    replay_end(r->replay, p->log);
    p->pid = 0;
}

static void kill_node(recorders *r, unsigned node) {
    process *p = &r->nodes[node];
    int status;
    if (p->pid == 0)
        return;
    kill(p->pid, SIGKILL);
    waitpid(p->pid, &status, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        violation(r, "had ended by itself", node);
    ended(r, p);
}

/* -------------------------------------------------------------------------------- while it runs */

static void look_at_processes(recorders *r) {
    double minutes = (double)recorders_ms(r) / 60000;
    bool sample = recorders_ms(r) >= r->sampled_ms + SAMPLE_MS;
    for (unsigned i = 0; i < RECORDERS; i++) {
        process *p = &r->nodes[i];
        int status;
        if (p->pid == 0)
            continue;
        if (sample)
            memory_add(&p->memory, p->pid, minutes);
        if (waitpid(p->pid, &status, WNOHANG) == 0)
            continue;
        violation(r, "has ended by itself", i);
        ended(r, p);
    }
    if (!sample)
        return;
    memory_add(&r->memory, getpid(), minutes);
    r->sampled_ms = recorders_ms(r);
}

static void tell_violations(recorders *r) {
    const char *texts[LEDGER_VIOLATIONS_MAX];
    size_t count = ledger_violations(r->ledger, texts);
    for (; r->told < count; r->told++, r->violations++)
        fprintf(stderr, "  %s\n", texts[r->told]);
}

void recorders_step(recorders *r) {
    nanosleep(&(struct timespec){ .tv_nsec = STEP_MS * 1000000L }, NULL);
    look_at_processes(r);
    replay_until(r->replay, recorder_ns() - LAG_MS * UINT64_C(1000000));
    tell_violations(r);
}

void recorders_run(recorders *r, uint64_t ms) {
    uint64_t until_ms = recorders_ms(r) + ms;
    while (recorders_ms(r) < until_ms)
        recorders_step(r);
}

/* ---------------------------------------------------------------------------------------- faults */

static void cut_from_all(const fault *f, bool cut) {
    for (unsigned other = 0; other < RECORDERS; other++) {
        if (other == f->node)
            continue;
        network_cut(f->node, other, cut);
        network_cut(other, f->node, cut);
    }
}

static void apply(recorders *r, const fault *f, bool begins) {
    process *p = &r->nodes[f->node];
    switch (f->kind) {
    case CUT_BOTH:
        network_cut(f->other, f->node, begins);
        network_cut(f->node, f->other, begins);
        break;
    case CUT_ONE_WAY:
        network_cut(f->node, f->other, begins);
        break;
    case ISOLATE:
        cut_from_all(f, begins);
        break;
    case UNPLUG:
        network_plug(f->node, !begins);
        break;
    case STOP:
        if (p->pid != 0)
            kill(p->pid, begins ? SIGSTOP : SIGCONT);
        break;
    case KILL:
    case MOVE:
        if (begins)
            kill_node(r, f->node);
        else if (!start(r, f->node, f->kind == MOVE ? 1 - p->address : p->address))
            violation(r, "could not be started", f->node);
        break;
    default:
        break;
    }
}

/* What happens to a node happens to no other node at the same time, except that networks break as
 * they like. */
static bool possible(const recorders *r, const fault *wanted) {
    bool kills = wanted->kind == KILL || wanted->kind == MOVE;
    bool to_process = wanted->kind == STOP || kills;
    if (kills && wanted->node < r->steady)
        return false;
    if (wanted->kind == MOVE && r->config.peers_count < RECORDERS &&
        wanted->node < r->config.peers_count)
        return false; /* the others would not find it */
    for (unsigned i = 0; i < r->active_count; i++) {
        const fault *f = &r->active[i];
        if (f->node != wanted->node)
            continue;
        if (f->kind == wanted->kind)
            return false;
        if (to_process && (f->kind == STOP || f->kind == KILL || f->kind == MOVE))
            return false;
    }
    return true;
}

/* Mostly short, some until the peer is down, and some until it is forgotten. */
static uint64_t choose_ms(recorders *r) {
    return recorders_below(r, r->long_one_in) != 0 ? UINT64_C(50) << recorders_below(r, 6)
                                                   : 2000 + recorders_below(r, 8000);
}

void recorders_break(recorders *r, unsigned first) {
    fault f = { .kind = (fault_kind)recorders_below(r, FAULT_COUNT) };
    for (unsigned k = 0; k < FAULT_COUNT; k++) /* each kind once, before any twice */
        if (r->counts[(first + k) % FAULT_COUNT] == 0) {
            f.kind = (fault_kind)((first + k) % FAULT_COUNT);
            break;
        }
    f.node = (unsigned)recorders_below(r, RECORDERS);
    f.other = (f.node + 1 + (unsigned)recorders_below(r, RECORDERS - 1)) % RECORDERS;
    f.until_ms = recorders_ms(r) + choose_ms(r);
    while (!possible(r, &f) && r->active_count == 0)
        f.node = (unsigned)recorders_below(r, RECORDERS);
    if (r->active_count == RECORDERS_ACTIVE_MAX || !possible(r, &f))
        return;
    r->active[r->active_count++] = f;
    r->counts[f.kind]++;
    tell(r, "begins", &f);
    apply(r, &f, true);
}

void recorders_mend(recorders *r, bool all) {
    for (unsigned i = r->active_count; i-- > 0;) {
        fault f = r->active[i];
        if (!all && recorders_ms(r) < f.until_ms)
            continue;
        r->active[i] = r->active[--r->active_count];
        apply(r, &f, false);
        tell(r, "ends", &f);
    }
}

/* ------------------------------------------------------------------------------------ agreement */

static bool ready(const recorders *r, unsigned node) {
    const life_log *log = r->nodes[node].log;
    return atomic_load(&log->ready) && atomic_load(&log->peers_up) == RECORDERS - 1;
}

static unsigned shown(const recorders *r, unsigned node, unsigned chat) {
    unsigned own = 0;
    for (unsigned user = 0; user < EVENTS_USERS; user++)
        own += atomic_load(&r->nodes[node].log->chats[chat].own[user]);
    return own;
}

/* Where it has sessions that are shown, it counts those of all. */
static bool counts_all(const recorders *r, unsigned node, unsigned chat) {
    const chat_count *here = &r->nodes[node].log->chats[chat];
    unsigned sessions = 0;
    unsigned users = 0;
    if (shown(r, node, chat) == 0)
        return true;
    for (unsigned user = 0; user < EVENTS_USERS; user++) {
        unsigned of_user = 0;
        for (unsigned i = 0; i < RECORDERS; i++)
            of_user += atomic_load(&r->nodes[i].log->chats[chat].own[user]);
        sessions += of_user;
        users += of_user > 0;
    }
    return atomic_load(&here->complete) && atomic_load(&here->sessions) == sessions &&
           atomic_load(&here->users) == users;
}

static bool at_rest(const recorders *r, unsigned node) {
    if (!ready(r, node) || atomic_load(&r->nodes[node].log->busy))
        return false;
    for (unsigned chat = 0; chat < EVENTS_CHATS; chat++)
        if (!counts_all(r, node, chat))
            return false;
    return true;
}

static void note_looks(const recorders *r, unsigned looks[RECORDERS]) {
    for (unsigned i = 0; i < RECORDERS; i++)
        looks[i] = atomic_load(&r->nodes[i].log->looks);
}

/* A machine that is busy with other things may not have run one of them. */
static bool looked_since(const recorders *r, const unsigned looks[RECORDERS]) {
    for (unsigned i = 0; i < RECORDERS; i++)
        if (atomic_load(&r->nodes[i].log->looks) - looks[i] < LOOKS_MIN)
            return false;
    return true;
}

/* Waits until it holds for all, for a while. */
static void wait_for_all(recorders *r, bool (*holds)(const recorders *r, unsigned node),
                         uint64_t ms_max, const char *otherwise) {
    uint64_t until_ms = recorders_ms(r) + ms_max;
    uint64_t since_ms = recorders_ms(r);
    unsigned looks[RECORDERS];
    note_looks(r, looks);
    while ((recorders_ms(r) < since_ms + AGREED_MS || !looked_since(r, looks)) &&
           r->violations == 0) {
        for (unsigned i = 0; i < RECORDERS; i++) {
            if (holds(r, i))
                continue;
            since_ms = recorders_ms(r);
            note_looks(r, looks);
            if (recorders_ms(r) < until_ms)
                continue;
            violation(r, otherwise, i);
            return;
        }
        recorders_step(r);
    }
}

static void be_quiet(recorders *r, bool quiet) {
    for (unsigned i = 0; i < RECORDERS; i++)
        atomic_store(&r->nodes[i].log->quiet, quiet);
}

static void check(recorders *r) {
    replay_until(r->replay, recorder_ns());
    if (r->violations == 0)
        ledger_check(r->ledger);
    tell_violations(r);
}

static void come_to_rest(recorders *r) {
    wait_for_all(r, ready, RECORDERS_HEAL_MS_MAX, "did not meet the others again");
    recorders_run(r, LAST_LOAD_MS);
    be_quiet(r, true);
    wait_for_all(r, at_rest, RECORDERS_HEAL_MS_MAX, "does not come to rest, or counts otherwise");
    for (unsigned i = 0; i < RECORDERS; i++)
        for (unsigned chat = 0; chat < EVENTS_CHATS; chat++)
            r->compared += shown(r, i, chat) > 0;
}

void recorders_settle(recorders *r) {
    come_to_rest(r);
    check(r);
    replay_forget(r->replay);
    be_quiet(r, false);
}

static void finish(recorders *r) {
    for (unsigned i = 0; i < RECORDERS; i++)
        atomic_store(&r->nodes[i].log->finish, true);
    uint64_t until_ms = recorders_ms(r) + END_MS_MAX;
    for (unsigned i = 0; i < RECORDERS; i++) {
        process *p = &r->nodes[i];
        int status = 0;
        pid_t pid = 0;
        if (p->pid == 0)
            continue;
        while ((pid = waitpid(p->pid, &status, WNOHANG)) == 0 && recorders_ms(r) < until_ms)
            nanosleep(&(struct timespec){ .tv_nsec = STEP_MS * 1000000L }, NULL);
        if (pid == 0) {
            violation(r, "does not end", i);
            kill_node(r, i);
            continue;
        }
        if (status != 0)
            violation(r, "ended badly", i);
        ended(r, p);
    }
}

void recorders_close(recorders *r) {
    come_to_rest(r);
    finish(r);
    check(r);
}

/* ------------------------------------------------------------------------------------------ main */

void recorders_open(recorders *r) {
    recorder_config *config = &r->config;
    r->random = r->seed;
    if (!network_make(RECORDERS))
        exit(EXIT_FAILURE);
    for (unsigned i = 0; i < RECORDERS * NETWORK_ADDRESSES; i++)
        network_endpoint(i % RECORDERS, i / RECORDERS, config->peers[i]);
    config->peers_count = recorders_below(r, 2) == 0 ? RECORDERS * NETWORK_ADDRESSES : 2;
    config->forget_ms = recorders_below(r, 2) == 0 ? 6000 : 60000;
    config->messages_per_s = r->messages_per_s;
    config->payload_size_max = 2000;
    r->began_ns = recorder_ns();
    r->ledger = ledger_new();
    r->replay = replay_new(r->ledger, r->began_ns);
    ledger_set_trace(r->ledger, r->verbose);
    for (unsigned i = 0; i < RECORDERS; i++)
        if (!start(r, i, 0))
            exit(EXIT_FAILURE);
    wait_for_all(r, ready, MEET_MS_MAX, "did not meet the others");
}

static bool parse(const char *text, uint64_t max, uint64_t *value) {
    char *last;
    *value = strtoull(text, &last, 10);
    return *text >= '0' && *text <= '9' && *last == '\0' && *value <= max;
}

bool recorders_options(recorders *r, int count, char **values, const char *name, uint64_t max,
                       uint64_t *value) {
    const struct option options[] = { { "seed", required_argument, NULL, 's' },
                                      { "verbose", no_argument, NULL, 'v' },
                                      { name, required_argument, NULL, 'n' },
                                      { NULL, 0, NULL, 0 } };
    int option;
    r->seed = (uint64_t)time(NULL) % 1000000;
    while ((option = getopt_long(count, values, "", options, NULL)) != -1) {
        if (option == 's'   ? !parse(optarg, UINT32_MAX, &r->seed)
            : option == 'n' ? !parse(optarg, max, value)
                            : option != 'v')
            return false;
        r->verbose = r->verbose || option == 'v';
    }
    return optind == count && *value > 0;
}

void recorders_report(recorders *r) {
    const replay_totals *totals = replay_get_totals(r->replay);
    printf("seed       %" PRIu64 "\nran        %.1f s, %u lives of %d nodes\nfaults    ", r->seed,
           (double)recorders_ms(r) / 1000, r->lives, RECORDERS);
    for (unsigned i = 0; i < FAULT_COUNT; i++)
        printf(" %s %u%s", TEXTS[i], r->counts[i], i + 1 < FAULT_COUNT ? "," : "\n");
    printf("published  %" PRIu64 ", refused %" PRIu64 "\n", totals->published, totals->refused);
    printf("deliveries %" PRIu64 " checked\n", ledger_deliveries(r->ledger));
    printf("gaps       %" PRIu64 ", of %" PRIu64 " messages that were counted\n", totals->gaps,
           totals->missing);
    printf("missing    %" PRIu64
           " messages at loops that expected them, all of them told by gaps\n",
           ledger_explained(r->ledger));
    printf("counts     %" PRIu64 " of members agreed, at rest\n", r->compared);
    printf("violations %u\n", r->violations);
    for (unsigned i = 0; i < RECORDERS; i++)
        memory_clear(&r->nodes[i].memory);
    memory_clear(&r->memory);
    replay_destroy(r->replay);
    ledger_destroy(r->ledger);
}
