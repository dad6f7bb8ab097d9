/* The shipped subscriptions and registry under the shipped core; only threads and mailboxes are imitated. */
#include "crew.h"

#include <string.h>

#include "base/memory.h"
#include "core/core.h"
#include "core/origin.h"
#include "core/state.h"
#include "rollbook.h"

hosts *hosts_new(ledger *l, unsigned loops, hosts_history history, bool returning) {
    hosts *h = need(calloc(1, sizeof *h));
    h->ledger = l;
    h->claims = claims_new(l);
    h->rollbook = rollbook_new(l);
    h->testimony = testimony_new(l);
    h->annals = annals_new(l);
    h->returns = returns_new(l, returning);
    h->custody = custody_new(l);
    h->history = history;
    h->loops = loops;
    h->mistaken = h->mistaken_of = WORLD_NODES_MAX;
    for (size_t i = 0; i < sizeof h->pattern; i++)
        h->pattern[i] = (uint8_t)i;
    return h;
}

void hosts_attach(hosts *h, world *w) {
    h->world = w;
    rollbook_attach(h->rollbook, w);
    testimony_attach(h->testimony, w);
    annals_attach(h->annals, w, h->testimony);
    returns_attach(h->returns, w, h->testimony);
    custody_attach(h->custody, w);
    wsf_hash_key_init(&h->key, world_config(w)->cluster);
}

uint32_t hosts_life(const hosts *h, unsigned node) {
    return h->hosts[node].life;
}

static wsf_core *core_of(const loop *of) {
    return world_core(of->owner->world, of->node);
}

static wsf_now now_of(const loop *of) {
    return world_now(of->owner->world, of->node);
}

/* ---------------------------------------------------------------------------------- the inboxes */

static void put(loop *to, item value) {
    item *new_item = need(malloc(sizeof *new_item));
    *new_item = value;
    new_item->next = NULL;
    if (to->tail != NULL)
        to->tail->next = new_item;
    else
        to->head = new_item;
    to->tail = new_item;
}

static bool on_deliver(void *user, unsigned node, unsigned loop_index, wsfan_message *message) {
    hosts *h = user;
    ledger_set_time(h->ledger, world_ms(h->world));
    host *at = &h->hosts[node];
    uint32_t number;
    if (loop_index >= h->loops) {
        ledger_violation(h->ledger, "node %u has no loop %u", node, loop_index);
        return false;
    }
    memcpy(&number, wsfan_message_payload(message).data, sizeof number);
    testimony_take(h->testimony, node, number);
    if (at->full_one_in > 0 && world_random(h->world, at->full_one_in) == 0) {
        ledger_inbox_gap(h->ledger, at->life, loop_index, 1);
        returns_inbox_gap(h->returns, node, loop_index);
        at->refused++;
        return false;
    }
    at->taken++;
    put(&at->loops[loop_index],
        (item){ .kind = INBOX_MESSAGE, .message = wsfan_message_ref(message) });
    return true;
}

static bool on_joined(void *user, unsigned node, wsf_ticket *ticket) {
    hosts *h = user;
    if (h->hosts[node].dying)
        return false;
    put(&h->hosts[node].loops[ticket->loop], (item){ .kind = INBOX_TICKET, .ticket = ticket });
    return true;
}

static void on_peer(void *user, unsigned node, const wsfan_peer *peer) {
    hosts *h = user;
    ledger_set_time(h->ledger, world_ms(h->world));
    returns_trouble(h->returns);
    static const char *const events[] = { "?", "up", "silent", "down", "refused" };
    ledger_trace(h->ledger, "  address %u: %s is %s (reason %d)", node, peer->name,
                 events[peer->event], (int)peer->reason);
    if (peer->event == WSFAN_PEER_UP)
        ledger_up(h->ledger, h->hosts[node].life, peer->node);
    if (peer->event == WSFAN_PEER_DOWN)
        ledger_down(h->ledger, h->hosts[node].life, peer->node);
    if (peer->event != WSFAN_PEER_REFUSED)
        rollbook_peer(h->rollbook, node, peer);
}

static uint64_t links_with(const wsf_core *core, uint64_t peer) {
    const wsf_peer *found = wsf_peer_find(core, peer);
    return found != NULL ? found->stats.links : 0;
}

static const wsf_core *core_of_node(hosts *h, uint64_t node) {
    for (unsigned n = 0; n < h->used; n++)
        if (world_core(h->world, n) != NULL && world_node_id(h->world, n) == node)
            return world_core(h->world, n);
    return NULL;
}

static bool has_lost_count(const wsf_core *core) {
    return core->handshake.forgotten_count > WSF_FORGOTTEN_MAX;
}

static bool has_met(const wsf_core *core, uint64_t node) {
    bool noted = links_with(core, node) > 1;
    for (unsigned i = 0; i < WSF_FORGOTTEN_MAX; i++)
        noted = noted || core->handshake.forgotten[i] == node;
    return noted;
}

/* Whether a gap may say that the publisher was away: the two had a link before, or neither can tell. A
 * receiver that has given up more links than it can name takes a first link for a later one; so does such a
 * publisher, unless it has noted the receiver. A publisher that has ended cannot be asked. */
static bool may_be_away(hosts *h, const wsf_core *core, uint64_t node) {
    const wsf_core *other = core_of_node(h, node);
    return links_with(core, node) > 1 ||
           (has_lost_count(core) &&
            (other == NULL || has_lost_count(other) || has_met(other, core->config.node)));
}

static void on_gap(void *user, unsigned node, const wsfan_gap *gap) {
    hosts *h = user;
    ledger_set_time(h->ledger, world_ms(h->world));
    ledger_trace(h->ledger, "  address %u: a gap of %llu from %s (reason %d)", node,
                 (unsigned long long)gap->count, gap->name, (int)gap->reason);
    uint32_t life = h->hosts[node].life;
    h->hosts[node].gaps += gap->count;
    testimony_gap(h->testimony, node, gap->node);
    returns_gap(h->returns, node, gap->node);
    if (may_be_away(h, world_core(h->world, node), gap->node))
        ledger_away(h->ledger, life, gap->node);
    ledger_gap(h->ledger, life, gap->node, gap->count);
}

