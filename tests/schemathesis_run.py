#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""schemathesis over the OpenAPI document of a server on which everything is mounted: with the root token, and without any.

    build/venv/bin/python tests/schemathesis_run.py                     20 minutes each way
    build/venv/bin/python tests/schemathesis_run.py --minutes 5 --ways root --seed 7

What must not be: a 5xx that is not meant (schemathesis_hooks.py), a crash, and memory or descriptors that grow.
schemathesis gets a venv of its own in build/, by requirements-schemathesis.txt.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS))

from lib.certs import Authority  # noqa: E402
from lib.node import Coffer  # noqa: E402

REQUIREMENTS = TESTS / "requirements-schemathesis.txt"
VENV = TESTS.parent / "build" / "venv-schemathesis"
CHECKS = "no_fault_of_the_server,no_answer_without_headers"
# Those do what they say: they take the node out of service, write files wherever they are told, or take our token away.
LEFT_OUT = ("/sys/seal", "/sys/step-down", "/sys/audit/{path}", "/sys/quotas/rate-limit/{name}", "/auth/token/revoke-self",
            "/sys/storage/raft/snapshot-auto/config/{name}", "/sys/storage/raft/remove-peer", "/sys/loggers", "/sys/loggers/{name}")
ANON_GROWTH_MAX_KB = 48 << 10
FILES_GROWTH_MAX = 24
WARM_UP = 0.25  # of the time: caches and pools are filled then


def make_venv():
    stamp = VENV / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != REQUIREMENTS.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
        subprocess.run([str(VENV / "bin/pip"), "install", "-q", "-r", str(REQUIREMENTS)], check=True)
        stamp.write_text(REQUIREMENTS.read_text())
    return VENV / "bin/schemathesis"


def mount_everything(node):
    root = node.root
    for kind, where in (("secret", "mounts"), ("auth", "auth")):
        for name in root.list(f"sys/plugins/catalog/{kind}").ok(200).data["keys"]:
            root.write(f"sys/{where}/{name}", type=name)  # those that are there already are refused
    root.write("sys/mounts/kv2", type="kv", options={"version": "2"}).ok(204)
    node.enable_audit()


def write_document(node, folder):
    document = node.root.read("sys/internal/specs/openapi").ok(200).json
    for path in LEFT_OUT:
        document["paths"].pop(path, None)
    file = folder / "openapi.json"
    file.write_text(json.dumps(document))
    return file


class Usage(threading.Thread):
    """Looks at a process now and then."""

    def __init__(self, process, seconds):
        super().__init__(daemon=True)
        self.process, self.every, self.seen, self.over = process, max(1, seconds / 40), [], threading.Event()

    def run(self):
        while not self.over.wait(self.every):
            if self.process.is_running():
                self.seen.append((self.process.memory_kb("RssAnon"), self.process.open_files()))

    def problems(self):
        """Compares the end with what was there after the warm-up."""
        self.over.set()
        self.join()
        warm = self.seen[int(len(self.seen) * WARM_UP)]
        grown = [now - then for now, then in zip(self.seen[-1], warm, strict=True)]
        print(f"  memory {warm[0] >> 10} → {self.seen[-1][0] >> 10} MiB, descriptors {warm[1]} → {self.seen[-1][1]}", flush=True)
        return [f"{what} grew by {by}" for what, by, most in (("memory (KiB)", grown[0], ANON_GROWTH_MAX_KB),
                                                               ("descriptors", grown[1], FILES_GROWTH_MAX)) if by > most]


def schemathesis(program, node, document, token, options, report):
    command = [str(program), "run", str(document), "--url", f"{node.address}/v1", "--tls-verify", str(node.authority.ca_file),
               "--checks", CHECKS, "--max-time", str(int(options.minutes * 60)), "--phases", "coverage,fuzzing", "--mode", "all",
               "--max-redirects", "0", "--continue-on-failure", "--seed", str(options.seed), "--workers", "1",
               "--request-timeout", "90", "--suppress-health-check", "all", "--warnings", "off", "--no-shrink",
               "--report", "junit", "--report-junit-path", str(report)]
    if token is not None:
        command += ["--header", f"X-Vault-Token: {token}"]
    env = {**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(TESTS), "NO_PROXY": "127.0.0.1",
           "no_proxy": "127.0.0.1", "COFFER_MEANT_LOG": str(node.folder / "meant.log")}
    return subprocess.run(command, env=env, cwd=node.folder, check=False).returncode


def tell_meant(node):
    log = node.folder / "meant.log"
    lines = log.read_text().splitlines() if log.exists() else []
    print(f"  5xx that are meant: {len(lines)}", *(f"    {line}" for line in sorted(set(lines))), sep="\n", flush=True)


def run_way(program, way, folder, options):
    print(f"==== {way}: {options.minutes:g} minutes, seed {options.seed}", flush=True)
    node = Coffer(folder / way, Authority(folder))
    try:
        node.ready()
        mount_everything(node)
        document = write_document(node, node.folder)
        usage = Usage(node.process, options.minutes * 60)
        usage.start()
        code = schemathesis(program, node, document, node.keys.root_token if way == "root" else None, options,
                            pathlib.Path.cwd() / f"build/schemathesis-{way}.xml")
        time.sleep(2)
        problems = usage.problems()
        tell_meant(node)
        if code != 0:
            problems.append(f"schemathesis ended with {code}")
        if node.root.read("sys/mounts").status != 200:
            problems.append("it does not answer any more")
    finally:
        node.stop()  # raises when it crashed
    return [f"{way}: {problem}" for problem in problems]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20, help="each way")
    parser.add_argument("--ways", nargs="+", choices=("root", "nobody"), default=["root", "nobody"])
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    os.chdir(TESTS.parent)
    program, problems = make_venv(), []
    with tempfile.TemporaryDirectory(prefix="coffer-schemathesis-") as folder:
        for way in options.ways:
            problems += run_way(program, way, pathlib.Path(folder), options)
    print("\n".join(problems) or "nothing wrong")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
