/* A publisher floods three peers, and the process of one of them is stopped for a while. The others
 * must go on as before and miss nothing, memory must stay within the sum of the options, and the one
 * that was stopped must in the end have everything or know exactly how many messages it has lost.
 *
 * How fast it was is printed and left to the reader; everything else is checked. */
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>

enum {
    PEERS = 3,
    VICTIM = PEERS - 1,
    STEP_MS = 5,
    DEADLINE_MS = 60000,
    WINDOW_BYTES = 4 << 20,
    MESSAGE_SIZE = 1000,
    QUEUE_BYTES = 32 << 20,
    PUBLISH_BYTES = 8 << 20,
    INBOX_BYTES = 64 << 20,
    /* The library holds a publisher back when a peer that keeps up has half of its queue full, which
     * is 19,000 messages here. So much it may be ahead of the others; then not even a machine that
     * lets one of them wait for long makes it lose anything. */
    AHEAD_MAX = 21000,
    FRAME_BYTES = 256 << 10, /* of control, and one frame over the window */
    OVERHEAD_BYTES = 8 << 20 /* what a process that has begun to work has besides */
};

typedef struct {
    atomic_bool ready;
    atomic_uint peers_up;
    atomic_uint_fast64_t received;
    atomic_uint_fast64_t missing; /* that it was told of */
    atomic_uint gaps_of_unknown_size;
    atomic_uint disorder; /* a message twice, or before an earlier one */
} peer_report;

typedef struct {
    char endpoint[128];
    atomic_bool ready;
    atomic_bool flood;
    atomic_bool over; /* the flood */
    atomic_bool finish;
    atomic_uint_fast64_t published;
    atomic_uint_fast64_t rss_before; /* bytes, when the flood begins */
    atomic_uint_fast64_t rss_max;
    atomic_uint_fast64_t window_max;
    atomic_uint_fast64_t queue_max;
    peer_report peers[PEERS];
} shared;

typedef struct {
    shared *shared;
    pid_t publisher;
    pid_t peers[PEERS];
    uint64_t before; /* of the peer that was stopped: how far it had got */
    bool bad;
} test;

static uint64_t now_ms(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000 + (uint64_t)at.tv_nsec / 1000000;
}

/* Between two looks at what is awaited, or as long as a measurement takes. */
static void sleep_ms(unsigned ms) {
    nanosleep(&(struct timespec){ (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 }, NULL);
}

static void raise_to(atomic_uint_fast64_t *most, uint64_t value) {
    if (value > atomic_load(most))
        atomic_store(most, value);
}

static uint64_t rss(void) {
    unsigned long size = 0;
    unsigned long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu %lu", &size, &resident) != 2)
        abort();
    fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void set_options(wsfan_options *options) {
    wsfan_options_init(options);
    options->cluster = "flood";
    options->endpoint = "tcp://127.0.0.1:*";
    options->link_window_bytes = WINDOW_BYTES;
    options->link_queue_bytes_max = QUEUE_BYTES;
    options->link_queue_count_max = 1 << 20;
    options->publish_queue_bytes_max = PUBLISH_BYTES;
    options->publish_queue_count_max = 1 << 20;
    options->inbox_bytes_max = INBOX_BYTES;
    options->inbox_count_max = 1 << 20;
}

static void need(int result) {
    if (result >= 0)
        return;
    fprintf(stderr, "%s\n", wsfan_error_text(result));
    _exit(EXIT_FAILURE);
}

/* ------------------------------------------------------------------------------------------ peer */

typedef struct {
    peer_report *report;
    uint64_t next; /* number */
    uint64_t self;
} receiver;

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    receiver *r = user;
    uint64_t number;
    (void)recipients;
    (void)count;
    memcpy(&number, wsfan_message_payload(message).data, sizeof number);
    if (number < r->next)
        atomic_fetch_add(&r->report->disorder, 1);
    r->next = number + 1;
    atomic_fetch_add(&r->report->received, 1);
}

static void on_joined(void *user, const wsfan_joined *joined) {
    receiver *r = user;
    atomic_store(&r->report->ready, joined->status == WSFAN_OK);
}

static void on_gap(void *user, const wsfan_gap *gap) {
    receiver *r = user;
    atomic_fetch_add(&r->report->missing, gap->count);
    if (gap->count == 0)
        atomic_fetch_add(&r->report->gaps_of_unknown_size, 1);
}

static void run_peer(const test *t, unsigned index) {
    receiver r = { .report = &t->shared->peers[index] };
    wsfan_options options;
    wsfan_node *node;
    wsfan_loop *loop;
    wsfan_session session;
    const char *publisher = t->shared->endpoint;
    wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                  .on_message = on_message,
                                  .on_joined = on_joined,
                                  .on_gap = on_gap };
    set_options(&options);
    options.peers = &publisher;
    options.peers_count = 1;
    need(wsfan_node_open(&node, &options));
    need(wsfan_loop_open(&loop, node, &callbacks, &r));
    need(wsfan_session_open(&session, loop, wsfan_string(""), NULL));
    bool joined = false;
    while (!atomic_load(&t->shared->finish)) {
        struct pollfd fd = { .fd = wsfan_loop_fd(loop), .events = POLLIN };
        poll(&fd, 1, STEP_MS);
        need(wsfan_loop_dispatch(loop, 0));
        wsfan_stats stats = { .struct_size = sizeof stats };
        need(wsfan_node_get_stats(node, &stats));
        atomic_store(&r.report->peers_up, stats.peers_up);
        if (joined || stats.peers_up < PEERS)
            continue;
        joined = true;
        need(wsfan_session_join(loop, session, wsfan_string("flood")));
    }
    need(wsfan_loop_close(loop));
    need(wsfan_node_close(node));
    _exit(EXIT_SUCCESS);
}

