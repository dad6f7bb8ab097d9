/* transport_zmq.c - ZeroMQ PUB/SUB, as one would use it (raw: one frame a message, by topic), and
 * as fast as it gets without any protocol (packed: messages one after another in 64 KB frames).
 *
 * Both block at the high-water mark instead of dropping (XPUB_NODROP): otherwise they would lose
 * most of what is published here. */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { FRAME_BYTES = 64 * 1024, WAITING_BYTES = 64 * 1024 * 1024, LENGTH_SIZE = 4 };

struct socket {
    void *zmq;
    bool packed;
    uint8_t *frame; /* being filled */
    size_t frame_size;
    size_t frame_capacity;
};

static void check(int result, const char *what) {
    if (result < 0)
        die("%s: %s", what, zmq_strerror(errno));
}

static void set(void *zmq, int option, int value) {
    check(zmq_setsockopt(zmq, option, &value, sizeof value), "zmq_setsockopt");
}

static struct socket *open_socket(int type, const struct job *job) {
    struct socket *self = calloc(1, sizeof *self);
    void *context = zmq_ctx_new();
    if (self == NULL || context == NULL)
        die("out of memory");
    self->packed = job->transport == &transport_packed;
    self->frame_capacity = FRAME_BYTES + LENGTH_SIZE + job->size;
    self->zmq = zmq_socket(context, type);
    size_t unit = self->packed && job->size < FRAME_BYTES ? FRAME_BYTES : job->size + 1024;
    int high_water = (int)(WAITING_BYTES / unit);
    set(self->zmq, ZMQ_SNDHWM, high_water);
    set(self->zmq, ZMQ_RCVHWM, high_water);
    return self;
}

/* ------------------------------------------------------------------------------------ publisher */

static void *publisher(struct stage *stage, const struct job *job) {
    struct socket *self = open_socket(ZMQ_XPUB, job);
    size_t size = sizeof stage->address;
    set(self->zmq, ZMQ_XPUB_VERBOSE, 1);
    set(self->zmq, ZMQ_XPUB_NODROP, 1);
    check(zmq_bind(self->zmq, "tcp://127.0.0.1:*"), "zmq_bind");
    check(zmq_getsockopt(self->zmq, ZMQ_LAST_ENDPOINT, stage->address, &size), "zmq_getsockopt");
    return self;
}

static void gather(void *user, unsigned peers) {
    struct socket *self = user;
    char subscription[64];
    for (unsigned i = 0; i < peers; i++)
        check(zmq_recv(self->zmq, subscription, sizeof subscription, 0), "zmq_recv");
}

static void publish_raw(void *user, const void *data, size_t size) {
    struct socket *self = user;
    zmq_msg_t frame;
    size_t topic_size = sizeof TRANSPORT_CHAT;
    check(zmq_msg_init_size(&frame, topic_size + size), "zmq_msg_init_size");
    memcpy(zmq_msg_data(&frame), TRANSPORT_CHAT, topic_size);
    memcpy((uint8_t *)zmq_msg_data(&frame) + topic_size, data, size);
    check(zmq_msg_send(&frame, self->zmq, 0), "zmq_msg_send");
}

static void free_frame(void *frame, void *hint) {
    (void)hint;
    free(frame);
}

static void flush_packed(void *user) {
    struct socket *self = user;
    zmq_msg_t frame;
    if (self->frame_size == 0)
        return;
    check(zmq_msg_init_data(&frame, self->frame, self->frame_size, free_frame, NULL),
          "zmq_msg_init_data");
    check(zmq_msg_send(&frame, self->zmq, 0), "zmq_msg_send");
    self->frame = NULL;
    self->frame_size = 0;
}

static void publish_packed(void *user, const void *data, size_t size) {
    struct socket *self = user;
    if (self->frame_size + LENGTH_SIZE + size > FRAME_BYTES)
        flush_packed(self);
    if (self->frame == NULL && (self->frame = malloc(self->frame_capacity)) == NULL)
        die("out of memory");
    uint32_t length = (uint32_t)size;
    memcpy(self->frame + self->frame_size, &length, LENGTH_SIZE);
    memcpy(self->frame + self->frame_size + LENGTH_SIZE, data, size);
    self->frame_size += LENGTH_SIZE + size;
}

/* ----------------------------------------------------------------------------------- subscriber */

static void *subscriber(struct stage *stage, const struct job *job) {
    struct socket *self = open_socket(ZMQ_SUB, job);
    const char *topic = self->packed ? "" : TRANSPORT_CHAT;
    set(self->zmq, ZMQ_RCVTIMEO, 100);
    check(zmq_setsockopt(self->zmq, ZMQ_SUBSCRIBE, topic, strlen(topic)), "zmq_setsockopt");
    check(zmq_connect(self->zmq, stage->address), "zmq_connect");
    return self;
}

static void unpack(const uint8_t *data, size_t size, struct sink *sink) {
    while (size > 0) {
        uint32_t length;
        if (size < LENGTH_SIZE)
            die("a frame that ends early");
        memcpy(&length, data, LENGTH_SIZE);
        if (length > size - LENGTH_SIZE)
            die("a frame that ends early");
        sink_take(sink, data + LENGTH_SIZE, length);
        data += LENGTH_SIZE + length;
        size -= LENGTH_SIZE + length;
    }
}

static void receive(void *user, struct sink *sink) {
    struct socket *self = user;
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    int flags = 0; /* wait for the first, then take what is there */
    while (zmq_msg_recv(&frame, self->zmq, flags) >= 0) {
        const uint8_t *data = zmq_msg_data(&frame);
        size_t size = zmq_msg_size(&frame);
        if (self->packed)
            unpack(data, size, sink);
        else
            sink_take(sink, data + sizeof TRANSPORT_CHAT, size - sizeof TRANSPORT_CHAT);
        flags = ZMQ_DONTWAIT;
    }
    if (errno != EAGAIN)
        die("zmq_msg_recv: %s", zmq_strerror(errno));
    zmq_msg_close(&frame);
}

const struct transport transport_raw = {
    .name = "raw",
    .publisher = publisher,
    .gather = gather,
    .publish = publish_raw,
    .subscriber = subscriber,
    .receive = receive,
};

const struct transport transport_packed = {
    .name = "packed",
    .publisher = publisher,
    .gather = gather,
    .publish = publish_packed,
    .flush = flush_packed,
    .subscriber = subscriber,
    .receive = receive,
};
