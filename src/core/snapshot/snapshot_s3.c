/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_s3.c — storage_type "aws-s3": snapshots as objects of a bucket, or of what speaks S3's protocol.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html, signed by libcurl.
 *
 * An object is there whole or not at all, and is checked by its SHA-256 on arrival. Which ones were put there is kept
 * with the status, and only those are removed: nothing is listed, and nothing that somebody else put there is touched.
 */
#include <curl/curl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/encoding.h"
#include "base/json.h"
#include "core/request/request.h"
#include "core/snapshot/snapshot_auto_private.h"

#define OBJECT_MAX   (UINT64_C(5) << 30) /* of one PUT */
#define ANSWER_MAX   (64u << 10)
#define CONNECT_MS   10000L
#define STALLED_S    60L /* so long without a byte: given up */
#define READ_SIZE    (64u << 10)
#define SHA256_SIZE  32
#define REGION       "us-east-1"
#define KEPT         "kept"    /* of the status: names of objects, the oldest first */
#define KEPT_IN      "kept_in" /* and the address that they are below */
#define ALNUM        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define REGION_CHARS "abcdefghijklmnopqrstuvwxyz0123456789-"
#define BUCKET_CHARS "abcdefghijklmnopqrstuvwxyz0123456789.-"

/* ---- Configuration ---- */

static const char *text_of(const json_t *config, const char *key)
{
    return json_str(config, key, "");
}

static bool is_made_of(const char *text, const char *chars, size_t min, size_t max)
{
    size_t len = strlen(text);
    return len >= min && len <= max && strspn(text, chars) == len;
}

static const char *without_scheme(const char *endpoint)
{
    const char *host = strstr(endpoint, "://");
    return host != NULL ? host + 3 : endpoint;
}

/* Nothing in it that hides another host or needs encoding. */
static bool is_endpoint(const char *endpoint)
{
    bool has_scheme = strncmp(endpoint, "http://", 7) == 0 || strncmp(endpoint, "https://", 8) == 0;
    return *endpoint == '\0' || ((has_scheme || strstr(endpoint, "://") == NULL) &&
                                 is_made_of(without_scheme(endpoint), ALNUM ".-:[]", 1, 255));
}

static int check(struct request *req, const json_t *config)
{
    const char *prefix = text_of(config, "path_prefix");
    bool has_key = *text_of(config, "aws_access_key_id") != '\0';
    if (!is_made_of(text_of(config, "aws_s3_bucket"), BUCKET_CHARS, 3, 63))
        return fail(req, ERR_INVALID, "aws_s3_bucket must be given, and be a bucket's name");
    if (!is_made_of(json_str(config, "aws_s3_region", REGION), REGION_CHARS, 1, 40))
        return fail(req, ERR_INVALID, "aws_s3_region is no AWS region's name");
    if (!is_endpoint(text_of(config, "aws_s3_endpoint")))
        return fail(req, ERR_INVALID, "aws_s3_endpoint must be a host, maybe with http:// or https:// and a port");
    if (!is_made_of(prefix, ALNUM "._-/", 0, 512) || prefix[0] == '/' || strstr(prefix, "..") != NULL)
        return fail(
            req, ERR_INVALID,
            "path_prefix must be letters, digits, '.', '_', '-' and '/', without \"..\" and not begin with '/'");
    if (has_key != (*text_of(config, "aws_secret_access_key") != '\0'))
        return fail(req, ERR_INVALID, "aws_access_key_id and aws_secret_access_key must be given together");
    return OK;
}

