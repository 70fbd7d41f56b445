# SPDX-License-Identifier: Apache-2.0
"""Mistakes that others made with audit logs, logs and files (cves.md), each tried here."""
import json
import os
import re
import stat

import pytest

from lib.node import Coffer
from lib.raw import ask

pytestmark = pytest.mark.coffer_only

CANARY = "CANARY-4f1c9a"
RULES = "sys/config/auditing/request-headers"


@pytest.fixture
def audited(node):
    node.ready()
    node.enable_audit()
    node.root.write("sys/mounts/kv", type="kv").ok(204)
    return node


def texts(node):
    return node.audit_file.read_text() + node.process.text()


# ---- Nothing in clear ----

@pytest.mark.cve("N-090", "N-033")
def test_no_header_with_a_secret_is_in_the_audit_log_in_clear(audited):
    """Whatever the rules say of the ones that carry tokens; and without a rule none is there at all."""
    headers = {"X-Vault-Token": f"{CANARY}-token", "Authorization": f"Bearer {CANARY}-bearer", "Cookie": f"{CANARY}-cookie",
               "Proxy-Authorization": f"Basic {CANARY}-proxy", "X-Vault-Inline-Auth-Parameter-password": f"{CANARY}-inline"}
    for name in headers:
        audited.client().request("GET", "kv/a", headers={name: headers[name]})
    assert CANARY not in texts(audited)
    for name in ("X-Vault-Token", "Authorization"):
        audited.root.write(f"{RULES}/{name}", hmac=False).ok(204)
        audited.client().request("GET", "kv/a", headers={name: headers[name]})
        audited.client().request("POST", "sys/wrapping/lookup", body={}, headers={name: headers[name]})
    assert CANARY not in texts(audited)


@pytest.mark.cve("N-090", "N-028")
def test_what_is_sent_and_answered_is_there_as_hashes_only(audited):
    root = audited.root
    root.request("GET", f"kv/a?x={CANARY}-query&token={CANARY}-query2")
    root.request("LIST", f"kv/?after={CANARY}-after")
    root.request("PUT", "kv/b", body={"deep": [{"list": [f"{CANARY}-deep"]}]})
    root.write("sys/auth/approle", type="approle").ok(204)
    root.write("auth/approle/role/app", token_policies="x").ok(204)
    root.write("auth/approle/role/app/custom-secret-id", secret_id=f"{CANARY}-secret-id").ok(200)
    role_id = root.read("auth/approle/role/app/role-id").data["role_id"]
    auth = audited.client().write("auth/approle/login", role_id=role_id, secret_id=f"{CANARY}-secret-id").ok(200).auth
    audited.client().write("auth/approle/login", role_id=f"{CANARY}-role", secret_id=f"{CANARY}-wrong")
    audited.client(f"{CANARY}-no-token").read("kv/b").refused(403)
    root.write("auth/token/create", id=f"{CANARY}-chosen", policies=["default"]).ok(200)
    root.write("auth/token/lookup", token=f"{CANARY}-chosen").ok(200)
    root.write("auth/token/lookup-accessor", accessor=auth["accessor"]).ok(200)
    found = texts(audited)
    assert CANARY not in found and auth["client_token"] not in found and auth["accessor"] not in found
    assert role_id not in found


@pytest.mark.cve("N-092", "N-070")
def test_every_kind_of_answer_is_hashed(audited):
    value = {"text": f"{CANARY}-text", "list": [f"{CANARY}-list", [f"{CANARY}-nested"]], "map": {"a": {"b": f"{CANARY}-map"}},
             "base64": "Q0FOQVJZLTRmMWM5YQ==", "long": f"{CANARY}" * 2000, "number": 7, "yes": True, "nothing": None}
    audited.root.write("kv/a", **value).ok(204)
    assert audited.root.read("kv/a").ok(200).data == value
    [entry] = [entry for entry in audited.audit_entries() if entry["type"] == "response" and entry["request"]["path"] == "kv/a"
               and entry["request"]["operation"] == "read"]
    assert "Q0FOQVJZ" not in texts(audited) and CANARY not in texts(audited)
    data = entry["response"]["data"]
    assert (data["number"], data["yes"], data["nothing"]) == (7, True, None)
    for hashed in (data["text"], data["list"][0], data["list"][1][0], data["map"]["a"]["b"], data["base64"], data["long"]):
        assert re.fullmatch(r"hmac-sha256:[0-9a-f]{64}", hashed)


