# SPDX-License-Identifier: Apache-2.0
"""A mount gets another path: its data comes with it, what it has given out does not."""
import pytest

from lib.process import wait_for

pytestmark = pytest.mark.quick


def move(client, source, target):
    answer = client.write("sys/remount", **{"from": source, "to": target}).ok(200)
    assert answer.json["migration_id"] == answer.data["migration_id"] and answer.warnings
    return answer.data["migration_id"]


def status(client, migration):
    return client.read(f"sys/remount/status/{migration}").ok(200).data


def moved(client, migration):
    wait_for("the mount is moved", lambda: status(client, migration)["migration_info"]["status"] == "success")


def test_data_comes_with_the_mount(node):
    root = node.ready().root
    root.write("sys/mounts/old", type="kv", description="mine").ok(204)
    root.write("old/a", x="1").ok(204)
    accessor = root.read("sys/mounts/old").ok(200).data["accessor"]
    migration = move(root, "old", "new/deep/")
    moved(root, migration)
    assert status(root, migration) == {"migration_id": migration, "migration_info": {
        "source_mount": "old/", "target_mount": "new/deep/", "status": "success"}}
    assert root.read("new/deep/a").ok(200).data == {"x": "1"}
    assert root.read("sys/mounts/new/deep").ok(200).data["accessor"] == accessor
    root.read("old/a").refused(404)
    root.write("sys/mounts/old", type="kv").ok(204)
    root.read("old/a").refused(404)


def test_the_tokens_of_a_moved_method_end_and_its_users_stay(node):
    root = node.ready().root
    root.write("sys/auth/userpass", type="userpass").ok(204)
    root.write("auth/userpass/users/bob", password="pw").ok(204)
    token = node.client().write("auth/userpass/login/bob", password="pw").ok(200).auth["client_token"]
    moved(root, move(root, "auth/userpass", "auth/people"))
    wait_for("its tokens have ended", lambda: node.client(token).read("auth/token/lookup-self").status == 403)
    node.client().write("auth/people/login/bob", password="pw").ok(200)
    node.client().write("auth/userpass/login/bob", password="pw").refused(403)


@pytest.mark.parametrize("source, target, text", [
    ("", "x", "both 'from' and 'to' path must be specified as a string"),
    ("nope", "x", 'no matching mount at "nope/"'),
    ("old", "sub", 'path already in use at "sub/x/"'),
    ("old", "old", 'path already in use at "old/"'),
    ("sys", "x", 'cannot remount "sys/"'),
    ("auth/token", "auth/x", 'cannot remount "auth/token/"'),
    ("old", "sys/x", "cannot remount to destination sys/x/"),
    ("old", "auth/x", "cannot remount to destination auth/x/"),
])
def test_what_cannot_be_moved_is_refused(node, source, target, text):
    root = node.ready().root
    for path in ("old", "sub/x"):
        root.write(f"sys/mounts/{path}", type="kv").ok(204)
    root.write("sys/remount", **{"from": source, "to": target}).refused(400, text)


def test_moving_needs_sudo_and_an_unknown_move_is_not_there(node):
    root = node.ready().root
    root.read("sys/remount/status/0e3a90d8-8f24-fc29-4be2-f14312cd0ccb").refused(404)
    root.write("sys/policies/acl/most", policy='path "sys/*" { capabilities = ["read", "update"] }').ok(204)
    token = root.write("auth/token/create", policies=["most"]).ok(200).auth["client_token"]
    node.client(token).write("sys/remount", **{"from": "a", "to": "b"}).refused(403)


@pytest.mark.coffer_only
def test_the_command_line_moves_engines_and_methods(node):
    root = node.ready().root
    root.write("sys/mounts/old", type="kv").ok(204)
    root.write("sys/auth/userpass", type="userpass").ok(204)
    token = node.keys.root_token
    done = node.cli("secrets", "move", "old/", "new/", token=token)
    assert done.returncode == 0 and "Success! Finished moving secrets engine old/ to new/" in done.stdout
    done = node.cli("auth", "move", "userpass", "people", token=token)
    assert done.returncode == 0 and "Success! Finished moving auth method" in done.stdout, done
    assert "people/" in root.read("sys/auth").ok(200).data
    failed = node.cli("secrets", "move", "nope/", "new2/", token=token)
    assert failed.returncode == 2 and "no matching mount" in failed.stderr


@pytest.mark.coffer_only
def test_a_move_that_was_cut_short_is_finished_at_the_next_start(nodes):
    node = nodes.node(env={"COFFER_FAILPOINTS": "mount.before_arrival=kill"})
    node.start()
    root = node.ready().root
    root.write("sys/mounts/old", type="kv").ok(204)
    root.write("old/a", x="1").ok(204)
    with pytest.raises(Exception):  # the connection breaks
        root.write("sys/remount", **{"from": "old", "to": "new"})
    wait_for("it is dead", lambda: not node.process.is_running())
    node.process.was_killed = True
    node.env.pop("COFFER_FAILPOINTS")
    node.start()
    node.unseal()
    node.wait_active()
    wait_for("the next one finishes", lambda: node.root.read("new/a").status == 200)
    node.root.read("old/a").refused(404)
    node.root.write("sys/mounts/old", type="kv").ok(204)
