/* A WebSocket client (RFC 6455) that is only good enough for a load: text messages, in one frame
 * each. */
#ifndef WS_CLIENT_H
#define WS_CLIENT_H

#include <stddef.h>
#include <stdint.h>

enum { WS_BUFFER_BYTES = 32 * 1024 };

struct ws_client {
    int fd;
    void *user;
    size_t filled; /* of buffer: the beginning of a frame whose rest has not come yet */
    uint8_t buffer[WS_BUFFER_BYTES];
};

typedef void ws_text(struct ws_client *client, const char *text, size_t size);

/* Connects to 127.0.0.1 and shakes hands; waits until that is done. */
void ws_open(struct ws_client *client, int port, const char *path);

/* Sends one masked frame; waits while the socket is full. */
void ws_send(struct ws_client *client, const char *text, size_t size);

/* Reads once, and hands on the text messages that are complete. */
void ws_receive(struct ws_client *client, ws_text *on_text);

#endif
