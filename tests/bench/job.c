/* job.c - what is to be done: which chats there are, which subscriber has which, keys. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

static void make_chats(struct job *job) {
    job->chats = calloc(job->chats_count, sizeof *job->chats);
    if (job->chats == NULL)
        die("out of memory");
    for (unsigned i = 0; i < job->chats_count; i++) {
        struct chat *chat = &job->chats[i];
        const char *format = job->chats_count == 1 ? TRANSPORT_CHAT : TRANSPORT_CHAT "-%05u";
        chat->size = (size_t)snprintf(chat->name, sizeof chat->name, format, i);
        chat->part = i % job->parts;
    }
}

void job_init(struct job *job, const struct settings *settings) {
    job->publishers = settings->publishers;
    job->parts = settings->split ? job->peers : 1;
    job->history = settings->history;
    job->chats_count = settings->chats > 0 ? settings->chats : job->parts;
    make_chats(job);
    uint64_t unit = (uint64_t)job->publishers * job->parts;
    job->messages = (job->messages + unit - 1) / unit * unit;
    if (!settings->curve)
        return;
    job->keys = malloc(sizeof *job->keys);
    if (job->keys == NULL)
        die("out of memory");
    make_keys(job->keys);
}

unsigned job_first_chat(const struct job *job, unsigned number) {
    return number % job->parts;
}

unsigned job_for_each(const struct job *job, const struct settings *settings, struct job *jobs) {
    unsigned count = 0;
    for (; settings->against[count] != NULL; count++) {
        jobs[count] = *job;
        jobs[count].transport = settings->against[count];
        jobs[count].name = settings->against[count]->name;
    }
    return count;
}
