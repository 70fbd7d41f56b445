/* SPDX-License-Identifier: Apache-2.0 */
#include "config/hcl.h"

#include <stdlib.h>
#include <string.h>

#include "config/hcl_lex.h"
#include "config/hcl_private.h"

struct parser {
    struct hcl *hcl;
    struct hcl_lexer lexer;
    struct hcl_token token; /* the one not yet used */
    struct err *err;
    size_t nodes;
};

/* ---- Building the tree ---- */

struct hcl_item *hcl_add_item(struct hcl *hcl, struct hcl_body *body)
{
    size_t n = body->n_items;

    if ((n & (n - 1)) == 0) {
        struct hcl_item *grown = arena_alloc(&hcl->arena, (n == 0 ? 1 : 2 * n) * sizeof *grown);
        if (n > 0)
            memcpy(grown, body->items, n * sizeof *grown);
        body->items = grown;
    }
    body->n_items++;
    return &body->items[n];
}

static void body_close(struct hcl_body *body)
{
    for (size_t i = 0; i < body->n_items; i++) {
        json_decref(body->items[i].value);
        if (body->items[i].body != NULL)
            body_close(body->items[i].body);
    }
}

void hcl_free(struct hcl *hcl)
{
    if (hcl == NULL)
        return;
    body_close(&hcl->root);
    arena_close(&hcl->arena);
    free(hcl);
}

/* ---- HCL ---- */

static int fail_at_token(struct parser *p, const char *what)
{
    return err_set(p->err, ERR_INVALID, "line %d, column %d: %s", p->token.line, p->token.column, what);
}

static int fail_expected(struct parser *p, const char *expected)
{
    return err_set(p->err, ERR_INVALID, "line %d, column %d: expected %s, found %s", p->token.line, p->token.column,
                   expected, hcl_token_name(p->token.kind));
}

static int next(struct parser *p)
{
    return hcl_lexer_next(&p->lexer, &p->token);
}

static bool at_key(const struct parser *p)
{
    return p->token.kind == HCL_NAME || p->token.kind == HCL_STRING;
}

static int count_node(struct parser *p, int depth)
{
    if (depth > HCL_DEPTH_MAX)
        return fail_at_token(p, "nested too deep");
    if (++p->nodes > HCL_NODES_MAX)
        return fail_at_token(p, "too many values");
    return OK;
}

static int parse_value(struct parser *p, int depth, json_t **ret_value) MUST_CHECK;
static int parse_object(struct parser *p, int depth, json_t **ret_value) MUST_CHECK;

static int parse_list(struct parser *p, int depth, json_t **ret_value)
{
    json_t *list = json_array();
    json_t *value;
    int rc = next(p);

    while (rc == OK && p->token.kind != HCL_CLOSE_BRACKET) {
        rc = parse_value(p, depth + 1, &value);
        if (rc != OK)
            break;
        json_array_append_new(list, value);
        if (p->token.kind == HCL_COMMA)
            rc = next(p);
        else if (p->token.kind != HCL_CLOSE_BRACKET)
            rc = fail_expected(p, "',' or ']'");
    }
    if (rc == OK)
        rc = next(p);
    if (rc == OK)
        *ret_value = list;
    else
        json_decref(list);
    return rc;
}

/* What follows a key inside an object: `= value`, `{ … }` or `"label" { … }`. */
static int parse_member_value(struct parser *p, int depth, json_t **ret_value)
{
    json_t *inner;
    int rc = count_node(p, depth);

    if (rc != OK)
        return rc;
    if (p->token.kind == HCL_OPEN_BRACE)
        return parse_object(p, depth, ret_value);
    if (p->token.kind == HCL_EQUALS) {
        rc = next(p);
        return rc == OK ? parse_value(p, depth, ret_value) : rc;
    }
    if (!at_key(p))
        return fail_expected(p, "'=' or '{'");
    const char *label = p->token.text;
    rc = next(p);
    if (rc == OK && p->token.kind == HCL_EQUALS)
        rc = fail_expected(p, "'{'");
    if (rc == OK)
        rc = parse_member_value(p, depth + 1, &inner);
    if (rc == OK)
        *ret_value = json_pack("{s:o}", label, inner);
    return rc;
}

