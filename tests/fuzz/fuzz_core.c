/* A node's core under any sequence of operations: peers that say anything, right or wrong, and a
 * host that joins, leaves, publishes, is present, asks, answers and drains. What must hold: nothing
 * is handed to a loop that is not open, no queue, count or table exceeds its limit, presence adds up,
 * and every ticket, receipt and request comes back exactly once. */
#include "base/memory.h"
#include "base/text.h"
#include "core/origin.h"
#include "core_world.h"
#include "loop/event.h"

enum {
    WINDOW = 64 * 1024,
    CONTROL = 128 * 1024, /* beyond the window, for what is no message: see part.h */
    QUEUE_COUNT = 32,
    QUEUE_BYTES = 8192,
    REMOTE_CHATS = 16,
    REMOTE_ROWS = 8,
    REQUESTS = 4,
    PAYLOAD_MAX = 2048,
    ASKS = 8,      /* that the host has under way */
    EVENTS_OUT = 4 /* see sync.c */
};

/* ------------------------------------------------------------------------------------- effects */

static void on_connect(void *user, uint32_t connection, const char *endpoint, uint32_t identity) {
    (void)identity;
    state *s = user;
    CHECK(connection < 256 && !s->connected[connection] && endpoint[0] != '\0');
    s->connected[connection] = true;
}

static void on_seek(void *user, uint32_t connection, uint32_t identity) {
    state *s = user;
    (void)identity;
    CHECK(connection < 256 && s->connected[connection]);
}

static void on_disconnect(void *user, uint32_t connection) {
    state *s = user;
    CHECK(connection < 256 && s->connected[connection]);
    s->connected[connection] = false;
}

static void on_send(void *user, wsf_buffer *frame) {
    state *s = user;
    wsf_frame_head head;
    wsf_entry entry;
    CHECK(frame->size >= WSF_TOPIC_SIZE && frame->size <= frame->capacity);
    uint64_t receiver = wsf_get_u64(frame->data + WSF_TOPIC_SIZE - 8);
    CHECK(wsf_reader_open(s->reader, frame, receiver, &head) == WSFAN_OK);
    int more;
    speaker heard = { .serial = 0 };
    while ((more = wsf_reader_next(s->reader, &entry)) != 0) {
        CHECK(more == 1); /* what we write can be read */
        if (entry.type == WSF_INTEREST && entry.interest.has_serial)
            heard.serial = entry.interest.serial;
        else if (entry.type == WSF_REQUEST)
            heard.asked = entry.request.id;
    }
    for (unsigned i = 0; i < SPEAKERS; i++) {
        if (id_of(i) != receiver || head.epoch == 0)
            continue;
        if (heard.serial != 0)
            s->speakers[i].serial = heard.serial;
        if (heard.asked != 0)
            s->speakers[i].asked = heard.asked;
        if (head.epoch != s->speakers[i].core_epoch)
            s->speakers[i].core_number = 0;
        s->speakers[i].core_epoch = head.epoch;
        if (head.number > s->speakers[i].core_number)
            s->speakers[i].core_number = head.number;
    }
}

/* As a loop makes its messages. */
static void check_run(unsigned loop, const wsfan_message *run) {
    static wsf_message_pool pool;
    uint64_t bytes = 0;
    CHECK(run->count > 0 && run->count <= WSF_RUN_COUNT_MAX);
    for (uint32_t i = 0; i < run->count; i++) {
        const wsf_run_head *head = wsf_run_head_of(run, i);
        CHECK(head->target.kind <= WSFAN_USER && head->target.hash != 0);
        CHECK((head->loops >> loop & 1) != 0);
        wsfan_message *message = wsf_run_open(&pool, run, i, 0);
        CHECK(message != NULL && wsfan_message_payload(message).size <= PAYLOAD_MAX);
        CHECK(message->id.clock >= run->id.clock || run->id.clock > UINT64_MAX - UINT16_MAX);
        bytes += wsfan_message_payload(message).size;
        wsfan_message_unref(message);
    }
    CHECK(bytes == run->payload_size);
}

