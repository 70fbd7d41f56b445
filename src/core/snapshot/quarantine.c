/* SPDX-License-Identifier: Apache-2.0 */
#include "core/snapshot/quarantine.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "core/core_private.h"
#include "core/lease/lease_private.h"
#include "core/request/request.h"
#include "core/token/token.h"
#include "storage/restore.h"

void quarantine_put_begin(struct core *core, struct buf *entry)
{
    unsigned char key[STORE_KEY_SIZE];
    struct buf text = BUF_INIT;
    buf_printf(&text, "{\"until\":%lld}", (long long)core_time_ms(core) / 1000);
    txn_clear_key(TXN_CLEAR_QUARANTINE, key);
    restore_put_record(entry, key, text.data, text.len);
    buf_close(&text);
}

static int read_until(struct txn *txn, int64_t *ret_until_s)
{
    struct buf text = BUF_INIT;
    json_t *record = NULL;
    int rc = txn_get_clear(txn, TXN_CLEAR_QUARANTINE, &text);
    *ret_until_s = 0;
    if (rc == OK && (rc = json_parse((char *)text.data, text.len, &record, NULL)) == OK)
        *ret_until_s = json_int(record, "until", 0);
    json_decref(record);
    buf_close(&text);
    return rc == ERR_NOTFOUND ? OK : rc;
}

int quarantine_until(struct request *req, int64_t *ret_until_s)
{
    int rc = read_until(req->txn, ret_until_s);
    return rc == OK ? OK : fail(req, rc, "the record of the quarantine cannot be read: %s", err_default_text(rc));
}

int64_t quarantine_of_state(struct core *core)
{
    struct txn *txn;
    int64_t until_s = 0;
    if (txn_begin(core->store, core->barrier, &txn, NULL) != OK)
        return 0;
    (void)!read_until(txn, &until_s);
    txn_free(txn);
    return until_s;
}

/* ---- What is in it ---- */

/* The ids of a token's leases, at most `limit`; a new reference. */
static int leases_of_token(struct request *req, const char *hash, size_t limit, json_t **ret_ids)
{
    const char *dir = arena_printf(&req->arena, LEASE_TOKEN_DIR "%s/", hash);
    json_t *names, *name, *ids = json_array();
    size_t i;
    int rc = txn_list(req->txn, dir, NULL, limit, &names);
    if (rc != OK) {
        json_decref(ids);
        return lease_said(req, rc);
    }
    json_array_foreach(names, i, name)
    {
        json_t *id;
        if (txn_get(req->txn, arena_printf(&req->arena, "%s%s", dir, json_string_value(name)), &id) == OK)
            json_array_append_new(ids, id);
    }
    json_decref(names);
    *ret_ids = ids;
    return OK;
}

static const char *state_name(enum lease_state state)
{
    return state == LEASE_PENDING ? "pending" : state == LEASE_ACTIVE ? "active" : "revoking";
}

/* reason: what of it had ended. */
static int add_lease(struct request *req, const char *id, const char *reason, json_t *leases)
{
    struct lease *lease;
    int rc = lease_get(req, id, &lease);
    if (rc == ERR_INVALID) {
        req->err = (struct err){0};
        return OK; /* an entry that leads nowhere */
    }
    if (rc != OK)
        return rc;
    json_t *all = lease_describe(req, lease);
    json_array_append_new(leases, json_pack("{s:s, s:O?, s:O?, s:s, s:s}", "lease_id", id, "issue_time",
                                            json_object_get(all, "issue_time"), "expire_time",
                                            json_object_get(all, "expire_time"), "state", state_name(lease->state),
                                            "ended", reason));
    json_decref(all);
    return OK;
}

#define LEASES_OF_TOKEN_SHOWN 1000

static int add_due(struct request *req, const struct due *due, json_t *leases, json_int_t *tokens)
{
    json_t *ids, *id;
    size_t i;
    if (due->kind == 'l')
        return add_lease(req, due->target, "lease", leases);
    if (due->kind != 't')
        return OK;
    ++*tokens;
    int rc = leases_of_token(req, due->target, LEASES_OF_TOKEN_SHOWN, &ids);
    if (rc != OK)
        return rc;
    json_array_foreach(ids, i, id)
    {
        if ((rc = add_lease(req, json_string_value(id), "token", leases)) != OK)
            break;
    }
    json_decref(ids);
    return rc;
}

static int gather(struct request *req, const struct due_list *list, size_t limit, json_t *data)
{
    json_t *leases = json_array();
    json_int_t tokens = 0;
    size_t i = 0;
    int rc = OK;
    for (; rc == OK && i < list->n && json_array_size(leases) < limit; i++)
        rc = add_due(req, &list->items[i], leases, &tokens);
    json_object_set_new(data, "leases", leases);
    json_object_set_new(data, "tokens", json_integer(tokens));
    if (rc == OK && i > 0 && (i < list->n || list->more))
        json_object_set_new(data, "next", json_string(list->items[i - 1].entry + strlen(EXPIRY_DIR)));
    return rc;
}

