/* The README's snippet about targets and requests, between what it takes for granted: a node, a loop,
 * a payload. Ann joins the lobby by it, and her chats are listed. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <wsfan/requests.h>
#include <wsfan/wsfan.h>

static unsigned replies;
static unsigned rows;
static unsigned messages;

static void check(int ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *to,
                       size_t count) {
    (void)user;
    (void)message;
    (void)to;
    messages += (unsigned)count;
}

static void on_reply(void *user, const wsfan_reply *reply) {
    (void)user;
    check(reply->status == WSFAN_OK, wsfan_error_text(reply->status));
    rows += (unsigned)reply->rows_count;
    if (reply->kind == WSFAN_REQUEST_JOIN)
        check(reply->sessions == 1, "ann has not joined");
    replies++;
}

static void snippet(wsfan_node *node, wsfan_loop *loop, wsfan_bytes payload) {
#include "targets"
}

int main(void) {
    wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                  .on_message = on_message,
                                  .on_reply = on_reply };
    wsfan_options options;
    wsfan_node *node;
    wsfan_loop *loop;
    wsfan_session session;
    wsfan_options_init(&options);
    check(wsfan_node_open(&node, &options) == WSFAN_OK, "no node");
    check(wsfan_loop_open(&loop, node, &callbacks, NULL) == WSFAN_OK, "no loop");
    check(wsfan_session_open(&session, loop, wsfan_string("ann"), NULL) == WSFAN_OK, "no session");
    snippet(node, loop, wsfan_string("to all but the lobby"));
    while (replies < 2) {
        struct pollfd item = { .fd = wsfan_loop_fd(loop), .events = POLLIN };
        check(poll(&item, 1, 60000) == 1, "no reply");
        wsfan_loop_dispatch(loop, 0);
    }
    check(rows == 1, "ann is in one chat");
    check(messages == 1, "ann was not in the lobby when it was published");
    wsfan_loop_close(loop);
    wsfan_node_close(node);
    return 0;
}
