/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template.c — evaluates a template while reading it: text and actions, recursive descent over
 *
 *     nodes    = { text | "{{" pipeline "}}" | if }
 *     if       = "{{if" pipeline "}}" nodes { "{{else if" pipeline "}}" nodes } [ "{{else}}" nodes ] "{{end}}"
 *     pipeline = command { "|" command }          the value goes to the next command as its last argument
 *     command  = operand | function { operand }
 *     operand  = "text" | `text` | number | true | false | .Field | function | "(" pipeline ")"
 *
 * A branch that is not taken is evaluated too, into nothing, so that its mistakes show at once.
 */
#include "secrets/aws/template_private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define DEPTH_MAX 16

const char aws_template_default[] =
    "{{ if (eq .Type \"STS\") }}{{ printf \"vault-%s-%s\" (unix_time) (random 20) | truncate 32 }}{{ else }}"
    "{{ printf \"vault-%s-%s-%s\" (printf \"%s-%s\" (.DisplayName) (.PolicyName) | truncate 42) (unix_time) "
    "(random 20) | truncate 64 }}{{ end }}";

struct parser {
    const char *start, *at, *end;
    const struct template_vars *vars;
    struct arena *arena;
    struct err *err;
    int depth;
    bool trim_next; /* the last action ended in -}} */
};

static int parse_pipeline(struct parser *parser, struct value *ret);

static int complain(struct parser *parser, const char *what)
{
    return err_set(parser->err, ERR_INVALID, "template, character %zu: %s", (size_t)(parser->at - parser->start) + 1,
                   what);
}

static void skip_blanks(struct parser *parser)
{
    while (parser->at < parser->end && isspace((unsigned char)*parser->at))
        parser->at++;
}

static bool looking_at(const struct parser *parser, const char *token)
{
    size_t len = strlen(token);
    return (size_t)(parser->end - parser->at) >= len && memcmp(parser->at, token, len) == 0;
}

static size_t word_here(const struct parser *parser)
{
    size_t len = 0;
    while (parser->at + len < parser->end && (isalnum((unsigned char)parser->at[len]) || parser->at[len] == '_'))
        len++;
    return len;
}

/* Takes a keyword of an action, if it is there as a whole word. */
static bool take_word(struct parser *parser, const char *word)
{
    skip_blanks(parser);
    if (word_here(parser) != strlen(word) || !looking_at(parser, word))
        return false;
    parser->at += strlen(word);
    return true;
}

static bool at_close(const struct parser *parser)
{
    return looking_at(parser, "}}") || looking_at(parser, "-}}");
}

static int take_close(struct parser *parser)
{
    skip_blanks(parser);
    if (!at_close(parser))
        return complain(parser, "expected }}");
    parser->trim_next = *parser->at == '-';
    parser->at += parser->trim_next ? 3 : 2;
    return OK;
}

static int parse_string(struct parser *parser, struct value *ret)
{
    char quote = *parser->at++;
    struct buf text = BUF_INIT;
    for (; parser->at < parser->end && *parser->at != quote; parser->at++) {
        if (*parser->at == '\\' && quote == '"' && parser->at + 1 < parser->end)
            parser->at++; /* \" and \\ are what names may need */
        buf_put_u8(&text, (uint8_t)*parser->at);
    }
    *ret = value_text(arena_strdup(parser->arena, buf_str(&text)));
    buf_close(&text);
    if (parser->at >= parser->end)
        return complain(parser, "a text has no closing quote");
    parser->at++;
    return OK;
}

static int parse_field(struct parser *parser, struct value *ret)
{
    const struct {
        const char *name, *value;
    } fields[] = {{"Type", parser->vars->type},
                  {"DisplayName", parser->vars->display_name},
                  {"PolicyName", parser->vars->policy_name}};
    parser->at++;
    size_t len = word_here(parser);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strlen(fields[i].name) == len && memcmp(fields[i].name, parser->at, len) == 0) {
            parser->at += len;
            *ret = value_text(fields[i].value);
            return OK;
        }
    }
    return complain(parser, "unknown field; there are .Type, .DisplayName and .PolicyName");
}

static int parse_number(struct parser *parser, struct value *ret)
{
    size_t digits = strspn(parser->at, "0123456789");
    if (digits > 9)
        return complain(parser, "the number is too large");
    *ret = value_int(parser->arena, strtol(parser->at, NULL, 10));
    parser->at += digits;
    return OK;
}

static int parse_parentheses(struct parser *parser, struct value *ret)
{
    parser->at++;
    int rc = parse_pipeline(parser, ret);
    skip_blanks(parser);
    if (rc == OK && !looking_at(parser, ")"))
        rc = complain(parser, "expected )");
    parser->at += rc == OK;
    return rc;
}

