/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_telemetry.c — the telemetry stanzas, the server's and a listener's. Metrics are there to be fetched
 * (sys/metrics); nothing is pushed anywhere.
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
int config_read_listener_telemetry(const char *file, const struct hcl_item *item, struct config_listener *listener,
                                   struct err *err)
{
    const char *name;
    json_t *value, *settings = hcl_item_json(item);
    int rc = OK;

    if (!json_is_object(settings))
        rc = config_fail(err, file, item->line, "write it as telemetry { … }, once");
    json_object_foreach(settings, name, value)
    {
        if (strcmp(name, "unauthenticated_metrics_access") != 0)
            config_warn(file, item->line, "telemetry: \"%.64s\" has no effect here", name);
        else if (json_is_boolean(value))
            listener->unauthenticated_metrics_access = json_is_true(value);
        else
            rc = config_fail(err, file, item->line, "\"unauthenticated_metrics_access\" must be true or false");
    }
    json_decref(settings);
    return rc;
}
