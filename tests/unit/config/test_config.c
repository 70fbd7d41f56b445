/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "config/config.h"

#define LISTENER "listener \"tcp\" { tls_disable = true }\n"
#define STORAGE  "storage \"raft\" { path = \"/data\" }\n"

static char dir[] = "/tmp/coffer-config-XXXXXX";

static const char *write_file(const char *name, const char *text)
{
    static char path[128];
    struct err err = {0};

    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(file_replace(path, text, strlen(text), 0600, &err), OK);
    return path;
}

static void forget_file(const char *name)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    (void)unlink(path);
}

static struct config *load(const char *name, const char *text)
{
    const char *path = write_file(name, text);
    struct config *config = NULL;
    struct err err = {0};

    if (config_load(&path, 1, &config, &err) != OK)
        fail_msg("%s", err_text(&err));
    return config;
}

static void assert_refused(const char *name, const char *text, const char *sentence)
{
    const char *path = write_file(name, text);
    struct config *config = NULL;
    struct err err = {0};

    assert_int_equal(config_load(&path, 1, &config, &err), ERR_INVALID);
    assert_null(config);
    if (strstr(err_text(&err), sentence) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", sentence, err_text(&err));
}

static void whole(void **state)
{
    struct config *config = load("c.hcl", "ui = true\n"
                                          "disable_mlock = \"true\"\n"
                                          "api_addr = \"https://a.example:8200\"\n"
                                          "cluster_addr = \"https://a.example:8201\"\n"
                                          "cluster_name = \"prod\"\n"
                                          "pid_file = \"/run/coffer.pid\"\n"
                                          "log_level = \"warn\"\n"
                                          "log_format = \"json\"\n"
                                          "default_lease_ttl = \"1h\"\n"
                                          "max_lease_ttl = 7200\n"
                                          "default_max_request_duration = \"30s\"\n"
                                          "storage \"raft\" {\n"
                                          "  path = \"/data\"\n"
                                          "  node_id = \"n1\"\n"
                                          "  performance_multiplier = 1\n"
                                          "  election_ms = 400\n"
                                          "  heartbeat_ms = \"60\"\n"
                                          "  retry_join { leader_api_addr = \"https://b:8200\" }\n"
                                          "  retry_join {\n"
                                          "    leader_api_addr = \"https://c:8200\"\n"
                                          "    leader_ca_cert_file = \"/ca.pem\"\n"
                                          "  }\n"
                                          "}\n"
                                          "listener \"tcp\" {\n"
                                          "  address = \"[::]:8200\"\n"
                                          "  cluster_address = \"[::]:8201\"\n"
                                          "  tls_cert_file = \"/c.pem\"\n"
                                          "  tls_key_file = \"/k.pem\"\n"
                                          "  tls_min_version = \"tls13\"\n"
                                          "  tls_client_ca_file = \"/ca.pem\"\n"
                                          "  tls_require_and_verify_client_cert = true\n"
                                          "  max_request_size = 1000\n"
                                          "  max_request_duration = \"5s\"\n"
                                          "}\n"
                                          "listener \"tcp\" { tls_disable = 1 }\n"
                                          "seal \"shamir\" {}\n"
                                          "telemetry { disable_hostname = true }\n");

    (void)state;
    assert_true(config->ui && config->disable_mlock && config->log_json);
    assert_string_equal(config->api_addr, "https://a.example:8200");
    assert_string_equal(config->cluster_addr, "https://a.example:8201");
    assert_string_equal(config->cluster_name, "prod");
    assert_string_equal(config->pid_file, "/run/coffer.pid");
    assert_string_equal(config->log_level, "warn");
    assert_int_equal(config->default_lease_ttl_s, 3600);
    assert_int_equal(config->max_lease_ttl_s, 7200);
    assert_string_equal(config->storage_type, "raft");
    assert_string_equal(config->storage_path, "/data");
    assert_string_equal(config->node_id, "n1");
    assert_int_equal(config->performance_multiplier, 1);
    assert_int_equal(config->election_ms, 400);
    assert_int_equal(config->heartbeat_ms, 60);
    assert_int_equal(json_array_size(config->retry_join), 2);
    assert_string_equal(json_str(json_array_get(config->retry_join, 1), "leader_ca_cert_file", ""), "/ca.pem");
    assert_int_equal(config->n_listeners, 2);
    assert_string_equal(config->listeners[0].address, "[::]:8200");
    assert_string_equal(config->listeners[0].cluster_address, "[::]:8201");
    assert_string_equal(config->listeners[0].tls_min_version, "tls13");
    assert_true(config->listeners[0].tls_require_and_verify_client_cert);
    assert_int_equal(config->listeners[0].max_request_size, 1000);
    assert_int_equal(config->listeners[0].max_request_duration_s, 5);
    assert_true(config->listeners[1].tls_disable);
    assert_string_equal(config->listeners[1].address, "127.0.0.1:8200");
    assert_int_equal(config->listeners[1].max_request_duration_s, 30);
    config_free(config);
}

static void json(void **state)
{
    struct config *config = load(
        "c.json", "{\"storage\":{\"raft\":{\"path\":\"/data\",\"retry_join\":[{\"leader_api_addr\":\"https://b\"}]}},"
                  "\"listener\":[{\"tcp\":{\"tls_disable\":\"true\",\"address\":\"127.0.0.1:1\"}},"
                  "{\"tcp\":{\"tls_disable\":1,\"address\":\"127.0.0.1:2\"}}],\"max_lease_ttl\":\"10h\"}");

    (void)state;
    assert_string_equal(config->storage_path, "/data");
    assert_int_equal(json_array_size(config->retry_join), 1);
    assert_int_equal(config->n_listeners, 2);
    assert_string_equal(config->listeners[1].address, "127.0.0.1:2");
    assert_int_equal(config->max_lease_ttl_s, 36000);
    config_free(config);
    assert_refused("c.json", "{\"storage\":{\"raft\":{\"path\":1}}}", "c.json: \"path\" must be a text");
    forget_file("c.json");
}

static void directory(void **state)
{
    const char *path = dir;
    struct config *config = NULL;
    struct err err = {0};

    (void)state;
    forget_file("c.hcl");
    assert_int_equal(config_load(&path, 1, &config, &err), ERR_INVALID);
    write_file("2.hcl", "cluster_name = \"two\"\n" LISTENER);
    write_file("1.json", "{\"cluster_name\":\"one\",\"storage\":{\"file\":{\"path\":\"/f\"}}}");
    write_file("3.txt", "this is no configuration");
    assert_int_equal(config_load(&path, 1, &config, &err), OK);
    assert_string_equal(config->cluster_name, "two");
    assert_string_equal(config->storage_type, "file");
    config_free(config);
    forget_file("1.json");
    forget_file("2.hcl");
    forget_file("3.txt");
    path = "/dev/null/missing";
    assert_int_equal(config_load(&path, 1, &config, &err), ERR_NOTFOUND);
}

static void later_wins(void **state)
{
    char first[128];
    struct config *config = NULL;
    struct err err = {0};

    (void)state;
    snprintf(first, sizeof first, "%s",
             write_file("a.hcl", "storage \"raft\" { path = \"/a\" node_id = \"a\" }\n" LISTENER));
    const char *paths[] = {first, write_file("b.hcl", "storage \"raft\" { path = \"/b\" }\n")};
    assert_int_equal(config_load(paths, 2, &config, &err), OK);
    assert_string_equal(config->storage_path, "/b");
    assert_null(config->node_id);
    config_free(config);
    forget_file("a.hcl");
    forget_file("b.hcl");
}

static void errors(void **state)
{
    (void)state;
    assert_refused("c.hcl", STORAGE "listener \"tcp\" { address = \"127.0.0.1:8200\" }\n",
                   "c.hcl:2: the listener has no \"tls_cert_file\"");
    assert_refused("c.hcl", STORAGE "listener \"tcp\" { tls_cert_file = \"/c\" }\n", "\"tls_key_file\"");
    assert_refused("c.hcl", LISTENER, "no storage is configured");
    assert_refused("c.hcl", STORAGE, "no listener is configured");
    assert_refused("c.hcl", LISTENER "storage \"raft\" {}\n", "storage \"raft\" has no \"path\"");
    assert_refused("c.hcl", LISTENER "storage \"consul\" {}\n", "c.hcl:2: storage type \"consul\" is not supported");
    assert_refused("c.hcl", "storage {}\n", "c.hcl:1: write it as storage \"type\" { … }");
    assert_refused("c.hcl", "listener \"unix\" {}\n", "listener type \"unix\"");
    assert_refused("c.hcl", "\n\nseal \"awskms\" {}\n", "c.hcl:3: seal type \"awskms\"");
    assert_refused("c.hcl", "audit \"file\" \"a\" {}\n", "sys/audit");
    assert_refused("c.hcl", "default_lease_ttl = \"1w\"\n", "c.hcl:1: \"default_lease_ttl\" must be a duration");
    assert_refused("c.hcl", "default_lease_ttl = \"-1h\"\n", "must be a duration");
    assert_refused("c.hcl", "ui = \"maybe\"\n", "\"ui\" must be true or false");
    assert_refused("c.hcl", "ui {}\n", "\"ui\" is a setting, not a block");
    assert_refused("c.hcl", "log_level = \"loud\"\n", "\"log_level\": there are");
    assert_refused("c.hcl", "log_format = \"xml\"\n", "\"log_format\": there are");
    assert_refused("c.hcl", "api_addr = \"vault:8200\"\n", "c.hcl:1: \"api_addr\": \"vault:8200\" is no URL");
    assert_refused("c.hcl", STORAGE LISTENER "cluster_addr = \"http://a:1\"\n", "cluster_addr must begin");
    assert_refused("c.hcl", STORAGE LISTENER "default_lease_ttl = 3\nmax_lease_ttl = 2\n", "longer than");
    assert_refused("c.hcl", "storage \"raft\" { node_id = \"a b\" }\n", "\"node_id\": ");
    assert_refused("c.hcl", "storage \"raft\" { election_ms = 60 heartbeat_ms = 50 }\n", "at least twice");
    assert_refused("c.hcl", "storage \"raft\" { election_ms = -1 }\n", "not negative");
    assert_refused("c.hcl", "storage \"raft\" { retry_join { } }\n", "leader_api_addr");
    assert_refused("c.hcl", "storage \"raft\" { retry_join = \"x\" }\n", "retry_join is a block");
    assert_refused("c.hcl", "storage \"raft\" { retry_join { leader_api_addr = \"b:1\" } }\n", "is no URL");
    assert_refused("c.hcl", "a = [\n", "c.hcl: line 2, column 1: expected a value, found the end");
}

static void addresses(void **state)
{
    static const char *const bad[] = {"127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:80x",
                                      "::1:8200",  "[::1]",      "[::1:8200",   "a:b:1",           "127.0.0.1:-1",
                                      ""};
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, STORAGE "listener \"tcp\" {\n tls_disable = true\n address = \"%s\"\n}\n", bad[i]);
        assert_refused("c.hcl", text, "c.hcl:4: \"address\": ");
    }
    config_free(load("c.hcl", STORAGE "listener \"tcp\" { tls_disable = true address = \":8200\" }"));
}

