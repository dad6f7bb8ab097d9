/* Probes of libwsfan (USDT), for bpftrace, perf, SystemTap and gdb. A probe is a nop and a note in the ELF file,
 * which says where its arguments are: nothing is called when nobody looks. They are there in a library that
 * was built with sys/sdt.h (WSFAN_USDT). examples/monitoring/trace.bt uses all of them. All numbers are 64-bit:
 *
 * | wsfan:          | where                               | arg0      | arg1     | arg2          | arg3      |
 * | publish         | messages got ids, from clock on     | node      | clock    | payload bytes | messages  |
 * | frame_sent      | a frame is given to ZeroMQ          | node      | peer     | bytes         |           |
 * | frame_received  | a frame of a peer came              | node      | peer     | bytes         | number    |
 * | dispatch        | a loop calls on_message, or would   | origin    | clock    | recipients    |           |
 * | gap             | the host is told of missing messages| node      | of       | count         | reason    |
 * | repair          | missing frames of a peer have come  | node      | peer     | after ms      |           |
 *
 * node, peer, origin: ids. clock: of wsfan_message_id. number: 0 for a frame without one. of: a peer, or the
 * node itself. reason: wsfan_gap_reason. */
#ifndef WSF_BASE_PROBES_H
#define WSF_BASE_PROBES_H

#include <stdint.h>

#ifdef WSF_HAS_USDT
#ifdef __clang__ /* the macros of sys/sdt.h call one with no argument for its "..." */
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments"
#if __has_warning("-Wc23-extensions") /* its name since clang 19 */
#pragma clang diagnostic ignored "-Wc23-extensions"
#endif
#endif
#include <sys/sdt.h>
#define WSF_PROBE3(name, a, b, c)                                                                  \
    DTRACE_PROBE3(wsfan, name, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c))
#define WSF_PROBE4(name, a, b, c, d)                                                               \
    DTRACE_PROBE4(wsfan, name, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d))
#else
#define WSF_PROBE3(name, a, b, c) ((void)(a), (void)(b), (void)(c))
#define WSF_PROBE4(name, a, b, c, d) ((void)(a), (void)(b), (void)(c), (void)(d))
#endif

#endif
