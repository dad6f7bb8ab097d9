/* opening.c - clients that come into one chat of echo-chat, one after another: the time until all are in and have been
 * told that all are, and what the replicas sent, used and took for it. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ws_service.h"

enum { REPLICAS_USUAL = 3, CLIENTS = 10000, CLIENTS_QUICK = 150, EVENTS_MAX = 512, STALL_S = 60 };

struct visitor {
    struct ws_client client;
    struct opening *crowd;
    bool joined;
    uint64_t users; /* that it was told of last */
};

struct opening {
    struct ws_service service;
    struct visitor *visitors;
    unsigned count;
    int epoll;
    unsigned joined;
    unsigned complete; /* that were told of all */
    uint64_t bytes, frames;
    int64_t heard_ns;
};

static void on_text(struct ws_client *client, const char *text, size_t size) {
    static const char users[] = "\"users\":";
    struct visitor *visitor = client->user;
    struct opening *crowd = visitor->crowd;
    crowd->bytes += size;
    crowd->frames++;
    if (memmem(text, size, "\"type\":\"joined\"", 15) != NULL && !visitor->joined) {
        visitor->joined = true;
        crowd->joined++;
        crowd->heard_ns = now_ns();
    }
    const char *at = memmem(text, size, users, sizeof users - 1);
    if (at == NULL)
        return;
    crowd->complete -= visitor->users == crowd->count;
    visitor->users = strtoull(at + sizeof users - 1, NULL, 10); /* a comma follows */
    crowd->complete += visitor->users == crowd->count;
}

static void receive(struct opening *crowd, int timeout_ms) {
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(crowd->epoll, events, EVENTS_MAX, timeout_ms);
    for (int i = 0; i < count; i++)
        ws_receive(events[i].data.ptr, on_text);
    if (now_ns() - crowd->heard_ns > STALL_S * INT64_C(1000000000))
        die("of %u clients %u are in, and %u know of all", crowd->count, crowd->joined,
            crowd->complete);
}

static void enter(struct opening *crowd, unsigned i) {
    struct visitor *visitor = &crowd->visitors[i];
    visitor->crowd = crowd;
    visitor->client.user = visitor;
    ws_service_enter(&crowd->service, &visitor->client, i % crowd->service.replicas_count, 0, i);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = &visitor->client };
    if (epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, visitor->client.fd, &event) != 0)
        die("epoll_ctl");
}

static double rss_bytes(pid_t pid) {
    static const char key[] = "VmRSS:";
    char path[64], line[256];
    unsigned long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        die("no %s", path);
    while (kib == 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, key, sizeof key - 1) == 0)
            kib = strtoul(line + sizeof key - 1, NULL, 10);
    fclose(file);
    return (double)kib * 1024;
}

static double rss_of_all(const struct ws_service *service) {
    double sum = 0;
    for (unsigned i = 0; i < service->replicas_count; i++)
        sum += rss_bytes(service->replicas[i].pid);
    return sum;
}

enum value { OPEN_S, CPU_S, BYTES, FRAMES, RSS, VALUES };

static void run(const struct settings *settings, unsigned count, double values[VALUES]) {
    struct opening crowd = { .count = count };
    crowd.visitors = calloc(count, sizeof *crowd.visitors);
    crowd.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (crowd.visitors == NULL || crowd.epoll < 0)
        die("out of memory");
    ws_service_open(&crowd.service, settings,
                    settings->replicas > 0 ? settings->replicas : REPLICAS_USUAL, false);
    double cpu_before_s = ws_service_cpu_s(&crowd.service);
    double rss_before = rss_of_all(&crowd.service);
    int64_t begin_ns = now_ns();
    crowd.heard_ns = begin_ns;
    for (unsigned i = 0; i < count; i++) {
        enter(&crowd, i);
        receive(&crowd, 0);
    }
    while (crowd.joined < count || crowd.complete < count)
        receive(&crowd, 10);
    values[OPEN_S] = (double)(now_ns() - begin_ns) / 1e9;
    values[CPU_S] = ws_service_cpu_s(&crowd.service) - cpu_before_s;
    values[BYTES] = (double)crowd.bytes / count;
    values[FRAMES] = (double)crowd.frames / count;
    values[RSS] = (rss_of_all(&crowd.service) - rss_before) / count;
    for (unsigned i = 0; i < count; i++)
        close(crowd.visitors[i].client.fd);
    ws_service_close(&crowd.service);
    close(crowd.epoll);
    free(crowd.visitors);
}

int opening_main(const struct settings *settings) {
    static const char *const names[VALUES] = { "open_s", "cpu_s", "bytes_per_client",
                                               "frames_per_client", "rss_bytes_per_client" };
    struct rlimit limit;
    unsigned count = settings->sessions > 0 ? (unsigned)settings->sessions
                     : settings->quick      ? CLIENTS_QUICK
                                            : CLIENTS;
    unsigned runs = settings->runs > 0 ? settings->runs : 1;
    double values[RUNS_MAX][VALUES];
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    report_number(count, "clients");
    for (unsigned r = 0; r < runs; r++)
        run(settings, count, values[r]);
    for (unsigned v = 0; v < VALUES; v++) {
        double of_runs[RUNS_MAX];
        for (unsigned r = 0; r < runs; r++)
            of_runs[r] = values[r][v];
        report_median(of_runs, runs, "%s", names[v]);
    }
    return 0;
}
