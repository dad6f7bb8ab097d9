/* Uses the public headers alone, as a host would: one thread, two loops, sessions that come, join, leave and go,
 * and messages to one chat, to two, to a chat and a user, and to everyone.
 *
 * Whatever others may see of an act is written down before the act. */
#include "recorder.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <wsfan/peers.h>
#include <wsfan/presence.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>

#include "dice.h"
#include "travellers.h"

enum {
    SESSIONS_MAX = 24, /* open at a time */
    STAYERS = 8,       /* of these never leave, so that they miss what is lost */
    STAYERS_CHATS =
        2, /* and each is in so many chats; the rest is for interest that comes and goes */
    ACTS_PER_S = 40,
    STEP_MS = 5,
    SLEPT_MS = 500, /* between two steps: it was stopped */
    LOOK_MS = 100,  /* between two looks at its own counters */
    PEERS_MAX = 64,
    DNS_INTERVAL_MS = 1000,
    WINDOW_BYTES = 64 * 1024, /* small, as the queue, so that a cut of seconds costs messages */
    QUEUE_BYTES = 512 * 1024,
    QUEUE_COUNT = 64,
    CONTROL_BYTES = 128 * 1024,
    FRAME_BYTES_MAX = 128 * 1024,
    PAYLOAD_BYTES_MAX = 64 * 1024,
    LARGE_ONE_IN = 200,    /* of the messages travels beside its frame, */
    LARGE_MIN = 48 * 1024, /* as it does from so many bytes on */
    KEYED_ONE_IN = 10,     /* is a latest value */
    SLOTS = 4,             /* their keys; each goes to a chat of its own */
    HEAD = 12,             /* of a payload: the publisher's id and its number */
    HISTORY_ONE_IN = 4,    /* of other joins is with history too */
    REWIND_MAX = 20
};

typedef struct {
    bool open;
    uint32_t number;
    unsigned loop;
    wsfan_session handle;
    int user;
    uint32_t chats;   /* bits */
    uint32_t present; /* bits: and shown there */
    traveller *as;    /* NULL: it stays here; else it is nothing but this, in one chat */
    traveller_bag bag;
    bool told; /* what became of its position: until then that of its loop is not its own */
    uint32_t to_replay;
} client;

typedef struct {
    struct recorder *owner;
    unsigned index;
    wsfan_loop *loop;
} thread;

typedef struct recorder {
    life_log *log;
    uint64_t random;
    wsfan_node *node;
    uint64_t id;
    thread loops[EVENTS_LOOPS];
    client clients[SESSIONS_MAX];
    travellers *travellers;
    client guests[TRAVELLERS];
    uint32_t positions;
    uint32_t sessions;
    uint32_t published;
    uint64_t accepted;
    unsigned results_due;
    uint64_t rested[PEERS_MAX]; /* nodes for which nothing waited at a look since it is quiet */
    unsigned rested_count;
    uint64_t looked_ns;
} recorder;

/* ---------------------------------------------------------------------------------------- clock */

static const life_log *dated_by; /* NULL: by the system alone */

/* In place of libc's, for the library too: no namespace has a wall clock of its own. */
int clock_gettime(clockid_t clock, struct timespec *at) {
    int status = (int)syscall(SYS_clock_gettime, clock, at);
    if (status == 0 && clock == CLOCK_REALTIME && dated_by != NULL)
        at->tv_sec += (time_t)atomic_load(&dated_by->wall_s);
    return status;
}

uint64_t recorder_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static uint64_t random_below(recorder *r, uint64_t below) {
    return dice_below(&r->random, below);
}

/* ----------------------------------------------------------------------------------------- log */

static void write_event(recorder *r, event value) {
    unsigned count = atomic_load_explicit(&r->log->count, memory_order_relaxed);
    if (count - atomic_load(&r->log->read) == EVENTS_MAX)
        abort(); /* the test sees a recorder that died by itself */
    if (value.ns == 0)
        value.ns = recorder_ns();
    r->log->events[count % EVENTS_MAX] = value;
    atomic_store_explicit(&r->log->count, count + 1, memory_order_release);
}

static void broken(recorder *r, recorder_fault what, uint64_t count) {
    write_event(r, (event){ .kind = EVENT_BROKEN, .number = (uint32_t)what, .count = count });
}

