/* SPDX-License-Identifier: Apache-2.0 */
#include "core/request/quota.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "core/core_private.h"
#include "core/request/request_private.h"
#include "storage/txn.h"

#define RECORD_PATH "core/quotas"

struct quotas {
    pthread_rwlock_t lock;
    struct quota_rule *rules;
    size_t n;
    json_t *config;
    struct quota_table *table; /* NULL until there is a rule */
    atomic_size_t n_rules;     /* so that without any, nobody takes the lock */
};

struct quotas *quotas_new(void)
{
    struct quotas *quotas = calloc(1, sizeof *quotas);
    if (quotas == NULL)
        abort();
    pthread_rwlock_init(&quotas->lock, NULL);
    return quotas;
}

static void free_rules(struct quotas *quotas)
{
    for (size_t i = 0; i < quotas->n; i++) {
        free(quotas->rules[i].name);
        free(quotas->rules[i].path);
    }
    free(quotas->rules);
    json_decref(quotas->config);
    quotas->rules = NULL;
    quotas->config = NULL;
    quotas->n = 0;
}

void quotas_free(struct quotas *quotas)
{
    if (quotas == NULL)
        return;
    free_rules(quotas);
    quota_table_free(quotas->table);
    pthread_rwlock_destroy(&quotas->lock);
    free(quotas);
}

/* ---- The record ---- */

int quota_record_load(struct txn *txn, json_t **ret_record)
{
    int rc = txn_get(txn, RECORD_PATH, ret_record);
    if (rc != ERR_NOTFOUND)
        return rc;
    *ret_record = json_pack("{s:{s:b, s:b, s:[sssssss]}, s:{}}", "config", "enable_rate_limit_audit_logging", false,
                            "enable_rate_limit_response_headers", false, "rate_limit_exempt_paths",
                            "sys/generate-recovery-token/attempt", "sys/generate-recovery-token/update",
                            "sys/generate-root/attempt", "sys/generate-root/update", "sys/health", "sys/seal-status",
                            "sys/unseal", "rate-limit");
    return OK;
}

int quota_record_store(struct request *req, const json_t *record)
{
    int rc = txn_put(req->txn, RECORD_PATH, record);
    return rc == OK ? OK : fail(req, rc, "%s", err_default_text(rc));
}

/* ---- In line with it ---- */

static void add_rule(struct quotas *quotas, const char *name, const json_t *row)
{
    struct quota_rule *rule = &quotas->rules[quotas->n++];
    double rate = json_number_value(json_object_get(row, "rate"));
    rule->name = strdup(name);
    rule->path = strdup(json_str(row, "path", ""));
    if (rule->name == NULL || rule->path == NULL)
        abort();
    rule->limit = (int64_t)rate + (rate > (double)(int64_t)rate); /* rounded up */
    rule->interval_ms = json_int(row, "interval", 1) * 1000;
    rule->block_ms = json_int(row, "block_interval", 0) * 1000;
}

int quotas_sync(struct quotas *quotas, struct txn *txn)
{
    json_t *record, *row;
    const char *name;
    int rc = quota_record_load(txn, &record);
    if (rc != OK)
        return rc;
    json_t *rows = json_map_at(record, "rate-limit");
    pthread_rwlock_wrlock(&quotas->lock);
    free_rules(quotas);
    quotas->config = json_incref(json_object_get(record, "config"));
    quotas->rules = calloc(json_object_size(rows) + 1, sizeof *quotas->rules);
    if (quotas->rules == NULL)
        abort();
    json_object_foreach(rows, name, row) add_rule(quotas, name, row);
    if (quotas->n > 0 && quotas->table == NULL)
        quotas->table = quota_table_new();
    atomic_store(&quotas->n_rules, quotas->n);
    pthread_rwlock_unlock(&quotas->lock);
    json_decref(record);
    return OK;
}

/* Its own snapshot does not show what it has written. */
void quotas_take_over(struct request *req)
{
    struct txn *txn;
    bool is_write = req->operation != OP_READ && req->operation != OP_LIST && req->operation != OP_HELP;
    if (req->rc != OK || !is_write || strncmp(req->path, "sys/quotas/", 11) != 0 ||
        txn_begin(req->core->store, req->core->barrier, &txn, NULL) != OK)
        return;
    int rc = quotas_sync(req->core->quotas, txn);
    if (rc != OK)
        log_error("core", "the quotas could not be read: %s", err_default_text(rc));
    txn_free(txn);
}

/* ---- The step ---- */

/* A path of the list, or below one that ends in '/'. */
static bool is_exempt(const struct quotas *quotas, const char *path)
{
    const json_t *exempt;
    size_t i;
    json_array_foreach(json_object_get(quotas->config, "rate_limit_exempt_paths"), i, exempt)
    {
        const char *text = json_string_value(exempt);
        size_t len = text != NULL ? strlen(text) : 0;
        if (len > 0 && (strcmp(text, path) == 0 || (text[len - 1] == '/' && strncmp(text, path, len) == 0)))
            return true;
    }
    return false;
}

static const struct quota_rule *find_rule(const struct quotas *quotas, const char *path)
{
    const struct quota_rule *best = NULL;
    size_t best_fit = 0;
    for (size_t i = 0; i < quotas->n; i++) {
        size_t fit = quota_path_fits(quotas->rules[i].path, path);
        if (fit > best_fit) {
            best = &quotas->rules[i];
            best_fit = fit;
        }
    }
    return best;
}

static void put_header(struct request *req, const char *name, int64_t value)
{
    req->headers[req->n_headers++] =
        (struct request_header){.name = name, .value = arena_printf(&req->arena, "%lld", (long long)value)};
}

static void put_headers(struct request *req, const struct quota_verdict *verdict)
{
    if (!verdict->is_allowed)
        put_header(req, "Retry-After", verdict->retry_s);
    if (verdict->is_blocked)
        return;
    put_header(req, "X-Ratelimit-Limit", verdict->limit);
    put_header(req, "X-Ratelimit-Remaining", verdict->remaining);
    put_header(req, "X-Ratelimit-Reset", verdict->reset_s);
}

/* With the lock held for reading. */
static int check(struct quotas *quotas, struct request *req)
{
    const struct quota_rule *rule = is_exempt(quotas, req->path) ? NULL : find_rule(quotas, req->path);
    if (rule == NULL || req->remote_addr == NULL)
        return OK;
    struct quota_verdict verdict = quota_table_take(quotas->table, rule, req->remote_addr, clock_steady_ms());
    if (json_flag(quotas->config, "enable_rate_limit_response_headers", false))
        put_headers(req, &verdict);
    if (verdict.is_allowed)
        return OK;
    req->is_unaudited = !json_flag(quotas->config, "enable_rate_limit_audit_logging", false);
    return fail(req, ERR_BUSY, "request path \"%s\": rate limit quota exceeded", req->path);
}

/* Before the token is looked at, and once for a request, however often it is run. */
enum step_result step_limit(struct request *req)
{
    struct quotas *quotas = req->core->quotas;
    if (req->is_counted || has_flag(req, ROUTE_LOCAL) || atomic_load(&quotas->n_rules) == 0)
        return NEXT;
    req->is_counted = true;
    pthread_rwlock_rdlock(&quotas->lock);
    int rc = check(quotas, req);
    pthread_rwlock_unlock(&quotas->lock);
    return rc == OK ? NEXT : failed(req, rc);
}
