"""Strategic merge patch, pure: a merge patch in which lists are merged element by element where the schema says how.

Directives are those of Kubernetes: `$patch` (delete, replace), `$retainKeys`, `$deleteFromPrimitiveList/FIELD`,
`$setElementOrder/FIELD`. The order of merged lists follows upstream's rule: elements of the patch keep the patch's
order, the others keep theirs, and between the two the old order decides where it can.

>>> from fairway.kernel.objects.topology import Place
>>> place = Place({"properties": {"l": {"items": {}, "x-kubernetes-patch-strategy": "merge",
...     "x-kubernetes-patch-merge-key": "name"}}})
>>> merge({"l": [{"name": "a", "x": 1}, {"name": "b"}]}, {"l": [{"name": "a", "y": 2}, {"name": "c"}]}, place)
{'l': [{'name': 'a', 'x': 1, 'y': 2}, {'name': 'b'}, {'name': 'c'}]}
>>> merge({"l": [{"name": "a"}, {"name": "b"}]}, {"l": [{"$patch": "delete", "name": "a"}]}, place)
{'l': [{'name': 'b'}]}
"""

from __future__ import annotations

from collections import deque
from typing import Any

from fairway.kernel.objects.errors import BadRequest
from fairway.kernel.objects.kinds import Object
from fairway.kernel.objects.topology import Place

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_DELETE = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def merge(target: Object, patch: Object, place: Place) -> Object:
    """The result of a strategic merge patch. Shares unchanged parts with `target`. Raises BadRequest."""
    if not isinstance(patch, dict):
        raise BadRequest("a strategic merge patch is an object")
    result: Object = _object(target, patch, place, "")
    return result


def _object(target: Any, patch: Object, place: Place, at: str) -> Object:
    match patch.get(_PATCH):
        case None:
            pass
        case "replace":
            return dict(_plain(patch))
        case "delete":
            return {}
        case other:
            raise BadRequest(f"{at or 'the patch'}: $patch is {other!r}, and can be replace or delete here")
    result = _retained(target, patch, at)
    orders: Object = {key.removeprefix(_ORDER): value for key, value in patch.items() if key.startswith(_ORDER)}
    for key, value in patch.items():
        if key == _RETAIN or key.startswith(_ORDER):
            continue
        if key.startswith(_DELETE):
            name = key.removeprefix(_DELETE)
            gone = _places(_list(value, f"{at}{key}"), "")
            if isinstance(result.get(name), list):
                result[name] = [one for one in result[name] if _word(one, "") not in gone]
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = _value(result.get(key), value, place.member(key), f"{at}{key}", orders.get(key))
    for key, order in orders.items():
        if patch.get(key) is None and isinstance(result.get(key), list):
            member = place.member(key)
            result[key] = _in_order(result[key], _list(order, f"{at}{_ORDER}{key}"), result[key], member.merge_key)
    return result


def _retained(target: Object, patch: Object, at: str) -> Object:
    """The target without the fields that $retainKeys does not name, as for unions: one of them only may be there."""
    if _RETAIN not in patch:
        return dict(target)
    kept = {key for key in _list(patch[_RETAIN], f"{at}{_RETAIN}") if isinstance(key, str)}
    for key, value in patch.items():
        if value is not None and not key.startswith("$") and key not in kept:
            raise BadRequest(f"{at}{key}: the patch sets a field that its $retainKeys does not name")
    return {key: value for key, value in target.items() if key in kept}


def _value(target: Any, patch: Any, place: Place, at: str, order: Any) -> Any:
    if isinstance(patch, dict):
        if not isinstance(target, dict) or place.replaces:
            return {} if patch.get(_PATCH) == "delete" else _plain(patch)
        return _object(target, patch, place, f"{at}.")
    if isinstance(patch, list) and place.merges:
        old = target if isinstance(target, list) else []
        merged = _in_order(_merged(old, patch, place, at), patch, old, place.merge_key)
        if order is None:
            return merged
        wanted = _list(order, f"{_ORDER}{at}")
        _check_order(patch, wanted, place.merge_key, at)
        return _in_order(merged, wanted, merged, place.merge_key)
    return _plain(patch)


