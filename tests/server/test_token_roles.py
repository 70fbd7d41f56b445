# SPDX-License-Identifier: Apache-2.0
"""Token roles: what tokens made by a role may and must be, whatever their maker may do."""
import json

import pytest

pytestmark = [pytest.mark.quick, pytest.mark.serial]

MAKER = 'path "auth/token/create/*" { capabilities = ["update"] }'


@pytest.fixture
def role(root, unique):
    """role(**settings) writes a role of this test's own and returns its name."""
    def write(**settings):
        root.write(f"auth/token/roles/{unique}", **settings).ok()
        return unique
    return write


def make(client, name, **options):
    return client.write(f"auth/token/create/{name}", **options).ok(200).auth


def lookup(root, auth):
    return root.write("auth/token/lookup", token=auth["client_token"]).ok(200).data


# ---- Roles themselves ----

def test_a_new_role_shows_the_defaults(root, role):
    name = role()
    assert root.read(f"auth/token/roles/{name}").ok(200).data == {
        "name": name, "allowed_policies": [], "disallowed_policies": [], "allowed_policies_glob": [],
        "disallowed_policies_glob": [], "allowed_entity_aliases": None, "orphan": False, "renewable": True,
        "path_suffix": "", "period": 0, "explicit_max_ttl": 0, "token_period": 0, "token_explicit_max_ttl": 0,
        "token_no_default_policy": False, "token_type": "default-service"}


def test_names_in_a_role_are_lowered_sorted_and_single(root, role):
    name = role(allowed_policies="B,a, b", disallowed_policies=["Z", "y"], allowed_policies_glob="G-*",
                allowed_entity_aliases="Bob,al*")
    seen = root.read(f"auth/token/roles/{name}").ok(200).data
    assert (seen["allowed_policies"], seen["disallowed_policies"]) == (["a", "b"], ["y", "z"])
    assert (seen["allowed_policies_glob"], seen["allowed_entity_aliases"]) == (["g-*"], ["al*", "bob"])


def test_what_is_not_given_anew_stays(root, role):
    name = role(allowed_policies="a", token_period="1h", renewable=False)
    role(orphan=True)
    seen = root.read(f"auth/token/roles/{name}").ok(200).data
    assert (seen["allowed_policies"], seen["token_period"], seen["renewable"], seen["orphan"]) == \
        (["a"], 3600, False, True)


def test_the_old_names_are_taken_and_shown_where_they_were_used(root, role):
    name = role(period=60, explicit_max_ttl="10h", bound_cidrs=["10.0.0.0/8"])
    seen = root.read(f"auth/token/roles/{name}").ok(200).data
    assert (seen["period"], seen["token_period"], seen["explicit_max_ttl"]) == (60, 60, 36000)
    assert seen["bound_cidrs"] == seen["token_bound_cidrs"] == ["10.0.0.0/8"]
    answer = root.write(f"auth/token/roles/{name}", period=60, token_period=70).ok(200)
    assert any("ignoring the deprecated value" in warning for warning in answer.warnings)
    seen = root.read(f"auth/token/roles/{name}").ok(200).data
    assert (seen["period"], seen["token_period"]) == (0, 70)


def test_roles_are_listed_and_deleted(root, role):
    name = role()
    assert name in root.list("auth/token/roles").ok(200).data["keys"]
    root.delete(f"auth/token/roles/{name}").ok(204)
    assert root.read(f"auth/token/roles/{name}").status == 404
    root.delete(f"auth/token/roles/{name}").ok(204)
    root.write(f"auth/token/create/{name}").refused(400, f"unknown role {name}")


def test_writing_a_new_role_is_create_and_an_old_one_update(policy_token, role, unique):
    creator = policy_token(f'path "auth/token/roles/{unique}" {{ capabilities = ["create"] }}')
    creator.write(f"auth/token/roles/{unique}", orphan=True).ok(204)
    creator.write(f"auth/token/roles/{unique}", orphan=True).refused(403)


