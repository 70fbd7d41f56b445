#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds, and runs all tests. Under 20 minutes on two cores.
#
#   sh tests/run.sh                everything
#   sh tests/run.sh unit server    some of it: tour unit sim server cluster fuzz asan tsan, and chaos, which runs only when asked
#
# Ends with a line of how many of these passed, and with a status other than 0 if any failed. For one test by hand see
# CONTRIBUTING.md; the long runs (chaos, simulation, fuzzing for hours) are commands of their own there.
set -u
cd "$(dirname "$0")/.."
TOP=$PWD
VENV=$TOP/build/venv
FUZZ_SECONDS=${FUZZ_SECONDS:-3} # a target
SIM_SEEDS=${SIM_SEEDS:-2000}
CHAOS_SECONDS=${CHAOS_SECONDS:-300}
CORES=$(nproc)
WRAP=
NICE=
PASSED=0
FAILED=0
FAILED_NAMES=
STARTED=$(date +%s)

say() {
    printf '\n==== %4d s  %s\n' "$(($(date +%s) - STARTED))" "$*"
}

# step NAME COMMAND …: runs it whatever happened before, and notes how it went.
step() {
    title=$1
    shift
    say "$title"
    if "$@"; then
        PASSED=$((PASSED + 1))
    else
        FAILED=$((FAILED + 1))
        FAILED_NAMES="$FAILED_NAMES '$title'"
        say "$title FAILED"
    fi
}

die() {
    printf 'run: %s\n' "$*" >&2
    exit 1
}

# With a loopback of its own where it may have one: other runs on this machine then do not share its ports.
alone() {
    if unshare --net ip link set lo up 2>/dev/null; then
        unshare --net sh -c 'ip link set lo up && exec "$@"' alone "$@"
    else
        "$@"
    fi
}

make_venv() {
    stamp=$VENV/requirements.txt
    cmp -s tests/requirements.txt "$stamp" && return 0
    say "Python packages for the tests"
    python3 -m venv --clear "$VENV" && "$VENV/bin/pip" install -q --no-compile -r tests/requirements.txt &&
        cp tests/requirements.txt "$stamp"
}

build() {
    say "building: $1"
    (
        flock 9
        cmake --preset "$1" >"build/$1.configure.log" 2>&1 || { cat "build/$1.configure.log"; exit 1; }
        $NICE cmake --build --preset "$1" -- --quiet
    ) 9>"build/$1.lock"
}

# Tests wait for clocks more than they work: what later parts need is built meanwhile, by what they leave of the processors.
build_ahead() {
    NICE="nice -n 19"
    for part in "$@"; do
        case $part in
        fuzz | asan | tsan) build "$part" ;;
        unit | sim | server | cluster) build test ;;
        esac
    done >build/ahead.log 2>&1 &
    NICE=
    # shellcheck disable=SC2064
    trap "kill $! 2>/dev/null; exit 130" INT TERM
}

# The README's first command; it speaks only when something is wrong.
tour() {
    sh deploy/quickstart.sh >build/tour.log 2>&1 || { tail -n 60 build/tour.log; return 1; }
}

# unit_tests PRESET ARGUMENT …
unit_tests() {
    tested=build/$1
    shift
    alone $WRAP ctest --test-dir "$tested" --output-on-failure -j $((CORES + 1)) "$@"
}

unit() {
    build test && unit_tests test
}

# A whole cluster on virtual time: any seed that goes wrong is printed, and one command repeats it.
sim() {
    build test && build/test/tests/cluster/coffer_sim --seeds "1-$SIM_SEEDS"
}

# pytest PRESET ARGUMENT …: more at once than there are cores, since they wait more than they work.
pytest() {
    COFFER_BIN=$TOP/build/$1/coffer
    export COFFER_BIN
    shift
    alone $WRAP "$VENV/bin/python" -m pytest -c tests/pytest.ini -n $((CORES + 2)) --dist worksteal "$@"
}

# The clients of other projects are fetched before, where there is a network.
server() {
    build test && "$VENV/bin/python" tests/clients/build.py && pytest test tests/server tests/scenarios
}

# Fewer at once: in many of them 300 ms of silence are an election.
cluster() {
    build test && pytest test -n $((CORES + 1)) tests/cluster
}

# What chaos needs and this machine has not; nothing if it can run.
chaos_lacks() {
    if [ "$(id -u)" -ne 0 ] || ! unshare --net --mount true 2>/dev/null; then
        echo "root, who may make namespaces"
    elif ! [ -c /dev/net/tun ]; then
        echo "/dev/net/tun"
    elif ! command -v go >/dev/null; then
        echo "Go"
    elif ! (cd tests/cluster/chaos && go build -o "$TOP/build/chaos/" ./...) >build/chaos.log 2>&1; then
        echo "its Go programs, which cannot be built (build/chaos.log)"
    fi
}

