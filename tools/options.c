/* options.c - the command line: commands, the options that each takes, and help, all from two tables; and a
 * configuration file, in which the options of the mesh may stand. */
#include <czmq.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

enum {
    ALL = (1 << COMMANDS_COUNT) - 1,
    LISTS = 1 << NODES | 1 << CHATS | 1 << USERS | 1 << SESSIONS | 1 << MEMBERS,
    IN_MESH = ALL & ~(1 << KEYGEN),
    BY_JOIN = IN_MESH & ~(1 << DOCTOR) & ~(1 << BENCH),
    CONFIGURED_COUNT = 8
};

static const struct command_line {
    const char *name;
    const char *arguments; /* how they are shown */
    int least;             /* arguments */
    int most;
    const char *summary;
    const char *text; /* more of it */
} commands[COMMANDS_COUNT] = {
    [DOCTOR] = { "doctor", "ENDPOINT...", 1, JOINS_COUNT_MAX,
                 "tells why nodes do not see each other",
                 "Walks every step that two nodes take to meet, from here to the node at ENDPOINT: "
                 "the name,\n"
                 "TCP, ZeroMQ, the key, the cluster, the version, its hello, whether it reaches us "
                 "in turn\n"
                 "and whom it has met. Run it where your own node runs, with that node's options. "
                 "Of several\n"
                 "ENDPOINTs it also tells whether the nodes have met each other. Of "
                 "nats://[USER:PASSWORD@]HOST[:PORT]\n"
                 "or tls://..., a server of NATS, it tells whether it lets a node in, and who of "
                 "the "
                 "cluster\n"
                 "is there and sees whom. Exit status: see wsfan(1).\n" },
    [KEYGEN] = { "keygen", "[FILE]...", 0, 64, "makes the key of a mesh",
                 "Makes FILE, a public key, and FILE_secret, which only you can read: one key for "
                 "all nodes,\n"
                 "or one FILE for each node. What exists is not overwritten.\n" },
    [NODES] = { "nodes", "", 0, 0, "lists the nodes", "" },
    [CHATS] = { "chats", "", 0, 0, "lists the chats, with how many sessions are in each", "" },
    [USERS] = { "users", "", 0, 0, "lists the users, with their sessions and nodes", "" },
    [SESSIONS] = { "sessions", "", 0, 0, "lists the sessions", "" },
    [MEMBERS] = { "members", "CHAT", 1, 1, "lists who is in a chat, and on which nodes", "" },
    [PUBLISH] = { "publish", "CHAT TEXT|-", 2, 2, "publishes a message into a chat",
                  "TEXT - is standard input: each line is a message.\n" },
    [TAIL] = { "tail", "CHAT...", 1, 256, "prints messages as they come",
               "It is a session without a user in each CHAT, until it is ended.\n" },
    [KICK] = { "kick", "", 0, 0, "asks for connections to be closed",
               "By --session, --user or --chat; of --node alone those of that node.\n" },
    [TOP] = { "top", "", 0, 0, "shows the nodes and what is between them, live",
              "q or Ctrl-C ends it.\n" },
    [BENCH] = { "bench", "ENDPOINT... | --serve", 0, JOINS_COUNT_MAX,
                "measures messages and round trips between two machines",
                "On one machine: wsfan bench --serve --from tcp://ADDRESS:PORT. On the other: "
                "wsfan bench\n"
                "tcp://ADDRESS:PORT. All times are by the clock of the second.\n" },
};

/* Values of options that have no letter. */
enum {
    JOIN = 256,
    FROM,
    ADVERTISE,
    KEY,
    ALLOW,
    CLUSTER,
    NAME,
    INSECURE,
    TIMEOUT,
    JSON,
    CONFIG,
    CHAT,
    USER,
    SESSION,
    NODE,
    REASON,
    CODE,
    COUNT,
    ONCE,
    SERVE,
    SHARED,
    SECONDS,
    BYTES,
    HELP,
    PAYLOAD,
    NATS_CREDS, /* from here on as set_nats() lists them */
    NATS_NKEY,
    NATS_NKEY_FILE,
    NATS_CA,
    NATS_CERT,
    NATS_KEY,
    PREFIX
};