static void environment(void **state)
{
    struct err err = {0};
    struct config *config;
    const char *path;

    (void)state;
    setenv("VAULT_API_ADDR", "https://vault:1", 1);
    setenv("BAO_API_ADDR", "https://bao:1", 1);
    setenv("VAULT_RAFT_NODE_ID", "from-env", 1);
    setenv("COFFER_RAFT_PATH", "/env", 1);
    setenv("VAULT_LOG_LEVEL", "", 1);
    config = load("c.hcl", "api_addr = \"https://file:1\"\nstorage \"raft\" {}\n" LISTENER);
    assert_string_equal(config->api_addr, "https://bao:1");
    assert_string_equal(config->node_id, "from-env");
    assert_string_equal(config->storage_path, "/env");
    assert_null(config->log_level);
    config_free(config);
    setenv("COFFER_CLUSTER_ADDR", "nonsense", 1);
    path = write_file("c.hcl", STORAGE LISTENER);
    assert_int_equal(config_load(&path, 1, &config, &err), ERR_INVALID);
    assert_non_null(strstr(err_text(&err), "environment variable COFFER_CLUSTER_ADDR: "));
    unsetenv("VAULT_API_ADDR");
    unsetenv("BAO_API_ADDR");
    unsetenv("VAULT_RAFT_NODE_ID");
    unsetenv("COFFER_RAFT_PATH");
    unsetenv("VAULT_LOG_LEVEL");
    unsetenv("COFFER_CLUSTER_ADDR");
}

