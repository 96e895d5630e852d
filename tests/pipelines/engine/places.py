"""Where the engine is tested with all that is real: a cluster in the test, records, artifacts, pods as processes."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, select

from fairway.artifacts.store import Artifacts
from fairway.kernel.control import controller
from fairway.kernel.control.controller import World
from fairway.kernel.control.mirror import Mirrors
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import POD, Object
from fairway.pipelines import tasks
from fairway.pipelines.approvals import WAITING
from fairway.pipelines.controller import Engine
from fairway.pipelines.engine.crowding import Crowding
from fairway.pipelines.engine.play import Means
from fairway.pipelines.kinds import RUN
from fairway.pipelines.settings import PipelinesSettings
from fairway.pipelines.stores import Stores
from fairway.pipelines.tables import approvals, runs, specs
from fairway.pipelines.tables import tasks as task_rows
from fairway.records.database import Database
from fairway.testing.cluster import Cluster


@dataclass
class Here:
    """A cluster with records and artifacts, and engines that the test starts and ends."""

    cluster: Cluster
    records: Database
    artifacts: Artifacts
    settings: PipelinesSettings = field(default_factory=PipelinesSettings)
    stores: Stores = field(default_factory=Stores)

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
                        means = Means(self.records, self.artifacts, settings=self.settings, stores=self.stores)
                        engine = Engine(means)
                        inner.create_task(engine.transfers.run(lambda: None))
                        for part in (engine, Crowding(means)):
                            inner.create_task(controller.run(part.controller(), world))
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

        run = await self.cluster.client.wait(RUN, run_id, "default", over, timeout=60)
        assert run is not None
        return run

    async def write(self, work: Callable[[Connection], Any]) -> Any:
        """What the API does: the records say it, and then the Run objects say that the records do."""
        found = await self.records.write(work)
        columns = (runs.c.id, runs.c.asked, runs.c.paused)
        for id_, asked, paused in await self.records.read(lambda c: c.execute(select(*columns)).all()):
            wanted = {"spec": {"asked": asked or None, "paused": paused or None}}
            with contextlib.suppress(errors.NotFound):
                await self.cluster.client.patch(RUN, id_, "default", wanted)
        return found

    async def pause(self, run_id: str, paused: bool) -> None:
        values = {"paused": paused, "asked": runs.c.asked + 1}
        await self.write(lambda c: c.execute(runs.update().where(runs.c.id == run_id).values(**values)))

    async def asked(self, run_id: str) -> dict[str, str]:
        """Questions that wait: the message by task id."""
        query = select(approvals.c.task_id, approvals.c.message).where(
            approvals.c.run_id == run_id, approvals.c.state == WAITING
        )
        return dict(await self.records.read(lambda c: [tuple(row) for row in c.execute(query)]))

    async def until(self, look: Callable[[], Awaitable[Any]], seconds: float = 60) -> Any:
        async with asyncio.timeout(seconds):
            while not (found := await look()):
                await asyncio.sleep(0.02)
            return found

    async def rows(self, run_id: str) -> dict[str, dict[str, Any]]:
        """The records of a run's tasks, by path."""
        query = select(task_rows).where(task_rows.c.run_id == run_id)
        found = await self.records.read(lambda c: c.execute(query).mappings().all())
        return {row["scope_path"]: dict(row) for row in found}

    async def terminate(self, run_id: str) -> None:
        await self.cluster.client.patch(RUN, run_id, "default", {"spec": {"terminate": True}})

    async def states(self, run_id: str) -> dict[str, str]:
        query = select(task_rows.c.scope_path, task_rows.c.state).where(task_rows.c.run_id == run_id)
        return {path: state for path, state in await self.records.read(lambda c: c.execute(query).all()) if path}

    async def message(self, run_id: str, path: str) -> str:
        """What is said of a task that does not go on, once something is."""
        query = select(task_rows.c.error_message)
        query = query.where(
            task_rows.c.run_id == run_id, task_rows.c.scope_path == path, task_rows.c.error_message != ""
        )
        async with asyncio.timeout(60):
            while not (found := await self.records.read(lambda c: c.execute(query).scalars().all())):
                await asyncio.sleep(0.02)
        return str(found[0])

    async def pod(self, name: str, script: str, volumes: list[Object], mounts: list[Object]) -> None:
        """A pod of somebody else, until it has ended well."""
        main = {"name": "main", "image": "busybox", "command": ["sh", "-c", script], "volumeMounts": mounts}
        spec = {"restartPolicy": "Never", "containers": [main], "volumes": volumes}
        await self.cluster.client.create(POD, POD.new(name, "default", spec=spec))

        def over(pod: Object | None) -> bool:
            return ((pod or {}).get("status") or {}).get("phase") in ("Succeeded", "Failed")

        ended = await self.cluster.client.wait(POD, name, "default", over, timeout=60)
        assert ended is not None
        assert ended["status"]["phase"] == "Succeeded"


class _Ended(Exception):
    pass
