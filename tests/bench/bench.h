/* wsfan-bench - what libwsfan costs, side by side with what people use today
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 *
 *   main.c              the command line
 *   stage.c             processes that work together, and the CPU time of all of them
 *   stats.c             medians and percentiles
 *   report.c            figures, as text or JSON
 *   payload.c           what is sent, and the check of every byte that arrives
 *   transport_*.c       libwsfan and what it is compared with, behind one interface
 *   broker.c            starts the servers that some of them need
 *   job.c               what is to be done: chats, which subscriber has which, keys
 *   contest.c           the same work for every transport, in turn
 *   relay.c latency.c path.c fanout.c registry.c presence.c interest.c idle.c websocket.c
 *   opening.c history.c storm.c
 *                       the subcommands
 *   crowd.c             a node with many sessions, in this process
 *   shelter.c           a node that sessions come back to, with positions
 *   ws_client.c         a WebSocket client that is only good enough for a load
 *
 * A benchmark stops at the first thing that is not as it should be: die() ends the process, and
 * the parent ends the rest.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <wsfan/wsfan.h>

enum {
    PEERS_MAX = 8,
    WORKERS_MAX = PEERS_MAX + 1,
    SAMPLES_MAX = 65536,
    VALUES_MAX = 64, /* two for each run */
    RUNS_MAX = 32,
    REPLICAS_MAX = 8,
    PAYLOAD_SIZE_MIN = 16,
    TRANSPORTS_MAX = 8,
    CHATS_MAX = 10000,
    PUBLISHERS_MAX = 16
};

/* ---------------------------------------------------------------------------------- settings */

struct transport;

struct settings {
    const char *command;
    const struct transport *against[TRANSPORTS_MAX]; /* libwsfan first; NULL ends them */
    size_t size;                                     /* of a payload; 0: the subcommand's own */
    unsigned peers;
    unsigned runs; /* 0: the subcommand's own, as the next */
    uint64_t messages;
    unsigned rate; /* messages per second where time is measured */
    uint64_t sessions;
    unsigned replicas;   /* of echo-chat; 0: three */
    unsigned chat_size;  /* clients in each chat; 0: all in one, and six */
    unsigned window;     /* messages on their way to WebSocket clients; 0: 24 */
    bool socket_io;      /* WebSocket clients on Socket.IO, too */
    unsigned chats;      /* 0: the subcommand's own; the messages go to one after another */
    unsigned publishers; /* threads in the publishing process */
    bool split;          /* each chat has one subscriber instead of all */
    bool curve;
    bool history; /* the nodes of path keep its messages */
    bool quick;   /* small counts: to see that it works, not how fast it is */
    bool json;
    const char *echo_chat; /* the program */
};

/* Each returns the exit status. */
int relay_main(const struct settings *settings);
int latency_main(const struct settings *settings);
int path_main(const struct settings *settings);
int fanout_main(const struct settings *settings);
int registry_main(const struct settings *settings);
void presence_report(const struct settings *settings, unsigned runs); /* a part of it */
int interest_main(const struct settings *settings);
int idle_main(const struct settings *settings);
int websocket_main(const struct settings *settings);
int opening_main(const struct settings *settings);
int history_main(const struct settings *settings);
void recoveries_report(const struct settings *settings, unsigned runs); /* a part of it */
void storm_report(const struct settings *settings, unsigned runs);      /* the same */

/* ----------------------------------------------------------------------------------- processes */

enum phase { PHASE_STARTING, PHASE_ADDRESSED, PHASE_READY, PHASE_DONE };
/* At COMMAND_STOP a load stops, at COMMAND_QUIT a worker ends. */
enum command { COMMAND_WAIT, COMMAND_GO, COMMAND_STOP, COMMAND_QUIT };

/* Shared between the parent and all workers. */
struct worker {
    pid_t pid;
    atomic_int phase;
    int64_t begin_ns; /* of what is measured, on the monotonic clock */
    int64_t end_ns;
    atomic_uint_fast64_t received;
    double values[VALUES_MAX]; /* whatever it has to tell */
    uint32_t samples_count;
    uint32_t samples_ns[SAMPLES_MAX];
};

struct stage {
    atomic_int command;
    char address[160]; /* where workers meet */
    unsigned workers_count;
    pid_t broker; /* 0: none */
    struct worker workers[WORKERS_MAX];
};

typedef void worker_main(struct stage *stage, struct worker *self, const void *argument);

struct stage *stage_open(void);
/* Forks; a worker ends when its function returns. */
struct worker *stage_start(struct stage *stage, worker_main *run, const void *argument);
/* Until all workers have come so far. Ends the program when one dies or `seconds` pass. */
void stage_await(struct stage *stage, enum phase phase, unsigned seconds);
void stage_command(struct stage *stage, enum command command);
double stage_cpu_s(const struct stage *stage); /* of all workers and the broker, so far */
void stage_close(struct stage *stage);         /* ends and reaps them all */

