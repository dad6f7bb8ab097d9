/* Where the core's effects go: to the carrier, and to the inboxes of loops. Under the lock of the mesh. */
#ifndef WSF_MESH_EFFECTS_H
#define WSF_MESH_EFFECTS_H

#include "core/core.h"
#include "exchange/inbox.h"
#include "mesh/carrier.h"

typedef struct {
    wsf_core *core;
    wsf_carrier *carrier; /* NULL: no peers */
    wsf_inbox *inboxes[WSF_LOOPS_MAX];
    atomic_uint
        reader;     /* the loop that reads the sockets, see wsf_mesh_read(); WSF_LOOPS_MAX: none */
    uint64_t fresh; /* bits of inboxes with something to flush */
    uint32_t headroom_bytes;
    wsf_view *view;       /* the newest; NULL: none yet */
    wsf_reach *reach;     /* the same */
    wsf_mailbox *mailbox; /* of the mesh */
    wsf_item *quiet;      /* WSF_MESH_QUIET, posted there when further publishes are refused */
} wsf_mesh_effects;

wsf_effects wsf_mesh_effects_effects(wsf_mesh_effects *effects);

/* Of the carrier, which is not NULL. */
static inline int wsf_mesh_effects_fd(const wsf_mesh_effects *effects) {
    return effects->carrier->calls->fd(effects->carrier);
}

static inline uint64_t wsf_mesh_effects_carrier_deadline(const wsf_mesh_effects *effects) {
    return effects->carrier->calls->deadline(effects->carrier);
}

/* Hands each loop the messages that were delivered since the last flush, in one step. */
void wsf_mesh_effects_flush(wsf_mesh_effects *effects);

/* Takes over a reference to the inbox. */
void wsf_mesh_effects_add_loop(wsf_mesh_effects *effects, unsigned loop, wsf_inbox *inbox);
void wsf_mesh_effects_remove_loop(wsf_mesh_effects *effects, unsigned loop, wsf_now now);

#endif
