/* main.c - wsfan-entry: a node on one side, a client of NATS on the other. Start, the loop, and the end. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "entry.h"

enum {
    BATCH = 256, /* asks, and messages, between two looks at everything else */
    TOLD_MS = 10000,
    BEAT_BYTES_MAX = 256,
    HEADERS_COUNT_MAX = 64,
    NATS_END_MS = 2000
};

uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ----------------------------------------------------------------------------------------- answers */

void answer(struct entry *entry, const char *reply, const char *text) {
    if (reply != NULL)
        bus_send(entry->bus, &(struct parcel){ .subject = reply, .data = { text, strlen(text) } });
}

static void fault_write(char text[ANSWER_SIZE], enum fault fault) {
    snprintf(text, ANSWER_SIZE, "{\"error\":\"%s\",\"code\":\"%s\"}", fault_texts[fault],
             fault_codes[fault]);
}

void refuse(struct entry *entry, const char *reply, enum fault fault) {
    char text[ANSWER_SIZE];
    entry->counts.faults[fault]++;
    entry->counts.unanswerable += reply == NULL;
    fault_write(text, fault);
    answer(entry, reply, text);
}

/* ------------------------------------------------------------------------- on the threads of libnats */

static void wake(void *user) {
    const struct entry *entry = user;
    eventfd_write(entry->wake_fd, 1);
}

static void read_headers(struct ask *ask, natsMsg *message) {
    const char **names = NULL;
    int names_count = 0;
    int all = 0;
    natsStatus s = natsMsgHeader_Keys(message, &names, &names_count);
    if (s != NATS_OK && s != NATS_NOT_FOUND) /* libnats can read none of them */
        ask->fault = FAULT_HEADER;
    for (int n = 0; n < names_count && ask->fault == FAULT_NONE; n++) {
        const char **values = NULL;
        int count = 0;
        if (natsMsgHeader_Values(message, names[n], &values, &count) != NATS_OK)
            continue;
        all += count;
        if (all > HEADERS_COUNT_MAX)
            ask->fault = FAULT_HEADER;
        for (int v = 0; v < count && ask->fault == FAULT_NONE; v++)
            ask->fault = headers_read(&ask->headers, names[n], values[v]);
        free((void *)values);
    }
    free((void *)names);
}

/* The sender names the subject of the answer, and the entry may publish where the sender may not: so not to entries, whose
 * answers would come in as messages, and not to the server itself. */
static bool is_reply(const struct entry *entry, const char *reply) {
    return reply == NULL ||
           (reply[0] != '$' && strncmp(reply, entry->prefix, strlen(entry->prefix)) != 0);
}

static struct ask *ask_of(const struct entry *entry, enum channel channel, natsMsg *message) {
    const char *reply = natsMsg_GetReply(message);
    bool replies = is_reply(entry, reply);
    size_t size = (size_t)natsMsg_GetDataLength(message);
    size_t size_max = channel == CHANNEL_IN ? entry->options.node.payload_bytes_max
                                            : BEAT_BYTES_MAX;
    bool fits = size <= size_max;
    struct ask *ask = ask_new(replies ? reply : NULL, natsMsg_GetData(message), fits ? size : 0);
    if (ask == NULL)
        return NULL;
    ask->channel = channel;
    if (!fits || !replies)
        ask->fault = fits ? FAULT_REPLY : FAULT_SIZE;
    if (channel != CHANNEL_IN && channel != CHANNEL_TAP)
        return ask;
    if (ask->fault == FAULT_NONE)
        read_headers(ask, message);
    const char *rest = natsMsg_GetSubject(message) + strlen(entry->prefix);
    ask_check(ask, rest + (channel == CHANNEL_IN ? strlen("in.") : strlen("tap.")), size_max);
    return ask;
}

