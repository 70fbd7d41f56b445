/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificate requests and certificates as DER, as strangers offer them: the request of a joining node, and what a
 * peer's certificate says of its name.
 */
#include <assert.h>
#include <openssl/err.h>
#include <string.h>

#include "raft/identity/identity.h"
#include "raft/identity/identity_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_request(const uint8_t *data, size_t size)
{
    static struct buf authority;
    if (authority.len == 0 && identity_new_authority(&authority, NULL) != OK)
        abort();
    const unsigned char *at = data;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)size);
    struct buf csr = BUF_INIT, certificate = BUF_INIT, ca = BUF_INIT;
    if (request != NULL && pem_put_request(&csr, request, NULL) == OK)
        (void)!identity_sign(buf_str(&authority), buf_str(&csr), "node", &certificate, &ca, NULL);
    X509_REQ_free(request);
    buf_close(&csr);
    buf_close(&certificate);
    buf_close(&ca);
}

static void try_certificate(const uint8_t *data, size_t size)
{
    const unsigned char *at = data;
    X509 *certificate = d2i_X509(NULL, &at, (long)size);
    char node_id[IDENTITY_NODE_ID_MAX];
    if (certificate != NULL && x509_node_id(certificate, node_id, sizeof node_id, NULL) == OK)
        assert(x509_node_id_valid(node_id));
    X509_free(certificate);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 16384)
        return 0;
    if (data[0] % 2 == 0)
        try_request(data + 1, size - 1);
    else
        try_certificate(data + 1, size - 1);
    ERR_clear_error();
    return 0;
}
