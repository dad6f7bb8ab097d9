/* publish.c - POST /publish: other programs put messages into chats, with a shared secret.
 *
 *   Authorization: Bearer TOKEN        Idempotency-Key: KEY (may be left out)
 *   {"chat": NAME, "text": TEXT}       or "user": NAME, or "everyone": true; "from": who says it
 *
 * The answer comes when the library knows what became of the message. A key makes a repetition safe:
 * this replica gives the answer that it gave before and publishes nothing. It remembers the last
 * KEYS_COUNT_MAX keys; another replica knows nothing of them, so repeat where you asked. */
#include "echo_chat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    KEY_BYTES_MAX = 128,
    KEYS_COUNT_MAX = 1024,
    BODY_BYTES_MAX = 64 * 1024,
    REQUESTS_COUNT_MAX = 256, /* of those with the token */
    ANSWER_S = 30,            /* more than the library takes to know */
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
    struct lws *wsi;     /* NULL: the other side has hung up */
    unsigned status;     /* of the answer; 0: there is none yet */
    lws_usec_t until_us; /* when its body must be here */
    struct writer answer;
    const char *headers[3]; /* as of web_answer() */
    struct past *past;      /* NULL: it has no key */
    bool admitted;          /* it brought the token, and has one of the places */
    bool published;         /* its result is still to come */
    char key[KEY_BYTES_MAX + 1];
    size_t size;
    size_t size_announced;
    char *body; /* NULL until the first of it comes */
};

struct publisher {
    struct token token;
    struct request *requests;
    unsigned admitted_count;
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
    if (request->admitted)
        publisher->admitted_count--;
    writer_free(&request->answer);
    free(request->body);
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
    writer_free(&request->answer);
    request->status = status;
    writer_format(&request->answer, "{\"error\":");
    writer_string(&request->answer, text);
    writer_format(&request->answer, "}\n");
}

static int fail_now(struct lws *wsi, unsigned status, const char *text,
                    const char *const *headers) {
    struct writer body = { 0 };
    writer_format(&body, "{\"error\":");
    writer_string(&body, text);
    writer_format(&body, "}\n");
    return http_answer(wsi, status, &body, headers, false);
}

static int send_answer(struct publisher *publisher, struct request *request) {
    int result = http_answer(request->wsi, request->status, &request->answer, request->headers,
                             false);
    request->wsi = NULL;
    if (!request->published)
        end_request(publisher, request);
    return result;
}

/* ----------------------------------------------------------------------------- what was asked */

/* -1: too long, or with a NUL */
static int read_key(struct lws *wsi, char key[KEY_BYTES_MAX + 1]) {
    static const char name[] = "idempotency-key:";
    int name_size = (int)sizeof name - 1;
    int size = lws_hdr_custom_length(wsi, name, name_size);
    if (size <= 0)
        return 0;
    return size > KEY_BYTES_MAX ||
                   lws_hdr_custom_copy(wsi, key, KEY_BYTES_MAX + 1, name, name_size) < 0 ||
                   strlen(key) != (size_t)size
               ? -1
               : 0;
}

/* Asks for what may be wrong before the body has come. A client that is still sending may not read an
 * answer, so it is told at the end of the body; a body that is too large is not waited for. */
int publish_request(struct server *server, struct lws *wsi, bool post, uint64_t body_size) {
    static const char *const allow[] = { "allow:", "POST", NULL };
    static const char *const bearer[] = { "www-authenticate:", "Bearer", NULL };
    static const char *const later[] = { "retry-after:", "1", NULL };
    struct publisher *publisher = server->publisher;
    if (publisher == NULL)
        return fail_now(wsi, HTTP_STATUS_NOT_FOUND, "this replica has no --publish-token", NULL);
    if (!post)
        return fail_now(wsi, HTTP_STATUS_METHOD_NOT_ALLOWED, "only POST publishes", allow);
    if (body_size == 0)
        return fail_now(wsi, HTTP_STATUS_LENGTH_REQUIRED, "there is no body with a length", NULL);
    if (body_size > BODY_BYTES_MAX)
        return fail_now(wsi, HTTP_STATUS_REQ_ENTITY_TOO_LARGE,
                        "the body is longer than 65536 bytes", NULL);
    bool admitted = token_in_header(&publisher->token, wsi);
    if (admitted && publisher->admitted_count == REQUESTS_COUNT_MAX)
        return fail_now(wsi, HTTP_STATUS_SERVICE_UNAVAILABLE, "too many requests at once", later);
    struct request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return fail_now(wsi, HTTP_STATUS_SERVICE_UNAVAILABLE, "out of memory", later);
    request->wsi = wsi;
    request->until_us = lws_now_usecs() + ANSWER_S * LWS_US_PER_SEC;
    request->size_announced = (size_t)body_size;
    request->admitted = admitted;
    request->next = publisher->requests;
    publisher->requests = request;
    publisher->admitted_count += admitted ? 1 : 0;
    if (!admitted) {
        fail(request, HTTP_STATUS_UNAUTHORIZED, "the bearer token is missing or wrong");
        memcpy(request->headers, bearer, sizeof bearer);
    } else if (read_key(wsi, request->key) != 0) {
        fail(request, HTTP_STATUS_BAD_REQUEST,
             "the Idempotency-Key is longer than 128 bytes, or has a NUL");
    }
    lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, ANSWER_S);
    return 0;
}

