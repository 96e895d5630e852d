"""Tables: objects as rows of cells, for `kubectl get` and whoever else asks for `as=Table`.

The columns of built-in kinds are in `builtin_columns`, those of custom resources in their definitions. A cell
says what an object says of itself; nothing here asks the store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from fairway.cluster.api import jsonpath
from fairway.cluster.api.printing import builtin_columns, durations
from fairway.cluster.api.printing.columns import AGE, NAME, Column
from fairway.cluster.api.resources import Resource
from fairway.kernel.objects.kinds import Object


def table(
    source: Resource | Sequence[Object],
    objects: Sequence[Object],
    *,
    include_object: str,
    now: float,
    headers: bool = True,
) -> Object:
    """A meta.k8s.io/v1 Table. Whoever asks puts the list's metadata in it.

    `source` is a built-in resource, or the additionalPrinterColumns of a custom one (empty where it has none).
    `include_object` is None, Metadata or Object: what each row carries besides its cells. Without `headers` the
    columns are left out, as in all but the first event of a watch.
    """
    columns = _of_a_view(objects) or _columns(source)
    carried = _CARRIED.get(include_object or "Metadata", _metadata)
    rows = [{"cells": [column.cell(obj, now) for column in columns], "object": carried(obj)} for obj in objects]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": [column.definition() for column in columns] if headers else None,
        "rows": rows,
    }


def _of_a_view(objects: Sequence[Object]) -> Sequence[Column] | None:
    shown = objects[0] if len(objects) == 1 else {}
    return builtin_columns.VIEWS.get((shown.get("apiVersion", ""), shown.get("kind", "")))


def _columns(source: Resource | Sequence[Object]) -> Sequence[Column]:
    if isinstance(source, Resource):
        return builtin_columns.COLUMNS.get(source.kind.resource, (NAME, AGE))
    return (NAME, *map(_custom, source)) if source else (NAME, AGE)


def _metadata(obj: Object) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


_CARRIED: dict[str, Callable[[Object], Object | None]] = {
    "None": lambda obj: None,
    "Metadata": _metadata,
    "Object": lambda obj: obj,
}


# Columns of custom resources


@dataclass(frozen=True, slots=True)
class _CustomCell:
    path: jsonpath.Path
    type: str

    def __call__(self, obj: Object, now: float) -> Any:
        values = self.path(obj)
        if not values:
            return None
        if self.type == "string":
            return " ".join(_text(value) for value in values)
        if self.type == "date":
            return durations.since(values[0], now)
        return _converted(values[0], self.type)


def _custom(column: Object) -> Column:
    type_ = str(column.get("type") or "string")
    try:
        cell: Callable[[Object, float], Any] = _CustomCell(jsonpath.compile(str(column.get("jsonPath") or "")), type_)
    except ValueError:
        cell = _unreadable
    return Column(
        str(column.get("name") or ""),
        cell,
        type=type_,
        format=str(column.get("format") or ""),
        priority=int(column.get("priority") or 0),
        description=str(column.get("description") or ""),
    )


def _unreadable(obj: Object, now: float) -> Any:
    return "<invalid path>"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _converted(value: Any, type_: str) -> Any:
    """The value as the column's type, or nothing where it is of another type, as upstream does it."""
    if type_ == "boolean":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if type_ == "integer" else value
