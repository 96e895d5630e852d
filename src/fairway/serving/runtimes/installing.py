"""Makes the built-in ClusterServingRuntimes, and renews them where nobody has changed them since.

What a person changed in one stays; a built-in one that was deleted is back at the next start, so who does not want
it sets `disabled: true`.
"""

from __future__ import annotations

import asyncio
import logging

from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock
from fairway.kernel.feature import Ready, Service
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import Object
from fairway.serving.render import marks
from fairway.serving.runtimes import built_in
from fairway.serving.runtimes.kinds import CLUSTER_SERVING_RUNTIME

log = logging.getLogger(__name__)

MADE = "serving.fairway.dev/made-as"
"""The digest of the spec that was written by us: another spec is a person's."""

_AGAIN = 2.0


def service(client: Client, clock: Clock) -> Service:
    async def run(ready: Ready) -> None:
        await install(client, clock)
        ready()
        await asyncio.Event().wait()

    return Service("serving-runtimes", run)


async def install(client: Client, clock: Clock) -> None:
    """Have all of them, however often it takes."""
    wanted = list(map(_marked, built_in.objects()))
    while wanted:
        try:
            await _ensure(client, wanted[-1])
            wanted.pop()
        except (errors.ApiError, OSError) as failure:
            log.warning("the runtime %s is not made yet: %s", meta.name(wanted[-1]), failure)
            await clock.sleep(_AGAIN)


async def _ensure(client: Client, wanted: Object) -> None:
    name = meta.name(wanted)
    found = await client.find(CLUSTER_SERVING_RUNTIME, name)
    if found is None:
        await client.create(CLUSTER_SERVING_RUNTIME, wanted)
        return
    made = meta.annotations(found).get(MADE)
    untouched = made == marks.digest_of(found["spec"])
    if untouched and made != meta.annotations(wanted)[MADE]:
        await client.update(CLUSTER_SERVING_RUNTIME, {**wanted, "metadata": _renewed(found, wanted)})


def _renewed(found: Object, wanted: Object) -> Object:
    annotations = {**meta.annotations(found), **meta.annotations(wanted)}
    return {**found["metadata"], "annotations": annotations}


def _marked(obj: Object) -> Object:
    annotations = {**meta.annotations(obj), MADE: marks.digest_of(obj["spec"])}
    return {**obj, "metadata": {**obj["metadata"], "annotations": annotations}}
