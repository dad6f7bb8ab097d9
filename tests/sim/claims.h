/* What was asked of nodes, what they did of it, and what they said: that requests end in time, that a
 * node has done what it claims, that joined sessions can be relied on, that a list which is said to be
 * complete is. */
#ifndef CLAIMS_H
#define CLAIMS_H

#include <wsfan/requests.h>
#include <wsfan/wsfan.h>

#include "ledger.h"

typedef struct claims claims;

claims *claims_new(ledger *l);
void claims_destroy(claims *c);

/* A request; chat is of joins and leaves. Its number comes back with the reply. */
uint32_t claims_ask(claims *c, uint32_t life, wsfan_request_kind kind, unsigned chat,
                    const ledger_targets *targets, uint64_t ms_max);

/* The library's own number for it. */
void claims_named(claims *c, uint32_t number, uint64_t id);
uint32_t claims_find(const claims *c, uint64_t asker, uint64_t id); /* UINT32_MAX: none */
unsigned claims_chat(const claims *c, uint32_t number);
const ledger_targets *claims_targets(const claims *c, uint32_t number);

/* This session must be in the list, as long as it stays what it is. */
void claims_must_list(claims *c, uint32_t number, uint32_t session, unsigned chat);

/* A session did it. */
void claims_done(claims *c, uint32_t number, uint32_t life, uint32_t session);

/* One of a life's is still not answered after its time; it did not run for so long of it. */
void claims_check_time(claims *c, uint32_t life, uint64_t frozen_ms);

void claims_reply(claims *c, const wsfan_reply *reply);
void claims_check_end(const claims *c);

/* After that, when it goes on: whatever was asked so far is settled. */
void claims_forget(claims *c);

#endif
