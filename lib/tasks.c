/* Answers for handing requests to the loops that they are for, and what came of them to whoever asked;
 * and that those which a node is at are bounded, however many loops stall. */
#include "tasks.h"

#include "asks.h"
#include "memory.h"
#include "route.h"
#include "sender.h"

/* Whoever asked, and what; a peer's or our own. */
typedef struct {
    uint64_t asker;
    uint64_t id;
    uint32_t kind;
    uint32_t number;
    uint32_t ms_max;
    wsfan_message *message;
    uint64_t loops;
} request;

/* ------------------------------------------------------------------------------------ answering */

static void send_answer(wsf_core *core, wsf_peer *peer, uint64_t id, const wsf_answer *answer) {
    wsf_buffer *entry = wsf_buffer_new((uint32_t)wsf_reply_bound(answer));
    if (entry == NULL)
        return; /* silence it is */
    wsf_writer writer = { entry->data, entry->capacity, 0 };
    wsf_write_reply(&writer, id, answer);
    entry->size = (uint32_t)writer.size;
    int error = wsf_sender_talk(peer, entry);
    wsf_buffer_unref(entry);
    if (error == WSFAN_ETOOBIG && answer->status != WSFAN_ETOOBIG) {
        wsf_answer refusal;
        wsf_answer_init(&refusal, 0);
        refusal.status = WSFAN_ETOOBIG;
        send_answer(core, peer, id, &refusal);
    } else if (error != WSFAN_OK) {
        core->stats.requests_refused++;
    }
}

/* Takes the answer over. */
static void give_answer(wsf_core *core, uint64_t asker, uint64_t id, wsf_answer *answer) {
    if (asker == core->config.node) {
        wsf_asks_answer(core, WSF_ASK_OWN, asker, id, answer);
        return;
    }
    wsf_peer *peer = wsf_peer_find(core, asker);
    if (peer != NULL && peer->linked)
        send_answer(core, peer, id, answer);
    wsf_answer_destroy(answer);
}

static void give_status(wsf_core *core, uint64_t asker, uint64_t id, int status) {
    wsf_answer answer;
    wsf_answer_init(&answer, 0);
    answer.status = status;
    give_answer(core, asker, id, &answer);
}

/* -------------------------------------------------------------------------------------- tasks */

/* It counts until nobody waits for it and no loop has it. */
static void settle(wsf_core *core, const wsf_task *task) {
    if (task->waiting || !task->done)
        return;
    core->tasks_count--;
    wsf_peer *peer = wsf_peer_find(core, task->asker);
    uint64_t bytes = wsf_message_size(task->message);
    if (peer == NULL || peer->tasks_count == 0 || peer->tasks_bytes < bytes)
        return; /* it was forgotten meanwhile, and begins anew */
    peer->tasks_count--;
    peer->tasks_bytes -= bytes;
}

static void stop_waiting(wsf_core *core, wsf_task *task) {
    wsf_task **link = &core->tasks;
    while (*link != task)
        link = &(*link)->next;
    *link = task->next;
    task->waiting = false;
    settle(core, task);
    wsf_task_unref(task);
}

static void through(wsf_core *core, wsf_task *task) {
    task->done = true;
    if (!task->waiting) {
        settle(core, task);
        return;
    }
    if (task->kind == WSFAN_REQUEST_SEND && task->answer.status == WSFAN_OK)
        return; /* the host answers */
    wsf_answer answer = task->answer;
    wsf_answer_init(&task->answer, 0);
    uint64_t asker = task->asker;
    uint64_t id = task->id;
    stop_waiting(core, task);
    give_answer(core, asker, id, &answer);
}

void wsf_tasks_through(wsf_core *core, wsf_task *task) {
    through(core, task);
    wsf_task_unref(task);
}

/* Which loops have a share in it. */
static uint64_t loops_for(const wsf_core *core, const request *r) {
    if (r->kind == WSFAN_REQUEST_SEND)
        return core->loops & (~core->loops + 1); /* the lowest */
    return r->kind == WSFAN_REQUEST_NODES ? core->loops : r->loops;
}

static void hand_out(wsf_core *core, wsf_task *task, uint64_t loops) {
    enum { LOOPS_MAX = 64 };
    wsf_errand *errands[LOOPS_MAX] = { NULL };
    for (unsigned loop = 0; loop < LOOPS_MAX; loop++)
        if ((loops >> loop & 1) != 0 && (errands[loop] = wsf_errand_new(task)) == NULL)
            task->answer.status = WSFAN_ENOMEM;
    for (unsigned loop = 0; loop < LOOPS_MAX; loop++)
        if (errands[loop] != NULL) /* from now on the answer is the loops' */
            core->effects.errand(core->effects.user, loop, errands[loop]);
    if (wsf_task_loop_through(task))
        through(core, task);
}

