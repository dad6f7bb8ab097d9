/* Who may connect to our socket: the handler of ZeroMQ's authentication protocol (ZAP, ZeroMQ RFC
 * 27) in the library's own context. Under the lock of the mesh, as socket.h. */
#ifndef WSF_MESH_AUTH_H
#define WSF_MESH_AUTH_H

#include <wsfan/diagnosis.h>

#include "base/keys.h"

typedef struct wsf_auth wsf_auth;

/* Derives the public key from the secret one, or checks it. WSFAN_EKEY: they are not a pair. WSFAN_ESYSTEM:
 * libzmq was built without CURVE. */
int wsf_auth_complete(wsf_certificate *certificate);

/* Before any socket of the context is bound. keys is borrowed. WSFAN_ESYSTEM, WSFAN_ENOMEM. */
int wsf_auth_open(wsf_auth **auth, void *context, const wsf_keys *keys);
void wsf_auth_close(wsf_auth *auth); /* NULL is allowed */

void wsf_auth_set_keys(wsf_auth *auth, const wsf_keys *keys);

/* Refuses a key for a second: a connection with it did what no peer does. */
void wsf_auth_shut_out(wsf_auth *auth, const char *key);

/* Set up a socket before it is bound or connected: listen to allowed keys only, dial only the node with
 * `key`. False: the socket must not be used. */
bool wsf_auth_listen(const wsf_auth *auth, void *socket);
bool wsf_auth_dial(const wsf_auth *auth, void *socket, const char *key);

/* Readable while there is something to answer. */
void *wsf_auth_socket(const wsf_auth *auth);
bool wsf_auth_answer(wsf_auth *auth); /* whether there may be more */

/* Takes the oldest of those whose key was refused: where it came from. False: there is none. */
bool wsf_auth_take(wsf_auth *auth, char address[WSFAN_CALLER_ADDRESS_SIZE]);

#endif
