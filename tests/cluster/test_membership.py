# SPDX-License-Identifier: Apache-2.0
"""Joining and leaving."""
import threading
import time

import pytest

from lib.node import Coffer
from lib.process import wait_for

pytestmark = pytest.mark.coffer_only


def join_body(cluster, through=None):
    return {"leader_api_addr": (through or cluster.wait_leader()).address,
            "leader_ca_cert": cluster.authority.ca_file.read_text()}


def test_a_node_with_wrong_keys_does_not_get_in(cluster, nodes):
    stranger = nodes.node(cls=Coffer, name="stranger")
    stranger.start()
    other = nodes.node(cls=Coffer, name="other")
    other.start()
    wrong = other.initialise(1, 1)
    stranger.api("POST", "sys/storage/raft/join", **join_body(cluster)).ok(200)
    answer = stranger.api("PUT", "sys/unseal", key=wrong.shares[0])
    assert answer.status >= 400 or answer.json["sealed"] is True
    assert stranger.health() in (501, 503)
    assert "stranger" not in cluster.members()


@pytest.mark.cve("N-103")
def test_asking_to_join_leaves_nothing_behind_on_the_leader(cluster, nodes):
    stranger = nodes.node(cls=Coffer, name="stranger")
    stranger.start()
    stranger.api("POST", "sys/storage/raft/join", **join_body(cluster)).ok(200)
    assert set(cluster.members()) == {"node1", "node2", "node3"}
    stranger.stop()
    cluster.root.read("sys/mounts").ok(200)


def test_a_node_joins_through_a_standby_too(cluster):
    cluster.root.write("sys/storage/raft/autopilot/configuration", server_stabilization_time="0s").ok(204)
    fourth = cluster.add_node("node4")
    cluster.join(fourth, through=cluster.standbys()[0])
    cluster.wait_voters(4)


def test_a_leader_that_hands_over_amid_a_join_does_not_lose_the_joiner(nodes):
    cluster = nodes.cluster(0)
    cluster.add_node("node1", env={"COFFER_FAILPOINTS": "join.before_add=sleep:3000@3"})  # that is, of the fourth node
    cluster.add_node("node2")
    cluster.add_node("node3")
    cluster.ready()
    first = cluster.wait_leader()
    fourth = cluster.add_node("node4")
    joining = threading.Thread(target=lambda: cluster.join(fourth, through=first))
    joining.start()
    time.sleep(1)
    first.client(cluster.root_token).write("sys/step-down").ok(204)
    joining.join()
    wait_for("it is a member", lambda: "node4" in cluster.members() and fourth.health() == 429, timeout=30)


def test_retry_join_finds_the_cluster_by_itself(cluster, nodes):
    body = f'''retry_join {{ leader_api_addr = "https://127.0.0.1:1" }}
  retry_join {{
    leader_api_addr = "{cluster.nodes[0].address}"
    leader_ca_cert_file = "{cluster.authority.ca_file}"
  }}'''
    cluster.root.write("sys/storage/raft/autopilot/configuration", server_stabilization_time="1s").ok(204)
    fourth = cluster.add_node("node4", storage_extra=body)
    wait_for("it knows that there is a cluster", lambda: fourth.status()["initialized"])
    assert fourth.status()["sealed"] is True
    for share in cluster.keys.shares[:cluster.keys.threshold]:
        fourth.api("PUT", "sys/unseal", key=share).ok(200)
    cluster.wait_voters(4)
    wait_for("it stands by", lambda: fourth.health() == 429)


def test_an_initialised_node_cannot_join_another_cluster(cluster, nodes):
    alone = nodes.node(cls=Coffer, name="alone")
    alone.start()
    alone.ready()
    answer = alone.api("POST", "sys/storage/raft/join", **join_body(cluster))
    assert answer.status >= 400 or answer.json.get("joined") is not True
    assert alone.root.read("sys/mounts").status == 200


@pytest.mark.parametrize("body", [{}, {"leader_api_addr": ""}, {"leader_api_addr": "not an address"},
                                  {"leader_api_addr": "https://127.0.0.1:1"},
                                  {"leader_api_addr": "https://127.0.0.1:1", "leader_ca_cert": "no certificate"}])
def test_joining_nobody_is_a_plain_error(node, body):
    answer = node.client().write("sys/storage/raft/join", **body)
    assert 400 <= answer.status < 600 and answer.errors
    assert node.health() == 501


