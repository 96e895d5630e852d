"""Doing what the graph decides: ask the cache, write the records, then begin and end pods."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from fairway.pipelines import outcomes, tasks
from fairway.pipelines.engine import attempts, claims
from fairway.pipelines.engine.play import Play
from fairway.pipelines.render.model import Hit, Instance, State


async def follow(play: Play) -> None:
    """Do what the graph decides until it has nothing more to say."""
    graph = play.graph
    while True:
        changed: dict[str, Instance] = {}
        starts: list[Instance] = []
        stops: list[Instance] = []
        volumes: list[Instance] = []
        while True:
            decisions = graph.decide()
            changed |= decisions.changed
            starts += decisions.starts
            stops += decisions.stops
            volumes += decisions.claims
            if not decisions.asks:
                break
            graph.answer(await _answers(play, decisions.asks), play.now)
        if not (changed or starts or stops or volumes):
            return
        starts = [instance for instance in starts if not instance.state.ended]
        # Side by side, and both before any pod. Folders that a crash between the two leaves out are made up for.
        await asyncio.gather(attempts.prepare(play, starts), _write_records(play, changed))
        await attempts.begin(play, starts)
        for instance in volumes:
            await claims.carry_out(play, instance)
        for instance in stops:
            await attempts.stop(play, instance)


async def _answers(play: Play, asks: list[Instance]) -> dict[str, Hit | None]:
    """What the cache knows. A hit counts only while the artifacts it stands for are there."""
    run, wanted = play.graph.run, list({instance.fingerprint for instance in asks})
    hits = await play.means.records.read(lambda c: tasks.hits(c, wanted, run.pipeline_name, run.cache_namespace))
    there = await asyncio.to_thread(outcomes.intact, [hit.folder for hit in hits.values()])
    good = {print_: hit.hit for (print_, hit), intact in zip(hits.items(), there, strict=True) if intact}
    answers = {instance.id: good.get(instance.fingerprint) for instance in asks}
    for instance in asks:
        if (hit := answers[instance.id]) is not None and not await claims.there(play, instance, hit):
            answers[instance.id] = None
    return answers


async def _write_records(play: Play, changed: Mapping[str, Instance]) -> None:
    graph, now = play.graph, play.now
    changes = tasks.Changes(graph.pipeline, graph.run, changed.values(), now)
    ended, root = graph.state if graph.state.ended else None, graph.root
    results = dict(root.outputs.parameters)
    message = root.failure if ended is State.FAILED else ""

    def write(connection: Any) -> None:
        changes.write(connection)
        if ended is not None:
            tasks.finish(connection, graph.run.id, str(ended), now, message=message, results=results)

    await play.means.records.write(write)
