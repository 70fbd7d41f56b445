# SPDX-License-Identifier: Apache-2.0
"""Request forwarding: a standby has the active node answer, for clients that cannot follow a redirect."""
import concurrent.futures
import json
import socket
import ssl
import struct
import threading
import time

import pytest
import requests

from lib import raw
from lib.process import wait_for

pytestmark = pytest.mark.coffer_only

FORWARDING = "request_forwarding = true"


@pytest.fixture(scope="module")
def forwarding(shared_nodes):
    """Three nodes for the whole module, with an audit log on each and kv at kv/; leave them as you found them."""
    cluster = shared_nodes.cluster(3, config_extra=FORWARDING, listener_extra='proxy_protocol_behavior = "use_always"').ready()
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)
    cluster.wait_leader().keys = cluster.keys
    cluster.root.write("sys/audit/file", type="file", options={"file_path": str(cluster.folder / "audit.log")}).ok(204)
    return cluster


@pytest.fixture
def standby(forwarding):
    return forwarding.standbys()[0]


@pytest.fixture
def client(forwarding, standby):
    return standby.client(forwarding.root_token)


def last_entry(cluster):
    return json.loads((cluster.folder / "audit.log").read_text().splitlines()[-1])


# ---- What goes there, and comes back ----

@pytest.mark.cve("N-123")
@pytest.mark.quick
def test_answers_are_wrapped_and_unwrapped_through_a_standby(client, forwarding):
    client.write("kv/wrapped", x="1").ok(204)
    info = client.request("GET", "kv/wrapped", headers={"X-Vault-Wrap-TTL": "5m"}).ok(200).json["wrap_info"]
    assert info["creation_path"] == "kv/wrapped"
    assert client.write("sys/wrapping/lookup", token=info["token"]).ok(200).data["creation_ttl"] == 300
    assert client.write("sys/wrapping/unwrap", token=info["token"]).ok(200).data == {"x": "1"}
    forwarding.root.write("sys/wrapping/unwrap", token=info["token"]).refused(400)


@pytest.mark.quick
def test_every_verb_is_answered_through_a_standby(client):
    client.write("kv/dir/a b", x="1").ok(204)
    assert client.read("kv/dir/a b").ok(200).data == {"x": "1"}
    assert client.list("kv/dir").ok(200).data == {"keys": ["a b"]}
    assert client.read("kv/dir", list="true").ok(200).data == {"keys": ["a b"]}
    client.delete("kv/dir/a b").ok(204)
    client.read("kv/dir/a b").refused(404)
    head = client.request("HEAD", "kv/dir/none")
    assert (head.status, head.raw) == (404, b"")


@pytest.mark.quick
def test_the_answer_is_the_active_nodes_own(forwarding, client, standby):
    here = forwarding.root.read("sys/mounts").ok(200)
    there = client.read("sys/mounts").ok(200)
    assert there.data == here.data
    assert {name: there.headers[name] for name in ("Content-Type", "Cache-Control")} == \
        {name: here.headers[name] for name in ("Content-Type", "Cache-Control")}
    standby.client("wrong").read("kv/a").refused(403, "permission denied")
    client.request("POST", "kv/a", raw=b"{no json").refused(400)
    client.read("no/such/thing").refused(404)


@pytest.mark.quick
def test_a_large_value_goes_through_whole(client):
    value = "v" * (900 << 10)
    client.write("kv/large", x=value).ok(204)
    assert client.read("kv/large").ok(200).data["x"] == value
    client.delete("kv/large").ok(204)


@pytest.mark.quick
def test_what_is_about_the_node_itself_stays_there(forwarding, client, standby):
    assert client.read("sys/health").status == 429
    assert client.read("sys/leader").ok(200).json["is_self"] is False
    leader = forwarding.wait_leader()
    client.write("sys/step-down").ok(204)  # a standby has nothing to hand over
    assert forwarding.wait_leader() is leader


@pytest.mark.quick
@pytest.mark.parametrize("path, headers", [
    ("kv/a", {"X-Vault-No-Request-Forwarding": "true"}),
    ("sys/storage/raft/snapshot", {}),
    ("sys/storage/raft/snapshot-force", {}),
])
def test_who_asks_for_a_redirect_gets_one_and_snapshots_always(forwarding, client, path, headers):
    for method in ("GET", "POST"):
        answer = client.request(method, path, raw=b"{}" if method == "POST" else None, headers=headers)
        assert answer.ok(307).headers["Location"] == f"{forwarding.wait_leader().address}/v1/{path}"


# ---- Whose request it is ----

