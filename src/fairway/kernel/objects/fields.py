"""Sets of fields, as managedFields names them: paths into an object, to and from the form FieldsV1. Pure.

A path is a tuple of FieldsV1's own words: `f:name` for a field, `k:{...}` for the element of a list that has these
keys, `v:value` for a member of a set. What a leaf is, and which lists have keys, is said by the `Place`.

>>> from fairway.kernel.objects.topology import Place
>>> place = Place({"properties": {"ports": {"items": {}, "x-kubernetes-list-type": "map",
...     "x-kubernetes-list-map-keys": ["port"]}}})
>>> found = leaves({"ports": [{"port": 80, "name": "web"}], "labels": {"a": "b"}}, place)
>>> wire(found)["f:ports"]
{'k:{"port":80}': {'.': {}, 'f:name': {}, 'f:port': {}}}
>>> text(("f:ports", 'k:{"port":80}', "f:name"))
'.ports[port=80].name'
>>> paths(wire(found)) == set(found)
True
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from fairway.kernel.objects.errors import BadRequest
from fairway.kernel.objects.kinds import Object
from fairway.kernel.objects.topology import Place

Path = tuple[str, ...]

Without = Mapping[str, "Without"]
"""Fields to pass over, by name: each all of it where nothing is said of its parts."""

ELEMENT = object()
"""The value of a path that stands for a whole element of a keyed list: that it is there."""


def leaves(value: Any, place: Place, at: Path = ()) -> dict[Path, Any]:
    """Every field that can have an owner, with its value: what has no parts of its own, and elements of lists."""
    found: dict[Path, Any] = {}
    _walk(value, place, at, found)
    return found


def element(item: Any, place: Place) -> str:
    """The word for an element of a list that is a map or a set. `place` is the list's. Raises BadRequest."""
    if place.list_type == "set":
        return "v:" + _json(item)
    if not isinstance(item, dict):
        raise BadRequest(f"an element of a list with the keys {', '.join(place.keys)} must be an object")
    keys = {key: item[key] if key in item else place.item.default(key) for key in place.keys}
    known = {key: value for key, value in keys.items() if value is not None}
    if not known:
        raise BadRequest(f"an element of a list needs at least one of its keys: {', '.join(place.keys)}")
    return "k:" + _json(known)


def wire(found: Iterable[Path]) -> Object:
    """The set as FieldsV1."""
    root: Object = {}
    for path in sorted(found):
        inner = root
        for step in path:
            inner = inner.setdefault(step, {})
        inner["."] = {}
    return _without_dots(root)


def whole(value: Object, place: Place, without: Without) -> Object:
    """What `wire` makes of all `leaves` but those `without`, in one walk: new objects are written all the time."""
    found: Object = {}
    for name in sorted(value):
        passed = without.get(name)
        if passed is not None and not passed:
            continue
        inner = value[name]
        if inner and isinstance(inner, (dict, list)):
            parts = _parts(inner, place.member(name), passed or {})
            if parts is not None:
                found[f"f:{name}"] = parts
        else:
            found[f"f:{name}"] = {}
    return found


def _parts(value: Object | list[Any], place: Place, without: Without) -> Object | None:
    """The same below a field that holds something; None where nothing is left of it."""
    if isinstance(value, dict):
        return {} if place.atomic else whole(value, place, without) or None
    if place.list_type == "atomic":
        return {}
    items = {element(item, place): item for item in value}
    if len(items) < len(value):
        return wire(leaves(value, place))  # some are there twice, and have the parts of both
    found: Object = {}
    for word in sorted(items):
        inner = _parts(items[word], place.item, {}) if isinstance(items[word], dict) else None
        found[word] = {".": {}, **inner} if inner else {}
    return found


def paths(fields: Any) -> set[Path]:
    """The set that FieldsV1 says; what cannot be read says nothing."""
    found: set[Path] = set()
    if isinstance(fields, dict):
        _read(fields, (), found)
    return found


def text(path: Path) -> str:
    """The path as people read it, in upstream's form."""
    parts = []
    for step in path:
        kind, _, rest = step.partition(":")
        if kind == "f":
            parts.append(f".{rest}")
        elif kind == "k":
            keys = json.loads(rest)
            parts.append("[" + ",".join(f"{key}={_json(value)}" for key, value in sorted(keys.items())) + "]")
        else:
            parts.append(f"[={rest}]")
    return "".join(parts)


def with_parents(found: Iterable[Path]) -> set[Path]:
    """The paths and everything that they lie in."""
    return {path[:length] for path in found for length in range(1, len(path) + 1)}


def _walk(value: Any, place: Place, path: Path, found: dict[Path, Any]) -> None:
    if isinstance(value, dict) and value and not (place.atomic and path):
        for name, inner in value.items():
            _walk(inner, place.member(name), (*path, f"f:{name}"), found)
    elif isinstance(value, list) and value and place.list_type != "atomic":
        for item in value:
            here = (*path, element(item, place))
            found[here] = ELEMENT
            if isinstance(item, dict):
                _walk(item, place.item, here, found)
    elif path:
        found[path] = value


def _without_dots(node: Object) -> Object:
    """A leaf is empty; the dot is only for what is a member and has parts."""
    inner = {step: _without_dots(child) for step, child in node.items() if step != "."}
    return {".": {}, **inner} if inner and "." in node else inner


def _read(node: Object, path: Path, found: set[Path]) -> None:
    if not node and path:
        found.add(path)
    for step, inner in node.items():
        if step == ".":
            found.add(path)
        elif isinstance(inner, dict):
            _read(inner, (*path, step), found)


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