int publish_body(struct server *server, struct lws *wsi, const char *data, size_t size) {
    struct request *request = find(server, wsi);
    if (request != NULL && lws_now_usecs() > request->until_us)
        return -1; /* libwebsockets' own time limit begins anew with each piece */
    if (request == NULL || request->status != 0)
        return 0; /* read and forgotten: it is answered at its end */
    if (request->body == NULL)
        request->body = malloc(request->size_announced);
    if (request->body == NULL || size > request->size_announced - request->size) {
        fail(request, HTTP_STATUS_SERVICE_UNAVAILABLE, "out of memory");
        return 0;
    }
    memcpy(request->body + request->size, data, size);
    request->size += size;
    return 0;
}

/* A text member of the body. "" where it is missing; NULL where it is wrong. */
static const char *text_of(const json_t *body, const char *name, size_t size_max) {
    const json_t *item = json_object_get(body, name);
    if (item == NULL)
        return "";
    const char *text = json_string_value(item);
    size_t size = json_string_length(item);
    return text == NULL || size == 0 || size > size_max ? NULL : text;
}

static void publish(struct server *server, struct request *request, const wsfan_target *target,
                    const char *from, const char *text) {
    struct writer json = { 0 };
    writer_format(&json, "{\"type\":\"message\",\"session\":\"%016x-%016x\",\"chat\":", 0, 0);
    writer_string_sized(&json, target->kind == WSFAN_CHAT ? target->name.data : "",
                        target->kind == WSFAN_CHAT ? target->name.size : 0);
    writer_format(&json, ",\"user\":");
    writer_string(&json, from);
    writer_format(&json, ",\"text\":");
    writer_string(&json, text);
    writer_format(&json, ",\"node\":");
    writer_string(&json, wsfan_node_name(server->node));
    writer_format(&json, "}");
    wsfan_publish_options options = { .struct_size = sizeof options,
                                      .result_loop = server->loop,
                                      .result_user = request };
    int error = json.failed ? WSFAN_ENOMEM
                            : wsfan_publish(server->node, target, 1, writer_text(&json), &options);
    writer_free(&json);
    request->published = error == WSFAN_OK;
    if (error == WSFAN_OK)
        return;
    fail(request, HTTP_STATUS_SERVICE_UNAVAILABLE, wsfan_error_text(error));
    request->headers[0] = "retry-after:";
    request->headers[1] = "1";
}

static void read_and_publish(struct server *server, struct request *request, const json_t *body) {
    const char *chat = text_of(body, "chat", CHAT_BYTES_MAX);
    const char *user = text_of(body, "user", USER_BYTES_MAX);
    const char *text = text_of(body, "text", TEXT_BYTES_MAX);
    const char *from = text_of(body, "from", USER_BYTES_MAX);
    const json_t *everyone = json_object_get(body, "everyone");
    if (!json_is_object(body)) {
        fail(request, 422, "the body is no JSON object");
    } else if (chat == NULL) {
        fail(request, 422, "chat: it must be UTF-8 text of 1 to 128 bytes");
    } else if (user == NULL) {
        fail(request, 422, "user: it must be UTF-8 text of 1 to 64 bytes");
    } else if (text == NULL || *text == '\0') {
        fail(request, 422, "text: it must be UTF-8 text of 1 to 16384 bytes");
    } else if (from == NULL) {
        fail(request, 422, "from: it must be UTF-8 text of 1 to 64 bytes");
    } else if ((everyone != NULL && !json_is_true(everyone)) ||
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
            writer_raw(&request->answer, past->answer, strlen(past->answer));
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
        unsigned status;
        json_t *body = web_json(request->body, request->size, &status);
        if (body == NULL)
            fail(request, status,
                 status == 422 ? "the body has a text with NUL or not in Unicode, or a name twice"
                               : "the body is no JSON");
        else
            read_and_publish(server, request, body);
        json_decref(body);
        if (request->status != 0)
            forget(request); /* nothing was published, so it may be tried again */
    }
    if (request->status != 0)
        return send_answer(server->publisher, request);
    web_defer(wsi);
    lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, ANSWER_S);
    return 0;
}

/* ---------------------------------------------------------------------------- what came of it */

void publish_result(void *loop_user, const wsfan_result *result) {
    struct server *server = loop_user;
    struct request *request = result->result_user;
    struct writer *json = &request->answer;
    request->published = false;
    request->status = HTTP_STATUS_OK;
    writer_format(json, "{\"id\":\"%016" PRIx64 "-%016" PRIx64 "\",\"complete\":%s",
                  result->id.clock, result->id.origin,
                  result->status == WSFAN_OK ? "true" : "false");
    writer_format(json, ",\"sessions_here\":%" PRIu64 ",\"replicas\":{\"addressed\":%u",
                  result->sessions, result->peers);
    writer_format(json, ",\"acknowledged\":%u,\"behind\":%u,\"lost\":%u,\"refusing\":%u}}\n",
                  result->peers_acknowledged, result->peers_behind, result->peers_lost,
                  result->peers_refusing);
    if (json->failed) {
        forget(request);
        fail(request, HTTP_STATUS_INTERNAL_SERVER_ERROR, "published, but out of memory");
    } else if (request->past != NULL) {
        wsfan_bytes text = writer_text(json);
        request->past->answer = strndup(text.data, text.size);
        if (request->past->answer == NULL)
            forget(request);
    }
    if (request->wsi != NULL)
        web_resume(request->wsi);
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
