# SPDX-License-Identifier: Apache-2.0
"""What was acknowledged stays: under kills, pauses, partitions, and new members."""
import threading
import time

import pytest

from lib.process import wait_for
from lib.wire import Wire

pytestmark = pytest.mark.coffer_only


class Writers:
    """Threads that write to whoever leads and note what was acknowledged. Use it in a `with`."""

    def __init__(self, cluster, count=4):
        self.cluster, self.acknowledged, self.stop = cluster, [], threading.Event()
        self.threads = [threading.Thread(target=self._write, args=(number,)) for number in range(count)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def _write(self, writer):
        clients = [node.client(self.cluster.root_token, timeout=3) for node in self.cluster.nodes]
        number, at = 0, 0
        while not self.stop.is_set():
            name = f"{writer}-{number}"
            try:
                if clients[at].write(f"kv/{name}", x=name).status == 204:
                    self.acknowledged.append(name)
                    number += 1
                    continue
            except OSError:
                pass
            # An answer that did not come, or a redirect: the same write again, elsewhere. It is the same value.
            at = (at + 1) % len(clients)
            time.sleep(0.01)

    def wait_more(self, count, timeout=30):
        goal = len(self.acknowledged) + count
        wait_for(f"{count} more writes", lambda: len(self.acknowledged) >= goal, timeout)

    def lost(self):
        client = self.cluster.root
        return [name for name in self.acknowledged if client.read(f"kv/{name}").data != {"x": name}]


@pytest.fixture
def kv(cluster):
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)
    return cluster


@pytest.mark.quick
def test_an_acknowledged_write_survives_kill_9_of_all_nodes(kv):
    with Writers(kv) as writers:
        for _ in range(2):
            writers.wait_more(60)
            kv.kill_all()
            kv.revive(*kv.nodes)
            kv.wait_leader()
    assert not writers.lost() and len(writers.acknowledged) >= 120


def test_an_acknowledged_write_survives_the_death_of_leaders(kv):
    with Writers(kv) as writers:
        for _ in range(4):
            writers.wait_more(60)
            old = kv.kill_leader()
            writers.wait_more(60)
            kv.revive(old)
            kv.wait_voters(3)
    assert not writers.lost()


def test_a_paused_leader_comes_back_as_a_standby_and_serves_nothing_stale(kv):
    kv.root.write("kv/a", x="old").ok(204)
    old = kv.wait_leader()
    held = old.client(kv.root_token, timeout=20)
    held.read("kv/a").ok(200)
    old.process.pause()
    try:
        new = wait_for("another node leads", lambda: _other_leader(kv, old))
        new.client(kv.root_token).write("kv/a", x="new").ok(204)
    finally:
        old.process.resume()
    # On the connection it had, at once after waking: the new value by way of the leader, or an error. Never the old one.
    for _ in range(50):
        answer = held.read("kv/a")
        assert answer.status in (307, 500, 503) or answer.data == {"x": "new"}, answer
    wait_for("the old leader stands by", lambda: old.health() == 429)


def _other_leader(cluster, old):
    for node in cluster.nodes:
        if node is not old and node.health() == 200:
            return node
    return None


def test_without_a_majority_nothing_is_served_and_it_recovers(kv):
    kv.root.write("kv/a", x="1").ok(204)
    leader, others = kv.wait_leader(), kv.standbys()
    client = leader.client(kv.root_token, timeout=20)
    for node in others:
        node.kill()
    time.sleep(2)
    for answer in (client.read("kv/a"), client.write("kv/a", x="2")):
        assert answer.status in (500, 503), answer
    assert leader.health() != 200
    kv.revive(others[0])
    kv.wait_leader()
    assert kv.root.read("kv/a").ok(200).data in ({"x": "1"}, {"x": "2"})
    kv.root.write("kv/b", x="1").ok(204)


def test_a_node_that_was_away_long_catches_up(kv):
    away = kv.standbys()[0]
    away.kill()
    client = kv.root
    for number in range(300):
        client.write(f"kv/{number}", x="y" * 2000).ok(204)
    kv.revive(away)
    kv.wait_level(timeout=30)
    # It must have everything: let it be the one that serves.
    for node in kv.nodes:
        if node is not away:
            node.process.stop()
            node.start()
    wait_for("the node that was away serves", lambda: away.health() == 200)
    for number in (0, 150, 299):
        away.client(kv.root_token).read(f"kv/{number}").ok(200)


def test_a_new_node_on_an_old_cluster_gets_everything(kv):
    client = kv.root
    for number in range(200):
        client.write(f"kv/{number}", x=str(number)).ok(204)
    fourth = kv.add_node("node4")
    kv.join(fourth, through=kv.wait_leader())
    kv.wait_voters(4)
    kv.wait_level(timeout=30)
    kv.root.write("sys/storage/raft/remove-peer", server_id=kv.standbys()[0].name).ok(204)
    kv.wait_voters(3)
    kv.root.write("kv/after", x="1").ok(204)


def test_a_node_cut_off_from_its_peers_does_not_serve_and_does_not_disturb_when_it_is_back(nodes):
    cluster = nodes.cluster(0)
    wires = {}
    for number in (1, 2, 3):
        node = cluster.add_node(f"node{number}", start=False)
        wires[node.name] = Wire(node.cluster_port)
        node.cluster_addr_port = wires[node.name].port
        node.start()
    try:
        cluster.ready()
        cluster.root.write("sys/mounts/kv", type="kv").ok(204)
        cluster.root.write("kv/a", x="1").ok(204)
        follower = cluster.standbys()[0]
        leader = cluster.wait_leader()
        wires[follower.name].cut()
        time.sleep(3)
        for _ in range(10):
            cluster.root.write("kv/a", x="2").ok(204)
        wires[follower.name].heal()
        time.sleep(2)
        assert cluster.wait_leader() is leader, "a returning node unseated the leader"
        cluster.wait_level()
    finally:
        for wire in wires.values():
            wire.stop()


def test_nothing_planted_goes_over_the_wire_between_nodes(nodes):
    cluster = nodes.cluster(0)
    wires = []
    for number in (1, 2, 3):
        node = cluster.add_node(f"node{number}", start=False)
        wires.append(Wire(node.cluster_port))
        node.cluster_addr_port = wires[-1].port
        node.start()
    try:
        cluster.ready(3, 2)
        root = cluster.root
        root.write("sys/mounts/kv", type="kv").ok(204)
        root.write("kv/PLANTED-path/leaf", value="PLANTED-secret").ok(204)
        token = root.write("auth/token/create").ok(200).auth["client_token"]
        cluster.wait_level()
        seen = b"".join(bytes(wire.seen) for wire in wires)
        assert len(seen) > 10_000, "nothing went through the proxies"
        for planted in ("PLANTED-path", "PLANTED-secret", token, cluster.root_token, *cluster.keys.shares):
            assert planted.encode() not in seen
    finally:
        for wire in wires:
            wire.stop()
