# SPDX-License-Identifier: Apache-2.0
"""The faults, as a table. begin(world, choose) does it and returns what heal(world, …) needs to undo it.

What a fault leaves down or sealed is started and unsealed afterwards (World.mend): heal does the rest only.
"""
import dataclasses
import errno
import shutil
import signal
import subprocess
import typing

import requests

from lib.process import wait_for

from .network import OUTSIDE, Network


def nothing(_world, _begun):
    """There is nothing to undo."""


@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    begin: typing.Callable
    heal: typing.Callable = nothing
    lasts: tuple = (0.5, 4)  # seconds
    where: tuple = ("coffer", "bao")
    last_to_heal: bool = False
    not_with: tuple = ()


def leader_or_any(world, choose):
    return world.leader() or choose.choice(world.nodes)


def standby(world, choose):
    return choose.choice(world.others(leader_or_any(world, choose)))


def any_node(world, choose):
    return choose.choice(world.nodes)


# ---- kill -9, and a pause ----

def kill(world, nodes):
    for node in nodes:
        node.process.was_killed = True
        if node.process.is_running():
            node.process.proc.kill()
    for node in nodes:
        node.kill()


def kill_leader(world, choose):
    kill(world, [leader_or_any(world, choose)])


def kill_one(world, choose):
    kill(world, [any_node(world, choose)])


def kill_two(world, choose):
    kill(world, choose.sample(world.nodes, 2))


def kill_all(world, choose):
    kill(world, world.nodes)
    world.take_digests()


def send(node, number):
    if node.process.is_running():
        node.process.signal(number)


def pause(pick):
    def begin(world, choose):
        node = pick(world, choose)
        send(node, signal.SIGSTOP)
        return node
    return begin


def resume(_world, node):
    send(node, signal.SIGCONT)


# ---- The network ----

def impair(pairs_of, **quality):
    """quality: numbers, or (low, high) to choose from."""
    def begin(world, choose):
        key = object()
        chosen = {what: choose.uniform(*much) if isinstance(much, tuple) else much for what, much in quality.items()}
        world.network.impair(key, pairs_of(world, choose), **chosen)
        return key
    return begin


def relieve(world, key):
    world.network.relieve(key)


def around(node, world):
    return Network.between({node.name}, world.names - {node.name})


def leader_from_peers(world, choose):
    return around(leader_or_any(world, choose), world)


def leader_from_all(world, choose):
    leader = leader_or_any(world, choose)
    return Network.between({leader.name}, world.names - {leader.name} | {OUTSIDE})


