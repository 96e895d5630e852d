"""Uploads: a multipart form with one file part, `uploadfile`, and everything else in the query."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from fairway.kernel.feature import IDENTITY, Route
from fairway.kernel.objects import errors
from fairway.pipelines.api import messages, pipelines, versions
from fairway.pipelines.api.answers import answer
from fairway.pipelines.api.context import Context
from fairway.pipelines.api.packages import LIMIT, Documents, checked

PART = "uploadfile"
_AT_ONCE = 2
"""Packages that are read at a time: a large one takes half a gigabyte until it is known what is in it."""


class Uploads:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._reading = asyncio.Semaphore(_AT_ONCE)

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("POST", "/apis/v2beta1/pipelines/upload", self._pipeline),
            Route("POST", "/apis/v2beta1/pipelines/upload_version", self._version),
        )

    async def _pipeline(self, request: web.Request) -> web.Response:
        documents, file_name = await self._uploaded(request)
        fields = _fields(request)
        if not fields.get("name") and not fields.get("display_name"):
            fields["name"] = file_name
        source = {"code_source_url": fields.pop("code_source_url", "")}
        return answer(await pipelines.create(self._context, fields, (source, documents)))

    async def _version(self, request: web.Request) -> web.Response:
        pipeline = request.query.get("pipelineid", "")
        if not pipeline:
            raise errors.BadRequest("pipelineid is missing in the query")
        documents, file_name = await self._uploaded(request)
        fields = _fields(request)
        if not fields.get("name") and not fields.get("display_name"):
            fields["name"] = file_name
        return answer(await versions.create(self._context, pipeline, fields, documents, request[IDENTITY]))

    async def _uploaded(self, request: web.Request) -> tuple[Documents, str]:
        """The checked package in the form, and its file name."""
        try:
            content, name = await _part(request)
        except (ValueError, HttpProcessingError) as wrong:
            said = str(wrong) or type(wrong).__name__
            raise errors.BadRequest(f"the multipart form cannot be read: {said}") from wrong
        async with self._reading:
            return await asyncio.to_thread(checked, content, name), name


def _fields(request: web.Request) -> dict[str, Any]:
    fields: dict[str, Any] = {
        name: request.query[name]
        for name in ("name", "display_name", "description", "namespace", "code_source_url")
        if name in request.query
    }
    if request.query.get("tags"):
        try:
            fields["tags"] = orjson.loads(request.query["tags"])
        except orjson.JSONDecodeError as wrong:
            raise errors.BadRequest(f"tags must be a JSON object: {wrong}") from wrong
    messages.tags(fields)
    return fields


async def _part(request: web.Request) -> tuple[bytes, str]:
    """The file in the form, and its name."""
    if not request.content_type.startswith("multipart/"):
        raise errors.BadRequest(f"an upload is a multipart form with a file part named {PART}")
    form = await request.multipart()
    while (part := await form.next()) is not None:
        if isinstance(part, BodyPartReader) and part.name == PART:
            name = (part.filename or "pipeline.yaml").encode(errors="replace").decode()
            return await _content(part, name), name
    raise errors.BadRequest(f"the form has no file part named {PART}")


async def _content(part: BodyPartReader, name: str) -> bytes:
    content = bytearray()
    while chunk := await part.read_chunk(1 << 18):
        content += chunk
        if len(content) > LIMIT:
            raise errors.TooLarge(f"{name} is larger than {LIMIT >> 20} MiB")
    return bytes(content)
