/* Answers for which keys options, host and files allow. Secrets are wiped before they are freed. */
#include "mesh/keyring.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/memory.h"

static int copy_list(const char *const *keys, size_t count, wsf_key **out) {
    if (count > WSF_KEYS_MAX)
        return WSFAN_ELIMIT;
    if (keys == NULL && count > 0)
        return WSFAN_EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (keys[i] == NULL)
            return WSFAN_EINVAL;
        errno = EINVAL;
        if (!wsf_key_valid(keys[i], strlen(keys[i])))
            return WSFAN_EKEY;
    }
    wsf_key *listed = wsf_alloc_zero(count + 1, sizeof *listed);
    if (listed == NULL)
        return WSFAN_ENOMEM;
    for (size_t i = 0; i < count; i++)
        memcpy(listed[i].text, keys[i], WSF_KEY_SIZE);
    *out = listed;
    return WSFAN_OK;
}

static char *copy_text(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = wsf_alloc(size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

int wsf_keyring_open(wsf_keyring **out, const wsfan_options *options) {
    *out = NULL;
    if (options->secret_key == NULL && options->key_file == NULL)
        return WSFAN_OK;
    wsf_keyring *keyring = wsf_alloc_zero(1, sizeof *keyring);
    if (keyring == NULL)
        return WSFAN_ENOMEM;
    int error = WSFAN_OK;
    if (options->key_file != NULL) {
        error = wsf_certificate_load(&keyring->own, options->key_file, true);
        if (error == WSFAN_OK && keyring->own.secret_key.text[0] == '\0')
            error = WSFAN_EKEY;
    } else {
        assert(wsf_key_valid(options->secret_key, strlen(options->secret_key)));
        memcpy(keyring->own.secret_key.text, options->secret_key, WSF_KEY_SIZE);
    }
    if (error == WSFAN_OK && options->allow_path != NULL &&
        (keyring->path = copy_text(options->allow_path)) == NULL)
        error = WSFAN_ENOMEM;
    if (error == WSFAN_OK)
        error = copy_list(options->allow, options->allow_count, &keyring->listed);
    keyring->listed_count = error == WSFAN_OK ? options->allow_count : 0;
    if (error != WSFAN_OK) {
        wsf_keyring_close(keyring);
        return error;
    }
    *out = keyring;
    return WSFAN_OK;
}

void wsf_keyring_close(wsf_keyring *keyring) {
    if (keyring == NULL)
        return;
    int reason = errno;
    explicit_bzero(&keyring->own, sizeof keyring->own);
    wsf_free(keyring->path);
    wsf_free(keyring->listed);
    wsf_free(keyring);
    errno = reason;
}

int wsf_keyring_read(const wsf_keyring *keyring, wsf_keys **out) {
    wsf_keys *keys = wsf_alloc_zero(1, sizeof *keys);
    if (keys == NULL)
        return WSFAN_ENOMEM;
    keys->secret_key = keyring->own.secret_key;
    int error = wsf_keys_allow(keys, keyring->own.public_key.text);
    for (size_t i = 0; i < keyring->listed_count && error == WSFAN_OK; i++)
        error = wsf_keys_allow(keys, keyring->listed[i].text);
    if (error == WSFAN_OK && keyring->path != NULL)
        error = wsf_keys_allow_path(keys, keyring->path);
    if (error != WSFAN_OK) {
        wsf_keyring_free_keys(keys);
        return error;
    }
    *out = keys;
    return WSFAN_OK;
}

int wsf_keyring_relist(wsf_keyring *keyring, const char *const *listed, size_t count,
                       wsf_keys **keys) {
    wsf_keyring next = *keyring;
    int error = copy_list(listed, count, &next.listed);
    if (error != WSFAN_OK)
        return error;
    next.listed_count = count;
    error = wsf_keyring_read(&next, keys);
    if (error == WSFAN_OK) {
        wsf_key *before = keyring->listed;
        *keyring = next;
        next.listed = before;
    }
    wsf_free(next.listed);
    explicit_bzero(&next, sizeof next);
    return error;
}

void wsf_keyring_free_keys(wsf_keys *keys) {
    if (keys == NULL)
        return;
    int reason = errno;
    explicit_bzero(keys, sizeof *keys);
    wsf_free(keys);
    errno = reason;
}
