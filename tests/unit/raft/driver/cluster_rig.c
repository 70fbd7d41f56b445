/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster_rig.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "storage/store.h"

#ifdef COFFER_SANITIZED /* all is slower there */
#define WAIT_MS     60000
#define ELECTION_MS 4000
#else
#define WAIT_MS     20000
#define ELECTION_MS 1000 /* not the default: a busy machine must not look like a dead leader */
#endif

static void must(int rc, const struct err *err)
{
    if (rc != OK)
        fail_msg("%s: %s", err_name(rc), err_text(err));
}

void rig_open(struct rig *rig)
{
    *rig = (struct rig){.port = 21000 + (int)(getpid() % 8) * 10};
    snprintf(rig->dir, sizeof rig->dir, "%s/coffer-raft-XXXXXX", getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(rig->dir));
    for (int i = 0; i < RIG_NODES; i++) {
        struct rig_node *node = &rig->nodes[i];
        snprintf(node->node_id, sizeof node->node_id, "node-%d", i);
        snprintf(node->dir, sizeof node->dir, "%s/%d", rig->dir, i);
        snprintf(node->addr, sizeof node->addr, "127.0.0.1:%d", rig->port + i);
        snprintf(node->api_addr, sizeof node->api_addr, "https://127.0.0.1:%d", 8200 + i);
    }
}

void rig_close(struct rig *rig)
{
    for (int i = 0; i < RIG_NODES; i++)
        if (rig->nodes[i].cluster != NULL)
            rig_stop(rig, i);
    for (int i = 0; i < RIG_NODES; i++)
        (void)umount2(rig->nodes[i].dir, MNT_DETACH); /* some tests give a node a small disk */
    buf_close(&rig->ca);
    file_remove_tree(rig->dir, NULL);
}

void rig_start(struct rig *rig, int i)
{
    struct rig_node *node = &rig->nodes[i];
    struct err err = {0};
    char store_dir[300];
    snprintf(store_dir, sizeof store_dir, "%s/store", node->dir);
    must(file_make_dir(node->dir, 0700, &err), &err);
    must(store_open(store_dir, true, &node->store, &err), &err);
    struct cluster_options options = {.dir = node->dir,
                                      .node_id = node->node_id,
                                      .listen_addr = node->addr,
                                      .cluster_addr = node->addr,
                                      .api_addr = node->api_addr,
                                      .election_ms = ELECTION_MS,
                                      .store = node->store};
    must(cluster_open(&options, &node->cluster, &err), &err);
    cluster_set_sealed(node->cluster, false);
}

void rig_stop(struct rig *rig, int i)
{
    struct rig_node *node = &rig->nodes[i];
    cluster_close(node->cluster);
    store_close(node->store);
    node->cluster = NULL;
}

void rig_bootstrap(struct rig *rig)
{
    struct err err = {0};
    must(cluster_bootstrap(rig->nodes[0].cluster, &rig->ca, &err), &err);
    rig->authority = buf_str(&rig->ca);
}

void rig_join(struct rig *rig, int i, bool non_voter)
{
    struct rig_node *node = &rig->nodes[i];
    struct err err = {0};
    struct buf csr = BUF_INIT, certificate = BUF_INIT, ca = BUF_INIT;
    must(cluster_join_request(node->cluster, &csr, &err), &err);
    must(cluster_sign(rig->authority, buf_str(&csr), node->node_id, &certificate, &ca, &err), &err);
    must(cluster_join_accept(node->cluster, buf_str(&certificate), buf_str(&ca), NULL, &err), &err);
    int rc = cluster_add_member(rig->nodes[rig_leader(rig)].cluster, node->node_id, node->addr, non_voter, &err);
    for (int tries = 0; tries < 5 && (rc == ERR_NOTLEADER || rc == ERR_UNAVAILABLE); tries++) /* on a busy machine */
        rc = cluster_add_member(rig->nodes[rig_leader(rig)].cluster, node->node_id, node->addr, non_voter, &err);
    must(rc, &err);
    buf_close(&csr);
    buf_close(&certificate);
    buf_close(&ca);
}

void rig_form(struct rig *rig, int n)
{
    for (int i = 0; i < n; i++)
        rig_start(rig, i);
    rig_bootstrap(rig);
    for (int i = 1; i < n; i++)
        rig_join(rig, i, false);
    rig_wait_voters(rig, n);
}

