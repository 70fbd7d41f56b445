# SPDX-License-Identifier: Apache-2.0
"""coffer operator diagnose: finds what keeps a server from starting, without one and beside one."""
import json
import os
import subprocess

import pytest

pytestmark = pytest.mark.coffer_only


def diagnose(node, *args, **options):
    """(exit code, {name of a check: [(status, text)]})"""
    done = node.cli("operator", "diagnose", f"-config={node.config_file}", "-format=json", *args, **options)
    found = {}

    def walk(result):
        text = result.get("message") or " ".join(result.get("warnings", []))
        found.setdefault(result["name"], []).append((result["status"], text))
        for child in result.get("children", []):
            walk(child)
    walk(json.loads(done.stdout))
    return done.returncode, found


@pytest.fixture
def configured(nodes):
    """A node with a configuration, not started."""
    node = nodes.node()
    node.config_file.write_text(node.config())
    node.data_dir.chmod(0o700)
    return node


def worst(found, name):
    return max(found[name], key=lambda result: ("skipped", "ok", "warn", "fail").index(result[0]))


def test_a_node_that_can_start_passes_and_one_that_runs_is_not_disturbed(configured):
    node = configured
    code, found = diagnose(node)
    assert code in (0, 2) and not any(status == "fail" for results in found.values() for status, _ in results)
    assert worst(found, "Create Listeners")[0] == "ok" and found["Check For Raft Quorum"][0][0] == "skipped"
    node.start()
    node.ready()
    node.enable_audit()
    code, found = diagnose(node, token=node.keys.root_token)
    assert code == 2  # a single voter is worth a warning
    assert "unsealed" in found["Check Running Server"][0][1] and found["Check Audit File"][0][0] == "ok"
    assert worst(found, "Create Listeners") == ("ok", f"127.0.0.1:{node.port}: in use, and the server runs")
    assert found["Check For Raft Quorum"][0][0] == "warn" and "1 voters of 1" in found["Check For Raft Quorum"][0][1]
    assert found["Check Clock Skew"][0][0] == "ok"
    node.root.write("sys/mounts/kv", type="kv").ok(204)
    node.stop()
    assert diagnose(node)[1]["Check For Raft Quorum"][0][0] == "warn"


def test_what_is_wrong_with_a_configuration_is_said_with_file_and_line(configured):
    node = configured
    node.config_file.write_text(node.config() + "foo = 1\n")
    code, found = diagnose(node)
    line = node.config_file.read_text().splitlines().index("foo = 1") + 1
    assert code == 2 and found["Check Setting"] == [("warn", f'{node.config_file}:{line}: unknown setting "foo"')]
    node.config_file.write_text("listener {\n")
    code, found = diagnose(node)
    assert code == 1 and f"{node.config_file}:" in found["Read Configuration"][0][1]


def test_certificates_ports_and_directories_that_do_not_fit_are_found(configured, nodes, authority):
    node, other = configured, nodes.node()
    cert, key = node.cert_file, node.key_file
    node.config_file.write_text(node.config().replace(str(key), str(authority.issue("another")[1])))
    code, found = diagnose(node)
    assert code == 1 and "not the private key" in found["Check Listener TLS"][0][1]
    node.config_file.write_text(node.config().replace(str(cert), "/no/such/file"))
    assert "No such file" in diagnose(node)[1]["Check Listener TLS"][0][1]
    node.config_file.write_text(node.config())
    node.data_dir.chmod(0o755)
    assert "chmod 700" in diagnose(node)[1]["Check Folder Permissions"][0][1]
    other.start()
    node.config_file.write_text(node.config().replace(f':{node.port}"\n  cluster', f':{other.port}"\n  cluster'))
    code, found = diagnose(node)
    assert code == 1 and "in use by another program" in worst(found, "Create Listeners")[1]


def test_limits_of_the_system_are_looked_at(configured):
    script = f"ulimit -n 256 && exec {configured.binary} operator diagnose -config={configured.config_file}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1 and "[ failure ] Check Open File Limits" in done.stdout


def test_without_a_configuration_it_says_what_it_needs(configured):
    done = configured.cli("operator", "diagnose")
    assert done.returncode == 3 and "-config" in done.stderr
    assert "    diagnose  " in configured.cli("operator", "-help").stdout
    assert configured.cli("operator", "diagnose", "-help").returncode == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_is_found(configured):
    configured.data_dir.chmod(0o500)
    assert diagnose(configured)[0] == 1
