/* websocket.c - WebSocket clients on replicas of a chat: the whole way, from the frame
 * that one client sends to those that all members of its chat get.
 *
 * A load runs twice: at a small rate, where latency means something, and with a number of messages
 * on their way at any time, as fast as they go. The CPU time is that of all replicas. With --socket-io the same
 * load runs on Socket.IO by turns, with a node script that does as little as echo-chat. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ws_service.h"

enum {
    REPLICAS_USUAL = 3,
    CLIENTS = 300,
    CLIENTS_QUICK = 12,
    MEMBERS_OF_MANY = 6, /* of each chat, in the load with many chats */
    SENDERS_MAX = 30,
    SIZE = 128,
    HEAD_SIZE = 32, /* number and time, 16 hex digits each */
    RUNS = 3,
    RUN_S = 3,
    WINDOW_USUAL = 24,        /* messages on their way */
    DELIVERIES_PACED = 30000, /* a second */
    SAMPLES = 1 << 20,
    SETTLE_MS = 400,
    STALL_S = 20
};

struct member {
    struct ws_client client;
    struct load *load;
    unsigned chat;
    uint64_t last[SENDERS_MAX]; /* number of the latest message of each, and 1 */
};

struct load {
    const char *prefix; /* of its figures */
    struct ws_service service;
    struct member *members;
    unsigned members_count;
    unsigned chats_count;
    unsigned senders_count;
    unsigned window;
    size_t size;
    char *text; /* what follows the head */
    int epoll;
    uint64_t sent;
    uint64_t done; /* messages that all members got */
    uint64_t deliveries;
    uint32_t *left; /* members that have not got message i, at i modulo RING */
    uint32_t *samples_ns;
    size_t samples_count;
    int64_t heard_ns;
};

enum { RING = 1 << 16, LOADS_MAX = 2, FIGURES = 8 };

/* ------------------------------------------------------------------------------------ receiving */

static uint64_t read_hex(const char *text) {
    char digits[17];
    memcpy(digits, text, 16);
    digits[16] = '\0';
    return strtoull(digits, NULL, 16);
}

static void on_text(struct ws_client *client, const char *text, size_t size) {
    static const char key[] = "\"text\":\"";
    struct member *member = client->user;
    struct load *load = member->load;
    load->heard_ns = now_ns();
    if (memmem(text, size, "\"type\":\"message\"", 16) == NULL)
        return; /* who comes and goes */
    const char *at = memmem(text, size, key, sizeof key - 1);
    if (at == NULL || (size_t)(text + size - at) < sizeof key + load->size)
        die("a message without its text: %.*s", (int)size, text);
    at += sizeof key - 1;
    uint64_t number = read_hex(at);
    int64_t ns = load->heard_ns - (int64_t)read_hex(at + 16);
    uint64_t *last = &member->last[number % load->senders_count];
    if (memcmp(at + HEAD_SIZE, load->text, load->size - HEAD_SIZE) != 0 || at[load->size] != '"')
        die("message %llu has wrong bytes", (unsigned long long)number);
    if (number >= load->sent || number + 1 <= *last ||
        number % load->senders_count % load->chats_count != member->chat)
        die("message %llu comes twice, out of order or to the wrong chat",
            (unsigned long long)number);
    *last = number + 1;
    load->deliveries++;
    if (--load->left[number % RING] == 0)
        load->done++;
    if (load->samples_count < SAMPLES)
        load->samples_ns[load->samples_count++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

static void receive(struct load *load, int timeout_ms) {
    struct epoll_event events[64];
    int count = epoll_wait(load->epoll, events, 64, timeout_ms);
    for (int i = 0; i < count; i++)
        ws_receive(events[i].data.ptr, on_text);
    if (now_ns() - load->heard_ns > STALL_S * INT64_C(1000000000))
        die("%llu messages are missing", (unsigned long long)(load->sent - load->done));
}

/* -------------------------------------------------------------------------------------- sending */

static unsigned members_of(const struct load *load, unsigned chat) {
    return (load->members_count - chat + load->chats_count - 1) / load->chats_count;
}

/* Sender n is a member of chat n modulo their count: so is its place among the members. */
static void send_next(struct load *load) {
    char text[16384];
    unsigned sender = (unsigned)(load->sent % load->senders_count);
    snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)load->sent,
             (unsigned long long)now_ns());
    memcpy(text + HEAD_SIZE, load->text, load->size - HEAD_SIZE);
    load->left[load->sent % RING] = members_of(load, sender % load->chats_count);
    load->sent++;
    load->heard_ns = now_ns();
    ws_service_say(&load->service, &load->members[sender].client, text, load->size);
}

static void drain(struct load *load) {
    while (load->done < load->sent)
        receive(load, 100);
}

/* Numbers begin anew. */
static void reset(struct load *load) {
    load->sent = load->done = load->deliveries = 0;
    load->samples_count = 0;
    for (unsigned i = 0; i < load->members_count; i++)
        memset(load->members[i].last, 0, sizeof load->members[i].last);
}

struct figures {
    double per_s, cpu_us, p50_us, p99_us;
};

