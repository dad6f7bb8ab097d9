/* Answers for the connection to NATS: the carrier's functions never wait, so a thread of its own connects and
 * publishes, and what comes by libnats' threads waits in a queue for the node.
 *
 * libnats reconnects by itself, but gives up where a server has refused the same twice, and publishing waits while a
 * server reads nothing. So each connection here ends for good, and the thread makes the next one; only that thread
 * publishes.
 *
 * `lock` guards all but what open wrote before the thread began, and `connection` and `attempts`, which are the thread's. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/sized.h"
#include "connection.h"
#include "options.h"
#include "queue.h"

enum {
    LOOK_MS = 250, /* between looks at whether the connection stands */
    ERROR_SIZE = 512
};

struct wsfan_nats {
    wsfan_nats_options options;
    wsfan_carrier carrier;
    const wsfan_carrier_mesh *mesh; /* NULL: no node has this */
    int fd;
    char prefix[WSF_NATS_PREFIX_SIZE];
    pthread_t thread;
    wsf_nats_connection connection;
    wsf_nats_attempts attempts;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* something to send, or to stop; or the first attempt is over */
    bool stop;
    bool tried;
    int error; /* of the first attempt: what the node is told */
    wsfan_endpoint_state state;
    uint64_t state_serial;
    uint64_t told_serial;
    wsf_nats_queue sending;
    wsf_nats_queue received;
    wsfan_nats_stats stats;

    char last_error[ERROR_SIZE];
    char shown_error[ERROR_SIZE];
};

static void wake(wsfan_nats *n) {
    eventfd_write(n->fd, 1);
}

/* ------------------------------------------------------------------------------------- messages */

static void put_received(void *user, natsMsg *message) {
    wsfan_nats *n = user;
    uint64_t size = (uint64_t)natsMsg_GetDataLength(message);
    wsf_nats_item *item = wsf_nats_item_of(message);
    pthread_mutex_lock(&n->lock);
    bool first = n->received.first == NULL;
    bool put = item != NULL && wsf_nats_queue_put(&n->received, item);
    n->stats.received += put;
    n->stats.received_bytes += put ? size : 0;
    n->stats.receive_dropped += !put;
    pthread_mutex_unlock(&n->lock);
    if (first && put)
        wake(n);
}

/* ----------------------------------------------------------------------------------- connecting */

/* The state that is told of a failure. *error: opening returns it, since trying again is of no use; WSFAN_OK: it may be. */
static wsfan_endpoint_state state_of(natsStatus s, int *error) {
    *error = WSFAN_EKEY;
    switch (s) {
    case NATS_CONNECTION_AUTH_FAILED:
    case NATS_NOT_PERMITTED:
        return WSFAN_ENDPOINT_KEY_UNKNOWN_THERE;
    case NATS_SECURE_CONNECTION_REQUIRED:
        return WSFAN_ENDPOINT_PLAIN_HERE;
    case NATS_SECURE_CONNECTION_WANTED:
        return WSFAN_ENDPOINT_PLAIN_THERE;
    case NATS_SSL_ERROR:
        return WSFAN_ENDPOINT_KEY_UNKNOWN_HERE;
    case NATS_MAX_PAYLOAD:
        *error = WSFAN_ETOOBIG;
        return WSFAN_ENDPOINT_FOREIGN;
    case NATS_INVALID_ARG:
    case NATS_ADDRESS_MISSING:
        *error = WSFAN_EENDPOINT;
        return WSFAN_ENDPOINT_NO_ANSWER;
    case NATS_NO_MEMORY:
        *error = WSFAN_ENOMEM;
        return WSFAN_ENDPOINT_NO_ANSWER;
    default:
        *error = WSFAN_OK;
        return WSFAN_ENDPOINT_NO_ANSWER;
    }
}

/* With the lock. text NULL: there was no error. */
static void set_state(wsfan_nats *n, wsfan_endpoint_state state, const char *text) {
    if (text != NULL)
        snprintf(n->last_error, sizeof n->last_error, "%s", text);
    n->stats.failures += text != NULL;
    n->stats.connected = state == WSFAN_ENDPOINT_RESOLVED;
    n->state = state;
    n->state_serial++;
    wake(n);
}

static void note_server(wsfan_nats *n) {
    char server[WSFAN_NATS_SERVER_SIZE];
    wsf_nats_server(&n->connection, server);
    pthread_mutex_lock(&n->lock);
    memcpy(n->stats.server, server, sizeof server);
    n->stats.payload_max = (uint64_t)natsConnection_GetMaxPayload(n->connection.nats);
    pthread_mutex_unlock(&n->lock);
}

