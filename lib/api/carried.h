/* A node over a carrier of the host: which options it may have, and its endpoint. */
#ifndef WSF_API_CARRIED_H
#define WSF_API_CARRIED_H

#include <stdbool.h>
#include <wsfan/carrier.h>

#include "base/endpoint.h"

typedef struct {
    wsfan_carrier carrier;
    char scheme[WSFAN_CARRIED_SCHEME_MAX + 1];
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1]; /* of the node */
} wsf_carried;

/* The carrier is not NULL. WSFAN_EINVAL, WSFAN_EENDPOINT; *field is the option's then. */
int wsf_carried_check(const wsfan_options *options, const char **field);

/* Whether text is an endpoint of the carrier. */
bool wsf_carried_is_of(const char *text, const wsfan_carrier *carrier);

/* Without a carrier returns id, which is at random, and that is all. Else copies the carrier and the endpoint, which the
 * options lead to from then on; the upper 32 bits of what it returns, the id of the node, are those of its endpoint. */
uint64_t wsf_carried_open(wsf_carried *carried, wsfan_options *options, uint64_t id);

#endif
