"""One run in memory: a tree of instances that grows as scopes open, and what follows from each change.

Nothing here reads a clock or does anything: callers say what happened and when, and `decide` gives what is next.
Each change costs what it touches: an ended step tells its followers and its scope, a loop starts its next item.

The same code runs a new run and one found in the records. A leaf whose record has ended takes its outcome from
there; scopes, conditions and loops follow again from the outcomes, since they depend on nothing else.
"""

from __future__ import annotations

import heapq
import itertools
import json
import uuid
from collections import deque
from collections.abc import Mapping
from typing import Any

from fairway.pipelines import caching, ir
from fairway.pipelines.ir.expressions import ExpressionError, holds
from fairway.pipelines.ir.model import MISSING, Component, Container, Dag, Importer, Loop, Task
from fairway.pipelines.ir.values import WrongType, fitted, plain, text
from fairway.pipelines.placeholders import Scene, UnknownPlaceholder
from fairway.pipelines.render import inputs, outputs, pods
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
    Values,
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
        self.instances: dict[str, Instance] = {}
        self.canceling = False
        self._known = dict(known or {})
        self._window = window
        self._namespace = uuid.UUID(run.id)
        self._now = 0.0
        self._to_begin: deque[Instance] = deque()
        self._to_close: deque[Instance] = deque()
        self._to_start: deque[Instance] = deque()
        self._timers: list[tuple[float, int, Instance]] = []
        self._order = itertools.count()
        self._live: dict[str, Instance] = {}
        self._decisions = Decisions()
        self.root = self._instance(pipeline.entry, None, None, "", pipeline.name, Type.ROOT)

    # What happened

    def begin(self, now: float) -> None:
        self._now = now
        self._to_begin.append(self.root)
        self._advance()

    def running(self, task_id: str, now: float) -> None:
        """The pod of a step runs."""
        instance = self._live.get(task_id)
        self._now = now
        if instance is not None and instance.state is State.PENDING:
            instance.started_at = instance.started_at or now
            self._enter(instance, State.RUNNING, "")

    def waiting(self, task_id: str, why: str, now: float) -> None:
        """The pod of a step cannot start yet, and the node says why."""
        instance = self._live.get(task_id)
        self._now = now
        if instance is not None and instance.state is State.PENDING and instance.message != why:
            instance.message = why
            self._record(instance)

    def ended(self, task_id: str, attempt: int, outcome: Outcome, folder: str, now: float) -> None:
        """An attempt of a step is over."""
        instance = self._live.get(task_id)
        if instance is None or instance.attempts != attempt + 1:
            return  # news of an attempt that is long decided
        self._now = now
        del self._live[task_id]
        if outcome.succeeded:
            instance.outputs = outputs.of_step(instance, outcome, folder)
            self._end(instance, State.SUCCEEDED)
        elif self.canceling:
            self._end(instance, State.CANCELED, "the run was terminated")
        elif outcome.disrupted:
            instance.disruptions += 1
            self._to_start.append(instance)
        else:
            self._failed(instance, outcome)
        self._advance()

    def answer(self, hits: Mapping[str, Hit | None], now: float) -> None:
        """What the cache says of the steps that `Decisions.asks` named."""
        self._now = now
        for task_id, hit in hits.items():
            instance = self.instances[task_id]
            if instance.state is not State.ASKING:
                continue
            if hit is not None:
                instance.outputs = hit.outputs
                instance.cached_from = hit.task_id
                self._end(instance, State.SUCCEEDED if instance.type is Type.IMPORTER else State.CACHED)
            elif instance.type is Type.IMPORTER:
                self._end(instance, State.SUCCEEDED)
            else:
                self._to_start.append(instance)
        self._advance()

    def cancel(self, now: float) -> None:
        """Start nothing more; end what runs."""
        self._now = now
        if self.canceling or self.root.state.ended:
            return
        self.canceling = True
        self._decisions.stops.extend(self._live.values())
        asking = [instance for instance in self.instances.values() if instance.state is State.ASKING]
        waiting = [instance for _, _, instance in self._timers]
        for instance in {id(each): each for each in (*asking, *waiting, *self._to_start)}.values():
            self._end(instance, State.CANCELED, "the run was terminated")
        self._to_start.clear()
        self._timers.clear()
        self._advance()

    def tick(self, now: float) -> None:
        """Time has passed: attempts whose back-off is over begin."""
        self._now = now
        while self._timers and self._timers[0][0] <= now:
            _, _, instance = heapq.heappop(self._timers)
            instance.retry_at = None
            self._to_start.append(instance)
        self._advance()

    # What follows

    def decide(self) -> Decisions:
        """What is to be done since the last call."""
        decisions, self._decisions = self._decisions, Decisions()
        return decisions

    @property
    def next_tick(self) -> float | None:
        return self._timers[0][0] if self._timers else None

    @property
    def live(self) -> list[Instance]:
        """Steps with a pod that has not been seen to end."""
        return list(self._live.values())

    @property
    def state(self) -> State:
        """The state of the run, in the words of KFP (CANCELING is told by `canceling`)."""
        return self.root.state

    # How

    def _advance(self) -> None:
        while True:
            if self._to_close:
                self._close(self._to_close.popleft())
            elif self._to_begin:
                self._begin(self._to_begin.popleft())
            elif self._to_start and len(self._live) < self._window:
                self._start(self._to_start.popleft())
            else:
                return

    def _begin(self, instance: Instance) -> None:
        """All that an instance waits for has ended: it opens, runs, or is skipped."""
        known = self._known.get(instance.id)
        if known is not None:
            instance.recorded = True
            instance.created_at, instance.started_at = known.created_at, known.started_at
            instance.history = list(known.history)
        if self.canceling and not (known and known.state.ended):
            self._end(instance, State.CANCELED)
            return
        try:
            if not self._open(instance):
                return
            if isinstance(instance.component.body, Dag) or (instance.task and instance.task.loop and instance.whole):
                self._enter(instance, State.RUNNING)
                self._open_scope(instance)
            elif known is not None and self._take_up(instance, known):
                return
            elif isinstance(instance.component.body, Importer):
                self._import(instance, instance.component.body)
            else:
                self._ask_or_start(instance)
        except (InputError, ExpressionError, UnknownPlaceholder) as wrong:
            self._end(instance, State.FAILED, str(wrong), code=3)

    def _open(self, instance: Instance) -> bool:
        """Give the instance its inputs. False where its condition does not hold."""
        if instance.task is None:
            instance.inputs = inputs.of_root(instance.component, self.run)
            return True
        if not instance.whole:
            return True  # the loop gave it its inputs
        instance.inputs, seen = inputs.of_task(self.pipeline, self.run, instance)
        instance.extras = {key: value for key, value in seen.items() if key not in instance.inputs.parameters}
        if instance.task.condition and not holds(instance.task.condition, seen):
            self._end(instance, State.SKIPPED, f"the condition does not hold: {instance.task.condition}")
            return False
        return True

    def _open_scope(self, instance: Instance) -> None:
        if instance.task and instance.task.loop and instance.whole:
            instance.items = self._items(instance, instance.task.loop)
            instance.iterations = instance.open_children = len(instance.items)
            limit = instance.task.loop.parallel or len(instance.items)
            for _ in range(min(limit, len(instance.items))):
                self._next_iteration(instance)
        else:
            self._open_dag(instance, instance.component)
        if not instance.open_children:
            self._close_scope(instance)

    def _open_dag(self, scope: Instance, component: Component) -> None:
        assert isinstance(component.body, Dag)
        for name, task in component.body.tasks.items():
            child_component = self.pipeline.components[task.component]
            path = f"{scope.path}/{name}" if scope.path else name
            child = self._instance(child_component, task, scope, path, name, _type(task, child_component))
            child.waiting_for = len(task.needs)
            scope.children[name] = child
        scope.open_children = len(scope.children)
        self._to_begin.extend(child for child in scope.children.values() if not child.waiting_for)

    def _items(self, instance: Instance, loop: Loop) -> list[Any]:
        if loop.artifacts:
            return list(instance.inputs.artifacts.get(loop.artifacts, ()))
        if loop.raw is not None:
            return list(loop.raw)
        value = instance.inputs.parameters.get(loop.parameter)
        if isinstance(value, str):
            value = _from_json(value)
        if not isinstance(value, list):
            raise InputError(f"the loop goes over {loop.parameter!r}, which is {text(value)} and not a list")
        return value

    def _next_iteration(self, loop: Instance) -> None:
        """Open the next item of a loop. Its inputs are the loop's, and the item."""
        assert loop.task is not None and loop.task.loop is not None
        number, name = loop.next_item, loop.task.loop.item
        loop.next_item += 1
        item = loop.items[number]
        kind = Type.DAG if isinstance(loop.component.body, Dag) else Type.STEP
        child = self._instance(loop.component, loop.task, loop, f"{loop.path}[{number}]", loop.name, kind)
        child.iteration = number
        child.inputs = Values(dict(loop.inputs.parameters), dict(loop.inputs.artifacts))
        loop.children[str(number)] = child
        if loop.task.loop.artifacts:
            child.inputs.artifacts[name] = (item,)
        elif name in loop.component.input_parameters:
            try:
                child.inputs.parameters[name] = fitted(item, loop.component.input_parameters[name].type)
            except WrongType as wrong:
                self._end(child, State.FAILED, f"item {number} of the loop: {wrong}", code=3)
                return
        self._to_begin.append(child)

    def _import(self, instance: Instance, importer: Importer) -> None:
        parameters = instance.inputs.parameters
        scene = Scene({"inputs": {"parameterValues": {**_defaults(instance.component), **parameters}}})
        written = f"{{{{$.inputs.parameters['{importer.uri}']}}}}" if importer.uri_is_parameter else importer.uri
        uri = text(scene.value(written))
        metadata = scene.value(plain(dict(importer.metadata)))
        for key, slot in instance.component.output_artifacts.items():
            made = outputs.artifact(instance, key, importer.type or slot.type, uri, {"metadata": metadata})
            instance.outputs.artifacts[key] = (made,)
        if importer.reimport:
            self._end(instance, State.SUCCEEDED)
            return
        instance.fingerprint = caching.of_import(importer, uri, metadata)
        self._ask(instance)

    def _ask_or_start(self, instance: Instance) -> None:
        task, body = instance.task, instance.component.body
        assert isinstance(body, Container)
        if task is None or not task.cached:
            self._to_start.append(instance)
            return
        claims = pods.claims(self.pipeline, self.run, instance)
        instance.fingerprint = caching.of_step(instance.component, task, instance.inputs, claims)
        self._ask(instance)

    def _ask(self, instance: Instance) -> None:
        instance.state = State.ASKING
        self._decisions.asks.append(instance)

    def _take_up(self, instance: Instance, known: Known) -> bool:
        """Go on from the record of a leaf."""
        instance.attempts, instance.disruptions, instance.pod = known.attempts, known.disruptions, known.pod
        instance.fingerprint, instance.cached_from = known.fingerprint, known.cached_from
        if known.state.ended:
            instance.state, instance.outputs = known.state, known.outputs
            instance.message, instance.code, instance.finished_at = known.message, known.code, known.finished_at
            if known.state is State.FAILED:
                instance.failure = f"step {instance.display_name!r} failed: {known.message}"
            self._to_close.append(instance)
            return True
        if known.retry_at is not None:
            self._wait(instance, known.retry_at)
        elif known.attempts:
            instance.state = known.state
            self._live[instance.id] = instance
        else:
            return False
        return True

    def _start(self, instance: Instance) -> None:
        instance.attempts += 1
        instance.pod = pods.name(instance)
        self._live[instance.id] = instance
        self._enter(instance, State.PENDING, "")
        self._decisions.starts.append(instance)

    def _failed(self, instance: Instance, outcome: Outcome) -> None:
        retry = instance.task.retry if instance.task else None
        tried = instance.attempts - instance.disruptions
        if retry is not None and tried <= retry.count:
            delay = retry.delay * retry.factor ** (tried - 1)
            first = instance.created_at or self._now
            if not retry.window or self._now + delay <= first + retry.window:
                instance.message = f"attempt {instance.attempts} failed: {outcome.message}"
                self._wait(instance, self._now + delay)
                self._enter(instance, State.PENDING, instance.message)
                return
        self._end(instance, State.FAILED, outcome.message, code=outcome.code)

    def _wait(self, instance: Instance, until: float) -> None:
        instance.state, instance.retry_at = State.PENDING, until
        heapq.heappush(self._timers, (until, next(self._order), instance))

    def _end(self, instance: Instance, state: State, message: str = "", *, code: int = 0) -> None:
        instance.message, instance.code = message, code
        instance.finished_at = self._now
        if state is State.FAILED and not instance.failure:
            instance.failure = f"step {instance.display_name!r} failed: {message}"
        if state is State.CANCELED and not instance.recorded:
            instance.state = state  # it never was, as far as the records know
        else:
            self._enter(instance, state, message)
        self._to_close.append(instance)

    def _close(self, instance: Instance) -> None:
        """An instance has ended: its followers may begin, its scope may be over."""
        scope = instance.parent
        if scope is None:
            return
        if instance.failure and not scope.failure:
            scope.failure = instance.failure
        if instance.whole:
            self._tell_followers(instance, scope)
        elif scope.next_item < len(scope.items) and not self.canceling:
            self._next_iteration(scope)
        elif scope.next_item < len(scope.items):
            scope.open_children -= len(scope.items) - scope.next_item
            scope.items = scope.items[: scope.next_item]
        scope.open_children -= 1
        if not scope.open_children:
            self._close_scope(scope)

    def _tell_followers(self, instance: Instance, scope: Instance) -> None:
        assert isinstance(scope.component.body, Dag)
        for name in scope.component.body.followers.get(instance.name, ()):
            follower = scope.children[name]
            follower.waiting_for -= 1
            if follower.state is not State.WAITING:
                continue
            assert follower.task is not None
            if not instance.state.good and not follower.task.tolerant:
                reason = {State.FAILED: "failed", State.SKIPPED: "was skipped"}.get(instance.state, "was canceled")
                state = State.CANCELED if self.canceling else State.SKIPPED
                self._end(follower, state, f"not run, because {instance.display_name!r} {reason}")
            elif not follower.waiting_for:
                self._to_begin.append(follower)

    def _close_scope(self, scope: Instance) -> None:
        loop = scope.task is not None and scope.task.loop is not None and scope.whole
        scope.outputs = outputs.of_loop(self.pipeline, scope) if loop else outputs.of_scope(self.pipeline, scope)
        if self.canceling:
            self._end(scope, State.CANCELED, "the run was terminated")
        elif scope.failure:
            self._end(scope, State.FAILED, scope.failure)
        else:
            self._end(scope, State.SUCCEEDED)

    def _enter(self, instance: Instance, state: State, message: str = "") -> None:
        """Change the state, and have it recorded unless the records say so already."""
        instance.state, instance.message = state, message
        instance.created_at = instance.created_at or self._now
        if state is State.RUNNING:
            instance.started_at = instance.started_at or self._now
        known = self._known.get(instance.id)
        if known is not None and not instance.attempts and known.state in (state, *_LATER.get(state, ())):
            if known.state.ended:
                instance.finished_at = known.finished_at
            return
        if not instance.history or instance.history[-1][0] is not state:
            instance.history.append((state, self._now))
        self._record(instance)

    def _record(self, instance: Instance) -> None:
        self._decisions.changed[instance.id] = instance

    def _instance(
        self, component: Component, task: Task | None, parent: Instance | None, path: str, name: str, type_: Type
    ) -> Instance:
        instance = Instance(
            id=str(uuid.uuid5(self._namespace, path)),
            path=path,
            name=name,
            display_name=task.display_name if task else self.pipeline.display_name,
            type=type_,
            component=component,
            task=task,
            parent=parent,
        )
        self.instances[instance.id] = instance
        return instance


_LATER = {State.RUNNING: (State.SUCCEEDED, State.FAILED, State.CANCELED)}
"""What a record may say of a scope that is being opened again: that it was over already."""


def _from_json(value: str) -> Any:
    """The items of a loop that came as text."""
    try:
        return plain(json.loads(value))
    except ValueError:
        return value


def _defaults(component: Component) -> dict[str, Any]:
    return {key: entry.default for key, entry in component.input_parameters.items() if entry.default is not MISSING}


def _type(task: Task, component: Component) -> Type:
    if task.loop:
        return Type.LOOP
    if isinstance(component.body, Importer):
        return Type.IMPORTER
    if isinstance(component.body, Container):
        return Type.STEP
    if task.name.startswith("condition-branches-"):
        return Type.BRANCHES
    if task.condition:
        return Type.CONDITION
    return Type.EXIT_HANDLER if task.name.startswith("exit-handler-") else Type.DAG
