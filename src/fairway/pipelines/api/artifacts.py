"""Artifacts: their records, the links between them and tasks, and their bytes.

Bytes are given as a download, never as a page: an HTML artifact is somebody's code, and must not run as ours.
A folder is listed; each file in it has its own address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from aiohttp import web
from sqlalchemy import ColumnElement, RowMapping, select

from fairway.artifacts.addresses import checked
from fairway.artifacts.store import Entry
from fairway.kernel.feature import Route
from fairway.kernel.objects import errors
from fairway.pipelines.api import messages
from fairway.pipelines.api.answers import answer, compact, moment
from fairway.pipelines.api.context import Context, existing
from fairway.pipelines.api.listing import Listed, order_of, page
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
)
_TYPES = {"system.Metrics": "Metric", "system.ClassificationMetrics": "ClassificationMetric",
          "system.SlicedClassificationMetrics": "SlicedClassificationMetric"}  # fmt: skip
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_LISTED_FILES = 1000


class ArtifactRecords:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        one = "/apis/v2beta1/artifacts/{id}"
        return (
            Route("GET", "/apis/v2beta1/artifacts", self._list),
            Route("GET", "/apis/v2beta1/artifact_tasks", self._links),
            Route("GET", f"{one}:files", self._files),
            Route("GET", f"{one}:content", self._content),
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
        return answer(message(await self._row(request)))

    async def _links(self, request: web.Request) -> web.Response:
        """Which tasks made or took which artifacts; by runs, tasks or artifacts, each a repeated parameter."""
        columns = {
            "run_ids": task_artifacts.c.run_id,
            "task_ids": task_artifacts.c.task_id,
            "artifact_ids": task_artifacts.c.artifact_id,
        }
        where = [column.in_(request.query.getall(name)) for name, column in columns.items() if name in request.query]
        if not where:
            raise errors.BadRequest(f"ask for some of {', '.join(columns)}")
        query = select(task_artifacts).where(*where).order_by(task_artifacts.c.task_id, task_artifacts.c.key)
        found = await self._context.records.read(lambda connection: connection.execute(query).mappings().all())
        return answer(compact({"artifact_tasks": [_link(row) for row in found], "total_size": len(found)}))

    async def _files(self, request: web.Request) -> web.Response:
        """The files of an artifact that is a folder; of a file, itself under the empty path."""
        uri = (await self._row(request))["uri"]
        single = await self._context.artifacts.find(uri)
        found = [single] if single else await self._context.artifacts.list(uri)
        if not found:
            raise errors.NotFound(f"there are no bytes at {uri} (any more)")
        files = [{"path": entry.uri[len(uri) :].strip("/"), "size": entry.size} for entry in found[:_LISTED_FILES]]
        return answer({"files": files, "total_size": len(found)})

    async def _content(self, request: web.Request) -> web.StreamResponse:
        """The bytes of a file, or of `path` in a folder: a range with a Range header, at most `limit` with that."""
        row = await self._row(request)
        inside = request.query.get("path", "")
        uri = f"{row['uri'].rstrip('/')}/{checked(inside)}" if inside else row["uri"]
        entry = await self._context.artifacts.find(uri)
        if entry is None:
            raise errors.NotFound(f"there is no file at {uri}; see /apis/v2beta1/artifacts/{row['id']}:files")
        start, length, partial = _span(request, entry)
        response = web.StreamResponse(status=206 if partial else 200, headers=_headers(entry, start, length, partial))
        await response.prepare(request)
        async for chunk in self._context.artifacts.stream(uri, start=start, length=length):
            await response.write(chunk)
        await response.write_eof()
        return response

    async def _row(self, request: web.Request) -> RowMapping:
        id_ = request.match_info["id"]
        return await self._context.records.read(lambda connection: existing(connection, artifacts, id_, "artifact"))


def message(row: RowMapping) -> dict[str, Any]:
    return _artifact(row, row["id"], row["type"])


def linked(link: RowMapping) -> dict[str, Any]:
    """The artifact in a row that joins it to a task."""
    return _artifact(link, link["artifact_id"], link["artifact_type"])


def _artifact(row: RowMapping, id_: str, type_: str) -> dict[str, Any]:
    found = compact(
        {
            "artifact_id": id_,
            "name": row["name"],
            "description": row["description"],
            "type": _TYPES.get(type_, type_.removeprefix("system.")),
            "uri": row["uri"],
            "metadata": row["metadata"],
            "created_at": moment(row["created_at"]),
            "namespace": row["namespace"],
        }
    )
    if row["number_value"] is not None:
        found["number_value"] = row["number_value"]
    return found


def _link(row: RowMapping) -> dict[str, Any]:
    return compact(
        {
            "id": f"{row['task_id']}/{'out' if row['output'] else 'in'}/{row['key']}/{row['position']}",
            "artifact_id": row["artifact_id"],
            "run_id": row["run_id"],
            "task_id": row["task_id"],
            "type": row["type"],
            "key": row["key"],
            "producer": compact({"task_name": row["producer_task_name"]}),
        }
    )


def _span(request: web.Request, entry: Entry) -> tuple[int, int, bool]:
    """(start, length, whether it is a part) of what is to be sent."""
    limit = messages.number(request, "limit", 0) or entry.size
    header = request.headers.get("Range", "")
    if not header:
        return 0, min(limit, entry.size), False
    match = _RANGE.fullmatch(header.strip())
    if match is None:
        raise errors.BadRequest(f"the range {header!r} is not supported; ask for bytes=FIRST-LAST")
    start = int(match[1])
    end = min(int(match[2]) + 1, entry.size) if match[2] else entry.size
    if start >= entry.size or end <= start:
        raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{entry.size}"})
    return start, min(end - start, limit), True


def _headers(entry: Entry, start: int, length: int, partial: bool) -> Mapping[str, str]:
    name = quote(entry.uri.rsplit("/", 1)[-1])
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Length": str(length),
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        "X-Content-Type-Options": "nosniff",
        "X-Artifact-Size": str(entry.size),
        "Accept-Ranges": "bytes",
    }
    if partial:
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{entry.size}"
    return headers
