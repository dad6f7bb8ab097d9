/* What the files of other public functions need of a node. */
#ifndef WSF_API_NODE_H
#define WSF_API_NODE_H

#include "loop/loop.h"

int wsf_node_check(const wsfan_node *node); /* WSFAN_EINVAL: NULL; WSFAN_EFORK */
int wsf_node_check_targets(const wsfan_node *node, const wsfan_target *targets, size_t count);
const wsfan_options *wsf_node_options(const wsfan_node *node); /* pointers in it are not valid */
const wsf_hash_key *wsf_node_key(const wsfan_node *node);
wsf_mesh *wsf_node_mesh(const wsfan_node *node);

/* Measures the loops that are open, WSF_LOOPS_MAX at most. Returns how many. */
uint32_t wsf_node_measure_loops(wsfan_node *node, wsf_loop_metrics *loops);

#endif
