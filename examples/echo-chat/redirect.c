/* redirect.c - sends clients to the replica that owns their chat, where --placement redirect is on.
 *
 * A program gets HTTP 307 before the upgrade. A browser would hide that from its page, so it is let
 * in and gets a close frame, as do those who are in when a chat moves: status 4307, and the reason
 * "moved to ADDRESS". A client that has been sent on twice is kept, whoever owns the chat: where
 * replicas do not see the same others, nobody is sent in circles. */
#include "echo_chat.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { HOPS_MAX = 2 };

/* Whether it is one that this program would take by --public: it goes into headers and close frames. */
static bool usable(const char *address) {
    size_t size = strlen(address);
    return size <= PUBLIC_BYTES_MAX && strcmp(address, "*") != 0 && web_is_origin(address);
}

/* Whether a chat belongs elsewhere, and there is somewhere to send its clients to. */
static bool find(const struct server *server, const char *chat, wsfan_owner *owner) {
    *owner = (wsfan_owner){ .struct_size = sizeof *owner };
    return server->replica->redirect &&
           wsfan_node_get_owner(server->node, wsfan_string(chat), owner) == WSFAN_OK &&
           owner->node != 0 && !owner->here && owner->up && usable(owner->public_address);
}

/* %-encodes all but unreserved characters (RFC 3986, section 2.3). escaped: three times the room. */
static void escape(char *escaped, const char *text) {
    static const char digits[] = "0123456789ABCDEF";
    static const char unreserved[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *text != '\0'; text++) {
        if (strchr(unreserved, *text) != NULL) {
            *escaped++ = *text;
            continue;
        }
        *escaped++ = '%';
        *escaped++ = digits[(unsigned char)*text >> 4];
        *escaped++ = digits[(unsigned char)*text & 15];
    }
    *escaped = '\0';
}

bool redirect_before(const struct server *server, const struct web_request *request, char *location,
                     size_t size) {
    char chat[CHAT_BYTES_MAX + 1], user[USER_BYTES_MAX + 1];
    char chat_escaped[3 * sizeof chat], user_escaped[3 * sizeof user];
    struct resume resume;
    char position_escaped[3 * sizeof resume.position];
    wsfan_owner owner;
    struct query query = http_query(request);
    unsigned hops = query_digit(&query, "hops");
    if (hops >= HOPS_MAX || head_count(&request->head, "origin") > 0 ||
        query_name(&query, "chat", chat, CHAT_BYTES_MAX) < 0 ||
        query_name(&query, "user", user, USER_BYTES_MAX) < 0 ||
        http_resume(request, &resume) != NULL || !find(server, chat, &owner))
        return false;
    escape(chat_escaped, chat);
    escape(user_escaped, user);
    escape(position_escaped, resume.position);
    bool has_position = resume.position[0] != '\0';
    int length = snprintf(location, size, "%s/ws?chat=%s&user=%s&hops=%u&rewind=%" PRIu32 "%s%s",
                          owner.public_address, chat_escaped, user_escaped, hops + 1,
                          resume.rewind_count, has_position ? "&position=" : "", position_escaped);
    return length > 0 && (size_t)length < size;
}

static void send_on(struct client *client, const char *address) {
    char reason[REASON_BYTES_MAX + 1];
    snprintf(reason, sizeof reason, "moved to %.*s", PUBLIC_BYTES_MAX, address);
    client_close(client, CLOSE_MOVED, wsfan_string(reason));
    client->server->replica->clients_moved++;
}

bool redirect_after(struct client *client, const struct web_request *request) {
    wsfan_owner owner;
    struct query query = http_query(request);
    if (query_digit(&query, "hops") >= HOPS_MAX || !find(client->server, client->chat, &owner))
        return false;
    send_on(client, owner.public_address);
    return true;
}

void redirect_owner(void *loop_user, const wsfan_moved *moved) {
    const struct replica *replica = ((struct server *)loop_user)->replica;
    if (!replica->redirect || replica->stopping || moved->here || !usable(moved->public_address))
        return;
    for (size_t i = 0; i < moved->sessions_count; i++)
        send_on(moved->sessions[i].session_user, moved->public_address);
}
