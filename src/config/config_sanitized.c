/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_sanitized.c — the configuration as it is shown to operators: by Vault's names, without any secret.
 */
#include "base/json.h"
#include "config/config.h"

static json_t *text(const char *value)
{
    return json_string(value != NULL ? value : "");
}

static json_t *listeners(const struct config *config)
{
    json_t *list = json_array();

    for (size_t i = 0; i < config->n_listeners; i++) {
        const struct config_listener *listener = &config->listeners[i];
        json_t *settings = listener->stated != NULL ? json_incref(listener->stated)
                                                    : json_pack("{s:s, s:b}", "address", listener->address,
                                                                "tls_disable", listener->tls_disable);
        json_array_append_new(list, json_pack("{s:s, s:o}", "type", "tcp", "config", settings));
    }
    return list;
}

/* Where the data lies, and who is in the group; what a join would need is not said. */
static json_t *storage(const struct config *config)
{
    return json_pack("{s:o, s:o, s:o, s:b}", "type", text(config->storage_type), "redirect_addr",
                     text(config->api_addr), "cluster_addr", text(config->cluster_addr), "disable_clustering", 0);
}

/* Of a seal, only its type: its settings are keys, or say where they are. */
static json_t *seals(const struct config *config)
{
    const char *type = config->seal_type != NULL ? config->seal_type : "shamir";

    return json_pack("[{s:s, s:b}]", "type", type, "disabled", 0);
}

json_t *config_sanitized(const struct config *config)
{
    json_t *shown = json_object();

    json_object_set_new(shown, "allow_audit_log_prefixing", json_boolean(config->allow_audit_log_prefixing));
    json_object_set_new(shown, "api_addr", text(config->api_addr));
    json_object_set_new(shown, "cluster_addr", text(config->cluster_addr));
    json_object_set_new(shown, "cluster_name", text(config->cluster_name));
    json_object_set_new(shown, "default_lease_ttl", json_integer(config->default_lease_ttl_s));
    json_object_set_new(shown, "max_lease_ttl", json_integer(config->max_lease_ttl_s));
    json_object_set_new(shown, "disable_mlock", json_boolean(config->disable_mlock));
    json_object_set_new(shown, "drain_time", json_integer(config->drain_s));
    json_object_set_new(shown, "enable_ui", json_boolean(config->ui));
    json_object_set_new(shown, "listeners", listeners(config));
    json_object_set_new(shown, "log_format", json_string(config->log_json ? "json" : ""));
    json_object_set_new(shown, "log_level", text(config->log_level));
    json_object_set_new(shown, "pid_file", text(config->pid_file));
    json_object_set_new(shown, "request_forwarding", json_boolean(config->request_forwarding));
    json_object_set_new(shown, "seals", seals(config));
    json_object_set_new(shown, "storage", storage(config));
    return shown;
}
