# SPDX-License-Identifier: Apache-2.0
"""Snapshots by schedule: sys/storage/raft/snapshot-auto."""
import datetime
import hashlib
import http.server
import json
import os
import re
import threading

import pytest

from lib import settings
from lib.process import wait_for

pytestmark = pytest.mark.coffer_only

CONFIG, STATUS = "sys/storage/raft/snapshot-auto/config", "sys/storage/raft/snapshot-auto/status"
SUDO = ', "sudo"'
RAW = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def saving(node):
    node.ready()
    node.root.write("sys/mounts/kv", type="kv").ok(204)
    node.root.write("kv/a", value="kept").ok(204)
    return node


@pytest.fixture
def target(tmp_path):
    return tmp_path / "backups"


def configure(node, target, name="daily", **more):
    body = {"storage_type": "local", "path_prefix": str(target), "interval": "1h", "local_max_space": 100_000_000}
    return node.root.write(f"{CONFIG}/{name}", **{**body, **more})


def saved(target):
    return sorted(path.name for path in target.glob("*")) if target.exists() else []


def status(node, name="daily"):
    return node.root.read(f"{STATUS}/{name}").ok(200).data


def test_snapshots_are_saved_again_and_again_and_the_newest_are_kept(saving, target):
    configure(saving, target, interval=1, retain=2, file_prefix="mine").ok(204)
    (target / "mine-note.txt").parent.mkdir(exist_ok=True)
    (target / "mine-note.txt").write_text("not a snapshot")
    seen = set()

    def many():
        seen.update(name for name in saved(target) if name.endswith(".snap"))
        return len(seen) > 3
    wait_for("more than three were saved", many, timeout=60)
    saving.root.delete(f"{CONFIG}/daily").ok(204)
    wait_for("only the newest are left", lambda: len([n for n in saved(target) if n.endswith(".snap")]) == 2)
    assert all(re.fullmatch(r"mine-\d{19}\.snap", name) for name in seen)
    assert (target / "mine-note.txt").exists()


def test_what_was_saved_is_a_snapshot_that_can_be_restored(saving, target):
    configure(saving, target).ok(204)
    wait_for("the first is saved at once", lambda: status(saving)["last_snapshot_url"])
    name, = saved(target)
    assert status(saving)["last_snapshot_url"] == f"file://{target}/{name}"
    assert (target / name).stat().st_mode & 0o777 == 0o600
    saving.root.write("kv/a", value="changed").ok(204)
    data = (target / name).read_bytes()
    saving.root.request("POST", "sys/storage/raft/snapshot", raw=data, headers=RAW).ok(204)
    assert saving.root.read("kv/a").ok(200).data == {"value": "kept"}


def test_the_status_says_when_it_was_and_when_it_will_be(saving, target):
    configure(saving, target).ok(204)
    wait_for("the first is saved", lambda: status(saving)["last_snapshot_url"])
    data = status(saving)
    when = {key: datetime.datetime.fromisoformat(re.sub(r"\.\d+|Z$", "", data[key]))
            for key in ("last_snapshot_start", "last_snapshot_end", "next_snapshot_start")}
    assert when["last_snapshot_start"] <= when["last_snapshot_end"]
    assert when["next_snapshot_start"] - when["last_snapshot_start"] == datetime.timedelta(hours=1)
    assert (data["consecutive_errors"], data["last_snapshot_error"]) == (0, "")
    assert (data["snapshot_start"], data["snapshot_url"]) == ("0001-01-01T00:00:00Z", "")


def test_the_schedule_goes_on_after_a_restart(saving, target):
    configure(saving, target).ok(204)
    wait_for("the first is saved", lambda: status(saving)["last_snapshot_url"])
    before = status(saving)
    saving.restart()
    saving.unseal()
    saving.wait_active()
    assert status(saving) == before
    configure(saving, target, interval="2h", retain=5).ok(204)
    wait_for("a changed configuration is tried at once", lambda: len(saved(target)) == 2)


def test_a_snapshot_beyond_local_max_space_is_an_error_that_the_status_tells(saving, target):
    configure(saving, target, interval=1, local_max_space=100).ok(204)
    wait_for("it was tried twice", lambda: status(saving)["consecutive_errors"] >= 2, timeout=60)
    assert "local_max_space allows 100 bytes" in status(saving)["last_snapshot_error"]
    assert status(saving)["last_snapshot_url"] == "" and saved(target) == []
    configure(saving, target, local_max_space=100_000_000).ok(204)
    wait_for("it is saved", lambda: status(saving)["last_snapshot_url"])
    assert status(saving)["consecutive_errors"] == 0 and status(saving)["last_snapshot_error"] == ""


def test_a_directory_that_cannot_be_made_is_an_error_that_the_status_tells(saving, tmp_path):
    (tmp_path / "file").write_text("")
    configure(saving, tmp_path / "file" / "below").ok(204)
    wait_for("it was tried", lambda: status(saving)["consecutive_errors"] == 1)
    assert str(tmp_path / "file") in status(saving)["last_snapshot_error"]


