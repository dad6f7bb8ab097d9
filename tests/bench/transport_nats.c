/* transport_nats.c - NATS core publish and subscribe by its C client. */
#include "bench.h"

#include <nats/nats.h>
#include <stdlib.h>

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

static void publish(void *self, const void *data, size_t size) {
    check(natsConnection_Publish(self, TRANSPORT_CHAT, data, (int)size), "publish");
}

static void *subscriber(struct stage *stage, const struct job *job) {
    (void)job;
    natsConnection *nats = connect_to(stage->address, false);
    natsSubscription *subscription;
    check(natsConnection_SubscribeSync(&subscription, nats, TRANSPORT_CHAT), "subscribe");
    check(natsSubscription_SetPendingLimits(subscription, -1, -1), "limits");
    check(natsConnection_Flush(nats), "flush");
    return subscription;
}

static void receive(void *self, struct sink *sink) {
    natsMsg *message;
    natsStatus status = natsSubscription_NextMsg(&message, self, 100);
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
