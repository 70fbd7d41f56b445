/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/file.h"
#include "config/config_blocks.h"
#include "config/config_keys.h"
#include "config/hcl.h"

#define DRAIN_S_MAX 60 /* a step-down answers after it, and its client waits */

/* ---- One file ---- */

/* What a file says besides its blocks; the rest goes into the configuration after all were read. */
struct settings {
    struct config *config;
    char *log_format;
    int64_t request_duration_s;
};

#define CONFIG(member) offsetof(struct config, member)

static const struct config_key config_keys[] = {
    {"api_addr", KEY_TEXT, CONFIG(api_addr), config_check_url},
    {"cluster_addr", KEY_TEXT, CONFIG(cluster_addr), config_check_url},
    {"cluster_name", KEY_TEXT, CONFIG(cluster_name), NULL},
    {"pid_file", KEY_TEXT, CONFIG(pid_file), NULL},
    {"log_level", KEY_TEXT, CONFIG(log_level), config_check_log_level},
    {"disable_mlock", KEY_BOOL, CONFIG(disable_mlock), NULL},
    {"ui", KEY_BOOL, CONFIG(ui), NULL},
    {"default_lease_ttl", KEY_SECONDS, CONFIG(default_lease_ttl_s), NULL},
    {"max_lease_ttl", KEY_SECONDS, CONFIG(max_lease_ttl_s), NULL},
    {"request_forwarding", KEY_BOOL, CONFIG(request_forwarding), NULL},
    {"allow_audit_log_prefixing", KEY_BOOL, CONFIG(allow_audit_log_prefixing), NULL},
    {"drain_time", KEY_SECONDS, CONFIG(drain_s), NULL},
    /* Read by the functions below. */
    {"listener", KEY_OTHER, 0, NULL},
    {"storage", KEY_OTHER, 0, NULL},
    {"backend", KEY_OTHER, 0, NULL},
    {"seal", KEY_OTHER, 0, NULL},
    {"audit", KEY_OTHER, 0, NULL},
    {"initialize", KEY_OTHER, 0, NULL},
    {"log_format", KEY_OTHER, 0, NULL},
    {"default_max_request_duration", KEY_OTHER, 0, NULL},
    /* Of no consequence: caches, plugins and editions that are not there. */
    {"cache_size", KEY_OTHER, 0, NULL},
    {"disable_cache", KEY_OTHER, 0, NULL},
    {"disable_sealwrap", KEY_OTHER, 0, NULL},
    {"disable_performance_standby", KEY_OTHER, 0, NULL},
    {"detect_deadlocks", KEY_OTHER, 0, NULL},
    {"imprecise_lease_role_tracking", KEY_OTHER, 0, NULL},
    {"introspection_endpoint", KEY_OTHER, 0, NULL},
    {"raw_storage_endpoint", KEY_OTHER, 0, NULL},
    {"license_path", KEY_OTHER, 0, NULL},
    {"plugin_directory", KEY_OTHER, 0, NULL},
    {"plugin_file_uid", KEY_OTHER, 0, NULL},
    {"plugin_file_permissions", KEY_OTHER, 0, NULL},
    {"enable_response_header_hostname", KEY_OTHER, 0, NULL},
    {"enable_response_header_raft_node_id", KEY_OTHER, 0, NULL},
    {"unsafe_allow_api_audit_creation", KEY_OTHER, 0, NULL},
    {"disable_standby_reads", KEY_OTHER, 0, NULL},
    {"telemetry", KEY_OTHER, 0, NULL}, /* config_telemetry.c */
    {"reporting", KEY_OTHER, 0, NULL},
    /* Somebody might rely on these. */
    {"ha_storage", KEY_WARN, 0, NULL},
    {"ha_backend", KEY_WARN, 0, NULL},
    {"disable_clustering", KEY_WARN, 0, NULL},
    {"disable_printable_check", KEY_WARN, 0, NULL},
    {"service_registration", KEY_WARN, 0, NULL},
    {"plugin", KEY_WARN, 0, NULL},
    {"kms_library", KEY_WARN, 0, NULL},
    {"entropy", KEY_WARN, 0, NULL},
    {"log_file", KEY_WARN, 0, NULL},
    {"log_rotate_bytes", KEY_WARN, 0, NULL},
    {"log_rotate_duration", KEY_WARN, 0, NULL},
    {"log_rotate_max_files", KEY_WARN, 0, NULL},
    {"log_requests_level", KEY_WARN, 0, NULL},
    {0},
};

