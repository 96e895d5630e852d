"""Downloads that failed: what the pods of their Jobs said, and which of them are tried again.

A Job that gave up stays, as it says what happened, until somebody deletes it, or until the download would be another
one today: the cache was given other credentials, another node group's volume or another container that fetches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fairway.kernel.control.controller import World
from fairway.kernel.objects import conditions, meta
from fairway.kernel.objects.kinds import JOB, POD, Object
from fairway.serving.caches import render
from fairway.serving.render import marks
from fairway.serving.status import failures

_JOB_NAME = "batch.kubernetes.io/job-name"


def outdated(observed: Iterable[Object], wanted: Mapping[str, Object]) -> set[str]:
    """Names of Jobs that failed at something that nobody asks for any more; `wanted` by name."""
    failed = [one for one in observed if conditions.is_true(one, "Failed") and meta.name(one) in wanted]
    return {meta.name(one) for one in failed if marks.digest(one) not in ("", marks.digest(wanted[meta.name(one)]))}


async def why(world: World, cache: Object) -> str:
    """Of one that failed: where, what its last pod said, and what to do."""
    job = next(one for one in world.mirror(JOB).owned(cache) if conditions.is_true(one, "Failed"))
    name, at = meta.name(job), meta.namespace(job)
    pods = (await world.client.list(POD, at, labels=f"{_JOB_NAME}={name}")).items
    last = max(pods, key=lambda pod: (pod["metadata"].get("creationTimestamp") or "", meta.name(pod)), default=None)
    failure = failures.of_pod(last) if last else None
    said = failure.message if failure else "The log of its Job's pod says why."
    return (
        f"The download to node {render.downloaded_to(job).node} failed: {said.rstrip()}\n"
        f"Mend that, and delete Job {at}/{name} to have it tried again."
    )
