/* Answers for what the host's loop thread does: its registry, telling the mesh about audiences that
 * begin and end, and running callbacks. Touches no lock but the mailboxes'.
 *
 * An audience has one ticket. It travels to the mesh when the audience begins (JOIN), comes back
 * when the peers know, and goes for good when the audience has ended (LEAVE). While it is away an
 * audience without members stays, so that nothing here can come out of order or lack memory. */
#include "loop.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "deque.h"

typedef struct {
    wsfan_session session;
    uint32_t audience;
} ready_join;

struct wsfan_loop {
    wsf_loop_node node;
    wsf_inbox *inbox;
    wsf_registry registry;
    wsfan_callbacks callbacks;
    void *user;
    unsigned index;
    uint32_t name_bytes_max;
    bool dispatching;
    wsf_mesh_command *goodbye; /* made at the start, so that closing needs no memory */
    wsf_item *todo;            /* taken from the inbox and not handled */
    wsf_deque ready;           /* ready_join: joins of audiences that the peers know already */
    atomic_uint_fast64_t sessions;
    uint64_t released_count; /* of the inbox's bounds, not yet given back */
    uint64_t released_bytes;
    uint64_t messages;
    uint64_t recipients;
    uint64_t gap;
};

/* -------------------------------------------------------------------------------- open and close */

static wsf_mesh_command *new_command(wsf_mesh_kind kind, unsigned loop) {
    wsf_mesh_command *command = calloc(1, sizeof *command);
    if (command != NULL) {
        command->item.kind = kind;
        command->loop = loop;
    }
    return command;
}

int wsf_loop_new(wsfan_loop **out, const wsf_loop_config *config, const wsf_loop_node *node,
                 unsigned index, uint64_t seed, const wsfan_callbacks *callbacks, void *loop_user) {
    int error = WSFAN_ENOMEM;
    wsf_mesh_command *hello = new_command(WSF_MESH_ADD_LOOP, index);
    wsf_mesh_command *goodbye = new_command(WSF_MESH_REMOVE_LOOP, index);
    wsfan_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL || hello == NULL || goodbye == NULL)
        goto fail;
    loop->inbox = wsf_inbox_new(config->inbox_count_max, config->inbox_bytes_max, &error);
    if (loop->inbox == NULL)
        goto fail;
    loop->node = *node;
    loop->callbacks = *callbacks;
    loop->user = loop_user;
    loop->index = index;
    loop->name_bytes_max = config->name_bytes_max;
    loop->goodbye = goodbye;
    wsf_deque_init(&loop->ready, sizeof(ready_join));
    wsf_registry_init(&loop->registry, &config->registry, (uint8_t)index, seed);
    hello->inbox = wsf_inbox_ref(loop->inbox);
    wsf_mesh_post(node->mesh, &hello->item);
    *out = loop;
    return WSFAN_OK;

fail:
    free(loop);
    free(goodbye);
    free(hello);
    return error;
}

void wsf_loop_destroy(wsfan_loop *loop) {
    wsf_queue_close(&loop->inbox->mailbox.queue);
    wsf_mesh_post(loop->node.mesh, &loop->goodbye->item);
    while (loop->todo != NULL) {
        wsf_item *item = loop->todo;
        loop->todo = item->next;
        wsf_inbox_free_item(item);
    }
    wsf_registry_destroy(&loop->registry);
    wsf_deque_destroy(&loop->ready);
    wsf_inbox_unref(loop->inbox);
    free(loop);
}

wsfan_node *wsf_loop_owner(const wsfan_loop *loop) {
    return loop->node.owner;
}

bool wsf_loop_dispatching(const wsfan_loop *loop) {
    return loop->dispatching;
}

unsigned wsf_loop_index(const wsfan_loop *loop) {
    return loop->index;
}

uint64_t wsf_loop_sessions(const wsfan_loop *loop) {
    return atomic_load(&loop->sessions);
}

/* ------------------------------------------------------------------------------------ audiences */

static wsf_audience *audience_at(const wsfan_loop *loop, uint32_t i) {
    return wsf_registry_audience(&loop->registry, i);
}

static void announce(wsfan_loop *loop, wsf_audience *audience) {
    audience->ticket->kind = WSF_MESH_JOIN;
    audience->ticket_away = true;
    wsf_mesh_post(loop->node.mesh, audience->ticket);
}