/* ------------------------------------------------------------------------------------- publisher */

static void look(shared *s, wsfan_node *node) {
    wsfan_peer_stats peers[PEERS] = { { .struct_size = sizeof peers[0] } };
    size_t count;
    need(wsfan_node_get_peers(node, peers, PEERS, &count));
    for (size_t i = 0; i < count && i < PEERS; i++) {
        raise_to(&s->window_max, peers[i].window_bytes);
        raise_to(&s->queue_max, peers[i].queue_bytes);
    }
    raise_to(&s->rss_max, rss());
}

static bool far_ahead(const shared *s, uint64_t number) {
    for (unsigned i = 0; i < VICTIM; i++)
        if (number >= atomic_load(&s->peers[i].received) + AHEAD_MAX)
            return true;
    return false;
}

static void flood(const test *t, wsfan_node *node) {
    static uint8_t payload[MESSAGE_SIZE];
    shared *s = t->shared;
    uint64_t number = 0;
    for (uint64_t turn = 0; atomic_load(&s->flood); turn++) {
        if (turn % 4096 == 0)
            look(s, node);
        memcpy(payload, &number, sizeof number);
        int error = WSFAN_EAGAIN;
        if (!far_ahead(s, number))
            error = wsfan_broadcast(node, wsfan_string("flood"),
                                    (wsfan_bytes){ payload, sizeof payload }, NULL);
        if (error == WSFAN_EAGAIN) {
            sleep_ms(1);
            continue;
        }
        need(error);
        atomic_store(&s->published, ++number);
    }
}

static void run_publisher(const test *t) {
    shared *s = t->shared;
    wsfan_options options;
    wsfan_node *node;
    set_options(&options);
    need(wsfan_node_open(&node, &options));
    snprintf(s->endpoint, sizeof s->endpoint, "%s", wsfan_node_endpoint(node));
    atomic_store(&s->ready, true);
    while (!atomic_load(&s->flood))
        sleep_ms(STEP_MS);
    atomic_store(&s->rss_before, rss());
    flood(t, node);
    atomic_store(&s->over, true);
    while (!atomic_load(&s->finish)) {
        look(s, node);
        sleep_ms(STEP_MS);
    }
    need(wsfan_node_close(node));
    _exit(EXIT_SUCCESS);
}

/* ------------------------------------------------------------------------------------------ test */

