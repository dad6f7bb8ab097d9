#include "base/position.h"

#include <stdio.h>

#include "suite.h"

enum { EPOCH = 0x01020304 };
static const uint64_t NOW = UINT64_C(1764460800000) << 16; /* a clock of 2025 */
static const uint64_t SECOND = UINT64_C(1000) << 16;

static wsf_hash_seal_key key_of(const char *secret) {
    wsf_hash_seal_key key;
    wsf_hash_seal_key_init(&key, wsfan_string(secret), "position");
    return key;
}

static wsf_hash_seal_key key(void) {
    return key_of("0123456789abcdef");
}

static wsf_position position_of(uint64_t rest) {
    wsf_position position = { .epoch = EPOCH };
    wsf_vector_init(&position.seen, rest);
    return position;
}

/* Three nodes, of one of which less is known. */
static wsf_position usual(void) {
    wsf_position position = position_of(NOW);
    ck_assert(wsf_vector_raise(&position.seen, 0x80000001, NOW + SECOND));
    ck_assert(wsf_vector_raise(&position.seen, 0x00000002, NOW + 1));
    ck_assert(wsf_vector_pin(&position.seen, 0x70000003, NOW - 40 * SECOND));
    ck_assert(wsf_vector_saw(&position.seen, 0x70000003, NOW));
    return position;
}

static size_t write_in(const char *chat, const wsf_position *position,
                       char text[WSF_POSITION_TEXT_SIZE]) {
    wsf_hash_seal_key k = key();
    size_t length = wsf_position_write(&k, wsfan_string(chat), position, text);
    ck_assert_uint_gt(length, 0);
    ck_assert_uint_eq(strlen(text), length);
    return length;
}

static wsf_position_verdict read_bytes(wsfan_bytes text, wsf_position *position) {
    wsf_hash_seal_key k = key();
    /* Exactly so large, that a read behind the end is seen. */
    char *copy = malloc(text.size + 1);
    ck_assert_ptr_nonnull(copy);
    if (text.size > 0)
        memcpy(copy + 1, text.data, text.size);
    wsf_position_verdict verdict = wsf_position_read(
        &k, wsfan_string("lobby"), EPOCH, (wsfan_bytes){ copy + 1, text.size }, position);
    free(copy);
    return verdict;
}

static wsf_position_verdict read_text(const char *text, wsf_position *position) {
    return read_bytes(wsfan_string(text), position);
}

static void assert_same(const wsf_position *a, const wsf_position *b) {
    ck_assert_uint_eq(a->epoch, b->epoch);
    ck_assert_uint_eq(a->seen.rest, b->seen.rest);
    ck_assert_uint_eq(a->seen.count, b->seen.count);
    for (uint32_t i = 0; i < a->seen.count; i++) {
        ck_assert_uint_eq(a->seen.entries[i].origin, b->seen.entries[i].origin);
        ck_assert_uint_eq(a->seen.entries[i].clock, b->seen.entries[i].clock);
        ck_assert_int_eq(a->seen.entries[i].ragged, b->seen.entries[i].ragged);
    }
}

/* Any change of the format or of how the key is derived shows here. The text was also computed by another program. */
START_TEST(a_text_is_this_on_every_machine) {
    char text[WSF_POSITION_TEXT_SIZE];
    wsf_position position = position_of(NOW);
    ck_assert(wsf_vector_raise(&position.seen, 0x0a0b0c0d, NOW + 2 * SECOND));
    ck_assert_uint_eq(write_in("lobby", &position, text), 42);
    ck_assert_str_eq(text, "AQECAwQBmtIPKAAAAAEKCwwNgICA-gEm763jFIh8Ng");
}
END_TEST

