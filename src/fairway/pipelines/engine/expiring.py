"""Runs whose time in the cluster is over: the Run object goes, and its pods with it. Records and logs stay."""

from __future__ import annotations

import asyncio

from sqlalchemy import Connection, select

from fairway.kernel import clock
from fairway.kernel.control.controller import World
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.pipelines.engine import logs
from fairway.pipelines.engine.play import Means, Play
from fairway.pipelines.kinds import RUN
from fairway.pipelines.tables import tasks

_AT_ONCE = 8


def expires_at(play: Play) -> float:
    """When a run that is over now is to leave the cluster; 0 for never."""
    config, graph = play.graph.pipeline.config, play.graph
    seconds = config.ttl_success if graph.state.good else config.ttl_failure
    return play.now + seconds if seconds else 0.0


async def expire(means: Means, world: World, run: Object) -> float | None:
    """Remove a run that is over, if its time has come. Gives the seconds until then, and None for never."""
    until = (run.get("status") or {}).get("expiresAt")
    if not until:
        return None
    left = clock.parse(until) - world.clock.now()
    if left > 0:
        return left
    await _keep_logs(means, world, run)
    await world.client.delete(RUN, meta.name(run), meta.namespace(run), uid=meta.uid(run))
    return None


async def _keep_logs(means: Means, world: World, run: Object) -> None:
    namespace, slots = meta.namespace(run), asyncio.Semaphore(_AT_ONCE)

    async def keep(pod: str, folder: str) -> None:
        async with slots:
            await logs.keep(means, world.client, pod, namespace, folder)

    found = await means.records.read(lambda connection: _pods(connection, str(run["spec"]["runId"])))
    await asyncio.gather(*(keep(pod, folder) for pod, folder in found))


def _pods(connection: Connection, run_id: str) -> list[tuple[str, str]]:
    """(pod, task folder) of the newest attempt of each step."""
    query = select(tasks.c.pod_name, tasks.c.folder).where(tasks.c.run_id == run_id, tasks.c.pod_name != "")
    return [(pod, folder) for pod, folder in connection.execute(query)]
