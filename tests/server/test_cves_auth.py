# SPDX-License-Identifier: Apache-2.0
"""Mistakes that others made with logins, tokens and who may do what (cves.md), each tried here."""
import concurrent.futures
import statistics
import time

import pytest

from lib import settings
from lib.process import wait_for
from lib.raw import ask

EVERYTHING = 'path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }'


@pytest.fixture
def userpass(root, unique):
    """A mount with the user alice, where nobody is locked out."""
    root.write(f"sys/auth/{unique}-up", type="userpass").ok(204)
    root.write(f"sys/auth/{unique}-up/tune", user_lockout_config={"lockout_disable": True}).ok(204)
    root.write(f"auth/{unique}-up/users/alice", password="right").ok(204)
    return f"auth/{unique}-up"


@pytest.fixture
def approle(root, unique):
    root.write(f"sys/auth/{unique}-ar", type="approle").ok(204)
    root.write(f"sys/auth/{unique}-ar/tune", user_lockout_config={"lockout_disable": True}).ok(204)
    return f"auth/{unique}-ar"


def make_role(root, approle, name):
    root.write(f"{approle}/role/{name}", token_policies="x").ok(204)
    secret = root.write(f"{approle}/role/{name}/secret-id").ok(200).data
    return root.read(f"{approle}/role/{name}/role-id").ok(200).data["role_id"], secret


# ---- Logins ----

def seconds_of(client, path, password):
    began = time.monotonic()
    answer = client.write(path, password=password).refused(400)
    return time.monotonic() - began, answer


def medians(client, userpass, rounds=25):
    """Of logins as somebody and as nobody, in turn, so that what else the machine does falls on both."""
    times = {"alice": [], "nobody": []}
    for number in range(rounds):
        for who in times:
            name = who if who == "alice" else f"nobody-{number}"
            times[who].append(seconds_of(client, f"{userpass}/login/{name}", "wrong")[0])
    return [statistics.median(values) for values in times.values()]


@pytest.mark.cve("N-001")
def test_how_long_a_refusal_takes_does_not_tell_whether_there_is_such_a_user(server, userpass):
    client = server.client()
    for _ in range(5):  # a noisy machine gets another chance; a missing hash is a factor of a hundred
        alice, nobody = medians(client, userpass)
        if abs(alice - nobody) < 0.1 * max(alice, nobody):
            return
    pytest.fail(f"a wrong password takes {alice:.4f} s for a user and {nobody:.4f} s for nobody")


@pytest.mark.cve("N-001")
def test_a_refusal_looks_the_same_for_a_user_and_for_nobody(server, userpass):
    answers = [seconds_of(server.client(), f"{userpass}/login/{name}", "wrong")[1] for name in ("alice", "nobod")]
    heads = [{name: value for name, value in answer.headers.items() if name.lower() != "date"} for answer in answers]
    assert answers[0].raw == answers[1].raw and heads[0] == heads[1]


@pytest.mark.cve("N-004")
def test_many_good_and_bad_logins_at_once_are_all_answered(server, root, unique):
    root.write(f"sys/auth/{unique}", type="userpass").ok(204)
    for name in ("good", "bad"):
        root.write(f"auth/{unique}/users/{name}", password="right").ok(204)

    def log_in(number):
        name, password = ("good", "right") if number % 2 else ("bad", "wrong")
        return name, server.client(timeout=30 * settings.PATIENCE).write(f"auth/{unique}/login/{name}", password=password).status

    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        statuses = list(pool.map(log_in, range(120)))
    assert {status for name, status in statuses if name == "good"} == {200}
    assert {status for name, status in statuses if name == "bad"} <= {400, 403}


