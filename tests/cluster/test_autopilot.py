# SPDX-License-Identifier: Apache-2.0
"""Who votes, who may lead, and what the cluster does with its members by itself."""
import json

import pytest

from lib.process import wait_for

pytestmark = pytest.mark.coffer_only

STATE = "sys/storage/raft/autopilot/state"
CONFIG = "sys/storage/raft/autopilot/configuration"
AT_ONCE = {"server_stabilization_time": "0s"}


def state(cluster):
    return cluster.root.read(STATE).ok(200).data


def is_voter(cluster, name):
    return cluster.members()[name]["voter"]


def change_vote(cluster, what, name):
    return cluster.root.write(f"sys/storage/raft/{what}", server_id=name)


# ---- Votes ----

def test_three_nodes_survive_the_loss_of_their_leader_from_the_second_they_are_formed(nodes):
    cluster = nodes.cluster(3).ready()
    cluster.kill_leader()
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)
    cluster.root.write("kv/a", x="1").ok(204)


def test_a_non_voter_gets_its_vote_by_promotion_alone_and_loses_it_by_demotion(cluster):
    fourth = cluster.add_node("node4")
    cluster.join(fourth, non_voter=True)
    wait_for("it is listed", lambda: "node4" in cluster.members())
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)
    cluster.wait_level()
    assert not is_voter(cluster, "node4")
    told = state(cluster)
    assert told["servers"]["node4"]["status"] == "non-voter" == told["servers"]["node4"]["node_type"]
    assert told["non_voters"] == ["node4"] and set(told["voters"]) == {"node1", "node2", "node3"}
    change_vote(cluster, "promote", "node4").ok(204)
    assert is_voter(cluster, "node4") and "non_voters" not in state(cluster)
    assert "not a non-voter" in change_vote(cluster, "promote", "node4").refused(400).errors[0]
    change_vote(cluster, "demote", "node4").ok(204)
    assert not is_voter(cluster, "node4")
    fourth.kill()
    cluster.root.write("kv/a", x="1").ok(204)


def test_who_joins_by_configuration_can_do_so_without_a_vote(cluster):
    join = f'''retry_join {{
    leader_api_addr = "{cluster.nodes[0].address}"
    leader_ca_cert_file = "{cluster.authority.ca_file}"
  }}
  retry_join_as_non_voter = true'''
    cluster.root.write(CONFIG, **AT_ONCE).ok(204)
    fourth = cluster.add_node("node4", storage_extra=join)
    wait_for("it knows that there is a cluster", lambda: fourth.status()["initialized"])
    fourth.unseal(cluster.keys)
    wait_for("it is listed", lambda: "node4" in cluster.members())
    cluster.wait_level()
    assert state(cluster)["servers"]["node4"]["node_type"] == "non-voter"
    assert not is_voter(cluster, "node4")


@pytest.mark.parametrize("what", ["promote", "demote"])
def test_votes_of_nobody_and_of_the_leader_cannot_be_changed(cluster, what):
    assert change_vote(cluster, what, "nobody").refused(400).errors == ["server nobody not found in raft configuration"]
    assert change_vote(cluster, what, "").refused(400).errors == ["no server id provided"]
    change_vote(cluster, what, cluster.wait_leader().name).refused(400)


@pytest.mark.cve("N-114")
def test_joining_again_does_not_change_a_vote(cluster):
    """Vault's CVE-2022-36129: who came again with non_voter set took a member's vote from it."""
    again = cluster.standbys()[0]
    again.api("POST", "sys/storage/raft/join", leader_api_addr=cluster.wait_leader().address,
              leader_ca_cert=cluster.authority.ca_file.read_text(), non_voter=True)
    assert is_voter(cluster, again.name)


