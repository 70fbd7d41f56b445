# SPDX-License-Identifier: Apache-2.0
"""What the route tables say of themselves: ?help=1, path-help, and the OpenAPI document."""
import json

import pytest
from openapi_spec_validator import validate

pytestmark = [pytest.mark.quick, pytest.mark.serial, pytest.mark.coffer_only]

METHODS = ("get", "post", "patch", "delete")


@pytest.fixture
def mounted(node):
    node.ready()
    for path, kind, options in (("kv1", "kv", {}), ("kv2", "kv", {"version": "2"}), ("aws", "aws", {})):
        node.root.write(f"sys/mounts/{path}", type=kind, options=options).ok(204)
    for kind in ("approle", "userpass"):
        node.root.write(f"sys/auth/{kind}", type=kind).ok(204)
    return node


def document(client, **query):
    answer = client.read("sys/internal/specs/openapi", **query).ok(200).json
    validate(answer)
    return answer


def operations(doc):
    return [item[method] for item in doc["paths"].values() for method in METHODS if method in item]


def test_the_document_of_all_mounts_is_valid_and_names_each_operation_once(mounted):
    doc = document(mounted.root)
    assert doc["openapi"] == "3.0.2"
    for path in ("/sys/health", "/sys/mounts/{path}", "/kv1/{path}", "/kv2/data/{path}", "/aws/creds/{name}",
                 "/auth/approle/login", "/auth/token/create", "/cubbyhole/{path}"):
        assert path in doc["paths"], path
    ids = [operation["operationId"] for operation in operations(doc)]
    assert len(ids) > 150 and len(set(ids)) == len(ids)


def test_the_document_says_what_a_path_takes_and_what_guards_it(mounted):
    paths = document(mounted.root)["paths"]
    write = paths["/kv2/data/{path}"]["post"]
    schema = write["requestBody"]["content"]["application/json"]["schema"]
    assert schema["properties"]["data"]["type"] == "object" and "path" not in schema["properties"]
    assert "application/merge-patch+json" in paths["/kv2/data/{path}"]["patch"]["requestBody"]["content"]
    [name] = [item for item in paths["/kv2/data/{path}"]["parameters"] if item["in"] == "path"]
    assert (name["name"], name["required"]) == ("path", True)
    assert "list" in [item["name"] for item in paths["/kv2/metadata/{path}"]["get"]["parameters"]]
    assert paths["/sys/audit"]["x-vault-sudo"] is True and paths["/sys/health"]["x-vault-unauthenticated"] is True
    assert "x-vault-sudo" not in paths["/sys/mounts"]
    assert paths["/sys/health"]["get"]["security"] == [] and "security" not in paths["/sys/mounts"]["get"]
    assert paths["/sys/audit/{path}"]["post"]["x-vault-sudo"] is True and paths["/sys/metrics"]["get"]["x-openable"] is True


def test_generic_mount_paths_stand_for_every_mount(mounted):
    doc = document(mounted.root, generic_mount_paths="true")
    assert "/{mount_path}/data/{path}" in doc["paths"] and "/auth/{mount_path}/login" in doc["paths"]
    assert "/kv2/data/{path}" not in doc["paths"] and "/sys/health" in doc["paths"]


def test_a_caller_sees_the_mounts_that_it_may_use(mounted):
    assert document(mounted.client())["paths"] == {}
    mounted.root.write("sys/policies/acl/kv", policy='path "kv2/data/a" { capabilities = ["read"] }').ok(204)
    token = mounted.root.write("auth/token/create", policies=["kv"], no_default_policy=True).ok(200).auth
    paths = document(mounted.client(token["client_token"]))["paths"]
    assert "/kv2/data/{path}" in paths and not any(path.startswith(("/aws/", "/kv1/")) for path in paths)


def test_every_path_that_has_a_route_explains_itself(mounted):
    doc = document(mounted.root)
    for path in doc["paths"]:
        asked = path.lstrip("/")
        while "{" in asked:
            asked = asked[:asked.index("{")] + "a" + asked[asked.index("}") + 1:]
        answer = mounted.root.read(asked, help="1").ok(200).json
        assert set(answer) >= {"help", "see_also", "openapi"} and answer["help"], path
        validate(answer["openapi"])


def test_help_tells_parameters_and_operations(mounted):
    text = mounted.root.read("aws/roles/x", help="1").ok(200).json["help"]
    assert "Matching Route: roles/:name" in text and "## PARAMETERS" in text and "policy_document (string)" in text
    text = mounted.root.read("aws/", help="1").ok(200).json["help"]
    assert "## PATHS" in text and "creds/:name" in text
    mounted.client().read("aws/roles/x", help="1").refused(403, "permission denied")
    mounted.root.read("nothing/here", help="1").refused(404, 'no handler for route "nothing/here"')


def test_path_help_on_the_command_line(mounted):
    token = mounted.keys.root_token
    text = mounted.cli("path-help", "sys/tools/hash", token=token)
    assert text.returncode == 0 and text.stdout.startswith("Request:        tools/hash\n")
    as_json = mounted.cli("path-help", "-format=json", "sys/tools/hash", token=token)
    assert "/tools/hash" in json.loads(as_json.stdout)["paths"]
    assert mounted.cli("path-help", "nothing/here", token=token).returncode == 2
