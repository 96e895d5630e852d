"""One rule of a role: what it allows, and whether rules cover others. Pure.

>>> rule = Rule.of({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/log"], "resourceNames": ["web"]})
>>> rule.allows(Attempt("get", "", "pods", "default", "web", "log"))
True
>>> rule.allows(Attempt("get", "", "pods", "default", "web"))
False
>>> uncovered([rule], [Rule.of({"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods/log"],
...                             "resourceNames": ["web"]})])
['{APIGroups:[""], Resources:["pods/log"], ResourceNames:["web"], Verbs:["list"]}']
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from fairway.cluster.api.authorizing.attempts import Attempt
from fairway.kernel.objects.kinds import Object

ANY = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    verbs: frozenset[str]
    groups: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    """Empty for all names."""
    paths: frozenset[str] = frozenset()

    @classmethod
    def of(cls, wire: Object) -> Rule:
        fields = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
        return cls(*(frozenset(map(str, wire.get(field) or ())) for field in fields))

    def wire(self) -> Object:
        fields = {
            "verbs": self.verbs,
            "apiGroups": self.groups,
            "resources": self.resources,
            "resourceNames": self.names,
            "nonResourceURLs": self.paths,
        }
        return {key: sorted(values) for key, values in fields.items() if values}

    def allows(self, attempt: Attempt) -> bool:
        if attempt.verb not in self.verbs and ANY not in self.verbs:
            return False
        if attempt.path:
            return any(_leads_to(pattern, attempt.path) for pattern in self.paths)
        if attempt.group not in self.groups and ANY not in self.groups:
            return False
        if self.names and attempt.name not in self.names:
            return False
        return _has_resource(self.resources, attempt.whole_resource)

    def covers(self, other: Rule) -> bool:
        """Whether whoever has this rule has the other too."""
        if not _has_all(self.verbs, other.verbs):
            return False
        if other.paths:
            return all(any(_leads_to(own, path) for own in self.paths) for path in other.paths)
        if self.names and not (other.names and other.names <= self.names):
            return False
        return _has_all(self.groups, other.groups) and all(_has_resource(self.resources, r) for r in other.resources)

    def text(self) -> str:
        """As upstream writes a rule in a sentence."""
        parts = {
            "APIGroups": self.groups,
            "Resources": self.resources,
            "NonResourceURLs": self.paths,
            "ResourceNames": self.names,
            "Verbs": self.verbs,
        }
        shown = (f"{name}:[{' '.join(map(json.dumps, sorted(values)))}]" for name, values in parts.items() if values)
        return "{" + ", ".join(shown) + "}"


EVERYTHING = (
    Rule(frozenset({ANY}), frozenset({ANY}), frozenset({ANY})),
    Rule(frozenset({ANY}), paths=frozenset({ANY})),
)


def uncovered(owned: Iterable[Rule], wanted: Iterable[Rule]) -> list[str]:
    """The parts of `wanted` that no rule of `owned` covers, as sentences have them."""
    owned = list(owned)
    missing = [part for rule in wanted for part in _parts(rule) if not any(own.covers(part) for own in owned)]
    return sorted({rule.text() for rule in _compact(missing)})


def _parts(rule: Rule) -> Iterator[Rule]:
    """The rule as many that each name one thing."""
    for group, resource, name, verb in product(rule.groups, rule.resources, rule.names or {""}, rule.verbs):
        names = frozenset({name}) if name else frozenset[str]()
        yield Rule(frozenset({verb}), frozenset({group}), frozenset({resource}), names)
    for path, verb in product(rule.paths, rule.verbs):
        yield Rule(frozenset({verb}), paths=frozenset({path}))


def _compact(rules: Iterable[Rule]) -> Iterable[Rule]:
    """Rules that differ in their verbs only, as one."""
    together: dict[Rule, frozenset[str]] = {}
    for rule in rules:
        rest = Rule(frozenset(), rule.groups, rule.resources, rule.names, rule.paths)
        together[rest] = together.get(rest, frozenset()) | rule.verbs
    return [Rule(verbs, rest.groups, rest.resources, rest.names, rest.paths) for rest, verbs in together.items()]


def _has_all(own: frozenset[str], wanted: frozenset[str]) -> bool:
    return ANY in own or wanted <= own


def _has_resource(own: frozenset[str], resource: str) -> bool:
    if ANY in own or resource in own:
        return True
    _, slash, subresource = resource.partition("/")
    return bool(slash) and f"{ANY}/{subresource}" in own


def _leads_to(pattern: str, path: str) -> bool:
    return pattern in (ANY, path) or (pattern.endswith(ANY) and path.startswith(pattern[:-1]))
