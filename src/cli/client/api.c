/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/secret.h"
#include "cli/client/http.h"
#include "cli/client/needed_policy.h"
#include "cli/options.h"
#include "cli/client/request.h"
#include "cli/output/secret_reply.h"
#include "cli/client/token_helper.h"

#define DEFAULT_ADDRESS "https://127.0.0.1:8200"
#define DEFAULT_TIMEOUT "60s"
/* A failover in the middle of a call can lead from one standby over another to the new active node. */
#define REDIRECTS_MAX 4

const char *api_address(struct cli *cli)
{
    const char *agent = option_text(cli, "agent-address");
    const char *address = agent && *agent ? agent : option_text(cli, "address");

    if (!address || !*address)
        return DEFAULT_ADDRESS;
    return strncmp(address, "unix://", 7) ? address : "http://localhost";
}

/* The token stands in cli->options, where nothing but this file looks for it. */
const char *api_token(struct cli *cli)
{
    const char *token = json_str(cli->options, "token in use", NULL);

    if (!token) {
        token = cli_env("TOKEN");
        api_set_token(cli, token ? token : token_helper_load(cli));
        token = json_str(cli->options, "token in use", "");
    }
    return token;
}

void api_set_token(struct cli *cli, const char *token)
{
    json_object_set_new(cli->options, "token in use", json_string(token));
}

void api_stop_wrapping(struct cli *cli)
{
    json_object_del(cli->options, "wrap-ttl");
}

static int open_http(struct cli *cli, struct err *err)
{
    const char *agent = option_text(cli, "agent-address"), *timeout = cli_env("CLIENT_TIMEOUT");
    const char *address = agent && *agent ? agent : option_text(cli, "address");
    struct http_settings settings = {
        .ca_cert = option_text(cli, "ca-cert"),
        .ca_path = option_text(cli, "ca-path"),
        .client_cert = option_text(cli, "client-cert"),
        .client_key = option_text(cli, "client-key"),
        .server_name = option_text(cli, "tls-server-name"),
        .skip_verify = option_flag(cli, "tls-skip-verify"),
    };
    int64_t ns;

    if (cli->http)
        return OK;
    if (!!settings.client_cert != !!settings.client_key)
        return err_set(err, ERR_INVALID, "-client-cert and -client-key must be given together");
    if (duration_parse_ns(timeout ? timeout : DEFAULT_TIMEOUT, &ns) || ns < 0)
        return err_set(err, ERR_INVALID, "%s is no duration", cli_env_name(cli, "CLIENT_TIMEOUT"));
    settings.timeout_ms = ns / 1000000;
    if (address && !strncmp(address, "unix://", 7))
        settings.unix_socket = address + 7;
    cli->http = http_new(&settings);
    return OK;
}

void api_close(struct cli *cli)
{
    http_free(cli->http);
    cli->http = NULL;
}

static bool is_redirect(long status)
{
    return status == 301 || status == 302 || status == 307 || status == 308;
}

/* One exchange, and where redirects lead it. Leaves the answer in cli->body and cli->status. */
static int exchange(struct cli *cli, struct request *request, struct err *err)
{
    struct http_reply reply = {0};
    int rc = OK;

    for (int redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
        rc = http_exchange(cli->http, request->method, request->url, request->headers, request->body, request->files,
                           &reply, err);
        if (rc || !is_redirect(reply.status) || !reply.location.len || option_flag(cli, "disable-redirects"))
            break;
        if (!strncasecmp(request->url, "https:", 6) && strncasecmp(buf_str(&reply.location), "https:", 6) != 0) {
            rc = err_set(err, ERR_UPSTREAM, "redirect would cause protocol downgrade");
            break;
        }
        if (redirects == REDIRECTS_MAX) {
            rc = err_set(err, ERR_UPSTREAM, "redirected more than %d times", REDIRECTS_MAX);
            break;
        }
        request->url = arena_strdup(&cli->arena, buf_str(&reply.location));
    }
    buf_close(&cli->body);
    cli->body = reply.body;
    cli->status = rc ? 0 : reply.status;
    buf_close(&reply.location);
    return rc;
}

static bool is_worth_retrying(int rc, long status)
{
    return rc == ERR_UPSTREAM || status == 412 || (status >= 500 && status != 501);
}

static int exchange_until_done(struct cli *cli, struct request *request, struct err *err)
{
    const char *retries_text = cli_env("MAX_RETRIES");
    int retries = retries_text ? atoi(retries_text) : 0;
    int rc = exchange(cli, request, err);

    while (retries-- > 0 && is_worth_retrying(rc, cli->status)) {
        uint16_t jitter;

        random_bytes(&jitter, sizeof jitter);
        usleep(1000000 + (useconds_t)jitter % 500000);
        rc = exchange(cli, request, err);
    }
    return rc;
}

static bool is_refusal(long status, const char *path)
{
    /* Health answers 429 for "standby", which is news, not an error. */
    return status >= 400 && !(status == 429 && !strcmp(path, "sys/health"));
}

