/* snapshot.c - asks all nodes for their statistics, and how long each takes to answer. */
#include "snapshot.h"

#include <stdlib.h>
#include <string.h>

/* A node has some dozens of its own, and of each node that it knows. */
enum { STATISTICS_OF_NODE_MAX = 32 * 1024 };

struct taking {
    struct snapshot *snapshot;
    struct mesh *mesh;
    uint64_t own;   /* the node that asks */
    uint64_t node;  /* of the last row, */
    size_t of_node; /* and how many rows are its */
};

static void copy_bytes(char *to, size_t capacity, wsfan_bytes from) {
    snprintf(to, capacity, "%.*s", (int)from.size, from.size > 0 ? (const char *)from.data : "");
}

static void on_node(void *user, const wsfan_row *row) {
    const struct taking *taking = user;
    struct snapshot *snapshot = taking->snapshot;
    if (row->address.node == taking->own)
        return;
    snapshot->nodes = make_room(snapshot->nodes, snapshot->nodes_count + 1,
                                sizeof *snapshot->nodes);
    struct shown_node *node = &snapshot->nodes[snapshot->nodes_count++];
    *node = (struct shown_node){ .id = row->address.node, .sessions = row->sessions };
    copy_bytes(node->name, sizeof node->name, row->name);
}

static const char *name_of(const struct snapshot *snapshot, uint64_t node) {
    for (size_t i = 0; i < snapshot->nodes_count; i++)
        if (snapshot->nodes[i].id == node)
            return snapshot->nodes[i].name;
    return "a node without a name";
}

/* Whether that is too many: a node that lies could go on for ever. Rows come in order of their nodes. */
static bool has_too_many(struct taking *taking, uint64_t node) {
    taking->of_node = taking->node == node ? taking->of_node + 1 : 1;
    taking->node = node;
    return taking->of_node > STATISTICS_OF_NODE_MAX;
}

static void on_statistic(void *user, const wsfan_row *row) {
    struct taking *taking = user;
    struct snapshot *snapshot = taking->snapshot;
    if (has_too_many(taking, row->address.node)) {
        snprintf(snapshot->liar, sizeof snapshot->liar, "%s", name_of(snapshot, taking->node));
        snapshot->partial = taking->mesh->enough = true;
        return;
    }
    if (row->address.node == taking->own || row->address.session == taking->own)
        return;
    if ((snapshot->count & (snapshot->count - 1)) == 0) /* a power of two: it is full */
        snapshot->statistics = make_room(snapshot->statistics, 2 * snapshot->count + 1,
                                         sizeof *snapshot->statistics);
    struct statistic *statistic = &snapshot->statistics[snapshot->count++];
    *statistic = (struct statistic){ .node = row->address.node,
                                     .peer = row->address.session,
                                     .value = row->sessions };
    copy_bytes(statistic->name, sizeof statistic->name, row->name);
    copy_bytes(statistic->peer_name, sizeof statistic->peer_name, row->user);
}

static int by_key(const void *one, const void *two) {
    const struct statistic *a = one;
    const struct statistic *b = two;
    if (a->node != b->node)
        return a->node < b->node ? -1 : 1;
    if (a->peer != b->peer)
        return a->peer < b->peer ? -1 : 1;
    return strcmp(a->name, b->name);
}

static int by_name(const void *one, const void *two) {
    const struct shown_node *a = one;
    const struct shown_node *b = two;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : (a->id > b->id) - (a->id < b->id);
}

/* A question that only one node answers, and that costs it nothing: for a session that is not there. */
static double round_trip_ms(struct mesh *mesh, uint64_t node) {
    enum { PING_MS_MAX = 500 };
    char text[WSFAN_ADDRESS_TEXT_SIZE];
    wsfan_target target = { WSFAN_SESSION, wsfan_string(wsfan_address_text(
                                               (wsfan_address){ node, UINT64_MAX }, text)) };
    free((void *)mesh->next.data);
    mesh->next = (wsfan_bytes){ NULL, 0 };
    wsfan_request_options options = mesh_request(mesh);
    options.ms_max = PING_MS_MAX;
    double began = now_s();
    int status = mesh_wait_reply(mesh, wsfan_list_sessions(mesh->node, &target, 1, &options));
    return status == STATUS_OK ? (now_s() - began) * 1000 : -1;
}

void snapshot_take(struct snapshot *snapshot, struct mesh *mesh) {
    struct taking taking = { .snapshot = snapshot, .mesh = mesh, .own = wsfan_node_id(mesh->node) };
    *snapshot = (struct snapshot){ .time_s = now_s() };
    int nodes = mesh_list(mesh, WSFAN_REQUEST_NODES, NULL, on_node, &taking);
    int statistics = mesh_list(mesh, WSFAN_REQUEST_STATS, NULL, on_statistic, &taking);
    snapshot->partial = snapshot->partial || nodes != STATUS_OK || statistics != STATUS_OK;
    if (snapshot->count > 0)
        qsort(snapshot->statistics, snapshot->count, sizeof *snapshot->statistics, by_key);
    if (snapshot->nodes_count > 0)
        qsort(snapshot->nodes, snapshot->nodes_count, sizeof *snapshot->nodes, by_name);
    for (size_t i = 0; i < snapshot->nodes_count && !stopped; i++)
        snapshot->nodes[i].round_trip_ms = round_trip_ms(mesh, snapshot->nodes[i].id);
}

void snapshot_complain(const struct snapshot *snapshot) {
    if (snapshot->liar[0] != '\0')
        complain("%s lies: it tells more than %d statistics; no more were asked for",
                 snapshot->liar, STATISTICS_OF_NODE_MAX);
}

void snapshot_free(struct snapshot *snapshot) {
    free(snapshot->statistics);
    free(snapshot->nodes);
    *snapshot = (struct snapshot){ 0 };
}

uint64_t snapshot_value(const struct snapshot *snapshot, uint64_t node, uint64_t peer,
                        const char *name) {
    struct statistic key = { .node = node, .peer = peer };
    snprintf(key.name, sizeof key.name, "%s", name);
    const struct statistic *found = snapshot->count == 0
                                        ? NULL
                                        : bsearch(&key, snapshot->statistics, snapshot->count,
                                                  sizeof key, by_key);
    return found != NULL ? found->value : 0;
}

double snapshot_rate(const struct snapshot *now, const struct snapshot *before, uint64_t node,
                     uint64_t peer, const char *name) {
    uint64_t was = snapshot_value(before, node, peer, name);
    uint64_t is = snapshot_value(now, node, peer, name);
    double seconds = now->time_s - before->time_s;
    return before->count > 0 && seconds > 0 && is > was ? (double)(is - was) / seconds : 0;
}

uint64_t snapshot_drops(const struct snapshot *snapshot, uint64_t node) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < WSFAN_DROP_COUNT; i++) {
        char name[48];
        if (i == WSFAN_DROP_UNWANTED || i == WSFAN_DROP_DUPLICATE || i == WSFAN_DROP_GAP ||
            i == WSFAN_DROP_REPLACED)
            continue;
        snprintf(name, sizeof name, "dropped_%s", wsfan_drop_name((wsfan_drop)i));
        sum += snapshot_value(snapshot, node, 0, name);
    }
    return sum;
}
