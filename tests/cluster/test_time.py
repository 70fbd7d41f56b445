# SPDX-License-Identifier: Apache-2.0
"""The cluster's time with several nodes, whose wall clocks disagree."""
import time

import pytest

from lib.process import wait_for

pytestmark = pytest.mark.coffer_only

HOUR, WEEK = 3600, 7 * 24 * 3600


@pytest.fixture
def clocks(nodes):
    """Three nodes whose clocks can be moved."""
    return nodes.cluster(3, faults=True).ready()


def new_token(cluster, ttl):
    return cluster.root.write("auth/token/create", ttl=ttl, policies=["default"]).ok(200).auth["client_token"]


def lookup(cluster, token):
    return cluster.wait_leader().client(token).read("auth/token/lookup-self")


def ttl_left(cluster, token):
    return lookup(cluster, token).ok(200).data["ttl"]


@pytest.mark.parametrize("shift", [HOUR, -HOUR])
def test_a_new_leader_with_a_wrong_clock_does_no_harm(clocks, shift):
    old = clocks.wait_leader()
    for node in clocks.standbys():
        node.faults.shift_clock(shift)
    hour, short = new_token(clocks, "1h"), new_token(clocks, "20s")
    began = time.monotonic()
    old.kill()
    clocks.wait_leader(other_than=old)
    took = time.monotonic() - began
    assert HOUR - 30 - took < ttl_left(clocks, hour) <= HOUR
    assert lookup(clocks, short).status == 200 or time.monotonic() - began > 18
    wait_for("the short one ends", lambda: lookup(clocks, short).status == 403, timeout=30)
    assert time.monotonic() - began >= 18


def test_one_wrong_clock_does_no_harm_when_all_start_anew(clocks):
    hour = new_token(clocks, "1h")
    clocks.kill_all()
    clocks.nodes[0].faults.shift_clock(WEEK)
    clocks.revive(*clocks.nodes)
    assert ttl_left(clocks, hour) > HOUR - 120
    clocks.kill_all()
    clocks.nodes[0].faults.shift_clock(-WEEK)
    clocks.revive(*clocks.nodes)
    assert ttl_left(clocks, hour) > HOUR - 240


def test_after_a_week_off_time_catches_up(clocks):
    hour, month = new_token(clocks, "1h"), new_token(clocks, "720h")
    clocks.kill_all()
    for node in clocks.nodes:
        node.faults.shift_clock(WEEK)
    clocks.revive(*clocks.nodes)
    assert lookup(clocks, hour).status == 403
    assert 22 * 24 * HOUR < ttl_left(clocks, month) <= 23 * 24 * HOUR


def test_a_node_that_was_restarted_learns_the_time_from_the_others(clocks):
    """Though its own clock, and that of a majority, is a week behind by then."""
    standby = clocks.standbys()[0]
    created = lookup(clocks, new_token(clocks, "1h")).data["creation_time"]
    for node in clocks.nodes:
        node.faults.shift_clock(-WEEK)
    standby.restart()
    standby.unseal(clocks.keys)

    def skew():
        return standby.client().read("sys/health", standbyok=True).ok(200).json["clock_skew_ms"]
    wait_for("it knows the time", lambda: -WEEK * 1000 - 5000 < skew() < -WEEK * 1000 + 5000)
    clocks.kill_leader()
    clocks.wait_leader()
    assert lookup(clocks, new_token(clocks, "1h")).data["creation_time"] >= created


def test_nodes_that_join_with_wrong_clocks_lead_by_the_clusters_time(nodes):
    cluster = nodes.cluster(1, faults=True).ready()
    created, hour = time.time(), new_token(cluster, "1h")
    for name, shift in (("node2", HOUR), ("node3", -HOUR)):
        joiner = cluster.add_node(name)
        joiner.faults.shift_clock(shift)
        cluster.join(joiner)
    cluster.wait_voters(3)
    for name in ("node2", "node3", "node1"):
        leader = cluster.wait_leader()
        leader.client(cluster.root_token).write("sys/step-down", node_id=name).ok(204)
        assert cluster.wait_leader(other_than=leader).name == name
        left = ttl_left(cluster, hour)
        assert -30 < left - (created + HOUR - time.time()) < 30
