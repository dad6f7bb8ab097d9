/* The arguments of a URL: what is found is what another reader finds, who decodes everything first. */
#include "query.h"
#include "target.h"
#include "utf8.h"

static const char *const keys[] = { "chat", "user", "token", "session", "after", "hops", NULL };

enum { BYTES_MAX = 4096 };

/* What is between two '&': decoded, in the memory of `decoded`. */
struct piece {
    char *key, *value;
    int key_size, value_size; /* -1: badly encoded; value -2: there is no '=' */
    bool known;
};

static struct piece pieces[BYTES_MAX + 1];
static size_t piece_count;
static char decoded[BYTES_MAX + 1];

/* 16: it is none. */
static unsigned digit_of(char c) {
    static const char digits[] = "00112233445566778899aAbBcCdDeEfF";
    const char *found = c == '\0' ? NULL : strchr(digits, c);
    return found == NULL ? 16 : (unsigned)(found - digits) / 2;
}

static int decode(char *out, const char *text, size_t size) {
    int used = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned byte = (unsigned char)text[i];
        if (byte == '+')
            byte = ' ';
        if (byte == '%') {
            if (size - i < 3 || digit_of(text[i + 1]) == 16 || digit_of(text[i + 2]) == 16)
                return -1;
            byte = digit_of(text[i + 1]) << 4 | digit_of(text[i + 2]);
            i += 2;
        }
        out[used++] = (char)byte;
    }
    return used;
}

static bool has_key(const struct piece *piece, const char *key) {
    return piece->key_size == (int)strlen(key) && memcmp(piece->key, key, strlen(key)) == 0;
}

/* The piece at text, which ends before `size`; it is decoded to `out`. */
static void read_piece(struct piece *piece, char *out, const char *text, size_t size) {
    size_t key = 0;
    while (key < size && text[key] != '=')
        key++;
    *piece = (struct piece){ .key = out, .value = out + key };
    piece->key_size = decode(piece->key, text, key);
    piece->value_size = key < size ? decode(piece->value, text + key + 1, size - key - 1) : -2;
    for (size_t i = 0; keys[i] != NULL; i++)
        piece->known = piece->known || (piece->value_size != -2 && has_key(piece, keys[i]));
}

static void read_pieces(const char *text, size_t size) {
    piece_count = 0;
    for (size_t at = 0, end; at <= size; at = end + 1) {
        for (end = at; end < size && text[end] != '&';)
            end++;
        read_piece(&pieces[piece_count++], decoded + at, text + at, end - at);
    }
}

struct expected {
    int size; /* or a problem */
    bool known;
    const char *value;
};

static void expect(struct expected *expected, const char *key) {
    *expected = (struct expected){ .size = QUERY_MISSING, .known = true };
    for (size_t i = 0; i < piece_count; i++) {
        const struct piece *piece = &pieces[i];
        expected->known = expected->known && piece->known;
        if (piece->value_size == -2 || !has_key(piece, key) || expected->size == QUERY_AMBIGUOUS)
            continue;
        if (expected->size != QUERY_MISSING) {
            expected->size = QUERY_AMBIGUOUS;
            continue;
        }
        expected->size = piece->value_size == -1 ? QUERY_NO_TEXT : piece->value_size;
        expected->value = piece->value;
    }
}

/* Whether the bytes, written again, are the same text. */
static void check_hex(const struct expected *expected, const unsigned char *bytes, int count) {
    static const char digits[] = "0123456789abcdef";
    CHECK(expected->size == 2 * count);
    for (int i = 0; i < count; i++)
        CHECK(expected->value[2 * i] == digits[bytes[i] >> 4] &&
              expected->value[2 * i + 1] == digits[bytes[i] & 15]);
}

/* With room for exactly `room` bytes, so that a write behind the end is seen. */
static void check_key(const struct query *query, const char *key, size_t room) {
    struct expected expected;
    expect(&expected, key);
    char *value = malloc(room + 1);
    CHECK(value != NULL);
    int found = query_find(query, key, value, room);
    CHECK(found == (expected.size > (int)room ? QUERY_TOO_LONG : expected.size));
    CHECK(found < 0 || (memcmp(value, expected.value, (size_t)found) == 0 && value[found] == '\0'));
    int named = query_name(query, key, value, room);
    if (found <= 0)
        CHECK(named == (found == 0 ? QUERY_MISSING : found));
    else if (!utf8_valid(expected.value, (size_t)found) ||
             memchr(expected.value, '\0', (size_t)found) != NULL)
        CHECK(named == QUERY_NO_TEXT);
    else
        CHECK(named == (expected.known ? found : QUERY_AMBIGUOUS));
    int bytes = query_hex(query, key, (unsigned char *)value, room);
    CHECK(bytes <= (int)room);
    if (bytes >= 0)
        check_hex(&expected, (unsigned char *)value, bytes);
    unsigned digit = query_digit(query, key);
    CHECK(digit <= 9 &&
          (digit == 0 || (expected.size == 1 && expected.value[0] == (char)('0' + digit))));
    free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > BYTES_MAX)
        return 0;
    char *text = malloc(size > 0 ? size : 1);
    CHECK(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    struct query query = { { text, size }, keys };
    CHECK(query_is_encoded(query.text) == (decode(decoded, text, size) >= 0));
    read_pieces(text, size);
    for (size_t i = 0; keys[i] != NULL; i++)
        check_key(&query, keys[i], i < 2 ? 64 : 8 * i);
    free(text);
    return 0;
}