@pytest.mark.cve("N-092")
def test_answers_that_are_no_json_object_are_not_in_clear_either(audited):
    root = audited.root
    wrapped = root.request("GET", "kv/a", headers={"X-Vault-Wrap-TTL": "60"})
    root.write("kv/a", x=f"{CANARY}-x").ok(204)
    wrapped = root.request("GET", "kv/a", headers={"X-Vault-Wrap-TTL": "60"}).ok(200).json["wrap_info"]
    assert CANARY in audited.client(wrapped["token"]).write("sys/wrapping/unwrap").ok(200).raw.decode()
    random = root.write("sys/tools/random/32", format="hex").ok(200).data["random_bytes"]
    root.read("sys/storage/raft/snapshot").ok(200)
    root.read("sys/metrics", format="prometheus").ok(200)
    found = texts(audited)
    assert CANARY not in found and wrapped["token"] not in found and random not in found


@pytest.mark.cve("N-091")
def test_a_device_that_logs_raw_makes_no_other_do_so(audited):
    raw = audited.folder / "raw.log"
    audited.root.write("sys/audit/raw", type="file", options={"file_path": str(raw), "log_raw": "true"}).ok(204)
    audited.root.write("kv/a", x=f"{CANARY}-x").ok(204)
    audited.root.read("kv/a").ok(200)
    assert raw.read_text().count(f"{CANARY}-x") >= 2 and CANARY not in texts(audited)


@pytest.mark.cve("N-093")
@pytest.mark.parametrize("body", [
    '{"data": "CANARY"}', '{"data": ["CANARY"]}', '{"data": {"x": "CANARY"}, "options": "CANARY"}', '{"data": {"x": CANARY}}',
    '{"data": {"x": "CANARY"', '{"data": {"x": "CANARY"}}}', '{"options": {"cas": "CANARY"}, "data": {"x": "CANARY"}}',
    '"CANARY"', '["CANARY"]', 'CANARY', '{"CANARY"}', '{"data": {"x": "CANARY\\ud800"}}', '{"data": {"x": "CANARY\x01"}}',
])
def test_what_is_wrong_with_a_secret_is_said_without_it(server, root, body):
    root.write("sys/mounts/cves-kv2", type="kv", options={"version": "2"})
    for path in ("cves-kv2/data/a", "cves-kv2/metadata/a", "cubbyhole/a", "sys/policies/acl/a", "auth/token/create"):
        answer = root.request("POST", path, raw=body.replace("CANARY", CANARY).encode("utf-8", "surrogatepass"))
        if answer.status >= 400:
            assert CANARY.encode() not in answer.raw, answer
    root.request("PATCH", "cves-kv2/data/a", raw=body.replace("CANARY", CANARY).encode(), headers={
        "Content-Type": "application/merge-patch+json"})
    assert CANARY not in server.process.text()


@pytest.mark.cve("N-094")
def test_at_the_finest_level_the_log_has_no_secret_either(nodes):
    node = nodes.node(config_extra='log_level = "trace"\n')
    node.start()
    node.ready(3, 2)
    root = node.root
    root.write("sys/mounts/kv", type="kv").ok(204)
    root.write("kv/a", x=f"{CANARY}-x").ok(204)
    root.write("sys/mounts/aws", type="aws").ok(204)
    root.write("aws/config/root", access_key=f"{CANARY}-key", secret_key=f"{CANARY}-secret", region="us-east-1",
               iam_endpoint=f"http://{CANARY}-user:{CANARY}-pw@127.0.0.1:1", max_retries=0)
    root.write("aws/roles/r", credential_type="iam_user", policy_arns="arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess")
    assert root.read("aws/creds/r").status >= 400
    root.write("sys/auth/userpass", type="userpass").ok(204)
    root.write("auth/userpass/users/bob", password=f"{CANARY}-pw").ok(204)
    token = node.client().write("auth/userpass/login/bob", password=f"{CANARY}-pw").ok(200).auth["client_token"]
    node.client().write("auth/userpass/login/bob", password=f"{CANARY}-wrong").refused(400)
    node.client(f"{CANARY}-token").read("kv/a").refused(403)
    levels = root.read("sys/loggers").ok(200).data
    node.restart()
    node.api("PUT", "sys/unseal", key=f"{CANARY}-share")
    node.unseal()
    found = node.process.text()
    assert set(levels.values()) == {"trace"}
    for secret in (CANARY, token, node.keys.root_token, *node.keys.shares):
        assert secret not in found


# ---- One record, one line ----

