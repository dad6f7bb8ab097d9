/* The defaults of wsfan_options and the ranges of its fields. */
#ifndef WSF_API_OPTIONS_H
#define WSF_API_OPTIONS_H

#include <stdbool.h>
#include <wsfan/wsfan.h>

#include "core/types.h"

/* Copies what the caller's version of the struct has over the defaults, and checks every field: the errors of
 * wsfan_options_check(). */
int wsf_options_read(wsfan_options *options, const wsfan_options *given);

/* Whether the host may name the endpoint for dialling. *resolve: it has a name, which DNS resolves. */
bool wsf_options_may_dial(const wsfan_options *options, const char *endpoint, bool *resolve);

/* The part of them that the core needs; what is the node's own is not set: its id, seed and name. */
wsf_core_config wsf_options_core(const wsfan_options *options);

#endif
