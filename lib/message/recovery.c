#include "message/recovery.h"

#include <string.h>

#include "base/memory.h"
#include "base/position.h"

wsf_recovery *wsf_recovery_new(wsfan_bytes chat, wsfan_bytes position) {
    enum { TEXTS_SIZE = 2 * WSF_POSITION_TEXT_SIZE }; /* two with a space are shorter */
    size_t position_size = position.size < TEXTS_SIZE ? position.size : TEXTS_SIZE;
    wsf_recovery *recovery = wsf_alloc(sizeof *recovery + chat.size + position_size);
    if (recovery == NULL)
        return NULL;
    *recovery = (wsf_recovery){ .chat_size = (uint32_t)chat.size,
                                .position_size = (uint32_t)position_size };
    memcpy(recovery->text, chat.data, chat.size);
    if (position_size > 0)
        memcpy(recovery->text + chat.size, position.data, position_size);
    return recovery;
}

void wsf_recovery_free(wsf_recovery *recovery) {
    if (recovery == NULL)
        return;
    wsf_kept_list_free(recovery->list);
    wsf_free(recovery->caps);
    wsf_free(recovery->missing);
    wsf_free(recovery);
}
