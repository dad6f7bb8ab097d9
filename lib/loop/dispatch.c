/* Answers for dispatch: takes the items of the inbox, and runs the host's callbacks for them. */
#include <string.h>
#include <wsfan/placement.h>

#include "base/clock.h"
#include "base/probes.h"
#include "loop/event.h"
#include "loop/loop.h"
#include "loop/replay.h"

static void note_time(wsfan_loop *loop, const wsfan_message *message) {
    uint32_t us = wsf_clock_stamp(wsf_clock_ns()) - message->published;
    wsf_histogram_add(&loop->dispatch, us, WSF_DISPATCH_FIRST_US);
}

static void count_dispatched(wsfan_loop *loop, uint32_t messages, uint64_t bytes) {
    loop->released_count += messages;
    loop->released_bytes += bytes;
}

/* Apart, so that without history a message costs one test more. Returns how many recipients stay. */
static __attribute__((noinline)) size_t note_history(wsfan_loop *loop, const wsfan_message *message,
                                                     size_t count) {
    wsf_positions_see(&loop->positions, &loop->subscriptions.registry, message);
    return wsf_replay_sift(loop, message, count);
}

static inline __attribute__((always_inline)) void show_message(wsfan_loop *loop,
                                                               wsfan_message *message,
                                                               const wsfan_recipient *recipients,
                                                               size_t count) {
    wsf_counter_add(&loop->messages, 1);
    wsf_counter_add(&loop->recipients, count);
    WSF_PROBE3(dispatch, message->id.origin, message->id.clock, count);
    if (loop->positions.key != NULL)
        count = note_history(loop, message, count);
    if (count > 0 && loop->callbacks.on_message != NULL)
        loop->callbacks.on_message(loop->user, message, recipients, count);
}

static void dispatch_message(wsfan_loop *loop, wsf_item *item) {
    wsfan_message *message = wsf_inbox_message(item);
    const wsfan_recipient *recipients;
    size_t count = wsf_registry_select(&loop->subscriptions.registry, message, loop->node.node,
                                       &recipients);
    count_dispatched(loop, 1, item->bytes);
    if (message->published != 0)
        note_time(loop, message);
    show_message(loop, message, recipients, count);
    if (message->receipt != NULL && wsf_receipt_loop_done(message->receipt, count)) {
        message->receipt->loops_item.kind = WSF_MESH_LOOPS_DONE;
        wsf_mesh_post(loop->node.mesh, &wsf_receipt_ref(message->receipt)->loops_item);
    }
    if (item->kind == WSF_INBOX_MESSAGE)
        wsf_message_bin_add(&loop->bin, message);
    else
        wsf_inbox_free_item(item);
}

/* Shows messages of a run, `max` at most; returns how many. Recipients are selected anew only for another head, or
 * when anything has changed in the registry. Out of memory a message is missing, of which on_gap tells at once: positions
 * after it claim it. */
