"""Lists: pages by position and not by offset, so that page 5,000 costs what page 1 costs; order; filters.

A page token says how the list was sorted and filtered and where the last page ended. With a token, sort and filter
must be the same or absent. Keys that are not in a table's list of keys are refused, in tokens too.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import orjson
from aiohttp import web
from sqlalchemy import Column, ColumnElement, Connection, RowMapping, Table, and_, exists, func, select, tuple_

from fairway.kernel import clock
from fairway.kernel.objects import errors
from fairway.pipelines import tables
from fairway.pipelines.api.answers import compact
from fairway.pipelines.api.messages import number, snake

DEFAULT_PAGE, LARGEST_PAGE = 20, 200


@dataclass(frozen=True)
class Listed:
    """A table that is listed: what its lists may be sorted and filtered by, under the API's names."""

    table: Table
    keys: Mapping[str, Column[Any]]
    default: str = "created_at"
    tagged: bool = False


@dataclass(frozen=True)
class Order:
    """How one list is sorted and filtered, and after which (value, id) the page begins."""

    key: str
    descending: bool
    filter: str
    after: tuple[Any, str] | None
    size: int


@dataclass(frozen=True)
class Page:
    rows: Sequence[RowMapping]
    next_token: str
    total: int

    def wire(self, key: str, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """As a list goes out: the rows' messages under the API's name of them."""
        return compact({key: messages, "next_page_token": self.next_token, "total_size": self.total})


def order_of(request: web.Request, listed: Listed) -> Order:
    """What a list request asks for. Raises BadRequest."""
    size = min(number(request, "page_size", DEFAULT_PAGE) or DEFAULT_PAGE, LARGEST_PAGE)
    key, descending = _sort(request.query.get("sort_by", ""), listed)
    filter_text = request.query.get("filter", "")
    if filter_text.startswith("%"):  # some clients encode it twice
        filter_text = unquote(filter_text)
    token = request.query.get("page_token", "")
    if not token:
        return Order(key, descending, filter_text, None, size)
    kept = _decoded(token)
    if kept.key not in listed.keys:
        raise errors.BadRequest("the page_token is not one of this list")
    if request.query.get("sort_by") and (key, descending) != (kept.key, kept.descending):
        raise errors.BadRequest("sort_by differs from the one of the page_token; leave it out, or start again")
    if filter_text and filter_text != kept.filter:
        raise errors.BadRequest("filter differs from the one of the page_token; leave it out, or start again")
    return Order(kept.key, kept.descending, kept.filter, kept.after, size)


def page(connection: Connection, listed: Listed, order: Order, *where: ColumnElement[bool]) -> Page:
    """One page of the rows of `listed` for which `where` and the order's filter hold."""
    table, column = listed.table, listed.keys[order.key]
    conditions = [*where, *predicates(order.filter, listed)]
    total = connection.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one()
    position = tuple_(column, table.c.id)
    if order.after is not None:
        conditions.append(position < order.after if order.descending else position > order.after)
    ends = (column.desc(), table.c.id.desc()) if order.descending else (column.asc(), table.c.id.asc())
    query = select(table).where(*conditions).order_by(*ends).limit(order.size + 1)
    rows = connection.execute(query).mappings().all()
    more, rows = len(rows) > order.size, rows[: order.size]
    last = rows[-1] if more else None
    return Page(rows, _encoded(order, (last[column], last[table.c.id])) if last else "", total)


def _sort(text: str, listed: Listed) -> tuple[str, bool]:
    words = text.split()
    if not words:
        return listed.default, False
    direction = words[1].lower() if len(words) > 1 else "asc"
    if len(words) > 2 or direction not in ("asc", "desc"):
        raise errors.BadRequest(f'sort_by must be "FIELD", "FIELD asc" or "FIELD desc", not {text!r}')
    if words[0] not in listed.keys:
        raise errors.BadRequest(f"cannot sort by {words[0]!r}; possible are {', '.join(listed.keys)}")
    return words[0], direction == "desc"


def _encoded(order: Order, after: tuple[Any, str]) -> str:
    token = {"key": order.key, "desc": order.descending, "filter": order.filter, "value": after[0], "id": after[1]}
    return base64.urlsafe_b64encode(orjson.dumps(token)).decode()


def _decoded(token: str) -> Order:
    try:
        kept = orjson.loads(base64.urlsafe_b64decode(token))
        after = kept["value"], str(kept["id"])
        if not isinstance(after[0], str | int | float):
            raise ValueError("value")
        return Order(str(kept["key"]), bool(kept["desc"]), str(kept["filter"]), after, 0)
    except (binascii.Error, ValueError, KeyError, TypeError) as wrong:
        raise errors.BadRequest("the page_token is not one of ours; start again without it") from wrong


Compare = Callable[[Column[Any], Any], ColumnElement[bool]]

_OPERATIONS: dict[str, Compare] = {
    "EQUALS": lambda column, value: column == value,
    "NOT_EQUALS": lambda column, value: column != value,
    "GREATER_THAN": lambda column, value: column > value,
    "GREATER_THAN_EQUALS": lambda column, value: column >= value,
    "LESS_THAN": lambda column, value: column < value,
    "LESS_THAN_EQUALS": lambda column, value: column <= value,
    "IN": lambda column, value: column.in_(value),
    "IS_SUBSTRING": lambda column, value: func.lower(column).contains(str(value).lower(), autoescape=True),
}
_NUMBERS = {1: "EQUALS", 2: "NOT_EQUALS", 3: "GREATER_THAN", 5: "GREATER_THAN_EQUALS", 6: "LESS_THAN",
            7: "LESS_THAN_EQUALS", 8: "IN", 9: "IS_SUBSTRING"}  # fmt: skip
_SINGLE = ("string_value", "int_value", "long_value", "timestamp_value")
_PLURAL = ("string_values", "int_values", "long_values")


def predicates(text: str, listed: Listed) -> list[ColumnElement[bool]]:
    """The conditions of a filter, all of which must hold. Raises BadRequest."""
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
    return [_predicate(predicate, listed) for predicate in found]


def _predicate(predicate: Any, listed: Listed) -> ColumnElement[bool]:
    if not isinstance(predicate, dict):
        raise errors.BadRequest("a predicate must be an object")
    fields = {snake(key): value for key, value in predicate.items()}
    unknown = fields.keys() - {"operation", "key", *_SINGLE, *_PLURAL}
    if unknown:
        raise errors.BadRequest(f"unknown field {min(unknown)!r} in a predicate")
    asked = fields.get("operation")
    operation = _NUMBERS.get(asked, "") if isinstance(asked, int) else str(asked)
    if operation not in _OPERATIONS:
        raise errors.BadRequest(f"unknown filter operation {asked!r}; possible are {', '.join(_OPERATIONS)}")
    key, value = str(fields.get("key") or ""), _value(fields, operation)
    if listed.tagged and key.startswith("tags."):
        return _has_tag(listed.table, key.removeprefix("tags."), operation, value)
    column = listed.keys.get(key)
    if column is None:
        raise errors.BadRequest(f"cannot filter by {key!r}; possible are {', '.join(listed.keys)}")
    return _OPERATIONS[operation](column, _fitting(column, key, value))


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
    if not isinstance(values, list):
        raise errors.BadRequest(f'{name} must be an object {{"values": [...]}}')
    return [_scalar(name, item) for item in values]


def _scalar(name: str, value: Any) -> Any:
    try:
        if name.startswith("timestamp"):
            return clock.parse(str(value))
        return str(value) if name.startswith("string") else int(value)
    except (ValueError, TypeError) as wrong:
        raise errors.BadRequest(f"{value!r} is not a {name.partition('_')[0]}") from wrong


def _fitting(column: Column[Any], key: str, value: Any) -> Any:
    """The value as the column has it: times are numbers, states are upper case, all else is text."""
    if isinstance(value, list):
        return [_fitting(column, key, item) for item in value]
    if column.type.python_type is float:
        try:
            return float(value)
        except ValueError as wrong:
            raise errors.BadRequest(f"{key} is compared with a timestampValue, not with {value!r}") from wrong
    return str(value).upper() if key in ("state", "status", "storage_state") else str(value)


def _has_tag(table: Table, name: str, operation: str, value: Any) -> ColumnElement[bool]:
    tags = tables.tags
    holds = _OPERATIONS[operation](tags.c.value, value)
    return exists().where(and_(tags.c.owner_id == table.c.id, tags.c.key == name, holds))
