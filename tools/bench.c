/* bench.c - wsfan bench: messages and round trips between machines. One sends, the others (--serve) send back or
 * count; all times are by the clock of the one that sends. No message is lost for want of room: it is never more
 * than AHEAD_ in front of what the slowest has confirmed. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

enum {
    SERVERS_MAX = WSFAN_PEERS_MAX,
    ROUND_TRIPS_MAX = 4 * 1000 * 1000,
    AHEAD_COUNT = 32768,
    AHEAD_BYTES = 8 * 1024 * 1024,
    CONFIRM_COUNT = 1024,        /* messages between two confirmations, */
    CONFIRM_BYTES = 1024 * 1024, /* or fewer, of so many bytes */
    SECONDS = 5,
    HEAD_SIZE = 13
};

static const char CHAT_NAME[] = "wsfan bench"; /* of those that serve */

static const char MAGIC[4] = { 'w', 'f', 'b', '1' };

/* A message: the magic, its kind, a number, and bytes without meaning. */
enum kind { PING = 'P', LOAD = 'L', PONG = 'p', CONFIRM = 'c' };

static void write_head(uint8_t *message, enum kind kind, uint64_t number) {
    memcpy(message, MAGIC, sizeof MAGIC);
    message[4] = (uint8_t)kind;
    for (int i = 0; i < 8; i++)
        message[5 + i] = (uint8_t)(number >> (56 - 8 * i));
}

static bool read_head(wsfan_bytes bytes, enum kind *kind, uint64_t *number) {
    const uint8_t *message = bytes.data;
    if (bytes.size < HEAD_SIZE || memcmp(message, MAGIC, sizeof MAGIC) != 0)
        return false;
    *kind = (enum kind)message[4];
    *number = 0;
    for (int i = 0; i < 8; i++)
        *number = *number << 8 | message[5 + i];
    return true;
}

/* Messages between two confirmations. */
static uint64_t share_of(size_t bytes) {
    size_t share = CONFIRM_BYTES / bytes;
    return share < 1 ? 1 : share > CONFIRM_COUNT ? CONFIRM_COUNT : share;
}

/* ----------------------------------------------------------------------------------------------- serve */

struct asker {
    uint64_t node;
    uint64_t loads;
};

struct server {
    struct mesh mesh; /* the first, as mesh_open() wants it */
    struct asker askers[SERVERS_MAX];
    unsigned next;
};

static struct asker *asker_of(struct server *server, uint64_t node) {
    for (unsigned i = 0; i < SERVERS_MAX; i++)
        if (server->askers[i].node == node)
            return &server->askers[i];
    struct asker *asker = &server->askers[server->next++ % SERVERS_MAX];
    *asker = (struct asker){ .node = node };
    return asker;
}

static void answer(struct server *server, uint64_t node, enum kind kind, uint64_t number,
                   wsfan_bytes payload) {
    char text[WSFAN_ADDRESS_TEXT_SIZE];
    wsfan_publish_options options = { .struct_size = sizeof options, .flags = WSFAN_BINARY };
    wsfan_target target = { WSFAN_NODE,
                            wsfan_string(wsfan_address_text((wsfan_address){ node, 0 }, text)) };
    uint8_t *copy = make_room(NULL, payload.size, 1);
    memcpy(copy, payload.data, payload.size);
    write_head(copy, kind, number);
    wsfan_publish(server->mesh.node, &target, 1, (wsfan_bytes){ copy, payload.size }, &options);
    free(copy);
}

static void on_asked(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                     size_t count) {
    struct server *server = user;
    wsfan_bytes payload = wsfan_message_payload(message);
    uint64_t node = wsfan_message_get_id(message).origin;
    enum kind kind;
    uint64_t number;
    (void)recipients, (void)count;
    if (!read_head(payload, &kind, &number))
        return;
    struct asker *asker = asker_of(server, node);
    if (kind == PING && number == 0)
        asker->loads = 0; /* it begins */
    if (kind == PING)
        answer(server, node, PONG, number, payload);
    else if (kind == LOAD && ++asker->loads % share_of(payload.size) == 0)
        answer(server, node, CONFIRM, asker->loads, (wsfan_bytes){ payload.data, HEAD_SIZE });
}

static int open_session(struct mesh *mesh, const char *chat) {
    wsfan_session session;
    int error = wsfan_session_open(&session, mesh->loop, wsfan_string(""), NULL);
    if (error == WSFAN_OK && chat != NULL)
        error = wsfan_session_join(mesh->loop, session, wsfan_string(chat));
    if (error != WSFAN_OK)
        complain("%s", wsfan_error_text(error));
    return error == WSFAN_OK ? STATUS_OK : STATUS_FAILED;
}

