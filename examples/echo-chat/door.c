/* door.c - who may come in, and how fast: page, token, connections, handshakes, messages.
 *
 * A handshake that is refused gets an HTTP status and never becomes a client: that is the cheapest
 * way to say no. What a client does later ends with a close frame. */
#include "echo_chat.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

enum { US_PER_S = 1000000 };

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
    return size == token->size && CRYPTO_memcmp(text, token->text, token->size) == 0;
}

bool token_in_header(const struct token *token, const struct web_request *request) {
    struct slice value;
    if (!web_field(request, "authorization", &value) || value.size < sizeof "Bearer " - 1 ||
        !slice_is_nocase((struct slice){ value.data, sizeof "Bearer " - 1 }, "Bearer "))
        return false;
    size_t skipped = sizeof "Bearer " - 1;
    return same_token(token, value.data + skipped, value.size - skipped);
}

int door_open(struct door *door, const struct door_options *options) {
    door->options = *options;
    uv_mutex_init(&door->lock);
    if (options->token_file == NULL)
        return 0;
    door->options.names.any_host = true; /* only who has the token gets in, by any name */
    return token_read(&door->token, "--token", options->token_file);
}

/* Scripts in browsers cannot set a header of a handshake: hence token=... in the URL. */
bool door_has_token(const struct door *door, const struct web_request *request) {
    if (door->token.size == 0 || token_in_header(&door->token, request))
        return true;
    char text[TOKEN_BYTES_MAX + 1];
    struct query query = http_query(request);
    int size = query_find(&query, "token", text, TOKEN_BYTES_MAX);
    return size > 0 && same_token(&door->token, text, (size_t)size);
}

/* -------------------------------------------------------------------------------------- rates */

/* A bucket that holds one second's worth and fills steadily. */
bool bucket_take(struct bucket *bucket, uint32_t per_second, uint64_t now_us) {
    if (per_second == 0)
        return true;
    uint64_t full = (uint64_t)per_second * US_PER_S;
    uint64_t passed = now_us - bucket->at_us;
    uint64_t filled = bucket->level + (passed < US_PER_S ? passed * per_second : full);
    if (bucket->at_us == 0 || filled > full)
        filled = full;
    bucket->at_us = now_us;
    bucket->level = filled;
    if (filled < US_PER_S)
        return false;
    bucket->level -= US_PER_S;
    return true;
}

static uint64_t now_us(void) {
    return uv_hrtime() / 1000;
}

bool door_message(struct client *client) {
    uint32_t per_second = client->server->replica->door.options.messages_per_second;
    return per_second == 0 || bucket_take(&client->messages, per_second, now_us());
}

static bool take_handshake(struct door *door) {
    uv_mutex_lock(&door->lock);
    bool taken = bucket_take(&door->handshakes, door->options.handshakes_per_second, now_us());
    uv_mutex_unlock(&door->lock);
    return taken;
}

unsigned door_refuses(struct replica *replica, const struct web_request *request,
                      const char **reason) {
    struct door *door = &replica->door;
    unsigned status = 0;
    if (!web_allowed_page(&door->options.names, request)) {
        *reason = "pages of this origin may not connect: --origin and --host say which may";
        status = 403;
    } else if (!door_has_token(door, request)) {
        *reason = "the token is missing or wrong";
        status = 401;
    } else if (replica->stopping) {
        *reason = "this replica is shutting down";
        status = 503;
    } else if (door->options.clients_max > 0 &&
               replica->clients_count >= door->options.clients_max) {
        *reason = "this replica has all the clients that it takes";
        status = 503;
    } else if (!take_handshake(door)) {
        *reason = "too many handshakes in this second";
        status = 503;
    }
    if (status != 0)
        replica->clients_refused++;
    return status;
}
