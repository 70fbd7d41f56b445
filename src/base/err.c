/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int status;
    const char *text;
} codes[] = {{"OK", 200, "ok"},
#define ERR_ROW(code, status, text) {#code, status, text},
             ERR_MAP(ERR_ROW)
#undef ERR_ROW
};

static size_t row_of(int code)
{
    return code >= 0 && (size_t)code < sizeof codes / sizeof codes[0] ? (size_t)code : ERR_INTERNAL;
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
    if (err == NULL)
        return code;
    va_list args;
    va_start(args, fmt);
    err->code = code;
    vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    return code;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    char inner[sizeof err->text];
    if (err == NULL)
        return ERR_INTERNAL;
    snprintf(inner, sizeof inner, "%s", err_text(err));
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof err->text)
        snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", inner);
    return err->code;
}

const char *err_text(const struct err *err)
{
    return err->text[0] != '\0' ? err->text : err_default_text(err->code);
}

int err_http_status(int code)
{
    return codes[row_of(code)].status;
}

const char *err_name(int code)
{
    return codes[row_of(code)].name;
}

const char *err_default_text(int code)
{
    return codes[row_of(code)].text;
}
