"""Patches: JSON merge patch (RFC 7396) and JSON patch (RFC 6902), pure. Strategic merge is in `strategic`.

>>> merge({"a": 1, "b": {"c": 2}}, {"b": {"c": None, "d": 3}})
{'a': 1, 'b': {'d': 3}}
>>> diff({"a": 1, "b": {"c": 2}}, {"b": {"c": 2, "d": 3}})
{'a': None, 'b': {'d': 3}}
>>> json_patch({"l": [1, 2]}, [{"op": "add", "path": "/l/-", "value": 3}, {"op": "remove", "path": "/l/0"}])
{'l': [2, 3]}
"""

from __future__ import annotations

import copy
from typing import Any

from fairway.kernel.objects.errors import BadRequest, Invalid
from fairway.kernel.objects.kinds import Object

MOST_OPERATIONS = 10_000
_EACH = 16
MOST_COPIED = 3 * 1024 * 1024
"""Bytes that the operations of one patch may copy, as upstream: a few that copy what holds the copy take all memory."""


def merge(target: Any, patch: Any) -> Any:
    """The result of a merge patch. Shares unchanged parts with `target`, and new ones with `patch`."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = merge(result.get(key), value)
        else:
            result[key] = value
    return result


def diff(old: Object, new: Object) -> Object:
    """The merge patch that turns `old` into `new`; empty where they are equal. Lists are replaced whole."""
    patch: Object = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            if inner := diff(before, value):
                patch[key] = inner
        elif key not in old or before != value or type(before) is not type(value):
            patch[key] = value
    return patch


def json_patch(target: Object, operations: object) -> Object:
    """The result of a JSON patch on a copy. Raises Invalid where an operation fails, BadRequest where it is none."""
    if not isinstance(operations, list):
        raise BadRequest("a JSON patch is a list of operations")
    if len(operations) > MOST_OPERATIONS:
        raise BadRequest(f"a JSON patch may have at most {MOST_OPERATIONS} operations")
    document: Any = copy.deepcopy(target)
    copied = 0
    for operation in operations:
        if isinstance(operation, dict) and operation.get("op") == "copy":
            copied += _size(_find(document, _pointer(_source(operation))), MOST_COPIED - copied)
            if copied > MOST_COPIED:
                text = "Unable to complete the copy, the accumulated size increase of copy is more than the limit"
                raise Invalid(f"{text} {MOST_COPIED}")
        document = _operate(document, operation)
    if not isinstance(document, dict):
        raise Invalid("the patch does not leave an object")
    return document


def _operate(document: Any, operation: Any) -> Any:
    if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
        raise BadRequest("each operation of a JSON patch is an object with op and path")
    verb, path = operation.get("op"), _pointer(operation["path"])
    match verb:
        case "add":
            return _add(document, path, copy.deepcopy(_value(operation)))
        case "remove":
            return _remove(document, path)[0]
        case "replace":
            _find(document, path)
            value = copy.deepcopy(_value(operation))
            return value if not path else _add(_remove(document, path)[0], path, value)
        case "test":
            if _find(document, path) != _value(operation):
                raise Invalid(f"testing path {operation['path']} failed: the value is another one")
            return document
        case "copy":
            return _add(document, path, copy.deepcopy(_find(document, _pointer(_source(operation)))))
        case "move":
            document, value = _remove(document, _pointer(_source(operation)))
            return _add(document, path, value)
    raise BadRequest(f"unexpected JSON patch operation {verb!r}")


def _value(operation: Object) -> Any:
    if "value" not in operation:
        raise BadRequest(f"the JSON patch operation {operation.get('op')!r} needs a value")
    return operation["value"]


def _source(operation: Object) -> str:
    source = operation.get("from", "")
    if not isinstance(source, str):
        raise BadRequest(f"the JSON patch operation {operation.get('op')!r} needs a path in from")
    return source


def _size(value: Any, most: int) -> int:
    """About as many bytes as the value has on the wire, or as it takes where it is many small ones; where it is more
    than `most`, no more is counted."""
    total, left = 0, [value]
    while left and total <= most:
        one = left.pop()
        total += _EACH + (len(one) if isinstance(one, str) else 0)
        if isinstance(one, dict):
            total += sum(map(len, one))
            left += one.values()
        elif isinstance(one, list):
            left += one
    return total


def _pointer(path: str) -> list[str]:
    if path == "":
        return []
    if not path.startswith("/"):
        raise BadRequest(f"{path!r} is no JSON pointer: it must start with /")
    return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]


def _find(document: Any, path: list[str]) -> Any:
    for step in path:
        document = document[_index(document, step)] if isinstance(document, list) else _member(document, step)
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _find(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(parent, last, beyond=1), value)
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise Invalid(f"add operation does not apply: /{'/'.join(path[:-1])} is no object or list")
    return document


def _remove(document: Any, path: list[str]) -> tuple[Any, Any]:
    if not path:
        raise Invalid("remove operation does not apply to the whole document")
    parent, last = _find(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        return document, parent.pop(_index(parent, last))
    value = _member(parent, last)
    del parent[last]
    return document, value


def _member(document: Any, step: str) -> Any:
    if not isinstance(document, dict) or step not in document:
        raise Invalid(f"doc is missing key: {step}")
    return document[step]


def _index(items: list[Any], step: str, beyond: int = 0) -> int:
    if not step.isdecimal() or int(step) >= len(items) + beyond:
        raise Invalid(f"index {step} is not in the list")
    return int(step)
