/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h — the server's configuration file, in HCL or JSON, with Vault's keys.
 */
#ifndef COFFER_CONFIG_CONFIG_H
#define COFFER_CONFIG_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Addresses and blocks of them: "192.0.2.1", "10.0.0.0/8". */
struct config_blocks {
    char **texts;
    size_t n;
};

struct config_listener {
    char *address;         /* "127.0.0.1:8200" */
    char *cluster_address; /* where peers are listened to; default: the port after address's */
    bool tls_disable;
    char *tls_cert_file, *tls_key_file, *tls_min_version, *tls_max_version, *tls_client_ca_file;
    bool tls_require_and_verify_client_cert;
    bool unauthenticated_metrics_access;            /* of its telemetry stanza */
    bool unauthenticated_in_flight_requests_access; /* of its inflight_requests_logging stanza */
    /* Both true if not given. */
    bool disable_unauthed_rekey_endpoints, disable_unauthed_generate_root_endpoints;
    int64_t max_request_size;
    int64_t max_snapshot_size; /* Coffer's own: of a restore's body */
    int64_t max_request_duration_s;
    char *proxy_protocol_behavior; /* "use_always", "allow_authorized", "deny_unauthorized", or NULL */
    struct config_blocks proxy_protocol_authorized_addrs;
    struct config_blocks x_forwarded_for_authorized_addrs; /* none: the header is not looked at */
    int64_t x_forwarded_for_hop_skips;
    bool x_forwarded_for_reject_not_authorized, x_forwarded_for_reject_not_present;
    json_t *stated; /* what was written, of what is known; NULL for a listener that nobody wrote */
};

struct config {
    struct config_listener *listeners;
    size_t n_listeners;
    char *storage_type; /* "raft", "file", "inmem" */
    char *storage_path; /* NULL for inmem */
    char *node_id;      /* NULL: kept in the data directory */
    json_t *retry_join; /* array of objects with Vault's keys */
    bool non_voter;     /* retry_join_as_non_voter */
    bool non_leader;    /* Coffer's own: the node votes, but does not lead */
    int64_t performance_multiplier;
    char *api_addr, *cluster_addr, *cluster_name, *pid_file, *log_level;
    bool log_json;
    bool disable_mlock, ui;
    bool prometheus_disable;                      /* telemetry: prometheus_retention_time is 0 */
    int64_t default_lease_ttl_s, max_lease_ttl_s; /* 0: not given */
    bool request_forwarding;                      /* standbys forward instead of redirecting */
    bool allow_audit_log_prefixing;
    int64_t drain_s;                   /* Coffer's own: before a step-down and a stop */
    const char *seal_type;             /* "shamir", "static"; NULL: not given */
    json_t *seal;                      /* its settings: texts by Vault's names; or NULL */
    int64_t election_ms, heartbeat_ms; /* Coffer's own, in the storage stanza; 0: not given */
    json_t *user_lockout;              /* by type: settings as of a mount (core/token/lockout.h); or NULL */
};

/*
 * Reads files, and directories' *.hcl and *.json in order of name, into one configuration; later ones win. Then
 * the environment (COFFER_API_ADDR, VAULT_API_ADDR, BAO_API_ADDR; …CLUSTER_ADDR, …RAFT_NODE_ID, …RAFT_PATH,
 * …LOG_LEVEL, …DISABLE_USER_LOCKOUT). Unknown keys are warned of in the log, with file and line. Errors: ERR_INVALID,
 * "file:line: …".
 */
int config_load(const char *const *paths, size_t n, struct config **ret_config, struct err *err) MUST_CHECK;
void config_free(struct config *config);
/* As it may be shown, by Vault's names: nothing secret, nor where a secret lies. A new reference. */
json_t *config_sanitized(const struct config *config);

#endif
