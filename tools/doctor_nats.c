/* doctor_nats.c - a mesh over NATS: whether its server lets a node in, and which nodes are behind it. Without
 * libwsfan-nats it says that it cannot. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "snapshot.h"

bool doctor_is_nats(const char *endpoint) {
    return strncmp(endpoint, "nats://", 7) == 0 || strncmp(endpoint, "tls://", 6) == 0;
}

#ifdef WITH_NATS

#include <wsfan/nats.h>

enum {
    URL_SIZE = 512,
    SEEN_SIZE = SAID_SIZE - 200,
    REFUSALS_COUNT_MAX = 8,
    PAYLOAD_BYTES_MAX = 512 * 1024,
    SPARE_MS = 500
};

/* As echo-chat and wsfan-entry have it over NATS, or as it was given. */
static unsigned payload_bytes_max(const struct options *options) {
    return options->payload_bytes_max > 0 ? options->payload_bytes_max : PAYLOAD_BYTES_MAX;
}

static const char *cluster_of(const struct options *options) {
    return options->cluster != NULL ? options->cluster : "wsfan";
}

/* ----------------------------------------------------------------------------------------------- server */

struct server {
    const char *url;
    char shown[URL_SIZE]; /* the URL, without who this is */
    struct target target;
    struct nats_info info;
    bool tls; /* is asked for */
};

/* Takes apart SCHEME://[USER[:PASSWORD]@]HOST[:PORT]. */
static bool read_url(struct server *server, const struct options *options, const char *url) {
    char endpoint[URL_SIZE];
    const char *host = strstr(url, "://") + 3;
    int scheme_size = (int)(host - url);
    const char *at = strrchr(host, '@');
    *server = (struct server){ .url = url };
    server->tls = strncmp(url, "tls:", 4) == 0 || options->nats.ca_file != NULL ||
                  options->nats.cert_file != NULL;
    if (at != NULL)
        host = at + 1;
    const char *port = strrchr(host, ':');
    bool ported = port != NULL && strchr(port, ']') == NULL;
    snprintf(server->shown, sizeof server->shown, "%.*s%s", scheme_size, url, host);
    snprintf(endpoint, sizeof endpoint, "tcp://%s%s", host, ported ? "" : ":4222");
    return strchr(url, ',') == NULL && target_read(&server->target, endpoint);
}

/* To the first of its addresses that answers. Below 0: the diagnosis is made. */
static int connect_server(struct doctor *doctor, const struct server *server) {
    int fd = -1;
    unsigned i = 0;
    double began = now_s();
    for (; i < server->target.count && fd < 0; i++)
        fd = probe_connect(&server->target.addresses[i], doctor->options->timeout_ms);
    if (fd >= 0)
        report_step(&doctor->report, WELL, "tcp", "%s answers after %.1f ms",
                    server->target.addresses[i - 1].endpoint, (now_s() - began) * 1000);
    else
        doctor_no_connection(doctor, server->target.addresses[i - 1].endpoint, errno,
                             "Look at the port: it must be that for clients of NATS, 4222 unless "
                             "the server has another one; not that of its routes or its monitor. "
                             "Is nats-server running, and does it listen on more than loopback?");
    return fd;
}

static bool is_server(struct doctor *doctor, const struct server *server) {
    struct report *report = &doctor->report;
    const struct nats_info *info = &server->info;
    if (info->payload_max > 0) {
        report_step(report, WELL, "nats", "version %s, max_payload %" PRIu64 "%s", info->version,
                    info->payload_max, info->tls_required ? ", asks for TLS" : "");
        return true;
    }
    report_step(report, ILL, "nats", "it says %s%s%s", info->begins[0] != '\0' ? "\"" : "nothing",
                info->begins, info->begins[0] != '\0' ? "\"" : "");
    report_cause(report, FOUND_FOREIGN, "What listens at %s is no server of NATS%s.", server->shown,
                 info->begins[0] != '\0' ? "" : ", or its process is stopped");
    report_cure(report, "Look at the port: it must be that for clients of NATS, 4222 unless the "
                        "server has another one. Of a node's mesh endpoint ask by tcp://HOST:PORT. "
                        "A server with handshake_first is not supported: set it to false.");
    return false;
}

