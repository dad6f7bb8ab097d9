/* lists.c - wsfan nodes, chats, users, sessions, members: what the nodes answer, in tables. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

/* A session of a user. */
struct visit {
    char *user;
    size_t size;
    uint64_t node;
};

struct list {
    struct mesh mesh; /* the first, as mesh_open() wants it */
    const struct options *options;
    struct table table;
    wsfan_peer_stats *peers;
    size_t peers_count;
    struct visit *visits;
    size_t visits_count;
    wsfan_address
        newest;       /* session of the last visit: one with several chats comes in several rows */
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

/* Rows come in order of sessions. */
static void on_user(void *user, const wsfan_row *row) {
    struct list *list = user;
    if (!wanted(list, row) || row->user.size == 0 ||
        (row->address.node == list->newest.node && row->address.session == list->newest.session))
        return;
    list->newest = row->address;
    list->visits = make_room(list->visits, list->visits_count + 1, sizeof *list->visits);
    list->visits[list->visits_count++] = (struct visit){ copy_text(row->user.data, row->user.size),
                                                         row->user.size, row->address.node };
}

static int by_user(const struct visit *a, const struct visit *b) {
    int order = memcmp(a->user, b->user, a->size < b->size ? a->size : b->size);
    return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

static int by_user_and_node(const void *one, const void *two) {
    const struct visit *a = one;
    const struct visit *b = two;
    int order = by_user(a, b);
    return order != 0 ? order : (a->node > b->node) - (a->node < b->node);
}

/* A row for so many visits of one user. */
static void add_user(struct list *list, const struct visit *visits, size_t count) {
    char nodes[1024] = "";
    size_t size = 0;
    for (size_t i = 0; i < count && size < sizeof nodes - WSFAN_NODE_NAME_SIZE - 2; i++)
        if (i == 0 || visits[i].node != visits[i - 1].node)
            size += (size_t)snprintf(nodes + size, sizeof nodes - size, "%s%s", i > 0 ? ", " : "",
                                     name_of_node(list, visits[i].node));
    table_add(&list->table, visits->user, visits->size);
    table_add_count(&list->table, count);
    table_add_string(&list->table, nodes);
}

static void fill_users(struct list *list) {
    size_t end;
    if (list->visits_count > 0)
        qsort(list->visits, list->visits_count, sizeof *list->visits, by_user_and_node);
    for (size_t i = 0; i < list->visits_count; i = end) {
        for (end = i + 1;
             end < list->visits_count && by_user(&list->visits[i], &list->visits[end]) == 0;)
            end++;
        add_user(list, &list->visits[i], end - i);
    }
    for (size_t i = 0; i < list->visits_count; i++)
        free(list->visits[i].user);
    free(list->visits);
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
