/* bus.c - the connection to NATS.
 *
 * libnats reconnects by itself, but gives up where a server has refused the same twice, and publishing waits while a
 * server reads nothing. So each connection here ends for good, and the thread makes the next one; only that thread
 * publishes. What waits to be published when a connection ends is published by the next one.
 *
 * `lock` guards all but `options` and what is the thread's. */
#include "bus.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "nats/attempt.h"
#include "queue.h"

enum {
    LOOK_MS = 100, /* between looks at whether the connection stands */
    FLUSH_MS_MAX = 1000,
    DEAF_WAITS_MAX = 20,
    UNSENT_COUNT_MAX = 65536,
    UNSENT_BYTES_MAX = 16 * 1024 * 1024,
    UNHEARD_COUNT_MAX = 65536, /* that libnats keeps of a channel */
    UNHEARD_BYTES_MAX = 16 * 1024 * 1024,
    MESSAGE_BYTES = 512 /* what libnats takes for one besides its payload */
};

struct unsent {
    struct item item; /* first */
    natsMsg *message;
};

/* One of these hears a channel, also for a moment after its subscription. */
struct ear {
    struct bus *bus;
    enum channel channel;
    unsigned subscriptions; /* that may hand over messages */
};

struct bus {
    struct bus_options options;
    char name[WSFAN_NODE_NAME_SIZE + 16];
    pthread_t thread;

    natsConnection *nats; /* these eight are the thread's; NULL: none */
    wsf_nats_attempts attempts;
    char detail[WSF_NATS_DETAIL_SIZE]; /* of the last one */
    natsSubscription *subscriptions[CHANNELS_COUNT];
    natsSubscription *ended[CHANNELS_COUNT]; /* the last ones that were drained */
    bool draining[CHANNELS_COUNT];
    bool unflushed;                  /* the last connection ended before everything had left */
    int64_t dropped[CHANNELS_COUNT]; /* of these, what `unheard` has counted */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stop;
    bool tried; /* the first attempt is over */
    int error;  /* of that */
    bool wanted[CHANNELS_COUNT];
    struct ear ears[CHANNELS_COUNT];
    struct queue sending;
    struct bus_state state;
};

/* --------------------------------------------------------------------------------------- hearing */

static void on_message(natsConnection *nats, natsSubscription *subscription, natsMsg *message,
                       void *user) {
    struct ear *ear = user;
    (void)nats, (void)subscription;
    ear->bus->options.heard(ear->bus->options.user, ear->channel, message);
    natsMsg_Destroy(message);
}

static void on_complete(void *user) {
    struct ear *ear = user;
    struct bus *bus = ear->bus;
    pthread_mutex_lock(&bus->lock);
    ear->subscriptions--;
    pthread_cond_broadcast(&bus->changed);
    bus->options.wake(bus->options.user); /* within the lock: bus_close() waits for it */
    pthread_mutex_unlock(&bus->lock);
}

/* Its ear counts the subscription already: from the moment on in which it is known to be wanted, messages may come. */
static natsStatus subscribe(struct bus *bus, enum channel channel) {
    struct ear *ear = &bus->ears[channel];
    natsSubscription **subscription = &bus->subscriptions[channel];
    const char *subject = bus->options.subjects[channel];
    bus->dropped[channel] = 0;
    natsStatus s = channel == CHANNEL_IN
                       ? natsConnection_QueueSubscribe(subscription, bus->nats, subject, "wsfan-in",
                                                       on_message, ear)
                       : natsConnection_Subscribe(subscription, bus->nats, subject, on_message,
                                                  ear);
    if (s == NATS_OK)
        s = natsSubscription_SetOnCompleteCB(*subscription, on_complete, ear);
    if (s != NATS_OK)
        on_complete(ear);
    else
        s = natsSubscription_SetPendingLimits(*subscription, UNHEARD_COUNT_MAX, UNHEARD_BYTES_MAX);
    return s;
}

/* A subscription that ends hands over what has come, and calls on_complete() then; destroyed before, it would not. */
static natsStatus unsubscribe(struct bus *bus, enum channel channel) {
    bus->draining[channel] = true;
    return natsSubscription_DrainTimeout(bus->subscriptions[channel], FLUSH_MS_MAX);
}

/* Before libnats 3.6 the thread that reads may hold a subscription for a moment after it has ended (nats.c, issue 637): it is destroyed
 * when the next one has ended, or with the connection, whose close waits for that thread. */
static void destroy_drained(struct bus *bus) {
    for (int i = 0; i < CHANNELS_COUNT; i++) {
        pthread_mutex_lock(&bus->lock);
        bool drained = bus->draining[i] && bus->ears[i].subscriptions == 0;
        pthread_mutex_unlock(&bus->lock);
        if (!drained)
            continue;
        natsSubscription_Destroy(bus->ended[i]);
        bus->ended[i] = bus->subscriptions[i];
        bus->subscriptions[i] = NULL;
        bus->draining[i] = false;
    }
}

