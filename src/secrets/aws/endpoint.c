/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint.c — where a call goes, and for which region it is signed.
 *
 * IAM is one service for a whole partition of AWS, signed for the region that stands for it; STS is one a region,
 * besides the old global one. https://docs.aws.amazon.com/general/latest/gr/iam-service.html and …/sts.html
 */
#include "secrets/aws/client.h"

#include <stdio.h>
#include <string.h>

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static const char *first_of(const char *a, const char *b, const char *otherwise)
{
    if (a != NULL && *a != '\0')
        return a;
    return b != NULL && *b != '\0' ? b : otherwise;
}

static bool is_region(const char *region)
{
    size_t len = strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return len > 0 && len <= 40 && region[len] == '\0';
}

/* An endpoint as configured: http(s)://host[:port][/], nothing that hides another host or adds a query. */
static bool is_endpoint(const char *url)
{
    const char *host = begins(url, "https://") ? url + 8 : begins(url, "http://") ? url + 7 : NULL;
    if (host == NULL || strlen(url) > 400)
        return false;
    size_t len = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]");
    return len > 0 && (host[len] == '\0' || (host[len] == '/' && host[len + 1] == '\0'));
}

static const char *iam_home_region(const char *region)
{
    if (begins(region, "cn-"))
        return "cn-north-1";
    return begins(region, "us-gov-") ? "us-gov-west-1" : "us-east-1";
}

static const char *iam_home_url(const char *region)
{
    if (begins(region, "cn-"))
        return "https://iam.cn-north-1.amazonaws.com.cn/";
    return begins(region, "us-gov-") ? "https://iam.us-gov.amazonaws.com/" : "https://iam.amazonaws.com/";
}

static void put_url(const char *url, struct aws_target *ret)
{
    size_t len = strlen(url);
    snprintf(ret->url, sizeof ret->url, "%s%s", url, url[len - 1] == '/' ? "" : "/");
}

static void target_iam(const struct aws_account *account, struct aws_target *ret)
{
    const char *region = first_of(account->region, NULL, "us-east-1");
    bool own = *first_of(account->iam_endpoint, NULL, "") != '\0';

    put_url(own ? account->iam_endpoint : iam_home_url(region), ret);
    snprintf(ret->signing, sizeof ret->signing, "aws:amz:%s:iam", own ? region : iam_home_region(region));
}

static void target_sts(const struct aws_account *account, struct aws_target *ret)
{
    const char *region = first_of(account->sts_region, account->region, "us-east-1");
    char url[128];

    snprintf(url, sizeof url, "https://sts.%s.amazonaws.com%s/", region, begins(region, "cn-") ? ".cn" : "");
    put_url(first_of(account->sts_endpoint, NULL, url), ret);
    snprintf(ret->signing, sizeof ret->signing, "aws:amz:%s:sts", region);
}

int aws_target_of(const struct aws_account *account, enum aws_service service, struct aws_target *ret, struct err *err)
{
    const char *endpoint = first_of(service == AWS_IAM ? account->iam_endpoint : account->sts_endpoint, NULL, "");
    const char *region = first_of(service == AWS_STS ? account->sts_region : NULL, account->region, "us-east-1");

    if (*endpoint != '\0' && !is_endpoint(endpoint))
        return err_set(err, ERR_INVALID, "%s must be http:// or https:// with a host and maybe a port",
                       service == AWS_IAM ? "iam_endpoint" : "sts_endpoint");
    if (!is_region(region))
        return err_set(err, ERR_INVALID, "the region is no AWS region's name");
    if (service == AWS_IAM)
        target_iam(account, ret);
    else
        target_sts(account, ret);
    return OK;
}
