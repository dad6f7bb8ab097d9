/* tap.c - chats whose messages are published to NATS, as long as somebody asks for them.
 *
 * Each entry hears each lease, and joins the chat. One of them publishes, the others keep what the last seconds
 * brought: when the one that publishes goes, the next one publishes what it has kept, so messages come twice, with the
 * same id, and none is missing. What was not kept, or not published, is counted, and told as a gap. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "entry.h"

enum {
    KEEP_MS =
        5000, /* an entry that is cut off from NATS, or frozen, has noticed, or was noticed, before */
    KEPT_COUNT_MAX = 16384,
    KEPT_BYTES_MAX = 16 * 1024 * 1024,
    MESSAGE_BYTES = 256, /* about what a message takes besides its payload */
    REPLIES_COUNT_MAX = 8,
    HEADERS_BYTES_MAX = 128 /* of what is published */
};

/* A chat that is tapped. */
struct tap {
    struct tap *next;
    wsfan_session session;
    bool joined;
    bool complete; /* every peer knows of it */
    uint64_t until_ms;
    char subject[SUBJECT_SIZE];
    struct ask *asks[REPLIES_COUNT_MAX]; /* leases that are not answered */
    unsigned asks_count;
    size_t name_size;
    char name[NAME_BYTES_MAX];
};

struct kept {
    uint64_t ms;
    struct tap *tap;
    wsfan_message *message; /* NULL: its tap has gone */
};

struct taps {
    struct entry *entry;
    struct tap *first;
    unsigned count;
    bool publishing;
    struct kept kept[KEPT_COUNT_MAX]; /* a ring */
    unsigned kept_first;
    unsigned kept_count;
    size_t kept_bytes;
    uint64_t trimmed_ms; /* when the newest came that had to go for want of room */
    uint64_t needed_ms;  /* what came before has been published */
    uint64_t lost;       /* messages that nobody was told of */
    uint64_t lost_ms;    /* of the last */
    bool lost_unknown;   /* and how many, nobody knows */
};

struct taps *taps_new(struct entry *entry) {
    struct taps *taps = calloc(1, sizeof *taps);
    if (taps != NULL)
        taps->entry = entry;
    return taps;
}

unsigned taps_count(const struct taps *taps) {
    unsigned count = 0;
    for (const struct tap *tap = taps->first; tap != NULL; tap = tap->next)
        count += tap->joined;
    return count;
}

/* ------------------------------------------------------------------------------------------ losses */

static void lose(struct taps *taps, uint64_t count) {
    taps->lost += count;
    taps->lost_unknown = taps->lost_unknown || count == 0;
    taps->lost_ms = now_ms();
}

static void tell_losses(struct taps *taps) {
    char subject[SUBJECT_SIZE];
    char text[48];
    if ((taps->lost == 0 && !taps->lost_unknown) || taps->count == 0)
        return;
    int size = snprintf(text, sizeof text, "{\"count\":%" PRIu64 "}",
                        taps->lost_unknown ? 0 : taps->lost);
    snprintf(subject, sizeof subject, "%sout.gap", taps->entry->prefix);
    if (!bus_send(taps->entry->bus,
                  &(struct parcel){ .subject = subject, .data = { text, (size_t)size } }))
        return;
    taps->lost = 0;
    taps->lost_unknown = false;
}

void taps_on_gap(void *loop_user, const wsfan_gap *gap) {
    struct entry *entry = loop_user;
    if (entry->taps != NULL)
        lose(entry->taps, gap->count);
}

/* -------------------------------------------------------------------------------------------- kept */

static size_t size_of(const struct kept *kept) {
    return MESSAGE_BYTES + wsfan_message_payload(kept->message).size;
}

static void drop_first(struct taps *taps) {
    struct kept *kept = &taps->kept[taps->kept_first];
    if (kept->message != NULL) {
        taps->kept_bytes -= size_of(kept);
        wsfan_message_unref(kept->message);
    }
    taps->kept_first = (taps->kept_first + 1) % KEPT_COUNT_MAX;
    taps->kept_count--;
}

static void keep(struct taps *taps, struct tap *tap, wsfan_message *message, uint64_t now) {
    struct kept kept = { now, tap, message };
    while (taps->kept_count > 0 && (taps->kept_count == KEPT_COUNT_MAX ||
                                    taps->kept_bytes + size_of(&kept) > KEPT_BYTES_MAX)) {
        taps->trimmed_ms = taps->kept[taps->kept_first].ms;
        drop_first(taps);
    }
    wsfan_message_ref(message);
    taps->kept[(taps->kept_first + taps->kept_count) % KEPT_COUNT_MAX] = kept;
    taps->kept_count++;
    taps->kept_bytes += size_of(&kept);
}