static void fail(test *t, const char *what, uint64_t value, uint64_t limit) {
    fprintf(stderr, "%s: %" PRIu64 ", %" PRIu64 " expected\n", what, value, limit);
    t->bad = true;
}

static void wait_for(test *t, bool (*holds)(const test *t), const char *what) {
    uint64_t until_ms = now_ms() + DEADLINE_MS;
    while (!holds(t)) {
        int status;
        if (waitpid(-1, &status, WNOHANG) > 0) {
            fprintf(stderr, "a process has ended, status %d, waiting for: %s\n", status, what);
            exit(EXIT_FAILURE);
        }
        if (now_ms() >= until_ms) {
            fprintf(stderr, "not within %d ms: %s\n", DEADLINE_MS, what);
            exit(EXIT_FAILURE);
        }
        sleep_ms(STEP_MS);
    }
}

static bool publisher_listens(const test *t) {
    return atomic_load(&t->shared->ready);
}

static bool all_joined(const test *t) {
    for (unsigned i = 0; i < PEERS; i++)
        if (!atomic_load(&t->shared->peers[i].ready))
            return false;
    return true;
}

static bool flood_is_over(const test *t) {
    return atomic_load(&t->shared->over);
}

static uint64_t progress(const test *t, unsigned peer) {
    const peer_report *report = &t->shared->peers[peer];
    return atomic_load(&report->received) + atomic_load(&report->missing);
}

static bool all_have_begun(const test *t) {
    for (unsigned i = 0; i < PEERS; i++)
        if (progress(t, i) == 0)
            return false;
    return true;
}

static bool victim_goes_on(const test *t) {
    return progress(t, VICTIM) > t->before;
}

static bool accounted_for(const test *t, unsigned peer) {
    return progress(t, peer) >= atomic_load(&t->shared->published);
}

static bool all_accounted_for(const test *t) {
    for (unsigned i = 0; i < PEERS; i++)
        if (!accounted_for(t, i))
            return false;
    return true;
}

static pid_t start(const test *t, unsigned peer) {
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (peer == PEERS)
        run_publisher(t);
    run_peer(t, peer);
    return 0;
}

static void set_up(test *t) {
    t->shared = mmap(NULL, sizeof *t->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                     -1, 0);
    if (t->shared == MAP_FAILED)
        abort();
    t->publisher = start(t, PEERS);
    wait_for(t, publisher_listens, "the publisher listens");
    for (unsigned i = 0; i < PEERS; i++)
        t->peers[i] = start(t, i);
    wait_for(t, all_joined, "all have joined");
}

/* Messages a second at each of the others meanwhile. */
static void measure(const test *t, unsigned ms, double per_s[VICTIM]) {
    uint64_t before[VICTIM];
    uint64_t began_ms = now_ms();
    for (unsigned i = 0; i < VICTIM; i++)
        before[i] = atomic_load(&t->shared->peers[i].received);
    sleep_ms(ms);
    for (unsigned i = 0; i < VICTIM; i++)
        per_s[i] = (double)(atomic_load(&t->shared->peers[i].received) - before[i]) * 1000 /
                   (double)(now_ms() - began_ms);
}

static void check_peer(test *t, unsigned i) {
    const peer_report *report = &t->shared->peers[i];
    uint64_t published = atomic_load(&t->shared->published);
    uint64_t received = atomic_load(&report->received);
    uint64_t missing = atomic_load(&report->missing);
    printf("peer %u     received %" PRIu64 ", was told of %" PRIu64 " lost\n", i, received,
           missing);
    if (received + missing != published)
        fail(t, "received and lost", received + missing, published);
    if (missing > 0 && i != VICTIM)
        fail(t, "lost", missing, 0);
    if (atomic_load(&report->gaps_of_unknown_size) > 0)
        fail(t, "gaps of unknown size", atomic_load(&report->gaps_of_unknown_size), 0);
    if (atomic_load(&report->disorder) > 0)
        fail(t, "messages twice or too late", atomic_load(&report->disorder), 0);
}

