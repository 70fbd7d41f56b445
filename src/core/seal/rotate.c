/* SPDX-License-Identifier: Apache-2.0 */
#include "core/seal/rotate.h"

#include "base/failpoint.h"
#include "base/json.h"
#include "base/log.h"
#include "core/core_private.h"
#include "core/request/request.h"
#include "storage/txn.h"

#define CONFIG_PATH "core/rotate-config"
#define USE_PATH    "core/key-use" /* {"term","records"} */

static int said(struct request *req, int rc)
{
    return rc == OK ? OK : fail(req, rc, "%s", err_default_text(rc));
}

/* ret_record is NULL when there is none. */
static int get_record(struct request *req, const char *path, json_t **ret_record)
{
    *ret_record = NULL;
    int rc = txn_get(req->txn, path, ret_record);
    return rc == ERR_NOTFOUND ? OK : said(req, rc);
}

/* ---- Rotating ---- */

int rotate_write(struct request *req)
{
    struct buf stored = BUF_INIT, next = BUF_INIT;
    struct err err = {0};
    int rc = said(req, txn_get_clear(req->txn, TXN_CLEAR_KEYRING, &stored));
    if (rc == OK) {
        rc = barrier_rotate(req->core->barrier, stored.data, stored.len, request_time_ns(req) / 1000000, &next, &err);
        if (rc != OK)
            fail_with(req, &err);
    }
    if (rc == OK)
        rc = said(req, txn_put_clear(req->txn, TXN_CLEAR_KEYRING, next.data, next.len));
    buf_close(&stored);
    buf_close(&next);
    return rc;
}

int rotate_now(struct request *req)
{
    struct err err = {0};
    int rc = rotate_write(req);
    if (rc == OK)
        rc = request_commit(req);
    if (rc != OK)
        return rc;
    (void)failpoint("rotate.after_commit");
    rc = txn_follow_keyring(req->core->store, req->core->barrier, &err);
    if (rc != OK)
        return fail_with(req, &err);
    log_info("core", "the keyring was rotated: term %u encrypts now", barrier_term(req->core->barrier));
    return OK;
}

/* ---- How much a term has encrypted ---- */

int rotate_status(struct request *req, struct rotate_status *ret_status)
{
    struct barrier *barrier = req->core->barrier;
    json_t *use;
    int rc = get_record(req, USE_PATH, &use);
    if (rc != OK)
        return rc;
    *ret_status = (struct rotate_status){
        .term = barrier_term(barrier),
        .installed_ms = barrier_term_installed_ms(barrier),
        .records = barrier_unnoted_records(barrier),
    };
    if (json_int(use, "term", 0) == ret_status->term)
        ret_status->records += (uint64_t)json_int(use, "records", 0);
    json_decref(use);
    return OK;
}

int rotate_write_use(struct request *req, uint64_t *ret_records)
{
    struct rotate_status status;
    *ret_records = barrier_unnoted_records(req->core->barrier);
    int rc = rotate_status(req, &status);
    if (rc != OK)
        return rc;
    json_t *use = json_pack("{s:I, s:I}", "term", (json_int_t)status.term, "records", (json_int_t)status.records);
    rc = said(req, txn_put(req->txn, USE_PATH, use));
    json_decref(use);
    return rc;
}

/* ---- When it rotates by itself ---- */

bool rotate_is_due(const struct rotate_config *config, const struct rotate_status *status, int64_t now_ms)
{
    if (!config->enabled)
        return false;
    bool is_old = config->interval_s > 0 && now_ms - status->installed_ms >= config->interval_s * 1000;
    return is_old || status->records >= (uint64_t)config->max_operations;
}

int rotate_config_read(struct request *req, struct rotate_config *ret_config)
{
    json_t *record;
    int rc = get_record(req, CONFIG_PATH, &record);
    if (rc != OK)
        return rc;
    *ret_config = (struct rotate_config){
        .enabled = json_flag(record, "enabled", true),
        .max_operations = json_int(record, "max_operations", ROTATE_OPERATIONS_MAX),
        .interval_s = json_int(record, "interval", 0),
    };
    json_decref(record);
    return OK;
}

int rotate_config_write(struct request *req, const struct rotate_config *config)
{
    if (config->max_operations < ROTATE_OPERATIONS_MIN || config->max_operations > ROTATE_OPERATIONS_MAX)
        return fail(req, ERR_INVALID, "max_operations must be in the range [%lld,%lld]",
                    (long long)ROTATE_OPERATIONS_MIN, (long long)ROTATE_OPERATIONS_MAX);
    if (config->interval_s != 0 && config->interval_s < ROTATE_INTERVAL_S_MIN)
        return fail(req, ERR_INVALID, "interval must be greater or equal to 24h0m0s");
    if (config->interval_s > ROTATE_INTERVAL_S_MAX)
        return fail(req, ERR_INVALID, "interval must be at most ten years");
    json_t *record = json_pack("{s:b, s:I, s:I}", "enabled", config->enabled, "max_operations",
                               (json_int_t)config->max_operations, "interval", (json_int_t)config->interval_s);
    int rc = said(req, txn_put(req->txn, CONFIG_PATH, record));
    json_decref(record);
    return rc;
}
