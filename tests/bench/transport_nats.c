/* transport_nats.c - NATS core publish and subscribe by its C client. */
#include "bench.h"

#include <nats/nats.h>
#include <stdlib.h>

struct subscriber {
    natsSubscription **subscriptions; /* of each chat */
    unsigned count;
};

static void check(natsStatus status, const char *what) {
    if (status != NATS_OK)
        die("nats: %s: %s", what, natsStatus_GetText(status));
}

/* at_once: publish writes to the socket itself instead of waking a thread that does. */
static natsConnection *connect_to(const char *address, bool at_once) {
    natsOptions *options;
    natsConnection *nats;
    check(natsOptions_Create(&options), "options");
    check(natsOptions_SetURL(options, address), "address");
    check(natsOptions_SetSendAsap(options, at_once), "options");
    check(natsConnection_Connect(&nats, options), "connect");
    natsOptions_Destroy(options);
    return nats;
}

static void *publisher(struct stage *stage, const struct job *job) {
    return connect_to(stage->address, job->rate > 0);
}

static void publish(void *self, const struct chat *chat, const void *data, size_t size) {
    check(natsConnection_Publish(self, chat->name, data, (int)size), "publish");
}

static void *subscriber(struct stage *stage, const struct job *job, unsigned number) {
    natsConnection *nats = connect_to(stage->address, false);
    struct subscriber *self = calloc(1, sizeof *self);
    if (self == NULL ||
        (self->subscriptions = calloc(job->chats_count, sizeof(natsSubscription *))) == NULL)
        die("out of memory");
    for (unsigned i = job_first_chat(job, number); i < job->chats_count; i += job->parts) {
        natsSubscription **added = &self->subscriptions[self->count++];
        check(natsConnection_SubscribeSync(added, nats, job->chats[i].name), "subscribe");
        check(natsSubscription_SetPendingLimits(*added, -1, -1), "limits");
    }
    check(natsConnection_Flush(nats), "flush");
    return self;
}

/* Chats take turns, so the next message is known to be of the next. */
static void receive(void *user, struct sink *sink) {
    struct subscriber *self = user;
    natsMsg *message;
    natsSubscription *next = self->subscriptions[sink->count % self->count];
    natsStatus status = natsSubscription_NextMsg(&message, next, 100);
    if (status == NATS_TIMEOUT)
        return;
    check(status, "receive");
    sink_take(sink, natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message));
    natsMsg_Destroy(message);
}

const struct transport transport_nats = {
    .name = "nats",
    .broker = broker_nats,
    .no_back_pressure = true,
    .publisher = publisher,
    .publish = publish,
    .subscriber = subscriber,
    .receive = receive,
};
