# SPDX-License-Identifier: Apache-2.0
"""What faults happen to: a cluster whose nodes have each a network, a small disk and a clock of their own, and an AWS."""
import concurrent.futures
import json
import pathlib
import subprocess
import threading
import time

import requests

from lib import settings
from lib.certs import Authority
from lib.cluster import Cluster
from lib.moto import Moto
from lib.node import Bao, Coffer
from lib.process import BUG, wait_for

from .network import OUTSIDE, Network

DISK_MB = 256
BUILT = settings.TOP / "build"
SERVED_WITHIN_S = 3


class DirectBao(Bao):
    """Reads go to the active node: its standbys answer from what they have, which is old at times even without a fault."""

    def config(self):
        return super().config() + "disable_standby_reads = true\n"


class Stalls:
    """When this program did not get to run, though it wanted to: the machine's fault, not the cluster's."""
    STEP_S = 0.05

    def __init__(self):
        self.all = []
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        while True:
            began = time.monotonic()
            time.sleep(self.STEP_S)
            if time.monotonic() - began > 2 * self.STEP_S:
                self.all.append((began + self.STEP_S, time.monotonic()))

    def lost_s(self, since, until):
        return sum(max(0.0, min(end, until) - max(begin, since)) for begin, end in self.all)


class Beyond(Exception):
    """What is broken now cannot be mended: no use in going on."""


