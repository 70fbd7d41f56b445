# SPDX-License-Identifier: Apache-2.0
"""kv version 2: versions, check-and-set, metadata."""
import concurrent.futures

import hvac.exceptions
import pytest

from lib.process import wait_for

pytestmark = pytest.mark.quick


@pytest.fixture
def kv(root, unique):
    root.write(f"sys/mounts/{unique}", type="kv", options={"version": "2"}).ok(204)
    wait_for("the mount is ready", lambda: root.read(f"{unique}/config").status == 200)
    return unique


def put(root, kv, path, data, **options):
    return root.write(f"{kv}/data/{path}", data=data, options=options)


def get(root, kv, path, **query):
    return root.read(f"{kv}/data/{path}", **query)


def test_each_write_makes_a_version(root, kv):
    for number in (1, 2, 3):
        written = put(root, kv, "a/b", {"n": number}).ok(200).data
        assert (written["version"], written["deletion_time"], written["destroyed"]) == (number, "", False)
        assert written["custom_metadata"] is None and written["created_time"].endswith("Z")
    newest = get(root, kv, "a/b").ok(200).data
    assert (newest["data"], newest["metadata"]["version"]) == ({"n": 3}, 3)
    assert get(root, kv, "a/b", version=1).ok(200).data["data"] == {"n": 1}
    assert get(root, kv, "a/b", version=9).status == 404


def test_what_never_was_is_404_without_a_sentence(root, kv):
    answer = get(root, kv, "missing")
    assert (answer.status, answer.json) == (404, {"errors": []})


def test_cas_zero_only_creates(root, kv):
    put(root, kv, "a", {"x": "1"}, cas=0).ok(200)
    put(root, kv, "a", {"x": "2"}, cas=0).refused(400, "check-and-set parameter did not match the current version")


def test_cas_must_name_the_newest_version(root, kv):
    put(root, kv, "a", {"x": "1"}).ok(200)
    put(root, kv, "a", {"x": "2"}, cas=1).ok(200)
    put(root, kv, "a", {"x": "3"}, cas=1).refused(400, "check-and-set parameter did not match the current version")
    assert get(root, kv, "a").data["data"] == {"x": "2"}


def test_of_64_concurrent_cas_writes_exactly_one_wins(server, root, kv):
    put(root, kv, "race", {"writer": "nobody"}).ok(200)
    clients = [root.clone() for _ in range(64)]

    def write(number):
        return put(clients[number], kv, "race", {"writer": number}, cas=1)
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(write, range(64)))
    winners = [number for number, answer in enumerate(answers) if answer.status == 200]
    assert len(winners) == 1
    for number, answer in enumerate(answers):
        if number not in winners:
            answer.refused(400, "check-and-set parameter did not match the current version")
    newest = get(root, kv, "race").data
    assert (newest["data"]["writer"], newest["metadata"]["version"]) == (winners[0], 2)


def test_concurrent_writes_without_cas_all_get_versions_of_their_own(root, kv):
    clients = [root.clone() for _ in range(8)]

    def write(number):
        return put(clients[number % 8], kv, "many", {"n": number}).ok(200).data["version"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(write, range(40)))
    assert sorted(versions) == list(range(1, 41))


def test_a_mount_can_demand_cas(root, kv):
    root.write(f"{kv}/config", cas_required=True).ok(204)
    put(root, kv, "a", {"x": "1"}).refused(400, "check-and-set parameter required for this call")
    put(root, kv, "a", {"x": "1"}, cas=0).ok(200)


def test_a_deleted_version_is_404_with_its_metadata_and_comes_back(root, kv):
    put(root, kv, "a", {"x": "1"}).ok(200)
    root.delete(f"{kv}/data/a").ok(204)
    answer = get(root, kv, "a")
    assert answer.status == 404
    assert answer.data["data"] is None and answer.data["metadata"]["deletion_time"]
    assert answer.data["metadata"]["destroyed"] is False
    root.write(f"{kv}/undelete/a", versions=[1]).ok(204)
    assert get(root, kv, "a").ok(200).data["data"] == {"x": "1"}


def test_a_destroyed_version_never_comes_back(root, kv):
    put(root, kv, "a", {"x": "1"}).ok(200)
    put(root, kv, "a", {"x": "2"}).ok(200)
    root.write(f"{kv}/destroy/a", versions=[1]).ok(204)
    answer = get(root, kv, "a", version=1)
    assert (answer.status, answer.data["data"], answer.data["metadata"]["destroyed"]) == (404, None, True)
    root.write(f"{kv}/undelete/a", versions=[1]).ok(204)
    assert get(root, kv, "a", version=1).status == 404
    assert get(root, kv, "a").ok(200).data["data"] == {"x": "2"}


def test_several_versions_can_be_deleted_at_once(root, kv):
    for number in (1, 2, 3):
        put(root, kv, "a", {"n": number}).ok(200)
    root.write(f"{kv}/delete/a", versions=[1, 3]).ok(204)
    versions = root.read(f"{kv}/metadata/a").ok(200).data["versions"]
    assert {v for v, meta in versions.items() if meta["deletion_time"]} == {"1", "3"}


@pytest.mark.parametrize("action", ["delete", "undelete", "destroy"])
def test_versions_must_be_named(root, kv, action):
    put(root, kv, "a", {"x": "1"}).ok(200)
    root.write(f"{kv}/{action}/a").refused(400, "o version number provided")


