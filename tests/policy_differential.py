#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random policies and random paths: Coffer and the real OpenBao must say what the model (lib/policy_model.py) says.

    build/venv/bin/python tests/policy_differential.py                      50,000 pairs of a policy set and a path
    build/venv/bin/python tests/policy_differential.py --seed 7 --only 31   one set again

A pair that differs is made as small as it stays different, printed, and repeated by --seed and --only.
"""
import argparse
import dataclasses
import pathlib
import random
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lib import policy_model  # noqa: E402
from lib.certs import Authority  # noqa: E402
from lib.node import Bao, Coffer  # noqa: E402
from lib.policy_model import ALL, OldWord  # noqa: E402

PATHS_OF_A_SET = 200
POLICIES_MAX = 3
NAME = "differential-{}"

# Few and alike, so that rules meet. What is no wildcard at its place must be taken as it is.
SEGMENTS = ("a", "b", "ab", "a", "b", "A", "a b", "a.b", "ä", "a-b", "0")
WILD = (*SEGMENTS, "+", "+", "+", "a+", "+a", "a*b", "*b", "++", "")


# ---- Making them up ----

def some_rule_path(dice):
    path = "/".join(dice.choice(WILD) for _ in range(dice.randint(1, 4)))
    path = dice.choice(["", "", "", "/"]) + path + dice.choice(["", "", "", "/", "*", "/*", "/*", "/a*"])
    return path.replace("+*", "+/*")  # the one that is refused


def some_capabilities(dice):
    kind = dice.random()
    if kind < 0.08:
        return OldWord(dice.choice(list(policy_model.OLD_WORDS)))
    if kind < 0.12:
        return frozenset()
    return frozenset(dice.sample(ALL, dice.randint(1, 4))) | ({"deny"} if dice.random() < 0.15 else frozenset())


def some_policies(dice):
    rules = [(some_rule_path(dice), some_capabilities(dice)) for _ in range(dice.randint(1, 12))]
    policies = [[] for _ in range(dice.randint(1, POLICIES_MAX))]
    for path, given in rules:
        dice.choice(policies).append((path, given))
        if dice.random() < 0.15:  # the same path once more, in whichever policy
            dice.choice(policies).append((path, some_capabilities(dice)))
    return policies


def some_path(dice, policies):
    """Mostly one that a rule may fit: its wildcards replaced, and a little changed."""
    rules = [path for policy in policies for path, _ in policy]
    path = dice.choice(rules) if rules and dice.random() < 0.8 else some_rule_path(dice)
    path = path.lstrip("/")
    if path.endswith("*"):
        path = path[:-1] + dice.choice(["", "a", "/", "a/b", "b/"])
    parts = [dice.choice(SEGMENTS) if part == "+" and dice.random() < 0.9 else part for part in path.split("/")]
    change = dice.random()
    if change < 0.1:
        parts.append(dice.choice(SEGMENTS))
    elif change < 0.2 and len(parts) > 1:
        parts.pop(dice.randrange(len(parts)))
    elif change < 0.3:
        parts[dice.randrange(len(parts))] = dice.choice(SEGMENTS)
    path = "/".join(part for part in parts if part)
    return (path or "a") + dice.choice(["", "", "/"])


def make_set(seed, number):
    dice = random.Random(f"{seed}/{number}")
    policies = some_policies(dice)
    return policies, sorted({some_path(dice, policies) for _ in range(PATHS_OF_A_SET * 2)})[:PATHS_OF_A_SET]


# ---- Asking ----

class Asked:
    """A server with a token for each number of policies."""

    def __init__(self, node):
        self.root, self.written = node.root, [None] * POLICIES_MAX
        self.tokens = [self._token(count) for count in range(1, POLICIES_MAX + 1)]

    def _token(self, count):
        names = [NAME.format(number) for number in range(count)]
        return self.root.write("auth/token/create", policies=names, no_default_policy=True).ok(200).auth["client_token"]

    def capabilities(self, policies, paths):
        for number, policy in enumerate(policies):
            text = policy_model.as_hcl(policy)
            if self.written[number] != text:
                self.root.write("sys/policies/acl/" + NAME.format(number), policy=text).ok(204)
                self.written[number] = text
        told = self.root.write("sys/capabilities", token=self.tokens[len(policies) - 1], paths=paths).ok(200).data
        return [told[path] for path in paths]


class Contest:
    def __init__(self, nodes):
        self.servers = {node.kind: Asked(node) for node in nodes}

    def answers(self, policies, paths):
        """[{who: capabilities}] of each path."""
        said = {who: server.capabilities(policies, paths) for who, server in self.servers.items()}
        for who in self.servers:
            said[f"{who} in the model"] = [policy_model.capabilities(policies, path, who) for path in paths]
        return [{who: told[at] for who, told in said.items()} for at in range(len(paths))]

    def differ(self, policies, path):
        return is_different(self.answers(policies, [path])[0])

    def smallest(self, policies, path):
        """Leaves out rules, then capabilities, as long as the answers differ."""
        again = True
        while again:
            again = False
            for smaller in smaller_than(policies):
                if self.differ(smaller, path):
                    policies, again = smaller, True
                    break
        return policies


def is_different(said):
    return any(told != said[f"{who} in the model"] for who, told in said.items() if f"{who} in the model" in said)


def is_known(said):
    """The one difference of the two that the model knows."""
    return said["coffer"] != said["bao"]


def smaller_than(policies):
    for at, policy in enumerate(policies):
        for rule, (path, given) in enumerate(policy):
            yield replaced(policies, at, policy[:rule] + policy[rule + 1:])
            for one in sorted(given) if len(given) > 1 else []:
                yield replaced(policies, at, policy[:rule] + [(path, frozenset(given) - {one})] + policy[rule + 1:])


def replaced(policies, at, policy):
    return [policy if number == at else other for number, other in enumerate(policies)]


# ---- Telling ----

def report(contest, policies, path, repeat):
    small = contest.smallest(policies, path)
    said = contest.answers(small, [path])[0]
    texts = [f"  # policy {number}\n  " + policy_model.as_hcl(policy).strip().replace("\n", "\n  ")
             for number, policy in enumerate(small) if policy]
    return "\n".join([f"the path {path!r} with", *texts, "  is"] +
                     [f"    {who:20} {' '.join(told)}" for who, told in said.items()] + [f"  again: {repeat}"])


@dataclasses.dataclass
class Played:
    pairs: int = 0
    allowed: int = 0  # pairs that allow something
    known: int = 0    # where the two servers differ as the model says
    reports: list = dataclasses.field(default_factory=list)

    def __str__(self):
        return (f"{self.pairs} pairs, of which {self.allowed} allow something and {self.known} show the known difference; "
                f"others: {len(self.reports) or 'none'}")


def play(contest, seed, numbers, reports_max=10):
    played = Played()
    for number in numbers:
        policies, paths = make_set(seed, number)
        for path, said in zip(paths, contest.answers(policies, paths), strict=True):
            played.pairs += 1
            played.allowed += said["coffer"] != ["deny"]
            played.known += is_known(said) and not is_different(said)
            if is_different(said):
                repeat = f"tests/policy_differential.py --seed {seed} --only {number}"
                played.reports.append(report(contest, policies, path, repeat))
            if len(played.reports) >= reports_max:
                return played
    return played


def play_all(contest, options):
    """Set after set, until there were enough pairs: some sets have less than PATHS_OF_A_SET."""
    if options.only is not None:
        return play(contest, options.seed, [options.only])
    total, number = Played(), 0
    while total.pairs < options.pairs and len(total.reports) < 10:
        played = play(contest, options.seed, [number])
        total = Played(total.pairs + played.pairs, total.allowed + played.allowed, total.known + played.known,
                       total.reports + played.reports)
        number += 1
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", type=int, help="the number of one set")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="coffer-policies-") as folder:
        folder, nodes = pathlib.Path(folder), []
        try:
            authority = Authority(folder)
            for kind in (Coffer, Bao):
                nodes.append(kind(folder / kind.kind, authority))
                nodes[-1].ready()
            played = play_all(Contest(nodes), options)
        finally:
            for node in nodes:
                node.stop()
    print("\n\n".join([*played.reports, str(played)]))
    return 1 if played.reports else 0


if __name__ == "__main__":
    sys.exit(main())
