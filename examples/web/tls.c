/* tls.c - OpenSSL: TLS 1.2 and later, HTTP/1.1 and nothing else inside.
 *
 * OpenSSL reads and writes the descriptor itself: no byte is copied between it and a buffer of ours. A first
 * SSL_read() shakes hands, so that this takes no state and no time limit of its own. It reads one record at
 * a time, and not ahead: what is left is in the socket, where the loop sees it. Its buffers are given
 * back while a connection is quiet (SSL_MODE_RELEASE_BUFFERS). */
#include "connection.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

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

struct web_tls *web_tls_open(const char *cert_file, const char *key_file) {
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
        return (struct web_tls *)context;
    ERR_clear_error();
    SSL_CTX_free(context);
    return NULL;
}

void web_tls_close(struct web_tls *tls) {
    SSL_CTX_free((SSL_CTX *)tls);
}

SSL *tls_new(struct web_tls *tls, int fd) {
    SSL *ssl = SSL_new((SSL_CTX *)tls);
    if (ssl != NULL && SSL_set_fd(ssl, fd) == 1) {
        SSL_set_accept_state(ssl);
        return ssl;
    }
    SSL_free(ssl);
    ERR_clear_error();
    return NULL;
}

/* What a call that did not succeed means: IO_AGAIN or IO_END. */
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
    int result = SSL_read(ssl, data, (int)size);
    *wants_write = false;
    return result > 0 ? result : outcome(ssl, result, wants_write);
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