static int parse_member(struct parser *p, int depth, json_t *object)
{
    json_t *value;

    if (!at_key(p))
        return fail_expected(p, "a key or '}'");
    const char *key = p->token.text;
    if (json_object_get(object, key) != NULL)
        return err_set(p->err, ERR_INVALID, "line %d, column %d: the key \"%.64s\" is given twice", p->token.line,
                       p->token.column, key);
    int rc = next(p);
    if (rc == OK)
        rc = parse_member_value(p, depth, &value);
    if (rc != OK)
        return rc;
    json_object_set_new(object, key, value);
    return p->token.kind == HCL_COMMA ? next(p) : OK;
}

static int parse_object(struct parser *p, int depth, json_t **ret_value)
{
    json_t *object = json_object();
    int rc = next(p);

    while (rc == OK && p->token.kind != HCL_CLOSE_BRACE)
        rc = parse_member(p, depth + 1, object);
    if (rc == OK)
        rc = next(p);
    if (rc == OK)
        *ret_value = object;
    else
        json_decref(object);
    return rc;
}

static int parse_scalar(struct parser *p, json_t **ret_value)
{
    json_t *value = NULL;

    if (p->token.kind == HCL_STRING)
        value = json_stringn(p->token.text, p->token.len);
    else if (p->token.kind == HCL_INTEGER)
        value = json_integer(p->token.integer);
    else if (p->token.kind == HCL_REAL)
        value = json_real(p->token.real);
    else if (p->token.kind == HCL_NAME && strcmp(p->token.text, "true") == 0)
        value = json_true();
    else if (p->token.kind == HCL_NAME && strcmp(p->token.text, "false") == 0)
        value = json_false();
    else
        return fail_expected(p, "a value");
    int rc = next(p);
    if (rc == OK)
        *ret_value = value;
    else
        json_decref(value);
    return rc;
}

static int parse_value(struct parser *p, int depth, json_t **ret_value)
{
    int rc = count_node(p, depth);

    if (rc != OK)
        return rc;
    if (p->token.kind == HCL_OPEN_BRACKET)
        return parse_list(p, depth, ret_value);
    if (p->token.kind == HCL_OPEN_BRACE)
        return parse_object(p, depth, ret_value);
    return parse_scalar(p, ret_value);
}

static int parse_body(struct parser *p, int depth, enum hcl_token_kind end, struct hcl_body *body) MUST_CHECK;

static int parse_labels(struct parser *p, struct hcl_item *item)
{
    const char *labels[HCL_DEPTH_MAX];
    int rc = OK;

    while (rc == OK && at_key(p)) {
        if (item->n_labels == HCL_DEPTH_MAX)
            return fail_at_token(p, "too many labels");
        labels[item->n_labels++] = p->token.text;
        rc = next(p);
    }
    if (rc == OK && item->n_labels > 0)
        item->labels = arena_dup(&p->hcl->arena, labels, item->n_labels * sizeof *labels);
    return rc;
}

/* Notes in `seen` that the body has this key; only blocks may come again, and only as blocks. */
static int note_key(struct parser *p, const struct hcl_item *item, json_t *seen)
{
    bool is_block = p->token.kind == HCL_OPEN_BRACE;
    const json_t *before = json_object_get(seen, item->key);

    if (before != NULL && !(is_block && json_is_true(before)))
        return err_set(p->err, ERR_INVALID, "line %d: the key \"%.64s\" is given twice", item->line, item->key);
    json_object_set_new(seen, item->key, json_boolean(is_block));
    return OK;
}

static int parse_assignment(struct parser *p, int depth, struct hcl_item *item)
{
    if (item->n_labels > 0)
        return fail_expected(p, "'{'");
    int rc = next(p);
    return rc == OK ? parse_value(p, depth, &item->value) : rc;
}

static int parse_block(struct parser *p, int depth, struct hcl_item *item)
{
    int rc = next(p);

    if (rc != OK)
        return rc;
    item->body = arena_alloc(&p->hcl->arena, sizeof *item->body);
    rc = parse_body(p, depth + 1, HCL_CLOSE_BRACE, item->body);
    return rc == OK ? next(p) : rc;
}

