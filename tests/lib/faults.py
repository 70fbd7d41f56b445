# SPDX-License-Identifier: Apache-2.0
"""One process's wall clock and disk, as a test wants them: the handle of tests/lib/preload/faults.c.

    node = nodes.node(); node.faults.shift_clock(3600)     # before or after its start, an hour ahead from now on
    node.faults.fail("sync", errno.EIO, "raft/log/")       # fdatasync() of the log fails until …
    node.faults.clear()
"""
import os
import pathlib
import struct

import pytest

from . import settings

_CALLS = ("write", "sync", "read")
_CLOCK, _CALL = struct.Struct("=q"), struct.Struct("=ii256s")
_SIZE = _CLOCK.size + len(_CALLS) * _CALL.size


class Faults:
    def __init__(self, folder):
        self.file = folder / "faults"
        self.library = pathlib.Path(settings.faults_library())
        if not self.library.exists():
            pytest.skip(f"{self.library} is not built")
        if not self.file.exists():
            self.file.write_bytes(bytes(_SIZE))

    def env(self):
        """What the process must be started with."""
        return {"LD_PRELOAD": str(self.library), "COFFER_FAULTS": str(self.file),
                "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}

    def shift_clock(self, seconds):
        """The wall clock is ahead by so much (behind, if negative); the steady clocks stay."""
        self._write(0, _CLOCK.pack(int(seconds * 1e9)))

    def fail(self, call, code, path=""):
        """Calls of a kind ("write", "sync", "read") on files whose path contains `path` fail with an errno."""
        self._set(call, code, 0, path)

    def delay(self, call, milliseconds, path=""):
        self._set(call, 0, milliseconds, path)

    def clear(self):
        self._write(0, bytes(_SIZE))

    def _set(self, call, code, milliseconds, path):
        name = path.encode()
        assert len(name) < 256
        at = _CLOCK.size + _CALLS.index(call) * _CALL.size
        # The path first: a fault must never hit a file that it is not meant for.
        self._write(at, _CALL.pack(0, 0, name))
        self._write(at, _CALL.pack(code, milliseconds, name))

    def _write(self, at, data):
        with open(self.file, "r+b", buffering=0) as file:
            file.seek(at)
            file.write(data)
