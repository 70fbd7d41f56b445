/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "base/json.h"
#include "core/policy/policy.h"

#include <cmocka.h> /* after engine.h: it makes a macro of fail */

#define WILD "*" /* apart, for "/" and a star would begin a comment in no good place */

static struct policy *parse(const char *text)
{
    struct policy *policy = NULL;
    struct err err = {0};
    if (policy_parse("p", text, strlen(text), &policy, &err) != OK)
        fail_msg("%s", err_text(&err));
    return policy;
}

static struct acl *acl_of(const char *text, const char *more)
{
    struct policy *policies[] = {parse(text), parse(more)};
    struct acl *acl = acl_new(policies, 2, false);
    policy_unref(policies[0]);
    policy_unref(policies[1]);
    return acl;
}

/* What the texts allow on a path. */
static unsigned on(const char *text, const char *path)
{
    struct acl *acl = acl_of(text, "");
    unsigned capabilities = acl_capabilities(acl, path, true);
    acl_unref(acl);
    return capabilities;
}

static bool may(const char *text, enum operation operation, const char *path, const char *body_text)
{
    json_t *body = json_loads(body_text, 0, NULL);
    struct acl *acl = acl_of(text, "");
    struct acl_verdict verdict = acl_check(acl, operation, path, body);
    acl_unref(acl);
    json_decref(body);
    return verdict.allowed;
}

static void refused(const char *text, const char *sentence)
{
    struct policy *policy;
    struct err err = {0};
    assert_int_equal(policy_parse("p", text, strlen(text), &policy, &err), ERR_INVALID);
    assert_string_equal(err_text(&err), sentence);
}

static void test_unknown_words(void **state)
{
    (void)state;
    refused("path \"a\" {\n  capability = [\"read\"]\n}",
            "path \"a\": 1 error occurred:\n\t* invalid key \"capability\" on line 2\n\n");
    refused("path \"a\" { mfa_methods = [] }", "path \"a\": key \"mfa_methods\" on line 1 is not supported");
    refused("{\"paths\":{\"a\":{}}}", "1 error occurred:\n\t* invalid key \"paths\"\n\n");
    refused("pat \"a\" { }", "1 error occurred:\n\t* invalid key \"pat\" on line 1\n\n");
    refused("path \"a\" { capabilities = [\"reed\"] }", "path \"a\": invalid capability \"reed\"");
    refused("path \"a\" { capabilities = [1] }", "path \"a\": invalid capability \"\"");
    refused("path \"a\" { policy = \"foo\" }", "path \"a\": invalid policy \"foo\"");
    refused("path \"a/+*\" { }", "path \"a/+*\": invalid use of wildcards ('+*' is forbidden)");
    refused("path \"a/{{identity/b\" { }",
            "path \"a/{{identity/b\": failed to validate policy templating: unbalanced templating characters");
    refused("path \"a\" { min_wrapping_ttl = 10 max_wrapping_ttl = 5 }",
            "path \"a\": max_wrapping_ttl cannot be less than min_wrapping_ttl");
    refused("path = \"a\"", "a path must be written as path \"name\" { ... } on line 1");
}

static void test_json(void **state)
{
    (void)state;
    assert_int_equal(on("{\"path\":{\"a/" WILD "\":{\"capabilities\":[\"read\"]}}}", "a/b"), CAP_READ);
}

static void test_old_words(void **state)
{
    (void)state;
    assert_int_equal(on("path \"a\" { policy = \"read\" }", "a"), CAP_READ | CAP_LIST);
    assert_int_equal(on("path \"a\" { policy = \"deny\" }", "a"), CAP_DENY);
}

static void test_no_rule(void **state)
{
    (void)state;
    assert_int_equal(on("", "a"), CAP_DENY);
    assert_int_equal(on("path \"a\" { capabilities = [] }", "a"), CAP_DENY);
    assert_int_equal(on("path \"a\" { capabilities = [\"read\"] }", "a/b"), CAP_DENY);
}

static void test_exact_wins(void **state)
{
    static const char text[] =
        "path \"a/b\" { capabilities = [\"read\"] } path \"a/" WILD "\" { capabilities = [\"list\"] }"
        "path \"a/+\" { capabilities = [\"update\"] }";
    (void)state;
    assert_int_equal(on(text, "a/b"), CAP_READ);
    assert_int_equal(on(text, "a/c"), CAP_UPDATE);
    assert_int_equal(on(text, "a/c/d"), CAP_LIST);
}

