/* Answers for dialling: with which key, and when with a new socket. Frames are read by socket.c. */
#include "mesh/connection.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <zmq.h>

#include "base/clock.h"
#include "base/hash.h"
#include "mesh/zmq.h"

enum {
    RECONNECT_MS = 100,
    RECONNECT_MS_MAX = 2000,
    RETRY_MS = 1000,
    SILENT_MS = 5000, /* a socket that never received anything is replaced */

    HEAD_START_MS = 250, /* of the likeliest key, unless it is refused, before trials of others */
    TRIAL_MS = 300,      /* five round trips: a handshake, a greeting and its answer */
    TRIAL_DOUBLINGS_MAX = 2, /* TRIAL_MS doubles with each round, for slower networks */
    LATE_MS = 50,            /* what a dead node has sent was read by then */

    /* An address that answers does so within a round trip. */
    UNREACHED_MS = 500, /* without a handshake the address is probed, and again */
    PROBE_AGAIN_MS = 2000
};

/* ---------------------------------------------------------------------------------- connections */

static bool set_up(const wsf_connections *connections, const char *endpoint, uint32_t key,
                   void *socket) {
    wsf_zmq_set_common(socket, connections->frame_size_max, endpoint);
    wsf_zmq_set_int(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS);
    wsf_zmq_set_int(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MS_MAX);
    return (connections->auth == NULL ||
            wsf_auth_dial(connections->auth, socket, connections->keys->allowed[key].text)) &&
           zmq_setsockopt(socket, ZMQ_SUBSCRIBE, connections->inbox, connections->inbox_size) ==
               0 &&
           zmq_setsockopt(socket, ZMQ_SUBSCRIBE, connections->introduction,
                          connections->introduction_size) == 0 &&
           zmq_connect(socket, endpoint) == 0;
}

static void watch_over(wsf_connections *connections, wsf_monitor *monitor, void *socket) {
    if (connections->monitors_count < connections->monitors_max &&
        wsf_monitor_open(monitor, connections->context, socket, ++connections->monitors_opened,
                         connections->watch_fd, WSF_WATCH_MONITOR)) {
        connections->monitors_count++;
        connections->monitors_unread = true;
    }
}

static void watch_no_more(wsf_connections *connections, wsf_monitor *monitor) {
    connections->monitors_count -= monitor->reader != NULL;
    wsf_monitor_close(monitor, connections->watch_fd);
}

/* NULL: not now; retry_at_ms is set. */
static void *open_socket(wsf_connections *connections, const char *endpoint, uint32_t key,
                         uint32_t watch_number, wsf_monitor *monitor) {
    void *socket = zmq_socket(connections->context, ZMQ_SUB);
    if (socket != NULL)
        watch_over(connections, monitor, socket);
    if (socket != NULL && set_up(connections, endpoint, key, socket) &&
        wsf_zmq_watch(connections->watch_fd, socket, watch_number))
        return socket;
    watch_no_more(connections, monitor);
    if (socket != NULL)
        zmq_close(socket);
    connections->retry_at_ms = wsf_clock_ms() + RETRY_MS;
    return NULL;
}

static void set_key(const wsf_connections *connections, wsf_connection *to, uint32_t key) {
    to->key = key;
    to->identity = wsf_hash_identity(connections->keys->allowed[key].text);
}

static void restart_seek(wsf_connection *to, uint64_t ms) {
    to->round = to->next = 0;
    to->seek_at_ms = ms + HEAD_START_MS;
}

static void try_dial(wsf_connections *connections, wsf_connection *to) {
    uint32_t number = (uint32_t)(to - connections->list);
    to->proven = false;
    to->proof_at_ms = 0;
    to->silent_at_ms = wsf_clock_ms() + SILENT_MS;
    to->reached = false;
    to->probe_at_ms = wsf_clock_ms() + UNREACHED_MS;
    to->socket = open_socket(connections, to->endpoint, to->key, number, &to->monitor);
    to->unread = to->socket != NULL;
}

static int place_of(const wsf_keys *keys, uint32_t identity) {
    for (uint32_t i = 0; i < keys->count && identity != 0; i++)
        if (wsf_hash_identity(keys->allowed[i].text) == identity)
            return (int)i;
    return -1;
}

