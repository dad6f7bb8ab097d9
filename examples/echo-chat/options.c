/* options.c - the command line. */
#include "echo_chat.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    JOINS_COUNT_MAX = 64,
    NAME_BYTES_MAX = 64,
    ENDPOINT_BYTES_MAX = 128,
    THREADS_COUNT_MAX = 64
};

/* In parts, since a compiler need not take a string of more than 4095 bytes. */
static const char usage_of_replicas[] =
    "usage: echo-chat [--listen HOST:PORT] [--mesh ENDPOINT [--join ENDPOINT]...] [OPTION]...\n"
    "\n"
    "A chat server. Replicas that joined each other share their chats.\n"
    "\n"
    "  --listen HOST:PORT  serve the page and its WebSocket here; port 0: any free one\n"
    "                      of it, 0.0.0.0 for all addresses [127.0.0.1:8080]\n"
    "  --threads N         that serve clients, each for its share of them, 1 to 64 [1]\n"
    "  --log-level LEVEL   what happens in the mesh goes to stderr, a line each, from this level\n"
    "                      on: debug, info, warning, error, none [warning]\n"
    "  --log-format FORMAT text, or json [text]\n"
    "  --help              print this and exit\n"
    "\n"
    "Replicas\n"
    "  --mesh ENDPOINT     meet the other replicas here: tcp://HOST:PORT or ipc://PATH. HOST is\n"
    "                      an address or an interface of this machine, * for all; PORT * is any\n"
    "                      free one. More than loopback needs --cert, or --insecure.\n"
    "                      [none: this replica is alone]\n"
    "  --advertise ENDPOINT\n"
    "                      where the other replicas reach this one, if not at --mesh: behind NAT,\n"
    "                      or a port that is mapped [--mesh; for * the first address that is not\n"
    "                      loopback]\n"
    "  --join ENDPOINT     the --mesh of another replica, any one that runs is enough.\n"
    "                      HOST may be a name: all its addresses, asked for again and again\n"
    "  --standalone        no mesh and no socket for one: the same as no --mesh, and an error\n"
    "                      with it\n"
    "  --name NAME         of this replica, unique among them [node- and a random id]\n"
    "  --cert FILE         key of this replica, FILE and FILE_secret, as wsfan-keygen FILE makes\n"
    "                      them: the mesh is encrypted, and knows only who is allowed\n"
    "  --allow PATH        certificate of a replica, or a directory of them, that may be in the\n"
    "                      mesh besides those with the same key; read again on SIGHUP\n"
    "  --insecure          the mesh may be bound to any address without a key\n"
    "  --nats URL[,URL]... the mesh is over these servers of NATS in place of --mesh; a URL is\n"
    "                      nats://[USER:PASSWORD@]HOST:PORT, or tls://. Needs a --name of a-z, "
    "A-Z,\n"
    "                      0-9, - and _ where the server lets each publish in its own name alone\n"
    "  --nats-creds FILE   credentials for them, as nsc makes them\n"
    "  --nats-ca FILE      who may sign their certificates [the system's]\n"
    "  --down SECONDS      a replica that has not been heard for so long is down, 1 to 3600; it\n"
    "                      is silent from 3/10 of that on. The same for all replicas [10]\n"
    "  --grace SECONDS     how long a user without a tab stays a member: a reload, another\n"
    "                      replica; 0 to 600 [5]\n"
    "  --drain SECONDS     over which the clients are closed evenly when this replica ends [3]\n"
    "  --public ADDRESS    where clients reach this replica: http://HOST:PORT, or HOST:PORT\n"
    "  --placement redirect\n"
    "                      send a client to the replica that owns its chat, if that has a\n"
    "                      --public address: HTTP 307, or for browsers a close frame with status\n"
    "                      4307\n"
    "\n";

