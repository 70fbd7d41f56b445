# SPDX-License-Identifier: Apache-2.0
"""cubbyhole/: what a token keeps for itself."""
import concurrent.futures

import pytest

from lib.process import wait_for

pytestmark = pytest.mark.quick


@pytest.fixture
def new_token(server, root):
    """new_token() is a client with a fresh token of the default policy."""
    def make(**options):
        options = {"policies": ["default"], **options}
        return server.client(root.write("auth/token/create", **options).ok(200).auth["client_token"])
    return make


def test_what_a_token_wrote_it_reads_and_nobody_else_does(root, new_token):
    mine, other = new_token(), new_token()
    mine.write("cubbyhole/a", x="1", n=2).ok(204)
    assert mine.read("cubbyhole/a").ok(200).data == {"x": "1", "n": 2}
    for stranger in (other, root):
        assert stranger.read("cubbyhole/a").status == 404
        assert stranger.list("cubbyhole").status == 404
    other.write("cubbyhole/a", x="2").ok(204)
    other.delete("cubbyhole/a").ok(204)
    assert mine.read("cubbyhole/a").data == {"x": "1", "n": 2}


def test_a_write_replaces_and_a_delete_removes(new_token):
    mine = new_token()
    mine.write("cubbyhole/a", x="1", y="2").ok(204)
    mine.write("cubbyhole/a", y="3").ok(204)
    answer = mine.read("cubbyhole/a").ok(200)
    assert answer.data == {"y": "3"} and answer.json["lease_duration"] == 0 and answer.warnings == []
    mine.delete("cubbyhole/a").ok(204)
    mine.delete("cubbyhole/a").ok(204)
    missing = mine.read("cubbyhole/a")
    assert (missing.status, missing.json) == (404, {"errors": []})


def test_lists_show_folders(new_token):
    mine = new_token()
    for name in ("b", "a/1", "a/2", "c/d/e"):
        mine.write(f"cubbyhole/{name}", x="1").ok(204)
    assert mine.list("cubbyhole").data == {"keys": ["a/", "b", "c/"]}
    assert mine.list("cubbyhole/a").data == {"keys": ["1", "2"]}
    assert mine.list("cubbyhole/none").status == 404
    assert mine.read("cubbyhole/a/").status == 404


def test_what_makes_no_sense_is_refused_as_clients_know_it(root, new_token):
    mine = new_token()
    mine.write("cubbyhole/a").refused(500, "missing data fields")
    root.write("cubbyhole", x="1").refused(500, "missing path")
    root.read("cubbyhole/").refused(500, "missing path")
    mine.write("cubbyhole/a/", x="1").refused(400, "cannot write to a path ending in '/'")
    root.patch("cubbyhole/a", x="1").refused(405, "unsupported operation")
    assert "help" in mine.read("cubbyhole/a", help="1").ok(200).json


def test_a_value_of_a_megabyte_is_too_large_and_nothing_of_it_is_kept(new_token):
    mine = new_token()
    mine.write("cubbyhole/a", x="y" * 1_048_000).ok(204)
    mine.write("cubbyhole/a", x="y" * 1_048_577).refused(500, "put failed due to value being too large")
    mine.write("cubbyhole/b", x="y" * 1_048_577).refused(500, "max: 1048576 bytes")
    assert len(mine.read("cubbyhole/a").ok(200).data["x"]) == 1_048_000
    assert mine.list("cubbyhole").data == {"keys": ["a"]}


def test_a_policy_tells_create_from_update(server, policy_token):
    mine = policy_token('path "cubbyhole/*" { capabilities = ["create", "read"] }')
    mine.write("cubbyhole/a", x="1").ok(204)
    mine.write("cubbyhole/a", x="2").refused(403)
    assert mine.read("cubbyhole/a").data == {"x": "1"}


