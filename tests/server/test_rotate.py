# SPDX-License-Identifier: Apache-2.0
"""The keyring gets new terms: by hand, and by itself."""
import time
from datetime import datetime

import pytest

from lib.process import wait_for

HOUR = 3600


def key_status(node):
    return node.root.read("sys/key-status").ok(200)


def term(node):
    return key_status(node).data["term"]


# ---- By hand ----

@pytest.mark.parametrize("path", ["sys/rotate", "sys/rotate/keyring"])
def test_a_rotation_adds_a_term_that_counts_from_nothing(server, path):
    before = key_status(server)
    assert before.data == {key: before.json[key] for key in ("term", "install_time", "encryptions")}
    for number in range(20):
        server.root.write(f"cubbyhole/{number}", x="1").ok()
    assert key_status(server).data["encryptions"] >= before.data["encryptions"] + 20
    server.root.write(path).ok(204)
    after = key_status(server).data
    assert after["term"] == before.data["term"] + 1
    # As times: as texts, "10.2Z" comes before "10Z".
    assert datetime.fromisoformat(after["install_time"]) > datetime.fromisoformat(before.data["install_time"])
    assert after["encryptions"] < 20


@pytest.mark.cve("N-127")
def test_what_was_written_before_stays_readable_also_after_a_restart(nodes):
    node = nodes.node()
    node.start()
    node.ready()
    for number in range(6):
        node.root.write(f"cubbyhole/{number}", x=str(number)).ok()
        node.root.write("sys/rotate").ok(204)
    node.restart()
    node.unseal()
    node.wait_active()
    assert term(node) == 7
    assert [node.root.read(f"cubbyhole/{number}").ok(200).data["x"] for number in range(6)] == list("012345")


def test_rotating_needs_sudo(policy_token):
    plain = policy_token('path "sys/rotate" { capabilities = ["update"] }')
    plain.write("sys/rotate").refused(403)
    policy_token('path "sys/rotate" { capabilities = ["update", "sudo"] }').write("sys/rotate").ok(204)


def test_the_command_line_rotates_and_shows_the_key(server):
    before = term(server)
    done = server.cli("operator", "rotate", token=server.keys.root_token)
    assert done.returncode == 0, done.stderr
    assert "Success! Rotated key" in done.stdout
    shown = server.cli("operator", "key-status", token=server.keys.root_token)
    assert f"Key Term            {before + 1}" in shown.stdout


def test_hvac_rotates(server):
    client = server.hvac(server.keys.root_token)
    before = client.sys.get_encryption_key_status()["data"]["term"]
    assert client.sys.rotate_encryption_key().status_code == 204
    assert client.sys.get_encryption_key_status()["data"]["term"] == before + 1


# ---- By itself ----

def test_the_configuration_is_told_as_clients_know_it(server):
    root = server.root
    assert root.read("sys/rotate/config").ok(200).data == \
        {"enabled": True, "interval": 0, "max_operations": 3865470566}
    root.write("sys/rotate/config", interval="48h").ok(204)
    root.write("sys/rotate/keyring/config", enabled=False, max_operations=1000000).ok(204)
    assert root.read("sys/rotate/keyring/config").ok(200).data == \
        {"enabled": False, "interval": "48h0m0s", "max_operations": 1000000}
    root.write("sys/rotate/config", enabled=True, max_operations=3865470566, interval=0).ok(204)
    assert root.read("sys/rotate/config").ok(200).data["interval"] == 0


@pytest.mark.parametrize("field, value, sentence", [
    ("interval", "1h", "interval must be greater or equal to 24h0m0s"),
    ("max_operations", 5, "max_operations must be in the range [1000000,3865470566]"),
    ("max_operations", 3865470567, "max_operations must be in the range [1000000,3865470566]"),
])
def test_a_configuration_that_makes_no_sense_is_refused(server, field, value, sentence):
    server.root.write("sys/rotate/config", **{field: value}).refused(400, sentence)


@pytest.mark.cve("N-130")
@pytest.mark.coffer_only
def test_a_term_that_is_too_old_is_replaced_unless_that_is_off(nodes):
    node = nodes.node(faults=True)
    node.start()
    node.ready()
    node.root.write("sys/rotate/config", interval="24h", enabled=False).ok(204)
    node.stop()
    node.faults.shift_clock(25 * HOUR)
    node.env["COFFER_FAILPOINTS"] = "rotator.look_often=error"
    node.start()
    node.unseal()
    node.wait_active()
    assert term(node) == 1
    node.root.write("sys/rotate/config", enabled=True).ok(204)
    wait_for("the keyring is rotated", lambda: term(node) == 2)
    node.root.write("sys/rotate/config", interval="48h").ok(204)
    assert term(node) == 2


@pytest.mark.cve("N-130")
@pytest.mark.coffer_only
def test_what_a_term_has_encrypted_is_still_known_after_a_kill(nodes):
    node = nodes.node(env={"COFFER_FAILPOINTS": "rotator.look_often=error"})
    node.start()
    node.ready()
    for number in range(100):
        node.root.write(f"cubbyhole/{number}", x="1").ok()
    time.sleep(1)  # a look each tenth of a second
    node.kill()
    node.start()
    node.unseal()
    node.wait_active()
    assert key_status(node).data["encryptions"] >= 100 - 16  # so few are not worth a record