static uint32_t on_deliver(void *user, unsigned loop, wsfan_message *message) {
    CHECK((((state *)user)->loops >> loop & 1) != 0);
    if (wsf_message_is_run(message)) {
        check_run(loop, message);
        uint32_t room = message->payload_size % (message->count + 1); /* for the first ones */
        wsfan_message_unref(message);
        return room;
    }
    CHECK(wsfan_message_targets_count(message) >= 1);
    bool taken = wsfan_message_payload(message).size % 3 != 0; /* some find no room */
    if (taken && message->receipt != NULL)
        (void)wsf_receipt_loop_done(message->receipt, 1);
    wsfan_message_unref(message);
    return taken;
}

static void on_joined(void *user, wsf_ticket *ticket) {
    ((state *)user)->tickets_back++;
    wsf_free(ticket->missing);
    wsf_free(ticket);
}

static void on_peer(void *user, uint64_t loops, const wsfan_peer *peer) {
    CHECK((loops & ~(uint64_t)((state *)user)->loops) == 0);
    CHECK(peer->event >= WSFAN_PEER_UP && peer->event <= WSFAN_PEER_REFUSED);
    CHECK(strlen(peer->name) <= WSF_NAME_SIZE_MAX);
}

/* Hosts write the words of an event to logs as they are. */
static void on_event(void *user, uint64_t loops, const wsfan_event *event) {
    char code[WSF_EVENT_CODE_SIZE];
    char text[WSF_EVENT_TEXT_SIZE];
    wsfan_event shown = *event;
    CHECK((loops & ~(uint64_t)((state *)user)->loops) == 0);
    wsf_event_describe(&shown, code, text);
    CHECK(code[0] != '\0' && text[0] != '\0' && strstr(code, ".unknown") == NULL);
    CHECK(wsf_text_is_printable(text, strlen(text)));
    CHECK(wsf_text_is_printable(event->name, strlen(event->name)));
    CHECK(wsf_text_is_printable(event->endpoint, strlen(event->endpoint)));
    CHECK(event->kind >= WSFAN_EVENT_NODE && event->kind <= WSFAN_EVENT_CALLER);
    CHECK(strlen(event->address) < WSFAN_CALLER_ADDRESS_SIZE);
}

static void on_gap(void *user, const wsfan_gap *gap) {
    (void)user;
    CHECK(gap->reason >= WSFAN_GAP_PEER_QUEUE && gap->reason <= WSFAN_GAP_AWAY);
}

static void on_result(void *user, wsf_receipt *receipt) {
    ((state *)user)->receipts_back++;
    CHECK(receipt->result.status == WSFAN_OK || receipt->result.missing_count > 0 ||
          receipt->result.loops_behind + receipt->result.loops_lost > 0);
    wsf_receipt_unref(receipt);
}

static void on_presence(void *user, wsf_presence_events *events) {
    state *s = user;
    CHECK(events->loop < LOOPS && (s->loops >> events->loop & 1) != 0);
    CHECK(++s->events_out[events->loop] <= EVENTS_OUT);
    for (size_t i = 0; i < events->presence.members_count; i++) {
        const wsfan_member *member = &events->presence.members[i];
        CHECK(member->event >= WSFAN_MEMBER_JOIN && member->event <= WSFAN_MEMBER_LEAVE);
        CHECK(member->user.size >= 1 && member->places_count <= 1 + SPEAKERS);
        CHECK(member->event != WSFAN_MEMBER_LEAVE || member->sessions == 0);
    }
    wsf_free(events);
}

/* A loop has it for a while. */
static void on_call(void *user, unsigned loop, wsf_loop_call *loop_call) {
    state *s = user;
    CHECK((s->loops >> loop & 1) != 0);
    for (unsigned i = 0; i < LOOP_CALLS; i++) {
        if (s->loop_calls[i] != NULL)
            continue;
        s->loop_calls[i] = loop_call;
        s->loop_calls_loop[i] = loop;
        return;
    }
    wsf_call_unref(wsf_loop_call_end(loop_call)); /* or is gone; then the core is never behind */
}

