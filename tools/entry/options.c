/* options.c - the command line. */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "entry.h"
#include "nats/options.h"

enum {
    NATS_PAYLOAD_BYTES_MAX = 512 * 1024, /* over NATS a frame has to fit into max_payload */
    RESULT_MS_MAX = 4000,                /* before those who asked give up, after 5 s */
    TAPS_MAX = 1024,
    DRAIN_S = 10
};

/* In parts, since a compiler need not take a string of more than 4095 bytes. */
static const char usage_of_nats[] =
    "usage: wsfan-entry --nats URL[,URL]... --join ENDPOINT [OPTION]...\n"
    "       wsfan-entry --check --nats URL[,URL]... --name NAME [OPTION]...\n"
    "\n"
    "A door from NATS into a mesh: `nats req wsfan.CLUSTER.in.chat.lobby hello` reaches every "
    "member\n"
    "of the chat, and is answered when all replicas have it.\n"
    "\n"
    "NATS\n"
    "  --nats URL[,URL]... servers: nats://[USER:PASSWORD@]HOST:PORT, or tls://\n"
    "                      [$WSFAN_NATS, where a password is not shown to all of this machine]\n"
    "  --nats-creds FILE   credentials for them, as nsc makes them\n"
    "  --nats-ca FILE      who may sign their certificates [the system's]\n"
    "  --nats-cert FILE    a certificate of our own, with\n"
    "  --nats-key FILE     its key\n"
    "  --prefix PREFIX     of subjects [wsfan]\n"
    "  --taps N            so many chats may be tapped at a time, 0 to 1024; 0: this entry is a\n"
    "                      publisher only [0]\n"
    "\n";

static const char usage_of_mesh[] =
    "The mesh\n"
    "  --join ENDPOINT     a node, any one that runs; may be given again\n"
    "  --from ENDPOINT     listen here, where nodes must reach it [tcp://127.0.0.1:*]\n"
    "  --advertise ENDPOINT\n"
    "                      tell nodes this instead of --from: behind NAT\n"
    "  --key FILE          key of this node, FILE and FILE_secret; see wsfan-keygen [none: plain "
    "text]\n"
    "  --allow PATH        certificate of a node, or a directory of them, besides that of --key\n"
    "  --insecure          without --key, listen on more than loopback\n"
    "  --over-nats         the mesh is over NATS, too: none of the options above\n"
    "  --cluster NAME      name of the cluster [wsfan]\n"
    "  --name NAME         of this entry, unique among the nodes [node- and a random id]\n"
    "\n"
    "This program\n"
    "  --check             ask the entry of this --name whether it is ready: prints what it says\n"
    "  --drain SECONDS     what was taken is answered within this time after SIGTERM, 0 to 600 "
    "[10]\n"
    "  --log-level LEVEL   to stderr, a line each, from this level on: debug, info, warning, "
    "error,\n"
    "                      none [info]\n"
    "  --log-format FORMAT text, or json [text]\n"
    "  --help              print this and exit\n"
    "\n"
    "SIGTERM and SIGINT end it: it takes no more messages, and answers those that it took.\n"
    "Exit status: 0 ended by a signal, or --check: ready; 1 it could not start, or is not ready;\n"
    "2 a bad argument; 3 ended before everything was answered.\n";

__attribute__((format(printf, 1, 2), noreturn)) static void bad(const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *c = text; *c != '\0'; c++) /* in one line, for terminals */
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = '?';
    fprintf(stderr, "wsfan-entry: %s; see --help\n", text);
    exit(STATUS_BAD_ARGUMENT);
}

__attribute__((noreturn)) static void help(void) {
    fputs(usage_of_nats, stdout);
    fputs(usage_of_mesh, stdout);
    exit(fflush(stdout) == 0 ? STATUS_OK : STATUS_FAILED);
}

static unsigned number(const char *flag, const char *argument, unsigned long max) {
    char *end;
    unsigned long value = strtoul(argument, &end, 10);
    if (*argument < '0' || *argument > '9' || *end != '\0' || value > max)
        bad("--%s %.40s: it must be a number from 0 to %lu", flag, argument, max);
    return (unsigned)value;
}

static int level_of(const char *argument) {
    int level = WSFAN_LEVEL_DEBUG;
    while (level <= WSFAN_LEVEL_ERROR &&
           strcmp(argument, wsfan_level_name((wsfan_level)level)) != 0)
        level++;
    if (level > WSFAN_LEVEL_ERROR && strcmp(argument, "none") != 0)
        bad("--log-level %.20s: it must be debug, info, warning, error or none", argument);
    return level;
}

/* Options have no letters. */
enum flag {
    NATS = 256,
    NATS_CREDS,
    NATS_CA,
    NATS_CERT,
    NATS_KEY,
    PREFIX,
    TAPS,
    JOIN,
    FROM,
    ADVERTISE,
    KEY,
    ALLOW,
    INSECURE,
    OVER_NATS,
    CLUSTER,
    NAME,
    CHECK,
    DRAIN,
    LOG_LEVEL,
    LOG_FORMAT,
    HELP
};

static bool set_nats(wsfan_nats_options *nats, int flag, const char *argument) {
    const char **const fields[] = { &nats->urls,      &nats->credentials_file, &nats->ca_file,
                                    &nats->cert_file, &nats->key_file,         &nats->prefix };
    if (flag < NATS || flag > PREFIX)
        return false;
    *fields[flag - NATS] = argument;
    return true;
}

