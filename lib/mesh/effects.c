/* Answers for carrying out the effects of the core, on any thread that runs it. Never waits for a loop. */
#include "mesh/effects.h"

static void on_connect(void *user, uint32_t connection, const char *endpoint, uint32_t identity) {
    wsf_carrier *carrier = ((wsf_mesh_effects *)user)->carrier;
    carrier->calls->connect(carrier, connection, endpoint, identity);
}

static void on_disconnect(void *user, uint32_t connection) {
    wsf_carrier *carrier = ((wsf_mesh_effects *)user)->carrier;
    carrier->calls->disconnect(carrier, connection);
}

static void on_seek(void *user, uint32_t connection, uint32_t identity) {
    wsf_carrier *carrier = ((wsf_mesh_effects *)user)->carrier;
    carrier->calls->seek(carrier, connection, identity);
}

static void on_send(void *user, wsf_buffer *frame) {
    wsf_carrier *carrier = ((wsf_mesh_effects *)user)->carrier;
    carrier->calls->send(carrier, frame);
}

static uint32_t deliver(const wsf_mesh_effects *out, wsf_inbox *inbox, wsfan_message *message) {
    if (wsf_message_is_run(message) || out->headroom_bytes == 0 ||
        (!message->taken && !message->shared)) {
        message->taken = true;
        return wsf_inbox_put_message(inbox, message);
    }
    /* One loop writes the headroom, and none while the message is sent to peers: other loops get copies. */
    wsfan_message *copy = wsf_message_clone(message);
    wsfan_message_unref(message);
    if (copy != NULL)
        return wsf_inbox_put_message(inbox, copy);
    wsf_inbox_note_gap(inbox, 1);
    return 0;
}

static uint32_t on_deliver(void *user, unsigned loop, wsfan_message *message) {
    wsf_mesh_effects *out = user;
    wsf_inbox *inbox = out->inboxes[loop];
    out->fresh |= UINT64_C(1) << loop;
    uint64_t replaced = inbox->replaced;
    uint32_t taken = deliver(out, inbox, message);
    wsf_core_count_drop(out->core, WSFAN_DROP_REPLACED, inbox->replaced - replaced);
    return taken;
}

void wsf_mesh_effects_flush(wsf_mesh_effects *out) {
    for (unsigned i = 0; out->fresh != 0; i++, out->fresh >>= 1)
        if ((out->fresh & 1) != 0 && out->inboxes[i] != NULL)
            wsf_inbox_flush(out->inboxes[i]);
}

static void on_joined(void *user, wsf_ticket *ticket) {
    wsf_mesh_effects *out = user;
    if (out->inboxes[ticket->loop] != NULL)
        wsf_inbox_put_ticket(out->inboxes[ticket->loop], ticket);
    else
        wsf_ticket_free(ticket);
}

static void on_event(void *user, uint64_t loops, const wsfan_event *event) {
    wsf_mesh_effects *out = user;
    for (unsigned i = 0; i < WSF_LOOPS_MAX; i++)
        if ((loops >> i & 1) != 0 && out->inboxes[i] != NULL &&
            !wsf_inbox_put_event(out->inboxes[i], event))
            wsf_core_count_drop(out->core, WSFAN_DROP_EVENT, 1);
}

static void on_peer(void *user, uint64_t loops, const wsfan_peer *peer) {
    wsf_mesh_effects *out = user;
    if (peer->event !=
        WSFAN_PEER_REFUSED) /* events of an endpoint or of a caller tell that, and not each time */
        on_event(user, loops,
                 &(wsfan_event){ .kind = WSFAN_EVENT_PEER,
                                 .node = peer->node,
                                 .name = peer->name,
                                 .endpoint = peer->endpoint,
                                 .address = "",
                                 .state = (int)peer->event,
                                 .reason = peer->reason });
    for (unsigned i = 0; i < WSF_LOOPS_MAX; i++)
        if ((loops >> i & 1) != 0 && !wsf_inbox_put_peer(out->inboxes[i], peer))
            wsf_core_count_drop(out->core, WSFAN_DROP_EVENT, 1);
}

static void on_gap(void *user, const wsfan_gap *gap) {
    wsf_mesh_effects *out = user;
    on_event(user, UINT64_MAX,
             &(wsfan_event){ .kind = WSFAN_EVENT_GAP,
                             .node = gap->node,
                             .name = gap->name,
                             .endpoint = "",
                             .address = "",
                             .state = (int)gap->reason,
                             .count = gap->count });
    for (unsigned i = 0; i < WSF_LOOPS_MAX; i++)
        if (out->inboxes[i] != NULL && !wsf_inbox_put_gap(out->inboxes[i], gap))
            wsf_core_count_drop(out->core, WSFAN_DROP_EVENT, 1);
}

static void on_result(void *user, wsf_receipt *receipt) {
    wsf_inbox *inbox = receipt->inbox;
    (void)user;
    wsf_inbox_put_result(inbox, receipt);
    wsf_inbox_unref(inbox);
}

static void on_recovered(void *user, wsf_recovery *recovery) {
    wsf_mesh_effects *out = user;
    if (out->inboxes[recovery->loop] != NULL)
        wsf_inbox_put_recovered(out->inboxes[recovery->loop], recovery);
    else
        wsf_recovery_free(recovery);
}