static uint32_t dispatch_run(wsfan_loop *loop, wsf_inbox_run *item, uint32_t max) {
    wsf_registry *registry = &loop->subscriptions.registry;
    wsf_span *span = &item->span;
    wsf_span shown = *span;
    const wsf_run_head *selected = NULL; /* of the last message */
    uint64_t version = 0;
    const wsfan_recipient *recipients = NULL;
    size_t count = 0;
    if (span->from == 0 && span->message->published != 0)
        note_time(loop, span->message);
    while (span->from < span->to && span->from - shown.from < max) {
        const wsf_run_head *head = wsf_run_head_of(span->message, span->from);
        wsfan_message *message = wsf_run_open(&loop->pool, span->message, span->from++,
                                              loop->headroom_bytes);
        if (message == NULL) {
            atomic_fetch_add(&loop->inbox->gap, 1);
            wsf_loop_tell_gap(loop);
            selected = NULL;
            continue;
        }
        if (head != selected || version != registry->version) {
            count = wsf_registry_select(registry, message, loop->node.node, &recipients);
            version = registry->version;
            selected = head;
        }
        show_message(loop, message, recipients, count);
        wsf_message_bin_add(&loop->bin, message);
    }
    shown.to = span->from;
    count_dispatched(loop, wsf_span_count(shown), wsf_span_bytes(shown));
    if (span->from == span->to) {
        count_dispatched(loop, 0, sizeof *item);
        wsf_inbox_free_item(&item->item);
    }
    return wsf_span_count(shown);
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

static void dispatch_event(wsfan_loop *loop, wsf_inbox_event *event) {
    char text[WSF_EVENT_TEXT_SIZE];
    char code[WSF_EVENT_CODE_SIZE];
    atomic_fetch_sub(&loop->inbox->events, 1);
    wsf_event_describe(&event->event, code, text);
    loop->callbacks.on_event(loop->user, &event->event);
    wsf_inbox_free_item(&event->item);
}

static void dispatch_result(wsfan_loop *loop, wsf_receipt *receipt) {
    atomic_fetch_sub(&loop->inbox->results, 1);
    if (loop->callbacks.on_result != NULL)
        loop->callbacks.on_result(loop->user, &receipt->result);
    wsf_receipt_unref(receipt);
}

static void tell_reply(void *user, const wsfan_reply *reply) {
    wsfan_loop *loop = user;
    if (loop->callbacks.on_reply != NULL)
        loop->callbacks.on_reply(loop->user, reply);
}

static void dispatch_reply(wsfan_loop *loop, wsf_request *request) {
    atomic_fetch_sub(&loop->inbox->requests, 1);
    wsf_request_tell(request, tell_reply, loop);
    wsf_request_free(request);
}

/* An unfinished list goes to the end of the inbox. The inbox is open, because the loop is in dispatch. */
static void dispatch_call(wsfan_loop *loop, wsf_loop_call *loop_call) {
    if (!wsf_executor_run(&loop->executor, loop_call))
        wsf_inbox_put_call(loop->inbox, loop_call);
}

static void dispatch_presence(wsfan_loop *loop, wsf_presence_events *events) {
    wsfan_presence shown = events->presence;
    if (loop->callbacks.on_presence != NULL &&
        wsf_subscriptions_show(&loop->subscriptions, &shown, events->chat_hash))
        loop->callbacks.on_presence(loop->user, &shown);
    events->item.kind = WSF_MESH_EVENTS_DONE;
    wsf_mesh_post(loop->node.mesh, &events->item);
}

static void dispatch_item(wsfan_loop *loop, wsf_item *item) {
    switch ((wsf_inbox_kind)item->kind) {
    case WSF_INBOX_MESSAGE:
    case WSF_INBOX_SHARED:
        dispatch_message(loop, item);
        break;
    case WSF_INBOX_RUN: /* see dispatch_first() */
    case WSF_INBOX_RECOVERED:
        break;
    case WSF_INBOX_JOINED:
        wsf_executor_ticket_back(&loop->executor, (wsf_ticket *)item);
        wsf_subscriptions_ticket_back(&loop->subscriptions, (wsf_ticket *)item);
        break;
    case WSF_INBOX_PEER:
    case WSF_INBOX_GAP:
        dispatch_notice(loop, (wsf_inbox_notice *)item);
        break;
    case WSF_INBOX_RESULT:
        dispatch_result(loop, (wsf_receipt *)item);
        break;
    case WSF_INBOX_CALL:
        dispatch_call(loop, (wsf_loop_call *)item);
        break;
    case WSF_INBOX_REPLY:
        dispatch_reply(loop, (wsf_request *)item);
        break;
    case WSF_INBOX_PRESENCE:
        dispatch_presence(loop, (wsf_presence_events *)item);
        break;
    case WSF_INBOX_EVENT:
        dispatch_event(loop, (wsf_inbox_event *)item);
        break;
    }
}

/* Takes the item, or of a run or a recovery `max` messages at most. Returns how much was handled. */
static uint32_t dispatch_first(wsfan_loop *loop, uint32_t max) {
    wsf_item *item = loop->todo;
    wsf_item *next = item->next;
    if (item->kind == WSF_INBOX_RECOVERED) {
        bool done;
        uint32_t shown = wsf_replay_run(loop, (wsf_recovery *)item, max, &done);
        if (done)
            loop->todo = next;
        return shown;
    }
    if (item->kind != WSF_INBOX_RUN) {
        loop->todo = next;
        dispatch_item(loop, item);
        return 1;
    }
    uint32_t left = wsf_span_count(((wsf_inbox_run *)item)->span);
    uint32_t count = dispatch_run(loop, (wsf_inbox_run *)item, max);
    if (count == left)
        loop->todo = next;
    return count;
}

static void dispatch_owner(wsfan_loop *loop, const wsf_audience *audience, uint32_t i,
                           const wsf_placement_node *owner) {
    wsfan_moved moved = { .name = "", .public_address = "" };
    moved.chat = wsf_loop_show_name(loop, wsf_audience_name(audience));
    if (owner != NULL) {
        moved.node = owner->node;
        moved.name = owner->name;
        moved.public_address = owner->address;
        moved.here = owner->node == loop->node.node;
    }
    moved.sessions_count = wsf_registry_collect_audience(&loop->subscriptions.registry, i,
                                                         &moved.sessions);
    loop->callbacks.on_owner(loop->user, &moved);
}

/* Looks at LOOKS_MAX audiences at most, so that the host serves its sockets in between. */
static uint32_t dispatch_moved(wsfan_loop *loop, uint32_t max) {
    enum { LOOKS_MAX = 4096 };
    uint32_t looks = LOOKS_MAX;
    uint32_t told = 0;
    const wsf_registry *registry = &loop->subscriptions.registry;
    wsf_view *view = atomic_exchange(&loop->inbox->view, NULL);
    if (view != NULL)
        wsf_rebalance_see(&loop->rebalance, view);
    while (told < max) {
        const wsf_placement_node *owner;
        uint32_t i;
        const wsf_audience *audience = wsf_rebalance_next(&loop->rebalance, registry, &looks,
                                                          &owner, &i);
        if (audience == NULL)
            break;
        looks--;
        told++;
        if (loop->callbacks.on_owner != NULL)
            dispatch_owner(loop, audience, i, owner);
    }
    return told;
}

static uint32_t dispatch_drain(wsfan_loop *loop, uint32_t max) {
    wsfan_recipient sessions[WSF_SHED_BATCH];
    uint32_t told = 0;
    size_t count;
    uint32_t permille = atomic_load(&loop->inbox->shed_permille);
    if (permille > loop->rebalance.shed_permille || permille == 0)
        wsf_rebalance_shed(&loop->rebalance, &loop->subscriptions.registry, permille);
    while (told < max && (count = wsf_rebalance_shed_next(
                              &loop->rebalance, &loop->subscriptions.registry, sessions)) > 0) {
        told += (uint32_t)count;
        if (loop->callbacks.on_drain != NULL)
            loop->callbacks.on_drain(loop->user, sessions, count);
    }
    if (atomic_exchange(&loop->inbox->drained, 0) == 0)
        return told;
    if (loop->callbacks.on_drained != NULL)
        loop->callbacks.on_drained(loop->user, atomic_load(&loop->inbox->drained_status));
    return told + 1;
}

static void release_inbox(wsfan_loop *loop) {
    wsf_queue_release(&loop->inbox->mailbox.queue, loop->released_count, loop->released_bytes);
    loop->released_count = loop->released_bytes = 0;
}

static void trim_pool(wsfan_loop *loop) {
    enum { USES = 1024 };
    if (++loop->pool_uses < USES)
        return;
    loop->pool_uses = 0;
    wsf_message_pool_trim(&loop->pool);
}

/* Whether there is work that is not an item of the mailbox. */
static bool has_more(const wsfan_loop *loop) {
    const wsf_inbox *inbox = loop->inbox;
    return loop->unread || loop->subscriptions.ready.count > 0 || atomic_load(&inbox->gap) > 0 ||
           atomic_load(&inbox->view) != NULL || wsf_rebalance_pending(&loop->rebalance) ||
           (atomic_load(&loop->draining) &&
            (atomic_load(&inbox->drained) != 0 ||
             atomic_load(&inbox->shed_permille) > loop->rebalance.shed_permille));
}

/* Reads the sockets when the inbox is empty, if that is this loop's affair. Returns whether the loop has to wake
 * itself for items that it leaves: none of those that come meanwhile makes the descriptor readable. */
static bool read_sockets(wsfan_loop *loop) {
    bool reads = wsf_mesh_has_reader(loop->node.mesh, loop->index);
    loop->unread = loop->unread && reads; /* the mesh thread reads what this loop has left */
    if (!reads || !wsf_queue_attend(&loop->inbox->mailbox.queue))
        return false;
    loop->unread = wsf_mesh_read(loop->node.mesh, loop->inbox);
    return true;
}

/* In this order: what was put down for positions before is true of what is in the mailbox. */
static void take_items(wsfan_loop *loop) {
    wsf_positions_take(&loop->positions, loop->inbox);
    loop->todo = wsf_mailbox_take(&loop->inbox->mailbox);
}

/* All that was taken is dispatched. */
static void reach(wsfan_loop *loop) {
    wsf_positions_reach(&loop->positions);
    if (loop->positions.reach != NULL)
        wsf_sieve_reach(&loop->subscriptions.sieve, &loop->positions.reach->whole);
}

int wsfan_loop_dispatch(wsfan_loop *loop, uint32_t max) {
    enum { HANDLED_MAX = 1 << 30, RELEASE_COUNT = 256 };
    int error = wsf_loop_check(loop);
    if (error != WSFAN_OK)
        return error;
    WSF_ALONE(loop, "wsfan_loop_dispatch()");
    if (loop->dispatching)
        return WSFAN_EINVAL;
    if (max == 0 || max > HANDLED_MAX)
        max = HANDLED_MAX;
    loop->dispatching = true;
    bool attends = loop->todo == NULL && read_sockets(loop);
    if (loop->todo == NULL)
        take_items(loop);
    uint32_t handled = wsf_loop_tell_gap(loop);
    while (loop->todo != NULL && handled < max) {
        handled += dispatch_first(loop, max - handled);
        if (loop->released_count >= RELEASE_COUNT)
            release_inbox(loop);
    }
    if (handled < max)
        handled += wsf_subscriptions_tell_ready(&loop->subscriptions, max - handled);
    if (handled < max)
        handled += dispatch_moved(loop, max - handled);
    if (atomic_load(&loop->draining) && handled < max)
        handled += dispatch_drain(loop, max - handled);
    wsf_message_bin_empty(&loop->bin);
    release_inbox(loop);
    trim_pool(loop);
    wsf_loop_tell_counts(loop);
    loop->dispatching = false;
    /* The descriptor stays readable while there is more: only a take without items clears it. */
    if (loop->todo == NULL) {
        reach(loop);
        take_items(loop);
    }
    if (handled == max || (attends && loop->todo != NULL) || has_more(loop))
        wsf_mailbox_wake(&loop->inbox->mailbox);
    return (int)handled;
}
