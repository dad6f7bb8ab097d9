/* Where a node's keys come from: options, and a path that can be read again. */
#ifndef WSF_MESH_KEYRING_H
#define WSF_MESH_KEYRING_H

#include "base/keys.h"

#include <wsfan/wsfan.h>

typedef struct {
    wsf_certificate own;
    char *path;      /* of who is let in; NULL: none */
    wsf_key *listed; /* by the host, besides */
    size_t listed_count;
} wsf_keyring;

/* What the options say; own.public_key is still empty where they have a secret key alone. *keyring
 * is NULL where they have no key. WSFAN_EINVAL, WSFAN_EKEY, WSFAN_ELIMIT, WSFAN_ENOMEM. */
int wsf_keyring_open(wsf_keyring **keyring, const wsfan_options *options);
void wsf_keyring_close(wsf_keyring *keyring); /* NULL is allowed */

/* The whole set, the path read again; the caller frees it, by wsf_keyring_free_keys(). */
int wsf_keyring_read(const wsf_keyring *keyring, wsf_keys **keys);

/* The same after the host's list was replaced, which it is not on an error. WSFAN_EINVAL,
 * WSFAN_EKEY, WSFAN_ELIMIT, WSFAN_ENOMEM. */
int wsf_keyring_relist(wsf_keyring *keyring, const char *const *listed, size_t count,
                       wsf_keys **keys);
void wsf_keyring_free_keys(wsf_keys *keys); /* wipes it; NULL is allowed */

#endif
