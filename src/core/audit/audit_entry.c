/* SPDX-License-Identifier: Apache-2.0 */
#include "core/audit/audit_entry.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/json.h"
#include "base/secret.h"
#include "core/lease/lease.h"
#include "core/mount/mount.h"
#include "core/token/token.h"

#define TIMESTAMP_MAX 35 /* the longest RFC 3339 writes with nanoseconds and an offset */

struct audit_format {
    bool is_raw;
    bool keeps_accessors;
    bool elides_lists;
    char *prefix;       /* of each line */
    EVP_MAC_CTX *keyed; /* copied for each entry, which is cheaper than taking the key again */
};

/* One entry on its way: the format, and a context to hash with that is this thread's own. */
struct hasher {
    const struct audit_format *format;
    const json_t *header_rules;
    EVP_MAC_CTX *mac;
};

static bool option_is(const json_t *options, const char *name, bool fallback)
{
    const char *text = json_str(options, name, NULL);
    if (text == NULL)
        return json_flag(options, name, fallback);
    return strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
}

struct audit_format *audit_format_new(const char *salt, const json_t *options)
{
    struct audit_format *format = calloc(1, sizeof *format);
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *keyed = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
                           OSSL_PARAM_construct_end()};
    if (format == NULL || keyed == NULL || EVP_MAC_init(keyed, (const unsigned char *)salt, strlen(salt), params) != 1)
        abort();
    EVP_MAC_free(hmac);
    format->keyed = keyed;
    format->is_raw = option_is(options, "log_raw", false);
    format->keeps_accessors = !option_is(options, "hmac_accessor", true);
    format->elides_lists = option_is(options, "elide_list_responses", false);
    format->prefix = strdup(json_str(options, "prefix", ""));
    if (format->prefix == NULL)
        abort();
    return format;
}

void audit_format_free(struct audit_format *format)
{
    if (format == NULL)
        return;
    EVP_MAC_CTX_free(format->keyed);
    free(format->prefix);
    free(format);
}

/* ---- Hashing ---- */

static struct hasher hasher_of(const struct audit_format *format, const json_t *header_rules)
{
    struct hasher hasher = {format, header_rules, EVP_MAC_CTX_dup(format->keyed)};
    if (hasher.mac == NULL)
        abort();
    return hasher;
}

static void hash_text(const struct hasher *hasher, const char *text, size_t len, char ret_hash[AUDIT_HASH_SIZE])
{
    unsigned char mac[32];
    size_t size;
    if (EVP_MAC_init(hasher->mac, NULL, 0, NULL) != 1 ||
        EVP_MAC_update(hasher->mac, (const unsigned char *)text, len) != 1 ||
        EVP_MAC_final(hasher->mac, mac, &size, sizeof mac) != 1)
        abort();
    memcpy(ret_hash, "hmac-sha256:", 12);
    hex_encode(mac, sizeof mac, ret_hash + 12);
}

void audit_entry_hash(const struct audit_format *format, const char *text, char ret_hash[AUDIT_HASH_SIZE])
{
    struct hasher hasher = hasher_of(format, NULL);
    hash_text(&hasher, text, strlen(text), ret_hash);
    EVP_MAC_CTX_free(hasher.mac);
}

static json_t *hashed(const struct hasher *hasher, const char *text)
{
    char hash[AUDIT_HASH_SIZE];
    if (hasher->format->is_raw)
        return json_string(text);
    hash_text(hasher, text, strlen(text), hash);
    return json_string(hash);
}

static json_t *hashed_accessor(const struct hasher *hasher, const char *accessor)
{
    return hasher->format->keeps_accessors ? json_string(accessor) : hashed(hasher, accessor);
}

static bool is_timestamp(const char *text)
{
    return strlen(text) <= TIMESTAMP_MAX && text[0] >= '0' && text[0] <= '9' && clock_parse_rfc3339(text) != -1;
}