static const char usage_of_clients[] =
    "Clients\n"
    "  --tls-cert FILE     serve https and wss with this certificate, in PEM,\n"
    "  --tls-key FILE      and its key\n"
    "  --host NAME         browsers reach this server by this name, too, as behind a balancer; by\n"
    "                      a name that is not known they get HTTP 421; may be given again\n"
    "                      [addresses, localhost, the names of --public and --origin; any with\n"
    "                      --token]\n"
    "  --origin ORIGIN     pages from here may connect too, as https://example.org; * for any;\n"
    "                      may be given again [the page's own]. With --placement redirect, and\n"
    "                      for pages that are served elsewhere, name those\n"
    "  --token FILE        clients, /stats, /chats, /users, /members, /nodes, /kick need the\n"
    "                      token in this file's first line, as ?token=TOKEN or Authorization:\n"
    "                      Bearer TOKEN; the page asks for it. Not for: the page itself, /owner,\n"
    "                      /healthz, /readyz; /publish has a token of its own. Who has it may\n"
    "                      also kick [nobody needs one]\n"
    "  --history SECONDS   keep the newest messages of each chat so long, 0 to 3600: who comes\n"
    "                      back, to any replica, gets what it missed; needs --history-key\n"
    "                      [0: none]\n"
    "  --history-key FILE  a secret of 16 to 64 bytes, the first line of this file, the same for\n"
    "                      all replicas: seals the positions that clients come back with\n"
    "  --publish-token FILE\n"
    "                      let other programs publish by POST /publish, if they have the token\n"
    "                      that is the first line of this file\n"
    "  --clients N         at most so many at a time, 0: no limit\n"
    "                      [65536, or as many as there are descriptors for]\n"
    "  --handshakes N      of WebSocket, so many in a second, 0: no limit [10000]\n"
    "  --messages N        of one client, so many in a second, 0: no limit [0]\n"
    "\n"
    "Over HTTP: / the page, /?admin the page with a button to kick each member, /owner?chat=CHAT,\n"
    "/ws?chat=CHAT&user=USER the chat, with &position=POSITION what was missed, with &rewind=N\n"
    "the last messages; POST /publish, /healthz, /readyz, /stats; of all replicas /chats,\n"
    "/users?user=USER, /members?chat=CHAT, /nodes; POST /kick?session=ID or user=USER ends\n"
    "connections.\n"
    "SIGTERM and SIGINT end it: clients are told to go elsewhere; SIGHUP reads --allow again.\n"
    "Exit status: 0 ended by a signal, 1 it could not start, 2 a bad argument.\n";

__attribute__((format(printf, 1, 2))) static void bad(const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *c = text; *c != '\0'; c++) /* in one line, for terminals */
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = '?';
    fprintf(stderr, "echo-chat: %s; see --help\n", text);
    exit(2);
}

/* "127.0.0.1:80", "[::1]:80", "localhost:80", and the name of an interface: "eth0:80" */
static void read_listen(struct options *options, const char *argument) {
    const char *colon = strrchr(argument, ':');
    char *end = NULL;
    long port = colon == NULL ? -1 : strtol(colon + 1, &end, 10);
    int brackets = colon > argument && *argument == '[' && colon[-1] == ']';
    ptrdiff_t size = colon == NULL ? 0 : colon - argument - 2 * brackets;
    if (size < 1 || size >= (ptrdiff_t)sizeof options->listen_host || port < 0 || port > 65535 ||
        *end != '\0' || colon[1] < '0' || colon[1] > '9')
        bad("--listen %s: it must be HOST:PORT, with a port from 0 to 65535", argument);
    snprintf(options->listen_host, sizeof options->listen_host, "%.*s", (int)size,
             argument + brackets);
    if (strcmp(options->listen_host, "localhost") == 0)
        strcpy(options->listen_host, "127.0.0.1");
    options->listen_port = (int)port;
}

/* The library is the judge of endpoints; this only tells which argument is a bad one. */
static const char *read_endpoint(const char *flag, const char *endpoint, bool dns_too) {
    const char *port = strrchr(endpoint, ':');
    bool ported = port > endpoint + 6 && port[1] != '\0';
    bool tcp = strncmp(endpoint, "tcp://", 6) == 0 && ported;
    bool dns = strncmp(endpoint, "dns://", 6) == 0 && ported && dns_too;
    bool ipc = strncmp(endpoint, "ipc://", 6) == 0 && endpoint[6] != '\0';
    if ((!tcp && !dns && !ipc) || strlen(endpoint) > ENDPOINT_BYTES_MAX)
        bad("%s %.140s: it must be tcp://HOST:PORT%s or ipc://PATH, at most %d bytes", flag,
            endpoint, dns_too ? ", dns://HOST:PORT" : "", ENDPOINT_BYTES_MAX);
    return endpoint;
}

