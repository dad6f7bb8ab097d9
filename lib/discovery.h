/* Asks DNS for the peers that options name by dns://, in a thread of its own. */
#ifndef WSF_DISCOVERY_H
#define WSF_DISCOVERY_H

#include "mesh.h"

typedef struct wsf_discovery wsf_discovery;

/* names: 1..WSF_DNS_SOURCES_MAX valid dns:// endpoints; copied. What is found goes to the mesh,
 * each name as a source of its own. WSFAN_ENOMEM, WSFAN_ESYSTEM, or WSFAN_OK. */
int wsf_discovery_open(wsf_discovery **discovery, wsf_mesh *mesh, const char *const *names,
                       size_t count, uint32_t interval_ms, uint64_t seed);

/* Does not wait for answers that are due. NULL is allowed. The mesh is still open. */
void wsf_discovery_close(wsf_discovery *discovery);

/* [any] Fills what discovery knows of. NULL is allowed. */
void wsf_discovery_stats(wsf_discovery *discovery, wsfan_stats *stats);

#endif
