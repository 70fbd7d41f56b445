# SPDX-License-Identifier: Apache-2.0
"""The AWS engine against a local AWS that verifies signatures and enforces policies."""
import concurrent.futures
import json
import time

import pytest

from lib.process import wait_for

from server.aws_faults import FaultyAws

EC2_ONLY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["ec2:*"], "Resource": ["*"]}]}
ANY_POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}]}
DEAD = "AuthFailure"  # how EC2 calls a key that IAM does not know
TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}


class Mount:
    """The engine at a path of its own, pointed at the local AWS."""

    def __init__(self, root, moto, path, url=None):
        self.root, self.moto, self.path = root, moto, path
        root.write(f"sys/mounts/{path}", type="aws").ok(204)
        self.configure(url or moto.url)

    def configure(self, url, **more):
        self.root.write(f"{self.path}/config/root", **{**self.moto.root_config(), "iam_endpoint": url,
                                                        "sts_endpoint": url, **more}).ok(204)

    def lease_times(self, lease, lease_max="1h"):
        self.root.write(f"{self.path}/config/lease", lease=lease, lease_max=lease_max).ok(204)

    def role(self, name="r", **fields):
        fields = fields or {"credential_type": "iam_user", "policy_document": json.dumps(EC2_ONLY)}
        return self.root.write(f"{self.path}/roles/{name}", **fields)

    def creds(self, name="r", **fields):
        return self.root.write(f"{self.path}/creds/{name}", **fields) if fields else \
            self.root.read(f"{self.path}/creds/{name}")

    def ec2(self, answer):
        """Whether what was handed out lets its owner call EC2."""
        return self.moto.may(self._client("ec2", answer).describe_instances)

    def s3(self, answer):
        return self.moto.may(self._client("s3", answer).list_buckets)

    def _client(self, service, answer):
        data = answer.data
        return self.moto.client(service, data["access_key"], data["secret_key"], data["security_token"])

    def leases(self, name="r"):
        return (self.root.list(f"sys/leases/lookup/{self.path}/creds/{name}").data or {}).get("keys", [])

    def is_leased(self, lease_id):
        return self.root.write("sys/leases/lookup", lease_id=lease_id).status == 200

    def wait_gone(self, timeout=10):
        wait_for("no IAM user is left", lambda: not self.moto.users(), timeout)


@pytest.fixture
def aws(root, moto, unique):
    return Mount(root, moto, unique)


@pytest.fixture
def faults(moto):
    made = FaultyAws(moto)
    yield made
    made.stop()


@pytest.fixture
def faulty(root, moto, unique, faults):
    """The engine behind a bad network."""
    made = Mount(root, moto, unique, faults.url)
    made.role().ok(204)
    return made


# ---- Configuration ----

def test_the_secret_key_is_never_returned(root, aws):
    data = root.read(f"{aws.path}/config/root").ok(200).data
    assert data["access_key"] == aws.moto.access_key and data["region"] == "us-east-1"
    assert "secret_key" not in data and aws.moto.secret_key not in json.dumps(data)
    assert data["max_retries"] == -1 and "random 20" in data["username_template"]


@pytest.mark.parametrize("field, value, why", [
    ("iam_endpoint", "file:///etc/passwd", "iam_endpoint must be"),
    ("sts_endpoint", "https://a@b/", "sts_endpoint must be"),
    ("region", "us-east-1/../x", "region"),
    ("username_template", "{{ .Nothing }}", "unknown field"),
    ("username_template", "always-the-same", "random"),
    ("max_retries", "many", "max_retries"),
])
def test_a_wrong_configuration_is_refused_with_the_reason(root, aws, field, value, why):
    config = {**aws.moto.root_config(), field: value}
    root.write(f"{aws.path}/config/root", **config).refused(400, why)


