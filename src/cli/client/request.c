/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client/request.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/options.h"
#include "cli/output/text.h"

#define TOKEN_HEADER "X-Vault-Token: "

/* Percent-encodes all but letters, digits and the characters of `plain`. */
static void put_escaped(struct buf *url, const char *text, const char *plain)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (isalnum(c) || strchr(plain, c))
            buf_put_u8(url, c);
        else
            buf_printf(url, "%%%02X", c);
    }
}

static void put_parameter(struct buf *url, const char *name, const json_t *value)
{
    struct buf text = BUF_INIT;

    text_put_value(&text, value);
    buf_puts(url, memchr(url->data, '?', url->len) ? "&" : "?");
    put_escaped(url, name, "-_.~");
    buf_puts(url, "=");
    put_escaped(url, buf_str(&text), "-_.~");
    buf_close(&text);
}

static void put_query(struct buf *url, const json_t *query)
{
    const char *name;
    json_t *value, *item;
    size_t i;

    json_object_foreach((json_t *)query, name, value)
    {
        if (!json_is_array(value))
            put_parameter(url, name, value);
        json_array_foreach(value, i, item)
        {
            put_parameter(url, name, item);
        }
    }
}

static const char *make_url(struct cli *cli, const char *address, const char *path, const json_t *query)
{
    struct buf url = BUF_INIT;
    char *text;

    buf_puts(&url, address);
    while (url.len && url.data[url.len - 1] == '/')
        url.len--;
    buf_puts(&url, "/v1/");
    put_escaped(&url, path, "-_.~$&+,/:;=@");
    put_query(&url, query);
    text = arena_strdup(&cli->arena, buf_str(&url));
    buf_close(&url);
    return text;
}

static int add_header(struct cli *cli, struct request *request, const char *name, const char *value, struct err *err)
{
    if (request->header_count == REQUEST_HEADERS_MAX)
        return err_set(err, ERR_INVALID, "more than %d headers", REQUEST_HEADERS_MAX);
    if (strpbrk(name, "\r\n") || strpbrk(value, "\r\n"))
        return err_set(err, ERR_INVALID, "a header may not hold a line break");
    request->headers[request->header_count++] = cli_printf(cli, "%s: %s", name, value);
    return OK;
}

static int add_own_headers(struct cli *cli, struct request *request, struct err *err)
{
    const char *name;
    json_t *value, *factor;
    size_t i;
    int rc = OK;

    json_object_foreach(option_map(cli, "header"), name, value)
    {
        if (!strncasecmp(name, "X-Vault-", 8))
            return err_set(err, ERR_INVALID, "Headers[%s]: names that begin with 'X-Vault-' are for internal use only",
                           name);
        if (!rc)
            rc = add_header(cli, request, name, json_string_value(value), err);
    }
    json_array_foreach(option_list(cli, "mfa"), i, factor)
    {
        if (!rc)
            rc = add_header(cli, request, "X-Vault-MFA", json_string_value(factor), err);
    }
    return rc;
}

int request_prepare(struct cli *cli, struct request *request, const char *address, const char *path,
                    const json_t *query, const char *token, struct err *err)
{
    const char *namespace = option_text(cli, "namespace"), *wrap_ttl = option_text(cli, "wrap-ttl");
    bool is_patch = !strcmp(request->method, "PATCH");
    int rc;

    request->url = make_url(cli, address, path, query);
    rc = add_header(cli, request, "X-Vault-Request", "true", err);
    if (!rc && *token)
        rc = add_header(cli, request, "X-Vault-Token", token, err);
    if (!rc && namespace && *cli_trim_path(cli, namespace))
        rc = add_header(cli, request, "X-Vault-Namespace", cli_mount_path(cli, namespace), err);
    if (!rc && wrap_ttl)
        rc = add_header(cli, request, "X-Vault-Wrap-TTL", wrap_ttl, err);
    if (!rc && option_flag(cli, "policy-override"))
        rc = add_header(cli, request, "X-Vault-Policy-Override", "true", err);
    if (!rc && request->body)
        rc = add_header(cli, request, "Content-Type", is_patch ? "application/merge-patch+json" : "application/json",
                        err);
    if (!rc)
        rc = add_own_headers(cli, request, err);
    return rc;
}

/* Inside single quotes of a shell a quote ends them, stands in double ones, and begins them anew. */
static void put_quoted(struct buf *line, const char *text, size_t len)
{
    buf_puts(line, "'");
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\'')
            buf_puts(line, "'\"'\"'");
        else
            buf_put_u8(line, (uint8_t)text[i]);
    }
    buf_puts(line, "'");
}

static void put_header(struct buf *line, const char *header)
{
    if (!strncmp(header, TOKEN_HEADER, strlen(TOKEN_HEADER))) {
        buf_puts(line, " -H \"" TOKEN_HEADER "$(coffer print token)\"");
        return;
    }
    buf_puts(line, " -H ");
    put_quoted(line, header, strlen(header));
}

void request_print_curl(struct cli *cli, const struct request *request)
{
    const char *ca_cert = option_text(cli, "ca-cert");
    struct buf line = BUF_INIT;

    buf_puts(&line, "curl");
    if (strcmp(request->method, "GET") != 0)
        buf_printf(&line, " -X %s", request->method);
    if (option_flag(cli, "tls-skip-verify"))
        buf_puts(&line, " --insecure");
    if (ca_cert) {
        buf_puts(&line, " --cacert ");
        put_quoted(&line, ca_cert, strlen(ca_cert));
    }
    for (int i = 0; i < request->header_count; i++)
        put_header(&line, request->headers[i]);
    if (request->body) {
        buf_puts(&line, " -d ");
        put_quoted(&line, (const char *)request->body->data, request->body->len);
    }
    buf_puts(&line, " ");
    put_quoted(&line, request->url, strlen(request->url));
    puts(buf_str(&line));
    buf_close(&line);
}

void request_explain_refusal(struct cli *cli, const struct request *request, struct buf *ret)
{
    json_t *reply = json_loadb((const char *)cli->body.data, cli->body.len, 0, NULL);
    json_t *errors = json_list_at(reply, "errors"), *error;
    const char *namespace = option_text(cli, "namespace");
    size_t i;

    buf_puts(ret, "Error making API request.\n\n");
    if (namespace && *cli_trim_path(cli, namespace))
        buf_printf(ret, "Namespace: %s\n", cli_mount_path(cli, namespace));
    buf_printf(ret, "URL: %s %s\nCode: %ld. %s:\n\n", request->method, request->url, cli->status,
               errors ? "Errors" : "Raw Message");
    json_array_foreach(errors, i, error)
    {
        buf_printf(ret, "%s* %s", i ? "\n" : "", json_is_string(error) ? json_string_value(error) : "?");
    }
    if (!errors)
        buf_put(ret, cli->body.data, cli->body.len);
    json_decref(reply);
}
