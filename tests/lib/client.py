# SPDX-License-Identifier: Apache-2.0
"""A client that hides nothing: every answer with its status and its body as they came.

    root.write("sys/mounts/kv", type="kv").ok(204)
    assert root.read("kv/missing").status == 404
"""
import json

import requests


class Answer:
    def __init__(self, response):
        self.response = response
        self.status = response.status_code
        self.headers = response.headers
        self.raw = response.content
        try:
            self.json = response.json() if response.content else None
        except ValueError:
            self.json = None

    def __repr__(self):
        return f"<{self.response.request.method} {self.response.request.url}: {self.status} {self.raw[:2000]!r}>"

    def ok(self, *statuses):
        """Asserts success (or one of the given codes) and returns the answer."""
        expected = statuses or (200, 202, 204)
        assert self.status in expected, f"expected {expected}: {self!r}"
        return self

    def refused(self, status, text=None):
        """Asserts a status and that one of the errors is, or contains, a text."""
        assert self.status == status, f"expected {status}: {self!r}"
        assert isinstance(self.json, dict) and isinstance(self.json.get("errors"), list), f"no errors array: {self!r}"
        if text is not None:
            assert any(text in error for error in self.errors), f"no error says {text!r}: {self!r}"
        return self

    @property
    def errors(self):
        return (self.json or {}).get("errors", [])

    @property
    def data(self):
        return (self.json or {}).get("data")

    @property
    def auth(self):
        return (self.json or {}).get("auth")

    @property
    def lease_id(self):
        return (self.json or {}).get("lease_id")

    @property
    def warnings(self):
        return (self.json or {}).get("warnings") or []


class Client:
    """Speaks for one token to one address. Not for several threads at once: see clone()."""

    def __init__(self, address, ca_file, token=None, timeout=60):
        self.address, self.ca_file, self.token, self.timeout = address, str(ca_file), token, timeout
        self.session = requests.Session()
        self.session.trust_env = False  # no proxies, no CA bundle of the environment
        self.session.verify = self.ca_file

    def clone(self, token=None):
        return Client(self.address, self.ca_file, token or self.token, self.timeout)

    def request(self, method, path, body=None, query=None, headers=None, raw=None, redirects=False, timeout=None):
        """path without /v1/, or starting with a slash as it is. body becomes JSON; raw goes out untouched."""
        send = {"Connection": "keep-alive"}
        if self.token:
            send["X-Vault-Token"] = self.token
        if body is not None:
            raw, send["Content-Type"] = json.dumps(body), "application/json"
        send.update(headers or {})
        url = self.address + (path if path.startswith("/") else "/v1/" + path)
        return Answer(self.session.request(method, url, data=raw, params=query, headers=send, allow_redirects=redirects,
                                           timeout=timeout or self.timeout))

    def read(self, path, **query):
        return self.request("GET", path, query=query)

    def write(self, path, **body):
        return self.request("POST", path, body=body)

    def delete(self, path, **query):
        return self.request("DELETE", path, query=query)

    def list(self, path, **query):
        return self.request("LIST", path, query=query)

    def patch(self, path, **body):
        return self.request("PATCH", path, body=body, headers={"Content-Type": "application/merge-patch+json"})