static void heard(void *user, enum channel channel, natsMsg *message) {
    struct entry *entry = user;
    struct ask *ask = ask_of(entry, channel, message);
    const char *reply = natsMsg_GetReply(message);
    struct queue *queue = channel == CHANNEL_IN ? &entry->asks : &entry->urgent;
    pthread_mutex_lock(&entry->lock);
    bool first = queue->first == NULL;
    bool put = ask != NULL && queue_put(queue, &ask->item);
    bool unanswerable = !put && reply == NULL;
    entry->overflowed += !put;
    entry->overflowed_unanswerable += unanswerable;
    pthread_mutex_unlock(&entry->lock);
    if (put && first)
        wake(entry);
    if (put)
        return;
    free(ask);
    if (channel == CHANNEL_IN && is_reply(entry, reply))
        answer(entry, reply, entry->busy);
}

/* ------------------------------------------------------------------------------------------- begin */

static int explain(const struct entry *entry, int error) {
    const wsfan_options *node = &entry->options.node;
    int reason = errno;
    const char *field = NULL;
    const char *nats = entry->carrier != NULL ? wsfan_nats_error(entry->carrier) : "";
    bool is_bad = wsfan_options_check(node, &field) != WSFAN_OK;
    fprintf(stderr, "wsfan-entry: cannot open the node: %s%s%s%s%s%s\n",
            error == WSFAN_ESYSTEM ? strerror(reason) : wsfan_error_text(error),
            field != NULL ? " (" : "", field != NULL ? field : "", field != NULL ? ")" : "",
            *nats != '\0' ? ": " : "", nats);
    return is_bad ? STATUS_BAD_ARGUMENT : STATUS_FAILED;
}

static int open_node(struct entry *entry) {
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_message = taps_on_message,
                                               .on_joined = taps_on_joined,
                                               .on_gap = taps_on_gap,
                                               .on_result = inward_on_result,
                                               .on_event = log_event };
    wsfan_options *node = &entry->options.node;
    int error = WSFAN_OK;
    if (entry->options.over_nats) {
        error = wsfan_nats_open(&entry->carrier, &entry->options.nats);
        if (error == WSFAN_OK)
            node->carrier = wsfan_nats_carrier(entry->carrier);
    }
    if (error == WSFAN_OK)
        error = wsfan_node_open(&entry->node, node);
    if (error == WSFAN_OK)
        error = wsfan_loop_open(&entry->loop, entry->node, &callbacks, entry);
    return error == WSFAN_OK ? STATUS_OK : explain(entry, error);
}

static int open_bus(struct entry *entry) {
    struct bus_options bus = {
        .nats = entry->options.nats, .user = entry, .heard = heard, .wake = wake
    };
    char name[WSFAN_NODE_NAME_SIZE + 16];
    char text[BUS_TEXT_SIZE];
    snprintf(name, sizeof name, "wsfan-entry %s", wsfan_node_name(entry->node));
    bus.name = name;
    snprintf(bus.subjects[CHANNEL_IN], SUBJECT_SIZE, "%sin.>", entry->prefix);
    snprintf(bus.subjects[CHANNEL_TAP], SUBJECT_SIZE, "%stap.>", entry->prefix);
    snprintf(bus.subjects[CHANNEL_BEAT], SUBJECT_SIZE, "%sentry.beat", entry->prefix);
    status_subject(bus.subjects[CHANNEL_STATUS], entry->prefix, wsfan_node_name(entry->node));
    int error = bus_open(&entry->bus, &bus, text);
    if (error == WSFAN_OK) {
        bus_want(entry->bus, CHANNEL_BEAT, entry->taps != NULL);
        return STATUS_OK;
    }
    fprintf(stderr, "wsfan-entry: --nats: %s: %s\n", wsfan_error_text(error), text);
    return STATUS_FAILED;
}

static int begin(struct entry *entry) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    entry->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    entry->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    entry->asks = (struct queue){ .count_max = ASKS_COUNT_MAX, .bytes_max = ASKS_BYTES_MAX };
    entry->urgent = (struct queue){ .count_max = URGENT_COUNT_MAX, .bytes_max = ASKS_BYTES_MAX };
    pthread_mutex_init(&entry->lock, NULL);
    prefix_write(entry->prefix, &entry->options);
    fault_write(entry->busy, FAULT_BUSY);
    entry->ids = ids_new();
    bool room = entry->ids != NULL && entry->signal_fd >= 0 && entry->wake_fd >= 0;
    if (entry->options.taps_max > 0) {
        entry->taps = taps_new(entry);
        entry->fellows = fellows_new(entry);
        room = room && entry->taps != NULL && entry->fellows != NULL;
    }
    if (!room) {
        fprintf(stderr, "wsfan-entry: out of memory, or of descriptors\n");
        return STATUS_FAILED;
    }
    int status = open_node(entry);
    return status == STATUS_OK ? open_bus(entry) : status;
}

