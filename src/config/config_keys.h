/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_keys.h — tables of settings: a key's name, what it may be, and where it goes.
 *
 * Private to src/config. Errors begin with "file:line: " ("file: " in JSON, which has no lines for us).
 */
#ifndef COFFER_CONFIG_CONFIG_KEYS_H
#define COFFER_CONFIG_CONFIG_KEYS_H

#include <stddef.h>

#include "base/err.h"
#include "config/hcl.h"

enum key_kind {
    KEY_TEXT,    /* char *, owned */
    KEY_BOOL,    /* bool; also "true", "1", 1 */
    KEY_COUNT,   /* int64_t, not negative; also "12" */
    KEY_BLOCKS,  /* struct config_blocks, owned: addresses and blocks of them; also "a,b" */
    KEY_SECONDS, /* int64_t, not negative; seconds, or a duration as text */
    KEY_OTHER,   /* a setting of Vault's that needs nothing here, or is read elsewhere */
    KEY_WARN,    /* one that asks for something that is not there */
};

struct config_key {
    const char *name; /* NULL ends a table */
    enum key_kind kind;
    size_t offset;                                   /* of the member in what is filled */
    int (*check)(const char *text, struct err *err); /* of a text, or NULL */
};

/* Where in which file; for sentences. */
const char *config_place(const char *file, int line, char *buf, size_t size);
int config_fail(struct err *err, const char *file, int line, const char *fmt, ...) PRINTF_LIKE(4, 5);
void config_warn(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Sets the members of `ret` that the body names. Warns of keys that are not in the table. */
int config_read_keys(const char *file, const struct hcl_body *body, const struct config_key *keys, void *ret,
                     struct err *err) MUST_CHECK;

/* ---- Checks ---- */

int config_check_address(const char *text, struct err *err); /* "host:port" */
int config_check_url(const char *text, struct err *err);     /* "https://host[:port]" */
int config_check_node_id(const char *text, struct err *err);
int config_check_tls_version(const char *text, struct err *err);
int config_check_proxy_behavior(const char *text, struct err *err);
int config_check_log_level(const char *text, struct err *err);
int config_check_log_format(const char *text, struct err *err);

#endif
