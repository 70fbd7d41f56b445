# SPDX-License-Identifier: Apache-2.0
"""What a node tells of itself: what it is working on, how it is configured, what machine it runs on."""
import os
import threading

import pytest

from lib.process import wait_for
from lib.static_seal import StaticSeal, initialise


@pytest.mark.coffer_only
def test_a_request_is_listed_while_it_is_worked_on_and_no_longer(nodes):
    node = nodes.node(env={"COFFER_FAILPOINTS": "mount.before_arrival=sleep:1500"})
    node.start()
    root = node.ready().root
    root.write("sys/mounts/old", type="kv").ok(204)
    moving = threading.Thread(target=lambda: node.root.write("sys/remount", **{"from": "old", "to": "new"}).ok(200))
    moving.start()

    def listed():
        found = root.read("sys/in-flight-req").ok(200).json.values()
        return [(one["request_method"], one["request_path"], one["client_remote_address"].split(":")[0]) for one in found]
    remount, own = ("POST", "/v1/sys/remount", "127.0.0.1"), ("GET", "/v1/sys/in-flight-req", "127.0.0.1")
    wait_for("it is listed", lambda: remount in listed())
    moving.join()
    assert listed() == [own]


def test_a_listener_may_tell_everybody_what_is_worked_on(nodes):
    node = nodes.node(listener_extra="inflight_requests_logging { unauthenticated_in_flight_requests_access = true }")
    node.start()
    node.ready()
    found = node.client().read("sys/in-flight-req").ok(200).json
    assert [one["request_path"] for one in found.values()] == ["/v1/sys/in-flight-req"]
    node.client().read("sys/metrics").refused(403)
    node.client().read("sys/host-info").refused(403)


def test_the_machine_is_the_one_that_the_test_runs_on(root):
    data = root.read("sys/host-info").ok(200).data
    memory = dict(line.split(":") for line in open("/proc/meminfo", encoding="ascii"))
    assert data["memory"]["total"] == int(memory["MemTotal"].split()[0]) * 1024
    assert 0 < data["memory"]["used"] < data["memory"]["total"]
    assert len(data["cpu"]) == len(data["cpu_times"]) == os.cpu_count()
    assert (data["host"]["hostname"], data["host"]["kernelVersion"]) == (os.uname().nodename, os.uname().release)
    assert data["host"]["uptime"] > 0 and data["host"]["procs"] > 0
    for disk in data["disk"]:
        assert disk["used"] + disk["free"] <= disk["total"] and disk["path"].startswith("/")


def test_the_configuration_is_shown_as_it_was_written(server, root):
    data = root.read("sys/config/state/sanitized").ok(200).data
    listener = data["listeners"][0]["config"]
    assert listener["address"] == f"127.0.0.1:{server.port}" and listener["tls_cert_file"] == str(server.cert_file)
    assert data["api_addr"] == server.address and data["storage"]["type"] == "raft"
    assert data["seals"] == [{"disabled": False, "type": "shamir"}]


@pytest.mark.coffer_only
def test_of_a_seal_no_more_than_its_type_is_shown(nodes, tmp_path):
    seal = StaticSeal(tmp_path / "seal", "k1")
    node = nodes.node(config_extra=seal.stanza(current=seal.key.hex()))
    node.start()
    initialise(node)
    node.wait_active()
    shown = node.root.read("sys/config/state/sanitized").ok(200)
    assert shown.data["seals"] == [{"disabled": False, "type": "static"}]
    assert seal.key.hex() not in shown.raw.decode()
