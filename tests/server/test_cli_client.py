# SPDX-License-Identifier: Apache-2.0
"""What the command line does as a client, whatever the server: redirects, retries, headers, tokens, prompts.

The server here is a few lines of Python that say what each test wants and remember what they were asked.
"""
import http.server
import json
import os
import pty
import ssl
import subprocess
import threading
import time

import pytest

from lib import settings

pytestmark = [pytest.mark.coffer_only, pytest.mark.quick, pytest.mark.serial]


class Fake:
    """An HTTP server. answers: functions of the request, or (status, headers, body), used up in turn; the last one stays."""

    def __init__(self, *answers, certificate=None):
        fake, self.answers, self.requests = self, list(answers), []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                fake.requests.append((self.command, self.path, self.headers, body))
                status, headers, answer = fake.answers.pop(0) if len(fake.answers) > 1 else fake.answers[0]
                answer = json.dumps(answer).encode() if answer is not None else b""
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = do_any

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", settings.free_port()), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        scheme = "https" if certificate else "http"
        self.address = f"{scheme}://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def fake():
    made = []

    def make(*answers, **options):
        made.append(Fake(*answers, **options))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def coffer(tmp_path):
    """Runs a command line at home in an empty folder; the environment holds only what the test gives."""

    def run(*words, stdin="", **env):
        env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], **env}
        return subprocess.run([settings.coffer_bin(), *words], input=stdin, capture_output=True, text=True, env=env,
                              timeout=60)

    return run


def data(**values):
    return 200, {}, {"request_id": "r", "lease_id": "", "lease_duration": 0, "renewable": False, "data": values}


def test_a_redirect_is_followed_with_method_body_and_token(fake, coffer):
    active = fake((204, {}, None))
    standby = fake((307, {"Location": f"{active.address}/v1/a/b?x=1"}, None))
    done = coffer("write", "a/b", "k=v", COFFER_ADDR=standby.address, COFFER_TOKEN="tok")
    assert (done.returncode, done.stdout) == (0, "Success! Data written to: a/b\n")
    method, path, headers, body = active.requests[0]
    assert (method, path, json.loads(body), headers["X-Vault-Token"]) == ("PUT", "/v1/a/b?x=1", {"k": "v"}, "tok")


def test_redirects_are_followed_again_but_not_for_ever(fake, coffer):
    active = fake(data(k="v"))
    middle = fake((307, {"Location": f"{active.address}/v1/a"}, None))
    first = fake((307, {"Location": f"{middle.address}/v1/a"}, None))
    assert coffer("read", "-field=k", "a", COFFER_ADDR=first.address).stdout == "v"
    loop = fake((307, {"Location": "/v1/a"}, None))
    done = coffer("read", "a", COFFER_ADDR=loop.address)
    assert done.returncode == 2 and "redirected more than 4 times" in done.stderr and len(loop.requests) == 5


def test_a_redirect_to_plain_http_is_refused_and_the_token_kept(fake, coffer, authority):
    plain = fake(data(k="v"))
    certificate = authority.issue("localhost")
    secure = fake((307, {"Location": f"{plain.address}/v1/a"}, None), certificate=certificate)
    done = coffer("read", "-tls-skip-verify", "a", COFFER_ADDR=secure.address, COFFER_TOKEN="tok")
    assert done.returncode == 2 and "protocol downgrade" in done.stderr and not plain.requests


def test_redirects_can_be_switched_off(fake, coffer):
    standby = fake((307, {"Location": "http://127.0.0.1:1/v1/a"}, None))
    done = coffer("read", "-disable-redirects", "a", COFFER_ADDR=standby.address)
    assert done.returncode == 2 and "Code: 307" in done.stderr


def test_busy_servers_are_asked_again_as_often_as_said(fake, coffer):
    server = fake((503, {}, {"errors": ["Vault is sealed"]}), (412, {}, {"errors": []}), data(k="v"))
    begun = time.monotonic()
    done = coffer("read", "-field=k", "a", COFFER_ADDR=server.address, COFFER_MAX_RETRIES="2")
    assert (done.stdout, len(server.requests)) == ("v", 3) and time.monotonic() - begun >= 2
    server = fake((503, {}, {"errors": ["Vault is sealed"]}))
    assert coffer("read", "a", COFFER_ADDR=server.address).returncode == 2 and len(server.requests) == 1


def test_what_is_not_worth_it_is_not_tried_again(fake, coffer):
    for status in (400, 403, 404, 501):
        server = fake((status, {}, {"errors": ["no"]}))
        assert coffer("write", "a", "b=c", COFFER_ADDR=server.address, COFFER_MAX_RETRIES="3").returncode == 2
        assert len(server.requests) == 1


