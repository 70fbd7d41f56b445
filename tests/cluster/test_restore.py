# SPDX-License-Identifier: Apache-2.0
"""Restoring on several nodes: all end with the same state, whoever was away, whoever dies."""
import threading

import pytest
import requests

from lib.process import wait_for
from lib.settings import PATIENCE

pytestmark = pytest.mark.coffer_only

RAW = {"Content-Type": "application/octet-stream"}


def save(cluster):
    return cluster.root.read("sys/storage/raft/snapshot").ok(200).raw


def restore(cluster, snapshot, path="snapshot"):
    client = cluster.wait_leader().client(cluster.root_token, timeout=300)
    return client.request("POST", f"sys/storage/raft/{path}", raw=snapshot, headers=RAW)


def fill(cluster, count, value):
    for number in range(count):
        cluster.root.write(f"kv/k{number}", value=value).ok(204)


@pytest.fixture
def filled(cluster):
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)
    fill(cluster, 5, "before")
    return cluster


class Load:
    """Writes all the time, and counts what was acknowledged; errors of a moment are part of it."""

    def __init__(self, cluster):
        self.leader, self.token = cluster.wait_leader(), cluster.root_token
        self.acknowledged, self.stopping, self.unexpected = 0, False, []
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        client = self.leader.client(self.token, timeout=30)
        while not self.stopping:
            try:
                answer = client.write("kv/load", value=str(self.acknowledged))
            except requests.RequestException:
                continue
            if answer.status == 204:
                self.acknowledged += 1
            elif answer.status not in (307, 500, 503):
                self.unexpected.append(answer)

    def __enter__(self):
        self.thread.start()
        wait_for("the load runs", lambda: self.acknowledged > 5)
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()


def test_a_restore_under_load_leaves_all_nodes_with_the_snapshots_state(filled):
    snapshot = save(filled)
    fill(filled, 5, "after")
    with Load(filled) as load:
        restore(filled, snapshot).ok(204)
        before = load.acknowledged
        wait_for("writes go on", lambda: load.acknowledged > before + 5)
    assert not load.unexpected
    filled.wait_level()
    # Whoever leads next serves the same.
    former = filled.kill_leader()
    leader = filled.wait_leader(timeout=20 * PATIENCE, other_than=former)
    for number in range(5):
        assert leader.client(filled.root_token).read(f"kv/k{number}").ok(200).data == {"value": "before"}
    assert leader.client(filled.root_token).read("kv/load").ok(200)
    filled.revive(former)


def test_a_node_that_was_away_during_the_restore_has_the_same_state_afterwards(filled):
    away = filled.standbys()[0]
    snapshot = save(filled)
    away.kill()
    fill(filled, 5, "after")
    restore(filled, snapshot).ok(204)
    filled.revive(away)
    filled.wait_level()
    filled.root.write("sys/step-down")
    wait_for("somebody leads", filled.leader)
    others = [node for node in filled.nodes if node is not away]
    others[0].kill()
    for number in range(5):
        wait_for("it is served", lambda: filled.leader() is not None)
        assert filled.root.read(f"kv/k{number}").ok(200).data == {"value": "before"}
    filled.revive(others[0])


@pytest.mark.parametrize("point", ["restore.records", "restore.end"])
def test_a_leader_that_dies_amid_a_restore_leaves_the_old_state(nodes, point):
    cluster = nodes.cluster(0)
    armed = cluster.add_node("node1", env={"COFFER_FAILPOINTS": f"{point}=kill"})
    cluster.add_node("node2")
    cluster.add_node("node3")
    cluster.ready()
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)
    fill(cluster, 3, "before")
    snapshot = save(cluster)
    fill(cluster, 3, "after")
    with pytest.raises(requests.RequestException):
        restore(cluster, snapshot)
    wait_for("the armed leader is dead", lambda: not armed.process.is_running())
    armed.process.was_killed = True
    other = cluster.wait_leader(timeout=20 * PATIENCE, other_than=armed)
    for number in range(3):
        assert other.client(cluster.root_token).read(f"kv/k{number}").ok(200).data == {"value": "after"}
    # And it can be done again.
    restore(cluster, snapshot).ok(204)
    assert cluster.root.read("kv/k0").ok(200).data == {"value": "before"}
