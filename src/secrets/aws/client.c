/* SPDX-License-Identifier: Apache-2.0 */
#include "secrets/aws/client.h"

#include <curl/curl.h>
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/secret.h"

#define CONNECT_MS_MAX     5000
#define RETRIES_DEFAULT    4
#define RETRIES_MAX        10
#define PAUSE_FIRST_MS     100
#define PAUSE_MS_MAX       5000
#define PAUSE_SLICE_MS     200
#define ERROR_SENTENCE_MAX 300

struct aws_client {
    CURL *curl;
    struct curl_slist *headers;
    struct aws_target targets[2]; /* by enum aws_service */
    int retries;
    int (*may_go)(void *arg);
    void *arg;
    struct buf answer;
};

/* ---- libcurl ---- */

static void set_up(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort();
}

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
    struct buf *answer = arg;
    if (size * n > AWS_XML_MAX - answer->len)
        return 0;
    buf_put(answer, data, size * n);
    return size * n;
}

/* Asked by libcurl about once a second: a call that nobody may wait for any more is let go. */
static int watch(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
    (void)down_total, (void)down, (void)up_total, (void)up;
    struct aws_client *client = arg;
    return client->may_go(client->arg) != OK;
}

static CURL *handle_new(struct aws_client *client)
{
    CURL *curl = curl_easy_init();
    if (curl == NULL)
        abort();
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS_MAX);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)AWS_CALL_MS_MAX);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "coffer");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, client->headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &client->answer);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, watch);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, client);
    return curl;
}

void aws_client_set_keys(struct aws_client *client, const char *access_key, const char *secret_key)
{
    curl_easy_setopt(client->curl, CURLOPT_USERNAME, access_key);
    curl_easy_setopt(client->curl, CURLOPT_PASSWORD, secret_key);
}

static int retries_of(const struct aws_account *account)
{
    if (account->max_retries < 0)
        return RETRIES_DEFAULT;
    return account->max_retries > RETRIES_MAX ? RETRIES_MAX : (int)account->max_retries;
}

int aws_client_new(const struct aws_account *account, int (*may_go)(void *arg), void *arg,
                   struct aws_client **ret_client, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct aws_target targets[2];

    pthread_once(&once, set_up);
    if (account->access_key[0] == '\0' || account->secret_key[0] == '\0')
        return err_set(err, ERR_INVALID, "no AWS credentials: write access_key and secret_key to config/root");
    for (int i = AWS_IAM; i <= AWS_STS; i++) {
        int rc = aws_target_of(account, (enum aws_service)i, &targets[i], err);
        if (rc != OK)
            return rc;
    }
    struct aws_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        abort();
    memcpy(client->targets, targets, sizeof targets);
    client->retries = retries_of(account);
    client->may_go = may_go;
    client->arg = arg;
    client->headers = curl_slist_append(NULL, "Content-Type: application/x-www-form-urlencoded; charset=utf-8");
    client->curl = handle_new(client);
    aws_client_set_keys(client, account->access_key, account->secret_key);
    *ret_client = client;
    return OK;
}

void aws_client_free(struct aws_client *client)
{
    if (client == NULL)
        return;
    curl_easy_cleanup(client->curl);
    curl_slist_free_all(client->headers);
    buf_close(&client->answer);
    free(client);
}

/* ---- Parameters ---- */

/* As forms are encoded, so a blank is '+': whoever re-encodes what was signed comes to the same bytes. */
static void put_encoded(struct buf *form, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c < 0x80 && isalnum(c)) || strchr("-_.~", c) != NULL)
            buf_put_u8(form, c);
        else if (c == ' ')
            buf_puts(form, "+");
        else
            buf_printf(form, "%%%02X", c);
    }
}

void aws_params_close(struct aws_params *params)
{
    buf_close(&params->form);
}

void aws_param(struct aws_params *params, const char *name, const char *value)
{
    if (value == NULL || *value == '\0')
        return;
    buf_puts(&params->form, "&");
    put_encoded(&params->form, name);
    buf_puts(&params->form, "=");
    put_encoded(&params->form, value);
}

