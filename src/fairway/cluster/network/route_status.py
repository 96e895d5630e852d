"""What an HTTPRoute, the Gateway and its class say of themselves. Pure; the words are the Gateway API's."""

from __future__ import annotations

from fairway.cluster.network.config import CONTROLLER, GATEWAY_NAME, GATEWAY_NAMESPACE, LISTENER, NetworkConfig
from fairway.cluster.network.kinds import GATEWAY_CLASS
from fairway.cluster.network.render import NO_SUCH_LISTENER, attaches, ours
from fairway.cluster.network.routes import Rendered
from fairway.kernel.objects import conditions
from fairway.kernel.objects.kinds import GATEWAY, Object


def parents(route: Object, rendered: Rendered | None, config: NetworkConfig, now: str) -> list[Object]:
    """status.parents: ours anew, and what other controllers said as it is. `rendered` is None for strangers' routes."""
    said = (route.get("status") or {}).get("parents") or []
    result = [parent for parent in said if parent.get("controllerName") != CONTROLLER]
    # What is there may have been written by somebody else in our name.
    before = {str(parent.get("parentRef")): parent.get("conditions") for parent in said if parent not in result}
    for reference in (route.get("spec") or {}).get("parentRefs") or ():
        if rendered is None or not ours(reference, route):
            continue
        wanted = _judged(rendered) if attaches(reference, config) else _no_such_listener()
        found = conditions.merged(before.get(str(reference)), now, *wanted)
        generation = route["metadata"].get("generation", 1)
        told = [{**condition, "observedGeneration": generation} for condition in found]
        result.append({"parentRef": reference, "controllerName": CONTROLLER, "conditions": told})
    return result


BACKENDS_READY = "fairway.dev/BackendsReady"
"""Our own condition: whether Envoy has endpoints for every rule. The Gateway API has no word for it."""

Wanted = tuple[str, "bool | None", str, str]


def _judged(rendered: Rendered) -> list[Wanted]:
    accepted: Wanted = ("Accepted", True, "Accepted", "The gateway carries this route.")
    if rendered.refused:
        accepted = ("Accepted", False, rendered.refused_reason, rendered.refused)
    resolved: Wanted = ("ResolvedRefs", True, "ResolvedRefs", "All backends are known.")
    if rendered.unresolved:
        sentences = "; ".join(sentence for _, sentence in rendered.unresolved)
        resolved = ("ResolvedRefs", False, rendered.unresolved[0][0], sentences)
    ready: Wanted = (BACKENDS_READY, True, "BackendsReady", "Somebody answers under every path.")
    if rendered.refused or rendered.silent:
        ready = (BACKENDS_READY, False, "NoReadyEndpoints", "; ".join(rendered.silent) or rendered.refused)
    return [accepted, resolved, ready]


def _no_such_listener() -> list[Wanted]:
    return [("Accepted", False, "NoMatchingParent", NO_SUCH_LISTENER)]


def gateway_class() -> Object:
    return GATEWAY_CLASS.new(GATEWAY_NAME, spec={"controllerName": CONTROLLER})


def gateway(config: NetworkConfig) -> Object:
    listener = {
        "name": LISTENER,
        "port": config.port,
        "protocol": "HTTP",
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    return GATEWAY.new(
        GATEWAY_NAME, GATEWAY_NAMESPACE, spec={"gatewayClassName": GATEWAY_NAME, "listeners": [listener]}
    )


def gateway_class_status(found: Object, now: str) -> Object:
    said = (found.get("status") or {}).get("conditions")
    return {"conditions": conditions.merged(said, now, ("Accepted", True, "Accepted", "Served by Fairway's gateway."))}


def gateway_status(found: Object, config: NetworkConfig, attached: int, now: str) -> Object:
    """`attached` is the number of routes that the gateway carries."""
    status = found.get("status") or {}
    accepted = ("Accepted", True, "Accepted", "The gateway is Fairway's own.")
    programmed = ("Programmed", True, "Programmed", f"Envoy listens on {config.host}:{config.port}.")
    before = ((status.get("listeners") or [{}])[0]).get("conditions")
    return {
        "addresses": [{"type": "IPAddress", "value": config.host}],
        "conditions": conditions.merged(status.get("conditions"), now, accepted, programmed),
        "listeners": [
            {
                "name": LISTENER,
                "attachedRoutes": attached,
                "supportedKinds": [{"group": GATEWAY.group, "kind": "HTTPRoute"}],
                "conditions": conditions.merged(before, now, accepted, programmed),
            }
        ],
    }
