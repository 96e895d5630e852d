"""Attempts of steps: their task folders and pods, from the folder that is written to the pod that is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress

from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import POD, Object
from fairway.pipelines import outcomes
from fairway.pipelines.engine import claims, logs, taking
from fairway.pipelines.engine.play import Play
from fairway.pipelines.render import pods, task_files, workspaces
from fairway.pipelines.render.inputs import InputError
from fairway.pipelines.render.model import Instance, Outcome

log = logging.getLogger(__name__)

_AT_ONCE = 16
"""Most pods of one run that are asked for side by side."""


async def see(play: Play, moved: Iterable[str]) -> None:
    """Tell the graph of the pods that moved."""
    mirror, graph, now = play.world.mirror(POD), play.graph, play.now
    over_: list[tuple[str, Object | None]] = []
    for name in moved:
        instance = play.pods.get(name)
        if instance is None:
            continue
        pod = mirror.get(play.namespace, name)
        if pod is None or over(pod):
            over_.append((name, pod))
        elif runs(pod):
            graph.running(instance.id, now)
        elif why := outcomes.never_starts(pod):
            await give_up(play, name, why)
        elif why := outcomes.waiting(pod):
            graph.waiting(instance.id, why, now)
    if over_:
        traces = await asyncio.to_thread(outcomes.traces, [play.folder(play.pods[name]) for name, _ in over_])
        for (name, pod), trace in zip(over_, traces, strict=True):
            settle(play, name, pod, trace)


async def prepare(play: Play, starts: list[Instance], absent: Sequence[str] = ()) -> None:
    """Write the task folders. `absent` says which inputs have no bytes here, and why."""
    if starts:
        graph = play.graph
        content = []
        for each in starts:
            with suppress(InputError):  # the pod is refused for the same reason
                told = {"absent": list(absent)} if absent else {}
                content.append((play.folder(each), {**task_files.content(graph.pipeline, graph.run, each), **told}))
        await asyncio.to_thread(outcomes.prepare, content)


async def begin(play: Play, starts: list[Instance]) -> None:
    """Create the pods."""
    await _side_by_side(_begin, play, starts)


async def stop(play: Play, stops: list[Instance]) -> None:
    """End the pods before their time. Each is seen to be over like any other, unless it is gone already."""
    await _side_by_side(_stop, play, stops)


async def give_up(play: Play, name: str, why: str) -> None:
    """The pod will not start as it is. It goes, so that it does not hold what it asked for."""
    await play.world.client.delete(POD, name, play.namespace)
    ended(play, name, Outcome(False, message=why, code=1))


def settle(play: Play, name: str, pod: Object | None, trace: outcomes.Trace) -> None:
    """A pod is over. Of a short step nobody said before that it ran."""
    if trace.started:
        play.graph.running(play.pods[name].id, trace.started)
    outcome = outcomes.of_pod(pod, trace)
    if outcome.succeeded and taking.wanted(play, outcome):
        taking.begin(play, play.pods[name], outcome)
    else:
        ended(play, name, outcome)


def ended(play: Play, name: str, outcome: Outcome) -> None:
    """Tell the graph, once nothing more is to be done for the attempt."""
    instance = play.pods.pop(name)
    play.graph.ended(instance.id, instance.attempts - 1, outcome, play.folder(instance), play.now)


def over(pod: Object) -> bool:
    return _phase(pod) in ("Succeeded", "Failed")


def runs(pod: Object) -> bool:
    return _phase(pod) == "Running"


async def _side_by_side(work: Callable[[Play, Instance], Awaitable[None]], play: Play, steps: list[Instance]) -> None:
    """All of them are tried, whatever becomes of one."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(instance: Instance) -> None:
        async with slots:
            await work(play, instance)

    failures = await asyncio.gather(*(one(instance) for instance in steps), return_exceptions=True)
    for failure in failures:
        if failure is not None:
            raise failure


async def _stop(play: Play, instance: Instance) -> None:
    await logs.keep(play.means, play.world.client, instance.pod, play.namespace, play.folder(instance))
    gone = not await play.world.client.delete(POD, instance.pod, play.namespace)
    if gone and instance.pod in play.pods:
        ended(play, instance.pod, Outcome(False, message="the run was terminated"))


async def _begin(play: Play, instance: Instance) -> None:
    graph, name = play.graph, instance.pod
    play.pods[name] = instance
    try:
        if workspaces.claimed(graph.pipeline, graph.run, instance):
            await claims.ensure_workspace(play)
        await play.world.client.create(POD, pods.render(graph.pipeline, graph.run, instance))
    except errors.AlreadyExists:
        log.debug("pod %s is there already", name)
    except (InputError, errors.Invalid, errors.BadRequest, errors.Forbidden, errors.TooLarge) as refused:
        ended(play, name, Outcome(False, message=f"the pod of the step was refused: {refused}", code=1))


def _phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase") or "")
