/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "secrets/aws/template.h"

static const struct template_vars user = {"IAM", "token-ann", "my-role"};
static const struct template_vars session = {"STS", "token-ann", "my-role"};
static struct arena arena;
static struct err err;

static int open_arena(void **state)
{
    (void)state;
    arena_init(&arena);
    err = (struct err){0};
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    arena_close(&arena);
    return 0;
}

static const char *rendered(const char *template)
{
    const char *text = NULL;
    int rc = aws_template_render(template, &user, &arena, &text, &err);
    if (rc != OK)
        fail_msg("%s", err_text(&err));
    return text;
}

static void assert_refused(const char *template, const char *why)
{
    const char *text = NULL;
    assert_int_equal(aws_template_render(template, &user, &arena, &text, &err), ERR_INVALID);
    if (strstr(err_text(&err), why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err_text(&err), why);
}

static void default_names_users(void **state)
{
    (void)state;
    const char *name;
    assert_int_equal(aws_template_name(aws_template_default, &user, 64, &arena, &name, &err), OK);
    assert_int_equal(strncmp(name, "vault-token-ann-my-role-", 24), 0);
    assert_in_range(strlen(name), 45, 64);
}

static void default_names_sessions(void **state)
{
    (void)state;
    const char *name;
    assert_int_equal(aws_template_name(aws_template_default, &session, 32, &arena, &name, &err), OK);
    assert_int_equal(strncmp(name, "vault-", 6), 0);
    assert_int_equal(strlen(name), 32);
    assert_null(strstr(name, "ann"));
}

static void long_names_are_cut(void **state)
{
    (void)state;
    char role[300];
    const char *name;
    memset(role, 'r', sizeof role - 1);
    role[sizeof role - 1] = '\0';
    struct template_vars vars = {"IAM", role, role};
    assert_int_equal(aws_template_name(aws_template_default, &vars, 64, &arena, &name, &err), OK);
    assert_int_equal(strlen(name), 64);
}

static void forbidden_characters_are_replaced(void **state)
{
    (void)state;
    struct template_vars vars = {"IAM", "a b/c:d\xc3\xa9", "r"};
    const char *name;
    assert_int_equal(aws_template_name("{{.DisplayName}}-{{random 8}}", &vars, 64, &arena, &name, &err), OK);
    assert_int_equal(strncmp(name, "a_b_c_d__-", 10), 0);
}

static void same_name_twice_is_refused(void **state)
{
    (void)state;
    const char *name;
    assert_int_equal(aws_template_name("user-{{.PolicyName}}", &user, 64, &arena, &name, &err), ERR_INVALID);
    assert_non_null(strstr(err_text(&err), "random"));
    assert_int_equal(
        aws_template_name("{{printf \"%s%s\" .PolicyName (random 9) | truncate 5}}", &user, 64, &arena, &name, &err),
        ERR_INVALID);
}

static void too_long_a_name_is_refused(void **state)
{
    (void)state;
    const char *name;
    assert_int_equal(aws_template_name("{{random 65}}", &user, 64, &arena, &name, &err), ERR_INVALID);
}

static void conditions_choose(void **state)
{
    (void)state;
    assert_string_equal(rendered("{{if eq .Type \"IAM\"}}a{{else}}b{{end}}"), "a");
    assert_string_equal(rendered("{{if eq .Type \"STS\"}}a{{else if eq .Type \"IAM\" \"X\"}}b{{else}}c{{end}}"), "b");
    assert_string_equal(rendered("{{if (ne .Type \"IAM\")}}a{{end}}z"), "z");
    assert_string_equal(rendered("{{if true}}{{if false}}a{{else}}b{{end}}c{{end}}"), "bc");
}

static void functions_compute(void **state)
{
    (void)state;
    assert_string_equal(rendered("{{ .DisplayName | uppercase | truncate 7 }}"), "TOKEN-A");
    assert_string_equal(rendered("{{ replace \"-\" \"_\" .DisplayName }}"), "token_ann");
    assert_string_equal(rendered("{{ printf \"%s:%d:%v:%q:%%\" .Type 12 true `x` }}"), "IAM:12:true:\"x\":%");
    assert_string_equal(rendered("{{ base64 \"ab\" }}"), "YWI=");
    assert_string_equal(rendered("{{ \"abcdefghijkl\" | truncate_sha256 10 | truncate 2 }}"), "ab");
    assert_string_equal(rendered("{{ \"say \\\"hi\\\"\" }}"), "say \"hi\"");
    assert_int_equal(strlen(rendered("{{ random 20 }}")), 20);
    assert_int_equal(strlen(rendered("{{ uuid }}")), 36);
    assert_int_equal(strlen(rendered("{{ unix_time }}")), 10);
}

static void blanks_are_trimmed(void **state)
{
    (void)state;
    assert_string_equal(rendered("a  {{- \"b\" -}}  c {{ \"d\" }} e"), "abc d e");
}

static void mistakes_are_named(void **state)
{
    (void)state;
    assert_refused("{{", "has no end");
    assert_refused("{{ .Type ", "expected }}");
    assert_refused("{{ .Nothing }}", "unknown field");
    assert_refused("{{ nothing }}", "unknown function");
    assert_refused("{{ random }}", "too few");
    assert_refused("{{ random \"x\" }}", "whole number");
    assert_refused("{{ random 100000 }}", "1 to 128");
    assert_refused("{{ random 99999999999999999999 }}", "too large");
    assert_refused("{{ \"abc }}", "no closing quote");
    assert_refused("{{ (eq 1 1 }}", "expected )");
    assert_refused("{{ if true }}x", "no {{end}}");
    assert_refused("x{{ end }}", "without {{if}}");
    assert_refused("{{ if true }}a{{ else }}b{{ else }}c{{ end }}", "second {{else}}");
    assert_refused("{{ printf \"%s\" }}", "fewer values");
    assert_refused("{{ printf \"x\" 1 }}", "more values");
    assert_refused("{{ printf \"%x\" 1 }}", "cannot print");
    assert_refused("{{ eq 1 \"1\" }}", "one kind");
    assert_refused("{{ .Type | .Type }}", "function after |");
    assert_refused("{{ .Type .Type }}", "only a function");
    assert_refused("{{ eq 1 1 1 1 1 1 1 1 1 }}", "too many values");
    assert_refused("{{ 1 | eq 1 1 1 1 1 1 1 1 }}", "too many values");
    assert_refused("{{ 1 | eq 1 1 1 1 1 1 1 1 1 }}", "too many values");
}

static void untaken_branches_are_checked(void **state)
{
    (void)state;
    assert_refused("{{ if false }}{{ random 0 }}{{ end }}", "1 to 128");
}

static void growth_is_bounded(void **state)
{
    (void)state;
    char deep[4000] = "{{";
    memset(deep + 2, '(', 500);
    assert_refused(deep, "nested too deeply");
    char many[3000] = "";
    for (int i = 0; i < 30; i++)
        strcat(many, "{{if true}}");
    assert_refused(many, "nested too deeply");
    char wide[3000] = "";
    for (int i = 0; i < 100; i++)
        strcat(wide, "{{random 128}}");
    assert_refused(wide, "too long");
    char doubled[3000] = "{{ \"aaaaaaaa\"";
    for (int i = 0; i < 40; i++)
        strcat(doubled, "|replace \"a\" \"aaaa\"");
    strcat(doubled, "}}");
    assert_refused(doubled, "too long");
    char huge[5000];
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    assert_refused(huge, "longer than");
}

int main(void)
{
#define TEST(sentence, fn)                                                                                             \
    {                                                                                                                  \
        sentence, fn, open_arena, close_arena, NULL                                                                    \
    }
    static const struct CMUnitTest tests[] = {
        TEST("the default template names users after who asked and what for", default_names_users),
        TEST("the default template names sessions within 32 characters", default_names_sessions),
        TEST("long display and role names are cut to what IAM takes", long_names_are_cut),
        TEST("characters that IAM does not allow become underscores", forbidden_characters_are_replaced),
        TEST("a template that makes the same name twice is refused", same_name_twice_is_refused),
        TEST("a name longer than allowed is refused", too_long_a_name_is_refused),
        TEST("if, else if and else choose one branch", conditions_choose),
        TEST("functions and pipelines compute as in Go", functions_compute),
        TEST("trim markers take the blanks beside them away", blanks_are_trimmed),
        TEST("each mistake in a template is named", mistakes_are_named),
        TEST("a mistake in a branch that is not taken is found", untaken_branches_are_checked),
        TEST("no template grows its result, its depth or its length beyond bounds", growth_is_bounded),
    };
    return cmocka_run_group_tests_name("aws template", tests, NULL, NULL);
}
