/* Answers for the hashes that peers exchange. A collision of two names costs bytes (a message that
 * nobody wants is sent), never a wrong delivery: receivers compare the full name. */
#include "base/hash.h"

#include <assert.h>
#include <sodium/crypto_generichash.h>
#include <sodium/crypto_shorthash.h>

_Static_assert((unsigned)WSF_SEAL_SECRET_MIN == crypto_generichash_KEYBYTES_MIN &&
                   (unsigned)WSF_SEAL_SECRET_MAX == crypto_generichash_KEYBYTES_MAX,
               "BLAKE2b takes the secret as its key");
_Static_assert(sizeof(wsf_hash_seal_key) == 2 * crypto_shorthash_KEYBYTES, "two keys");
_Static_assert(sizeof(wsf_hash_key) == crypto_shorthash_KEYBYTES, "SipHash takes 16 bytes of key");

void wsf_hash_key_init(wsf_hash_key *key, const char *cluster) {
    wsfan_bytes name = wsfan_string(cluster);
    crypto_generichash(key->bytes, sizeof key->bytes, name.data, name.size, NULL, 0);
}

uint32_t wsf_hash_identity(const char *public_key) {
    uint8_t out[crypto_generichash_BYTES_MIN];
    uint32_t identity = 0;
    crypto_generichash(out, sizeof out, (const uint8_t *)public_key, strlen(public_key), NULL, 0);
    for (size_t i = 0; i < sizeof identity; i++)
        identity = identity << 8 | out[i];
    return identity != 0 ? identity : 1;
}

static uint64_t hash_of_kind(const wsf_hash_key *key, uint8_t kind, wsfan_bytes bytes) {
    wsf_hash_key kind_key = *key;
    uint8_t out[crypto_shorthash_BYTES];
    uint64_t hash;

    kind_key.bytes[0] ^= kind;
    crypto_shorthash(out, bytes.data, bytes.size, kind_key.bytes);
    hash = (uint64_t)out[0] << 56 | (uint64_t)out[1] << 48 | (uint64_t)out[2] << 40 |
           (uint64_t)out[3] << 32 | (uint64_t)out[4] << 24 | (uint64_t)out[5] << 16 |
           (uint64_t)out[6] << 8 | out[7];
    return hash != 0 ? hash : 1;
}

uint64_t wsf_hash_target(const wsf_hash_key *key, const wsfan_target *target) {
    return hash_of_kind(key, (uint8_t)target->kind, target->name);
}

uint64_t wsf_hash_bytes(const wsf_hash_key *key, wsfan_bytes bytes) {
    return hash_of_kind(key, 0xff, bytes);
}

void wsf_hash_seal_key_init(wsf_hash_seal_key *key, wsfan_bytes secret, const char *purpose) {
    assert(secret.size >= WSF_SEAL_SECRET_MIN && secret.size <= WSF_SEAL_SECRET_MAX);
    crypto_generichash(key->bytes, sizeof key->bytes, (const uint8_t *)purpose, strlen(purpose),
                       secret.data, secret.size);
}

uint64_t wsf_hash_seal(const wsf_hash_seal_key *key, wsfan_bytes context, wsfan_bytes body) {
    uint8_t all[WSF_SEALED_MAX + crypto_shorthash_BYTES];
    uint8_t out[crypto_shorthash_BYTES];
    uint64_t seal = 0;
    assert(body.size <= WSF_SEALED_MAX);
    if (body.size > 0)
        memcpy(all, body.data, body.size);
    crypto_shorthash(all + body.size, context.data, context.size, key->bytes);
    crypto_shorthash(out, all, body.size + crypto_shorthash_BYTES,
                     key->bytes + crypto_shorthash_KEYBYTES);
    for (size_t i = 0; i < sizeof out; i++)
        seal = seal << 8 | out[i];
    return seal;
}
