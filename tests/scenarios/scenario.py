# SPDX-License-Identifier: Apache-2.0
"""Reads scenario files and plays them on a server. README.md says how they are written."""
import dataclasses
import http.client
import json
import pathlib
import re
import ssl
import time

from lib import settings

FOLDER = pathlib.Path(__file__).parent

_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]*):(?: (.*))?$")
_REQUEST = re.compile(r"([A-Z]+) (\S+)(?: (.*))? (=>|~>) (\d{3}|\?)((?: \w+=\S+)*)$", re.DOTALL)
_VARIABLE = re.compile(r"\$([a-z]\w*)")
EVENTUALLY_S = 20


class Mistake(AssertionError):
    """The file cannot be played as it is written."""


@dataclasses.dataclass
class Step:
    """One request, or one word to the player (`as`, `wait`)."""
    line: int
    word: str
    argument: str = ""
    body: str = None
    headers: dict = dataclasses.field(default_factory=dict)
    status: int = 0
    eventually: bool = False
    captures: dict = dataclasses.field(default_factory=dict)

    def __str__(self):
        return f"{self.word} {self.argument}"


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict
    raw: bytes

    def body(self):
        """What JSON says; the text where it is none; None where there is nothing."""
        if not self.raw:
            return None
        try:
            return json.loads(self.raw)
        except ValueError:
            return self.raw.decode(errors="replace")

    def at(self, path):
        value = self.body()
        for part in path.split("."):
            value = value[int(part)] if isinstance(value, list) else value[part]
        return value


# ---- Reading ----

def _logical_lines(text):
    """(number, line, headers): with what is indented below a line joined to it."""
    number, line, headers = 0, None, {}
    for at, raw in enumerate(text.splitlines(), 1):
        stripped = raw.strip()
        if not stripped or stripped.startswith("#"):
            continue
        header = _HEADER.match(stripped)
        if not raw[0].isspace():
            if line is not None:
                yield number, line, headers
            number, line, headers = at, stripped, {}
        elif header:
            headers[header[1]] = header[2] or ""
        else:
            line += " " + stripped
    if line is not None:
        yield number, line, headers


def _read_step(number, line, headers):
    word, _, argument = line.partition(" ")
    if word in ("as", "wait", "servers"):
        return Step(number, word, argument)
    found = _REQUEST.match(line)
    if not found:
        raise Mistake(f"line {number}: neither a request nor a word that the player knows: {line}")
    method, path, body, arrow, status, captures = found.groups()
    return Step(number, method, path, body, headers, 0 if status == "?" else int(status), arrow == "~>",
                dict(pair.split("=", 1) for pair in captures.split()))


class Scenario:
    def __init__(self, path):
        self.path, self.name = path, path.stem
        self.steps = [_read_step(*parts) for parts in _logical_lines(path.read_text())]
        # "servers new" as its first word: it wants two that nobody has initialised.
        self.wants_new_servers = bool(self.steps) and self.steps[0].word == "servers"
        if self.wants_new_servers:
            self.steps.pop(0)

    @property
    def requests(self):
        return sum(step.word not in ("as", "wait") for step in self.steps)


def all_scenarios():
    return [Scenario(path) for path in sorted(FOLDER.glob("*.scenario"))]


# ---- Playing ----

class Player:
    """Speaks to one server, and knows what its answers were called."""

    def __init__(self, node):
        self.node = node
        self.variables = {"folder": str(node.folder)}
        self.token = None
        if node.keys:
            self.variables.update(root=node.keys.root_token, key=node.keys.shares[0])
            self.token = node.keys.root_token
        # Paths go out as they are written, which no library for clients would do.
        self.connection = http.client.HTTPSConnection(node.host, node.port, timeout=60 * settings.PATIENCE,
                                                      context=ssl.create_default_context(cafile=node.authority.ca_file))

    def close(self):
        self.connection.close()

    def fill(self, text):
        def value(match):
            if match[1] not in self.variables:
                raise Mistake(f"nothing was called ${match[1]} yet")
            return str(self.variables[match[1]])
        return _VARIABLE.sub(value, text)

    def play(self, step):
        """Does what a step says; returns the Answer to a request."""
        if step.word == "as":
            self.token = None if step.argument == "nobody" else self.fill("$root" if step.argument == "root" else step.argument)
            return None
        if step.word == "wait":
            return None  # once for both servers
        answer = self._ask(step)
        end = time.monotonic() + EVENTUALLY_S * settings.PATIENCE
        while step.eventually and answer.status != step.status and time.monotonic() < end:
            time.sleep(0.05)
            answer = self._ask(step)
        self._capture(step, answer)
        return answer

    def _ask(self, step):
        path = self.fill(step.argument)
        headers = self._headers(step)
        body = self.fill(step.body).encode() if step.body else None
        self.connection.putrequest(step.word, path if path.startswith("/") else "/v1/" + path)
        for name, value in headers.items():
            self.connection.putheader(name, value)
        if body is not None or step.word in ("POST", "PUT", "PATCH"):
            self.connection.putheader("Content-Length", str(len(body or b"")))
        self.connection.endheaders(body)
        response = self.connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, response.read())

    def _headers(self, step):
        headers = {"X-Vault-Token": self.token} if self.token else {}
        if step.word == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        headers.update({name: self.fill(value) for name, value in step.headers.items()})
        return {name: value for name, value in headers.items() if value != "-"}

    def _capture(self, step, answer):
        for name, path in step.captures.items():
            try:
                self.variables[name] = answer.at(path)
            except (LookupError, TypeError, ValueError):
                raise Mistake(f"line {step.line}: {self.node.kind} gave nothing at {path}: "
                              f"{answer.status} {answer.raw[:500]!r}") from None
