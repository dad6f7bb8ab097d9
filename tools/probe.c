/* probe.c - asks one thing at a time of what listens at an endpoint, with plain sockets as far as they go. */
#include "probe.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include "tool.h"

/* ------------------------------------------------------------------------------------------------ names */

bool target_read(struct target *target, const char *endpoint) {
    *target = (struct target){ 0 };
    target->ipc = strncmp(endpoint, "ipc://", 6) == 0;
    if (target->ipc) {
        snprintf(target->host, sizeof target->host, "%s", endpoint + 6);
        return endpoint[6] != '\0' && strlen(endpoint) < WSFAN_ENDPOINT_SIZE;
    }
    const char *host = endpoint + 6;
    const char *colon = strrchr(endpoint, ':');
    if ((strncmp(endpoint, "tcp://", 6) != 0 && strncmp(endpoint, "dns://", 6) != 0) ||
        colon <= host || strlen(endpoint) >= WSFAN_ENDPOINT_SIZE || strlen(colon + 1) > 5 ||
        colon[1] == '\0' || strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return false;
    bool brackets = *host == '[' && colon[-1] == ']';
    snprintf(target->host, sizeof target->host, "%.*s", (int)(colon - host - 2 * brackets),
             host + brackets);
    snprintf(target->port, sizeof target->port, "%s", colon + 1);
    unsigned char numeric[16];
    target->named = inet_pton(AF_INET, target->host, numeric) != 1 &&
                    inet_pton(AF_INET6, target->host, numeric) != 1;
    return target->host[0] != '\0';
}

static void add_address(struct target *target, const struct addrinfo *info) {
    char host[INET6_ADDRSTRLEN + 32];
    struct address *address = &target->addresses[target->count];
    if (target->count == ADDRESSES_COUNT_MAX ||
        getnameinfo(info->ai_addr, info->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST) !=
            0)
        return;
    memcpy(&address->sockaddr, info->ai_addr, info->ai_addrlen);
    address->size = info->ai_addrlen;
    snprintf(address->endpoint, sizeof address->endpoint,
             info->ai_family == AF_INET6 ? "tcp://[%s]:%s" : "tcp://%s:%s", host, target->port);
    target->count++;
}

static bool resolve_path(struct target *target) {
    struct address *address = &target->addresses[0];
    struct sockaddr_un *path = (struct sockaddr_un *)&address->sockaddr;
    path->sun_family = AF_UNIX;
    snprintf(path->sun_path, sizeof path->sun_path, "%.107s", target->host);
    address->size = sizeof *path;
    snprintf(address->endpoint, sizeof address->endpoint, "ipc://%.130s", target->host);
    target->count = 1;
    return true;
}

bool target_resolve(struct target *target, const char **why) {
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    if (target->ipc)
        return resolve_path(target);
    int error = getaddrinfo(target->host, target->port, &hints, &list);
    *why = error != 0 ? gai_strerror(error) : "no address";
    for (const struct addrinfo *info = list; info != NULL; info = info->ai_next)
        add_address(target, info);
    if (list != NULL)
        freeaddrinfo(list);
    return target->count > 0;
}

/* -------------------------------------------------------------------------------------------------- TCP */

int probe_connect(const struct address *address, unsigned ms) {
    int fd = socket(address->sockaddr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = 0;
    socklen_t size = sizeof error;
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&address->sockaddr, address->size) == 0)
        return fd;
    error = errno;
    if (error == EINPROGRESS) {
        struct pollfd item = { fd, POLLOUT, 0 };
        error = ETIMEDOUT;
        if (poll(&item, 1, (int)ms) == 1 &&
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
            return fd;
    }
    close(fd);
    errno = error;
    return -1;
}

/* --------------------------------------------------------------------------------------------- greeting */

enum { GREETING_SIZE = 64, READ_SIZE_MAX = 512 };

/* Until there are `wanted` bytes, the other side ends, or the time is over. 1, 0: it has ended, -1. */
static int read_until(int fd, unsigned char *data, size_t *size, size_t wanted, uint64_t end_ms) {
    while (*size < wanted) {
        struct pollfd item = { fd, POLLIN, 0 };
        uint64_t ms = now_ms();
        if (ms >= end_ms || poll(&item, 1, (int)(end_ms - ms)) <= 0)
            return -1;
        ssize_t more = recv(fd, data + *size, READ_SIZE_MAX - *size, 0);
        if (more <= 0)
            return 0;
        *size += (size_t)more;
    }
    return 1;
}

/* The beginning of the first line, printable, in zeros. */
static void copy_begin(char *begins, size_t capacity, const void *data, size_t size) {
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size && i + 1 < capacity; i++) {
        if (bytes[i] == '\r' || bytes[i] == '\n')
            break;
        begins[i] = (char)(isprint(bytes[i]) ? bytes[i] : '?');
    }
}

