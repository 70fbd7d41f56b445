/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join_trust.c — the authority that signs newcomers is part of the state. After a forced restore it is another
 * cluster's: each member trusts it from the moment when it is unsealed with that cluster's keys, for only then can it
 * be read.
 */
#include "base/json.h"
#include "base/log.h"
#include "core/cluster/join_private.h"
#include "core/core_private.h"

int join_trust(struct core *core, const char *authority, struct err *err)
{
    bool is_new = false;
    int rc = cluster_trust(core->cluster, authority, &is_new, err);
    if (rc == OK && is_new)
        log_warn("core", "a snapshot of another cluster was restored: this node trusts that one's authority, too");
    return rc;
}

static int read_join(struct core *core, json_t **ret_join, struct err *err)
{
    struct txn *txn;
    int rc = txn_begin(core->store, core->barrier, &txn, err);
    if (rc != OK)
        return rc;
    rc = txn_get(txn, "core/join", ret_join);
    txn_free(txn);
    return rc == OK ? OK : err_set(err, rc, "the record of how to join cannot be read: %s", err_default_text(rc));
}

void join_trust_stored(struct core *core)
{
    struct err err = {0};
    json_t *join = NULL;
    int rc = read_join(core, &join, &err);
    if (rc == OK)
        rc = join_trust(core, json_str(join, "authority", ""), &err);
    if (rc != OK)
        log_warn("core", "nodes that join from now on are not trusted by this one: %s", err_text(&err));
    json_decref(join);
}
