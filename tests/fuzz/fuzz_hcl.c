/* SPDX-License-Identifier: Apache-2.0 */
/* Any text: an error or a tree, and what the tree says can be written as JSON. */
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "config/hcl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hcl *hcl = NULL;
    struct err err = {0};

    if (hcl_parse((const char *)data, size, &hcl, &err) != OK)
        return 0;
    const struct hcl_body *root = hcl_root(hcl);
    for (size_t i = 0; i < root->n_items; i++) {
        json_t *value = hcl_item_json(&root->items[i]);
        json_text_free(json_format(value));
        json_decref(value);
    }
    hcl_free(hcl);
    return 0;
}
