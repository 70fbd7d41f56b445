# SPDX-License-Identifier: Apache-2.0
"""Response wrapping: an answer is kept for whoever brings its token, once."""
import concurrent.futures
import json
import time

import pytest

from lib.process import wait_for

pytestmark = pytest.mark.quick

INVALID = "wrapping token is not valid or does not exist"
EC2_ONLY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]})


def ask(client, path, ttl="5m", method="GET", body=None):
    """A request whose answer is to be wrapped."""
    return client.request(method, path, body=body, headers={"X-Vault-Wrap-TTL": str(ttl)})


def wrapped(client, path, ttl="5m", method="GET", body=None):
    """The wrap_info of one that was."""
    answer = ask(client, path, ttl, method, body).ok(200)
    return answer.json["wrap_info"]


def unwrap(client, token):
    return client.write("sys/wrapping/unwrap", token=token)


def is_gone(client, info):
    return client.write("sys/wrapping/lookup", token=info["token"]).status == 400


@pytest.fixture
def secret(root, unique):
    """The path of a secret that says {"x": "1"}."""
    root.write(f"sys/mounts/{unique}", type="kv").ok(204)
    root.write(f"{unique}/a", x="1").ok(204)
    return f"{unique}/a"


@pytest.fixture
def plain(server, root):
    """A client with a token of nothing but the default policy."""
    return server.client(root.write("auth/token/create", policies=["default"]).ok(200).auth["client_token"])


# ---- What is given ----

def test_the_answer_is_a_token_and_nothing_else(root, secret):
    answer = ask(root, secret, 300).ok(200)
    info = answer.json.pop("wrap_info")
    assert answer.json == {"request_id": "", "lease_id": "", "renewable": False, "lease_duration": 0, "data": None,
                           "warnings": None, "auth": None}
    assert set(info) == {"token", "accessor", "ttl", "creation_time", "creation_path"}
    assert info["ttl"] == 300 and info["creation_path"] == secret and info["creation_time"].endswith("Z")


@pytest.mark.parametrize("ttl, seconds", [("60", 60), ("5m", 300), ("1h30m", 5400), ("1d", 86400), ("10000h", 36000000)])
def test_the_ttl_is_taken_as_it_is_said_whatever_the_mounts_allow(root, secret, ttl, seconds):
    info = wrapped(root, secret, ttl)
    assert info["ttl"] == seconds
    token = root.write("auth/token/lookup", token=info["token"]).ok(200).data
    assert token["creation_ttl"] == token["explicit_max_ttl"] == seconds


@pytest.mark.cve("N-124")
@pytest.mark.parametrize("ttl, sentence", [("-1", "requested wrap ttl cannot be negative"), ("x", "invalid duration")])
def test_a_ttl_that_is_none_is_refused(root, secret, ttl, sentence):
    ask(root, secret, ttl).refused(400, "error parsing X-Vault-Wrap-TTL header: ")
    ask(root, secret, ttl).refused(400, sentence)


def test_a_ttl_of_zero_wraps_nothing_and_less_than_a_second_is_not_zero(root, secret):
    assert ask(root, secret, "0").ok(200).data == {"x": "1"}
    assert ask(root, secret, "500ms").ok(200).data is None


@pytest.mark.cve("N-124")
@pytest.mark.coffer_only
def test_what_cannot_be_kept_as_asked_is_refused_and_not_given_in_clear(root, secret):
    ask(root, secret, f"{101 * 365 * 24}h").refused(400, "longer than a hundred years")
    root.request("GET", secret, headers={"X-Vault-Wrap-TTL": "60", "X-Vault-Wrap-Format": "jwt"}).refused(400, "Format")
    ask(root, "sys/metrics").refused(400, "each node answers this path by itself")
    ask(root, "sys/storage/raft/snapshot").refused(400, "a file, which cannot be wrapped")


def test_what_is_longer_than_a_cubbyhole_takes_is_not_wrapped(root):
    ask(root, "sys/wrapping/wrap", method="POST", body={"x": "y" * 1_000_000}).ok(200)
    assert ask(root, "sys/wrapping/wrap", method="POST", body={"x": "y" * 1_100_000}).status == 500