void wsf_connections_dial(wsf_connections *connections, uint32_t number, const char *endpoint,
                          uint32_t identity) {
    wsf_connection *to = &connections->list[number];
    assert(number < WSF_CONNECTIONS_COUNT_MAX && !to->dialled);
    bool again = strcmp(to->endpoint, endpoint) == 0;
    if (!again) {
        wsf_tcp_probes_cancel(&connections->probes, (uint64_t)number + 1);
        *to = (wsf_connection){ .hint = -1, .found = WSFAN_ENDPOINT_DIALLING };
        snprintf(to->endpoint, sizeof to->endpoint, "%s", endpoint);
    }
    to->dialled = true;
    if (connections->used <= number)
        connections->used = number + 1;
    if (connections->auth != NULL) {
        int place = place_of(connections->keys, identity);
        if (place >= 0 || !again)
            set_key(connections, to, place >= 0 ? (uint32_t)place : 0);
        if (!again || to->proven) /* else the search goes on */
            to->round = to->next = 0;
        to->seek_at_ms = wsf_clock_ms() + HEAD_START_MS;
    }
    try_dial(connections, to);
}

static void close_socket(wsf_connections *connections, wsf_connection *from) {
    watch_no_more(connections, &from->monitor);
    if (from->socket != NULL)
        wsf_zmq_close(connections->watch_fd, from->socket);
    from->socket = NULL;
    from->unread = false;
}

static void end_trial(wsf_connections *connections, wsf_trial *trial) {
    watch_no_more(connections, &trial->monitor);
    wsf_zmq_close(connections->watch_fd, trial->socket);
    trial->socket = NULL;
    connections->trials_count--;
}

static void end_trials(wsf_connections *connections, uint32_t number) {
    for (uint32_t i = 0; i < WSF_TRIALS_MAX && connections->trials_count > 0; i++)
        if (connections->trials[i].socket != NULL && connections->trials[i].connection == number)
            end_trial(connections, &connections->trials[i]);
}

void wsf_connections_hang_up(wsf_connections *connections, uint32_t number) {
    wsf_connection *from = &connections->list[number];
    close_socket(connections, from);
    end_trials(connections, number);
    from->dialled = false;
}

static void redial(wsf_connections *connections, wsf_connection *to) {
    close_socket(connections, to);
    try_dial(connections, to);
}

void wsf_connections_seek(wsf_connections *connections, uint32_t number, uint32_t identity) {
    wsf_connection *to = &connections->list[number];
    if (connections->auth == NULL || !to->dialled)
        return;
    uint64_t ms = wsf_clock_ms();
    if (to->proven) {
        to->proven = false;
        to->silent_at_ms = ms + SILENT_MS;
        to->proof_at_ms = ms + LATE_MS;
        restart_seek(to, ms);
    }
    int place = place_of(connections->keys, identity);
    if (place < 0)
        return;
    to->hint = place;
    to->seek_at_ms = ms;
}

void wsf_connections_heard(wsf_connections *connections, wsf_connection *connection) {
    if (connection->proven)
        return;
    connection->proven = wsf_clock_ms() >= connection->proof_at_ms;
    connections->monitors_unread = true; /* reads, and closes, the connection's */
}

void wsf_connections_set_keys(wsf_connections *connections, const wsf_keys *keys) {
    const wsf_keys *before = connections->keys;
    uint64_t ms = wsf_clock_ms();
    connections->keys = keys;
    for (uint32_t i = 0; i < connections->used; i++) {
        wsf_connection *to = &connections->list[i];
        if (to->endpoint[0] == '\0')
            continue;
        end_trials(connections, i); /* trials have indices of the old keys */
        restart_seek(to, ms);
        to->hint = -1;
        to->shut = to->unknown_there = false;
        int place = wsf_keys_find(keys, before->allowed[to->key].text);
        set_key(connections, to, place >= 0 ? (uint32_t)place : 0);
        if (place < 0 && to->socket != NULL)
            redial(connections, to);
    }
}

/* --------------------------------------------------------------------------------------- trials */

