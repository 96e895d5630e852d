"""Triggers and notices on a real node, with their loops at work: what one run does, starts and tells."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from kfp import compiler, dsl

from fairway.kernel.feature import Parts
from fairway.kernel.feature import Platform as Place
from fairway.pipelines.feature import FEATURE
from fairway.pipelines.settings import PipelinesSettings
from fairway.testing.cluster import cluster
from tests.pipelines.notices.receiver import MailServer, Receiver, mailing, receiving
from tests.pipelines.test_whole_runs import identify

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")]


@dsl.component(base_image="python:3.11")
def train(rows: int, model: dsl.Output[dsl.Model]) -> None:
    print(f"training on {rows} rows")
    if not rows:
        raise ValueError("there is nothing to learn from")
    with open(model.path, "w") as file:
        file.write(f"a model of {rows} rows")


@dsl.component(base_image="python:3.11")
def say(text: str) -> str:
    return text


@dsl.component(base_image="python:3.11")
def linger() -> None:
    import time  # noqa: PLC0415 - a step carries its own imports

    time.sleep(4)


@dsl.pipeline(name="lingering")
def lingering() -> None:
    linger().set_caching_options(False)


@dsl.pipeline(name="training")
def training(rows: int) -> None:
    train(rows=rows).set_caching_options(False)


@dsl.pipeline(name="afterwards")
def afterwards(text: str) -> None:
    say(text=text).set_caching_options(False)


def compiled(pipeline: Any, folder: Path) -> dict[str, Any]:
    path = folder / "pipeline.yaml"
    compiler.Compiler().compile(pipeline, str(path))
    spec: dict[str, Any] = yaml.safe_load(path.read_text())
    return spec


@dataclass
class Platform:
    session: aiohttp.ClientSession
    folder: Path
    receiver: Receiver
    mail: MailServer

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        async with self.session.request(method, f"/apis/v2beta1/{path}", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def run(self, rows: int) -> str:
        parameters = {"runtime_config": {"parameters": {"rows": rows}}}
        spec = compiled(training, self.folder)
        return str(
            (await self.call("POST", "runs", {"display_name": "r", "pipeline_spec": spec, **parameters}))["run_id"]
        )

    async def trigger(self, **source: Any) -> Any:
        text = "by hand" if "webhook" in source else "[[trigger.run_id]]"
        parameters = {"runtime_config": {"parameters": {"text": text}}}
        spec = compiled(afterwards, self.folder)
        return await self.call(
            "POST", "triggers", {"display_name": "then", "pipeline_spec": spec, **parameters, **source}
        )

    async def started(self, trigger: Any) -> Any:
        """The first run of the trigger, once it is over."""
        while True:
            found = await self.call("GET", f"triggers/{trigger['trigger_id']}/events")
            for event in found.get("events", ()):
                if event["state"] == "STARTED":
                    run = await self.call("GET", f"runs/{event['run_id']}")
                    if run["state"] in ("SUCCEEDED", "FAILED"):
                        return run
            await asyncio.sleep(0.05)


@pytest.fixture
async def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Platform]:
    monkeypatch.setenv("HOME", str(tmp_path))
    async with receiving() as receiver, mailing(MailServer()) as mail:
        settings = PipelinesSettings(
            smtp_host="127.0.0.1", smtp_port=mail.port, smtp_security="none", smtp_from="fairway@example.com"
        )

        def build(place: Place) -> Parts:
            return FEATURE.build(replace(place, settings=(settings,)))

        async with cluster(tmp_path, node=True, features=(replace(FEATURE, build=build),)) as here:
            app = web.Application(middlewares=[identify])
            for route in here.parts[0].routes:
                app.router.add_route(route.method, route.path, route.handler)
            runner = web.AppRunner(app)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            try:
                async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:
                    yield Platform(session, tmp_path, receiver, mail)
            finally:
                await runner.cleanup()


async def test_one_run_starts_another_by_its_end_and_by_what_it_made(platform: Platform) -> None:
    by_end = await platform.trigger(run={"pipeline_name": "training"})
    by_model = await platform.trigger(artifact={"type": "Model"})
    run = await platform.run(rows=3)
    async with asyncio.timeout(60):
        for trigger in (by_end, by_model):
            started = await platform.started(trigger)
            assert (started["state"], started["trigger_id"]) == ("SUCCEEDED", trigger["trigger_id"])
            assert started["runtime_config"]["parameters"] == {"text": run}


async def test_a_call_from_outside_starts_a_run(platform: Platform) -> None:
    trigger = await platform.trigger(webhook={})
    await platform.call("POST", f"triggers/{trigger['trigger_id']}:fire", {"parameters": {"text": "hello"}})
    async with asyncio.timeout(60):
        started = await platform.started(trigger)
    assert (started["state"], started["runtime_config"]["parameters"]) == ("SUCCEEDED", {"text": "hello"})


async def test_a_failure_is_told_to_programs_and_people_with_the_end_of_its_log(platform: Platform) -> None:
    rule = {"display_name": "tell", "events": ["FAILED"]}
    await platform.call("POST", "notices", {**rule, "webhook": {"url": platform.receiver.url}})
    await platform.call("POST", "notices", {**rule, "email": {"to": ["team@example.com"]}})
    run = await platform.run(rows=0)
    async with asyncio.timeout(60):
        while not platform.receiver.calls or not platform.mail.letters:
            await asyncio.sleep(0.05)
    assert platform.receiver.bodies[0]["run"]["run_id"] == run
    assert "there is nothing to learn from" in platform.receiver.bodies[0]["message"]
    letter = platform.mail.letters[0].get_content()
    assert "The first step that failed: train" in letter
    assert "  training on 0 rows" in letter
    assert "  ValueError: there is nothing to learn from" in letter


async def test_a_scheduled_run_that_takes_too_long_is_told_of_while_it_runs(platform: Platform) -> None:
    rule = {"display_name": "late", "events": ["LATE"], "webhook": {"url": platform.receiver.url}}
    await platform.call("POST", "notices", rule)
    schedule = {
        "display_name": "often",
        "pipeline_spec": compiled(lingering, platform.folder),
        "trigger": {"cron_schedule": {"cron": "@every 1s"}},
        "mode": "ENABLE",
        "max_concurrency": "1",
        "no_catchup": True,
        "late_after_seconds": 1,
    }
    made = await platform.call("POST", "recurringruns", schedule)
    async with asyncio.timeout(60):
        while not platform.receiver.calls:
            await asyncio.sleep(0.05)
    await platform.call("POST", f"recurringruns/{made['recurring_run_id']}:disable")
    told = platform.receiver.bodies[0]
    assert told["event"] == "LATE"
    run = await platform.call("GET", f"runs/{told['run']['run_id']}")
    assert (run["late"], run["recurring_run_id"]) == (True, made["recurring_run_id"])
