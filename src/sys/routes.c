/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes.c — the map of sys/: every path, what guards it, and who answers.
 */
#include "sys/handlers.h"
#include "sys/sys.h"

/* Answered by every node, sealed or not, without a token and without an envelope. */
#define BARE (ROUTE_LOCAL | ROUTE_UNAUTH | ROUTE_PLAIN | ROUTE_NO_AUDIT)

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

    {"seal", OP_UPDATE, sys_seal, ROUTE_LOCAL | ROUTE_SUDO | ROUTE_BLOCKS, "Seal this node.", NULL, NULL},
    {"step-down", OP_UPDATE, sys_step_down, ROUTE_LOCAL | ROUTE_SUDO | ROUTE_BLOCKS, "Hand over leadership.", NULL,
     NULL},
    {"ha-status", OP_READ, sys_ha_status, ROUTE_INJECT, "The nodes, and what is known of each.", NULL, NULL},

    {"storage/raft/bootstrap/challenge", OP_UPDATE, sys_raft_challenge, ROUTE_UNAUTH | ROUTE_NO_AUDIT,
     "A joining node asks for what it must answer.", sys_raft_server_fields, NULL},
    {"storage/raft/bootstrap/answer", OP_UPDATE, sys_raft_answer, ROUTE_UNAUTH | ROUTE_BLOCKS,
     "A joining node proves that it has the unseal keys.", sys_raft_answer_fields, NULL},
    {"storage/raft/configuration", OP_READ, sys_raft_configuration, 0, "The members of the Raft group.", NULL, NULL},
    {"storage/raft/remove-peer", OP_UPDATE, sys_raft_remove_peer, ROUTE_BLOCKS, "Take a member out of the Raft group.",
     sys_raft_server_fields, NULL},

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
    {"internal/ui/mounts", OP_READ, sys_ui_mounts_list, ROUTE_UNAUTH, "The mounts that the caller may use.", NULL,
     NULL},
    {"internal/ui/mounts/*path", OP_READ, sys_ui_mounts_read, ROUTE_UNAUTH, "The mount that a path belongs to.", NULL,
     NULL},

    {"policy", OP_READ, sys_policy_list, ROUTE_INJECT, "The names of the policies.", NULL, NULL},
    {"policy/", OP_LIST, sys_policy_list, ROUTE_INJECT, "The names of the policies.", NULL, NULL},
    {"policy/*name", OP_READ, sys_policy_read, ROUTE_INJECT, "The text of a policy.", NULL, NULL},
    {"policy/*name", OP_UPDATE, sys_policy_write, 0, "Write a policy.", sys_policy_fields, NULL},
    {"policy/*name", OP_DELETE, sys_policy_delete, 0, "Delete a policy.", NULL, NULL},
    {"policies/acl/", OP_LIST, sys_policies_acl_list, 0, "The names of the policies.", NULL, NULL},
    {"policies/acl/*name", OP_READ, sys_policies_acl_read, 0, "The text of a policy.", NULL, NULL},
    {"policies/acl/*name", OP_UPDATE, sys_policy_write, 0, "Write a policy.", sys_policy_fields, NULL},
    {"policies/acl/*name", OP_DELETE, sys_policy_delete, 0, "Delete a policy.", NULL, NULL},
    {"capabilities", OP_UPDATE, sys_capabilities, ROUTE_INJECT, "What a token may do on paths.",
     sys_capabilities_fields, NULL},
    {"capabilities-self", OP_UPDATE, sys_capabilities_self, ROUTE_INJECT, "What the caller may do on paths.",
     sys_capabilities_fields, NULL},
    {"capabilities-accessor", OP_UPDATE, sys_capabilities_accessor, ROUTE_INJECT,
     "What an accessor's token may do on paths.", sys_capabilities_fields, NULL},

    {"leases/lookup", OP_UPDATE, sys_leases_lookup, 0, "What a lease is, and how long it lasts.", sys_lease_fields,
     NULL},
    {"leases/lookup/", OP_LIST, sys_leases_list, ROUTE_SUDO, "The leases below a prefix.", NULL, NULL},
    {"leases/lookup/*prefix", OP_LIST, sys_leases_list, ROUTE_SUDO, "The leases below a prefix.", NULL, NULL},
    {"leases/renew", OP_UPDATE, sys_leases_renew, 0, "Make a lease last longer.", sys_lease_fields, NULL},
    {"leases/renew/*lease_id", OP_UPDATE, sys_leases_renew, 0, "Make a lease last longer.", sys_lease_fields, NULL},
    {"leases/revoke", OP_UPDATE, sys_leases_revoke, ROUTE_BLOCKS, "Take back what a lease stands for.",
     sys_lease_fields, NULL},
    {"leases/revoke/*lease_id", OP_UPDATE, sys_leases_revoke, ROUTE_BLOCKS, "Take back what a lease stands for.",
     sys_lease_fields, NULL},
    {"leases/revoke-prefix/*prefix", OP_UPDATE, sys_leases_revoke_prefix, ROUTE_SUDO | ROUTE_BLOCKS,
     "Revoke all leases below a prefix.", sys_lease_fields, NULL},
    {"leases/revoke-force/*prefix", OP_UPDATE, sys_leases_revoke_force, ROUTE_SUDO | ROUTE_BLOCKS,
     "Forget all leases below a prefix, whatever their engine says.", sys_lease_fields, NULL},
    /* The old spellings, which clients still use. */
    {"renew", OP_UPDATE, sys_leases_renew, 0, "Make a lease last longer.", sys_lease_fields, NULL},
    {"renew/*lease_id", OP_UPDATE, sys_leases_renew, 0, "Make a lease last longer.", sys_lease_fields, NULL},
    {"revoke", OP_UPDATE, sys_leases_revoke, ROUTE_BLOCKS, "Take back what a lease stands for.", sys_lease_fields,
     NULL},
    {"revoke/*lease_id", OP_UPDATE, sys_leases_revoke, ROUTE_BLOCKS, "Take back what a lease stands for.",
     sys_lease_fields, NULL},
    {"revoke-prefix/*prefix", OP_UPDATE, sys_leases_revoke_prefix, ROUTE_SUDO | ROUTE_BLOCKS,
     "Revoke all leases below a prefix.", sys_lease_fields, NULL},
    {"revoke-force/*prefix", OP_UPDATE, sys_leases_revoke_force, ROUTE_SUDO | ROUTE_BLOCKS,
     "Forget all leases below a prefix, whatever their engine says.", sys_lease_fields, NULL},

    {"audit", OP_READ, sys_audit_list, ROUTE_INJECT | ROUTE_SUDO, "The audit devices.", NULL, NULL},
    {"audit/*path", OP_UPDATE, sys_audit_write, ROUTE_SUDO, "Enable an audit device.", NULL, NULL},
    {"audit/*path", OP_DELETE, sys_audit_delete, ROUTE_SUDO, "Disable an audit device.", NULL, NULL},
    {"audit-hash/*path", OP_UPDATE, sys_audit_hash, ROUTE_INJECT, "A text as an audit device would write it.",
     sys_audit_hash_fields, NULL},
    {0},
};

const struct engine sys_engine = {
    .type = "system",
    .kind = ENGINE_SYSTEM,
    .description = "system endpoints used for control, policy and debugging",
    .routes = routes,
};
