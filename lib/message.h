/* The immutable, reference-counted message: one allocation from publish to the last recipient. */
#ifndef WSF_MESSAGE_H
#define WSF_MESSAGE_H

#include <stdatomic.h>

#include "hash.h"
#include "receipt.h"

typedef struct {
    uint64_t hash; /* wsf_hash_target(); 0 for WSFAN_ALL */
    uint32_t name_offset;
    uint32_t name_size;
    wsfan_target_kind kind;
} wsf_message_target;

struct wsfan_message {
    wsf_item item;        /* its place in the publish queue, later in the inbox of one loop */
    wsf_receipt *receipt; /* a reference; NULL: nobody asked what becomes of it */
    atomic_uint refs;
    uint32_t flags;
    wsfan_message_id id; /* stamped by the core, before anyone else sees the message */
    wsfan_address except;
    uint64_t slot; /* of a latest value: hash of its targets and key; 0: it is none */
    uint32_t targets_count;
    uint32_t headroom_size;
    uint32_t payload_offset; /* from the start of the struct */
    uint32_t payload_size;
    bool taken;                   /* a loop has it; only the mesh thread looks, */
    bool in_inbox;                /* and whether `item` is in an inbox */
    wsf_message_target targets[]; /* then the names, the headroom, the payload */
};

/* Copies everything. Sizes have been checked. NULL: out of memory. */
wsfan_message *wsf_message_new(const wsf_hash_key *key, const wsfan_target *targets,
                               uint32_t targets_count, wsfan_bytes payload, uint32_t headroom_size);

/* A message of its own with the same content. NULL: out of memory. */
wsfan_message *wsf_message_clone(const wsfan_message *message);

/* What it takes in memory. */
size_t wsf_message_size(const wsfan_message *message);

#endif