def test_what_is_said_to_anybody_is_said_as_ever(server):
    assert ask(server.client(), "sys/seal-status").ok(200).json["sealed"] is False


@pytest.mark.coffer_only  # which lets anybody fill its store so
def test_who_has_no_token_gets_none(server):
    assert ask(server.client(), "sys/internal/ui/mounts").ok(200).json["wrap_info"] is None
    ask(server.client(), "sys/mounts").refused(403)


@pytest.mark.coffer_only
def test_who_wraps_whatever_they_ask_is_not_kept_from_stepping_down(root):
    ask(root, "sys/step-down", method="PUT").refused(503, "no other voter")


def test_the_token_is_an_orphan_of_one_use_that_cannot_be_renewed(root, plain, server, secret):
    info = wrapped(root, secret, 60)
    token = root.write("auth/token/lookup", token=info["token"]).ok(200).data
    assert token["policies"] == ["response-wrapping"] and token["num_uses"] == 1
    assert token["orphan"] is True and token["renewable"] is False and token["path"] == secret
    assert token["accessor"] == info["accessor"] and token["type"] == "service"
    root.write("auth/token/renew", token=info["token"]).refused(400, "lease is not renewable")


@pytest.mark.cve("N-122")
@pytest.mark.parametrize("method, path, body", [
    ("GET", "auth/token/lookup-self", None), ("POST", "auth/token/create", {}), ("POST", "auth/token/renew-self", {}),
    ("GET", "cubbyhole/wrapinfo", None), ("LIST", "cubbyhole", None), ("POST", "cubbyhole/other", {"x": "1"}),
    ("POST", "cubbyhole/response", {"x": "1"}), ("DELETE", "cubbyhole/response", None),
    ("POST", "sys/wrapping/rewrap", {}), ("POST", "sys/wrapping/wrap", {"x": "1"}),
    ("POST", "sys/leases/revoke", {"lease_id": "a/b"})])
def test_the_token_is_good_for_nothing_else_and_is_used_up_by_the_attempt(root, server, secret, method, path, body):
    info = wrapped(root, secret)
    server.client(info["token"]).request(method, path, body=body).refused(403, "permission denied")
    unwrap(root, info["token"]).refused(400, INVALID)


def test_the_policy_of_wrapping_tokens_is_nobody_s_to_give_or_change(root):
    assert "sys/wrapping/unwrap" in root.read("sys/policies/acl/response-wrapping").ok(200).data["policy"]
    root.write("auth/token/create", policies=["response-wrapping"]).refused(400, "cannot assign policy")
    root.delete("sys/policies/acl/response-wrapping").refused(400)
    root.write("sys/policies/acl/response-wrapping", policy='path "*" { capabilities = ["read"] }').refused(400)


# ---- What is kept ----

def test_unwrapping_gives_the_answer_as_it_would_have_been(root, plain, secret):
    answer = unwrap(plain, wrapped(root, secret)["token"]).ok(200)
    assert answer.data == {"x": "1"} and answer.json["request_id"] and answer.json["wrap_info"] is None
    assert answer.json["lease_duration"] == root.read(secret).json["lease_duration"]
    assert set(answer.json) == set(root.read(secret).json)


def test_the_wrapping_token_unwraps_itself(root, server, secret):
    token = wrapped(root, secret)["token"]
    assert server.client(token).write("sys/wrapping/unwrap").ok(200).data == {"x": "1"}
    server.client(token).write("sys/wrapping/unwrap").refused(400, INVALID)


@pytest.mark.coffer_only  # which answers 500 there
def test_the_wrapping_token_may_name_itself(root, server, secret):
    token = wrapped(root, secret)["token"]
    assert unwrap(server.client(token), token).ok(200).data == {"x": "1"}


