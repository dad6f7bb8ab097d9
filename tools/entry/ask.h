/* A message that came by NATS, checked and in one piece of memory. Pure. */
#ifndef ENTRY_ASK_H
#define ENTRY_ASK_H

#include <stdint.h>
#include <wsfan/wsfan.h>

#include "channel.h"
#include "fault.h"
#include "queue.h"
#include "subject.h"

enum { ID_BYTES_MAX = 128, REPLY_BYTES_MAX = 1024, LEASE_MS_MIN = 1000, LEASE_MS_MAX = 3600000 };

/* What headers say; begins as {0}. */
struct headers {
    bool binary;
    wsfan_address except; /* {0, 0}: nobody */
    size_t key_size;      /* 0: there is none */
    char key[NAME_BYTES_MAX];
    char id[ID_BYTES_MAX + 1]; /* "": there is none */
    unsigned seen;             /* bits, of each header */
};

/* Takes a header; others than Wsfan-... and Nats-Msg-Id mean nothing here. */
enum fault headers_read(struct headers *headers, const char *name, const char *value);

/* In memory of its own. */
struct ask {
    struct item item; /* first */
    enum fault fault; /* FAULT_NONE: it is right */
    enum channel channel;
    uint32_t lease_ms; /* of CHANNEL_TAP */
    struct recipient recipient;
    struct headers headers;
    uint64_t digest; /* of all that matters: tells one message from another by the same sender */
    char *reply;     /* where the answer goes; NULL: nowhere */
    wsfan_bytes payload;
};

/* Makes one, whose payload and reply are copied. NULL: no memory, or the reply is too long to be one. */
struct ask *ask_new(const char *reply, const void *payload, size_t size);

/* Checks it as far as that depends on it alone, and sets `fault`; rest: of the subject, behind "in." or "tap.". */
void ask_check(struct ask *ask, const char *rest, size_t payload_bytes_max);

/* {"ms":N}, or nothing: a minute. False: neither, or N is out of its range. */
bool lease_read(uint32_t *ms, const char *text, size_t size);

#endif
