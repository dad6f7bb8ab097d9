/* What the files of the doctor share. */
#ifndef WSFAN_DOCTOR_H
#define WSFAN_DOCTOR_H

#include "probe.h"
#include "report.h"
#include "tool.h"

enum { KNOWN_COUNT_MAX = WSFAN_PEERS_MAX, KEYS_COUNT_MAX = 256 };

struct known {
    uint64_t id;
    char name[WSFAN_NODE_NAME_SIZE];
    char endpoint[WSFAN_ENDPOINT_SIZE];
};

/* A node that was examined. */
struct patient {
    char endpoint[WSFAN_ENDPOINT_SIZE + 32]; /* as it was dialled */
    struct known self;
    struct known known[KNOWN_COUNT_MAX]; /* the nodes that it has met */
    unsigned known_count;
};

struct doctor {
    const struct options *options;
    struct report report;
    char public_key[KEY_TEXT_SIZE]; /* "": none */
    char secret_key[KEY_TEXT_SIZE];
    char keys[KEYS_COUNT_MAX][KEY_TEXT_SIZE]; /* that nodes may have; the first is our own */
    unsigned keys_count;
    struct patient *patients;
    unsigned patients_count;
};

/* Finds the addresses of the target. False: the diagnosis is made. */
bool doctor_resolve(struct doctor *doctor, struct target *target);

/* Nothing at the endpoint takes a connection. look: what to do where the host refuses one. */
void doctor_no_connection(struct doctor *doctor, const char *endpoint, int error, const char *look);

/* The node there refuses ours. */
void doctor_refused(struct doctor *doctor, const char *at, wsfan_reason reason);

/* There is a node already that is called as --name. */
void doctor_name_taken(struct doctor *doctor, const char *endpoint);

/* The steps from here to an address, up to its key. True: a node with a key that we know may be there. */
bool doctor_approach(struct doctor *doctor, const struct address *address);

/* The rest: meets the node, as another node would. Returns a status that is not OK where this machine cannot. */
int doctor_meet(struct doctor *doctor, const char *endpoint);

/* Whether it is the URL of a server of NATS; and all steps from here to the nodes behind it. Returns a status that
 * is not OK where this machine cannot. */
bool doctor_is_nats(const char *endpoint);
int doctor_nats(struct doctor *doctor, const char *url);

#endif