/* ------------------------------------------------------------------------------------- payloads */

/* Who published it and its number, then bytes that follow from both. */
static uint8_t pattern(uint64_t id, uint32_t number, uint32_t i) {
    return (uint8_t)(id + number * 31 + i);
}

static void fill(uint8_t *payload, uint32_t size, uint64_t id, uint32_t number) {
    memcpy(payload, &id, sizeof id);
    memcpy(payload + sizeof id, &number, sizeof number);
    for (uint32_t i = HEAD; i < size; i++)
        payload[i] = pattern(id, number, i);
}

static bool read_payload(wsfan_bytes payload, uint64_t *id, uint32_t *number) {
    const uint8_t *bytes = payload.data;
    if (payload.size < HEAD)
        return false;
    memcpy(id, bytes, sizeof *id);
    memcpy(number, bytes + sizeof *id, sizeof *number);
    for (uint32_t i = HEAD; i < payload.size; i++)
        if (bytes[i] != pattern(*id, *number, i))
            return false;
    return true;
}

static wsfan_bytes name_of(const uint8_t *byte) {
    return (wsfan_bytes){ byte, 1 };
}

static uint8_t chat_of(const recorder *r, const client *guest) {
    return (uint8_t)((guest - r->guests) % TRAVELLERS_CHATS);
}

/* ------------------------------------------------------------------------------------ callbacks */

/* A traveller keeps the newest position, and as that of its join the one behind what was replayed. Written down before
 * others may take it. */
static void keep_position(thread *at, client *who, bool of_join) {
    recorder *r = at->owner;
    char text[WSFAN_POSITION_TEXT_SIZE];
    uint8_t chat = chat_of(r, who);
    int error = wsfan_chat_position(at->loop, name_of(&chat), text);
    if (error != WSFAN_OK) {
        if (error != WSFAN_EAGAIN && error != WSFAN_ENOTSUP)
            broken(r, BROKEN_CALL, 11);
        if (of_join)
            who->bag.at_join[0] = '\0'; /* that before it claims less than was got */
        return;
    }
    memcpy(who->bag.newest, text, strlen(text) + 1);
    if (of_join)
        memcpy(who->bag.at_join, text, strlen(text) + 1);
    who->bag.node = r->id;
    who->bag.serial = ++r->positions;
    who->bag.former = wsfan_session_address(at->loop, who->handle);
    write_event(r, (event){ .kind = EVENT_POSITION,
                            .session = who->number,
                            .chat = chat,
                            .number = who->bag.serial,
                            .whole = who->bag.at_join[0] != '\0' });
    traveller_keep(who->as, r->log->config.life, &who->bag, random_below(r, 64) == 0);
}

static void take_message(thread *at, client *who, bool replayed) {
    bool of_join = who->to_replay > 0;
    who->to_replay -= of_join && replayed;
    if (who->told)
        keep_position(at, who, of_join);
}

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    thread *at = user;
    uint64_t id;
    uint32_t number;
    wsfan_bytes payload = wsfan_message_payload(message);
    if (!read_payload(payload, &id, &number) || id != wsfan_message_get_id(message).origin) {
        write_event(at->owner, (event){ .kind = EVENT_DAMAGED });
        return;
    }
    bool replayed = (wsfan_message_flags(message) & WSFAN_REPLAYED) != 0;
    for (size_t i = 0; i < count; i++) {
        client *who = recipients[i].session_user;
        write_event(at->owner, (event){ .kind = EVENT_DELIVERED,
                                        .session = who->number,
                                        .id = id,
                                        .number = number,
                                        .size = (uint32_t)payload.size,
                                        .replayed = replayed });
        take_message(at, who, replayed);
    }
}

