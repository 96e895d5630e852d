"""Whether a service's routes carry traffic, as the gateways say. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.render import marks

Condition = tuple[str, "bool | None", str, str]
"""Type, status (None is unknown), reason, message."""


_BACKENDS_READY = "fairway.dev/BackendsReady"
"""What Fairway's gateway says beyond the Gateway API: whether it has endpoints to send requests to. It learns of a
ready pod after the Deployment does, and who is told Ready must get an answer. Other gateways do not say it."""
WAITING = "WaitingForGateway"


def judged(wanted: Iterable[Object], seen: Iterable[Object]) -> Condition:
    """True once every route is there as rendered, was accepted by its gateway as it is now, and somebody answers."""
    there = {(meta.name(route), marks.digest(route)): route for route in seen}
    waits = silent = False
    for rendered in wanted:
        route = there.get((meta.name(rendered), marks.digest(rendered)))
        said = _said_by_gateways(route) if route else []
        for one in said:
            if one.get("type") in ("Accepted", "ResolvedRefs") and one.get("status") == "False":
                text = f"HTTPRoute {meta.name(rendered)}: {one.get('message') or 'not accepted by the gateway'}"
                return "IngressReady", False, str(one.get("reason") or "RouteRefused"), text
        waits = waits or not any(one.get("type") == "Accepted" and one.get("status") == "True" for one in said)
        silent = silent or any(one.get("type") == _BACKENDS_READY and one.get("status") == "False" for one in said)
    if waits:
        return "IngressReady", None, WAITING, "No gateway has taken the routes yet."
    if silent:
        return "IngressReady", None, "NoReadyEndpoints", "The gateway knows of no ready pod yet."
    return "IngressReady", True, "", ""


def carried_before(wanted: Iterable[Object], seen: Iterable[Object]) -> bool:
    """Whether an older form of every route carries traffic."""
    accepted = {meta.name(route) for route in seen if any(map(_is_accepted, _said(route)))}
    return all(meta.name(one) in accepted for one in wanted)


def _is_accepted(condition: Object) -> bool:
    return condition.get("type") == "Accepted" and condition.get("status") == "True"


def _said_by_gateways(route: Object) -> list[Object]:
    return [one for one in _said(route) if _is_fresh(one, route)]


def _said(route: Object) -> list[Object]:
    parents = (route.get("status") or {}).get("parents") or ()
    return [one for parent in parents for one in parent.get("conditions") or ()]


def _is_fresh(condition: Object, obj: Object) -> bool:
    observed = condition.get("observedGeneration")
    return observed is None or int(observed) >= int(obj["metadata"].get("generation") or 0)
