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
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES_MAX = 128, KEYS_COUNT_MAX = 1024, BODY_BYTES_MAX = 64 * 1024, DIGEST_BYTES = 32 };

/* A key that was used, and what came of it. */
struct past {
    uint64_t serial; /* of the request that used it first; 0: free */
    char key[KEY_BYTES_MAX + 1];
    unsigned char digest[DIGEST_BYTES]; /* of the body */
    char *answer;                       /* NULL: it is still under way */
};

struct publisher {
    struct token token;
    uv_mutex_t lock;                  /* of what follows: all threads publish */
    struct past past[KEYS_COUNT_MAX]; /* a ring */
    uint64_t serial;                  /* of the newest in it */
};

int publish_open(struct replica *replica, const char *token_file) {
    struct publisher *publisher = calloc(1, sizeof *publisher);
    if (publisher == NULL || token_read(&publisher->token, "--publish-token", token_file) != 0) {
        free(publisher);
        return -1;
    }
    uv_mutex_init(&publisher->lock);
    replica->publisher = publisher;
    return 0;
}

void publish_close(struct replica *replica) {
    struct publisher *publisher = replica->publisher;
    if (publisher == NULL)
        return;
    for (unsigned i = 0; i < KEYS_COUNT_MAX; i++)
        free(publisher->past[i].answer);
    uv_mutex_destroy(&publisher->lock);
    free(publisher);
    replica->publisher = NULL;
}

/* ------------------------------------------------------------------------------------- answers */

static const char *const later[] = { "retry-after", "1", NULL };

static void fail_with(struct web_request *request, unsigned status, const char *text,
                      const char *const *headers) {
    struct writer body = { 0 };
    writer_format(&body, "{\"error\":");
    writer_string(&body, text);
    writer_format(&body, "}\n");
    http_answer(request, status, &body, headers);
}

static void fail(struct web_request *request, unsigned status, const char *text) {
    fail_with(request, status, text, NULL);
}

/* ----------------------------------------------------------------------------- what was asked */

/* The Idempotency-Key, "" where there is none. false: too long, or there twice. */
static bool read_key(const struct web_request *request, char key[KEY_BYTES_MAX + 1]) {
    struct slice value;
    key[0] = '\0';
    if (head_count(&request->head, "idempotency-key") == 0)
        return true;
    if (!web_field(request, "idempotency-key", &value) || value.size > KEY_BYTES_MAX)
        return false;
    memcpy(key, value.data, value.size);
    key[value.size] = '\0';
    return true;
}

/* Checks a request before its body has come. false: the request has been answered. */
static bool judge(struct web_request *request) {
    static const char *const allow[] = { "allow", "POST", NULL };
    static const char *const bearer[] = { "www-authenticate", "Bearer", NULL };
    const struct server *server = request->user;
    const struct publisher *publisher = server->replica->publisher;
    char key[KEY_BYTES_MAX + 1];
    if (publisher == NULL)
        fail(request, 404, "this replica has no --publish-token");
    else if (request->head.method != HEAD_POST)
        fail_with(request, 405, "only POST publishes", allow);
    else if (!token_in_header(&publisher->token, request))
        fail_with(request, 401, "the bearer token is missing or wrong", bearer);
    else if (request->head.body_size > BODY_BYTES_MAX)
        fail(request, 413, "the body is longer than 65536 bytes");
    else if (!read_key(request, key))
        fail(request, 400, "the Idempotency-Key is longer than 128 bytes, or there twice");
    else
        return true;
    return false;
}

