/* members.c - who is in a chat, on all replicas, told to the chat's clients as JSON:
 *
 *   {"type":"members","anew":false,"large":false,"sessions":4,"users":2,"complete":true,"missing":0,
 *    "members":[{"event":"update","user":"Anna","sessions":3,"places":[{"node":"beta","sessions":3}]}]}
 *
 * A client gets everyone when it has joined ("anew"), and then what changes. The replica's name is the
 * metadata of each session.
 *
 * Each of many clients told of each of many others would cost the square of their number. So a client of a chat with
 * more than a page of members ("large") gets a page of them when it has joined, and then numbers, which the library
 * paces; the names that it was told are not kept up. GET /members has the others. */
#include "echo_chat.h"

#include <inttypes.h>

enum {
    MEMBERS_BYTES_MAX = 16 * 1024, /* of the names in one frame */
    PLACE_BYTES_MAX = 64,          /* of a replica's name; other programs may tell anything */
    RECOUNT_MS = 1000
};

static void put_member(struct writer *json, const wsfan_member *member) {
    writer_format(json, "%s{\"event\":\"%s\",\"user\":", json->size == 0 ? "" : ",",
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

/* As many members as a frame has room for. */
struct page {
    struct writer json;
    bool full;
};

static void put_visited(void *user, const wsfan_member *member) {
    struct page *page = user;
    size_t size = page->json.size;
    if (!page->full)
        put_member(&page->json, member);
    if (page->json.size > MEMBERS_BYTES_MAX) {
        page->json.size = size;
        page->full = true;
    }
}

/* The whole frame, with the members that are written in `members`, or none. Returns whether the count is of all
 * replicas. */
static bool put_frame(struct server *server, struct writer *json, wsfan_bytes chat, bool anew,
                      bool large, const struct writer *members) {
    wsfan_count count = { .struct_size = sizeof count };
    if (wsfan_chat_get_count(server->node, chat, &count) != WSFAN_OK)
        json->failed = true;
    writer_format(json, "{\"type\":\"members\",\"anew\":%s,\"large\":%s", anew ? "true" : "false",
                  large ? "true" : "false");
    writer_format(json, ",\"sessions\":%" PRIu64 ",\"users\":%" PRIu64, count.sessions,
                  count.users);
    writer_format(json, ",\"complete\":%s,\"missing\":%" PRIu32 ",\"members\":[",
                  count.complete ? "true" : "false", count.missing_count);
    if (members != NULL && members->size > 0)
        writer_raw(json, members->data, members->size);
    json->failed = json->failed || (members != NULL && members->failed);
    writer_format(json, "]}");
    return count.complete;
}

/* -------------------------------------------------------------------------------- whole counts */

static bool is_complete(struct client *client) {
    wsfan_count count = { .struct_size = sizeof count };
    return wsfan_chat_get_count(client->server->node, wsfan_string(client->chat), &count) ==
               WSFAN_OK &&
           count.complete;
}

/* A replica that is only just being asked answers before long, with nobody to show perhaps. */
static void on_recount(uv_timer_t *timer) {
    struct server *server = timer->data;
    bool expected = false;
    for (struct client *client = server->clients; client != NULL; client = client->next) {
        if (client->incomplete && is_complete(client))
            members_recount(client);
        expected = expected || client->incomplete;
    }
    if (expected)
        uv_timer_start(&server->recount, on_recount, RECOUNT_MS, 0);
}

static void expect_recount(struct client *client, bool complete) {
    uv_timer_t *recount = &client->server->recount;
    client->incomplete = !complete;
    if (!complete && !uv_is_active((uv_handle_t *)recount))
        uv_timer_start(recount, on_recount, RECOUNT_MS, 0);
}

void members_recount(struct client *client) {
    struct writer json = { 0 };
    bool complete = put_frame(client->server, &json, wsfan_string(client->chat), false,
                              client->large, NULL);
    send_json(client, &json);
    expect_recount(client, complete);
}

/* ---------------------------------------------------------------------------------------- news */

void members_welcome(struct client *client) {
    struct server *server = client->server;
    wsfan_bytes chat = wsfan_string(client->chat);
    wsfan_count count = { .struct_size = sizeof count };
    uint64_t cursor = 0;
    struct page page = { 0 };
    struct writer json = { 0 };
    wsfan_chat_get_count(server->node, chat, &count);
    wsfan_chat_members(server->node, chat, &cursor, MEMBERS_COUNT_MAX, put_visited, &page);
    client->large = count.users > MEMBERS_COUNT_MAX || page.full;
    bool complete = put_frame(server, &json, chat, true, client->large, &page.json);
    writer_free(&page.json);
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
    struct page page = { 0 };
    struct writer json = { 0 };
    news.complete = put_frame(server, &json, presence->chat, false, true, NULL);
    news.totals = frame_from_json(&json);
    if ((presence->flags & WSFAN_PRESENCE_LARGE) != 0)
        return news;
    for (size_t i = 0; i < presence->members_count; i++)
        put_visited(&page, &presence->members[i]);
    if (!page.full) {
        put_frame(server, &json, presence->chat, news.anew, false, &page.json);
        news.full = frame_from_json(&json);
    }
    writer_free(&page.json);
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
