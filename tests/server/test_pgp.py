# SPDX-License-Identifier: Apache-2.0
"""Shares and root tokens that are told encrypted to PGP keys; GnuPG opens them."""
import base64
import json
import os
import struct
import time

import pytest

from lib.ceremony import BARRIER, RECOVERY, begin, give
from lib.node import Keys
from lib.pgp import Gpg
from lib.static_seal import StaticSeal

pytestmark = pytest.mark.coffer_only

ATTEMPT = "sys/generate-root/attempt"
NO_VALID_KEY = "because it has no valid encryption keys"


@pytest.fixture(scope="module")
def people():
    made = Gpg()
    yield made
    made.close()


@pytest.fixture(scope="module")
def ann(people):
    return people.key("ann")


@pytest.fixture(scope="module")
def bob(people):
    return people.key("bob", "rsa2048", "sign", subkey="rsa2048")


@pytest.fixture(scope="module")
def useless(people):
    """Keys that one can read and not encrypt to."""
    return {"sign only": people.key("signer", "ed25519", "sign"),
            "expired": people.key("late", "rsa2048", "sign", subkey="rsa2048", lasts="2d", subkey_lasts="2d", then=True),
            "subkey expired": people.key("half", "rsa2048", "sign", subkey="rsa2048", subkey_lasts="2d", then=True),
            "revoked": people.revoked(people.key("lost"))}


@pytest.fixture
def open_node(nodes):
    """A server whose key is in three shares, two of which unseal it."""
    made = nodes.node()
    made.start()
    return made.ready(3, 2)


@pytest.fixture
def automatic(nodes, tmp_path):
    """A server that unseals itself, not initialised."""
    made = nodes.node(config_extra=StaticSeal(tmp_path / "keys", "k1").stanza())
    made.start()
    return made


def opened(people, result, name="keys"):
    """The shares in an answer; hex and base64 hold the same messages."""
    messages = [bytes.fromhex(text) for text in result[name]]
    assert [base64.b64decode(text) for text in result[f"{name}_base64"]] == messages
    return [people.decrypt(message) for message in messages]


def opens_with(node, shares):
    node.root.write("sys/seal").ok(204)
    answers = [node.api("PUT", "sys/unseal", key=share) for share in shares]
    is_open = answers[-1].status == 200 and answers[-1].json["sealed"] is False
    if is_open:
        node.wait_active()
    return is_open


# ---- sys/init ----

def test_each_share_is_encrypted_to_the_key_in_its_place_and_unseals(people, ann, bob, node):
    result = node.api("PUT", "sys/init", secret_shares=3, secret_threshold=2,
                      pgp_keys=[ann.text, bob.text, ann.armored]).ok(200).json
    shares = opened(people, result)
    assert len(set(shares)) == 3 and all(len(share) == 66 for share in shares)
    for message, key in zip(result["keys"], [ann, bob, ann]):
        packets = people.run("--list-packets", stdin=bytes.fromhex(message)).decode()
        listing = people.run("--list-keys", "--with-colons", "--with-subkey-fingerprint", key.fingerprint).decode()
        assert packets.split("keyid ")[1].split("\n")[0].lower() in listing.lower()
    node.keys = Keys(shares, 2, result["root_token"])
    node.unseal()
    assert node.root.read("auth/token/lookup-self").ok(200).data["policies"] == ["root"]


def test_a_single_share_is_encrypted_too(people, ann, node):
    result = node.api("PUT", "sys/init", secret_shares=1, secret_threshold=1, pgp_keys=[ann.text]).ok(200).json
    node.api("PUT", "sys/unseal", key=opened(people, result)[0]).ok(200)
    assert node.status()["sealed"] is False


def test_the_first_root_token_is_encrypted_to_its_own_key(people, bob, node):
    result = node.api("PUT", "sys/init", secret_shares=1, secret_threshold=1, root_token_pgp_key=bob.text).ok(200).json
    token = people.decrypt(base64.b64decode(result["root_token"]))
    node.keys = Keys(result["keys_base64"], 1, token)
    node.unseal()
    assert node.client(token).read("auth/token/lookup-self").ok(200).data["policies"] == ["root"]
    assert token not in node.log_file.read_text()


