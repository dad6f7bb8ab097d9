/* A clock for each origin: what was seen of each node, up to where. Origins that have no entry share one clock, so that
 * most of a cluster is one number. An origin is the low half of a node's id, which is random at each start.
 *
 * Claims round down: who cannot say exactly how much was seen says less. */
#ifndef WSF_BASE_VECTOR_H
#define WSF_BASE_VECTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <wsfan/wsfan.h>

/* At least twice what a position has (see position.h), so that two of them can be merged; and an entry for each origin
 * that a node may know of. */
enum { WSF_VECTOR_MAX = 320 };

typedef struct {
    uint64_t clock;
    uint32_t origin;
    bool ragged; /* something above `clock` was seen too, but not all of it */
} wsf_vector_entry;

typedef struct {
    uint64_t rest; /* the clock of all others */
    uint32_t count;
    wsf_vector_entry entries[WSF_VECTOR_MAX]; /* sorted by origin */
} wsf_vector;

static inline uint32_t wsf_vector_origin(uint64_t node) {
    return (uint32_t)node;
}

void wsf_vector_init(wsf_vector *vector, uint64_t rest);

/* As large as its entries need, which never become more; freed with wsf_free(). NULL: no memory. */
wsf_vector *wsf_vector_copy(const wsf_vector *vector);

/* The entry of a node; NULL: it has none. Valid until the next change. */
wsf_vector_entry *wsf_vector_find(const wsf_vector *vector, uint64_t node);

uint64_t wsf_vector_at(const wsf_vector *vector, uint64_t node);

static inline bool wsf_vector_covers(const wsf_vector *vector, wsfan_message_id id) {
    return id.clock <= wsf_vector_at(vector, id.origin);
}

/* Each returns false where an entry would be needed and there is no room: nothing was changed then.
 *
 * _raise(): the clock is at least `clock`; one that rises is no longer ragged.
 * _pin(): there is an entry, of this clock, or of a lesser one that it had. For nodes of which less is known to be whole
 * than was seen.
 * _saw(): messages of the node up to `clock` were seen. Without an entry that raises the clock; an entry that was made
 * before stays as it is, and becomes ragged if it is passed. */
bool wsf_vector_raise(wsf_vector *vector, uint64_t node, uint64_t clock);
bool wsf_vector_pin(wsf_vector *vector, uint64_t node, uint64_t clock);
bool wsf_vector_saw(wsf_vector *vector, uint64_t node, uint64_t clock);

/* Each clock becomes the greater of the two. An entry that is ragged in one of them stays so, whatever the other one's clock:
 * how far beyond its own clock something was seen is not known. Neither has more than WSF_VECTOR_MAX / 2 entries. */
void wsf_vector_merge(wsf_vector *vector, const wsf_vector *other);

bool wsf_vector_is_ragged(const wsf_vector *vector); /* any entry */

#endif
