"""How a run is, on its Run object: for kubectl, and for whoever watches."""

from __future__ import annotations

import logging

from fairway.kernel.clock import timestamp
from fairway.kernel.control.controller import World
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import Object
from fairway.pipelines import tasks
from fairway.pipelines.engine.play import Play
from fairway.pipelines.kinds import RUN

log = logging.getLogger(__name__)


async def tell(play: Play, run: Object) -> None:
    graph = play.graph
    if graph.state.ended:
        phase, message = str(graph.state), graph.root.failure
    else:
        phase, message = (tasks.ENDING if graph.canceling else "PAUSED" if graph.paused else "RUNNING"), ""
    if phase != play.told:
        await show(play.world, run, phase, message, play.expires_at)
        play.told = phase


async def show(
    world: World, run: Object, phase: str, message: str, expires_at: float = 0.0, retries: int | None = None
) -> None:
    """`retries` are those that were taken up, where that is to be told anew."""
    now = timestamp(world.clock.now())
    status: Object = {"phase": phase, "message": message[:1024]}
    if retries is not None:
        status["retries"] = retries
    if not (run.get("status") or {}).get("startedAt"):
        status["startedAt"] = now
    status["finishedAt"] = now if phase in tasks.OVER else None
    status["expiresAt"] = timestamp(expires_at) if expires_at else None
    try:
        await world.client.patch_status(RUN, meta.name(run), meta.namespace(run), status)
    except errors.NotFound:
        log.debug("run %s was deleted while it was being told of", meta.name(run))
