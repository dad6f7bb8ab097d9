/* Meshes over real servers of NATS, which are stopped, killed and started again: each message comes once and in order, or is
 * told to be missing. */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <wsfan/diagnosis.h>
#include <wsfan/nats.h>

#include "replica.h"
#include "server.h"
#include "suite.h"

/* libnats does not free a message of which it had read a part when its connection ended, nor an attempt that was given up: see
 * docs/nats.md. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:natsBuf_Create\nleak:natsConnection_Connect\n";
}

static wsfan_nats *wires[REPLICAS_MAX];

/* ----------------------------------------------------------------------------------- recorders */

enum { NODES = 3 };

/* The numbered messages of one node, as another has heard them. */
typedef struct {
    unsigned next;
    unsigned missing;
    unsigned wrong; /* doubled, or out of order */
} record;

/* In memory that a node in another process writes, too. */
typedef struct {
    record heard[NODES][NODES];
    uint64_t told[NODES];     /* missing, by gaps */
    bool told_unknown[NODES]; /* a gap of unknown size was told */
    bool joined;              /* by the node in another process */
    uint64_t connects;        /* of that node to its server */
    bool stop;                /* it is to end */
} records;

static records *shared;
static int shared_fd;

static void on_numbered(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                        size_t count) {
    unsigned from;
    unsigned number;
    char text[32] = "";
    wsfan_bytes payload = wsfan_message_payload(message);
    (void)recipients;
    memcpy(text, payload.data, payload.size < 31 ? payload.size : 31);
    ck_assert_int_eq(sscanf(text, "%u %u", &from, &number), 2);
    int i = (int)((replica *)user - replicas);
    shared->heard[i][from].wrong += number < shared->heard[i][from].next || count != 1;
    if (number >= shared->heard[i][from].next) {
        shared->heard[i][from].missing += number - shared->heard[i][from].next;
        shared->heard[i][from].next = number + 1;
    }
}

static void on_numbered_gap(void *user, const wsfan_gap *gap) {
    replica *r = user;
    shared->told[r - replicas] += gap->count;
    shared->told_unknown[r - replicas] |= gap->count == 0;
}

static bool publishes[NODES];

static bool all_heard(unsigned number) {
    for (int i = 0; i < NODES; i++)
        for (int from = 0; from < NODES; from++)
            if (shared->heard[i][from].next < number && publishes[from])
                return false;
    return true;
}

/* Nothing doubled, nothing out of order, and nothing missing that was not told. */
static void all_is_accounted_for(void) {
    for (int i = 0; i < NODES; i++) {
        uint64_t missing = 0;
        for (int from = 0; from < NODES; from++) {
            ck_assert_uint_eq(shared->heard[i][from].wrong, 0);
            missing += shared->heard[i][from].missing;
        }
        ck_assert_msg(missing <= shared->told[i] || shared->told_unknown[i],
                      "%" PRIu64 " are missing at n%d, %" PRIu64 " were told", missing, i,
                      shared->told[i]);
    }
}

static void nothing_is_missing(void) {
    all_is_accounted_for();
    for (int i = 0; i < NODES; i++) {
        ck_assert_uint_eq(shared->told[i], 0);
        ck_assert(!shared->told_unknown[i]);
    }
}

/* -------------------------------------------------------------------------------------- nodes */

static wsfan_nats_options wire_options(const char *urls) {
    wsfan_nats_options options;
    wsfan_nats_options_init(&options);
    options.urls = urls;
    options.connect_ms_max = 10000; /* the machine may be busy */
    return options;
}

/* Loopback, and servers that freeze for a while: what is in the queues comes after. */
static wsfan_options patient_options(void) {
    wsfan_options options = quick_options(NULL);
    options.payload_bytes_max = 64 * 1024;
    options.down_ms = 20000;
    options.silent_ms = 1000;
    options.join_ms_max = 20000;
    options.link_window_bytes = 64 * 1024 *
                                1024; /* more than the kernel buffers of a frozen node */
    return options;
}

