/* Events as lines of text, for whoever has to find out why one may not be. */
#ifndef EXCERPT_H
#define EXCERPT_H

#include <stdio.h>

#include "events.h"

/* Whether it tells how a node fares, and not what it does all the time. */
bool excerpt_tells(const event *e);

/* began_ns: times are told from then on. name_of: of a node's id. */
void excerpt_write(FILE *out, const event *e, uint64_t began_ns,
                   const char *(*name_of)(const void *context, uint64_t id), const void *context);

#endif
