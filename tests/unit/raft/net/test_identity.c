/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

static void path_of(char *ret, size_t size, const char *dir, const char *name)
{
    snprintf(ret, size, "%s/%s", dir, name);
}

static void test_whole(void **state)
{
    struct fixture *fixture = *state;
    char dir[128], path[160], named[64];
    struct err err = {0};
    SSL_CTX *context;
    identity_give(fixture, &fixture->ours, "node-1", "node-1", dir, sizeof dir);
    assert_true(identity_exists(dir));
    assert_int_equal(identity_context(dir, true, &context, &err), OK);
    assert_int_equal(identity_own(context, named, sizeof named, &err), OK);
    assert_string_equal(named, "node-1");
    const X509 *certificate = SSL_CTX_get0_certificate(context);
    time_t before = 365 * 86400l, after = time(NULL) + 9 * 365 * 86400l;
    assert_true(X509_cmp_time(X509_get0_notBefore(certificate), &before) < 0);
    assert_true(X509_cmp_time(X509_get0_notAfter(certificate), &after) > 0);
    assert_int_equal(X509_check_host((X509 *)certificate, "node-1.coffer", 0, 0, NULL), 1);
    SSL_CTX_free(context);
    for (int i = 0; i < 3; i++) {
        struct stat st;
        path_of(path, sizeof path, dir, (const char *[]){"node.key", "node.crt", "ca.crt"}[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
}

/* Every byte of every file, one bit of it. */
static void test_flipped(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"node.key", "node.crt", "ca.crt", "trusted.crt"};
    char dir[128], path[160];
    bool is_new;
    identity_give(fixture, &fixture->ours, "a", "a", dir, sizeof dir);
    assert_int_equal(identity_trust(dir, buf_str(&fixture->other.pem), &is_new, NULL), OK);
    for (int i = 0; i < 4; i++) {
        struct buf file = BUF_INIT;
        path_of(path, sizeof path, dir, names[i]);
        assert_int_equal(file_read(path, 1 << 20, &file, NULL), OK);
        for (size_t at = 0; at < file.len; at++) {
            struct err err = {0};
            SSL_CTX *context;
            FILE *stream = fopen(path, "w");
            file.data[at] ^= (unsigned char)(1 << at % 8);
            fwrite(file.data, 1, file.len, stream);
            fclose(stream);
            file.data[at] ^= (unsigned char)(1 << at % 8);
            assert_int_equal(identity_context(dir, false, &context, &err), ERR_CORRUPT);
            assert_non_null(strstr(err.text, names[i]));
        }
        assert_int_equal(file_replace(path, file.data, file.len, 0600, NULL), OK);
        buf_close(&file);
    }
}

static void test_trust(void **state)
{
    struct fixture *fixture = *state;
    const char *ours = buf_str(&fixture->ours.pem), *other = buf_str(&fixture->other.pem);
    struct buf all = BUF_INIT, csr = BUF_INIT, certificate = BUF_INIT, ca = BUF_INIT;
    char dir[128];
    bool is_new = false;
    identity_give(fixture, &fixture->ours, "t", "t", dir, sizeof dir);
    assert_true(identity_trusts(dir, ours));
    assert_false(identity_trusts(dir, other));
    assert_int_equal(identity_trust(dir, "nonsense", &is_new, NULL), ERR_INVALID);
    assert_int_equal(identity_trust(dir, other, &is_new, NULL), OK);
    assert_true(is_new && identity_trusts(dir, ours) && identity_trusts(dir, other));
    assert_true(identity_is_of(dir, ours) && !identity_is_of(dir, other));
    assert_int_equal(identity_trust(dir, other, &is_new, NULL), OK);
    assert_false(is_new);
    assert_int_equal(identity_authorities(dir, &all, NULL), OK);
    assert_int_equal(identity_trust(dir, buf_str(&all), &is_new, NULL), OK);
    assert_false(is_new);
    assert_null(strstr(buf_str(&all), "PRIVATE"));

    /* Who takes another authority as its own begins anew. */
    assert_int_equal(identity_request(dir, "t", &csr, NULL), OK);
    assert_int_equal(identity_sign(other, buf_str(&csr), "t", &certificate, &ca, NULL), OK);
    assert_int_equal(identity_accept(dir, "t", buf_str(&certificate), buf_str(&ca), NULL, NULL), OK);
    assert_true(identity_trusts(dir, other));
    assert_false(identity_trusts(dir, ours));
    struct buf *bufs[] = {&all, &csr, &certificate, &ca};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
        buf_close(bufs[i]);
}

static void test_missing(void **state)
{
    struct fixture *fixture = *state;
    char dir[128], path[160];
    struct err err = {0};
    SSL_CTX *context;
    identity_give(fixture, &fixture->ours, "a", "a", dir, sizeof dir);
    path_of(path, sizeof path, dir, "node.crt");
    remove(path);
    assert_false(identity_exists(dir));
    assert_int_not_equal(identity_context(dir, false, &context, &err), OK);
    assert_non_null(strstr(err.text, path));
}

static void test_offers(void **state)
{
    struct fixture *fixture = *state;
    char dir[128], other_dir[128];
    struct buf csr = BUF_INIT, other_csr = BUF_INIT, good = BUF_INIT, ca = BUF_INIT, bad = BUF_INIT, bad_ca = BUF_INIT;
    const char *ours = buf_str(&fixture->ours.pem), *other = buf_str(&fixture->other.pem);
    snprintf(dir, sizeof dir, "%s/joiner", fixture->dir);
    snprintf(other_dir, sizeof other_dir, "%s/another", fixture->dir);
    assert_int_equal(identity_request(dir, "j", &csr, NULL), OK);
    assert_int_equal(identity_request(other_dir, "j", &other_csr, NULL), OK);
    assert_false(identity_exists(dir));
    assert_int_equal(identity_sign(ours, buf_str(&csr), "j", &good, &ca, NULL), OK);

    assert_int_equal(identity_sign(ours, buf_str(&other_csr), "j", &bad, &bad_ca, NULL), OK);
    assert_int_equal(identity_accept(dir, "j", buf_str(&bad), buf_str(&bad_ca), NULL, NULL), ERR_INVALID);
    assert_int_equal(identity_accept(dir, "k", buf_str(&good), buf_str(&ca), NULL, NULL), ERR_INVALID);
    buf_clear(&bad);
    buf_clear(&bad_ca);
    assert_int_equal(identity_sign(other, buf_str(&csr), "j", &bad, &bad_ca, NULL), OK);
    assert_int_equal(identity_accept(dir, "j", buf_str(&good), buf_str(&bad_ca), NULL, NULL), ERR_INVALID);
    assert_int_equal(identity_accept(dir, "j", "nonsense", buf_str(&ca), NULL, NULL), ERR_INVALID);
    assert_false(identity_exists(dir));

    /* The key stays the same, so an answer to an earlier request still fits. */
    struct buf again = BUF_INIT;
    assert_int_equal(identity_request(dir, "j", &again, NULL), OK);
    assert_int_equal(identity_accept(dir, "j", buf_str(&good), buf_str(&ca), NULL, NULL), OK);
    assert_true(identity_exists(dir));

    /* Whom else to trust is a part of it: without that there is no identity, not even the former one. */
    assert_int_not_equal(identity_accept(dir, "j", buf_str(&good), buf_str(&ca), "nonsense", NULL), OK);
    assert_false(identity_exists(dir));
    assert_int_equal(identity_accept(dir, "j", buf_str(&good), buf_str(&ca), buf_str(&bad_ca), NULL), OK);
    assert_true(identity_is_of(dir, buf_str(&ca)) && identity_trusts(dir, buf_str(&bad_ca)));
    struct buf *all[] = {&csr, &other_csr, &good, &ca, &bad, &bad_ca, &again};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        buf_close(all[i]);
}

static void put_request(struct buf *buf, EVP_PKEY *key, EVP_PKEY *signer)
{
    X509_REQ *request = X509_REQ_new();
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    X509_REQ_set_pubkey(request, key);
    X509_REQ_sign(request, signer, EVP_sha256());
    PEM_write_bio_X509_REQ(bio, request);
    long len = BIO_get_mem_data(bio, &text);
    buf_put(buf, text, (size_t)len);
    BIO_free(bio);
    X509_REQ_free(request);
}

static void test_requests(void **state)
{
    struct fixture *fixture = *state;
    struct buf certificate = BUF_INIT, ca = BUF_INIT, csr = BUF_INIT;
    const char *ours = buf_str(&fixture->ours.pem);
    EVP_PKEY *mine = EVP_EC_gen("P-256"), *stolen = EVP_EC_gen("P-256"), *rsa = EVP_RSA_gen(2048);
    put_request(&csr, stolen, mine);
    assert_int_equal(identity_sign(ours, buf_str(&csr), "j", &certificate, &ca, NULL), ERR_INVALID);
    buf_clear(&csr);
    put_request(&csr, rsa, rsa);
    assert_int_equal(identity_sign(ours, buf_str(&csr), "j", &certificate, &ca, NULL), ERR_INVALID);
    buf_clear(&csr);
    put_request(&csr, mine, mine);
    static const char *const names[] = {
        "", "a b", "a/b", "a\nb", "a,DNS:b", "0123456789012345678901234567890123456789012345678901234567890123"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(identity_sign(ours, buf_str(&csr), names[i], &certificate, &ca, NULL), ERR_INVALID);
    static const char *const texts[] = {
        "", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        "-----BEGIN CERTIFICATE REQUEST-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: "
        "AES-128-CBC,00112233445566778899AABBCCDD"
        "EEFF\n\nAAAA\n-----END CERTIFICATE REQUEST-----\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(identity_sign(ours, texts[i], "j", &certificate, &ca, NULL), ERR_INVALID);
    assert_int_equal(certificate.len, 0);
    EVP_PKEY_free(mine);
    EVP_PKEY_free(stolen);
    EVP_PKEY_free(rsa);
    buf_close(&csr);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"a node's identity is complete, private, dated and named", test_whole, NULL, NULL, NULL},
        {"one flipped bit in any file of an identity is refused, naming the file", test_flipped, NULL, NULL, NULL},
        {"a node trusts its own authority and those it was told to, until it takes another", test_trust, NULL, NULL,
         NULL},
        {"an identity without its certificate is none", test_missing, NULL, NULL, NULL},
        {"a certificate of another key, node or authority is not accepted", test_offers, NULL, NULL, NULL},
        {"a request that proves nothing is not signed", test_requests, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
