/* The bytes between nodes: frames, their entries, and introductions. See docs/protocol.md. */
#ifndef WSF_WIRE_ENCODE_H
#define WSF_WIRE_ENCODE_H

#include <stdbool.h>

#include "base/endpoint.h"
#include "base/limits.h"
#include "message/request.h"
#include "message/run.h"
#include "wire/message_codec.h"

enum {
    WSF_PROTOCOL_MIN = 1,
    WSF_PROTOCOL_MAX = 1,
    WSF_TOPIC_SIZE = 12, /* of an inbox: magic and node id */
    WSF_INTRODUCTION_SIZE_MAX = 200,
    WSF_FRAME_HEAD_BOUND = 96, /* topic, checksum and head */
    WSF_CHECKSUM_SIZE = 8,
    WSF_BODY_OFFSET = WSF_TOPIC_SIZE + WSF_CHECKSUM_SIZE, /* of the head */
    WSF_ENTRY_BOUND = 64, /* of an entry besides its names, payload or hashes */
    WSF_HELLO_BOUND = 320,
    WSF_NACK_BOUND = 320,
    WSF_NACK_RANGES_MAX = WSF_SIZE(16, 2), /* the oldest; the next nack asks for others */
    WSF_KNOWN_PEER_BOUND = 140,            /* of one peer in WSF_PEERS */
    WSF_KNOWN_PEERS_MAX = 64,              /* in WSF_PEERS */
    WSF_CLUSTER_SIZE_MAX = 32,
    WSF_NAME_SIZE_MAX = 64,
    WSF_PUBLIC_SIZE_MAX = 255,
    WSF_WEIGHT_MAX = 1000,
    WSF_STATUS_BOUND = 320,
    WSF_TARGETS_COUNT_MAX = 1024,
    WSF_ROW_BOUND = 32, /* of one row in WSF_PRESENCE, besides its name and metadata */
    WSF_PRESENCE_ROWS_MAX = WSF_SIZE(1024, 4) /* the next frame tells the rest */
};

typedef enum {
    WSF_HELLO = 1,
    WSF_HELLO_ACK = 2,
    WSF_REFUSE = 3,
    WSF_MESSAGE = WSF_ENTRY_MESSAGE,
    WSF_INTEREST = 5,
    WSF_PEERS = 6,
    WSF_HEARTBEAT = 7,
    WSF_NACK = 8,
    WSF_LOST = 9,
    WSF_BYE = 10,
    WSF_RESYNC = 11,
    WSF_STATUS = 12,
    WSF_REQUEST = 13,
    WSF_REPLY = 14,
    WSF_MESSAGE_APART = WSF_ENTRY_APART, /* read as WSF_MESSAGE */
    WSF_MESSAGES = 16,
    WSF_MARK = 17,
    WSF_MARK_ASK = 18,
    WSF_HOLD = 19,
    WSF_PRESENCE = 20,
    WSF_PRESENCE_SUM = 21,
    WSF_PRESENCE_RESYNC = 22,
    WSF_HOLD_SUM = 23,
    WSF_HOLD_RESYNC = 24
} wsf_entry_type;

/* Features of WSF_HELLO. */
enum {
    WSF_FEATURE_HISTORY = 1, /* sends WSF_MARK to those that want it, */
    WSF_FEATURE_MARKS = 2    /* and wants it */
};

enum { WSF_SNAPSHOT_BEGIN = 1, WSF_SNAPSHOT_END = 2 }; /* flags of WSF_INTEREST */
enum { WSF_HOLD_FORGET = 1 };     /* flag of WSF_HOLD: what the receiver was asked before is void */
enum { WSF_PRESENCE_FORGET = 1 }; /* flag of WSF_PRESENCE: rows told before are void */

/* A row of presence, to or from a peer. */
typedef struct {
    uint64_t chat_hash;
    uint32_t sessions; /* 0: the row has ended */
    wsfan_bytes user;
    wsfan_bytes metadata;
} wsf_presence_row;