static int open_node(int i, const wsfan_nats_options *how, wsfan_options options) {
    static wsfan_callbacks callbacks;
    callbacks = (wsfan_callbacks){ .struct_size = sizeof callbacks,
                                   .on_message = on_numbered,
                                   .on_joined = replica_on_joined,
                                   .on_peer = replica_on_peer,
                                   .on_gap = on_numbered_gap };
    replica *r = &replicas[i];
    memset(r, 0, sizeof *r);
    snprintf(r->name, sizeof r->name, "n%d", i);
    options.name = r->name;
    ck_assert_int_eq(wsfan_nats_open(&wires[i], how), WSFAN_OK);
    options.carrier = wsfan_nats_carrier(wires[i]);
    int error = wsfan_node_open(&r->node, &options);
    if (error != WSFAN_OK) {
        r->node = NULL;
        return error;
    }
    ck_assert_int_eq(wsfan_loop_open(&r->loop, r->node, &callbacks, r), WSFAN_OK);
    live[i] = r->loop;
    ck_assert_int_eq(wsfan_session_open(&r->session, r->loop, wsfan_string(r->name), NULL),
                     WSFAN_OK);
    return WSFAN_OK;
}

static void start(int i, const char *urls) {
    wsfan_nats_options how = wire_options(urls);
    ck_assert_int_eq(open_node(i, &how, patient_options()), WSFAN_OK);
}

static void map_shared(void) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
}

static void begin(void) {
    if (shared == NULL) {
        shared_fd = memfd_create("shared", 0);
        ck_assert_int_eq(ftruncate(shared_fd, sizeof *shared), 0);
        map_shared();
    }
    memset(shared, 0, sizeof *shared);
    for (int i = 0; i < NODES; i++)
        publishes[i] = true;
}

static void stop(int i) {
    if (replicas[i].node != NULL)
        replica_stop(i);
    ck_assert_int_eq(wsfan_nats_close(wires[i]), WSFAN_OK);
    wires[i] = NULL;
}

static void end(void) {
    for (int i = 0; i < REPLICAS_MAX; i++)
        if (wires[i] != NULL)
            stop(i);
    servers_stop();
}

static bool all_up(void) {
    for (int i = 0; i < NODES; i++)
        for (int of = 0; of < NODES; of++)
            if (i != of && replicas[i].node != NULL && !replica_up(i, of))
                return false;
    return true;
}

static void join_all(void) {
    for (int i = 0; i < NODES; i++) {
        if (replicas[i].node == NULL)
            continue;
        replica_join(i, "lobby");
        ck_assert_int_eq(replicas[i].joined_status, WSFAN_OK);
    }
}

static size_t usual_size = 128;

/* A publish queue that is full, while its node waits for slow peers, takes the message later. */
static void publish(int i, unsigned number) {
    char text[24000];
    int error;
    memset(text, ' ', sizeof text);
    int used = snprintf(text, sizeof text, "%d %u", i, number);
    text[used] = ' ';
    size_t size = number % 16 == 0 ? sizeof text : usual_size; /* some are a second part */
    WAIT((error = wsfan_broadcast(replicas[i].node, wsfan_string("lobby"),
                                  (wsfan_bytes){ text, size }, NULL)) != WSFAN_EAGAIN);
    ck_assert_int_eq(error, WSFAN_OK);
}

/* Publishes numbers from `first` on, for a time of `ms`, and returns the number after the last. */
static unsigned publish_for(unsigned first, int64_t ms) {
    int64_t until_ms = now_ms() + ms;
    while (now_ms() < until_ms) {
        for (int i = 0; i < NODES; i++)
            if (publishes[i])
                publish(i, first);
        first++;
        dispatch_all();
    }
    return first;
}

static wsfan_nats_stats stats_of(int i) {
    wsfan_nats_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_nats_get_stats(wires[i], &stats), WSFAN_OK);
    return stats;
}