@pytest.mark.parametrize("settings", [
    {"path_suffix": "../x"}, {"path_suffix": "a/../b"}, {"path_suffix": "!"}, {"token_type": "x"}, {"token_type": ""},
    {"token_bound_cidrs": "nonsense"}, {"token_num_uses": -1}, {"token_period": -1}])
def test_a_role_that_makes_no_sense_is_refused_and_not_kept(root, unique, settings):
    root.write(f"auth/token/roles/{unique}", **settings).refused(400)
    assert root.read(f"auth/token/roles/{unique}").status == 404


# ---- Which policies ----

def test_without_a_wish_a_token_has_all_that_the_role_allows(root, role):
    name = role(allowed_policies="a,b")
    assert make(root, name)["policies"] == ["a", "b", "default"]
    assert make(root, name, no_default_policy=True)["policies"] == ["a", "b"]


def test_a_role_gives_what_its_user_does_not_have(policy_token, role):
    name = role(allowed_policies="a,b")
    assert make(policy_token(MAKER), name, policies=["a"])["policies"] == ["a", "default"]


def test_what_a_role_does_not_allow_is_refused_even_to_root(root, role):
    name = role(allowed_policies="a,b", allowed_policies_glob="team-*")
    assert make(root, name, policies=["team-x"])["policies"] == ["default", "team-x"]
    for policies in (["c"], ["a", "c"], ["root"], ["xteam-1"]):
        root.write(f"auth/token/create/{name}", policies=policies).refused(
            400, "must be subset of the role's allowed policies ([\"a\" \"b\" \"default\"]) or glob policies")


def test_what_a_role_disallows_is_refused(policy_token, role):
    name = role(disallowed_policies="a,default", disallowed_policies_glob="adm*")
    maker = policy_token(MAKER)
    assert make(maker, name, policies=["b"])["policies"] == ["b"]
    for policy in ("a", "A", "default", "admin"):
        maker.write(f"auth/token/create/{name}", policies=[policy]).refused(
            400, f'token policy "{policy.lower()}" is disallowed by this role')


@pytest.mark.cve("N-044")
def test_only_root_gets_root_from_a_role(root, policy_token, role):
    name = role(allowed_policies="root,a")
    assert make(root, name)["policies"] == ["root"]
    policy_token(MAKER).write(f"auth/token/create/{name}").refused(400, "root tokens may not be created without parent")


def test_a_role_without_lists_gives_no_more_than_its_user_has(policy_token, role):
    name = role(orphan=True)
    policy_token(MAKER).write(f"auth/token/create/{name}", policies=["a"]).refused(400, "must be subset of parent")


# ---- What else ----

def test_a_token_of_a_role_says_so_and_lies_below_its_suffix(root, role):
    name = role(allowed_policies="a", path_suffix="v1.x", token_bound_cidrs="127.0.0.1,10.0.0.0/8", token_num_uses=5)
    seen = lookup(root, make(root, name))
    assert (seen["role"], seen["path"]) == (name, f"auth/token/create/{name}/v1.x")
    assert (seen["bound_cidrs"], seen["num_uses"], seen["orphan"]) == (["127.0.0.1", "10.0.0.0/8"], 5, False)


def test_tokens_of_a_suffix_are_revoked_by_it(server, root, role):
    name = role(allowed_policies="a", path_suffix="old")
    old = make(root, name)
    role(path_suffix="new")
    new = make(root, name)
    root.write(f"sys/leases/revoke-prefix/auth/token/create/{name}/old").ok(204)
    assert server.client(old["client_token"]).read("auth/token/lookup-self").status == 403
    assert server.client(new["client_token"]).read("auth/token/lookup-self").status == 200


def test_an_orphan_s_role_makes_orphans_without_sudo(server, root, policy_token, role):
    name = role(allowed_policies="a", orphan=True)
    maker = policy_token(MAKER)
    auth = make(maker, name)
    assert auth["orphan"] is True
    root.write("auth/token/revoke", token=maker.token).ok(204)
    assert server.client(auth["client_token"]).read("auth/token/lookup-self").status == 200


