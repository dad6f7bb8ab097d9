/* Answers for what may be put into positions. They claim no message before the loop has dispatched it, or told of the gap
 * that it is in: so the order in which the loop asks here is all that matters, see wsfan_loop_dispatch(). */
#include "loop/positions.h"

static const wsf_vector NOTHING = { .rest = 0 };

void wsf_positions_init(wsf_positions *positions, const wsf_hash_seal_key *key, uint64_t seed) {
    *positions = (wsf_positions){ .key = key };
    wsf_trail_init(&positions->trail, seed);
    wsf_trail_reach(&positions->trail, &NOTHING);
}

void wsf_positions_destroy(wsf_positions *positions) {
    wsf_trail_destroy(&positions->trail);
    wsf_reach_unref(positions->reach);
    wsf_reach_unref(positions->taken);
}

void wsf_positions_take(wsf_positions *positions, wsf_inbox *inbox) {
    if (positions->key != NULL && positions->taken == NULL)
        positions->taken = atomic_exchange(&inbox->reach, NULL);
}

void wsf_positions_reach(wsf_positions *positions) {
    if (positions->taken == NULL)
        return;
    wsf_trail_reach(&positions->trail, &positions->taken->whole);
    wsf_reach_unref(positions->reach);
    positions->reach = positions->taken;
    positions->taken = NULL;
}

/* Latest values overtake others. */
void wsf_positions_see(wsf_positions *positions, const wsf_registry *registry,
                       const wsfan_message *message) {
    if (message->slot != 0)
        return;
    for (uint32_t i = 0; i < message->targets_count; i++) {
        const wsf_message_target *target = &message->targets[i];
        if (target->kind == WSFAN_CHAT && wsf_registry_has_history(registry, message, target))
            wsf_trail_saw(&positions->trail, target->hash, message->id);
    }
}

void wsf_positions_cap(wsf_positions *positions, const wsf_recovery *recovery) {
    for (uint32_t i = 0; i < recovery->caps_count; i++) {
        const wsf_recovery_cap *cap = &recovery->caps[i];
        wsf_trail_cap(&positions->trail, recovery->hash, cap->origin, cap->clock, cap->until);
    }
}

bool wsf_positions_tell_of(const wsf_positions *positions, const wsf_vector *seen,
                           wsf_position *position) {
    const wsf_reach *newest = positions->taken != NULL ? positions->taken : positions->reach;
    if (newest == NULL || !newest->told)
        return false;
    position->epoch = newest->epoch;
    position->seen = *seen;
    return true;
}

bool wsf_positions_tell(const wsf_positions *positions, uint64_t chat, wsf_position *position) {
    const wsf_reach *reach = positions->reach;
    if (reach == NULL || !reach->told)
        return false;
    position->epoch = reach->epoch;
    position->seen = reach->whole;
    return wsf_trail_tell(&positions->trail, chat, &position->seen);
}
