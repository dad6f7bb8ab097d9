/* ask.c - what a message that came by NATS says. */
#include "ask.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

enum { HEADER_BINARY = 1, HEADER_EXCEPT = 2, HEADER_KEY = 4, HEADER_ID = 8, LEASE_MS = 60000 };

const char *const fault_codes[FAULTS_COUNT] = {
#define FAULT_CODE(name, code, text) code,
    FAULTS(FAULT_CODE)
#undef FAULT_CODE
};

const char *const fault_texts[FAULTS_COUNT] = {
#define FAULT_TEXT(name, code, text) text,
    FAULTS(FAULT_TEXT)
#undef FAULT_TEXT
};

static bool see(struct headers *headers, unsigned header) {
    bool first = (headers->seen & header) == 0;
    headers->seen |= header;
    return first;
}

static enum fault read_own(struct headers *headers, const char *name, const char *value) {
    size_t size = strlen(value);
    if (strcasecmp(name, "binary") == 0) {
        headers->binary = strcmp(value, "true") == 0;
        return see(headers, HEADER_BINARY) && (headers->binary || strcmp(value, "false") == 0)
                   ? FAULT_NONE
                   : FAULT_HEADER;
    }
    if (strcasecmp(name, "except") == 0) {
        wsfan_address except = { 0, 0 };
        if (!see(headers, HEADER_EXCEPT) ||
            wsfan_address_parse(&except, (wsfan_bytes){ value, size }) != WSFAN_OK ||
            except.session == 0)
            return FAULT_HEADER;
        headers->except = except;
        return FAULT_NONE;
    }
    if (strcasecmp(name, "key") != 0 || !see(headers, HEADER_KEY) || size == 0 ||
        size > sizeof headers->key)
        return FAULT_HEADER;
    memcpy(headers->key, value, size);
    headers->key_size = size;
    return FAULT_NONE;
}

/* libnats 3.4.1 takes the next line for the value of a header that has none. One of ours is not to be lost that way. */
static bool is_header(const char *value) {
    size_t size = strcspn(value, ": \t");
    return value[size] == ':' && (strncasecmp(value, "wsfan-", 6) == 0 ||
                                  (size == 11 && strncasecmp(value, "nats-msg-id", size) == 0));
}

enum fault headers_read(struct headers *headers, const char *name, const char *value) {
    size_t size = strlen(value);
    if (is_header(value))
        return FAULT_HEADER;
    if (strncasecmp(name, "wsfan-", 6) == 0)
        return read_own(headers, name + 6, value);
    if (strcasecmp(name, "nats-msg-id") != 0)
        return FAULT_NONE;
    if (!see(headers, HEADER_ID) || size == 0 || size > ID_BYTES_MAX ||
        !wsf_text_is_visible(value, size))
        return FAULT_ID;
    memcpy(headers->id, value, size + 1);
    return FAULT_NONE;
}

struct ask *ask_new(const char *reply, const void *payload, size_t size) {
    size_t reply_size = reply != NULL ? strlen(reply) + 1 : 0;
    struct ask *ask = reply_size <= REPLY_BYTES_MAX ? malloc(sizeof *ask + reply_size + size)
                                                    : NULL;
    if (ask == NULL)
        return NULL;
    *ask = (struct ask){ .item = { .bytes = sizeof *ask + reply_size + size } };
    char *rest = (char *)(ask + 1);
    if (reply_size > 0)
        ask->reply = memcpy(rest, reply, reply_size);
    ask->payload = (wsfan_bytes){ rest + reply_size, size };
    if (size > 0)
        memcpy(rest + reply_size, payload, size);
    return ask;
}

/* FNV-1a: against mistakes of a sender, who deceives but itself. */
static uint64_t mix(uint64_t digest, const void *data, size_t size) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        digest = (digest ^ bytes[i]) * 0x100000001B3u;
    return (digest ^ size) * 0x100000001B3u;
}

static uint64_t digest_of(const struct ask *ask) {
    const struct headers *headers = &ask->headers;
    uint64_t digest = mix(0xCBF29CE484222325u, &ask->recipient.to, sizeof ask->recipient.to);
    digest = mix(digest, ask->recipient.name, ask->recipient.name_size);
    digest = mix(digest, &headers->binary, sizeof headers->binary);
    digest = mix(digest, &headers->except, sizeof headers->except);
    digest = mix(digest, headers->key, headers->key_size);
    return mix(digest, ask->payload.data, ask->payload.size);
}

void ask_check(struct ask *ask, const char *rest, size_t payload_bytes_max) {
    const wsfan_bytes payload = ask->payload;
    const bool tap = ask->channel == CHANNEL_TAP;
    recipient_read(&ask->recipient, rest);
    if (ask->fault != FAULT_NONE) /* of its headers */
        return;
    if (ask->recipient.to == TO_NOBODY || (tap && ask->recipient.to != TO_CHAT))
        ask->fault = FAULT_SUBJECT;
    else if (tap)
        ask->fault = lease_read(&ask->lease_ms, payload.data, payload.size) ? FAULT_NONE
                                                                            : FAULT_LEASE;
    else if (payload.size > payload_bytes_max)
        ask->fault = FAULT_SIZE;
    else if (!ask->headers.binary && !wsf_text_is_utf8(payload.data, payload.size))
        ask->fault = FAULT_TEXT;
    else if (ask->headers.id[0] != '\0')
        ask->digest = digest_of(ask);
}

static void skip_spaces(const char **at, const char *end) {
    while (*at < end && (**at == ' ' || **at == '\t' || **at == '\n' || **at == '\r'))
        (*at)++;
}

static bool skip(const char **at, const char *end, const char *word) {
    size_t size = strlen(word);
    skip_spaces(at, end);
    if ((size_t)(end - *at) < size || memcmp(*at, word, size) != 0)
        return false;
    *at += size;
    return true;
}

bool lease_read(uint32_t *ms, const char *text, size_t size) {
    const char *at = text;
    const char *end = text + size;
    uint64_t number = 0;
    *ms = LEASE_MS;
    if (size == 0)
        return true;
    if (!skip(&at, end, "{") || !skip(&at, end, "\"ms\"") || !skip(&at, end, ":"))
        return false;
    skip_spaces(&at, end);
    const char *first = at;
    for (; at < end && *at >= '0' && *at <= '9' && number <= LEASE_MS_MAX; at++)
        number = number * 10 + (uint64_t)(*at - '0');
    if (first == at || *first == '0' || number < LEASE_MS_MIN || number > LEASE_MS_MAX ||
        !skip(&at, end, "}"))
        return false;
    skip_spaces(&at, end);
    *ms = (uint32_t)number;
    return at == end;
}
