/* Answers for what a host asks about the sessions of its own loop, without asking the mesh. Changes
 * nothing. */
#include <string.h>
#include <wsfan/registry.h>

#include "loop/loop.h"

static int find(const wsf_loop_look *look, wsfan_target_kind kind, wsfan_bytes name,
                uint32_t *audience) {
    if (name.size == 0 || name.data == NULL)
        return WSFAN_EINVAL;
    if (name.size > look->name_bytes_max)
        return WSFAN_ETOOBIG;
    wsfan_target target = { kind, name };
    *audience = wsf_registry_find(look->registry, &target, wsf_hash_target(look->key, &target));
    return WSFAN_OK;
}

static size_t copy_all(const wsf_registry *registry, wsfan_recipient *sessions, size_t capacity) {
    size_t count = 0;
    for (uint32_t slot = 0; slot < registry->sessions_used && count < capacity; slot++)
        if (wsf_registry_at(registry, slot, &sessions[count]))
            count++;
    return registry->sessions_count;
}

static size_t copy_audience(const wsf_registry *registry, uint32_t i, wsfan_recipient *sessions,
                            size_t capacity) {
    if (i == WSF_TABLE_NONE)
        return 0;
    const wsf_audience *audience = wsf_registry_audience(registry, i);
    size_t count = audience->members_count < capacity ? audience->members_count : capacity;
    if (count > 0)
        memcpy(sessions, audience->members, count * sizeof *sessions);
    return audience->members_count;
}

int wsfan_loop_get_sessions(wsfan_loop *loop, const wsfan_target *target, wsfan_recipient *sessions,
                            size_t capacity, size_t *count) {
    wsf_loop_look look;
    uint32_t audience;
    int error = wsf_loop_look_in(loop, &look);
    if (error != WSFAN_OK)
        return error;
    if (target == NULL || count == NULL || (sessions == NULL && capacity > 0))
        return WSFAN_EINVAL;
    if (target->kind == WSFAN_ALL && target->name.size == 0) {
        *count = copy_all(look.registry, sessions, capacity);
        return WSFAN_OK;
    }
    if (target->kind != WSFAN_CHAT && target->kind != WSFAN_USER)
        return WSFAN_EINVAL;
    error = find(&look, target->kind, target->name, &audience);
    if (error == WSFAN_OK)
        *count = copy_audience(look.registry, audience, sessions, capacity);
    return error;
}

int wsfan_session_is_in(wsfan_loop *loop, wsfan_session session, wsfan_bytes chat) {
    wsf_loop_look look;
    uint32_t audience;
    uint32_t member_of;
    int error = wsf_loop_look_in(loop, &look);
    if (error == WSFAN_OK)
        error = find(&look, WSFAN_CHAT, chat, &audience);
    if (error == WSFAN_OK)
        error = wsf_registry_check(look.registry, session);
    if (error != WSFAN_OK)
        return error;
    uint32_t i = 0;
    while ((member_of = wsf_registry_membership(look.registry, session, i)) != WSF_TABLE_NONE &&
           member_of != audience)
        i++;
    return member_of != WSF_TABLE_NONE ? WSFAN_OK : WSFAN_ENOENT;
}

int wsfan_session_get_pointer(wsfan_loop *loop, wsfan_session session, void **session_user) {
    wsf_loop_look look;
    int error = wsf_loop_look_in(loop, &look);
    if (error == WSFAN_OK && session_user == NULL)
        error = WSFAN_EINVAL;
    if (error == WSFAN_OK)
        error = wsf_registry_check(look.registry, session);
    if (error == WSFAN_OK)
        *session_user = wsf_registry_pointer(look.registry, session);
    return error;
}
