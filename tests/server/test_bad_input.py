# SPDX-License-Identifier: Apache-2.0
"""What a hostile or broken client sends: a clear error, nothing lost, and the server goes on."""
import os
import random
import time

import pytest

from lib import settings
from lib.raw import Raw, ask, status_of

pytestmark = [pytest.mark.quick, pytest.mark.serial]


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


# ---- Bodies ----

@pytest.mark.parametrize("body", [
    b"{", b"}", b"[1]", b'"text"', b"7", b"nul", b'{"a":1}garbage', b"{'a':1}", b'{"a":}', b'{"a":1,}',
    b"\xff\xfe\x00", b'{"\x00":1}', b"{" * 10, b"\x00",
    *(pytest.param(body, marks=pytest.mark.coffer_only)  # OpenBao takes these
      for body in (b'{"a":1}{"b":2}', b'{"a":"\xff\xfe"}', b'{"a":"\\ud800"}')),
])
def test_what_is_no_json_object_is_refused(root, kv, body):
    answer = root.request("POST", f"{kv}/a", raw=body)
    assert answer.status == 400 and answer.errors, answer
    assert root.read(f"{kv}/a").data == {"x": "1"}


@pytest.mark.parametrize("bomb", [
    b'{"a":' * 200_000, b'{"a":' + b"[" * 1_000_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    pytest.param(b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}", marks=pytest.mark.coffer_only),
], ids=["objects", "lists", "closed objects", "closed lists"])
@pytest.mark.cve("N-101")
def test_a_depth_bomb_is_refused_quickly(root, kv, bomb):
    began = time.monotonic()
    assert root.request("POST", f"{kv}/a", raw=bomb).status in (400, 413)
    assert time.monotonic() - began < 5


def test_a_number_of_a_million_digits_is_no_trouble(root, kv):
    assert root.request("POST", f"{kv}/a", raw=b'{"n":' + b"9" * 1_000_000 + b"}").status in (204, 400)


@pytest.mark.cve("N-100")
def test_a_body_beyond_the_limit_is_413(server, kv):
    big = b'{"x":"' + b"y" * (33 << 20) + b'"}'
    try:
        answer = server.root.request("POST", f"{kv}/a", raw=big)
        assert answer.status == 413 and answer.errors
    except OSError:
        pass  # closed while we were still sending; the answer may be lost then


@pytest.mark.cve("N-101")
def test_a_million_keys_cost_no_more_than_they_weigh(server, root, kv):
    before = server.process.memory_kb()
    body = b"{" + b",".join(b'"k%d":""' % number for number in range(1_000_000)) + b"}"
    assert root.request("POST", f"{kv}/a", raw=body).status < 500
    assert server.process.memory_kb() - before < 600_000


@pytest.mark.cve("N-108")
@pytest.mark.parametrize("path, body", [
    ("sys/mounts/x", {"type": 5}), ("sys/mounts/x", {"type": ["kv"]}), ("sys/mounts/x", {"type": {"a": 1}}),
    ("sys/mounts/x", {"type": "kv", "config": "text"}), ("sys/mounts/x", {"type": "kv", "options": [1]}),
    ("sys/policies/acl/x", {"policy": 7}), ("sys/policies/acl/x", {"policy": {"path": 1}}),
    ("auth/token/create", {"policies": {"a": 1}}), ("auth/token/create", {"num_uses": "many"}),
    ("auth/token/create", {"num_uses": -1}), ("auth/token/create", {"meta": "text"}),
    ("auth/token/create", {"renewable": "perhaps"}), ("auth/token/create", {"ttl": {"a": 1}}),
    ("sys/leases/lookup", {"lease_id": ["a"]}),
    ("sys/unseal", {"reset": "perhaps"}), ("sys/init", {"secret_shares": "five"}),
])
def test_a_wrong_type_is_a_plain_error(root, path, body):
    answer = root.write(path, **body)
    assert answer.status in (400, 403, 404) and answer.errors, answer
    root.delete("sys/mounts/x").ok(204)


@pytest.mark.parametrize("path, body", [
    ("sys/mounts/x", {"type": "kv", "config": {"max_lease_ttl": 2**63 - 1}}),
    ("sys/quotas/rate-limit/x", {"rate": 1, "interval": 2**63 - 1}),
    ("sys/quotas/rate-limit/x", {"rate": 1, "block_interval": 2**63 - 1}),
    ("sys/rotate/config", {"interval": 2**63 - 1}),
    ("auth/token/roles/x", {"token_explicit_max_ttl": 2**63 - 1}), ("auth/token/roles/x", {"token_period": 9e18}),
    ("sys/leases/renew", {"lease_id": "a", "increment": 2**63 - 1}),
])
def test_a_duration_that_is_longer_than_any_text_could_say_is_refused(root, path, body):
    assert root.write(path, **body).status == 400


