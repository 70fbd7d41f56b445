# SPDX-License-Identifier: Apache-2.0
"""seal "static": a server that unseals itself with a key that lies beside its configuration."""
import base64

import pytest

from lib.process import wait_for
from lib.static_seal import StaticSeal, initialise


@pytest.fixture
def seal(tmp_path):
    return StaticSeal(tmp_path / "keys", "k1")


@pytest.fixture
def idle(nodes, seal):
    """A node with the seal in its configuration, not started."""
    made = nodes.node()
    made.config_extra = seal.stanza()
    return made


@pytest.fixture
def node(idle):
    idle.start()
    return idle


def is_open(node):
    return node.status()["sealed"] is False


def wait_open(node):
    wait_for(f"{node.name} unseals itself", lambda: is_open(node))
    node.wait_active()


def refuses(node, text):
    """Starts the server, which must end at once and say this."""
    node.launch()
    assert node.process.wait() == 1
    assert text in node.process.text()


# ---- Initialising ----

def test_a_new_server_tells_its_seal_before_anything_else(node):
    status = node.status()
    assert (status["type"], status["recovery_seal"], status["recovery_seal_type"]) == ("static", True, "shamir")
    assert (status["initialized"], status["sealed"], status["t"], status["n"]) == (False, True, 0, 0)


def test_initialising_gives_recovery_keys_and_unseals(node):
    answer = node.api("PUT", "sys/init", recovery_shares=3, recovery_threshold=2).ok(200)
    assert answer.json["keys"] == answer.json["keys_base64"] == []
    assert len(answer.json["recovery_keys"]) == len(set(answer.json["recovery_keys"])) == 3
    assert [base64.b64decode(key).hex() for key in answer.json["recovery_keys_base64"]] == answer.json["recovery_keys"]
    status = node.status()
    assert (status["sealed"], status["t"], status["n"], status["type"]) == (False, 2, 3, "static")
    node.wait_active()
    node.client(answer.json["root_token"]).read("auth/token/lookup-self").ok(200)


def test_a_server_without_recovery_keys_is_one_too(node):
    answer = node.api("PUT", "sys/init").ok(200)
    assert "recovery_keys" not in answer.json and answer.json["keys"] == []
    wait_open(node)


@pytest.mark.parametrize("body, text", [
    ({"secret_shares": 1, "secret_threshold": 1},
     "parameters secret_shares,secret_threshold not applicable to seal type static"),
    ({"pgp_keys": ["a"], "recovery_shares": 1, "recovery_threshold": 1},
     "parameters pgp_keys not applicable to seal type static"),
    ({"recovery_shares": 3, "recovery_threshold": 1},
     "invalid recovery configuration: threshold must be greater than one for multiple shares"),
    ({"recovery_shares": 2, "recovery_threshold": 3},
     "invalid recovery configuration: threshold cannot be larger than shares"),
    ({"recovery_shares": 300, "recovery_threshold": 3}, "invalid recovery configuration: shares must be less than 256"),
])
def test_what_does_not_go_with_the_seal_is_refused(node, body, text):
    node.client().write("sys/init", **body).refused(400, text)
    assert node.api("GET", "sys/init").json == {"initialized": False}


# ---- Unsealing ----

def test_a_restarted_server_unseals_itself_and_has_lost_nothing(node):
    initialise(node)
    node.root.write("sys/mounts/kv", type="kv").ok(204)
    node.root.write("kv/a", x="1").ok(204)
    node.restart()
    wait_open(node)
    assert node.root.read("kv/a").ok(200).data == {"x": "1"}


def test_a_killed_server_unseals_itself(node):
    initialise(node)
    node.kill()
    node.start()
    wait_open(node)


def test_who_seals_it_wants_it_sealed_until_recovery_keys_or_a_restart_open_it(node):
    keys = initialise(node, 3, 2)
    node.root.write("sys/seal").ok(204)
    with pytest.raises(AssertionError):
        wait_for("it opens again", lambda: is_open(node), timeout=1.5)
    assert node.api("PUT", "sys/unseal", key=keys.shares[0]).ok(200).json["progress"] == 1
    assert node.api("PUT", "sys/unseal", key=keys.shares[2]).ok(200).json["sealed"] is False
    node.wait_active()
    node.root.write("sys/seal").ok(204)
    node.restart()
    wait_open(node)


@pytest.mark.coffer_only
def test_a_seal_right_after_unsealing_is_not_undone(node):
    for _ in range(3):
        initialise(node) if node.keys is None else node.restart()
        wait_open(node)
        node.root.write("sys/seal").ok(204)
        with pytest.raises(AssertionError):
            wait_for("it opens again", lambda: is_open(node), timeout=0.5)


def test_recovery_keys_of_another_cluster_open_nothing(node):
    keys = initialise(node, 2, 2)
    forged = bytearray(base64.b64decode(keys.shares[1]))
    forged[0] ^= 1
    node.root.write("sys/seal").ok(204)
    node.api("PUT", "sys/unseal", key=keys.shares[0]).ok(200)
    node.api("PUT", "sys/unseal", key=base64.b64encode(forged).decode()).refused(400)
    status = node.status()
    assert (status["sealed"], status["progress"]) == (True, 0)


