/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hcl.h — reads HCL 1 and JSON: server configuration and policies.
 *
 * The result is a tree of items in the order of the text: `key "label" "label" { … }` and `key = value`. JSON
 * objects become the same: {"path":{"a":{…}}} is `path "a" { … }` to hcl_each().
 * Grammar: https://github.com/hashicorp/hcl (version 1). The input is hostile: depth and size are bounded.
 */
#ifndef COFFER_CONFIG_HCL_H
#define COFFER_CONFIG_HCL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define HCL_SIZE_MAX (4u << 20)
#define HCL_DEPTH_MAX 32

struct hcl_item {
    const char *key;
    int line;
    const char *const *labels; /* n_labels of them */
    size_t n_labels;
    json_t *value;             /* of `key = value`: string, number, boolean, array, object (in place); NULL for a block */
    struct hcl_body *body;     /* of a block; NULL for a value */
};

struct hcl_body {
    struct hcl_item *items;
    size_t n_items;
};

struct hcl;
/* Errors: ERR_INVALID: "line 3, column 7: expected …". */
int hcl_parse(const char *text, size_t len, struct hcl **ret_hcl, struct err *err) MUST_CHECK;
void hcl_free(struct hcl *hcl);
const struct hcl_body *hcl_root(const struct hcl *hcl);
bool hcl_is_json(const struct hcl *hcl);

#endif
