/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_params.h — what every auth method lets be said of the tokens that its logins make: token_ttl, token_policies, …
 *
 * They are kept in a record (of a user, a role) under the names that clients know. A method that once had shorter
 * names for some of them (ttl, policies) takes those too, and shows them where they were used.
 */
#ifndef COFFER_CORE_TOKEN_PARAMS_H
#define COFFER_CORE_TOKEN_PARAMS_H

#include <jansson.h>
#include <stdint.h>

#include "core/engine.h"
#include "core/request/request.h"

/* Rows for a route's table of fields. */
#define TOKEN_PARAM_FIELDS                                                                                             \
    {"token_ttl", FIELD_DURATION, "How long a token lives at first."},                                                 \
        {"token_max_ttl", FIELD_DURATION, "How long a token lives at most, with all renewals."},                       \
        {"token_policies", FIELD_LIST, "The policies of a token."},                                                    \
        {"token_bound_cidrs", FIELD_LIST, "The addresses that a token can be used from."},                             \
        {"token_explicit_max_ttl", FIELD_DURATION, "How long a token lives at most, whatever its period."},            \
        {"token_no_default_policy", FIELD_BOOL, "Whether a token goes without the policy default."},                   \
        {"token_num_uses", FIELD_INT, "How many requests a token is good for; 0 for any number."},                     \
        {"token_period", FIELD_DURATION, "How long each renewal of a periodic token is good for."},                    \
        {"token_type", FIELD_STRING, "default, service or batch."},                                                    \
    {                                                                                                                  \
        "token_strictly_bind_ip", FIELD_BOOL, "Whether a token can be used only from the address that logged in."      \
    }

/* A shorter name of old for a parameter. */
struct token_alias {
    const char *alias; /* "ttl"; NULL ends a table */
    const char *name;  /* "token_ttl" */
};

/*
 * Takes over into the record what the request gives, under either name. Checks only what it takes and how it fits the
 * rest. ERR_INVALID with Vault's sentences. A record that fails is half changed: do not write it.
 */
int token_params_take(struct request *req, json_t *record, const struct token_alias *aliases) MUST_CHECK;
/* The same, but for token_type, which is taken as it is: for who has rules of its own about it. */
int token_params_take_values(struct request *req, json_t *record, const struct token_alias *aliases) MUST_CHECK;
/* Adds them to an answer; what was never given has its default. */
void token_params_describe(const json_t *record, const struct token_alias *aliases, json_t *data);
/* Sets what a login grants by them: policies in lower case, limits, addresses. */
void token_params_grant(struct request *req, const json_t *record);
/* What renewing a token must keep to now: ttl, period and max. */
void token_params_limits(const json_t *record, struct renew_terms *renewal);
/* The policies as a token has them: lower case, sorted, each once. A new reference. */
json_t *token_params_policies(const json_t *record);
/* Names of policies as tokens have them: lower case, without blanks around them, sorted, each once. A new reference. */
json_t *token_policies_clean(const json_t *names);

#endif
