/* Answers for the checksum, by instructions that every processor has, and for the choice of better ones. */
#include "wire/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Up to here XXH3 does not work in vectors. */
enum { SHORT_SIZE_MAX = XXH3_MIDSIZE_MAX };

uint64_t wsf_checksum(const void *data, size_t size, uint64_t seed) {
#ifdef WSF_HAS_AVX2
    if (size > SHORT_SIZE_MAX && __builtin_cpu_supports("avx2"))
        return wsf_checksum_avx2(data, size, seed);
#endif
    return XXH3_64bits_withSeed(data, size, seed);
}