/* The log goes to standard error; what is said there while text is loaded. */
static void assert_warns(const char *text, const char *sentence)
{
    char log[128], said[4096];

    snprintf(log, sizeof log, "%s/log", dir);
    int saved = dup(STDERR_FILENO);
    FILE *file = freopen(log, "w", stderr);
    assert_non_null(file);
    config_free(load("c.hcl", text));
    fflush(stderr);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(saved);
    file = fopen(log, "r");
    said[fread(said, 1, sizeof said - 1, file)] = '\0';
    fclose(file);
    (void)unlink(log);
    if (sentence == NULL)
        assert_string_equal(said, "");
    else if (strstr(said, sentence) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", sentence, said);
}

static void warnings(void **state)
{
    (void)state;
    assert_warns(STORAGE LISTENER "cache_size = 5\ntelemetry { disable_hostname = true }\n", NULL);
    assert_warns(STORAGE LISTENER "telemetry { statsd_address = \"a\" }\n", "\"statsd_address\" has no effect here");
    assert_warns(STORAGE LISTENER "frobnicate = 5\n", "c.hcl:3: unknown setting \"frobnicate\"");
    assert_warns(STORAGE LISTENER "frobnicate \"x\" {}\n", "c.hcl:3: unknown setting \"frobnicate\"");
    assert_warns(STORAGE LISTENER "disable_clustering = true\n", "c.hcl:3: \"disable_clustering\" has no effect here");
    assert_warns(STORAGE "listener \"tcp\" {\n tls_disable = true\n tls_cpiher = 1\n}\n", "c.hcl:4: unknown setting");
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"every setting arrives where it belongs", whole, NULL, NULL, NULL},
        {"JSON says the same as HCL", json, NULL, NULL, NULL},
        {"a directory's files are read in order of name, others are left alone", directory, NULL, NULL, NULL},
        {"a later file's storage replaces an earlier one's whole", later_wins, NULL, NULL, NULL},
        {"what is wrong is refused, with file and line", errors, NULL, NULL, NULL},
        {"addresses without host or port are refused", addresses, NULL, NULL, NULL},
        {"the environment wins over the files", environment, NULL, NULL, NULL},
        {"unknown settings are warned of, known ones without effect too", warnings, NULL, NULL, NULL},
    };

    json_setup();
    log_configure(LOG_WARN, false);
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