static bool has_credentials(const struct server *server, const struct options *options) {
    return strchr(server->url, '@') != NULL || options->nats.credentials_file != NULL ||
           options->nats.nkey_file != NULL || options->nats.cert_file != NULL;
}

/* TLS and credentials are given as far as the server asks for them; whether they are right, only a connection tells. */
static bool asks_for_what_is_here(struct doctor *doctor, const struct server *server) {
    struct report *report = &doctor->report;
    const struct nats_info *info = &server->info;
    if (info->tls_required && !server->tls) {
        report_step(report, ILL, "tls", "it asks for TLS, and there is none here");
        report_cause(report, FOUND_KEYED, "The server at %s asks for TLS.", server->shown);
        report_cure(report, "Write tls:// in place of nats:// in the URLs of your nodes "
                            "(wsfan_nats_options.urls), with ca_file where its certificate is not "
                            "signed by one that this system knows (here --nats-ca FILE).");
    } else if (server->tls && !info->tls_required && !info->tls_available) {
        report_step(report, ILL, "tls", "it has none");
        report_cause(report, FOUND_PLAIN, "You ask for TLS, and the server at %s has none.",
                     server->shown);
        report_cure(report, "Give the server a certificate (tls { cert_file, key_file } in its "
                            "configuration), or leave tls://, --nats-ca and --nats-cert out.");
    } else if (info->auth_required && !has_credentials(server, doctor->options)) {
        report_step(report, ILL, "login", "it asks for credentials, and there are none here");
        report_cause(report, FOUND_KEYED, "The server at %s asks who connects.", server->shown);
        report_cure(report, "Give your node what its operator has given you: --nats-creds FILE, "
                            "--nats-nkey and --nats-nkey-file, or nats://USER:PASSWORD@HOST:PORT "
                            "(the same in wsfan_nats_options).");
    } else {
        return true;
    }
    return false;
}

static bool approach(struct doctor *doctor, struct server *server) {
    if (!doctor_resolve(doctor, &server->target))
        return false;
    int fd = connect_server(doctor, server);
    if (fd < 0)
        return false;
    probe_nats(fd, &server->info, doctor->options->timeout_ms);
    close(fd);
    return is_server(doctor, server) && asks_for_what_is_here(doctor, server);
}

/* ---------------------------------------------------------------------------------------------- meeting */

struct meeting {
    struct mesh mesh; /* the first, as mesh_start() wants it */
    struct doctor *doctor;
    const struct server *server;
    wsfan_nats *nats;
    char name[WSFAN_CARRIED_NAME_MAX + 1]; /* of this node in subjects */
    struct {
        uint64_t node;
        char endpoint[WSFAN_ENDPOINT_SIZE];
        wsfan_reason reason;
    } refusals[REFUSALS_COUNT_MAX];
    unsigned refusals_count;
};

static void on_peer(void *user, const wsfan_peer *peer) {
    struct meeting *meeting = user;
    if (peer->event != WSFAN_PEER_REFUSED)
        return;
    for (unsigned i = 0; i < meeting->refusals_count; i++)
        if (meeting->refusals[i].node == peer->node)
            return;
    if (meeting->refusals_count == REFUSALS_COUNT_MAX)
        return;
    unsigned i = meeting->refusals_count++;
    meeting->refusals[i].node = peer->node;
    meeting->refusals[i].reason = peer->reason;
    snprintf(meeting->refusals[i].endpoint, sizeof meeting->refusals[i].endpoint, "%s",
             peer->endpoint);
}

