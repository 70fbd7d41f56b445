#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the README's two commands in bare Debian systems: nothing but the base system is in them.
#
#   sh tests/bare.sh                        both commands in Debian 12 and in Debian 13
#   sh tests/bare.sh trixie 'COMMAND'       one command in one of them
#
# Needs root, debootstrap and unshare. What is tested is the last commit, not the work tree. The systems lie in
# $COFFER_BARE_DIR (default: build/bare) and are made anew each time; only debootstrap's result is kept beside them.
set -eu
cd "$(dirname "$0")/.."
TOP=$PWD
DIR=${COFFER_BARE_DIR:-$TOP/build/bare}

die() {
    printf 'bare: %s\n' "$*" >&2
    exit 1
}

# The address of this system's mirror.
mirror() {
    apt-get indextargets --format '$(CREATED_BY) $(COMPONENT) $(REPO_URI)' |
        awk '$1 == "Packages" && $2 == "main" && $3 !~ /security/ { print $3; exit }'
}

make_base() {
    [ ! -e "$DIR/$1.tar" ] || return 0
    printf 'bare: debootstrap %s (about a minute)\n' "$1"
    rm -rf "$DIR/$1.new"
    debootstrap --variant=minbase "$1" "$DIR/$1.new" "$(mirror)" >"$DIR/$1.log" 2>&1 ||
        die "debootstrap failed; see $DIR/$1.log"
    tar -C "$DIR/$1.new" -cf "$DIR/$1.tar.new" . && mv "$DIR/$1.tar.new" "$DIR/$1.tar"
    rm -rf "$DIR/$1.new"
}

# How this system reaches its registries, and nothing else, is taken into the bare one.
take_network_settings() {
    for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/apt/apt.conf.d/*proxy* /etc/apt/apt.conf.d/*registry* \
        /usr/local/share/ca-certificates/*.crt; do
        [ -e "$file" ] || continue
        mkdir -p "$1${file%/*}"
        cp -L "$file" "$1$file"
    done
}

make_root() {
    rm -rf "${DIR:?}/$1"
    mkdir -p "$DIR/$1"
    tar -C "$DIR/$1" -xf "$DIR/$1.tar"
    take_network_settings "$DIR/$1"
    mkdir -p "$DIR/$1/coffer"
    git archive HEAD | tar -C "$DIR/$1/coffer" -xf -
}

# A process and mount namespace of its own: whatever the command leaves behind ends with it.
run_in() {
    printf '\nbare: %s: %s\n' "$1" "$2"
    settings=$(env | grep -E '^(PIP_|[a-zA-Z]+_proxy=)' | tr '\n' ' ' || true)
    # shellcheck disable=SC2086,SC2016
    ROOT="$DIR/$1" COMMAND="$2" unshare --mount --pid --fork --kill-child sh -euc '
        mount -t proc proc "$ROOT/proc"
        mount --rbind /dev "$ROOT/dev"
        mount -t sysfs -o ro sys "$ROOT/sys"
        exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@" \
            chroot "$ROOT" sh -c "cd /coffer && $COMMAND"' sh $settings </dev/null
}

main() {
    [ "$(id -u)" -eq 0 ] || die "this needs root"
    command -v debootstrap >/dev/null || die "debootstrap is missing (apt-get install debootstrap)"
    mkdir -p "$DIR"
    exec 9>"$DIR/lock"
    flock -n 9 || die "$DIR is used by another run, or by what one that was killed has left running"
    for release in ${1:-bookworm trixie}; do
        make_base "$release"
        make_root "$release"
        if [ $# -ge 2 ]; then
            run_in "$release" "$2"
        else
            run_in "$release" "sh deploy/quickstart.sh"
            run_in "$release" "sh deploy/quickstart.sh"
            run_in "$release" "sh tests/run.sh"
        fi
        printf 'bare: %s: done\n' "$release"
    done
}

main "$@"
