"""From the records to a run in memory: at its start, after a crash, and when a retry was asked for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from fairway.kernel.control.controller import World
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import POD, Object
from fairway.pipelines import far, given, ir, outcomes, recalling, tasks
from fairway.pipelines.engine import attempts, bringing, claims, nodes, telling
from fairway.pipelines.engine.following import Overtaken
from fairway.pipelines.engine.play import Means, Play
from fairway.pipelines.engine.slots import Slots
from fairway.pipelines.engine.transfers import Transfers
from fairway.pipelines.ir.model import Container
from fairway.pipelines.kinds import RUN
from fairway.pipelines.render.graph import Graph
from fairway.pipelines.render.model import Artifact, Instance, Known, RunFacts
from fairway.pipelines.render.places import Overrides

log = logging.getLogger(__name__)


async def opened(means: Means, world: World, slots: Slots, transfers: Transfers, run: Object) -> Play | None:
    """The run as the records have it, with every open step looked at. None where there is nothing to do. Raises
    Overtaken where it was paused or ended meanwhile."""
    run_id, now = meta.name(run), world.clock.now()
    retries = int(run["spec"].get("retries") or 0)
    found = await means.records.read(lambda connection: recalling.find(connection, run_id))
    if found is None or not _speaks_for(run, found.row):
        log.warning("the Run %s/%s has no record that is its own, and is left alone", meta.namespace(run), run_id)
        return None
    if found.row["state"] in tasks.OVER:
        row = found.row
        await telling.show(world, run, row["state"], row["error_message"], row["expires_at"], retries)
        return None
    if retries != int((run.get("status") or {}).get("retries") or 0):
        await means.records.write(lambda connection: tasks.reset(connection, run_id, now))
        again = {"retries": retries, "phase": "RUNNING", "message": "", "finishedAt": None, "expiresAt": None}
        await world.client.patch_status(RUN, run_id, meta.namespace(run), again)
        found = await means.records.read(lambda connection: recalling.find(connection, run_id))
        if found is None:
            return None  # it was deleted meanwhile
    try:
        pipeline = await asyncio.to_thread(ir.load, found.spec, found.platform)
        remote = await _remote(means, world, run, found.row)
        facts = await _with_artifacts(means, pipeline, _facts(means, pipeline, run, found.row, remote), now)
        facts = replace(facts, processes=await nodes.processes(world, pipeline))
    except (ir.InvalidPipeline, given.CannotBeGiven) as wrong:
        message = str(wrong)
        await means.records.write(lambda connection: tasks.give_up(connection, run_id, "FAILED", now, message=message))
        await telling.show(world, run, "FAILED", message)
        return None
    graph = Graph(pipeline, facts, found.known, window=means.window)
    told = str((run.get("status") or {}).get("phase") or "")
    play = Play(means, world, slots, transfers, graph, retries, int(found.row["asked"]), told=told)
    ending = found.row["state"] == tasks.ENDING or bool(run["spec"].get("terminate"))
    graph.pause(found.row["paused"] or ending, now)  # nothing starts, so that the end finds only what runs already
    graph.begin(now)
    slots.take_up(play.key, graph.live)
    if not await means.records.write(lambda connection: tasks.start(connection, run_id, now)) and not graph.paused:
        raise Overtaken
    await _take_up(play, found.known)
    if ending:
        graph.cancel(play.now)
    return play


def _speaks_for(run: Object, row: Mapping[str, Any]) -> bool:
    """Whether the object is the one that the record was given: whoever may make Runs in a namespace of his own cannot
    play, end or read another's."""
    same = (meta.namespace(run), run["spec"].get("runId")) == (row["object_namespace"], row["id"])
    return same and not row["external"]


async def _remote(means: Means, world: World, run: Object, row: Mapping[str, Any]) -> str:
    """The bucket that the run keeps its artifacts in; empty for one that keeps them in a folder here."""
    root = row["pipeline_root"] or await means.stores.default_root(world.client, meta.namespace(run))
    return root.rstrip("/") if root.startswith(far.BUCKETS) else ""


