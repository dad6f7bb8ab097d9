#include "queue.h"

#include <stdlib.h>
#include <string.h>

enum { MESSAGE_BYTES = 192 }; /* what libnats takes for one besides its payload */

void wsf_nats_queue_init(wsf_nats_queue *queue, uint64_t bytes_max) {
    *queue = (wsf_nats_queue){ .last = &queue->first, .bytes_max = bytes_max };
}

wsf_nats_item *wsf_nats_item_new(const char *subject, size_t subject_size, size_t size) {
    wsf_nats_item *item = malloc(sizeof *item + subject_size + 1 + size);
    if (item == NULL)
        return NULL;
    *item = (wsf_nats_item){ .bytes = sizeof *item + subject_size + 1 + size, .size = size };
    memcpy(item->subject, subject, subject_size);
    item->subject[subject_size] = '\0';
    item->data = item->subject + subject_size + 1;
    return item;
}

wsf_nats_item *wsf_nats_item_of(natsMsg *message) {
    wsf_nats_item *item = malloc(sizeof *item);
    if (item == NULL) {
        natsMsg_Destroy(message);
        return NULL;
    }
    size_t size = (size_t)natsMsg_GetDataLength(message);
    *item = (wsf_nats_item){ .bytes = sizeof *item + MESSAGE_BYTES + size, .message = message };
    return item;
}

void wsf_nats_item_free(wsf_nats_item *item) {
    natsMsg_Destroy(item->message);
    free(item);
}

bool wsf_nats_queue_put(wsf_nats_queue *queue, wsf_nats_item *item) {
    if (queue->bytes + item->bytes > queue->bytes_max) {
        wsf_nats_item_free(item);
        return false;
    }
    queue->bytes += item->bytes;
    *queue->last = item;
    queue->last = &item->next;
    return true;
}

wsf_nats_item *wsf_nats_queue_take_all(wsf_nats_queue *queue) {
    wsf_nats_item *items = queue->first;
    queue->first = NULL;
    queue->last = &queue->first;
    return items;
}

wsf_nats_item *wsf_nats_queue_take(wsf_nats_queue *queue) {
    wsf_nats_item *item = queue->first;
    if (item == NULL)
        return NULL;
    queue->first = item->next;
    if (queue->first == NULL)
        queue->last = &queue->first;
    return item;
}

void wsf_nats_queue_done(wsf_nats_queue *queue, uint64_t bytes) {
    queue->bytes -= bytes;
}

uint64_t wsf_nats_queue_clear(wsf_nats_queue *queue) {
    uint64_t count = 0;
    wsf_nats_item *item;
    while ((item = wsf_nats_queue_take(queue)) != NULL) {
        wsf_nats_queue_done(queue, item->bytes);
        wsf_nats_item_free(item);
        count++;
    }
    return count;
}
