# SPDX-License-Identifier: Apache-2.0
"""Mistakes that others made with paths, bodies and connections (cves.md), each tried here."""
import gzip
import io
import re
import socket
import ssl
import statistics
import tarfile
import time

import pytest

from lib import settings
from lib.process import wait_for
from lib.raw import Raw, ask, status_of

EVERYTHING = 'path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }'


@pytest.fixture(autouse=True)
def still_serves(server):
    """After each of these tests the same process must still answer rightly."""
    pid = server.process.pid
    yield
    assert server.process.is_running() and server.process.pid == pid
    server.root.read("sys/mounts").ok(200)


@pytest.fixture
def kv(root, unique):
    root.write(f"sys/mounts/{unique}", type="kv").ok(204)
    root.write(f"{unique}/a", x="1").ok(204)
    return unique


@pytest.fixture
def kv2(root, unique):
    root.write(f"sys/mounts/{unique}-2", type="kv", options={"version": "2"}).ok(204)
    wait_for("the mount is ready", lambda: root.write(f"{unique}-2/data/you", data={"x": "yours"}).status == 200)
    return f"{unique}-2"


# ---- Paths ----

@pytest.mark.cve("N-040")
@pytest.mark.parametrize("detour", ["me/../you", "me/%2e%2e/you", "me/.%2e/you", "me/..;/you", "me//../you", "me/%252e%252e/you",
                                    "me%2f..%2fyou", "me/..%2fyou", "me/.%00./you", "me/..\\you", "me/%c0%ae%c0%ae/you",
                                    "me/x/../../you"])
def test_no_detour_reaches_what_a_glob_does_not_cover(server, root, policy_token, kv2, detour):
    client = policy_token("\n".join(f'path "{kv2}/{part}/me/*" {{ capabilities = ["create", "read", "update", "delete", "list"] }}'
                                    for part in ("data", "metadata", "delete", "destroy", "undelete")))
    for method, part, body in (("DELETE", "data", b""), ("DELETE", "metadata", b""), ("POST", "destroy", b'{"versions":[1]}'),
                               ("POST", "data", b'{"data":{"x":"mine"}}'), ("GET", "data", b"")):
        status, answer = ask(server, method, f"/v1/{kv2}/{part}/{detour}", client.token, body=body)
        assert b"yours" not in answer and status is not None, answer
        if "you" not in detour.rpartition("..")[2].strip("/;\\%2f") or ".." in detour:
            assert status >= 300 or status in (200, 204), answer
    assert root.read(f"{kv2}/data/you").ok(200).data["data"] == {"x": "yours"}


@pytest.mark.cve("N-041")
@pytest.mark.parametrize("denial", ["K/private/*", "K/private", "K/private/", "K/priv*"])
def test_a_denied_folder_is_not_listed_however_it_is_asked_for(server, root, policy_token, kv, denial):
    root.write(f"{kv}/private/x", x="1").ok(204)
    client = policy_token(f'path "{kv}/*" {{ capabilities = ["list", "read"] }} '
                          f'path "{denial.replace("K", kv)}" {{ capabilities = ["deny"] }}')
    for asked in ("private", "private/", "private//"):
        for method, query in (("LIST", ""), ("GET", "?list=true"), ("GET", "?list=1"), ("GET", "?list=TRUE")):
            status, answer = ask(server, method, f"/v1/{kv}/{asked}{query}", client.token)
            assert status not in (200, 204), answer
            assert b'"x"' not in answer


@pytest.mark.cve("N-041")
@pytest.mark.coffer_only  # OpenBao 2.7.2 lists it
@pytest.mark.parametrize("denial", ["K/+", "K/+/private"])
def test_a_folder_that_a_pattern_denies_is_not_listed(root, policy_token, kv, denial):
    folder = denial.replace("K/", "").replace("+", "some")
    root.write(f"{kv}/{folder}/x", x="1").ok(204)
    client = policy_token(f'path "{kv}/*" {{ capabilities = ["list"] }} path "{denial.replace("K", kv)}" {{ capabilities = ["deny"] }}')
    client.list(f"{kv}/{folder}").refused(403)
    client.list(f"{kv}/{folder}/").refused(403)
    client.read(f"{kv}/{folder}", list="true").refused(403)


