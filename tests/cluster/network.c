#include "network.h"

#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTSIDE = NETWORK_HOSTS_MAX, COMMAND_SIZE = 512 };

static int spaces[NETWORK_HOSTS_MAX + 1]; /* descriptors; the last: where the bridge is */
static unsigned cuts[NETWORK_HOSTS_MAX][NETWORK_HOSTS_MAX];

static bool enter(unsigned space) {
    return setns(spaces[space], CLONE_NEWNET) == 0;
}

bool network_enter(unsigned host) {
    return enter(host);
}

/* Runs a shell's commands in a namespace. */
static bool run(unsigned space, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool run(unsigned space, const char *format, ...) {
    char command[COMMAND_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    pid_t pid = fork();
    if (pid == 0) {
        if (enter(space))
            execl("/bin/sh", "sh", "-ec", command, (char *)NULL);
        _exit(EXIT_FAILURE);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        fprintf(stderr, "failed: %s\n", command);
        return false;
    }
    return true;
}

static bool open_space(unsigned space) {
    return (spaces[space] = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) >= 0;
}

static bool make_host(unsigned host) {
    if (unshare(CLONE_NEWNET) != 0 || !open_space(host) || !enter(OUTSIDE)) {
        perror("a network namespace");
        return false;
    }
    return run(OUTSIDE,
               "ip link add port%u type veth peer name eth0 netns /proc/%d/fd/%d;"
               "ip link set port%u master bridge0 up",
               host, (int)getpid(), spaces[host], host) &&
           run(host,
               "ip link set lo up; ip link set eth0 up;"
               "ip address add 10.99.0.%u/24 dev eth0; ip address add 10.99.0.%u/24 dev eth0;"
               "nft 'add table ip cut; add set ip cut from { type ipv4_addr; };"
               "add chain ip cut in { type filter hook input priority 0; };"
               "add rule ip cut in ip saddr @from drop'",
               host + 1, host + 101);
}

bool network_make(unsigned hosts) {
    if (!open_space(OUTSIDE) ||
        !run(OUTSIDE, "ip link add bridge0 type bridge; ip link set bridge0 up"))
        return false;
    for (unsigned host = 0; host < hosts; host++)
        if (!make_host(host))
            return false;
    return true;
}

void network_endpoint(unsigned host, unsigned address, char out[NETWORK_ENDPOINT_SIZE]) {
    snprintf(out, NETWORK_ENDPOINT_SIZE, "tcp://10.99.0.%u:7000", host + 1 + 100 * address);
}

void network_cut(unsigned from, unsigned to, bool cut) {
    unsigned *count = &cuts[from][to];
    unsigned before = *count;
    *count = cut ? before + 1 : before - 1;
    if ((before == 0) == (*count == 0))
        return;
    if (!run(to, "nft %s element ip cut from '{ 10.99.0.%u, 10.99.0.%u }'", cut ? "add" : "delete",
             from + 1, from + 101))
        abort();
}

void network_plug(unsigned host, bool plugged) {
    if (!run(OUTSIDE, "ip link set port%u %s", host, plugged ? "up" : "down"))
        abort();
}
