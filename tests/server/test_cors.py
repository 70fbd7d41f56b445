# SPDX-License-Identifier: Apache-2.0
"""What browsers are told about pages of other origins. The answers themselves are in tests/scenarios/cors.scenario."""
import pytest

pytestmark = pytest.mark.quick

ORIGIN = "https://tools.example.com"


@pytest.fixture
def allowed(root):
    root.write("sys/config/cors", allowed_origins=[ORIGIN]).ok(204)
    yield root
    root.delete("sys/config/cors").ok(204)


def ask(client, method, path, origin=ORIGIN, **headers):
    return client.request(method, path, headers={"Origin": origin, **headers})


@pytest.mark.parametrize("method, path", [("GET", "sys/mounts"), ("GET", "nothing/there"), ("GET", "sys/health"),
                                          ("POST", "sys/mounts/x/"), ("GET", "sys//mounts")])
def test_every_answer_to_an_allowed_origin_says_so(allowed, method, path):
    answer = ask(allowed, method, path)
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN and answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize("origin", ["https://tools.example.com.evil", "https://tools.example.co", "null", "*",
                                    "https://TOOLS.example.com", "https://tools.example.com "[:-1] + "/"])
def test_what_only_resembles_an_allowed_origin_is_refused_before_anything_is_done(allowed, origin, unique):
    refused = allowed.request("POST", f"sys/mounts/{unique}", body={"type": "kv"}, headers={"Origin": origin})
    refused.refused(403, "origin not allowed")
    assert "Access-Control-Allow-Origin" not in refused.headers
    assert f"{unique}/" not in allowed.read("sys/mounts").ok(200).data


def test_a_preflight_needs_no_token_and_is_answered_for_paths_that_need_one(server, allowed):
    answer = ask(server.client(), "OPTIONS", "sys/mounts", **{"Access-Control-Request-Method": "DELETE"}).ok(200)
    assert "DELETE" in answer.headers["Access-Control-Allow-Methods"] and answer.raw == b""
    assert "X-Vault-Token" in answer.headers["Access-Control-Allow-Headers"]


def test_requests_without_an_origin_go_on_as_ever(allowed):
    answer = allowed.read("sys/mounts").ok(200)
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_without_a_setting_no_origin_is_spoken_of(root):
    answer = ask(root, "GET", "sys/mounts").ok(200)
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.coffer_only
@pytest.mark.parametrize("body", [{"allowed_origins": ["a\r\nX-Evil: 1"]}, {"allowed_origins": ["x" * 300]},
                                  {"allowed_origins": ["http://a"], "allowed_headers": ["a\nb"]},
                                  {"allowed_origins": [f"http://{i}" for i in range(200)]},
                                  {"allowed_origins": {"a": 1}}, {"allowed_origins": ["", "http://a"]}])
def test_what_cannot_stand_in_a_header_is_refused(root, body):
    root.request("POST", "sys/config/cors", body=body).refused(400)
    assert root.read("sys/config/cors").ok(200).data == {"enabled": False}
