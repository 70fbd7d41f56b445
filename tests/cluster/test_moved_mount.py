# SPDX-License-Identifier: Apache-2.0
"""A leader dies while it moves a mount: the next one finishes, and nothing of the data is lost."""
import pytest
import requests

from lib.process import wait_for
from lib.settings import PATIENCE


@pytest.mark.coffer_only
def test_the_next_leader_finishes_a_move(nodes):
    cluster = nodes.cluster(0)
    armed = cluster.add_node("node1", env={"COFFER_FAILPOINTS": "mount.before_arrival=kill"})
    cluster.add_node("node2")
    cluster.add_node("node3")
    cluster.ready()
    cluster.root.write("sys/mounts/old", type="kv").ok(204)
    cluster.root.write("old/a", x="1").ok(204)
    with pytest.raises(requests.RequestException):
        cluster.root.write("sys/remount", **{"from": "old", "to": "new"})
    wait_for("the armed leader is dead", lambda: not armed.process.is_running())
    armed.process.was_killed = True
    leader = cluster.wait_leader(timeout=20 * PATIENCE, other_than=armed)
    root = leader.client(cluster.root_token)
    wait_for("the mount has arrived", lambda: root.read("new/a").status == 200)
    assert root.read("new/a").data == {"x": "1"}
    root.read("old/a").refused(404)
    assert "old/" not in root.read("sys/mounts").ok(200).data
