/* One event-loop thread of the host: its sessions and the dispatch of its callbacks. */
#ifndef WSF_LOOP_LOOP_H
#define WSF_LOOP_LOOP_H

#include "loop/state.h"

typedef struct {
    uint64_t inbox_bytes_max;
    uint32_t inbox_count_max;
    uint32_t name_bytes_max;
    uint32_t headroom_bytes;
    bool publisher_only; /* no sessions */
    uint32_t metadata_bytes_max;
    wsf_registry_limits registry;
} wsf_loop_config;

int wsf_loop_new(wsfan_loop **loop, const wsf_loop_config *config, const wsf_loop_node *node,
                 unsigned index, uint64_t seed, const wsfan_callbacks *callbacks, void *loop_user);

/* Takes the loop out of the mesh and frees it. Never fails, does not wait. */
void wsf_loop_destroy(wsfan_loop *loop);

wsfan_node *wsf_loop_owner(const wsfan_loop *loop);

/* [any] Makes a receipt that comes back by on_result; at most count_max are under way: WSFAN_ELIMIT,
 * WSFAN_ENOMEM. Revoke it when its message is not published after all. */
int wsf_loop_new_receipt(wsfan_loop *loop, uint32_t count_max, void *user, wsf_receipt **receipt);
void wsf_loop_revoke_receipt(wsfan_loop *loop);

void wsf_loop_drain(wsfan_loop *loop); /* [any] no more sessions, no more joins */

/* [any] Lets a request's reply come back by on_reply; at most count_max are under way: WSFAN_ELIMIT. Revoke
 * it when the request is not made after all. */
int wsf_loop_expect_reply(wsfan_loop *loop, uint32_t count_max, wsf_request *request);
void wsf_loop_revoke_reply(wsfan_loop *loop);

/* Buckets of wsf_loop_metrics.dispatch, see wsf_histogram_add(). */
enum { WSF_DISPATCH_FIRST_US = 16 };

typedef struct {
    unsigned loop;
    wsfan_loop_stats stats;
    wsf_histogram_counts dispatch; /* us */
} wsf_loop_metrics;

/* [any] What the loop counts, as other threads see it: perhaps not all of one moment. The loop stays open. */
void wsf_loop_measure(wsfan_loop *loop, wsf_loop_metrics *metrics);

bool wsf_loop_dispatching(wsfan_loop *loop); /* [loop] */
unsigned wsf_loop_index(const wsfan_loop *loop);
uint64_t wsf_loop_sessions(const wsfan_loop *loop); /* [any] */

#endif
