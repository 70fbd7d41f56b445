/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.h — who may do what where: Vault's ACL policies, in HCL or JSON.
 *
 * A parsed policy is immutable and may be shared by threads. An ACL is the union of a token's policies.
 * Language and matching: https://developer.hashicorp.com/vault/docs/concepts/policies
 */
#ifndef COFFER_CORE_POLICY_H
#define COFFER_CORE_POLICY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/engine.h"

enum capability {
    CAP_DENY = 1 << 0,
    CAP_CREATE = 1 << 1,
    CAP_READ = 1 << 2,
    CAP_UPDATE = 1 << 3,
    CAP_DELETE = 1 << 4,
    CAP_LIST = 1 << 5,
    CAP_SUDO = 1 << 6,
    CAP_PATCH = 1 << 7,
    CAP_ROOT = 1 << 8, /* only out of acl_capabilities(): the root policy */
};

struct policy;
/* HCL or JSON text. Errors: ERR_INVALID with Vault's sentence (`invalid key "x" on line 3`). */
int policy_parse(const char *name, const char *text, size_t len, struct policy **ret_policy,
                 struct err *err) MUST_CHECK;
struct policy *policy_ref(struct policy *policy);
void policy_unref(struct policy *policy);
const char *policy_name(const struct policy *policy);

struct acl;
/* The union of n policies (each is referenced). is_root: everything is allowed. */
struct acl *acl_new(struct policy *const *policies, size_t n, bool is_root);
struct acl *acl_ref(struct acl *acl);
void acl_unref(struct acl *acl);

/* What is allowed on a canonical path without leading '/': never 0, CAP_DENY alone when it is nothing. as_list: a rule
 * for the path without its last '/' counts too. */
unsigned acl_capabilities(const struct acl *acl, const char *path, bool as_list);
/* Whether any rule grants anything at or below a prefix ("secret/"). */
bool acl_touches(const struct acl *acl, const char *prefix);

struct acl_verdict {
    bool allowed;
    bool sudo;              /* has the sudo capability there */
    const char *granted_by; /* name of a policy whose rule decided; lives as long as the acl; or NULL */
};
/* Decides on one operation with its body (object, or NULL): capability and parameter constraints. */
struct acl_verdict acl_check(const struct acl *acl, enum operation operation, const char *path, const json_t *body);
/* The same for a caller who wants the answer wrapped for wrap_ttl_s; acl_check() is for one who does not (0). */
struct acl_verdict acl_check_wrapped(const struct acl *acl, enum operation operation, const char *path,
                                     const json_t *body, int64_t wrap_ttl_s);

/* The text that the policy "default" begins with. */
extern const char policy_default_text[];

/* ---- Stored policies: "core/policy/<name>". Names are lower case. ---- */

/* The ACL of a set of policy names as the transaction sees them; parsed ones are kept by their records' tags.
 * Names without a policy grant nothing. A new reference. */
int policy_acl(struct request *req, const json_t *names, struct acl **ret_acl) MUST_CHECK;
/* The text; ERR_NOTFOUND. A new string of the request's arena. */
int policy_read(struct request *req, const char *name, const char **ret_text) MUST_CHECK;
/* Parses before it writes. ERR_INVALID: cannot update "root" policy, … */
int policy_write(struct request *req, const char *name, const char *text) MUST_CHECK;
int policy_delete(struct request *req, const char *name) MUST_CHECK;
/* Sorted, with "root" at its place. A new reference. */
int policy_list(struct request *req, json_t **ret_names) MUST_CHECK;
bool policy_exists(struct request *req, const char *name);
/* Forgets what was kept: on sealing. */
void policy_cache_clear(void);

#endif
