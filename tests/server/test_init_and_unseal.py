# SPDX-License-Identifier: Apache-2.0
"""sys/init, sys/unseal, sys/seal, sys/seal-status: from nothing to open and back."""
import base64

import pytest

from lib.process import wait_for

pytestmark = [pytest.mark.quick, pytest.mark.serial]


def shares_of(answer):
    return answer.json["keys_base64"]


def unseal(node, share, **more):
    return node.api("PUT", "sys/unseal", key=share, **more)


def test_a_new_server_says_that_it_is_not_initialised(node):
    assert node.api("GET", "sys/init").ok(200).json == {"initialized": False}
    status = node.status()
    assert (status["initialized"], status["sealed"]) == (False, True)
    assert (status["t"], status["n"], status["progress"]) == (0, 0, 0)
    assert status["storage_type"] == "raft"
    assert all(part.isdigit() for part in status["version"].split("."))


def test_initialising_gives_as_many_shares_as_asked_for_and_a_root_token(node):
    answer = node.api("PUT", "sys/init", secret_shares=5, secret_threshold=3).ok(200)
    assert len(answer.json["keys"]) == len(set(answer.json["keys"])) == 5
    assert [base64.b64decode(share).hex() for share in shares_of(answer)] == answer.json["keys"]
    assert all(len(base64.b64decode(share)) == 33 for share in shares_of(answer))
    assert answer.json["root_token"]
    assert node.api("GET", "sys/init").json == {"initialized": True}
    status = node.status()
    assert (status["sealed"], status["t"], status["n"], status["progress"]) == (True, 3, 5, 0)


def test_initialising_twice_is_refused(node):
    node.initialise()
    node.api("PUT", "sys/init", secret_shares=1, secret_threshold=1).refused(400, "Vault is already initialized")


@pytest.mark.parametrize("shares, threshold", [(0, 0), (1, 2), (2, 1), (3, 4), (256, 3), (-1, 1), (5, 0), (5, -3)])
def test_impossible_numbers_of_shares_are_refused(node, shares, threshold):
    node.api("PUT", "sys/init", secret_shares=shares, secret_threshold=threshold).refused(400)
    assert node.api("GET", "sys/init").json == {"initialized": False}


def test_recovery_shares_do_not_go_with_shamir(node):
    node.api("PUT", "sys/init", secret_shares=1, secret_threshold=1, recovery_shares=1,
             recovery_threshold=1).refused(400, "not applicable to seal type shamir")


@pytest.mark.cve("N-128")
def test_any_threshold_of_shares_unseals_and_fewer_do_not(node):
    shares = node.initialise(5, 3).shares
    for progress, share in enumerate([shares[4], shares[1]], start=1):
        status = unseal(node, share).ok(200).json
        assert (status["sealed"], status["progress"]) == (True, progress)
        assert status["nonce"]
    status = unseal(node, shares[2]).ok(200).json
    assert (status["sealed"], status["progress"], status["nonce"]) == (False, 0, "")


def test_a_share_is_taken_in_hex_as_well_as_in_base64(node):
    shares = node.initialise(2, 2).shares
    unseal(node, base64.b64decode(shares[0]).hex()).ok(200)
    assert unseal(node, shares[1]).ok(200).json["sealed"] is False


@pytest.mark.cve("N-060")
def test_the_same_share_twice_counts_once(node):
    shares = node.initialise(3, 2).shares
    assert unseal(node, shares[0]).ok(200).json["progress"] == 1
    assert unseal(node, shares[0]).ok(200).json["progress"] == 1
    assert unseal(node, shares[1]).ok(200).json["sealed"] is False


@pytest.mark.cve("N-129")
def test_a_wrong_quorum_is_refused_and_begins_anew(node):
    shares = node.initialise(3, 2).shares
    forged = bytearray(base64.b64decode(shares[1]))
    forged[0] ^= 1
    unseal(node, shares[0]).ok(200)
    unseal(node, base64.b64encode(forged).decode()).refused(400)
    assert node.status()["progress"] == 0
    unseal(node, shares[0]).ok(200)
    assert unseal(node, shares[1]).ok(200).json["sealed"] is False


