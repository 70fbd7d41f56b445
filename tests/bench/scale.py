# SPDX-License-Identifier: Apache-2.0
"""What a million leases change: failover, starting, memory, disk, lists, and a new node, beside OpenBao. Run it with
`run.sh scale`.

Leases are tokens' (an orphan's each, of a day), made over HTTP. OpenBao, which makes some thousand a second at most, gets
fewer by default; how many each had stands in the table. As many keys are written for the lists."""
import argparse
import contextlib
import json
import pathlib
import re
import shutil
import statistics
import tempfile
import threading
import time

import requests

from bench import Bed, REPORT, WORKS, percentile, say, write_report
from lib import settings
from lib.node import Bao, Coffer
from lib.process import wait_for

BEGIN, END = "<!-- scale: begin -->", "<!-- scale: end -->"
MAKE = "make tokens"
LIMIT_MB = 4  # a page of a list may take so much, however long the list is
PORTION = 20_000  # keys: each of wrk's requests is made before it begins
WORKS[MAKE] = ("POST", "/v1/auth/token/create-orphan", json.dumps({"ttl": "24h", "policies": ["bench"]}), True, 0)


def disk_mb(node):
    return sum(path.stat().st_blocks for path in pathlib.Path(node.folder).rglob("*") if path.is_file()) / 2048


def make_leases(bed, count):
    """In portions, so that the way there can be seen."""
    bed.token, own = bed.cluster.root_token, bed.token
    made, rate = 0, 1000
    while made < count:
        seconds = max(1, min(20, round((count - made) / rate)))
        result = bed.run(MAKE, 128, seconds)
        rate = max(1, result["rate"])
        made += int(rate * seconds)
        say(f"  {made:,} leases, {rate:,.0f}/s")
    bed.token = own
    return made


def failovers(bed, runs, pause):
    took = []
    for _ in range(runs):
        took.append(bed.failover())
        time.sleep(pause)
    say(f"  {runs} failovers: median {statistics.median(took):.2f} s, worst {max(took):.2f} s")
    return took


# ---- Lists: how much memory they take beside the answer ----

