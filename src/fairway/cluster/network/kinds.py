"""The Gateway API kinds that we serve: GatewayClass, Gateway, HTTPRoute, in their v1.

The schemas are ours and compact: they hold what a reader of the object relies on, and keep every other
field as it came, so that `routes` can refuse it by name instead of the API dropping it silently.
"""

from __future__ import annotations

from typing import Any

from fairway.kernel.objects import kinds
from fairway.kernel.objects.crds import OPEN, Column, CustomKind
from fairway.kernel.objects.kinds import Kind

GATEWAY_CLASS = Kind("gateway.networking.k8s.io", "v1", "GatewayClass", "gatewayclasses", namespaced=False)

_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "integer"}


def _open(**properties: Any) -> dict[str, Any]:
    return {**OPEN, "properties": properties}


def _list(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


_CONDITIONS = _list(
    _open(type=_TEXT, status=_TEXT, reason=_TEXT, message=_TEXT, lastTransitionTime=_TEXT, observedGeneration=_NUMBER)
)
_PARENT = _open(group=_TEXT, kind=_TEXT, namespace=_TEXT, name=_TEXT, sectionName=_TEXT, port=_NUMBER)
_BACKEND = _open(
    group={**_TEXT, "default": ""},
    kind={**_TEXT, "default": "Service"},
    namespace=_TEXT,
    name=_TEXT,
    port={**_NUMBER, "minimum": 1, "maximum": 65535},
    weight={**_NUMBER, "minimum": 0, "maximum": 1_000_000, "default": 1},
)
_PATH = _open(
    type={**_TEXT, "enum": ["Exact", "PathPrefix", "RegularExpression"], "default": "PathPrefix"},
    value={**_TEXT, "default": "/", "maxLength": 1024},
)
_RULE = _open(
    matches=_list(_open(path=_PATH, headers=_list(OPEN), queryParams=_list(OPEN), method=_TEXT)),
    filters=_list(_open(type=_TEXT)),
    backendRefs=_list(_BACKEND),
    timeouts=_open(request=_TEXT, backendRequest=_TEXT),
)

KINDS: tuple[CustomKind, ...] = (
    CustomKind(
        GATEWAY_CLASS,
        {"spec": _open(controllerName=_TEXT), "status": _open(conditions=_CONDITIONS)},
        short_names=("gc",),
        categories=("gateway-api",),
        columns=(
            Column("Controller", ".spec.controllerName"),
            Column("Accepted", '.status.conditions[?(@.type=="Accepted")].status'),
        ),
    ),
    CustomKind(
        kinds.GATEWAY,
        {
            "spec": _open(gatewayClassName=_TEXT, listeners=_list(_open(name=_TEXT, port=_NUMBER, protocol=_TEXT))),
            "status": _open(conditions=_CONDITIONS, addresses=_list(OPEN), listeners=_list(OPEN)),
        },
        short_names=("gtw",),
        categories=("gateway-api",),
        columns=(
            Column("Class", ".spec.gatewayClassName"),
            Column("Address", ".status.addresses[*].value"),
            Column("Programmed", '.status.conditions[?(@.type=="Programmed")].status'),
        ),
    ),
    CustomKind(
        kinds.HTTP_ROUTE,
        {
            "spec": _open(parentRefs=_list(_PARENT), hostnames=_list(_TEXT), rules=_list(_RULE)),
            "status": _open(
                parents=_list(_open(parentRef=_PARENT, controllerName=_TEXT, conditions=_CONDITIONS)),
            ),
        },
        categories=("gateway-api",),
        columns=(Column("Hostnames", ".spec.hostnames"),),
    ),
)
