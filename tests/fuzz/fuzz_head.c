/* A request, its body, its handshake: any bytes are read the same in one piece and in many, and what is taken has
 * nothing in it that another reader may take for something else. An odd first byte: the rest is a chunked body. */
#include "body.h"
#include "handshake.h"
#include "pieces.h"
#include "target.h"

enum { BODY_MAX = 200 };

/* --------------------------------------------------------------------------------------- body */

struct outcome {
    char data[BODY_MAX];
    size_t size;
    size_t taken;
    unsigned status;
    enum body_result last;
};

static void feed(struct body *body, struct outcome *outcome, const char *bytes, size_t size) {
    size_t used = 0, taken;
    struct slice data;
    if (outcome->last == BODY_END || outcome->last == BODY_REFUSED)
        return;
    do {
        outcome->last = body_read(body, bytes + used, size - used, &taken, &data, &outcome->status);
        used += taken;
        CHECK(used <= size);
        if (outcome->last == BODY_DATA) {
            CHECK(data.size > 0 && data.data >= bytes && data.data + data.size == bytes + used);
            CHECK(data.size <= BODY_MAX - outcome->size);
            memcpy(outcome->data + outcome->size, data.data, data.size);
            outcome->size += data.size;
        }
    } while (outcome->last == BODY_DATA);
    outcome->taken += used;
    CHECK(outcome->last != BODY_MORE || used == size);
}

/* For a chunked body, another reader: by the lines, and without extensions and trailers. Returns how many bytes it is
 * long, or 0: it may be anything. */
static size_t read_plain(const char *bytes, size_t size, struct outcome *outcome) {
    outcome->size = 0;
    for (size_t at = 0;;) {
        size_t start = at, length = 0;
        for (; at < size && syntax_hex((unsigned char)bytes[at]) >= 0; at++) {
            length = length * 16 + (size_t)syntax_hex((unsigned char)bytes[at]);
            if (length > BODY_MAX)
                return 0;
        }
        if (at == start || size - at < length + 4 || memcmp(bytes + at, "\r\n", 2) != 0 ||
            memcmp(bytes + at + 2 + length, "\r\n", 2) != 0 || length > BODY_MAX - outcome->size)
            return 0;
        memcpy(outcome->data + outcome->size, bytes + at + 2, length);
        outcome->size += length;
        at += length + 4;
        if (length == 0)
            return at;
    }
}

static void check_body(const struct head *head, const char *bytes, size_t size, uint32_t seed) {
    struct body one, many;
    struct outcome whole = { .last = BODY_MORE }, pieces = { .last = BODY_MORE }, plain;
    unsigned status = body_start(&one, head, BODY_MAX);
    CHECK((status == 413) == (head->body_size > BODY_MAX) || head->body == HEAD_BODY_CHUNKED);
    if (status != 0)
        return;
    body_start(&many, head, BODY_MAX);
    feed(&one, &whole, bytes, size);
    for (size_t at = 0, part; at < size; at += part) {
        part = next_piece(&seed, size - at);
        feed(&many, &pieces, bytes + at, part);
    }
    feed(&many, &pieces, bytes + size, 0);
    CHECK(whole.last == pieces.last && whole.status == pieces.status);
    CHECK(whole.size == pieces.size && memcmp(whole.data, pieces.data, whole.size) == 0);
    CHECK(whole.last == BODY_REFUSED || whole.taken == pieces.taken);
    CHECK(whole.last != BODY_REFUSED || whole.status == 400 || whole.status == 413 ||
          whole.status == 431);
    if (head->body != HEAD_BODY_CHUNKED) {
        CHECK((whole.last == BODY_END) == (size >= head->body_size) && whole.last != BODY_REFUSED);
        return;
    }
    size_t length = size < BODY_EXTRA_BYTES_MAX ? read_plain(bytes, size, &plain) : 0;
    CHECK(length == 0 ||
          (whole.last == BODY_END && whole.taken == length && whole.size == plain.size &&
           memcmp(whole.data, plain.data, plain.size) == 0));
}

/* --------------------------------------------------------------------------------------- head */

/* Every LF follows a CR, every CR comes before an LF, and no other control character is there but the tab. */
static void check_bytes(const char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)bytes[i];
        CHECK(c != '\n' || (i > 0 && bytes[i - 1] == '\r'));
        CHECK(c != '\r' || (i + 1 < size && bytes[i + 1] == '\n'));
        CHECK(c >= ' ' || c == '\r' || c == '\n' || c == '\t');
        CHECK(c != 0x7f);
    }
}

