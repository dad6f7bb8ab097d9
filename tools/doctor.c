/* doctor.c - why nodes do not see each other: the steps up to the key, and what several nodes have to do with
 * each other. */
#include "doctor.h"

#include <czmq.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ------------------------------------------------------------------------------------------------- keys */

static void add_key(struct doctor *doctor, const char *key) {
    for (unsigned i = 0; i < doctor->keys_count; i++)
        if (strcmp(doctor->keys[i], key) == 0)
            return;
    if (doctor->keys_count < KEYS_COUNT_MAX)
        snprintf(doctor->keys[doctor->keys_count++], KEY_TEXT_SIZE, "%s", key);
}

static bool add_certificate(struct doctor *doctor, const char *path) {
    zcert_t *certificate = zcert_load(path);
    if (certificate == NULL) {
        complain("%s: it cannot be read, or is no certificate", path);
        return false;
    }
    add_key(doctor, zcert_public_txt(certificate));
    zcert_destroy(&certificate);
    return true;
}

/* As the library reads options.allow_path. */
static bool read_allowed(struct doctor *doctor, const char *path) {
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode))
        return add_certificate(doctor, path);
    DIR *directory = opendir(path);
    bool ok = directory != NULL;
    for (const struct dirent *entry; ok && (entry = readdir(directory)) != NULL;) {
        char file[4096];
        size_t size = strlen(entry->d_name);
        if (entry->d_name[0] == '.' ||
            (size > 7 && strcmp(entry->d_name + size - 7, "_secret") == 0))
            continue;
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        ok = add_certificate(doctor, file);
    }
    if (directory != NULL)
        closedir(directory);
    else
        complain("--allow %s: %s", path, strerror(errno));
    return ok;
}

static bool read_keys(struct doctor *doctor) {
    if (doctor->options->key == NULL)
        return true;
    zcert_t *certificate = zcert_load(doctor->options->key);
    if (certificate == NULL || strspn(zcert_secret_txt(certificate), "0") == KEY_TEXT_SIZE - 1) {
        complain("--key %s: %s", doctor->options->key,
                 certificate == NULL ? "it cannot be read, or is no certificate"
                                     : "there is no secret key: FILE_secret is missing");
        zcert_destroy(&certificate);
        return false;
    }
    snprintf(doctor->public_key, KEY_TEXT_SIZE, "%s", zcert_public_txt(certificate));
    snprintf(doctor->secret_key, KEY_TEXT_SIZE, "%s", zcert_secret_txt(certificate));
    add_key(doctor, doctor->public_key);
    zcert_destroy(&certificate);
    return doctor->options->allow == NULL || read_allowed(doctor, doctor->options->allow);
}

/* ----------------------------------------------------------------------------------------------- approach */

static const char *carrier(const char *endpoint) {
    return strncmp(endpoint, "ipc:", 4) == 0 ? "ipc" : "tcp";
}

void doctor_no_connection(struct doctor *doctor, const char *endpoint, int error,
                          const char *look) {
    struct report *report = &doctor->report;
    const char *text = strerror(error);
    report_step(report, ILL, carrier(endpoint), "%s", error == ETIMEDOUT ? "no answer" : text);
    if (strcmp(carrier(endpoint), "ipc") == 0) {
        report_cause(report, FOUND_REFUSED, "Nobody listens at %s that this user may connect to.",
                     endpoint);
        report_cure(report,
                    "Is the node running on this machine, with this path as its endpoint? May "
                    "this user write to it?");
    } else if (error == ECONNREFUSED) {
        report_cause(report, FOUND_REFUSED, "Nobody listens at %s. The host is there, and refuses.",
                     endpoint);
        report_cure(report, "%s", look);
    } else if (error == ETIMEDOUT) {
        report_cause(
            report, FOUND_UNREACHED,
            "Nothing comes back from %s: a packet filter swallows what is sent there, or the "
            "host is down or is another one.",
            endpoint);
        report_cure(report,
                    "Open the port for connections from here (firewall, security group, network "
                    "policy), and look at the address.");
    } else {
        report_cause(report, FOUND_UNREACHED, "There is no way from here to %s: %s.", endpoint,
                     text);
        report_cure(report, "Look at the address, and at the routes of this machine.");
    }
}

static bool greeted(struct doctor *doctor, const char *endpoint, const struct greeting *greeting) {
    struct report *report = &doctor->report;
    if (greeting->kind == GREETED) {
        report_step(report, WELL, "zmtp", "ZeroMQ %u.%u, %s", greeting->major, greeting->minor,
                    strcmp(greeting->mechanism, "CURVE") == 0 ? "with keys" : "plain text");
        return true;
    }
    if (greeting->kind == GREETING_FOREIGN)
        report_step(report, ILL, "zmtp", "it says \"%s\"", greeting->begins);
    else
        report_step(report, ILL, "zmtp", "%s",
                    greeting->kind == GREETING_SILENT ? "it says nothing"
                                                      : "it ends the connection");
    report_cause(report, FOUND_FOREIGN, "What listens at %s does not speak ZeroMQ%s.", endpoint,
                 strncmp(greeting->begins, "HTTP/", 5) == 0 ? ": it is a web server"
                 : greeting->kind == GREETING_FOREIGN
                     ? ""
                     : ", or its process is stopped or takes no more connections");
    report_cure(report,
                "Look at the port: it must be that of the node's mesh endpoint, as the node tells "
                "when it starts; not that of its web server.");
    return false;
}

