/* What happens to a packet is chosen when it comes: it is dropped, or gets a time when it is due, and
 * waits in a heap until then. Packets that are due at once are not held. */
#include "switch.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "balancer.h"
#include "dice.h"
#include "packet.h"

enum {
    NOBODY = SWITCH_PORTS_MAX,
    HELD_MAX = 4096,
    READ_MAX = 64,    /* packets of one port before the next one's turn */
    QUEUED_MS = 400,  /* a slow wire holds so much; what is over it vanishes */
    LATE_MS_MAX = 30, /* of a packet that others overtake */
    IDLE_MS = 100
};

_Static_assert((int)SWITCH_SERVERS_MAX == BALANCER_SERVERS_MAX, "the same servers");

typedef struct {
    uint64_t due_ns;
    uint64_t order; /* of those that are due at the same time */
    unsigned to;
    size_t size;
    uint8_t bytes[PACKET_SIZE_MAX];
} held_packet;

typedef struct {
    pthread_mutex_t lock; /* of everything below */
    switch_wire wires[SWITCH_PORTS_MAX][SWITCH_PORTS_MAX];
    uint64_t free_ns[SWITCH_PORTS_MAX]
                    [SWITCH_PORTS_MAX]; /* when a slow wire has sent what it has */
    struct pollfd devices[SWITCH_PORTS_MAX];
    unsigned char ports[256]; /* by the last byte of an address */
    balancer balancer;
    uint64_t dice;
    uint64_t now_ns;
    uint64_t order;
    switch_counts counts;
    held_packet *pool;
    held_packet
        *heap[HELD_MAX]; /* the first `held` wait, the next one due first; the rest are free */
    unsigned held;
} packet_switch;

static packet_switch self = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---------------------------------------------------------------------------------------- heap */

