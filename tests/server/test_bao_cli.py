# SPDX-License-Identifier: Apache-2.0
"""The real `bao` drives Coffer as it drives OpenBao, and Coffer's own command line drives OpenBao as `bao` does.

cli_lines.py is the map: each scene is a list of command lines. Each line is played three times, and what was printed and the
exit codes must be equal, field by field: by bao on OpenBao (how it should be), by bao on Coffer, by coffer on OpenBao.
"""
import concurrent.futures

import pytest

from cli_lines import SCENES
from cli_play import Stuck, World, differences, lines_of
from cli_wanted import WANTED
from lib import settings
from lib.node import Bao, Coffer
from lib.process import Crashed

pytestmark = pytest.mark.coffer_only

class Reference(Bao):
    """It may stumble over a request that comes while it starts or hands over; that is not what is tested here."""

    def stop(self):
        try:
            super().stop()
        except Crashed as crashed:
            if "runtime error:" not in str(crashed):
                raise


# name: the program, and the server that it drives
RUNS = {"bao on OpenBao": ("bao", Reference), "bao on Coffer": ("bao", Coffer), "coffer on OpenBao": ("coffer", Reference)}
REFERENCE = "bao on OpenBao"

# What both have closed unless asked, and `bao operator rekey` still asks for.
OPEN = "disable_unauthed_rekey_endpoints = false"


def _start(nodes):
    made = [nodes.node(cls=cls, listener_extra=OPEN) for _, cls in RUNS.values()]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda node: node.start(), made))
    return made


@pytest.fixture(scope="module")
def shared_trio(shared_nodes):
    return [node.ready() for node in _start(shared_nodes)]


@pytest.fixture
def worlds(request, scene, tmp_path):
    if scene.startswith("new"):
        servers = _start(request.getfixturevalue("nodes"))
    else:
        servers = request.getfixturevalue("shared_trio")
    programs = {"bao": settings.bao_bin(), "coffer": settings.coffer_bin()}
    return {name: World(programs[program], node, tmp_path / name.replace(" ", "-"))
            for (name, (program, _)), node in zip(RUNS.items(), servers)}


def _differing(worlds, line, played):
    theirs = played[REFERENCE]
    for name, done in played.items():
        if name != REFERENCE:
            own_words = RUNS[name][0] != RUNS[REFERENCE][0]
            for place, one, other in differences(line, done, theirs, worlds[name].variables, worlds[REFERENCE].variables,
                                                 own_words):
                yield name, place, one, other


def _play(worlds, scene):
    """Each difference, in turn: (line, run, place, what was printed, what should have been)."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for line in lines_of(scene):
            played = dict(zip(worlds, pool.map(lambda world: world.play(line), worlds.values())))
            for found in _differing(worlds, line, played):
                yield (line, *found)


@pytest.mark.parametrize("scene", SCENES)
def test_one_command_line_is_as_good_as_the_other(scene, worlds):
    problems, used = [], set()
    try:
        for line, name, place, one, other in _play(worlds, SCENES[scene]):
            reasons = [wanted for wanted in WANTED if wanted.covers(scene, name, line, place)]
            used.update(reasons)
            if not reasons:
                problems.append(f"  {line}\n    {place}, {name}: {one!r}\n    {place}, {REFERENCE}: {other!r}")
    except Stuck as stuck:
        problems.append(f"  {stuck}")
    problems += [f"  no longer so, take it off the list: {wanted.why}" for wanted in WANTED
                 if scene in wanted.scenes and wanted not in used]
    assert not problems, "\n" + "\n".join(problems)
