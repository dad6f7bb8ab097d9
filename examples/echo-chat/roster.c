/* roster.c - who is connected to which replica. The library does not know; the replicas tell each
 * other by messages in the chat, which reach the replicas that have members, and only those:
 *
 *   joined, left  a client came or went: passed on to the chat's clients as they are
 *   who           "tell this session whom you have": never passed on. `of` names one replica,
 *                 0 means all
 *   present       the answer: passed on to the session that asked
 *
 * A client asks all replicas when it has joined, and one when that comes (back) into view. */
#include "echo_chat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PEOPLE_COUNT_MAX = 200,
    PEERS_COUNT_MAX = 64, /* the library's limit */
    MEET_S = 5
};

const char *roster_state(wsfan_peer_event event) {
    return event == WSFAN_PEER_UP ? "up" : event == WSFAN_PEER_SILENT ? "silent" : "down";
}

static wsfan_address address_of(const struct client *client) {
    return wsfan_session_address(client->server->loop, client->session);
}

void roster_session(const struct client *client, char text[ID_BYTES + 1]) {
    wsfan_address address = address_of(client);
    snprintf(text, ID_BYTES + 1, "%016" PRIx64 "-%016" PRIx64, address.node, address.session);
}

wsfan_peer_stats *roster_peers(const struct server *server, size_t *count) {
    wsfan_peer_stats *peers = calloc(PEERS_COUNT_MAX, sizeof *peers);
    *count = 0;
    if (peers == NULL)
        return NULL;
    peers[0].struct_size = sizeof *peers;
    if (wsfan_node_peers(server->node, peers, PEERS_COUNT_MAX, count) != WSFAN_OK)
        *count = 0;
    if (*count > PEERS_COUNT_MAX)
        *count = PEERS_COUNT_MAX;
    return peers;
}

/* ----------------------------------------------------------------------------------- sending */

static void send_json(struct client *client, struct json *json) {
    struct frame *frame = frame_from_json(json);
    client_send(client, frame);
    frame_release(frame);
}

static void send_json_to_all(struct server *server, struct json *json) {
    struct frame *frame = frame_from_json(json);
    for (struct client *client = server->clients; client != NULL; client = client->next)
        client_send(client, frame);
    frame_release(frame);
}

/* Everything between replicas begins like this; roster_message() reads it. */
static void begin(struct json *json, const char *type, const struct client *client) {
    char session[ID_BYTES + 1];
    roster_session(client, session);
    json_format(json, "\"type\":\"%s\",\"session\":\"%s\"", type, session);
}

/* A notice that the publish queue has no room for is lost; the library counts it, and the roster
 * is right again when the client reconnects. */
static void broadcast(struct client *client, struct json *json) {
    if (!json->failed)
        cluster_broadcast(client, json_text(json));
    json_free(json);
}

static void announce(struct client *client, const char *type) {
    struct json json = { 0 };
    begin(&json, type, client);
    json_format(&json, ",\"user\":");
    json_string(&json, client->user);
    json_format(&json, ",\"node\":");
    json_string(&json, wsfan_node_name(client->server->node));
    json_format(&json, "}");
    broadcast(client, &json);
}

static void ask(struct client *client, uint64_t of) {
    struct json json = { 0 };
    begin(&json, "who", client);
    json_format(&json, ",\"of\":\"%016" PRIx64 "\"}", of);
    broadcast(client, &json);
}

void roster_left(struct client *client) {
    announce(client, "left");
}

/* The first frame that a client gets: where it is, and which replicas there are. */
void roster_welcome(struct client *client) {
    wsfan_node *node = client->server->node;
    size_t count;
    wsfan_peer_stats *peers = roster_peers(client->server, &count);
    char session[ID_BYTES + 1];
    roster_session(client, session);
    struct json json = { 0 };
    json_format(&json, "{\"type\":\"welcome\",\"session\":\"%s\"", session);
    json_format(&json, ",\"id\":\"%016" PRIx64 "\",\"node\":", wsfan_node_id(node));
    json_string(&json, wsfan_node_name(node));
    json_format(&json, ",\"replicas\":[");
    for (size_t i = 0; i < count; i++) {
        json_format(&json,
                    "%s{\"id\":\"%016" PRIx64 "\",\"state\":\"%s\",\"node\":", i == 0 ? "" : ",",
                    peers[i].node, roster_state(peers[i].state));
        json_string(&json, peers[i].name);
        json_format(&json, "}");
    }
    json_format(&json, "]}");
    free(peers);
    send_json(client, &json);
}

/* --------------------------------------------------------------------------------- receiving */

static struct client *find(const wsfan_recipient *recipients, size_t count, wsfan_address who) {
    for (size_t i = 0; i < count; i++) {
        struct client *client = recipients[i].session_user;
        wsfan_address address = address_of(client);
        if (address.node == who.node && address.session == who.session)
            return client;
    }
    return NULL;
}