static void check_reply(void *user, const wsfan_reply *reply) {
    (void)user;
    CHECK(reply->status == WSFAN_OK || reply->status == WSFAN_EPARTIAL);
    CHECK(reply->status == WSFAN_EPARTIAL || reply->missing_count == 0);
    CHECK(reply->answers_count <= 1 + SPEAKERS + TARGETS);
    CHECK(reply->rows_count <= WSF_ROWS_COUNT_MAX);
}

static void on_reply(void *user, wsf_request *ask) {
    ((state *)user)->asks_back++;
    CHECK(ask->open_count == 0);
    wsf_request_tell(ask, check_reply, NULL);
    wsf_request_free(ask);
}

static void on_view(void *user, wsf_view *view) {
    (void)user;
    CHECK(view->count <= 1 + SPEAKERS);
    for (uint32_t i = 1; i < view->count; i++)
        CHECK(view->places[i - 1].node < view->places[i].node);
}

static void on_reach(void *user, wsf_reach *reach) {
    const state *s = user;
    CHECK(s->core->reach.newest == NULL || s->core->reach.newest->whole.rest <= reach->whole.rest);
    CHECK(reach->whole.rest <= s->core->clock && !wsf_vector_is_ragged(&reach->whole));
}

static void on_shed(void *user, uint32_t permille) {
    CHECK(!((state *)user)->quiet && permille <= 1000);
}

static uint64_t on_sessions(void *user) {
    const state *s = user;
    uint64_t count = 0;
    for (unsigned i = 0; i < SESSIONS; i++)
        count += s->sessions[i] != NULL;
    return count;
}

static void on_quiet(void *user) {
    CHECK(!((state *)user)->quiet_asked);
    ((state *)user)->quiet_asked = true;
}

static void on_drained(void *user, int status) {
    CHECK(status == WSFAN_OK || status == WSFAN_EPARTIAL);
    CHECK(++((state *)user)->drained == 1);
}

/* ---------------------------------------------------------------------------------- operations */

static void join(state *s, unsigned loop, unsigned chat) {
    wsf_ticket *ticket = wsf_alloc_zero(1, sizeof *ticket);
    CHECK(ticket != NULL);
    ticket->hash = hash_of(s, WSFAN_CHAT, chat);
    ticket->loop = (uint8_t)loop;
    s->joined[loop][chat] = true;
    ticket->history = s->tickets_out++ % 2 == 0;
    wsf_core_join(s->core, ticket, s->now);
}

static unsigned count_present(const state *s, unsigned loop, uint64_t chat_hash) {
    unsigned count = 0;
    for (unsigned i = 0; i < SESSIONS; i++)
        count += s->sessions[i] != NULL && s->sessions[i]->loop == loop &&
                 s->sessions[i]->chat_hash == chat_hash;
    return count;
}

static void be_absent(state *s, unsigned i) {
    wsf_presence_session *presence_session = s->sessions[i];
    s->sessions[i] = NULL;
    presence_session->closes = count_present(s, presence_session->loop,
                                             presence_session->chat_hash) == 0;
    wsf_core_absent(s->core, presence_session, s->now);
}

static void host(state *s, input *in) {
    unsigned loop = take(in) % LOOPS;
    unsigned chat = take(in) % CHATS;
    uint64_t hash = hash_of(s, WSFAN_CHAT, chat);
    if ((s->loops >> loop & 1) == 0)
        return;
    if (!s->joined[loop][chat]) {
        join(s, loop, chat);
        return;
    }
    for (unsigned i = 0; i < SESSIONS; i++)
        if (s->sessions[i] != NULL && s->sessions[i]->loop == loop &&
            s->sessions[i]->chat_hash == hash)
            be_absent(s, i);
    s->joined[loop][chat] = false;
    wsf_core_leave(s->core, hash, loop, s->now);
}