int quarantine_list(struct request *req, const char *after, size_t limit, json_t **ret_data)
{
    int64_t until_s;
    char text[40];
    int rc = quarantine_until(req, &until_s);
    if (rc == OK && until_s == 0)
        rc = ERR_NOTFOUND;
    if (rc != OK)
        return rc;
    struct due_list *list = due_list_new();
    json_t *data = json_object();
    list->is_of_quarantine = true;
    clock_format_rfc3339(until_s * 1000000000, text, sizeof text);
    json_object_set_new(data, "since", json_string(text));
    if (*after != '\0' && !due_list_seek(list, after))
        rc = fail(req, ERR_INVALID, "after is no place that an earlier answer gave as next");
    if (rc == OK)
        rc = due_list_fill(req, list);
    if (rc == OK)
        rc = gather(req, list, limit, data);
    due_list_free(list);
    if (rc == OK)
        *ret_data = data;
    else
        json_decref(data);
    return rc;
}

/* ---- Ending it ---- */

int quarantine_revoke(struct request *req)
{
    int64_t until_s;
    int rc = quarantine_until(req, &until_s);
    if (rc == OK && until_s == 0)
        return fail(req, ERR_INVALID, "nothing is in quarantine");
    if (rc == OK)
        rc = lease_said(req, txn_delete_clear(req->txn, TXN_CLEAR_QUARANTINE));
    req->expiry_changed = true;
    return rc;
}

struct extension {
    int64_t ttl_s;
    struct due_list *list;
    size_t at, next; /* in the list: done up to here, and up to there once this transaction is committed */
    size_t n, page;  /* leases so far, and in this transaction */
};

#define EXTENDED_AT_ONCE 128

/* Its own end is moved only if it is over; a token that has ended does not take it along. */
static int extend_lease(struct request *req, struct extension *extension, const char *id)
{
    struct lease *lease;
    struct token *token;
    int64_t now_s = lease_now_s(req);
    int rc = lease_get(req, id, &lease);
    if (rc == ERR_INVALID || (rc == OK && lease->state != LEASE_ACTIVE)) {
        req->err = (struct err){0};
        return OK;
    }
    if (rc == OK && *lease->token != '\0' && token_lookup_hash(req, lease->token, &token) != OK) {
        req->err = (struct err){0};
        rc = lease_detach(req, lease);
    }
    if (rc != OK)
        return rc;
    extension->page++;
    if (lease->expires_s > now_s)
        return lease_store(req, lease);
    lease->ttl_s = extension->ttl_s;
    lease->expires_s = now_s + extension->ttl_s;
    return lease_refile(req, lease, lease->expires_s);
}

/* ret_done: all of this entry. */
static int extend_due(struct request *req, struct extension *extension, const struct due *due, bool *ret_done)
{
    json_t *ids, *id;
    size_t i;
    *ret_done = true;
    if (due->kind == 'l')
        return extend_lease(req, extension, due->target);
    if (due->kind != 't')
        return OK;
    int rc = leases_of_token(req, due->target, EXTENDED_AT_ONCE, &ids);
    if (rc != OK)
        return rc;
    size_t before = extension->page;
    json_array_foreach(ids, i, id)
    {
        if ((rc = extend_lease(req, extension, json_string_value(id))) != OK)
            break;
    }
    /* Those that were extended are not listed again; those that cannot be remain, and are not waited for. */
    *ret_done = json_array_size(ids) < EXTENDED_AT_ONCE || extension->page == before;
    json_decref(ids);
    return rc;
}

static int extend_some(struct request *req, void *arg)
{
    struct extension *extension = arg;
    size_t at = extension->at;
    int rc = OK;
    extension->page = 0;
    while (rc == OK && at < extension->list->n && extension->page < EXTENDED_AT_ONCE) {
        bool is_done;
        rc = extend_due(req, extension, &extension->list->items[at], &is_done);
        if (!is_done)
            break;
        at++;
    }
    extension->next = at;
    return rc;
}

static int end_it(struct request *req, void *arg)
{
    (void)arg;
    return quarantine_revoke(req);
}

static int extend_all(struct request *req, struct extension *extension, struct err *err)
{
    int rc;
    do {
        rc = request_run_internal(req->core, req->epoch, due_list_fill, extension->list, err);
        extension->at = 0;
        while (rc == OK && extension->at < extension->list->n) {
            rc = request_run_internal(req->core, req->epoch, extend_some, extension, err);
            extension->at = extension->next;
            extension->n += extension->page;
        }
    } while (rc == OK && extension->list->more);
    return rc == OK ? request_run_internal(req->core, req->epoch, end_it, NULL, err) : rc;
}

int quarantine_extend(struct request *req, int64_t ttl_s, size_t *ret_n)
{
    int64_t until_s;
    struct err err = {0};
    struct extension extension = {.ttl_s = ttl_s};
    int rc = quarantine_until(req, &until_s);
    if (rc == OK && until_s == 0)
        rc = fail(req, ERR_INVALID, "nothing is in quarantine");
    if (rc != OK)
        return rc;
    extension.list = due_list_new();
    extension.list->is_of_quarantine = true;
    rc = extend_all(req, &extension, &err);
    due_list_free(extension.list);
    if (rc != OK)
        return fail_with(req, &err);
    *ret_n = extension.n;
    return OK;
}
