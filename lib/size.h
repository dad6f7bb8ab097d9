/* Sizes of fixed tables. Beside each stands what is promised when it is full.
 *
 * A library that is built with WSF_SMALL_TABLES is for the simulator, which then sees each of these tables
 * full within a minute of simulated time. */
#ifndef WSF_SIZE_H
#define WSF_SIZE_H

#ifdef WSF_SMALL_TABLES
#define WSF_SIZE(usual, small) (small)
#else
#define WSF_SIZE(usual, small) (usual)
#endif

#endif