static void forget_old(struct taps *taps) {
    while (taps->kept_count > 0 && taps->kept[taps->kept_first].ms < taps->needed_ms)
        drop_first(taps);
}

static void forget_tap(struct taps *taps, const struct tap *tap) {
    for (unsigned i = 0; i < taps->kept_count; i++) {
        struct kept *kept = &taps->kept[(taps->kept_first + i) % KEPT_COUNT_MAX];
        if (kept->tap != tap || kept->message == NULL)
            continue;
        taps->kept_bytes -= size_of(kept);
        wsfan_message_unref(kept->message);
        kept->message = NULL;
    }
}

/* -------------------------------------------------------------------------------------- publishing */

static void publish(struct taps *taps, const struct tap *tap, const wsfan_message *message) {
    struct entry *entry = taps->entry;
    wsfan_message_id id = wsfan_message_get_id(message);
    char text[48];
    struct parcel parcel = { .subject = tap->subject,
                             .data = wsfan_message_payload(message),
                             .id = text,
                             .binary = (wsfan_message_flags(message) & WSFAN_BINARY) != 0 };
    snprintf(text, sizeof text, "%016" PRIx64 "-%016" PRIx64, id.clock, id.origin);
    bool fits = parcel.data.size + HEADERS_BYTES_MAX <= (uint64_t)entry->heard.payload_max;
    if (fits && bus_send(entry->bus, &parcel)) {
        entry->counts.out++;
        return;
    }
    entry->counts.out_lost++;
    lose(taps, 1);
}

/* Whether it is a message of the chat, and not one to all, or to others of the chat's members. */
static bool is_of(const wsfan_message *message, const struct tap *tap) {
    for (size_t i = 0; i < wsfan_message_targets_count(message); i++) {
        wsfan_target target = wsfan_message_target(message, i);
        if (target.kind == WSFAN_CHAT && target.name.size == tap->name_size &&
            memcmp(target.name.data, tap->name, tap->name_size) == 0)
            return true;
    }
    return false;
}

void taps_on_message(void *loop_user, wsfan_message *message, const wsfan_recipient *recipients,
                     size_t count) {
    struct entry *entry = loop_user;
    uint64_t now = now_ms();
    for (size_t i = 0; i < count; i++) {
        struct tap *tap = recipients[i].session_user;
        if (!is_of(message, tap))
            continue;
        keep(entry->taps, tap, message, now);
        if (entry->taps->publishing)
            publish(entry->taps, tap, message);
    }
}

/* Publishes what was kept while nobody published, or may not have. */
static void take_over(struct taps *taps) {
    if (taps->trimmed_ms >= taps->needed_ms && taps->trimmed_ms > 0)
        lose(taps, 0);
    for (unsigned i = 0; i < taps->kept_count; i++) {
        const struct kept *kept = &taps->kept[(taps->kept_first + i) % KEPT_COUNT_MAX];
        if (kept->message == NULL)
            continue;
        publish(taps, kept->tap, kept->message);
        taps->entry->counts.out_repeated++;
    }
}

/* ------------------------------------------------------------------------------------------ leases */

static void answer_lease(struct taps *taps, const struct tap *tap, const struct ask *ask) {
    char text[SUBJECT_SIZE + 64];
    snprintf(text, sizeof text, "{\"subject\":\"%s\",\"ms\":%u,\"complete\":%s}", tap->subject,
             ask->lease_ms, tap->complete ? "true" : "false");
    answer(taps->entry, ask->reply, text);
}

/* The entry that publishes answers; while none does, leases wait. */
static void answer_leases(struct taps *taps, struct tap *tap) {
    const struct fellows *fellows = taps->entry->fellows;
    if (!fellows_follow(fellows) && (!tap->joined || !taps->publishing))
        return;
    for (unsigned i = 0; i < tap->asks_count; i++) {
        if (taps->publishing)
            answer_lease(taps, tap, tap->asks[i]);
        free(tap->asks[i]);
    }
    tap->asks_count = 0;
}

static void refuse_lease(const struct taps *taps, const struct ask *ask, enum fault fault) {
    if (!fellows_follow(taps->entry->fellows))
        refuse(taps->entry, ask->reply, fault);
}

