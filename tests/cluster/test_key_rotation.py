# SPDX-License-Identifier: Apache-2.0
"""A rotation of the keyring on three nodes: whoever was there, was away, or dies in the middle goes on with it."""
import pytest

from lib.process import wait_for

pytestmark = pytest.mark.coffer_only


def term(cluster):
    return cluster.root.read("sys/key-status").ok(200).data["term"]


def new_token(cluster):
    return cluster.root.write("auth/token/create", policies=["root"]).ok(200).auth["client_token"]


def lead(cluster, node):
    """Has a node lead."""
    def leads():
        leader = cluster.wait_leader()
        if leader is not node:
            leader.root.write("sys/step-down", node_id=node.name)
        return cluster.wait_leader() is node
    wait_for(f"{node.name} leads", leads, every=0.5)


def test_a_standby_reads_what_the_new_term_has_encrypted(cluster):
    cluster.root.write("sys/rotate").ok(204)
    token = new_token(cluster)
    cluster.wait_level()
    for node in cluster.standbys():  # it answers this itself, and must look up the token for it
        assert node.client(token).read("sys/metrics").status == 200
        node.client("hvs.nobody").read("sys/metrics").refused(403)


def test_every_node_goes_on_with_the_term_also_one_that_was_down(cluster):
    away, *_ = cluster.standbys()
    cluster.root.write("cubbyhole/before", x="1").ok()
    away.kill()
    for number in range(3):
        cluster.root.write("sys/rotate").ok(204)
        cluster.root.write(f"cubbyhole/{number}", x=str(number)).ok()
    cluster.revive(away)
    cluster.wait_level()
    for node in cluster.nodes:
        lead(cluster, node)
        assert term(cluster) == 4
        assert [cluster.root.read(f"cubbyhole/{name}").ok(200).data["x"] for name in ("before", 0, 1, 2)] == list("1012")
        cluster.root.write(f"cubbyhole/{node.name}", x="1").ok()
    lead(cluster, away)
    cluster.root.write("sys/rotate").ok(204)
    assert term(cluster) == 5
    assert cluster.root.read("cubbyhole/node1").ok(200).data == {"x": "1"}


def test_a_leader_that_dies_before_it_uses_the_new_term_leaves_it_to_the_next(nodes):
    cluster = nodes.cluster(3).ready()
    first = cluster.wait_leader()
    cluster.root.write("cubbyhole/a", x="1").ok()
    first.stop()
    first.env["COFFER_FAILPOINTS"] = "rotate.after_commit=kill"
    cluster.revive(first)
    lead(cluster, first)
    with pytest.raises(Exception):
        first.root.write("sys/rotate")
    first.process.proc.wait()
    first.kill()
    cluster.wait_leader(other_than=first)
    assert term(cluster) == 2
    cluster.root.write("cubbyhole/b", x="2").ok()
    first.env.pop("COFFER_FAILPOINTS")
    cluster.revive(first)
    lead(cluster, first)
    assert (term(cluster), cluster.root.read("cubbyhole/a").data, cluster.root.read("cubbyhole/b").data) == \
        (2, {"x": "1"}, {"x": "2"})
