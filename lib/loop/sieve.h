/* Sessions that have seen more of some publishers, where they were before, than this node had when it recovered them: live
 * messages that they have seen already are kept from them. That ends when this node has got as far.
 *
 * For the loop's thread. Most loops have no such session: then nothing is looked up. */
#ifndef WSF_LOOP_SIEVE_H
#define WSF_LOOP_SIEVE_H

#include "base/slots.h"
#include "base/table.h"
#include "base/vector.h"

typedef struct {
    wsf_table index; /* by session and chat */
    wsf_slots slots; /* slots.count: memberships that have one */
    struct wsf_sieve_mesh *array;
} wsf_sieve;

void wsf_sieve_init(wsf_sieve *sieve, uint64_t seed);
void wsf_sieve_destroy(wsf_sieve *sieve);

/* A session that was recovered in a chat has seen so much of publishers with entries in `seen`; replaces what was noted of it. whole: all of that much was
 * dispatched by this loop or never will be. Where that has all of `seen` nothing is noted. WSFAN_OK, or WSFAN_ENOMEM: the
 * session may get messages twice. */
int wsf_sieve_add(wsf_sieve *sieve, wsfan_session session, uint64_t chat, const wsf_vector *seen,
                  const wsf_vector *whole);

/* The session has left the chat, or is closed. */
void wsf_sieve_remove(wsf_sieve *sieve, wsfan_session session, uint64_t chat);

/* So much is whole by now. */
void wsf_sieve_reach(wsf_sieve *sieve, const wsf_vector *whole);

/* Whether the session has seen the message in the chat: it must not get it once more. */
bool wsf_sieve_stops_noted(const wsf_sieve *sieve, wsfan_session session, uint64_t chat,
                           wsfan_message_id id);
static inline bool wsf_sieve_stops(const wsf_sieve *sieve, wsfan_session session, uint64_t chat,
                                   wsfan_message_id id) {
    return sieve->slots.count > 0 && wsf_sieve_stops_noted(sieve, session, chat, id);
}

#endif
