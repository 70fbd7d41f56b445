# SPDX-License-Identifier: Apache-2.0
"""What the command line teaches: help, completion, manual pages, and what a request would need."""
import os
import re
import shutil
import subprocess

import pytest

from lib import settings

pytestmark = pytest.mark.coffer_only  # and quick, but for those that start a hundred processes

SHELLS = {".bashrc": "alias ll='ls -l'\n", ".zshrc": "", ".config/fish/config.fish": ""}


@pytest.fixture
def coffer(tmp_path):
    """Runs a command line at home in an empty folder."""
    def run(*words, **env):
        return subprocess.run([settings.coffer_bin(), *map(str, words)], capture_output=True, text=True, timeout=60, check=False,
                              env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], **env})
    return run


@pytest.fixture
def offered(coffer):
    """What the Tab key offers behind a line."""
    def complete(line):
        done = coffer(COMP_LINE=line, COMP_POINT=str(len(line)))
        assert done.returncode == 0 and not done.stderr
        return done.stdout.split()
    return complete


def all_commands(offered):
    """Every command there is, as completion offers them: what is not offered is not tested either, so see below."""
    found, open_groups = [], [""]
    while open_groups:
        group = open_groups.pop()
        for word in offered(f"coffer {group}"):
            if not word.startswith("-") and word != "version":
                found.append(f"{group}{word}")
                open_groups.append(f"{group}{word} ")
    return found


def test_each_command_has_help_with_an_example_of_its_own(coffer, offered):
    commands = all_commands(offered)
    assert len(commands) > 75 and {"kv metadata get", "operator raft snapshot save", "server"} <= set(commands)
    for command in commands:
        done = coffer(*command.split(), "-help")
        assert done.returncode == 0 and done.stdout.startswith(f"Usage: coffer {command}"), command
        assert re.search(rf"^ +\$ .*\bcoffer {command}\b", done.stdout, re.M), f"{command} shows no example"


@pytest.mark.quick
def test_each_command_in_the_help_is_offered_and_each_offered_is_in_the_help(coffer, offered):
    listed = re.findall(r"^    (\S+)  ", coffer("-help").stdout, re.M)
    assert sorted(listed) == sorted(offered("coffer "))
    for group in ("kv", "kv metadata", "operator", "operator raft", "secrets", "token"):
        listed = re.findall(r"^    (\S+)  ", coffer(*group.split(), "-help").stdout, re.M)
        assert sorted(listed) == sorted(offered(f"coffer {group} ")), group


@pytest.mark.quick
def test_options_are_offered_where_they_may_stand(offered, coffer):
    assert offered("coffer operator r") == ["raft", "rekey", "rotate", "rotate-keys"]
    assert offered("coffer kv put -ca") == ["-cas", "-ca-cert", "-ca-path"]
    assert offered("coffer read -format ") == ["table", "json", "yaml"]
    assert "-dev" in offered("coffer server -") and "-skip" in offered("coffer operator diagnose -")
    assert offered("coffer kv put -mount=secret a") == [] and offered("coffer nonsense ") == [] and offered("") != []
    described = re.findall(r"^  (-[\w-]+)", coffer("token", "create", "-help").stdout, re.M)
    assert sorted(described + ["-help"]) == sorted(offered("coffer token create -"))


@pytest.mark.quick
def test_any_line_can_be_completed(coffer):
    for line in ("coffer " * 200, "coffer 'a b" + "\t" * 300, "x" * 100000, "coffer -", "coffer " + "-" * 5000, "\udcff coffer kv "):
        assert coffer(COMP_LINE=line).returncode == 0