void worker_phase(struct worker *self, enum phase phase);
void worker_await(const struct stage *stage, enum command command);

double cpu_s(pid_t pid);                          /* all threads, also those that have ended */
pid_t spawn(char *const arguments[], int output); /* output: its stdout and stderr; -1: none */
void reap(pid_t pid, int signal);
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ends the program with `error`'s text unless it is WSFAN_OK. */
void must(int error, const char *what);

int64_t now_ns(void);
void pause_us(unsigned us);
void sleep_until_ns(int64_t at_ns);

/* --------------------------------------------------------------------------------------- stats */

struct summary {
    double median;
    double min;
    double max;
};

struct summary summarise(const double *values, size_t count);
void sort_samples(uint32_t *samples, size_t count);
double percentile(const uint32_t *sorted, size_t count, double percent);

/* -------------------------------------------------------------------------------------- report */

/* Figures in the order in which they were added; names are made like printf. */
void report_number(double value, const char *name, ...) __attribute__((format(printf, 2, 3)));
void report_text(const char *value, const char *name);
void report_summary(const struct summary *summary, const char *name, ...)
    __attribute__((format(printf, 2, 3)));
/* The median of runs, and the least and the greatest as name_min and name_max. */
void report_median(const double *values, size_t count, const char *name, ...)
    __attribute__((format(printf, 3, 4)));
void report_print(const struct settings *settings);

/* ------------------------------------------------------------------------------------- payload */

/* A payload is its number, the time when it was sent, and bytes that follow from the number. The
 * uppermost byte of a number tells the publishing thread; each counts by itself. */
struct source {
    size_t size;
    uint8_t *variants;
};

struct sink {
    struct source expected;
    uint64_t next[PUBLISHERS_MAX]; /* number, of each publishing thread */
    uint64_t step;                 /* from a number to the next that is for this sink */
    uint64_t count;                /* payloads taken */
    bool timed;                    /* samples are taken */
    struct worker *worker;
};

void source_init(struct source *source, size_t size);
uint64_t payload_number(unsigned publisher, uint64_t count);
const uint8_t *source_make(struct source *source, uint64_t number, int64_t time_ns);
/* Expects all numbers. */
void sink_init(struct sink *sink, size_t size, bool timed, struct worker *worker);
/* Of each publishing thread, every `step`-th number from `first`. */
void sink_expect(struct sink *sink, uint64_t first, uint64_t step);
/* Ends the process unless it is the next payload of its thread, byte by byte. */
void sink_take(struct sink *sink, const void *data, size_t size);
void sample_add(struct worker *worker, int64_t ns);
/* Ends the process unless these are the bytes of payload `number`. */
void source_check(const struct source *source, uint64_t number, const void *data, size_t size);

/* ----------------------------------------------------------------------------------------- job */

struct chat {
    char name[16]; /* in one job, all names have the same size */
    size_t size;
    unsigned part; /* the subscribers that have it: those whose number modulo job.parts is this */
};

/* As Z85 text, with the 0 at its end. */
struct keys {
    char public_key[41];
    char secret_key[41];
};

struct job {
    const char *name; /* in the report */
    const struct transport *transport;
    size_t size;
    unsigned peers;
    unsigned publishers;
    uint64_t messages; /* of all publishing threads; a multiple of publishers * parts */
    unsigned rate;     /* per second; 0: as fast as they go */
    struct chat *chats;
    unsigned chats_count;
    unsigned parts;    /* 1: every subscriber has all chats */
    struct keys *keys; /* of all processes; NULL: plain text */
    bool history;      /* every node keeps the chats; of libwsfan alone */
};

/* Chats, keys and publishing threads as the settings say. Rounds job->messages up. */
void job_init(struct job *job, const struct settings *settings);
/* Chat `first + i * job->parts` for each i is one that subscriber `number` has. */
unsigned job_first_chat(const struct job *job, unsigned number);
/* One job for each transport of settings->against; returns how many. */
unsigned job_for_each(const struct job *job, const struct settings *settings, struct job *jobs);

/* ---------------------------------------------------------------------------------- transports */

/* A publisher and its subscribers are processes of their own. Functions that fail do not return. */
struct transport {
    const char *name;
    void (*broker)(struct stage *stage); /* NULL: needs none. Sets stage->broker and ->address */
    bool no_back_pressure; /* drops what subscribers do not take: the benchmark holds it back */
    void *(*publisher)(struct stage *stage, const struct job *job); /* may set stage->address */
    void (*gather)(void *publisher, const struct job *job);         /* NULL: nothing to wait for */
    void (*publish)(void *publisher, const struct chat *chat, const void *data, size_t size);
    void (*flush)(void *publisher); /* NULL: nothing is held back */
    /* Subscribes to the chats of subscriber `number`, and returns when that has been done. */
    void *(*subscriber)(struct stage *stage, const struct job *job, unsigned number);
    void (*receive)(void *subscriber, struct sink *sink); /* what is there; waits, not for long */
    bool curve;                                           /* knows job->keys */
    bool threads; /* publish may be called by several at a time */
};

