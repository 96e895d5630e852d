"""What a pipeline consists of. Made by `load`, read by `render`; all of it frozen and hashable by identity.

A pipeline is a tree of components: one with a `Dag` holds tasks, each of which names another component; one with
a `Container` or an `Importer` is a leaf. Spelling follows the documents where a word has no better one.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Value = Any
"""A parameter's value: what JSON can say."""


class InvalidPipeline(Exception):
    """The pipeline cannot be run. `place` is the path in the document, such as root.dag.tasks.train."""

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.message, self.place = message, place


class ParameterType(enum.StrEnum):
    STRING = "STRING"
    INTEGER = "NUMBER_INTEGER"
    DOUBLE = "NUMBER_DOUBLE"
    BOOLEAN = "BOOLEAN"
    LIST = "LIST"
    STRUCT = "STRUCT"
    FINAL_STATUS = "TASK_FINAL_STATUS"
    TASK_CONFIG = "TASK_CONFIG"


class Missing(enum.Enum):
    """No value at all, which is not the same as null."""

    MISSING = "missing"


MISSING = Missing.MISSING


@dataclass(frozen=True, slots=True)
class Parameter:
    """A declared input or output."""

    type: ParameterType
    default: Value | Missing = MISSING
    optional: bool = False
    literals: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class ArtifactType:
    """A schema title such as system.Model, or the text of a legacy schema."""

    title: str
    version: str = ""
    instance_schema: str = ""

    def wire(self) -> dict[str, str]:
        if self.instance_schema:
            return {"instanceSchema": self.instance_schema}
        return {"schemaTitle": self.title, "schemaVersion": self.version}


@dataclass(frozen=True, slots=True)
class ArtifactSlot:
    """A declared input or output artifact."""

    type: ArtifactType
    many: bool = False
    optional: bool = False
    metadata: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FromInput:
    """The value of an input of the surrounding component."""

    name: str


@dataclass(frozen=True, slots=True)
class FromRun:
    """The value of an input of the whole pipeline, wherever the task is."""

    name: str


@dataclass(frozen=True, slots=True)
class FromTask:
    """The value of an output of a sibling task."""

    task: str
    key: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A value written by the author; texts in it may hold placeholders."""

    value: Value


@dataclass(frozen=True, slots=True)
class FinalStatus:
    """How a sibling task ended."""

    task: str


@dataclass(frozen=True, slots=True)
class ParameterSource:
    """Where a task's parameter comes from, and optionally which part of it is taken."""

    origin: FromInput | FromRun | FromTask | Constant | FinalStatus
    selector: str = ""


ArtifactSource = FromInput | FromTask


@dataclass(frozen=True, slots=True)
class Retry:
    count: int
    delay: float
    factor: float
    window: float
    """Seconds after the first start in which a retry may begin; 0 for no limit."""


@dataclass(frozen=True, slots=True)
class Loop:
    """The task runs once for each item. Exactly one of the three sources of items is set."""

    item: str
    parallel: int
    raw: tuple[Value, ...] | None = None
    parameter: str = ""
    artifacts: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    name: str
    display_name: str
    component: str
    parameters: Mapping[str, ParameterSource]
    artifacts: Mapping[str, ArtifactSource]
    needs: tuple[str, ...]
    """The sibling tasks that must have ended before this one may start."""
    tolerant: bool
    """Starts even where those failed or were skipped (exit tasks, ignore_upstream_failure)."""
    condition: str
    loop: Loop | None
    retry: Retry | None
    cached: bool
    cache_key: str


@dataclass(frozen=True, slots=True)
class Dag:
    """`parameter_outputs` and `artifact_outputs` list, for each output, the tasks to take it from: the first
    that succeeded counts (several only in a OneOf)."""

    tasks: Mapping[str, Task]
    followers: Mapping[str, tuple[str, ...]]
    """For each task, the tasks that need it."""
    parameter_outputs: Mapping[str, tuple[FromTask, ...]]
    artifact_outputs: Mapping[str, tuple[FromTask, ...]]


@dataclass(frozen=True, slots=True)
class Resources:
    """Kubernetes quantities, or placeholders for them."""

    requests: Mapping[str, str]
    limits: Mapping[str, str]
    accelerator: tuple[str, str] | None = None
    """(resource name, count)"""


@dataclass(frozen=True, slots=True)
class Options:
    """What a step asks for beyond KFP (`ir.options`). Times are seconds, 0 for none."""

    pool: str = ""
    slots: int = 1
    approval: str = ""
    """The question to whoever approves."""
    sensor_every: float = 0.0
    """Above 0 the step is a sensor: while its first boolean output is false, it looks again so much later."""
    sensor_timeout: float = 0.0
    cache_max_age: float = 0.0
    cache_by: str = ""
    """Input artifacts count by their "id" or by their "content"; empty for what the settings say."""


@dataclass(frozen=True, slots=True)
class Container:
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    resources: Resources
    platform: Mapping[str, Any]
    """The executor's part of the Kubernetes platform document, with its sources loaded by `platform.load`."""
    options: Options = field(default_factory=Options)
    stops: tuple[str, ...] = ()
    """Where the step stops for a look: "before", "after", "on_error" (`set_debug_pause`)."""


@dataclass(frozen=True, slots=True)
class Importer:
    """Registers bytes that lie elsewhere already. `uri` is the address, or the name of a parameter with it."""

    uri: str
    uri_is_parameter: bool
    type: ArtifactType
    metadata: Mapping[str, Value]
    reimport: bool
    download: bool = False
    """The bytes are brought to the workspace of the run."""


@dataclass(frozen=True, slots=True)
class VolumeClaim:
    """A step without a pod, done by the engine itself: make a PersistentVolumeClaim, or delete one."""

    deletes: bool


@dataclass(frozen=True, slots=True)
class Component:
    name: str
    body: Dag | Container | Importer | VolumeClaim
    input_parameters: Mapping[str, Parameter]
    input_artifacts: Mapping[str, ArtifactSlot]
    output_parameters: Mapping[str, Parameter]
    output_artifacts: Mapping[str, ArtifactSlot]
    passed_on: Mapping[str, bool] = field(default_factory=dict)
    """The settings of its pod that a step is told of (dsl.TaskConfig), and whether its own pod has them too."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder that all steps of a run share; the rest says how a claim for it would be made."""

    size: str
    storage_class: str = ""
    access_modes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """What a pipeline asks for as a whole. Times are seconds, 0 for none."""

    deadline: float = 0.0
    """The run is ended so long after it began."""
    ttl_success: float = 0.0
    """What the cluster holds of the run goes so long after it succeeded."""
    ttl_failure: float = 0.0
    workspace: Workspace | None = None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """`root` is the name of the root component in `components`."""

    name: str
    display_name: str
    root: str
    components: Mapping[str, Component]
    default_root: str
    sdk_version: str
    config: Config = field(default_factory=Config)

    @property
    def entry(self) -> Component:
        return self.components[self.root]
