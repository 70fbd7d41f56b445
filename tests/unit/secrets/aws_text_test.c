/* SPDX-License-Identifier: Apache-2.0 */
/* What the AWS engine reads and writes as text: answers, policies, roles, endpoints, parameters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "secrets/aws/aws_private.h" /* before cmocka, which makes a macro of fail() */

#include <cmocka.h>

static struct err err;

/* ---- XML ---- */

static struct aws_xml *parsed(const char *text)
{
    struct aws_xml *xml = NULL;
    if (aws_xml_parse(text, strlen(text), &xml, &err) != OK)
        fail_msg("%s", err_text(&err));
    return xml;
}

static void assert_no_xml(const char *text, size_t len)
{
    struct aws_xml *xml = NULL;
    assert_int_equal(aws_xml_parse(text, len, &xml, &err), ERR_UPSTREAM);
    assert_null(xml);
}

static void answers_are_read(void **state)
{
    (void)state;
    struct aws_xml *xml =
        parsed("<R xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><A><B>x &amp; y&#33;</B><E/></A>"
               "<L><member><K>1</K></member><member><K>2</K></member><member/></L>"
               "<N><member>p</member></N></R>");
    assert_string_equal(aws_xml_text(xml, "A/B"), "x & y!");
    assert_string_equal(aws_xml_text(xml, "A/E"), "");
    assert_string_equal(aws_xml_text(xml, "A/none/at/all"), "");
    assert_string_equal(aws_xml_member(xml, "L", 1, "K"), "2");
    assert_string_equal(aws_xml_member(xml, "L", 2, "K"), "");
    assert_null(aws_xml_member(xml, "L", 3, "K"));
    assert_null(aws_xml_member(xml, "none", 0, "K"));
    assert_string_equal(aws_xml_member(xml, "N", 0, NULL), "p");
    aws_xml_free(xml);
}

static void hostile_answers_are_refused(void **state)
{
    (void)state;
    static const char bomb[] = "<!DOCTYPE a [<!ENTITY b \"bb\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>";
    static const char file[] = "<?xml version=\"1.0\"?><!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>";
    assert_no_xml(bomb, sizeof bomb - 1);
    assert_no_xml(file, sizeof file - 1);
    assert_no_xml("", 0);
    assert_no_xml("<a><b></a>", 10);
    assert_no_xml("{\"not\": \"xml\"}", 14);
    assert_no_xml("<a>&nothing;</a>", 16);
}

/* ---- Policies ---- */

static void policies_are_compacted(void **state)
{
    (void)state;
    struct arena arena;
    const char *text = NULL;
    arena_init(&arena);
    assert_int_equal(aws_policy_compact(&arena,
                                        "{\n  \"Version\": \"2012-10-17\",\t\"A\": [ \"a b\", \"\\\" \\\\\" ] }\r\n",
                                        &text, &err),
                     OK);
    assert_string_equal(text, "{\"Version\":\"2012-10-17\",\"A\":[\"a b\",\"\\\" \\\\\"]}");
    static const char *const bad[] = {"", "EOF", "{", "[]", "\"text\"", "{} {}", "{\"a\":}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(aws_policy_compact(&arena, bad[i], &text, &err), ERR_INVALID);
        assert_non_null(strstr(err_text(&err), "policy_document"));
    }
    arena_close(&arena);
}

/* ---- Roles ---- */

static void assert_role(const char *json, const char *refusal)
{
    json_t *role = json_loads(json, 0, NULL);
    assert_non_null(role);
    err = (struct err){0};
    int rc = aws_role_check(role, &err);
    json_decref(role);
    if (refusal == NULL && rc != OK)
        fail_msg("%s: %s", json, err_text(&err));
    if (refusal != NULL && (rc != ERR_INVALID || strstr(err_text(&err), refusal) == NULL))
        fail_msg("%s: \"%s\" does not say \"%s\"", json, err_text(&err), refusal);
}

