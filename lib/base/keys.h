/* The CURVE keys of a node: its own, and those of the nodes that it lets in. Text of 40 characters,
 * Z85 (ZeroMQ RFC 32). */
#ifndef WSF_BASE_KEYS_H
#define WSF_BASE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WSF_KEY_SIZE = 40, WSF_KEYS_MAX = 256, WSF_CERTIFICATE_SIZE_MAX = 64 * 1024 };

typedef struct {
    char text[WSF_KEY_SIZE + 1]; /* "": none */
} wsf_key;

/* Both halves are of one pair, where both are there. */
typedef struct {
    wsf_key public_key;
    wsf_key secret_key;
} wsf_certificate;

typedef struct {
    wsf_key secret_key;
    uint32_t count;
    wsf_key allowed[WSF_KEYS_MAX]; /* none twice; the first is our own public key */
} wsf_keys;

/* Whether text is a key. */
bool wsf_key_valid(const char *text, size_t size);

/* Reads the text of a certificate as czmq's zcert writes it (ZPL, ZeroMQ RFC 4): what it says of
 * itself besides its keys is passed over. WSFAN_EKEY: no certificate. */
int wsf_certificate_read(wsf_certificate *certificate, const char *text, size_t size);

/* Reads a file. secret: that of the same name with "_secret" behind it, if there is one, as
 * zcert_load() does. WSFAN_EKEY, errno says why where the system refused. */
int wsf_certificate_load(wsf_certificate *certificate, const char *path, bool secret);

/* Lets a key in, once. WSFAN_EKEY, WSFAN_ELIMIT. */
int wsf_keys_allow(wsf_keys *keys, const char *text);

/* Lets in the key of a certificate file, or of every one in a directory, but for names that begin
 * with "." or end with "_secret". All or an error: WSFAN_EKEY, WSFAN_ELIMIT. */
int wsf_keys_allow_path(wsf_keys *keys, const char *path);

/* Its place in allowed, or -1. */
int wsf_keys_find(const wsf_keys *keys, const char *text);

#endif
