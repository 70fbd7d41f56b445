/* SPDX-License-Identifier: Apache-2.0 */
#include "server/server.h"

#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/gateway.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "config/config.h"
#include "core/core.h"
#include "server/server_dev.h"
#include "server/server_options.h"

#define DRAIN_MS 10000

struct server {
    struct server_options options;
    struct config *config;
    struct core_options core_options;
    json_t *sanitized; /* the configuration, to be shown */
    struct core *core;
    struct gateway *gateway;
    char data_dir[4096];
    char node_id[CLUSTER_NODE_ID_MAX];
    char api_addr[CLUSTER_ADDR_MAX], cluster_addr[CLUSTER_ADDR_MAX], cluster_listen[CLUSTER_ADDR_MAX];
};

/* ---- What the configuration leaves open ---- */

/* "host:port" with another port; the host as it is. */
static void with_next_port(const char *address, char *ret, size_t size)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL)
        snprintf(ret, size, "%s:8201", address);
    else
        snprintf(ret, size, "%.*s:%d", (int)(colon - address), address, atoi(colon + 1) + 1);
}

/* "https://host:port/" → "host:port". */
static void without_scheme(const char *url, char *ret, size_t size)
{
    const char *host = strstr(url, "://");
    host = host != NULL ? host + 3 : url;
    snprintf(ret, size, "%.*s", (int)strcspn(host, "/"), host);
}

static void without_slash(char *url)
{
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/')
        url[--len] = '\0';
}

static void find_addresses(struct server *server)
{
    const struct config *config = server->config;
    const struct config_listener *listener = &config->listeners[0];
    const char *scheme = listener->tls_disable ? "http" : "https";
    if (config->api_addr != NULL)
        snprintf(server->api_addr, sizeof server->api_addr, "%s", config->api_addr);
    else
        snprintf(server->api_addr, sizeof server->api_addr, "%s://%s", scheme, listener->address);
    without_slash(server->api_addr);
    if (listener->cluster_address != NULL)
        snprintf(server->cluster_listen, sizeof server->cluster_listen, "%s", listener->cluster_address);
    else
        with_next_port(listener->address, server->cluster_listen, sizeof server->cluster_listen);
    if (config->cluster_addr != NULL)
        without_scheme(config->cluster_addr, server->cluster_addr, sizeof server->cluster_addr);
    else
        snprintf(server->cluster_addr, sizeof server->cluster_addr, "%s", server->cluster_listen);
    if (strncmp(server->cluster_addr, "0.0.0.0:", 8) == 0 || strncmp(server->cluster_addr, "[::]:", 5) == 0)
        log_warn("server",
                 "cluster_addr is not set and the listener takes any address: other nodes cannot be told where "
                 "this one is");
}