@pytest.mark.cve("N-107")
@pytest.mark.parametrize("length", [1, 127, 128, 255, 256, 511, 512, 513, 1023, 1024, 4095, 4096, 8191, 20_000, 70_000])
def test_a_name_of_any_length_is_kept_or_refused(server, root, kv, length):
    name = "n" * length
    status, answer = ask(server, "POST", f"/v1/{kv}/{name}", root.token, body=b'{"x":"long"}')
    assert status in (None, 204) or 400 <= status < 500, answer[:300]
    if status == 204:
        assert root.read(f"{kv}/{name}").ok(200).data == {"x": "long"}
        assert root.read(f"{kv}/{name}n").status in (400, 404, 414)  # the limit may lie between the two
    assert root.read(f"{kv}/a").data == {"x": "1"}


@pytest.mark.cve("N-107")
@pytest.mark.parametrize("change", [-1, 0, 1])
def test_a_value_at_the_limit_is_kept_whole_or_refused(server, root, kv, change):
    for size in (1 << 19, 1 << 20):
        value = "v" * (size + change)
        answer = root.write(f"{kv}/big", x=value)
        assert answer.status in (204, 400, 413), answer
        if answer.status == 204:
            assert root.read(f"{kv}/big").ok(200).data == {"x": value}


# ---- Bodies ----

def every_field(server):
    """(path, field) of whatever can be written; paths that take the same fields stand for each other."""
    for kind in ("secret", "auth"):
        for name in server.root.list(f"sys/plugins/catalog/{kind}").ok(200).data["keys"]:
            server.root.write(f"sys/{'mounts' if kind == 'secret' else 'auth'}/{name}", type=name)
    paths, seen = server.root.read("sys/internal/specs/openapi").ok(200).json["paths"], set()
    for path, item in paths.items():
        content = item.get("post", {}).get("requestBody", {}).get("content", {})
        fields = frozenset(field for body in content.values() for field in body["schema"].get("properties", {}))
        if fields not in seen and not any(part in path for part in TAKES_OUT):
            seen.add(fields)
            yield from (("/v1" + re.sub(r"\{\w+\}", "a", path), field) for field in sorted(fields))


VALUES = [None, True, -1, 1.5, 2 ** 63, "", "x" * 3000, [[]], {"a": {"a": None}}]
# Not meant by a mistake in a type: they would do what they say.
TAKES_OUT = ("/sys/seal", "/sys/step-down", "/sys/rekey", "/sys/rotate/root", "/sys/generate-root", "/raft/snapshot", "/raft/remove-peer",
             "/raft/demote", "/sys/init", "/sys/quotas", "/sys/audit/", "/token/revoke")


@pytest.mark.cve("N-108")
@pytest.mark.coffer_only
def test_no_field_of_any_type_is_a_fault_of_the_server(server, root):
    wrong = []
    for path, field in list(every_field(server)):
        for value in VALUES:
            answer = root.request("POST", path, body={field: value})
            if answer.status >= 500 and not is_meant(answer):
                wrong.append((path, field, value, answer.status, answer.errors))
    assert not wrong, "\n".join(map(str, wrong[:40]))


def is_meant(answer):
    """What OpenBao answers with 500 too, and says the reason of."""
    return bool(answer.errors) and not any("internal error" in error for error in answer.errors)


@pytest.mark.cve("N-100")
@pytest.mark.coffer_only
@pytest.mark.parametrize("path", ["sys/health", "sys/unseal", "sys/seal-status", "sys/init", "K/a", "no/such/mount", "auth/token/create",
                                  "sys/storage/raft/snapshot", "sys/storage/raft/snapshot-force", "sys/storage/raft/bootstrap/challenge"])