static const struct flag {
    const char *name;
    const char *argument; /* NULL: none */
    int value;
    int commands; /* bits */
    const char *text;
} flags[] = {
    { "join", "ENDPOINT", JOIN, BY_JOIN,
      "a node, any one that runs; may be given again [$WSFAN_JOIN]" },
    { "from", "ENDPOINT", FROM, IN_MESH,
      "listen here, where nodes must reach it [the address by which this machine\nreaches the "
      "first node, any free port]" },
    { "advertise", "ENDPOINT", ADVERTISE, IN_MESH,
      "tell nodes this instead of --from: behind NAT" },
    { "key", "FILE", KEY, IN_MESH,
      "key of this node, FILE and FILE_secret; see keygen [none: plain text]" },
    { "allow", "PATH", ALLOW, IN_MESH,
      "certificate of a node, or a directory of them, besides that of --key" },
    { "cluster", "NAME", CLUSTER, IN_MESH, "name of the cluster [wsfan]" },
    { "name", "NAME", NAME, 1 << DOCTOR,
      "the name that your node has: tells whether another one has it" },
    { "insecure", NULL, INSECURE, IN_MESH & ~(1 << DOCTOR),
      "without --key, listen on more than loopback" },
    { "config", "FILE", CONFIG, IN_MESH,
      "take options that are not given from this file [$WSFAN_CONFIG]" },
    { "timeout", "SECONDS", TIMEOUT, IN_MESH, "wait so long, at each step, 1 to 60 [5]" },
    { "json", NULL, JSON, IN_MESH & ~(1 << PUBLISH) & ~(1 << KICK),
      "print JSON, one object a line" },
    { "chat", "CHAT", CHAT, 1 << USERS | 1 << SESSIONS | 1 << KICK, "only what is in this chat" },
    { "user", "USER", USER, 1 << CHATS | 1 << SESSIONS | 1 << KICK, "only those of this user" },
    { "session", "ID", SESSION, 1 << KICK, "only this one, as `wsfan sessions` shows it" },
    { "node", "NODE", NODE, 1 << CHATS | 1 << USERS | 1 << SESSIONS | 1 << KICK,
      "only those of this node, its name or its id" },
    { "code", "CODE", CODE, 1 << KICK, "the WebSocket close code [1008]" },
    { "reason", "TEXT", REASON, 1 << KICK, "what clients are told, at most 123 bytes" },
    { "count", "N", COUNT, 1 << TAIL, "end after so many messages" },
    { "once", NULL, ONCE, 1 << TOP, "print one screen and end" },
    { "serve", NULL, SERVE, 1 << BENCH, "send back what the other machine asks for" },
    { "seconds", "N", SECONDS, 1 << TOP | 1 << BENCH,
      "between two screens [1], of each measurement [5]" },
    { "bytes", "N", BYTES, 1 << BENCH, "of a message, 16 to 65536 [128]" },
    { "shared", NULL, SHARED, 1 << KEYGEN,
      "say how all nodes use the one key; of one FILE at most" },
    { "nats-creds", "FILE", NATS_CREDS, 1 << DOCTOR, "credentials for NATS, as nsc makes them" },
    { "nats-nkey", "KEY", NATS_NKEY, 1 << DOCTOR, "a public nkey, with" },
    { "nats-nkey-file", "FILE", NATS_NKEY_FILE, 1 << DOCTOR, "its seed" },
    { "nats-ca", "FILE", NATS_CA, 1 << DOCTOR,
      "who may sign the certificate of a server of NATS [the system's]" },
    { "nats-cert", "FILE", NATS_CERT, 1 << DOCTOR, "a certificate of our own, with" },
    { "nats-key", "FILE", NATS_KEY, 1 << DOCTOR, "its key" },
    { "prefix", "PREFIX", PREFIX, 1 << DOCTOR, "of the subjects over NATS [wsfan]" },
    { "payload", "BYTES", PAYLOAD, 1 << DOCTOR,
      "the payload_bytes_max of your nodes over NATS [524288]" },
    { "help", NULL, HELP, ALL, "print this and exit" },
};

enum { FLAGS_COUNT = sizeof flags / sizeof *flags };

/* ------------------------------------------------------------------------------------------------ help */

static void print_flags(int mask) {
    for (size_t i = 0; i < FLAGS_COUNT; i++) {
        char left[40];
        const struct flag *flag = &flags[i];
        if ((flag->commands & mask) == 0)
            continue;
        snprintf(left, sizeof left, "--%s %s", flag->name,
                 flag->argument != NULL ? flag->argument : "");
        printf("  %-21s ", left);
        for (const char *c = flag->text; *c != '\0'; c++)
            if (*c == '\n')
                printf("\n%24s", "");
            else
                putchar(*c);
        putchar('\n');
    }
}

static void end_of_help(void) {
    exit(fflush(stdout) != 0 ? STATUS_FAILED : STATUS_OK);
}