static int make_ticket(wsfan_loop *loop, uint32_t i) {
    wsf_audience *audience = audience_at(loop, i);
    wsf_ticket *ticket = calloc(1, sizeof *ticket);
    if (ticket == NULL)
        return WSFAN_ENOMEM;
    ticket->hash = audience->hash;
    ticket->audience = i;
    ticket->loop = (uint8_t)loop->index;
    audience->ticket = &ticket->item;
    return WSFAN_OK;
}

/* An audience that has lost its last member. */
static void retire(wsfan_loop *loop, uint32_t i) {
    wsf_audience *audience = audience_at(loop, i);
    if (audience->members_count > 0 || audience->ticket_away)
        return;
    /* Peers know hashes: while another name with the same one is wanted, they keep it. */
    if (audience->ticket != NULL && audience->announced &&
        !wsf_registry_has_twin(&loop->registry, i)) {
        audience->ticket->kind = WSF_MESH_LEAVE;
        wsf_mesh_post(loop->node.mesh, audience->ticket);
        audience->ticket = NULL;
    }
    wsf_registry_drop_audience(&loop->registry, i);
}

static int join(wsfan_loop *loop, wsfan_session session, const wsfan_target *target) {
    uint32_t i;
    uint64_t hash = wsf_hash_target(loop->node.key, target);
    int error = wsf_registry_join(&loop->registry, session, target, hash, &i);
    if (error != WSFAN_OK)
        return error;

    wsf_audience *audience = audience_at(loop, i);
    ready_join *ready = NULL;
    if (audience->ticket == NULL)
        error = make_ticket(loop, i);
    else if (audience->settled && target->kind == WSFAN_CHAT)
        error = (ready = wsf_deque_push(&loop->ready)) != NULL ? WSFAN_OK : WSFAN_ENOMEM;
    if (error != WSFAN_OK) {
        wsf_registry_leave(&loop->registry, session, target, hash, &i);
        retire(loop, i);
        return error;
    }
    if (target->kind == WSFAN_CHAT)
        wsf_registry_expect(&loop->registry, session, i);
    if (ready != NULL) {
        *ready = (ready_join){ session, i };
        if (loop->ready.count == 1) /* with more, the descriptor is readable, or dispatch runs */
            wsf_mailbox_wake(&loop->inbox->mailbox);
    }
    if (!audience->settled && !audience->ticket_away)
        announce(loop, audience);
    return WSFAN_OK;
}

/* Joins whose session has left since stay in `ready` until they are due; they may not pile up. */
static void purge_ready(wsfan_loop *loop) {
    enum { SLACK = 1024 };
    if (loop->ready.count <= loop->registry.memberships_count + SLACK)
        return;
    for (uint32_t n = loop->ready.count; n > 0 && loop->ready.count > 1; n--) {
        ready_join join = *(ready_join *)wsf_deque_at(&loop->ready, 0);
        wsf_deque_pop_front(&loop->ready);
        if (wsf_registry_expected(&loop->registry, join.session, join.audience))
            *(ready_join *)wsf_deque_push(&loop->ready) = join; /* there is room: we just popped */
    }
}

/* ------------------------------------------------------------------------------------- sessions */

/* What every call on a loop checks first. */
static int check(const wsfan_loop *loop) {
    if (loop == NULL)
        return WSFAN_EINVAL;
    return wsf_guard_forked(loop->node.guard) ? WSFAN_EFORK : WSFAN_OK;
}

static int check_name(const wsfan_loop *loop, wsfan_bytes name) {
    if (name.data == NULL && name.size > 0)
        return WSFAN_EINVAL;
    return name.size > loop->name_bytes_max ? WSFAN_ETOOBIG : WSFAN_OK;
}

int wsfan_session_open(wsfan_session *session, wsfan_loop *loop, wsfan_bytes user,
                       void *session_user) {
    int error = check(loop);
    if (error != WSFAN_OK)
        return error;
    if (session == NULL)
        return WSFAN_EINVAL;
    if ((error = check_name(loop, user)) != WSFAN_OK)
        return error;

    wsfan_session opened;
    error = wsf_registry_open(&loop->registry, session_user, &opened);
    if (error != WSFAN_OK)
        return error;
    if (user.size > 0) {
        error = join(loop, opened, &(wsfan_target){ WSFAN_USER, user });
        if (error != WSFAN_OK) {
            wsf_registry_close(&loop->registry, opened);
            return error;
        }
    }
    atomic_store(&loop->sessions, loop->registry.sessions_count);
    *session = opened;
    return WSFAN_OK;
}

