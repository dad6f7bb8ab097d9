/* Answers for the format of keys and certificates. Knows no cryptography: wsf_auth_complete() checks that a
 * public and a secret key are a pair. */
#include "base/keys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wsfan/wsfan.h>

static const char SECRET_SUFFIX[] = "_secret";

bool wsf_key_valid(const char *text, size_t size) {
    enum { GROUP = 5, BASE = 85 };
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 ".-:+=^!/*?&<>()[]{}@%$#";
    if (size != WSF_KEY_SIZE)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        const char *digit = text[i] != '\0' ? strchr(digits, text[i]) : NULL;
        if (digit == NULL)
            return false;
        value = (i % GROUP == 0 ? 0 : value) * BASE + (uint64_t)(digit - digits);
        if (value > UINT32_MAX) /* five digits stand for four bytes */
            return false;
    }
    return true;
}

/* --------------------------------------------------------------------------------- certificates */

typedef struct {
    const char *begin;
    const char *end;
} span;

static span trim(span text) {
    while (text.begin < text.end && (*text.begin == ' ' || *text.begin == '\t'))
        text.begin++;
    while (text.begin < text.end && strchr(" \t\r", text.end[-1]) != NULL && text.end[-1] != '\0')
        text.end--;
    return text;
}

static bool is(span text, const char *word) {
    size_t size = strlen(word);
    return (size_t)(text.end - text.begin) == size && memcmp(text.begin, word, size) == 0;
}

/* A quoted value ends at its quote, an unquoted one at a blank or comment. */
static span value_of(span text) {
    text = trim(text);
    if (text.begin < text.end && (*text.begin == '"' || *text.begin == '\'')) {
        char quote = *text.begin++;
        const char *end = memchr(text.begin, quote, (size_t)(text.end - text.begin));
        return (span){ text.begin, end != NULL ? end : text.begin };
    }
    const char *end = text.begin;
    while (end < text.end && *end != ' ' && *end != '\t' && *end != '#')
        end++;
    return (span){ text.begin, end };
}

static int read_key(wsf_key *key, span value) {
    if (key->text[0] != '\0' || !wsf_key_valid(value.begin, (size_t)(value.end - value.begin)))
        return WSFAN_EKEY; /* a second key, or not a valid one */
    memcpy(key->text, value.begin, WSF_KEY_SIZE);
    key->text[WSF_KEY_SIZE] = '\0';
    return WSFAN_OK;
}

static int read_line(wsf_certificate *certificate, span line, bool *in_curve) {
    bool indented = line.begin < line.end && (*line.begin == ' ' || *line.begin == '\t');
    span text = trim(line);
    if (text.begin == text.end || *text.begin == '#')
        return WSFAN_OK;
    const char *equals = memchr(text.begin, '=', (size_t)(text.end - text.begin));
    span name = trim((span){ text.begin, equals != NULL ? equals : text.end });
    if (!indented)
        *in_curve = is(name, "curve");
    if (!indented || !*in_curve || equals == NULL)
        return WSFAN_OK;
    span value = value_of((span){ equals + 1, text.end });
    if (is(name, "public-key"))
        return read_key(&certificate->public_key, value);
    if (is(name, "secret-key"))
        return read_key(&certificate->secret_key, value);
    return WSFAN_OK;
}

int wsf_certificate_read(wsf_certificate *certificate, const char *text, size_t size) {
    const char *end = text + size;
    bool in_curve = false;
    int error = WSFAN_OK;
    memset(certificate, 0, sizeof *certificate);
    while (text < end && error == WSFAN_OK) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *line_end = newline != NULL ? newline : end;
        error = read_line(certificate, (span){ text, line_end }, &in_curve);
        text = newline != NULL ? newline + 1 : end;
    }
    if (error == WSFAN_OK && certificate->public_key.text[0] == '\0')
        error = WSFAN_EKEY;
    return error;
}

/* False: not a regular file, larger than capacity, or not readable. */
static bool read_file(const char *path, char *text, size_t capacity, size_t *size) {
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool ok = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
              status.st_size <= (off_t)capacity;
    *size = 0;
    while (ok && *size < capacity) {
        ssize_t got = read(fd, text + *size, capacity - *size);
        ok = got >= 0;
        if (got <= 0)
            break;
        *size += (size_t)got;
    }
    int reason = errno;
    close(fd);
    errno = ok ? 0 : reason;
    return ok;
}

int wsf_certificate_load(wsf_certificate *certificate, const char *path, bool secret) {
    char own[4096];
    char text[WSF_CERTIFICATE_SIZE_MAX];
    size_t size;
    int length = snprintf(own, sizeof own, "%s%s", path, secret ? SECRET_SUFFIX : "");
    if (length < 0 || (size_t)length >= sizeof own) {
        errno = ENAMETOOLONG;
        return WSFAN_EKEY;
    }
    if (secret && access(own, F_OK) != 0)
        snprintf(own, sizeof own, "%s", path);
    if (!read_file(own, text, sizeof text, &size))
        return WSFAN_EKEY;
    errno = EINVAL;
    int error = wsf_certificate_read(certificate, text, size);
    explicit_bzero(text, sizeof text);
    return error;
}

/* ------------------------------------------------------------------------------- allowed keys */

int wsf_keys_find(const wsf_keys *keys, const char *text) {
    for (uint32_t i = 0; i < keys->count; i++)
        if (strcmp(keys->allowed[i].text, text) == 0)
            return (int)i;
    return -1;
}

int wsf_keys_allow(wsf_keys *keys, const char *text) {
    if (!wsf_key_valid(text, strlen(text)))
        return WSFAN_EKEY;
    if (wsf_keys_find(keys, text) >= 0)
        return WSFAN_OK;
    if (keys->count == WSF_KEYS_MAX)
        return WSFAN_ELIMIT;
    memcpy(keys->allowed[keys->count++].text, text, WSF_KEY_SIZE + 1);
    return WSFAN_OK;
}

static int allow_file(wsf_keys *keys, const char *path) {
    wsf_certificate certificate;
    int error = wsf_certificate_load(&certificate, path, false);
    if (error == WSFAN_OK)
        error = wsf_keys_allow(keys, certificate.public_key.text);
    explicit_bzero(&certificate, sizeof certificate);
    return error;
}

static bool is_certificate_name(const char *name) {
    size_t size = strlen(name);
    size_t suffix_size = sizeof SECRET_SUFFIX - 1;
    return name[0] != '.' &&
           (size < suffix_size || strcmp(name + size - suffix_size, SECRET_SUFFIX) != 0);
}

int wsf_keys_allow_path(wsf_keys *keys, const char *path) {
    struct stat status;
    if (stat(path, &status) != 0)
        return WSFAN_EKEY;
    if (!S_ISDIR(status.st_mode))
        return allow_file(keys, path);
    DIR *directory = opendir(path);
    if (directory == NULL)
        return WSFAN_EKEY;
    int error = WSFAN_OK;
    const struct dirent *entry;
    errno = 0;
    while (error == WSFAN_OK && (entry = readdir(directory)) != NULL) {
        char file[4096];
        if (!is_certificate_name(entry->d_name))
            continue;
        int length = snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        error = length > 0 && (size_t)length < sizeof file ? allow_file(keys, file) : WSFAN_EKEY;
        if (error == WSFAN_OK)
            errno = 0;
    }
    if (error == WSFAN_OK && errno != 0) /* the directory could not be read to its end */
        error = WSFAN_EKEY;
    int reason = errno;
    closedir(directory);
    errno = reason;
    return error;
}
