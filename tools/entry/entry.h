/* What the files of wsfan-entry share.
 *
 *   main.c      start, the loop, the end
 *   options.c   the command line, and how to reach the mesh and NATS
 *   subject.c   names as tokens of subjects
 *   ask.c       what a message that came by NATS says
 *   bus.c       the connection to NATS
 *   inward.c    messages of NATS are published into the mesh, and answered
 *   ids.c       which Nats-Msg-Id came before, and what it was answered
 *   tap.c       chats whose messages are published to NATS
 *   fellows.c   which of the entries does that
 *   status.c    what this entry tells about itself
 *   check.c     --check: asks one that runs
 *   log.c       lines on standard error
 *
 * Everything runs on one thread, but for bus.c's and those of the libraries. */
#ifndef ENTRY_H
#define ENTRY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <wsfan/nats.h>
#include <wsfan/wsfan.h>

#include "ask.h"
#include "bus.h"

/* Exit statuses, which wsfan-entry(1) lists. */
enum status {
    STATUS_OK = 0,
    STATUS_FAILED = 1,       /* it could not start; --check: it is not ready, or did not answer */
    STATUS_BAD_ARGUMENT = 2, /* of the command line */
    STATUS_UNANSWERED = 3    /* it was ended before everything was answered */
};

enum {
    JOINS_COUNT_MAX = 64,
    ASKS_COUNT_MAX = 4096, /* that wait for this thread */
    ASKS_BYTES_MAX = 16 * 1024 * 1024,
    URGENT_COUNT_MAX = 1024,
    TICK_MS = 50,
    ANSWER_SIZE = 256
};

struct options {
    wsfan_options node;
    wsfan_nats_options nats;
    const char *joins[JOINS_COUNT_MAX];
    bool over_nats; /* the mesh is over NATS, too */
    bool check;
    unsigned taps_max; /* chats that may be tapped; 0: none */
    unsigned drain_ms;
    int log_level; /* the least wsfan_level that is logged; above them all: nothing */
    bool log_json;
};

/* Reads the command line; prints help or what is wrong, and ends the process. */
void options_read(struct options *options, int argc, char **argv);
void prefix_write(char prefix[PREFIX_SIZE], const struct options *options);

struct ids;
struct taps;
struct fellows;
struct waiting;

/* What is counted; metrics name them. */
struct counts {
    uint64_t taken;                /* messages of NATS */
    uint64_t published;            /* of these, into the mesh */
    uint64_t repeated;             /* of these, that came before by their Nats-Msg-Id */
    uint64_t incomplete;           /* published, and not all replicas have it */
    uint64_t faults[FAULTS_COUNT]; /* messages that were not published, by why */
    uint64_t unanswerable;         /* of these, without a reply: nobody was told */
    uint64_t out;                  /* messages of tapped chats, to NATS */
    uint64_t out_repeated; /* of these, perhaps for the second time: another entry had gone */
    uint64_t out_lost;     /* that were not published */
};

struct entry {
    struct options options;
    char prefix[PREFIX_SIZE]; /* PREFIX.CLUSTER. */
    wsfan_nats *carrier;      /* NULL: the mesh is over ZeroMQ */
    wsfan_node *node;
    wsfan_loop *loop;
    struct bus *bus;
    int wake_fd;
    int signal_fd;

    pthread_mutex_t lock; /* of the next four, which threads of libnats fill */
    struct queue asks;    /* messages, */
    struct queue
        urgent; /* and what entries and operators want, which no flood of messages keeps back */
    uint64_t overflowed;              /* asks for which there was no room, */
    uint64_t overflowed_unanswerable; /* and of these, without a reply */
    char busy[ANSWER_SIZE];           /* what they are answered */

    struct ids *ids;
    struct taps *taps;       /* NULL: none are allowed */
    struct fellows *fellows; /* the same */
    struct waiting *waiting; /* messages of which on_result is to come, a list */
    unsigned peers_up;
    bool takes;             /* messages, as far as the mesh is concerned */
    bool ready;             /* as --check tells */
    bool announced;         /* on standard output */
    bool leaving;           /* a signal has come */
    struct bus_state heard; /* of NATS, as it was looked at last */
    uint64_t told_faults;   /* as the log told them */
    uint64_t told_ms;
    struct counts counts;
};

uint64_t now_ms(void);

/* Answers where a reply is asked for; reply may be NULL. */
void answer(struct entry *entry, const char *reply, const char *text);
void refuse(struct entry *entry, const char *reply, enum fault fault);

/* ------------------------------------------------------------------------------------------ inward */

void inward_take(struct entry *entry, const struct ask *ask);
void inward_on_result(void *loop_user, const wsfan_result *result);
void inward_give_up(struct entry *entry); /* what still waits is never answered */

/* --------------------------------------------------------------------------------------------- ids */

/* An id that came before, or comes for the first time. */
struct past {
    uint64_t serial; /* 0: none */
    enum { PAST_NEW, PAST_WAITS, PAST_ANSWERED, PAST_OTHER } state;
    const char *answer; /* of PAST_ANSWERED; valid until the next call */
};

struct ids *ids_new(void); /* NULL: no memory */
void ids_free(struct ids *ids);
/* Looks an id up, and notes it if it is new. */
struct past ids_see(struct ids *ids, const char *id, uint64_t digest);
void ids_forget(struct ids *ids, uint64_t serial);
/* Keeps an answer; of an id that has gone since: nothing. */
void ids_answer(struct ids *ids, uint64_t serial, const char *text);

/* --------------------------------------------------------------------------------------------- tap */

struct taps *taps_new(struct entry *entry); /* NULL: no memory */
void taps_free(struct taps *taps);
void taps_ask(struct taps *taps, const struct ask *ask);
void taps_tick(struct taps *taps, uint64_t now);
unsigned taps_count(const struct taps *taps); /* that were joined */
void taps_on_message(void *loop_user, wsfan_message *message, const wsfan_recipient *recipients,
                     size_t count);
void taps_on_joined(void *loop_user, const wsfan_joined *joined);
void taps_on_gap(void *loop_user, const wsfan_gap *gap);

/* ----------------------------------------------------------------------------------------- fellows */

struct fellows *fellows_new(struct entry *entry); /* NULL: no memory */
void fellows_free(struct fellows *fellows);
void fellows_hear(struct fellows *fellows, wsfan_bytes beat);
void fellows_tick(struct fellows *fellows, uint64_t now);
/* Whether this entry publishes the messages of tapped chats, as the oldest of all. */
bool fellows_lead(const struct fellows *fellows);
/* Whether another entry does, or may. */
bool fellows_follow(const struct fellows *fellows);
/* When one that leads was last known to be well. */
uint64_t fellows_led_ms(const struct fellows *fellows);

/* ------------------------------------------------------------------------------------ status, check */

void status_answer(struct entry *entry, const struct ask *ask);
int check_run(const struct options *options);
/* Where an entry of this name is asked. */
void status_subject(char subject[SUBJECT_SIZE], const char *prefix, const char *name);

/* --------------------------------------------------------------------------------------------- log */

/* One line; `text` holds no line feed. */
__attribute__((format(printf, 4, 5))) void log_line(const struct entry *entry, wsfan_level level,
                                                    const char *code, const char *format, ...);
void log_event(void *loop_user, const wsfan_event *event);
/* Writes a JSON string, quoted and escaped. Returns its size; what does not fit is left out. */
size_t json_string(char *out, size_t size, const char *text);

#endif
