"""The pod of a step whose image runs as a container: its own image in the middle, and ours beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from specs import Spec, task
from test_deciding import World

from fairway.kernel.objects.kinds import Object
from fairway.pipelines.outcomes import Trace, of_pod
from fairway.pipelines.render import pods
from fairway.pipelines.render.inputs import InputError
from fairway.pipelines.render.model import Outcome

PROCESSES = ("python", "fairway/*")


def pod(processes: tuple[str, ...] | None = PROCESSES, text: str = "hi", **container: Any) -> Object:
    container = {"image": "quay.io/me/tool:1", "command": ["run", "$(HOME)"], **container}
    spec = Spec().step("s", {"text": str}, None, args=["{{$.inputs.parameters['text']}}"], **container)
    world = World(spec.compiled({"s": task("s", {"text": text})})).settle()
    graph = world.graph
    return pods.render(graph.pipeline, replace(graph.run, processes=processes), world.at("s"))


def test_an_image_that_runs_as_a_container_has_inpod_before_it_and_after_it() -> None:
    rendered = pod(text="a $(HOME)")
    spec, (main,) = rendered["spec"], rendered["spec"]["containers"]
    assert (main["image"], main["command"]) == ("quay.io/me/tool:1", ["run", "$(HOME)"])
    assert main["args"] == ["a $$(HOME)"]  # what is put in is not looked at for variables
    before, after = spec["initContainers"]
    folder = pods.folder_of(rendered)
    assert (before["args"], after["args"]) == ([folder, "begin"], [folder, "collect"])
    assert (before.get("restartPolicy"), after["restartPolicy"]) == (None, "Always")
    assert before["image"] == after["image"] == "fairway/step"
    assert [mount["mountPath"] for mount in main["volumeMounts"]] == [folder.removeprefix("file://")]


@pytest.mark.parametrize(
    ("processes", "image"), [(None, "quay.io/me/tool:1"), (PROCESSES, "python:3.11"), (("*/tool",), "quay.io/me/tool")]
)
def test_other_images_are_one_container_with_inpod_in_it(processes: tuple[str, ...] | None, image: str) -> None:
    rendered = pod(processes, image=image)
    assert "initContainers" not in rendered["spec"]
    assert rendered["spec"]["containers"][0]["command"] == pods.COMMAND


def test_a_stop_after_the_step_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="set_debug_pause"):
        pod(env=[{"name": "ARGO_DEBUG_PAUSE_AFTER", "value": "true"}])


def test_what_was_gathered_counts_if_the_container_ended_well() -> None:
    trace = Trace(1.0, Outcome(True, parameters={"a": 1}), beside=True)

    def ended(code: int) -> Object:
        terminated = {"exitCode": code, "reason": "Error" if code else "Completed"}
        return {"status": {"containerStatuses": [{"name": "main", "state": {"terminated": terminated}}]}}

    assert of_pod(ended(0), trace).parameters == {"a": 1}
    failed = of_pod(ended(5), trace)
    assert (failed.succeeded, failed.code, failed.message) == (False, 5, "the command ended with exit status 5")
    assert not of_pod(None, trace).succeeded
