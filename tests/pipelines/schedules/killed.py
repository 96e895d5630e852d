"""A server for a test to kill: the loop of schedules, and an engine that ends each run at once. No tests here.

Run as `python -m tests.pipelines.schedules.killed RECORDS_URL ARTIFACTS_URL`, and ended with SIGKILL.
"""

import asyncio
import sys

from sqlalchemy import Connection, select

from fairway.artifacts.store import open_store
from fairway.kernel.client.client import Client
from fairway.kernel.clock import SystemClock
from fairway.pipelines import tasks
from fairway.pipelines.api.context import Context
from fairway.pipelines.schedules.loop import Schedules
from fairway.pipelines.tables import runs
from fairway.pipelines.waking import Bell
from fairway.records.database import Database


def end_all(connection: Connection) -> None:
    for run in connection.execute(select(runs.c.id).where(runs.c.state == "PENDING")).scalars().all():
        tasks.finish(connection, run, "SUCCEEDED", SystemClock().now(), message="", results={})


async def serve(records_url: str, artifacts_url: str) -> None:
    bell = Bell()
    records = await asyncio.to_thread(Database.open, records_url, written=bell.ring)
    # The loop of schedules speaks to no cluster.
    context = Context(Client(None), SystemClock(), records, open_store(artifacts_url), bell=bell)  # type: ignore[arg-type]
    loop = asyncio.ensure_future(Schedules(context).run(lambda: print("ready", flush=True)))
    while not loop.done():
        await context.wake.wait()
        context.wake.clear()
        await records.write(end_all)
    await loop


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
