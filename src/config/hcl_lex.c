/* SPDX-License-Identifier: Apache-2.0 */
#include "config/hcl_lex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_LEN_MAX 64
#define MARKER_LEN_MAX 128

void hcl_lexer_init(struct hcl_lexer *lexer, const char *text, size_t len, struct arena *arena, struct err *err)
{
    *lexer = (struct hcl_lexer){
        .at = text, .end = text + len, .line_start = text, .line = 1, .arena = arena, .scratch = BUF_INIT, .err = err};
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        lexer->at += 3; /* a byte order mark */
}

void hcl_lexer_close(struct hcl_lexer *lexer)
{
    buf_close(&lexer->scratch);
}

const char *hcl_token_name(enum hcl_token_kind kind)
{
    static const char *const names[] = {
        [HCL_END] = "the end",       [HCL_NAME] = "a name",    [HCL_STRING] = "a string", [HCL_INTEGER] = "a number",
        [HCL_REAL] = "a number",     [HCL_OPEN_BRACE] = "'{'", [HCL_CLOSE_BRACE] = "'}'", [HCL_OPEN_BRACKET] = "'['",
        [HCL_CLOSE_BRACKET] = "']'", [HCL_EQUALS] = "'='",     [HCL_COMMA] = "','",
    };
    return names[kind];
}

static int fail_at(struct hcl_lexer *lexer, const char *at, const char *what)
{
    return err_set(lexer->err, ERR_INVALID, "line %d, column %td: %s", lexer->line, at - lexer->line_start + 1, what);
}

static int fail_here(struct hcl_lexer *lexer, const char *what)
{
    return fail_at(lexer, lexer->at, what);
}

/* The byte `ahead` of the current one; 0 beyond the end. */
static char peek(const struct hcl_lexer *lexer, size_t ahead)
{
    return (size_t)(lexer->end - lexer->at) > ahead ? lexer->at[ahead] : '\0';
}