/* How far a node has told its rows of presence. */
typedef struct {
    uint64_t newest; /* all rows are in frames up to this one, */
    uint64_t heard;  /* as of the receiver's interest up to this serial, plus one */
    uint64_t digest;
} wsf_presence_sum;

/* How far a node has told its messages. */
typedef struct {
    uint64_t clock;  /* all messages for the receiver up to here */
    uint64_t newest; /* are in frames up to this one */
    uint64_t last;   /* clock of the sender's last message to anybody; 0: there is none */
} wsf_mark;

/* Which chats the receiver is to hold for the sender, and what the sender holds for it. Hashes, 8 bytes each, big endian. */
typedef struct {
    uint32_t flags;
    wsfan_bytes adds;
    wsfan_bytes inherits; /* to be held too, with what others have kept of them already */
    wsfan_bytes removes;
    wsfan_bytes
        held; /* by the sender, as it was asked to: all that is published from here on, and what it inherits */
} wsf_hold;

typedef struct {
    uint64_t newest; /* all hashes are in frames up to this one, */
    uint64_t digest; /* and their sum */
} wsf_hold_sum;

/* Flags of WSF_STATUS. */
enum {
    WSF_STATUS_READY = 1,
    WSF_STATUS_DRAINING = 2,
    WSF_STATUS_QUIET = 4,    /* it will publish nothing more */
    WSF_STATUS_PUBLISHER = 8 /* it never has sessions */
};

typedef struct {
    uint32_t version;
    uint64_t sender;
    uint64_t epoch;     /* of the sender's stream; 0: it has none yet */
    uint64_t number;    /* 1, 2, 3 ...; 0: not part of the stream */
    uint64_t ack_epoch; /* of the receiver's stream; 0: none received yet */
    uint64_t ack;       /* all frames up to this arrived */

    /* The second part: bytes without meaning (headroom), then a payload, the same for all receivers. */
    uint32_t rest_size;     /* 0: there is none */
    uint32_t rest_room;     /* bytes before the payload */
    uint64_t rest_checksum; /* of the payload */
} wsf_frame_head;

typedef struct {
    uint32_t protocol_min;
    uint32_t protocol_max;
    uint64_t features;
    wsfan_bytes cluster;
    wsfan_bytes name;
    uint64_t incarnation; /* milliseconds since 1970 at the node's start */
    wsfan_bytes endpoint;
    uint64_t epoch; /* of the stream that the sender will number */
    uint64_t frame_size_max;
    bool met; /* the sender may have had a link with the receiver before */
} wsf_hello;

typedef struct {
    uint64_t node;
    wsfan_bytes endpoint;
} wsf_known_peer;

/* The time of a cluster from when its first node was there until none is left, without which no position is told. */
typedef struct {
    uint64_t number;   /* random; 0: not known */
    uint64_t birth_ms; /* since 1970; of two the older one is that of both */
} wsf_cluster_epoch;

/* The status of a node. */
typedef struct {
    uint32_t flags;
    uint32_t weight;
    wsfan_bytes address; /* where clients reach it; may be empty */
    wsf_cluster_epoch cluster_epoch;
} wsf_status;

/* Frame numbers, both included. */
typedef struct {
    uint64_t from;
    uint64_t to;
} wsf_range;

typedef struct {
    wsfan_bytes key;
    wsfan_bytes text;
    uint64_t count;
} wsf_reply_row;

/* The head of messages of a run, as it is on the wire. */
typedef struct {
    wsfan_target target; /* a chat or a user */
    wsfan_address except;
    uint32_t flags;
} wsf_messages_head;

/* A range of a run. */
typedef struct {
    uint64_t clock; /* of the first message */
    const wsf_messages_head *heads;
    uint32_t heads_count;
    uint32_t count;       /* of messages, 1..WSF_RUN_COUNT_MAX */
    const uint8_t *index; /* an entry each; see wsf_get_message_at() */
    wsfan_bytes payloads; /* one after another */
    bool apart;           /* they are the second part of the frame */
} wsf_messages;