START_TEST(what_is_written_is_read) {
    enum { ROUNDS = 5000 };
    uint64_t random = 5;
    char text[WSF_POSITION_TEXT_SIZE];
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t rest = next_random(&random) >> next_random(&random) % 64;
        wsf_position position = position_of(rest);
        uint64_t entries = next_random(&random) % (WSF_POSITION_ENTRIES_MAX + 1);
        for (uint64_t i = 0; i < entries; i++) {
            uint64_t origin = next_random(&random);
            uint64_t clock = next_random(&random) >> next_random(&random) % 64;
            if (next_random(&random) % 2 == 0 && clock > rest)
                ck_assert(wsf_vector_raise(&position.seen, origin, clock));
            else if (clock != rest)
                ck_assert(wsf_vector_pin(&position.seen, origin, clock));
            if (next_random(&random) % 8 == 0)
                ck_assert(wsf_vector_saw(&position.seen, origin, UINT64_MAX));
        }
        wsf_position got;
        write_in("lobby", &position, text);
        ck_assert_int_eq(read_text(text, &got), WSF_POSITION_GOOD);
        assert_same(&position, &got);
    }
}
END_TEST

START_TEST(entries_that_say_nothing_are_not_written) {
    char text[WSF_POSITION_TEXT_SIZE];
    wsf_position position = position_of(NOW);
    wsf_position got;
    for (uint64_t origin = 1; origin <= WSF_VECTOR_MAX; origin++)
        ck_assert(wsf_vector_pin(&position.seen, origin, NOW));
    ck_assert_uint_eq(write_in("lobby", &position, text), (1 + 4 + 8 + 1 + 8) * 4 / 3 + 1);
    ck_assert_int_eq(read_text(text, &got), WSF_POSITION_GOOD);
    ck_assert_uint_eq(got.seen.count, 0);
}
END_TEST

START_TEST(the_largest_position_fits_and_a_larger_one_is_refused) {
    char text[WSF_POSITION_TEXT_SIZE];
    wsf_hash_seal_key k = key();
    wsf_position position = position_of(0);
    wsf_position got;
    for (uint64_t origin = 1; origin <= WSF_POSITION_ENTRIES_MAX; origin++) {
        ck_assert(wsf_vector_raise(&position.seen, origin, UINT64_MAX));
        ck_assert(wsf_vector_saw(&position.seen, origin, UINT64_MAX));
    }
    ck_assert_uint_lt(write_in("lobby", &position, text), WSF_POSITION_TEXT_SIZE);
    ck_assert_int_eq(read_text(text, &got), WSF_POSITION_GOOD);
    assert_same(&position, &got);
    ck_assert(wsf_vector_raise(&position.seen, 999, 1));
    ck_assert_uint_eq(wsf_position_write(&k, wsfan_string("lobby"), &position, text), 0);
}
END_TEST

START_TEST(sixty_four_publishers_take_some_800_characters) {
    char text[WSF_POSITION_TEXT_SIZE];
    wsf_position position = position_of(NOW);
    for (uint64_t origin = 1; origin <= 64; origin++)
        ck_assert(wsf_vector_raise(&position.seen, origin << 20, NOW + 2 * SECOND + origin));
    ck_assert_uint_eq(write_in("lobby", &position, text), 798);
}
END_TEST

START_TEST(the_seal_is_bound_to_the_chat_and_the_key) {
    char text[WSF_POSITION_TEXT_SIZE];
    wsf_position position = usual();
    wsf_position got;
    write_in("lobby", &position, text);
    ck_assert_int_eq(read_text(text, &got), WSF_POSITION_GOOD);
    static const char *const chats[] = { "lobb", "lobbyy", "Lobby", "" };
    for (size_t i = 0; i < sizeof chats / sizeof *chats; i++) {
        wsf_hash_seal_key k = key();
        ck_assert_int_eq(
            wsf_position_read(&k, wsfan_string(chats[i]), EPOCH, wsfan_string(text), &got),
            WSF_POSITION_FALSE);
    }
    static const char *const secrets[] = {
        "0123456789abcdeF", "0123456789abcdef0",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    };
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        wsf_hash_seal_key k = key_of(secrets[i]);
        ck_assert_int_eq(
            wsf_position_read(&k, wsfan_string("lobby"), EPOCH, wsfan_string(text), &got),
            WSF_POSITION_FALSE);
    }
    wsf_hash_seal_key other;
    wsf_hash_seal_key_init(&other, wsfan_string("0123456789abcdef"), "another purpose");
    ck_assert_int_eq(
        wsf_position_read(&other, wsfan_string("lobby"), EPOCH, wsfan_string(text), &got),
        WSF_POSITION_FALSE);
}
END_TEST

