# SPDX-License-Identifier: Apache-2.0
"""Time: what ends is decided by the cluster's, whatever is done to the wall clock of the machine."""
import time

import pytest

from lib.process import wait_for

pytestmark = pytest.mark.coffer_only

HOUR = 3600


@pytest.fixture
def moved(nodes):
    """A server whose wall clock can be moved, with a token that lives for an hour, at first."""
    node = nodes.node()
    node.faults.clear()
    node.start()
    return node.ready()


def new_token(node, ttl):
    answer = node.root.write("auth/token/create", ttl=ttl, policies=["default"]).ok(200)
    return node.client(answer.auth["client_token"])


def lives(token):
    return token.read("auth/token/lookup-self").status == 200


def ttl_left(token):
    return token.read("auth/token/lookup-self").ok(200).data["ttl"]


def test_a_clock_that_jumps_forward_ends_nothing_early(moved):
    hour, day = new_token(moved, "1h"), new_token(moved, "24h")
    moved.faults.shift_clock(2 * HOUR)
    assert lives(hour) and ttl_left(hour) > HOUR - 60
    moved.root.write("sys/policies/acl/x", policy='path "a" { capabilities = ["read"] }').ok(204)
    assert lives(hour) and ttl_left(day) > 24 * HOUR - 60


def test_a_token_made_after_the_jump_lives_as_long_as_it_says(moved):
    moved.faults.shift_clock(HOUR)
    began = time.monotonic()
    token = new_token(moved, "3s")
    wait_for("it ends", lambda: not lives(token), timeout=20)
    assert time.monotonic() - began >= 2


def test_a_clock_that_jumps_back_keeps_nothing_alive(moved):
    short = new_token(moved, "3s")
    moved.faults.shift_clock(-HOUR)
    wait_for("the token ends", lambda: not lives(short), timeout=20)
    wait_for("its record goes", lambda: len(moved.root.list("auth/token/accessors").ok(200).data["keys"]) == 1, timeout=20)


def test_a_secret_id_and_a_version_end_by_the_same_time(moved):
    root = moved.root
    root.write("sys/auth/approle", type="approle").ok(204)
    root.write("auth/approle/role/r", secret_id_ttl="1h").ok(204)
    role_id = root.read("auth/approle/role/r/role-id").ok(200).data["role_id"]
    secret_id = root.write("auth/approle/role/r/secret-id").ok(200).data["secret_id"]
    root.write("sys/mounts/kv", type="kv", options={"version": "2"}).ok(204)
    root.write("kv/metadata/x", delete_version_after="1h").ok(204)
    root.write("kv/data/x", data={"a": "b"}).ok(200)
    moved.faults.shift_clock(2 * HOUR)
    assert root.read("kv/data/x").ok(200).data["data"] == {"a": "b"}
    moved.client().write("auth/approle/login", role_id=role_id, secret_id=secret_id).ok(200)


def test_time_does_not_go_back_over_a_restart(moved):
    first = moved.root.write("auth/token/create", ttl="1h").ok(200).auth["client_token"]
    created = moved.client(first).read("auth/token/lookup-self").ok(200).data["creation_time"]
    moved.faults.shift_clock(-HOUR)
    moved.restart()
    moved.unseal()
    moved.wait_active()
    second = new_token(moved, "1h")
    assert second.read("auth/token/lookup-self").ok(200).data["creation_time"] >= created
    assert ttl_left(moved.client(first)) > HOUR - 60


def test_what_ended_while_the_server_was_off_has_ended(moved):
    hour, weeks = new_token(moved, "1h"), new_token(moved, "336h")
    moved.stop()
    moved.faults.shift_clock(7 * 24 * HOUR)
    moved.start()
    moved.unseal()
    moved.wait_active()
    assert not lives(hour)
    assert 6 * 24 * HOUR < ttl_left(weeks) <= 7 * 24 * HOUR


def test_health_and_log_say_that_the_clock_is_off(moved):
    assert abs(moved.client().read("sys/health").ok(200).json["clock_skew_ms"]) < 1000
    moved.faults.shift_clock(-90)
    assert -91_000 < moved.client().read("sys/health").ok(200).json["clock_skew_ms"] < -89_000
    wait_for("the log says so", lambda: "s behind the cluster's time" in moved.process.text())
    nodes = moved.root.read("sys/ha-status").ok(200).data["nodes"]
    wait_for("ha-status says so", lambda: moved.root.read("sys/ha-status").ok(200).data["nodes"][0]["clock_skew_ms"] < -89_000)
    assert len(nodes) == 1
    moved.faults.shift_clock(0)
    wait_for("the log says that it is well", lambda: "agrees with the cluster's time again" in moved.process.text())
