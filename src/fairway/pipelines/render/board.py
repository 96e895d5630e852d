"""What all of a run's graph works on: its instances, what waits for what, and what is to be done next.

`graph` is told what happened and goes on from it; `scopes` opens and closes what has children; `leaves` begins steps
and tries them again. Each of them changes the board, and only the board knows what the records are to be told.
"""

from __future__ import annotations

import heapq
import itertools
import uuid
from collections import deque
from collections.abc import Mapping

from fairway.pipelines import ir
from fairway.pipelines.ir.model import Component, Task
from fairway.pipelines.render.model import Decisions, Instance, Known, RunFacts, State, Type, Verdict

MOST_STATES = 200
"""Kept of one task: a sensor has two for each look, and each is a part of what is written with the next."""


class Board:
    """`known` is what the records say. The queues hold what may go on: `to_begin` what nothing keeps waiting any more,
    `to_go` leaves that have their inputs, `to_start` steps that want a pod, `to_close` what has ended and is to be told
    of."""

    def __init__(self, pipeline: ir.Pipeline, run: RunFacts, known: Mapping[str, Known]) -> None:
        self.pipeline, self.run, self.known = pipeline, run, dict(known)
        self.instances: dict[str, Instance] = {}
        self.now = 0.0
        self.paused = False
        self.stopping = ""
        """Why nothing starts any more and what runs is ended, where that is so."""
        self.overdue = False
        """The reason is that the run's deadline has passed, which is a failure of the run."""
        self.to_begin: deque[Instance] = deque()
        self.to_go: deque[Instance] = deque()
        self.to_start: deque[Instance] = deque()
        self.to_close: deque[Instance] = deque()
        self.live: dict[str, Instance] = {}
        """Steps with a pod that has not been seen to end."""
        self.questions: dict[str, Instance] = {}
        """Steps that wait for a person."""
        self.digests: dict[str, str] = {}
        """Of the bytes of artifacts by id, read for this run where the artifacts do not bring them."""
        self.verdicts: dict[str, Verdict] = {}
        """What people have said, by task."""
        self.wants: dict[str, Instance] = {}
        """Steps that wait for slots of their pool."""
        self.timers: list[tuple[float, int, Instance, bool]] = []
        """(when, order, task, whether it is to be over by then, and not to start)"""
        self.decisions = Decisions()
        self._order = itertools.count()
        self._namespace = uuid.UUID(run.id)

    def place(
        self, component: Component, task: Task | None, parent: Instance | None, path: str, name: str, type_: Type
    ) -> Instance:
        """An instance that waits: a new one, unless what surrounds it is opened again. Its id is made from its place,
        the same in every life of the engine."""
        id_ = task_id(self._namespace, path)
        if (before := self.instances.get(id_)) is not None:
            before.close()
            return before
        instance = Instance(
            id=id_,
            path=path,
            name=name,
            display_name=task.display_name if task else self.pipeline.display_name,
            type=type_,
            component=component,
            task=task,
            parent=parent,
        )
        if (known := self.known.get(id_)) is not None:
            instance.recorded = True
            instance.created_at, instance.started_at = known.created_at, known.started_at
            instance.history = list(known.history)
            if known.verdict is not None:
                self.verdicts[id_] = known.verdict
            instance.renewed = known.state is State.PENDING and (known.retry_at is not None or not known.attempts)
        self.instances[id_] = instance
        return instance

    def enter(self, instance: Instance, state: State, message: str = "") -> None:
        """Change the state, and have it recorded unless the records say so already."""
        instance.state, instance.message = state, message
        instance.created_at = instance.created_at or self.now
        if state is State.RUNNING:
            instance.started_at = instance.started_at or self.now
        known = self.known.get(instance.id)
        untried = instance.is_scope or not instance.attempts
        if known is not None and untried and known.state in (state, *_LATER.get(state, ())):
            if known.state.ended:
                instance.finished_at = known.finished_at
            return
        if not instance.history or instance.history[-1][0] is not state:
            instance.history.append((state, self.now))
            if len(instance.history) > MOST_STATES:  # how it began and how it is are told, and not all between
                del instance.history[MOST_STATES // 2 : MOST_STATES // 2 + 2]
        self.known.pop(instance.id, None)  # this is more than the records say
        self.record(instance)

    def hold(self, instance: Instance, why: str) -> None:
        """The step cannot go on yet: it is PENDING, and says why."""
        known = self.known.get(instance.id)
        if instance.state is not State.PENDING or instance.message != why:
            self.enter(instance, State.PENDING, why)
            if known is None or known.state is not State.PENDING or known.message != why:
                self.record(instance)

    def record(self, instance: Instance) -> None:
        self.decisions.changed[instance.id] = instance

    def end(self, instance: Instance, state: State, message: str = "", *, code: int = 0) -> None:
        instance.message, instance.code = message, code
        instance.finished_at, instance.retry_at = self.now, None
        self.give_back(instance)
        if state is State.FAILED and not instance.failure:
            instance.failure = failure_of(instance, message)
        if state is State.CANCELED and not instance.recorded:
            instance.state = state  # it never was, as far as the records know
        else:
            self.enter(instance, state, message)
        self.to_close.append(instance)

    def give_back(self, instance: Instance) -> None:
        """The step needs no slots of its pool for now."""
        if instance.slots or instance.id in self.wants:
            instance.slots = 0
            self.wants.pop(instance.id, None)
            self.decisions.returns.append(instance)

    def wait(self, instance: Instance, until: float) -> None:
        """Let the task start (again) at that time, and not before."""
        self.give_back(instance)
        instance.state, instance.retry_at = State.PENDING, until
        heapq.heappush(self.timers, (until, next(self._order), instance, False))

    def limit(self, instance: Instance, until: float) -> None:
        """Let the task be over by that time."""
        heapq.heappush(self.timers, (until, next(self._order), instance, True))


def task_id(run: uuid.UUID, path: str) -> str:
    """The id of the task at that place of the run."""
    return str(uuid.uuid5(run, path))


def failure_of(instance: Instance, message: str) -> str:
    """How the failure of one step is told of the scopes around it, up to the run."""
    return f"step {instance.display_name!r} failed: {message}"


_LATER = {State.RUNNING: (State.SUCCEEDED, State.FAILED, State.CANCELED)}
"""What a record may say of a scope that is being opened again: that it was over already."""