def test_it_works_once(root, server, secret):
    token = wrapped(root, secret)["token"]
    unwrap(root, token).ok(200)
    unwrap(root, token).refused(400, INVALID)
    server.client(token).write("sys/wrapping/unwrap").refused(400, INVALID)
    server.client(token).read("cubbyhole/response").refused(403)
    server.client().write("sys/wrapping/lookup", token=token).refused(400, INVALID)
    root.write("sys/wrapping/rewrap", token=token).refused(400, INVALID)


@pytest.mark.cve("N-122")
@pytest.mark.parametrize("way", ["other", "own", "cubbyhole", "all"])
def test_of_many_at_once_exactly_one_has_it(root, server, secret, way):
    token = wrapped(root, secret)["token"]

    def take(number):
        kind = ["other", "own", "cubbyhole", "rewrap"][number % 4] if way == "all" else way
        if kind == "own":
            return server.client(token).write("sys/wrapping/unwrap")
        if kind == "cubbyhole":
            return server.client(token).read("cubbyhole/response")
        if kind == "rewrap":
            return server.root.write("sys/wrapping/rewrap", token=token)
        return unwrap(server.root, token)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(take, range(48)))
    assert sorted(answer.status for answer in answers)[:2] in ([200, 400], [200, 403])
    assert {answer.status for answer in answers} <= {200, 400, 403}


def test_old_clients_read_it_in_the_cubbyhole(root, server, secret):
    token = wrapped(root, secret)["token"]
    answer = server.client(token).read("cubbyhole/response").ok(200)
    assert json.loads(answer.data["response"])["data"] == {"x": "1"} and set(answer.data) == {"response"}
    assert "Reading from 'cubbyhole/response' is deprecated" in answer.warnings[0]
    server.client(token).read("cubbyhole/response").refused(403)


def test_a_new_token_is_wrapped_with_its_accessor_outside(root, server):
    info = wrapped(root, "auth/token/create", method="POST", body={"policies": ["default"]})
    auth = unwrap(root, info["token"]).ok(200).auth
    assert info["wrapped_accessor"] == auth["accessor"] and info["creation_path"] == "auth/token/create"
    assert server.client(auth["client_token"]).read("auth/token/lookup-self").ok(200).data["path"] == "auth/token/create"


def test_a_wrapped_token_can_be_revoked_by_its_accessor_before_anybody_has_it(root, server):
    info = wrapped(root, "auth/token/create", method="POST", body={"policies": ["default"]})
    root.write("auth/token/revoke-accessor", accessor=info["wrapped_accessor"]).ok(204)
    auth = unwrap(root, info["token"]).ok(200).auth
    server.client(auth["client_token"]).read("auth/token/lookup-self").refused(403)


def test_a_login_is_wrapped(root, server, unique):
    root.write(f"sys/auth/{unique}", type="userpass").ok(204)
    root.write(f"auth/{unique}/users/bob", password="pw").ok(204)
    info = wrapped(server.client(), f"auth/{unique}/login/bob", method="POST", body={"password": "pw"})
    auth = server.client(info["token"]).write("sys/wrapping/unwrap").ok(200).auth
    assert auth["metadata"] == {"username": "bob"} and auth["accessor"] == info["wrapped_accessor"]
    ask(server.client(), f"auth/{unique}/login/bob", method="POST", body={"password": "no"}).refused(400)


def test_a_secret_id_is_wrapped_with_its_accessor_outside(root, unique):
    root.write(f"sys/auth/{unique}", type="approle").ok(204)
    root.write(f"auth/{unique}/role/r", token_policies="x").ok(204)
    info = wrapped(root, f"auth/{unique}/role/r/secret-id", method="POST")
    data = unwrap(root, info["token"]).ok(200).data
    assert data["secret_id_accessor"] == info["wrapped_accessor"] and data["secret_id"]


def test_a_list_is_wrapped_and_an_empty_one_is_404(root, secret):
    mount = secret.rpartition("/")[0]
    info = wrapped(root, mount, method="LIST")
    assert info["creation_path"] == f"{mount}/"
    assert unwrap(root, info["token"]).ok(200).data == {"keys": ["a"]}
    assert ask(root, f"{mount}/none", method="LIST").status == 404


