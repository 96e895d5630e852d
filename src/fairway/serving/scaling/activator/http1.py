"""HTTP/1.1 through a door: a request waits in the hall, and is then sent on and answered piece by piece.

A pod that cannot be connected to has not seen the request, so another is tried. What a pod began to answer is never
sent again. Whoever hangs up leaves the hall.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from fairway.serving.scaling.activator.hall import CannotWake, NoRoom
from fairway.serving.scaling.activator.room import Room

_PIECE = 64 * 1024
_NOT_REACHED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_AGAIN = 0.02
"""Seconds until another pod is tried."""
_OF_THE_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")
)


class Http1:
    """What is behind one HTTP/1.1 door. `target` is the port of the pods."""

    def __init__(self, room: Room, target: int, session: aiohttp.ClientSession) -> None:
        self._room, self._session = room, session
        self.target = target

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if "upgrade" in request.headers.get("Connection", "").lower():
            return _answer(501, "Connections that change their protocol cannot wait for a service that sleeps.")
        with self._room.visit():
            return await self._held(request)

    async def _held(self, request: web.BaseRequest) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._room.patience
        try:
            while True:
                async with asyncio.timeout_at(deadline):
                    pod = await self._room.hall.enter()
                try:
                    return await self._forwarded(request, pod, deadline)
                except _NOT_REACHED:
                    self._room.hall.without(pod)
                finally:
                    self._room.hall.leave(pod)
                await asyncio.sleep(_AGAIN)
        except NoRoom:
            return _answer(503, f"Too many requests wait for {self._room.name}; try again in a moment.")
        except CannotWake as reason:
            return _answer(503, f"{self._room.name} does not start: {reason}")
        except TimeoutError:
            waited = f"{self._room.patience:g} seconds"
            return _answer(503, f"{self._room.name} has had no pod that answers for {waited}; see its pods.")

    async def _forwarded(self, request: web.BaseRequest, pod: str, deadline: float) -> web.StreamResponse:
        """Raises what says that the pod was not reached."""
        url = URL(f"http://{pod}:{self.target}{request.raw_path}", encoded=True)
        body = _pieces(request.content) if request.body_exists else None
        headers = _passed_on(request.headers)
        try:
            async with asyncio.timeout_at(deadline) as limit:
                async with self._session.request(
                    request.method, url, headers=headers, data=body, allow_redirects=False
                ) as answer:
                    limit.reschedule(None)  # it answers, and may do so for as long as it likes
                    return await _sent_back(request, answer)
        except _NOT_REACHED:
            raise
        except TimeoutError:
            return _answer(504, f"{self._room.name} has not answered within {self._room.patience:g} seconds.")
        except aiohttp.ClientError as failure:
            return _answer(502, f"The pod of {self._room.name} broke off: {failure}")


async def _sent_back(request: web.BaseRequest, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=_passed_on(answer.headers))
    if "Content-Length" not in answer.headers and request.version == aiohttp.HttpVersion11:
        response.enable_chunked_encoding()
    await response.prepare(request)
    try:
        async for piece in answer.content.iter_any():
            await response.write(piece)
        await response.write_eof()
    except aiohttp.ClientError:
        # Half an answer was sent: the only honest end is a broken connection.
        if request.transport is not None:
            request.transport.abort()
    return response


async def _pieces(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    while piece := await content.read(_PIECE):
        yield piece


def _passed_on(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    dropped = _OF_THE_HOP | {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in dropped)


def _answer(status: int, sentence: str) -> web.Response:
    headers = {"Retry-After": "1"} if status == 503 else None
    return web.json_response({"error": sentence}, status=status, headers=headers)
