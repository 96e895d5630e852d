"""What is wrong with an object that rules others: priority classes.

`builtin_checks` lists these beside the checks of what is ruled. What needs a look at other objects is admission's.
"""

from __future__ import annotations

from collections.abc import Iterator

from fairway.cluster.api import causes
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

SYSTEM_PREFIX = "system-"
SYSTEM_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
"""The classes whose values are above all that users may set."""
HIGHEST_PRIORITY = 1_000_000_000
"""Of those that users may set."""


def priority_class(obj: Object) -> Iterator[Cause]:
    name, value = obj["metadata"]["name"], obj.get("value") or 0
    if name.startswith(SYSTEM_PREFIX):
        if why := _not_the_systems(name, value, bool(obj.get("globalDefault"))):
            text = f"priority class names with '{SYSTEM_PREFIX}' prefix are reserved for system use only. error: {why}"
            yield causes.forbidden("metadata.name", text)
    elif value > HIGHEST_PRIORITY:
        yield causes.forbidden("value", f"maximum allowed value of a user defined priority is {HIGHEST_PRIORITY}")
    if obj.get("preemptionPolicy") not in ("Never", "PreemptLowerPriority"):
        yield causes.unsupported("preemptionPolicy", obj.get("preemptionPolicy"), "Never", "PreemptLowerPriority")


def _not_the_systems(name: str, value: int, default: bool) -> str:
    wanted = SYSTEM_PRIORITIES.get(name)
    if wanted is None:
        return f"{name} is not a known system priority class"
    if value != wanted:
        return f"value of {name} PriorityClass must be {wanted}"
    return f"globalDefault of {name} PriorityClass must be false" if default else ""


def priority_class_change(new: Object, old: Object) -> Iterator[Cause]:
    if new.get("value") != old.get("value"):
        yield causes.forbidden("value", "may not be changed in an update.")
    if new.get("preemptionPolicy") != old.get("preemptionPolicy"):
        yield causes.invalid("preemptionPolicy", new.get("preemptionPolicy"), causes.IMMUTABLE)
