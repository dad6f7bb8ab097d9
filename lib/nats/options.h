/* The options of a connection to NATS. */
#ifndef WSF_NATS_OPTIONS_H
#define WSF_NATS_OPTIONS_H

#include <nats/nats.h>
#include <wsfan/nats.h>

enum { WSF_NATS_SERVERS_MAX = 32 };

/* A copy, whose strings are its own. WSFAN_EINVAL, WSFAN_ENOMEM. */
int wsf_nats_options_read(wsfan_nats_options *options, const wsfan_nats_options *given);
void wsf_nats_options_free(wsfan_nats_options *options);

/* The options of libnats that follow: one attempt with each server, in random order, and no other by itself. The caller
 * destroys it. */
natsStatus wsf_nats_options_apply(natsOptions **nats, const wsfan_nats_options *options,
                                  const char *name);

#endif
