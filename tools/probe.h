/* The steps of two nodes before anything is said: a name, TCP, ZeroMQ's greeting (ZMTP 3, ZeroMQ RFC 23), keys. */
#ifndef WSFAN_PROBE_H
#define WSFAN_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <wsfan/options.h>

enum { ADDRESSES_COUNT_MAX = 16, KEY_TEXT_SIZE = 41 };

struct address {
    struct sockaddr_storage sockaddr;
    socklen_t size;
    char endpoint[WSFAN_ENDPOINT_SIZE + 32]; /* tcp://ADDRESS:PORT */
};

/* An endpoint to dial. */
struct target {
    bool ipc;
    bool named;     /* the host is a name */
    char host[256]; /* or the path of an ipc endpoint */
    char port[8];
    struct address addresses[ADDRESSES_COUNT_MAX];
    unsigned count;
};

/* tcp://HOST:PORT, dns://HOST:PORT or ipc://PATH. False: it is none of these. */
bool target_read(struct target *target, const char *endpoint);

/* Finds the addresses. False: there are none, and *why tells why. */
bool target_resolve(struct target *target, const char **why);

/* A connection within ms, or -1 with errno: ECONNREFUSED, ETIMEDOUT ... */
int probe_connect(const struct address *address, unsigned ms);

enum greeting_kind { GREETED, GREETING_SILENT, GREETING_CLOSED, GREETING_FOREIGN };

struct greeting {
    enum greeting_kind kind;
    unsigned major;
    unsigned minor;
    char mechanism[21];
    char socket_type[17]; /* "": it was not told, as where there are keys */
    char begins[49];      /* of what is no greeting, printable */
};

/* Reads what a listener says first. */
void probe_greet(int fd, struct greeting *greeting, unsigned ms);

/* What a server of NATS says first. */
struct nats_info {
    char version[33];
    uint64_t payload_max; /* max_payload; 0: it is no server of NATS */
    bool auth_required;
    bool tls_required;
    bool tls_available; /* for who wants it */
    char begins[49];    /* of what is no server of NATS, printable */
};

void probe_nats(int fd, struct nats_info *info, unsigned ms);

enum key_result {
    KEY_TAKEN,
    KEY_REFUSED, /* the server has this key, and does not allow ours */
    KEY_OTHER,   /* the server has another key */
    KEY_SILENT   /* neither within the time */
};

/* ZeroMQ's handshake with a server that has `server_key`. */
enum key_result probe_key(const char *endpoint, const char *server_key, const char *public_key,
                          const char *secret_key, unsigned ms);

#endif