/* Of the command READY (RFC 23), whose properties are a size and a name, a size of 4 bytes and a value. */
static void read_ready(struct greeting *greeting, const unsigned char *data, size_t size) {
    static const unsigned char name[] = "\013Socket-Type";
    const unsigned char *found = memmem(data, size, name, sizeof name - 1);
    if (found == NULL)
        return;
    const unsigned char *value = found + sizeof name - 1;
    size_t left = size - (size_t)(value - data);
    if (left < 4 || value[3] > left - 4 || value[3] >= sizeof greeting->socket_type)
        return;
    memcpy(greeting->socket_type, value + 4, value[3]);
}

/* First only what is the same for all mechanisms: who is told another one than its own ends the connection. */
void probe_greet(int fd, struct greeting *greeting, unsigned ms) {
    static const unsigned char ours[GREETING_SIZE] = { 0xFF, 0,    0, 0, 0,   0,   0,   0,
                                                       1,    0x7F, 3, 1, 'N', 'U', 'L', 'L' };
    enum { VERSION_END = 12 };
    unsigned char data[READ_SIZE_MAX];
    size_t size = 0;
    uint64_t end_ms = now_ms() + ms;
    *greeting = (struct greeting){ .kind = GREETING_CLOSED };
    if (send(fd, ours, VERSION_END, MSG_NOSIGNAL) != VERSION_END)
        return;
    int result = read_until(fd, data, &size, GREETING_SIZE, end_ms);
    if (size > 0 && (data[0] != 0xFF || (size >= 10 && data[9] != 0x7F))) {
        greeting->kind = GREETING_FOREIGN;
        copy_begin(greeting->begins, sizeof greeting->begins, data, size);
        return;
    }
    if (result != 1) {
        greeting->kind = result == 0 ? GREETING_CLOSED : GREETING_SILENT;
        return;
    }
    greeting->kind = GREETED;
    greeting->major = data[10];
    greeting->minor = data[11];
    memcpy(greeting->mechanism, data + VERSION_END, sizeof greeting->mechanism - 1);
    if (strcmp(greeting->mechanism, "NULL") != 0 ||
        send(fd, ours + VERSION_END, GREETING_SIZE - VERSION_END, MSG_NOSIGNAL) < 0)
        return;
    read_until(fd, data, &size, GREETING_SIZE + 2, end_ms); /* READY comes whole */
    read_ready(greeting, data + GREETING_SIZE, size - GREETING_SIZE);
}

/* ------------------------------------------------------------------------------------------------- NATS */

/* The value of a field of INFO, which is one JSON object; NULL: there is none. */
static const char *info_value(const char *text, const char *name) {
    char key[32];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *found = strstr(text, key);
    return found != NULL ? found + strlen(key) + strspn(found + strlen(key), " \t") : NULL;
}

static bool info_says(const char *text, const char *name) {
    const char *value = info_value(text, name);
    return value != NULL && strncmp(value, "true", 4) == 0;
}

