/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/approle/approle.h"

#include "auth/approle/approle_private.h"

const struct token_alias approle_aliases[] = {
    {"policies", "token_policies"},
    {"period", "token_period"},
    {0},
};

#define NAME                                                                                                           \
    {                                                                                                                  \
        "role_name", FIELD_STRING, "The role."                                                                         \
    }

static const struct field role_fields[] = {
    NAME,
    {"bind_secret_id", FIELD_BOOL, "Whether a login needs a secret id."},
    {"secret_id_bound_cidrs", FIELD_LIST, "The addresses that logins may come from."},
    {"bound_cidr_list", FIELD_LIST, "The old name of secret_id_bound_cidrs."},
    {"secret_id_num_uses", FIELD_INT, "How many logins a secret id is good for; 0 for any number."},
    {"secret_id_ttl", FIELD_DURATION, "How long a secret id is good; 0 for ever."},
    {"local_secret_ids", FIELD_BOOL, "Kept for clients that set it."},
    {"role_id", FIELD_STRING, "What the role is known by at login; random without."},
    {"policies", FIELD_LIST, "The old name of token_policies."},
    {"period", FIELD_DURATION, "The old name of token_period."},
    TOKEN_PARAM_FIELDS,
    {0},
};

static const struct field role_id_fields[] = {
    NAME,
    {"role_id", FIELD_STRING, "What the role is known by at login."},
    {0},
};

static const struct field secret_fields[] = {
    NAME,
    {"metadata", FIELD_KV, "Texts that tokens of this secret id carry."},
    {"cidr_list", FIELD_LIST, "The addresses that logins with it may come from."},
    {"token_bound_cidrs", FIELD_LIST, "The addresses that tokens of it can be used from."},
    {"num_uses", FIELD_INT, "How many logins it is good for."},
    {"ttl", FIELD_DURATION, "How long it is good."},
    {"secret_id", FIELD_STRING, "The text that is to be the secret id."},
    {0},
};

static const struct field lookup_fields[] = {
    NAME,
    {"secret_id", FIELD_STRING, "The secret id."},
    {"secret_id_accessor", FIELD_STRING, "Its accessor."},
    {0},
};

static const struct field login_fields[] = {
    {"role_id", FIELD_STRING, "The role's id."},
    {"secret_id", FIELD_STRING, "A secret id of the role."},
    {0},
};

#define ROLE "role/:role_name"

/* A parameter of a role with a path of its own. */
#define ROLE_FIELD(name, help)                                                                                         \
    {ROLE "/" name, OP_READ, role_field_read, ROUTE_FOLDS, "Read " help, role_fields, NULL},                           \
        {ROLE "/" name, OP_UPDATE, role_field_write, ROUTE_FOLDS, "Set " help, role_fields, NULL},                     \
    {                                                                                                                  \
        ROLE "/" name, OP_DELETE, role_field_reset, ROUTE_FOLDS, "Reset " help, role_fields, NULL                      \
    }

static const struct route approle_routes[] = {
    {"login", OP_UPDATE, approle_login, ROUTE_UNAUTH | ROUTE_LOGIN, "Log in.", login_fields, NULL},
    {"role/", OP_LIST, role_list, 0, "List the roles.", NULL, NULL},
    {ROLE, OP_READ, role_read, ROUTE_FOLDS, "Read a role.", role_fields, NULL},
    {ROLE, OP_UPDATE, role_write, ROUTE_FOLDS, "Write a role.", role_fields, role_exists},
    {ROLE, OP_DELETE, role_delete, ROUTE_FOLDS, "Delete a role with its secret ids.", role_fields, NULL},
    {ROLE "/role-id", OP_READ, role_id_read, ROUTE_FOLDS, "Read what the role is known by.", role_id_fields, NULL},
    {ROLE "/role-id", OP_UPDATE, role_id_write, ROUTE_FOLDS, "Set what the role is known by.", role_id_fields, NULL},
    {ROLE "/secret-id/", OP_LIST, secret_list, ROUTE_FOLDS, "List the accessors of the secret ids.", NULL, NULL},
    {ROLE "/secret-id", OP_UPDATE, secret_create, ROUTE_FOLDS, "Make a secret id.", secret_fields, NULL},
    {ROLE "/custom-secret-id", OP_UPDATE, secret_create_custom, ROUTE_FOLDS, "Set a secret id.", secret_fields, NULL},
    {ROLE "/secret-id/lookup", OP_UPDATE, secret_lookup, ROUTE_FOLDS, "Look up a secret id.", lookup_fields, NULL},
    {ROLE "/secret-id/destroy", OP_UPDATE, secret_destroy, ROUTE_FOLDS, "Remove a secret id.", lookup_fields, NULL},
    {ROLE "/secret-id/destroy", OP_DELETE, secret_destroy, ROUTE_FOLDS, "Remove a secret id.", lookup_fields, NULL},
    {ROLE "/secret-id-accessor/lookup", OP_UPDATE, secret_accessor_lookup, ROUTE_FOLDS,
     "Look up a secret id by its accessor.", lookup_fields, NULL},
    {ROLE "/secret-id-accessor/destroy", OP_UPDATE, secret_accessor_destroy, ROUTE_FOLDS,
     "Remove a secret id by its accessor.", lookup_fields, NULL},
    {ROLE "/secret-id-accessor/destroy", OP_DELETE, secret_accessor_destroy, ROUTE_FOLDS,
     "Remove a secret id by its accessor.", lookup_fields, NULL},
    ROLE_FIELD("policies", "the policies of tokens."),
    ROLE_FIELD("bind-secret-id", "whether a login needs a secret id."),
    ROLE_FIELD("secret-id-bound-cidrs", "where logins may come from."),
    ROLE_FIELD("bound-cidr-list", "where logins may come from, by its old name."),
    ROLE_FIELD("secret-id-num-uses", "how many logins a secret id is good for."),
    ROLE_FIELD("secret-id-ttl", "how long a secret id is good."),
    ROLE_FIELD("period", "the period of tokens."),
    ROLE_FIELD("token-num-uses", "how many requests a token is good for."),
    ROLE_FIELD("token-ttl", "how long a token lives at first."),
    ROLE_FIELD("token-max-ttl", "how long a token lives at most."),
    ROLE_FIELD("token-bound-cidrs", "where tokens can be used from."),
    {ROLE "/local-secret-ids", OP_READ, role_field_read, ROUTE_FOLDS, "Read local_secret_ids.", role_fields, NULL},
    {"tidy/secret-id", OP_UPDATE, secret_tidy, 0, "Remove secret ids whose time is over.", NULL, NULL},
    {0},
};

const struct engine approle_engine = {
    .type = "approle",
    .kind = ENGINE_AUTH,
    .description = "",
    .routes = approle_routes,
    .renew = approle_renew,
};
