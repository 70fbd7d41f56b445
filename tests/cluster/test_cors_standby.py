# SPDX-License-Identifier: Apache-2.0
"""A standby tells browsers the same as the leader, whether it redirects or forwards."""
import pytest

from lib.process import wait_for

ORIGIN = "https://tools.example.com"


@pytest.mark.coffer_only
@pytest.mark.parametrize("config", ["", "request_forwarding = true"])
def test_a_standby_judges_origins_itself(nodes, config):
    cluster = nodes.cluster(3, config_extra=config).ready()
    cluster.root.write("sys/config/cors", allowed_origins=[ORIGIN]).ok(204)
    leader = cluster.leader()
    client = next(node for node in cluster.nodes if node is not leader).client(cluster.root_token)

    def ask(method, origin, **headers):
        return client.request(method, "sys/mounts", headers={"Origin": origin, **headers})
    wait_for("the standby knows it", lambda: ask("GET", ORIGIN).headers.get("Access-Control-Allow-Origin") == ORIGIN)
    assert ask("GET", ORIGIN).status == (200 if config else 307)
    ask("OPTIONS", ORIGIN, **{"Access-Control-Request-Method": "GET"}).ok(200)
    ask("GET", "https://evil.example").refused(403, "origin not allowed")
