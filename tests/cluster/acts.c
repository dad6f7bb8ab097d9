/* What a recorder does: sessions that come, join, leave and go, travellers, and messages to one chat, to two, to a chat and a
 * user, and to everyone. Whatever others may see of an act is written down before the act. */
#include <stdio.h>
#include <string.h>

#include "recorder_parts.h"

enum {
    STAYERS = 8, /* sessions that never leave, so that they miss what is lost */
    STAYERS_CHATS =
        2, /* and each is in so many chats; the rest is for interest that comes and goes */
    LARGE_ONE_IN = 200,    /* of the messages travels beside its frame, */
    LARGE_MIN = 48 * 1024, /* as it does from so many bytes on */
    KEYED_ONE_IN = 10,     /* is a latest value */
    SLOTS = 4,             /* their keys; each goes to a chat of its own */
    HISTORY_ONE_IN = 4,    /* of other joins is with history too */
    REWIND_MAX = 20
};

/* ------------------------------------------------------------------------------------- sessions */

static client *any_client(recorder *r) {
    client *who = &r->clients[recorder_below(r, SESSIONS_MAX)];
    return who->open ? who : NULL;
}

static bool stays(const recorder *r, const client *who) {
    return who - r->clients < STAYERS;
}

static unsigned count_chats(const client *who) {
    unsigned count = 0;
    for (uint32_t bits = who->chats; bits != 0; bits &= bits - 1)
        count++;
    return count;
}

void recorder_open_session(recorder *r) {
    client *who = &r->clients[recorder_below(r, SESSIONS_MAX)];
    if (who->open)
        return;
    uint8_t user = (uint8_t)recorder_below(r, EVENTS_USERS + 1); /* the last: none */
    bool named = user < EVENTS_USERS;
    *who = (client){ .open = true,
                     .number = r->sessions++,
                     .user = named ? user : EVENTS_NOBODY,
                     .loop = (unsigned)recorder_below(r, EVENTS_LOOPS) };
    recorder_write(r, (event){ .kind = EVENT_OPEN,
                               .session = who->number,
                               .loop = (uint8_t)who->loop,
                               .user = (int8_t)who->user });
    if (wsfan_session_open(&who->handle, r->loops[who->loop].loop,
                           (wsfan_bytes){ &user, named ? 1 : 0 }, who) != WSFAN_OK)
        recorder_broken(r, BROKEN_CALL, 1);
}

static void close_session(recorder *r) {
    client *who = any_client(r);
    if (who == NULL || stays(r, who))
        return;
    recorder_write(r, (event){ .kind = EVENT_CLOSE, .session = who->number });
    if (wsfan_session_close(r->loops[who->loop].loop, who->handle) != WSFAN_OK)
        recorder_broken(r, BROKEN_CALL, 2);
    who->open = false;
}

static void join(recorder *r) {
    client *who = any_client(r);
    uint8_t chat = (uint8_t)recorder_below(r, EVENTS_CHATS);
    if (who == NULL || (who->chats >> chat & 1) != 0 ||
        (stays(r, who) && count_chats(who) == STAYERS_CHATS))
        return;
    bool shown = who->user != EVENTS_NOBODY && recorder_below(r, 2) == 0;
    wsfan_join_options options = { .struct_size = sizeof options,
                                   .flags = shown ? WSFAN_PRESENCE : 0 };
    bool history = recorder_below(r, HISTORY_ONE_IN) == 0;
    options.flags |= history ? WSFAN_HISTORY : 0;
    who->chats |= 1u << chat;
    who->present |= (uint32_t)shown << chat;
    recorder_write(r, (event){ .kind = EVENT_JOIN,
                               .session = who->number,
                               .chat = chat,
                               .shown = shown,
                               .history = history });
    if (wsfan_session_join_with(r->loops[who->loop].loop, who->handle, name_of(&chat), &options) !=
        WSFAN_OK)
        recorder_broken(r, BROKEN_CALL, 3);
}

static void leave(recorder *r) {
    client *who = any_client(r);
    uint8_t chat = (uint8_t)recorder_below(r, EVENTS_CHATS);
    if (who == NULL || who->chats == 0 || stays(r, who))
        return;
    while ((who->chats >> chat & 1) == 0)
        chat = (uint8_t)((chat + 1) % EVENTS_CHATS);
    who->chats &= ~(1u << chat);
    who->present &= ~(1u << chat);
    recorder_write(r, (event){ .kind = EVENT_LEAVE, .session = who->number, .chat = chat });
    if (wsfan_session_leave(r->loops[who->loop].loop, who->handle, name_of(&chat)) != WSFAN_OK)
        recorder_broken(r, BROKEN_CALL, 4);
}

