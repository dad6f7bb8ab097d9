/* Asks DNS for the peers that the host names by a name, in a thread of its own. */
#ifndef WSF_MESH_DISCOVERY_H
#define WSF_MESH_DISCOVERY_H

#include "mesh/mesh.h"

typedef struct wsf_discovery wsf_discovery;
typedef struct wsf_question wsf_question;

/* Addresses that are found go to the mesh. WSFAN_ENOMEM, WSFAN_ESYSTEM, or WSFAN_OK. */
int wsf_discovery_open(wsf_discovery **discovery, wsf_mesh *mesh, uint32_t interval_ms,
                       uint64_t seed);

/* Does not wait for answers. NULL is allowed. The mesh is still open. */
void wsf_discovery_close(wsf_discovery *discovery);

/* Makes a list of questions, one for each endpoint with a name; copies the names. *questions is NULL where
 * there are none. WSFAN_ENOMEM, or WSFAN_OK. */
int wsf_questions_new(wsf_question **questions, const char *const *names, size_t count);
void wsf_questions_free(wsf_question *questions);

/* [any] Replaces the questions of a source (WSF_SOURCE_OPTIONS, or of the host). Takes the list over. */
void wsf_discovery_ask(wsf_discovery *discovery, unsigned source, wsf_question *questions);

/* [any] Fills what discovery knows of. NULL is allowed. */
void wsf_discovery_stats(wsf_discovery *discovery, wsfan_stats *stats);

#endif