static void on_result(void *user, unsigned node, const wsfan_result *result) {
    hosts *h = user;
    if (h->hosts[node].dying)
        return;
    if (result->peers != result->peers_acknowledged + result->peers_behind + result->peers_lost ||
        result->missing_count !=
            result->peers_refusing + result->peers_behind + result->peers_lost ||
        result->loops_lost + result->loops_behind > result->loops)
        ledger_violation(h->ledger, "a result that does not add up");
    ledger_result(h->ledger, (uint32_t)(uintptr_t)result->result_user, result->status == WSFAN_OK);
}

static bool on_call(void *user, unsigned node, unsigned loop_index, wsf_loop_call *loop_call) {
    hosts *h = user;
    if (h->hosts[node].dying)
        return false;
    asking_put_loop_call(&h->hosts[node].loops[loop_index], loop_call);
    return true;
}

static bool on_reply(void *user, unsigned node, wsf_request *ask) {
    hosts *h = user;
    if (h->hosts[node].dying)
        return false;
    put(&h->hosts[node].loops[0], (item){ .kind = INBOX_REPLY, .ask = ask });
    return true;
}

static bool on_recovered(void *user, unsigned node, wsf_recovery *recovery) {
    hosts *h = user;
    if (h->hosts[node].dying)
        return false;
    returns_answered(h->returns, node, recovery);
    put(&h->hosts[node].loops[recovery->loop],
        (item){ .kind = INBOX_RECOVERED, .recovery = recovery });
    return true;
}

void asking_put_loop_call(loop *at, wsf_loop_call *loop_call) {
    put(at, (item){ .kind = INBOX_CALL, .loop_call = loop_call });
}

static void on_presence(void *user, unsigned node, unsigned loop_index,
                        const wsfan_presence *presence) {
    hosts *h = user;
    ledger_set_time(h->ledger, world_ms(h->world));
    rollbook_told(h->rollbook, node, loop_index, presence);
}

static void on_drained(void *user, unsigned node, int status) {
    hosts *h = user;
    ledger_set_time(h->ledger, world_ms(h->world));
    ledger_trace(h->ledger, "  address %u: drained (status %d)", node, status);
    if (status == WSFAN_OK)
        custody_check_drained(h->custody, node);
}

/* A reach says nothing of publishers that the node has yet to meet. */
static void note_known(hosts *h, unsigned node) {
    host *at = &h->hosts[node];
    const wsf_core *core = world_core(h->world, node);
    uint32_t now = ++at->reaches;
    for (unsigned i = 0; i < WSF_ORIGINS_MAX; i++) {
        uint64_t origin = core->witness.origins[i].node;
        uint32_t life = origin != 0 ? ledger_find(h->ledger, origin) : UINT32_MAX;
        if (life == UINT32_MAX)
            continue;
        if (at->known[life].to + 1 != now)
            at->known[life].from = now;
        at->known[life].to = now;
    }
}

static void on_reach(void *user, unsigned node, wsf_reach *reach) {
    hosts *h = user;
    note_known(h, node);
    for (unsigned i = 0; i < h->loops; i++)
        wsf_reach_unref(
            atomic_exchange(&h->hosts[node].loops[i].inbox.reach, wsf_reach_ref(reach)));
}

world_watcher hosts_watcher(hosts *h) {
    return (world_watcher){ .user = h,
                            .deliver = on_deliver,
                            .joined = on_joined,
                            .peer = on_peer,
                            .gap = on_gap,
                            .result = on_result,
                            .loop_call = on_call,
                            .reply = on_reply,
                            .reach = on_reach,
                            .recovered = on_recovered,
                            .presence = on_presence,
                            .drained = on_drained };
}

/* ----------------------------------------------------------------------------- loops' requests */

static void on_announce(void *user, wsf_ticket *ticket) {
    loop *from = user;
    wsf_core_join(core_of(from), ticket, now_of(from));
    world_touch(from->owner->world, from->node);
}

static void on_withdraw(void *user, wsf_ticket *ticket) {
    loop *from = user;
    wsf_core_leave(core_of(from), ticket->hash, ticket->loop, now_of(from));
    testimony_leave(from->owner->testimony, from->node, ticket->hash);
    world_touch(from->owner->world, from->node);
    wsf_free(ticket);
}

static void on_present(void *user, wsf_presence_session *presence_session) {
    loop *from = user;
    wsf_core_present(core_of(from), presence_session, now_of(from));
    world_touch(from->owner->world, from->node);
}

static void on_absent(void *user, wsf_presence_session *presence_session) {
    loop *from = user;
    wsf_core_absent(core_of(from), presence_session, now_of(from));
    world_touch(from->owner->world, from->node);
}

static void on_recover(void *user, wsf_recovery *recovery) {
    loop *from = user;
    returns_asked(from->owner->returns, from->node, recovery);
    wsf_core_recover(core_of(from), recovery, now_of(from));
    world_touch(from->owner->world, from->node);
}

static void on_ready(void *user) {
    (void)user; /* hosts_dispatch() looks at every loop */
}

/* A partial join must hear the peers that it does not name. */
static void promise_in_part(ledger *l, uint32_t session, unsigned chat,
                            const wsfan_joined *joined) {
    if (joined->status != WSFAN_EPARTIAL || joined->missing_count == 0)
        return;
    for (size_t i = 0; i < joined->missing_count; i++) {
        uint32_t life = ledger_find(l, joined->missing[i]);
        if (life != UINT32_MAX) /* otherwise the peer ended long ago */
            ledger_excuse(l, session, chat, life);
    }
    ledger_promise(l, session, chat);
}

