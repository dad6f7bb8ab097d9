/* A node as a host would run it, which writes down everything that it does and sees. */
#ifndef RECORDER_H
#define RECORDER_H

#include <stddef.h>

#include "events.h"

typedef struct {
    uint64_t seed;
    const char *name;
    const char *endpoint;
    const char *const *peers;
    size_t peers_count;
    uint32_t forget_ms;
    unsigned messages_per_s; /* about */
    unsigned payload_size_max;
} recorder_config;

enum {
    RECORDER_HEARTBEAT_MS = 200,
    RECORDER_DOWN_MS = 2500,
    RECORDER_JOIN_MS_MAX = 3000,
    RECORDER_RESULT_MS_MAX = 3000
};

/* Runs until it is told to finish. Returns the exit status of its process. */
int recorder_run(const recorder_config *config, life_log *log);

/* Now, on the clock of all events. */
uint64_t recorder_ns(void);

#endif
