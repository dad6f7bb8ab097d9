#include "wire/checksum.h"

#include "suite.h"

enum { SIZE_MAX_TRIED = 5000 };

static uint8_t bytes[SIZE_MAX_TRIED + 8];

static void fill(void) {
    uint64_t random = 5;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)next_random(&random);
}

/* Values of xxHash's own programs: peers on other processors compute the same. */
START_TEST(it_is_xxh3_by_whatever_instructions) {
    uint8_t data[1000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7);
    ck_assert_uint_eq(wsf_checksum("", 0, 0), UINT64_C(0x2d06800538d394c2));
    ck_assert_uint_eq(wsf_checksum("abc", 3, 0), UINT64_C(0x78af5f94892f3950));
    ck_assert_uint_eq(wsf_checksum(data, sizeof data, 42), UINT64_C(0x715c5bbc12530d92));
#ifdef WSF_HAS_AVX2
    if (__builtin_cpu_supports("avx2"))
        ck_assert_uint_eq(wsf_checksum_avx2(data, sizeof data, 42), UINT64_C(0x715c5bbc12530d92));
#endif
}
END_TEST

START_TEST(every_byte_and_the_seed_count) {
    fill();
    uint64_t whole = wsf_checksum(bytes, SIZE_MAX_TRIED, 1);
    ck_assert_uint_ne(whole, wsf_checksum(bytes, SIZE_MAX_TRIED, 2));
    ck_assert_uint_ne(whole, wsf_checksum(bytes, SIZE_MAX_TRIED - 1, 1));
    for (size_t i = 0; i < SIZE_MAX_TRIED; i += 7) {
        bytes[i] ^= 1;
        ck_assert_uint_ne(whole, wsf_checksum(bytes, SIZE_MAX_TRIED, 1));
        bytes[i] ^= 1;
    }
}
END_TEST

SUITE_MAIN("checksum", it_is_xxh3_by_whatever_instructions, every_byte_and_the_seed_count)
