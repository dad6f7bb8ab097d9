/* A cluster-aware WebSocket server in one file, to copy from: whoever connects to ws://HOST:PORT/CHAT gets
 * what is said there on any replica. No page, no token, no drain: see ../echo-chat. Started as
 * minimal 8001 tcp://127.0.0.1:7001, and minimal 8002 tcp://127.0.0.1:7002 tcp://127.0.0.1:7001 */
#include <libwebsockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wsfan/adapters/libwebsockets.h>
#include <wsfan/adapters/poll.h>
#include <wsfan/outbound.h>
#include <wsfan/wsfan.h>
#define BYTES_MAX 8192 /* of a message */

struct client { /* one connection; libwebsockets gives it zeroed memory */
    struct lws *wsi;
    wsfan_session session;
    wsfan_outbound *queue;          /* yet to be sent; for lines of yours: of a struct of yours */
    char chat[64], data[BYTES_MAX]; /* what it is saying, */
    size_t size;                    /* as far as it has come */
};
static wsfan_node *node;
static wsfan_loop *loop;
static volatile sig_atomic_t stopped;

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *to, size_t n) {
    (void)user;
    for (size_t i = 0; i < n; i++) { /* on this replica, each once */
        struct client *client = to[i].session_user;
        size_t size = wsfan_message_payload(message).size;
        lws_callback_on_writable(client->wsi);
        if (wsfan_outbound_push(client->queue, wsfan_message_ref(message), size, 0) == WSFAN_OK)
            continue;
        wsfan_message_unref(message); /* it does not read: the others do not wait for it */
        lws_set_timeout(client->wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_ASYNC);
    }
}

static void release(void *message) {
    wsfan_message_unref(message);
}

static int client_opened(struct client *client, struct lws *wsi) {
    wsfan_outbound_options options;
    wsfan_outbound_options_init(&options); /* 1024 messages, 1 MiB */
    options.release = release;
    client->wsi = wsi;
    if (lws_hdr_copy(wsi, client->chat, sizeof client->chat, WSI_TOKEN_GET_URI) < 2 || /* "/" */
        wsfan_outbound_open(&client->queue, &options) != WSFAN_OK ||
        wsfan_session_open(&client->session, loop, wsfan_string(""), client) != WSFAN_OK)
        return -1;
    return wsfan_session_join(loop, client->session, wsfan_string(client->chat + 1));
}

static int client_writable(struct client *client) {
    wsfan_message *message = wsfan_outbound_take(client->queue);
    if (message == NULL)
        return 0;
    wsfan_bytes payload = wsfan_message_payload(message);
    int binary = (wsfan_message_flags(message) & WSFAN_BINARY) != 0;
    int sent = lws_write(client->wsi, (void *)payload.data, payload.size,
                         binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
    wsfan_message_unref(message);
    lws_callback_on_writable(client->wsi); /* for the next one */
    return sent < 0;
}

static int client_said(struct client *client, const void *part, size_t n) {
    if (client->size + n > BYTES_MAX)
        return -1;
    memcpy(client->data + client->size, part, n);
    client->size += n;
    if (!lws_is_final_fragment(client->wsi))
        return 0;
    wsfan_publish_options options = { .struct_size = sizeof options };
    wsfan_bytes payload = { client->data, client->size };
    options.flags = lws_frame_is_binary(client->wsi) ? WSFAN_BINARY : 0;
    client->size = 0;
    return wsfan_broadcast(node, wsfan_string(client->chat + 1), payload, &options);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in,
                    size_t n) {
    struct client *client = user;
    if (why == LWS_CALLBACK_HTTP) /* it is no WebSocket */
        return -1;                /* which closes it, as whatever is not 0 does */
    if (why == LWS_CALLBACK_ESTABLISHED)
        return client_opened(client, wsi);
    if (why == LWS_CALLBACK_SERVER_WRITEABLE)
        return client_writable(client);
    if (why == LWS_CALLBACK_RECEIVE)
        return client_said(client, in, n);
    if (why == LWS_CALLBACK_CLOSED)
        return wsfan_session_close(loop, client->session), wsfan_outbound_close(client->queue), 0;
    return 0;
}

static void stop(int number) {
    stopped = number;
}

int main(int count, char **values) {
    if (count < 3)
        return fprintf(stderr, "usage: minimal PORT MESH-ENDPOINT [PEER...]\n"), 2;
    struct lws_protocols list[3] = { { "", on_event, sizeof(struct client), 0, 0, 0, 0 },
                                     WSFAN_LIBWEBSOCKETS_PROTOCOL };
    struct lws_context_creation_info info = { .port = atoi(values[1]), .protocols = list };
    wsfan_callbacks callbacks = { .struct_size = sizeof callbacks, .on_message = on_message };
    wsfan_options options;
    wsfan_options_init(&options);
    info.options = LWS_SERVER_OPTION_VALIDATE_UTF8;
    options.headroom_bytes = LWS_PRE; /* lws_write() writes before a message */
    options.endpoint = values[2];
    options.peers = (const char *const *)(values + 3);
    options.peers_count = (size_t)count - 3;
    int error = wsfan_node_open(&node, &options);
    if (error != WSFAN_OK || (error = wsfan_loop_open(&loop, node, &callbacks, NULL)) != WSFAN_OK)
        return fprintf(stderr, "minimal: %s\n", wsfan_error_text(error)), 1;
    while (wsfan_node_ready(node) <= 0)
        wsfan_poll_dispatch(loop, 50); /* a client that came now might miss messages */
    struct lws_context *context = lws_create_context(&info);
    if (!context || !wsfan_libwebsockets_attach(lws_get_vhost_by_name(context, "default"), loop))
        return 1;
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    while (!stopped && lws_service(context, 0) >= 0)
        continue;
    lws_context_destroy(context); /* closes the sessions */
    wsfan_loop_close(loop);
    wsfan_node_close(node);
    return 0;
}
