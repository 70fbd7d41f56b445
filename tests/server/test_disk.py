# SPDX-License-Identifier: Apache-2.0
"""What happens to the files: crashes, flipped bits, a full disk."""
import errno
import itertools
import os
import shutil
import threading

import pytest
import requests

from lib.process import wait_for

pytestmark = pytest.mark.coffer_only


def fill_with_data(node):
    node.root.write("sys/mounts/kv", type="kv").ok(204)
    for number in range(40):
        node.root.write(f"kv/{number}", x=f"value-{number}").ok(204)


def data_files(node):
    """Each kind of file once: those that hold something."""
    return sorted(path for path in node.data_dir.rglob("*") if path.is_file() and path.name not in ("lock.mdb", "reserve") and path.stat().st_size)


def flip_bit(path, part):
    """Flips a bit of a byte that is in use, as far into the file as part says. Returns where."""
    data = bytearray(path.read_bytes())
    used = [position for position, byte in enumerate(data) if byte]
    position = used[int(len(used) * part)]
    data[position] ^= 0x10
    path.write_bytes(data)
    return position


def try_to_live(node):
    """How a node gets on with its files: ("refuses", log), ("answers an error", …) or ("is whole", …)."""
    node.log_file.unlink(missing_ok=True)
    node.launch()
    try:
        wait_for("it answers or ends", lambda: not node.process.is_running() or _answers(node), timeout=20)
        if not node.process.is_running():
            return "refuses"
        answer = None
        for share in node.keys.shares[:node.keys.threshold]:
            answer = node.api("PUT", "sys/unseal", key=share)
        if answer.status != 200:
            return "answers an error"
        wait_for("it is active or ends", lambda: not node.process.is_running() or node.health() == 200, timeout=10)
        if not node.process.is_running():
            return "refuses"
        return _read_all(node)
    finally:
        node.process.check()  # a crash is never the answer
        node.kill()


def _answers(node):
    try:
        return node.answers()
    except AssertionError:
        return None


def _read_all(node):
    whole = "is whole"
    for number in range(40):
        answer = node.root.read(f"kv/{number}")
        if answer.status >= 500:
            whole = "answers an error"
        else:
            assert answer.ok(200).data == {"x": f"value-{number}"}, "a wrong value was served"
    return whole


@pytest.mark.cve("N-077")
def test_a_flipped_bit_is_never_served_and_its_file_is_named(node, tmp_path):
    node.ready(2, 2)
    fill_with_data(node)
    node.stop()
    good = tmp_path / "good"
    shutil.copytree(node.data_dir, good)
    refused_by = {}
    for path in data_files(node):
        kind = path.relative_to(node.data_dir)
        for part in (0.0, 0.3, 0.6, 0.9):
            shutil.rmtree(node.data_dir)
            shutil.copytree(good, node.data_dir)
            position = flip_bit(path, part)
            verdict = try_to_live(node)
            refused_by.setdefault(kind, []).append((position, verdict))
            if verdict == "refuses":
                assert str(path) in node.process.text() or str(path.parent) in node.process.text(), \
                    f"bit flipped in {kind} at {position}; it refuses without saying so:\n{node.process.tail()}"
    print(refused_by)
    never = [str(kind) for kind, verdicts in refused_by.items() if all(verdict == "is whole" for _, verdict in verdicts)]
    assert not never, f"no flipped bit was noticed in: {never}"


@pytest.mark.parametrize("cut", [0, 1, 100, 4096])
def test_a_file_that_was_cut_short_is_refused_or_made_good_but_never_guessed(node, tmp_path, cut):
    node.ready(2, 2)
    fill_with_data(node)
    node.stop()
    good = tmp_path / "good"
    shutil.copytree(node.data_dir, good)
    for path in data_files(node):
        shutil.rmtree(node.data_dir)
        shutil.copytree(good, node.data_dir)
        with open(path, "r+b") as file:
            file.truncate(min(cut, path.stat().st_size - 1))
        verdict = try_to_live(node)
        assert verdict in ("refuses", "answers an error", "is whole"), path