static void print_help(void) {
    puts("usage: wsfan COMMAND [OPTION]... [ARGUMENT]...\n"
         "\n"
         "Looks into a mesh of libwsfan nodes, and does something about it.\n");
    for (int i = 0; i < COMMANDS_COUNT; i++)
        printf("  %-9s %-22s %s\n", commands[i].name, commands[i].arguments, commands[i].summary);
    puts("\n"
         "`wsfan COMMAND --help` tells its options, wsfan(1) everything. First of all, try:\n"
         "\n"
         "  wsfan doctor tcp://HOST:PORT          what keeps nodes apart\n"
         "  wsfan nodes --join tcp://HOST:PORT    who is there\n"
         "\n"
         "All of them but keygen are nodes while they run: they need the mesh key (--key FILE), "
         "and the\n"
         "nodes must be able to reach this machine.");
    end_of_help();
}

static void print_help_of(enum command command) {
    const struct command_line *c = &commands[command];
    printf("usage: wsfan %s [OPTION]...%s%s\n\nIt %s.\n", c->name, *c->arguments != '\0' ? " " : "",
           c->arguments, c->summary);
    printf("%s\n", c->text);
    print_flags(1 << command);
    end_of_help();
}

__attribute__((format(printf, 1, 2), noreturn)) static void bad(const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    complain("%s", text);
    exit(STATUS_BAD_ARGUMENT);
}

/* ----------------------------------------------------------------------------------------------- values */

static unsigned long number(const char *flag, const char *argument, unsigned long min,
                            unsigned long max) {
    char *end;
    unsigned long value = strtoul(argument, &end, 10);
    if (*argument < '0' || *argument > '9' || *end != '\0' || value < min || value > max)
        bad("--%s %.40s: it must be a number from %lu to %lu", flag, argument, min, max);
    return value;
}

static void add_join(struct options *options, const char *endpoint) {
    if (options->joins_count == JOINS_COUNT_MAX)
        bad("--join: at most %d of them; one that runs is enough", JOINS_COUNT_MAX);
    options->joins[options->joins_count++] = endpoint;
}

static void set_word(struct options *options, int value, const char *argument) {
    switch (value) {
    case FROM:
        options->from = argument;
        break;
    case ADVERTISE:
        options->advertise = argument;
        break;
    case KEY:
        options->key = argument;
        break;
    case ALLOW:
        options->allow = argument;
        break;
    case CLUSTER:
        options->cluster = argument;
        break;
    case NAME:
        options->name = argument;
        break;
    case CHAT:
        options->chat = argument;
        break;
    case USER:
        options->user = argument;
        break;
    case SESSION:
        options->session = argument;
        break;
    case NODE:
        options->node = argument;
        break;
    default:
        options->reason = argument;
    }
}

static bool set_nats(struct options *options, int value, const char *argument) {
    const char **const fields[] = { &options->nats.credentials_file,
                                    &options->nats.nkey,
                                    &options->nats.nkey_file,
                                    &options->nats.ca_file,
                                    &options->nats.cert_file,
                                    &options->nats.key_file,
                                    &options->nats.prefix };
    if (value < NATS_CREDS)
        return false;
    *fields[value - NATS_CREDS] = argument;
    return true;
}

static void set(struct options *options, const char **config, int value, const char *argument) {
    switch (value) {
    case HELP:
        print_help_of(options->command);
        break;
    case JOIN:
        add_join(options, argument);
        break;
    case INSECURE:
        options->insecure = true;
        break;
    case TIMEOUT:
        options->timeout_ms = (unsigned)number("timeout", argument, 1, 60) * 1000;
        break;
    case JSON:
        options->json = true;
        break;
    case CONFIG:
        *config = argument;
        break;
    case CODE:
        options->code = (unsigned)number("code", argument, 1000, 4999);
        break;
    case COUNT:
        options->count = number("count", argument, 1, 1000000000);
        break;
    case ONCE:
        options->once = true;
        break;
    case SERVE:
        options->serve = true;
        break;
    case SHARED:
        options->shared = true;
        break;
    case SECONDS:
        options->seconds = (unsigned)number("seconds", argument, 1, 3600);
        break;
    case BYTES:
        options->bytes = (unsigned)number("bytes", argument, 16, 65536);
        break;
    case PAYLOAD:
        options->payload_bytes_max = (unsigned)number("payload", argument, 1, 64 << 20);
        break;
    default:
        if (!set_nats(options, value, argument))
            set_word(options, value, argument);
    }
}

/* ------------------------------------------------------------------------------------- configuration file */

/* As czmq's zconfig reads it (ZPL, ZeroMQ RFC 4): "mesh", and in it the options of the mesh by name. What stands
 * on the command line counts. The options refer to it. */
