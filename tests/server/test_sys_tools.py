# SPDX-License-Identifier: Apache-2.0
"""The small paths of sys/: random bytes, hashes, the catalog, password policies."""
import base64
import hashlib
import signal

import pytest

from lib.process import wait_for

pytestmark = [pytest.mark.quick, pytest.mark.serial]


@pytest.fixture
def root(node):
    return node.ready().root


# ---- sys/tools ----

def test_random_bytes_are_as_many_as_asked_and_never_the_same(root):
    first = root.write("sys/tools/random").ok(200).data["random_bytes"]
    assert len(base64.b64decode(first)) == 32 and root.write("sys/tools/random").data["random_bytes"] != first
    assert len(bytes.fromhex(root.write("sys/tools/random/8", format="hex").ok(200).data["random_bytes"])) == 8
    assert len(base64.b64decode(root.write("sys/tools/random/platform/4").ok(200).data["random_bytes"])) == 4
    assert len(base64.b64decode(root.write("sys/tools/random", bytes=131072).ok(200).data["random_bytes"])) == 131072
    assert root.write("sys/tools/random/seal/4").ok(200).warnings


@pytest.mark.parametrize("path, body, text", [
    ("random/foo/4", {}, 'unsupported entropy source "foo"; must be "platform" or "seal", or "all"'),
    ("random/foo", {}, 'strconv.Atoi: parsing "foo": invalid syntax'),
    ("random/0", {}, "'bytes' cannot be less than 1"),
    ("random", {"bytes": -1}, "'bytes' cannot be less than 1"),
    ("random", {"bytes": 200000}, "'bytes' should be less than 131072"),
    ("random", {"format": "x"}, 'unsupported encoding format "x"; must be "hex" or "base64"'),
    ("hash/nope", {"input": "aGVsbG8="}, "unsupported algorithm nope"),
    ("hash", {"input": "###"}, "unable to decode input as base64: illegal base64 data"),
    ("hash", {"input": "aGVsbG8=", "format": "x"}, 'unsupported encoding format x; must be "hex" or "base64"'),
])
def test_wrong_wishes_are_refused_with_their_reason(root, path, body, text):
    root.write(f"sys/tools/{path}", **body).refused(400, text)


@pytest.mark.parametrize("name, digest", [
    ("sha2-224", "sha224"), ("sha2-256", "sha256"), ("sha2-384", "sha384"), ("sha2-512", "sha512"),
    ("sha3-224", "sha3_224"), ("sha3-256", "sha3_256"), ("sha3-384", "sha3_384"), ("sha3-512", "sha3_512"),
])
def test_hashes_are_what_the_algorithms_make(root, name, digest):
    wanted = hashlib.new(digest, b"hello")
    assert root.write(f"sys/tools/hash/{name}", input="aGVsbG8=").ok(200).data["sum"] == wanted.hexdigest()
    body = {"input": "aGVsbG8=", "algorithm": name, "format": "base64"}
    assert base64.b64decode(root.write("sys/tools/hash", **body).ok(200).data["sum"]) == wanted.digest()


def test_without_an_algorithm_it_is_sha2_256(root):
    assert root.write("sys/tools/hash").ok(200).data["sum"] == hashlib.sha256(b"").hexdigest()
    root.read("sys/tools/hash").refused(405)


# ---- sys/plugins/catalog ----

@pytest.mark.coffer_only
def test_the_catalog_names_what_can_be_mounted(root):
    data = root.read("sys/plugins/catalog").ok(200).data
    assert data["secret"] == ["aws", "kv"] and data["auth"] == ["approle", "userpass"] and data["database"] == []
    assert {row["name"] for row in data["detailed"]} == {"aws", "kv", "approle", "userpass"}
    for kind in ("secret", "auth"):
        for name in root.list(f"sys/plugins/catalog/{kind}").ok(200).data["keys"]:
            row = root.read(f"sys/plugins/catalog/{kind}/{name}").ok(200).data
            assert row["builtin"] is True and row["name"] == name
            root.write(f"sys/{'mounts' if kind == 'secret' else 'auth'}/x-{name}", type=name).ok(204)
    root.read("sys/plugins/catalog/secret/nope").refused(404)
    root.list("sys/plugins/catalog/nope").refused(405)


# ---- sys/policies/password ----

PASSWORD = """
length = 12
rule "charset" { charset = "abcdefgh" }
rule "charset" { charset = "0123456789" min-chars = 4 }
rule "charset" { charset = "é" min-chars = 1 }
"""