/* An entry of wsf_messages.index; the reader has checked it. */
typedef struct {
    uint32_t payload_size;
    uint16_t head;
    uint16_t offset; /* from wsf_messages.clock; rises from 0 */
} wsf_message_at;

enum {
    WSF_MESSAGE_AT_SIZE = 8,
    WSF_MESSAGES_HEAD_SIZE = 4,    /* of a head: kind, flags, size of the name in two bytes; */
    WSF_MESSAGES_EXCEPT = 0x80,    /* with this bit in the kind there is an address, */
    WSF_MESSAGES_EXCEPT_SIZE = 16, /* node and session; and then the name */
};

typedef struct {
    wsf_entry_type type;
    union {
        wsf_hello hello;
        uint64_t hello_ack; /* the epoch that is acknowledged */
        uint64_t refuse;    /* a wsfan_reason */
        wsf_message_entry message;
        wsf_messages messages;
        struct {
            uint32_t flags;
            wsfan_bytes adds; /* hashes, 8 bytes each, big endian */
            wsfan_bytes removes;
            uint64_t serial; /* all of the sender's interest up to here is told, */
            bool has_serial; /* and the sender asks for presence */
        } interest;
        struct {
            uint32_t flags;
            uint64_t heard; /* the receiver's interest was known up to this serial, plus one */
            const wsf_presence_row *rows;
            uint32_t count;
        } presence;
        wsf_presence_sum presence_sum;
        struct {
            const wsf_known_peer *list;
            uint32_t count;
        } peers;
        struct {
            uint64_t newest; /* the highest number in use, 0 before the first */
            uint64_t digest; /* of the sender's interest, all of it told in frames up to newest */
            bool has_digest;
        } heartbeat;
        struct {
            const wsf_range *ranges; /* missing frames */
            uint32_t count;
        } nack;
        struct {
            uint64_t count;
            uint64_t reason; /* a wsfan_gap_reason */
            uint64_t clock;  /* none of them is newer; 0: not told */
        } lost;
        wsf_mark mark;
        uint64_t mark_ask; /* the clock that a mark is to reach */
        wsf_hold hold;
        wsf_hold_sum hold_sum;
        wsf_status node_status;
        struct {
            uint64_t id;     /* the sender's */
            uint32_t kind;   /* a wsfan_request_kind, or one of a later version */
            uint32_t ms_max; /* how long the sender waits */
            uint32_t number; /* of a close: its code; of a list: the rows of a page */
            const wsfan_target *targets;
            uint32_t targets_count;
            wsfan_bytes payload;
        } request;
        struct {
            uint64_t id;
            uint32_t status; /* the negative of a code of WSFAN_ERROR_LIST */
            uint64_t sessions;
            uint64_t sessions_failed;
            bool more;
            const wsf_reply_row *rows;
            uint32_t rows_count;
            wsfan_bytes payload;
        } reply;
    };
} wsf_entry;

/* ------------------------------------------------------------------------------------- writing */

/* Writes into memory of the caller, who reserved enough by the bounds above. */
typedef struct {
    uint8_t *data;
    size_t capacity;
    size_t size;
} wsf_writer;

/* A frame begins with its head and ends with its seal, a checksum of all of it but a second part,
 * whose own is in the head. */
void wsf_write_head(wsf_writer *writer, uint64_t receiver, const wsf_frame_head *head);
void wsf_seal(wsf_writer *writer);

/* The checksum of a frame, for its seal: the receiver is the seed, so that the topic is covered too. */
uint64_t wsf_frame_checksum(const uint8_t *frame, size_t size);
uint64_t wsf_payload_checksum(const void *payload, size_t size);

