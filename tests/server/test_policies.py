# SPDX-License-Identifier: Apache-2.0
"""ACL policies: how they are stored, and a table of what they allow."""
import pytest

pytestmark = [pytest.mark.quick, pytest.mark.serial]

CAN = 'capabilities = ["create", "read", "update", "delete", "list"]'

# (policy with K for the mount, method, path, allowed?)
TABLE = [
    # exact paths
    ('path "K/a" { capabilities = ["read"] }', "GET", "a", True),
    ('path "K/a" { capabilities = ["read"] }', "GET", "ab", False),
    ('path "K/a" { capabilities = ["read"] }', "GET", "a/b", False),
    ('path "/K/a" { capabilities = ["read"] }', "GET", "a", True),
    # operations
    ('path "K/a" { capabilities = ["read"] }', "POST", "a", False),
    ('path "K/a" { capabilities = ["read"] }', "DELETE", "a", False),
    ('path "K/a" { capabilities = ["update"] }', "POST", "a", True),
    ('path "K/a" { capabilities = ["create"] }', "POST", "a", False),
    ('path "K/new" { capabilities = ["create"] }', "POST", "new", True),
    ('path "K/new" { capabilities = ["update"] }', "POST", "new", False),
    ('path "K/a" { capabilities = ["delete"] }', "DELETE", "a", True),
    ('path "K/a" { policy = "write" }', "POST", "a", True),
    ('path "K/a" { policy = "read" }', "POST", "a", False),
    # globs
    ('path "K/*" { capabilities = ["read"] }', "GET", "a", True),
    ('path "K/*" { capabilities = ["read"] }', "GET", "d/e/f", True),
    ('path "K/d*" { capabilities = ["read"] }', "GET", "d/e/f", True),
    ('path "K/d/*" { capabilities = ["read"] }', "GET", "a", False),
    ('path "*" { capabilities = ["read"] }', "GET", "a", True),
    # one segment
    ('path "K/+" { capabilities = ["read"] }', "GET", "a", True),
    ('path "K/+" { capabilities = ["read"] }', "GET", "d/e/f", False),
    ('path "K/+/e/f" { capabilities = ["read"] }', "GET", "d/e/f", True),
    ('path "K/d/+/f" { capabilities = ["read"] }', "GET", "d/e/f", True),
    ('path "K/+/+/*" { capabilities = ["read"] }', "GET", "d/e/f", True),
    ('path "K/+/f" { capabilities = ["read"] }', "GET", "d/e/f", False),
    # the best pattern alone counts
    ('path "K/*" { capabilities = ["read"] } path "K/a" { capabilities = ["update"] }', "GET", "a", False),
    ('path "K/*" { capabilities = ["update"] } path "K/a" { capabilities = ["read"] }', "GET", "a", True),
    ('path "K/*" { capabilities = ["read"] } path "K/d/*" { capabilities = ["update"] }', "GET", "d/e/f", False),
    ('path "K/+/e/f" { capabilities = ["update"] } path "K/*" { capabilities = ["read"] }', "GET", "d/e/f", False),
    ('path "K/d/*" { capabilities = ["read"] } path "K/+/e/*" { capabilities = ["update"] }', "GET", "d/e/f", True),
    ('path "K/d/e/*" { capabilities = ["read"] } path "K/d/e/+" { capabilities = ["update"] }', "GET", "d/e/f", False),
    # deny
    ('path "K/*" { capabilities = ["read"] } path "K/a" { capabilities = ["deny"] }', "GET", "a", False),
    ('path "K/a" { capabilities = ["read", "deny"] }', "GET", "a", False),
    ('path "K/*" { capabilities = ["deny"] } path "K/a" { capabilities = ["read"] }', "GET", "a", True),
    ('path "K/a" { capabilities = ["read"] } path "K/a" { capabilities = ["deny"] }', "GET", "a", False),
    # lists
    ('path "K/" { capabilities = ["list"] }', "LIST", "", True),
    ('path "K" { capabilities = ["list"] }', "LIST", "", True),
    ('path "K/d" { capabilities = ["list"] }', "LIST", "d", True),
    ('path "K/d/" { capabilities = ["list"] }', "LIST", "d", True),
    ('path "K/d/*" { capabilities = ["list"] }', "LIST", "d", True),
    ('path "K/*" { capabilities = ["read"] }', "LIST", "d", False),
    # parameters
    ('path "K/a" { capabilities = ["update"] required_parameters = ["x"] }', "POST", "a", True),
    ('path "K/a" { capabilities = ["update"] required_parameters = ["y"] }', "POST", "a", False),
    ('path "K/a" { capabilities = ["update"] allowed_parameters = { "x" = [] } }', "POST", "a", True),
    ('path "K/a" { capabilities = ["update"] allowed_parameters = { "y" = [] } }', "POST", "a", False),
    ('path "K/a" { capabilities = ["update"] allowed_parameters = { "x" = ["1", "2"] } }', "POST", "a", True),
    ('path "K/a" { capabilities = ["update"] allowed_parameters = { "x" = ["2"] } }', "POST", "a", False),
    ('path "K/a" { capabilities = ["update"] denied_parameters = { "x" = [] } }', "POST", "a", False),
    ('path "K/a" { capabilities = ["update"] denied_parameters = { "x" = ["2"] } }', "POST", "a", True),
    ('path "K/a" { capabilities = ["update"] denied_parameters = { "*" = [] } }', "POST", "a", False),
    # JSON
    ('{"path": {"K/a": {"capabilities": ["read"]}}}', "GET", "a", True),
    ('{"path": {"K/a": {"capabilities": ["read"]}}}', "POST", "a", False),
    # nothing at all
    ('path "other/*" { capabilities = ["read"] }', "GET", "a", False),
]


