# SPDX-License-Identifier: Apache-2.0
"""Snapshots over HTTP: saved, checked, restored, refused."""
import gzip
import hashlib
import io
import json
import tarfile

import pytest

from lib.process import wait_for

pytestmark = pytest.mark.coffer_only

RAW = {"Content-Type": "application/octet-stream"}


def save(server):
    return server.root.read("sys/storage/raft/snapshot").ok(200).raw


def restore(server, snapshot, force=False, token=None):
    path = "sys/storage/raft/snapshot-force" if force else "sys/storage/raft/snapshot"
    return server.client(token or server.keys.root_token, timeout=300).request("POST", path, raw=snapshot, headers=RAW)


def members(snapshot):
    with tarfile.open(fileobj=io.BytesIO(snapshot), mode="r:gz") as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}


@pytest.fixture
def ready(node):
    node.ready()
    node.root.write("sys/mounts/kv", type="kv").ok(204)
    node.root.write("kv/a", value="before").ok(204)
    return node


def test_a_snapshot_is_a_gzipped_tar_as_vaults_tools_expect_it(ready):
    answer = ready.root.read("sys/storage/raft/snapshot").ok(200)
    assert answer.headers["Content-Type"] == "application/gzip"
    assert int(answer.headers["Content-Length"]) == len(answer.raw)
    files = members(answer.raw)
    assert list(files) == ["meta.json", "state.bin", "SHA256SUMS", "SHA256SUMS.sealed"]
    meta = json.loads(files["meta.json"])
    assert meta["Version"] == 1 and meta["Index"] > 0 and meta["Size"] == len(files["state.bin"])
    assert [server["ID"] for server in meta["Configuration"]["Servers"]] == [ready.name]
    sums = dict(reversed(line.split("  ")) for line in files["SHA256SUMS"].decode().splitlines())
    assert sums == {name: hashlib.sha256(files[name]).hexdigest() for name in ("meta.json", "state.bin")}


def test_nothing_readable_is_in_a_snapshot(ready):
    ready.root.write("kv/needle", value="haystack-needle").ok(204)
    unpacked = gzip.decompress(save(ready))
    assert b"haystack-needle" not in unpacked and b"needle" not in unpacked
    assert ready.keys.root_token.encode() not in unpacked


def test_a_restore_brings_back_what_was_and_nothing_else(ready):
    snapshot = save(ready)
    ready.root.write("kv/a", value="after").ok(204)
    ready.root.write("kv/b", value="after").ok(204)
    restore(ready, snapshot).ok(204)
    assert ready.root.read("kv/a").ok(200).data == {"value": "before"}
    assert ready.root.read("kv/b").status == 404
    ready.root.write("kv/c", value="later").ok(204)
    ready.restart()
    ready.unseal()
    ready.wait_active()
    assert ready.root.read("kv/a").ok(200).data == {"value": "before"}
    assert ready.root.read("kv/c").ok(200).data == {"value": "later"}


def test_a_token_made_after_the_snapshot_is_gone_with_the_restore(ready):
    snapshot = save(ready)
    token = ready.root.write("auth/token/create", policies=["default"]).ok(200).auth["client_token"]
    restore(ready, snapshot).ok(204)
    assert ready.client(token).read("auth/token/lookup-self").status == 403


def test_saving_and_restoring_need_the_capability(ready):
    snapshot = save(ready)
    token = ready.root.write("auth/token/create", policies=["default"]).ok(200).auth["client_token"]
    assert ready.client(token).read("sys/storage/raft/snapshot").status == 403
    assert restore(ready, snapshot, token=token).status == 403
    assert restore(ready, snapshot, force=True, token=token).status == 403