static void test_longest_prefix(void **state)
{
    static const char text[] =
        "path \"" WILD "\" { capabilities = [\"read\"] } path \"a" WILD "\" { capabilities = [\"list\"] }"
        "path \"a/b" WILD "\" { capabilities = [\"deny\"] } path \"a/bcd" WILD "\" { capabilities = [\"update\"] }";
    (void)state;
    assert_int_equal(on(text, "x"), CAP_READ);
    assert_int_equal(on(text, "abc"), CAP_LIST);
    assert_int_equal(on(text, "a/bc"), CAP_DENY);
    assert_int_equal(on(text, "a/bcde"), CAP_UPDATE);
    assert_int_equal(on(text, "a/bce"), CAP_DENY);
}

static void test_plus(void **state)
{
    static const char text[] =
        "path \"a/+/c\" { capabilities = [\"read\"] } path \"+/b/c" WILD "\" { capabilities = [\"list\"] }";
    (void)state;
    assert_int_equal(on(text, "a/b/c"), CAP_READ);
    assert_int_equal(on(text, "x/b/cd/e"), CAP_LIST);
    assert_int_equal(on(text, "a/x/y/c"), CAP_DENY);
    assert_int_equal(on(text, "a/x"), CAP_DENY);
}

static void test_deny_dominates(void **state)
{
    (void)state;
    assert_int_equal(on("path \"a\" { capabilities = [\"read\", \"deny\"] }", "a"), CAP_DENY);
    struct acl *acl = acl_of("path \"a\" { capabilities = [\"read\"] }", "path \"/a\" { capabilities = [\"deny\"] }");
    assert_int_equal(acl_capabilities(acl, "a", false), CAP_DENY);
    assert_false(acl_touches(acl, ""));
    acl_unref(acl);
}

static void test_union(void **state)
{
    (void)state;
    struct acl *acl = acl_of("path \"a\" { capabilities = [\"read\"] }", "path \"a\" { capabilities = [\"list\"] }");
    assert_int_equal(acl_capabilities(acl, "a", false), CAP_READ | CAP_LIST);
    acl_unref(acl);
}

static void test_list_slash(void **state)
{
    static const char text[] = "path \"a\" { capabilities = [\"list\"] }";
    (void)state;
    assert_true(may(text, OP_LIST, "a/", "{}"));
    assert_false(may(text, OP_READ, "a/", "{}"));
}

static void test_list_denied(void **state)
{
    static const char text[] = "path \"kv/" WILD "\" { capabilities = [\"list\"] }"
                               "path \"kv/+/private\" { capabilities = [\"deny\"] }";
    (void)state;
    assert_false(may(text, OP_LIST, "kv/a/private/", "{}"));
    assert_true(may(text, OP_LIST, "kv/a/public/", "{}"));
}

static void test_sudo(void **state)
{
    (void)state;
    struct acl *acl = acl_of("path \"a\" { capabilities = [\"sudo\", \"read\"] }", "");
    struct acl_verdict verdict = acl_check(acl, OP_READ, "a", NULL);
    assert_true(verdict.allowed && verdict.sudo);
    assert_string_equal(verdict.granted_by, "p");
    assert_false(acl_check(acl, OP_UPDATE, "a", NULL).allowed);
    acl_unref(acl);
}

static void test_root(void **state)
{
    (void)state;
    struct acl *acl = acl_new(NULL, 0, true);
    struct acl_verdict verdict = acl_check(acl, OP_DELETE, "sys/x", NULL);
    assert_true(verdict.allowed && verdict.sudo);
    assert_int_equal(acl_capabilities(acl, "a", false), CAP_ROOT);
    acl_unref(acl);
}

static void test_allowed_parameters(void **state)
{
    static const char text[] = "path \"a\" { capabilities = [\"update\"]\n"
                               "allowed_parameters = { \"Type\" = [\"dev-*\", 5] \"any\" = [] } }";
    (void)state;
    assert_true(may(text, OP_UPDATE, "a", "{}"));
    assert_true(may(text, OP_UPDATE, "a", "{\"type\":\"dev-1\",\"ANY\":{\"x\":1}}"));
    assert_true(may(text, OP_UPDATE, "a", "{\"type\":5}"));
    assert_false(may(text, OP_UPDATE, "a", "{\"type\":\"prod\"}"));
    assert_false(may(text, OP_UPDATE, "a", "{\"other\":1}"));
}