static wsf_presence_session *new_presence_session(state *s, input *in, unsigned loop,
                                                  unsigned chat) {
    unsigned user = take(in) % USERS;
    wsfan_bytes metadata = take_bytes(in, take(in) % 16);
    wsf_presence_session *presence_session = wsf_alloc_zero(1, sizeof *presence_session + 2 +
                                                                   metadata.size);
    CHECK(presence_session != NULL);
    presence_session->chat_hash = hash_of(s, WSFAN_CHAT, chat);
    presence_session->user_hash = hash_of(s, WSFAN_USER, user);
    presence_session->chat_size = presence_session->user_size = 1;
    presence_session->metadata_size = (uint16_t)metadata.size;
    presence_session->loop = (uint8_t)loop;
    presence_session->bytes[0] = (uint8_t)('a' + chat);
    presence_session->bytes[1] = (uint8_t)('a' + user);
    if (metadata.size > 0)
        memcpy(presence_session->bytes + 2, metadata.data, metadata.size);
    return presence_session;
}

/* One session more that is present, one fewer, or one with other metadata. */
static void attend(state *s, input *in) {
    unsigned i = take(in) % SESSIONS;
    unsigned how = take(in);
    unsigned loop = how % LOOPS;
    unsigned chat = how / LOOPS % CHATS;
    wsf_presence_session *old = s->sessions[i];
    if (old != NULL && how >= 128) {
        be_absent(s, i);
    } else if (old != NULL) {
        unsigned same = old->bytes[0] - (unsigned)'a';
        s->sessions[i] = new_presence_session(s, in, old->loop, same);
        wsf_core_present(s->core, s->sessions[i], s->now);
        wsf_core_absent(s->core, old, s->now);
    } else if ((s->loops >> loop & 1) != 0) {
        s->sessions[i] = new_presence_session(s, in, loop, chat);
        wsf_core_present(s->core, s->sessions[i], s->now);
        if (!s->joined[loop][chat])
            join(s, loop, chat);
    }
}

static void dispatch_presence(state *s, input *in) {
    unsigned loop = take(in) % LOOPS;
    if (s->events_out[loop] == 0)
        return;
    s->events_out[loop]--;
    wsf_core_events_done(s->core, loop);
}

static void publish(state *s, input *in) {
    static const char zeros[4096];
    uint8_t units = take(in);
    if (units >= 240) {
        wsfan_message *run = take_run(s, in);
        if (s->quiet)
            wsfan_message_unref(run);
        else
            wsf_core_publish(s->core, wsf_run_fit(run), s->now);
        return;
    }
    wsfan_bytes payload = { zeros, units * 16u };
    wsfan_message *message = take_message(s, in, payload);
    if (message->slot == 0 && (take(in) & 1) != 0) {
        message->receipt = wsf_receipt_new(NULL, NULL);
        CHECK(message->receipt != NULL);
        s->receipts_out++;
    }
    if (s->quiet) /* nobody is let */
        s->receipts_out -= message->receipt != NULL;
    if (s->quiet)
        wsfan_message_unref(message);
    else
        wsf_core_publish(s->core, message, s->now);
}

static void ask(state *s, input *in) {
    wsfan_request_kind kind = (wsfan_request_kind)(WSFAN_REQUEST_JOIN + take(in) % 8);
    bool list = kind == WSFAN_REQUEST_SESSIONS || kind == WSFAN_REQUEST_CHATS ||
                kind == WSFAN_REQUEST_NODES || kind == WSFAN_REQUEST_STATS;
    uint32_t number = list ? 1 + take(in) % 8u : kind == WSFAN_REQUEST_CLOSE ? 1000 : 0;
    bool names = kind == WSFAN_REQUEST_JOIN || kind == WSFAN_REQUEST_LEAVE;
    wsfan_bytes payload = names ? wsfan_string("b") : take_bytes(in, take(in) % 24);
    if (s->asks_out - s->asks_back >= ASKS)
        return;
    wsf_request *ask = wsf_request_new(kind, take_message(s, in, payload), number,
                                       1 + take(in) * 4u);
    CHECK(ask != NULL);
    s->asks_out++;
    wsf_core_request(s->core, ask, s->now);
}

