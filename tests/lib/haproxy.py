# SPDX-License-Identifier: Apache-2.0
"""The real HAProxy, with the configurations of deploy/load-balancers/: what is shipped is what is tested."""
import re
import socket

from . import settings
from .process import Process, wait_for

FOLDER = settings.TOP / "deploy" / "load-balancers"


class HAProxy:
    """HAProxy(folder, "haproxy.cfg", cluster).address is where clients go."""

    def __init__(self, folder, name, cluster):
        self.folder, self.cluster = folder, cluster
        self.port, self.socket = settings.free_port(), folder / "haproxy.sock"
        self.address = f"https://127.0.0.1:{self.port}"
        self.config_file = folder / name
        self.config_file.write_text(self._config((FOLDER / name).read_text()))
        self.process = Process(["haproxy", "-db", "-f", self.config_file], folder / "haproxy.log")
        wait_for("HAProxy has found its servers", lambda: any(self.states().values()))

    def _config(self, text):
        """The shipped text with this test's addresses and files in it."""
        cluster = self.cluster
        text = re.sub(r"bind :8200", f"bind 127.0.0.1:{self.port}", text)
        text = text.replace("/etc/haproxy/coffer-ca.pem", str(cluster.authority.ca_file))
        text = text.replace("/etc/haproxy/coffer.pem", str(self._bundle()))
        for node in cluster.nodes:
            text, found = re.subn(rf"server {node.name} \S+", f"server {node.name} 127.0.0.1:{node.port}", text)
            assert found == 1, f"no server {node.name} in the configuration"
        return text.replace("global\n", f"global\n    stats socket {self.socket}\n", 1)

    def _bundle(self):
        certificate, key = self.cluster.authority.issue("haproxy")
        bundle = self.folder / "haproxy.pem"
        bundle.write_text(certificate.read_text() + key.read_text())
        return bundle

    def states(self):
        """{name of the server: whether HAProxy sends requests to it}"""
        try:
            with socket.socket(socket.AF_UNIX) as control:
                control.settimeout(5)
                control.connect(str(self.socket))
                control.sendall(b"show stat\n")
                rows = b"".join(iter(lambda: control.recv(65536), b"")).decode().splitlines()
        except OSError:
            assert self.process.is_running(), self.process.tail()
            return {}
        names = rows[0].lstrip("# ").split(",")
        servers = [dict(zip(names, row.split(","))) for row in rows[1:] if row]
        return {server["svname"]: server["status"].startswith("UP") for server in servers
                if server["svname"] in {node.name for node in self.cluster.nodes}}

    def stop(self):
        self.process.kill()  # it keeps nothing
