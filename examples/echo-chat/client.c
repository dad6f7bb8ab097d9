/* client.c - one WebSocket client: who it is, what it says, and the queue of what it gets.
 *
 * A client that does not read costs at most its queue; then it is closed. Closing has two steps:
 * the client leaves the cluster at once, and its connection ends when the socket has taken the
 * close frame or CLOSE_S seconds have passed. */
#include "echo_chat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CLOSE_S = 5,
    GATHER_BYTES = 16 * 1024 /* what one write takes, if it is more than one frame */
};

/* ------------------------------------------------------------------------------------- queue */

static void on_release(void *frame) {
    frame_release(frame);
}

static int queue_open(struct client *client) {
    wsfan_outbound_options options;
    wsfan_outbound_options_init(&options);
    options.policy = WSFAN_OUTBOUND_CLOSE;
    options.count_max = QUEUE_COUNT_MAX;
    options.bytes_max = QUEUE_BYTES_MAX;
    options.release = on_release;
    return wsfan_outbound_open(&client->queue, &options);
}

/* What it dropped is counted on. */
static void queue_close(struct client *client) {
    wsfan_outbound_stats stats = { .struct_size = sizeof stats };
    if (client->queue != NULL && wsfan_outbound_get_stats(client->queue, &stats) == WSFAN_OK)
        for (unsigned i = 0; i < WSFAN_OUTBOUND_DROP_COUNT; i++)
            client->server->outbound_dropped[i] += stats.dropped[i];
    wsfan_outbound_close(client->queue);
    client->queue = NULL;
}

void client_send(struct client *client, struct frame *frame, uint64_t key) {
    if (client->close_status != 0)
        return;
    if (frame == NULL) {
        client_close(client, CLOSE_INTERNAL_ERROR, "out of memory");
        return;
    }
    bool was_empty = wsfan_outbound_peek(client->queue, 0, NULL) == NULL;
    frame->references++; /* the queue's */
    int error = wsfan_outbound_push(client->queue, frame, frame->size, key);
    if (error == WSFAN_OK) {
        if (was_empty) /* else it has been asked for */
            lws_callback_on_writable(client->wsi);
        return;
    }
    frame_release(frame);
    if (error == WSFAN_ENOMEM) {
        client_close(client, CLOSE_INTERNAL_ERROR, "out of memory");
        return;
    }
    client->server->clients_slow++;
    client_close(client, CLOSE_TRY_AGAIN_LATER, "this client reads too slowly");
}

/* Writes the frame that is first in the queue, with as many of the next as fit beside it: one call
 * of the system for all that came since the last. libwebsockets keeps what the socket does not
 * take. */
static int write_some(struct client *client) {
    unsigned char batch[GATHER_BYTES];
    struct frame *first = wsfan_outbound_peek(client->queue, 0, NULL);
    unsigned char *start = frame_start(first);
    size_t size = first->size;
    uint32_t count = 1;
    struct frame *next;
    for (; (next = wsfan_outbound_peek(client->queue, count, NULL)) != NULL; count++) {
        if (next->size > sizeof batch || size > sizeof batch - next->size)
            break;
        if (count == 1)
            start = memcpy(batch, start, first->size);
        memcpy(batch + size, frame_start(next), next->size);
        size += next->size;
    }
    int result = lws_write(client->wsi, start, size, LWS_WRITE_RAW);
    while (count-- > 0)
        frame_release(wsfan_outbound_take(client->queue));
    return result < 0 ? -1 : 0;
}

int client_writable(struct client *client) {
    if (client->close_status != 0) {
        lws_close_reason(client->wsi, (enum lws_close_status)client->close_status,
                         (unsigned char *)(uintptr_t)client->close_reason,
                         strlen(client->close_reason));
        return -1;
    }
    while (wsfan_outbound_peek(client->queue, 0, NULL) != NULL &&
           !lws_partial_buffered(client->wsi))
        if (write_some(client) != 0)
            return -1;
    if (wsfan_outbound_peek(client->queue, 0, NULL) != NULL)
        lws_callback_on_writable(client->wsi);
    return 0;
}

/* ---------------------------------------------------------------------------- open and close */

/* What is wrong with the URL, or NULL. */
static const char *read_names(struct client *client) {
    static const char ambiguous[] =
        "an argument of the URL is not known here, or is there twice: write "
        "%26 for &, %3B for ; in a name";
    static const char *const chat_problems[ARGUMENT_PROBLEMS] = {
        "the URL names no chat: /ws?chat=CHAT&user=USER",
        "the chat's name is longer than 128 bytes", "the chat's name is not UTF-8 text", ambiguous
    };
    static const char *const user_problems[ARGUMENT_PROBLEMS] = {
        "the URL names no user: /ws?chat=CHAT&user=USER", "the user's name is longer than 64 bytes",
        "the user's name is not UTF-8 text", ambiguous
    };
    struct arguments arguments = http_arguments(client->wsi);
    int size = argument_name(&arguments, "chat", client->chat, CHAT_BYTES_MAX);
    if (size < 0)
        return chat_problems[ARGUMENT_MISSING - size];
    size = argument_name(&arguments, "user", client->user, USER_BYTES_MAX);
    return size < 0 ? user_problems[ARGUMENT_MISSING - size] : NULL;
}

static void refuse(struct client *client, enum close_status status, const char *reason) {
    client->server->clients_refused++;
    client_close(client, status, reason);
}