def minority(world, choose):
    some = {node.name for node in choose.sample(world.nodes, (len(world.nodes) - 1) // 2)}
    return Network.between(some, world.names - some)


def ring(world, choose):
    """Each node hears its two neighbours in the ring only; of three, the link between two is cut."""
    names = [node.name for node in choose.sample(world.nodes, len(world.nodes))]
    if len(names) == 3:
        return Network.between({names[0]}, {names[1]})
    heard = set()
    for one, other in zip(names, names[1:] + names[:1]):
        heard |= {(one, other), (other, one)}
    return [pair for pair in Network.between(names, names) if pair not in heard]


def one_way(world, choose):
    """What the leader sends does not come, or what it is sent."""
    leader = leader_or_any(world, choose)
    ways = [(leader.name, other.name) for other in world.others(leader)]
    return ways if choose.random() < 0.5 else [(other, one) for one, other in ways]


def all_links(world, _choose):
    return Network.between(world.names, world.names)


# ---- The disk and the clock ----

def fill_disk(pick):
    """No byte is left of the node's file system."""
    def begin(world, choose):
        nodes = pick(world, choose)
        for node in nodes:
            with open(node.data_dir / "ballast", "ab", buffering=0) as ballast:
                for size in (1 << 20, 1 << 12):
                    fill(ballast, bytes(size))
        return nodes
    return begin


def fill(file, block):
    try:
        while file.write(block):
            pass
    except OSError as full:
        assert full.errno == errno.ENOSPC


def make_room(_world, nodes):
    for node in nodes:
        (node.data_dir / "ballast").unlink(missing_ok=True)


def break_disk(call, code, paths):
    """A kind of system calls fails on some of a node's files. What its disk holds is unknown then: it may end itself."""
    def begin(world, choose):
        node = any_node(world, choose)
        world.may_die.add(node.name)
        node.faults.fail(call, code, choose.choice(paths))
        return node, call
    return begin


def slow_disk(world, choose):
    node = any_node(world, choose)
    node.faults.delay("sync", choose.choice((20, 100, 400)), "/data/")
    return node, "sync"


def repair_disk(world, begun):
    node, call = begun
    node.faults.fail(call, 0)
    world.may_die.add(node.name)


def set_clock(pick):
    def begin(world, choose):
        nodes, hour = pick(world, choose), choose.choice((-3600, 3600))
        for node in nodes:
            node.faults.shift_clock(hour)
        return nodes
    return begin


def reset_clock(_world, nodes):
    for node in nodes:
        node.faults.shift_clock(0)


# ---- What operators do ----

def ask(node, world, path, **body):
    """An operator's call; whether it succeeds depends on what else is wrong."""
    try:
        return node.client(world.cluster.root_token, timeout=10).request("PUT", path, body=body, redirects=True).status
    except requests.RequestException:
        return None


def seal(pick):
    def begin(world, choose):
        ask(pick(world, choose), world, "sys/seal")
    return begin


def step_down(world, choose):
    ask(leader_or_any(world, choose), world, "sys/step-down")


def restore_snapshot(world, _choose):
    """What was saved a moment before, so that nothing which was acknowledged is lost with it."""
    with world.load.held():
        try:
            client = world.cluster.wait_leader(10).client(world.cluster.root_token, timeout=20)
            saved = client.request("GET", "sys/storage/raft/snapshot", redirects=True)
            if saved.status == 200:
                client.request("POST", "sys/storage/raft/snapshot", raw=saved.raw,
                               headers={"Content-Type": "application/gzip"}, redirects=True)
        except (AssertionError, requests.RequestException):
            pass  # it goes wrong when something else does; the state is the one before then, or this one


def end_quarantine(world, _begun):
    """204: it is ended; 400: there was none, since another fault had let no snapshot be restored."""
    world.mend()
    wait_for("there is no quarantine", timeout=60, condition=lambda: any(
        ask(node, world, "sys/storage/raft/quarantine/revoke") in (204, 400) for node in world.nodes))


def stop(world, choose):
    """SIGTERM: a rolling upgrade's step."""
    node = any_node(world, choose)
    send(node, signal.SIGCONT)
    node.process.was_killed = True
    send(node, signal.SIGTERM)
    return node


def wait_stopped(world, node):
    send(node, signal.SIGCONT)
    try:
        node.process.wait(20)
    except subprocess.TimeoutExpired:
        world.violated("a node ends when it is told to", node.name)
        node.kill()


def is_member(world, node):
    leader = world.cluster.wait_leader(60)
    answer = leader.client(world.cluster.root_token, timeout=10).read("sys/storage/raft/configuration").ok(200)
    return node.name in {server["node_id"] for server in answer.data["config"]["servers"]}


def remove_and_wipe(world, choose):
    """A standby is taken out of the group, and its disk replaced by an empty one."""
    node = standby(world, choose)
    if ask(leader_or_any(world, choose), world, "sys/storage/raft/remove-peer", server_id=node.name) != 204:
        return None  # it may be out or not: heal looks
    world.outsiders.add(node.name)
    wipe(node)
    return node


def wipe(node):
    node.kill()
    for path in node.data_dir.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def join_again(world, node):
    if node is None:  # the answer did not come: was it taken out?
        world.mend()  # a leader that has taken one out, and been heard by nobody, needs all the others to lead again
        node = next((node for node in world.nodes if not is_member(world, node)), None)
        if node is None:
            return
        world.outsiders.add(node.name)
        wipe(node)
    world.mend()
    node.start()
    wait_for(f"{node.name} joins", lambda: joins(world, node), timeout=60)
    world.cluster.wait_voters(len(world.nodes))
    world.outsiders.discard(node.name)


def joins(world, node):
    """Leadership may be moving yet: it is tried until it succeeds."""
    try:
        if world.health(node) not in (200, 429):
            world.cluster.join(node, through=world.cluster.wait_leader(60, other_than=node))
    except (AssertionError, requests.RequestException):
        return False
    return True


def one(pick):
    return lambda world, choose: [pick(world, choose)]


def all_nodes(world, _choose):
    return world.nodes


COFFER = ("coffer",)  # what goes through the preload
DATA = ("/data/", "/data/raft/", "/data/state/")

FAULTS = {fault.name: fault for fault in (
    Fault("kill-leader", kill_leader),
    Fault("kill-one", kill_one),
    Fault("kill-two", kill_two),
    Fault("kill-all", kill_all, lasts=(0, 1)),
    Fault("restart", stop, wait_stopped),
    Fault("pause-leader", pause(leader_or_any), resume, lasts=(0.2, 8)),
    Fault("pause-one", pause(any_node), resume, lasts=(0.2, 8)),
    Fault("pause-long", pause(leader_or_any), resume, lasts=(20, 60)),
    Fault("isolate-leader-from-peers", impair(leader_from_peers, loss=1), relieve),
    Fault("isolate-leader-from-all", impair(leader_from_all, loss=1), relieve),
    Fault("isolate-minority", impair(minority, loss=1), relieve),
    Fault("ring", impair(ring, loss=1), relieve),
    Fault("one-way", impair(one_way, loss=1), relieve),
    Fault("delay", impair(all_links, delay_ms=(5, 100), jitter_ms=2), relieve),
    Fault("loss", impair(all_links, loss=(0.02, 0.3)), relieve),
    Fault("reorder", impair(all_links, delay_ms=1, jitter_ms=(5, 40)), relieve),
    Fault("disk-full-leader", fill_disk(one(leader_or_any)), make_room),
    Fault("disk-full-one", fill_disk(one(any_node)), make_room),
    Fault("disk-full-all", fill_disk(all_nodes), make_room),
    Fault("write-errors", break_disk("write", errno.EIO, DATA), repair_disk, where=COFFER),
    Fault("sync-errors", break_disk("sync", errno.EIO, DATA), repair_disk, where=COFFER),
    Fault("no-space-errors", break_disk("write", errno.ENOSPC, DATA), repair_disk, where=COFFER),
    Fault("audit-errors", break_disk("write", errno.EIO, ("audit.log",)), repair_disk, where=COFFER),
    Fault("slow-disk", slow_disk, repair_disk, where=COFFER),
    Fault("clock-leader", set_clock(one(leader_or_any)), reset_clock, where=COFFER),
    Fault("clock-one", set_clock(one(any_node)), reset_clock, where=COFFER),
    # When all start anew at the same wrong hour, nobody is left who could know better.
    Fault("clock-all", set_clock(all_nodes), reset_clock, where=COFFER, not_with=("kill-all",)),
    Fault("seal-leader", seal(leader_or_any)),
    Fault("seal-one", seal(any_node)),
    Fault("step-down", step_down, lasts=(0, 1)),
    Fault("restore", restore_snapshot, end_quarantine, lasts=(0, 2), where=COFFER, last_to_heal=True),
    Fault("member-replaced", remove_and_wipe, join_again, last_to_heal=True),
)}


def named(names, without, server):
    """The faults of a list such as "kill-leader,pause"; a name stands for all that begin with it. All, when empty."""
    def parts(text):
        found = tuple(name for name in text.split(",") if name)
        for name in found:
            if not any(known.startswith(name) for known in FAULTS):
                raise SystemExit(f"there is no fault {name!r}; there are: {' '.join(FAULTS)}")
        return found
    wanted, unwanted = parts(names) or ("",), parts(without)
    return [fault for name, fault in FAULTS.items() if server in fault.where and name.startswith(wanted)
            and not (unwanted and name.startswith(unwanted))]
