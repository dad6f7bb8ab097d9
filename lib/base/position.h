/* Positions: how far somebody has seen a chat, as a text for clients that nodes with the same key can trust.
 *
 *   text      "TEXT", or "TEXT TEXT": two that are true of one client, of which the greater clocks count
 *   TEXT      body | seal, in base64url without padding (RFC 4648, 5)
 *   body      version (1 byte: 1) | epoch (4) | clock of all others (8) | entries (1) | entry...
 *   entry     origin (4) | difference from the clock of all others (1..10); sorted by origin, each once
 *   seal      8 bytes, see wsf_hash_seal(): of the body, in the context of the chat's name
 *
 * Numbers are big endian, but for the difference: its first byte has 5 low bits of the amount, 0x20 if the entry is
 * ragged, 0x40 if it is below, 0x80 if another byte follows, which has the next 7 bits, and so on. No byte more than
 * needed; a difference of 0 only where the entry is ragged. So there is one text for each content. With one entry that is
 * less than two minutes off it has 42 characters. */
#ifndef WSF_BASE_POSITION_H
#define WSF_BASE_POSITION_H

#include "base/hash.h"
#include "base/vector.h"

enum {
    WSF_POSITION_TEXT_SIZE = 1280, /* with the NUL */
    WSF_POSITION_ENTRIES_MAX = 66  /* each as large as can be, they fit into the text */
};

typedef struct {
    uint32_t epoch;  /* of the cluster, the 4 bytes of it that positions have */
    wsf_vector seen; /* of the chat */
} wsf_position;

/* Writes one text; returns its length, without the NUL. 0: there are more than WSF_POSITION_ENTRIES_MAX entries
 * that say something. */
size_t wsf_position_write(const wsf_hash_seal_key *key, wsfan_bytes chat,
                          const wsf_position *position, char text[WSF_POSITION_TEXT_SIZE]);

typedef enum {
    WSF_POSITION_GOOD = 0,
    WSF_POSITION_FALSE = 1,      /* not a position, or not of this chat and key */
    WSF_POSITION_OTHER_EPOCH = 2 /* a position of this chat, made before all nodes were restarted */
} wsf_position_verdict;

/* Reads one text or two, from anybody. *position is set only if the verdict is GOOD. */
wsf_position_verdict wsf_position_read(const wsf_hash_seal_key *key, wsfan_bytes chat,
                                       uint32_t epoch, wsfan_bytes text, wsf_position *position);

#endif
