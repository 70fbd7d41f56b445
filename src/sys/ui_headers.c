/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ui_headers.c — sys/config/ui/headers: what headers the pages of a user interface are sent with. There are no such
 * pages here; what is set is kept, so that what is written by a program that sets it is read by it again.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "core/request/request.h"
#include "storage/txn.h"
#include "sys/handlers.h"

#define RECORD_PATH "core/ui-headers" /* an object of arrays of texts */
#define HEADERS_MAX 100
#define NAME_MAX    128
#define VALUES_MAX  100

const struct field sys_ui_header_fields[] = {
    {"header", FIELD_STRING, "The header."},
    {"values", FIELD_STRINGS, "Its values."},
    {"multivalue", FIELD_BOOL, "Whether to tell all values, not just the first."},
    {0},
};

/* "x-frame-options" is X-Frame-Options. */
static const char *canonical(struct request *req)
{
    char *name = arena_strdup(&req->arena, capture(req, "header"));
    bool begins = true;
    for (char *at = name; *at != '\0'; at++) {
        *at = (char)(begins ? toupper((unsigned char)*at) : tolower((unsigned char)*at));
        begins = *at == '-';
    }
    return name;
}

/* The record, owned by the request. */
static int load(struct request *req, json_t **ret_headers)
{
    int rc = txn_get(req->txn, RECORD_PATH, ret_headers);
    if (rc != OK && rc != ERR_NOTFOUND)
        return fail(req, rc, "%s", err_default_text(rc));
    if (rc == ERR_NOTFOUND)
        *ret_headers = json_object();
    request_own(req, *ret_headers);
    return OK;
}

static int save(struct request *req, const json_t *headers)
{
    int rc = txn_put(req->txn, RECORD_PATH, headers);
    return rc == OK ? OK : fail(req, rc, "%s", err_default_text(rc));
}

int sys_ui_headers_list(struct request *req)
{
    json_t *headers, *value, *names = json_array();
    const char *name;
    int rc = load(req, &headers);
    request_own(req, names);
    if (rc != OK)
        return rc;
    json_object_foreach(headers, name, value) json_array_append_new(names, json_string(name));
    return reply_keys(req, json_list_sorted(names));
}

int sys_ui_header_read(struct request *req)
{
    json_t *headers;
    int rc = load(req, &headers);
    json_t *values = rc == OK ? json_object_get(headers, canonical(req)) : NULL;
    if (rc != OK || values == NULL)
        return rc != OK ? rc : ERR_NOTFOUND;
    if (field_bool(req, "multivalue", false))
        reply_data(req, json_pack("{s:O}", "values", values));
    else
        reply_data(req, json_pack("{s:O}", "value", json_array_get(values, 0)));
    return OK;
}

static int check(struct request *req, const char *name, const json_t *headers, const json_t *values)
{
    if (strncasecmp(name, "X-Vault-", 8) == 0)
        return fail(req, ERR_INVALID, "X-Vault headers cannot be set");
    if (json_array_size(values) == 0)
        return fail(req, ERR_INVALID, "header and values must be specified");
    if (strlen(name) > NAME_MAX || json_array_size(values) > VALUES_MAX)
        return fail(req, ERR_INVALID, "a header has a name of at most %d bytes, and at most %d values", NAME_MAX,
                    VALUES_MAX);
    if (json_object_get(headers, name) == NULL && json_object_size(headers) >= HEADERS_MAX)
        return fail(req, ERR_INVALID, "no more than %d headers can be set; delete one first", HEADERS_MAX);
    return OK;
}

int sys_ui_header_write(struct request *req)
{
    json_t *headers, *values = field_json(req, "values");
    const char *name = canonical(req);
    int rc = load(req, &headers);
    if (rc == OK)
        rc = check(req, name, headers, values);
    if (rc != OK)
        return rc;
    if (strcmp(name, "Content-Security-Policy") == 0)
        reply_warn(req, "overriding default Content-Security-Policy which is secure by default, proceed with caution");
    json_object_set(headers, name, values);
    reply_data(req, NULL);
    return save(req, headers);
}

int sys_ui_header_delete(struct request *req)
{
    json_t *headers;
    int rc = load(req, &headers);
    if (rc == OK && json_object_del(headers, canonical(req)) == 0)
        rc = save(req, headers);
    return rc;
}
