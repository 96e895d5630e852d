"""What the containers of a pod need together, as the scheduler, quotas and limits count it. Pure.

The sum over the containers, or the largest init container where that is more. A sidecar (an init container that
restarts always) runs beside the others, so it adds to both. What the pod says for itself as a whole takes the place of
the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from fairway.kernel.objects import quantities
from fairway.kernel.objects.kinds import Object

Amounts = Mapping[str, Decimal]


def requests(pod: Object) -> dict[str, Decimal]:
    return total(pod, lambda holder: part(holder, "requests"))


def limits(pod: Object) -> dict[str, Decimal]:
    return total(pod, lambda holder: part(holder, "limits"))


def total(pod: Object, asked: Callable[[Object], Amounts]) -> dict[str, Decimal]:
    """`asked` says what a container (or the pod's spec, which has resources as a container has) asks for."""
    spec = pod.get("spec") or {}
    result: dict[str, Decimal] = {}
    for container in spec.get("containers") or ():
        _add(result, asked(container))
    sidecars: dict[str, Decimal] = {}
    peak: dict[str, Decimal] = {}
    for container in spec.get("initContainers") or ():
        amounts = asked(container)
        if container.get("restartPolicy") == "Always":
            _add(sidecars, amounts)
            continue
        for name, amount in amounts.items():
            peak[name] = max(peak.get(name, Decimal(0)), amount + sidecars.get(name, Decimal(0)))
    _add(result, sidecars)
    for name, amount in peak.items():
        result[name] = max(result.get(name, Decimal(0)), amount)
    result |= asked(spec)
    _add(result, quantities_of(spec.get("overhead")))
    return result


def part(holder: Object, name: str) -> dict[str, Decimal]:
    """The requests or the limits of one container."""
    return quantities_of((holder.get("resources") or {}).get(name))


def quantities_of(amounts: Mapping[str, Any] | None) -> dict[str, Decimal]:
    return {name: quantities.parse(amount) for name, amount in (amounts or {}).items()}


def _add(result: dict[str, Decimal], amounts: Amounts) -> None:
    for name, amount in amounts.items():
        result[name] = result.get(name, Decimal(0)) + amount