def test_configurations_are_listed_read_and_deleted(saving, target):
    assert saving.root.list(CONFIG).status == 404
    configure(saving, target, "b", retain=3).ok(204)
    configure(saving, target, "a").ok(204)
    assert saving.root.list(CONFIG).ok(200).data == {"keys": ["a", "b"]}
    assert saving.root.read(f"{CONFIG}/b").ok(200).data == {
        "interval": 3600, "retain": 3, "path_prefix": str(target), "file_prefix": "vault-snapshot",
        "storage_type": "local", "local_max_space": 100_000_000}
    saving.root.write(f"{CONFIG}/b", retain=4).ok(204)
    assert saving.root.read(f"{CONFIG}/b").ok(200).data["path_prefix"] == str(target)
    saving.root.delete(f"{CONFIG}/b").ok(204)
    assert saving.root.read(f"{CONFIG}/b").status == 404
    assert saving.root.read(f"{STATUS}/b").status == 404
    assert saving.root.list(CONFIG).ok(200).data == {"keys": ["a"]}


@pytest.mark.parametrize("field, value, text", [
    ("storage_type", "tape", "storage_type must be"),
    ("interval", 0, "interval must be given"),
    ("retain", 0, "retain must be"),
    ("path_prefix", "relative/path", "absolute path"),
    ("file_prefix", "../escape", "file_prefix must be"),
    ("local_max_space", 0, "local_max_space must be given"),
])
def test_a_configuration_that_makes_no_sense_is_refused(server, tmp_path, field, value, text):
    configure(server, tmp_path, "bad", **{field: value}).refused(400, text)
    assert server.root.read(f"{CONFIG}/bad").status == 404


def test_configuring_needs_sudo(server, policy_token, tmp_path):
    paths = 'path "sys/storage/raft/snapshot-auto/*" { capabilities = ["create", "read", "update", "delete", "list"%s] }'
    token = policy_token(paths % "")
    assert token.write(f"{CONFIG}/x", storage_type="local").status == 403
    assert token.read(f"{STATUS}/x").status == 403
    assert policy_token(paths % SUDO).list(CONFIG).status == 404


def test_a_new_leader_goes_on_with_the_schedule(cluster, target):
    cluster.root.write(f"{CONFIG}/daily", storage_type="local", path_prefix=str(target), interval=1, retain=1000,
                       local_max_space=1_000_000_000).ok(204)
    wait_for("the first leader saves", lambda: saved(target))
    cluster.kill_leader()
    before = len(saved(target))
    wait_for("the next leader saves", lambda: len(saved(target)) > before + 1, timeout=60)


# ---- S3: moto checks signatures and policies ----

@pytest.fixture
def bucket(moto):
    """The name of a bucket, a client that looks on, and what a configuration for it needs."""
    s3_allowed = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:*", "iam:*"], "Resource": "*"}]})
    moto.iam.put_user_policy(UserName="coffer", PolicyName="s3", PolicyDocument=s3_allowed)
    s3 = moto.client("s3", moto.access_key, moto.secret_key)
    s3.create_bucket(Bucket="backups")
    return s3, {"storage_type": "aws-s3", "aws_s3_bucket": "backups", "aws_s3_region": "us-east-1",
                "aws_s3_endpoint": moto.url, "aws_s3_force_path_style": True, "path_prefix": "coffer/daily",
                "aws_access_key_id": moto.access_key, "aws_secret_access_key": moto.secret_key, "interval": "1h"}


def objects(s3):
    return [item["Key"] for item in s3.list_objects_v2(Bucket="backups").get("Contents", [])]


def test_snapshots_in_s3_are_whole_and_the_newest_are_kept(saving, bucket):
    s3, config = bucket
    s3.put_object(Bucket="backups", Key="coffer/daily/vault-snapshot-1.snap", Body=b"somebody else's")
    saving.root.write(f"{CONFIG}/s3", **{**config, "interval": 1, "retain": 2}).ok(204)
    seen = set()

    def many():
        seen.update(key for key in objects(s3) if len(key) > 40)
        return len(seen) > 3
    wait_for("more than three were saved", many, timeout=60)
    saving.root.write(f"{CONFIG}/s3", interval="1h").ok(204)
    wait_for("two are kept", lambda: len(objects(s3)) == 3)
    wait_for("the last is over", lambda: status(saving, "s3")["snapshot_url"] == "")
    data = status(saving, "s3")
    assert (data["consecutive_errors"], data["last_snapshot_error"]) == (0, "")
    newest = max(key for key in objects(s3) if len(key) > 40)
    assert data["last_snapshot_url"] == f"{config['aws_s3_endpoint']}/backups/{newest}"
    body = s3.get_object(Bucket="backups", Key=newest)["Body"].read()
    saving.root.request("POST", "sys/storage/raft/snapshot-verify", raw=body, headers=RAW).ok(200)
    assert s3.get_object(Bucket="backups", Key="coffer/daily/vault-snapshot-1.snap")["Body"].read() == b"somebody else's"