static void on_session_joined(void *user, const wsfan_joined *joined) {
    loop *from = user;
    const client *who = joined->session_user;
    unsigned chat = *(const uint8_t *)joined->chat.data;
    ledger_joined(from->owner->ledger, who->number, chat, joined->status == WSFAN_OK);
    if (joined->recovered != NULL)
        returns_told(from->owner->returns, who->number, chat, joined->recovered->recovery,
                     joined->status == WSFAN_OK);
    if (joined->status != WSFAN_OK) {
        promise_in_part(from->owner->ledger, who->number, chat, joined);
        return;
    }
    /* Every live peer must know of the join now: it has the hash, or sends this node everything. */
    hosts *h = from->owner;
    wsfan_target target = { WSFAN_CHAT, joined->chat };
    uint64_t hash = wsf_hash_target(&h->key, &target);
    const wsf_core *core = core_of(from);
    for (unsigned n = 0; n < h->used; n++) {
        const wsf_core *other = world_core(h->world, n);
        bool mistaken = n == h->mistaken && from->node == h->mistaken_of;
        if (other == NULL || other == core || mistaken)
            continue;
        const wsf_peer *us = wsf_peer_find(other, core->config.node);
        const wsf_peer *peer = wsf_peer_find(core, other->config.node);
        uint64_t loops;
        wsf_peers peers;
        if (us == NULL || !us->linked || peer == NULL)
            continue;
        wsf_interest_find(&other->interest, hash, &loops, &peers);
        unsigned p = wsf_peer_index(other, us);
        if (wsf_peer_live(peer) &&
            /* else the peer publishes nothing more */
            (peer->status.flags & WSF_STATUS_QUIET) == 0 &&
            /* else the peer was down, and a gap follows */
            peer->subscription.serial_skipped == 0 && peer->link.epoch == us->link.in_epoch &&
            !wsf_peers_has(peers, p) && wsf_peers_has(other->complete, p))
            ledger_violation(h->ledger, "node %u does not know of a completed join", n);
    }
}

/* ---------------------------------------------------------------------------------------- lives */

void hosts_start(hosts *h, unsigned node, const char *name, unsigned named, unsigned kind) {
    static const wsf_registry_limits limits = { 10000, 10000, 1000 };
    host *at = &h->hosts[node];
    bool some = h->starts++ % 2 == 0;
    bool history = h->history == HOSTS_HISTORY_ALL || (h->history == HOSTS_HISTORY_SOME && some);
    world_config(h->world)->history_ms = history ? HOSTS_HISTORY_MS : 0;
    world_start_as(h->world, node, name, 0, h->loops, 0);
    world_name(h->world, node, named);
    h->used = node < h->used ? h->used : node + 1;
    *at = (host){ .running = true,
                  .kind = kind,
                  .life = ledger_born(h->ledger, world_node_id(h->world, node), kind) };
    testimony_start(h->testimony, node, at->life, kind);
    annals_start(h->annals, node, at->life);
    returns_start(h->returns, node, at->life);
    custody_start(h->custody, node, at->life);
    for (unsigned i = 0; i < h->loops; i++) {
        loop *new_loop = &at->loops[i];
        wsf_subscriptions_effects effects = {
            .user = new_loop,
            .announce = on_announce,
            .withdraw = on_withdraw,
            .ready = on_ready,
            .joined = on_session_joined,
            .recover = on_recover,
            .present = on_present,
            .absent = on_absent,
        };
        *new_loop = (loop){ .owner = h, .node = node };
        wsf_positions_init(&new_loop->positions,
                           history ? &world_config(h->world)->history_key : NULL, i);
        wsf_subscriptions_init(&new_loop->subscriptions, &limits, i, world_random(h->world, 0),
                               &effects);
        wsf_executor_effects performing = asking_effects(new_loop);
        wsf_executor_init(&new_loop->executor, &new_loop->subscriptions, &h->key,
                          world_node_id(h->world, node), &performing);
    }
}

static wsfan_target chat_target(const uint8_t *chat) {
    return (wsfan_target){ WSFAN_CHAT, { chat, 1 } };
}

/* What the session keeps of a chat that it leaves now; NULL: nothing. */
static keepsake *keepsake_of(hosts *h, unsigned node, const client *who, unsigned chat) {
    const loop *at = &h->hosts[node].loops[who->loop];
    uint8_t name = (uint8_t)chat;
    wsfan_target target = chat_target(&name);
    wsf_position position;
    bool told = at->positions.key != NULL &&
                wsf_positions_tell(&at->positions, wsf_hash_target(&h->key, &target), &position);
    return returns_leave(h->returns, who->number, chat, told ? &position : NULL, who->user);
}

/* The node is there no more, and its clients may come back elsewhere. */
static void keep_positions(hosts *h, unsigned node, const client *who) {
    for (unsigned chat = 0; chat < LEDGER_CHATS_MAX; chat++)
        if ((who->history >> chat & 1) != 0)
            returns_keep(h->returns, keepsake_of(h, node, who, chat));
}

static void drop_inbox(loop *of) {
    while (of->head != NULL) {
        item *first = of->head;
        of->head = first->next;
        if (first->kind == INBOX_MESSAGE)
            wsfan_message_unref(first->message);
        else if (first->kind == INBOX_TICKET)
            wsf_free(first->ticket);
        else if (first->kind == INBOX_CALL)
            wsf_call_unref(wsf_loop_call_end(first->loop_call));
        else if (first->kind == INBOX_RECOVERED)
            wsf_recovery_free(first->recovery);
        else
            wsf_request_free(first->ask);
        free(first);
    }
    of->tail = NULL;
}

