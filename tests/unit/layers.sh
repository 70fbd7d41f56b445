#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Who may include whom (docs/architecture.md). Prints each include that goes against it, and then fails.
#
#   sh tests/unit/layers.sh             checks the tree
#   sh tests/unit/layers.sh self-test   checks the check: includes that must be refused, and some that must not
set -eu
cd "$(dirname "$0")/../.."

# Reads lines "file:line:#include …".
check() {
    awk -F: '
    BEGIN {
        # A layer, and what it may include besides itself.
        may["base"] = ""
        may["config"] = "base"
        may["storage"] = "base"
        may["raft"] = "base storage"
        may["core"] = "base storage raft config"
        may["sys"] = may["secrets"] = may["auth"] = may["audit"] = "base storage raft core"
        may["api"] = "base storage raft core config"
        may["cli"] = "base"
        may["server"] = "base config storage raft core api"
        may["diagnose"] = "base config storage raft core cli server"
        may["main"] = "base config storage raft core sys secrets auth audit api cli server diagnose"
        # A library whose types must not leave the one layer that hides it.
        hidden["h2o.h"] = hidden["h2o/"] = "api"
        hidden["raft.h"] = hidden["raft/uv.h"] = hidden["raft/fixture.h"] = "raft"
        hidden["lmdb.h"] = "storage raft"
        hidden["uv.h"] = "raft"
        hidden["rnp/"] = "base"
    }
    # "src/secrets/aws/iam.c" and "secrets/aws/iam.h" are both of the layer secrets.
    function layer_of(path) {
        sub(/^src\//, "", path)
        return path ~ /\// ? substr(path, 1, index(path, "/") - 1) : "main"
    }
    # The engine, auth method or audit device; "" for what they share.
    function part_of(path, parts, n) {
        sub(/^src\//, "", path)
        n = split(path, parts, "/")
        return layer_of(path) ~ /^(secrets|auth|audit)$/ && n > 2 ? parts[2] : ""
    }
    function has(list, word) {
        return index(" " list " ", " " word " ") > 0
    }
    function refuse(why) {
        printf "%s:%s: %s: %s\n", $1, $2, name, why
        failed = 1
    }
    {
        from = layer_of($1)
        text = substr($0, length($1 ":" $2 ":") + 1)
        is_ours = text ~ /^[ \t]*#[ \t]*include[ \t]*"/
        name = text
        sub(/^[^"<]*["<]/, "", name)
        sub(/[">].*$/, "", name)
        if (!is_ours) {
            for (library in hidden)
                if (index(name, library) == 1 && !has(hidden[library], from))
                    refuse("only " hidden[library] " may know this library")
            next
        }
        if (name !~ /\//) # in the same folder
            next
        to = layer_of(name)
        if (!(from in may)) refuse("its layer is not known here")
        else if (to != from && !has(may[from], to)) refuse(from " must not include " to)
        else if (to == from && part_of(name) != "" && part_of(name) != part_of($1))
            refuse(part_of($1) " and " part_of(name) " are siblings and must not know each other")
    }
    END { exit failed }'
}

includes() {
    find src storage raft api -name '*.[ch]' | sort | xargs grep -n '^[[:space:]]*#[[:space:]]*include'
}

expect() {
    verdict=passes
    printf '%s\n' "$2" | check >/dev/null || verdict=fails
    [ "$verdict" = "$1" ] || {
        echo "the check itself is wrong: $2 should be what $1" >&2
        exit 1
    }
}

self_test() {
    expect fails 'src/base/buf.c:1:#include "storage/store.h"'
    expect fails 'storage/store.c:3:#include "raft/cluster.h"'
    expect fails 'raft/driver/driver.c:3:#  include "core/core.h"'
    expect fails 'src/core/request/request.c:9:#include "api/http.h"'
    expect fails 'src/secrets/aws/aws.c:2:#include "secrets/kv/kv.h"'
    expect fails 'src/auth/approle/login.c:2:#include "secrets/kv/kv.h"'
    expect fails 'src/cli/read.c:2:#include "core/core.h"'
    expect fails 'src/core/request/request.c:2:#include <h2o.h>'
    expect fails 'src/core/request/request.c:2:#include <raft.h>'
    expect fails 'src/core/seal/recipients.c:2:#include <rnp/rnp.h>'
    expect fails 'src/new/x.c:1:#include "base/err.h"'
    expect passes 'src/main.c:1:#include "secrets/aws/aws.h"'
    expect passes 'src/core/core.c:1:#include "config/hcl.h"'
    expect passes 'src/secrets/aws/iam.c:1:#include "secrets/aws/aws.h"'
    expect passes 'src/secrets/aws/iam.c:1:#include "aws.h"'
    expect passes 'src/secrets/aws/iam.c:1:#include "core/engine.h"'
    expect passes 'api/http.c:1:#include <h2o.h>'
    expect passes 'src/base/json.c:1:#include <jansson.h>'
}

case ${1:-} in
self-test) self_test ;;
'') includes | check ;;
*) echo "usage: layers.sh [self-test]" >&2 && exit 2 ;;
esac
