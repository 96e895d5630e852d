"""Which webhooks a request concerns, and as which version of its resource they want to see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from fairway.cluster.api.admission.request import Request
from fairway.cluster.api.admission.webhooks.hooks import Rule
from fairway.cluster.api.registry import Registry, Served
from fairway.cluster.store.protocol import Key, Store
from fairway.kernel.objects import selectors
from fairway.kernel.objects.kinds import NAMESPACE, Object

EXEMPT = "admissionregistration.k8s.io"
"""What decides about admission is subject to none, or nobody could mend it."""


class Wanted(Protocol):
    """What a webhook or a policy wants to see."""

    @property
    def rules(self) -> tuple[Rule, ...]: ...
    @property
    def namespaces(self) -> selectors.Test | None: ...
    @property
    def objects(self) -> selectors.Test | None: ...
    @property
    def exact(self) -> bool: ...


class Matcher:
    def __init__(self, store: Store, registry: Registry) -> None:
        self._store, self._registry = store, registry

    def seen_as(self, hook: Wanted, request: Request) -> Served | None:
        """As what the webhook is shown the request's object; None where the request does not concern it."""
        return self.by_rules(hook.rules, request, exact=hook.exact) if self.selected(hook, request) else None

    def selected(self, hook: Wanted, request: Request) -> bool:
        """Whether the labels of the namespace and of the object are those that are wanted."""
        return self._namespace_fits(hook, request) and _object_fits(hook, request)

    def by_rules(self, rules: tuple[Rule, ...], request: Request, *, exact: bool) -> Served | None:
        """The resource by which one of the rules fits: the request's own, or another of the same objects."""
        asked = request.call.served
        if any(_rule_fits(rule, asked, request) for rule in rules):
            return asked
        if exact:
            return None
        others = [one for one in self._registry if one.storage == asked.storage and one is not asked]
        # The first rule that fits decides, as upstream has it.
        return next((one for rule in rules for one in others if _rule_fits(rule, one, request)), None)

    def _namespace_fits(self, hook: Wanted, request: Request) -> bool:
        if hook.namespaces is None or not request.namespace:
            return True
        if request.resource == NAMESPACE.resource and request.operation != "DELETE" and not request.subresource:
            return hook.namespaces(_labels(request.object))
        record = self._store.get(Key(NAMESPACE.resource, "", request.namespace))
        return hook.namespaces(_labels(record.object) if record else {})


def _object_fits(hook: Wanted, request: Request) -> bool:
    if hook.objects is None:
        return True
    if request.operation == "CONNECT":
        return False
    new = request.object if request.operation != "DELETE" else None
    return any(hook.objects(_labels(obj)) for obj in (new, request.old) if obj)


def _labels(obj: Object) -> Mapping[str, str]:
    return obj["metadata"].get("labels") or {}


def _rule_fits(rule: Rule, served: Served, request: Request) -> bool:
    kind = served.resource.kind
    return (
        _in(request.operation, rule.operations)
        and _in(kind.group, rule.groups)
        and _in(kind.version, rule.versions)
        and any(_resource_fits(pair, kind.plural, request.subresource) for pair in rule.resources)
        and (not rule.names or request.call.name in rule.names)
        and (rule.scope == "*" or (rule.scope == "Namespaced") is kind.namespaced)
    )


def _resource_fits(pair: tuple[str, str], resource: str, subresource: str) -> bool:
    return pair[0] in ("*", resource) and (pair[1] == subresource or (pair[1] == "*"))


def _in(word: str, allowed: Iterable[str]) -> bool:
    return "*" in allowed or word in allowed
