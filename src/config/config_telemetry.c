/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_telemetry.c — the server's telemetry stanza, and a listener's that open paths to everybody. Metrics are there
 * to be fetched (sys/metrics); nothing is pushed anywhere.
 */
#include <string.h>

#include "base/json.h"
#include "config/config_blocks.h"
#include "config/config_keys.h"

struct telemetry {
    int64_t prometheus_retention_s;
};

static const struct config_key telemetry_keys[] = {
    {"prometheus_retention_time", KEY_SECONDS, offsetof(struct telemetry, prometheus_retention_s), NULL},
    /* Names have no host in them, and nothing is gathered at intervals. */
    {"disable_hostname", KEY_OTHER, 0, NULL},
    {"enable_hostname_label", KEY_OTHER, 0, NULL},
    {"usage_gauge_period", KEY_OTHER, 0, NULL},
    {"maximum_gauge_cardinality", KEY_OTHER, 0, NULL},
    {"lease_metrics_epsilon", KEY_OTHER, 0, NULL},
    {"num_lease_metrics_buckets", KEY_OTHER, 0, NULL},
    {"add_lease_metrics_namespace_labels", KEY_OTHER, 0, NULL},
    {"add_mount_point_rollback_metrics", KEY_OTHER, 0, NULL},
    {"filter_default", KEY_WARN, 0, NULL},
    {"prefix_filter", KEY_WARN, 0, NULL},
    {"metrics_prefix", KEY_WARN, 0, NULL},
    {"statsite_address", KEY_WARN, 0, NULL},
    {"statsd_address", KEY_WARN, 0, NULL},
    {"dogstatsd_addr", KEY_WARN, 0, NULL},
    {"dogstatsd_tags", KEY_WARN, 0, NULL},
    {0},
};

int config_read_telemetry(const char *file, const struct hcl_item *item, struct config *config, struct err *err)
{
    struct telemetry telemetry = {.prometheus_retention_s = 1};

    if (item->body == NULL || item->n_labels > 0)
        return config_fail(err, file, item->line, "write it as telemetry { … }");
    int rc = config_read_keys(file, item->body, telemetry_keys, &telemetry, err);
    config->prometheus_disable = telemetry.prometheus_retention_s == 0;
    return rc;
}

/* A listener's stanza is a block in HCL and a value in JSON. */
int config_read_opening(const char *file, const struct hcl_item *item, const char *flag, bool *ret_is_open,
                        struct err *err)
{
    const char *name;
    json_t *value, *settings = hcl_item_json(item);
    int rc = OK;

    if (!json_is_object(settings))
        rc = config_fail(err, file, item->line, "write it as %s { … }, once", item->key);
    json_object_foreach(settings, name, value)
    {
        if (strcmp(name, flag) != 0)
            config_warn(file, item->line, "%s: \"%.64s\" has no effect here", item->key, name);
        else if (json_is_boolean(value))
            *ret_is_open = json_is_true(value);
        else
            rc = config_fail(err, file, item->line, "\"%s\" must be true or false", flag);
    }
    json_decref(settings);
    return rc;
}
