/* Answers for the entries of replies. */
#include "core/rpc/reply.h"

#include "core/link/sender.h"

void wsf_rpc_reply(wsf_core *core, wsf_peer *peer, uint64_t id, const wsf_answer *answer) {
    wsf_buffer *entry = wsf_buffer_new((uint32_t)wsf_reply_bound(answer));
    if (entry == NULL)
        return; /* the asker will report silence */
    wsf_writer writer = { entry->data, entry->capacity, 0 };
    wsf_write_reply(&writer, id, answer);
    entry->size = (uint32_t)writer.size;
    int error = wsf_sender_talk(core, peer, entry);
    wsf_buffer_unref(entry);
    if (error == WSFAN_ETOOBIG && answer->status != WSFAN_ETOOBIG) {
        wsf_answer refusal;
        wsf_answer_init(&refusal, 0);
        refusal.status = WSFAN_ETOOBIG;
        wsf_rpc_reply(core, peer, id, &refusal);
    } else if (error != WSFAN_OK) {
        core->stats.requests_refused++;
    }
}