def test_a_reset_throws_away_the_shares_given_so_far(node):
    shares = node.initialise(3, 2).shares
    nonce = unseal(node, shares[0]).ok(200).json["nonce"]
    status = node.api("PUT", "sys/unseal", reset=True).ok(200).json
    assert (status["progress"], status["nonce"], status["sealed"]) == (0, "", True)
    assert unseal(node, shares[1]).ok(200).json["nonce"] != nonce


@pytest.mark.parametrize("body, text", [
    ({}, "'key' must be specified in request body as JSON, or 'reset' set to true"),
    ({"key": ""}, "'key' must be specified in request body as JSON, or 'reset' set to true"),
    ({"key": "no key at all!"}, "'key' must be a valid hex or base64 string"),
    ({"key": "YQ=="}, "invalid key: key is shorter than minimum 16 bytes"),
])
def test_what_is_no_share_is_refused_with_the_reason(node, body, text):
    node.initialise()
    node.client().write("sys/unseal", **body).refused(400, text)


def test_unsealing_before_initialising_is_refused(node):
    assert unseal(node, base64.b64encode(bytes(32)).decode()).status in (400, 500, 501, 503)
    assert node.status()["initialized"] is False


def test_unsealing_what_is_open_changes_nothing(node):
    node.ready()
    assert unseal(node, node.keys.shares[0]).ok(200).json["sealed"] is False
    node.api("PUT", "sys/unseal", reset=True).refused(400, "vault is unsealed")


def test_sealing_needs_a_token_and_closes_everything(node):
    node.ready()
    node.root.write("sys/mounts/kv", type="kv").ok(204)
    node.root.write("kv/a", x="1").ok(204)
    node.api("PUT", "sys/seal").refused(403)
    assert node.status()["sealed"] is False
    node.root.write("sys/seal").ok(204)
    assert node.status()["sealed"] is True
    node.root.read("kv/a").refused(503, "Vault is sealed")
    node.root.read("sys/mounts").refused(503, "Vault is sealed")
    node.client().write("auth/token/create").refused(503, "Vault is sealed")
    node.unseal()
    node.wait_active()
    assert node.root.read("kv/a").ok(200).data == {"x": "1"}


def test_a_restart_seals_and_loses_nothing(node):
    node.ready(3, 2)
    node.root.write("sys/mounts/kv", type="kv").ok(204)
    node.root.write("kv/a", x="1").ok(204)
    node.restart()
    assert node.status()["sealed"] is True
    node.unseal()
    node.wait_active()
    assert node.root.read("kv/a").ok(200).data == {"x": "1"}


def test_the_cluster_has_a_name_and_an_id_once_it_is_open(node):
    assert "cluster_id" not in node.status()
    node.ready()
    before = node.status()
    assert before["cluster_name"] and before["cluster_id"]
    node.restart()
    node.unseal()
    assert (node.status()["cluster_name"], node.status()["cluster_id"]) == (before["cluster_name"], before["cluster_id"])


@pytest.mark.coffer_only
def test_a_second_process_on_the_same_data_is_refused_and_harms_nothing(nodes):
    first = nodes.node()
    first.start()
    first.ready()
    first.root.write("sys/policies/acl/kept", policy='path "x" {}').ok(204)
    mark = first.folder / "data" / "init-unfinished"
    mark.touch()  # what a process would find that starts while another one initialises
    second = nodes.node()
    second.config = first.config
    second.launch()
    wait_for("it ends", lambda: not second.process.is_running())
    assert "in use by another process" in second.log_file.read_text()
    mark.unlink()
    first.root.read("sys/policies/acl/kept").ok(200)
    first.restart()
    first.unseal()
    first.root.read("sys/policies/acl/kept").ok(200)