#define ROLE_ARN   "\"role_arns\": [\"arn:aws:iam::123456789012:role/r\"]"
#define POLICY_ARN "\"policy_arns\": [\"arn:aws:iam::aws:policy/ReadOnlyAccess\"]"

static void good_roles_are_taken(void **state)
{
    (void)state;
    assert_role("{\"credential_types\": [\"iam_user\"], " POLICY_ARN "}", NULL);
    assert_role("{\"credential_types\": [\"iam_user\"], \"iam_groups\": [\"g\"], \"user_path\": \"/a/\"}", NULL);
    assert_role("{\"credential_types\": [\"assumed_role\"], " ROLE_ARN ", \"default_sts_ttl\": 900}", NULL);
    assert_role("{\"credential_types\": [\"federation_token\"], \"policy_document\": \"{}\"}", NULL);
    assert_role("{\"credential_types\": [\"session_token\"], \"mfa_serial_number\": \"m\"}", NULL);
    assert_role("{\"credential_types\": [\"iam_user\", \"federation_token\"], \"policy_document\": \"{}\"}", NULL);
}

static void bad_roles_are_refused(void **state)
{
    (void)state;
    assert_role("{\"credential_types\": []}", "credential_type is required");
    assert_role("{\"credential_types\": [\"root\"]}", "unrecognized credential_type");
    assert_role("{\"credential_types\": [\"iam_user\"]}", "needs a policy");
    assert_role("{\"credential_types\": [\"federation_token\"]}", "needs a policy");
    assert_role("{\"credential_types\": [\"iam_user\"], " POLICY_ARN ", " ROLE_ARN "}", "role_arns is only valid");
    assert_role("{\"credential_types\": [\"assumed_role\"]}", "role_arns is required");
    assert_role("{\"credential_types\": [\"assumed_role\"], " ROLE_ARN ", \"user_path\": \"/\"}", "user_path is only");
    assert_role("{\"credential_types\": [\"session_token\"], " POLICY_ARN "}", "policy_arns is only valid");
    assert_role("{\"credential_types\": [\"iam_user\"], " POLICY_ARN ", \"max_sts_ttl\": 5}", "max_sts_ttl is only");
    assert_role("{\"credential_types\": [\"iam_user\"], " POLICY_ARN ", \"user_path\": \"x\"}", "slash");
    assert_role("{\"credential_types\": [\"iam_user\"], \"policy_arns\": [\"ReadOnly\"]}", "no ARN of a policy");
    assert_role("{\"credential_types\": [\"assumed_role\"], \"role_arns\": [\"arn:aws:iam::1:user/u\"]}", "of a role");
    assert_role("{\"credential_types\": [\"assumed_role\"], " ROLE_ARN ", \"default_sts_ttl\": 9, \"max_sts_ttl\": 8}",
                "longer than max_sts_ttl");
}

/* ---- Endpoints ---- */

static struct aws_account account_in(const char *region)
{
    return (struct aws_account){.access_key = "k",
                                .secret_key = "s",
                                .region = region,
                                .iam_endpoint = "",
                                .sts_endpoint = "",
                                .sts_region = "",
                                .max_retries = -1};
}

static void assert_target(const struct aws_account *account, enum aws_service service, const char *url,
                          const char *signing)
{
    struct aws_target target;
    assert_int_equal(aws_target_of(account, service, &target, &err), OK);
    assert_string_equal(target.url, url);
    assert_string_equal(target.signing, signing);
}

