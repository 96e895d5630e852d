"""Doing what the graph decides: ask the cache and the pools, write the records, then begin and end pods."""

from __future__ import annotations

import asyncio
from typing import Any

from fairway.pipelines import approvals, caching, outcomes, recalling, recording, tasks
from fairway.pipelines.engine import attempts, bringing, claims, contents, expiring, taking
from fairway.pipelines.engine.play import Play
from fairway.pipelines.render import gates
from fairway.pipelines.render.model import Decisions, Hit, Instance, State, Type


class Overtaken(Exception):
    """The run was paused or ended while its next steps were being decided: none of that was done, and it is opened
    again. So is one that goes on, where an engine before this one had decided on steps."""


async def read(play: Play, asked: int) -> None:
    """Requests have come in: what people decided, whether the run is to pause, and pools that have changed. Raises
    Overtaken."""
    run_id = play.graph.run.id
    found = await play.means.records.read(lambda connection: tasks.requests(connection, run_id))
    play.graph.decided(found.verdicts, play.now)
    play.graph.pause(found.paused, play.now)
    if play.held and not found.paused:
        raise Overtaken
    if play.graph.wants:
        play.graph.granted(await play.slots.look(play.key), play.now)
        play.graph.held({each.id: play.slots.why(each) for each in play.graph.wants.values()}, play.now)
    play.asked = asked


async def follow(play: Play) -> None:
    """Do what the graph decides until it has nothing more to say. Raises Overtaken where the records say that the
    run is paused or is to end, of which its object has not told yet: from the moment that is acknowledged nothing
    starts."""
    graph = play.graph
    graph.granted(play.slots.given(play.key), play.now)
    while True:
        decided = await _decided(play)
        if not decided:
            return
        starts = [instance for instance in decided.starts if not instance.state.ended]
        # Side by side, and both before any pod. Folders that a crash between the two leaves out are made up for.
        near = bringing.near(play, starts)
        await asyncio.gather(attempts.prepare(play, near), _write_records(play, decided))
        play.slots.give_back(decided.returns)
        await attempts.begin(play, near)
        for instance in decided.claims:
            if not instance.state.ended:
                await claims.carry_out(play, instance)
        await attempts.stop(play, decided.stops)
        if any(task_id in graph.wants for task_id in decided.changed):
            # The records say since now that these wait: a pool that was changed before that woke nobody up.
            graph.granted(await play.slots.look(play.key), play.now)
        graph.granted(play.slots.given(play.key), play.now)


async def _decided(play: Play) -> Decisions:
    """All that is decided once the cache and the pools have answered. What is in artifacts is told later."""
    graph, slots, whole = play.graph, play.slots, Decisions()
    while True:
        decisions = graph.decide()
        whole.add(decisions)
        if decisions.reads:
            contents.begin(play, decisions.reads)
        if not (decisions.asks or decisions.wants):
            return whole
        if decisions.asks:
            graph.answer(await _answers(play, decisions.asks), play.now)
        if decisions.wants:
            graph.granted(await slots.ask(play.key, decisions.wants), play.now)
            graph.held({each.id: slots.why(each) for each in decisions.wants}, play.now)


async def _answers(play: Play, asks: list[Instance]) -> dict[str, Hit | None]:
    """What the cache knows. A hit counts only while the artifacts it stands for are there."""
    run, wanted = play.graph.run, list({instance.fingerprint for instance in asks})
    hits = await play.means.records.read(lambda c: recalling.hits(c, wanted, run.pipeline_name, run.cache_namespace))
    there = await asyncio.to_thread(outcomes.intact, [hit.folder for hit in hits.values()])
    good = {print_: hit for (print_, hit), intact in zip(hits.items(), there, strict=True) if intact}
    return {instance.id: await _good(play, instance, good.get(instance.fingerprint)) for instance in asks}


async def _good(play: Play, instance: Instance, found: recalling.CacheHit | None) -> Hit | None:
    """What was found, unless it is too old for this step, or what it made is gone from the cluster."""
    if found is None:
        return None
    age = caching.max_age(play.graph.run, instance) if instance.type is Type.STEP else 0.0
    if age and found.made_at + age < play.now:
        return None
    if not await taking.there(play, found.folder):
        return None
    return found.hit if await claims.there(play, instance, found.hit) else None


async def _write_records(play: Play, decided: Decisions) -> None:
    graph, now = play.graph, play.now
    changes = recording.Changes(graph.pipeline, graph.run, decided.changed.values(), now)
    questions = {each.id: gates.question(each) for each in decided.questions if not each.state.ended}
    starting = bool((decided.starts or decided.claims or questions) and not graph.paused)
    ended, root = graph.state if graph.state.ended else None, graph.root
    results = dict(root.outputs.parameters)
    message = root.failure if ended is State.FAILED else ""
    if ended is not None:
        play.expires_at = expiring.expires_at(play)
    expires_at = play.expires_at

    def write(connection: Any) -> bool:
        if starting and not tasks.may_start(connection, graph.run.id):
            return False
        changes.write(connection)
        if questions:
            approvals.ask(connection, graph.run.id, questions, now)
        if ended is not None:
            tasks.finish(
                connection, graph.run.id, str(ended), now, message=message, results=results, expires_at=expires_at
            )
        return True

    if not await play.means.records.write(write):
        raise Overtaken
