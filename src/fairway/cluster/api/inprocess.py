"""The API without a wire: a kernel `Transport` that acts in the name of one identity.

It skips JSON, TLS and sockets, and nothing else: the same pipeline, the same checks, the same errors. What a
caller passes in is copied; what it gets is the store's own objects, which are shared and must not be changed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from fairway.cluster.api import refusals
from fairway.cluster.api.auditing.visits import Visit
from fairway.cluster.api.calls import Call, Reply
from fairway.cluster.api.patches import copied
from fairway.cluster.api.pipeline import Pipeline
from fairway.kernel.client.transport import JSON, WatchEvent
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import Object


class InProcessTransport:
    def __init__(self, pipeline: Pipeline, identity: Identity) -> None:
        self._pipeline, self._identity = pipeline, identity

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
    ) -> Object:
        backend = self._pipeline.backend
        visit = Visit(
            backend.audit.numbers.next(), method, path, query or {}, backend.clock.now(), "", "", self._identity
        )
        try:
            reply = await self._answer(visit, body, content_type)
        except errors.ApiError as error:
            backend.audit.visited(visit, error.code, error, platform=True)
            raise
        backend.audit.visited(visit, reply.code, platform=True)
        return reply.whole()

    async def _answer(self, visit: Visit, body: Any, content_type: str) -> Reply:
        if (elsewhere := self._pipeline.elsewhere(visit.path)) is not None:
            visit.elsewhere = self._pipeline.admit(self._identity, visit.method, visit.path, visit.query)
            aggregator, query = self._pipeline.backend.aggregator, visit.query
            return Reply(
                await aggregator.ask(elsewhere, self._identity, visit.method, visit.path, query, body, content_type)
            )
        call = visit.call = self._pipeline.call(self._identity, visit.method, visit.path, visit.query)
        if call is None:
            return self._pipeline.document(self._identity, visit.method, visit.path, visit.query)
        call.body, call.content_type = (copied(body) if body is not None else None), content_type
        return await self._pipeline.answer(call)

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[WatchEvent, None]:
        # Without a timeout a watch here never breaks, so nobody needs bookmarks to resume from.
        query = {**query, "watch": "true"}
        if (elsewhere := self._pipeline.elsewhere(path)) is not None:
            self._pipeline.admit(self._identity, "GET", path, query)
            async for told in self._pipeline.backend.aggregator.watch(elsewhere, self._identity, path, query):
                yield told
            return
        call = self._call(path, query)
        events = await self._pipeline.watch(call, timed="timeoutSeconds" in query)
        try:
            async for event in events:
                yield WatchEvent(event.type, event.object)
        finally:
            await events.aclose()

    async def stream(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        chunks = self._pipeline.log(self._call(path, query))
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            await chunks.aclose()

    async def close(self) -> None:
        """There is nothing to close."""

    def _call(self, path: str, query: Mapping[str, str]) -> Call:
        call = self._pipeline.call(self._identity, "GET", path, query)
        if call is None:
            raise refusals.no_such_path()
        return call
