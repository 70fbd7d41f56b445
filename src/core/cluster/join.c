/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join.c — the joiner's side: a new node asks a member for its place in the cluster.
 *
 *   joiner                                        leader
 *     bootstrap/challenge { server_id }      ──▶    a challenge that it need not remember, the seal's configuration
 *     … operators give the unseal keys, or the seal opens what is stored of it …
 *     bootstrap/challenge                    ──▶    a fresh one
 *     bootstrap/answer { MAC by the unseal   ──▶    checks it, signs, adds the member
 *       key over challenge, id, address, CSR }
 *     certificate, authority                 ◀──
 *
 * join_leader.c is the other side. The unseal key itself never leaves the joiner.
 */
#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/format.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "core/cluster/join_private.h"
#include "core/core_private.h"
#include "core/seal/seal.h"

#define ANSWER_MAX    (1u << 20)
#define STATE_WAIT_MS 60000
#define ASK_AGAIN_MS  5000
#define REDIRECTS_MAX 3

struct joining {
    json_t *params; /* whom to ask and how to trust it: Vault's names */
    json_t *seal;   /* the configuration that was fetched */
    uint64_t index; /* that the leader was at when it let this node in */
};

void joining_free(struct joining *joining)
{
    if (joining == NULL)
        return;
    json_decref(joining->params);
    json_decref(joining->seal);
    free(joining);
}

json_t *joining_seal_config(const struct joining *joining)
{
    return json_incref(joining->seal);
}

void core_set_joining(struct core *core, struct joining *joining)
{
    joining_free(core->joining);
    core->joining = joining;
    atomic_store(&core->is_joining, joining != NULL);
}

/* ---- Asking ---- */

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
    struct buf *body = arg;
    if (body->len + size * n > ANSWER_MAX)
        return 0;
    buf_put(body, data, size * n);
    return size * n;
}

/* PEM in the parameters, or the name of a file with it. */
static void trust(CURL *curl, const json_t *params)
{
    const char *file = json_str(params, "leader_ca_cert_file", ""), *pem = json_str(params, "leader_ca_cert", "");
    if (file[0] != '\0')
        curl_easy_setopt(curl, CURLOPT_CAINFO, file);
    if (pem[0] != '\0') {
        struct curl_blob blob = {.data = (void *)pem, .len = strlen(pem), .flags = CURL_BLOB_COPY};
        curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
    }
    if (json_str(params, "leader_client_cert_file", "")[0] != '\0') {
        curl_easy_setopt(curl, CURLOPT_SSLCERT, json_str(params, "leader_client_cert_file", ""));
        curl_easy_setopt(curl, CURLOPT_SSLKEY, json_str(params, "leader_client_key_file", ""));
    }
}

static CURL *new_request(const char *url, const json_t *params, const char *body, struct buf *ret_body,
                         char *curl_error)
{
    CURL *curl = curl_easy_init();
    if (curl == NULL)
        abort();
    trust(curl, params);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, ret_body);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, curl_error);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 30000L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    /* A standby sends us on to the leader; the body goes along. */
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
    curl_easy_setopt(curl, CURLOPT_POSTREDIR, (long)CURL_REDIR_POST_ALL);
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, strncmp(url, "https:", 6) == 0 ? "https" : "http,https");
    return curl;
}

static int read_answer(long status, const struct buf *body, const char *url, json_t **ret_data, struct err *err)
{
    json_t *answer = NULL;
    if (json_parse((const char *)body->data, body->len, &answer, NULL) != OK)
        return err_set(err, ERR_INVALID, "%s answered %ld with something that is no JSON", url, status);
    int rc = OK;
    json_t *data = json_map_at(answer, "data");
    if (status != 200 || data == NULL) {
        const char *said = json_string_value(json_array_get(json_object_get(answer, "errors"), 0));
        rc =
            err_set(err, ERR_INVALID, "%s answered %ld: %.300s", url, status, said != NULL ? said : "without a reason");
    } else {
        *ret_data = json_incref(data);
    }
    json_decref(answer);
    return rc;
}