/* A node without loops is one too. */
static void note_node(const wsf_core *core, wsf_task *task) {
    static const wsfan_bytes none = { NULL, 0 };
    uint8_t bytes[8];
    wsfan_bytes key = { bytes, sizeof bytes };
    wsf_put_u64(bytes, core->config.node);
    if (wsf_key_compare(key, none, wsfan_message_payload(task->message)) > 0)
        wsf_rows_add(&task->answer.rows, key, none, wsfan_string(core->name), 0);
    if (task->answer.rows.failed)
        task->answer.status = WSFAN_ENOMEM;
}

/* What one peer has here is at most four times what is left, so that nobody takes all the room; and not
 * more in bytes than may wait for it. peer NULL: we ask ourselves. */
static bool has_room(const wsf_core *core, const wsf_peer *peer, const wsfan_message *message) {
    uint64_t left = core->config.requests_count_max - core->tasks_count;
    if (left == 0 || peer == NULL)
        return left > 0;
    return peer->tasks_count <= 4 * left &&
           (peer->tasks_count == 0 ||
            peer->tasks_bytes + wsf_message_size(message) <= core->config.link.queue_bytes_max);
}

static void begin(wsf_core *core, const request *r, wsf_now now) {
    wsf_peer *peer = wsf_peer_find(core, r->asker);
    wsf_task *task = NULL;
    int status = WSFAN_ENOMEM;
    if (r->kind < WSFAN_REQUEST_JOIN || r->kind > WSFAN_REQUEST_SEND)
        status = WSFAN_ENOTSUP;
    else if (!has_room(core, peer, r->message))
        status = WSFAN_ELIMIT;
    else
        task = wsf_task_new((wsfan_request_kind)r->kind, r->message, r->number);
    if (task == NULL) {
        core->stats.requests_refused++;
        give_status(core, r->asker, r->id, status);
        return;
    }
    core->stats.requests_taken++;
    core->tasks_count++;
    if (peer != NULL) {
        peer->tasks_count++;
        peer->tasks_bytes += wsf_message_size(r->message);
    }
    task->token = ++core->tokens;
    task->asker = r->asker;
    task->id = r->id;
    task->deadline_ms = now.ms + r->ms_max;
    task->waiting = true;
    task->next = core->tasks;
    core->tasks = task;
    uint64_t loops = loops_for(core, r);
    if (task->kind == WSFAN_REQUEST_SEND && loops == 0)
        task->answer.status = WSFAN_ENOTSUP;
    if (task->kind == WSFAN_REQUEST_NODES)
        note_node(core, task);
    hand_out(core, task, loops);
}

/* -------------------------------------------------------------------------------------- asking */

static wsf_buffer *write_request(const wsf_ask *ask) {
    wsf_buffer *entry = wsf_buffer_new((uint32_t)wsf_message_bound(ask->message));
    if (entry == NULL)
        return NULL;
    wsf_writer writer = { entry->data, entry->capacity, 0 };
    wsf_write_request(&writer, ask);
    entry->size = (uint32_t)writer.size;
    return entry;
}

static void note_asked(wsf_ask *ask, uint32_t place, uint64_t node, int status) {
    wsf_asked_node *asked = &ask->nodes[place];
    asked->node = node;
    wsf_answer_init(&asked->answer, 0);
    asked->answer.status = status;
    asked->open = status == WSFAN_OK;
    ask->open_count += asked->open;
}

/* Sessions and nodes that are named and that we know nothing of. */
static void note_strangers(const wsf_core *core, wsf_ask *ask) {
    uint32_t place = WSF_ASK_OWN + 1;
    for (uint32_t i = 0; i < ask->message->targets_count; i++) {
        const wsf_message_target *target = &ask->message->targets[i];
        bool known = target->hash == core->config.node;
        if (target->kind != WSFAN_SESSION && target->kind != WSFAN_NODE)
            continue;
        for (uint32_t p = 0; p < place && !known; p++)
            known = ask->nodes[p].node == target->hash;
        if (!known)
            note_asked(ask, place++, target->hash, WSFAN_ESILENT);
    }
}

