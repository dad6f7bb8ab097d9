/* drain.c - the end of a replica, in order: nobody new, clients sent away a few at a time, what was
 * said delivered, then the goodbye. */
#include "echo_chat.h"

enum { CLOSE_MS = 800 }; /* how long clients have to answer a close frame at the end */

static void on_deadline(lws_sorted_usec_list_t *deadline) {
    struct server *server = lws_container_of(deadline, struct server, stop_deadline);
    server->stopped = true;
    lws_cancel_service(server->context); /* which would wait for the next event, after its timers */
}

void drain_begin(struct server *server) {
    if (server->stopping) { /* a second signal does not wait */
        server->stopped = true;
        return;
    }
    server->stopping = true;
    if (wsfan_node_drain(server->node, server->drain_ms) != WSFAN_OK)
        drain_done(server, WSFAN_EPARTIAL); /* no memory to begin it */
}

void drain_sessions(void *loop_user, const wsfan_recipient *sessions, size_t count) {
    (void)loop_user;
    for (size_t i = 0; i < count; i++)
        client_close(sessions[i].session_user, CLOSE_GOING_AWAY, "this replica is shutting down");
}

void drain_done(void *loop_user, int status) {
    struct server *server = loop_user;
    (void)status; /* who is still there is sent away now */
    for (struct client *client = server->clients; client != NULL; client = client->next)
        client_close(client, CLOSE_GOING_AWAY, "this replica is shutting down");
    server->drained = true;
    lws_sul_schedule(server->context, 0, &server->stop_deadline, on_deadline,
                     CLOSE_MS * LWS_US_PER_MS);
}

bool drain_over(const struct server *server) {
    return server->stopped || (server->drained && server->clients == NULL);
}
