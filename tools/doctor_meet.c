/* doctor_meet.c - meets a node, as another node does, and tells where that ends: with a refusal, because it
 * does not reach us, or well. Only this node is dialled; it may introduce us to those that it has met. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

struct meeting {
    struct mesh mesh; /* the first, as mesh_open() wants it */
    struct doctor *doctor;
    const char *endpoint;
    uint64_t node; /* who is there; 0: not known yet */
    bool up;
    bool refused;
    wsfan_reason reason;
    uint64_t opened_ms;
};

static void found_twice(struct doctor *doctor, const char *name, const char *endpoint) {
    report_cause(
        &doctor->report, FOUND_TWICE,
        "Two nodes of this cluster are called %s; one of them is at %s. A name belongs to one "
        "node: they refuse each other.",
        name, endpoint);
    report_cure(&doctor->report, "Give one of them another name (options.name).");
}

static void on_peer(void *user, const wsfan_peer *peer) {
    struct meeting *meeting = user;
    if (peer->event == WSFAN_PEER_REFUSED && peer->reason == WSFAN_REASON_NAME && meeting->up &&
        peer->node != meeting->node) {
        found_twice(meeting->doctor, peer->name, peer->endpoint);
        return;
    }
    if (meeting->node == 0)
        meeting->node = peer->node;
    if (peer->node != meeting->node)
        return;
    meeting->up = meeting->up || peer->event == WSFAN_PEER_UP;
    meeting->refused = peer->event == WSFAN_PEER_REFUSED;
    meeting->reason = peer->reason;
}

/* ------------------------------------------------------------------------------------------ what is wrong */

void doctor_refused(struct doctor *doctor, const char *at, wsfan_reason reason) {
    struct report *report = &doctor->report;
    const char *cluster = doctor->options->cluster;
    cluster = cluster != NULL ? cluster : "wsfan";
    switch (reason) {
    case WSFAN_REASON_CLUSTER:
        report_step(report, ILL, "cluster", "it is not in %s", cluster);
        report_cause(report, FOUND_CLUSTER, "The node at %s is in another cluster than %s.", at,
                     cluster);
        report_cure(report,
                    "Give all nodes the same cluster name (options.cluster; here --cluster NAME).");
        break;
    case WSFAN_REASON_VERSION:
        report_step(report, ILL, "version", "there is none in common");
        report_cause(report, FOUND_VERSION,
                     "The node at %s speaks no version of the protocol that libwsfan %s does.", at,
                     wsfan_version());
        report_cure(report,
                    "Bring both to versions of libwsfan that work together; see its CHANGELOG.");
        break;
    case WSFAN_REASON_LIMIT:
        report_step(report, ILL, "hello", "it takes no more peers");
        report_cause(
            report, FOUND_LIMIT,
            "The node at %s has as many peers as it may have: its peers_count_max is reached.", at);
        report_cure(report,
                    "Raise options.peers_count_max there (at most %d), or end nodes that are not "
                    "needed; `wsfan nodes` lists them.",
                    WSFAN_PEERS_MAX);
        break;
    case WSFAN_REASON_NAME:
        report_step(report, ILL, "hello", "another node has the same name");
        found_twice(doctor, "the same", at);
        break;
    default:
        report_step(report, ILL, "hello", "it refuses us: %s", wsfan_reason_text(reason));
        report_cause(report, FOUND_OTHER, "The node at %s refuses others: %s.", at,
                     wsfan_reason_text(reason));
        report_cure(report, "See wsfan_reason in wsfan/peers.h.");
    }
}

static void not_called_back(struct meeting *meeting, const struct known *node) {
    struct report *report = &meeting->doctor->report;
    const char *own = wsfan_node_endpoint(meeting->mesh.node);
    bool loopback = strncmp(own, "tcp://127.", 10) == 0 || strncmp(own, "tcp://[::1]", 11) == 0;
    report_step(report, ILL, "back", "it does not reach us at %s", own);
    report_cause(
        report, FOUND_ONE_WAY,
        "The node %s at %s hears us, and does not reach us at %s, which is where we say that we "
        "are%s.",
        node->name, meeting->endpoint, own,
        loopback ? ": this is loopback, which no other machine reaches" : "");
    report_cure(report,
                "A link takes two connections, one made by each side. Open the port for "
                "connections from there (firewall, security group). Behind NAT or in a container, "
                "tell the address outside by options.advertise. Try with your node's own port: "
                "--from ENDPOINT, --advertise ENDPOINT.");
}

static void silent(struct meeting *meeting) {
    struct report *report = &meeting->doctor->report;
    report_step(report, ILL, "hello", "it says nothing");
    report_cause(
        report, FOUND_SILENT,
        "What listens at %s speaks ZeroMQ and says no hello: it is no node, or its process is "
        "stopped.",
        meeting->endpoint);
    report_cure(report, "Look at the port, and at the process there.");
}

/* ---------------------------------------------------------------------------------------------- what is well */

static void copy_known(struct known *known, const wsfan_peer_stats *peer) {
    known->id = peer->node;
    snprintf(known->name, sizeof known->name, "%s", peer->name);
    snprintf(known->endpoint, sizeof known->endpoint, "%s", peer->endpoint);
}