class World:
    def __init__(self, folder, size, server="coffer", failpoints=""):
        self.folder, self.server = folder, server
        self.began = time.monotonic()
        self.violations, self.digests, self.faulty = [], {}, []
        self.lock, self.stalls = threading.Lock(), Stalls()
        self.events = open(folder / "events.jsonl", "w", buffering=1, encoding="utf-8")
        names = [f"node{number}" for number in range(1, size + 1)]
        self.network = Network(names, BUILT / "chaos" / "network")
        self.authority = Authority(folder)
        self.moto = Moto(folder, self.network.addresses[OUTSIDE]) if server == "coffer" else None
        self.cluster = Cluster(folder, self.authority, 0, cls={"coffer": Coffer, "bao": DirectBao}[server])
        self.may_die, self.outsiders = set(), set()
        self.pool = concurrent.futures.ThreadPoolExecutor(2 * size)
        for name in names:
            self._add_node(name, failpoints)
        self.cluster.ready()
        self.nodes = self.cluster.nodes

    def _add_node(self, name, failpoints):
        home = self.folder / name
        data = home / "data"
        data.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(data)], check=True)
        node = self.cluster.add_node(name, data_dir=data, host=self.network.addresses[name], start=False,
                                     env={"COFFER_FAILPOINTS": failpoints}, launcher=self.network.launcher(name))
        if self.server == "coffer":  # a program in Go makes its system calls itself
            node.faults.clear()
        node.start()

    # ---- What is said ----

    def note(self, what, **more):
        with self.lock:
            self.events.write(json.dumps({"t": round(time.monotonic() - self.began, 3), "what": what, **more}) + "\n")

    def violated(self, check, what):
        self.note("violation", check=check, text=what)
        with self.lock:
            self.violations.append((check, f"{what} (at {time.monotonic() - self.began:.1f} s)"))

    # ---- When there were no faults ----

    def fault_begins(self):
        self.faulty.append([time.monotonic(), None])

    def fault_is_healed(self):
        self.faulty[-1][1] = time.monotonic()

    def calm_since(self, when):
        """For how many seconds since then there has been no fault in one go, up to now."""
        last = self.faulty[-1] if self.faulty else [0, 0]
        return time.monotonic() - max(when, last[1] if last[1] is not None else time.monotonic())

    # ---- Who is who ----

    @property
    def names(self):
        return {node.name for node in self.nodes}

    def health(self, node, timeout=0.5):
        try:
            return node.client(timeout=timeout).read("sys/health").status
        except requests.RequestException:
            return None

    def leader(self):
        """The node that says that it is active, or None. Does not wait for those that hang."""
        for node, health in zip(self.nodes, self.pool.map(self.health, self.nodes)):
            if health == 200:
                return node
        return None

    def others(self, node):
        return [other for other in self.nodes if other is not node]

    # ---- Making it well again ----

    def check_alive(self):
        """A node that ended although nobody killed it, and though its disk was well, has crashed."""
        for node in self.nodes:
            process = node.process
            if not process.is_running() and not process.was_killed and node.name not in self.may_die:
                self.violated("no node ends by itself", f"{node.name} ended with {process.proc.returncode}")
            if BUG.search(process.tail(200)):
                self.violated("no node ends by itself", f"{node.name} reports a bug of its own: see {process.log}")
        self.may_die.clear()

    def mend(self):
        """Whoever does not run is started, whoever is sealed is unsealed."""
        self.check_alive()
        list(self.pool.map(self._mend_node, [node for node in self.nodes if node.name not in self.outsiders]))

    def _mend_node(self, node):
        try:
            if not node.process.is_running():
                node.start()
            wait_for(f"{node.name} is unsealed", lambda: self._unseal(node), timeout=20)
        except AssertionError as problem:
            self.violated("each node comes back", f"{problem.args[0].splitlines()[0]} {node.process.tail(1)}")
            raise Beyond from problem

    def _unseal(self, node):
        assert node.process.is_running(), f"{node.name} has ended again:"
        try:
            if node.status()["sealed"]:
                node.unseal(self.cluster.keys)
        except requests.RequestException:
            return False
        return True

    def wait_served(self):
        """Until a write through any node succeeds; a violation when that takes longer than it may. Returns how long."""
        since, served = time.monotonic(), []
        until = since + 60 * settings.PATIENCE

        def probe(node):
            while not served and time.monotonic() < until:
                if self._can_write(node):
                    served.append(time.monotonic())
                time.sleep(0.02)
        list(self.pool.map(probe, self.nodes))
        end = min(served, default=until)
        took = end - since - self.stalls.lost_s(since, end)
        if took > SERVED_WITHIN_S * settings.PATIENCE:
            self.violated("service again within 3 s of healing", f"it took {took:.1f} s")
        return took

    def _can_write(self, node):
        client = node.client(self.cluster.root_token, timeout=1)
        try:
            return client.request("POST", "kv/data/served", body={"data": {"x": "y"}}, redirects=True).status == 200
        except requests.RequestException:
            return False

    # ---- Looking at what is on the disks ----

    def take_digests(self):
        """Of nodes that are down: at the same index all must have the same state."""
        folders = [node.data_dir for node in self.nodes if (node.data_dir / "state").exists()]
        if self.server != "coffer" or not folders:
            return []
        digest = pathlib.Path(settings.coffer_bin()).parent / "tests/cluster/coffer_digest"  # of the same build
        printed = subprocess.run([digest, *folders], text=True, capture_output=True, check=False)
        if printed.returncode != 0:
            self.violated("equal state at equal index", f"a node's files cannot be read: {printed.stderr.strip()}")
        seen = [tuple(line.split()) for line in printed.stdout.splitlines()]
        for index, digest in seen:
            if self.digests.setdefault(index, digest) != digest:
                self.violated("equal state at equal index", f"two nodes differ at index {index}")
        return seen

    def wait_level(self):
        """Until all nodes have applied the same, with nobody asking for anything."""
        def applied():
            found = set(self.pool.map(Cluster._applied, self.nodes))
            return len(found) == 1 and -1 not in found
        wait_for("all nodes have applied the same", applied, timeout=60)

    def stop(self):
        """No more is expected of anything."""
        for process in [node.process for node in self.cluster.nodes] + [self.moto.process if self.moto else None]:
            if process is not None:
                process.kill()
        self.network.stop()
        self.events.close()