static int call(struct parser *parser, const struct template_func *func, const struct value *args, int n,
                struct value *ret)
{
    if (n < func->args_min || n > func->args_max)
        return complain(parser, "a function was given too few or too many values");
    int rc = func->call(parser->arena, args, n, ret, parser->err);
    if (rc == OK && strlen(ret->text) > TEMPLATE_VALUE_MAX)
        rc = complain(parser, "a value is too long");
    return rc;
}

/* A name that stands alone: true, false, or a function that takes nothing. */
static int parse_name(struct parser *parser, struct value *ret)
{
    size_t len = word_here(parser);
    const struct template_func *func = template_func_find(parser->at, len);
    bool is_true = len == 4 && looking_at(parser, "true");

    if (len == 0)
        return complain(parser, "expected a value");
    if (is_true || (len == 5 && looking_at(parser, "false"))) {
        *ret = value_bool(is_true);
        parser->at += len;
        return OK;
    }
    if (func == NULL)
        return complain(parser, "unknown function");
    parser->at += len;
    return call(parser, func, NULL, 0, ret);
}

static int parse_operand(struct parser *parser, struct value *ret)
{
    skip_blanks(parser);
    if (parser->at >= parser->end)
        return complain(parser, "an action has no end");
    if (*parser->at == '"' || *parser->at == '`')
        return parse_string(parser, ret);
    if (*parser->at == '.')
        return parse_field(parser, ret);
    if (*parser->at == '(')
        return parse_parentheses(parser, ret);
    return isdigit((unsigned char)*parser->at) ? parse_number(parser, ret) : parse_name(parser, ret);
}

static bool at_end_of_command(struct parser *parser)
{
    skip_blanks(parser);
    return parser->at >= parser->end || *parser->at == '|' || *parser->at == ')' || at_close(parser);
}

/* What follows a function's name, and then what was piped to it, if anything was. */
static int parse_args(struct parser *parser, const struct value *piped, struct value *args, int *ret_n)
{
    int n = 0, most = TEMPLATE_ARGS_MAX - (piped != NULL);
    while (!at_end_of_command(parser)) {
        if (n == most)
            return complain(parser, "too many values");
        int rc = parse_operand(parser, &args[n++]);
        if (rc != OK)
            return rc;
    }
    if (piped != NULL)
        args[n++] = *piped;
    *ret_n = n;
    return OK;
}

/* piped: what the command before handed on; or NULL. */
static int parse_command(struct parser *parser, const struct value *piped, struct value *ret)
{
    struct value args[TEMPLATE_ARGS_MAX];
    int n = 0;

    skip_blanks(parser);
    size_t len = word_here(parser);
    const struct template_func *func = template_func_find(parser->at, len);
    if (func != NULL) {
        parser->at += len;
        int rc = parse_args(parser, piped, args, &n);
        return rc == OK ? call(parser, func, args, n, ret) : rc;
    }
    if (piped != NULL)
        return complain(parser, "expected a function after |");
    int rc = parse_operand(parser, ret);
    if (rc == OK && !at_end_of_command(parser))
        rc = complain(parser, "only a function takes values");
    return rc;
}

static int parse_pipeline(struct parser *parser, struct value *ret)
{
    if (++parser->depth > DEPTH_MAX)
        return complain(parser, "nested too deeply");
    int rc = parse_command(parser, NULL, ret);
    skip_blanks(parser);
    while (rc == OK && looking_at(parser, "|")) {
        struct value piped = *ret;
        parser->at++;
        rc = parse_command(parser, &piped, ret);
        skip_blanks(parser);
    }
    parser->depth--;
    return rc;
}

/* What ended a run of nodes. */
enum stop { STOP_END_OF_TEXT, STOP_ELSE, STOP_END };

static int parse_nodes(struct parser *parser, struct buf *out, enum stop *ret_stop);

static bool is_true(const struct value *value)
{
    return value->kind == VALUE_TEXT ? *value->text != '\0' : value->number != 0;
}

