"""What can be said only of the whole: references between components, and cycles."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from fairway.pipelines.ir.model import (
    Component,
    Config,
    Container,
    Dag,
    FromInput,
    FromRun,
    FromTask,
    Importer,
    InvalidPipeline,
    ParameterType,
    Task,
)

_LIKE_AN_ITERATION = re.compile(r"\[\d+\]$")


def check(components: Mapping[str, Component], root: str) -> None:
    """Raise InvalidPipeline where parts do not fit."""
    for component in components.values():
        _check_names(component)
        _check_sensor(component)
        if isinstance(component.body, Dag):
            for task in component.body.tasks.values():
                _check_task(components, components[root], component, component.body, task)
            _no_cycle(component.body.tasks, _needs(component.body), component.name)
    _no_cycle(components, lambda name: _inside(components[name]), root)


def check_workspace(components: Mapping[str, Component], config: Config) -> None:
    for component in components.values():
        if isinstance(component.body, Importer) and component.body.download and config.workspace is None:
            raise InvalidPipeline(
                "the artifact is to be downloaded to the workspace, and the pipeline has none: give it "
                "pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size='1Gi'))",
                component.name,
            )


def _check_names(component: Component) -> None:
    """Tasks and artifacts become folders and files: their names must stay inside the folder they are put in."""
    tasks = component.body.tasks if isinstance(component.body, Dag) else ()
    for name in (*tasks, *component.output_parameters, *component.output_artifacts):
        if not name or name in (".", "..") or "/" in name or "\0" in name or len(name.encode()) > 200:
            raise InvalidPipeline(f"{name!r} cannot be the name of a task or of an output", component.name)
    for name in tasks:
        if _LIKE_AN_ITERATION.search(name):
            raise InvalidPipeline(
                f"{name!r} cannot be the name of a task: it is that of a loop's iteration", component.name
            )


def _check_sensor(component: Component) -> None:
    if not isinstance(component.body, Container) or not component.body.options.sensor_every:
        return
    if all(output.type is not ParameterType.BOOLEAN for output in component.output_parameters.values()):
        raise InvalidPipeline("a sensor says by a boolean output whether it is over, and this has none", component.name)


def _check_task(components: Mapping[str, Component], root: Component, scope: Component, dag: Dag, task: Task) -> None:
    place = f"{scope.name}.dag.tasks.{task.name}"
    if task.component not in components:
        raise InvalidPipeline(f"there is no component {task.component!r}", place)
    for key, source in task.parameters.items():
        if isinstance(source.origin, FromRun) and source.origin.name not in root.input_parameters:
            wanted = source.origin.name
            raise InvalidPipeline(f"{key!r} comes from the pipeline's input {wanted!r}, which does not exist", place)
    makers = {name: components.get(dag.tasks[name].component) for name in task.needs}
    for key, source in task.parameters.items():
        made = {name: maker.output_parameters for name, maker in makers.items() if maker}
        _check_source(key, source.origin, scope.input_parameters, made, place)
    for key, artifact in task.artifacts.items():
        given = {name: maker.output_artifacts for name, maker in makers.items() if maker}
        _check_source(key, artifact, scope.input_artifacts, given, place)


def _check_source(
    key: str, source: object, inputs: Mapping[str, object], made: Mapping[str, Mapping[str, object]], place: str
) -> None:
    if isinstance(source, FromInput) and source.name not in inputs:
        raise InvalidPipeline(f"{key!r} comes from the input {source.name!r}, which does not exist here", place)
    if isinstance(source, FromTask) and source.task in made and source.key not in made[source.task]:
        raise InvalidPipeline(f"{key!r} comes from the output {source.key!r} that {source.task!r} lacks", place)


def _needs(dag: Dag) -> Callable[[str], Iterable[str]]:
    return lambda name: dag.tasks[name].needs


def _inside(component: Component) -> Iterable[str]:
    return (task.component for task in component.body.tasks.values()) if isinstance(component.body, Dag) else ()


def _no_cycle(names: Iterable[str], onwards: Callable[[str], Iterable[str]], place: str) -> None:
    """Depth first, without recursion: a chain of ten thousand tasks is legal."""
    finished: set[str] = set()
    for start in names:
        if start in finished:
            continue
        path: dict[str, None] = {start: None}
        stack = [(start, iter(onwards(start)))]
        while stack:
            name, following = stack[-1]
            step = next(following, None)
            if step is None:
                stack.pop()
                path.pop(name)
                finished.add(name)
            elif step in path:
                circle = [*list(path)[list(path).index(step) :], step]
                raise InvalidPipeline(f"these wait for each other in a circle: {' -> '.join(circle)}", place)
            elif step not in finished:
                path[step] = None
                stack.append((step, iter(onwards(step))))