def test_what_was_acknowledged_is_there_after_kill_9(node):
    node.ready()
    node.root.write("sys/mounts/kv", type="kv").ok(204)
    acknowledged = []
    stop = threading.Event()

    def write(writer):
        client, number = node.root, 0
        while not stop.is_set():
            name = f"{writer}-{number}"
            try:
                if client.write(f"kv/{name}", x=name).status == 204:
                    acknowledged.append(name)
            except OSError:
                return
            number += 1
    for _ in range(5):
        stop.clear()
        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
        for thread in threads:
            thread.start()
        wait_for("some writes", lambda goal=len(acknowledged) + 50: len(acknowledged) >= goal)
        node.kill()
        stop.set()
        for thread in threads:
            thread.join()
        node.start()
        node.unseal()
        node.wait_active()
    client = node.root
    lost = [name for name in acknowledged if client.read(f"kv/{name}").status != 200]
    assert not lost and len(acknowledged) >= 250


@pytest.mark.needs_root
def test_a_full_disk_acknowledges_nothing_and_room_brings_it_back(nodes, small_disk):
    node = nodes.node(data_dir=small_disk / "data")
    node.start()
    node.ready()
    node.root.write("sys/mounts/kv", type="kv").ok(204)
    acknowledged = []
    filler = small_disk / "filler"
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError:
            pass
    refused = None
    for number in range(400):
        answer = node.root.write(f"kv/{number}", x="y" * 20_000)
        if answer.status == 204:
            acknowledged.append(number)
        else:
            refused = answer
            break
    assert refused is not None and refused.status >= 500 and refused.errors
    assert node.process.is_running(), node.process.tail()
    filler.unlink()
    wait_for("it recovers", lambda: node.health() == 200 and node.root.write("kv/after", x="1").status == 204, timeout=30)
    assert all(node.root.read(f"kv/{number}").status == 200 for number in acknowledged)


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("path", ["raft/log/data.mdb", "state/data.mdb"])
def test_a_flush_that_failed_is_not_tried_again(nodes, path, code):
    """Nobody knows what the disk holds then: the process ends, says so, and all that was acknowledged is there."""
    node = nodes.node()
    faults = node.faults
    node.start()
    node.ready()
    node.root.write("sys/mounts/kv", type="kv").ok(204)
    node.root.write("kv/before", x="1").ok(204)
    faults.fail("sync", code, path)
    try:
        assert node.client(node.keys.root_token, timeout=10).write("kv/during", x="1").status >= 500
    except requests.RequestException:
        pass
    assert node.process.wait() == 1
    assert str((node.data_dir / path).parent) in node.process.tail(5) and "this node stops" in node.process.tail(5)
    faults.clear()
    node.start()
    node.unseal()
    node.wait_active()
    assert node.root.read("kv/before").ok(200).data == {"x": "1"}


def fill(folder, leave):
    """Writes a file into a file system so that `leave` bytes are left; returns its path."""
    filler = folder / "filler"
    free = os.statvfs(folder)
    with open(filler, "wb", buffering=0) as file:
        file.write(bytes(free.f_bavail * free.f_frsize - leave))
    return filler


@pytest.mark.needs_root
def test_with_little_room_left_only_what_makes_the_store_grow_is_refused(nodes, small_disk):
    node = nodes.node(data_dir=small_disk / "data")
    node.start()
    root = node.ready().root
    root.write("sys/mounts/kv", type="kv").ok(204)
    for number in range(10):
        root.write(f"kv/{number}", x="y" * 1000).ok(204)
    token = root.write("auth/token/create", policies=["default"]).ok(200).auth["client_token"]

    def room():
        return root.read("sys/health").ok(200).json["disk_space"]
    assert room() == "enough"
    filler = fill(small_disk, 1 << 20)
    wait_for("it notices", lambda: room() == "low")
    for answer in (root.write("kv/new", x="1"), root.write("auth/token/create", policies=["default"]),
                   root.write("kv/1", x="y" * 100_000)):
        assert answer.status == 503 and "nearly full" in answer.errors[0]
    assert node.client(token).read("auth/token/lookup-self").status == 200
    root.write("kv/1", x="z" * 1000).ok(204)
    root.delete("kv/2").ok(204)
    root.write("auth/token/revoke", token=token).ok(204)
    assert node.client(token).read("auth/token/lookup-self").status == 403
    filler.unlink()
    wait_for("it notices", lambda: room() == "enough")
    root.write("kv/new", x="1").ok(204)


