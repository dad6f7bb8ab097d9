/* What nodes compare with each other is the same number on every machine, whatever its byte order. */
#include "base/hash.h"

#include "suite.h"

static const char PUBLIC_KEY[] = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";

static wsf_hash_key key_of(const char *cluster) {
    wsf_hash_key key;
    wsf_hash_key_init(&key, cluster);
    return key;
}

static uint64_t hash(wsfan_target_kind kind, const char *name) {
    wsf_hash_key key = key_of("wsfan");
    wsfan_target target = { kind, wsfan_string(name) };
    return wsf_hash_target(&key, &target);
}

START_TEST(hashes_are_these_on_every_machine) {
    wsf_hash_key key = key_of("wsfan");
    ck_assert_uint_eq(hash(WSFAN_CHAT, "lobby"), UINT64_C(0xc480dff7580b1db3));
    ck_assert_uint_eq(hash(WSFAN_USER, "lobby"), UINT64_C(0xdb13048863173a1d));
    ck_assert_uint_eq(wsf_hash_bytes(&key, wsfan_string("lobby")), UINT64_C(0x492eb3134a3054b1));
    ck_assert_uint_eq(wsf_hash_identity(PUBLIC_KEY), UINT64_C(0x00000000010bb7e1));
}
END_TEST

START_TEST(clusters_hash_the_same_name_apart) {
    wsf_hash_key other = key_of("other");
    wsfan_target target = { WSFAN_CHAT, wsfan_string("lobby") };
    ck_assert_uint_ne(wsf_hash_target(&other, &target), hash(WSFAN_CHAT, "lobby"));
}
END_TEST

START_TEST(bytes_are_the_same_where_no_byte_differs) {
    for (size_t size = 0; size <= 40; size++) {
        uint8_t a[40] = { 0 };
        uint8_t b[40] = { 0 };
        ck_assert(wsf_same_bytes(a, b, size));
        for (size_t i = 0; i < sizeof b; i++) {
            b[i] = 1;
            ck_assert_int_eq(wsf_same_bytes(a, b, size), i >= size);
            b[i] = 0;
        }
    }
}
END_TEST

START_TEST(bytes_are_copied_and_no_others) {
    uint8_t from[48];
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (uint8_t)(i + 1);
    for (size_t size = 0; size <= 40; size++) {
        uint8_t to[48] = { 0 };
        wsf_copy_short(to + 1, from, size);
        for (size_t i = 0; i < sizeof to; i++)
            ck_assert_uint_eq(to[i], i >= 1 && i <= size ? i : 0);
    }
}
END_TEST

SUITE_MAIN("hash", hashes_are_these_on_every_machine, clusters_hash_the_same_name_apart,
           bytes_are_the_same_where_no_byte_differs, bytes_are_copied_and_no_others)