void hosts_crash(hosts *h, unsigned node) {
    host *at = &h->hosts[node];
    at->dying = true;
    ledger_died(h->ledger, at->life);
    rollbook_crash(h->rollbook, node);
    testimony_end(h->testimony, node);
    for (uint32_t i = 0; i < at->clients_count; i++)
        keep_positions(h, node, at->clients[i]);
    returns_crash(h->returns, node);
    custody_end(h->custody, node);
    world_crash(h->world, node);
    for (unsigned i = 0; i < h->loops; i++) {
        drop_inbox(&at->loops[i]);
        wsf_positions_destroy(&at->loops[i].positions);
        wsf_reach_unref(atomic_load(&at->loops[i].inbox.reach));
        wsf_executor_close(&at->loops[i].executor);
        wsf_subscriptions_destroy(&at->loops[i].subscriptions);
    }
    for (uint32_t i = 0; i < at->clients_count; i++)
        free(at->clients[i]);
    free(at->clients);
    *at = (host){ .running = false };
}

void hosts_destroy(hosts *h) {
    for (unsigned i = 0; i < h->used; i++)
        if (h->hosts[i].running)
            hosts_crash(h, i);
    claims_destroy(h->claims);
    rollbook_destroy(h->rollbook);
    testimony_destroy(h->testimony);
    annals_destroy(h->annals);
    returns_destroy(h->returns);
    custody_destroy(h->custody);
    free(h->ids);
    free(h);
}

/* ------------------------------------------------------------------------------------- sessions */

/* Such a node takes no session, and no join; later it publishes nothing either. */
static bool drains(const hosts *h, unsigned node) {
    return world_core(h->world, node)->status.drain != WSF_DRAIN_NONE;
}

static bool is_quiet(const hosts *h, unsigned node) {
    return world_core(h->world, node)->status.drain > WSF_DRAIN_SHED;
}

static wsfan_target user_target(const uint8_t *user) {
    return (wsfan_target){ WSFAN_USER, { user, 1 } };
}

client *hosts_any(hosts *h, unsigned node) {
    host *at = &h->hosts[node];
    if (at->clients_count == 0)
        return NULL;
    return at->clients[world_random(h->world, at->clients_count)];
}

static client *open_client(hosts *h, unsigned node, int user) {
    host *at = &h->hosts[node];
    client *new_client = need(calloc(1, sizeof *new_client));
    new_client->user = user;
    uint8_t name = (uint8_t)(user + 1);
    wsfan_target target = user_target(&name);
    new_client->loop = (unsigned)world_random(h->world, h->loops);
    new_client->number = ledger_open(h->ledger, at->life, new_client->loop, user);
    if (wsf_subscriptions_open(&at->loops[new_client->loop].subscriptions, new_client,
                               user >= 0 ? &target : NULL, wsf_hash_target(&h->key, &target),
                               &new_client->handle) != WSFAN_OK)
        abort();
    ledger_set_handle(h->ledger, new_client->number, new_client->handle.id);
    at->clients = need(realloc(at->clients, (at->clients_count + 1) * sizeof(client *)));
    at->clients[at->clients_count++] = new_client;
    return new_client;
}

void hosts_open(hosts *h, unsigned node) {
    if (!drains(h, node))
        open_client(h, node, (int)world_random(h->world, HOSTS_USERS + 1) - 1);
}

void hosts_end_membership(hosts *h, unsigned node, client *who, unsigned chat) {
    if ((who->present >> chat & 1) != 0)
        rollbook_remove(h->rollbook, node, who->loop, chat, (unsigned)who->user);
    if ((who->history >> chat & 1) != 0)
        returns_keep(h->returns, keepsake_of(h, node, who, chat));
    who->present &= ~(1u << chat);
    who->history &= ~(1u << chat);
}

void hosts_close_one(hosts *h, unsigned node, client *old) {
    host *at = &h->hosts[node];
    uint32_t i = 0;
    while (at->clients[i] != old)
        i++;
    ledger_close(h->ledger, old->number);
    for (unsigned chat = 0; chat < LEDGER_CHATS_MAX; chat++)
        hosts_end_membership(h, node, old, chat);
    if (wsf_subscriptions_close(&at->loops[old->loop].subscriptions, old->handle) != WSFAN_OK)
        ledger_violation(h->ledger, "an open session cannot be closed");
    at->clients[i] = at->clients[--at->clients_count];
    free(old);
}

static void close_client(hosts *h, unsigned node, uint32_t i) {
    hosts_close_one(h, node, h->hosts[node].clients[i]);
}

void hosts_close(hosts *h, unsigned node) {
    if (h->hosts[node].clients_count > 0)
        close_client(h, node, (uint32_t)world_random(h->world, h->hosts[node].clients_count));
}

/* Now and then it is somebody who was in the chat before. */
static wsf_recovery *new_recovery(hosts *h, unsigned node, const client *who, wsfan_bytes chat,
                                  uint64_t hash, keepsake *former) {
    uint8_t number = *(const uint8_t *)chat.data;
    if (former == NULL && returns_on(h->returns) && world_random(h->world, 2) == 0)
        former = returns_take(h->returns, number);
    wsf_recovery *recovery = returns_join(h->returns, node, who->loop, who->number, number, chat,
                                          former);
    recovery->hash = hash;
    recovery->loop = (uint8_t)who->loop;
    if (world_core(h->world, node)->config.history_ms == 0)
        recovery->verdict = WSFAN_RECOVERY_OFF;
    return recovery;
}

/* former: who joins, with history; NULL: anybody. */
static void join(hosts *h, unsigned node, client *who, uint8_t chat, bool present, bool history,
                 keepsake *former) {
    wsf_subscriptions *subscriptions = &h->hosts[node].loops[who->loop].subscriptions;
    wsfan_target target = chat_target(&chat);
    uint64_t hash = wsf_hash_target(&h->key, &target);
    ledger_join(h->ledger, who->number, chat);
    if (history)
        ledger_park(h->ledger, who->number, chat);
    uint32_t number = 0;
    who->history |= (uint32_t)history << chat;
    if (present) {
        who->present |= 1u << chat;
        number = rollbook_add(h->rollbook, node, who->loop, chat, (unsigned)who->user);
    }
    wsf_recovery *recovery = history ? new_recovery(h, node, who, target.name, hash, former) : NULL;
    int error = present
                    ? wsf_subscriptions_join_present(subscriptions, who->handle, &target, hash,
                                                     (wsfan_bytes){ &number, sizeof number },
                                                     recovery)
                    : wsf_subscriptions_join(subscriptions, who->handle, &target, hash, recovery);
    if (error != WSFAN_OK)
        ledger_violation(h->ledger, "an open session cannot join");
}

