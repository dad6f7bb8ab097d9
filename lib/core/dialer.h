/* Which endpoints this node dials, and which sources name them. */
#ifndef WSF_CORE_DIALER_H
#define WSF_CORE_DIALER_H

#include "core/state.h"

/* Replaces the set of endpoints that a source names. */
void wsf_dialer_name(wsf_core *core, unsigned source, const char *const *endpoints, size_t count,
                     wsf_now now);

/* A node is said to live at an endpoint. A new endpoint is dialled; at a known one where no peer is up,
 * the node's key is tried. own_word: the node has just introduced itself; else a peer tells of it, and
 * such endpoints are bounded by WSF_GOSSIP_MAX. False: there is no place for it. */
bool wsf_dialer_gossip(wsf_core *core, const char *endpoint, uint64_t node, bool own_word,
                       wsf_now now);

/* Whether the node's frames come by some connection. */
bool wsf_dialer_connected(const wsf_core *core, uint64_t node);

/* Dials the endpoint that the peer itself tells, if no connection reaches the peer. */
void wsf_dialer_reach(wsf_core *core, uint64_t node, wsf_now now);

/* Notes which node answered at a connection. */
void wsf_dialer_identify(wsf_core *core, uint32_t connection, uint64_t node, wsf_now now);

/* A link is established, so the endpoint is known that the peer itself tells. */
void wsf_dialer_linked(wsf_core *core, const wsf_peer *peer, wsf_now now);

/* The node's connection to this one has ended: another node may be at its endpoints by now. */
void wsf_dialer_doubt(wsf_core *core, uint64_t node);

/* Dials a node again, at every endpoint that is known to lead to it. */
void wsf_dialer_again(wsf_core *core, uint64_t node);

/* The node is no peer any more: another node may answer at its endpoints, or none. */
void wsf_dialer_release(wsf_core *core, uint64_t node);

/* Whether this node is in no mesh: no peer lives, and a node that it dials has refused it lately. Older
 * refusals do not count: a node that refuses is asked again, and refuses again. */
bool wsf_dialer_refused(const wsf_core *core, wsf_now now);

/* The refusal of this node at one endpoint. */
typedef struct {
    uint64_t node;       /* 0: not known; one that lets our key not in does not say who it is */
    wsfan_reason reason; /* NONE: nobody does */
} wsf_refusal;

wsf_refusal wsf_dialer_refusal(const wsf_core *core, const wsf_dialer_endpoint *connection,
                               wsf_now now);

/* Nodes that have refused this one lately, which neither joins nor messages reach, each once (those that are
 * not known together as one 0); WSF_PEERS_MAX at most. Nodes of another cluster or version, and those that let
 * our key not in, count only while no peer lives. */
uint32_t wsf_dialer_refusers(const wsf_core *core, wsf_now now, uint64_t nodes[WSF_PEERS_MAX]);

/* Gives up endpoints that no source names and where no node answers, and redials where no peer has been
 * heard for a while. Deadlines move by overslept_ms. */
void wsf_dialer_tick(wsf_core *core, uint64_t overslept_ms, wsf_now now);
uint64_t wsf_dialer_deadline(const wsf_core *core);

#endif
