# SPDX-License-Identifier: Apache-2.0
"""The audit file: everything is in it before the client has its answer, and no secret is."""
import json
import os

import pytest

pytestmark = pytest.mark.quick


@pytest.fixture
def audited(node):
    node.ready()
    node.enable_audit()
    node.root.write("sys/mounts/kv", type="kv").ok(204)
    return node


def of_path(node, path, kind):
    return [entry for entry in node.audit_entries() if entry["type"] == kind and entry["request"]["path"] == path]


def test_each_request_has_two_entries_of_one_id(audited):
    audited.root.write("kv/a", secret="top-secret").ok(204)
    [request], [response] = of_path(audited, "kv/a", "request"), of_path(audited, "kv/a", "response")
    assert request["request"]["id"] == response["request"]["id"]
    assert request["request"]["operation"] in ("create", "update")
    assert (request["request"]["mount_point"], request["request"]["mount_type"]) == ("kv/", "kv")
    assert request["request"]["remote_address"] == "127.0.0.1" and request["request"]["remote_port"] > 0
    assert request["auth"]["policies"] == ["root"] and request["auth"]["display_name"] == "root"
    assert request["time"].endswith("Z") and "response" not in request


@pytest.mark.cve("N-090")
def test_secrets_and_tokens_are_only_there_as_hashes(audited):
    audited.root.write("kv/a", secret="top-secret-value", deep={"list": ["another-secret"]}).ok(204)
    audited.root.read("kv/a").ok(200)
    text = audited.audit_file.read_text()
    for planted in ("top-secret-value", "another-secret", audited.keys.root_token):
        assert planted not in text
    [request] = [entry for entry in of_path(audited, "kv/a", "request") if "data" in entry["request"]]
    hashed = audited.root.write("sys/audit-hash/file", input="top-secret-value").ok(200).data["hash"]
    assert request["request"]["data"]["secret"] == hashed
    assert request["request"]["data"]["deep"]["list"][0].startswith("hmac-sha256:")
    token = audited.root.write("sys/audit-hash/file", input=audited.keys.root_token).ok(200).data["hash"]
    assert request["request"]["client_token"] == token


def test_numbers_and_booleans_stay_as_they_are(audited):
    audited.root.write("kv/a", n=7, yes=True, nothing=None).ok(204)
    [request] = of_path(audited, "kv/a", "request")
    assert request["request"]["data"] == {"n": 7, "yes": True, "nothing": None}


def test_a_denied_request_is_there_with_its_error(audited):
    audited.client("no-such-token").read("kv/a").refused(403)
    [request] = of_path(audited, "kv/a", "request")
    [response] = of_path(audited, "kv/a", "response")
    assert "permission denied" in request.get("error", "") or "permission denied" in response.get("error", "")
    assert "no-such-token" not in audited.audit_file.read_text()


@pytest.mark.cve("N-090")
def test_a_login_is_there_without_its_password(audited):
    audited.root.write("sys/auth/userpass", type="userpass").ok(204)
    audited.root.write("auth/userpass/users/bob", password="horse-battery").ok(204)
    token = audited.client().write("auth/userpass/login/bob", password="horse-battery").ok(200).auth["client_token"]
    text = audited.audit_file.read_text()
    assert "horse-battery" not in text and token not in text
    [response] = of_path(audited, "auth/userpass/login/bob", "response")
    assert response["response"]["auth"]["client_token"].startswith("hmac-sha256:")
    assert response["response"]["auth"]["accessor"].startswith("hmac-sha256:")


def test_the_entry_is_on_disk_before_the_client_has_its_answer(audited):
    client = audited.root
    for number in range(30):
        request_id = client.write("kv/a", n=number).ok(204) and client.read("kv/a").ok(200).json["request_id"]
        # Read at once: nothing has been waited for.
        ids = [entry["request"]["id"] for entry in audited.audit_entries() if entry["type"] == "response"]
        assert request_id in ids


def test_status_requests_without_a_token_are_not_in_it(audited):
    before = len(audited.audit_entries())
    for path in ("sys/health", "sys/seal-status", "sys/leader", "sys/init"):
        audited.client().read(path).ok(200)
    assert len(audited.audit_entries()) == before