static void read_config(struct options *options, const char *path) {
    static const int words[] = { FROM, ADVERTISE, KEY, ALLOW, CLUSTER };
    const char *const *set_before[] = { &options->from, &options->advertise, &options->key,
                                        &options->allow, &options->cluster };
    options->file = zconfig_load(path);
    zconfig_t *mesh = options->file != NULL ? zconfig_locate(options->file, "mesh") : NULL;
    if (mesh == NULL)
        bad("%s: it cannot be read, or has no section `mesh`", path);
    bool joined = options->joins_count > 0;
    for (zconfig_t *item = zconfig_child(mesh); item != NULL; item = zconfig_next(item)) {
        const char *name = zconfig_name(item);
        const char *value = zconfig_value(item);
        bool known = true;
        if (strcmp(name, "join") == 0) {
            if (!joined && options->command != DOCTOR && options->command != BENCH)
                add_join(options, value);
        } else if (strcmp(name, "insecure") == 0) {
            options->insecure = options->insecure || strcmp(value, "1") == 0;
        } else {
            known = false;
            for (size_t i = 0; i < sizeof words / sizeof *words; i++)
                for (size_t f = 0; f < FLAGS_COUNT; f++)
                    if (flags[f].value == words[i] && strcmp(flags[f].name, name) == 0) {
                        known = true;
                        if (*set_before[i] == NULL)
                            set_word(options, words[i], value);
                    }
        }
        if (!known)
            bad("%s: there is no option `%.40s` of a mesh", path, name);
    }
}

/* ------------------------------------------------------------------------------------------------ reading */

static enum command read_command(int argc, char **argv) {
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
        print_help();
    if (strcmp(argv[1], "--version") == 0) {
        printf("wsfan %s\n", wsfan_version());
        end_of_help();
    }
    for (int i = 0; i < COMMANDS_COUNT; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return (enum command)i;
    bad("there is no command %.40s; `wsfan --help` lists them", argv[1]);
}

static const struct flag *flag_of(int value) {
    for (size_t i = 0; i < FLAGS_COUNT; i++)
        if (flags[i].value == value)
            return &flags[i];
    return NULL;
}

static void check(const struct options *options) {
    const struct command_line *c = &commands[options->command];
    if (options->arguments_count < c->least || options->arguments_count > c->most)
        bad("usage: wsfan %s [OPTION]... %s; see wsfan %s --help", c->name, c->arguments, c->name);
    bool joins = options->joins_count > 0 || (options->command == BENCH && options->serve);
    if (options->command == KEYGEN)
        joins = true;
    if (!joins)
        bad(options->command == BENCH ? "it takes the endpoint of a `wsfan bench --serve`"
                                      : "it takes --join ENDPOINT, a node that runs");
    if (options->command == KICK && options->session == NULL && options->user == NULL &&
        options->chat == NULL && options->node == NULL)
        bad("it takes --session, --user, --chat or --node: whom to kick");
    if (options->shared && options->arguments_count > 1)
        bad("--shared takes one FILE: one key for all nodes");
}

void options_read(struct options *options, int argc, char **argv) {
    struct option known[FLAGS_COUNT + 1] = { { NULL, 0, NULL, 0 } };
    const char *config = getenv("WSFAN_CONFIG");
    *options = (struct options){ .timeout_ms = TIMEOUT_MS, .code = 1008, .bytes = 128 };
    options->command = read_command(argc, argv);
    for (size_t i = 0; i < FLAGS_COUNT; i++)
        known[i] = (struct option){ flags[i].name, flags[i].argument != NULL, NULL,
                                    flags[i].value };
    opterr = 0;
    optind = 2;
    for (int value; (value = getopt_long(argc, argv, ":", known, NULL)) != -1;) {
        const struct flag *flag = flag_of(value);
        if (flag == NULL)
            bad("%.60s: %s; see wsfan %s --help", argv[optind - 1],
                value == ':' ? "it takes an argument" : "there is no such option",
                commands[options->command].name);
        if ((flag->commands & 1 << options->command) == 0)
            bad("wsfan %s takes no --%s", commands[options->command].name, flag->name);
        set(options, &config, value, optarg);
    }
    options->arguments = argv + optind;
    options->arguments_count = argc - optind;
    if (options->command == DOCTOR || options->command == BENCH)
        for (int i = 0; i < options->arguments_count && i < JOINS_COUNT_MAX; i++)
            add_join(options, options->arguments[i]);
    if (config != NULL && options->command != KEYGEN)
        read_config(options, config);
    if (options->joins_count == 0 && (BY_JOIN & 1 << options->command) != 0 &&
        getenv("WSFAN_JOIN") != NULL)
        add_join(options, getenv("WSFAN_JOIN"));
    check(options);
}
