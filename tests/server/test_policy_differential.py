# SPDX-License-Identifier: Apache-2.0
"""Random policies: Coffer, OpenBao and the model say the same. The long form is tests/policy_differential.py."""
import argparse

import pytest

import policy_differential as differential

pytestmark = pytest.mark.coffer_only

PAIRS = 2000


@pytest.mark.cve("N-041", "N-064")
def test_on_random_policies_and_paths_coffer_openbao_and_the_model_agree(server, bao):
    contest = differential.Contest([server, bao])
    played = differential.play_all(contest, argparse.Namespace(seed=1, only=None, pairs=PAIRS))
    assert not played.reports, "\n\n".join(played.reports)
    assert played.pairs >= PAIRS and played.allowed > PAIRS / 5  # else it would have compared refusals alone
    assert played.known < PAIRS / 100


def test_a_pair_that_differs_is_found_and_made_small(server, bao, monkeypatch):
    monkeypatch.setattr(differential.policy_model, "best", lambda rules, path: None)  # a model without wildcards
    reports = differential.play(differential.Contest([server, bao]), 1, range(3), reports_max=1).reports
    assert len(reports) == 1 and reports[0].count("path \"") == 1 and "--seed 1 --only " in reports[0], reports