/* Reads a line, of which what finds no room does not count. */
static void read_line(int fd, char *text, size_t capacity, uint64_t end_ms) {
    size_t size = 0;
    text[0] = '\0';
    while (size < capacity - 1 && memchr(text, '\n', size) == NULL) {
        struct pollfd item = { fd, POLLIN, 0 };
        uint64_t ms = now_ms();
        if (ms >= end_ms || poll(&item, 1, (int)(end_ms - ms)) <= 0)
            break;
        ssize_t more = recv(fd, text + size, capacity - 1 - size, 0);
        if (more <= 0)
            break;
        size += (size_t)more;
    }
    text[size] = '\0';
}

void probe_nats(int fd, struct nats_info *info, unsigned ms) {
    enum { INFO_SIZE_MAX = 16 * 1024 };
    char text[INFO_SIZE_MAX];
    *info = (struct nats_info){ 0 };
    read_line(fd, text, sizeof text, now_ms() + ms);
    copy_begin(info->begins, sizeof info->begins, text, strlen(text));
    const char *payload = info_value(text, "max_payload");
    if (strncmp(text, "INFO {", 6) != 0 || payload == NULL || !isdigit((unsigned char)*payload))
        return;
    const char *version = info_value(text, "version");
    if (version != NULL && *version == '"')
        copy_begin(info->version, sizeof info->version, version + 1, strcspn(version + 1, "\""));
    info->payload_max = strtoull(payload, NULL, 10);
    info->auth_required = info_says(text, "auth_required");
    info->tls_required = info_says(text, "tls_required");
    info->tls_available = info_says(text, "tls_available");
}

/* ------------------------------------------------------------------------------------------------- keys */

/* The event of a monitor's message, 0: none within the time. */
static unsigned next_event(void *monitor, uint64_t end_ms) {
    zmq_pollitem_t item = { monitor, 0, ZMQ_POLLIN, 0 };
    uint64_t ms = now_ms();
    uint8_t part[256];
    uint16_t event = 0;
    if (ms >= end_ms || zmq_poll(&item, 1, (long)(end_ms - ms)) <= 0)
        return 0;
    if (zmq_recv(monitor, part, sizeof part, 0) >= (int)sizeof event)
        memcpy(&event, part, sizeof event);
    zmq_recv(monitor, part, sizeof part, 0); /* the endpoint */
    return event;
}

static enum key_result watch(void *monitor, unsigned ms) {
    uint64_t end_ms = now_ms() + ms;
    for (;;) {
        switch (next_event(monitor, end_ms)) {
        case 0:
            return KEY_SILENT;
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
            return KEY_TAKEN;
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
            return KEY_REFUSED;
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        case ZMQ_EVENT_DISCONNECTED:
            return KEY_OTHER;
        default:
            break;
        }
    }
}

enum key_result probe_key(const char *endpoint, const char *server_key, const char *public_key,
                          const char *secret_key, unsigned ms) {
    enum key_result result = KEY_SILENT;
    int zero = 0;
    int never = -1;
    int one = 1;
    int64_t size_max =
        4096; /* of a handshake; libzmq takes memory for as many bytes as it is told will come */
    void *context = zmq_ctx_new();
    void *socket = zmq_socket(context, ZMQ_SUB);
    void *monitor = zmq_socket(context, ZMQ_PAIR);
    if (socket != NULL && monitor != NULL &&
        zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero) == 0 &&
        zmq_setsockopt(socket, ZMQ_RECONNECT_IVL, &never, sizeof never) == 0 &&
        zmq_setsockopt(socket, ZMQ_IPV6, &one, sizeof one) == 0 &&
        zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &size_max, sizeof size_max) == 0 &&
        zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_key, KEY_TEXT_SIZE) == 0 &&
        zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, KEY_TEXT_SIZE) == 0 &&
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret_key, KEY_TEXT_SIZE) == 0 &&
        zmq_socket_monitor(socket, "inproc://events", ZMQ_EVENT_ALL) == 0 &&
        zmq_connect(monitor, "inproc://events") == 0 && zmq_connect(socket, endpoint) == 0)
        result = watch(monitor, ms);
    if (monitor != NULL)
        zmq_close(monitor);
    if (socket != NULL)
        zmq_close(socket);
    zmq_ctx_term(context);
    return result;
}
