/* publish.c - POST /publish: other programs put messages into chats, with a shared secret.
 *
 *   Authorization: Bearer TOKEN        Idempotency-Key: KEY (may be left out)
 *   {"chat": NAME, "text": TEXT}       or "user": NAME, or "everyone": true; "from": who says it
 *
 * The answer comes when the library knows what became of the message. A key makes a repetition safe:
 * this replica gives the answer that it gave before and publishes nothing. It remembers the last
 * KEYS_COUNT_MAX keys; another replica knows nothing of them, so repeat where you asked. */
#include "echo_chat.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    KEY_BYTES_MAX = 128,
    KEYS_COUNT_MAX = 1024,
    BODY_BYTES_MAX = 64 * 1024,
    REQUESTS_COUNT_MAX = 256,
    ANSWER_S = 30, /* more than the library takes to know */
    DIGEST_BYTES = 20
};

/* A key that was used, and what came of it. */
struct past {
    char key[KEY_BYTES_MAX + 1];        /* "": free */
    unsigned char digest[DIGEST_BYTES]; /* of the body */
    char *answer;                       /* NULL: it is still under way */
};

struct request {
    struct request *next;
    struct lws *wsi; /* NULL: the other side has hung up */
    unsigned status; /* of the answer; 0: there is none yet */
    struct json answer;
    const char *header[2];
    struct past *past; /* NULL: it has no key */
    bool published;    /* its result is still to come */
    char key[KEY_BYTES_MAX + 1];
    size_t size;
    char body[BODY_BYTES_MAX + 1];
};

struct publisher {
    struct token token;
    struct request *requests;
    unsigned requests_count;
    struct past past[KEYS_COUNT_MAX]; /* a ring */
    unsigned past_next;
};

int publish_open(struct server *server, const char *token_file) {
    struct publisher *publisher = calloc(1, sizeof *publisher);
    if (publisher == NULL || token_read(&publisher->token, "--publish-token", token_file) != 0) {
        free(publisher);
        return -1;
    }
    server->publisher = publisher;
    return 0;
}

static void end_request(struct publisher *publisher, struct request *request) {
    struct request **link = &publisher->requests;
    while (*link != request)
        link = &(*link)->next;
    *link = request->next;
    publisher->requests_count--;
    json_free(&request->answer);
    free(request);
}

void publish_close(struct server *server) {
    struct publisher *publisher = server->publisher;
    if (publisher == NULL)
        return;
    while (publisher->requests != NULL)
        end_request(publisher, publisher->requests);
    for (unsigned i = 0; i < KEYS_COUNT_MAX; i++)
        free(publisher->past[i].answer);
    free(publisher);
    server->publisher = NULL;
}

static struct request *find(const struct server *server, const struct lws *wsi) {
    struct request *request = server->publisher != NULL ? server->publisher->requests : NULL;
    while (request != NULL && request->wsi != wsi)
        request = request->next;
    return request;
}

/* ------------------------------------------------------------------------------------- answers */

static void fail(struct request *request, unsigned status, const char *text) {
    json_free(&request->answer);
    request->status = status;
    json_format(&request->answer, "{\"error\":");
    json_string(&request->answer, text);
    json_format(&request->answer, "}\n");
}

static int fail_now(struct lws *wsi, unsigned status, const char *text,
                    const char *const header[2]) {
    struct json body = { 0 };
    json_format(&body, "{\"error\":");
    json_string(&body, text);
    json_format(&body, "}\n");
    return http_answer(wsi, status, &body, header);
}

static int send_answer(struct publisher *publisher, struct request *request) {
    int result = http_answer(request->wsi, request->status, &request->answer,
                             request->header[0] != NULL ? request->header : NULL);
    request->wsi = NULL;
    if (!request->published)
        end_request(publisher, request);
    return result;
}

/* ----------------------------------------------------------------------------- what was asked */

/* -1: too long */
static int read_key(struct lws *wsi, char key[KEY_BYTES_MAX + 1]) {
    static const char name[] = "idempotency-key:";
    int name_size = (int)sizeof name - 1;
    int size = lws_hdr_custom_length(wsi, name, name_size);
    if (size <= 0)
        return 0;
    return size > KEY_BYTES_MAX ||
                   lws_hdr_custom_copy(wsi, key, KEY_BYTES_MAX + 1, name, name_size) < 0
               ? -1
               : 0;
}

