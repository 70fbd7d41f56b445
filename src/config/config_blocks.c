/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config_blocks.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "config/config_keys.h"

#define LISTENERS_MAX 64

const char *config_block_type(const char *file, const struct hcl_item *item, struct err *err)
{
    if (item->body != NULL && item->n_labels == 1)
        return item->labels[0];
    (void)config_fail(err, file, item->line, "write it as %s \"type\" { … }", item->key);
    return NULL;
}

/* ---- listener ---- */

#define LISTENER(member) offsetof(struct config_listener, member)

static const struct config_key listener_keys[] = {
    {"address", KEY_TEXT, LISTENER(address), config_check_address},
    {"cluster_address", KEY_TEXT, LISTENER(cluster_address), config_check_address},
    {"tls_disable", KEY_BOOL, LISTENER(tls_disable), NULL},
    {"tls_cert_file", KEY_TEXT, LISTENER(tls_cert_file), NULL},
    {"tls_key_file", KEY_TEXT, LISTENER(tls_key_file), NULL},
    {"tls_min_version", KEY_TEXT, LISTENER(tls_min_version), config_check_tls_version},
    {"tls_max_version", KEY_TEXT, LISTENER(tls_max_version), config_check_tls_version},
    {"tls_client_ca_file", KEY_TEXT, LISTENER(tls_client_ca_file), NULL},
    {"tls_require_and_verify_client_cert", KEY_BOOL, LISTENER(tls_require_and_verify_client_cert), NULL},
    {"max_request_size", KEY_COUNT, LISTENER(max_request_size), NULL},
    {"max_snapshot_size", KEY_COUNT, LISTENER(max_snapshot_size), NULL},
    {"max_request_duration", KEY_SECONDS, LISTENER(max_request_duration_s), NULL},
    {"proxy_protocol_behavior", KEY_TEXT, LISTENER(proxy_protocol_behavior), config_check_proxy_behavior},
    {"proxy_protocol_authorized_addrs", KEY_BLOCKS, LISTENER(proxy_protocol_authorized_addrs), NULL},
    {"x_forwarded_for_authorized_addrs", KEY_BLOCKS, LISTENER(x_forwarded_for_authorized_addrs), NULL},
    {"x_forwarded_for_hop_skips", KEY_COUNT, LISTENER(x_forwarded_for_hop_skips), NULL},
    {"x_forwarded_for_reject_not_authorized", KEY_BOOL, LISTENER(x_forwarded_for_reject_not_authorized), NULL},
    {"x_forwarded_for_reject_not_present", KEY_BOOL, LISTENER(x_forwarded_for_reject_not_present), NULL},
    /* The limits on slow clients are fixed, and stricter than these usually are. */
    {"http_idle_timeout", KEY_OTHER, 0, NULL},
    {"http_read_header_timeout", KEY_OTHER, 0, NULL},
    {"http_read_timeout", KEY_OTHER, 0, NULL},
    {"http_write_timeout", KEY_OTHER, 0, NULL},
    /* Bodies are limited in depth and number of values anyway. */
    {"max_request_json_memory", KEY_OTHER, 0, NULL},
    {"max_request_json_strings", KEY_OTHER, 0, NULL},
    {"disable_unauthed_rekey_endpoints", KEY_BOOL, LISTENER(disable_unauthed_rekey_endpoints), NULL},
    {"disable_unauthed_generate_root_endpoints", KEY_BOOL, LISTENER(disable_unauthed_generate_root_endpoints), NULL},
    {"telemetry", KEY_OTHER, 0, NULL}, /* config_telemetry.c */
    {"profiling", KEY_OTHER, 0, NULL},
    {"inflight_requests_logging", KEY_OTHER, 0, NULL},
    {"tls_disable_client_certs", KEY_OTHER, 0, NULL},
    {"tls_prefer_server_cipher_suites", KEY_OTHER, 0, NULL},
    {"tls_cipher_suites", KEY_WARN, 0, NULL},
    {"custom_response_headers", KEY_WARN, 0, NULL},
    {"cors_enabled", KEY_WARN, 0, NULL},
    {"cors_allowed_origins", KEY_WARN, 0, NULL},
    {0},
};

static int check_tls(const char *file, int line, const struct config_listener *listener, struct err *err)
{
    if (listener->tls_disable)
        return OK;
    if (listener->tls_cert_file == NULL)
        return config_fail(err, file, line,
                           "the listener has no \"tls_cert_file\"; \"tls_disable = true\" would serve "
                           "in clear");
    if (listener->tls_key_file == NULL)
        return config_fail(err, file, line, "the listener has no \"tls_key_file\"");
    if (listener->tls_require_and_verify_client_cert && listener->tls_client_ca_file == NULL)
        return config_fail(err, file, line, "\"tls_require_and_verify_client_cert\" needs \"tls_client_ca_file\"");
    return OK;
}

