# SPDX-License-Identifier: Apache-2.0
"""Rekeying and root tokens on three nodes: whatever dies when, one whole set of shares is good for all nodes."""
import pytest
import requests

from lib.ceremony import begin, give, rekey
from lib.node import Keys
from lib.process import wait_for

pytestmark = pytest.mark.coffer_only


@pytest.fixture
def cluster(nodes):
    """Three nodes; the key is in three shares, two of which unseal."""
    return nodes.cluster(3).ready(3, 2)


def opens(node, shares):
    """Gives shares to a sealed node."""
    answers = [node.api("PUT", "sys/unseal", key=share) for share in shares]
    return answers[-1].status == 200 and answers[-1].json["sealed"] is False


def test_a_node_that_was_down_opens_with_the_new_shares_and_has_all(cluster):
    away, *_ = cluster.standbys()
    away.kill()
    leader = cluster.wait_leader()
    done = rekey(leader, cluster.keys.shares[:2], secret_shares=3, secret_threshold=2)
    cluster.root.write("sys/rotate").ok(204)
    cluster.root.write("cubbyhole/a", x="1").ok()
    away.start()  # sealed, it catches up with the log all the same
    wait_for("it opens", lambda: opens(away, done["keys"][:2]))
    wait_for("it stands by", lambda: away.health() == 429)
    cluster.root.write("sys/step-down", node_id=away.name)
    wait_for("it leads", lambda: cluster.wait_leader() is away)
    assert cluster.root.read("cubbyhole/a").ok(200).data == {"x": "1"}


def test_new_nodes_join_with_the_new_shares_and_not_with_the_old_ones(cluster):
    old = cluster.keys
    done = rekey(cluster.wait_leader(), old.shares[:2], secret_shares=2, secret_threshold=2)
    newcomer, stranger = cluster.add_node("node4"), cluster.add_node("node5")
    body = {"leader_api_addr": cluster.wait_leader().address, "leader_ca_cert": cluster.authority.ca_file.read_text()}
    stranger.api("POST", "sys/storage/raft/join", **body).ok(200)
    answers = [stranger.api("PUT", "sys/unseal", key=share) for share in old.shares[:2]]
    assert answers[-1].status >= 400
    cluster.keys = Keys(done["keys"], 2, old.root_token)
    cluster.join(newcomer)
    cluster.wait_voters(4)


@pytest.mark.parametrize("point, has_happened", [("rekey.before_commit", False), ("rekey.after_commit", True)])
def test_a_leader_that_dies_in_the_middle_leaves_the_old_shares_or_the_new_ones_in_force(nodes, point, has_happened):
    cluster = nodes.cluster(3, env={"COFFER_FAILPOINTS": f"{point}=kill"}).ready(3, 2)
    leader, old = cluster.wait_leader(), cluster.keys
    nonce = begin(leader, secret_shares=3, secret_threshold=2, require_verification=True)
    told = give(leader, old.shares[:2], nonce)
    first, second, _ = told["keys"]
    give(leader, [first], told["verification_nonce"], "sys/rekey/verify")
    with pytest.raises(requests.RequestException):
        leader.root.write("sys/rekey/verify", key=second, nonce=told["verification_nonce"])
    leader.process.proc.wait()
    leader.kill()
    cluster.wait_leader(other_than=leader)
    assert cluster.root.read("sys/rekey/init").ok(200).json["started"] is False
    good, bad = (told["keys"], old.shares) if has_happened else (old.shares, told["keys"])
    leader.start()
    assert not opens(leader, bad[:2])
    assert opens(leader, good[:2])
    wait_for("it stands by", lambda: leader.health() == 429)


def test_a_change_of_leaders_ends_what_had_begun(cluster):
    leader = cluster.wait_leader()
    nonce = begin(leader, secret_shares=3, secret_threshold=2)
    attempt = cluster.root.write("sys/generate-root/attempt").ok(200).json["nonce"]
    give(leader, cluster.keys.shares[:1], nonce)
    cluster.root.write("sys/step-down")
    next_leader = cluster.wait_leader(other_than=leader)
    root = next_leader.root
    assert root.read("sys/rekey/init").ok(200).json["started"] is False
    root.write("sys/rekey/update", key=cluster.keys.shares[1], nonce=nonce).refused(400, "no barrier rekey in progress")
    root.write("sys/generate-root/update", key=cluster.keys.shares[1], nonce=attempt).refused(400, "no root generation")
    root.write("sys/step-down", node_id=leader.name)
    wait_for("the first one leads again", lambda: cluster.wait_leader() is leader)
    assert leader.root.read("sys/rekey/init").ok(200).json["started"] is False


def test_a_standby_sends_on_to_the_leader(cluster):
    standby, *_ = cluster.standbys()
    answer = standby.client(cluster.root_token).request("GET", "sys/rekey/init")
    assert answer.status in (200, 307)
    assert cluster.root.read("sys/generate-root/attempt").ok(200).json["required"] == 2
