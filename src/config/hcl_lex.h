/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hcl_lex.h — the words of HCL 1: names, strings, here-documents, numbers, punctuation.
 *
 * Private to src/config. Texts of tokens belong to the lexer's arena.
 */
#ifndef COFFER_CONFIG_HCL_LEX_H
#define COFFER_CONFIG_HCL_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum hcl_token_kind {
    HCL_END,
    HCL_NAME,
    HCL_STRING, /* decoded */
    HCL_INTEGER,
    HCL_REAL,
    HCL_OPEN_BRACE,
    HCL_CLOSE_BRACE,
    HCL_OPEN_BRACKET,
    HCL_CLOSE_BRACKET,
    HCL_EQUALS,
    HCL_COMMA,
};

struct hcl_token {
    enum hcl_token_kind kind;
    int line, column;
    const char *text; /* of a name or string: terminated, holds no NUL */
    size_t len;
    int64_t integer;
    double real;
};

struct hcl_lexer {
    const char *at, *end;
    const char *line_start;
    int line;
    struct arena *arena;
    struct buf scratch;
    struct err *err;
};

/* The text is borrowed. It must not hold NUL bytes. */
void hcl_lexer_init(struct hcl_lexer *lexer, const char *text, size_t len, struct arena *arena, struct err *err);
void hcl_lexer_close(struct hcl_lexer *lexer);

/* The next token; HCL_END at the end, again and again. ERR_INVALID "line 3, column 7: …". */
int hcl_lexer_next(struct hcl_lexer *lexer, struct hcl_token *ret_token) MUST_CHECK;

/* What to call a token in an error. */
const char *hcl_token_name(enum hcl_token_kind kind);

#endif
