/* Looking whether anybody listens at an address. */
#include "mesh/tcp_probe.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

enum { NODE = 7, PATIENCE_MS = 30000 };

typedef struct {
    unsigned count;
    wsf_tcp_outcome outcome;
} answers;

static void on_answer(void *user, uint64_t node, wsf_tcp_outcome outcome) {
    answers *a = user;
    ck_assert_uint_eq(node, NODE);
    a->count++;
    a->outcome = outcome;
}

/* A bound socket, and its endpoint. */
static int bind_somewhere(char endpoint[64]) {
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    snprintf(endpoint, 64, "tcp://127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

static void probe(wsf_tcp_probes *probes, const char *endpoint) {
    struct epoll_event event;
    wsf_tcp_probes_begin(probes, NODE, endpoint, 0);
    if (wsf_tcp_probes_deadline(probes) == 0)
        return; /* the answer came at once */
    ck_assert_int_eq(epoll_wait(probes->watch_fd, &event, 1, PATIENCE_MS), 1);
    wsf_tcp_probes_note(probes, event.data.u32 - probes->watch_number, 0);
}

static void expect_answer(wsf_tcp_probes *probes, wsf_tcp_outcome outcome) {
    answers a = { 0 };
    wsf_tcp_probes_tell(probes, 0, on_answer, &a);
    ck_assert_uint_eq(a.count, 1);
    ck_assert_int_eq(a.outcome, outcome);
    ck_assert_uint_eq(wsf_tcp_probes_deadline(probes), UINT64_MAX);
}

START_TEST(who_listens_is_told_from_who_does_not) {
    char endpoint[64];
    int fd = bind_somewhere(endpoint);
    wsf_tcp_probes probes = { .watch_fd = epoll_create1(EPOLL_CLOEXEC) };
    probe(&probes, endpoint);
    expect_answer(&probes, WSF_TCP_REFUSED);
    ck_assert_int_eq(listen(fd, 1), 0);
    probe(&probes, endpoint);
    expect_answer(&probes, WSF_TCP_ACCEPTED);
    close(fd);
    close(probes.watch_fd);
}
END_TEST

/* A child that the host forks meanwhile keeps the connection open, which epoll then watches still. */
START_TEST(a_probe_that_has_ended_is_not_watched_any_more) {
    char endpoint[64];
    struct epoll_event event;
    int fd = bind_somewhere(endpoint);
    wsf_tcp_probes probes = { .watch_fd = epoll_create1(EPOLL_CLOEXEC) };
    ck_assert_int_eq(listen(fd, 1), 0);
    probe(&probes, endpoint);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        alarm(PATIENCE_MS / 1000);
        pause();
        _exit(0);
    }
    expect_answer(&probes, WSF_TCP_ACCEPTED);
    ck_assert_int_eq(epoll_wait(probes.watch_fd, &event, 1, 0), 0);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    close(fd);
    close(probes.watch_fd);
}
END_TEST

SUITE_MAIN("tcp_probe", who_listens_is_told_from_who_does_not,
           a_probe_that_has_ended_is_not_watched_any_more)
