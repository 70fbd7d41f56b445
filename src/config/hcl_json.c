/* SPDX-License-Identifier: Apache-2.0 */
/* From JSON to the tree that HCL makes, and from the tree to JSON. */
#include "base/json.h"
#include "config/hcl_private.h"

static void add_value(struct hcl *hcl, struct hcl_body *body, const char *key, json_t *value)
{
    struct hcl_item *item = hcl_add_item(hcl, body);

    item->key = arena_strdup(&hcl->arena, key);
    item->value = json_incref(value);
}

static void add_block(struct hcl *hcl, struct hcl_body *body, const char *key, const char *label, json_t *object)
{
    struct hcl_item *item = hcl_add_item(hcl, body);
    const char *name;
    json_t *value;

    item->key = arena_strdup(&hcl->arena, key);
    item->body = arena_alloc(&hcl->arena, sizeof *item->body);
    if (label != NULL) {
        const char *copy = arena_strdup(&hcl->arena, label);
        item->labels = arena_dup(&hcl->arena, &copy, sizeof copy);
        item->n_labels = 1;
    }
    struct hcl_body *inner = item->body;
    json_object_foreach(object, name, value) add_value(hcl, inner, name, value);
}

static bool holds_only_objects(const json_t *container)
{
    const char *name;
    json_t *value;
    size_t i;

    if (json_is_array(container)) {
        json_array_foreach(container, i, value)
        {
            if (!json_is_object(value))
                return false;
        }
        return json_array_size(container) > 0;
    }
    json_object_foreach((json_t *)container, name, value)
    {
        if (!json_is_object(value))
            return false;
    }
    return json_object_size(container) > 0;
}

static void add_object(struct hcl *hcl, struct hcl_body *body, const char *key, json_t *object)
{
    const char *label;
    json_t *inner;

    if (!holds_only_objects(object)) {
        add_block(hcl, body, key, NULL, object);
        return;
    }
    json_object_foreach(object, label, inner) add_block(hcl, body, key, label, inner);
}

static void add_member(struct hcl *hcl, const char *key, json_t *value)
{
    json_t *element;
    size_t i;

    if (json_is_object(value)) {
        add_object(hcl, &hcl->root, key, value);
    } else if (json_is_array(value) && holds_only_objects(value)) {
        json_array_foreach(value, i, element) add_object(hcl, &hcl->root, key, element);
    } else {
        add_value(hcl, &hcl->root, key, value);
    }
}

int hcl_read_json(struct hcl *hcl, const char *text, size_t len, struct err *err)
{
    json_t *object;
    const char *key;
    json_t *value;
    int rc = json_parse(text, len, &object, err);

    if (rc != OK)
        return rc;
    json_object_foreach(object, key, value) add_member(hcl, key, value);
    json_decref(object);
    return OK;
}

/* Puts a block's object under its key; where there is one already, both become an array. */
static void merge_block(json_t *object, const char *key, json_t *block)
{
    json_t *there = json_object_get(object, key);

    if (there == NULL) {
        json_object_set_new(object, key, block);
    } else if (json_is_array(there)) {
        json_array_append_new(there, block);
    } else {
        json_t *list = json_pack("[O,o]", there, block);
        json_object_set_new(object, key, list);
    }
}

json_t *hcl_item_json(const struct hcl_item *item)
{
    if (item->value != NULL)
        return json_incref(item->value);
    json_t *object = json_object();
    for (size_t i = 0; i < item->body->n_items; i++)
        merge_block(object, item->body->items[i].key, hcl_item_json(&item->body->items[i]));
    for (size_t i = item->n_labels; i > 0; i--)
        object = json_pack("{s:o}", item->labels[i - 1], object);
    return object;
}