/* Plain text and keys do not go together. */
static bool same_mechanism(struct doctor *doctor, const char *endpoint,
                           const struct greeting *greeting) {
    struct report *report = &doctor->report;
    bool curve = strcmp(greeting->mechanism, "CURVE") == 0;
    bool keyed = doctor->public_key[0] != '\0';
    if (!curve && strcmp(greeting->mechanism, "NULL") != 0) {
        report_step(report, ILL, "key", "it speaks %s", greeting->mechanism);
        report_cause(report, FOUND_FOREIGN, "%s is no node: nodes speak CURVE, or plain text.",
                     endpoint);
        report_cure(report, "Look at the port.");
    } else if (curve && !keyed) {
        report_step(report, ILL, "key", "it asks for a key, and there is none here");
        report_cause(report, FOUND_KEYED, "The node at %s has a key, yours has none.", endpoint);
        report_cure(report,
                    "Give your node the key of the mesh (options.key_file; here --key FILE).");
    } else if (!curve && keyed) {
        report_step(report, ILL, "key", "it speaks plain text, and there is a key here");
        report_cause(report, FOUND_PLAIN, "Your node has a key, the one at %s has none.", endpoint);
        report_cure(report,
                    "Give the node there the key of the mesh (options.key_file), or leave out "
                    "yours where all of them speak plain text.");
    } else if (greeting->socket_type[0] != '\0' && strcmp(greeting->socket_type, "XPUB") != 0) {
        report_step(report, ILL, "zmtp", "a socket of type %s", greeting->socket_type);
        report_cause(report, FOUND_FOREIGN,
                     "What listens at %s speaks ZeroMQ, but is no node: its socket is a %s.",
                     endpoint, greeting->socket_type);
        report_cure(report, "Look at the port: it must be that of the node's mesh endpoint.");
    } else {
        return true;
    }
    return false;
}

static bool has_known_key(struct doctor *doctor, const char *endpoint) {
    struct report *report = &doctor->report;
    enum key_result result = KEY_OTHER;
    unsigned i = 0;
    for (; i < doctor->keys_count && result == KEY_OTHER && !stopped; i++)
        result = probe_key(endpoint, doctor->keys[i], doctor->public_key, doctor->secret_key,
                           doctor->options->timeout_ms);
    if (result == KEY_TAKEN) {
        report_step(report, WELL, "key", "%s",
                    i == 1 ? "the node has the same"
                           : "theirs is allowed here, "
                             "ours is there");
        return true;
    }
    if (result == KEY_REFUSED) {
        report_step(report, ILL, "key", "ours is not allowed there");
        report_cause(
            report, FOUND_NOT_ALLOWED,
            "The key of the node at %s is known here, but that node does not allow yours, %s.",
            endpoint, doctor->public_key);
        report_cure(report,
                    "Put %s into the node's list (options.allow or allow_path) and have it read "
                    "again (wsfan_node_reload_keys(); echo-chat: SIGHUP).",
                    doctor->options->key);
    } else if (result == KEY_SILENT) {
        report_step(report, ILL, "key", "no answer");
        report_cause(report, FOUND_SILENT, "%s begins a handshake and does not end it.", endpoint);
        report_cure(report, "Is the process stopped, or its machine overloaded? Try again.");
    } else {
        report_step(report, ILL, "key", "%s",
                    doctor->keys_count == 1 ? "it has another one"
                                            : "it has none that is known here");
        report_cause(report, FOUND_KEY, "The node at %s has another key than %s%s.", endpoint,
                     doctor->options->key,
                     doctor->options->allow != NULL ? " and those of --allow" : "");
        report_cure(report,
                    "Give all nodes the same key file; or, where each has its own, put the public "
                    "key of that node into the list of yours (options.allow_path; here --allow "
                    "PATH).");
    }
    return false;
}

bool doctor_approach(struct doctor *doctor, const struct address *address) {
    struct greeting greeting;
    double began = now_s();
    int fd = probe_connect(address, doctor->options->timeout_ms);
    if (fd < 0) {
        doctor_no_connection(doctor, address->endpoint, errno,
                             "Look at the port: it must be that of the node's mesh endpoint (not "
                             "of its web server), as the node tells when it starts. Is the node "
                             "running, and does it listen on more than loopback?");
        return false;
    }
    report_step(&doctor->report, WELL, carrier(address->endpoint), "%s answers after %.1f ms",
                address->endpoint, (now_s() - began) * 1000);
    probe_greet(fd, &greeting, doctor->options->timeout_ms);
    close(fd);
    return greeted(doctor, address->endpoint, &greeting) &&
           same_mechanism(doctor, address->endpoint, &greeting) &&
           (doctor->public_key[0] == '\0' || has_known_key(doctor, address->endpoint));
}

