"""Runs whose time in the cluster is over: the Run object goes, and its pods with it. Records and logs stay."""

from __future__ import annotations

import asyncio

from sqlalchemy import Connection, select

from fairway.kernel import clock
from fairway.kernel.control.controller import World
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object
from fairway.pipelines import tasks
from fairway.pipelines.engine import logs
from fairway.pipelines.engine.play import Means, Play
from fairway.pipelines.kinds import RUN
from fairway.pipelines.tables import runs
from fairway.pipelines.tables import tasks as rows

_AT_ONCE = 8


def expires_at(play: Play) -> float:
    """When a run that is over now is to leave the cluster; 0 for never."""
    config, graph = play.graph.pipeline.config, play.graph
    seconds = config.ttl_success if graph.state.good else config.ttl_failure
    return play.now + seconds if seconds else 0.0


async def due(means: Means, world: World, run: Object) -> float | None:
    """The seconds until a run that is over leaves the cluster; None for never. Where that is now, its logs are kept."""
    until = (run.get("status") or {}).get("expiresAt")
    if not until:
        return None
    left = clock.parse(until) - world.clock.now()
    if left > 0:
        return left
    await _keep_logs(means, world, run)
    name, namespace = meta.name(run), meta.namespace(run)
    # It may have been asked to begin again meanwhile, of which its object may not tell yet.
    again = await means.records.read(lambda connection: tasks.is_open(connection, name, namespace))
    return None if again else 0.0


async def remove(world: World, run: Object) -> None:
    """Unless it has changed since: then Conflict is raised, and it is looked at again."""
    name, namespace, revision = meta.name(run), meta.namespace(run), str(meta.revision(run))
    await world.client.delete(RUN, name, namespace, uid=meta.uid(run), revision=revision)


async def _keep_logs(means: Means, world: World, run: Object) -> None:
    namespace, slots = meta.namespace(run), asyncio.Semaphore(_AT_ONCE)

    async def keep(pod: str, folder: str) -> None:
        async with slots:
            await logs.keep(means, world.client, pod, namespace, folder)

    found = await means.records.read(lambda connection: _pods(connection, meta.name(run), namespace))
    await asyncio.gather(*(keep(pod, folder) for pod, folder in found))


def _pods(connection: Connection, run_id: str, namespace: str) -> list[tuple[str, str]]:
    """(pod, task folder) of the newest attempt of each step, where the run is one of this namespace."""
    query = (
        select(rows.c.pod_name, rows.c.folder)
        .join(runs, runs.c.id == rows.c.run_id)
        .where(rows.c.run_id == run_id, rows.c.pod_name != "", runs.c.object_namespace == namespace)
    )
    return [(pod, folder) for pod, folder in connection.execute(query)]
