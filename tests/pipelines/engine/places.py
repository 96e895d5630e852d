"""Where the engine is tested with all that is real: a cluster in the test, records, artifacts, pods as processes."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import select

from fairway.artifacts.store import Artifacts
from fairway.kernel.control import controller
from fairway.kernel.control.controller import World
from fairway.kernel.control.mirror import Mirrors
from fairway.kernel.objects.kinds import Object
from fairway.pipelines import tasks
from fairway.pipelines.controller import Engine
from fairway.pipelines.engine.play import Means
from fairway.pipelines.kinds import RUN
from fairway.pipelines.tables import runs, specs
from fairway.pipelines.tables import tasks as task_rows
from fairway.records.database import Database
from fairway.testing.cluster import Cluster


@dataclass
class Here:
    """A cluster with records and artifacts, and engines that the test starts and ends."""

    cluster: Cluster
    records: Database
    artifacts: Artifacts

    @contextlib.asynccontextmanager
    async def engine(self) -> AsyncGenerator[None, None]:
        """One life of the engine: at the end of the block it is gone with all that it remembers."""
        async with contextlib.AsyncExitStack() as stack:
            group = await stack.enter_async_context(asyncio.TaskGroup())
            clock, client = self.cluster.platform.clock, self.cluster.client
            stop = asyncio.Event()

            async def live() -> None:
                with contextlib.suppress(_Ended):
                    async with asyncio.TaskGroup() as inner:
                        world = World(client, clock, Mirrors(client, clock, inner))
                        engine = Engine(Means(self.records, self.artifacts))
                        inner.create_task(controller.run(engine.controller(), world))
                        await stop.wait()
                        raise _Ended

            async def guarded() -> None:
                try:
                    await live()
                except* _Ended:
                    pass

            group.create_task(guarded())
            yield
            stop.set()

    async def submit(self, spec: dict[str, Any], platform: dict[str, Any] | None = None, /, **parameters: Any) -> str:
        run_id = str(uuid.uuid4())
        body = orjson.dumps({"pipeline_spec": spec, "platform_spec": platform}).decode()
        now = self.cluster.platform.clock.now()
        row = {
            "id": run_id,
            "display_name": "a run",
            "namespace": "default",
            "object_namespace": "default",
            "storage_state": "AVAILABLE",
            "state": "PENDING",
            "pipeline_name": spec["pipelineInfo"]["name"],
            "spec_digest": run_id,
            "parameters": parameters,
            "created_at": now,
            "scheduled_at": now,
            "outputs": {},
        }

        def write(connection: Any) -> None:
            connection.execute(specs.insert().values(digest=run_id, body=body))
            connection.execute(runs.insert().values(**row))

        await self.records.write(write)
        await self.cluster.client.create(RUN, RUN.new(run_id, "default", spec={"runId": run_id}))
        return run_id

    async def ended(self, run_id: str, *, retries: int = 0) -> Object:
        def over(run: Object | None) -> bool:
            status = (run or {}).get("status") or {}
            return status.get("phase") in tasks.OVER and (status.get("retries") or 0) == retries

        run = await self.cluster.client.wait(RUN, run_id, "default", over, timeout=40)
        assert run is not None
        return run

    async def states(self, run_id: str) -> dict[str, str]:
        query = select(task_rows.c.scope_path, task_rows.c.state).where(task_rows.c.run_id == run_id)
        return {path: state for path, state in await self.records.read(lambda c: c.execute(query).all()) if path}


class _Ended(Exception):
    pass
