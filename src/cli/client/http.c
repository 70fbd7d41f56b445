/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An answer beyond this is no answer of a secrets server. */
#define BODY_BYTES_MAX ((size_t)256 << 20)

struct http {
    CURL *curl;
    long timeout_ms;
    char *server_name;
    char reason[CURL_ERROR_SIZE];
};

void http_set_timeout(struct http *http, int64_t timeout_ms)
{
    http->timeout_ms = (long)timeout_ms;
}

static void set_text(CURL *curl, CURLoption option, const char *text)
{
    if (text && *text)
        curl_easy_setopt(curl, option, text);
}

struct http *http_new(const struct http_settings *settings)
{
    struct http *http = calloc(1, sizeof *http);

    curl_global_init(CURL_GLOBAL_DEFAULT);
    http->curl = curl_easy_init();
    if (!http->curl)
        abort();
    curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, http->reason);
    curl_easy_setopt(http->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(http->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(http->curl, CURLOPT_USERAGENT, "coffer/" COFFER_VERSION);
    http->timeout_ms = (long)settings->timeout_ms;
    set_text(http->curl, CURLOPT_CAINFO, settings->ca_cert);
    if (!settings->ca_cert || !*settings->ca_cert)
        set_text(http->curl, CURLOPT_CAPATH, settings->ca_path);
    set_text(http->curl, CURLOPT_SSLCERT, settings->client_cert);
    set_text(http->curl, CURLOPT_SSLKEY, settings->client_key);
    set_text(http->curl, CURLOPT_UNIX_SOCKET_PATH, settings->unix_socket);
    if (settings->skip_verify) {
        curl_easy_setopt(http->curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(http->curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (settings->server_name && *settings->server_name)
        http->server_name = strdup(settings->server_name);
    return http;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    curl_easy_cleanup(http->curl);
    curl_global_cleanup();
    free(http->server_name);
    free(http);
}

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
    struct http_reply *reply = arg;

    if (reply->body.len + size * n > BODY_BYTES_MAX)
        return 0;
    buf_put(&reply->body, data, size * n);
    return size * n;
}

/* ---- Files ---- */

struct transfer {
    CURL *curl;
    const struct http_files *files;
    struct http_reply *reply;
    off_t sent;
};

static size_t take_piece(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *transfer = arg;
    long status = 0;

    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200 || transfer->files->download < 0)
        return take_body(data, size, n, transfer->reply);
    for (size_t done = 0; done < size * n;) {
        ssize_t wrote = write(transfer->files->download, data + done, size * n - done);
        if (wrote <= 0)
            return 0;
        done += (size_t)wrote;
    }
    return size * n;
}

static size_t give_piece(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *transfer = arg;
    ssize_t got = pread(transfer->files->upload, data, size * n, transfer->sent);

    if (got < 0)
        return CURL_READFUNC_ABORT;
    transfer->sent += got;
    return (size_t)got;
}

static int go_back(void *arg, curl_off_t offset, int origin)
{
    ((struct transfer *)arg)->sent = offset;
    return origin == SEEK_SET ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static int note_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
    const struct transfer *transfer = arg;
    const struct http_files *files = transfer->files;

    if (files->upload >= 0)
        files->progress(files->arg, up, up_total);
    else
        files->progress(files->arg, down, down_total);
    return 0;
}

static void set_files(CURL *curl, const char *method, struct transfer *transfer)
{
    const struct http_files *files = transfer->files;

    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_piece);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 0L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    if (files->progress != NULL) {
        curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, note_progress);
        curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
    }
    if (files->upload < 0)
        return;
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, NULL);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)files->upload_size);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_piece);
    curl_easy_setopt(curl, CURLOPT_READDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, go_back);
    curl_easy_setopt(curl, CURLOPT_SEEKDATA, transfer);
}

/*
 * curl takes the name for SNI and verification from the URL alone. So the URL is given the wanted name,
 * CURLOPT_CONNECT_TO leads it to the real host, and a Host header says the real host too.
 */
static void rename_host(CURLU *parts, const char *name, struct curl_slist **connect_to, struct curl_slist **headers)
{
    char *host = NULL, *port = NULL;
    struct buf line = BUF_INIT;

    if (curl_url_get(parts, CURLUPART_HOST, &host, 0) || curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT))
        goto out;
    buf_printf(&line, "::%s:%s", host, port);
    *connect_to = curl_slist_append(NULL, buf_str(&line));
    buf_clear(&line);
    buf_printf(&line, "Host: %s:%s", host, port);
    *headers = curl_slist_append(*headers, buf_str(&line));
    curl_url_set(parts, CURLUPART_HOST, name, 0);
out:
    curl_free(host);
    curl_free(port);
    buf_close(&line);
}

static void set_method(CURL *curl, const char *method, const struct buf *body)
{
    /* Without a body, GET is the only method that makes curl expect none. */
    curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    if (body) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->data ? (const char *)body->data : "");
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
}

static int perform(struct http *http, const struct http_files *files, struct http_reply *reply, struct err *err)
{
    CURLcode rc;

    http->reason[0] = '\0';
    rc = curl_easy_perform(http->curl);
    if (rc == CURLE_WRITE_ERROR && files != NULL)
        return err_set(err, ERR_NOSPACE, "the file cannot be written: %s", strerror(errno));
    if (rc == CURLE_PARTIAL_FILE)
        return err_set(err, ERR_UPSTREAM, "the answer broke off before its end");
    if (rc == CURLE_WRITE_ERROR)
        return err_set(err, ERR_TOO_LARGE, "the answer is larger than %zu bytes", BODY_BYTES_MAX);
    if (rc)
        return err_set(err, ERR_UPSTREAM, "%s", http->reason[0] ? http->reason : curl_easy_strerror(rc));
    curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &reply->status);
    return OK;
}

static void take_location(struct http *http, struct http_reply *reply)
{
    char *location = NULL;

    curl_easy_getinfo(http->curl, CURLINFO_REDIRECT_URL, &location);
    if (location)
        buf_puts(&reply->location, location);
}

int http_exchange(struct http *http, const char *method, const char *url, const char *const *headers,
                  const struct buf *body, const struct http_files *files, struct http_reply *ret_reply, struct err *err)
{
    struct transfer transfer = {.curl = http->curl, .files = files, .reply = ret_reply};
    struct curl_slist *list = curl_slist_append(NULL, "Expect:"), *connect_to = NULL;
    CURLU *parts = curl_url();
    int rc;

    buf_clear(&ret_reply->body);
    buf_clear(&ret_reply->location);
    ret_reply->status = 0;
    if (curl_url_set(parts, CURLUPART_URL, url, 0)) {
        rc = err_set(err, ERR_INVALID, "the address is no http:// or https:// URL");
        goto out;
    }
    for (; *headers; headers++)
        list = curl_slist_append(list, *headers);
    if (http->server_name)
        rename_host(parts, http->server_name, &connect_to, &list);
    set_method(http->curl, method, body);
    curl_easy_setopt(http->curl, CURLOPT_CURLU, parts);
    curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(http->curl, CURLOPT_CONNECT_TO, connect_to);
    curl_easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, ret_reply);
    curl_easy_setopt(http->curl, CURLOPT_TIMEOUT_MS, http->timeout_ms);
    if (files != NULL)
        set_files(http->curl, method, &transfer);
    rc = perform(http, files, ret_reply, err);
    if (!rc)
        take_location(http, ret_reply);
    curl_easy_setopt(http->curl, CURLOPT_CURLU, NULL);
out:
    curl_slist_free_all(list);
    curl_slist_free_all(connect_to);
    curl_url_cleanup(parts);
    return rc;
}