static void check_memory(test *t) {
    shared *s = t->shared;
    uint64_t sum = PUBLISH_BYTES + PEERS * (WINDOW_BYTES + QUEUE_BYTES + FRAME_BYTES);
    uint64_t grown = atomic_load(&s->rss_max) - atomic_load(&s->rss_before);
    printf("memory     window %.1f MiB, queue %.1f MiB at most; the process grew by %.1f MiB, the "
           "options allow %.1f\n",
           (double)atomic_load(&s->window_max) / (1 << 20),
           (double)atomic_load(&s->queue_max) / (1 << 20), (double)grown / (1 << 20),
           (double)sum / (1 << 20));
    if (atomic_load(&s->window_max) > WINDOW_BYTES + FRAME_BYTES)
        fail(t, "bytes of a window", atomic_load(&s->window_max), WINDOW_BYTES + FRAME_BYTES);
    if (atomic_load(&s->queue_max) > QUEUE_BYTES)
        fail(t, "bytes of a queue", atomic_load(&s->queue_max), QUEUE_BYTES);
    if (grown > sum + OVERHEAD_BYTES)
        fail(t, "bytes that the publisher grew by", grown, sum + OVERHEAD_BYTES);
}

static void end(test *t) {
    atomic_store(&t->shared->finish, true);
    for (unsigned i = 0; i <= PEERS; i++) {
        pid_t pid = i < PEERS ? t->peers[i] : t->publisher;
        int status = 0;
        if (waitpid(pid, &status, 0) != pid || status != 0)
            fail(t, "exit status", (uint64_t)status, 0);
    }
}

static void print_speed(const double before[VICTIM], const double during[VICTIM]) {
    for (unsigned i = 0; i < VICTIM; i++)
        printf("peer %u     %.0f messages/s before, %.0f meanwhile: %.2f of that\n", i, before[i],
               during[i], during[i] / before[i]);
}

static bool run(unsigned before_ms, unsigned hold_ms) {
    test t = { 0 };
    double before[VICTIM];
    double during[VICTIM];
    printf("messages of %d bytes for %.1f s, then one of three peers is stopped for %.1f s\n",
           MESSAGE_SIZE, before_ms / 1000.0, hold_ms / 1000.0);
    fflush(stdout); /* before there are children that have it too */
    set_up(&t);
    atomic_store(&t.shared->flood, true);
    wait_for(&t, all_have_begun, "the first messages have arrived");
    measure(&t, before_ms, before);
    kill(t.peers[VICTIM], SIGSTOP);
    measure(&t, hold_ms, during);
    t.before = progress(&t, VICTIM);
    kill(t.peers[VICTIM], SIGCONT);
    wait_for(&t, victim_goes_on, "the peer that was stopped goes on");
    atomic_store(&t.shared->flood, false);
    wait_for(&t, flood_is_over, "the publisher stops");
    wait_for(&t, all_accounted_for, "every message has arrived or is known to be lost");
    print_speed(before, during);
    printf("published  %" PRIu64 "\n", (uint64_t)atomic_load(&t.shared->published));
    for (unsigned i = 0; i < PEERS; i++)
        check_peer(&t, i);
    check_memory(&t);
    end(&t);
    return !t.bad;
}

int main(int count, char **values) {
    static const struct option options[] = { { "hold", required_argument, NULL, 'h' },
                                             { "before", required_argument, NULL, 'b' },
                                             { NULL, 0, NULL, 0 } };
    unsigned long hold_s = 7; /* longer than ZeroMQ's heartbeat lasts */
    unsigned long before_s = 3;
    int option;
    bool good = true;
    while (good && (option = getopt_long(count, values, "", options, NULL)) != -1) {
        unsigned long *value = option == 'h' ? &hold_s : &before_s;
        good = option != '?' && (*value = strtoul(optarg, NULL, 10)) > 0 && *value <= 100;
    }
    if (!good || optind != count) {
        fputs("usage: wsfan-flood [--before SECONDS (3)] [--hold SECONDS (7)]\n", stderr);
        return 2;
    }
    good = run((unsigned)before_s * 1000, (unsigned)hold_s * 1000);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
