"""The engine: Run objects, their pods and their records, brought in step.

A reconcile takes what changed since the last one (pods that moved, a request to terminate or retry), tells the
run's `Graph`, and does what the graph decides: records first, then pods. Pod names are deterministic, so that a crash
in between starts nothing twice. The graph in memory is a copy: after any failure it is dropped and built again from
the records, the task folders and the pods. The parts of this are in `engine`.
"""

from __future__ import annotations

from collections.abc import Iterable

from fairway.kernel.control.controller import Controller, Nudges, World
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import POD, Object
from fairway.kernel.objects.meta import Key
from fairway.pipelines import tasks
from fairway.pipelines.engine import arrivals, attempts, expiring, following, opening, stops, telling
from fairway.pipelines.engine.play import Means, Play
from fairway.pipelines.engine.slots import Slots
from fairway.pipelines.engine.transfers import Transfers
from fairway.pipelines.kinds import RUN

_AT_ONCE = 0.01


class Engine:
    def __init__(self, means: Means) -> None:
        self._means = means
        self._nudges = Nudges()
        self._slots = Slots(means.records, self._nudges)
        self.transfers = Transfers(self._nudges)
        self._plays: dict[Key, Play] = {}
        self._moved: dict[Key, set[str]] = {}
        self._expired: set[Key] = set()
        """Runs whose objects this engine has removed itself, since their time in the cluster was over."""

    def controller(self) -> Controller:
        return Controller(
            name="pipelines",
            kind=RUN,
            reconcile=self.reconcile,
            watches=((POD, self._run_of),),
            workers=8,
            nudges=self._nudges,
        )

    async def reconcile(self, world: World, namespace: str, name: str) -> float | None:
        key = (namespace, name)
        run = world.mirror(RUN).get(namespace, name)
        if run is None or meta.being_deleted(run):
            self._moved.pop(key, None)
            self._slots.forget(key)
            self.transfers.forget(key)
            self._plays.pop(key, None)
            await self._abandon(key, world.clock.now())
            if run is None:
                self._expired.discard(key)
            return None
        status, spec = run.get("status") or {}, run.get("spec") or {}
        over = status.get("phase") in tasks.OVER and (status.get("retries") or 0) == (spec.get("retries") or 0)
        # Of a run that is being played here somebody else has said it: the records know.
        if over and self._plays.pop(key, None) is None:
            self._moved.pop(key, None)
            self._slots.forget(key)
            return await self._expire(world, run)
        try:
            return await self._reconcile(world, run)
        except BaseException as failure:
            self._plays.pop(key, None)  # what it holds may be ahead of the records
            self._slots.drop(key)
            self.transfers.forget(key)
            if isinstance(failure, following.Overtaken):
                return _AT_ONCE
            raise

    async def _abandon(self, key: Key, now: float) -> None:
        """Of a run that was not taken up yet, too: without its object nobody would end its record. An object that
        this engine has removed itself is missed by nobody: a run that was to begin again meanwhile gets another."""
        namespace, run_id = key
        if key in self._expired:
            return
        if await self._means.records.read(lambda connection: tasks.is_open(connection, run_id, namespace)):
            await self._means.records.write(lambda connection: tasks.abandon(connection, run_id, now))

    async def _expire(self, world: World, run: Object) -> float | None:
        left = await expiring.due(self._means, world, run)
        if left == 0:
            self._expired.add(meta.key(run))
            try:
                await expiring.remove(world, run)
            except BaseException:
                self._expired.discard(meta.key(run))
                raise
            return None
        return left

    def _run_of(self, pod: Object) -> Iterable[Key]:
        """The run of a pod, noting that the pod moved: a reconcile looks at those and at no others."""
        owner = meta.controller_of(pod)
        if owner and owner["kind"] == RUN.kind and owner["apiVersion"] == RUN.api_version:
            key = (meta.namespace(pod), str(owner["name"]))
            self._moved.setdefault(key, set()).add(meta.name(pod))
            yield key

    async def _reconcile(self, world: World, run: Object) -> float | None:
        key, spec = meta.key(run), run.get("spec") or {}
        play = self._plays.get(key)
        known = play is not None and play.owner == meta.uid(run)  # who deletes it and makes it anew makes another
        if play is None or not known or play.retries != (spec.get("retries") or 0):
            self._moved.pop(key, None)  # opening looks at every pod there is to look at
            await self._slots.count()
            self.transfers.forget(key)
            play = await opening.opened(self._means, world, self._slots, self.transfers, run)
            if play is None:
                self._slots.forget(key)
                return None
            self._plays[key] = play
        else:
            await attempts.see(play, self._moved.pop(key, set()))
            await arrivals.settle(play)
        if play.asked < (asked := spec.get("asked") or 0):
            await following.read(play, asked)
        look_again = await stops.see(play)
        graph, now = play.graph, play.now
        if spec.get("terminate"):
            graph.cancel(now)
        graph.tick(now)
        await following.follow(play)
        await telling.tell(play, run)
        if graph.state.ended:
            self._plays.pop(key, None)
            self._slots.forget(key)
            self.transfers.forget(key)
            return None
        until = None if graph.next_tick is None else graph.next_tick - play.now
        waits = [wait for wait in (look_again, until) if wait is not None]
        return max(min(waits), _AT_ONCE) if waits else None
