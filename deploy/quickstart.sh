#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A guided tour of Coffer on this machine alone: three servers, a local AWS, and credentials that come and go.
#
#   sh deploy/quickstart.sh          the whole tour, a few minutes the first time; leaves nothing running
#   sh deploy/quickstart.sh --keep   the same, but the servers stay up for you to play with
#
# COFFER_BIN=PATH uses a program that is built already, COFFER_PORT=N other ports than those from 8200 on. Everything
# else the tour needs it installs or builds.
set -eu
cd "$(dirname "$0")/.."
TOP=$PWD

KEEP=no
DIR=          # all that the tour writes, but for the build
PIDS=         # all that it started
AWS_PID=
LEASE_SECONDS=15
POLICY_DOCUMENT='{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": ["ec2:*"],
      "Resource": ["*"]
    }
  ]
}'

# ---- How it speaks ----

if [ -t 1 ]; then
    BOLD=$(printf '\033[1m') DIM=$(printf '\033[2m') PLAIN=$(printf '\033[0m')
else
    BOLD='' DIM='' PLAIN=''
fi

chapter() {
    printf '\n%s== %s ==%s\n\n' "$BOLD" "$*" "$PLAIN"
}

# One paragraph.
say() {
    printf '%s\n' "$*" | fold -s -w 100
}

# fail WHAT WHAT-TO-DO
fail() {
    printf '\n%sThe tour stops here: %s%s\n%s\n' "$BOLD" "$1" "$PLAIN" "$2" >&2
    exit 1
}

# Shows a command as one would type it, then runs it, its output indented. Fails as the command does.
run() {
    show "$*"
    status=0
    "$@" >"$DIR/output" 2>&1 || status=$?
    show_output
    [ "$status" -eq 0 ] || fail "'$1 $2' ended with status $status" "Its output is above. The servers' logs are in $DIR."
}

# What the last command said, indented, and one empty line.
show_output() {
    printf '%s\n' "$(cat "$DIR/output")" | sed 's/^/    /; s/ *$//'
    echo
}

show() {
    printf '%s$ %s%s\n' "$BOLD" "$*" "$PLAIN"
}

now_ms() {
    date +%s%3N
}

# ---- Chapters before the first: what is needed, and how it ends ----

clean_up() {
    status=$?
    trap - EXIT INT TERM
    if [ "$KEEP" = yes ] && [ "$status" -eq 0 ]; then
        return 0
    fi
    for pid in $PIDS; do
        kill "$pid" 2>/dev/null || true
    done
    for pid in $PIDS; do
        wait "$pid" 2>/dev/null || true
    done
    # After a failure the logs are worth more than a tidy disk.
    [ -z "$DIR" ] || [ "$status" -ne 0 ] || rm -rf "$DIR"
    exit "$status"
}

# Runs a long command quietly; a line every ten seconds says that it goes on.
quietly() {
    title=$1
    shift
    say "  $title"
    "$@" >"$DIR/output" 2>&1 &
    pid=$!
    seconds=0
    while kill -0 "$pid" 2>/dev/null; do
        sleep 1
        seconds=$((seconds + 1))
        [ $((seconds % 10)) -ne 0 ] || say "    … ${seconds} s"
    done
    wait "$pid" || {
        tail -n 30 "$DIR/output" >&2
        fail "this failed: $title" "The end of its output is above; all of it is in $DIR/output."
    }
}

prepare() {
    chapter "Getting ready"
    sh deploy/install-deps.sh demo || fail "something could not be installed" "See above; then run this again."
    if [ -z "${COFFER_BIN:-}" ]; then
        quietly "configuring the build" cmake --preset release -DCOFFER_TESTS=OFF
        quietly "building Coffer (a minute or two the first time)" cmake --build --preset release --target coffer
        COFFER_BIN=$TOP/build/release/coffer
    fi
    [ -x "$COFFER_BIN" ] || fail "there is no program at $COFFER_BIN" "Set COFFER_BIN to one, or unset it."
    mkdir "$DIR/bin"
    ln -s "$(realpath "$COFFER_BIN")" "$DIR/bin/coffer"
    PATH=$DIR/bin:$PATH

    PYTHON=$TOP/build/quickstart-venv/bin/python
    if ! "$PYTHON" -c 'import moto.server, boto3' 2>/dev/null; then
        quietly "fetching a local AWS (moto) from PyPI" make_venv
    fi
    BASE=$("$PYTHON" -c "$FREE_PORTS" "${COFFER_PORT:-8200}") ||
        fail "no ports are free" "Set COFFER_PORT to a number from which 31 ports are free."
}

