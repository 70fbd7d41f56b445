# SPDX-License-Identifier: Apache-2.0
"""sys/health and sys/leader of one node; load balancers and clients read them without a token."""
import pytest

pytestmark = pytest.mark.quick


def health(node, method="GET", **query):
    return node.client().request(method, "sys/health", query=query)


def test_the_code_tells_uninitialised_from_sealed_from_active(node):
    assert health(node).status == 501
    node.initialise()
    assert health(node).status == 503
    node.unseal()
    node.wait_active()
    assert health(node).status == 200


def test_the_body_says_what_the_code_says(node):
    body = health(node).json
    assert (body["initialized"], body["sealed"]) == (False, True)
    assert "cluster_name" not in body
    node.ready()
    body = health(node).json
    assert (body["initialized"], body["sealed"], body["standby"]) == (True, False, False)
    # "disabled" as in Vault; an open OpenBao says "primary".
    assert {body["replication_performance_mode"], body["replication_dr_mode"]} <= {"disabled", "primary"}
    assert isinstance(body["server_time_utc"], int)
    assert body["cluster_name"] and body["cluster_id"] and body["version"]


def test_the_codes_can_be_chosen(node):
    assert health(node, uninitcode=299).status == 299
    node.initialise()
    assert health(node, sealedcode=298).status == 298
    node.unseal()
    node.wait_active()
    assert health(node, activecode=297).status == 297


def test_a_code_that_is_no_number_is_refused(node):
    assert health(node, uninitcode="many").status == 400


def test_head_has_the_code_without_a_body(node):
    answer = health(node, method="HEAD")
    assert (answer.status, answer.raw) == (501, b"")


def test_other_methods_are_refused(server):
    assert health(server, method="POST").status == 405


def test_the_leader_is_known_without_a_token(server):
    leader = server.client().read("sys/leader").ok(200).json
    assert (leader["ha_enabled"], leader["is_self"]) == (True, True)
    assert leader["leader_address"] == server.address
    assert leader["raft_applied_index"] <= leader["raft_committed_index"]
    assert leader["raft_committed_index"] > 0


def test_every_answer_has_the_headers_that_clients_compare(server):
    for path in ("sys/health", "sys/mounts", "no/such/thing"):
        answer = server.root.read(path)
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]
        assert answer.raw.endswith(b"\n")