static void on_joined(void *user, const wsfan_joined *joined) {
    thread *at = user;
    client *who = joined->session_user;
    uint32_t session = who->number;
    uint8_t chat = *(const uint8_t *)joined->chat.data;
    bool history = joined->recovered != NULL;
    for (size_t i = 0; i < joined->missing_count; i++)
        write_event(at->owner, (event){ .kind = EVENT_MISSING,
                                        .session = session,
                                        .chat = chat,
                                        .id = joined->missing[i] });
    write_event(at->owner, (event){ .kind = EVENT_JOINED,
                                    .session = session,
                                    .chat = chat,
                                    .number = (uint32_t)joined->status,
                                    .count = joined->missing_count,
                                    .history = history,
                                    .slot = history ? (uint8_t)joined->recovered->recovery : 0,
                                    .size = history ? joined->recovered->replayed_count : 0 });
    if (history && who->as != NULL) {
        who->told = true;
        who->to_replay = joined->recovered->replayed_count;
        keep_position(at, who, true);
    }
}

static void on_peer(void *user, const wsfan_peer *peer) {
    thread *at = user;
    if (at->index == 0) /* each loop is told */
        write_event(at->owner, (event){ .kind = EVENT_PEER,
                                        .id = peer->node,
                                        .number = peer->event,
                                        .count = peer->reason });
}

static void on_presence(void *user, const wsfan_presence *presence) {
    thread *at = user;
    uint8_t chat = *(const uint8_t *)presence->chat.data;
    write_event(at->owner, (event){ .kind = EVENT_PRESENCE,
                                    .loop = (uint8_t)at->index,
                                    .chat = chat,
                                    .number = presence->flags });
    for (size_t i = 0; i < presence->members_count; i++)
        write_event(at->owner, (event){ .kind = EVENT_MEMBER,
                                        .loop = (uint8_t)at->index,
                                        .chat = chat,
                                        .user = *(const int8_t *)presence->members[i].user.data,
                                        .number = presence->members[i].event,
                                        .count = presence->members[i].sessions });
}

static uint32_t links_with(recorder *r, uint64_t node) {
    wsfan_peer_stats peers[PEERS_MAX] = { { .struct_size = sizeof peers[0] } };
    size_t count = 0;
    if (wsfan_node_get_peers(r->node, peers, PEERS_MAX, &count) != WSFAN_OK)
        broken(r, BROKEN_CALL, 0);
    for (size_t i = 0; i < count && i < PEERS_MAX; i++)
        if (peers[i].node == node)
            return (uint32_t)peers[i].links;
    return 0;
}

static void on_gap(void *user, const wsfan_gap *gap) {
    thread *at = user;
    recorder *r = at->owner;
    if (gap->reason == WSFAN_GAP_INBOX && gap->node == r->id)
        write_event(
            r, (event){ .kind = EVENT_INBOX_GAP, .loop = (uint8_t)at->index, .count = gap->count });
    else
        write_event(r, (event){ .kind = EVENT_GAP,
                                .loop = (uint8_t)at->index,
                                .id = gap->node,
                                .count = gap->count,
                                .number = links_with(r, gap->node) });
}

static void on_result(void *user, const wsfan_result *result) {
    thread *at = user;
    at->owner->results_due--;
    write_event(at->owner, (event){ .kind = EVENT_RESULT,
                                    .number = (uint32_t)(uintptr_t)result->result_user,
                                    .whole = result->status == WSFAN_OK });
}

/* ------------------------------------------------------------------------------------- sessions */

