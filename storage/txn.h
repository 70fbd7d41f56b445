/* SPDX-License-Identifier: Apache-2.0 */
/*
 * txn.h — what a request sees of the store, and what it wants to change.
 *
 * A transaction reads one snapshot of the store through the barrier, and collects writes that its
 * own reads see. It touches nothing: txn_seal() turns the writes into an encrypted batch, which
 * takes effect when the cluster has committed it as one entry of its log (core/commit.h).
 * It also remembers what was read, so that the committer can tell whether the snapshot still held
 * when the batch came up; if not, the request runs again on a new one.
 *
 * Paths are directories and a name: "core/mounts", "logical/<id>/a/b". A directory exists while
 * something is in it. Names are at most BARRIER_NAME_MAX bytes, paths TXN_PATH_MAX.
 *
 * Threads: one at a time. Everything decrypted lies in the transaction and is wiped with it,
 * but for the JSON values returned, which are the caller's (and jansson's wiping allocator's).
 */
#ifndef COFFER_STORAGE_TXN_H
#define COFFER_STORAGE_TXN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "storage/barrier.h"
#include "storage/store.h"

#define TXN_PATH_MAX 4096

struct txn;

/* ERR_IO; ERR_UNAVAILABLE when too many are open. A sealed barrier is found out at the first read. */
int txn_begin(struct store *store, struct barrier *barrier, struct txn **ret_txn, struct err *err) MUST_CHECK;
/* Wipes and frees; NULL is fine. */
void txn_free(struct txn *txn);
/* The applied index of the snapshot; of the first one, after txn_release(). */
uint64_t txn_index(const struct txn *txn);
/*
 * Lets go of the snapshot while there is something long to wait for: an old one keeps the store from using pages again.
 * What is read afterwards comes from a newer one. The commit still finds out whether anything that was read, before or
 * after, has changed since the first. NULL is fine.
 */
void txn_release(struct txn *txn);

/* A new reference. ERR_NOTFOUND; ERR_SEALED; ERR_CORRUPT. */
int txn_get(struct txn *txn, const char *path, json_t **ret_value) MUST_CHECK;
/*
 * The same for a record that is read with every request and whose text is no secret (a token's, a role's): it is kept
 * parsed by its tag (storage/kept.h) and shared with all threads. The value must not be changed; json_copy() it first.
 */
int txn_get_shared(struct txn *txn, const char *path, json_t **ret_value) MUST_CHECK;
/* The value is copied (as text); the caller keeps its reference. ERR_INVALID for a bad path. */
int txn_put(struct txn *txn, const char *path, const json_t *value) MUST_CHECK;
/* OK also when there is nothing. */
int txn_delete(struct txn *txn, const char *path) MUST_CHECK;
/* Deletes everything below a directory ("a/b/"), at most max records at a time; ret_more: there are more. */
int txn_delete_tree(struct txn *txn, const char *dir, size_t max, bool *ret_more) MUST_CHECK;

/*
 * The names in a directory ("" or "a/b/"), sorted; those that are directories end in '/'.
 * after: names up to and including this are left out; NULL for none. limit: at most so many; 0 for all.
 * An empty array when there is none. ret_names is a new reference.
 */
int txn_list(struct txn *txn, const char *dir, const char *after, size_t limit, json_t **ret_names) MUST_CHECK;

/* The same of at most max names, whichever come first: what it costs does not grow with the directory. */
int txn_list_some(struct txn *txn, const char *dir, size_t max, json_t **ret_names) MUST_CHECK;

/* How many names are in a directory; nothing is decrypted. */
int txn_count(struct txn *txn, const char *dir, size_t *ret_n) MUST_CHECK;

/*
 * A tag that changes whenever the record does; all zero when there is none. It costs no decryption: what
 * was computed from a record (a parsed policy, the mount table) may be kept by its tag.
 * For a record written by this same transaction the tag is all 0xff.
 */
int txn_tag(struct txn *txn, const char *path, unsigned char ret_tag[BARRIER_TAG_SIZE]) MUST_CHECK;

/* ---- Records in clear: what a sealed node must read. They hold nothing secret, or are encrypted by a seal. ---- */

enum txn_clear {
    TXN_CLEAR_SEAL = 1,   /* the seal's configuration */
    TXN_CLEAR_ROOT_KEY,   /* the root key, encrypted by the seal */
    TXN_CLEAR_KEYRING,    /* the keyring, encrypted by the root key */
    TXN_CLEAR_CLUSTER,    /* the cluster's name and id */
    TXN_CLEAR_QUARANTINE, /* since a restore: what had ended by then is left alone (core/snapshot/quarantine.h) */
};
/* Appends the bytes. ERR_NOTFOUND. */
int txn_get_clear(struct txn *txn, enum txn_clear record, struct buf *ret) MUST_CHECK;
/*
 * Has the barrier take over the keyring that the store has by now. Transactions do so by themselves when they come upon
 * what they cannot decrypt. Errors as barrier_follow(), and ERR_NOTFOUND.
 */
int txn_follow_keyring(struct store *store, struct barrier *barrier, struct err *err) MUST_CHECK;
/* The store's key of such a record. */
void txn_clear_key(enum txn_clear record, unsigned char ret_key[STORE_KEY_SIZE]);
int txn_delete_clear(struct txn *txn, enum txn_clear record) MUST_CHECK;
int txn_put_clear(struct txn *txn, enum txn_clear record, const void *data, size_t len) MUST_CHECK;

bool txn_has_writes(const struct txn *txn);

/* What the writes do to the size of the store. */
struct txn_growth {
    int64_t records; /* more than before; directories are not counted */
    int64_t bytes;   /* of values, about */
};
struct txn_growth txn_growth(const struct txn *txn);

struct batch;
/* Encrypts the writes. The transaction stays readable; it must not be written to again. ERR_SEALED; ERR_TOO_LARGE. */
int txn_seal(struct txn *txn, struct batch **ret_batch, struct err *err) MUST_CHECK;

#endif
