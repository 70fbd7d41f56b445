# SPDX-License-Identifier: Apache-2.0
"""One server, as its own process: Coffer, or OpenBao where the two should be alike.

    node = Coffer(folder, authority)
    keys = node.initialise(shares=5, threshold=3)   # keys.shares, keys.root_token
    node.unseal(keys)
    node.client(keys.root_token).write("sys/mounts/kv", type="kv").ok()
"""
import dataclasses
import os
import subprocess
import time

import requests

from . import settings
from .client import Client
from .faults import Faults
from .process import Crashed, Process, wait_for


@dataclasses.dataclass
class Keys:
    shares: list
    threshold: int
    root_token: str


class Node:
    """What the two kinds of servers have in common."""

    def __init__(self, folder, authority, name="node1", config_extra="", env=None, start=True, cluster_addr_port=None,
                 storage_extra="", listener_extra="", binary=None, data_dir=None, faults=False, host="127.0.0.1",
                 launcher=()):
        self.folder, self.authority, self.name, self.env = folder, authority, name, dict(env or {})
        self.config_extra, self.storage_extra, self.listener_extra = config_extra, storage_extra, listener_extra
        self.binary = binary or self.default_binary()
        # Another network than the test's: the address in it, and the command that runs a command there.
        self.host, self.launcher = host, list(launcher)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data_dir = data_dir or folder / "data"
        self.data_dir.mkdir(exist_ok=True)
        self.audit_file = folder / "audit.log"
        self.port, self.cluster_port = settings.free_port(), settings.free_port()
        # What peers are told; another port than the one listened on when a test puts a proxy between.
        self.cluster_addr_port = cluster_addr_port or self.cluster_port
        self.cert_file, self.key_file = authority.issue(name, host)
        self.config_file = folder / "config.hcl"
        self.log_file = folder / "server.log"
        self.process = None
        self.keys = None
        self._faults = None
        if faults:
            self.faults.clear()
        if start:
            self.start()

    # ---- Life ----

    @property
    def faults(self):
        """Its wall clock and its disk; to be asked for (or given as an option) before the first start."""
        if self._faults is None:
            assert self.process is None, "the process was started without"
            self._faults = Faults(self.folder)
            self.env.update(self._faults.env())
        return self._faults

    @property
    def address(self):
        return f"https://{self.host}:{self.port}"

    def config(self):
        return f'''
storage "raft" {{
  path = "{self.data_dir}"
  node_id = "{self.name}"
  {self.storage_extra}
}}
listener "tcp" {{
  address = "{self.host}:{self.port}"
  cluster_address = "{self.host}:{self.cluster_port}"
  tls_cert_file = "{self.cert_file}"
  tls_key_file = "{self.key_file}"
  {self.listener_extra}
}}
api_addr = "{self.address}"
cluster_addr = "https://{self.host}:{self.cluster_addr_port}"
disable_mlock = true
{self.config_extra}
'''

    def launch(self):
        """Starts the process and returns at once: for tests that expect it to refuse."""
        self.config_file.write_text(self.config())
        self.process = Process([*self.launcher, self.binary, "server", f"-config={self.config_file}"], self.log_file,
                               self.env, cwd=self.folder)

    def start(self):
        self.launch()
        wait_for(f"{self.name} answers", self.answers, timeout=20)

    def answers(self):
        if not self.process.is_running():
            self.process.check()
            raise Crashed(f"{self.name} ended with {self.process.proc.poll()} while starting:\n{self.process.tail()}")
        try:
            return self.client().read("sys/health", uninitcode=200).status
        except requests.RequestException:
            return None

    def stop(self):
        if self.process:
            self.process.stop()

    def kill(self):
        self.process.kill()

    def restart(self):
        """SIGTERM and a new start; sealed afterwards."""
        self.stop()
        self.start()

    # ---- Talking to it ----

    def client(self, token=None, timeout=60):
        return Client(self.address, self.authority.ca_file, token, timeout)

    @property
    def root(self):
        return self.client(self.keys.root_token)

    def api(self, method, path, token=None, **body):
        return self.client(token).request(method, path, body=body or None)

    def hvac(self, token=None):
        import hvac
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.authority.ca_file)
        return hvac.Client(self.address, token, verify=str(self.authority.ca_file), session=session)

    def cli(self, *args, token=None, stdin=None, env=None, binary=None):
        """Runs the command line; returns CompletedProcess with text in stdout and stderr."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        full = {key: value for key, value in os.environ.items() if not key.startswith(("VAULT_", "BAO_", "COFFER_"))}
        full.update({"HOME": str(home), "VAULT_ADDR": self.address, "VAULT_CACERT": str(self.authority.ca_file)})
        if token:
            full["VAULT_TOKEN"] = token
        full.update(env or {})
        return subprocess.run([binary or self.binary, *[str(arg) for arg in args]], input=stdin, env=full, text=True,
                              capture_output=True, timeout=120 * settings.PATIENCE, check=False)

    # ---- Initialising and unsealing ----

    def initialise(self, shares=1, threshold=1):
        answer = self.api("PUT", "sys/init", secret_shares=shares, secret_threshold=threshold).ok(200)
        self.keys = Keys(answer.json["keys_base64"], threshold, answer.json["root_token"])
        return self.keys

    def unseal(self, keys=None):
        """Gives it a threshold of shares and waits until it is open, whether active or standby."""
        self.keys = keys or self.keys
        for share in self.keys.shares[:self.keys.threshold]:
            self.api("PUT", "sys/unseal", key=share).ok(200)
        wait_for(f"{self.name} is unsealed", lambda: self.status()["sealed"] is False)

    def wait_active(self, timeout=20):
        wait_for(f"{self.name} is active", lambda: self.health() == 200, timeout)

    def ready(self, shares=1, threshold=1):
        """A server to work with: initialised, unsealed, active."""
        self.initialise(shares, threshold)
        self.unseal()
        self.wait_active()
        return self

    def status(self):
        return self.client().read("sys/seal-status").ok(200).json

    def health(self):
        """The code, or None when it does not answer."""
        try:
            return self.client(timeout=5).read("sys/health").status
        except requests.RequestException:
            return None

    def is_leader(self):
        try:
            answer = self.client(timeout=5).read("sys/leader")
        except requests.RequestException:
            return False
        return answer.status == 200 and bool(answer.json.get("is_self"))

    # ---- Auditing ----

    def enable_audit(self, name="file", **options):
        options.setdefault("file_path", str(self.audit_file))
        self.root.write(f"sys/audit/{name}", type="file", options=options).ok(204)

    def audit_entries(self):
        import json
        return [json.loads(line) for line in self.audit_file.read_text().splitlines()]


class Coffer(Node):
    kind = "coffer"

    @staticmethod
    def default_binary():
        return settings.coffer_bin()


class Bao(Node):
    kind = "bao"

    @staticmethod
    def default_binary():
        return settings.bao_bin()

    def config(self):
        # OpenBao wants one leader check a second, not ten, and its API for audit devices is off by default.
        return super().config().replace('node_id =', 'performance_multiplier = 1\n  node_id =') + \
            "unsafe_allow_api_audit_creation = true\n"

    def unseal(self, keys=None):
        super().unseal(keys)
        time.sleep(0.2)


def node_class():
    return {"coffer": Coffer, "bao": Bao}[settings.SERVER]
