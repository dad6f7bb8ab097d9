/* Answers for when messages are put together. The first that waits stands for itself, in little memory. A run begins with
 * the second, and the next run, when the memory of that is full, has four times as much; not when it has as many messages
 * as it may. A message that may be in no run ends it: then the next stands for itself again. So no queue is of runs that
 * are nearly empty. */
#include "mesh/open_run.h"

/* The core takes a run as one, so one must not fill the queue of a link that is just not half full. */
void wsf_open_run_init(wsf_open_run *open, const wsf_link_limits *limits) {
    enum { QUEUE_SHARE = 4 };
    uint64_t bytes_max = limits->queue_bytes_max / QUEUE_SHARE;
    *open = (wsf_open_run){ .count_max = limits->queue_count_max / QUEUE_SHARE,
                            .bytes_max = WSF_RUN_BYTES_MAX };
    while (open->bytes_max > bytes_max)
        open->bytes_max /= 2; /* below WSF_RUN_BYTES_MIN there are no runs */
}

void wsf_open_run_close(wsf_open_run *open) {
    wsf_slab_cache_close(open->cache);
    open->cache = NULL;
}

void wsf_open_run_trim(wsf_open_run *open) {
    if (open->cache != NULL)
        wsf_slab_cache_trim(open->cache);
}

static bool is_run(const wsf_open_run *open) {
    return open->writer.run != NULL && open->last == &open->writer.run->item;
}

wsfan_message *wsf_open_run_begin(wsf_open_run *open, const wsf_queue *queue,
                                  const wsf_message_parts *parts) {
    enum { GROWTH = 4, COUNT_MIN = 2 };
    if (!wsf_open_run_is_last(open, queue) || open->count_max < COUNT_MIN)
        return NULL;
    size_t bytes = wsf_run_bytes_for(parts);
    bool outgrown = is_run(open) && open->writer.run->count < open->count_max;
    if (outgrown && bytes < (size_t)open->bytes * GROWTH)
        bytes = open->bytes < open->bytes_max / GROWTH ? (size_t)open->bytes * GROWTH
                                                       : open->bytes_max;
    if (bytes > open->bytes_max)
        return NULL;
    if (open->cache == NULL)
        open->cache = wsf_slab_cache_new(WSF_RUN_BYTES_MAX);
    wsfan_message *run = wsf_run_new(open->cache, bytes);
    if (run == NULL)
        return NULL;
    wsf_run_begin_writing(&open->writer, run);
    (void)wsf_run_write(&open->writer, parts); /* wsf_run_bytes_for() it */
    open->bytes = (uint32_t)bytes;
    wsf_open_run_note(open, queue, run);
    return run;
}

void wsf_open_run_note(wsf_open_run *open, const wsf_queue *queue, const wsfan_message *message) {
    if (!wsf_message_is_run(message))
        open->writer.run = NULL; /* the message may be where a run was that has gone */
    open->last = &message->item;
    open->takes = queue->takes;
}