static client *any_client(recorder *r) {
    client *who = &r->clients[random_below(r, SESSIONS_MAX)];
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

static void open_session(recorder *r) {
    client *who = &r->clients[random_below(r, SESSIONS_MAX)];
    if (who->open)
        return;
    uint8_t user = (uint8_t)random_below(r, EVENTS_USERS + 1); /* the last: none */
    bool named = user < EVENTS_USERS;
    *who = (client){ .open = true,
                     .number = r->sessions++,
                     .user = named ? user : EVENTS_NOBODY,
                     .loop = (unsigned)random_below(r, EVENTS_LOOPS) };
    write_event(r, (event){ .kind = EVENT_OPEN,
                            .session = who->number,
                            .loop = (uint8_t)who->loop,
                            .user = (int8_t)who->user });
    if (wsfan_session_open(&who->handle, r->loops[who->loop].loop,
                           (wsfan_bytes){ &user, named ? 1 : 0 }, who) != WSFAN_OK)
        broken(r, BROKEN_CALL, 1);
}

static void close_session(recorder *r) {
    client *who = any_client(r);
    if (who == NULL || stays(r, who))
        return;
    write_event(r, (event){ .kind = EVENT_CLOSE, .session = who->number });
    if (wsfan_session_close(r->loops[who->loop].loop, who->handle) != WSFAN_OK)
        broken(r, BROKEN_CALL, 2);
    who->open = false;
}

static void join(recorder *r) {
    client *who = any_client(r);
    uint8_t chat = (uint8_t)random_below(r, EVENTS_CHATS);
    if (who == NULL || (who->chats >> chat & 1) != 0 ||
        (stays(r, who) && count_chats(who) == STAYERS_CHATS))
        return;
    bool shown = who->user != EVENTS_NOBODY && random_below(r, 2) == 0;
    wsfan_join_options options = { .struct_size = sizeof options,
                                   .flags = shown ? WSFAN_PRESENCE : 0 };
    bool history = random_below(r, HISTORY_ONE_IN) == 0;
    options.flags |= history ? WSFAN_HISTORY : 0;
    who->chats |= 1u << chat;
    who->present |= (uint32_t)shown << chat;
    write_event(r, (event){ .kind = EVENT_JOIN,
                            .session = who->number,
                            .chat = chat,
                            .shown = shown,
                            .history = history });
    if (wsfan_session_join_with(r->loops[who->loop].loop, who->handle, name_of(&chat), &options) !=
        WSFAN_OK)
        broken(r, BROKEN_CALL, 3);
}

static void leave(recorder *r) {
    client *who = any_client(r);
    uint8_t chat = (uint8_t)random_below(r, EVENTS_CHATS);
    if (who == NULL || who->chats == 0 || stays(r, who))
        return;
    while ((who->chats >> chat & 1) == 0)
        chat = (uint8_t)((chat + 1) % EVENTS_CHATS);
    who->chats &= ~(1u << chat);
    who->present &= ~(1u << chat);
    write_event(r, (event){ .kind = EVENT_LEAVE, .session = who->number, .chat = chat });
    if (wsfan_session_leave(r->loops[who->loop].loop, who->handle, name_of(&chat)) != WSFAN_OK)
        broken(r, BROKEN_CALL, 4);
}

/* ----------------------------------------------------------------------------------- travellers */

/* Two texts, as history.h allows, or one. */
static wsfan_bytes position_of(recorder *r, const traveller_bag *bag, handed_kind *handed,
                               char text[2 * WSFAN_POSITION_TEXT_SIZE]) {
    *handed = bag->serial == 0 ? HANDED_NOTHING : HANDED_POSITION;
    snprintf(text, 2 * WSFAN_POSITION_TEXT_SIZE, "%s%s%s", bag->at_join,
             bag->at_join[0] != '\0' ? " " : "", bag->newest);
    size_t size = strlen(text);
    if (bag->serial != 0 && random_below(r, 32) == 0) {
        char *at = &text[random_below(r, 20)];
        *at = *at == 'A' ? 'B' : 'A';
        *handed = HANDED_RUBBISH;
    }
    return (wsfan_bytes){ text, bag->serial == 0 ? 0 : size };
}

static void arrive(recorder *r, client *who, traveller *as) {
    char text[2 * WSFAN_POSITION_TEXT_SIZE];
    traveller_bag bag;
    handed_kind handed;
    if (!traveller_take(as, r->log->config.life, random_below(r, 8) == 0, &bag))
        return;
    *who = (client){ .open = true,
                     .number = r->sessions++,
                     .user = EVENTS_NOBODY,
                     .loop = (unsigned)random_below(r, EVENTS_LOOPS),
                     .as = as };
    uint8_t chat = chat_of(r, who);
    wsfan_loop *loop = r->loops[who->loop].loop;
    wsfan_join_options options = { .struct_size = sizeof options, .flags = WSFAN_HISTORY };
    options.position = position_of(r, &bag, &handed, text);
    options.former = bag.former;
    options.rewind_count = random_below(r, 8) == 0 ? 1 + (uint32_t)random_below(r, REWIND_MAX) : 0;
    write_event(r, (event){ .kind = EVENT_OPEN,
                            .session = who->number,
                            .loop = (uint8_t)who->loop,
                            .user = EVENTS_NOBODY });
    if (wsfan_session_open(&who->handle, loop, (wsfan_bytes){ NULL, 0 }, who) != WSFAN_OK)
        broken(r, BROKEN_CALL, 12);
    write_event(r, (event){ .kind = EVENT_JOIN,
                            .session = who->number,
                            .chat = chat,
                            .history = true,
                            .slot = (uint8_t)(1 + (who - r->guests)),
                            .handed = (uint8_t)handed,
                            .id = bag.node,
                            .number = bag.serial,
                            .size = options.rewind_count });
    if (wsfan_session_join_with(loop, who->handle, name_of(&chat), &options) != WSFAN_OK)
        broken(r, BROKEN_CALL, 13);
}

static void depart(recorder *r, client *who) {
    write_event(r, (event){ .kind = EVENT_CLOSE, .session = who->number });
    if (wsfan_session_close(r->loops[who->loop].loop, who->handle) != WSFAN_OK)
        broken(r, BROKEN_CALL, 14);
    who->open = false;
    uint64_t ms = UINT64_C(50) << random_below(r, 8);
    traveller_go(who->as, r->log->config.life, recorder_ns() + ms * 1000000);
}

/* One goes, or comes: from where it was away, or from another node, which may be frozen or cut off and is not asked. */
static void travel(recorder *r) {
    unsigned i = (unsigned)random_below(r, TRAVELLERS);
    traveller *as = &r->travellers->all[i];
    unsigned at = atomic_load(&as->at);
    if (r->guests[i].open) {
        if (random_below(r, 3) == 0)
            depart(r, &r->guests[i]);
    } else if (random_below(r, at == 0 ? 2 : 16) == 0 &&
               atomic_load(&as->due_ns) <= recorder_ns()) {
        arrive(r, &r->guests[i], as);
    }
}

/* Those whom others have taken are not here any more. */
static void let_go(recorder *r) {
    for (unsigned i = 0; i < TRAVELLERS; i++)
        if (r->guests[i].open && atomic_load(&r->guests[i].as->at) != r->log->config.life)
            depart(r, &r->guests[i]);
}

/* -------------------------------------------------------------------------------------- publish */

static size_t choose_targets(recorder *r, event *e, wsfan_target targets[2], uint8_t names[2]) {
    uint64_t dice = random_below(r, 20);
    e->user = EVENTS_NOBODY;
    if (dice == 0) {
        e->all = true;
        targets[0] = (wsfan_target){ WSFAN_ALL, { NULL, 0 } };
        return 1;
    }
    names[0] = (uint8_t)random_below(r, EVENTS_CHATS);
    e->chats = 1u << names[0];
    targets[0] = (wsfan_target){ WSFAN_CHAT, name_of(&names[0]) };
    if (dice > 3)
        return 1;
    bool user = dice == 1;
    names[1] = (uint8_t)random_below(r, user ? EVENTS_USERS : EVENTS_CHATS);
    targets[1] = (wsfan_target){ user ? WSFAN_USER : WSFAN_CHAT, name_of(&names[1]) };
    if (user)
        e->user = (int8_t)names[1];
    else
        e->chats |= 1u << names[1];
    return 2;
}

/* A newer value takes the place of an older one only where both have the same targets and key. */
static size_t choose_slot(recorder *r, event *e, wsfan_target targets[1], uint8_t names[1]) {
    e->slot = (uint8_t)(1 + random_below(r, SLOTS));
    e->user = EVENTS_NOBODY;
    names[0] = e->slot;
    e->chats = 1u << names[0];
    targets[0] = (wsfan_target){ WSFAN_CHAT, name_of(&names[0]) };
    return 1;
}

static void publish(recorder *r) {
    static uint8_t payload[PAYLOAD_BYTES_MAX];
    event e = { .kind = EVENT_PUBLISH, .number = r->published++, .except = UINT32_MAX };
    wsfan_target targets[2];
    uint8_t names[2];
    wsfan_publish_options options = { .struct_size = sizeof options };
    bool keyed = random_below(r, KEYED_ONE_IN) == 0;
    size_t count = keyed ? choose_slot(r, &e, targets, names)
                         : choose_targets(r, &e, targets, names);
    if (keyed)
        options.key = name_of(&e.slot);
    const client *who = random_below(r, 4) == 0 ? &r->guests[random_below(r, TRAVELLERS)]
                                                : any_client(r);
    if (who != NULL && who->open && random_below(r, 4) == 0) {
        e.except = who->number;
        options.except = wsfan_session_address(r->loops[who->loop].loop, who->handle);
    }
    if (!keyed && random_below(r, 8) == 0) {
        e.asked = true;
        options.result_loop = r->loops[random_below(r, EVENTS_LOOPS)].loop;
        options.result_user = (void *)(uintptr_t)e.number;
    }
    bool large = random_below(r, LARGE_ONE_IN) == 0;
    e.size = HEAD +
             (uint32_t)(large ? LARGE_MIN + random_below(r, PAYLOAD_BYTES_MAX - LARGE_MIN - HEAD)
                              : random_below(r, r->log->config.payload_size_max));
    fill(payload, e.size, r->id, e.number);
    write_event(r, e);
    int error = wsfan_publish(r->node, targets, count, (wsfan_bytes){ payload, e.size }, &options);
    if (error != WSFAN_OK) {
        write_event(r, (event){ .kind = EVENT_REFUSED, .number = e.number });
        if (error != WSFAN_EAGAIN && error != WSFAN_ELIMIT)
            broken(r, BROKEN_CALL, 5);
        return;
    }
    r->accepted++;
    r->results_due += e.asked;
}

/* ------------------------------------------------------------------------------------- counters */

/* Peers tell each other of peers for ever, so that a window is not empty for long; what they were sent
 * before it was quiet they have once it was. */
static bool has_rested(recorder *r, const wsfan_peer_stats *peer) {
    for (unsigned i = 0; i < r->rested_count; i++)
        if (r->rested[i] == peer->node)
            return true;
    if (peer->queue_count > 0 || peer->window_bytes > 0 || peer->held_bytes > 0)
        return false;
    if (r->rested_count < PEERS_MAX)
        r->rested[r->rested_count++] = peer->node;
    return true;
}

static void look_at_peers(recorder *r) {
    wsfan_peer_stats peers[PEERS_MAX] = { { .struct_size = sizeof peers[0] } };
    size_t count = 0;
    unsigned up = 0;
    if (!atomic_load(&r->log->quiet))
        r->rested_count = 0;
    wsfan_peer_stats all = { .node = 0 };
    wsfan_peer_stats apart = { .node = 0 };
    wsfan_stats stats = { .struct_size = sizeof stats };
    if (wsfan_node_get_peers(r->node, peers, PEERS_MAX, &count) != WSFAN_OK)
        broken(r, BROKEN_CALL, 6);
    for (size_t i = 0; i < count && i < PEERS_MAX; i++) {
        const wsfan_peer_stats *peer = &peers[i];
        if (peer->window_bytes > WINDOW_BYTES + CONTROL_BYTES + FRAME_BYTES_MAX)
            broken(r, BROKEN_WINDOW, peer->window_bytes);
        if (peer->queue_count > QUEUE_COUNT ||
            (peer->queue_count > 1 && peer->queue_bytes > QUEUE_BYTES))
            broken(r, BROKEN_QUEUE, peer->queue_bytes);
        if (peer->held_bytes > WINDOW_BYTES)
            broken(r, BROKEN_HELD, peer->held_bytes);
        if (peer->interest_mended > 0)
            broken(r, BROKEN_INTEREST, peer->interest_mended);
        up += peer->state == WSFAN_PEER_UP;
        if (peer->state != WSFAN_PEER_UP)
            apart = *peer;
        if (has_rested(r, peer))
            continue;
        all.queue_count += peer->queue_count;
        all.window_bytes += peer->window_bytes;
        all.held_bytes += peer->held_bytes;
        all.node = peer->node;
    }
    atomic_store(&r->log->peers_up, up);
    recorder_waits *waits = &r->log->waits;
    atomic_store(&waits->results, r->results_due);
    atomic_store(&waits->queue_count, all.queue_count);
    atomic_store(&waits->window_bytes, all.window_bytes);
    atomic_store(&waits->held_bytes, all.held_bytes);
    atomic_store(&waits->node, all.node);
    if (wsfan_node_get_stats(r->node, &stats) != WSFAN_OK)
        broken(r, BROKEN_CALL, 10);
    atomic_store(&r->log->apart.node, apart.node);
    atomic_store(&r->log->apart.we_hear, apart.we_hear == 1);
    atomic_store(&r->log->apart.hears_us, apart.hears_us == 1);
    atomic_store(&r->log->apart.ended, stats.connections_ended);
}

/* Who is where, for the test to compare between nodes. */
static void look_at_chats(recorder *r) {
    for (uint8_t chat = 0; chat < EVENTS_CHATS; chat++) {
        chat_count *out = &r->log->chats[chat];
        unsigned own[EVENTS_USERS] = { 0 };
        for (unsigned i = 0; i < SESSIONS_MAX; i++)
            if (r->clients[i].open && (r->clients[i].present >> chat & 1) != 0)
                own[r->clients[i].user]++;
        for (unsigned user = 0; user < EVENTS_USERS; user++)
            atomic_store(&out->own[user], own[user]);
        wsfan_count count = { .struct_size = sizeof count };
        if (wsfan_chat_get_count(r->node, name_of(&chat), &count) != WSFAN_OK)
            broken(r, BROKEN_CALL, 9);
        atomic_store(&out->sessions, (unsigned)count.sessions);
        atomic_store(&out->users, (unsigned)count.users);
        atomic_store(&out->complete, count.complete == 1);
    }
}

/* What the node counts when all has come to rest. */
static void look_at_the_end(recorder *r) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    uint64_t dispatched = 0;
    if (wsfan_node_get_stats(r->node, &stats) != WSFAN_OK)
        broken(r, BROKEN_CALL, 7);
    for (unsigned i = 0; i < EVENTS_LOOPS; i++) {
        wsfan_loop_stats loop = { .struct_size = sizeof loop };
        if (wsfan_loop_get_stats(r->loops[i].loop, &loop) != WSFAN_OK)
            broken(r, BROKEN_CALL, 8);
        dispatched += loop.messages + loop.inbox_count;
    }
    if (stats.published != r->accepted)
        broken(r, BROKEN_PUBLISHED, stats.published);
    if (stats.delivered < dispatched ||
        stats.delivered > dispatched + stats.dropped[WSFAN_DROP_REPLACED])
        broken(r, BROKEN_DISPATCHED, dispatched);
}

