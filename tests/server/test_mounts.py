# SPDX-License-Identifier: Apache-2.0
"""Secrets engines and auth methods: enabling, listing, tuning, disabling."""
import pytest

pytestmark = pytest.mark.quick


def test_a_new_server_has_the_mounts_that_everything_hangs_on(root):
    mounts = root.read("sys/mounts").ok(200)
    assert "sys/" in mounts.data
    assert mounts.json["sys/"] == mounts.data["sys/"]
    assert "token/" in root.read("sys/auth").ok(200).data


def test_a_mount_is_described(root, unique):
    root.write(f"sys/mounts/{unique}", type="kv", description="mine", options={"version": "2"},
               config={"default_lease_ttl": "1h", "max_lease_ttl": 7200}).ok(204)
    mount = root.read("sys/mounts").data[f"{unique}/"]
    assert (mount["type"], mount["description"], mount["options"]) == ("kv", "mine", {"version": "2"})
    assert (mount["config"]["default_lease_ttl"], mount["config"]["max_lease_ttl"]) == (3600, 7200)
    assert mount["accessor"].startswith("kv_") and mount["uuid"] and mount["local"] is False
    assert root.read(f"sys/mounts/{unique}").ok(200).data["accessor"] == mount["accessor"]


@pytest.mark.parametrize("path, type_", [("sys", "kv"), ("cubbyhole", "kv"), ("identity", "kv"), ("auth/x", "kv"),
                                         ("ok", "no-such-engine"), ("ok", "")])
def test_what_cannot_be_mounted_is_refused(root, path, type_):
    root.write(f"sys/mounts/{path}", type=type_).refused(400)


def test_two_mounts_cannot_share_a_path_nor_nest(root, unique):
    root.write(f"sys/mounts/{unique}/a", type="kv").ok(204)
    for path in (f"{unique}/a", f"{unique}/a/b", unique):
        root.write(f"sys/mounts/{path}", type="kv").refused(400, "path is already in use at")


def test_what_is_mounted_nowhere_is_404(root):
    root.read("no/such/mount").refused(404, "no handler for route")


def test_disabling_wipes_and_a_new_mount_at_the_path_is_empty(root, unique):
    root.write(f"sys/mounts/{unique}", type="kv").ok(204)
    root.write(f"{unique}/a", x="1").ok(204)
    root.delete(f"sys/mounts/{unique}").ok(204)
    assert root.read(f"{unique}/a").status == 404
    root.write(f"sys/mounts/{unique}", type="kv").ok(204)
    assert root.read(f"{unique}/a").json == {"errors": []}


def test_disabling_what_is_not_there_is_no_error_and_the_system_s_own_stay(root):
    root.delete("sys/mounts/never-was").ok(204)
    for path in ("sys", "identity", "cubbyhole"):
        root.delete(f"sys/mounts/{path}").refused(400, "cannot unmount")
    root.delete("sys/auth/token").refused(400)


def test_a_mount_is_tuned(root, unique):
    root.write(f"sys/mounts/{unique}", type="kv").ok(204)
    root.write(f"sys/mounts/{unique}/tune", default_lease_ttl="2h", max_lease_ttl="3h", description="tuned").ok(204)
    tune = root.read(f"sys/mounts/{unique}/tune").ok(200).data
    assert (tune["default_lease_ttl"], tune["max_lease_ttl"], tune["description"]) == (7200, 10800, "tuned")
    root.write(f"sys/mounts/{unique}/tune", default_lease_ttl="system").ok(204)
    assert root.read(f"sys/mounts/{unique}").data["config"]["default_lease_ttl"] == 0
    root.write(f"sys/mounts/{unique}/tune", default_lease_ttl="5h").refused(400)


def test_a_mount_s_default_ttl_reaches_its_secrets(root, unique):
    root.write(f"sys/mounts/{unique}", type="kv", config={"default_lease_ttl": "90s"}).ok(204)
    root.write(f"{unique}/a", x="1").ok(204)
    assert root.read(f"{unique}/a").json["lease_duration"] == 90


