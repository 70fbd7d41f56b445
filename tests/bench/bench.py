# SPDX-License-Identifier: Apache-2.0
"""Measures Coffer beside OpenBao: same machine, same TLS, same audit setting, one after the other. Run it with run.sh."""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from lib import settings
from lib.certs import Authority
from lib.cluster import Cluster
from lib.node import Bao, Coffer
from lib.process import wait_for

BENCH = pathlib.Path(__file__).parent
REPORT = settings.TOP / "docs" / "performance.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
VALUE = "x" * 200
KEYS = 1000

# name: method, path, body, needs a token?, how many times OpenBao's rate we aim at
WORKS = {
    "kv v2 read": ("GET", "/v1/kv/data/key-%d", "", True, 15),
    "kv v2 write": ("POST", "/v1/kv/data/key-%d", json.dumps({"data": {"value": VALUE}}), True, 10),
    "token lookup": ("GET", "/v1/auth/token/lookup-self", "", True, 15),
    "approle login": ("POST", "/v1/auth/approle/login", None, False, 10),
}
POLICY = 'path "kv/*" { capabilities = ["create", "read", "update"] }'


def say(text=""):
    print(text, flush=True)


# ---- One server, or three ----

class Bed:
    """A group of servers with the data that the requests need."""

    def __init__(self, cls, size, folder, with_audit):
        self.folder = folder
        self.authority = Authority(folder)
        self.cluster = Cluster(folder, self.authority, size, cls=cls).ready()
        self._fill(with_audit)

    def _fill(self, with_audit):
        root = self.cluster.root
        if with_audit:
            self.cluster.wait_leader().enable_audit()
        root.write("sys/mounts/kv", type="kv", options={"version": "2"}).ok(204)
        wait_for("the mount is ready", lambda: root.read("kv/config").status == 200)
        for key in range(KEYS):
            root.write(f"kv/data/key-{key}", data={"value": VALUE}).ok(200)
        root.write("sys/policies/acl/bench", policy=POLICY).ok(204)
        self.token = root.write("auth/token/create", policies=["bench"], ttl="24h").ok(200).auth["client_token"]
        root.write("sys/auth/approle", type="approle").ok(204)
        root.write("auth/approle/role/app", token_policies="bench", token_ttl="10m").ok(204)
        self.login = json.dumps({"role_id": root.read("auth/approle/role/app/role-id").data["role_id"],
                                 "secret_id": root.write("auth/approle/role/app/secret-id").data["secret_id"]})

    def cpu_seconds(self):
        return sum(node.process.cpu_seconds() for node in self.cluster.running())

    def memory_mb(self, kind="VmRSS"):
        return max(node.process.memory_kb(kind) for node in self.cluster.running()) / 1024

    def run(self, work, connections, seconds, keys=KEYS, **env):
        """env: more of what work.lua goes by."""
        method, path, body, with_token, _ = WORKS[work]
        leader = self.cluster.wait_leader()
        env = {**os.environ, **env, "BENCH_METHOD": method, "BENCH_PATH": path, "BENCH_KEYS": str(keys),
               "BENCH_BODY": self.login if body is None else body, "BENCH_TOKEN": self.token if with_token else ""}
        cpu = self.cpu_seconds()
        done = subprocess.run(["wrk", f"-t{min(2, connections)}", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s",
                               "-s", str(BENCH / "work.lua"), leader.address], env=env, capture_output=True, text=True,
                              check=True)
        cpu = self.cpu_seconds() - cpu
        result = json.loads(done.stdout.strip().splitlines()[-1])
        served = result["requests"] - result["errors"]
        return {"rate": served / (result["us"] / 1e6), "p50": result["p50_us"] / 1000, "p99": result["p99_us"] / 1000,
                "cpu": cpu * 1e6 / max(1, served), "errors": result["errors"]}

    def time_to_serving(self):
        """From exec to the first answer of sys/health, and from the last share to serving, of a node with data."""
        node = self.cluster.wait_leader()
        node.stop()
        began = time.monotonic()
        node.launch()
        wait_for("it answers", node.answers, every=0.002)
        answered = time.monotonic() - began
        node.unseal(self.cluster.keys)
        wait_for("it serves", lambda: node.root.read("kv/data/key-1").status == 200, every=0.002)
        return answered, time.monotonic() - began

    def failover(self):
        """Seconds from kill -9 of the leader to the first write that goes through."""
        self.cluster.wait_level()
        old = self.cluster.wait_leader()
        clients = [node.client(self.cluster.root_token, timeout=2) for node in self.cluster.nodes if node is not old]
        for client in clients:
            client.read("sys/health")
        done = threading.Event()

        def write(client):
            while not done.is_set():
                try:
                    if client.write("kv/data/failover", data={"x": "1"}).status == 200:
                        done.set()
                except OSError:
                    pass
                time.sleep(0.005)
        threads = [threading.Thread(target=write, args=(client,)) for client in clients]
        began = time.monotonic()
        old.kill()
        for thread in threads:
            thread.start()
        done.wait(120)
        took = time.monotonic() - began
        done.set()
        for thread in threads:
            thread.join()
        self.cluster.revive(old)
        self.cluster.wait_voters(len(self.cluster.nodes))
        return took

    def restart(self):
        """Seconds from the start of all nodes, with kill -9 before, to the first read."""
        self.cluster.kill_all()
        began = time.monotonic()
        self.cluster.revive(*self.cluster.nodes)
        wait_for("it serves", lambda: self.cluster.root.read("kv/data/key-1").status == 200, every=0.005)
        return time.monotonic() - began

    def stop(self):
        self.cluster.stop()


