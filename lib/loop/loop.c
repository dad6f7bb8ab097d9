/* Answers for a loop's begin and end, and for the tickets and commands that it posts to the mesh. Has no lock of
 * its own. */
#include "loop/loop.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "base/probes.h"
#include "base/sized.h"

/* ------------------------------------------------------------------------------- open and close */

static wsf_mesh_command *new_command(wsf_mesh_kind kind, unsigned loop) {
    wsf_mesh_command *command = wsf_alloc_zero(1, sizeof *command);
    if (command != NULL) {
        command->item.kind = kind;
        command->loop = loop;
    }
    return command;
}

static void on_announce(void *user, wsf_ticket *ticket) {
    ticket->item.kind = WSF_MESH_JOIN;
    wsf_mesh_post(((wsfan_loop *)user)->node.mesh, &ticket->item);
}

static void on_withdraw(void *user, wsf_ticket *ticket) {
    ticket->item.kind = WSF_MESH_LEAVE;
    wsf_mesh_post(((wsfan_loop *)user)->node.mesh, &ticket->item);
}

static void on_ready(void *user) {
    wsf_mailbox_wake(&((wsfan_loop *)user)->inbox->mailbox);
}

wsfan_bytes wsf_loop_show_name(wsfan_loop *loop, wsfan_bytes name) {
    assert(name.size <= loop->name_bytes_max);
    memcpy(loop->shown, name.data, name.size);
    return (wsfan_bytes){ loop->shown, name.size };
}

uint32_t wsf_loop_tell_gap(wsfan_loop *loop) {
    uint64_t count = atomic_exchange(&loop->inbox->gap, 0);
    if (count == 0)
        return 0;
    wsf_counter_add(&loop->gap, count);
    wsf_parkings_note_gap(&loop->subscriptions.parkings);
    WSF_PROBE4(gap, loop->node.node, loop->node.node, count, WSFAN_GAP_INBOX);
    wsfan_gap gap = { loop->node.node, loop->node.name, count, WSFAN_GAP_INBOX };
    if (loop->callbacks.on_gap != NULL)
        loop->callbacks.on_gap(loop->user, &gap);
    return 1;
}

static void on_joined(void *user, const wsfan_joined *joined) {
    wsfan_loop *loop = user;
    if (joined->recovered != NULL)
        atomic_fetch_add(&loop->node.tally->recoveries[joined->recovered->recovery], 1);
    if (loop->callbacks.on_joined == NULL)
        return;
    wsfan_joined shown = *joined;
    shown.chat = wsf_loop_show_name(loop, joined->chat);
    loop->callbacks.on_joined(loop->user, &shown);
}

static void on_recover(void *user, wsf_recovery *recovery) {
    recovery->item.kind = WSF_MESH_RECOVER;
    wsf_mesh_post(((wsfan_loop *)user)->node.mesh, &recovery->item);
}

static void on_left(void *user, const wsfan_left *left) {
    wsfan_loop *loop = user;
    loop->callbacks.on_left(loop->user, left);
}

static void on_close(void *user, const wsfan_close *close) {
    wsfan_loop *loop = user;
    loop->callbacks.on_close(loop->user, close);
}

static void on_request(void *user, const wsfan_request *request) {
    wsfan_loop *loop = user;
    loop->callbacks.on_request(loop->user, request);
}

static void on_end(void *user, wsf_loop_call *loop_call) {
    wsf_call *call = wsf_loop_call_end(loop_call);
    if (call == NULL)
        return;
    call->item.kind = WSF_MESH_THROUGH;
    wsf_mesh_post(((wsfan_loop *)user)->node.mesh, &call->item);
}

static void init_executor(wsfan_loop *loop) {
    const wsfan_callbacks *callbacks = &loop->callbacks;
    wsf_executor_effects effects = {
        .user = loop,
        .left = callbacks->on_left != NULL ? on_left : NULL,
        .close = callbacks->on_close != NULL ? on_close : NULL,
        .request = callbacks->on_request != NULL ? on_request : NULL,
        .end = on_end,
    };
    wsf_executor_init(&loop->executor, &loop->subscriptions, loop->node.key, loop->node.node,
                      &effects);
}