void wsf_tasks_ask(wsf_core *core, wsf_ask *ask, wsf_now now) {
    uint64_t loops;
    uint64_t peers;
    wsf_buffer *entry = NULL;
    ask->id = ++core->ask_ids;
    wsf_route_find_known(core, ask->message, &loops, &peers);
    for (unsigned i = 0; peers != 0; i++, peers >>= 1) {
        wsf_peer *peer = &core->peers[i];
        if ((peers & 1) == 0)
            continue;
        int status = WSFAN_ESILENT;
        if (wsf_peer_live(peer)) {
            if (entry == NULL)
                entry = write_request(ask);
            status = entry != NULL ? wsf_sender_talk(peer, entry) : WSFAN_ENOMEM;
        }
        note_asked(ask, i, peer->node, status);
    }
    wsf_buffer_unref(entry);
    bool every_node = ask->kind == WSFAN_REQUEST_NODES || ask->kind == WSFAN_REQUEST_SEND;
    const wsf_message_target *first = &ask->message->targets[0];
    bool own = every_node ? first->kind == WSFAN_ALL || first->hash == core->config.node
                          : loops != 0;
    if (own)
        note_asked(ask, WSF_ASK_OWN, core->config.node, WSFAN_OK);
    note_strangers(core, ask);
    request r = { core->config.node, ask->id,      ask->kind, ask->number,
                  ask->ms_max,       ask->message, loops };
    wsfan_message_ref(ask->message);
    wsf_asks_add(core, ask, now);
    if (own)
        begin(core, &r, now);
    wsfan_message_unref(r.message);
}

/* What the loops take for granted. */
static bool acceptable(const wsf_core *core, const wsf_entry *entry) {
    size_t size = entry->request.payload.size;
    uint32_t number = entry->request.number;
    switch (entry->request.kind) {
    case WSFAN_REQUEST_JOIN:
    case WSFAN_REQUEST_LEAVE:
        return size >= 1 && size <= core->config.name_bytes_max;
    case WSFAN_REQUEST_CLOSE:
        return wsf_close_valid(number, entry->request.payload);
    case WSFAN_REQUEST_SESSIONS:
    case WSFAN_REQUEST_CHATS:
    case WSFAN_REQUEST_NODES:
        return number >= 1 && number <= WSF_ROWS_COUNT_MAX;
    default:
        return true;
    }
}

void wsf_tasks_take(wsf_core *core, const wsf_peer *peer, const wsf_entry *entry, wsf_now now) {
    request r = { .asker = peer->node,
                  .id = entry->request.id,
                  .kind = entry->request.kind,
                  .number = entry->request.number,
                  .ms_max = entry->request.ms_max };
    if (!acceptable(core, entry) ||
        !wsf_route_acceptable(core, entry->request.targets, entry->request.targets_count,
                              entry->request.payload.size)) {
        core->stats.requests_refused++;
        give_status(core, r.asker, r.id, WSFAN_ETOOBIG);
        return;
    }
    if (r.ms_max > core->config.request_ms_max)
        r.ms_max = core->config.request_ms_max;
    r.message = wsf_message_new(&core->key,
                                &(wsf_message_parts){ .targets = entry->request.targets,
                                                      .targets_count = entry->request.targets_count,
                                                      .payload = entry->request.payload });
    if (r.message == NULL) {
        core->stats.requests_refused++;
        give_status(core, r.asker, r.id, WSFAN_ENOMEM);
        return;
    }
    uint64_t peers;
    wsf_route_find_known(core, r.message, &r.loops, &peers);
    begin(core, &r, now);
    wsfan_message_unref(r.message);
}

void wsf_tasks_reply(wsf_core *core, uint64_t token, void *payload, size_t size) {
    for (wsf_task *task = core->tasks; task != NULL; task = task->next) {
        if (task->token != token || task->kind != WSFAN_REQUEST_SEND)
            continue;
        wsf_answer answer;
        wsf_answer_init(&answer, 0);
        answer.payload = payload;
        answer.payload_size = size;
        uint64_t asker = task->asker;
        uint64_t id = task->id;
        stop_waiting(core, task);
        give_answer(core, asker, id, &answer);
        return;
    }
    wsf_free(payload); /* too late */
}

/* ---------------------------------------------------------------------------------------- time */

void wsf_tasks_tick(wsf_core *core, wsf_now now) {
    for (wsf_task *task = core->tasks, *next; task != NULL; task = next) {
        next = task->next;
        if (now.ms < task->deadline_ms)
            continue;
        atomic_store(&task->expired, true);
        stop_waiting(core, task);
    }
}

uint64_t wsf_tasks_deadline(const wsf_core *core) {
    uint64_t at = UINT64_MAX;
    for (const wsf_task *task = core->tasks; task != NULL; task = task->next)
        at = task->deadline_ms < at ? task->deadline_ms : at;
    return at;
}

void wsf_tasks_end(wsf_core *core) {
    while (core->tasks != NULL)
        stop_waiting(core, core->tasks);
}