static void not_permitted(struct meeting *meeting, const char *said) {
    struct report *report = &meeting->doctor->report;
    const char *prefix = meeting->doctor->options->nats.prefix;
    const char *name = meeting->name;
    char subjects[256];
    snprintf(subjects, sizeof subjects, "%s.%s", prefix != NULL ? prefix : "wsfan",
             cluster_of(meeting->doctor->options));
    report_step(report, ILL, "subjects", "%s", said);
    report_cause(report, FOUND_NOT_ALLOWED,
                 "The server at %s lets us in, and does not permit the subjects of the node %s in "
                 "the cluster %s.",
                 meeting->server->shown, name, cluster_of(meeting->doctor->options));
    report_cure(report,
                "Permit this user to publish on %s.f.%s.* and %s.h.%s, and to subscribe to "
                "%s.f.*.%s and %s.h.*. If it is the user of a node and may speak as that node "
                "alone: --from nats:NAME, while the node does not run. See docs/nats.md.",
                subjects, name, subjects, name, subjects, name, subjects);
}

static void not_let_in(struct meeting *meeting, const char *said) {
    struct report *report = &meeting->doctor->report;
    const char *at = meeting->server->shown;
    if (meeting->server->tls && strstr(said, "SSL") != NULL) {
        report_step(report, ILL, "tls", "%s", said);
        report_cause(report, FOUND_KEY, "There is no TLS with the server at %s.", at);
        report_cure(report, "Is its certificate signed by who is in --nats-ca "
                            "(wsfan_nats_options.ca_file; the system's where there is none), and "
                            "still valid? Does the server ask for a certificate of ours "
                            "(--nats-cert, --nats-key)?");
        return;
    }
    report_step(report, ILL, "login", "%s", said);
    report_cause(report, FOUND_NOT_ALLOWED, "The server at %s does not accept our credentials.",
                 at);
    report_cure(report, "Look at the user, its password or its file, and whether the account of "
                        "the server is the one that they are for; an expired JWT is refused, too.");
}

static void too_big(struct meeting *meeting, const char *said) {
    struct report *report = &meeting->doctor->report;
    report_step(report, ILL, "payload", "%s", said);
    report_cause(report, FOUND_PAYLOAD,
                 "The max_payload of the server at %s is too small for nodes with a "
                 "payload_bytes_max of %u.",
                 meeting->server->shown, payload_bytes_max(meeting->doctor->options));
    report_cure(report, "Raise max_payload in the configuration of all servers, or lower "
                        "options.payload_bytes_max of all nodes (here --payload BYTES).");
}

/* A failure of the carrier, told apart by the words of the protocol of NATS. Returns a status that is not OK where
 * it is of this machine. */
static int failed(struct meeting *meeting, int error) {
    struct report *report = &meeting->doctor->report;
    const char *said = wsfan_nats_error(meeting->nats);
    if (error == WSFAN_ETOOBIG) {
        too_big(meeting, said);
    } else if (strstr(said, "Permissions Violation") != NULL) {
        not_permitted(meeting, said);
    } else if (error == WSFAN_EKEY) {
        not_let_in(meeting, said);
    } else if (error == WSFAN_OK) {
        report_step(report, ILL, "login", "%s", said);
        report_cause(report, FOUND_SILENT, "The connection to the server at %s fails.",
                     meeting->server->shown);
        report_cure(report, "Look at the files that are given here, and at what nats-server logs. "
                            "Is it overloaded, or ending? Try again.");
    } else {
        complain("%s: %s%s%s", meeting->server->shown, wsfan_error_text(error),
                 said[0] != '\0' ? ": " : "", said);
        return error == WSFAN_EINVAL || error == WSFAN_EENDPOINT ? STATUS_BAD_ARGUMENT
                                                                 : STATUS_FAILED;
    }
    return STATUS_OK;
}

/* ------------------------------------------------------------------------------------------------ nodes */

static bool has_answered(const struct snapshot *snapshot, uint64_t node) {
    for (size_t i = 0; i < snapshot->count; i++)
        if (snapshot->statistics[i].node == node)
            return true;
    return false;
}