static int serve(const struct options *options) {
    struct server server = { 0 };
    struct mesh_storage storage = { 0 };
    wsfan_options node;
    mesh_options(&node, options, &storage);
    node.publisher_only = 0;
    int status = mesh_open(&server.mesh, &node, (wsfan_callbacks){ .on_message = on_asked },
                           &server);
    if (status != STATUS_OK)
        return status;
    status = open_session(&server.mesh, CHAT_NAME);
    if (status == STATUS_OK)
        printf("serving; on the other machine: wsfan bench %s\n",
               wsfan_node_endpoint(server.mesh.node));
    fflush(stdout);
    while (status == STATUS_OK && !stopped)
        mesh_step(&server.mesh, 1000);
    mesh_close(&server.mesh);
    return status;
}

/* --------------------------------------------------------------------------------------------- measure */

struct bench {
    struct mesh mesh; /* the first, as mesh_open() wants it */
    const struct options *options;
    struct {
        uint64_t node;
        uint64_t confirmed;
    } servers[SERVERS_MAX];
    unsigned servers_count;
    uint64_t ping;  /* the last one */
    unsigned pongs; /* for it */
    uint8_t *message;
    double *round_trips; /* seconds */
    size_t round_trips_count;
    uint64_t lost; /* that gaps tell of */
};

static void on_answered(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                        size_t count) {
    struct bench *bench = user;
    uint64_t node = wsfan_message_get_id(message).origin;
    enum kind kind;
    uint64_t number;
    unsigned i = 0;
    (void)recipients, (void)count;
    if (!read_head(wsfan_message_payload(message), &kind, &number))
        return;
    while (i < bench->servers_count && bench->servers[i].node != node)
        i++;
    if (i == bench->servers_count && bench->ping == 0 && i < SERVERS_MAX)
        bench->servers[bench->servers_count++].node = node;
    if (kind == PONG && number == bench->ping)
        bench->pongs++;
    if (kind == CONFIRM && i < bench->servers_count)
        bench->servers[i].confirmed = number;
}

static void on_gap(void *user, const wsfan_gap *gap) {
    struct bench *bench = user;
    bench->lost += gap->count > 0 ? gap->count : 1;
}

static int send_one(struct bench *bench, enum kind kind, uint64_t number) {
    wsfan_publish_options options = { .struct_size = sizeof options, .flags = WSFAN_BINARY };
    write_head(bench->message, kind, number);
    return wsfan_broadcast(bench->mesh.node, wsfan_string(CHAT_NAME),
                           (wsfan_bytes){ bench->message, bench->options->bytes }, &options);
}

/* One ping to all servers. False: not all have answered in time. */
static bool round_trip(struct bench *bench, uint64_t number, unsigned wanted) {
    double end_s = now_s() + bench->options->timeout_ms / 1000.0;
    bench->ping = number;
    bench->pongs = 0;
    if (send_one(bench, PING, number) != WSFAN_OK)
        return false;
    while (bench->pongs < wanted && now_s() < end_s && !stopped)
        mesh_step(&bench->mesh, STEP_MS);
    return bench->pongs >= wanted;
}

static bool measure_round_trips(struct bench *bench, double *took_s) {
    double began = now_s();
    double end_s = began + bench->options->seconds;
    double before = began;
    for (uint64_t i = 1; before < end_s && i <= ROUND_TRIPS_MAX; i++) {
        if (!round_trip(bench, i, bench->servers_count))
            return false;
        double after = now_s();
        bench->round_trips = make_room(bench->round_trips, bench->round_trips_count + 1,
                                       sizeof *bench->round_trips);
        bench->round_trips[bench->round_trips_count++] = after - before;
        before = after;
    }
    *took_s = before - began;
    return true;
}

static uint64_t slowest(const struct bench *bench) {
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < bench->servers_count; i++)
        if (bench->servers[i].confirmed < least)
            least = bench->servers[i].confirmed;
    return least;
}

/* Until every server has confirmed that number. False: one does not. */
static bool await(struct bench *bench, uint64_t number) {
    uint64_t before = slowest(bench);
    double end_s = now_s() + bench->options->timeout_ms / 1000.0;
    while (slowest(bench) < number && now_s() < end_s && !stopped) {
        mesh_step(&bench->mesh, STEP_MS);
        if (slowest(bench) > before) {
            before = slowest(bench);
            end_s = now_s() + bench->options->timeout_ms / 1000.0;
        }
    }
    return slowest(bench) >= number;
}

/* A number of messages that servers confirm to the last. */
static bool measure_messages(struct bench *bench, uint64_t *sent, double *took_s) {
    uint64_t share = share_of(bench->options->bytes);
    uint64_t ahead = AHEAD_BYTES / bench->options->bytes;
    double began = now_s();
    double end_s = began + bench->options->seconds;
    ahead = ahead < AHEAD_COUNT ? ahead : AHEAD_COUNT;
    ahead = ahead > 2 * share ? ahead : 2 * share;
    for (*sent = 0; now_s() < end_s && !stopped;) {
        for (uint64_t i = 0; i < share; i++) {
            int error;
            while ((error = send_one(bench, LOAD, *sent)) == WSFAN_EAGAIN && !stopped)
                mesh_step(&bench->mesh, 1);
            if (error != WSFAN_OK)
                return false;
            ++*sent;
        }
        mesh_step(&bench->mesh, 0);
        if (*sent > ahead && !await(bench, *sent - ahead))
            return false;
    }
    bool all = await(bench, *sent);
    *took_s = now_s() - began;
    return all;
}

