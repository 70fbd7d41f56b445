# SPDX-License-Identifier: Apache-2.0
"""kv version 1."""
import pytest

pytestmark = [pytest.mark.quick, pytest.mark.serial]


@pytest.fixture
def kv(root, unique):
    root.write(f"sys/mounts/{unique}", type="kv").ok(204)
    return unique


def test_what_was_written_is_read(root, kv):
    value = {"a": "text", "n": 1, "deep": {"list": [1, "zwei", None, True]}, "utf8": "schlüssel 鍵"}
    root.write(f"{kv}/some/path", **value).ok(204)
    answer = root.read(f"{kv}/some/path").ok(200)
    assert answer.data == value
    assert (answer.lease_id, answer.json["renewable"], answer.json["lease_duration"]) == ("", False, 2764800)
    assert answer.json["auth"] is None and answer.json["wrap_info"] is None and answer.json["request_id"]


def test_a_write_replaces_the_whole(root, kv):
    root.write(f"{kv}/a", x="1", y="2").ok(204)
    root.write(f"{kv}/a", y="3").ok(204)
    assert root.read(f"{kv}/a").data == {"y": "3"}


def test_what_is_not_there_is_404_without_a_sentence(root, kv):
    answer = root.read(f"{kv}/missing")
    assert (answer.status, answer.json) == (404, {"errors": []})


def test_what_was_deleted_is_gone_and_may_be_deleted_again(root, kv):
    root.write(f"{kv}/a", x="1").ok(204)
    root.delete(f"{kv}/a").ok(204)
    assert root.read(f"{kv}/a").status == 404
    root.delete(f"{kv}/a").ok(204)


def test_lists_are_sorted_and_show_folders(root, kv):
    for name in ("b", "a/1", "a/2", "c/d/e"):
        root.write(f"{kv}/{name}", x="1").ok(204)
    assert root.list(kv).data == {"keys": ["a/", "b", "c/"]}
    assert root.list(f"{kv}/a").data == {"keys": ["1", "2"]}
    assert root.read(f"{kv}/c/", list="true").data == {"keys": ["d/"]}
    assert root.list(f"{kv}/nothing").status == 404


def test_a_folder_is_gone_with_its_last_entry(root, kv):
    root.write(f"{kv}/a/b", x="1").ok(204)
    root.write(f"{kv}/z", x="1").ok(204)
    root.delete(f"{kv}/a/b").ok(204)
    assert root.list(kv).data == {"keys": ["z"]}


def test_an_empty_write_is_refused(root, kv):
    root.write(f"{kv}/a").refused(400, "missing data fields")


def test_a_ttl_in_the_secret_becomes_the_lease_duration(root, kv):
    root.write(f"{kv}/a", x="1", ttl="90s").ok(204)
    assert root.read(f"{kv}/a").json["lease_duration"] == 90


def test_patch_is_not_supported(root, kv):
    root.write(f"{kv}/a", x="1").ok(204)
    assert root.patch(f"{kv}/a", x="2").status == 405


def test_values_of_half_a_mebibyte_are_kept(root, kv):
    value = "x" * (1 << 19)
    root.write(f"{kv}/big", value=value).ok(204)
    assert root.read(f"{kv}/big").data["value"] == value


def test_hvac_reads_writes_lists_and_deletes(server, kv):
    client = server.hvac(server.keys.root_token).secrets.kv.v1
    client.create_or_update_secret("x/y", {"k": "v"}, mount_point=kv)
    assert client.read_secret("x/y", mount_point=kv)["data"] == {"k": "v"}
    assert client.list_secrets("x", mount_point=kv)["data"]["keys"] == ["y"]
    client.delete_secret("x/y", mount_point=kv)
