/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_entry.h — what stands in the audit log: one JSON object a line, its secrets hashed.
 *
 * Every text that a client sent or got is hashed unless it is known to be harmless: names of things, policies and
 * addresses stay, tokens and data do not. The same text gives the same hash in one device's log, so that it can be
 * followed there, and another one elsewhere.
 * Form and hashing: https://developer.hashicorp.com/vault/docs/audit
 */
#ifndef COFFER_CORE_AUDIT_ENTRY_H
#define COFFER_CORE_AUDIT_ENTRY_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "core/request/request.h"

#define AUDIT_HASH_SIZE 77 /* "hmac-sha256:", 64 digits, terminated */

/* How one device wants its entries. Any number of threads may format with the same one. */
struct audit_format;
/* salt: the key of the hashes. options: the device's, of which log_raw, hmac_accessor, elide_list_responses and
 * prefix count. */
struct audit_format *audit_format_new(const char *salt, const json_t *options);
void audit_format_free(struct audit_format *format);

/*
 * Appends the line of an entry, with its '\n'. header_rules: which headers of the request are in it, by their names in
 * lower case → {"hmac": …}.
 */
void audit_entry_request(const struct audit_format *format, const json_t *header_rules, const struct request *req,
                         struct buf *ret_line);
void audit_entry_response(const struct audit_format *format, const json_t *header_rules, const struct request *req,
                          struct buf *ret_line);
/* The entry that a new device begins with. */
void audit_entry_test(const struct audit_format *format, struct buf *ret_line);
/* The hash of a text as it would stand there, also where log_raw is on. */
void audit_entry_hash(const struct audit_format *format, const char *text, char ret_hash[AUDIT_HASH_SIZE]);

#endif
