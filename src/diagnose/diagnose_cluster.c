/* SPDX-License-Identifier: Apache-2.0 */
/* diagnose_cluster.c — the server that may be running here, the other members, and what only a running server knows. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "cli/client/http.h"
#include "diagnose/diagnose_private.h"
#include "raft/cluster.h"

#define TIMEOUT_MS  3000
#define SKEW_WARN_S 5

/* GET of an address' path, as JSON; NULL when there is none. Certificates are checked elsewhere, or by real clients. */
static json_t *get(const char *address, const char *path, const char *token)
{
    const struct http_settings settings = {
        .skip_verify = token == NULL, .ca_cert = getenv("VAULT_CACERT"), .timeout_ms = TIMEOUT_MS};
    char url[700], header[300];
    const char *headers[] = {token != NULL ? header : NULL, NULL};
    struct http *http = http_new(&settings);
    struct http_reply reply = {0};
    json_t *body = NULL;
    snprintf(url, sizeof url, "%s/v1/%s", address, path);
    snprintf(header, sizeof header, "X-Vault-Token: %s", token != NULL ? token : "");
    if (http_exchange(http, "GET", url, headers, NULL, NULL, &reply, NULL) == OK)
        body = json_loadb((const char *)reply.body.data, reply.body.len, JSON_REJECT_DUPLICATES, NULL);
    if (body != NULL && token != NULL && reply.status != 200) {
        json_decref(body);
        body = NULL;
    }
    secret_wipe(header, sizeof header);
    buf_close(&reply.body);
    buf_close(&reply.location);
    http_free(http);
    return body;
}

/* ---- This node's server ---- */

static void report_server(struct report *report, const json_t *health)
{
    const char *name = "Check Running Server", *room = json_str(health, "disk_space", "enough");
    if (!json_flag(health, "initialized", false))
        report_add(report, VERDICT_OK, name, "it runs, and is not initialized");
    else if (json_flag(health, "sealed", true))
        report_add(report, VERDICT_WARN, name,
                   "it runs, and is sealed: give it the unseal keys (coffer operator unseal)");
    else
        report_add(report, VERDICT_OK, name, "it runs, unsealed, %s",
                   json_flag(health, "standby", true) ? "a standby" : "and is active");
    if (strcmp(room, "enough") != 0)
        report_add(report, VERDICT_WARN, "Check Free Space Of The Server", "its disk space is %s", room);
    int64_t skew_ms = json_int(health, "clock_skew_ms", 0);
    report_add(report, llabs(skew_ms) > SKEW_WARN_S * 1000 ? VERDICT_WARN : VERDICT_OK, "Check Clock Skew",
               "its wall clock is %lld ms %s the cluster's time", llabs(skew_ms), skew_ms < 0 ? "behind" : "ahead of");
}

void diagnose_server(struct diagnosis *diagnosis)
{
    diagnosis->health = get(diagnosis->api_addr, "sys/health", NULL);
    if (json_object_get(diagnosis->health, "initialized") == NULL) {
        json_decref(diagnosis->health);
        diagnosis->health = NULL;
    }
    report_begin(diagnosis->report, "Check Server");
    if (diagnosis->health == NULL)
        report_add(diagnosis->report, VERDICT_SKIPPED, "Check Running Server", "no server answers at %s",
                   diagnosis->api_addr);
    else
        report_server(diagnosis->report, diagnosis->health);
    report_end(diagnosis->report);
}

/* ---- The other members ---- */

/* Connects to "host:port" within a time. NULL, or what went wrong. */
static const char *connect_to(const char *address)
{
    char host[300];
    const char *colon = strrchr(address, ':');
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    bool is_bracketed = address[0] == '[';
    if (colon == NULL)
        return "it is no address";
    snprintf(host, sizeof host, "%.*s", (int)(colon - address) - 2 * is_bracketed, address + is_bracketed);
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
        return "its name is not known here";
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), code = 0;
    socklen_t size = sizeof code;
    if (fd < 0 || (connect(fd, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS))
        code = errno;
    else if (poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, TIMEOUT_MS) != 1)
        code = ETIMEDOUT;
    else
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size);
    if (fd >= 0)
        close(fd);
    freeaddrinfo(found);
    return code == 0 ? NULL : strerror(code);
}

