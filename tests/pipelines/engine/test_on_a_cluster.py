"""The engine on the real API, with real pods as processes: runs to their end, crashes of the engine included."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from places import Here
from specs import In, Out, Spec, task
from sqlalchemy import select

from fairway.kernel.control.controller import World
from fairway.kernel.control.mirror import Mirrors
from fairway.kernel.objects.kinds import POD, Object
from fairway.pipelines.controller import Engine
from fairway.pipelines.engine.play import Means
from fairway.pipelines.kinds import RUN
from fairway.pipelines.tables import artifacts, run_metrics, run_states, runs, task_artifacts
from fairway.pipelines.tables import tasks as task_rows
from fairway.up.front import task_group

pytestmark = pytest.mark.slow


def _fan(marks: Path, items: int, gate: Path | None = None) -> dict[str, Any]:
    """Each step leaves a line; the last adds up what they gave, once there is a gate where one is named."""
    last = (
        "def run(all: list, gate: str) -> int:\n"
        "    import os, time\n"
        "    while not os.path.exists(gate):\n"
        "        time.sleep(0.02)\n"
        "    return sum(all)\n"
    )
    spec = Spec().python("total", last, {"all": list, "gate": str}, {"Output": int})
    source = (
        "def run(n: int, marks: str) -> int:\n"
        "    import time\n"
        "    with open(marks, 'a') as file:\n"
        "        file.write(f'{n}\\n')\n"
        "    time.sleep(0.05)\n"
        "    return n * 2\n"
    )
    spec.python("double", source, {"n": int, "marks": str}, {"Output": int})
    body = {"double": task("double", {"n": In("item"), "marks": str(marks)})}
    spec.dag("body", body, {"item": int}, {"Output": list}, Output=Out("double"))
    loop = task("body", each=list(range(items)), parallel=6)
    return spec.compiled(
        {"loop": loop, "total": task("total", {"all": Out("loop"), "gate": str(gate or marks)})},
        {},
        {"sum": int},
        sum=Out("total"),
    )


async def test_a_run_goes_to_its_end_and_the_records_tell_it(here: Here, tmp_path: Path) -> None:
    async with here.engine():
        run_id = await here.submit(_fan(tmp_path / "marks", 5))
        run = await here.ended(run_id)
    assert run["status"]["phase"] == "SUCCEEDED"
    row = await here.records.read(lambda c: c.execute(select(runs).where(runs.c.id == run_id)).mappings().one())
    assert (row["state"], row["outputs"]) == ("SUCCEEDED", {"sum": 20})
    history = await here.records.read(lambda c: c.execute(select(run_states.c.state)).scalars().all())
    assert history == ["RUNNING", "SUCCEEDED"]
    assert set((await here.states(run_id)).values()) == {"SUCCEEDED"}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.timeout(300)
async def test_whenever_the_engine_dies_no_step_runs_twice_and_the_run_ends(
    here: Here, tmp_path: Path, seed: int
) -> None:
    """Engines live for a random moment each, so that they die before, between and after writing and starting; the
    moments grow, so that the run gets on wherever a start takes long."""
    chance, marks, gate, count = random.Random(seed), tmp_path / "marks", tmp_path / "gate", 30
    run_id = await here.submit(_fan(marks, count, gate))
    lives = 0
    while True:
        async with here.engine():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(chance.uniform(0.02, 0.25) * (1 + lives / 20)):
                    await here.ended(run_id)
                    break
        lives += 1
        if lives == 3:
            gate.touch()
    assert Counter(marks.read_text().split()) == Counter(str(number) for number in range(count))
    row = await here.records.read(lambda c: c.execute(select(runs.c.outputs).where(runs.c.id == run_id)).scalar_one())
    assert row == {"sum": count * (count - 1)}


@pytest.mark.timeout(300)
async def test_two_engines_at_once_run_no_step_twice(here: Here, tmp_path: Path) -> None:
    """What leadership is to prevent, and what must do no harm where it fails: both work on the same run."""
    marks, count = tmp_path / "marks", 20
    async with here.engine(), here.engine():
        runs_ = [await here.submit(_fan(marks, count)) for _ in range(2)]
        for run_id in runs_:
            assert (await here.ended(run_id))["status"]["phase"] == "SUCCEEDED"
            assert set((await here.states(run_id)).values()) == {"SUCCEEDED"}
    assert Counter(marks.read_text().split()) == Counter({str(number): 2 for number in range(count)})


async def test_a_second_run_takes_what_is_cached_with_the_same_artifacts(here: Here, tmp_path: Path) -> None:
    source = (
        "def run(m: Output[Metrics], d: Output[Dataset]):\n"
        "    m.log_metric('acc', 0.5)\n"
        "    open(d.path, 'w').write('x')\n"
    )
    spec = Spec().python("make", source, outputs={"m": "Metrics", "d": "Dataset"})
    document = spec.compiled({"make": task("make", cached=True)})

    async def made(run_id: str) -> dict[str, str]:
        query = select(task_artifacts.c.key, task_artifacts.c.artifact_id).where(task_artifacts.c.run_id == run_id)
        return dict(await here.records.read(lambda c: c.execute(query).all()))

    async with here.engine():
        first = await here.submit(document)
        await here.ended(first)
        second = await here.submit(document)
        await here.ended(second)
        assert await here.states(second) == {"make": "CACHED"}
        assert await made(first) == await made(second)
        query = select(artifacts.c.number_value, artifacts.c.name).where(artifacts.c.number_value.is_not(None))
        assert await here.records.read(lambda c: c.execute(query).all()) == [(0.5, "acc")]
        sorted_by = await here.records.read(lambda c: c.execute(select(run_metrics)).all())
        assert set(sorted_by) == {(first, "acc", 0.5), (second, "acc", 0.5)}
        for path in tmp_path.glob("artifacts/**/outputs/d"):
            path.unlink()
        third = await here.submit(document)
        await here.ended(third)
        assert await here.states(third) == {"make": "SUCCEEDED"}


async def test_termination_ends_pods_and_a_retry_runs_what_had_not_succeeded(here: Here, tmp_path: Path) -> None:
    gate, marks = tmp_path / "gate", tmp_path / "marks"
    spec = Spec().step("first", command=["sh", "-c", f"echo first >> {marks}"])
    spec.step("second", command=["sh", "-c", f"echo second >> {marks}; test -e {gate} || sleep 60"])
    document = spec.compiled({"first": task("first"), "second": task("second", after=("first",))})
    async with here.engine():
        run_id = await here.submit(document)
        async with asyncio.timeout(60):
            while not (marks.exists() and "second" in marks.read_text()):
                await asyncio.sleep(0.02)
        await here.cluster.client.patch(RUN, run_id, "default", {"spec": {"terminate": True}})
        assert (await here.ended(run_id))["status"]["phase"] == "CANCELED"
        assert await here.states(run_id) == {"first": "SUCCEEDED", "second": "CANCELED"}
        gate.touch()
        await here.records.write(lambda c: c.execute(runs.update().values(state="RUNNING", retries=1)))
        await here.cluster.client.patch(RUN, run_id, "default", {"spec": {"terminate": None, "retries": 1}})
        assert (await here.ended(run_id, retries=1))["status"]["phase"] == "SUCCEEDED"
    assert marks.read_text().split() == ["first", "second", "second"]


async def test_a_pod_that_is_deleted_fails_its_step_and_a_run_that_is_deleted_takes_its_pods(here: Here) -> None:
    client = here.cluster.client
    document = Spec().step("s", command=["sleep", "60"]).compiled({"s": task("s")})

    async def pod_of(run_id: str) -> Object:
        while True:
            for pod in (await client.list(POD, "default", labels=f"pipelines.fairway.dev/run={run_id}")).items:
                if (pod.get("status") or {}).get("phase") == "Running":
                    return pod
            await asyncio.sleep(0.02)

    async with here.engine():
        run_id = await here.submit(document)
        pod = await pod_of(run_id)
        await client.delete(POD, pod["metadata"]["name"], "default", grace_seconds=0)
        assert (await here.ended(run_id))["status"]["phase"] == "FAILED"
        run_id = await here.submit(document)
        pod = await pod_of(run_id)
        await client.delete(RUN, run_id, "default")
        await client.wait(POD, pod["metadata"]["name"], "default", lambda found: found is None, timeout=60)


async def test_a_step_whose_pod_cannot_run_here_fails_and_says_why(here: Here) -> None:
    document = Spec().step("s", image="example.org/no/such:image").compiled({"s": task("s")})
    async with here.engine():
        run_id = await here.submit(document)
        assert (await here.ended(run_id))["status"]["phase"] == "FAILED"
        messages = await here.records.read(lambda c: c.execute(select(task_rows.c.error_message)).scalars().all())
        assert any("no/such" in text for text in messages)
        for pod in (await here.cluster.client.list(POD, "default")).items:
            await here.cluster.client.wait(
                POD, pod["metadata"]["name"], "default", lambda found: found is None, timeout=60
            )


async def test_what_is_tried_again_as_a_whole_is_recorded_as_its_last_try(here: Here, tmp_path: Path) -> None:
    """The exit task runs in both tries, and makes an artifact in each: the records link the last."""
    marks = tmp_path / "marks"
    spec = Spec().step("kept", command=["sh", "-c", f"echo kept >> {marks}"])
    spec.step("work", command=["sh", "-c", f"echo work >> {marks}; test $(grep -c work {marks}) = 2"])
    write = f'echo bye >> {marks}; wc -l < {marks} > "$0"'
    report = {"report": "Artifact"}
    spec.step("bye", None, report, command=["sh", "-c", write], args=["{{$.outputs.artifacts['report'].path}}"])
    inner = {"kept": task("kept"), "work": task("work"), "bye": task("bye", after=("kept", "work"), tolerant=True)}
    spec.dag("inner", inner, None, report, report=Out("bye", "report"))
    retry = {"maxRetryCount": 1, "backoffDuration": "0s"}
    document = spec.compiled({"group": task("inner", retry=retry)})
    async with here.engine():
        run_id = await here.submit(document)
        assert (await here.ended(run_id))["status"]["phase"] == "SUCCEEDED"
    assert Counter(marks.read_text().split()) == {"kept": 1, "work": 2, "bye": 2}
    assert await here.states(run_id) == dict.fromkeys(("group", "group/kept", "group/work", "group/bye"), "SUCCEEDED")
    linked = task_artifacts.join(artifacts, artifacts.c.id == task_artifacts.c.artifact_id)
    query = select(artifacts.c.uri).select_from(linked).where(task_artifacts.c.run_id == run_id)
    (uri,) = await here.records.read(lambda c: c.execute(query).scalars().all())
    assert Path(uri.removeprefix("file://")).read_text().strip() == "5"


async def test_a_run_whose_object_was_deleted_before_anybody_took_it_up_is_over(here: Here, tmp_path: Path) -> None:
    run_id = await here.submit(_fan(tmp_path / "marks", 1))
    await here.cluster.client.delete(RUN, run_id, "default")
    client, clock = here.cluster.client, here.cluster.platform.clock
    async with task_group() as tasks:
        world = World(client, clock, Mirrors(client, clock, tasks))
        await Engine(Means(here.records, here.artifacts)).reconcile(world, "default", run_id)
    state = await here.records.read(lambda c: c.execute(select(runs.c.state).where(runs.c.id == run_id)).scalar())
    assert state == "CANCELED"