static bool before(const held_packet *a, const held_packet *b) {
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void swap(unsigned i, unsigned j) {
    held_packet *kept = self.heap[i];
    self.heap[i] = self.heap[j];
    self.heap[j] = kept;
}

static void hold(unsigned to, const uint8_t *bytes, size_t size, uint64_t due_ns) {
    if (self.held == HELD_MAX) {
        self.counts.lost++;
        return;
    }
    unsigned i = self.held++;
    held_packet *p = self.heap[i];
    p->due_ns = due_ns;
    p->order = self.order++;
    p->to = to;
    p->size = size;
    memcpy(p->bytes, bytes, size);
    for (; i > 0 && before(self.heap[i], self.heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(i, (i - 1) / 2);
}

static void remove_first(void) {
    unsigned i = 0;
    swap(0, --self.held);
    for (;;) {
        unsigned next = 2 * i + 1;
        if (next + 1 < self.held && before(self.heap[next + 1], self.heap[next]))
            next++;
        if (next >= self.held || !before(self.heap[next], self.heap[i]))
            return;
        swap(i, next);
        i = next;
    }
}

/* -------------------------------------------------------------------------------------- faults */

/* A device that is down refuses it, which is a loss as any other. */
static void put_out(unsigned to, const uint8_t *bytes, size_t size) {
    if (write(self.devices[to].fd, bytes, size) == (ssize_t)size)
        self.counts.carried++;
    else
        self.counts.lost++;
}

static void send_packet(unsigned to, const uint8_t *bytes, size_t size, uint64_t due_ns) {
    if (due_ns <= self.now_ns)
        put_out(to, bytes, size);
    else
        hold(to, bytes, size, due_ns);
}

static bool is_cut(const switch_wire *w) {
    return w->cut || (w->flap_ms > 0 && self.now_ns / 1000000 / w->flap_ms % 2 == 1);
}

/* One end is told, or the other, or both: a firewall or balancer that lost its state does any of it. */
static void reset_connection(unsigned from, unsigned to, uint8_t *bytes) {
    uint8_t back[PACKET_SIZE_MAX];
    uint64_t who = dice_below(&self.dice, 3);
    memcpy(back, bytes, sizeof back);
    if (who != 0)
        put_out(to, bytes, packet_make_reset(bytes));
    if (who != 1)
        put_out(from, back, packet_make_reset_back(back));
    self.counts.reset++;
}

/* When a packet would leave a wire that sends so many bytes a second; 0: it has no room. */
static uint64_t leaves_ns(unsigned from, unsigned to, size_t size) {
    const switch_wire *w = &self.wires[from][to];
    uint64_t *free_ns = &self.free_ns[from][to];
    if (w->bytes_per_s == 0)
        return self.now_ns;
    if (*free_ns < self.now_ns)
        *free_ns = self.now_ns;
    if (*free_ns > self.now_ns + QUEUED_MS * UINT64_C(1000000))
        return 0;
    return *free_ns += size * UINT64_C(1000000000) / w->bytes_per_s;
}

static void forward(unsigned from, unsigned to, uint8_t *bytes, size_t size) {
    const switch_wire *w = &self.wires[from][to];
    uint64_t due_ns = 0;
    if (is_cut(w) || dice_ppm(&self.dice, w->loss_ppm) ||
        (due_ns = leaves_ns(from, to, size)) == 0) {
        self.counts.lost++;
        return;
    }
    if (packet_is_tcp(bytes) && dice_ppm(&self.dice, w->reset_ppm)) {
        reset_connection(from, to, bytes);
        return;
    }
    if (packet_is_tcp(bytes) && packet_payload_bytes(bytes, size) > 0 &&
        dice_ppm(&self.dice, w->flip_ppm)) {
        packet_flip(bytes, size, (size_t)dice_below(&self.dice, PACKET_SIZE_MAX * 8));
        self.counts.flipped++;
    }
    due_ns += w->delay_ms * UINT64_C(1000000);
    uint64_t late_ns = due_ns + (1 + dice_below(&self.dice, LATE_MS_MAX)) * UINT64_C(1000000);
    if (dice_ppm(&self.dice, w->double_ppm)) {
        send_packet(to, bytes, size, late_ns);
        self.counts.doubled++;
    }
    bool late = dice_ppm(&self.dice, w->reorder_ppm);
    self.counts.reordered += late;
    send_packet(to, bytes, size, late ? late_ns : due_ns);
}

/* -------------------------------------------------------------------------------------- thread */

static unsigned port_of(packet_end end) {
    return self.ports[end.address & 255];
}

static void take(unsigned from, uint8_t *bytes, size_t size) {
    if (!packet_valid(bytes, size))
        return;
    if (self.balancer.address != 0 && packet_target(bytes).address == self.balancer.address &&
        !balancer_translate(&self.balancer, bytes, size))
        return;
    unsigned to = port_of(packet_target(bytes));
    if (to != NOBODY)
        forward(from, to, bytes, size);
}

static void read_port(unsigned port) {
    uint8_t bytes[PACKET_SIZE_MAX];
    for (unsigned i = 0; i < READ_MAX; i++) {
        ssize_t size = read(self.devices[port].fd, bytes, sizeof bytes);
        if (size <= 0)
            return;
        take(port, bytes, (size_t)size);
    }
}

static uint64_t clock_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

/* Until when the thread may sleep. */
static uint64_t send_due(void) {
    for (; self.held > 0 && self.heap[0]->due_ns <= self.now_ns; remove_first())
        put_out(self.heap[0]->to, self.heap[0]->bytes, self.heap[0]->size);
    return self.held > 0 ? self.heap[0]->due_ns : self.now_ns + IDLE_MS * UINT64_C(1000000);
}

static void *run(void *nothing) {
    struct pollfd devices[SWITCH_PORTS_MAX];
    uint64_t until_ns = 0;
    memcpy(devices, self.devices, sizeof devices);
    for (;;) {
        uint64_t now_ns = clock_ns();
        uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
        struct timespec wait = { (time_t)(left_ns / 1000000000), (long)(left_ns % 1000000000) };
        ppoll(devices, SWITCH_PORTS_MAX, &wait, NULL);
        pthread_mutex_lock(&self.lock);
        self.now_ns = clock_ns();
        for (unsigned port = 0; port < SWITCH_PORTS_MAX; port++)
            if ((devices[port].revents & POLLIN) != 0)
                read_port(port);
        until_ns = send_due();
        pthread_mutex_unlock(&self.lock);
    }
    return nothing;
}

/* -------------------------------------------------------------------------------------- outside */

void switch_add_port(unsigned port, int device) {
    self.devices[port] = (struct pollfd){ .fd = device, .events = POLLIN };
}

void switch_add_address(unsigned port, uint32_t address) {
    self.ports[address & 255] = (unsigned char)(port + 1);
}

/* The pool is written to at once, so that the process does not seem to grow later. */
bool switch_start(uint64_t seed) {
    pthread_t thread;
    self.dice = seed;
    self.pool = malloc(HELD_MAX * sizeof *self.pool);
    if (self.pool == NULL)
        abort();
    memset(self.pool, 1, HELD_MAX * sizeof *self.pool);
    for (unsigned i = 0; i < HELD_MAX; i++)
        self.heap[i] = &self.pool[i];
    for (unsigned port = 0; port < SWITCH_PORTS_MAX; port++)
        if (self.devices[port].events == 0)
            self.devices[port].fd = -1; /* poll() passes it over */
    for (unsigned i = 0; i < sizeof self.ports; i++)
        self.ports[i] = self.ports[i] == 0 ? NOBODY : (unsigned char)(self.ports[i] - 1);
    if (pthread_create(&thread, NULL, run, NULL) != 0) {
        fputs("failed: a thread for the switch\n", stderr);
        return false;
    }
    pthread_detach(thread);
    return true;
}

void switch_set_wire(unsigned from, unsigned to, const switch_wire *wire) {
    pthread_mutex_lock(&self.lock);
    self.wires[from][to] = *wire;
    pthread_mutex_unlock(&self.lock);
}

void switch_set_servers(uint32_t address, const uint32_t *servers, unsigned count) {
    pthread_mutex_lock(&self.lock);
    self.balancer.address = address;
    self.balancer.servers_count = count;
    memcpy(self.balancer.servers, servers, count * sizeof *servers);
    pthread_mutex_unlock(&self.lock);
}

switch_counts switch_get_counts(void) {
    pthread_mutex_lock(&self.lock);
    switch_counts counts = self.counts;
    pthread_mutex_unlock(&self.lock);
    return counts;
}
