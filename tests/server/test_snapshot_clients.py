# SPDX-License-Identifier: Apache-2.0
"""Snapshots through the command line, OpenBao's command line, and hvac."""
import json

import pytest

from lib import settings

pytestmark = pytest.mark.coffer_only

SNAPSHOT = ("operator", "raft", "snapshot")


@pytest.fixture(scope="module")
def ready(shared_nodes):
    made = shared_nodes.node()
    made.start()
    made.ready()
    made.root.write("sys/mounts/kv", type="kv").ok(204)
    return made


def run(server, *args, **options):
    return server.cli(*args, token=server.keys.root_token, **options)


def test_save_inspect_verify_and_restore_from_the_command_line(ready, tmp_path):
    file = tmp_path / "backup.snap"
    ready.root.write("kv/a", value="before").ok(204)
    done = run(ready, *SNAPSHOT, "save", file)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.snap"]
    ready.root.write("kv/a", value="after").ok(204)

    shown = run(ready, *SNAPSHOT, "inspect", file)
    assert shown.returncode == 0 and ready.name in shown.stdout and "Index" in shown.stdout
    meta = json.loads(run(ready, *SNAPSHOT, "inspect", "-format=json", file).stdout)
    assert meta["Version"] == 1 and meta["Index"] > 0
    assert run(ready, *SNAPSHOT, "verify", file).stdout == "The file is whole and undamaged.\n"
    assert "of this cluster" in run(ready, *SNAPSHOT, "verify", "-remote", file).stdout

    done = run(ready, *SNAPSHOT, "restore", file)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert ready.root.read("kv/a").ok(200).data == {"value": "before"}


def test_a_damaged_file_is_told_by_inspect_verify_and_restore(ready, tmp_path):
    file = tmp_path / "backup.snap"
    assert run(ready, *SNAPSHOT, "save", file).returncode == 0
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    file.write_bytes(damaged)
    assert run(ready, *SNAPSHOT, "inspect", file).returncode == 1
    assert "damaged" in run(ready, *SNAPSHOT, "verify", file).stderr
    done = run(ready, *SNAPSHOT, "restore", file)
    assert done.returncode == 2 and "damaged" in done.stderr


@pytest.mark.cve("N-117")
def test_a_failed_save_leaves_no_file(ready, tmp_path):
    token = ready.root.write("auth/token/create", policies=["default"]).ok(200).auth["client_token"]
    done = ready.cli(*SNAPSHOT, "save", tmp_path / "x.snap", token=token)
    assert done.returncode == 2 and "permission denied" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_openbaos_command_line_saves_and_restores(ready, tmp_path):
    file = tmp_path / "bao.snap"
    env = {"BAO_ADDR": ready.address, "BAO_CACERT": str(ready.authority.ca_file), "BAO_TOKEN": ready.keys.root_token}
    ready.root.write("kv/bao", value="before").ok(204)
    done = run(ready, *SNAPSHOT, "save", file, binary=settings.bao_bin(), env=env)
    assert done.returncode == 0, done.stderr
    ready.root.write("kv/bao", value="after").ok(204)
    done = run(ready, *SNAPSHOT, "restore", file, binary=settings.bao_bin(), env=env)
    assert done.returncode == 0, done.stderr
    assert ready.root.read("kv/bao").ok(200).data == {"value": "before"}
    done = run(ready, *SNAPSHOT, "restore", "-force", file, binary=settings.bao_bin(), env=env)
    assert done.returncode == 0, done.stderr


def test_hvac_takes_and_restores_a_snapshot(ready):
    client = ready.hvac(ready.keys.root_token)
    ready.root.write("kv/hvac", value="before").ok(204)
    snapshot = client.sys.take_raft_snapshot().content
    ready.root.write("kv/hvac", value="after").ok(204)
    assert client.sys.restore_raft_snapshot(snapshot).status_code == 204
    assert ready.root.read("kv/hvac").ok(200).data == {"value": "before"}
    assert client.sys.force_restore_raft_snapshot(snapshot).status_code == 204
