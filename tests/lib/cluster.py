# SPDX-License-Identifier: Apache-2.0
"""Several nodes, one group.

    cluster = Cluster(folder, authority, 3).ready()
    cluster.kill_leader()
    cluster.wait_leader().client(cluster.root_token).read("kv/a").ok()
"""
import requests

from .node import node_class
from .process import wait_for


class Cluster:
    def __init__(self, folder, authority, size=3, cls=None, **node_options):
        self.folder, self.authority, self.node_options = folder, authority, node_options
        self.cls = cls or node_class()
        self.keys = None
        self.nodes = []
        for number in range(1, size + 1):
            self.add_node(f"node{number}")

    def add_node(self, name, **options):
        """A new process that belongs to nothing yet."""
        node = self.cls(self.folder / name, self.authority, name, **{**self.node_options, **options})
        node.keys = self.keys
        self.nodes.append(node)
        return node

    def ready(self, shares=1, threshold=1):
        """The first node initialised, the others joined, all unsealed and all voters."""
        first = self.nodes[0]
        first.ready(shares, threshold)
        self.keys = first.keys
        for node in self.nodes[1:]:
            self.join(node)
        self.wait_voters(len(self.nodes))
        return self

    def join(self, node, through=None, **extra):
        """Brings a node into the group and unseals it. extra: more of the join API's fields."""
        through = through or self.nodes[0]
        node.keys = self.keys
        body = {"leader_api_addr": through.address, "leader_ca_cert": self.authority.ca_file.read_text(), **extra}
        assert node.api("POST", "sys/storage/raft/join", **body).ok(200).json["joined"] is True
        for share in self.keys.shares[:self.keys.threshold]:
            node.api("PUT", "sys/unseal", key=share).ok(200)
        wait_for(f"{node.name} has joined", lambda: node.health() in (200, 429), timeout=30)

    # ---- Who is who ----

    @property
    def root_token(self):
        return self.keys.root_token

    def running(self):
        return [node for node in self.nodes if node.process.is_running()]

    def leader(self):
        """The node that serves now, or None."""
        serving = [node for node in self.running() if node.health() == 200]
        return serving[0] if len(serving) == 1 else None

    def wait_leader(self, timeout=20, other_than=None):
        def found():
            node = self.leader()
            return node if node is not other_than else None
        return wait_for("a node leads", found, timeout, every=0.02)

    def standbys(self):
        leader = self.wait_leader()
        return [node for node in self.running() if node is not leader]

    @property
    def root(self):
        return self.wait_leader().client(self.root_token)

    def members(self):
        """{node_id: {"voter": …, "leader": …, …}} as the leader says."""
        servers = self.root.read("sys/storage/raft/configuration").ok(200).data["config"]["servers"]
        return {server["node_id"]: server for server in servers}

    def wait_voters(self, count, timeout=60):
        def found():  # meanwhile leadership may move, and a request find nobody
            answer = self.root.read("sys/storage/raft/configuration")
            return answer.status == 200 and sum(s["voter"] for s in answer.data["config"]["servers"]) == count
        wait_for(f"{count} voters", found, timeout)

    # ---- What happens to it ----

    def kill_leader(self):
        leader = self.wait_leader()
        leader.kill()
        return leader

    def revive(self, *nodes):
        """Starts dead nodes again and unseals them."""
        for node in nodes:
            node.start()
        for node in nodes:
            node.unseal(self.keys)

    def kill_all(self):
        for node in self.running():
            node.process.proc.kill()
        for node in self.nodes:
            node.kill()

    def wait_level(self, timeout=20):
        """Until every node that runs has applied what the leader has committed by now."""
        goal = self.wait_leader().client().read("sys/leader").json["raft_committed_index"]

        def is_level():
            return all(self._applied(node) >= goal for node in self.running())
        wait_for(f"all nodes have applied index {goal}", is_level, timeout)

    @staticmethod
    def _applied(node):
        try:
            answer = node.client(timeout=5).read("sys/leader")
        except requests.RequestException:
            return -1
        return (answer.json or {}).get("raft_applied_index", -1)

    def stop(self):
        problems = []
        for node in self.nodes:
            try:
                node.stop()
            except AssertionError as problem:
                problems.append(str(problem))
        assert not problems, "\n".join(problems)
