# SPDX-License-Identifier: Apache-2.0
"""How many requests an address may make: rules, what is told of them, and what is exempt."""
import time

import pytest

from lib import settings

pytestmark = pytest.mark.quick

LIMITS = "sys/quotas/rate-limit"
LONG = "3600s"  # an interval that does not end while a test runs


@pytest.fixture
def ready(node):
    node.ready()
    node.root.write("sys/mounts/kv", type="kv").ok(204)
    node.root.write("kv/a", x="1").ok(204)
    return node


def limit(client, name, **body):
    return client.request("POST", f"{LIMITS}/{name}", body=body)


def test_rules_are_kept_listed_and_deleted(ready):
    root = ready.root
    root.list(LIMITS).refused(404)
    root.read(f"{LIMITS}/a").refused(404)
    limit(root, "a", path="kv", rate=100, interval="10s", block_interval="5s").ok(204)
    assert root.read(f"{LIMITS}/a").ok(200).data == {
        "block_interval": 5, "inheritable": False, "interval": 10, "name": "a", "path": "kv/", "rate": 100, "role": "",
        "type": "rate-limit"}
    limit(root, "a", path="kv/a*", rate=2.5).ok(204)
    data = root.read(f"{LIMITS}/a").ok(200).data
    assert (data["path"], data["rate"], data["interval"], data["block_interval"]) == ("kv/a*", 2.5, 1, 0)
    assert root.list(LIMITS).ok(200).data["keys"] == ["a"]
    limit(root, "b", path="kv/a*", rate=1).refused(
        400, 'quota rule with similar properties exists under the name "a"')
    root.delete(f"{LIMITS}/a").ok(204)
    root.delete(f"{LIMITS}/a").ok(204)
    root.list(LIMITS).refused(404)


@pytest.mark.parametrize("body, text", [
    ({}, "'rate' is invalid"),
    ({"rate": -1}, "'rate' is invalid"),
    ({"rate": 1, "path": "nope/"}, 'invalid mount path "nope/"'),
    ({"rate": 1, "interval": "x"}, 'error converting input for field "interval"'),
])
def test_a_rule_that_cannot_be_is_refused(ready, body, text):
    limit(ready.root, "a", **body).refused(400, text)


def test_one_request_too_many_is_refused_and_others_are_not(ready):
    limit(ready.root, "a", path="kv", rate=2, interval=LONG).ok(204)
    for _ in range(2):
        ready.root.read("kv/a").ok(200)
    answer = ready.root.read("kv/a").refused(429, 'request path "kv/a": rate limit quota exceeded')
    assert "X-Ratelimit-Limit" not in answer.headers and "Retry-After" not in answer.headers
    ready.client("wrong-token").read("kv/a").refused(429)
    ready.root.read("sys/mounts").ok(200)
    ready.root.delete(f"{LIMITS}/a").ok(204)
    ready.root.read("kv/a").ok(200)


def test_the_longest_path_counts(ready):
    limit(ready.root, "mount", path="kv", rate=1, interval=LONG).ok(204)
    limit(ready.root, "exact", path="kv/a", rate=3, interval=LONG).ok(204)
    for _ in range(3):
        ready.root.read("kv/a").ok(200)
    ready.root.read("kv/a").refused(429)
    ready.root.read("kv/b").refused(404)
    ready.root.read("kv/b").refused(429)


def test_headers_tell_what_is_left_when_they_are_wanted(ready):
    ready.root.write("sys/quotas/config", enable_rate_limit_response_headers=True).ok(204)
    limit(ready.root, "a", path="kv", rate=1, interval="600s", block_interval="300s").ok(204)
    headers = ready.root.read("kv/a").ok(200).headers
    assert (headers["X-Ratelimit-Limit"], headers["X-Ratelimit-Remaining"]) == ("1", "0")
    assert 300 < int(headers["X-Ratelimit-Reset"]) <= 600 and "Retry-After" not in headers
    headers = ready.root.read("kv/a").refused(429).headers
    assert 200 < int(headers["Retry-After"]) <= 300 and headers["X-Ratelimit-Remaining"] == "0"
    headers = ready.root.read("kv/a").refused(429).headers
    assert 200 < int(headers["Retry-After"]) <= 300 and "X-Ratelimit-Limit" not in headers


def test_an_interval_that_is_over_lets_in_again(ready):
    limit(ready.root, "a", path="kv", rate=1, interval="1s").ok(204)
    until = time.monotonic() + 20 * settings.PATIENCE
    seen = set()
    while time.monotonic() < until and not {200, 429} <= seen:
        seen.add(ready.root.read("kv/a").status)
    assert {200, 429} <= seen
    while time.monotonic() < until and ready.root.read("kv/a").status != 200:
        time.sleep(0.1)
    assert time.monotonic() < until


def test_the_configuration_names_what_is_exempt_and_is_replaced_as_a_whole(ready):
    data = ready.root.read("sys/quotas/config").ok(200).data
    assert data["enable_rate_limit_response_headers"] is False and "sys/health" in data["rate_limit_exempt_paths"]
    limit(ready.root, "all", rate=1000000, interval=LONG).ok(204)
    limit(ready.root, "a", path="kv", rate=1, interval=LONG).ok(204)
    ready.root.write("sys/quotas/config", rate_limit_exempt_paths=["kv/a"]).ok(204)
    assert ready.root.read("sys/quotas/config").ok(200).data == {
        "enable_rate_limit_audit_logging": False, "enable_rate_limit_response_headers": False,
        "rate_limit_exempt_paths": ["kv/a"]}
    for _ in range(3):
        ready.root.read("kv/a").ok(200)
    ready.root.write("sys/quotas/config").ok(204)
    assert ready.root.read("sys/quotas/config").ok(200).data["rate_limit_exempt_paths"] == []
    ready.root.read("kv/a").ok(200)
    ready.root.read("kv/a").refused(429)


@pytest.mark.coffer_only
def test_rules_outlive_a_restart_and_refusals_are_on_record_when_wanted(ready):
    ready.enable_audit()
    limit(ready.root, "a", path="kv", rate=1, interval=LONG).ok(204)
    ready.root.read("kv/a").ok(200)
    before = len(ready.audit_entries())
    ready.root.read("kv/a").refused(429)
    assert len(ready.audit_entries()) == before
    ready.root.write("sys/quotas/config", enable_rate_limit_audit_logging=True).ok(204)
    ready.root.read("kv/a").refused(429)
    assert ready.audit_entries()[-1]["request"]["path"] == "kv/a"
    ready.restart()
    ready.unseal()
    ready.wait_active()
    ready.root.read("kv/a").ok(200)
    ready.root.read("kv/a").refused(429)
    limit(ready.root, "b", path="kv/x", role="r", rate=1).refused(400, "are not supported")
