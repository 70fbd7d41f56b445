# SPDX-License-Identifier: Apache-2.0
"""Another unseal key, or another recovery key, in new shares."""
import base64
import json

import pytest

from lib.ceremony import RECOVERY, begin, give, rekey
from lib.process import wait_for
from lib.static_seal import StaticSeal, initialise

pytestmark = pytest.mark.coffer_only

OPEN = "disable_unauthed_rekey_endpoints = false"
NOT_STARTED = {"nonce": "", "started": False, "t": 0, "n": 0, "progress": 0, "pgp_fingerprints": None, "backup": False,
               "verification_required": False}


@pytest.fixture
def three(nodes):
    """A server whose key is in three shares, two of which unseal it."""
    node = nodes.node()
    node.start()
    return node.ready(3, 2)


@pytest.fixture
def automatic(nodes, tmp_path):
    """A server that unseals itself; three recovery keys, two of which count."""
    node = nodes.node(config_extra=StaticSeal(tmp_path / "keys", "k1").stanza())
    node.start()
    initialise(node, 3, 2)
    node.wait_active()
    return node


def status(node, path="sys/rekey/init"):
    return node.root.read(path).ok(200).json


def opens_with(node, shares):
    """Seals the node and tries."""
    node.root.write("sys/seal").ok(204)
    answers = [node.api("PUT", "sys/unseal", key=share) for share in shares]
    is_open = answers[-1].status == 200 and answers[-1].json["sealed"] is False
    if is_open:
        node.wait_active()
    return is_open


# ---- The unseal key ----

@pytest.mark.cve("N-127", "N-128")
def test_new_shares_unseal_and_the_old_ones_do_not(three):
    old = three.keys.shares
    three.root.write("cubbyhole/a", x="1").ok()
    done = rekey(three, old[1:], secret_shares=5, secret_threshold=3)
    assert (done["complete"], done["backup"], done["verification_required"]) == (True, False, False)
    assert [base64.b64decode(key).hex() for key in done["keys_base64"]] == done["keys"]
    assert len(set(done["keys"])) == 5
    assert status(three) == {**NOT_STARTED, "required": 3}
    assert opens_with(three, done["keys"][1:4])
    assert three.status()["n"] == 5 and three.status()["t"] == 3
    assert three.root.read("cubbyhole/a").ok(200).data == {"x": "1"}
    assert not opens_with(three, [*old[:2], old[2]])
    three.api("PUT", "sys/unseal", reset=True)
    for key in done["keys_base64"][2:]:
        three.api("PUT", "sys/unseal", key=key).ok(200)
    assert three.status()["sealed"] is False


def test_the_state_is_told_as_clients_know_it(three):
    nonce = begin(three, secret_shares=5, secret_threshold=3)
    expected = {"nonce": nonce, "started": True, "t": 3, "n": 5, "progress": 0, "required": 2, "pgp_fingerprints": None,
                "backup": False, "verification_required": False}
    assert status(three) == expected
    give(three, three.keys.shares[:1], nonce)
    assert status(three) == {**expected, "progress": 1}
    three.root.delete("sys/rekey/init").ok(204)
    assert status(three) == {**NOT_STARTED, "required": 2}
    three.root.delete("sys/rekey/init").ok(204)


def test_one_share_is_the_key_itself(three):
    done = rekey(three, three.keys.shares[:2], secret_shares=1, secret_threshold=1)
    assert len(bytes.fromhex(done["keys"][0])) == 32
    assert opens_with(three, done["keys"])


@pytest.mark.parametrize("options, sentence", [
    ({"secret_shares": 3, "secret_threshold": 1}, "threshold must be greater than one for multiple shares"),
    ({"secret_shares": 3, "secret_threshold": 5}, "threshold cannot be larger than shares"),
    ({"secret_shares": 0, "secret_threshold": 0}, "shares must be at least one"),
    ({"secret_shares": 256, "secret_threshold": 3}, "shares must be less than 256"),
    ({"secret_shares": 3, "secret_threshold": 2, "backup": True}, "cannot request a backup of the new keys without"),
    ({"secret_shares": 1, "secret_threshold": 1, "pgp_keys": ["x"]}, "error decoding given PGP key"),
])
def test_what_makes_no_sense_does_not_begin(three, options, sentence):
    three.root.write("sys/rekey/init", **options).refused(400, sentence)
    assert status(three)["started"] is False