def test_there_is_one_and_it_stays_as_it_is(root):
    mount = root.read("sys/mounts").ok(200).data["cubbyhole/"]
    assert (mount["type"], mount["local"], mount["description"]) == \
        ("cubbyhole", True, "per-token private secret storage")
    root.delete("sys/mounts/cubbyhole").refused(400, 'cannot unmount "cubbyhole/"')
    root.write("sys/mounts/cubbyhole/tune", description="x").refused(400, "cannot tune parameter description")
    root.write("sys/mounts/cubbyhole/tune", default_lease_ttl="1h").refused(400, "cannot tune")
    root.write("sys/mounts/cubbyhole/tune", audit_non_hmac_request_keys=["x"]).ok(204)
    root.write("sys/mounts/second", type="cubbyhole").refused(400, 'mount type of "cubbyhole" is not mountable')
    root.write("sys/mounts/cubbyhole/x", type="kv").refused(400, 'cannot mount "cubbyhole/x/"')
    assert root.read("sys/mounts").data["cubbyhole/"]["description"] == "per-token private secret storage"


@pytest.mark.coffer_only
def test_a_token_of_a_chosen_name_finds_nothing_of_the_one_before_it(server, root, unique):
    """The contents go with the token in one transaction, also when they are many."""
    for number in (1, 150):
        root.write("auth/token/create", id=unique, policies=["default"]).ok(200)
        mine = server.client(unique)
        for i in range(number):
            mine.write(f"cubbyhole/deep/{i}", x="1").ok(204)
        assert len(mine.list("cubbyhole/deep").data["keys"]) == number
        mine.write("auth/token/revoke-self").ok(204)
        mine.read("cubbyhole/deep/0").refused(403)

        def is_empty():
            root.write("auth/token/create", id=unique, policies=["default"]).ok(200)
            found = server.client(unique).list("cubbyhole/deep").status
            root.write("auth/token/revoke", token=unique).ok(204)
            return found == 404
        if number < 100:
            assert is_empty(), "what is little goes at once"
        wait_for("nothing is left", is_empty)


def test_the_last_use_of_a_token_may_read_what_it_kept(new_token):
    mine = new_token(num_uses=3)
    mine.write("cubbyhole/a", x="1").ok(204)
    assert mine.read("cubbyhole/a").ok(200).data == {"x": "1"}
    assert mine.read("cubbyhole/a").ok(200).data == {"x": "1"}
    mine.read("cubbyhole/a").refused(403)


def test_writes_of_many_at_once_are_all_kept(new_token):
    clients = [new_token() for _ in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda client: [client.write(f"cubbyhole/{i}", x=i).ok(204) for i in range(10)], clients))
    for client in clients:
        assert len(client.list("cubbyhole").data["keys"]) == 10


@pytest.mark.coffer_only
def test_a_cluster_of_an_older_version_gets_it_when_the_new_one_leads(nodes):
    node = nodes.node(env={"COFFER_FAILPOINTS": "mount.as_before_cubbyhole=error"})
    node.start()
    node.ready()
    assert "cubbyhole/" not in node.root.read("sys/mounts").data
    before = node.root.read("sys/mounts").data["sys/"]["uuid"]
    node.env = {}
    node.restart()
    node.unseal(node.keys)
    node.wait_active()
    mounts = node.root.read("sys/mounts").ok(200).data
    assert mounts["cubbyhole/"]["type"] == "cubbyhole" and mounts["sys/"]["uuid"] == before
    node.root.write("cubbyhole/a", x="1").ok(204)
    assert node.root.read("cubbyhole/a").data == {"x": "1"}


def test_hvac_keeps_things_in_it(server, new_token):
    client = server.hvac(new_token().token)
    client.write_data("cubbyhole/x", data={"k": "v"})
    assert client.read("cubbyhole/x")["data"] == {"k": "v"}
    assert client.list("cubbyhole")["data"]["keys"] == ["x"]
    client.delete("cubbyhole/x")
    assert client.read("cubbyhole/x") is None
