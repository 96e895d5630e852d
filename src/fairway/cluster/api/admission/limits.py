"""LimitRange: containers that do not say what they need get the namespace's defaults; what is out of bounds is refused.

Pods and claims, when they are created: neither can be given more later. Comes before quotas, which count what was
completed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fairway.cluster.api.admission.chain import Step
from fairway.cluster.api.admission.request import Request
from fairway.cluster.quotas import usage
from fairway.cluster.store.protocol import Store
from fairway.kernel.objects import errors, pod_totals, quantities
from fairway.kernel.objects.kinds import LIMIT_RANGE, PERSISTENT_VOLUME_CLAIM, POD, Object

ANNOTATION = "kubernetes.io/limit-ranger"
"""Says what was set here, as upstream's does."""

Amounts = Mapping[str, Any]
"""Names to quantities, as texts."""


class Limits(Step):
    resources = (POD.resource, PERSISTENT_VOLUME_CLAIM.resource)

    def __init__(self, store: Store) -> None:
        self._store = store

    def wants(self, request: Request) -> bool:
        return request.operation == "CREATE" and not request.subresource and bool(self._ranges(request))

    async def mutate(self, request: Request) -> None:
        if request.resource != POD.resource:
            return
        for limits in self._ranges(request):
            _complete(request.object, limits)
        request.call.served.strategy.default(request.object)  # its quality of service may be another one now

    async def validate(self, request: Request) -> None:
        for limits in self._ranges(request):
            judge = _pod if request.resource == POD.resource else _claim
            wrong = [text for limit in limits for text in judge(request.object, limit)]
            if wrong:
                why = wrong[0] if len(wrong) == 1 else f"[{', '.join(wrong)}]"
                raise errors.forbidden(request.resource, request.call.name, why)

    def _ranges(self, request: Request) -> list[list[Object]]:
        """The limits of each LimitRange of the namespace."""
        records = self._store.list(LIMIT_RANGE.resource, request.call.namespace).records
        return [(record.object.get("spec") or {}).get("limits") or [] for record in records]


def _complete(pod: Object, limits: Iterable[Object]) -> None:
    defaults = [limit for limit in limits if limit.get("type") == "Container"]
    said: list[str] = []
    for part, words in (("containers", "container"), ("initContainers", "init container")):
        for container in pod["spec"].get(part) or ():
            said += _filled(container, defaults, words)
    if said:
        metadata = pod["metadata"]
        text = f"LimitRanger plugin set: {'; '.join(said)}"
        metadata["annotations"] = {**(metadata.get("annotations") or {}), ANNOTATION: text}


def _filled(container: Object, limits: Iterable[Object], words: str) -> Iterator[str]:
    for field, source, word in (("requests", "defaultRequest", "request"), ("limits", "default", "limit")):
        default = {name: amount for limit in limits for name, amount in (limit.get(source) or {}).items()}
        resources = container.get("resources") or {}
        given = resources.get(field) or {}
        if new := sorted(default.keys() - given.keys()):
            container["resources"] = {**resources, field: {**default, **given}}
            yield f"{', '.join(new)} {word} for {words} {container.get('name')}"


def _pod(pod: Object, limit: Object) -> Iterator[str]:
    if limit.get("type") == "Container":
        spec = pod["spec"]
        for container in (*spec["containers"], *(spec.get("initContainers") or ())):
            resources = container.get("resources") or {}
            yield from _bounds(limit, resources.get("requests") or {}, resources.get("limits") or {})
    elif limit.get("type") == "Pod":
        totals = (pod_totals.requests(pod), pod_totals.limits(pod))
        yield from _bounds(limit, *({name: usage.shown(name, total[name]) for name in total} for total in totals))


def _claim(claim: Object, limit: Object) -> Iterator[str]:
    if limit.get("type") == PERSISTENT_VOLUME_CLAIM.kind:
        requests = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
        yield from _bounds(limit, requests, {}, limitless=True)


def _bounds(limit: Object, requests: Amounts, limits: Amounts, *, limitless: bool = False) -> Iterator[str]:
    """What is out of bounds, in upstream's words. `limitless` is what can only be requested."""
    for name, amount in sorted((limit.get("min") or {}).items()):
        yield from _least(f"minimum {name} usage per {limit['type']} is {amount}", name, amount, requests, limits)
    for name, amount in sorted((limit.get("max") or {}).items()):
        rule = f"maximum {name} usage per {limit['type']} is {amount}"
        yield from _most(rule, name, amount, requests, limits, limitless=limitless)
    for name, ratio in sorted((limit.get("maxLimitRequestRatio") or {}).items()):
        rule = f"{name} max limit to request ratio per {limit['type']} is {ratio}"
        yield from _ratio(rule, name, ratio, requests, limits)


def _least(rule: str, name: str, bound: Any, requests: Amounts, limits: Amounts) -> Iterator[str]:
    least = quantities.parse(bound)
    if name not in requests:
        yield f"{rule}.  No request is specified"
    elif quantities.parse(requests[name]) < least:
        yield f"{rule}, but request is {requests[name]}"
    elif name in limits and quantities.parse(limits[name]) < least:
        yield f"{rule}, but limit is {limits[name]}"


def _most(
    rule: str, name: str, bound: Any, requests: Amounts, limits: Amounts, *, limitless: bool = False
) -> Iterator[str]:
    most = quantities.parse(bound)
    if not limitless and name not in limits:
        yield f"{rule}.  No limit is specified"
    elif limitless and name not in requests:
        yield f"{rule}.  No request is specified"
    elif name in limits and quantities.parse(limits[name]) > most:
        yield f"{rule}, but limit is {limits[name]}"
    elif name in requests and quantities.parse(requests[name]) > most:
        yield f"{rule}, but request is {requests[name]}"


def _ratio(rule: str, name: str, bound: Any, requests: Amounts, limits: Amounts) -> Iterator[str]:
    request, limit = (quantities.parse(amounts.get(name, 0)) for amounts in (requests, limits))
    if not request:
        yield f"{rule}, but no request is specified or request is 0"
    elif not limit:
        yield f"{rule}, but no limit is specified or limit is 0"
    elif limit / request > quantities.parse(bound):
        yield f"{rule}, but provided ratio is {float(limit / request):f}"