/* --------------------------------------------------------------------------------------- running */

static void act(recorder *r) {
    uint64_t dice = random_below(r, 100);
    if (random_below(r, 4) == 0)
        travel(r);
    else if (dice < 40)
        join(r);
    else if (dice < 82) /* as often, so that a session is in few */
        leave(r);
    else if (dice < 92)
        open_session(r);
    else
        close_session(r);
}

/* Waits for work, a moment at most. What it was stopped for meanwhile it could not do. */
static uint64_t wait_for_work(recorder *r, uint64_t before_ns) {
    struct pollfd fds[EVENTS_LOOPS];
    for (unsigned i = 0; i < EVENTS_LOOPS; i++)
        fds[i] = (struct pollfd){ .fd = wsfan_loop_fd(r->loops[i].loop), .events = POLLIN };
    poll(fds, EVENTS_LOOPS, STEP_MS);
    uint64_t slept_ms = (recorder_ns() - before_ns) / 1000000;
    if (slept_ms < SLEPT_MS)
        return 0;
    write_event(r, (event){ .kind = EVENT_SLEPT, .count = slept_ms });
    return slept_ms;
}

static void run_load(recorder *r) {
    uint64_t before_ns = recorder_ns();
    uint64_t began_ms = before_ns / 1000000;
    uint64_t published = 0;
    uint64_t acts = 0;
    while (!atomic_load(&r->log->finish)) {
        began_ms += wait_for_work(r, before_ns);
        before_ns = recorder_ns();
        bool quiet = atomic_load(&r->log->quiet);
        for (unsigned i = 0; i < EVENTS_LOOPS; i++)
            wsfan_loop_dispatch(r->loops[i].loop, 0);
        let_go(r);
        if (before_ns - r->looked_ns >= LOOK_MS * UINT64_C(1000000)) {
            look_at_peers(r);
            if (quiet)
                look_at_chats(r);
            atomic_fetch_add(&r->log->looks, 1);
            r->looked_ns = before_ns;
        }
        uint64_t ran_ms = before_ns / 1000000 - began_ms;
        for (; acts < ran_ms * ACTS_PER_S / 1000; acts++)
            if (!quiet)
                act(r);
        for (; published < ran_ms * r->log->config.messages_per_s / 1000; published++)
            if (!quiet)
                publish(r);
    }
}