def test_mistakes_are_refused_in_words_that_clients_know(three):
    root, (share, *_) = three.root, three.keys.shares
    root.write("sys/rekey/update", key=share, nonce="x").refused(400, "no barrier rekey in progress")
    root.read("sys/rekey/verify").refused(400, "no rekey configuration found")
    root.write("sys/rekey/verify", key=share, nonce="x").refused(400, "no rekey in progress")
    nonce = begin(three, secret_shares=3, secret_threshold=2)
    root.write("sys/rekey/init", secret_shares=3, secret_threshold=2).refused(400, "rekey already in progress")
    root.write("sys/rekey/update", nonce=nonce).refused(400, "'key' must be specified in request body as JSON")
    root.write("sys/rekey/update", key="z!", nonce=nonce).refused(400, "'key' must be a valid hex or base64 string")
    root.write("sys/rekey/update", key=share, nonce="x").refused(
        400, f'incorrect nonce supplied; nonce for this rekey operation is "{nonce}"')
    root.write("sys/rekey/verify", key=share, nonce=nonce).refused(400, "no rekey verification in progress")
    give(three, [share], nonce)
    root.write("sys/rekey/update", key=share, nonce=nonce).refused(400, "given key has already been provided")
    assert status(three)["progress"] == 1
    root.delete("sys/rekey/init", nonce="another").refused(400, "the nonce is not that of the rekey in progress")
    root.delete("sys/rekey/init", nonce=nonce).ok(204)


@pytest.mark.cve("N-129")
def test_a_wrong_share_starts_the_count_again_and_changes_nothing(three):
    nonce = begin(three, secret_shares=3, secret_threshold=2)
    give(three, three.keys.shares[:1], nonce)
    wrong = base64.b64encode(bytes(range(33))).decode()
    three.root.write("sys/rekey/update", key=wrong, nonce=nonce).refused(400, "unseal key verification failed")
    assert status(three)["progress"] == 0
    done = give(three, three.keys.shares[:2], nonce)
    assert opens_with(three, done["keys"][:2])


def test_a_seal_ends_a_rekey_and_the_old_shares_stay(three):
    nonce = begin(three, secret_shares=3, secret_threshold=2)
    give(three, three.keys.shares[:1], nonce)
    assert opens_with(three, three.keys.shares[:2])
    assert status(three)["started"] is False
    three.root.write("sys/rekey/update", key=three.keys.shares[0], nonce=nonce).refused(400, "no barrier rekey in progress")


# ---- Verification ----

def test_new_shares_that_must_be_verified_are_in_force_only_then(three):
    old = three.keys.shares
    nonce = begin(three, secret_shares=3, secret_threshold=2, require_verification=True)
    told = give(three, old[:2], nonce)
    assert told["complete"] is told["verification_required"] is True
    first = told["verification_nonce"]
    assert status(three)["verification_nonce"] == first
    assert status(three, "sys/rekey/verify") == {"nonce": first, "started": True, "t": 2, "n": 3, "progress": 0}
    three.root.write("sys/rekey/update", key=old[0], nonce=nonce).refused(400, "verification must be performed")

    three.root.write("sys/rekey/verify", key=told["keys"][0], nonce="x").refused(400, "for this verify operation")
    assert give(three, told["keys"][:1], first, "sys/rekey/verify")["progress"] == 1
    three.root.write("sys/rekey/verify", key=told["keys"][0], nonce=first).refused(400, "already been provided during")
    three.root.write("sys/rekey/verify", key=old[0], nonce=first).refused(400, "rekey verification failed; incorrect key")

    again = three.root.delete("sys/rekey/verify").ok(200).json
    assert again["nonce"] != first and again["progress"] == 0
    done = give(three, told["keys_base64"][1:], again["nonce"], "sys/rekey/verify")
    assert done == {"nonce": again["nonce"], "complete": True}
    assert opens_with(three, told["keys"][:2])


