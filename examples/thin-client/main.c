/* main.c - the command line, start and end. */
#include "thin_client.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: thin-client --store FILE --sockets URL --mesh ENDPOINT --join ENDPOINT [--listen "
    "PORT]\n"
    "\n"
    "A REST service with a page. It keeps messages in SQLite; browsers post and fetch here, and "
    "hear\n"
    "over a WebSocket of the echo-chat replicas that something has changed.\n"
    "\n"
    "  --store FILE     the database, made if it is not there\n"
    "  --sockets URL    where pages open their WebSocket: ws://HOST:PORT of echo-chat, or of what\n"
    "                   balances its replicas\n"
    "  --mesh ENDPOINT  of this node: tcp://HOST:PORT\n"
    "  --join ENDPOINT  the --mesh of a replica; HOST may be a name\n"
    "  --listen PORT    on 127.0.0.1; 0: any free one [8090]\n"
    "  --host NAME      browsers reach this service by this name, too; may be given again\n"
    "                   [addresses and localhost]\n"
    "  --insecure       the mesh may be bound to more than loopback without a key\n";

struct settings {
    const char *store;
    const char *sockets;
    const char *join;
    int port;
    struct web_names names;
    wsfan_options cluster;
};

static int read_port(const char *text) {
    char *end;
    long port = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || port > 65535) {
        fprintf(stderr, "thin-client: --listen %.20s: it must be a port from 0 to 65535\n", text);
        exit(2);
    }
    return (int)port;
}

static void read_arguments(struct settings *settings, int argc, char **argv) {
    static const struct option known[] = {
        { "store", required_argument, NULL, 's' },
        { "sockets", required_argument, NULL, 'w' },
        { "mesh", required_argument, NULL, 'm' },
        { "join", required_argument, NULL, 'j' },
        { "listen", required_argument, NULL, 'l' },
        { "host", required_argument, NULL, 'H' },
        { "insecure", no_argument, NULL, 'i' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    settings->port = 8090;
    wsfan_options_init(&settings->cluster);
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (option) {
        case 's':
            settings->store = optarg;
            break;
        case 'w':
            settings->sockets = optarg;
            break;
        case 'm':
            settings->cluster.endpoint = optarg;
            break;
        case 'j':
            settings->join = optarg;
            break;
        case 'l':
            settings->port = read_port(optarg);
            break;
        case 'H':
            if (settings->names.hosts_count == WEB_NAMES_COUNT_MAX)
                exit(2);
            settings->names.hosts[settings->names.hosts_count++] = optarg;
            break;
        case 'i':
            settings->cluster.allow_insecure = 1;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            exit(2);
        }
    }
    if (optind == argc && settings->store != NULL && settings->sockets != NULL &&
        settings->cluster.endpoint != NULL && settings->join != NULL)
        return;
    fputs(usage, stderr);
    exit(2);
}

static void on_signal(uv_signal_t *signal, int number) {
    struct service *service = signal->data;
    (void)number;
    web_stop(service->thread);
}

int main(int argc, char **argv) {
    static const int ends[] = { SIGTERM, SIGINT, SIGHUP };
    struct settings settings = { .store = NULL };
    struct service service = { .thread = NULL };
    uv_signal_t signals[sizeof ends / sizeof ends[0]];
    read_arguments(&settings, argc, argv);
    settings.cluster.peers = &settings.join;
    settings.cluster.peers_count = 1;
    service.sockets = settings.sockets;
    service.names = settings.names;
    int status = 1;
    if (http_open(&service, "127.0.0.1", settings.port) == 0 &&
        store_open(&service, settings.store) == 0 &&
        publisher_open(&service, &settings.cluster) == 0) {
        for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
            uv_signal_init(web_loop(service.thread), &signals[i]);
            signals[i].data = &service;
            uv_signal_start(&signals[i], on_signal, ends[i]);
        }
        printf("ready: page http://127.0.0.1:%d/\n", web_port(service.thread));
        fflush(stdout);
        web_run(service.thread);
        status = 0;
    }
    web_close(service.thread);
    publisher_close(&service);
    store_close(&service);
    return status;
}
