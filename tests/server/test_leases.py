# SPDX-License-Identifier: Apache-2.0
"""sys/leases without an engine that makes leases: tokens are leases too. What the aws engine adds: test_aws.py."""
import pytest

from lib.process import wait_for

pytestmark = pytest.mark.quick


@pytest.fixture
def login(server, root, unique):
    """login() is a client whose token is a lease below auth/<unique>/login/bob."""
    root.write(f"sys/auth/{unique}", type="userpass").ok(204)
    root.write(f"auth/{unique}/users/bob", password="p", token_ttl="1h", token_policies="root-like").ok(204)
    return lambda: server.client(server.client().write(f"auth/{unique}/login/bob", password="p").ok(200)
                                 .auth["client_token"])


def is_alive(client):
    return client.read("auth/token/lookup-self").status == 200


def test_tokens_are_listed_below_the_path_that_made_them(root, unique, login):
    login()
    assert root.list(f"sys/leases/lookup/auth/{unique}/login").ok(200).data["keys"] == ["bob/"]
    assert len(root.list(f"sys/leases/lookup/auth/{unique}/login/bob").ok(200).data["keys"]) == 1


def test_a_lease_says_when_it_ends(root, unique, login):
    login()
    name = root.list(f"sys/leases/lookup/auth/{unique}/login/bob").data["keys"][0]
    lease = root.write("sys/leases/lookup", lease_id=f"auth/{unique}/login/bob/{name}").ok(200).data
    assert lease["id"].endswith(name) and 3590 <= lease["ttl"] <= 3600
    assert lease["issue_time"] < lease["expire_time"] and lease["last_renewal"] is None


def test_what_is_no_lease_is_refused(root):
    root.write("sys/leases/lookup", lease_id="no/such/lease").refused(400, "invalid lease")
    root.write("sys/leases/renew", lease_id="no/such/lease").refused(400, "lease not found")
    root.write("sys/leases/lookup").refused(400, "lease_id must be specified")
    root.write("sys/leases/revoke", lease_id="no/such/lease").ok(204)


@pytest.mark.cve("N-058")
def test_all_below_a_prefix_is_revoked(root, unique, login):
    clients = [login() for _ in range(5)]
    root.write(f"sys/leases/revoke-prefix/auth/{unique}", sync=True).ok(204)
    for client in clients:
        wait_for("the token is dead", lambda client=client: not is_alive(client), timeout=3)
    assert root.list(f"sys/leases/lookup/auth/{unique}/login/bob").status == 404


@pytest.mark.cve("N-058")
def test_a_prefix_does_not_reach_its_neighbours(server, root, unique, login):
    root.write(f"sys/auth/{unique}x", type="userpass").ok(204)
    root.write(f"auth/{unique}x/users/bob", password="p").ok(204)
    neighbour = server.client(server.client().write(f"auth/{unique}x/login/bob", password="p").ok(200).auth["client_token"])
    own = login()
    root.write(f"sys/leases/revoke-prefix/auth/{unique}", sync=True).ok(204)
    wait_for("the token is dead", lambda: not is_alive(own), timeout=3)
    assert is_alive(neighbour)


def test_a_prefix_needs_sudo(policy_token, unique):
    client = policy_token('path "sys/leases/*" { capabilities = ["update", "list"] }')
    client.write(f"sys/leases/revoke-prefix/auth/{unique}").refused(403)
    client.write(f"sys/leases/revoke-force/auth/{unique}").refused(403)
    client.list("sys/leases/lookup/auth").refused(403)


def test_revoking_may_be_only_queued(root, unique, login):
    client = login()
    assert root.write(f"sys/leases/revoke-prefix/auth/{unique}", sync=False).status == 202
    wait_for("the token is dead", lambda: not is_alive(client), timeout=5)


def test_service_tokens_are_counted_and_batch_tokens_are_not(root):
    def count():
        return root.read("sys/internal/counters/tokens").ok(200).data["counters"]["service_tokens"]["total"]
    before = count()
    made = [root.write("auth/token/create", ttl="1h").ok(200).auth["client_token"] for _ in range(3)]
    root.write("auth/token/create", ttl="1h", type="batch", policies=["default"]).ok(200)
    assert count() == before + 3
    root.write("auth/token/revoke", token=made[0]).ok(204)
    assert count() == before + 2
