#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The long form of the simulation: sim.sh PATH-OF-coffer_sim [SEEDS] [SECONDS]
# Runs SEEDS (2000) clusters of SECONDS (120) each on two processors, then looks for each planted bug.
set -u
sim=${1:?usage: sim.sh PATH-OF-coffer_sim [SEEDS] [SECONDS]}
seeds=${2:-2000}
seconds=${3:-120}
step=$((seeds / 20 > 0 ? seeds / 20 : 1))
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
failed=0

run_half() { # from: every other slice of the seeds, from here on
    from=$1
    while [ "$from" -le "$seeds" ]; do
        to=$((from + step - 1 < seeds ? from + step - 1 : seeds))
        "$sim" --seeds "$from-$to" --seconds "$seconds" >"$out/$from" 2>&1 || echo "$from-$to" >>"$out/failed"
        echo "seeds $from-$to: $(grep -c '^seed ' "$out/$from") bad"
        from=$((from + 2 * step))
    done
}

echo "== $seeds seeds, $seconds s each"
run_half 1 &
first=$!
run_half $((1 + step)) &
wait $first $!
if [ -e "$out/failed" ]; then
    cat "$out"/[0-9]* | grep '^seed '
    failed=1
fi

echo "== planted bugs: each must be noticed"
for bug in ack-before-durable vote-not-persisted no-r1a no-r1b no-r2 no-r3 no-promise restore-beside-log restore-no-pause restore-any-epoch; do
    if "$sim" --seeds 1-6000 --seconds 60 --bug "$bug" >"$out/bug" 2>&1; then
        echo "$bug: $(tail -n 2 "$out/bug" | tr '\n' ' ')"
    else
        echo "$bug: NOT NOTICED"
        failed=1
    fi
done
[ "$failed" = 0 ] && echo "all good"
exit "$failed"
