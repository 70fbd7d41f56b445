#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the same command lines with `coffer` and with OpenBao's `bao` against one server, and prints what differs.

    tests/server/cli_compare.py --coffer build/release/coffer --bao .venv/bin/bao [--address URL --token TOKEN] [-k WORD]

Without --address it starts `bao server -dev` itself. Each case is run with both programs: output (values that change
from call to call made equal), errors and exit codes must agree. What differs on purpose stands in INTENDED below, with
the reason; a line there that matches nothing is an error too, so that the list stays true. Exit code 1: something differs.
"""
import argparse
import difflib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

# (pattern of the case, "out" or "err" or "code", reason)
INTENDED = [
    (r"a=@missing|^write \S+ @missing|^policy write \S+ missing$", "err", "our own words for a file that is not there"),
    (r"-ttl=x|-use-limit=x|-header X", "err", "our own words for a value of the wrong kind"),
    (r"^login( |$)|^operator unseal -non", "err", "our own words"),
    (r"^login.*(username=bob password=pw|root$|token=root)", "out", "our own words around the same table"),
    (r"-method=approle", "code", "approle can be used to log in here"),
    (r"^delete$|^token lookup -accessor$|^token capabilities$|^kv list$|^audit enable$|^kv get$", "err",
     "arguments are counted in one place, in the same words for all commands"),
    (r"read cubbyhole/%N -format=json", "out", "-format is taken wherever it stands, and is then no data"),
    (r"^(kv|secrets|operator|token|nope|kv metadata)$|^secrets nope$", "err", "our own help"),
    (r"^lease renew -increment=60s bad 60$", "err", "the increment may also be an argument, as in Vault"),
    (r"^lease renew -increment=60s bad 60$", "code", "the same"),
    (r"^kv delete -versions=1 %N/a$", "err", "whoever names a version does not want to lose the whole key"),
    (r"^kv delete -versions=1 %N/a$", "out", "the same"),
    (r"^kv delete -versions=1 %N/a$", "code", "the same"),
    (r"^kv enable-versioning %N$", "err", "a warning of the server is shown"),
]

TABLES = ["", "-format=json", "-format=yaml"]
FILES = {
    "value.txt": "from a file",
    "data.json": '{"a": {"b": [1, 2.5, true, null, "x<y>&"]}, "n": 12345678901234567, "my_ttl": 5400, "period": "1h",'
                 ' "e": {}, "l": [], "deep": [{"a": 1, "b": [{"c": 2}]}, [[1, 2], []]], "neg_ttl": -5, "f": 1.5}',
    "kv2.json": '{"data": {"z": 1}}',
    "policy.hcl": 'path "a" {\n  capabilities = ["read"]\n}\n',
}
TEXTS = ["päß ☃", "a\nb", "a\n", "\na", "a\n\n", " a\nb", "yes", "No", "1.0", "2024-01-01", "2024-01-01T00:00:00Z", "",
         " x", "a #b", "#b", "a: b", "a:", "*a", "null", "~", "word " * 40, "a\tb", "a\\b", "it's", "'a", 'say "x"',
         '"x', "0x10", "010", "1e3", ".inf", "1_000", "0b1", "12:30:45", "%a", "!a", "&a", "|a", ">a", "-a", "- a",
         "?a", "[a", "{a", ",a", "`a", "x ", "on", "Y", "True", "+1", ".", "...", "---", "=", "<<", "😀",
         '{"a": 1}', "http://a/b", " ", "0o17", ".NaN", "99999999999999999999", "a\rb", "n", "1.", ".5", "-", "--",
         "1:60", "1e", "0x", "+", "-.inf", "2024-1-1", "12e03", "123456", "1,2", "a,b", "]", "}", "a]b", "@"]


def read_only(*lines):
    """Lines that change nothing, in each format."""
    return [insert_option(line, option) for line in lines for option in TABLES]


GROUPS = {"kv", "token", "policy", "secrets", "auth", "lease", "operator", "audit", "metadata", "raft", "print"}


def insert_option(line, option):
    words = line.split(" ")
    at = 1
    while at < len(words) and words[at - 1] in GROUPS:
        at += 1
    return " ".join(words[:at] + ([option] if option else []) + words[at:])


# %N is a name that differs between the two programs, so that both start from the same state.
CASES = [
    # logical
    "write cubbyhole/%N x=1 y=a y=b z=@value.txt q=\\@lit e=",
    *read_only("read cubbyhole/%N", "list cubbyhole/", "list cubbyhole/nothing", "read cubbyhole/nothing"),
    *read_only("read -field=y cubbyhole/%N", "read -field=x cubbyhole/%N", "read -field=nope cubbyhole/%N",
               "read -field=data cubbyhole/%N"),
    "list -detailed cubbyhole/", "list -detailed -format=json cubbyhole/",
    "write cubbyhole/%N @data.json", *read_only("read cubbyhole/%N", "read -field=a cubbyhole/%N"),
    "read -field=my_ttl cubbyhole/%N", "read -field=n cubbyhole/%N", "read /cubbyhole/%N/",
    "write cubbyhole/%N - < data.json", "read cubbyhole/%N", "write cubbyhole/%N a=- < value.txt", "read cubbyhole/%N", "read cubbyhole/%N -format=json",
    "write cubbyhole/%N a=- b=- < value.txt", "write cubbyhole/%N", "write -f cubbyhole/%N", "write cubbyhole/x a",
    "write cubbyhole/%N @missing", "write cubbyhole/%N a=@missing", "write -f -format=json cubbyhole/%N a=1",
    "write -field=version secret/data/%N @kv2.json", "write secret/data/%N @kv2.json",
    "write -format=json secret/data/%N @kv2.json", "patch secret/data/%N @kv2.json", "patch secret/data/%N",
    "patch -force secret/data/%N", "patch secret/data/none-%N @kv2.json", "patch cubbyhole/%N a=b",
    "delete cubbyhole/%N", "delete cubbyhole/%N", "delete -format=json cubbyhole/%N", "delete",
    "read", "read a b", "read -nope", "read -format=bad x", "read -wrap-ttl=x x", "list", "read -header X x",
    "read -mfa", "read -wrap-ttl=5m secret/config",
    "read -wrap-ttl=5m -format=json secret/config", "read -wrap-ttl=5m -field=wrapping_token_ttl secret/config",
    *read_only("read sys/health", "read auth/token/lookup-self", "read sys/nothing"),
    # token
    *read_only("token create -ttl=90m -policy=default", "token create -display-name=x -metadata=a=b -metadata c=d",
               "token create -wrap-ttl=5m", "token lookup"),
    "token create -orphan -no-default-policy -policy=a -policy=b -use-limit=5 -explicit-max-ttl=1h",
    "token create -period=1h -renewable=false", "token create -type=batch -ttl=1h", "token create -role=nope",
    "token create extra", "token create -use-limit=x", "token create -ttl=x", "token lookup bad",
    "token lookup -accessor bad", "token renew bad", "token renew -increment=5m bad", "token revoke",
    "token revoke -self x", "token revoke -mode=bad foo", "token revoke bad", "token revoke -accessor bad",
    "token revoke -mode=orphan bad", "token revoke -mode=path foo",
    *read_only("token capabilities cubbyhole/x"), "token capabilities bad cubbyhole/x", "token capabilities",
    "token lookup -accessor", "print token", "unwrap bad",
    # kv
    *read_only("kv put secret/%N x=1 y=two", "kv get secret/%N", "kv get -mount=secret %N", "kv list secret",
               "kv list secret/nothing", "kv get secret/nothing", "kv get -field=x secret/%N",
               "kv get -field=no secret/%N", "kv get -version=1 secret/%N"),
    "kv put -cas=3 secret/%N x=2", "kv put -cas=1 secret/%N x=2", "kv put secret/%N", "kv put -field=version secret/%N a=b",
    "kv get nomount/x", "kv get", "kv list", "kv list -mount=secret", "kv get -wrap-ttl=5m secret/%N",
    "kv patch secret/%N y=3", "kv patch -method=rw secret/%N y=4", "kv patch -remove-data=y secret/%N",
    "kv patch secret/none y=3", "kv patch -method=rw secret/none y=3", "kv patch secret/%N", "kv patch -method=bad secret/%N x=1",
    "kv delete secret/%N", *read_only("kv get secret/%N"), "kv get -field=x secret/%N",
    "kv undelete -versions=1,2 secret/%N", "kv undelete secret/%N", "kv delete -versions=1,2 secret/%N",
    "kv destroy -versions=1 -versions=2 secret/%N", "kv destroy secret/%N", "kv rollback -version=3 secret/%N",
    "kv rollback -format=json -version=3 secret/%N", "kv rollback secret/%N", "kv rollback -version=1 secret/%N",
    "kv rollback -version=1 secret/none",
    "kv metadata put -max-versions=4 -cas-required=true -delete-version-after=1h -custom-metadata=a=b secret/%N",
    *read_only("kv metadata get secret/%N"),
    "kv metadata patch -cas-required=false -custom-metadata=e=f -remove-custom-metadata=a secret/%N",
    "kv metadata get -mount=secret %N", "kv metadata patch -max-versions=3 secret/none", "kv metadata get secret/none",
    "kv get secret/%N", "kv delete -format=json secret/%N", "kv metadata delete secret/%N", "kv metadata get secret/%N",
    # mounts
    "secrets enable -path=%N kv", "secrets enable -path=%N kv", "kv put %N/a b=c", "kv put -format=json %N/a b=c",
    *read_only("kv get %N/a", "kv get -field=b %N/a", "kv get -field=no %N/a"), "kv get %N/nothing", "kv list %N",
    "kv patch %N/a b=c", "kv undelete -versions=1 %N/a", "kv destroy -versions=1 %N/a", "kv rollback -version=1 %N/a",
    "kv metadata get %N/a", "kv metadata put %N/a", "kv metadata delete %N/a", "kv delete -versions=1 %N/a",
    "kv delete %N/a", "secrets tune -default-lease-ttl=72h -description=x %N", "secrets tune -max-lease-ttl=-1s %N/",
    "secrets tune nothing", "kv enable-versioning %N", "secrets move %N %N-2", "secrets disable %N-2",
    "secrets disable %N-2", "secrets disable", "secrets enable", "secrets enable nope",
    "secrets enable -version=2 -path=%N/b -description=hey -default-lease-ttl=1h -max-lease-ttl=2h kv",
    *read_only("secrets list", "secrets list -detailed", "auth list", "auth list -detailed"), "secrets disable %N/b",
    "auth enable -path=%N -description=a userpass", "auth enable -path=%N userpass", "auth enable nope",
    "auth tune -default-lease-ttl=1h -token-type=batch %N", "auth tune nope/", "auth enable",
    "auth disable %N", "auth disable %N", "auth disable",
    # policy
    *read_only("policy list", "policy read default", "policy read nope"), "policy write %N policy.hcl",
    *read_only("policy read %N"), "policy write %N - < policy.hcl", "policy write UP%N policy.hcl",
    "policy delete UP%N", "policy write %N missing", "policy write %N", "policy delete %N", "policy delete %N",
    "policy read root",
    # leases
    "lease lookup bad", "lease renew bad", "lease renew -increment=60s bad 60", "lease revoke bad", "lease revoke",
    "lease revoke -prefix %N", "lease revoke -force %N", "lease revoke -force -prefix %N", "lease revoke -sync bad",
    "lease revoke -sync -prefix %N", "lease revoke -sync -force -prefix %N", "lease lookup -format=json bad",
    # audit: the reference refuses to enable devices over the API
    *read_only("audit list"), "audit enable file file_path=x", "audit disable %N", "audit disable", "audit enable",
    # operator
    *read_only("status", "operator key-status", "operator members"), "status -field=sealed", "operator init",
    "operator init -status", "operator unseal abc", "operator unseal -reset", "operator unseal -non-interactive",
    "operator raft list-peers", "operator raft remove-peer x", "operator step-down", "operator rotate",
    "operator rotate -format=json",
    # login: -no-store, so that the two programs do not share the result
    "write auth/userpass/users/bob password=pw",
    "login -no-store -method=userpass username=bob password=pw",
    "login -no-store -format=json -method=userpass username=bob password=pw",
    "login -no-store -field=token_policies -method=userpass username=bob password=pw",
    "login -token-only -method=userpass username=bob password=pw", "login -no-print -no-store root",
    "login -method=userpass username=bob password=bad", "login -method=userpass", "login -method=nope",
    "login -no-store root", "login -no-store -format=json token=root", "login bad",
    "login -no-store -method=approle role_id=a secret_id=b",
    "login -no-store -wrap-ttl=5m -method=userpass username=bob password=pw",
    # help
    "nope", "secrets", "secrets nope", "kv", "operator", "token", "kv metadata", "path-help nothing",
    "path-help sys/mounts",
]

SAME = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>"),
    (r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "<time>"),
    (r"\b\d\d [A-Z][a-z]{2} \d\d \d\d:\d\d UTC", "<time>"),
    (r"\bs\.[A-Za-z0-9]{24}\b", "<token>"),
    (r"\b(hvs|hvb|b)\.[A-Za-z0-9_-]{20,}", "<token>"),
    (r"(accessor:?\"?[: ]+\"?)[A-Za-z0-9]{24}\b", r"\1<accessor>"),
    (r"\b(kv|auth_[a-z]+)_[0-9a-f]{8}\b", r"\1_<id>"),
    (r"((creation_time|server_time_utc|encryptions|Encryption Count|Key Term|term)\"?:? +)\d+", r"\1<number>"),
    (r"cli-[ab]", "cli-x"),
    # How often it has to ask is chance.
    (r"(?m)^Waiting for terminal status.*\n", ""),
    # Fields that the server does not send are not made up.
    (r"(?m)^ *\"?(deprecation_status|build_date)\"?: \"\",?\n", ""),
    (r"\bbao\b", "coffer"),
    (r"OpenBao", "Coffer"),
]


def make_same(text):
    for pattern, replacement in SAME:
        text = re.sub(pattern, replacement, text)
    return text


def shape(line, text):
    """JSON is compared by value: the order of keys says nothing."""
    if "-format=json" in line and text.strip():
        try:
            text = json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False)
        except ValueError:
            pass
    return make_same(text)


def run(program, line, name, env, folder):
    words, _, stdin = line.replace("%N", name).partition(" < ")
    data = open(os.path.join(folder, stdin)).read() if stdin else ""
    done = subprocess.run([program, *words.split(" ")], input=data, capture_output=True, text=True, env=env, cwd=folder,
                          timeout=60)
    return {"out": shape(line, done.stdout), "err": shape("", done.stderr), "code": f"{done.returncode}\n"}


def differences(line, ours, theirs):
    for part in ("code", "out", "err"):
        if ours[part] != theirs[part]:
            yield part, "".join(difflib.unified_diff(theirs[part].splitlines(True), ours[part].splitlines(True),
                                                     "bao", "coffer", n=2))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_server(bao, folder):
    port = free_port()
    server = subprocess.Popen([bao, "server", "-dev", f"-dev-listen-address=127.0.0.1:{port}",
                               "-dev-root-token-id=root", "-dev-no-store-token"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            time.sleep(0.5)
            return server, f"http://127.0.0.1:{port}"
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server does not start")


def text_cases(programs, env, folder):
    """Every text that YAML could mistake for something else, printed in each format."""
    for number, text in enumerate(TEXTS):
        with open(os.path.join(folder, "text.json"), "w") as out:
            json.dump({"v": text, text: 1} if text else {"v": text}, out)
        subprocess.run([programs["bao"], "write", "cubbyhole/text", "@text.json"], env=env, cwd=folder,
                       capture_output=True, check=True)
        for option in TABLES:
            yield f"text {number} {option}", f"read {option} cubbyhole/text".replace("  ", " "), repr(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coffer", required=True)
    parser.add_argument("--bao", default=shutil.which("bao"))
    parser.add_argument("--address")
    parser.add_argument("--token", default="root")
    parser.add_argument("-k", default="", help="only cases that contain this")
    args = parser.parse_args()
    programs = {"coffer": os.path.abspath(args.coffer), "bao": os.path.abspath(args.bao)}
    server = None
    with tempfile.TemporaryDirectory() as folder:
        for name, content in FILES.items():
            with open(os.path.join(folder, name), "w") as out:
                out.write(content)
        if not args.address:
            server, args.address = start_server(programs["bao"], folder)
        try:
            return compare(programs, args, folder)
        finally:
            if server:
                server.terminate()
                server.wait()


def compare(programs, args, folder):
    env = {"PATH": os.environ["PATH"], "HOME": folder, "VAULT_ADDR": args.address, "VAULT_TOKEN": args.token}
    subprocess.run([programs["bao"], "auth", "enable", "userpass"], env=env, capture_output=True)
    intended_used, different, count = set(), 0, 0
    cases = [(line, line, "") for line in CASES]
    for label, line, note in [*cases, *text_cases(programs, env, folder)]:
        if args.k not in label:
            continue
        count += 1
        theirs = run(programs["bao"], line, "cli-a", env, folder)
        ours = run(programs["coffer"], line, "cli-b", env, folder)
        for part, diff in differences(line, ours, theirs):
            reasons = {i for i, (pattern, where, _) in enumerate(INTENDED) if where == part and re.search(pattern, label)}
            intended_used |= reasons
            if not reasons:
                different += 1
                print(f"--- {label} {note} ({part})\n{diff}")
    unused = [] if args.k else [entry for i, entry in enumerate(INTENDED) if i not in intended_used]
    for pattern, part, reason in unused:
        print(f"--- no longer differs: {pattern} ({part}): {reason}")
    print(f"{count} command lines, {different} unintended differences, {len(unused)} outdated entries")
    return 1 if different or unused else 0


if __name__ == "__main__":
    sys.exit(main())
