/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.h — how a call looks on the wire: its URL, its headers, and the curl command that would do the same.
 */
#ifndef COFFER_CLI_REQUEST_H
#define COFFER_CLI_REQUEST_H

#include "cli/cli_private.h"

#define REQUEST_HEADERS_MAX 64

struct request {
    const char *method;
    const char *url;
    const char *headers[REQUEST_HEADERS_MAX + 1]; /* ended by NULL */
    int header_count;
    const struct buf *body;         /* NULL: none */
    const struct http_files *files; /* NULL: none */
};

/*
 * Fills in URL and headers from the options. query: an object of values or lists of values, or NULL.
 * ERR_INVALID for a header that may not be given by hand, or too many of them.
 */
int request_prepare(struct cli *cli, struct request *request, const char *address, const char *path,
                    const json_t *query, const char *token, struct err *err) MUST_CHECK;

/* Prints the curl command; the token appears as $(coffer print token). */
void request_print_curl(struct cli *cli, const struct request *request);

/* Why the server refused, in the words that clients of Vault print; from cli->body and cli->status. */
void request_explain_refusal(struct cli *cli, const struct request *request, struct buf *ret);

#endif