@pytest.fixture(scope="module")
def kv(server):
    server.root.write("sys/mounts/pol", type="kv").ok(204)
    return "pol"


@pytest.mark.parametrize("policy, method, path, allowed", TABLE)
def test_a_policy_allows_what_it_says_and_nothing_else(root, policy_token, kv, policy, method, path, allowed):
    for name in ("a", "ab", "d/e/f"):
        root.write(f"{kv}/{name}", x="1").ok(204)
    root.delete(f"{kv}/new").ok(204)
    client = policy_token(policy.replace("K", kv))
    answer = client.request(method, f"{kv}/{path}", body={"x": "1"} if method == "POST" else None)
    if allowed:
        answer.ok()
    else:
        answer.refused(403, "permission denied")


@pytest.mark.parametrize("first, second, allowed", [
    ('path "K/a" { capabilities = ["list"] }', 'path "K/a" { capabilities = ["read"] }', True),
    ('path "K/a" { capabilities = ["read"] }', 'path "K/a" { capabilities = ["deny"] }', False),
    ('path "K/*" { capabilities = ["read"] }', 'path "K/a" { capabilities = ["list"] }', False),
])
def test_several_policies_add_up_pattern_by_pattern(server, root, kv, unique, first, second, allowed):
    root.write(f"{kv}/a", x="1").ok(204)
    for number, text in enumerate((first, second)):
        root.write(f"sys/policies/acl/{unique}-{number}", policy=text.replace("K", kv)).ok(204)
    auth = root.write("auth/token/create", policies=[f"{unique}-0", f"{unique}-1"]).ok(200).auth
    assert server.client(auth["client_token"]).read(f"{kv}/a").status == (200 if allowed else 403)


def test_sudo_paths_need_sudo(policy_token):
    policy_token('path "auth/token/accessors" { capabilities = ["list"] }').list("auth/token/accessors").refused(403)
    policy_token('path "auth/token/accessors/" { capabilities = ["list", "sudo"] }').list("auth/token/accessors").ok(200)
    policy_token('path "sys/audit" { capabilities = ["read"] }').read("sys/audit").refused(403)
    policy_token('path "sys/audit" { capabilities = ["read", "sudo"] }').read("sys/audit").ok(200)


