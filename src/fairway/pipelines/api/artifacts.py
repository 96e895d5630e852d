"""Artifacts: their records, and which tasks made or took which of them. Their bytes are given by `content`."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson
from aiohttp import web
from sqlalchemy import ColumnElement, Connection, func, select, tuple_

from fairway.kernel.feature import Route
from fairway.kernel.objects import errors
from fairway.pipelines.api import messages
from fairway.pipelines.api.answers import answer, compact
from fairway.pipelines.api.artifact_messages import link, message, title
from fairway.pipelines.api.context import Context, existing
from fairway.pipelines.api.filtering import is_amount, is_text
from fairway.pipelines.api.listing import DEFAULT_PAGE, LARGEST_PAGE, Listed, order_of, page
from fairway.pipelines.tables import artifacts, task_artifacts

LISTED = Listed(
    artifacts,
    {
        "created_at": artifacts.c.created_at,
        "artifact_id": artifacts.c.id,
        "id": artifacts.c.id,
        "name": artifacts.c.name,
        "type": artifacts.c.type,
        "uri": artifacts.c.uri,
        "namespace": artifacts.c.namespace,
    },
    orders={
        "type": (artifacts.c.type, artifacts.c.created_at),
        "namespace": (artifacts.c.namespace, artifacts.c.created_at),
        "uri": (artifacts.c.uri_head,),
    },
    words={"type": title},
    heads={"uri": artifacts.c.uri_head},
)
_LINK = (task_artifacts.c.task_id, task_artifacts.c.output, task_artifacts.c.key, task_artifacts.c.position)
"""What a link is known by, and what lists of links are sorted by."""
_MOST_IDS = 200


class ArtifactRecords:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        one = "/apis/v2beta1/artifacts/{id}"
        return (
            Route("GET", "/apis/v2beta1/artifacts", self._list),
            Route("GET", "/apis/v2beta1/artifact_tasks", self._links),
            Route("GET", one, self._get),
        )

    async def _list(self, request: web.Request) -> web.Response:
        order = order_of(request, LISTED)
        where: list[ColumnElement[bool]] = []
        if request.query.get("namespace"):
            where.append(artifacts.c.namespace == await self._context.namespace(request.query["namespace"]))
        found = await self._context.records.read(lambda connection: page(connection, LISTED, order, *where))
        return answer(found.wire("artifacts", [message(row) for row in found.rows]))

    async def _get(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]
        return answer(await self._context.records.read(lambda c: message(existing(c, artifacts, id_, "artifact"))))

    async def _links(self, request: web.Request) -> web.Response:
        """Which tasks made or took which artifacts; by runs, tasks or artifacts, each a repeated parameter."""
        where, after = _asked(request), _after(request)
        size = min(messages.number(request, "page_size", DEFAULT_PAGE) or DEFAULT_PAGE, LARGEST_PAGE)

        def read(connection: Connection) -> dict[str, Any]:
            total = connection.execute(select(func.count()).select_from(task_artifacts).where(*where)).scalar_one()
            query = select(task_artifacts).where(*where).order_by(*_LINK).limit(size + 1)
            found = connection.execute(query if after is None else query.where(tuple_(*_LINK) > after)).mappings().all()
            token = _token([found[size - 1][column.name] for column in _LINK]) if len(found) > size else ""
            shown = [link(dict(row)) for row in found[:size]]
            return compact({"artifact_tasks": shown, "next_page_token": token, "total_size": total})

        return answer(await self._context.records.read(read))


def _asked(request: web.Request) -> list[ColumnElement[bool]]:
    columns = {
        "run_ids": task_artifacts.c.run_id,
        "task_ids": task_artifacts.c.task_id,
        "artifact_ids": task_artifacts.c.artifact_id,
    }
    where: list[ColumnElement[bool]] = []
    for name, column in columns.items():
        ids = [messages.storable(id_, name) for id_ in request.query.getall(name, [])]
        if not all(ids) or len(ids) > _MOST_IDS:
            raise errors.BadRequest(f"{name} must be ids, at most {_MOST_IDS} of them")
        if ids:
            where.append(column.in_(ids))
    if not where:
        raise errors.BadRequest(f"ask for some of {', '.join(columns)}")
    for name in ("sort_by", "filter"):
        if request.query.get(name):
            raise errors.BadRequest(f"these are not listed with {name}; ask by {', '.join(columns)} and type")
    if request.query.get("type"):
        where.append(task_artifacts.c.type == messages.storable(request.query["type"], "type"))
    return where


def _token(position: list[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(position)).decode()


def _after(request: web.Request) -> tuple[Any, ...] | None:
    token = request.query.get("page_token", "")
    if not token:
        return None
    try:
        task, output, key, number = orjson.loads(base64.urlsafe_b64decode(token))
        if not (is_text(task) and isinstance(output, bool) and is_text(key) and is_amount(number)):
            raise ValueError(token)
        return task, output, key, number
    except (binascii.Error, ValueError, TypeError) as wrong:
        raise errors.BadRequest("the page_token is not one of ours; start again without it") from wrong
