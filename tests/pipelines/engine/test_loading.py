"""Loading a compiled pipeline: what is wrong is said with its place, what is not supported by its name."""

from typing import Any

import pytest
from specs import In, Out, Spec, task

from fairway.pipelines import ir


def _spec() -> dict[str, Any]:
    spec = Spec().step("make", outputs={"Output": int}).step("use", {"n": int})
    return spec.compiled({"make": task("make"), "use": task("use", {"n": Out("make")})})


def _retry(**policy: Any) -> dict[str, Any]:
    return {"maxRetryCount": 1, **policy}


def _refused(document: dict[str, Any], platform: dict[str, Any] | None = None) -> str:
    with pytest.raises(ir.InvalidPipeline) as refused:
        ir.load(document, platform)
    return str(refused.value)


def test_a_good_pipeline_loads() -> None:
    pipeline = ir.load(_spec())
    assert pipeline.name == "test-pipeline"
    assert pipeline.entry.body.tasks["use"].needs == ("make",)
    assert pipeline.entry.body.followers == {"make": ("use",), "use": ()}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("schemaVersion",), "2.0.0", "schemaVersion: schemaVersion is 2.0.0"),
        (("pipelineInfo", "name"), "Not OK", "pipelineInfo.name"),
        (("root", "dag", "tasks", "use", "componentRef", "name"), "gone", "there is no component 'gone'"),
        (("root", "dag", "tasks", "make", "dependentTasks"), ["use"], "make -> use -> make"),
        (("root", "dag", "tasks", "use", "dependentTasks"), ["zzz"], "needs 'zzz'"),
        (("components", "make", "executorLabel"), "zzz", "components.make: there is no executor 'zzz'"),
        (("components", "use", "inputDefinitions", "parameters", "n", "parameterType"), "DATE", "DATE"),
        (("deploymentSpec", "executors", "exec-make"), {"customJob": {}}, "customJob"),
        (("root", "dag", "tasks", "use", "triggerPolicy", "condition"), "size('x') == 1", "size()"),
        (("root", "dag", "tasks", "use", "inputs", "parameters", "n"), {}, "no value"),
        (("root", "dag"), ["x"], "root.dag: this must be a mapping"),
        (("root", "dag", "tasks", "use", "dependentTasks"), [["make"]], "dependentTasks must be a list of names"),
        (("root", "dag", "tasks", "use", "iteratorPolicy"), {"parallelismLimit": -1}, "parallelismLimit is -1"),
        (("root", "dag", "tasks", "use", "retryPolicy"), {"maxRetryCount": "many"}, "maxRetryCount is 'many'"),
        (("root", "dag", "tasks", "use", "retryPolicy"), _retry(backoffFactor=-1), "backoffFactor is -1"),
        (("root", "dag", "tasks", "use", "retryPolicy"), _retry(backoffDuration="nans"), "'nans' is not a duration"),
        (("root", "dag", "tasks", "use", "retryPolicy"), _retry(backoffDuration="-5s"), "'-5s' is not a duration"),
        (("root", "dag", "tasks", "use", "retryPolicy"), _retry(backoffDuration="1e99s"), "'1e99s' is not a duration"),
        (("root", "dag", "outputs"), {"artifacts": {"m": {"artifactSelectors": ["x"]}}}, "artifactSelectors[0]: this"),
        (("deploymentSpec", "executors", "exec-make", "container", "env"), ["x"], "container.env[0]: this must be"),
        (("deploymentSpec", "executors", "exec-make"), {"importer": {"metadata": [1]}}, "metadata: this must be"),
        (
            ("root", "dag", "tasks", "use[3]"),
            {"componentRef": {"name": "use"}},
            "'use[3]' cannot be the name of a task",
        ),
        (("root", "dag", "tasks", "ü" * 150), {"componentRef": {"name": "use"}}, "cannot be the name of a task"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(path: tuple[str, ...], value: Any, message: str) -> None:
    document = _spec()
    inside = document
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    assert message in _refused(document)


def test_a_component_inside_itself_is_refused() -> None:
    spec = Spec().dag("a", {"b": task("b")}).dag("b", {"a": task("a")})
    assert "circle" in _refused(spec.compiled({"a": task("a")}))


def test_a_task_name_cannot_leave_its_folder() -> None:
    assert "'../x'" in _refused(Spec().step("s").compiled({"../x": task("s")}))
    assert "'a/b'" in _refused(Spec().step("s", outputs={"a/b": int}).compiled({"s": task("s")}))


def test_unsupported_kubernetes_settings_are_refused_by_name() -> None:
    executors = {"exec-make": {"hostNetwork": True}}
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}
    assert "executors.exec-make: the Kubernetes setting hostNetwork is not supported" in _refused(_spec(), platform)


def test_numbers_are_plain() -> None:
    spec = Spec().step("use", {"n": (int, 3.0), "l": (list, [1.0, 2.5])})
    inputs = ir.load(spec.compiled({"use": task("use", {"n": In("x")})}, {"x": int})).components["use"].input_parameters
    assert repr((inputs["n"].default, inputs["l"].default)) == "(3, [1, 2.5])"
