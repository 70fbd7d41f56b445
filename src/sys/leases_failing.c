/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leases_failing.c — sys/leases, its /count and /tidy: leases that could not be revoked time and again. Clients call
 * them irrevocable.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "core/lease/lease.h"
#include "core/mount/mount.h"
#include "core/request/request.h"
#include "sys/handlers.h"

#define SHOWN_MAX 10000 /* unless all are asked for */

const struct field sys_leases_failing_fields[] = {
    {"type", FIELD_STRING, "irrevocable: there is no other."},
    {"include_child_namespaces", FIELD_BOOL, "Without effect: there is one namespace."},
    {"limit", FIELD_STRING, "How many at the most; none: all."},
    {0},
};

static bool asks_for_failing(struct request *req)
{
    return strcmp(field_str(req, "type", ""), "irrevocable") == 0;
}

static const char *accessor_of(const struct request *req, const struct lease *lease)
{
    for (size_t i = 0; i < mount_table_count(req->mounts); i++) {
        const struct mount *mount = mount_table_at(req->mounts, i);
        if (strcmp(mount->uuid, lease->mount_uuid) == 0)
            return mount->accessor;
    }
    return "mount-accessor-not-found";
}

/* ---- Counting ---- */

static int count(struct request *req, struct lease *lease, void *arg)
{
    const char *accessor = accessor_of(req, lease);
    json_object_set_new(arg, accessor, json_integer(json_int(arg, accessor, 0) + 1));
    return OK;
}

int sys_leases_count(struct request *req)
{
    json_t *counts = json_object(), *n;
    const char *accessor;
    json_int_t total = 0;
    request_own(req, counts);
    int rc = asks_for_failing(req) ? lease_each_failing(req, 0, count, counts) : ERR_NOTFOUND;
    if (rc != OK)
        return rc;
    json_object_foreach(counts, accessor, n) total += json_integer_value(n);
    reply_data(req, json_pack("{s:I, s:O}", "lease_count", total, "counts", counts));
    return OK;
}

/* ---- Listing ---- */

struct listing {
    size_t limit; /* 0: all */
    bool is_cut;
    json_t *leases;
};

static int describe(struct request *req, struct lease *lease, void *arg)
{
    struct listing *listing = arg;
    listing->is_cut = listing->limit > 0 && json_array_size(listing->leases) == listing->limit;
    if (!listing->is_cut)
        json_array_append_new(listing->leases, json_pack("{s:s, s:s, s:s}", "lease_id", lease->id, "mount_id",
                                                         accessor_of(req, lease), "error", lease->error));
    return OK;
}

static int read_limit(struct request *req, size_t *ret_limit)
{
    const char *text = field_str(req, "limit", NULL);
    char *end;
    *ret_limit = SHOWN_MAX;
    if (text == NULL || *text == '\0')
        return OK;
    if (strcmp(text, "none") == 0) {
        *ret_limit = 0;
        return OK;
    }
    long limit = strtol(text, &end, 10);
    if (*end != '\0' || limit <= 0 || limit > INT32_MAX)
        return fail(req, ERR_INVALID, "1 error occurred:\n\t* limit must be 'none' or a positive integer\n\n");
    *ret_limit = (size_t)limit;
    return OK;
}

int sys_leases_failing(struct request *req)
{
    struct listing listing = {.leases = json_array()};
    request_own(req, listing.leases);
    int rc = asks_for_failing(req) ? read_limit(req, &listing.limit) : ERR_NOTFOUND;
    if (rc == OK)
        rc = lease_each_failing(req, listing.limit > 0 ? listing.limit + 1 : 0, describe, &listing);
    if (rc != OK)
        return rc;
    if (listing.is_cut)
        reply_warn(req, "There are more than these; with limit=none, all of them are listed.");
    reply_data(req, json_pack("{s:I, s:O}", "lease_count", (json_int_t)json_array_size(listing.leases), "leases",
                              listing.leases));
    return OK;
}

/* ---- Trying again ---- */

/* Nothing is ever left over of a lease or a token: what there is to tidy is what waits for its next attempt. */
int sys_leases_tidy(struct request *req)
{
    int rc = lease_retry_failing(req);
    if (rc != OK)
        return rc;
    reply_warn(req, "Tidy operation successfully started. Any information from the operation will be printed to "
                    "Coffer's server logs.");
    reply_data(req, NULL);
    reply_status(req, 202);
    return OK;
}