static void set_mesh(struct options *options, int flag, const char *argument) {
    wsfan_options *node = &options->node;
    switch (flag) {
    case JOIN:
        if (node->peers_count == JOINS_COUNT_MAX)
            bad("--join: at most %d of them; one that runs is enough", JOINS_COUNT_MAX);
        options->joins[node->peers_count++] = argument;
        break;
    case FROM:
        node->endpoint = argument;
        break;
    case ADVERTISE:
        node->advertise = argument;
        break;
    case KEY:
        node->key_file = argument;
        break;
    case ALLOW:
        node->allow_path = argument;
        break;
    case CLUSTER:
        node->cluster = argument;
        break;
    case NAME:
        node->name = argument;
        break;
    default:
        node->allow_insecure = 1;
    }
}

static void set(struct options *options, int flag, const char *argument) {
    switch (flag) {
    case HELP:
        help();
    case TAPS:
        options->taps_max = number("taps", argument, TAPS_MAX);
        break;
    case OVER_NATS:
        options->over_nats = true;
        break;
    case CHECK:
        options->check = true;
        break;
    case DRAIN:
        options->drain_ms = number("drain", argument, 600) * 1000;
        break;
    case LOG_LEVEL:
        options->log_level = level_of(argument);
        break;
    case LOG_FORMAT:
        options->log_json = strcmp(argument, "json") == 0;
        if (!options->log_json && strcmp(argument, "text") != 0)
            bad("--log-format %.20s: it must be text or json", argument);
        break;
    default:
        if (!set_nats(&options->nats, flag, argument))
            set_mesh(options, flag, argument);
    }
}

static bool is_printable(const char *text, size_t size_max) {
    size_t size = strlen(text);
    return size > 0 && size <= size_max && wsf_text_is_printable(text, size);
}

static void check(const struct options *options) {
    const wsfan_options *node = &options->node;
    wsfan_nats_options copy;
    if (options->nats.urls == NULL)
        bad("it takes --nats URL");
    int error = wsf_nats_options_read(&copy, &options->nats);
    if (error != WSFAN_OK)
        bad("--nats, --prefix, --nats-cert and --nats-key: %s", wsfan_error_text(error));
    wsf_nats_options_free(&copy);
    if (!is_printable(node->cluster, 32))
        bad("--cluster: it must be text of 1 to 32 bytes");
    if (node->name != NULL && !is_printable(node->name, WSFAN_NODE_NAME_SIZE - 1))
        bad("--name: it must be text of 1 to %d bytes", WSFAN_NODE_NAME_SIZE - 1);
    if (options->check && node->name == NULL)
        bad("--check takes the --name of an entry");
    if (options->over_nats &&
        (node->peers_count > 0 || node->endpoint != NULL || node->advertise != NULL ||
         node->key_file != NULL || node->allow_path != NULL))
        bad("--over-nats takes no --join, --from, --advertise, --key or --allow");
    if (!options->check && !options->over_nats && node->peers_count == 0)
        bad("it takes --join ENDPOINT, a node that runs, or --over-nats");
}

/* What it is as a node. */
static void set_node(struct options *options) {
    wsfan_options *node = &options->node;
    node->peers = node->peers_count > 0 ? options->joins : NULL;
    node->publisher_only = options->taps_max == 0;
    node->placement_weight = 0;
    node->result_ms_max = RESULT_MS_MAX;
    if (options->over_nats)
        node->payload_bytes_max = NATS_PAYLOAD_BYTES_MAX;
    else if (node->endpoint == NULL)
        node->endpoint = "tcp://127.0.0.1:*";
}

void options_read(struct options *options, int argc, char **argv) {
    static const struct option known[] = {
        { "nats", required_argument, NULL, NATS },
        { "nats-creds", required_argument, NULL, NATS_CREDS },
        { "nats-ca", required_argument, NULL, NATS_CA },
        { "nats-cert", required_argument, NULL, NATS_CERT },
        { "nats-key", required_argument, NULL, NATS_KEY },
        { "prefix", required_argument, NULL, PREFIX },
        { "taps", required_argument, NULL, TAPS },
        { "join", required_argument, NULL, JOIN },
        { "from", required_argument, NULL, FROM },
        { "advertise", required_argument, NULL, ADVERTISE },
        { "key", required_argument, NULL, KEY },
        { "allow", required_argument, NULL, ALLOW },
        { "insecure", no_argument, NULL, INSECURE },
        { "over-nats", no_argument, NULL, OVER_NATS },
        { "cluster", required_argument, NULL, CLUSTER },
        { "name", required_argument, NULL, NAME },
        { "check", no_argument, NULL, CHECK },
        { "drain", required_argument, NULL, DRAIN },
        { "log-level", required_argument, NULL, LOG_LEVEL },
        { "log-format", required_argument, NULL, LOG_FORMAT },
        { "help", no_argument, NULL, HELP },
        { NULL, 0, NULL, 0 },
    };
    *options = (struct options){ .drain_ms = DRAIN_S * 1000, .log_level = WSFAN_LEVEL_INFO };
    wsfan_options_init(&options->node);
    wsfan_nats_options_init(&options->nats);
    options->nats.urls = getenv("WSFAN_NATS");
    opterr = 0;
    for (int flag; (flag = getopt_long(argc, argv, ":", known, NULL)) != -1;) {
        if (flag == ':' || flag == '?')
            bad("%.60s: %s", argv[optind - 1],
                flag == ':' ? "it takes an argument" : "there is no such option");
        set(options, flag, optarg);
    }
    if (optind < argc)
        bad("%.60s: it takes no argument but options", argv[optind]);
    check(options);
    set_node(options);
}

void prefix_write(char prefix[PREFIX_SIZE], const struct options *options) {
    char token[TOKEN_SIZE];
    token_write(token, options->node.cluster, strlen(options->node.cluster));
    snprintf(prefix, PREFIX_SIZE, "%s.%s.", options->nats.prefix, token);
}
