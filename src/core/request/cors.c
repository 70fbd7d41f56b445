/* SPDX-License-Identifier: Apache-2.0 */
#include "core/request/cors.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "core/core_private.h"
#include "storage/txn.h"

#define RECORD_PATH "core/cors"
#define NAMES_MAX   100 /* of origins, and of headers */
#define NAME_MAX    256

/* What clients of this API send. */
static const char *const usual_headers[] = {"Content-Type",
                                            "Authorization",
                                            "X-Vault-Token",
                                            "X-Vault-MFA",
                                            "X-Vault-No-Request-Forwarding",
                                            "X-Vault-Wrap-Format",
                                            "X-Vault-Wrap-TTL",
                                            "X-Requested-With",
                                            "X-Vault-AWS-IAM-Server-ID",
                                            "X-Vault-Policy-Override"};

/* ---- Judging ---- */

static bool holds(const json_t *list, const char *text)
{
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item) if (strcmp(json_string_value(item), text) == 0) return true;
    return false;
}

static const char *joined(const json_t *list, struct arena *arena)
{
    struct buf text = BUF_INIT;
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item) buf_printf(&text, "%s%s", i > 0 ? "," : "", json_string_value(item));
    const char *result = arena_strdup(arena, buf_str(&text));
    buf_close(&text);
    return result;
}

static void judge(const json_t *config, const char *origin, struct arena *arena, struct cors_verdict *ret)
{
    const json_t *origins = json_list_at(config, "allowed_origins");
    ret->is_enabled = true;
    ret->is_allowed = holds(origins, "*") || holds(origins, origin);
    ret->allows_credentials = json_flag(config, "allow_credentials", false);
    ret->headers = joined(json_list_at(config, "allowed_headers"), arena);
}

void cors_judge(struct core *core, const char *origin, struct arena *arena, struct cors_verdict *ret)
{
    struct txn *txn;
    json_t *config;
    *ret = (struct cors_verdict){.is_enabled = false};
    if (txn_begin(core->store, core->barrier, &txn, NULL) != OK)
        return;
    if (txn_get_shared(txn, RECORD_PATH, &config) == OK) {
        judge(config, origin, arena, ret);
        json_decref(config);
    }
    txn_free(txn);
}

/* ---- Setting ---- */

int cors_read(struct request *req, json_t **ret_config)
{
    int rc = txn_get(req->txn, RECORD_PATH, ret_config);
    if (rc == ERR_NOTFOUND) {
        *ret_config = json_pack("{s:b}", "enabled", 0);
        return OK;
    }
    if (rc != OK)
        return fail(req, rc, "%s", err_default_text(rc));
    json_object_set_new(*ret_config, "enabled", json_true());
    return OK;
}

/* They stand in headers of answers. */
static int check_names(struct request *req, const char *what, const json_t *names)
{
    const json_t *name;
    size_t i;
    if (json_array_size(names) > NAMES_MAX)
        return fail(req, ERR_INVALID, "no more than %d %s can be given", NAMES_MAX, what);
    json_array_foreach(names, i, name)
    {
        size_t len = json_string_length(name);
        if (len == 0 || len > NAME_MAX)
            return fail(req, ERR_INVALID, "%s have 1 to %d characters", what, NAME_MAX);
        for (const char *at = json_string_value(name); *at != '\0'; at++)
            if (*at <= ' ' || *at > '~' || *at == ',')
                return fail(req, ERR_INVALID, "%s are words of ASCII", what);
    }
    return OK;
}

static int check_origins(struct request *req, const json_t *origins)
{
    if (json_array_size(origins) == 0)
        return fail(req, ERR_INVALID,
                    "1 error occurred:\n\t* at least one origin or the wildcard must be provided\n\n");
    if (json_array_size(origins) > 1 && holds(origins, "*"))
        return fail(
            req, ERR_INVALID,
            "1 error occurred:\n\t* to allow all origins the '*' must be the only value for allowed_origins\n\n");
    return check_names(req, "allowed_origins", origins);
}

int cors_enable(struct request *req, const json_t *origins, const json_t *headers, bool allows_credentials)
{
    int rc = check_origins(req, origins);
    if (rc == OK)
        rc = check_names(req, "allowed_headers", headers);
    if (rc != OK)
        return rc;
    json_t *all = json_array();
    for (size_t i = 0; i < sizeof usual_headers / sizeof usual_headers[0]; i++)
        json_array_append_new(all, json_string(usual_headers[i]));
    if (headers != NULL)
        json_array_extend(all, (json_t *)headers);
    json_t *config = json_pack("{s:O, s:o, s:b}", "allowed_origins", origins, "allowed_headers", all,
                               "allow_credentials", allows_credentials);
    rc = txn_put(req->txn, RECORD_PATH, config);
    json_decref(config);
    return rc == OK ? OK : fail(req, rc, "%s", err_default_text(rc));
}

int cors_disable(struct request *req)
{
    int rc = txn_delete(req->txn, RECORD_PATH);
    return rc == OK ? OK : fail(req, rc, "%s", err_default_text(rc));
}
