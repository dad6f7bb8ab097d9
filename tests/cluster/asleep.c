/* What is published while the mesh thread sleeps leaves without it: here that thread is stopped, and a
 * peer gets the message all the same. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>

#include "hold.h"

enum {
    STEP_MS = 10,
    DEADLINE_MS = 20000,
    HELD_MS = 1000, /* less than its peer waits for a word */
    TRIES = 5       /* it may be stopped while it works, and then has the lock */
};

static const wsfan_bytes chat = { "chat", 4 };

/* Publishes once for each byte that comes. */
static void run_publisher(int orders, int answers) {
    char endpoint[128] = "";
    const char *peer = endpoint;
    wsfan_options options;
    wsfan_node *node;
    wsfan_stats stats = { .struct_size = sizeof stats };
    char order;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    check(read(orders, endpoint, sizeof endpoint - 1) > 0, "the peer's endpoint comes");
    wsfan_options_init(&options);
    options.endpoint = "tcp://127.0.0.1:*";
    options.peers = &peer;
    options.peers_count = 1;
    check(wsfan_node_open(&node, &options) == WSFAN_OK, "a publisher opens");
    while (stats.chats_remote == 0) {
        check(wsfan_node_get_stats(node, &stats) == WSFAN_OK, "it tells what it counts");
        sleep_ms(STEP_MS);
    }
    check(write(answers, "", 1) == 1, "it says that it knows of the chat");
    while (read(orders, &order, 1) == 1)
        check(wsfan_broadcast(node, chat, wsfan_string("text"), NULL) == WSFAN_OK, "it publishes");
    check(wsfan_node_close(node) == WSFAN_OK, "it closes");
    _exit(EXIT_SUCCESS);
}

static unsigned published;
static unsigned messages;

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    (void)user;
    (void)message;
    (void)recipients;
    messages += (unsigned)count;
}

static void dispatch(wsfan_loop *loop) {
    struct pollfd item = { wsfan_loop_fd(loop), POLLIN, 0 };
    poll(&item, 1, STEP_MS);
    check(wsfan_loop_dispatch(loop, 0) >= 0, "the loop is dispatched");
}

/* Whether a message comes while the thread is stopped. All have come in the end. */
static int comes_without(pid_t thread, wsfan_loop *loop, int orders) {
    hold(thread);
    unsigned before = messages;
    for (unsigned ms = 0; messages == before && ms < HELD_MS; ms += STEP_MS) {
        check(write(orders, "", 1) == 1, "the publisher is told to publish");
        published++;
        dispatch(loop);
    }
    int came = messages > before;
    let_go(thread);
    for (unsigned ms = 0; messages < published && ms < DEADLINE_MS; ms += STEP_MS)
        dispatch(loop);
    check(messages == published, "every message comes once");
    return came;
}

int main(void) {
    int orders[2];
    int answers[2];
    wsfan_options options;
    wsfan_node *node;
    wsfan_loop *loop;
    wsfan_session session;
    wsfan_callbacks callbacks = { .struct_size = sizeof callbacks, .on_message = on_message };
    check(pipe(orders) == 0 && pipe(answers) == 0, "there are pipes");
    pid_t publisher = fork();
    if (publisher == 0) {
        close(orders[1]);
        run_publisher(orders[0], answers[1]);
    }
    wsfan_options_init(&options);
    options.endpoint = "tcp://127.0.0.1:*";
    check(wsfan_node_open(&node, &options) == WSFAN_OK &&
              wsfan_loop_open(&loop, node, &callbacks, NULL) == WSFAN_OK &&
              wsfan_session_open(&session, loop, wsfan_string("user"), NULL) == WSFAN_OK &&
              wsfan_session_join(loop, session, chat) == WSFAN_OK,
          "a subscriber opens and joins");
    const char *endpoint = wsfan_node_endpoint(node);
    check(write(orders[1], endpoint, strlen(endpoint)) > 0, "it says where it is");
    struct pollfd answer = { answers[0], POLLIN, 0 };
    for (unsigned ms = 0; poll(&answer, 1, 0) == 0 && ms < DEADLINE_MS; ms += STEP_MS)
        dispatch(loop);
    check(answer.revents == POLLIN, "they know of each other");
    int came = 0;
    for (int i = 0; !came && i < TRIES; i++)
        came = comes_without(mesh_thread(publisher), loop, orders[1]);
    check(came, "a message leaves while the mesh thread is stopped");
    close(orders[1]);
    int status = 1;
    check(waitpid(publisher, &status, 0) == publisher && status == 0, "the publisher ends well");
    check(wsfan_loop_close(loop) == WSFAN_OK && wsfan_node_close(node) == WSFAN_OK, "all closes");
    printf("a message left while the mesh thread was stopped\n");
    return EXIT_SUCCESS;
}