/* After "{{if": the condition, what hangs on it, and the else-branches, until {{end}}. out NULL: print nothing. */
static int parse_if(struct parser *parser, struct buf *out)
{
    struct value condition = {0};
    bool done = false;
    enum stop stop = STOP_ELSE;

    if (++parser->depth > DEPTH_MAX)
        return complain(parser, "nested too deeply");
    for (bool last = false; stop == STOP_ELSE;) {
        int rc = last ? OK : parse_pipeline(parser, &condition);
        if (rc == OK)
            rc = take_close(parser);
        bool taken = rc == OK && !done && (last || is_true(&condition));
        if (rc == OK)
            rc = parse_nodes(parser, taken ? out : NULL, &stop);
        if (rc == OK && stop == STOP_ELSE && last)
            rc = complain(parser, "a second {{else}}");
        if (rc == OK && stop == STOP_END_OF_TEXT)
            rc = complain(parser, "an {{if}} has no {{end}}");
        if (rc != OK)
            return rc;
        done |= taken;
        last = stop == STOP_ELSE && !take_word(parser, "if");
    }
    parser->depth--;
    return take_close(parser);
}

/* After "{{". ret_stop is set when the action ends the nodes around it. */
static int parse_action(struct parser *parser, struct buf *out, bool *ret_stops, enum stop *ret_stop)
{
    struct value value;

    *ret_stops = true;
    *ret_stop = STOP_END;
    if (take_word(parser, "end"))
        return OK;
    *ret_stop = STOP_ELSE;
    if (take_word(parser, "else"))
        return OK;
    *ret_stops = false;
    if (take_word(parser, "if"))
        return parse_if(parser, out);
    int rc = parse_pipeline(parser, &value);
    if (rc == OK)
        rc = take_close(parser);
    if (rc == OK && out != NULL)
        buf_puts(out, value.text);
    return rc;
}

static void put_text(struct buf *out, const char *from, const char *to)
{
    if (out != NULL && to > from)
        buf_put(out, from, (size_t)(to - from));
}

/* Text up to the next action, without the blanks that {{- and -}} take away. False when no action follows. */
static bool take_text(struct parser *parser, struct buf *out)
{
    if (parser->trim_next)
        skip_blanks(parser);
    parser->trim_next = false;
    const char *from = parser->at;
    const char *to = memmem(from, (size_t)(parser->end - from), "{{", 2);
    if (to == NULL) {
        put_text(out, from, parser->end);
        return false;
    }
    parser->at = to + 2;
    if (looking_at(parser, "- ")) {
        parser->at++;
        while (to > from && isspace((unsigned char)to[-1]))
            to--;
    }
    put_text(out, from, to);
    return true;
}

static int parse_nodes(struct parser *parser, struct buf *out, enum stop *ret_stop)
{
    while (take_text(parser, out)) {
        bool stops = false;
        int rc = parse_action(parser, out, &stops, ret_stop);
        if (rc == OK && out != NULL && out->len > TEMPLATE_OUTPUT_MAX)
            rc = complain(parser, "the result is too long");
        if (rc != OK || stops)
            return rc;
    }
    *ret_stop = STOP_END_OF_TEXT;
    return OK;
}

int aws_template_render(const char *text, const struct template_vars *vars, struct arena *arena, const char **ret_text,
                        struct err *err)
{
    struct buf out = BUF_INIT;
    enum stop stop;
    struct parser parser = {
        .start = text, .at = text, .end = text + strlen(text), .vars = vars, .arena = arena, .err = err};

    if (strlen(text) > TEMPLATE_TEXT_MAX)
        return err_set(err, ERR_INVALID, "template: longer than %d characters", TEMPLATE_TEXT_MAX);
    int rc = parse_nodes(&parser, &out, &stop);
    if (rc == OK && stop != STOP_END_OF_TEXT)
        rc = complain(&parser, "{{else}} or {{end}} without {{if}}");
    if (rc == OK && out.len > TEMPLATE_OUTPUT_MAX)
        rc = complain(&parser, "the result is too long");
    if (rc == OK)
        *ret_text = arena_strdup(arena, buf_str(&out));
    buf_close(&out);
    return rc;
}

static char *make_allowed(struct arena *arena, const char *text)
{
    char *name = arena_strdup(arena, text);
    for (char *at = name; *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at) && strchr("+=,.@_-", *at) == NULL)
            *at = '_';
    }
    return name;
}

int aws_template_name(const char *text, const struct template_vars *vars, size_t max, struct arena *arena,
                      const char **ret_name, struct err *err)
{
    const char *name = NULL, *other = NULL;
    int rc = aws_template_render(text, vars, arena, &name, err);
    if (rc == OK)
        rc = aws_template_render(text, vars, arena, &other, err);
    if (rc != OK)
        return rc;
    if (strlen(name) < 2 || strlen(name) > max)
        return err_set(err, ERR_INVALID, "the username template makes a name of %zu characters; 2 to %zu are allowed",
                       strlen(name), max);
    if (strcmp(name, other) == 0)
        return err_set(err, ERR_INVALID, "the username template makes the same name twice; it needs a random part");
    *ret_name = make_allowed(arena, name);
    return OK;
}