def test_a_token_of_a_role_works_only_from_its_addresses(server, root, role):
    auth = make(root, role(allowed_policies="a", token_bound_cidrs="10.99.0.0/16"))
    server.client(auth["client_token"]).read("auth/token/lookup-self").refused(403, "permission denied")


def test_the_lesser_number_of_uses_holds(root, role):
    name = role(allowed_policies="a", token_num_uses=5)
    assert [make(root, name, num_uses=asked)["num_uses"] for asked in (0, 2, 9)] == [5, 2, 5]


def test_the_lesser_period_and_end_hold_and_are_warned_of(root, role):
    name = role(allowed_policies="a", token_period="1h", token_explicit_max_ttl="2h")
    assert make(root, name)["lease_duration"] == 3600
    for asked, lesser in (("2h", 3600), ("2m", 120)):
        answer = root.write(f"auth/token/create/{name}", period=asked).ok(200)
        assert answer.auth["lease_duration"] == lesser
        assert any(f"using the lesser value of {lesser} seconds" in warning for warning in answer.warnings)
    answer = root.write(f"auth/token/create/{name}", explicit_max_ttl="2m").ok(200)
    assert answer.auth["lease_duration"] == 120
    assert any("Explicit max TTL specified both" in warning for warning in answer.warnings)


def test_a_period_still_needs_sudo(policy_token, role):
    name = role(allowed_policies="a")
    maker = policy_token(MAKER)
    maker.write(f"auth/token/create/{name}", period="1h").refused(400, "root or sudo privileges required")
    maker.write(f"auth/token/create/{name}", id="chosen").refused(400, "root or sudo privileges required")


def test_what_a_role_makes_not_renewable_is_not_renewed(root, role):
    auth = make(root, role(allowed_policies="a", renewable=False), renewable=True)
    assert auth["renewable"] is False
    root.write("auth/token/renew", token=auth["client_token"]).refused(400, "lease is not renewable")


def test_renewing_keeps_to_what_the_role_says_then(root, role):
    name = role(allowed_policies="a", token_period="1h")
    token = make(root, name)["client_token"]
    assert root.write("auth/token/renew", token=token).ok(200).auth["lease_duration"] == 3600
    role(token_period="2h", token_explicit_max_ttl="90m")
    answer = root.write("auth/token/renew", token=token).ok(200)
    assert 5300 < answer.auth["lease_duration"] <= 5400
    assert any("exceeded the effective max_ttl" in warning for warning in answer.warnings)


def test_without_its_role_a_token_is_not_renewed_but_lives_on(server, root, role):
    name = role(allowed_policies="a")
    token = make(root, name)["client_token"]
    root.delete(f"auth/token/roles/{name}").ok(204)
    root.write("auth/token/renew", token=token).refused(500, f'original token role "{name}" could not be found')
    assert server.client(token).read("auth/token/lookup-self").status == 200


def test_an_alias_that_the_role_does_not_list_is_refused(root, role):
    name = role(allowed_policies="a", allowed_entity_aliases="bob")
    root.write(f"auth/token/create/{name}", entity_alias="eve").refused(400, "invalid 'entity_alias' value")
    root.write("auth/token/create", entity_alias="bob").refused(400, "only allowed in combination with token role")


def test_the_command_line_makes_tokens_by_a_role(server, role):
    name = role(allowed_policies="a", token_period="1h")
    done = server.cli("token", "create", f"-role={name}", "-format=json", "-policy=a", token=server.keys.root_token)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["auth"]["policies"] == ["a", "default"] and made["auth"]["lease_duration"] == 3600


def test_hvac_writes_roles_and_makes_tokens_by_them(server, unique):
    tokens = server.hvac(server.keys.root_token).auth.token
    tokens.create_or_update_role(unique, allowed_policies="a,b", orphan=True, token_period="1h",
                                 path_suffix="team")
    assert tokens.read_role(unique)["data"]["allowed_policies"] == ["a", "b"]
    assert unique in tokens.list_roles()["data"]["keys"]
    made = tokens.create(policies=["a"], role_name=unique)["auth"]
    assert (made["orphan"], made["lease_duration"]) == (True, 3600)
    tokens.delete_role(unique)