def test_two_lost_of_five_can_be_taken_out_one_by_one(nodes):
    cluster = nodes.cluster(3).ready()
    cluster.root.write(CONFIG, **AT_ONCE).ok(204)
    for name in ("node4", "node5"):
        cluster.join(cluster.add_node(name))
    cluster.wait_voters(5)
    lost = cluster.standbys()[:2]
    for node in lost:
        node.kill()
    for node in lost:
        cluster.root.write("sys/storage/raft/remove-peer", server_id=node.name).ok(204)
    assert len(cluster.members()) == 3
    cluster.kill_leader()
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)


# ---- Autopilot ----

def test_the_configuration_reads_as_vaults_does(cluster):
    assert cluster.root.read(CONFIG).ok(200).data == {
        "cleanup_dead_servers": False, "dead_server_last_contact_threshold": "24h0m0s", "last_contact_threshold": "10s",
        "max_trailing_logs": 1000, "min_quorum": 0, "server_stabilization_time": "10s"}
    cluster.root.write(CONFIG, cleanup_dead_servers=True, min_quorum=3, dead_server_last_contact_threshold="2m",
                       server_stabilization_time="20s", max_trailing_logs=50).ok(204)
    cluster.kill_leader()
    assert cluster.root.read(CONFIG).ok(200).data == {
        "cleanup_dead_servers": True, "dead_server_last_contact_threshold": "2m0s", "last_contact_threshold": "10s",
        "max_trailing_logs": 50, "min_quorum": 3, "server_stabilization_time": "20s"}


@pytest.mark.parametrize("body, why", [
    ({"cleanup_dead_servers": True}, "min_quorum must be set when cleanup_dead_servers is set"),
    ({"cleanup_dead_servers": True, "min_quorum": 2}, "min_quorum: 0x2"),
    ({"dead_server_last_contact_threshold": "30s"}, "should not be set to less than 1m; received: 30"),
    ({"last_contact_threshold": "bogus"}, "last_contact_threshold"),
    ({"last_contact_threshold": "-1s"}, "last_contact_threshold"),
    ({"max_trailing_logs": -1}, "max_trailing_logs"),
])
def test_a_dangerous_configuration_is_refused(shared_cluster, body, why):
    assert why in shared_cluster.root.write(CONFIG, **body).refused(400).errors[0]


def test_the_state_tells_who_is_well_and_how_many_may_fail(cluster):
    wait_for("all are healthy", lambda: state(cluster)["healthy"])
    told = state(cluster)
    leader = cluster.wait_leader()
    assert told["failure_tolerance"] == 1 and told["leader"] == leader.name
    server = told["servers"][leader.name]
    assert server == {**server, "id": leader.name, "name": leader.name, "node_status": "alive", "last_contact": "0s",
                      "healthy": True, "status": "leader", "node_type": "voter", "behind": 0}
    assert server["last_index"] > 0 and server["last_term"] > 0 and server["version"]
    cluster.root.write(CONFIG, last_contact_threshold="1s").ok(204)
    lost = cluster.standbys()[0]
    lost.kill()
    wait_for("it is missed", lambda: not state(cluster)["servers"][lost.name]["healthy"])
    told = state(cluster)
    assert told["healthy"] is False and told["failure_tolerance"] == 0
    assert told["servers"][lost.name]["stable_since"] == "0001-01-01T00:00:00Z"


def test_a_dead_server_is_taken_out_but_never_one_too_many(nodes):
    cluster = nodes.cluster(3, env={"COFFER_FAILPOINTS": "autopilot.any_threshold=error"}).ready()
    cluster.root.write(CONFIG, cleanup_dead_servers=True, min_quorum=3, dead_server_last_contact_threshold="1s",
                       **AT_ONCE).ok(204)
    cluster.join(cluster.add_node("node4"))
    cluster.wait_voters(4)
    first, second = cluster.standbys()[:2]
    first.kill()
    wait_for("it is taken out", lambda: first.name not in cluster.members())
    second.kill()
    wait_for("it is missed", lambda: cluster.members()[second.name]["last_contact_ms"] > 3000)
    assert len(cluster.members()) == 3


