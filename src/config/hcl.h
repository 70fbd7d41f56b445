/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hcl.h — reads HCL 1 and JSON: server configuration and policies.
 *
 * The result is a tree of items in the order of the text: `key "label" "label" { … }` and `key = value`.
 * JSON becomes the same: a member of the outermost object that is an object, or an array of objects, is a block for
 * each; where all members of such an object are objects themselves, their names are the block's label. So
 * {"path":{"a":{…},"b":{…}}} is `path "a" { … } path "b" { … }`. Deeper down, a JSON object is a value; as HCL
 * can write the same thing both ways, ask hcl_item_json() where an object is expected.
 * A body holds each `key = value` once; blocks may be repeated.
 * Grammar: https://github.com/hashicorp/hcl (version 1). The input is hostile: depth and size are bounded.
 */
#ifndef COFFER_CONFIG_HCL_H
#define COFFER_CONFIG_HCL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define HCL_SIZE_MAX  (4u << 20)
#define HCL_DEPTH_MAX 32
#define HCL_NODES_MAX 100000

struct hcl_item {
    const char *key;
    int line;                  /* 0 in JSON */
    const char *const *labels; /* n_labels of them */
    size_t n_labels;
    json_t *value;         /* of `key = value`: string, number, boolean, array, object (in place); NULL for a block */
    struct hcl_body *body; /* of a block; NULL for a value */
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

/* The last item with this key; NULL when there is none. */
const struct hcl_item *hcl_find(const struct hcl_body *body, const char *key);
/* The item's value, or its body as an object (repeated blocks: an array of them): a new reference. */
json_t *hcl_item_json(const struct hcl_item *item);

#endif
