/* log.c - what the library says of the mesh, one line for each event on stderr, as text or as JSON. */
#include "echo_chat.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { TIME_BYTES = 32 };

/* UTC, as of RFC 3339. */
static void write_time(char out[TIME_BYTES]) {
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t size = strftime(out, TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out + size, TIME_BYTES - size, ".%03ldZ", now.tv_nsec / 1000000);
}

static void member(struct writer *json, const char *key, const char *value) {
    if (*value == '\0')
        return;
    writer_format(json, ",\"%s\":", key);
    writer_string(json, value);
}

static void write_json(const struct server *server, const wsfan_event *event, const char *time) {
    struct writer json = { 0 };
    writer_format(&json, "{\"time\":\"%s\",\"level\":\"%s\",\"code\":\"%s\"", time,
                  wsfan_level_name(event->level), event->code);
    member(&json, "node", wsfan_node_name(server->node));
    if (event->node != 0)
        writer_format(&json, ",\"peer_id\":\"%016" PRIx64 "\"", event->node);
    member(&json, "peer", event->name);
    member(&json, "endpoint", event->endpoint);
    member(&json, "address", event->address);
    member(&json, "text", event->text);
    if (event->lost > 0)
        writer_format(&json, ",\"lost\":%" PRIu64, event->lost);
    writer_format(&json, "}\n");
    if (!json.failed)
        fwrite(json.data, 1, json.size, stderr);
    writer_free(&json);
}

void log_event(void *loop_user, const wsfan_event *event) {
    const struct server *server = loop_user;
    const struct log_options *options = &server->replica->log;
    char time[TIME_BYTES];
    if ((int)event->level < options->level)
        return;
    write_time(time);
    if (options->json)
        write_json(server, event, time);
    else if (event->lost > 0)
        fprintf(stderr, "%s %s %s %s (%" PRIu64 " events before it are lost)\n", time,
                wsfan_level_name(event->level), event->code, event->text, event->lost);
    else
        fprintf(stderr, "%s %s %s %s\n", time, wsfan_level_name(event->level), event->code,
                event->text);
}
