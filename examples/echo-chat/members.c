/* members.c - who is in a chat, on all replicas, told to the chat's clients as JSON:
 *
 *   {"type":"members","anew":false,"large":false,"sessions":4,"users":2,"complete":true,"missing":0,
 *    "members":[{"event":"update","user":"Anna","sessions":3,"places":[{"node":"beta","sessions":3}]}]}
 *
 * A client gets everyone when it has joined ("anew"), and then what changes. The replica's name is the
 * metadata of each session. */
#include "echo_chat.h"

#include <inttypes.h>

enum {
    MEMBERS_COUNT_MAX = 1000,
    MEMBERS_BYTES_MAX = 128 *
                        1024, /* of the frame that names them, an eighth of a client's queue */
    PLACE_BYTES_MAX = 64,     /* of a replica's name; other programs may tell anything */
    RECOUNT_MS = 1000
};

static void put_member(struct writer *json, const wsfan_member *member) {
    bool first = json->size > 0 && json->data[json->size - 1] == '[';
    writer_format(json, "%s{\"event\":\"%s\",\"user\":", first ? "" : ",",
                  wsfan_member_event_text(member->event));
    writer_string_sized(json, member->user.data, member->user.size);
    writer_format(json, ",\"sessions\":%" PRIu64 ",\"places\":[", member->sessions);
    for (size_t i = 0; i < member->places_count; i++) {
        const wsfan_place *place = &member->places[i];
        writer_format(json, "%s{\"node\":", i == 0 ? "" : ",");
        writer_string_sized(json, place->metadata.data,
                            place->metadata.size < PLACE_BYTES_MAX ? place->metadata.size
                                                                   : PLACE_BYTES_MAX);
        writer_format(json, ",\"sessions\":%" PRIu32 "}", place->sessions);
    }
    writer_format(json, "]}");
}

static void put_visited(void *json, const wsfan_member *member) {
    put_member(json, member);
}

/* Returns whether the count is of all replicas. */
static bool begin(struct server *server, struct writer *json, wsfan_bytes chat, bool anew,
                  bool large) {
    wsfan_count count = { .struct_size = sizeof count };
    if (wsfan_chat_get_count(server->node, chat, &count) != WSFAN_OK)
        json->failed = true;
    writer_format(json, "{\"type\":\"members\",\"anew\":%s,\"large\":%s", anew ? "true" : "false",
                  large ? "true" : "false");
    writer_format(json, ",\"sessions\":%" PRIu64 ",\"users\":%" PRIu64, count.sessions,
                  count.users);
    writer_format(json, ",\"complete\":%s,\"missing\":%" PRIu32 ",\"members\":[",
                  count.complete ? "true" : "false", count.missing_count);
    return count.complete;
}

/* A replica that is only just being asked answers before long, with nobody to show perhaps. */
static void on_recount(uv_timer_t *timer) {
    struct server *server = timer->data;
    for (struct client *client = server->clients; client != NULL; client = client->next)
        if (client->incomplete)
            members_recount(client);
}

static void expect_recount(struct client *client, bool complete) {
    client->incomplete = !complete;
    if (!complete)
        uv_timer_start(&client->server->recount, on_recount, RECOUNT_MS, 0);
}

/* Only the numbers. */
static bool put_totals(struct server *server, struct writer *json, wsfan_bytes chat, bool large) {
    bool complete = begin(server, json, chat, false, large);
    writer_format(json, "]}");
    return complete;
}

void members_recount(struct client *client) {
    struct writer json = { 0 };
    bool complete = put_totals(client->server, &json, wsfan_string(client->chat), client->large);
    send_json(client, &json);
    expect_recount(client, complete);
}

void members_welcome(struct client *client) {
    wsfan_bytes chat = wsfan_string(client->chat);
    wsfan_count count = { .struct_size = sizeof count };
    uint64_t cursor = 0;
    bool complete = false;
    struct writer json = { 0 };
    wsfan_chat_get_count(client->server->node, chat, &count);
    client->large = count.users > MEMBERS_COUNT_MAX;
    if (!client->large) {
        complete = begin(client->server, &json, chat, true, false);
        wsfan_chat_members(client->server->node, chat, &cursor, MEMBERS_COUNT_MAX, put_visited,
                           &json);
        writer_format(&json, "]}");
        client->large = json.size > MEMBERS_BYTES_MAX;
    }
    if (client->large) {
        writer_free(&json);
        complete = put_totals(client->server, &json, chat, true);
    }
    send_json(client, &json);
    expect_recount(client, complete);
}

/* The news of a chat, in full and in numbers. */
struct news {
    struct web_frame *full; /* NULL: too large */
    struct web_frame *totals;
    bool anew;
    bool complete;
};

static struct news news_of(struct server *server, const wsfan_presence *presence) {
    struct news news = { .anew = (presence->flags & WSFAN_PRESENCE_ANEW) != 0 };
    struct writer json = { 0 };
    news.complete = put_totals(server, &json, presence->chat, true);
    news.totals = frame_from_json(&json);
    if ((presence->flags & WSFAN_PRESENCE_LARGE) != 0)
        return news;
    begin(server, &json, presence->chat, news.anew, false);
    for (size_t i = 0; i < presence->members_count; i++)
        put_member(&json, &presence->members[i]);
    writer_format(&json, "]}");
    if (json.size <= MEMBERS_BYTES_MAX)
        news.full = frame_from_json(&json);
    writer_free(&json);
    return news;
}

/* Called with the news of one chat; those who are in it on this replica get them. A client that was told
 * numbers only cannot take single members before it is told of all anew. */
void members_changed(void *loop_user, const wsfan_presence *presence) {
    struct server *server = loop_user;
    struct news news = news_of(server, presence);
    for (size_t i = 0; i < presence->recipients_count; i++) {
        struct client *client = presence->recipients[i].session_user;
        if (client->closing)
            continue;
        client->large = news.full == NULL || (client->large && !news.anew);
        client_send(client, client->large ? news.totals : news.full, 0);
        expect_recount(client, news.complete);
    }
    web_frame_release(news.full);
    web_frame_release(news.totals);
}
