"""Steps that stop for a look: they say so in their task folders, and the engine says so of the task.

Nothing tells the engine of a file, so it looks every now and then, at those steps only whose author asked for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from fairway.pipelines import stopping
from fairway.pipelines.engine.play import Play
from fairway.pipelines.ir.model import Container
from fairway.pipelines.render import folders
from fairway.pipelines.render.model import Instance

_LOOK_AGAIN = 1.0
_LONGEST = 64


async def see(play: Play) -> float | None:
    """Tell the graph which steps stand still. Gives the seconds until the next look; None where there is no need."""
    steps = [instance for instance in play.graph.live if _may_stop(instance)]
    if not steps:
        return None
    paths = [folders.path(play.folder(instance)) for instance in steps]
    for instance, where in zip(steps, await asyncio.to_thread(_read, paths), strict=True):
        play.graph.standing(instance.id, _message(instance, where) if where else "", play.now)
    return _LOOK_AGAIN


def _may_stop(instance: Instance) -> bool:
    return isinstance(instance.component.body, Container) and bool(instance.component.body.stops)


def _message(instance: Instance, where: str) -> str:
    return f"{stopping.said(where)}: `kubectl logs {instance.pod}` says how it goes on"


def _read(paths: Iterable[str]) -> list[str]:
    return [_text(Path(path) / stopping.STOPPED) for path in paths]


def _text(file: Path) -> str:
    """The one word in it; anything else was written by the step itself."""
    try:
        with file.open("rb") as content:
            return content.read(_LONGEST).decode(errors="replace")
    except (FileNotFoundError, IsADirectoryError):
        return ""
