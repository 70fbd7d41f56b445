/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.h — the form in which the state travels to another node.
 *
 *     chunk: magic u32 ‖ kind u8 ‖ number u32 ‖ payload block ‖ checksum u64 of all before
 *
 * Numbers count from 0. The first chunk is the head: index u64 ‖ term u64 ‖ configuration index u64 ‖
 * members block. Then come the records in the order of their keys, as one stream that is cut anywhere:
 * key 32 ‖ value block. The last chunk is the end: number of records u64 ‖ digest 32 of the state.
 */
#ifndef COFFER_STORAGE_SNAPSHOT_H
#define COFFER_STORAGE_SNAPSHOT_H

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SNAPSHOT_PAYLOAD_SIZE (256u << 10)
#define SNAPSHOT_PAYLOAD_MAX  (1u << 20)
#define SNAPSHOT_DIGEST_SIZE  32

enum snapshot_kind { SNAPSHOT_HEAD = 1, SNAPSHOT_RECORDS, SNAPSHOT_END };

struct snapshot_chunk {
    enum snapshot_kind kind;
    uint32_t number;
    const void *payload;
    size_t len;
};

void snapshot_encode(EVP_MAC_CTX *checksum, const struct snapshot_chunk *chunk, struct buf *ret);
/* The payload lies in data. ERR_CORRUPT. */
int snapshot_decode(EVP_MAC_CTX *checksum, const void *data, size_t len, struct snapshot_chunk *ret_chunk) MUST_CHECK;

/* The digest of a state: SHA-256 over each record in order (key ‖ length u32 ‖ value), then the applied index u64. */
EVP_MD_CTX *snapshot_digest_new(void);
void snapshot_digest_record(EVP_MD_CTX *digest, const void *key, const void *value, size_t len);
/* Frees the context. */
void snapshot_digest_end(EVP_MD_CTX *digest, uint64_t index, unsigned char ret[SNAPSHOT_DIGEST_SIZE]);

#endif