/* ---------------------------------------------------------------------------------------------- report */

static int by_size(const void *one, const void *two) {
    double a = *(const double *)one;
    double b = *(const double *)two;
    return (a > b) - (a < b);
}

static double percentile_ms(const struct bench *bench, double part) {
    size_t place = (size_t)((double)bench->round_trips_count * part);
    place = place < bench->round_trips_count ? place : bench->round_trips_count - 1;
    return bench->round_trips[place] * 1000;
}

static void tell_round_trips(const struct bench *bench, double took_s) {
    static const double parts[] = { 0.5, 0.9, 0.99, 0.999, 1 };
    static const char *const names[] = { "p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms" };
    static const char *const titles[] = { "half within", "90 %", "99 %", "99.9 %", "longest" };
    qsort(bench->round_trips, bench->round_trips_count, sizeof *bench->round_trips, by_size);
    if (bench->options->json) {
        json_begin();
        json_string("measure", "round_trips");
        json_count("servers", bench->servers_count);
        json_count("bytes", bench->options->bytes);
        json_number("seconds", took_s);
        json_count("count", bench->round_trips_count);
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            json_number(names[i], percentile_ms(bench, parts[i]));
        json_end();
        return;
    }
    printf("round trips  %zu in %.1f s, one at a time, %u bytes:\n            ",
           bench->round_trips_count, took_s, bench->options->bytes);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        printf(" %s %.3f ms%s", titles[i], percentile_ms(bench, parts[i]),
               i + 1 < sizeof parts / sizeof *parts ? "," : "\n");
    fflush(stdout);
}

static void tell_messages(const struct bench *bench, uint64_t sent, double took_s) {
    double rate = (double)sent / took_s;
    if (bench->options->json) {
        json_begin();
        json_string("measure", "messages");
        json_count("servers", bench->servers_count);
        json_count("bytes", bench->options->bytes);
        json_number("seconds", took_s);
        json_count("count", sent);
        json_number("messages_per_second", rate);
        json_end();
        return;
    }
    printf("messages     %" PRIu64 " in %.1f s, %u bytes, as fast as they are confirmed:\n"
           "             %.0f a second, %.1f MB/s to each of %u\n",
           sent, took_s, bench->options->bytes, rate, rate * bench->options->bytes / 1e6,
           bench->servers_count);
}

static void on_serving(void *user, const wsfan_row *row) {
    unsigned *serving = user;
    *serving += row->name.size == strlen(CHAT_NAME) &&
                memcmp(row->name.data, CHAT_NAME, row->name.size) == 0;
}

static int measure(struct bench *bench) {
    wsfan_target target = { WSFAN_CHAT, wsfan_string(CHAT_NAME) };
    unsigned serving = 0; /* in this mesh: who serves may know others that do */
    uint64_t sent = 0;
    double took_s = 0;
    int status = open_session(&bench->mesh, NULL);
    if (status != STATUS_OK)
        return status;
    mesh_list(&bench->mesh, WSFAN_REQUEST_SESSIONS, &target, on_serving, &serving);
    if (serving < bench->options->joins_count || !round_trip(bench, 0, serving)) {
        complain("%u of %zu answer: is `wsfan bench --serve` running there?", bench->pongs,
                 bench->options->joins_count);
        return STATUS_NOBODY;
    }
    if (!measure_round_trips(bench, &took_s)) {
        complain("a round trip did not end");
        return STATUS_PARTIAL;
    }
    tell_round_trips(bench, took_s);
    if (!measure_messages(bench, &sent, &took_s) || bench->lost > 0) {
        complain("messages were lost, or not confirmed: there is no rate to tell");
        return STATUS_PARTIAL;
    }
    tell_messages(bench, sent, took_s);
    return STATUS_OK;
}

int bench_run(const struct options *options) {
    static struct bench bench;
    struct options with = *options;
    if (options->serve)
        return serve(options);
    with.seconds = options->seconds != 0 ? options->seconds : SECONDS;
    bench = (struct bench){ .options = &with };
    bench.message = make_room(NULL, with.bytes, 1);
    memset(bench.message, 'x', with.bytes);
    wsfan_callbacks callbacks = { .on_message = on_answered, .on_gap = on_gap };
    int status = mesh_join(&bench.mesh, options, callbacks, &bench);
    if (status == STATUS_OK) {
        status = measure(&bench);
        mesh_close(&bench.mesh);
    }
    free(bench.message);
    free(bench.round_trips);
    return status;
}