make_venv() {
    python3 -m venv --clear "$TOP/build/quickstart-venv"
    # The same versions as in the tests.
    grep -E '^(moto|boto3)' tests/requirements.txt >"$DIR/requirements.txt"
    "$PYTHON" -m pip install -q -r "$DIR/requirements.txt"
}

# 8200 as usual; elsewhere if that is taken.
FREE_PORTS='
import socket, sys
def is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try: s.bind(("127.0.0.1", port))
        except OSError: return False
        return True
OFFSETS = (0, 1, 10, 11, 20, 21, 30)
FIRST = int(sys.argv[1])
print(next(base for base in range(FIRST, FIRST + 1000, 100) if all(is_free(base + n) for n in OFFSETS)))
'

# ---- 1. ----

start_aws() {
    chapter "1. An AWS to talk to"
    say "A stand-in for AWS (moto) runs on this machine. It checks what the real one checks: each request's" \
        "signature, whether the key still exists, and what its owner's policy allows."
    AWS_URL=http://127.0.0.1:$((BASE + 30))
    INITIAL_NO_AUTH_ACTION_COUNT=4 "$PYTHON" -m moto.server -H 127.0.0.1 -p $((BASE + 30)) >"$DIR/aws.log" 2>&1 &
    AWS_PID=$!
    PIDS="$PIDS $AWS_PID"
    aws wait || fail "the local AWS does not start" "Its log: $DIR/aws.log"
    key=$(aws bootstrap) || fail "the local AWS refuses its first calls" "Its log: $DIR/aws.log"
    OWN_ACCESS_KEY=${key% *} OWN_SECRET_KEY=${key#* }
    echo
    say "It has one IAM user, 'coffer', who may manage IAM users and nothing else. Its key is $OWN_ACCESS_KEY." \
        "That key goes to Coffer; no application will ever see it."
}

aws() {
    "$PYTHON" "$TOP/deploy/aws.py" "$AWS_URL" "$@"
}

# as_key ACCESS SECRET COMMAND …: the same, as the owner of a key.
as_key() (
    export AWS_ACCESS_KEY_ID="$1" AWS_SECRET_ACCESS_KEY="$2"
    shift 2
    aws "$@"
)

iam_users() {
    as_key "$OWN_ACCESS_KEY" "$OWN_SECRET_KEY" users
}

# ---- 2. ----

start_servers() {
    chapter "2. Three servers"
    say "Three Coffer servers form one group. One of them is active; the others stand by, hold the same" \
        "(encrypted) data, and take over by themselves. All speak TLS."
    make_certificates
    for n in 1 2 3; do
        write_config "$n"
        start_server "$n"
    done
    for n in 1 2 3; do
        wait_answer "$n"
        say "  node$n  $(addr "$n")"
    done
    export VAULT_CACERT="$DIR/tls/ca.pem"
    use_server 1
}

addr() {
    echo "https://127.0.0.1:$((BASE + 10 * ($1 - 1)))"
}

use_server() {
    export VAULT_ADDR="$(addr "$1")"
}

use_token() {
    export VAULT_TOKEN="$1"
}

make_certificates() {
    mkdir "$DIR/tls"
    (
        cd "$DIR/tls"
        umask 077
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=Quickstart CA" \
            -keyout ca.key -out ca.pem
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=127.0.0.1" \
            -keyout server.key -out server.csr
        printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\n' >extensions
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile extensions \
            -out server.pem
    ) >"$DIR/tls/openssl.log" 2>&1 || fail "no certificates could be made" "See $DIR/tls/openssl.log."
}

write_config() {
    mkdir -p "$DIR/node$1"
    cat >"$DIR/node$1.hcl" <<END
storage "raft" {
  path    = "$DIR/node$1"
  node_id = "node$1"
}
listener "tcp" {
  address         = "127.0.0.1:$((BASE + 10 * ($1 - 1)))"
  cluster_address = "127.0.0.1:$((BASE + 10 * ($1 - 1) + 1))"
  tls_cert_file   = "$DIR/tls/server.pem"
  tls_key_file    = "$DIR/tls/server.key"
}
api_addr     = "$(addr "$1")"
cluster_addr = "https://127.0.0.1:$((BASE + 10 * ($1 - 1) + 1))"
END
}

start_server() {
    coffer server -config="$DIR/node$1.hcl" >>"$DIR/node$1.log" 2>&1 &
    eval "NODE$1=$!"
    PIDS="$PIDS $!"
}

# `coffer status` ends with 0 (unsealed) or 2 (sealed) when the server answers, else with 1.
wait_answer() {
    tries=0
    until status_of "$1"; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || fail "node$1 does not answer" "Its log: $DIR/node$1.log"
        sleep 0.1
    done
}

status_of() {
    code=0
    VAULT_ADDR=$(addr "$1") VAULT_CACERT=$DIR/tls/ca.pem coffer status >"$DIR/status" 2>&1 || code=$?
    [ "$code" -ne 1 ]
}

# The number of the server that is active.
active_server() {
    for n in 1 2 3; do
        if status_of "$n" && grep -q '^HA Mode *active' "$DIR/status"; then
            echo "$n"
            return 0
        fi
    done
    return 1
}

wait_active() {
    tries=0
    until active_server; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || fail "no server becomes active" "The logs: $DIR/node*.log"
        sleep 0.05
    done
}

# ---- 3. ----

initialise() {
    chapter "3. Initialising and unsealing"
    say "All that Coffer stores is encrypted with a key that is stored nowhere. It is split into five shares for five" \
        "people; any three of them open a server. This happens once in the life of a group:"
    run coffer operator init -key-shares=5 -key-threshold=3
    SHARES=$(sed -n 's/^Unseal Key [0-9]*: //p' "$DIR/output" | head -n 3)
    ROOT_TOKEN=$(sed -n 's/^Initial Root Token: //p' "$DIR/output")
    use_token "$ROOT_TOKEN"
    [ -n "$SHARES" ] && [ -n "$ROOT_TOKEN" ] || fail "init printed no keys" "See above."
    say "Three shares, one after the other, unseal the first server:"
    for share in $SHARES; do
        run coffer operator unseal "$share"
    done
    wait_active >/dev/null
    say "The other two join it. A node proves that it may by knowing the unseal key, so it too needs three shares:"
    for n in 2 3; do
        use_server "$n"
        say "With VAULT_ADDR=$VAULT_ADDR:"
        run coffer operator raft join -leader-ca-cert="@$VAULT_CACERT" "$(addr 1)"
        unseal_quietly
        echo
    done
    use_server 1
    wait_voters
    run coffer operator raft list-peers
    run coffer status
}

unseal_quietly() {
    for share in $SHARES; do
        show "coffer operator unseal $share"
        coffer operator unseal "$share" >"$DIR/output" 2>&1 || fail "it does not unseal" "$(cat "$DIR/output")"
    done
}

wait_voters() {
    tries=0
    until coffer operator raft list-peers -format=json 2>/dev/null | grep -c '"voter": true' | grep -qx 3; do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || fail "not all three servers have become voters" "$(coffer operator raft list-peers 2>&1)"
        sleep 0.1
    done
}

# ---- 4. ----

set_up_engine() {
    chapter "4. Teaching Coffer to speak with AWS"
    say "The aws secrets engine makes IAM users on demand. Nothing in Coffer knows of AWS until it is enabled:"
    run coffer secrets enable -path=aws aws
    run coffer secrets list
    say "It needs a key of its own: the one of the user 'coffer'. It is stored encrypted and never given out again."
    say "(With the real AWS the two endpoints are left out.)"
    show "coffer write aws/config/root access_key=$OWN_ACCESS_KEY secret_key=… region=us-east-1 \\"
    printf '      iam_endpoint=%s sts_endpoint=%s\n' "$AWS_URL" "$AWS_URL"
    printf '%s' "$OWN_SECRET_KEY" | coffer write aws/config/root access_key="$OWN_ACCESS_KEY" secret_key=- \
        region=us-east-1 iam_endpoint="$AWS_URL" sts_endpoint="$AWS_URL" >"$DIR/output" 2>&1 ||
        fail "aws/config/root was refused" "$(cat "$DIR/output")"
    show_output
    run coffer read aws/config/root
    say "How long a key lives, unless it is renewed, and how long at most:"
    run coffer write aws/config/lease lease=1h lease_max=24h
    say "A role of Coffer's says what the keys may do. This is no AWS role: Coffer keeps the policy and gives it to each" \
        "user that it makes."
    show "coffer write aws/roles/my-ec2-role credential_type=iam_user policy_document=- <<EOF"
    printf '%s\nEOF\n' "$POLICY_DOCUMENT"
    printf '%s' "$POLICY_DOCUMENT" >"$DIR/policy.json"
    coffer write aws/roles/my-ec2-role credential_type=iam_user policy_document=- <"$DIR/policy.json" >"$DIR/output" 2>&1 ||
        fail "the role was refused" "$(cat "$DIR/output")"
    show_output
}

# ---- 5. ----

# ask_for_credentials TOKEN: shows them, and leaves them in KEY, SECRET, LEASE, and their end in ENDS.
ask_for_credentials() {
    use_token "$1"
    run coffer read aws/creds/my-ec2-role
    ENDS=$(($(now_ms) + LEASE_SECONDS * 1000))
    use_token "$ROOT_TOKEN"
    KEY=$(awk '$1 == "access_key" { print $2 }' "$DIR/output")
    SECRET=$(awk '$1 == "secret_key" { print $2 }' "$DIR/output")
    LEASE=$(awk '$1 == "lease_id" { print $2 }' "$DIR/output")
    [ -n "$KEY" ] && [ -n "$SECRET" ] && [ -n "$LEASE" ] || fail "these are no credentials" "See above."
    USER_NAME=$(iam_users | tail -n 1)
}

# must ANSWER SERVICE: the credentials' owner calls a service and must be answered so.
must() {
    answer=$(as_key "$KEY" "$SECRET" try "$2")
    say "  as $KEY, $2: $answer"
    case $answer in "$1"*) ;; *) fail "the call to $2 should have been $1" "The logs: $DIR/aws.log and $DIR/node*.log" ;; esac
}

