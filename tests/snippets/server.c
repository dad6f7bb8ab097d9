/* What the README's server takes for granted: a WebSocket library, here one in memory. Two servers meet
 * by the key that the README makes, and relay; a client that does not read costs the others nothing. */
#include "server"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <wsfan/peers.h>
#include <wsfan/placement.h>
#include <wsfan/stats.h>

enum { DEADLINE_S = 60, FLOOD = 2000 };

struct connection {
    struct client client; /* the first: a client is its connection */
    int reads;
    int wants_write;
    int closed;
    int messages;
    int binary;    /* of the last message */
    char last[32]; /* its beginning */
};

static struct server servers[2];
static struct connection ann = { .reads = 1 };
static struct connection bob = { .reads = 1 };
static struct connection deaf;

void ws_send(struct client *client, const void *data, size_t size, int binary) {
    struct connection *c = (struct connection *)client;
    c->messages++;
    c->binary = binary;
    memset(c->last, 0, sizeof c->last);
    memcpy(c->last, data, size < sizeof c->last ? size : sizeof c->last - 1);
}

void ws_want_write(struct client *client) {
    ((struct connection *)client)->wants_write = 1;
}

void ws_close(struct client *client) {
    ((struct connection *)client)->closed = 1;
}

static void check(int ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

static void check_error(int error) {
    check(error == WSFAN_OK, wsfan_error_text(error));
}

static void write_to(struct connection *c) {
    while (c->reads && c->wants_write) {
        c->wants_write = 0;
        client_writable(&c->client);
    }
}

/* One turn of the event loop. */
static void turn(void) {
    struct pollfd items[2] = { { .events = POLLIN }, { .events = POLLIN } };
    for (int i = 0; i < 2; i++)
        items[i].fd = wsfan_loop_fd(servers[i].loop);
    poll(items, 2, 10);
    for (int i = 0; i < 2; i++)
        if (items[i].revents != 0)
            server_readable(&servers[i]);
    write_to(&ann);
    write_to(&bob);
    write_to(&deaf);
}

static wsfan_stats stats_of(int i) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    check_error(wsfan_node_get_stats(servers[i].node, &stats));
    return stats;
}

static int met(void) {
    return stats_of(0).peers_up == 1 && stats_of(1).peers_up == 1 &&
           wsfan_node_ready(servers[0].node) > 0 && wsfan_node_ready(servers[1].node) > 0;
}

/* The lobby, and the users of the other. */
static int know_each_other(void) {
    return stats_of(0).chats_remote == 3 && stats_of(1).chats_remote == 2;
}

static int both_were_greeted(void) {
    return ann.messages == 1 && bob.messages == 1;
}

static int ann_got_bytes(void) {
    return ann.messages == 2;
}

static int deaf_is_closed(void) {
    return deaf.closed && bob.messages == 2 + FLOOD;
}

static void wait_for(int (*condition)(void), const char *what) {
    time_t deadline = time(NULL) + DEADLINE_S;
    while (!condition()) {
        check(time(NULL) < deadline, what);
        turn();
    }
}

static void say(int i, const char *text, int binary) {
    int error;
    while ((error = client_received(&servers[i], "lobby", text, strlen(text), binary)) ==
           WSFAN_EAGAIN)
        turn();
    check_error(error);
}

int main(void) {
    const char *endpoint = "tcp://127.0.0.1:*";
    check_error(server_start(&servers[0], endpoint, NULL));
    check_error(server_start(&servers[1], endpoint, wsfan_node_endpoint(servers[0].node)));
    check(*wsfan_node_public_key(servers[0].node) != '\0', "there is no key");
    wait_for(met, "the two do not meet");

    check_error(client_opened(&ann.client, &servers[0], "ann", "lobby"));
    check_error(client_opened(&bob.client, &servers[1], "bob", "lobby"));
    check_error(client_opened(&deaf.client, &servers[1], "deaf", "lobby"));
    wait_for(know_each_other, "the two do not know of their clients");
    say(0, "hello", 0);
    wait_for(both_were_greeted, "no message came");
    check(strcmp(bob.last, "hello") == 0 && !bob.binary, "a text did not come as one");
    say(1, "\xff\x01", 1);
    wait_for(ann_got_bytes, "no bytes came");
    check(strcmp(ann.last, "\xff\x01") == 0 && ann.binary, "bytes did not come as bytes");

    for (int i = 0; i < FLOOD; i++) {
        say(0, "again", 0);
        turn();
    }
    wait_for(deaf_is_closed, "who does not read was not closed, or the others had to wait");
    check(!ann.closed && !bob.closed && deaf.messages == 0, "somebody else was closed");

    client_closed(&ann.client, &servers[0]);
    client_closed(&bob.client, &servers[1]);
    client_closed(&deaf.client, &servers[1]);
    for (int i = 0; i < 2; i++) {
        server_stop(&servers[i]);
    }
    return 0;
}