static bool differs(const struct bus *bus, int channel) {
    return !bus->draining[channel] && bus->wanted[channel] != (bus->subscriptions[channel] != NULL);
}

static void count_unheard(struct bus *bus) {
    for (int i = 0; i < CHANNELS_COUNT; i++) {
        int64_t dropped = 0;
        if (bus->subscriptions[i] == NULL ||
            natsSubscription_GetDropped(bus->subscriptions[i], &dropped) != NATS_OK)
            continue;
        pthread_mutex_lock(&bus->lock);
        bus->state.unheard += (uint64_t)(dropped - bus->dropped[i]);
        pthread_mutex_unlock(&bus->lock);
        bus->dropped[i] = dropped;
    }
}

/* The server tells what it does not permit before it answers a flush. That it does not permit an answer to be published
 * where somebody asked for it is no failure of the connection. */
static natsStatus permission(const struct bus *bus) {
    const char *text = NULL;
    natsStatus s = natsConnection_GetLastError(bus->nats, &text);
    return s == NATS_NOT_PERMITTED && text != NULL && strstr(text, "for Subscription to ") != NULL
               ? s
               : NATS_OK;
}

/* Makes the subscriptions what is wanted. */
static natsStatus subscribe_as_wanted(struct bus *bus) {
    bool changed = false;
    natsStatus s = NATS_OK;
    destroy_drained(bus);
    for (int i = 0; i < CHANNELS_COUNT && s == NATS_OK; i++) {
        pthread_mutex_lock(&bus->lock);
        bool wanted = bus->wanted[i];
        bool change = differs(bus, i);
        bus->ears[i].subscriptions += change && wanted;
        pthread_mutex_unlock(&bus->lock);
        if (change)
            s = wanted ? subscribe(bus, (enum channel)i) : unsubscribe(bus, (enum channel)i);
        changed = changed || change;
    }
    if (!changed || s != NATS_OK)
        return s;
    s = natsConnection_FlushTimeout(bus->nats, bus->options.nats.connect_ms_max);
    if (s == NATS_OK)
        s = permission(bus);
    pthread_mutex_lock(&bus->lock);
    for (int i = 0; i < CHANNELS_COUNT && s == NATS_OK; i++)
        bus->state.subscribed[i] = bus->subscriptions[i] != NULL && !bus->draining[i];
    pthread_mutex_unlock(&bus->lock);
    return s;
}

/* ------------------------------------------------------------------------------------ connecting */

/* The error that opening returns where trying again is of no use. */
static int error_of(natsStatus s) {
    switch (s) {
    case NATS_CONNECTION_AUTH_FAILED:
    case NATS_NOT_PERMITTED:
    case NATS_SECURE_CONNECTION_REQUIRED:
    case NATS_SECURE_CONNECTION_WANTED:
    case NATS_SSL_ERROR:
        return WSFAN_EKEY;
    case NATS_INVALID_ARG:
    case NATS_ADDRESS_MISSING:
        return WSFAN_EINVAL;
    case NATS_NO_MEMORY:
        return WSFAN_ENOMEM;
    default:
        return WSFAN_OK;
    }
}

static natsStatus connect_once(struct bus *bus) {
    char url[WSFAN_NATS_SERVER_SIZE] = "";
    natsStatus s = wsf_nats_attempt(&bus->nats, &bus->options.nats, bus->name, bus->detail);
    if (s == NATS_OK)
        s = subscribe_as_wanted(bus);
    if (s != NATS_OK)
        return s;
    natsConnection_GetConnectedUrl(bus->nats, url, sizeof url);
    const char *at = strrchr(url, '@'); /* without a user and a password */
    pthread_mutex_lock(&bus->lock);
    bus->state.connected = true;
    bus->state.connects++;
    bus->state.payload_max = natsConnection_GetMaxPayload(bus->nats);
    snprintf(bus->state.text, sizeof bus->state.text, "%s", at != NULL ? at + 1 : url);
    pthread_mutex_unlock(&bus->lock);
    bus->options.wake(bus->options.user);
    return NATS_OK;
}

static void write_failure(const struct bus *bus, natsStatus s, char text[BUS_TEXT_SIZE]) {
    const char *detail = NULL;
    if (bus->nats != NULL)
        natsConnection_GetLastError(bus->nats, &detail);
    if ((detail == NULL || *detail == '\0') && *bus->detail != '\0')
        detail = bus->detail;
    if (detail == NULL || *detail == '\0')
        detail = nats_GetLastError(NULL); /* of this thread */
    snprintf(text, BUS_TEXT_SIZE, "%s%s%s", natsStatus_GetText(s),
             detail != NULL && *detail != '\0' ? ": " : "", detail != NULL ? detail : "");
}

