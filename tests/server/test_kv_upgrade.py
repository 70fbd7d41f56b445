# SPDX-License-Identifier: Apache-2.0
"""A kv mount goes from version 1 to version 2."""
import pytest

from lib.process import wait_for

UPGRADING = "Upgrading from non-versioned to versioned data"


@pytest.fixture
def kv(root, unique):
    root.write(f"sys/mounts/{unique}", type="kv").ok(204)
    return unique


def upgrade(root, kv):
    answer = root.write(f"sys/mounts/{kv}/tune", options={"version": "2"}).ok(200)
    wait_for("it is upgraded", lambda: root.read(f"{kv}/config").status == 200)
    return answer


def all_keys(root, kv, folder=""):
    for name in (root.list(f"{kv}/metadata/{folder}").data or {"keys": []})["keys"]:
        yield from all_keys(root, kv, folder + name) if name.endswith("/") else [folder + name]


def test_each_key_of_many_in_many_folders_becomes_a_first_version(root, kv):
    # More than one step takes, and more than one step in one folder.
    written = {f"wide/{i}": {"n": i} for i in range(450)} | {f"{i}/deep/er/{i}": {"n": str(i)} for i in range(50)}
    for path, data in written.items():
        root.write(f"{kv}/{path}", **data).ok(204)
    assert "unavailable for a brief period" in upgrade(root, kv).warnings[0]
    assert set(all_keys(root, kv)) == set(written)
    for path, data in written.items():
        seen = root.read(f"{kv}/data/{path}").ok(200).data
        assert seen["data"] == data and seen["metadata"]["version"] == 1
    for path in written:
        root.delete(f"{kv}/metadata/{path}").ok(204)
    assert not list(all_keys(root, kv))


def test_large_secrets_are_converted_too(root, kv):
    texts = {str(i): f"{i}" * 700_000 for i in range(5)}
    for path, text in texts.items():
        root.write(f"{kv}/{path}", text=text).ok(204)
    upgrade(root, kv)
    for path, text in texts.items():
        assert root.read(f"{kv}/data/{path}").ok(200).data["data"] == {"text": text}


def test_a_path_of_many_segments_is_converted(root, kv):
    path = "/".join(["a"] * 900)
    root.write(f"{kv}/{path}", x="1").ok(204)
    upgrade(root, kv)
    assert root.read(f"{kv}/data/{path}").ok(200).data["data"] == {"x": "1"}


def test_versions_are_enabled_by_the_command_line(server, root, kv):
    root.write(f"{kv}/a", x="1").ok(204)
    done = server.cli("kv", "enable-versioning", kv, token=server.keys.root_token)
    assert done.returncode == 0 and f"Success! Tuned the secrets engine at: {kv}/" in done.stdout
    wait_for("it is upgraded", lambda: root.read(f"{kv}/data/a").status == 200)
    got = server.cli("kv", "get", "-field=x", f"{kv}/a", token=server.keys.root_token)
    assert got.stdout.strip() == "1"


def test_there_is_no_way_back(root, kv):
    upgrade(root, kv)
    root.write(f"sys/mounts/{kv}/tune", options={"version": "1"}).refused(400, "cannot downgrade mount from version 2")


@pytest.mark.coffer_only
def test_nothing_is_answered_amid_an_upgrade_and_a_stopped_server_goes_on(nodes):
    node = nodes.node(env={"COFFER_FAILPOINTS": "mount.amid_upgrade=sleep:1500"})
    node.start()
    root = node.ready().root
    root.write("sys/mounts/kv", type="kv").ok(204)
    root.write("kv/gone", x="1").ok(204)
    for i in range(250):
        root.write(f"kv/{i}", n=i).ok(204)
    root.write("sys/mounts/kv/tune", options={"version": "2"}).ok(200)
    for answer in (root.read("kv/data/1"), root.read("kv/1"), root.list("kv/metadata"), root.delete("kv/gone"),
                   root.write("kv/data/1", data={"x": "1"}), root.read("kv/config")):
        answer.refused(400, UPGRADING)
    node.process.kill()
    node.env = {}
    node.start()
    node.unseal()
    node.wait_active()
    root = node.root
    wait_for("it is upgraded", lambda: root.read("kv/data/249").status == 200)
    assert len(root.list("kv/metadata").data["keys"]) == 251


@pytest.mark.coffer_only
def test_a_mount_that_is_disabled_amid_an_upgrade_is_gone(nodes):
    node = nodes.node(env={"COFFER_FAILPOINTS": "mount.amid_upgrade=sleep:300"})
    node.start()
    root = node.ready().root
    root.write("sys/mounts/kv", type="kv").ok(204)
    root.write("sys/mounts/other", type="kv").ok(204)
    for i in range(450):
        root.write(f"kv/{i}", n=i).ok(204)
    root.write("other/a", x="1").ok(204)
    root.write("sys/mounts/kv/tune", options={"version": "2"}).ok(200)
    root.delete("sys/mounts/kv").ok(204)
    root.write("sys/mounts/other/tune", options={"version": "2"}).ok(200)
    wait_for("the other is upgraded", lambda: root.read("other/data/a").status == 200)
    root.write("sys/mounts/kv", type="kv-v2").ok(204)
    assert root.list("kv/metadata").status == 404
