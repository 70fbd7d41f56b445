#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what Coffer needs, on Debian 12 and 13. Can be run again: what is there is left alone, and then no network is used.
#
#   sh deploy/install-deps.sh build   to build it and run it (the default)
#   sh deploy/install-deps.sh demo    also what deploy/quickstart.sh uses
#   sh deploy/install-deps.sh test    also what tests/run.sh and tests/bench/run.sh use
#
# Packages come from the mirrors that this system is configured with, and from nowhere else: where another suite
# of Debian is needed, its address is derived from the system's own apt sources.
set -eu

BUILD_PACKAGES="build-essential cmake ninja-build pkg-config libuv1-dev libjansson-dev liblmdb-dev
    libcurl4-openssl-dev libssl-dev libxml2-dev zlib1g-dev libcrypt-dev libcmocka-dev libyaml-dev librnp-dev"
DEMO_PACKAGES="ca-certificates openssl python3 python3-venv"
TEST_PACKAGES="curl haproxy iproute2 wrk tcpdump procps git clang libclang-rt-dev gnupg"
H2O_BUILD_PACKAGES="dpkg-dev libyaml-dev libwslay-dev zlib1g-dev"
RAFT_LINE="0.22."     # others are refused at configure time: cmake/libraries.cmake says why
H2O_VERSION="2.2.5"   # of Debian 12, the last Debian that has it
H2O_STAMP=/usr/local/share/coffer/h2o-evloop-$H2O_VERSION
SOURCES_DIR=/etc/apt/sources.list.d

say() {
    printf '%s\n' "install-deps: $*"
}

die() {
    say "$*" >&2
    exit 1
}

# Runs a command with its output in the log; a sign of life every ten seconds; the log's end if it fails.
quietly() {
    "$@" >>"$LOG" 2>&1 &
    pid=$!
    seconds=0
    while kill -0 "$pid" 2>/dev/null; do
        sleep 1
        seconds=$((seconds + 1))
        [ $((seconds % 10)) -ne 0 ] || say "  … ${seconds} s"
    done
    if ! wait "$pid"; then
        tail -n 20 "$LOG" >&2
        die "this failed: $* (all of its output: $LOG)"
    fi
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

# Asks for the password once, in the foreground, since all else runs in the background.
need_root() {
    [ "$(id -u)" -ne 0 ] || return 0
    command -v sudo >/dev/null || die "packages must be installed: run this as root, or install sudo"
    sudo -v
}

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing_of() {
    for package in "$@"; do
        is_installed "$package" || printf '%s ' "$package"
    done
}

apt_update() {
    [ -z "${UPDATED:-}" ] || return 0
    say "reading the package lists"
    quietly as_root apt-get -q update
    UPDATED=yes
}

apt_install() {
    wanted=$(missing_of "$@")
    [ -n "$wanted" ] || return 0
    need_root
    apt_update
    say "installing $(echo "$wanted" | wc -w) Debian packages: $wanted"
    # shellcheck disable=SC2086
    quietly as_root apt-get -q -y --no-install-recommends install $wanted
}

# ---- Another suite of Debian, from the mirror that this system uses ----

# "URI file:line" of the first source of this release's main component, whichever form the file has.
system_source() {
    apt-get indextargets --format '$(CREATED_BY) $(RELEASE) $(CODENAME) $(COMPONENT) $(REPO_URI) $(SOURCESENTRY)' |
        awk -v code="$CODENAME" '$1 == "Packages" && ($2 == code || $3 == code) && $4 == "main" { print $5, $6; exit }'
}

# The key file that the source at FILE:LINE names; empty when it names none and apt's default keys hold.
signed_by() {
    case $1 in
    *.sources:*) awk '$1 == "Signed-By:" { print $2; exit }' "${1%:*}" ;;
    *) sed -n "${1##*:}p" "${1%:*}" | sed -n 's/.*\[[^]]*signed-by=\([^] ]*\).*/\1/p' ;;
    esac
}