static void advance(struct hcl_lexer *lexer)
{
    if (*lexer->at++ == '\n') {
        lexer->line++;
        lexer->line_start = lexer->at;
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes of UTF-8 sequences count as letters; whether they are well-formed is checked with the whole text. */
static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_name_char(char c)
{
    return is_name_start(c) || is_digit(c) || c == '-' || c == '.';
}

static void skip_line(struct hcl_lexer *lexer)
{
    while (lexer->at < lexer->end && *lexer->at != '\n')
        lexer->at++;
}

static int skip_block_comment(struct hcl_lexer *lexer)
{
    const char *start = lexer->at;

    lexer->at += 2;
    while (lexer->at < lexer->end && !(peek(lexer, 0) == '*' && peek(lexer, 1) == '/'))
        advance(lexer);
    if (lexer->at == lexer->end)
        return fail_at(lexer, start < lexer->line_start ? lexer->line_start : start, "a comment is not closed");
    lexer->at += 2;
    return OK;
}

static int skip_blanks(struct hcl_lexer *lexer)
{
    while (lexer->at < lexer->end) {
        char c = *lexer->at;
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
            advance(lexer);
        else if (c == '#' || (c == '/' && peek(lexer, 1) == '/'))
            skip_line(lexer);
        else if (c == '/' && peek(lexer, 1) == '*') {
            int rc = skip_block_comment(lexer);
            if (rc != OK)
                return rc;
        } else
            break;
    }
    return OK;
}

/* ---- Strings ---- */

static void put_utf8(struct buf *out, uint32_t code)
{
    if (code < 0x80) {
        buf_put_u8(out, (uint8_t)code);
        return;
    }
    if (code < 0x800)
        buf_put_u8(out, (uint8_t)(0xc0 | code >> 6));
    else if (code < 0x10000)
        buf_put_u8(out, (uint8_t)(0xe0 | code >> 12));
    else
        buf_put_u8(out, (uint8_t)(0xf0 | code >> 18));
    if (code >= 0x10000)
        buf_put_u8(out, (uint8_t)(0x80 | (code >> 12 & 0x3f)));
    if (code >= 0x800)
        buf_put_u8(out, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
    buf_put_u8(out, (uint8_t)(0x80 | (code & 0x3f)));
}

static int digit_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

/* \101, \x41, \u0041, \U00000041: `count` digits of a base. All of them name characters, also \x and \ooo. */
static int lex_code(struct hcl_lexer *lexer, int base, int count)
{
    uint32_t code = 0;

    for (int i = 0; i < count; i++) {
        int value = digit_value(peek(lexer, 0));
        if (value >= base)
            return fail_here(lexer, "an escape has too few digits");
        code = code * (uint32_t)base + (uint32_t)value;
        lexer->at++;
    }
    if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return fail_here(lexer, "an escape stands for no character");
    put_utf8(&lexer->scratch, code);
    return OK;
}

static int lex_escape(struct hcl_lexer *lexer)
{
    static const char plain[] = "a\ab\bf\fn\nr\rt\tv\v\\\\\"\"";

    lexer->at++;
    char c = peek(lexer, 0);
    if (c >= '0' && c <= '7')
        return lex_code(lexer, 8, 3);
    for (const char *p = plain; *p != '\0'; p += 2) {
        if (c != *p)
            continue;
        buf_put_u8(&lexer->scratch, (uint8_t)p[1]);
        lexer->at++;
        return OK;
    }
    if (c != 'x' && c != 'u' && c != 'U')
        return fail_here(lexer, "unknown escape in a string");
    lexer->at++;
    return lex_code(lexer, 16, c == 'x' ? 2 : c == 'u' ? 4 : 8);
}

/* "${ … }" is kept as it stands, quotes and newlines included, up to its own closing brace. */
static int lex_interpolation(struct hcl_lexer *lexer)
{
    int depth = 0;

    while (lexer->at < lexer->end) {
        char c = *lexer->at;
        buf_put_u8(&lexer->scratch, (uint8_t)c);
        advance(lexer);
        depth += c == '{' ? 1 : 0;
        if (c == '}' && --depth == 0)
            return OK;
    }
    return fail_here(lexer, "\"${\" is not closed");
}

static void take_text(struct hcl_lexer *lexer, struct hcl_token *token, enum hcl_token_kind kind, const void *text,
                      size_t len)
{
    token->kind = kind;
    token->text = arena_strndup(lexer->arena, text != NULL ? text : "", len);
    token->len = len;
}

static int lex_string(struct hcl_lexer *lexer, struct hcl_token *token)
{
    int rc = OK;

    buf_clear(&lexer->scratch);
    lexer->at++;
    while (rc == OK && lexer->at < lexer->end && *lexer->at != '"') {
        if (*lexer->at == '\n')
            return fail_here(lexer, "a string is not closed on its line");
        if (*lexer->at == '\\')
            rc = lex_escape(lexer);
        else if (*lexer->at == '$' && peek(lexer, 1) == '{')
            rc = lex_interpolation(lexer);
        else
            buf_put_u8(&lexer->scratch, (uint8_t)*lexer->at++);
    }
    if (rc != OK)
        return rc;
    if (lexer->at == lexer->end)
        return fail_here(lexer, "a string is not closed");
    lexer->at++;
    take_text(lexer, token, HCL_STRING, lexer->scratch.data, lexer->scratch.len);
    return OK;
}

/* ---- Here-documents ---- */

struct heredoc {
    const char *marker;
    size_t marker_len;
    const char *body, *body_end; /* the lines, each with its newline */
    size_t indent;               /* of the closing marker */
};

/* The length of the line's blanks when the line is the closing marker, else -1. */
static ptrdiff_t closing_indent(const struct heredoc *doc, const char *line, const char *line_end)
{
    const char *p = line;

    while (p < line_end && (*p == ' ' || *p == '\t'))
        p++;
    while (line_end > p && line_end[-1] == '\r')
        line_end--;
    if ((size_t)(line_end - p) != doc->marker_len || memcmp(p, doc->marker, doc->marker_len) != 0)
        return -1;
    return p - line;
}

static const char *end_of_line(const char *at, const char *end)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));

    return newline != NULL ? newline : end;
}

static int heredoc_find(struct hcl_lexer *lexer, struct heredoc *doc)
{
    doc->marker = lexer->at;
    while (lexer->at < lexer->end && is_name_char(*lexer->at))
        lexer->at++;
    doc->marker_len = (size_t)(lexer->at - doc->marker);
    if (doc->marker_len == 0 || doc->marker_len > MARKER_LEN_MAX)
        return fail_here(lexer, "expected the marker of a here-document");
    if (peek(lexer, 0) == '\r')
        lexer->at++;
    if (peek(lexer, 0) != '\n')
        return fail_here(lexer, "expected the end of the line after the marker of a here-document");
    advance(lexer);
    doc->body = lexer->at;
    while (lexer->at < lexer->end) {
        const char *line = lexer->at;
        const char *line_end = end_of_line(line, lexer->end);
        ptrdiff_t indent = closing_indent(doc, line, line_end);
        if (indent >= 0) {
            doc->body_end = line;
            doc->indent = (size_t)indent;
            lexer->at = line_end;
            return OK;
        }
        lexer->at = line_end;
        if (lexer->at < lexer->end)
            advance(lexer);
    }
    return fail_here(lexer, "a here-document is not closed");
}