static const char *read_name(const char *name) {
    bool valid = *name != '\0' && strlen(name) <= NAME_BYTES_MAX && utf8_valid(name, strlen(name));
    for (const char *c = name; *c != '\0'; c++) /* it is printed: in one line, for terminals */
        valid = valid && (unsigned char)*c >= 0x20 && *c != 0x7F;
    if (!valid)
        bad("--name: it must be UTF-8 text of 1 to %d bytes, none of them a control character",
            NAME_BYTES_MAX);
    return name;
}

/* Clients are told this address, in headers and close frames, so it is made whole here: http://HOST:PORT. */
static const char *read_public(const char *argument) {
    static char address[PUBLIC_BYTES_MAX + 1];
    bool url = strncmp(argument, "http://", 7) == 0 || strncmp(argument, "https://", 8) == 0;
    int size = snprintf(address, sizeof address, "%s%s", url ? "" : "http://", argument);
    if (size > PUBLIC_BYTES_MAX || !web_is_origin(address))
        bad("--public %.110s: it must be http://HOST:PORT, https://HOST:PORT or HOST:PORT, at most "
            "%d bytes",
            argument, PUBLIC_BYTES_MAX);
    return address;
}

static uint32_t read_seconds(const char *flag, const char *argument, long min, long max) {
    char *end;
    long seconds = strtol(argument, &end, 10);
    if (*argument < '0' || *argument > '9' || *end != '\0' || seconds < min || seconds > max)
        bad("%s %.20s: it must be a number of seconds from %ld to %ld", flag, argument, min, max);
    return (uint32_t)seconds;
}

/* In the proportions of the library's defaults. */
static void set_down(wsfan_options *options, uint32_t seconds) {
    options->heartbeat_ms = seconds * 100;
    options->silent_ms = seconds * 300;
    options->down_ms = seconds * 1000;
    options->forget_ms = seconds * 12000;
}

/* A replica that has stopped is waited for until it is silent, so what becomes of a position takes longer than that. */
static void set_history(struct options *options) {
    wsfan_options *cluster = &options->cluster;
    if (cluster->history_ms == 0)
        return;
    if (options->history_key_file == NULL)
        bad("--history needs --history-key: a secret that all replicas share");
    if (options->threads == THREADS_COUNT_MAX)
        bad("--history takes the place of a thread: --threads %d at most", THREADS_COUNT_MAX - 1);
    if (cluster->recover_ms_max <= cluster->silent_ms)
        cluster->recover_ms_max = cluster->silent_ms + 1000;
    if (cluster->join_ms_max < cluster->recover_ms_max)
        cluster->join_ms_max = cluster->recover_ms_max;
}

/* Options without a letter. */
enum {
    ADVERTISE = 256,
    NATS,
    NATS_CREDS,
    NATS_CA,
    CERT,
    ALLOW,
    INSECURE,
    TLS_CERT,
    TLS_KEY,
    ORIGIN,
    TOKEN,
    CLIENTS,
    HANDSHAKES,
    MESSAGES,
    HOST,
    DOWN,
    GRACE,
    THREADS,
    LOG_LEVEL,
    LOG_FORMAT,
    HISTORY,
    HISTORY_KEY
};

static void read_log(struct log_options *log, int option, const char *argument) {
    if (option == LOG_FORMAT) {
        log->json = strcmp(argument, "json") == 0;
        if (!log->json && strcmp(argument, "text") != 0)
            bad("--log-format %.20s: it must be text or json", argument);
        return;
    }
    log->level = WSFAN_LEVEL_DEBUG;
    while (log->level <= WSFAN_LEVEL_ERROR &&
           strcmp(argument, wsfan_level_name((wsfan_level)log->level)) != 0)
        log->level++;
    if (log->level > WSFAN_LEVEL_ERROR && strcmp(argument, "none") != 0)
        bad("--log-level %.20s: it must be debug, info, warning, error or none", argument);
}

static uint32_t read_threads(const char *argument) {
    char *end;
    long threads = strtol(argument, &end, 10);
    if (*argument < '0' || *argument > '9' || *end != '\0' || threads < 1 ||
        threads > THREADS_COUNT_MAX)
        bad("--threads %.20s: it must be a number from 1 to %d", argument, THREADS_COUNT_MAX);
    return (uint32_t)threads;
}