/* -------------------------------------------------------------------------------------------- loop */

static void handle(struct entry *entry, const struct ask *ask) {
    switch (ask->channel) {
    case CHANNEL_IN:
        inward_take(entry, ask);
        break;
    case CHANNEL_TAP:
        taps_ask(entry->taps, ask);
        break;
    case CHANNEL_BEAT:
        fellows_hear(entry->fellows, ask->payload);
        break;
    default:
        status_answer(entry, ask);
    }
}

static struct ask *take(struct entry *entry) {
    pthread_mutex_lock(&entry->lock);
    struct ask *ask = (struct ask *)queue_take(&entry->urgent);
    if (ask == NULL)
        ask = (struct ask *)queue_take(&entry->asks);
    pthread_mutex_unlock(&entry->lock);
    return ask;
}

/* Returns whether there may be more. */
static bool handle_some(struct entry *entry) {
    for (int i = 0; i < BATCH; i++) {
        struct ask *ask = take(entry);
        if (ask == NULL)
            return false;
        handle(entry, ask);
        free(ask);
    }
    return true;
}

/* What the threads of libnats counted. */
static void add_overflowed(struct entry *entry) {
    pthread_mutex_lock(&entry->lock);
    entry->counts.faults[FAULT_BUSY] += entry->overflowed;
    entry->counts.unanswerable += entry->overflowed_unanswerable;
    entry->overflowed = entry->overflowed_unanswerable = 0;
    pthread_mutex_unlock(&entry->lock);
}

static void tell_faults(struct entry *entry, uint64_t now) {
    char text[256] = "";
    uint64_t sum = 0;
    size_t used = 0;
    for (int i = 0; i < FAULTS_COUNT; i++)
        sum += entry->counts.faults[i];
    if (sum == entry->told_faults || now - entry->told_ms < TOLD_MS)
        return;
    for (int i = 0; i < FAULTS_COUNT; i++)
        if (entry->counts.faults[i] > 0)
            used += (size_t)snprintf(text + used, sizeof text - used, " %s %" PRIu64,
                                     fault_codes[i], entry->counts.faults[i]);
    log_line(entry, WSFAN_LEVEL_WARNING, "entry.refused",
             "%" PRIu64 " messages were refused since the last line, of all so far:%s; %" PRIu64
             " had no reply",
             sum - entry->told_faults, text, entry->counts.unanswerable);
    entry->told_faults = sum;
    entry->told_ms = now;
}

static void look_at_nats(struct entry *entry) {
    struct bus_state before = entry->heard;
    bus_look(entry->bus, &entry->heard);
    const struct bus_state *heard_now = &entry->heard;
    if (heard_now->connects != before.connects)
        log_line(entry, WSFAN_LEVEL_INFO, "nats.connected", "connected to %s", heard_now->text);
    if (!heard_now->connected && heard_now->failures != before.failures &&
        strcmp(heard_now->text, before.text) != 0)
        log_line(entry, WSFAN_LEVEL_WARNING, "nats.failed", "no connection to NATS: %s",
                 heard_now->text);
}