/* ----------------------------------------------------------------------------------- travellers */

/* Two texts, as history.h allows, or one. */
static wsfan_bytes position_of(recorder *r, const traveller_bag *bag, handed_kind *handed,
                               char text[2 * WSFAN_POSITION_TEXT_SIZE]) {
    *handed = bag->serial == 0 ? HANDED_NOTHING : HANDED_POSITION;
    snprintf(text, 2 * WSFAN_POSITION_TEXT_SIZE, "%s%s%s", bag->at_join,
             bag->at_join[0] != '\0' ? " " : "", bag->newest);
    size_t size = strlen(text);
    if (bag->serial != 0 && recorder_below(r, 32) == 0) {
        char *at = &text[recorder_below(r, 20)];
        *at = *at == 'A' ? 'B' : 'A';
        *handed = HANDED_RUBBISH;
    }
    return (wsfan_bytes){ text, bag->serial == 0 ? 0 : size };
}

static void arrive(recorder *r, client *who, traveller *as) {
    char text[2 * WSFAN_POSITION_TEXT_SIZE];
    traveller_bag bag;
    handed_kind handed;
    if (!traveller_take(as, r->log->config.life, recorder_below(r, 8) == 0, &bag))
        return;
    *who = (client){ .open = true,
                     .number = r->sessions++,
                     .user = EVENTS_NOBODY,
                     .loop = (unsigned)recorder_below(r, EVENTS_LOOPS),
                     .as = as };
    uint8_t chat = chat_of(r, who);
    wsfan_loop *loop = r->loops[who->loop].loop;
    wsfan_join_options options = { .struct_size = sizeof options, .flags = WSFAN_HISTORY };
    options.position = position_of(r, &bag, &handed, text);
    options.former = bag.former;
    options.rewind_count = recorder_below(r, 8) == 0 ? 1 + (uint32_t)recorder_below(r, REWIND_MAX)
                                                     : 0;
    recorder_write(r, (event){ .kind = EVENT_OPEN,
                               .session = who->number,
                               .loop = (uint8_t)who->loop,
                               .user = EVENTS_NOBODY });
    if (wsfan_session_open(&who->handle, loop, (wsfan_bytes){ NULL, 0 }, who) != WSFAN_OK)
        recorder_broken(r, BROKEN_CALL, 12);
    recorder_write(r, (event){ .kind = EVENT_JOIN,
                               .session = who->number,
                               .chat = chat,
                               .history = true,
                               .slot = (uint8_t)(1 + (who - r->guests)),
                               .handed = (uint8_t)handed,
                               .id = bag.node,
                               .number = bag.serial,
                               .size = options.rewind_count });
    if (wsfan_session_join_with(loop, who->handle, name_of(&chat), &options) != WSFAN_OK)
        recorder_broken(r, BROKEN_CALL, 13);
}

static void depart(recorder *r, client *who) {
    recorder_write(r, (event){ .kind = EVENT_CLOSE, .session = who->number });
    if (wsfan_session_close(r->loops[who->loop].loop, who->handle) != WSFAN_OK)
        recorder_broken(r, BROKEN_CALL, 14);
    who->open = false;
    uint64_t ms = UINT64_C(50) << recorder_below(r, 8);
    traveller_go(who->as, r->log->config.life, recorder_ns() + ms * 1000000);
}

/* One goes, or comes: from where it was away, or from another node, which may be frozen or cut off and is not asked. */
static void travel(recorder *r) {
    unsigned i = (unsigned)recorder_below(r, TRAVELLERS);
    traveller *as = &r->travellers->all[i];
    unsigned at = atomic_load(&as->at);
    if (r->guests[i].open) {
        if (recorder_below(r, 3) == 0)
            depart(r, &r->guests[i]);
    } else if (recorder_below(r, at == 0 ? 2 : 16) == 0 &&
               atomic_load(&as->due_ns) <= recorder_ns()) {
        arrive(r, &r->guests[i], as);
    }
}

