/* Options with any numbers and strings: what passes is within its bounds. */
#include "api/options.h"
#include "mesh/keyring.h"
#include "target.h"

/* The next string up to a NUL, or what is left. */
static const char *next_text(char **rest, const char *end) {
    const char *text = *rest;
    size_t size = strlen(text);
    *rest = text + size < end ? *rest + size + 1 : *rest + size;
    return text[0] == '~' ? NULL : text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wsfan_options options;
    wsfan_options read;
    const char *peers[3];
    const char *allow[2];
    wsfan_options_init(&options);
    if (size < 6)
        return 0;
    /* Two words of the struct are any, behind struct_size, which only grows by whole fields. */
    size_t words = (sizeof options - sizeof options.struct_size) / 4;
    for (int i = 0; i < 2; i++) {
        size_t word = data[3 * i] % words;
        uint32_t value = (uint32_t)data[3 * i + 1] << (data[3 * i + 2] % 32);
        memcpy((uint8_t *)&options + sizeof options.struct_size + 4 * word, &value, sizeof value);
    }
    char *text = text_of(data + 6, size - 6);
    char *rest = text;
    const char *end = text + size - 6;
    options.cluster = next_text(&rest, end);
    options.name = next_text(&rest, end);
    options.endpoint = next_text(&rest, end);
    options.advertise = next_text(&rest, end);
    for (int i = 0; i < 3; i++)
        peers[i] = next_text(&rest, end);
    options.peers = peers;
    options.peers_count = data[0] % 4;
    options.secret_key = next_text(&rest, end);
    options.key_file = NULL;
    for (int i = 0; i < 2; i++)
        allow[i] = next_text(&rest, end);
    options.allow = allow;
    options.allow_count = data[1] % 3;
    options.allow_path = NULL;
    options.allocator = NULL;
    options.public_address = next_text(&rest, end);
    options.history_key = next_text(&rest, end);
    options.carrier = NULL;
    const char *field;
    int error = wsfan_options_check(&options, &field);
    CHECK((error == WSFAN_OK) == (field == NULL));
    CHECK(wsf_options_read(&read, &options) == error);
    if (error == WSFAN_OK) {
        wsf_keyring *keyring;
        CHECK(read.heartbeat_ms < read.silent_ms && read.silent_ms < read.down_ms);
        CHECK(read.headroom_bytes <= 4096 && read.peers_count <= read.peers_count_max);
        CHECK(strlen(read.cluster) <= 32);
        if (wsf_keyring_open(&keyring, &read) == WSFAN_OK)
            wsf_keyring_close(keyring);
    }
    free(text);
    return 0;
}