/* Also on nodes without history, in runs where others have it. */
static bool choose_history(hosts *h) {
    return h->history != HOSTS_HISTORY_NONE && world_random(h->world, 4) != 0;
}

void hosts_join(hosts *h, unsigned node, unsigned chats) {
    client *who = hosts_any(h, node);
    uint8_t chat = (uint8_t)world_random(h->world, chats);
    if (who != NULL && !drains(h, node) && (ledger_chats(h->ledger, who->number) >> chat & 1) == 0)
        join(h, node, who, chat,
             h->hosts[node].kind == 0 && who->user >= 0 && world_random(h->world, 3) != 0,
             choose_history(h), NULL);
}

void hosts_move(hosts *h, unsigned node, unsigned to) {
    host *at = &h->hosts[node];
    if (at->clients_count == 0 || !h->hosts[to].running || drains(h, to))
        return;
    uint32_t i = (uint32_t)world_random(h->world, at->clients_count);
    uint32_t present = at->clients[i]->present;
    uint32_t history = at->clients[i]->history;
    int user = at->clients[i]->user;
    keepsake *kept[LEDGER_CHATS_MAX] = { NULL };
    for (unsigned chat = 0; chat < LEDGER_CHATS_MAX; chat++)
        if ((history >> chat & 1) != 0)
            kept[chat] = keepsake_of(h, node, at->clients[i], chat);
    close_client(h, node, i);
    client *moved = open_client(h, to, user);
    for (uint8_t chat = 0; chat < LEDGER_CHATS_MAX; chat++)
        if (((present | history) >> chat & 1) != 0)
            join(h, to, moved, chat, h->hosts[to].kind == 0 && (present >> chat & 1) != 0,
                 (history >> chat & 1) != 0, kept[chat]);
}

void hosts_shed(hosts *h, unsigned node, unsigned to) {
    host *at = &h->hosts[node];
    uint64_t left = 1000 - world_shed_permille(h->world, node);
    if (at->clients_at_drain < at->clients_count)
        at->clients_at_drain = at->clients_count;
    while (at->clients_count * UINT64_C(1000) > at->clients_at_drain * left) {
        uint32_t before = at->clients_count;
        if (to != node && world_random(h->world, 4) != 0)
            hosts_move(h, node, to);
        if (at->clients_count == before)
            hosts_close(h, node);
    }
    world_set_sessions(h->world, node, at->clients_count);
}

void hosts_leave(hosts *h, unsigned node) {
    client *who = hosts_any(h, node);
    uint32_t chats = who != NULL ? ledger_chats(h->ledger, who->number) : 0;
    if (chats == 0)
        return;
    uint8_t chat = (uint8_t)world_random(h->world, LEDGER_CHATS_MAX);
    while ((chats >> chat & 1) == 0)
        chat = (uint8_t)((chat + 1) % LEDGER_CHATS_MAX);
    wsfan_target target = chat_target(&chat);
    ledger_leave(h->ledger, who->number, chat);
    hosts_end_membership(h, node, who, chat);
    if (wsf_subscriptions_leave(&h->hosts[node].loops[who->loop].subscriptions, who->handle,
                                &target, wsf_hash_target(&h->key, &target)) != WSFAN_OK)
        ledger_violation(h->ledger, "a member cannot leave");
}

/* -------------------------------------------------------------------------------------- publish */

/* A payload is the number of the message, then bytes that follow from the number. */
static const uint8_t *rest_of_payload(const hosts *h, uint32_t number) {
    return &h->pattern[number * 31 % PATTERN_PERIOD];
}

static size_t make_payload(hosts *h, uint32_t number, size_t size,
                           uint8_t payload[PAYLOAD_SIZE_MAX]) {
    memcpy(payload, &number, sizeof number);
    memcpy(payload + sizeof number, rest_of_payload(h, number), size - sizeof number);
    return size;
}

/* The node has published `count` messages, numbered from `number` on; their clocks follow one another. */
static void note_ids(hosts *h, unsigned node, uint32_t number, uint32_t count) {
    if (number + count > h->ids_capacity) {
        h->ids_capacity = 2 * (number + count);
        h->ids = need(realloc(h->ids, h->ids_capacity * sizeof *h->ids));
    }
    uint64_t clock = world_core(h->world, node)->clock - (count - 1);
    annals_stamp(h->annals, node, count, clock);
    for (uint32_t i = 0; i < count; i++) {
        h->ids[number + i] = (wsfan_message_id){ clock + i, world_node_id(h->world, node) };
        testimony_stamp(h->testimony, number + i, clock + i);
        returns_stamp(h->returns, number + i, clock + i);
    }
}

static void check_id(const hosts *h, const wsfan_message *message, uint32_t number) {
    wsfan_message_id id = wsfan_message_get_id(message);
    if (id.clock != h->ids[number].clock || id.origin != h->ids[number].origin)
        ledger_violation(h->ledger, "message %u has another id than it was published with", number);
}

