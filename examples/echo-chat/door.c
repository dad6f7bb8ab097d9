/* door.c - who may come in, and how fast: origin, token, connections, handshakes, messages.
 *
 * A handshake that is refused gets an HTTP status and never becomes a client: that is the cheapest
 * way to say no. What a client does later ends with a close frame. */
#include "echo_chat.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARGUMENT_BYTES_MAX = 512, BEARER_BYTES = sizeof "Bearer " - 1 };

/* ------------------------------------------------------------------------------------- tokens */

int door_open(struct server *server, const struct door_options *options) {
    server->door.options = *options;
    if (options->token_file == NULL)
        return 0;
    char line[TOKEN_BYTES_MAX + 2] = "";
    FILE *file = fopen(options->token_file, "re");
    bool read = file != NULL && fgets(line, sizeof line, file) != NULL;
    if (file != NULL)
        fclose(file);
    size_t size = strcspn(line, "\r\n");
    if (!read || size == 0 || size > TOKEN_BYTES_MAX) {
        fprintf(stderr, "echo-chat: --token %s: there is no token of 1 to %d bytes in it\n",
                options->token_file, TOKEN_BYTES_MAX);
        return -1;
    }
    memcpy(server->door.token, line, size);
    server->door.token_size = (uint32_t)size;
    return 0;
}

/* How long it takes does not depend on how much of a token of the right size is right. */
static bool same_token(const struct door *door, const char *text, size_t size) {
    return size == door->token_size && lws_timingsafe_bcmp(text, door->token, (uint32_t)size) == 0;
}

/* In the header Authorization, or, as scripts in browsers cannot set it, as token=... in the URL. */
bool door_has_token(const struct server *server, struct lws *wsi) {
    char text[ARGUMENT_BYTES_MAX];
    static const char key[] = "token=";
    if (server->door.token_size == 0)
        return true;
    int size = lws_hdr_copy(wsi, text, sizeof text, WSI_TOKEN_HTTP_AUTHORIZATION);
    if (size > (int)BEARER_BYTES && strncasecmp(text, "Bearer ", BEARER_BYTES) == 0)
        return same_token(&server->door, text + BEARER_BYTES, (size_t)size - BEARER_BYTES);
    size = 0;
    for (int i = 0; size >= 0; i++) {
        size = lws_hdr_copy_fragment(wsi, text, sizeof text, WSI_TOKEN_HTTP_URI_ARGS, i);
        if (size >= (int)sizeof key - 1 && memcmp(text, key, sizeof key - 1) == 0)
            return same_token(&server->door, text + sizeof key - 1, (size_t)size - sizeof key + 1);
    }
    return false;
}

/* ------------------------------------------------------------------------------------- origin */

/* A browser names the page that a script is from. Without a list it must be our own, so that another
 * page cannot use what a user may do here; programs that are no browsers name none. */
static bool origin_allowed(const struct door *door, struct lws *wsi) {
    char origin[ARGUMENT_BYTES_MAX];
    char host[ARGUMENT_BYTES_MAX];
    if (lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN) == 0)
        return true;
    if (lws_hdr_copy(wsi, origin, sizeof origin, WSI_TOKEN_ORIGIN) <= 0)
        return false;
    for (unsigned i = 0; i < door->options.origins_count; i++)
        if (strcmp(door->options.origins[i], "*") == 0 ||
            strcasecmp(door->options.origins[i], origin) == 0)
            return true;
    const char *authority = strstr(origin, "://");
    return door->options.origins_count == 0 && authority != NULL &&
           lws_hdr_copy(wsi, host, sizeof host, WSI_TOKEN_HOST) > 0 &&
           strcasecmp(authority + 3, host) == 0;
}

/* -------------------------------------------------------------------------------------- rates */

/* A bucket that holds one second's worth and fills steadily. */
bool bucket_take(struct bucket *bucket, uint32_t per_second, uint64_t now_us) {
    if (per_second == 0)
        return true;
    uint64_t full = (uint64_t)per_second * LWS_US_PER_SEC;
    uint64_t passed = now_us - bucket->at_us;
    uint64_t filled = bucket->level + (passed < LWS_US_PER_SEC ? passed * per_second : full);
    if (bucket->at_us == 0 || filled > full)
        filled = full;
    bucket->at_us = now_us;
    bucket->level = filled;
    if (filled < LWS_US_PER_SEC)
        return false;
    bucket->level -= LWS_US_PER_SEC;
    return true;
}

bool door_message(struct client *client) {
    return bucket_take(&client->messages, client->server->door.options.messages_per_second,
                       (uint64_t)lws_now_usecs());
}

unsigned door_refuses(struct server *server, struct lws *wsi, const char **reason) {
    struct door *door = &server->door;
    unsigned status = 0;
    if (!origin_allowed(door, wsi)) {
        *reason = "this origin may not connect here";
        status = HTTP_STATUS_FORBIDDEN;
    } else if (!door_has_token(server, wsi)) {
        *reason = "the token is missing or wrong";
        status = HTTP_STATUS_UNAUTHORIZED;
    } else if (door->options.clients_max > 0 &&
               server->clients_count >= door->options.clients_max) {
        *reason = "this replica has all the clients that it takes";
        status = HTTP_STATUS_SERVICE_UNAVAILABLE;
    } else if (!bucket_take(&door->handshakes, door->options.handshakes_per_second,
                            (uint64_t)lws_now_usecs())) {
        *reason = "too many handshakes in this second";
        status = HTTP_STATUS_SERVICE_UNAVAILABLE;
    }
    if (status != 0)
        server->clients_refused++;
    return status;
}
