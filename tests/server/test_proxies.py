# SPDX-License-Identifier: Apache-2.0
"""Behind a proxy: whose address a request has, in the audit log and where addresses decide."""
import json
import socket
import ssl
import struct
import time

import pytest

from lib import raw
from lib.process import wait_for

pytestmark = [pytest.mark.coffer_only, pytest.mark.quick]

V1 = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"
V2 = b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH4s4sHH", 0x21, 0x11, 12, bytes([192, 0, 2, 1]), bytes([198, 51, 100, 1]), 56324, 443)
V2_LOCAL = b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", 0x20, 0x00, 0)


@pytest.fixture(scope="module")
def behind(shared_nodes):
    """behind(listener settings): an unsealed server with an audit log, made once."""
    made = {}

    def make(settings):
        if settings not in made:
            node = made[settings] = shared_nodes.node(listener_extra=settings)
            node.start()
            node.ready()
            node.enable_audit()
        return made[settings]
    return make


ALWAYS = 'proxy_protocol_behavior = "use_always"'
FROM_ELSEWHERE = 'proxy_protocol_authorized_addrs = "10.0.0.0/8"'
FROM_HERE = 'proxy_protocol_authorized_addrs = ["10.0.0.0/8", "127.0.0.1"]'


def seen_address(node, path="sys/mounts", **options):
    """What the audit log has of one request: (address, port)."""
    status, answer = raw.ask(node, "GET", f"/v1/{path}", token=node.keys.root_token, **options)
    assert status == 200, answer
    entry = node.audit_entries()[-1]["request"]
    return entry["remote_address"], entry["remote_port"]


# ---- The PROXY protocol ----

@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
@pytest.mark.parametrize("settings", [
    ALWAYS,
    'proxy_protocol_behavior = "allow_authorized"\n  ' + FROM_HERE,
    'proxy_protocol_behavior = "deny_unauthorized"\n  ' + FROM_HERE,
], ids=["use_always", "allow_authorized", "deny_unauthorized"])
def test_an_authorized_proxys_header_names_the_client(behind, settings, header):
    assert seen_address(behind(settings), before=header) == ("192.0.2.1", 56324)


@pytest.mark.parametrize("header", [b"", b"PROXY UNKNOWN\r\n", V2_LOCAL], ids=["none", "unknown", "local"])
def test_a_header_that_names_nobody_leaves_the_connections_address(behind, header):
    address, port = seen_address(behind(ALWAYS), before=header)
    assert address == "127.0.0.1" and port != 56324


def test_an_ipv6_client_is_known_as_such(behind):
    address = seen_address(behind(ALWAYS), before=b"PROXY TCP6 2001:db8::1 2001:db8::2 7 8\r\n")
    assert address == ("2001:db8::1", 7)


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
def test_a_strangers_header_is_passed_over_where_strangers_are_allowed(behind, header):
    node = behind('proxy_protocol_behavior = "allow_authorized"\n  ' + FROM_ELSEWHERE)
    address, port = seen_address(node, before=header)
    assert address == "127.0.0.1" and port != 56324


def is_refused(node, data):
    try:
        return raw.ask(node, "GET", "/v1/sys/health", before=data)[0] is None
    except (OSError, ssl.SSLError):
        return True


