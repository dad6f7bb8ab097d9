/* shelter.c - a node that sessions come back to, with positions, in this process. Everything that is replayed
 * to them is checked: whose it is, its order, each byte. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

enum { NAME_SIZE = 32 };

static wsfan_bytes name_of(uint32_t chat, char name[NAME_SIZE]) {
    snprintf(name, NAME_SIZE, "chat-%u", chat);
    return wsfan_string(name);
}

static uint64_t number_of(uint32_t chat, uint32_t message) {
    return (uint64_t)chat * MISSED + message;
}

/* ------------------------------------------------------------------------------------ callbacks */

static bool is_client(const struct shelter *shelter, const void *session_user) {
    return session_user != NULL && session_user != &shelter->live;
}

static void take_replayed(struct shelter *shelter, struct client *client,
                          const wsfan_message *message) {
    wsfan_bytes payload = wsfan_message_payload(message);
    if ((wsfan_message_flags(message) & WSFAN_REPLAYED) == 0 || client->replayed == MISSED)
        die("a session of chat %u got more than it missed", client->chat);
    source_check(&shelter->expected, number_of(client->chat, client->replayed), payload.data,
                 payload.size);
    if (++client->replayed == MISSED)
        shelter->done++;
}

/* The one in all chats gets them chat by chat. */
static void take_resident(struct shelter *shelter, const wsfan_message *message) {
    wsfan_bytes payload = wsfan_message_payload(message);
    source_check(&shelter->expected, shelter->messages++, payload.data, payload.size);
}

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    struct shelter *shelter = user;
    wsfan_bytes payload = wsfan_message_payload(message);
    if (count != 1)
        die("%zu recipients instead of 1", count);
    void *session_user = recipients[0].session_user;
    if (session_user == &shelter->live)
        sink_take(&shelter->live, payload.data, payload.size);
    else if (session_user == NULL)
        take_resident(shelter, message);
    else
        take_replayed(shelter, session_user, message);
}

static void on_joined(void *user, const wsfan_joined *joined) {
    struct shelter *shelter = user;
    must(joined->status, "join");
    if (!is_client(shelter, joined->session_user)) {
        shelter->joined++;
        return;
    }
    const struct client *client = joined->session_user;
    const wsfan_recovered *recovered = joined->recovered;
    if (recovered == NULL || (unsigned)recovered->recovery > WSFAN_RECOVERY_OFF)
        die("a session of chat %u was told no verdict", client->chat);
    bool whole = recovered->recovery == WSFAN_RECOVERY_WHOLE;
    if (recovered->replayed_count != (whole ? MISSED : 0))
        die("%u messages are replayed of chat %u: %s", recovered->replayed_count, client->chat,
            wsfan_recovery_text(recovered->recovery));
    int64_t ns = now_ns() - client->came_ns;
    shelter->verdicts_ns[shelter->told++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
    shelter->verdicts[recovered->recovery]++;
    shelter->done += !whole;
}

static void on_gap(void *user, const wsfan_gap *gap) {
    (void)user;
    die("%llu messages are lost, reason %d", (unsigned long long)gap->count, (int)gap->reason);
}

/* --------------------------------------------------------------------------------------- shelter */

void shelter_open(struct shelter *shelter, const wsfan_options *options, uint64_t clients_max) {
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_message = on_message,
                                               .on_joined = on_joined,
                                               .on_gap = on_gap };
    *shelter = (struct shelter){
        .clients = calloc((size_t)clients_max, sizeof *shelter->clients),
        .verdicts_ns = calloc((size_t)clients_max, sizeof *shelter->verdicts_ns),
    };
    if (clients_max > 0 && (shelter->clients == NULL || shelter->verdicts_ns == NULL))
        die("out of memory");
    source_init(&shelter->expected, MISSED_SIZE);
    must(wsfan_node_open(&shelter->node, options), "open a node");
    must(wsfan_loop_open(&shelter->loop, shelter->node, &callbacks, shelter), "open a loop");
}

static wsfan_session open_session(struct shelter *shelter, void *session_user) {
    wsfan_session session;
    must(wsfan_session_open(&session, shelter->loop, wsfan_string(""), session_user),
         "open a session");
    return session;
}

static void settle(struct shelter *shelter, uint64_t joined) {
    while (shelter->joined < joined)
        serve_loop(shelter->loop, 100);
}

void shelter_listen(struct shelter *shelter) {
    wsfan_session session = open_session(shelter, &shelter->live);
    must(wsfan_session_join(shelter->loop, session, wsfan_string(TRANSPORT_CHAT)), "join");
    settle(shelter, shelter->joined + 1);
}

wsfan_session shelter_reside(struct shelter *shelter, unsigned chats,
                             char (*positions)[WSFAN_POSITION_TEXT_SIZE]) {
    char name[NAME_SIZE];
    const wsfan_join_options options = { .struct_size = sizeof options, .flags = WSFAN_HISTORY };
    wsfan_session session = open_session(shelter, NULL);
    uint64_t before = shelter->joined;
    for (uint32_t chat = 0; chat < chats; chat++)
        must(wsfan_session_join_with(shelter->loop, session, name_of(chat, name), &options),
             "join");
    settle(shelter, before + chats);
    for (uint32_t chat = 0; chat < chats; chat++) {
        int error;
        while ((error = wsfan_chat_position(shelter->loop, name_of(chat, name), positions[chat])) ==
               WSFAN_EAGAIN)
            serve_loop(shelter->loop, 10);
        must(error, "position");
    }
    return session;
}

void publish_missed(wsfan_node *node, struct source *source, uint32_t chat) {
    char name[NAME_SIZE];
    for (uint32_t i = 0; i < MISSED; i++) {
        int error;
        wsfan_bytes payload = { source_make(source, number_of(chat, i), 0), MISSED_SIZE };
        while ((error = wsfan_broadcast(node, name_of(chat, name), payload, NULL)) == WSFAN_EAGAIN)
            pause_us(200);
        must(error, "broadcast");
    }
}

void shelter_come(struct shelter *shelter, uint32_t chat, const char *position) {
    char name[NAME_SIZE];
    struct client *client = &shelter->clients[shelter->came++];
    const wsfan_join_options options = { .struct_size = sizeof options,
                                         .flags = WSFAN_HISTORY,
                                         .position = wsfan_string(position) };
    *client = (struct client){ .chat = chat, .came_ns = now_ns() };
    must(wsfan_session_join_with(shelter->loop, open_session(shelter, client), name_of(chat, name),
                                 &options),
         "join");
}

void shelter_check(const struct shelter *shelter) {
    char words[256] = "";
    size_t size = 0;
    for (unsigned i = 0; i <= WSFAN_RECOVERY_OFF; i++)
        if (shelter->verdicts[i] > 0)
            size += (size_t)snprintf(words + size, sizeof words - size, " %s %llu,",
                                     wsfan_recovery_text((wsfan_recovery)i),
                                     (unsigned long long)shelter->verdicts[i]);
    if (shelter->verdicts[WSFAN_RECOVERY_WHOLE] != shelter->came || shelter->done != shelter->came)
        die("not all that came back were recovered:%s of %llu", words,
            (unsigned long long)shelter->came);
}