use_credentials() {
    chapter "5. Credentials on demand"
    say "Now somebody asks. Coffer makes an IAM user, gives it the policy, makes it a key, and notes when all that" \
        "has to end:"
    ask_for_credentials "$ROOT_TOKEN"
    say "The AWS now knows one user more:"
    iam_users | sed 's/^/    /'
    echo
    say "The key does what the role says, and nothing else:"
    must allowed ec2
    must refused s3
}

# ---- 6. ----

revoke_by_hand() {
    chapter "6. Taking them back"
    say "Who has the lease's name can end it at once:"
    run coffer lease revoke -sync "$LEASE"
    must refused ec2
    say "IAM users left: $(iam_users | wc -l). The key is dead, and its owner is gone."
}

# ---- 7. ----

log_in_as_application() {
    chapter "7. An application with rights of its own"
    say "So far everything was done with the root token. An application gets less: two policies, one for it and one" \
        "for those who set things up."
    cat >"$DIR/aws-dynamic-read.hcl" <<'END'
path "aws/creds/my-ec2-role" {
  capabilities = ["read"]
}
END
    cat >"$DIR/aws-admin.hcl" <<'END'
path "aws/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}
END
    for policy in aws-dynamic-read aws-admin; do
        say "$policy.hcl:"
        sed 's/^/    /' "$DIR/$policy.hcl"
        echo
    done
    (cd "$DIR" && run coffer policy write aws-dynamic-read aws-dynamic-read.hcl && run coffer policy write aws-admin aws-admin.hcl)
    say "It logs in with AppRole: a role-id, which is no secret, and a secret-id, which is."
    run coffer auth enable approle
    run coffer write auth/approle/role/aws-app token_policies=aws-dynamic-read token_ttl=1h token_max_ttl=4h
    run coffer read auth/approle/role/aws-app/role-id
    role_id=$(awk '$1 == "role_id" { print $2 }' "$DIR/output")
    run coffer write -f auth/approle/role/aws-app/secret-id
    secret_id=$(awk '$1 == "secret_id" { print $2 }' "$DIR/output")
    run coffer write auth/approle/login role_id="$role_id" secret_id="$secret_id"
    APP_TOKEN=$(awk '$1 == "token" { print $2 }' "$DIR/output")
    [ -n "$APP_TOKEN" ] || fail "the login gave no token" "See above."
    say "With that token it may ask for credentials. It may not look at the engine's configuration:"
    show "VAULT_TOKEN=$APP_TOKEN coffer read aws/config/root"
    if VAULT_TOKEN=$APP_TOKEN coffer read aws/config/root >"$DIR/output" 2>&1; then
        fail "the application could read aws/config/root" "It should have been refused."
    fi
    show_output
}

