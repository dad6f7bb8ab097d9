#include "network.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switch.h"

enum {
    OUTSIDE = NETWORK_NAME_SERVER, /* where the calling process and the name server are */
    NET = 10 << 24 | 99 << 16,     /* 10.99.0.0/24 */
    NAME_SERVER = 254,
    SERVICE = 200,
    SECOND = 100, /* between the two addresses of a host */
    COMMAND_SIZE = 256
};

_Static_assert((int)NETWORK_HOSTS_MAX < SWITCH_PORTS_MAX, "a port for each, and the name server's");

static int spaces[NETWORK_HOSTS_MAX + 1]; /* descriptors */
static int devices[NETWORK_HOSTS_MAX + 1];
static pid_t name_server;

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

uint32_t network_address(unsigned host, unsigned address) {
    return NET + host + 1 + SECOND * address;
}

static int skip(const char *what) {
    perror(what);
    return NETWORK_SKIPPED;
}

/* A device eth0 in the namespace in which the caller is. */
static int open_device(unsigned space) {
    struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI, .ifr_name = "eth0" };
    devices[space] = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (devices[space] < 0 || ioctl(devices[space], TUNSETIFF, &request) != 0)
        return skip("a TUN device");
    switch_add_port(space, devices[space]);
    return 0;
}

/* The two addresses end in these numbers. TCP's congestion control is Reno, which every kernel has: BBR takes a wire that was
 * slow, and lost what was over its room, for a policed one, and goes on at that rate for 48 round trips after the wire is fast
 * again, which are longer than any bound here. */
static int make_space(unsigned space, unsigned first, unsigned second) {
    if (unshare(CLONE_NEWNET) != 0)
        return skip("a network namespace");
    if ((spaces[space] = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) < 0)
        return skip("a network namespace");
    int status = open_device(space);
    if (status != 0)
        return status;
    switch_add_address(space, NET + first);
    switch_add_address(space, NET + second);
    return run(space,
               "echo reno >/proc/sys/net/ipv4/tcp_congestion_control;"
               "ip link set lo up; ip link set eth0 up;"
               "ip address add 10.99.0.%u/24 dev eth0; ip address add 10.99.0.%u/24 dev eth0",
               first, second)
               ? 0
               : EXIT_FAILURE;
}

/* Files of the network lie in a file system that nobody else sees, at a place where no program lies. */
static bool make_files(void) {
    FILE *file;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", "/mnt", "tmpfs", 0, "size=1m") != 0 ||
        (file = fopen("/mnt/resolv.conf", "w")) == NULL)
        return false;
    fprintf(file, "nameserver 10.99.0.%d\n", NAME_SERVER);
    return fclose(file) == 0 &&
           mount("/mnt/resolv.conf", "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0;
}

int network_make(unsigned hosts, uint64_t seed) {
    if (unshare(CLONE_NEWNS) != 0 || !make_files())
        return skip("a mount namespace");
    for (unsigned host = 0; host < hosts; host++) {
        int status = make_space(host, host + 1, host + 1 + SECOND);
        if (status != 0)
            return status;
    }
    int status = make_space(OUTSIDE, NAME_SERVER, NAME_SERVER - 1);
    return status != 0 || switch_start(seed) ? status : EXIT_FAILURE;
}

void network_endpoint(unsigned host, unsigned address, char out[NETWORK_ENDPOINT_SIZE]) {
    snprintf(out, NETWORK_ENDPOINT_SIZE, "tcp://10.99.0.%u:%d", host + 1 + SECOND * address,
             NETWORK_PORT);
}

void network_service(char out[NETWORK_ENDPOINT_SIZE]) {
    snprintf(out, NETWORK_ENDPOINT_SIZE, "tcp://10.99.0.%d:%d", SERVICE, NETWORK_PORT);
}

void network_name_server(unsigned address, char out[NETWORK_ENDPOINT_SIZE]) {
    snprintf(out, NETWORK_ENDPOINT_SIZE, "10.99.0.%u", NAME_SERVER - address);
}

void network_set_servers(const uint32_t *addresses, unsigned count) {
    switch_set_servers(NET + SERVICE, addresses, count);
}

void network_plug(unsigned host, bool plugged) {
    int carrier = plugged;
    if (ioctl(devices[host], TUNSETCARRIER, &carrier) != 0)
        abort();
}

static void become_name_server(void) {
    char listen[40];
    snprintf(listen, sizeof listen, "--listen-address=10.99.0.%d", NAME_SERVER);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execlp("dnsmasq", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv",
           "--no-hosts", "--addn-hosts=/mnt/hosts",
           "--user=", "--group=", "--pid-file=", "--bind-interfaces", listen, "--local=/test/",
           "--log-facility=/dev/null", (char *)NULL);
    _exit(EXIT_FAILURE);
}

void network_set_names(const char *hosts) {
    FILE *file = fopen("/mnt/hosts.new", "w");
    if (file == NULL || fputs(hosts, file) < 0 || fclose(file) != 0 ||
        rename("/mnt/hosts.new", "/mnt/hosts") != 0)
        abort();
    if (name_server > 0 && waitpid(name_server, NULL, WNOHANG) == 0) {
        kill(name_server, SIGHUP);
        return;
    }
    void (*handler)(int) = signal(SIGHUP, SIG_IGN); /* until it has one: then it reads the file */
    if (name_server > 0 || (name_server = fork()) < 0) {
        fputs("failed: dnsmasq\n", stderr);
        exit(EXIT_FAILURE);
    }
    if (name_server == 0)
        become_name_server();
    signal(SIGHUP, handler);
}