static int send_request(struct cli *cli, struct request *request, const char *path, struct err *err)
{
    int rc = exchange_until_done(cli, request, err);

    if (rc) {
        buf_printf(&cli->failure, "%c", request->method[0]);
        for (const char *at = request->method + 1; *at; at++)
            buf_put_u8(&cli->failure, (uint8_t)(*at | 0x20));
        buf_printf(&cli->failure, " \"%s\": %s", request->url, err_text(err));
        return rc;
    }
    if (is_refusal(cli->status, path) || is_redirect(cli->status)) {
        request_explain_refusal(cli, request, &cli->failure);
        return ERR_UPSTREAM;
    }
    return OK;
}

static int fetch(struct cli *cli, struct request *request, const char *path, const json_t *query)
{
    struct err err = {0};
    int rc;

    buf_clear(&cli->failure);
    cli->status = 0;
    rc = open_http(cli, &err);
    if (!rc)
        rc = request_prepare(cli, request, api_address(cli), path, query, api_token(cli), &err);
    if (rc) {
        buf_puts(&cli->failure, err_text(&err));
    } else if (option_flag(cli, "output-curl-string")) {
        request_print_curl(cli, request);
        cli->is_dry_run = true;
        rc = ERR_UNAVAILABLE;
    } else if (option_flag(cli, "output-policy")) {
        needed_policy_print(request->method, path, query);
        cli->is_dry_run = true;
        rc = ERR_UNAVAILABLE;
    } else {
        rc = send_request(cli, request, path, &err);
    }
    return rc;
}

int api_transfer(struct cli *cli, const char *method, const char *path, const struct http_files *files)
{
    struct request request = {.method = method, .files = files};

    return fetch(cli, &request, path, NULL);
}

int api_fetch(struct cli *cli, const char *method, const char *path, json_t *query, json_t *body)
{
    struct request request = {.method = method};
    struct buf body_text = BUF_INIT;
    int rc;

    if (body) {
        char *text = json_format(body);

        buf_puts(&body_text, text);
        json_text_free(text);
        request.body = &body_text;
    }
    rc = fetch(cli, &request, path, query);
    buf_close(&body_text);
    json_decref(query);
    json_decref(body);
    return rc;
}

static int parse_body(struct cli *cli, json_t **ret_reply)
{
    const char *text = (const char *)cli->body.data;
    json_error_t error;
    json_t *reply;

    *ret_reply = NULL;
    if (!cli->body.len)
        return OK;
    reply = json_loadb(text, cli->body.len, 0, &error);
    if (!reply && json_error_code(&error) == json_error_numeric_overflow)
        reply = json_loadb(text, cli->body.len, JSON_DECODE_INT_AS_REAL, &error);
    if (!reply) {
        buf_printf(&cli->failure, "the answer is no JSON: %s", error.text);
        return ERR_UPSTREAM;
    }
    *ret_reply = cli_keep(cli, reply);
    return OK;
}

int api_call(struct cli *cli, const char *method, const char *path, json_t *query, json_t *body, json_t **ret_reply)
{
    int rc = api_fetch(cli, method, path, query, body);

    return rc ? rc : parse_body(cli, ret_reply);
}

/* Turns "not found, but with data or warnings" into an answer, and plain "not found" into none. */
static int forgive_not_found(struct cli *cli, int rc, json_t **ret_secret)
{
    json_t *reply = NULL;

    if (cli->status != 404 || rc != ERR_UPSTREAM)
        return rc;
    if (parse_body(cli, &reply))
        reply = NULL;
    *ret_secret = json_map_at(reply, "data") || json_list_at(reply, "warnings") ? secret_reply(cli, reply) : NULL;
    return OK;
}

int api_read(struct cli *cli, const char *path, json_t *query, json_t **ret_secret)
{
    json_t *reply = NULL;
    int rc = api_call(cli, "GET", path, query, NULL, &reply);

    if (rc)
        return forgive_not_found(cli, rc, ret_secret);
    *ret_secret = secret_reply(cli, reply);
    return OK;
}

int api_list(struct cli *cli, const char *path, json_t *query, json_t **ret_secret)
{
    /* GET with list=true passes every proxy; the verb LIST, which means the same, does not. */
    if (!query)
        query = json_object();
    json_object_set_new(query, "list", json_string("true"));
    return api_read(cli, path, query, ret_secret);
}

int api_send(struct cli *cli, const char *method, const char *path, json_t *body, json_t **ret_secret)
{
    json_t *reply = NULL;
    int rc = api_call(cli, method, path, NULL, body, &reply);

    if (!rc)
        *ret_secret = secret_reply(cli, reply);
    return rc;
}

int api_write(struct cli *cli, const char *path, json_t *body, json_t **ret_secret)
{
    return api_send(cli, "PUT", path, body, ret_secret);
}

int api_post(struct cli *cli, const char *path, json_t *body, json_t **ret_secret)
{
    return api_send(cli, "POST", path, body, ret_secret);
}