def test_a_write_without_data_is_refused(root, kv):
    root.write(f"{kv}/data/a", options={}).refused(400, "no data provided")


def test_an_empty_secret_is_a_secret(root, kv):
    put(root, kv, "empty", {}).ok(200)
    assert get(root, kv, "empty").ok(200).data["data"] == {}


def test_old_versions_are_pruned(root, kv):
    root.write(f"{kv}/metadata/a", max_versions=3).ok(204)
    for number in range(1, 6):
        put(root, kv, "a", {"n": number}).ok(200)
    meta = root.read(f"{kv}/metadata/a").ok(200).data
    assert (sorted(meta["versions"]), meta["oldest_version"], meta["current_version"]) == (["3", "4", "5"], 3, 5)
    assert get(root, kv, "a", version=2).status == 404


def test_ten_versions_are_kept_by_default(root, kv):
    for number in range(1, 13):
        put(root, kv, "a", {"n": number}).ok(200)
    assert sorted(map(int, root.read(f"{kv}/metadata/a").data["versions"])) == list(range(3, 13))


def test_metadata_has_the_settings_and_the_times(root, kv):
    put(root, kv, "a", {"x": "1"}).ok(200)
    root.write(f"{kv}/metadata/a", custom_metadata={"owner": "me"}, delete_version_after="3h25m19s").ok(204)
    meta = root.read(f"{kv}/metadata/a").ok(200).data
    assert meta["custom_metadata"] == {"owner": "me"}
    assert meta["delete_version_after"] == "3h25m19s"
    assert (meta["cas_required"], meta["max_versions"], meta["current_version"]) == (False, 0, 1)
    assert get(root, kv, "a").data["metadata"]["custom_metadata"] == {"owner": "me"}


def test_versions_delete_themselves(root, kv):
    root.write(f"{kv}/metadata/a", delete_version_after="1s").ok(204)
    put(root, kv, "a", {"x": "1"}).ok(200)
    assert get(root, kv, "a").status == 200
    wait_for("the version deletes itself", lambda: get(root, kv, "a").status == 404, timeout=5)


def test_deleting_the_metadata_removes_everything(root, kv):
    put(root, kv, "a/b", {"x": "1"}).ok(200)
    root.delete(f"{kv}/metadata/a/b").ok(204)
    assert get(root, kv, "a/b").json == {"errors": []}
    assert root.list(f"{kv}/metadata").status == 404


def test_lists_go_by_metadata(root, kv):
    for name in ("b", "a/1", "a/2"):
        put(root, kv, name, {"x": "1"}).ok(200)
    assert root.list(f"{kv}/metadata").data == {"keys": ["a/", "b"]}
    assert root.list(f"{kv}/metadata/a").data == {"keys": ["1", "2"]}


def test_a_patch_merges_and_null_removes(root, kv):
    put(root, kv, "a", {"keep": "1", "drop": "2", "deep": {"x": 1, "y": 2}}).ok(200)
    root.patch(f"{kv}/data/a", data={"drop": None, "new": "3", "deep": {"y": None}}).ok(200)
    assert get(root, kv, "a").data["data"] == {"keep": "1", "new": "3", "deep": {"x": 1}}
    assert root.patch(f"{kv}/data/missing", data={"x": 1}).status == 404


def test_patch_wants_its_own_media_type(root, kv):
    put(root, kv, "a", {"x": "1"}).ok(200)
    answer = root.request("PATCH", f"{kv}/data/a", body={"data": {"x": "2"}})
    assert answer.status == 415


def test_the_paths_of_version_1_get_a_hint(root, kv):
    answer = root.read(f"{kv}/foo")
    assert answer.status == 404
    assert any("Invalid path for a versioned K/V secrets engine" in warning for warning in answer.warnings)


def test_subkeys_show_the_shape_without_values(root, kv):
    put(root, kv, "a", {"x": "1", "deep": {"y": "2"}}).ok(200)
    assert root.read(f"{kv}/subkeys/a").ok(200).data["subkeys"] == {"x": None, "deep": {"y": None}}


def test_hvac_works_with_versions(server, kv):
    client = server.hvac(server.keys.root_token).secrets.kv.v2
    client.create_or_update_secret("x", {"k": "1"}, cas=0, mount_point=kv)
    with pytest.raises(hvac.exceptions.InvalidRequest):
        client.create_or_update_secret("x", {"k": "2"}, cas=0, mount_point=kv)
    client.patch("x", {"l": "2"}, mount_point=kv)
    read = client.read_secret_version("x", mount_point=kv, raise_on_deleted_version=True)
    assert read["data"]["data"] == {"k": "1", "l": "2"}
    client.delete_latest_version_of_secret("x", mount_point=kv)
    with pytest.raises(hvac.exceptions.InvalidPath):
        client.read_secret_version("x", mount_point=kv, raise_on_deleted_version=True)
    client.undelete_secret_versions("x", [2], mount_point=kv)
    client.update_metadata("x", max_versions=5, custom_metadata={"a": "b"}, mount_point=kv)
    assert client.read_secret_metadata("x", mount_point=kv)["data"]["max_versions"] == 5
    client.delete_metadata_and_all_versions("x", mount_point=kv)
