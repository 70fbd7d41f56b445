/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_store.c — stored policies, and what was made of them, kept by the tags of their records.
 *
 * A tag changes with every write, so that what is kept need never be told of one. Each cache is an array of slots
 * that newcomers take over: bounded, and nothing to keep in order.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "core/policy/policy.h"
#include "core/request/request.h"
#include "storage/txn.h"

#define POLICY_DIR       "core/policy/"
#define POLICY_NAME_MAX  256
#define POLICY_TEXT_MAX  (1u << 20)
#define POLICIES_PER_ACL 128

static const char wrapping_name[] = "response-wrapping";
static const char wrapping_text[] = "\npath \"cubbyhole/response\" {\n    capabilities = [\"create\", \"read\"]\n}\n"
                                    "\npath \"sys/wrapping/unwrap\" {\n    capabilities = [\"update\"]\n}\n"
                                    "\npath \"auth/token/revoke-self\" {\n    capabilities = [\"update\"]\n}\n";

/* ---- What is kept ---- */

#define SLOTS 1024

struct slot {
    struct buf key;
    void *value;
};

struct cache {
    pthread_mutex_t mutex;
    struct slot slots[SLOTS];
    void *(*ref)(void *value);
    void (*unref)(void *value);
};

static void *ref_policy(void *value)
{
    return policy_ref(value);
}

static void unref_policy(void *value)
{
    policy_unref(value);
}

static void *ref_acl(void *value)
{
    return acl_ref(value);
}

static void unref_acl(void *value)
{
    acl_unref(value);
}

static struct cache policies = {.mutex = PTHREAD_MUTEX_INITIALIZER, .ref = ref_policy, .unref = unref_policy};
static struct cache acls = {.mutex = PTHREAD_MUTEX_INITIALIZER, .ref = ref_acl, .unref = unref_acl};

static struct slot *slot_of(struct cache *cache, const struct buf *key)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < key->len; i++)
        hash = (hash ^ key->data[i]) * 0x100000001b3u;
    return &cache->slots[(hash ^ hash >> 32) % SLOTS];
}

/* A new reference, or NULL. */
static void *cache_get(struct cache *cache, const struct buf *key)
{
    struct slot *slot = slot_of(cache, key);
    void *value = NULL;
    pthread_mutex_lock(&cache->mutex);
    if (slot->value != NULL && slot->key.len == key->len && memcmp(slot->key.data, key->data, key->len) == 0)
        value = cache->ref(slot->value);
    pthread_mutex_unlock(&cache->mutex);
    return value;
}

static void cache_put(struct cache *cache, const struct buf *key, void *value)
{
    struct slot *slot = slot_of(cache, key);
    pthread_mutex_lock(&cache->mutex);
    void *before = slot->value;
    slot->value = cache->ref(value);
    buf_clear(&slot->key);
    buf_put(&slot->key, key->data, key->len);
    pthread_mutex_unlock(&cache->mutex);
    if (before != NULL)
        cache->unref(before);
}

static void cache_clear(struct cache *cache)
{
    for (size_t i = 0; i < SLOTS; i++) {
        pthread_mutex_lock(&cache->mutex);
        void *before = cache->slots[i].value;
        cache->slots[i].value = NULL;
        buf_close(&cache->slots[i].key);
        pthread_mutex_unlock(&cache->mutex);
        if (before != NULL)
            cache->unref(before);
    }
}

void policy_cache_clear(void)
{
    cache_clear(&acls);
    cache_clear(&policies);
}

/* ---- Stored ---- */

static int storage_failed(struct request *req, int rc)
{
    return fail(req, rc, "%s", err_default_text(rc));
}

static bool is_builtin(const char *name)
{
    return strcmp(name, "root") == 0 || strcmp(name, wrapping_name) == 0;
}

/* Names are paths' last parts, and keys of what is kept: one spelling each, and nothing that could be read two ways. */
static bool name_is_valid(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > POLICY_NAME_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    for (const char *at = name; *at != '\0'; at++)
        if ((unsigned char)*at <= ' ' || *at == 0x7f || (*at >= 'A' && *at <= 'Z'))
            return false;
    return true;
}

