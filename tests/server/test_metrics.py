# SPDX-License-Identifier: Apache-2.0
"""sys/metrics: what a node counts, who may see it, and that the numbers move."""
import json
import re

import pytest
import requests

from lib import settings
from lib.node import Coffer
from lib.process import wait_for

pytestmark = pytest.mark.coffer_only


def scrape(client):
    """{name or name{label}: value} of the text form."""
    answer = client.read("sys/metrics", format="prometheus").ok(200)
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parse(answer.raw.decode())


def parse(text):
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP [a-z_]+ .+|TYPE [a-z_]+ (gauge|counter|histogram))", line), line
            continue
        match = re.fullmatch(r'([a-zA-Z_]+(?:\{[a-z_]+="[^"]*"\})?) ([-+0-9.e]+)', line)
        assert match, line
        assert match.group(1) not in found, f"{match.group(1)} is there twice"
        found[match.group(1)] = float(match.group(2))
    return found


@pytest.fixture
def open_node(nodes):
    """A node whose listener gives metrics to anybody."""
    made = nodes.node(cls=Coffer)
    text = made.config()
    made.config = lambda: text.replace('listener "tcp" {', 'listener "tcp" {\n  telemetry {\n    unauthenticated_metrics_access = true\n  }')
    made.start()
    return made


def test_a_token_is_needed_and_a_policy(server, policy_token):
    server.client().read("sys/metrics").refused(403)
    policy_token('path "sys/health" { capabilities = ["read"] }').read("sys/metrics").refused(403)
    policy_token('path "sys/metrics" { capabilities = ["read"] }').read("sys/metrics").ok(200)


def test_the_json_form_has_vaults_members(root):
    answer = root.read("sys/metrics").ok(200).json
    assert set(answer) == {"Timestamp", "Gauges", "Points", "Counters", "Samples"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC", answer["Timestamp"])
    gauges = {gauge["Name"]: gauge["Value"] for gauge in answer["Gauges"] if not gauge["Labels"]}
    assert (gauges["vault.core.unsealed"], gauges["vault.core.active"]) == (1, 1)
    assert all(set(sample) >= {"Name", "Count", "Sum", "Mean", "Labels"} for sample in answer["Samples"])


def test_an_unknown_form_is_refused_as_text(root):
    answer = root.read("sys/metrics", format="carrier-pigeon")
    assert (answer.status, answer.raw.decode()) == (400, 'metric response format "carrier-pigeon" unknown')


def test_each_name_has_its_help_and_type_once(root):
    text = root.read("sys/metrics", format="prometheus").ok(200).raw.decode()
    for kind in ("HELP", "TYPE"):
        names = re.findall(rf"^# {kind} (\S+)", text, re.M)
        assert len(names) == len(set(names)) > 20


def test_the_standing_and_the_log_are_told(root):
    found = scrape(root)
    assert found["vault_core_active"] == found["vault_core_unsealed"] == 1
    assert found['coffer_raft_state{state="leader"}'] == 1 and found['coffer_raft_state{state="follower"}'] == 0
    assert found["vault_raft_peers"] == 1
    assert found["vault_raft_storage_stats_commit_index"] >= found["vault_raft_storage_stats_applied_index"] > 0


def test_answers_are_counted_by_their_status(server, root):
    def counted(code):
        return scrape(root).get(f'coffer_http_responses_total{{code="{code}"}}', 0)
    before = {code: counted(code) for code in (200, 403, 404)}
    server.client().read("auth/token/lookup-self").refused(403)
    root.read("no/such/mount").refused(404)
    root.read("auth/token/lookup-self").ok(200)
    assert counted(403) == before[403] + 1
    assert counted(404) == before[404] + 1
    assert counted(200) > before[200]


def test_commits_are_counted_and_timed(root, unique):
    root.write(f"sys/mounts/{unique}", type="kv").ok(204)
    before = scrape(root)
    for number in range(5):
        root.write(f"{unique}/{number}", x="1").ok(204)
    after = scrape(root)
    assert after["coffer_commit_writes_total"] >= before["coffer_commit_writes_total"] + 5
    assert after["coffer_commit_entries_total"] > before["coffer_commit_entries_total"]
    assert after["coffer_commit_seconds_count"] >= before["coffer_commit_seconds_count"] + 5
    assert after["coffer_commit_seconds_sum"] > before["coffer_commit_seconds_sum"]
    assert after['coffer_commit_seconds_bucket{le="+Inf"}'] == after["coffer_commit_seconds_count"]
    assert after["coffer_commit_waiting"] == 0


def test_buckets_only_grow_from_one_bound_to_the_next(root):
    buckets = [value for name, value in scrape(root).items() if name.startswith("coffer_http_request_seconds_bucket")]
    assert buckets == sorted(buckets) and buckets[-1] > 0


def test_open_connections_are_counted(server, root):
    before = scrape(root)["coffer_http_connections"]
    with requests.Session() as other:
        other.trust_env = False
        other.get(f"{server.address}/v1/sys/health", verify=str(server.authority.ca_file))
        assert scrape(root)["coffer_http_connections"] >= before + 1


def test_the_process_tells_what_it_uses(server, root):
    found = scrape(root)
    assert abs(found["process_resident_memory_bytes"] / 1024 / server.process.memory_kb() - 1) < 0.5
    assert 0 < found["process_open_fds"] < found["process_max_fds"]
    assert found["process_cpu_seconds_total"] > 0


def test_a_revocation_that_fails_grows_older_until_it_succeeds(node, moto):
    node.ready()
    root = node.root
    root.write("sys/mounts/aws", type="aws").ok(204)
    root.write("aws/config/root", **moto.root_config()).ok(204)
    allow = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]})
    root.write("aws/roles/r", credential_type="iam_user", policy_document=allow).ok()
    lease = root.read("aws/creds/r").ok(200).json["lease_id"]
    assert scrape(root)["coffer_revocation_overdue_seconds"] == 0
    good = moto.root_config()
    root.write("aws/config/root", **{**good, "secret_key": "wrong"}).ok(204)
    root.write("sys/leases/revoke", lease_id=lease, sync=False)
    wait_for("it is overdue", lambda: scrape(root)["coffer_revocation_overdue_seconds"] >= 3)
    assert scrape(root)["coffer_revocation_failing_mounts"] == 1
    root.write("aws/config/root", **good).ok(204)
    wait_for("it is revoked", lambda: scrape(root)["coffer_revocation_overdue_seconds"] == 0, timeout=60)