static void on_present(void *user, wsf_presence_session *presence_session) {
    presence_session->begin.kind = WSF_MESH_PRESENT;
    wsf_mesh_post(((wsfan_loop *)user)->node.mesh, &presence_session->begin);
}

static void on_absent(void *user, wsf_presence_session *presence_session) {
    presence_session->end.kind = WSF_MESH_ABSENT;
    wsf_mesh_post(((wsfan_loop *)user)->node.mesh, &presence_session->end);
}

int wsf_loop_new(wsfan_loop **out, const wsf_loop_config *config, const wsf_loop_node *node,
                 unsigned index, uint64_t seed, const wsfan_callbacks *callbacks, void *loop_user) {
    int error = WSFAN_ENOMEM;
    wsf_mesh_command *hello = new_command(WSF_MESH_ADD_LOOP, index);
    wsf_mesh_command *goodbye = new_command(WSF_MESH_REMOVE_LOOP, index);
    wsfan_loop *loop = wsf_alloc_zero(1, sizeof *loop + config->name_bytes_max);
    if (loop == NULL || hello == NULL || goodbye == NULL)
        goto fail;
    loop->inbox = wsf_inbox_new(config->inbox_count_max, config->inbox_bytes_max, &error);
    if (loop->inbox == NULL)
        goto fail;
    loop->inbox->wants_events = callbacks->on_event != NULL;
    loop->node = *node;
    loop->callbacks = *callbacks;
    loop->user = loop_user;
    loop->index = index;
    loop->name_bytes_max = config->name_bytes_max;
    loop->headroom_bytes = config->headroom_bytes;
    loop->publisher_only = config->publisher_only;
    loop->metadata_bytes_max = config->metadata_bytes_max;
    loop->goodbye = goodbye;
    wsf_subscriptions_effects effects = {
        .user = loop,
        .announce = on_announce,
        .withdraw = on_withdraw,
        .ready = on_ready,
        .joined = on_joined,
        .recover = on_recover,
        .present = on_present,
        .absent = on_absent,
    };
    wsf_subscriptions_init(&loop->subscriptions, &config->registry, index, seed, &effects);
    init_executor(loop);
    wsf_positions_init(&loop->positions, node->position_key, seed);
    hello->inbox = wsf_inbox_ref(loop->inbox);
    wsf_mesh_post(node->mesh, &hello->item);
    *out = loop;
    return WSFAN_OK;

fail:
    wsf_free(loop);
    wsf_free(goodbye);
    wsf_free(hello);
    return error;
}

/* Ends the calls among the items, so that their askers are answered, and frees the other items. */
static void drop_items(wsfan_loop *loop, wsf_item *item) {
    while (item != NULL) {
        wsf_item *next = item->next;
        if (item->kind == WSF_INBOX_CALL)
            on_end(loop, (wsf_loop_call *)item);
        else
            wsf_inbox_free_item(item);
        item = next;
    }
}

void wsf_loop_destroy(wsfan_loop *loop) {
    wsf_queue_close(&loop->inbox->mailbox.queue);
    drop_items(loop, loop->todo);
    drop_items(loop, wsf_mailbox_take(&loop->inbox->mailbox));
    wsf_executor_close(&loop->executor);
    wsf_mesh_post(loop->node.mesh, &loop->goodbye->item);
    wsf_positions_destroy(&loop->positions);
    wsf_rebalance_destroy(&loop->rebalance);
    wsf_subscriptions_destroy(&loop->subscriptions);
    wsf_inbox_unref(loop->inbox);
    wsf_message_pool_close(&loop->pool);
    wsf_free(loop);
}

wsfan_node *wsf_loop_owner(const wsfan_loop *loop) {
    return loop->node.owner;
}

bool wsf_loop_dispatching(wsfan_loop *loop) {
    WSF_ALONE(loop, "wsfan_loop_close()");
    return loop->dispatching;
}

unsigned wsf_loop_index(const wsfan_loop *loop) {
    return loop->index;
}

