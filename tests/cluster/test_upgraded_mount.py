# SPDX-License-Identifier: Apache-2.0
"""A leader dies while it converts a kv mount to version 2: the next one goes on, and nothing of the data is lost."""
import pytest

from lib.process import wait_for
from lib.settings import PATIENCE


@pytest.mark.coffer_only
def test_the_next_leader_finishes_an_upgrade(nodes):
    cluster = nodes.cluster(0)
    armed = cluster.add_node("node1", env={"COFFER_FAILPOINTS": "mount.amid_upgrade=kill@2"})
    cluster.add_node("node2")
    cluster.add_node("node3")
    cluster.ready()
    root = cluster.root
    root.write("sys/mounts/kv", type="kv").ok(204)
    for i in range(500):
        root.write(f"kv/{i}", n=i).ok(204)
    root.write("sys/mounts/kv/tune", options={"version": "2"}).ok(200)
    wait_for("the armed leader is dead", lambda: not armed.process.is_running())
    armed.process.was_killed = True
    leader = cluster.wait_leader(timeout=20 * PATIENCE, other_than=armed)
    root = leader.client(cluster.root_token)
    wait_for("the mount is upgraded", lambda: root.read("kv/config").status == 200)
    for i in range(500):
        seen = root.read(f"kv/data/{i}").ok(200).data
        assert (seen["data"], seen["metadata"]["version"]) == ({"n": i}, 1)