@pytest.mark.cve("N-124")
def test_errors_and_empty_answers_are_not_wrapped(root, plain, secret):
    assert ask(root, secret + "/none").status == 404
    ask(plain, secret).refused(403)
    assert ask(root, secret, method="POST", body={"x": "1"}).status == 204


def test_an_answer_of_another_status_comes_out_with_it(root, unique):
    root.write(f"sys/mounts/{unique}", type="kv", options={"version": "2"}).ok(204)
    wait_for("it is ready", lambda: root.write(f"{unique}/data/a", data={"x": "1"}).status == 200)
    root.delete(f"{unique}/data/a").ok(204)
    answer = unwrap(root, wrapped(root, f"{unique}/data/a")["token"])
    assert answer.status == 404 and answer.data["data"] is None and answer.data["metadata"]["version"] == 1


def test_warnings_are_inside(root):
    info = wrapped(root, "auth/token/create", method="POST", body={"policies": ["no-such-policy-there-is"]})
    assert any("no-such-policy-there-is" in warning for warning in unwrap(root, info["token"]).ok(200).warnings)


def test_what_comes_out_can_be_wrapped_again(root, secret):
    outer = wrapped(root, "sys/wrapping/unwrap", 70, "POST", {"token": wrapped(root, secret)["token"]})
    assert outer["creation_path"] == "sys/wrapping/unwrap" and outer["ttl"] == 70
    assert unwrap(root, outer["token"]).ok(200).data == {"x": "1"}


# ---- Its end ----

def test_it_ends_on_time(root, server, secret):
    token = wrapped(root, secret, 1)["token"]
    time.sleep(2.1)
    unwrap(root, token).refused(400, INVALID)
    server.client(token).read("cubbyhole/response").refused(403)


def test_it_can_be_revoked(root, secret):
    by_token, by_accessor = wrapped(root, secret), wrapped(root, secret)
    root.write("auth/token/revoke", token=by_token["token"]).ok(204)
    root.write("auth/token/revoke-accessor", accessor=by_accessor["accessor"]).ok(204)
    for info in (by_token, by_accessor):
        unwrap(root, info["token"]).refused(400, INVALID)


def test_it_ends_with_what_is_revoked_below_its_path_and_with_its_mount(root, secret):
    mount = secret.rpartition("/")[0]
    info = wrapped(root, secret)
    listed = root.list(f"sys/leases/lookup/{secret}").ok(200).data["keys"]
    assert len(listed) == 1
    assert root.write("sys/leases/lookup", lease_id=f"{secret}/{listed[0]}").ok(200).data["renewable"] is False
    root.write(f"sys/leases/revoke-prefix/{mount}", sync=True).ok()
    wait_for("it is gone", lambda: is_gone(root, info))
    other = wrapped(root, secret)
    root.delete(f"sys/mounts/{mount}").ok(204)
    wait_for("it is gone", lambda: is_gone(root, other))


def test_it_outlives_the_token_that_asked_for_it(root, server, secret):
    asker = server.client(root.write("auth/token/create", policies=["root"], ttl="1h").ok(200).auth["client_token"])
    info = wrapped(asker, secret)
    root.write("auth/token/revoke", token=asker.token).ok(204)
    assert unwrap(root, info["token"]).ok(200).data == {"x": "1"}


@pytest.mark.cve("N-113")
def test_no_accessor_is_left_behind(root, secret):
    before = set(root.list("auth/token/accessors").ok(200).data["keys"])
    for number in range(20):
        token = wrapped(root, secret)["token"]
        if number % 2:
            token = root.write("sys/wrapping/rewrap", token=token).ok(200).json["wrap_info"]["token"]
        unwrap(root, token).ok(200)
    assert set(root.list("auth/token/accessors").data["keys"]) <= before


# ---- sys/wrapping/ ----

def test_what_is_sent_is_wrapped(root, plain):
    plain.write("sys/wrapping/wrap", a="b").refused(400, "endpoint requires response wrapping to be used")
    info = wrapped(plain, "sys/wrapping/wrap", 60, "POST", {"a": "b", "deep": {"n": [1, None]}})
    assert info["creation_path"] == "sys/wrapping/wrap"
    assert unwrap(plain, info["token"]).ok(200).data == {"a": "b", "deep": {"n": [1, None]}}
    empty = wrapped(plain, "sys/wrapping/wrap", 60, "POST")
    assert unwrap(plain, empty["token"]).ok(200).data == {}