int wsfan_session_close(wsfan_loop *loop, wsfan_session session) {
    int error = check(loop);
    if (error == WSFAN_OK)
        error = wsf_registry_check(&loop->registry, session);
    if (error != WSFAN_OK)
        return error;
    uint32_t left;
    while (wsf_registry_leave_any(&loop->registry, session, &left))
        retire(loop, left);
    wsf_registry_close(&loop->registry, session);
    atomic_store(&loop->sessions, loop->registry.sessions_count);
    return WSFAN_OK;
}

int wsfan_session_join(wsfan_loop *loop, wsfan_session session, wsfan_bytes chat) {
    int error = check(loop);
    if (error != WSFAN_OK)
        return error;
    if (chat.size == 0)
        return WSFAN_EINVAL;
    if ((error = check_name(loop, chat)) != WSFAN_OK)
        return error;
    purge_ready(loop);
    return join(loop, session, &(wsfan_target){ WSFAN_CHAT, chat });
}

int wsfan_session_leave(wsfan_loop *loop, wsfan_session session, wsfan_bytes chat) {
    int error = check(loop);
    if (error != WSFAN_OK)
        return error;
    if (chat.size == 0 || chat.data == NULL)
        return WSFAN_EINVAL;
    wsfan_target target = { WSFAN_CHAT, chat };
    uint32_t left;
    error = wsf_registry_leave(&loop->registry, session, &target,
                               wsf_hash_target(loop->node.key, &target), &left);
    if (error == WSFAN_OK)
        retire(loop, left);
    return error;
}

wsfan_address wsfan_session_address(const wsfan_loop *loop, wsfan_session session) {
    return (wsfan_address){ loop->node.node, session.id };
}

/* ------------------------------------------------------------------------------------- dispatch */

static void dispatch_message(wsfan_loop *loop, wsf_item *item) {
    wsfan_message *message = wsf_inbox_message(item);
    uint64_t except = message->except.node == loop->node.node ? message->except.session : 0;
    const wsfan_recipient *recipients;
    size_t count = wsf_registry_collect(&loop->registry, message, except, &recipients);
    loop->released_count++;
    loop->released_bytes += item->bytes;
    loop->messages++;
    loop->recipients += count;
    if (count > 0 && loop->callbacks.on_message != NULL)
        loop->callbacks.on_message(loop->user, message, recipients, count);
    wsf_inbox_free_item(item);
}

static void tell_joined(wsfan_loop *loop, wsfan_recipient recipient, uint32_t i,
                        const wsf_ticket *ticket) {
    if (!wsf_registry_told(&loop->registry, recipient.session, i) ||
        loop->callbacks.on_joined == NULL)
        return;
    const wsf_audience *audience = audience_at(loop, i);
    wsfan_joined joined = {
        .session = recipient.session,
        .session_user = recipient.session_user,
        .chat = wsf_audience_name(audience),
        .status = ticket != NULL ? ticket->status : WSFAN_OK,
        .missing = ticket != NULL ? ticket->missing : NULL,
        .missing_count = ticket != NULL ? ticket->missing_count : 0,
    };
    loop->callbacks.on_joined(loop->user, &joined);
}

/* The peers have been told of an audience, or that took too long. */
static void dispatch_ticket(wsfan_loop *loop, wsf_ticket *ticket) {
    uint32_t i = ticket->audience;
    wsf_audience *audience = audience_at(loop, i);
    assert(audience->ticket == &ticket->item && audience->ticket_away);
    /* It stays away while callbacks run, which keeps the audience. */
    audience->announced = ticket->status == WSFAN_OK || ticket->status == WSFAN_EPARTIAL;
    audience->settled = ticket->status == WSFAN_OK;
    const wsfan_recipient *recipients;
    size_t count = wsf_registry_collect_audience(&loop->registry, i, &recipients);
    for (size_t r = 0; r < count; r++)
        tell_joined(loop, recipients[r], i, ticket);

    free(ticket->missing);
    ticket->missing = NULL;
    audience = audience_at(loop, i); /* callbacks may have moved the array */
    audience->ticket_away = false;
    /* Who joined meanwhile, when not every peer knows, starts another round. */
    bool again = false;
    for (uint32_t m = 0; m < audience->members_count && !audience->settled && !again; m++)
        again = wsf_registry_expected(&loop->registry, audience->members[m].session, i);
    if (again)
        announce(loop, audience);
    retire(loop, i);
}

