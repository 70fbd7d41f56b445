# SPDX-License-Identifier: Apache-2.0
"""What clients do meanwhile: a table of workers, each a loop of one step. They note what they were told.

An answer is "ok" (the server's word, whatever it is), "nothing" (it certainly did nothing) or "unknown".
"""
import concurrent.futures
import contextlib
import dataclasses
import itertools
import json
import math
import random
import threading
import time

import botocore.exceptions
import requests

NOTHING_DONE = ("no active Vault instance found", "Vault is sealed")
CAS_REFUSED = "check-and-set parameter did not match"
LEASE_S = 15
LATE_S = 30  # after the end and after healing
USES = 5
EC2_ONLY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}
READ_GATE = 'path "kv/data/gate" { capabilities = ["%s"] }'
READER = 'path "kv/data/gate" { capabilities = ["read"] }'


@dataclasses.dataclass
class Reply:
    outcome: str
    status: int = 0
    json: dict = None
    call: int = 0
    back: int = 0  # time.monotonic_ns()

    def says(self, text):
        return any(text in error for error in (self.json or {}).get("errors", []))


class Session:
    """One client: keeps to a node while that answers, follows 307, tries again what certainly did nothing."""

    def __init__(self, load, seed):
        self.load, self.world, self.choose = load, load.world, random.Random(seed)
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.verify = str(self.world.authority.ca_file)
        self.node = self.choose.choice(self.world.nodes)

    def ask(self, method, path, body=None, token=None, patience=3.0, timeout=1.0):
        """Answers that take longer than timeout are unknown: a client that hangs sees nothing of what it should."""
        call = time.monotonic_ns()
        until = time.monotonic() + patience
        while True:
            if self.choose.random() < 0.1:
                self.node = self.choose.choice(self.world.nodes)
            reply = self._follow(method, f"{self.node.address}/v1/{path}", body, token, timeout)
            if reply.outcome != "ok":
                self.node = self.choose.choice(self.world.nodes)
            if reply.outcome != "nothing" or time.monotonic() > until or self.load.over.is_set():
                break
            time.sleep(0.02)
        reply.call, reply.back = call, time.monotonic_ns()
        self.load.count(reply)
        return reply

    def _follow(self, method, url, body, token, timeout):
        headers = {"X-Vault-Token": token or self.world.cluster.root_token}
        data = None if body is None else json.dumps(body)
        try:
            for _ in range(4):
                answer = self.http.request(method, url, data=data, headers=headers, timeout=(1, timeout),
                                           allow_redirects=False)
                if answer.status_code != 307:
                    return self._judge(answer)
                url = answer.headers["Location"]
        except requests.exceptions.ConnectTimeout:
            return Reply("nothing")
        except requests.exceptions.ConnectionError as error:
            return Reply("nothing" if "NewConnectionError" in repr(error) else "unknown")
        except requests.RequestException:
            return Reply("unknown")
        return Reply("nothing")

    def _judge(self, answer):
        try:
            said = answer.json() if answer.content else {}
        except ValueError:
            return Reply("unknown", answer.status_code)
        reply = Reply("ok", answer.status_code, said)
        if answer.status_code >= 500:
            reply.outcome = "nothing" if any(map(reply.says, NOTHING_DONE)) else "unknown"
        return reply


