/* The snippet of docs/integrating.md about history, between what it takes for granted: a client is its queue, and what is sent to it
 * is a text. A client comes, goes, and comes back with its position; somebody writes meanwhile. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wsfan/history.h>
#include <wsfan/wsfan.h>

static wsfan_loop *loop;

struct client {
    wsfan_session session;
    char chat[65];
    char got[4][65];
    unsigned got_count;
    unsigned missed;
    int joined;
    char position[WSFAN_POSITION_TEXT_SIZE];
};

static void check(int ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

static void client_send(struct client *client, wsfan_message *message, const char *position) {
    wsfan_bytes payload = wsfan_message_payload(message);
    check(client->got_count < 4 && payload.size < 65, "too much");
    memcpy(client->got[client->got_count++], payload.data, payload.size);
    if (position[0] != '\0')
        strcpy(client->position, position);
}

static void client_joined(struct client *client, const wsfan_recovered *recovered, int status,
                          const char *position) {
    wsfan_recovery recovery = recovered->recovery;
    check(recovery == (client->position[0] == '\0' ? WSFAN_RECOVERY_NONE : WSFAN_RECOVERY_WHOLE),
          wsfan_recovery_text(recovery));
    check(status == WSFAN_OK && recovered->replayed_count == client->missed, "too few follow");
    strcpy(client->position, position);
    client->joined = 1;
}

#include "integrate_history"

static void dispatch(void) {
    struct pollfd item = { .fd = wsfan_loop_fd(loop), .events = POLLIN };
    check(poll(&item, 1, 60000) == 1, "nothing comes");
    wsfan_loop_dispatch(loop, 0);
}

static void come(struct client *client) {
    wsfan_session_open(&client->session, loop, wsfan_string("ann"), client);
    client->joined = 0;
    check(client_join(client, client->position, 0) == WSFAN_OK, "no join");
    while (!client->joined)
        dispatch();
}

static void say(wsfan_node *node, const char *text) {
    check(wsfan_broadcast(node, wsfan_string("lobby"), wsfan_string(text), NULL) == WSFAN_OK, text);
}

int main(void) {
    static struct client ann = { .chat = "lobby" };
    wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                  .on_message = on_message,
                                  .on_joined = on_joined };
    wsfan_options options;
    wsfan_node *node;
    wsfan_options_init(&options);
    options.history_ms = 60000;
    options.history_key = "a secret of the test: thirty bytes, or more";
    check(wsfan_node_open(&node, &options) == WSFAN_OK, "no node");
    check(wsfan_loop_open(&loop, node, &callbacks, NULL) == WSFAN_OK, "no loop");
    come(&ann);
    say(node, "one");
    while (ann.got_count < 1)
        dispatch();
    wsfan_session_close(loop, ann.session);
    say(node, "two");
    say(node, "three");
    ann.missed = 2;
    come(&ann);
    while (ann.got_count < 3)
        dispatch();
    check(strcmp(ann.got[1], "two") == 0 && strcmp(ann.got[2], "three") == 0, ann.got[1]);
    wsfan_loop_close(loop);
    wsfan_node_close(node);
    return 0;
}
