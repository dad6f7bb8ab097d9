/* What a carrier of the host hands in, in any order, while nodes are dialled and hung up, and time passes. What must hold:
 * subscriptions begin and end in pairs, a frame comes by a connection that is dialled and from the node at its endpoint,
 * and nothing is sent that a carrier may not be given. */
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "mesh/datagrams.h"
#include "target.h"
#include "wire/encode.h"

enum {
    NAMES = 8,
    CONNECTIONS = 4,
    FRAME_MAX = 4096,
    DATA_MAX = 1 + 8 + FRAME_MAX + 1,
    NODES_MAX = 64
};

/* More than WSFAN_CARRIED_NAME_MAX: nothing of it is taken, however well it is formed. */
#define TEN "a-long-nam"
#define LONG_NAME TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "e"

static const char *const names[NAMES] = { "a", "b", "c-3", "self", "", "a b", "d", LONG_NAME };

typedef struct {
    const uint8_t *data;
    size_t size;
} input;

/* A node that subscribed, and how many of its subscriptions there are. */
typedef struct {
    uint64_t node;
    unsigned count;
} subscribed;

static struct {
    wsf_carrier *carrier;
    const wsfan_carrier_mesh *mesh;
    input *in; /* while receive() runs */
    bool told;
    bool dialled[CONNECTIONS];
    unsigned leads_to[CONNECTIONS];
    subscribed nodes[NODES_MAX];
    uint64_t passed_ms;
} s;

/* ----------------------------------------------------------------------------------------- time */

int __real_clock_gettime(clockid_t clock, struct timespec *at);
int __wrap_clock_gettime(clockid_t clock, struct timespec *at);

/* While an input runs, its own time, for the library. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *at) {
    if (s.carrier == NULL)
        return __real_clock_gettime(clock, at);
    at->tv_sec = (time_t)(1000 + s.passed_ms / 1000);
    at->tv_nsec = (long)(s.passed_ms % 1000 * 1000000);
    return 0;
}

/* ---------------------------------------------------------------------------------------- input */

static uint8_t take(input *in) {
    if (in->size == 0)
        return 0;
    in->size--;
    return *in->data++;
}

static uint64_t id_of(const char *name, uint8_t life) {
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
    snprintf(endpoint, sizeof endpoint, "fuzz:%s", name);
    return (uint64_t)wsf_hash_identity(endpoint) << 32 | life;
}

/* --------------------------------------------------------------------------------- what is told */

static bool may_subscribe(void *user, uint32_t identity, const void *topic, size_t size) {
    wsf_introduction introduction;
    (void)user;
    return wsf_read_topic(topic, size, &introduction) != WSF_TOPIC_OTHER &&
           introduction.node >> 32 == identity;
}

/* Its place; of a node without one, a free place. */
static subscribed *place_of(uint64_t node) {
    subscribed *free_one = NULL;
    for (unsigned i = 0; i < NODES_MAX; i++) {
        if (s.nodes[i].count > 0 && s.nodes[i].node == node)
            return &s.nodes[i];
        if (s.nodes[i].count == 0)
            free_one = &s.nodes[i];
    }
    return free_one;
}

static void on_subscription(void *user, bool begins, const void *topic, size_t size) {
    wsf_introduction introduction;
    (void)user;
    if (wsf_read_topic(topic, size, &introduction) != WSF_TOPIC_INBOX) {
        CHECK(begins);
        return;
    }
    subscribed *place = place_of(introduction.node);
    CHECK(place != NULL && (begins || place->count > 0));
    place->node = introduction.node;
    place->count = begins ? place->count + 1 : place->count - 1;
    CHECK(place->count <= 2); /* of which one is about to end */
}