def test_an_auth_method_is_enabled_described_tuned_and_disabled(server, root, unique):
    root.write(f"sys/auth/{unique}", type="userpass", description="people").ok(204)
    seen = root.read("sys/auth").data[f"{unique}/"]
    assert (seen["type"], seen["description"]) == ("userpass", "people") and seen["accessor"].startswith("auth_userpass_")
    root.write(f"auth/{unique}/users/bob", password="p").ok(204)
    root.write(f"sys/auth/{unique}/tune", default_lease_ttl="33m").ok(204)
    assert root.read(f"sys/mounts/auth/{unique}/tune").ok(200).data["default_lease_ttl"] == 1980
    auth = server.client().write(f"auth/{unique}/login/bob", password="p").ok(200).auth
    assert auth["lease_duration"] == 1980
    root.delete(f"sys/auth/{unique}").ok(204)
    server.client(auth["client_token"]).read("auth/token/lookup-self").refused(403)
    assert f"{unique}/" not in root.read("sys/auth").data


def test_the_command_line_s_question_for_a_path_is_answered(root, policy_token, unique):
    root.write(f"sys/mounts/{unique}", type="kv", options={"version": "2"}).ok(204)
    seen = root.read(f"sys/internal/ui/mounts/{unique}/some/path").ok(200).data
    assert (seen["path"], seen["type"], seen["options"]["version"]) == (f"{unique}/", "kv", "2")
    policy_token('path "other/*" { capabilities = ["read"] }').read(f"sys/internal/ui/mounts/{unique}/x").refused(
        403, "preflight capability check returned 403")


def test_hvac_mounts_and_unmounts(server, unique):
    system = server.hvac(server.keys.root_token).sys
    system.enable_secrets_engine("kv", path=unique)
    assert f"{unique}/" in system.list_mounted_secrets_engines()["data"]
    system.tune_mount_configuration(unique, default_lease_ttl="1h")
    assert system.read_mount_configuration(unique)["data"]["default_lease_ttl"] == 3600
    system.disable_secrets_engine(unique)
    system.enable_auth_method("approle", path=unique)
    assert f"{unique}/" in system.list_auth_methods()["data"]
    system.disable_auth_method(unique)


@pytest.mark.coffer_only
@pytest.mark.parametrize("config", [{"listing_visibility": {"a": 1}}, {"listing_visibility": 5}, {"max_lease_ttl": -1},
                                    {"audit_non_hmac_request_keys": [{"a": 1}]}, {"default_lease_ttl": []},
                                    {"passthrough_request_headers": {"a": "b"}}, {"user_lockout_config": 5}])
def test_settings_of_a_wrong_kind_are_refused_whenever_they_are_given(root, unique, config):
    root.write(f"sys/auth/{unique}", type="userpass", config=config).refused(400)
    root.write(f"sys/auth/{unique}", type="userpass").ok(204)
    before = root.read(f"sys/auth/{unique}").ok(200).data
    root.request("POST", f"sys/auth/{unique}/tune", body=config).refused(400)
    assert root.read(f"sys/auth/{unique}").ok(200).data == before


@pytest.mark.coffer_only
def test_a_mount_is_tuned_at_its_own_path_only(root, unique):
    root.write(f"sys/mounts/{unique}", type="kv").ok(204)
    root.write(f"sys/mounts/{unique}/below/tune", description="x").refused(400)
    root.read(f"sys/mounts/{unique}/below/tune").refused(400)


def test_a_secret_says_the_default_that_was_set_last(root, unique):
    root.write(f"sys/mounts/{unique}", type="kv", config={"max_lease_ttl": "1h"}).ok(204)
    root.write(f"{unique}/a", x="1").ok(204)
    assert root.read(f"{unique}/a").json["lease_duration"] == 2764800
    root.write(f"sys/mounts/{unique}/tune", default_lease_ttl="10m").ok(204)
    assert root.read(f"{unique}/a").json["lease_duration"] == 600
