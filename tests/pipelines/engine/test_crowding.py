"""The pods of finished steps are bounded in number: the oldest go, and their logs are read from their folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from places import Here
from specs import In, Spec, task

from fairway.kernel.control.controller import World
from fairway.kernel.control.mirror import Mirrors
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import NAMESPACE, POD
from fairway.pipelines.engine.attempts import over
from fairway.pipelines.engine.crowding import Crowding
from fairway.pipelines.engine.play import Means
from fairway.pipelines.render.pods import COMMAND, RUN_LABEL
from fairway.pipelines.settings import PipelinesSettings
from fairway.up.front import task_group

pytestmark = pytest.mark.slow

SAY = "def run(n: int):\n    print('this is', n)\n"
KEPT, STEPS = 3, 8


async def step_pods(here: Here) -> set[str]:
    pods = (await here.cluster.client.list(POD, "default", labels=RUN_LABEL)).items
    return {meta.name(pod) for pod in pods}


async def test_the_newest_stay_and_of_the_others_the_log(here: Here) -> None:
    here.settings = PipelinesSettings(kept_pods=KEPT)
    await here.pod("mine", "true", [], [])
    spec = Spec().python("say", SAY, {"n": int})
    spec.dag("body", {"say": task("say", {"n": In("item")})}, {"item": int})
    async with here.engine():
        run = await here.submit(spec.compiled({"loop": task("body", each=list(range(STEPS)))}))
        await here.ended(run)

        async def few() -> bool:
            return len(await step_pods(here)) == KEPT

        await here.until(few)
        assert await here.cluster.client.find(POD, "mine", "default"), "a pod that is no step's stays"
        gone = [row for row in (await here.rows(run)).values() if row["pod_name"] not in {"", *await step_pods(here)}]
        assert len(gone) == STEPS - KEPT
        for row in gone:
            assert b"this is" in await here.artifacts.get(f"{row['folder']}/executor-logs")


async def make_room(here: Here) -> None:
    """For nothing at all."""
    client, clock = here.cluster.client, here.cluster.platform.clock
    async with task_group() as group:
        world = World(client, clock, Mirrors(client, clock, group))
        await world.mirror(POD).synced()
        settings = PipelinesSettings(kept_pods=0)
        await Crowding(Means(here.records, here.artifacts, settings=settings))._make_room(world)


async def test_a_pod_stays_until_the_records_say_how_it_ended(here: Here, tmp_path: Path) -> None:
    command = ["sh", "-c", f"until test -e {tmp_path}/gate; do sleep 0.05; done"]
    async with here.engine():
        run = await here.submit(Spec().step("s", command=command).compiled({"s": task("s")}))
        (name,) = await here.until(lambda: step_pods(here))
    (tmp_path / "gate").touch()
    await here.cluster.client.wait(POD, name, "default", lambda pod: pod is not None and over(pod), timeout=60)
    await make_room(here)
    assert await step_pods(here) == {name}
    async with here.engine():
        await here.ended(run)
    await make_room(here)
    await here.cluster.client.wait(POD, name, "default", lambda pod: pod is None, timeout=60)


async def test_no_log_is_put_into_the_folder_of_another_namespaces_step(here: Here) -> None:
    client = here.cluster.client
    await client.create(NAMESPACE, NAMESPACE.new("elsewhere"))
    async with here.engine():
        run = await here.submit(Spec().python("say", SAY, {"n": int}).compiled({"say": task("say", {"n": 1})}))
        await here.ended(run)
    (row,) = [row for path, row in (await here.rows(run)).items() if path]
    main = {"name": "main", "image": "python:3.11", "command": COMMAND, "args": [row["folder"]]}
    forged = {"restartPolicy": "Never", "containers": [main]}
    await client.create(POD, POD.new("forged", "elsewhere", metadata={"labels": {RUN_LABEL: run}}, spec=forged))
    await client.wait(POD, "forged", "elsewhere", lambda pod: pod is not None and over(pod), timeout=60)
    await make_room(here)
    await client.wait(POD, "forged", "elsewhere", lambda pod: pod is None, timeout=60)
    assert b"this is 1" in await here.artifacts.get(f"{row['folder']}/executor-logs")