def test_objects_are_encrypted_as_configured(saving, bucket):
    s3, config = bucket
    saving.root.write(f"{CONFIG}/s3", **config, aws_s3_server_side_encryption=True).ok(204)
    wait_for("it is saved", lambda: status(saving, "s3")["last_snapshot_url"])
    key, = objects(s3)
    assert s3.head_object(Bucket="backups", Key=key)["ServerSideEncryption"] == "AES256"


def test_what_s3_refuses_is_told_in_the_status_and_no_secret_is_shown(saving, bucket):
    s3, config = bucket
    saving.root.write(f"{CONFIG}/s3", **{**config, "aws_secret_access_key": "wrong"}).ok(204)
    wait_for("it was tried", lambda: status(saving, "s3")["consecutive_errors"] == 1)
    assert "SignatureDoesNotMatch" in status(saving, "s3")["last_snapshot_error"]
    assert objects(s3) == []
    shown = saving.root.read(f"{CONFIG}/s3").ok(200)
    assert shown.data["aws_s3_bucket"] == "backups" and shown.data["path_prefix"] == "coffer/daily"
    assert b"aws_access_key_id" not in shown.raw and b"wrong" not in shown.raw
    saving.root.write(f"{CONFIG}/s3", aws_secret_access_key=config["aws_secret_access_key"]).ok(204)
    wait_for("it is saved", lambda: status(saving, "s3")["last_snapshot_url"])


class Sink(http.server.BaseHTTPRequestHandler):
    """Takes one object a portion at a time, and looks at the server's memory meanwhile."""
    timeout = 60

    def log_message(self, *_):
        pass

    def do_PUT(self):
        server, digest, left = self.server, hashlib.sha256(), int(self.headers["Content-Length"])
        if self.headers.get("Expect"):
            self.send_response_only(100)
            self.end_headers()
        server.length = left
        while left > 0:
            portion = self.rfile.read(min(left, 1 << 20))
            digest.update(portion)
            left -= len(portion)
            server.memory.append(server.process.memory_kb("RssAnon"))
        server.fits = digest.hexdigest() == self.headers["x-amz-content-sha256"]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


def test_a_snapshot_goes_to_s3_from_the_disk_in_little_memory_with_its_checksum(saving):
    for number in range(48):
        saving.root.write(f"kv/large/{number}", x=os.urandom(1 << 19).hex()).ok(204)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink) as sink:
        sink.process, sink.memory, sink.fits = saving.process, [saving.process.memory_kb("RssAnon")], None
        thread = threading.Thread(target=sink.serve_forever)
        thread.start()
        try:
            saving.root.write(f"{CONFIG}/s3", storage_type="aws-s3", interval="1h", aws_s3_bucket="backups",
                              aws_s3_endpoint=f"http://127.0.0.1:{sink.server_port}", aws_s3_force_path_style=True,
                              aws_access_key_id="key", aws_secret_access_key="secret").ok(204)
            wait_for("it is there", lambda: sink.fits is not None, timeout=60)
        finally:
            sink.shutdown()
            thread.join()
    assert sink.fits is True and sink.length > 40 << 20 and len(sink.memory) > 40
    if settings.PATIENCE == 1:  # a sanitizer keeps what was freed
        assert max(sink.memory) - sink.memory[0] < 12 << 10


@pytest.mark.parametrize("field, value, text", [
    ("aws_s3_bucket", "", "aws_s3_bucket must be given"),
    ("aws_s3_bucket", "a/b/c", "aws_s3_bucket must be given"),
    ("aws_s3_region", "not a region", "no AWS region"),
    ("aws_s3_endpoint", "http://host/?x=", "aws_s3_endpoint must be"),
    ("path_prefix", "/absolute", "path_prefix must be"),
    ("path_prefix", "a/../b", "path_prefix must be"),
    ("aws_access_key_id", "alone", "must be given together"),
])
def test_a_configuration_for_s3_that_makes_no_sense_is_refused(server, field, value, text):
    config = {"storage_type": "aws-s3", "aws_s3_bucket": "backups", "interval": "1h", field: value}
    server.root.write(f"{CONFIG}/bad-s3", **config).refused(400, text)


def test_hvac_configures_and_asks(saving, target):
    raft = saving.hvac(saving.keys.root_token).sys
    raft.create_or_update_raft_auto_snapshot_config("own", interval="1h", storage_type="local", retain=5,
                                                    local_max_space=100_000_000, path_prefix=str(target))
    assert raft.list_raft_auto_snapshot_configs()["data"]["keys"] == ["own"]
    assert raft.read_raft_auto_snapshot_config("own")["data"]["retain"] == 5
    wait_for("it is saved", lambda: raft.read_raft_auto_snapshot_status("own")["data"]["last_snapshot_url"])
    raft.delete_raft_auto_snapshot_config("own")
    assert saving.root.list(CONFIG).status == 404
