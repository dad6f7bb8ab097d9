/* Where each endpoint stands, who came and failed, and the state of the node; see wsfan/diagnosis.h. */
#ifndef WSF_CORE_DIAGNOSIS_H
#define WSF_CORE_DIAGNOSIS_H

#include "core/state.h"

void wsf_diagnosis_init(wsf_core *core);

/* See the functions of core.h with these names. */
void wsf_diagnosis_carrier(wsf_core *core, uint32_t connection, wsfan_endpoint_state found,
                           uint32_t attempts);
void wsf_diagnosis_caller(wsf_core *core, const char *address, wsfan_endpoint_state cause,
                          wsf_now now);
void wsf_diagnosis_set_names(wsf_core *core, wsf_name *names, wsf_now now);
size_t wsf_diagnosis_endpoints(const wsf_core *core, wsfan_endpoint *endpoints, size_t capacity,
                               wsf_now now);
size_t wsf_diagnosis_callers(const wsf_core *core, wsfan_caller *callers, size_t capacity,
                             wsf_now now);
void wsf_diagnosis_state(const wsf_core *core, wsfan_node_state *state, wsf_now now);

/* This node refuses a node that introduced itself. Whether the host is to be told: the first time, and then once
 * a minute. */
bool wsf_diagnosis_rejected(wsf_core *core, uint64_t node, const char *name, const char *endpoint,
                            wsfan_reason reason);

/* Tells a new loop what holds. */
void wsf_diagnosis_tell_loop(wsf_core *core, unsigned loop);

/* Tells the host what has changed. core->diagnosis.at_ms is when to look again. */
void wsf_diagnosis_tick(wsf_core *core, wsf_now now);

#endif