/* A loop is through with its share of a request. */
static void end_loop_call(state *s, unsigned i, uint64_t sessions) {
    wsf_loop_call *loop_call = s->loop_calls[i];
    s->loop_calls[i] = NULL;
    loop_call->answer.sessions = sessions;
    wsf_answer_name_peer(&loop_call->answer, sessions);
    if (loop_call->call->kind == WSFAN_REQUEST_SEND)
        s->tokens[s->tokens_next++ % LOOP_CALLS] = loop_call->call->token;
    wsf_call *call = wsf_loop_call_end(loop_call);
    if (call != NULL)
        wsf_core_call_through(s->core, call);
}

static void work_off(state *s, input *in) {
    unsigned i = take(in) % LOOP_CALLS;
    if (s->loop_calls[i] != NULL)
        end_loop_call(s, i, take(in));
}

static void answer(state *s, input *in) {
    uint8_t how = take(in);
    wsfan_bytes payload = take_bytes(in, take(in) % 24);
    void *copy = payload.size > 0 ? wsf_alloc(payload.size) : NULL;
    if (copy != NULL)
        memcpy(copy, payload.data, payload.size);
    wsf_core_reply(s->core, s->tokens[how % LOOP_CALLS], copy, payload.size);
}

static void change_loop(state *s, input *in) {
    unsigned loop = take(in) % LOOPS;
    if ((s->loops >> loop & 1) == 0) {
        s->loops |= 1u << loop;
        wsf_core_add_loop(s->core, loop);
        return;
    }
    for (unsigned i = 0; i < LOOP_CALLS; i++)
        if (s->loop_calls[i] != NULL && s->loop_calls_loop[i] == loop)
            end_loop_call(s, i, 0);
    for (unsigned i = 0; i < SESSIONS; i++)
        if (s->sessions[i] != NULL && s->sessions[i]->loop == loop)
            s->sessions[i] = NULL; /* the core's */
    wsf_core_remove_loop(s->core, loop, s->now);
    s->loops &= ~(1u << loop);
    s->events_out[loop] = 0;
    memset(s->joined[loop], 0, sizeof s->joined[loop]);
}

/* ------------------------------------------------------------------------------------- bounds */

static void check_member(const wsf_presence *p, uint32_t i, uint64_t *rows) {
    const wsf_presence_member *m = &p->members[i];
    uint64_t sessions = m->own_sessions;
    for (uint32_t r = m->rows; r != WSF_TABLE_NONE; r = p->rows[r].next) {
        CHECK(p->rows[r].used && p->rows[r].member == i && p->rows[r].sessions > 0);
        if (!wsf_peers_has(p->peers_away, p->rows[r].peer))
            sessions += p->rows[r].sessions;
        ++*rows;
    }
    CHECK(m->sessions == (uint32_t)sessions);
    CHECK(m->own != NULL || m->own_sessions == 0);
    CHECK(m->sessions == 0 || m->leave_ms == 0);
    CHECK(!wsf_presence_store_gone(m) || !wsf_peers_is_empty(m->peers_owed) || m->loops_owed != 0);
}

/* What a peer says carries nothing away. */
static void check_witness(const wsf_core *core) {
    for (unsigned i = 0; core->witness.origins != NULL && i < WSF_ORIGINS_MAX; i++) {
        const wsf_origin *origin = &core->witness.origins[i];
        CHECK(origin->clock <= core->clock && origin->whole <= core->clock);
        CHECK(!origin->frozen || origin->frozen_clock <= origin->clock);
    }
    for (unsigned i = 0; i < 3; i++)
        CHECK(core->peers[i].node == 0 || core->peers[i].witness.origin == NULL ||
              core->peers[i].witness.origin->node == core->peers[i].node);
}

