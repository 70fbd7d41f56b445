/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client/needed_policy.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/glob.h"

/*
 * What wants "sudo" beside the rest, here or in Vault; a list has a slash at its end. A server tells the same in its
 * OpenAPI document (x-vault-sudo), but nothing may be asked of it here.
 */
static const char *const sudo_paths[] = {
    "auth/token/accessors/",
    "sys/audit",
    "sys/audit/*",
    "sys/auth/*",
    "sys/config/auditing/request-headers*",
    "sys/config/cors",
    "sys/config/ui/headers*",
    "sys/internal/inspect/*",
    "sys/leases",
    "sys/leases/lookup/*",
    "sys/leases/revoke-force/*",
    "sys/leases/revoke-prefix/*",
    "sys/plugins/catalog",
    "sys/plugins/catalog/*",
    "sys/raw*",
    "sys/rekey/backup",
    "sys/rekey/recovery-key-backup",
    "sys/remount",
    "sys/revoke-force/*",
    "sys/revoke-prefix/*",
    "sys/rotate",
    "sys/rotate/keyring",
    "sys/rotate/*/backup",
    "sys/seal",
    "sys/step-down",
    "sys/storage/raft/quarantine*",
    "sys/storage/raft/snapshot-auto/*",
    NULL,
};

static const char *const capabilities[][2] = {
    {"GET", "\"read\""},
    {"LIST", "\"list\""},
    {"PUT", "\"create\", \"update\""},
    {"POST", "\"create\", \"update\""},
    {"PATCH", "\"patch\""},
    {"DELETE", "\"delete\""},
    {NULL, NULL},
};

static bool needs_sudo(const char *path, bool is_list)
{
    struct buf asked = BUF_INIT;
    bool found = false;

    buf_printf(&asked, "%s%s", path, is_list ? "/" : "");
    for (int i = 0; sudo_paths[i]; i++)
        found |= glob_fits(sudo_paths[i], buf_str(&asked));
    buf_close(&asked);
    return found;
}

void needed_policy_print(const char *method, const char *path, const json_t *query)
{
    const char *found = "\"read\"";

    if (json_object_get(query, "list"))
        method = "LIST";
    for (int i = 0; capabilities[i][0]; i++) {
        if (!strcmp(method, capabilities[i][0]))
            found = capabilities[i][1];
    }
    fputs("path \"", stdout);
    for (const char *at = path; *at; at++) {
        if (*at == '"' || *at == '\\')
            putchar('\\');
        putchar(*at);
    }
    printf("\" {\n  capabilities = [%s%s]\n}\n", found, needs_sudo(path, !strcmp(method, "LIST")) ? ", \"sudo\"" : "");
}
