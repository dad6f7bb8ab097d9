#include "excerpt.h"

#include <inttypes.h>
#include <wsfan/peers.h>
#include <wsfan/presence.h>

bool excerpt_tells(const event *e) {
    switch ((event_kind)e->kind) {
    case EVENT_BORN:
    case EVENT_PEER:
    case EVENT_INBOX_GAP:
    case EVENT_SLEPT:
    case EVENT_BROKEN:
    case EVENT_DAMAGED:
    case EVENT_END:
        return true;
    case EVENT_GAP:
        return e->count == 0;
    case EVENT_JOINED:
        return (int)e->number != WSFAN_OK;
    default:
        return false;
    }
}

static void write_peer(FILE *out, const event *e, const char *name) {
    fprintf(out, "peer %s (%016" PRIx64 ") is %s: %s\n", name, e->id,
            wsfan_peer_event_text((wsfan_peer_event)e->number),
            wsfan_reason_text((wsfan_reason)e->count));
}

static void write_publish(FILE *out, const event *e) {
    fprintf(out, "publishes %" PRIu32 " for chats %" PRIx32, e->number, e->chats);
    if (e->user != EVENTS_NOBODY)
        fprintf(out, " and user %d", e->user);
    if (e->except != UINT32_MAX)
        fprintf(out, " but not session %" PRIu32, e->except);
    fprintf(out, "%s, slot %u, %" PRIu32 " bytes\n", e->all ? ", for all" : "", e->slot, e->size);
}

static void write_member(FILE *out, const event *e) {
    fprintf(out, "loop %u: %s of user %d in chat %u, %" PRIu64 " sessions\n", e->loop,
            wsfan_member_event_text((wsfan_member_event)e->number), e->user, e->chat, e->count);
}

void excerpt_write(FILE *out, const event *e, uint64_t began_ns,
                   const char *(*name_of)(const void *context, uint64_t id), const void *context) {
    static const char *const kinds[] = {
        [EVENT_BORN] = "opens its node",
        [EVENT_INBOX_GAP] = "misses what its inbox lost",
        [EVENT_OPEN] = "opens session",
        [EVENT_CLOSE] = "closes session",
        [EVENT_JOIN] = "joins with session",
        [EVENT_JOINED] = "has joined with session",
        [EVENT_MISSING] = "will have joined, but for one peer, with session",
        [EVENT_POSITION] = "has a position for session",
        [EVENT_LEAVE] = "leaves with session",
        [EVENT_PRESENCE] = "news of a chat",
        [EVENT_REFUSED] = "takes it back",
        [EVENT_DAMAGED] = "gets what nobody published",
        [EVENT_RESULT] = "has a result",
        [EVENT_SLEPT] = "did not run for",
        [EVENT_BROKEN] = "finds a fault",
        [EVENT_END] = "ends"
    };
    uint64_t ms = e->ns > began_ns ? (e->ns - began_ns) / 1000000 : 0;
    fprintf(out, "    %8" PRIu64 "  ", ms);
    if (e->kind == EVENT_PEER)
        write_peer(out, e, name_of(context, e->id));
    else if (e->kind == EVENT_PUBLISH)
        write_publish(out, e);
    else if (e->kind == EVENT_MEMBER)
        write_member(out, e);
    else if (e->kind == EVENT_GAP)
        fprintf(out, "loop %u: gap of %" PRIu64 " messages of %s, of link %" PRIu32 "\n", e->loop,
                e->count, name_of(context, e->id), e->number);
    else if (e->kind == EVENT_DELIVERED)
        fprintf(out, "session %" PRIu32 " gets message %" PRIu32 " of %s%s\n", e->session,
                e->number, name_of(context, e->id), e->replayed ? ", replayed" : "");
    else
        fprintf(out, "%s: session %" PRIu32 ", chat %u, number %d, count %" PRIu64 "\n",
                kinds[e->kind], e->session, e->chat, (int)e->number, e->count);
}
