/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handlers.h — the handlers that routes.c names, by the file that has them.
 */
#ifndef COFFER_SYS_HANDLERS_H
#define COFFER_SYS_HANDLERS_H

#include "core/engine.h"

/* lifecycle.c */
int sys_init_read(struct request *req);
int sys_init_write(struct request *req);
int sys_seal_status(struct request *req);
int sys_unseal(struct request *req);
int sys_seal(struct request *req);
int sys_step_down(struct request *req);
extern const struct field sys_init_fields[], sys_unseal_fields[], sys_step_down_fields[];

/* rotate.c */
int sys_rotate(struct request *req);
int sys_key_status(struct request *req);
int sys_rotate_config_read(struct request *req);
int sys_rotate_config_write(struct request *req);
extern const struct field sys_rotate_config_fields[];

/* rekey.c */
int sys_rekey_status(struct request *req);
int sys_rekey_init(struct request *req);
int sys_rekey_cancel(struct request *req);
int sys_rekey_update(struct request *req);
int sys_rekey_verify_status(struct request *req);
int sys_rekey_verify_update(struct request *req);
int sys_rekey_verify_restart(struct request *req);
int sys_rekey_backup_read(struct request *req);
int sys_rekey_backup_delete(struct request *req);
int sys_root_token_status(struct request *req);
int sys_root_token_init(struct request *req);
int sys_root_token_cancel(struct request *req);
int sys_root_token_update(struct request *req);
int sys_decode_token(struct request *req);
extern const struct field sys_rekey_fields[], sys_share_fields[], sys_root_token_fields[], sys_decode_token_fields[];

/* health.c */
int sys_health(struct request *req);
int sys_leader(struct request *req);
int sys_ha_status(struct request *req);

/* metrics.c */
int sys_metrics(struct request *req);

/* state.c */
int sys_in_flight(struct request *req);
int sys_config_sanitized(struct request *req);

/* host_info.c */
int sys_host_info(struct request *req);

/* mounts.c */
int sys_mounts_list(struct request *req);
int sys_mounts_read(struct request *req);
int sys_mounts_write(struct request *req);
int sys_mounts_delete(struct request *req);
int sys_auth_list(struct request *req);
int sys_auth_read(struct request *req);
int sys_auth_write(struct request *req);
int sys_auth_delete(struct request *req);
int sys_ui_mounts_list(struct request *req);
int sys_ui_mounts_read(struct request *req);
/* Of a path that needs no token: the rules of the one that was shown, or nobody's; unref it when done. */
struct acl;
int sys_caller_acl(struct request *req, struct acl **ret_acl);
extern const struct field sys_mount_fields[];

/* remount.c */
int sys_remount(struct request *req);
int sys_remount_status(struct request *req);
extern const struct field sys_remount_fields[];

/* openapi.c */
int sys_openapi(struct request *req);
extern const struct field sys_openapi_fields[];

/* tools.c */
int sys_tools_random(struct request *req);
int sys_tools_hash(struct request *req);
extern const struct field sys_tools_random_fields[], sys_tools_hash_fields[];

/* plugins.c */
int sys_plugins_catalog(struct request *req);
int sys_plugins_list(struct request *req);
int sys_plugins_read(struct request *req);

/* loggers.c */
int sys_loggers_list(struct request *req);
int sys_loggers_read(struct request *req);
int sys_loggers_write(struct request *req);
int sys_loggers_restore(struct request *req);
extern const struct field sys_logger_fields[];

/* quotas.c */
int sys_quota_config_read(struct request *req);
int sys_quota_config_write(struct request *req);
int sys_quota_list(struct request *req);
int sys_quota_read(struct request *req);
int sys_quota_write(struct request *req);
int sys_quota_delete(struct request *req);
extern const struct field sys_quota_fields[], sys_quota_config_fields[];

/* password.c */
int sys_password_list(struct request *req);
int sys_password_read(struct request *req);
int sys_password_write(struct request *req);
int sys_password_delete(struct request *req);
int sys_password_generate(struct request *req);
extern const struct field sys_password_fields[];
/* locked_users.c */
int sys_locked_users_read(struct request *req);
int sys_locked_users_unlock(struct request *req);
extern const struct field sys_locked_users_fields[];

