/* The protocol of one node: inputs and the time go in, effects come out. No clock, no socket, no
 * thread, no randomness but the seed. Not thread-safe. */
#ifndef WSF_CORE_CORE_H
#define WSF_CORE_CORE_H

#include "core/types.h"

typedef struct wsf_core wsf_core;

/* WSFAN_ENOMEM, or WSFAN_OK. */
int wsf_core_new(wsf_core **core, const wsf_core_config *config, const wsf_effects *effects,
                 wsf_now now);

/* Waiting tickets are handed back with WSFAN_ECLOSED. */
void wsf_core_destroy(wsf_core *core);

/* The largest frame that a node with these limits takes, in bytes. */
uint64_t wsf_core_frame_size_max(const wsf_core_config *config);

const char *wsf_core_endpoint(const wsf_core *core); /* "" without peers */

/* The topic that this node subscribes to besides its inbox. Returns its size. */
size_t wsf_core_introduction(const wsf_core *core, uint8_t topic[WSF_INTRODUCTION_SIZE_MAX]);

/* Replaces the endpoints that one source names and this node dials; its own may be among them. All are valid.
 * A live peer keeps its connection whatever is named. Endpoints that find no connection are counted. */
void wsf_core_name_endpoints(wsf_core *core, unsigned source, const char *const *endpoints,
                             size_t count, wsf_now now);

/* DNS has resolved every name among the endpoints of the options. */
void wsf_core_names_known(wsf_core *core);

/* Takes over the caller's reference. The message's receipt comes back once, by effects->result. */
void wsf_core_publish(wsf_core *core, wsfan_message *message, wsf_now now);

/* Whether publishing should wait: a peer that keeps up has a queue more than half full. Any input may change
 * it. */
bool wsf_core_congested(const wsf_core *core);

/* The ticket comes back by effects->joined, perhaps at once. A loop may join again what it has joined: what the ticket
 * says of history counts from then on. */
void wsf_core_join(wsf_core *core, wsf_ticket *ticket, wsf_now now);
void wsf_core_leave(wsf_core *core, uint64_t hash, unsigned loop, wsf_now now);

/* A session becomes present in a chat, and stops being so. Both take the presence session over. present
 * comes before the join of a new audience, absent before its leave. */
void wsf_core_present(wsf_core *core, wsf_presence_session *presence_session, wsf_now now);
void wsf_core_absent(wsf_core *core, wsf_presence_session *presence_session, wsf_now now);

/* A session that joined with history came back: what becomes of its position? Takes the recovery over; it comes back once, by
 * effects->recovered, within recover_ms_max. Everything that was delivered to the loop before is in its list or covered by its
 * position, everything after is not. */
void wsf_core_recover(wsf_core *core, wsf_recovery *recovery, wsf_now now);

/* A loop has dispatched one block of presence events. */
void wsf_core_events_done(wsf_core *core, unsigned loop);

/* See wsfan_chat_get_count() and wsfan_chat_members(). */
void wsf_core_count(const wsf_core *core, uint64_t chat_hash, wsfan_count *count);
void wsf_core_visit(const wsf_core *core, uint64_t chat_hash, uint64_t *cursor, uint32_t max,
                    void (*each)(void *user, const wsfan_member *member), void *user);

/* A new loop is told of the known peers, and of the nodes that refused this one. */
void wsf_core_add_loop(wsf_core *core, unsigned loop);
void wsf_core_remove_loop(wsf_core *core, unsigned loop, wsf_now now);

/* Every loop has dispatched the receipt's message. */
void wsf_core_loops_done(wsf_core *core, wsf_receipt *receipt);

/* Asks the nodes that the request is for. Takes the request over; it comes back once, by effects->reply. */
void wsf_core_request(wsf_core *core, wsf_request *request, wsf_now now);

/* through: every loop has finished the call; takes over the reference. reply: the host's answer to the
 * call with this token; takes over the payload, which is from wsf_alloc(). */
void wsf_core_call_through(wsf_core *core, wsf_call *call);
void wsf_core_reply(wsf_core *core, uint64_t token, void *payload, size_t size);

/* Frames that come in from now on must be of nodes with this identity; 0: of any node. */
void wsf_core_expect(wsf_core *core, uint32_t identity);

/* Drops every peer whose identity may() refuses. */
void wsf_core_expel(wsf_core *core, bool (*may)(void *user, uint32_t identity), void *user);

/* A frame came by a connection. The frame is borrowed; large messages keep a reference to it. */
void wsf_core_receive(wsf_core *core, uint32_t connection, wsf_buffer *frame, wsf_now now);

/* A node subscribed to a topic at this node's socket, or unsubscribed. */
void wsf_core_subscription(wsf_core *core, bool subscribed, const void *topic, size_t size,
                           wsf_now now);

/* A probe has ended: with a connection, or with a refusal. */
void wsf_core_probed(wsf_core *core, uint64_t node, bool refused, wsf_now now);

/* What the carrier found of a connection that it was asked for: DIALLING (nothing new, it tried again), INTRODUCED,
 * or a state that fails. attempts: of the carrier's own, since the last call. */
void wsf_core_carrier(wsf_core *core, uint32_t connection, wsfan_endpoint_state found,
                      uint32_t attempts);

/* Somebody came to this node's socket, and was turned away by the carrier. address: "" where not known. */
void wsf_core_caller(wsf_core *core, const char *address, wsfan_endpoint_state cause, wsf_now now);

/* Replaces the names that the host gave as endpoints. Takes the list over. */
void wsf_core_set_names(wsf_core *core, wsf_name *names, wsf_now now);

/* See wsfan_node_get_endpoints(), _callers() and _state(); struct_size is not set. Returns how many there are. */
size_t wsf_core_endpoints(const wsf_core *core, wsfan_endpoint *endpoints, size_t capacity,
                          wsf_now now);
size_t wsf_core_callers(const wsf_core *core, wsfan_caller *callers, size_t capacity, wsf_now now);
void wsf_core_state(const wsf_core *core, wsfan_node_state *state, wsf_now now);

/* Sends what is due. Call it after any number of inputs, and at wsf_core_deadline(). */
void wsf_core_flush(wsf_core *core, wsf_now now);
uint64_t wsf_core_deadline(const wsf_core *core); /* UINT64_MAX: none */

/* What wsfan_node_ready() returns. */
int wsf_core_readiness(const wsf_core *core, wsf_now now);

/* Begins a drain, or shortens the one under way. effects->drained tells when it is over. */
void wsf_core_drain(wsf_core *core, uint32_t ms_max, wsf_now now);
void wsf_core_quiet(wsf_core *core);

/* Whether every live peer has acknowledged everything. */
bool wsf_core_drained(const wsf_core *core);
void wsf_core_say_bye(wsf_core *core, wsf_now now);

void wsf_core_count_drop(wsf_core *core, wsfan_drop reason, uint64_t count);

/* Overwrites *stats with what the core counts. */
void wsf_core_stats(const wsf_core *core, wsfan_stats *stats);
/* Peers, then other subscribers; `capacity` of them. Returns how many there are, WSF_KNOWN_MAX at most. */
size_t wsf_core_peers(const wsf_core *core, wsfan_peer_stats *peers, size_t capacity);
void wsf_core_measure(const wsf_core *core, wsf_core_metrics *metrics);

#endif
