/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "core/audit/audit_entry.h"
#include "core/lease/lease.h"
#include "core/mount/mount.h"
#include "core/token/token.h"

#include <cmocka.h> /* after engine.h: it makes a macro of fail */

#define SALT "salt of this device"

struct world {
    struct request req;
    struct mount mount;
    struct token token;
    struct lease lease;
};

/* A request with something planted in every place that a client can fill. */
static void world_init(struct world *world)
{
    *world = (struct world){
        .mount = {.path = "secret/", .type = "kv", .accessor = "kv_1"},
        .token = {.accessor = "planted-accessor", .display_name = "bob", .type = "service", .created_s = 1000},
        .lease = {.id = "secret/x/lease"},
    };
    world->token.policies = json_pack("[s]", "dev");
    world->req = (struct request){
        .id = "5e3f",
        .operation = OP_UPDATE,
        .path = "secret/x",
        .client_token = "planted-token",
        .remote_addr = "10.0.0.1",
        .remote_port = 4711,
        .mount = &world->mount,
        .token = &world->token,
        .granted_by = "dev",
        .data = json_loads("{\"a\":\"planted-1\",\"l\":[1,\"planted-2\",{\"d\":\"planted-3\"}],"
                           "\"t\":\"2026-01-01T00:00:00Z\",\"n\":5,\"b\":true,\"z\":null,\"plain\":{\"p\":\"seen\"}}",
                           0, NULL),
    };
}

static void world_close(struct world *world)
{
    json_decref(world->req.data);
    json_decref(world->req.reply);
    json_decref(world->req.auth_reply);
    json_decref(world->token.policies);
    json_decref(world->mount.config);
}

static json_t *entry_of(const struct request *req, const char *options_text, bool response, char **ret_line)
{
    json_t *options = json_loads(options_text, 0, NULL);
    struct audit_format *format = audit_format_new(SALT, options);
    struct buf line = BUF_INIT;
    if (response)
        audit_entry_response(format, NULL, req, &line);
    else
        audit_entry_request(format, NULL, req, &line);
    audit_format_free(format);
    json_decref(options);
    assert_ptr_equal(strchr(buf_str(&line), '\n'), buf_str(&line) + line.len - 1);
    json_t *entry = json_loads(buf_str(&line), 0, NULL);
    assert_non_null(entry);
    *ret_line = buf_detach(&line);
    return entry;
}

static const char *text_at(const json_t *entry, const char *first, const char *second)
{
    return json_str(json_object_get(entry, first), second, "(none)");
}

static void test_no_secret(void **state)
{
    struct world world;
    char *line;
    (void)state;
    world_init(&world);
    world.req.reply = json_pack("{s:s}", "password", "planted-reply");
    world.req.auth_reply = json_pack("{s:s, s:s}", "client_token", "planted-new", "accessor", "planted-new-accessor");
    json_t *entry = entry_of(&world.req, "{}", true, &line);
    assert_null(strstr(line, "planted"));
    json_decref(entry);
    free(line);
    world_close(&world);
}

static void test_fields(void **state)
{
    struct world world;
    char *line;
    (void)state;
    world_init(&world);
    json_t *entry = entry_of(&world.req, "{}", false, &line), *request = json_object_get(entry, "request");
    assert_string_equal(json_str(entry, "type", ""), "request");
    assert_string_equal(text_at(entry, "auth", "display_name"), "bob");
    assert_string_equal(text_at(entry, "auth", "token_issue_time"), "1970-01-01T00:16:40Z");
    assert_string_equal(json_str(request, "path", ""), "secret/x");
    assert_string_equal(json_str(request, "operation", ""), "update");
    assert_string_equal(json_str(request, "mount_class", ""), "secret");
    assert_int_equal(json_int(request, "remote_port", 0), 4711);
    json_t *data = json_object_get(request, "data");
    assert_string_equal(json_str(data, "t", ""), "2026-01-01T00:00:00Z");
    assert_int_equal(json_int(data, "n", 0), 5);
    assert_true(json_flag(data, "b", false));
    json_decref(entry);
    free(line);
    world_close(&world);
}