@pytest.mark.parametrize("length", ["Transfer-Encoding: chunked", f"Content-Length: {10 << 30}"])
def test_a_body_without_end_costs_no_memory(server, kv, path, length):
    memory, chunk = server.process.memory_kb(), b"x" * 65536
    piece = b"10000\r\n" + chunk + b"\r\n" if "chunked" in length else chunk
    with Raw(server.port, server.authority.ca_file, timeout=10) as raw:
        raw.send(f"POST /v1/{path.replace('K', kv)} HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n".encode())
        sent, answer = 0, None
        while answer is None and sent < 200 << 20 and raw.send(piece):
            sent += len(chunk)
            answer = answered(raw)
    assert sent < 200 << 20, "it takes it all"
    assert answer in (None, b"") or 400 <= status_of(answer) < 500, answer
    assert server.process.memory_kb() - memory < 64 << 10


def answered(raw):
    """What has come so far, b"" at the end, None when nothing has."""
    raw.socket.settimeout(0)
    try:
        return raw.socket.recv(4096)
    except (BlockingIOError, ssl.SSLWantReadError):
        return None
    except OSError:
        return b""
    finally:
        raw.socket.settimeout(10)


@pytest.mark.cve("N-101")
@pytest.mark.parametrize("body", [
    b'{"a":[' + b"{}," * 300_000 + b"{}]}", b'{"a":' + b'{"a":1,"a":' * 400 + b"1" + b"}" * 400 + b"}",
    b"{" + b",".join(b'"a":1' for _ in range(200_000)) + b"}", b'{"n":1e999999}', b'{"n":-1e-999999}', b'{"n":' + b"1" * 400 + b"}",
    b'{"a":"' + b"\\u0000" * 100_000 + b'"}', b'{"a":[' + b"null," * 500_000 + b"null]}",
], ids=["objects", "nested duplicates", "duplicates", "huge", "tiny", "long number", "NULs", "nulls"])
def test_a_body_that_weighs_little_does_not_cost_much(server, root, kv, body):
    memory, began = server.process.memory_kb(), time.monotonic()
    for _ in range(3):
        assert root.request("POST", f"{kv}/b", raw=body).status in (204, 400, 413)
    assert time.monotonic() - began < 10 * settings.PATIENCE
    if settings.SERVER == "coffer":
        assert server.process.memory_kb() - memory < 200 << 10


@pytest.mark.cve("N-102")
@pytest.mark.coffer_only
def test_whoever_is_over_the_limit_is_refused_before_the_body_is_looked_at(server, root, kv):
    root.request("POST", f"sys/quotas/rate-limit/{kv}", body={"path": kv, "rate": 1, "interval": "3600s"}).ok(204)
    try:
        root.read(f"{kv}/a").ok(200)
        for body in (b"{", b'{"a":' * 50_000, b'{"a":[' + b"{}," * 100_000 + b"{}]}"):
            root.request("POST", f"{kv}/a", raw=body).refused(429)
        heavy = b'{"a":[' + b"{}," * 300_000 + b"{}]}"
        before = server.process.cpu_seconds()
        for _ in range(10):
            root.request("POST", f"{kv}/a", raw=heavy).refused(429)
        assert server.process.cpu_seconds() - before < 1.5 * settings.PATIENCE  # ten parses of it would take longer
    finally:
        root.delete(f"sys/quotas/rate-limit/{kv}").ok(204)


@pytest.mark.cve("N-111")
@pytest.mark.coffer_only
@pytest.mark.parametrize("name", ["meta.json", "state.bin", "SHA256SUMS"])
def test_a_snapshot_that_swells_when_it_is_unpacked_is_refused(server, name):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=9) as tar:
        entry = tarfile.TarInfo(name)
        entry.size = 300 << 20
        tar.addfile(entry, Zeros())
    memory, disk = server.process.memory_kb(), disk_use(server.data_dir)
    for path in ("snapshot", "snapshot-force", "snapshot-verify"):
        server.root.request("POST", f"sys/storage/raft/{path}", raw=packed.getvalue()).refused(400)
        server.root.request("POST", f"sys/storage/raft/{path}", raw=gzip.compress(b"\0" * (50 << 20))).refused(400)
    assert server.process.memory_kb() - memory < 64 << 10
    assert disk_use(server.data_dir) - disk < 64 << 20


class Zeros:
    """As many as are asked for."""

    @staticmethod
    def read(size=-1):
        return bytes(size)


def disk_use(folder):
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


# ---- Connections ----