def test_lease_times_are_read_back_as_written(root, aws):
    assert root.read(f"{aws.path}/config/lease").status == 404
    root.write(f"{aws.path}/config/lease", lease="30m").refused(400, "'lease_max' is a required parameter")
    root.write(f"{aws.path}/config/lease", lease="2h", lease_max="1h").refused(400, "longer than lease_max")
    aws.lease_times("30m", "1h")
    assert root.read(f"{aws.path}/config/lease").data == {"lease": "30m0s", "lease_max": "1h0m0s"}


def test_without_configuration_the_error_says_what_to_do(root, unique):
    root.write(f"sys/mounts/{unique}", type="aws").ok(204)
    root.write(f"{unique}/roles/r", credential_type="iam_user", policy_document=json.dumps(EC2_ONLY)).ok(204)
    root.read(f"{unique}/creds/r").refused(400, "config/root")


# ---- Roles ----

def test_a_role_is_read_back_with_its_policy_compacted(root, aws):
    aws.role(credential_type="iam_user", policy_document=json.dumps(EC2_ONLY, indent=4), iam_tags={"team": "a b"},
             iam_groups="g1,g2", user_path="/apps/").ok(204)
    data = root.read(f"{aws.path}/roles/r").ok(200).data
    assert data["policy_document"] == json.dumps(EC2_ONLY, separators=(",", ":"))
    assert data["credential_type"] == "iam_user" and data["iam_groups"] == ["g1", "g2"]
    assert data["iam_tags"] == {"team": "a b"} and data["user_path"] == "/apps/" and data["role_arns"] is None
    assert root.list(f"{aws.path}/roles").ok(200).data["keys"] == ["r"]
    root.delete(f"{aws.path}/roles/r").ok(204)
    assert root.read(f"{aws.path}/roles/r").status == 404
    assert root.list(f"{aws.path}/roles").status == 404


def test_a_role_is_changed_in_the_parts_that_are_given(root, aws):
    aws.role().ok(204)
    aws.role(user_path="/x/").ok(204)
    data = root.read(f"{aws.path}/roles/r").data
    assert data["user_path"] == "/x/" and "ec2" in data["policy_document"]


@pytest.mark.parametrize("fields, why", [
    ({}, "credential_type is required"),
    ({"credential_type": "root_user"}, "unrecognized credential_type"),
    ({"credential_type": "iam_user"}, "needs a policy"),
    ({"credential_type": "iam_user", "policy_document": "EOF"}, "policy_document is not JSON"),
    ({"credential_type": "iam_user", "policy_document": "[]"}, "not a JSON object"),
    ({"credential_type": "iam_user", "policy_document": "{}", "role_arns": "arn:aws:iam::1:role/r"}, "role_arns is only"),
    ({"credential_type": "assumed_role"}, "role_arns is required"),
    ({"credential_type": "assumed_role", "role_arns": "arn:aws:iam::1:role/r", "user_path": "/a/"}, "user_path is only"),
    ({"credential_type": "iam_user", "policy_arns": "ReadOnlyAccess"}, "no ARN of a policy"),
])
def test_what_does_not_go_together_in_a_role_is_refused(root, aws, fields, why):
    root.write(f"{aws.path}/roles/r", **{"iam_tags": {}, **fields}).refused(400, why)
    assert root.read(f"{aws.path}/roles/r").status == 404


def test_an_unknown_role_is_named(aws):
    aws.creds("nobody").refused(400, "Role 'nobody' not found")


# ---- IAM users ----

@pytest.mark.quick
def test_a_handed_out_key_can_do_what_its_role_says_and_nothing_else(aws):
    aws.role().ok(204)
    answer = aws.creds().ok(200)
    assert answer.lease_id.startswith(f"{aws.path}/creds/r/") and answer.json["renewable"] is True
    assert answer.json["lease_duration"] == 768 * 3600 and answer.data["security_token"] is None
    assert aws.ec2(answer) == "yes"
    assert aws.s3(answer) == "AccessDenied"
    assert len(aws.moto.users()) == 1 and next(iter(aws.moto.users())).startswith("vault-root-r-")