static int ask(const json_t *params, const char *path, const json_t *body, json_t **ret_data, struct err *err)
{
    char url[512], curl_error[CURL_ERROR_SIZE] = "";
    struct buf answer = BUF_INIT;
    const char *leader = json_str(params, "leader_api_addr", "");
    snprintf(url, sizeof url, "%.400s%sv1/sys/storage/raft/bootstrap/%s", leader,
             leader[0] != '\0' && leader[strlen(leader) - 1] == '/' ? "" : "/", path);
    char *text = json_format(body);
    CURL *curl = new_request(url, params, text, &answer, curl_error);
    CURLcode code = curl_easy_perform(curl);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    int rc;
    if (code != CURLE_OK)
        rc = err_set(err, ERR_INVALID, "cannot ask %s: %.200s", url,
                     curl_error[0] ? curl_error : curl_easy_strerror(code));
    else
        rc = read_answer(status, &answer, url, ret_data, err);
    curl_easy_cleanup(curl);
    json_text_free(text);
    buf_close(&answer);
    return rc;
}

static int get_challenge(struct core *core, const json_t *params, json_t **ret_data, struct err *err)
{
    json_t *body = json_pack("{s:s}", "server_id", core->options.node_id);
    int rc = ask(params, "challenge", body, ret_data, err);
    json_decref(body);
    return rc;
}

/* ---- The two calls of seal.h and core_private.h ---- */

static int check_seal(struct core *core, const json_t *seal, struct err *err)
{
    int64_t shares = json_int(seal, "shares", 0), threshold = json_int(seal, "threshold", 0);
    bool has_none = seal_is_auto(core) && shares == 0 && threshold == 0;
    const char *type = json_str(seal, "type", "");
    if (strcmp(type, seal_name(core)) != 0)
        return err_set(err, ERR_INVALID, "the leader's seal is \"%.32s\", and this node is configured for \"%s\"", type,
                       seal_name(core));
    if (!has_none && (shares < 1 || shares > 255 || threshold < 1 || threshold > shares))
        return err_set(err, ERR_INVALID, "the leader told of a seal that cannot be");
    return OK;
}

int joining_fetch_seal(struct core *core, struct joining *joining, struct err *err)
{
    json_t *data;
    int rc = get_challenge(core, joining->params, &data, err);
    if (rc != OK)
        return rc;
    json_t *seal = json_map_at(data, "seal_config");
    rc = check_seal(core, seal, err);
    if (rc == OK) {
        json_decref(joining->seal);
        joining->seal = json_incref(seal);
    }
    json_decref(data);
    return rc;
}

int join_start(struct core *core, const json_t *params, struct err *err)
{
    json_t *data;
    int rc = get_challenge(core, params, &data, err);
    if (rc != OK)
        return rc;
    json_t *seal = json_map_at(data, "seal_config");
    pthread_mutex_lock(&core->seal_mutex);
    rc = check_seal(core, seal, err);
    if (rc == OK && core_check_initialized(core))
        rc = err_set(err, ERR_INVALID, "raft storage is already initialized");
    if (rc == OK) {
        struct joining *joining = calloc(1, sizeof *joining);
        if (joining == NULL)
            abort();
        joining->params = json_deep_copy(params);
        joining->seal = json_incref(seal);
        core_set_joining(core, joining);
        log_info("core", "will join the cluster of %s%s", json_str(params, "leader_api_addr", ""),
                 seal_is_auto(core) ? "" : " once the unseal keys are given");
    }
    pthread_mutex_unlock(&core->seal_mutex);
    json_decref(data);
    return rc;
}

static json_t *make_answer(struct core *core, const json_t *params, const char *challenge, char *csr,
                           const unsigned char unseal_key[32])
{
    unsigned char secret[32];
    char proof[65];
    join_secret(unseal_key, secret);
    join_proof(secret, challenge, core->options.node_id, core->options.cluster_addr, csr, proof);
    secret_wipe(secret, sizeof secret);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:i}", "server_id", core->options.node_id, "cluster_addr",
                     core->options.cluster_addr, "challenge", challenge, "answer", proof, "csr", csr, "non_voter",
                     json_flag(params, "non_voter", false), "format", format_newest());
}

/*
 * The members' list and all records come by themselves once the leader knows this node: up to the index that the leader
 * was at, since what comes before may be a state under other keys, which a restore has replaced.
 */
