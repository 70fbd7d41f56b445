# SPDX-License-Identifier: Apache-2.0
"""cves.md is complete and true; and the mistakes that only the sources can show."""
import pathlib
import re
import socket
import ssl
import threading

import pytest

from lib import settings
from lib.certs import Authority

pytestmark = pytest.mark.coffer_only

LIST = pathlib.Path(__file__).with_name("cves.md")
NUMBERS = 131
SOURCES = ("src", "storage", "raft", "api")
# What a row may wait for, and how it is seen that it is there: the type of an engine or an auth method.
TYPES = {"ldap": "ldap", "okta": "okta", "cert": "cert", "jwt": "jwt", "the aws login": "aws", "the azure login": "azure", "totp": "totp",
         "pki": "pki", "transit": "transit", "ssh": "ssh", "database": "database", "identity": "identity"}
OTHERS = {"login MFA", "engines that pass headers on", "namespaces", "an agent"}


def rows():
    """{number: what the column "shown by" says}"""
    return dict(re.findall(r"^\| (N-\d{3}) \|.*\| ([^|]+) \|$", LIST.read_text(), re.M))


def carried():
    found = set()
    for path in (settings.TOP / "tests").rglob("*.py"):
        for marker in re.findall(r"mark\.cve\(([^)]*)\)", path.read_text()):
            found |= set(re.findall(r'"(N-\d{3})"', marker))
    for path in (settings.TOP / "tests").rglob("*.c"):
        found |= set(re.findall(r"\bN-\d{3}\b", path.read_text()))
    return found


def waits_for(text):
    found = re.search(r"waits for: ([\w ,]+)", text)
    return [what.strip() for what in found.group(1).split(",")] if found else []


def test_each_number_is_carried_by_a_test_or_says_what_it_waits_for():
    listed, tested = rows(), carried()
    assert sorted(listed) == [f"N-{number:03}" for number in range(1, NUMBERS + 1)]
    assert tested <= set(listed)
    said = {number for number, text in listed.items() if text.startswith("tests")}
    assert said == tested, f"said to be tested and not, or the other way round: {sorted(said ^ tested)}"
    for number, text in listed.items():
        assert number in tested or waits_for(text), number
        assert set(waits_for(text)) <= set(TYPES) | OTHERS, text


def test_nothing_waits_for_what_is_there_already(root):
    there = {kind: set(root.list(f"sys/plugins/catalog/{kind}").ok(200).data["keys"]) for kind in ("auth", "secret")}
    for number, text in rows().items():
        for what in waits_for(text):
            kinds = ("auth",) if "login" in what else ("auth", "secret")
            assert not any(TYPES.get(what) in there[kind] for kind in kinds), f"{number}: {what} is there: it wants its test"


# ---- Sources ----

def sources():
    for folder in SOURCES:
        for path in sorted((settings.TOP / folder).rglob("*.c")):
            yield path, re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)


# Comparisons that look as if they were of secrets, and what they are.
NO_SECRETS = {
    ("src/config/hcl.c", "p->token.text"): "a word of the text",
    ("src/core/request/wrapping.c", "req->token->hash"): "both tokens were found, by their keyed hashes",
    ("src/core/seal/rekey.c", "nonce"): "told to whoever asks for the state",
    ("src/core/token/lockout.c", "json_str(count"): "where a name's count lies; kept here and never sent",
    ("src/core/token/token.c", "token->type"): "service or batch",
    ("src/core/token/token_create.c", "token->path"): "the path that made a token",
    ("src/secrets/aws/template.c", "parser->at"): "a word of the text",
    ("src/sys/leases.c", "token->path"): "the path that made a token",
    ("src/sys/tools.c", "digests[i].name"): "an algorithm's name",
    ("storage/snapshot_read.c", "claimed"): "a checksum; it is TLS that keeps others out",
}


