/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api.h — calls to the server's HTTP API: address, token and headers come from the options and the environment.
 *
 * Redirects are followed with body and token (never from https to http): a standby answers 307 with the address of the
 * active node. 5xx (but 501), 412 and lost connections are tried again as often as MAX_RETRIES says.
 * On an error the sentence is in cli->failure, for cli_fail(). Answers are borrowed; NULL stands for an empty one.
 */
#ifndef COFFER_CLI_API_H
#define COFFER_CLI_API_H

#include "cli/cli_private.h"

/* Any call. body (may be NULL) is consumed. Every status from 400 on is an error: ERR_UPSTREAM. */
int api_call(struct cli *cli, const char *method, const char *path, json_t *query, json_t *body,
             json_t **ret_reply) MUST_CHECK;

/*
 * Reads a secret: 404 is not an error but an answer of NULL, unless it carries data or warnings (a deleted version
 * does). query (may be NULL) is consumed; its values are texts, numbers, or lists of them.
 */
int api_read(struct cli *cli, const char *path, json_t *query, json_t **ret_secret) MUST_CHECK;
/* The same for a list. */
int api_list(struct cli *cli, const char *path, json_t *query, json_t **ret_secret) MUST_CHECK;
/* Sends a body, which is consumed; ret_secret is NULL for an empty answer. */
int api_send(struct cli *cli, const char *method, const char *path, json_t *body, json_t **ret_secret) MUST_CHECK;
/* The same with PUT, as Vault's clients write secrets, and with POST, as they call most of sys/. */
int api_write(struct cli *cli, const char *path, json_t *body, json_t **ret_secret) MUST_CHECK;
int api_post(struct cli *cli, const char *path, json_t *body, json_t **ret_secret) MUST_CHECK;

/* As api_call(), but leaves the answer unread in cli->body. */
int api_fetch(struct cli *cli, const char *method, const char *path, json_t *query, json_t *body) MUST_CHECK;

struct http_files;
/* Sends a file, or takes one in, as http.h says; the answer, unless it went to a file, is in cli->body. */
int api_transfer(struct cli *cli, const char *method, const char *path, const struct http_files *files) MUST_CHECK;

/* The token in use: the environment's, else the stored one; "" when there is none. */
const char *api_token(struct cli *cli);
/* Uses this token from now on instead. */
void api_set_token(struct cli *cli, const char *token);
/* Asks for no response wrapping from now on. */
void api_stop_wrapping(struct cli *cli);
const char *api_address(struct cli *cli);

void api_close(struct cli *cli);

#endif