@pytest.mark.quick
def test_a_revoked_key_is_dead_and_its_user_gone(root, aws):
    aws.role().ok(204)
    answer = aws.creds().ok(200)
    root.write("sys/leases/revoke", lease_id=answer.lease_id, sync=True).ok(204)
    assert aws.ec2(answer) == DEAD
    assert aws.moto.users() == set() and not aws.is_leased(answer.lease_id)
    root.write("sys/leases/revoke", lease_id=answer.lease_id).ok(204)


@pytest.mark.cve("N-089")
def test_a_lease_ends_on_time_and_not_before(aws):
    aws.lease_times("3s")
    aws.role().ok(204)
    asked = time.monotonic()
    answer = aws.creds().ok(200)
    answered = time.monotonic()
    assert answer.json["lease_duration"] == 3
    while time.monotonic() < asked + 2.9:
        assert aws.moto.users()
        time.sleep(0.1)
    aws.wait_gone(timeout=5)
    assert time.monotonic() - answered < 7
    assert aws.ec2(answer) == DEAD
    wait_for("its lease is gone", lambda: not aws.is_leased(answer.lease_id))


@pytest.mark.cve("N-087")
def test_a_renewed_lease_lives_longer_but_not_beyond_its_max(root, aws):
    aws.lease_times("3s", "8s")
    aws.role().ok(204)
    answer = aws.creds().ok(200)
    time.sleep(1.5)
    renewed = root.write("sys/leases/renew", lease_id=answer.lease_id, increment="5s").ok(200)
    assert renewed.json["lease_duration"] == 5 and renewed.json["renewable"] is True
    time.sleep(2.5)
    assert aws.ec2(answer) == "yes"
    capped = root.write("sys/leases/renew", lease_id=answer.lease_id, increment="1h").ok(200)
    assert capped.json["lease_duration"] <= 4
    assert any("exceeded the effective max_ttl" in warning for warning in capped.warnings)
    aws.wait_gone(timeout=8)
    root.write("sys/leases/renew", lease_id=answer.lease_id).refused(400)


def test_a_lease_is_capped_by_its_mount(root, aws):
    root.write(f"sys/mounts/{aws.path}/tune", max_lease_ttl="60s").ok(204)
    aws.lease_times("2h", "3h")
    aws.role().ok(204)
    answer = aws.creds().ok(200)
    assert answer.json["lease_duration"] == 60 and "exceeded the effective max_ttl" in answer.warnings[0]


def test_a_user_gets_its_path_tags_boundary_groups_and_policies(aws, faults):
    aws.configure(faults.url)
    iam = aws.moto.iam
    iam.create_group(GroupName="readers")
    managed = [iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(ANY_POLICY))["Policy"]["Arn"]
               for name in ("m1", "m2")]
    aws.role(credential_type="iam_user", policy_arns=managed, iam_groups=["readers"], iam_tags={"team": "x y/ü"},
             user_path="/coffer/test/", permissions_boundary_arn=managed[0], policy_document=json.dumps(EC2_ONLY)).ok(204)
    answer = aws.creds().ok(200)
    name = next(iter(aws.moto.users()))
    user = iam.get_user(UserName=name)["User"]
    assert user["Path"] == "/coffer/test/"
    assert faults.forms["CreateUser"]["PermissionsBoundary"] == managed[0]  # which the local AWS does not keep
    assert user["Tags"] == [{"Key": "team", "Value": "x y/ü"}]
    attached = iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]
    assert {policy["PolicyArn"] for policy in attached} == set(managed)
    assert [group["GroupName"] for group in iam.list_groups_for_user(UserName=name)["Groups"]] == ["readers"]
    assert iam.list_user_policies(UserName=name)["PolicyNames"] == ["r"]
    aws.root.write("sys/leases/revoke", lease_id=answer.lease_id, sync=True).ok(204)
    assert aws.moto.users() == set()