static void check_reachable(struct diagnosis *diagnosis)
{
    struct cluster_member members[CLUSTER_MEMBERS_MAX];
    int n = 0;
    if (diagnosis->data_dir[0] == '\0' || cluster_peek_members(diagnosis->state_dir, members, &n, NULL) != OK)
        n = 0;
    for (int i = 0; i < n; i++) {
        const char *problem = connect_to(members[i].cluster_addr);
        bool is_self =
            diagnosis->config->node_id != NULL && strcmp(members[i].node_id, diagnosis->config->node_id) == 0;
        if (is_self)
            continue;
        report_add(diagnosis->report, problem == NULL ? VERDICT_OK : VERDICT_WARN, "Check Member", "%s at %s%s%s",
                   members[i].node_id, members[i].cluster_addr, problem != NULL ? ": " : " answers",
                   problem != NULL ? problem : "");
    }
}

/* Members tell their wall clocks in whole seconds. */
static void check_clock(struct report *report, const char *address)
{
    const char *name = "Check Clock Skew With Member";
    json_t *health = get(address, "sys/health", NULL);
    int64_t skew_s = json_int(health, "server_time_utc", 0) - clock_wall_ms() / 1000;
    if (json_int(health, "server_time_utc", 0) == 0)
        report_add(report, VERDICT_WARN, name, "%s does not answer", address);
    else
        report_add(report, llabs(skew_s) > SKEW_WARN_S ? VERDICT_WARN : VERDICT_OK, name, "%s: %lld s %s this machine",
                   address, llabs(skew_s), skew_s < 0 ? "behind" : "ahead of");
    json_decref(health);
}

void diagnose_members(struct diagnosis *diagnosis)
{
    const json_t *place;
    size_t i;
    report_begin(diagnosis->report, "Check Members");
    check_reachable(diagnosis);
    json_array_foreach(diagnosis->config->retry_join, i, place)
    {
        const char *address = json_str(place, "leader_api_addr", "");
        if (address[0] != '\0' && strcmp(address, diagnosis->api_addr) != 0)
            check_clock(diagnosis->report, address);
    }
    report_end(diagnosis->report);
}

/* ---- Audit devices: who they are is known behind the barrier only ---- */

static void check_audit_file(struct report *report, const char *device, const char *path)
{
    const char *name = "Check Audit File";
    char dir[4096];
    struct stat info;
    if (strcmp(path, "stdout") == 0 || strcmp(path, "discard") == 0)
        return;
    snprintf(dir, sizeof dir, "%.*s", (int)(strrchr(path, '/') != NULL ? strrchr(path, '/') - path + 1 : 0), path);
    bool exists = stat(path, &info) == 0;
    if (access(exists ? path : dir, W_OK) != 0)
        report_add(report, VERDICT_FAIL, name, "%s: %s cannot be written: %s", device, path, strerror(errno));
    else if (exists && (info.st_mode & 077) != 0)
        report_add(report, VERDICT_WARN, name, "%s: %s is open to others (mode %03o)", device, path,
                   info.st_mode & 0777);
    else
        report_add(report, VERDICT_OK, name, "%s: %s", device, path);
}

static const char *env_token(void)
{
    static const char *const names[] = {"COFFER_TOKEN", "BAO_TOKEN", "VAULT_TOKEN"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (getenv(names[i]) != NULL && strlen(getenv(names[i])) < 256)
            return getenv(names[i]);
    return NULL;
}

void diagnose_audit(struct diagnosis *diagnosis)
{
    const char *token = env_token(), *path;
    json_t *answer = token != NULL && diagnosis->health != NULL ? get(diagnosis->api_addr, "sys/audit", token) : NULL;
    json_t *device, *devices = json_object_get(answer, "data");
    report_begin(diagnosis->report, "Check Audit Devices");
    if (devices == NULL)
        report_add(diagnosis->report, VERDICT_SKIPPED, "Check Audit File",
                   "only a server that runs and is unsealed knows its devices, and tells them to a token that may read "
                   "sys/audit (COFFER_TOKEN)");
    else if (json_object_size(devices) == 0)
        report_add(diagnosis->report, VERDICT_WARN, "Check Audit File", "no audit device is enabled");
    json_object_foreach(devices, path, device) if (strcmp(json_str(device, "type", ""), "file") == 0)
        check_audit_file(diagnosis->report, path, json_str(json_object_get(device, "options"), "file_path", ""));
    report_end(diagnosis->report);
    json_decref(answer);
}
