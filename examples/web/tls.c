/* tls.c - OpenSSL: TLS 1.2 and later, HTTP/1.1 and nothing else inside.
 *
 * OpenSSL reads and writes the descriptor by a BIO of ours, which lets a call of SSL_read() have a bounded number of
 * bytes: it answers records that are no data (KeyUpdate) within the call for as long as more come. A first SSL_read()
 * shakes hands, so that this takes no state and no time limit of its own. It reads one record at
 * a time, and not ahead: what is left is in the socket, where the loop sees it. Its buffers are given
 * back while a connection is quiet (SSL_MODE_RELEASE_BUFFERS). */
#include "connection.h"

#include <errno.h>
#include <sys/socket.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

/* Some handshakes and records more than an honest client sends without data. */
enum { CALL_BYTES_MAX = 128 * 1024 };

struct web_tls {
    SSL_CTX *context;
    BIO_METHOD *method;
};

/* RFC 7301: who offers only other protocols, such as "h2", is refused; who offers none speaks HTTP/1.1. */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_size,
                           const unsigned char *offered, unsigned size, void *user) {
    static const unsigned char http[] = "\x08http/1.1";
    unsigned char *found;
    (void)ssl, (void)user;
    if (SSL_select_next_proto(&found, chosen_size, http, sizeof http - 1, offered, size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

/* A key with a passphrase cannot be used: nobody is at a terminal. */
static int no_passphrase(char *text, int size, int writing, void *user) {
    (void)text, (void)size, (void)writing, (void)user;
    return 0;
}

/* ------------------------------------------------------------------------------------- the BIO */

/* The descriptor, and how many bytes may be read from it. */
struct source {
    int fd;
    size_t bytes_left;
    bool ended;
};

static int bio_read(BIO *bio, char *data, int size) {
    struct source *source = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (source->bytes_left == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t most = (size_t)size < source->bytes_left ? (size_t)size : source->bytes_left;
    ssize_t got = recv(source->fd, data, most, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    source->ended = got == 0;
    if (got > 0)
        source->bytes_left -= (size_t)got;
    return (int)got;
}

static int bio_write(BIO *bio, const char *data, int size) {
    const struct source *source = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t written = send(source->fd, data, (size_t)size, MSG_NOSIGNAL);
    if (written < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)written;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer) {
    const struct source *source = BIO_get_data(bio);
    (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH || (command == BIO_CTRL_EOF && source->ended);
}

static int bio_free(BIO *bio) {
    OPENSSL_free(BIO_get_data(bio));
    return 1;
}

static BIO_METHOD *new_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    if (method == NULL)
        return NULL;
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_ctrl);
    BIO_meth_set_destroy(method, bio_free);
    return method;
}

/* ------------------------------------------------------------------------------- open and close */

static SSL_CTX *new_context(const char *cert_file, const char *key_file) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL)
        return NULL;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets are kept by clients */
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(context, cert_file) == 1 &&
        SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) == 1 &&
        SSL_CTX_check_private_key(context) == 1)
        return context;
    ERR_clear_error();
    SSL_CTX_free(context);
    return NULL;
}

struct web_tls *web_tls_open(const char *cert_file, const char *key_file) {
    struct web_tls *tls = OPENSSL_zalloc(sizeof *tls);
    if (tls == NULL)
        return NULL;
    tls->method = new_method();
    tls->context = new_context(cert_file, key_file);
    if (tls->method != NULL && tls->context != NULL)
        return tls;
    web_tls_close(tls);
    return NULL;
}

void web_tls_close(struct web_tls *tls) {
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->method);
    OPENSSL_free(tls);
}

static BIO *new_bio(const struct web_tls *tls, int fd) {
    BIO *bio = BIO_new(tls->method);
    struct source *source = OPENSSL_zalloc(sizeof *source);
    if (bio == NULL || source == NULL) {
        OPENSSL_free(source);
        BIO_free(bio);
        return NULL;
    }
    *source = (struct source){ .fd = fd, .bytes_left = CALL_BYTES_MAX };
    BIO_set_data(bio, source);
    BIO_set_init(bio, 1);
    return bio;
}

SSL *tls_new(struct web_tls *tls, int fd) {
    SSL *ssl = SSL_new(tls->context);
    BIO *bio = ssl != NULL ? new_bio(tls, fd) : NULL;
    if (bio != NULL) {
        SSL_set_bio(ssl, bio, bio);
        SSL_set_accept_state(ssl);
        return ssl;
    }
    SSL_free(ssl);
    ERR_clear_error();
    return NULL;
}

/* -------------------------------------------------------------------------------- read and write */

/* Reads the error of an OpenSSL call that did not succeed. Returns IO_AGAIN or IO_END. */
static ssize_t outcome(SSL *ssl, int result, bool *wants_write) {
    int error = SSL_get_error(ssl, result);
    ERR_clear_error();
    *wants_write = error == SSL_ERROR_WANT_WRITE;
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return IO_AGAIN;
    if (error == SSL_ERROR_SYSCALL || error == SSL_ERROR_SSL)
        SSL_set_quiet_shutdown(ssl, 1); /* nothing can be said any more */
    return IO_END;
}

ssize_t tls_read(SSL *ssl, char *data, size_t size, bool *wants_write) {
    struct source *source = BIO_get_data(SSL_get_rbio(ssl));
    source->bytes_left = CALL_BYTES_MAX;
    int result = SSL_read(ssl, data, (int)size);
    *wants_write = false;
    if (result > 0)
        return result;
    ssize_t again = outcome(ssl, result, wants_write);
    return source->bytes_left > 0 ? again : IO_END; /* all of it was no data: nobody needs that */
}

ssize_t tls_write(SSL *ssl, const char *data, size_t size) {
    bool wants_write;
    int result = SSL_write(ssl, data, (int)size);
    return result > 0 ? result : outcome(ssl, result, &wants_write);
}

void tls_goodbye(SSL *ssl) {
    SSL_shutdown(ssl);
    ERR_clear_error();
}

void tls_free(SSL *ssl) {
    SSL_free(ssl);
}
