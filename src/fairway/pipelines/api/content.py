"""The bytes of artifacts.

They are given as a download, never as a page: an HTML artifact is somebody's code, and must not run as ours. A folder
is listed; each file in it has its own address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from aiohttp import web
from sqlalchemy import RowMapping

from fairway.artifacts.addresses import checked
from fairway.artifacts.store import Artifacts, Entry
from fairway.kernel.feature import Route
from fairway.kernel.objects import errors
from fairway.pipelines import far
from fairway.pipelines.api import messages
from fairway.pipelines.api.answers import answer
from fairway.pipelines.api.context import DEFAULT_NAMESPACE, Context, existing
from fairway.pipelines.tables import artifacts

_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})")
_LISTED_FILES = 1000


class Content:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        one = "/apis/v2beta1/artifacts/{id}"
        return (Route("GET", f"{one}:files", self._files), Route("GET", f"{one}:content", self._content))

    async def _files(self, request: web.Request) -> web.Response:
        """The files of an artifact that is a folder; of a file, itself under the empty path."""
        row = await self._row(request)
        store, uri = await self._store(row, row["uri"])
        single = await store.find(uri)
        found = [single] if single else await store.list(uri)
        if not found:
            raise errors.NotFound(f"there are no bytes at {row['uri']} (any more)")
        files = [{"path": entry.uri[len(uri) :].strip("/"), "size": entry.size} for entry in found[:_LISTED_FILES]]
        return answer({"files": files, "total_size": len(found)})

    async def _content(self, request: web.Request) -> web.StreamResponse:
        """The bytes of a file, or of `path` in a folder: a range with a Range header, at most `limit` with that."""
        row = await self._row(request)
        inside = request.query.get("path", "")
        asked = f"{row['uri'].rstrip('/')}/{checked(inside)}" if inside else row["uri"]
        store, uri = await self._store(row, asked)
        entry = await store.find(uri)
        if entry is None:
            raise errors.NotFound(f"there is no file at {asked}; see /apis/v2beta1/artifacts/{row['id']}:files")
        start, length, partial = _span(request, entry)
        response = web.StreamResponse(status=206 if partial else 200, headers=_headers(entry, start, length, partial))
        await response.prepare(request)
        async for chunk in store.stream(uri, start=start, length=length):
            await response.write(chunk)
        await response.write_eof()
        return response

    async def _store(self, row: RowMapping, uri: str) -> tuple[Artifacts, str]:
        """The store of an artifact, and its address there: the platform's own, or a bucket that the namespace reads."""
        if not uri.startswith(far.BUCKETS):
            return self._context.artifacts, uri
        # Of one that is gone, nothing: least of all what another namespace may read.
        return await self._context.stores.open(self._context.client, row["namespace"] or DEFAULT_NAMESPACE, uri)

    async def _row(self, request: web.Request) -> RowMapping:
        id_ = request.match_info["id"]
        return await self._context.records.read(lambda connection: existing(connection, artifacts, id_, "artifact"))


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