def test_a_look_does_not_use_it_and_needs_no_other_token(root, server, secret):
    info = wrapped(root, secret, 120)
    expected = {"creation_path": secret, "creation_time": info["creation_time"], "creation_ttl": 120}
    for _ in range(2):
        assert server.client().write("sys/wrapping/lookup", token=info["token"]).ok(200).data == expected
        assert server.client(info["token"]).read("sys/wrapping/lookup").ok(200).data == expected
    unwrap(root, info["token"]).ok(200)


def test_passing_on_ends_the_one_and_keeps_path_and_time(root, secret):
    first = wrapped(root, secret, 120)
    second = root.write("sys/wrapping/rewrap", token=first["token"]).ok(200).json["wrap_info"]
    assert second["token"] != first["token"] and second["creation_path"] == secret and second["ttl"] == 120
    unwrap(root, first["token"]).refused(400, INVALID)
    assert unwrap(root, second["token"]).ok(200).data == {"x": "1"}


def test_passing_on_shortens_but_does_not_lengthen(root, secret):
    for asked, expected in ((5, 5), (1000, 120)):
        body = {"token": wrapped(root, secret, 120)["token"]}
        assert wrapped(root, "sys/wrapping/rewrap", asked, "POST", body)["ttl"] == expected


def test_passing_on_keeps_the_wrapped_accessor(root):
    first = wrapped(root, "auth/token/create", method="POST", body={"policies": ["default"]})
    second = root.write("sys/wrapping/rewrap", token=first["token"]).ok(200).json["wrap_info"]
    assert unwrap(root, second["token"]).auth["accessor"] == first["wrapped_accessor"]


@pytest.mark.parametrize("path", ["unwrap", "lookup", "rewrap"])
def test_what_is_no_wrapping_token_is_told_so(root, server, plain, path):
    for token in ("nonsense", "x" * 600, root.token, plain.token, "../a"):
        root.write(f"sys/wrapping/{path}", token=token).refused(400, INVALID)
    root.write(f"sys/wrapping/{path}").refused(400, INVALID)
    server.client("nonsense").write(f"sys/wrapping/{path}").refused(400, INVALID)
    server.client().write(f"sys/wrapping/{path}").refused(403, "error validating wrapping token: token is empty")
    root.write(f"sys/wrapping/{path}", token=5).refused(403, "could not decode token in request body")


def test_who_may_not_unwrap_does_not_use_it_up(root, server, policy_token, secret):
    token = wrapped(root, secret)["token"]
    unwrap(policy_token('path "x" { capabilities = ["read"] }'), token).refused(403)
    unwrap(server.client("nonsense"), token).refused(403, "permission denied")
    policy_token('path "sys/wrapping/unwrap" { capabilities = ["update"] }').write(
        "sys/wrapping/rewrap", token=token).refused(403)
    unwrap(root, token).ok(200)


# ---- Policies ----

def test_a_policy_demands_wrapping_within_its_limits(policy_token, secret):
    mine = policy_token(f'path "{secret}" {{ capabilities = ["read"] min_wrapping_ttl = "10s" max_wrapping_ttl = "1m" }}')
    mine.read(secret).refused(403)
    for ttl, status in ((9, 403), (10, 200), (60, 200), (61, 403)):
        assert ask(mine, secret, ttl).status == status, ttl


def test_a_minimum_alone_demands_wrapping_too(policy_token, secret):
    mine = policy_token(f'path "{secret}" {{ capabilities = ["read"] min_wrapping_ttl = "1m" }}')
    mine.read(secret).refused(403)
    ask(mine, secret, "1h").ok(200)


# ---- The audit log ----