def test_a_user_that_got_more_than_we_gave_is_deleted_all_the_same(aws):
    aws.role().ok(204)
    answer = aws.creds().ok(200)
    name, iam = next(iter(aws.moto.users())), aws.moto.iam
    iam.create_login_profile(UserName=name, Password="Secret-123-secret")
    iam.create_access_key(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="more", PolicyDocument=json.dumps(ANY_POLICY))
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]["SerialNumber"]
    iam.enable_mfa_device(UserName=name, SerialNumber=device, AuthenticationCode1="123456", AuthenticationCode2="654321")
    aws.root.write("sys/leases/revoke", lease_id=answer.lease_id, sync=True).ok(204)
    assert aws.moto.users() == set()


def test_a_user_that_somebody_deleted_is_no_trouble(aws):
    aws.role().ok(204)
    answer = aws.creds().ok(200)
    name, iam = next(iter(aws.moto.users())), aws.moto.iam
    iam.delete_access_key(UserName=name, AccessKeyId=answer.data["access_key"])
    iam.delete_user_policy(UserName=name, PolicyName="r")
    iam.delete_user(UserName=name)
    aws.root.write("sys/leases/revoke", lease_id=answer.lease_id, sync=True).ok(204)
    assert not aws.is_leased(answer.lease_id)


def test_the_users_of_a_revoked_token_are_gone(root, aws, policy_token):
    aws.role().ok(204)
    client = policy_token(f'path "{aws.path}/creds/*" {{ capabilities = ["read"] }}')
    for _ in range(3):
        client.read(f"{aws.path}/creds/r").ok(200)
    assert len(aws.moto.users()) == 3
    root.write("auth/token/revoke", token=client.token).ok(204)
    aws.wait_gone()
    wait_for("the leases are gone", lambda: not aws.leases())


def test_a_prefix_is_revoked_whole(root, aws):
    aws.role("a", credential_type="iam_user", policy_document=json.dumps(EC2_ONLY)).ok(204)
    aws.role("b", credential_type="iam_user", policy_document=json.dumps(EC2_ONLY)).ok(204)
    for name in ("a", "a", "a", "b"):
        aws.creds(name).ok(200)
    root.write(f"sys/leases/revoke-prefix/{aws.path}/creds/a", sync=True).ok(204)
    wait_for("one user is left", lambda: len(aws.moto.users()) == 1)
    assert len(aws.leases("b")) == 1


def test_a_disabled_mount_takes_its_users_along(root, aws):
    aws.role().ok(204)
    for _ in range(3):
        aws.creds().ok(200)
    root.delete(f"sys/mounts/{aws.path}").ok(204)
    assert aws.moto.users() == set()
    assert aws.creds().status == 404


def test_many_at_once_are_all_made_and_all_revoked(root, aws):
    aws.role().ok(204)
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: root.clone().read(f"{aws.path}/creds/r").ok(200), range(40)))
    assert len(aws.moto.users()) == 40 and len({answer.data["access_key"] for answer in answers}) == 40
    root.write(f"sys/leases/revoke-prefix/{aws.path}", sync=False).ok(202)
    aws.wait_gone(timeout=60)
    wait_for("the leases are gone", lambda: not aws.leases())


# ---- Errors of AWS ----

def test_a_policy_that_aws_refuses_is_said_so_and_leaves_nothing(aws):
    aws.role(credential_type="iam_user", policy_document='{"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}').ok(204)
    aws.creds().refused(400, "Error putting the user's policy: MalformedPolicyDocument: ")
    assert aws.moto.users() == set() and aws.leases() == []


def test_a_group_that_does_not_exist_is_said_so_and_leaves_nothing(aws):
    aws.role(credential_type="iam_user", iam_groups=["nobody"]).ok(204)
    began = time.monotonic()
    aws.creds().refused(400, "Error adding the user to a group: NoSuchEntity: ")
    assert time.monotonic() - began < 5, "a wrong group is not waited for"
    assert aws.moto.users() == set() and aws.leases() == []


