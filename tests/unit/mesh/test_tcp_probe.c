/* Looking whether anybody listens at an address. */
#include "mesh/tcp_probe.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
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

/* ------------------------------------------------------------------------------------ greetings */

static wsf_tcp_outcome outcome_of(wsf_tcp_probes *probes, const char *endpoint, int listener,
                                  const void *said, size_t size, bool hangs_up) {
    answers a = { 0 };
    uint64_t ms = 0;
    uint8_t heard[WSF_GREETING_SIZE];
    wsf_tcp_probes_begin(probes, NODE, endpoint, ms);
    int fd = accept(listener, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(send(fd, said, size, MSG_NOSIGNAL), (ssize_t)size);
    for (bool whole = false; a.count == 0;) {
        struct epoll_event events[4];
        int count = epoll_wait(probes->watch_fd, events, 4, 20);
        for (int i = 0; i < count; i++)
            wsf_tcp_probes_note(probes, events[i].data.u32 - probes->watch_number, ms);
        ms += 20; /* the rest of the greeting, and the end, come by this clock */
        if (!whole && recv(fd, heard, sizeof heard, MSG_PEEK | MSG_DONTWAIT) == sizeof heard) {
            whole = true; /* only then a node says more, or hangs up */
            ck_assert_str_eq((const char *)heard + 12, probes->keyed ? "CURVE" : "NULL");
            if (hangs_up)
                shutdown(fd, SHUT_RDWR);
        }
        wsf_tcp_probes_tell(probes, ms, on_answer, &a);
    }
    close(fd);
    ck_assert_uint_eq(a.count, 1);
    return a.outcome;
}

/* A greeting of ZMTP 3 (ZeroMQ RFC 23). */
static void greeting_of(uint8_t greeting[WSF_GREETING_SIZE], const char *mechanism) {
    memset(greeting, 0, WSF_GREETING_SIZE);
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    memcpy(greeting + 12, mechanism, strlen(mechanism));
}

START_TEST(a_greeting_tells_what_is_at_an_address) {
    char endpoint[64];
    uint8_t plain[WSF_GREETING_SIZE];
    uint8_t keyed[WSF_GREETING_SIZE];
    int fd = bind_somewhere(endpoint);
    ck_assert_int_eq(listen(fd, 4), 0);
    greeting_of(plain, "NULL");
    greeting_of(keyed, "CURVE");
    for (int own = 0; own < 2; own++) {
        wsf_tcp_probes probes = { .watch_fd = epoll_create1(EPOLL_CLOEXEC),
                                  .greets = true,
                                  .keyed = own == 1 };
        ck_assert_int_eq(outcome_of(&probes, endpoint, fd, plain, sizeof plain, true),
                         WSF_TCP_PLAIN);
        ck_assert_int_eq(outcome_of(&probes, endpoint, fd, keyed, sizeof keyed, true),
                         WSF_TCP_KEYED);
        ck_assert_int_eq(outcome_of(&probes, endpoint, fd, keyed, sizeof keyed, false),
                         WSF_TCP_KEYED);
        ck_assert_int_eq(outcome_of(&probes, endpoint, fd, "SSH-2.0-x\r\n", 11, false),
                         WSF_TCP_FOREIGN);
        ck_assert_int_eq(outcome_of(&probes, endpoint, fd, "", 0, false), WSF_TCP_MUTE);
        ck_assert_int_eq(outcome_of(&probes, endpoint, fd, "", 0, true), WSF_TCP_FOREIGN);
        ck_assert_int_eq(outcome_of(&probes, endpoint, fd, plain, 11, false), WSF_TCP_MUTE);
        close(probes.watch_fd);
    }
    close(fd);
}
END_TEST

/* As ZeroMQ does it: its mechanism follows when it has read which version the other side speaks, and it hangs up
 * when it has read another mechanism than its own, with what it had yet to send. */
static wsf_tcp_outcome outcome_of_node(wsf_tcp_probes *probes, const char *endpoint, int listener,
                                       const uint8_t greeting[WSF_GREETING_SIZE]) {
    enum { SIGNATURE_SIZE = 10 };
    answers a = { 0 };
    uint8_t heard[WSF_GREETING_SIZE];
    bool told = false;
    wsf_tcp_probes_begin(probes, NODE, endpoint, 0);
    int fd = accept(listener, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(send(fd, greeting, SIGNATURE_SIZE, MSG_NOSIGNAL), SIGNATURE_SIZE);
    for (uint64_t ms = 0; a.count == 0; ms += 20) {
        struct epoll_event events[4];
        int count = epoll_wait(probes->watch_fd, events, 4, 20);
        for (int i = 0; i < count; i++)
            wsf_tcp_probes_note(probes, events[i].data.u32 - probes->watch_number, ms);
        ssize_t size = recv(fd, heard, sizeof heard, MSG_PEEK | MSG_DONTWAIT);
        if (size == WSF_GREETING_SIZE) {
            shutdown(fd, SHUT_RDWR);
        } else if (size > SIGNATURE_SIZE && !told) {
            told = true;
            ck_assert_int_gt(send(fd, greeting + SIGNATURE_SIZE, WSF_GREETING_SIZE - SIGNATURE_SIZE,
                                  MSG_NOSIGNAL),
                             0);
        }
        wsf_tcp_probes_tell(probes, ms, on_answer, &a);
    }
    close(fd);
    return a.outcome;
}

START_TEST(a_node_that_hangs_up_on_our_mechanism_has_told_its_own) {
    char endpoint[64];
    uint8_t plain[WSF_GREETING_SIZE];
    uint8_t keyed[WSF_GREETING_SIZE];
    int fd = bind_somewhere(endpoint);
    ck_assert_int_eq(listen(fd, 4), 0);
    greeting_of(plain, "NULL");
    greeting_of(keyed, "CURVE");
    for (int own = 0; own < 2; own++) {
        wsf_tcp_probes probes = { .watch_fd = epoll_create1(EPOLL_CLOEXEC),
                                  .greets = true,
                                  .keyed = own == 1 };
        ck_assert_int_eq(outcome_of_node(&probes, endpoint, fd, plain), WSF_TCP_PLAIN);
        ck_assert_int_eq(outcome_of_node(&probes, endpoint, fd, keyed), WSF_TCP_KEYED);
        close(probes.watch_fd);
    }
    close(fd);
}
END_TEST

SUITE_MAIN("tcp_probe", who_listens_is_told_from_who_does_not,
           a_probe_that_has_ended_is_not_watched_any_more, a_greeting_tells_what_is_at_an_address,
           a_node_that_hangs_up_on_our_mechanism_has_told_its_own)
