/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loggers.c — sys/loggers: from what level on this node logs. Nothing of it is stored.
 */
#include "base/log.h"
#include "core/request/request.h"
#include "sys/handlers.h"

const struct field sys_logger_fields[] = {
    {"name", FIELD_STRING, "The module."},
    {"level", FIELD_STRING, "trace, debug, info, warn or error."},
    {0},
};

static int say_unknown(struct request *req)
{
    return fail(req, ERR_INVALID, "logger \"%s\" not found", capture(req, "name"));
}

int sys_loggers_list(struct request *req)
{
    json_t *data = json_object();
    enum log_level level;
    for (const char *const *module = log_modules(); *module != NULL; module++)
        if (log_module_level(*module, &level) == OK)
            json_object_set_new(data, *module, json_string(log_level_text(level)));
    reply_data(req, data);
    return OK;
}

/* An unknown one is no error here. */
int sys_loggers_read(struct request *req)
{
    const char *module = capture(req, "name");
    json_t *data = json_object();
    enum log_level level;
    if (log_module_level(module, &level) == OK)
        json_object_set_new(data, module, json_string(log_level_text(level)));
    reply_data(req, data);
    return OK;
}

int sys_loggers_write(struct request *req)
{
    const char *text = field_str(req, "level", "");
    enum log_level level;
    if (text[0] == '\0')
        return fail(req, ERR_INVALID, "level is required");
    if (log_parse_level(text, &level) != OK)
        return fail(req, ERR_INVALID, "invalid level provided: unknown log level: %.32s", text);
    return log_override(capture(req, "name"), level) == OK ? OK : say_unknown(req);
}

int sys_loggers_restore(struct request *req)
{
    return log_restore(capture(req, "name")) == OK ? OK : say_unknown(req);
}