static void dispatch_notice(wsfan_loop *loop, wsf_inbox_notice *notice) {
    atomic_fetch_sub(&loop->inbox->notices, 1);
    if (notice->item.kind == WSF_INBOX_PEER) {
        if (loop->callbacks.on_peer != NULL)
            loop->callbacks.on_peer(loop->user, &notice->peer);
    } else if (loop->callbacks.on_gap != NULL) {
        loop->callbacks.on_gap(loop->user, &notice->gap);
    }
    wsf_inbox_free_item(&notice->item);
}

static void dispatch_item(wsfan_loop *loop, wsf_item *item) {
    switch ((wsf_inbox_kind)item->kind) {
    case WSF_INBOX_MESSAGE:
    case WSF_INBOX_SHARED:
        dispatch_message(loop, item);
        break;
    case WSF_INBOX_JOINED:
        dispatch_ticket(loop, (wsf_ticket *)item);
        break;
    case WSF_INBOX_PEER:
    case WSF_INBOX_GAP:
        dispatch_notice(loop, (wsf_inbox_notice *)item);
        break;
    }
}

static uint32_t dispatch_own_gap(wsfan_loop *loop) {
    uint64_t count = atomic_exchange(&loop->inbox->gap, 0);
    if (count == 0)
        return 0;
    loop->gap += count;
    wsfan_gap gap = { loop->node.node, loop->node.name, count, WSFAN_GAP_INBOX };
    if (loop->callbacks.on_gap != NULL)
        loop->callbacks.on_gap(loop->user, &gap);
    return 1;
}

static uint32_t dispatch_ready(wsfan_loop *loop, uint32_t max) {
    uint32_t handled = 0;
    /* Not those that callbacks add: a callback that joins again and again must not keep us here. */
    for (uint32_t n = loop->ready.count; n > 0 && handled < max && loop->ready.count > 0; n--) {
        ready_join join = *(ready_join *)wsf_deque_at(&loop->ready, 0);
        wsf_deque_pop_front(&loop->ready);
        wsfan_recipient recipient;
        if (!wsf_registry_settled(&loop->registry, join.session, join.audience, &recipient))
            continue;
        tell_joined(loop, recipient, join.audience, NULL);
        handled++;
    }
    return handled;
}

static void release_inbox(wsfan_loop *loop) {
    wsf_queue_release(&loop->inbox->mailbox.queue, loop->released_count, loop->released_bytes);
    loop->released_count = loop->released_bytes = 0;
}

int wsfan_loop_dispatch(wsfan_loop *loop, uint32_t max) {
    enum { HANDLED_MAX = 1 << 30, RELEASE_COUNT = 64 };
    int error = check(loop);
    if (error != WSFAN_OK)
        return error;
    if (loop->dispatching)
        return WSFAN_EINVAL;
    if (max == 0 || max > HANDLED_MAX)
        max = HANDLED_MAX;
    loop->dispatching = true;
    if (loop->todo == NULL)
        loop->todo = wsf_mailbox_take(&loop->inbox->mailbox);
    uint32_t handled = dispatch_own_gap(loop);
    while (loop->todo != NULL && handled < max) {
        wsf_item *item = loop->todo;
        loop->todo = item->next;
        dispatch_item(loop, item);
        handled++;
        if (loop->released_count == RELEASE_COUNT)
            release_inbox(loop);
    }
    if (handled < max)
        handled += dispatch_ready(loop, max - handled);
    release_inbox(loop);
    if (loop->todo != NULL || loop->ready.count > 0)
        wsf_mailbox_wake(&loop->inbox->mailbox);
    loop->dispatching = false;
    return (int)handled;
}

int wsfan_loop_fd(const wsfan_loop *loop) {
    return loop->inbox->mailbox.fd;
}

int wsfan_loop_get_stats(wsfan_loop *loop, wsfan_loop_stats *stats) {
    int error = check(loop);
    if (error != WSFAN_OK)
        return error;
    if (stats == NULL || stats->struct_size == 0 || stats->struct_size > sizeof *stats)
        return WSFAN_EINVAL;
    wsfan_loop_stats all = {
        .struct_size = stats->struct_size,
        .sessions = loop->registry.sessions_count,
        .chats = loop->registry.audiences_count,
        .memberships = loop->registry.memberships_count,
        .messages = loop->messages,
        .recipients = loop->recipients,
        .gap = loop->gap,
    };
    wsf_queue_depth(&loop->inbox->mailbox.queue, &all.inbox_count, &all.inbox_bytes);
    memcpy(stats, &all, stats->struct_size);
    return WSFAN_OK;
}
