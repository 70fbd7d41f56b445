/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join_leader.c — the leader's side of a join. A challenge is made so that it need not be remembered: it bears its time
 * and a MAC by a key behind the barrier. So whoever asks for a million of them has cost nothing but the answers.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/failpoint.h"
#include "base/format.h"
#include "base/json.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/secret.h"
#include "core/cluster/join_private.h"
#include "core/core_private.h"
#include "core/request/request.h"
#include "core/seal/seal.h"
#include "core/seal/seal_private.h"

#define CHALLENGE_S    60
#define ADD_MS         60000
#define CHALLENGE_SIZE (8 + 16 + 32) /* time, random, MAC */

static bool is_node_id(const char *id)
{
    size_t len = strlen(id);
    return len > 0 && len < CLUSTER_NODE_ID_MAX &&
           strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

static int challenge_mac(struct request *req, const unsigned char *head, const char *node_id, unsigned char ret[32])
{
    struct buf text = BUF_INIT;
    buf_put(&text, head, 24);
    buf_puts(&text, node_id);
    int rc = barrier_mac(req->core->barrier, "join-challenge", text.data, text.len, ret);
    buf_close(&text);
    return rc;
}

int join_challenge(struct request *req, const char *node_id, json_t **ret_data)
{
    if (!is_node_id(node_id))
        return fail(req, ERR_INVALID, "server_id must be 1 to %d letters, digits, '.', '_' or '-'",
                    CLUSTER_NODE_ID_MAX - 1);
    struct buf head = BUF_INIT;
    unsigned char random[16], mac[32];
    char text[BASE64_SIZE(CHALLENGE_SIZE)];
    random_bytes(random, sizeof random);
    buf_put_u64(&head, (uint64_t)core_time_ms(req->core) / 1000);
    buf_put(&head, random, sizeof random);
    int rc = challenge_mac(req, head.data, node_id, mac);
    if (rc == OK) {
        buf_put(&head, mac, sizeof mac);
        base64_encode(head.data, head.len, text);
        *ret_data = json_pack("{s:s, s:o}", "challenge", text, "seal_config", seal_config(req->core));
    }
    buf_close(&head);
    return rc;
}

static int check_challenge(struct request *req, const char *text, const char *node_id)
{
    unsigned char bytes[CHALLENGE_SIZE + 8], mac[32];
    size_t size = 0;
    if (strlen(text) >= BASE64_SIZE(CHALLENGE_SIZE) || base64_decode(text, bytes, &size) != OK ||
        size != CHALLENGE_SIZE)
        return fail(req, ERR_INVALID, "this is no challenge of this cluster");
    int rc = challenge_mac(req, bytes, node_id, mac);
    if (rc != OK)
        return rc;
    struct reader reader = reader_of(bytes, size);
    int64_t age_s = core_time_ms(req->core) / 1000 - (int64_t)reader_u64(&reader);
    if (!secret_equal(mac, bytes + 24, sizeof mac) || age_s < -1 || age_s > CHALLENGE_S)
        return fail(req, ERR_INVALID, "the challenge is not this cluster's, or older than %d s", CHALLENGE_S);
    return OK;
}

static int check_proof(struct request *req, const json_t *params, const json_t *join)
{
    unsigned char secret[40];
    char proof[65];
    size_t size = 0;
    const char *hex = json_str(join, "secret", "");
    if (strlen(hex) != 64 || hex_decode(hex, secret, &size) != OK)
        return fail(req, ERR_CORRUPT, "the record of how to join is damaged");
    join_proof(secret, json_str(params, "challenge", ""), json_str(params, "server_id", ""),
               json_str(params, "cluster_addr", ""), json_str(params, "csr", ""), proof);
    bool fits = secret_equal_str(proof, json_str(params, "answer", ""));
    secret_wipe(secret, sizeof secret);
    return fits ? OK
                : fail(req, ERR_DENIED, "the unseal keys that were given to the joining node are not this cluster's");
}

/* ---- Adding: the node listens only once it has its certificate, so it is added after it was answered ---- */

struct newcomer {
    struct core *core;
    char node_id[CLUSTER_NODE_ID_MAX];
    char cluster_addr[CLUSTER_ADDR_MAX];
    bool non_voter;
};

static void add_newcomer(void *arg)
{
    struct newcomer *newcomer = arg;
    struct err err = {0};
    int rc;
    int64_t end = clock_steady_ms() + ADD_MS;
    (void)failpoint("join.before_add");
    do {
        rc = cluster_add_member(newcomer->core->cluster, newcomer->node_id, newcomer->cluster_addr, newcomer->non_voter,
                                &err);
        if (rc == ERR_BUSY)
            usleep(100000); /* another change of members is under way */
    } while (rc == ERR_BUSY && clock_steady_ms() < end);
    if (rc == OK)
        log_info("core", "%s at %s has joined the cluster", newcomer->node_id, newcomer->cluster_addr);
    else
        log_warn("core", "%s could not join the cluster: %s", newcomer->node_id, err_text(&err));
    free(newcomer);
}

static void add_later(struct core *core, const json_t *params)
{
    struct newcomer *newcomer = calloc(1, sizeof *newcomer);
    if (newcomer == NULL)
        abort();
    newcomer->core = core;
    snprintf(newcomer->node_id, sizeof newcomer->node_id, "%s", json_str(params, "server_id", ""));
    snprintf(newcomer->cluster_addr, sizeof newcomer->cluster_addr, "%s", json_str(params, "cluster_addr", ""));
    newcomer->non_voter = json_flag(params, "non_voter", false);
    pool_run(core->pool, add_newcomer, newcomer);
}

/* What the newcomer needs to be believed, and to believe others; and where the leader was when it let it in. */
static int make_place(struct core *core, const json_t *params, const char *authority, json_t **ret_data,
                      struct err *err)
{
    struct buf certificate = BUF_INIT, ca_certificate = BUF_INIT, trusted = BUF_INIT;
    struct store_position position;
    store_position(core->store, &position, NULL);
    int rc = cluster_sign(authority, json_str(params, "csr", ""), json_str(params, "server_id", ""), &certificate,
                          &ca_certificate, err);
    if (rc == OK)
        rc = cluster_trusted(core->cluster, &trusted, err);
    if (rc == OK)
        *ret_data =
            json_pack("{s:s, s:s, s:s, s:I}", "certificate", buf_str(&certificate), "authority",
                      buf_str(&ca_certificate), "trusted", buf_str(&trusted), "index", (json_int_t)position.index);
    buf_close(&certificate);
    buf_close(&ca_certificate);
    buf_close(&trusted);
    return rc;
}

static int admit(struct request *req, const json_t *params, const json_t *join, json_t **ret_data)
{
    struct err err = {0};
    const char *authority = json_str(join, "authority", "");
    pthread_mutex_lock(&req->core->seal_mutex);
    int rc = join_trust(req->core, authority, &err); /* again, if it could not be done at unsealing */
    pthread_mutex_unlock(&req->core->seal_mutex);
    if (rc == OK)
        rc = make_place(req->core, params, authority, ret_data, &err);
    if (rc != OK)
        return fail(req, rc, "%s", err_text(&err));
    add_later(req->core, params);
    return OK;
}

static uint8_t format_of(const json_t *params)
{
    json_int_t format = json_integer_value(json_object_get(params, "format"));
    return format < FORMAT_FIRST ? FORMAT_FIRST : format > UINT8_MAX ? UINT8_MAX : (uint8_t)format;
}

int join_answer(struct request *req, const json_t *params, json_t **ret_data)
{
    json_t *join;
    struct err err = {0};
    const char *node_id = json_str(params, "server_id", "");
    if (!is_node_id(node_id))
        return fail(req, ERR_INVALID, "server_id must be 1 to %d letters, digits, '.', '_' or '-'",
                    CLUSTER_NODE_ID_MAX - 1);
    if (strlen(json_str(params, "cluster_addr", "")) >= CLUSTER_ADDR_MAX)
        return fail(req, ERR_INVALID, "cluster_addr is too long");
    int rc = check_challenge(req, json_str(params, "challenge", ""), node_id);
    if (rc != OK || (rc = txn_get(req->txn, "core/join", &join)) != OK)
        return rc;
    rc = check_proof(req, params, join);
    if (rc == OK && (rc = cluster_check_reader(req->core->cluster, format_of(params), &err)) != OK)
        rc = fail(req, rc, "%s", err_text(&err));
    if (rc == OK)
        rc = admit(req, params, join, ret_data);
    json_decref(join);
    return rc;
}
