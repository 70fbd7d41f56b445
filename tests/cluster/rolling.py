#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rolling restarts of three nodes behind the real HAProxy, while clients write and read through it.

    python3 tests/cluster/rolling.py --rounds 5                   clients follow 307 and try again after 503
    python3 tests/cluster/rolling.py --rounds 5 --forwarding      standbys forward; clients follow and repeat nothing
    python3 tests/cluster/rolling.py --rounds 5 --active          HAProxy sends to the active node alone

A client has a key of its own, writes the next number to it and reads it back: so a lost or an old answer is noticed, too.
Prints every failed request; ends with 0 when there was none.
"""
import argparse
import pathlib
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
from lib.haproxy import HAProxy  # noqa: E402
from lib.process import wait_for  # noqa: E402

PROXIED = 'proxy_protocol_behavior = "allow_authorized"\n  proxy_protocol_authorized_addrs = "127.0.0.1"'
FORWARDED_FOR = 'x_forwarded_for_authorized_addrs = "127.0.0.1"'
PATIENCE_S = 30  # of a client that tries again


class Client(threading.Thread):
    def __init__(self, load, number):
        super().__init__()
        self.load, self.path, self.number = load, f"kv/client-{number}", 0
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = load.ca_file
        self.session.headers["X-Vault-Token"] = load.token

    def run(self):
        while not self.load.over.is_set():
            self.number += 1
            if self._ask("POST", {"n": self.number}) is None:
                continue
            found = self._ask("GET")
            if found is not None and found.json()["data"]["n"] != self.number:
                self.load.fail(self, f"reads {found.json()['data']} after writing {self.number}")

    def _ask(self, method, body=None):
        """The answer, or None for a request that failed."""
        began = time.monotonic()
        while True:
            try:
                answer = self.session.request(method, f"{self.load.address}/v1/{self.path}", json=body, timeout=60,
                                              allow_redirects=self.load.follows)
            except requests.RequestException as problem:
                return self.load.fail(self, f"{method}: {problem!r}")
            took = time.monotonic() - began
            if answer.status_code in (200, 204):
                self.load.count(took)
                return answer
            if answer.status_code != 503 or not self.load.follows or took > PATIENCE_S * settings.PATIENCE:
                return self.load.fail(self, f"{method}: {answer.status_code} {answer.text!r}")
            self.load.repeated += 1
            time.sleep(float(answer.headers.get("Retry-After", 0.2)))


class Load:
    """Use it in a `with`: clients work from its beginning to its end."""

    def __init__(self, address, ca_file, token, clients, follows):
        self.address, self.ca_file, self.token, self.follows = address, str(ca_file), token, follows
        self.failures, self.done, self.repeated, self.slowest = [], 0, 0, 0.0
        self.lock, self.over, self.began = threading.Lock(), threading.Event(), time.monotonic()
        self.clients = [Client(self, number) for number in range(clients)]

    def count(self, took):
        with self.lock:
            self.done += 1
            self.slowest = max(self.slowest, took)

    def fail(self, client, what):
        with self.lock:
            self.failures.append(f"{time.monotonic() - self.began:8.2f} s  {client.path}: {what}")

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for client in self.clients:
            client.join()

    def figures(self):
        return (f"{self.done} requests, {self.repeated} answered 503 and repeated, the slowest {self.slowest:.2f} s, "
                f"{len(self.failures)} failed")


class Rolling:
    """A cluster behind HAProxy, and clients that go through it."""

    def __init__(self, folder, authority, forwarding=False, active=False, drain="3s"):
        self.follows = not forwarding
        extra = f'drain_time = "{drain}"\nrequest_forwarding = {"true" if forwarding else "false"}'
        self.cluster = Cluster(folder, authority, 0, config_extra=extra,
                               listener_extra=FORWARDED_FOR if active else PROXIED)
        self.haproxy = None
        self.config = "haproxy-active.cfg" if active else "haproxy.cfg"
        self.folder = folder

    def ready(self):
        for number in range(1, 4):
            self.cluster.add_node(f"node{number}")
        self.cluster.ready()
        self.cluster.root.write("sys/mounts/kv", type="kv").ok(204)
        self.haproxy = HAProxy(self.folder, self.config, self.cluster)
        self._wait_pool()
        return self

    def load(self, clients):
        return Load(self.haproxy.address, self.cluster.authority.ca_file, self.cluster.root_token, clients, self.follows)

    def _wait_pool(self):
        wanted = 1 if self.config == "haproxy-active.cfg" else 3
        wait_for("HAProxy has its servers back", lambda: sum(self.haproxy.states().values()) == wanted, timeout=30)

    def restart_all(self, say=lambda line: None):
        """One node after the other, the active one last."""
        leader = self.cluster.wait_leader()
        for node in [*(node for node in self.cluster.nodes if node is not leader), leader]:
            began = time.monotonic()
            node.stop()
            stopped = time.monotonic()
            node.start()
            node.unseal(self.cluster.keys)
            self.cluster.wait_leader()
            self.cluster.wait_level()
            self._wait_pool()
            say(f"  {node.name}{' (active)' if node is leader else ''}: stopped in {stopped - began:.1f} s, "
                f"back {time.monotonic() - stopped:.1f} s later")

    def stop(self):
        for made in (self.haproxy, self.cluster):
            if made is not None:
                made.stop()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--clients", type=int, default=8)
    arguments.add_argument("--forwarding", action="store_true")
    arguments.add_argument("--active", action="store_true")
    arguments.add_argument("--drain", default="3s")
    arguments.add_argument("--keep", action="store_true", help="leave the logs and data behind")
    given = arguments.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="coffer-rolling-"))
    rolling = Rolling(folder, Authority(folder), given.forwarding, given.active, given.drain)
    try:
        rolling.ready()
        with rolling.load(given.clients) as load:
            for number in range(1, given.rounds + 1):
                rolling.restart_all(lambda line: print(line, flush=True))
                print(f"round {number}: {load.figures()}", flush=True)
    finally:
        rolling.stop()
        if not given.keep:
            shutil.rmtree(folder, ignore_errors=True)
    seconds = time.monotonic() - load.began
    print(f"{3 * given.rounds} restarts in {seconds:.0f} s under {given.clients} clients: {load.figures()}")
    for failure in load.failures:
        print(failure)
    return 1 if load.failures or load.done == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