static int open_node(recorder *r) {
    const recorder_config *config = &r->log->config;
    const char *peers[CONFIG_PEERS_MAX];
    const char *allow[CONFIG_KEYS_MAX];
    for (unsigned i = 0; i < config->peers_count; i++)
        peers[i] = config->peers[i];
    for (unsigned i = 0; i < config->allow_count; i++)
        allow[i] = config->allow[i];
    wsfan_options options;
    wsfan_options_init(&options);
    options.cluster = "recorders";
    options.name = config->name;
    options.endpoint = config->endpoint;
    options.allow_insecure = 1; /* in a network of our own */
    options.peers = peers;
    options.peers_count = config->peers_count;
    options.secret_key = config->secret_key[0] != '\0' ? config->secret_key : NULL;
    options.allow = allow;
    options.allow_count = config->allow_count;
    options.dns_interval_ms = DNS_INTERVAL_MS;
    options.payload_bytes_max = PAYLOAD_BYTES_MAX;
    options.link_window_bytes = WINDOW_BYTES;
    options.link_queue_bytes_max = QUEUE_BYTES;
    options.link_queue_count_max = QUEUE_COUNT;
    options.heartbeat_ms = RECORDER_HEARTBEAT_MS;
    options.silent_ms = 4 * RECORDER_HEARTBEAT_MS;
    options.down_ms = RECORDER_DOWN_MS;
    options.forget_ms = config->forget_ms;
    options.join_ms_max = RECORDER_JOIN_MS_MAX;
    options.result_ms_max = RECORDER_RESULT_MS_MAX;
    options.presence_grace_ms = RECORDER_GRACE_MS;
    options.ready_ms_max = RECORDER_READY_MS_MAX; /* some endpoints that are named never answer */
    options.history_ms = config->history_ms;
    options.history_count_max = config->history_count_max;
    options.history_chat_bytes_max = config->history_chat_bytes_max;
    options.recover_ms_max = RECORDER_RECOVER_MS_MAX;
    options.history_key = "known to all recorders";
    uint64_t born_ns = recorder_ns(); /* peers may see it before the call returns */
    int error = wsfan_node_open(&r->node, &options);
    if (error != WSFAN_OK)
        return error;
    r->id = wsfan_node_id(r->node);
    write_event(r, (event){ .kind = EVENT_BORN, .ns = born_ns, .id = r->id });
    wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                  .on_message = on_message,
                                  .on_joined = on_joined,
                                  .on_peer = on_peer,
                                  .on_gap = on_gap,
                                  .on_result = on_result,
                                  .on_presence = on_presence };
    for (unsigned i = 0; i < EVENTS_LOOPS && error == WSFAN_OK; i++) {
        r->loops[i] = (thread){ .owner = r, .index = i };
        error = wsfan_loop_open(&r->loops[i].loop, r->node, &callbacks, &r->loops[i]);
    }
    return error;
}

int recorder_run(life_log *log) {
    static recorder r;
    r = (recorder){ .log = log, .random = log->config.seed };
    r.travellers = travellers_map(log->config.travellers);
    dated_by = log;
    int error = r.travellers == NULL ? WSFAN_ESYSTEM : open_node(&r);
    if (error != WSFAN_OK) {
        fprintf(stderr, "%s: %s\n", log->config.name, wsfan_error_text(error));
        return EXIT_FAILURE;
    }
    for (unsigned i = 0; i < SESSIONS_MAX / 2; i++)
        open_session(&r);
    atomic_store(&log->ready, true);
    run_load(&r);
    if (!log->config.passes) {
        look_at_the_end(&r);
        write_event(&r, (event){ .kind = EVENT_END });
    }
    for (unsigned i = 0; i < EVENTS_LOOPS; i++)
        wsfan_loop_close(r.loops[i].loop);
    return wsfan_node_close(r.node) == WSFAN_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
