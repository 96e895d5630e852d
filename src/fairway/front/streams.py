"""Answers without an end: written as they come, given up as soon as the reader is gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import web

from fairway.kernel.objects import errors

log = logging.getLogger(__name__)

_BEGIN_SECONDS = 0.2
_LOOK_SECONDS = 1.0


async def send(request: web.Request, chunks: AsyncGenerator[bytes, None], *, content_type: str) -> web.StreamResponse:
    """Send `chunks` as they come. What goes wrong at once is raised, while there still is a status code to give."""
    async with aclosing(chunks):
        pending = asyncio.create_task(_next(chunks))
        try:
            # A stream that stays silent must still begin: the reader waits for the headers.
            await asyncio.wait([pending], timeout=_BEGIN_SECONDS)
            if pending.done():
                pending.result()
            response = web.StreamResponse(headers={"Content-Type": content_type})
            await response.prepare(request)
            while (chunk := await _arrival(request, pending)) is not None:
                await response.write(chunk)
                pending = asyncio.create_task(_next(chunks))
            if not _gone(request):
                await response.write_eof()
            return response
        finally:
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)


async def _arrival(request: web.Request, pending: asyncio.Task[bytes | None]) -> bytes | None:
    """The next chunk; None at the end of the stream, and when the reader has gone while nothing came."""
    while not pending.done():
        await asyncio.wait([pending], timeout=_LOOK_SECONDS)
        if _gone(request):
            return None
    try:
        return pending.result()
    except errors.ApiError as failure:
        # Too late for a status code: an answer that breaks off tells the reader that it is not whole.
        log.warning("the stream of %s broke off: %s", request.path, failure)
        if request.transport:
            request.transport.close()
        return None


async def _next(chunks: AsyncGenerator[bytes, None]) -> bytes | None:
    async for chunk in chunks:
        return chunk
    return None


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
