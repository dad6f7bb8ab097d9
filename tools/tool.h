/* What the files of the program `wsfan` share: its options, the node by which it is in the mesh, what it prints. */
#ifndef WSFAN_TOOL_H
#define WSFAN_TOOL_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <wsfan/wsfan.h>

/* Exit statuses, which wsfan(1) lists. */
enum status {
    STATUS_OK = 0,
    STATUS_FAILED = 1,       /* of this machine: a file, a socket, memory */
    STATUS_BAD_ARGUMENT = 2, /* of the command line */
    STATUS_NOBODY = 3,       /* no node was met: `wsfan doctor` tells why */
    STATUS_PARTIAL = 4,      /* some nodes did not answer */
    /* What the doctor finds. */
    FOUND_NAME = 10,        /* the host's name does not resolve */
    FOUND_REFUSED = 11,     /* nobody listens at the port */
    FOUND_UNREACHED = 12,   /* no answer, or no way to the host */
    FOUND_FOREIGN = 13,     /* what listens there is no node */
    FOUND_PLAIN = 14,       /* it speaks plain text, we have a key */
    FOUND_KEYED = 15,       /* it asks for a key, we have none */
    FOUND_KEY = 16,         /* its key is not one of ours */
    FOUND_NOT_ALLOWED = 17, /* our key is not one of its */
    FOUND_CLUSTER = 18,     /* another cluster */
    FOUND_VERSION = 19,     /* no protocol version in common */
    FOUND_TWICE = 20,       /* two nodes have one name */
    FOUND_LIMIT = 21,       /* it has as many peers as it may have */
    FOUND_OTHER = 22,       /* refused for another reason */
    FOUND_ONE_WAY = 23,     /* it hears us and does not reach us */
    FOUND_ADVERTISED = 24,  /* it advertises an address that cannot be reached from here */
    FOUND_STRANGERS = 25,   /* the nodes are well, and have not met */
    FOUND_SILENT = 26,      /* it says nothing */
    FOUND_PAYLOAD = 27,     /* the server of NATS takes less than a frame */
    FOUND_NO_NODE = 28      /* the server of NATS is well, and no node of the cluster is there */
};

enum { JOINS_COUNT_MAX = 64, TIMEOUT_MS = 5000, STEP_MS = 10 };

enum command {
    DOCTOR,
    KEYGEN,
    NODES,
    CHATS,
    USERS,
    SESSIONS,
    MEMBERS,
    PUBLISH,
    TAIL,
    KICK,
    TOP,
    BENCH,
    COMMANDS_COUNT
};

/* The command line, and what a configuration file adds. */
struct options {
    enum command command;
    const char *joins[JOINS_COUNT_MAX];
    size_t joins_count;
    const char *from; /* NULL: the address by which this machine reaches the first of `joins` */
    const char *advertise;
    const char *key;
    const char *allow;
    const char *cluster; /* NULL: the default */
    const char *name;
    struct {
        const char *credentials_file;
        const char *nkey;
        const char *nkey_file;
        const char *ca_file;
        const char *cert_file;
        const char *key_file;
        const char *prefix; /* NULL: the default */
    } nats;
    unsigned payload_bytes_max; /* of nodes over NATS; 0: not given */
    bool insecure;
    bool json;
    unsigned timeout_ms;

    const char *chat;
    const char *user;
    const char *session;
    const char *node;
    const char *reason;
    unsigned code;
    unsigned long count; /* 0: no limit */
    bool once;
    bool serve;
    bool shared;
    unsigned seconds; /* of the measurement, or between two screens */
    unsigned bytes;

    char **arguments;
    int arguments_count;
    struct _zconfig_t *file; /* that some of these are in; NULL: none */
};

/* Reads the command line; prints help or what is wrong, and ends the process. */
void options_read(struct options *options, int argc, char **argv);

/* Prints "wsfan: ..." on standard error, in one line, without control characters. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);

/* ------------------------------------------------------------------------------------------- commands */

int doctor_run(const struct options *options);
int keygen_run(const struct options *options);
int list_run(const struct options *options); /* nodes, chats, users, sessions, members */
int publish_run(const struct options *options);
int tail_run(const struct options *options);
int kick_run(const struct options *options);
int top_run(const struct options *options);
int bench_run(const struct options *options);

