/* Sizes of fixed tables. Beside each table stands what is promised when it is full.
 *
 * A library that is built with WSF_SMALL_TABLES is for the simulator, which then sees each of those tables
 * full within a minute of simulated time. */
#ifndef WSF_BASE_LIMITS_H
#define WSF_BASE_LIMITS_H

#ifdef WSF_SMALL_TABLES
#define WSF_SIZE(usual, small) (small)
#else
#define WSF_SIZE(usual, small) (usual)
#endif

enum {
    /* One bit each in a word. wsfan_loop_open() says WSFAN_ELIMIT for more. */
    WSF_LOOPS_MAX = 64,
    /* A multiple of 64: the width of wsf_peers, and so of an interest row. Over peers_count_max a peer that is
     * down makes way, or one of the key that has most; else the newcomer is refused with WSFAN_REASON_LIMIT,
     * here and there, and asks again every down_ms. What a peer that made way publishes until it is back is
     * covered by a gap. */
    WSF_PEERS_MAX = 64
};

#endif
