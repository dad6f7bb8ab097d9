/* main.c - the command line. */
#include "bench.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: wsfan-bench COMMAND [OPTION...]\n"
    "\n"
    "  relay      messages a second from one process to others\n"
    "  latency    from publish to receipt, at a small rate\n"
    "  path       publish to receipt in one process and by turns: for tests/bench/instructions.sh\n"
    "  fanout     delivery to the sessions of one node\n"
    "  registry   memory, joins and leaves\n"
    "  interest   a peer that is new learns of a million chats\n"
    "  idle       what a cluster costs that has nothing to do\n"
    "  history    messages that are kept, and sessions that come back\n"
    "  websocket  clients on replicas of echo-chat\n"
    "  opening    clients that all come into one chat of echo-chat\n"
    "\n"
    "  --against LIST   of raw,packed,redis,nats; \"\": none  [all; latency: without packed]\n"
    "  --size BYTES     of a payload, from 16  [128]\n"
    "  --peers N        that receive, 1 to 8  [2]\n"
    "  --runs N         of each, of which the median counts, 1 to 32  [5]\n"
    "  --messages N     in a run\n"
    "  --rate N         messages a second, where latency is measured\n"
    "  --sessions N     of a node, or WebSocket clients (--clients)\n"
    "\n"
    "Of relay, the first two also of path:\n"
    "  --chats N        each message goes to the next of N chats, 1 to 10000  [1]\n"
    "  --split          each chat has one subscriber, and each subscriber as many chats; --chats "
    "is\n"
    "                   a multiple of --peers  [--peers]\n"
    "  --publishers N   threads that publish into one node, 1 to 16; above 1 against one thread, "
    "and\n"
    "                   nothing else  [1]\n"
    "  --curve          CURVE on all connections, against raw and packed, which have it too\n"
    "  --carrier nats   the mesh is over NATS; relay and latency only  [ZeroMQ]\n"
    "\n"
    "Of path:\n"
    "  --history        the nodes keep what they get\n"
    "\n"
    "  --quick          small counts: does it work? Its figures mean nothing\n"
    "  --json           one JSON object\n"
    "  --echo-chat PATH the program that `websocket` and `opening` start\n"
    "  --replicas N     of it, 1 to 8  [3]\n"
    "  --chat-size N    WebSocket clients in each chat  [all of them; then 6]\n"
    "  --window N       messages on their way at full load; 1: each by itself  [24]\n"
    "  --socket-io      against as many replicas of Socket.IO with Redis (npm ci in "
    "tests/bench/socket_io)\n"
    "\n"
    "Everything happens on loopback. Exit status: 0, or 1 when something did not work or arrived\n"
    "wrong, 2 for a bad argument.\n";

static const struct {
    const char *name;
    int (*run)(const struct settings *settings);
} commands[] = {
    { "relay", relay_main },     { "latency", latency_main },     { "path", path_main },
    { "fanout", fanout_main },   { "registry", registry_main },   { "interest", interest_main },
    { "idle", idle_main },       { "websocket", websocket_main }, { "history", history_main },
    { "opening", opening_main },
};

static const struct transport *const others[] = { &transport_raw, &transport_packed,
                                                  &transport_redis, &transport_nats };
enum { OTHERS_COUNT = sizeof others / sizeof others[0] };

_Noreturn static void bad(const char *what, const char *value) {
    fprintf(stderr, "wsfan-bench: %s %s; see --help\n", what, value);
    exit(2);
}

static uint64_t read_number(const char *flag, const char *text, uint64_t min, uint64_t max) {
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value < min || value > max)
        bad(flag, text);
    return value;
}

static void read_against(struct settings *settings, char *list) {
    unsigned count = 1;
    for (char *name = strtok(list, ","); name != NULL; name = strtok(NULL, ",")) {
        unsigned i = 0;
        while (i < OTHERS_COUNT && strcmp(others[i]->name, name) != 0)
            i++;
        if (i == OTHERS_COUNT || count > OTHERS_COUNT)
            bad("--against", name);
        settings->against[count++] = others[i];
    }
    settings->against[count] = NULL;
}

static void set_defaults(struct settings *settings) {
    *settings = (struct settings){ .peers = 2, .publishers = 1, .echo_chat = ECHO_CHAT };
    settings->against[0] = &transport_wsfan;
}

