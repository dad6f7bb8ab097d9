/* Which endpoints this node is connected to, and on whose word. */
#ifndef WSF_CORE_DIALER_H
#define WSF_CORE_DIALER_H

#include "core/state.h"

/* Replaces the set of endpoints that a source names. */
void wsf_dialer_name(wsf_core *core, unsigned source, const char *const *endpoints, size_t count,
                     wsf_now now);

/* A node lives at an endpoint. One that is not known yet is dialled; at one that is, and where no
 * live peer answers, that node is looked for. own_word: the node has just introduced itself; else
 * somebody else told of it, who is not believed without end. False: there is no place for it. */
bool wsf_dialer_gossip(wsf_core *core, const char *endpoint, uint64_t node, bool own_word,
                       wsf_now now);

/* Whether a connection carries what this node says. */
bool wsf_dialer_connected(const wsf_core *core, uint64_t node);

/* Notes which node answered at a connection. */
void wsf_dialer_identify(wsf_core *core, uint32_t connection, uint64_t node, wsf_now now);

/* A link with a peer is established, and with it known where the peer itself says that it is. */
void wsf_dialer_linked(wsf_core *core, const wsf_peer *peer, wsf_now now);

/* Its connection to us has ended: perhaps it has too, and another is where it was. */
void wsf_dialer_doubt(wsf_core *core, uint64_t node);

/* Dials a node again, at every endpoint that is known to lead to it. */
void wsf_dialer_again(wsf_core *core, uint64_t node);

/* The node is no peer any more: somebody else may answer at its endpoints, or nobody. */
void wsf_dialer_release(wsf_core *core, uint64_t node);

/* Whether this node is in no mesh: no peer lives, and a node that it dials has refused it lately. Refusals of
 * old may be out of date; who refuses is asked again. */
bool wsf_dialer_refused(const wsf_core *core, wsf_now now);

/* Nodes that have refused this one lately and that neither joins nor messages reach, each once; at most WSF_PEERS_MAX.
 * Nodes of another cluster or version are among them only where no peer lives. */
uint32_t wsf_dialer_refusers(const wsf_core *core, wsf_now now, uint64_t nodes[WSF_PEERS_MAX]);

/* Gives up connections that no source names and behind which nobody answers, and dials anew where no
 * peer has been heard for a while. Deadlines move by overslept_ms. */
void wsf_dialer_tick(wsf_core *core, uint64_t overslept_ms, wsf_now now);
uint64_t wsf_dialer_deadline(const wsf_core *core);

#endif
