# SPDX-License-Identifier: Apache-2.0
"""Does the suite notice? Each row is a mistake planted in the server (built with fault injection) and who must find it."""
import dataclasses
import os
import re
import subprocess
import sys

SEEDS = 5
SECONDS = 25


@dataclasses.dataclass(frozen=True)
class Planted:
    name: str
    failpoints: str  # the mistake; and sleeps that give it more time to show
    faults: str
    found_by: tuple  # checks, one of which must be violated


PLANTED = (
    Planted("acknowledge before durable", "bug.ack_before_durable=error,raft.before_append=sleep:20", "kill-all",
            ("no acknowledged write is lost", "every key is linearizable", "each node comes back")),
    Planted("read without the leadership check", "bug.read_without_leadership=error,core.before_deactivate=sleep:100",
            "pause-leader",
            ("every key is linearizable",)),
    Planted("dropped intent", "bug.dropped_intent=error", "kill-leader",
            ("AWS has a user for each lease and no other",)),
    Planted("expiry by wall clock", "bug.time_of_the_wall_clock=error", "clock-leader,clock-all",
            ("no lease is revoked early", "no lease is revoked late")),
)


def find(planted, first_seed, run):
    """The seed that shows it, or None."""
    for seed in range(first_seed, first_seed + SEEDS):
        command = [sys.executable, str(run), "--seconds", str(SECONDS), "--seed", str(seed), "--faults", planted.faults,
                   "--pairs", "0", "--longest", "3", "--failpoints", planted.failpoints]
        ran = subprocess.run(command, text=True, capture_output=True, check=False, env=os.environ)
        found = [line.strip() for line in ran.stdout.splitlines() if line.strip().startswith(planted.found_by)]
        if ran.returncode == 1 and found:
            print(f"noticed: {planted.name}, seed {seed}: {found[0]}\n  again: {' '.join(command)}", flush=True)
            return seed
        said = re.findall(r"^\d+ violations$", ran.stdout, re.M)
        print(f"  {planted.name}, seed {seed}: not yet ({said[-1] if said else ran.stderr[-500:]})", flush=True)
    print(f"NOT noticed: {planted.name}", flush=True)
    return None


def run_all(first_seed, run):
    found = [find(planted, first_seed, run) is not None for planted in PLANTED]
    print(f"{sum(found)} of {len(found)} planted bugs noticed")
    return 0 if all(found) else 1