# ---- Who leads ----

def test_leadership_goes_to_the_node_that_is_named(cluster):
    for _ in range(2):
        leader, heir = cluster.wait_leader(), cluster.standbys()[1]
        leader.client(cluster.root_token).write("sys/step-down", node_id=heir.name).ok(204)
        assert cluster.wait_leader(other_than=leader) is heir


def test_leadership_does_not_go_to_who_could_not_serve(cluster):
    leader, other = cluster.wait_leader(), cluster.standbys()[0]
    step_down = lambda name: leader.client(cluster.root_token).write("sys/step-down", node_id=name)
    step_down("nobody").refused(400)
    step_down(leader.name).refused(400)
    other.restart()
    wait_for("it is known to be sealed", lambda: cluster.members()[other.name]["sealed"])
    assert "sealed" in step_down(other.name).refused(400).errors[0]
    other.kill()
    wait_for("it is missed", lambda: cluster.members()[other.name]["last_contact_ms"] > 1000)
    assert "does not answer" in step_down(other.name).refused(503).errors[0]
    assert cluster.wait_leader() is leader


def test_a_node_that_has_just_stepped_down_still_votes(cluster):
    first = cluster.wait_leader()
    first.client(cluster.root_token).write("sys/step-down").ok(204)
    cluster.wait_leader(other_than=first).kill()
    cluster.wait_leader(timeout=6)


def test_a_non_leader_votes_but_leads_only_while_nobody_else_can(nodes):
    cluster = nodes.cluster(0)
    cluster.add_node("node1", storage_extra="non_leader = true")
    cluster.add_node("node2")
    cluster.ready()
    witness = cluster.nodes[0]
    leader = cluster.wait_leader(other_than=witness)
    cluster.join(cluster.add_node("node3"), through=leader)
    cluster.wait_voters(3)
    assert cluster.members()["node1"]["non_leader"] is True
    assert state(cluster)["servers"]["node1"]["non_leader"] is True
    refused = leader.client(cluster.root_token).write("sys/step-down", node_id="node1").refused(400)
    assert "non_leader" in refused.errors[0]
    leader.kill()
    other = cluster.wait_leader()  # with the vote of the witness
    assert other is not witness
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)


# ---- The command line ----

def test_the_commands_show_and_set_what_the_api_does(cluster):
    leader, other = cluster.wait_leader(), cluster.standbys()[0]
    run = lambda *args: leader.cli("operator", *args, token=cluster.root_token)
    told = run("raft", "autopilot", "state")
    assert told.returncode == 0 and told.stdout.startswith("Healthy:"), told
    assert f"Leader:                          {leader.name}\n" in told.stdout
    assert "      Status:            leader\n" in told.stdout
    named = json.loads(run("raft", "autopilot", "state", "-format=json").stdout)
    assert named["Leader"] == leader.name and named["Servers"][other.name]["NodeType"] == "voter"
    assert run("raft", "autopilot", "set-config", "-min-quorum=3", "-cleanup-dead-servers=true",
               "-server-stabilization-time=20s").returncode == 0
    shown = run("raft", "autopilot", "get-config").stdout
    assert "Cleanup Dead Servers                  true" in shown and "Server Stabilization Time             20s" in shown
    assert run("raft", "autopilot", "set-config", "-min-quorum=1").returncode == 2
    assert run("raft", "demote", other.name).stdout == "Server demoted successfully!\n"
    assert run("raft", "promote", other.name).stdout == "Server promoted successfully!\n"
    assert run("raft", "promote", other.name).returncode == 2
    peers = run("raft", "list-peers").stdout.splitlines()
    assert peers[0].split()[:4] == ["Node", "Address", "State", "Voter"]
    assert "Behind    Last Contact    Sealed    Since" in peers[0]
    assert run("members").stdout.count("https://") == 6
    assert run("step-down", f"-node={other.name}").returncode == 0
    assert cluster.wait_leader(other_than=leader) is other
