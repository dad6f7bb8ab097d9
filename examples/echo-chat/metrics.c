/* metrics.c - GET /metrics: what Prometheus is told of this replica. */
#include "echo_chat.h"

#include <metrics.h>
#include <stdio.h>

/* Of all threads, by queues that have emptied or gone. */
static void tell_dropped(struct web_metrics *page, const struct replica *replica) {
    static const char name[] = "echo_chat_dropped_frames";
    web_metrics_family(page, WEB_COUNTER, name, "Frames that clients were not sent, by reason.");
    for (unsigned i = 0; i < WSFAN_OUTBOUND_DROP_COUNT; i++) {
        char labels[64];
        uint64_t dropped = 0;
        for (unsigned n = 0; n < replica->servers_count; n++)
            dropped += web_counts(replica->servers[n].web)->dropped[i];
        snprintf(labels, sizeof labels, "{reason=\"%s\"}",
                 wsfan_outbound_drop_name((wsfan_outbound_drop)i));
        web_metrics_sample(page, WEB_COUNTER, name, labels, dropped);
    }
}

void metrics_request(struct server *server, struct web_request *request) {
    const struct replica *replica = server->replica;
    struct web_metrics page;
    web_metrics_begin(&page, request, server->node);
    web_metrics_add(&page, WEB_GAUGE, "echo_chat_clients", "WebSocket clients.",
                    replica->clients_count);
    web_metrics_add(&page, WEB_GAUGE, "echo_chat_clients_max", "How many there may be.",
                    replica->door.options.clients_max);
    web_metrics_add(&page, WEB_GAUGE, "echo_chat_connections",
                    "TCP connections, clients among them.", replica->descriptors.connections_count);
    web_metrics_add(&page, WEB_GAUGE, "echo_chat_connections_max", "How many there may be.",
                    replica->descriptors.connections_max);
    web_metrics_add(&page, WEB_COUNTER, "echo_chat_slow_clients",
                    "Clients that were closed because too much waited for them.",
                    clients_slow(replica));
    web_metrics_add(&page, WEB_COUNTER, "echo_chat_refused_clients",
                    "Clients that were closed for what they did, or not let in.",
                    replica->clients_refused);
    web_metrics_add(&page, WEB_COUNTER, "echo_chat_moved_clients",
                    "Clients that were sent to the replica that owns their chat.",
                    replica->clients_moved);
    tell_dropped(&page, replica);
    web_metrics_answer(&page, request);
}
