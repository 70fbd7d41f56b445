# SPDX-License-Identifier: Apache-2.0
"""Plays the command lines of cli_lines.py, and says where two programs printed something else."""
import dataclasses
import json
import os
import re
import shlex
import subprocess
import time

import yaml

from compare import MASKS, MOMENTS, are_equal, flatten
from lib import settings

FORMATS = ("table", "json", "yaml")
_GROUPS = {"plugin", "kv", "token", "policy", "secrets", "auth", "lease", "operator", "audit", "metadata", "raft", "autopilot", "snapshot"}
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_UNTIL_S = 20


@dataclasses.dataclass
class Line:
    words: list
    form: str = None       # "table", "json", "yaml" of a line that is played in each
    stdin: str = ""
    keeps: dict = dataclasses.field(default_factory=dict)
    until: str = None      # asked again until it prints this

    def __str__(self):
        return " ".join(self.words)


def _with_format(words, form):
    if form in (None, "table"):
        return words
    at = next((at for at, word in enumerate(words) if word not in _GROUPS), 0)
    return words[:at + 1] + [f"-format={form}"] + words[at + 1:]


def lines_of(scene):
    for text in filter(None, map(str.strip, scene.splitlines())):
        text, _, keeps = text.partition(" => ")
        text, _, stdin = text.partition(" < ")
        keeps = dict((word[1:].partition("=")[::2]) for word in keeps.split())
        until = None
        if text.startswith("until "):
            until, text = text[6:].rsplit(" ", 1)
        forms = FORMATS if text.startswith("* ") else (None,)
        for form in forms:
            yield Line(_with_format(shlex.split(text.removeprefix("* "), posix=False), form), form, stdin, keeps, until)


# ---- Playing ----

class Stuck(AssertionError):
    """What the rest of the scene needs was not printed."""


class World:
    """One program, one server, one home, and what it was told to keep."""

    def __init__(self, program, node, home):
        self.program, self.node, self.home = program, node, home
        self.variables = {"root": node.keys.root_token} if node.keys else {}
        home.mkdir()

    def _fill(self, text):
        return re.sub(r"\$(\w+)", lambda found: self.variables.get(found[1], found[0]), text)

    def _run(self, line):
        env = {"PATH": os.environ["PATH"], "HOME": str(self.home), "VAULT_ADDR": self.node.address,
               "VAULT_CACERT": str(self.node.authority.ca_file)}
        return subprocess.run([self.program, *map(self._fill, line.words)], input=self._fill(line.stdin), env=env, text=True,
                              capture_output=True, cwd=self.home, timeout=60 * settings.PATIENCE, check=False)

    def play(self, line):
        end = time.monotonic() + _UNTIL_S * settings.PATIENCE
        done = self._run(line)
        while line.until and not re.search(line.until, done.stdout) and time.monotonic() < end:
            time.sleep(0.1)
            done = self._run(line)
        for name, path in line.keeps.items():
            self.variables[name] = _pick(done, path)
        return done


def _pick(done, path):
    if not path:
        return done.stdout.strip()
    try:
        value = json.loads(done.stdout)
        for part in path.split("."):
            value = value[int(part)] if isinstance(value, list) else value[part]
    except (ValueError, LookupError, TypeError):
        raise Stuck(f"{path} was to be kept of what {done.args[1:]} printed:\n{done.stdout}{done.stderr}") from None
    return value


# ---- Comparing ----

_PROGRAM = [(re.compile(r"\bbao\b"), "coffer"), (re.compile(r"\bOpenBao\b"), "Coffer")]
_MORE_MASKS = [(re.compile(r"\b20\d\d-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?( \+0000 UTC)?"), "<time>"),
               (re.compile(r"\b\d\d [A-Z][a-z]{2} \d\d \d\d:\d\d UTC"), "<time>"),
               # How often it has to ask is chance.
               (re.compile(r"(?m)^Waiting for terminal status.*\n"), "")]
_MASKS = [(re.compile(pattern), f"<{name}>") for name, pattern in MASKS] + _MORE_MASKS