static void publish(hosts *h, unsigned node, const choice *c, size_t size_max, bool may_ask) {
    enum { APART_EVERY = 3 }; /* of any size */
    wsf_core *core = world_core(h->world, node);
    size_t size = sizeof(uint32_t) + (size_t)world_random(h->world, size_max);
    bool asked = may_ask && c->ledger.slot == 0 && world_random(h->world, 8) == 0;
    bool fleeting = returns_on(h->returns) && may_ask && world_random(h->world, 8) == 0;
    ledger_targets nowhere =
        ledger_nobody(); /* nobody keeps it; it replaces values that are kept */
    nowhere.slot = c->ledger.slot;
    uint32_t number = ledger_publish(h->ledger, h->hosts[node].life, &c->ledger, size, asked);
    testimony_publish(h->testimony, node, number, &c->ledger);
    annals_publish(h->annals, node, fleeting ? &nowhere : &c->ledger);
    returns_publish(h->returns, node, number, &c->ledger, fleeting);
    uint8_t payload[PAYLOAD_SIZE_MAX];
    wsf_message_parts parts = { .targets = c->targets,
                                .targets_count = (uint32_t)c->count,
                                .payload = { payload, make_payload(h, number, size, payload) },
                                .except = c->except,
                                .slot = c->ledger.slot,
                                .flags = fleeting ? WSFAN_FLEETING : 0,
                                .apart = number % APART_EVERY == 0 };
    wsfan_message *message = need(wsf_message_new(&h->key, &parts));
    if (asked)
        message->receipt = need(wsf_receipt_new(NULL, (void *)(uintptr_t)number));
    wsf_core_publish(core, message, world_now(h->world, node));
    note_ids(h, node, number, 1);
    world_touch(h->world, node);
}

/* As a mesh that finds several messages in its queue: those of one chat or user each, as long as there is room,
 * are one run. */
static unsigned publish_run(hosts *h, unsigned node, unsigned chats, size_t size_max) {
    enum { USUAL = 8, MANY = 64, SIZE_MAX_IN_RUN = 1024 };
    uint64_t wanted = 2 + world_random(h->world, world_random(h->world, 8) == 0 ? MANY : USUAL);
    wsfan_message *run = need(wsf_run_new(NULL, WSF_RUN_BYTES_MAX));
    wsf_run_writer writer;
    wsf_run_begin_writing(&writer, run);
    uint8_t payload[PAYLOAD_SIZE_MAX];
    uint32_t number = 0; /* of the last message */
    if (size_max > SIZE_MAX_IN_RUN)
        size_max = SIZE_MAX_IN_RUN;
    for (uint64_t i = 0; i < wanted; i++) {
        choice c;
        choice_make(h, chats, &c);
        size_t size = sizeof(uint32_t) + (size_t)world_random(h->world, size_max);
        wsf_message_parts parts = { .targets = c.targets,
                                    .targets_count = (uint32_t)c.count,
                                    .payload = { payload, size },
                                    .except = c.except };
        if (!wsf_run_may_have(&parts))
            continue;
        number = ledger_publish(h->ledger, h->hosts[node].life, &c.ledger, size, false);
        testimony_publish(h->testimony, node, number, &c.ledger);
        annals_publish(h->annals, node, &c.ledger);
        returns_publish(h->returns, node, number, &c.ledger, false);
        make_payload(h, number, size, payload);
        if (!wsf_run_write(&writer, &parts))
            ledger_violation(h->ledger, "a run has no room");
    }
    /* By the key of the cluster that is looked at, which a node of another cluster does not have. */
    for (wsf_run_head *head = NULL; (head = wsf_run_next_head(run, head)) != NULL;)
        wsf_message_know(run, &head->target, &h->key);
    unsigned count = run->count;
    if (count == 0) {
        wsfan_message_unref(run);
        return 0;
    }
    wsf_core_publish(world_core(h->world, node), wsf_run_fit(run), world_now(h->world, node));
    note_ids(h, node, number + 1 - count, count);
    world_touch(h->world, node);
    return count;
}

unsigned hosts_publish(hosts *h, unsigned node, unsigned chats, size_t size_max) {
    const wsf_core *core = world_core(h->world, node);
    if (is_quiet(h, node))
        return 0;
    if (wsf_core_congested(core))
        return 0; /* the mesh thread would refuse the message: WSFAN_EAGAIN */
    if (world_random(h->world, 4) == 0)
        return publish_run(h, node, chats, size_max);
    choice chosen;
    choice_make(h, chats, &chosen);
    bool one_chat = chosen.count == 1 && chosen.targets[0].kind == WSFAN_CHAT;
    if (one_chat && world_random(h->world, 3) == 0) /* a latest value, with one of two keys */
        chosen.ledger.slot = chosen.ledger.chats * 2 + (uint32_t)world_random(h->world, 2);
    publish(h, node, &chosen, size_max, true);
    return 1;
}

void hosts_greet(hosts *h, unsigned chat) {
    enum { SIZE_MAX_SMALL = 20 };
    for (unsigned node = 0; node < h->used; node++) {
        choice one;
        if (!h->hosts[node].running || world_frozen(h->world, node) || is_quiet(h, node) ||
            wsf_core_congested(world_core(h->world, node)) || world_random(h->world, 4) != 0)
            continue;
        choice_make_chat(chat, &one);
        publish(h, node, &one, SIZE_MAX_SMALL, false); /* a result may come too late */
    }
}

static unsigned find_node(const hosts *h, uint64_t id) {
    for (unsigned n = 0; n < h->used; n++)
        if (h->hosts[n].running && world_node_id(h->world, n) == id)
            return n;
    return WORLD_NODES_MAX;
}

unsigned hosts_mistake(hosts *h, unsigned node) {
    enum { COUNT = 3, SIZE_MAX_SMALL = 20 };
    wsf_core *core = world_core(h->world, node);
    for (uint8_t chat = 0; chat < LEDGER_CHATS_MAX; chat++) {
        wsfan_target target = chat_target(&chat);
        uint64_t hash = wsf_hash_target(&h->key, &target);
        uint64_t loops;
        wsf_peers peers;
        wsf_interest_find(&core->interest, hash, &loops, &peers);
        peers = wsf_peers_intersection(peers, core->complete);
        unsigned index = wsf_peers_pop(&peers);
        if (index == WSF_PEERS_MAX)
            continue;
        unsigned other = find_node(h, core->peers[index].node);
        if (other >= WORLD_NODES_MAX)
            continue; /* the peer's node has ended */
        h->mistaken = node;
        h->mistaken_of = other;
        wsf_interest_remove_peer(&core->interest, hash, index);
        ledger_away(h->ledger, h->hosts[other].life, core->config.node);
        testimony_mistake(h->testimony, node, other);
        for (unsigned i = 0; i < COUNT; i++) {
            choice one;
            choice_make_chat(chat, &one);
            publish(h, node, &one, SIZE_MAX_SMALL, false);
        }
        return other;
    }
    return WORLD_NODES_MAX;
}

