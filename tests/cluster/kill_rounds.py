#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rounds of kill -9 of the leader at random moments, while clients ask for AWS credentials that live for seconds.

    python3 tests/cluster/kill_rounds.py --rounds 100 [--seed N] [--clients 4] [--keep]

Afterwards: every credential that was acknowledged worked while its lease lasted and is dead soon after, and AWS
holds no user at all. Prints what it saw; ends with 0, or with 1 when anything was violated.
"""
import argparse
import dataclasses
import json
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time

import requests

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lib import settings  # noqa: E402
from lib.certs import Authority  # noqa: E402
from lib.cluster import Cluster  # noqa: E402
from lib.moto import Moto  # noqa: E402

EC2_ONLY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}
LEASE_S = 12
# From its end on: a failover, a walk of the new leader over what is due, and the calls to a slow AWS.
DEAD_WITHIN_S = 20


@dataclasses.dataclass
class Issued:
    access_key: str
    secret_key: str
    ends_at: float  # at the earliest


class Rounds:
    def __init__(self, cluster, moto, clients=4, seed=0):
        self.cluster, self.moto, self.random = cluster, moto, random.Random(seed)
        self.alive, self.issued, self.violations, self.refused = [], 0, [], 0
        self.lock, self.over = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self._ask, args=(seed + number,)) for number in range(clients)]
        self.threads.append(threading.Thread(target=self._check))

    def prepare(self):
        root = self.cluster.root
        root.write("sys/mounts/aws", type="aws").ok(204)
        root.write("aws/config/root", **self.moto.root_config()).ok(204)
        root.write("aws/config/lease", lease=f"{LEASE_S}s", lease_max="1h").ok(204)
        root.write("aws/roles/r", credential_type="iam_user", policy_document=json.dumps(EC2_ONLY)).ok(204)

    # ---- The clients ----

    def _ask(self, seed):
        choose = random.Random(seed)
        while not self.over.is_set():
            node = choose.choice(self.cluster.nodes)
            try:
                asked = time.monotonic()
                answer = node.client(self.cluster.root_token, timeout=30).read("aws/creds/r")
            except requests.RequestException:
                time.sleep(0.05)
                continue
            if answer.status == 200:
                # The lease counts from some moment after the question.
                self._note(Issued(answer.data["access_key"], answer.data["secret_key"],
                                  asked + answer.json["lease_duration"]))
            else:
                self.refused += answer.status != 307
                time.sleep(0.02)

    def _note(self, issued):
        with self.lock:
            self.alive.append(issued)
            self.issued += 1

    # ---- The check: one credential after the other, again and again ----

    def _may(self, issued):
        client = self.moto.client("ec2", issued.access_key, issued.secret_key)
        return self.moto.may(client.describe_instances)

    def _check(self):
        while not self.over.is_set():
            with self.lock:
                sample = self.random.sample(self.alive, min(4, len(self.alive)))
            for issued in sample:
                self._check_one(issued)
            time.sleep(0.05)

    def _check_one(self, issued):
        may = self._may(issued)
        now = time.monotonic()
        if now < issued.ends_at and may != "yes":
            self._violated(issued, f"was refused ({may}) {issued.ends_at - now:.1f} s before its end")
        if may != "yes":
            with self.lock:
                self.alive = [other for other in self.alive if other is not issued]
        elif now > issued.ends_at + DEAD_WITHIN_S * settings.PATIENCE:
            self._violated(issued, f"still works {now - issued.ends_at:.1f} s after its end")

    def _violated(self, issued, what):
        self.violations.append(f"{issued.access_key} {what}")

    # ---- The rounds ----

    def run(self, rounds, say=lambda line: None):
        for thread in self.threads:
            thread.start()
        try:
            for number in range(1, rounds + 1):
                time.sleep(self.random.uniform(0.2, 3.0))
                began = time.monotonic()
                dead = self.cluster.kill_leader()
                self.cluster.wait_leader()
                say(f"round {number}: {dead.name} killed, another leads after {time.monotonic() - began:.2f} s; "
                    f"{self.issued} credentials so far, {len(self.violations)} violations")
                self.cluster.revive(dead)
        finally:
            self.over.set()
            for thread in self.threads:
                thread.join()
        self._settle()

    def _settle(self):
        """Nobody asks any more: within a lease's time and some seconds all must be gone."""
        until = time.monotonic() + (LEASE_S + DEAD_WITHIN_S) * settings.PATIENCE
        while time.monotonic() < until and self.moto.users():
            time.sleep(0.2)
        for name in sorted(self.moto.users()):
            self.violations.append(f"user {name} is left in AWS")
        for issued in list(self.alive):
            self._check_one(issued)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=100)
    arguments.add_argument("--clients", type=int, default=4)
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    arguments.add_argument("--keep", action="store_true", help="leave the logs and data behind")
    given = arguments.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="coffer-kill-"))
    moto, cluster = None, None
    try:
        moto = Moto(folder)
        cluster = Cluster(folder, Authority(folder), 3).ready()
        rounds = Rounds(cluster, moto, given.clients, given.seed)
        rounds.prepare()
        print(f"seed {given.seed}, {given.rounds} rounds, logs in {folder}", flush=True)
        rounds.run(given.rounds, lambda line: print(line, flush=True))
    finally:
        for made in (cluster, moto):
            if made is not None:
                made.stop()
        if not given.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{given.rounds} rounds, {rounds.issued} credentials acknowledged, {rounds.refused} requests refused, "
          f"{len(rounds.violations)} violations")
    for violation in rounds.violations:
        print("  " + violation)
    return 1 if rounds.violations or rounds.issued == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
