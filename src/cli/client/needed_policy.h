/* SPDX-License-Identifier: Apache-2.0 */
/* needed_policy.h — -output-policy: what a policy must say so that a request is allowed. */
#ifndef COFFER_CLI_NEEDED_POLICY_H
#define COFFER_CLI_NEEDED_POLICY_H

#include "base/json.h"

/* Prints it, as HCL. query: as in api_call(). */
void needed_policy_print(const char *method, const char *path, const json_t *query);

#endif
