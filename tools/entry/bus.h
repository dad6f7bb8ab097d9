/* The connection to NATS. A thread of its own connects and publishes, since both may wait; messages are heard on
 * threads of libnats. All other functions wait for nothing, on any thread. */
#ifndef ENTRY_BUS_H
#define ENTRY_BUS_H

#include <nats/nats.h>
#include <stdbool.h>
#include <wsfan/nats.h>

#include "channel.h"
#include "subject.h"

enum { BUS_TEXT_SIZE = 512 };

struct bus;

struct bus_options {
    wsfan_nats_options nats; /* its strings are the caller's, until bus_close() */
    const char *name;        /* as servers list it; copied */
    char subjects[CHANNELS_COUNT][SUBJECT_SIZE];
    void *user;
    /* A message, on a thread of libnats, which frees it. One at a time for each channel. */
    void (*heard)(void *user, enum channel channel, natsMsg *message);
    void (*wake)(void *user); /* the state has changed */
};

struct bus_state {
    bool connected;
    bool open[CHANNELS_COUNT];       /* messages may come, or are being handed over */
    bool subscribed[CHANNELS_COUNT]; /* the server knows that they are wanted */
    uint64_t connects;
    uint64_t failures;
    uint64_t unsent;          /* messages for which there was no room, or that no server took */
    uint64_t unheard;         /* messages that libnats had no room for */
    int64_t payload_max;      /* of the server */
    char text[BUS_TEXT_SIZE]; /* of the last failure, or the server while connected */
};

/* Returns WSFAN_OK, also where no server answers; WSFAN_EKEY, WSFAN_EINVAL or another error where trying again is of no
 * use, with a text. Waits for the first attempt. */
int bus_open(struct bus **bus, const struct bus_options *options, char text[BUS_TEXT_SIZE]);

/* Whether a channel is to be heard. One that is no more hands over what has come, then it is not open. */
void bus_want(struct bus *bus, enum channel channel, bool wanted);

/* What is published. */
struct parcel {
    const char *subject;
    wsfan_bytes data;
    const char *id; /* Nats-Msg-Id; NULL: none */
    bool binary;    /* Wsfan-Binary: true */
};

/* False: there is no room for it. */
bool bus_send(struct bus *bus, const struct parcel *parcel);

void bus_look(struct bus *bus, struct bus_state *state);

/* Publishes what waits, for two seconds at most, and ends the connection. NULL is allowed. Returns whether all has left. */
bool bus_close(struct bus *bus);

#endif