# ---- What is measured ----

def measure(cls, size, options, folder):
    say(f"\n{cls.__name__}, {size} node{'s' if size > 1 else ''}")
    bed = Bed(cls, size, folder, options.audit)
    try:
        time.sleep(3)
        figures = {"memory": bed.memory_mb(), "work": {}}
        say(f"  idle with {KEYS} secrets: {figures['memory']:.0f} MB a node")
        if size == 1:
            figures["start"] = bed.time_to_serving()
            say("  start: answers after %.2f s, serves after %.2f s" % figures["start"])
        for work in options.work:
            for connections in options.connections:
                result = bed.run(work, connections, options.seconds)
                figures["work"][work, connections] = result
                say(f"  {work:14} {connections:4} connections: {result['rate']:9.0f}/s  p50 {result['p50']:8.2f} ms"
                    f"  p99 {result['p99']:8.2f} ms  {result['cpu']:6.0f} µs CPU  {result['errors']} errors")
        if size > 1:
            # OpenBao counts a voter as settled after ten seconds, and is stuck if its leader dies before.
            time.sleep(15 if cls is Bao else 0)
            figures["failover"] = []
            for _ in range(options.failovers):
                figures["failover"].append(bed.failover())
                say(f"  failover: {figures['failover'][-1]:.2f} s")
                time.sleep(12 if cls is Bao else 0.5)
        return figures
    finally:
        bed.stop()


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))]


# ---- What is reported ----