static void test_denied_parameters(void **state)
{
    static const char text[] = "path \"a\" { capabilities = [\"update\"]\n"
                               "denied_parameters { x = [] n = [5] } }";
    (void)state;
    assert_true(may(text, OP_UPDATE, "a", "{\"y\":1,\"n\":6}"));
    assert_false(may(text, OP_UPDATE, "a", "{\"X\":1}"));
    assert_false(may(text, OP_UPDATE, "a", "{\"n\":5}"));
    assert_false(may(text, OP_UPDATE, "a", "{\"n\":\"5\"}"));
}

static void test_required_parameters(void **state)
{
    static const char text[] = "path \"a\" { capabilities = [\"update\", \"delete\"] required_parameters = [\"x\"] }";
    (void)state;
    assert_false(may(text, OP_UPDATE, "a", "{}"));
    assert_true(may(text, OP_UPDATE, "a", "{\"x\":1}"));
    assert_true(may(text, OP_DELETE, "a", "{}"));
}

static void test_wrapping(void **state)
{
    (void)state;
    struct acl *acl =
        acl_of("path \"a\" { capabilities = [\"read\"] min_wrapping_ttl = \"10s\" max_wrapping_ttl = \"1m\" }", "");
    assert_false(acl_check(acl, OP_READ, "a", NULL).allowed);
    assert_false(acl_check_wrapped(acl, OP_READ, "a", NULL, 9).allowed);
    assert_true(acl_check_wrapped(acl, OP_READ, "a", NULL, 60).allowed);
    assert_false(acl_check_wrapped(acl, OP_READ, "a", NULL, 61).allowed);
    acl_unref(acl);
}

static void test_templates(void **state)
{
    (void)state;
    assert_int_equal(on("path \"a/{{identity.entity.id}}\" { capabilities = [\"read\"] }", "a/{{identity.entity.id}}"),
                     CAP_DENY);
}

static void test_touches(void **state)
{
    (void)state;
    struct acl *acl =
        acl_of("path \"a/+/c\" { capabilities = [\"read\"] }", "path \"b" WILD "\" { policy = \"read\" }");
    assert_true(acl_touches(acl, "a/"));
    assert_true(acl_touches(acl, "a/x/"));
    assert_true(acl_touches(acl, "bcd/e/"));
    assert_false(acl_touches(acl, "a/x/d"));
    assert_false(acl_touches(acl, "c/"));
    acl_unref(acl);
}

static void test_default_text(void **state)
{
    (void)state;
    assert_true(may(policy_default_text, OP_READ, "auth/token/lookup-self", "{}"));
    assert_true(may(policy_default_text, OP_UPDATE, "cubbyhole/a/b", "{}"));
    assert_false(may(policy_default_text, OP_READ, "secret/a", "{}"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"an unknown key, capability or wildcard is refused with its place", test_unknown_words, NULL, NULL, NULL},
        {"a policy in JSON means the same as in HCL", test_json, NULL, NULL, NULL},
        {"the one-word policies of old still mean their capabilities", test_old_words, NULL, NULL, NULL},
        {"what no rule names is denied", test_no_rule, NULL, NULL, NULL},
        {"an exact pattern wins over every wildcard", test_exact_wins, NULL, NULL, NULL},
        {"the longest prefix decides", test_longest_prefix, NULL, NULL, NULL},
        {"a plus stands for exactly one segment", test_plus, NULL, NULL, NULL},
        {"a denial wins over all grants for the same pattern", test_deny_dominates, NULL, NULL, NULL},
        {"two policies for the same pattern add up", test_union, NULL, NULL, NULL},
        {"a list is also allowed by the rule without the slash", test_list_slash, NULL, NULL, NULL},
        {"a wide grant does not list what a narrower rule denies", test_list_denied, NULL, NULL, NULL},
        {"sudo comes besides the capability, not instead of it", test_sudo, NULL, NULL, NULL},
        {"root may do everything", test_root, NULL, NULL, NULL},
        {"a parameter or value that is not allowed is refused", test_allowed_parameters, NULL, NULL, NULL},
        {"a denied value is refused however it is written", test_denied_parameters, NULL, NULL, NULL},
        {"a write without a required parameter is refused", test_required_parameters, NULL, NULL, NULL},
        {"an answer that must be wrapped is not given bare", test_wrapping, NULL, NULL, NULL},
        {"a template without a value matches nothing, not even itself", test_templates, NULL, NULL, NULL},
        {"only mounts that a rule reaches into are touched", test_touches, NULL, NULL, NULL},
        {"the default policy can be read and gives away no secret", test_default_text, NULL, NULL, NULL},
    };
    json_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
