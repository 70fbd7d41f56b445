#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the clients of other projects (the folders here) into build/clients, and fetches what they need, of pinned versions.

    tests/clients/build.py          all of them; says what cannot be built here, and why

A test does the same by itself; but tests may run where there is no network, and this before them.
"""
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
BUILT = HERE.parents[1] / "build/clients"
_NO_NETWORK = re.compile(r"dial tcp|no such host|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ETIMEDOUT|i/o timeout")
_TIMEOUT_S = 240


class Unavailable(Exception):
    """Not here; the text says why, and what helps."""


def _tool(name, packages):
    found = shutil.which(name)
    if not found:
        raise Unavailable(f"{name} is not installed: apt-get install {packages}")
    return found


def _run(command, folder):
    """A command that fetches what is not here yet."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{command[0]} has fetched nothing for {_TIMEOUT_S} s") from None
    if done.returncode and _NO_NETWORK.search(done.stderr):
        raise Unavailable(f"what it needs cannot be fetched: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def _version(text):
    return tuple(map(int, re.search(r"go ?(\d+)\.(\d+)", text).groups()))


def _build_go(name):
    go = _tool("go", "golang-go")
    wanted = _version((HERE / name / "go.mod").read_text())
    here = _version(subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout)
    if here < wanted:
        raise Unavailable("it needs Go {}.{} or later (Debian 13 has 1.24), and here is {}.{}".format(*wanted, *here))
    _run([go, "build", "-mod=readonly", "-o", str(BUILT / name), "."], HERE / name)
    return [str(BUILT / name)]


def _is_same(one, other):
    return other.exists() and one.read_bytes() == other.read_bytes()


def _build_node(name):
    node, npm = _tool("node", "nodejs"), _tool("npm", "npm")
    folder, sources = BUILT / f"{name}.d", ("package.json", "package-lock.json")
    if not all(_is_same(HERE / name / source, folder / source) for source in sources):
        made = BUILT / f"{name}.new"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        for source in sources:
            shutil.copy(HERE / name / source, made)
        _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], made)
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    shutil.copy(HERE / name / "main.js", folder)
    return [node, str(folder / "main.js")]


PROGRAMS = {"vault-go": _build_go, "openbao-go": _build_go, "node-vault": _build_node}


def build(name):
    """The command that runs it. Unavailable."""
    BUILT.mkdir(parents=True, exist_ok=True)
    return PROGRAMS[name](name)


def main():
    for name in PROGRAMS:
        try:
            build(name)
        except Unavailable as why:
            print(f"clients: {name} is left out: {why}", file=sys.stderr)


if __name__ == "__main__":
    main()