static void does_not_see(struct doctor *doctor, const char *one, const char *two, const char *how) {
    report_cause(&doctor->report, FOUND_STRANGERS, "The node %s does not see %s%s.", one, two, how);
    report_cure(&doctor->report,
                "Where one has just started, ask again. Is the process of %s stopped? Do both name "
                "servers that are of one cluster of NATS, with users of one account, whose "
                "permissions have both subjects of docs/nats.md? Each node tells by itself how it "
                "stands: `nats:*` in wsfan_node_get_endpoints() (echo-chat: `diagnosis` in "
                "/stats).",
                two);
}

/* The links of one node, as it tells them: names of those that work, and a diagnosis of each that does not. */
static bool tell_of_links(struct doctor *doctor, const struct snapshot *snapshot,
                          const wsfan_peer_stats *one, char seen[SEEN_SIZE]) {
    bool all = true;
    size_t size = 0;
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct statistic *s = &snapshot->statistics[i];
        if (s->node != one->node || s->peer == 0 || strcmp(s->name, "state") != 0 ||
            s->value == WSFAN_PEER_DOWN || s->value == WSFAN_PEER_MEETING)
            continue;
        if (s->value != WSFAN_PEER_UP) {
            char how[64];
            snprintf(how, sizeof how, ", which is %s to it",
                     wsfan_peer_event_text((wsfan_peer_event)s->value));
            does_not_see(doctor, one->name, s->peer_name, how);
            all = false;
        } else if (size < SEEN_SIZE) {
            size += (size_t)snprintf(seen + size, SEEN_SIZE - size, "%s%s", size > 0 ? ", " : "",
                                     s->peer_name);
        }
    }
    return all;
}

/* Those that this node has met, and that one has not heard of. */
static bool tell_of_strangers(struct doctor *doctor, const struct snapshot *snapshot,
                              const wsfan_peer_stats *peers, size_t count,
                              const wsfan_peer_stats *one) {
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        uint64_t state = snapshot_value(snapshot, one->node, peers[i].node, "state");
        bool told = state == WSFAN_PEER_UP || state == WSFAN_PEER_SILENT ||
                    state == WSFAN_PEER_REFUSED;
        if (&peers[i] == one || peers[i].state != WSFAN_PEER_UP || told)
            continue;
        does_not_see(doctor, one->name, peers[i].name, "");
        all = false;
    }
    return all;
}

/* One node, and whom it sees of the others. */
static void tell_of_node(struct doctor *doctor, const struct snapshot *snapshot,
                         const wsfan_peer_stats *peers, size_t count, const wsfan_peer_stats *one) {
    char seen[SEEN_SIZE] = "";
    bool linked = tell_of_links(doctor, snapshot, one, seen);
    bool all = tell_of_strangers(doctor, snapshot, peers, count, one) && linked;
    report_step(&doctor->report, all ? WELL : ILL, "node", "%s, %016" PRIx64 ", sees %s%s",
                one->name, one->node, seen[0] != '\0' ? seen : "nobody",
                all ? "" : "; there are others");
}

static void does_not_answer(struct doctor *doctor, const wsfan_peer_stats *peer) {
    const char *name = peer->name[0] != '\0' ? peer->name : peer->endpoint;
    report_step(&doctor->report, ILL, "node", "%s does not answer", name);
    report_cause(&doctor->report, FOUND_SILENT,
                 "The node %s was told of or heard, and does not answer us.", name);
    report_cure(&doctor->report,
                "Is its process stopped, or has it just ended? May it publish on what is for "
                "this node, and may this one hear it (docs/nats.md, permissions)?");
}

static void nobody(struct meeting *meeting) {
    struct report *report = &meeting->doctor->report;
    const char *cluster = cluster_of(meeting->doctor->options);
    report_step(report, ILL, "nodes", "nobody of the cluster %s is there", cluster);
    report_cause(report, FOUND_NO_NODE,
                 "The server at %s is well, and no node of the cluster %s is there.",
                 meeting->server->shown, cluster);
    report_cure(report, "Do the nodes run? Have they this cluster name (options.cluster; here "
                        "--cluster NAME), this prefix (--prefix), a user of the same account, and "
                        "a server of the same cluster of NATS?");
}

