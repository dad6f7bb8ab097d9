/* Answers for what a host asks about the sessions of its own loop, from the registry, and how far they have seen a chat.
 * Changes nothing. */
#include <string.h>
#include <wsfan/history.h>
#include <wsfan/registry.h>

#include "loop/loop.h"
#include "loop/replay.h"

static int find(const wsfan_loop *loop, wsfan_target_kind kind, wsfan_bytes name,
                uint32_t *audience) {
    if (name.size == 0 || name.data == NULL)
        return WSFAN_EINVAL;
    if (name.size > loop->name_bytes_max)
        return WSFAN_ETOOBIG;
    wsfan_target target = { kind, name };
    *audience = wsf_audiences_find(&loop->subscriptions.registry.audiences, &target,
                                   wsf_hash_target(loop->node.key, &target));
    return WSFAN_OK;
}

static size_t copy_all(const wsf_registry *registry, wsfan_recipient *sessions, size_t capacity) {
    size_t count = 0;
    for (uint32_t slot = 0; slot < registry->session_slots.used && count < capacity; slot++)
        if (wsf_registry_at(registry, slot, &sessions[count]))
            count++;
    return registry->session_slots.count;
}

static size_t copy_audience(const wsf_registry *registry, uint32_t i, wsfan_recipient *sessions,
                            size_t capacity) {
    if (i == WSF_TABLE_NONE)
        return 0;
    const wsf_audience *audience = wsf_audiences_at(&registry->audiences, i);
    size_t count = audience->members_count < capacity ? audience->members_count : capacity;
    if (count > 0)
        memcpy(sessions, audience->members, count * sizeof *sessions);
    return audience->members_count;
}

int wsfan_loop_get_sessions(wsfan_loop *loop, const wsfan_target *target, wsfan_recipient *sessions,
                            size_t capacity, size_t *count) {
    uint32_t audience;
    int error = wsf_loop_check(loop);
    if (error != WSFAN_OK)
        return error;
    WSF_ALONE(loop, "wsfan_loop_get_sessions()");
    if (target == NULL || count == NULL || (sessions == NULL && capacity > 0))
        return WSFAN_EINVAL;
    if (target->kind == WSFAN_ALL && target->name.size == 0) {
        *count = copy_all(&loop->subscriptions.registry, sessions, capacity);
        return WSFAN_OK;
    }
    if (target->kind != WSFAN_CHAT && target->kind != WSFAN_USER)
        return WSFAN_EINVAL;
    error = find(loop, target->kind, target->name, &audience);
    if (error == WSFAN_OK)
        *count = copy_audience(&loop->subscriptions.registry, audience, sessions, capacity);
    return error;
}

int wsfan_session_is_in(wsfan_loop *loop, wsfan_session session, wsfan_bytes chat) {
    uint32_t audience;
    uint32_t member_of;
    int error = wsf_loop_check(loop);
    if (error != WSFAN_OK)
        return error;
    WSF_ALONE(loop, "wsfan_session_is_in()");
    error = find(loop, WSFAN_CHAT, chat, &audience);
    if (error == WSFAN_OK)
        error = wsf_registry_check(&loop->subscriptions.registry, session);
    if (error != WSFAN_OK)
        return error;
    uint32_t i = 0;
    while ((member_of = wsf_registry_membership(&loop->subscriptions.registry, session, i)) !=
               WSF_TABLE_NONE &&
           member_of != audience)
        i++;
    return member_of != WSF_TABLE_NONE ? WSFAN_OK : WSFAN_ENOENT;
}

int wsfan_session_get_pointer(wsfan_loop *loop, wsfan_session session, void **session_user) {
    int error = wsf_loop_check(loop);
    if (error != WSFAN_OK)
        return error;
    WSF_ALONE(loop, "wsfan_session_get_pointer()");
    if (session_user == NULL)
        error = WSFAN_EINVAL;
    if (error == WSFAN_OK)
        error = wsf_registry_check(&loop->subscriptions.registry, session);
    if (error == WSFAN_OK)
        *session_user = wsf_registry_pointer(&loop->subscriptions.registry, session);
    return error;
}

_Static_assert(WSFAN_POSITION_TEXT_SIZE == WSF_POSITION_TEXT_SIZE, "as history.h says");

/* The position of the session that is shown what it missed, or that of all others. */
static bool tell(const wsfan_loop *loop, wsfan_bytes chat, uint64_t hash, wsf_position *position) {
    const wsf_vector *seen;
    if (!wsf_replay_seen(loop, chat, &seen))
        return wsf_positions_tell(&loop->positions, hash, position);
    return seen != NULL && wsf_positions_tell_of(&loop->positions, seen, position);
}

int wsfan_chat_position(wsfan_loop *loop, wsfan_bytes chat, char text[WSFAN_POSITION_TEXT_SIZE]) {
    uint32_t audience;
    wsf_position position;
    int error = wsf_loop_check(loop);
    if (error != WSFAN_OK)
        return error;
    WSF_ALONE(loop, "wsfan_chat_position()");
    if (text == NULL)
        return WSFAN_EINVAL;
    if ((error = find(loop, WSFAN_CHAT, chat, &audience)) != WSFAN_OK)
        return error;
    if (loop->positions.key == NULL)
        return WSFAN_ENOTSUP;
    const wsf_audiences *audiences = &loop->subscriptions.registry.audiences;
    if (audience == WSF_TABLE_NONE || wsf_audiences_at(audiences, audience)->history_count == 0)
        return WSFAN_ENOENT;
    return tell(loop, chat, audiences->array[audience].hash, &position) &&
                   wsf_position_write(loop->positions.key, chat, &position, text) > 0
               ? WSFAN_OK
               : WSFAN_EAGAIN;
}