/* The node at an endpoint, and so its key, is not known before it answers. The socket of the connection has
 * the likeliest key; trials of the others run beside it, many at a time: a wrong key costs the node there a
 * TCP connection. A connection whose first round found nothing leaves half of the trials to others. */
static bool may_try(const wsf_connections *connections, const wsf_connection *to) {
    uint32_t max = to->round == 0 || to->hint >= 0 ? connections->trials_max
                                                   : connections->trials_max / 2;
    return to->dialled && !to->proven && connections->keys->count > 1 &&
           connections->trials_count < max;
}

/* The connection to begin a trial next: of those that are due, one with the fewest rounds. NULL: none is. */
static wsf_connection *next_seeker(wsf_connections *connections, uint64_t ms) {
    wsf_connection *found = NULL;
    for (uint32_t i = 0; i < connections->used; i++) {
        wsf_connection *to = &connections->list[(connections->trials_next + i) % connections->used];
        if (ms >= to->seek_at_ms && may_try(connections, to) &&
            (found == NULL || to->round < found->round))
            found = to;
    }
    return found;
}

static wsf_trial *free_trial(wsf_connections *connections) {
    for (uint32_t i = 0; i < WSF_TRIALS_MAX; i++)
        if (connections->trials[i].socket == NULL)
            return &connections->trials[i];
    return NULL;
}

/* Begins a trial of the next key but that of the connection's socket. At the end of a round none begins, and
 * the next round begins when the last trial has ended. */
static void begin_trial(wsf_connections *connections, wsf_connection *to, uint64_t ms) {
    uint32_t doublings = to->round < TRIAL_DOUBLINGS_MAX ? to->round : TRIAL_DOUBLINGS_MAX;
    uint64_t end_ms = ms + ((uint64_t)TRIAL_MS << doublings);
    uint32_t key;
    if (to->hint >= 0) {
        key = (uint32_t)to->hint;
        to->hint = -1;
        end_ms = ms + SILENT_MS;
    } else {
        if (to->next == 0 && to->round > 0 && to->shut && !to->unknown_there)
            to->probe_at_ms = ms; /* no key has opened it */
        to->next += to->next == to->key;
        if (to->next >= connections->keys->count) {
            to->next = 0;
            to->round++;
            to->seek_at_ms = ms + ((uint64_t)TRIAL_MS << doublings);
            return;
        }
        key = to->next++;
    }
    wsf_trial *trial = free_trial(connections);
    trial->socket = open_socket(connections, to->endpoint, key, WSF_WATCH_TRIAL, &trial->monitor);
    if (trial->socket == NULL)
        return;
    trial->connection = (uint32_t)(to - connections->list);
    trial->key = key;
    trial->end_ms = end_ms;
    connections->trials_count++;
    connections->trials_next = trial->connection + 1;
}

static void win_trial(wsf_connections *connections, wsf_trial *trial) {
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = trial->connection };
    wsf_connection *to = &connections->list[trial->connection];
    close_socket(connections, to);
    watch_no_more(connections, &trial->monitor);
    epoll_ctl(connections->watch_fd, EPOLL_CTL_MOD, wsf_zmq_descriptor(trial->socket), &event);
    to->socket = trial->socket;
    to->unread = to->proven = true;
    set_key(connections, to, trial->key);
    trial->socket = NULL;
    connections->trials_count--;
    end_trials(connections, event.data.u32);
}

static void renew_trials(wsf_connections *connections, uint64_t ms) {
    for (uint32_t i = 0; i < WSF_TRIALS_MAX && connections->trials_count > 0; i++) {
        wsf_trial *trial = &connections->trials[i];
        if (trial->socket == NULL)
            continue;
        bool needless = connections->list[trial->connection].proven;
        if (!needless && wsf_zmq_readable(trial->socket))
            win_trial(connections, trial);
        else if (needless || ms >= trial->end_ms)
            end_trial(connections, trial);
    }
    wsf_connection *seeker;
    while (connections->retry_at_ms == 0 && connections->trials_count < connections->trials_max &&
           (seeker = next_seeker(connections, ms)) != NULL)
        begin_trial(connections, seeker, ms);
}

