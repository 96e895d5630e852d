"""The pods of finished steps are bounded in number: the oldest go, and their logs are read from their folders."""

from __future__ import annotations

import pytest
from places import Here
from specs import In, Spec, task

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import POD
from fairway.pipelines.render.pods import RUN_LABEL
from fairway.pipelines.settings import PipelinesSettings

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
