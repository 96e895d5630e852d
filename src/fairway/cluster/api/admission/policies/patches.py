"""What a mutation gives, and what it does to an object. Pure."""

from __future__ import annotations

import base64
from typing import Any

from fairway.cluster.api.cel.types import Type
from fairway.cluster.api.cel.values import Duration, Optional, Timestamp, UInt
from fairway.kernel.objects import applying, patching
from fairway.kernel.objects.kinds import Object
from fairway.kernel.objects.topology import Place


class Unfit(Exception):
    """What the mutation gives cannot be put into the object."""


def patched(obj: Object, operations: Any) -> Object:
    """Raises ApiError, and Unfit."""
    given = json(operations)
    if not isinstance(given, list):
        raise Unfit("a JSON patch is a list of operations")
    return patching.json_patch(obj, given)


def applied(obj: Object, configuration: Any, place: Place) -> Object:
    """Raises Unfit."""
    wanted = json(configuration)
    if not isinstance(wanted, dict):
        raise Unfit("an apply configuration is an object")
    _check(wanted, place, "")
    result: Object = applying.laid_over(obj, wanted, place)
    return result


def _check(wanted: Any, place: Place, path: str) -> None:
    """What is one value with one owner is not for a policy to change in part, nor whole."""
    if isinstance(wanted, dict):
        if place.atomic and path:
            raise Unfit(f"error applying patch: may not mutate atomic arrays, maps or structs: {path}")
        for name, value in wanted.items():
            _check(value, place.member(name), f"{path}.{name}")
    elif isinstance(wanted, list):
        if place.known and place.list_type == "atomic":
            raise Unfit(f"error applying patch: may not mutate atomic arrays, maps or structs: {path}")
        for index, item in enumerate(wanted):
            _check(item, place.item, f"{path}[{index}]")


def json(value: Any) -> Any:
    """A value of CEL as JSON has it. Raises Unfit."""
    if isinstance(value, dict):
        return {str(key): json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [json(inner) for inner in value]
    if isinstance(value, UInt):
        return int(value)
    if isinstance(value, (Timestamp, Duration)):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, (Optional, Type)):
        raise Unfit(f"a value of the type {type(value).__name__} has no form in JSON")
    return str(value)
