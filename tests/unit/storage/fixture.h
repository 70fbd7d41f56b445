/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fixture.h — what the storage tests share: a directory of their own with a store in it, an open barrier, and
 * transactions that are applied at once, as a cluster of one would.
 */
#ifndef COFFER_TESTS_STORAGE_FIXTURE_H
#define COFFER_TESTS_STORAGE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "storage/barrier.h"
#include "storage/batch.h"
#include "storage/store.h"
#include "storage/txn.h"

struct fixture {
    char dir[256];
    struct store *store;
    struct barrier *barrier;
    struct window *window;
    struct err err;
};

/* cmocka's setup and teardown: *state is a struct fixture. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* A fresh directory; remove it with file_remove_tree(). */
void make_temp_dir(char *ret_dir, size_t size);
/* A barrier with a keyring of its own. */
struct barrier *open_barrier(void);
void reopen(struct fixture *fixture);

struct txn *begin(struct fixture *fixture);
/* Seals and frees the transaction; ERR_CONFLICT when the window says so; else applies its batch. */
int commit(struct fixture *fixture, struct txn *txn);
int apply_batch(struct fixture *fixture, const struct batch *batch);
/* An entry with one put of raw bytes, as the store sees it. */
int apply_raw(struct store *store, uint64_t index, const unsigned char *key, const void *value, size_t len);

/* Short forms that must succeed. */
void put(struct txn *txn, const char *path, const char *text);
void put_now(struct fixture *fixture, const char *path, const char *text);
void delete_now(struct fixture *fixture, const char *path);
/* The text at a path, or NULL; valid until the next call. */
const char *text_at(struct txn *txn, const char *path);
/* The names as "a,b,c/"; valid until the next call. */
const char *names_in(struct txn *txn, const char *dir);

#endif
