# SPDX-License-Identifier: Apache-2.0
"""What is left of a cluster whose majority is lost for good: raft/peers.json, as docs/recovery.md says."""
import json
import shutil

import pytest

from lib.process import wait_for

pytestmark = pytest.mark.coffer_only


def peers_file(node):
    return node.data_dir / "raft" / "peers.json"


def entry(node, **more):
    return {"id": node.name, "address": f"127.0.0.1:{node.cluster_port}", "non_voter": False, **more}


def test_the_last_of_three_goes_on_with_all_that_was_acknowledged(cluster):
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)
    for number in range(20):
        cluster.root.write(f"kv/{number}", x=str(number)).ok(204)
    cluster.wait_level()
    lost = [cluster.wait_leader(), cluster.standbys()[0]]
    last = [node for node in cluster.nodes if node not in lost][0]
    for node in lost:
        node.kill()
    last.stop()
    peers_file(last).write_text(json.dumps([entry(last)]))
    last.start()
    last.unseal(cluster.keys)
    last.wait_active()
    assert not peers_file(last).exists()
    assert set(cluster.members()) == {last.name}
    for number in range(20):
        assert last.root.read(f"kv/{number}").ok(200).data == {"x": str(number)}
    again = lost[0]
    shutil.rmtree(again.data_dir)
    again.data_dir.mkdir()
    again.start()
    cluster.join(again, through=last)
    cluster.wait_voters(2)
    last.root.write("kv/more", x="1").ok(204)
    last.restart()  # and it is still so after a start without the file
    last.unseal(cluster.keys)
    assert set(cluster.members()) == {last.name, again.name}


def test_two_of_five_go_on_and_the_one_with_more_of_the_log_leads(nodes):
    cluster = nodes.cluster(3).ready()
    cluster.root.write("sys/storage/raft/autopilot/configuration", server_stabilization_time="0s").ok(204)
    for name in ("node4", "node5"):
        cluster.join(cluster.add_node(name))
    cluster.wait_voters(5)
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)
    behind, ahead = cluster.standbys()[:2]
    behind.kill()
    cluster.root.write("kv/late", x="1").ok(204)
    cluster.wait_level()
    cluster.kill_all()
    for node in (behind, ahead):
        peers_file(node).write_text(json.dumps([entry(ahead), entry(behind)]))
        node.start()
        node.unseal(cluster.keys)
    assert cluster.wait_leader() is ahead
    assert ahead.root.read("kv/late").ok(200).data == {"x": "1"}
    cluster.wait_voters(2)


@pytest.mark.parametrize("text, why", [
    ("{", "peers.json"),
    ("{}", "must be an array"),
    ("[]", "is not in it"),
    ('[{"id": "node9", "address": "127.0.0.1:1"}]', "was no member"),
    ('[{"id": "node1", "address": "nowhere"}]', "host:port"),
    ('[{"id": "node1", "address": "127.0.0.1:1", "non_voter": true}]', "no voter"),
    ('[{"id": "node1", "address": "127.0.0.1:1"}, {"id": "node1", "address": "127.0.0.1:2"}]', "twice"),
])
def test_a_list_that_cannot_be_right_changes_nothing(node, text, why):
    node.ready()
    node.stop()
    peers_file(node).write_text(text)
    node.launch()
    wait_for("it refuses to start", lambda: not node.process.is_running())
    assert why in node.log_file.read_text()
    peers_file(node).unlink()
    node.start()
    node.unseal()
    node.wait_active()