static void on_view(void *user, wsf_view *view) {
    wsf_mesh_effects *out = user;
    wsf_view_unref(out->view);
    out->view = wsf_view_ref(view);
    for (unsigned i = 0; i < WSF_LOOPS_MAX; i++)
        if (out->inboxes[i] != NULL)
            wsf_inbox_put_view(out->inboxes[i], view);
}

static void on_reach(void *user, wsf_reach *reach) {
    wsf_mesh_effects *out = user;
    wsf_reach_unref(out->reach);
    out->reach = wsf_reach_ref(reach);
    wsf_mesh_effects_flush(out);
    for (unsigned i = 0; i < WSF_LOOPS_MAX; i++)
        if (out->inboxes[i] != NULL)
            wsf_inbox_put_reach(out->inboxes[i], reach);
}

static void on_shed(void *user, uint32_t permille) {
    wsf_mesh_effects *out = user;
    for (unsigned i = 0; i < WSF_LOOPS_MAX; i++)
        if (out->inboxes[i] != NULL)
            wsf_inbox_put_shed(out->inboxes[i], permille);
}

static uint64_t on_sessions(void *user) {
    wsf_mesh_effects *out = user;
    uint64_t sessions = 0;
    for (unsigned i = 0; i < WSF_LOOPS_MAX; i++)
        if (out->inboxes[i] != NULL)
            sessions += atomic_load(&out->inboxes[i]->sessions);
    return sessions;
}

/* Refuses further publishes. Those that were accepted are before this command in the queue. */
static void on_quiet(void *user) {
    wsf_mesh_effects *out = user;
    wsf_queue_close_bounded(&out->mailbox->queue);
    wsf_mailbox_post(out->mailbox, out->quiet);
}

static void on_drained(void *user, int status) {
    wsf_mesh_effects *out = user;
    for (unsigned i = 0; i < WSF_LOOPS_MAX; i++)
        if (out->inboxes[i] != NULL)
            wsf_inbox_put_drained(out->inboxes[i], status);
}

static void on_call(void *user, unsigned loop, wsf_loop_call *loop_call) {
    wsf_mesh_effects *out = user;
    if (!wsf_inbox_put_call(out->inboxes[loop], loop_call))
        wsf_call_unref(wsf_loop_call_end(loop_call)); /* the loop is closed */
}

static void on_reply(void *user, wsf_request *request) {
    wsf_inbox *inbox = request->inbox;
    (void)user;
    if (inbox != NULL)
        wsf_inbox_put_reply(inbox, request);
    else
        wsf_request_free(request);
    wsf_inbox_unref(inbox);
}

static void on_presence(void *user, wsf_presence_events *events) {
    wsf_inbox_put_presence(((wsf_mesh_effects *)user)->inboxes[events->loop], events);
}

static void on_probe(void *user, uint64_t node, const char *endpoint) {
    wsf_carrier *carrier = ((wsf_mesh_effects *)user)->carrier;
    carrier->calls->probe(carrier, node, endpoint);
}

wsf_effects wsf_mesh_effects_effects(wsf_mesh_effects *out) {
    return (wsf_effects){
        .user = out,
        .connect = on_connect,
        .disconnect = on_disconnect,
        .seek = on_seek,
        .send = on_send,
        .deliver = on_deliver,
        .joined = on_joined,
        .peer = on_peer,
        .gap = on_gap,
        .result = on_result,
        .presence = on_presence,
        .loop_call = on_call,
        .reply = on_reply,
        .recovered = on_recovered,
        .view = on_view,
        .reach = on_reach,
        .shed = on_shed,
        .sessions = on_sessions,
        .quiet = on_quiet,
        .drained = on_drained,
        .probe = on_probe,
        .event = on_event,
    };
}

/* The only loop of a node reads the sockets. Several would all be woken for what one of them reads, and would
 * wait for the one whose host is busy; so they leave it to the mesh thread. */
static void choose_reader(wsf_mesh_effects *out) {
    unsigned only = WSF_LOOPS_MAX;
    unsigned count = 0;
    for (unsigned i = 0; i < WSF_LOOPS_MAX; i++)
        if (out->inboxes[i] != NULL && count++ == 0)
            only = i;
    unsigned reader = count == 1 && out->carrier != NULL ? only : WSF_LOOPS_MAX;
    unsigned before = atomic_load(&out->reader);
    if (reader == before)
        return;
    if (before != WSF_LOOPS_MAX && out->inboxes[before] != NULL)
        wsf_inbox_unwatch(out->inboxes[before], wsf_mesh_effects_fd(out));
    if (reader != WSF_LOOPS_MAX && !wsf_inbox_watch(out->inboxes[reader], wsf_mesh_effects_fd(out)))
        reader = WSF_LOOPS_MAX;
    atomic_store(&out->reader, reader);
}

void wsf_mesh_effects_add_loop(wsf_mesh_effects *out, unsigned loop, wsf_inbox *inbox) {
    out->inboxes[loop] = inbox;
    if (out->view != NULL)
        wsf_inbox_put_view(inbox, out->view);
    if (out->reach != NULL)
        wsf_inbox_put_reach(inbox, out->reach);
    wsf_core_add_loop(out->core, loop);
    choose_reader(out);
}

void wsf_mesh_effects_remove_loop(wsf_mesh_effects *out, unsigned loop, wsf_now now) {
    wsf_core_remove_loop(out->core, loop, now);
    wsf_inbox_flush(out->inboxes[loop]);
    wsf_inbox *inbox = out->inboxes[loop];
    out->inboxes[loop] = NULL;
    choose_reader(out);
    wsf_inbox_unref(inbox);
}
