# SPDX-License-Identifier: Apache-2.0
"""A child process: its log, its signals, what it uses, and whether it ended well."""
import os
import pathlib
import re
import signal
import subprocess
import time

from . import settings

# What a program prints when it has found a mistake of its own.
BUG = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|Assertion .* failed|stack smashing|double free")


class Crashed(AssertionError):
    """The program ended though nobody told it to, or reported a bug of its own."""


def wait_for(what, condition, timeout=15.0, every=0.05):
    """Calls condition() until it returns something true, and returns that."""
    end = time.monotonic() + timeout * settings.PATIENCE
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout * settings.PATIENCE:.0f} s in vain: {what}")
        time.sleep(every)


class Process:
    """Started at once. stop() at the end checks that it ended well; kill() is for tests that want it dead."""

    def __init__(self, args, log, env=None, cwd=None):
        self.args, self.log, self.env, self.cwd = [str(arg) for arg in args], pathlib.Path(log), env, cwd
        self.proc = None
        self.start()

    def start(self):
        assert not self.is_running(), "it runs already"
        env = {key: value for key, value in os.environ.items() if not key.startswith(("VAULT_", "BAO_", "COFFER_"))}
        env.update(self.env or {})
        with open(self.log, "ab") as log:
            self.proc = subprocess.Popen(self.args, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                         env=env, cwd=self.cwd)
        self.was_killed = False

    @property
    def pid(self):
        return self.proc.pid

    def is_running(self):
        return self.proc is not None and self.proc.poll() is None

    def signal(self, number):
        self.proc.send_signal(number)

    def kill(self):
        """SIGKILL, and waits."""
        self.was_killed = True
        if self.is_running():
            self.proc.kill()
        self.proc.wait()

    def pause(self):
        """Returns when all of its threads stand still: on a busy machine some run on for milliseconds."""
        self.signal(signal.SIGSTOP)
        wait_for("it stands still", lambda: all(self._state(task) == "T" for task in self._tasks()), every=0.001)

    def _tasks(self):
        return list(pathlib.Path(f"/proc/{self.proc.pid}/task").iterdir())

    @staticmethod
    def _state(task):
        return (task / "stat").read_text().rpartition(")")[2].split()[0]

    def resume(self):
        self.signal(signal.SIGCONT)

    def wait(self, timeout=15.0):
        """The exit code; waits for it."""
        return self.proc.wait(timeout * settings.PATIENCE)

    def stop(self, timeout=20.0):
        """SIGTERM, waits, and checks that it ended as it should."""
        if self.is_running():
            self.resume()
            self.signal(signal.SIGTERM)
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise Crashed(f"{self.args[0]} did not stop within {timeout} s of SIGTERM\n{self.tail()}") from None
        self.check()

    def check(self):
        """Raises if the program crashed or a sanitizer found something, however it ended."""
        found = BUG.search(self.text())
        if found:
            at = self.text().index(found.group(0))
            raise Crashed(f"{self.log} says:\n{self.text()[max(0, at - 500):at + 4000]}")
        code = self.proc.poll()
        if code is not None and code < 0 and not self.was_killed:
            raise Crashed(f"{self.args[0]} was ended by {signal.Signals(-code).name}\n{self.tail()}")

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def tail(self, lines=40):
        return "\n".join(self.text().splitlines()[-lines:])

    # ---- What it uses ----

    def memory_kb(self, kind="VmRSS"):
        """Resident memory; RssAnon: without what is mapped of files, which the kernel may drop at any time."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"{kind}:\s+(\d+)", status).group(1))

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def find_in_memory(self, needles):
        """Which of these byte strings lie in the process's writable memory. Needs root, or the same user and no
        protection against being traced."""
        found = set()
        regions = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) rw", pathlib.Path(f"/proc/{self.pid}/maps").read_text(), re.M)
        with open(f"/proc/{self.pid}/mem", "rb", buffering=0) as memory:
            for low, high in regions:
                found |= _needles_between(memory, int(low, 16), int(high, 16), needles)
        return found


def _needles_between(memory, low, high, needles):
    step, overlap = 16 << 20, max(len(needle) for needle in needles)
    found = set()
    for at in range(low, high, step):
        try:
            memory.seek(at)
            chunk = memory.read(min(step + overlap, high - at))
        except (OSError, OverflowError):
            continue  # guard pages and memory that no one may read
        found |= {needle for needle in needles if needle in chunk}
    return found