@pytest.mark.cve("N-117")
def test_a_flipped_bit_anywhere_is_refused_before_anything_is_changed(ready):
    snapshot = save(ready)
    ready.root.write("kv/a", value="after").ok(204)
    # Bytes 4 to 9 are gzip's time, flags and system, which say nothing of what is in the file.
    places = [*range(0, 4), *range(10, 24), *range(24, len(snapshot), max(1, len(snapshot) // 100)),
              *range(len(snapshot) - 9, len(snapshot))]
    for place in places:
        damaged = bytearray(snapshot)
        damaged[place] ^= 1 << place % 8
        answer = restore(ready, bytes(damaged), force=place % 2 == 1)
        assert answer.status == 400, f"byte {place}: {answer!r}"
    assert ready.root.read("kv/a").ok(200).data == {"value": "after"}


@pytest.mark.cve("N-117")
def test_a_truncated_or_extended_file_is_refused(ready):
    snapshot = save(ready)
    ready.root.write("kv/a", value="after").ok(204)
    lengths = [1, 10, 512, *range(1000, len(snapshot), max(1, len(snapshot) // 30)), len(snapshot) - 1]
    for length in lengths:
        assert restore(ready, snapshot[:length], force=length % 2 == 1).status == 400, length
    assert restore(ready, snapshot + b"\0").status == 400
    assert restore(ready, snapshot + snapshot).status == 400
    restore(ready, b"").refused(400, "body")
    assert ready.root.read("kv/a").ok(200).data == {"value": "after"}


def test_an_archive_with_other_contents_is_refused(ready):
    files = members(save(ready))

    def packed(contents):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.USTAR_FORMAT) as tar:
            for name, data in contents:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        return out.getvalue()

    assert restore(ready, packed([])).status == 400
    assert restore(ready, packed(list(files.items())[1:])).status == 400
    assert restore(ready, packed([("../../etc/passwd", b"x"), *files.items()])).status == 400
    assert restore(ready, gzip.compress(b"\0" * 50_000_000)).status == 400


@pytest.mark.cve("N-117")
def test_a_snapshot_of_another_cluster_is_refused_unless_forced(ready, nodes):
    other = nodes.node()
    other.start()
    other.ready()
    other.root.write("sys/mounts/kv", type="kv").ok(204)
    other.root.write("kv/of", value="other").ok(204)
    snapshot = save(other)
    restore(ready, snapshot).refused(400, "use the snapshot-force API")
    assert ready.root.read("kv/a").ok(200).data == {"value": "before"}

    restore(ready, snapshot, force=True).ok(204)
    wait_for("it is sealed under the snapshot's keys", lambda: ready.status()["sealed"])
    assert ready.api("PUT", "sys/unseal", key=ready.keys.shares[0]).status == 400
    ready.unseal(other.keys)
    ready.wait_active()
    assert ready.root.read("kv/of").ok(200).data == {"value": "other"}
    assert ready.root.read("kv/a").status == 404
    ready.root.write("kv/a", value="again").ok(204)
    ready.restart()
    ready.unseal()
    ready.wait_active()
    assert ready.root.read("kv/a").ok(200).data == {"value": "again"}


def test_verify_says_whether_a_restore_would_be_taken(ready, nodes):
    snapshot = save(ready)

    def verify(data):
        return ready.root.request("POST", "sys/storage/raft/snapshot-verify", raw=data, headers=RAW)

    answer = verify(snapshot).ok(200)
    assert answer.data["valid"] is True and answer.data["records"] > 10
    assert verify(snapshot[:-1]).status == 400


def test_a_snapshot_larger_than_any_other_body_is_restored(ready):
    value = "x" * (6 << 20)
    for number in range(12):
        ready.root.write(f"kv/big{number}", value=value).ok(204)
    snapshot = save(ready)
    assert len(snapshot) > 66 << 20  # from there on it is a file
    ready.root.write("kv/a", value="after").ok(204)
    restore(ready, snapshot).ok(204)
    assert ready.root.read("kv/a").ok(200).data == {"value": "before"}
    assert ready.root.read("kv/big11").ok(200).data == {"value": value}
    # Chunked, as Go's clients send it.
    ready.root.write("kv/a", value="after").ok(204)
    pieces = (snapshot[at:at + (1 << 20)] for at in range(0, len(snapshot), 1 << 20))
    restore(ready, pieces).ok(204)
    assert ready.root.read("kv/a").ok(200).data == {"value": "before"}
    # Nobody else may send so much, nor anybody to another path.
    token = ready.root.write("auth/token/create", policies=["default"]).ok(200).auth["client_token"]
    assert restore(ready, snapshot, token=token).status == 403
    assert ready.root.request("POST", "kv/a", raw=snapshot, headers=RAW).status == 413
    assert not list(ready.data_dir.glob("upload-*"))
