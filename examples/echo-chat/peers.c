/* peers.c - the replicas, and what the library says of them, told to clients; and how a client begins. */
#include "echo_chat.h"

#include <inttypes.h>
#include <stdlib.h>

/* At most so many as may be peers; who is no peer yet comes behind these. */
wsfan_peer_stats *peers_list(const struct server *server, size_t *count) {
    wsfan_peer_stats *peers = calloc(WSFAN_PEERS_MAX, sizeof *peers);
    *count = 0;
    if (peers == NULL)
        return NULL;
    peers[0].struct_size = sizeof *peers;
    if (wsfan_node_get_peers(server->node, peers, WSFAN_PEERS_MAX, count) != WSFAN_OK)
        *count = 0;
    if (*count > WSFAN_PEERS_MAX)
        *count = WSFAN_PEERS_MAX;
    return peers;
}

/* ----------------------------------------------------------------------------------- sending */

void send_json(struct client *client, struct writer *json) {
    struct web_frame *frame = frame_from_json(json);
    client_send(client, frame, 0);
    web_frame_release(frame);
}

static void send_json_to_all(struct server *server, struct writer *json) {
    struct web_frame *frame = frame_from_json(json);
    for (struct client *client = server->clients; client != NULL; client = client->next)
        client_send(client, frame, 0);
    web_frame_release(frame);
}

/* The first frame that a client gets: where it is, and which replicas there are. */
void peers_welcome(struct client *client) {
    wsfan_node *node = client->server->node;
    size_t count;
    wsfan_peer_stats *peers = peers_list(client->server, &count);
    char session[ID_BYTES + 1];
    client_session(client, session);
    struct writer json = { 0 };
    writer_format(&json, "{\"type\":\"welcome\",\"session\":\"%s\"", session);
    writer_format(&json, ",\"id\":\"%016" PRIx64 "\",\"node\":", wsfan_node_id(node));
    writer_string(&json, wsfan_node_name(node));
    writer_format(&json, ",\"replicas\":[");
    const char *comma = "";
    for (size_t i = 0; i < count; i++) {
        if (peers[i].state == WSFAN_PEER_MEETING)
            continue;
        writer_format(&json, "%s{\"id\":\"%016" PRIx64 "\",\"state\":\"%s\",\"node\":", comma,
                      peers[i].node, wsfan_peer_event_text(peers[i].state));
        comma = ",";
        writer_string(&json, peers[i].name);
        writer_format(&json, "}");
    }
    writer_format(&json, "]}");
    free(peers);
    send_json(client, &json);
}

/* ------------------------------------------------------------------------ events of the library */

static void put_recovered(const struct client *client, struct writer *json,
                          const struct wsfan_recovered *recovered) {
    char position[WSFAN_POSITION_TEXT_SIZE];
    writer_format(json, ",\"recovered\":%s,\"reason\":\"%s\",\"replayed\":%" PRIu32,
                  recovered->recovery == WSFAN_RECOVERY_WHOLE ? "true" : "false",
                  wsfan_recovery_text(recovered->recovery), recovered->replayed_count);
    cluster_position(client->server, wsfan_string(client->chat), position);
    if (position[0] != '\0') {
        writer_literal(json, ",\"position\":");
        writer_string(json, position);
    }
}

void peers_joined(void *loop_user, const wsfan_joined *joined) {
    (void)loop_user;
    struct client *client = joined->session_user;
    struct writer json = { 0 };
    if (joined->status == WSFAN_EPARTIAL) {
        writer_format(&json, "{\"type\":\"partial\",\"count\":%zu}", joined->missing_count);
        send_json(client, &json);
    }
    char session[ID_BYTES + 1];
    client_session(client, session);
    writer_format(&json, "{\"type\":\"joined\",\"session\":\"%s\"", session);
    if (joined->recovered != NULL)
        put_recovered(client, &json, joined->recovered);
    writer_format(&json, "}");
    send_json(client, &json);
    members_welcome(client);
}

void peers_event(void *loop_user, const wsfan_peer *peer) {
    struct server *server = loop_user;
    if (peer->event == WSFAN_PEER_REFUSED || peer->name[0] == '\0')
        return;
    bool left = peer->event == WSFAN_PEER_DOWN && peer->reason == WSFAN_REASON_BYE;
    struct writer json = { 0 };
    writer_format(&json,
                  "{\"type\":\"replica\",\"id\":\"%016" PRIx64
                  "\",\"state\":\"%s\",\"left\":%s,\"node\":",
                  peer->node, wsfan_peer_event_text(peer->event), left ? "true" : "false");
    writer_string(&json, peer->name);
    writer_format(&json, "}");
    send_json_to_all(server, &json);
}

void peers_gap(void *loop_user, const wsfan_gap *gap) {
    struct writer json = { 0 };
    writer_format(&json, "{\"type\":\"gap\",\"count\":%" PRIu64 ",\"node\":", gap->count);
    writer_string(&json, gap->name);
    writer_format(&json, "}");
    send_json_to_all(loop_user, &json);
}
