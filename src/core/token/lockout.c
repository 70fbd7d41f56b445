/* SPDX-License-Identifier: Apache-2.0 */
#include "core/token/lockout.h"

#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/encoding.h"
#include "base/json.h"
#include "core/core_private.h"

#define ALIAS_MAX 256 /* kept of a name, to be shown */

/* ---- What holds for a mount ---- */

struct rules {
    int64_t threshold, duration_s, reset_s;
    bool is_off;
};

bool lockout_has(const char *type)
{
    static const char *const types[] = {"userpass", "approle", "ldap"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}

static void apply(const json_t *config, struct rules *rules)
{
    rules->threshold = json_int(config, "user_lockout_threshold", rules->threshold);
    rules->duration_s = json_int(config, "user_lockout_duration", rules->duration_s);
    rules->reset_s = json_int(config, "user_lockout_counter_reset_duration", rules->reset_s);
    rules->is_off = json_flag(config, "user_lockout_disable", rules->is_off);
}

/*
 * The mount's own settings come before the configuration file's for its type, and these before those for all. But what
 * the file turns off, a mount does not turn on.
 */
static struct rules rules_for(const struct request *req, const char *type, const json_t *config)
{
    const json_t *server = req->core->options.user_lockout;
    struct rules rules = {.threshold = 5, .duration_s = 900, .reset_s = 900};
    apply(json_map_at(server, "all"), &rules);
    apply(json_map_at(server, type), &rules);
    bool is_off = rules.is_off;
    apply(json_map_at(config, "user_lockout_config"), &rules);
    rules.is_off |= is_off;
    return rules;
}

static struct rules rules_of(const struct request *req, const struct mount *mount)
{
    struct rules rules = rules_for(req, mount->type, mount->config);
    rules.is_off |= !lockout_has(mount->type) || json_flag(req->core->options.user_lockout, "disable", false);
    return rules;
}

/* ---- Tuning ---- */

static int tune_threshold(struct request *req, const json_t *value, struct rules *rules)
{
    const char *text = json_string_value(value);
    char *end;
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        rules->threshold = json_integer_value(value);
        return OK;
    }
    long long number = text != NULL ? strtoll(text, &end, 10) : -1;
    if (text == NULL || *text == '\0' || *end != '\0' || number < 0 || number > INT32_MAX)
        return fail(req, ERR_INVALID, "unable to parse user lockout threshold: it is no number that is not negative");
    rules->threshold = number;
    return OK;
}

static int tune_duration(struct request *req, const json_t *value, int64_t *seconds)
{
    const char *text = json_string_value(value);
    int64_t parsed = json_is_integer(value) ? json_integer_value(value) : -1;
    if (text != NULL && duration_parse_s(text, &parsed) != OK)
        return fail(req, ERR_INVALID, "time: invalid duration \"%.64s\"", text);
    if (parsed < 0)
        return fail(req, ERR_INVALID, "a duration of the user lockout cannot be negative");
    *seconds = parsed;
    return OK;
}

static int read_given(struct request *req, const json_t *given, struct rules *rules)
{
    const json_t *threshold = json_object_get(given, "lockout_threshold"),
                 *duration = json_object_get(given, "lockout_duration"),
                 *reset = json_object_get(given, "lockout_counter_reset_duration"),
                 *disable = json_object_get(given, "lockout_disable");
    int rc = threshold != NULL ? tune_threshold(req, threshold, rules) : OK;
    if (rc == OK && duration != NULL)
        rc = tune_duration(req, duration, &rules->duration_s);
    if (rc == OK && reset != NULL)
        rc = tune_duration(req, reset, &rules->reset_s);
    if (rc == OK && disable != NULL && !json_is_boolean(disable))
        rc = fail(req, ERR_INVALID, "unable to convert given user lockout config information");
    if (disable != NULL)
        rules->is_off = json_is_true(disable);
    return rc;
}

int lockout_tune(struct request *req, const json_t *given, json_t *row)
{
    const char *type = json_str(row, "type", "");
    json_t *config = json_map_at(row, "config");
    if (given == NULL || json_is_null(given))
        return OK;
    if (!json_is_object(given))
        return fail(req, ERR_INVALID, "unable to convert given user lockout config information");
    if (!lockout_has(type))
        return fail(req, ERR_INVALID, "tuning of user lockout configuration for auth type \"%s\" not allowed", type);
    struct rules rules = rules_for(req, type, config);
    int rc = read_given(req, given, &rules);
    if (rc == OK)
        json_object_set_new(config, "user_lockout_config",
                            json_pack("{s:I, s:I, s:I, s:b}", "user_lockout_threshold", (json_int_t)rules.threshold,
                                      "user_lockout_duration", (json_int_t)rules.duration_s,
                                      "user_lockout_counter_reset_duration", (json_int_t)rules.reset_s,
                                      "user_lockout_disable", rules.is_off));
    return rc;
}

/* ---- Counts ---- */

