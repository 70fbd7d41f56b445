# SPDX-License-Identifier: Apache-2.0
"""The shipped HAProxy configurations: where requests go, and whose they are taken to be."""
import json
import shutil
import socket
import ssl

import pytest

from cluster.rolling import Rolling

pytestmark = [pytest.mark.coffer_only,
              pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")]


@pytest.fixture(params=["haproxy.cfg", "haproxy-active.cfg"])
def rolling(request, tmp_path, authority):
    made = Rolling(tmp_path, authority, forwarding=True, active=request.param == "haproxy-active.cfg", drain="0s")
    try:
        yield made.ready()
    finally:
        made.stop()


def ask_from(address, haproxy, ca_file, path, token):
    """One request out of another address of this machine, as a client elsewhere would send it."""
    with socket.create_connection(("127.0.0.1", haproxy.port), timeout=20, source_address=(address, 0)) as plain:
        with ssl.create_default_context(cafile=str(ca_file)).wrap_socket(plain, server_hostname="127.0.0.1") as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Vault-Token: {token}\r\n"
                           "X-Forwarded-For: 6.6.6.6\r\n\r\n".encode())
            answer = b"".join(iter(lambda: client.recv(65536), b""))
    return int(answer.split()[1])


def test_the_audit_log_has_the_clients_address_whichever_node_was_asked(rolling):
    cluster = rolling.cluster
    log = cluster.folder / "audit.log"
    cluster.root.write("sys/audit/file", type="file", options={"file_path": str(log)}).ok(204)
    before = len(log.read_text().splitlines())
    for number in range(2, 8):
        assert ask_from(f"127.0.0.{number}", rolling.haproxy, cluster.authority.ca_file, "/v1/sys/mounts",
                        cluster.root_token) == 200
    entries = [json.loads(line) for line in log.read_text().splitlines()[before:]]
    seen = [entry["request"]["remote_address"] for entry in entries if entry["type"] == "response"]
    assert seen == [f"127.0.0.{number}" for number in range(2, 8)]
    forwarders = {entry.get("forwarded_from") for entry in entries}
    assert len(forwarders) == (1 if rolling.config == "haproxy-active.cfg" else 3)
