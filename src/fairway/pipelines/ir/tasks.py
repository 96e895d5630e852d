"""What is inside a DAG: its tasks, where their inputs come from, and what the DAG gives back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from fairway.pipelines.ir.expressions import ExpressionError, compiled
from fairway.pipelines.ir.model import (
    ArtifactSource,
    Constant,
    Dag,
    FinalStatus,
    FromInput,
    FromRun,
    FromTask,
    Loop,
    ParameterSource,
    Retry,
    Task,
)
from fairway.pipelines.ir.reading import Node
from fairway.pipelines.ir.values import LONGEST_TIME, plain, read_json

STRATEGIES = {"": False, "TRIGGER_STRATEGY_UNSPECIFIED": False, "ALL_UPSTREAM_TASKS_SUCCEEDED": False}
STRATEGIES["ALL_UPSTREAM_TASKS_COMPLETED"] = True
_STEEPEST = 1e6
"""Factor of a back-off: from its second attempt on, none above it is told from another."""


def dag(node: Node) -> Dag:
    tasks = {name: _task(name, entry) for name, entry in node.node("tasks").nodes()}
    followers: dict[str, list[str]] = {name: [] for name in tasks}
    for task in tasks.values():
        for needed in task.needs:
            if needed not in tasks:
                raise node.wrong(f"task {task.name!r} needs {needed!r}, which is not in the same DAG")
            followers[needed].append(task.name)
    outputs = node.node("outputs")
    return Dag(
        tasks=tasks,
        followers={name: tuple(names) for name, names in followers.items()},
        parameter_outputs={
            key: _known(tasks, _parameter_output(entry), entry) for key, entry in outputs.node("parameters").nodes()
        },
        artifact_outputs={
            key: _known(tasks, _artifact_output(entry), entry) for key, entry in outputs.node("artifacts").nodes()
        },
    )


def parameter_source(node: Node) -> ParameterSource:
    return ParameterSource(_origin(node), _checked(node, node.text("parameterExpressionSelector")))


def _task(name: str, node: Node) -> Task:
    inputs, trigger, caching = node.node("inputs"), node.node("triggerPolicy"), node.node("cachingOptions")
    parameters = {key: parameter_source(entry) for key, entry in inputs.node("parameters").nodes()}
    artifacts = {key: _artifact_source(entry) for key, entry in inputs.node("artifacts").nodes()}
    strategy = trigger.text("strategy")
    if strategy not in STRATEGIES:
        raise trigger.wrong(f"the trigger strategy {strategy!r} is not known")
    return Task(
        name=name,
        display_name=node.node("taskInfo").text("name") or name,
        component=node.node("componentRef").text("name"),
        parameters=parameters,
        artifacts=artifacts,
        needs=_needs(_names(node, "dependentTasks"), parameters, artifacts),
        tolerant=STRATEGIES[strategy],
        condition=_checked(trigger, trigger.text("condition")),
        loop=_loop(node),
        retry=_retry(node.node("retryPolicy")),
        cached=bool(caching.get("enableCache", False)),
        cache_key=caching.text("cacheKey"),
    )


def _names(node: Node, key: str) -> list[str]:
    found = node.list(key)
    if not all(isinstance(name, str) for name in found):
        raise node.wrong(f"{key} must be a list of names")
    return found


def _needs(
    dependent: Iterable[str], parameters: Mapping[str, ParameterSource], artifacts: Mapping[str, ArtifactSource]
) -> tuple[str, ...]:
    needed = dict.fromkeys(dependent)  # a set that keeps its order
    for source in (*(entry.origin for entry in parameters.values()), *artifacts.values()):
        if isinstance(source, FromTask | FinalStatus):
            needed[source.task] = None
    return tuple(needed)


def _origin(node: Node) -> FromInput | FromRun | FromTask | Constant | FinalStatus:
    if node.has("componentInputParameter"):
        return FromInput(node.text("componentInputParameter"))
    if node.has("taskOutputParameter"):
        output = node.node("taskOutputParameter")
        return FromTask(output.text("producerTask"), output.text("outputParameterKey"))
    if node.has("taskFinalStatus"):
        return FinalStatus(node.node("taskFinalStatus").text("producerTask"))
    value = node.node("runtimeValue")
    if value.has("constant"):
        return Constant(plain(value.get("constant")))
    if value.has("runtimeParameter"):
        return FromRun(value.text("runtimeParameter"))
    raise node.wrong("the parameter has no value: expected an input, a task's output, a constant or a final status")


def _artifact_source(node: Node) -> ArtifactSource:
    if node.has("componentInputArtifact"):
        return FromInput(node.text("componentInputArtifact"))
    if node.has("taskOutputArtifact"):
        output = node.node("taskOutputArtifact")
        return FromTask(output.text("producerTask"), output.text("outputArtifactKey"))
    raise node.wrong("the artifact has no source: expected an input of the component or a task's output")


def _loop(node: Node) -> Loop | None:
    parallel = node.node("iteratorPolicy").whole("parallelismLimit")
    if node.has("artifactIterator"):
        iterator = node.node("artifactIterator")
        items = iterator.node("items").text("inputArtifact")
        return Loop(iterator.text("itemInput"), parallel, artifacts=items)
    if not node.has("parameterIterator"):
        return None
    iterator = node.node("parameterIterator")
    items_node = iterator.node("items")
    if items_node.has("inputParameter"):
        return Loop(iterator.text("itemInput"), parallel, parameter=items_node.text("inputParameter"))
    try:
        raw = read_json(items_node.text("raw"))
    except ValueError:
        raise items_node.wrong("the items of the loop are not JSON") from None
    if not isinstance(raw, list):
        raise items_node.wrong("the items of the loop are not a list")
    return Loop(iterator.text("itemInput"), parallel, raw=tuple(raw))


def _retry(node: Node) -> Retry | None:
    count = node.whole("maxRetryCount")
    if not count:
        return None
    return Retry(
        count=count,
        delay=_seconds(node, "backoffDuration", 0.0),
        factor=_factor(node),
        window=_seconds(node, "backoffMaxDuration", 0.0),
    )


def _factor(node: Node) -> float:
    given = node.get("backoffFactor") or 2.0
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < math.inf:
        raise node.wrong(f"backoffFactor is {given!r}, and must be a number above 0")
    return float(min(given, _STEEPEST))


def _seconds(node: Node, key: str, default: float) -> float:
    """A protobuf duration: "30s"."""
    written = node.text(key)
    if not written:
        return default
    try:
        seconds = float(written.removesuffix("s"))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_TIME:
        raise node.wrong(f"{key} {written!r} is not a duration such as '30s'")
    return seconds


def _parameter_output(node: Node) -> tuple[FromTask, ...]:
    if node.has("valueFromParameter"):
        entries = [node.node("valueFromParameter")]
    else:
        entries = list(node.node("valueFromOneof").entries("parameterSelectors"))
    return tuple(FromTask(entry.text("producerSubtask"), entry.text("outputParameterKey")) for entry in entries)


def _artifact_output(node: Node) -> tuple[FromTask, ...]:
    entries = node.entries("artifactSelectors")
    return tuple(FromTask(entry.text("producerSubtask"), entry.text("outputArtifactKey")) for entry in entries)


def _known(tasks: Mapping[str, Task], sources: tuple[FromTask, ...], node: Node) -> tuple[FromTask, ...]:
    for source in sources:
        if source.task not in tasks:
            raise node.wrong(f"the output comes from {source.task!r}, which is not a task of this DAG")
    return sources


def _checked(node: Node, expression: str) -> str:
    if expression:
        try:
            compiled(expression)
        except ExpressionError as wrong:
            raise node.wrong(str(wrong)) from wrong
    return expression