@pytest.mark.quick
def test_a_shell_is_taught_once_and_forgets_again(coffer, tmp_path):
    for name, text in SHELLS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for _ in range(2):
        assert coffer("-autocomplete-install").returncode == 0
    bash = (tmp_path / ".bashrc").read_text()
    assert bash.startswith(SHELLS[".bashrc"]) and len(bash.splitlines()) == 2
    shown = subprocess.run(["bash", "--norc", "-c", f". {tmp_path}/.bashrc; complete -p coffer"], capture_output=True, text=True,
                           check=True).stdout
    assert f"-C '{settings.coffer_bin()}' coffer" in shown
    assert settings.coffer_bin() in (tmp_path / ".config/fish/completions/coffer.fish").read_text()
    assert coffer("-autocomplete-uninstall").returncode == 0
    assert {name: (tmp_path / name).read_text() for name in SHELLS} == SHELLS
    assert not (tmp_path / ".config/fish/completions/coffer.fish").exists()


@pytest.mark.quick
def test_who_has_no_shell_is_told_so(coffer):
    done = coffer("-autocomplete-install")
    assert done.returncode == 1 and ".bashrc" in done.stderr


@pytest.mark.quick
def test_a_start_file_that_is_a_link_stays_one(coffer, tmp_path):
    (tmp_path / "kept").write_text("x=1\n")
    (tmp_path / ".bashrc").symlink_to("kept")
    assert coffer("-autocomplete-install").returncode == 0
    assert (tmp_path / ".bashrc").is_symlink() and "complete" in (tmp_path / "kept").read_text()


def test_there_is_a_manual_page_for_each_first_word(coffer, offered, tmp_path):
    assert coffer(f"-write-documents={tmp_path}").returncode == 0
    pages = sorted(path.name for path in tmp_path.glob("*.1"))
    wanted = [f"coffer-{word}.1" for word in offered("coffer ") if word != "version"]
    assert pages == sorted([*wanted, "coffer.1", "coffer-operator-diagnose.1"])
    raft = (tmp_path / "coffer-operator.1").read_text()
    assert ".SS operator raft list\\-peers" in raft and "$ coffer operator raft list\\-peers" in raft
    if not shutil.which("groff"):
        pytest.skip("what groff thinks of them is not known here")
    for page in pages:
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", tmp_path / page], capture_output=True, text=True, check=True)
        assert done.stderr == "", page


@pytest.mark.quick
def test_a_policy_names_the_path_and_what_is_done_there(coffer):
    for line, path, can in (("read secret/data/a", "secret/data/a", '"read"'), ("list secret", "secret", '"list"'),
                            ("write secret/a x=1", "secret/a", '"create", "update"'), ("patch a b=c", "a", '"patch"'),
                            ("delete a", "a", '"delete"'), ("operator rotate", "sys/rotate", '"create", "update", "sudo"'),
                            ("audit list", "sys/audit", '"read", "sudo"')):
        done = coffer(*line.split(), "-output-policy", VAULT_ADDR="http://127.0.0.1:1")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f'path "{path}" {{\n  capabilities = [{can}]\n}}\n'


@pytest.mark.quick
def test_kv_asks_for_the_mount_and_prints_the_policy_of_the_rest(server, root, unique):
    root.write(f"sys/mounts/{unique}", type="kv", options={"version": "2"}).ok()
    done = server.cli("kv", "put", "-output-policy", f"{unique}/a", "b=c", token=server.keys.root_token)
    assert done.stdout == f'path "{unique}/data/a" {{\n  capabilities = ["create", "update"]\n}}\n'
    done = server.cli("kv", "put", "-output-curl-string", f"{unique}/a", "b=c", token=server.keys.root_token)
    assert done.stdout.startswith("curl -X PUT") and f"/v1/{unique}/data/a" in done.stdout


def test_sudo_is_asked_for_where_the_server_wants_it(coffer, root):
    paths = root.read("sys/internal/specs/openapi").ok(200).json["paths"]
    wanted = {path: item.get("x-vault-sudo", False) for path, item in paths.items() if path.startswith(("/sys/", "/auth/token"))}
    assert sum(wanted.values()) > 10
    for path, is_sudo in wanted.items():
        verb = "list" if path.endswith("/") else "read"
        printed = coffer(verb, "-output-policy", re.sub(r"{\w+}", "x", path), VAULT_ADDR="http://127.0.0.1:1").stdout
        assert printed.startswith('path "') and ("sudo" in printed) == is_sudo, path
