/* What a part of the process that cannot say no will take: ZeroMQ ends the process where it finds no
 * descriptor or thread for itself. */
#ifndef WSF_BASE_PREFLIGHT_H
#define WSF_BASE_PREFLIGHT_H

/* Whether so many descriptors and threads are to be had at this moment. WSFAN_ESYSTEM with errno, or
 * WSFAN_OK. */
int wsf_preflight_check(unsigned descriptors, unsigned threads);

/* One in `part` of the descriptors that the process may have at present: 1..max. */
unsigned wsf_preflight_share(unsigned part, unsigned max);

#endif