def test_an_error_is_printed_as_clients_print_it(fake, coffer):
    server = fake((403, {}, {"errors": ["permission denied", "twice"]}))
    done = coffer("write", "-namespace=team", "a b", "k=v", COFFER_ADDR=server.address)
    assert done.stdout == "" and done.returncode == 2
    assert done.stderr == (f"Error writing data to a b: Error making API request.\n\nNamespace: team/\n"
                           f"URL: PUT {server.address}/v1/a%20b\nCode: 403. Errors:\n\n* permission denied\n* twice\n")


def test_an_answer_that_is_no_json_is_shown_as_it_is(fake, coffer):
    server = fake((502, {}, "gateway"))
    done = coffer("read", "a", COFFER_ADDR=server.address)
    assert done.returncode == 2 and done.stderr.endswith('Code: 502. Raw Message:\n\n"gateway"\n')


def test_nobody_there_is_an_error_of_status_1_and_of_the_rest_2(coffer):
    nowhere = f"http://127.0.0.1:{settings.free_port()}"
    assert coffer("status", COFFER_ADDR=nowhere).returncode == 1
    done = coffer("read", "a", COFFER_ADDR=nowhere)
    assert done.returncode == 2 and done.stderr.startswith(f'Error reading a: Get "{nowhere}/v1/a": ')
    for address in ("nowhere", "ftp://127.0.0.1/", "http://"):
        assert coffer("read", "a", COFFER_ADDR=address).returncode == 2


def test_the_environment_is_asked_in_order(fake, coffer):
    server = fake(data(k="v"))
    for env, token in (({"VAULT_TOKEN": "v"}, "v"), ({"VAULT_TOKEN": "v", "BAO_TOKEN": "b"}, "b"),
                       ({"VAULT_TOKEN": "v", "BAO_TOKEN": "b", "COFFER_TOKEN": "c"}, "c")):
        coffer("read", "a", VAULT_ADDR=server.address, **env)
        assert server.requests[-1][2]["X-Vault-Token"] == token
    done = coffer("read", "a", VAULT_ADDR="http://127.0.0.1:1", BAO_ADDR=server.address, COFFER_FORMAT="json")
    assert json.loads(done.stdout)["data"] == {"k": "v"}


def test_headers_say_what_the_options_say(fake, coffer):
    server = fake(data(k="v"))
    coffer("read", "-wrap-ttl=90s", "-namespace=/a/b/", "-header=X-Own=1", "-mfa=totp:12", "a", "q=a b", "q=c",
           COFFER_ADDR=server.address + "/")
    _, path, headers, _ = server.requests[0]
    assert path == "/v1/a?q=a%20b&q=c"
    assert [headers[name] for name in ("X-Vault-Request", "X-Vault-Wrap-TTL", "X-Vault-Namespace", "X-Own", "X-Vault-MFA")] \
        == ["true", "1m30s", "a/b/", "1", "totp:12"]
    assert headers["X-Vault-Token"] is None
    done = coffer("read", "-header=x-vault-token=evil", "a", COFFER_ADDR=server.address)
    assert done.returncode == 2 and len(server.requests) == 1


def test_a_header_cannot_be_split(fake, coffer):
    server = fake(data(k="v"))
    done = coffer("read", "-header=X-Own=1\r\nX-Vault-Token: evil", "a", COFFER_ADDR=server.address)
    assert done.returncode == 2 and not server.requests


def test_lists_are_asked_for_so_that_every_proxy_lets_them_through(fake, coffer):
    server = fake(data(keys=["b", "a/"]))
    assert coffer("list", "x/", COFFER_ADDR=server.address).stdout == "Keys\n----\na/\nb\n"
    assert server.requests[0][:2] == ("GET", "/v1/x?list=true")


def test_a_patch_is_a_merge_patch(fake, coffer):
    server = fake((204, {}, None))
    coffer("patch", "a", "k=v", COFFER_ADDR=server.address)
    assert (server.requests[0][0], server.requests[0][2]["Content-Type"]) == ("PATCH", "application/merge-patch+json")


def test_a_policy_document_comes_from_standard_input(fake, coffer):
    server = fake((204, {}, None))
    document = '{\n  "Version": "2012-10-17"\n}\n'
    done = coffer("write", "aws/roles/my-ec2-role", "credential_type=iam_user", "policy_document=-", stdin=document,
                  COFFER_ADDR=server.address)
    assert done.stdout == "Success! Data written to: aws/roles/my-ec2-role\n"
    assert json.loads(server.requests[0][3]) == {"credential_type": "iam_user", "policy_document": document}


