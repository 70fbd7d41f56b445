/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "http_client.h"

#define PORT    21203
#define ADDRESS "127.0.0.1:21203"

static char dir[] = "/tmp/coffer-http-XXXXXX";
static char cert_file[64], key_file[64];

/* A self-signed certificate with this name. */
static void write_certificate(const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_NAME *subject = X509_get_subject_name(cert);
    FILE *file;

    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, subject);
    X509_set_pubkey(cert, key);
    assert_int_not_equal(X509_sign(cert, key, EVP_sha256()), 0);
    file = fopen(cert_file, "w");
    PEM_write_X509(file, cert);
    fclose(file);
    file = fopen(key_file, "w");
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
}

/* Asks for `path` over TLS; the certificate's name and what was answered. false: there was no handshake. */
static bool ask_tls(const char *path, int version, char *ret_name, size_t name_size, char *out, size_t size)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    int fd = client_connect(PORT);
    char request[256];
    int len = 0, n;

    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\x02h2\x08http/1.1", 12);
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    bool is_connected = SSL_connect(ssl) == 1;
    if (is_connected) {
        const unsigned char *protocol;
        unsigned protocol_len;
        X509 *cert = SSL_get1_peer_certificate(ssl);
        X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, ret_name, (int)name_size);
        X509_free(cert);
        SSL_get0_alpn_selected(ssl, &protocol, &protocol_len);
        assert_int_equal(protocol_len, 8);
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path);
        SSL_write(ssl, request, (int)strlen(request));
        while (len < (int)size - 1 && (n = SSL_read(ssl, out + len, (int)size - 1 - len)) > 0)
            len += n;
    }
    out[len] = '\0';
    SSL_free(ssl);
    close(fd);
    SSL_CTX_free(ctx);
    return is_connected;
}

static void versions(void **state)
{
    char name[64], out[4096];

    (void)state;
    assert_true(ask_tls("/now", TLS1_2_VERSION, name, sizeof name, out, sizeof out));
    assert_non_null(strstr(out, "hello"));
    assert_true(ask_tls("/later", TLS1_3_VERSION, name, sizeof name, out, sizeof out));
    assert_non_null(strstr(out, "later"));
    assert_string_equal(name, "first");
    assert_false(ask_tls("/now", TLS1_1_VERSION, name, sizeof name, out, sizeof out));
}

static void large(void **state)
{
    static char out[2000000];
    char name[64];

    (void)state;
    assert_true(ask_tls("/large?1500000", TLS1_3_VERSION, name, sizeof name, out, sizeof out));
    assert_true(strlen(out) > 1500000);
}

static void reload(void **state)
{
    char name[64], out[4096];
    struct err err = {0};
    int waiting = client_connect(PORT); /* its handshake begins after the reload */

    write_certificate("second");
    usleep(50000);
    assert_int_equal(http_server_reload(*state, &err), OK);
    usleep(50000);
    assert_true(ask_tls("/now", TLS1_3_VERSION, name, sizeof name, out, sizeof out));
    assert_string_equal(name, "second");
    client_send(waiting, "\x16\x03\x01\x02\x00\x01");
    assert_int_equal(truncate(cert_file, 10), 0);
    assert_int_equal(http_server_reload(*state, &err), ERR_INVALID);
    assert_non_null(strstr(err_text(&err), "cannot use the certificate in"));
    assert_true(ask_tls("/now", TLS1_3_VERSION, name, sizeof name, out, sizeof out));
    assert_string_equal(name, "second");
    close(waiting);
}

static void garbage(void **state)
{
    char name[64], out[4096];

    (void)state;
    client_ask(PORT, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n", out, sizeof out);
    assert_null(strstr(out, "hello"));
    client_ask(PORT, "\x16\x03\x01\xff\xff\x01\x01\x01\x01\x01", out, sizeof out);
    assert_true(ask_tls("/now", TLS1_3_VERSION, name, sizeof name, out, sizeof out));
}

static void bad_settings(void **state)
{
    struct http_listener listener = {
        .address = "127.0.0.1:21204", .cert_file = cert_file, .key_file = "/dev/null/missing"};
    struct http_server *server = NULL;
    struct err err = {0};

    (void)state;
    write_certificate("third");
    assert_int_equal(http_server_start(&listener, 1, 1, test_handler, NULL, &server, &err), ERR_INVALID);
    assert_non_null(strstr(err_text(&err), "cannot use the private key in /dev/null/missing"));
    listener.key_file = key_file;
    listener.min_version = "tls10";
    assert_int_equal(http_server_start(&listener, 1, 1, test_handler, NULL, &server, &err), ERR_INVALID);
    assert_non_null(strstr(err_text(&err), "tls10"));
    listener.min_version = NULL;
    listener.require_client_cert = true;
    assert_int_equal(http_server_start(&listener, 1, 1, test_handler, NULL, &server, &err), ERR_INVALID);
    listener.cert_file = NULL;
    assert_int_equal(http_server_start(&listener, 1, 1, test_handler, NULL, &server, &err), ERR_INVALID);
}

static int start_server(void **state)
{
    struct http_listener listener = {.address = ADDRESS, .cert_file = cert_file, .key_file = key_file};
    struct http_server *server = NULL;
    struct err err = {0};

    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(cert_file, sizeof cert_file, "%s/cert.pem", dir);
    snprintf(key_file, sizeof key_file, "%s/key.pem", dir);
    write_certificate("first");
    if (http_server_start(&listener, 1, 2, test_handler, test_pool(), &server, &err) != OK)
        return -1;
    *state = server;
    return 0;
}

static int stop_server(void **state)
{
    (void)http_server_stop(*state, 0, 2000);
    later_join();
    (void)unlink(cert_file);
    (void)unlink(key_file);
    return rmdir(dir);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"TLS 1.2 and 1.3 are spoken, 1.1 is not, and HTTP/2 is not offered", versions, NULL, NULL, NULL},
        {"a large answer arrives whole", large, NULL, NULL, NULL},
        {"what is no TLS is disconnected and harms nobody else", garbage, NULL, NULL, NULL},
        {"a reload takes new certificates, and keeps the old ones where the new are bad", reload, NULL, NULL, NULL},
        {"bad TLS settings are refused with the file's name", bad_settings, NULL, NULL, NULL},
    };

    return cmocka_run_group_tests(tests, start_server, stop_server);
}

#ifdef COFFER_SANITIZED
/* h2o keeps some recycled chunks in variables of its threads, which end with them, and never frees a queue. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:h2o_mem_alloc_pool\nleak:h2o_buffer_reserve\nleak:h2o_mem_alloc_recycle\n"
           "leak:h2o_multithread_create_queue\n";
}
#endif