static void regions_choose_endpoints(void **state)
{
    (void)state;
    struct aws_account account = account_in("");
    assert_target(&account, AWS_IAM, "https://iam.amazonaws.com/", "aws:amz:us-east-1:iam");
    assert_target(&account, AWS_STS, "https://sts.us-east-1.amazonaws.com/", "aws:amz:us-east-1:sts");
    account = account_in("eu-central-1");
    assert_target(&account, AWS_IAM, "https://iam.amazonaws.com/", "aws:amz:us-east-1:iam");
    assert_target(&account, AWS_STS, "https://sts.eu-central-1.amazonaws.com/", "aws:amz:eu-central-1:sts");
    account = account_in("cn-northwest-1");
    assert_target(&account, AWS_IAM, "https://iam.cn-north-1.amazonaws.com.cn/", "aws:amz:cn-north-1:iam");
    assert_target(&account, AWS_STS, "https://sts.cn-northwest-1.amazonaws.com.cn/", "aws:amz:cn-northwest-1:sts");
    account = account_in("us-gov-east-1");
    assert_target(&account, AWS_IAM, "https://iam.us-gov.amazonaws.com/", "aws:amz:us-gov-west-1:iam");
    account = account_in("eu-west-1");
    account.iam_endpoint = account.sts_endpoint = "http://127.0.0.1:5000";
    account.sts_region = "eu-west-3";
    assert_target(&account, AWS_IAM, "http://127.0.0.1:5000/", "aws:amz:eu-west-1:iam");
    assert_target(&account, AWS_STS, "http://127.0.0.1:5000/", "aws:amz:eu-west-3:sts");
}

static void bad_endpoints_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"iam.amazonaws.com", "file:///etc/passwd", "https://",    "https://a@b/",
                                      "https://a/b",       "https://a/?x=1",     "https://a b", "gopher://a"};
    struct aws_target target;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct aws_account account = account_in("");
        account.iam_endpoint = bad[i];
        assert_int_equal(aws_target_of(&account, AWS_IAM, &target, &err), ERR_INVALID);
    }
    struct aws_account account = account_in("us-east-1.evil.example/");
    assert_int_equal(aws_target_of(&account, AWS_STS, &target, &err), ERR_INVALID);
}

/* ---- Parameters ---- */

static void parameters_are_encoded(void **state)
{
    (void)state;
    struct aws_params params = AWS_PARAMS_INIT;
    json_t *list = json_pack("[s, s]", "arn:a/b", "c"), *tags = json_pack("{s:s, s:s}", "k", "v w", "empty", "");
    aws_param(&params, "UserName", "a+b@c ~");
    aws_param(&params, "Path", "");
    aws_param(&params, "Other", NULL);
    aws_param_list(&params, "PolicyArns", list, ".arn");
    aws_param_tags(&params, "Tags", tags);
    aws_param_tags(&params, "More", NULL);
    assert_string_equal(buf_str(&params.form),
                        "&UserName=a%2Bb%40c+~&PolicyArns.member.1.arn=arn%3Aa%2Fb&PolicyArns.member.2.arn=c"
                        "&Tags.member.1.Key=k&Tags.member.1.Value=v+w&Tags.member.2.Key=empty&Tags.member.2.Value=");
    aws_params_close(&params);
    json_decref(list);
    json_decref(tags);
}

int main(void)
{
    json_setup();
    static const struct CMUnitTest tests[] = {
        {"answers are read by path, whatever their namespace", answers_are_read, NULL, NULL, NULL},
        {"an answer with a document type, or that is no XML, is refused", hostile_answers_are_refused, NULL, NULL,
         NULL},
        {"a policy loses its blanks and nothing else, and must be a JSON object", policies_are_compacted, NULL, NULL,
         NULL},
        {"roles whose parts go together are taken", good_roles_are_taken, NULL, NULL, NULL},
        {"a part that has no meaning for a role's credential type is refused", bad_roles_are_refused, NULL, NULL, NULL},
        {"the region chooses the endpoint and what is signed for, in each partition", regions_choose_endpoints, NULL,
         NULL, NULL},
        {"an endpoint that is no plain http or https host is refused", bad_endpoints_are_refused, NULL, NULL, NULL},
        {"parameters, lists and tags are encoded as AWS reads them", parameters_are_encoded, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("aws text", tests, NULL, NULL);
}
