# SPDX-License-Identifier: Apache-2.0
"""The fixtures. What is expensive is shared by the tests of a module; each test works at paths of its own."""
import itertools
import os
import subprocess

import pytest

from . import settings
from .certs import Authority
from .cluster import Cluster
from .moto import Moto
from .node import Bao, node_class

_counter = itertools.count(1)


def pytest_runtest_setup(item):
    if settings.SERVER != "coffer" and item.get_closest_marker("coffer_only"):
        pytest.skip("about Coffer alone")
    if item.get_closest_marker("needs_root") and os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


class _Nodes:
    """Makes nodes and clusters, and stops them all; a node that crashed fails the test."""

    def __init__(self, folder, authority):
        self.folder, self.authority, self.made = folder, authority, []

    def _new_folder(self):
        folder = self.folder / f"s{next(_counter)}"
        folder.mkdir()
        return folder

    def node(self, cls=None, **options):
        made = (cls or node_class())(self._new_folder(), self.authority, start=False, **options)
        self.made.append(made)
        return made

    def cluster(self, size=3, **options):
        # Registered before it starts: a start that fails must not leave processes behind.
        made = Cluster(self._new_folder(), self.authority, 0, **options)
        self.made.append(made)
        for number in range(1, size + 1):
            made.add_node(f"node{number}")
        return made

    def stop(self):
        problems = []
        for made in self.made:
            try:
                made.stop()
            except AssertionError as problem:
                problems.append(str(problem))
        assert not problems, "\n\n".join(problems)


@pytest.fixture
def nodes(tmp_path, authority):
    """Servers of this test's own: nodes.node() is not started yet, nodes.cluster(3) is."""
    made = _Nodes(tmp_path, authority)
    yield made
    made.stop()


@pytest.fixture
def node(nodes):
    """A server of this test's own, started, not initialised."""
    made = nodes.node()
    made.start()
    return made


@pytest.fixture
def cluster(nodes):
    """Three nodes of this test's own, unsealed, all voters; 1 share."""
    return nodes.cluster(3).ready()


@pytest.fixture(scope="module")
def shared_nodes(tmp_path_factory, authority):
    made = _Nodes(tmp_path_factory.mktemp("shared"), authority)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def server(shared_nodes):
    """One unsealed server for a whole module. Seal it, and the tests after you fail: use `node` for that."""
    made = shared_nodes.node()
    made.start()
    return made.ready()


@pytest.fixture(scope="module")
def shared_cluster(shared_nodes):
    """Three nodes for a whole module; leave them as you found them."""
    return shared_nodes.cluster(3).ready()


@pytest.fixture(scope="module")
def bao(shared_nodes):
    """The real OpenBao, unsealed, for a whole module."""
    made = shared_nodes.node(cls=Bao)
    made.start()
    return made.ready()


@pytest.fixture
def root(server):
    """A client with the root token of `server`."""
    return server.root


@pytest.fixture
def unique():
    """A name that no other test has."""
    return f"t{next(_counter)}"


@pytest.fixture(scope="session")
def _moto(tmp_path_factory):
    made = Moto(tmp_path_factory.mktemp("moto"))
    yield made
    made.stop()


@pytest.fixture
def moto(_moto):
    """A local AWS that checks signatures and policies, empty but for Coffer's own user."""
    _moto.reset()
    return _moto


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 16 MiB of its own; needs root."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], check=False)
    if mounted.returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


@pytest.fixture
def policy_token(server, unique):
    """policy_token('path "x" {…}') is a client whose token has exactly that policy."""
    made = itertools.count(1)

    def make(policy, **options):
        name = f"{unique}-p{next(made)}"
        server.root.write(f"sys/policies/acl/{name}", policy=policy).ok()
        answer = server.root.write("auth/token/create", policies=[name], no_default_policy=True, **options).ok(200)
        return server.client(answer.auth["client_token"])
    return make