/* An entry that reaches no other node would publish to nobody: it takes nothing, and leaves it to other entries. */
static void look_at_mesh(struct entry *entry) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    wsfan_node_get_stats(entry->node, &stats);
    entry->peers_up = stats.peers_up;
    entry->takes = !entry->leaving && stats.peers_up > 0 && wsfan_node_ready(entry->node) > 0;
    bus_want(entry->bus, CHANNEL_IN, entry->takes);
    bus_want(entry->bus, CHANNEL_TAP, entry->takes && entry->taps != NULL);
    bool ready = entry->takes && entry->heard.subscribed[CHANNEL_IN] &&
                 (entry->taps == NULL || entry->heard.subscribed[CHANNEL_TAP]);
    if (ready == entry->ready)
        return;
    entry->ready = ready;
    log_line(entry, ready || entry->leaving ? WSFAN_LEVEL_INFO : WSFAN_LEVEL_WARNING, "entry.ready",
             ready ? "takes messages of %sin.>" : "takes no messages of %sin.>", entry->prefix);
    if (!ready || entry->announced)
        return;
    entry->announced = true;
    printf("ready: node %s, nats %s, takes %sin.>\n", wsfan_node_name(entry->node),
           entry->heard.text, entry->prefix);
    fflush(stdout);
}

/* The mesh first: a channel that is not wanted from now on, and not open, will bring nothing. */
static void tick(struct entry *entry, uint64_t now) {
    look_at_mesh(entry);
    look_at_nats(entry);
    add_overflowed(entry);
    if (entry->taps != NULL) {
        fellows_tick(entry->fellows, now);
        taps_tick(entry->taps, now);
    }
    tell_faults(entry, now);
}

/* Returns how many signals there were. */
static unsigned read_signals(struct entry *entry) {
    struct signalfd_siginfo info;
    unsigned count = 0;
    while (read(entry->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        count++;
    return count;
}

/* Whether everything that was taken is answered, and nothing more comes. */
static bool has_left(const struct entry *entry) {
    return entry->leaving && !entry->heard.open[CHANNEL_IN] && !entry->heard.open[CHANNEL_TAP] &&
           entry->waiting == NULL;
}

static int run(struct entry *entry) {
    uint64_t tick_ms = 0;
    uint64_t end_ms = UINT64_MAX;
    bool more = false;
    struct pollfd fds[] = { { wsfan_loop_fd(entry->loop), POLLIN, 0 },
                            { entry->wake_fd, POLLIN, 0 },
                            { entry->signal_fd, POLLIN, 0 } };
    for (;;) {
        eventfd_t woken;
        poll(fds, 3, more ? 0 : TICK_MS);
        eventfd_read(entry->wake_fd, &woken);
        unsigned signals = read_signals(entry);
        if (signals > 0 && entry->leaving)
            return STATUS_UNANSWERED;
        if (signals > 0) {
            entry->leaving = true;
            end_ms = now_ms() + entry->options.drain_ms;
            tick_ms = 0; /* now */
        }
        uint64_t now = now_ms();
        if (now - tick_ms >= TICK_MS) {
            tick(entry, now);
            tick_ms = now;
        }
        more = handle_some(entry);
        wsfan_loop_dispatch(entry->loop, BATCH);
        if (!more && has_left(entry))
            return STATUS_OK;
        if (now >= end_ms)
            return STATUS_UNANSWERED;
    }
}

/* ---------------------------------------------------------------------------------------------- end */

/* Answers leave before the mesh does. Returns whether they have. */
static bool end(struct entry *entry) {
    bool answered = bus_close(entry->bus);
    taps_free(entry->taps);
    wsfan_loop_close(entry->loop);
    inward_give_up(entry);
    wsfan_node_close(entry->node);
    wsfan_nats_close(entry->carrier);
    nats_CloseAndWait(NATS_END_MS);
    fellows_free(entry->fellows);
    ids_free(entry->ids);
    for (struct ask *ask; (ask = take(entry)) != NULL;)
        free(ask);
    pthread_mutex_destroy(&entry->lock);
    close(entry->wake_fd);
    close(entry->signal_fd);
    return answered;
}

int main(int argc, char **argv) {
    static struct entry entry;
    options_read(&entry.options, argc, argv);
    if (entry.options.check)
        return check_run(&entry.options);
    int status = begin(&entry);
    if (status == STATUS_OK)
        status = run(&entry);
    if (!end(&entry) && status == STATUS_OK)
        status = STATUS_UNANSWERED;
    if (status == STATUS_UNANSWERED)
        log_line(&entry, WSFAN_LEVEL_WARNING, "entry.unanswered",
                 "ended before everything was answered");
    return status;
}
