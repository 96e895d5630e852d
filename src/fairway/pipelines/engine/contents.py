"""What is in artifacts, for steps whose inputs count by their content.

Steps of such pipelines take the digests of what they make themselves. What is left are artifacts from elsewhere
(imported, given to the run), which are read in every run since they may change, and those of older runs, which are
read once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, select

from fairway.pipelines import digests
from fairway.pipelines.engine.play import Play
from fairway.pipelines.recalling import chunks
from fairway.pipelines.render import folders
from fairway.pipelines.render.model import Artifact, Instance, Type
from fairway.pipelines.tables import artifacts, task_artifacts, tasks

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Read:
    """The digests of the input artifacts of some steps, by artifact."""

    steps: tuple[str, ...]
    found: Mapping[str, str]


def begin(play: Play, steps: Sequence[Instance]) -> None:
    """Read the input artifacts of these steps: as long as that takes, for the largest takes hours."""
    wanted = {item.id: item for step in steps for item in step.inputs.given() if not item.digest}
    ids = tuple(step.id for step in steps)
    play.transfers.begin(play.key, f"contents for {ids[0]}", partial(_read, play, ids, wanted), reads=True)


async def _read(play: Play, steps: tuple[str, ...], wanted: Mapping[str, Artifact]) -> Read:
    """An artifact that cannot be read here counts by its id."""
    found = await asyncio.to_thread(lambda: {id_: _digest(item) for id_, item in wanted.items()})
    known = {id_: digest for id_, digest in found.items() if digest not in (id_, digests.NOTHING)}
    if known:
        with suppress(OSError):  # then they are read once more
            await play.means.records.write(lambda connection: _keep(connection, known))
    return Read(steps, found)


def _digest(item: Artifact) -> str:
    path = folders.path(item.copy or item.uri)
    try:
        return item.id if "://" in path else digests.of(path)
    except (OSError, ValueError) as failure:
        log.warning("artifact %s counts by its id, because it cannot be read: %s", item.id, failure)
        return item.id


def _keep(connection: Connection, found: Mapping[str, str]) -> None:
    """For artifacts that steps made, and nobody changes."""
    for chunk in chunks(list(found)):
        made = (
            select(task_artifacts.c.artifact_id)
            .join(tasks, tasks.c.id == task_artifacts.c.task_id)
            .where(task_artifacts.c.artifact_id.in_(chunk), task_artifacts.c.output, tasks.c.type == str(Type.STEP))
        )
        for id_ in set(connection.execute(made).scalars()):
            kept = artifacts.update().where(artifacts.c.id == id_, artifacts.c.digest == "")
            connection.execute(kept.values(digest=found[id_]))
