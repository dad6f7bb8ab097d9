/* The public functions that ask this node who is in a chat: checks of arguments, and glue. */
#include <stddef.h>
#include <string.h>
#include <wsfan/presence.h>

#include "api/node.h"
#include "base/sized.h"

static int check_chat(const wsfan_node *node, wsfan_bytes chat, uint64_t *hash) {
    int error = wsf_node_check(node);
    if (error != WSFAN_OK)
        return error;
    if (chat.size == 0 || chat.data == NULL)
        return WSFAN_EINVAL;
    if (chat.size > wsf_node_options(node)->name_bytes_max)
        return WSFAN_ETOOBIG;
    *hash = wsf_hash_target(wsf_node_key(node), &(wsfan_target){ WSFAN_CHAT, chat });
    return WSFAN_OK;
}

int wsfan_chat_get_count(wsfan_node *node, wsfan_bytes chat, wsfan_count *count) {
    uint64_t hash;
    int error = check_chat(node, chat, &hash);
    if (error != WSFAN_OK)
        return error;
    if (!WSF_IS_SIZED(count))
        return WSFAN_EINVAL;
    if (count->struct_size == sizeof *count) {
        wsf_mesh_count(wsf_node_mesh(node), hash, count);
        return WSFAN_OK;
    }
    wsfan_count all = { .struct_size = count->struct_size };
    wsf_mesh_count(wsf_node_mesh(node), hash, &all);
    size_t room = all.struct_size > offsetof(wsfan_count, missing)
                      ? (all.struct_size - offsetof(wsfan_count, missing)) / sizeof *all.missing
                      : 0;
    if (all.missing_count > room) /* the host's struct is of a version with fewer */
        all.missing_count = (uint32_t)room;
    wsf_fill_sized(count, all.struct_size, &all, sizeof all);
    return WSFAN_OK;
}

int wsfan_chat_members(wsfan_node *node, wsfan_bytes chat, uint64_t *cursor, uint32_t max,
                       void (*each)(void *user, const wsfan_member *member), void *user) {
    uint64_t hash;
    int error = check_chat(node, chat, &hash);
    if (error != WSFAN_OK)
        return error;
    if (cursor == NULL || max == 0 || each == NULL)
        return WSFAN_EINVAL;
    wsf_mesh_visit(wsf_node_mesh(node), hash, cursor, max, each, user);
    return WSFAN_OK;
}
