/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_headers.c — sys/config/auditing/request-headers.
 */
#include <strings.h>

#include "base/json.h"
#include "core/audit/audit.h"
#include "core/request/request.h"
#include "sys/handlers.h"

const struct field sys_audit_header_fields[] = {
    {"hmac", FIELD_BOOL, "Whether the header's values are hashed."},
    {0},
};

int sys_audit_headers_list(struct request *req)
{
    json_t *rules;
    int rc = audit_headers_load(req, &rules);
    if (rc == OK)
        reply_data(req, json_pack("{s:o}", "headers", rules));
    return rc;
}

/* Answers by the name as it was asked for; kept are names in lower case. */
int sys_audit_header_read(struct request *req)
{
    const char *asked = capture(req, "header"), *name;
    json_t *rules, *rule;
    int rc = audit_headers_load(req, &rules);
    if (rc != OK)
        return rc;
    request_own(req, rules);
    json_object_foreach(rules, name, rule)
    {
        if (strcasecmp(name, asked) != 0)
            continue;
        reply_data(req, json_pack("{s:O}", asked, rule));
        return OK;
    }
    return fail(req, ERR_INVALID, "Could not find header in config");
}

int sys_audit_header_write(struct request *req)
{
    return audit_header_set(req, capture(req, "header"), field_bool(req, "hmac", false));
}

int sys_audit_header_delete(struct request *req)
{
    return audit_header_remove(req, capture(req, "header"));
}