def report(ours, theirs, options):
    lines = [f"Measured {time.strftime('%Y-%m-%d')} by `{' '.join(['sh tests/bench/run.sh', *sys.argv[1:]])}`: {os.cpu_count()} cores, "
             f"{cpu_name()}; client and servers on the same cores; TLS; audit {'to a file' if options.audit else 'off'}; "
             f"{options.seconds} s a figure; values of {len(VALUE)} bytes; a token with one policy.", ""]
    for size in options.sizes:
        lines += [f"### {size} node{'s' if size > 1 else ''}", "",
                  "| work | connections | Coffer /s | OpenBao /s | times | p50 / p99 ms | its p50 / p99 ms | µs CPU | its µs CPU |",
                  "|---|--:|--:|--:|--:|--:|--:|--:|--:|"]
        for work, connections in ours[size]["work"]:
            a, b = ours[size]["work"][work, connections], theirs[size]["work"][work, connections]
            errors = f" ({a['errors']} errors)" if a["errors"] else ""
            lines.append(f"| {work}{errors} | {connections} | {a['rate']:,.0f} | {b['rate']:,.0f} | **{a['rate'] / max(1, b['rate']):.1f}** | "
                         f"{a['p50']:.2f} / {a['p99']:.2f} | {b['p50']:.2f} / {b['p99']:.2f} | {a['cpu']:.0f} | {b['cpu']:.0f} |")
        lines.append("")
    lines += ["### The rest", "", "| what | Coffer | OpenBao |", "|---|--:|--:|"]
    for size in options.sizes:
        lines.append(f"| memory of an idle node of {size} | {ours[size]['memory']:.0f} MB | {theirs[size]['memory']:.0f} MB |")
    if 1 in options.sizes:
        lines.append("| from start to the first answer / to serving, unsealed | %.2f / %.2f s | %.2f / %.2f s |"
                     % (*ours[1]["start"], *theirs[1]["start"]))
    if 3 in options.sizes and options.failovers:
        lines.append(f"| kill -9 of the leader to the first write: median / worst of {options.failovers} | "
                     + " | ".join(f"{statistics.median(f[3]['failover']):.2f} / {max(f[3]['failover']):.2f} s"
                                  for f in (ours, theirs)) + " |")
    return lines


def goals(ours, theirs, options):
    """The project's aims, and whether this run met them."""
    lines = []
    for size in options.sizes:
        for work in options.work:
            most = max(options.connections)
            times = ours[size]["work"][work, most]["rate"] / max(1, theirs[size]["work"][work, most]["rate"])
            lines.append((times >= WORKS[work][4], f"{work}, {size} node(s), {most} connections: {times:.1f} times, aim {WORKS[work][4]}"))
        times = ours[size]["memory"] / theirs[size]["memory"]
        lines.append((times <= 0.25, f"idle memory, {size} node(s): {times:.2f} of OpenBao's, aim 0.25"))
    if 3 in options.sizes and options.failovers:
        worst = percentile(ours[3]["failover"], 0.99)
        lines.append((worst <= 1, f"failover p99: {worst:.2f} s, aim 1 s"))
    return [f"- {'met' if met else '**missed**'}: {text}" for met, text in lines]


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def write_report(lines, begin=BEGIN, end=END):
    """In place of what stands between the two marks."""
    text = REPORT.read_text()
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    REPORT.write_text(before + begin + "\n" + "\n".join(lines) + "\n" + end + after)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="for each figure")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 128])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 3], help="nodes")
    parser.add_argument("--work", nargs="+", default=list(WORKS), choices=list(WORKS))
    parser.add_argument("--failovers", type=int, default=5)
    parser.add_argument("--audit", action="store_true", help="with an audit file, on both")
    parser.add_argument("--no-report", action="store_true", help="leave docs/performance.md alone")
    return parser.parse_args()


def main():
    options = arguments()
    ours, theirs = {}, {}
    with tempfile.TemporaryDirectory(prefix="coffer-bench-") as folder:
        for size in options.sizes:
            for cls, figures in ((Coffer, ours), (Bao, theirs)):
                place = pathlib.Path(folder) / f"{cls.kind}{size}"
                place.mkdir()
                figures[size] = measure(cls, size, options, place)
    lines = report(ours, theirs, options) + ["", "### The aims", ""] + goals(ours, theirs, options)
    say("\n" + "\n".join(lines))
    if not options.no_report:
        write_report(lines)
        say(f"\nwritten to {REPORT.relative_to(settings.TOP)}")


if __name__ == "__main__":
    main()