def test_the_certificate_of_the_server_is_checked(fake, coffer, authority):
    certificate = authority.issue("localhost")
    server = fake(data(k="v"), certificate=certificate)
    refused = coffer("read", "a", COFFER_ADDR=server.address)
    assert refused.returncode == 2 and not server.requests
    trusted = {"COFFER_ADDR": server.address, "COFFER_CACERT": str(authority.ca_file)}
    assert coffer("read", "-field=k", "a", **trusted).stdout == "v"
    assert coffer("read", "a", COFFER_TLS_SERVER_NAME="elsewhere.example", **trusted).returncode == 2


def test_curl_is_printed_instead_of_called(fake, coffer):
    server = fake(data(k="v"))
    done = coffer("write", "-output-curl-string", "a", "k=it's", COFFER_ADDR=server.address, COFFER_TOKEN="hidden")
    assert done.returncode == 0 and not server.requests and "hidden" not in done.stdout
    shown = subprocess.run(["sh", "-c", done.stdout.replace("coffer print token", "echo tok")], capture_output=True)
    assert shown.returncode == 0 and server.requests[0][0] == "PUT"
    assert json.loads(server.requests[0][3]) == {"k": "it's"} and server.requests[0][2]["X-Vault-Token"] == "tok"


def test_a_login_is_kept_in_a_file_of_ones_own(fake, coffer, tmp_path):
    server = fake((200, {}, {"auth": {"client_token": "new-token", "policies": ["default"], "lease_duration": 60}}))
    done = coffer("login", "-method=approle", "role_id=r", "secret_id=s", COFFER_ADDR=server.address)
    assert done.returncode == 0 and "token_duration       1m" in done.stdout
    assert json.loads(server.requests[0][3]) == {"role_id": "r", "secret_id": "s"}
    assert server.requests[0][1] == "/v1/auth/approle/login" and server.requests[0][2]["X-Vault-Token"] is None
    kept = tmp_path / ".vault-token"
    assert kept.read_text() == "new-token" and kept.stat().st_mode & 0o777 == 0o600
    coffer("read", "a", COFFER_ADDR=server.address)
    assert server.requests[-1][2]["X-Vault-Token"] == "new-token"
    assert coffer("print", "token").stdout == "new-token\n"
    assert coffer("print", "token", COFFER_TOKEN="other").stdout == "other\n"


def test_a_login_can_leave_nothing_behind(fake, coffer, tmp_path):
    server = fake((200, {}, {"auth": {"client_token": "new-token", "policies": []}}))
    done = coffer("login", "-token-only", "-method=userpass", "username=bob", "password=pw", COFFER_ADDR=server.address)
    assert done.stdout == "new-token" and not (tmp_path / ".vault-token").exists()
    assert server.requests[0][1] == "/v1/auth/userpass/login/bob" and json.loads(server.requests[0][3]) == {"password": "pw"}


def test_a_wrapped_login_is_unwrapped(fake, coffer, tmp_path):
    server = fake((200, {}, {"wrap_info": {"token": "wrapping", "ttl": 300}}),
                  (200, {}, {"auth": {"client_token": "inner", "policies": []}}))
    coffer("login", "-wrap-ttl=5m", "-method=userpass", "username=bob", "password=pw", COFFER_ADDR=server.address)
    assert [request[2]["X-Vault-Wrap-TTL"] for request in server.requests] == ["5m0s", None]
    assert server.requests[1][2]["X-Vault-Token"] == "wrapping" and (tmp_path / ".vault-token").read_text() == "inner"


