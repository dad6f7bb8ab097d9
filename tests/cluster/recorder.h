/* A node as a host would run it, which writes down everything that it does and sees. */
#ifndef RECORDER_H
#define RECORDER_H

#include "events.h"

enum {
    RECORDER_HEARTBEAT_MS = 200,
    RECORDER_DOWN_MS = 2500,
    RECORDER_JOIN_MS_MAX = 3000,
    RECORDER_RESULT_MS_MAX = 3000,
    RECORDER_GRACE_MS = 1000,
    RECORDER_READY_MS_MAX = 1000,
    RECORDER_RECOVER_MS_MAX =
        2500 /* less than RECORDER_JOIN_MS_MAX, more than a node is silent after */
};

/* Runs as log->config says until it is told to finish. Returns the exit status of its process. */
int recorder_run(life_log *log);

/* Now, on the clock of all events. */
uint64_t recorder_ns(void);

#endif
