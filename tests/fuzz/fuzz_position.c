/* What clients hand in as positions: as it comes; and as bodies that somebody sealed with the right key, alone and two. */
#include "base/position.h"
#include "target.h"

enum { EPOCH = 0x01020304, SEAL_SIZE = 8 };

static const char CHAT[] = "lobby";

static wsf_hash_seal_key key_of_all(void) {
    wsf_hash_seal_key key;
    wsf_hash_seal_key_init(&key, wsfan_string("0123456789abcdef"), "position");
    return key;
}

static wsf_position_verdict read_text(const wsf_hash_seal_key *key, const char *text, size_t length,
                                      wsf_position *position) {
    return wsf_position_read(key, wsfan_string(CHAT), EPOCH, (wsfan_bytes){ text, length },
                             position);
}

/* What is read is written as it was: there is one text for each content. */
static void check_one(const wsf_hash_seal_key *key, const char *text, size_t length) {
    char again[WSF_POSITION_TEXT_SIZE];
    wsf_position position;
    if (read_text(key, text, length, &position) != WSF_POSITION_GOOD)
        return;
    CHECK(position.epoch == EPOCH && position.seen.count <= WSF_VECTOR_MAX);
    if (memchr(text, ' ', length) != NULL)
        return;
    CHECK(position.seen.count <= WSF_POSITION_ENTRIES_MAX);
    CHECK(wsf_position_write(key, wsfan_string(CHAT), &position, again) == length);
    CHECK(memcmp(again, text, length) == 0);
}

static size_t text_of_body(const wsf_hash_seal_key *key, char *text, const uint8_t *body,
                           size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t sealed[WSF_SEALED_MAX + SEAL_SIZE + 1] = { 0 };
    size_t length = 0;
    if (size > 0)
        memcpy(sealed, body, size);
    uint64_t seal = wsf_hash_seal(key, wsfan_string(CHAT), (wsfan_bytes){ sealed, size });
    for (unsigned i = 0; i < SEAL_SIZE; i++)
        sealed[size + i] = (uint8_t)(seal >> (56 - 8 * i));
    for (size_t bit = 0; bit < (size + SEAL_SIZE) * 8; bit += 6) {
        unsigned two = (unsigned)sealed[bit / 8] << 8 | sealed[bit / 8 + 1];
        text[length++] = digits[two >> (10 - bit % 8) & 0x3f];
    }
    return length;
}

static void check_at(const wsf_position *both, const wsf_position *one, const wsf_position *other,
                     uint64_t origin) {
    uint64_t a = wsf_vector_at(&one->seen, origin);
    uint64_t b = wsf_vector_at(&other->seen, origin);
    CHECK(wsf_vector_at(&both->seen, origin) == (a > b ? a : b));
}

static void check_two(const wsf_hash_seal_key *key, const uint8_t *data, size_t size, size_t cut) {
    char texts[4 * WSF_SEALED_MAX];
    wsf_position one;
    wsf_position other;
    wsf_position both;
    size_t first = text_of_body(key, texts, data, cut);
    texts[first] = ' ';
    const char *second = texts + first + 1;
    size_t length = text_of_body(key, texts + first + 1, data + cut, size - cut);
    wsf_position_verdict of_one = read_text(key, texts, first, &one);
    wsf_position_verdict of_other = read_text(key, second, length, &other);
    wsf_position_verdict worse = of_one == WSF_POSITION_FALSE || of_other == WSF_POSITION_FALSE
                                     ? WSF_POSITION_FALSE
                                 : of_one > of_other ? of_one
                                                     : of_other;
    CHECK(read_text(key, texts, first + 1 + length, &both) == worse);
    if (worse != WSF_POSITION_GOOD)
        return;
    CHECK(both.seen.rest == (one.seen.rest > other.seen.rest ? one.seen.rest : other.seen.rest));
    for (uint32_t i = 0; i < one.seen.count; i++)
        check_at(&both, &one, &other, one.seen.entries[i].origin);
    for (uint32_t i = 0; i < other.seen.count; i++)
        check_at(&both, &one, &other, other.seen.entries[i].origin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wsf_hash_seal_key key = key_of_all();
    char text[2 * WSF_SEALED_MAX];
    if (size > WSF_SEALED_MAX)
        return 0;
    check_one(&key, (const char *)data, size);
    check_one(&key, text, text_of_body(&key, text, data, size));
    if (size > 0)
        check_two(&key, data + 1, size - 1, data[0] < size - 1 ? data[0] : size - 1);
    return 0;
}