static void tell_of_nodes(struct meeting *meeting, const struct snapshot *snapshot) {
    struct doctor *doctor = meeting->doctor;
    size_t count;
    size_t told = meeting->refusals_count;
    wsfan_peer_stats *peers = mesh_peers(&meeting->mesh, &count);
    for (size_t i = 0; i < count && !stopped; i++) {
        if (peers[i].state == WSFAN_PEER_DOWN || peers[i].state == WSFAN_PEER_REFUSED)
            continue;
        told++;
        if (peers[i].state == WSFAN_PEER_UP && has_answered(snapshot, peers[i].node))
            tell_of_node(doctor, snapshot, peers, count, &peers[i]);
        else
            does_not_answer(doctor, &peers[i]);
        if (doctor->options->name != NULL && strcmp(peers[i].name, doctor->options->name) == 0)
            doctor_name_taken(doctor, peers[i].endpoint);
    }
    for (unsigned i = 0; i < meeting->refusals_count; i++)
        doctor_refused(doctor, meeting->refusals[i].endpoint, meeting->refusals[i].reason);
    if (told == 0 && !stopped)
        nobody(meeting);
    free(peers);
}

static bool has_failed(const struct meeting *meeting) {
    wsfan_nats_stats stats = { .struct_size = sizeof stats };
    wsfan_nats_get_stats(meeting->nats, &stats);
    return stats.failures > 0;
}

/* True: the connection stood all the time. Where it broke nodes seem to be silent, or gone. */
static bool ask_nodes(struct meeting *meeting) {
    struct snapshot snapshot;
    snapshot_take(&snapshot, &meeting->mesh);
    snapshot_complain(&snapshot);
    bool stood = !has_failed(meeting);
    if (stood)
        tell_of_nodes(meeting, &snapshot);
    snapshot_free(&snapshot);
    return stood;
}

static bool has_met_nodes(const struct mesh *mesh) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    wsfan_node_get_stats(mesh->node, &stats);
    return stats.peers_up > 0 && wsfan_node_ready(mesh->node) > 0;
}

/* True: the connection stood all the time. */
static bool meet(struct meeting *meeting) {
    uint64_t end_ms = now_ms() + meeting->doctor->options->timeout_ms;
    bool met = false;
    while (now_ms() < end_ms && !stopped) {
        mesh_step(&meeting->mesh, STEP_MS);
        if (has_failed(meeting))
            return false;
        if (!met && has_met_nodes(&meeting->mesh)) {
            met = true; /* a server tells late of a subject that it does not permit */
            end_ms = end_ms < now_ms() + SPARE_MS ? end_ms : now_ms() + SPARE_MS;
        }
    }
    return true;
}

static void tell_of_payload(struct meeting *meeting) {
    struct report *report = &meeting->doctor->report;
    bool given = meeting->doctor->options->payload_bytes_max > 0;
    wsfan_nats_stats stats = { .struct_size = sizeof stats };
    wsfan_options defaults;
    wsfan_options_init(&defaults);
    wsfan_nats_get_stats(meeting->nats, &stats);
    bool note = !given && stats.payload_max <= defaults.payload_bytes_max;
    report_step(report, WELL, "login", "it lets us in as %s", meeting->name);
    report_step(report, note ? NOTE : WELL, "payload",
                "its max_payload, %" PRIu64 ", is enough for a payload_bytes_max of %u%s",
                stats.payload_max, payload_bytes_max(meeting->doctor->options),
                note ? "; not for the default of the library, which is 1048576" : "");
}