def test_wrong_credentials_of_our_own_are_said_so(root, aws):
    aws.role().ok(204)
    root.write(f"{aws.path}/config/root", **{**aws.moto.root_config(), "secret_key": "x" * 40}).ok(204)
    aws.creds().refused(400, "Error creating IAM user: SignatureDoesNotMatch: ")
    root.write(f"{aws.path}/config/root", **{**aws.moto.root_config(), "access_key": "AKIA0000000000000000"}).ok(204)
    aws.creds().refused(400, "Error creating IAM user: InvalidClientTokenId: ")
    assert aws.leases() == []


def test_an_aws_that_does_not_answer_is_said_so(root, aws):
    aws.role().ok(204)
    aws.configure("http://127.0.0.1:9", max_retries=1)
    aws.creds().refused(502, "Error creating IAM user: cannot reach the AWS endpoint")
    assert aws.leases() == []


# ---- A bad network ----

def test_throttling_is_waited_out(faulty, faults):
    for action in ("CreateUser", "PutUserPolicy", "CreateAccessKey"):
        faults.on(action, "throttle", times=2)
    answer = faulty.creds().ok(200)
    assert faulty.ec2(answer) == "yes" and faults.count("CreateUser") == 3


def test_throttling_without_end_is_said_so(faulty, faults):
    faults.on("CreateUser", "throttle", times=100)
    faulty.creds().refused(502, "Throttling: Rate exceeded")
    assert faulty.leases() == []


@pytest.mark.cve("N-089")
@pytest.mark.parametrize("action", ["CreateUser", "PutUserPolicy", "CreateAccessKey"])
@pytest.mark.parametrize("kind", ["lose", "drop", "fail", "page"])
def test_a_lost_answer_costs_nothing_but_time(faulty, faults, action, kind):
    faults.on(action, kind)
    answer = faulty.creds().ok(200)
    assert faulty.ec2(answer) == "yes"
    users = faulty.moto.users()
    assert len(users) == 1
    keys = faulty.moto.iam.list_access_keys(UserName=users.pop())["AccessKeyMetadata"]
    assert [key["AccessKeyId"] for key in keys] == [answer.data["access_key"]], "a key that nobody knows is left"


def test_a_call_that_hangs_is_given_up_and_made_again(faulty, faults):
    faults.on("CreateUser", "hang", seconds=15)
    answer = faulty.creds().ok(200)
    assert faulty.ec2(answer) == "yes" and len(faulty.moto.users()) == 1


def test_a_user_that_is_not_visible_yet_is_waited_for(faulty, faults):
    faults.on("PutUserPolicy", "not_yet", times=3)
    faults.on("CreateAccessKey", "not_yet", times=2)
    assert faulty.ec2(faulty.creds().ok(200)) == "yes"


def test_a_user_made_after_it_was_given_up_is_removed(faulty, faults):
    """The worst of it: the call is given up on our side, and carried out later on AWS's."""
    faulty.configure(faults.url, max_retries=0)
    faults.on("CreateUser", "late", seconds=11)
    faulty.creds().refused(502, "cannot reach the AWS endpoint")
    assert len(faulty.leases()) == 1, "the intent must stay until the call is certainly over"
    wait_for("the late user appears", faulty.moto.users, timeout=10)
    faulty.root.write("sys/leases/revoke", lease_id=f"{faulty.path}/creds/r/{faulty.leases()[0]}", sync=False).ok(202)
    faulty.wait_gone()


@pytest.mark.cve("N-089")
def test_revocation_is_never_given_up(root, faulty, faults):
    answer = faulty.creds().ok(200)
    faults.is_down = True
    root.write("sys/leases/revoke", lease_id=answer.lease_id, sync=False).ok(202)
    wait_for("the failure shows", lambda: root.write("sys/leases/lookup", lease_id=answer.lease_id).data.get("revoke_error"))
    assert root.write("sys/leases/renew", lease_id=answer.lease_id).status == 400
    assert faulty.moto.users()
    faults.is_down = False
    faulty.wait_gone(timeout=60)
    wait_for("the lease is gone", lambda: not faulty.is_leased(answer.lease_id))


