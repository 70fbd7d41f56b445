#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Once, after node1 has started: makes it a cluster, which the others join, and keeps its root token.
set -eu
umask 077

wait_for() { # SECONDS WHAT COMMAND…
    seconds=$1 what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        seconds=$((seconds - 1))
        [ "$seconds" -gt 0 ] || {
            echo "init: waited in vain until $what" >&2
            exit 1
        }
        sleep 1
    done
}

answers() {
    coffer operator init -address=https://node1:8200 -status
    [ $? -ne 1 ] # 0: initialised, 2: not yet
}

voters() {
    [ "$(coffer operator raft list-peers -format=json | grep -c '"voter": true')" -eq 3 ]
}

wait_for 60 "node1 answers" answers
if [ ! -s /run/coffer/root-token ]; then
    coffer operator init -address=https://node1:8200 -recovery-shares=1 -recovery-threshold=1 -format=json >/run/coffer/init.json
    sed -n 's/.*"root_token": "\(.*\)".*/\1/p' /run/coffer/init.json >/run/coffer/root-token
fi
VAULT_TOKEN=$(cat /run/coffer/root-token)
export VAULT_TOKEN
wait_for 120 "three nodes are in the cluster" voters
coffer operator raft list-peers
echo 'init: the cluster is ready; "docker-compose run --rm cli" prints its root token'
