"""The values that a run consists of while it is decided on."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fairway.pipelines import ir
from fairway.pipelines.ir.model import Component, Container, Dag, Loop, Options, Task, Value
from fairway.pipelines.render.places import Overrides


class State(enum.StrEnum):
    """The words of the records; the first two have no record yet."""

    WAITING = "WAITING"
    ASKING = "ASKING"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    CACHED = "CACHED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"

    @property
    def ended(self) -> bool:
        return self in _ENDED

    @property
    def good(self) -> bool:
        return self in (State.SUCCEEDED, State.CACHED)


_ENDED = frozenset({State.SUCCEEDED, State.CACHED, State.SKIPPED, State.FAILED, State.CANCELED})


class Type(enum.StrEnum):
    """KFP 3.0's kinds of tasks."""

    ROOT = "ROOT"
    STEP = "RUNTIME"
    BRANCHES = "CONDITION_BRANCH"
    CONDITION = "CONDITION"
    LOOP = "LOOP"
    EXIT_HANDLER = "EXIT_HANDLER"
    IMPORTER = "IMPORTER"
    DAG = "DAG"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A registered artifact. `type` is a schema title."""

    id: str
    name: str
    type: str
    version: str
    uri: str
    metadata: Mapping[str, Value] = field(default_factory=dict)
    copy: str = ""
    """A path where steps of this run find its bytes, where that is not what its address says."""
    digest: str = ""
    """Of its bytes (see `digests`), where they were read when it was made."""


@dataclass(slots=True)
class Values:
    """Inputs or outputs: parameters by name, artifacts by name (several where it is a list)."""

    parameters: dict[str, Value] = field(default_factory=dict)
    artifacts: dict[str, tuple[Artifact, ...]] = field(default_factory=dict)

    def given(self) -> Iterator[Artifact]:
        """All artifacts, under whatever name."""
        return itertools.chain.from_iterable(self.artifacts.values())


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the engine knows of a run before any step."""

    id: str
    display_name: str
    pipeline_name: str
    parameters: Mapping[str, Value]
    created_at: float
    scheduled_at: float
    root: str
    """Address under which the folders of this run lie, without a slash at the end."""
    remote: str = ""
    """Address in a bucket under which its artifacts are kept, where they are not to stay in those folders."""
    owner: Mapping[str, Any] = field(default_factory=dict)
    """The owner reference to the Run object, which step pods carry."""
    pod_namespace: str = "default"
    service_account: str = ""
    cache_namespace: str = ""
    """Where artifacts belong and the cache looks: the namespace that the client named."""
    artifacts: Mapping[str, tuple[Artifact, ...]] = field(default_factory=dict)
    """What the run is given for the pipeline's artifact inputs."""
    cache_by: str = "id"
    """How input artifacts count for the cache, and how long a finished step does, where a step does not say it."""
    cache_max_age: float = 0.0
    digests: bool = False
    """Steps take the digests of what they make: some step's artifacts count by their content."""
    overrides: Overrides = field(default_factory=Overrides)
    processes: tuple[str, ...] | None = None
    """Which images run as processes, where others run as containers; None where all are alike."""
    api_url: str = ""
    """The front door's address, which steps are told so that clients in them find the pipelines API."""

    def workspace(self, pipeline: ir.Pipeline) -> str:
        """The folder that all steps of the run share."""
        return f"{self.root.removeprefix('file://')}/{pipeline.name}/{self.id}/workspace"

    def resource_name(self, pipeline: ir.Pipeline) -> str:
        """What upstream calls the workflow: the pipeline's name and a suffix."""
        return f"{pipeline.name}-{self.id.partition('-')[0][:5]}"