def _mask(text, variables):
    for pattern, word in _PROGRAM:
        text = pattern.sub(word, text)
    for name, value in variables.items():
        if isinstance(value, str) and len(value) >= 8:
            text = text.replace(value, f"<{name}>")
    for pattern, word in _MASKS:
        text = pattern.sub(word, text)
    return text


def _rows(text):
    """[(header or None, cells)]: a header is what has dashes under it, and holds until a line that is no row of its table."""
    lines, header, rows = text.rstrip("\n").split("\n"), None, []
    for number, line in enumerate(lines):
        cells = re.split(r"  +", line.rstrip())
        below = lines[number + 1] if number + 1 < len(lines) else ""
        if re.fullmatch(r"-+( +-+)*", below):
            header = cells
        elif not re.fullmatch(r"-+( +-+)*", line.rstrip() or "x"):
            header = header if header and len(cells) == len(header) else None
            rows.append((header, cells))
    return rows


def _table(text, variables):
    """{"row.column": cell}. A row is known by its first cell; what stands in no table is "words". How wide columns are says
    nothing once values are masked."""
    flat, words = {}, 0
    for header, cells in _rows(_mask(text, variables)):
        name = cells[0]
        if header is None and len(cells) != 2:
            flat[f"words.{words}"], words = "  ".join(cells), words + 1
        elif header is None or header == ["Key", "Value"]:
            flat[name] = cells[1]
        else:
            flat.update({f"{name}.{column}": cell for column, cell in zip(header, cells)})
    return {place: _without_moment(place, cell) for place, cell in flat.items()}


def _without_moment(place, cell):
    is_now = place.rpartition(".")[2] in MOMENTS and cell.isdigit() and abs(int(cell) - time.time()) < 3600
    return "<moment>" if is_now else cell


def _parsed(form, text):
    """The value that was printed, or None where it is none of JSON or YAML."""
    try:
        return json.loads(text) if form == "json" else yaml.safe_load(text) if form == "yaml" else None
    except (ValueError, yaml.YAMLError):
        return None


def _form_of(line):
    return line.form or next((word.partition("=")[2] for word in line.words if word.startswith("-format=")), "table")


def _printed(line, text, variables):
    value = _parsed(_form_of(line), text)
    if isinstance(value, (dict, list)) and value:
        flat = flatten(value, variables)
        return {place: _mask(leaf, variables) if isinstance(leaf, str) else leaf for place, leaf in flat.items()}
    return _table(text, variables)


def _seconds(cell):
    found = _DURATION.fullmatch(cell) if isinstance(cell, str) and cell else None
    return found and sum(int(part or 0) * unit for part, unit in zip(found.groups(), (3600, 60, 1)))


def _are_alike(place, one, other):
    if are_equal(place, one, other):
        return True
    seconds = _seconds(one), _seconds(other)
    return None not in seconds and abs(seconds[0] - seconds[1]) <= 5 * settings.PATIENCE


_SERVERS_WORDS = re.compile(r"Error making API request|WARNING! The following warnings", re.S)


def _complaint(done, variables, own_words):
    """What was said on standard error: all of it, or, where each program has words of its own, what the server said."""
    text = _mask(done.stderr.strip(), variables)
    found = _SERVERS_WORDS.search(text)
    if not own_words:
        return text
    return text[found.start():] if found else "(words of its own)" if done.returncode else ""


def differences(line, ours, theirs, our_variables, their_variables, own_words):
    """[(place, ours, theirs)] of two CompletedProcesses. own_words: the programs are not the same."""
    found = []
    if ours.returncode != theirs.returncode:
        found.append(("exit code", f"{ours.returncode} {ours.stderr}", f"{theirs.returncode} {theirs.stderr}"))
    one, other = _complaint(ours, our_variables, own_words), _complaint(theirs, their_variables, own_words)
    if one != other:
        found.append(("stderr", one, other))
    one, other = _printed(line, ours.stdout, our_variables), _printed(line, theirs.stdout, their_variables)
    for place in list(one) + [place for place in other if place not in one]:
        if not _are_alike(place, one.get(place, "(nothing)"), other.get(place, "(nothing)")):
            found.append((place, one.get(place, "(nothing)"), other.get(place, "(nothing)")))
    return found