# ---- Paths ----

@pytest.mark.cve("N-040")
@pytest.mark.parametrize("detour", ["public/../private", "public/%2e%2e/private", "public/.%2e/private", "public/%2E./private",
                                    "public/x/../../private", "public/./../private", "public//../private",
                                    "public/%2e%2e%2fprivate", "public%2f..%2fprivate", "public/..%2fprivate"])
def test_no_detour_leads_around_a_policy(server, root, policy_token, kv, detour):
    root.write(f"{kv}/private", x="hidden-value").ok(204)
    client = policy_token(f'path "{kv}/public/*" {{ capabilities = ["read", "list", "create", "update"] }}')
    status, answer = ask(server, "GET", f"/v1/{kv}/{detour}", client.token)
    assert status in (301, 307, 400, 403, 404), answer
    assert b"hidden-value" not in answer
    status, answer = ask(server, "POST", f"/v1/{kv}/{detour}", client.token, body=b'{"x":"overwritten"}')
    assert root.read(f"{kv}/private").data == {"x": "hidden-value"}, answer


@pytest.mark.parametrize("path", ["/v1/K/%00", "/v1/K/a%00b", "/v1/K/%0a", "/v1/K/a%1b[31m", "/v1/K/%zz", "/v1/K/%",
                                  "/v1/K/%c3%28", "/v1/K/..", "/v1/..", "/v1/%2e%2e/%2e%2e/etc/passwd", "/v1", "/v1/",
                                  "/v2/K/a", "/", "/v1/K/" + "a/" * 3000 + "a", "/v1/K/" + "n" * 20_000, "/v1//", "*",
                                  "/v1/K/a?list=maybe", "/v1/K/a?" + "x=1&" * 3000, "/v1/K/a?list=true&list=false",
                                  "/v1/sys/../K/a", "/v1/K/a#b", "/v1/K/\\..\\a"])
def test_a_strange_path_is_answered_without_harm(server, root, kv, path):
    status, answer = ask(server, "GET", path.replace("K", kv), root.token)
    assert status is None or status in (200, 301, 307, 400, 404, 405, 413, 414, 431), answer[:300]
    assert b"root:" not in answer


def test_a_slash_in_a_name_is_a_slash_wherever_it_is_written(server, root, kv):
    root.write(f"{kv}/x/y", v="1").ok(204)
    status, answer = ask(server, "GET", f"/v1/{kv}/x%2fy", root.token)
    assert status in (200, 400), answer


def test_writing_to_a_folder_is_refused(root, kv):
    root.write(f"{kv}/folder/", x="1").refused(400, "cannot write to a path ending in '/'")


# ---- Heads ----

@pytest.mark.parametrize("headers", [
    ["X-Long: " + "x" * 500_000], [f"X-{number}: y" for number in range(500)], ["X-Vault-Token: " + "t" * 100_000],
    ["Authorization: Bearer"], ["Authorization: Basic AAAA"], ["X-Vault-Wrap-TTL: soon"], ["X-Vault-Wrap-TTL: -5"],
    ["X-Vault-Namespace: ../../x"], ["Content-Type: \x01"], ["Expect: 100-continue"], ["Expect: nonsense"],
    ["X-Vault-Token: a", "X-Vault-Token: b"], [": no name"], ["no colon"], [" folded: 1"],
])
def test_a_strange_head_is_answered_without_harm(server, kv, headers):
    status, answer = ask(server, "GET", f"/v1/{kv}/a", None, headers)
    assert status in (None, 100) or 400 <= status < 500 or status == 501, answer[:300]


@pytest.mark.cve("N-109")
@pytest.mark.parametrize("request_", [
    b"GET /v1/sys/health HTTP/1.1\r\n\r\n",  # no Host
    b"POST /v1/K/a HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/K/a HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /v1/K/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}   ",
    b"POST /v1/K/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/K/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /v1/K/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    b"POST /v1/K/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    b"GET /v1/sys/health HTTP/0.9\r\n\r\n", b"GET /v1/sys/health HTTP/9.9\r\nHost: x\r\n\r\n",
    b"\r\n" * 1000, b"\x00" * 1000, b"G" * 100_000, b"GET\r\n\r\n", b"GET  HTTP/1.1\r\n\r\n",
])
def test_what_is_hardly_http_is_refused_or_cut_off(server, kv, request_):
    with Raw(server.port, server.authority.ca_file, timeout=3) as raw:
        raw.send(request_.replace(b"K", kv.encode()))
        status = status_of(raw.receive())
    assert status is None or status == 200 and b"health" in request_ or 400 <= status <= 505


