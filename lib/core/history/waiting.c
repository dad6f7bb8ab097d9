/* Answers for what a round costs while thousands of sessions come back: a recovery is looked at when what it waits for has come,
 * or when its time is over, and not before. */
#include "core/history/waiting.h"

enum { OF_ALL, OF_WHAT }; /* places in lines */

static wsf_recovery_line *line_of(wsf_core *core, const wsf_recovery *recovery) {
    switch (recovery->waits_for) {
    case WSF_WAITS_FOR_CHAT:
        return &core->keeping.chats[recovery->chat].waiting;
    case WSF_WAITS_FOR_MARKS:
        return &core->recover.marked;
    default:
        return &core->recover.due;
    }
}

static void append(wsf_recovery_line *line, wsf_recovery *recovery, unsigned place) {
    recovery->places[place].before = line->last;
    recovery->places[place].behind = NULL;
    if (line->last != NULL)
        line->last->places[place].behind = recovery;
    else
        line->first = recovery;
    line->last = recovery;
}

static void take_out(wsf_recovery_line *line, wsf_recovery *recovery, unsigned place) {
    wsf_recovery *before = recovery->places[place].before;
    wsf_recovery *behind = recovery->places[place].behind;
    if (before != NULL)
        before->places[place].behind = behind;
    else
        line->first = behind;
    if (behind != NULL)
        behind->places[place].before = before;
    else
        line->last = before;
}

void wsf_waiting_add(wsf_core *core, wsf_recovery *recovery) {
    recovery->waits_for = WSF_WAITS_FOR_NOTHING;
    append(&core->recover.all, recovery, OF_ALL);
    append(&core->recover.due, recovery, OF_WHAT);
}

void wsf_waiting_remove(wsf_core *core, wsf_recovery *recovery) {
    take_out(&core->recover.all, recovery, OF_ALL);
    take_out(line_of(core, recovery), recovery, OF_WHAT);
}

void wsf_waiting_set(wsf_core *core, wsf_recovery *recovery, wsf_waits_for what, uint32_t chat) {
    take_out(line_of(core, recovery), recovery, OF_WHAT);
    recovery->waits_for = (uint8_t)what;
    recovery->chat = chat;
    append(line_of(core, recovery), recovery, OF_WHAT);
}

static void wake(wsf_core *core, const wsf_recovery_line *line) {
    while (line->first != NULL)
        wsf_waiting_set(core, line->first, WSF_WAITS_FOR_NOTHING, 0);
}

void wsf_waiting_wake_marked(wsf_core *core) {
    wake(core, &core->recover.marked);
}

void wsf_waiting_wake_chat(wsf_core *core, uint32_t chat) {
    wake(core, &core->keeping.chats[chat].waiting);
}
