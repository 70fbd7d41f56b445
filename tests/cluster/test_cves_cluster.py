# SPDX-License-Identifier: Apache-2.0
"""Mistakes that others made with standbys, sealed nodes and what is revoked when somebody dies (server/cves.md)."""
import json
import re
import time

import pytest
import requests

from lib.process import wait_for
from lib.raw import Raw, ask

pytestmark = pytest.mark.coffer_only

EC2_ONLY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}


def sys_routes(cluster):
    """(method, path) of what is below sys/ and needs a token."""
    methods = {"get": "GET", "post": "POST", "delete": "DELETE"}
    for path, item in cluster.root.read("sys/internal/specs/openapi").ok(200).json["paths"].items():
        for method in methods:
            if path.startswith("/sys/") and method in item and "x-vault-unauthenticated" not in item[method]:
                yield methods[method], "/v1" + re.sub(r"\{\w+\}", "a", path)


def votes(cluster):
    return {name: (member["address"], member["voter"], member["leader"]) for name, member in cluster.members().items()}


@pytest.mark.cve("N-115")
@pytest.mark.parametrize("standing", ["standby", "forwarding standby", "sealed"])
def test_nothing_below_sys_is_done_without_a_token_whatever_the_node_is(nodes, standing):
    cluster = nodes.cluster(2, config_extra="request_forwarding = true\n" if "forwarding" in standing else "").ready()
    routes, [node] = list(sys_routes(cluster)), cluster.standbys()
    members = votes(cluster)
    if standing == "sealed":
        node.restart()
    # A standby that redirects has done nothing; /sys/seal and the like are about the node itself.
    allowed = {"standby": {307, 403}, "forwarding standby": {307, 403}, "sealed": {400, 403, 503}}[standing]
    for method, path in routes:
        for token in (None, "wrong"):
            answer = node.client(token).request(method, path.rstrip("/") if method == "POST" else path,
                                                body={"server_id": "node1"} if method == "POST" else None)
            is_said = answer.status == 400 and b"wrapping token" in answer.raw
            assert answer.status in allowed or is_said, answer
    if standing == "sealed":
        node.unseal()
    wait_for("the standby stands by", lambda: node.health() == 429)
    assert votes(cluster) == members


@pytest.mark.cve("N-050")
def test_a_standby_s_errors_hold_no_address(shared_cluster):
    """But for the Location of a redirect, and what sys/leader is asked for."""
    [standby, *_] = shared_cluster.standbys()
    addresses = [f"{node.port}" for node in shared_cluster.nodes] + [f"{node.cluster_port}" for node in shared_cluster.nodes]
    for method, path, headers in (("GET", "/v1/kv/a", ()), ("FOO", "/v1/kv/a", ()), ("GET", "/", ()), ("GET", "/v1/../x", ()),
                                  ("GET", "/v1/kv/%00", ()), ("POST", "/v1/kv/", ()), ("GET", "/v1/kv/a", ("Host: 10.0.0.1",)),
                                  ("GET", "/v1/sys/health", ()), ("GET", "/v1/sys/seal-status", ()), ("OPTIONS", "/v1/kv/a", ()),
                                  ("GET", "/v1/sys/storage/raft/configuration", ()), ("GET", "/v2/x", ()), ("GET", "/v1/sys/init", ()),
                                  ("POST", "/v1/sys/storage/raft/join", ()), ("GET", "/v1/kv/a", ("X-Vault-Wrap-TTL: x",))):
        status, answer = ask(standby, method, path, headers=headers)
        lines = [line for line in answer.decode("latin1").splitlines() if not line.lower().startswith("location:")]
        for address in addresses:
            assert not any(f":{address}" in line for line in lines), (method, path, status, answer)
        assert not re.search(r"\b(10|192\.168|172\.(1[6-9]|2\d|3[01]))\.\d+\.\d+", "\n".join(lines)), answer


@pytest.mark.cve("N-118")
def test_what_was_deleted_is_not_served_by_a_standby(shared_cluster):
    root = shared_cluster.root
    root.write("sys/mounts/gone", type="kv").ok(204)
    root.write("gone/a", x="1").ok(204)
    root.delete("gone/a").ok(204)
    for standby in shared_cluster.standbys():
        answer = standby.client(shared_cluster.root_token).read("gone/a")
        assert answer.status == 307 and b'"x"' not in answer.raw


@pytest.mark.cve("N-057")
@pytest.mark.parametrize("point", ["revoke.before", "revoke.after_delete_user", "revoke.before_remove"])
def test_a_mount_whose_disabling_was_cut_short_leaves_no_credential_without_a_lease(nodes, moto, point):
    cluster = nodes.cluster(0)
    armed = cluster.add_node("node1", env={"COFFER_FAILPOINTS": f"{point}=kill"})
    cluster.add_node("node2")
    cluster.add_node("node3")
    cluster.ready()
    root = cluster.root
    root.write("sys/mounts/aws", type="aws").ok(204)
    root.write("aws/config/root", **moto.root_config()).ok(204)
    root.write("aws/roles/r", credential_type="iam_user", policy_document=json.dumps(EC2_ONLY)).ok(204)
    for _ in range(3):
        root.read("aws/creds/r").ok(200)
    with pytest.raises(requests.RequestException):
        root.delete("sys/mounts/aws")
    wait_for("the armed leader is dead", lambda: not armed.process.is_running())
    armed.process.was_killed = True
    cluster.wait_leader()
    # Either it goes on by itself, or the mount and its leases are there, and disabling it again ends them.
    if moto.users():
        wait_for("it can be asked again", lambda: cluster.root.delete("sys/mounts/aws").status in (200, 204), timeout=30)
    wait_for("no user is left", lambda: not moto.users(), timeout=30)


@pytest.mark.cve("N-105")
def test_garbage_does_not_throw_away_the_shares_that_were_given(nodes):
    node = nodes.node()
    node.start()
    keys = node.initialise(5, 3)
    node.api("PUT", "sys/unseal", key=keys.shares[0]).ok(200)
    node.api("PUT", "sys/unseal", key=keys.shares[1]).ok(200)
    for body in ({"key": "garbage"}, {"key": ""}, {"key": "AAAA"}, {"key": 7}, {}, {"key": "00" * 64}, {"key": keys.shares[0][:-4]},
                 {"key": keys.shares[0]}, {"migrate": True}):
        node.client().request("PUT", "sys/unseal", body=body)
        assert node.status()["progress"] == 2, body
    with Raw(node.port, node.authority.ca_file) as raw:
        raw.send(b"PUT /v1/sys/unseal HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{\"reset\":")
        time.sleep(0.2)
    assert node.status()["progress"] == 2
    node.api("PUT", "sys/unseal", key=keys.shares[2]).ok(200)
    node.wait_active()
