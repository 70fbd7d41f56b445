# SPDX-License-Identifier: Apache-2.0
"""What a million leases change: failover, starting, memory, disk, and lists, beside OpenBao. Run it with `run.sh scale`.

Leases are tokens' (an orphan's each, of a day), made over HTTP. OpenBao, which makes some thousand a second at most, gets
fewer by default; how many each had stands in the table."""
import argparse
import json
import pathlib
import statistics
import tempfile
import time

from bench import Bed, REPORT, WORKS, percentile, say, write_report
from lib import settings
from lib.node import Bao, Coffer
from lib.process import wait_for

BEGIN, END = "<!-- scale: begin -->", "<!-- scale: end -->"
MAKE = "make tokens"
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


def restart_all(bed):
    """Seconds from the start of all nodes, with kill -9 before, to the first read."""
    bed.cluster.kill_all()
    began = time.monotonic()
    bed.cluster.revive(*bed.cluster.nodes)
    wait_for("it serves", lambda: bed.cluster.root.read("kv/data/key-1").status == 200, every=0.005)
    return time.monotonic() - began


def list_all(bed):
    """Seconds, keys, and by how many megabytes the server grew."""
    before, began = bed.memory_mb("RssAnon"), time.monotonic()
    keys = bed.cluster.wait_leader().client(bed.cluster.root_token, timeout=600).list("auth/token/accessors").ok(200).data["keys"]
    return time.monotonic() - began, len(keys), bed.memory_mb("RssAnon") - before


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
        figures["start"] = restart_all(bed)
        say(f"  all killed and started anew: serves after {figures['start']:.2f} s")
        figures["list"] = list_all(bed)
        say("  list: %.2f s for %d keys, %.0f MB" % figures["list"])
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
            row("list of all accessors: time, growth of the server", lambda f: f"{f['list'][0]:.1f} s, {f['list'][2]:.0f} MB")]


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
    lines = report(ours, theirs, options)
    say("\n" + "\n".join(lines))
    if not options.no_report:
        write_report(lines, BEGIN, END)
        say(f"\nwritten to {REPORT.relative_to(settings.TOP)}")


if __name__ == "__main__":
    main()