static const struct config_key file_keys[] = {
    {"log_format", KEY_TEXT, offsetof(struct settings, log_format), config_check_log_format},
    {"default_max_request_duration", KEY_SECONDS, offsetof(struct settings, request_duration_s), NULL},
    {0},
};

/* An audit device that is asked for and not there would go unnoticed until it is needed. */
static int refuse_block(const char *file, const struct hcl_item *item, struct err *err)
{
    if (strcmp(item->key, "audit") == 0)
        return config_fail(err, file, item->line, "audit devices are enabled over the API (sys/audit), not here");
    return config_fail(err, file, item->line, "\"initialize\" is not supported; use the command \"operator init\"");
}

static int read_item(const char *file, const struct hcl_item *item, struct settings *settings, struct err *err)
{
    struct config *config = settings->config;
    struct hcl_body alone = {.items = (struct hcl_item *)item, .n_items = 1};

    if (strcmp(item->key, "listener") == 0)
        return config_read_listener(file, item, config, err);
    if (strcmp(item->key, "storage") == 0 || strcmp(item->key, "backend") == 0)
        return config_read_storage(file, item, config, err);
    if (strcmp(item->key, "seal") == 0)
        return config_read_seal(file, item, config, err);
    if (strcmp(item->key, "telemetry") == 0)
        return config_read_telemetry(file, item, config, err);
    if (strcmp(item->key, "user_lockout") == 0)
        return config_read_lockout(file, item, config, err);
    if (strcmp(item->key, "audit") == 0 || strcmp(item->key, "initialize") == 0)
        return refuse_block(file, item, err);
    for (const struct config_key *key = file_keys; key->name != NULL; key++) {
        if (strcmp(item->key, key->name) == 0)
            return config_read_keys(file, &alone, file_keys, settings, err);
    }
    return config_read_keys(file, &alone, config_keys, config, err);
}

static int read_file(const char *file, struct settings *settings, struct err *err)
{
    struct buf text = BUF_INIT;
    struct hcl *hcl = NULL;
    int rc = file_read(file, HCL_SIZE_MAX, &text, err);

    if (rc == OK) {
        rc = hcl_parse((const char *)text.data, text.len, &hcl, err);
        if (rc != OK)
            err_wrap(err, "%s", file);
    }
    const struct hcl_body *root = rc == OK ? hcl_root(hcl) : NULL;
    for (size_t i = 0; rc == OK && i < root->n_items; i++)
        rc = read_item(file, &root->items[i], settings, err);
    hcl_free(hcl);
    buf_close(&text);
    return rc;
}

/* ---- Directories ---- */

static int is_config_file(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot != NULL && dot != entry->d_name && (strcmp(dot, ".hcl") == 0 || strcmp(dot, ".json") == 0);
}