/* Policies lie in one directory: a slash of a name is stored as a blank, which no name has. */
static void swap(char *name, char from, char to)
{
    for (char *at = name; *at != '\0'; at++)
        if (*at == from)
            *at = to;
}

static const char *path_of(struct request *req, const char *name)
{
    char *stored = arena_strdup(&req->arena, name);
    swap(stored, '/', ' ');
    return arena_printf(&req->arena, POLICY_DIR "%s", stored);
}

int policy_read(struct request *req, const char *name, const char **ret_text)
{
    json_t *record;
    if (is_builtin(name)) {
        *ret_text = strcmp(name, wrapping_name) == 0 ? wrapping_text : "";
        return OK;
    }
    if (!name_is_valid(name))
        return ERR_NOTFOUND;
    int rc = txn_get(req->txn, path_of(req, name), &record);
    if (rc == ERR_NOTFOUND)
        return rc;
    if (rc != OK)
        return storage_failed(req, rc);
    *ret_text = arena_strdup(&req->arena, json_str(record, "text", ""));
    json_decref(record);
    return OK;
}

int policy_write(struct request *req, const char *name, const char *text)
{
    struct err err = {0};
    struct policy *policy;
    if (is_builtin(name))
        return fail(req, ERR_INVALID, "cannot update \"%s\" policy", name);
    if (!name_is_valid(name))
        return fail(req, ERR_INVALID, "a policy's name has 1 to %d characters, without blanks and capitals",
                    POLICY_NAME_MAX);
    if (strlen(text) > POLICY_TEXT_MAX)
        return fail(req, ERR_INVALID, "a policy is at most %u bytes long", POLICY_TEXT_MAX);
    if (policy_parse(name, text, strlen(text), &policy, &err) != OK)
        return fail(req, ERR_INVALID, "failed to parse policy: %s", err_text(&err));
    policy_unref(policy);
    json_t *record = json_pack("{s:s}", "text", text);
    int rc = record != NULL ? txn_put(req->txn, path_of(req, name), record) : ERR_INVALID;
    json_decref(record);
    return rc == OK ? OK : storage_failed(req, rc);
}

int policy_delete(struct request *req, const char *name)
{
    if (strcmp(name, "default") == 0)
        return fail(req, ERR_INVALID, "cannot delete default policy");
    if (is_builtin(name))
        return fail(req, ERR_INVALID, "cannot delete \"%s\" policy", name);
    if (!name_is_valid(name))
        return OK;
    int rc = txn_delete(req->txn, path_of(req, name));
    return rc == OK ? OK : storage_failed(req, rc);
}

int policy_list(struct request *req, json_t **ret_names)
{
    json_t *names;
    int rc = txn_list(req->txn, POLICY_DIR, NULL, 0, &names);
    if (rc != OK)
        return storage_failed(req, rc);
    json_t *shown = json_array(), *item;
    size_t i;
    json_array_foreach(names, i, item)
    {
        char *name = arena_strdup(&req->arena, json_string_value(item));
        swap(name, ' ', '/');
        json_array_append_new(shown, json_string(name));
    }
    *ret_names = json_list_sorted(shown);
    json_array_append_new(*ret_names, json_string("root")); /* which is nowhere stored, stands at the end */
    json_decref(shown);
    json_decref(names);
    return OK;
}

bool policy_exists(struct request *req, const char *name)
{
    unsigned char tag[BARRIER_TAG_SIZE];
    static const unsigned char none[BARRIER_TAG_SIZE];
    if (is_builtin(name))
        return true;
    return name_is_valid(name) && txn_tag(req->txn, path_of(req, name), tag) == OK &&
           memcmp(tag, none, sizeof tag) != 0;
}

/* ---- The ACL of a set of names ---- */

struct stored {
    const char *name;
    unsigned char tag[BARRIER_TAG_SIZE];
};

/* Of what this transaction itself has written, all versions have the same tag. */
static bool tag_is_unsure(const unsigned char tag[BARRIER_TAG_SIZE])
{
    for (size_t i = 0; i < BARRIER_TAG_SIZE; i++)
        if (tag[i] != 0xff)
            return false;
    return true;
}

