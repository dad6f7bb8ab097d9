/* transport_zmq.c - ZeroMQ PUB/SUB, as one would use it (raw: one frame a message, by topic), and
 * as fast as it gets without any protocol (packed: messages one after another in 64 KB frames,
 * whose topic is the part of the subscribers that they are for).
 *
 * Both block at the high-water mark instead of dropping (XPUB_NODROP): otherwise they would lose
 * most of what is published here. */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { FRAME_BYTES = 64 * 1024, WAITING_BYTES = 64 * 1024 * 1024, PART_SIZE = 4, LENGTH_SIZE = 4 };

struct frame {
    uint8_t *data; /* NULL: nothing is in it */
    size_t size;
};

struct socket {
    void *zmq;
    bool packed;
    size_t topic_size;              /* at the beginning of each frame */
    struct frame frames[PEERS_MAX]; /* being filled: of each part of the subscribers */
    size_t frame_capacity;
};

static void check(int result, const char *what) {
    if (result < 0)
        die("%s: %s", what, zmq_strerror(errno));
}

static void set(void *zmq, int option, int value) {
    check(zmq_setsockopt(zmq, option, &value, sizeof value), "zmq_setsockopt");
}

void make_keys(struct keys *keys) {
    check(zmq_curve_keypair(keys->public_key, keys->secret_key), "zmq_curve_keypair");
}

static void set_key(void *zmq, int option, const char *key) {
    check(zmq_setsockopt(zmq, option, key, strlen(key)), "zmq_setsockopt");
}

static struct socket *open_socket(int type, const struct job *job) {
    struct socket *self = calloc(1, sizeof *self);
    void *context = zmq_ctx_new();
    if (self == NULL || context == NULL)
        die("out of memory");
    self->packed = job->transport == &transport_packed;
    self->topic_size = self->packed ? PART_SIZE : job->chats[0].size + 1;
    self->frame_capacity = FRAME_BYTES + PART_SIZE + LENGTH_SIZE + job->size;
    self->zmq = zmq_socket(context, type);
    size_t unit = self->packed && job->size < FRAME_BYTES ? FRAME_BYTES : job->size + 1024;
    int high_water = (int)(WAITING_BYTES / unit);
    set(self->zmq, ZMQ_SNDHWM, high_water);
    set(self->zmq, ZMQ_RCVHWM, high_water);
    if (job->keys != NULL)
        set_key(self->zmq, ZMQ_CURVE_SECRETKEY, job->keys->secret_key);
    return self;
}

/* ------------------------------------------------------------------------------------ publisher */

static void *publisher(struct stage *stage, const struct job *job) {
    struct socket *self = open_socket(ZMQ_XPUB, job);
    size_t size = sizeof stage->address;
    set(self->zmq, ZMQ_XPUB_VERBOSE, 1);
    set(self->zmq, ZMQ_XPUB_NODROP, 1);
    set(self->zmq, ZMQ_CURVE_SERVER, job->keys != NULL);
    check(zmq_bind(self->zmq, "tcp://127.0.0.1:*"), "zmq_bind");
    check(zmq_getsockopt(self->zmq, ZMQ_LAST_ENDPOINT, stage->address, &size), "zmq_getsockopt");
    return self;
}

static void gather(void *user, const struct job *job) {
    struct socket *self = user;
    char subscription[64];
    unsigned subscriptions = 0;
    for (unsigned i = 0; i < job->peers; i++)
        subscriptions += self->packed ? 1 : job->chats_count / job->parts;
    for (unsigned i = 0; i < subscriptions; i++)
        check(zmq_recv(self->zmq, subscription, sizeof subscription, 0), "zmq_recv");
}

static void publish_raw(void *user, const struct chat *chat, const void *data, size_t size) {
    struct socket *self = user;
    zmq_msg_t frame;
    size_t topic_size = chat->size + 1;
    check(zmq_msg_init_size(&frame, topic_size + size), "zmq_msg_init_size");
    memcpy(zmq_msg_data(&frame), chat->name, topic_size);
    memcpy((uint8_t *)zmq_msg_data(&frame) + topic_size, data, size);
    check(zmq_msg_send(&frame, self->zmq, 0), "zmq_msg_send");
}

static void free_frame(void *frame, void *hint) {
    (void)hint;
    free(frame);
}

static void send_frame(struct socket *self, struct frame *frame) {
    zmq_msg_t message;
    if (frame->data == NULL)
        return;
    check(zmq_msg_init_data(&message, frame->data, frame->size, free_frame, NULL),
          "zmq_msg_init_data");
    check(zmq_msg_send(&message, self->zmq, 0), "zmq_msg_send");
    *frame = (struct frame){ NULL, 0 };
}

static void flush_packed(void *user) {
    struct socket *self = user;
    for (unsigned i = 0; i < PEERS_MAX; i++)
        send_frame(self, &self->frames[i]);
}

static void begin_frame(struct socket *self, struct frame *frame, uint32_t part) {
    frame->data = malloc(self->frame_capacity);
    if (frame->data == NULL)
        die("out of memory");
    memcpy(frame->data, &part, PART_SIZE);
    frame->size = PART_SIZE;
}

static void publish_packed(void *user, const struct chat *chat, const void *data, size_t size) {
    struct socket *self = user;
    struct frame *frame = &self->frames[chat->part];
    if (frame->size + LENGTH_SIZE + size > FRAME_BYTES)
        send_frame(self, frame);
    if (frame->data == NULL)
        begin_frame(self, frame, chat->part);
    uint32_t length = (uint32_t)size;
    memcpy(frame->data + frame->size, &length, LENGTH_SIZE);
    memcpy(frame->data + frame->size + LENGTH_SIZE, data, size);
    frame->size += LENGTH_SIZE + size;
}

/* ----------------------------------------------------------------------------------- subscriber */

static void subscribe(struct socket *self, const void *topic) {
    check(zmq_setsockopt(self->zmq, ZMQ_SUBSCRIBE, topic, self->topic_size), "zmq_setsockopt");
}

static void *subscriber(struct stage *stage, const struct job *job, unsigned number) {
    struct socket *self = open_socket(ZMQ_SUB, job);
    uint32_t first = job_first_chat(job, number);
    set(self->zmq, ZMQ_RCVTIMEO, 100);
    set(self->zmq, ZMQ_SNDHWM, 0); /* of subscriptions, which would be dropped above it */
    if (job->keys != NULL) {
        set_key(self->zmq, ZMQ_CURVE_SERVERKEY, job->keys->public_key);
        set_key(self->zmq, ZMQ_CURVE_PUBLICKEY, job->keys->public_key);
    }
    if (self->packed)
        subscribe(self, &first);
    else
        for (unsigned i = first; i < job->chats_count; i += job->parts)
            subscribe(self, job->chats[i].name);
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
            unpack(data + self->topic_size, size - self->topic_size, sink);
        else
            sink_take(sink, data + self->topic_size, size - self->topic_size);
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
    .curve = true,
};

const struct transport transport_packed = {
    .name = "packed",
    .publisher = publisher,
    .gather = gather,
    .publish = publish_packed,
    .flush = flush_packed,
    .subscriber = subscriber,
    .receive = receive,
    .curve = true,
};