static int mac_of(struct request *req, const char *alias, const char **ret_mac)
{
    unsigned char mac[32];
    char hex[2 * sizeof mac + 1];
    int rc = barrier_mac(req->core->barrier, "lockout", alias, strlen(alias), mac);
    if (rc != OK)
        return rc;
    hex_encode(mac, sizeof mac, hex);
    *ret_mac = arena_strdup(&req->arena, hex);
    return OK;
}

static const char *path_of(struct request *req, const char *mac, bool exists)
{
    return arena_printf(&req->arena, exists ? "lockout/user/%s" : "lockout/nobody/%.2s", mac);
}

/* NULL where there is none, and where somebody else's name took the place. Belongs to the request. */
static int load(struct request *req, const char *path, const char *mac, json_t **ret_count)
{
    json_t *count;
    int rc = mount_get(req, path, &count);
    *ret_count = NULL;
    if (rc != OK)
        return rc == ERR_NOTFOUND ? OK : rc;
    request_own(req, count);
    if (mac == NULL || strcmp(json_str(count, "mac", ""), mac) == 0)
        *ret_count = count;
    return OK;
}

static int64_t seconds_since(const struct request *req, const json_t *count)
{
    return core_time_ms(req->core) / 1000 - json_int(count, "last", 0);
}

static bool is_locked(const struct request *req, const struct rules *rules, const json_t *count)
{
    return json_int(count, "failed", 0) >= rules->threshold && seconds_since(req, count) < rules->duration_s;
}

/* How many count still: after a pause that was long enough, none. A lockout alone is no such pause. */
static int64_t failures(const struct request *req, const struct rules *rules, const json_t *count)
{
    return seconds_since(req, count) < rules->reset_s ? json_int(count, "failed", 0) : 0;
}

static int refuse_locked(struct request *req)
{
    return fail(req, ERR_DENIED, "permission denied");
}

/* ---- For handlers: engine.h ---- */

int login_as(struct request *req, const char *alias, bool exists)
{
    struct rules rules = rules_of(req, req->mount);
    struct login *login = &req->login;
    json_t *count;
    if (rules.is_off)
        return OK;
    int rc = mac_of(req, alias, &login->mac);
    if (rc != OK)
        return rc;
    login->alias = arena_strndup(&req->arena, alias, ALIAS_MAX);
    login->path = path_of(req, login->mac, exists);
    rc = load(req, login->path, login->mac, &count);
    login->has_failed = count != NULL;
    return rc == OK && is_locked(req, &rules, count) ? refuse_locked(req) : rc;
}

int login_refuse(struct request *req, int code, const char *sentence)
{
    req->login.is_refused = req->login.path != NULL;
    return fail(req, code, "%s", sentence);
}

/* ---- The pipeline's ---- */

int lockout_count(struct request *req)
{
    struct rules rules = rules_of(req, req->mount);
    const struct login *login = &req->login;
    json_t *count;
    int rc = load(req, login->path, login->mac, &count);
    if (rc != OK)
        return rc;
    /* Others were quicker: what this one guessed is not told either. */
    if (is_locked(req, &rules, count))
        return refuse_locked(req);
    return mount_put_new(req, login->path,
                         json_pack("{s:s, s:s, s:I, s:I}", "alias", login->alias, "mac", login->mac, "failed",
                                   (json_int_t)(failures(req, &rules, count) + 1), "last",
                                   (json_int_t)(core_time_ms(req->core) / 1000)));
}

int lockout_forget(struct request *req)
{
    return req->login.has_failed ? mount_delete(req, req->login.path) : OK;
}

/* ---- sys/locked-users ---- */

static int add_locked(struct request *req, const char *dir, json_t *aliases)
{
    struct rules rules = rules_of(req, req->mount);
    json_t *names, *name, *count;
    size_t i;
    int rc = mount_list(req, dir, &names);
    if (rc != OK)
        return rc;
    json_array_foreach(names, i, name)
    {
        rc = load(req, arena_printf(&req->arena, "%s%s", dir, json_string_value(name)), NULL, &count);
        if (rc != OK)
            break;
        if (is_locked(req, &rules, count))
            json_array_append(aliases, json_object_get(count, "alias"));
    }
    json_decref(names);
    return rc;
}

int lockout_list(struct request *req, const struct mount *mount, json_t **ret_aliases)
{
    const struct mount *own = req->mount;
    json_t *aliases = json_array();
    req->mount = mount;
    int rc = rules_of(req, mount).is_off ? OK : add_locked(req, "lockout/user/", aliases);
    req->mount = own;
    if (rc == OK)
        *ret_aliases = json_list_sorted(aliases);
    json_decref(aliases);
    return rc;
}

int lockout_unlock(struct request *req, const struct mount *mount, const char *alias)
{
    const struct mount *own = req->mount;
    const char *mac;
    json_t *count;
    int rc = mac_of(req, alias, &mac);
    req->mount = mount;
    for (int exists = 0; rc == OK && exists <= 1; exists++) {
        const char *path = path_of(req, mac, exists);
        rc = load(req, path, mac, &count);
        if (rc == OK && count != NULL)
            rc = mount_delete(req, path);
    }
    req->mount = own;
    return rc;
}