/* A list of those who are believed: where it is needed and empty, nobody would be served, or believed, at all. */
static int check_proxies(const char *file, int line, const struct config_listener *listener, struct err *err)
{
    const char *behavior = listener->proxy_protocol_behavior;

    if (behavior != NULL && strcmp(behavior, "use_always") != 0 && listener->proxy_protocol_authorized_addrs.n == 0)
        return config_fail(err, file, line, "proxy_protocol_behavior \"%s\" needs \"proxy_protocol_authorized_addrs\"",
                           behavior);
    if (behavior == NULL && listener->proxy_protocol_authorized_addrs.n > 0)
        return config_fail(err, file, line, "\"proxy_protocol_authorized_addrs\" needs \"proxy_protocol_behavior\"");
    return OK;
}

static int check_listener(const char *file, int line, const struct config_listener *listener, struct err *err)
{
    int rc = check_tls(file, line, listener, err);

    return rc == OK ? check_proxies(file, line, listener, err) : rc;
}

static int read_openings(const char *file, const struct hcl_body *body, struct config_listener *listener,
                         struct err *err)
{
    const struct {
        const char *stanza, *flag;
        bool *is_open;
    } openings[] = {
        {"telemetry", "unauthenticated_metrics_access", &listener->unauthenticated_metrics_access},
        {"inflight_requests_logging", "unauthenticated_in_flight_requests_access",
         &listener->unauthenticated_in_flight_requests_access},
    };
    int rc = OK;

    for (size_t i = 0; rc == OK && i < sizeof openings / sizeof *openings; i++) {
        const struct hcl_item *item = hcl_find(body, openings[i].stanza);
        if (item != NULL)
            rc = config_read_opening(file, item, openings[i].flag, openings[i].is_open, err);
    }
    return rc;
}

/* What is known of it as it was written, to be shown. */
static json_t *stated_settings(const struct hcl_body *body)
{
    const struct hcl_item whole = {.body = (struct hcl_body *)body};
    json_t *said = hcl_item_json(&whole), *stated = json_object();

    for (const struct config_key *key = listener_keys; key->name != NULL; key++) {
        json_t *value = json_object_get(said, key->name);
        if (value != NULL)
            json_object_set(stated, key->name, value);
    }
    json_decref(said);
    return stated;
}

int config_read_listener(const char *file, const struct hcl_item *item, struct config *config, struct err *err)
{
    const char *type = config_block_type(file, item, err);

    if (type == NULL)
        return ERR_INVALID;
    if (strcmp(type, "tcp") != 0)
        return config_fail(err, file, item->line, "listener type \"%.64s\" is not supported; there is \"tcp\"", type);
    if (config->n_listeners == LISTENERS_MAX)
        return config_fail(err, file, item->line, "more than %d listeners", LISTENERS_MAX);
    config->listeners = realloc(config->listeners, (config->n_listeners + 1) * sizeof *config->listeners);
    if (config->listeners == NULL)
        abort();
    struct config_listener *listener = &config->listeners[config->n_listeners++];
    *listener = (struct config_listener){.address = strdup("127.0.0.1:8200"),
                                         .disable_unauthed_rekey_endpoints = true,
                                         .disable_unauthed_generate_root_endpoints = true};
    int rc = config_read_keys(file, item->body, listener_keys, listener, err);
    if (rc == OK)
        rc = read_openings(file, item->body, listener, err);
    listener->stated = stated_settings(item->body);
    return rc == OK ? check_listener(file, item->line, listener, err) : rc;
}

/* ---- storage ---- */

#define STORAGE(member) offsetof(struct config, member)

static const struct config_key storage_keys[] = {
    {"path", KEY_TEXT, STORAGE(storage_path), NULL},
    {"node_id", KEY_TEXT, STORAGE(node_id), config_check_node_id},
    {"performance_multiplier", KEY_COUNT, STORAGE(performance_multiplier), NULL},
    {"election_ms", KEY_COUNT, STORAGE(election_ms), NULL},
    {"heartbeat_ms", KEY_COUNT, STORAGE(heartbeat_ms), NULL},
    {"retry_join", KEY_OTHER, 0, NULL}, /* below */
    {"trailing_logs", KEY_OTHER, 0, NULL},
    {"snapshot_threshold", KEY_OTHER, 0, NULL},
    {"snapshot_interval", KEY_OTHER, 0, NULL},
    {"max_entry_size", KEY_OTHER, 0, NULL},
    {"max_transaction_size", KEY_OTHER, 0, NULL},
    /* The leader looks after its members with each heartbeat. */
    {"autopilot_reconcile_interval", KEY_OTHER, 0, NULL},
    {"autopilot_update_interval", KEY_OTHER, 0, NULL},
    {"autopilot_upgrade_version", KEY_OTHER, 0, NULL},
    {"autopilot_redundancy_zone", KEY_OTHER, 0, NULL},
    {"raft_wal", KEY_OTHER, 0, NULL},
    {"raft_log_verifier_enabled", KEY_OTHER, 0, NULL},
    {"retry_join_as_non_voter", KEY_BOOL, STORAGE(non_voter), NULL},
    {"non_leader", KEY_BOOL, STORAGE(non_leader), NULL},
    {0},
};

