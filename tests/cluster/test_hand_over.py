# SPDX-License-Identifier: Apache-2.0
"""A leader that can hardly write any more hands over to a node that can, and lets it lead."""
import errno
import os

import pytest

from lib.process import wait_for

pytestmark = pytest.mark.coffer_only


def fill(folder, leave):
    free = os.statvfs(folder)
    with open(folder / "filler", "wb", buffering=0) as file:
        file.write(bytes(free.f_bavail * free.f_frsize - leave))
    return folder / "filler"


@pytest.mark.needs_root
@pytest.mark.parametrize("leave", [200_000, 0])
def test_a_leader_whose_disk_is_full_hands_over_and_recovers_without_a_restart(nodes, small_disk, leave):
    cluster = nodes.cluster(0)
    cramped = cluster.add_node("node1", data_dir=small_disk / "data")
    cluster.add_node("node2"), cluster.add_node("node3")
    cluster.ready()
    assert cluster.wait_leader() is cramped
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)
    filler = fill(small_disk, leave)
    if leave == 0:  # only a write shows it before the next look at the disk
        cramped.client(cluster.root_token, timeout=20).write("kv/a", x="1")
    cluster.wait_leader(other_than=cramped)
    wait_for("another one serves", lambda: cluster.root.write("kv/a", x="1").status == 204)
    assert cramped.process.is_running() and not cramped.is_leader()
    filler.unlink()
    wait_for("it has all again", lambda: cramped.client().read("sys/health", standbyok=True).json["disk_space"] == "enough")
    cluster.root.write("kv/b", x="1").ok(204)
    cluster.wait_level()


@pytest.mark.needs_root
def test_where_all_disks_are_nearly_full_somebody_leads_all_the_same(nodes, small_disk):
    cluster = nodes.cluster(0)
    for number in (1, 2, 3):
        cluster.add_node(f"node{number}", data_dir=small_disk / f"data{number}")
    cluster.ready()
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)
    cluster.root.write("kv/a", x="1").ok(204)
    fill(small_disk, 200_000)
    wait_for("all notice", lambda: all(
        node.client().read("sys/health", standbyok=True).json["disk_space"] == "scarce" for node in cluster.nodes))
    leader = cluster.wait_leader()
    cluster.root.delete("kv/a").ok(204)
    assert cluster.root.write("kv/b", x="1").status == 503
    assert cluster.wait_leader() is leader
    leader.kill()
    cluster.wait_leader(other_than=leader, timeout=30)


def test_a_leader_whose_audit_log_cannot_be_written_hands_over(nodes):
    cluster = nodes.cluster(3, faults=True).ready()
    leader = cluster.wait_leader()
    leader.enable_audit()
    leader.faults.fail("write", errno.ENOSPC, "audit.log")
    leader.root.read("sys/mounts")
    cluster.wait_leader(other_than=leader)
    cluster.root.read("sys/mounts").ok(200)
    assert "no audit device takes entries" in leader.process.text()