def test_the_log_has_the_token_hashed_and_nothing_of_the_secret(node):
    node.ready()
    node.enable_audit()
    root = node.root
    root.write("sys/mounts/kv", type="kv").ok(204)
    root.write("kv/a", value="a-secret-value").ok(204)
    info = wrapped(root, "kv/a", 120)
    login = wrapped(root, "auth/token/create", method="POST", body={"policies": ["default"]})
    [entry] = [e for e in node.audit_entries() if e["type"] == "response" and e["request"].get("wrap_ttl") == 120]
    seen = entry["response"]["wrap_info"]

    def hashed(text):
        return root.write("sys/audit-hash/file", input=text).ok(200).data["hash"]
    assert seen == {"ttl": 120, "token": hashed(info["token"]), "accessor": hashed(info["accessor"]),
                    "creation_time": info["creation_time"], "creation_path": "kv/a"}
    assert "data" not in entry["response"] and "auth" not in entry["response"]
    assert hashed(login["wrapped_accessor"]) in node.audit_file.read_text()
    unwrap(root, info["token"]).ok(200)
    [entry] = [e for e in node.audit_entries()
               if e["type"] == "response" and e["request"]["path"] == "sys/wrapping/unwrap"]
    assert entry["request"]["data"]["token"] == hashed(info["token"])
    assert entry["response"]["data"]["value"] == hashed("a-secret-value")
    text = node.audit_file.read_text()
    assert "a-secret-value" not in text and info["token"] not in text and login["token"] not in text


# ---- Leases ----

class Aws:
    def __init__(self, node, moto, path):
        self.root, self.moto, self.path = node.root, moto, path
        self.root.write(f"sys/mounts/{path}", type="aws").ok(204)
        self.root.write(f"{path}/config/root", **moto.root_config()).ok(204)
        self.root.write(f"{path}/config/lease", lease="1h", lease_max="2h").ok(204)
        self.root.write(f"{path}/roles/r", credential_type="iam_user", policy_document=EC2_ONLY).ok(204)

    def leases(self):
        return (self.root.list(f"sys/leases/lookup/{self.path}/creds/r").data or {}).get("keys", [])


@pytest.mark.coffer_only  # the other has no such engine
def test_a_wrapped_credential_works_and_its_lease_is_the_asker_s(root, server, moto, unique):
    aws = Aws(server, moto, unique)
    asker = server.client(root.write("auth/token/create", policies=["root"], ttl="1h").ok(200).auth["client_token"])
    answer = ask(asker, f"{unique}/creds/r").ok(200)
    assert answer.lease_id == "" and answer.json["lease_duration"] == 0
    inner = unwrap(root, answer.json["wrap_info"]["token"]).ok(200)
    assert inner.lease_id.startswith(f"{unique}/creds/r/") and inner.json["lease_duration"] == 3600
    client = moto.client("ec2", inner.data["access_key"], inner.data["secret_key"])
    assert moto.may(client.describe_instances) == "yes"
    renewed = root.write("sys/leases/renew", lease_id=inner.lease_id).ok(200)
    assert renewed.json["renewable"] is True
    assert len(aws.leases()) == 1
    root.write("auth/token/revoke", token=asker.token).ok(204)
    wait_for("the user goes with the asker's token", lambda: not moto.users())


@pytest.mark.coffer_only
def test_a_wrapping_that_ends_unopened_leaves_the_lease_to_its_own_end(root, server, moto, unique):
    aws = Aws(server, moto, unique)
    info = wrapped(root, f"{unique}/creds/r", 1)
    time.sleep(2.1)
    unwrap(root, info["token"]).refused(400, INVALID)
    assert len(aws.leases()) == 1 and len(moto.users()) == 1
    root.write(f"sys/leases/revoke-prefix/{unique}", sync=True).ok()
    assert not moto.users()


@pytest.mark.coffer_only
def test_a_credential_whose_answer_could_not_be_kept_is_revoked(nodes, moto):
    node = nodes.node(env={"COFFER_FAILPOINTS": "wrap.before_keep=error@1"})
    node.start()
    node.ready()
    aws = Aws(node, moto, "aws")
    before = set(node.root.list("auth/token/accessors").data["keys"])
    ask(node.root, "aws/creds/r").refused(503)
    wait_for("no user is left", lambda: not moto.users(), timeout=15)
    assert set(node.root.list("auth/token/accessors").data["keys"]) == before
    inner = unwrap(node.root, wrapped(node.root, "aws/creds/r")["token"]).ok(200)
    assert inner.lease_id in [f"aws/creds/r/{name}" for name in aws.leases()] and len(moto.users()) == 1