static void check_fields(const struct head *head) {
    struct slice rest = head->fields, value, chunked;
    size_t lengths = head_count(head, "content-length"),
           codings = head_count(head, "transfer-encoding");
    while (rest.size > 0) {
        const char *colon = memchr(rest.data, ':', rest.size),
                   *end = memchr(rest.data, '\n', rest.size);
        CHECK(colon != NULL && end != NULL && colon < end);
        CHECK(syntax_is_token((struct slice){ rest.data, (size_t)(colon - rest.data) }));
        rest.size -= (size_t)(end + 1 - rest.data);
        rest.data = end + 1;
    }
    CHECK(head_count(head, "host") <= 1 && head_count(head, "host") >= head->minor);
    CHECK(lengths <= 1 && (lengths == 0 || codings == 0));
    CHECK((head->body == HEAD_BODY_LENGTH) == (lengths == 1));
    CHECK((head->body == HEAD_BODY_CHUNKED) == (codings > 0));
    CHECK(codings == 0 || (head_field(head, "transfer-encoding", &chunked) && head->minor == 1));
    if (head_field(head, "content-length", &value))
        for (size_t i = 0; i < value.size; i++)
            CHECK(value.data[i] >= '0' && value.data[i] <= '9');
    CHECK(head->host.data == NULL || syntax_is_authority(head->host));
    CHECK(head->host.data != NULL || head->minor == 0);
}

static void check_handshake(const struct head *head) {
    static const char *const spoken[] = { "chat", "x", NULL };
    struct handshake handshake;
    enum handshake_result result = handshake_read(head, spoken, &handshake);
    CHECK(result == HANDSHAKE_NONE || head->upgrade);
    CHECK(result != HANDSHAKE_GOOD ||
          (head->method == HEAD_GET && head->minor == 1 && strlen(handshake.accept) == 28));
    CHECK(result != HANDSHAKE_REFUSED || (handshake.status >= 400 && handshake.headers != NULL));
}

static void check_head(const struct head *head, const char *bytes, size_t size) {
    char path[HEAD_TARGET_BYTES_MAX + 1];
    CHECK(head->size <= size && head->size >= sizeof "GET / HTTP/1.0\r\n\r\n" - 1);
    CHECK(memcmp(bytes + head->size - 4, "\r\n\r\n", 4) == 0);
    check_bytes(bytes, head->size);
    check_fields(head);
    check_handshake(head);
    int length = target_path(&head->target, path, sizeof path - 1);
    CHECK(length == -1 ||
          (length > 0 && strlen(path) == (size_t)length && strstr(path, "/../") == NULL));
}

static enum head_result read_pieces(const char *bytes, size_t size, uint32_t seed,
                                    struct head *head) {
    struct head_reader reader = { 0 };
    enum head_result result = HEAD_MORE;
    for (size_t at = 0; at < size && result == HEAD_MORE;) {
        at += next_piece(&seed, size - at);
        result = head_read(&reader, bytes, at, head);
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct head_reader reader = { 0 };
    struct head head = { .body = HEAD_BODY_CHUNKED }, other;
    if (size < 1)
        return 0;
    char *bytes = malloc(size); /* of which the first is not read */
    CHECK(bytes != NULL);
    memcpy(bytes, data, size);
    if (data[0] % 2 == 1) {
        check_body(&head, bytes + 1, size - 1, data[0]);
        free(bytes);
        return 0;
    }
    enum head_result result = head_read(&reader, bytes + 1, size - 1, &head);
    enum head_result again = read_pieces(bytes + 1, size - 1, data[0], &other);
    CHECK(result == again);
    if (result != HEAD_MORE)
        CHECK(head.status == other.status && head.size == other.size &&
              head.method == other.method && head.reason == other.reason &&
              head.body == other.body && head.body_size == other.body_size &&
              head.host.data == other.host.data && head.keep_alive == other.keep_alive);
    if (result == HEAD_REFUSED)
        CHECK(head.status >= 400 && head.reason != NULL);
    if (result == HEAD_DONE) {
        check_head(&head, bytes + 1, size - 1);
        check_body(&head, bytes + 1 + head.size, size - 1 - head.size, data[0]);
    }
    free(bytes);
    return 0;
}