/* The recipients of a message to a chat are the chat's members on this replica. */
static void answer(struct server *server, wsfan_address asker, const wsfan_recipient *recipients,
                   size_t recipients_count) {
    struct json json = { 0 };
    json_format(&json, "{\"type\":\"present\",\"session\":\"%016" PRIx64 "-%016" PRIx64 "\"",
                asker.node, asker.session);
    json_format(&json, ",\"node\":");
    json_string(&json, wsfan_node_name(server->node));
    json_format(&json, ",\"count\":%zu,\"people\":[", recipients_count);
    for (size_t i = 0; i < recipients_count && i < PEOPLE_COUNT_MAX; i++) {
        struct client *client = recipients[i].session_user;
        char session[ID_BYTES + 1];
        roster_session(client, session);
        json_format(&json, "%s{\"session\":\"%s\",\"user\":", i == 0 ? "" : ",", session);
        json_string(&json, client->user);
        json_format(&json, "}");
    }
    json_format(&json, "]}");
    struct client *local = find(recipients, recipients_count, asker);
    if (local != NULL) {
        send_json(local, &json);
    } else if (!json.failed) {
        wsfan_bytes text = json_text(&json);
        wsfan_bytes payload = { (const char *)text.data + 1, text.size - 1 };
        cluster_broadcast(recipients[0].session_user, payload);
    }
    json_free(&json);
}

bool roster_message(struct server *server, wsfan_message *message,
                    const wsfan_recipient *recipients, size_t recipients_count) {
    wsfan_bytes payload = wsfan_message_payload(message);
    char head[96] = { 0 }; /* as long as the longest that is of interest, and ends with NUL */
    memcpy(head, payload.data, payload.size < sizeof head ? payload.size : sizeof head - 1);
    char type[8];
    wsfan_address session;
    uint64_t of = 0;
    if (sscanf(head,
               "\"type\":\"%7[a-z]\",\"session\":\"%16" SCNx64 "-%16" SCNx64
               "\",\"of\":\"%16" SCNx64,
               type, &session.node, &session.session, &of) < 3)
        return true; /* of some other program in the cluster: clients could not read it */
    if (strcmp(type, "who") == 0) {
        if (of == 0 || of == wsfan_node_id(server->node))
            answer(server, session, recipients, recipients_count);
        return true;
    }
    if (strcmp(type, "present") == 0) {
        struct client *client = find(recipients, recipients_count, session);
        struct frame *frame = client == NULL ? NULL : frame_from_message(message);
        if (client != NULL)
            client_send(client, frame);
        frame_release(frame);
        return true;
    }
    return false;
}

/* ------------------------------------------------------------------------ events of the library */

void roster_joined(void *loop_user, const wsfan_joined *joined) {
    (void)loop_user;
    struct client *client = joined->session_user;
    client->joined = true;
    if (joined->status == WSFAN_EPARTIAL) {
        struct json json = { 0 };
        json_format(&json, "{\"type\":\"partial\",\"count\":%zu}", joined->missing_count);
        send_json(client, &json);
    }
    announce(client, "joined");
    ask(client, 0);
}

/* For who starts replicas: these do not heal by themselves. */
static const char *reason_text(wsfan_reason reason) {
    switch (reason) {
    case WSFAN_REASON_CLUSTER:
        return "it is of another cluster";
    case WSFAN_REASON_VERSION:
        return "it speaks no version of the protocol that we do";
    case WSFAN_REASON_NAME:
        return "two replicas have the same name";
    case WSFAN_REASON_LIMIT:
        return "there are too many peers";
    default:
        return "it said so";
    }
}

/* A peer that cannot be reached is no error, it may start later; but a mistyped one looks alike. */
static void on_meet_deadline(lws_sorted_usec_list_t *deadline) {
    if (!lws_container_of(deadline, struct server, meet_deadline)->met)
        fprintf(stderr, "echo-chat: no --join has answered for %d s; it is tried on\n", MEET_S);
}

void roster_expect(struct server *server, size_t named_count) {
    if (named_count > 0)
        lws_sul_schedule(server->context, 0, &server->meet_deadline, on_meet_deadline,
                         MEET_S * LWS_US_PER_SEC);
}

void roster_peer(void *loop_user, const wsfan_peer *peer) {
    struct server *server = loop_user;
    server->met = server->met || peer->event == WSFAN_PEER_UP || peer->event == WSFAN_PEER_REFUSED;
    if (peer->event == WSFAN_PEER_REFUSED)
        fprintf(stderr, "echo-chat: the node %s at %s cannot be a peer: %s\n", peer->name,
                peer->endpoint, reason_text(peer->reason));
    if (peer->event == WSFAN_PEER_REFUSED || peer->name[0] == '\0')
        return;
    struct json json = { 0 };
    json_format(&json, "{\"type\":\"replica\",\"id\":\"%016" PRIx64 "\",\"state\":\"%s\",\"node\":",
                peer->node, roster_state(peer->event));
    json_string(&json, peer->name);
    json_format(&json, "}");
    send_json_to_all(server, &json);
    if (peer->event != WSFAN_PEER_UP)
        return;
    for (struct client *client = server->clients; client != NULL; client = client->next)
        if (client->joined && client->close_status == 0)
            ask(client, peer->node);
}

void roster_gap(void *loop_user, const wsfan_gap *gap) {
    struct json json = { 0 };
    json_format(&json, "{\"type\":\"gap\",\"count\":%" PRIu64 ",\"node\":", gap->count);
    json_string(&json, gap->name);
    json_format(&json, "}");
    send_json_to_all(loop_user, &json);
}
