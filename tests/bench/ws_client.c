/* ws_client.c - the bytes of RFC 6455 on a socket. */
#include "ws_client.h"

#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
    TEXT_OPCODE = 0x1,
    CLOSE_OPCODE = 0x8,
    PING_OPCODE = 0x9,
    PONG_OPCODE = 0xa,
    FINAL = 0x80,
    MASKED = 0x80,
    MESSAGE_BYTES = 16384
};

/* The nonce and its answer are the example of RFC 6455, section 1.3: no SHA-1 is needed here. */
static const char request[] = "GET %s HTTP/1.1\r\n"
                              "Host: 127.0.0.1:%d\r\n"
                              "Upgrade: websocket\r\n"
                              "Connection: Upgrade\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                              "Sec-WebSocket-Version: 13\r\n"
                              "\r\n";
static const char accepted[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

static void send_all(int fd, const void *data, size_t size) {
    const uint8_t *at = data;
    while (size > 0) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            die("a WebSocket does not take what is sent: %s", strerror(errno));
        if (sent > 0) {
            at += sent;
            size -= (size_t)sent;
        }
    }
}

void ws_open(struct ws_client *client, int port, const char *path) {
    char text[1024];
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->filled = 0;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("a WebSocket cannot connect to port %d: %s", port, strerror(errno));
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    int size = snprintf(text, sizeof text, request, path, port);
    send_all(client->fd, text, (size_t)size);

    size_t filled = 0;
    char *end = NULL;
    while (end == NULL) {
        ssize_t received = recv(client->fd, text + filled, sizeof text - 1 - filled, 0);
        if (received <= 0)
            die("a WebSocket got no answer to its handshake");
        filled += (size_t)received;
        text[filled] = '\0';
        end = strstr(text, "\r\n\r\n");
    }
    if (strncmp(text, "HTTP/1.1 101 ", 13) != 0 || strstr(text, accepted) == NULL)
        die("a WebSocket was refused: %.80s", text);
    client->filled = filled - (size_t)(end + 4 - text);
    memcpy(client->buffer, end + 4, client->filled);
}

static void send_frame(const struct ws_client *client, uint8_t opcode, const void *payload,
                       size_t size) {
    static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
    const uint8_t *bytes = payload;
    uint8_t frame[MESSAGE_BYTES + 8];
    size_t head = 0;
    if (size > MESSAGE_BYTES)
        die("a WebSocket message of %zu bytes", size);
    frame[head++] = FINAL | opcode;
    if (size < 126) {
        frame[head++] = (uint8_t)(MASKED | size);
    } else {
        frame[head++] = MASKED | 126;
        frame[head++] = (uint8_t)(size >> 8);
        frame[head++] = (uint8_t)size;
    }
    memcpy(frame + head, mask, sizeof mask);
    head += sizeof mask;
    for (size_t i = 0; i < size; i++)
        frame[head + i] = bytes[i] ^ mask[i % sizeof mask];
    send_all(client->fd, frame, head + size);
}

void ws_send(struct ws_client *client, const char *text, size_t size) {
    send_frame(client, TEXT_OPCODE, text, size);
}

/* Returns the size of the frame at `at`, or 0 when it is not all there. */
static size_t take_frame(struct ws_client *client, const uint8_t *at, size_t left,
                         ws_text *on_text) {
    if (left < 2)
        return 0;
    size_t head = (at[1] & 0x7f) == 126 ? 4 : 2;
    size_t size = at[1] & 0x7f;
    if ((at[1] & MASKED) != 0 || size == 127)
        die("a WebSocket frame that a server must not send, or of more than 64 KB");
    if (left < head)
        return 0;
    if (head == 4)
        size = (size_t)at[2] << 8 | at[3];
    if (head + size > WS_BUFFER_BYTES)
        die("a WebSocket message of %zu bytes", size);
    if (left < head + size)
        return 0;
    if ((at[0] & 0x0f) == CLOSE_OPCODE)
        die("a WebSocket was closed: %.*s", size > 2 ? (int)size - 2 : 0,
            (const char *)at + head + 2);
    if ((at[0] & 0x0f) == PING_OPCODE)
        send_frame(client, PONG_OPCODE, at + head, size);
    if (at[0] == (FINAL | TEXT_OPCODE))
        on_text(client, (const char *)at + head, size);
    return head + size;
}

void ws_receive(struct ws_client *client, ws_text *on_text) {
    ssize_t received = recv(client->fd, client->buffer + client->filled,
                            sizeof client->buffer - client->filled, MSG_DONTWAIT);
    if (received < 0 && errno == EAGAIN)
        return;
    if (received <= 0)
        die("a WebSocket has ended");
    client->filled += (size_t)received;
    size_t done = 0;
    size_t size;
    while ((size = take_frame(client, client->buffer + done, client->filled - done, on_text)) > 0)
        done += size;
    client->filled -= done;
    memmove(client->buffer, client->buffer + done, client->filled);
}