def _facts(means: Means, pipeline: ir.Pipeline, run: Object, row: Mapping[str, Any], remote: str) -> RunFacts:
    given = row["pipeline_root"]
    root = given if given and not given.startswith(far.BUCKETS) else means.artifacts.root
    return RunFacts(
        id=row["id"],
        display_name=row["display_name"],
        pipeline_name=row["pipeline_name"],
        parameters=row["parameters"] or {},
        created_at=row["created_at"],
        scheduled_at=row["scheduled_at"] or row["created_at"],
        root=(f"file://{root}" if root.startswith("/") else root).rstrip("/"),
        remote=remote,
        owner=meta.owner_reference(run),
        pod_namespace=meta.namespace(run),
        service_account=row["service_account"],
        cache_namespace=row["namespace"],
        cache_by=means.settings.cache_by,
        cache_max_age=means.settings.cache_seconds,
        digests=_content_counts(means, pipeline),
        overrides=Overrides(row["overrides"]),
        api_url=means.public_url,
    )


def _content_counts(means: Means, pipeline: ir.Pipeline) -> bool:
    """Whether there is a step whose input artifacts count by their content."""
    bodies = [each.body for each in pipeline.components.values() if isinstance(each.body, Container)]
    return any((body.options.cache_by or means.settings.cache_by) == "content" for body in bodies)


async def _with_artifacts(means: Means, pipeline: ir.Pipeline, facts: RunFacts, now: float) -> RunFacts:
    """What the client gave under the names of artifact inputs, as artifacts."""
    slots = pipeline.entry.input_artifacts
    if not slots:
        return facts

    def find(connection: Connection) -> dict[str, tuple[Artifact, ...]]:
        return given.find(connection, pipeline, facts.parameters, facts.cache_namespace, now)

    parameters = {key: value for key, value in facts.parameters.items() if key not in slots}
    return replace(facts, parameters=parameters, artifacts=await means.records.write(find))


async def _take_up(play: Play, known: Mapping[str, Known]) -> None:
    """Steps that the records leave open: over, still running, lost, or never begun."""
    graph = play.graph
    left = [each for each in graph.live if each.id in known and known[each.id].attempts == each.attempts]
    open_ = [instance for instance in left if instance.pod]
    for instance in left:
        if not instance.pod:
            await claims.carry_out(play, instance, again=True)
    if not open_:
        return
    play.pods = {instance.pod: instance for instance in open_}
    # Asked of the server: the mirror may not show yet what was created a moment ago. And before the folders are
    # looked at: a pod leaves its outcome before it ends, so that one seen to be over has left what it ever will.
    found = [await _pod(play, instance) for instance in open_]
    traces = await asyncio.to_thread(outcomes.traces, [play.folder(instance) for instance in open_])
    never_begun: list[Instance] = []
    for instance, pod, trace in zip(open_, found, traces, strict=True):
        if trace.outcome is None and pod is None and not trace.started:
            never_begun.append(instance)
        elif trace.outcome is None and pod is None and await _pod(play, instance):
            continue  # an engine that died was still creating it, and it began since: the mirror will tell of it
        elif (trace.outcome is not None and not trace.beside) or pod is None or attempts.over(pod):
            attempts.settle(play, instance.pod, pod, trace)
        elif why := outcomes.never_starts(pod):
            await attempts.give_up(play, instance.pod, why)
        elif attempts.runs(pod):
            graph.running(instance.id, play.now)
    if graph.paused:
        play.held = never_begun
        return
    near = bringing.near(play, never_begun)
    await attempts.prepare(play, near)
    await attempts.begin(play, near)


async def _pod(play: Play, instance: Instance) -> Object | None:
    return await play.world.client.find(POD, instance.pod, play.namespace)
