# SPDX-License-Identifier: Apache-2.0
"""What the nodes that do not serve answer, and that they take over."""
import time

import pytest

from lib.process import wait_for

JUST_STARTED_S = 0.6  # so long a node that has just started votes for nobody: it may have promised another its vote


@pytest.fixture
def standby(shared_cluster):
    return shared_cluster.standbys()[0]


@pytest.fixture
def leader(shared_cluster):
    return shared_cluster.wait_leader()


@pytest.mark.cve("N-118")
@pytest.mark.quick
@pytest.mark.coffer_only
@pytest.mark.parametrize("method, path", [
    ("GET", "sys/mounts"), ("GET", "kv/a?list=true&x=%2Fy"), ("LIST", "kv/a"), ("POST", "kv/a"), ("PUT", "kv/a"),
    ("DELETE", "kv/a?versions=1,2"), ("PATCH", "kv/a"), ("POST", "auth/approle/login"), ("GET", "no/such/thing"),
    ("GET", "sys/storage/raft/snapshot"),
])
def test_a_standby_redirects_to_the_leader_with_path_and_query(shared_cluster, leader, standby, method, path):
    headers = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else None
    answer = standby.client(shared_cluster.root_token).request(method, path, raw=None if method == "GET" else b"{}",
                                                               headers=headers)
    assert answer.status == 307
    assert answer.headers["Location"] == f"{leader.address}/v1/{path}"


@pytest.mark.quick
@pytest.mark.coffer_only
def test_following_the_redirect_works(shared_cluster, standby):
    client = standby.client(shared_cluster.root_token)
    client.write("sys/mounts/redirected", type="kv").ok(307)
    assert client.request("POST", "sys/mounts/redirected", body={"type": "kv"}, redirects=True).status == 204
    assert client.request("GET", "sys/mounts/redirected", redirects=True).ok(200).data["type"] == "kv"


@pytest.mark.quick
def test_a_standby_answers_by_itself_what_is_about_itself(shared_cluster, leader, standby):
    client = standby.client()
    health = client.read("sys/health")
    assert health.status == 429 and health.json["standby"] is True and health.json["sealed"] is False
    assert client.read("sys/health", standbyok="true").status == 200
    assert client.read("sys/health", standbycode="299").status == 299
    assert client.read("sys/seal-status").ok(200).json["sealed"] is False
    assert client.read("sys/init").ok(200).json == {"initialized": True}
    seen = client.read("sys/leader").ok(200).json
    assert (seen.get("is_self", False), seen["leader_address"]) == (False, leader.address)


@pytest.mark.quick
def test_all_nodes_agree_on_name_and_id(shared_cluster):
    ids = {(node.status()["cluster_name"], node.status()["cluster_id"]) for node in shared_cluster.nodes}
    assert len(ids) == 1


@pytest.mark.quick
def test_the_members_are_listed(shared_cluster, leader):
    members = shared_cluster.members()
    assert set(members) == {"node1", "node2", "node3"} and all(member["voter"] for member in members.values())
    assert [name for name, member in members.items() if member["leader"]] == [leader.name]
    nodes = shared_cluster.root.read("sys/ha-status").ok(200).data["nodes"]
    assert [node["api_address"] for node in nodes if node["active_node"]] == [leader.address]


@pytest.mark.quick
@pytest.mark.coffer_only  # OpenBao's standbys answer out of what they happen to have
def test_hvac_follows_redirects(shared_cluster, standby):
    client = standby.hvac(shared_cluster.root_token)
    client.sys.enable_secrets_engine("kv", path="hvac")
    client.secrets.kv.v1.create_or_update_secret("a", {"x": "1"}, mount_point="hvac")
    assert client.secrets.kv.v1.read_secret("a", mount_point="hvac")["data"] == {"x": "1"}


@pytest.mark.quick
@pytest.mark.coffer_only
def test_the_command_line_follows_redirects(shared_cluster, standby):
    done = standby.cli("secrets", "enable", "-path=cli", "kv", token=shared_cluster.root_token)
    assert done.returncode == 0, done.stderr
    assert standby.cli("write", "cli/a", "x=1", token=shared_cluster.root_token).returncode == 0
    assert standby.cli("read", "-field=x", "cli/a", token=shared_cluster.root_token).stdout == "1"


# ---- Sealed ones ----

@pytest.mark.coffer_only
def test_a_sealed_node_answers_503_and_its_log_advances(cluster):
    sealed = cluster.standbys()[0]
    sealed.process.stop()
    sealed.start()
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)
    for number in range(20):
        cluster.root.write(f"kv/{number}", x="hidden-value").ok(204)
    client = sealed.client(cluster.root_token)
    assert client.read("sys/health").status == 503
    for method, path in (("GET", "kv/1"), ("POST", "kv/1"), ("GET", "sys/mounts"), ("POST", "auth/token/create"), ("GET", "x")):
        client.request(method, path, body={} if method == "POST" else None).refused(503, "Vault is sealed")
    status = sealed.status()
    assert status["sealed"] is True and "cluster_name" not in status
    assert client.read("sys/init").ok(200).json == {"initialized": True}
    # What it has of the log counts: without the other standby, it is the majority.
    other = next(node for node in cluster.standbys() if node is not sealed)
    other.kill()
    cluster.root.write("kv/with-a-sealed-node", x="1").ok(204)


