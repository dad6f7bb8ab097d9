/* door.c - who may come in, and how fast: page, token, connections, handshakes, messages.
 *
 * A handshake that is refused gets an HTTP status and never becomes a client: that is the cheapest
 * way to say no. What a client does later ends with a close frame. */
#include "echo_chat.h"

#include <stdio.h>
#include <stdlib.h>

enum { HEADER_BYTES_MAX = 512 };

/* ------------------------------------------------------------------------------------- tokens */

int token_read(struct token *token, const char *flag, const char *path) {
    char line[TOKEN_BYTES_MAX + 2] = "";
    FILE *file = fopen(path, "re");
    bool read = file != NULL && fgets(line, sizeof line, file) != NULL;
    if (file != NULL)
        fclose(file);
    size_t size = strcspn(line, "\r\n");
    if (!read || size == 0 || size > TOKEN_BYTES_MAX) {
        fprintf(stderr, "echo-chat: %s %s: there is no token of 1 to %d bytes in it\n", flag, path,
                TOKEN_BYTES_MAX);
        return -1;
    }
    memcpy(token->text, line, size);
    token->size = (uint32_t)size;
    return 0;
}

static bool same_token(const struct token *token, const char *text, size_t size) {
    return size == token->size && lws_timingsafe_bcmp(text, token->text, token->size) == 0;
}

bool token_in_header(const struct token *token, struct lws *wsi) {
    static const char scheme[] = "Bearer ";
    size_t scheme_size = sizeof scheme - 1;
    char text[HEADER_BYTES_MAX];
    int size = lws_hdr_copy(wsi, text, sizeof text, WSI_TOKEN_HTTP_AUTHORIZATION);
    return size > (int)scheme_size && strncasecmp(text, scheme, scheme_size) == 0 &&
           same_token(token, text + scheme_size, (size_t)size - scheme_size);
}

int door_open(struct server *server, const struct door_options *options) {
    server->door.options = *options;
    if (options->token_file == NULL)
        return 0;
    server->door.options.names.any_host = true; /* only who has the token gets in, by any name */
    return token_read(&server->door.token, "--token", options->token_file);
}

/* Scripts in browsers cannot set a header of a handshake: hence token=... in the URL. */
bool door_has_token(const struct server *server, struct lws *wsi) {
    const struct token *token = &server->door.token;
    if (token->size == 0 || token_in_header(token, wsi))
        return true;
    char text[TOKEN_BYTES_MAX + 1];
    struct arguments arguments = http_arguments(wsi);
    int size = argument_find(&arguments, "token", text, TOKEN_BYTES_MAX);
    return size > 0 && same_token(token, text, (size_t)size);
}

/* -------------------------------------------------------------------------------------- pages */

bool door_knows_host(const struct server *server, struct lws *wsi) {
    return web_own_host(&server->door.options.names, wsi);
}

bool door_own_page(const struct server *server, struct lws *wsi) {
    return web_own_page(&server->door.options.names, wsi);
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
    if (!web_allowed_page(&door->options.names, wsi)) {
        *reason = "pages of this origin may not connect: --origin and --host say which may";
        status = HTTP_STATUS_FORBIDDEN;
    } else if (!door_has_token(server, wsi)) {
        *reason = "the token is missing or wrong";
        status = HTTP_STATUS_UNAUTHORIZED;
    } else if (server->stopping) {
        *reason = "this replica is shutting down";
        status = HTTP_STATUS_SERVICE_UNAVAILABLE;
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