def test_recovery_shares_are_encrypted_as_well(people, ann, bob, automatic):
    result = automatic.api("PUT", "sys/init", recovery_shares=2, recovery_threshold=2,
                           recovery_pgp_keys=[ann.text, bob.text]).ok(200).json
    assert (result["keys"], result["keys_base64"]) == ([], [])
    automatic.keys = Keys(opened(people, result, "recovery_keys"), 2, result["root_token"])
    automatic.wait_active()
    nonce = begin(automatic, RECOVERY, secret_shares=1, secret_threshold=1)
    assert give(automatic, automatic.keys.shares, nonce, f"{RECOVERY}/update")["complete"] is True


DAMAGED = "error parsing given PGP key"


@pytest.mark.parametrize("keys, text", [
    (["one"], "count mismatch between number of provided PGP keys and number of shares"),
    (["one", "one", "one"], "count mismatch between number of provided PGP keys and number of shares"),
    (["one", ""], f"invalid seal configuration: {DAMAGED}: EOF"),
    (["!!", "one"], "invalid seal configuration: error decoding given PGP key: illegal base64 data at input byte 0"),
    (["one", "keybase:ann"], "error decoding given PGP key: illegal base64 data at input byte 7"),
    (["one", base64.b64encode(os.urandom(3000)).decode()], f"invalid seal configuration: {DAMAGED}: "),
    (["one", base64.b64encode(bytes(64)).decode()], f"invalid seal configuration: {DAMAGED}: "),
    (["one", "A" * 300000], f"{DAMAGED}: it is longer than"),
    (["one", "-----BEGIN PGP PUBLIC KEY BLOCK-----"], f"{DAMAGED}: "),
    (["one", "-----BEGIN PGP MESSAGE-----\n\nwcBM\n-----END PGP MESSAGE-----\n"], f"{DAMAGED}: "),
])
def test_what_is_no_list_of_keys_is_refused_and_nothing_is_made(ann, node, keys, text):
    given = [ann.text if key == "one" else key for key in keys]
    node.api("PUT", "sys/init", secret_shares=2, secret_threshold=2, pgp_keys=given).refused(400, text)
    assert node.api("GET", "sys/init").json == {"initialized": False}
    node.api("PUT", "sys/init", secret_shares=1, secret_threshold=1, root_token_pgp_key="!").refused(400, "byte 0")
    assert node.api("GET", "sys/init").json == {"initialized": False}


def test_a_key_cut_off_anywhere_is_refused(ann, node):
    for length in range(1, len(ann.binary), 7):
        cut = base64.b64encode(ann.binary[:length]).decode()
        node.api("PUT", "sys/init", secret_shares=1, secret_threshold=1, pgp_keys=[cut]).refused(400)
    assert node.api("GET", "sys/init").json == {"initialized": False}


@pytest.mark.parametrize("kind", ["sign only", "expired", "subkey expired", "revoked"])
def test_a_key_that_nothing_can_be_encrypted_to_is_refused(useless, node, kind):
    key = useless[kind].text
    one = {"secret_shares": 1, "secret_threshold": 1}
    node.api("PUT", "sys/init", **one, pgp_keys=[key]).refused(400, NO_VALID_KEY)
    node.api("PUT", "sys/init", **one, root_token_pgp_key=key).refused(400, NO_VALID_KEY)
    assert node.api("GET", "sys/init").json == {"initialized": False}
    node.ready()
    node.root.write("sys/rekey/init", **one, pgp_keys=[key]).refused(400, NO_VALID_KEY)
    node.root.write(ATTEMPT, pgp_key=key).refused(400, NO_VALID_KEY)
    assert node.root.read("sys/rekey/init").json["started"] is False
    assert node.root.read(ATTEMPT).json["started"] is False