def _merged(old: list[Any], patch: list[Any], place: Place, at: str) -> list[Any]:
    """All elements, the old ones first; `_in_order` puts them right."""
    key = place.merge_key
    if not key:
        return _once([*old, *patch])
    for element in (*old, *patch):
        if not isinstance(element, dict) or (key not in element and element.get(_PATCH) != "replace"):
            raise BadRequest(f"{at}: each element needs {key}, by which the list is merged")
    directives = [element for element in patch if _PATCH in element]
    plain = [element for element in patch if _PATCH not in element]
    for element in directives:
        if element[_PATCH] not in ("delete", "replace"):
            raise BadRequest(f"{at}: $patch is {element[_PATCH]!r}, and can be replace or delete in a list")
    if any(element[_PATCH] == "replace" for element in directives):
        return [_plain(element) for element in plain]
    gone = _places(directives, key)
    result = [element for element in old if _word(element, key) not in gone]
    places = _places(result, key)
    for element in plain:
        index = places.setdefault(_word(element, key), len(result))
        if index == len(result):
            result.append(_plain(element))
        else:
            result[index] = _object(result[index], element, place.item, f"{at}[{element[key]}].")
    return result


def _in_order(items: list[Any], wanted: list[Any], old: list[Any], key: str) -> list[Any]:
    """What the patch orders in its order, the rest in its own, each of the rest before what it was before of old."""
    asked, before = _places(wanted, key), _places(old, key)
    found = [(asked.get(word, -1), before.get(word, -1), one) for one in items for word in (_word(one, key),)]
    ordered = deque(sorted((each for each in found if each[0] >= 0), key=lambda each: each[0]))
    rest = deque(sorted((each for each in found if each[0] < 0), key=lambda each: each[1]))
    result: list[Any] = []
    while ordered and rest:
        first = rest if 0 <= rest[0][1] < ordered[0][1] else ordered
        result.append(first.popleft()[2])
    return result + [one for _, _, one in (*ordered, *rest)]


def _check_order(patch: list[Any], wanted: list[Any], key: str, at: str) -> None:
    """What the patch adds must stand in the order that the patch asks for."""
    added = [one for one in patch if not (isinstance(one, dict) and _PATCH in one)]
    asked = _places(wanted, key)
    places = [asked.get(_word(one, key), -1) for one in added]
    if any(place < 0 for place in places) or places != sorted(places):
        raise BadRequest(f"{at}: the order in the patch's list doesn't match its {_ORDER}{at.rpartition('.')[2]} list")


def _places(items: list[Any], key: str) -> dict[Any, int]:
    """Where each element is first, by what tells it from the others."""
    found: dict[Any, int] = {}
    for index, item in enumerate(items):
        if not key or isinstance(item, dict):
            found.setdefault(_word(item, key), index)
    return found


def _word(item: Any, key: str) -> Any:
    """What tells an element from the others, as something that can be hashed: its key, or else all of it."""
    if not key:
        return _hashable(item)
    return (_hashable(item.get(key)),) if isinstance(item, dict) else None


def _hashable(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_hashable, value))
    if isinstance(value, dict):
        return frozenset((name, _hashable(inner)) for name, inner in value.items())
    return value


def _once(items: list[Any]) -> list[Any]:
    found: dict[Any, Any] = {}
    for item in items:
        found.setdefault(_hashable(item), item)
    return list(found.values())


def _plain(value: Any) -> Any:
    """A part of the patch that meets nothing to merge with: without directives, and without nulls that delete."""
    if isinstance(value, dict):
        return {
            key: _plain(inner)
            for key, inner in value.items()
            if inner is not None and key not in (_PATCH, _RETAIN) and not key.startswith((_DELETE, _ORDER))
        }
    if isinstance(value, list):
        return [_plain(item) for item in value if not (isinstance(item, dict) and item.get(_PATCH) == "delete")]
    return value


def _list(value: Any, at: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadRequest(f"{at} is a list")
    return value
