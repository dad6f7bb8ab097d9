/* lists.c - wsfan nodes, chats, users, sessions, members: what the nodes answer, in tables. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

/* Rows of one user in several sessions and nodes, put together. */
struct user {
    char *name;
    size_t size;
    uint64_t sessions;
    uint64_t nodes[WSFAN_PEERS_MAX];
    unsigned nodes_count;
    uint64_t
        newest; /* session that was counted last: one with several chats comes in several rows */
};

struct list {
    struct mesh mesh; /* the first, as mesh_open() wants it */
    const struct options *options;
    struct table table;
    wsfan_peer_stats *peers;
    size_t peers_count;
    struct user *users;
    size_t users_count;
    wsfan_bytes chat; /* not empty: only rows of it */
};

static const char *name_of_node(const struct list *list, uint64_t id) {
    static char text[WSFAN_ADDRESS_TEXT_SIZE];
    for (size_t i = 0; i < list->peers_count; i++)
        if (list->peers[i].node == id && list->peers[i].name[0] != '\0')
            return list->peers[i].name;
    return wsfan_address_text((wsfan_address){ id, 0 }, text);
}

static bool same(wsfan_bytes one, const void *data, size_t size) {
    return one.size == size && (size == 0 || memcmp(one.data, data, size) == 0);
}

static bool wanted(const struct list *list, const wsfan_row *row) {
    return list->chat.size == 0 || same(list->chat, row->name.data, row->name.size);
}

/* ------------------------------------------------------------------------------------------------- rows */

static void on_node(void *user, const wsfan_row *row) {
    struct list *list = user;
    char text[WSFAN_ADDRESS_TEXT_SIZE];
    if (row->address.node == wsfan_node_id(list->mesh.node))
        return;
    table_add(&list->table, row->name.data, row->name.size);
    table_add_string(&list->table, wsfan_address_text(row->address, text));
    const wsfan_peer_stats *peer = NULL;
    for (size_t i = 0; i < list->peers_count; i++)
        if (list->peers[i].node == row->address.node)
            peer = &list->peers[i];
    table_add_string(&list->table, peer != NULL ? peer->endpoint : "");
    table_add_string(&list->table, peer != NULL ? wsfan_peer_event_text(peer->state) : "unknown");
    table_add_count(&list->table, row->sessions);
}

static void on_chat(void *user, const wsfan_row *row) {
    struct list *list = user;
    table_add(&list->table, row->name.data, row->name.size);
    table_add_count(&list->table, row->sessions);
}

static void on_session(void *user, const wsfan_row *row) {
    struct list *list = user;
    char text[WSFAN_ADDRESS_TEXT_SIZE];
    if (!wanted(list, row))
        return;
    table_add_string(&list->table, wsfan_address_text(row->address, text));
    table_add_string(&list->table, name_of_node(list, row->address.node));
    table_add(&list->table, row->user.data, row->user.size);
    table_add(&list->table, row->name.data, row->name.size);
}

static struct user *find_user(struct list *list, wsfan_bytes name) {
    for (size_t i = list->users_count; i-- > 0;)
        if (same(name, list->users[i].name, list->users[i].size))
            return &list->users[i];
    list->users = make_room(list->users, list->users_count + 1, sizeof *list->users);
    struct user *user = &list->users[list->users_count++];
    *user = (struct user){ .name = copy_text(name.data, name.size), .size = name.size };
    return user;
}

/* Rows come in order of sessions. */
static void on_user(void *arg, const wsfan_row *row) {
    struct list *list = arg;
    if (!wanted(list, row) || row->user.size == 0)
        return;
    struct user *user = find_user(list, row->user);
    bool known = false;
    for (unsigned i = 0; i < user->nodes_count; i++)
        known = known || user->nodes[i] == row->address.node;
    if (known && user->newest == row->address.session)
        return;
    if (!known && user->nodes_count < WSFAN_PEERS_MAX)
        user->nodes[user->nodes_count++] = row->address.node;
    user->sessions++;
    user->newest = row->address.session;
}