/* rate: messages a second; 0: as many as `window` says are on their way. */
static struct figures run(struct load *load, double rate, double seconds) {
    reset(load);
    double cpu_before = ws_service_cpu_s(&load->service);
    int64_t begin_ns = now_ns();
    int64_t end_ns = begin_ns + (int64_t)(seconds * 1e9);
    load->heard_ns = begin_ns;
    while (now_ns() < end_ns) {
        if (rate > 0) {
            int64_t next_ns = begin_ns + (int64_t)((double)load->sent * 1e9 / rate);
            int64_t left_ns = next_ns - now_ns();
            if (left_ns <= 0)
                send_next(load);
            receive(load, left_ns <= 0 ? 0 : (int)(left_ns / 1000000));
        } else {
            while (load->sent - load->done < load->window)
                send_next(load);
            receive(load, 10);
        }
    }
    drain(load);
    double elapsed_s = (double)(now_ns() - begin_ns) / 1e9;
    sort_samples(load->samples_ns, load->samples_count);
    return (struct figures){
        .per_s = (double)load->deliveries / elapsed_s,
        .cpu_us = (ws_service_cpu_s(&load->service) - cpu_before) * 1e6 / (double)load->deliveries,
        .p50_us = percentile(load->samples_ns, load->samples_count, 50) / 1000,
        .p99_us = percentile(load->samples_ns, load->samples_count, 99) / 1000,
    };
}

/* ----------------------------------------------------------------------------------------- load */

static unsigned replicas_of(const struct settings *settings) {
    return settings->replicas > 0 ? settings->replicas : REPLICAS_USUAL;
}

/* One after another, on one replica after another; then until all have been told of all. */
static void open_members(struct load *load) {
    for (unsigned i = 0; i < load->members_count; i++) {
        struct member *member = &load->members[i];
        member->load = load;
        member->chat = i % load->chats_count;
        member->client.user = member;
        /* Neighbours in a chat are on different replicas. */
        unsigned replica = i / load->chats_count % load->service.replicas_count;
        ws_service_enter(&load->service, &member->client, replica, member->chat, i);
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &member->client };
        if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, member->client.fd, &event) != 0)
            die("epoll_ctl");
        load->heard_ns = now_ns();
        receive(load, 0);
    }
    while (now_ns() - load->heard_ns < SETTLE_MS * INT64_C(1000000))
        receive(load, 10);
}

static void open_load(struct load *load, const struct settings *settings, unsigned members_count,
                      unsigned chats_count, bool socket_io) {
    memset(load, 0, sizeof *load);
    load->prefix = socket_io ? "socket_io_" : "";
    load->members_count = members_count;
    load->chats_count = chats_count;
    load->senders_count = members_count < SENDERS_MAX ? members_count : SENDERS_MAX;
    load->window = settings->window > 0 ? settings->window : WINDOW_USUAL;
    load->size = settings->size > HEAD_SIZE ? settings->size : SIZE;
    load->members = calloc(members_count, sizeof *load->members);
    load->left = calloc(RING, sizeof *load->left);
    load->samples_ns = malloc(SAMPLES * sizeof *load->samples_ns);
    load->text = malloc(load->size);
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (load->members == NULL || load->left == NULL || load->samples_ns == NULL ||
        load->text == NULL || load->epoll < 0)
        die("out of memory");
    for (size_t i = 0; i < load->size; i++)
        load->text[i] = (char)('a' + i % 26);
    ws_service_open(&load->service, settings, replicas_of(settings), socket_io);
    open_members(load);
}

static void close_load(struct load *load) {
    for (unsigned i = 0; i < load->members_count; i++)
        close(load->members[i].client.fd);
    ws_service_close(&load->service);
    close(load->epoll);
    free(load->members);
    free(load->left);
    free(load->samples_ns);
    free(load->text);
}

/* Round after round, each load once a round. */
static void measure(const struct settings *settings, const char *name, unsigned members_count,
                    unsigned chats_count) {
    static const char *const names[FIGURES] = {
        "paced_deliveries_per_s", "paced_cpu_us_per_delivery", "paced_p50_us", "paced_p99_us",
        "full_deliveries_per_s",  "full_cpu_us_per_delivery",  "full_p50_us",  "full_p99_us"
    };
    struct load loads[LOADS_MAX];
    unsigned loads_count = settings->socket_io ? 2 : 1;
    double seconds = settings->quick ? 0.2 : (double)RUN_S;
    unsigned runs = settings->runs > 0 ? settings->runs : settings->quick ? 1 : RUNS;
    double rate = settings->rate > 0 ? settings->rate
                                     : (double)DELIVERIES_PACED / (members_count / chats_count);
    double values[LOADS_MAX][FIGURES][RUNS_MAX];
    for (unsigned i = 0; i < loads_count; i++)
        open_load(&loads[i], settings, members_count, chats_count, i > 0);
    for (unsigned r = 0; r < runs; r++)
        for (unsigned i = 0; i < loads_count; i++) {
            struct figures paced = run(&loads[i], rate, seconds);
            struct figures full = run(&loads[i], 0, seconds);
            const double of_run[FIGURES] = { paced.per_s, paced.cpu_us, paced.p50_us, paced.p99_us,
                                             full.per_s,  full.cpu_us,  full.p50_us,  full.p99_us };
            for (unsigned v = 0; v < FIGURES; v++)
                values[i][v][r] = of_run[v];
        }
    for (unsigned i = 0; i < loads_count; i++) {
        for (unsigned v = 0; v < FIGURES; v++)
            report_median(values[i][v], runs, "%s%s_%s", loads[i].prefix, name, names[v]);
        close_load(&loads[i]);
    }
}

int websocket_main(const struct settings *settings) {
    struct rlimit limit;
    unsigned clients = settings->sessions > 0 ? (unsigned)settings->sessions
                       : settings->quick      ? CLIENTS_QUICK
                                              : CLIENTS;
    unsigned many = settings->chat_size > 0 ? settings->chat_size : MEMBERS_OF_MANY;
    unsigned chats = clients > many ? clients / many : 1;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    report_number(replicas_of(settings), "replicas");
    report_number(clients, "clients");
    report_number(settings->size > HEAD_SIZE ? (double)settings->size : (double)SIZE, "size");
    report_number(chats, "many_chats");
    if (settings->chat_size == 0)
        measure(settings, "one_chat", clients, 1);
    measure(settings, "many_chats", clients, chats);
    return 0;
}
