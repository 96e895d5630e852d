"""Upstream's examples of JobSet, unmodified, on a cluster that runs pods: each must come as far as it says of itself.

They need a checkout of kubernetes-sigs/jobset (`FAIRWAY_JOBSET_CHECKOUT`, see README.md), and about two minutes: what
they run mostly sleeps. Left out are those that need frameworks, several nodes or kinds of other projects.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import JOB_SET, Object
from fairway.testing.cluster import Cluster, cluster

CHECKOUT = os.environ.get("FAIRWAY_JOBSET_CHECKOUT", "")
EXAMPLES = Path(CHECKOUT) / "site" / "static" / "examples"
_PATIENCE = 240.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(_PATIENCE + 60),
    pytest.mark.skipif(not CHECKOUT, reason="no checkout of kubernetes-sigs/jobset: set FAIRWAY_JOBSET_CHECKOUT"),
]

COMPLETED, FAILED, RESTARTED, READY, GONE = "Completed", "Failed", "restarted twice", "ready", "gone"
EXPECTED = {
    "depends-on/depends-on": COMPLETED,
    "depends-on/multiple-depends-on": COMPLETED,
    "failure-policy/failjobset-action": FAILED,
    "failure-policy/host-maintenance-event-model": FAILED,
    "failure-policy/onjobfailurereasons-present": RESTARTED,
    "failure-policy/onjobfailurereasons-present-podfailurepolicy": RESTARTED,
    "failure-policy/restartjob-action": READY,  # it waits for somebody to make it fail
    "failure-policy/restartjobandignoremaxrestarts-action": READY,
    "failure-policy/restartjobset-action": FAILED,
    "failure-policy/restartjobsetandignoremaxrestarts-action": RESTARTED,
    "simple/coordinator": COMPLETED,
    "simple/failure-policy": FAILED,
    "simple/group": COMPLETED,
    "simple/jobset-with-network": READY,
    "simple/paralleljobs": COMPLETED,
    "simple/success-policy": COMPLETED,
    "simple/ttl-after-finished": GONE,
    "startup-policy/startup-driver-ready": READY,
    "volume-claim-policy/single-pvc": COMPLETED,
}


async def test_each_example_does_what_it_is_about(tmp_path: Path) -> None:
    async with cluster(tmp_path, node=True) as here:
        names = {example: await _create(here, example) for example in EXPECTED}
        waits = [_comes_to(here, names[example], state) for example, state in EXPECTED.items()]
        came = dict(zip(EXPECTED, await asyncio.gather(*waits), strict=True))
        assert came == EXPECTED


async def test_exclusive_placement_is_refused_by_name(tmp_path: Path) -> None:
    async with cluster(tmp_path) as here:
        with pytest.raises(errors.Invalid, match="does not place Jobs exclusively by topology"):
            await _create(here, "simple/exclusive-placement")


async def _create(here: Cluster, example: str) -> str:
    """Make the example; its name, which is its file's where two have the same."""
    made = yaml.safe_load((EXAMPLES / f"{example}.yaml").read_text())
    taken = await here.client.find(JOB_SET, made["metadata"]["name"], "default")
    name = example.rpartition("/")[2][:20].rstrip("-") if taken else made["metadata"]["name"]
    metadata = {**made["metadata"], "name": name, "namespace": "default"}
    return meta.name(await here.client.create(JOB_SET, {**made, "metadata": metadata}))


async def _comes_to(here: Cluster, name: str, state: str) -> str:
    """The state as soon as it is reached, or the last one that was seen."""
    seen: list[str] = []

    def reached(jobset: Object | None) -> bool:
        seen[:] = [_state(jobset)]
        return state in (seen[0], _restarted(jobset))

    try:
        await here.client.wait(JOB_SET, name, "default", reached, timeout=_PATIENCE)
    except TimeoutError:
        return seen[0]
    return state


def _state(jobset: Object | None) -> str:
    if jobset is None:
        return GONE
    status = jobset.get("status") or {}
    jobs: list[Any] = status.get("replicatedJobsStatus") or []
    ready = bool(jobs) and all(one["ready"] or one["succeeded"] for one in jobs)
    return str(status.get("terminalState") or (READY if ready else "waiting"))


def _restarted(jobset: Object | None) -> str:
    status = (jobset or {}).get("status") or {}
    return RESTARTED if int(status.get("restarts") or 0) >= 2 and not status.get("terminalState") else ""
