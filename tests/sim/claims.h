/* Requests, what nodes did for them, and what answers say: that requests end in time, that a node has done
 * what it says, that joined sessions can be relied on, that lists are complete if they are said to be. */
#ifndef CLAIMS_H
#define CLAIMS_H

#include <wsfan/requests.h>
#include <wsfan/wsfan.h>

#include "ledger.h"

typedef struct claims claims;

claims *claims_new(ledger *l);
void claims_destroy(claims *c);

/* Notes a request; chat: of joins and leaves. The number that is returned comes back with the reply. */
uint32_t claims_ask(claims *c, uint32_t life, wsfan_request_kind kind, unsigned chat,
                    const ledger_targets *targets, uint64_t ms_max);

/* The library's own number for the request. */
void claims_named(claims *c, uint32_t number, uint64_t id);
uint32_t claims_find(const claims *c, uint64_t asker, uint64_t id); /* UINT32_MAX: none */
unsigned claims_chat(const claims *c, uint32_t number);
const ledger_targets *claims_targets(const claims *c, uint32_t number);

/* The list must have this session, as long as the session stays as it is. */
void claims_must_list(claims *c, uint32_t number, uint32_t session, unsigned chat);

/* A session did what was asked. */
void claims_done(claims *c, uint32_t number, uint32_t life, uint32_t session);

/* Checks that no request of a life is unanswered after its time, which frozen_ms of not running extend. */
void claims_check_time(claims *c, uint32_t life, uint64_t frozen_ms);

void claims_reply(claims *c, const wsfan_reply *reply);
void claims_check_end(const claims *c);

/* Settles all requests so far, so that the run can go on after claims_check_end(). */
void claims_forget(claims *c);

#endif