@pytest.mark.quick
def test_the_clients_address_travels_along(forwarding, standby):
    header = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"
    status, answer = raw.ask(standby, "GET", "/v1/sys/mounts", token=forwarding.root_token, before=header)
    assert status == 200, answer
    entry = last_entry(forwarding)
    assert (entry["request"]["remote_address"], entry["request"]["remote_port"]) == ("192.0.2.1", 56324)
    assert entry["forwarded_from"] == standby.name
    # Unless leadership has just changed, who is asked itself is not named.
    wait_for("a request that was not forwarded",
             lambda: forwarding.root.read("sys/mounts").ok(200) and "forwarded_from" not in last_entry(forwarding))


class Member:
    """What a standby says to the active node, said with a node's certificate: see api/forward_message.h."""

    def __init__(self, node, leader):
        identity = node.data_dir / "raft"
        context = ssl.create_default_context(cafile=str(identity / "ca.crt"))
        context.check_hostname = False
        context.load_cert_chain(identity / "node.crt", identity / "node.key")
        context.set_alpn_protocols(["coffer-call/1"])
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", leader.cluster_port), timeout=20))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, kind, payload):
        try:
            self.socket.sendall(struct.pack("!IB", len(payload), kind) + payload)
        except OSError:
            pass  # closed already

    def receive(self):
        """(kind, payload), or None when the other side has closed."""
        head = self._exactly(5)
        if head is None:
            return None
        length, kind = struct.unpack("!IB", head)
        return kind, self._exactly(length)

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            try:
                more = self.socket.recv(count - len(data))
            except OSError:
                return None
            if not more:
                return None
            data += more
        return data

    def ask(self, path, token, address="192.0.2.9", body_len=0):
        """The status, or None when nothing was answered."""
        self.send(1, request_head(path, token, address, body_len))
        answer = self.receive()
        if answer is None:
            return None
        kind, payload = answer
        assert kind == 2
        if struct.unpack("!I", payload[-4:])[0] > 0:
            assert self.receive()[0] == 3
        return struct.unpack("!H", payload[1:3])[0]


def block(text):
    return struct.pack("!I", len(text)) + text.encode()


def request_head(path, token, address="192.0.2.9", body_len=0):
    return (b"\1" + block("GET") + block(path) + b"\0" + block("") + block(address) + struct.pack("!HH", 4711, 1) +
            block("x-vault-token") + block(token) + struct.pack("!I", body_len))


@pytest.mark.quick
def test_a_member_is_believed_about_its_client(forwarding, standby):
    with Member(standby, forwarding.wait_leader()) as member:
        assert member.ask("/v1/sys/mounts", forwarding.root_token) == 200
        assert last_entry(forwarding)["request"]["remote_address"] == "192.0.2.9"
        assert member.ask("/v1/sys/mounts", "wrong") == 403  # the same connection, again
        assert member.ask("/v1/a/../b", forwarding.root_token) == 400


@pytest.mark.cve("N-120")
@pytest.mark.quick
def test_nobody_else_gets_through_the_cluster_port(forwarding, standby, nodes):
    leader = forwarding.wait_leader()
    with raw.Raw(leader.cluster_port) as stranger:
        stranger.send(b"GET /v1/sys/health HTTP/1.1\r\nHost: a\r\n\r\n")
        assert not stranger.receive().startswith(b"HTTP")
    other = nodes.node()
    other.start()
    other.ready()
    try:
        with Member(other, leader) as stranger:
            assert stranger.ask("/v1/sys/health", "") is None
    except OSError:
        pass  # refused in the handshake
    # A standby does not answer for others, nor forward for them.
    with Member(leader, standby) as member:
        member.send(1, request_head("/v1/sys/mounts", forwarding.root_token))
        kind, payload = member.receive()
        assert (kind, payload[0]) == (2, 0)


@pytest.mark.quick
@pytest.mark.parametrize("kind, payload", [
    (1, b""), (1, b"\2" + request_head("/v1/a", "t")[1:]), (1, request_head("/v1/a", "t") + b"x"), (3, b"abc"), (9, b""),
    (1, request_head("/v1/a", "t", body_len=(64 << 20) + 1)), (1, request_head("/v1/a", "t", address="1" * 100)),
    (1, b"x" * (300 << 10)),
])
def test_nonsense_ends_its_channel_and_nothing_else(forwarding, standby, kind, payload):
    leader = forwarding.wait_leader()
    with Member(standby, leader) as member:
        member.send(kind, payload)
        assert member.receive() is None
    assert leader.health() == 200


