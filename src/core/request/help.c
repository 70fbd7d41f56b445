/* SPDX-License-Identifier: Apache-2.0 */
#include "core/request/help.h"

#include <string.h>

#include "base/buf.h"
#include "core/mount/mount.h"
#include "core/request/field.h"
#include "core/request/openapi.h"
#include "core/request/request_private.h"

/* Of a mount: its paths, each with its line of help. */
static void put_mount(const struct request *req, struct buf *text)
{
    const struct engine *engine = req->mount->engine;
    const char *last = "";
    buf_printf(text,
               "## DESCRIPTION\n\n%s\n\n## PATHS\n\nThe following paths are supported; ask for help on one of them:\n",
               engine->description != NULL ? engine->description : engine->type);
    for (const struct route *route = request_routes(req); route->path != NULL; route++) {
        if (strcmp(route->path, last) != 0 && route->help != NULL)
            buf_printf(text, "\n    %s\n        %s\n", route->path, route->help);
        last = route->path;
    }
}

static void put_fields(const struct field *fields, struct buf *text)
{
    for (const struct field *field = fields; field != NULL && field->name != NULL; field++)
        buf_printf(text, "\n    %s (%s)\n\n        %s\n", field->name, field_type_name(field->type), field->help);
}

/* Once for each table of fields, as the operations of a path may share one. */
static void put_parameters(const struct request *req, struct buf *text)
{
    const struct field *last = NULL;
    bool has_title = false;
    for (const struct route *route = request_routes(req); route->path != NULL; route++) {
        if (strcmp(route->path, req->route->path) != 0 || route->fields == NULL || route->fields == last)
            continue;
        buf_puts(text, has_title ? "" : "\n## PARAMETERS\n");
        put_fields(route->fields, text);
        has_title = true;
        last = route->fields;
    }
}

/* Of a path: what can be done there. */
static void put_path(const struct request *req, struct buf *text)
{
    buf_printf(text, "Request:        %s\nMatching Route: %s\n\n%s\n", req->mount_relative, req->route->path,
               req->route->help != NULL ? req->route->help : "");
    put_parameters(req, text);
    buf_puts(text, "\n## DESCRIPTION\n");
    for (const struct route *route = request_routes(req); route->path != NULL; route++)
        if (strcmp(route->path, req->route->path) == 0)
            buf_printf(text, "\n    %s%s\n        %s\n", operation_name(route->operation),
                       (route->flags & ROUTE_SUDO) != 0 ? " (needs sudo)" : "", route->help != NULL ? route->help : "");
}

int help_answer(struct request *req)
{
    struct buf text = BUF_INIT;
    const char *path = NULL;
    if (req->mount_relative[0] == '\0') {
        put_mount(req, &text);
    } else {
        put_path(req, &text);
        path = req->route->path;
    }
    json_t *document = openapi_new();
    openapi_add(document, "", req->mount->type, request_routes(req), path);
    reply_data(req, json_pack("{s:s, s:n, s:o}", "help", buf_str(&text), "see_also", "openapi", document));
    buf_close(&text);
    req->is_plain = true;
    return OK;
}
