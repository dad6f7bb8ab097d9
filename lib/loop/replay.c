/* Answers for what a session is shown that joined with history. Each callback may end its membership, and with that the
 * replay. */
#include "loop/replay.h"

#include "base/probes.h"

/* Copies the message: its payload may be in memory that others share, and has no headroom of its own there. */
static wsfan_message *make_message(wsfan_loop *loop, const wsf_kept *kept) {
    wsf_message_parts parts = kept->parts;
    parts.flags |= WSFAN_REPLAYED;
    parts.headroom_size = loop->headroom_bytes;
    size_t need = wsf_message_need(&parts);
    wsfan_message *message = need <= WSF_MESSAGE_SMALL ? wsf_message_make(&loop->pool, &parts, need)
                                                       : wsf_message_new(NULL, &parts);
    if (message != NULL)
        message->id = kept->id;
    return message;
}

/* Shows the next message. Out of memory it is missing, of which on_gap tells at once: positions after it claim it. */
static void show_next(wsfan_loop *loop, wsf_recovery *recovery) {
    const wsf_kept *kept = &recovery->list->messages[loop->replay.next++];
    wsfan_recipient recipient = {
        recovery->session, wsf_registry_pointer(&loop->subscriptions.registry, recovery->session)
    };
    wsfan_message *message = make_message(loop, kept);
    if (message == NULL) {
        atomic_fetch_add(&loop->inbox->gap, 1);
        wsf_loop_tell_gap(loop);
        return;
    }
    if (kept->parts.slot == 0) /* a latest value overtakes */
        (void)wsf_vector_raise(&recovery->seen, kept->id.origin, kept->id.clock);
    atomic_fetch_add(&loop->node.tally->replayed, 1);
    WSF_PROBE3(dispatch, message->id.origin, message->id.clock, 1);
    if (loop->callbacks.on_message != NULL)
        loop->callbacks.on_message(loop->user, message, &recipient, 1);
    wsf_message_bin_add(&loop->bin, message);
}

/* What was replayed, by position or by rewind, may have been more than this node had then: live messages that the session has
 * seen are kept from it. */
static void end(wsfan_loop *loop, wsf_recovery *recovery) {
    static const wsf_vector NOTHING = { .rest = 0 };
    const wsf_reach *reach = loop->positions.reach;
    wsf_subscriptions_done(&loop->subscriptions, recovery, &recovery->seen,
                           reach != NULL ? &reach->whole : &NOTHING);
}

static bool has_more(const wsfan_loop *loop, const wsf_recovery *recovery) {
    return loop->replay.next < wsf_recovery_count(recovery);
}

uint32_t wsf_replay_run(wsfan_loop *loop, wsf_recovery *recovery, uint32_t max, bool *done) {
    wsf_replay *replay = &loop->replay;
    uint32_t handled = 0;
    replay->shown = recovery;
    if (!replay->begun) {
        loop->released_count += wsf_recovery_count(recovery);
        loop->released_bytes += recovery->item.bytes;
        replay->begun = true;
        replay->next = 0;
        wsf_positions_cap(&loop->positions, recovery);
        wsf_subscriptions_recovered(&loop->subscriptions, recovery);
        handled = 1;
    }
    while (handled < max && has_more(loop, recovery) &&
           wsf_subscriptions_replays(&loop->subscriptions, recovery)) {
        show_next(loop, recovery);
        handled++;
    }
    replay->shown = NULL;
    *done = !has_more(loop, recovery) || !wsf_subscriptions_replays(&loop->subscriptions, recovery);
    if (*done) {
        replay->begun = false;
        end(loop, recovery);
    }
    return handled;
}

typedef struct {
    const wsf_sieve *sieve;
    const wsfan_message *message;
} sifting;

static bool stops(void *user, wsfan_session session) {
    const sifting *of = user;
    for (uint32_t i = 0; i < of->message->targets_count; i++)
        if (wsf_sieve_stops(of->sieve, session, of->message->targets[i].hash, of->message->id))
            return true;
    return false;
}

size_t wsf_replay_sift_all(wsfan_loop *loop, const wsfan_message *message, size_t count) {
    sifting of = { &loop->subscriptions.sieve, message };
    return wsf_registry_sift(&loop->subscriptions.registry, count, stops, &of);
}

bool wsf_replay_seen(const wsfan_loop *loop, wsfan_bytes chat, const wsf_vector **seen) {
    const wsf_recovery *recovery = loop->replay.shown;
    if (recovery == NULL || recovery->chat_size != chat.size ||
        !wsf_same_bytes(recovery->text, chat.data, chat.size))
        return false;
    bool told = recovery->seen.rest > 0 &&
                (recovery->verdict == WSFAN_RECOVERY_WHOLE || !has_more(loop, recovery));
    *seen = told ? &recovery->seen : NULL;
    return true;
}
