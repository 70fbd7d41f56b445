# SPDX-License-Identifier: Apache-2.0
"""The short form of kill_rounds.py, which is a command of its own for the long one."""
import pytest

from cluster.kill_rounds import Rounds

pytestmark = pytest.mark.coffer_only


def test_five_kills_at_random_moments_violate_nothing(cluster, moto):
    rounds = Rounds(cluster, moto, clients=3, seed=1)
    rounds.prepare()
    rounds.run(5)
    assert rounds.violations == [] and rounds.issued > 10