@pytest.mark.cve("N-109")
@pytest.mark.coffer_only
def test_http_2_is_not_offered(server):
    """None of its floods: streams that are reset, headers without end, settings and pings."""
    context = ssl.create_default_context(cafile=str(server.authority.ca_file))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", server.port), 5) as plain, \
            context.wrap_socket(plain, server_hostname="127.0.0.1") as tls:
        assert tls.selected_alpn_protocol() in (None, "http/1.1")
    status, _ = ask(server, "GET", "/v1/sys/health", headers=["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
                                                              "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"])
    assert status in (200, 400)


@pytest.mark.cve("N-119")
@pytest.mark.coffer_only
@pytest.mark.parametrize("port", ["cluster_port", "port"])
def test_connections_that_come_and_go_cost_nothing(server, port):
    number = getattr(server, port)

    def come_and_go(times):
        for at in range(times):
            with Raw(number, timeout=5) as raw:
                if at % 3 == 1:
                    raw.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
                elif at % 3 == 2:
                    raw.send(b"GET / HTTP/1.1\r\n\r\n")

    come_and_go(600)
    memory, files = server.process.memory_kb(), server.process.open_files()
    come_and_go(3000)
    wait_for("the descriptors are closed", lambda: server.process.open_files() <= files + 10, timeout=20)
    assert server.process.memory_kb() - memory < 8 << 10


# ---- Many ----

@pytest.mark.cve("N-051")
@pytest.mark.coffer_only
def test_deciding_by_policies_leaves_no_memory_behind(server, root, policy_token, kv):
    client = policy_token("\n".join([f'path "{kv}/+/{{{{identity.entity.id}}}}/*" {{ capabilities = ["read"] }}',
                                     f'path "{kv}/+" {{ capabilities = ["read"] allowed_parameters = {{ "x" = ["a*"] }} }}',
                                     f'path "{kv}/d*" {{ capabilities = ["deny"] }}']))
    paths = (f"{kv}/a", f"{kv}/d", f"{kv}/b/x/y", "other/a")

    def ask_often(times):
        for at in range(times):
            client.read(paths[at % len(paths)])
            if at % 500 == 0:  # and what is kept of them is thrown away
                root.write("sys/policies/acl/other", policy=f'path "x{at}" {{ capabilities = ["read"] }}').ok(204)

    ask_often(2000)
    memory = server.process.memory_kb("RssAnon")
    ask_often(6000)
    assert server.process.memory_kb("RssAnon") - memory < 4 << 10


@pytest.mark.cve("N-110")
@pytest.mark.coffer_only
def test_a_thousand_tokens_that_end_together_do_not_keep_others_waiting(server, root, kv):
    before = len(root.list("auth/token/accessors").data["keys"])
    for _ in range(1000):
        root.write("auth/token/create", policies=["default"], ttl="8s").ok(200)
    times = []

    def are_gone():
        for _ in range(20):
            began = time.monotonic()
            root.read(f"{kv}/a").ok(200)
            times.append(time.monotonic() - began)
        return len(root.list("auth/token/accessors").data["keys"]) <= before
    wait_for("they have ended", are_gone, timeout=60)
    assert statistics.quantiles(times, n=100)[97] < 0.5 * settings.PATIENCE


# ---- What hands out credentials ----

@pytest.mark.cve("N-048")
@pytest.mark.coffer_only
def test_no_grant_of_reading_settings_reaches_what_makes_credentials(server):
    """A GET that makes something must not lie below a path that is read for its settings."""
    server.root.write("sys/mounts/aws", type="aws")
    paths = server.root.read("sys/internal/specs/openapi").ok(200).json["paths"]
    readable = {path for path, item in paths.items() if "get" in item}
    makers = {path for path in readable if re.search(r"/(creds|sts|issue|generate|code)(/|$)", path)}
    assert {"/aws/creds/{name}", "/aws/sts/{name}", "/sys/policies/password/{name}/generate"} <= makers
    known = {"/sys/policies/password/{name}/generate"}  # whoever may read the policy could as well draw a password by it
    for maker in makers - known:
        above = [path for path in readable - makers if "{" in path and maker.startswith(path.partition("{")[0])]
        assert not above, f"{maker} is below {above}"
