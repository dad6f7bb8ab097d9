/* Answers for the options of a node over a carrier of the host. */
#include "api/carried.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/sized.h"

static bool is_whole(const wsfan_carrier *carrier) {
    wsfan_carrier c = { 0 };
    return wsf_read_sized(&c, sizeof c, carrier) && c.scheme != NULL && c.open != NULL &&
           c.send != NULL && c.fd != NULL && c.receive != NULL && c.close != NULL;
}

bool wsf_carried_is_of(const char *text, const wsfan_carrier *carrier) {
    size_t size = strlen(carrier->scheme);
    return wsf_endpoint_is_carried(text, strlen(text)) &&
           strncmp(text, carrier->scheme, size) == 0 && text[size] == ':';
}

/* Where the host names no endpoint: by the node's name, or by random hex digits. */
static void make_endpoint(char endpoint[WSF_ENDPOINT_SIZE_MAX + 1], const char *scheme,
                          const char *name, uint64_t id) {
    char digits[17];
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)id);
    snprintf(endpoint, WSF_ENDPOINT_SIZE_MAX + 1, "%s:%s", scheme, name != NULL ? name : digits);
}

int wsf_carried_check(const wsfan_options *o, const char **field) {
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
    *field = "carrier";
    if (!is_whole(o->carrier))
        return WSFAN_EINVAL;
    make_endpoint(endpoint, o->carrier->scheme, NULL, 0);
    if (!wsf_carried_is_of(endpoint, o->carrier))
        return WSFAN_EENDPOINT;
    *field = "advertise";
    if (o->advertise != NULL)
        return WSFAN_EINVAL;
    *field = "carrier";
    if (o->secret_key != NULL || o->key_file != NULL || o->allow_count > 0 || o->allow_path != NULL)
        return WSFAN_EINVAL;
    *field = o->endpoint != NULL ? "endpoint" : "name";
    make_endpoint(endpoint, o->carrier->scheme, o->name, 0);
    if (!wsf_carried_is_of(o->endpoint != NULL ? o->endpoint : endpoint, o->carrier))
        return WSFAN_EENDPOINT;
    *field = NULL;
    return WSFAN_OK;
}

uint64_t wsf_carried_open(wsf_carried *carried, wsfan_options *options, uint64_t id) {
    if (options->carrier == NULL)
        return id;
    wsf_read_sized(&carried->carrier, sizeof carried->carrier, options->carrier);
    snprintf(carried->scheme, sizeof carried->scheme, "%s", carried->carrier.scheme);
    carried->carrier.scheme = carried->scheme;
    options->carrier = &carried->carrier;
    if (options->endpoint != NULL)
        snprintf(carried->endpoint, sizeof carried->endpoint, "%s", options->endpoint);
    else
        make_endpoint(carried->endpoint, carried->scheme, options->name, id);
    options->endpoint = carried->endpoint;
    return (uint64_t)wsf_hash_identity(carried->endpoint) << 32 | (id & UINT32_MAX);
}