START_TEST(every_bit_counts) {
    char text[WSF_POSITION_TEXT_SIZE];
    wsf_position position = usual();
    wsf_position got = position_of(77);
    size_t length = write_in("lobby", &position, text);
    for (size_t bit = 0; bit < length * 8; bit++) {
        text[bit / 8] ^= (char)(1 << bit % 8);
        ck_assert_int_eq(read_bytes((wsfan_bytes){ text, length }, &got), WSF_POSITION_FALSE);
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
    for (size_t i = 0; i < length; i++) { /* other digits too */
        char digit = text[i];
        for (int c = 0; c < 256; c++) {
            text[i] = (char)c;
            ck_assert_int_eq(read_bytes((wsfan_bytes){ text, length }, &got),
                             (char)c == digit ? WSF_POSITION_GOOD : WSF_POSITION_FALSE);
        }
        text[i] = digit;
    }
}
END_TEST

START_TEST(every_truncation_and_whatever_follows_is_refused) {
    char text[WSF_POSITION_TEXT_SIZE];
    char longer[WSF_POSITION_TEXT_SIZE + 8];
    wsf_position position = usual();
    wsf_position got;
    size_t length = write_in("lobby", &position, text);
    for (size_t size = 0; size < length; size++) {
        ck_assert_int_eq(read_bytes((wsfan_bytes){ text, size }, &got), WSF_POSITION_FALSE);
        ck_assert_int_eq(read_bytes((wsfan_bytes){ text + size + 1, length - size - 1 }, &got),
                         WSF_POSITION_FALSE);
    }
    static const char *const tails[] = { "A", "=", "==", "AAAA", " ", "  ", "\n", "." };
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        snprintf(longer, sizeof longer, "%s%s", text, tails[i]);
        ck_assert_int_eq(read_text(longer, &got), WSF_POSITION_FALSE);
        snprintf(longer, sizeof longer, "%s%s", tails[i], text);
        ck_assert_int_eq(read_text(longer, &got), WSF_POSITION_FALSE);
    }
    ck_assert_int_eq(read_bytes((wsfan_bytes){ text, length + 1 }, &got), WSF_POSITION_FALSE);
}
END_TEST

/* A body as another node might seal it. */
static wsf_position_verdict read_body(const uint8_t *body, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    wsf_hash_seal_key k = key();
    wsf_position got;
    uint8_t sealed[128] = { 0 };
    char text[256];
    size_t length = 0;
    memcpy(sealed, body, size);
    uint64_t seal = wsf_hash_seal(&k, wsfan_string("lobby"), (wsfan_bytes){ body, size });
    for (unsigned i = 0; i < 8; i++)
        sealed[size + i] = (uint8_t)(seal >> (56 - 8 * i));
    for (size_t bit = 0; bit < (size + 8) * 8; bit += 6) {
        unsigned two = (unsigned)sealed[bit / 8] << 8 | sealed[bit / 8 + 1];
        text[length++] = digits[two >> (10 - bit % 8) & 0x3f];
    }
    return read_bytes((wsfan_bytes){ text, length }, &got);
}

#define REST 0, 0, 0, 0, 0, 0, 0, 100
#define BODY(...) ((const uint8_t[]){ __VA_ARGS__ }), sizeof((const uint8_t[]){ __VA_ARGS__ })

