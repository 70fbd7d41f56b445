# SPDX-License-Identifier: Apache-2.0
"""Clients in their own languages do a day's work, unmodified: tests/clients has a small program for each, its versions pinned."""
import os
import subprocess

import pytest

from clients.build import HERE, PROGRAMS, Unavailable, build
from lib import settings


def test_there_is_a_program_for_each_folder():
    folders = [path.name for path in HERE.iterdir() if path.is_dir() and not path.name.startswith("__")]
    assert sorted(PROGRAMS) == sorted(folders)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_client_of_another_project_does_its_work(server, name):
    try:
        command = build(name)
    except Unavailable as why:
        pytest.skip(f"{name}: {why}")
    env = {key: value for key, value in os.environ.items() if not key.startswith(("VAULT_", "BAO_", "COFFER_"))}
    for prefix in ("VAULT", "BAO"):
        env.update({f"{prefix}_ADDR": server.address, f"{prefix}_TOKEN": server.keys.root_token,
                    f"{prefix}_CACERT": str(server.authority.ca_file)})
    env["NODE_EXTRA_CA_CERTS"] = str(server.authority.ca_file)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=90 * settings.PATIENCE, check=False)
    assert done.returncode == 0 and done.stdout == "all is well\n", done.stdout + done.stderr