int wsf_loop_new_receipt(wsfan_loop *loop, uint32_t count_max, void *user, wsf_receipt **receipt) {
    if (atomic_fetch_add(&loop->inbox->results, 1) >= count_max) {
        atomic_fetch_sub(&loop->inbox->results, 1);
        return WSFAN_ELIMIT;
    }
    *receipt = wsf_receipt_new(loop->inbox, user);
    if (*receipt == NULL) {
        atomic_fetch_sub(&loop->inbox->results, 1);
        return WSFAN_ENOMEM;
    }
    wsf_inbox_ref(loop->inbox);
    return WSFAN_OK;
}

void wsf_loop_revoke_receipt(wsfan_loop *loop) {
    atomic_fetch_sub(&loop->inbox->results, 1);
    wsf_inbox_unref(loop->inbox);
}

int wsf_loop_expect_reply(wsfan_loop *loop, uint32_t count_max, wsf_request *request) {
    if (atomic_fetch_add(&loop->inbox->requests, 1) >= count_max) {
        atomic_fetch_sub(&loop->inbox->requests, 1);
        return WSFAN_ELIMIT;
    }
    request->inbox = wsf_inbox_ref(loop->inbox);
    return WSFAN_OK;
}

void wsf_loop_revoke_reply(wsfan_loop *loop) {
    atomic_fetch_sub(&loop->inbox->requests, 1);
    wsf_inbox_unref(loop->inbox);
}

uint64_t wsf_loop_sessions(const wsfan_loop *loop) {
    return atomic_load(&loop->inbox->sessions);
}

/* The wake is for a thread that looked before this, found the mesh's word that the drain is over, and
 * could make nothing of it. */
void wsf_loop_drain(wsfan_loop *loop) {
    atomic_store(&loop->draining, true);
    wsf_mailbox_wake(&loop->inbox->mailbox);
}

int wsf_loop_check(const wsfan_loop *loop) {
    if (loop == NULL)
        return WSFAN_EINVAL;
    return wsf_guard_forked(loop->node.guard) ? WSFAN_EFORK : WSFAN_OK;
}

int wsfan_loop_fd(const wsfan_loop *loop) {
    int error = wsf_loop_check(loop);
    if (error != WSFAN_OK)
        return error;
    return loop->inbox->watch_fd;
}

void wsf_loop_tell_counts(wsfan_loop *loop) {
    const wsf_registry *registry = &loop->subscriptions.registry;
    wsf_counter_set(&loop->inbox->sessions, registry->session_slots.count);
    wsf_counter_set(&loop->chats, registry->audiences.slots.count);
    wsf_counter_set(&loop->memberships, registry->memberships_count);
}

static void read_stats(wsfan_loop *loop, wsfan_loop_stats *stats) {
    *stats = (wsfan_loop_stats){
        .sessions = atomic_load(&loop->inbox->sessions),
        .chats = wsf_counter_read(&loop->chats),
        .memberships = wsf_counter_read(&loop->memberships),
        .messages = wsf_counter_read(&loop->messages),
        .recipients = wsf_counter_read(&loop->recipients),
        .gap = wsf_counter_read(&loop->gap),
    };
    wsf_queue_depth(&loop->inbox->mailbox.queue, &stats->inbox_count, &stats->inbox_bytes);
}

int wsfan_loop_get_stats(wsfan_loop *loop, wsfan_loop_stats *stats) {
    int error = wsf_loop_check(loop);
    if (error != WSFAN_OK)
        return error;
    if (!WSF_IS_SIZED(stats))
        return WSFAN_EINVAL;
    WSF_ALONE(loop, "wsfan_loop_get_stats()");
    wsfan_loop_stats all;
    wsf_loop_tell_counts(loop);
    read_stats(loop, &all);
    all.struct_size = stats->struct_size;
    wsf_fill_sized(stats, all.struct_size, &all, sizeof all);
    return WSFAN_OK;
}

void wsf_loop_measure(wsfan_loop *loop, wsf_loop_metrics *metrics) {
    metrics->loop = loop->index;
    read_stats(loop, &metrics->stats);
    wsf_histogram_read(&loop->dispatch, &metrics->dispatch);
}