/* What peers ask to hold, and are asked, is what is summed up. */
static void check_holds(const wsf_core *core) {
    uint64_t held[SPEAKERS] = { 0 };
    uint64_t asked[SPEAKERS] = { 0 };
    uint32_t held_count[SPEAKERS] = { 0 };
    uint32_t with_askers = 0;
    uint32_t unheld = 0;
    uint32_t chats = 0;
    for (uint32_t c = 0; c < core->keeping.capacity; c++) {
        const wsf_keeping_chat *chat = &core->keeping.chats[c];
        chats += chat->hash != 0;
        with_askers += !wsf_peers_is_empty(chat->askers);
        unheld += chat->unheld;
        CHECK(wsf_peers_is_empty(wsf_peers_difference(chat->answered, chat->askers)));
        CHECK(wsf_peers_is_empty(wsf_peers_difference(chat->held, chat->asked)));
        for (unsigned i = 0; i < SPEAKERS; i++) {
            held[i] += wsf_peers_has(chat->askers, i) ? chat->hash : 0;
            held_count[i] += wsf_peers_has(chat->askers, i);
            asked[i] += wsf_peers_has(chat->asked, i) ? chat->hash : 0;
        }
    }
    CHECK(chats == core->keeping.archive.slots.count);
    CHECK(with_askers == core->keeping.asked && unheld == core->holders.unheld);
    for (unsigned i = 0; i < core->config.peers_count_max; i++)
        CHECK(core->peers[i].node == 0 || (core->peers[i].holding.held_digest == held[i] &&
                                           core->peers[i].holding.held_count == held_count[i] &&
                                           core->peers[i].holding.asked_digest == asked[i]));
}

/* What is summed up is what is there. */
static void check_presence(const wsf_presence *p) {
    uint64_t rows = 0;
    uint32_t gone = 0;
    uint32_t chats = 0;
    for (uint32_t c = 0; c < p->chat_slots.used; c++) {
        const wsf_presence_chat *chat = &p->chats[c];
        uint64_t sessions = 0;
        uint32_t users = 0;
        uint32_t members = 0;
        if (!chat->used)
            continue;
        chats++;
        for (uint32_t i = chat->members; i != WSF_TABLE_NONE; i = p->members[i].next) {
            CHECK(p->members[i].used && p->members[i].chat == c);
            check_member(p, i, &rows);
            sessions += p->members[i].sessions;
            users += p->members[i].sessions > 0 || p->members[i].leave_ms != 0;
            gone += wsf_presence_store_gone(&p->members[i]);
            members++;
        }
        CHECK(chat->sessions == sessions && chat->users == users);
        CHECK(chat->members_count == members && (members > 0 || chat->loops != 0 || chat->paced));
    }
    CHECK(p->row_slots.count == rows && rows <= REMOTE_ROWS);
    CHECK(p->gone_count == gone && p->chat_slots.count == chats && chats <= CHATS);
}

static void check_link(const wsf_link *link) {
    uint64_t bytes = 0;
    uint32_t messages = 0;
    CHECK(link->talk_bytes <= QUEUE_BYTES);
    for (uint32_t i = 0; i < link->queue.count; i++) {
        const wsf_span *span = wsf_deque_at(&link->queue, i);
        CHECK(span->from < span->to && span->to <= span->message->count);
        bytes += wsf_span_bytes(*span);
        messages += wsf_span_count(*span);
    }
    CHECK(bytes == link->queue_bytes && messages == link->queue_count);
    CHECK(bytes <= QUEUE_BYTES || messages <= 1);
}

static void check_bounds(const state *s) {
    static wsfan_peer_stats peers[WSF_KNOWN_MAX];
    wsfan_stats stats;
    size_t count = wsf_core_peers(s->core, peers, WSF_KNOWN_MAX);
    CHECK(count <= WSF_KNOWN_MAX);
    for (size_t i = 0; i < count; i++) {
        CHECK(peers[i].window_bytes <= WINDOW + CONTROL && peers[i].held_bytes <= WINDOW);
        CHECK(peers[i].queue_count <= QUEUE_COUNT);
    }
    for (unsigned i = 0; i < 3; i++)
        check_link(&s->core->peers[i].link);
    wsf_core_stats(s->core, &stats);
    CHECK(stats.chats <= CHATS && stats.peers == count && stats.chats_remote <= REMOTE_CHATS);
    CHECK(stats.joins_pending == s->tickets_out - s->tickets_back);
    CHECK(stats.requests_pending == s->asks_out - s->asks_back);
    CHECK(s->core->rpc.calls_count <= REQUESTS);
    check_presence(&s->core->presence);
    check_witness(s->core);
    check_holds(s->core);
    wsfan_count counted = { .struct_size = sizeof counted };
    wsf_core_count(s->core, hash_of(s, WSFAN_CHAT, 0), &counted);
    CHECK(counted.missing_count <= 1 + SPEAKERS &&
          counted.complete == (counted.missing_count == 0));
}