class Load:
    def __init__(self, world, seed):
        self.world, self.seed = world, seed
        self.over, self.lock = threading.Event(), threading.Lock()
        self.ids = itertools.count(1)
        self.history = open(world.folder / "history.jsonl", "w", encoding="utf-8")
        self.statuses, self.request_ids = {}, set()
        self.registers = [Register(f"r{number}-0") for number in range(5)]
        self.left_registers = []
        self.ledger, self.credentials = set(), []
        workers = WORKERS[world.server]
        self.turns = [threading.Lock() for _ in workers]  # each worker's own, for a step
        self.threads = [threading.Thread(target=self._work, args=(worker, number), daemon=True)
                        for number, worker in enumerate(workers)]
        world.load = self

    def prepare(self):
        root = self.world.cluster.root
        root.write("sys/mounts/kv", type="kv", options={"version": "2"}).ok()
        while root.write("kv/data/gate", data={"open": "yes"}).status not in (200, 204):
            time.sleep(0.1)  # OpenBao: the engine is still being set up
        root.write("sys/audit/file", type="file", options={"file_path": "audit.log"}).ok()
        root.write("sys/policies/acl/reader", policy=READER).ok()
        if self.world.moto:
            root.write("sys/mounts/aws", type="aws").ok(204)
            root.write("aws/config/root", **self.world.moto.root_config()).ok(204)
            root.write("aws/config/lease", lease=f"{LEASE_S}s", lease_max="24h").ok(204)
            for role in ("short", "long"):
                root.write(f"aws/roles/{role}", credential_type="iam_user", policy_document=json.dumps(EC2_ONLY)).ok(204)

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()

    @contextlib.contextmanager
    def held(self):
        """Nobody asks for anything, and nobody waits for an answer."""
        with contextlib.ExitStack() as stack:
            for turn in self.turns:
                stack.enter_context(turn)
            yield

    def _work(self, worker, number):
        session = Session(self, self.seed * 1000 + number)
        steps = worker(self, session, number)
        try:
            while not self.over.is_set():
                with self.turns[number]:
                    next(steps)
                time.sleep(0)  # whoever waits for the turn gets it
        except Exception as problem:  # whatever it is: a check that has ended must not look like one that found nothing
            self.world.violated("the suite itself works", f"{worker.__name__}: {problem!r}")

    # ---- What is kept ----

    def count(self, reply):
        what = f"{reply.status} {reply.outcome}" if reply.status else reply.outcome
        with self.lock:
            self.statuses[what] = self.statuses.get(what, 0) + 1
            if reply.outcome == "ok" and (reply.json or {}).get("request_id"):
                self.request_ids.add(reply.json["request_id"])

    def record(self, key, client, kind, reply, **more):
        """An operation of the history: checker/main.go says what it means."""
        operation = {"key": key, "client": client, "kind": kind, "call": reply.call, "return": reply.back, **more}
        operation.setdefault("outcome", "ok" if reply.outcome == "ok" else "unknown")
        with self.lock:
            self.history.write(json.dumps(operation) + "\n")

    def odd(self, what, reply):
        self.world.violated("answers are as the API has them", f"{what}: {reply.status} {str(reply.json)[:300]}")

    def leave_register(self, register):
        """Each unknown outcome doubles what the checker has to think of, so that after a few another key is used."""
        with self.lock:
            if register in self.registers:
                self.left_registers.append(register.name)
                name, number = register.name.split("-")
                self.registers[self.registers.index(register)] = Register(f"{name}-{int(number) + 1}")


# ---- kv v2: registers with check-and-set ----

@dataclasses.dataclass(eq=False)
class Register:
    name: str
    version: int = 0  # the last that anybody saw
    unknown: int = 0
    operations: int = 0


def read_register(load, session, number, name):
    reply = session.ask("GET", f"kv/data/{name}")
    if reply.outcome != "ok":
        return None
    found = (reply.json.get("data") or {}) if reply.status == 200 else {}
    if reply.status not in (200, 404):
        load.odd("reading a register", reply)
        return None
    version = found["metadata"]["version"] if found else 0
    load.record(name, number, "read", reply, value=found["data"]["x"] if found else "", version=version)
    return version


def write_register(load, session, number, register, expected):
    """With expected, the version that must be there; with None, on top of whatever is."""
    value = str(next(load.ids))
    options = {} if expected is None else {"options": {"cas": expected}}
    reply = session.ask("POST", f"kv/data/{register.name}", {"data": {"x": value}, **options})

    def record(**more):
        what = {"kind": "put"} if expected is None else {"kind": "cas", "expected": expected}
        load.record(register.name, number, reply=reply, value=value, **what, **more)
    if reply.outcome == "nothing":
        return
    if reply.outcome == "unknown":
        register.unknown += 1
        record(version=-1)
        session.ask("GET", "kv/data/gate")  # not one unknown outcome after the other while nobody serves
    elif reply.status == 200:
        version = reply.json["data"]["version"]
        register.version = max(register.version, version)
        record(version=version)
    elif reply.status == 400 and reply.says(CAS_REFUSED):
        record(outcome="refused")
    else:
        load.odd("writing a register", reply)


