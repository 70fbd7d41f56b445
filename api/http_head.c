/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http_head.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct counts {
    int hosts, lengths, encodings;
    bool is_http10;
};

static bool name_is(const char *line, size_t len, const char *name)
{
    size_t n = strlen(name);

    return len > n && line[n] == ':' && strncasecmp(line, name, n) == 0;
}

static const char *check_request_line(const char *line, size_t len, struct counts *counts)
{
    static const char version[] = " HTTP/1.";
    size_t n = sizeof version - 1;

    if (len < n + 1 || memcmp(line + len - n - 1, version, n) != 0)
        return "malformed request line";
    counts->is_http10 = line[len - 1] == '0';
    return NULL;
}

static const char *check_field_line(const char *line, size_t len, struct counts *counts)
{
    if (line[0] == ' ' || line[0] == '\t')
        return "folded header lines are not supported";
    counts->hosts += name_is(line, len, "host");
    counts->lengths += name_is(line, len, "content-length");
    counts->encodings += name_is(line, len, "transfer-encoding");
    return NULL;
}

static const char *check_counts(const struct counts *counts)
{
    if (counts->lengths > 1 || counts->encodings > 1 || (counts->lengths > 0 && counts->encodings > 0))
        return "the length of the body is given more than once";
    if (counts->encodings > 0 && counts->is_http10)
        return "transfer encodings need HTTP/1.1";
    if (counts->hosts > 1 || (counts->hosts == 0 && !counts->is_http10))
        return "exactly one Host header is needed";
    return NULL;
}

const char *http_head_problem(const char *text, size_t len)
{
    struct counts counts = {0};
    const char *at = text, *end = text + len;
    const char *problem = NULL;

    if (len >= 2 && memcmp(text, "\r\n", 2) == 0)
        at += 2; /* some clients end a body with a line too many */
    for (bool is_first = true; problem == NULL; is_first = false) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL || newline == at || newline[-1] != '\r')
            return "header lines must end in CR LF";
        size_t line_len = (size_t)(newline - at) - 1;
        if (line_len == 0)
            return is_first ? "malformed request line" : check_counts(&counts);
        problem = is_first ? check_request_line(at, line_len, &counts) : check_field_line(at, line_len, &counts);
        at = newline + 1;
    }
    return problem;
}
