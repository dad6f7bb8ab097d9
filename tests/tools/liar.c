/* With this file wsfan-node is a node that lies, for the tests of `wsfan`: the list of its statistics has no end. The linker puts
 * __wrap_wsf_statistics_note() in the place of the library's. */
#include "core/statistics.h"
#include "wire/message_codec.h"

void __wrap_wsf_statistics_note(const wsf_core *core, wsf_call *call);

static uint64_t get_u64(const uint8_t *bytes) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* One statistic of each of so many peers that a page is full, behind those of the page before. */
void __wrap_wsf_statistics_note(const wsf_core *core, wsf_call *call) {
    uint8_t key[16];
    wsfan_bytes after = wsfan_message_payload(call->message);
    bool goes_on = after.size >= sizeof key && get_u64(after.data) == core->config.node;
    uint64_t peer = goes_on ? get_u64((const uint8_t *)after.data + 8) : 0;
    wsf_put_u64(key, core->config.node);
    for (uint32_t i = 0; i <= WSF_ROWS_COUNT_MAX; i++) {
        wsf_put_u64(key + 8, ++peer);
        wsf_rows_add(&call->answer.rows, (wsfan_bytes){ key, sizeof key },
                     wsfan_string("messages_in"), wsfan_string("nobody"), 1);
    }
}
