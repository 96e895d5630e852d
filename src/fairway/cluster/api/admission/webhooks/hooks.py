"""Webhooks as they stand in configurations, compiled when a configuration has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fairway.cluster.api import request_expressions
from fairway.cluster.api.cel.program import Program
from fairway.cluster.store.protocol import Store
from fairway.kernel.objects import selectors
from fairway.kernel.objects.kinds import Kind, Object


@dataclass(frozen=True, slots=True)
class Rule:
    operations: frozenset[str]
    groups: frozenset[str]
    versions: frozenset[str]
    resources: tuple[tuple[str, str], ...]
    """(resource, subresource), either of which may be a star; the subresource is empty for the object itself."""
    scope: str
    names: frozenset[str] = frozenset()
    """Of the objects; empty for all."""


@dataclass(frozen=True, slots=True)
class Hook:
    """One webhook of one configuration. `place` tells it from all others."""

    place: tuple[str, int]
    name: str
    config: Object
    rules: tuple[Rule, ...]
    namespaces: selectors.Test | None
    """Which namespaces' labels it wants; None for all."""
    objects: selectors.Test | None
    exact: bool
    ignorable: bool
    seconds: int
    side_effects: bool
    again: bool
    """It may be asked a second time where others changed the object after it."""
    conditions: Mapping[str, Program]
    """What must hold of the request, in CEL, by the conditions' names."""


class Book:
    """The webhooks of all configurations of one kind: by the configurations' names, then as they stand in them."""

    def __init__(self, store: Store, kind: Kind) -> None:
        self._store, self._resource = store, kind.resource
        self._changed = -1
        self._hooks: tuple[Hook, ...] = ()

    def hooks(self) -> tuple[Hook, ...]:
        changed = self._store.changed(self._resource)
        if changed != self._changed:
            records = self._store.list(self._resource).records
            self._hooks = tuple(hook for record in records for hook in _hooks(record.object))
            self._changed = changed
        return self._hooks


def _hooks(configuration: Object) -> tuple[Hook, ...]:
    name = configuration["metadata"]["name"]
    return tuple(_hook((name, index), webhook) for index, webhook in enumerate(configuration.get("webhooks") or ()))


def _hook(place: tuple[str, int], webhook: Object) -> Hook:
    return Hook(
        place,
        webhook["name"],
        webhook["clientConfig"],
        tuple(compiled_rule(rule) for rule in webhook.get("rules") or ()),
        selector_test(webhook.get("namespaceSelector")),
        selector_test(webhook.get("objectSelector")),
        exact=webhook.get("matchPolicy") == "Exact",
        ignorable=webhook.get("failurePolicy") == "Ignore",
        seconds=int(webhook.get("timeoutSeconds") or 10),
        side_effects=webhook.get("sideEffects") not in ("None", "NoneOnDryRun"),
        again=webhook.get("reinvocationPolicy") == "IfNeeded",
        conditions={one["name"]: _program(one["expression"]) for one in webhook.get("matchConditions") or ()},
    )


def compiled_rule(rule: Object) -> Rule:
    resources = [word.partition("/")[::2] for word in rule.get("resources") or ()]
    return Rule(
        frozenset(rule.get("operations") or ()),
        frozenset(rule.get("apiGroups") or ()),
        frozenset(rule.get("apiVersions") or ()),
        tuple((resource, subresource) for resource, subresource in resources),
        str(rule.get("scope") or "*"),
        frozenset(rule.get("resourceNames") or ()),
    )


def _program(expression: str) -> Program:
    return request_expressions.compiled(expression.strip(), request_expressions.CONDITION_VARIABLES, "bool")


def selector_test(selector: Object | None) -> selectors.Test | None:
    """None where everything fits."""
    empty = not selector or not (selector.get("matchLabels") or selector.get("matchExpressions"))
    return None if empty else selectors.of(selector)
