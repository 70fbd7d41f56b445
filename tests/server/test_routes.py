# SPDX-License-Identifier: Apache-2.0
"""Which routes need no token and which need sudo: pinned in routes.txt, and tried out on all there are.

After a change that is meant, and thought about, the list is written anew by

    COFFER_PIN_ROUTES=1 build/venv/bin/python -m pytest -c tests/pytest.ini tests/server/test_routes.py
"""
import difflib
import os
import pathlib
import re

import pytest

pytestmark = pytest.mark.coffer_only

PINNED = pathlib.Path(__file__).with_name("routes.txt")
METHODS = {"get": ("GET", "LIST", "HEAD"), "post": ("POST", "PUT"), "patch": ("PATCH",), "delete": ("DELETE",)}
MERGE_PATCH = {"PATCH": {"Content-Type": "application/merge-patch+json"}}
SECTIONS = (("x-vault-unauthenticated", "needs no token"), ("x-openable", "needs no token where the listener says so"),
            ("x-vault-sudo", "needs sudo besides the capability"))
# Routes that take no token from the header of their own accord, and what they look for instead.
ASK_BY_THEMSELVES = {
    "/sys/wrapping/lookup": "the wrapping token, which may be in the body",
    "/sys/internal/ui/mounts/{path}": "a token with any right below the mount: nobody learns what is mounted (N-049)",
}


@pytest.fixture(scope="module")
def paths(server):
    """{path: {method: operation}} of a server on which there is everything that can be mounted."""
    for kind, where in (("secret", "mounts"), ("auth", "auth")):
        for name in server.root.list(f"sys/plugins/catalog/{kind}").ok(200).data["keys"]:
            server.root.write(f"sys/{where}/{name}", type=name)  # those that exist already are refused
    server.root.write("sys/mounts/kv2", type="kv", options={"version": "2"}).ok(204)
    document = server.root.read("sys/internal/specs/openapi").ok(200).json
    return {path: {method: item[method] for method in METHODS if method in item} for path, item in document["paths"].items()}


def marked(paths, mark):
    return sorted(f"{path} {method}" for path, item in paths.items() for method, operation in item.items() if mark in operation)


def as_text(paths):
    lines = ["# What guards the routes. A change here is a change of who may do what: see test_routes.py."]
    for mark, title in SECTIONS:
        lines += ["", f"[{title}]", *marked(paths, mark)]
    return "\n".join(lines) + "\n"


def test_the_routes_without_token_and_with_sudo_are_those_of_the_list(paths):
    now = as_text(paths)
    if os.environ.get("COFFER_PIN_ROUTES"):
        PINNED.write_text(now)
    changes = [line for line in difflib.unified_diff(PINNED.read_text().splitlines(), now.splitlines(), "routes.txt",
                                                     "the server", lineterm="")]
    assert not changes, "\n".join(["What guards a route has changed:", *changes,
                                   "Is that meant, and is it safe? Then renew the list:", __doc__.split("by\n\n")[1].strip()])


def test_there_is_a_route_of_every_engine(paths, server):
    mounts = {**server.root.read("sys/mounts").data, **{f"auth/{key}": value for key, value in server.root.read("sys/auth").data.items()}}
    for mount in mounts:
        assert any(path.startswith(f"/{mount}") for path in paths), mount


def concrete(path):
    return "/v1" + re.sub(r"\{\w+\}", "a", path)


def test_a_route_that_needs_no_token_is_not_refused_for_want_of_one(paths, server):
    nobody = server.client()
    for path, item in paths.items():
        for method, operation in item.items():
            if "x-vault-unauthenticated" in operation and path not in ASK_BY_THEMSELVES:
                answer = nobody.request(METHODS[method][0], concrete(path), body={} if method == "post" else None)
                assert answer.status != 403 and b"permission denied" not in answer.raw, answer


def test_what_asks_by_itself_is_refused_without_and_answered_with_what_it_asks_for(paths, server):
    assert set(ASK_BY_THEMSELVES) <= set(paths)
    nobody, root = server.client(), server.root
    nobody.read("sys/internal/ui/mounts/kv").refused(403)
    root.read("sys/internal/ui/mounts/kv").ok(200)
    nobody.write("sys/wrapping/lookup").refused(403)
    wrapped = root.request("POST", "sys/wrapping/wrap", body={"x": "1"}, headers={"X-Vault-Wrap-TTL": "60"}).ok(200)
    nobody.write("sys/wrapping/lookup", token=wrapped.json["wrap_info"]["token"]).ok(200)


@pytest.mark.cve("N-115")
@pytest.mark.parametrize("token", [None, "no-such-token"])
@pytest.mark.parametrize("method", [*sum(METHODS.values(), ()), "SCAN", "OPTIONS", "TRACE", "FOO"])
def test_every_other_route_is_refused_without_a_token_whatever_the_method(paths, server, method, token):
    client = server.client(token)
    kind = next((kind for kind, methods in METHODS.items() if method in methods), None)
    for path, item in paths.items():
        if "x-vault-unauthenticated" in item.get(kind, {}):
            continue
        asked = concrete(path).rstrip("/") if kind in ("post", "patch") else concrete(path)
        answer = client.request(method, asked, body={"x": "1"} if kind in ("post", "patch") else None, headers=MERGE_PATCH.get(method))
        if path in ("/sys/wrapping/rewrap", "/sys/wrapping/unwrap") and kind == "post" and token:
            # What is sent is taken for the wrapping token itself, and said to be none.
            answer.refused(400, "wrapping token is not valid or does not exist")
            continue
        # 405: it says that there is no such operation, without looking at a token. That is for nobody then.
        assert answer.status in ((403,) if kind in item else (403, 405)), answer


def test_every_route_with_sudo_is_refused_to_who_has_all_but_sudo(paths, policy_token):
    client = policy_token('path "*" { capabilities = ["create", "read", "update", "delete", "list", "patch"] }')
    tried = 0
    for path, item in paths.items():
        for method, operation in item.items():
            if "x-vault-sudo" in operation:
                first = "LIST" if path.endswith("/") else METHODS[method][0]
                answer = client.request(first, concrete(path), body={} if method == "post" else None)
                assert answer.status in (403, 405), answer
                tried += answer.status == 403
    assert tried > 20
