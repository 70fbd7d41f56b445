/* SPDX-License-Identifier: Apache-2.0 */
#include "core/request/openapi.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "core/core.h"
#include "core/request/field.h"

json_t *openapi_new(void)
{
    json_t *document =
        json_pack("{s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}, s:{}}", "openapi", "3.0.2", "info", "title", "Coffer API",
                  "description", "All paths are below /v1.", "version", COFFER_VERSION, "license", "name", "Apache-2.0",
                  "url", "https://www.apache.org/licenses/LICENSE-2.0", "paths");
    json_object_set_new(document, "components",
                        json_pack("{s:{}, s:{s:{s:s, s:s, s:s}}}", "schemas", "securitySchemes", "token", "type",
                                  "apiKey", "in", "header", "name", "X-Vault-Token"));
    json_object_set_new(document, "security", json_pack("[{s:[]}]", "token"));
    return document;
}

/* ---- Parameters ---- */

static json_t *schema_of(enum field_type type)
{
    switch (type) {
    case FIELD_LIST:
    case FIELD_STRINGS:
        return json_pack("{s:s, s:{s:s}}", "type", "array", "items", "type", "string");
    case FIELD_INTS:
        return json_pack("{s:s, s:{s:s}}", "type", "array", "items", "type", "integer");
    case FIELD_DURATION:
        return json_pack("{s:s, s:s}", "type", field_type_name(type), "format", "seconds");
    case FIELD_KV:
        return json_pack("{s:s, s:s}", "type", field_type_name(type), "format", "kvpairs");
    case FIELD_ANY:
        return json_object(); /* of any type */
    default:
        return json_pack("{s:s}", "type", field_type_name(type));
    }
}

static bool has_field(const json_t *names, const char *name)
{
    return json_object_get(names, name) != NULL;
}

static json_t *parameter(const char *name, const char *where, const char *help, json_t *schema)
{
    json_t *parameter = json_pack("{s:s, s:s, s:o}", "name", name, "in", where, "schema", schema);
    if (help != NULL && help[0] != '\0')
        json_object_set_new(parameter, "description", json_string(help));
    if (strcmp(where, "path") == 0)
        json_object_set_new(parameter, "required", json_true());
    return parameter;
}

static const char *help_of(const struct field *fields, const char *name)
{
    for (; fields != NULL && fields->name != NULL; fields++)
        if (strcmp(fields->name, name) == 0)
            return fields->help;
    return NULL;
}

/* What is not in the path already, in the query. */
static json_t *query_parameters(const struct route *route, const json_t *captured)
{
    json_t *list = json_array();
    if (route->operation == OP_LIST)
        json_array_append_new(list, parameter("list", "query", "Lists, as the method LIST does.",
                                              json_pack("{s:s, s:[s]}", "type", "string", "enum", "true")));
    for (const struct field *field = route->fields; field != NULL && field->name != NULL; field++)
        if (!has_field(captured, field->name))
            json_array_append_new(list, parameter(field->name, "query", field->help, schema_of(field->type)));
    return list;
}

static json_t *body_schema(const struct route *route, const json_t *captured)
{
    json_t *properties = json_object();
    for (const struct field *field = route->fields; field != NULL && field->name != NULL; field++) {
        json_t *schema = has_field(captured, field->name) ? NULL : schema_of(field->type);
        if (schema == NULL)
            continue;
        json_object_set_new(schema, "description", json_string(field->help));
        json_object_set_new(properties, field->name, schema);
    }
    return json_pack("{s:s, s:o}", "type", "object", "properties", properties);
}

/* ---- Paths ---- */

/* "roles/:name" below "aws/" → "/aws/roles/{name}"; what it captures becomes names of ret_captured. */
static void put_path(const char *mount, const char *pattern, struct buf *ret_path, json_t *ret_captured)
{
    buf_printf(ret_path, "/%s", mount);
    while (*pattern != '\0') {
        size_t len = strcspn(pattern, ":*");
        buf_put(ret_path, pattern, len);
        pattern += len;
        if (*pattern == '\0')
            return;
        len = strcspn(pattern + 1, "/");
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)len, pattern + 1);
        buf_printf(ret_path, "{%s}", name);
        json_object_set_new(ret_captured, name, json_true());
        pattern += 1 + len;
    }
}

/* A word of its own in the document: "read-aws-roles-name". */
static json_t *operation_id(const json_t *document, const char *verb, const char *path)
{
    struct buf id = BUF_INIT;
    buf_puts(&id, verb);
    for (const char *at = path; *at != '\0'; at++) {
        bool is_letter = isalnum((unsigned char)*at) || *at == '_';
        if (is_letter || (id.len > 0 && id.data[id.len - 1] != '-'))
            buf_put_u8(&id, (uint8_t)(is_letter ? *at : '-'));
    }
    while (json_object_get(json_object_get(document, "x-ids"), buf_str(&id)) != NULL)
        buf_puts(&id, "-2");
    json_object_set_new(json_object_get(document, "x-ids"), buf_str(&id), json_true());
    json_t *text = json_string(buf_str(&id));
    buf_close(&id);
    return text;
}

