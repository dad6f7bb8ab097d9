/* status.c - what this entry tells about itself: to whoever asks by NATS, as JSON or for Prometheus. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wsfan/metrics.h>

#include "entry.h"

enum { NAME_JSON_SIZE = 6 * WSFAN_NODE_NAME_SIZE + 3, TEXT_SIZE_MAX = 1024 * 1024 };

void status_subject(char subject[SUBJECT_SIZE], const char *prefix, const char *name) {
    char token[TOKEN_SIZE];
    token_write(token, name, strlen(name));
    snprintf(subject, SUBJECT_SIZE, "%sentry.status.%s", prefix, token);
}

static uint64_t faults_of(const struct counts *counts) {
    uint64_t sum = 0;
    for (int i = 0; i < FAULTS_COUNT; i++)
        sum += counts->faults[i];
    return sum;
}

static bool leads(const struct entry *entry) {
    return entry->fellows != NULL && fellows_lead(entry->fellows);
}

static unsigned tapped(const struct entry *entry) {
    return entry->taps != NULL ? taps_count(entry->taps) : 0;
}

static void tell_json(struct entry *entry, const char *reply) {
    const struct counts *c = &entry->counts;
    char name[NAME_JSON_SIZE];
    char text[1024];
    json_string(name, sizeof name, wsfan_node_name(entry->node));
    snprintf(text, sizeof text,
             "{\"ready\":%s,\"name\":%s,\"version\":\"%s\",\"peers\":%u,\"leads\":%s,\"taps\":%u,"
             "\"taken\":%" PRIu64 ",\"published\":%" PRIu64 ",\"repeated\":%" PRIu64
             ",\"incomplete\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"unanswerable\":%" PRIu64
             ",\"unheard\":%" PRIu64 ",\"unsent\":%" PRIu64 ",\"out\":%" PRIu64
             ",\"out_repeated\":%" PRIu64 ",\"out_lost\":%" PRIu64 "}",
             entry->ready ? "true" : "false", name, wsfan_version(), entry->peers_up,
             leads(entry) ? "true" : "false", tapped(entry), c->taken, c->published, c->repeated,
             c->incomplete, faults_of(c), c->unanswerable, entry->heard.unheard,
             entry->heard.unsent, c->out, c->out_repeated, c->out_lost);
    answer(entry, reply, text);
}

/* --------------------------------------------------------------------------------------- Prometheus */

struct text {
    char *data;
    size_t size;
};

static void append(void *user, const char *data, size_t size) {
    struct text *text = user;
    if (text->data == NULL || size > TEXT_SIZE_MAX - text->size)
        return;
    memcpy(text->data + text->size, data, size);
    text->size += size;
}

static void append_sample(struct text *text, const char *type, const char *name, const char *help,
                          uint64_t value) {
    char line[512];
    int size = snprintf(
        line, sizeof line,
        "# HELP wsfan_entry_%s %s\n# TYPE wsfan_entry_%s %s\nwsfan_entry_%s %" PRIu64 "\n", name,
        help, name, type, name, value);
    append(text, line, (size_t)size);
}

static void append_faults(struct text *text, const struct counts *counts) {
    static const char head[] = "# HELP wsfan_entry_refused_total Messages and leases that were "
                               "refused, by the code of the answer.\n"
                               "# TYPE wsfan_entry_refused_total counter\n";
    append(text, head, sizeof head - 1);
    for (int i = FAULT_NONE + 1; i < FAULTS_COUNT; i++) {
        char line[128];
        int size = snprintf(line, sizeof line,
                            "wsfan_entry_refused_total{code=\"%s\"} %" PRIu64 "\n", fault_codes[i],
                            counts->faults[i]);
        append(text, line, (size_t)size);
    }
}

static void append_own(struct text *text, const struct entry *entry) {
    const struct counts *c = &entry->counts;
    const struct {
        const char *type, *name, *help;
        uint64_t value;
    } samples[] = {
        { "gauge", "ready", "1: it takes messages.", entry->ready },
        { "gauge", "leads", "1: it publishes the messages of tapped chats.", leads(entry) },
        { "gauge", "taps", "Chats that are tapped.", tapped(entry) },
        { "counter", "taken_total", "Messages of NATS.", c->taken },
        { "counter", "published_total", "Of these, into the mesh.", c->published },
        { "counter", "repeated_total", "Of these, whose Nats-Msg-Id came before.", c->repeated },
        { "counter", "incomplete_total", "Published, and not all replicas have it.",
          c->incomplete },
        { "counter", "unanswerable_total", "Refused, and nobody was told.", c->unanswerable },
        { "counter", "unheard_total", "Messages that libnats dropped.", entry->heard.unheard },
        { "counter", "unsent_total", "Answers and messages that NATS did not take.",
          entry->heard.unsent },
        { "counter", "nats_connects_total", "Connections to NATS.", entry->heard.connects },
        { "counter", "nats_failures_total", "Of these, that failed or broke.",
          entry->heard.failures },
        { "counter", "out_total", "Messages of tapped chats, to NATS.", c->out },
        { "counter", "out_repeated_total", "Of these, perhaps for the second time.",
          c->out_repeated },
        { "counter", "out_lost_total", "Messages of tapped chats that were not published.",
          c->out_lost },
    };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        append_sample(text, samples[i].type, samples[i].name, samples[i].help, samples[i].value);
    append_faults(text, c);
}

static void tell_metrics(struct entry *entry, const char *reply) {
    struct text text = { malloc(TEXT_SIZE_MAX), 0 };
    wsfan_metrics_write(entry->node, WSFAN_METRICS_PROMETHEUS, append, &text);
    append_own(&text, entry);
    if (text.data != NULL)
        bus_send(entry->bus,
                 &(struct parcel){ .subject = reply, .data = { text.data, text.size } });
    free(text.data);
}

void status_answer(struct entry *entry, const struct ask *ask) {
    static const char metrics[] = "metrics";
    if (ask->reply == NULL)
        return;
    if (ask->payload.size == sizeof metrics - 1 &&
        memcmp(ask->payload.data, metrics, sizeof metrics - 1) == 0)
        tell_metrics(entry, ask->reply);
    else
        tell_json(entry, ask->reply);
}