/* Whether the mount says of a name that what is under it needs no hashing. The setting is a list, or "a,b". */
static bool is_plain_key(const json_t *setting, const char *name)
{
    const char *at = json_string_value(setting);
    size_t len = strlen(name);
    if (at == NULL)
        return json_list_has(setting, name);
    for (; *at != '\0'; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ',')) {
        at += strspn(at, " ");
        if (strncmp(at, name, len) == 0 && strchr(", ", at[len]) != NULL)
            return true;
    }
    return false;
}

/* A copy with all texts hashed, at any depth, but those under a plain key. */
static json_t *hashed_data(const struct hasher *hasher, const json_t *data, const json_t *plain_keys)
{
    const char *name;
    json_t *value, *copy;
    size_t i;
    if (json_is_string(data))
        return is_timestamp(json_string_value(data)) ? json_incref((json_t *)data)
                                                     : hashed(hasher, json_string_value(data));
    if (json_is_array(data)) {
        copy = json_array();
        json_array_foreach(data, i, value) json_array_append_new(copy, hashed_data(hasher, value, plain_keys));
        return copy;
    }
    if (!json_is_object(data))
        return json_incref((json_t *)data);
    copy = json_object();
    json_object_foreach((json_t *)data, name, value) json_object_set_new(
        copy, name, is_plain_key(plain_keys, name) ? json_incref(value) : hashed_data(hasher, value, plain_keys));
    return copy;
}

/* Instead of a list of names, how many there are. */
static void elide(json_t *data)
{
    static const char *const names[] = {"keys", "key_info"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const json_t *value = json_object_get(data, names[i]);
        size_t n = json_is_object(value) ? json_object_size(value) : json_array_size(value);
        if (value != NULL)
            json_object_set_new(data, names[i], json_integer((json_int_t)n));
    }
}

/* ---- Parts of an entry. What is empty is left out. ---- */

static void put(json_t *object, const char *name, json_t *value)
{
    if (value != NULL)
        json_object_set_new(object, name, value);
}

static void put_text(json_t *object, const char *name, const char *text)
{
    if (text != NULL && text[0] != '\0')
        json_object_set_new(object, name, json_string(text));
}

static void put_number(json_t *object, const char *name, int64_t number)
{
    if (number != 0)
        json_object_set_new(object, name, json_integer(number));
}

static void put_same(json_t *object, const char *name, json_t *value)
{
    bool is_empty = value == NULL || json_is_null(value) || (json_is_array(value) && json_array_size(value) == 0) ||
                    (json_is_object(value) && json_object_size(value) == 0);
    if (!is_empty)
        json_object_set(object, name, value);
}

static json_t *policy_results(const struct request *req)
{
    if (req->granted_by == NULL)
        return NULL;
    return json_pack("{s:b, s:[{s:s, s:s, s:s}]}", "allowed", true, "granting_policies", "name", req->granted_by,
                     "namespace_id", "root", "type", "acl");
}

/* Who asks. */
static json_t *auth_of(const struct hasher *hasher, const struct request *req)
{
    const struct token *token = req->token;
    char issued[40];
    if (token == NULL)
        return json_pack("{s:s}", "token_type", "default");
    json_t *auth = json_object();
    if (req->client_token != NULL)
        put(auth, "client_token", hashed(hasher, req->client_token));
    if (token->accessor[0] != '\0') /* a batch token has none */
        put(auth, "accessor", hashed_accessor(hasher, token->accessor));
    put_text(auth, "display_name", token->display_name);
    put_same(auth, "policies", token->policies);
    put_same(auth, "token_policies", token->policies);
    put_same(auth, "metadata", token->meta);
    put(auth, "policy_results", policy_results(req));
    put_number(auth, "remaining_uses", token->num_uses);
    put_text(auth, "token_type", token->type);
    put_number(auth, "token_ttl", token->creation_ttl_s);
    clock_format_rfc3339(token->created_s * 1000000000, issued, sizeof issued);
    put_text(auth, "token_issue_time", issued);
    return auth;
}

