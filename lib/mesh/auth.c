/* Answers for which keys pass the handshake. The user id of a connection is its public key. A request that is
 * not understood is refused.
 *
 * ZeroMQ looks for the handler at one fixed inproc address in the context of the socket, so the handler in
 * our own context does not meet the host's. Without a handler ZeroMQ lets everybody in; so ours opens before
 * the first socket is bound, and closes after the last socket. */
#include "mesh/auth.h"

#include <errno.h>
#include <string.h>
#include <wsfan/wsfan.h>
#include <zmq.h>

#include "base/clock.h"
#include "base/memory.h"

enum {
    KEY_BYTES = 32,
    PART_SIZE_MAX = 256, /* of a part; the largest that ZeroMQ sends is an address */
    SHARE_COUNT = 64,
    REFUSED_MAX = 32,
    SHUT_OUT_MS = 1000
};

struct wsf_auth {
    void *socket;
    const wsf_keys *keys;
    uint64_t shut_out_until_ms[WSF_KEYS_MAX]; /* by index in keys->allowed; 0: not shut out */
    char refused[REFUSED_MAX][WSFAN_CALLER_ADDRESS_SIZE]; /* a ring; the newest are dropped */
    unsigned refused_first;
    unsigned refused_count;
};

int wsf_auth_complete(wsf_certificate *certificate) {
    wsf_key derived;
    if (!zmq_has("curve"))
        return WSFAN_ESYSTEM;
    if (zmq_curve_public(derived.text, certificate->secret_key.text) != 0) {
        errno = EINVAL;
        return WSFAN_EKEY;
    }
    if (certificate->public_key.text[0] != '\0' &&
        strcmp(certificate->public_key.text, derived.text) != 0) {
        errno = EINVAL;
        return WSFAN_EKEY;
    }
    certificate->public_key = derived;
    return WSFAN_OK;
}

int wsf_auth_open(wsf_auth **out, void *context, const wsf_keys *keys) {
    wsf_auth *auth = wsf_alloc_zero(1, sizeof *auth);
    if (auth == NULL)
        return WSFAN_ENOMEM;
    auth->keys = keys;
    auth->socket = zmq_socket(context, ZMQ_ROUTER);
    int zero = 0;
    if (auth->socket == NULL || zmq_setsockopt(auth->socket, ZMQ_LINGER, &zero, sizeof zero) != 0 ||
        zmq_bind(auth->socket, "inproc://zeromq.zap.01") != 0) {
        int reason = errno;
        wsf_auth_close(auth);
        errno = reason;
        return reason == ENOMEM ? WSFAN_ENOMEM : WSFAN_ESYSTEM;
    }
    *out = auth;
    return WSFAN_OK;
}

void wsf_auth_close(wsf_auth *auth) {
    if (auth == NULL)
        return;
    if (auth->socket != NULL)
        zmq_close(auth->socket);
    wsf_free(auth);
}

void wsf_auth_set_keys(wsf_auth *auth, const wsf_keys *keys) {
    auth->keys = keys;
    memset(auth->shut_out_until_ms, 0, sizeof auth->shut_out_until_ms);
}

void wsf_auth_shut_out(wsf_auth *auth, const char *key) {
    int place = wsf_keys_find(auth->keys, key);
    if (place >= 0)
        auth->shut_out_until_ms[place] = wsf_clock_ms() + SHUT_OUT_MS;
}

bool wsf_auth_listen(const wsf_auth *auth, void *socket) {
    const char *secret = auth->keys->secret_key.text;
    int one = 1;
    return zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &one, sizeof one) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret, WSF_KEY_SIZE + 1) == 0 &&
           zmq_setsockopt(socket, ZMQ_XPUB_MANUAL, &one, sizeof one) == 0;
}

bool wsf_auth_dial(const wsf_auth *auth, void *socket, const char *key) {
    const char *own = auth->keys->allowed[0].text;
    const char *secret = auth->keys->secret_key.text;
    return zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, own, WSF_KEY_SIZE + 1) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret, WSF_KEY_SIZE + 1) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, key, WSF_KEY_SIZE + 1) == 0;
}

void *wsf_auth_socket(const wsf_auth *auth) {
    return auth->socket;
}

/* ------------------------------------------------------------------------------------- requests */

/* A request as the ROUTER socket receives it: the asker, an empty part, then the parts of ZAP. */
enum { ASKER, EMPTY, VERSION, REQUEST, DOMAIN, ADDRESS, IDENTITY, MECHANISM, PARTS_BEFORE_KEY };

