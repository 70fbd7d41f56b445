#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The cluster of deploy/docker-compose.yml, really started: the walk-through of a day with AWS credentials through its
# load balancer, the active node killed, the walk-through again, and the dead node back by itself.
#
#   sh tests/compose.sh           builds, runs, takes everything down again
#   sh tests/compose.sh --keep    the same, but the cluster stays up
#   COFFER_BUILD=no …             with the images that are there
#
# Needs Docker, docker-compose and root. Where debian:bookworm-slim cannot be pulled, it is made by debootstrap from this
# system's mirror. This system's settings for apt and pip are put into a base image that stays here; COFFER_BASE=IMAGE names
# another.
set -eu
cd "$(dirname "$0")/.."

PROJECT=coffer-test
KEEP=no
[ "${1:-}" != --keep ] || KEEP=yes
DIR=$(mktemp -d)
DEAD='refused (AuthFailure)' # what EC2 says of a key that it does not know
LEASE_SECONDS=30 # longer than a busy machine takes to start a container
# The ports outside are of no use here; any free ones.
export COFFER_PORT=0 PROMETHEUS_PORT=0 DOCKER_BUILDKIT=0

say() {
    printf '\n== %s\n' "$*"
}

die() {
    printf 'compose: %s\n' "$*" >&2
    exit 1
}

compose() {
    docker-compose -p "$PROJECT" -f deploy/docker-compose.yml "$@"
}

clean_up() {
    status=$?
    trap - EXIT INT TERM
    [ "$status" -eq 0 ] || compose logs --tail=30 >&2 || true
    [ "$KEEP" = yes ] || compose down -v -t 3 >/dev/null 2>&1 || true
    rm -rf "$DIR"
    exit "$status"
}

# ---- The base image ----

mirror() {
    apt-get indextargets --format '$(CREATED_BY) $(COMPONENT) $(REPO_URI)' |
        awk '$1 == "Packages" && $2 == "main" && $3 !~ /security/ { print $3; exit }'
}

get_debian() {
    docker image inspect debian:bookworm-slim >/dev/null 2>&1 || docker pull -q debian:bookworm-slim 2>/dev/null ||
        make_debian
}

make_debian() {
    command -v debootstrap >/dev/null || die "there is no image debian:bookworm-slim, and no debootstrap to make one"
    say "debian:bookworm-slim by debootstrap"
    debootstrap --variant=minbase bookworm "$DIR/debian" "$(mirror)" >"$DIR/debootstrap.log" 2>&1 ||
        die "debootstrap failed: $(tail -n 3 "$DIR/debootstrap.log")"
    rm -rf "$DIR"/debian/var/cache/apt/archives/*.deb
    tar -C "$DIR/debian" -c . | docker import - debian:bookworm-slim >/dev/null
}

# How this system reaches its registries, and nothing else, is taken into it.
make_base() {
    mkdir -p "$DIR/base/files"
    for file in /etc/pip.conf /etc/apt/apt.conf.d/*proxy* /etc/apt/apt.conf.d/*registry* \
        /usr/local/share/ca-certificates/*.crt; do
        [ -e "$file" ] || continue
        mkdir -p "$DIR/base/files${file%/*}"
        cp -L "$file" "$DIR/base/files$file"
    done
    {
        echo "FROM debian:bookworm-slim"
        echo "COPY files/ /"
        env | grep -E '^(PIP_|[a-zA-Z]+_proxy=)' | sed 's/=\(.*\)/="\1"/; s/^/ENV /' || true
    } >"$DIR/base/Dockerfile"
    export COFFER_BASE=coffer-test-base
    docker build -q -t "$COFFER_BASE" "$DIR/base" >/dev/null 2>&1 || die "the base image could not be built"
}

# ---- Waiting ----

# wait_for SECONDS WHAT COMMAND…
wait_for() {
    seconds=$1 what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        seconds=$((seconds - 1))
        [ "$seconds" -gt 0 ] || die "waited in vain: $what"
        sleep 1
    done
}

init_has_ended() {
    [ "$(docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' "$(compose ps -q init)")" = "exited 0" ]
}

is_healthy() {
    [ "$(docker inspect -f '{{.State.Health.Status}}' "$(compose ps -q "$1")")" = healthy ]
}

# ---- The walk-through ----

# `coffer` for `vault`, through the load balancer.
vault() {
    compose run --rm -T cli "$@" 2>"$DIR/stderr" || {
        cat "$DIR/stderr" >&2
        return 1
    }
}

field() {
    sed -n "s/^$1 *//p" "$DIR/output" | tr -d '\r'
}

