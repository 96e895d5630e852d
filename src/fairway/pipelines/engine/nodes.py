"""Which images run as processes where a run's pods go: the nodes say it, where they are ours."""

from __future__ import annotations

import logging

from fairway.kernel.control.controller import World
from fairway.kernel.objects import errors, images, meta
from fairway.kernel.objects.kinds import NODE, Object
from fairway.pipelines import ir
from fairway.pipelines.ir.model import Container

log = logging.getLogger(__name__)

ENGINE, PROCESSES = "fairway.dev/container-engine", "fairway.dev/process-images"
_NONE, _LOOKING = "none: ", "looking"
_LOOKS, _PAUSE = 100, 0.1
"""A node that has just begun finds its engine within seconds."""


async def processes(world: World, pipeline: ir.Pipeline) -> tuple[str, ...] | None:
    """Patterns of images; None where no node tells processes from containers, or none could run a container."""
    for _ in range(_LOOKS):
        nodes = await _nodes(world)
        patterns = {pattern for node in nodes for pattern in meta.annotations(node).get(PROCESSES, "").split(",")}
        engines = [engine for node in nodes if (engine := meta.annotations(node).get(ENGINE))]
        if _LOOKING not in engines or all(images.fits(image, patterns) for image in _images(pipeline)):
            break
        await world.clock.sleep(_PAUSE)
    return tuple(sorted(patterns)) if any(not engine.startswith(_NONE) for engine in engines) else None


async def _nodes(world: World) -> list[Object]:
    try:
        return list((await world.client.list(NODE)).items)
    except errors.ApiError as refused:
        log.info("the cluster does not show its nodes (%s): images are taken to be all alike", refused)
        return []


def _images(pipeline: ir.Pipeline) -> set[str]:
    return {each.body.image for each in pipeline.components.values() if isinstance(each.body, Container)}