@pytest.mark.coffer_only
def test_with_another_key_it_stays_sealed_says_why_and_opens_when_it_is_put_right(node, seal):
    initialise(node)
    node.stop()
    seal.file.write_bytes(bytes(32))
    node.start()
    wait_for("it says why", lambda: "cannot unseal yet: current_key does not open" in node.process.text())
    assert not is_open(node)
    seal.file.write_bytes(seal.key)
    wait_open(node)


# ---- Which keys are taken ----

@pytest.mark.parametrize("form", ["raw", "hex", "base64", "base64 with a newline", "environment", "hex in place",
                                  "base64 in place"])
def test_the_same_key_is_taken_in_every_form(idle, seal, form):
    idle.start()
    initialise(idle)
    idle.stop()
    text = base64.b64encode(seal.key).decode()
    written = {"raw": seal.key, "hex": seal.key.hex().encode(), "base64": text.encode(),
               "base64 with a newline": f"{text}\n".encode()}
    given = {"environment": "env://STATIC_KEY", "hex in place": seal.key.hex(), "base64 in place": text}
    seal.file.write_bytes(written.get(form, b"not looked at"))
    idle.config_extra = seal.stanza(given.get(form))
    idle.env["STATIC_KEY"] = text
    idle.start()
    wait_open(idle)


@pytest.mark.coffer_only
@pytest.mark.parametrize("content", [b"", b"short", bytes(31), bytes(33), b"g" * 64, b"A" * 40])
def test_what_is_no_key_is_refused_at_the_start(idle, seal, content):
    seal.file.write_bytes(content)
    refuses(idle, "must be 32 bytes, raw, in hex or in base64")


@pytest.mark.coffer_only
@pytest.mark.parametrize("change, text", [
    (lambda text: text.replace(".key", ".gone"), "k1.gone"),
    (lambda text: text.replace("file://", "env://NO_SUCH"), "environment variable"),
    (lambda text: text.replace('current_key_id = "k1"', ""), "current_key_id and current_key"),
    (lambda text: text.replace("current_key_id", 'previous_key_id = "k0"\n  current_key_id'), "go together"),
    (lambda text: text + text, "there is a seal already"),
    (lambda text: text.replace("}", 'disabled = "true"\n}'), "not supported"),
])
def test_a_stanza_that_cannot_be_is_refused_at_the_start(idle, change, text):
    idle.config_extra = change(idle.config_extra)
    refuses(idle, text)


@pytest.mark.coffer_only
@pytest.mark.parametrize("mode, warned", [(0o600, False), (0o440, False), (0o644, True)])
def test_a_key_that_anybody_can_read_is_warned_of(idle, seal, mode, warned):
    seal.file.chmod(mode)
    idle.start()
    assert (f"{seal.file} can be read by anybody" in idle.process.text()) is warned


@pytest.mark.coffer_only
def test_a_cluster_of_another_seal_is_not_started_on(idle, seal):
    idle.config_extra = ""
    idle.start()
    idle.initialise()
    idle.stop()
    idle.config_extra = seal.stanza()
    refuses(idle, 'initialized with seal "shamir", and the configuration says "static"')


@pytest.mark.coffer_only
@pytest.mark.needs_root
def test_no_key_stays_in_memory(node, seal):
    keys = initialise(node)
    node.restart()
    wait_open(node)
    recovery = base64.b64decode(keys.shares[0])
    assert node.process.find_in_memory([seal.key, seal.key.hex().encode(), recovery]) == set()


# ---- A new key ----

def test_a_new_key_takes_over_by_itself_and_the_old_one_is_not_needed_any_more(node, seal):
    initialise(node)
    newer = seal.successor("k2")
    node.config_extra = newer.stanza()
    node.restart()
    wait_open(node)
    if node.kind == "coffer":
        wait_for("it is encrypted anew", lambda: "encrypted by the seal's new key" in node.process.text())
    newer.previous = None
    node.config_extra = newer.stanza()
    node.restart()
    wait_open(node)


@pytest.mark.coffer_only
def test_the_old_key_opens_nothing_after_the_new_one_has_taken_over(node, seal):
    initialise(node)
    node.config_extra = seal.successor("k2").stanza()
    node.restart()
    wait_for("it is encrypted anew", lambda: "encrypted by the seal's new key" in node.process.text())
    node.stop()
    node.config_extra = seal.stanza()
    node.start()
    wait_for("it says why", lambda: 'unknown key id: the unseal key is encrypted by "k2"' in node.process.text())
    assert not is_open(node)


# ---- The command line ----

@pytest.mark.coffer_only
def test_the_command_line_initialises_and_shows_the_seal(node):
    done = node.cli("operator", "init")
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines() if "Key " in line][:5] == \
        [f"Recovery Key {number}" for number in range(1, 6)]
    assert "Success! Vault is initialized" in done.stdout and "Initial Root Token: " in done.stdout
    shown = node.cli("status").stdout
    for row in ("Seal Type static", "Recovery Seal Type shamir", "Total Recovery Shares 5", "Threshold 3",
                "Sealed false"):
        assert row in [" ".join(line.split()) for line in shown.splitlines()]


@pytest.mark.coffer_only
def test_the_command_line_passes_on_that_shares_do_not_go_with_the_seal(node):
    done = node.cli("operator", "init", "-key-shares=1", "-key-threshold=1")
    assert done.returncode == 2
    assert "secret_shares,secret_threshold not applicable to seal type static" in done.stderr