def test_what_cannot_be_revoked_time_and_again_is_counted_and_listed_and_tried_at_once_by_tidying(root, faulty, faults):
    def failing(path="sys/leases", **query):
        return root.read(path, type="irrevocable", **query).ok(200)
    answers = [faulty.creds().ok(200) for _ in range(3)]
    ids = sorted(answer.lease_id for answer in answers[:2])
    faults.is_down = True
    for lease_id in ids:
        for _ in range(6):
            assert root.write("sys/leases/revoke", lease_id=lease_id, sync=True).status == 400
    accessor = root.read(f"sys/mounts/{faulty.path}").data["accessor"]
    assert failing("sys/leases/count").data == {"lease_count": 2, "counts": {accessor: 2}}
    listed = failing().data
    assert listed["lease_count"] == 2 and sorted(one["lease_id"] for one in listed["leases"]) == ids
    assert {one["mount_id"] for one in listed["leases"]} == {accessor} and all(one["error"] for one in listed["leases"])
    cut = failing(limit=1)
    assert len(cut.data["leases"]) == 1 and cut.warnings
    faults.is_down = False
    root.write("sys/leases/tidy").ok(202)  # the next attempt by itself would be in a quarter of a minute at the soonest
    wait_for("both are gone", lambda: not any(map(faulty.is_leased, ids)), timeout=10)
    assert failing("sys/leases/count").data == {"lease_count": 0, "counts": {}}
    assert faulty.is_leased(answers[2].lease_id)


def test_what_is_forgotten_by_force_is_not_counted_any_more(root, faulty, faults):
    answer = faulty.creds().ok(200)
    faults.is_down = True
    for _ in range(6):
        assert root.write("sys/leases/revoke", lease_id=answer.lease_id, sync=True).status == 400
    assert root.read("sys/leases/count", type="irrevocable").data["lease_count"] == 1
    root.write(f"sys/leases/revoke-force/{faulty.path}").ok(204)
    assert root.read("sys/leases/count", type="irrevocable").data["lease_count"] == 0


def test_forced_revocation_forgets_what_cannot_be_revoked(root, faulty, faults):
    answer = faulty.creds().ok(200)
    faults.is_down = True
    root.write(f"sys/leases/revoke-force/{faulty.path}").ok(204)
    assert not faulty.is_leased(answer.lease_id) and faulty.moto.users()


@pytest.mark.cve("N-110")
def test_an_account_that_is_dead_delays_no_other(root, moto, unique, faulty, faults):
    for _ in range(12):
        faulty.creds().ok(200)
    other = Mount(root, moto, f"{unique}-other")
    other.role().ok(204)
    mine = other.creds().ok(200)
    faults.on("*", "hang", times=10000, seconds=30)
    root.write(f"sys/leases/revoke-prefix/{faulty.path}", sync=False).ok(202)
    time.sleep(1)
    began = time.monotonic()
    root.write("sys/leases/revoke", lease_id=mine.lease_id, sync=False).ok(202)
    wait_for("the other account's user is dead", lambda: other.ec2(mine) == DEAD, timeout=5)
    assert time.monotonic() - began < 5
    root.write(f"sys/leases/revoke-force/{faulty.path}").ok(204)


# ---- STS ----