static uint64_t trials_deadline(const wsf_connections *connections) {
    uint64_t at = UINT64_MAX;
    for (uint32_t i = 0; i < WSF_TRIALS_MAX; i++)
        if (connections->trials[i].socket != NULL && connections->trials[i].end_ms < at)
            at = connections->trials[i].end_ms;
    for (uint32_t i = 0; i < connections->used && connections->retry_at_ms == 0; i++)
        if (may_try(connections, &connections->list[i]) && connections->list[i].seek_at_ms < at)
            at = connections->list[i].seek_at_ms;
    return at;
}

/* ------------------------------------------------------------------------------------ diagnosis */

static void probe(wsf_connections *connections, wsf_connection *to, uint64_t ms) {
    to->probe_at_ms = ms + PROBE_AGAIN_MS;
    wsf_tcp_probes_begin(&connections->probes, (uint64_t)(to - connections->list) + 1, to->endpoint,
                         ms);
}

/* The likeliest key was refused: another node is at the endpoint. Behind a balancer that leads each connection to
 * the next node, ZeroMQ's retry with the same key leads to this node itself again; the trials go before it. */
static void end_head_start(wsf_connection *to, uint64_t ms) {
    if (to->round == 0 && to->next == 0 && to->seek_at_ms > ms)
        to->seek_at_ms = ms;
}

/* What the monitor of the connection's socket, or of a trial, has found. */
static void take_news(wsf_connection *to, wsf_monitor_news news, bool trial) {
    uint64_t ms = wsf_clock_ms();
    to->attempts += news.retries;
    to->reached = to->reached || news.reached;
    if (news.retries > 0 && !to->reached && !trial && to->probe_at_ms > ms &&
        to->probe_at_ms <= ms + UNREACHED_MS)
        to->probe_at_ms = ms; /* the first attempt has failed: ask why */
    switch (news.found) {
    case WSFAN_ENDPOINT_DIALLING:
        return;
    case WSFAN_ENDPOINT_KEY_UNKNOWN_HERE:
        to->shut = true; /* or the node there speaks plain text, which a greeting shows */
        if (!trial) {
            to->probe_at_ms = ms;
            end_head_start(to, ms);
        }
        return;
    case WSFAN_ENDPOINT_KEY_UNKNOWN_THERE:
        to->unknown_there = true;
        to->probe_at_ms = UINT64_MAX;
        break;
    case WSFAN_ENDPOINT_INTRODUCED:
        to->shut = to->unknown_there = false;
        to->probe_at_ms = UINT64_MAX;
        break;
    default: /* a greeting finds out what is there, and shows the other side ours */
        if (!trial)
            to->probe_at_ms = ms;
        if (news.found == WSFAN_ENDPOINT_MUTE)
            return;
        break;
    }
    to->found = news.found;
}

static void read_monitors(wsf_connections *connections) {
    bool keyed = connections->auth != NULL;
    connections->monitors_unread = false;
    for (uint32_t i = 0; i < connections->used; i++) {
        wsf_connection *to = &connections->list[i];
        if (to->monitor.reader == NULL)
            continue;
        take_news(to, wsf_monitor_read(&to->monitor, keyed), false);
        if (to->proven) {
            to->found = WSFAN_ENDPOINT_DIALLING; /* the core has heard the node itself */
            watch_no_more(connections, &to->monitor);
        }
    }
    for (uint32_t i = 0; i < WSF_TRIALS_MAX && connections->trials_count > 0; i++) {
        wsf_trial *trial = &connections->trials[i];
        if (trial->socket != NULL && trial->monitor.reader != NULL)
            take_news(&connections->list[trial->connection],
                      wsf_monitor_read(&trial->monitor, keyed), true);
    }
}

static wsfan_endpoint_state state_of(const wsf_connections *connections, wsf_tcp_outcome outcome) {
    switch (outcome) {
    case WSF_TCP_REFUSED:
        return WSFAN_ENDPOINT_REFUSED_TCP;
    case WSF_TCP_MUTE:
        return WSFAN_ENDPOINT_MUTE;
    case WSF_TCP_FOREIGN:
        return WSFAN_ENDPOINT_FOREIGN;
    case WSF_TCP_PLAIN:
        return connections->auth != NULL ? WSFAN_ENDPOINT_PLAIN_THERE : WSFAN_ENDPOINT_DIALLING;
    case WSF_TCP_KEYED:
        return connections->auth == NULL ? WSFAN_ENDPOINT_PLAIN_HERE : WSFAN_ENDPOINT_DIALLING;
    case WSF_TCP_NONE:
    case WSF_TCP_ACCEPTED:
        break;
    }
    return WSFAN_ENDPOINT_NO_ANSWER;
}