/* What a login, or a new token, is given. */
static json_t *granted_auth(const struct hasher *hasher, const json_t *reply)
{
    static const char *const same[] = {"policies",  "token_policies", "identity_policies", "metadata",
                                       "entity_id", "token_type",     "num_uses"};
    const char *client_token = json_str(reply, "client_token", ""), *accessor = json_str(reply, "accessor", "");
    json_t *auth = json_object();
    if (client_token[0] != '\0')
        put(auth, "client_token", hashed(hasher, client_token));
    if (accessor[0] != '\0')
        put(auth, "accessor", hashed_accessor(hasher, accessor));
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        json_t *value = json_object_get(reply, same[i]);
        bool is_blank = (json_is_string(value) && json_string_length(value) == 0) ||
                        (json_is_integer(value) && json_integer_value(value) == 0);
        if (!is_blank)
            put_same(auth, same[i], value);
    }
    put_number(auth, "token_ttl", json_int(reply, "lease_duration", 0));
    return auth;
}

static void put_mount(json_t *object, const struct mount *mount)
{
    if (mount == NULL)
        return;
    put_text(object, "mount_point", mount->path);
    put_text(object, "mount_type", mount->type);
    put_text(object, "mount_accessor", mount->accessor);
    put_text(object, "mount_class", strncmp(mount->path, "auth/", 5) == 0 ? "auth" : "secret");
}

static const json_t *mount_setting(const struct request *req, const char *name)
{
    return req->mount != NULL ? json_object_get(req->mount->config, name) : NULL;
}

static json_t *wrap_info_of(const struct hasher *hasher, const json_t *info)
{
    const char *wrapped = json_str(info, "wrapped_accessor", "");
    json_t *object =
        json_pack("{s:O, s:o, s:o, s:O, s:O}", "ttl", json_object_get(info, "ttl"), "token",
                  hashed(hasher, json_str(info, "token", "")), "accessor",
                  hashed_accessor(hasher, json_str(info, "accessor", "")), "creation_time",
                  json_object_get(info, "creation_time"), "creation_path", json_object_get(info, "creation_path"));
    if (wrapped[0] != '\0')
        put(object, "wrapped_accessor", hashed_accessor(hasher, wrapped));
    return object;
}