static bool on_frame(void *user, uint32_t connection, uint32_t identity, wsf_buffer *frame) {
    (void)user;
    CHECK(connection < CONNECTIONS && s.dialled[connection]);
    CHECK(identity == id_of(names[s.leads_to[connection]], 0) >> 32);
    size_t size = frame->size + (frame->rest != NULL ? frame->rest->size : 0);
    CHECK(size <= FRAME_MAX && (frame->rest == NULL || frame->rest->size > 0));
    return size % 3 != 0;
}

static void on_stray(void *user) {
    (void)user;
}

static void on_probed(void *user, uint64_t node, bool refused) {
    (void)user;
    (void)node;
    CHECK(!refused);
}

static void on_found(void *user, uint32_t connection, wsfan_endpoint_state state,
                     uint32_t attempts) {
    (void)user;
    (void)attempts;
    CHECK(connection < CONNECTIONS && s.dialled[connection]);
    CHECK(state == WSFAN_ENDPOINT_INTRODUCED || wsfan_endpoint_state_fails(state));
}

static void on_caller(void *user, const char *address, wsfan_endpoint_state cause) {
    (void)user;
    CHECK(strcmp(address, "self") == 0 && cause == WSFAN_ENDPOINT_REFUSED);
}

static void on_standing(void *user, const char *endpoint, wsfan_endpoint_state state,
                        uint64_t failures, bool met) {
    (void)user;
    (void)failures;
    CHECK(strcmp(endpoint, "fuzz:*") == 0 && (!met || state == WSFAN_ENDPOINT_RESOLVED));
    CHECK(state == WSFAN_ENDPOINT_RESOLVED || wsfan_endpoint_state_fails(state));
}

static const wsf_carrier_handler handler = { NULL,     may_subscribe, on_subscription,
                                             on_frame, on_stray,      on_probed,
                                             on_found, on_caller,     on_standing };

/* ------------------------------------------------------------------------------ what is handed in */

static size_t write_introduction(uint8_t *at, const char *name, uint8_t life) {
    wsf_introduction who = { .protocol_min = WSF_PROTOCOL_MIN, .protocol_max = WSF_PROTOCOL_MAX };
    who.node = id_of(name, life);
    snprintf(who.cluster, sizeof who.cluster, "fuzz");
    snprintf(who.endpoint, sizeof who.endpoint, "fuzz:%s", name);
    return wsf_write_introduction(at, &who);
}

/* A datagram of a kind that is well formed, but for what the input adds or cuts off. */
static size_t write_datagram(input *in, const char *name, uint8_t data[DATA_MAX]) {
    uint8_t how = take(in);
    uint8_t life = take(in) % 4;
    size_t size = 9;
    data[0] = (uint8_t)(how % 6);
    wsf_put_u64(data + 1, take(in));
    if (data[0] == 2) {
        wsf_write_inbox(data + size, id_of(name, life));
        size += WSF_TOPIC_SIZE;
        size += write_introduction(data + size, name, life);
    } else if (data[0] == 4) {
        size = 1 + write_introduction(data + 1, name, life);
    }
    if (how < 128)
        return size;
    size_t at = take(in) * size / 256;
    for (unsigned count = take(in) % 32; count > 0 && at < DATA_MAX; count--)
        data[at++] = take(in);
    size = how < 192 ? at : size;
    return how == 255 ? (size_t)DATA_MAX + take(in) % 2 : size; /* the largest, or more */
}

static int hand_in(input *in) {
    static uint8_t data[DATA_MAX + 1];
    const char *name = names[take(in) % NAMES];
    size_t size = write_datagram(in, name, data);
    return s.mesh->received(s.mesh->mesh, name, data, size < sizeof data ? size : sizeof data);
}

/* -------------------------------------------------------------------------------- the carrier */

static int host_open(void *user, const wsfan_carrier_mesh *mesh) {
    (void)user;
    s.mesh = mesh;
    return WSFAN_OK;
}

