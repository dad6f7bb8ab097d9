/* broker.c - starts servers of others, on a free port of loopback, with nothing kept on disk. */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { START_S_MAX = 10 };

static struct sockaddr_in loopback(int port) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* Somebody else may take it before the server does; then the server ends, and so do we. */
static int free_port(void) {
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        die("no free port: %s", strerror(errno));
    close(fd);
    return ntohs(address.sin_port);
}

static void await_listening(int port, const char *name) {
    struct sockaddr_in address = loopback(port);
    int64_t deadline_ns = now_ns() + START_S_MAX * INT64_C(1000000000);
    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        int result = connect(fd, (struct sockaddr *)&address, sizeof address);
        close(fd);
        if (result == 0)
            return;
        if (now_ns() > deadline_ns)
            die("%s does not listen after %d s; is it installed?", name, START_S_MAX);
        pause_us(10000);
    }
}

pid_t start_redis(char port[BROKER_PORT_SIZE]) {
    int number = free_port();
    snprintf(port, BROKER_PORT_SIZE, "%d", number);
    char *arguments[] = {
        "redis-server", "--port", port,           "--bind", "127.0.0.1",
        "--save",       "",       "--appendonly", "no",     "--client-output-buffer-limit",
        "pubsub 0 0 0", NULL
    };
    pid_t pid = spawn(arguments, -1);
    await_listening(number, arguments[0]);
    return pid;
}

void broker_redis(struct stage *stage) {
    stage->broker = start_redis(stage->address);
}

void broker_nats(struct stage *stage) {
    char port[16];
    int number = free_port();
    snprintf(port, sizeof port, "%d", number);
    char *arguments[] = { "nats-server", "-a", "127.0.0.1", "-p", port, NULL };
    stage->broker = spawn(arguments, -1);
    await_listening(number, arguments[0]);
    snprintf(stage->address, sizeof stage->address, "nats://127.0.0.1:%s", port);
}