@pytest.mark.cve("N-127")
def test_unverified_shares_are_worth_nothing_after_a_seal(three):
    nonce = begin(three, secret_shares=3, secret_threshold=2, require_verification=True)
    told = give(three, three.keys.shares[:2], nonce)
    assert opens_with(three, three.keys.shares[:2])
    assert not opens_with(three, told["keys"][:2])


# ---- An automatic seal ----

def test_the_recovery_key_gets_new_shares(automatic):
    old = automatic.keys.shares
    done = rekey(automatic, old[:2], RECOVERY, secret_shares=5, secret_threshold=3)
    assert len(done["keys"]) == 5
    assert (automatic.status()["n"], automatic.status()["t"]) == (5, 3)
    nonce = begin(automatic, RECOVERY, secret_shares=1, secret_threshold=1)
    path = f"{RECOVERY}/update"
    give(automatic, old[:2], nonce, path)
    automatic.root.write(path, key=old[2], nonce=nonce).refused(400, "recovery key verification failed")
    give(automatic, done["keys"][:3], nonce, path)
    automatic.restart()
    wait_for("it unseals itself", lambda: automatic.status()["sealed"] is False)


def test_the_recovery_key_can_be_verified_too(automatic):
    told = rekey(automatic, automatic.keys.shares[:2], RECOVERY, secret_shares=2, secret_threshold=2,
                 require_verification=True)
    assert automatic.status()["n"] == 3
    give(automatic, told["keys"], told["verification_nonce"], f"{RECOVERY}/verify")
    assert automatic.status()["n"] == 2


def test_the_unseal_key_of_an_automatic_seal_is_made_anew_and_told_to_nobody(automatic):
    before = automatic.status()
    done = rekey(automatic, automatic.keys.shares[:2], secret_shares=5, secret_threshold=3)
    assert done["complete"] is True and done["keys"] == done["keys_base64"] == []
    assert automatic.status() == before
    automatic.root.write("sys/rekey/init", require_verification=True).refused(400, "requiring verification not supported")
    automatic.restart()
    wait_for("it unseals itself", lambda: automatic.status()["sealed"] is False)


def test_people_have_no_recovery_keys_to_replace(three):
    three.root.read(f"{RECOVERY}/init").refused(400, "recovery rekeying not supported")
    three.root.write(f"{RECOVERY}/init", secret_shares=3, secret_threshold=2).refused(400, "recovery rekeying not supported")
    three.root.read(f"{RECOVERY}/verify").refused(400, "recovery rekeying not supported")


# ---- Who may ----

@pytest.mark.cve("N-104")
def test_nobody_is_let_in_without_a_token_unless_the_listener_says_so(nodes):
    closed, opened = nodes.node(), nodes.node(listener_extra=OPEN)
    for node in closed, opened:
        node.start()
        node.ready(2, 2)
    for method, path in ("GET", "init"), ("PUT", "init"), ("DELETE", "init"), ("PUT", "update"), ("GET", "verify"):
        closed.api(method, f"sys/rekey/{path}", secret_shares=1, secret_threshold=1).refused(403, "permission denied")
    nonce = opened.api("PUT", "sys/rekey/init", secret_shares=1, secret_threshold=1).ok(200).json["nonce"]
    opened.api("GET", "sys/rekey/init").ok(200)
    opened.api("PUT", "sys/rekey/update", key=opened.keys.shares[0], nonce=nonce).ok(200)
    opened.api("DELETE", "sys/rekey/init").ok(204)
    opened.api("PUT", "sys/generate-root/attempt").refused(403, "permission denied")


def test_a_token_must_be_allowed_to(three):
    three.root.write("sys/policies/acl/status", policy='path "sys/rekey/init" { capabilities = ["read"] }').ok(204)
    token = three.root.write("auth/token/create", policies=["status"]).ok(200).auth["client_token"]
    three.client(token).read("sys/rekey/init").ok(200)
    three.client(token).write("sys/rekey/init", secret_shares=1, secret_threshold=1).refused(403)
    three.client(token).delete("sys/rekey/init").refused(403)