/* Checks one retry_join; its keys are the join API's. */
static int check_join(const char *file, int line, const json_t *join, struct err *err)
{
    static const char *const known[] = {"leader_api_addr",     "leader_tls_servername", "leader_ca_cert",
                                        "leader_ca_cert_file", "leader_client_cert",    "leader_client_cert_file",
                                        "leader_client_key",   "leader_client_key_file"};
    const char *addr = json_str(join, "leader_api_addr", NULL);
    const char *key;
    json_t *value;
    struct err why = {0};

    if (addr == NULL)
        return config_fail(err, file, line, "retry_join has no \"leader_api_addr\"");
    if (config_check_url(addr, &why) != OK)
        return config_fail(err, file, line, "\"leader_api_addr\": %s", err_text(&why));
    json_object_foreach((json_t *)join, key, value)
    {
        bool is_known = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            is_known = is_known || strcmp(key, known[i]) == 0;
        if (!is_known)
            config_warn(file, line, "unknown setting \"%.64s\"", key);
        else if (!json_is_string(value))
            return config_fail(err, file, line, "\"%s\" must be a text", key);
    }
    return OK;
}

static int add_joins(const char *file, const struct hcl_item *item, json_t *joins, struct err *err)
{
    json_t *found = hcl_item_json(item);
    json_t *join;
    size_t i, before = json_array_size(joins);
    int rc = OK;

    if (json_is_array(found))
        json_array_extend(joins, found);
    else
        json_array_append(joins, found);
    json_decref(found);
    for (i = before; rc == OK && i < json_array_size(joins); i++) {
        join = json_array_get(joins, i);
        rc = json_is_object(join) ? check_join(file, item->line, join, err)
                                  : config_fail(err, file, item->line, "retry_join is a block");
    }
    return rc;
}

/* As the join API has it. */
static void mark_non_voter(json_t *joins)
{
    json_t *join;
    size_t i;

    json_array_foreach(joins, i, join)
    {
        json_object_set_new(join, "non_voter", json_true());
    }
}

static void forget_storage(struct config *config)
{
    free(config->storage_type);
    free(config->storage_path);
    free(config->node_id);
    json_decref(config->retry_join);
    config->storage_type = config->storage_path = config->node_id = NULL;
    config->retry_join = NULL;
    config->performance_multiplier = config->election_ms = config->heartbeat_ms = 0;
    config->non_voter = config->non_leader = false;
}

static int check_times(const char *file, int line, const struct config *config, struct err *err)
{
    int64_t election_ms = config->election_ms != 0 ? config->election_ms : 300;
    int64_t heartbeat_ms = config->heartbeat_ms != 0 ? config->heartbeat_ms : 50;

    if (election_ms > 60000 || heartbeat_ms * 2 > election_ms)
        return config_fail(err, file, line, "\"election_ms\" is at most a minute, and at least twice \"heartbeat_ms\"");
    if (config->performance_multiplier > 10)
        return config_fail(err, file, line, "\"performance_multiplier\" is at most 10");
    return OK;
}

int config_read_storage(const char *file, const struct hcl_item *item, struct config *config, struct err *err)
{
    const char *type = config_block_type(file, item, err);

    if (type == NULL)
        return ERR_INVALID;
    if (strcmp(type, "raft") != 0 && strcmp(type, "file") != 0 && strcmp(type, "inmem") != 0)
        return config_fail(err, file, item->line,
                           "storage type \"%.64s\" is not supported; there are \"raft\", \"file\" and \"inmem\"", type);
    forget_storage(config);
    config->storage_type = strdup(type);
    config->retry_join = json_array();
    int rc = config_read_keys(file, item->body, storage_keys, config, err);
    for (size_t i = 0; rc == OK && i < item->body->n_items; i++) {
        if (strcmp(item->body->items[i].key, "retry_join") == 0)
            rc = add_joins(file, &item->body->items[i], config->retry_join, err);
    }
    if (config->non_voter)
        mark_non_voter(config->retry_join);
    return rc == OK ? check_times(file, item->line, config, err) : rc;
}
