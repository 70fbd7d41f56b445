# SPDX-License-Identifier: Apache-2.0
"""Each scenario file is played on Coffer and on OpenBao; see README.md beside this file.

    COFFER_BIN=… pytest -c tests/pytest.ini tests/scenarios -k kv2
"""
import time

import pytest

from compare import WantedList, compare
from lib.node import Bao, Coffer
from scenario import Mistake, Player, all_scenarios

SCENARIOS = all_scenarios()
REQUESTS_AT_LEAST = 600

# What is always there; the rest is taken away after each scenario.
_MOUNTS = {"cubbyhole/", "identity/", "sys/"}
_POLICIES = {"default", "root", "response-wrapping"}


def _pair(nodes):
    pair = [nodes.node(cls=cls) for cls in (Coffer, Bao)]
    for node in pair:
        node.start()
    return pair


@pytest.fixture(scope="module")
def shared_pair(shared_nodes):
    return [node.ready() for node in _pair(shared_nodes)]


def _clean(node):
    root = node.root
    for path in set(root.read("sys/mounts").ok(200).data) - _MOUNTS:
        root.delete(f"sys/mounts/{path}").ok()
    for path in set(root.read("sys/auth").ok(200).data) - {"token/"}:
        root.delete(f"sys/auth/{path}").ok()
    for name in set(root.list("sys/policies/acl").ok(200).data["keys"]) - _POLICIES:
        root.delete(f"sys/policies/acl/{name}").ok()
    for path in root.read("sys/audit").ok(200).data:
        root.delete(f"sys/audit/{path}").ok()
    for key in (root.list("cubbyhole").data or {}).get("keys", []):
        root.delete(f"cubbyhole/{key}").ok()
    for path in ("auth/token/create", "auth/token/create-orphan"):
        root.write(f"sys/leases/revoke-prefix/{path}").ok()


@pytest.fixture
def pair(request, scenario):
    if scenario.wants_new_servers:
        yield _pair(request.getfixturevalue("nodes"))
        return
    pair = request.getfixturevalue("shared_pair")
    yield pair
    for node in pair:
        _clean(node)


def _play_both(scenario, players, wanted):
    """What went otherwise than it should, as text."""
    for step in scenario.steps:
        if step.word == "wait":
            time.sleep(float(step.argument))
        try:
            coffer, bao = (player.play(step) for player in players)
        except Mistake as mistake:
            yield f"  {scenario.path.name}:{step.line}: {mistake}"
            return
        if coffer is None:
            continue
        found = wanted.unwanted(scenario, step, compare(coffer, bao, *(player.variables for player in players)))
        if coffer.status != step.status or found:
            heading = f"  {scenario.path.name}:{step.line}: {step} => {step.status}, and Coffer answered {coffer.status}"
            yield "\n".join([heading, *map(str, found)])


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_coffer_answers_as_openbao(scenario, pair):
    wanted, players = WantedList(), [Player(node) for node in pair]
    problems = list(_play_both(scenario, players, wanted))
    problems += [f"  no longer so, take it off the list of differences: {entry.why}" for entry in wanted.unused_in(scenario)]
    for player in players:
        player.close()
    assert not problems, "\n" + "\n".join(problems)


def test_there_are_enough_requests():
    assert sum(scenario.requests for scenario in SCENARIOS) >= REQUESTS_AT_LEAST
