/* The run that publishers fill while it is the last item of the publish queue. All of it under the queue's lock. */
#ifndef WSF_MESH_OPEN_RUN_H
#define WSF_MESH_OPEN_RUN_H

#include "base/queue.h"
#include "core/link/link.h"
#include "message/run.h"

typedef struct {
    wsf_run_writer writer;
    wsf_slab_cache *cache; /* NULL: none yet */
    const wsf_item *last;  /* the run, or a message that might have been in one, */
    uint64_t takes;        /* if nothing was taken from the queue since */
    uint32_t bytes;        /* of memory of the run */
    uint32_t bytes_max;
    uint32_t count_max;
} wsf_open_run;

void wsf_open_run_init(wsf_open_run *open, const wsf_link_limits *limits);
void wsf_open_run_close(wsf_open_run *open);
void wsf_open_run_trim(wsf_open_run *open); /* frees memory that was not needed lately */

/* Whether `last` is the last item: until something is taken from the queue, no other item can be where that is. */
static inline bool wsf_open_run_is_last(const wsf_open_run *open, const wsf_queue *queue) {
    return open->last != NULL && open->last == wsf_queue_last(queue) && open->takes == queue->takes;
}

/* Puts a message that wsf_run_may_have() into the run. False: none is open, or it is full. */
static inline bool wsf_open_run_add(wsf_open_run *open, const wsf_queue *queue,
                                    const wsf_message_parts *parts) {
    const wsfan_message *run = open->writer.run;
    return run != NULL && open->last == &run->item && wsf_open_run_is_last(open, queue) &&
           run->count < open->count_max && wsf_run_write(&open->writer, parts);
}

/* Begins a run with the message, which the caller appends next. NULL: the last item is no run and no message that
 * might have been in one; or out of memory. */
wsfan_message *wsf_open_run_begin(wsf_open_run *open, const wsf_queue *queue,
                                  const wsf_message_parts *parts);

/* The caller appends the message, which might have been in a run, next. */
void wsf_open_run_note(wsf_open_run *open, const wsf_queue *queue, const wsfan_message *message);

#endif
