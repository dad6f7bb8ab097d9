/* Answers for the hashes that peers exchange. A collision of two names costs bytes (a message that
 * nobody wants is sent), never a wrong delivery: receivers compare the full name. */
#include "hash.h"

#include <sodium/crypto_generichash.h>
#include <sodium/crypto_shorthash.h>

_Static_assert(sizeof(wsf_hash_key) == crypto_shorthash_KEYBYTES, "SipHash takes 16 bytes of key");

void wsf_hash_key_init(wsf_hash_key *key, const char *cluster) {
    wsfan_bytes name = wsfan_string(cluster);
    crypto_generichash(key->bytes, sizeof key->bytes, name.data, name.size, NULL, 0);
}

uint64_t wsf_hash_target(const wsf_hash_key *key, const wsfan_target *target) {
    wsf_hash_key kind_key = *key;
    uint8_t out[crypto_shorthash_BYTES];
    uint64_t hash = 0;

    kind_key.bytes[0] ^= (uint8_t)target->kind;
    crypto_shorthash(out, target->name.data, target->name.size, kind_key.bytes);
    for (size_t i = 0; i < sizeof out; i++)
        hash = hash << 8 | out[i];
    return hash != 0 ? hash : 1;
}
