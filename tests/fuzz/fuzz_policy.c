/* SPDX-License-Identifier: Apache-2.0 */
/* A policy's text, a NUL, a path: reads the one, asks it about the other. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "core/policy/policy.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_setup();
    return 0;
}

static void ask(const struct acl *acl, const char *path)
{
    json_t *body = json_pack("{s:s, s:i}", "a", path, "b", 1);
    for (int operation = OP_READ; operation <= OP_RENEW; operation++) {
        struct acl_verdict verdict = acl_check(acl, (enum operation)operation, path, body);
        if (operation != OP_HELP && verdict.allowed && acl_capabilities(acl, path, operation == OP_LIST) == CAP_DENY)
            abort();
    }
    acl_touches(acl, path);
    json_decref(body);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    const unsigned char *end = memchr(data, '\0', size);
    size_t len = end != NULL ? (size_t)(end - data) : size;
    char *path = end != NULL ? strndup((const char *)end + 1, size - len - 1) : strdup("a/b/");
    struct policy *policy;
    struct err err = {0};
    if (policy_parse("fuzz", (const char *)data, len, &policy, &err) == OK) {
        struct acl *acl = acl_new((struct policy *[]){policy, policy}, 2, false);
        ask(acl, path);
        acl_unref(acl);
        policy_unref(policy);
    }
    free(path);
    return 0;
}
