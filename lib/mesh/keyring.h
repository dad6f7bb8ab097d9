/* Where a node's keys come from: options, and a path that can be read again. */
#ifndef WSF_MESH_KEYRING_H
#define WSF_MESH_KEYRING_H

#include "base/keys.h"

#include <wsfan/wsfan.h>

typedef struct {
    wsf_certificate own;
    char *path;      /* file or directory of allowed keys; NULL: none */
    wsf_key *listed; /* keys that the host allows besides */
    size_t listed_count;
} wsf_keyring;

/* Reads the options. own.public_key is still empty where they have a secret key alone. *keyring is NULL where
 * they have no key. WSFAN_EINVAL, WSFAN_EKEY, WSFAN_ELIMIT, WSFAN_ENOMEM. */
int wsf_keyring_open(wsf_keyring **keyring, const wsfan_options *options);
void wsf_keyring_close(wsf_keyring *keyring); /* NULL is allowed */

/* Makes the whole set, and reads the path again for it. Free it by wsf_keyring_free_keys(). */
int wsf_keyring_read(const wsf_keyring *keyring, wsf_keys **keys);

/* The same after the host's list was replaced; on an error the list stays. WSFAN_EINVAL, WSFAN_EKEY,
 * WSFAN_ELIMIT, WSFAN_ENOMEM. */
int wsf_keyring_relist(wsf_keyring *keyring, const char *const *listed, size_t count,
                       wsf_keys **keys);
void wsf_keyring_free_keys(wsf_keys *keys); /* wipes the keys; NULL is allowed */

#endif
