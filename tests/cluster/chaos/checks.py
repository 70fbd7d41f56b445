# SPDX-License-Identifier: Apache-2.0
"""What is looked at in the end, as a table: each check tells world.violated(...) what it finds.

What can be seen only while it happens is looked at then: in load.py (uses, leases) and world.py (service, crashes).
"""
import collections
import re
import subprocess
import time

from lib import settings

from . import load as clients
from .world import BUILT

ACTIVE = re.compile(r"this node is active, epoch (\d+)")
RESPONSE_ID = re.compile(r'"id":\s*"([0-9a-f-]{36})"')


def linearizable(world, load):
    """Every key's history, with what all keys hold in the end."""
    session = clients.Session(load, load.seed)
    for name in load.left_registers + [register.name for register in load.registers]:
        clients.read_register(load, session, 0, name)
    load.history.close()
    checked = subprocess.run([BUILT / "chaos" / "checker", world.folder / "history.jsonl"], text=True,
                             capture_output=True, check=False)
    *faults, summary = checked.stdout.splitlines() or [checked.stderr]
    print(f"  {summary}", flush=True)
    for fault in faults or ([summary] if checked.returncode else []):
        world.violated("every key is linearizable", fault)


def nothing_lost(world, load):
    answer = world.cluster.root.list("kv/metadata/ledger").ok(200, 404)
    lost = load.ledger - set(answer.data["keys"] if answer.status == 200 else ())
    print(f"  {len(load.ledger)} lines acknowledged in the ledger", flush=True)
    if lost:
        world.violated("no acknowledged write is lost", f"{len(lost)} lines of the ledger, such as {sorted(lost)[:5]}")


def leases(world, load):
    """Those that ended are gone, those that last work, and AWS has a user for each lease and no other."""
    limit = time.monotonic() + (clients.LEASE_S + clients.LATE_S) * settings.PATIENCE
    ending = [one for one in load.credentials if one.ends_by < limit]
    while ending and time.monotonic() < limit:
        ending = [one for one in ending if one.works()]
        time.sleep(0.2)
    for one in load.credentials:
        clients.check_credential(load, one)
    if world.moto:
        compare_users(world, limit)


def live_leases(root):
    """Without those that have ended: one whose request failed half-way stays on record until nothing can come of it."""
    found = []
    for role in ("short", "long"):
        answer = root.list(f"sys/leases/lookup/aws/creds/{role}").ok(200, 404)
        for name in answer.data["keys"] if answer.status == 200 else ():
            lease = root.write("sys/leases/lookup", lease_id=f"aws/creds/{role}/{name}")
            if lease.status == 200 and lease.data["ttl"] > 0:
                found.append(name)
    return found


def compare_users(world, limit):
    limit += clients.LATE_S * settings.PATIENCE
    while True:
        users, count = len(world.moto.users()), len(live_leases(world.cluster.root))
        if users == count or time.monotonic() > limit:
            break
        time.sleep(1)
    print(f"  {users} users in AWS, {count} leases", flush=True)
    if users != count:
        world.violated("AWS has a user for each lease and no other", f"{users} users, {count} leases")


def digests(world, _load):
    """All nodes at the same index, then all down."""
    for _ in range(3):
        world.wait_level()
        for node in world.nodes:
            node.process.was_killed = True
            node.process.proc.kill()
        for node in world.nodes:
            node.kill()
        seen = world.take_digests()
        if len({index for index, _ in seen}) <= 1:
            break
        world.mend()  # something was still written: again
        world.cluster.wait_leader(60)
    else:
        world.violated("equal state at equal index", f"the nodes' indexes do not meet: {seen}")
    print(f"  {len(world.digests)} states compared, each node at index {seen[0][0] if seen else '?'}", flush=True)


def epochs(world, _load):
    active = collections.defaultdict(set)
    for node in world.nodes:
        for epoch in ACTIVE.findall(node.process.text()):
            active[epoch].add(node.name)
    print(f"  {len(active)} epochs", flush=True)
    for epoch, names in active.items():
        if len(names) > 1:
            world.violated("one active node in an epoch", f"in epoch {epoch} {sorted(names)} were active")


def audited(world, load):
    """Each answer that a client has is in one audit log, once; and no other answer is there twice."""
    answers = collections.Counter()
    for node in world.nodes:
        if not node.audit_file.exists():
            continue
        with open(node.audit_file, encoding="utf-8") as lines:
            answers.update(request_of(line) for line in lines if '"type":"response"' in line.replace(": ", ":"))
    print(f"  {len(answers)} answers in the audit logs", flush=True)
    twice = [request for request, times in answers.items() if times > 1]
    missing = [request for request in load.request_ids if request not in answers]
    if twice:
        world.violated("each answer is in the audit log once", f"{len(twice)} twice, such as {twice[:3]}")
    if missing:
        world.violated("each answer is in the audit log once", f"{len(missing)} not at all, such as {missing[:3]}")


def request_of(line):
    """Without reading all of the JSON: the request's id is the first that is a UUID after "request"."""
    found = RESPONSE_ID.search(line, line.find('"request"'))
    return found.group(1) if found else None


CHECKS = (
    ("registers and policies are linearizable", linearizable, ("coffer", "bao")),
    ("acknowledged writes are there", nothing_lost, ("coffer", "bao")),
    ("leases and AWS", leases, ("coffer", "bao")),
    ("states", digests, ("coffer",)),
    ("epochs", epochs, ("coffer",)),
    ("audit logs", audited, ("coffer", "bao")),
)


def check_all(world, load):
    for name, check, servers in CHECKS:
        if world.server in servers:
            print(f"checking: {name}", flush=True)
            try:
                check(world, load)
            except AssertionError as problem:
                world.violated(name, f"cannot be checked: {problem}")
