# SPDX-License-Identifier: Apache-2.0
"""`coffer status` says how all nodes stand, to those who may know."""
import json
import re

import pytest

from lib.process import wait_for

pytestmark = pytest.mark.coffer_only


def rows(node, token=None, *args):
    done = node.cli("status", *args, token=token)
    assert done.returncode == (2 if "Sealed             true" in done.stdout else 0), done.stderr
    return dict(re.split(r"  +", line, maxsplit=1) for line in done.stdout.splitlines() if "  " in line)


def test_who_leads_who_lags_and_who_is_sealed_since_when(cluster):
    leader, sealed, other = cluster.wait_leader(), *cluster.standbys()
    token = cluster.root_token
    sealed.restart()
    wait_for("it is known to be sealed", lambda: "sealed since 20" in rows(leader, token)[f"Node {sealed.name}"]
             and "unsealed" not in rows(leader, token)[f"Node {sealed.name}"])
    for node in (leader, other):
        shown = rows(node, token)
        assert shown[f"Node {leader.name}"].startswith("leads, unsealed since 20")
        assert re.match(r"\d+ entr(y|ies) behind, heard of \d+ ms ago, unsealed since 20", shown[f"Node {other.name}"])
        assert rows(sealed, token)["Sealed"] == "true"
    nodes = json.loads(leader.cli("status", "-format=json", token=token).stdout)["nodes"]
    assert {node["node_id"]: node["sealed"] for node in nodes} == {leader.name: False, sealed.name: True, other.name: False}


def test_who_may_not_know_gets_the_rest(cluster):
    leader = cluster.wait_leader()
    weak = cluster.root.write("auth/token/create", policies=["default"]).ok(200).auth["client_token"]
    for token in (None, weak, "nonsense"):
        shown = rows(leader, token)
        assert shown["HA Mode"] == "active" and not any(key.startswith("Node ") for key in shown)