@pytest.mark.cve("N-106")
def test_a_stranger_is_closed_out_and_the_listener_lives(nodes):
    # The allow-list has the load balancer alone; the test comes to it by another address of this machine.
    node = nodes.node(listener_extra='proxy_protocol_behavior = "deny_unauthorized"\n  proxy_protocol_authorized_addrs = "127.0.0.9"')
    node.launch()
    wait_for("the server runs", lambda: "started!" in node.process.text())
    for _ in range(20):
        for header in (b"", V1, V2):
            assert is_refused(node, header)
    with socket.create_connection(("127.0.0.1", node.port), timeout=10, source_address=("127.0.0.9", 0)) as plain:
        plain.sendall(V1)
        context = ssl.create_default_context(cafile=str(node.authority.ca_file))
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as client:
            client.sendall(b"GET /v1/sys/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 501"
    assert node.process.text().count("proxy_protocol_authorized_addrs does not have it") <= 64  # one a thread


@pytest.mark.parametrize("header", [
    b"PROXY TCP4 192.0.2.1\r\n", b"PROXY " + b"x" * 600, V2[:12] + b"\x21\x11\xff\xff", V2[:12] + b"\x33\x11\0\x0c" + b"\0" * 12,
    V2[:12] + b"\x21\x11\0\x02ab",
], ids=["cut", "endless", "long", "version", "short"])
@pytest.mark.cve("N-106")
def test_a_malformed_header_ends_its_connection_and_no_other(behind, header):
    node = behind(ALWAYS)
    for _ in range(10):
        assert is_refused(node, header)
    assert seen_address(node, before=V1)[0] == "192.0.2.1"


@pytest.mark.cve("N-106")
def test_a_header_that_does_not_end_is_not_waited_for_for_ever(behind):
    node = behind(ALWAYS)
    with raw.Raw(node.port) as silent, raw.Raw(node.port, before=b"PROXY TCP4 ") as slow:
        began = time.monotonic()
        assert slow.is_closed(within=30) and silent.is_closed(within=30)
        assert time.monotonic() - began > 5  # a slow network is no attack


def test_a_header_may_come_in_pieces(behind):
    node = behind(ALWAYS)
    with raw.Raw(node.port, before=V2[:7]) as client:
        time.sleep(0.05)
        client.send(V2[7:20])
        time.sleep(0.05)
        client.send(V2[20:])
        context = ssl.create_default_context(cafile=str(node.authority.ca_file))
        client.socket = context.wrap_socket(client.socket, server_hostname="127.0.0.1")
        client.send(f"GET /v1/sys/mounts HTTP/1.1\r\nHost: a\r\nX-Vault-Token: {node.keys.root_token}\r\n\r\n".encode())
        assert raw.status_of(client.receive()) == 200
    assert node.audit_entries()[-1]["request"]["remote_address"] == "192.0.2.1"


# ---- X-Forwarded-For ----

XFF_HERE = 'x_forwarded_for_authorized_addrs = "127.0.0.1"'
XFF_STRICT = XFF_HERE + "\n  x_forwarded_for_hop_skips = 1\n  x_forwarded_for_reject_not_present = true"


def test_a_listed_proxys_word_names_the_client(behind):
    node = behind(XFF_HERE)
    assert seen_address(node, headers=["X-Forwarded-For: 6.6.6.6, 192.0.2.7"])[0] == "192.0.2.7"
    assert seen_address(node, headers=["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 192.0.2.8"])[0] == "192.0.2.8"
    assert seen_address(node)[0] == "127.0.0.1"


def test_a_strangers_word_is_not_believed(behind):
    node = behind('x_forwarded_for_authorized_addrs = "10.0.0.0/8"')
    assert seen_address(node, headers=["X-Forwarded-For: 192.0.2.7"])[0] == "127.0.0.1"


def test_what_was_asked_to_be_rejected_is(nodes):
    node = nodes.node(listener_extra=XFF_STRICT)
    node.launch()
    wait_for("the server runs", lambda: "started!" in node.process.text())

    def errors(*headers):
        status, answer = raw.ask(node, "GET", "/v1/sys/health", headers=headers)
        return status, json.loads(answer.partition(b"\r\n\r\n")[2]).get("errors")
    assert errors() == (400, ["missing x-forwarded-for header and configured to reject when not present"])
    assert errors("X-Forwarded-For: 192.0.2.7") == (400, [
        "malformed x-forwarded-for configuration or request, hops to skip (1) would skip before earliest chain link "
        "(chain length 1)"])
    assert errors("X-Forwarded-For: a, b") == (400, ["malformed x-forwarded-for: its address is none"])
    assert errors("X-Forwarded-For: 192.0.2.7, b")[0] == 501


# ---- Where addresses decide ----

def test_bound_addresses_of_tokens_and_secret_ids_see_the_client(behind):
    node = behind(ALWAYS)
    root = node.root
    root.write("sys/auth/approle", type="approle").ok(204)
    root.write("auth/approle/role/r", token_policies="default", token_bound_cidrs=["192.0.2.0/24"]).ok(204)
    role_id = root.read("auth/approle/role/r/role-id").ok(200).data["role_id"]
    secret_id = root.write("auth/approle/role/r/secret-id", cidr_list=["192.0.2.0/24"],
                           token_bound_cidrs=["192.0.2.1/32"]).ok(200).data["secret_id"]
    login = json.dumps({"role_id": role_id, "secret_id": secret_id}).encode()
    assert raw.ask(node, "POST", "/v1/auth/approle/login", body=login)[0] in (400, 403)
    status, answer = raw.ask(node, "POST", "/v1/auth/approle/login", body=login, before=V2)
    assert status == 200
    token = json.loads(answer.partition(b"\r\n\r\n")[2])["auth"]["client_token"]
    assert raw.ask(node, "GET", "/v1/auth/token/lookup-self", token=token, before=V1)[0] == 200
    assert raw.ask(node, "GET", "/v1/auth/token/lookup-self", token=token)[0] == 403


# ---- Settings ----

@pytest.mark.parametrize("settings, sentence", [
    ('proxy_protocol_behavior = "sometimes"', 'there are "use_always", "allow_authorized" and "deny_unauthorized"'),
    ('proxy_protocol_behavior = "deny_unauthorized"', 'needs "proxy_protocol_authorized_addrs"'),
    ('proxy_protocol_authorized_addrs = "10.0.0.1"', 'needs "proxy_protocol_behavior"'),
    ('x_forwarded_for_authorized_addrs = "the proxy"', "must be a list of addresses and blocks of them"),
    ("x_forwarded_for_hop_skips = -1", "must be a number, not negative"),
])
def test_settings_that_cannot_be_meant_are_refused(nodes, settings, sentence):
    node = nodes.node(listener_extra=settings)
    node.launch()
    assert node.process.wait() == 1
    assert sentence in node.process.text()
