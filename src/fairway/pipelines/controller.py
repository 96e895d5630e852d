"""The engine: Run objects, their pods and their records, brought in step.

A reconcile takes what changed since the last one (pods that moved, a request to terminate or retry), tells the
run's `Graph`, and does what the graph decides: records first, then pods. Pod names are deterministic, so that a crash
in between starts nothing twice. The graph in memory is a copy: after any failure it is dropped and built again from
the records, the task folders and the pods.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from fairway.artifacts.store import Artifacts
from fairway.kernel.clock import timestamp
from fairway.kernel.control.controller import Controller, World
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import POD, Object
from fairway.kernel.objects.meta import Key
from fairway.pipelines import ir, outcomes, tasks
from fairway.pipelines.kinds import RUN
from fairway.pipelines.render import folders, pods
from fairway.pipelines.render.graph import WINDOW, Graph
from fairway.pipelines.render.inputs import InputError
from fairway.pipelines.render.model import Hit, Instance, Outcome, RunFacts, State
from fairway.records.database import Database

log = logging.getLogger(__name__)

_AT_ONCE = 16
"""Most pods of one run that are asked for side by side."""

_KEPT_LOG = 1 << 20
"""Most bytes of the log of a step that is ended before its time."""


@dataclass
class _Play:
    """A run in memory. `pods` are those that were asked for and have not been seen to end."""

    graph: Graph
    retries: int
    pods: dict[str, Instance] = field(default_factory=dict)
    told: str = ""
    """The phase that the Run object shows."""


class Engine:
    """`window` bounds the step pods of one run at a time."""

    def __init__(self, records: Database, artifacts: Artifacts, *, window: int = WINDOW) -> None:
        self._records, self._artifacts, self._window = records, artifacts, window
        self._plays: dict[Key, _Play] = {}
        self._moved: dict[Key, set[str]] = {}

    def controller(self) -> Controller:
        return Controller(
            name="pipelines",
            kind=RUN,
            reconcile=self.reconcile,
            watches=((POD, self._run_of),),
            workers=8,
        )

    async def reconcile(self, world: World, namespace: str, name: str) -> float | None:
        key = (namespace, name)
        run = world.mirror(RUN).get(namespace, name)
        if run is None or meta.being_deleted(run):
            self._moved.pop(key, None)
            if (play := self._plays.pop(key, None)) is not None:
                now = world.clock.now()
                await self._records.write(lambda connection: tasks.abandon(connection, play.graph.run.id, now))
            return None
        status, spec = run.get("status") or {}, run.get("spec") or {}
        if status.get("phase") in tasks.OVER and (status.get("retries") or 0) == (spec.get("retries") or 0):
            self._plays.pop(key, None)
            self._moved.pop(key, None)
            return None
        try:
            return await self._reconcile(world, run)
        except BaseException:
            self._plays.pop(key, None)  # what it holds may be ahead of the records
            raise

    def _run_of(self, pod: Object) -> Iterable[Key]:
        """The run of a pod, noting that the pod moved: a reconcile looks at those and at no others."""
        owner = meta.controller_of(pod)
        if owner and owner["kind"] == RUN.kind and owner["apiVersion"] == RUN.api_version:
            key = (meta.namespace(pod), str(owner["name"]))
            self._moved.setdefault(key, set()).add(meta.name(pod))
            yield key

    async def _reconcile(self, world: World, run: Object) -> float | None:
        key = meta.key(run)
        play = self._plays.get(key)
        if play is None or play.retries != ((run.get("spec") or {}).get("retries") or 0):
            self._moved.pop(key, None)  # opening looks at every pod there is to look at
            play = await self._open(world, run)
            if play is None:
                return None
            self._plays[key] = play
        else:
            await self._see(world, play, key[0], self._moved.pop(key, set()))
        graph, now = play.graph, world.clock.now()
        if (run.get("spec") or {}).get("terminate"):
            graph.cancel(now)
        graph.tick(now)
        await self._follow(world, play)
        await self._tell(world, run, play)
        return None if graph.state.ended or graph.next_tick is None else max(graph.next_tick - world.clock.now(), 0.01)

    # From the records

    async def _open(self, world: World, run: Object) -> _Play | None:
        """The run as the records have it, with every open step looked at. None where there is nothing to do."""
        run_id = str(run["spec"].get("runId") or meta.name(run))
        retries = int(run["spec"].get("retries") or 0)
        now = world.clock.now()
        if retries != int((run.get("status") or {}).get("retries") or 0):
            await self._records.write(lambda connection: tasks.reset(connection, run_id, now))
            again = {"retries": retries, "phase": "RUNNING", "message": "", "finishedAt": None}
            await world.client.patch_status(RUN, meta.name(run), meta.namespace(run), again)
        found = await self._records.read(lambda connection: tasks.find(connection, run_id))
        if found is None:
            log.warning("run %s has no record, and is left alone", run_id)
            return None
        if found.row["state"] in tasks.OVER:
            await self._show(world, run, found.row["state"], found.row["error_message"])
            return None
        try:
            pipeline = await asyncio.to_thread(ir.load, found.spec, found.platform)
        except ir.InvalidPipeline as wrong:
            message = str(wrong)
            await self._records.write(
                lambda connection: tasks.finish(connection, run_id, "FAILED", now, message=message, results={})
            )
            await self._show(world, run, "FAILED", message)
            return None
        graph = Graph(pipeline, self._facts(run, found.row), found.known, window=self._window)
        play = _Play(graph, retries, told=str((run.get("status") or {}).get("phase") or ""))
        graph.begin(now)
        await self._records.write(lambda connection: tasks.start(connection, run_id, now))
        await self._take_up(world, play)
        return play

    def _facts(self, run: Object, row: Mapping[str, Any]) -> RunFacts:
        root = row["pipeline_root"] or self._artifacts.root
        return RunFacts(
            id=row["id"],
            display_name=row["display_name"],
            pipeline_name=row["pipeline_name"],
            parameters=row["parameters"] or {},
            created_at=row["created_at"],
            scheduled_at=row["scheduled_at"] or row["created_at"],
            root=(f"file://{root}" if root.startswith("/") else root).rstrip("/"),
            owner=meta.owner_reference(run),
            pod_namespace=meta.namespace(run),
            service_account=row["service_account"],
            cache_namespace=row["namespace"],
        )

    async def _take_up(self, world: World, play: _Play) -> None:
        """Steps that the records leave open: over, still running, lost, or never begun."""
        graph = play.graph
        open_ = [instance for instance in graph.live if instance.recorded]
        if not open_:
            return
        play.pods = {instance.pod: instance for instance in open_}
        # Asked of the server: the mirror may not show yet what was created a moment ago. And before the folders are
        # looked at: a pod leaves its outcome before it ends, so that one seen to be over has left what it ever will.
        found = [await self._pod(world, graph, instance) for instance in open_]
        addresses = [folders.address(graph.pipeline, graph.run, instance) for instance in open_]
        traces = await asyncio.to_thread(outcomes.traces, addresses)
        never_begun: list[Instance] = []
        for instance, pod, trace in zip(open_, found, traces, strict=True):
            if trace.outcome is None and pod is None and not trace.started:
                never_begun.append(instance)
            elif trace.outcome is None and pod is None and await self._pod(world, graph, instance):
                continue  # an engine that died was still creating it, and it began since: the mirror will tell of it
            elif trace.outcome is not None or pod is None or _over(pod):
                self._settle(world, play, instance.pod, pod, trace)
            elif why := outcomes.never_starts(pod):
                await self._give_up(world, play, instance.pod, why)
            elif _phase(pod) == "Running":
                graph.running(instance.id, world.clock.now())
        await self._write_folders(graph, never_begun)
        await self._begin_pods(world, play, never_begun)

    async def _pod(self, world: World, graph: Graph, instance: Instance) -> Object | None:
        return await world.client.find(POD, instance.pod, graph.run.pod_namespace)

    # From the pods

    async def _see(self, world: World, play: _Play, namespace: str, moved: Iterable[str]) -> None:
        """Tell the graph of the pods that moved."""
        mirror, graph, now = world.mirror(POD), play.graph, world.clock.now()
        over: list[tuple[str, Object | None]] = []
        for name in moved:
            instance = play.pods.get(name)
            if instance is None:
                continue
            pod = mirror.get(namespace, name)
            if pod is None or _over(pod):
                over.append((name, pod))
            elif _phase(pod) == "Running":
                graph.running(instance.id, now)
            elif why := outcomes.never_starts(pod):
                await self._give_up(world, play, name, why)
            elif why := outcomes.waiting(pod):
                graph.waiting(instance.id, why, now)
        if over:
            addresses = [folders.address(graph.pipeline, graph.run, play.pods[name]) for name, _ in over]
            traces = await asyncio.to_thread(outcomes.traces, addresses)
            for (name, pod), trace in zip(over, traces, strict=True):
                self._settle(world, play, name, pod, trace)

    async def _give_up(self, world: World, play: _Play, name: str, why: str) -> None:
        """The pod will not start as it is. It goes, so that it does not hold what it asked for."""
        await world.client.delete(POD, name, play.graph.run.pod_namespace)
        self._ended(world, play, name, Outcome(False, message=why, code=1))

    def _settle(self, world: World, play: _Play, name: str, pod: Object | None, trace: outcomes.Trace) -> None:
        """A pod is over. Of a short step nobody said before that it ran."""
        if trace.started:
            play.graph.running(play.pods[name].id, trace.started)
        self._ended(world, play, name, outcomes.of_pod(pod, trace))

    def _ended(self, world: World, play: _Play, name: str, outcome: Outcome) -> None:
        graph, instance = play.graph, play.pods.pop(name)
        folder = folders.address(graph.pipeline, graph.run, instance)
        graph.ended(instance.id, instance.attempts - 1, outcome, folder, world.clock.now())

    # What follows

    async def _follow(self, world: World, play: _Play) -> None:
        """Do what the graph decides until it has nothing more to say."""
        graph = play.graph
        while True:
            changed: dict[str, Instance] = {}
            starts: list[Instance] = []
            stops: list[Instance] = []
            while True:
                decisions = graph.decide()
                changed |= decisions.changed
                starts += decisions.starts
                stops += decisions.stops
                if not decisions.asks:
                    break
                graph.answer(await self._answers(graph, decisions.asks), world.clock.now())
            if not (changed or starts or stops):
                return
            starts = [instance for instance in starts if not instance.state.ended]
            # Side by side, and both before any pod. Folders that a crash between the two leaves out are made up for.
            await asyncio.gather(self._write_folders(graph, starts), self._write_records(world, graph, changed))
            await self._begin_pods(world, play, starts)
            for instance in stops:
                await self._keep_log(world, graph, instance)
                gone = not await world.client.delete(POD, instance.pod, graph.run.pod_namespace)
                if gone and instance.pod in play.pods:
                    self._ended(world, play, instance.pod, Outcome(False, message="the run was terminated"))

    async def _keep_log(self, world: World, graph: Graph, instance: Instance) -> None:
        """The log goes with the pod, so what a step wrote is put into its folder before the pod is ended."""
        kept = bytearray()
        try:
            async with aclosing(world.client.logs(instance.pod, graph.run.pod_namespace)) as log_:
                async for chunk in log_:
                    kept += chunk
                    if len(kept) > _KEPT_LOG:
                        break
            folder = folders.address(graph.pipeline, graph.run, instance)
            await self._artifacts.put(f"{folder}/{folders.LOG}", bytes(kept[:_KEPT_LOG]))
        except (errors.ApiError, OSError) as failure:
            log.debug("the log of pod %s is not kept: %s", instance.pod, failure)

    async def _answers(self, graph: Graph, asks: list[Instance]) -> dict[str, Hit | None]:
        """What the cache knows. A hit counts only while the artifacts it stands for are there."""
        run, wanted = graph.run, list({instance.fingerprint for instance in asks})
        hits = await self._records.read(lambda c: tasks.hits(c, wanted, run.pipeline_name, run.cache_namespace))
        there = await asyncio.to_thread(outcomes.intact, [hit.folder for hit in hits.values()])
        good = {print_: hit.hit for (print_, hit), intact in zip(hits.items(), there, strict=True) if intact}
        return {instance.id: good.get(instance.fingerprint) for instance in asks}

    async def _write_folders(self, graph: Graph, starts: list[Instance]) -> None:
        if not starts:
            return
        content = [
            (folders.address(graph.pipeline, graph.run, instance), folders.task(graph.pipeline, graph.run, instance))
            for instance in starts
        ]
        await asyncio.to_thread(outcomes.prepare, content)

    async def _write_records(self, world: World, graph: Graph, changed: Mapping[str, Instance]) -> None:
        now, run_id = world.clock.now(), graph.run.id
        changes = tasks.Changes(graph.pipeline, graph.run, changed.values(), now)
        over, root = graph.state if graph.state.ended else None, graph.root
        results = dict(root.outputs.parameters)
        message = root.failure if over is State.FAILED else ""

        def write(connection: Any) -> None:
            changes.write(connection)
            if over is not None:
                tasks.finish(connection, run_id, str(over), now, message=message, results=results)

        await self._records.write(write)

    async def _begin_pods(self, world: World, play: _Play, starts: list[Instance]) -> None:
        slots = asyncio.Semaphore(_AT_ONCE)

        async def begin(instance: Instance) -> None:
            async with slots:
                await self._begin_pod(world, play, instance)

        failures = await asyncio.gather(*(begin(instance) for instance in starts), return_exceptions=True)
        for failure in failures:
            if failure is not None:
                raise failure

    async def _begin_pod(self, world: World, play: _Play, instance: Instance) -> None:
        graph, name = play.graph, instance.pod
        play.pods[name] = instance
        try:
            await world.client.create(POD, pods.render(graph.pipeline, graph.run, instance))
        except errors.AlreadyExists:
            log.debug("pod %s is there already", name)
        except (InputError, errors.Invalid, errors.BadRequest, errors.Forbidden) as refused:
            message = f"the pod of the step was refused: {refused}"
            self._ended(world, play, name, Outcome(False, message=message, code=1))

    # To the Run object

    async def _tell(self, world: World, run: Object, play: _Play) -> None:
        graph = play.graph
        if graph.state.ended:
            phase, message = str(graph.state), graph.root.failure
        else:
            phase, message = ("CANCELING" if graph.canceling else "RUNNING"), ""
        if phase != play.told:
            await self._show(world, run, phase, message)
            play.told = phase
        if graph.state.ended:
            self._plays.pop(meta.key(run), None)

    async def _show(self, world: World, run: Object, phase: str, message: str) -> None:
        now = timestamp(world.clock.now())
        status: Object = {"phase": phase, "message": message[:1024]}
        if not (run.get("status") or {}).get("startedAt"):
            status["startedAt"] = now
        status["finishedAt"] = now if phase in tasks.OVER else None
        try:
            await world.client.patch_status(RUN, meta.name(run), meta.namespace(run), status)
        except errors.NotFound:
            log.debug("run %s was deleted while it was being told of", meta.name(run))


def _phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase") or "")


def _over(pod: Object) -> bool:
    return _phase(pod) in ("Succeeded", "Failed")
