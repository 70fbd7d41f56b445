# SPDX-License-Identifier: Apache-2.0
"""The configuration file, and the signals that a server obeys."""
import json
import re
import signal
import ssl
import subprocess
import threading
import time

import pytest
import requests

from lib import settings
from lib.client import Client
from lib.node import Coffer
from lib.process import Process, wait_for
from lib.raw import Raw

pytestmark = pytest.mark.coffer_only


def refuses(node, config, *args):
    """Starts a server with this text as its configuration; returns what it said. It must end, with status 1."""
    node.config_file.write_text(config)
    done = subprocess.run([node.binary, "server", *(args or [f"-config={node.config_file}"])], text=True, timeout=30 * settings.PATIENCE,
                          capture_output=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 1, f"status {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture
def idle(nodes):
    """A node with a configuration, not started."""
    return nodes.node(cls=Coffer)


# ---- What is refused, with file and line ----

@pytest.mark.parametrize("broken, line", [
    ('storage "raft" {\n  path = \n}\n', 3), ('storage "raft" {\n', None), ('listener "tcp" {\n  address = "x\n}\n', 2),
    ("api_addr = = 1\n", 1), ("}\n", 1), ('api_addr = "a"\n\n\n@\n', 4), ('{"storage": {"raft": {', None),
])
def test_broken_hcl_is_refused_with_its_file_and_line(idle, broken, line):
    said = refuses(idle, broken)
    assert str(idle.config_file) in said or idle.config_file.name in said
    if line:
        assert re.search(rf"\b{line}\b", said), said


@pytest.mark.parametrize("change, said", [
    (lambda text: text.replace('storage "raft"', 'storage "etched-in-stone"'), "etched-in-stone"),
    (lambda text: re.sub(r'listener "tcp" \{.*?\}', "", text, flags=re.S), "listener"),
    (lambda text: re.sub(r'storage "raft" \{.*?\}', "", text, flags=re.S), "storage"),
    (lambda text: text.replace("node1.pem", "no-such.pem"), "no-such.pem"),
    (lambda text: text + 'default_lease_ttl = "soon"\n', "default_lease_ttl"),
    (lambda text: text + 'max_lease_ttl = "1h"\ndefault_lease_ttl = "2h"\n', "lease_ttl"),
    (lambda text: text + 'user_lockout "github" {}\n', "user_lockout"),
    (lambda text: text + 'user_lockout "all" {\n  lockout_duration = "soon"\n}\n', "lockout_duration"),
    (lambda text: re.sub(r'node_id = ".*"', 'node_id = "no spaces, please"', text), "node_id"),
])
def test_a_wrong_setting_is_refused_and_named(idle, change, said):
    assert said in refuses(idle, change(idle.config()))


def test_a_configuration_that_is_not_there_is_refused(idle):
    assert "no-such.hcl" in refuses(idle, "", "-config=/no/such/no-such.hcl")


def test_a_server_without_a_configuration_is_refused(idle):
    assert "-config" in refuses(idle, "", "-log-level=info")


def test_a_port_that_is_taken_is_refused_and_named(node, idle):
    taken = idle.config().replace(f":{idle.port}", f":{node.port}")
    assert str(node.port) in refuses(idle, taken)


def test_a_data_directory_in_use_is_refused(node, idle):
    said = refuses(idle, idle.config().replace(str(idle.data_dir), str(node.data_dir)))
    assert str(node.data_dir) in said


# ---- What is taken ----

def test_an_unknown_key_is_only_warned_of(idle):
    idle.config_extra = 'colour = "green"\n'
    idle.start()
    line = next(number for number, text in enumerate(idle.config().splitlines(), start=1) if "colour" in text)
    warning = next(text for text in idle.process.text().splitlines() if "colour" in text)
    assert idle.config_file.name in warning and str(line) in warning


def test_json_is_as_good_as_hcl(idle):
    config = {"storage": {"raft": {"path": str(idle.data_dir), "node_id": "j"}},
              "listener": [{"tcp": {"address": f"127.0.0.1:{idle.port}", "tls_cert_file": str(idle.cert_file),
                                    "cluster_address": f"127.0.0.1:{idle.cluster_port}",
                                    "tls_key_file": str(idle.key_file)}}],
              "api_addr": idle.address, "cluster_addr": f"https://127.0.0.1:{idle.cluster_port}"}
    idle.config = lambda: json.dumps(config)
    idle.start()
    idle.ready()


def test_a_folder_of_files_is_one_configuration(idle):
    folder = idle.folder / "conf.d"
    folder.mkdir()
    text = idle.config()
    cut = text.index("api_addr")
    (folder / "10-first.hcl").write_text(text[:cut])
    (folder / "20-second.hcl").write_text(text[cut:])
    (folder / "notes.txt").write_text("this is no { configuration")
    idle.process = Process([idle.binary, "server", f"-config={folder}"], idle.log_file)
    wait_for("it answers", idle.answers)
    idle.ready()


@pytest.mark.parametrize("storage", ['backend "raft"', 'storage "file"', 'storage "inmem"'])
def test_other_names_of_storage_are_one_node(idle, storage):
    text = idle.config().replace('storage "raft"', storage)
    idle.config = lambda: text
    idle.start()
    idle.ready()
    idle.root.write("sys/mounts/kv", type="kv").ok(204)


def test_lease_times_come_from_the_configuration(idle):
    idle.config_extra = 'default_lease_ttl = "1h"\nmax_lease_ttl = "2h"\n'
    idle.start()
    idle.ready()
    assert idle.root.write("auth/token/create", policies=["default"]).ok(200).auth["lease_duration"] == 3600
    assert idle.root.write("auth/token/create", policies=["default"], ttl="5h").ok(200).auth["lease_duration"] == 7200


def test_the_log_can_be_json_and_holds_no_secret(idle):
    idle.config_extra = 'log_format = "json"\nlog_level = "trace"\n'
    idle.start()
    idle.ready()
    idle.root.write("sys/mounts/kv", type="kv").ok(204)
    idle.root.write("kv/a", x="planted-secret").ok(204)
    lines = [line for line in idle.process.text().splitlines() if line.startswith("{")]
    assert lines and all(json.loads(line)["@level"] if "@level" in line else json.loads(line) for line in lines)
    for secret in ("planted-secret", idle.keys.root_token, *idle.keys.shares):
        assert secret not in idle.process.text()


def test_tls_may_be_off(idle):
    text = re.sub(r"tls_cert_file = .*\n", "tls_disable = true\n", idle.config())
    text = re.sub(r"tls_key_file = .*\n", "", text).replace(idle.address, f"http://127.0.0.1:{idle.port}")
    idle.config = lambda: text
    idle.launch()
    client = Client(f"http://127.0.0.1:{idle.port}", idle.authority.ca_file)

    def answers():
        try:
            return client.read("sys/health").status == 501
        except requests.RequestException:
            return False
    wait_for("it answers in clear", answers)


@pytest.mark.cve("N-120")
def test_old_tls_is_refused(node):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with Raw(node.port) as raw, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(raw.socket)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken(node, version):
    context = ssl.create_default_context(cafile=str(node.authority.ca_file))
    context.minimum_version = context.maximum_version = version
    with Raw(node.port) as raw:
        assert context.wrap_socket(raw.socket, server_hostname="127.0.0.1").version() in ("TLSv1.2", "TLSv1.3")


# ---- Signals ----

def served_serial(node):
    context = ssl.create_default_context(cafile=str(node.authority.ca_file))
    with Raw(node.port) as raw, context.wrap_socket(raw.socket, server_hostname="127.0.0.1") as tls:
        return tls.getpeercert()["serialNumber"]


def test_sighup_takes_a_new_certificate_without_dropping_anybody(node):
    node.ready()
    client = node.root
    client.read("sys/mounts").ok(200)
    before = served_serial(node)
    node.authority.issue(node.name)
    node.process.signal(signal.SIGHUP)
    wait_for("the new certificate is served", lambda: served_serial(node) != before, timeout=5)
    client.read("sys/mounts").ok(200)


def test_sighup_keeps_the_old_certificate_when_the_new_one_is_bad(node):
    before = served_serial(node)
    node.cert_file.write_text("no certificate at all")
    node.process.signal(signal.SIGHUP)
    wait_for("it says so", lambda: node.cert_file.name in node.process.text(), timeout=5)
    assert served_serial(node) == before


def test_sigterm_ends_it_with_status_0(node):
    node.ready()
    node.process.signal(signal.SIGTERM)
    assert node.process.wait(15) == 0


def test_sigterm_lets_running_requests_end(node):
    node.ready()
    node.root.write("sys/auth/userpass", type="userpass").ok(204)
    node.root.write("auth/userpass/users/bob", password="p").ok(204)
    statuses = []

    def login():
        try:
            statuses.append(node.client().write("auth/userpass/login/bob", password="p").status)
        except OSError as problem:
            statuses.append(problem)
    threads = [threading.Thread(target=login) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.15)  # bcrypt takes longer than that
    node.process.signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert node.process.wait(15) == 0
    assert statuses.count(200) >= 1, statuses


def test_the_pid_file_comes_and_goes(idle):
    pid_file = idle.folder / "pid"
    idle.config_extra = f'pid_file = "{pid_file}"\n'
    idle.start()
    assert int(pid_file.read_text()) == idle.process.pid
    idle.stop()
    assert not pid_file.exists()


# ---- Dev mode ----

def test_dev_mode_is_ready_to_use(idle):
    idle.process = Process([idle.binary, "server", "-dev", "-dev-root-token-id=my-root",
                            f"-dev-listen-address=127.0.0.1:{idle.port}"], idle.log_file, {"HOME": str(idle.folder)})
    client = Client(f"http://127.0.0.1:{idle.port}", idle.authority.ca_file, "my-root")
    wait_for("it says its root token", lambda: "Root Token: my-root" in idle.process.text())
    assert "Unseal Key: " in idle.process.text()
    wait_for("it is active", lambda: client.read("sys/health").status == 200)
    client.write("secret/data/a", data={"x": "1"}).ok(200)
    assert client.read("secret/data/a").data["data"] == {"x": "1"}
