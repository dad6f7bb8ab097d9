/* A peer that passed every door and then lies: replica 1 has a link with replica 0, and says what the
 * tests make it say. Replica 2 is honest; what it says and hears must stay as it is. */
#ifndef LIAR_H
#define LIAR_H

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "core/core.h"
#include "core/state.h"
#include "exchange/inbox.h"
#include "suite.h"
#include "world.h"

enum { CHAT = 7, LIAR = 1, ROWS_MAX = 100, TASKS_MAX = 20, HELD_MAX = 64 };

static world *w;
static unsigned delivered[4]; /* by node */
static uint64_t gap[4];
static unsigned aways[4]; /* gaps of unknown size */
static unsigned refused;
static unsigned downs[4];
static wsf_loop_call
    *held[HELD_MAX]; /* of the liar's requests, and of those that it should answer */
static unsigned held_count;
static unsigned replies;
static wsfan_reply reply;        /* the last one, without what it points to */
static uint64_t queue_bytes_max; /* 0: as ever */
static uint32_t history_ms;

static inline bool on_deliver(void *user, unsigned node, unsigned loop, wsfan_message *message) {
    (void)user;
    (void)loop;
    (void)message;
    if (node < 4)
        delivered[node]++;
    return true;
}

static inline void on_gap(void *user, unsigned node, const wsfan_gap *info) {
    (void)user;
    if (node < 4) {
        gap[node] += info->count;
        aways[node] += info->reason == WSFAN_GAP_AWAY;
    }
}

static inline void on_peer(void *user, unsigned node, const wsfan_peer *peer) {
    (void)user;
    refused += peer->event == WSFAN_PEER_REFUSED;
    if (node < 4 && peer->event == WSFAN_PEER_DOWN)
        downs[node]++;
}

static inline bool on_call(void *user, unsigned node, unsigned loop, wsf_loop_call *loop_call) {
    (void)user, (void)loop;
    if (node != LIAR && loop_call->call->asker != world_node_id(w, LIAR))
        return false;
    ck_assert_uint_lt(held_count, HELD_MAX);
    held[held_count++] = loop_call;
    return true;
}

static inline void keep_reply(void *user, const wsfan_reply *told) {
    (void)user;
    reply = *told;
    replies++;
}

static inline bool on_reply(void *user, unsigned node, wsf_request *ask) {
    (void)node;
    wsf_request_tell(ask, keep_reply, user);
    wsf_request_free(ask);
    return true;
}

static inline uint64_t id_of(uint32_t identity, uint32_t number) {
    return (uint64_t)identity << 32 | number;
}

static inline bool meshed(void *user) {
    return world_meshed(user);
}

static inline void begin(void) {
    static const world_watcher watcher = { .deliver = on_deliver,
                                           .peer = on_peer,
                                           .gap = on_gap,
                                           .loop_call = on_call,
                                           .reply = on_reply };
    memset(delivered, 0, sizeof delivered);
    memset(gap, 0, sizeof gap);
    memset(downs, 0, sizeof downs);
    memset(aways, 0, sizeof aways);
    refused = held_count = replies = 0;
    w = world_new(1, &watcher);
    world_config(w)->authenticated = true;
    world_config(w)->remote_chats_count_max = 1000;
    world_config(w)->presence.remote_count_max = ROWS_MAX;
    world_config(w)->requests_count_max = TASKS_MAX;
    world_config(w)->history_ms = history_ms;
    if (queue_bytes_max != 0)
        world_config(w)->link.queue_bytes_max = queue_bytes_max;
    for (unsigned i = 0; i < 3; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%u", i);
        world_start_as(w, i, name, id_of(100 + i, 1 + i), 1, i == 0 ? 0 : 1);
    }
    ck_assert(world_run_until(w, meshed, w, 20000));
    for (unsigned i = 0; i < 3; i++)
        world_join(w, i, CHAT);
    world_run(w, 1000);
}

/* Whatever was said, 0 and 2 relay to each other as ever. */
static inline void end(void) {
    unsigned before0 = delivered[0];
    unsigned before2 = delivered[2];
    for (uint64_t i = 0; i < 50; i++) {
        ck_assert(world_publish(w, 0, CHAT, i));
        ck_assert(world_publish(w, 2, CHAT, i));
        world_run(w, 10);
    }
    world_run(w, 2000);
    ck_assert_uint_eq(delivered[0] - before0, 100);
    ck_assert_uint_eq(delivered[2] - before2, 100);
    world_destroy(w);
    while (held_count > 0)
        wsf_call_unref(wsf_loop_call_end(held[--held_count]));
}

static inline wsf_peer *peer_at(unsigned node, unsigned of) {
    return wsf_peer_find(world_core(w, node), world_node_id(w, of));
}

static inline uint32_t connection_at(unsigned node, unsigned of) {
    const wsf_core *core = world_core(w, node);
    for (uint32_t i = 0; i < WSF_CONNECTIONS_MAX; i++)
        if (core->dialer.endpoints[i].dialled &&
            core->dialer.endpoints[i].node == world_node_id(w, of))
            return i;
    ck_abort_msg("no connection");
    return 0;
}

static inline uint64_t dropped(wsfan_drop reason) {
    wsfan_stats stats;
    wsf_core_stats(world_core(w, 0), &stats);
    return stats.dropped[reason];
}

typedef struct {
    uint8_t data[32768];
    wsf_writer writer;
} frame;

/* A frame in the liar's own stream; number 0: beside it. */
static inline frame begin_frame(uint64_t number, uint64_t ack) {
    frame f;
    const wsf_peer *peer = peer_at(0, LIAR);
    f.writer = (wsf_writer){ f.data, sizeof f.data, 0 };
    wsf_frame_head head = { .version = WSF_PROTOCOL_MAX,
                            .sender = world_node_id(w, LIAR),
                            .epoch = peer->link.in_epoch,
                            .number = number,
                            .ack_epoch = peer->link.epoch,
                            .ack = ack };
    wsf_write_head(&f.writer, world_node_id(w, 0), &head);
    f.writer.data = NULL; /* of a copy that moved */
    return f;
}

static inline wsf_writer *writer_of(frame *f) {
    f->writer.data = f->data;
    return &f->writer;
}

static inline void send(frame *f) {
    wsf_seal(writer_of(f));
    world_inject(w, 0, connection_at(0, LIAR), f->data, f->writer.size);
}

static inline uint64_t next_number(void) {
    return peer_at(0, LIAR)->link.in_expected;
}

#endif