/* Storage that is not kept has a directory of its own for as long as the server runs. */
static int find_data_dir(struct server *server, struct err *err)
{
    if (server->config->storage_path != NULL) {
        snprintf(server->data_dir, sizeof server->data_dir, "%s", server->config->storage_path);
        return file_make_dir(server->data_dir, 0700, err);
    }
    const char *base = getenv("TMPDIR");
    snprintf(server->data_dir, sizeof server->data_dir, "%s/coffer-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(server->data_dir) == NULL)
        return err_set(err, ERR_IO, "cannot make a directory like %s", server->data_dir);
    return OK;
}

static int find_node_id(struct server *server, struct err *err)
{
    char path[4200], uuid[37];
    struct buf text = BUF_INIT;
    if (server->config->node_id != NULL) {
        snprintf(server->node_id, sizeof server->node_id, "%s", server->config->node_id);
        return OK;
    }
    snprintf(path, sizeof path, "%s/node-id", server->data_dir);
    int rc = file_read(path, sizeof server->node_id - 1, &text, err);
    if (rc == OK)
        snprintf(server->node_id, sizeof server->node_id, "%.*s", (int)strcspn(buf_str(&text), "\r\n"), buf_str(&text));
    buf_close(&text);
    if (rc != ERR_NOTFOUND)
        return rc;
    random_uuid(uuid);
    snprintf(server->node_id, sizeof server->node_id, "%s", uuid);
    return file_replace(path, uuid, strlen(uuid), 0600, err);
}

static void fill_core_options(struct server *server)
{
    const struct config *config = server->config;
    server->core_options.data_dir = server->data_dir;
    server->core_options.storage_type = config->storage_type;
    server->core_options.node_id = server->node_id;
    server->core_options.listen_addr = server->cluster_listen;
    server->core_options.cluster_addr = server->cluster_addr;
    server->core_options.api_addr = server->api_addr;
    server->core_options.cluster_name = config->cluster_name;
    server->core_options.default_lease_ttl_s = config->default_lease_ttl_s;
    server->core_options.max_lease_ttl_s = config->max_lease_ttl_s;
    server->core_options.election_ms = (int)config->election_ms;
    server->core_options.heartbeat_ms = (int)config->heartbeat_ms;
    server->core_options.seal_type = config->seal_type;
    server->core_options.seal = config->seal;
    server->core_options.user_lockout = config->user_lockout;
    server->core_options.non_leader = config->non_leader;
    server->core_options.prometheus_disable = config->prometheus_disable;
    server->core_options.allow_audit_prefix = config->allow_audit_log_prefixing;
    server->core_options.retry_join = config->retry_join;
    server->core_options.drain_ms = (int)config->drain_s * 1000;
    server->core_options.dev_mode = server->options.dev;
    server->sanitized = config_sanitized(config);
    server->core_options.sanitized_config = server->sanitized;
}

/* ---- Starting ---- */

static void set_log(const struct server *server)
{
    enum log_level level = LOG_INFO;
    const char *text = server->options.log_level != NULL ? server->options.log_level : server->config->log_level;
    if (text != NULL && log_parse_level(text, &level) != OK)
        log_warn("server", "no such log level: %s; using info", text);
    bool as_json =
        server->options.log_format != NULL ? strcmp(server->options.log_format, "json") == 0 : server->config->log_json;
    log_configure(level, as_json);
}

static int load_config(struct server *server, struct err *err)
{
    if (server->options.dev)
        return server_dev_config(&server->options, &server->config, err);
    if (server->options.n_configs == 0)
        return err_set(
            err, ERR_INVALID,
            "No configuration files found. Please provide configurations with the -config flag. If you are supplying "
            "the path to a directory, please ensure the directory contains files with the .hcl or .json extension.");
    return config_load(server->options.configs, server->options.n_configs, &server->config, err);
}

static void print_banner(const struct server *server)
{
    const struct config *config = server->config;
    printf("==> Vault server configuration:\n\n");
    printf("%25s: %s\n", "Api Address", server->api_addr);
    printf("%25s: https://%s\n", "Cluster Address", server->cluster_addr);
    for (size_t i = 0; i < config->n_listeners; i++) {
        char label[32];
        snprintf(label, sizeof label, "Listener %zu", i + 1);
        printf("%25s: tcp (addr: \"%s\", cluster address: \"%s\", tls: \"%s\")\n", label, config->listeners[i].address,
               server->cluster_listen, config->listeners[i].tls_disable ? "disabled" : "enabled");
    }
    printf("%25s: %s\n", "Node Id", server->node_id);
    printf("%25s: %s\n", "Storage", config->storage_type);
    printf("%25s: Coffer v%s\n\n", "Version", COFFER_VERSION);
    printf("==> Vault server started! Log data will stream in below:\n\n");
    fflush(stdout);
}

static int write_pid_file(const struct server *server, struct err *err)
{
    char text[32];
    if (server->config->pid_file == NULL)
        return OK;
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    return file_replace(server->config->pid_file, text, (size_t)n, 0644, err);
}

static int start(struct server *server, struct err *err)
{
    int rc = find_data_dir(server, err);
    if (rc == OK)
        rc = find_node_id(server, err);
    if (rc != OK)
        return rc;
    find_addresses(server);
    fill_core_options(server);
    rc = core_open(&server->core_options, &server->core, err);
    if (rc == OK)
        rc = gateway_start(server->core, server->config, &server->gateway, err);
    if (rc == OK)
        rc = write_pid_file(server, err);
    if (rc == OK)
        print_banner(server);
    if (rc == OK && server->options.dev)
        rc = server_dev_prepare(&server->options, server->core, server->api_addr, err);
    return rc;
}

static void stop(struct server *server)
{
    core_drain(server->core, CORE_STOPS);
    core_step_aside(server->core);
    if (server->gateway != NULL)
        gateway_stop(server->gateway, server->core_options.drain_ms, DRAIN_MS);
    core_close(server->core, DRAIN_MS);
    if (server->config->pid_file != NULL)
        unlink(server->config->pid_file);
    if (server->config->storage_path == NULL && server->data_dir[0] != '\0')
        file_remove_tree(server->data_dir, NULL);
}

/* ---- Running ---- */

static void reload(struct server *server)
{
    struct err err = {0};
    struct config *fresh = NULL;
    log_info("server", "reloading certificates, log level and audit files");
    if (gateway_reload(server->gateway, &err) != OK)
        log_error("server", "%s; the old certificates stay in use", err_text(&err));
    core_reload(server->core);
    if (server->options.dev)
        return;
    if (config_load(server->options.configs, server->options.n_configs, &fresh, &err) != OK) {
        log_error("server", "%s; the log level stays as it is", err_text(&err));
        return;
    }
    enum log_level level;
    if (fresh->log_level != NULL && log_parse_level(fresh->log_level, &level) == OK)
        log_set_level(level);
    else
        (void)log_restore(NULL); /* what sys/loggers has set ends here, too */
    config_free(fresh);
}

/* All threads have these blocked; this one waits for them. */
static void run(struct server *server, const sigset_t *signals)
{
    for (int number; sigwait(signals, &number) == 0;) {
        if (number == SIGHUP) {
            reload(server);
            continue;
        }
        printf("==> Vault shutdown triggered\n");
        fflush(stdout);
        return;
    }
}

static void block_signals(sigset_t *ret_signals)
{
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGHUP);
    sigaddset(ret_signals, SIGINT);
    sigaddset(ret_signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
}

int server_main(int argc, char **argv, const struct engine *const *engines,
                const struct audit_device *const *audit_devices)
{
    struct server server = {.core_options = {.engines = engines, .audit_devices = audit_devices}};
    struct err err = {0};
    sigset_t signals;
    int code = server_options_parse(argc, argv, &server.options);
    if (code != 0) {
        server_options_free(&server.options);
        return code < 0 ? 0 : code;
    }
    block_signals(&signals);
    int rc = load_config(&server, &err);
    if (rc == OK) {
        set_log(&server);
        secret_process_init(!server.config->disable_mlock);
        rc = start(&server, &err);
    }
    if (rc == OK)
        run(&server, &signals);
    else
        fprintf(stderr, "Error: %s\n", err_text(&err));
    if (server.config != NULL)
        stop(&server);
    config_free(server.config);
    json_decref(server.sanitized);
    server_options_free(&server.options);
    return rc == OK ? 0 : 1;
}