def test_nothing_is_answered_when_no_device_can_write(nodes, tmp_path):
    node = nodes.node()
    node.start()
    node.ready()
    node.root.write("sys/mounts/kv", type="kv").ok(204)
    node.root.write("kv/a", x="1").ok(204)
    # A full device: writes to it fail with ENOSPC.
    os.symlink("/dev/full", tmp_path / "audit")
    refused = node.root.write("sys/audit/full", type="file", options={"file_path": str(tmp_path / "audit")})
    assert refused.status >= 400, "a device that cannot write must not be enabled"
    target = tmp_path / "good"
    node.root.write("sys/audit/file", type="file", options={"file_path": str(target)}).ok(204)
    assert node.root.read("kv/a").status == 200


@pytest.mark.coffer_only
@pytest.mark.needs_root
def test_a_full_audit_disk_blocks_everything_and_room_unblocks_it(node, small_disk):
    node.ready()
    node.enable_audit(file_path=str(small_disk / "audit.log"))
    node.root.write("sys/mounts/kv", type="kv").ok(204)
    node.root.write("kv/a", x="1").ok(204)
    filler = small_disk / "filler"
    fill(filler)
    for _ in range(40):
        answer = node.root.write("kv/b", x="y" * 500)
        if answer.status == 500:
            break
    answer.refused(500)
    node.root.read("kv/a").refused(500)
    filler.unlink()
    assert node.root.read("kv/a").ok(200).data == {"x": "1"}


def fill(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def test_devices_are_listed_and_disabled(audited):
    devices = audited.root.read("sys/audit").ok(200)
    assert devices.data["file/"]["type"] == "file" and devices.json["file/"] == devices.data["file/"]
    audited.root.write("sys/audit/file", type="file", options={"file_path": "x"}).refused(400, "path already in use")
    audited.root.delete("sys/audit/file").ok(204)
    size = audited.audit_file.stat().st_size
    audited.root.read("kv/a")
    assert audited.audit_file.stat().st_size == size
    assert audited.root.read("sys/audit").data == {}


def test_a_device_outlives_a_restart(audited):
    audited.restart()
    audited.unseal()
    audited.wait_active()
    audited.root.write("kv/after", x="1").ok(204)
    assert of_path(audited, "kv/after", "response")


def test_two_devices_get_the_same_entries_with_hashes_of_their_own(audited, tmp_path):
    audited.root.write("sys/audit/second", type="file", options={"file_path": str(tmp_path / "second.log")}).ok(204)
    audited.root.write("kv/a", secret="s3cret").ok(204)
    second = [json.loads(line) for line in (tmp_path / "second.log").read_text().splitlines()]
    [one] = of_path(audited, "kv/a", "request")
    [two] = [entry for entry in second if entry["type"] == "request" and entry["request"]["path"] == "kv/a"]
    assert one["request"]["id"] == two["request"]["id"]
    assert one["request"]["data"]["secret"] != two["request"]["data"]["secret"]


@pytest.mark.cve("N-098")
def test_the_file_is_only_for_its_owner(audited):
    assert audited.audit_file.stat().st_mode & 0o077 == 0


def test_values_of_named_keys_can_be_exempted(audited):
    audited.root.write("sys/mounts/kv/tune", audit_non_hmac_request_keys="plain").ok(204)
    audited.root.write("kv/a", plain="seen", other="hidden").ok(204)
    [request] = of_path(audited, "kv/a", "request")
    assert request["request"]["data"]["plain"] == "seen"
    assert request["request"]["data"]["other"].startswith("hmac-sha256:")


def test_a_rotated_file_is_left_alone_after_sighup(audited):
    import signal
    from lib.process import wait_for
    rotated = audited.audit_file.with_suffix(".1")
    audited.audit_file.rename(rotated)
    audited.process.signal(signal.SIGHUP)
    wait_for("the file is opened anew", audited.audit_file.exists, timeout=5)
    size = rotated.stat().st_size
    audited.root.write("kv/late", x="1").ok(204)
    assert of_path(audited, "kv/late", "response") and rotated.stat().st_size == size