@pytest.mark.parametrize("method", ["FOO", "TRACE", "CONNECT", "get", "X" * 5000])
def test_an_unknown_method_is_refused(server, root, kv, method):
    status, answer = ask(server, method, f"/v1/{kv}/a", root.token)
    assert status is None or 400 <= status <= 501, answer[:300]


def test_random_bytes_are_no_trouble_to_the_api_s_port(server):
    noise = random.Random(1)
    for _ in range(50):
        with Raw(server.port, timeout=1) as raw:
            raw.send(noise.randbytes(noise.randrange(1, 5000)))
    for _ in range(20):
        with Raw(server.port, server.authority.ca_file, timeout=1) as raw:
            raw.send(noise.randbytes(noise.randrange(1, 5000)))


def test_clear_http_on_the_tls_port_is_refused(server):
    with Raw(server.port, timeout=5) as raw:
        raw.send(b"GET /v1/sys/health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status_of(raw.receive()) in (None, 400)


# ---- The cluster's port ----

@pytest.mark.cve("N-119")
@pytest.mark.coffer_only
def test_garbage_on_the_cluster_port_is_no_trouble(server, root, kv):
    noise = random.Random(2)
    files = server.process.open_files()
    for length in (0, 1, 5, 100, 10_000, 100_000):
        for _ in range(10):
            with Raw(server.cluster_port, timeout=1) as raw:
                raw.send(noise.randbytes(length))
    for start in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(600), b"\x00" * 64):
        with Raw(server.cluster_port, timeout=1) as raw:
            raw.send(start)
    root.write(f"{kv}/b", x="2").ok(204)
    time.sleep(1)
    assert server.process.open_files() <= files + 20


@pytest.mark.cve("N-120")
@pytest.mark.coffer_only
def test_the_cluster_port_wants_a_certificate_of_the_cluster(server):
    import ssl
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(server.cert_file, server.key_file)  # of an authority that the cluster does not know
    with Raw(server.cluster_port, timeout=5) as raw:
        try:
            with context.wrap_socket(raw.socket) as tls:
                tls.sendall(bytes(100))
                assert tls.recv(100) == b""
        except (ssl.SSLError, ConnectionError):
            pass


# ---- Slow and many ----

def test_slow_clients_do_not_slow_the_others(server):
    slow = [Raw(server.port, server.authority.ca_file) for _ in range(60)]
    try:
        for raw in slow:
            raw.send(b"POST /v1/sys/unseal HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        began = time.monotonic()
        for _ in range(20):
            server.client(timeout=5).read("sys/health").ok(200)
        assert time.monotonic() - began < 5
    finally:
        for raw in slow:
            raw.__exit__()


def test_a_client_that_leaves_early_takes_nothing_along(server, root, kv):
    for number in range(50):
        with Raw(server.port, server.authority.ca_file) as raw:
            raw.send(f"POST /v1/{kv}/left-{number} HTTP/1.1\r\nHost: x\r\nX-Vault-Token: {root.token}\r\n"
                     "Content-Length: 9\r\n\r\n{\"x\":\"1\"}".encode())
    time.sleep(0.5)
    assert root.read(f"{kv}/a").data == {"x": "1"}


@pytest.mark.cve("N-103", "N-031")
@pytest.mark.parametrize("path, body", [
    ("sys/init", {"secret_shares": 1, "secret_threshold": 1}), ("sys/unseal", {"key": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}),
    ("sys/storage/raft/join", {"leader_api_addr": "https://127.0.0.1:1"}),
    ("sys/storage/raft/bootstrap/challenge", {"server_id": "n"}),
    ("sys/storage/raft/bootstrap/answer", {"server_id": "n", "answer": "AAAA", "cluster_addr": "127.0.0.1:1"}),
])
@pytest.mark.coffer_only
def test_a_flood_without_a_token_makes_nothing_grow(server, path, body):
    client = server.client()
    client.write(path, **body)
    memory, disk = server.process.memory_kb(), disk_use(server.data_dir)
    for number in range(400):
        answer = client.write(path, **{key: value if key != "server_id" else f"n{number}" for key, value in body.items()})
        assert answer.status < 500 or answer.status == 503, answer
    assert server.process.memory_kb() - memory < 20_000 * settings.PATIENCE  # sanitizers keep what was freed for a while
    assert disk_use(server.data_dir) - disk < 100_000
    assert "n399" not in str(server.root.read("sys/storage/raft/configuration").data)


def disk_use(folder):
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
