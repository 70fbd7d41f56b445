# SPDX-License-Identifier: Apache-2.0
"""Audit devices besides the file, what is set for them, and which headers of requests stand in the entries."""
import contextlib
import json
import os
import pathlib
import socket
import time

import pytest

from lib import settings
from lib.process import wait_for

pytestmark = [pytest.mark.quick, pytest.mark.coffer_only]


@pytest.fixture
def ready(node):
    node.ready()
    node.root.write("sys/mounts/kv", type="kv").ok(204)
    return node


class Sink:
    """What takes the entries at the other end."""

    def __init__(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, address=("127.0.0.1", 0), backlog=16):
        self.is_stream = kind == socket.SOCK_STREAM
        self.socket = socket.socket(family, kind)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(address)
        self.socket.settimeout(10 * settings.PATIENCE)
        self.peer, self.rest = None, b""
        if self.is_stream:
            self.socket.listen(backlog)

    @property
    def address(self):
        name = self.socket.getsockname()
        return name if isinstance(name, str) else f"127.0.0.1:{name[1]}"

    def message(self):
        """The next one: a line of a stream, or a datagram."""
        if not self.is_stream:
            return self.socket.recv(1 << 20)
        while b"\n" not in self.rest:
            if self.peer is None:
                self.peer = self.socket.accept()[0]
                self.peer.settimeout(10 * settings.PATIENCE)
            more = self.peer.recv(1 << 16)
            if not more:
                self.peer = None
            self.rest = self.rest + more if more else b""
        line, self.rest = self.rest.split(b"\n", 1)
        return line

    def entry_of(self, path, kind="response"):
        while True:
            text = self.message()
            entry = json.loads(text[text.index(b"{"):])
            if entry["type"] == kind and entry["request"]["path"] == path:
                return entry, text

    def close(self):
        if self.peer:
            self.peer.close()
        self.socket.close()


@contextlib.contextmanager
def sink(**options):
    end = Sink(**options)
    try:
        yield end
    finally:
        end.close()


def enable(node, name, kind, **options):
    return node.root.write(f"sys/audit/{name}", type=kind, options=options)


# ---- socket ----

def test_a_tcp_socket_gets_each_entry_as_a_line(ready):
    with sink() as end:
        enable(ready, "far", "socket", address=end.address).ok(204)
        ready.root.write("kv/a", secret="top-secret").ok(204)
        entry, text = end.entry_of("kv/a")
        assert entry["request"]["operation"] in ("create", "update") and b"top-secret" not in text


def test_datagrams_carry_one_entry_each(ready, tmp_path):
    with sink(kind=socket.SOCK_DGRAM) as end, \
            sink(family=socket.AF_UNIX, kind=socket.SOCK_DGRAM, address=str(tmp_path / "sock")) as local:
        enable(ready, "udp", "socket", address=end.address, socket_type="udp").ok(204)
        enable(ready, "unix", "socket", address=local.address, socket_type="unixgram").ok(204)
        ready.root.write("kv/a", x="1").ok(204)
        assert end.entry_of("kv/a")[0]["request"]["id"] == local.entry_of("kv/a")[0]["request"]["id"]


def test_a_socket_that_comes_back_is_connected_to_again(ready):
    ready.enable_audit()
    with sink() as end:
        enable(ready, "far", "socket", address=end.address).ok(204)
        ready.root.write("kv/a", x="1").ok(204)
        end.entry_of("kv/a")
        address = end.socket.getsockname()
    ready.root.write("kv/b", x="1").ok(204)  # nobody is there; the file takes it
    with sink(address=address) as end:
        ready.root.write("kv/c", x="1").ok(204)
        assert end.entry_of("kv/c")[0]["request"]["path"] == "kv/c"


