/* A carrier of the host, which brings datagrams, as the carrier of a mesh. */
#ifndef WSF_MESH_DATAGRAMS_H
#define WSF_MESH_DATAGRAMS_H

#include <wsfan/carrier.h>

#include "mesh/carrier.h"

typedef struct {
    const wsfan_carrier *host; /* borrowed */
    const char *endpoint;      /* of this node, SCHEME:NAME; copied */
    const char *cluster;       /* copied */
    uint64_t frame_size_max;
} wsf_datagrams_config;

/* WSFAN_ENOMEM, what the host's open() returns, or WSFAN_ESYSTEM where its fd() is none. */
int wsf_datagrams_open(wsf_carrier **carrier, const wsf_datagrams_config *config);

#endif
