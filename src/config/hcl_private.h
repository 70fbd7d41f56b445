/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hcl_private.h — the tree while it grows. Private to src/config.
 */
#ifndef COFFER_CONFIG_HCL_PRIVATE_H
#define COFFER_CONFIG_HCL_PRIVATE_H

#include "base/arena.h"
#include "config/hcl.h"

struct hcl {
    struct arena arena; /* names, labels, items; the values are jansson's */
    struct hcl_body root;
    bool is_json;
};

/* Room for one more item; what is outgrown stays in the arena until the end. */
struct hcl_item *hcl_add_item(struct hcl *hcl, struct hcl_body *body);

/* Fills the tree from JSON text. Errors: json_parse()'s. */
int hcl_read_json(struct hcl *hcl, const char *text, size_t len, struct err *err) MUST_CHECK;

#endif