@pytest.mark.cve("N-034")
def test_secrets_are_compared_in_constant_time():
    secret = re.compile(r"secret|password|passw|token|share|\bmac\b|\w_mac\b|hmac|digest|root_key|unseal_key|otp\b", re.I)
    found = set()
    for path, text in sources():
        file = path.relative_to(settings.TOP).as_posix()
        for call in re.findall(r"\b(?:mem|str|strn|strcase)cmp\(([^;{}]*?)\)\s*(?:[=!]=|&&|\|\||\)|;)", text):
            if secret.search(re.sub(r'"[^"]*"', "", call)) and not file.startswith("src/cli/"):
                found.add((file, call.split(",")[0]))
    assert found == set(NO_SECRETS), found ^ set(NO_SECRETS)


@pytest.mark.cve("N-076", "N-126")
def test_chance_comes_from_one_place_that_cannot_fail_unnoticed():
    weak = re.compile(r"\b(?:rand|random|drand48|lrand48|rand_r|srand|srandom|RAND_pseudo_bytes|arc4random\w*)\s*\(")
    strong = re.compile(r"\b(?:RAND_bytes\w*|RAND_priv_bytes\w*|getrandom|getentropy)\s*\(|/dev/u?random")
    users = []
    for path, text in sources():
        assert not weak.search(text), path
        if strong.search(text):
            users.append(path.relative_to(settings.TOP).as_posix())
    assert users == ["src/base/secret.c"]
    text = (settings.TOP / "src/base/secret.c").read_text()
    assert re.search(r"if \(RAND_bytes\(.*\) != 1\) \{[^}]*abort\(\);", text), "a failure must end the process"


@pytest.mark.cve("N-125")
def test_shamir_s_arithmetic_has_no_table_and_no_branch_on_secrets():
    text = (settings.TOP / "storage/shamir.c").read_text()
    for name in ("gf_mul", "gf_invert"):
        body = re.search(rf"static uint8_t {name}\([^)]*\)\n\{{(.*?)\n\}}", text, re.S).group(1)
        loops = re.findall(r"for \(int (\w+) = \d+; \1 < \d+; \1\+\+\)", body)
        assert len(loops) == body.count("for ("), "how often it loops must not depend on a value"
        assert not re.search(r"\bif\b|\?|\bwhile\b|\bswitch\b|&&|\|\||\[", body), name


# ---- TLS to the outside ----

class Impostor(threading.Thread):
    """Listens with a certificate that nobody has reason to believe, and keeps what it is told."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        authority = Authority(folder)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*authority.issue("impostor"))
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.calls, self.heard = 0, b""
        self.start()

    @property
    def url(self):
        return f"https://127.0.0.1:{self.socket.getsockname()[1]}"

    def run(self):
        while True:
            try:
                plain, _ = self.socket.accept()
            except OSError:
                return
            self.calls += 1
            try:
                with self.context.wrap_socket(plain, server_side=True) as tls:
                    tls.settimeout(2)
                    self.heard += tls.recv(4096)
            except OSError:
                pass


@pytest.mark.cve("N-086")
def test_an_aws_whose_certificate_nobody_signed_is_told_nothing(root, unique, tmp_path):
    impostor = Impostor(tmp_path)
    root.write(f"sys/mounts/{unique}", type="aws").ok(204)
    root.write(f"{unique}/config/root", access_key="AKIAIMPOSTORTEST", secret_key="x" * 40, region="us-east-1", max_retries=0,
               iam_endpoint=impostor.url, sts_endpoint=impostor.url).ok(204)
    root.write(f"{unique}/roles/r", credential_type="iam_user", policy_arns="arn:aws:iam::aws:policy/ReadOnlyAccess").ok(204)
    answer = root.read(f"{unique}/creds/r")
    impostor.socket.close()
    assert answer.status >= 400 and "certificate" in str(answer.errors).lower(), answer
    assert impostor.calls > 0 and impostor.heard == b""
    root.write(f"sys/leases/revoke-force/{unique}").ok()