def test_an_assumed_role_is_temporary(root, aws):
    arn = aws.moto.iam.create_role(RoleName="app", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    aws.moto.iam.put_role_policy(RoleName="app", PolicyName="p", PolicyDocument=json.dumps(EC2_ONLY))
    aws.role(credential_type="assumed_role", role_arns=arn, default_sts_ttl="20m", max_sts_ttl="30m").ok(204)
    answer = aws.root.read(f"{aws.path}/sts/r").ok(200)
    assert answer.json["renewable"] is False and 1190 <= answer.json["lease_duration"] <= 1200
    assert ":assumed-role/app/vault-" in answer.data["arn"]
    assert answer.data["security_token"] == answer.data["session_token"]
    assert aws.ec2(answer) == "yes" and aws.s3(answer) == "AccessDenied"
    longer = aws.creds(ttl="2h", role_session_name="me").ok(200)
    assert 1790 <= longer.json["lease_duration"] <= 1800 and longer.data["arn"].endswith("/app/me")
    root.write("sys/leases/renew", lease_id=answer.lease_id).refused(400, "lease is not renewable")
    root.write("sys/leases/revoke", lease_id=answer.lease_id, sync=True).ok(204)
    assert not aws.is_leased(answer.lease_id)


def test_of_several_role_arns_one_must_be_chosen(aws):
    arns = [aws.moto.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
            for name in ("one", "two")]
    aws.role(credential_type="assumed_role", role_arns=arns).ok(204)
    aws.creds().refused(400, "several role_arns")
    aws.creds(role_arn="arn:aws:iam::1:role/three").refused(400, "not among the role_arns")
    assert ":assumed-role/two/" in aws.creds(role_arn=arns[1]).ok(200).data["arn"]


def test_a_federation_token_is_temporary(aws):
    aws.role(credential_type="federation_token", policy_document=json.dumps(EC2_ONLY)).ok(204)
    answer = aws.creds(ttl="15m").ok(200)
    assert 890 <= answer.json["lease_duration"] <= 900 and "federated-user/vault-" in answer.data["arn"]
    assert answer.data["security_token"]


def test_a_session_token_is_temporary(aws):
    aws.role(credential_type="session_token").ok(204)
    answer = aws.creds().ok(200)
    assert 3590 <= answer.json["lease_duration"] <= 3600 and answer.data["security_token"]


def test_a_role_of_users_makes_no_temporary_credentials(aws):
    aws.role().ok(204)
    aws.root.read(f"{aws.path}/sts/r").refused(400, "makes IAM users")


def test_a_role_that_may_not_be_assumed_is_said_so(aws):
    aws.role(credential_type="assumed_role", role_arns="arn:aws:iam::123456789012:role/none").ok(204)
    answer = aws.root.read(f"{aws.path}/sts/r")
    assert answer.status in (200, 400)  # the local AWS lets a role be assumed that does not exist
    if answer.status == 400:
        assert "Error assuming role: " in answer.errors[0]


# ---- Rotating our own key ----

@pytest.mark.parametrize("fault", [None, ("CreateAccessKey", "throttle"), ("DeleteAccessKey", "lose"),
                                   ("DeleteAccessKey", "fail")])
def test_rotation_leaves_exactly_the_new_key(root, faulty, faults, fault):
    old = faulty.moto.access_key
    if fault:
        faults.on(*fault)
    new = root.write(f"{faulty.path}/config/rotate-root").ok(200).data["access_key"]
    assert new != old and root.read(f"{faulty.path}/config/root").data["access_key"] == new

    def keys():
        return {key["AccessKeyId"] for key in faulty.moto.iam.list_access_keys(UserName="coffer")["AccessKeyMetadata"]}
    wait_for("only the new key is left", lambda: keys() == {new})
    assert faulty.ec2(faulty.creds().ok(200)) == "yes"


def test_a_rotation_whose_answer_is_lost_keeps_the_old_key_and_leaves_no_other(root, faulty, faults):
    old = faulty.moto.access_key
    faults.on("CreateAccessKey", "lose")
    root.write(f"{faulty.path}/config/rotate-root").refused(502, "the old key stays in use")

    def keys():
        return {key["AccessKeyId"] for key in faulty.moto.iam.list_access_keys(UserName="coffer")["AccessKeyMetadata"]}
    wait_for("only the old key is left", lambda: keys() == {old})
    faulty.creds().ok(200)
