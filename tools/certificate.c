/* certificate.c - makes the key of a node, or of a whole cluster, as options.key_file takes it.
 *
 * Both files are written under other names, in the same directory, and linked to their own ones when
 * they are complete: link() takes nobody's place, and whoever ends the program meanwhile leaves no
 * file that could be taken for a key (the library passes over names that begin with "."). */
#include "certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

enum { KEY_SIZE = 41 /* with the NUL */ };

static const char *name; /* of the program */

typedef struct {
    char path[PATH_MAX];
    char draft[PATH_MAX]; /* the name under which it is written; "": there is no such file */
    bool linked;
} output;

__attribute__((format(printf, 1, 2))) static bool fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return false;
}

static bool set_path(output *out, const char *file, const char *suffix) {
    struct stat status;
    int size = snprintf(out->path, sizeof out->path, "%s%s", file, suffix);
    if (size < 0 || (size_t)size >= sizeof out->path)
        return fail("%.40s...: %s", file, strerror(ENAMETOOLONG));
    if (lstat(out->path, &status) == 0)
        return fail("%s: there is such a file already; nothing is overwritten", out->path);
    return true;
}

/* In the directory of the path, or -1. */
static int open_draft(output *out) {
    char copy[PATH_MAX];
    memcpy(copy, out->path, sizeof copy);
    int size = snprintf(out->draft, sizeof out->draft, "%s/.wsfan-keygen-XXXXXX", dirname(copy));
    int fd = -1;
    errno = ENAMETOOLONG;
    if (size > 0 && (size_t)size < sizeof out->draft)
        fd = mkostemp(out->draft, O_CLOEXEC); /* mode 0600 */
    if (fd < 0)
        out->draft[0] = '\0';
    return fd;
}

/* Complete on the disk, or an error. */
static bool write_draft(output *out, mode_t mode, const char *text) {
    int fd = open_draft(out);
    if (fd < 0)
        return fail("%s: %s", out->path, strerror(errno));
    size_t size = strlen(text);
    ssize_t written = write(fd, text, size);
    bool ok = written == (ssize_t)size && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    int reason = written >= 0 && written < (ssize_t)size ? ENOSPC : errno;
    if (close(fd) != 0 && ok) {
        reason = errno;
        ok = false;
    }
    return ok || fail("%s: %s", out->path, strerror(reason));
}

static bool link_draft(output *out) {
    out->linked = link(out->draft, out->path) == 0;
    return out->linked || fail("%s: %s", out->path, strerror(errno));
}

/* Leaves both files, or none. */
static void clean_up(output *out, bool keep) {
    if (out->draft[0] != '\0')
        unlink(out->draft);
    if (out->linked && !keep)
        unlink(out->path);
}

static bool write_key(const char *file, const char *public_key, const char *secret_key) {
    static const char head[] = "#   ZeroMQ CURVE certificate, made by %s.%s\n\n"
                               "metadata\n"
                               "curve\n"
                               "    public-key = \"%s\"\n";
    char text[512];
    output secret = { 0 };
    output shown = { 0 };
    mode_t mask = umask(0);
    umask(mask);
    int size = snprintf(text, sizeof text, head, name, " Keep this file secret.", public_key);
    snprintf(text + size, sizeof text - (size_t)size, "    secret-key = \"%s\"\n", secret_key);
    bool ok = set_path(&secret, file, "_secret") && set_path(&shown, file, "") &&
              write_draft(&secret, 0600, text);
    explicit_bzero(text, sizeof text);
    snprintf(text, sizeof text, head, name, "", public_key);
    /* FILE without FILE_secret would be half a key; FILE_secret has all that a node needs. */
    ok = ok && write_draft(&shown, 0644 & ~mask, text) && link_draft(&secret) && link_draft(&shown);
    clean_up(&secret, ok);
    clean_up(&shown, ok);
    return ok;
}

bool certificate_make(const char *program, const char *file) {
    char public_key[KEY_SIZE];
    char secret_key[KEY_SIZE];
    name = program;
    if (zmq_curve_keypair(public_key, secret_key) != 0)
        return fail("libzmq cannot make keys: %s", zmq_strerror(errno));
    bool ok = write_key(file, public_key, secret_key);
    explicit_bzero(secret_key, sizeof secret_key);
    return ok;
}
