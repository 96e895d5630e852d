"""What a step wants beyond KFP: a place in a pool, a person's word, patience, its own terms with the cache.

Each function takes a task inside a pipeline function, sets an environment variable on it, and gives the task back:
the pipeline compiles with the unmodified SDK and runs on any other backend, which ignores the variables. What a
variable says is checked where the run is created; docs/pipelines-api.md has the words.
"""

from __future__ import annotations

from typing import TypeVar

from fairway.pipelines.sdk.failures import Failure

Task = TypeVar("Task")
"""kfp's PipelineTask; kfp itself is not needed here."""


def pool(task: Task, name: str, *, slots: int = 1) -> Task:
    """The step takes `slots` of the pool `name` while it runs, and waits until there are so many."""
    return _set(task, "POOL", f"{name}:{slots}")


def approval(task: Task, question: str = "Go on?") -> Task:
    """The step starts once a person has approved; a rejection fails it.

    The question may name inputs of the step in curly braces, as in "Deploy a model with {accuracy}?".
    """
    for name in getattr(task, "inputs", {}):
        question = question.replace(f"{{{name}}}", f"{{{{$.inputs.parameters['{name}']}}}}")
    return _set(task, "APPROVAL", question)


def sensor(task: Task, *, every: float = 30, timeout: float = 0) -> Task:
    """While the step's first boolean output is false the step is not over: it looks again after `every` seconds and
    takes no room meanwhile. After `timeout` seconds it fails; 0 is never."""
    return _set(task, "SENSOR", f"every={every:g} timeout={timeout:g}")


def cache(task: Task, *, max_age: str = "", by: str = "") -> Task:
    """Results from the cache count only when they are younger than `max_age`, such as "12h" or "7d"; with
    by="content" an input artifact counts by its bytes, and not by which step made it."""
    words = [f"{name}={value}" for name, value in (("max_age", max_age), ("by", by)) if value]
    if not words:
        raise Failure('cache() needs max_age="7d" or by="content"; task.set_caching_options(False) turns it off')
    return _set(task, "CACHE", " ".join(words))


def _set(task: Task, option: str, value: str) -> Task:
    setter = getattr(task, "set_env_variable", None)
    if setter is None:
        raise Failure(f"{task!r} is not a task; call this inside a pipeline function, on what a component gives")
    try:
        setter(f"FAIRWAY_STEP_{option}", value)
    except ValueError as wrong:
        name = getattr(task, "name", "the task")
        raise Failure(f"{name} is no single step, and options are for these: {wrong}") from wrong
    return task
