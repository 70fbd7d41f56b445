# SPDX-License-Identifier: Apache-2.0
"""After a restore: what had ended is held until the operator has chosen."""
import json
import time

import pytest

from lib.process import wait_for

pytestmark = pytest.mark.coffer_only

RAW = {"Content-Type": "application/octet-stream"}
EC2_ONLY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}
TTL = 3


def users(moto):
    return {user["UserName"] for user in moto.iam.list_users()["Users"] if user["UserName"].startswith("vault-")}


@pytest.fixture
def restored(node, moto):
    """A lease of a few seconds, and one that hangs on a token of a few seconds, in a snapshot restored after both."""
    node.ready()
    root = node.root
    root.write("sys/mounts/aws", type="aws").ok(204)
    root.write("aws/config/root", **moto.root_config()).ok(204)
    root.write("aws/config/lease", lease="1h", lease_max="2h").ok(204)
    root.write("aws/roles/r", credential_type="iam_user", policy_document=json.dumps(EC2_ONLY)).ok(204)
    root.write("sys/policies/acl/aws", policy='path "aws/*" { capabilities = ["read"] }').ok(204)
    token = root.write("auth/token/create", policies=["aws"], ttl="1h").ok(200).auth["client_token"]
    node.short = root.write("auth/token/create", policies=["aws"], ttl=f"{TTL}s").ok(200).auth["client_token"]
    node.of_token = node.client(node.short).read("aws/creds/r").ok(200).lease_id
    root.write("aws/config/lease", lease=f"{TTL}s", lease_max="2h").ok(204)
    node.lease = node.client(token).read("aws/creds/r").ok(200).lease_id
    root.write("aws/config/lease", lease="1h", lease_max="2h").ok(204)
    snapshot = root.read("sys/storage/raft/snapshot").ok(200).raw
    # In the state that goes on they live; the restored one does not know of it.
    root.write("sys/leases/renew", lease_id=node.lease, increment=3600).ok(200)
    time.sleep(TTL + 1.1)
    node.renewed = users(moto)
    assert root.request("POST", "sys/storage/raft/snapshot", raw=snapshot, headers=RAW).status == 204
    return node


def held(node):
    return {lease["lease_id"]: lease for lease in
            node.root.read("sys/storage/raft/quarantine").ok(200).data["leases"]}


def test_leases_that_had_ended_are_listed_and_not_revoked(restored, moto):
    before = users(moto)
    assert restored.lease in held(restored)
    assert restored.root.read("sys/health").json["quarantine"] is True
    assert restored.root.read("sys/seal-status").json["quarantine"] is True
    assert "Quarantine" in restored.cli("status").stdout
    time.sleep(2)
    assert users(moto) == before
    restored.restart()
    restored.unseal()
    restored.wait_active()
    time.sleep(1)
    assert users(moto) == before and restored.lease in held(restored)
    assert restored.client(restored.short).read("aws/creds/r").status == 403, "the token has ended all the same"


def test_revoke_ends_the_quarantine_and_the_leases(restored, moto):
    assert len(users(moto)) >= 1
    done = restored.cli("operator", "raft", "quarantine", "revoke", token=restored.keys.root_token)
    assert done.returncode == 0, done.stderr
    wait_for("the users are gone", lambda: not users(moto))
    assert restored.root.read("sys/storage/raft/quarantine").status == 404
    assert "quarantine" not in restored.root.read("sys/health").json
    assert "quarantine" not in restored.root.read("sys/seal-status").json


def test_extend_ends_the_quarantine_and_keeps_the_leases(restored, moto):
    before = users(moto)
    done = restored.cli("operator", "raft", "quarantine", "extend", "-ttl=1h", token=restored.keys.root_token)
    assert done.returncode == 0, done.stderr
    assert restored.root.read("sys/storage/raft/quarantine").status == 404
    time.sleep(2)
    assert users(moto) == before
    ttl = restored.root.write("sys/leases/lookup", lease_id=restored.lease).ok(200).data["ttl"]
    assert 3500 < ttl <= 3600


def test_what_ends_later_or_is_revoked_by_name_is_not_held(restored, moto):
    answer = restored.root.read("aws/creds/r").ok(200)
    assert answer.lease_id not in held(restored)
    before = users(moto)
    restored.root.write("sys/leases/revoke", lease_id=answer.lease_id, sync=False).ok(200, 202, 204)
    wait_for("its user is gone", lambda: len(users(moto)) == len(before) - 1)
    restored.root.write("sys/leases/revoke", lease_id=restored.lease, sync=False).ok(200, 202, 204)
    wait_for("its user is gone too", lambda: len(users(moto)) == len(before) - 2)


def test_the_quarantine_needs_sudo(restored):
    token = restored.root.write("auth/token/create", policies=["default"]).ok(200).auth["client_token"]
    assert restored.client(token).read("sys/storage/raft/quarantine").status == 403
    assert restored.client(token).write("sys/storage/raft/quarantine/revoke").status == 403
