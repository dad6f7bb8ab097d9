/* Answers for the queues of what peers are owed: a member is in a peer's queue once, however often it
 * changes, and its state at its turn is told. */
#include "core/presence/owed.h"

void wsf_presence_owe_peer(wsf_presence *p, uint32_t i, unsigned peer) {
    wsf_presence_member *m = &p->members[i];
    wsf_peers_add(&p->peers_stirred, peer);
    if (!wsf_peers_has(m->peers_owed, peer) && !wsf_peers_has(p->peers_wait, peer) &&
        wsf_presence_store_enqueue(p, &p->peer_queues[peer], i))
        wsf_peers_add(&m->peers_owed, peer);
}

static void owe_own_rows(wsf_presence *p, uint32_t c, unsigned peer) {
    for (uint32_t i = p->chats[c].members; i != WSF_TABLE_NONE; i = p->members[i].next)
        if (p->members[i].own_sessions > 0)
            wsf_presence_owe_peer(p, i, peer);
}

void wsf_presence_want(wsf_presence *p, unsigned peer, uint64_t chat_hash) {
    uint32_t c = wsf_presence_store_find_chat(p, chat_hash);
    if (c == WSF_TABLE_NONE)
        return;
    if (!wsf_peers_has(p->chats[c].wanted, peer))
        p->told_digests[peer] += p->chats[c].own_digest;
    wsf_peers_add(&p->chats[c].wanted, peer);
    owe_own_rows(p, c, peer);
}

static void unwant(wsf_presence *p, unsigned peer, uint32_t c) {
    if (wsf_peers_has(p->chats[c].wanted, peer))
        p->told_digests[peer] -= p->chats[c].own_digest;
    wsf_peers_remove(&p->chats[c].wanted, peer);
}

void wsf_presence_unwant(wsf_presence *p, unsigned peer, uint64_t chat_hash) {
    uint32_t c = wsf_presence_store_find_chat(p, chat_hash);
    if (c != WSF_TABLE_NONE)
        unwant(p, peer, c);
}

static void clear_queue(wsf_presence *p, unsigned peer) {
    wsf_presence_sent(p, peer, p->peer_queues[peer].count);
    wsf_deque_destroy(&p->peer_queues[peer]);
}

void wsf_presence_unwant_all(wsf_presence *p, unsigned peer) {
    for (uint32_t c = 0; c < p->chat_slots.used; c++)
        if (p->chats[c].used)
            unwant(p, peer, c);
    clear_queue(p, peer);
    wsf_peers_remove(&p->peers_anew, peer);
    wsf_peers_remove(&p->peers_wait, peer);
}

void wsf_presence_tell_anew(wsf_presence *p, unsigned peer) {
    clear_queue(p, peer);
    wsf_peers_add(&p->peers_stirred, peer);
    wsf_peers_add(&p->peers_anew, peer);
    wsf_peers_add(&p->peers_wait, peer);
}

uint32_t wsf_presence_owed(wsf_presence *p, unsigned peer) {
    if (wsf_peers_has(p->peers_wait, peer)) { /* the frame that is planned has room */
        wsf_peers_remove(&p->peers_wait, peer);
        for (uint32_t c = 0; c < p->chat_slots.used; c++)
            if (p->chats[c].used && wsf_peers_has(p->chats[c].wanted, peer))
                owe_own_rows(p, c, peer);
    }
    wsf_presence_row row;
    while (p->peer_queues[peer].count > 0 && !wsf_presence_owed_row(p, peer, 0, &row))
        wsf_presence_sent(p, peer, 1); /* skip a void row */
    return p->peer_queues[peer].count;
}

bool wsf_presence_owed_row(const wsf_presence *p, unsigned peer, uint32_t i,
                           wsf_presence_row *row) {
    const wsf_presence_member *m = &p->members[*(uint32_t *)wsf_deque_at(&p->peer_queues[peer], i)];
    if (!wsf_peers_has(m->peers_owed, peer) || !wsf_peers_has(p->chats[m->chat].wanted, peer))
        return false;
    *row = (wsf_presence_row){ .chat_hash = p->chats[m->chat].hash,
                               .sessions = m->own_sessions,
                               .user = { m->name, m->name_size } };
    if (m->own != NULL)
        row->metadata = (wsfan_bytes){ m->own->bytes + m->own->chat_size + m->own->user_size,
                                       m->own->metadata_size };
    return true;
}

void wsf_presence_sent(wsf_presence *p, unsigned peer, uint32_t count) {
    for (; count > 0; count--) {
        uint32_t i = *(uint32_t *)wsf_deque_at(&p->peer_queues[peer], 0);
        wsf_deque_pop_front(&p->peer_queues[peer]);
        if (!wsf_peers_has(p->members[i].peers_owed, peer))
            continue;
        wsf_peers_remove(&p->members[i].peers_owed, peer);
        wsf_presence_store_settle(p, i);
    }
}
