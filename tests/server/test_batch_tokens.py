# SPDX-License-Identifier: Apache-2.0
"""Batch tokens: stored nowhere; what is known of one is in its text."""
import time

import pytest

from lib.process import wait_for

pytestmark = pytest.mark.quick

ALL = 'path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }'


def make(client, kind="create", **options):
    return client.write(f"auth/token/{kind}", **{"type": "batch", "policies": ["all"], **options}).ok(200).auth


@pytest.fixture
def parent(server, root):
    root.write("sys/policies/acl/all", policy=ALL).ok(204)
    return server.client(root.write("auth/token/create", policies=["all"], ttl="1h").ok(200).auth["client_token"])


@pytest.fixture
def batch(server, parent):
    return server.client(make(parent)["client_token"])


def is_alive(client):
    return client.read("auth/token/lookup-self").status == 200


# ---- What it is ----

def test_a_batch_token_says_what_it_is(server, parent):
    auth = make(parent, ttl="30m", meta={"who": "me"}, display_name="job")
    assert (auth["token_type"], auth["accessor"], auth["renewable"], auth["orphan"]) == ("batch", "", False, False)
    assert (auth["lease_duration"], auth["policies"], auth["metadata"]) == (1800, ["all", "default"], {"who": "me"})
    seen = server.client(auth["client_token"]).read("auth/token/lookup-self").ok(200).data
    assert (seen["id"], seen["type"], seen["accessor"]) == (auth["client_token"], "batch", "")
    assert (seen["creation_ttl"], seen["renewable"], seen["orphan"]) == (1800, False, False)
    assert (seen["meta"], seen["display_name"], seen["path"]) == ({"who": "me"}, "token-job", "auth/token/create")
    assert 1790 <= seen["ttl"] <= 1800 and seen["expire_time"]
    assert parent.write("auth/token/lookup", token=auth["client_token"]).ok(200).data["meta"] == {"who": "me"}


@pytest.mark.coffer_only  # about Coffer's prefix
def test_the_text_hides_what_is_in_it(parent):
    token = make(parent, meta={"secret": "plum"})["client_token"]
    assert token.startswith("hvb.") and "plum" not in token and token.isascii()


def test_making_one_stores_nothing(root, parent):
    before = root.list("auth/token/accessors").ok(200).data["keys"]
    make(parent)
    assert root.list("auth/token/accessors").ok(200).data["keys"] == before


def test_its_policies_hold(server, root, parent):
    root.write("sys/policies/acl/little", policy='path "sys/mounts" { capabilities = ["read"] }').ok(204)
    client = server.client(make(parent, policies=["little"])["client_token"])
    client.read("sys/mounts").ok(200)
    client.read("sys/auth").refused(403)


