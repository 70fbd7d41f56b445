# SPDX-License-Identifier: Apache-2.0
"""Coffer and OpenBao side by side: each kind of fault by itself, and what did not hold. Prints a table for the docs.

    build/venv/bin/python tests/cluster/chaos/survey.py [--seconds 60] [--seed N]
"""
import argparse
import pathlib
import re
import subprocess
import sys

RUN = pathlib.Path(__file__).resolve().parent / "run.py"

KINDS = (
    ("kill -9 of the leader", "kill-leader"),
    ("kill -9 of two, of all", "kill-two,kill-all"),
    ("SIGTERM", "restart"),
    ("SIGSTOP", "pause-leader,pause-one"),
    ("leader isolated from its peers", "isolate-leader-from-peers"),
    ("leader isolated from all", "isolate-leader-from-all"),
    ("minority isolated, ring", "isolate-minority,ring"),
    ("messages one way only", "one-way"),
    ("delay, loss, reordering", "delay,loss,reorder"),
    ("full disk", "disk-full"),
    ("system calls that fail", "write-errors,sync-errors,no-space-errors"),
    ("wall clock by an hour", "clock"),
    ("seal, step-down", "seal,step-down"),
    ("member replaced", "member-replaced"),
)
CANNOT = ("write-errors", "clock")  # a program in Go makes its system calls itself


def what_was_violated(server, faults, given):
    if server == "bao" and faults.startswith(CANNOT):
        return "cannot be injected"
    ran = subprocess.run([sys.executable, str(RUN), "--server", server, "--seconds", str(given.seconds), "--seed",
                          str(given.seed), "--faults", faults, "--pairs", "0", "--longest", "8"],
                         text=True, capture_output=True, check=False)
    counted = re.search(r"^(\d+) faults", ran.stdout, re.M)
    if not counted:
        return f"did not run: {ran.stderr[-200:]}"
    found = re.findall(r"^  ([^:\n]+): (.*)$", ran.stdout[ran.stdout.rindex(" violations\n"):], re.M)
    kinds = {check: sum(check == other for other, _ in found) for check, _ in found}
    worst = re.search(r"worst ([\d.]+) s", ran.stdout)
    verdict = ", ".join(f"{check}: {times}" for check, times in kinds.items()) or "all held"
    return f"{verdict} ({counted.group(1)} faults; served after {worst.group(1) if worst else '?'} s at worst)"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=60, help="a kind")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--servers", default="coffer,bao")
    given = arguments.parse_args()
    servers = given.servers.split(",")
    print(f"| fault | {' | '.join(servers)} |\n|---{'|---' * len(servers)}|", flush=True)
    for title, faults in KINDS:
        print(f"| {title} | " + " | ".join(what_was_violated(server, faults, given) for server in servers) + " |", flush=True)


if __name__ == "__main__":
    main()