@pytest.mark.cve("N-031", "N-113")
def test_failing_logins_leave_no_token_and_no_lease_behind(server, root, userpass, approle):
    role_id, _ = make_role(root, approle, "app")
    before = root.list("auth/token/accessors").ok(200).data["keys"]
    for number in range(20):
        server.client().write(f"{userpass}/login/alice", password="wrong").refused(400)
        server.client().write(f"{approle}/login", role_id=role_id, secret_id=f"wrong-{number}").refused(400)
        server.client(f"wrong-{number}").write("auth/token/create").refused(403)
    assert root.list("auth/token/accessors").ok(200).data["keys"] == before
    for mount in (userpass, approle):
        assert root.list(f"sys/leases/lookup/{mount}").status == 404


@pytest.mark.cve("N-026")
def test_a_secret_id_is_not_reached_through_another_role(server, root, policy_token, approle):
    make_role(root, approle, "mine")
    role_id, secret = make_role(root, approle, "theirs")
    client = policy_token(f'path "{approle}/role/mine/*" {{ capabilities = ["create", "read", "update", "delete"] }}')
    for way in ("secret-id-accessor", "secret-id"):
        for verb in ("lookup", "destroy"):
            answer = client.write(f"{approle}/role/mine/{way}/{verb}", secret_id_accessor=secret["secret_id_accessor"],
                                  secret_id=secret["secret_id"])
            assert answer.status in (204, 400, 403, 404, 500) and b"creation_time" not in answer.raw, answer
    server.client().write(f"{approle}/login", role_id=role_id, secret_id=secret["secret_id"]).ok(200)


@pytest.mark.cve("N-027")
def test_a_role_is_one_in_whatever_case_it_is_written(server, root, approle):
    role_id, secret = make_role(root, approle, "MyRole")
    assert root.list(f"{approle}/role").data == {"keys": ["myrole"]}
    assert root.list(f"{approle}/role/myrole/secret-id").data == {"keys": [secret["secret_id_accessor"]]}
    root.write(f"{approle}/role/MYROLE/secret-id-accessor/destroy", secret_id_accessor=secret["secret_id_accessor"]).ok(204)
    server.client().write(f"{approle}/login", role_id=role_id, secret_id=secret["secret_id"]).refused(400)
    another = root.write(f"{approle}/role/myRole/secret-id").ok(200).data
    root.delete(f"{approle}/role/mYrOLE").ok(204)
    server.client().write(f"{approle}/login", role_id=role_id, secret_id=another["secret_id"]).refused(400)


@pytest.mark.cve("N-112")
@pytest.mark.parametrize("size", [5_000, 2_000_000])
def test_ids_and_names_of_any_length_are_refused_quickly(server, userpass, approle, size):
    long, client = "x" * size, server.client()
    began = time.monotonic()
    for body in ({"role_id": long, "secret_id": "y"}, {"role_id": "y", "secret_id": long}, {"role_id": long, "secret_id": long}):
        assert 400 <= client.write(f"{approle}/login", **body).status < 500
    assert 400 <= client.write(f"{userpass}/login/alice", password=long).status < 500
    assert time.monotonic() - began < 5 * settings.PATIENCE
    status, _ = ask(server, "POST", f"/v1/{userpass}/login/{'n' * min(size, 100_000)}", body=b'{"password":"x"}')
    assert status is None or 400 <= status < 500


# ---- Tokens ----

@pytest.mark.cve("N-030")
def test_who_has_not_the_policy_default_cannot_give_it(policy_token, root):
    parent = policy_token('path "auth/token/create" { capabilities = ["update"] }')
    parent.write("auth/token/create", policies=["default"]).refused(400, "child policies must be subset of parent")
    assert "default" not in parent.write("auth/token/create").ok(200).auth["policies"]


@pytest.mark.cve("N-032")
@pytest.mark.parametrize("method", ["CREATE", "UPDATE", "READ", "REVOKE", "RENEW", "ROLLBACK", "ALIAS-LOOKAHEAD", "RESOLVE-ROLE",
                                    "HELP", "LOGIN", "delete", "Post"])
