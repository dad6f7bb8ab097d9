/* What other threads leave for the mesh thread. */
#ifndef WSF_MESH_TYPES_H
#define WSF_MESH_TYPES_H

#include "exchange/inbox.h"

typedef struct wsf_mesh wsf_mesh;

/* The kinds of items in the mailbox of the mesh, which takes them over. PUBLISH is a wsfan_message, JOIN and
 * LEAVE a wsf_ticket (that of a JOIN comes back by the inbox); others are a wsf_mesh_command unless noted. */
typedef enum {
    WSF_MESH_PUBLISH,
    WSF_MESH_JOIN,
    WSF_MESH_LEAVE,
    WSF_MESH_ADD_LOOP,
    WSF_MESH_REMOVE_LOOP,
    WSF_MESH_DRAIN,       /* within wsf_mesh_command.ms */
    WSF_MESH_QUIET,       /* comes after the last publish */
    WSF_MESH_LOOPS_DONE,  /* the loops_item of a wsf_receipt, with a reference to it */
    WSF_MESH_ASK,         /* a wsf_request */
    WSF_MESH_THROUGH,     /* a wsf_call, with a reference to it */
    WSF_MESH_REPLY,       /* a wsf_mesh_reply */
    WSF_MESH_PRESENT,     /* the `begin` of a wsf_presence_session */
    WSF_MESH_ABSENT,      /* the `end` of a wsf_presence_session */
    WSF_MESH_EVENTS_DONE, /* a wsf_presence_events that was dispatched */
    WSF_MESH_RECOVER,     /* a wsf_recovery, which comes back by the inbox */
    WSF_MESH_STOP
} wsf_mesh_kind;

typedef struct {
    wsf_item item;
    wsf_inbox *inbox; /* of ADD_LOOP: a reference for the mesh */
    unsigned loop;
    uint32_t ms;
} wsf_mesh_command;

/* The host's answer to a request. */
typedef struct {
    wsf_item item;
    uint64_t token;
    void *payload; /* from wsf_alloc() */
    size_t payload_size;
} wsf_mesh_reply;

#endif