/* Whether what a node advertises leads to anybody. What it does not, our node waits for in vain. */
static bool try_advertised(struct meeting *meeting, const struct known *node) {
    struct report *report = &meeting->doctor->report;
    struct target target;
    const char *why;
    if (strcmp(node->endpoint, meeting->endpoint) == 0)
        return true;
    int fd = target_read(&target, node->endpoint) && target_resolve(&target, &why)
                 ? probe_connect(&target.addresses[0], meeting->doctor->options->timeout_ms)
                 : -1;
    int error = errno;
    if (fd >= 0) {
        close(fd);
        report_step(report, WELL, "address", "it advertises %s, which answers too", node->endpoint);
        return true;
    }
    report_step(report, ILL, "address", "it advertises %s: %s", node->endpoint, strerror(error));
    report_cause(
        report, FOUND_ADVERTISED,
        "The node %s is at %s for us, but tells the others that it is at %s, where it cannot be "
        "reached from here.",
        node->name, meeting->endpoint, node->endpoint);
    report_cure(report,
                "Set options.advertise of that node to where others reach it, such as %s: it is "
                "behind NAT, in a container, or its first address is not the right one.",
                meeting->endpoint);
    return false;
}

/* The node's first frame tells of those that it has met, and from then on ours is ready when each has answered,
 * or its time is over. False: some have not answered. */
static bool meet_others(struct meeting *meeting) {
    uint64_t end_ms = now_ms() + meeting->doctor->options->timeout_ms;
    uint64_t ready_ms = meeting->opened_ms + meeting->doctor->options->timeout_ms;
    while (wsfan_node_ready(meeting->mesh.node) <= 0 && now_ms() < end_ms && !stopped)
        mesh_step(&meeting->mesh, STEP_MS);
    return now_ms() < ready_ms;
}

static void tell_of_others(struct meeting *meeting, struct patient *patient, bool all) {
    struct report *report = &meeting->doctor->report;
    char names[SAID_SIZE] = "";
    size_t size = 0;
    size_t count;
    wsfan_peer_stats *peers = mesh_peers(&meeting->mesh, &count);
    for (size_t i = 0; i < count; i++) {
        if (peers[i].node == meeting->node)
            continue;
        copy_known(&patient->known[patient->known_count++], &peers[i]);
        if (size < sizeof names - 200)
            size += (size_t)snprintf(
                names + size, sizeof names - size, "%s%s%s", size > 0 ? ", " : "",
                peers[i].name[0] != '\0' ? peers[i].name : peers[i].endpoint,
                peers[i].state == WSFAN_PEER_UP ? "" : " (not reached from here)");
    }
    free(peers);
    if (!all)
        report_step(report, NOTE, "others", "some that it has met do not answer here");
    if (patient->known_count > 0)
        report_step(report, WELL, "others", "it has met %s", names);
    else if (all)
        report_step(
            report, NOTE, "others",
            "it has met no other node. If there are others: none of them has named it and it has "
            "named none (options.peers with a peers_count that was left at 0), or they do not "
            "meet: try the doctor with both endpoints");
}

static void well(struct meeting *meeting, const struct known *node) {
    struct doctor *doctor = meeting->doctor;
    struct report *report = &doctor->report;
    struct patient *patient = &doctor->patients[doctor->patients_count++];
    const char *cluster = doctor->options->cluster;
    *patient = (struct patient){ .self = *node };
    snprintf(patient->endpoint, sizeof patient->endpoint, "%s", meeting->endpoint);
    report_step(report, WELL, "cluster", "%s, and a version in common",
                cluster != NULL ? cluster : "wsfan");
    report_step(report, WELL, "hello", "it is %s, %016" PRIx64, node->name, node->id);
    report_step(report, WELL, "back", "it reaches us at %s",
                wsfan_node_endpoint(meeting->mesh.node));
    bool reached = try_advertised(meeting, node);
    bool all = meet_others(meeting) || !reached;
    tell_of_others(meeting, patient, all);
}

/* ----------------------------------------------------------------------------------------------- meeting */

/* Of the node that was met, or is being met. False: nobody was heard. */
static bool look(struct meeting *meeting, struct known *node, bool *hears_us) {
    size_t count;
    bool heard = false;
    wsfan_peer_stats *peers = mesh_peers(&meeting->mesh, &count);
    for (size_t i = 0; i < count && !heard; i++) {
        if (meeting->node != 0 ? peers[i].node != meeting->node : !peers[i].we_hear)
            continue;
        heard = peers[i].we_hear != 0;
        *hears_us = peers[i].hears_us != 0;
        copy_known(node, &peers[i]);
    }
    free(peers);
    return heard;
}

/* As the host's node is one, but for its name. A mesh in plain text is met wherever it is. */
static int open_node(struct meeting *meeting) {
    struct options options = *meeting->doctor->options;
    struct mesh_storage storage = { 0 };
    wsfan_options node;
    options.joins[0] = meeting->endpoint;
    options.joins_count = 1;
    mesh_options(&node, &options, &storage);
    node.allow_insecure = options.key == NULL;
    return mesh_open(&meeting->mesh, &node, (wsfan_callbacks){ .on_peer = on_peer }, meeting);
}

int doctor_meet(struct doctor *doctor, const char *endpoint) {
    struct meeting meeting = { .doctor = doctor, .endpoint = endpoint, .opened_ms = now_ms() };
    int status = open_node(&meeting);
    if (status != STATUS_OK)
        return status;
    uint64_t end_ms = now_ms() + doctor->options->timeout_ms;
    while (!meeting.up && !meeting.refused && now_ms() < end_ms && !stopped)
        mesh_step(&meeting.mesh, STEP_MS);
    struct known node = { 0 };
    bool hears_us = false;
    bool heard = look(&meeting, &node, &hears_us);
    if (meeting.up)
        well(&meeting, &node);
    else if (meeting.refused)
        doctor_refused(doctor, endpoint, meeting.reason);
    else if (heard && !hears_us && !stopped)
        not_called_back(&meeting, &node);
    else if (!stopped)
        silent(&meeting);
    mesh_close(&meeting.mesh);
    return STATUS_OK;
}