# expect WHAT WANTED FOUND
expect() {
    [ "$2" = "$3" ] || die "$1: expected '$2', found '$3'"
    printf '   %s: %s\n' "$1" "$3"
}

show() {
    printf '$ vault %s\n' "$*"
    vault "$@" >"$DIR/output" || die "'vault $1 $2' failed"
    sed 's/^/   /; s/ *$//' "$DIR/output"
}

# What AWS says to the owner of a key: aws KEY SECRET COMMAND…
aws() {
    compose run --rm -T -e AWS_ACCESS_KEY_ID="$1" -e AWS_SECRET_ACCESS_KEY="$2" --entrypoint /opt/aws/bin/python aws-init \
        /opt/aws/aws.py http://aws:5000 "$3" "$4" 2>/dev/null | tr -d '\r'
}

# The keys that stand for Coffer's own user.
aws_root_key() {
    compose run --rm -T --entrypoint cat aws-init /run/aws/key 2>/dev/null | tr -d '\r'
}

POLICY='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["ec2:*"], "Resource": ["*"]}]}'
READ_POLICY='path "aws/creds/my-ec2-role" { capabilities = ["read"] }'
ADMIN_POLICY='path "aws/*" { capabilities = ["create", "read", "update", "delete", "list"] }'

set_up_aws() {
    root_key=$(aws_root_key)
    say "the secrets engine"
    show secrets enable -path=aws aws
    vault secrets list | grep -q '^aws/' || die "aws/ is not listed"
    vault write aws/config/root access_key="${root_key% *}" secret_key="${root_key#* }" region=eu-north-1 \
        iam_endpoint=http://aws:5000 sts_endpoint=http://aws:5000 >"$DIR/output"
    show write aws/config/lease lease="${LEASE_SECONDS}s" lease_max=1h
    show write aws/roles/my-ec2-role credential_type=iam_user policy_document="$POLICY"
}

get_credentials() {
    vault read aws/creds/my-ec2-role >"$DIR/output" || die "no credentials"
    sed 's/^\(secret_key *\).*/\1(not shown)/; s/^/   /' "$DIR/output"
    LEASE=$(field lease_id) KEY=$(field access_key) SECRET=$(field secret_key)
    expect "ec2 with this key" allowed "$(aws "$KEY" "$SECRET" try ec2)"
    expect "s3 with this key" "refused (AccessDenied)" "$(aws "$KEY" "$SECRET" try s3)"
}

walk_through() {
    set_up_aws
    say "credentials on demand, and taken back by hand"
    get_credentials
    show lease revoke "$LEASE"
    expect "ec2 after revocation" "$DEAD" "$(aws "$KEY" "$SECRET" try ec2)"

    say "and by themselves, after $LEASE_SECONDS s"
    get_credentials
    wait_for $((LEASE_SECONDS + 15)) "the lease ends" ends_by_itself

    say "policies and AppRole"
    printf '%s' "$READ_POLICY" | vault policy write aws-dynamic-read - >/dev/null
    printf '%s' "$ADMIN_POLICY" | vault policy write aws-admin - >/dev/null
    show auth enable approle
    show write auth/approle/role/aws-app token_policies=aws-dynamic-read token_ttl=1h token_max_ttl=4h
    role_id=$(vault read -field=role_id auth/approle/role/aws-app/role-id)
    secret_id=$(vault write -f -field=secret_id auth/approle/role/aws-app/secret-id)
    token=$(vault write -field=token auth/approle/login role_id="$role_id" secret_id="$secret_id")
    compose run --rm -T -e VAULT_TOKEN="$token" cli read aws/creds/my-ec2-role >/dev/null 2>&1 ||
        die "the application may not read its credentials"
    ! compose run --rm -T -e VAULT_TOKEN="$token" cli secrets list >/dev/null 2>&1 ||
        die "the application may do more than its policy says"
    echo "   the application reads its credentials, and nothing else"

    vault secrets disable aws >/dev/null
    vault auth disable approle >/dev/null
}