def on_terminal(words, typed, env):
    """Runs the words on a terminal of their own, types, and returns what the terminal showed and the exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(words[0], words, env)
    shown = b""
    while b"hidden): " not in shown:
        shown += os.read(terminal, 1024)
    time.sleep(0.2)
    os.write(terminal, typed)
    try:
        while chunk := os.read(terminal, 1024):
            shown += chunk
    except OSError:
        pass
    return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_what_is_asked_for_is_not_shown(fake, tmp_path):
    server = fake((200, {}, {"auth": {"client_token": "t", "policies": []}}))
    shown, code = on_terminal([settings.coffer_bin(), "login", "-no-print", "-method=userpass", "username=bob"],
                              b"pass word\n", {"HOME": str(tmp_path), "COFFER_ADDR": server.address})
    assert code == 0 and "pass word" not in shown and json.loads(server.requests[0][3]) == {"password": "pass word"}


def test_an_unseal_key_is_asked_for(fake, tmp_path, coffer):
    status = {"type": "shamir", "initialized": True, "sealed": True, "t": 3, "n": 5, "progress": 1, "nonce": "x"}
    server = fake((200, {}, status), (200, {}, {"ha_enabled": False}))
    shown, code = on_terminal([settings.coffer_bin(), "operator", "unseal"], b"c2hhcmU=\n",
                              {"HOME": str(tmp_path), "COFFER_ADDR": server.address})
    assert code == 0 and "c2hhcmU=" not in shown and "Unseal Progress    1/3" in shown
    assert json.loads(server.requests[0][3]) == {"key": "c2hhcmU="}
    done = coffer("operator", "unseal", COFFER_ADDR=server.address)
    assert done.returncode == 1 and "not a terminal" in done.stderr


def test_status_tells_sealed_from_unsealed_from_unknown_in_every_format(fake, coffer):
    for sealed, code in ((True, 2), (False, 0)):
        for form in ("table", "json", "yaml"):
            server = fake((200, {}, {"sealed": sealed, "initialized": True}), (200, {}, {"ha_enabled": False}))
            assert coffer("status", f"-format={form}", COFFER_ADDR=server.address).returncode == code


def test_deleted_versions_and_warnings_come_with_a_404(fake, coffer):
    metadata = {"version": 3, "deletion_time": "2026-01-02T03:04:05Z", "destroyed": False}
    mount = data(path="secret/", options={"version": "2"})
    server = fake(mount, (404, {}, {"data": {"data": None, "metadata": metadata}}))
    done = coffer("kv", "get", "secret/a", COFFER_ADDR=server.address)
    assert done.returncode == 0 and "deletion_time    2026-01-02T03:04:05Z" in done.stdout
    server = fake(mount, (404, {}, {"errors": []}))
    done = coffer("kv", "get", "secret/a", COFFER_ADDR=server.address)
    assert (done.returncode, done.stderr) == (2, "No value found at secret/data/a\n")


def test_a_server_that_knows_no_mounts_has_version_1(fake, coffer):
    server = fake((404, {}, {"errors": []}), data(k="v"))
    assert coffer("kv", "get", "-field=k", "secret/a", COFFER_ADDR=server.address).stdout == "v"
    assert server.requests[1][1] == "/v1/secret/a"


def test_a_patch_that_is_not_allowed_is_done_by_rewriting(fake, coffer):
    mount = data(path="secret/", options={"version": "2"})
    current = data(data={"a": "1", "b": "2"}, metadata={"version": 7})
    server = fake(mount, (403, {}, {"errors": ["permission denied"]}), current, data(version=8))
    done = coffer("kv", "patch", "-remove-data=b", "secret/x", "a=3", COFFER_ADDR=server.address)
    assert done.returncode == 0 and json.loads(server.requests[3][3]) == {"data": {"a": "3"}, "options": {"cas": 7}}


def test_a_full_disk_is_noticed(fake, coffer):
    server = fake(data(k="v"))
    with open("/dev/full", "w") as full:
        done = subprocess.run([settings.coffer_bin(), "read", "a"], stdout=full, stderr=subprocess.PIPE, text=True,
                              env={"COFFER_ADDR": server.address, "HOME": "/"})
    assert done.returncode == 1 and "Error writing the output" in done.stderr


@pytest.mark.parametrize("answer", [
    (200, {}, []), (200, {}, "x"), (200, {}, {"data": []}), (200, {}, {"data": {"keys": [1, None, {}]}}),
    (200, {}, {"auth": {"client_token": 5, "policies": "x", "metadata": [1]}, "data": {"ttl": "x"}}),
    (200, {}, {"wrap_info": {"token": None, "ttl": "x", "creation_time": "T"}}), (200, {}, {"warnings": [1, None]}),
    (200, {}, {"data": {"n": 10 ** 30, "config": {"servers": [1, {"node_id": 5}]}, "nodes": ["x"]}}),
    (400, {}, {"errors": [1, None]}), (400, {}, {"errors": "x"}), (500, {}, None), (307, {"Location": "::"}, None),
])
def test_no_answer_can_make_it_crash(fake, coffer, answer):
    server = fake(answer)
    for words in (["read", "a"], ["list", "a"], ["list", "-detailed", "a"], ["write", "a", "b=c"], ["status"],
                  ["kv", "get", "a/b"], ["kv", "metadata", "get", "a/b"], ["kv", "patch", "a/b", "c=d"],
                  ["secrets", "list", "-detailed"], ["auth", "list"], ["audit", "list"], ["policy", "list"],
                  ["policy", "read", "a"], ["token", "lookup"], ["token", "capabilities", "a"], ["operator", "init"],
                  ["operator", "key-status"], ["operator", "members"], ["operator", "raft", "list-peers"],
                  ["login", "-method=userpass", "username=a", "password=b"], ["login", "x"], ["lease", "lookup", "a"],
                  ["path-help", "a"], ["operator", "unseal", "a"]):
        for form in ("table", "yaml"):
            done = coffer(*words, COFFER_ADDR=server.address, COFFER_FORMAT=form)
            assert done.returncode in (0, 1, 2), (words, form, done.stderr)
