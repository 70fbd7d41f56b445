# SPDX-License-Identifier: Apache-2.0
"""Nodes that unseal themselves: they find each other, and come back, without anybody's help."""
import pytest

from lib.process import wait_for
from lib.static_seal import StaticSeal, initialise

pytestmark = pytest.mark.coffer_only


@pytest.fixture
def seal(tmp_path):
    return StaticSeal(tmp_path / "keys", "k1")


@pytest.fixture
def cluster(nodes, seal):
    """Three nodes that are configured to find each other; the first is initialised, and nothing else is done."""
    made = nodes.cluster(0, config_extra=seal.stanza())
    first = made.add_node("node1")
    for name in ("node2", "node3"):
        made.add_node(name, storage_extra=f'''retry_join {{
    leader_api_addr = "{first.address}"
    leader_ca_cert_file = "{made.authority.ca_file}"
  }}''')
    made.keys = initialise(first, 3, 2)
    made.wait_voters(3)
    return made


def all_serve(cluster):
    return sorted(node.health() or 0 for node in cluster.nodes) == [200, 429, 429]


def test_nodes_join_and_unseal_by_themselves(cluster):
    wait_for("one is active, two stand by", lambda: all_serve(cluster))
    for node in cluster.nodes:
        status = node.status()
        assert (status["type"], status["sealed"], status["n"], status["t"]) == ("static", False, 3, 2)


def test_after_all_were_killed_they_serve_again_by_themselves(cluster):
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)
    cluster.root.write("kv/a", x="1").ok(204)
    cluster.kill_all()
    for node in cluster.nodes:
        node.start()
    wait_for("one is active, two stand by", lambda: all_serve(cluster), timeout=30)
    assert cluster.root.read("kv/a").ok(200).data == {"x": "1"}


def test_a_node_joins_through_the_api_without_shares(cluster, seal):
    newcomer = cluster.add_node("node4", config_extra=seal.stanza())
    body = {"leader_api_addr": cluster.wait_leader().address, "leader_ca_cert": cluster.authority.ca_file.read_text()}
    assert newcomer.api("POST", "sys/storage/raft/join", **body).ok(200).json["joined"] is True
    wait_for("it stands by", lambda: newcomer.health() == 429, timeout=30)
    cluster.wait_voters(4)


def test_a_node_with_another_key_does_not_get_in(cluster, tmp_path):
    stranger = cluster.add_node("node4", config_extra=StaticSeal(tmp_path / "other", "k1").stanza())
    body = {"leader_api_addr": cluster.wait_leader().address, "leader_ca_cert": cluster.authority.ca_file.read_text()}
    stranger.api("POST", "sys/storage/raft/join", **body).ok(200)
    wait_for("it says why", lambda: "current_key does not open the stored unseal key" in stranger.process.text())
    assert set(cluster.members()) == {"node1", "node2", "node3"}


def test_a_node_with_another_seal_does_not_get_in(cluster):
    stranger = cluster.add_node("node4", config_extra="")
    body = {"leader_api_addr": cluster.wait_leader().address, "leader_ca_cert": cluster.authority.ca_file.read_text()}
    stranger.api("POST", "sys/storage/raft/join", **body).refused(400, 'the leader\'s seal is "static"')


def test_a_rolling_change_of_the_key_keeps_serving_and_lets_new_nodes_in(cluster, seal):
    newer = seal.successor("k2")
    for node in [*cluster.standbys(), cluster.wait_leader()]:
        node.config_extra = newer.stanza()
        node.restart()
        wait_for(f"{node.name} is back", lambda node=node: node.health() in (200, 429), timeout=30)
    cluster.wait_leader()
    wait_for("a leader has encrypted anew",
             lambda: any("encrypted by the seal's new key" in node.process.text() for node in cluster.nodes))
    newer.previous = None
    newcomer = cluster.add_node("node4", config_extra=newer.stanza())
    body = {"leader_api_addr": cluster.wait_leader().address, "leader_ca_cert": cluster.authority.ca_file.read_text()}
    newcomer.api("POST", "sys/storage/raft/join", **body).ok(200)
    wait_for("it stands by", lambda: newcomer.health() == 429, timeout=30)