# A short form of what docs/reliability.md records.
chaos() {
    build test && COFFER_BIN=$TOP/build/test/coffer "$VENV/bin/python" tests/cluster/chaos/run.py \
        --seconds "$CHAOS_SECONDS" --longest 6
}

chaos_if_possible() {
    lacks=$(chaos_lacks)
    if [ -z "$lacks" ]; then
        step "chaos" chaos
    else
        say "chaos is LEFT OUT: it needs $lacks"
    fi
}

# fuzz_one TARGET: with what it found in earlier runs, and then for some seconds with what it makes up.
fuzz_one() {
    name=${1##*/fuzz_}
    corpus=build/fuzz/corpus/$name
    mkdir -p "$corpus"
    seeds=tests/fuzz/corpus/$name
    [ -d "$seeds" ] || seeds=
    # shellcheck disable=SC2086
    "$1" -max_total_time="$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="build/fuzz/$name-" \
        "$corpus" $seeds >"build/fuzz/$name.log" 2>&1 || tail -n 40 "build/fuzz/$name.log"
    printf '  %-24s %s\n' "$name" "$(grep -o 'Done [0-9]* runs.*' "build/fuzz/$name.log" || echo FAILED)"
}

# As many targets at once as there are cores.
fuzz() {
    build fuzz || return 1
    running=0
    for target in build/fuzz/tests/fuzz/fuzz_*; do
        [ -x "$target" ] && [ -f "$target" ] || continue
        fuzz_one "$target" &
        running=$((running + 1))
        [ $((running % CORES)) -ne 0 ] || wait
    done
    wait
    [ "$running" -gt 0 ] && [ -z "$(grep -L 'Done [0-9]* runs' build/fuzz/*.log)" ]
}

# sanitized PRESET MARKS: the unit tests, and the server's tests with these marks. WRAP comes before each command.
sanitized() {
    build "$1" || return 1
    status=0
    # The simulation is one thread on its own memory: a sanitizer would only make it slow.
    unit_tests "$1" -E '^sim_' || status=1
    COFFER_TEST_PATIENCE=6
    export COFFER_TEST_PATIENCE
    pytest "$1" -m "$2" tests/server tests/cluster || status=1
    unset COFFER_TEST_PATIENCE
    return $status
}

asan() {
    sanitized asan quick
}

# gcc's TSan cannot place its shadow memory where the kernel randomises addresses by more than 28 bits.
tsan() {
    WRAP="setarch $(uname -m) --addr-no-randomize"
    $WRAP true 2>/dev/null || WRAP=
    # It takes a descriptor that libuv has from io_uring for the one that had its number before.
    UV_USE_IO_URING=0
    export UV_USE_IO_URING
    status=0
    sanitized tsan "quick and not serial" || status=1
    unset UV_USE_IO_URING
    WRAP=
    return $status
}

main() {
    mkdir -p build
    sh deploy/install-deps.sh test || die "something could not be installed; see above"
    make_venv || die "the Python packages could not be installed; see above"
    export ASAN_OPTIONS="detect_stack_use_after_return=1"
    export UBSAN_OPTIONS="print_stacktrace=1"
    export TSAN_OPTIONS="second_deadlock_stack=1:suppressions=$TOP/tests/tsan.supp"
    export LSAN_OPTIONS="suppressions=$TOP/tests/lsan.supp"
    [ $# -gt 0 ] || set -- tour unit sim server cluster fuzz asan tsan
    build_ahead "$@"
    for part in "$@"; do
        case $part in
        tour) step "quickstart" tour ;;
        unit) step "unit tests" unit ;;
        sim) step "simulation" sim ;;
        server) step "one server" server ;;
        cluster) step "three servers" cluster ;;
        chaos) chaos_if_possible ;;
        fuzz) step "fuzzing" fuzz ;;
        asan) step "AddressSanitizer and UBSan" asan ;;
        tsan) step "ThreadSanitizer" tsan ;;
        *) die "unknown part '$part'; there are: tour unit sim server cluster chaos fuzz asan tsan" ;;
        esac
    done
    say "done"
    [ "$FAILED" -eq 0 ] || printf 'failed:%s\n' "$FAILED_NAMES"
    printf 'parts: %d passed, %d failed\n' "$PASSED" "$FAILED"
    [ "$FAILED" -eq 0 ]
}

main "$@"
