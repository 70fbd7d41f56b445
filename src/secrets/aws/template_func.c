/* SPDX-License-Identifier: Apache-2.0 */
#include "secrets/aws/template_private.h"

#include <ctype.h>
#include <openssl/sha.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/secret.h"

struct value value_text(const char *text)
{
    return (struct value){.kind = VALUE_TEXT, .text = text};
}

struct value value_int(struct arena *arena, int64_t number)
{
    return (struct value){.kind = VALUE_INT, .text = arena_printf(arena, "%lld", (long long)number), .number = number};
}

struct value value_bool(bool truth)
{
    return (struct value){.kind = VALUE_BOOL, .text = truth ? "true" : "false", .number = truth};
}

static int want_size(const struct value *value, int64_t most, const char *name, struct err *err)
{
    if (value->kind != VALUE_INT || value->number < 1 || value->number > most)
        return err_set(err, ERR_INVALID, "%s takes a whole number from 1 to %lld", name, (long long)most);
    return OK;
}

static int call_random(struct arena *arena, const struct value *args, int n, struct value *ret, struct err *err)
{
    (void)n;
    int rc = want_size(&args[0], 128, "random", err);
    if (rc != OK)
        return rc;
    char *text = arena_alloc(arena, (size_t)args[0].number + 1);
    random_base62(text, (size_t)args[0].number);
    *ret = value_text(text);
    return OK;
}

static int call_truncate(struct arena *arena, const struct value *args, int n, struct value *ret, struct err *err)
{
    (void)n;
    int rc = want_size(&args[0], TEMPLATE_OUTPUT_MAX, "truncate", err);
    if (rc != OK)
        return rc;
    *ret = value_text(arena_strndup(arena, args[1].text, (size_t)args[0].number));
    return OK;
}

static const char *sha256_hex(struct arena *arena, const char *text)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char *hex = arena_alloc(arena, 2 * sizeof digest + 1);
    SHA256((const unsigned char *)text, strlen(text), digest);
    hex_encode(digest, sizeof digest, hex);
    return hex;
}

/* Cuts, and ends with eight characters of the whole text's hash, so that what was cut still counts. */
static int call_truncate_sha256(struct arena *arena, const struct value *args, int n, struct value *ret,
                                struct err *err)
{
    (void)n;
    int rc = want_size(&args[0], TEMPLATE_OUTPUT_MAX, "truncate_sha256", err);
    if (rc == OK && args[0].number < 9)
        rc = err_set(err, ERR_INVALID, "truncate_sha256 needs room for more than 8 characters");
    if (rc != OK)
        return rc;
    size_t most = (size_t)args[0].number;
    *ret = args[1];
    if (strlen(args[1].text) > most)
        *ret =
            value_text(arena_printf(arena, "%.*s%.8s", (int)(most - 8), args[1].text, sha256_hex(arena, args[1].text)));
    return OK;
}

static int call_sha256(struct arena *arena, const struct value *args, int n, struct value *ret, struct err *err)
{
    (void)n, (void)err;
    *ret = value_text(sha256_hex(arena, args[0].text));
    return OK;
}

static int call_base64(struct arena *arena, const struct value *args, int n, struct value *ret, struct err *err)
{
    (void)n, (void)err;
    size_t len = strlen(args[0].text);
    char *text = arena_alloc(arena, BASE64_SIZE(len));
    base64_encode(args[0].text, len, text);
    *ret = value_text(text);
    return OK;
}

static int map_characters(struct arena *arena, const char *text, int (*map)(int c), struct value *ret)
{
    char *copy = arena_strdup(arena, text);
    for (char *at = copy; *at != '\0'; at++)
        *at = (char)map((unsigned char)*at);
    *ret = value_text(copy);
    return OK;
}

static int call_uppercase(struct arena *arena, const struct value *args, int n, struct value *ret, struct err *err)
{
    (void)n, (void)err;
    return map_characters(arena, args[0].text, toupper, ret);
}

static int call_lowercase(struct arena *arena, const struct value *args, int n, struct value *ret, struct err *err)
{
    (void)n, (void)err;
    return map_characters(arena, args[0].text, tolower, ret);
}

