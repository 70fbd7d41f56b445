/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes.c — the map of sys/: every path, what guards it, and who answers.
 */
#include "sys/handlers.h"
#include "sys/sys.h"

/* Answered by every node, sealed or not, without a token and without an envelope. */
#define BARE (ROUTE_LOCAL | ROUTE_UNAUTH | ROUTE_PLAIN | ROUTE_NO_AUDIT)

/* Another key in new shares, and a root token: with a token, or without where the listener is configured so. */
#define REKEY_ROUTES(base, flags)                                                                                        \
    {base "/init", OP_READ, sys_rekey_status, (flags) | ROUTE_BLOCKS, "How far a rekey is.", NULL, NULL},                \
        {base "/init", OP_UPDATE, sys_rekey_init, (flags) | ROUTE_BLOCKS, "Begin a rekey.", sys_rekey_fields, NULL},     \
        {base "/init", OP_DELETE, sys_rekey_cancel, (flags), "Give up a rekey.", sys_rekey_fields, NULL},                \
        {base "/update",   OP_UPDATE, sys_rekey_update, (flags) | ROUTE_BLOCKS, "Give a share of the present key.",      \
         sys_share_fields, NULL},                                                                                        \
        {base "/verify", OP_READ, sys_rekey_verify_status, (flags), "How far verifying the new shares is.", NULL, NULL}, \
        {base "/verify",   OP_UPDATE, sys_rekey_verify_update, (flags) | ROUTE_BLOCKS, "Give a share of the new key.",   \
         sys_share_fields, NULL},                                                                                        \
    {                                                                                                                    \
        base "/verify", OP_DELETE, sys_rekey_verify_restart, (flags), "Begin verifying again.", NULL, NULL               \
    }
#define BACKUP_ROUTES(path)                                                                                            \
    {path, OP_READ, sys_rekey_backup_read, ROUTE_SUDO | ROUTE_INJECT, "The shares that were kept, encrypted.",         \
     NULL, NULL},                                                                                                      \
    {                                                                                                                  \
        path, OP_DELETE, sys_rekey_backup_delete, ROUTE_SUDO, "Forget the shares that were kept.", NULL, NULL          \
    }
#define ROOT_TOKEN_ROUTES(path, flags)                                                                                 \
    {path, OP_READ, sys_root_token_status, (flags) | ROUTE_BLOCKS, "How far generating a root token is.", NULL, NULL}, \
        {path,                                                                                                         \
         OP_UPDATE,                                                                                                    \
         sys_root_token_init,                                                                                          \
         (flags) | ROUTE_BLOCKS,                                                                                       \
         "Begin generating a root token.",                                                                             \
         sys_root_token_fields,                                                                                        \
         NULL},                                                                                                        \
    {                                                                                                                  \
        path, OP_DELETE, sys_root_token_cancel, (flags), "Give up generating a root token.", NULL, NULL                \
    }
#define OPEN_REKEY (ROUTE_OPEN_REKEY | ROUTE_PLAIN)
#define OPEN_ROOT  (ROUTE_OPEN_ROOT | ROUTE_PLAIN)