/* Every line begins with the blanks that stand before the closing marker. */
static bool heredoc_is_indented(const struct heredoc *doc)
{
    for (const char *p = doc->body; p < doc->body_end;) {
        const char *line_end = end_of_line(p, doc->body_end);
        if ((size_t)(line_end - p) < doc->indent || memcmp(p, doc->body_end, doc->indent) != 0)
            return false;
        p = line_end + 1;
    }
    return true;
}

static int lex_heredoc(struct hcl_lexer *lexer, struct hcl_token *token)
{
    struct heredoc doc = {0};
    bool strip;

    lexer->at += 2;
    strip = peek(lexer, 0) == '-';
    if (strip)
        lexer->at++;
    int rc = heredoc_find(lexer, &doc);
    if (rc != OK)
        return rc;
    if (!strip || !heredoc_is_indented(&doc)) {
        take_text(lexer, token, HCL_STRING, doc.body, (size_t)(doc.body_end - doc.body));
        return OK;
    }
    buf_clear(&lexer->scratch);
    for (const char *p = doc.body; p < doc.body_end;) {
        const char *next = end_of_line(p, doc.body_end) + 1;
        buf_put(&lexer->scratch, p + doc.indent, (size_t)(next - p) - doc.indent);
        p = next;
    }
    take_text(lexer, token, HCL_STRING, lexer->scratch.data, lexer->scratch.len);
    return OK;
}

/* ---- Numbers, names, punctuation ---- */

static int lex_number(struct hcl_lexer *lexer, struct hcl_token *token)
{
    char text[NUMBER_LEN_MAX + 1];
    const char *start = lexer->at;
    char *rest;

    if (*lexer->at == '-')
        lexer->at++;
    bool is_hex = peek(lexer, 0) == '0' && (peek(lexer, 1) == 'x' || peek(lexer, 1) == 'X');
    while (lexer->at < lexer->end &&
           (is_name_char(*lexer->at) || (*lexer->at == '+' && (lexer->at[-1] == 'e' || lexer->at[-1] == 'E'))))
        lexer->at++;
    size_t len = (size_t)(lexer->at - start);
    if (len > NUMBER_LEN_MAX)
        return fail_at(lexer, start, "a number is too long");
    memcpy(text, start, len);
    text[len] = '\0';
    errno = 0;
    if (!is_hex && strpbrk(text, ".eE") != NULL) {
        token->kind = HCL_REAL;
        token->real = strtod(text, &rest);
    } else {
        token->kind = HCL_INTEGER;
        token->integer = strtoll(text, &rest, 0); /* 0x1f and 017 too */
    }
    if (*rest != '\0' || rest == text || errno == ERANGE)
        return fail_at(lexer, start, "this is not a number; durations and sizes with a unit need quotes");
    return OK;
}

static void lex_name(struct hcl_lexer *lexer, struct hcl_token *token)
{
    const char *start = lexer->at;

    while (lexer->at < lexer->end && is_name_char(*lexer->at))
        lexer->at++;
    take_text(lexer, token, HCL_NAME, start, (size_t)(lexer->at - start));
}

static int lex_punctuation(struct hcl_lexer *lexer, struct hcl_token *token)
{
    static const struct {
        char c;
        enum hcl_token_kind kind;
    } marks[] = {{'{', HCL_OPEN_BRACE},    {'}', HCL_CLOSE_BRACE}, {'[', HCL_OPEN_BRACKET},
                 {']', HCL_CLOSE_BRACKET}, {'=', HCL_EQUALS},      {',', HCL_COMMA}};

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (*lexer->at != marks[i].c)
            continue;
        token->kind = marks[i].kind;
        lexer->at++;
        return OK;
    }
    return fail_here(lexer, "unexpected character");
}

int hcl_lexer_next(struct hcl_lexer *lexer, struct hcl_token *ret_token)
{
    struct hcl_token token = {.kind = HCL_END};
    int rc = skip_blanks(lexer);

    if (rc != OK)
        return rc;
    token.line = lexer->line;
    token.column = (int)(lexer->at - lexer->line_start) + 1;
    char c = peek(lexer, 0);
    if (lexer->at == lexer->end)
        ;
    else if (c == '"')
        rc = lex_string(lexer, &token);
    else if (c == '<' && peek(lexer, 1) == '<')
        rc = lex_heredoc(lexer, &token);
    else if (is_digit(c) || (c == '-' && is_digit(peek(lexer, 1))))
        rc = lex_number(lexer, &token);
    else if (is_name_start(c))
        lex_name(lexer, &token);
    else
        rc = lex_punctuation(lexer, &token);
    if (rc == OK)
        *ret_token = token;
    return rc;
}
