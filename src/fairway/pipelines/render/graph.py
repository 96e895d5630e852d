"""One run in memory: a tree of instances that grows as scopes open, and what follows from each change.

Nothing here reads a clock or does anything: callers say what happened and when, and `decide` gives what is next.
Each change costs what it touches: an ended step tells its followers and its scope, a loop starts its next item.
How scopes and leaves go on is said in `scopes` and `leaves`; what they share is the `board`.

The same code runs a new run and one found in the records. A leaf whose record has ended takes its outcome from
there; scopes, conditions and loops follow again from the outcomes, since they depend on nothing else.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from math import inf

from fairway.pipelines import ir
from fairway.pipelines.ir.expressions import ExpressionError, holds
from fairway.pipelines.placeholders import UnknownPlaceholder
from fairway.pipelines.render import gates, inputs, leaves, scopes, sensors
from fairway.pipelines.render.board import Board
from fairway.pipelines.render.inputs import InputError
from fairway.pipelines.render.model import (
    Decisions,
    Hit,
    Instance,
    Known,
    Outcome,
    RunFacts,
    State,
    Type,
    Verdict,
)

WINDOW = 64
"""Most step pods of one run at a time. Kubernetes would queue the rest, at the price of objects it must keep."""


class Graph:
    def __init__(
        self,
        pipeline: ir.Pipeline,
        run: RunFacts,
        known: Mapping[str, Known] | None = None,
        *,
        window: int = WINDOW,
    ) -> None:
        self.pipeline, self.run = pipeline, run
        self._window = window
        self._deadline = inf
        self._board = Board(pipeline, run, known or {})
        self.root = self._board.place(pipeline.entry, None, None, "", pipeline.name, Type.ROOT)

    # What happened

    def begin(self, now: float) -> None:
        self._board.now = now
        self._board.to_begin.append(self.root)
        self._advance()
        if self.pipeline.config.deadline and self.root.started_at is not None:
            self._deadline = self.root.started_at + self.pipeline.config.deadline

    def running(self, task_id: str, now: float) -> None:
        """The pod of a step runs."""
        board = self._board
        instance, board.now = board.live.get(task_id), now
        if instance is not None and instance.state is State.PENDING:
            instance.started_at = instance.started_at or now
            board.enter(instance, State.RUNNING, "")
            if not instance.looks:
                sensors.watch(board, instance)

    def waiting(self, task_id: str, why: str, now: float) -> None:
        """The pod of a step cannot start yet, and the node says why."""
        board = self._board
        instance, board.now = board.live.get(task_id), now
        if instance is not None and instance.state is State.PENDING and instance.message != why:
            instance.message = why
            board.record(instance)

    def standing(self, task_id: str, why: str, now: float) -> None:
        """A step that runs stands still until somebody has looked, or, without a word, goes on."""
        board = self._board
        instance, board.now = board.live.get(task_id), now
        if instance is not None and instance.state is State.RUNNING and instance.message != why:
            instance.message = why
            board.record(instance)

    def ended(self, task_id: str, attempt: int, outcome: Outcome, folder: str, now: float) -> None:
        """An attempt of a step is over."""
        instance = self._board.live.get(task_id)
        if instance is None or instance.attempts != attempt + 1:
            return  # news of an attempt that is long decided
        self._board.now = now
        leaves.ended(self._board, instance, outcome, folder)
        self._advance()

    def answer(self, hits: Mapping[str, Hit | None], now: float) -> None:
        """What the cache says of the steps that `Decisions.asks` named."""
        board = self._board
        board.now = now
        for task_id, hit in hits.items():
            if board.instances[task_id].state is State.ASKING:
                leaves.answered(board, board.instances[task_id], hit)
        self._advance()

    def read(self, task_ids: Iterable[str], digests: Mapping[str, str], now: float) -> None:
        """The content of the artifacts that `Decisions.reads` want, by artifact."""
        board = self._board
        board.now = now
        board.digests |= digests
        for task_id in task_ids:
            if board.instances[task_id].state is State.ASKING:
                self._guarded(leaves.look_up, board.instances[task_id])
        self._advance()

    def decided(self, verdicts: Mapping[str, Verdict], now: float) -> None:
        """What people say of steps that ask, or will."""
        board = self._board
        board.now = now
        for task_id, verdict in verdicts.items():
            gates.decided(board, task_id, verdict)
        self._advance()

    def granted(self, task_ids: Iterable[str], now: float) -> None:
        """Slots that `Decisions.wants` asked for are there."""
        board = self._board
        board.now = now
        for task_id in task_ids:
            if task_id in board.wants:
                gates.granted(board, board.wants[task_id])
        self._advance()

    def held(self, why: Mapping[str, str], now: float) -> None:
        """Slots that `Decisions.wants` asked for are not there yet."""
        board = self._board
        board.now = now
        for task_id, reason in why.items():
            if task_id in board.wants:
                board.hold(board.wants[task_id], reason)

    def pause(self, paused: bool, now: float) -> None:
        """Start no further step until this is taken back; what runs goes on."""
        board = self._board
        board.now = now
        if paused and not board.paused:
            gates.stand_back(board)
        board.paused = paused
        self._advance()

    def cancel(self, now: float) -> None:
        """Start nothing more; end what runs."""
        self._board.now = now
        self._stop("the run was terminated")

    def tick(self, now: float) -> None:
        """Time has passed: attempts whose back-off is over begin, and what these let begin at once."""
        board = self._board
        board.now = now
        if now >= self._deadline:
            board.overdue = True
            self._stop(f"the run did not end within its deadline of {self.pipeline.config.deadline:g} s")
        while board.timers and board.timers[0][0] <= now:
            _, _, instance, limit = heapq.heappop(board.timers)
            if limit:
                sensors.out_of_time(board, instance)
            elif instance.is_scope:
                instance.retry_at = None
                self._guarded(scopes.open_again, instance)
            else:
                board.to_start.append(instance)
            self._advance()

    # What follows

    def decide(self) -> Decisions:
        """What is to be done since the last call."""
        decisions, self._board.decisions = self._board.decisions, Decisions()
        return decisions

    @property
    def next_tick(self) -> float | None:
        """When `tick` is due at the latest."""
        first = min(self._board.timers[0][0] if self._board.timers else inf, self._deadline)
        return first if first < inf and not self._board.stopping else None

    @property
    def live(self) -> list[Instance]:
        """Steps with a pod that has not been seen to end."""
        return list(self._board.live.values())

    @property
    def wants(self) -> Mapping[str, Instance]:
        """Steps that wait for slots of their pool, by id."""
        return self._board.wants

    @property
    def instances(self) -> Mapping[str, Instance]:
        """All that there are so far, by id."""
        return self._board.instances

    @property
    def paused(self) -> bool:
        return self._board.paused

    @property
    def canceling(self) -> bool:
        """Whether somebody asked for the end (a deadline that has passed is told when the run is over)."""
        return bool(self._board.stopping) and not self._board.overdue

    @property
    def state(self) -> State:
        """The state of the run, in the words of KFP (CANCELING is told by `canceling`)."""
        return self.root.state

    # How

    def _advance(self) -> None:
        board = self._board
        while True:
            if board.to_close:
                scopes.close(board, board.to_close.popleft())
            elif board.to_begin:
                self._begin(board.to_begin.popleft())
            elif board.to_go and not board.paused:
                self._guarded(leaves.go, board.to_go.popleft())
            elif board.to_start and not board.paused and len(board.live) < self._window:
                leaves.start(board, board.to_start.popleft())
            else:
                return

    def _begin(self, instance: Instance) -> None:
        """All that an instance waits for has ended: it opens, runs, or is skipped."""
        board = self._board
        known = board.known.get(instance.id)
        if board.stopping and not (known and known.state.ended):
            board.end(instance, State.CANCELED)
        else:
            self._guarded(self._begin_opened, instance)

    def _begin_opened(self, board: Board, instance: Instance) -> None:
        if self._open(instance):
            (scopes if instance.is_scope else leaves).begin(board, instance)

    def _guarded(self, step: Callable[[Board, Instance], None], instance: Instance) -> None:
        """A mistake of the pipeline's author fails the task that it is in."""
        try:
            step(self._board, instance)
        except (InputError, ExpressionError, UnknownPlaceholder) as wrong:
            self._board.end(instance, State.FAILED, str(wrong), code=3)

    def _stop(self, why: str) -> None:
        """Nothing starts any more, for this reason; what has a pod ends when the pod does."""
        board = self._board
        if board.stopping or self.root.state.ended:
            return
        board.stopping = why
        claims = [instance for instance in board.live.values() if not instance.pod]
        for instance in claims:  # which nobody has begun yet, and which have no pod that could be ended
            del board.live[instance.id]
        board.decisions.stops.extend(board.live.values())
        asking = [instance for instance in board.instances.values() if instance.state is State.ASKING]
        timed = [instance for _, _, instance, _ in board.timers]
        held = (*claims, *board.questions.values(), *board.wants.values())
        for instance in {each.id: each for each in (*asking, *timed, *held, *board.to_go, *board.to_start)}.values():
            if instance.id not in board.live and not instance.state.ended:
                board.end(instance, State.CANCELED, why)
        for waiting in (board.to_go, board.to_start, board.timers, board.questions):
            waiting.clear()
        self._advance()

    def _open(self, instance: Instance) -> bool:
        """Give the instance its inputs. False where its condition does not hold."""
        if instance.task is None:
            instance.inputs = inputs.of_root(instance.component, self.run)
            return True
        if not instance.whole:  # the loop gave it its inputs
            inputs.override(self.run, instance, {})
            return True
        instance.inputs, seen = inputs.of_task(self.pipeline, self.run, instance)
        inputs.override(self.run, instance, seen)
        instance.extras = {key: value for key, value in seen.items() if key not in instance.inputs.parameters}
        if instance.task.condition and not holds(instance.task.condition, seen):
            self._board.end(instance, State.SKIPPED, f"the condition does not hold: {instance.task.condition}")
            return False
        return True