static bool has_state(struct core *core, uint64_t index)
{
    struct store_position position;
    store_position(core->store, &position, NULL);
    return position.index >= index && core_check_initialized(core);
}

static bool state_comes(struct core *core, uint64_t index, int ms)
{
    int64_t end = clock_steady_ms() + ms;
    for (; clock_steady_ms() < end && !atomic_load(&core->auto_stopping); usleep(10000))
        if (has_state(core, index))
            return true;
    return false;
}

static int ask_to_join(struct core *core, struct joining *joining, const unsigned char unseal_key[32], struct err *err)
{
    struct buf csr = BUF_INIT;
    json_t *data = NULL, *answer = NULL, *place = NULL;
    int rc = get_challenge(core, joining->params, &data, err);
    if (rc == OK)
        rc = cluster_join_request(core->cluster, &csr, err);
    if (rc != OK)
        goto out;
    answer = make_answer(core, joining->params, json_str(data, "challenge", ""), buf_str(&csr), unseal_key);
    rc = ask(joining->params, "answer", answer, &place, err);
    if (rc == OK)
        rc = cluster_join_accept(core->cluster, json_str(place, "certificate", ""), json_str(place, "authority", ""),
                                 json_str(place, "trusted", NULL), err);
    if (rc == OK)
        joining->index = (uint64_t)json_int(place, "index", 0);
out:
    buf_close(&csr);
    json_decref(data);
    json_decref(answer);
    json_decref(place);
    return rc;
}

/* A leader may hand over before it has added this node; the next one has never heard of it, and is asked again. */
int joining_finish(struct core *core, struct joining *joining, const unsigned char unseal_key[32], struct err *err)
{
    int rc = ask_to_join(core, joining, unseal_key, err);
    for (int waited = 0; rc == OK && !state_comes(core, joining->index, ASK_AGAIN_MS); waited += ASK_AGAIN_MS) {
        struct err again = {0};
        if (waited >= STATE_WAIT_MS || atomic_load(&core->auto_stopping))
            return err_set(err, ERR_TIMEOUT,
                           "joined, but the cluster's data has not come within %d s: can the leader reach %s?",
                           STATE_WAIT_MS / 1000, core->options.cluster_addr);
        if (ask_to_join(core, joining, unseal_key, &again) != OK)
            log_info("core", "waiting for the cluster's data: %s", err_text(&again));
    }
    return rc;
}

void join_proof(const unsigned char secret[32], const char *challenge, const char *node_id, const char *cluster_addr,
                const char *csr, char ret_hex[65])
{
    struct buf text = BUF_INIT;
    unsigned char mac[32];
    unsigned n = sizeof mac;
    const char *const parts[] = {challenge, node_id, cluster_addr, csr};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        buf_put_block(&text, parts[i], strlen(parts[i]));
    if (HMAC(EVP_sha256(), secret, 32, text.data, text.len, mac, &n) == NULL)
        abort();
    hex_encode(mac, sizeof mac, ret_hex);
    buf_close(&text);
}

/* ---- retry_join ---- */

static void *retry_join(void *arg)
{
    struct core *core = arg;
    pthread_setname_np(pthread_self(), "retry_join");
    for (int round = 0; !atomic_load(&core->retry_stopping) && core_standing(core) == CORE_UNINITIALIZED; round++) {
        json_t *target;
        size_t i;
        json_array_foreach(core->options.retry_join, i, target)
        {
            struct err err = {0};
            if (core_standing(core) != CORE_UNINITIALIZED || join_start(core, target, &err) == OK)
                return NULL;
            if (round % 15 == 0)
                log_info("core", "cannot join yet: %s; trying on", err_text(&err));
        }
        for (int ms = 0; ms < 2000 && !atomic_load(&core->retry_stopping); ms += 50)
            usleep(50000);
    }
    return NULL;
}

void join_retry_start(struct core *core)
{
    if (json_array_size(core->options.retry_join) == 0 || core_standing(core) != CORE_UNINITIALIZED)
        return;
    core->retry_running = pthread_create(&core->retry_thread, NULL, retry_join, core) == 0;
}

void join_retry_stop(struct core *core)
{
    atomic_store(&core->retry_stopping, true);
    if (core->retry_running)
        pthread_join(core->retry_thread, NULL);
    core->retry_running = false;
}