@dataclass(slots=True, eq=False)
class Instance:
    """One task at one place of the run: a step, an importer, or a scope with children of its own."""

    id: str
    path: str
    name: str
    display_name: str
    type: Type
    component: Component
    task: Task | None
    parent: Instance | None
    iteration: int | None = None
    iterations: int | None = None
    state: State = State.WAITING
    inputs: Values = field(default_factory=Values)
    extras: dict[str, Value] = field(default_factory=dict)
    """Values that the task is given and its component does not declare: images and resources may refer to them."""
    outputs: Values = field(default_factory=Values)
    children: dict[str, Instance] = field(default_factory=dict)
    waiting_for: int = 0
    open_children: int = 0
    items: list[Any] = field(default_factory=list)
    next_item: int = 0
    attempts: int = 0
    """Of a scope: how often it was opened again."""
    disruptions: int = 0
    """Attempts that use up no retry: they were ended from outside, by the node or the cluster, or the scope around
    was opened again since."""
    looks: int = 0
    """Attempts of a sensor that said "not yet"; they use up no retry either."""
    retry_at: float | None = None
    approved: bool = False
    slots: int = 0
    """How many of its pool's it holds now."""
    stopped: str = ""
    """Why its pod is ended before its time."""
    pod: str = ""
    fingerprint: str = ""
    cached_from: str = ""
    message: str = ""
    code: int = 0
    failure: str = ""
    """The first failure inside, as the run's record tells it."""
    created_at: float = 0.0
    started_at: float | None = None
    finished_at: float | None = None
    history: list[tuple[State, float]] = field(default_factory=list)
    recorded: bool = False
    """There is a row of it in the records."""
    renewed: bool = False
    """The row tells of inputs and artifacts of an earlier try, and they may be others now."""

    def close(self) -> None:
        """Be as before anything was opened: without inputs, outputs and children."""
        self.state, self.message, self.code, self.failure = State.WAITING, "", 0, ""
        self.inputs, self.outputs, self.extras = Values(), Values(), {}
        self.children, self.waiting_for, self.open_children = {}, 0, 0
        self.items, self.next_item = [], 0

    @property
    def whole(self) -> bool:
        """Whether this is the task as its siblings see it, and not one iteration of it."""
        return self.iteration is None

    @property
    def loop(self) -> Loop | None:
        """The loop that this is as a whole; None of its iterations and of everything else."""
        return self.task.loop if self.task is not None and self.whole else None

    @property
    def is_scope(self) -> bool:
        """Whether it has children of its own."""
        return isinstance(self.component.body, Dag) or self.loop is not None

    @property
    def options(self) -> Options:
        """What the step asks for beyond KFP."""
        body = self.component.body
        return body.options if isinstance(body, Container) else _NO_OPTIONS


_NO_OPTIONS = Options()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person said of a step that asks before it starts."""

    approved: bool
    by: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What the records say of a task."""

    state: State
    attempts: int = 0
    disruptions: int = 0
    looks: int = 0
    retry_at: float | None = None
    slots: int = 0
    verdict: Verdict | None = None
    pod: str = ""
    fingerprint: str = ""
    cached_from: str = ""
    message: str = ""
    code: int = 0
    created_at: float = 0.0
    started_at: float | None = None
    finished_at: float | None = None
    history: tuple[tuple[State, float], ...] = ()
    outputs: Values = field(default_factory=Values)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt of a step ended, from its task folder or, where that says nothing, from its pod."""

    succeeded: bool
    parameters: Mapping[str, Value] = field(default_factory=dict)
    artifacts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By output: what the step says of it ({"uri": ..., "metadata": {...}})."""
    message: str = ""
    code: int = 0
    disrupted: bool = False
    """It was ended from outside, and did not end by itself: it is to run again, and no retry is used up."""


@dataclass(frozen=True, slots=True)
class Hit:
    """An earlier task with the same fingerprint, or for an importer an artifact registered before."""

    task_id: str
    outputs: Values


@dataclass(slots=True)
class Decisions:
    """What is to be done, in this order: write the records of `changed`, give slots back, start, stop."""

    changed: dict[str, Instance] = field(default_factory=dict)
    asks: list[Instance] = field(default_factory=list)
    """Steps whose fingerprint is to be looked up in the cache."""
    reads: list[Instance] = field(default_factory=list)
    """Steps whose input artifacts count by their content, which is to be read."""
    questions: list[Instance] = field(default_factory=list)
    """Steps that a person is to approve; the message is the question."""
    wants: list[Instance] = field(default_factory=list)
    """Steps that want slots of their pool."""
    returns: list[Instance] = field(default_factory=list)
    """Steps that hold no slots any more, and want none."""
    starts: list[Instance] = field(default_factory=list)
    claims: list[Instance] = field(default_factory=list)
    """Steps that make or delete a volume claim, and have no pod."""
    stops: list[Instance] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.changed or self.questions or self.returns or self.starts or self.claims or self.stops)

    def add(self, later: Decisions) -> None:
        """What was decided after this, and is done together with it."""
        self.changed |= later.changed
        self.questions += later.questions
        self.returns += later.returns
        self.starts += later.starts
        self.claims += later.claims
        self.stops += later.stops