void hosts_fill_inboxes(hosts *h, unsigned node, unsigned one_in) {
    h->hosts[node].full_one_in = one_in;
}

/* ------------------------------------------------------------------------------------- dispatch */

static void check_payload(hosts *h, const wsfan_message *message, uint32_t number) {
    wsfan_bytes payload = wsfan_message_payload(message);
    if (payload.size != ledger_size(h->ledger, number) ||
        memcmp(rest_of_payload(h, number), (const uint8_t *)payload.data + sizeof number,
               payload.size - sizeof number) != 0)
        ledger_violation(h->ledger, "message %u arrived damaged", number);
}

static uint64_t hash_of(const hosts *h, uint8_t chat) {
    wsfan_target target = chat_target(&chat);
    return wsf_hash_target(&h->key, &target);
}

/* A message's chats that the session is in with history, but for those where it has seen the message before, as bits; *sieved: it
 * is for the session for no other reason. */
static uint32_t chats_of(loop *at, const client *who, const wsfan_message *message, bool *sieved) {
    uint32_t chats = 0;
    uint32_t named = 0;
    for (uint32_t i = 0; i < message->targets_count; i++) {
        const wsf_message_target *target = &message->targets[i];
        named += !wsf_kind_is_not((wsfan_target_kind)target->kind);
        for (uint8_t chat = 0; target->kind == WSFAN_CHAT && chat < LEDGER_CHATS_MAX; chat++)
            if ((who->history >> chat & 1) != 0 && hash_of(at->owner, chat) == target->hash)
                chats |= 1u << chat;
    }
    uint32_t seen = 0;
    for (uint8_t chat = 0; chats != 0 && chat < LEDGER_CHATS_MAX; chat++)
        if ((chats >> chat & 1) != 0 && wsf_sieve_stops(&at->subscriptions.sieve, who->handle,
                                                        hash_of(at->owner, chat), message->id))
            seen |= 1u << chat;
    *sieved = seen != 0 && seen == chats && named == 1;
    return chats & ~seen;
}

static void deliver(loop *at, const client *who, const wsfan_message *message, uint32_t number) {
    hosts *h = at->owner;
    bool sieved;
    uint32_t chats = chats_of(at, who, message, &sieved);
    if (sieved)
        return;
    ledger_delivered(h->ledger, who->number, number);
    returns_delivered(h->returns, who->number, chats, number);
}

static void dispatch_message(loop *at, wsfan_message *message) {
    hosts *h = at->owner;
    uint32_t number;
    memcpy(&number, wsfan_message_payload(message).data, sizeof number);
    check_payload(h, message, number);
    check_id(h, message, number);
    const wsfan_recipient *recipients;
    size_t count = wsf_registry_select(&at->subscriptions.registry, message,
                                       world_node_id(h->world, at->node), &recipients);
    if (at->positions.key != NULL)
        wsf_positions_see(&at->positions, &at->subscriptions.registry, message);
    for (size_t i = 0; i < count; i++)
        deliver(at, recipients[i].session_user, message, number);
    if (message->receipt != NULL && wsf_receipt_loop_done(message->receipt, count)) {
        wsf_core_loops_done(core_of(at), message->receipt);
        world_touch(h->world, at->node);
    }
    wsfan_message_unref(message);
}

/* As loop/replay.c, with all in one dispatch. */
static void dispatch_recovered(loop *at, wsf_recovery *recovery) {
    static const wsf_vector nothing = { .rest = 0 };
    hosts *h = at->owner;
    unsigned chat = *(const uint8_t *)recovery->text;
    wsf_positions_cap(&at->positions, recovery);
    if (wsf_subscriptions_recovered(&at->subscriptions, recovery)) {
        const client *who = wsf_registry_pointer(&at->subscriptions.registry, recovery->session);
        for (uint32_t i = 0; i < wsf_recovery_count(recovery); i++) {
            const wsf_kept *kept = &recovery->list->messages[i];
            returns_replayed(h->returns, who->number, chat, kept->id);
            if (kept->parts.slot == 0)
                wsf_vector_raise(&recovery->seen, kept->id.origin, kept->id.clock);
        }
        returns_done(h->returns, who->number, chat, &recovery->seen);
    }
    const wsf_reach *reach = at->positions.reach;
    wsf_subscriptions_done(&at->subscriptions, recovery, reach != NULL ? &reach->whole : &nothing);
}

static void dispatch_item(loop *at, const item *first) {
    switch (first->kind) {
    case INBOX_MESSAGE:
        dispatch_message(at, first->message);
        break;
    case INBOX_TICKET:
        wsf_executor_ticket_back(&at->executor, first->ticket);
        wsf_subscriptions_ticket_back(&at->subscriptions, first->ticket);
        break;
    case INBOX_CALL:
        asking_perform(at, first->loop_call);
        break;
    case INBOX_REPLY:
        asking_reply(at, first->ask);
        break;
    case INBOX_RECOVERED:
        dispatch_recovered(at, first->recovery);
        break;
    }
}

static bool is_known(const loop *at, uint64_t origin) {
    const host *of = &at->owner->hosts[at->node];
    if (origin == world_node_id(at->owner->world, at->node))
        return true;
    uint32_t life = ledger_find(at->owner->ledger, origin);
    return life != UINT32_MAX && of->known[life].from != 0 &&
           of->known[life].from <= at->reach_last && of->known[life].to >= at->reach_last;
}