/* The address that all objects of a configuration are below, ending in '/'. */
static void put_base(const json_t *config, char ret[AUTO_URL_MAX])
{
    const char *endpoint = text_of(config, "aws_s3_endpoint"), *bucket = text_of(config, "aws_s3_bucket");
    const char *region = json_str(config, "aws_s3_region", REGION), *prefix = text_of(config, "path_prefix");
    bool is_plain = json_flag(config, "aws_s3_disable_tls", false) || strncmp(endpoint, "http://", 7) == 0;
    bool by_path = json_flag(config, "aws_s3_force_path_style", false);
    char host[512];
    if (*endpoint != '\0')
        snprintf(host, sizeof host, "%s", without_scheme(endpoint));
    else
        snprintf(host, sizeof host, "s3.%s.amazonaws.com%s", region, strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
    size_t len = strlen(prefix);
    snprintf(ret, AUTO_URL_MAX, "%s://%s%s%s/%s%s%s%s", is_plain ? "http" : "https", by_path ? "" : bucket,
             by_path ? "" : ".", host, by_path ? bucket : "", by_path ? "/" : "", prefix,
             len > 0 && prefix[len - 1] != '/' ? "/" : "");
}

static void url(const json_t *config, const char *file_name, char ret[AUTO_URL_MAX])
{
    char base[AUTO_URL_MAX];
    put_base(config, base);
    snprintf(ret, AUTO_URL_MAX, "%.*s%s", AUTO_URL_MAX - 300, base, file_name);
}

/* ---- One call ---- */

struct call {
    struct auto_job *job;
    CURL *curl;
    struct curl_slist *headers;
    off_t at; /* of the file */
    struct buf answer;
};

static size_t take_answer(char *data, size_t size, size_t n, void *arg)
{
    struct buf *answer = arg;
    if (size * n > ANSWER_MAX - answer->len)
        return 0;
    buf_put(answer, data, size * n);
    return size * n;
}

static size_t give_file(char *data, size_t size, size_t n, void *arg)
{
    struct call *call = arg;
    const struct file_range *file = &call->job->file;
    uint64_t left = (uint64_t)(file->offset + (off_t)file->size - call->at);
    ssize_t got = pread(call->job->file.fd, data, size * n < left ? size * n : left, call->at);
    if (got < 0)
        return CURL_READFUNC_ABORT;
    call->at += got;
    return (size_t)got;
}

/* libcurl goes back when a server wants a request again. */
static int seek_file(void *arg, curl_off_t offset, int origin)
{
    struct call *call = arg;
    if (origin != SEEK_SET)
        return CURL_SEEKFUNC_FAIL;
    call->at = call->job->file.offset + offset;
    return CURL_SEEKFUNC_OK;
}

static int watch(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
    const struct call *call = arg;
    (void)down_total, (void)down, (void)up_total, (void)up;
    return *call->job->is_off;
}

static void add_header(struct call *call, const char *name, const char *value)
{
    struct buf line = BUF_INIT;
    buf_printf(&line, "%s: %s", name, value);
    call->headers = curl_slist_append(call->headers, buf_str(&line));
    buf_close(&line);
}

/* The configuration's, or as AWS's own tools have them in the environment. */
static const char *credential(const json_t *config, const char *key, const char *variable)
{
    const char *value = text_of(config, *text_of(config, "aws_access_key_id") != '\0' ? key : "");
    if (*text_of(config, "aws_access_key_id") == '\0')
        value = getenv(variable);
    return value != NULL ? value : "";
}

static int set_credentials(struct call *call, struct err *err)
{
    const json_t *config = call->job->config;
    const char *id = credential(config, "aws_access_key_id", "AWS_ACCESS_KEY_ID");
    const char *secret = credential(config, "aws_secret_access_key", "AWS_SECRET_ACCESS_KEY");
    const char *session = credential(config, "aws_session_token", "AWS_SESSION_TOKEN");
    char signing[80];
    if (*id == '\0' || *secret == '\0')
        return err_set(err, ERR_INVALID,
                       "no AWS credentials: set aws_access_key_id and aws_secret_access_key, or the environment "
                       "variables of that name");
    snprintf(signing, sizeof signing, "aws:amz:%s:s3", json_str(config, "aws_s3_region", REGION));
    curl_easy_setopt(call->curl, CURLOPT_AWS_SIGV4, signing);
    curl_easy_setopt(call->curl, CURLOPT_USERNAME, id);
    curl_easy_setopt(call->curl, CURLOPT_PASSWORD, secret);
    if (*session != '\0')
        add_header(call, "X-Amz-Security-Token", session);
    return OK;
}

static int call_open(struct call *call, const char *address, const char *sha256, struct err *err)
{
    CURL *curl = call->curl = curl_easy_init();
    if (curl == NULL)
        abort();
    curl_easy_setopt(curl, CURLOPT_URL, address);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, STALLED_S);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "coffer");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &call->answer);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, watch);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, call);
    add_header(call, "x-amz-content-sha256", sha256);
    return set_credentials(call, err);
}

static void call_close(struct call *call)
{
    curl_easy_cleanup(call->curl);
    curl_slist_free_all(call->headers);
    buf_close(&call->answer);
}

/* What stands between <name> and </name>, on one line; "" when it is not there. */
static void take_element(const char *text, const char *name, char *ret, size_t size)
{
    char open[32], close[32];
    snprintf(open, sizeof open, "<%s>", name);
    snprintf(close, sizeof close, "</%s>", name);
    const char *begin = strstr(text, open), *end = begin != NULL ? strstr(begin, close) : NULL;
    size_t len = 0;
    if (end != NULL)
        for (begin += strlen(open); begin < end && len + 1 < size; begin++)
            ret[len++] = (unsigned char)*begin < ' ' || *begin == 0x7f ? ' ' : *begin;
    ret[len] = '\0';
}

static int run(struct call *call, struct err *err)
{
    char code[64], message[256];
    long status = 0;
    curl_easy_setopt(call->curl, CURLOPT_HTTPHEADER, call->headers);
    CURLcode result = curl_easy_perform(call->curl);
    if (result != CURLE_OK)
        return err_set(err, ERR_UPSTREAM, "cannot reach S3: %s", curl_easy_strerror(result));
    curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status / 100 == 2)
        return OK;
    take_element(buf_str(&call->answer), "Code", code, sizeof code);
    take_element(buf_str(&call->answer), "Message", message, sizeof message);
    return err_set(err, ERR_UPSTREAM, "S3 answered with HTTP status %ld: %s %s", status, code, message);
}