static void drop_connection(wsfan_nats *n) {
    uint64_t dropped = wsf_nats_disconnect(&n->connection);
    pthread_mutex_lock(&n->lock);
    n->stats.receive_dropped += dropped;
    n->stats.send_dropped += wsf_nats_queue_clear(&n->sending);
    n->stats.server[0] = '\0';
    pthread_mutex_unlock(&n->lock);
}

static natsStatus connect_once(wsfan_nats *n) {
    natsStatus s = wsf_nats_connect(&n->connection, &n->options, n->mesh);
    if (s != NATS_OK)
        return s;
    note_server(n);
    if (n->stats.payload_max < n->mesh->datagram_bytes_max)
        return NATS_MAX_PAYLOAD;
    return wsf_nats_listen(&n->connection, n->prefix, n->mesh->name,
                           (wsf_nats_hearer){ n, put_received }, n->options.connect_ms_max);
}

/* A text for who reads logs. */
static void write_error(const wsfan_nats *n, natsStatus s, char text[ERROR_SIZE]) {
    char server[WSFAN_NATS_SERVER_SIZE];
    const char *detail = wsf_nats_detail(&n->connection);
    wsf_nats_copy_server(server, n->stats.server[0] != '\0' ? n->stats.server : n->options.urls);
    if (s == NATS_MAX_PAYLOAD)
        snprintf(
            text, ERROR_SIZE,
            "%s: max_payload is %llu bytes, a frame has up to %llu: raise max_payload, or lower "
            "payload_bytes_max",
            server, (unsigned long long)n->stats.payload_max,
            (unsigned long long)n->mesh->datagram_bytes_max);
    else
        snprintf(text, ERROR_SIZE, "%s: %s%s%s", server, natsStatus_GetText(s),
                 detail[0] != '\0' ? ": " : "", detail);
}

/* Ends the connection, if there is one, for a reason. Returns the error that opening would. */
static int fail(wsfan_nats *n, natsStatus s) {
    char text[ERROR_SIZE];
    int error;
    wsfan_endpoint_state state = state_of(s, &error);
    write_error(n, s, text);
    drop_connection(n);
    pthread_mutex_lock(&n->lock);
    set_state(n, state, text);
    pthread_mutex_unlock(&n->lock);
    return error;
}

/* --------------------------------------------------------------------------------------- thread */

/* With the lock. */
static void wait_ms(wsfan_nats *n, uint64_t ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + ms % 1000 * 1000000;
    until.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_cond_timedwait(&n->changed, &n->lock, &until);
}

static bool try_to_connect(wsfan_nats *n) {
    natsStatus s = connect_once(n);
    int error = s != NATS_OK ? fail(n, s) : WSFAN_OK;
    wsf_nats_attempts_count(&n->attempts, s);
    pthread_mutex_lock(&n->lock);
    if (s == NATS_OK) {
        n->stats.connects++;
        set_state(n, WSFAN_ENDPOINT_RESOLVED, NULL);
    }
    if (!n->tried) {
        n->tried = true;
        n->error = error;
        pthread_cond_broadcast(&n->changed);
    }
    pthread_mutex_unlock(&n->lock);
    return s == NATS_OK;
}

/* Publishes what there is. */
static natsStatus publish(wsfan_nats *n, wsf_nats_item *items) {
    natsStatus s = NATS_OK;
    uint64_t bytes = 0;
    uint64_t sent = 0;
    uint64_t sent_bytes = 0;
    uint64_t dropped = 0;
    while (items != NULL) {
        wsf_nats_item *item = items;
        items = item->next;
        if (s == NATS_OK)
            s = natsConnection_Publish(n->connection.nats, item->subject, item->data,
                                       (int)item->size);
        sent += s == NATS_OK;
        sent_bytes += s == NATS_OK ? item->size : 0;
        dropped += s != NATS_OK;
        bytes += item->bytes;
        wsf_nats_item_free(item);
    }
    pthread_mutex_lock(&n->lock);
    wsf_nats_queue_done(&n->sending, bytes);
    n->stats.sent += sent;
    n->stats.sent_bytes += sent_bytes;
    n->stats.send_dropped += dropped;
    pthread_mutex_unlock(&n->lock);
    return s;
}

/* Publishes while the connection stands. */
static void serve(wsfan_nats *n) {
    bool stop = false;
    natsStatus s = NATS_OK;
    while (s == NATS_OK && !stop) {
        pthread_mutex_lock(&n->lock);
        if (n->sending.first == NULL && !n->stop)
            wait_ms(n, LOOK_MS);
        stop = n->stop;
        wsf_nats_item *items = wsf_nats_queue_take_all(&n->sending);
        pthread_mutex_unlock(&n->lock);
        s = items != NULL ? publish(n, items) : NATS_OK;
        if (s == NATS_OK)
            s = wsf_nats_look(&n->connection);
    }
    if (s != NATS_OK)
        fail(n, s);
}