def make_portion(bed, number, keys):
    """Two threads, each with half of the keys, and as often as it takes."""
    name, done = f"keys {number}", 0
    WORKS[name] = ("POST", f"/v1/flat/data/all/key-{number}-%d", json.dumps({"data": {"x": "1"}}), True, 0)
    while done < keys:
        result = bed.run(name, 64, 4, keys=keys, BENCH_APART=str(keys // 2), BENCH_FIRST=str(done // 2))
        done += int(4 * result["rate"] * 0.95)  # what was under way at the end is not counted on
        assert result["rate"] > 0


def make_keys(bed, count):
    """Writes so many keys, a few less perhaps, into one folder of kv version 2, whose lists come page by page."""
    root = bed.cluster.root
    root.write("sys/mounts/flat", type="kv", options={"version": "2"}).ok(204)
    wait_for("the mount is ready", lambda: root.read("flat/config").status == 200)
    bed.token, own = bed.cluster.root_token, bed.token
    for first in range(0, count, PORTION):
        make_portion(bed, first // PORTION, min(PORTION, count - first))
    bed.token = own
    say(f"  {count:,} keys in one folder")


@contextlib.contextmanager
def peak_of(process):
    """A list of which the only item becomes, in the end, by how many bytes the process grew at most meanwhile."""
    grown, before, over = [0], process.memory_kb("RssAnon"), threading.Event()

    def look():
        while not over.wait(0.002):
            grown[0] = max(grown[0], (process.memory_kb("RssAnon") - before) << 10)
    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield grown
    finally:
        over.set()
        thread.join()


def list_keys(bed, **query):
    """{"seconds", "keys", "bytes" of the answer, "grown" by the server}; as the first thing that a server is asked."""
    bed.restart()
    leader = bed.cluster.wait_leader()
    client = leader.client(bed.cluster.root_token, timeout=600)
    client.read("sys/health").ok(200)
    with peak_of(leader.process) as grown:
        began = time.monotonic()
        answer = client.list("flat/metadata/all", **query).ok(200)
        seconds = time.monotonic() - began
    listed = {"seconds": seconds, "keys": len(answer.data["keys"]), "bytes": len(answer.raw), "grown": grown[0]}
    say(f"  list {query or 'of all'}: {seconds:.2f} s for {listed['keys']:,} keys, {listed['bytes'] / 1e6:.1f} MB, "
        f"and {listed['grown'] / 1e6:.1f} MB of memory")
    return listed


# ---- Requests while an empty node is given everything ----

class Probe:
    """Asks one thing some hundred times a second, and knows how long each answer took; one that had to be asked for
    again, of a new leader, took from the first time on."""

    def __init__(self, bed, ask):
        self.bed, self.ask, self.took, self.over = bed, ask, [], threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _client(self):
        return self.bed.cluster.wait_leader(timeout=60).client(self.bed.cluster.root_token)

    def _is_answered(self, client):
        with contextlib.suppress(requests.RequestException):
            return self.ask(client).status == 200
        return False

    def _run(self):
        client = self._client()
        while not self.over.wait(0.005):
            began = time.monotonic()
            while not self._is_answered(client):
                client = self._client()
            self.took.append((began, time.monotonic() - began))

    def p99_ms(self, since, until):
        return 1000 * percentile([took for began, took in self.took if since <= began < until], 0.99)


@contextlib.contextmanager
def probing(bed):
    probes = {"read": Probe(bed, lambda client: client.read("kv/data/key-1")),
              "write": Probe(bed, lambda client: client.write("kv/data/key-2", data={"value": "x"}))}
    for probe in probes.values():
        probe.thread.start()
    try:
        yield probes
    finally:
        for probe in probes.values():
            probe.over.set()
            probe.thread.join()


def state_mb(node):
    """How large the state was that it was sent; None: the log's entries were enough, as they are when there is little."""
    sent = re.findall(r"the snapshot from node \S+ is complete: (\d+) bytes", node.process.text())
    return int(sent[-1]) / 1e6 if sent else None


def join_empty(bed):
    """{"seconds", "state", "read" and "write": p99 in ms before and meanwhile} of a member that comes back without its
    disk."""
    lost = bed.cluster.standbys()[0]
    bed.cluster.root.write("sys/storage/raft/remove-peer", server_id=lost.name).ok()
    lost.kill()
    shutil.rmtree(lost.data_dir)
    lost.data_dir.mkdir()
    lost.log_file.unlink(missing_ok=True)
    lost.start()
    with probing(bed) as probes:
        time.sleep(1)
        before = time.monotonic()
        time.sleep(10)
        began = time.monotonic()
        bed.cluster.join(lost, through=bed.cluster.wait_leader())
        ended = time.monotonic()
    figures = {name: (probe.p99_ms(before, began), probe.p99_ms(began, ended)) for name, probe in probes.items()}
    figures["seconds"], figures["state"] = ended - began, state_mb(lost)
    bed.cluster.wait_voters(3)
    sent = "no state, only entries," if figures["state"] is None else f"a state of {figures['state']:.0f} MB"
    say(f"  an empty node is sent {sent} and has everything after {figures['seconds']:.1f} s; p99 before and meanwhile: "
        + ", ".join(f"{name} {figures[name][0]:.1f} and {figures[name][1]:.1f} ms" for name in probes))
    return figures


def measure(cls, leases, options, folder):
    say(f"\n{cls.__name__}, 3 nodes")
    pause = 12 if cls is Bao else 0.5  # OpenBao counts a voter as settled after ten seconds
    bed = Bed(cls, 3, folder, False)
    try:
        time.sleep(15 if cls is Bao else 1)
        figures = {"few": failovers(bed, options.failovers, pause)}
        figures["leases"] = make_leases(bed, leases)
        time.sleep(5)
        figures["memory"], figures["own"] = bed.memory_mb(), bed.memory_mb("RssAnon")
        figures["disk"] = max(disk_mb(node) for node in bed.cluster.running())
        say(f"  {figures['own']:.0f} MB of memory, {figures['memory']:.0f} with what is mapped of its files; {figures['disk']:.0f} MB of disk")
        figures["many"] = failovers(bed, options.failovers, pause)
        figures["start"] = bed.restart()
        say(f"  all killed and started anew: serves after {figures['start']:.2f} s")
        figures["join"] = join_empty(bed)
        make_keys(bed, leases)
        figures["page"], figures["list"] = list_keys(bed, limit=1000), list_keys(bed)
        return figures
    finally:
        bed.stop()


def times(took):
    return f"{statistics.median(took):.2f} / {percentile(took, 0.99):.2f} / {max(took):.2f} s"


def report(ours, theirs, options):
    both = [figures for figures in (ours, theirs) if figures]

    def row(what, show):
        return f"| {what} | " + " | ".join(show(figures) for figures in both) + " |"
    return [f"Measured {time.strftime('%Y-%m-%d')} by `sh tests/bench/run.sh scale`; three nodes.", "",
            "| what | Coffer |" + (" OpenBao |" if theirs else ""), "|---|--:|" + ("--:|" if theirs else ""),
            row("leases", lambda f: f"{f['leases']:,}"),
            row(f"kill -9 of the leader to the first write, without leases: median / p99 / worst of {options.failovers}",
                lambda f: times(f["few"])),
            row("the same with them", lambda f: times(f["many"])),
            row("all nodes killed, to serving", lambda f: f"{f['start']:.2f} s"),
            row("memory of the largest node; with what is mapped of its files",
                lambda f: f"{f['own']:.0f} MB; {f['memory']:.0f} MB"),
            row("disk of the largest node", lambda f: f"{f['disk']:.0f} MB"),
            row("an empty node has everything after", lambda f: f"{f['join']['seconds']:.1f} s"),
            *(row(f"p99 of a {what} before; meanwhile", lambda f, what=what: "%.1f ms; %.1f ms" % f["join"][what])
              for what in ("read", "write")),
            row("list of all keys of a folder: how many, time, size of the answer, growth of the server at most",
                lambda f: listed(f["list"])),
            row("the same with `limit=1000`", lambda f: listed(f["page"]))]


def listed(figures):
    return f"{figures['keys']:,}, {figures['seconds']:.2f} s, {figures['bytes'] / 1e6:.2f} MB, {figures['grown'] / 1e6:.1f} MB"


def goals(ours):
    """The project's aims, and whether this run met them."""
    lines = []
    for what in ("read", "write"):
        before, meanwhile = ours["join"][what]
        lines.append((meanwhile <= 2 * before, f"p99 of a {what} while an empty node is given everything: "
                                               f"{meanwhile / before:.1f} times, aim 2"))
    times = ours["list"]["grown"] / ours["list"]["bytes"]
    lines.append((times <= 3, f"memory for a list of {ours['list']['keys']:,} keys: {times:.1f} times the answer, aim 3"))
    page = ours["page"]["grown"]
    lines.append((page <= LIMIT_MB << 20, f"memory for a list of the first 1,000 of them: {page / 1e6:.1f} MB, aim {LIMIT_MB} MB"))
    return ["", *(f"- {'met' if met else '**missed**'}: {text}" for met, text in lines)]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leases", type=int, default=1_000_000)
    parser.add_argument("--bao-leases", type=int, default=100_000, help="0: without OpenBao")
    parser.add_argument("--failovers", type=int, default=20)
    parser.add_argument("--no-report", action="store_true", help="leave docs/performance.md alone")
    return parser.parse_args()


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="coffer-scale-") as folder:
        places = [pathlib.Path(folder) / name for name in ("coffer", "bao")]
        for place in places:
            place.mkdir()
        ours = measure(Coffer, options.leases, options, places[0])
        theirs = measure(Bao, options.bao_leases, options, places[1]) if options.bao_leases else None
    lines = report(ours, theirs, options) + goals(ours)
    say("\n" + "\n".join(lines))
    if not options.no_report:
        write_report(lines, BEGIN, END)
        say(f"\nwritten to {REPORT.relative_to(settings.TOP)}")


if __name__ == "__main__":
    main()