static void disconnect(struct bus *bus) {
    if (bus->nats == NULL)
        return;
    count_unheard(bus);
    natsConnection_Close(bus->nats);
    for (int i = 0; i < CHANNELS_COUNT; i++) {
        natsSubscription_Destroy(bus->subscriptions[i]);
        natsSubscription_Destroy(bus->ended[i]);
        bus->subscriptions[i] = bus->ended[i] = NULL;
        bus->draining[i] = false;
    }
    natsConnection_Destroy(bus->nats);
    bus->nats = NULL;
}

/* Ends the connection, if there is one, for a reason. */
static void fail(struct bus *bus, natsStatus s) {
    char text[BUS_TEXT_SIZE];
    write_failure(bus, s, text);
    pthread_mutex_lock(&bus->lock);
    memcpy(bus->state.text, text, sizeof text);
    memset(bus->state.subscribed, 0, sizeof bus->state.subscribed);
    bus->state.connected = false;
    bus->state.failures++;
    pthread_mutex_unlock(&bus->lock);
    disconnect(bus);
    bus->options.wake(bus->options.user);
}

/* ---------------------------------------------------------------------------------------- thread */

/* With the lock. */
static void wait_ms(struct bus *bus, uint64_t ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + ms % 1000 * 1000000;
    until.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_cond_timedwait(&bus->changed, &bus->lock, &until);
}

static void free_unsent(struct unsent *unsent) {
    natsMsg_Destroy(unsent->message);
    free(unsent);
}

/* Publishes what there is. A message that libnats does not take is counted, and others go on. */
static natsStatus publish(struct bus *bus) {
    for (;;) {
        pthread_mutex_lock(&bus->lock);
        struct unsent *unsent = (struct unsent *)queue_take(&bus->sending);
        pthread_mutex_unlock(&bus->lock);
        if (unsent == NULL)
            return NATS_OK;
        natsStatus s = natsConnection_PublishMsg(bus->nats, unsent->message);
        free_unsent(unsent);
        if (s == NATS_OK)
            continue;
        pthread_mutex_lock(&bus->lock);
        bus->state.unsent++;
        pthread_mutex_unlock(&bus->lock);
        if (s != NATS_MAX_PAYLOAD && s != NATS_INVALID_ARG && s != NATS_INVALID_SUBJECT &&
            s != NATS_NO_SERVER_SUPPORT && s != NATS_PROTOCOL_ERROR)
            return s;
    }
}

static bool anything_differs(const struct bus *bus) {
    for (int i = 0; i < CHANNELS_COUNT; i++)
        if (differs(bus, i))
            return true;
    return false;
}

/* Publishes while the connection stands. */
static void serve(struct bus *bus) {
    natsStatus s = NATS_OK;
    bool stop = false;
    while (s == NATS_OK && !stop) {
        pthread_mutex_lock(&bus->lock);
        if (bus->sending.first == NULL && !bus->stop && !anything_differs(bus))
            wait_ms(bus, LOOK_MS);
        stop = bus->stop;
        pthread_mutex_unlock(&bus->lock);
        count_unheard(bus);
        s = publish(bus);
        if (s == NATS_OK)
            s = subscribe_as_wanted(bus);
        if (s == NATS_OK && natsConnection_IsClosed(bus->nats))
            s = NATS_CONNECTION_CLOSED;
    }
    if (s == NATS_OK)
        s = natsConnection_FlushTimeout(bus->nats, FLUSH_MS_MAX);
    bus->unflushed = s != NATS_OK;
    if (s != NATS_OK)
        fail(bus, s);
}

static bool try_to_connect(struct bus *bus) {
    natsStatus s = connect_once(bus);
    if (s != NATS_OK)
        fail(bus, s);
    wsf_nats_attempts_count(&bus->attempts, s);
    pthread_mutex_lock(&bus->lock);
    if (!bus->tried)
        bus->error = error_of(s);
    bus->tried = true;
    pthread_cond_broadcast(&bus->changed);
    pthread_mutex_unlock(&bus->lock);
    return s == NATS_OK;
}

static void *run(void *user) {
    struct bus *bus = user;
    unsigned random = (unsigned)getpid() ^ (unsigned)time(NULL);
    bool stop = false;
    while (!stop) {
        if (try_to_connect(bus))
            serve(bus);
        pthread_mutex_lock(&bus->lock);
        if (!bus->stop)
            wait_ms(bus, wsf_nats_retry_ms(&bus->attempts, &random));
        stop = bus->stop;
        pthread_mutex_unlock(&bus->lock);
    }
    disconnect(bus);
    nats_ReleaseThreadMemory();
    return NULL;
}

/* ------------------------------------------------------------------------------------------ calls */

