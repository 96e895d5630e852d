"""What a pipeline asks for beyond its steps: variables of a step, and the configuration of the whole."""

from typing import Any

import pytest
from specs import Spec, task

from fairway.pipelines import ir
from fairway.pipelines.ir.model import Config, Options, Workspace


def _options(*, outputs: dict[str, Any] | None = None, **variables: str) -> Options:
    env = [{"name": f"FAIRWAY_STEP_{key}", "value": value} for key, value in variables.items()]
    spec = Spec().step("s", outputs=outputs, env=[{"name": "OTHER", "value": "1"}, *env])
    body = ir.load(spec.compiled({"s": task("s")})).components["s"].body
    assert isinstance(body, ir.model.Container)
    return body.options


def _config(**written: Any) -> Config:
    platform = {"platforms": {"kubernetes": {"pipelineConfig": written}}}
    return ir.load(Spec().step("s").compiled({"s": task("s")}), platform).config


def test_a_step_without_variables_asks_for_nothing() -> None:
    assert _options() == Options()
    assert _options(POOL="") == Options()


def test_each_variable_is_an_option() -> None:
    assert _options(POOL="gpu") == Options(pool="gpu", slots=1)
    assert _options(POOL="gpu:2") == Options(pool="gpu", slots=2)
    assert _options(APPROVAL=" Deploy? ") == Options(approval="Deploy?")
    assert _options(CACHE="max_age=7d by=content") == Options(cache_max_age=7 * 86400.0, cache_by="content")
    assert _options(CACHE="max_age=90") == Options(cache_max_age=90.0)
    sensor = _options(outputs={"found": bool}, SENSOR="timeout=1h every=30")
    assert sensor == Options(sensor_every=30.0, sensor_timeout=3600.0)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("POOL", "gpu:0", "NAME:SLOTS"),
        ("POOL", "My Pool", "NAME:SLOTS"),
        ("SENSOR", "timeout=3", "how often it looks"),
        ("SENSOR", "every=0", "every 0 seconds"),
        ("SENSOR", "every=soon", "'soon' is not a time"),
        ("SENSOR", "every=30", "a boolean output"),
        ("SENSOR", "every=99999999d", "'99999999d' is more than a hundred years"),
        ("SENSOR", f"every=30 timeout={'9' * 400}", "is more than a hundred years"),
        ("CACHE", "max_age=1w", "'1w' is not a time"),
        ("CACHE", "by=name", "by=id or by=content"),
        ("CACHE", "by=id by=id", "'by=id' is not understood"),
        ("CACHE", "age=1d", "max_age=... and by=..."),
        ("PRIORITY", "1", "FAIRWAY_STEP_PRIORITY is not an option of a step"),
    ],
)
def test_a_mistake_in_a_variable_is_said_with_its_place(variable: str, value: str, message: str) -> None:
    with pytest.raises(
        ir.InvalidPipeline, match=r"^(deploymentSpec\.executors\.exec-s\.container\.env|s: )"
    ) as refused:
        _options(**{variable: value})
    assert message in str(refused.value)


def test_the_pipelines_own_configuration_in_seconds() -> None:
    assert _config() == Config()
    assert _config(activeDeadlineSeconds=60) == Config(deadline=60.0)
    assert _config(resourceTtlOnCompletion=9.0) == Config(ttl_success=9.0, ttl_failure=9.0)
    told = _config(resourceTtlOnCompletion=9, resourceTtlOnFailure=5, resourceTtlOnSuccess=0)
    assert told == Config(ttl_success=9.0, ttl_failure=5.0)
    patch = {"storageClassName": "fast", "accessModes": ["ReadWriteMany"]}
    workspace = {"size": "5Gi", "kubernetes": {"pvcSpecPatch": patch}}
    assert _config(workspace=workspace).workspace == Workspace("5Gi", "fast", ("ReadWriteMany",))


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"activeDeadlineSeconds": -1}, "pipelineConfig: activeDeadlineSeconds is -1"),
        ({"resourceTtlOnCompletion": 10**12}, "resourceTtlOnCompletion is 1000000000000, and must be"),
        ({"resourceTtlOnCompletion": 10**400}, "and no more than a hundred years"),
        ({"activeDeadlineSeconds": "soon"}, "activeDeadlineSeconds is 'soon'"),
        ({"semaphoreKey": "x"}, "the pipeline config semaphoreKey is not supported"),
        ({"workspace": {"size": "big"}}, "pipelineConfig.workspace: size 'big' is not a quantity"),
        (
            {"workspace": {"size": "1Gi", "kubernetes": {"pvcSpecPatch": {"volumeMode": "Block"}}}},
            "volumeMode is not supported; known are accessModes, storageClassName",
        ),
    ],
)
def test_a_mistake_in_the_configuration_is_said_with_its_place(written: dict[str, Any], message: str) -> None:
    with pytest.raises(ir.InvalidPipeline) as refused:
        _config(**written)
    assert message in str(refused.value)
