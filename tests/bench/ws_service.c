/* ws_service.c - starts the servers, and says what their clients say first. */
#include "ws_service.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES_MAX = 16384 };

/* Socket.IO's clients speak Engine.IO 4 in WebSocket: "40" opens the namespace, "42" is an event. */
struct ws_service_kind {
    const char *path;        /* before the query */
    const char *hello;       /* NULL: none */
    const char *begin, *end; /* of what is said */
};

static const struct ws_service_kind echo_chat = { "/ws?", NULL, "", "" };
static const struct ws_service_kind socket_io = { "/socket.io/?EIO=4&transport=websocket&", "40",
                                                  "42[\"say\",\"", "\"]" };

/* Reads where it is from its first line. */
static void start(struct ws_replica *replica, char *const arguments[]) {
    int output[2];
    char line[512];
    if (pipe2(output, O_CLOEXEC) != 0)
        die("no pipe");
    replica->pid = spawn(arguments, output[1]);
    close(output[1]);
    FILE *file = fdopen(output[0], "r");
    if (file == NULL || fgets(line, sizeof line, file) == NULL ||
        sscanf(line, "ready: node %*s page http://127.0.0.1:%d/, mesh %127s", &replica->port,
               replica->mesh) != 2)
        die("%s does not start", arguments[0]);
    fclose(file); /* it has nothing more to say */
}

static void start_echo_chat(struct ws_service *service, const char *program) {
    struct ws_replica *first = service->replicas;
    for (unsigned i = 0; i < service->replicas_count; i++) {
        char *arguments[] = { (char *)(uintptr_t)program, "--listen", "127.0.0.1:0", "--mesh",
                              "tcp://127.0.0.1:*",        "--join",   first->mesh,   NULL };
        if (i == 0)
            arguments[5] = NULL;
        start(&service->replicas[i], arguments);
    }
}

static void start_socket_io(struct ws_service *service) {
    char port[16];
    service->redis = start_redis(port);
    for (unsigned i = 0; i < service->replicas_count; i++)
        start(&service->replicas[i], (char *[]){ "node", SOCKET_IO "/server.mjs", port, NULL });
}

void ws_service_open(struct ws_service *service, const struct settings *settings, unsigned replicas,
                     bool is_socket_io) {
    *service = (struct ws_service){ .kind = is_socket_io ? &socket_io : &echo_chat,
                                    .replicas_count = replicas };
    if (is_socket_io)
        start_socket_io(service);
    else
        start_echo_chat(service, settings->echo_chat);
}

void ws_service_close(struct ws_service *service) {
    for (unsigned i = 0; i < service->replicas_count; i++)
        kill(service->replicas[i].pid, SIGTERM);
    for (unsigned i = 0; i < service->replicas_count; i++)
        reap(service->replicas[i].pid, SIGTERM);
    if (service->redis != 0)
        reap(service->redis, SIGTERM);
}

double ws_service_cpu_s(const struct ws_service *service) {
    double sum = service->redis != 0 ? cpu_s(service->redis) : 0;
    for (unsigned i = 0; i < service->replicas_count; i++)
        sum += cpu_s(service->replicas[i].pid);
    return sum;
}

void ws_service_enter(const struct ws_service *service, struct ws_client *client, unsigned replica,
                      unsigned chat, unsigned user) {
    char path[128];
    snprintf(path, sizeof path, "%schat=chat-%u&user=user-%u", service->kind->path, chat, user);
    ws_open(client, service->replicas[replica].port, path);
    if (service->kind->hello != NULL)
        ws_send(client, service->kind->hello, strlen(service->kind->hello));
}

void ws_service_say(const struct ws_service *service, struct ws_client *client, const char *text,
                    size_t size) {
    char said[TEXT_BYTES_MAX];
    int length = snprintf(said, sizeof said, "%s%.*s%s", service->kind->begin, (int)size, text,
                          service->kind->end);
    if (length < 0 || (size_t)length >= sizeof said)
        die("a text of %zu bytes", size);
    ws_send(client, said, (size_t)length);
}
