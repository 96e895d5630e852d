"""Output artifacts of runs that keep them in a bucket: taken from the task folder once the step has ended well.

A step is told to the graph as over, and recorded, when its bytes are in the bucket and no sooner; an engine that dies
on the way finds the outcome in the folder again, and takes them once more. What was taken goes into the cache, where
the next step on this machine finds it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from fairway.artifacts.store import ArtifactsUnreachable
from fairway.pipelines import outcomes
from fairway.pipelines.engine.play import Play
from fairway.pipelines.render import folders
from fairway.pipelines.render.model import Instance, Outcome

log = logging.getLogger(__name__)

_TRIES = 4
_WAIT = 2.0
"""Seconds before the second try, and then twice as long each time. What a step has made is worth some patience."""
_PATIENCE, _UNANSWERED = 5.0, 60.0
"""Seconds for a look at what an earlier step has made, and until the next where there was no answer."""


def wanted(play: Play, outcome: Outcome) -> bool:
    return bool(play.graph.run.remote) and any(told.get("path") for told in outcome.artifacts.values())


def begin(play: Play, instance: Instance, outcome: Outcome) -> None:
    graph = play.graph
    own = _Place(play.folder(instance), folders.remote(graph.pipeline, graph.run, instance))
    work = partial(_take, play, own, outcome)
    play.transfers.begin(play.key, instance.pod, work)


async def there(play: Play, folder: str) -> bool:
    """Whether what was taken from a folder is still where it was taken to. True where nothing was. Where a bucket does
    not answer, it is not asked again for a while: runs of others wait behind this one."""
    uris = await asyncio.to_thread(outcomes.taken, folder) if folder else None
    if not uris:
        return True
    if play.now < play.unanswered_until:
        return False
    try:
        async with asyncio.timeout(_PATIENCE):
            return await play.means.stores.keeps(play.world.client, play.namespace, uris)
    except TimeoutError:
        log.warning("%s does not answer, so that nothing counts that is kept there", uris[0])
        play.unanswered_until = play.now + _UNANSWERED
        return False


@dataclass(frozen=True, slots=True)
class _Place:
    """The step's own: the address of its task folder, and that under which its artifacts are to be kept."""

    folder: str
    remote: str

    def check(self, key: str, told: Mapping[str, Any]) -> None:
        """What is taken is taken by the server, which may read and write what the step may not. Raises OSError."""
        if (told["path"], told.get("uri")) != (f"{folders.path(self.folder)}/outputs/{key}", f"{self.remote}/{key}"):
            raise PermissionError(f"the artifact {key!r} is said to be elsewhere than the step was told to put it")


async def _take(play: Play, own: _Place, outcome: Outcome) -> Outcome:
    """The outcome with the artifacts where they are now. Raises OSError."""
    brought = {key: told for key, told in outcome.artifacts.items() if told.get("path")}
    for key, told in brought.items():
        own.check(key, told)
    if await asyncio.to_thread(outcomes.taken, own.folder) is None:
        uris = [uri for told in brought.values() if (uri := await _patiently(play, told))]
        await asyncio.to_thread(outcomes.leave_taken, own.folder, uris)
    return replace(outcome, artifacts={key: _without_path(told) for key, told in outcome.artifacts.items()})


async def _patiently(play: Play, told: Mapping[str, Any]) -> str:
    """The address, once the bytes are there; empty where there are none."""
    for left in reversed(range(_TRIES)):
        try:
            return await _upload(play, str(told["uri"]), Path(told["path"]))
        except ArtifactsUnreachable:
            if not left:
                raise
            await play.world.clock.sleep(_WAIT * 2 ** (_TRIES - 1 - left))
    raise AssertionError("the last try returns or raises")


async def _upload(play: Play, uri: str, path: Path) -> str:
    if not path.exists():
        return ""
    store, address = await play.means.stores.open(play.world.client, play.namespace, uri)
    if not await store.take(address, path):
        return ""
    await play.means.stores.adopt(play.world.client, play.namespace, uri, path)
    return uri


def _without_path(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in told.items() if key != "path"}
