# SPDX-License-Identifier: Apache-2.0
"""Planted strings: secrets, paths, tokens and keys are found nowhere that they do not belong."""
import base64
import time

import pytest

pytestmark = pytest.mark.coffer_only

SECRET = "PLANTED-secret-b7f3e1"
PATH = "PLANTED-path-90cd52"
PASSWORD = "PLANTED-password-5a11f0"


@pytest.fixture
def used(node):
    """A node that has seen every kind of secret, and its needles: {what: bytes}."""
    node.ready(3, 2)
    node.enable_audit()
    root = node.root
    root.write("sys/mounts/kv", type="kv").ok(204)
    root.write("sys/mounts/kv2", type="kv", options={"version": "2"}).ok(204)
    root.write(f"kv/{PATH}/leaf", value=SECRET).ok(204)
    root.write(f"kv2/data/{PATH}", data={"value": SECRET}).ok(200)
    root.write("sys/auth/userpass", type="userpass").ok(204)
    root.write("auth/userpass/users/bob", password=PASSWORD).ok(204)
    login = node.client().write("auth/userpass/login/bob", password=PASSWORD).ok(200).auth["client_token"]
    root.write("sys/auth/approle", type="approle").ok(204)
    root.write("auth/approle/role/app", token_policies="default").ok(204)
    role_id = root.read("auth/approle/role/app/role-id").data["role_id"]
    secret_id = root.write("auth/approle/role/app/secret-id").data["secret_id"]
    node.client().write("auth/approle/login", role_id=role_id, secret_id=secret_id).ok(200)
    root.read(f"kv/{PATH}/leaf").ok(200)
    texts = {"secret": SECRET, "password": PASSWORD, "root token": node.keys.root_token, "token": login,
             "secret id": secret_id}
    needles = {what: text.encode() for what, text in texts.items()}
    for number, share in enumerate(node.keys.shares):
        raw = base64.b64decode(share)
        needles.update({f"share {number}": share.encode(), f"share {number} raw": raw[:-1], f"share {number} hex": raw.hex().encode()})
    return node, needles


def found_in_files(paths, needles):
    return sorted({f"{what} in {path}" for path in paths if path.is_file()
                   for what, needle in needles.items() if needle in path.read_bytes()})


def test_nothing_planted_is_in_the_data_directory_not_even_paths(used):
    node, needles = used
    needles = {**needles, "path": PATH.encode(), "user's name": b"userpass", "mount's name": b"kv2/"}
    assert not found_in_files(node.data_dir.rglob("*"), needles)
    node.stop()
    assert not found_in_files(node.data_dir.rglob("*"), needles)


@pytest.mark.cve("N-094")
def test_nothing_planted_is_in_the_audit_file_nor_in_the_log(used):
    node, needles = used
    assert node.audit_file.stat().st_size > 1000
    assert not found_in_files([node.audit_file, node.log_file], needles)


@pytest.mark.cve("N-131")
@pytest.mark.needs_root
def test_no_unseal_key_is_in_memory_once_it_is_unsealed(used):
    node, needles = used
    shares = {what: needle for what, needle in needles.items() if what.startswith("share")}
    assert not {what for what, needle in shares.items() if needle in node.process.find_in_memory(list(shares.values()))}


@pytest.mark.needs_root
def test_secrets_and_tokens_of_finished_requests_are_not_in_memory(used):
    node, needles = used
    # Requests of other shapes, so that buffers which are used again are used again.
    for _ in range(20):
        node.client().read("sys/health").ok(200)
    time.sleep(0.5)
    found = node.process.find_in_memory(list(needles.values()))
    assert not sorted(what for what, needle in needles.items() if needle in found)


@pytest.mark.cve("N-131")
@pytest.mark.needs_root
def test_nothing_that_was_known_is_in_memory_after_sealing(used):
    node, needles = used
    node.root.write("sys/seal").ok(204)
    time.sleep(0.5)
    found = node.process.find_in_memory(list(needles.values()))
    assert not sorted(what for what, needle in needles.items() if needle in found)


@pytest.mark.cve("N-131")
def test_the_process_leaves_no_core_file(used):
    node, _ = used
    limits = open(f"/proc/{node.process.pid}/limits", encoding="ascii").read()
    line = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert line.split()[4] == "0"


@pytest.mark.cve("N-093")
def test_errors_do_not_repeat_what_was_sent(used):
    node, _ = used
    for path, body in (("sys/unseal", {"key": SECRET}), ("auth/userpass/login/bob", {"password": SECRET}),
                       ("auth/approle/login", {"role_id": SECRET, "secret_id": SECRET}), ("sys/init", {"secret_shares": SECRET})):
        assert SECRET.encode() not in node.client().write(path, **body).raw
    assert SECRET not in node.process.text()
