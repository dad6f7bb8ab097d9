/* How far this node got with the messages of each other node. */
#ifndef WSF_CORE_WITNESS_H
#define WSF_CORE_WITNESS_H

#include "core/origin.h"
#include "core/part.h"

extern const wsf_part wsf_witness_part;

int wsf_witness_init(wsf_core *core); /* WSFAN_ENOMEM, or WSFAN_OK */
void wsf_witness_destroy(wsf_core *core);

/* Some messages up to here may be missing of origins that were forgotten early, for lack of a place; 0: of none. */
uint64_t wsf_witness_unsure(const wsf_core *core);

/* NULL: this node does not know how far it got with that one. */
const wsf_origin *wsf_witness_find(const wsf_core *core, uint64_t node);

/* Another node told of a message of that one, which is kept here now. */
void wsf_witness_told(wsf_core *core, uint64_t node, uint64_t clock);

/* Whether the peer said that its clock is more than WSF_CLOCK_APART_MS_MAX behind ours. */
bool wsf_witness_is_behind(const wsf_core *core, const wsf_peer *peer);

/* Whether it is, and a position claims what the peer is yet to publish, further ahead than it follows. */
bool wsf_witness_is_preempted(const wsf_core *core, const wsf_peer *peer, const wsf_vector *seen);

/* A join did not wait for the peer, which is down: it may not know our interest up to `serial`. */
void wsf_witness_skip(wsf_peer *peer, uint64_t serial);

/* The peer is to get a mark soon. */
void wsf_witness_hurry(wsf_peer *peer, wsf_now now);

/* Asks the peers that are up, and with which this node did not get that far, for a mark. */
void wsf_witness_ask(wsf_core *core, uint64_t clock);

/* Whether every peer that is up has said that it knows our interest up to `serial`. Then, of what has a clock above
 * *since, all nodes send this one what it is interested in; those that are not up are skipped, as by a join. To be
 * asked again until it is so. */
bool wsf_witness_begin(wsf_core *core, uint64_t serial, wsf_now now, uint64_t *since);

/* The same for one node that is not up: it is skipped. What it published may be missing here, and the host is told when it
 * comes. */
void wsf_witness_leave_out(wsf_core *core, uint64_t node, uint64_t serial);

#endif