@pytest.mark.cve("N-064")
def test_a_changed_policy_holds_at_once(server, root, kv, unique):
    root.write(f"{kv}/a", x="1").ok(204)
    root.write(f"sys/policies/acl/{unique}", policy=f'path "{kv}/a" {{ capabilities = ["read"] }}').ok(204)
    auth = root.write("auth/token/create", policies=[unique]).ok(200).auth
    client = server.client(auth["client_token"])
    assert client.read(f"{kv}/a").status == 200
    root.write(f"sys/policies/acl/{unique}", policy=f'path "{kv}/a" {{ capabilities = ["deny"] }}').ok(204)
    assert client.read(f"{kv}/a").status == 403
    root.delete(f"sys/policies/acl/{unique}").ok(204)
    assert client.read(f"{kv}/a").status == 403


def test_policies_are_written_read_listed_and_deleted(root, unique):
    text = 'path "a" { capabilities = ["read"] } # a comment that is kept\n'
    root.write(f"sys/policies/acl/{unique}", policy=text).ok(204)
    assert root.read(f"sys/policies/acl/{unique}").ok(200).data["policy"] == text
    assert root.read(f"sys/policy/{unique}").ok(200).data["rules"] == text
    assert {unique, "root", "default"} <= set(root.list("sys/policies/acl").ok(200).data["keys"])
    assert unique in root.read("sys/policy").ok(200).json["policies"]
    root.delete(f"sys/policies/acl/{unique}").ok(204)
    assert root.read(f"sys/policies/acl/{unique}").status == 404


def test_names_are_lowered(root, unique):
    root.write(f"sys/policies/acl/{unique.upper()}", policy='path "a" { capabilities = ["read"] }').ok(200, 204)
    assert root.read(f"sys/policies/acl/{unique}").status == 200


@pytest.mark.parametrize("policy", [
    'path "a" { capabilities = ["fly"] }',
    'path "a" { capabilities = ["read" }',
    'path "a" { colour = "red" }',
    'path "a/+*" { capabilities = ["read"] }',
    'road "a" { capabilities = ["read"] }',
    pytest.param('{"path": {"a": {"capabilities": ["read"]}', marks=pytest.mark.coffer_only),  # OpenBao takes it
    "path",
])
def test_a_policy_that_is_none_is_refused(root, unique, policy):
    root.write(f"sys/policies/acl/{unique}", policy=policy).refused(400, "ailed to parse policy")
    assert root.read(f"sys/policies/acl/{unique}").status == 404


def test_the_built_in_policies_cannot_be_lost(root):
    root.write("sys/policies/acl/root", policy='path "a" { capabilities = ["read"] }').refused(400, 'cannot update "root" policy')
    root.delete("sys/policies/acl/root").refused(400, 'cannot delete "root" policy')
    root.delete("sys/policies/acl/default").refused(400, "cannot delete default policy")


def test_capabilities_are_told(server, root, policy_token, kv):
    client = policy_token(f'path "{kv}/a" {{ capabilities = ["read", "update"] }} path "{kv}/b" {{ capabilities = ["deny"] }} '
                          'path "sys/capabilities-self" { capabilities = ["update"] }')
    told = client.write("sys/capabilities-self", paths=[f"{kv}/a", f"{kv}/b", f"{kv}/c"]).ok(200).data
    assert (sorted(told[f"{kv}/a"]), told[f"{kv}/b"], told[f"{kv}/c"]) == (["read", "update"], ["deny"], ["deny"])
    told = root.write("sys/capabilities", token=client.token, paths=[f"{kv}/a"]).ok(200)
    assert sorted(told.data["capabilities"]) == sorted(told.json["capabilities"]) == ["read", "update"]
    assert root.write("sys/capabilities-self", paths=["x"]).data["capabilities"] == ["root"]


def test_hvac_writes_and_reads_policies(server, unique):
    client = server.hvac(server.keys.root_token)
    text = 'path "a" { capabilities = ["read"] }'
    client.sys.create_or_update_policy(unique, text)
    assert client.sys.read_policy(unique)["data"]["rules"] == text
    assert unique in client.sys.list_policies()["data"]["policies"]
    client.sys.delete_policy(unique)