/* ---- Putting one there ---- */

static int sum_file(const struct file_range *file, char ret_hex[2 * SHA256_SIZE + 1], struct err *err)
{
    unsigned char buffer[READ_SIZE], sum[SHA256_SIZE];
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    uint64_t done = 0;
    if (digest == NULL || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
        abort();
    while (done < file->size) {
        uint64_t left = file->size - done;
        ssize_t n = pread(file->fd, buffer, left < sizeof buffer ? left : sizeof buffer, file->offset + (off_t)done);
        if (n <= 0 || EVP_DigestUpdate(digest, buffer, (size_t)n) != 1)
            break;
        done += (uint64_t)n;
    }
    if (EVP_DigestFinal_ex(digest, sum, NULL) != 1)
        abort();
    EVP_MD_CTX_free(digest);
    if (done < file->size)
        return err_set(err, ERR_IO, "the snapshot that was put together cannot be read");
    hex_encode(sum, sizeof sum, ret_hex);
    return OK;
}

static void set_encryption(struct call *call)
{
    const json_t *config = call->job->config;
    const char *key = text_of(config, "aws_s3_kms_key");
    bool by_kms = json_flag(config, "aws_s3_enable_kms", false);
    if (!by_kms && !json_flag(config, "aws_s3_server_side_encryption", false))
        return;
    add_header(call, "x-amz-server-side-encryption", by_kms ? "aws:kms" : "AES256");
    if (by_kms && *key != '\0')
        add_header(call, "x-amz-server-side-encryption-aws-kms-key-id", key);
}

static int put_object(struct auto_job *job, const char *address, struct err *err)
{
    struct call call = {.job = job, .at = job->file.offset};
    char sha256[2 * SHA256_SIZE + 1];
    int rc = sum_file(&job->file, sha256, err);
    if (rc == OK)
        rc = call_open(&call, address, sha256, err);
    if (rc == OK) {
        add_header(&call, "Content-Type", "application/gzip");
        set_encryption(&call);
        curl_easy_setopt(call.curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(call.curl, CURLOPT_READFUNCTION, give_file);
        curl_easy_setopt(call.curl, CURLOPT_READDATA, &call);
        curl_easy_setopt(call.curl, CURLOPT_SEEKFUNCTION, seek_file);
        curl_easy_setopt(call.curl, CURLOPT_SEEKDATA, &call);
        curl_easy_setopt(call.curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)job->file.size);
        rc = run(&call, err);
    }
    call_close(&call);
    return rc;
}

/* What is kept elsewhere, since the configuration was another, is left there. */
static json_t *kept_names(struct auto_job *job)
{
    char base[AUTO_URL_MAX];
    put_base(job->config, base);
    json_t *names = json_object_get(job->status, KEPT);
    if (!json_is_array(names) || strcmp(json_str(job->status, KEPT_IN, ""), base) != 0) {
        names = json_array();
        json_object_set_new(job->status, KEPT, names);
        json_object_set_new(job->status, KEPT_IN, json_string(base));
    }
    return names;
}

static int put(struct auto_job *job, struct err *err)
{
    char address[AUTO_URL_MAX];
    if (job->file.size > OBJECT_MAX)
        return err_set(err, ERR_TOO_LARGE, "the snapshot is larger than the 5 GiB that S3 takes at once");
    url(job->config, job->file_name, address);
    int rc = put_object(job, address, err);
    if (rc == OK)
        json_array_append_new(kept_names(job), json_string(job->file_name));
    return rc;
}

/* ---- Removing ---- */

static int delete_object(struct auto_job *job, const char *name, struct err *err)
{
    static const char of_nothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    struct call call = {.job = job};
    char address[AUTO_URL_MAX];
    url(job->config, name, address);
    int rc = call_open(&call, address, of_nothing, err);
    if (rc == OK) {
        curl_easy_setopt(call.curl, CURLOPT_CUSTOMREQUEST, "DELETE");
        rc = run(&call, err);
    }
    call_close(&call);
    return rc;
}

static int trim(struct auto_job *job, struct err *err)
{
    json_t *names = kept_names(job);
    size_t retain = (size_t)json_int(job->config, "retain", 1);
    int rc = OK;
    while (rc == OK && json_array_size(names) > retain) {
        rc = delete_object(job, json_string_value(json_array_get(names, 0)), err);
        if (rc == OK)
            json_array_remove(names, 0);
    }
    return rc;
}

const struct auto_place auto_place_s3 = {.type = "aws-s3", .check = check, .url = url, .put = put, .trim = trim};
