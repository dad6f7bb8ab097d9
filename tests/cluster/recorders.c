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
#include <wsfan/history.h>
#include <zmq.h>

#include "dice.h"
#include "processes.h"
#include "servers.h"

enum {
    STEP_MS = 20,
    LAG_MS = 500,     /* so far behind the events are checked: by then each is written */
    SAMPLE_MS = 2000, /* of memory */
    AGREED_MS = 1500, /* so long all must be of one mind, */
    LOOKS_MIN = 5,    /* and have looked so often */
    LAST_LOAD_MS = 500,
    CALM_MS = 4000, /* of travelling, when all has healed */
    END_MS_MAX = 10000,
    NAMES_SIZE = 4096
};

_Static_assert((int)CONFIG_PEERS_MAX >= (int)NETWORK_HOSTS_MAX * NETWORK_ADDRESSES,
               "all may be named");
_Static_assert((int)CONFIG_KEYS_MAX >= NETWORK_HOSTS_MAX, "all have keys");

#define CHOICE_TEXT(name, text) text,
static const char *const NAMINGS[] = { NAMING_LIST(CHOICE_TEXT) };
static const char *const KEYS[] = { KEYS_LIST(CHOICE_TEXT) };
static const char *const CARRIERS[] = { CARRIER_LIST(CHOICE_TEXT) };
static const char *const HISTORIES[] = { HISTORY_LIST(CHOICE_TEXT) };
#undef CHOICE_TEXT

uint64_t recorders_below(recorders *r, uint64_t below) {
    return dice_below(&r->random, below);
}

uint64_t recorders_ms(const recorders *r) {
    return (recorder_ns() - r->began_ns) / 1000000;
}

/* ------------------------------------------------------------------------------------ violations */

/* What led to the first violation: faults, and what the nodes wrote down. */
static void explain(recorders *r) {
    if (r->violations > 0)
        return;
    unsigned count = r->history_count;
    unsigned kept = count < RECORDERS_HISTORY_MAX ? count : RECORDERS_HISTORY_MAX;
    fputs("  the latest faults (times in ms):\n", stderr);
    for (unsigned i = count - kept; i < count; i++)
        fprintf(stderr, "  %s\n", r->history[i % RECORDERS_HISTORY_MAX]);
    replay_tell(r->replay, stderr);
}

void recorders_violation(recorders *r, const char *text, unsigned node) {
    replay_until(r->replay, recorder_ns());
    explain(r);
    fprintf(stderr, "  VIOLATION at %" PRIu64 " ms: node %u %s\n", recorders_ms(r), node, text);
    r->violations++;
}

static void tell_violations(recorders *r) {
    const char *texts[LEDGER_VIOLATIONS_MAX];
    size_t count = ledger_violations(r->ledger, texts);
    for (; r->told < count; r->told++, r->violations++) {
        explain(r);
        fprintf(stderr, "  VIOLATION %s\n", texts[r->told]);
    }
}