def test_a_private_key_given_by_mistake_is_refused(ann, node):
    secret = base64.b64encode(ann.secret).decode()
    node.api("PUT", "sys/init", secret_shares=1, secret_threshold=1, pgp_keys=[secret]).refused(400, "it is a private key")


def packet(tag, body):
    return bytes([0xc0 | tag, 255]) + struct.pack(">I", len(body)) + body


def number(bits):
    return struct.pack(">H", bits) + b"\xff" * ((bits + 7) // 8)


HEAD = b"\x04" + struct.pack(">I", 1600000000)


@pytest.mark.parametrize("key, text", [
    (packet(6, HEAD + b"\x01" + number(8200) + number(17)), "a number of 8200 bits, where 8192 are the most"),
    (packet(6, HEAD + b"\x01" + number(4096) + number(4096)), "a number of 4096 bits, where 32 are the most"),
    (packet(6, HEAD + b"\x11" + number(2048) + number(2048)), "a number of 2048 bits, where 512 are the most"),
    (packet(6, HEAD + b"\x16" + bytes(5000)), "its numbers are too large"),
    (packet(6, b"\x06" + bytes(100)), "a key of version 6"),
    (packet(6, HEAD + b"\x01" + number(2048) + number(17)) + packet(13, b"x") * 200, "more than 200 packets"),
    (packet(13, b"x"), "it is no PGP public key"),
    (packet(6, HEAD + b"\x01" + number(2048))[:-1], "it is damaged"),
])
def test_a_key_that_is_made_to_cost_much_is_refused_before_it_is_read(node, key, text):
    node.api("PUT", "sys/init", secret_shares=1, secret_threshold=1,
             pgp_keys=[base64.b64encode(key).decode()]).refused(400, f"{DAMAGED}: ")
    node.api("PUT", "sys/init", secret_shares=1, secret_threshold=1,
             root_token_pgp_key=base64.b64encode(key).decode()).refused(400, text)


# ---- Rekeying ----

def rekeyed(node, base=BARRIER, path="update", **options):
    nonce = begin(node, base, **options)
    return give(node, node.keys.shares[:2], nonce, f"{base}/{path}")


def test_new_shares_are_encrypted_and_the_keys_are_told_by_their_fingerprints(people, ann, bob, open_node):
    keys = {"pgp_keys": [ann.text, bob.text]}
    nonce = begin(open_node, secret_shares=2, secret_threshold=2, **keys)
    status = open_node.root.read("sys/rekey/init").ok(200).json
    assert (status["pgp_fingerprints"], status["backup"]) == ([ann.fingerprint, bob.fingerprint], False)
    result = give(open_node, open_node.keys.shares[:2], nonce)
    assert (result["pgp_fingerprints"], result["backup"]) == ([ann.fingerprint, bob.fingerprint], False)
    assert opens_with(open_node, opened(people, result))
    open_node.root.read("sys/rekey/backup").refused(400, "no backed-up keys found")


@pytest.mark.needs_root
def test_what_was_encrypted_is_not_in_memory_afterwards(people, ann, bob, open_node):
    result = rekeyed(open_node, secret_shares=2, secret_threshold=2, pgp_keys=[ann.text, bob.text])
    shares = opened(people, result)
    begun = open_node.root.write(ATTEMPT, pgp_key=bob.text).ok(200).json
    open_node.keys = Keys(shares, 2, open_node.keys.root_token)
    for share in shares:
        done = open_node.root.write("sys/generate-root/update", key=share, nonce=begun["nonce"]).ok(200).json
    token = people.decrypt(base64.b64decode(done["encoded_token"]))
    for _ in range(20):
        open_node.client().read("sys/health").ok(200)
    time.sleep(0.5)
    needles = [text.encode() for text in [*shares, token]] + [bytes.fromhex(share)[:-1] for share in shares]
    assert not open_node.process.find_in_memory(needles)


def test_a_backup_holds_the_messages_by_fingerprint_until_it_is_deleted(people, ann, bob, open_node):
    result = rekeyed(open_node, secret_shares=3, secret_threshold=2, pgp_keys=[ann.text, bob.text, ann.text], backup=True)
    kept = open_node.root.read("sys/rekey/backup").ok(200).json
    for backup in (kept, kept["data"]):
        assert backup["nonce"] == result["nonce"]
        assert backup["keys"] == {ann.fingerprint: result["keys"][::2], bob.fingerprint: result["keys"][1:2]}
        assert backup["keys_base64"] == {ann.fingerprint: result["keys_base64"][::2],
                                         bob.fingerprint: result["keys_base64"][1:2]}
    assert opens_with(open_node, opened(people, result)[:2])
    open_node.restart()
    open_node.unseal(Keys(opened(people, result)[1:], 2, open_node.keys.root_token))
    assert open_node.root.read("sys/rotate/root/backup").ok(200).data == kept["data"]
    open_node.root.delete("sys/rekey/backup").ok(204)
    open_node.root.read("sys/rekey/backup").refused(400, "no backed-up keys found")
    open_node.root.delete("sys/rekey/backup").ok(204)


def test_a_backup_outlives_a_rekey_that_keeps_none(people, ann, open_node):
    result = rekeyed(open_node, secret_shares=1, secret_threshold=1, pgp_keys=[ann.text], backup=True)
    kept = open_node.root.read("sys/rekey/backup").ok(200).data
    nonce = begin(open_node, secret_shares=1, secret_threshold=1)
    give(open_node, opened(people, result), nonce)
    assert open_node.root.read("sys/rekey/backup").ok(200).data == kept


def test_with_verification_the_backup_is_there_before_the_new_key_is_in_force(people, ann, open_node):
    result = rekeyed(open_node, secret_shares=2, secret_threshold=2, pgp_keys=[ann.text] * 2, backup=True,
                     require_verification=True)
    kept = open_node.root.read("sys/rekey/backup").ok(200).data
    assert kept["keys"] == {ann.fingerprint: result["keys"]}
    assert opens_with(open_node, open_node.keys.shares[1:])
    result = rekeyed(open_node, secret_shares=2, secret_threshold=2, pgp_keys=[ann.text] * 2, backup=True,
                     require_verification=True)
    new = opened(people, result)
    assert give(open_node, new, result["verification_nonce"], "sys/rekey/verify")["complete"] is True
    assert open_node.root.read("sys/rekey/backup").ok(200).data["keys"] == {ann.fingerprint: result["keys"]}
    assert opens_with(open_node, new)


def test_a_backup_can_be_read_and_deleted_with_sudo_alone(ann, open_node):
    rekeyed(open_node, secret_shares=1, secret_threshold=1, pgp_keys=[ann.text], backup=True)
    for capabilities, status in (('"read", "delete"', 403), ('"read", "delete", "sudo"', 200)):
        open_node.root.write("sys/policies/acl/p", policy=f'path "sys/rekey/backup" {{ capabilities = [{capabilities}] }}')
        token = open_node.root.write("auth/token/create", policies=["p"]).auth["client_token"]
        assert open_node.client(token).read("sys/rekey/backup").status == status
        assert open_node.client(token).delete("sys/rekey/backup").status == (204 if status == 200 else 403)
    assert open_node.client().read("sys/rekey/backup").status == 403


def test_the_backup_of_recovery_keys_is_one_of_its_own(people, ann, automatic):
    made = automatic.api("PUT", "sys/init", recovery_shares=2, recovery_threshold=2).ok(200).json
    automatic.keys = Keys(made["recovery_keys_base64"], 2, made["root_token"])
    automatic.wait_active()
    result = rekeyed(automatic, RECOVERY, secret_shares=1, secret_threshold=1, pgp_keys=[ann.text], backup=True)
    for path in ("sys/rekey/recovery-key-backup", "sys/rotate/recovery/backup"):
        assert automatic.root.read(path).ok(200).data["keys"] == {ann.fingerprint: result["keys"]}
    automatic.root.read("sys/rekey/backup").refused(400, "no backed-up keys found")
    automatic.keys = Keys(opened(people, result), 1, automatic.keys.root_token)
    one = {"secret_shares": 1, "secret_threshold": 1}
    automatic.root.write("sys/rekey/init", **one, pgp_keys=[ann.text]).refused(
        400, "PGP key encryption not supported when rekeying the barrier key with recovery keys")
    automatic.root.delete("sys/rekey/recovery-key-backup").ok(204)
    automatic.root.read("sys/rotate/recovery/backup").refused(400, "no backed-up keys found")


@pytest.mark.parametrize("options, text", [
    ({"pgp_keys": ["one"]}, "incorrect number of PGP keys for rekey"),
    ({"pgp_keys": ["one", "?"]}, "invalid rekey seal configuration: error decoding given PGP key: illegal base64 data at"),
    ({"pgp_keys": ["one", "AAAA"]}, f"invalid rekey seal configuration: {DAMAGED}"),
    ({"backup": True}, "cannot request a backup of the new keys without providing PGP keys for encryption"),
])
def test_a_rekey_with_wrong_keys_does_not_begin(ann, open_node, options, text):
    if "pgp_keys" in options:
        options = {"pgp_keys": [ann.text if key == "one" else key for key in options["pgp_keys"]]}
    open_node.root.write("sys/rekey/init", secret_shares=2, secret_threshold=2, **options).refused(400, text)
    assert open_node.root.read("sys/rekey/init").json["started"] is False


# ---- A root token ----

@pytest.mark.parametrize("base", ["sys/generate-root", "sys/generate-root-token"])
def test_a_root_token_is_told_encrypted_to_a_key(people, bob, open_node, base):
    def data(answer):
        return answer.ok(200).data or answer.json

    begun = data(open_node.root.write(f"{base}/attempt", pgp_key=bob.text))
    assert (begun["pgp_fingerprint"], begun["otp"], begun["encoded_token"]) == (bob.fingerprint, "", "")
    assert data(open_node.root.read(f"{base}/attempt"))["pgp_fingerprint"] == bob.fingerprint
    for share in open_node.keys.shares[1:]:
        done = data(open_node.root.write(f"{base}/update", key=share, nonce=begun["nonce"]))
    assert (done["complete"], done["pgp_fingerprint"]) == (True, bob.fingerprint)
    assert done["encoded_token"] == done["encoded_root_token"]
    token = people.decrypt(base64.b64decode(done["encoded_token"]))
    assert open_node.client(token).read("auth/token/lookup-self").ok(200).data["policies"] == ["root"]


def test_with_a_one_time_password_a_key_for_the_token_does_not_count(ann, open_node):
    begun = open_node.root.write(ATTEMPT, otp="o" * 28, pgp_key=ann.text).ok(200).json
    assert begun["pgp_fingerprint"] == ""


@pytest.mark.parametrize("key, text", [
    ("!", "error parsing PGP key: error decoding given PGP key: illegal base64 data at input byte 0"),
    ("AAAA", "error parsing PGP key: error parsing given PGP key: "),
])
def test_no_root_token_is_begun_for_what_is_no_key(open_node, key, text):
    open_node.root.write(ATTEMPT, pgp_key=key).refused(400, text)
    assert open_node.root.read(ATTEMPT).json["started"] is False


# ---- The command line ----

@pytest.fixture(scope="module")
def files(tmp_path_factory, ann, bob):
    """Keys in the three forms that a file may have; ann's, but for the last."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "binary").write_bytes(ann.binary)
    (folder / "armored").write_text("A key of Ann's:\n" + ann.armored)
    (folder / "base64").write_text("\n".join(ann.text[at:at + 60] for at in range(0, len(ann.text), 60)) + "\n")
    (folder / "bob").write_text(bob.armored)
    (folder / "two").write_text(ann.armored + bob.armored)
    (folder / "private").write_bytes(ann.secret)
    (folder / "nothing").write_bytes(b"")
    return folder


def test_the_command_line_initialises_with_keys_from_files_of_any_form(people, files, node):
    names = ",".join(str(files / name) for name in ("binary", "armored", "base64"))
    done = node.cli("operator", "init", "-n=4", "-t=2", f"-pgp-keys={names},@{files / 'bob'}",
                    f"-root-token-pgp-key={files / 'bob'}", "-format=json")
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    shares = [people.decrypt(base64.b64decode(text)) for text in result["unseal_keys_b64"]]
    assert [bytes.fromhex(text) for text in result["unseal_keys_hex"]] == \
        [base64.b64decode(text) for text in result["unseal_keys_b64"]]
    token = people.decrypt(base64.b64decode(result["root_token"]))
    for share in shares[2:]:
        node.cli("operator", "unseal", share)
    node.keys = Keys(shares, 2, token)
    node.wait_active()
    assert node.root.read("auth/token/lookup-self").ok(200).data["policies"] == ["root"]


def test_the_command_line_initialises_with_recovery_keys_encrypted(people, files, automatic):
    done = automatic.cli("operator", "init", "-recovery-shares=1", "-recovery-threshold=1",
                         f"-recovery-pgp-keys={files / 'armored'}")
    assert done.returncode == 0, done.stdout + done.stderr
    message = done.stdout.split("Recovery Key 1: ")[1].split("\n")[0]
    assert len(people.decrypt(base64.b64decode(message))) == 64


@pytest.mark.parametrize("name, text", [
    ("keybase:ann", "keys are not fetched from Keybase"),
    ("missing", "The PGP key cannot be read"),
    ("nothing", "is empty"),
    ("two", "more than one key found in file"),
    ("private", "holds a private key; it was not sent"),
])
def test_the_command_line_says_what_is_wrong_with_a_file(files, node, name, text):
    path = name if name.startswith("keybase:") else files / name
    done = node.cli("operator", "init", "-n=1", "-t=1", f"-pgp-keys={path}")
    assert done.returncode == 1 and text in done.stderr, done.stdout + done.stderr
    assert node.api("GET", "sys/init").json == {"initialized": False}


def test_the_command_line_rekeys_with_a_backup_and_makes_a_root_token(people, ann, files, open_node):
    def coffer(*args):
        done = open_node.cli("operator", *args, token=open_node.keys.root_token)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    text = coffer("rekey", "-init", "-n=1", "-t=1", f"-pgp-keys={files / 'armored'}", "-backup")
    assert f"PGP Fingerprints         [{ann.fingerprint}]" in text and "Backup                   true" in text
    nonce = open_node.root.read("sys/rekey/init").json["nonce"]
    for share in open_node.keys.shares[:2]:
        text = coffer("rekey", f"-nonce={nonce}", share)
    message = text.split(f"Key 1 fingerprint: {ann.fingerprint}; value: ")[1].split("\n")[0]
    share = people.decrypt(base64.b64decode(message))
    assert message in coffer("rekey", "-backup-retrieve")
    assert "Success!" in coffer("rekey", "-backup-delete")
    open_node.root.read("sys/rekey/backup").refused(400, "no backed-up keys found")
    text = coffer("generate-root", "-init", f"-pgp-key={files / 'base64'}")
    assert f"PGP Fingerprint    {ann.fingerprint}" in text and "OTP  " not in text.replace("OTP Length", "")
    nonce = open_node.root.read(ATTEMPT).json["nonce"]
    text = coffer("generate-root", f"-nonce={nonce}", share)
    encoded = [line for line in text.splitlines() if line.startswith("Encoded Token")][0].split()[-1]
    token = people.decrypt(base64.b64decode(encoded))
    assert open_node.client(token).read("auth/token/lookup-self").ok(200).data["policies"] == ["root"]