@pytest.mark.coffer_only
def test_a_renewal_whose_answer_is_wrapped_renews_and_one_whose_answer_could_not_be_kept_harms_nothing(nodes, moto):
    node = nodes.node(env={"COFFER_FAILPOINTS": "wrap.before_keep=error@1"})
    node.start()
    node.ready()
    aws = Aws(node, moto, "aws")
    lease_id = node.root.read("aws/creds/r").ok(200).lease_id
    before = node.root.write("sys/leases/lookup", lease_id=lease_id).ok(200).data

    def renew():
        return ask(node.root, "sys/leases/renew", method="POST", body={"lease_id": lease_id, "increment": "5400s"})

    renew().refused(503)
    assert node.root.write("sys/leases/lookup", lease_id=lease_id).ok(200).data["expire_time"] == before["expire_time"]
    # Had it been given up, it would be revoked before what is revoked afterwards.
    other = node.root.read("aws/creds/r").ok(200).lease_id
    node.root.write("sys/leases/revoke", lease_id=other, sync=True).ok(204)
    assert len(moto.users()) == 1 and len(aws.leases()) == 1
    inner = unwrap(node.root, renew().ok(200).json["wrap_info"]["token"]).ok(200)
    assert inner.lease_id == lease_id and 5300 < inner.json["lease_duration"] <= 5400
    renewed = node.root.write("sys/leases/lookup", lease_id=lease_id).ok(200).data
    assert renewed["expire_time"] > before["expire_time"] and renewed["last_renewal"] is not None


# ---- Clients ----

def test_hvac_wraps_and_unwraps(server, root, secret):
    client = server.hvac(root.token)
    info = client.sys.wrap({"k": "v"}, ttl=60)["wrap_info"]
    assert client.sys.unwrap(info["token"])["data"] == {"k": "v"}
    mount, _, name = secret.rpartition("/")
    answer = client.secrets.kv.v1.read_secret(name, mount_point=mount)
    assert answer["data"] == {"x": "1"}
    info = client.write_data("auth/token/create", data={"policies": ["default"]}, wrap_ttl="60s")["wrap_info"]
    stranger = server.hvac(info["token"])
    assert stranger.sys.unwrap()["auth"]["accessor"] == info["wrapped_accessor"]


@pytest.mark.coffer_only
def test_the_command_line_wraps_and_unwraps(server, root, secret):
    def cli(*args, token=root.token):
        return server.cli(*args, token=token)
    info = json.loads(cli("read", "-wrap-ttl=5m", "-format=json", secret).stdout)["wrap_info"]
    assert info["ttl"] == 300
    assert json.loads(cli("unwrap", "-format=json", info["token"]).stdout)["data"] == {"x": "1"}
    again = cli("unwrap", info["token"])
    assert again.returncode == 2 and INVALID in again.stderr
    token = cli("read", "-wrap-ttl=60", "-field=wrapping_token", secret).stdout
    assert cli("unwrap", "-field=x", token).stdout == "1"
    token = cli("read", "-wrap-ttl=60", "-field=wrapping_token", secret).stdout
    assert cli("unwrap", token=token).stdout.split()[-2:] == ["x", "1"], "without an argument, the token in use"
    table = cli("token", "create", "-wrap-ttl=90s", "-policy=default").stdout
    assert "wrapping_token_ttl:" in table and "1m30s" in table and "wrapped_accessor:" in table
    mount, _, name = secret.rpartition("/")
    token = cli("kv", "get", "-wrap-ttl=60", "-field=wrapping_token", f"-mount={mount}", name).stdout
    assert json.loads(cli("unwrap", "-format=json", token).stdout)["data"] == {"x": "1"}
