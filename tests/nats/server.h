/* Servers of NATS on free ports of loopback, started, frozen and killed by tests. */
#ifndef SERVER_H
#define SERVER_H

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SERVERS_MAX = 3, SERVER_START_MS_MAX = 10000 };

typedef struct {
    pid_t pid; /* 0: it does not run */
    int port;
    int log_fd; /* what it has said, from its last start on */
    int routes; /* port of the routes of a cluster; 0: it is alone */
    char url[64];
    char config[256]; /* path; "": none */
    bool own_config;  /* made by server_configure() */
} server;

static server servers[SERVERS_MAX];

/* Not of those that the system gives to connections: one of these may take a port before the server does. */
static inline int server_free_port(void) {
    enum { PORT_MIN = 10000, PORTS_COUNT = 20000 };
    static unsigned random;
    struct sockaddr_in address = { .sin_family = AF_INET };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (random == 0)
        random = (unsigned)getpid() ^ (unsigned)time(NULL);
    for (;;) {
        int port = PORT_MIN + rand_r(&random) % PORTS_COUNT;
        address.sin_port = htons((uint16_t)port);
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        ck_assert_int_ge(fd, 0);
        int error = bind(fd, (struct sockaddr *)&address, sizeof address);
        close(fd);
        if (error == 0)
            return port;
    }
}

static inline bool server_listens(int port) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool listens = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return listens;
}

static inline void server_await(const server *s) {
    const struct timespec pause = { 0, 5000000 };
    for (int ms = 0; !server_listens(s->port); ms += 5) {
        ck_assert_int_lt(ms, SERVER_START_MS_MAX);
        ck_assert_int_eq(waitpid(s->pid, NULL, WNOHANG), 0);
        nanosleep(&pause, NULL);
    }
}

/* At the port that it had before, if there is one. */
static inline void server_start(int i) {
    server *s = &servers[i];
    char port[16];
    char cluster[64];
    char routes[256] = "";
    if (s->port == 0)
        s->port = server_free_port();
    snprintf(port, sizeof port, "%d", s->port);
    snprintf(s->url, sizeof s->url, "nats://127.0.0.1:%d", s->port);
    snprintf(cluster, sizeof cluster, "nats://127.0.0.1:%d", s->routes);
    for (int other = 0; other < SERVERS_MAX && s->routes != 0; other++)
        if (other != i && servers[other].routes != 0)
            snprintf(routes + strlen(routes), sizeof routes - strlen(routes),
                     "%snats://127.0.0.1:%d", routes[0] != '\0' ? "," : "", servers[other].routes);
    const char *arguments[16] = { NATS_SERVER, "-a", "127.0.0.1", "-p", port };
    int count = 5;
    if (s->config[0] != '\0') {
        arguments[count++] = "-c";
        arguments[count++] = s->config;
    }
    if (s->routes != 0) {
        const char *more[] = { "--cluster_name", "c", "--cluster", cluster, "--routes", routes };
        memcpy(&arguments[count], more, sizeof more);
    }
    s->log_fd = memfd_create("nats", MFD_CLOEXEC);
    ck_assert_int_ge(s->log_fd, 0);
    s->pid = fork();
    ck_assert_int_ge(s->pid, 0);
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(s->log_fd, 2);
        execv(NATS_SERVER, (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    server_await(s);
}

static inline void server_signal(int i, int signal) {
    kill(servers[i].pid, signal);
}

/* Whether it has said this. */
static inline bool server_said(int i, const char *text) {
    char log[16384];
    ssize_t size = pread(servers[i].log_fd, log, sizeof log - 1, 0);
    log[size > 0 ? size : 0] = '\0';
    return strstr(log, text) != NULL;
}

static inline void server_kill(int i) {
    server *s = &servers[i];
    if (s->pid == 0)
        return;
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    close(s->log_fd);
    s->pid = 0;
}

static inline void servers_stop(void) {
    for (int i = 0; i < SERVERS_MAX; i++) {
        server_kill(i);
        if (servers[i].own_config)
            unlink(servers[i].config);
        servers[i] = (server){ 0 };
    }
}

/* A configuration file of this text. */
static inline void server_configure(int i, const char *text) {
    server *s = &servers[i];
    snprintf(s->config, sizeof s->config, "/tmp/wsfan-nats-XXXXXX");
    s->own_config = true;
    int fd = mkstemp(s->config);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

#endif
