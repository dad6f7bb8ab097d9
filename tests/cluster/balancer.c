#include "balancer.h"

enum { FIRST_PORT = 20000 };

static bool same(packet_end a, packet_end b) {
    return a.address == b.address && a.port == b.port;
}

/* From a server back to the client. */
static bool translate_back(const balancer *b, uint8_t *packet, size_t size) {
    const balancer_flow *flow = &b->flows[packet_target(packet).port - FIRST_PORT];
    packet_end source = packet_source(packet);
    if (flow->server != source.address || flow->service.port != source.port)
        return false;
    packet_redirect(packet, size, flow->service, flow->client);
    return true;
}

static bool serves(const balancer *b, uint32_t server) {
    for (unsigned i = 0; i < b->servers_count; i++)
        if (b->servers[i] == server)
            return true;
    return false;
}

static balancer_flow *find(balancer *b, const uint8_t *packet) {
    packet_end client = packet_source(packet);
    packet_end service = packet_target(packet);
    bool begins = packet_begins_connection(packet);
    for (unsigned i = 1; i <= BALANCER_FLOWS_MAX; i++) { /* from the newest on */
        balancer_flow *flow = &b->flows[(b->next_flow - i) % BALANCER_FLOWS_MAX];
        if (flow->server != 0 && same(flow->client, client) && same(flow->service, service) &&
            (!begins || serves(b, flow->server)))
            return flow;
    }
    if (!begins || b->servers_count == 0)
        return NULL;
    balancer_flow *flow = &b->flows[b->next_flow++ % BALANCER_FLOWS_MAX];
    *flow = (balancer_flow){ client, service, b->servers[b->next_server++ % b->servers_count] };
    return flow;
}

bool balancer_translate(balancer *b, uint8_t *packet, size_t size) {
    unsigned port = packet_target(packet).port;
    if (port >= FIRST_PORT && port < FIRST_PORT + BALANCER_FLOWS_MAX)
        return translate_back(b, packet, size);
    const balancer_flow *flow = find(b, packet);
    if (flow == NULL)
        return false;
    packet_end source = { b->address, (uint16_t)(FIRST_PORT + (flow - b->flows)) };
    packet_redirect(packet, size, source, (packet_end){ flow->server, flow->service.port });
    return true;
}