static wsfan_endpoint_state standing(int i) {
    wsfan_endpoint endpoints[8] = { { .struct_size = sizeof endpoints[0] } };
    size_t count;
    ck_assert_int_eq(wsfan_node_get_endpoints(replicas[i].node, endpoints, 8, &count), WSFAN_OK);
    for (size_t e = 0; e < count; e++)
        if (strcmp(endpoints[e].endpoint, "nats:*") == 0)
            return endpoints[e].state;
    return WSFAN_ENDPOINT_DIALLING;
}

/* ------------------------------------------------------------------------------------ one server */

START_TEST(nodes_meet_over_a_server_and_hear_each_other) {
    begin();
    server_start(0);
    for (int i = 0; i < NODES; i++)
        start(i, servers[0].url);
    ck_assert_str_eq(replica_endpoint(1), "nats:n1");
    WAIT(all_up());
    WAIT(wsfan_node_ready(replicas[0].node) == WSFAN_READY_MET);
    join_all();
    unsigned number = publish_for(0, 300);
    WAIT(all_heard(number));
    nothing_is_missing();
    ck_assert_int_eq(standing(0), WSFAN_ENDPOINT_RESOLVED);
    wsfan_nats_stats stats = stats_of(0);
    ck_assert_uint_eq(stats.connected, 1);
    ck_assert_uint_ge(stats.connects, 1);
    ck_assert(stats.sent > 0 && stats.received_bytes > 0);
    ck_assert_str_eq(stats.server, servers[0].url);
    ck_assert_int_eq(wsfan_nats_close(wires[0]), WSFAN_EBUSY);
    replica_stop(2); /* with a goodbye */
    WAIT(replicas[0].event_of[2] == WSFAN_PEER_DOWN);
    ck_assert_int_eq(replicas[0].reason_of[2], WSFAN_REASON_BYE);
    end();
}
END_TEST

START_TEST(a_node_opens_without_a_server_and_meets_the_others_when_there_is_one) {
    begin();
    servers[0].port = server_free_port();
    char url[64];
    snprintf(url, sizeof url, "nats://127.0.0.1:%d", servers[0].port);
    for (int i = 0; i < NODES; i++)
        start(i, url);
    WAIT(standing(0) == WSFAN_ENDPOINT_NO_ANSWER);
    ck_assert_ptr_nonnull(strstr(wsfan_nats_error(wires[0]), url));
    replica_join(0, "lobby");
    publish(0, 0);
    WAIT(shared->heard[0][0].next == 1); /* alone it works */
    server_start(0);
    WAIT(all_up());
    WAIT(standing(0) == WSFAN_ENDPOINT_RESOLVED);
    end();
}
END_TEST

START_TEST(a_server_that_is_killed_and_comes_back_loses_nothing) {
    begin();
    server_start(0);
    for (int i = 0; i < NODES; i++)
        start(i, servers[0].url);
    WAIT(all_up());
    join_all();
    unsigned number = publish_for(0, 200);
    server_kill(0);
    number = publish_for(number, 300);
    WAIT(standing(0) == WSFAN_ENDPOINT_NO_ANSWER);
    server_start(0);
    number = publish_for(number, 200);
    WAIT(all_heard(number));
    nothing_is_missing();
    ck_assert_uint_ge(stats_of(0).connects, 2);
    end();
}
END_TEST

/* Found by what cannot be written to it, and where nobody writes by pings that are not answered. */
START_TEST(a_server_that_is_frozen_loses_nothing) {
    begin();
    server_start(0);
    for (int i = 0; i < NODES; i++)
        start(i, servers[0].url);
    WAIT(all_up());
    join_all();
    unsigned number = publish_for(0, 100);
    for (unsigned busy = 0; busy < 2; busy++) {
        server_signal(0, SIGSTOP);
        if (busy != 0)
            number = publish_for(number, 300);
        WAIT(standing(0) == WSFAN_ENDPOINT_NO_ANSWER);
        server_signal(0, SIGCONT);
        number = publish_for(number, 100);
        WAIT(all_heard(number));
        WAIT(all_up());
        nothing_is_missing();
    }
    end();
}
END_TEST