void aws_param_list(struct aws_params *params, const char *name, const json_t *list, const char *below)
{
    char full[128];
    for (size_t i = 0; i < json_array_size(list); i++) {
        snprintf(full, sizeof full, "%s.member.%zu%s", name, i + 1, below);
        aws_param(params, full, json_string_value(json_array_get(list, i)));
    }
}

void aws_param_tags(struct aws_params *params, const char *name, const json_t *tags)
{
    const char *key;
    json_t *value;
    size_t i = 1;
    char full[128];

    json_object_foreach((json_t *)tags, key, value)
    {
        snprintf(full, sizeof full, "&%s.member.%zu.", name, i++);
        buf_printf(&params->form, "%sKey=", full);
        put_encoded(&params->form, key);
        buf_printf(&params->form, "%sValue=", full); /* an empty value must be there */
        put_encoded(&params->form, json_string_value(value) != NULL ? json_string_value(value) : "");
    }
}

/* ---- Answers ---- */

void aws_answer_close(struct aws_answer *answer)
{
    aws_xml_free(answer->xml);
    answer->xml = NULL;
}

bool aws_answer_is(const struct aws_answer *answer, const char *code)
{
    return strcmp(answer->code, code) == 0;
}

static bool is_throttle(const char *code)
{
    static const char *const codes[] = {"Throttling",
                                        "ThrottlingException",
                                        "ThrottledException",
                                        "RequestThrottled",
                                        "RequestThrottledException",
                                        "RequestLimitExceeded",
                                        "BandwidthLimitExceeded",
                                        "TooManyRequestsException",
                                        "SlowDown",
                                        "PriorRequestNotComplete"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (strcmp(code, codes[i]) == 0)
            return true;
    }
    return false;
}

static int code_of(const char *aws_code, long status)
{
    if (is_throttle(aws_code) || status == 429)
        return ERR_UPSTREAM_BUSY;
    if (status >= 500 || status < 400)
        return ERR_UPSTREAM;
    if (strcmp(aws_code, "NoSuchEntity") == 0)
        return ERR_NOTFOUND;
    return strcmp(aws_code, "EntityAlreadyExists") == 0 ? ERR_EXISTS : ERR_INVALID;
}

/* A sentence of AWS's becomes one of ours: bounded, on one line. */
static void flatten(const char *text, char *ret, size_t size)
{
    size_t len = 0;
    for (; *text != '\0' && len + 1 < size; text++) {
        bool blank = (unsigned char)*text <= ' ' || *text == 0x7f;
        if (!blank || (len > 0 && ret[len - 1] != ' '))
            ret[len++] = blank ? ' ' : *text;
    }
    ret[len] = '\0';
}

/*
 * An answer that says why not: <ErrorResponse><Error><Code/><Message/></Error></ErrorResponse>, or, from what stands
 * before the services, the same inside <Errors>.
 */
static int read_failure(const struct aws_client *client, long status, struct aws_answer *ret, struct err *err)
{
    struct aws_xml *xml = NULL;
    char sentence[ERROR_SENTENCE_MAX] = "";

    if (aws_xml_parse(client->answer.data, client->answer.len, &xml, NULL) == OK) {
        bool nested = *aws_xml_text(xml, "Error/Code") == '\0';
        flatten(aws_xml_text(xml, nested ? "Errors/Error/Code" : "Error/Code"), ret->code, sizeof ret->code);
        flatten(aws_xml_text(xml, nested ? "Errors/Error/Message" : "Error/Message"), sentence, sizeof sentence);
        aws_xml_free(xml);
    }
    if (ret->code[0] == '\0') /* a proxy's page, or something that is not AWS */
        return err_set(err, code_of("", status), "the AWS endpoint answered with HTTP status %ld", status);
    return err_set(err, code_of(ret->code, status), "%s: %s", ret->code, sentence);
}

/* ---- One attempt, and several ---- */