static int by_name(const void *one, const void *two) {
    const struct user *a = one;
    const struct user *b = two;
    int order = memcmp(a->name, b->name, a->size < b->size ? a->size : b->size);
    return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

static void fill_users(struct list *list) {
    if (list->users_count > 0)
        qsort(list->users, list->users_count, sizeof *list->users, by_name);
    for (size_t i = 0; i < list->users_count; i++) {
        struct user *user = &list->users[i];
        char nodes[1024] = "";
        size_t size = 0;
        for (unsigned n = 0;
             n < user->nodes_count && size < sizeof nodes - WSFAN_NODE_NAME_SIZE - 2; n++)
            size += (size_t)snprintf(nodes + size, sizeof nodes - size, "%s%s", n > 0 ? ", " : "",
                                     name_of_node(list, user->nodes[n]));
        table_add(&list->table, user->name, user->size);
        table_add_count(&list->table, user->sessions);
        table_add_string(&list->table, nodes);
        free(user->name);
    }
    free(list->users);
}

/* ---------------------------------------------------------------------------------------------- commands */

/* What is asked for by --user, --chat or --node. */
static bool choose_target(struct list *list, wsfan_target *target,
                          char text[WSFAN_ADDRESS_TEXT_SIZE]) {
    const struct options *options = list->options;
    const char *chat = options->command == MEMBERS ? options->arguments[0] : options->chat;
    *target = (wsfan_target){ WSFAN_ALL, { NULL, 0 } };
    if (chat != NULL) {
        *target = (wsfan_target){ WSFAN_CHAT, wsfan_string(chat) };
        list->chat = target->name;
    } else if (options->user != NULL) {
        *target = (wsfan_target){ WSFAN_USER, wsfan_string(options->user) };
    } else if (options->node != NULL) {
        uint64_t id = mesh_find(&list->mesh, options->node);
        if (id == 0) {
            complain("there is no node %s", options->node);
            return false;
        }
        *target = (wsfan_target){ WSFAN_NODE, wsfan_string(wsfan_address_text(
                                                  (wsfan_address){ id, 0 }, text)) };
    }
    return true;
}

static int fill(struct list *list, const wsfan_target *target) {
    static const char *const nodes[] = { "NODE", "ID", "ENDPOINT", "STATE", ">SESSIONS" };
    static const char *const chats[] = { "CHAT", ">SESSIONS" };
    static const char *const users[] = { "USER", ">SESSIONS", "NODES" };
    static const char *const sessions[] = { "SESSION", "NODE", "USER", "CHAT" };
    int status;
    switch (list->options->command) {
    case NODES:
        list->table = (struct table){ .titles = nodes, .columns = 5 };
        break;
    case CHATS:
        list->table = (struct table){ .titles = chats, .columns = 2 };
        break;
    case SESSIONS:
        list->table = (struct table){ .titles = sessions, .columns = 4 };
        break;
    default:
        list->table = (struct table){ .titles = users, .columns = 3 };
    }
    list->table.json = list->options->json;
    if (list->options->command == NODES)
        return mesh_list(&list->mesh, WSFAN_REQUEST_NODES, NULL, on_node, list);
    if (list->options->command == CHATS)
        return mesh_list(&list->mesh, WSFAN_REQUEST_CHATS, target, on_chat, list);
    if (list->options->command == SESSIONS)
        return mesh_list(&list->mesh, WSFAN_REQUEST_SESSIONS, target, on_session, list);
    status = mesh_list(&list->mesh, WSFAN_REQUEST_SESSIONS, target, on_user, list);
    fill_users(list);
    return status;
}

int list_run(const struct options *options) {
    struct list list = { .options = options };
    wsfan_target target;
    char text[WSFAN_ADDRESS_TEXT_SIZE];
    int status = mesh_join(&list.mesh, options, (wsfan_callbacks){ 0 }, &list);
    if (status != STATUS_OK)
        return status;
    list.peers = mesh_peers(&list.mesh, &list.peers_count);
    if (choose_target(&list, &target, text)) {
        status = fill(&list, &target);
        if (options->command == NODES)
            table_sort(&list.table);
        table_print(&list.table);
        if (status == STATUS_PARTIAL)
            complain("this is not all: some nodes did not answer");
    } else {
        status = STATUS_BAD_ARGUMENT;
    }
    free(list.peers);
    status = mesh_status(&list.mesh, status);
    mesh_close(&list.mesh);
    return status;
}
