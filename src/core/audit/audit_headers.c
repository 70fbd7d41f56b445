/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_headers.c — which headers of requests stand in the audit log: one record, "core/audit-headers".
 */
#include <ctype.h>
#include <string.h>

#include "core/audit/audit_private.h"
#include "core/core_private.h"
#include "storage/txn.h"

#define RULES_PATH   "core/audit-headers"
#define RULES_MAX    100 /* each is looked for in each request */
#define NAME_MAX_LEN 128

int audit_header_rules_load(struct txn *txn, json_t **ret_rules)
{
    int rc = txn_get(txn, RULES_PATH, ret_rules);
    if (rc != ERR_NOTFOUND)
        return rc;
    *ret_rules = json_object();
    return OK;
}

int audit_headers_load(struct request *req, json_t **ret_rules)
{
    int rc = audit_header_rules_load(req->txn, ret_rules);
    return rc == OK ? OK : fail(req, rc, "%s", err_default_text(rc));
}

static int save(struct request *req, const json_t *rules)
{
    int rc = txn_put(req->txn, RULES_PATH, rules);
    return rc == OK ? OK : fail(req, rc, "%s", err_default_text(rc));
}

static const char *lower(struct request *req, const char *name)
{
    char *text = arena_strdup(&req->arena, name);
    for (char *at = text; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    return text;
}

int audit_header_set(struct request *req, const char *name, bool is_hashed)
{
    json_t *rules;
    if (strlen(name) > NAME_MAX_LEN)
        return fail(req, ERR_INVALID, "the name of a header must not be longer than %d bytes", NAME_MAX_LEN);
    int rc = audit_headers_load(req, &rules);
    if (rc != OK)
        return rc;
    request_own(req, rules);
    name = lower(req, name);
    if (json_object_get(rules, name) == NULL && json_object_size(rules) >= RULES_MAX)
        return fail(req, ERR_INVALID, "no more than %d headers can be logged; delete one first", RULES_MAX);
    json_object_set_new(rules, name, json_pack("{s:b}", "hmac", is_hashed));
    return save(req, rules);
}

int audit_header_remove(struct request *req, const char *name)
{
    json_t *rules;
    int rc = audit_headers_load(req, &rules);
    if (rc != OK)
        return rc;
    request_own(req, rules);
    return json_object_del(rules, lower(req, name)) == 0 ? save(req, rules) : OK;
}