ends_by_itself() {
    [ "$(aws "$KEY" "$SECRET" try ec2)" = "$DEAD" ]
}

# ---- The day ----

active_node() {
    vault operator raft list-peers | awk '$3 == "leader" { print $1 }' | tr -d '\r'
}

start() {
    say "docker-compose up"
    [ "${COFFER_BUILD:-yes}" = no ] || compose build >"$DIR/build.log" 2>&1 || die "the build failed: $(tail -n 20 "$DIR/build.log")"
    began=$(date +%s)
    compose up -d --no-build >"$DIR/up.log" 2>&1 || die "$(cat "$DIR/up.log")"
    wait_for 180 "init ends" init_has_ended
    for node in node1 node2 node3; do
        wait_for 60 "$node is healthy" is_healthy "$node"
    done
    echo "   initialised, unsealed and healthy after $(($(date +%s) - began)) s"
    show status
    show operator raft list-peers
}

check_confinement() {
    say "confined"
    node=$(compose ps -q node1)
    expect "user" 8200 "$(docker exec "$node" id -u)"
    ! docker exec "$node" touch /usr/bin/x 2>/dev/null || die "the root file system can be written to"
    expect "capabilities" 0000000000000000 "$(docker exec "$node" sed -n 's/^CapEff:\t//p' /proc/1/status)"
}

# Prometheus' answer to a query: the values, a line each.
prometheus() {
    compose exec -T prometheus promtool query instant http://localhost:9090 "$1" | sed 's/.*=> \(.*\) @.*/\1/'
}

three_nodes_scraped() {
    [ "$(prometheus 'sum(up{job="coffer"})')" = 3 ] && [ "$(prometheus 'sum(vault_core_active)')" = 1 ]
}

check_prometheus() {
    say "what Prometheus sees"
    wait_for 30 "three nodes are scraped, one is active" three_nodes_scraped
    expect "nodes up" 3 "$(prometheus 'sum(up{job="coffer"})')"
    expect "commits counted" yes "$([ "$(prometheus 'sum(coffer_commit_seconds_count) > bool 0')" = 1 ] && echo yes)"
}

kill_active() {
    victim=$(active_node)
    say "kill -9 of $victim, which is active"
    docker kill -s KILL "$(compose ps -q "$victim")" >/dev/null
    began=$(date +%s%3N)
    until vault token lookup >/dev/null 2>&1; do
        [ $(($(date +%s%3N) - began)) -lt 60000 ] || die "nobody took over"
    done
    echo "   answered through the load balancer again after $(($(date +%s%3N) - began)) ms (most of it is starting the container of the command)"
    show operator raft list-peers
}

revive() {
    say "$victim comes back by itself"
    compose up -d "$victim" >/dev/null 2>&1
    wait_for 60 "$victim is healthy" is_healthy "$victim"
    echo "   healthy: unsealed, and a member"
}

[ "$(id -u)" -eq 0 ] || die "this needs root"
docker info >/dev/null 2>&1 || die "Docker does not run here"
trap clean_up EXIT INT TERM
if [ -z "${COFFER_BASE:-}" ] && [ "${COFFER_BUILD:-yes}" != no ]; then
    get_debian
    make_base
fi
start
check_confinement
walk_through
check_prometheus
kill_active
walk_through
revive
walk_through
say "all of it held"