static void *run(void *user) {
    wsfan_nats *n = user;
    unsigned random = (unsigned)getpid() ^ (unsigned)(uintptr_t)n;
    bool stop = false;
    while (!stop) {
        if (try_to_connect(n))
            serve(n);
        pthread_mutex_lock(&n->lock);
        if (!n->stop)
            wait_ms(n, wsf_nats_retry_ms(&n->attempts, &random));
        stop = n->stop;
        pthread_mutex_unlock(&n->lock);
    }
    drop_connection(n);
    nats_ReleaseThreadMemory();
    return NULL;
}

/* -------------------------------------------------------------------------------------- carrier */

/* Waits for the end of the first attempt. */
static int first_attempt(wsfan_nats *n) {
    pthread_mutex_lock(&n->lock);
    while (!n->tried)
        pthread_cond_wait(&n->changed, &n->lock);
    int error = n->error;
    pthread_mutex_unlock(&n->lock);
    return error;
}

static void carrier_close(void *user, int linger_ms) {
    wsfan_nats *n = user;
    (void)
        linger_ms; /* the thread publishes what there is; a server that reads nothing has a second */
    pthread_mutex_lock(&n->lock);
    n->stop = true;
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
    pthread_join(n->thread, NULL);
    pthread_mutex_lock(&n->lock);
    wsf_nats_queue_clear(&n->received);
    n->stats.connected = 0;
    n->mesh = NULL;
    pthread_mutex_unlock(&n->lock);
}

static void write_prefix(wsfan_nats *n) {
    const char *cluster = n->mesh->cluster;
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    int used = snprintf(n->prefix, sizeof n->prefix, "%s.", n->options.prefix);
    char *at = n->prefix + used;
    if (strspn(cluster, plain) == strlen(cluster)) {
        at += sprintf(at, "%s", cluster);
    } else {
        *at++ = '=';
        for (; *cluster != '\0'; cluster++)
            at += sprintf(at, "%02x", (unsigned char)*cluster);
    }
    memcpy(at, ".", 2);
}

static int carrier_open(void *user, const wsfan_carrier_mesh *mesh) {
    wsfan_nats *n = user;
    pthread_mutex_lock(&n->lock);
    bool busy = n->mesh != NULL;
    if (!busy)
        n->mesh = mesh;
    pthread_mutex_unlock(&n->lock);
    if (busy)
        return WSFAN_EBUSY;
    write_prefix(n);
    n->stop = n->tried = false;
    n->attempts.count = 0;
    n->state = WSFAN_ENDPOINT_DIALLING;

    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int reason = pthread_create(&n->thread, NULL, run, n);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (reason != 0) {
        n->mesh = NULL;
        errno = reason;
        return WSFAN_ESYSTEM;
    }
    int error = first_attempt(n);
    if (error != WSFAN_OK)
        carrier_close(n, 0);
    return error;
}

static void carrier_send(void *user, const char *to, const wsfan_bytes *parts, size_t count) {
    wsfan_nats *n = user;
    char subject[WSF_NATS_SUBJECT_SIZE];
    int subject_size = to != NULL
                           ? snprintf(subject, sizeof subject, "%sf.%s.%s", n->prefix,
                                      n->mesh->name, to)
                           : snprintf(subject, sizeof subject, "%sh.%s", n->prefix, n->mesh->name);
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    wsf_nats_item *item = wsf_nats_item_new(subject, (size_t)subject_size, size);
    char *at = item != NULL ? item->data : NULL;
    for (size_t i = 0; i < count && item != NULL; i++) {
        if (parts[i].size > 0)
            memcpy(at, parts[i].data, parts[i].size);
        at += parts[i].size;
    }
    pthread_mutex_lock(&n->lock);
    bool connected = n->stats.connected != 0;
    bool first = n->sending.first == NULL;
    bool put = item != NULL && connected && wsf_nats_queue_put(&n->sending, item);
    n->stats.send_dropped += !put;
    if (put && first)
        pthread_cond_signal(&n->changed);
    pthread_mutex_unlock(&n->lock);
    if (item != NULL && !connected)
        wsf_nats_item_free(item);
}

static int carrier_fd(void *user) {
    return ((wsfan_nats *)user)->fd;
}

/* The token of a subject by which its sender is known: the one before the last, or the last of an introduction. */
static bool find_sender(const wsfan_nats *n, const char *subject,
                        char from[WSFAN_CARRIED_NAME_MAX + 1]) {
    size_t prefix_size = strlen(n->prefix);
    if (strncmp(subject, n->prefix, prefix_size) != 0 || subject[prefix_size] == '\0' ||
        subject[prefix_size + 1] != '.')
        return false;
    const char *begin = subject + prefix_size + 2;
    size_t size = strcspn(begin, ".");
    if (size > WSFAN_CARRIED_NAME_MAX)
        return false;
    memcpy(from, begin, size);
    from[size] = '\0';
    return true;
}