def test_no_operation_but_the_known_ones_is_reached_by_http(server, root, method):
    before = root.list("auth/token/accessors").data["keys"]
    for path in ("auth/token/create", "sys/policies/acl/default"):
        status, answer = ask(server, method, f"/v1/{path}", root.token)
        assert status is None or 400 <= status <= 501 or method == "HELP", answer
    assert root.list("auth/token/accessors").data["keys"] == before


@pytest.mark.cve("N-032", "N-033")
@pytest.mark.coffer_only  # OpenBao has an inline login, and refuses it beside a token
def test_no_header_turns_a_request_into_another_or_logs_in(server, root, unique):
    root.write(f"sys/mounts/{unique}", type="kv").ok(204)
    root.write(f"{unique}/a", x="1").ok(204)
    headers = {"X-HTTP-Method-Override": "DELETE", "X-Method-Override": "DELETE", "X-Vault-Operation": "delete",
               "X-Original-URL": f"/v1/{unique}/b", "X-Rewrite-URL": "/v1/sys/seal", "X-Vault-Policy-Override": "true",
               "X-Vault-Inline-Auth-Path": "auth/userpass/login/alice", "X-Vault-Inline-Auth-Operation": "update",
               "X-Vault-Inline-Auth-Parameter-password": "cGFzc3dvcmQ", "X-Vault-Request": "true"}
    assert root.request("GET", f"{unique}/a", headers=headers).ok(200).data == {"x": "1"}
    server.client().request("GET", f"{unique}/a", headers=headers).refused(403)
    assert root.read(f"{unique}/a").ok(200).data == {"x": "1"}


@pytest.mark.cve("N-035")
@pytest.mark.parametrize("size", [8193, 100_000, 1 << 20])
@pytest.mark.parametrize("header", ["X-Vault-Token: ", "Authorization: Bearer "])
def test_a_token_of_any_length_is_refused_quickly(server, size, header):
    began = time.monotonic()
    status, answer = ask(server, "GET", "/v1/auth/token/lookup-self", headers=[header + "t" * size])
    assert status is None or 400 <= status < 500, answer[:200]
    assert time.monotonic() - began < 5 * settings.PATIENCE


@pytest.mark.cve("N-087")
def test_a_token_renewed_to_the_last_moment_ends_all_the_same(server, root):
    auth = root.write("auth/token/create", policies=["default"], ttl="2s", explicit_max_ttl="4s").ok(200).auth
    client, began = server.client(auth["client_token"]), time.monotonic()
    while (answer := client.write("auth/token/renew-self", increment="1h")).status == 200:
        assert answer.auth["lease_duration"] <= 4
        assert time.monotonic() - began < 6 * settings.PATIENCE, "it lives on"
        told = client.read("auth/token/lookup-self")
        assert told.status == 403 or told.data["expire_time"] is not None
    assert time.monotonic() - began > 2
    wait_for("it has ended", lambda: client.read("auth/token/lookup-self").status == 403, timeout=5)


@pytest.mark.cve("N-056")
def test_whoever_learns_a_lease_or_an_accessor_cannot_do_anything_with_it(server, root, policy_token, userpass):
    auth = server.client().write(f"{userpass}/login/alice", password="right").ok(200).auth
    [name] = root.list(f"sys/leases/lookup/{userpass}/login/alice").ok(200).data["keys"]
    lease, accessor = f"{userpass}/login/alice/{name}", auth["accessor"]
    thief = policy_token('path "secret/*" { capabilities = ["read", "update", "sudo"] }')
    for path, body in (("sys/leases/lookup", {"lease_id": lease}), ("sys/leases/renew", {"lease_id": lease}),
                       ("sys/leases/revoke", {"lease_id": lease}), (f"sys/leases/revoke/{lease}", {}), (f"sys/leases/renew/{lease}", {}),
                       (f"sys/leases/revoke-prefix/{userpass}", {}), (f"sys/leases/revoke-force/{userpass}", {}),
                       ("sys/renew", {"lease_id": lease}), ("sys/revoke", {"lease_id": lease}), (f"sys/revoke/{lease}", {}),
                       (f"sys/renew/{lease}", {}), (f"sys/revoke-prefix/{userpass}", {}), (f"sys/revoke-force/{userpass}", {}),
                       ("auth/token/lookup-accessor", {"accessor": accessor}), ("auth/token/renew-accessor", {"accessor": accessor}),
                       ("auth/token/revoke-accessor", {"accessor": accessor})):
        thief.write(path, **body).refused(403)
    server.client(auth["client_token"]).read("auth/token/lookup-self").ok(200)