size_t publish_head(struct web_request *request) {
    return judge(request) ? BODY_BYTES_MAX : 0;
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

struct publication {
    wsfan_target target;
    const char *from;
    const char *text;
};

/* Reads the body into the publication, which points into it. Returns the reason to refuse it, or NULL. */
static const char *read_body(const json_t *body, struct publication *publication) {
    const char *chat = text_of(body, "chat", CHAT_BYTES_MAX);
    const char *user = text_of(body, "user", USER_BYTES_MAX);
    const char *text = text_of(body, "text", TEXT_BYTES_MAX);
    const char *from = text_of(body, "from", USER_BYTES_MAX);
    const json_t *everyone = json_object_get(body, "everyone");
    if (!json_is_object(body))
        return "the body is no JSON object";
    if (chat == NULL)
        return "chat: it must be UTF-8 text of 1 to 128 bytes";
    if (user == NULL)
        return "user: it must be UTF-8 text of 1 to 64 bytes";
    if (text == NULL || *text == '\0')
        return "text: it must be UTF-8 text of 1 to 16384 bytes";
    if (from == NULL)
        return "from: it must be UTF-8 text of 1 to 64 bytes";
    if ((everyone != NULL && !json_is_true(everyone)) ||
        (*chat != '\0') + (*user != '\0') + (everyone != NULL) != 1)
        return "it must name one of chat, user, and everyone, which can only be true";
    publication->target = (wsfan_target){ WSFAN_ALL, { NULL, 0 } };
    if (*chat != '\0')
        publication->target = (wsfan_target){ WSFAN_CHAT, wsfan_string(chat) };
    else if (*user != '\0')
        publication->target = (wsfan_target){ WSFAN_USER, wsfan_string(user) };
    publication->from = *from != '\0' ? from : "publisher";
    publication->text = text;
    return NULL;
}

/* Returns WSFAN_OK, and the request is answered when the result is there; or an error. */
static int publish(struct web_request *request, const struct publication *publication,
                   uint64_t serial) {
    struct server *server = request->user;
    const wsfan_target *target = &publication->target;
    struct writer json = { 0 };
    writer_format(&json, "{\"type\":\"message\",\"session\":\"%016x-%016x\",\"chat\":", 0, 0);
    writer_string_sized(&json, target->kind == WSFAN_CHAT ? target->name.data : "",
                        target->kind == WSFAN_CHAT ? target->name.size : 0);
    writer_format(&json, ",\"user\":");
    writer_string(&json, publication->from);
    writer_format(&json, ",\"text\":");
    writer_string(&json, publication->text);
    writer_format(&json, ",\"node\":");
    writer_string(&json, wsfan_node_name(server->node));
    writer_format(&json, "}");
    struct waiting *waiting = json.failed ? NULL : wait_begin(server, request);
    int error = WSFAN_ENOMEM;
    if (waiting != NULL) {
        wsfan_publish_options options = { .struct_size = sizeof options,
                                          .result_loop = server->loop,
                                          .result_user = waiting };
        waiting->key_serial = serial;
        error = wsfan_publish(server->node, target, 1, writer_text(&json), &options);
        if (error != WSFAN_OK)
            wait_end(waiting);
    }
    writer_free(&json);
    return error;
}

/* Returns whether something was published; else the request is answered. */
static bool read_and_publish(struct web_request *request, uint64_t serial) {
    unsigned status = 422;
    struct publication publication;
    json_t *body = web_json(request->body.data, request->body.size, &status);
    const char *problem = body != NULL ? read_body(body, &publication)
                          : status == 422
                              ? "the body has a text with NUL or not in Unicode, or a name twice"
                              : "the body is no JSON";
    int error = WSFAN_OK;
    if (problem != NULL)
        fail(request, body != NULL ? 422 : status, problem);
    else if ((error = publish(request, &publication, serial)) != WSFAN_OK)
        fail_with(request, 503, wsfan_error_text(error), later);
    json_decref(body);
    return problem == NULL && error == WSFAN_OK;
}

/* ------------------------------------------------------------------------------------- the key */

/* The place of a key, if nobody else has got it since: a thousand came, and its answer is not kept. */
static struct past *past_of(struct publisher *publisher, uint64_t serial) {
    struct past *past = &publisher->past[serial % KEYS_COUNT_MAX];
    return serial != 0 && past->serial == serial ? past : NULL;
}

static void forget(struct publisher *publisher, uint64_t serial) {
    uv_mutex_lock(&publisher->lock);
    struct past *past = past_of(publisher, serial);
    if (past != NULL)
        *past = (struct past){ .serial = 0 };
    uv_mutex_unlock(&publisher->lock);
}

static struct past *find_key(struct publisher *publisher, const char *key) {
    for (unsigned i = 0; i < KEYS_COUNT_MAX; i++)
        if (publisher->past[i].serial != 0 && strcmp(publisher->past[i].key, key) == 0)
            return &publisher->past[i];
    return NULL;
}

/* Notes a new key, and returns its serial; or answers from what is known of it, and returns 0. */
static uint64_t look_up(struct publisher *publisher, struct web_request *request, const char *key) {
    unsigned char digest[DIGEST_BYTES] = { 0 };
    struct writer answer = { 0 };
    uint64_t serial = 0;
    EVP_Digest(request->body.data, request->body.size, digest, NULL, EVP_sha256(), NULL);
    uv_mutex_lock(&publisher->lock);
    struct past *past = find_key(publisher, key);
    bool same = past != NULL && memcmp(past->digest, digest, sizeof digest) == 0;
    bool known = same && past->answer != NULL;
    if (known)
        writer_raw(&answer, past->answer, strlen(past->answer));
    if (past == NULL) {
        serial = ++publisher->serial;
        past = &publisher->past[serial % KEYS_COUNT_MAX];
        free(past->answer);
        *past = (struct past){ .serial = serial };
        memcpy(past->key, key, strlen(key));
        memcpy(past->digest, digest, sizeof digest);
    }
    uv_mutex_unlock(&publisher->lock);
    if (serial != 0)
        return serial;
    if (known)
        http_answer(request, 200, &answer, NULL);
    else if (same)
        fail(request, 409, "the first request with this key is under way");
    else
        fail(request, 422, "this Idempotency-Key was used for something else");
    return 0;
}

void publish_request(struct web_request *request) {
    const struct server *server = request->user;
    struct publisher *publisher = server->replica->publisher;
    char key[KEY_BYTES_MAX + 1];
    uint64_t serial = 0;
    if (!judge(request))
        return;
    read_key(request, key);
    if (request->body.size == 0) {
        fail(request, 411, "there is no body");
        return;
    }
    if (key[0] != '\0' && (serial = look_up(publisher, request, key)) == 0)
        return;
    if (!read_and_publish(request, serial))
        forget(publisher, serial); /* nothing was published, so it may be tried again */
}

/* ---------------------------------------------------------------------------- what came of it */

/* Keeps the answer for repetitions. */
static void remember(struct publisher *publisher, uint64_t serial, const struct writer *json) {
    uv_mutex_lock(&publisher->lock);
    struct past *past = past_of(publisher, serial);
    if (past != NULL && (past->answer = strndup(json->data, json->size)) == NULL)
        past->serial = 0;
    uv_mutex_unlock(&publisher->lock);
}

void publish_result(void *loop_user, const wsfan_result *result) {
    struct server *server = loop_user;
    struct publisher *publisher = server->replica->publisher;
    struct waiting *waiting = result->result_user;
    struct writer json = { 0 };
    writer_format(&json, "{\"id\":\"%016" PRIx64 "-%016" PRIx64 "\",\"complete\":%s",
                  result->id.clock, result->id.origin,
                  result->status == WSFAN_OK ? "true" : "false");
    writer_format(&json, ",\"sessions_here\":%" PRIu64 ",\"replicas\":{\"addressed\":%u",
                  result->sessions, result->peers);
    writer_format(&json, ",\"acknowledged\":%u,\"behind\":%u,\"lost\":%u,\"refusing\":%u}}\n",
                  result->peers_acknowledged, result->peers_behind, result->peers_lost,
                  result->peers_refusing);
    if (json.failed) {
        writer_free(&json);
        forget(publisher, waiting->key_serial);
        fail(waiting->request, 500, "published, but out of memory");
    } else {
        if (waiting->key_serial != 0)
            remember(publisher, waiting->key_serial, &json);
        http_answer(waiting->request, 200, &json, NULL);
    }
    wait_end(waiting);
}
