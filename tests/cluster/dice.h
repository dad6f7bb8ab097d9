/* Numbers by a seed: SplitMix64. */
#ifndef DICE_H
#define DICE_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t dice_below(uint64_t *dice, uint64_t below) {
    uint64_t z = *dice += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

/* True in so many of a million throws. */
static inline bool dice_ppm(uint64_t *dice, uint32_t ppm) {
    return ppm > 0 && dice_below(dice, 1000000) < ppm;
}

#endif