static bool tell_received(wsfan_nats *n, natsMsg *message) {
    char from[WSFAN_CARRIED_NAME_MAX + 1];
    if (!find_sender(n, natsMsg_GetSubject(message), from))
        return true;
    return n->mesh->received(n->mesh->mesh, from, natsMsg_GetData(message),
                             (size_t)natsMsg_GetDataLength(message)) != 0;
}

static void carrier_receive(void *user) {
    wsfan_nats *n = user;
    eventfd_t count;
    eventfd_read(n->fd, &count);
    pthread_mutex_lock(&n->lock);
    bool tell = n->told_serial != n->state_serial;
    wsfan_endpoint_state state = n->state;
    n->told_serial = n->state_serial;
    pthread_mutex_unlock(&n->lock);
    if (tell)
        n->mesh->stands(n->mesh->mesh, state);
    bool more = true;
    uint64_t done = 0;
    while (more) {
        pthread_mutex_lock(&n->lock);
        wsf_nats_queue_done(&n->received, done);
        wsf_nats_item *item = wsf_nats_queue_take(&n->received);
        pthread_mutex_unlock(&n->lock);
        if (item == NULL)
            return;
        more = tell_received(n, item->message);
        done = item->bytes;
        wsf_nats_item_free(item);
    }
    pthread_mutex_lock(&n->lock);
    wsf_nats_queue_done(&n->received, done);
    pthread_mutex_unlock(&n->lock);
    wake(n);
}

/* ------------------------------------------------------------------------------ open and close */

static int init_locks(wsfan_nats *n) {
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&n->lock, NULL) != 0)
        return WSFAN_ESYSTEM;
    if (pthread_condattr_init(&attributes) == 0) {
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        int reason = pthread_cond_init(&n->changed, &attributes);
        pthread_condattr_destroy(&attributes);
        if (reason == 0)
            return WSFAN_OK;
    }
    pthread_mutex_destroy(&n->lock);
    return WSFAN_ESYSTEM;
}

int wsfan_nats_open(wsfan_nats **out, const wsfan_nats_options *given) {
    if (out == NULL)
        return WSFAN_EINVAL;
    wsfan_nats *n = calloc(1, sizeof *n);
    if (n == NULL)
        return WSFAN_ENOMEM;
    int error = wsf_nats_options_read(&n->options, given);
    if (error != WSFAN_OK)
        goto free_nats;
    n->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    error = n->fd >= 0 ? init_locks(n) : WSFAN_ESYSTEM;
    if (error != WSFAN_OK)
        goto close_fd;
    wsf_nats_queue_init(&n->sending, n->options.send_bytes_max);
    wsf_nats_queue_init(&n->received, n->options.receive_bytes_max);
    n->carrier = (wsfan_carrier){ .struct_size = sizeof n->carrier,
                                  .user = n,
                                  .scheme = "nats",
                                  .open = carrier_open,
                                  .send = carrier_send,
                                  .fd = carrier_fd,
                                  .receive = carrier_receive,
                                  .close = carrier_close };
    *out = n;
    return WSFAN_OK;

close_fd:
    if (n->fd >= 0)
        close(n->fd);
    wsf_nats_options_free(&n->options);
free_nats:
    free(n);
    return error;
}

const wsfan_carrier *wsfan_nats_carrier(wsfan_nats *n) {
    return &n->carrier;
}

const char *wsfan_nats_error(wsfan_nats *n) {
    pthread_mutex_lock(&n->lock);
    memcpy(n->shown_error, n->last_error, sizeof n->shown_error);
    pthread_mutex_unlock(&n->lock);
    return n->shown_error;
}

int wsfan_nats_get_stats(wsfan_nats *n, wsfan_nats_stats *stats) {
    if (n == NULL || !WSF_IS_SIZED(stats))
        return WSFAN_EINVAL;
    size_t struct_size = stats->struct_size;
    pthread_mutex_lock(&n->lock);
    wsfan_nats_stats all = n->stats;
    all.send_waiting = n->sending.bytes;
    all.receive_waiting = n->received.bytes;
    pthread_mutex_unlock(&n->lock);
    all.struct_size = struct_size;
    wsf_fill_sized(stats, struct_size, &all, sizeof all);
    return WSFAN_OK;
}

int wsfan_nats_close(wsfan_nats *n) {
    if (n == NULL)
        return WSFAN_OK;
    pthread_mutex_lock(&n->lock);
    bool busy = n->mesh != NULL;
    pthread_mutex_unlock(&n->lock);
    if (busy)
        return WSFAN_EBUSY;
    pthread_cond_destroy(&n->changed);
    pthread_mutex_destroy(&n->lock);
    close(n->fd);
    wsf_nats_options_free(&n->options);
    free(n);
    return WSFAN_OK;
}