static void put_key(struct buf *key, const struct stored *stored)
{
    buf_put_block(key, stored->name, strlen(stored->name));
    buf_put(key, stored->tag, sizeof stored->tag);
}

static int parse_stored(struct request *req, const struct stored *stored, struct policy **ret_policy)
{
    const char *text;
    struct err err = {0};
    int rc = policy_read(req, stored->name, &text);
    if (rc != OK)
        return rc;
    if (policy_parse(stored->name, text, strlen(text), ret_policy, &err) != OK)
        return fail(req, ERR_CORRUPT, "the stored policy \"%s\" cannot be read: %s", stored->name, err_text(&err));
    return OK;
}

static int get_policy(struct request *req, const struct stored *stored, struct policy **ret_policy)
{
    struct buf key = BUF_INIT;
    put_key(&key, stored);
    bool is_kept = !tag_is_unsure(stored->tag);
    struct policy *policy = is_kept ? cache_get(&policies, &key) : NULL;
    int rc = policy != NULL ? OK : parse_stored(req, stored, &policy);
    if (rc == OK && is_kept)
        cache_put(&policies, &key, policy);
    buf_close(&key);
    if (rc == OK)
        *ret_policy = policy;
    return rc;
}

static int build_acl(struct request *req, const struct stored *stored, size_t n, struct acl **ret_acl)
{
    struct policy *parsed[POLICIES_PER_ACL];
    size_t n_parsed = 0;
    int rc = OK;
    for (size_t i = 0; rc == OK && i < n; i++) {
        rc = get_policy(req, &stored[i], &parsed[n_parsed]);
        n_parsed += rc == OK;
    }
    if (rc == OK)
        *ret_acl = acl_new(parsed, n_parsed, false);
    while (n_parsed > 0)
        policy_unref(parsed[--n_parsed]);
    return rc;
}

/* Those of the names that there is a policy for, each with its tag. */
static int find_stored(struct request *req, const json_t *names, struct stored *stored, size_t *ret_n)
{
    static const unsigned char none[BARRIER_TAG_SIZE];
    const json_t *item;
    size_t i, n = 0;
    json_array_foreach(names, i, item)
    {
        const char *name = json_string_value(item);
        struct stored *next = &stored[n];
        if (name == NULL || !name_is_valid(name))
            continue;
        if (n == POLICIES_PER_ACL)
            return fail(req, ERR_DENIED, "the token has more than %d policies", POLICIES_PER_ACL);
        next->name = name;
        memset(next->tag, 1, sizeof next->tag); /* for the built-in one, which never changes */
        int rc = is_builtin(name) ? OK : txn_tag(req->txn, path_of(req, name), next->tag);
        if (rc != OK)
            return storage_failed(req, rc);
        n += memcmp(next->tag, none, sizeof none) != 0;
    }
    *ret_n = n;
    return OK;
}

static int acl_of_stored(struct request *req, const struct stored *stored, size_t n, struct acl **ret_acl)
{
    struct buf key = BUF_INIT;
    bool is_kept = true;
    for (size_t i = 0; i < n; i++) {
        put_key(&key, &stored[i]);
        is_kept = is_kept && !tag_is_unsure(stored[i].tag);
    }
    struct acl *acl = is_kept ? cache_get(&acls, &key) : NULL;
    int rc = OK;
    if (acl == NULL) {
        rc = build_acl(req, stored, n, &acl);
        if (rc == OK && is_kept)
            cache_put(&acls, &key, acl);
    }
    buf_close(&key);
    if (rc == OK)
        *ret_acl = acl;
    return rc;
}

int policy_acl(struct request *req, const json_t *names, struct acl **ret_acl)
{
    struct stored stored[POLICIES_PER_ACL];
    size_t n = 0;
    if (json_list_has(names, "root")) {
        *ret_acl = acl_new(NULL, 0, true);
        return OK;
    }
    int rc = find_stored(req, names, stored, &n);
    return rc == OK ? acl_of_stored(req, stored, n, ret_acl) : rc;
}