@pytest.mark.needs_root
def test_on_a_disk_that_others_filled_to_the_last_block_the_reserve_is_used_and_comes_back(nodes, small_disk):
    node = nodes.node(data_dir=small_disk / "data")
    node.start()
    root = node.ready().root
    root.write("sys/mounts/kv", type="kv").ok(204)
    for number in range(30):
        root.write(f"kv/{number}", x="y" * 20_000).ok(204)
    reserves = [node.data_dir / part / "reserve" for part in ("raft/log", "state")]

    def whole():
        """Those that take up what they say."""
        return [path for path in reserves if path.exists() and path.stat().st_blocks * 512 >= path.stat().st_size > 0]
    wait_for("the reserves are there", lambda: whole() == reserves)
    size = reserves[0].stat().st_size
    filler = fill(small_disk, 0)
    # What was there may be changed as long as there is room in the files themselves, and then out of the reserve.
    numbers, answered = itertools.count(), []

    def is_given_up():
        answered.append(root.write(f"kv/{next(numbers) % 30}", x="z" * 20_000).status)
        return not any(path.exists() for path in reserves)
    wait_for("the reserves are given up", is_given_up, timeout=60)
    text = node.log_file.read_text()
    assert all(f"{path} was given up to make room" in text for path in reserves)
    assert {204} <= set(answered) <= {204, 500, 503}, answered
    wait_for("it can be deleted", lambda: root.delete("kv/0").status == 204, timeout=30)
    assert root.read("kv/0").status == 404
    wait_for("it refuses more", lambda: root.write(f"kv/new{next(numbers)}", x="1").status == 503)
    assert not any(path.exists() for path in reserves)
    filler.unlink()
    wait_for("the reserves are made again", lambda: whole() == reserves)
    assert reserves[0].stat().st_size == size
    wait_for("it writes", lambda: root.write("kv/b", x="1").status == 204)
    assert root.read("kv/1").ok(200).data["x"] in ("y" * 20_000, "z" * 20_000)


def test_an_audit_log_that_cannot_be_written_does_not_keep_a_node_from_being_sealed(nodes):
    node = nodes.node(faults=True)
    node.start()
    node.ready()
    node.enable_audit()
    node.faults.fail("write", errno.ENOSPC, "audit.log")
    assert node.root.read("sys/mounts").status == 500
    node.root.write("sys/seal").ok(204)
    assert node.status()["sealed"] is True
    node.faults.clear()
    node.unseal()
    node.wait_active()
    node.root.read("sys/mounts").ok(200)


@pytest.mark.cve("N-098")
def test_the_data_directory_is_only_for_its_owner(node):
    node.ready()
    for path in node.data_dir.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_states_file_gets_smaller_when_most_was_deleted_and_nothing_is_lost(node):
    node.ready()
    file = node.data_dir / "state" / "data.mdb"
    node.root.write("sys/mounts/kv", type="kv").ok(204)
    for number in range(40):
        node.root.write(f"kv/large/{number}", x="x" * (1 << 20)).ok(204)
    grown = file.stat().st_size
    assert grown > 40 << 20
    for number in range(39):
        node.root.delete(f"kv/large/{number}").ok(204)
    written = itertools.count()

    def has_shrunk():
        node.root.write("kv/counter", n=next(written)).ok(204)
        return file.stat().st_size < grown / 8

    wait_for("the file is smaller", has_shrunk, timeout=40)
    node.kill()
    node.start()
    node.unseal()
    node.wait_active()
    assert node.root.read("kv/counter").ok().data == {"n": next(written) - 1}
    assert node.root.read("kv/large/39").ok().data == {"x": "x" * (1 << 20)}
    assert node.root.list("kv/large").ok().data["keys"] == ["39"]
    assert "the state's file was written anew" in node.log_file.read_text()


@pytest.mark.parametrize("point", ["store.before_compacted", "store.after_compacted"])
def test_who_is_killed_while_the_states_file_is_written_anew_has_all_that_was_acknowledged(nodes, point):
    node = nodes.node(env={"COFFER_FAILPOINTS": f"store.compact_always=error,{point}=kill@5"})
    node.start()
    node.ready()
    node.root.write("sys/mounts/kv", type="kv").ok(204)
    client, acknowledged = node.root, []
    try:
        for number in itertools.count():
            client.write(f"kv/{number}", n=number).ok(204)
            acknowledged.append(number)
    except OSError:
        pass
    wait_for("it is dead", lambda: not node.process.is_running())
    node.env = {}
    node.start()
    node.unseal()
    node.wait_active()
    assert len(acknowledged) > 20
    assert [number for number in acknowledged if node.root.read(f"kv/{number}").status != 200] == []
    assert not (node.data_dir / "state" / "compact").exists()
