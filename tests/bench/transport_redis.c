/* transport_redis.c - Redis PUBLISH and SUBSCRIBE by hiredis, 64 commands in a pipeline. */
#include "bench.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

enum { PIPELINE = 64 };

struct publisher {
    redisContext *redis;
    unsigned unanswered;
};

static redisContext *connect_to(const char *address) {
    redisContext *redis = redisConnect("127.0.0.1", atoi(address));
    if (redis == NULL || redis->err != 0)
        die("redis: %s", redis == NULL ? "out of memory" : redis->errstr);
    redisEnableKeepAlive(redis);
    return redis;
}

static redisReply *read_reply(redisContext *redis) {
    void *reply;
    if (redisGetReply(redis, &reply) != REDIS_OK)
        die("redis: %s", redis->errstr);
    if (((redisReply *)reply)->type == REDIS_REPLY_ERROR)
        die("redis: %s", ((redisReply *)reply)->str);
    return reply;
}

static void flush(void *user) {
    struct publisher *self = user;
    for (; self->unanswered > 0; self->unanswered--)
        freeReplyObject(read_reply(self->redis));
}

static void *publisher(struct stage *stage, const struct job *job) {
    (void)job;
    struct publisher *self = calloc(1, sizeof *self);
    if (self == NULL)
        die("out of memory");
    self->redis = connect_to(stage->address);
    return self;
}

static void publish(void *user, const struct chat *chat, const void *data, size_t size) {
    struct publisher *self = user;
    const char *arguments[3] = { "PUBLISH", chat->name, data };
    size_t sizes[3] = { 7, chat->size, size };
    if (redisAppendCommandArgv(self->redis, 3, arguments, sizes) != REDIS_OK)
        die("redis: %s", self->redis->errstr);
    if (++self->unanswered == PIPELINE)
        flush(self);
}

static void *subscriber(struct stage *stage, const struct job *job, unsigned number) {
    redisContext *redis = connect_to(stage->address);
    unsigned first = job_first_chat(job, number);
    for (unsigned i = first; i < job->chats_count; i += job->parts)
        if (redisAppendCommand(redis, "SUBSCRIBE %s", job->chats[i].name) != REDIS_OK)
            die("redis: %s", redis->errstr);
    for (unsigned i = first; i < job->chats_count; i += job->parts)
        freeReplyObject(read_reply(redis));
    return redis;
}

static void receive(void *user, struct sink *sink) {
    redisReply *reply = read_reply(user);
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 ||
        strcmp(reply->element[0]->str, "message") != 0)
        die("redis: an unexpected answer");
    sink_take(sink, reply->element[2]->str, reply->element[2]->len);
    freeReplyObject(reply);
}

const struct transport transport_redis = {
    .name = "redis",
    .broker = broker_redis,
    .no_back_pressure = true,
    .publisher = publisher,
    .publish = publish,
    .flush = flush,
    .subscriber = subscriber,
    .receive = receive,
};
