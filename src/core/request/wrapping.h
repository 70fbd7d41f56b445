/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrapping.h — an answer that is not given but kept, for whoever brings the token of one use that is given instead.
 *
 * What is kept lies in the cubbyhole of that token: "response" has the body as the caller would have had it (and as
 * old clients read it there), "wrapinfo" what is said of it. Both and the token are one transaction, with all that the
 * request itself writes; and they go together, when the token is used, ends or is revoked.
 *
 * A handler that committed something in its middle cannot be run again if that transaction meets a conflict. Its
 * answer is wrapped in a transaction of its own, on the same thread. There a new lease becomes active too: until the
 * answer is kept it is pending, and is revoked if nobody comes to it.
 */
#ifndef COFFER_CORE_WRAPPING_H
#define COFFER_CORE_WRAPPING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/request/request.h"

#define WRAPPING_TTL_MAX_S (INT64_C(100) * 365 * 24 * 3600)

struct token;

/* What a wrapping token holds. Its texts are the request's. */
struct wrapped {
    const char *body;         /* as the caller would have had it; "" for none */
    const char *content_type; /* NULL: JSON */
    int status;
    int64_t ttl_s;             /* as asked for */
    const char *creation_time; /* RFC 3339 */
    const char *creation_path;
    const char *accessor; /* of a token, or a secret id, that is inside; or "" */
};

/* ERR_INVALID, for those that ask for what cannot be wrapped. Of the client's wish alone: before the handler runs. */
int wrapping_check(struct request *req) MUST_CHECK;
/*
 * The wrapping token that a request is about: the parameter `token`, or else the caller. Sets req->wrapping. ERR_DENIED
 * when none is given; ERR_INVALID "wrapping token is not valid or does not exist".
 */
int wrapping_find(struct request *req) MUST_CHECK;
/* What it was made for, without what is inside (body is NULL). */
int wrapping_describe(struct request *req, struct wrapped *ret_wrapped) MUST_CHECK;
/* Takes out what is inside; with this, req->wrapping has ended. */
int wrapping_open(struct request *req, struct wrapped *ret_wrapped) MUST_CHECK;
/* The answer is this, which was wrapped before; wrapped again for at most its own time, and known by its own path. */
void wrapping_again(struct request *req, const struct wrapped *wrapped);

/* After a blocking handler, on its thread: wraps in a transaction of its own where it must. */
int wrapping_apart(struct request *req) MUST_CHECK;

#endif