/* As the host's node is one, in the name of --from nats:NAME or its own. */
static int open_node(struct meeting *meeting) {
    const struct options *options = meeting->doctor->options;
    struct mesh_storage storage = { 0 };
    wsfan_options node;
    mesh_options(&node, options, &storage);
    node.endpoint = options->from;
    node.advertise = node.key_file = node.allow_path = NULL;
    node.peers = NULL;
    node.peers_count = 0;
    node.payload_bytes_max = payload_bytes_max(options);
    node.carrier = wsfan_nats_carrier(meeting->nats);
    snprintf(meeting->name, sizeof meeting->name, "%s",
             options->from != NULL ? options->from + strlen("nats:") : node.name);
    return mesh_start(&meeting->mesh, &node, (wsfan_callbacks){ .on_peer = on_peer }, meeting);
}

static int meet_nodes(struct meeting *meeting) {
    int error = open_node(meeting);
    if (error != WSFAN_OK)
        return failed(meeting, error);
    int status = STATUS_OK;
    bool stood = meet(meeting);
    if (stood) {
        tell_of_payload(meeting);
        stood = ask_nodes(meeting);
    }
    if (!stood)
        status = failed(meeting, WSFAN_OK);
    mesh_close(&meeting->mesh);
    return status;
}

/* ---------------------------------------------------------------------------------------------- command */

static bool files_are_there(const struct options *options) {
    const char *const files[][2] = { { "--nats-creds", options->nats.credentials_file },
                                     { "--nats-nkey-file", options->nats.nkey_file },
                                     { "--nats-ca", options->nats.ca_file },
                                     { "--nats-cert", options->nats.cert_file },
                                     { "--nats-key", options->nats.key_file } };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (files[i][1] != NULL && access(files[i][1], R_OK) != 0) {
            complain("%s %s: %s", files[i][0], files[i][1], strerror(errno));
            return false;
        }
    return true;
}

static int open_carrier(struct meeting *meeting, const struct options *options) {
    wsfan_nats_options how;
    wsfan_nats_options_init(&how);
    how.urls = meeting->server->url;
    how.credentials_file = options->nats.credentials_file;
    how.nkey = options->nats.nkey;
    how.nkey_file = options->nats.nkey_file;
    how.ca_file = options->nats.ca_file;
    how.cert_file = options->nats.cert_file;
    how.key_file = options->nats.key_file;
    if (options->nats.prefix != NULL)
        how.prefix = options->nats.prefix;
    how.connect_ms_max = options->timeout_ms;
    int error = wsfan_nats_open(&meeting->nats, &how);
    if (error == WSFAN_OK)
        return STATUS_OK;
    complain("%s; --nats-nkey and --nats-nkey-file, --nats-cert and --nats-key go together, and "
             "there is one kind of credentials; see also --prefix",
             wsfan_error_text(error));
    return error == WSFAN_EINVAL ? STATUS_BAD_ARGUMENT : STATUS_FAILED;
}

int doctor_nats(struct doctor *doctor, const char *url) {
    static struct server server; /* the report goes on to name it */
    const struct options *options = doctor->options;
    struct meeting meeting = { .doctor = doctor, .server = &server };
    if (!read_url(&server, options, url)) {
        complain("%s: it must be nats://[USER:PASSWORD@]HOST[:PORT], or tls://; of several servers "
                 "each is an ENDPOINT by itself",
                 server.shown);
        return STATUS_BAD_ARGUMENT;
    }
    if (options->from != NULL && strncmp(options->from, "nats:", 5) != 0) {
        complain("--from %s: over NATS it must be nats:NAME", options->from);
        return STATUS_BAD_ARGUMENT;
    }
    if (!files_are_there(options))
        return STATUS_BAD_ARGUMENT;
    int status = open_carrier(&meeting, options);
    if (status != STATUS_OK)
        return status;
    report_target(&doctor->report, server.shown);
    if (approach(doctor, &server) && !stopped)
        status = meet_nodes(&meeting);
    wsfan_nats_close(meeting.nats);
    return status;
}

#else

int doctor_nats(struct doctor *doctor, const char *url) {
    (void)doctor;
    (void)url;
    complain("nats://...: this program was built without libwsfan-nats");
    return STATUS_FAILED;
}

#endif
