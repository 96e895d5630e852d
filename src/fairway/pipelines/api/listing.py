"""Lists: pages by position and not by offset, so that page 5,000 costs what page 1 costs; order; filters.

A page token says how the list was sorted and filtered and where the last page ended. With a token, sort and filter
must be the same or absent. Keys that are not in a table's list of keys are refused, in tokens too. `filtering` reads
the filters.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import orjson
from aiohttp import web
from sqlalchemy import ColumnElement, Connection, FromClause, RowMapping, func, select, tuple_

from fairway.kernel.objects import errors
from fairway.pipelines.api import filtering
from fairway.pipelines.api.answers import compact
from fairway.pipelines.api.messages import number

DEFAULT_PAGE, LARGEST_PAGE = 20, 200


@dataclass(frozen=True)
class Listed:
    """A table that is listed: what its lists may be sorted and filtered by, under the API's names."""

    table: FromClause
    keys: Mapping[str, ColumnElement[Any]]
    default: str = "created_at"
    tagged: bool = False
    words: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    """For some keys, how a client's text becomes the column's (a state is upper case)."""


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


def order_of(request: web.Request, listed: Listed, *, sort: str = "sort_by", most: int = LARGEST_PAGE) -> Order:
    """What a list request asks for. `sort` is the name of its parameter. Raises BadRequest."""
    size = min(number(request, "page_size", DEFAULT_PAGE) or DEFAULT_PAGE, most)
    asked = request.query.get(sort, "")
    key, descending = _sort(asked, listed, sort)
    filter_text = request.query.get("filter", "")
    if filter_text.startswith("%"):  # some clients encode it twice
        filter_text = unquote(filter_text)
    token = request.query.get("page_token", "")
    if not token:
        return Order(key, descending, filter_text, None, size)
    kept = _decoded(token)
    if kept.key not in listed.keys or not _fits(listed.keys[kept.key], kept.after):
        raise errors.BadRequest("the page_token is not one of this list")
    if asked and (key, descending) != (kept.key, kept.descending):
        raise errors.BadRequest(f"{sort} differs from the one of the page_token; leave it out, or start again")
    if filter_text and filter_text != kept.filter:
        raise errors.BadRequest("filter differs from the one of the page_token; leave it out, or start again")
    return Order(kept.key, kept.descending, kept.filter, kept.after, size)


def page(connection: Connection, listed: Listed, order: Order, *where: ColumnElement[bool]) -> Page:
    """One page of the rows of `listed` for which `where` and the order's filter hold."""
    table, column = listed.table, listed.keys[order.key]
    tagged = table if listed.tagged else None
    filtered = filtering.predicates(order.filter, listed.keys, tagged=tagged, words=listed.words)
    conditions = [*where, *filtered]
    total = connection.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one()
    position = tuple_(column, table.c.id)
    if order.after is not None:
        conditions.append(position < order.after if order.descending else position > order.after)
    ends = (column.desc(), table.c.id.desc()) if order.descending else (column.asc(), table.c.id.asc())
    query = select(table, column.label("sorted_by")).where(*conditions).order_by(*ends).limit(order.size + 1)
    rows = connection.execute(query).mappings().all()
    more, rows = len(rows) > order.size, rows[: order.size]
    last = rows[-1] if more else None
    return Page(rows, _encoded(order, (last["sorted_by"], last["id"])) if last else "", total)


def _sort(text: str, listed: Listed, name: str) -> tuple[str, bool]:
    words = text.lower().split()
    if not words:
        return listed.default, False
    direction = words[1] if len(words) > 1 else "asc"
    if len(words) > 2 or direction not in ("asc", "desc"):
        raise errors.BadRequest(f'{name} must be "FIELD", "FIELD asc" or "FIELD desc", not {text!r}')
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
        return Order(str(kept["key"]), bool(kept["desc"]), str(kept["filter"]), after, 0)
    except (binascii.Error, ValueError, KeyError, TypeError) as wrong:
        raise errors.BadRequest("the page_token is not one of ours; start again without it") from wrong


def _fits(column: ColumnElement[Any], after: tuple[Any, str] | None) -> bool:
    """Whether a position, which may come from anybody, can be compared with the column."""
    assert after is not None
    kinds = (int, float) if filtering.is_number(column) else (str,)
    return isinstance(after[0], kinds) and "\0" not in f"{after[0]}{after[1]}"
