/* A connection's TLS against a client of OpenSSL whose bytes the test carries itself. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "connection.h"
#include "suite.h"

enum { BUFFER_BYTES = 1024 * 1024 };

static char cert_file[32];
static char key_file[32];
static struct web_tls *tls;
static SSL_CTX *context;
static int ends[2];
static SSL *server;
static SSL *client; /* reads and writes memory */

static void write_certificate(void) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    ck_assert_int_gt(X509_sign(cert, key, EVP_sha256()), 0);
    strcpy(cert_file, "/tmp/wsfan-tls-XXXXXX");
    strcpy(key_file, "/tmp/wsfan-tls-XXXXXX");
    FILE *file = fdopen(mkstemp(cert_file), "w");
    ck_assert_int_eq(PEM_write_X509(file, cert), 1);
    fclose(file);
    file = fdopen(mkstemp(key_file), "w");
    ck_assert_int_eq(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
}

/* What the client has to say goes to the server, which has room for it. */
static void carry_there(void) {
    char *data;
    long size = BIO_get_mem_data(SSL_get_wbio(client), &data);
    ck_assert_int_eq(send(ends[1], data, (size_t)size, 0), size);
    ck_assert_int_eq(BIO_reset(SSL_get_wbio(client)), 1);
}

static void carry_back(void) {
    char data[16 * 1024];
    ssize_t size;
    while ((size = recv(ends[1], data, sizeof data, 0)) > 0)
        BIO_write(SSL_get_rbio(client), data, (int)size);
}

static void begin(void) {
    bool wants_write;
    char byte;
    int bytes = BUFFER_BYTES;
    write_certificate();
    tls = web_tls_open(cert_file, key_file);
    context = SSL_CTX_new(TLS_client_method());
    ck_assert_ptr_nonnull(tls);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    ck_assert_int_eq(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0 &&
                         setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) != 0,
                     0);
    server = tls_new(tls, ends[0]);
    client = SSL_new(context);
    SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(client);
    while (SSL_do_handshake(client) != 1 || !SSL_is_init_finished(server)) {
        carry_there();
        ck_assert_int_eq(tls_read(server, &byte, 1, &wants_write), IO_AGAIN);
        carry_back();
    }
}

static void end(void) {
    tls_free(server);
    SSL_free(client);
    SSL_CTX_free(context);
    web_tls_close(tls);
    close(ends[0]);
    close(ends[1]);
    unlink(cert_file);
    unlink(key_file);
}

START_TEST(data_comes_through_record_by_record_and_then_the_end) {
    enum { BYTES = 100 * 1024 };
    static char said[BYTES], heard[BYTES];
    bool wants_write;
    size_t size = 0;
    begin();
    for (size_t i = 0; i < BYTES; i++)
        said[i] = (char)(i * 7);
    ck_assert_int_eq(SSL_write(client, said, BYTES), BYTES);
    SSL_shutdown(client);
    carry_there();
    while (size < BYTES) {
        ssize_t got = tls_read(server, heard + size, BYTES - size, &wants_write);
        ck_assert_int_gt(got, 0);
        size += (size_t)got;
    }
    ck_assert_mem_eq(said, heard, BYTES);
    ck_assert_int_eq(tls_read(server, heard, 1, &wants_write), IO_END);
    end();
}
END_TEST

START_TEST(a_client_that_only_changes_its_keys_is_ended) {
    enum { UPDATES = 6000 }; /* of 27 bytes and more each */
    bool wants_write;
    char byte;
    begin();
    for (int i = 0; i < UPDATES; i++) {
        ck_assert_int_eq(SSL_key_update(client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        ck_assert_int_eq(SSL_do_handshake(client), 1);
    }
    carry_there();
    ck_assert_int_eq(tls_read(server, &byte, 1, &wants_write), IO_END);
    end();
}
END_TEST

START_TEST(a_client_that_changes_its_keys_now_and_then_is_heard) {
    bool wants_write;
    char byte = 'x';
    begin();
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(SSL_key_update(client, SSL_KEY_UPDATE_REQUESTED), 1);
        ck_assert_int_eq(SSL_write(client, &byte, 1), 1);
        carry_there();
        ck_assert_int_eq(tls_read(server, &byte, 1, &wants_write), 1);
        carry_back();
    }
    end();
}
END_TEST

SUITE_MAIN("tls", data_comes_through_record_by_record_and_then_the_end,
           a_client_that_only_changes_its_keys_is_ended,
           a_client_that_changes_its_keys_now_and_then_is_heard)
