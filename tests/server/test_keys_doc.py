# SPDX-License-Identifier: Apache-2.0
"""docs/keys.md: what it tells to type works."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from lib import settings

pytestmark = pytest.mark.coffer_only

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "keys.md"

# The only thing that the page uses of jq.
JQ = '#!/bin/sh\nexec python3 -c "import json, sys; print(json.load(sys.stdin)[sys.argv[1][1:]])" "$2"\n'


def test_the_session_of_the_page_ends_in_a_root_token(nodes, tmp_path):
    node = nodes.node()
    node.start()
    node.ready(3, 2)
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "coffer").symlink_to(pathlib.Path(settings.coffer_bin()).resolve())
    if shutil.which("jq") is None:
        (tools / "jq").write_text(JQ)
        (tools / "jq").chmod(0o755)
    script = "set -eu\n" + "\n".join(re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.S))
    env = {"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(tmp_path), "VAULT_ADDR": node.address,
           "VAULT_CACERT": str(node.authority.ca_file), "VAULT_TOKEN": node.keys.root_token,
           "KEY1": node.keys.shares[0], "KEY2": node.keys.shares[1]}
    done = subprocess.run(["sh", "-c", script], env=env, text=True, capture_output=True, check=False,
                          timeout=60 * settings.PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Key 3: " in done.stdout and "Verification Nonce" in done.stdout
    token = done.stdout.splitlines()[-1]
    assert node.client(token).read("auth/token/lookup-self").ok(200).data["policies"] == ["root"]
    assert node.root.read("sys/rotate/config").data["interval"] == "720h0m0s"