static void host_send(void *user, const char *to, const wsfan_bytes *parts, size_t count) {
    size_t size = 0;
    (void)user;
    CHECK(count >= 1 && count <= 4 && (to == NULL || strnlen(to, WSFAN_CARRIED_NAME_MAX + 1) > 0));
    CHECK(to == NULL || strlen(to) <= WSFAN_CARRIED_NAME_MAX);
    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    CHECK(size <= s.mesh->datagram_bytes_max);
}

static int host_fd(void *user) {
    (void)user;
    return 0;
}

static void host_receive(void *user) {
    (void)user;
    uint8_t what = take(s.in);
    if (!s.told || what >= 224)
        s.mesh->stands(s.mesh->mesh,
                       s.told ? (wsfan_endpoint_state)(take(s.in) - 8) : WSFAN_ENDPOINT_RESOLVED);
    s.told = true;
    for (unsigned count = what % 8; count > 0; count--)
        if (hand_in(s.in) == 0 && what < 192) /* some go on all the same */
            return;
}

static void host_close(void *user, int linger_ms) {
    (void)user;
    (void)linger_ms;
}

static const wsfan_carrier host = { sizeof host, NULL,    "fuzz",       host_open,
                                    host_send,   host_fd, host_receive, host_close };

/* ------------------------------------------------------------------------------------- the node */

static void dial(input *in) {
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
    unsigned i = take(in) % CONNECTIONS;
    unsigned name = take(in) % 3;
    if (s.dialled[i]) {
        s.dialled[i] = false;
        s.carrier->calls->disconnect(s.carrier, i);
        return;
    }
    for (unsigned other = 0; other < CONNECTIONS; other++)
        if (s.dialled[other] && s.leads_to[other] == name)
            return;
    s.dialled[i] = true;
    s.leads_to[i] = name;
    snprintf(endpoint, sizeof endpoint, "fuzz:%s", names[name]);
    s.carrier->calls->connect(s.carrier, i, endpoint, 0);
}

static void send_frame(input *in) {
    size_t size = take(in) % 64;
    wsf_buffer *frame = wsf_buffer_new((uint32_t)(WSF_TOPIC_SIZE + size));
    CHECK(frame != NULL);
    memset(frame->data, 0, WSF_TOPIC_SIZE + size);
    frame->size = (uint32_t)(WSF_TOPIC_SIZE + size);
    uint8_t name = take(in);
    wsf_write_inbox(frame->data, id_of(names[name % NAMES], take(in) % 4));
    if (name >= 128)
        frame->size = (uint32_t)size; /* perhaps no topic */
    s.carrier->calls->send(s.carrier, frame);
    wsf_buffer_unref(frame);
}

static void step(input *in) {
    switch (take(in) % 8) {
    case 0:
        dial(in);
        break;
    case 1:
        send_frame(in);
        break;
    case 2:
        s.passed_ms += take(in) * UINT64_C(100);
        break;
    default:
        s.in = in;
        s.carrier->calls->receive(s.carrier, 1 + take(in) % 8, &handler);
        (void)s.carrier->calls->deadline(s.carrier);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    input in = { data, size };
    wsf_datagrams_config config = { &host, "fuzz:self", "fuzz", FRAME_MAX };
    uint8_t inbox[WSF_TOPIC_SIZE];
    uint8_t introduction[WSF_INTRODUCTION_SIZE_MAX];
    memset(&s, 0, sizeof s);
    CHECK(wsf_datagrams_open(&s.carrier, &config) == WSFAN_OK);
    wsf_write_inbox(inbox, id_of("self", 1));
    s.carrier->calls->subscribe_to(s.carrier, inbox, sizeof inbox, introduction,
                                   write_introduction(introduction, "self", 1));
    while (in.size > 0)
        step(&in);
    s.passed_ms += 60000; /* all subscriptions expire */
    s.in = &in;
    s.carrier->calls->receive(s.carrier, 1, &handler);
    for (unsigned i = 0; i < NODES_MAX; i++)
        CHECK(s.nodes[i].count == 0);
    s.carrier->calls->close(s.carrier, 0);
    s.carrier = NULL;
    return 0;
}
