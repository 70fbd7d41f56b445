# SPDX-License-Identifier: Apache-2.0
"""The short form of rolling.py, which is a command of its own for the long one."""
import shutil

import pytest

from cluster.rolling import Rolling

pytestmark = [pytest.mark.coffer_only,
              pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")]


@pytest.mark.parametrize("options", [{}, {"forwarding": True}, {"active": True}], ids=["redirects", "forwarding", "active"])
def test_a_rolling_restart_behind_haproxy_fails_no_request(tmp_path, authority, options):
    rolling = Rolling(tmp_path, authority, **options)
    try:
        rolling.ready()
        with rolling.load(4) as load:
            rolling.restart_all()
    finally:
        rolling.stop()
    assert load.failures == [] and load.done > 100