static const char *method_of(enum operation operation)
{
    switch (operation) {
    case OP_READ:
    case OP_LIST:
        return "get";
    case OP_DELETE:
        return "delete";
    case OP_PATCH:
        return "patch";
    default:
        return "post";
    }
}

/* ---- Operations ---- */

static json_t *new_operation(json_t *document, const struct route *route, const char *path, const char *tag,
                             const json_t *captured)
{
    bool is_write = strcmp(method_of(route->operation), "post") == 0 || route->operation == OP_PATCH;
    const char *media = route->operation == OP_PATCH ? "application/merge-patch+json" : "application/json";
    json_t *operation =
        json_pack("{s:s, s:o, s:[s], s:{s:{s:s}}}", "summary", route->help, "operationId",
                  operation_id(document, method_of(route->operation), path), "tags", tag, "responses", "default",
                  "description", "200 with a body, 204 without, or a status of failure with \"errors\".");
    if (is_write)
        json_object_set_new(operation, "requestBody",
                            json_pack("{s:{s:{s:o}}}", "content", media, "schema", body_schema(route, captured)));
    else
        json_object_set_new(operation, "parameters", query_parameters(route, captured));
    return operation;
}

static json_t *path_item(json_t *document, const struct route *route, const char *path, const json_t *captured)
{
    json_t *paths = json_object_get(document, "paths"), *item = json_object_get(paths, path), *value, *parameters;
    const char *name;
    if (item != NULL)
        return item;
    parameters = json_array();
    json_object_foreach((json_t *)captured, name, value) json_array_append_new(
        parameters, parameter(name, "path", help_of(route->fields, name), json_pack("{s:s}", "type", "string")));
    item = json_pack("{s:s, s:o}", "description", route->help, "parameters", parameters);
    json_object_set_new(paths, path, item);
    return item;
}

static bool has_parameter(const json_t *list, const char *name)
{
    const json_t *parameter;
    size_t i;
    json_array_foreach(list, i, parameter) if (strcmp(json_str(parameter, "name", ""), name) == 0) return true;
    return false;
}

/* Reading and listing the same path are one GET, told apart by its query. */
static void merge_get(json_t *operation, const struct route *route, const json_t *captured)
{
    json_t *list = json_object_get(operation, "parameters"), *more = query_parameters(route, captured), *parameter;
    size_t i;
    json_array_foreach(more, i, parameter) if (!has_parameter(list, json_str(parameter, "name", "")))
        json_array_append(list, parameter);
    json_decref(more);
    json_object_set_new(operation, "summary", json_sprintf("%s %s", json_str(operation, "summary", ""), route->help));
}

/* A path's say it of one of its operations at least, as clients know it; an operation's say it of itself. */
static void mark(json_t *what, unsigned flags)
{
    if ((flags & ROUTE_SUDO) != 0)
        json_object_set_new(what, "x-vault-sudo", json_true());
    if ((flags & ROUTE_UNAUTH) != 0)
        json_object_set_new(what, "x-vault-unauthenticated", json_true());
    if ((flags & (ROUTE_OPENABLE | ROUTE_OPEN_REKEY | ROUTE_OPEN_ROOT)) != 0)
        json_object_set_new(what, "x-openable", json_true());
}

static void mark_guards(json_t *item, json_t *operation, unsigned flags)
{
    mark(item, flags);
    mark(operation, flags);
    if ((flags & ROUTE_UNAUTH) != 0)
        json_object_set_new(operation, "security", json_array());
}

static void add_route(json_t *document, const char *mount, const char *tag, const struct route *route)
{
    struct buf path = BUF_INIT;
    json_t *captured = json_object();
    put_path(mount, route->path, &path, captured);
    json_t *item = path_item(document, route, buf_str(&path), captured);
    const char *method = method_of(route->operation);
    json_t *operation = json_object_get(item, method);
    if (operation != NULL && strcmp(method, "get") == 0) {
        merge_get(operation, route, captured);
    } else if (operation == NULL) {
        operation = new_operation(document, route, buf_str(&path), tag, captured);
        json_object_set_new(item, method, operation);
    }
    mark_guards(item, operation, route->flags);
    json_decref(captured);
    buf_close(&path);
}

void openapi_add(json_t *document, const char *mount, const char *tag, const struct route *routes, const char *pattern)
{
    if (json_object_get(document, "x-ids") == NULL)
        json_object_set_new(document, "x-ids", json_object());
    for (const struct route *route = routes; route->path != NULL; route++)
        if (route->help != NULL && (pattern == NULL || strcmp(route->path, pattern) == 0))
            add_route(document, mount, tag, route);
    json_object_del(document, "x-ids");
}