/* ----------------------------------------------------------------------------------------- mute */

enum { MUTES_MAX = 16 };

/* Says who it is to whoever connects, and nothing more. */
typedef struct {
    int fd;
    bool tls; /* it asks for it */
    atomic_uint count;
    int clients[MUTES_MAX];
} mute_server;

static void *be_mute(void *user) {
    mute_server *m = user;
    char info[128];
    int client;
    int size = snprintf(info, sizeof info,
                        "INFO {\"server_id\":\"M\",\"version\":\"2.9.10\",\"proto\":1,"
                        "\"tls_required\":%s,\"max_payload\":1048576}\r\n",
                        m->tls ? "true" : "false");
    while (atomic_load(&m->count) < MUTES_MAX && (client = accept(m->fd, NULL, NULL)) >= 0) {
        m->clients[atomic_load(&m->count)] = client;
        ck_assert_int_eq(write(client, info, (size_t)size), size);
        atomic_fetch_add(&m->count, 1);
    }
    return NULL;
}

static pthread_t start_mute(mute_server *m, char url[64]) {
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;
    pthread_t thread;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    m->fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(m->fd, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(m->fd, MUTES_MAX), 0);
    ck_assert_int_eq(getsockname(m->fd, (struct sockaddr *)&address, &size), 0);
    snprintf(url, 64, "%s://127.0.0.1:%d", m->tls ? "tls" : "nats", ntohs(address.sin_port));
    ck_assert_int_eq(pthread_create(&thread, NULL, be_mute, m), 0);
    return thread;
}