def test_a_text_that_was_tampered_with_is_denied(server, parent):
    token = make(parent)["client_token"]
    start = len(token.split(".")[0]) + 1
    for at in (start, start + 6, start + 12, len(token) // 2, len(token) - 2):
        other = "A" if token[at] != "A" else "B"
        server.client(token[:at] + other + token[at + 1:]).read("auth/token/lookup-self").refused(403)
    for text in (token[:-8], token[:start], token + "AAAA"):
        server.client(text).read("auth/token/lookup-self").refused(403, "permission denied")


@pytest.mark.coffer_only  # OpenBao answers 500 where a text is no base64
@pytest.mark.parametrize("rest", ["", "=", "=" * 40, "+/+/", "x", "x" * 4092, "x" * 5000, "hvb.", "%00", "ä"])
def test_what_only_begins_like_one_is_denied(server, rest):
    server.client(("hvb." + rest).encode()).read("auth/token/lookup-self").refused(403, "permission denied")


def test_another_server_s_token_is_denied(nodes, server, parent):
    token = make(parent, kind="create-orphan")["client_token"]
    other = nodes.node()
    other.start()
    other.ready()
    other.client(token).read("auth/token/lookup-self").refused(403, "permission denied")


def test_it_lives_through_a_restart(node):
    node.ready()
    client = node.client(make(node.root, policies=["default"])["client_token"])
    node.restart()
    node.unseal()
    node.wait_active()
    assert is_alive(client)


# ---- What it cannot ----

def test_it_is_neither_renewed_nor_revoked(parent, batch):
    batch.write("auth/token/renew-self").refused(400, "batch tokens cannot be renewed")
    batch.write("auth/token/revoke-self").refused(400, "batch tokens cannot be revoked")
    parent.write("auth/token/renew", token=batch.token).refused(400, "batch tokens cannot be renewed")
    parent.write("auth/token/revoke", token=batch.token).refused(400, "batch tokens cannot be revoked")
    parent.write("auth/token/revoke-orphan", token=batch.token).refused(400, "batch tokens cannot be revoked")
    assert is_alive(batch)


def test_it_has_no_children(batch):
    for kind in ("create", "create-orphan"):
        batch.write(f"auth/token/{kind}", policies=["all"]).refused(400, "batch tokens cannot create more tokens")


def test_it_has_no_cubbyhole(batch):
    for answer in (batch.read("cubbyhole/x"), batch.write("cubbyhole/x", a="b"), batch.list("cubbyhole/"),
                   batch.delete("cubbyhole/x")):
        answer.refused(400, "cubbyhole operations are only supported by 'service' type tokens")


@pytest.mark.parametrize("options, name", [({"period": "1h"}, "period"), ({"num_uses": 1}, "num_uses"),
                                           ({"explicit_max_ttl": "1h"}, "explicit_max_ttl")])
def test_what_nobody_would_look_after_is_refused(root, parent, options, name):
    root.write("auth/token/create", type="batch", policies=["all"], **options).refused(
        400, f'batch tokens cannot have "{name}" set')


def test_it_is_never_root(root):
    root.write("auth/token/create", type="batch").refused(400, "batch tokens cannot be root tokens")


@pytest.mark.coffer_only  # OpenBao makes tokens of any length, which its front may then refuse
def test_one_that_would_be_too_long_for_a_header_is_not_made(parent):
    parent.write("auth/token/create", type="batch", meta={"x": "y" * 4000}).refused(400, "less metadata")


# ---- Its end ----

def test_it_ends_with_its_time(server, parent):
    client = server.client(make(parent, ttl="2s")["client_token"])
    assert is_alive(client)
    wait_for("the token ends", lambda: not is_alive(client), timeout=6)


def test_it_ends_with_its_parent_unless_it_is_an_orphan(server, root, parent, batch):
    orphan = server.client(make(parent, kind="create-orphan")["client_token"])
    root.write("auth/token/revoke", token=parent.token).ok(204)
    batch.read("auth/token/lookup-self").refused(403, "permission denied")
    assert is_alive(orphan)


# ---- Who makes it ----

def test_a_role_may_force_the_type_or_leave_it(root, parent, unique):
    def type_of(**options):
        return root.write(f"auth/token/create/{unique}", policies=["all"], **options).ok(200).auth["token_type"]
    role = {"orphan": True, "renewable": False}
    for token_type, types in (("batch", ["batch", "batch"]), ("default-batch", ["batch", "service"]),
                              ("default-service", ["service", "service"])):
        root.write(f"auth/token/roles/{unique}", token_type=token_type, **role).ok(204)
        assert [type_of(), type_of(type="service")] == types
    assert type_of(type="batch") == "batch"
    root.write(f"auth/token/roles/{unique}", token_type="service").ok(204)
    assert type_of(type="batch") == "service"


@pytest.mark.parametrize("settings, what", [
    ({"orphan": False}, "non-orphan tokens"), ({"renewable": True}, "renewable tokens"),
    ({"token_period": 5}, "periodic tokens"), ({"token_explicit_max_ttl": 5}, "tokens with an explicit max TTL")])
def test_a_batch_role_makes_only_what_a_batch_token_can_be(root, unique, settings, what):
    role = {"token_type": "batch", "orphan": True, "renewable": False, **settings}
    root.write(f"auth/token/roles/{unique}", **role).refused(400, f"when role is set to generate {what}")


@pytest.fixture
def login(server, root, parent, unique):
    """login(mount's type, user's type) is the `auth` of a login."""
    root.write(f"sys/auth/{unique}", type="userpass").ok(204)

    def log_in(mount_type, own_type, **user):
        root.write(f"sys/auth/{unique}/tune", token_type=mount_type).ok(204)
        root.write(f"auth/{unique}/users/bob", password="p", token_policies="all", token_type=own_type, **user).ok(204)
        return server.client().write(f"auth/{unique}/login/bob", password="p")
    return log_in


@pytest.mark.parametrize("mount_type, own_type, token_type", [
    ("default-service", "default", "service"), ("default-service", "batch", "batch"),
    ("default-batch", "default", "batch"), ("default-batch", "service", "service"), ("batch", "default", "batch"),
    ("batch", "service", "batch"), ("service", "batch", "service")])
def test_a_login_gives_the_type_that_the_mount_and_the_user_say(server, login, mount_type, own_type, token_type):
    auth = login(mount_type, own_type).ok(200).auth
    assert (auth["token_type"], auth["metadata"]) == (token_type, {"username": "bob"})
    seen = server.client(auth["client_token"]).read("auth/token/lookup-self").ok(200).data
    assert (seen["type"], seen["orphan"], seen["meta"]) == (token_type, True, {"username": "bob"})


@pytest.mark.coffer_only  # OpenBao gives one, and forgets the number of uses
def test_uses_that_nobody_would_count_are_refused_at_the_login(login):
    login("batch", "default", token_num_uses=3).refused(400, 'batch tokens cannot have "num_uses" set')


def test_an_approle_gives_batch_tokens_too(server, root, parent, unique):
    root.write(f"sys/auth/{unique}", type="approle").ok(204)
    root.write(f"auth/{unique}/role/r", token_type="batch", token_policies="all").ok(204)
    role_id = root.read(f"auth/{unique}/role/r/role-id").data["role_id"]
    secret_id = root.write(f"auth/{unique}/role/r/secret-id").data["secret_id"]
    auth = server.client().write(f"auth/{unique}/login", role_id=role_id, secret_id=secret_id).ok(200).auth
    assert auth["token_type"] == "batch" and is_alive(server.client(auth["client_token"]))


def test_a_type_that_makes_no_sense_is_refused(root, login, unique):
    login("service", "service").ok(200)
    root.write(f"sys/auth/{unique}/tune", token_type="x").refused(400, "invalid value for 'token_type'")
    root.write("sys/auth/token/tune", token_type="batch").refused(400, "'token_type' cannot be set for 'token'")
    for token_type in ("default-batch", "x"):
        root.write(f"auth/{unique}/users/bob", token_type=token_type).refused(400, "invalid 'token_type' value")
    root.write(f"auth/{unique}/users/bob", token_type="batch", token_num_uses=3).refused(400, "limited use count")


# ---- Its leases ----

@pytest.fixture
def creds(root, moto, parent, unique):
    """creds(client) are credentials of AWS, leased for an hour if the token lets them."""
    root.write(f"sys/mounts/{unique}", type="aws").ok(204)
    root.write(f"{unique}/config/root", **{**moto.root_config(), "iam_endpoint": moto.url, "sts_endpoint": moto.url}).ok()
    root.write(f"{unique}/config/lease", lease="1h", lease_max="2h").ok()
    policy = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}'
    root.write(f"{unique}/roles/r", credential_type="iam_user", policy_document=policy).ok()
    return lambda client: client.read(f"{unique}/creds/r").ok(200)


@pytest.mark.cve("N-088")
@pytest.mark.coffer_only  # OpenBao has no aws engine
def test_a_lease_ends_with_the_token_that_nobody_sees_end(server, moto, parent, creds):
    made = time.monotonic()
    answer = creds(server.client(make(parent, kind="create-orphan", ttl="6s")["client_token"]))
    assert answer.json["lease_duration"] <= 6 and answer.json["renewable"] is False
    assert len(moto.users()) == 1
    wait_for("the user is gone", lambda: not moto.users(), timeout=20)
    assert time.monotonic() - made >= 5


@pytest.mark.cve("N-088")
@pytest.mark.coffer_only  # OpenBao has no aws engine
def test_a_lease_is_revoked_with_the_parent(root, moto, parent, batch, creds):
    creds(batch)
    assert len(moto.users()) == 1
    root.write("auth/token/revoke", token=parent.token).ok(204)
    wait_for("the user is gone", lambda: not moto.users(), timeout=20)
