#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Faults, one after the other and two at a time, in a real cluster under load; and a look at what it promised.

    build/venv/bin/python tests/cluster/chaos/run.py --seconds 300 [--seed N] [--nodes 5] [--faults kill,clock-all]
    build/venv/bin/python tests/cluster/chaos/run.py --self-test        each planted bug is noticed
    build/venv/bin/python tests/cluster/chaos/run.py --server bao …     the same with OpenBao

Needs root, Go, and the test preset built. All of it lives in namespaces of its own, so that nothing is left behind.
Ends with 0, or with 1 when anything was violated: then with the seed, the command that repeats it, and the logs.
"""
import argparse
import math
import os
import pathlib
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import requests

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from cluster.chaos import checks, faults, selftest  # noqa: E402
from cluster.chaos.load import Load  # noqa: E402
from cluster.chaos.world import BUILT, Beyond, World  # noqa: E402
from lib import settings  # noqa: E402

INSIDE = "CHAOS_INSIDE"
CALM_S = (0.5, 2.5)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300, help="for how long faults happen")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--faults", default="", help=f"all, or some of: {' '.join(faults.FAULTS)}")
    parser.add_argument("--without", default="", help="all but these")
    parser.add_argument("--pairs", type=float, default=0.3, help="how often two happen at once")
    parser.add_argument("--longest", type=float, default=60, help="seconds that a fault may last")
    parser.add_argument("--server", choices=("coffer", "bao"), default="coffer")
    # The state's file is written anew all the time, so that each fault may happen amid it.
    parser.add_argument("--failpoints", default="store.compact_always=error",
                        help="COFFER_FAILPOINTS of the nodes (src/base/failpoint.h)")
    parser.add_argument("--self-test", action="store_true", help="plant bugs, and see that each is noticed")
    parser.add_argument("--keep", action="store_true", help="keep the logs of a good run, too")
    return parser.parse_args()


def enter_namespaces():
    """This program again, as the first process of namespaces that end with it."""
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
               sys.executable, str(HERE / "run.py"), *sys.argv[1:]]
    os.execvpe(command[0], command, {**os.environ, INSIDE: "yes"})


def build():
    (BUILT / "chaos").mkdir(parents=True, exist_ok=True)
    subprocess.run(["go", "build", "-o", f"{BUILT / 'chaos'}/", "./..."], cwd=HERE, check=True)


# ---- The faults ----

class Run:
    def __init__(self, world, given):
        self.world, self.given = world, given
        self.choose = random.Random(given.seed)
        self.table = [fault for fault in faults.named(given.faults, given.without, given.server)
                      if fault.lasts[0] < given.longest]
        self.happened = {}
        self.served = []

    def go(self):
        until = time.monotonic() + self.given.seconds
        number = 0
        while time.monotonic() < until:
            time.sleep(self.choose.uniform(*CALM_S))
            number += 1
            chosen = self.choose.sample(self.table, min(2, len(self.table)))
            is_pair = self.choose.random() < self.given.pairs and chosen[-1].name not in chosen[0].not_with \
                and chosen[0].name not in chosen[-1].not_with
            self.round(number, chosen if is_pair else chosen[:1])

    def round(self, number, chosen):
        """Begins the faults one shortly after the other, waits, undoes them, and waits until there is service."""
        world = self.world
        world.fault_begins()
        undo = []
        for fault in chosen:
            world.note("begin", fault=fault.name)
            undo.append((fault, fault.begin(world, self.choose)))
            time.sleep(self.choose.uniform(0, 0.5))
            self.happened[fault.name] = self.happened.get(fault.name, 0) + 1
        low, high = (max(lasts) for lasts in zip(*(fault.lasts for fault in chosen)))
        held = min(self.choose.uniform(low, high), self.given.longest)
        time.sleep(held)
        for fault, begun in sorted(undo, key=lambda done: done[0].last_to_heal):
            self.heal(fault, begun)
        world.mend()
        world.fault_is_healed()
        took = world.wait_served()
        world.note("served", after=round(took, 3))
        self.served.append(took)
        names = " + ".join(fault.name for fault in chosen)
        print(f"{number:4} {names}: {held:.1f} s; served {took:.2f} s after healing; "
              f"{len(world.violations)} violations", flush=True)

    def heal(self, fault, begun):
        try:
            fault.heal(self.world, begun)
        except (AssertionError, requests.RequestException) as problem:
            self.world.violated("each node comes back", f"{fault.name} cannot be undone: {problem}")
            raise Beyond from problem
        self.world.note("healed", fault=fault.name)

    def summary(self, load):
        count = sum(self.happened.values())
        print(f"{count} faults in {len(self.served)} rounds, {self.given.nodes} nodes, seed {self.given.seed}: "
              + ", ".join(f"{name} {times}" for name, times in sorted(self.happened.items())))
        if self.served:
            lost = self.world.stalls.lost_s(0, math.inf)
            ordered = sorted(self.served)
            print(f"served again after healing: median {ordered[len(ordered) // 2]:.2f} s, worst {ordered[-1]:.2f} s; "
                  f"not counted: {lost:.1f} s in which this program could not run")
        print("answers: " + ", ".join(f"{what} {times}" for what, times in sorted(load.statuses.items())))


def carry_out(given, folder):
    world = World(folder, given.nodes, given.server, given.failpoints)
    try:
        load = Load(world, given.seed)
        load.prepare()
        load.start()
        run = Run(world, given)
        try:
            run.go()
            load.stop()
            checks.check_all(world, load)
        except Beyond:
            load.stop()
        run.summary(load)
        return world.violations
    finally:
        world.stop()


def repeat_command(given):
    which = [f"COFFER_BIN={os.environ['COFFER_BIN']}"] if "COFFER_BIN" in os.environ else []
    seed = [] if "--seed" in sys.argv else ["--seed", str(given.seed)]
    return shlex.join([*which, sys.executable, *sys.argv, *seed])


def make_folder():
    """In memory: a disk that is busy with other things must not stop clients and nodes."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="coffer-chaos-"))
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    return folder


def kept_folder(folder):
    return folder.with_name(folder.name + "-logs")


def report(given, folder, violations):
    print(f"{len(violations)} violations")
    for check, what in violations[:50]:
        print(f"  {check}: {what}")
    if violations:
        print(f"seed {given.seed}; again: {repeat_command(given)}")
    if violations or given.keep:
        shutil.copytree(folder, kept_folder(folder), ignore=shutil.ignore_patterns("data"))
        print(f"logs in {kept_folder(folder)}")
    subprocess.run(["umount", "-l", folder], check=False)
    folder.rmdir()


def main():
    given = arguments()
    if os.geteuid() != 0:
        raise SystemExit("the chaos suite needs root: it makes network namespaces")
    if given.self_test:
        return selftest.run_all(given.seed, HERE / "run.py")
    if INSIDE not in os.environ:
        build()  # before there is no network: Go may have to get its modules
        enter_namespaces()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the first process of a namespace has no default for it
    folder = make_folder()
    program = settings.coffer_bin() if given.server == "coffer" else settings.bao_bin()
    print(f"seed {given.seed}, {given.nodes} nodes, {program}", flush=True)
    violations = carry_out(given, folder)
    report(given, folder, violations)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