@pytest.mark.parametrize("answer", ["", "AAAA", "!!!!", "QUFB" * 1000])
def test_a_made_up_answer_to_the_challenge_is_refused(cluster, answer):
    client = cluster.wait_leader().client()
    client.write("sys/storage/raft/bootstrap/challenge", server_id="evil").ok(200)
    refused = client.write("sys/storage/raft/bootstrap/answer", server_id="evil", answer=answer,
                           cluster_addr="127.0.0.1:1", csr="none")
    assert 400 <= refused.status < 500, refused
    assert "evil" not in cluster.members()


def test_a_removed_node_is_out_and_the_rest_goes_on(cluster):
    gone = cluster.standbys()[0]
    cluster.root.write("sys/storage/raft/remove-peer", server_id=gone.name).ok(204)
    assert gone.name not in cluster.members()
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)
    gone.kill()
    cluster.root.write("kv/a", x="1").ok(204)


def test_the_leader_can_be_removed(cluster):
    leader = cluster.wait_leader()
    leader.client(cluster.root_token).write("sys/storage/raft/remove-peer", server_id=leader.name)
    leader_gone = wait_for("another leads", lambda: cluster.wait_leader(other_than=leader))
    leader_gone.client(cluster.root_token).read("sys/mounts").ok(200)
    assert leader.name not in cluster.members()


def test_removing_who_is_not_there_is_refused(cluster):
    cluster.root.write("sys/storage/raft/remove-peer", server_id="nobody").refused(400)
    cluster.root.write("sys/storage/raft/remove-peer").refused(400)


def test_a_node_that_lost_its_disk_can_come_back_under_its_name(cluster):
    import shutil
    lost = cluster.standbys()[0]
    lost.kill()
    shutil.rmtree(lost.data_dir)
    lost.data_dir.mkdir()
    cluster.root.write("sys/storage/raft/remove-peer", server_id=lost.name).ok(204)
    lost.start()
    cluster.join(lost, through=cluster.wait_leader())
    cluster.wait_voters(3)


# ---- Addresses ----

class Elsewhere(Coffer):
    """A node that listens and is reached at another host than 127.0.0.1."""
    host = cluster_host = "127.0.0.1"

    @property
    def address(self):
        return f"https://{self.host}:{self.port}"

    def config(self):
        text = super().config().replace(f'address = "127.0.0.1:{self.port}"', f'address = "{self.host}:{self.port}"')
        text = text.replace(f'cluster_address = "127.0.0.1:', f'cluster_address = "{self.cluster_host}:')
        return text.replace('cluster_addr = "https://127.0.0.1:', f'cluster_addr = "https://{self.cluster_host}:')


class Named(Elsewhere):
    host = cluster_host = "localhost"


class Six(Elsewhere):
    host = cluster_host = "[::1]"


def test_addresses_may_be_names_and_ipv6(nodes):
    cluster = nodes.cluster(0)
    for name, cls in (("node1", Coffer), ("node2", Named), ("node3", Six)):
        cluster.cls = cls
        cluster.add_node(name)
    cluster.ready()
    members = cluster.members()
    assert members["node2"]["address"].startswith("localhost:") and members["node3"]["address"].startswith("[::1]:")
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)
    for heir in (cluster.nodes[2], cluster.nodes[1]):
        leader = cluster.wait_leader()
        leader.client(cluster.root_token).write("sys/step-down", node_id=heir.name).ok(204)
        assert cluster.wait_leader(other_than=leader) is heir
        sent_on = cluster.nodes[0].client(cluster.root_token).read("kv/a")
        assert sent_on.status == 307 and sent_on.headers["Location"] == f"{heir.address}/v1/kv/a"
        heir.client(cluster.root_token).write("kv/a", x="1").ok(204)


def test_a_node_may_come_back_at_another_address(cluster):
    from lib import settings
    moved = cluster.standbys()[0]
    moved.stop()
    moved.port, moved.cluster_port = settings.free_port(), settings.free_port()
    moved.cluster_addr_port = moved.cluster_port
    moved.start()
    moved.unseal(cluster.keys)
    wait_for("the list follows", lambda: cluster.members()[moved.name]["address"].endswith(f":{moved.cluster_port}"))
    cluster.wait_level()
    leader = cluster.wait_leader()
    leader.client(cluster.root_token).write("sys/step-down", node_id=moved.name).ok(204)
    assert cluster.wait_leader(other_than=leader) is moved
    assert leader.client().read("sys/mounts").headers["Location"].startswith(moved.address)
