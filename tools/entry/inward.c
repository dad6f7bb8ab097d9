/* inward.c - a message of NATS is published into the mesh, and answered when the library knows what became of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "entry.h"

/* A message of which on_result is to come. */
struct waiting {
    struct waiting *next;
    struct waiting **link; /* what points to this one */
    uint64_t past_serial;  /* of its Nats-Msg-Id; 0: it has none */
    char reply[];          /* "": nobody is to be told */
};

static enum fault fault_of(int error) {
    return error == WSFAN_EAGAIN || error == WSFAN_ELIMIT || error == WSFAN_ENOMEM ? FAULT_BUSY
           : error == WSFAN_ETOOBIG                                                ? FAULT_SIZE
                                                                                   : FAULT_FAILED;
}

static struct waiting *wait_begin(struct entry *entry, const struct ask *ask,
                                  uint64_t past_serial) {
    size_t size = ask->reply != NULL ? strlen(ask->reply) : 0;
    struct waiting *waiting = malloc(sizeof *waiting + size + 1);
    if (waiting == NULL)
        return NULL;
    *waiting = (struct waiting){ .next = entry->waiting,
                                 .link = &entry->waiting,
                                 .past_serial = past_serial };
    if (waiting->next != NULL)
        waiting->next->link = &waiting->next;
    entry->waiting = waiting;
    if (size > 0)
        memcpy(waiting->reply, ask->reply, size);
    waiting->reply[size] = '\0';
    return waiting;
}

static void wait_end(struct waiting *waiting) {
    if (waiting == NULL)
        return;
    *waiting->link = waiting->next;
    if (waiting->next != NULL)
        waiting->next->link = waiting->link;
    free(waiting);
}

void inward_give_up(struct entry *entry) {
    while (entry->waiting != NULL)
        wait_end(entry->waiting);
}

/* A latest value has no result: a newer one may take its place anywhere. */
static bool has_result(const struct ask *ask) {
    return ask->headers.key_size == 0 && (ask->reply != NULL || ask->headers.id[0] != '\0');
}

static int publish(struct entry *entry, const struct ask *ask, struct waiting *waiting) {
    static const wsfan_target_kind kinds[] = {
        [TO_CHAT] = WSFAN_CHAT, [TO_USER] = WSFAN_USER, [TO_ALL] = WSFAN_ALL
    };
    const struct recipient *recipient = &ask->recipient;
    wsfan_target target = { kinds[recipient->to], { recipient->name, recipient->name_size } };
    wsfan_publish_options options = { .struct_size = sizeof options,
                                      .flags = ask->headers.binary ? WSFAN_BINARY : 0,
                                      .except = ask->headers.except,
                                      .key = { ask->headers.key, ask->headers.key_size } };
    if (waiting != NULL) {
        options.result_loop = entry->loop;
        options.result_user = waiting;
    }
    return wsfan_publish(entry->node, &target, 1, ask->payload, &options);
}

static void publish_and_answer(struct entry *entry, const struct ask *ask, uint64_t past_serial) {
    static const char accepted[] = "{\"accepted\":true}";
    bool waits = has_result(ask);
    struct waiting *waiting = waits ? wait_begin(entry, ask, past_serial) : NULL;
    int error = waits && waiting == NULL ? WSFAN_ENOMEM : publish(entry, ask, waiting);
    if (error != WSFAN_OK) {
        wait_end(waiting);
        ids_forget(entry->ids, past_serial); /* nothing was published, so it may be tried again */
        refuse(entry, ask->reply, fault_of(error));
        return;
    }
    entry->counts.published++;
    if (waits)
        return;
    ids_answer(entry->ids, past_serial, accepted);
    answer(entry, ask->reply, accepted);
}

void inward_take(struct entry *entry, const struct ask *ask) {
    struct past past = { 0, PAST_NEW, NULL };
    entry->counts.taken++;
    if (ask->fault != FAULT_NONE) {
        refuse(entry, ask->reply, ask->fault);
        return;
    }
    if (ask->headers.id[0] != '\0')
        past = ids_see(entry->ids, ask->headers.id, ask->digest);
    switch (past.state) {
    case PAST_NEW:
        publish_and_answer(entry, ask, past.serial);
        break;
    case PAST_ANSWERED:
        entry->counts.repeated++;
        answer(entry, ask->reply, past.answer);
        break;
    default:
        refuse(entry, ask->reply, past.state == PAST_WAITS ? FAULT_WAIT : FAULT_REUSED);
    }
}

void inward_on_result(void *loop_user, const wsfan_result *result) {
    struct entry *entry = loop_user;
    struct waiting *waiting = result->result_user;
    char text[ANSWER_SIZE];
    snprintf(text, sizeof text,
             "{\"id\":\"%016" PRIx64 "-%016" PRIx64
             "\",\"complete\":%s,\"replicas\":{\"addressed\":"
             "%u,\"acknowledged\":%u,\"behind\":%u,\"lost\":%u,\"refusing\":%u}}",
             result->id.clock, result->id.origin, result->status == WSFAN_OK ? "true" : "false",
             result->peers, result->peers_acknowledged, result->peers_behind, result->peers_lost,
             result->peers_refusing);
    entry->counts.incomplete += result->status != WSFAN_OK;
    ids_answer(entry->ids, waiting->past_serial, text);
    answer(entry, waiting->reply[0] != '\0' ? waiting->reply : NULL, text);
    wait_end(waiting);
}
