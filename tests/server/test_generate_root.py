# SPDX-License-Identifier: Apache-2.0
"""A root token on the word of those who hold the unseal keys."""
import base64
import json

import pytest

from lib.ceremony import give
from lib.static_seal import StaticSeal, initialise

pytestmark = pytest.mark.coffer_only

ATTEMPT, UPDATE = "sys/generate-root/attempt", "sys/generate-root/update"
OTP = "abcdefghijklmnopqrstuvwxyz01"
NOT_STARTED = {"nonce": "", "started": False, "progress": 0, "required": 2, "complete": False, "encoded_token": "",
               "encoded_root_token": "", "pgp_fingerprint": "", "otp": "", "otp_length": 28}


@pytest.fixture(scope="module")
def three(shared_nodes):
    """A server whose key is in three shares, two of which unseal it."""
    node = shared_nodes.node()
    node.start()
    return node.ready(3, 2)


def begin(node, **options):
    return node.root.write(ATTEMPT, **options).ok(200).json


def status(node):
    return node.root.read(ATTEMPT).ok(200).json


def decode(encoded, otp):
    mixed = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    return bytes(a ^ b for a, b in zip(mixed, otp.encode(), strict=True)).decode()


def check_is_root(node, token):
    data = node.client(token).read("auth/token/lookup-self").ok(200).data
    assert (data["policies"], data["path"], data["ttl"], data["orphan"]) == (["root"], "auth/token/root", 0, True)


def test_enough_shares_make_a_root_token(three):
    assert status(three) == NOT_STARTED
    started = begin(three)
    assert started == {**NOT_STARTED, "started": True, "nonce": started["nonce"], "otp": started["otp"]}
    assert len(started["otp"]) == 28 and started["otp"].isalnum()
    assert status(three)["otp"] == ""
    assert give(three, three.keys.shares[:1], started["nonce"], UPDATE)["progress"] == 1
    done = give(three, three.keys.shares[2:], started["nonce"], UPDATE)
    assert (done["complete"], done["progress"], done["otp"]) == (True, 2, "")
    assert done["encoded_token"] == done["encoded_root_token"] and "=" not in done["encoded_token"]
    token = decode(done["encoded_token"], started["otp"])
    check_is_root(three, token)
    assert three.api("POST", "sys/decode-token", encoded_token=done["encoded_token"],
                     otp=started["otp"]).ok(200).data == {"token": token}
    assert status(three) == NOT_STARTED


def test_each_token_is_another_one_also_with_the_same_otp(three):
    tokens = set()
    for _ in range(2):
        nonce = begin(three, otp=OTP)["nonce"]
        tokens.add(decode(give(three, three.keys.shares[:2], nonce, UPDATE)["encoded_token"], OTP))
    assert len(tokens) == 2
    for token in tokens:
        check_is_root(three, token)


def test_mistakes_are_refused_in_words_that_clients_know(three):
    root, share = three.root, three.keys.shares[0]
    root.write(UPDATE, key=share, nonce="x").refused(400, "no root generation in progress")
    root.write(ATTEMPT, otp="short").refused(400, "OTP string has incorrect length")
    root.write(ATTEMPT, pgp_key="key").refused(400, "error decoding given PGP key")
    nonce = begin(three, otp=OTP)["nonce"]
    root.write(ATTEMPT, otp=OTP).refused(400, "root generation already in progress")
    root.write(UPDATE, nonce=nonce).refused(400, "'key' must be specified in request body as JSON")
    root.write(UPDATE, key="z!", nonce=nonce).refused(400, "'key' must be a valid hex or base64 string")
    root.write(UPDATE, key="abcd", nonce=nonce).refused(400, "key is shorter than minimum 16 bytes")
    root.write(UPDATE, key=share, nonce="x").refused(
        400, f'incorrect nonce supplied; nonce for this root generation operation is "{nonce}"')
    root.write(UPDATE, key=share, nonce=nonce).ok(200)
    root.write(UPDATE, key=share, nonce=nonce).refused(400, "given key has already been provided during this generation")
    root.delete(ATTEMPT).ok(204)
    root.delete(ATTEMPT).ok(204)
    assert status(three) == NOT_STARTED


@pytest.mark.cve("N-129")
def test_wrong_shares_make_no_token(three):
    nonce = begin(three, otp=OTP)["nonce"]
    accessors = three.root.list("auth/token/accessors").ok(200).data["keys"]
    give(three, three.keys.shares[:1], nonce, UPDATE)
    wrong = base64.b64encode(bytes(range(33))).decode()
    three.root.write(UPDATE, key=wrong, nonce=nonce).refused(400, "unseal key verification failed")
    assert status(three)["progress"] == 0
    assert three.root.list("auth/token/accessors").ok(200).data["keys"] == accessors
    three.root.delete(ATTEMPT).ok(204)


