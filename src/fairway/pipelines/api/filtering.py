"""Filters of lists: the predicates in a request, read and checked, as conditions on a table.

A filter is JSON, {"predicates": [...]}, all of which must hold. Each names a key of the list, an operation by name or
by its number, and one value of one kind, in camelCase or in snake_case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import ColumnElement, FromClause, and_, exists, func

from fairway.kernel import clock
from fairway.kernel.objects import errors
from fairway.pipelines import tables
from fairway.pipelines.api.messages import snake, storable
from fairway.pipelines.tables import HEAD

Compare = Callable[[ColumnElement[Any], Any], ColumnElement[bool]]

_OPERATIONS: dict[str, Compare] = {
    "EQUALS": lambda column, value: column == value,
    "NOT_EQUALS": lambda column, value: column != value,
    "GREATER_THAN": lambda column, value: column > value,
    "GREATER_THAN_EQUALS": lambda column, value: column >= value,
    "LESS_THAN": lambda column, value: column < value,
    "LESS_THAN_EQUALS": lambda column, value: column <= value,
    "IN": lambda column, value: column.in_(value),
    "IS_SUBSTRING": lambda column, value: func.lower(column).contains(value.lower(), autoescape=True),
}
_NUMBERS = {1: "EQUALS", 2: "NOT_EQUALS", 3: "GREATER_THAN", 5: "GREATER_THAN_EQUALS", 6: "LESS_THAN",
            7: "LESS_THAN_EQUALS", 8: "IN", 9: "IS_SUBSTRING"}  # fmt: skip
_SINGLE = ("string_value", "int_value", "long_value", "timestamp_value")
_PLURAL = ("string_values", "int_values", "long_values")
_MOST = 200
"""Predicates in a filter, and values in one of them: what no list needs and a database would stumble over."""


@dataclass(frozen=True)
class Terms:
    """What a list may be filtered by: columns under the API's names."""

    columns: Mapping[str, ColumnElement[Any]]
    words: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    """For some keys, how a client's text becomes the column's."""
    heads: Mapping[str, ColumnElement[Any]] = field(default_factory=dict)
    """For some keys, the column with the beginning of the text, which has the index (see `tables`)."""
    tagged: FromClause | None = None
    """The table whose rows have tags."""


def predicates(text: str, terms: Terms) -> list[ColumnElement[bool]]:
    """The conditions of a filter. Raises BadRequest."""
    if not text:
        return []
    try:
        filter_ = orjson.loads(text)
    except orjson.JSONDecodeError as wrong:
        raise errors.BadRequest(f"the filter is not JSON: {wrong}") from wrong
    if not isinstance(filter_, dict) or not set(filter_) <= {"predicates"}:
        raise errors.BadRequest('a filter is an object with one field, "predicates"')
    found = filter_.get("predicates") or []
    if not isinstance(found, list):
        raise errors.BadRequest("predicates must be a list")
    if len(found) > _MOST:
        raise errors.BadRequest(f"a filter has at most {_MOST} predicates")
    return [_predicate(predicate, terms) for predicate in found]


def _predicate(predicate: Any, terms: Terms) -> ColumnElement[bool]:
    if not isinstance(predicate, dict):
        raise errors.BadRequest("a predicate must be an object")
    fields = {snake(key): value for key, value in predicate.items()}
    unknown = fields.keys() - {"operation", "key", *_SINGLE, *_PLURAL}
    if unknown:
        raise errors.BadRequest(f"unknown field {min(unknown)!r} in a predicate")
    operation, key = _operation(fields.get("operation")), str(fields.get("key") or "")
    value = _value(fields, operation)
    if terms.tagged is not None and key.startswith("tags."):
        return _has_tag(terms.tagged, storable(key.removeprefix("tags."), "a tag"), operation, value)
    column = terms.columns.get(key)
    if column is None:
        raise errors.BadRequest(f"cannot filter by {key!r}; possible are {', '.join(terms.columns)}")
    if operation == "IS_SUBSTRING" and (is_number(column) or not isinstance(value, str)):
        raise errors.BadRequest(f"IS_SUBSTRING compares texts with a stringValue, and {key} cannot be compared so")
    fitting = _fitting(column, key, value, terms.words.get(key, str))
    holds = _OPERATIONS[operation](column, fitting)
    if operation == "EQUALS" and key in terms.heads:
        return and_(terms.heads[key] == func.substr(fitting, 1, HEAD), holds)
    return holds


def _operation(asked: Any) -> str:
    operation = _NUMBERS.get(asked, "") if isinstance(asked, int) else str(asked)
    if operation not in _OPERATIONS:
        raise errors.BadRequest(f"unknown filter operation {asked!r}; possible are {', '.join(_OPERATIONS)}")
    return operation


def _value(fields: Mapping[str, Any], operation: str) -> Any:
    names = [name for name in (*_SINGLE, *_PLURAL) if fields.get(name) is not None]
    if len(names) != 1:
        raise errors.BadRequest("a predicate needs exactly one value, such as stringValue")
    name, value = names[0], fields[names[0]]
    if (name in _PLURAL) != (operation == "IN"):
        raise errors.BadRequest("IN takes a list of values such as stringValues, and every other operation one value")
    if name in _SINGLE:
        return _scalar(name, value)
    values = value.get("values") if isinstance(value, dict) else None
    if not isinstance(values, list) or len(values) > _MOST:
        raise errors.BadRequest(f'{name} must be an object {{"values": [...]}} with at most {_MOST} of them')
    return [_scalar(name, item) for item in values]


def _scalar(name: str, value: Any) -> Any:
    kind = name.partition("_")[0]
    try:
        if kind == "timestamp":
            return clock.parse(str(value))
        if kind == "string":
            if not isinstance(value, str):
                raise TypeError
            return storable(value, "a filter's value")
        number = int(value)
        if not -(2**63) <= number < 2**63:
            raise ValueError
        return number
    except (ValueError, TypeError, OverflowError) as wrong:
        raise errors.BadRequest(f"{value!r} is not a {kind}") from wrong


def _fitting(column: ColumnElement[Any], key: str, value: Any, word: Callable[[str], str]) -> Any:
    """The value as the column has it: times are numbers, everything else is text."""
    if isinstance(value, list):
        return [_fitting(column, key, item, word) for item in value]
    if not is_number(column):
        return word(str(value))
    if not isinstance(value, str):
        return float(value)
    try:
        return clock.parse(value)
    except (ValueError, OverflowError) as wrong:
        raise errors.BadRequest(f"{key} is compared with a timestampValue, not with {value!r}") from wrong


def is_number(column: ColumnElement[Any]) -> bool:
    return column.type.python_type in (float, int)


def is_amount(value: Any) -> bool:
    """Whether a database can compare a number with it. True and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63


def is_text(value: Any) -> bool:
    """Whether a database can compare a text with it."""
    return isinstance(value, str) and "\0" not in value


def _has_tag(table: FromClause, name: str, operation: str, value: Any) -> ColumnElement[bool]:
    if operation != "EQUALS" or not isinstance(value, str):
        raise errors.BadRequest(f"the tag {name} can only be filtered by EQUALS and a stringValue")
    tags = tables.tags
    return exists().where(and_(tags.c.owner_id == table.c.id, tags.c.key == name, tags.c.value == value))
