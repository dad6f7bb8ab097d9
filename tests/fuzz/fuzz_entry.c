/* A message that comes by NATS: its subject, its headers and its payload, each a line of the input. The first byte tells
 * what it is taken for. A name has one token, so what a subject names is told by that alone. */
#include "ask.h"
#include "target.h"

/* The text up to the next line feed; *at stands behind that. */
static char *next_line(const uint8_t **at, const uint8_t *end) {
    const uint8_t *stop = memchr(*at, '\n', (size_t)(end - *at));
    size_t size = (size_t)((stop != NULL ? stop : end) - *at);
    char *line = text_of(*at, size);
    *at += size + (stop != NULL);
    return line;
}

static void check_recipient(const struct recipient *recipient, const char *rest) {
    char token[TOKEN_SIZE];
    CHECK((recipient->to == TO_ALL) == (strcmp(rest, "all") == 0));
    if (recipient->to != TO_CHAT && recipient->to != TO_USER) {
        CHECK(recipient->name_size == 0);
        return;
    }
    CHECK(recipient->name_size > 0 && recipient->name_size <= NAME_BYTES_MAX);
    token_write(token, recipient->name, recipient->name_size);
    CHECK(strcmp(token, rest + 5) == 0);
    CHECK(strncmp(rest, recipient->to == TO_CHAT ? "chat." : "user.", 5) == 0);
}

static void check_name(const uint8_t *name, size_t size) {
    char token[TOKEN_SIZE];
    char read[NAME_BYTES_MAX];
    if (size == 0 || size > NAME_BYTES_MAX)
        return;
    token_write(token, name, size);
    CHECK(token[strcspn(token, ".*> \t\r\n")] == '\0');
    CHECK(token_read(read, token, strlen(token)) == size);
    CHECK(memcmp(read, name, size) == 0);
}

static void check_headers(const struct headers *headers) {
    CHECK(strlen(headers->id) <= ID_BYTES_MAX);
    CHECK(headers->key_size <= NAME_BYTES_MAX);
    CHECK((headers->except.node == 0 && headers->except.session == 0) ||
          headers->except.session != 0);
}

static void check_ask(const struct ask *ask, const struct ask *twin) {
    CHECK(ask->fault >= FAULT_NONE && ask->fault < FAULTS_COUNT);
    CHECK(ask->fault == twin->fault && ask->digest == twin->digest);
    if (ask->fault == FAULT_NONE && ask->channel == CHANNEL_TAP)
        CHECK(ask->recipient.to == TO_CHAT && ask->lease_ms >= LEASE_MS_MIN &&
              ask->lease_ms <= LEASE_MS_MAX);
    if (ask->fault == FAULT_NONE)
        CHECK(ask->recipient.to != TO_NOBODY);
}

static struct ask *make(uint8_t first, const uint8_t *data, const uint8_t *end) {
    char *rest = next_line(&data, end);
    char *reply = next_line(&data, end);
    struct headers headers = { 0 };
    enum fault fault = FAULT_NONE;
    for (unsigned count = first >> 1 & 7; count > 0; count--) {
        char *line = next_line(&data, end);
        char *colon = strchr(line, ':');
        if (colon != NULL)
            *colon = '\0';
        if (fault == FAULT_NONE)
            fault = headers_read(&headers, line, colon != NULL ? colon + 1 : "");
        free(line);
    }
    check_headers(&headers);
    struct ask *ask = ask_new(first & 16 ? reply : NULL, data, (size_t)(end - data));
    if (ask != NULL) {
        CHECK(ask->item.bytes >= sizeof *ask + ask->payload.size);
        CHECK((ask->reply != NULL) == ((first & 16) != 0));
        ask->channel = first & 1 ? CHANNEL_TAP : CHANNEL_IN;
        ask->headers = headers;
        ask->fault = fault;
        ask_check(ask, rest, first & 32 ? 100 : 10000);
        check_recipient(&ask->recipient, rest);
        check_name(data, (size_t)(end - data));
    }
    free(rest);
    free(reply);
    return ask;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    struct ask *ask = make(data[0], data + 1, data + size);
    struct ask *twin = make(data[0], data + 1, data + size);
    if (ask != NULL && twin != NULL)
        check_ask(ask, twin);
    free(ask);
    free(twin);
    return 0;
}