void wsf_write_hello(wsf_writer *writer, const wsf_hello *hello);
/* HELLO_ACK, REFUSE and MARK_ASK: one number. */
void wsf_write_number(wsf_writer *writer, wsf_entry_type type, uint64_t number);
void wsf_write_heartbeat(wsf_writer *writer, uint64_t newest,
                         const uint64_t *digest); /* NULL: none */
void wsf_write_nack(wsf_writer *writer, const wsf_range *ranges, uint32_t count);
void wsf_write_message(wsf_writer *writer, const wsfan_message *message);
void wsf_write_span(wsf_writer *writer, wsf_span span); /* MESSAGES of a run; else the message */
void wsf_write_interest(wsf_writer *writer, uint32_t flags, wsfan_bytes adds, wsfan_bytes removes,
                        const uint64_t *serial); /* NULL: none */
void wsf_write_presence(wsf_writer *writer, uint32_t flags, uint64_t heard,
                        const wsf_presence_row *rows, uint32_t count);
void wsf_write_presence_sum(wsf_writer *writer, const wsf_presence_sum *sum);
void wsf_write_peers(wsf_writer *writer, const wsf_known_peer *peers, uint32_t count);
void wsf_write_lost(wsf_writer *writer, uint64_t count, uint64_t reason,
                    uint64_t clock); /* 0: none */
void wsf_write_mark(wsf_writer *writer, const wsf_mark *mark);
void wsf_write_hold(wsf_writer *writer, const wsf_hold *hold);
void wsf_write_hold_sum(wsf_writer *writer, const wsf_hold_sum *sum);
void wsf_write_status(wsf_writer *writer, const wsf_status *status);
void wsf_write_type(wsf_writer *writer, wsf_entry_type type); /* BYE, and all RESYNCs */

void wsf_write_entry(wsf_writer *writer, const void *entry, size_t size); /* written before */
void wsf_write_request(wsf_writer *writer, const wsf_request *request);
void wsf_write_reply(wsf_writer *writer, uint64_t id, const wsf_answer *answer);

/* Upper bounds of the size of a message's entry, or of a request with it; and of a reply's. */
size_t wsf_message_bound(const wsfan_message *message);
size_t wsf_message_entry_bound(const wsfan_message *message); /* without a second part */
size_t wsf_span_bound(wsf_span span);                         /* the same */

/* How many messages, from the first of a span on, fit into an entry of `room` bytes. */
uint32_t wsf_span_fit(wsf_span span, size_t room);
size_t wsf_reply_bound(const wsf_answer *answer);

/* Upper bound of the frame of the largest message that these limits allow. */
size_t wsf_frame_bound(size_t payload_size_max, size_t name_size_max, size_t targets_count_max);

static inline wsf_message_at wsf_get_message_at(const uint8_t *index, uint32_t i) {
    uint64_t word = wsf_get_u64(index + (size_t)i * WSF_MESSAGE_AT_SIZE);
    return (wsf_message_at){ (uint32_t)(word >> 32), (uint16_t)(word >> 16), (uint16_t)word };
}

/* ------------------------------------------------------------------------------- introductions */

/* What a node subscribes to at a peer: its own inbox, and an introduction that carries the rest. */
typedef struct {
    uint8_t protocol_min;
    uint8_t protocol_max;
    uint64_t node;
    char cluster[WSF_CLUSTER_SIZE_MAX + 1];
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
} wsf_introduction;

void wsf_write_inbox(uint8_t topic[WSF_TOPIC_SIZE], uint64_t node);
size_t wsf_write_introduction(uint8_t topic[WSF_INTRODUCTION_SIZE_MAX],
                              const wsf_introduction *introduction);

typedef enum { WSF_TOPIC_OTHER, WSF_TOPIC_INBOX, WSF_TOPIC_INTRODUCTION } wsf_topic_kind;

/* Reads a topic that a node subscribed to; fills introduction->node for both known kinds. */
wsf_topic_kind wsf_read_topic(const void *data, size_t size, wsf_introduction *introduction);

#endif