static uint32_t read_count(const char *flag, const char *argument) {
    char *end;
    long count = strtol(argument, &end, 10);
    if (*argument < '0' || *argument > '9' || *end != '\0' || count > 1000000000)
        bad("%s %.20s: it must be a number from 0 to 1000000000", flag, argument);
    return (uint32_t)count;
}

static void read_names(struct web_names *names, bool origin, const char *argument) {
    const char *flag = origin ? "--origin" : "--host";
    const char **list = origin ? names->origins : names->hosts;
    unsigned *count = origin ? &names->origins_count : &names->hosts_count;
    if (*count == WEB_NAMES_COUNT_MAX)
        bad("%s: at most %d of them", flag, WEB_NAMES_COUNT_MAX);
    if (origin && !web_is_origin(argument))
        bad("--origin %.110s: it must be http://HOST[:PORT] or https://HOST[:PORT], or *",
            argument);
    static const char of_names[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    if (!origin && (*argument == '\0' || argument[strspn(argument, of_names)] != '\0'))
        bad("--host %.110s: it must be a name without a port", argument);
    list[(*count)++] = argument;
}

static void read_door(struct door_options *door, int option, const char *argument) {
    switch (option) {
    case ORIGIN:
    case HOST:
        read_names(&door->names, option == ORIGIN, argument);
        break;
    case TOKEN:
        door->token_file = argument;
        break;
    case CLIENTS:
        door->clients_max = read_count("--clients", argument);
        break;
    case HANDSHAKES:
        door->handshakes_per_second = read_count("--handshakes", argument);
        break;
    default:
        door->messages_per_second = read_count("--messages", argument);
    }
}

void options_read(struct options *options, int argc, char **argv) {
    static const struct option known[] = {
        { "listen", required_argument, NULL, 'l' },
        { "mesh", required_argument, NULL, 'm' },
        { "advertise", required_argument, NULL, ADVERTISE },
        { "join", required_argument, NULL, 'j' },
        { "name", required_argument, NULL, 'n' },
        { "standalone", no_argument, NULL, 's' },
        { "public", required_argument, NULL, 'p' },
        { "placement", required_argument, NULL, 'P' },
        { "publish-token", required_argument, NULL, 't' },
        { "drain", required_argument, NULL, 'd' },
        { "help", no_argument, NULL, 'h' },
        { "cert", required_argument, NULL, CERT },
        { "allow", required_argument, NULL, ALLOW },
        { "insecure", no_argument, NULL, INSECURE },
        { "nats", required_argument, NULL, NATS },
        { "nats-creds", required_argument, NULL, NATS_CREDS },
        { "nats-ca", required_argument, NULL, NATS_CA },
        { "tls-cert", required_argument, NULL, TLS_CERT },
        { "tls-key", required_argument, NULL, TLS_KEY },
        { "origin", required_argument, NULL, ORIGIN },
        { "host", required_argument, NULL, HOST },
        { "token", required_argument, NULL, TOKEN },
        { "clients", required_argument, NULL, CLIENTS },
        { "handshakes", required_argument, NULL, HANDSHAKES },
        { "messages", required_argument, NULL, MESSAGES },
        { "down", required_argument, NULL, DOWN },
        { "grace", required_argument, NULL, GRACE },
        { "threads", required_argument, NULL, THREADS },
        { "log-level", required_argument, NULL, LOG_LEVEL },
        { "log-format", required_argument, NULL, LOG_FORMAT },
        { "history", required_argument, NULL, HISTORY },
        { "history-key", required_argument, NULL, HISTORY_KEY },
        { NULL, 0, NULL, 0 },
    };
    static const char *joins[JOINS_COUNT_MAX];
    bool standalone = false;
    *options = (struct options){ .threads = 1,
                                 .drain_s = 3,
                                 .log = { WSFAN_LEVEL_WARNING, false } };
    options->door = (struct door_options){ .clients_max = 65536, .handshakes_per_second = 10000 };
    read_listen(options, "127.0.0.1:8080");
    wsfan_options_init(&options->cluster);
    options->cluster.presence_members_count_max = MEMBERS_COUNT_MAX;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":", known, NULL)) != -1;) {
        switch (option) {
        case 'l':
            read_listen(options, optarg);
            break;
        case 'm':
            options->cluster.endpoint = read_endpoint("--mesh", optarg, false);
            break;
        case ADVERTISE:
            options->cluster.advertise = read_endpoint("--advertise", optarg, false);
            break;
        case 'j':
            if (options->cluster.peers_count == JOINS_COUNT_MAX)
                bad("--join: at most %d of them; one that runs is enough", JOINS_COUNT_MAX);
            joins[options->cluster.peers_count++] = read_endpoint("--join", optarg, true);
            break;
        case 'n':
            options->cluster.name = read_name(optarg);
            break;
        case 's':
            standalone = true;
            break;
        case 'p':
            options->cluster.public_address = read_public(optarg);
            break;
        case 'P':
            if (strcmp(optarg, "redirect") != 0)
                bad("--placement %.20s: there is only redirect", optarg);
            options->redirect = true;
            break;
        case 't':
            options->publish_token = optarg;
            break;
        case 'd':
            options->drain_s = read_seconds("--drain", optarg, 0, 3600);
            break;
        case DOWN:
            set_down(&options->cluster, read_seconds("--down", optarg, 1, 3600));
            break;
        case GRACE:
            options->cluster.presence_grace_ms = read_seconds("--grace", optarg, 0, 600) * 1000;
            break;
        case THREADS:
            options->threads = read_threads(optarg);
            break;
        case LOG_LEVEL:
        case LOG_FORMAT:
            read_log(&options->log, option, optarg);
            break;
        case HISTORY:
            options->cluster.history_ms = read_seconds("--history", optarg, 0, 3600) * 1000;
            break;
        case HISTORY_KEY:
            options->history_key_file = optarg;
            break;
        case CERT:
            options->cluster.key_file = optarg;
            break;
        case ALLOW:
            options->cluster.allow_path = optarg;
            break;
        case INSECURE:
            options->cluster.allow_insecure = 1;
            break;
        case NATS:
            options->nats.urls = optarg;
            break;
        case NATS_CREDS:
            options->nats.credentials_file = optarg;
            break;
        case NATS_CA:
            options->nats.ca_file = optarg;
            break;
        case TLS_CERT:
            options->tls_cert = optarg;
            break;
        case TLS_KEY:
            options->tls_key = optarg;
            break;
        case CLIENTS:
            options->clients_asked = true;
            read_door(&options->door, option, optarg);
            break;
        case ORIGIN:
        case HOST:
        case TOKEN:
        case HANDSHAKES:
        case MESSAGES:
            read_door(&options->door, option, optarg);
            break;
        case 'h':
            fputs(usage_of_replicas, stdout);
            fputs(usage_of_clients, stdout);
            exit(0);
        case ':':
            bad("%s needs a value", argv[optind - 1]);
            break;
        default:
            bad("%s is not an option", argv[optind - 1]);
        }
    }
    if (optind < argc)
        bad("%s: there are no arguments without a flag", argv[optind]);
    if (options->cluster.peers_count > 0 && options->cluster.endpoint == NULL)
        bad("--join needs --mesh: the others connect back");
    if (options->cluster.endpoint == NULL &&
        (options->cluster.key_file != NULL || options->cluster.allow_insecure))
        bad("--cert and --insecure are for a mesh: they need --mesh");
    if (options->cluster.allow_path != NULL && options->cluster.key_file == NULL)
        bad("--allow needs --cert: only a mesh with keys lets in by keys");
    if (options->cluster.advertise != NULL && options->cluster.endpoint == NULL)
        bad("--advertise needs --mesh: it is another name for the same place");
    if (options->nats.urls != NULL && (standalone || options->cluster.endpoint != NULL))
        bad("--nats stands in place of --mesh, and excludes --standalone");
    if (options->nats.urls == NULL &&
        (options->nats.credentials_file != NULL || options->nats.ca_file != NULL))
        bad("--nats-creds and --nats-ca need --nats");
    if (standalone && options->cluster.endpoint != NULL)
        bad("--standalone and --mesh exclude each other");
    if (options->redirect && options->cluster.public_address == NULL)
        bad("--placement redirect needs --public: the others send clients here");
    if ((options->tls_cert == NULL) != (options->tls_key == NULL))
        bad("--tls-cert and --tls-key need each other");
    set_history(options);
    options->cluster.peers = joins;
    options->door.names.public_address = options->cluster.public_address;
}
