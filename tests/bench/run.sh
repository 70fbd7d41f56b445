#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Coffer beside OpenBao on this machine, in one run. About ten minutes.
#
#   sh tests/bench/run.sh                 everything; the figures go into docs/performance.md
#   sh tests/bench/run.sh --help          less of it, or longer
#   sh tests/bench/run.sh scale           what a million leases change; about half an hour
set -eu
cd "$(dirname "$0")/../.."
TOP=$PWD
VENV=$TOP/build/venv

sh deploy/install-deps.sh test
cmp -s tests/requirements.txt "$VENV/requirements.txt" || {
    python3 -m venv --clear "$VENV"
    "$VENV/bin/pip" install -q -r tests/requirements.txt
    cp tests/requirements.txt "$VENV/requirements.txt"
}
if [ -z "${COFFER_BIN:-}" ]; then
    cmake --preset release -DCOFFER_TESTS=OFF >build/release.configure.log
    cmake --build --preset release --target coffer -- --quiet
    export COFFER_BIN="$TOP/build/release/coffer"
fi
bench=bench
[ "${1:-}" != scale ] || { bench=scale; shift; }
PYTHONPATH=$TOP/tests:$TOP/tests/bench exec "$VENV/bin/python" "tests/bench/$bench.py" "$@"