/* policies.c */
int sys_policy_list(struct request *req);
int sys_policy_read(struct request *req);
int sys_policies_acl_list(struct request *req);
int sys_policies_acl_read(struct request *req);
int sys_policy_write(struct request *req);
int sys_policy_delete(struct request *req);
int sys_capabilities(struct request *req);
int sys_capabilities_self(struct request *req);
int sys_capabilities_accessor(struct request *req);
extern const struct field sys_policy_fields[], sys_capabilities_fields[];

/* leases.c */
int sys_leases_lookup(struct request *req);
int sys_leases_list(struct request *req);
int sys_leases_renew(struct request *req);
int sys_leases_revoke(struct request *req);
int sys_leases_revoke_prefix(struct request *req);
int sys_leases_revoke_force(struct request *req);
extern const struct field sys_lease_fields[];

/* leases_failing.c */
int sys_leases_failing(struct request *req);
int sys_leases_count(struct request *req);
int sys_leases_tidy(struct request *req);
extern const struct field sys_leases_failing_fields[];

/* counters.c */
int sys_counters_tokens(struct request *req);
int sys_counters_entities(struct request *req);
int sys_counters_requests(struct request *req);

/* wrapping.c */
int sys_wrapping_wrap(struct request *req);
int sys_wrapping_lookup(struct request *req);
int sys_wrapping_unwrap(struct request *req);
int sys_wrapping_rewrap(struct request *req);
extern const struct field sys_wrapping_fields[];

/* audit.c */
int sys_audit_list(struct request *req);
int sys_audit_write(struct request *req);
int sys_audit_delete(struct request *req);
int sys_audit_hash(struct request *req);
extern const struct field sys_audit_fields[], sys_audit_hash_fields[];

/* audit_headers.c */
int sys_audit_headers_list(struct request *req);
int sys_audit_header_read(struct request *req);
int sys_audit_header_write(struct request *req);
int sys_audit_header_delete(struct request *req);
extern const struct field sys_audit_header_fields[];

/* cors.c */
int sys_cors_read(struct request *req);
int sys_cors_write(struct request *req);
int sys_cors_delete(struct request *req);
extern const struct field sys_cors_fields[];

/* ui_headers.c */
int sys_ui_headers_list(struct request *req);
int sys_ui_header_read(struct request *req);
int sys_ui_header_write(struct request *req);
int sys_ui_header_delete(struct request *req);
extern const struct field sys_ui_header_fields[];

/* snapshot.c */
int sys_snapshot_save(struct request *req);
int sys_snapshot_verify(struct request *req);
int sys_snapshot_restore(struct request *req);
int sys_snapshot_restore_force(struct request *req);

/* snapshot_auto.c */
int sys_snapshot_auto_list(struct request *req);
int sys_snapshot_auto_read(struct request *req);
int sys_snapshot_auto_write(struct request *req);
int sys_snapshot_auto_delete(struct request *req);
int sys_snapshot_auto_status(struct request *req);
extern const struct field sys_snapshot_auto_fields[];

/* quarantine.c */
int sys_quarantine_read(struct request *req);
int sys_quarantine_revoke(struct request *req);
int sys_quarantine_extend(struct request *req);
extern const struct field sys_quarantine_fields[];

/* raft.c */
int sys_raft_configuration(struct request *req);
int sys_raft_join(struct request *req);
int sys_raft_challenge(struct request *req);
int sys_raft_answer(struct request *req);
int sys_raft_remove_peer(struct request *req);
int sys_raft_promote(struct request *req);
int sys_raft_demote(struct request *req);
extern const struct field sys_raft_join_fields[], sys_raft_server_fields[], sys_raft_answer_fields[];

/* autopilot.c */
int sys_autopilot_state(struct request *req);
int sys_autopilot_config_read(struct request *req);
int sys_autopilot_config_write(struct request *req);
extern const struct field sys_autopilot_fields[];

#endif
