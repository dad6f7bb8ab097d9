/* The public functions of sessions: checks of arguments, and glue. */
#include <string.h>

#include "base/sized.h"
#include "loop/loop.h"

static int check_name(const wsfan_loop *loop, wsfan_bytes name) {
    if (name.data == NULL && name.size > 0)
        return WSFAN_EINVAL;
    return name.size > loop->name_bytes_max ? WSFAN_ETOOBIG : WSFAN_OK;
}

int wsfan_session_open(wsfan_session *session, wsfan_loop *loop, wsfan_bytes user,
                       void *session_user) {
    int error = wsf_loop_check(loop);
    if (error != WSFAN_OK)
        return error;
    WSF_ALONE(loop, "wsfan_session_open()");
    if (session == NULL || loop->publisher_only)
        return WSFAN_EINVAL;
    if (atomic_load(&loop->draining))
        return WSFAN_ECLOSED;
    if ((error = check_name(loop, user)) != WSFAN_OK)
        return error;

    wsfan_target target = { WSFAN_USER, user };
    uint64_t hash = user.size > 0 ? wsf_hash_target(loop->node.key, &target) : 0;
    error = wsf_subscriptions_open(&loop->subscriptions, session_user,
                                   user.size > 0 ? &target : NULL, hash, session);
    wsf_loop_tell_counts(loop);
    return error;
}

int wsfan_session_close(wsfan_loop *loop, wsfan_session session) {
    int error = wsf_loop_check(loop);
    if (error != WSFAN_OK)
        return error;
    WSF_ALONE(loop, "wsfan_session_close()");
    error = wsf_subscriptions_close(&loop->subscriptions, session);
    wsf_loop_tell_counts(loop);
    return error;
}

static int check_chat(const wsfan_loop *loop, wsfan_bytes chat) {
    int error = wsf_loop_check(loop);
    if (error != WSFAN_OK)
        return error;
    return chat.size == 0 ? WSFAN_EINVAL : check_name(loop, chat);
}

static int check_metadata(const wsfan_loop *loop, wsfan_bytes metadata) {
    if (metadata.data == NULL && metadata.size > 0)
        return WSFAN_EINVAL;
    return metadata.size > loop->metadata_bytes_max ? WSFAN_ETOOBIG : WSFAN_OK;
}

int wsfan_session_join(wsfan_loop *loop, wsfan_session session, wsfan_bytes chat) {
    return wsfan_session_join_with(loop, session, chat, NULL);
}

/* Whether the flags are known, and WSFAN_HISTORY is there for what needs it. */
static bool check_history(const wsfan_join_options *options) {
    if ((options->flags & ~(WSFAN_PRESENCE | WSFAN_HISTORY)) != 0 ||
        (options->position.data == NULL && options->position.size > 0))
        return false;
    return (options->flags & WSFAN_HISTORY) != 0 ||
           (options->position.size == 0 && options->rewind_count == 0 && options->former.node == 0);
}

static wsf_recovery *new_recovery(const wsfan_loop *loop, const wsfan_join_options *options,
                                  wsfan_bytes chat, uint64_t hash) {
    wsf_recovery *recovery = wsf_recovery_new(chat, options->position);
    if (recovery == NULL)
        return NULL;
    recovery->hash = hash;
    recovery->loop = (uint8_t)loop->index;
    recovery->rewind_count = options->rewind_count;
    recovery->former = options->former;
    recovery->verdict = loop->node.position_key == NULL ? WSFAN_RECOVERY_OFF : WSFAN_RECOVERY_NONE;
    return recovery;
}

int wsfan_session_join_with(wsfan_loop *loop, wsfan_session session, wsfan_bytes chat,
                            const wsfan_join_options *given) {
    wsfan_join_options options = { 0 };
    int error = check_chat(loop, chat);
    if (error != WSFAN_OK)
        return error;
    WSF_ALONE(loop, "wsfan_session_join()");
    if (given != NULL && !wsf_read_sized(&options, sizeof options, given))
        return WSFAN_EINVAL;
    if (!check_history(&options))
        return WSFAN_EINVAL;
    if ((error = check_metadata(loop, options.metadata)) != WSFAN_OK)
        return error;
    if (atomic_load(&loop->draining))
        return WSFAN_ECLOSED;
    wsfan_target target = { WSFAN_CHAT, chat };
    uint64_t hash = wsf_hash_target(loop->node.key, &target);
    wsf_recovery *recovery = NULL;
    if ((options.flags & WSFAN_HISTORY) != 0 &&
        (recovery = new_recovery(loop, &options, chat, hash)) == NULL)
        return WSFAN_ENOMEM;
    if ((options.flags & WSFAN_PRESENCE) == 0)
        error = wsf_subscriptions_join(&loop->subscriptions, session, &target, hash, recovery);
    else
        error = wsf_subscriptions_join_present(&loop->subscriptions, session, &target, hash,
                                               options.metadata, recovery);
    wsf_loop_tell_counts(loop);
    return error;
}

int wsfan_session_set_metadata(wsfan_loop *loop, wsfan_session session, wsfan_bytes chat,
                               wsfan_bytes metadata) {
    int error = check_chat(loop, chat);
    if (error == WSFAN_OK)
        error = check_metadata(loop, metadata);
    if (error != WSFAN_OK)
        return error;
    WSF_ALONE(loop, "wsfan_session_set_metadata()");
    wsfan_target target = { WSFAN_CHAT, chat };
    return wsf_subscriptions_set_metadata(&loop->subscriptions, session, &target,
                                          wsf_hash_target(loop->node.key, &target), metadata);
}

int wsfan_session_leave(wsfan_loop *loop, wsfan_session session, wsfan_bytes chat) {
    int error = wsf_loop_check(loop);
    if (error != WSFAN_OK)
        return error;
    if (chat.size == 0 || chat.data == NULL)
        return WSFAN_EINVAL;
    WSF_ALONE(loop, "wsfan_session_leave()");
    wsfan_target target = { WSFAN_CHAT, chat };
    error = wsf_subscriptions_leave(&loop->subscriptions, session, &target,
                                    wsf_hash_target(loop->node.key, &target));
    wsf_loop_tell_counts(loop);
    return error;
}

wsfan_address wsfan_session_address(const wsfan_loop *loop, wsfan_session session) {
    return (wsfan_address){ loop->node.node, session.id };
}
