/* The checksum of frames and payloads: XXH3, 64 bits. */
#ifndef WSF_WIRE_CHECKSUM_H
#define WSF_WIRE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* By the widest instructions that this processor has; the value does not depend on them. */
uint64_t wsf_checksum(const void *data, size_t size, uint64_t seed);

/* The same by AVX2 alone. Built on x86-64 (WSF_HAS_AVX2); the processor must have it. */
uint64_t wsf_checksum_avx2(const void *data, size_t size, uint64_t seed);

#endif