# add_suite NAME TYPES SUITE: writes a source beside the system's own.
add_suite() {
    found=$(system_source)
    [ -n "$found" ] || die "no apt source for $CODENAME main is configured here; add one, then run this again"
    uri=${found% *}
    key=$(signed_by "${found#* }")
    # Of a key that stands in the file itself nothing can be kept; Debian's own key ring has it.
    case $key in /*) ;; *) key= ;; esac
    say "adding the suite $3 as $SOURCES_DIR/$1.sources, from the mirror that this system uses"
    {
        printf 'Types: %s\nURIs: %s\nSuites: %s\nComponents: main\n' "$2" "$uri" "$3"
        [ -z "$key" ] || printf 'Signed-By: %s\n' "$key"
    } | as_root tee "$SOURCES_DIR/$1.sources" >/dev/null
    UPDATED=
    apt_update
}

# ---- libraft ----

raft_is_right() {
    case $(dpkg-query -W -f='${Version}' libraft-dev 2>/dev/null) in "$RAFT_LINE"*) return 0 ;; esac
    return 1
}

# The versions of libraft-dev that apt knows of, of the line that is wanted.
raft_candidate() {
    apt-cache madison libraft-dev 2>/dev/null | awk -v line="$RAFT_LINE" 'index($3, line) == 1 { print $3; exit }'
}

install_raft() {
    ! raft_is_right || return 0
    need_root
    apt_update
    if [ -z "$(raft_candidate)" ] && [ "$CODENAME" = bookworm ]; then
        add_suite coffer-backports deb bookworm-backports
    fi
    version=$(raft_candidate)
    [ -n "$version" ] || die "libraft-dev ${RAFT_LINE}x is not offered by this system's mirrors; Coffer needs that line"
    say "installing libraft-dev $version"
    quietly as_root apt-get -q -y --no-install-recommends install "libraft-dev=$version" "libraft0=$version"
}

# ---- h2o: a package of Debian 12; on 13 it is built from Debian 12's source package ----

install_h2o() {
    [ ! -e "$H2O_STAMP" ] || return 0
    if is_installed libh2o-evloop-dev || [ "$CODENAME" = bookworm ]; then
        apt_install libh2o-evloop-dev
        return 0
    fi
    need_root
    # shellcheck disable=SC2086
    apt_install $H2O_BUILD_PACKAGES
    [ -e "$SOURCES_DIR/coffer-h2o.sources" ] || add_suite coffer-h2o deb-src bookworm
    dir=$(mktemp -d)
    say "building libh2o-evloop $H2O_VERSION from Debian 12's source package (about 20 seconds)"
    quietly build_h2o "$dir"
    quietly install_h2o_files "$dir"
    rm -rf "$dir"
}

build_h2o() {
    cd "$1"
    # apt checks the archive's signature and, by it, every file of the source.
    apt-get -q source "h2o/bookworm"
    mv h2o-"$H2O_VERSION"*/ src
    # The flags let code of 2018 through today's cmake and gcc; they change nothing of what it does.
    cmake -S src -B build -DBUILD_SHARED_LIBS=ON -DWITH_MRUBY=off -DWITH_BUNDLED_SSL=off \
        -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_POLICY_VERSION_MINIMUM=3.5 \
        -DCMAKE_C_FLAGS="-Wno-incompatible-pointer-types -Wno-int-conversion -Wno-implicit-function-declaration"
    cmake --build build --target libh2o-evloop -j "$(nproc)"
}

install_h2o_files() {
    as_root mkdir -p /usr/local/lib /usr/local/include "${H2O_STAMP%/*}"
    as_root cp -P "$1"/build/libh2o-evloop.so* /usr/local/lib/
    as_root cp -R "$1"/src/include/h2o.h "$1"/src/include/h2o /usr/local/include/
    as_root ldconfig
    as_root touch "$H2O_STAMP"
}

main() {
    mode=${1:-build}
    [ -r /etc/os-release ] || die "this is not Debian"
    # shellcheck source=/dev/null
    . /etc/os-release
    CODENAME=${VERSION_CODENAME:-}
    case $CODENAME in
    bookworm | trixie) ;;
    *) die "Debian 12 or 13 is needed; this is ${PRETTY_NAME:-unknown}" ;;
    esac
    case $mode in
    build) packages=$BUILD_PACKAGES ;;
    demo) packages="$BUILD_PACKAGES $DEMO_PACKAGES" ;;
    test)
        packages="$BUILD_PACKAGES $DEMO_PACKAGES $TEST_PACKAGES"
        command -v go >/dev/null || packages="$packages golang-go" # for the chaos suite's checker and tests/clients
        ;;
    *) die "usage: install-deps.sh [build|demo|test]" ;;
    esac
    LOG=$(mktemp)
    # shellcheck disable=SC2086
    apt_install $packages
    install_raft
    install_h2o
    rm -f "$LOG"
    say "everything for '$mode' is there"
}

main "$@"