static struct tap *find(const struct taps *taps, const struct recipient *chat) {
    for (struct tap *tap = taps->first; tap != NULL; tap = tap->next)
        if (tap->name_size == chat->name_size &&
            memcmp(tap->name, chat->name, chat->name_size) == 0)
            return tap;
    return NULL;
}

static int join(struct taps *taps, struct tap *tap) {
    wsfan_loop *loop = taps->entry->loop;
    int error = wsfan_session_open(&tap->session, loop, (wsfan_bytes){ NULL, 0 }, tap);
    if (error != WSFAN_OK)
        return error;
    error = wsfan_session_join(loop, tap->session, (wsfan_bytes){ tap->name, tap->name_size });
    if (error != WSFAN_OK)
        wsfan_session_close(loop, tap->session);
    return error;
}

/* NULL: there is no room. */
static struct tap *begin(struct taps *taps, const struct recipient *chat) {
    char token[TOKEN_SIZE];
    struct tap *tap = taps->count < taps->entry->options.taps_max ? calloc(1, sizeof *tap) : NULL;
    if (tap == NULL)
        return NULL;
    tap->name_size = chat->name_size;
    memcpy(tap->name, chat->name, chat->name_size);
    token_write(token, chat->name, chat->name_size);
    snprintf(tap->subject, sizeof tap->subject, "%sout.chat.%s", taps->entry->prefix, token);
    if (join(taps, tap) != WSFAN_OK) {
        free(tap);
        return NULL;
    }
    tap->next = taps->first;
    taps->first = tap;
    taps->count++;
    return tap;
}

/* Ends the tap that *link points to. */
static void end(struct taps *taps, struct tap **link) {
    struct tap *tap = *link;
    wsfan_session_close(taps->entry->loop, tap->session);
    forget_tap(taps, tap);
    for (unsigned i = 0; i < tap->asks_count; i++)
        free(tap->asks[i]);
    *link = tap->next;
    taps->count--;
    free(tap);
}

/* A copy of what of an ask the answer needs. */
static struct ask *copy(const struct ask *ask) {
    struct ask *lease = ask_new(ask->reply, NULL, 0);
    if (lease != NULL)
        lease->lease_ms = ask->lease_ms;
    return lease;
}

void taps_ask(struct taps *taps, const struct ask *ask) {
    struct tap *tap = NULL;
    if (ask->fault == FAULT_NONE) {
        tap = find(taps, &ask->recipient);
        if (tap == NULL)
            tap = begin(taps, &ask->recipient);
    }
    if (tap == NULL) {
        refuse_lease(taps, ask, ask->fault != FAULT_NONE ? ask->fault : FAULT_TAPS);
        return;
    }
    uint64_t until_ms = now_ms() + ask->lease_ms;
    tap->until_ms = tap->until_ms > until_ms ? tap->until_ms : until_ms;
    if (ask->reply == NULL)
        return;
    struct ask *lease = tap->asks_count < REPLIES_COUNT_MAX ? copy(ask) : NULL;
    if (lease == NULL) {
        refuse_lease(taps, ask, FAULT_BUSY);
        return;
    }
    tap->asks[tap->asks_count++] = lease;
    answer_leases(taps, tap);
}

void taps_on_joined(void *loop_user, const wsfan_joined *joined) {
    struct entry *entry = loop_user;
    struct tap *tap = joined->session_user;
    tap->joined = true;
    tap->complete = joined->status == WSFAN_OK;
    answer_leases(entry->taps, tap);
}

/* ----------------------------------------------------------------------------------- begin and end */

void taps_tick(struct taps *taps, uint64_t now) {
    const struct fellows *fellows = taps->entry->fellows;
    bool publishing = fellows_lead(fellows);
    if (publishing && !taps->publishing)
        take_over(taps);
    taps->publishing = publishing;
    uint64_t led_ms = fellows_led_ms(fellows);
    taps->needed_ms = led_ms > KEEP_MS ? led_ms - KEEP_MS : 0;
    forget_old(taps);
    if (publishing)
        tell_losses(taps);
    else if (taps->lost_ms < taps->needed_ms) { /* of what another one has published */
        taps->lost = 0;
        taps->lost_unknown = false;
    }
    for (struct tap **link = &taps->first; *link != NULL;) {
        answer_leases(taps, *link);
        if ((*link)->until_ms <= now)
            end(taps, link);
        else
            link = &(*link)->next;
    }
}

void taps_free(struct taps *taps) {
    if (taps == NULL)
        return;
    while (taps->first != NULL)
        end(taps, &taps->first);
    while (taps->kept_count > 0)
        drop_first(taps);
    free(taps);
}
