"""Input artifacts that are kept elsewhere are brought into the task folder before the step's pod is there.

They come through the cache of all fetched files, so that an artifact that ten steps read is fetched once. Nothing at
the address is no failure: a step may declare what it does not read, and metrics have no bytes at all. What the web does
not give is told to the step, which may know the address; what a bucket does not give fails the attempt.
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

from fairway.artifacts.failures import CannotFetch, NothingThere
from fairway.pipelines import far
from fairway.pipelines.engine.play import Play
from fairway.pipelines.ir.model import Importer
from fairway.pipelines.render import folders, importing
from fairway.pipelines.render.model import Artifact, Instance

log = logging.getLogger(__name__)


def near(play: Play, starts: list[Instance]) -> list[Instance]:
    """Those that can begin at once. For the others their inputs are under way."""
    found = []
    for instance in starts:
        wanted = _wanted(play, instance)
        if wanted:
            play.pods[instance.pod] = instance
            play.graph.waiting(instance.id, f"its inputs are brought here: {wanted[0].uri}", play.now)
            play.transfers.begin(play.key, instance.pod, partial(_bring, play, play.folder(instance), wanted))
        else:
            found.append(instance)
    return found


def _wanted(play: Play, instance: Instance) -> list[Artifact]:
    given = [item for item in instance.inputs.given() if not item.copy and far.is_far(item.uri)]
    if isinstance(instance.component.body, Importer):
        made = importing.made(play.graph.pipeline, play.graph.run, instance)
        given += [item for item in made.given() if far.is_far(item.uri)]
    return list({item.id: item for item in given}.values())


async def _bring(play: Play, folder: str, wanted: list[Artifact]) -> list[str]:
    """What is not there, in sentences. Raises CannotFetch."""
    absent = []
    for item in wanted:
        target = Path(folders.copy(folders.path(folder), item))
        if target.exists():
            continue
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            await play.means.stores.fetch(play.world.client, play.namespace, item.uri, target)
        except NothingThere as nothing:
            absent.append(str(nothing))
        except CannotFetch as failure:
            if not item.uri.startswith(far.ELSEWHERE):
                raise
            absent.append(str(failure))
    return absent
