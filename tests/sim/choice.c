/* Random targets: everything that a message or a request can say, in any combination. */
#include "crew.h"

static void add_name(choice *c, wsfan_target_kind kind, uint64_t name) {
    c->names[c->count][0] = (char)name;
    c->targets[c->count] = (wsfan_target){ kind, { c->names[c->count], kind != WSFAN_ALL } };
    c->count++;
}

static void add_address(choice *c, wsfan_target_kind kind, wsfan_address address) {
    wsfan_address_text(address, c->names[c->count]);
    c->targets[c->count] = (wsfan_target){ kind, wsfan_string(c->names[c->count]) };
    c->count++;
}

/* A running node and a session on it; false: the chosen place has none. */
static bool any_address(hosts *h, unsigned *node, const client **who, wsfan_address *address) {
    *node = (unsigned)world_random(h->world, h->used);
    for (unsigned i = 0; i < h->used && !h->hosts[*node].running; i++)
        *node = (*node + 1) % h->used;
    *who = h->hosts[*node].running ? hosts_any(h, *node) : NULL;
    if (*who == NULL)
        return false;
    *address = (wsfan_address){ world_node_id(h->world, *node), (*who)->handle.id };
    return true;
}

/* Mostly one chat; else everyone, another chat or a user besides, one session, or one node. */
static void choose_named(hosts *h, unsigned chats, choice *c) {
    uint64_t dice = world_random(h->world, 20);
    unsigned node;
    const client *who;
    wsfan_address address;
    if (dice == 0) {
        c->ledger.all = true;
        add_name(c, WSFAN_ALL, 0);
    } else if (dice <= 2 && any_address(h, &node, &who, &address)) {
        c->ledger.session = dice == 1 ? who->number : UINT32_MAX;
        c->ledger.life = dice == 2 ? h->hosts[node].life : UINT32_MAX;
        address.session = dice == 1 ? address.session : 0;
        add_address(c, dice == 1 ? WSFAN_SESSION : WSFAN_NODE, address);
    }
    if (c->count > 0 && world_random(h->world, 3) != 0)
        return;
    uint64_t chat = world_random(h->world, chats);
    c->ledger.chats = 1u << chat;
    add_name(c, WSFAN_CHAT, chat);
    if (dice == 3) {
        c->ledger.user = (int)world_random(h->world, HOSTS_USERS);
        add_name(c, WSFAN_USER, (uint64_t)c->ledger.user + 1);
    } else if (dice <= 5) {
        chat = world_random(h->world, chats);
        c->ledger.chats |= 1u << chat;
        add_name(c, WSFAN_CHAT, chat);
    }
}

/* Mostly leaves nobody out; else one session by `except`, or any other targets. */
static void choose_left_out(hosts *h, unsigned chats, choice *c) {
    unsigned node;
    const client *who;
    wsfan_address address;
    uint64_t dice = world_random(h->world, 16);
    if (dice < 4 && any_address(h, &node, &who, &address)) {
        c->ledger.except = who->number;
        c->except = address;
    } else if (dice == 4) {
        uint64_t chat = world_random(h->world, chats);
        c->ledger.not_chats = 1u << chat;
        add_name(c, WSFAN_NOT_CHAT, chat);
    } else if (dice == 5) {
        c->ledger.not_user = (int)world_random(h->world, HOSTS_USERS);
        add_name(c, WSFAN_NOT_USER, (uint64_t)c->ledger.not_user + 1);
    } else if (dice == 6 && any_address(h, &node, &who, &address)) {
        c->ledger.not_life = h->hosts[node].life;
        add_address(c, WSFAN_NOT_NODE, (wsfan_address){ address.node, 0 });
    } else if (dice == 7) {
        for (int i = 0; c->count < TARGETS_MAX && any_address(h, &node, &who, &address); i++) {
            c->ledger.not_sessions[i] = who->number;
            add_address(c, WSFAN_NOT_SESSION, address);
        }
    }
}

void choice_make(hosts *h, unsigned chats, choice *c) {
    *c = (choice){ .ledger = ledger_nobody() };
    choose_named(h, chats, c);
    choose_left_out(h, chats, c);
}

void choice_make_session(hosts *h, choice *c) {
    unsigned node;
    const client *who;
    wsfan_address address;
    *c = (choice){ .ledger = ledger_nobody() };
    if (!any_address(h, &node, &who, &address))
        return;
    c->ledger.session = who->number;
    add_address(c, WSFAN_SESSION, address);
}

void choice_make_chat(unsigned chat, choice *c) {
    *c = (choice){ .ledger = ledger_nobody() };
    c->ledger.chats = 1u << chat;
    add_name(c, WSFAN_CHAT, chat);
}