static int read_directory(const char *dir, struct settings *settings, struct err *err)
{
    struct dirent **entries;
    int n = scandir(dir, &entries, is_config_file, alphasort);
    int rc = OK;

    if (n < 0)
        return err_set(err, ERR_IO, "cannot read %s: %s", dir, strerror(errno));
    if (n == 0)
        rc = err_set(err, ERR_INVALID, "%s holds no .hcl or .json files", dir);
    for (int i = 0; i < n; i++) {
        struct buf path = BUF_INIT;
        buf_printf(&path, "%s/%s", dir, entries[i]->d_name);
        if (rc == OK)
            rc = read_file(buf_str(&path), settings, err);
        buf_close(&path);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

static int read_path(const char *path, struct settings *settings, struct err *err)
{
    struct stat status;

    if (stat(path, &status) != 0)
        return err_set(err, ERR_NOTFOUND, "cannot read %s: %s", path, strerror(errno));
    return S_ISDIR(status.st_mode) ? read_directory(path, settings, err) : read_file(path, settings, err);
}

/* ---- The environment ---- */

/* Our own name first, then those of the two that people come from. */
static const char *environment(const char *name, char *ret_full, size_t size)
{
    static const char *const prefixes[] = {"COFFER", "BAO", "VAULT"};

    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        snprintf(ret_full, size, "%s_%s", prefixes[i], name);
        const char *value = getenv(ret_full);
        if (value != NULL && *value != '\0')
            return value;
    }
    return NULL;
}

/* For whoever is locked out of the settings, too. Any value but "false" and "0". */
static void read_lockout_switch(struct config *config)
{
    char name[64];
    const char *value = environment("DISABLE_USER_LOCKOUT", name, sizeof name);

    if (value == NULL || strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
        return;
    if (config->user_lockout == NULL)
        config->user_lockout = json_object();
    json_object_set_new(config->user_lockout, "disable", json_true());
}

static int read_environment(struct config *config, struct err *err)
{
    const struct {
        const char *name;
        char **text;
        int (*check)(const char *text, struct err *err);
    } variables[] = {
        {"API_ADDR", &config->api_addr, config_check_url},
        {"CLUSTER_ADDR", &config->cluster_addr, config_check_url},
        {"RAFT_NODE_ID", &config->node_id, config_check_node_id},
        {"RAFT_PATH", &config->storage_path, NULL},
        {"LOG_LEVEL", &config->log_level, config_check_log_level},
    };
    char name[64];

    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *value = environment(variables[i].name, name, sizeof name);
        if (value == NULL)
            continue;
        if (variables[i].check != NULL && variables[i].check(value, err) != OK)
            return err_wrap(err, "environment variable %s", name);
        free(*variables[i].text);
        *variables[i].text = strdup(value);
    }
    read_lockout_switch(config);
    return OK;
}

/* ---- The whole ---- */

static int check_config(const struct config *config, struct err *err)
{
    if (config->storage_type == NULL)
        return err_set(err, ERR_INVALID, "no storage is configured; write storage \"raft\" { path = \"…\" }");
    if (strcmp(config->storage_type, "inmem") != 0 && config->storage_path == NULL)
        return err_set(err, ERR_INVALID, "storage \"%s\" has no \"path\"", config->storage_type);
    if (config->n_listeners == 0)
        return err_set(err, ERR_INVALID, "no listener is configured; write listener \"tcp\" { … }");
    if (config->cluster_addr != NULL && strncmp(config->cluster_addr, "https://", 8) != 0)
        return err_set(err, ERR_INVALID, "cluster_addr must begin with \"https://\"");
    if (config->drain_s > DRAIN_S_MAX)
        return err_set(err, ERR_INVALID, "drain_time is at most %d seconds", DRAIN_S_MAX);
    if (config->default_lease_ttl_s > 0 && config->max_lease_ttl_s > 0 &&
        config->default_lease_ttl_s > config->max_lease_ttl_s)
        return err_set(err, ERR_INVALID, "default_lease_ttl is longer than max_lease_ttl");
    return OK;
}

static void apply_settings(const struct settings *settings)
{
    struct config *config = settings->config;

    config->log_json = settings->log_format != NULL && strcmp(settings->log_format, "json") == 0;
    for (size_t i = 0; i < config->n_listeners; i++) {
        if (config->listeners[i].max_request_duration_s == 0)
            config->listeners[i].max_request_duration_s = settings->request_duration_s;
    }
}

int config_load(const char *const *paths, size_t n, struct config **ret_config, struct err *err)
{
    struct config *config = calloc(1, sizeof *config);
    struct settings settings = {.config = config};
    int rc = OK;

    if (config == NULL)
        abort();
    for (size_t i = 0; rc == OK && i < n; i++)
        rc = read_path(paths[i], &settings, err);
    if (rc == OK)
        rc = read_environment(config, err);
    if (rc == OK)
        rc = check_config(config, err);
    if (rc == OK) {
        apply_settings(&settings);
        *ret_config = config;
    } else {
        config_free(config);
    }
    free(settings.log_format);
    return rc;
}

static void free_blocks(struct config_blocks *blocks)
{
    for (size_t i = 0; i < blocks->n; i++)
        free(blocks->texts[i]);
    free(blocks->texts);
}

static void free_listener(struct config_listener *listener)
{
    free(listener->address);
    free(listener->cluster_address);
    free(listener->tls_cert_file);
    free(listener->tls_key_file);
    free(listener->tls_min_version);
    free(listener->tls_max_version);
    free(listener->tls_client_ca_file);
    free(listener->proxy_protocol_behavior);
    free_blocks(&listener->proxy_protocol_authorized_addrs);
    free_blocks(&listener->x_forwarded_for_authorized_addrs);
    json_decref(listener->stated);
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->n_listeners; i++)
        free_listener(&config->listeners[i]);
    free(config->listeners);
    free(config->storage_type);
    free(config->storage_path);
    free(config->node_id);
    json_decref(config->retry_join);
    json_decref(config->seal);
    json_decref(config->user_lockout);
    free(config->api_addr);
    free(config->cluster_addr);
    free(config->cluster_name);
    free(config->pid_file);
    free(config->log_level);
    free(config);
}