def test_what_cannot_be_decoded_is_said(three):
    path = "sys/decode-token"
    three.api("POST", path).refused(400, "provided 'encoded_token' or 'otp' is empty")
    three.api("POST", path, encoded_token="ab", otp="abc").refused(400, "length of byte slices is not equivalent: 1 != 3")
    three.api("POST", path, encoded_token="!", otp="abc").refused(400, "it is no base64")
    three.api("POST", path, encoded_token="a" * 10000, otp="abc").refused(400, "it is no base64")
    three.api("POST", path, encoded_token="//8", otp="ab").refused(400, "do not belong together")


@pytest.mark.cve("N-104")
def test_it_needs_a_token_unless_the_listener_says_otherwise(three, nodes):
    for method, path in ("GET", ATTEMPT), ("PUT", ATTEMPT), ("DELETE", ATTEMPT), ("PUT", UPDATE):
        three.api(method, path).refused(403, "permission denied")
    node = nodes.node(listener_extra="disable_unauthed_generate_root_endpoints = false")
    node.start()
    node.ready()
    nonce = node.api("PUT", ATTEMPT, otp=OTP).ok(200).json["nonce"]
    done = node.api("PUT", UPDATE, key=node.keys.shares[0], nonce=nonce).ok(200).json
    check_is_root(node, decode(done["encoded_token"], OTP))
    node.api("GET", "sys/rekey/init").refused(403)


def test_openbaos_paths_tell_the_same_in_an_envelope(three):
    nonce = three.root.write("sys/generate-root-token/attempt", otp=OTP).ok(200).data["nonce"]
    for share in three.keys.shares[:2]:
        done = three.root.write("sys/generate-root-token/update", key=share, nonce=nonce).ok(200).data
    check_is_root(three, decode(done["encoded_token"], OTP))


def test_with_an_automatic_seal_the_recovery_keys_count(nodes, tmp_path):
    node = nodes.node(config_extra=StaticSeal(tmp_path / "keys", "k1").stanza())
    node.start()
    initialise(node, 2, 2)
    node.wait_active()
    nonce = begin(node, otp=OTP)["nonce"]
    check_is_root(node, decode(give(node, node.keys.shares, nonce, UPDATE)["encoded_token"], OTP))


def test_without_recovery_keys_nobody_can(nodes, tmp_path):
    node = nodes.node(config_extra=StaticSeal(tmp_path / "keys", "k1").stanza())
    node.start()
    token = node.api("PUT", "sys/init", recovery_shares=0, recovery_threshold=0).ok(200).json["root_token"]
    node.wait_active()
    root = node.client(token)
    root.write(ATTEMPT, otp=OTP).refused(400, "initialized without recovery keys")
    root.write("sys/rekey-recovery-key/init", secret_shares=1, secret_threshold=1).refused(400, "without recovery keys")


# ---- Clients ----

def test_hvac_generates_a_root_token(three):
    client = three.hvac(three.keys.root_token)
    nonce = client.sys.start_root_token_generation(otp=OTP)["nonce"]
    for share in three.keys.shares[:2]:
        done = client.sys.generate_root(key=share, nonce=nonce)
    check_is_root(three, decode(done["encoded_root_token"], OTP))
    client.sys.cancel_root_generation()


def test_the_command_line_generates_and_decodes(three):
    def coffer(*args, code=0, **options):
        done = three.cli("operator", "generate-root", *args, token=three.keys.root_token, **options)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    otp = coffer("-generate-otp").strip()
    assert len(otp) == 28 and json.loads(coffer("-generate-otp", "-format=json"))["otp_length"] == 28
    assert "No root generation is in progress" in coffer(three.keys.shares[0], code=1)
    assert "0/2" in coffer("-init", f"-otp={otp}")
    nonce = status(three)["nonce"]
    assert "Missing nonce value" in coffer(three.keys.shares[0], code=1)
    assert "1/2" in coffer(f"-nonce={nonce}", three.keys.shares[0])
    assert "1/2" in coffer("-status")
    text = coffer(f"-nonce={nonce}", "-", stdin=three.keys.shares[1])
    encoded = next(line.split()[-1] for line in text.splitlines() if line.startswith("Encoded Token"))
    check_is_root(three, coffer(f"-decode={encoded}", f"-otp={otp}").strip())
    check_is_root(three, json.loads(coffer("-decode=-", f"-otp={otp}", "-format=json", stdin=encoded + "\n"))["token"])
    assert "Missing otp" in coffer(f"-decode={encoded}", code=1)
    assert "no base64" in coffer("-decode=!", f"-otp={otp}", code=1)
    assert "shown once" in coffer("-init")
    assert "canceled" in coffer("-cancel")