def test_wrong_options_are_refused_with_their_reason(ready):
    enable(ready, "x", "socket").refused(400, "address is required")
    enable(ready, "x", "socket", address="127.0.0.1:1").refused(400, "audit backend failed test message")
    enable(ready, "x", "socket", address="127.0.0.1").refused(400, "missing port in address")
    enable(ready, "x", "socket", address="127.0.0.1:1", socket_type="foo").refused(400, "unknown network foo")
    enable(ready, "x", "socket", address="127.0.0.1:1", write_timeout="foo").refused(400, 'invalid duration "foo"')
    enable(ready, "x", "socket", address="127.0.0.1:1", write_timeout="1h").refused(400, "write_timeout must be")
    enable(ready, "x", "syslog", facility="nope").refused(400, "invalid syslog facility")
    enable(ready, "x", "syslog", tag="a b").refused(400, "the tag must be")
    enable(ready, "x", "nosuch").refused(400, "unknown backend type")
    enable(ready, "x", "file", file_path="/tmp/x", format="jsonx").refused(400, "jsonx formatting has been removed")
    enable(ready, "x", "file", file_path="/tmp/x", prefix="#").refused(400, "audit log prefixing is not allowed")
    assert ready.root.read("sys/audit").ok(200).data == {}


def fill(node, name):
    """Writes until the socket's buffers are full, and says how long the slowest request took."""
    slowest = 0
    for number in range(40):
        since = time.monotonic()
        answer = node.root.write("kv/big", **{name: ["x" * 64] * 8000})
        slowest = max(slowest, time.monotonic() - since)
        if answer.status != 204:
            return slowest, answer
    return slowest, answer


def test_a_device_that_hangs_delays_once_and_for_no_longer_than_its_bound(ready):
    ready.enable_audit()
    with sink() as end:  # connects, and never reads
        enable(ready, "far", "socket", address=end.address, write_timeout="1s").ok(204)
        slowest, answer = fill(ready, "a")
        assert answer.status == 204, "the file takes the entries"
        since = time.monotonic()
        for _ in range(20):
            ready.root.read("kv/none").refused(404)
        assert time.monotonic() - since < 5 * settings.PATIENCE, "it waits for the hanging device each time"
        assert slowest < 6 * settings.PATIENCE
    ready.root.delete("sys/audit/far").ok(204)


def test_when_the_last_device_hangs_nothing_is_answered_and_it_recovers_by_itself(ready):
    with sink(backlog=1) as end:  # the test of the address, and one more: no third, whose buffers would have room again
        enable(ready, "far", "socket", address=end.address, write_timeout="500ms").ok(204)
        _, answer = fill(ready, "a")
        answer.refused(500, "internal error")
        ready.root.read("kv/none").refused(500)
        # It reads again.
        end.peer = end.socket.accept()[0]
        end.peer.setblocking(False)

        def drained():
            with contextlib.suppress(BlockingIOError, ConnectionError):
                while end.peer.recv(1 << 20):
                    pass
            with contextlib.suppress(BlockingIOError):
                end.socket.setblocking(False)
                end.peer = end.socket.accept()[0]
                end.peer.setblocking(False)
            return ready.root.read("kv/none").status == 404
        wait_for("the device takes entries again", drained, timeout=20)


# ---- syslog ----

@pytest.fixture
def syslog():
    path = pathlib.Path("/dev/log")
    if path.exists() or not os.access("/dev", os.W_OK):
        pytest.skip("there is a syslog here, or no right to be one")
    end = Sink(family=socket.AF_UNIX, kind=socket.SOCK_DGRAM, address=str(path))
    yield end
    end.close()
    path.unlink(missing_ok=True)


def test_syslog_gets_each_entry_with_facility_and_tag(ready, syslog):
    enable(ready, "log", "syslog", facility="local3", tag="vaults").ok(204)
    ready.root.write("kv/a", secret="top-secret").ok(204)
    entry, text = syslog.entry_of("kv/a")
    assert entry["request"]["mount_type"] == "kv" and b"top-secret" not in text
    head = text[:text.index(b"{")].decode()
    assert head.startswith(f"<{(19 << 3) | 6}>") and head.endswith(f" vaults[{ready.process.proc.pid}]: ")


def test_without_a_syslog_the_device_cannot_be_enabled(ready):
    if pathlib.Path("/dev/log").exists():
        pytest.skip("there is a syslog here")
    enable(ready, "log", "syslog").refused(400, "Unix syslog delivery error")