static int send_once(struct aws_client *client, const struct buf *body, const struct aws_target *target, bool once,
                     struct aws_answer *ret, struct err *err)
{
    CURL *curl = client->curl;
    long status = 0;

    buf_clear(&client->answer);
    ret->code[0] = '\0';
    curl_easy_setopt(curl, CURLOPT_URL, target->url);
    curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, target->signing);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body->len);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->data);
    /* On a connection used before, libcurl repeats by itself a call whose answer did not come. */
    curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, once ? 1L : 0L);
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK) {
        ret->maybe_done |= code != CURLE_COULDNT_CONNECT && code != CURLE_COULDNT_RESOLVE_HOST &&
                           code != CURLE_COULDNT_RESOLVE_PROXY && code != CURLE_SSL_CONNECT_ERROR &&
                           code != CURLE_PEER_FAILED_VERIFICATION;
        return err_set(err, ERR_UPSTREAM, "cannot reach the AWS endpoint: %s", curl_easy_strerror(code));
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) {
        int rc = read_failure(client, status, ret, err);
        ret->maybe_done |= rc == ERR_UPSTREAM;
        return rc;
    }
    int rc = aws_xml_parse(client->answer.data, client->answer.len, &ret->xml, err);
    ret->maybe_done |= rc != OK;
    return rc;
}

static void sleep_ms(int64_t ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

int aws_client_sleep(struct aws_client *client, int64_t ms)
{
    int rc;
    for (; (rc = client->may_go(client->arg)) == OK && ms > 0; ms -= PAUSE_SLICE_MS)
        sleep_ms(ms < PAUSE_SLICE_MS ? ms : PAUSE_SLICE_MS);
    return rc;
}

static int pause_before_retry(struct aws_client *client, int attempt)
{
    uint32_t random;
    int64_t most = PAUSE_FIRST_MS << (attempt < 10 ? attempt : 10);
    if (most > PAUSE_MS_MAX)
        most = PAUSE_MS_MAX;
    random_bytes(&random, sizeof random);
    return aws_client_sleep(client, most / 4 + (int64_t)(random % (uint32_t)(most - most / 4 + 1)));
}

static bool is_worth_repeating(int rc, unsigned flags, const struct aws_answer *answer)
{
    if ((flags & AWS_ONCE) != 0 && answer->maybe_done)
        return false;
    return rc == ERR_UPSTREAM || rc == ERR_UPSTREAM_BUSY;
}

int aws_call(struct aws_client *client, enum aws_service service, const char *action, const struct aws_params *params,
             unsigned flags, struct aws_answer *ret, struct err *err)
{
    struct buf body = BUF_INIT;
    int rc;

    *ret = (struct aws_answer){0};
    buf_printf(&body, "Action=%s&Version=%s", action, service == AWS_IAM ? "2010-05-08" : "2011-06-15");
    if (params != NULL && params->form.len > 0)
        buf_put(&body, params->form.data, params->form.len);
    rc = client->may_go(client->arg);
    for (int attempt = 0; rc == OK; attempt++) {
        rc = send_once(client, &body, &client->targets[service], (flags & AWS_ONCE) != 0, ret, err);
        if (!is_worth_repeating(rc, flags, ret) || attempt >= client->retries)
            break;
        rc = pause_before_retry(client, attempt);
    }
    if (client->may_go(client->arg) != OK && ret->xml == NULL) {
        rc = client->may_go(client->arg);
        err_set(err, rc, "%s", err_default_text(rc));
    }
    buf_close(&body);
    buf_clear(&client->answer);
    return rc;
}

int aws_call_user(struct aws_client *client, const char *action, const char *user, const char *name, const char *value,
                  struct aws_answer *ret, struct err *err)
{
    struct aws_params params = AWS_PARAMS_INIT;
    struct aws_answer own = {0};

    aws_param(&params, "UserName", user);
    if (name != NULL)
        aws_param(&params, name, value);
    int rc = aws_call(client, AWS_IAM, action, &params, 0, ret != NULL ? ret : &own, err);
    aws_answer_close(&own);
    aws_params_close(&params);
    return rc;
}
