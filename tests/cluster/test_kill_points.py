# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the leader at each step of issuing and of revoking: no user without a lease, no lease forgotten.

Needs a build with failpoints. Only the first leader is armed: it dies at the named place, by its own SIGKILL.
"""
import json
import time

import pytest
import requests

from lib.process import wait_for

pytestmark = pytest.mark.coffer_only

EC2_ONLY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}
DEAD = "AuthFailure"

BEFORE_ACTIVE = ["aws.before_intent", "aws.after_intent", "aws.after_create_user", "aws.after_policy",
                 "aws.after_create_key", "aws.before_activate", "lease.before_commit_active"]
REVOKING = ["revoke.before", "revoke.after_delete_keys", "revoke.after_delete_user", "revoke.before_remove"]


class Scene:
    """Three nodes whose first leader dies at a point, and the AWS engine on them."""

    def __init__(self, nodes, moto, failpoints, lease="1h"):
        self.moto = moto
        self.cluster = nodes.cluster(0)
        self.armed = self.cluster.add_node("node1", env={"COFFER_FAILPOINTS": failpoints})
        self.cluster.add_node("node2")
        self.cluster.add_node("node3")
        self.cluster.ready()
        assert self.cluster.leader() is self.armed
        root = self.cluster.root
        root.write("sys/mounts/aws", type="aws").ok(204)
        root.write("aws/config/root", **moto.root_config()).ok(204)
        root.write("aws/config/lease", lease=lease, lease_max="2h").ok(204)
        root.write("aws/roles/r", credential_type="iam_user", policy_document=json.dumps(EC2_ONLY)).ok(204)

    def creds(self):
        return self.cluster.root.read("aws/creds/r").ok(200)

    def works(self, answer):
        data = answer.data
        return self.moto.may(self.moto.client("ec2", data["access_key"], data["secret_key"]).describe_instances)

    def leases(self):
        """The ids of all leases there are."""
        names = (self.cluster.root.list("sys/leases/lookup/aws/creds/r").data or {}).get("keys", [])
        return [f"aws/creds/r/{name}" for name in names]

    def dies_of(self, call):
        """The call is not answered, since the leader is dead; another one leads then."""
        with pytest.raises(requests.RequestException):
            call()
        wait_for("the armed leader is dead", lambda: not self.armed.process.is_running())
        self.armed.process.was_killed = True
        self.cluster.wait_leader()

    def revive(self):
        self.armed.env = {}
        self.cluster.revive(self.armed)


@pytest.mark.parametrize("point", BEFORE_ACTIVE)
def test_a_leader_that_dies_while_issuing_leaves_no_user(nodes, moto, point):
    scene = Scene(nodes, moto, f"{point}=kill@2")
    kept = scene.creds()
    scene.dies_of(scene.creds)
    began = time.monotonic()
    wait_for("one user is left", lambda: len(moto.users()) == 1, timeout=10)
    assert time.monotonic() - began < 10
    assert scene.works(kept) == "yes", "what was acknowledged must work until its end"
    assert kept.lease_id in scene.leases()
    another = scene.creds()
    assert scene.works(another) == "yes"
    for answer in (kept, another):
        scene.cluster.root.write("sys/leases/revoke", lease_id=answer.lease_id, sync=True).ok(204)
        assert scene.works(answer) == DEAD
    assert moto.users() == set()


def test_a_leader_that_dies_before_answering_leaves_a_user_under_a_lease(nodes, moto):
    scene = Scene(nodes, moto, "lease.after_commit_active=kill", lease="8s")
    scene.dies_of(scene.creds)
    assert len(moto.users()) == 1 and len(scene.leases()) == 1
    wait_for("the lease has ended, and the user with it", lambda: not moto.users(), timeout=15)
    wait_for("the lease is gone", lambda: not scene.leases())


def ask_wrapped(scene):
    return scene.cluster.root.request("GET", "aws/creds/r", headers={"X-Vault-Wrap-TTL": "5m"}).ok(200)


@pytest.mark.parametrize("point", ["aws.before_activate", "wrap.before_keep"])
def test_a_leader_that_dies_before_the_answer_is_wrapped_leaves_no_user(nodes, moto, point):
    scene = Scene(nodes, moto, f"{point}=kill@2")
    kept = ask_wrapped(scene).json["wrap_info"]
    scene.dies_of(lambda: ask_wrapped(scene))
    wait_for("one user is left", lambda: len(moto.users()) == 1, timeout=10)
    answer = scene.cluster.root.write("sys/wrapping/unwrap", token=kept["token"]).ok(200)
    assert scene.works(answer) == "yes" and answer.lease_id in scene.leases()


def test_a_leader_that_dies_with_the_answer_wrapped_leaves_a_user_under_a_lease(nodes, moto):
    scene = Scene(nodes, moto, "wrap.after_keep=kill", lease="8s")
    scene.dies_of(lambda: ask_wrapped(scene))
    assert len(moto.users()) == 1
    wait_for("the lease has ended, and the user with it", lambda: not moto.users(), timeout=15)


@pytest.mark.parametrize("point", REVOKING)
def test_a_leader_that_dies_while_revoking_is_finished_by_the_next(nodes, moto, point):
    scene = Scene(nodes, moto, f"{point}=kill")
    answer, kept = scene.creds(), scene.creds()
    try:
        scene.cluster.root.write("sys/leases/revoke", lease_id=answer.lease_id, sync=False).ok(202)
    except requests.RequestException:
        pass  # it may die before it has answered
    wait_for("the armed leader is dead", lambda: not scene.armed.process.is_running())
    scene.armed.process.was_killed = True
    scene.cluster.wait_leader()
    wait_for("the key is dead", lambda: scene.works(answer) == DEAD, timeout=10)
    wait_for("the lease is gone", lambda: scene.leases() == [kept.lease_id], timeout=10)
    assert len(moto.users()) == 1 and scene.works(kept) == "yes"


@pytest.mark.parametrize("point", REVOKING)
def test_an_expired_lease_is_finished_by_the_next_leader(nodes, moto, point):
    scene = Scene(nodes, moto, f"{point}=kill", lease="3s")
    answer = scene.creds()
    ends = time.monotonic() + 3
    wait_for("the armed leader is dead", lambda: not scene.armed.process.is_running(), timeout=15)
    scene.armed.process.was_killed = True
    assert time.monotonic() >= ends - 0.2, "revoked before its end"
    wait_for("the user is gone", lambda: not moto.users(), timeout=15)
    assert scene.works(answer) == DEAD
    wait_for("the lease is gone", lambda: not scene.leases())


def test_a_leader_that_dies_while_rotating_our_own_key_leaves_one_key(nodes, moto):
    scene = Scene(nodes, moto, "aws.after_create_key=kill")
    scene.dies_of(lambda: scene.cluster.root.write("aws/config/rotate-root"))

    def keys():
        found = moto.iam.list_access_keys(UserName="coffer")["AccessKeyMetadata"]
        return {key["AccessKeyId"] for key in found}
    wait_for("the key that nobody knows is gone", lambda: keys() == {moto.access_key}, timeout=15)
    assert scene.works(scene.creds()) == "yes"


def test_a_revived_leader_serves_again(nodes, moto):
    scene = Scene(nodes, moto, "aws.after_create_user=kill")
    scene.dies_of(scene.creds)
    scene.revive()
    scene.cluster.wait_voters(3)
    wait_for("no user is left", lambda: not moto.users(), timeout=10)
    assert scene.works(scene.creds()) == "yes"
