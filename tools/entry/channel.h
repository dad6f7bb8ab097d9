/* What an entry hears of NATS. */
#ifndef ENTRY_CHANNEL_H
#define ENTRY_CHANNEL_H

enum channel {
    CHANNEL_IN,     /* messages: one of all entries takes each */
    CHANNEL_TAP,    /* leases: all entries hear each */
    CHANNEL_BEAT,   /* of other entries */
    CHANNEL_STATUS, /* questions about this entry */
    CHANNELS_COUNT
};

#endif