def use_registers(load, session, number):
    while True:
        register = session.choose.choice(load.registers)
        what = session.choose.random()
        if what < 0.5:
            register.version = max(register.version, read_register(load, session, number, register.name) or 0)
        elif what < 0.9:
            # Now and then on top of a version that is not there.
            write_register(load, session, number, register, register.version + (session.choose.random() < 0.1))
        else:
            write_register(load, session, number, register, None)
        register.operations += 1
        if register.unknown >= 3 or register.operations > 600:
            load.leave_register(register)
        time.sleep(0.01)
        yield


# ---- kv v2: a ledger, in which each line is written once ----

def keep_ledger(load, session, _number):
    while True:
        line = str(next(load.ids))
        reply = session.ask("POST", f"kv/data/ledger/{line}", {"data": {"line": line}})
        if reply.outcome == "ok" and reply.status == 200:
            load.ledger.add(line)
        elif reply.outcome == "ok":
            load.odd("writing into the ledger", reply)
        time.sleep(0.05)
        yield


# ---- Policies: a token may read, or may not ----

def change_policies(load, session, number):
    for name in itertools.count():
        policy, key = f"gate-{name}", f"policy gate-{name}"
        first = session.ask("POST", f"sys/policies/acl/{policy}", {"policy": READ_GATE % "deny"})
        made = session.ask("POST", "auth/token/create", {"policies": [policy], "no_default_policy": True})
        if first.outcome != "ok" or made.status != 200:
            yield
            continue
        load.record(key, number, "put", first, value="deny", version=-1)
        token, told = made.json["auth"]["client_token"], "ok"
        for turn in range(60):
            if turn % 4 == 0:
                told = change_policy(load, session, number, policy, allow=turn % 8 == 0)
            else:
                check_policy(load, session, number, key, token)
            time.sleep(0.03)
            yield
            if told == "unknown":
                break


def change_policy(load, session, number, policy, allow):
    reply = session.ask("POST", f"sys/policies/acl/{policy}", {"policy": READ_GATE % ("read" if allow else "deny")})
    if reply.outcome != "nothing":
        load.record(f"policy {policy}", number, "put", reply, value="allow" if allow else "deny", version=-1)
    return reply.outcome


def check_policy(load, session, number, key, token):
    reply = session.ask("GET", "kv/data/gate", token=token)
    if reply.outcome == "ok" and reply.status in (200, 403):
        load.record(key, number, "read", reply, value="allow" if reply.status == 200 else "deny", version=-1)
    elif reply.outcome == "ok":
        load.odd("a token with a policy", reply)


# ---- Tokens with a number of uses ----

def use_up_tokens(load, session, _number):
    helpers = [Session(load, load.seed * 1000 + 500 + helper) for helper in range(3)]
    with concurrent.futures.ThreadPoolExecutor(len(helpers)) as pool:
        while True:
            made = session.ask("POST", "auth/token/create",
                               {"policies": ["reader"], "num_uses": USES, "no_default_policy": True})
            if made.status == 200:
                token = made.json["auth"]["client_token"]
                used = sum(pool.map(lambda helper, token=token: spend(helper, token), helpers))
                if used > USES:
                    load.world.violated("a token is used no more often than it may", f"{used} times instead of {USES}")
            time.sleep(0.1)
            yield


def spend(helper, token):
    """How often it worked; of three helpers, more often than it may."""
    return sum(helper.ask("GET", "kv/data/gate", token=token, patience=1).status == 200 for _ in range(USES - 2))


# ---- Leases: IAM users, and tokens that end ----

