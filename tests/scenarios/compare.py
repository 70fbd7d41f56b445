# SPDX-License-Identifier: Apache-2.0
"""Where two servers' answers differ: after masking what cannot be equal, and less what is wanted (differences.yaml)."""
import dataclasses
import fnmatch
import json
import re
import time

import yaml

from lib import settings
from scenario import FOLDER

# What is masked: texts that are random, or tell the time or the place. Each must still look like what it is.
MASKS = [
    ("uuid", r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"),
    ("time", r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"),
    ("token", r"\b(b|hvb)\.[A-Za-z0-9_-]{40,}"),  # of batches
    ("token", r"\b(s|hvs)\.[A-Za-z0-9]{24}\b"),  # as OpenBao's, and as Vault's
    ("key", r"^[0-9a-f]{64}$|^[A-Za-z0-9+/]{43}=$|^[0-9a-f]{66}$|^[A-Za-z0-9+/]{44}$"),
    ("accessor", r"(?<![A-Za-z0-9])(?=[a-z0-9]*[A-Z])[A-Za-z0-9]{24}(?![A-Za-z0-9])"),
    ("mac", r"\bhmac-sha256:[0-9a-f]{64}\b"),
    ("hash", r"\bh[0-9a-f]{64}\b"),
    ("mount", r"(?<=_)[0-9a-f]{8}\b"),
    ("cluster", r"(?<=vault-cluster-)[0-9a-f]{8}\b"),
    ("time left", r'(?<=effective max_ttl of ")[0-9hms]+(?=")'),
    ("address", r"127\.0\.0\.1:\d+"),
]
_MASKS = [(f"<{name}>", re.compile(pattern)) for name, pattern in MASKS]

# Numbers of seconds that run down between the two requests, by the last word of their place.
TICKING = {"ttl", "lease_duration", "creation_ttl", "explicit_max_ttl"}
# Numbers that are a moment: in seconds since 1970.
MOMENTS = {"creation_time", "server_time_utc", "last_renewal_time"}

# Places in each server's own log.
INDEXES = {"raft_committed_index", "raft_applied_index"}

# The headers that clients look at. Others (date, length) are the HTTP library's own.
HEADERS = ["content-type", "cache-control", "strict-transport-security", "location", "x-vault-namespace", "allow", "retry-after",
           "www-authenticate", "vary", "access-control-allow-origin", "access-control-allow-methods",
           "access-control-allow-headers", "access-control-allow-credentials", "access-control-max-age"]


@dataclasses.dataclass
class Difference:
    place: str
    coffer: str
    bao: str

    def __str__(self):
        return f"    {self.place}\n      coffer: {self.coffer}\n      bao:    {self.bao}"


# ---- Masking ----

def _mask_text(text, variables):
    for name, value in variables.items():
        if isinstance(value, str) and len(value) >= 8:
            text = text.replace(value, f"<{name}>")
    for name, pattern in _MASKS:
        text = pattern.sub(name, text)
    return text


def _mask_leaf(place, value, variables):
    if isinstance(value, str):
        return _mask_text(value, variables)
    word = place.rpartition(".")[2]
    if word in MOMENTS and isinstance(value, int) and abs(value - time.time()) < 3600:
        return "<moment>"
    return "<index>" if word in INDEXES and isinstance(value, int) else value


def _parsed(value):
    """JSON in a text is compared as JSON: in whatever order its members stand."""
    try:
        return json.loads(value) if isinstance(value, str) and value.startswith("{") else value
    except ValueError:
        return value


def _are_random(texts):
    """Whether a list stands in the order of what was masked: then any order is as good."""
    return all(isinstance(text, str) for text in texts) and any("<" in text for text in texts)


def flatten(value, variables, place=""):
    """{place: masked value}; what is empty is a value of its own."""
    value = _parsed(value)
    if isinstance(value, dict) and value:
        parts = [(_mask_text(key, variables), item) for key, item in value.items()]
    elif isinstance(value, list) and value:
        masked = [_mask_text(item, variables) if isinstance(item, str) else item for item in value]
        parts = [(str(at), item) for at, item in enumerate(sorted(masked) if _are_random(masked) else masked)]
    else:
        return {place: _mask_leaf(place, value, variables)}
    flat = {}
    for key, item in parts:
        flat.update(flatten(item, variables, f"{place}.{key}" if place else key))
    return flat


def _everything(answer, variables):
    body = answer.body()
    flat = {"status": answer.status, "is JSON": isinstance(body, (dict, list)),
            "ends in a newline": answer.raw.endswith(b"\n")}
    flat.update({f"header {name}": _mask_text(answer.headers[name], variables)
                 for name in HEADERS if name in answer.headers})
    if body is not None:
        flat.update(flatten(body, variables) if isinstance(body, (dict, list)) else {"text": _mask_text(body, variables)})
    return flat


# ---- Comparing ----

_NOTHING = object()


def are_equal(place, ours, theirs):
    word = place.rpartition(".")[2]
    if word in TICKING and type(ours) is type(theirs) is int:
        return abs(ours - theirs) <= 5 * settings.PATIENCE
    return type(ours) is type(theirs) and ours == theirs


def _show(value):
    return "(nothing)" if value is _NOTHING else json.dumps(value, ensure_ascii=False)


def compare(coffer, bao, coffer_variables, bao_variables):
    """The Differences between two Answers."""
    ours, theirs = _everything(coffer, coffer_variables), _everything(bao, bao_variables)
    places = list(ours) + [place for place in theirs if place not in ours]
    return [Difference(place, _show(ours.get(place, _NOTHING)), _show(theirs.get(place, _NOTHING)))
            for place in places if not are_equal(place, ours.get(place, _NOTHING), theirs.get(place, _NOTHING))]


# ---- What is wanted ----

def _as_list(value):
    return value if isinstance(value, list) else [value]


def _matches(text, patterns):
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


class Wanted:
    """One entry of differences.yaml."""

    def __init__(self, entry):
        assert set(entry) <= {"why", "request", "at", "in", "coffer", "bao"} and entry.get("why"), entry
        self.why = entry["why"]
        self.requests, self.places = _as_list(entry.get("request", "*")), _as_list(entry["at"])
        self.scenarios = entry.get("in")
        self.coffer, self.bao = entry.get("coffer", "*"), entry.get("bao", "*")
        self.used_by = set()

    def covers(self, scenario, step, difference):
        fits = (self.scenarios is None or scenario.name in self.scenarios) \
            and _matches(str(step), self.requests) and _matches(difference.place, self.places) \
            and fnmatch.fnmatchcase(difference.coffer, self.coffer) and fnmatch.fnmatchcase(difference.bao, self.bao)
        if fits:
            self.used_by.add(scenario.name)
        return fits


class WantedList:
    def __init__(self, path=FOLDER / "differences.yaml"):
        self.entries = [Wanted(entry) for entry in yaml.safe_load(path.read_text()) or []]

    def unwanted(self, scenario, step, differences):
        return [difference for difference in differences
                if not any([entry.covers(scenario, step, difference) for entry in self.entries])]

    def unused_in(self, scenario):
        """Entries that say they are about this scenario, though nothing differs so any more."""
        return [entry for entry in self.entries
                if entry.scenarios and scenario.name in entry.scenarios and scenario.name not in entry.used_by]