@pytest.mark.parametrize("text", [PASSWORD, base64.b64encode(PASSWORD.encode()).decode()])
def test_passwords_follow_their_policy(root, text):
    root.write("sys/policies/password/app", policy=text).ok(204)
    seen = set()
    for _ in range(50):
        password = root.read("sys/policies/password/app/generate").ok(200).data["password"]
        assert len(password) == 12 and set(password) <= set("abcdefgh0123456789é")
        assert sum(c.isdigit() for c in password) >= 4 and "é" in password
        seen.add(password)
    assert len(seen) == 50
    assert root.list("sys/policies/password").ok(200).data["keys"] == ["app"]
    assert root.read("sys/policies/password/app").ok(200).data == {"policy": PASSWORD}
    root.delete("sys/policies/password/app").ok(204)
    root.delete("sys/policies/password/app").ok(204)
    root.list("sys/policies/password").refused(404)


def one(text):
    return f"1 error occurred:\n\t* {text}\n\n"


@pytest.mark.parametrize("text, error", [
    ("", one("missing policy")),
    ("length=20", one("invalid password policy: 1 error occurred:\n\t* no charset specified\n\n")),
    ("foo=20", one("invalid password policy: 2 errors occurred:\n\t* length must be > 0\n"
                   "\t* no charset specified\n\n")),
    ('rule "charset" {\n charset="abc"\n}', one("invalid password policy: 1 error occurred:\n"
                                                "\t* length must be > 0\n\n")),
    ('length=4\nrule "charset" {\n charset="abc"\n min-chars=5\n}',
     one("invalid password policy: 1 error occurred:\n\t* specified rules require at least 5 characters but 4 is "
         "specified\n\n")),
    ('length=400\nrule "charset" {\n charset="abc"\n}', one("passwords must be between 4 and 100 characters")),
    ('length=20\nrule "foo" {\n charset="abc"\n}',
     one("invalid password policy: unable to parse rules: unable to parse rule foo: unrecognized rule type foo")),
])
def test_a_password_policy_that_cannot_be_is_refused(root, text, error):
    assert root.write("sys/policies/password/p", policy=text).refused(400).errors == [error]


def test_a_password_policy_that_is_not_there(root):
    for path in ("p", "p/generate"):
        answer = root.read(f"sys/policies/password/{path}").refused(404)
        assert answer.errors == [one("policy does not exist")]
    root.write("sys/policies/password/p", policy="{{{").refused(400, "invalid password policy: unable to decode")


# ---- sys/loggers ----

@pytest.mark.coffer_only
def test_levels_of_the_log_are_set_and_restored(root):
    assert set(root.read("sys/loggers").ok(200).data.values()) == {"info"}
    root.write("sys/loggers/core", level="trace").ok(204)
    assert root.read("sys/loggers/core").ok(200).data == {"core": "trace"}
    assert root.read("sys/loggers/raft").ok(200).data == {"raft": "info"}
    root.write("sys/loggers", level="warn").ok(204)
    assert set(root.read("sys/loggers").ok(200).data.values()) == {"warn"}
    root.delete("sys/loggers/raft").ok(204)
    assert root.read("sys/loggers/raft").data == {"raft": "info"} and root.read("sys/loggers/core").data["core"] == "warn"
    root.delete("sys/loggers").ok(204)
    assert set(root.read("sys/loggers").ok(200).data.values()) == {"info"}


@pytest.mark.coffer_only
def test_a_module_logs_from_its_level_on(node):
    root = node.ready().root
    before = len(node.log_file.read_text())
    root.write("sys/loggers/server", level="error").ok(204)
    node.process.signal(signal.SIGHUP)
    wait_for("the level is the configured one again", lambda: root.read("sys/loggers/server").data["server"] == "info")
    assert "reloading certificates" not in node.log_file.read_text()[before:]


@pytest.mark.coffer_only
def test_unknown_loggers_and_levels_are_refused(root):
    assert root.read("sys/loggers/nope").ok(200).data == {}
    root.write("sys/loggers", level="foo").refused(400, "invalid level provided: unknown log level: foo")
    root.write("sys/loggers").refused(400, "level is required")
    root.write("sys/loggers/nope", level="info").refused(400, 'logger "nope" not found')
    root.delete("sys/loggers/nope").refused(400, 'logger "nope" not found')
