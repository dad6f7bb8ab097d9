/* The CURVE keys of a node: its own, and those of the nodes that may connect. A key is 40 characters of Z85
 * (ZeroMQ RFC 32). */
#ifndef WSF_BASE_KEYS_H
#define WSF_BASE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WSF_KEY_SIZE = 40, WSF_KEYS_MAX = 256, WSF_CERTIFICATE_SIZE_MAX = 64 * 1024 };

typedef struct {
    char text[WSF_KEY_SIZE + 1]; /* "": none */
} wsf_key;

/* Either key may be missing. */
typedef struct {
    wsf_key public_key;
    wsf_key secret_key;
} wsf_certificate;

typedef struct {
    wsf_key secret_key;
    uint32_t count;
    wsf_key allowed[WSF_KEYS_MAX]; /* no duplicates; allowed[0] is our own public key */
} wsf_keys;

bool wsf_key_valid(const char *text, size_t size);

/* Reads the text of a certificate as czmq's zcert writes it (ZPL, ZeroMQ RFC 4), ignoring its metadata.
 * WSFAN_EKEY: no public key, or a key that is not valid. */
int wsf_certificate_read(wsf_certificate *certificate, const char *text, size_t size);

/* Reads a certificate file. secret: reads path with "_secret" appended if that file exists, as zcert_load()
 * does. WSFAN_EKEY: errno has the reason if the system refused. */
int wsf_certificate_load(wsf_certificate *certificate, const char *path, bool secret);

/* Adds a key to `allowed` unless it is there. WSFAN_EKEY, WSFAN_ELIMIT. */
int wsf_keys_allow(wsf_keys *keys, const char *text);

/* Adds the key of a certificate file, or of every file in a directory whose name neither begins with "." nor
 * ends with "_secret". Stops at the first error: WSFAN_EKEY, WSFAN_ELIMIT. */
int wsf_keys_allow_path(wsf_keys *keys, const char *path);

/* The index of a key in `allowed`, or -1. */
int wsf_keys_find(const wsf_keys *keys, const char *text);

#endif