# ---- Policies ----

@pytest.mark.cve("N-003", "N-042")
@pytest.mark.parametrize("path, shouted", [
    ("UP/users/alice", "UP/users/ALICE"), ("UP/users/alice", "UP/users/Alice"), ("AR/role/admin", "AR/role/ADMIN"),
    ("AR/role/admin/role-id", "AR/role/aDmin/role-id"), ("sys/policies/acl/NAME", "sys/policies/acl/NAME!"),
    ("sys/policy/NAME", "sys/policy/NAME!"),
    pytest.param("sys/config/auditing/request-headers/x-name", "sys/config/auditing/request-headers/X-Name",
                 marks=pytest.mark.coffer_only),  # OpenBao lets it pass
])
def test_a_policy_about_a_name_holds_in_whatever_case_it_is_written(root, policy_token, userpass, approle, unique, path, shouted):
    make_role(root, approle, "admin")
    root.write(f"sys/policies/acl/{unique}", policy=EVERYTHING).ok(204)
    root.write("sys/config/auditing/request-headers/x-name", hmac=True).ok(204)
    shouted = shouted.replace("NAME!", unique.upper())
    path, shouted = (text.replace("UP", userpass).replace("AR", approle).replace("NAME", unique) for text in (path, shouted))
    policy_token(EVERYTHING).read(shouted).ok(200)
    denied = policy_token(f'{EVERYTHING} path "{path}" {{ capabilities = ["deny"] }}')
    narrowed = policy_token(f'{EVERYTHING} path "{path}" {{ capabilities = ["read", "sudo"] }}')
    for spelling in (path, shouted):
        denied.read(spelling).refused(403)
        narrowed.read(spelling).ok(200)
        assert narrowed.delete(spelling).status in (403, 405)  # 405: there is no such operation


@pytest.mark.cve("N-042")
def test_a_secret_s_name_in_another_case_is_another_secret(root, policy_token, unique):
    root.write(f"sys/mounts/{unique}", type="kv", options={"version": "2"}).ok(204)
    wait_for("the mount is ready", lambda: root.write(f"{unique}/data/example", data={"x": "denied"}).status == 200)
    client = policy_token(f'{EVERYTHING} path "{unique}/data/example" {{ capabilities = ["deny"] }}')
    client.read(f"{unique}/data/example").refused(403)
    assert client.read(f"{unique}/data/EXAMPLE").status == 404


@pytest.mark.cve("N-042", "N-044")
@pytest.mark.parametrize("name", ["root", "Root", "rOOt", " root", "root ", "ROOT\u00a0", "\troot", "root\u200b"])
def test_no_spelling_of_root_is_given_away(server, root, policy_token, userpass, approle, unique, name):
    root.write(f"auth/token/roles/{unique}", allowed_policies=[name])
    maker = policy_token('path "auth/token/create*" { capabilities = ["update"] }')
    root.write(f"{userpass}/users/eve", password="x", token_policies=[name])
    root.write(f"{approle}/role/eve", token_policies=[name])
    got = [maker.write("auth/token/create", policies=[name]), maker.write(f"auth/token/create/{unique}", policies=[name]),
           server.client().write(f"{userpass}/login/eve", password="x")]
    role_id = (root.read(f"{approle}/role/eve/role-id").data or {}).get("role_id", "none")
    secret_id = (root.write(f"{approle}/role/eve/secret-id").data or {}).get("secret_id", "none")
    got.append(server.client().write(f"{approle}/login", role_id=role_id, secret_id=secret_id))
    for answer in got:
        if answer.status == 200:  # a policy of just that name, of which there is none
            assert "root" not in answer.auth["policies"]
            server.client(answer.auth["client_token"]).read("sys/mounts").refused(403)
        else:
            answer.refused(400)