# ---- 8. ----

# Waits until the user of the credentials is gone: not before the lease's end, and not long after it. The two clocks
# that are read here are read some tenths of a second apart.
watch_user_go() {
    while iam_users | grep -qxF "$USER_NAME"; do
        [ "$(now_ms)" -lt $((ENDS + 15000)) ] || fail "$USER_NAME outlives its lease" "See $DIR/node*.log and $DIR/aws.log."
        sleep 0.2
    done
    late=$(($(now_ms) - ENDS))
    [ "$late" -gt -1500 ] || fail "$USER_NAME was gone $((-late)) ms before its lease's end" "See $DIR/node*.log."
    say "  The user is gone, about $(((late + 500) / 1000)) s after the lease's end."
}

let_it_run_out() {
    chapter "8. Letting them run out"
    say "Nobody has to take anything back. To see that without waiting for an hour, leases now last $LEASE_SECONDS seconds:"
    run coffer write aws/config/lease lease="${LEASE_SECONDS}s" lease_max=1h
    say "The application asks, with its own token:"
    ask_for_credentials "$APP_TOKEN"
    must allowed ec2
    echo
    say "And now we wait for $LEASE_SECONDS seconds."
    watch_user_go
    must refused ec2
}

# ---- 9. ----

kill_the_leader() {
    chapter "9. Killing the active server"
    say "The same once more, but this time the server that made the user will not be there to delete it."
    ask_for_credentials "$APP_TOKEN"
    must allowed ec2
    old=$(wait_active)
    eval "pid=\$NODE$old"
    echo
    say "The active server is node$old, process $pid. It gets no time to say good-bye:"
    show "kill -9 $pid"
    killed=$(now_ms)
    kill -9 "$pid"
    wait "$pid" 2>/dev/null || true
    new=$(wait_active)
    say "  node$new is active, $(($(now_ms) - killed)) ms later (as the command line sees it)."
    use_server "$new"
    echo
    say "The key still works, for it has time left, and the new active server knows the lease:"
    must allowed ec2
    run coffer lease lookup "$LEASE"
    say "And now we wait for the lease's end."
    watch_user_go
    must refused ec2
}

