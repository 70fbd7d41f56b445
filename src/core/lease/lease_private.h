/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_private.h — between lease.c (the records), lease_revoke.c (one attempt at revocation), lease_sweep.c
 * (many at once), expiry_order.c (what ends when) and expiry.c (the worker).
 */
#ifndef COFFER_CORE_LEASE_PRIVATE_H
#define COFFER_CORE_LEASE_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/lease/lease.h"

#define LEASE_ID_DIR      "lease/id/"
#define LEASE_TOKEN_DIR   "lease/token/"
#define LEASE_PENDING_DIR "lease/pending/"
#define LEASE_FAILING_DIR "lease/failing/"
#define EXPIRY_DIR        "lease/expiry/"

/* The worker looks at least so often; what ends later than that need not wake it. */
#define EXPIRY_SLEEP_S_MAX 10

/* Seconds of cluster time, rounded up: a lease of n seconds that begins now ends at no less than now + n. */
int64_t lease_now_s(const struct request *req);

/* Gives a storage error its sentence; ERR_NOTFOUND stays without. */
int lease_said(struct request *req, int rc);

/* Writes the record as the members now say. */
/* lease_activate() in the transaction of own; the lease is the one that lease_begin() made, and is told its times. */
int lease_activate_in(struct request *own, void *granted_lease) MUST_CHECK;
int lease_store(struct request *req, struct lease *lease) MUST_CHECK;
/* Moves it to another place in the order of expiry, and stores it. */
int lease_refile(struct request *req, struct lease *lease, int64_t when_s) MUST_CHECK;
/* Lets it go on without the token that it hangs on, which has ended. */
int lease_detach(struct request *req, struct lease *lease) MUST_CHECK;
/* Marks it for revocation, filed under a time. */
int lease_mark_revoking(struct request *req, struct lease *lease, int64_t when_s) MUST_CHECK;

/* lease_failing.c: after an attempt that failed; and when the lease goes. */
int lease_note_failing(struct request *req, const struct lease *lease) MUST_CHECK;
int lease_forget_failing(struct request *req, const struct lease *lease) MUST_CHECK;

/* The mount with that uuid as the transaction sees it; NULL when there is none. */
const struct mount *lease_mount(struct request *req, const char *uuid);

/*
 * One attempt to revoke a lease and remove it; on failure it is filed for the next, and ret_due_s is since when it
 * should be revoked. entry: the place in the order of expiry that led here, removed if it leads nowhere. OK also when
 * there is no such lease (any more).
 */
int lease_attempt(struct core *core, uint64_t epoch, const char *id, const char *entry, int64_t *ret_due_s) MUST_CHECK;

/* ---- lease_sweep.c: everything in a directory is to end ---- */

struct due;
/* The worker's part: ends some of what is in the directory of an entry of kind 'd', which goes when nothing is left. */
int lease_sweep(struct core *core, uint64_t epoch, const struct due *due, struct err *err) MUST_CHECK;

/* ---- expiry_order.c ---- */

/* One thing whose time has come. Strings are the gatherer's. */
struct due {
    char kind;
    char *entry;  /* its path in the order */
    char *target; /* lease id, token hash, or directory */
    char *mount;  /* of a lease; else "" */
    char *after;  /* of a directory: up to here it is done; or "" */
};

#define DUE_MAX 1024

/* Some things that are due, in order, and where to go on. */
struct due_list {
    struct due items[DUE_MAX];
    size_t n;
    bool more;      /* there is more after these */
    int64_t next_s; /* when what is not yet due begins, at the earliest; INT64_MAX: never */
    int64_t day;    /* the cursor: after this place */
    int minute;
    char name[256];
    bool is_of_quarantine; /* gathers what is held in quarantine, instead of what is not */
};
struct due_list *due_list_new(void);
/* Frees the items, keeps the cursor. */
void due_list_clear(struct due_list *list);
void due_list_free(struct due_list *list);
/* Sets the cursor behind an entry ("<day>/<minute>/<entry>"); false when it is none. */
bool due_list_seek(struct due_list *list, const char *after);
/*
 * For request_run_internal(): fills the list (arg) with what is due now, from its cursor on; what is held in quarantine
 * is left out. Reads only.
 */
int due_list_fill(struct request *req, void *arg) MUST_CHECK;

/* Where an entry stands in the order; of the request's arena. */
const char *expiry_entry_path(struct request *req, int64_t when_s, char kind, const char *uid);
/* What is filed anew during a quarantine is not in it: this time, or the first one after it. */
int expiry_outside_quarantine(struct request *req, int64_t when_s, int64_t *ret_when_s) MUST_CHECK;
/* Files an entry with more said about it than a target. Takes over the reference. */
int expiry_file_entry(struct request *req, int64_t when_s, char kind, const char *uid, json_t *value) MUST_CHECK;

#endif