/* What lets somebody in is hashed whatever the rule says. */
static bool is_secret_header(const char *name)
{
    static const char *const names[] = {"x-vault-token", "authorization", "proxy-authorization", "cookie"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static json_t *headers_of(const struct hasher *hasher, const struct request *req)
{
    json_t *headers = NULL, *rule;
    const char *name;
    json_object_foreach((json_t *)hasher->header_rules, name, rule)
    {
        json_t *values = req->header_values != NULL ? req->header_values(req, name) : NULL;
        if (values == NULL)
            continue;
        for (size_t i = 0; i < json_array_size(values); i++)
            if (json_flag(rule, "hmac", false) || is_secret_header(name))
                json_array_set_new(values, i, hashed(hasher, json_string_value(json_array_get(values, i))));
        if (headers == NULL)
            headers = json_object();
        json_object_set_new(headers, name, values);
    }
    return headers;
}

static json_t *request_of(const struct hasher *hasher, const struct request *req)
{
    json_t *object = json_pack("{s:s, s:s, s:{s:s}, s:s}", "id", req->id, "operation", operation_name(req->operation),
                               "namespace", "id", "root", "path", req->path);
    put_mount(object, req->mount);
    if (req->client_token != NULL && req->client_token[0] != '\0')
        put(object, "client_token", hashed(hasher, req->client_token));
    if (req->token != NULL && req->token->accessor[0] != '\0')
        put(object, "client_token_accessor", hashed_accessor(hasher, req->token->accessor));
    if (json_object_size(req->data) > 0)
        put(object, "data", hashed_data(hasher, req->data, mount_setting(req, "audit_non_hmac_request_keys")));
    put_text(object, "remote_address", req->remote_addr);
    put_number(object, "remote_port", req->remote_port);
    put_number(object, "wrap_ttl", req->wrap_ttl_s);
    put(object, "headers", headers_of(hasher, req));
    return object;
}

/* The sentence of an error may hold what the client sent, so it is hashed like data; its kind stands in clear. */
static json_t *response_data(const struct hasher *hasher, const struct request *req)
{
    json_t *data = req->reply != NULL && !json_is_null(req->reply)
                       ? hashed_data(hasher, req->reply, mount_setting(req, "audit_non_hmac_response_keys"))
                       : NULL;
    if (data != NULL && req->operation == OP_LIST && hasher->format->elides_lists)
        elide(data);
    if (req->rc == OK || req->err.text[0] == '\0')
        return data;
    if (!json_is_object(data)) {
        json_decref(data);
        data = json_object();
    }
    put(data, "error", hashed(hasher, req->err.text));
    return data;
}

static json_t *response_of(const struct hasher *hasher, const struct request *req)
{
    json_t *object = json_object();
    put_mount(object, req->mount);
    if (req->auth_reply != NULL)
        put(object, "auth", granted_auth(hasher, req->auth_reply));
    if (req->wrap_info != NULL)
        put(object, "wrap_info", wrap_info_of(hasher, req->wrap_info));
    else if (req->lease != NULL)
        put(object, "secret", json_pack("{s:s}", "lease_id", req->lease->id));
    put(object, "data", response_data(hasher, req));
    put_same(object, "warnings", req->warnings);
    put_text(object, "redirect", req->redirect);
    return object;
}

/* ---- Entries ---- */

static json_t *begin(const char *type)
{
    char now[40];
    clock_format_rfc3339(clock_wall_ns(), now, sizeof now);
    return json_pack("{s:s, s:s}", "time", now, "type", type);
}

static void finish(const struct audit_format *format, json_t *entry, struct buf *ret_line)
{
    char *text = json_format(entry);
    buf_puts(ret_line, format->prefix);
    buf_puts(ret_line, text);
    buf_put_u8(ret_line, '\n');
    json_text_free(text);
    json_decref(entry);
}

static void put_error(json_t *entry, const struct request *req)
{
    if (req->rc != OK)
        put_text(entry, "error", err_default_text(req->rc));
}

/* The node that the client had asked. */
static void put_forwarder(json_t *entry, const struct request *req)
{
    if (req->forwarded_from != NULL)
        put_text(entry, "forwarded_from", req->forwarded_from);
}

void audit_entry_request(const struct audit_format *format, const json_t *header_rules, const struct request *req,
                         struct buf *ret_line)
{
    struct hasher hasher = hasher_of(format, header_rules);
    json_t *entry = begin("request");
    put_forwarder(entry, req);
    put(entry, "auth", auth_of(&hasher, req));
    put(entry, "request", request_of(&hasher, req));
    put_error(entry, req);
    EVP_MAC_CTX_free(hasher.mac);
    finish(format, entry, ret_line);
}

void audit_entry_response(const struct audit_format *format, const json_t *header_rules, const struct request *req,
                          struct buf *ret_line)
{
    struct hasher hasher = hasher_of(format, header_rules);
    json_t *entry = begin("response");
    put_forwarder(entry, req);
    put(entry, "auth", auth_of(&hasher, req));
    put(entry, "request", request_of(&hasher, req));
    put(entry, "response", response_of(&hasher, req));
    put_error(entry, req);
    EVP_MAC_CTX_free(hasher.mac);
    finish(format, entry, ret_line);
}

void audit_entry_test(const struct audit_format *format, struct buf *ret_line)
{
    char id[37];
    json_t *entry = begin("request");
    random_uuid(id);
    put(entry, "request",
        json_pack("{s:s, s:s, s:{s:s}, s:s}", "id", id, "operation", "update", "namespace", "id", "root", "path",
                  "sys/audit/test"));
    finish(format, entry, ret_line);
}
