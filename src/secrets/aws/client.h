/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h — calls to AWS's Query APIs (IAM, STS): signed, bounded in time and size, repeated where that is right.
 *
 * Signing is libcurl's (Signature Version 4). A call that was throttled, or failed on AWS's side or on the way, is
 * repeated with growing, random pauses. Protocol: https://docs.aws.amazon.com/IAM/latest/APIReference/
 *
 * Threads: a client belongs to one at a time; its calls block.
 */
#ifndef COFFER_SECRETS_AWS_CLIENT_H
#define COFFER_SECRETS_AWS_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "secrets/aws/xml.h"

/* How long one attempt may take; what is planned around calls (a lease's deadline) counts on it. */
#define AWS_CALL_MS_MAX 10000

enum aws_service { AWS_IAM, AWS_STS };

struct aws_account {
    const char *access_key;
    const char *secret_key;
    const char *region;       /* "" for us-east-1 */
    const char *iam_endpoint; /* "" for AWS's own */
    const char *sts_endpoint;
    const char *sts_region; /* "" for `region` */
    int64_t max_retries;    /* below zero: as we think right */
};

struct aws_client;

/*
 * Copies the account. may_go is asked before every attempt; what it returns other than OK ends the call with that
 * code. ERR_INVALID when there are no credentials or an endpoint is no URL.
 */
int aws_client_new(const struct aws_account *account, int (*may_go)(void *arg), void *arg,
                   struct aws_client **ret_client, struct err *err) MUST_CHECK;
void aws_client_free(struct aws_client *client);
/* Uses other keys from now on (copied); the connection stays. */
void aws_client_set_keys(struct aws_client *client, const char *access_key, const char *secret_key);

/* Waits, unless may_go stops saying OK: then returns what it says. */
int aws_client_sleep(struct aws_client *client, int64_t ms) MUST_CHECK;

/* Where a call goes and for which region it is signed. Out of an account alone, so that tests can see it. */
struct aws_target {
    char url[512];
    char signing[128]; /* "aws:amz:us-east-1:iam" */
};
int aws_target_of(const struct aws_account *account, enum aws_service service, struct aws_target *ret,
                  struct err *err) MUST_CHECK;

/* ---- What a call says ---- */

struct aws_params {
    struct buf form;
};
#define AWS_PARAMS_INIT ((struct aws_params){BUF_INIT})
void aws_params_close(struct aws_params *params);
/* A value of NULL or "" adds nothing. */
void aws_param(struct aws_params *params, const char *name, const char *value);
/* "PolicyArns.member.1.arn=…": a list of strings; below is ".arn" or "". NULL adds nothing. */
void aws_param_list(struct aws_params *params, const char *name, const json_t *list, const char *below);
/* "Tags.member.1.Key=…&Tags.member.1.Value=…". */
void aws_param_tags(struct aws_params *params, const char *name, const json_t *tags);

/* ---- Calls ---- */

struct aws_answer {
    struct aws_xml *xml; /* NULL unless the call succeeded */
    char code[64];       /* AWS's error code, "NoSuchEntity"; or "" */
    bool maybe_done;     /* an attempt may have taken effect although no answer came */
};
void aws_answer_close(struct aws_answer *answer);
bool aws_answer_is(const struct aws_answer *answer, const char *code);

enum aws_call_flag {
    AWS_ONCE = 1 << 0, /* must not be carried out twice: not repeated when an answer may have been lost */
};

/*
 * params may be NULL. ret is set whatever is returned; close it. Errors, with AWS's code and sentence:
 * ERR_NOTFOUND (NoSuchEntity), ERR_EXISTS (EntityAlreadyExists), ERR_INVALID (refused for another reason),
 * ERR_UPSTREAM_BUSY (throttled to the end), ERR_UPSTREAM (no usable answer), or what may_go said.
 */
int aws_call(struct aws_client *client, enum aws_service service, const char *action, const struct aws_params *params,
             unsigned flags, struct aws_answer *ret, struct err *err) MUST_CHECK;
/* An IAM call about a user, with at most one more parameter (name may be NULL); ret may be NULL. */
int aws_call_user(struct aws_client *client, const char *action, const char *user, const char *name, const char *value,
                  struct aws_answer *ret, struct err *err) MUST_CHECK;

#endif
