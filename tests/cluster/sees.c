/* What a recorder is told: it writes down all of it. */
#include <string.h>
#include <wsfan/history.h>
#include <wsfan/peers.h>
#include <wsfan/stats.h>

#include "recorder_parts.h"

/* A traveller keeps the newest position, and as that of its join the one behind what was replayed. Written down before
 * others may take it. */
static void keep_position(thread *at, client *who, bool of_join) {
    recorder *r = at->owner;
    char text[WSFAN_POSITION_TEXT_SIZE];
    uint8_t chat = chat_of(r, who);
    int error = wsfan_chat_position(at->loop, name_of(&chat), text);
    if (error != WSFAN_OK) {
        if (error != WSFAN_EAGAIN && error != WSFAN_ENOTSUP)
            recorder_broken(r, BROKEN_CALL, 11);
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
    recorder_write(r, (event){ .kind = EVENT_POSITION,
                               .session = who->number,
                               .chat = chat,
                               .number = who->bag.serial,
                               .whole = who->bag.at_join[0] != '\0' });
    traveller_keep(who->as, r->log->config.life, &who->bag, recorder_below(r, 64) == 0);
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
    if (!payload_read(payload, &id, &number) || id != wsfan_message_get_id(message).origin) {
        recorder_write(at->owner, (event){ .kind = EVENT_DAMAGED });
        return;
    }
    bool replayed = (wsfan_message_flags(message) & WSFAN_REPLAYED) != 0;
    for (size_t i = 0; i < count; i++) {
        client *who = recipients[i].session_user;
        recorder_write(at->owner, (event){ .kind = EVENT_DELIVERED,
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
        recorder_write(at->owner, (event){ .kind = EVENT_MISSING,
                                           .session = session,
                                           .chat = chat,
                                           .id = joined->missing[i] });
    recorder_write(at->owner, (event){ .kind = EVENT_JOINED,
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
        recorder_write(at->owner, (event){ .kind = EVENT_PEER,
                                           .id = peer->node,
                                           .number = peer->event,
                                           .count = peer->reason });
}

static void on_presence(void *user, const wsfan_presence *presence) {
    thread *at = user;
    uint8_t chat = *(const uint8_t *)presence->chat.data;
    recorder_write(at->owner, (event){ .kind = EVENT_PRESENCE,
                                       .loop = (uint8_t)at->index,
                                       .chat = chat,
                                       .number = presence->flags });
    for (size_t i = 0; i < presence->members_count; i++)
        recorder_write(at->owner, (event){ .kind = EVENT_MEMBER,
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
        recorder_broken(r, BROKEN_CALL, 0);
    for (size_t i = 0; i < count && i < PEERS_MAX; i++)
        if (peers[i].node == node)
            return (uint32_t)peers[i].links;
    return 0;
}

static void on_gap(void *user, const wsfan_gap *gap) {
    thread *at = user;
    recorder *r = at->owner;
    if (gap->reason == WSFAN_GAP_INBOX && gap->node == r->id)
        recorder_write(
            r, (event){ .kind = EVENT_INBOX_GAP, .loop = (uint8_t)at->index, .count = gap->count });
    else
        recorder_write(r, (event){ .kind = EVENT_GAP,
                                   .loop = (uint8_t)at->index,
                                   .id = gap->node,
                                   .count = gap->count,
                                   .number = links_with(r, gap->node) });
}

static void on_result(void *user, const wsfan_result *result) {
    thread *at = user;
    at->owner->results_due--;
    recorder_write(at->owner, (event){ .kind = EVENT_RESULT,
                                       .number = (uint32_t)(uintptr_t)result->result_user,
                                       .whole = result->status == WSFAN_OK });
}

wsfan_callbacks recorder_callbacks(void) {
    return (wsfan_callbacks){ .struct_size = sizeof(wsfan_callbacks),
                              .on_message = on_message,
                              .on_joined = on_joined,
                              .on_peer = on_peer,
                              .on_gap = on_gap,
                              .on_result = on_result,
                              .on_presence = on_presence };
}
