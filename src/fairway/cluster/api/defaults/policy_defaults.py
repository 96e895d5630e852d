"""What the kinds that rule others get where it follows from what else they say: limits.

The plain defaults are in `builtin_defaults`, which lists these.
"""

from __future__ import annotations

from fairway.kernel.objects.kinds import Object


def limit_range(obj: Object) -> None:
    """What a container gets where it says nothing follows from what it may have at most and must have at least."""
    for limit in obj["spec"].get("limits") or ():
        if not isinstance(limit, dict) or limit.get("type") != "Container":
            continue
        default = {**(limit.get("max") or {}), **(limit.get("default") or {})}
        request = {**(limit.get("min") or {}), **default, **(limit.get("defaultRequest") or {})}
        if default:
            limit["default"] = default
        if request:
            limit["defaultRequest"] = request
