/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cors.c — sys/config/cors.
 */
#include "core/request/cors.h"
#include "sys/handlers.h"

const struct field sys_cors_fields[] = {
    {"enable", FIELD_BOOL, "Without effect: setting origins enables, deleting disables."},
    {"allowed_origins", FIELD_LIST, "The origins whose pages may ask; or * alone, for all."},
    {"allowed_headers", FIELD_LIST, "Headers that they may send besides the usual ones."},
    {"allow_credentials", FIELD_BOOL, "Whether they may ask with cookies and client certificates."},
    {0},
};

int sys_cors_read(struct request *req)
{
    json_t *config;
    int rc = cors_read(req, &config);
    if (rc == OK)
        reply_data(req, config);
    return rc;
}

int sys_cors_write(struct request *req)
{
    return cors_enable(req, field_json(req, "allowed_origins"), field_json(req, "allowed_headers"),
                       field_bool(req, "allow_credentials", false));
}

int sys_cors_delete(struct request *req)
{
    return cors_disable(req);
}
