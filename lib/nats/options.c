/* Answers for what libnats is asked to do. */
#include "options.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/sized.h"

enum {
    MI = 1024 * 1024,
    PREFIX_SIZE_MAX = 64,
    PING_MS = 1000, /* a server that is frozen is left after three */
    PINGS_MAX = 2,
    WRITE_MS_MAX = 1000, /* one that reads nothing, after this */
    BUFFER_BYTES = 128 * 1024
};

void wsfan_nats_options_init_sized(wsfan_nats_options *options, size_t struct_size) {
    const wsfan_nats_options defaults = {
        .struct_size = struct_size,
        .urls = "nats://127.0.0.1:4222",
        .prefix = "wsfan",
        .connect_ms_max = 2000,
        .send_bytes_max = 64 * MI,
        .receive_bytes_max = 64 * MI,
    };
    wsf_fill_sized(options, struct_size, &defaults, sizeof defaults);
}

/* Tokens with dots between, without what has a meaning in subjects. */
static bool is_prefix(const char *text) {
    size_t size = strlen(text);
    if (size == 0 || size > PREFIX_SIZE_MAX || text[0] == '.' || text[size - 1] == '.' ||
        strstr(text, "..") != NULL)
        return false;
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] > '~' || text[i] == '*' || text[i] == '>')
            return false;
    return text[0] != '$';
}

static bool are_ways_in(const wsfan_nats_options *o) {
    int ways = (o->user != NULL) + (o->token != NULL) + (o->credentials_file != NULL) +
               (o->nkey_file != NULL);
    return ways <= 1 && (o->user == NULL) == (o->password == NULL) &&
           (o->nkey == NULL) == (o->nkey_file == NULL) &&
           (o->cert_file == NULL) == (o->key_file == NULL);
}

static bool is_valid(const wsfan_nats_options *o) {
    return o->urls != NULL && o->urls[0] != '\0' && o->prefix != NULL && is_prefix(o->prefix) &&
           are_ways_in(o) && o->connect_ms_max >= 100 && o->connect_ms_max <= 60000 &&
           o->send_bytes_max >= MI && o->receive_bytes_max >= MI;
}

enum { STRINGS_COUNT = 11 };

static void list_strings(wsfan_nats_options *o, const char **strings[STRINGS_COUNT]) {
    const char **const all[STRINGS_COUNT] = { &o->urls,      &o->prefix,  &o->user,
                                              &o->password,  &o->token,   &o->credentials_file,
                                              &o->nkey_file, &o->nkey,    &o->ca_file,
                                              &o->cert_file, &o->key_file };
    memcpy(strings, all, sizeof all);
}

int wsf_nats_options_read(wsfan_nats_options *o, const wsfan_nats_options *given) {
    const char **strings[STRINGS_COUNT];
    wsfan_nats_options_init(o);
    if (given != NULL && !wsf_read_sized(o, sizeof *o, given))
        return WSFAN_EINVAL;
    if (!is_valid(o))
        return WSFAN_EINVAL;
    bool whole = true;
    list_strings(o, strings);
    for (size_t i = 0; i < STRINGS_COUNT; i++) {
        bool had = *strings[i] != NULL;
        *strings[i] = had ? strdup(*strings[i]) : NULL;
        whole = whole && had == (*strings[i] != NULL);
    }
    if (!whole)
        wsf_nats_options_free(o);
    return whole ? WSFAN_OK : WSFAN_ENOMEM;
}

void wsf_nats_options_free(wsfan_nats_options *o) {
    const char **strings[STRINGS_COUNT];
    list_strings(o, strings);
    for (size_t i = 0; i < STRINGS_COUNT; i++) {
        free((void *)*strings[i]);
        *strings[i] = NULL;
    }
}

/* ---------------------------------------------------------------------------------- for libnats */

static natsStatus set_servers(natsOptions *nats, const wsfan_nats_options *o) {
    const char *servers[WSF_NATS_SERVERS_MAX];
    int count = 0;
    char *rest = NULL;
    char *urls = strdup(o->urls);
    if (urls == NULL)
        return NATS_NO_MEMORY;
    for (char *url = strtok_r(urls, ", ", &rest); url != NULL && count < WSF_NATS_SERVERS_MAX;
         url = strtok_r(NULL, ", ", &rest))
        servers[count++] = url;
    natsStatus s = natsOptions_SetServers(nats, servers, count);
    free(urls);
    return s;
}

static natsStatus set_way_in(natsOptions *nats, const wsfan_nats_options *o) {
    if (o->user != NULL)
        return natsOptions_SetUserInfo(nats, o->user, o->password);
    if (o->token != NULL)
        return natsOptions_SetToken(nats, o->token);
    if (o->credentials_file != NULL)
        return natsOptions_SetUserCredentialsFromFiles(nats, o->credentials_file, NULL);
    if (o->nkey_file != NULL)
        return natsOptions_SetNKeyFromSeed(nats, o->nkey, o->nkey_file);
    return NATS_OK;
}

static natsStatus set_tls(natsOptions *nats, const wsfan_nats_options *o) {
    natsStatus s = NATS_OK;
    if (strstr(o->urls, "tls://") != NULL || o->ca_file != NULL || o->cert_file != NULL)
        s = natsOptions_SetSecure(nats, true);
    if (s == NATS_OK && o->ca_file != NULL)
        s = natsOptions_LoadCATrustedCertificates(nats, o->ca_file);
    if (s == NATS_OK && o->cert_file != NULL)
        s = natsOptions_LoadCertificatesChain(nats, o->cert_file, o->key_file);
    return s;
}

static natsStatus set_all(natsOptions *nats, const wsfan_nats_options *o, const char *name) {
    natsStatus s = set_servers(nats, o);
    if (s == NATS_OK)
        s = set_way_in(nats, o);
    if (s == NATS_OK)
        s = set_tls(nats, o);
    if (s == NATS_OK)
        s = natsOptions_SetName(nats, name);
    if (s == NATS_OK)
        s = natsOptions_SetTimeout(nats, o->connect_ms_max);
    if (s == NATS_OK)
        s = natsOptions_SetAllowReconnect(nats, false);
    if (s == NATS_OK)
        s = natsOptions_SetNoEcho(nats, true);
    if (s == NATS_OK)
        s = natsOptions_SetSendAsap(nats, true);
    if (s == NATS_OK)
        s = natsOptions_SetPingInterval(nats, PING_MS);
    if (s == NATS_OK)
        s = natsOptions_SetMaxPingsOut(nats, PINGS_MAX);
    if (s == NATS_OK)
        s = natsOptions_SetWriteDeadline(nats, WRITE_MS_MAX);
    return s == NATS_OK ? natsOptions_SetIOBufSize(nats, BUFFER_BYTES) : s;
}

natsStatus wsf_nats_options_apply(natsOptions **nats, const wsfan_nats_options *options,
                                  const char *name) {
    natsStatus s = natsOptions_Create(nats);
    if (s != NATS_OK)
        return s;
    s = set_all(*nats, options, name);
    if (s != NATS_OK) {
        natsOptions_Destroy(*nats);
        *nats = NULL;
    }
    return s;
}