def test_openbaos_paths_tell_the_same_in_an_envelope(three):
    nonce = three.root.write("sys/rotate/root/init", secret_shares=1, secret_threshold=1).ok(200).data["nonce"]
    three.root.write("sys/rotate/root/update", key=three.keys.shares[0], nonce=nonce).ok(200)
    assert three.root.read("sys/rotate/root/init").ok(200).data["progress"] == status(three)["progress"] == 1
    three.root.read("sys/rotate/recovery/init").refused(400, "recovery rekeying not supported")
    done = three.root.write("sys/rotate/root/update", key=three.keys.shares[1], nonce=nonce).ok(200).data
    assert opens_with(three, done["keys"])


def test_there_is_no_backup(three):
    for path in "sys/rekey/backup", "sys/rekey/recovery-key-backup":
        three.root.read(path).refused(400, "no backed-up keys found")
        three.root.delete(path).ok(204)
        three.api("GET", path).refused(403, "permission denied")


@pytest.mark.cve("N-094")
def test_shares_are_in_no_audit_log_and_no_server_log(three):
    three.enable_audit()
    done = rekey(three, three.keys.shares[:2], secret_shares=3, secret_threshold=2)
    written = three.audit_file.read_text() + three.process.text()
    assert "sys/rekey/update" in written
    for share in [*done["keys"], *done["keys_base64"], *three.keys.shares]:
        assert share not in written


# ---- Clients ----

def test_hvac_rekeys_and_verifies(three):
    client = three.hvac(three.keys.root_token)
    nonce = client.sys.start_rekey(secret_shares=3, secret_threshold=2, require_verification=True)["nonce"]
    assert client.sys.read_rekey_progress()["started"] is True
    told = client.sys.rekey_multi(three.keys.shares[:2], nonce=nonce)
    assert client.sys.rekey_verify_multi(told["keys"][:2], told["verification_nonce"])["complete"] is True
    assert opens_with(three, told["keys"][:2])


def test_the_command_line_rekeys_and_verifies(three):
    def coffer(*args, code=0, **options):
        done = three.cli("operator", "rekey", *args, token=three.keys.root_token, **options)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert "No rekey is in progress" in coffer(three.keys.shares[0], code=1)
    assert "New Shares" in coffer("-init", "-verify", "-n", "3", "-t", "2")
    assert "Missing nonce value" in coffer(three.keys.shares[0], code=1)
    nonce = status(three)["nonce"]
    assert "1/2" in coffer(f"-nonce={nonce}", three.keys.shares[0])
    text = coffer(f"-nonce={nonce}", "-", stdin=three.keys.shares[1] + "\n")
    new = [line.split(": ")[1] for line in text.splitlines() if line.startswith("Key ") and ": " in line]
    assert len(new) == 3 and "Verification Progress" in text
    nonce = status(three)["verification_nonce"]
    assert "1/2" in coffer("-verify", f"-nonce={nonce}", new[0])
    assert "Verification Nonce" in coffer("-verify", "-status")
    assert "keys are now active" in coffer("-verify", f"-nonce={nonce}", new[2])
    assert opens_with(three, new[:2])
    coffer("-init", "-format=json", "-key-shares=1", "-key-threshold=1")
    assert "Canceled rekeying" in coffer("-cancel")
    assert "false" in coffer("-status")
    assert "no backed-up keys found" in coffer("-backup-retrieve", code=2)
    assert "Success" in coffer("-backup-delete")
    assert "recovery rekeying not supported" in coffer("-status", "-target=recovery", code=2)
    assert "Unknown target: x" in coffer("-status", "-target=x", code=1)
    assert "The PGP key cannot be read" in coffer("-init", "-n=1", "-t=1", "-pgp-keys=key.asc", code=1)


def test_keys_are_what_the_answer_says_when_it_is_read_by_a_program(three):
    done = three.cli("operator", "rekey", "-init", "-format=json", "-n=1", "-t=1", token=three.keys.root_token)
    nonce = json.loads(done.stdout)["nonce"]
    for share in three.keys.shares[:2]:
        done = three.cli("operator", "rekey", "-format=json", f"-nonce={nonce}", share, token=three.keys.root_token)
    assert opens_with(three, json.loads(done.stdout)["keys"])
