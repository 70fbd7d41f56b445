# SPDX-License-Identifier: Apache-2.0
"""Restoring on several nodes: all end with the same state, whoever was away, whoever dies."""
import shutil
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


def foreign_snapshot(nodes, **options):
    """Another cluster's snapshot, and its keys."""
    other = nodes.cluster(1, **options)
    other.ready()
    other.root.write("sys/mounts/kv", type="kv").ok(204)
    other.root.write("kv/of", value="other").ok(204)
    return save(other), other.keys


def force(cluster, snapshot, keys):
    leader = cluster.wait_leader()
    restore(cluster, snapshot, "snapshot-force").ok(204)
    wait_for("all are sealed under the snapshot's keys", lambda: all(n.status()["sealed"] for n in cluster.running()))
    cluster.keys = keys
    for node in cluster.running():
        node.keys = keys
        node.unseal()
    wait_for("somebody leads", cluster.leader)
    return leader


def test_after_a_forced_restore_on_one_node_others_join_with_the_snapshots_keys(nodes):
    snapshot, keys = foreign_snapshot(nodes)
    cluster = nodes.cluster(1)
    cluster.ready()
    force(cluster, snapshot, keys)
    for name in ("node2", "node3"):
        cluster.join(cluster.add_node(name))
    cluster.wait_voters(3)
    former = cluster.kill_leader()
    leader = cluster.wait_leader(timeout=20 * PATIENCE, other_than=former)
    assert leader.client(cluster.root_token).read("kv/of").ok(200).data == {"value": "other"}
    cluster.revive(former)
    cluster.wait_level()


def vote_soon(cluster):
    """Newcomers get their vote at once. Leadership may move meanwhile: sealed leaders hand over."""
    wait_for("it is set", lambda: cluster.root.write("sys/storage/raft/autopilot/configuration",
                                                     server_stabilization_time="0s").status == 204)


@pytest.fixture
def forced(filled, nodes):
    """Three members on which another cluster's snapshot was forced, unsealed with its keys."""
    snapshot, keys = foreign_snapshot(nodes)
    force(filled, snapshot, keys)
    vote_soon(filled)
    return filled


def is_of_the_snapshot(cluster, node):
    """The node leads, serves the snapshot's state and takes writes."""
    if node is not cluster.wait_leader():
        cluster.root.write("sys/step-down", node_id=node.name).ok(204)
    wait_for(f"{node.name} leads", lambda: cluster.leader() is node)
    client = node.client(cluster.root_token)
    assert client.read("kv/of").ok(200).data == {"value": "other"}
    client.write(f"kv/{node.name}", value="new").ok(204)
    cluster.wait_level()


def test_after_a_forced_restore_on_several_nodes_others_join_and_may_lead(forced):
    fourth = forced.add_node("node4")
    forced.join(fourth, through=forced.wait_leader())
    forced.wait_voters(4)
    is_of_the_snapshot(forced, fourth)
    # Nor is it the first leader alone that lets others in.
    fifth = forced.add_node("node5")
    forced.join(fifth, through=fourth)
    forced.wait_voters(5)
    is_of_the_snapshot(forced, fifth)


def test_after_a_forced_restore_a_member_that_lost_its_disk_joins_again(forced):
    for lost in forced.standbys():
        lost.kill()
        shutil.rmtree(lost.data_dir)
        lost.data_dir.mkdir()
        lost.start()
        forced.join(lost, through=forced.wait_leader())
        forced.wait_voters(3)
        forced.wait_level()
    for node in forced.nodes:
        is_of_the_snapshot(forced, node)


def test_after_a_forced_restore_all_nodes_start_again_with_the_snapshots_keys(forced):
    fourth = forced.add_node("node4")
    forced.join(fourth, through=forced.wait_leader())
    forced.wait_voters(4)
    forced.kill_all()
    forced.revive(*forced.nodes)
    forced.wait_leader()
    forced.wait_level()
    is_of_the_snapshot(forced, fourth)
    is_of_the_snapshot(forced, forced.nodes[0])


def lag(cluster, node):
    """By how many entries a node is behind; a sealed one does not say it itself."""
    return cluster.root.read("sys/storage/raft/autopilot/state").ok(200).data["servers"][node.name]["behind"]


def test_a_member_that_is_still_sealed_after_a_forced_restore_trusts_newcomers_once_it_is_unsealed(filled, nodes):
    snapshot, keys = foreign_snapshot(nodes)
    away = filled.standbys()[0]
    away.kill()
    force(filled, snapshot, keys)
    vote_soon(filled)
    away.start()
    wait_for("it has the new state", lambda: lag(filled, away) == 0)
    filled.join(filled.add_node("node4"), through=filled.wait_leader())
    assert away.status()["sealed"] is True
    away.keys = keys
    away.unseal()
    filled.wait_voters(4)
    is_of_the_snapshot(filled, filled.nodes[-1])
    is_of_the_snapshot(filled, away)


def test_a_leader_that_is_alone_after_a_forced_restore_does_not_trust_the_former_authority_any_more(forced):
    leader = forced.wait_leader()
    former, trusted = ((leader.data_dir / "raft" / name) for name in ("ca.crt", "trusted.crt"))
    before = former.read_text()
    assert trusted.exists()
    others = forced.standbys()
    for node in others:
        forced.root.write("sys/storage/raft/remove-peer", server_id=node.name).ok(204)
        node.kill()
        shutil.rmtree(node.data_dir)
        node.data_dir.mkdir()
    for node in others:
        node.start()
        forced.join(node, through=leader)
    forced.wait_voters(3)
    assert former.read_text() != before and not trusted.exists()
    is_of_the_snapshot(forced, others[0])