START_TEST(only_the_one_form_of_each_content_is_read) {
    ck_assert_int_eq(read_body(BODY(1, 1, 2, 3, 4, REST, 0)), WSF_POSITION_GOOD);
    ck_assert_int_eq(read_body(BODY(1, 1, 2, 3, 4, REST, 1, 0, 0, 0, 7, 0x01)), WSF_POSITION_GOOD);
    ck_assert_int_eq(read_body(BODY(1, 1, 2, 3, 4, REST, 1, 0, 0, 0, 7, 0x20)), WSF_POSITION_GOOD);
    ck_assert_int_eq(read_body(BODY(1, 1, 2, 3, 4, REST, 1, 0, 0, 0, 7, 0xc4, 3)),
                     WSF_POSITION_GOOD); /* 100 below */
    /* another version */
    ck_assert_int_eq(read_body(BODY(2, 1, 2, 3, 4, REST, 0)), WSF_POSITION_FALSE);
    ck_assert_int_eq(read_body(BODY(0, 1, 2, 3, 4, REST, 0)), WSF_POSITION_FALSE);
    /* fewer and more entries than it says */
    ck_assert_int_eq(read_body(BODY(1, 1, 2, 3, 4, REST, 1)), WSF_POSITION_FALSE);
    ck_assert_int_eq(read_body(BODY(1, 1, 2, 3, 4, REST, 1, 0, 0, 0, 7)), WSF_POSITION_FALSE);
    ck_assert_int_eq(read_body(BODY(1, 1, 2, 3, 4, REST, 0, 0)), WSF_POSITION_FALSE);
    ck_assert_int_eq(read_body(BODY(1, 1, 2, 3, 4, REST, 67, 0, 0, 0, 7, 1)), WSF_POSITION_FALSE);
    /* differences: none; not the shortest; that do not end; beyond 0 and 2^64 */
    ck_assert_int_eq(read_body(BODY(1, 1, 2, 3, 4, REST, 1, 0, 0, 0, 7, 0x00)), WSF_POSITION_FALSE);
    ck_assert_int_eq(read_body(BODY(1, 1, 2, 3, 4, REST, 1, 0, 0, 0, 7, 0x60)), WSF_POSITION_FALSE);
    ck_assert_int_eq(read_body(BODY(1, 1, 2, 3, 4, REST, 1, 0, 0, 0, 7, 0x81, 0)),
                     WSF_POSITION_FALSE);
    ck_assert_int_eq(read_body(BODY(1, 1, 2, 3, 4, REST, 1, 0, 0, 0, 7, 0x81, 0x80, 0)),
                     WSF_POSITION_FALSE);
    ck_assert_int_eq(read_body(BODY(1, 1, 2, 3, 4, REST, 1, 0, 0, 0, 7, 0x81)), WSF_POSITION_FALSE);
    ck_assert_int_eq(read_body(BODY(1, 1, 2, 3, 4, REST, 1, 0, 0, 0, 7, 0xc5, 3)),
                     WSF_POSITION_FALSE);
    ck_assert_int_eq(read_body(BODY(1, 1, 2, 3, 4, REST, 1, 0, 0, 0, 7, 0x9b, 0xfc, 0xff, 0xff,
                                    0xff, 0xff, 0xff, 0xff, 0xff, 7)),
                     WSF_POSITION_GOOD); /* 2^64 - 1 */
    ck_assert_int_eq(read_body(BODY(1, 1, 2, 3, 4, REST, 1, 0, 0, 0, 7, 0x9c, 0xfc, 0xff, 0xff,
                                    0xff, 0xff, 0xff, 0xff, 0xff, 7)),
                     WSF_POSITION_FALSE);
    ck_assert_int_eq(read_body(BODY(1, 1, 2, 3, 4, REST, 1, 0, 0, 0, 7, 0x9b, 0xfc, 0xff, 0xff,
                                    0xff, 0xff, 0xff, 0xff, 0xff, 8)),
                     WSF_POSITION_FALSE);
    ck_assert_int_eq(read_body(BODY(1, 1, 2, 3, 4, REST, 1, 0, 0, 0, 7, 0x81, 0x80, 0x80, 0x80,
                                    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1)),
                     WSF_POSITION_FALSE);
    /* not in order, twice */
    ck_assert_int_eq(read_body(BODY(1, 1, 2, 3, 4, REST, 2, 0, 0, 0, 7, 1, 0, 0, 0, 8, 1)),
                     WSF_POSITION_GOOD);
    ck_assert_int_eq(read_body(BODY(1, 1, 2, 3, 4, REST, 2, 0, 0, 0, 8, 1, 0, 0, 0, 7, 1)),
                     WSF_POSITION_FALSE);
    ck_assert_int_eq(read_body(BODY(1, 1, 2, 3, 4, REST, 2, 0, 0, 0, 7, 1, 0, 0, 0, 7, 1)),
                     WSF_POSITION_FALSE);
}
END_TEST