int recorders_main(const char *log_descriptor) {
    int descriptor = atoi(log_descriptor);
    life_log *log = mmap(NULL, sizeof *log, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (log == MAP_FAILED)
        return EXIT_FAILURE;
    close(descriptor);
    return recorder_run(log);
}

/* -------------------------------------------------------------------------------- while it runs */

static void look_at_processes(recorders *r) {
    double minutes = (double)recorders_ms(r) / 60000;
    bool sample = recorders_ms(r) >= r->sampled_ms + SAMPLE_MS;
    for (unsigned i = 0; i <= r->count; i++) {
        process *p = &r->nodes[i];
        int status;
        if (p->pid == 0)
            continue;
        if (sample)
            memory_add(&p->memory, p->pid, minutes);
        if (waitpid(p->pid, &status, WNOHANG) == 0)
            continue;
        recorders_violation(r, "has ended by itself", i);
        processes_ended(r, p);
    }
    if (!sample)
        return;
    memory_add(&r->memory, getpid(), minutes);
    r->sampled_ms = recorders_ms(r);
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

/* ------------------------------------------------------------------------------------ agreement */

static bool ready(const recorders *r, unsigned node) {
    const life_log *log = r->nodes[node].log;
    return atomic_load(&log->ready) && atomic_load(&log->peers_up) == r->count - 1;
}

static unsigned shown(const recorders *r, unsigned node, unsigned chat) {
    unsigned own = 0;
    for (unsigned user = 0; user < EVENTS_USERS; user++)
        own += atomic_load(&r->nodes[node].log->chats[chat].own[user]);
    return own;
}

static void count_members(const recorders *r, unsigned chat, unsigned *sessions, unsigned *users) {
    *sessions = *users = 0;
    for (unsigned user = 0; user < EVENTS_USERS; user++) {
        unsigned of_user = 0;
        for (unsigned i = 0; i < r->count; i++)
            of_user += atomic_load(&r->nodes[i].log->chats[chat].own[user]);
        *sessions += of_user;
        *users += of_user > 0;
    }
}

/* Where it has sessions that are shown, it counts those of all. */
static bool counts_all(const recorders *r, unsigned node, unsigned chat) {
    const chat_count *here = &r->nodes[node].log->chats[chat];
    unsigned sessions;
    unsigned users;
    if (shown(r, node, chat) == 0)
        return true;
    count_members(r, chat, &sessions, &users);
    return atomic_load(&here->complete) && atomic_load(&here->sessions) == sessions &&
           atomic_load(&here->users) == users;
}

static void tell_apart(const recorders *r) {
    for (unsigned i = 0; i < r->count; i++) {
        const recorder_apart *apart = &r->nodes[i].log->apart;
        if (atomic_load(&apart->node) != 0)
            fprintf(stderr,
                    "  node %u has no link with %016llx: %s it, %s; ended %llu connections\n", i,
                    atomic_load(&apart->node),
                    atomic_load(&apart->we_hear) ? "hears" : "does not hear",
                    atomic_load(&apart->hears_us) ? "and is heard" : "and is not heard",
                    atomic_load(&apart->ended));
    }
}

static void tell_unrest(const recorders *r, unsigned node) {
    tell_apart(r);
    const life_log *log = r->nodes[node].log;
    const recorder_waits *waits = &log->waits;
    fprintf(
        stderr,
        "  node %u has %u peers up; %u results are due; %llu messages are queued, %llu bytes sent "
        "and not acknowledged, %llu out of order (of %016llx)\n",
        node, atomic_load(&log->peers_up), atomic_load(&waits->results),
        atomic_load(&waits->queue_count), atomic_load(&waits->window_bytes),
        atomic_load(&waits->held_bytes), atomic_load(&waits->node));
    for (unsigned chat = 0; chat < EVENTS_CHATS; chat++) {
        const chat_count *here = &log->chats[chat];
        unsigned sessions;
        unsigned users;
        count_members(r, chat, &sessions, &users);
        if (!counts_all(r, node, chat))
            fprintf(stderr, "  it counts %u sessions, %u users in chat %u%s; there are %u, %u\n",
                    atomic_load(&here->sessions), atomic_load(&here->users), chat,
                    atomic_load(&here->complete) ? "" : ", and says that some are missing",
                    sessions, users);
    }
}

static bool waits(const life_log *log) {
    return atomic_load(&log->waits.results) > 0 || atomic_load(&log->waits.node) != 0;
}

static bool at_rest(const recorders *r, unsigned node) {
    if (!ready(r, node) || waits(r->nodes[node].log))
        return false;
    for (unsigned chat = 0; chat < EVENTS_CHATS; chat++)
        if (!counts_all(r, node, chat))
            return false;
    return true;
}

static void note_looks(const recorders *r, unsigned looks[RECORDERS_MAX]) {
    for (unsigned i = 0; i < r->count; i++)
        looks[i] = atomic_load(&r->nodes[i].log->looks);
}

/* A machine that is busy with other things may not have run one of them. */
static bool looked_since(const recorders *r, const unsigned looks[RECORDERS_MAX]) {
    for (unsigned i = 0; i < r->count; i++)
        if (atomic_load(&r->nodes[i].log->looks) - looks[i] < LOOKS_MIN)
            return false;
    return true;
}

/* Waits until it holds for all, for a while. */
static void wait_for_all(recorders *r, bool (*holds)(const recorders *r, unsigned node),
                         uint64_t ms_max, const char *otherwise) {
    uint64_t until_ms = recorders_ms(r) + ms_max;
    uint64_t since_ms = recorders_ms(r);
    unsigned looks[RECORDERS_MAX];
    note_looks(r, looks);
    while ((recorders_ms(r) < since_ms + AGREED_MS || !looked_since(r, looks)) &&
           r->violations == 0) {
        for (unsigned i = 0; i < r->count; i++) {
            if (holds(r, i))
                continue;
            since_ms = recorders_ms(r);
            note_looks(r, looks);
            if (recorders_ms(r) < until_ms)
                continue;
            recorders_violation(r, otherwise, i);
            tell_unrest(r, i);
            return;
        }
        recorders_step(r);
    }
}

static void be_quiet(recorders *r, bool quiet) {
    for (unsigned i = 0; i < r->count; i++)
        atomic_store(&r->nodes[i].log->quiet, quiet);
}

static void check(recorders *r) {
    replay_until(r->replay, recorder_ns());
    if (r->violations == 0)
        ledger_check(r->ledger);
    tell_violations(r);
}

static void rest(recorders *r, uint64_t load_ms) {
    recorders_run(r, load_ms);
    be_quiet(r, true);
    wait_for_all(r, at_rest, RECORDERS_REST_MS_MAX, "does not come to rest, or counts otherwise");
}

/* Twice: in between nothing is done to them, and whoever comes back with a new position has to be whole. */
static void come_to_rest(recorders *r) {
    wait_for_all(r, ready, RECORDERS_HEAL_MS_MAX, "did not meet the others again");
    rest(r, LAST_LOAD_MS);
    replay_until(r->replay, recorder_ns());
    replay_calm(r->replay);
    be_quiet(r, false);
    rest(r, CALM_MS);
    replay_until(r->replay, recorder_ns());
    if (r->violations == 0)
        replay_check(r->replay);
    tell_violations(r);
    for (unsigned i = 0; i < r->count; i++)
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
    for (unsigned i = 0; i < r->count; i++)
        atomic_store(&r->nodes[i].log->finish, true);
    uint64_t until_ms = recorders_ms(r) + END_MS_MAX;
    for (unsigned i = 0; i < r->count; i++)
        processes_await_end(r, i, until_ms);
}

/* After a violation nothing more is learned. */
void recorders_close(recorders *r) {
    if (r->violations == 0)
        come_to_rest(r);
    if (r->violations == 0)
        finish(r);
    for (unsigned i = 0; i <= r->count; i++)
        processes_kill(r, i);
    if (r->violations == 0)
        check(r);
}

/* ------------------------------------------------------------------------------------------ main */

static void name_peers(recorders *r) {
    recorder_config *config = &r->config;
    unsigned hosts = r->count + 1;
    if (r->carrier == CARRIER_NATS) {
        servers_urls(config->servers);
        return;
    }
    switch (r->naming) {
    case NAMING_ADDRESSES:
        config->peers_count = hosts * NETWORK_ADDRESSES;
        for (unsigned i = 0; i < config->peers_count; i++)
            network_endpoint(i % hosts, i / hosts, config->peers[i]);
        break;
    case NAMING_TWO:
        config->peers_count = 2;
        for (unsigned i = 0; i < 2; i++)
            network_endpoint(i, 0, config->peers[i]);
        break;
    case NAMING_DNS:
        config->peers_count = 1;
        snprintf(config->peers[0], sizeof config->peers[0], "dns://all.test:%d", NETWORK_PORT);
        break;
    case NAMING_NAMES:
        config->peers_count = hosts; /* the last is known to nobody, but while a twin runs */
        for (unsigned i = 0; i < hosts; i++)
            snprintf(config->peers[i], sizeof config->peers[i], "tcp://r%u.test:%d", i,
                     NETWORK_PORT);
        break;
    default:
        config->peers_count = 1;
        network_service(config->peers[0]);
        break;
    }
}

static void make_keys(recorders *r) {
    unsigned count = r->keys == KEYS_EACH ? r->count + 1 : r->keys == KEYS_SHARED;
    for (unsigned i = 0; i < count; i++)
        if (zmq_curve_keypair(r->config.allow[i], r->secret_keys[i]) != 0)
            abort();
    r->config.allow_count = count;
}

/* By dice of their own, so that the others of a seed fall as they always did. */
static void choose_history(recorders *r) {
    static const uint32_t OFTEN_LARGE[] = { HISTORY_OFF, HISTORY_SMALL, HISTORY_LARGE,
                                            HISTORY_LARGE };
    recorder_config *config = &r->config;
    uint64_t dice = r->seed + 1;
    uint32_t kept = OFTEN_LARGE[dice_below(&dice, 4)];
    r->kept = r->kept < HISTORY_COUNT ? r->kept : (history_kind)kept;
    config->history_ms = r->kept == HISTORY_OFF ? 0 : 20000;
    config->history_count_max = r->kept == HISTORY_SMALL ? 64 : 16384;
    config->history_chat_bytes_max = r->kept == HISTORY_SMALL ? 64 * 1024 : 1024 * 1024;
}

/* What is given stands, and the dice fall the same. */
static void choose_cluster(recorders *r) {
    recorder_config *config = &r->config;
    bool few = recorders_below(r, 3) != 0;
    unsigned count = (unsigned)(few ? 2 + recorders_below(r, 5) : 7 + recorders_below(r, 6));
    naming_kind naming = (naming_kind)recorders_below(r, NAMING_COUNT);
    keys_kind keys = (keys_kind)recorders_below(r, KEYS_COUNT);
    r->count = r->count > 0 ? r->count : count;
    r->naming = r->naming < NAMING_COUNT ? r->naming : naming;
    r->keys = r->keys < KEYS_COUNT ? r->keys : keys;
    if (r->carrier == CARRIER_NATS)
        r->keys = KEYS_NONE;
    config->forget_ms = recorders_below(r, 2) == 0 ? 6000 : 60000;
    config->messages_per_s = r->messages_per_s / r->count;
    config->payload_size_max = 2000;
    choose_history(r);
    name_peers(r);
    make_keys(r);
    printf("seed %" PRIu64 ": %u nodes, found by %s, keys %s, forgotten after %" PRIu32
           " ms, history %s\n",
           r->seed, r->count,
           r->carrier == CARRIER_NATS ? CARRIERS[r->carrier] : NAMINGS[r->naming], KEYS[r->keys],
           config->forget_ms, HISTORIES[r->kept]);
    fflush(stdout);
}

int recorders_open(recorders *r) {
    r->random = r->seed;
    choose_cluster(r);
    int status = network_make(r->count + 1, r->seed);
    if (status != 0)
        return status;
    for (unsigned i = 0; i < SERVERS_COUNT && r->carrier == CARRIER_NATS; i++)
        if (!servers_start(i))
            return EXIT_FAILURE;
    r->began_ns = recorder_ns();
    r->ledger = ledger_new();
    r->replay = replay_new(r->ledger, &r->config, r->began_ns);
    r->travellers = travellers_make(&r->config.travellers);
    if (r->travellers == NULL)
        return EXIT_FAILURE;
    ledger_set_trace(r->ledger, r->verbose);
    for (unsigned i = 0; i < r->count; i++)
        if (!processes_start(r, i, 0, i))
            return EXIT_FAILURE;
    wait_for_all(r, ready, RECORDERS_HEAL_MS_MAX, "did not meet the others");
    replay_formed(r->replay);
    return 0;
}

static bool parse(const char *text, uint64_t min, uint64_t max, uint64_t *value) {
    char *last;
    *value = strtoull(text, &last, 10);
    return *text >= '0' && *text <= '9' && *last == '\0' && *value >= min && *value <= max;
}

static bool parse_choice(const char *text, const char *const *texts, unsigned count,
                         unsigned *value) {
    for (*value = 0; *value < count; ++*value)
        if (strcmp(text, texts[*value]) == 0)
            return true;
    return false;
}

static bool take_option(recorders *r, int option, const char *text) {
    uint64_t number = 0;
    unsigned choice = 0;
    bool good = true;
    switch (option) {
    case 's':
        return parse(text, 0, UINT32_MAX, &r->seed);
    case 'c':
        good = parse(text, 2, RECORDERS_MAX, &number);
        r->count = (unsigned)number;
        return good;
    case 'o':
        return fault_parse(text, &r->only);
    case 'n':
        good = parse_choice(text, NAMINGS, NAMING_COUNT, &choice);
        r->naming = (naming_kind)choice;
        return good;
    case 'k':
        good = parse_choice(text, KEYS, KEYS_COUNT, &choice);
        r->keys = (keys_kind)choice;
        return good;
    case 'h':
        good = parse_choice(text, HISTORIES, HISTORY_COUNT, &choice);
        r->kept = (history_kind)choice;
        return good;
    case 'r':
        good = parse_choice(text, CARRIERS, CARRIER_COUNT, &choice);
        r->carrier = (carrier_kind)choice;
        return good && (r->carrier == CARRIER_ZMQ || servers_exist());
    case 'v':
        r->verbose = true;
        return true;
    default:
        return false;
    }
}

bool recorders_options(recorders *r, int count, char **values, recorders_number first,
                       recorders_number second) {
    const struct option options[] = { { "seed", required_argument, NULL, 's' },
                                      { "nodes", required_argument, NULL, 'c' },
                                      { "only", required_argument, NULL, 'o' },
                                      { "naming", required_argument, NULL, 'n' },
                                      { "keys", required_argument, NULL, 'k' },
                                      { "history", required_argument, NULL, 'h' },
                                      { "carrier", required_argument, NULL, 'r' },
                                      { "verbose", no_argument, NULL, 'v' },
                                      { first.name, required_argument, NULL, '1' },
                                      { second.name, required_argument, NULL, '2' },
                                      { NULL, 0, NULL, 0 } };
    int option;
    r->seed = (uint64_t)time(NULL) % 1000000;
    r->naming = NAMING_COUNT;
    r->keys = KEYS_COUNT;
    r->kept = HISTORY_COUNT;
    while ((option = getopt_long(count, values, "", options, NULL)) != -1)
        if (option == '1'   ? !parse(optarg, 1, first.max, first.value)
            : option == '2' ? !parse(optarg, 1, second.max, second.value)
                            : !take_option(r, option, optarg))
            return false;
    return optind == count && *first.value > 0;
}

static void report_packets(void) {
    switch_counts c = switch_get_counts();
    printf("packets    %" PRIu64 " carried, %" PRIu64 " lost, %" PRIu64 " doubled, %" PRIu64
           " reordered, %" PRIu64 " made resets, %" PRIu64 " with bit errors\n",
           c.carried, c.lost, c.doubled, c.reordered, c.reset, c.flipped);
}

static void report_travels(const recorders *r) {
    const travels_totals *totals = replay_get_travels(r->replay);
    printf("travellers %" PRIu64 " whole, of whom %" PRIu64 " at another node; %" PRIu64
           " messages were to be replayed, %" PRIu64 " were; %" PRIu64 " came after all, %" PRIu64
           " are of gaps\nverdicts  ",
           totals->whole, totals->moved, totals->replayed, replay_get_totals(r->replay)->replayed,
           totals->required, totals->excused);
    for (unsigned i = 0; i < 16; i++)
        if (totals->others[i] > 0)
            printf(" %s %" PRIu64, wsfan_recovery_text((wsfan_recovery)i), totals->others[i]);
    printf("\n");
}

void recorders_report(recorders *r) {
    const replay_totals *totals = replay_get_totals(r->replay);
    printf("ran        %.1f s, %u lives of %u nodes\nfaults    ", (double)recorders_ms(r) / 1000,
           r->lives, r->count);
    for (unsigned i = 0; i < FAULT_COUNT; i++)
        printf(" %s %u%s", fault_text((fault_kind)i), r->counts[i],
               i + 1 < FAULT_COUNT ? "," : "\n");
    report_packets();
    printf("published  %" PRIu64 ", refused %" PRIu64 "\n", totals->published, totals->refused);
    printf("deliveries %" PRIu64 " checked\n", ledger_deliveries(r->ledger));
    printf("gaps       %" PRIu64 ", of %" PRIu64 " messages that were counted\n", totals->gaps,
           totals->missing);
    printf("missing    %" PRIu64
           " messages at loops that expected them, all of them told by gaps\n",
           ledger_explained(r->ledger));
    printf("members    %" PRIu64 " pieces of news; %" PRIu64 " counts agreed, at rest\n",
           totals->members, r->compared);
    report_travels(r);
    printf("violations %u\n", r->violations);
    fflush(stdout);
    for (unsigned i = 0; i <= r->count; i++)
        memory_clear(&r->nodes[i].memory);
    memory_clear(&r->memory);
    replay_destroy(r->replay);
    ledger_destroy(r->ledger);
}