/* A position that is told now claims nothing that is still to be dispatched. A latest value may have been overtaken. */
static void check_position(loop *at) {
    wsf_position position;
    const item *next = at->head;
    if (at->positions.key == NULL || next == NULL || next->kind != INBOX_MESSAGE ||
        next->message->slot != 0)
        return;
    const wsfan_message *message = next->message;
    for (uint32_t i = 0; i < message->targets_count; i++) {
        const wsf_message_target *target = &message->targets[i];
        if (target->kind == WSFAN_CHAT &&
            wsf_registry_has_history(&at->subscriptions.registry, message, target) &&
            wsf_positions_tell(&at->positions, target->hash, &position) &&
            wsf_vector_covers(&position.seen, message->id) && is_known(at, message->id.origin))
            ledger_violation(at->owner->ledger, "node %u tells positions beyond what is dispatched",
                             at->node);
    }
}

static void dispatch_loop(loop *at) {
    wsf_positions_take(&at->positions, &at->inbox);
    at->reach_taken = at->owner->hosts[at->node].reaches;
    while (at->head != NULL) {
        item *first = at->head;
        at->head = first->next;
        if (at->head == NULL)
            at->tail = NULL;
        dispatch_item(at, first);
        free(first);
        check_position(at);
    }
    wsf_positions_reach(&at->positions);
    at->reach_last = at->reach_taken;
    if (at->positions.reach != NULL)
        wsf_sieve_reach(&at->subscriptions.sieve, &at->positions.reach->whole);
    wsf_subscriptions_tell_ready(&at->subscriptions, UINT32_MAX);
}

void hosts_dispatch(hosts *h) {
    for (unsigned node = 0; node < h->used; node++)
        for (unsigned i = 0; h->hosts[node].running && i < h->loops; i++)
            if (!world_frozen(h->world, node))
                dispatch_loop(&h->hosts[node].loops[i]);
}

static void check_count(hosts *h, unsigned node, const char *what, uint64_t counted,
                        uint64_t seen) {
    if (counted != seen)
        ledger_violation(h->ledger, "node %u counts %llu %s of %llu", node,
                         (unsigned long long)counted, what, (unsigned long long)seen);
}

void hosts_check_counters(hosts *h, unsigned node) {
    const host *at = &h->hosts[node];
    const wsfan_stats *stats = &world_core(h->world, node)->stats;
    check_count(h, node, "publishes", stats->published, ledger_accepted(h->ledger, at->life));
    check_count(h, node, "deliveries", stats->delivered, at->taken);
    check_count(h, node, "full inboxes", stats->dropped[WSFAN_DROP_INBOX], at->refused);
    check_count(h, node, "missing messages", stats->gaps, at->gaps);
}

void hosts_check_presence(hosts *h, unsigned node) {
    if (h->hosts[node].kind == 0)
        rollbook_check(h->rollbook, node);
}

/* Chats that sessions of the node joined with history. */
static uint32_t history_of(const hosts *h, unsigned node) {
    uint32_t chats = 0;
    for (uint32_t i = 0; i < h->hosts[node].clients_count; i++)
        chats |= h->hosts[node].clients[i]->history;
    return chats;
}

custody *hosts_custody(hosts *h) {
    return h->custody;
}

void hosts_check_testimony(hosts *h, unsigned node) {
    testimony_check(h->testimony, node);
    returns_check(h->returns, node);
    if (!world_frozen(h->world, node))
        annals_check(h->annals, node, history_of(h, node));
}

void hosts_backfill(hosts *h, unsigned node, unsigned chats) {
    if (h->history == HOSTS_HISTORY_NONE)
        return;
    bool all = world_random(h->world, 4) == 0;
    annals_ask(h->annals, node, (unsigned)world_random(h->world, chats),
               all ? 0 : (uint32_t)world_random(h->world, HOSTS_HISTORY_MS));
}

void hosts_check_returns(hosts *h) {
    returns_check_rest(h->returns);
}

uint64_t hosts_recovered(const hosts *h, uint64_t *refused) {
    *refused = returns_not(h->returns);
    return returns_whole(h->returns);
}

void hosts_check_history_at_rest(hosts *h, unsigned node) {
    annals_check_rest(h->annals, node, history_of(h, node));
}

void hosts_check_expired(hosts *h, unsigned node) {
    annals_check_expired(h->annals, node);
}

void hosts_check_gone(hosts *h, unsigned node) {
    annals_check_gone(h->annals, node);
}

void hosts_close_all(hosts *h, unsigned node) {
    while (h->hosts[node].clients_count > 0)
        close_client(h, node, 0);
}

void hosts_check_testimony_at_rest(hosts *h, unsigned node, unsigned other) {
    testimony_check_rest(h->testimony, node, other);
}

void hosts_check_interest(hosts *h, unsigned node) {
    uint64_t loops;
    wsf_peers peers;
    const wsf_interest *interest = &world_core(h->world, node)->interest;
    uint32_t count = 0;
    for (unsigned kind = WSFAN_CHAT; kind <= WSFAN_USER; kind++)
        for (uint8_t name = 0; name < LEDGER_CHATS_MAX; name++) {
            wsfan_target target = { (wsfan_target_kind)kind, { &name, 1 } };
            uint64_t hash = wsf_hash_target(&h->key, &target);
            uint64_t held = 0;
            for (unsigned i = 0; i < h->loops; i++) {
                const wsf_registry *registry = &h->hosts[node].loops[i].subscriptions.registry;
                uint32_t cursor = 0;
                if (wsf_table_next(&registry->audiences.index, hash, &cursor) != WSF_TABLE_NONE)
                    held |= UINT64_C(1) << i;
            }
            wsf_interest_find(interest, hash, &loops, &peers);
            bool kept = loops >> WSF_LOOP_ARCHIVE != 0; /* the annals look at that */
            loops &= ~(UINT64_C(1) << WSF_LOOP_ARCHIVE);
            if (loops != held)
                ledger_violation(h->ledger, "node %u announces what its sessions are not in", node);
            count += held != 0 || kept;
        }
    if (count != interest->local_count)
        ledger_violation(h->ledger, "node %u announces %u audiences and has %u", node,
                         interest->local_count, count);
}
