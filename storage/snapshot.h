/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.h — the form in which the state travels to another node.
 *
 *     chunk: magic u32 ‖ kind u8 ‖ number u32 ‖ payload block ‖ checksum u64 of all before
 *
 * Numbers count from 0. The first chunk is the head: index u64 ‖ term u64 ‖ configuration index u64 ‖
 * time in ms u64 ‖ newest form of an applied entry u8 ‖ members block. Then come the records in the order of their
 * keys, as one stream that is cut anywhere: key 32 ‖ value block. While a restore is under way (restore.h) a chunk says
 * how far it is: begin u64 ‖ next u32 ‖ count u64; and what it has collected follows as a second stream of the same
 * kind. The last chunk is the end: number of records u64 ‖ digest 32 of the state.
 */
#ifndef COFFER_STORAGE_SNAPSHOT_H
#define COFFER_STORAGE_SNAPSHOT_H

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "storage/store.h"

#define SNAPSHOT_PAYLOAD_SIZE (256u << 10)
#define SNAPSHOT_PAYLOAD_MAX  (1u << 20)
#define SNAPSHOT_DIGEST_SIZE  32

enum snapshot_kind { SNAPSHOT_HEAD = 1, SNAPSHOT_RECORDS, SNAPSHOT_END, SNAPSHOT_RESTORE };

struct snapshot_chunk {
    enum snapshot_kind kind;
    uint32_t number;
    const void *payload;
    size_t len;
};

void snapshot_encode(EVP_MAC_CTX *checksum, const struct snapshot_chunk *chunk, struct buf *ret);
/* The payload lies in data. ERR_CORRUPT. */
int snapshot_decode(EVP_MAC_CTX *checksum, const void *data, size_t len, struct snapshot_chunk *ret_chunk) MUST_CHECK;

/* ---- Reading one, chunk by chunk ---- */

struct restore_state;

/* Who gets what is read, in this order; other than OK ends the reading with that code. */
struct snapshot_visitor {
    int (*head)(void *arg, const struct store_position *position, const void *members, size_t len, struct err *err);
    int (*record)(void *arg, const unsigned char *key, const void *value, size_t len, struct err *err);
    /* The records from here on are those of a restore under way. NULL: there must be none. */
    int (*restore)(void *arg, const struct restore_state *state, struct err *err);
};

struct snapshot_reader;
struct snapshot_reader *snapshot_reader_new(const struct snapshot_visitor *visitor, void *arg);
void snapshot_reader_free(struct snapshot_reader *reader);
/* ERR_CORRUPT for a chunk that is damaged, out of order or of another format; or what the visitor said. */
int snapshot_reader_chunk(struct snapshot_reader *reader, const void *chunk, size_t len, struct err *err) MUST_CHECK;
/* ERR_CORRUPT when the last chunk has not come. */
int snapshot_reader_end(struct snapshot_reader *reader, struct err *err) MUST_CHECK;
/* How many records were read. */
uint64_t snapshot_reader_records(const struct snapshot_reader *reader);

/* The length of the chunk that begins with these bytes, SNAPSHOT_CHUNK_HEAD of them; 0 when they begin none. */
#define SNAPSHOT_CHUNK_HEAD 13
size_t snapshot_chunk_size(const unsigned char head[SNAPSHOT_CHUNK_HEAD]);

/* The digest of a state: SHA-256 over each record in order (key ‖ length u32 ‖ value), then the applied index u64.
 * The records of a restore under way come after those of the state. */
EVP_MD_CTX *snapshot_digest_new(void);
void snapshot_digest_record(EVP_MD_CTX *digest, const void *key, const void *value, size_t len);
/* Frees the context. */
void snapshot_digest_end(EVP_MD_CTX *digest, uint64_t index, unsigned char ret[SNAPSHOT_DIGEST_SIZE]);

#endif
