"""What an HTTPRoute, the Gateway and its class say of themselves. Pure; the words are the Gateway API's."""

from __future__ import annotations

from fairway.cluster.network.config import CONTROLLER, GATEWAY_NAME, GATEWAY_NAMESPACE, LISTENER, NetworkConfig
from fairway.cluster.network.kinds import GATEWAY_CLASS
from fairway.cluster.network.render import ours
from fairway.cluster.network.routes import Rendered
from fairway.kernel.objects import conditions
from fairway.kernel.objects.kinds import GATEWAY, Object


def parents(route: Object, rendered: Rendered | None, now: str) -> list[Object]:
    """status.parents: ours anew, and what other controllers said as it is."""
    said = (route.get("status") or {}).get("parents") or []
    result = [parent for parent in said if parent.get("controllerName") != CONTROLLER]
    if rendered is None:
        return result
    for reference in (route.get("spec") or {}).get("parentRefs") or ():
        if ours(reference, route):
            before = next((p["conditions"] for p in said if p.get("parentRef") == reference and p not in result), None)
            result.append(
                {
                    "parentRef": reference,
                    "controllerName": CONTROLLER,
                    "conditions": _conditions(route, rendered, before, now),
                }
            )
    return result


def _conditions(route: Object, rendered: Rendered, before: list[Object] | None, now: str) -> list[Object]:
    if rendered.refused:
        accepted = ("Accepted", False, rendered.refused_reason, rendered.refused)
    else:
        accepted = ("Accepted", True, "Accepted", "The gateway carries this route.")
    if rendered.unresolved:
        sentences = "; ".join(sentence for _, sentence in rendered.unresolved)
        resolved = ("ResolvedRefs", False, rendered.unresolved[0][0], sentences)
    else:
        resolved = ("ResolvedRefs", True, "ResolvedRefs", "All backends are known.")
    found = conditions.merged(before, now, accepted, resolved)
    generation = route["metadata"].get("generation", 1)
    return [{**condition, "observedGeneration": generation} for condition in found]


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
