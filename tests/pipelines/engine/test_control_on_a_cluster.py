"""Pauses, approvals, pools, sensors and ends with real pods and real records, through deaths of the engine."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from places import Here
from specs import In, Spec, task
from sqlalchemy import select

from fairway.kernel.objects.kinds import POD
from fairway.pipelines import approvals
from fairway.pipelines.kinds import RUN
from fairway.pipelines.render.model import Verdict
from fairway.pipelines.tables import approvals as approval_rows
from fairway.pipelines.tables import pools, runs

pytestmark = pytest.mark.slow

MARK = (
    "def run(n: int, marks: str, seconds: float, gate: str):\n"
    "    import os, time\n"
    "    open(marks, 'a').write(f'{n} begins {time.time()}\\n')\n"
    "    time.sleep(seconds)\n"
    "    while gate and not os.path.exists(gate):\n"
    "        time.sleep(0.02)\n"
    "    open(marks, 'a').write(f'{n} ends {time.time()}\\n')\n"
)


def env(**options: str) -> list[dict[str, str]]:
    return [{"name": f"FAIRWAY_STEP_{name}", "value": value} for name, value in options.items()]


def pooled(spec: Spec, name: str = "use", **options: str) -> Spec:
    spec.python(name, MARK, {"n": int, "marks": str, "seconds": float, "gate": str})
    spec.executors[f"exec-{name}"]["container"]["env"] = env(**(options or {"POOL": "desk"}))
    return spec


def fan(marks: Path, numbers: list[int], seconds: float = 0.05, gate: Path | None = None) -> dict[str, Any]:
    """Steps of the pool that last so long, and until there is a gate where one is named."""
    spec, given = pooled(Spec()), {"marks": str(marks), "seconds": seconds, "gate": str(gate or "")}
    spec.dag("body", {"use": task("use", {"n": In("item"), **given})}, {"item": int})
    return spec.compiled({"loop": task("body", each=numbers)})


def two_in_turn(marks: Path, gate: Path) -> dict[str, Any]:
    """Two steps, of which the second follows the first, which waits for the gate."""
    given = {"marks": str(marks), "seconds": 0.0, "gate": str(gate)}
    first, second = task("use", {"n": 1, **given}), task("use", {"n": 2, **given}, after=("first",))
    return pooled(Spec(), CACHE="by=id").compiled({"first": first, "second": second})


def most_at_once(marks: Path) -> int:
    events = sorted((float(at), what) for _, what, at in map(str.split, marks.read_text().splitlines()))
    return max(itertools.accumulate(1 if what == "begins" else -1 for _, what in events))


def order(marks: Path) -> list[int]:
    return [int(line.split()[0]) for line in marks.read_text().splitlines() if "begins" in line]


async def make_pool(here: Here, slots: int, name: str = "desk") -> None:
    values = {"name": name, "slots": slots, "created_at": 0.0}
    await here.write(lambda c: c.execute(pools.insert().values(**values)))


async def change_pool(here: Here, slots: int) -> None:
    """As the API does: those who wait look again."""

    def change(connection: Any) -> None:
        connection.execute(pools.update().values(slots=slots))
        connection.execute(runs.update().values(asked=runs.c.asked + 1))

    await here.write(change)


async def test_a_pool_bounds_all_runs_together_in_the_order_of_asking(here: Here, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    await make_pool(here, 1)
    async with here.engine():
        first = await here.submit(fan(marks, [1, 2, 3], 0.2))
        await here.until(lambda: _exists(marks))
        second = await here.submit(fan(marks, [4, 5]))
        for run in (first, second):
            assert (await here.ended(run))["status"]["phase"] == "SUCCEEDED"
    assert most_at_once(marks) == 1
    assert order(marks) == [1, 2, 3, 4, 5]
    assert {row["slots"] for row in (await here.rows(first)).values()} == {0}


async def _exists(path: Path) -> bool:
    return path.exists()


async def test_a_pool_that_is_missing_is_waited_for_and_one_that_changes_counts_at_once(
    here: Here, tmp_path: Path
) -> None:
    marks, gate = tmp_path / "marks", tmp_path / "gate"
    async with here.engine():
        run = await here.submit(fan(marks, [1, 2, 3, 4], gate=gate))
        await here.until(lambda: _waiting(here, run, "does not exist: make it with PUT /apis/v2beta1/pools/desk"))
        assert not marks.exists()
        await make_pool(here, 0)
        await change_pool(here, 0)
        await here.until(lambda: _waiting(here, run, "has 0 in all"))
        await change_pool(here, 4)
        await here.until(lambda: begun(marks, 4))
        gate.touch()
        await here.ended(run)
    assert most_at_once(marks) == 4


async def _waiting(here: Here, run: str, text: str) -> bool:
    """Whether each step of the run that has not begun says so."""
    steps = [row for row in (await here.rows(run)).values() if row["type"] == "RUNTIME"]
    return bool(steps) and all(text in row["error_message"] for row in steps if row["state"] == "PENDING")


async def test_after_a_restart_those_who_hold_slots_are_counted_first(here: Here, tmp_path: Path) -> None:
    marks, gate = tmp_path / "marks", tmp_path / "gate"
    await make_pool(here, 2)
    async with here.engine():
        first = await here.submit(fan(marks, [1, 2], gate=gate))
        await here.until(lambda: begun(marks, 2))
    second = await here.submit(fan(marks, [3]))
    async with here.engine():
        await here.until(lambda: _waiting(here, second, "waits for a slot of the pool"))
        gate.touch()
        await here.ended(second)
        await here.ended(first)
    assert most_at_once(marks) == 2
    assert order(marks)[2] == 3


async def begun(marks: Path, count: int) -> bool:
    return marks.exists() and marks.read_text().count("begins") >= count


@pytest.mark.parametrize("gone", ["deleted", "terminated"])
async def test_a_run_that_ends_early_gives_its_slots_back(here: Here, tmp_path: Path, gone: str) -> None:
    marks = tmp_path / "marks"
    await make_pool(here, 1)
    async with here.engine():
        first = await here.submit(fan(marks, [1, 2], 60))
        await here.until(lambda: begun(marks, 1))
        second = await here.submit(fan(marks, [3]))
        if gone == "deleted":
            await here.cluster.client.delete(RUN, first, "default")
        else:
            await here.cluster.client.patch(RUN, first, "default", {"spec": {"terminate": True}})
        assert (await here.ended(second))["status"]["phase"] == "SUCCEEDED"
    assert order(marks) == [1, 3]


async def test_approvals_are_asked_decided_and_kept(here: Here, tmp_path: Path) -> None:
    spec = Spec().step("gate", env=env(APPROVAL="Go?")).step("s")
    document = spec.compiled({"gate": task("gate"), "after": task("s", after=("gate",))})
    async with here.engine():
        approved, rejected = await here.submit(document), await here.submit(document)
        for run, verdict in ((approved, Verdict(True, "ada")), (rejected, Verdict(False, "bob", "no"))):
            ((task_id, message),) = (await here.until(lambda run=run: here.asked(run))).items()
            assert message == "Go?"
            await here.write(
                lambda c, run=run, task_id=task_id, verdict=verdict: approvals.decide(c, run, task_id, verdict, 0.0)
            )
        assert (await here.ended(approved))["status"]["phase"] == "SUCCEEDED"
        assert "rejected by bob: no" in (await here.ended(rejected))["status"]["message"]
        assert await here.states(rejected) == {"gate": "FAILED", "after": "SKIPPED"}
    kept = await here.records.read(lambda c: c.execute(select(approval_rows)).mappings().all())
    assert {(row["state"], row["decided_by"], row["comment"]) for row in kept} == {
        ("APPROVED", "ada", ""),
        ("REJECTED", "bob", "no"),
    }


async def test_a_retry_asks_again_for_what_was_rejected_and_not_for_what_was_approved(
    here: Here, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    spec = Spec().step("works", env=env(APPROVAL="First?"), command=["sh", "-c", f"test -e {flag}"])
    spec.step("never", env=env(APPROVAL="Second?"))
    document = spec.compiled({"works": task("works"), "never": task("never")})
    async with here.engine():
        run = await here.submit(document)
        questions = await here.until(lambda: _all(here, run, 2))
        for task_id, message in questions.items():
            verdict = Verdict(message == "First?", "ada")
            await here.write(lambda c, id_=task_id, said=verdict: approvals.decide(c, run, id_, said, 0.0))
        await here.ended(run)
        assert await here.states(run) == {"works": "FAILED", "never": "FAILED"}
        flag.touch()
        await here.records.write(lambda c: c.execute(runs.update().values(state="RUNNING", retries=1)))
        await here.cluster.client.patch(RUN, run, "default", {"spec": {"retries": 1}})
        assert list((await here.until(lambda: _all(here, run, 1))).values()) == ["Second?"]
        await here.until(lambda: is_now(here, run, "works", "SUCCEEDED"))


async def _all(here: Here, run: str, count: int) -> dict[str, str] | None:
    found = await here.asked(run)
    return found if len(found) == count else None


async def is_now(here: Here, run: str, path: str, state: str) -> bool:
    return (await here.states(run)).get(path) == state


async def test_a_terminated_run_asks_nobody_any_more(here: Here) -> None:
    document = Spec().step("gate", env=env(APPROVAL="Go?")).compiled({"gate": task("gate")})
    async with here.engine():
        run = await here.submit(document)
        await here.until(lambda: here.asked(run))
        await here.cluster.client.patch(RUN, run, "default", {"spec": {"terminate": True}})
        assert (await here.ended(run))["status"]["phase"] == "CANCELED"
        assert await here.asked(run) == {}


SENSOR = (
    "def run(there: str, looks: str) -> bool:\n"
    "    import os\n"
    "    open(looks, 'a').write(os.environ['KFP_POD_NAME'] + '\\n')\n"
    "    return os.path.exists(there)\n"
)


async def test_a_sensor_looks_in_folders_of_its_own_until_it_sees(here: Here, tmp_path: Path) -> None:
    there, looks = tmp_path / "there", tmp_path / "looks"
    spec = Spec().python("look", SENSOR, {"there": str, "looks": str}, {"Output": bool})
    spec.executors["exec-look"]["container"]["env"] = env(SENSOR="every=0.1")
    document = spec.compiled({"look": task("look", {"there": str(there), "looks": str(looks)})})
    async with here.engine():
        run = await here.submit(document)
        await here.until(lambda: _lines(looks, 3))
        there.touch()
        await here.ended(run)
    row = (await here.rows(run))["look"]
    pods = looks.read_text().split()
    assert (row["state"], row["outputs"], row["attempts"]) == ("SUCCEEDED", {"Output": True}, row["looks"] + 1)
    assert len(set(pods)) == len(pods) == row["attempts"]
    assert len(list(tmp_path.glob("artifacts/**/outcome.json"))) == row["attempts"]


async def _lines(path: Path, count: int) -> bool:
    return path.exists() and len(path.read_text().split()) >= count


async def test_a_run_that_is_paused_says_so_and_starts_nothing_until_it_goes_on(here: Here, tmp_path: Path) -> None:
    marks, gate = tmp_path / "marks", tmp_path / "gate"
    async with here.engine():
        run = await here.submit(two_in_turn(marks, gate))
        await here.until(lambda: begun(marks, 1))
        await here.pause(run, True)
        gate.touch()
        await here.until(lambda: is_now(here, run, "first", "SUCCEEDED"))
        obj = await here.cluster.client.wait(
            RUN, run, "default", lambda found: (found or {}).get("status", {}).get("phase") == "PAUSED", timeout=60
        )
        assert obj is not None
    async with here.engine():
        await asyncio.sleep(0.3)
        assert order(marks) == [1]
        await here.pause(run, False)
        assert (await here.ended(run))["status"]["phase"] == "SUCCEEDED"
    assert order(marks) == [1, 2]


async def test_a_run_ends_at_its_deadline(here: Here) -> None:
    document = Spec().step("s", command=["sleep", "60"]).compiled({"s": task("s")})
    config = {"platforms": {"kubernetes": {"pipelineConfig": {"activeDeadlineSeconds": 2}}}}
    async with here.engine():
        run = await here.submit(document, config)
        status = (await here.ended(run))["status"]
        assert (status["phase"], status["message"]) == ("FAILED", "the run did not end within its deadline of 2 s")
        assert await here.states(run) == {"s": "CANCELED"}
        await here.cluster.client.wait(
            POD, (await here.rows(run))["s"]["pod_name"], "default", lambda pod: pod is None, timeout=60
        )


@pytest.mark.parametrize("lives", [1, 2])
async def test_what_the_cluster_holds_of_a_run_goes_in_time_and_the_records_stay(here: Here, lives: int) -> None:
    document = Spec().step("s", command=["sh", "-c", "echo a last word"]).compiled({"s": task("s")})
    config = {"platforms": {"kubernetes": {"pipelineConfig": {"resourceTtlOnCompletion": 1}}}}
    client = here.cluster.client
    async with contextlib.AsyncExitStack() as engines:
        await engines.enter_async_context(here.engine())
        run = await here.submit(document, config)
        assert (await here.ended(run))["status"]["expiresAt"]
        if lives == 2:
            await engines.aclose()
            await asyncio.sleep(1.0)
            await engines.enter_async_context(here.engine())
        await client.wait(RUN, run, "default", lambda found: found is None, timeout=60)
        row = (await here.rows(run))["s"]
        await client.wait(POD, row["pod_name"], "default", lambda found: found is None, timeout=60)
    assert row["state"] == "SUCCEEDED"
    assert b"a last word" in await here.artifacts.get(f"{row['folder']}/executor-logs")
    query = select(runs.c.state, runs.c.expires_at).where(runs.c.id == run)
    state, expires_at = await here.records.read(lambda c: tuple(c.execute(query).one()))
    assert (state, expires_at > 0) == ("SUCCEEDED", True)


def _everything(marks: Path, looks: Path, there: Path, items: int) -> dict[str, Any]:
    spec = pooled(pooled(Spec(), "gated", APPROVAL="Go on with {{$.inputs.parameters['n']}}?", POOL="desk"))
    spec.python("look", SENSOR, {"there": str, "looks": str}, {"Output": bool})
    spec.executors["exec-look"]["container"]["env"] = env(SENSOR="every=0.15 timeout=60", POOL="desk")
    given = {"marks": str(marks), "seconds": 0.05, "gate": ""}
    body = {
        "use": task("use", {"n": In("item"), **given}),
        "gated": task("gated", {"n": In("item"), **given}, after=("use",)),
    }
    spec.dag("body", body, {"item": int})
    return spec.compiled(
        {
            "look": task("look", {"there": str(there), "looks": str(looks)}),
            "loop": task("body", each=list(range(items)), after=("look",)),
            "again": task("look", {"there": str(there), "looks": str(looks)}, after=("loop",)),
        }
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.timeout(300)
async def test_whenever_the_engine_dies_everything_that_holds_steps_back_still_does(
    here: Here, tmp_path: Path, seed: int
) -> None:
    """People pause, go on and approve at random while engines live for a random moment each."""
    chance, items = random.Random(seed), 8
    marks, looks, there = tmp_path / "marks", tmp_path / "looks", tmp_path / "there"
    await make_pool(here, 2)
    run = await here.submit(_everything(marks, looks, there, items))
    deaths = 0
    approved: list[str] = []

    async def answer() -> None:
        for task_id, message in (await here.asked(run)).items():
            await here.write(lambda c, id_=task_id: approvals.decide(c, run, id_, Verdict(True, "ada"), 0.0))
            approved.append(message)

    async def people() -> None:
        while True:
            await asyncio.sleep(chance.uniform(0.05, 0.3))
            if chance.random() < 0.4:
                await here.pause(run, True)
                await asyncio.sleep(chance.uniform(0.0, 0.8))
                await answer()
                await asyncio.sleep(chance.uniform(0.0, 0.4))
                await here.pause(run, False)
            else:
                await answer()
            if (
                deaths > 3 and looks.exists() and len(looks.read_text().split()) > 1
            ):  # the first saw that it was not there
                there.touch()

    crowd = asyncio.ensure_future(people())
    try:
        while True:
            async with here.engine():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(chance.uniform(0.1, 0.7) * (1 + deaths / 20)):
                        assert (await here.ended(run))["status"]["phase"] == "SUCCEEDED"
                        break
            deaths += 1
    finally:
        crowd.cancel()
        await asyncio.gather(crowd, return_exceptions=True)
    assert deaths >= 4, "the engine did not die often enough for this test to mean anything"
    assert Counter(order(marks)) == Counter(dict.fromkeys(range(items), 2))
    assert most_at_once(marks) <= 2
    assert sorted(approved) == [f"Go on with {number}?" for number in range(items)]
    rows = await here.rows(run)
    pods = looks.read_text().split()
    assert len(set(pods)) == len(pods), "a look was made twice"
    assert len(pods) == rows["look"]["attempts"] + rows["again"]["attempts"]
    assert rows["look"]["looks"] == rows["look"]["attempts"] - 1 >= 1
    assert {row["slots"] for row in rows.values()} == {0}