extern const struct transport transport_wsfan;
extern const struct transport transport_wsfan_nats;
extern const struct transport transport_raw;
extern const struct transport transport_packed;
extern const struct transport transport_redis;
extern const struct transport transport_nats;

#define TRANSPORT_CHAT "bench"

/* Opens a node that listens on loopback; peer: the endpoint of another, or NULL. */
wsfan_node *open_node(const char *peer, const char *name);
/* What that sets, but for peers. */
void node_options(wsfan_options *options, const char *name);
void keep_history(wsfan_options *options);
wsfan_node *subscriber_node(const void *subscriber);            /* of a libwsfan subscriber */
void check_kept(const void *subscriber, const struct job *job); /* that its node has kept all */
void await_peers(wsfan_node *node, unsigned peers);
/* Waits for the loop's descriptor, and dispatches. */
int serve_loop(wsfan_loop *loop, int timeout_ms);

void make_keys(struct keys *keys);

enum { BROKER_PORT_SIZE = 16 };
pid_t start_redis(char port[BROKER_PORT_SIZE]);
void broker_redis(struct stage *stage);
void broker_nats(struct stage *stage);

/* ------------------------------------------------------------------------------------- contest */

struct outcome {
    double seconds; /* from the first publish to the last receipt of the slowest */
    double cpu_s;
    double p50_us, p90_us, p99_us, p999_us; /* of jobs with a rate */
};

/* Round after round, each job once a round. outcomes[job * RUNS_MAX + round]. */
void contest(const struct job *jobs, unsigned jobs_count, unsigned rounds,
             struct outcome *outcomes);
uint64_t messages_of(const struct settings *settings, size_t size, uint64_t count_max);

/* --------------------------------------------------------------------------------------- crowd */

/* A local node with one loop and sessions on it. */
struct crowd {
    wsfan_node *node;
    wsfan_loop *loop;
    uint64_t joined;
    uint64_t messages;
    uint64_t recipients;
    uint8_t *seen; /* where each recipient of the next message is marked; NULL: not checked */
};

void crowd_open(struct crowd *crowd, wsfan_node *node, const wsfan_callbacks *callbacks);
wsfan_node *crowd_node(void);
wsfan_session crowd_session(struct crowd *crowd, uint64_t number);
void crowd_join(struct crowd *crowd, wsfan_session session, const char *kind, uint64_t number);
void crowd_settle(struct crowd *crowd, uint64_t joins); /* until so many have been told */
/* Publishes, and returns the nanoseconds that dispatching took. */
int64_t crowd_broadcast(struct crowd *crowd, const char *chat, unsigned messages);
extern const wsfan_callbacks crowd_callbacks;

/* ------------------------------------------------------------------------------------- shelter */

enum { MISSED = 10, MISSED_SIZE = 200 };

/* A session that comes back: it has missed the MISSED messages of its chat, and gets these alone. */
struct client {
    uint32_t chat;
    uint32_t replayed;
    int64_t came_ns;
};

/* A node that keeps chats, with one loop. */
struct shelter {
    wsfan_node *node;
    wsfan_loop *loop;
    struct source expected;
    struct client *clients;
    uint32_t *verdicts_ns; /* how long each was waited for */
    uint64_t came;
    uint64_t told; /* of these, a verdict */
    uint64_t done; /* of these, all that is replayed */
    uint64_t verdicts[WSFAN_RECOVERY_OFF + 1];
    uint64_t joined;   /* of other sessions, */
    uint64_t messages; /* and what the one in all chats got */
    struct sink live;  /* of the chat TRANSPORT_CHAT */
};

void shelter_open(struct shelter *shelter, const wsfan_options *options, uint64_t clients_max);
void shelter_listen(struct shelter *shelter); /* to TRANSPORT_CHAT */
/* One session joins all chats, and a position of each is written down. */
wsfan_session shelter_reside(struct shelter *shelter, unsigned chats,
                             char (*positions)[WSFAN_POSITION_TEXT_SIZE]);
/* What is missed in a chat. */
void publish_missed(wsfan_node *node, struct source *source, uint32_t chat);
void shelter_come(struct shelter *shelter, uint32_t chat, const char *position);
/* Ends the process unless all that came were recovered. */
void shelter_check(const struct shelter *shelter);

#endif
