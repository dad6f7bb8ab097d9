/* Decodes one frame after another. Reuses its memory; bounded by the frame's size. */
#ifndef WSF_WIRE_DECODE_H
#define WSF_WIRE_DECODE_H

#include "wire/encode.h"

typedef struct wsf_reader wsf_reader;

wsf_reader *wsf_reader_new(void); /* NULL: out of memory */
void wsf_reader_destroy(wsf_reader *reader);

/* Checks the whole frame for its checksums, structure and bounds, and that its second part is the one that
 * the head tells of; then reads the head, whose version is for the caller to judge. The frame must stay until
 * it has been read. WSFAN_EINVAL: not a valid frame for this receiver. WSFAN_ENOMEM. */
int wsf_reader_open(wsf_reader *reader, const wsf_buffer *frame, uint64_t receiver,
                    wsf_frame_head *head);

/* The next entry, valid until the next call. 1: there is one; 0: end of the frame; WSFAN_EINVAL: an entry of a
 * known type with wrong content, which is passed over; WSFAN_ENOMEM: the same for want of memory. Entries of unknown types, and further fields of known ones, are skipped. */
int wsf_reader_next(wsf_reader *reader, wsf_entry *entry);

#endif
