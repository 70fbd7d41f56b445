# SPDX-License-Identifier: Apache-2.0
"""What a load balancer and the clients behind it rely on: redirects that do not go round, health that turns in time."""
import signal
import threading
import time

import pytest

from lib.process import wait_for

pytestmark = pytest.mark.coffer_only


# ---- Redirects ----

@pytest.mark.quick
def test_a_redirect_that_would_lead_back_here_is_an_error_that_says_what_to_do(shared_cluster):
    leader, standby = shared_cluster.wait_leader(), shared_cluster.standbys()[0]
    client = standby.client(shared_cluster.root_token)
    for host in (f"127.0.0.1:{leader.port}", f"127.0.0.1:{leader.port}".upper()):
        answer = client.request("GET", "sys/mounts", headers={"Host": host})
        answer.refused(503, "set api_addr on every node to an address of that node alone")
        assert leader.address in answer.errors[0] and "Location" not in answer.headers
    client.request("GET", "sys/mounts", headers={"Host": "127.0.0.1:1"}).ok(307)


@pytest.mark.quick
def test_every_503_says_when_to_try_again(shared_cluster, nodes):
    standby = shared_cluster.standbys()[0]
    looping = {"Host": f"127.0.0.1:{shared_cluster.wait_leader().port}"}
    assert standby.client("t").request("GET", "kv/a", headers=looping).ok(503).headers["Retry-After"] == "1"
    sealed = nodes.node()
    sealed.start()
    sealed.initialise()
    for path in ("kv/a", "sys/health"):
        assert sealed.client("t").read(path).ok(503).headers["Retry-After"] == "1"
    assert "Retry-After" not in standby.client().read("sys/health").ok(429).headers


def test_two_members_with_the_same_api_addr_are_warned_of(nodes):
    cluster = nodes.cluster(1)
    first = cluster.nodes[0]
    cluster.add_node("node2", env={"VAULT_API_ADDR": first.address})
    cluster.ready()
    second = cluster.nodes[1]
    for node in cluster.nodes:
        wait_for("the warning", lambda n=node: f"have the same api_addr, {first.address}" in n.process.text())
    wait_for("who answers there is known", lambda: f"api_addr {first.address} leads to other servers" in second.process.text())
    assert "leads to other servers" not in first.process.text()


# ---- Health turns first ----

class _Load:
    """Writes to one node, one after the other, and keeps what was not a success."""

    def __init__(self, node, token):
        self.client, self.failures, self.over, self.done = node.client(token), [], threading.Event(), 0
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.over.is_set():
            answer = self.client.write("kv/load", x="1")
            self.done += 1
            if answer.status != 204:
                self.failures.append((time.monotonic(), answer))
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


@pytest.fixture
def draining(nodes):
    cluster = nodes.cluster(3, config_extra='drain_time = "2s"').ready()
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)
    return cluster


def test_before_a_step_down_health_says_standby_while_requests_are_served(draining):
    old, token = draining.wait_leader(), draining.root_token
    with _Load(old, token) as load:
        asked = threading.Thread(target=lambda: old.client(token).write("sys/step-down").ok(204))
        asked.start()
        wait_for("health turns", lambda: old.health() == 429)
        turned, served = time.monotonic(), load.done
        assert old.client().read("sys/health", standbyok="true").status == 200
        wait_for("requests go on", lambda: load.done > served + 5)
        assert load.failures == []
        asked.join()
    assert draining.wait_leader(other_than=old) is not old
    assert load.failures[0][0] - turned > 1.5


@pytest.mark.parametrize("is_leader", [True, False])
def test_before_a_stop_health_says_503_while_requests_are_served(draining, is_leader):
    node = draining.wait_leader() if is_leader else draining.standbys()[0]
    node.process.signal(signal.SIGTERM)
    wait_for("health turns", lambda: node.health() == 503)
    assert node.client().read("sys/health", standbyok="true", standbycode="200").status == 503
    node.client(draining.root_token).write("kv/still", x="1").ok(204 if is_leader else 307)
    node.process.stop()
    draining.wait_leader(other_than=node)