int rig_leader(struct rig *rig)
{
    for (int64_t end = clock_steady_ms() + WAIT_MS; clock_steady_ms() < end; usleep(2000)) {
        for (int i = 0; i < RIG_NODES; i++)
            if (rig->nodes[i].cluster != NULL && rig_epoch(rig, i) != 0 &&
                cluster_leads(rig->nodes[i].cluster, rig_epoch(rig, i)))
                return i;
    }
    fail_msg("there is no leader");
    return -1;
}

uint64_t rig_epoch(struct rig *rig, int i)
{
    struct cluster_status status;
    cluster_status(rig->nodes[i].cluster, &status);
    return status.epoch;
}

void rig_wait_voters(struct rig *rig, int voters)
{
    struct cluster_member members[CLUSTER_MEMBERS_MAX];
    uint64_t index;
    for (int64_t end = clock_steady_ms() + WAIT_MS; clock_steady_ms() < end; usleep(5000)) {
        int n = cluster_members(rig->nodes[rig_leader(rig)].cluster, members, &index), found = 0;
        for (int i = 0; i < n; i++)
            found += members[i].voter;
        if (found == voters)
            return;
    }
    fail_msg("there are not %d voters", voters);
}

struct wait {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int calls, rc;
    uint64_t index;
};

static void on_submitted(void *arg, int rc, uint64_t index)
{
    struct wait *wait = arg;
    pthread_mutex_lock(&wait->lock);
    wait->calls++;
    wait->rc = rc;
    wait->index = index;
    pthread_cond_signal(&wait->cond);
    pthread_mutex_unlock(&wait->lock);
}

static void make_key(uint64_t number, unsigned char key[STORE_KEY_SIZE])
{
    memset(key, 0, STORE_KEY_SIZE);
    memcpy(key, &number, sizeof number);
}

int rig_put(struct rig *rig, int i, uint64_t epoch, uint64_t number, size_t len, uint64_t *ret_index)
{
    struct wait wait = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    struct buf entry = BUF_INIT;
    unsigned char key[STORE_KEY_SIZE], *value = calloc(1, len + 1);
    make_key(number, key);
    memcpy(value, &number, len < sizeof number ? len : sizeof number);
    buf_put_u8(&entry, 1);
    buf_put_u64(&entry, (uint64_t)clock_wall_ms());
    buf_put_u32(&entry, 1);
    buf_put_u8(&entry, 1);
    buf_put(&entry, key, sizeof key);
    buf_put_block(&entry, value, len);
    cluster_submit(rig->nodes[i].cluster, epoch, entry.data, entry.len, on_submitted, &wait);
    pthread_mutex_lock(&wait.lock);
    while (wait.calls == 0)
        pthread_cond_wait(&wait.cond, &wait.lock);
    pthread_mutex_unlock(&wait.lock);
    buf_close(&entry);
    free(value);
    if (ret_index != NULL)
        *ret_index = wait.index;
    return wait.rc;
}

bool rig_has(struct rig *rig, int i, uint64_t number)
{
    struct store_view *view;
    unsigned char key[STORE_KEY_SIZE];
    const void *value;
    size_t len;
    make_key(number, key);
    assert_int_equal(store_view_begin(rig->nodes[i].store, &view, NULL), OK);
    bool has = store_view_get(view, key, &value, &len) == OK;
    store_view_end(view);
    return has;
}

static uint64_t applied(struct rig *rig, int i)
{
    struct cluster_status status;
    cluster_status(rig->nodes[i].cluster, &status);
    return status.applied_index;
}

static void digest(struct rig *rig, int i, unsigned char ret[32])
{
    struct store_view *view;
    assert_int_equal(store_view_begin(rig->nodes[i].store, &view, NULL), OK);
    assert_int_equal(store_digest(view, ret, NULL), OK);
    store_view_end(view);
}

static bool all_equal(struct rig *rig, int leader)
{
    unsigned char first[32], other[32];
    uint64_t index = applied(rig, leader);
    digest(rig, leader, first);
    for (int i = 0; i < RIG_NODES; i++) {
        if (rig->nodes[i].cluster == NULL)
            continue;
        digest(rig, i, other);
        if (applied(rig, i) != index || memcmp(first, other, sizeof first) != 0)
            return false;
    }
    return applied(rig, leader) == index;
}

void rig_wait_equal(struct rig *rig)
{
    for (int64_t end = clock_steady_ms() + WAIT_MS; clock_steady_ms() < end; usleep(5000))
        if (all_equal(rig, rig_leader(rig)))
            return;
    fail_msg("the states stay different");
}
