# SPDX-License-Identifier: Apache-2.0
"""What a token's policies allow on a path, as plainly as it can be said: the model that servers are compared with.

A policy is a list of rules (path, capabilities). Of all rules that fit a path only the best one counts:

1. the one that is the path; as sys/capabilities looks like a LIST, then the one that is the path without its last '/'
2. else the best of those with a '*' at the end and of those with '+' for whole segments
3. else, for a path with a '/' at its end, what 2. says without it

A denial in 3. counts also where 2. found a lesser rule (N-041 in tests/server/cves.md). OpenBao 2.7.2 lets such a path be
listed: the one difference there is, and the model says what each of the two does.
"""
import itertools

ALL = ("create", "delete", "list", "patch", "read", "sudo", "update")
OLD_WORDS = {
    "deny": {"deny"},
    "read": {"read", "list"},
    "write": {"create", "read", "update", "delete", "list"},
    "sudo": {"create", "read", "update", "delete", "list", "sudo"},
}


class Pattern:
    """The path of a rule."""

    def __init__(self, path):
        path = path[1:] if path.startswith("/") else path
        self.has_star = path.endswith("*")
        self.text = path[:-1] if self.has_star else path
        self.segments = self.text.split("/")
        # One that only begins a segment makes the pattern one of segments, and stands for itself there.
        self.has_plus = self.text.startswith("+/") or "/+" in self.text or self.text == "+"
        self.is_exact = not self.has_star and not self.has_plus

    def fits(self, path):
        if self.is_exact:
            return path == self.text
        if not self.has_plus:
            return path.startswith(self.text)
        asked = path.split("/")
        if self.has_star:
            *whole, last = self.segments
            return len(asked) > len(whole) and asked[len(whole)].startswith(last) and same(whole, asked[:len(whole)])
        return len(asked) == len(self.segments) and same(self.segments, asked)

    def priority(self):
        """Of two that fit the greater one counts."""
        first = self.text.index("+") if self.has_plus else len(self.text)
        plusses = sum(segment == "+" for segment in self.segments)
        return first, not self.has_star, -plusses, len(self.text), self.text


def same(wanted, asked):
    return all(want in ("+", segment) for want, segment in zip(wanted, asked, strict=True))


def merge(policies):
    """{(text, has_star): (Pattern, capabilities)}: rules of one path add up, whichever policies they are in."""
    merged = {}
    for path, capabilities in itertools.chain.from_iterable(policies):
        pattern = Pattern(path)
        _, so_far = merged.get((pattern.text, pattern.has_star), (None, set()))
        merged[pattern.text, pattern.has_star] = (pattern, so_far | set(capabilities))
    return list(merged.values())


def best(rules, path):
    fitting = [rule for rule in rules if not rule[0].is_exact and rule[0].fits(path)]
    return max(fitting, key=lambda rule: rule[0].priority(), default=None)


def deciding(rules, path, denies_bare):
    bare = path[:-1] if path.endswith("/") else None
    for text in (path, bare):
        exact = [rule for rule in rules if rule[0].is_exact and rule[0].text == text]
        if exact:
            return exact[0]
    found = best(rules, path)
    if bare is None:
        return found
    other = best(rules, bare)
    if found is None or other is None:
        return found or other
    is_denied = denies_bare and "deny" in other[1] and other[0].priority() > found[0].priority()
    return other if is_denied else found


def capabilities(policies, path, server="coffer"):
    """Sorted, as sys/capabilities answers."""
    rule = deciding(merge(policies), path, denies_bare=server == "coffer")
    if rule is None or not rule[1] or "deny" in rule[1]:
        return ["deny"]
    return sorted(rule[1])


def as_hcl(policy):
    """The text of a policy; an old word is written as one."""
    lines = []
    for path, given in policy:
        said = f'policy = "{given.word}"' if isinstance(given, OldWord) else \
            "capabilities = [" + ", ".join(f'"{name}"' for name in sorted(given)) + "]"
        lines.append(f'path "{path}" {{ {said} }}')
    return "\n".join(lines) + "\n"


class OldWord(frozenset):
    """Capabilities that are given by one of the words of the oldest policies."""

    def __new__(cls, word):
        made = super().__new__(cls, OLD_WORDS[word])
        made.word = word
        return made
