/* Cuts an input into pieces: by a seed, so that the fuzzer decides and a run repeats. */
#ifndef PIECES_H
#define PIECES_H

#include <stddef.h>
#include <stdint.h>

/* The size of the next piece, 1 to the rest. Small ones are as likely as large ones. */
static inline size_t next_piece(uint32_t *seed, size_t rest) {
    *seed = *seed * 1664525 + 1013904223;
    size_t bits = *seed >> 28, size = 1 + ((*seed >> 8 & 0xffff) & (((size_t)1 << bits) - 1));
    return size < rest ? size : rest;
}

#endif