START_TEST(another_epoch_is_told_from_what_is_false) {
    char text[WSF_POSITION_TEXT_SIZE];
    wsf_position position = usual();
    wsf_position got;
    position.epoch = EPOCH + 1;
    size_t length = write_in("lobby", &position, text);
    ck_assert_int_eq(read_text(text, &got), WSF_POSITION_OTHER_EPOCH);
    text[length - 3] ^= 1;
    ck_assert_int_eq(read_text(text, &got), WSF_POSITION_FALSE);
}
END_TEST

/* That of its join, and the newest. */
START_TEST(of_two_texts_the_greater_clocks_count) {
    char texts[2 * WSF_POSITION_TEXT_SIZE];
    wsf_position joined = position_of(NOW);
    wsf_position newest = position_of(NOW + SECOND);
    wsf_position merged;
    wsf_position got;
    ck_assert(wsf_vector_raise(&joined.seen, 1, NOW + 5 * SECOND));
    ck_assert(wsf_vector_pin(&newest.seen, 1, NOW + 3 * SECOND));
    ck_assert(wsf_vector_pin(&newest.seen, 2, NOW - SECOND));
    merged = joined;
    wsf_vector_merge(&merged.seen, &newest.seen);
    for (int order = 0; order < 2; order++) {
        size_t length = write_in("lobby", order == 0 ? &joined : &newest, texts);
        texts[length++] = ' ';
        write_in("lobby", order == 0 ? &newest : &joined, texts + length);
        ck_assert_int_eq(read_text(texts, &got), WSF_POSITION_GOOD);
        assert_same(&got, &merged);
        ck_assert_uint_eq(wsf_vector_at(&got.seen, 1), NOW + 5 * SECOND);
        ck_assert_uint_eq(wsf_vector_at(&got.seen, 2), NOW);
        ck_assert_uint_eq(wsf_vector_at(&got.seen, 3), NOW + SECOND);
    }
}
END_TEST

START_TEST(two_texts_are_as_good_as_the_worse_one) {
    char good[WSF_POSITION_TEXT_SIZE];
    char old[WSF_POSITION_TEXT_SIZE];
    wsf_position position = usual();
    write_in("lobby", &position, good);
    position.epoch = EPOCH - 1;
    write_in("lobby", &position, old);
    const char *const words[] = { good, old, "AAAA", "" };
    for (int first = 0; first < 4; first++) {
        for (int second = 0; second < 4; second++) {
            char texts[3 * WSF_POSITION_TEXT_SIZE];
            wsf_position got;
            int worse = first > second ? first : second;
            snprintf(texts, sizeof texts, "%s %s", words[first], words[second]);
            ck_assert_int_eq(read_text(texts, &got), worse == 0   ? WSF_POSITION_GOOD
                                                     : worse == 1 ? WSF_POSITION_OTHER_EPOCH
                                                                  : WSF_POSITION_FALSE);
            snprintf(texts, sizeof texts, "%s %s %s", words[first], words[second], good);
            ck_assert_int_eq(read_text(texts, &got), WSF_POSITION_FALSE);
        }
    }
}
END_TEST

SUITE_MAIN("position", a_text_is_this_on_every_machine, what_is_written_is_read,
           entries_that_say_nothing_are_not_written,
           the_largest_position_fits_and_a_larger_one_is_refused,
           sixty_four_publishers_take_some_800_characters,
           the_seal_is_bound_to_the_chat_and_the_key, every_bit_counts,
           every_truncation_and_whatever_follows_is_refused,
           only_the_one_form_of_each_content_is_read, another_epoch_is_told_from_what_is_false,
           of_two_texts_the_greater_clocks_count, two_texts_are_as_good_as_the_worse_one)
