#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The command line, with the root token that init has left. Without arguments: the token itself.
set -eu
VAULT_TOKEN=${VAULT_TOKEN:-$(cat /run/coffer/root-token)}
export VAULT_TOKEN
[ $# -gt 0 ] || {
    printf '%s\n' "$VAULT_TOKEN"
    exit 0
}
exec coffer "$@"