/* Asks for what may be wrong before the body has come; the rest is told at its end. */
int publish_request(struct server *server, struct lws *wsi) {
    static const char *const allow[2] = { "allow:", "POST" };
    static const char *const bearer[2] = { "www-authenticate:", "Bearer" };
    static const char *const later[2] = { "retry-after:", "1" };
    struct publisher *publisher = server->publisher;
    char length[16] = "";
    char *path;
    int path_size;
    if (publisher == NULL)
        return fail_now(wsi, HTTP_STATUS_NOT_FOUND, "this replica has no --publish-token", NULL);
    if (lws_http_get_uri_and_method(wsi, &path, &path_size) != LWSHUMETH_POST)
        return fail_now(wsi, HTTP_STATUS_METHOD_NOT_ALLOWED, "only POST publishes", allow);
    if (lws_hdr_copy(wsi, length, sizeof length, WSI_TOKEN_HTTP_CONTENT_LENGTH) <= 0 ||
        atol(length) <= 0)
        return fail_now(wsi, HTTP_STATUS_LENGTH_REQUIRED, "there is no body with a length", NULL);
    if (publisher->requests_count == REQUESTS_COUNT_MAX)
        return fail_now(wsi, HTTP_STATUS_SERVICE_UNAVAILABLE, "too many requests at once", later);
    struct request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return fail_now(wsi, HTTP_STATUS_SERVICE_UNAVAILABLE, "out of memory", later);
    request->wsi = wsi;
    request->next = publisher->requests;
    publisher->requests = request;
    publisher->requests_count++;
    if (!token_in_header(&publisher->token, wsi)) {
        fail(request, HTTP_STATUS_UNAUTHORIZED, "the bearer token is missing or wrong");
        memcpy(request->header, bearer, sizeof bearer);
    } else if (atol(length) > BODY_BYTES_MAX) {
        fail(request, HTTP_STATUS_REQ_ENTITY_TOO_LARGE, "the body is longer than 65536 bytes");
    } else if (read_key(wsi, request->key) != 0) {
        fail(request, HTTP_STATUS_BAD_REQUEST, "the Idempotency-Key is longer than 128 bytes");
    }
    lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, ANSWER_S);
    return 0;
}

int publish_body(struct server *server, struct lws *wsi, const char *data, size_t size) {
    struct request *request = find(server, wsi);
    if (request == NULL || request->status != 0)
        return 0; /* read and forgotten: it is answered at its end */
    if (size > BODY_BYTES_MAX - request->size) {
        fail(request, HTTP_STATUS_REQ_ENTITY_TOO_LARGE, "the body is longer than 65536 bytes");
        return 0;
    }
    memcpy(request->body + request->size, data, size);
    request->size += size;
    return 0;
}

/* A text member of the body. "" where it is missing; NULL where it is wrong. */
static const char *text_of(const cJSON *body, const char *name, size_t size_max) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(body, name);
    if (item == NULL)
        return "";
    const char *text = cJSON_GetStringValue(item);
    if (text == NULL || *text == '\0' || strlen(text) > size_max || !utf8_valid(text, strlen(text)))
        return NULL;
    return text;
}

static void publish(struct server *server, struct request *request, const wsfan_target *target,
                    const char *from, const char *text) {
    struct json json = { 0 };
    json_format(&json, "\"type\":\"message\",\"session\":\"%016x-%016x\",\"chat\":", 0, 0);
    json_string_sized(&json, target->kind == WSFAN_CHAT ? target->name.data : "",
                      target->kind == WSFAN_CHAT ? target->name.size : 0);
    json_format(&json, ",\"user\":");
    json_string(&json, from);
    json_format(&json, ",\"text\":");
    json_string(&json, text);
    json_format(&json, ",\"node\":");
    json_string(&json, wsfan_node_name(server->node));
    json_format(&json, "}");
    wsfan_publish_options options = { .struct_size = sizeof options,
                                      .result_loop = server->loop,
                                      .result_user = request };
    int error = json.failed ? WSFAN_ENOMEM
                            : wsfan_publish(server->node, target, 1, json_text(&json), &options);
    json_free(&json);
    request->published = error == WSFAN_OK;
    if (error == WSFAN_OK)
        return;
    fail(request, HTTP_STATUS_SERVICE_UNAVAILABLE, wsfan_error_text(error));
    request->header[0] = "retry-after:";
    request->header[1] = "1";
}

static void read_and_publish(struct server *server, struct request *request, const cJSON *body) {
    const char *chat = text_of(body, "chat", CHAT_BYTES_MAX);
    const char *user = text_of(body, "user", USER_BYTES_MAX);
    const char *text = text_of(body, "text", TEXT_BYTES_MAX);
    const char *from = text_of(body, "from", USER_BYTES_MAX);
    const cJSON *everyone = cJSON_GetObjectItemCaseSensitive(body, "everyone");
    if (!cJSON_IsObject(body)) {
        fail(request, 422, "the body is no JSON object");
    } else if (chat == NULL) {
        fail(request, 422, "chat: it must be UTF-8 text of 1 to 128 bytes");
    } else if (user == NULL) {
        fail(request, 422, "user: it must be UTF-8 text of 1 to 64 bytes");
    } else if (text == NULL || *text == '\0') {
        fail(request, 422, "text: it must be UTF-8 text of 1 to 16384 bytes");
    } else if (from == NULL) {
        fail(request, 422, "from: it must be UTF-8 text of 1 to 64 bytes");
    } else if ((everyone != NULL && !cJSON_IsTrue(everyone)) ||
               (*chat != '\0') + (*user != '\0') + (everyone != NULL) != 1) {
        fail(request, 422, "it must name one of chat, user, and everyone, which can only be true");
    } else {
        wsfan_target target = { WSFAN_ALL, { NULL, 0 } };
        if (everyone == NULL)
            target = *chat != '\0' ? (wsfan_target){ WSFAN_CHAT, wsfan_string(chat) }
                                   : (wsfan_target){ WSFAN_USER, wsfan_string(user) };
        publish(server, request, &target, *from != '\0' ? from : "publisher", text);
    }
}

