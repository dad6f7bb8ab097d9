#include "servers.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "network.h"

enum { PORT = 4222, ROUTES = 6222 };

static pid_t pids[SERVERS_COUNT]; /* 0: does not run */

bool servers_exist(void) {
#ifdef NATS_SERVER
    return true;
#else
    return false;
#endif
}

#ifdef NATS_SERVER
static void become_server(unsigned server) {
    char address[NETWORK_ENDPOINT_SIZE];
    char port[8];
    char routes[40];
    char other[40];
    network_name_server(server, address);
    snprintf(port, sizeof port, "%d", PORT);
    snprintf(routes, sizeof routes, "nats://127.0.0.1:%u", ROUTES + server);
    snprintf(other, sizeof other, "nats://127.0.0.1:%u", ROUTES + (server + 1) % SERVERS_COUNT);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execl(NATS_SERVER, "nats-server", "-a", address, "-p", port, "--cluster_name", "recorders",
          "--cluster", routes, "--routes", other, "-l", "/dev/null", (char *)NULL);
    _exit(EXIT_FAILURE);
}
#else
static void become_server(unsigned server) {
    (void)server;
    _exit(EXIT_FAILURE);
}
#endif

bool servers_start(unsigned server) {
    pids[server] = fork();
    if (pids[server] == 0)
        become_server(server);
    if (pids[server] < 0)
        perror("a server of NATS");
    return pids[server] > 0;
}

void servers_kill(unsigned server) {
    kill(pids[server], SIGKILL);
    waitpid(pids[server], NULL, 0);
    pids[server] = 0;
}

void servers_signal(unsigned server, int signal) {
    kill(pids[server], signal);
}

void servers_urls(char out[SERVERS_URLS_SIZE]) {
    char first[NETWORK_ENDPOINT_SIZE];
    char second[NETWORK_ENDPOINT_SIZE];
    network_name_server(0, first);
    network_name_server(1, second);
    snprintf(out, SERVERS_URLS_SIZE, "nats://%.15s:%d,nats://%.15s:%d", first, PORT, second, PORT);
}
