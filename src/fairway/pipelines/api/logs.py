"""The log of a step: from its pod, before the pod begins, while it runs and as long as it is kept; of a step that was
ended before its time, from the task folder, where the engine put it.

A step that was taken from the cache has the log of the step that it was taken from.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from sqlalchemy import Connection, or_, select

from fairway.kernel.feature import Route
from fairway.kernel.objects import errors
from fairway.pipelines.api import messages
from fairway.pipelines.api.context import Context, existing, row
from fairway.pipelines.render import folders
from fairway.pipelines.tables import runs, tasks

_LOOK_AGAIN = 0.3
_HEADERS = {
    "Content-Type": "text/plain; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
    "X-Accel-Buffering": "no",
}


@dataclass(frozen=True)
class _Step:
    state: str
    pod: str
    namespace: str
    folder: str

    @property
    def may_begin(self) -> bool:
        return self.state in ("PENDING", "RUNNING")


class Logs:
    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        return tuple(
            Route("GET", f"/apis/{version}/runs/{{run}}/nodes/{{node}}/log", self._log)
            for version in ("v1alpha1", "v2beta1")
        )

    async def _log(self, request: web.Request) -> web.StreamResponse:
        """`node` is a task's id, or the name of its pod. With follow=true the answer ends when the step does."""
        run, node = request.match_info["run"], request.match_info["node"]
        response = web.StreamResponse(headers=_HEADERS)
        reader = asyncio.create_task(self._end_when_gone(request, asyncio.current_task()))
        try:
            async with aclosing(self._chunks(run, node, messages.flag(request, "follow"))) as chunks:
                async for chunk in chunks:
                    if not response.prepared:
                        await response.prepare(request)
                    await response.write(chunk)
            if not response.prepared:
                await response.prepare(request)
            await response.write_eof()
        finally:
            reader.cancel()
        return response

    async def _end_when_gone(self, request: web.Request, handler: asyncio.Task[Any] | None) -> None:
        """A quiet step may be followed for hours; without this, by those who went away long ago."""
        while request.transport is not None and not request.transport.is_closing():
            await self._context.clock.sleep(_LOOK_AGAIN)
        if handler is not None:
            handler.cancel()

    async def _chunks(self, run: str, node: str, follow: bool) -> AsyncGenerator[bytes, None]:
        while True:
            step = await self._context.records.read(lambda connection: _step(connection, run, node))
            if step.pod:
                try:
                    async with aclosing(self._context.client.logs(step.pod, step.namespace, follow=follow)) as log:
                        async for chunk in log:
                            yield chunk
                    return
                except errors.NotFound as gone:
                    kept = f"{step.folder}/{folders.LOG}"
                    if step.folder and await self._context.artifacts.find(kept):
                        # Piece by piece: the step itself may write there, and as much as it likes.
                        async for chunk in self._context.artifacts.stream(kept):
                            yield chunk
                        return
                    if not step.may_begin:
                        raise errors.NotFound(f"the pod {step.pod} is gone, and its log with it") from gone
                except errors.BadRequest:
                    pass  # the container has not started
            if not follow or not step.may_begin:
                return
            await self._context.clock.sleep(_LOOK_AGAIN)


def _step(connection: Connection, run: str, node: str) -> _Step:
    found = existing(connection, runs, run, "run")
    where = or_(tasks.c.id == node, tasks.c.pod_name == node)
    task = connection.execute(select(tasks).where(tasks.c.run_id == run, where)).mappings().first()
    if task is None:
        raise errors.NotFound(f'the run "{run}" has no step or pod "{node}"')
    if task["cached_from"]:
        task = row(connection, tasks, task["cached_from"]) or task
        found = row(connection, runs, task["run_id"]) or found
    return _Step(task["state"], task["pod_name"], found["object_namespace"], task["folder"])