/* ------------------------------------------------------------------------------------- the key */

static void forget(struct request *request) {
    if (request->past != NULL)
        memset(request->past, 0, sizeof *request->past);
    request->past = NULL;
}

/* Notes the key, or answers from what is known of it. */
static void look_up(struct publisher *publisher, struct request *request) {
    unsigned char digest[DIGEST_BYTES];
    lws_SHA1((const unsigned char *)request->body, request->size, digest);
    for (unsigned i = 0; i < KEYS_COUNT_MAX; i++) {
        const struct past *past = &publisher->past[i];
        if (strcmp(past->key, request->key) != 0)
            continue;
        if (memcmp(past->digest, digest, sizeof digest) != 0) {
            fail(request, 422, "this Idempotency-Key was used for something else");
        } else if (past->answer == NULL) {
            fail(request, HTTP_STATUS_CONFLICT, "the first request with this key is under way");
        } else {
            request->status = HTTP_STATUS_OK;
            json_raw(&request->answer, past->answer, strlen(past->answer));
        }
        return;
    }
    struct past *past = &publisher->past[publisher->past_next % KEYS_COUNT_MAX];
    for (struct request *other = publisher->requests; other != NULL; other = other->next)
        if (other->past == past)
            other->past = NULL; /* a thousand came since: its answer will not be kept */
    publisher->past_next++;
    free(past->answer);
    *past = (struct past){ .answer = NULL };
    memcpy(past->key, request->key, sizeof past->key);
    memcpy(past->digest, digest, sizeof digest);
    request->past = past;
}

int publish_complete(struct server *server, struct lws *wsi) {
    struct request *request = find(server, wsi);
    if (request == NULL)
        return 0; /* of another request, which who.c answers */
    if (request->status == 0 && request->key[0] != '\0')
        look_up(server->publisher, request);
    if (request->status == 0) {
        request->body[request->size] = '\0';
        cJSON *body = cJSON_ParseWithLengthOpts(request->body, request->size + 1, NULL, 1);
        if (body == NULL)
            fail(request, HTTP_STATUS_BAD_REQUEST, "the body is no JSON");
        else
            read_and_publish(server, request, body);
        cJSON_Delete(body);
        if (request->status != 0)
            forget(request); /* nothing was published, so it may be tried again */
    }
    if (request->status != 0)
        return send_answer(server->publisher, request);
    lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, ANSWER_S);
    return 0;
}

/* ---------------------------------------------------------------------------- what came of it */

void publish_result(void *loop_user, const wsfan_result *result) {
    struct server *server = loop_user;
    struct request *request = result->result_user;
    struct json *json = &request->answer;
    request->published = false;
    request->status = HTTP_STATUS_OK;
    json_format(json, "{\"id\":\"%016" PRIx64 "-%016" PRIx64 "\",\"complete\":%s", result->id.clock,
                result->id.origin, result->status == WSFAN_OK ? "true" : "false");
    json_format(json, ",\"sessions_here\":%" PRIu64 ",\"replicas\":{\"addressed\":%u",
                result->sessions, result->peers);
    json_format(json, ",\"acknowledged\":%u,\"behind\":%u,\"lost\":%u}}\n",
                result->peers_acknowledged, result->peers_behind, result->peers_lost);
    if (json->failed) {
        forget(request);
        fail(request, HTTP_STATUS_INTERNAL_SERVER_ERROR, "published, but out of memory");
    } else if (request->past != NULL) {
        wsfan_bytes text = json_text(json);
        request->past->answer = strndup(text.data, text.size);
        if (request->past->answer == NULL)
            forget(request);
    }
    if (request->wsi != NULL)
        lws_callback_on_writable(request->wsi);
    else
        end_request(server->publisher, request);
}

int publish_writable(struct server *server, struct lws *wsi) {
    struct request *request = find(server, wsi);
    return request == NULL || request->status == 0 ? 0 : send_answer(server->publisher, request);
}

void publish_hung_up(struct server *server, struct lws *wsi) {
    struct request *request = find(server, wsi);
    if (request == NULL)
        return;
    request->wsi = NULL;
    if (!request->published)
        end_request(server->publisher, request);
}