static void start(struct bus *bus) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int failure = pthread_create(&bus->thread, NULL, run, bus);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure == 0)
        return; /* from now on these are the thread's */
    bus->tried = bus->stop = true;
    bus->error = WSFAN_ESYSTEM;
}

int bus_open(struct bus **bus_out, const struct bus_options *options, char text[BUS_TEXT_SIZE]) {
    pthread_condattr_t monotonic;
    struct bus *bus = calloc(1, sizeof *bus);
    if (bus == NULL)
        return WSFAN_ENOMEM;
    bus->options = *options;
    snprintf(bus->name, sizeof bus->name, "%s", options->name);
    bus->sending = (struct queue){ .count_max = UNSENT_COUNT_MAX, .bytes_max = UNSENT_BYTES_MAX };
    for (int i = 0; i < CHANNELS_COUNT; i++)
        bus->ears[i] = (struct ear){ .bus = bus, .channel = (enum channel)i };
    bus->wanted[CHANNEL_STATUS] = true;
    pthread_mutex_init(&bus->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&bus->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    start(bus);
    pthread_mutex_lock(&bus->lock);
    while (!bus->tried)
        pthread_cond_wait(&bus->changed, &bus->lock);
    int error = bus->error;
    memcpy(text, bus->state.text, BUS_TEXT_SIZE);
    pthread_mutex_unlock(&bus->lock);
    if (error != WSFAN_OK)
        bus_close(bus);
    else
        *bus_out = bus;
    return error;
}

void bus_want(struct bus *bus, enum channel channel, bool wanted) {
    pthread_mutex_lock(&bus->lock);
    bool change = bus->wanted[channel] != wanted;
    bus->wanted[channel] = wanted;
    if (change)
        pthread_cond_broadcast(&bus->changed);
    pthread_mutex_unlock(&bus->lock);
}

static natsMsg *message_of(const struct parcel *parcel) {
    natsMsg *message = NULL;
    natsStatus s = natsMsg_Create(&message, parcel->subject, NULL, parcel->data.data,
                                  (int)parcel->data.size);
    if (s == NATS_OK && parcel->id != NULL)
        s = natsMsgHeader_Set(message, "Nats-Msg-Id", parcel->id);
    if (s == NATS_OK && parcel->binary)
        s = natsMsgHeader_Set(message, "Wsfan-Binary", "true");
    if (s == NATS_OK)
        return message;
    natsMsg_Destroy(message);
    return NULL;
}

bool bus_send(struct bus *bus, const struct parcel *parcel) {
    struct unsent *unsent = calloc(1, sizeof *unsent);
    if (unsent != NULL) {
        unsent->message = message_of(parcel);
        unsent->item.bytes = sizeof *unsent + MESSAGE_BYTES + parcel->data.size;
    }
    pthread_mutex_lock(&bus->lock);
    bool first = bus->sending.first == NULL;
    bool put = unsent != NULL && unsent->message != NULL && queue_put(&bus->sending, &unsent->item);
    bus->state.unsent += !put;
    if (put && first)
        pthread_cond_broadcast(&bus->changed);
    pthread_mutex_unlock(&bus->lock);
    if (!put && unsent != NULL)
        free_unsent(unsent);
    return put;
}

void bus_look(struct bus *bus, struct bus_state *state) {
    pthread_mutex_lock(&bus->lock);
    *state = bus->state;
    for (int i = 0; i < CHANNELS_COUNT; i++)
        state->open[i] = bus->ears[i].subscriptions > 0;
    pthread_mutex_unlock(&bus->lock);
}

/* Whether all ears were told that nobody calls them any more, as libnats does when a connection has ended. */
static bool all_deaf(struct bus *bus) {
    for (int i = 0; i < CHANNELS_COUNT; i++)
        if (bus->ears[i].subscriptions > 0)
            return false;
    return true;
}

bool bus_close(struct bus *bus) {
    if (bus == NULL)
        return true;
    pthread_mutex_lock(&bus->lock);
    bool started = !bus->stop;
    bus->stop = true;
    pthread_cond_broadcast(&bus->changed);
    pthread_mutex_unlock(&bus->lock);
    if (started)
        pthread_join(bus->thread, NULL);
    pthread_mutex_lock(&bus->lock);
    for (int i = 0; i < DEAF_WAITS_MAX && !all_deaf(bus); i++)
        wait_ms(bus, LOOK_MS);
    bool deaf = all_deaf(bus);
    bool sent = bus->sending.first == NULL && !bus->unflushed;
    pthread_mutex_unlock(&bus->lock);
    if (!deaf)
        return sent; /* its memory is somebody else's still */
    for (struct item *item; (item = queue_take(&bus->sending)) != NULL;)
        free_unsent((struct unsent *)item);
    pthread_cond_destroy(&bus->changed);
    pthread_mutex_destroy(&bus->lock);
    free(bus);
    return sent;
}
