/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aws.h — credentials for AWS, made when they are asked for: IAM users under a lease, and temporary ones from STS.
 *
 * API: https://developer.hashicorp.com/vault/api-docs/secret/aws
 */
#ifndef COFFER_SECRETS_AWS_AWS_H
#define COFFER_SECRETS_AWS_AWS_H

#include "core/engine.h"

extern const struct engine aws_engine;

#endif