@pytest.mark.cve("N-042")
@pytest.mark.parametrize("name", ["Admin", "ADMIN", " admin", "admin ", "admin\u00a0"])
def test_no_spelling_of_a_policy_that_one_has_not_is_given(policy_token, name):
    maker = policy_token('path "auth/token/create" { capabilities = ["update"] }')
    maker.write("auth/token/create", policies=[name]).refused(400, "child policies must be subset of parent")


@pytest.mark.cve("N-049")
def test_nobody_learns_what_is_mounted(server, root, policy_token, unique):
    root.write(f"sys/mounts/{unique}-is", type="kv").ok(204)
    root.write(f"{unique}-is/a", x="1").ok(204)
    nobody, poor = server.client(), policy_token('path "nothing" { capabilities = ["read"] }')
    for client in (nobody, server.client("wrong"), poor):
        for path in ("KV/a", "KV/b", "KV/", "sys/internal/ui/mounts/KV", "sys/internal/ui/mounts/KV/a", "auth/KV/login"):
            for method in ("GET", "POST", "LIST", "DELETE"):
                body = {} if method == "POST" else None
                is_, not_ = (client.request(method, path.replace("KV", f"{unique}-{end}").rstrip("/") if body is not None else
                                            path.replace("KV", f"{unique}-{end}"), body=body) for end in ("is", "no"))
                assert (is_.status, is_.raw) == (not_.status, not_.raw.replace(b"-no", b"-is")), (is_, not_)


@pytest.mark.cve("N-054")
@pytest.mark.parametrize("base", ["sys/policies/acl/", "sys/policies/password/", "sys/mounts/", "sys/auth/", "UP/users/", "AR/role/",
                                  "auth/token/roles/", "sys/quotas/rate-limit/", "sys/audit/", "K/"])
@pytest.mark.parametrize("name", ["..", "a/..", "a/../b", ".", "%2e%2e", "a%2f..", "a%00b", "%00", "a%0ab", "a%c3%28"])
@pytest.mark.coffer_only  # OpenBao redirects some of them to what they might mean
def test_no_name_leaves_its_place(server, root, userpass, approle, unique, base, name):
    root.write("sys/mounts/cves-names", type="kv")
    base = base.replace("UP", userpass).replace("AR", approle).replace("K/", "cves-names/")
    body = b'{"policy":"path \\"x\\" {policy=\\"read\\"}","type":"kv","password":"x","rate":5,"token_policies":"x"}'
    status, answer = ask(server, "POST", f"/v1/{base}{name}", root.token, body=body)
    assert status in (400, 404), answer


@pytest.mark.cve("N-055")
@pytest.mark.parametrize("namespace", ["root", "/", "//root", "ROOT", "root/", "../", "a", "a/b/", "%2f", "root%00"])
@pytest.mark.coffer_only
def test_a_namespace_that_there_is_not_is_not_taken_for_another(server, root, policy_token, unique, namespace):
    root.write(f"sys/mounts/{unique}", type="kv").ok(204)
    root.write(f"{unique}/a", x="1").ok(204)
    poor = policy_token('path "nothing" { capabilities = ["read"] }')
    headers = {"X-Vault-Namespace": namespace}
    poor.request("GET", f"{unique}/a", headers=headers).refused(403 if is_root(root, headers) else 404)
    answer = root.request("GET", f"{unique}/a", headers=headers)
    assert answer.status == 404 or (answer.data == {"x": "1"} and namespace.strip("/").lower() in ("", "root")), answer


def is_root(root, headers):
    return root.request("GET", "sys/mounts", headers=headers).status == 200