/* ----------------------------------------------------------------------------------------------- mesh */

/* This program as a node. */
struct mesh {
    wsfan_node *node;
    wsfan_loop *loop;
    unsigned timeout_ms;
    bool replied;
    int reply_status;
    void (*on_row)(void *user, const wsfan_row *row);
    void *on_row_user;
    bool enough;       /* on_row wants no more: a list ends with this page */
    wsfan_bytes next;  /* of the last page of a list; owned */
    uint64_t sessions; /* of the last reply */
    bool lacking;      /* nodes that were told of were not met */
};

extern volatile sig_atomic_t stopped; /* by SIGINT or SIGTERM */

uint64_t now_ms(void);
double now_s(void);

/* How this program is a node, by the options: a publisher only, with a name of its own, listening where peers
 * reach it. `storage` is what the result refers to. */
struct mesh_storage {
    char name[WSFAN_NODE_NAME_SIZE];
    char from[WSFAN_ENDPOINT_SIZE];
};
void mesh_options(wsfan_options *node, const struct options *options, struct mesh_storage *storage);

/* Opens node and loop; complains and returns a status where it cannot. `callbacks` have the mesh's own for
 * replies added, and are called with `user`, which begins with a struct mesh. */
int mesh_open(struct mesh *mesh, const wsfan_options *node, wsfan_callbacks callbacks, void *user);

/* The same, but it returns WSFAN_OK or an error code, and says nothing. */
int mesh_start(struct mesh *mesh, const wsfan_options *node, wsfan_callbacks callbacks, void *user);

/* As mesh_open() by the options, and waits until the nodes are met. */
int mesh_join(struct mesh *mesh, const struct options *options, wsfan_callbacks callbacks,
              void *user);
void mesh_close(struct mesh *mesh);

/* The status of a command that ended so: PARTIAL where it went well without some nodes. */
int mesh_status(const struct mesh *mesh, int status);

/* Waits at most ms for something to dispatch, and dispatches it. */
void mesh_step(struct mesh *mesh, int ms);

/* Asks for all pages of a list, or until `enough`, and calls on_row. Returns a status. */
int mesh_list(struct mesh *mesh, wsfan_request_kind kind, const wsfan_target *target,
              void (*on_row)(void *user, const wsfan_row *row), void *user);

/* Waits for the reply of a request that returned `error`. Returns a status. */
int mesh_wait_reply(struct mesh *mesh, int error);
wsfan_request_options mesh_request(struct mesh *mesh);

/* The peers that the node knows; the caller frees them. */
wsfan_peer_stats *mesh_peers(struct mesh *mesh, size_t *count);

/* The id of the peer with this name, or this id in hexadecimal digits; 0: there is none. */
uint64_t mesh_find(struct mesh *mesh, const char *node);

/* The address of this machine by which it reaches an endpoint, as "tcp://ADDRESS:*". False: none. */
bool local_endpoint(const char *endpoint, char from[WSFAN_ENDPOINT_SIZE]);

/* --------------------------------------------------------------------------------------------- output */

void *make_room(void *old, size_t count, size_t size); /* realloc(), or the end of the process */
char *copy_text(const void *data, size_t size);        /* with a NUL behind it */

/* Writes text as a terminal may be shown it: control characters and what is no UTF-8 are escaped. */
void print_text(FILE *out, const void *data, size_t size);

/* One JSON object, a line of its own. */
void json_begin(void);
void json_text(const char *name, const void *data, size_t size); /* no UTF-8: U+FFFD in its place */
void json_string(const char *name, const char *text);
void json_number(const char *name, double number);
void json_count(const char *name, uint64_t count);
void json_bool(const char *name, bool value);
void json_end(void);

bool text_is_utf8(const void *data, size_t size);

/* A table whose columns are as wide as they must be; those whose title begins with '>' are counts. With
 * --json each row is an object, whose names are the titles in lower case. */
struct table {
    const char *const *titles;
    unsigned columns;
    char **cells;
    size_t count; /* of cells */
    bool json;
};
void table_add(struct table *table, const void *data, size_t size);
void table_add_string(struct table *table, const char *text);
void table_add_count(struct table *table, uint64_t count);
void table_sort(struct table *table);  /* by the first column */
void table_print(struct table *table); /* and frees it */
void table_print_to(struct table *table, FILE *out);

#endif