static void test_hash(void **state)
{
    struct audit_format *format = audit_format_new("key", NULL);
    char hash[AUDIT_HASH_SIZE];
    (void)state;
    audit_entry_hash(format, "The quick brown fox jumps over the lazy dog", hash);
    assert_string_equal(hash, "hmac-sha256:f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
    audit_format_free(format);
}

static void test_same_hash(void **state)
{
    struct world world;
    struct audit_format *format = audit_format_new(SALT, NULL);
    char hash[AUDIT_HASH_SIZE], *line;
    (void)state;
    world_init(&world);
    audit_entry_hash(format, "planted-token", hash);
    json_t *entry = entry_of(&world.req, "{}", false, &line);
    assert_string_equal(text_at(entry, "auth", "client_token"), hash);
    assert_string_equal(text_at(entry, "request", "client_token"), hash);
    json_decref(entry);
    free(line);
    audit_format_free(format);
    world_close(&world);
}

static void test_plain_keys(void **state)
{
    static const char *const configs[] = {"{\"audit_non_hmac_request_keys\":[\"plain\"]}",
                                          "{\"audit_non_hmac_request_keys\":\"x, plain\"}"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct world world;
        char *line;
        world_init(&world);
        world.mount.config = json_loads(configs[i], 0, NULL);
        json_t *entry = entry_of(&world.req, "{}", false, &line);
        assert_non_null(strstr(line, "\"p\":\"seen\""));
        assert_null(strstr(line, "planted"));
        json_decref(entry);
        free(line);
        world_close(&world);
    }
}

static void test_options(void **state)
{
    struct world world;
    char *line;
    (void)state;
    world_init(&world);
    json_t *entry = entry_of(&world.req, "{\"hmac_accessor\":\"false\"}", false, &line);
    assert_string_equal(text_at(entry, "auth", "accessor"), "planted-accessor");
    assert_null(strstr(line, "planted-token"));
    json_decref(entry);
    free(line);
    entry = entry_of(&world.req, "{\"log_raw\":\"true\"}", false, &line);
    assert_string_equal(text_at(entry, "auth", "client_token"), "planted-token");
    json_decref(entry);
    free(line);
    world_close(&world);
}

static void test_elided(void **state)
{
    struct world world;
    char *line;
    (void)state;
    world_init(&world);
    world.req.operation = OP_LIST;
    world.req.reply = json_pack("{s:[s, s]}", "keys", "planted-a", "planted-b");
    json_t *entry = entry_of(&world.req, "{\"elide_list_responses\":\"true\"}", true, &line);
    assert_int_equal(json_int(json_object_get(json_object_get(entry, "response"), "data"), "keys", 0), 2);
    json_decref(entry);
    free(line);
    world_close(&world);
}

static void test_error(void **state)
{
    struct world world;
    char *line;
    (void)state;
    world_init(&world);
    world.req.rc = ERR_DENIED;
    world.req.token = NULL;
    world.req.granted_by = NULL;
    strcpy(world.req.err.text, "planted in a sentence\nof two lines");
    json_t *entry = entry_of(&world.req, "{}", true, &line);
    assert_string_equal(json_str(entry, "error", ""), "permission denied");
    assert_null(strstr(line, "planted"));
    json_decref(entry);
    free(line);
    world_close(&world);
}

static void test_one_line(void **state)
{
    struct world world;
    char *line;
    (void)state;
    world_init(&world);
    world.req.path = "secret/a\nb\"\\\033";
    json_t *entry = entry_of(&world.req, "{}", false, &line);
    assert_string_equal(text_at(entry, "request", "path"), "secret/a\nb\"\\\033");
    json_decref(entry);
    free(line);
    world_close(&world);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"nothing that a client sent or got stands in an entry", test_no_secret, NULL, NULL, NULL},
        {"an entry says who asked for what from where", test_fields, NULL, NULL, NULL},
        {"a hash is the HMAC-SHA-256 that others compute", test_hash, NULL, NULL, NULL},
        {"the same text has the same hash wherever it stands", test_same_hash, NULL, NULL, NULL},
        {"only the keys that the mount names are left in clear", test_plain_keys, NULL, NULL, NULL},
        {"hmac_accessor and log_raw leave in clear what they say", test_options, NULL, NULL, NULL},
        {"an elided list is a number", test_elided, NULL, NULL, NULL},
        {"an error's sentence is hashed and its kind is not", test_error, NULL, NULL, NULL},
        {"an entry is one line, whatever the path holds", test_one_line, NULL, NULL, NULL},
    };
    json_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