typedef struct {
    uint8_t data[PARTS_BEFORE_KEY + 1][PART_SIZE_MAX];
    size_t sizes[PARTS_BEFORE_KEY + 1];
    int count; /* may be more than are kept */
} request;

/* False: nothing to read. */
static bool read_request(void *socket, request *r) {
    int more = 1;
    memset(r, 0, sizeof *r);
    while (more) {
        uint8_t ignored[PART_SIZE_MAX];
        bool kept = r->count <= PARTS_BEFORE_KEY;
        int size = zmq_recv(socket, kept ? r->data[r->count] : ignored, PART_SIZE_MAX,
                            r->count == 0 ? ZMQ_DONTWAIT : 0);
        if (size < 0)
            return false;
        if (kept)
            r->sizes[r->count] = (size_t)size; /* a larger part was truncated, and is refused */
        r->count++;
        size_t more_size = sizeof more;
        if (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &more_size) != 0)
            return false;
    }
    return true;
}

static bool part_is(const request *r, int part, const char *text) {
    return r->sizes[part] == strlen(text) && memcmp(r->data[part], text, r->sizes[part]) == 0;
}

/* The index of the key in keys->allowed, or -1: refused. */
static int judge(const wsf_auth *auth, const request *r) {
    wsf_key key;
    if (r->count != PARTS_BEFORE_KEY + 1 || !part_is(r, VERSION, "1.0") ||
        !part_is(r, MECHANISM, "CURVE") || r->sizes[PARTS_BEFORE_KEY] != KEY_BYTES ||
        zmq_z85_encode(key.text, r->data[PARTS_BEFORE_KEY], KEY_BYTES) == NULL)
        return -1;
    int place = wsf_keys_find(auth->keys, key.text);
    return place >= 0 && wsf_clock_ms() < auth->shut_out_until_ms[place] ? -1 : place;
}

static void send_part(void *socket, const void *data, size_t size, bool last) {
    zmq_send(socket, data, size, ZMQ_DONTWAIT | (last ? 0 : ZMQ_SNDMORE));
}

static void reply(wsf_auth *auth, const request *r, int place) {
    const char *user = place >= 0 ? auth->keys->allowed[place].text : "";
    const char *status = place >= 0 ? "200" : "400";
    const char *text = place >= 0 ? "OK" : "no";
    send_part(auth->socket, r->data[ASKER], r->sizes[ASKER], false);
    send_part(auth->socket, "", 0, false);
    send_part(auth->socket, "1.0", 3, false);
    send_part(auth->socket, r->data[REQUEST], r->sizes[REQUEST], false);
    send_part(auth->socket, status, strlen(status), false);
    send_part(auth->socket, text, strlen(text), false);
    send_part(auth->socket, user, strlen(user), false);
    send_part(auth->socket, "", 0, true);
}

static void note_refused(wsf_auth *auth, const request *r) {
    if (auth->refused_count == REFUSED_MAX)
        return; /* admission.c counts them all */
    char *address = auth->refused[(auth->refused_first + auth->refused_count++) % REFUSED_MAX];
    size_t size = r->count > ADDRESS ? r->sizes[ADDRESS] : 0;
    size = size < WSFAN_CALLER_ADDRESS_SIZE ? size : WSFAN_CALLER_ADDRESS_SIZE - 1;
    memcpy(address, r->data[ADDRESS], size);
    address[size] = '\0';
}

bool wsf_auth_take(wsf_auth *auth, char address[WSFAN_CALLER_ADDRESS_SIZE]) {
    if (auth->refused_count == 0)
        return false;
    memcpy(address, auth->refused[auth->refused_first], WSFAN_CALLER_ADDRESS_SIZE);
    auth->refused_first = (auth->refused_first + 1) % REFUSED_MAX;
    auth->refused_count--;
    return true;
}

bool wsf_auth_answer(wsf_auth *auth) {
    request r;
    int count = 0;
    for (; count < SHARE_COUNT && read_request(auth->socket, &r); count++) {
        if (r.count < REQUEST + 1 || r.sizes[ASKER] > PART_SIZE_MAX ||
            r.sizes[REQUEST] > PART_SIZE_MAX)
            continue; /* the asker or the request is not known: no answer is possible */
        int place = judge(auth, &r);
        if (place < 0)
            note_refused(auth, &r);
        reply(auth, &r, place);
    }
    return count == SHARE_COUNT;
}
