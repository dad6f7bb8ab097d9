#include "connection.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

/* Each message of libnats goes to an ear, for a moment after the end of its connection too. */
struct wsf_nats_ear {
    pthread_mutex_t lock; /* guards the next */
    bool deaf;
    wsf_nats_hearer hearer;
    atomic_int refs; /* of the connection, and of each subscription */
};

/* ------------------------------------------------------------------------------------- hearing */

static void on_message(natsConnection *nats, natsSubscription *subscription, natsMsg *message,
                       void *user) {
    wsf_nats_ear *ear = user;
    (void)nats;
    (void)subscription;
    pthread_mutex_lock(&ear->lock);
    if (ear->deaf)
        natsMsg_Destroy(message);
    else
        ear->hearer.message(ear->hearer.user, message);
    pthread_mutex_unlock(&ear->lock);
}

static void release_ear(void *user) {
    wsf_nats_ear *ear = user;
    if (atomic_fetch_sub(&ear->refs, 1) != 1)
        return;
    pthread_mutex_destroy(&ear->lock);
    free(ear);
}

static wsf_nats_ear *new_ear(wsf_nats_hearer hearer) {
    wsf_nats_ear *ear = calloc(1, sizeof *ear);
    if (ear == NULL || pthread_mutex_init(&ear->lock, NULL) != 0) {
        free(ear);
        return NULL;
    }
    ear->hearer = hearer;
    atomic_init(&ear->refs, 1);
    return ear;
}

/* The reference of a subscription goes when libnats calls for it no more. Where the connection ends before libnats can
 * be told so, it is kept for ever. */
static natsStatus subscribe(wsf_nats_connection *c, natsSubscription **subscription,
                            const char *subject) {
    atomic_fetch_add(&c->ear->refs, 1);
    natsStatus s = natsConnection_Subscribe(subscription, c->nats, subject, on_message, c->ear);
    if (s == NATS_OK)
        return natsSubscription_SetOnCompleteCB(*subscription, release_ear, c->ear);
    release_ear(c->ear);
    return s;
}

/* The server tells what it does not permit before it answers a flush, and goes on. */
static natsStatus permission(const wsf_nats_connection *c) {
    const char *text;
    return natsConnection_GetLastError(c->nats, &text) == NATS_NOT_PERMITTED ? NATS_NOT_PERMITTED
                                                                             : NATS_OK;
}

natsStatus wsf_nats_listen(wsf_nats_connection *c, const char *prefix, const char *name,
                           wsf_nats_hearer hearer, uint32_t ms_max) {
    char subject[WSF_NATS_SUBJECT_SIZE];
    c->ear = new_ear(hearer);
    if (c->ear == NULL)
        return NATS_NO_MEMORY;
    snprintf(subject, sizeof subject, "%sf.*.%s", prefix, name);
    natsStatus s = subscribe(c, &c->inbox, subject);
    snprintf(subject, sizeof subject, "%sh.*", prefix);
    if (s == NATS_OK)
        s = subscribe(c, &c->hello, subject);
    if (s == NATS_OK)
        s = natsConnection_FlushTimeout(c->nats, ms_max);
    return s == NATS_OK ? permission(c) : s;
}

/* ---------------------------------------------------------------------------------- connecting */

natsStatus wsf_nats_connect(wsf_nats_connection *c, const wsfan_nats_options *options,
                            const wsfan_carrier_mesh *mesh) {
    char name[64 + WSFAN_CARRIED_NAME_MAX];
    snprintf(name, sizeof name, "wsfan %s %s", mesh->cluster, mesh->name);
    return wsf_nats_attempt(&c->nats, options, name, c->detail);
}

natsStatus wsf_nats_look(const wsf_nats_connection *c) {
    const char *text;
    if (!natsConnection_IsClosed(c->nats))
        return permission(c);
    natsStatus s = natsConnection_GetLastError(c->nats, &text);
    return s != NATS_OK ? s : NATS_CONNECTION_CLOSED;
}

static void deafen(wsf_nats_ear *ear) {
    pthread_mutex_lock(&ear->lock);
    ear->deaf = true;
    pthread_mutex_unlock(&ear->lock);
    release_ear(ear);
}

uint64_t wsf_nats_disconnect(wsf_nats_connection *c) {
    int64_t inbox = 0;
    int64_t hello = 0;
    if (c->ear != NULL)
        deafen(c->ear);
    if (c->inbox != NULL)
        natsSubscription_GetDropped(c->inbox, &inbox);
    if (c->hello != NULL)
        natsSubscription_GetDropped(c->hello, &hello);
    natsConnection_Close(c->nats);
    natsSubscription_Destroy(c->inbox);
    natsSubscription_Destroy(c->hello);
    natsConnection_Destroy(c->nats);
    *c = (wsf_nats_connection){ 0 };
    return (uint64_t)(inbox + hello);
}

/* -------------------------------------------------------------------------------------- texts */

void wsf_nats_copy_server(char server[WSFAN_NATS_SERVER_SIZE], const char *url) {
    const char *host = strstr(url, "://");
    const char *at = strrchr(url, '@');
    int scheme = host != NULL ? (int)(host - url) + 3 : 0;
    snprintf(server, WSFAN_NATS_SERVER_SIZE, "%.*s%s", scheme, url,
             at != NULL ? at + 1 : url + scheme);
}

void wsf_nats_server(const wsf_nats_connection *c, char server[WSFAN_NATS_SERVER_SIZE]) {
    char url[WSFAN_NATS_SERVER_SIZE] = "";
    natsConnection_GetConnectedUrl(c->nats, url, sizeof url);
    wsf_nats_copy_server(server, url);
}

const char *wsf_nats_detail(const wsf_nats_connection *c) {
    const char *detail = NULL;
    if (c->nats != NULL)
        natsConnection_GetLastError(c->nats, &detail);
    if ((detail == NULL || detail[0] == '\0') && c->detail[0] != '\0')
        return c->detail;
    if (detail == NULL || detail[0] == '\0')
        detail = nats_GetLastError(NULL); /* of this thread */
    return detail != NULL ? detail : "";
}
