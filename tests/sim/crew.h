/* What the files that play host processes share. */
#ifndef CREW_H
#define CREW_H

#include <stdlib.h>

#include "annals.h"
#include "claims.h"
#include "custody.h"
#include "hosts.h"
#include "loop/executor.h"
#include "loop/positions.h"
#include "returns.h"
#include "rollbook.h"
#include "testimony.h"

enum { INBOX_MESSAGE, INBOX_TICKET, INBOX_CALL, INBOX_REPLY, INBOX_RECOVERED };

typedef struct item {
    struct item *next;
    int kind;
    wsfan_message *message;
    wsf_ticket *ticket;
    wsf_loop_call *loop_call;
    wsf_request *ask;
    wsf_recovery *recovery;
} item;

typedef struct {
    hosts *owner;
    unsigned node;
    wsf_subscriptions subscriptions;
    wsf_executor executor;
    wsf_positions positions;
    wsf_inbox inbox;      /* its `reach` alone; the items are here: */
    uint32_t reach_taken; /* which one it was, of those of the node, */
    uint32_t reach_last;  /* and the one before */
    item *head;
    item *tail;
} loop;

typedef struct {
    uint32_t number; /* the ledger's number */
    unsigned loop;
    int user;         /* -1: none */
    uint32_t present; /* chats, as bits; */
    uint32_t history; /* those that it joined with history */
    wsfan_session handle;
} client;

typedef struct {
    bool running;
    bool dying;
    uint32_t life;
    unsigned kind; /* only nodes of kind 0 have presence */
    unsigned full_one_in;
    uint64_t taken; /* messages, by all inboxes */
    uint64_t refused;
    uint64_t gaps; /* messages that gaps told this node of */
    uint32_t reaches;
    struct {
        uint32_t from; /* of the reaches, the node knew the publisher since then, */
        uint32_t to;   /* until then */
    } known[LEDGER_LIVES_MAX];
    loop loops[LEDGER_LOOPS_MAX];
    client **clients;
    uint32_t clients_count;
    uint32_t clients_at_drain;
} host;

enum { PATTERN_PERIOD = 256, PAYLOAD_SIZE_MAX = 32 * 1024 };

struct hosts {
    ledger *ledger;
    claims *claims;
    rollbook *rollbook;
    testimony *testimony;
    annals *annals;
    returns *returns;
    custody *custody;
    world *world;
    hosts_history history;
    unsigned starts;
    unsigned loops;
    unsigned used; /* nodes below were started at some time */
    /* Node `mistaken` was last made to take node `mistaken_of` for not interested; WORLD_NODES_MAX: none. */
    unsigned mistaken;
    unsigned mistaken_of;
    wsf_hash_key key;
    wsfan_message_id *ids; /* of messages, by number, as they were published */
    uint32_t ids_capacity;
    uint8_t pattern[PATTERN_PERIOD + PAYLOAD_SIZE_MAX]; /* what payloads are cut from */
    host hosts[WORLD_NODES_MAX];
};

enum { TARGETS_MAX = 1 + LEDGER_OUT_MAX };

/* Targets, as the library and as the ledger want to know them. */
typedef struct {
    ledger_targets ledger;
    wsfan_target targets[TARGETS_MAX];
    size_t count;
    wsfan_address except;
    char names[TARGETS_MAX][WSFAN_ADDRESS_TEXT_SIZE];
} choice;

static inline void *need(void *memory) {
    if (memory == NULL)
        abort();
    return memory;
}

/* Random sessions and targets. NULL: the node has no session. */
client *hosts_any(hosts *h, unsigned node);
void choice_make(hosts *h, unsigned chats, choice *c);
void choice_make_chat(unsigned chat, choice *c);
void choice_make_session(hosts *h, choice *c); /* one session; count is 0 where there is none */

/* Publishes in a chat on some nodes. */
void hosts_greet(hosts *h, unsigned chat);
void hosts_close_one(hosts *h, unsigned node, client *who);
void hosts_end_membership(hosts *h, unsigned node, client *who, unsigned chat);

/* Requests and calls, as a loop makes them and carries them out. */
wsf_executor_effects asking_effects(loop *of);
void asking_perform(loop *at, wsf_loop_call *loop_call);
void asking_reply(loop *at, wsf_request *ask);
void asking_put_loop_call(loop *at, wsf_loop_call *loop_call);

#endif
