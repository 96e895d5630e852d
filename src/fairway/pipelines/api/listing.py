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
from fairway.pipelines.api import filtering, ranking
from fairway.pipelines.api.answers import compact
from fairway.pipelines.api.messages import number

DEFAULT_PAGE, LARGEST_PAGE = 20, 200
LARGEST_ANSWER = 64 << 20
"""Most bytes of pipelines in one page: two hundred runs of packages of the largest size fill no memory."""

Weigh = Callable[[Connection, Sequence[RowMapping]], Sequence[int]]
"""The bytes that each row's message has beside the row."""


@dataclass(frozen=True)
class Listed:
    """A table that is listed: what its lists may be sorted and filtered by, under the API's names."""

    table: FromClause
    keys: Mapping[str, ColumnElement[Any]]
    default: str = "created_at"
    tagged: bool = False
    ranked: bool = False
    """Whether it is the table of runs, which can be sorted by their metrics."""
    words: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    """For some keys, how a client's text becomes the column's (a state is upper case)."""
    orders: Mapping[str, tuple[ColumnElement[Any], ...]] = field(default_factory=dict)
    """For some keys, the columns of the index that a list sorted by it is read along; before the id, the last one."""

    heads: Mapping[str, ColumnElement[Any]] = field(default_factory=dict)
    """For some keys, the column with the beginning of the text, which has the index (see `tables`)."""
    filters: Mapping[str, ColumnElement[Any]] = field(default_factory=dict)
    """Keys that lists are filtered by, and not sorted."""

    def sorts(self, key: str) -> bool:
        return key in self.keys or (self.ranked and ranking.is_metric(key))

    def conditions(self, filter_: str) -> list[ColumnElement[bool]]:
        tagged = self.table if self.tagged else None
        terms = filtering.Terms({**self.keys, **self.filters}, self.words, self.heads, tagged)
        return filtering.predicates(filter_, terms)

    def order(self, key: str) -> tuple[ColumnElement[Any], ...]:
        return (*(self.orders.get(key) or (self.keys[key],)), self.table.c.id)


@dataclass(frozen=True)
class Order:
    """How one list is sorted and filtered, and after which row, by the values that it is sorted by, the page begins."""

    key: str
    descending: bool
    filter: str
    after: tuple[Any, ...] | None
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
    if not listed.sorts(kept.key) or not _fits(listed, kept):
        raise errors.BadRequest("the page_token is not one of this list")
    if asked and (key, descending) != (kept.key, kept.descending):
        raise errors.BadRequest(f"{sort} differs from the one of the page_token; leave it out, or start again")
    if filter_text and filter_text != kept.filter:
        raise errors.BadRequest("filter differs from the one of the page_token; leave it out, or start again")
    return Order(kept.key, kept.descending, kept.filter, kept.after, size)


def page(
    connection: Connection, listed: Listed, order: Order, *where: ColumnElement[bool], weigh: Weigh | None = None
) -> Page:
    """One page of the rows of `listed` for which `where` and the order's filter hold.

    Which rows it has is found in indexes, as far as they go; then those rows alone are read, for they are wide. With
    `weigh` it has no more of them than `LARGEST_ANSWER` bears, and the next page begins there.
    """
    table, conditions = listed.table, [*where, *listed.conditions(order.filter)]
    found = _positions(connection, listed, order, conditions)
    shown = found[: order.size]
    if order.after is None and len(found) <= order.size:
        total = len(found)
    else:
        total = connection.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one()
    rows = _rows(connection, table, [position[-1] for position in shown])
    if weigh is not None:
        rows = rows[: _bearable(weigh(connection, rows))]
    return Page(rows, token_after(order, shown[len(rows) - 1]) if len(found) > len(rows) else "", total)


def _bearable(weights: Sequence[int]) -> int:
    """How many rows, one at least."""
    whole = 0
    for count, weight in enumerate(weights):
        whole += weight
        if count and whole > LARGEST_ANSWER:
            return count
    return len(weights)


def token_after(order: Order, after: tuple[Any, ...]) -> str:
    """The token of the page that begins behind a row, given by what the list is sorted by."""
    token = {"key": order.key, "desc": order.descending, "filter": order.filter, "after": after}
    return base64.urlsafe_b64encode(orjson.dumps(token)).decode()


def _positions(
    connection: Connection, listed: Listed, order: Order, where: Sequence[ColumnElement[bool]]
) -> list[tuple[Any, ...]]:
    """What the page's rows are sorted by, their ids last; one more than fit, where there are more."""
    if ranking.is_metric(order.key):
        return ranking.positions(
            connection, order.key, where, after=order.after, descending=order.descending, limit=order.size + 1
        )
    columns, conditions = listed.order(order.key), [*where]
    if order.after is not None:
        position = tuple_(*columns)
        conditions.append(position < order.after if order.descending else position > order.after)
    ends = [column.desc() if order.descending else column.asc() for column in columns]
    query = select(*columns).where(*conditions).order_by(*ends).limit(order.size + 1)
    return [tuple(row) for row in connection.execute(query)]


def _rows(connection: Connection, table: FromClause, ids: Sequence[str]) -> list[RowMapping]:
    found = connection.execute(select(table).where(table.c.id.in_(ids))).mappings() if ids else ()
    by_id = {row["id"]: row for row in found}
    return [by_id[id_] for id_ in ids]


def _sort(text: str, listed: Listed, name: str) -> tuple[str, bool]:
    words = text.split()
    if not words:
        return listed.default, False
    key = words[0] if ranking.is_metric(words[0]) else words[0].lower()
    direction = words[1].lower() if len(words) > 1 else "asc"
    if len(words) > 2 or direction not in ("asc", "desc"):
        raise errors.BadRequest(f'{name} must be "FIELD", "FIELD asc" or "FIELD desc", not {text!r}')
    if not listed.sorts(key):
        possible = [*listed.keys, *([f"{ranking.PREFIX}NAME"] if listed.ranked else [])]
        raise errors.BadRequest(f"cannot sort by {words[0]!r}; possible are {', '.join(possible)}")
    return key, direction == "desc"


def _decoded(token: str) -> Order:
    try:
        kept = orjson.loads(base64.urlsafe_b64decode(token))
        return Order(str(kept["key"]), bool(kept["desc"]), str(kept["filter"]), tuple(kept["after"]), 0)
    except (binascii.Error, ValueError, KeyError, TypeError) as wrong:
        raise errors.BadRequest("the page_token is not one of ours; start again without it") from wrong


def _fits(listed: Listed, order: Order) -> bool:
    """Whether a position, which may come from anybody, can be compared with what the list is sorted by."""
    assert order.after is not None
    if ranking.is_metric(order.key):
        return ranking.fits(order.after)
    columns = listed.order(order.key)
    return len(order.after) == len(columns) and all(map(_comparable, columns, order.after))


def _comparable(column: ColumnElement[Any], value: Any) -> bool:
    return filtering.is_amount(value) if filtering.is_number(column) else filtering.is_text(value)
