# SPDX-License-Identifier: Apache-2.0
"""Versions that are mixed. The next one is played by this one: a test build can be told that it reads and writes one form
of the log more (src/base/format.h)."""
import re
import time

import pytest

from lib import settings
from lib.process import wait_for

pytestmark = pytest.mark.coffer_only

NEXT = {"COFFER_TEST_FORMAT": "2"}


def exchange(cluster, node, env):
    """Starts another version on a node."""
    node.stop()
    node.env.pop("COFFER_TEST_FORMAT", None)
    node.env.update(env)
    node.start()
    node.unseal(cluster.keys)
    wait_for("it follows", lambda: node.health() in (200, 429))


def write(cluster, key, value):
    cluster.root.write(f"kv/{key}", value=value).ok(204)


def read(cluster, key):
    return cluster.root.read(f"kv/{key}").ok(200).data["value"]


@pytest.fixture
def mixed(nodes):
    cluster = nodes.cluster(3).ready()
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)
    return cluster


def test_nodes_are_exchanged_one_by_one_while_all_is_read_and_written(mixed):
    for number, node in enumerate(mixed.nodes):
        write(mixed, f"before{number}", "old")
        exchange(mixed, node, NEXT)
        write(mixed, f"after{number}", "new")
        assert [read(mixed, f"{when}{n}") for n in range(number + 1) for when in ("before", "after")] == \
            ["old", "new"] * (number + 1)


def test_while_one_is_old_it_can_take_over_and_the_exchange_can_be_undone(mixed):
    first, second, third = mixed.nodes
    exchange(mixed, first, NEXT)
    exchange(mixed, second, NEXT)
    mixed.wait_leader().client(mixed.root_token).write("sys/step-down", node_id=third.name)
    wait_for("the old one leads", lambda: mixed.wait_leader() is third)
    write(mixed, "a", "by the old")
    for node in (first, second):
        exchange(mixed, node, {})
        assert read(mixed, "a") == "by the old"


def test_the_old_version_refuses_what_only_the_next_reads_and_the_others_go_on(mixed):
    for node in mixed.nodes:
        exchange(mixed, node, NEXT)
    time.sleep(2 * settings.PATIENCE)  # they tell each other twice a second
    write(mixed, "b", "by all new ones")
    old = mixed.standbys()[0]
    old.stop()
    del old.env["COFFER_TEST_FORMAT"]
    old.launch()
    wait_for("it ends", lambda: not old.process.is_running())
    assert re.search("form 2.*reads forms up to 1", old.log_file.read_text())
    write(mixed, "c", "goes on")
    exchange(mixed, old, NEXT)
    assert read(mixed, "c") == "goes on"


def test_an_old_version_cannot_join_what_it_could_not_read(nodes):
    cluster = nodes.cluster(1, env=NEXT).ready()
    late = nodes.node(name="late")
    late.start()
    late.client().write("sys/storage/raft/join", leader_api_addr=cluster.nodes[0].address,
                        leader_ca_cert=cluster.authority.ca_file.read_text()).ok(200)
    answer = late.client().write("sys/unseal", key=cluster.keys.shares[0])
    assert "start a newer one there" in answer.errors[0], answer