/* ---------------------------------------------------------------------------------------- steps */

static void pass_time(state *s, uint64_t ms, uint64_t wall_ms) {
    s->now.ms += ms;
    s->now.wall_ms += wall_ms;
    if (s->quiet_asked && !s->quiet) {
        s->quiet = true;
        wsf_core_quiet(s->core);
    }
    wsf_core_flush(s->core, s->now);
    CHECK(wsf_core_deadline(s->core) > 0);
}

static void name_endpoints(state *s, input *in) {
    static const char *const endpoints[] = { "tcp://10.0.0.1:7000", "tcp://10.0.0.2:7000",
                                             "tcp://10.0.0.3:7000", "tcp://10.0.0.4:7000" };
    wsf_core_name_endpoints(s->core, take(in) % 3, endpoints, take(in) % 5, s->now);
}

/* What the carrier of the frames finds, and what the host asks then. */
static void diagnose(state *s, input *in) {
    wsfan_endpoint endpoints[4];
    wsfan_caller callers[WSFAN_CALLERS_MAX];
    wsfan_node_state node;
    uint8_t found = take(in);
    char address[] = { 'a', (char)('a' + found % 16), '\0' };
    wsf_core_carrier(s->core, take(in), (wsfan_endpoint_state)(found % (WSFAN_ENDPOINT_LOST + 1)),
                     1);
    wsf_core_caller(s->core, address, WSFAN_ENDPOINT_FOREIGN, s->now);
    wsf_core_endpoints(s->core, endpoints, 4, s->now);
    CHECK(wsf_core_callers(s->core, callers, WSFAN_CALLERS_MAX, s->now) <= WSFAN_CALLERS_MAX);
    wsf_core_state(s->core, &node, s->now);
    CHECK(node.peers <= 3);
}

static void on_probe(void *user, uint64_t node, const char *endpoint) {
    state *s = user;
    CHECK(wsf_endpoint_to_tell(endpoint, strlen(endpoint)));
    s->probed = node;
}

static void step_host(state *s, input *in, unsigned operation) {
    switch (operation) {
    case 0:
    case 1:
        host(s, in);
        break;
    case 2:
        publish(s, in);
        break;
    case 3:
        change_loop(s, in);
        break;
    case 4:
        name_endpoints(s, in);
        break;
    case 5:
    case 6:
    case 7:
        attend(s, in);
        break;
    case 8:
        dispatch_presence(s, in);
        break;
    case 9:
    case 10:
        ask(s, in);
        break;
    case 11:
        work_off(s, in);
        break;
    case 12:
        answer(s, in);
        break;
    default: {
        uint8_t what = take(in);
        if (what == 0)
            wsf_core_drain(s->core, take(in) * 8u, s->now);
        else if (what % 8 == 4)
            diagnose(s, in);
        else
            wsf_core_probed(s->core, s->probed, what % 4 > 0, s->now);
    }
    }
}