static int parse_item(struct parser *p, int depth, struct hcl_body *body, json_t *seen)
{
    int rc = count_node(p, depth);

    if (rc != OK)
        return rc;
    if (!at_key(p))
        return fail_expected(p, "a key");
    struct hcl_item *item = hcl_add_item(p->hcl, body);
    item->key = p->token.text;
    item->line = p->token.line;
    rc = next(p);
    if (rc == OK)
        rc = parse_labels(p, item);
    if (rc == OK)
        rc = note_key(p, item, seen);
    if (rc != OK)
        return rc;
    if (p->token.kind == HCL_EQUALS)
        rc = parse_assignment(p, depth, item);
    else if (p->token.kind == HCL_OPEN_BRACE)
        rc = parse_block(p, depth, item);
    else
        rc = fail_expected(p, "'=' or '{'");
    return rc == OK && p->token.kind == HCL_COMMA ? next(p) : rc;
}

/* `seen` makes the search for repeated keys cheap, however many there are. */
static int parse_body(struct parser *p, int depth, enum hcl_token_kind end, struct hcl_body *body)
{
    json_t *seen = json_object();
    int rc = OK;

    while (rc == OK && p->token.kind != end)
        rc = parse_item(p, depth, body, seen);
    json_decref(seen);
    return rc;
}

static int parse_hcl(struct hcl *hcl, const char *text, size_t len, struct err *err)
{
    struct parser p = {.hcl = hcl, .err = err};

    hcl_lexer_init(&p.lexer, text, len, &hcl->arena, err);
    int rc = next(&p);
    if (rc == OK)
        rc = parse_body(&p, 1, HCL_END, &hcl->root);
    hcl_lexer_close(&p.lexer);
    return rc;
}

/* ---- The door ---- */

/* The position of the first byte that is no UTF-8, or is NUL; len when there is none. */
static size_t find_bad_byte(const unsigned char *text, size_t len)
{
    static const uint32_t least[] = {0x01, 0x80, 0x800, 0x10000};
    size_t i = 0;

    while (i < len) {
        unsigned char c = text[i];
        size_t more = c < 0x80 ? 0 : c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        uint32_t code = c < 0x80 ? c : c & (0x3fu >> more);
        if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || more >= len - i)
            return i;
        for (size_t k = 1; k <= more; k++) {
            if ((text[i + k] & 0xc0) != 0x80)
                return i;
            code = code << 6 | (text[i + k] & 0x3fu);
        }
        if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
            return i;
        i += more + 1;
    }
    return len;
}

static int check_bytes(const char *text, size_t len, struct err *err)
{
    size_t bad = find_bad_byte((const unsigned char *)text, len);
    int line = 1;

    if (bad == len)
        return OK;
    for (size_t i = 0; i < bad; i++)
        line += text[i] == '\n';
    return err_set(err, ERR_INVALID, "line %d: the text is not UTF-8, or holds a NUL", line);
}

int hcl_parse(const char *text, size_t len, struct hcl **ret_hcl, struct err *err)
{
    size_t blanks = 0;

    if (len > HCL_SIZE_MAX)
        return err_set(err, ERR_INVALID, "the text is longer than %u bytes", HCL_SIZE_MAX);
    int rc = check_bytes(text, len, err);
    if (rc != OK)
        return rc;
    while (blanks < len && strchr(" \t\r\n", text[blanks]) != NULL)
        blanks++;
    struct hcl *hcl = calloc(1, sizeof *hcl);
    if (hcl == NULL)
        abort();
    arena_init(&hcl->arena);
    hcl->is_json = blanks < len && text[blanks] == '{';
    rc = hcl->is_json ? hcl_read_json(hcl, text, len, err) : parse_hcl(hcl, text, len, err);
    if (rc == OK)
        *ret_hcl = hcl;
    else
        hcl_free(hcl);
    return rc;
}

const struct hcl_body *hcl_root(const struct hcl *hcl)
{
    return &hcl->root;
}

bool hcl_is_json(const struct hcl *hcl)
{
    return hcl->is_json;
}

const struct hcl_item *hcl_find(const struct hcl_body *body, const char *key)
{
    for (size_t i = body->n_items; i > 0; i--) {
        if (strcmp(body->items[i - 1].key, key) == 0)
            return &body->items[i - 1];
    }
    return NULL;
}