bool doctor_resolve(struct doctor *doctor, struct target *target) {
    struct report *report = &doctor->report;
    const char *why;
    if (!target_resolve(target, &why)) {
        report_step(report, ILL, "name", "%s: %s", target->host, why);
        report_cause(report, FOUND_NAME, "The name %s does not resolve here: %s.", target->host,
                     why);
        report_cure(report,
                    "Look at the spelling; ask the name server of this machine (getent hosts %s). "
                    "In Kubernetes a pod is in DNS only when it is ready, unless its service has "
                    "publishNotReadyAddresses.",
                    target->host);
        return false;
    }
    if (target->named)
        report_step(report, WELL, "name", "%s has %u address%s", target->host, target->count,
                    target->count == 1 ? "" : "es");
    return true;
}

/* Returns a status that is not OK where this machine cannot do it. */
static int examine(struct doctor *doctor, const char *endpoint) {
    struct target target;
    if (doctor_is_nats(endpoint))
        return doctor_nats(doctor, endpoint);
    report_target(&doctor->report, endpoint);
    if (!target_read(&target, endpoint)) {
        complain("%s: it must be tcp://HOST:PORT, ipc://PATH or nats://HOST:PORT", endpoint);
        return STATUS_BAD_ARGUMENT;
    }
    if (!doctor_resolve(doctor, &target))
        return STATUS_OK;
    int status = STATUS_OK;
    for (unsigned i = 0; i < target.count && status == STATUS_OK && !stopped; i++)
        if (doctor_approach(doctor, &target.addresses[i]))
            status = doctor_meet(doctor, target.addresses[i].endpoint);
    return status;
}

/* ------------------------------------------------------------------------------------- several together */

static bool has_met(const struct patient *one, const struct patient *two) {
    for (unsigned i = 0; i < one->known_count; i++)
        if (one->known[i].id == two->self.id)
            return true;
    return false;
}

static const char *whom(const struct patient *patient) {
    return patient->known_count == 0 ? "nobody at all" : "others";
}

static void compare(struct doctor *doctor, const struct patient *one, const struct patient *two) {
    struct report *report = &doctor->report;
    if (one->self.id == two->self.id)
        return;
    if (strcmp(one->self.name, two->self.name) == 0) {
        report_cause(report, FOUND_TWICE,
                     "The nodes at %s and %s are both called %s. A name belongs to "
                     "one node: they refuse each other.",
                     one->endpoint, two->endpoint, one->self.name);
        report_cure(report, "Give one of them another name (options.name).");
    } else if (!has_met(one, two) && !has_met(two, one)) {
        report_cause(
            report, FOUND_STRANGERS,
            "The nodes %s at %s and %s at %s are well, and have not met. The first has met %s, "
            "the second %s.",
            one->self.name, one->endpoint, two->self.name, two->endpoint, whom(one), whom(two));
        report_cure(report,
                    "One of them must be told of the other: options.peers and, as well, "
                    "options.peers_count, which is 0 unless it is set (echo-chat: --join). If it "
                    "was, run the doctor where that node runs.");
    }
}

void doctor_name_taken(struct doctor *doctor, const char *endpoint) {
    report_cause(
        &doctor->report, FOUND_TWICE,
        "There is a node called %s already, at %s: another one with this name is refused, or takes "
        "its place.",
        doctor->options->name, endpoint);
    report_cure(&doctor->report, "Unless that is your node, give it another name (options.name).");
}

/* The name that the host's node is to have. */
static void compare_name(struct doctor *doctor, const struct patient *patient) {
    const char *name = doctor->options->name;
    const struct known *found = strcmp(patient->self.name, name) == 0 ? &patient->self : NULL;
    for (unsigned i = 0; i < patient->known_count && found == NULL; i++)
        if (strcmp(patient->known[i].name, name) == 0)
            found = &patient->known[i];
    if (found != NULL)
        doctor_name_taken(doctor, found->endpoint);
}

int doctor_run(const struct options *options) {
    static struct doctor doctor;
    doctor = (struct doctor){ .options = options, .report.json = options->json };
    if (!read_keys(&doctor))
        return STATUS_BAD_ARGUMENT;
    doctor.patients = make_room(NULL, JOINS_COUNT_MAX * ADDRESSES_COUNT_MAX,
                                sizeof *doctor.patients);
    int status = STATUS_OK;
    for (size_t i = 0; i < options->joins_count && status == STATUS_OK && !stopped; i++)
        status = examine(&doctor, options->joins[i]);
    for (unsigned i = 0; i < doctor.patients_count; i++) {
        for (unsigned k = 0; k < i; k++)
            compare(&doctor, &doctor.patients[k], &doctor.patients[i]);
        if (options->name != NULL && doctor.report.count == 0)
            compare_name(&doctor, &doctor.patients[i]);
    }
    explicit_bzero(doctor.secret_key, sizeof doctor.secret_key);
    free(doctor.patients);
    if (status != STATUS_OK || stopped)
        return status != STATUS_OK ? status : STATUS_FAILED;
    return report_end(&doctor.report);
}
