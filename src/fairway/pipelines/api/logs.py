"""The log of a step: from its pod as long as there is one, from the artifact `executor-logs` afterwards."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import web
from sqlalchemy import Connection, RowMapping, or_, select

from fairway.kernel.feature import Route
from fairway.kernel.objects import errors
from fairway.pipelines.api import messages
from fairway.pipelines.api.context import Context, existing
from fairway.pipelines.tables import artifacts, runs, task_artifacts, tasks

ARCHIVED = "executor-logs"
_WAITING = ("PENDING", "RUNNING")


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
        follow = messages.flag(request, "follow")
        task, namespace = await self._context.records.read(lambda connection: _step(connection, run, node))
        pod = node if node != task["id"] else task["pod_name"]
        while not pod and follow and task["state"] in _WAITING:
            await self._context.clock.sleep(0.5)
            task, namespace = await self._context.records.read(lambda connection: _step(connection, run, node))
            pod = task["pod_name"]
        response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8", "X-Accel-Buffering": "no"})
        async with aclosing(self._lines(task, pod, namespace, follow)) as lines:
            async for chunk in lines:
                if not response.prepared:
                    await response.prepare(request)
                await response.write(chunk)
        if not response.prepared:
            await response.prepare(request)
        await response.write_eof()
        return response

    async def _lines(self, task: RowMapping, pod: str, namespace: str, follow: bool) -> AsyncGenerator[bytes, None]:
        started = False
        while pod:
            try:
                async with aclosing(self._context.client.logs(pod, namespace, follow=follow)) as log:
                    async for chunk in log:
                        started = True
                        yield chunk
                return
            except errors.NotFound:
                break
            except errors.BadRequest:  # the container has not started
                if started or not follow:
                    return
                await self._context.clock.sleep(0.3)
        async for chunk in self._archived(task["id"]):
            yield chunk

    async def _archived(self, task: str) -> AsyncGenerator[bytes, None]:
        uri = await self._context.records.read(lambda connection: _archive(connection, task))
        if uri and await self._context.artifacts.find(uri):
            async for chunk in self._context.artifacts.stream(uri):
                yield chunk


def _step(connection: Connection, run: str, node: str) -> tuple[RowMapping, str]:
    found = existing(connection, runs, run, "run")
    where = or_(tasks.c.id == node, tasks.c.pod_name == node)
    task = connection.execute(select(tasks).where(tasks.c.run_id == run, where)).mappings().first()
    if task is None:
        raise errors.NotFound(f'the run "{run}" has no step or pod "{node}"')
    return task, found["object_namespace"]


def _archive(connection: Connection, task: str) -> str:
    joined = task_artifacts.join(artifacts, artifacts.c.id == task_artifacts.c.artifact_id)
    where = (task_artifacts.c.task_id == task) & (task_artifacts.c.key == ARCHIVED)
    return str(connection.execute(select(artifacts.c.uri).select_from(joined).where(where)).scalar() or "")