/* replace OLD NEW TEXT */
static int call_replace(struct arena *arena, const struct value *args, int n, struct value *ret, struct err *err)
{
    (void)n;
    const char *old = args[0].text, *at = args[2].text;
    struct buf out = BUF_INIT;
    if (*old == '\0')
        return err_set(err, ERR_INVALID, "replace needs something to replace");
    for (const char *hit; (hit = strstr(at, old)) != NULL && out.len <= TEMPLATE_VALUE_MAX; at = hit + strlen(old)) {
        buf_put(&out, at, (size_t)(hit - at));
        buf_puts(&out, args[1].text);
    }
    buf_puts(&out, at);
    *ret = value_text(arena_strdup(arena, buf_str(&out)));
    buf_close(&out);
    return OK;
}

static int call_unix_time(struct arena *arena, const struct value *args, int n, struct value *ret, struct err *err)
{
    (void)args, (void)n, (void)err;
    *ret = value_text(value_int(arena, clock_wall_ms() / 1000).text);
    return OK;
}

static int call_unix_time_millis(struct arena *arena, const struct value *args, int n, struct value *ret,
                                 struct err *err)
{
    (void)args, (void)n, (void)err;
    *ret = value_text(value_int(arena, clock_wall_ms()).text);
    return OK;
}

static int call_uuid(struct arena *arena, const struct value *args, int n, struct value *ret, struct err *err)
{
    (void)args, (void)n, (void)err;
    char *text = arena_alloc(arena, 37);
    random_uuid(text);
    *ret = value_text(text);
    return OK;
}

static int compare(const struct value *args, int n, bool *ret_any, struct err *err)
{
    *ret_any = false;
    for (int i = 1; i < n; i++) {
        if (args[i].kind != args[0].kind)
            return err_set(err, ERR_INVALID, "only values of one kind can be compared");
        *ret_any |= strcmp(args[i].text, args[0].text) == 0;
    }
    return OK;
}

static int call_eq(struct arena *arena, const struct value *args, int n, struct value *ret, struct err *err)
{
    (void)arena;
    bool any;
    int rc = compare(args, n, &any, err);
    *ret = value_bool(any);
    return rc;
}

static int call_ne(struct arena *arena, const struct value *args, int n, struct value *ret, struct err *err)
{
    (void)arena;
    bool any;
    int rc = compare(args, n, &any, err);
    *ret = value_bool(!any);
    return rc;
}

static int print_one(struct buf *out, char verb, const struct value *value, struct err *err)
{
    bool is_number = value->kind == VALUE_INT;
    if (verb == 'v' || (verb == 's' && !is_number) || (verb == 'd' && is_number))
        buf_puts(out, value->text);
    else if (verb == 'q' && value->kind == VALUE_TEXT)
        buf_printf(out, "\"%s\"", value->text);
    else
        return err_set(err, ERR_INVALID, "printf cannot print this value with %%%c", verb);
    return OK;
}

static int call_printf(struct arena *arena, const struct value *args, int n, struct value *ret, struct err *err)
{
    struct buf out = BUF_INIT;
    int next = 1, rc = OK;

    for (const char *at = args[0].text; *at != '\0' && rc == OK; at++) {
        if (*at != '%') {
            buf_put_u8(&out, (uint8_t)*at);
        } else if (*++at == '%') {
            buf_puts(&out, "%");
        } else if (*at == '\0' || next >= n) {
            rc = err_set(err, ERR_INVALID, "printf has fewer values than its format asks for");
            break;
        } else {
            rc = print_one(&out, *at, &args[next++], err);
        }
    }
    if (rc == OK && next < n)
        rc = err_set(err, ERR_INVALID, "printf has more values than its format asks for");
    *ret = value_text(arena_strdup(arena, buf_str(&out)));
    buf_close(&out);
    return rc;
}

static const struct template_func funcs[] = {
    /* name            args  */
    {"base64", 1, 1, call_base64},
    {"eq", 2, TEMPLATE_ARGS_MAX, call_eq},
    {"lowercase", 1, 1, call_lowercase},
    {"ne", 2, 2, call_ne},
    {"printf", 1, TEMPLATE_ARGS_MAX, call_printf},
    {"random", 1, 1, call_random},
    {"replace", 3, 3, call_replace},
    {"sha256", 1, 1, call_sha256},
    {"truncate", 2, 2, call_truncate},
    {"truncate_sha256", 2, 2, call_truncate_sha256},
    {"unix_time", 0, 0, call_unix_time},
    {"unix_time_millis", 0, 0, call_unix_time_millis},
    {"uppercase", 1, 1, call_uppercase},
    {"uuid", 0, 0, call_uuid},
};

const struct template_func *template_func_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof funcs / sizeof funcs[0]; i++) {
        if (strlen(funcs[i].name) == len && memcmp(funcs[i].name, name, len) == 0)
            return &funcs[i];
    }
    return NULL;
}
