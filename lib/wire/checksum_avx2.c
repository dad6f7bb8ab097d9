/* Compiled with -mavx2, by which xxhash.h chooses its vectors; and so apart from everything else, which runs on
 * processors without AVX2 too. */
#include "wire/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t wsf_checksum_avx2(const void *data, size_t size, uint64_t seed) {
    return XXH3_64bits_withSeed(data, size, seed);
}
