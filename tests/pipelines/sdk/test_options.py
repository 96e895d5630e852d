"""What a step wants beyond KFP travels as variables that the API knows; sensors say when it is time."""

from pathlib import Path

import pytest
import yaml
from kfp import compiler, dsl

from fairway.pipelines import ir, sdk
from fairway.pipelines.ir.model import Container
from fairway.pipelines.sdk import sensors
from tests.pipelines.sdk import flows

FUTURE = pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")


@dsl.pipeline(name="optional")
def optional() -> None:
    sdk.pool(flows.double(x=1), "gpu", slots=2)
    sdk.approval(flows.double(x=2), "Deploy it?")
    sdk.sensor(flows.exists(path="/"), every=0.5, timeout=60)
    sdk.cache(flows.double(x=4), max_age="7d", by="content")


def test_each_option_is_understood_where_the_run_is_created(tmp_path: Path) -> None:
    compiler.Compiler().compile(optional, str(tmp_path / "optional.yaml"))
    pipeline = ir.load(yaml.safe_load((tmp_path / "optional.yaml").read_text()), None)
    found = [each.body.options for each in pipeline.components.values() if isinstance(each.body, Container)]
    pool, approval, sensor, cache = sorted(
        found, key=lambda each: (not each.pool, not each.approval, not each.sensor_every)
    )
    assert (pool.pool, pool.slots) == ("gpu", 2)
    assert approval.approval == "Deploy it?"
    assert (sensor.sensor_every, sensor.sensor_timeout) == (0.5, 60)
    assert (cache.cache_max_age, cache.cache_by) == (7 * 86400, "content")


def test_options_are_for_single_steps(tmp_path: Path) -> None:
    with pytest.raises(sdk.Failure, match="optional is no single step"):

        @dsl.pipeline(name="outer")
        def outer() -> None:
            sdk.pool(optional(), "gpu")

    with pytest.raises(sdk.Failure, match="call this inside a pipeline function"):
        sdk.pool("train", "gpu")
    with pytest.raises(sdk.Failure, match="needs max_age="):
        sdk.cache(None)


@dsl.pipeline(name="due")
def due(path: str, run_id: str, url: str) -> None:
    waits = [
        sensors.file(path, every=1, timeout=5),
        sensors.time("2024-03-01T06:00:00+01:00"),
        sensors.time("2024-03-01"),
        sensors.run(run_id),
        sensors.address(url, contains="multi_user"),
    ]
    flows.double(x=1).after(*waits)


@dsl.pipeline(name="disappointed")
def disappointed(run_id: str) -> None:
    sensors.run(run_id, states=["FAILED"])


@FUTURE
@pytest.mark.slow
def test_a_sensor_ends_when_what_it_waits_for_is_there(server: sdk.Server, tmp_path: Path) -> None:
    before = sdk.submit(flows.squares, {"n": 1})
    before.wait(timeout=60)
    inputs = {"path": f"file://{tmp_path}", "run_id": before.id, "url": f"{server.url}/apis/v2beta1/healthz"}
    sdk.submit(due, inputs).wait(timeout=60)
    with pytest.raises(sdk.Failure, match="is SUCCEEDED, and FAILED was waited for"):
        sdk.submit(disappointed, {"run_id": before.id}).wait(timeout=60)


@dsl.component(base_image="python:3.11")
def look_around() -> str:
    from fairway.pipelines import sdk  # noqa: PLC0415

    return sdk.run("last").record()["display_name"]


@dsl.pipeline(name="inside")
def inside() -> str:
    return look_around().output


@FUTURE
@pytest.mark.slow
def test_a_step_finds_the_platform_by_itself(server: sdk.Server) -> None:
    run = sdk.submit(inside, name="who am I")
    run.wait(timeout=60)
    assert run.outputs() == {"Output": "who am I"}
