/* Sizes of fixed tables; the comment of each says what happens when it is full.
 *
 * The simulator builds the library with WSF_SMALL_TABLES, so that each of those tables fills within a minute
 * of simulated time. */
#ifndef WSF_BASE_LIMITS_H
#define WSF_BASE_LIMITS_H

#ifdef WSF_SMALL_TABLES
#define WSF_SIZE(usual, small) (small)
#else
#define WSF_SIZE(usual, small) (usual)
#endif

enum {
    /* A set of loops is one 64-bit word. Beyond it wsfan_loop_open() returns WSFAN_ELIMIT. */
    WSF_LOOPS_MAX = 64,
    /* A peer's number is a byte, and 255 is none: in rows of presence, in packed sets. A new peer beyond
     * peers_count_max takes the place of a peer that is down, or of one of the key with the most peers. Otherwise both nodes
     * report WSFAN_REASON_LIMIT, and the new peer tries again every down_ms. What a peer that lost its place
     * publishes until it is back is covered by a gap. */
    WSF_PEERS_MAX = WSF_SIZE(255, 64)
};

#endif
