/* SPDX-License-Identifier: Apache-2.0 */
#include "core/policy/password.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"
#include "config/hcl.h"

#define TEXT_MAX   (64 << 10)
#define LENGTH_MIN 4
#define LENGTH_MAX 100
#define RULES_MAX  64

struct rule {
    json_t *chars; /* each once, as a text of its own */
    int64_t min;
};

struct policy {
    int64_t length;
    struct rule rules[RULES_MAX];
    size_t n_rules;
    json_t *chars; /* of all rules, each once */
};

static void policy_close(struct policy *policy)
{
    for (size_t i = 0; i < policy->n_rules; i++)
        json_decref(policy->rules[i].chars);
    json_decref(policy->chars);
}

/* ---- Reading ---- */

static size_t char_len(const char *at)
{
    size_t len = 1;
    while (((unsigned char)at[len] & 0xc0) == 0x80)
        len++;
    return len;
}

/* Adds what is not there yet. */
static int add_chars(json_t *chars, const char *text, struct err *err)
{
    json_t *known = json_object(), *one;
    size_t i;
    int rc = OK;
    json_array_foreach(chars, i, one) json_object_set_new(known, json_string_value(one), json_true());
    for (size_t len; rc == OK && *text != '\0'; text += len) {
        len = char_len(text);
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            rc = err_set(err, ERR_INVALID,
                         "invalid password policy: a charset holds a character that cannot be printed");
        one = json_stringn(text, len);
        if (rc == OK && json_object_get(known, json_string_value(one)) == NULL) {
            json_array_append(chars, one);
            json_object_set_new(known, json_string_value(one), json_true());
        }
        json_decref(one);
    }
    json_decref(known);
    return rc;
}

static int64_t number_of(const struct hcl_body *body, const char *key)
{
    const struct hcl_item *item = hcl_find(body, key);
    return item != NULL && json_is_integer(item->value) ? json_integer_value(item->value) : 0;
}

static int read_rule(const struct hcl_item *item, struct policy *policy, struct err *err)
{
    const char *kind = item->n_labels == 1 ? item->labels[0] : "";
    const struct hcl_item *charset = item->body != NULL ? hcl_find(item->body, "charset") : NULL;
    if (strcmp(kind, "charset") != 0)
        return err_set(
            err, ERR_INVALID,
            "invalid password policy: unable to parse rules: unable to parse rule %.32s: unrecognized rule type "
            "%.32s",
            kind, kind);
    if (policy->n_rules == RULES_MAX)
        return err_set(err, ERR_INVALID, "invalid password policy: more than %d rules", RULES_MAX);
    struct rule *rule = &policy->rules[policy->n_rules++];
    rule->chars = json_array();
    rule->min = number_of(item->body, "min-chars");
    const char *text = charset != NULL ? json_string_value(charset->value) : NULL;
    if (rule->min < 0 || rule->min > LENGTH_MAX)
        return err_set(err, ERR_INVALID, "invalid password policy: min-chars must be from 0 to %d", LENGTH_MAX);
    int rc = add_chars(rule->chars, text != NULL ? text : "", err);
    return rc == OK ? add_chars(policy->chars, text != NULL ? text : "", err) : rc;
}

static int read_policy(const struct hcl_body *root, struct policy *policy, struct err *err)
{
    int rc = OK;
    policy->length = number_of(root, "length");
    for (size_t i = 0; rc == OK && i < root->n_items; i++)
        if (strcmp(root->items[i].key, "rule") == 0)
            rc = read_rule(&root->items[i], policy, err);
    return rc;
}

/* ---- Checking: the sentences of what is wrong, as a list ---- */

static int64_t least_length(const struct policy *policy)
{
    int64_t least = 0;
    for (size_t i = 0; i < policy->n_rules; i++)
        least += policy->rules[i].min;
    return least;
}

static bool lacks_chars(const struct policy *policy)
{
    for (size_t i = 0; i < policy->n_rules; i++)
        if (policy->rules[i].min > 0 && json_array_size(policy->rules[i].chars) == 0)
            return true;
    return json_array_size(policy->chars) == 0;
}

static int check_policy(const struct policy *policy, struct err *err)
{
    static const char no_length[] = "\t* length must be > 0\n", no_chars[] = "\t* no charset specified\n";
    int64_t least = least_length(policy);
    bool without_length = policy->length <= 0, without_chars = lacks_chars(policy);
    if (without_length || without_chars)
        return err_set(err, ERR_INVALID, "invalid password policy: %s occurred:\n%s%s\n",
                       without_length && without_chars ? "2 errors" : "1 error", without_length ? no_length : "",
                       without_chars ? no_chars : "");
    if (least > policy->length)
        return err_set(
            err, ERR_INVALID,
            "invalid password policy: 1 error occurred:\n\t* specified rules require at least %lld characters "
            "but %lld is specified\n\n",
            (long long)least, (long long)policy->length);
    if (policy->length < LENGTH_MIN || policy->length > LENGTH_MAX)
        return err_set(err, ERR_INVALID, "passwords must be between %d and %d characters", LENGTH_MIN, LENGTH_MAX);
    return OK;
}

static int parse(const char *text, struct policy *ret_policy, struct err *err)
{
    struct policy policy = {.chars = json_array()};
    struct hcl *hcl = NULL;
    int rc = strlen(text) <= TEXT_MAX ? OK : err_set(err, ERR_INVALID, "the policy is longer than %d bytes", TEXT_MAX);
    if (rc == OK && (rc = hcl_parse(text, strlen(text), &hcl, err)) != OK)
        err_wrap(err, "invalid password policy: unable to decode");
    if (rc == OK)
        rc = read_policy(hcl_root(hcl), &policy, err);
    if (rc == OK)
        rc = check_policy(&policy, err);
    hcl_free(hcl);
    if (rc == OK)
        *ret_policy = policy;
    else
        policy_close(&policy);
    return rc;
}

int password_policy_check(const char *text, struct err *err)
{
    struct policy policy;
    int rc = parse(text, &policy, err);
    if (rc == OK)
        policy_close(&policy);
    return rc;
}

/* ---- Generating ---- */

/* From 0 to n - 1, all alike. */
static size_t random_below(size_t n)
{
    uint32_t value, limit = UINT32_MAX - UINT32_MAX % (uint32_t)n;
    do
        random_bytes(&value, sizeof value);
    while (value >= limit);
    return value % n;
}

static const char *random_char(const json_t *chars)
{
    return json_string_value(json_array_get(chars, random_below(json_array_size(chars))));
}

/* Fisher and Yates's way. */
static void shuffle(const char **chars, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = random_below(i);
        const char *last = chars[i - 1];
        chars[i - 1] = chars[j];
        chars[j] = last;
    }
}

int password_generate(const char *text, struct buf *ret_password, struct err *err)
{
    const char *chars[LENGTH_MAX];
    struct policy policy;
    size_t n = 0;
    int rc = parse(text, &policy, err);
    if (rc != OK)
        return rc;
    for (size_t i = 0; i < policy.n_rules; i++)
        for (int64_t j = 0; j < policy.rules[i].min; j++)
            chars[n++] = random_char(policy.rules[i].chars);
    while (n < (size_t)policy.length)
        chars[n++] = random_char(policy.chars);
    shuffle(chars, n);
    for (size_t i = 0; i < n; i++)
        buf_puts(ret_password, chars[i]);
    secret_wipe(chars, sizeof chars);
    policy_close(&policy);
    return OK;
}
