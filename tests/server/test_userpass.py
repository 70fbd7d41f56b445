# SPDX-License-Identifier: Apache-2.0
"""userpass: the login of people."""
import pytest

pytestmark = pytest.mark.quick


@pytest.fixture
def mount(root, unique):
    root.write(f"sys/auth/{unique}", type="userpass").ok(204)
    return f"auth/{unique}"


def login(server, mount, name, password):
    return server.client().write(f"{mount}/login/{name}", password=password)


def test_the_right_password_gives_a_token(server, root, mount, unique):
    root.write(f"{mount}/users/bob", password="correct horse", token_policies="x,y", token_ttl="1h").ok(204)
    auth = login(server, mount, "bob", "correct horse").ok(200).auth
    assert auth["policies"] == ["default", "x", "y"] and auth["metadata"] == {"username": "bob"}
    seen = server.client(auth["client_token"]).read("auth/token/lookup-self").ok(200).data
    assert seen["display_name"] == f"{unique}-bob" and seen["path"] == f"{mount}/login/bob"
    assert auth["lease_duration"] == 3600


def test_a_wrong_password_and_a_wrong_name_are_answered_alike(server, root, mount):
    root.write(f"{mount}/users/bob", password="right").ok(204)
    wrong = login(server, mount, "bob", "wrong").refused(400, "invalid username or password")
    unknown = login(server, mount, "eve", "wrong").refused(400, "invalid username or password")
    assert wrong.json == unknown.json


@pytest.mark.cve("N-003")
def test_names_are_lowered_at_the_door(server, root, mount):
    root.write(f"{mount}/users/BoB", password="right").ok(204)
    assert root.list(f"{mount}/users").data == {"keys": ["bob"]}
    login(server, mount, "bOb", "right").ok(200)
    assert root.read(f"{mount}/users/BOB").status == 200


def test_a_password_can_be_changed_and_the_policies_too(server, root, mount):
    root.write(f"{mount}/users/bob", password="old").ok(204)
    root.write(f"{mount}/users/bob/password", password="new").ok(204)
    login(server, mount, "bob", "old").refused(400)
    root.write(f"{mount}/users/bob/policies", token_policies="z").ok(204)
    assert login(server, mount, "bob", "new").ok(200).auth["policies"] == ["default", "z"]


def test_a_user_is_never_shown_with_the_password(root, mount):
    root.write(f"{mount}/users/bob", password="right").ok(204)
    assert not any("pass" in key for key in root.read(f"{mount}/users/bob").ok(200).data)


def test_a_user_without_a_password_is_not_made(root, mount):
    root.write(f"{mount}/users/bob", token_policies="x").refused(400)


def test_a_deleted_user_cannot_log_in(server, root, mount):
    root.write(f"{mount}/users/bob", password="right").ok(204)
    root.delete(f"{mount}/users/bob").ok(204)
    login(server, mount, "bob", "right").refused(400)


def test_a_token_is_not_renewed_when_the_policies_have_changed(server, root, mount):
    root.write(f"{mount}/users/bob", password="right", token_policies="x", token_ttl="1h").ok(204)
    token = server.client(login(server, mount, "bob", "right").ok(200).auth["client_token"])
    token.write("auth/token/renew-self").ok(200)
    root.write(f"{mount}/users/bob", token_policies="y").ok(204)
    assert token.write("auth/token/renew-self").status >= 400


def test_hvac_logs_in(server, root, mount):
    root.write(f"{mount}/users/bob", password="right").ok(204)
    client = server.hvac()
    client.auth.userpass.login("bob", "right", mount_point=mount.split("/")[1])
    assert client.is_authenticated()