@pytest.mark.coffer_only
def test_with_two_of_three_sealed_the_third_serves(cluster):
    leader = cluster.wait_leader()
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)
    for node in cluster.standbys():
        node.process.stop()
        node.start()
    assert sorted(node.health() for node in cluster.nodes) == [200, 503, 503]
    cluster.root.write("kv/a", x="1").ok(204)
    assert cluster.root.read("kv/a").ok(200).data == {"x": "1"}
    assert cluster.wait_leader() is leader


@pytest.mark.coffer_only
def test_a_rolling_restart_leaves_one_unsealed_node_enough(cluster):
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)
    cluster.root.write("kv/a", x="1").ok(204)
    for node in cluster.nodes:
        node.process.stop()
        node.start()
    assert all(node.health() == 503 for node in cluster.nodes)
    last = cluster.nodes[2]
    last.unseal(cluster.keys)
    wait_for("the one unsealed node leads", lambda: last.health() == 200)
    assert last.client(cluster.root_token).read("kv/a").ok(200).data == {"x": "1"}
    last.client(cluster.root_token).write("kv/b", x="2").ok(204)


@pytest.mark.coffer_only
def test_sealing_the_leader_hands_over_to_an_unsealed_node(cluster):
    old = cluster.wait_leader()
    old.client(cluster.root_token).write("sys/seal").ok(204)
    new = cluster.wait_leader(other_than=old)
    assert new is not old and old.health() == 503
    new.client(cluster.root_token).read("sys/mounts").ok(200)


# ---- Stepping down and failing over ----

def test_a_leader_steps_down_and_another_leads(cluster):
    old = cluster.wait_leader()
    old.client(cluster.root_token).write("sys/step-down").ok(204)
    new = cluster.wait_leader(other_than=old, timeout=30)
    assert old.health() == 429
    time.sleep(1)
    assert cluster.wait_leader() is new


def test_leadership_can_be_handed_on_at_once_and_not_straight_back(cluster):
    led = [cluster.wait_leader()]
    time.sleep(JUST_STARTED_S)
    for _ in range(6):
        cluster.wait_level()  # else it may have heard of the former leader alone, and hands back
        led[-1].client(cluster.root_token).write("sys/step-down").ok(204)
        led.append(cluster.wait_leader(other_than=led[-1]))
    assert all(first is not third for first, third in zip(led, led[2:]))


@pytest.mark.coffer_only
def test_the_log_says_why_the_leader_changed(cluster):
    first = cluster.wait_leader()
    time.sleep(JUST_STARTED_S)
    first.client(cluster.root_token).write("sys/step-down").ok(204)
    second = cluster.wait_leader(other_than=first)
    assert f"stands for election, in term 3: {first.name} hands over" in second.log_file.read_text()
    wait_for("it follows", lambda: f"follows {second.name} in term" in first.log_file.read_text())
    second.kill()
    third = cluster.wait_leader(other_than=second)
    assert f"the leader, {second.name}, was not heard for" in third.log_file.read_text()
    assert "was elected the leader of term" in third.log_file.read_text()


def test_step_down_needs_sudo(shared_cluster):
    root = shared_cluster.root
    root.write("sys/policies/acl/weak", policy='path "sys/step-down" { capabilities = ["update"] }').ok(204)
    token = root.write("auth/token/create", policies=["weak"]).ok(200).auth["client_token"]
    leader = shared_cluster.wait_leader()
    leader.client(token).write("sys/step-down").refused(403)
    assert shared_cluster.wait_leader() is leader


@pytest.mark.coffer_only
def test_sigterm_hands_leadership_over_before_it_ends(cluster):
    old = cluster.wait_leader()
    began = time.monotonic()
    old.stop()
    cluster.wait_leader(other_than=old)
    assert time.monotonic() - began < 10


@pytest.mark.coffer_only
def test_failing_over_takes_about_a_second(cluster):
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)
    took = []
    for number in range(6):
        cluster.wait_level()
        clients = {node.name: node.client(cluster.root_token, timeout=2) for node in cluster.nodes}
        old = cluster.kill_leader()
        began = time.monotonic()
        survivors = [clients[node.name] for node in cluster.nodes if node is not old]
        wait_for("a write goes through", lambda n=number, s=survivors: any(_writes(client, n) for client in s), every=0.01)
        took.append(time.monotonic() - began)
        cluster.revive(old)
        cluster.wait_voters(3)
    print("seconds from kill -9 to the first write:", [f"{seconds:.2f}" for seconds in sorted(took)])
    assert sorted(took)[len(took) // 2] < 1.5 and max(took) < 3


def _writes(client, number):
    try:
        return client.write(f"kv/after-{number}", x="1").status == 204
    except OSError:
        return False
