# SPDX-License-Identifier: Apache-2.0
"""Clients that take their time are cut off in the end. Takes most of a minute."""
import time

import pytest

from lib.raw import Raw

pytestmark = pytest.mark.coffer_only


def trickle(raw, data, seconds):
    """One byte every 100 ms; returns whether the server closed in time."""
    end = time.monotonic() + seconds
    for byte in data:
        if time.monotonic() > end:
            return False
        if not raw.send(bytes([byte])) or raw.is_closed(within=0.1):
            return True
    return raw.is_closed(within=max(0.1, end - time.monotonic()))


@pytest.mark.cve("N-109")
def test_a_head_that_never_ends_is_cut_off(server):
    with Raw(server.port, server.authority.ca_file) as raw:
        raw.send(b"GET /v1/sys/health HTTP/1.1\r\n")
        assert trickle(raw, b"X-Slow: " + b"x" * 2000, 45)


@pytest.mark.cve("N-109")
def test_a_body_that_never_ends_is_cut_off(server):
    with Raw(server.port, server.authority.ca_file) as raw:
        raw.send(b"POST /v1/sys/unseal HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        assert trickle(raw, b" " * 2000, 110)


@pytest.mark.cve("N-109")
def test_a_tls_handshake_that_never_ends_is_cut_off(server):
    with Raw(server.port) as raw:
        raw.send(b"\x16\x03\x01")
        assert raw.is_closed(within=45)


def test_a_thousand_idle_connections_leave_room_for_others(server):
    idle = [Raw(server.port, timeout=10) for _ in range(1000)]
    try:
        server.client(timeout=10).read("sys/health").ok(200)
    finally:
        for raw in idle:
            raw.__exit__()