def test_a_node_that_was_removed_is_not_heard_any_more(nodes):
    cluster = nodes.cluster(3, config_extra=FORWARDING).ready()
    leader, removed = cluster.wait_leader(), cluster.standbys()[0]
    with Member(removed, leader) as member:
        assert member.ask("/v1/sys/mounts", cluster.root_token) == 200
        cluster.root.write("sys/storage/raft/remove-peer", server_id=removed.name).ok(204)
        assert member.ask("/v1/sys/mounts", cluster.root_token) is None


# ---- Many at once ----

def test_many_clients_through_both_standbys_see_their_own_writes(forwarding):
    def work(number):
        node = forwarding.standbys()[number % 2]
        client = node.client(forwarding.root_token)
        for turn in range(20):
            client.write(f"kv/many-{number}", n=turn).ok(204)
            assert client.read(f"kv/many-{number}").ok(200).data == {"n": turn}
        return 20
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        assert sum(pool.map(work, range(24))) == 480


def test_what_is_under_way_is_bounded(nodes):
    cluster = nodes.cluster(3, config_extra=FORWARDING).ready()
    leader, standby = cluster.wait_leader(), cluster.standbys()[0]
    cluster.root.write("sys/mounts/kv", type="kv").ok(204)
    before = standby.process.memory_kb()
    leader.process.pause()
    body = {"x": "v" * (500 << 10)}
    answers = []

    def ask():
        try:
            answers.append(standby.client(cluster.root_token, timeout=60).write("kv/a", **body).status)
        except requests.RequestException as problem:
            answers.append(repr(problem))
    threads = [threading.Thread(target=ask) for _ in range(80)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    leader.process.resume()
    # 64 were with the paused node; the others waited, and found the one that took over, or were told to come again.
    assert set(answers) <= {204, 502, 503}, answers
    assert answers.count(502) <= 64
    assert standby.process.memory_kb() - before < 400 << 10


# ---- When the active node changes ----

class Writers:
    """Clients of one node each, that follow and repeat nothing."""

    def __init__(self, cluster, nodes):
        self.over, self.failures, self.done = threading.Event(), [], 0
        self.threads = [threading.Thread(target=self._run, args=(node.client(cluster.root_token), number))
                        for number, node in enumerate(nodes)]

    def _run(self, client, number):
        turn = 0
        while not self.over.is_set():
            turn += 1
            for answer in (client.write(f"kv/writer-{number}", n=turn), client.read(f"kv/writer-{number}")):
                if answer.status not in (200, 204) or (answer.status == 200 and answer.data["n"] != turn):
                    self.failures.append(answer)
                self.done += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def test_a_step_down_is_not_noticed_through_any_node(forwarding):
    with Writers(forwarding, [node for node in forwarding.nodes for _ in range(2)]) as writers:
        for _ in range(2):
            wait_for("requests go on", lambda n=writers.done: writers.done > n + 20)
            old = forwarding.wait_leader()
            # Who has stepped down does not stand for a while, and may be the one that is chosen: then once more.
            wait_for("it steps down", lambda o=old: o.client(forwarding.root_token).write("sys/step-down").status == 204)
            forwarding.wait_leader(other_than=old)
    assert writers.failures == [] and writers.done > 100


def test_without_an_active_node_the_answer_is_503_after_a_while(nodes):
    cluster = nodes.cluster(3, config_extra=FORWARDING).ready()
    standby = cluster.standbys()[0]
    for node in cluster.nodes:
        if node is not standby:
            node.kill()
    began = time.monotonic()
    answer = standby.client(cluster.root_token).read("sys/mounts")
    answer.refused(503, "no active Vault instance found")
    assert answer.headers["Retry-After"] == "1" and time.monotonic() - began < 30


def test_a_request_that_may_have_been_done_is_not_sent_again(nodes):
    cluster = nodes.cluster(3, config_extra=FORWARDING).ready()
    cluster.root.write("sys/mounts/kv", type="kv", options={"version": "2"}).ok(204)
    old, standby = cluster.wait_leader(), cluster.standbys()[0]
    client = standby.client(cluster.root_token)
    assert client.write("kv/data/a", data={"n": 1}).ok(200).data["version"] == 1
    time.sleep(0.2)  # the connection is put aside for the next request, just after the answer
    # The connection is there: the paused node's kernel takes the next request, and nobody knows what it does with it.
    old.process.pause()
    answer = client.write("kv/data/a", data={"n": 2})
    answer.refused(502, "whether the request took effect is not known")
    cluster.wait_leader(other_than=old)
    assert client.read("kv/data/a").ok(200).data["metadata"]["version"] == 1
    old.process.resume()
    cluster.wait_level()
    assert client.read("kv/data/a").ok(200).data["metadata"]["version"] == 1