@dataclasses.dataclass(eq=False)
class Credential:
    what: str
    name: str
    works: object  # works() → True, False, or None when nobody can say now
    ends_at: float  # time.monotonic(), at the earliest
    ends_by: float  # and at the latest: infinite, when a renewal's outcome is unknown


def ask_for_credentials(load, session, _number):
    while True:
        asked = time.monotonic()
        role = "long" if session.choose.random() < 0.1 else "short"
        reply = session.ask("GET", f"aws/creds/{role}", timeout=5)  # with four calls to AWS
        if reply.outcome == "ok" and reply.status == 200:
            key, duration = reply.json["data"]["access_key"], reply.json["lease_duration"]
            ends = asked + duration, time.monotonic() + duration
            if role == "long":
                ends = lengthen(session, reply.json["lease_id"], ends)
            client = load.world.moto.client("ec2", key, reply.json["data"]["secret_key"])
            note_credential(load, Credential("IAM key", key, moto_check(load, client), *ends))
        elif reply.outcome == "ok":
            load.odd("asking for credentials", reply)
        time.sleep(0.7)
        yield


def lengthen(session, lease_id, ends):
    """Until tomorrow."""
    asked = time.monotonic()
    reply = session.ask("PUT", "sys/leases/renew", {"lease_id": lease_id, "increment": "24h"})
    if reply.status == 200 and reply.outcome == "ok":
        return asked + reply.json["lease_duration"], time.monotonic() + reply.json["lease_duration"]
    return (ends[0], math.inf) if reply.outcome == "unknown" else ends


def moto_check(load, client):
    def works():
        try:
            return load.world.moto.may(client.describe_instances) == "yes"
        except botocore.exceptions.BotoCoreError:
            return None
    return works


def ask_for_tokens(load, session, number):
    checker = Session(load, load.seed * 1000 + 900 + number)

    def check(token):
        reply = checker.ask("GET", "auth/token/lookup-self", token=token)
        return {200: True, 403: False}.get(reply.status) if reply.outcome == "ok" else None
    while True:
        asked = time.monotonic()
        reply = session.ask("POST", "auth/token/create", {"ttl": f"{LEASE_S}s"})
        if reply.outcome == "ok" and reply.status == 200:
            auth = reply.json["auth"]
            note_credential(load, Credential("token", auth["accessor"], lambda token=auth["client_token"]: check(token),
                                             asked + auth["lease_duration"], time.monotonic() + auth["lease_duration"]))
        for credential in sample(load, "token", 3):
            check_credential(load, credential)
        time.sleep(0.5)
        yield


def check_keys(load, _session, _number):
    while True:
        for credential in sample(load, "IAM key", 3):
            check_credential(load, credential)
        time.sleep(0.2)
        yield


def note_credential(load, credential):
    with load.lock:
        load.credentials.append(credential)


def sample(load, what, count):
    with load.lock:
        mine = [credential for credential in load.credentials if credential.what == what]
        return random.sample(mine, min(count, len(mine)))


def check_credential(load, credential):
    """It works until its end, and no longer than some seconds after that in which all was well."""
    asked, works, now = time.monotonic(), credential.works(), time.monotonic()
    if works is None:
        return
    if not works:
        if now < credential.ends_at:
            load.world.violated("no lease is revoked early", f"{credential.what} {credential.name} is dead "
                                f"{credential.ends_at - now:.1f} s before its end")
        with load.lock:
            load.credentials.remove(credential)
    elif asked > credential.ends_by and load.world.calm_since(credential.ends_by) > LATE_S:
        load.world.violated("no lease is revoked late", f"{credential.what} {credential.name} still works "
                            f"{now - credential.ends_by:.1f} s after its end")


COMMON = (use_registers, use_registers, use_registers, use_registers, keep_ledger, change_policies, use_up_tokens,
          ask_for_tokens)
WORKERS = {"coffer": COMMON + (ask_for_credentials, ask_for_credentials, check_keys), "bao": COMMON}
