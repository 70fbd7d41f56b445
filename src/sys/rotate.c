/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rotate.c — sys/rotate, sys/rotate/config, sys/key-status.
 */
#include "core/seal/rotate.h"

#include "base/clock.h"
#include "base/duration.h"
#include "core/request/request.h"
#include "sys/handlers.h"

const struct field sys_rotate_config_fields[] = {
    {"enabled", FIELD_BOOL, "Whether the key is rotated without being asked."},
    {"max_operations", FIELD_INT, "How many records a key encrypts, at most about."},
    {"interval", FIELD_DURATION, "How old a key gets; 0: however old."},
    {0},
};

int sys_rotate(struct request *req)
{
    return rotate_now(req);
}

int sys_key_status(struct request *req)
{
    struct rotate_status status;
    char installed[40];
    int rc = rotate_status(req, &status);
    if (rc != OK)
        return rc;
    clock_format_rfc3339(status.installed_ms * 1000000, installed, sizeof installed);
    reply_data(req, json_pack("{s:I, s:s, s:I}", "term", (json_int_t)status.term, "install_time", installed,
                              "encryptions", (json_int_t)status.records));
    return OK;
}

/* Without an interval clients get a number, with one a text: so Vault answers. */
static json_t *interval_of(int64_t interval_s)
{
    char text[40];
    if (interval_s == 0)
        return json_integer(0);
    duration_format_go(interval_s * 1000000000, text, sizeof text);
    return json_string(text);
}

int sys_rotate_config_read(struct request *req)
{
    struct rotate_config config;
    int rc = rotate_config_read(req, &config);
    if (rc == OK)
        reply_data(req, json_pack("{s:b, s:I, s:o}", "enabled", config.enabled, "max_operations",
                                  (json_int_t)config.max_operations, "interval", interval_of(config.interval_s)));
    return rc;
}

int sys_rotate_config_write(struct request *req)
{
    struct rotate_config config;
    int rc = rotate_config_read(req, &config);
    if (rc != OK)
        return rc;
    config.enabled = field_bool(req, "enabled", config.enabled);
    config.max_operations = field_int(req, "max_operations", config.max_operations);
    config.interval_s = field_int(req, "interval", config.interval_s);
    return rotate_config_write(req, &config);
}