static void stop_mute(mute_server *m, pthread_t thread) {
    shutdown(m->fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    for (unsigned i = 0; i < atomic_load(&m->count); i++)
        close(m->clients[i]);
    close(m->fd);
}

/* Node 0 opens all the same, and is told that the server does not answer. */
static void open_at_mute(const char *url) {
    wsfan_nats_options how = wire_options(url);
    how.connect_ms_max = 300;
    ck_assert_int_eq(open_node(0, &how, patient_options()), WSFAN_OK);
    WAIT(standing(0) == WSFAN_ENDPOINT_NO_ANSWER);
    ck_assert_ptr_nonnull(strstr(wsfan_nats_error(wires[0]), url));
}

START_TEST(a_server_that_says_who_it_is_and_nothing_more_is_given_up_and_another_one_found) {
    static mute_server mute;
    char url[64];
    char urls[160];
    begin();
    pthread_t thread = start_mute(&mute, url);
    open_at_mute(url);
    unsigned tried = atomic_load(&mute.count);
    WAIT(atomic_load(&mute.count) > tried);
    stop(0);

    server_start(0);
    snprintf(urls, sizeof urls, "%s,%s", url, servers[0].url);
    wsfan_nats_options how = wire_options(urls);
    how.connect_ms_max = 300;
    ck_assert_int_eq(open_node(0, &how, patient_options()), WSFAN_OK);
    WAIT(standing(0) == WSFAN_ENDPOINT_RESOLVED);
    ck_assert_str_eq(stats_of(0).server, servers[0].url);
    end();
    stop_mute(&mute, thread);
}
END_TEST

/* libnats has no time limit for a handshake of TLS. */
START_TEST(a_server_that_asks_for_tls_and_says_nothing_more_is_given_up) {
    static mute_server mute = { .tls = true };
    char url[64];
    begin();
    pthread_t thread = start_mute(&mute, url);
    open_at_mute(url);
    end();
    stop_mute(&mute, thread);
}
END_TEST

/* -------------------------------------------------------------------------------------- cluster */

START_TEST(nodes_at_a_cluster_of_three_go_on_when_a_server_is_killed) {
    char urls[NODES][256];
    begin();
    for (int i = 0; i < SERVERS_MAX; i++) {
        servers[i].port = server_free_port();
        servers[i].routes = server_free_port();
    }
    for (int i = 0; i < SERVERS_MAX; i++)
        server_start(i);
    for (int i = 0; i < NODES; i++) {
        start(i, servers[i].url); /* each at a server of its own */
        snprintf(urls[i], sizeof urls[i], "%s,%s", servers[i].url, servers[(i + 1) % 3].url);
    }
    WAIT(all_up());
    stop(2); /* and one that knows of two */
    start(2, urls[2]);
    WAIT(all_up());
    join_all();
    unsigned number = publish_for(0, 200);
    server_kill(2);
    number = publish_for(number, 300);
    WAIT(standing(2) == WSFAN_ENDPOINT_RESOLVED && strcmp(stats_of(2).server, servers[0].url) == 0);
    number = publish_for(number, 200);
    WAIT(all_heard(number));
    nothing_is_missing();
    server_start(2);
    server_kill(1);
    number = publish_for(number, 300);
    server_start(1);
    number = publish_for(number, 200);
    WAIT(all_heard(number));
    nothing_is_missing();
    end();
}
END_TEST

/* ------------------------------------------------------------------------------------- refusals */

static void use_example(void) {
    snprintf(servers[0].config, sizeof servers[0].config, "%s", EXAMPLE_CONFIG);
}

static void write_seed(char path[32]) {
    static const char seed[] = "SUAAGCQRDAPSMLJUHNBESUCXLZSWY432QGEI7FU5USV3FOOAY7HNLXDKKA\n";
    strcpy(path, "/tmp/wsfan-seed-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_eq(write(fd, seed, sizeof seed - 1), (ssize_t)sizeof seed - 1);
    close(fd);
}

static wsfan_options pod_options(const char *endpoint) {
    wsfan_options options = patient_options();
    options.cluster = "chat";
    options.endpoint = endpoint;
    return options;
}

START_TEST(the_example_of_accounts_lets_nodes_in_by_nkey_and_password) {
    char path[32];
    begin();
    use_example();
    server_start(0);
    write_seed(path);
    wsfan_nats_options how = wire_options(servers[0].url);
    how.nkey_file = path;
    how.nkey = "UB2VYTFZEVWKPTOEVT64NT7O3KCJAF7FXH4VCTUZDEN5M7QLBVBHMA3W";
    ck_assert_int_eq(open_node(0, &how, pod_options("nats:pod-0")), WSFAN_OK);
    how = wire_options(servers[0].url);
    how.user = "pod-1";
    how.password = "change-me-1";
    ck_assert_int_eq(open_node(1, &how, pod_options("nats:pod-1")), WSFAN_OK);
    how.user = "pod-2";
    how.password = "change-me-2";
    ck_assert_int_eq(open_node(2, &how, pod_options("nats:pod-2")), WSFAN_OK);
    WAIT(all_up());
    join_all();
    unsigned number = publish_for(0, 100);
    WAIT(all_heard(number));
    nothing_is_missing();
    unlink(path);
    end();
}
END_TEST

START_TEST(who_is_not_let_in_is_told_why) {
    begin();
    use_example();
    server_start(0);
    wsfan_nats_options how = wire_options(servers[0].url);
    ck_assert_int_eq(open_node(0, &how, pod_options("nats:pod-1")), WSFAN_EKEY); /* nobody */
    how.user = "pod-1";
    how.password = "wrong";
    ck_assert_int_eq(open_node(1, &how, pod_options("nats:pod-1")), WSFAN_EKEY);
    ck_assert_ptr_nonnull(strstr(wsfan_nats_error(wires[1]), "uthoriz"));
    how.password = "change-me-1"; /* in the name of another */
    ck_assert_int_eq(open_node(2, &how, pod_options("nats:pod-2")), WSFAN_EKEY);
    ck_assert_ptr_nonnull(strstr(wsfan_nats_error(wires[2]), "wsfan.chat.f.*.pod-2"));
    end();
}
END_TEST

START_TEST(a_server_with_a_small_max_payload_is_refused_with_both_sizes) {
    begin();
    server_configure(0, "max_payload: 65536\n");
    server_start(0);
    wsfan_nats_options how = wire_options(servers[0].url);
    ck_assert_int_eq(open_node(0, &how, patient_options()), WSFAN_ETOOBIG);
    ck_assert_ptr_nonnull(strstr(wsfan_nats_error(wires[0]), "max_payload is 65536 bytes"));
    ck_assert_uint_eq(stats_of(0).payload_max, 65536);
    end();
}
END_TEST

START_TEST(options_out_of_their_ranges_are_refused) {
    wsfan_nats *nats = NULL;
    wsfan_nats_options how = wire_options("nats://127.0.0.1:1");
    how.prefix = "a.*";
    ck_assert_int_eq(wsfan_nats_open(&nats, &how), WSFAN_EINVAL);
    how.prefix = "a.b";
    how.user = "u";
    ck_assert_int_eq(wsfan_nats_open(&nats, &how), WSFAN_EINVAL);
    how.password = "p";
    how.token = "t";
    ck_assert_int_eq(wsfan_nats_open(&nats, &how), WSFAN_EINVAL);
    how.token = NULL;
    how.connect_ms_max = 0;
    ck_assert_int_eq(wsfan_nats_open(&nats, &how), WSFAN_EINVAL);
    how.connect_ms_max = 100;
    how.nkey = "U";
    ck_assert_int_eq(wsfan_nats_open(&nats, &how), WSFAN_EINVAL);
    ck_assert_ptr_null(nats);
    ck_assert_int_eq(wsfan_nats_close(NULL), WSFAN_OK);
}
END_TEST

/* ---------------------------------------------------------------------------------------- slow */

enum { SOON_MS = 500 };

static bool is_heard_soon(unsigned number) {
    int64_t until_ms = now_ms() + SOON_MS;
    while (!all_heard(number) && now_ms() < until_ms)
        dispatch_all();
    return all_heard(number);
}

/* Node 2's wire takes 1 MiB at a time, and node 2 stops dispatching under a flood: what is dropped is repaired, or
 * told where queues are full. */
START_TEST(a_slow_reader_gets_all_or_is_told) {
    begin();
    server_start(0);
    start(0, servers[0].url);
    start(1, servers[0].url);
    wsfan_nats_options how = wire_options(servers[0].url);
    how.receive_bytes_max = 1024 * 1024;
    wsfan_options options = patient_options();
    options.inbox_bytes_max = 256 * 1024;
    ck_assert_int_eq(open_node(2, &how, options), WSFAN_OK);
    WAIT(all_up());
    join_all();
    unsigned number = publish_for(0, 100);
    wsfan_loop *slow = live[2];
    live[2] = NULL;
    while (replica_stats(2).dropped[WSFAN_DROP_INBOX] == 0)
        number = publish_for(number, 20);
    live[2] = slow;
    number = publish_for(number, 100);
    int64_t until_ms = now_ms() + DEADLINE_MS;
    do /* what was dropped last is told by later ones */
        number = publish_for(number, 10);
    while (!is_heard_soon(number) && now_ms() < until_ms);
    ck_assert(all_heard(number));
    all_is_accounted_for();
    ck_assert_uint_gt(shared->told[2], 0);
    ck_assert_uint_eq(shared->told[0] + shared->told[1], 0);
    end();
}
END_TEST

static unsigned taken; /* datagrams that the stub was given */

static int take_stub(void *mesh, const char *from, const void *data, size_t size) {
    (void)mesh;
    (void)data;
    ck_assert_str_eq(from, "a");
    ck_assert_uint_eq(size, 1000);
    taken++;
    return 1;
}

static void ignore_standing(void *mesh, wsfan_endpoint_state state) {
    (void)mesh;
    (void)state;
}

static wsfan_nats *open_wire(const wsfan_nats_options *how, const wsfan_carrier_mesh *mesh) {
    wsfan_nats *nats;
    ck_assert_int_eq(wsfan_nats_open(&nats, how), WSFAN_OK);
    const wsfan_carrier *carrier = wsfan_nats_carrier(nats);
    ck_assert_int_eq(carrier->open(carrier->user, mesh), WSFAN_OK);
    return nats;
}

static void close_wire(wsfan_nats *nats) {
    const wsfan_carrier *carrier = wsfan_nats_carrier(nats);
    carrier->close(carrier->user, 0);
    ck_assert_int_eq(wsfan_nats_close(nats), WSFAN_OK);
}

static wsfan_nats_stats stats_of_wire(wsfan_nats *nats) {
    wsfan_nats_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_nats_get_stats(nats, &stats), WSFAN_OK);
    return stats;
}

/* Without a node: b does not take what comes, then the server does not take what a sends, which never waits. */
START_TEST(queues_keep_within_their_limits) {
    enum { MIB = 1024 * 1024 };
    static const char data[1000];
    const wsfan_bytes part = { data, sizeof data };
    const wsfan_carrier_mesh at_a = { .struct_size = sizeof at_a,
                                      .cluster = "c",
                                      .name = "a",
                                      .received = take_stub,
                                      .stands = ignore_standing };
    wsfan_carrier_mesh at_b = at_a;
    at_b.name = "b";
    taken = 0;
    server_start(0);
    wsfan_nats_options how = wire_options(servers[0].url);
    how.send_bytes_max = how.receive_bytes_max = MIB;
    wsfan_nats *a = open_wire(&how, &at_a);
    wsfan_nats *b = open_wire(&how, &at_b);
    const wsfan_carrier *sender = wsfan_nats_carrier(a);
    const wsfan_carrier *receiver = wsfan_nats_carrier(b);
    while (stats_of_wire(b).receive_dropped == 0)
        sender->send(sender->user, "b", &part, 1);
    ck_assert_uint_le(stats_of_wire(b).receive_waiting, MIB);
    uint64_t received = stats_of_wire(b).received;
    ck_assert_uint_gt(received, MIB / 2000);
    receiver->receive(receiver->user);
    ck_assert_uint_ge(taken, received);
    server_signal(0, SIGSTOP);
    uint64_t dropped = stats_of_wire(a).send_dropped;
    while (stats_of_wire(a).send_dropped == dropped) {
        sender->send(sender->user, "b", &part, 1);
        ck_assert_uint_le(stats_of_wire(a).send_waiting, MIB);
    }
    server_signal(0, SIGCONT);
    close_wire(a);
    close_wire(b);
    servers_stop();
}
END_TEST

/* Starts node 2 in another process, which ends when shared->stop is set: see run_elsewhere(). */
static pid_t start_elsewhere(const char *urls) {
    char fd[16];
    snprintf(fd, sizeof fd, "%d", shared_fd);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execl("/proc/self/exe", "test_nats", fd, urls, (char *)NULL);
    _exit(127);
}

static const char *urls_elsewhere;

START_TEST(node_in_another_process) {
    map_shared();
    start(2, urls_elsewhere);
    WAIT(replica_up(2, 0) && replica_up(2, 1));
    replica_join(2, "lobby");
    shared->joined = replicas[2].joined_status == WSFAN_OK;
    WAIT(shared->stop);
    shared->connects = stats_of(2).connects;
    stop(2);
}
END_TEST

static int run_elsewhere(const char *fd, const char *urls) {
    shared_fd = atoi(fd);
    urls_elsewhere = urls;
    Suite *suite = suite_create("elsewhere");
    TCase *tcase = tcase_create("node");
    tcase_add_test(tcase, node_in_another_process);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    unsetenv("CK_RUN_CASE");
    srunner_run_all(runner, CK_MINIMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed;
}

/* A client that reads nothing is cut off after a second, or a megabyte. When it wakes up it connects anew, and hears
 * all. */
START_TEST(a_frozen_node_that_its_server_cuts_off_hears_all_when_it_wakes_up) {
    int status;
    begin();
    publishes[2] = false;
    server_configure(0, "max_pending: 1MB\nwrite_deadline: \"1s\"\nmax_payload: 262144\n");
    server_start(0);
    pid_t pid = start_elsewhere(servers[0].url);
    start(0, servers[0].url);
    start(1, servers[0].url);
    WAIT(all_up());
    join_all();
    WAIT(shared->joined);
    unsigned number = publish_for(0, 100);
    WAIT(all_heard(number));
    kill(pid, SIGSTOP);
    usual_size = 24000; /* before the subscription of the frozen node expires */
    while (!server_said(0, "Slow Consumer"))
        number = publish_for(number, 20);
    usual_size = 128;
    kill(pid, SIGCONT);
    number = publish_for(number, 100);
    WAIT(all_heard(number));
    all_is_accounted_for();
    shared->stop = true;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_ge(shared->connects, 2);
    end();
}
END_TEST

/* ----------------------------------------------------------------------------------------- TLS */

static void make_certificate(const char *dir) {
    char command[512];
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
             "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout %s/key.pem "
             "-out %s/cert.pem 2>/dev/null",
             dir, dir);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(tls_is_spoken_with_a_server_whose_certificate_is_signed) {
    char dir[] = "/tmp/wsfan-tls-XXXXXX";
    char text[256];
    char ca[64];
    char url[64];
    begin();
    ck_assert_ptr_nonnull(mkdtemp(dir));
    make_certificate(dir);
    snprintf(ca, sizeof ca, "%s/cert.pem", dir);
    snprintf(text, sizeof text, "tls { cert_file: \"%s/cert.pem\", key_file: \"%s/key.pem\" }\n",
             dir, dir);
    server_configure(0, text);
    server_start(0);
    snprintf(url, sizeof url, "tls://127.0.0.1:%d", servers[0].port);
    wsfan_nats_options how = wire_options(url);
    how.ca_file = ca;
    for (int i = 0; i < NODES; i++)
        ck_assert_int_eq(open_node(i, &how, patient_options()), WSFAN_OK);
    WAIT(all_up());
    stop(0);
    how.ca_file = NULL; /* the system's do not sign it */
    ck_assert_int_eq(open_node(0, &how, patient_options()), WSFAN_EKEY);
    stop(0);
    how = wire_options(servers[0].url); /* plain text */
    ck_assert_int_eq(open_node(0, &how, patient_options()), WSFAN_EKEY);
    end();
    snprintf(text, sizeof text, "%s/key.pem", dir);
    unlink(text);
    unlink(ca);
    rmdir(dir);
}
END_TEST

SUITE_RUN("nats", nodes_meet_over_a_server_and_hear_each_other,
          a_node_opens_without_a_server_and_meets_the_others_when_there_is_one,
          a_server_that_is_killed_and_comes_back_loses_nothing,
          a_server_that_is_frozen_loses_nothing,
          a_server_that_says_who_it_is_and_nothing_more_is_given_up_and_another_one_found,
          a_server_that_asks_for_tls_and_says_nothing_more_is_given_up,
          nodes_at_a_cluster_of_three_go_on_when_a_server_is_killed,
          a_frozen_node_that_its_server_cuts_off_hears_all_when_it_wakes_up,
          the_example_of_accounts_lets_nodes_in_by_nkey_and_password, who_is_not_let_in_is_told_why,
          a_server_with_a_small_max_payload_is_refused_with_both_sizes,
          options_out_of_their_ranges_are_refused, a_slow_reader_gets_all_or_is_told,
          queues_keep_within_their_limits, tls_is_spoken_with_a_server_whose_certificate_is_signed)

int main(int argc, char **argv) {
    return argc == 3 ? run_elsewhere(argv[1], argv[2]) : run_suite();
}