def test_followers_are_told_by_the_leader_alone(shared_cluster):
    leader = scrape(shared_cluster.root)
    assert leader["vault_raft_peers"] == 3
    for node in shared_cluster.standbys():
        assert leader[f'vault_raft_storage_follower_last_heartbeat_ms{{peer_id="{node.name}"}}'] >= 0
        assert leader[f'vault_raft_storage_follower_applied_index_delta{{peer_id="{node.name}"}}'] >= 0
        own = scrape(node.client(shared_cluster.root_token))
        assert own['coffer_raft_state{state="follower"}'] == 1 and own["vault_core_active"] == 0
        assert not any("follower_" in name for name in own)


# ---- Settings ----

def test_a_listener_may_give_metrics_to_anybody_even_of_a_sealed_node(open_node):
    found = scrape(open_node.client())
    assert found["vault_core_unsealed"] == 0 and found['coffer_raft_state{state="outside"}'] == 1
    open_node.ready()
    assert scrape(open_node.client())["vault_core_active"] == 1
    open_node.client().read("auth/token/lookup-self").refused(403)


def test_a_sealed_node_tells_nothing_where_a_token_is_needed(node):
    node.client().read("sys/metrics").refused(503)


@pytest.mark.parametrize("setting, status", [('"0s"', 400), ("0", 400), ('"24h"', 200)])
def test_prometheus_can_be_turned_off(nodes, setting, status):
    made = nodes.node(cls=Coffer, config_extra=f"telemetry {{\n  prometheus_retention_time = {setting}\n  disable_hostname = true\n}}\n")
    made.start()
    made.ready()
    answer = made.root.read("sys/metrics", format="prometheus")
    assert answer.status == status
    assert status == 200 or answer.raw.decode() == "prometheus is not enabled"
    made.root.read("sys/metrics").ok(200)


def test_the_documentation_lists_what_is_told(shared_cluster):
    text = (settings.TOP / "docs" / "metrics.md").read_text()
    listed = set(re.findall(r"`([a-z_]+)[{`]", text))
    listed |= {f"vault_raft_storage_stats_{name}" for name in re.findall(r"`…_([a-z_]+)`", text)}
    told = {re.sub(r"_(bucket|sum|count)(?=\{|$)", "", name).split("{")[0] for name in scrape(shared_cluster.root)}
    assert told <= listed, told - listed
