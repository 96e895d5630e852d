"""Schedules by the real clock: on a real node they run steps, and a server that is killed loses and doubles nothing."""

import asyncio
import math
import random
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from kfp import compiler, dsl
from sqlalchemy import select

from fairway.kernel.feature import Parts
from fairway.pipelines.api.answers import moment
from fairway.pipelines.api.context import new_id
from fairway.pipelines.api.packages import Documents
from fairway.pipelines.api.versions import keep
from fairway.pipelines.feature import FEATURE
from fairway.pipelines.schedules.tables import recurring_runs
from fairway.pipelines.tables import experiments, runs
from fairway.records.database import Database
from fairway.testing.cluster import cluster
from tests.pipelines.test_whole_runs import identify
from tests.pipelines.world import pipeline

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")]

ROOT = Path(__file__).parents[3]


@dsl.component(base_image="python:3.11")
def say(text: str) -> str:
    print("said", text)
    return text


@dsl.pipeline(name="clockwork")
def clockwork(text: str) -> None:
    say(text=text).set_caching_options(False)


@dataclass
class Platform:
    session: aiohttp.ClientSession

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        async with self.session.request(method, f"/apis/v2beta1/{path}", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()


@pytest.fixture
async def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Platform]:
    monkeypatch.setenv("HOME", str(tmp_path))
    async with cluster(tmp_path, node=True, features=(FEATURE,)) as here:
        parts: Parts = here.parts[0]
        app = web.Application(middlewares=[identify])
        for route in parts.routes:
            app.router.add_route(route.method, route.path, route.handler)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        session = aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}")
        try:
            yield Platform(session)
        finally:
            await session.close()
            await runner.cleanup()


async def test_every_second_a_step_really_runs(platform: Platform, tmp_path: Path) -> None:
    package = tmp_path / "clockwork.yaml"
    compiler.Compiler().compile(clockwork, str(package))
    body = {
        "display_name": "ticking", "mode": "ENABLE", "max_concurrency": 10,
        "pipeline_spec": yaml.safe_load(package.read_text()),
        "runtime_config": {"parameters": {"text": "tick [[Index]]"}},
        "trigger": {"cron_schedule": {"cron": "@every 1s"}},
    }  # fmt: skip
    made = await platform.call("POST", "recurringruns", body)
    begin = time.time()
    window = f"start_time={moment(begin)}&end_time={moment(begin + 30)}"
    slots: list[dict[str, str]] = []
    async with asyncio.timeout(60):
        while len([slot for slot in slots if slot["state"] == "SUCCEEDED"]) < 4:
            await asyncio.sleep(0.2)
            slots = (await platform.call("GET", f"recurringruns/{made['recurring_run_id']}/slots?{window}"))["slots"]
    await platform.call("POST", f"recurringruns/{made['recurring_run_id']}:disable")
    done = [slot for slot in slots if slot["state"] == "SUCCEEDED"]
    texts = set()
    for slot in done:
        run = await platform.call("GET", f"runs/{slot['run_id']}")
        assert run["recurring_run_id"] == made["recurring_run_id"]
        assert run["scheduled_at"] == slot["scheduled_at"]
        assert run["run_details"]["task_details"]
        texts.add(run["runtime_config"]["parameters"]["text"])
    assert len(texts) == len(done)


async def test_a_server_that_is_killed_again_and_again_loses_and_doubles_no_slot(tmp_path: Path) -> None:
    records_url, artifacts_url = f"sqlite:///{tmp_path}/records.db", (tmp_path / "artifacts").as_uri()
    records = await asyncio.to_thread(Database.open, records_url)
    schedule, begin = new_id(), float(math.floor(time.time()))

    def write(connection: Any) -> None:
        home = {"id": new_id(), "display_name": "Default", "namespace": "default", "storage_state": "AVAILABLE"}
        connection.execute(experiments.insert().values(**home, created_at=begin))
        row = {
            "id": schedule, "display_name": "ticking", "experiment_id": home["id"], "namespace": "default",
            "object_namespace": "default", "spec_digest": keep(connection, Documents(pipeline("ticking"))),
            "parameters": {"text": "[[Index]]"}, "cron": "* * * * * *", "max_concurrency": 10, "no_catchup": False,
            "counts_from": begin - 120, "cursor": begin - 120, "next_at": begin - 119, "created_at": begin,
            "updated_at": begin,
        }  # fmt: skip
        connection.execute(recurring_runs.insert().values(**row))

    await records.write(write)
    chance = random.Random(1)
    command = (sys.executable, "-m", "tests.pipelines.schedules.killed", records_url, artifacts_url)
    for life in range(8):
        server = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        assert server.stdout is not None
        assert await server.stdout.readline() == b"ready\n"
        await asyncio.sleep(chance.uniform(0.01, 0.4) if life < 7 else 4)  # missed slots keep it busy all the time
        server.kill()
        await server.wait()

    def read(connection: Any) -> tuple[list[Any], float]:
        found = connection.execute(select(runs.c.scheduled_at, runs.c.parameters).order_by(runs.c.scheduled_at)).all()
        return found, connection.execute(select(recurring_runs.c.cursor)).scalar_one()

    found, cursor = await records.read(read)
    await records.close()
    assert len(found) > 100
    assert [run.scheduled_at for run in found] == [begin - 119 + number for number in range(len(found))]
    assert cursor == found[-1].scheduled_at
    assert sorted(int(run.parameters["text"]) for run in found) == list(range(1, len(found) + 1))
