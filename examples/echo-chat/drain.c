/* drain.c - the end of a replica, in order: nobody new, clients sent away a few at a time, what was
 * said delivered, then the goodbye. */
#include "echo_chat.h"

enum { CLOSE_MS = 800 }; /* how long clients have to answer a close frame at the end */

static void end_threads(struct replica *replica) {
    for (unsigned i = 0; i < replica->servers_count; i++)
        uv_async_send(&replica->servers[i].end);
}

void drain_begin(struct replica *replica) {
    bool again = atomic_exchange(&replica->stopping, true); /* a second signal does not wait */
    if (again || wsfan_node_drain(replica->node, replica->drain_ms) != WSFAN_OK)
        end_threads(replica);
}

void drain_sessions(void *loop_user, const wsfan_recipient *sessions, size_t count) {
    (void)loop_user;
    for (size_t i = 0; i < count; i++)
        client_close(sessions[i].session_user, CLOSE_GOING_AWAY,
                     wsfan_string("this replica is shutting down"));
}

static void on_deadline(uv_timer_t *deadline) {
    struct server *server = deadline->data;
    web_stop(server->web);
}

/* Each thread is told. */
void drain_done(void *loop_user, int status) {
    struct server *server = loop_user;
    (void)status; /* who is still there is sent away now */
    for (struct client *client = server->clients; client != NULL; client = client->next)
        client_close(client, CLOSE_GOING_AWAY, wsfan_string("this replica is shutting down"));
    server->drained = true;
    uv_timer_start(&server->stop_deadline, on_deadline, CLOSE_MS, 0);
    drain_look(server);
}

void drain_look(struct server *server) {
    if (server->drained && server->clients == NULL)
        web_stop(server->web);
}
