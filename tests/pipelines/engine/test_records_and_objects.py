"""What the records promise holds while the Run object, or another engine, does not know of it yet."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from places import Here
from specs import Spec, task
from sqlalchemy import func, select
from test_control_on_a_cluster import begun, is_now, make_pool, order, pooled, two_in_turn

from fairway.kernel.clock import timestamp
from fairway.kernel.control.controller import World
from fairway.kernel.control.mirror import Mirrors
from fairway.kernel.objects.kinds import NAMESPACE, POD
from fairway.pipelines.controller import Engine
from fairway.pipelines.engine import attempts
from fairway.pipelines.engine.play import Means
from fairway.pipelines.kinds import RUN
from fairway.pipelines.tables import runs, specs
from fairway.up.front import task_group

pytestmark = pytest.mark.slow


async def test_nothing_starts_after_an_end_was_acknowledged_though_the_object_does_not_tell_of_it_yet(
    here: Here, tmp_path: Path
) -> None:
    marks, gate = tmp_path / "marks", tmp_path / "gate"
    async with here.engine():
        run = await here.submit(two_in_turn(marks, gate))
        await here.until(lambda: begun(marks, 1))
        await here.records.write(lambda c: c.execute(runs.update().where(runs.c.id == run).values(state="CANCELING")))
        gate.touch()
        assert (await here.ended(run))["status"]["phase"] == "CANCELED"
        assert (await here.states(run))["first"] == "SUCCEEDED"
    assert order(marks) == [1]


async def test_nothing_starts_after_a_pause_was_acknowledged_though_the_object_does_not_tell_of_it_yet(
    here: Here, tmp_path: Path
) -> None:
    marks, gate = tmp_path / "marks", tmp_path / "gate"
    async with here.engine():
        run = await here.submit(two_in_turn(marks, gate))
        await here.until(lambda: begun(marks, 1))
        paused = {"paused": True, "asked": runs.c.asked + 1}
        await here.records.write(lambda c: c.execute(runs.update().where(runs.c.id == run).values(**paused)))
        gate.touch()
        await here.until(lambda: is_now(here, run, "first", "SUCCEEDED"))
        await asyncio.sleep(0.3)
        assert order(marks) == [1]
        assert "second" not in await here.rows(run)
        await here.pause(run, False)
        assert (await here.ended(run))["status"]["phase"] == "SUCCEEDED"
    assert order(marks) == [1, 2]


async def test_what_an_engine_had_decided_on_when_it_died_does_not_start_while_the_run_is_paused(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = tmp_path / "marks"
    spec = pooled(Spec(), CACHE="by=id")
    run = await here.submit(
        spec.compiled({"use": task("use", {"n": 1, "marks": str(marks), "seconds": 0.0, "gate": ""})})
    )

    async def hang(*_: Any) -> None:
        await asyncio.Event().wait()

    with monkeypatch.context() as dying:
        dying.setattr(attempts, "begin", hang)
        async with here.engine():
            await here.until(lambda: is_now(here, run, "use", "PENDING"))
    await here.pause(run, True)
    async with here.engine():
        await here.until(lambda: _phase_is(here, run, "PAUSED"))
        assert (await here.cluster.client.list(POD, "default")).items == []
        await here.pause(run, False)
        assert (await here.ended(run))["status"]["phase"] == "SUCCEEDED"
    assert order(marks) == [1]
    await here.until(lambda: is_now(here, run, "use", "SUCCEEDED"))


async def _phase_is(here: Here, run: str, phase: str) -> bool:
    return bool(((await here.cluster.client.get(RUN, run, "default")).get("status") or {}).get("phase") == phase)


async def test_a_run_that_is_to_begin_again_does_not_leave_the_cluster_for_its_time_being_over(here: Here) -> None:
    client, clock = here.cluster.client, here.cluster.platform.clock
    run = await here.submit(Spec().step("s", command=["false"]).compiled({"s": task("s")}))
    async with here.engine():
        await here.ended(run)

    async def retry() -> None:
        await here.records.write(lambda c: c.execute(runs.update().values(state="RUNNING", retries=runs.c.retries + 1)))

    async def state() -> Any:
        return await here.records.read(lambda c: c.execute(select(runs.c.state)).scalar())

    async with task_group() as group:
        world = World(client, clock, Mirrors(client, clock, group))
        mirror = world.mirror(RUN)
        await client.patch_status(RUN, run, "default", {"expiresAt": timestamp(clock.now() - 60)})
        await mirror.synced()
        engine = Engine(Means(here.records, here.artifacts))
        await retry()
        await engine.reconcile(world, "default", run)
        assert await client.get(RUN, run, "default")
        # The other way round: the object goes first, and nobody takes that for somebody's wish.
        await here.records.write(lambda c: c.execute(runs.update().values(state="FAILED")))
        await engine.reconcile(world, "default", run)
        await retry()
        async with asyncio.timeout(60):
            while mirror.get("default", run) is not None:
                await asyncio.sleep(0.01)
        await engine.reconcile(world, "default", run)
        assert await state() == "RUNNING"


async def test_nobody_plays_or_ends_the_run_of_another_namespace(here: Here, tmp_path: Path) -> None:
    """Whoever may make Runs and pods in one namespace, as its workloads may, has no say in another."""
    marks, gate, client = tmp_path / "marks", tmp_path / "gate", here.cluster.client
    spec, given = pooled(Spec(), CACHE="by=id"), {"marks": str(marks), "seconds": 0.0, "gate": str(gate)}
    await client.create(NAMESPACE, NAMESPACE.new("elsewhere"))
    async with here.engine():
        run = await here.submit(spec.compiled({"use": task("use", {"n": 1, **given})}))
        await here.until(lambda: begun(marks, 1))
        for name in (run, "other"):
            told = {"runId": run, "terminate": True}
            await client.create(RUN, RUN.new(name, "elsewhere", spec=told))
        for name in (run, "other"):
            await client.delete(RUN, name, "elsewhere")
        owner = {"apiVersion": RUN.api_version, "kind": RUN.kind, "name": run, "uid": "0", "controller": True}
        main = {"name": "main", "image": "busybox", "command": ["true"]}
        forged = POD.new("forged", "elsewhere", metadata={"ownerReferences": [owner]}, spec={"containers": [main]})
        await client.create(POD, forged)
        later = await here.submit(spec.compiled({"use": task("use", {"n": 2, **given, "gate": ""})}))
        await here.ended(later)
        query = select(runs.c.state).where(runs.c.id == run)
        assert await here.records.read(lambda c: c.execute(query).scalar()) == "RUNNING"
        gate.touch()
        assert (await here.ended(run))["status"]["phase"] == "SUCCEEDED"
    assert order(marks) == [1, 2]


async def test_a_run_whose_pipeline_cannot_be_read_any_more_holds_no_slots_for_ever(here: Here, tmp_path: Path) -> None:
    marks, gate = tmp_path / "marks", tmp_path / "gate"
    await make_pool(here, 1)
    given: dict[str, Any] = {"marks": str(marks), "seconds": 0.0}
    async with here.engine():
        run = await here.submit(pooled(Spec()).compiled({"use": task("use", {"n": 1, "gate": str(gate), **given})}))
        await here.until(lambda: begun(marks, 1))
    newer = func.replace(specs.c.body, '"schemaVersion":"2.1.0"', '"schemaVersion":"1.0.0"')
    await here.records.write(lambda c: c.execute(specs.update().values(body=newer)))
    async with here.engine():
        assert (await here.ended(run))["status"]["phase"] == "FAILED"
        gate.touch()
        left = (await here.rows(run))["use"]
        assert (left["state"], left["slots"]) == ("CANCELED", 0)
        later = await here.submit(pooled(Spec()).compiled({"use": task("use", {"n": 2, "gate": "", **given})}))
        assert (await here.ended(later))["status"]["phase"] == "SUCCEEDED"
    assert order(marks) == [1, 2]


async def test_an_object_that_somebody_else_calls_over_is_played_on(here: Here, tmp_path: Path) -> None:
    marks, gate, client = tmp_path / "marks", tmp_path / "gate", here.cluster.client
    given = {"marks": str(marks), "seconds": 0.0, "gate": str(gate)}
    first, second = task("use", {"n": 1, **given}), task("use", {"n": 2, **given}, after=("first",))
    async with here.engine():
        run = await here.submit(pooled(Spec(), CACHE="by=id").compiled({"first": first, "second": second}))
        await here.until(lambda: begun(marks, 1))
        await here.until(lambda: _phase_is(here, run, "RUNNING"))
        await client.patch_status(RUN, run, "default", {"phase": "SUCCEEDED"})
        await here.until(lambda: _phase_is(here, run, "RUNNING"))
        gate.touch()
        await here.until(lambda: is_now(here, run, "second", "SUCCEEDED"))
        await here.until(lambda: _phase_is(here, run, "SUCCEEDED"))
    assert order(marks) == [1, 2]