void client_open(struct client *client, struct server *server, struct lws *wsi) {
    memset(client, 0, sizeof *client);
    client->server = server;
    client->wsi = wsi;
    client->next = server->clients;
    client->link = &server->clients;
    if (client->next != NULL)
        client->next->link = &client->next;
    server->clients = client;
    server->clients_count++;

    /* After the upgrade and not before: a browser shows a script the reason of a close frame,
     * but nothing of a refused upgrade. */
    const char *problem = read_names(client);
    int error;
    if (problem != NULL)
        refuse(client, CLOSE_POLICY_VIOLATION, problem);
    else if (redirect_after(client))
        return;
    else if ((error = queue_open(client)) != WSFAN_OK || (error = cluster_join(client)) != WSFAN_OK)
        client_close(client, CLOSE_TRY_AGAIN_LATER, wsfan_error_text(error));
    else
        peers_welcome(client);
}

static void depart(struct client *client) {
    if (client->session.id != 0)
        cluster_leave(client);
    queue_close(client);
    free(client->text);
    client->text = NULL;
}

void client_close(struct client *client, enum close_status status, const char *reason) {
    if (client->close_status != 0)
        return;
    client->close_status = (int)status;
    client->close_reason = reason;
    depart(client);
    lws_callback_on_writable(client->wsi);
    lws_set_timeout(client->wsi, PENDING_TIMEOUT_USER_REASON_BASE, CLOSE_S);
}

void client_closed(struct client *client) {
    /* Also of a handshake that failed after libwebsockets had made room for a client. */
    if (client == NULL || client->link == NULL)
        return;
    depart(client);
    *client->link = client->next;
    if (client->next != NULL)
        client->next->link = client->link;
    client->server->clients_count--;
}

/* ----------------------------------------------------------------------------------- receive */

static void say(struct client *client, const char *text, size_t size) {
    if (!utf8_valid(text, size)) {
        refuse(client, CLOSE_NOT_UTF8, "the text is not UTF-8");
        return;
    }
    char session[ID_BYTES + 1];
    client_session(client, session);
    struct writer json = { 0 };
    writer_format(&json, "{\"type\":\"message\",\"session\":\"%s\",\"chat\":", session);
    writer_string(&json, client->chat);
    writer_format(&json, ",\"user\":");
    writer_string(&json, client->user);
    writer_format(&json, ",\"text\":");
    writer_string_sized(&json, text, size);
    writer_format(&json, ",\"node\":");
    writer_string(&json, wsfan_node_name(client->server->node));
    writer_format(&json, "}");
    int error = json.failed ? WSFAN_ENOMEM : cluster_broadcast(client, writer_text(&json));
    writer_free(&json);
    if (error == WSFAN_OK)
        return;
    writer_format(&json, "{\"type\":\"error\",\"text\":");
    writer_string(&json, wsfan_error_text(error));
    writer_format(&json, "}");
    send_json(client, &json);
}

static bool is_command(const char *text, size_t size, const char *name) {
    return size - 1 == strlen(name) && memcmp(text + 1, name, size - 1) == 0;
}

/* Browsers do not tell a script of pings: by this it knows that its replica lives. */
static void answer(struct client *client) {
    struct writer json = { 0 };
    writer_format(&json, "{\"type\":\"alive\"}");
    send_json(client, &json);
}

static void tell_typing(struct client *client) {
    char session[ID_BYTES + 1];
    client_session(client, session);
    struct writer json = { 0 };
    writer_format(&json, "{\"type\":\"typing\",\"session\":\"%s\",\"user\":", session);
    writer_string(&json, client->user);
    writer_format(&json, "}");
    if (!json.failed) /* a mark that finds no room is not missed: the next one comes soon */
        cluster_broadcast_latest(client, writer_text(&json), wsfan_string(session));
    writer_free(&json);
}

/* A command of the page begins with a NUL, which nobody types: so it is no text. */
static void command(struct client *client, const char *text, size_t size) {
    if (is_command(text, size, "typing"))
        tell_typing(client);
    else if (is_command(text, size, "alive?"))
        answer(client);
    else
        refuse(client, CLOSE_POLICY_VIOLATION,
               "a text that begins with NUL is a command: typing or alive?");
}

static void take(struct client *client, const char *text, size_t size) {
    if (size > 0 && text[0] == '\0')
        command(client, text, size);
    else
        say(client, text, size);
}

void client_session(const struct client *client, char text[ID_BYTES + 1]) {
    wsfan_address address = wsfan_session_address(client->server->loop, client->session);
    snprintf(text, ID_BYTES + 1, "%016" PRIx64 "-%016" PRIx64, address.node, address.session);
}

int client_receive(struct client *client, const char *data, size_t size) {
    if (client->close_status != 0)
        return 0;
    if (lws_is_first_fragment(client->wsi) && !door_message(client)) {
        refuse(client, CLOSE_POLICY_VIOLATION, "this client sends too many messages");
        return 0;
    }
    if (lws_frame_is_binary(client->wsi)) {
        refuse(client, CLOSE_NOT_TEXT, "only text messages are understood");
        return 0;
    }
    if (size > TEXT_BYTES_MAX - client->text_size) {
        refuse(client, CLOSE_TOO_LARGE, "a message is longer than 16384 bytes");
        return 0;
    }
    bool complete = lws_is_final_fragment(client->wsi);
    if (complete && client->text_size == 0) {
        take(client, data, size);
        return 0;
    }
    if (client->text == NULL && (client->text = malloc(TEXT_BYTES_MAX)) == NULL) {
        client_close(client, CLOSE_INTERNAL_ERROR, "out of memory");
        return 0;
    }
    memcpy(client->text + client->text_size, data, size);
    client->text_size += size;
    if (complete) {
        take(client, client->text, client->text_size);
        free(client->text);
        client->text = NULL;
        client->text_size = 0;
    }
    return 0;
}