@pytest.mark.cve("N-097")
@pytest.mark.parametrize("evil", ["\n", "\r\n", "\u2028", '"', "\\", "\x1b[31m", '","type":"response', "\u0000", "{", "\x7f", "\u202e"])
def test_nothing_that_is_sent_breaks_a_line_or_a_record(audited, evil):
    before = len(audited.audit_entries())
    text, encoded = f"a{evil}b", "".join(f"%{byte:02x}" for byte in f"a{evil}b".encode())
    audited.root.write("kv/a", **{text: text}).ok(204, 400)
    ask(audited, "GET", f"/v1/kv/{encoded}", audited.keys.root_token)
    ask(audited, "GET", f"/v1/auth/userpass/login/{encoded}?{encoded}={encoded}", audited.keys.root_token)
    audited.root.write("auth/token/create", display_name=text, meta={text: text}, policies=["default"])
    lines = audited.audit_file.read_bytes().split(b"\n")
    assert lines.pop() == b""
    entries = [json.loads(line) for line in lines]  # each a whole record
    assert len(entries) >= before and all(entry["type"] in ("request", "response") for entry in entries)
    assert not re.search(rb"[\x00-\x1f]", b"".join(lines))


@pytest.mark.cve("N-099")
def test_what_needs_no_token_is_on_record_but_for_status(audited):
    quiet = {"sys/health", "sys/seal-status", "sys/leader", "sys/init", "sys/unseal", "sys/storage/raft/join",
             "sys/storage/raft/bootstrap/challenge"}
    paths = audited.root.read("sys/internal/specs/openapi").ok(200).json["paths"]
    seen_quiet = set()
    for path, item in paths.items():
        for method, operation in item.items():
            if not (isinstance(operation, dict) and "x-vault-unauthenticated" in operation):
                continue
            asked, before = re.sub(r"\{\w+\}", "a", path).lstrip("/"), len(audited.audit_entries())
            audited.client().request(method.upper(), asked, body={} if method == "post" else None)
            entries = audited.audit_entries()[before:]
            if asked in quiet:
                seen_quiet.add(asked)
                assert not entries, entries
            else:
                assert [entry["type"] for entry in entries] == ["request", "response"], (asked, entries)
    assert seen_quiet == quiet


# ---- Files ----

@pytest.mark.cve("N-096")
@pytest.mark.parametrize("options", [
    {"mode": "0755"}, {"mode": "0777"}, {"mode": "4600"}, {"mode": "0611"}, {"mode": "x"}, {"mode": "-1"},
    {"prefix": "#!/bin/sh\n"}, {"prefix": "x" * 300},
])
def test_an_audit_log_is_never_a_program(audited, options):
    target = audited.folder / "other.log"
    for name in ("file_path", "path"):  # the option's older name goes through the same checks
        answer = audited.root.write("sys/audit/other", type="file", options={name: str(target), **options})
        assert answer.status == 400, answer
        assert not target.exists() or (target.stat().st_mode & 0o7111 == 0 and target.stat().st_size == 0)


@pytest.mark.cve("N-096")
def test_an_audit_log_spoils_no_other_file(audited):
    folder = audited.folder
    (folder / "precious").write_text("#!/bin/sh\n")
    os.symlink(folder / "precious", folder / "link")
    os.mkfifo(folder / "fifo")
    for target in (folder / "precious", folder / "link", folder / "fifo", folder, "/dev/null", audited.cert_file,
                   audited.config_file):
        audited.root.write("sys/audit/other", type="file", options={"file_path": str(target)}).refused(400)
    assert (folder / "precious").read_text() == "#!/bin/sh\n"


@pytest.mark.cve("N-098")
def test_all_files_are_only_for_their_owner_whatever_the_umask(nodes):
    before = os.umask(0)
    try:
        node = nodes.node(cls=Coffer)
        node.start()
        node.ready()
        node.enable_audit()
        node.root.write("sys/mounts/kv", type="kv").ok(204)
        node.root.write("sys/storage/raft/snapshot-auto/config/a", interval="1h", storage_type="local", local_max_space=10 ** 8,
                        path_prefix=str(node.folder / "snapshots")).ok()
    finally:
        os.umask(before)
    paths = [*node.data_dir.rglob("*"), node.audit_file, *(node.folder / "snapshots").rglob("*")]
    assert len(paths) > 5
    for path in paths:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, f"{path}: {path.stat().st_mode:o}"


@pytest.mark.cve("N-116")
def test_nothing_in_the_state_names_a_program(node):
    """There is no catalog of plugins to write to: what is built in is all there is."""
    node.ready()
    for path in ("sys/plugins/catalog/x", "sys/plugins/catalog/secret/x", "sys/plugins/catalog/auth/x", "sys/plugins/catalog/secret/kv",
                 "sys/plugins/reload/backend"):
        for method in ("POST", "PUT", "DELETE"):
            answer = node.root.request(method, path, body={"command": "sh", "sha256": "0" * 64, "args": ["-c", "id"]})
            assert answer.status in (404, 405), answer
    node.root.write("sys/mounts/x", type="plugin", plugin_name="sh").refused(400)
    node.root.write("sys/mounts/x", type="kv", plugin_name="sh", config={"plugin_name": "sh"})
    assert node.root.read("sys/mounts").data.get("x/", {"type": "kv"})["type"] == "kv"