void recorder_let_go(recorder *r) {
    for (unsigned i = 0; i < TRAVELLERS; i++)
        if (r->guests[i].open && atomic_load(&r->guests[i].as->at) != r->log->config.life)
            depart(r, &r->guests[i]);
}

void recorder_act(recorder *r) {
    uint64_t dice = recorder_below(r, 100);
    if (recorder_below(r, 4) == 0)
        travel(r);
    else if (dice < 40)
        join(r);
    else if (dice < 82) /* as often, so that a session is in few */
        leave(r);
    else if (dice < 92)
        recorder_open_session(r);
    else
        close_session(r);
}

/* -------------------------------------------------------------------------------------- publish */

static size_t choose_targets(recorder *r, event *e, wsfan_target targets[2], uint8_t names[2]) {
    uint64_t dice = recorder_below(r, 20);
    e->user = EVENTS_NOBODY;
    if (dice == 0) {
        e->all = true;
        targets[0] = (wsfan_target){ WSFAN_ALL, { NULL, 0 } };
        return 1;
    }
    names[0] = (uint8_t)recorder_below(r, EVENTS_CHATS);
    e->chats = 1u << names[0];
    targets[0] = (wsfan_target){ WSFAN_CHAT, name_of(&names[0]) };
    if (dice > 3)
        return 1;
    bool user = dice == 1;
    names[1] = (uint8_t)recorder_below(r, user ? EVENTS_USERS : EVENTS_CHATS);
    targets[1] = (wsfan_target){ user ? WSFAN_USER : WSFAN_CHAT, name_of(&names[1]) };
    if (user)
        e->user = (int8_t)names[1];
    else
        e->chats |= 1u << names[1];
    return 2;
}

/* A newer value takes the place of an older one only where both have the same targets and key. */
static size_t choose_slot(recorder *r, event *e, wsfan_target targets[1], uint8_t names[1]) {
    e->slot = (uint8_t)(1 + recorder_below(r, SLOTS));
    e->user = EVENTS_NOBODY;
    names[0] = e->slot;
    e->chats = 1u << names[0];
    targets[0] = (wsfan_target){ WSFAN_CHAT, name_of(&names[0]) };
    return 1;
}

void recorder_publish(recorder *r) {
    static uint8_t payload[PAYLOAD_BYTES_MAX];
    event e = { .kind = EVENT_PUBLISH, .number = r->published++, .except = UINT32_MAX };
    wsfan_target targets[2];
    uint8_t names[2];
    wsfan_publish_options options = { .struct_size = sizeof options };
    bool keyed = recorder_below(r, KEYED_ONE_IN) == 0;
    size_t count = keyed ? choose_slot(r, &e, targets, names)
                         : choose_targets(r, &e, targets, names);
    if (keyed)
        options.key = name_of(&e.slot);
    const client *who = recorder_below(r, 4) == 0 ? &r->guests[recorder_below(r, TRAVELLERS)]
                                                  : any_client(r);
    if (who != NULL && who->open && recorder_below(r, 4) == 0) {
        e.except = who->number;
        options.except = wsfan_session_address(r->loops[who->loop].loop, who->handle);
    }
    if (!keyed && recorder_below(r, 8) == 0) {
        e.asked = true;
        options.result_loop = r->loops[recorder_below(r, EVENTS_LOOPS)].loop;
        options.result_user = (void *)(uintptr_t)e.number;
    }
    bool large = recorder_below(r, LARGE_ONE_IN) == 0;
    e.size = PAYLOAD_HEAD +
             (uint32_t)(large ? LARGE_MIN +
                                    recorder_below(r, PAYLOAD_BYTES_MAX - LARGE_MIN - PAYLOAD_HEAD)
                              : recorder_below(r, r->log->config.payload_size_max));
    payload_fill(payload, e.size, r->id, e.number);
    recorder_write(r, e);
    int error = wsfan_publish(r->node, targets, count, (wsfan_bytes){ payload, e.size }, &options);
    if (error != WSFAN_OK) {
        recorder_write(r, (event){ .kind = EVENT_REFUSED, .number = e.number });
        if (error != WSFAN_EAGAIN && error != WSFAN_ELIMIT)
            recorder_broken(r, BROKEN_CALL, 5);
        return;
    }
    r->accepted++;
    r->results_due += e.asked;
}