# ---- Options of all ----

@pytest.mark.cve("N-091")
def test_options_shape_the_entries(nodes, tmp_path):
    node = nodes.node(config_extra="allow_audit_log_prefixing = true")
    node.start()
    node.ready()
    node.root.write("sys/mounts/kv", type="kv").ok(204)
    raw, listing = tmp_path / "raw", tmp_path / "listing"
    enable(node, "raw", "file", file_path=str(raw), log_raw="true", prefix="audit: ", mode="0640").ok(204)
    enable(node, "listing", "file", file_path=str(listing), elide_list_responses=True, hmac_accessor="false").ok(204)
    node.root.write("kv/a", secret="seen-in-raw").ok(204)
    node.root.list("kv").ok(200)
    assert raw.stat().st_mode & 0o777 == 0o640 and "seen-in-raw" in raw.read_text()
    assert all(line.startswith("audit: {") for line in raw.read_text().splitlines())
    entry = json.loads(listing.read_text().splitlines()[-1])
    assert entry["response"]["data"]["keys"] == 1
    assert not entry["auth"]["accessor"].startswith("hmac-") and "seen-in-raw" not in listing.read_text()
    node.restart()
    node.unseal()
    node.wait_active()
    node.root.read("kv/a").ok(200)
    assert raw.read_text().splitlines()[-1].startswith("audit: ")


# ---- Headers ----

RULES = "sys/config/auditing/request-headers"


def test_header_rules_are_kept_listed_and_deleted(ready):
    assert ready.root.read(RULES).ok(200).data == {"headers": {}}
    ready.root.read(f"{RULES}/X-Id").refused(400, "Could not find header in config")
    ready.root.write(f"{RULES}/X-Id", hmac=True).ok(204)
    ready.root.write(f"{RULES}/x-trace").ok(204)
    answer = ready.root.read(RULES).ok(200)
    assert answer.data["headers"] == {"x-id": {"hmac": True}, "x-trace": {"hmac": False}}
    assert answer.json["headers"] == answer.data["headers"]
    assert ready.root.read(f"{RULES}/X-Id").ok(200).data == {"X-Id": {"hmac": True}}
    ready.root.delete(f"{RULES}/X-ID").ok(204)
    ready.root.delete(f"{RULES}/never").ok(204)
    assert ready.root.read(RULES).ok(200).data["headers"] == {"x-trace": {"hmac": False}}
    ready.root.write("sys/policies/acl/most", policy='path "*" { capabilities = ["read", "update"] }').ok(204)
    token = ready.root.write("auth/token/create", policies=["most"]).ok(200).auth["client_token"]
    ready.client(token).read(RULES).refused(403)


@pytest.mark.cve("N-090")
def test_only_the_headers_of_the_rules_are_in_the_entries(ready):
    ready.enable_audit()
    for name, hmac in {"x-id": False, "x-hidden": True, "x-vault-token": False, "x-absent": False}.items():
        ready.root.write(f"{RULES}/{name}", hmac=hmac).ok(204)
    ready.root.request("GET", "kv/a", headers={"X-Id": "one", "X-Hidden": "hide-me", "X-Other": "nobody"})
    entries = [entry for entry in ready.audit_entries() if entry["request"]["path"] == "kv/a"]
    assert len(entries) == 2
    for entry in entries:
        headers = entry["request"]["headers"]
        assert set(headers) == {"x-id", "x-hidden", "x-vault-token"} and headers["x-id"] == ["one"]
        assert headers["x-hidden"][0].startswith("hmac-sha256:")
        assert headers["x-vault-token"][0].startswith("hmac-sha256:"), "a token is hashed whatever the rule says"
    ready.root.delete(f"{RULES}/x-id").ok(204)
    ready.root.request("GET", "kv/b", headers={"X-Id": "one"})
    assert "x-id" not in ready.audit_entries()[-1]["request"]["headers"]
    ready.restart()
    ready.unseal()
    ready.wait_active()
    ready.root.request("GET", "kv/c", headers={"X-Hidden": "hide-me"})
    assert "x-hidden" in ready.audit_entries()[-1]["request"]["headers"]