bring_it_back() {
    chapter "10. Life goes on"
    say "Applications need not know who is active: the others redirect to it. One asks again, through a server that" \
        "stands by:"
    for n in 1 2 3; do
        [ "$n" -eq "$new" ] || [ "$n" -eq "$old" ] || use_server "$n"
    done
    ask_for_credentials "$APP_TOKEN"
    must allowed ec2
    echo
    say "All leases of a role can be ended at once:"
    run coffer lease revoke -prefix -sync aws/creds/my-ec2-role
    [ -z "$(iam_users)" ] || fail "IAM users are left" "$(iam_users)"
    say "IAM users left: 0."
    echo
    say "node$old starts again, is unsealed, and stands by:"
    start_server "$old"
    wait_answer "$old"
    use_server "$old"
    unseal_quietly
    sleep 1
    run coffer status
    use_server "$new"
}

# ---- The end ----

alive() {
    for pid in $PIDS; do
        ! kill -0 "$pid" 2>/dev/null || printf '%s ' "$pid"
    done
}

end() {
    chapter "What to try next"
    if [ "$KEEP" = yes ]; then
        say "The servers are up. In a shell of yours:"
        cat <<END

    export PATH="$DIR/bin:\$PATH"
    export VAULT_ADDR=$(addr "$new")
    export VAULT_CACERT=$DIR/tls/ca.pem
    export VAULT_TOKEN=$VAULT_TOKEN       # the root token

The servers: $(addr 1)  $(addr 2)  $(addr 3)
The local AWS: $AWS_URL
Unseal keys: $(echo "$SHARES" | tr '\n' ' ')
Logs and configuration: $DIR
To end it all: kill $(alive); rm -rf $DIR

For example:

END
    else
        say "sh deploy/quickstart.sh --keep leaves the servers up. Then, for example:"
        echo
    fi
    cat <<'END'
    coffer secrets enable -path=secret -version=2 kv
    coffer kv put secret/app/db password=s3cret
    coffer kv get secret/app/db
    coffer audit enable file file_path=/tmp/coffer-audit.log
    coffer operator step-down

Any client of Vault or OpenBao works too: point VAULT_ADDR at a server.
docs/architecture.md tells how it is built, CONTRIBUTING.md how to work on it.
END
}

main() {
    case ${1:-} in
    '') ;;
    --keep) KEEP=yes ;;
    *) sed -n '3,9s/^# \{0,1\}//p' "$0"; [ "$1" = --help ] || exit 1; exit 0 ;;
    esac
    trap clean_up EXIT
    trap 'exit 130' INT TERM
    # The tour's own login must neither use nor overwrite yours.
    unset VAULT_TOKEN VAULT_ADDR VAULT_NAMESPACE VAULT_CACERT BAO_ADDR BAO_TOKEN BAO_CACERT
    umask 077
    DIR=$(mktemp -d "${TMPDIR:-/tmp}/coffer-quickstart.XXXXXX")
    export HOME="$DIR"
    printf '\n%sA tour of Coffer%s\n' "$BOLD" "$PLAIN"
    prepare
    start_aws
    start_servers
    initialise
    set_up_engine
    use_credentials
    revoke_by_hand
    log_in_as_application
    let_it_run_out
    kill_the_leader
    bring_it_back
    end
}

main "$@"
