"""What was wrong before and did not change may stay: a schema can become stricter without breaking every update.

Looks at what the schema's own checks found. Items of lists are compared where the schema says by which keys; in other
lists, and in what is new, everything counts.
"""

from __future__ import annotations

from typing import Any

from fairway.cluster.api.cel.values import identity
from fairway.cluster.api.rules.compiling import map_keys
from fairway.kernel.objects.kinds import Object
from fairway.kernel.objects.schema_checks import Finding, Step

_DUPLICATE = "FieldValueDuplicate"
_REQUIRED = "FieldValueRequired"


def remaining(document: Object, found: list[Finding], new: Any, old: Any, before: list[Finding]) -> list[Finding]:
    """The findings that count on an update. `before` is what the checks find in the old value."""
    if any(one.reason == _DUPLICATE for one in before):
        found = [one for one in found if one.reason != _DUPLICATE]
    return [one for one in found if one.reason == _DUPLICATE or not _unchanged(document, _judged(one), new, old)]


def _judged(finding: Finding) -> tuple[Step, ...]:
    """Where the value is that the finding speaks of: what is missing is missing in what holds it."""
    return finding.steps[:-1] if finding.reason == _REQUIRED else finding.steps


def _unchanged(schema: Any, steps: tuple[Step, ...], new: Any, old: Any) -> bool:
    for step in steps:
        if new == old:
            return True
        place = schema if isinstance(schema, dict) else {}
        if isinstance(step, int):
            keys = map_keys(place)
            if keys is None or not isinstance(old, list) or not isinstance(new, list):
                return False
            name = identity(new[step], keys)
            was = [item for item in old if identity(item, keys) == name]
            if not was:
                return False
            schema, new, old = place.get("items"), new[step], was[0]
            continue
        if not isinstance(old, dict) or not isinstance(new, dict) or step not in old or step not in new:
            return False
        schema = (place.get("properties") or {}).get(step) or place.get("additionalProperties")
        new, old = new[step], old[step]
    return bool(new == old)