static void on_probed(void *user, uint64_t number, wsf_tcp_outcome outcome) {
    wsf_connections *connections = user;
    wsf_connection *to = &connections->list[number - 1];
    if (!to->dialled || to->proven)
        return;
    bool all_tried = connections->keys != NULL && (connections->keys->count == 1 || to->round > 0);
    wsfan_endpoint_state found = state_of(connections, outcome);
    if (found == WSFAN_ENDPOINT_DIALLING) /* a node as it should be */
        to->probe_at_ms = UINT64_MAX;
    if (outcome == WSF_TCP_KEYED && to->shut && !to->unknown_there && all_tried)
        found = WSFAN_ENDPOINT_KEY_UNKNOWN_HERE;
    if (found != WSFAN_ENDPOINT_DIALLING)
        to->found = found;
}

static void renew_probes(wsf_connections *connections, uint64_t ms) {
    for (uint32_t i = 0; i < connections->used; i++) {
        wsf_connection *to = &connections->list[i];
        if (to->dialled && !to->proven && ms >= to->probe_at_ms)
            probe(connections, to, ms);
    }
    wsf_tcp_probes_tell(&connections->probes, ms, on_probed, connections);
}

void wsf_connections_tell(wsf_connections *connections,
                          void (*found)(void *user, uint32_t number, wsfan_endpoint_state state,
                                        uint32_t attempts),
                          void *user) {
    for (uint32_t i = 0; i < connections->used; i++) {
        wsf_connection *to = &connections->list[i];
        if (to->found == WSFAN_ENDPOINT_DIALLING && to->attempts == 0)
            continue;
        found(user, i, to->found, to->attempts);
        to->found = WSFAN_ENDPOINT_DIALLING;
        to->attempts = 0;
    }
}

/* ----------------------------------------------------------------------------------------- time */

/* Whether the node at the other end did not understand us: nothing came in time. What came while this thread
 * did not run counts. */
static bool is_silent(wsf_connection *to, uint64_t ms) {
    if (to->proven || to->unread || ms < to->silent_at_ms)
        return false;
    to->unread = wsf_zmq_readable(to->socket);
    return !to->unread;
}

void wsf_connections_renew(wsf_connections *connections) {
    uint64_t ms = wsf_clock_ms();
    bool retry = connections->retry_at_ms != 0 && ms >= connections->retry_at_ms;
    if (retry)
        connections->retry_at_ms = 0;
    for (uint32_t i = 0; i < connections->used; i++) {
        wsf_connection *to = &connections->list[i];
        if (to->socket != NULL && is_silent(to, ms))
            redial(connections, to);
        else if (to->socket == NULL && retry && to->dialled)
            try_dial(connections, to);
    }
    if (connections->monitors_unread)
        read_monitors(connections);
    renew_probes(connections, ms);
    if (connections->auth != NULL)
        renew_trials(connections, ms);
}

uint64_t wsf_connections_deadline(const wsf_connections *connections) {
    uint64_t at = connections->retry_at_ms != 0 ? connections->retry_at_ms : UINT64_MAX;
    for (uint32_t i = 0; i < connections->used; i++) {
        const wsf_connection *to = &connections->list[i];
        if (to->socket != NULL && !to->proven && to->silent_at_ms < at)
            at = to->silent_at_ms;
        if (to->dialled && !to->proven && to->probe_at_ms < at)
            at = to->probe_at_ms;
    }
    uint64_t probes_at = wsf_tcp_probes_deadline(&connections->probes);
    at = probes_at < at ? probes_at : at;
    uint64_t trials_at = connections->auth != NULL ? trials_deadline(connections) : UINT64_MAX;
    return trials_at < at ? trials_at : at;
}