/* Returns the list of --against, or NULL. */
static char *read_options(struct settings *settings, int argc, char **argv) {
    char *against = NULL;
    static const struct option known[] = {
        { "against", required_argument, NULL, 'a' },
        { "size", required_argument, NULL, 's' },
        { "peers", required_argument, NULL, 'p' },
        { "runs", required_argument, NULL, 'r' },
        { "messages", required_argument, NULL, 'm' },
        { "rate", required_argument, NULL, 't' },
        { "sessions", required_argument, NULL, 'n' },
        { "chats", required_argument, NULL, 'c' },
        { "publishers", required_argument, NULL, 'u' },
        { "split", no_argument, NULL, 'l' },
        { "curve", no_argument, NULL, 'k' },
        { "carrier", required_argument, NULL, 'v' },
        { "history", no_argument, NULL, 'y' },
        { "quick", no_argument, NULL, 'q' },
        { "json", no_argument, NULL, 'j' },
        { "help", no_argument, NULL, 'h' },
        { "echo-chat", required_argument, NULL, 'e' },
        { "replicas", required_argument, NULL, 'o' },
        { "chat-size", required_argument, NULL, 'z' },
        { "window", required_argument, NULL, 'w' },
        { "clients", required_argument, NULL, 'n' },
        { "socket-io", no_argument, NULL, 'i' },
        { NULL, 0, NULL, 0 },
    };
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (option) {
        case 'a':
            against = optarg;
            break;
        case 'v':
            if (strcmp(optarg, "nats") != 0)
                bad("--carrier", optarg);
            settings->against[0] = &transport_wsfan_nats;
            break;
        case 's':
            settings->size = (size_t)read_number("--size", optarg, PAYLOAD_SIZE_MIN, 1 << 20);
            break;
        case 'p':
            settings->peers = (unsigned)read_number("--peers", optarg, 1, PEERS_MAX);
            break;
        case 'r':
            settings->runs = (unsigned)read_number("--runs", optarg, 1, RUNS_MAX);
            break;
        case 'm':
            settings->messages = read_number("--messages", optarg, 1, 1 << 30);
            break;
        case 't':
            settings->rate = (unsigned)read_number("--rate", optarg, 1, 100000);
            break;
        case 'n':
            settings->sessions = read_number("--sessions", optarg, 1, 1 << 20);
            break;
        case 'c':
            settings->chats = (unsigned)read_number("--chats", optarg, 1, CHATS_MAX);
            break;
        case 'u':
            settings->publishers = (unsigned)read_number("--publishers", optarg, 1, PUBLISHERS_MAX);
            break;
        case 'l':
            settings->split = true;
            break;
        case 'k':
            settings->curve = true;
            break;
        case 'y':
            settings->history = true;
            break;
        case 'q':
            settings->quick = true;
            break;
        case 'j':
            settings->json = true;
            break;
        case 'e':
            settings->echo_chat = optarg;
            break;
        case 'o':
            settings->replicas = (unsigned)read_number("--replicas", optarg, 1, REPLICAS_MAX);
            break;
        case 'z':
            settings->chat_size = (unsigned)read_number("--chat-size", optarg, 1, 1 << 20);
            break;
        case 'w':
            settings->window = (unsigned)read_number("--window", optarg, 1, 1024);
            break;
        case 'i':
            settings->socket_io = true;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            exit(2);
        }
    }
    return against;
}

static void read_default_against(struct settings *settings) {
    if (settings->publishers > 1)
        read_against(settings, (char[]){ "" });
    else if (settings->curve)
        read_against(settings, (char[]){ "raw,packed" });
    else if (strcmp(settings->command, "latency") == 0)
        read_against(settings, (char[]){ "raw,redis,nats" });
    else
        read_against(settings, (char[]){ "raw,packed,redis,nats" });
}

static void check_relay_options(const struct settings *settings) {
    bool relay = strcmp(settings->command, "relay") == 0;
    bool path = strcmp(settings->command, "path") == 0;
    bool carried = settings->against[0] == &transport_wsfan_nats;
    if (((settings->chats > 0 || settings->split) && !relay && !path) ||
        ((settings->publishers > 1 || settings->curve) && !relay))
        bad("an option of relay with", settings->command);
    if (carried && ((!relay && strcmp(settings->command, "latency") != 0) || settings->curve))
        bad("--carrier", "is for relay and latency, without --curve");
    if (settings->history && !path)
        bad("--history with", settings->command);
    if (settings->split && settings->peers < 2)
        bad("--split", "needs two peers");
    if (settings->split && settings->chats % settings->peers != 0)
        bad("--split", "needs as many chats for each peer");
    for (unsigned i = 0; settings->against[i] != NULL; i++) {
        if (settings->curve && !settings->against[i]->curve)
            bad("--curve: not against", settings->against[i]->name);
        if (settings->publishers > 1 && !settings->against[i]->threads)
            bad("--publishers: not against", settings->against[i]->name);
    }
}

int main(int argc, char **argv) {
    struct settings settings;
    set_defaults(&settings);
    char *against = read_options(&settings, argc, argv);
    if (optind + 1 != argc)
        bad("usage:", optind < argc ? argv[optind + 1] : "wsfan-bench COMMAND");
    settings.command = argv[optind];
    if (against != NULL)
        read_against(&settings, against);
    else
        read_default_against(&settings);
    check_relay_options(&settings);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, settings.command) != 0)
            continue;
        int status = commands[i].run(&settings);
        if (status == 0)
            report_print(&settings);
        return status;
    }
    bad("no command", settings.command);
}