static const struct route routes[] = {
    {"init", OP_READ, sys_init_read, BARE, "Whether the cluster is initialized.", NULL, NULL},
    {"init", OP_UPDATE, sys_init_write, BARE | ROUTE_BLOCKS, "Create a cluster: its keys and its root token.",
     sys_init_fields, NULL},
    {"seal-status", OP_READ, sys_seal_status, BARE | ROUTE_BLOCKS,
     "Whether this node is sealed, and how far unsealing is.", NULL, NULL},
    {"unseal", OP_UPDATE, sys_unseal, BARE | ROUTE_BLOCKS, "Give one unseal key.", sys_unseal_fields, NULL},
    {"health", OP_READ, sys_health, BARE, "Whether this node should be sent requests; the status code says it.", NULL,
     NULL},
    {"leader", OP_READ, sys_leader, BARE, "Which node is active.", NULL, NULL},
    {"storage/raft/join", OP_UPDATE, sys_raft_join, BARE | ROUTE_BLOCKS, "Make this new node join a cluster.",
     sys_raft_join_fields, NULL},

    {"seal", OP_UPDATE, sys_seal, ROUTE_LOCAL | ROUTE_SUDO | ROUTE_BLOCKS | ROUTE_RESCUES, "Seal this node.", NULL,
     NULL},
    {"step-down", OP_UPDATE, sys_step_down, ROUTE_LOCAL | ROUTE_SUDO | ROUTE_BLOCKS | ROUTE_RESCUES,
     "Hand over leadership.", sys_step_down_fields, NULL},
    {"rotate", OP_UPDATE, sys_rotate, ROUTE_SUDO | ROUTE_BLOCKS, "Encrypt with a new key from now on.", NULL, NULL},
    {"rotate/keyring", OP_UPDATE, sys_rotate, ROUTE_SUDO | ROUTE_BLOCKS, "Encrypt with a new key from now on.", NULL,
     NULL},
    {"rotate/config", OP_READ, sys_rotate_config_read, 0, "When the key is rotated without being asked.", NULL, NULL},
    {"rotate/config", OP_UPDATE, sys_rotate_config_write, 0, "Set when the key is rotated without being asked.",
     sys_rotate_config_fields, NULL},
    {"rotate/keyring/config", OP_READ, sys_rotate_config_read, 0, "When the key is rotated without being asked.", NULL,
     NULL},
    {"rotate/keyring/config", OP_UPDATE, sys_rotate_config_write, 0, "Set when the key is rotated without being asked.",
     sys_rotate_config_fields, NULL},
    {"key-status", OP_READ, sys_key_status, ROUTE_INJECT, "The key that is encrypted with, and how often it was.", NULL,
     NULL},
    REKEY_ROUTES("rekey", OPEN_REKEY),
    REKEY_ROUTES("rekey-recovery-key", OPEN_REKEY),
    REKEY_ROUTES("rotate/root", 0),
    REKEY_ROUTES("rotate/recovery", 0),
    BACKUP_ROUTES("rekey/backup"),
    BACKUP_ROUTES("rekey/recovery-key-backup"),
    BACKUP_ROUTES("rotate/root/backup"),
    BACKUP_ROUTES("rotate/recovery/backup"),
    ROOT_TOKEN_ROUTES("generate-root", OPEN_ROOT),
    ROOT_TOKEN_ROUTES("generate-root/attempt", OPEN_ROOT),
    ROOT_TOKEN_ROUTES("generate-root-token/attempt", 0),
    {"generate-root/update", OP_UPDATE, sys_root_token_update, OPEN_ROOT | ROUTE_BLOCKS,
     "Give a share for a root token.", sys_share_fields, NULL},
    {"generate-root-token/update", OP_UPDATE, sys_root_token_update, ROUTE_BLOCKS, "Give a share for a root token.",
     sys_share_fields, NULL},
    {"decode-token", OP_UPDATE, sys_decode_token, ROUTE_UNAUTH, "The root token out of what generate-root told.",
     sys_decode_token_fields, NULL},
    {"metrics", OP_READ, sys_metrics, ROUTE_LOCAL | ROUTE_OPEN_METRICS,
     "What this node counts; with ?format=prometheus as text.", NULL, NULL},
    {"in-flight-req", OP_READ, sys_in_flight, ROUTE_LOCAL | ROUTE_PLAIN | ROUTE_OPEN_IN_FLIGHT,
     "The requests that this node is working on.", NULL, NULL},
    {"host-info", OP_READ, sys_host_info, ROUTE_LOCAL | ROUTE_BLOCKS, "The machine that this node runs on.", NULL,
     NULL},
    {"config/state/sanitized", OP_READ, sys_config_sanitized, ROUTE_LOCAL,
     "How this node is configured, without secrets.", NULL, NULL},
    {"ha-status", OP_READ, sys_ha_status, ROUTE_INJECT, "The nodes, and what is known of each.", NULL, NULL},

    {"storage/raft/bootstrap/challenge", OP_UPDATE, sys_raft_challenge, ROUTE_UNAUTH | ROUTE_NO_AUDIT,
     "A joining node asks for what it must answer.", sys_raft_server_fields, NULL},
    {"storage/raft/bootstrap/answer", OP_UPDATE, sys_raft_answer, ROUTE_UNAUTH | ROUTE_BLOCKS,
     "A joining node proves that it has the unseal keys.", sys_raft_answer_fields, NULL},
    {"storage/raft/configuration", OP_READ, sys_raft_configuration, 0, "The members of the Raft group.", NULL, NULL},
    {"storage/raft/remove-peer", OP_UPDATE, sys_raft_remove_peer, ROUTE_BLOCKS, "Take a member out of the Raft group.",
     sys_raft_server_fields, NULL},
    {"storage/raft/promote", OP_UPDATE, sys_raft_promote, ROUTE_BLOCKS, "Give a member a vote.", sys_raft_server_fields,
     NULL},
    {"storage/raft/demote", OP_UPDATE, sys_raft_demote, ROUTE_BLOCKS, "Take a member's vote from it.",
     sys_raft_server_fields, NULL},
    {"storage/raft/autopilot/state", OP_READ, sys_autopilot_state, 0, "How well the members are.", NULL, NULL},
    {"storage/raft/autopilot/configuration", OP_READ, sys_autopilot_config_read, 0,
     "What the cluster may do with its members by itself.", NULL, NULL},
    {"storage/raft/autopilot/configuration", OP_UPDATE, sys_autopilot_config_write, ROUTE_BLOCKS,
     "Set what the cluster may do with its members by itself.", sys_autopilot_fields, NULL},
    {"storage/raft/snapshot", OP_READ, sys_snapshot_save, ROUTE_BLOCKS, "Save the state as a snapshot.", NULL, NULL},
    {"storage/raft/snapshot", OP_UPDATE, sys_snapshot_restore, ROUTE_BLOCKS | ROUTE_SEALS,
     "Put a snapshot of this cluster in the state's place.", NULL, NULL},
    {"storage/raft/snapshot-force", OP_UPDATE, sys_snapshot_restore_force, ROUTE_BLOCKS | ROUTE_SEALS,
     "Put a snapshot of any cluster in the state's place; the nodes must be unsealed with its keys then.", NULL, NULL},
    {"storage/raft/snapshot-verify", OP_UPDATE, sys_snapshot_verify, ROUTE_BLOCKS,
     "Check a snapshot as a restore would, and change nothing.", NULL, NULL},
    {"storage/raft/snapshot-auto/config", OP_LIST, sys_snapshot_auto_list, ROUTE_SUDO,
     "The names of the configurations by which snapshots are saved.", NULL, NULL},
    {"storage/raft/snapshot-auto/config/", OP_LIST, sys_snapshot_auto_list, ROUTE_SUDO,
     "The names of the configurations by which snapshots are saved.", NULL, NULL},
    {"storage/raft/snapshot-auto/config/:name", OP_READ, sys_snapshot_auto_read, ROUTE_SUDO,
     "A configuration, without its credentials.", NULL, NULL},
    {"storage/raft/snapshot-auto/config/:name", OP_UPDATE, sys_snapshot_auto_write, ROUTE_SUDO,
     "Have snapshots saved again and again.", sys_snapshot_auto_fields, NULL},
    {"storage/raft/snapshot-auto/config/:name", OP_DELETE, sys_snapshot_auto_delete, ROUTE_SUDO,
     "Save no more snapshots by it; those that were stay.", NULL, NULL},
    {"storage/raft/snapshot-auto/status/:name", OP_READ, sys_snapshot_auto_status, ROUTE_SUDO,
     "How it went the last time, and when it is to happen next.", NULL, NULL},
    {"storage/raft/quarantine", OP_READ, sys_quarantine_read, ROUTE_SUDO,
     "What had ended when a snapshot was restored, and waits for a decision.", sys_quarantine_fields, NULL},
    {"storage/raft/quarantine/revoke", OP_UPDATE, sys_quarantine_revoke, ROUTE_SUDO,
     "End the quarantine: what had ended is revoked.", NULL, NULL},
    {"storage/raft/quarantine/extend", OP_UPDATE, sys_quarantine_extend, ROUTE_SUDO | ROUTE_BLOCKS,
     "End the quarantine: leases that had ended get a new end.", sys_quarantine_fields, NULL},

    {"mounts", OP_READ, sys_mounts_list, ROUTE_INJECT, "The secrets engines and where they are.", NULL, NULL},
    {"mounts/*path", OP_READ, sys_mounts_read, ROUTE_INJECT, "One secrets engine; with /tune: its settings.", NULL,
     NULL},
    {"mounts/*path", OP_UPDATE, sys_mounts_write, 0, "Enable a secrets engine; with /tune: change its settings.",
     sys_mount_fields, NULL},
    {"mounts/*path", OP_DELETE, sys_mounts_delete, ROUTE_BLOCKS,
     "Disable a secrets engine: its leases are revoked, its data wiped.", NULL, NULL},
    {"auth", OP_READ, sys_auth_list, ROUTE_INJECT, "The auth methods and where they are.", NULL, NULL},
    {"auth/*path", OP_READ, sys_auth_read, ROUTE_INJECT | ROUTE_SUDO, "One auth method; with /tune: its settings.",
     NULL, NULL},
    {"auth/*path", OP_UPDATE, sys_auth_write, ROUTE_SUDO, "Enable an auth method; with /tune: change its settings.",
     sys_mount_fields, NULL},
    {"auth/*path", OP_DELETE, sys_auth_delete, ROUTE_SUDO | ROUTE_BLOCKS,
     "Disable an auth method: its tokens are revoked, its data wiped.", NULL, NULL},
    {"internal/counters/tokens", OP_READ, sys_counters_tokens, ROUTE_BLOCKS, "How many service tokens there are.", NULL,
     NULL},
    {"internal/counters/entities", OP_READ, sys_counters_entities, 0, "How many entities there are.", NULL, NULL},
    {"internal/counters/requests", OP_READ, sys_counters_requests, 0, NULL, NULL, NULL},
    {"internal/ui/mounts", OP_READ, sys_ui_mounts_list, ROUTE_UNAUTH, "The mounts that the caller may use.", NULL,
     NULL},
    {"internal/ui/mounts/*path", OP_READ, sys_ui_mounts_read, ROUTE_UNAUTH, "The mount that a path belongs to.", NULL,
     NULL},

    {"internal/specs/openapi", OP_READ, sys_openapi, ROUTE_UNAUTH | ROUTE_PLAIN,
     "The paths of the mounts that the caller may use, as OpenAPI.", sys_openapi_fields, NULL},
    {"remount", OP_UPDATE, sys_remount, ROUTE_SUDO | ROUTE_INJECT | ROUTE_BLOCKS,
     "Give a mount another path; what it has given out is revoked.", sys_remount_fields, NULL},
    {"remount/status/:migration_id", OP_READ, sys_remount_status, 0, "What became of a move.", NULL, NULL},

    {"policy", OP_READ, sys_policy_list, ROUTE_INJECT, "The names of the policies.", NULL, NULL},
    {"policy/", OP_LIST, sys_policy_list, ROUTE_INJECT, "The names of the policies.", NULL, NULL},
    {"policy/*name", OP_READ, sys_policy_read, ROUTE_FOLDS | ROUTE_INJECT, "The text of a policy.", NULL, NULL},
    {"policy/*name", OP_UPDATE, sys_policy_write, ROUTE_FOLDS, "Write a policy.", sys_policy_fields, NULL},
    {"policy/*name", OP_DELETE, sys_policy_delete, ROUTE_FOLDS, "Delete a policy.", NULL, NULL},
    {"policies/acl/", OP_LIST, sys_policies_acl_list, 0, "The names of the policies.", NULL, NULL},
    {"policies/acl/*name", OP_LIST, sys_policies_acl_list, 0, "The names of the policies below a prefix.", NULL, NULL},
    {"policies/acl/*name", OP_READ, sys_policies_acl_read, ROUTE_FOLDS, "The text of a policy.", NULL, NULL},
    {"policies/acl/*name", OP_UPDATE, sys_policy_write, ROUTE_FOLDS, "Write a policy.", sys_policy_fields, NULL},
    {"policies/acl/*name", OP_DELETE, sys_policy_delete, ROUTE_FOLDS, "Delete a policy.", NULL, NULL},
    {"policies/password/", OP_LIST, sys_password_list, 0, "The names of the password policies.", NULL, NULL},
    {"policies/password/:name/generate", OP_READ, sys_password_generate, 0, "A password by a policy.", NULL, NULL},
    {"policies/password/:name", OP_READ, sys_password_read, 0, "The text of a password policy.", NULL, NULL},
    {"policies/password/:name", OP_UPDATE, sys_password_write, 0, "Write a password policy.", sys_password_fields,
     NULL},
    {"policies/password/:name", OP_DELETE, sys_password_delete, 0, "Delete a password policy.", NULL, NULL},
    {"capabilities", OP_UPDATE, sys_capabilities, ROUTE_INJECT, "What a token may do on paths.",
     sys_capabilities_fields, NULL},
    {"capabilities-self", OP_UPDATE, sys_capabilities_self, ROUTE_INJECT, "What the caller may do on paths.",
     sys_capabilities_fields, NULL},
    {"capabilities-accessor", OP_UPDATE, sys_capabilities_accessor, ROUTE_INJECT,
     "What an accessor's token may do on paths.", sys_capabilities_fields, NULL},

    {"leases", OP_READ, sys_leases_failing, ROUTE_SUDO, "The leases that could not be revoked time and again.",
     sys_leases_failing_fields, NULL},
    {"leases/count", OP_READ, sys_leases_count, 0, "How many leases could not be revoked time and again, by mount.",
     sys_leases_failing_fields, NULL},
    {"leases/tidy", OP_UPDATE, sys_leases_tidy, ROUTE_FREES, "Try at once to revoke what could not be revoked.", NULL,
     NULL},
    {"leases/lookup", OP_UPDATE, sys_leases_lookup, 0, "What a lease is, and how long it lasts.", sys_lease_fields,
     NULL},
    {"leases/lookup/", OP_LIST, sys_leases_list, ROUTE_SUDO, "The leases below a prefix.", NULL, NULL},
    {"leases/lookup/*prefix", OP_LIST, sys_leases_list, ROUTE_SUDO, "The leases below a prefix.", NULL, NULL},
    {"leases/renew", OP_UPDATE, sys_leases_renew, 0, "Make a lease last longer.", sys_lease_fields, NULL},
    {"leases/renew/*lease_id", OP_UPDATE, sys_leases_renew, 0, "Make a lease last longer.", sys_lease_fields, NULL},
    {"leases/revoke", OP_UPDATE, sys_leases_revoke, ROUTE_BLOCKS | ROUTE_FREES, "Take back what a lease stands for.",
     sys_lease_fields, NULL},
    {"leases/revoke/*lease_id", OP_UPDATE, sys_leases_revoke, ROUTE_BLOCKS | ROUTE_FREES,
     "Take back what a lease stands for.", sys_lease_fields, NULL},
    {"leases/revoke-prefix/*prefix", OP_UPDATE, sys_leases_revoke_prefix, ROUTE_SUDO | ROUTE_BLOCKS | ROUTE_FREES,
     "Revoke all leases below a prefix.", sys_lease_fields, NULL},
    {"leases/revoke-force/*prefix", OP_UPDATE, sys_leases_revoke_force, ROUTE_SUDO | ROUTE_BLOCKS | ROUTE_FREES,
     "Forget all leases below a prefix, whatever their engine says.", sys_lease_fields, NULL},
    /* The old spellings, which clients still use. */
    {"renew", OP_UPDATE, sys_leases_renew, 0, "Make a lease last longer.", sys_lease_fields, NULL},
    {"renew/*lease_id", OP_UPDATE, sys_leases_renew, 0, "Make a lease last longer.", sys_lease_fields, NULL},
    {"revoke", OP_UPDATE, sys_leases_revoke, ROUTE_BLOCKS | ROUTE_FREES, "Take back what a lease stands for.",
     sys_lease_fields, NULL},
    {"revoke/*lease_id", OP_UPDATE, sys_leases_revoke, ROUTE_BLOCKS | ROUTE_FREES, "Take back what a lease stands for.",
     sys_lease_fields, NULL},
    {"revoke-prefix/*prefix", OP_UPDATE, sys_leases_revoke_prefix, ROUTE_SUDO | ROUTE_BLOCKS | ROUTE_FREES,
     "Revoke all leases below a prefix.", sys_lease_fields, NULL},
    {"revoke-force/*prefix", OP_UPDATE, sys_leases_revoke_force, ROUTE_SUDO | ROUTE_BLOCKS | ROUTE_FREES,
     "Forget all leases below a prefix, whatever their engine says.", sys_lease_fields, NULL},

    {"wrapping/wrap", OP_UPDATE, sys_wrapping_wrap, 0, "Wrap what is sent.", NULL, NULL},
    {"wrapping/lookup", OP_READ, sys_wrapping_lookup, ROUTE_UNAUTH | ROUTE_WRAPPING,
     "What a wrapping token was made for; does not use it.", sys_wrapping_fields, NULL},
    {"wrapping/lookup", OP_UPDATE, sys_wrapping_lookup, ROUTE_UNAUTH | ROUTE_WRAPPING,
     "What a wrapping token was made for; does not use it.", sys_wrapping_fields, NULL},
    {"wrapping/unwrap", OP_UPDATE, sys_wrapping_unwrap, ROUTE_WRAPPING | ROUTE_FREES,
     "The answer that was wrapped, once.", sys_wrapping_fields, NULL},
    {"wrapping/rewrap", OP_UPDATE, sys_wrapping_rewrap, ROUTE_WRAPPING,
     "Pass it on: a new wrapping token in the place of one, which ends.", sys_wrapping_fields, NULL},

    {"locked-users", OP_READ, sys_locked_users_read, 0, "Who is locked out for having been tried with wrong secrets.",
     sys_locked_users_fields, NULL},
    {"locked-users/:mount_accessor/unlock/*alias_identifier", OP_UPDATE, sys_locked_users_unlock, 0,
     "Let somebody who is locked out try again.", sys_locked_users_fields, NULL},

    {"audit", OP_READ, sys_audit_list, ROUTE_INJECT | ROUTE_SUDO, "The audit devices.", NULL, NULL},
    {"audit/*path", OP_UPDATE, sys_audit_write, ROUTE_SUDO | ROUTE_BLOCKS, "Enable an audit device.", sys_audit_fields,
     NULL},
    {"audit/*path", OP_DELETE, sys_audit_delete, ROUTE_SUDO, "Disable an audit device.", NULL, NULL},
    {"audit-hash/*path", OP_UPDATE, sys_audit_hash, ROUTE_INJECT, "A text as an audit device would write it.",
     sys_audit_hash_fields, NULL},
    {"config/auditing/request-headers", OP_READ, sys_audit_headers_list, ROUTE_INJECT | ROUTE_SUDO,
     "The headers of requests that stand in the audit log.", NULL, NULL},
    {"config/auditing/request-headers/:header", OP_READ, sys_audit_header_read, ROUTE_FOLDS | ROUTE_INJECT | ROUTE_SUDO,
     "How a header stands in the audit log.", NULL, NULL},
    {"config/auditing/request-headers/:header", OP_UPDATE, sys_audit_header_write, ROUTE_FOLDS | ROUTE_SUDO,
     "Have a header written to the audit log.", sys_audit_header_fields, NULL},
    {"config/auditing/request-headers/:header", OP_DELETE, sys_audit_header_delete, ROUTE_FOLDS | ROUTE_SUDO,
     "Keep a header out of the audit log.", NULL, NULL},

    {"config/cors", OP_READ, sys_cors_read, ROUTE_INJECT | ROUTE_SUDO, "Which other origins' pages may ask.", NULL,
     NULL},
    {"config/cors", OP_UPDATE, sys_cors_write, ROUTE_SUDO, "Set which other origins' pages may ask.", sys_cors_fields,
     NULL},
    {"config/cors", OP_DELETE, sys_cors_delete, ROUTE_SUDO, "Let no other origin's pages ask.", NULL, NULL},
    {"config/ui/headers/", OP_LIST, sys_ui_headers_list, ROUTE_SUDO, "The headers that are set for a user interface.",
     NULL, NULL},
    {"config/ui/headers/:header", OP_READ, sys_ui_header_read, ROUTE_SUDO, "A header for a user interface.",
     sys_ui_header_fields, NULL},
    {"config/ui/headers/:header", OP_UPDATE, sys_ui_header_write, ROUTE_SUDO, "Set a header for a user interface.",
     sys_ui_header_fields, NULL},
    {"config/ui/headers/:header", OP_DELETE, sys_ui_header_delete, ROUTE_SUDO,
     "Take a header for a user interface away.", NULL, NULL},

    {"loggers", OP_READ, sys_loggers_list, 0, "From what level on the active node logs, by module.", NULL, NULL},
    {"loggers", OP_UPDATE, sys_loggers_write, 0, "Set the level of all modules, until the next SIGHUP or start.",
     sys_logger_fields, NULL},
    {"loggers", OP_DELETE, sys_loggers_restore, 0, "Log as it is configured.", NULL, NULL},
    {"loggers/:name", OP_READ, sys_loggers_read, 0, "From what level on a module logs.", NULL, NULL},
    {"loggers/:name", OP_UPDATE, sys_loggers_write, 0, "Set the level of a module, until the next SIGHUP or start.",
     sys_logger_fields, NULL},
    {"loggers/:name", OP_DELETE, sys_loggers_restore, 0, "Let a module log as it is configured.", NULL, NULL},

    {"quotas/config", OP_READ, sys_quota_config_read, 0, "What holds for all quotas.", NULL, NULL},
    {"quotas/config", OP_UPDATE, sys_quota_config_write, 0,
     "Set what holds for all quotas; what is left out is set back.", sys_quota_config_fields, NULL},
    {"quotas/rate-limit/", OP_LIST, sys_quota_list, 0, "The names of the rate limits.", NULL, NULL},
    {"quotas/rate-limit/:name", OP_READ, sys_quota_read, 0, "A rate limit.", NULL, NULL},
    {"quotas/rate-limit/:name", OP_UPDATE, sys_quota_write, 0, "Limit how often an address may ask.", sys_quota_fields,
     NULL},
    {"quotas/rate-limit/:name", OP_DELETE, sys_quota_delete, 0, "Take a rate limit away.", NULL, NULL},

    {"tools/random", OP_UPDATE, sys_tools_random, 0, "Random bytes.", sys_tools_random_fields, NULL},
    {"tools/random/:urlbytes", OP_UPDATE, sys_tools_random, 0, "Random bytes, so many.", sys_tools_random_fields, NULL},
    {"tools/random/:source/:urlbytes", OP_UPDATE, sys_tools_random, 0, "Random bytes, so many, of a source.",
     sys_tools_random_fields, NULL},
    {"tools/hash", OP_UPDATE, sys_tools_hash, 0, "The hash of what is sent.", sys_tools_hash_fields, NULL},
    {"tools/hash/:urlalgorithm", OP_UPDATE, sys_tools_hash, 0, "The hash of what is sent, by an algorithm.",
     sys_tools_hash_fields, NULL},
    {"plugins/catalog", OP_READ, sys_plugins_catalog, ROUTE_SUDO, "The engines and auth methods that are built in.",
     NULL, NULL},
    {"plugins/catalog/:type/", OP_LIST, sys_plugins_list, ROUTE_SUDO, "Their names: of auth, database or secret.", NULL,
     NULL},
    {"plugins/catalog/:type/:name", OP_READ, sys_plugins_read, ROUTE_SUDO, "One engine or auth method.", NULL, NULL},
    {0},
};

const struct engine sys_engine = {
    .type = "system",
    .kind = ENGINE_SYSTEM,
    .description = "system endpoints used for control, policy and debugging",
    .routes = routes,
};