static void step(state *s, input *in) {
    enum { FIRST_OF_HOST = 11, OPERATIONS = 25 };
    uint8_t operation = take(in);
    unsigned i = operation / OPERATIONS % SPEAKERS;
    switch (operation % OPERATIONS) {
    case 0:
    case 1: {
        uint8_t ms = take(in);
        pass_time(s, ms, take(in));
        break;
    }
    case 2:
        pass_time(s, 100u * take(in), 0);
        break;
    case 3:
        subscribe(s, in, i);
        break;
    case 4:
        introduce(s, in, i);
        break;
    case 5:
    case 6:
    case 7:
    case 8:
        say_entry(s, in, i);
        break;
    case 9:
    case 10:
        say_raw_entries(s, in, i, operation % OPERATIONS == 10);
        break;
    default:
        step_host(s, in, operation % OPERATIONS - FIRST_OF_HOST);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    state s = { .now = { 1000, UINT64_C(1700000000000) } };
    input in = { data, size };
    wsf_hash_key_init(&s.key, "c");
    wsf_core_config config = { .node = 1,
                               .incarnation = 5,
                               .seed = 6,
                               .cluster = "c",
                               .name = "n1",
                               .endpoint = "tcp://10.0.0.1:7000",
                               .payload_bytes_max = PAYLOAD_MAX,
                               .name_bytes_max = 16,
                               .targets_count_max = 4,
                               .peers_count_max = 3,
                               .remote_chats_count_max = REMOTE_CHATS,
                               .interest_log_count_max = 64,
                               .link = { .window_bytes = WINDOW,
                                         .queue_bytes_max = QUEUE_BYTES,
                                         .queue_count_max = QUEUE_COUNT },
                               .presence = { .grace_ms = size % 4 < 2 ? 200 : 0,
                                             .members_count_max = 3,
                                             .remote_count_max = REMOTE_ROWS },
                               .heartbeat_ms = 100,
                               .silent_ms = 300,
                               .down_ms = 1000,
                               .forget_ms = 5000,
                               .join_ms_max = 500,
                               .result_ms_max = 500,
                               .requests_count_max = REQUESTS,
                               .request_ms_max = 500,
                               .ready_ms_max = 2000,
                               .weight = 100,
                               .history_ms = size % 8 < 4 ? 2000 : 0,
                               .history_count_max = 8,
                               .history_chat_bytes_max = 2048,
                               .history_bytes_max = 8192,
                               .history_copies = (uint32_t)(size % 3),
                               .protocol_min = WSF_PROTOCOL_MIN,
                               .protocol_max = WSF_PROTOCOL_MAX,
                               .slow_peer = size % 2 == 0 ? WSFAN_SLOW_DROP : WSFAN_SLOW_CUT };
    wsf_effects effects = {
        .user = &s,
        .connect = on_connect,
        .disconnect = on_disconnect,
        .seek = on_seek,
        .send = on_send,
        .deliver = on_deliver,
        .joined = on_joined,
        .peer = on_peer,
        .event = on_event,
        .gap = on_gap,
        .result = on_result,
        .presence = on_presence,
        .loop_call = on_call,
        .reply = on_reply,
        .view = on_view,
        .reach = on_reach,
        .shed = on_shed,
        .sessions = on_sessions,
        .quiet = on_quiet,
        .drained = on_drained,
        .probe = on_probe,
    };
    for (unsigned i = 0; i < SPEAKERS; i++)
        s.speakers[i].epoch = 100 * (i + 1);
    static wsf_reader *reader;
    if (reader == NULL)
        reader = wsf_reader_new();
    CHECK(reader != NULL);
    s.reader = reader;
    CHECK(wsf_core_new(&s.core, &config, &effects, s.now) == WSFAN_OK);
    static const char *const endpoints[] = { "tcp://10.0.0.2:7000", "tcp://10.0.0.3:7000",
                                             "tcp://10.0.0.4:7000", "tcp://10.0.0.5:7000" };
    wsf_core_name_endpoints(s.core, WSF_SOURCE_OPTIONS, endpoints, SPEAKERS, s.now);
    s.loops = 1;
    wsf_core_add_loop(s.core, 0);
    while (in.size > 0) {
        step(&s, &in);
        check_bounds(&s);
    }
    wsf_core_flush(s.core, s.now);
    wsf_core_say_bye(s.core, s.now);
    wsf_core_destroy(s.core);
    for (unsigned i = 0; i < LOOP_CALLS; i++)
        if (s.loop_calls[i] != NULL)
            wsf_call_unref(wsf_loop_call_end(s.loop_calls[i]));
    CHECK(s.tickets_back == s.tickets_out && s.receipts_back == s.receipts_out);
    CHECK(s.asks_back == s.asks_out);
    return 0;
}
